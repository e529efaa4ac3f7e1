//! Three people learn the sum of their incomes, and nothing else about one another. Each has a node; here all three live
//! in one process, on a [`Hub`]. With `http://…` addresses the same lines compute between organisations.
#![allow(clippy::print_stdout)] // an example talks to its reader

use std::error::Error;

use fsc_core::node::Node;
use fsc_core::representation::Api;
use fsc_core::runs::Network;
use fsc_core::value::json;
use fsc_transport::{Hub, TokioRuntime};
use futures_util::future::try_join_all;

const NAMES: [&str; 3] = ["alice", "bob", "carol"];
const INCOMES: [i64; 3] = [42_000, 16_000, 99_000];

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    fsc_protocols::link();
    let (runtime, hub) = (TokioRuntime::new(), Hub::new());

    let (mut nodes, mut addresses) = (Vec::new(), Vec::new());
    for name in NAMES {
        let node = Node::builder(runtime.clone(), hub.clone()).build()?;
        addresses.push(hub.add(name, &node)?);
        nodes.push(node); // the hub does not keep nodes alive
    }

    let answers = INCOMES.into_iter().enumerate().map(|(myself, income)| {
        let api = Api::new(hub.clone(), runtime.clone(), addresses[myself].clone());
        let network = Network { nodes: addresses.clone(), myself, uuid: "incomes".to_owned() };
        let arguments = [("microprotocol", "SecureSum".into()), ("data", income.into()), ("network", network.into())];
        api.create([("protocol", "Simon")]).attribute("compute").call(arguments).download()
    });
    for (name, answer) in NAMES.into_iter().zip(try_join_all(answers).await?) {
        println!("{name} learns {}", String::from_utf8(json::to_vec(&answer))?);
    }
    Ok(())
}
