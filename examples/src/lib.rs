//! Runnable examples, one idea each: `cargo run -p fsc-examples --example NAME`.
//!
//! * `three_parties_in_one_process`: a computation, from beginning to end.
//! * `embed_a_node`: a node inside another program, reachable over HTTP.
//! * `write_a_microservice`: an object of one's own, for clients to use.
//! * `write_a_protocol`: a protocol of one's own, and the laws that it must keep.
//! * `client.sh`: a client that is nothing but curl.
