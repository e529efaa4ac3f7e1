//! Three nodes that start runs, cancel them, lose one another, and get mail from anywhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arbitrary::{Result, Unstructured};
use bytes::Bytes;
use fsc_core::bus::Principal;
use fsc_core::envelope::{Channel, Content, Envelope, Mail, Mark, Route, RunId, Topic};
use fsc_core::object::ObjectError;
use fsc_core::protocol::prepare;
use fsc_core::runs::{self, Limits, Run, Runs};
use fsc_core::secret::Secret;
use fsc_core::session::{Deadlines, Phase};
use fsc_core::sim::encode;
use fsc_core::transport::Origin;
use fsc_core::value::Value;
use fsc_protocols::sum::{Params, SecureSum};

use crate::network::{Fault, Letter};
use crate::surroundings::{Here, NODES, Surroundings, address};

const MOST_OPS: usize = 200;
const MOST_STARTS: usize = 60;

/// Small enough to be reached.
fn limits() -> Limits {
    Limits {
        deadlines: Deadlines { backlog_bytes: 10_000, ..Deadlines::default() },
        runs: 3,
        waiting: 8,
        waiting_bytes: 2_000,
        ..Limits::default()
    }
}

/// Whatever peers send, mail is taken or refused with a reason, no node runs more than it may, and every run ends: with
/// an error, or with the sum over one run of each node that all want the same.
pub fn runs(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let mut world = World::new();
    for _ in 0..MOST_OPS {
        if input.is_empty() {
            break;
        }
        let Ok(op) = Op::read(&mut input) else { break };
        world.step(&op);
        world.check();
    }
    world.let_time_pass();
}

/// What the world does next. A number is a node, or a letter by its place on the wire.
#[derive(Clone, Debug)]
enum Op {
    /// Starts a run at a node, for one of a few wishes.
    Start(u8, u8),
    /// Polls all tasks.
    Turn,
    Deliver(u8),
    DeliverAll,
    Fault(Fault),
    /// Mail from another machine, which is refused.
    FromAfar(u8),
    /// In one batch with much that is of no use.
    DeliverInBulk(u8),
    /// By so many tenths of a second.
    Advance(u8),
    /// One of the runs.
    Cancel(u8),
    CancelAll(u8),
    /// Unplugs a node, or plugs it in again.
    Plug(u8),
}

impl Op {
    fn read(input: &mut Unstructured<'_>) -> Result<Self> {
        Ok(match input.int_in_range(0..=16_u8)? {
            0..=3 => Self::Start(input.arbitrary()?, input.arbitrary()?),
            4 => Self::Turn,
            5 | 6 => Self::Deliver(input.arbitrary()?),
            7 => Self::DeliverAll,
            8..=10 => Self::Fault(Fault::read(input)?),
            11 => Self::FromAfar(input.arbitrary()?),
            12 => Self::Advance(input.arbitrary()?),
            13 => Self::Cancel(input.arbitrary()?),
            14 => Self::CancelAll(input.arbitrary()?),
            15 => Self::Plug(input.arbitrary()?),
            _ => Self::DeliverInBulk(input.arbitrary()?),
        })
    }
}

/// A run that was started. Its node's input is its number times 256 to the node's place, so that a sum tells whose
/// inputs are in it.
struct Started {
    run: Run,
    node: usize,
    wish: u8,
}

struct World {
    surroundings: Arc<Surroundings>,
    memory: Memory,
    nodes: Vec<Arc<Runs>>,
    started: Vec<Started>,
}

impl World {
    fn new() -> Self {
        let surroundings = Arc::new(Surroundings::new());
        let node = |_| {
            let here = Arc::new(Here(Arc::clone(&surroundings)));
            Runs::new(Arc::clone(&here) as _, here, limits())
        };
        Self { nodes: (0..NODES).map(node).collect(), surroundings, memory: Memory::default(), started: Vec::new() }
    }

    fn step(&mut self, op: &Op) {
        match *op {
            Op::Start(node, wish) => self.start(usize::from(node) % NODES, wish % 8),
            Op::Turn => self.surroundings.turn(),
            Op::Deliver(letter) => {
                let letter = self.surroundings.network().take(letter);
                self.hand_over(letter, Origin::Loopback);
            }
            Op::DeliverAll => self.deliver_all(),
            Op::Fault(ref fault) => self.surroundings.network().do_fault(fault),
            Op::FromAfar(letter) => {
                let letter = self.surroundings.network().take(letter);
                self.hand_over(letter, Origin::Remote);
            }
            Op::DeliverInBulk(letter) => {
                let letter = self.surroundings.network().take(letter);
                let letter = letter.map(|Letter { to, bytes }| Letter { to, bytes: [bytes, useless_mail()].concat() });
                self.hand_over(letter, Origin::Loopback);
            }
            Op::Advance(tenths) => self.surroundings.advance(Duration::from_millis(100 * u64::from(tenths))),
            Op::Cancel(run) => {
                if let Some(place) = usize::from(run).checked_rem(self.started.len()) {
                    self.started[place].run.cancel();
                }
            }
            Op::CancelAll(node) => self.nodes[usize::from(node) % NODES].cancel_all(),
            Op::Plug(node) => self.surroundings.plug(usize::from(node) % NODES),
        }
    }

    /// Starts a run at one of four rendezvous, for one of two kinds of sum.
    fn start(&mut self, node: usize, wish: u8) {
        let number = self.started.len();
        if number >= MOST_STARTS {
            return;
        }
        let fraction_bits = u32::from(wish / 4);
        let params = Params { fraction_bits, ..Params::NUMBER };
        let input = (number as u128 + 1) << (8 * node) << fraction_bits;
        let prepared = prepare::<SecureSum>(params, Secret::new(vec![input])).expect("a sum is prepared");
        let network = runs::Network {
            nodes: (0..NODES).map(address).collect(),
            myself: node,
            uuid: format!("rendezvous {}", wish % 4),
        };
        match self.nodes[node].start(&Principal::new("fuzzer"), prepared, network) {
            Ok(run) => self.started.push(Started { run, node, wish }),
            Err(error) => assert!(matches!(error, ObjectError::Conflict { .. } | ObjectError::Limit { .. })),
        }
    }

    fn hand_over(&self, letter: Option<Letter>, origin: Origin) {
        let Some(Letter { to, bytes }) = letter else { return };
        let taken = self.nodes[to].mail(origin, self.memory.take(bytes));
        match taken {
            Ok(_) => assert_eq!(origin, Origin::Loopback, "mail from afar was taken"),
            Err(failure) => assert!(matches!(failure.code, 400 | 403 | 404 | 429), "{failure}"),
        }
    }

    fn deliver_all(&self) {
        for _ in 0..4 {
            self.surroundings.turn();
            let letters = std::mem::take(&mut self.surroundings.network().wire);
            for letter in letters {
                self.hand_over(Some(letter), Origin::Loopback);
            }
        }
    }

    /// What must hold at any time.
    fn check(&self) {
        let limits = limits();
        assert!(self.nodes.iter().all(|node| node.len() <= limits.runs));
        // Mail waits for a run to start, for its driver, for all to join, and for the protocol to ask for it. A batch
        // may be kept for a part of it that is not too small.
        let counted = limits.waiting_bytes + limits.runs * 3 * limits.deadlines.backlog_bytes;
        assert!(self.memory.in_use() <= NODES * 4 * counted, "{} bytes of mail are kept", self.memory.in_use());
        for (number, started) in self.started.iter().enumerate() {
            match started.run.try_outcome() {
                None => {}
                Some(Ok(value)) => self.check_sum(number, value),
                Some(Err(error)) => {
                    assert!(error.culprits().iter().all(|place| *place < NODES), "nobody is there to blame: {error}");
                }
            }
        }
    }

    /// A sum is right if it is over my input, and over one of each other node that wanted the same.
    fn check_sum(&self, number: usize, value: &Value) {
        let sum = value.entry("result").and_then(|result| result.entry("sum")).and_then(Value::as_f64);
        let sum = sum.expect("a sum is a number") as u32;
        let mine = &self.started[number];
        for (node, digit) in sum.to_le_bytes().into_iter().take(NODES).enumerate() {
            let theirs = usize::from(digit).checked_sub(1).and_then(|number| self.started.get(number));
            assert!(theirs.is_some_and(|theirs| theirs.node == node && theirs.wish == mine.wish), "wrong sum");
            assert!(node != mine.node || usize::from(digit) == number + 1, "a sum without my input");
        }
    }

    /// All deadlines pass: those of joining, silence and delivery, and the time that mail lingers.
    fn let_time_pass(&mut self) {
        for _ in 0..5 {
            self.surroundings.turn();
            self.surroundings.advance(Duration::from_secs(61));
            self.surroundings.turn();
        }
        self.check();
        assert!(self.started.iter().all(|started| started.run.try_outcome().is_some()), "a run has not ended");
        assert!(self.started.iter().all(|started| started.run.progress().phase == Phase::Ended));
        assert!(self.nodes.iter().all(|node| node.is_empty()), "a node runs what has ended");
        assert!(self.surroundings.is_idle(), "a task outlives its run");
    }
}

/// Mail for a run that nobody started.
fn useless_mail() -> Vec<u8> {
    let route = Route { topic: Topic([0xff; 16]), from: 0, to: 0, mark: Mark([0xff; 8]) };
    let payload = vec![0; 600_000].into();
    let mail = Mail { run: RunId([0xff; 16]), channel: Channel(0), sequence: 0, payload, tag: [0; 16] };
    encode(&Envelope { route, content: Content::Mail(mail) })
}

/// Counts the bytes of batches that nodes have not let go of.
#[derive(Default)]
struct Memory(Arc<AtomicUsize>);

impl Memory {
    fn take(&self, batch: Vec<u8>) -> Bytes {
        self.0.fetch_add(batch.len(), Ordering::Relaxed);
        Bytes::from_owner(Kept { batch, counter: Arc::clone(&self.0) })
    }

    fn in_use(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

struct Kept {
    batch: Vec<u8>,
    counter: Arc<AtomicUsize>,
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.batch
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.counter.fetch_sub(self.batch.len(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Starts a run of the same kind at every node, and delivers what they say.
    fn united(world: &mut World) {
        (0..NODES).for_each(|node| world.start(node, 0));
        (0..3).for_each(|_| world.deliver_all());
    }

    #[test]
    fn undisturbed_runs_end_with_the_right_sums_and_the_rendezvous_serves_again() {
        let mut world = World::new();
        united(&mut world);
        united(&mut world);
        world.check();
        let outcomes: Vec<_> = world.started.iter().map(|started| started.run.try_outcome()).collect();
        assert!(outcomes.len() == 2 * NODES && outcomes.iter().all(|outcome| matches!(outcome, Some(Ok(_)))));
        world.let_time_pass();
    }

    #[test]
    #[should_panic(expected = "wrong sum")]
    fn a_wrong_sum_is_noticed() {
        let mut world = World::new();
        united(&mut world);
        world.started[1].wish = 1;
        world.check();
    }
}
