//! The HTTP server and client, against each other, against raw bytes, and against the contract.

mod client;
mod contract;
mod limits;
mod malformed;
mod operations;
mod setting;
