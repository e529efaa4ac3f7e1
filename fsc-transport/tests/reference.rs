//! Our client against the Python reference, which knows the classic operations only.
//!
//! `cargo xtask test --only reference` installs and starts the servers, and names them in `FSC_REFERENCE_URLS`; without it
//! there is nothing to ask.
#![allow(clippy::unwrap_used)] // helpers of tests fail like tests

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fsc_core::bus::{Request, Step};
use fsc_core::clock::Runtime;
use fsc_core::representation::{Api, ApiError, Chain, Representation};
use fsc_core::runs::Network;
use fsc_core::transport::{Address, Answer, Transport, TransportError};
use fsc_core::value::{Array, Value};
use fsc_transport::TokioRuntime;
use fsc_transport::http::{ClientConfig, HttpTransport};
use futures_util::future::join_all;

const STORAGE: [(&str, &str); 2] = [("plugin", "Util"), ("microservice", "KeyValueStorage")];

#[tokio::test]
async fn the_reference_lists_stores_and_forgets() {
    let Some(reference) = Reference::from_environment() else { return };
    let api = reference.api(0);
    let list = api.list().await.unwrap();
    assert!(list.iter().any(|entry| entry.entry("protocol") == Some(&"Simon".into())), "{list:?}");
    let numbers = Value::Array(Array::from_f64((0..1000_i32).map(|i| f64::from(i) / 7.0).collect()).unwrap());
    for value in [Value::from("a text"), 42.into(), Value::List(vec![Value::Float(1.5), "x".into()]), numbers] {
        let held = hold(api.upload(value.clone())).await;
        assert_eq!(held.download().await.unwrap(), value);
        let handle = held.handle();
        drop(held);
        // In the background: nobody waits for it.
        let there = async || reference.request(vec![Step::Use(handle), Step::Download]).await.is_ok();
        let gone = async { while there().await {} };
        tokio::time::timeout(Duration::from_secs(30), gone).await.expect("what is dropped is released");
    }
}

#[tokio::test]
async fn the_reference_is_asked_step_by_step() {
    let Some(reference) = Reference::from_environment() else { return };
    let api = reference.api(0);
    let create = api.create(STORAGE).attribute("create").call([("storage", unique("storage").into())]);
    let storage = hold(create).await;
    let store = storage.attribute("store").call([("key", "k".into()), ("value", 17.into())]);
    assert!(store.hold().await.unwrap().is_none(), "a call that answers nothing");
    let retrieve = || storage.attribute("retrieve").call([("key", "k".into())]);
    assert_eq!(retrieve().download().await.unwrap(), 17.into());
    assert_eq!(hold(retrieve()).await.download().await.unwrap(), 17.into());
    // An argument may be a handle.
    let value = hold(api.upload("behind a handle")).await;
    let store = storage.attribute("store").call([("key", "k".into()), ("value", value.to_value())]);
    assert!(store.hold().await.unwrap().is_none());
    assert_eq!(retrieve().download().await.unwrap(), "behind a handle".into());
}

#[tokio::test]
async fn what_the_reference_refuses_is_an_error() {
    let Some(reference) = Reference::from_environment() else { return };
    let api = reference.api(0);
    for chain in [
        api.create([("protocol", "Nobody")]).attribute("compute"),
        api.create(STORAGE).attribute("__class__"),
        api.create(STORAGE).attribute("create").call([("no", "such parameter".into())]),
    ] {
        let error = chain.download().await.unwrap_err();
        assert!(matches!(error, ApiError::Transport(TransportError::Refused { .. })), "{error}");
    }
    assert!(api.list().await.is_ok());
}

/// The reference gives everybody one and the same handle to a service: releasing it would take it from all others.
#[tokio::test]
async fn a_service_that_is_let_go_stays_for_the_others() {
    let Some(reference) = Reference::from_environment() else { return };
    let barrier = || reference.api(0).create([("microservice", "Barrier")]);
    let (mine, others) = (hold(barrier()).await, hold(barrier()).await);
    assert_eq!(mine.handle(), others.handle());
    drop(mine);
    for _ in 0..20 {
        hold(others.attribute("create")).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn three_references_sum_for_our_client() {
    let Some(reference) = Reference::from_environment() else { return };
    let uuid = unique("sum");
    let sums = [42, 16, 99].into_iter().enumerate().map(|(myself, data)| {
        let network = Network { nodes: reference.addresses.clone(), myself, uuid: uuid.clone() };
        let arguments = [("microprotocol", "SecureSum".into()), ("data", data.into()), ("network", network.into())];
        reference.api(myself).create([("protocol", "Simon")]).attribute("compute").call(arguments).download()
    });
    for sum in join_all(sums).await {
        let sum = sum.unwrap();
        assert_eq!(sum.entry("inputs"), Some(&3.into()));
        let total = sum.entry("result").and_then(|result| result.entry("sum"));
        assert_eq!(total.and_then(Value::as_f64), Some(157.0), "{sum:?}");
    }
}

/// Three servers.
struct Reference {
    addresses: Vec<Address>,
    runtime: Arc<dyn Runtime>,
}

impl Reference {
    fn from_environment() -> Option<Self> {
        let urls = std::env::var("FSC_REFERENCE_URLS").ok()?;
        let addresses: Vec<Address> = urls.split(',').map(|url| url.parse().unwrap()).collect();
        assert_eq!(addresses.len(), 3, "FSC_REFERENCE_URLS names three servers");
        Some(Self { addresses, runtime: Arc::new(TokioRuntime::new()) })
    }

    /// A client of its own, which knows nothing of the server yet.
    fn api(&self, place: usize) -> Api {
        Api::new(Arc::new(transport()), Arc::clone(&self.runtime), self.addresses[place].clone())
    }

    async fn request(&self, steps: Vec<Step>) -> Result<Answer, TransportError> {
        transport().request(&self.addresses[0], Request::Chain(steps)).await
    }
}

fn transport() -> HttpTransport {
    HttpTransport::new(ClientConfig { request: Some(Duration::from_mins(1)), ..ClientConfig::default() })
}

async fn hold(chain: Chain) -> Representation {
    chain.hold().await.unwrap().expect("a handle")
}

/// A name that no earlier run of the tests has used.
fn unique(what: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    format!("{what} {}", now.as_nanos())
}
