//! What carries requests and mail: within a process, and over HTTP; and what seals it on the way.
//!
//! * [`local`]: a hub of nodes in one process; carries bytes all the same.
//! * [`http`]: the server that speaks the client contract (`api/openapi.yaml`), and the client to it.
//! * [`seal`]: mail that nobody but its receiver can open, over any of them; and forwarding it.
//! * `serial`, a feature: UARTs, and whatever else carries bytes both ways; either end may ask.
//! * [`carriers`]: one transport out of several, chosen by the address's scheme.
//! * [`runtime`]: the node's surroundings on tokio.

pub mod carriers;
#[cfg(feature = "http")]
pub mod http;
pub mod local;
pub mod runtime;
#[cfg(feature = "seal")]
pub mod seal;
#[cfg(feature = "serial")]
pub mod serial;

pub use carriers::Carriers;
pub use local::Hub;
pub use runtime::TokioRuntime;

/// The README's example, compiled.
#[cfg(all(doctest, feature = "http"))]
#[doc = include_str!("../README.md")]
pub struct Readme;
