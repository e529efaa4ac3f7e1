//! Federations of nodes that have keys, as processes: who is let in, who is told what, and what forwarders do.
#![allow(clippy::unwrap_used)] // tests may panic, and so may what they are made of

mod common;

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::process::{Process, free_port, key};
use common::{Parties, answer, failure, soon};
use fsc_core::clock::Runtime;
use fsc_core::runs::Network;
use fsc_core::transport::{Address, Transport};
use fsc_core::value::{Array, Value};
use fsc_transport::TokioRuntime;
use fsc_transport::http::HttpTransport;
use futures_util::future::join_all;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_compute_that_clients_name_by_their_keys() {
    let nodes: Vec<Process> = (0..3).map(|_| Process::start(&identity(&key().0))).collect();
    let parties = parties(nodes.iter().map(named));
    for run in 0..3 {
        for sum in parties.sums(&format!("run {run}"), &[1.into(), 2.into(), 3.into()]).await {
            assert_eq!(sum.unwrap(), answer(3, Value::Float(6.0)));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_compute_that_operators_list() {
    let nodes = Listed::new(3, |_, _| Listing::default(), "");
    // By address, and by key alone.
    for nodes_named in [nodes.addresses(), nodes.ids()] {
        let clients = parties(nodes.addresses());
        let sums = (0..3).map(|place| {
            let network = Network { nodes: nodes_named.clone(), myself: place, uuid: "listed".to_owned() };
            clients.compute(place, network, [("data", Value::from(place))]).download()
        });
        for sum in soon(join_all(sums)).await {
            assert_eq!(sum.unwrap(), answer(3, Value::Float(3.0)));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_key_is_an_error_at_both_sides_at_once() {
    let nodes = Listed::new(2, |_, _| Listing::default(), "");
    let (_, other) = key();
    let clients = parties(nodes.addresses());
    let began = Instant::now();
    // The client of node 1 has an old id of node 0.
    let old: Address = format!("{}#{other}", nodes.processes[0].address).parse().unwrap();
    let right = Network { nodes: nodes.addresses(), myself: 0, uuid: "wrong".to_owned() };
    let wrong = Network { nodes: vec![old, nodes.addresses()[1].clone()], myself: 1, uuid: "wrong".to_owned() };
    let unlisted = failure(soon(clients.compute(1, wrong, [("data", 1.into())]).download()).await);
    assert_eq!(unlisted.code, 403);
    assert!(unlisted.message.contains(&other.to_string()) && unlisted.message.contains("[[nodes]]"), "{unlisted:?}");
    // The one of node 0 has one of node 1.
    let old: Address = format!("{}#{other}", nodes.processes[1].address).parse().unwrap();
    let wrong = Network { nodes: vec![right.nodes[0].clone(), old], ..right };
    assert_eq!(failure(soon(clients.compute(0, wrong, [("data", 1.into())]).download()).await).code, 403);
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_clients_have_wrong_is_an_error_at_both_sides_at_once() {
    let open = "[peers]\nonly_listed = false\n";
    let nodes = Listed::new(3, |_, _| Listing::default(), open);
    let clients = parties(nodes.addresses());
    let began = Instant::now();
    // The client of node 1 takes node 2 for party 0; node 0 begins.
    let [zero, one, two] = [0, 1, 2].map(|place| nodes.addresses()[place].clone());
    let waiting = clients.compute(0, network([&zero, &one], 0), [("data", 1.into())]).download();
    let waiting = tokio::spawn(async move { failure(waiting.await) });
    tokio::time::sleep(Duration::from_millis(200)).await;
    let mistaken = clients.compute(1, network([&two, &one], 1), [("data", 1.into())]).download();
    let mistaken = tokio::spawn(async move { failure(mistaken.await) });
    let told = soon(waiting).await.unwrap();
    assert_eq!((told.code, told.culprits), (409, vec![1]));
    let [zero_id, two_id] = [0, 2].map(|place| nodes.processes[place].id.unwrap().to_string());
    assert!(told.message.contains(&zero_id) && told.message.contains(&two_id), "{}", told.message);
    assert!(began.elapsed() < Duration::from_secs(5));
    mistaken.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_that_is_not_the_nodes_own_is_told_from_the_right_one() {
    let node = Process::start(&identity(&key().0));
    let (_, other) = key();
    let own: Address = format!("{}#{other}", node.address).parse().unwrap();
    let peer: Address = format!("http://127.0.0.1:9#{}", key().1).parse().unwrap();
    let clients = parties([node.address.clone()]);
    let wrong = clients.compute(0, network([&own, &peer], 0), [("data", 1.into())]).download();
    let failure = failure(soon(wrong).await);
    assert_eq!(failure.code, 400);
    assert!(failure.message.contains(&other.to_string()), "{}", failure.message);
    assert!(failure.message.contains(&node.id.unwrap().to_string()), "{}", failure.message);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_for_all_parties_or_none() {
    let node = Process::start(&identity(&key().0));
    let keyless = Process::start("");
    let clients = parties([node.address.clone(), keyless.address.clone()]);
    let (known, plain) = (named(&node), "http://127.0.0.1:9".parse().unwrap());
    let by_key: Address = format!("http://127.0.0.1:8#{}", key().1).parse().unwrap();
    let mixed = clients.compute(0, network([&known, &plain, &by_key], 0), [("data", 1.into())]).download();
    let mixed = failure(soon(mixed).await);
    assert!(mixed.code == 400 && mixed.message.contains("party 1 at http://127.0.0.1:9"), "{mixed:?}");
    let keyless = clients.compute(1, network([&known, &keyless.address], 1), [("data", 1.into())]).download();
    let keyless = failure(soon(keyless).await);
    assert!(keyless.code == 400 && keyless.message.contains("fsc keygen"), "{keyless:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_node_is_an_error_that_says_what_to_do() {
    let nodes = Listed::new(2, |_, _| Listing::default(), "[peers]\njoining_seconds = 2\n");
    // A stranger that knows both, and that neither knows.
    let (path, id) = key();
    let stranger = Process::start(&format!("{}[peers]\njoining_seconds = 2\n", identity(&path)));
    let peer = named(&nodes.processes[0]);
    let clients = parties([stranger.address.clone(), nodes.processes[0].address.clone()]);
    let asked = clients.compute(0, network([&named(&stranger), &peer], 0), [("data", 1.into())]).download();
    let refused = failure(soon(asked).await);
    assert!(refused.message.contains(&id.to_string()) && refused.message.contains("[[nodes]]"), "{refused:?}");
    let asked = clients.compute(1, network([&named(&stranger), &peer], 1), [("data", 1.into())]).download();
    let refused = failure(soon(asked).await);
    assert!(refused.message.contains(&id.to_string()) && refused.message.contains("[[nodes]]"), "{refused:?}");
}

/// Nodes 0 and 2 know one another by node 1 only.
fn in_a_row(from: usize, to: usize) -> Listing {
    match (from, to) {
        (1, _) => Listing { forward: true, ..Listing::default() },
        (0, 2) | (2, 0) => Listing { way: Way::Via(1), ..Listing::default() },
        _ => Listing::default(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_between_two_forwards() {
    let nodes = Listed::new(3, in_a_row, "");
    let clients = parties(nodes.addresses());
    for (function, data) in [("SecureSum", 1.into()), ("SecureMedian", numbers(2))] {
        let asked = (0..3).map(|place| {
            let network = Network { nodes: nodes.ids(), myself: place, uuid: function.to_owned() };
            let arguments = [("microprotocol", function.into()), ("data", data.clone())];
            clients.compute(place, network, arguments).download()
        });
        for result in soon(join_all(asked)).await {
            assert_eq!(result.unwrap().entry("inputs"), Some(&3.into()), "{function}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forwarder_that_dies_is_told_with_the_route() {
    let mut nodes = Listed::new(3, in_a_row, "");
    let clients = parties(nodes.addresses());
    let ids = nodes.ids();
    let matrix: Value = (0..100).map(|_| numbers(100)).collect::<Vec<_>>().into();
    // A product of nodes 0 and 2, which takes a while; node 1 only forwards.
    let asked = [0, 2].map(|place| {
        let network = Network { nodes: vec![ids[0].clone(), ids[2].clone()], myself: place / 2, uuid: "x".to_owned() };
        let arguments = [("microprotocol", "SecureMatrixMultiplication".into()), ("data", vec![matrix.clone()].into())];
        let asked = clients.compute(place, network, arguments).download();
        tokio::spawn(async move { failure(asked.await) })
    });
    tokio::time::sleep(Duration::from_millis(400)).await;
    nodes.processes[1].child.kill().unwrap();
    let killed = Instant::now();
    for failure in asked {
        let failure = soon(failure).await.unwrap();
        assert_eq!(failure.code, 503, "{failure:?}");
        let route = named(&nodes.processes[1]);
        assert!(failure.message.contains(route.as_str()), "{} does not name {route}", failure.message);
    }
    assert!(killed.elapsed() < Duration::from_secs(5), "took {:?}", killed.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_nobody_reaches_collects_its_mail() {
    let nodes = Listed::new(
        3,
        |from, to| match (from, to) {
            (1, 2) => Listing { way: Way::Collected, forward: true, collect: false },
            (2, 1) => Listing { collect: true, ..Listing::default() },
            _ => in_a_row(from, to),
        },
        "",
    );
    let clients = parties(nodes.addresses());
    for run in 0..3 {
        let asked = (0..3).map(|place| {
            let network = Network { nodes: nodes.ids(), myself: place, uuid: format!("collected {run}") };
            clients.compute(place, network, [("data", place.into())]).download()
        });
        for sum in soon(join_all(asked)).await {
            assert_eq!(sum.unwrap(), answer(3, Value::Float(3.0)));
        }
    }
}

/// How a node lists another one.
struct Listing {
    way: Way,
    forward: bool,
    collect: bool,
}

enum Way {
    At,
    Via(usize),
    Collected,
}

impl Default for Listing {
    fn default() -> Self {
        Self { way: Way::At, forward: false, collect: false }
    }
}

/// Nodes that list one another.
struct Listed {
    processes: Vec<Process>,
}

impl Listed {
    /// So many nodes, which list one another as `listing(from, to)` says, and have `more` in their configurations.
    fn new(number: usize, listing: impl Fn(usize, usize) -> Listing, more: &str) -> Self {
        let keys: Vec<_> = (0..number).map(|_| key()).collect();
        let listens: Vec<_> = (0..number).map(|_| format!("127.0.0.1:{}", free_port())).collect();
        let config = |from: usize| {
            let mut config = identity(&keys[from].0) + more;
            for to in (0..number).filter(|to| *to != from) {
                let Listing { way, forward, collect } = listing(from, to);
                let way = match way {
                    Way::At => format!("address = \"http://{}\"", listens[to]),
                    Way::Via(forwarder) => format!("via = \"{}\"", keys[forwarder].1),
                    Way::Collected => String::new(),
                };
                let id = keys[to].1;
                let _ = write!(config, "[[nodes]]\nid = \"{id}\"\n{way}\nforward = {forward}\ncollect = {collect}\n");
            }
            config
        };
        let processes = (0..number).map(|place| Process::start_at(&listens[place], &config(place))).collect();
        Self { processes }
    }

    fn addresses(&self) -> Vec<Address> {
        self.processes.iter().map(|node| node.address.clone()).collect()
    }

    fn ids(&self) -> Vec<Address> {
        self.processes.iter().map(|node| Address::of(node.id.unwrap())).collect()
    }
}

fn numbers(many: u32) -> Value {
    Value::Array(Array::from_f64((0..many).map(f64::from).collect()).unwrap())
}

fn network<const N: usize>(nodes: [&Address; N], myself: usize) -> Network {
    Network { nodes: nodes.map(Clone::clone).to_vec(), myself, uuid: "keys".to_owned() }
}

fn identity(key: &Path) -> String {
    format!("[identity]\nkey = {:?}\n", key.display().to_string())
}

fn named(node: &Process) -> Address {
    format!("{}#{}", node.address, node.id.unwrap()).parse().unwrap()
}

fn parties(addresses: impl IntoIterator<Item = Address>) -> Parties {
    let transport: Arc<dyn Transport> = Arc::new(HttpTransport::default());
    let runtime: Arc<dyn Runtime> = Arc::new(TokioRuntime::new());
    Parties::new(&transport, &runtime, addresses)
}
