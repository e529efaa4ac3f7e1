//! Serial lines.

pub mod arq;
mod fault;
pub mod frame;
pub mod hello;
pub mod link;
mod mux;
mod packet;
#[cfg(test)]
mod testing;

pub use fault::{Fault, Hint};
pub use mux::{AskId, Kind};
