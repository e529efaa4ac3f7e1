//! Nodes of one process, and a client to each.

use std::sync::Arc;

use fsc_core::node::Node;
use fsc_core::representation::Api;
use fsc_core::runs::Network;
use fsc_core::transport::Address;
use fsc_core::value::{Array, Value};
use fsc_transport::{Hub, TokioRuntime};
use futures_util::future::try_join_all;

use crate::http::Failure;

/// A federation on a hub.
pub struct Federation {
    clients: Vec<Api>,
    addresses: Vec<Address>,
    /// The hub does not keep them alive.
    _nodes: Vec<Arc<Node>>,
}

impl Federation {
    /// That many nodes on the present tokio runtime.
    pub fn in_process(parties: usize) -> Result<Self, Failure> {
        fsc_protocols::link();
        let (runtime, hub) = (TokioRuntime::new(), Hub::new());
        let (mut nodes, mut addresses, mut clients) = (Vec::new(), Vec::new(), Vec::new());
        for place in 0..parties {
            let node = Node::builder(runtime.clone(), hub.clone()).build()?;
            let address = hub.add(&place.to_string(), &node)?;
            clients.push(Api::new(hub.clone(), runtime.clone(), address.clone()));
            addresses.push(address);
            nodes.push(node);
        }
        Ok(Self { clients, addresses, _nodes: nodes })
    }

    /// All parties' `SecureSum` of the same numbers, element by element: one answer for each.
    pub async fn sum(&self, data: &Array) -> Result<Vec<Value>, Failure> {
        let answers = self.clients.iter().enumerate().map(|(myself, api)| {
            let network = Network { nodes: self.addresses.clone(), myself, uuid: "bench".to_owned() };
            let arguments = [
                ("microprotocol", "SecureSum".into()),
                ("data", data.clone().into()),
                ("network", network.into()),
                ("parameters", Value::map([("elementwise", true)])),
            ];
            api.create([("protocol", "Simon")]).attribute("compute").call(arguments).download()
        });
        Ok(try_join_all(answers).await?)
    }
}
