//! Services that are not computations: places where parties meet, and where they leave things.
//!
//! Everything here is bounded and expires: see [`shelf::Limits`]. What one client leaves, every client of the node that
//! knows its name can find; that is what these services are for.

#![allow(clippy::needless_pass_by_value)] // a method owns the arguments that it was called with

pub mod barrier;
pub mod broadcast;
pub mod shelf;
pub mod storage;

#[cfg(test)]
mod testing;
