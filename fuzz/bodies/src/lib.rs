//! What the fuzz targets do with their bytes.
//!
//! Each body is a function that panics when a claim of this project does not hold for its input. `cargo fuzz` calls
//! them from `fuzz_targets/`, with inputs that it breeds; `tests/replay.rs` calls them on stable, with the seeds in
//! `corpus/` and with inputs drawn from one seed.

mod bus;
mod envelope;
mod federation;
mod functions;
mod hello;
mod line;
mod network;
mod ot;
mod request;
mod runs;
mod seal;
mod session;
mod submission;
mod surroundings;
mod tables;
mod value;

pub use bus::bus;
pub use envelope::envelope;
pub use fsc::fuzz::entry_points as bindings;
pub use functions::functions;
pub use hello::hello;
pub use line::{arq, frame};
pub use ot::ot;
pub use request::request;
pub use runs::runs;
pub use seal::seal;
pub use session::session;
pub use submission::submission;
pub use tables::{key, union};
pub use value::{value_cbor, value_json};

/// A fuzz target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, and that of its folder under `corpus/`.
    pub name: &'static str,
    /// What it does with an input. Panics when a claim does not hold.
    pub body: fn(&[u8]),
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target { name: "value_json", body: value_json },
    Target { name: "value_cbor", body: value_cbor },
    Target { name: "request", body: request },
    Target { name: "submission", body: submission },
    Target { name: "envelope", body: envelope },
    Target { name: "hello", body: hello },
    Target { name: "session", body: session },
    Target { name: "runs", body: runs },
    Target { name: "bus", body: bus },
    Target { name: "ot", body: ot },
    Target { name: "key", body: key },
    Target { name: "union", body: union },
    Target { name: "functions", body: functions },
    Target { name: "frame", body: frame },
    Target { name: "arq", body: arq },
    Target { name: "seal", body: seal },
    Target { name: "bindings", body: bindings },
];
