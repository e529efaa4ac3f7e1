//! Surroundings for tests of what needs a node around it: a clock that is set by hand, and a transport to nowhere.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use crate::bus::Request;
use crate::bus::policy::Open;
use crate::clock::{BoxFuture, Runtime, Time};
use crate::protocol::Catalogue;
use crate::registry::Environment;
use crate::runs::{Limits, Runs};
use crate::transport::{Address, Answer, Assurance, Batch, Life, Transport, TransportError};

/// A clock that stands still until it is advanced. It runs no tasks, and its timers never ring.
#[derive(Default)]
pub struct HandClock(Mutex<Time>);

impl HandClock {
    /// A clock at its start.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Moves the hands forward.
    pub fn advance(&self, span: Duration) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *now = *now + span;
    }
}

impl Runtime for HandClock {
    fn now(&self) -> Time {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sleep_until(&self, _: Time) -> BoxFuture<()> {
        Box::pin(std::future::pending())
    }

    fn spawn(&self, _: BoxFuture<()>) {}

    fn offload(&self, _: Box<dyn FnOnce() + Send>) -> BoxFuture<()> {
        Box::pin(std::future::pending())
    }
}

/// A transport that reaches nobody.
pub struct Nowhere;

#[async_trait]
impl Transport for Nowhere {
    async fn request(&self, to: &Address, _: Request) -> Result<Answer, TransportError> {
        Err(TransportError::NoTransport { to: to.clone() })
    }

    async fn deliver(&self, to: &Address, _: Batch) -> Result<Life, TransportError> {
        Err(TransportError::NoTransport { to: to.clone() })
    }

    async fn lost(&self, to: &Address, _: Life) -> TransportError {
        TransportError::NoTransport { to: to.clone() }
    }

    fn assurance(&self, _: &Address) -> Assurance {
        Assurance::InProcess
    }
}

/// The environment of a node without protocols that reaches nobody.
pub fn environment(runtime: Arc<dyn Runtime>) -> Arc<Environment> {
    let runs = Runs::new(Arc::clone(&runtime), Arc::new(Nowhere), Limits::default());
    Arc::new(Environment { runtime, runs, policy: Arc::new(Open), protocols: Arc::new(Catalogue::default()) })
}
