//! A microservice is a struct, an `impl` block, one line that says which methods clients may call, and one that registers it.
//! From then on every node of the program offers it, to clients in any language.
#![allow(clippy::print_stdout)] // an example talks to its reader

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fsc_core::node::Node;
use fsc_core::registry::Description;
use fsc_core::representation::Api;
use fsc_core::{methods, register_service};
use fsc_transport::{Hub, TokioRuntime};

/// Hands out ticket numbers; all clients of the node take from the same roll.
#[derive(Default)]
struct Tickets(AtomicU64);

impl Tickets {
    fn take(&self, many: Option<u64>) -> u64 {
        self.0.fetch_add(many.unwrap_or(1), Ordering::Relaxed)
    }
}

methods!(Tickets, "roll of tickets", { take(many) });

register_service!(
    TICKETS,
    "Tickets",
    || Description::new([("namespace", "example"), ("microservice", "Tickets"), ("version", "1.0.0")]),
    |_| Arc::new(Tickets::default()),
);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    fsc_protocols::link();
    let (runtime, hub) = (TokioRuntime::new(), Hub::new());
    let node = Node::builder(runtime.clone(), hub.clone()).build()?;
    let api = Api::new(hub.clone(), runtime, hub.add("here", &node)?);

    for many in [3_u64, 1] {
        let take = api.create([("microservice", "Tickets")]).attribute("take");
        let first: u64 = take.call([("many", many.into())]).download_as().await?;
        println!("{many} tickets from number {first}");
    }
    Ok(())
}
