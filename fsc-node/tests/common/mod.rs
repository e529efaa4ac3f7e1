//! What clients of a federation do, and patience that ends.
#![allow(dead_code)] // not every file of tests uses all of it

pub(crate) mod process;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use fsc_core::bus::Failure;
use fsc_core::clock::Runtime;
use fsc_core::representation::{Api, ApiError, Chain, Representation};
use fsc_core::runs::Network;
use fsc_core::transport::{Address, Transport, TransportError};
use fsc_core::value::{Arguments, Value};
use futures_util::future::join_all;

/// How long a test waits for anything.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A client at every node, in order of place.
pub(crate) struct Parties {
    pub(crate) addresses: Vec<Address>,
    pub(crate) clients: Vec<Api>,
}

impl Parties {
    pub(crate) fn new(
        transport: &Arc<dyn Transport>,
        runtime: &Arc<dyn Runtime>,
        addresses: impl IntoIterator<Item = Address>,
    ) -> Self {
        let addresses: Vec<Address> = addresses.into_iter().collect();
        let client = |address: &Address| Api::new(Arc::clone(transport), Arc::clone(runtime), address.clone());
        Self { clients: addresses.iter().map(client).collect(), addresses }
    }

    pub(crate) fn network(&self, myself: usize, uuid: &str) -> Network {
        Network { nodes: self.addresses.clone(), myself, uuid: uuid.to_owned() }
    }

    pub(crate) fn simon(&self, place: usize) -> Chain {
        self.clients[place].create([("protocol", "Simon")])
    }

    /// One party's part in a sum, not asked for yet.
    pub(crate) fn sum(&self, place: usize, uuid: &str, data: impl Into<Value>) -> Chain {
        self.compute(place, self.network(place, uuid), [("data", data.into())])
    }

    /// The same with other arguments.
    pub(crate) fn compute<const N: usize>(
        &self,
        place: usize,
        network: Network,
        arguments: [(&str, Value); N],
    ) -> Chain {
        let usual = [("microprotocol", "SecureSum".into()), ("network", network.into())];
        self.simon(place).attribute("compute").call(usual.into_iter().chain(arguments).collect::<Arguments>())
    }

    /// The same as a task, which does not wait.
    pub(crate) async fn begin(&self, place: usize, uuid: &str, data: impl Into<Value>) -> Task {
        let arguments = [("data", data.into()), ("wait", false.into())];
        Task::held(self.compute(place, self.network(place, uuid), arguments)).await
    }

    /// All parties' sums of what they put in, in order of place.
    pub(crate) async fn sums(&self, uuid: &str, inputs: &[Value]) -> Vec<Result<Value, ApiError>> {
        let chains = inputs.iter().enumerate().map(|(place, data)| self.sum(place, uuid, data.clone()).download());
        soon(join_all(chains)).await
    }
}

/// A task at a node.
pub(crate) struct Task(Representation);

impl Task {
    pub(crate) async fn held(chain: Chain) -> Self {
        Self(soon(chain.hold()).await.unwrap().expect("a task"))
    }

    /// Calls a method that takes at most one argument.
    pub(crate) async fn call(&self, method: &str, arguments: Option<(&str, Value)>) -> Option<Representation> {
        soon(self.0.attribute(method).call(arguments.into_iter().collect::<Arguments>()).hold()).await.unwrap()
    }

    /// Puts in a piece of data.
    pub(crate) async fn input(&self, data: Value) -> Result<(), ApiError> {
        soon(self.0.attribute("input").call([("data", data)]).hold()).await.map(drop)
    }

    /// The result, if there is one already.
    pub(crate) async fn result(&self) -> Result<Option<Value>, ApiError> {
        match soon(self.0.attribute("result").call(()).hold()).await? {
            Some(result) => Ok(Some(soon(result.download()).await?)),
            None => Ok(None),
        }
    }

    /// How far the task is.
    pub(crate) async fn progress(&self) -> Value {
        soon(self.0.attribute("progress").call(()).download()).await.unwrap()
    }

    /// What the task comes to.
    pub(crate) async fn outcome(&self) -> Result<Value, ApiError> {
        eventually(async || self.result().await.transpose()).await
    }

    /// Completes when the task is in that phase and waits for these parties.
    pub(crate) async fn waits_for(&self, phase: &str, parties: &[usize]) {
        let parties: Vec<Value> = parties.iter().map(|place| (*place).into()).collect();
        eventually(async || {
            let progress = self.progress().await;
            let there = progress.entry("phase") == Some(&phase.into()) && waiting_for(&progress) == parties;
            there.then_some(())
        })
        .await;
    }
}

fn waiting_for(progress: &Value) -> Vec<Value> {
    match progress.entry("waiting_for") {
        Some(Value::List(parties)) => parties.clone(),
        Some(Value::Array(parties)) => parties.iter().collect(),
        _ => Vec::new(),
    }
}

/// The answer of a sum.
pub(crate) fn answer(inputs: usize, sum: impl Into<Value>) -> Value {
    Value::map([("inputs", inputs.into()), ("result", Value::map([("sum", sum)]))])
}

/// What a node said that refused.
pub(crate) fn failure<T>(result: Result<T, ApiError>) -> Failure {
    match result {
        Err(ApiError::Transport(TransportError::Refused { failure, .. })) => failure,
        Err(error) => panic!("the node did not refuse: {error}"),
        Ok(_) => panic!("the node did not refuse"),
    }
}

/// What `wait` comes to, which must be soon.
pub(crate) async fn soon<T>(wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, wait).await.expect("nothing waits for ever")
}

/// Asks until there is an answer.
pub(crate) async fn eventually<T>(mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    soon(async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await
}
