//! Serial lines.

pub mod arq;
pub mod frame;
pub mod hello;
mod packet;
