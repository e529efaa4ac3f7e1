//! Three nodes that seal their mail, on a wire that loses, repeats, changes, diverts and invents packets.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use arbitrary::{Result, Unstructured};
use async_trait::async_trait;
use bytes::Bytes;
use fsc_core::bus::{Failure, Principal, Request, Response};
use fsc_core::clock::Runtime;
use fsc_core::identity::{NodeId, NodeKey};
use fsc_core::transport::{Address, Answer, Assurance, Batch, Handler, Life, Origin, Transport, TransportError};
use fsc_core::value::Value;
use fsc_transport::seal::{ForwardLimits, Peer, Peers, Seal, Way};

use crate::surroundings::{Here, NODES, Surroundings, address};

const MOST_OPS: usize = 200;
const MOST_SAID: usize = 60;

/// Who gives a wrong answer to a packet makes its sender say it once more; so may each of two senders, if one forwards for the other.
const OFTEN: usize = 4;

/// Whatever happens on the wire, a node hears nothing but what another one has said to it, from that one, and hardly more often; every delivery comes to an end; and on a good wire mail gets through afterwards.
pub fn seal(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let mut world = World::new();
    for _ in 0..MOST_OPS {
        if input.is_empty() {
            break;
        }
        let Ok(op) = Op::read(&mut input) else { break };
        world.step(op);
        world.check();
    }
    world.let_time_pass();
    world.speak_on_a_good_wire();
    world.surroundings.end();
}

/// What happens next. A number is a node, or a packet by its place on the wire.
#[derive(Clone, Debug)]
enum Op {
    /// A node says something of so many bytes to another.
    Say {
        from: u8,
        to: u8,
        bytes: u16,
    },
    Turn,
    Arrive(u8),
    ArriveAll,
    Lose(u8),
    /// Arrives and stays.
    Repeat(u8),
    Flip {
        packet: u8,
        at: u16,
    },
    Cut {
        packet: u8,
        at: u16,
    },
    /// To another node.
    Divert {
        packet: u8,
        to: u8,
    },
    /// The beginning of one and the end of another.
    Splice {
        packet: u8,
        other: u8,
        at: u16,
    },
    Invent {
        to: u8,
        bytes: Vec<u8>,
    },
    /// By so many seconds.
    Advance(u16),
    Restart(u8),
    Sweep(u8),
}

impl Op {
    fn read(input: &mut Unstructured<'_>) -> Result<Self> {
        let number = |input: &mut Unstructured<'_>| input.arbitrary::<u8>();
        Ok(match input.int_in_range(0..=19_u8)? {
            0..=3 => Self::Say { from: number(input)?, to: number(input)?, bytes: input.arbitrary()? },
            4 => Self::Turn,
            5 | 6 => Self::Arrive(number(input)?),
            7 | 8 => Self::ArriveAll,
            9 => Self::Lose(number(input)?),
            10 => Self::Repeat(number(input)?),
            11 | 12 => Self::Flip { packet: number(input)?, at: input.arbitrary()? },
            13 => Self::Cut { packet: number(input)?, at: input.arbitrary()? },
            14 => Self::Divert { packet: number(input)?, to: number(input)? },
            15 => Self::Splice { packet: number(input)?, other: number(input)?, at: input.arbitrary()? },
            16 => Self::Invent { to: number(input)?, bytes: input.arbitrary()? },
            17 => Self::Advance(input.arbitrary()?),
            18 => Self::Restart(number(input)?),
            _ => Self::Sweep(number(input)?),
        })
    }
}

/// What was said: by whom, to whom, and the mail.
type Said = (NodeId, NodeId, Bytes);

/// How often each may still be heard.
type Unheard = Arc<Mutex<HashMap<Said, usize>>>;

struct World {
    surroundings: Arc<Surroundings>,
    wire: Wire,
    nodes: Vec<(Seal, Arc<dyn Handler>)>,
    unheard: Unheard,
    said: usize,
    /// Deliveries that have come to their end, and whether well.
    ended: Arc<Mutex<Vec<bool>>>,
}

impl World {
    fn new() -> Self {
        let surroundings = Arc::new(Surroundings::new());
        let unheard = Unheard::default();
        let wire = Wire(Arc::default());
        let nodes = (0..NODES).map(|place| node(place, &surroundings, &wire, &unheard)).collect();
        Self { surroundings, wire, nodes, unheard, said: 0, ended: Arc::default() }
    }

    fn step(&mut self, op: Op) {
        let node = |number: u8| usize::from(number) % NODES;
        match op {
            Op::Say { from, to, bytes } => self.say(node(from), node(to), usize::from(bytes)),
            Op::Turn => {}
            Op::Arrive(packet) => self.arrive(packet, false),
            Op::ArriveAll => (0..self.wire.len()).for_each(|_| self.arrive(0, false)),
            Op::Repeat(packet) => self.arrive(packet, true),
            Op::Lose(packet) => drop(self.wire.take(packet)),
            Op::Flip { packet, at } => self.wire.change(packet, |bytes| {
                let at = usize::from(at) % bytes.len().max(1);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1;
                }
            }),
            Op::Cut { packet, at } => self.wire.change(packet, |bytes| bytes.truncate(usize::from(at))),
            Op::Divert { packet, to } => self.wire.divert(packet, node(to)),
            Op::Splice { packet, other, at } => {
                let other = self.wire.bytes(other).unwrap_or_default();
                self.wire.change(packet, |bytes| {
                    let at = usize::from(at).min(bytes.len()).min(other.len());
                    bytes.truncate(at);
                    bytes.extend_from_slice(&other[at..]);
                });
            }
            Op::Invent { to, bytes } => drop(self.nodes[node(to)].1.mail(Origin::Remote, bytes.into())),
            Op::Advance(seconds) => self.surroundings.advance(Duration::from_secs(u64::from(seconds % 1000))),
            Op::Restart(place) => {
                // Who began anew has forgotten what it had heard, and may hear it again.
                let begins = id(node(place));
                for (_, left) in lock(&self.unheard).iter_mut().filter(|((_, to, _), _)| *to == begins) {
                    *left = OFTEN;
                }
                self.nodes[node(place)] = self::node(node(place), &self.surroundings, &self.wire, &self.unheard);
            }
            Op::Sweep(place) => self.nodes[node(place)].0.sweep(),
        }
        self.surroundings.turn();
    }

    fn say(&mut self, from: usize, to: usize, bytes: usize) {
        if from == to || self.said == MOST_SAID {
            return;
        }
        self.said += 1;
        let mut mail = vec![from as u8; bytes];
        mail.extend(self.said.to_le_bytes());
        let mail = Bytes::from(mail);
        lock(&self.unheard).insert((id(from), id(to), mail.clone()), OFTEN);
        let (seal, ended) = (self.nodes[from].0.clone(), Arc::clone(&self.ended));
        Here(Arc::clone(&self.surroundings)).spawn(Box::pin(async move {
            let delivered = seal.deliver(&Address::of(id(to)), Batch { pieces: vec![mail] }).await;
            lock(&ended).push(delivered.is_ok());
        }));
    }

    fn arrive(&self, packet: u8, stays: bool) {
        let Some(letter) = (if stays { self.wire.copy(packet) } else { self.wire.take(packet) }) else { return };
        let outcome = self.nodes[letter.to].1.mail(Origin::Remote, letter.bytes.into());
        if !stays {
            *lock(&letter.answer) = Some(outcome);
        }
        self.surroundings.turn();
    }

    fn check(&self) {
        assert!(lock(&self.ended).len() <= self.said);
    }

    /// All deadlines pass: whatever was lost, nobody waits any more.
    fn let_time_pass(&mut self) {
        for _ in 0..200 {
            while let Some(letter) = self.wire.take(0) {
                drop(letter);
            }
            self.surroundings.advance(Duration::from_secs(11));
            self.surroundings.turn();
        }
        assert_eq!(lock(&self.ended).len(), self.said, "a delivery has not come to its end");
    }

    fn speak_on_a_good_wire(&mut self) {
        // As long as no node's handshakes are at their pace's end, which time mends.
        self.surroundings.advance(Duration::from_mins(30));
        self.nodes.iter().for_each(|(seal, _)| seal.sweep());
        self.said = 0;
        lock(&self.ended).clear();
        for (from, to) in [(0, 1), (1, 0), (0, 2), (2, 1)] {
            self.say(from, to, 100);
        }
        for _ in 0..200 {
            self.surroundings.turn();
            (0..self.wire.len()).for_each(|_| self.arrive(0, false));
            self.surroundings.advance(Duration::from_millis(5));
        }
        assert_eq!(*lock(&self.ended), [true; 4], "mail does not get through a good wire");
    }
}

/// Nodes 0 and 1 know one another by node 2 only.
fn node(place: usize, surroundings: &Arc<Surroundings>, wire: &Wire, unheard: &Unheard) -> (Seal, Arc<dyn Handler>) {
    let others = (0..NODES).filter(|other| *other != place);
    let peers = others.map(|other| Peer {
        id: id(other),
        way: if place != 2 && other != 2 { Way::By(id(2)) } else { Way::At(address(other)) },
        forward: true,
    });
    let here = Here(Arc::clone(surroundings));
    let seal = Seal::new(key(place), Arc::new(Peers::new(peers, true)), wire.clone(), here, ForwardLimits::default());
    let ear = Ear { me: id(place), life: Life([place as u8; 16]), unheard: Arc::clone(unheard) };
    let handler = seal.open(Arc::new(ear));
    (seal, handler)
}

fn key(place: usize) -> NodeKey {
    NodeKey::from_bytes(&[place as u8 + 1; 32])
}

fn id(place: usize) -> NodeId {
    key(place).id()
}

/// A node that checks what it hears.
struct Ear {
    me: NodeId,
    life: Life,
    unheard: Unheard,
}

#[async_trait]
impl Handler for Ear {
    async fn request(&self, _: &Principal, _: Request) -> std::result::Result<Response, Failure> {
        Ok(Response::None)
    }

    fn mail(&self, origin: Origin, batch: Bytes) -> std::result::Result<Life, Failure> {
        let Origin::Sealed(from) = origin else { return Err(Failure::new(403, "not sealed")) };
        let mut unheard = lock(&self.unheard);
        match unheard.get_mut(&(from, self.me, batch)) {
            Some(times @ 1..) => *times -= 1,
            Some(_) => panic!("a node has heard something more often than it was said"),
            None => panic!("a node has heard what nobody said to it"),
        }
        Ok(self.life)
    }

    fn life(&self) -> std::result::Result<Life, Failure> {
        Ok(self.life)
    }

    fn list(&self) -> Arc<Vec<Value>> {
        Arc::default()
    }
}

/// Packets on their way, and who waits for their answers.
#[derive(Clone)]
struct Wire(Arc<Mutex<Vec<Letter>>>);

#[derive(Clone)]
struct Letter {
    to: usize,
    bytes: Vec<u8>,
    answer: Arc<Mutex<Option<std::result::Result<Life, Failure>>>>,
}

impl Wire {
    fn len(&self) -> usize {
        lock(&self.0).len()
    }

    fn take(&self, packet: u8) -> Option<Letter> {
        let mut letters = lock(&self.0);
        let at = usize::from(packet) % letters.len().max(1);
        (at < letters.len()).then(|| letters.remove(at))
    }

    fn copy(&self, packet: u8) -> Option<Letter> {
        let letters = lock(&self.0);
        letters.get(usize::from(packet) % letters.len().max(1)).cloned()
    }

    fn bytes(&self, packet: u8) -> Option<Vec<u8>> {
        self.copy(packet).map(|letter| letter.bytes)
    }

    fn change(&self, packet: u8, change: impl FnOnce(&mut Vec<u8>)) {
        let mut letters = lock(&self.0);
        let at = usize::from(packet) % letters.len().max(1);
        if let Some(letter) = letters.get_mut(at) {
            change(&mut letter.bytes);
        }
    }

    fn divert(&self, packet: u8, to: usize) {
        let mut letters = lock(&self.0);
        let at = usize::from(packet) % letters.len().max(1);
        if let Some(letter) = letters.get_mut(at) {
            letter.to = to;
        }
    }
}

#[async_trait]
impl Transport for Wire {
    async fn request(&self, to: &Address, _: Request) -> std::result::Result<Answer, TransportError> {
        Err(TransportError::NoTransport { to: to.clone() })
    }

    async fn deliver(&self, to: &Address, batch: Batch) -> std::result::Result<Life, TransportError> {
        let node = to.as_str().trim_start_matches("sim:").parse().expect("nodes are numbers");
        let answer = Arc::default();
        lock(&self.0).push(Letter { to: node, bytes: batch.pieces.concat(), answer: Arc::clone(&answer) });
        // All tasks are polled at every turn, so nobody need be woken. A letter that was lost has no other owner.
        let outcome = poll_fn(|_| match (lock(&answer).take(), Arc::strong_count(&answer)) {
            (Some(outcome), _) => Poll::Ready(Some(outcome)),
            (None, 1) => Poll::Ready(None),
            (None, _) => Poll::Pending,
        });
        match outcome.await {
            Some(outcome) => outcome.map_err(|failure| TransportError::Refused { to: to.clone(), failure }),
            None => Err(TransportError::Broken { to: to.clone(), why: "lost".to_owned() }),
        }
    }

    async fn lost(&self, to: &Address, _: Life) -> TransportError {
        let () = std::future::pending().await;
        TransportError::Restarted { to: to.clone() }
    }

    fn assurance(&self, _: &Address) -> Assurance {
        Assurance::None
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
