//! What every chapter's example begins with.

use fsc_core::node::Node;
use fsc_core::representation::{Api, ApiError};
use fsc_core::runs::Network;
use fsc_core::value::{Value, to_value};
use fsc_transport::{Hub, TokioRuntime};
use futures_util::future::try_join_all;
use serde::Serialize;

/// Three hospitals compute together, each with a node and an api to it, all in this process. `hospital` is what each of them
/// does, with its own data; gives the answer, which is the same at all three. Whatever fails is a panic, as in a test.
#[allow(clippy::needless_pass_by_value)] // so that examples write no more than their data
pub fn three_hospitals<A: Serialize, B: Serialize, C: Serialize>(
    data: (A, B, C),
    hospital: impl AsyncFn(Api, Value, Value) -> Result<Value, ApiError>,
) -> Value {
    fsc_protocols::link();
    let data = [to_value(&data.0), to_value(&data.1), to_value(&data.2)];
    let computation = async {
        let (runtime, hub) = (TokioRuntime::new(), Hub::new());
        let node = || Node::builder(runtime.clone(), hub.clone()).build().expect("protocols are linked");
        let nodes = [node(), node(), node()]; // the hub does not keep nodes alive
        let addresses: Vec<_> =
            ["a", "b", "c"].iter().zip(&nodes).map(|(name, node)| hub.add(name, node).expect("names differ")).collect();
        let answers = data.into_iter().enumerate().map(|(myself, data)| {
            let api = Api::new(hub.clone(), runtime.clone(), addresses[myself].clone());
            let network = Network { nodes: addresses.clone(), myself, uuid: "our study".to_owned() };
            hospital(api, data.expect("data is numbers and texts"), network.into())
        });
        try_join_all(answers).await.expect("an answer")
    };
    let answers = tokio::runtime::Runtime::new().expect("threads").block_on(computation);
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "the hospitals got different answers");
    answers.into_iter().next().expect("three answers")
}
