//! The HTTP server and client, against each other, against raw bytes, and against the contract.

#![allow(clippy::unwrap_used)] // helpers of tests fail like tests

mod client;
mod contract;
mod http2;
mod limits;
mod malformed;
mod operations;
mod setting;
