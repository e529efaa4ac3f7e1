//! What nodes need around them: a clock, an executor and a network, all moved by hand.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use fsc_core::bus::Request;
use fsc_core::clock::{BoxFuture, Runtime, Time};
use fsc_core::transport::{Address, Answer, Assurance, Batch, Life, Transport, TransportError};

use crate::network::{Letter, Network};

pub(crate) const NODES: usize = 3;

/// The time, the tasks and the network of all nodes.
pub(crate) struct Surroundings {
    now: Mutex<Time>,
    tasks: Mutex<Vec<BoxFuture<()>>>,
    /// Who waits for the time, or for a node to vanish. They are few, so all are woken at every change.
    sleepers: Mutex<Vec<Waker>>,
    unplugged: Mutex<[bool; NODES]>,
    network: Mutex<Network>,
}

impl Surroundings {
    pub(crate) fn new() -> Self {
        Self {
            now: Mutex::default(),
            tasks: Mutex::default(),
            sleepers: Mutex::default(),
            unplugged: Mutex::default(),
            network: Mutex::new(Network::new(NODES, Vec::new())),
        }
    }

    pub(crate) fn network(&self) -> MutexGuard<'_, Network> {
        lock(&self.network)
    }

    pub(crate) fn advance(&self, span: Duration) {
        let mut now = lock(&self.now);
        *now = *now + span;
        drop(now);
        self.wake();
    }

    pub(crate) fn plug(&self, node: usize) {
        let mut unplugged = lock(&self.unplugged);
        unplugged[node] = !unplugged[node];
        drop(unplugged);
        self.wake();
    }

    fn wake(&self) {
        let sleepers = std::mem::take(&mut *lock(&self.sleepers));
        sleepers.into_iter().for_each(Waker::wake);
    }

    /// Polls every task once, and those that it brings forth.
    pub(crate) fn turn(&self) {
        let mut pending = Vec::new();
        while let Some(mut task) = self.next_task() {
            if task.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
                pending.push(task);
            }
        }
        *lock(&self.tasks) = pending;
    }

    /// Whether all tasks have come to their end.
    pub(crate) fn is_idle(&self) -> bool {
        lock(&self.tasks).is_empty()
    }

    /// Lets go of the tasks, which have these surroundings in hand in their turn.
    pub(crate) fn end(&self) {
        let (tasks, sleepers) = (std::mem::take(&mut *lock(&self.tasks)), std::mem::take(&mut *lock(&self.sleepers)));
        drop((tasks, sleepers));
    }

    /// The lock is free again before the task is polled, which may bring forth others.
    fn next_task(&self) -> Option<BoxFuture<()>> {
        lock(&self.tasks).pop()
    }
}

/// What a node has in hand of its surroundings.
pub(crate) struct Here(pub(crate) Arc<Surroundings>);

impl Here {
    /// Completes when `ready` is, which only a change of the surroundings makes it.
    fn wait<T>(&self, ready: impl Fn(&Surroundings) -> Option<T> + Send + 'static) -> BoxFuture<T> {
        let surroundings = Arc::clone(&self.0);
        Box::pin(std::future::poll_fn(move |context| {
            if let Some(result) = ready(&surroundings) {
                return Poll::Ready(result);
            }
            lock(&surroundings.sleepers).push(context.waker().clone());
            Poll::Pending
        }))
    }
}

impl Runtime for Here {
    fn now(&self) -> Time {
        *lock(&self.0.now)
    }

    fn sleep_until(&self, at: Time) -> BoxFuture<()> {
        self.wait(move |surroundings| (*lock(&surroundings.now) >= at).then_some(()))
    }

    fn spawn(&self, task: BoxFuture<()>) {
        lock(&self.0.tasks).push(task);
    }

    fn offload(&self, work: Box<dyn FnOnce() + Send>) -> BoxFuture<()> {
        work();
        Box::pin(std::future::ready(()))
    }
}

#[async_trait]
impl Transport for Here {
    async fn request(&self, to: &Address, _: Request) -> Result<Answer, TransportError> {
        Err(TransportError::NoTransport { to: to.clone() })
    }

    async fn deliver(&self, to: &Address, batch: Batch) -> Result<Life, TransportError> {
        let node = node_of(to);
        if lock(&self.0.unplugged)[node] {
            return Err(unreachable(to));
        }
        self.0.network().send(Letter { to: node, bytes: batch.pieces.concat() });
        Ok(Life([0; 16]))
    }

    async fn lost(&self, to: &Address, _: Life) -> TransportError {
        let node = node_of(to);
        self.wait(move |surroundings| lock(&surroundings.unplugged)[node].then_some(())).await;
        unreachable(to)
    }

    fn assurance(&self, _: &Address) -> Assurance {
        Assurance::InProcess
    }
}

pub(crate) fn address(node: usize) -> Address {
    format!("sim:{node}").parse().expect("a scheme and a number are an address")
}

fn node_of(address: &Address) -> usize {
    let node = address.as_str().trim_start_matches("sim:").parse();
    node.expect("nodes send mail to nodes of their network only")
}

fn unreachable(to: &Address) -> TransportError {
    TransportError::Unreachable { to: to.clone(), why: "unplugged".to_owned() }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
