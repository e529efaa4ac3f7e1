//! The laws of two [`Link`]s, in simulated time.

mod faults;
mod meeting;
mod sharing;
mod throughput;
