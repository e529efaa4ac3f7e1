//! Serial lines on pseudo-terminals, in real time.
#![cfg(unix)]
#![allow(clippy::unwrap_used)] // tests may panic, and so may what they are made of

mod conformance;
mod node;
mod noise;
mod ports;
mod socat;
mod stage;
