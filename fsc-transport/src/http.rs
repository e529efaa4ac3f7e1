//! HTTP: the server that speaks the client contract of `api/openapi.yaml`, and the client to it.
//!
//! ```text
//!   TcpStream ─ Wire ─ hyper (HTTP/1.1 or 2) ─ Service ─ Handler        server
//!                 └───── Pulse ── watchdog ──────┘
//!   Transport ─ HttpTransport ─ Pool ─ hyper ─ TcpStream                client
//! ```
//!
//! One watchdog per connection looks at its `Pulse` now and then, so that a request costs no timer.

mod client;
mod config;
mod connection;
mod content;
mod intake;
mod media;
mod outgoing;
mod pulse;
mod routes;
mod server;
mod service;
mod wire;

pub use ::http::HeaderValue;
pub use client::{ClientConfig, HttpTransport};
pub use config::{Access, Limits, Origins, ServerConfig, Tokens};
pub use routes::{ROUTES, Route};
pub use server::Server;

/// The contract, as the server answers it at `/openapi.yaml`.
pub const OPENAPI: &str = include_str!("../../api/openapi.yaml");
