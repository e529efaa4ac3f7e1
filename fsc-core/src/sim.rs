//! The simulator: all parties of a run on one thread, in simulated time, under faults drawn from one seed.
//!
//! Envelopes travel as bytes here too. The seed determines everything, so a failure repeats.

use std::any::Any;
use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use bytes::Bytes;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;
use zeroize::Zeroizing;

use crate::clock::Time;
use crate::envelope::{Content, Envelope, Topic};
use crate::joining::Keys;
use crate::keepsake::{Keepsake, KeepsakeId};
use crate::object::ObjectError;
use crate::protocol::{Cost, Prepared, Protocol, prepare};
use crate::secret::Secret;
use crate::session::{Deadlines, Outcome, Session, Setup};
use crate::transport::{Address, Batch};

pub mod bus;
mod stage;

pub use stage::{HandClock, Nowhere, environment};

/// What goes wrong on the way. Probabilities are per envelope.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// Envelopes arrive in random order.
    pub reorder: bool,
    /// How likely an envelope arrives twice.
    pub duplicate: f64,
    /// How likely an envelope gets lost.
    pub lose: f64,
    /// How likely one bit of an envelope flips.
    pub flip: f64,
    /// A party that says nothing more after so many envelopes.
    pub silent: Option<(usize, usize)>,
    /// Mail of an earlier run, thrown in at random moments.
    pub replay: Vec<Vec<u8>>,
    /// How long every envelope takes, in simulated time; where they are not reordered. Computing takes none.
    pub delay: Duration,
}

/// One envelope that was sent, as bytes and as what it says.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The encoding.
    pub bytes: Vec<u8>,
    /// What it says.
    pub envelope: Envelope,
}

/// A finished simulation.
pub struct Report {
    /// Every party's outcome.
    pub outcomes: Vec<Outcome>,
    /// Everything that was sent, in order, before faults.
    pub transcript: Vec<Sent>,
    /// What each party sent after joining.
    pub costs: Vec<Cost>,
    /// The simulated time that it took.
    pub took: Duration,
}

impl Report {
    /// The payloads that `from` sent to `to`, in order.
    pub fn payloads(&self, from: usize, to: usize) -> Vec<Bytes> {
        let mail = self.transcript.iter().filter_map(|sent| match &sent.envelope.content {
            Content::Mail(mail) if usize::from(sent.envelope.route.from) == from => Some((&sent.envelope.route, mail)),
            _ => None,
        });
        mail.filter(|(route, _)| usize::from(route.to) == to).map(|(_, mail)| mail.payload.clone()).collect()
    }

    /// What an onlooker sees of the mail without reading it: from, to, and length, in order.
    pub fn shape(&self) -> Vec<(u16, u16, usize)> {
        let mail = self.transcript.iter().filter_map(|sent| match &sent.envelope.content {
            Content::Mail(mail) => Some((sent.envelope.route.from, sent.envelope.route.to, mail.payload.len())),
            _ => None,
        });
        mail.collect()
    }
}

/// All parties of one run.
pub struct World {
    sessions: Vec<Session>,
    wire: VecDeque<(usize, Vec<u8>)>,
    now: Time,
    rng: ChaCha20Rng,
    faults: Faults,
    envelopes_of: Vec<usize>,
    transcript: Vec<Sent>,
}

impl World {
    /// A world in which every party runs what was prepared for it, in order of place, at nodes with these keys.
    pub fn new(prepared: Vec<Prepared>, keys: &[Arc<Keys>], seed: u64, faults: Faults) -> Self {
        let parties = prepared.len();
        let session = |(me, prepared)| {
            let keys = Arc::clone(&keys[me]);
            Session::new(Setup { keys, ..setup(me, parties, prepared, seed) }, Time::START)
        };
        Self::of(prepared.into_iter().enumerate().map(session).collect(), seed, faults)
    }

    /// A world of these sessions, in order of place; the seed is that of what happens to their mail.
    pub fn of(sessions: Vec<Session>, seed: u64, faults: Faults) -> Self {
        Self {
            envelopes_of: vec![0; sessions.len()],
            sessions,
            wire: VecDeque::new(),
            now: Time::START,
            rng: ChaCha20Rng::seed_from_u64(seed),
            faults,
            transcript: Vec::new(),
        }
    }

    /// Has the party at `place` draw what it keeps to itself from another seed; its hello, and so the run, stays the same.
    #[must_use]
    pub fn reseeded(mut self, place: usize, seed: u64) -> Self {
        self.sessions[place].reseed(seed_for(seed, place, "protocol"));
        self
    }

    /// Runs to the end of all sessions.
    pub fn run(mut self) -> Report {
        loop {
            self.poll_all();
            if self.sessions.iter().all(|session| session.outcome().is_some()) {
                break;
            }
            if self.wire.is_empty() {
                let next = self.sessions.iter_mut().filter_map(|session| session.poll_timeout(self.now)).min();
                self.now = self.now.max(next.expect("a session that has not ended has a deadline"));
            }
            self.deliver();
        }
        Report {
            costs: self.sessions.iter().map(|session| session.progress().sent).collect(),
            outcomes: self.sessions.into_iter().filter_map(Session::into_outcome).collect(),
            transcript: self.transcript,
            took: self.now.since_start(),
        }
    }

    fn poll_all(&mut self) {
        for place in 0..self.sessions.len() {
            let session = &mut self.sessions[place];
            let _ = session.poll(&mut Context::from_waker(Waker::noop()), self.now);
            while let Some(envelope) = self.sessions[place].poll_transmit() {
                self.post(place, envelope);
            }
        }
    }

    fn post(&mut self, from: usize, envelope: Envelope) {
        let bytes = encode(&envelope);
        let to = usize::from(envelope.route.to);
        self.envelopes_of[from] += 1;
        let falls_silent = self.faults.silent.filter(|(place, _)| *place == from);
        if falls_silent.is_some_and(|(_, after)| self.envelopes_of[from] > after) {
            return;
        }
        self.transcript.push(Sent { bytes: bytes.clone(), envelope });
        if self.faults.lose > 0.0 && self.rng.random_bool(self.faults.lose) {
            return;
        }
        if self.faults.duplicate > 0.0 && self.rng.random_bool(self.faults.duplicate) {
            self.wire.push_back((to, bytes.clone()));
        }
        let bytes = if self.faults.flip > 0.0 && self.rng.random_bool(self.faults.flip) {
            let mut flipped = bytes;
            let bit = self.rng.random_range(0..flipped.len() * 8);
            flipped[bit / 8] ^= 1 << (bit % 8);
            flipped
        } else {
            bytes
        };
        self.wire.push_back((to, bytes));
    }

    /// Delivers what is on the wire: all of it in order, or one envelope at random.
    fn deliver(&mut self) {
        if !self.faults.replay.is_empty() && self.rng.random_bool(0.5) {
            let letter = self.faults.replay.swap_remove(self.rng.random_range(0..self.faults.replay.len()));
            self.hand_over(None, letter);
        }
        if self.faults.reorder && !self.wire.is_empty() {
            let index = self.rng.random_range(0..self.wire.len());
            if let Some((to, letter)) = self.wire.swap_remove_back(index) {
                self.hand_over(Some(to), letter);
            }
            return;
        }
        if !self.wire.is_empty() {
            self.now = self.now + self.faults.delay;
        }
        for (to, letter) in std::mem::take(&mut self.wire) {
            self.hand_over(Some(to), letter);
        }
    }

    /// Hands bytes to a session; what does not decode, a node would refuse.
    fn hand_over(&mut self, to: Option<usize>, letter: Vec<u8>) {
        for envelope in Envelope::decode_all(letter.into()).unwrap_or_default() {
            let to = to.unwrap_or(usize::from(envelope.route.to));
            if let Some(session) = self.sessions.get_mut(to) {
                let _ = session.handle(envelope);
            }
        }
    }
}

/// Simulates a protocol: one input per party, everything else from the seed.
pub fn simulate<P: Protocol>(
    params: &P::Params,
    inputs: Vec<P::Input>,
    seed: u64,
    faults: Faults,
) -> Result<Report, ObjectError> {
    let keys = keys(inputs.len(), seed);
    simulate_among::<P>(params, inputs, &keys, seed, faults)
}

/// Simulates a protocol among nodes with these keys, and what they kept in earlier runs.
pub fn simulate_among<P: Protocol>(
    params: &P::Params,
    inputs: Vec<P::Input>,
    keys: &[Arc<Keys>],
    seed: u64,
    faults: Faults,
) -> Result<Report, ObjectError> {
    let prepared = inputs.into_iter().map(|input| prepare::<P>(params.clone(), Secret::new(input)));
    Ok(World::new(prepared.collect::<Result<_, _>>()?, keys, seed, faults).run())
}

/// The keys of simulated nodes, in order of place.
pub fn keys(parties: usize, seed: u64) -> Vec<Arc<Keys>> {
    (0..parties).map(|me| Arc::new(Keys::from_seed(&seed_for(seed, me, "keys")))).collect()
}

/// Has the simulated nodes `one` and `other` keep these halves, as if they had met in an earlier run.
pub fn acquaint<T: Any + Send + Sync>(keys: &[Arc<Keys>], [one, other]: [usize; 2], halves: [T; 2]) {
    for ((me, peer), half) in [(one, other), (other, one)].into_iter().zip(halves) {
        let keepsake = Keepsake { id: KeepsakeId([1; 8]), peer: keys[peer].public(), half: Arc::new(half) };
        keys[me].keepsakes().keep(address(peer), keepsake, KeepsakeId::NONE);
    }
}

/// Has the simulated nodes `one` and `other` agree on a secret drawn from a seed, as if the exchange of keys were a random
/// function: whoever has neither's key can't tell, whatever it knows else.
pub fn agree(keys: &[Arc<Keys>], [one, other]: [usize; 2], seed: u64) {
    let secret = seed_for(seed, one.min(other) << 16 | one.max(other), "agreement");
    for (me, peer) in [(one, other), (other, one)] {
        keys[me].plant(keys[peer].public(), secret);
    }
}

/// What a simulated party starts from.
pub fn setup(me: usize, parties: usize, prepared: Prepared, seed: u64) -> Setup {
    Setup {
        topic: Topic::of("simulated"),
        me,
        parties: (0..parties).map(address).collect(),
        prepared,
        keys: Arc::new(Keys::from_seed(&seed_for(seed, me, "keys"))),
        seed: Zeroizing::new(seed_for(seed, me, "session")),
        deadlines: Deadlines::default(),
    }
}

fn seed_for(seed: u64, me: usize, purpose: &str) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key("fsc simulator");
    hasher.update(&seed.to_le_bytes()).update(&(me as u64).to_le_bytes()).update(purpose.as_bytes());
    *hasher.finalize().as_bytes()
}

/// The encoding of one envelope.
pub fn encode(envelope: &Envelope) -> Vec<u8> {
    let mut batch = Batch::default();
    envelope.encode_into(&mut batch);
    batch.pieces.concat()
}

fn address(place: usize) -> Address {
    format!("sim:{place}").parse().expect("a scheme and a number are an address")
}
