//! A line between two [`Link`]s in simulated time, and what may happen to it.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use fsc_core::clock::Time;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::fault::Fault;
use super::hello::{Features, Terms};
use super::link::{Event, Link, LinkConfig, StreamId};
use super::mux::{AskId, Kind};

pub(super) const TERMS: Terms = Terms {
    mtu: 512,
    window: 32,
    buffer: 16 << 10,
    streams: 64,
    credit: 2048,
    longest: 64 << 20,
    offers: Features::KNOWN,
    needs: Features(0),
};

pub(super) fn config(baud: u32) -> LinkConfig {
    LinkConfig {
        terms: TERMS,
        baud: Some(baud),
        patience: Duration::from_secs(30),
        keep_alive: Duration::from_secs(5),
        memory: 32 << 20,
        asks: 1000,
    }
}

/// What goes wrong on a line. Probabilities.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Faults {
    /// Of each bit.
    pub(super) flip: f64,
    /// Of each byte.
    pub(super) lose: f64,
    pub(super) insert: f64,
    /// Of each frame.
    pub(super) drop: f64,
    pub(super) repeat: f64,
    pub(super) cut: f64,
}

/// One direction.
struct Wire {
    per_byte: Duration,
    latency: Duration,
    busy: Time,
    under_way: VecDeque<(Time, Vec<u8>)>,
    carried: usize,
}

/// What became of a question.
pub(super) type Outcome = Result<(Kind, Bytes), Fault>;

/// One end, and what it lived through.
pub(super) struct End {
    pub(super) link: Link,
    /// What it was asked, each answered by [`answer`] unless it is silent.
    pub(super) asked: Vec<(StreamId, Kind, Bytes)>,
    pub(super) outcomes: Vec<(AskId, Outcome)>,
    pub(super) withdrawn: Vec<StreamId>,
    pub(super) connected: usize,
    pub(super) lost: Vec<Fault>,
    pub(super) silent: bool,
    /// It refuses what is announced.
    pub(super) refuses: bool,
}

/// Two ends and the line between them.
pub(super) struct Scene {
    pub(super) now: Time,
    pub(super) ends: [End; 2],
    wires: [Wire; 2],
    pub(super) faults: Faults,
    pub(super) is_cut: bool,
    rng: ChaCha8Rng,
    lives: u64,
    seed: u64,
}

impl Scene {
    /// A line of `baud` on which everything takes `latency` longer.
    pub(super) fn new(seed: u64, configs: [LinkConfig; 2], baud: u32, latency: Duration) -> Self {
        let per_byte = Duration::from_nanos(10_000_000_000 / u64::from(baud));
        let wire = || Wire { per_byte, latency, busy: Time::START, under_way: VecDeque::new(), carried: 0 };
        let mut lives = 0;
        let ends = configs.map(|config| {
            lives += 1;
            End::new(config, seed.wrapping_add(lives))
        });
        let rng = ChaCha8Rng::seed_from_u64(seed);
        let now = Time::START + Duration::from_secs(1);
        let mut scene =
            Self { now, ends, wires: [wire(), wire()], faults: Faults::default(), is_cut: false, rng, lives, seed };
        scene.ends.iter_mut().for_each(|end| end.link.plug_in(now));
        scene
    }

    /// Both ends have met.
    pub(super) fn connected(seed: u64, config: LinkConfig, baud: u32, latency: Duration) -> Self {
        let mut scene = Self::new(seed, [config; 2], baud, latency);
        let met = |scene: &Self| scene.ends.iter().all(|end| end.link.is_connected());
        assert!(scene.run(Duration::from_secs(2), met), "they did not meet");
        scene.pass(Duration::from_millis(500));
        scene
    }

    pub(super) fn ask(&mut self, end: usize, kind: Kind, message: Bytes, patience: Option<Duration>) -> AskId {
        self.ends[end].link.ask(kind, message, patience, self.now).unwrap()
    }

    /// The process at `end` dies, and another one starts.
    pub(super) fn restart(&mut self, end: usize, config: LinkConfig) {
        self.lives += 1;
        self.ends[end] = End::new(config, self.seed.wrapping_add(self.lives));
        self.ends[end].link.plug_in(self.now);
    }

    /// Lets time pass until `done`, or `patience` has passed. Whether it is done.
    pub(super) fn run(&mut self, patience: Duration, done: impl Fn(&Self) -> bool) -> bool {
        let until = self.now + patience;
        loop {
            self.settle();
            if done(self) {
                return true;
            }
            let arrivals = self.wires.iter().filter_map(|wire| Some(wire.under_way.front()?.0));
            let timeouts = self.ends.iter().filter_map(|end| end.link.poll_timeout());
            let next = arrivals.chain(timeouts).min().unwrap_or(until).max(self.now);
            // A timer that is due and does nothing would hold up time for ever.
            let next = if next == self.now { next + Duration::from_micros(100) } else { next };
            if next > until {
                self.now = until;
                return false;
            }
            self.now = next;
        }
    }

    pub(super) fn pass(&mut self, span: Duration) {
        self.run(span, |_| false);
    }

    /// How many bytes went over the line, both ways.
    pub(super) fn carried(&self) -> usize {
        self.wires.iter().map(|wire| wire.carried).sum()
    }

    /// The outcome of a question, which has come to its end.
    pub(super) fn outcome(&self, end: usize, ask: AskId) -> Option<&Outcome> {
        let mut outcomes = self.ends[end].outcomes.iter().filter(|(of, _)| *of == ask);
        let outcome = outcomes.next().map(|(_, outcome)| outcome);
        assert!(outcomes.next().is_none(), "a question has two outcomes");
        outcome
    }

    /// Everything that can happen now.
    fn settle(&mut self) {
        for from in 0..2 {
            while let Some((_, bytes)) = self.wires[from].under_way.pop_front_if(|(at, _)| *at <= self.now) {
                self.ends[1 - from].link.handle_bytes(self.now, &bytes);
            }
        }
        for end in 0..2 {
            self.ends[end].link.handle_timeout(self.now);
            self.ends[end].live();
            let mut out = Vec::new();
            while self.ends[end].link.poll_transmit(self.now, &mut out) {
                self.carry(end, &std::mem::take(&mut out));
            }
        }
    }

    fn carry(&mut self, from: usize, frame: &[u8]) {
        let times = if self.rng.random_bool(self.faults.repeat) { 2 } else { 1 };
        for _ in 0..times {
            let wire = &mut self.wires[from];
            wire.carried += frame.len();
            wire.busy = wire.busy.max(self.now) + wire.per_byte * frame.len() as u32;
            if self.is_cut || self.rng.random_bool(self.faults.drop) {
                continue;
            }
            let mut bytes = frame.to_vec();
            if self.rng.random_bool(self.faults.cut) {
                bytes.truncate(self.rng.random_range(0..frame.len()));
            }
            damage(&mut bytes, self.faults, &mut self.rng);
            let wire = &mut self.wires[from];
            wire.under_way.push_back((wire.busy + wire.latency, bytes));
        }
    }
}

impl End {
    fn new(config: LinkConfig, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let link = Link::new(config, Box::new(move || rng.random()));
        let (asked, outcomes, withdrawn, lost) = Default::default();
        Self { link, asked, outcomes, withdrawn, connected: 0, lost, silent: false, refuses: false }
    }

    /// Takes note of what has happened, and answers.
    fn live(&mut self) {
        while let Some(event) = self.link.poll_event() {
            match event {
                Event::Announced { stream, .. } => {
                    if self.refuses {
                        self.link.reply(stream, Kind::Failure, Bytes::from_static(b"no")).unwrap();
                    }
                }
                Event::Asked { stream, kind, message } => {
                    if !self.silent {
                        let reply = if kind == Kind::Request { Kind::Answer } else { Kind::Life };
                        self.link.reply(stream, reply, answer(&message)).unwrap();
                    }
                    self.asked.push((stream, kind, message));
                }
                Event::Withdrawn { stream } => self.withdrawn.push(stream),
                Event::Answered { ask, kind, message } => self.outcomes.push((ask, Ok((kind, message)))),
                Event::Failed { ask, fault } => self.outcomes.push((ask, Err(fault))),
                Event::Connected => self.connected += 1,
                Event::Disconnected { fault } => self.lost.push(fault),
            }
        }
    }
}

/// A question that is like no other, with an answer of a length of its own.
pub(super) fn question(number: u32, length: usize, answer: u32) -> Bytes {
    let mut bytes = [answer.to_le_bytes(), number.to_le_bytes()].concat();
    let mut state = number.wrapping_mul(0x9e37_79b9) | 1;
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        bytes.push(state as u8);
    }
    bytes.into()
}

/// What the other end answers to a question; tells whether all of it has arrived.
pub(super) fn answer(question: &[u8]) -> Bytes {
    let length = question.first_chunk().map_or(0, |length| u32::from_le_bytes(*length) as usize);
    let digest = question.iter().fold(7_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(*byte)));
    digest.to_le_bytes().into_iter().cycle().take(length.max(4)).collect()
}

fn damage(bytes: &mut Vec<u8>, faults: Faults, rng: &mut ChaCha8Rng) {
    for at in hits(faults.flip, bytes.len() * 8, rng) {
        bytes[at / 8] ^= 1 << (at % 8);
    }
    for at in hits(faults.lose, bytes.len(), rng).into_iter().rev() {
        bytes.remove(at);
    }
    for at in hits(faults.insert, bytes.len(), rng).into_iter().rev() {
        bytes.insert(at, rng.random());
    }
}

/// Which of `count` things are hit, each with probability `p`.
fn hits(p: f64, count: usize, rng: &mut ChaCha8Rng) -> Vec<usize> {
    let mut found = Vec::new();
    if p <= 0.0 {
        return found;
    }
    let mut at = 0.0;
    loop {
        // The distance to the next hit is geometrically distributed.
        let uniform: f64 = rng.random_range(f64::MIN_POSITIVE..1.0);
        at += (uniform.ln() / (1.0 - p).ln()).floor();
        if at >= count as f64 {
            return found;
        }
        found.push(at as usize);
        at += 1.0;
    }
}
