//! Every function, while it is under way: its progress moves, and one party's wish ends it at all.
#![allow(clippy::unwrap_used)] // tests may panic, and so may what they are made of

mod common;

use std::sync::Arc;

use async_trait::async_trait;
use common::{Parties, Task, eventually, failure};
use fsc_core::bus::Request;
use fsc_core::clock::Runtime;
use fsc_core::envelope::{Content, Envelope};
use fsc_core::node::Node;
use fsc_core::transport::{Address, Answer, Assurance, Batch, Life, Transport, TransportError};
use fsc_core::value::{Limits, Value, json};
use fsc_transport::{Hub, TokioRuntime};
use tokio::sync::Semaphore;

/// Every function of the catalogue, its parameters, and what three parties put in. What the last one has is needed.
const FUNCTIONS: [(&str, &str, [&str; 3]); 10] = [
    ("SecureSum", "null", ["1", "2", "3"]),
    ("MinimumMaximum", "null", ["[1, 2]", "[3]", "[-4, 5]"]),
    (
        "KthElement",
        r#"{"type": "int64"}"#,
        [
            r#"{"array": [3], "rank": 2, "lower_bound": 0, "upper_bound": 255}"#,
            r#"{"array": [5, 9], "rank": 2, "lower_bound": 0, "upper_bound": 255}"#,
            r#"{"array": [200], "rank": 2, "lower_bound": 0, "upper_bound": 255}"#,
        ],
    ),
    ("SecureMedian", "null", ["[1, 2]", "[3]", "[4, 5]"]),
    ("StatisticsUnivariate", "null", ["[1, 2]", "[3]", "[4, 5]"]),
    ("StatisticsBivariate", "null", ["[[1, 2]]", "[[3, 4]]", "[[5, 5]]"]),
    ("StatisticsFrequency", "null", [r#"["a"]"#, r#"["a", "b"]"#, r#"["b"]"#]),
    ("StatisticsContingency", "null", [r#"[["a", 1]]"#, r#"[["a", 2]]"#, r#"[["b", 1]]"#]),
    ("SecureMatrixMultiplication", "null", ["[[[1, 2], [3, 4]]]", "null", "[[[5], [6]]]"]),
    (
        "StatisticsRegressionOLSVertical",
        r#"{"condition": 10}"#,
        [
            "[[[1], [1], [1], [1], [0], [0], [0], [0]]]",
            "[[1, 2, 3, 4, 5, 6, 7, 8]]",
            "[[[1], [-1], [1], [-1], [1], [-1], [1], [-1]]]",
        ],
    ),
];

#[test]
fn every_function_is_here() {
    let here = FUNCTIONS.map(|(function, ..)| function);
    assert!(fsc_protocols::PROTOCOLS.iter().all(|function| here.contains(function)));
}

/// With everything that the others say after their hellos held back, the first party has sent something and not all, but for
/// functions of one round; at the end it has sent all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn progress_moves() {
    for (function, parameters, data) in FUNCTIONS {
        let federation = Federation::new();
        // Once to meet, which counts for no run that comes after it.
        federation.gate.open();
        for task in federation.begin("first", function, parameters, &data).await {
            task.outcome().await.unwrap_or_else(|error| panic!("{function}: {error}"));
        }
        federation.gate.close().await;

        let tasks = federation.begin("second", function, parameters, &data).await;
        // The owner of X waits for the owner of Y only.
        let waiting = if function == "SecureMatrixMultiplication" { &[2][..] } else { &[1, 2] };
        tasks[0].waits_for("running", waiting).await;
        let [sent, expected] = bytes(&tasks[0]).await;
        let one_round = ["SecureSum", "StatisticsFrequency", "StatisticsContingency"].contains(&function);
        assert!(0 < sent && (sent < expected || one_round && sent == expected), "{function}: {sent} of {expected}");

        federation.gate.open();
        for task in &tasks {
            task.outcome().await.unwrap_or_else(|error| panic!("{function}: {error}"));
            let [sent, expected] = bytes(task).await;
            assert_eq!(sent, expected, "{function}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelling_ends_every_function_at_all_parties() {
    for (function, parameters, data) in FUNCTIONS {
        let federation = Federation::new();
        let tasks = federation.begin("cancelled", function, parameters, &data).await;
        tasks[0].waits_for("running", &[1, 2]).await;
        tasks[0].call("cancel", None).await;
        let why = |place| if place == 0 { "cancelled" } else { "party 0 stopped: cancelled" };
        for (place, task) in tasks.iter().enumerate() {
            let failure = failure(task.outcome().await);
            assert_eq!((failure.code, failure.message.as_str()), (409, why(place)), "{function}, party {place}");
        }
    }
}

/// What a task says it has sent, and will have sent at the end.
async fn bytes(task: &Task) -> [u64; 2] {
    let progress = task.progress().await;
    let bytes = |name| progress.entry(name).and_then(Value::as_usize).map(|bytes| bytes as u64);
    [bytes("sent_bytes").unwrap(), bytes("expected_bytes").unwrap()]
}

/// Three nodes in one process, of which all but the first speak through a gate.
struct Federation {
    parties: Parties,
    gate: Arc<Gate>,
    _nodes: Vec<Arc<Node>>,
}

impl Federation {
    fn new() -> Self {
        fsc_protocols::link();
        let runtime: Arc<dyn Runtime> = Arc::new(TokioRuntime::new());
        let hub = Arc::new(Hub::new());
        let gate = Arc::new(Gate { hub: Hub::clone(&hub), passes: Semaphore::new(0) });
        let transports: [Arc<dyn Transport>; 3] = [hub.clone(), gate.clone(), gate.clone()];
        let node = |transport: &Arc<dyn Transport>| Node::builder(runtime.clone(), transport.clone()).build().unwrap();
        let nodes: Vec<_> = transports.iter().map(node).collect();
        let addresses: Vec<Address> =
            nodes.iter().enumerate().map(|(place, node)| hub.add(&place.to_string(), node).unwrap()).collect();
        Self { parties: Parties::new(&transports[0], &runtime, addresses), gate, _nodes: nodes }
    }

    /// All parties' tasks, in order of place.
    async fn begin(&self, uuid: &str, function: &str, parameters: &str, data: &[&str; 3]) -> Vec<Task> {
        let value = |text: &str| json::parse(text.as_bytes(), &Limits::default()).unwrap();
        let mut tasks = Vec::new();
        for (place, data) in data.iter().enumerate() {
            let arguments = [
                ("microprotocol", function.into()),
                ("parameters", value(parameters)),
                ("data", value(data)),
                ("wait", false.into()),
            ];
            tasks.push(Task::held(self.parties.compute(place, self.parties.network(place, uuid), arguments)).await);
        }
        tasks
    }
}

/// The hub for nodes that say hello to everybody, and more only while the gate is open.
struct Gate {
    hub: Hub,
    passes: Semaphore,
}

impl Gate {
    fn open(&self) {
        self.passes.add_permits(Semaphore::MAX_PERMITS);
    }

    /// When nothing passes any more.
    async fn close(&self) {
        eventually(async || (self.passes.available_permits() == Semaphore::MAX_PERMITS).then_some(())).await;
        self.passes.forget_permits(Semaphore::MAX_PERMITS);
    }
}

#[async_trait]
impl Transport for Gate {
    async fn request(&self, to: &Address, request: Request) -> Result<Answer, TransportError> {
        self.hub.request(to, request).await
    }

    async fn deliver(&self, to: &Address, batch: Batch) -> Result<Life, TransportError> {
        let (mut hellos, mut mail) = (Batch::default(), Batch::default());
        for envelope in Envelope::decode_all(batch.pieces.concat().into()).unwrap() {
            let is_hello = matches!(envelope.content, Content::Hello(_));
            envelope.encode_into(if is_hello { &mut hellos } else { &mut mail });
        }
        // A party that joins last says more in one breath.
        let life = self.hub.deliver(to, hellos).await?;
        if mail.is_empty() {
            return Ok(life);
        }
        let _pass = self.passes.acquire().await.unwrap();
        self.hub.deliver(to, mail).await
    }

    async fn lost(&self, to: &Address, life: Life) -> TransportError {
        self.hub.lost(to, life).await
    }

    fn assurance(&self, to: &Address) -> Assurance {
        self.hub.assurance(to)
    }
}
