//! The protocols and services of a node.

pub mod algebra;
pub mod services;
