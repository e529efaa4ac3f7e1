//! Every example says what its documentation promises. (`client.sh` is run against `fsc serve`, in that crate's tests.)
#![allow(clippy::unwrap_used)] // tests may panic, and so may what they are made of

use std::path::PathBuf;
use std::process::Command;

/// For the laws at its end; its `main` runs as a program, like the others.
#[allow(dead_code)]
#[path = "../write_a_protocol.rs"]
mod write_a_protocol;

#[test]
fn three_parties_learn_the_sum() {
    let learnt = r#"learns {"inputs":3,"result":{"sum":157000.0}}"#;
    let expected = ["alice", "bob", "carol"].map(|name| format!("{name} {learnt}\n")).concat();
    assert_eq!(output_of("three_parties_in_one_process"), expected);
}

#[test]
fn a_sensor_hub_contributes_over_its_serial_line() {
    let sites = ["hub", "gateway", "waterworks"];
    let expected = sites.map(|site| format!("{site}: 150 readings, mean 4.279 bar\n")).concat();
    assert_eq!(output_of("sensor_hub_on_a_serial_line"), expected);
}

#[test]
fn an_embedded_node_serves_its_own_program() {
    let output = output_of("embed_a_node");
    assert!(output.starts_with("the node offers "), "{output}");
    assert!(output.ends_with(" objects\nit has kept 42\n"), "{output}");
}

#[test]
fn a_microservice_counts_for_all_its_clients() {
    assert_eq!(output_of("write_a_microservice"), "3 tickets from number 0\n1 tickets from number 3\n");
}

#[test]
fn a_ballot_counts_votes() {
    assert_eq!(output_of("write_a_protocol"), "2 of 3 said yes\n");
}

/// What an example prints. Cargo builds all examples before it runs a package's tests.
fn output_of(example: &str) -> String {
    let tests = std::env::current_exe().unwrap();
    let built: PathBuf = tests.parent().and_then(|deps| deps.parent()).unwrap().join("examples").join(example);
    let output = Command::new(&built).output().expect("built by `cargo test -p fsc-examples`");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
