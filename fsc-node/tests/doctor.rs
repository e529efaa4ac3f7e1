//! `fsc doctor` beside nodes that run, and what it says when they do not as they should.
#![allow(clippy::unwrap_used)] // tests may panic, and so may what they are made of

mod common;

use std::fmt::Write;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::process::{Process, free_port, key, written};
use fsc_core::identity::NodeId;

/// A node that may run.
struct Patient {
    key: PathBuf,
    id: NodeId,
    listen: String,
    config: PathBuf,
    process: Option<Process>,
}

impl Patient {
    /// So many nodes, which list one another as `way(from, to)` says, and do not run yet.
    fn all(number: usize, way: impl Fn(usize, usize, &[Self]) -> String) -> Vec<Self> {
        let mut all: Vec<Self> = (0..number).map(|_| Self::alone()).collect();
        for from in 0..number {
            let mut config = all[from].base();
            for to in (0..number).filter(|to| *to != from) {
                let _ = write!(config, "[[nodes]]\nid = \"{}\"\n{}\n", all[to].id, way(from, to, &all));
            }
            all[from].config = written(&config);
        }
        all
    }

    fn alone() -> Self {
        let ((key, id), listen) = (key(), format!("127.0.0.1:{}", free_port()));
        let mut node = Self { key, id, listen, config: PathBuf::new(), process: None };
        node.config = written(&node.base());
        node
    }

    fn base(&self) -> String {
        format!("listen = \"{}\"\n[identity]\nkey = {:?}\n", self.listen, self.key.display().to_string())
    }

    fn start(&mut self) {
        self.process = Some(Process::start_by(&self.listen, &self.config));
    }

    /// What the doctor says of it.
    fn findings(&self) -> Findings {
        Findings::of(&self.config)
    }
}

/// What the doctor has said.
struct Findings {
    is_well: bool,
    lines: Vec<String>,
}

impl Findings {
    fn of(config: &Path) -> Self {
        let done = Command::new(env!("CARGO_BIN_EXE_fsc")).args(["doctor", "--config"]).arg(config).output().unwrap();
        let lines: Vec<String> = String::from_utf8(done.stdout).unwrap().lines().map(str::to_owned).collect();
        assert!(lines.iter().all(|line| line.starts_with("ok   ") || line.starts_with("fix  ")), "{lines:#?}");
        Self { is_well: done.status.success(), lines }
    }

    /// All is well, and the lines say this, too.
    fn are_well_and_say(&self, what: &[&str]) {
        assert!(self.is_well && !self.lines.iter().any(|line| line.starts_with("fix")), "{:#?}", self.lines);
        self.say("ok", what);
    }

    /// One thing is to be fixed, and its line says all this.
    fn want_fixed(&self, what: &[&str]) {
        let fixes: Vec<_> = self.lines.iter().filter(|line| line.starts_with("fix")).collect();
        assert!(!self.is_well && fixes.len() == 1, "{:#?}", self.lines);
        for what in what {
            assert!(fixes[0].contains(what), "{what} is not in {:#?}", self.lines);
        }
    }

    fn say(&self, which: &str, what: &[&str]) {
        for what in what {
            let said = self.lines.iter().any(|line| line.starts_with(which) && line.contains(what));
            assert!(said, "{what} is not in {:#?}", self.lines);
        }
    }
}

fn at(to: &Patient) -> String {
    format!("address = \"http://{}\"", to.listen)
}

fn two() -> Vec<Patient> {
    Patient::all(2, |_, to, all| at(&all[to]))
}

#[test]
fn all_is_well_between_nodes_that_know_each_other() {
    let mut nodes = two();
    nodes.iter_mut().for_each(Patient::start);
    nodes[0].findings().are_well_and_say(&[
        "this is node",
        "this node runs at",
        "its address is that of 127.0.0.1",
        "answers in",
        "has that key and knows this node",
        "its clock and this one are 0.",
        "reaches this node in",
    ]);
    // Nor does asking disturb them.
    nodes[0].findings().are_well_and_say(&[]);
    nodes[1].findings().are_well_and_say(&["reaches this node in"]);
}

#[test]
fn a_node_that_does_not_run_is_told_to_start() {
    let mut nodes = two();
    nodes[1].start();
    nodes[0].findings().are_well_and_say(&["is free", "fsc serve", "has that key", "start this node, and ask again"]);
}

#[test]
fn a_peer_that_is_down_is_to_be_fixed() {
    let mut nodes = two();
    nodes[0].start();
    nodes[0].findings().want_fixed(&[&nodes[1].id.to_string(), &nodes[1].listen, "no node answers"]);
}

#[test]
fn a_wrong_key_is_to_be_fixed() {
    let mut nodes = two();
    nodes[1].start();
    let (_, other) = key();
    let mistaken = written(&format!("{}[[nodes]]\nid = \"{other}\"\n{}\n", nodes[0].base(), at(&nodes[1])));
    Findings::of(&mistaken).want_fixed(&["another key", &other.to_string(), &nodes[1].id.to_string()]);
}

#[test]
fn a_peer_that_does_not_know_this_node_is_to_be_fixed_there() {
    let mut stranger = Patient::alone();
    let mut nodes = two();
    nodes[1].start();
    stranger.config = written(&format!("{}[[nodes]]\nid = \"{}\"\n{}\n", stranger.base(), nodes[1].id, at(&nodes[1])));
    stranger.start();
    stranger.findings().want_fixed(&["does not know node", &stranger.id.to_string(), "[[nodes]]"]);
}

#[test]
fn a_peer_without_a_key_is_to_be_fixed_there() {
    let nodes = two();
    let _keyless = Process::start_at(&nodes[1].listen, "");
    nodes[0].findings().want_fixed(&[&nodes[1].id.to_string(), "give it a key"]);
}

#[test]
fn a_peer_that_has_a_wrong_address_of_this_node_is_to_be_fixed_there() {
    let mut nodes = Patient::all(2, |from, to, all| match from {
        0 => at(&all[to]),
        _ => format!("address = \"http://127.0.0.1:{}\"", free_port()),
    });
    nodes.iter_mut().for_each(Patient::start);
    nodes[0].findings().want_fixed(&["does not reach this node", "correct what is listed there"]);
}

#[test]
fn a_taken_port_is_to_be_fixed() {
    let node = Patient::alone();
    let silent = TcpListener::bind(&node.listen).unwrap();
    node.findings().want_fixed(&["something else", &node.listen]);
    drop(silent);
    // By another node.
    let other = Patient::alone();
    let other_there = Process::start_by(&node.listen, &other.config);
    node.findings().want_fixed(&["another node runs", &node.listen, &other.id.to_string()]);
    drop(other_there);
}

#[test]
fn an_exposed_and_a_missing_key_are_to_be_fixed() {
    let node = Patient::alone();
    fs::set_permissions(&node.key, fs::Permissions::from_mode(0o644)).unwrap();
    node.findings().want_fixed(&["chmod 600"]);
    fs::remove_file(&node.key).unwrap();
    node.findings().want_fixed(&["fsc keygen"]);
}

#[test]
fn what_is_no_configuration_is_to_be_fixed() {
    Findings::of(&written("listne = 1\n")).want_fixed(&["configuration", "listne"]);
    let node = Patient::alone();
    let mistyped = written(&format!("{}[[nodes]]\nid = \"x\"\n", node.base()));
    Findings::of(&mistyped).want_fixed(&["not a node's id"]);
    let nowhere =
        written(&format!("{}[[nodes]]\nid = \"{}\"\naddress = \"http://nowhere.invalid\"\n", node.base(), key().1));
    Findings::of(&nowhere).want_fixed(&["can't be resolved"]);
}

/// Nodes 0 and 2 know one another by node 1.
fn in_a_row(forward: bool) -> Vec<Patient> {
    Patient::all(3, |from, to, all| match (from, to) {
        (1, _) => format!("{}\nforward = {forward}", at(&all[to])),
        (0, 2) | (2, 0) => format!("via = \"{}\"", all[1].id),
        _ => at(&all[to]),
    })
}

#[test]
fn a_peer_behind_a_forwarder_is_asked_through_it() {
    let mut nodes = in_a_row(true);
    nodes.iter_mut().for_each(Patient::start);
    let by = format!("node {} by node {}", nodes[2].id, nodes[1].id);
    let findings = nodes[0].findings();
    findings.are_well_and_say(&["forwards between the two", "has that key, knows this node, and answers in"]);
    findings.say("ok", &[&by]);
    nodes[2].process = None;
    nodes[0].findings().want_fixed(&[&by, "its forwarder says", &nodes[2].listen]);
}

#[test]
fn a_forwarder_that_does_not_forward_is_to_be_fixed_there() {
    let mut nodes = in_a_row(false);
    nodes.iter_mut().for_each(Patient::start);
    nodes[0].findings().want_fixed(&["its forwarder says", "forward = true"]);
}

#[test]
fn a_peer_that_collects_its_mail_is_asked_by_the_running_node() {
    let mut nodes = Patient::all(2, |from, to, all| match from {
        0 => String::new(),
        _ => format!("{}\ncollect = true", at(&all[to])),
    });
    nodes[0].start();
    nodes[0].findings().want_fixed(&["collects its mail here", "does not reach it"]);
    nodes[1].start();
    nodes[0].findings().are_well_and_say(&["does so, has that key"]);
    nodes[1].findings().are_well_and_say(&["reaches this node in"]);
}
