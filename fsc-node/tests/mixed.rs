//! A federation of mixed links, as separate processes: node 0 has nothing but a serial line to node 1, which has HTTP to node 2, and
//! forwards what nodes 0 and 2 say to one another.
#![allow(clippy::unwrap_used)] // tests may panic, and so may what they are made of

mod common;

use std::fs;
use std::os::fd::{AsFd, AsRawFd};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use common::process::{Process, free_port, key};
use common::{Parties, failure, soon};
use fsc_core::clock::Runtime;
use fsc_core::runs::Network;
use fsc_core::transport::{Address, Transport};
use fsc_core::value::{Limits, Value, json};
use fsc_transport::TokioRuntime;
use fsc_transport::http::HttpTransport;
use futures_util::future::join_all;
use serial2::SerialPort;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_functions_give_the_right_results() {
    let federation = Mixed::start();
    let recorded = fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/clients/reference/functions.json")).unwrap();
    let Value::Map(recorded) = json::parse(&recorded, &Limits::default()).unwrap() else { panic!("a map") };
    assert_eq!(recorded.len(), 10);
    for (function, run) in recorded {
        let inputs = list(run.entry("inputs_by_party").unwrap());
        let expected = list(run.entry("results_by_party").unwrap());
        // Two parties are the ones that can't reach one another.
        let places = if inputs.len() == 2 { vec![0, 2] } else { vec![0, 1, 2] };
        let results = federation.compute(&function, &places, inputs).await;
        for ((place, got), expected) in places.iter().zip(results).zip(expected) {
            assert_meets(&got, &expected, &format!("{function} at node {place}"));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_line_shows_nothing_of_what_is_said() {
    let federation = Mixed::start();
    let inputs = vec![Value::from("a secret key"), "another secret".into(), "a secret key".into()];
    let inputs = inputs.into_iter().map(|key| vec![key].into()).collect();
    federation.compute("StatisticsFrequency", &[0, 1, 2], inputs).await;
    let heard = federation.heard.lock().unwrap();
    assert!(heard.len() > 1000, "the line was used");
    // What hellos say in plain words, and what keys say in the end.
    for word in ["StatisticsFrequency", "parties", "nonce", "secret"] {
        assert!(!heard.windows(word.len()).any(|window| window == word.as_bytes()), "{word} can be read on the line");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_death_of_the_node_between_is_told_with_the_route() {
    let mut federation = Mixed::start();
    let row = || Value::List((0..100).map(Value::from).collect());
    let matrix = || Value::List(vec![(0..100).map(|_| row()).collect::<Vec<_>>().into()]);
    let asked = [0, 2].map(|place| {
        let asked = federation.ask("SecureMatrixMultiplication", &[0, 2], place, matrix());
        tokio::spawn(async move { failure(asked.await) })
    });
    tokio::time::sleep(Duration::from_millis(600)).await;
    federation.nodes[1].child.kill().unwrap();
    let killed = Instant::now();
    let [at_zero, at_two] = asked.map(soon);
    let (at_zero, at_two) = (at_zero.await.unwrap(), at_two.await.unwrap());
    let id = federation.nodes[1].id.unwrap();
    let by_line = format!("{}#{id}", federation.line);
    let by_http = format!("{}#{id}", federation.nodes[1].address);
    assert!(at_zero.code == 503 && at_zero.message.contains(&by_line), "{} does not name {by_line}", at_zero.message);
    assert!(at_two.code == 503 && at_two.message.contains(&by_http), "{} does not name {by_http}", at_two.message);
    assert!(killed.elapsed() < Duration::from_secs(45), "took {:?}", killed.elapsed());
}

/// Three nodes in a row.
struct Mixed {
    nodes: Vec<Process>,
    clients: Parties,
    /// The address of the line at node 0.
    line: String,
    /// All bytes that went over the line, both ways.
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Mixed {
    fn start() -> Self {
        let keys: Vec<_> = (0..3).map(|_| key()).collect();
        let listens: Vec<_> = (0..3).map(|_| format!("127.0.0.1:{}", free_port())).collect();
        let (heard, lines) = tapped_line();
        let listed = |at: usize, way: &str| format!("[[nodes]]\nid = \"{}\"\nforward = true\n{way}\n", keys[at].1);
        let by_one = format!("via = \"{}\"", keys[1].1);
        let [line_at_zero, line_at_one] = lines.map(|path| format!("serial:{}?baud=4000000", path.display()));
        let at = |address: &str| format!("address = {address:?}");
        let ways = [
            listed(1, &at(&line_at_zero)) + &listed(2, &by_one),
            listed(0, &at(&line_at_one)) + &listed(2, &at(&format!("http://{}", listens[2]))),
            listed(1, &at(&format!("http://{}", listens[1]))) + &listed(0, &by_one),
        ];
        let nodes: Vec<_> = (0..3)
            .map(|place| {
                let identity = format!("[identity]\nkey = {:?}\n", keys[place].0.display().to_string());
                Process::start_at(&listens[place], &(identity + &ways[place]))
            })
            .collect();
        let transport: Arc<dyn Transport> = Arc::new(HttpTransport::default());
        let runtime: Arc<dyn Runtime> = Arc::new(TokioRuntime::new());
        let clients = Parties::new(&transport, &runtime, nodes.iter().map(|node| node.address.clone()));
        Self { nodes, clients, line: line_at_zero, heard }
    }

    fn ask(
        &self,
        function: &str,
        places: &[usize],
        me: usize,
        data: Value,
    ) -> impl Future<Output = Result<Value, fsc_core::representation::ApiError>> + use<> {
        let nodes = places.iter().map(|place| Address::of(self.nodes[*place].id.unwrap())).collect();
        let myself = places.iter().position(|place| *place == me).unwrap();
        let network = Network { nodes, myself, uuid: format!("mixed {function}") };
        self.clients.compute(me, network, [("microprotocol", function.into()), ("data", data)]).download()
    }

    async fn compute(&self, function: &str, places: &[usize], inputs: Vec<Value>) -> Vec<Value> {
        let asked = places.iter().zip(inputs).map(|(place, data)| self.ask(function, places, *place, data));
        let results = soon(join_all(asked)).await;
        results.into_iter().map(|result| result.unwrap_or_else(|error| panic!("{function}: {error}"))).collect()
    }
}

/// Two ports whose bytes are passed on from one to the other, and heard.
fn tapped_line() -> (Arc<Mutex<Vec<u8>>>, [PathBuf; 2]) {
    let heard: Arc<Mutex<Vec<u8>>> = Arc::default();
    let [(one, first), (other, second)] = [terminal(), terminal()];
    for (from, to) in [(&one, &other), (&other, &one)] {
        let (from, to, heard) = (from.try_clone().unwrap(), to.try_clone().unwrap(), Arc::clone(&heard));
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            // Ends when the test does: then the other end has been closed.
            while let Ok(read) = from.read(&mut bytes) {
                heard.lock().unwrap().extend_from_slice(&bytes[..read]);
                if to.write_all(&bytes[..read]).is_err() {
                    return;
                }
            }
        });
    }
    (heard, [first, second])
}

/// One end of a pseudo-terminal, and the path of the other.
fn terminal() -> (SerialPort, PathBuf) {
    let (mut end, port) = SerialPort::pair().unwrap();
    end.set_read_timeout(Duration::from_mins(5)).unwrap();
    let path = fs::read_link(format!("/proc/self/fd/{}", port.as_fd().as_raw_fd())).unwrap();
    // The port exists as long as somebody has it open.
    Box::leak(Box::new(port));
    (end, path)
}

fn list(value: &Value) -> Vec<Value> {
    match value {
        Value::List(list) => list.clone(),
        Value::Array(array) => array.iter().collect(),
        other => panic!("no list: {other:?}"),
    }
}

/// What is in a list, and in lists in it.
fn flat(value: &Value) -> Vec<Value> {
    match value {
        Value::List(_) | Value::Array(_) => list(value).iter().flat_map(flat).collect(),
        other => vec![other.clone()],
    }
}

/// The result has all that is expected: numbers to nine digits, everything else to the letter.
fn assert_meets(got: &Value, expected: &Value, at: &str) {
    match expected {
        Value::Map(entries) => {
            for (name, expected) in entries {
                let got = got.entry(name).unwrap_or_else(|| panic!("{at} lacks {name}"));
                assert_meets(got, expected, &format!("{at}.{name}"));
            }
        }
        Value::List(_) | Value::Array(_) => {
            let (got, expected) = (flat(got), flat(expected));
            assert_eq!(got.len(), expected.len(), "{at}");
            got.iter().zip(&expected).for_each(|(got, expected)| assert_meets(got, expected, at));
        }
        _ => match (got.as_f64(), expected.as_f64()) {
            (Some(got), Some(expected)) => {
                assert!((got - expected).abs() <= 1e-9 * expected.abs().max(1e-3), "{at}: {got}, not {expected}");
            }
            _ => assert_eq!(got, expected, "{at}"),
        },
    }
}
