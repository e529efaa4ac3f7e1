//! A party whose run has ended, and whose mail is still on its way: in simulated time, so that minutes take none.
#![allow(clippy::unwrap_used)] // tests may panic, and so may what they are made of

use std::future::{poll_fn, ready};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use fsc_core::bus::{Principal, Request};
use fsc_core::clock::{BoxFuture, Runtime, Time};
use fsc_core::object::ObjectError;
use fsc_core::party::Party;
use fsc_core::protocol::{Announced, Cost, Protocol, ProtocolError, Security, Submission, prepare};
use fsc_core::runs::{Limits, Network, Run, Runs};
use fsc_core::secret::Secret;
use fsc_core::transport::{Address, Answer, Assurance, Batch, Life, Origin, Transport, TransportError};
use fsc_core::value::Value;
use fsc_protocols::sum::SecureSum;

const LETTERS: usize = 12;
const LETTER: usize = 1 << 20;
/// Bytes per second: a letter takes four seconds.
const RATE: u64 = 1 << 18;

/// The sender has nothing to wait for, so its run ends before its first letter has arrived. What is left to deliver takes
/// longer than a node lingers, but for that it moves.
#[test]
fn the_tail_of_a_finished_run_arrives_over_a_slow_uplink() {
    let world = World::new();
    let [sender, receiver] = [0, 1].map(|me| world.start(me));
    world.pass(Duration::from_secs(1));
    assert!(sender.try_outcome().is_some_and(Result::is_ok), "the sender is done");
    assert!(receiver.try_outcome().is_none(), "the receiver is not");
    world.pass(Duration::from_secs(50));
    let outcome = receiver.try_outcome().expect("all letters are there");
    assert_eq!(outcome.as_ref().unwrap().entry("result"), Some(&Value::from(LETTERS)));
}

/// Two nodes, of which the first sends slowly.
struct World {
    here: Arc<Here>,
    nodes: Vec<Arc<Runs>>,
}

impl World {
    fn new() -> Self {
        let here = Arc::new(Here::default());
        let node = |me| {
            let uplink = Uplink { here: Arc::clone(&here), slow: me == 0, free_at: Mutex::default() };
            Runs::new(Arc::new(Clock(Arc::clone(&here))), Arc::new(uplink), Limits::default())
        };
        let nodes: Vec<_> = (0..2).map(node).collect();
        lock(&here.nodes).clone_from(&nodes);
        Self { here, nodes }
    }

    fn start(&self, myself: usize) -> Run {
        let network = Network { nodes: (0..2).map(address).collect(), myself, uuid: "slow".to_owned() };
        let prepared = prepare::<Letters>((), Secret::new(())).unwrap();
        self.nodes[myself].start(&Principal::new("a client"), prepared, network).unwrap()
    }

    /// Lets time pass, in steps that are short beside everything that waits.
    fn pass(&self, span: Duration) {
        let step = Duration::from_millis(100);
        for _ in 0..span.as_millis() / step.as_millis() {
            // What one task says to another in a turn is heard in the next.
            (0..5).for_each(|_| self.here.turn());
            let mut now = lock(&self.here.now);
            *now = *now + step;
        }
    }
}

/// The time, the tasks and the nodes, moved by hand.
#[derive(Default)]
struct Here {
    now: Mutex<Time>,
    tasks: Mutex<Vec<BoxFuture<()>>>,
    /// Who waits for the time; all are woken at every turn.
    sleepers: Mutex<Vec<Waker>>,
    nodes: Mutex<Vec<Arc<Runs>>>,
}

impl Here {
    /// Polls every task, and those that it brings forth.
    fn turn(&self) {
        let sleepers = std::mem::take(&mut *lock(&self.sleepers));
        sleepers.into_iter().for_each(Waker::wake);
        let mut pending = Vec::new();
        while let Some(mut task) = self.next_task() {
            if task.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
                pending.push(task);
            }
        }
        *lock(&self.tasks) = pending;
    }

    /// The lock is free again before the task is polled, which may bring forth others.
    fn next_task(&self) -> Option<BoxFuture<()>> {
        lock(&self.tasks).pop()
    }

    fn sleep_until(self: Arc<Self>, at: Time) -> BoxFuture<()> {
        Box::pin(poll_fn(move |context| {
            if *lock(&self.now) >= at {
                return Poll::Ready(());
            }
            lock(&self.sleepers).push(context.waker().clone());
            Poll::Pending
        }))
    }
}

/// What a node knows of it.
struct Clock(Arc<Here>);

impl Runtime for Clock {
    fn now(&self) -> Time {
        *lock(&self.0.now)
    }

    fn sleep_until(&self, at: Time) -> BoxFuture<()> {
        Arc::clone(&self.0).sleep_until(at)
    }

    fn spawn(&self, task: BoxFuture<()>) {
        lock(&self.0.tasks).push(task);
    }

    fn offload(&self, work: Box<dyn FnOnce() + Send>) -> BoxFuture<()> {
        work();
        Box::pin(ready(()))
    }
}

/// A node's way to the others, which carries one batch after the other.
struct Uplink {
    here: Arc<Here>,
    slow: bool,
    free_at: Mutex<Time>,
}

impl Uplink {
    /// When the way will have carried so many bytes more.
    fn book(&self, bytes: usize) -> Time {
        let mut free_at = lock(&self.free_at);
        let seconds = if self.slow { bytes as u64 / RATE } else { 0 };
        *free_at = (*free_at).max(*lock(&self.here.now)) + Duration::from_secs(seconds);
        *free_at
    }
}

#[async_trait]
impl Transport for Uplink {
    async fn request(&self, to: &Address, _: Request) -> Result<Answer, TransportError> {
        Err(TransportError::NoTransport { to: to.clone() })
    }

    async fn deliver(&self, to: &Address, batch: Batch) -> Result<Life, TransportError> {
        Arc::clone(&self.here).sleep_until(self.book(batch.len())).await;
        let node = Arc::clone(&lock(&self.here.nodes)[usize::from(*to == address(1))]);
        let taken = node.mail(Origin::InProcess, batch.pieces.concat().into());
        taken.map_err(|failure| TransportError::Refused { to: to.clone(), failure })
    }

    async fn lost(&self, _: &Address, _: Life) -> TransportError {
        std::future::pending().await
    }

    fn assurance(&self, _: &Address) -> Assurance {
        Assurance::InProcess
    }
}

/// The first party writes, and the second reads and counts.
struct Letters;

impl Protocol for Letters {
    const NAME: &'static str = "Letters";
    const VERSION: u16 = 1;
    const SECURITY: Security = SecureSum::SECURITY;
    type Params = ();
    type Input = ();
    type Output = usize;

    fn admit(_: Submission) -> Result<((), ()), ObjectError> {
        Ok(((), ()))
    }

    fn cost((): &(), _: &Announced) -> Cost {
        Cost::default()
    }

    async fn run(party: &mut Party, (): (), _: Secret<()>) -> Result<usize, ProtocolError> {
        for _ in 0..LETTERS {
            if party.me() == 0 {
                party.send(1, vec![0; LETTER].into());
            } else {
                party.recv(0).await?;
            }
        }
        Ok(LETTERS)
    }
}

fn address(place: usize) -> Address {
    format!("slow:{place}").parse().unwrap()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
