//! A node in a program that is not `fsc`.

use std::path::Path;
use std::sync::Arc;

use fsc_core::object::Stored;
use fsc_core::registry::Description;
use fsc_core::representation::{Api, ApiError};
use fsc_core::transport::TransportError;
use fsc_core::value::Value;
use fsc_node::{Config, Running, Setup, StartError};
use fsc_transport::{Hub, TokioRuntime};
use tokio::sync::oneshot;

fn config(text: &str) -> Config {
    Config::from_toml(text, Path::new(".")).expect("a configuration")
}

fn client(hub: &Hub, name: &str) -> Api {
    Api::new(hub.clone(), TokioRuntime::new(), format!("local:{name}").parse().expect("an address"))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_embedded_node_offers_what_its_program_adds_until_it_stops() {
    let hub = Hub::new();
    let answer = Arc::new(Stored(Value::Int(42)));
    let setup = Setup::new().hub(&hub, "a").object("Answer", Description::new([("microservice", "Answer")]), answer);
    let node = Running::start(&config(""), setup).await.unwrap();
    assert_eq!(node.addresses().iter().map(ToString::to_string).collect::<Vec<_>>(), ["local:a"]);
    assert_eq!(node.id(), None);
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(node.run(async { drop(stopped.await) }));
    let api = client(&hub, "a");
    let found = api.create([("microservice", "Answer")]).download().await.unwrap();
    assert_eq!(found, Value::Int(42));
    drop(stop);
    running.await.unwrap();
    let gone = api.list().await.unwrap_err();
    assert!(matches!(gone, ApiError::Transport(TransportError::Unreachable { .. })), "{gone}");
}

#[tokio::test(flavor = "multi_thread")]
async fn embedded_nodes_compute_together() {
    let hub = Hub::new();
    let mut nodes = Vec::new();
    for name in ["a", "b"] {
        nodes.push(Running::start(&config(""), Setup::new().hub(&hub, name)).await.unwrap());
    }
    let sums = ["a", "b"].iter().enumerate().map(|(place, name)| {
        let nodes: Vec<Value> = vec!["local:a".into(), "local:b".into()];
        let network = Value::map([("nodes", nodes.into()), ("myself", Value::from(place)), ("uuid", "u".into())]);
        let arguments = [("microprotocol", "SecureSum".into()), ("data", Value::Float(1.5)), ("network", network)];
        client(&hub, name).create([("protocol", "Simon")]).attribute("compute").call(arguments).download()
    });
    for sum in futures_util::future::join_all(sums).await {
        assert_eq!(sum.unwrap().entry("result").and_then(|result| result.entry("sum")), Some(&Value::Float(3.0)));
    }
}

#[tokio::test]
async fn a_node_that_nobody_could_reach_does_not_start() {
    let outcome = Running::start(&config(""), Setup::new()).await;
    assert!(matches!(outcome.map(|_| ()), Err(StartError::Config(_))));
}

#[tokio::test]
async fn a_taken_address_is_an_error_that_names_it() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let outcome = Running::start(&config(""), Setup::new().listen(address)).await;
    let error = outcome.map(|_| ()).unwrap_err();
    assert!(matches!(error, StartError::Listen { .. }) && error.to_string().contains(&address.to_string()), "{error}");
}
