//! Runnable examples, one idea each: `cargo run -p fsc-examples --example NAME`.
//!
//! * `three_parties_in_one_process`: a computation, from beginning to end.
//! * `embed_a_node`: a node inside another program, reachable over HTTP.
//! * `write_a_microservice`: an object of one's own, for clients to use.
//! * `write_a_protocol`: a protocol of one's own, and the laws that it must keep.
//! * `client.sh`: a client that is nothing but curl.
//!
//! And the chapters of `docs/`, whose Rust examples are doc tests of this crate: [`three_hospitals`] is what they begin
//! with, and [`assert_shown`] compares what they learn with what the chapter shows.

mod chapters;
mod hospitals;

pub use chapters::{CHAPTERS, assert_shown};
pub use hospitals::three_hospitals;
