//! `libfsc`: the C library. Its header is `include/fsc.h`; how to use it from C, C++ and other languages says `docs/embedding.md`.
//!
//! ```text
//!   C program ── fsc_client_… ── fsc_object_… ── fsc_value_…          what it asks
//!             ── fsc_node_… ── fsc_service ── fsc_stream               what it serves, and how
//!                     │
//!                   entry ── handles ── library (threads, nodes of the process)
//!                     │
//!        fsc-core, fsc-transport, fsc-node
//! ```
//!
//! * [`client`], [`object`], [`value`], [`wait`]: a node, as its client sees it.
//! * [`node`], [`service`], [`stream`]: nodes in this process, what they offer, and lines of the program's own.
//! * [`status`], [`fault`]: how functions end. [`library`]: versions, and the end of all. [`log`]: what it says meanwhile.
//! * `entry`, `handles`, `input`: what all functions share. No panic gets out, no pointer is read unchecked, no handle is believed.
//! * `fuzz`, a feature: what the fuzzer does.
//!
//! This is the only crate of the workspace with unsafe code: pointers come in, and callbacks go out.

pub mod client;
mod entry;
pub mod fault;
#[cfg(all(feature = "fuzz", feature = "node"))]
pub mod fuzz;
mod handles;
pub mod input;
pub mod library;
pub mod log;
#[cfg(feature = "node")]
pub mod node;
pub mod object;
#[cfg(feature = "node")]
pub mod service;
pub mod status;
#[cfg(feature = "serial")]
pub mod stream;
pub mod value;
pub mod wait;
