//! Federated secure computing: what a node is made of, without sockets, without an executor.
//!
//! ```text
//!   client ── Api, Representation                       peers
//!                │ Request                                │ Batch of envelopes
//!                ▼                                        ▼
//!   transport ───┴───────────── Handler ──────────────────┘
//!                                  │
//!                                Node
//!                 ┌────────────────┴───────────────┐
//!                Bus                              Runs
//!       grants ─ Registry ─ policy          Session ─ Party ─ Protocol
//! ```
//!
//! * [`value`]: what travels between client and node; [`object`]: what a handle points at.
//! * [`bus`] and [`registry`]: resolve, authorise, act, grant.
//! * [`protocol`], [`party`], [`session`], [`joining`], [`envelope`], [`keepsake`]: one run of a protocol, sans-I/O.
//! * [`runs`]: the runs under way; [`node`]: bus and runs together; [`transport`]: what carries bytes.
//! * [`identity`]: who a node is. [`representation`]: the client's side.
//! * [`clock`] and [`secret`]: the seams to time and randomness, and the wrapper for what must not leak.
//! * With the feature `sim`: [`sim`], [`laws`], [`conformance`].

pub mod bus;
pub mod clock;
#[cfg(feature = "sim")]
pub mod conformance;
pub mod envelope;
pub mod identity;
pub mod joining;
pub mod keepsake;
#[cfg(feature = "sim")]
pub mod laws;
pub mod node;
pub mod object;
pub mod party;
pub mod protocol;
pub mod registry;
pub mod representation;
pub mod runs;
pub mod secret;
pub mod session;
#[cfg(feature = "sim")]
pub mod sim;
pub mod transport;
pub mod value;

#[doc(hidden)]
pub use linkme;

/// The README's example, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
