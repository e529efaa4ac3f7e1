//! Serial lines.

mod address;
pub mod arq;
mod codec;
mod config;
mod fault;
pub mod frame;
pub mod hello;
mod line;
pub mod link;
mod mux;
mod packet;
mod port;
mod serving;
#[cfg(test)]
mod testing;
mod transport;

pub use config::LineConfig;
pub use fault::{Fault, Hint};
pub use mux::{AskId, Kind};
pub use port::{Opener, Stream};
pub use transport::SerialTransport;
