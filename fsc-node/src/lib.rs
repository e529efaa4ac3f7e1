//! A node as its owner configures it: for programs that run one, and for the program `fsc`.
//!
//! ```text
//!   Config ─┐
//!           ├─ Running ── Node, sealed, forwarded, collected ── http, serial lines, other nodes of the process
//!   Setup ──┘
//! ```
//!
//! * [`config`]: the file that an operator writes, with everything that it can say.
//! * [`running`]: a node from its configuration to its end, and what a program adds to it.
//! * `key`: the file of a node's key; `annex`: the directory beside it; `invitations` in it, by which `learn` lists nodes that
//!   join while one runs.
//! * `cli`, a feature: the program.
//!
//! ```no_run
//! use fsc_node::{Config, Running, Setup};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let config = Config::from_toml("listen = \"127.0.0.1:8001\"", ".".as_ref())?;
//! let node = Running::start(&config, Setup::new()).await?;
//! println!("listening on {}", node.addresses()[0]);
//! node.run(async { tokio::signal::ctrl_c().await.unwrap_or_default() }).await;
//! # Ok(())
//! # }
//! ```

// What is on disk is the same, whatever this library was built with.
#[cfg_attr(not(all(feature = "cli", feature = "http")), allow(dead_code))]
mod annex;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg_attr(not(all(feature = "cli", feature = "http", feature = "serial")), allow(dead_code))]
pub mod config;
#[cfg_attr(not(all(feature = "cli", feature = "http")), allow(dead_code))]
mod invitations;
mod key;
mod learn;
pub mod running;

pub use config::{Config, ConfigError};
pub use running::{Running, Setup, StartError};
