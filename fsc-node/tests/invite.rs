//! Invitations, as people see them: `fsc invite` and `fsc join` beside running nodes.
#![allow(clippy::unwrap_used)] // tests may panic, and so may what they are made of

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use common::process::{Dialogue, Process, free_port, key, written};
use common::{Parties, answer, soon};
use data_encoding::BASE32_NOPAD_NOCASE;
use fsc_core::clock::Runtime;
use fsc_core::runs::Network;
use fsc_core::transport::{Address, Transport, TransportError};
use fsc_core::value::Value;
use fsc_transport::TokioRuntime;
use fsc_transport::http::HttpTransport;
use fsc_transport::seal::invite::Code;
use futures_util::future::join_all;

/// A node that knows nobody yet.
struct Stranger {
    config: PathBuf,
    key: PathBuf,
    listen: String,
    process: Option<Process>,
}

impl Stranger {
    fn new() -> Self {
        let ((key, _), listen) = (key(), format!("127.0.0.1:{}", free_port()));
        let config = written(&format!("listen = \"{listen}\"\n[identity]\nkey = {:?}\n", key.display().to_string()));
        Self { config, key, listen, process: None }
    }

    fn running() -> Self {
        let node = Self::new();
        Self { process: Some(Process::start_by(&node.listen, &node.config)), ..node }
    }

    fn address(&self) -> String {
        format!("http://{}", self.listen)
    }

    fn invite(&self) -> (Dialogue, String) {
        let invite = Dialogue::start(["invite", "--config", &text(&self.config)]);
        let code = invite.line("    ");
        (invite, code)
    }

    fn join(&self, code: &str, address: Option<String>) -> Dialogue {
        let arguments = ["join", code, "--config", &text(&self.config)].map(str::to_owned);
        Dialogue::start(arguments.into_iter().chain(address.into_iter().flat_map(|at| ["--address".to_owned(), at])))
    }

    /// What the node's processes share.
    fn annex(&self) -> PathBuf {
        format!("{}.d", self.key.display()).into()
    }

    fn nodes(&self) -> String {
        fs::read_to_string(self.annex().join("nodes.toml")).unwrap_or_default()
    }

    fn id(&self) -> String {
        self.process.as_ref().unwrap().id.unwrap().to_string()
    }

    /// The files of its invitations.
    fn invitations(&self) -> Vec<PathBuf> {
        let files = fs::read_dir(self.annex().join("invitations")).unwrap();
        files.map(|file| file.unwrap().path()).collect()
    }

    fn keeps_no_key(&self) -> bool {
        self.invitations().iter().all(|file| !fs::read_to_string(file).unwrap().contains("psk"))
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// Joins, with what the people at both sides say.
fn joined(host: &Stranger, guest: &Stranger, address: Option<String>, says: [&str; 2]) -> [(bool, String); 2] {
    let (mut invite, code) = host.invite();
    let mut join = guest.join(&code, address);
    let words = [invite.line("words: "), join.line("words: ")];
    assert_eq!(words[0], words[1]);
    assert_eq!(words[0].split(' ').count(), 4);
    invite.answer(says[0]);
    join.answer(says[1]);
    assert!(host.keeps_no_key());
    [invite.end(), join.end()]
}

/// Nodes that have joined compute with each other, by their keys.
async fn compute(host: &Stranger, guest: &Stranger, uuid: &str) {
    // The running nodes notice.
    tokio::time::sleep(Duration::from_millis(2500)).await;
    let processes = [host, guest].map(|node| node.process.as_ref().unwrap());
    let transport: Arc<dyn Transport> = Arc::new(HttpTransport::default());
    let runtime: Arc<dyn Runtime> = Arc::new(TokioRuntime::new());
    let clients = Parties::new(&transport, &runtime, processes.map(|node| node.address.clone()));
    let nodes = processes.map(|node| Address::of(node.id.unwrap())).to_vec();
    let sums = (0..2).map(|place| {
        let network = Network { nodes: nodes.clone(), myself: place, uuid: uuid.to_owned() };
        clients.compute(place, network, [("data", Value::from(place + 1))]).download()
    });
    for sum in soon(join_all(sums)).await {
        assert_eq!(sum.unwrap(), answer(2, Value::Float(3.0)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_have_joined_compute_without_a_restart() {
    let (host, guest) = (Stranger::running(), Stranger::running());
    for (success, errors) in joined(&host, &guest, Some(guest.address()), ["y", "y"]) {
        assert!(success, "{errors}");
    }
    assert!(host.nodes().contains(&guest.id()) && host.nodes().contains(&guest.address()), "{}", host.nodes());
    assert!(guest.nodes().contains(&host.id()) && guest.nodes().contains("collect = false"), "{}", guest.nodes());
    compute(&host, &guest, "joined").await;
    // And with one.
    let Stranger { config, key, listen, process } = guest;
    drop(process);
    let process = Some(Process::start_by(&listen, &config));
    compute(&host, &Stranger { config, key, listen, process }, "joined again").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_without_an_address_collects_its_mail_where_it_has_joined() {
    let (host, guest) = (Stranger::running(), Stranger::running());
    for (success, errors) in joined(&host, &guest, None, ["y", "yes"]) {
        assert!(success, "{errors}");
    }
    assert!(host.nodes().contains(&guest.id()) && !host.nodes().contains("address"), "{}", host.nodes());
    assert!(guest.nodes().contains("collect = true"), "{}", guest.nodes());
    compute(&host, &guest, "joined").await;
}

#[test]
fn who_says_no_at_either_side_lists_nobody_at_both() {
    let (host, guest) = (Stranger::running(), Stranger::running());
    for says in [["n", "y"], ["y", "n"], ["y", ""]] {
        for (success, errors) in joined(&host, &guest, None, says) {
            assert!(!success && errors.contains("nobody is listed"), "{says:?}: {errors}");
        }
        assert_eq!((host.nodes(), guest.nodes()), (String::new(), String::new()), "{says:?}");
    }
}

#[test]
fn a_code_is_used_once() {
    let (host, guest, late) = (Stranger::running(), Stranger::new(), Stranger::new());
    let (mut invite, code) = host.invite();
    let mut join = guest.join(&code, None);
    join.line("words: ");
    let (success, errors) = late.join(&code, None).end();
    assert!(!success && errors.contains("ask for another one"), "{errors}");
    join.answer("y");
    invite.answer("y");
    assert!(join.end().0 && invite.end().0);
    let (success, errors) = late.join(&code, None).end();
    assert!(!success && errors.contains("ask for another one"), "{errors}");
    assert_eq!(late.nodes(), "");
}

#[test]
fn a_wrong_token_is_refused_and_the_right_one_still_counts() {
    let (host, guest) = (Stranger::running(), Stranger::new());
    let (mut invite, code) = host.invite();
    let wrong = Code::draw(&host.address().parse().unwrap()).unwrap().to_string();
    let (success, errors) = guest.join(&wrong, None).end();
    assert!(!success && errors.contains("no such invitation is open here"), "{errors}");
    let slip = if code.ends_with('a') { "b" } else { "a" };
    let (success, errors) = guest.join(&format!("{}{slip}", &code[..code.len() - 1]), None).end();
    assert!(!success && errors.contains("slip"), "{errors}");
    let mut join = guest.join(&code, None);
    assert_eq!(join.line("words: "), invite.line("words: "));
    join.answer("y");
    invite.answer("y");
    assert!(join.end().0 && invite.end().0);
}

#[test]
fn an_expired_code_is_refused() {
    let (host, guest) = (Stranger::running(), Stranger::new());
    let (invite, code) = host.invite();
    let [file] = &host.invitations()[..] else { panic!("one invitation") };
    let open = fs::read_to_string(file).unwrap();
    let (psk, _) = open.split_once("expires").unwrap();
    fs::write(file, format!("{psk}expires = 1\n")).unwrap();
    let (success, errors) = guest.join(&code, None).end();
    assert!(!success && errors.contains("has expired"), "{errors}");
    let (success, errors) = invite.end();
    assert!(!success && errors.contains("expired"), "{errors}");
    assert!(host.invitations().is_empty());
}

#[tokio::test]
async fn five_wrong_attempts_void_a_code_and_both_sides_are_told() {
    let (host, guest) = (Stranger::running(), Stranger::new());
    let (invite, code) = host.invite();
    let lookup = code.parse::<Code>().ok().unwrap().lookup().to_string();
    let lookup = BASE32_NOPAD_NOCASE.decode(lookup.as_bytes()).unwrap();
    let attempt: Bytes = [&[2, 4, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0][..], &lookup, &[9; 48]].concat().into();
    let carrier = HttpTransport::default();
    for _ in 0..5 {
        let refused = carrier.collect(&host.address().parse().unwrap(), attempt.clone()).await.unwrap_err();
        assert!(matches!(refused, TransportError::Refused { failure, .. } if failure.code == 403));
    }
    let (success, errors) = invite.end();
    assert!(!success && errors.contains("void"), "{errors}");
    let (success, errors) = guest.join(&code, None).end();
    assert!(!success && errors.contains("tried too often"), "{errors}");
    assert!(host.keeps_no_key());
}

#[test]
fn who_asks_no_questions_gets_no_prompt() {
    let (host, guest) = (Stranger::running(), Stranger::new());
    let invite = Dialogue::start(["invite", "--yes", "--config", &text(&host.config)]);
    let code = invite.line("    ");
    let join = Dialogue::start(["join", &code, "--yes", "--config", &text(&guest.config)]);
    assert!(join.end().0 && invite.end().0);
    assert!(guest.nodes().contains(&host.id()));
}

#[test]
fn what_is_missing_is_told_before_anything_is_sent() {
    let stopped = Stranger::new();
    let (success, errors) = Dialogue::start(["invite", "--config", &text(&stopped.config)]).end();
    assert!(!success && errors.contains("fsc serve"), "{errors}");
    let keyless = text(&written("listen = \"127.0.0.1:1\"\n"));
    for command in [vec!["invite", "--config", &keyless], vec!["join", "a:1/x", "--config", &keyless]] {
        let (success, errors) = Dialogue::start(command).end();
        assert!(!success && errors.contains("fsc keygen"), "{errors}");
    }
    let (success, errors) = stopped.join("a:1/abcd", None).end();
    assert!(!success && errors.contains("expected something like"), "{errors}");
}
