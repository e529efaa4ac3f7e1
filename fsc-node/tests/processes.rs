//! Nodes as processes: what holds when they are many, die, fall silent, stop, and are never tidied up after.
#![allow(clippy::unwrap_used)] // tests may panic, and so may what they are made of

mod common;

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::process::Process;
use common::{Parties, Task, answer, eventually, failure, soon};
use fsc_core::bus::{Request, Step};
use fsc_core::clock::Runtime;
use fsc_core::transport::{Answer, Transport};
use fsc_core::value::{Arguments, Value};
use fsc_transport::TokioRuntime;
use fsc_transport::http::{ClientConfig, HttpTransport};
use futures_util::future::join_all;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_hundred_computations_at_once_all_end_well() {
    let (_nodes, parties) = federation("");
    let sums = (0..300).map(|number| {
        let parties = &parties;
        async move { (number, parties.sums(&format!("run {number}"), &[1.into(), 2.into(), number.into()]).await) }
    });
    for (number, results) in join_all(sums).await {
        for result in results {
            assert_eq!(result.unwrap(), answer(3, Value::Float(f64::from(number) + 3.0)), "run {number}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_node_is_named_at_once() {
    let (mut nodes, parties) = federation("");
    let waiting = run_without_party_2(&nodes, &parties).await;
    nodes[2].child.kill().unwrap();
    let killed = Instant::now();
    for outcome in join_all(waiting.iter().map(Task::outcome)).await {
        let failure = failure(outcome);
        assert_eq!((failure.code, failure.culprits), (503, vec![2]), "{}", failure.message);
        assert!(failure.message.contains("party 2 is gone"), "{}", failure.message);
    }
    assert!(killed.elapsed() < Duration::from_millis(500), "took {:?}", killed.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_node_is_named_after_the_deadline() {
    let (nodes, parties) = federation("[peers]\nsilence_seconds = 2");
    let began = Instant::now();
    let waiting = run_without_party_2(&nodes, &parties).await;
    let silent = Instant::now();
    for outcome in join_all(waiting.iter().map(Task::outcome)).await {
        let failure = failure(outcome);
        assert_eq!((failure.code, failure.culprits), (504, vec![2]), "{}", failure.message);
        assert!(failure.message.contains("no message from party 2 for 2 s"), "{}", failure.message);
    }
    assert!(began.elapsed() >= Duration::from_secs(2), "took {:?}", began.elapsed());
    assert!(silent.elapsed() < Duration::from_secs(3), "took {:?}", silent.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_told_to_stop_says_so_to_those_who_wait() {
    let (mut nodes, parties) = federation("");
    let task = parties.begin(0, "stopped", 1).await;
    let waiting = parties.sum(1, "stopped", 1).download();
    let waiting = tokio::spawn(async move { failure(waiting.await) });
    task.waits_for("joining", &[2]).await;

    let told = Instant::now();
    nodes[1].signal("TERM");
    let failure = soon(waiting).await.unwrap();
    assert_eq!((failure.code, failure.message.as_str()), (409, "cancelled"));
    // The peer hears it from the node, or notices that the node is gone, whichever is first.
    let peer = common::failure(task.outcome().await);
    assert!(peer.message.starts_with("party 1 "), "{}", peer.message);
    let status = eventually(async || nodes[1].child.try_wait().unwrap()).await;
    assert!(status.success(), "{status}");
    assert!(told.elapsed() < Duration::from_secs(3), "took {:?}", told.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handles_that_nobody_releases_do_not_pile_up() {
    const CYCLES: usize = 20_000;
    let node = Process::start("[limits]\nhandles = 1000");
    let transport = HttpTransport::default();
    let cycle = || {
        Request::Chain(vec![
            Step::Create([("microservice".to_owned(), "KeyValueStorage".into())].into()),
            Step::Attribute("create".to_owned()),
            Step::Call(Arguments { args: vec!["a storage".into()], ..Arguments::default() }),
        ])
    };
    let cycles = |number: usize| {
        let (transport, node) = (&transport, &node);
        join_all((0..8).map(move |_| async move {
            for _ in 0..number / 8 {
                let answer = soon(transport.request(&node.address, cycle())).await.unwrap();
                assert!(matches!(answer, Answer::Handle(_)));
            }
        }))
    };
    cycles(CYCLES / 4).await;
    let before = node.resident_bytes();
    cycles(CYCLES).await;
    let grown = node.resident_bytes().saturating_sub(before);
    // A handle that stayed would take some hundred bytes.
    assert!(grown < CYCLES * 50, "grew by {grown} bytes in {CYCLES} cycles");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dealer_is_refused_unless_the_operator_allows_one() {
    let median = |parties: &Parties, place: usize, preprocessing: Value| {
        let arguments = [
            ("microprotocol", "SecureMedian".into()),
            ("data", Value::from(place)),
            ("parameters", Value::map([("preprocessing", preprocessing)])),
        ];
        parties.compute(place, parties.network(place, "median"), arguments).download()
    };
    let dealer = || Value::map([("dealer", 0)]);
    let (_nodes, parties) = federation("");
    let refusal = failure(soon(median(&parties, 1, dealer())).await);
    assert_eq!(refusal.code, 403);
    assert!(refusal.message.contains("does not compute with a dealer"), "{}", refusal.message);
    let (_nodes, allowing) = federation("[policy]\ndealer = true");
    for (parties, preprocessing) in [(&parties, "oblivious".into()), (&allowing, dealer())] {
        let medians = (0..3).map(|place| median(parties, place, preprocessing.clone()));
        for result in soon(join_all(medians)).await {
            let result = result.unwrap();
            let found = result.entry("result").and_then(|result| result.entry("median")).and_then(Value::as_f64);
            assert_eq!(found, Some(1.0));
        }
    }
}

#[test]
fn a_client_can_be_plain_curl() {
    if Command::new("curl").arg("--version").output().is_err() {
        return;
    }
    let node = Process::start("");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/client.sh");
    let output = Command::new("sh").arg(script).arg(node.address.as_str()).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
    let mut lines = printed.lines().skip(1);
    assert!(lines.next().unwrap().contains(r#""microservice":"KeyValueStorage""#), "{printed}");
    let rest: Vec<&str> = lines.collect();
    let [downloaded, again] = [r#"{"type":"object","object":[1,2.5,3]}"#, r#"{"type":"object","object":"hello"}"#];
    assert_eq!(rest, ["Downloaded:", downloaded, "The same in one round trip:", again]);
}

/// Brings three parties to where all have joined and everything waits for party 2, which is frozen. Answers the tasks
/// of the other two.
async fn run_without_party_2(nodes: &[Process], parties: &Parties) -> [Task; 2] {
    // Party 2 lacks a hello when it is frozen, so it can't have sent its share; the others have its hello.
    let _frozen = parties.begin(2, "frozen", 1).await;
    let first = parties.begin(0, "frozen", 1).await;
    first.waits_for("joining", &[1]).await;
    nodes[2].signal("STOP");
    let second = parties.begin(1, "frozen", 1).await;
    first.waits_for("running", &[2]).await;
    second.waits_for("running", &[2]).await;
    [first, second]
}

/// Three nodes of that configuration, and clients that can have hundreds of requests under way.
fn federation(config: &str) -> (Vec<Process>, Parties) {
    let nodes: Vec<Process> = (0..3).map(|_| Process::start(config)).collect();
    let client = ClientConfig { connections: 400, ..ClientConfig::default() };
    let transport: Arc<dyn Transport> = Arc::new(HttpTransport::new(client));
    let runtime: Arc<dyn Runtime> = Arc::new(TokioRuntime::new());
    let parties = Parties::new(&transport, &runtime, nodes.iter().map(|node| node.address.clone()));
    (nodes, parties)
}
