//! How a secret becomes shares.

pub mod additive;
pub mod binary;
pub mod keystream;
pub mod masks;
