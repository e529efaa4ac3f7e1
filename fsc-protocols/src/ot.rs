//! Oblivious transfer between every two parties of a run.
//!
//! ```text
//!   product     X·Y, X at one party and Y at another, in shares of a ring
//!   random      strings of bits, of which the receiver gets one of two
//!   hash          from correlated strings to independent ones
//!   softspoken  correlated OT: t at the receiver, q = t ⊕ choice·Δ at the sender
//!   base        128 OTs of keys, when two nodes meet for the first time
//! ```
//!
//! Two nodes that have met keep what the base OTs made ([`Acquaintance`]), so that all runs but the first begin with symmetric
//! cryptography, and without a message. Each pair has OTs in both directions, each with a Δ of its own.
//!
//! # Security
//!
//! Semi-honest adversary, any number of corrupt parties: pairs share nothing with one another. A node that keeps its Δ uses it in
//! all its runs with that peer, so two things must not repeat, and are derived from a key of the run for that: the places in
//! leaves' streams, and the hash function's permutation. A malicious receiver of OTs could learn bits of Δ run by run; no consistency
//! check is made here.
//!
//! # Leakage
//!
//! None. Who has met whom is known to both.
//!
//! # Wire
//!
//! At a first meeting, each of the two sends 8,224 bytes, and when it has the other's, 4,096 bytes. Later nothing.
//!
//! # Differences from the reference
//!
//! The reference has nothing like it: where it needs products or comparisons it shows intermediate values around.

use std::sync::Arc;

use bytes::Bytes;
use fsc_core::party::Party;
use fsc_core::protocol::{Cost, ProtocolError};
use zeroize::Zeroizing;

use base::{BaseError, Context, RECEIVER_MESSAGE, SENDER_MESSAGE};
use hash::Hash;
pub use random::{Receiver, Sender};
use softspoken::{CORRECTION, ExtensionError, ReceiverSeeds, SenderSeeds, draw_delta};

pub mod base;
pub mod hash;
pub mod product;
pub mod random;
pub mod softspoken;

/// My half of what two nodes keep that have met.
pub struct Acquaintance {
    sender: Arc<SenderSeeds>,
    receiver: Arc<ReceiverSeeds>,
}

/// The OTs between this party and another one, in one run.
pub struct Pair {
    /// OTs to the other.
    pub sender: Sender,
    /// OTs from the other.
    pub receiver: Receiver,
}

/// A key of the run for each other party, which only the two have.
pub(crate) type Runs = Vec<(usize, Zeroizing<[u8; 32]>)>;

/// The OTs between this party and all others, in one run.
pub struct Pairs(Vec<Option<Pair>>);

impl Pairs {
    /// Meets all others. All parties of a run do it at the same point, and not while they are at it already.
    pub async fn connect(party: &mut Party) -> Result<Self, ProtocolError> {
        let runs: Runs = party.others().map(|other| (other, party.mask_key(other))).collect();
        let strangers = runs.iter().filter(|(other, _)| party.kept::<Acquaintance>(*other).is_none());
        meet(party, &strangers.collect::<Vec<_>>()).await?;
        Ok(Self::start(party, &runs))
    }

    /// The OTs with those that were met, under these keys.
    pub(crate) fn start(party: &Party, runs: &Runs) -> Self {
        let mut pairs: Vec<Option<Pair>> = (0..party.parties()).map(|_| None).collect();
        for (other, run) in runs {
            pairs[*other] = party.kept::<Acquaintance>(*other).map(|half| half.start(party.me() < *other, run));
        }
        Self(pairs)
    }

    /// What connecting sends to so many others that were never met, at one party.
    pub const fn meeting_cost(strangers: usize) -> Cost {
        let bytes = RECEIVER_MESSAGE + SENDER_MESSAGE + CORRECTION;
        let rounds = if strangers == 0 { 0 } else { 2 };
        Cost { rounds, messages: 2 * strangers as u64, bytes: (strangers * bytes) as u64 }
    }

    /// The OTs between this party and that one.
    ///
    /// # Panics
    /// If that is no other party.
    pub fn with(&mut self, other: usize) -> &mut Pair {
        self.0[other].as_mut().expect("a party has OTs with all others")
    }
}

impl Acquaintance {
    /// The OTs of one run, of a key that only the two parties have. Of the two, one has the lower place.
    fn start(&self, lower: bool, run: &[u8; 32]) -> Pair {
        let hash = |receiver_is_lower: bool| {
            let key = blake3::Hasher::new_keyed(run).update(b"ot hash").update(&[receiver_is_lower.into()]).finalize();
            let (key, _) = key.as_bytes().split_first_chunk().expect("16 of 32 bytes");
            Hash::new(key)
        };
        Pair {
            sender: Sender { extension: self.sender.start(run), hash: hash(!lower) },
            receiver: Receiver { extension: self.receiver.start(run), hash: hash(lower) },
        }
    }
}

/// Makes the acquaintance of those others, given a key of the run with each: base OTs in both directions, then corrections.
async fn meet(party: &mut Party, strangers: &[&(usize, Zeroizing<[u8; 32]>)]) -> Result<(), ProtocolError> {
    let mut meetings = Vec::with_capacity(strangers.len());
    for (other, run) in strangers {
        let (meeting, message) = Meeting::new(party, *other, run);
        party.send(*other, message);
        meetings.push(meeting);
    }
    let places = || strangers.iter().map(|(other, _)| *other);
    let theirs = party.recv_each(places()).await?;
    let mut met = Vec::with_capacity(meetings.len());
    for meeting in meetings {
        let other = meeting.other;
        let (half, correction) = meeting.heard(&theirs[other])?;
        party.send(other, correction);
        met.push(half);
    }
    let corrections = party.recv_each(places()).await?;
    for half in met {
        let other = half.other;
        party.keep(other, Arc::new(half.corrected(&corrections[other])?));
    }
    Ok(())
}

/// A first meeting, when my message was sent.
struct Meeting<'a> {
    other: usize,
    run: &'a [u8; 32],
    me: usize,
    delta: Zeroizing<u128>,
    sender: base::Sender,
    receiver: base::Receiver,
}

/// A first meeting, when the base OTs are made.
struct Met {
    other: usize,
    delta: Zeroizing<u128>,
    chosen: base::ChosenKeys,
    receiver: ReceiverSeeds,
}

impl<'a> Meeting<'a> {
    /// My message: as the sender of base OTs, from which my leaves as the receiver of OTs grow, and as their receiver.
    fn new(party: &mut Party, other: usize, run: &'a [u8; 32]) -> (Self, Bytes) {
        let me = party.me();
        let delta = draw_delta(party.rng());
        let sender = base::Sender::new(party.rng());
        let receiver = base::Receiver::new(context(other, me, run), SenderSeeds::choices(*delta), party.rng());
        let message = [&sender.message()[..], receiver.message()].concat().into();
        (Self { other, run, me, delta, sender, receiver }, message)
    }

    /// With the other's message: my correction.
    fn heard(self, theirs: &[u8]) -> Result<(Met, Bytes), ProtocolError> {
        let malformed = |error: BaseError| match error {
            BaseError::Length => malformed(self.other, "its base OTs have another length than expected"),
            BaseError::NoPoint => malformed(self.other, "its base OTs hold something else than points"),
        };
        let (their_sender, their_receiver) =
            theirs.split_at_checked(SENDER_MESSAGE).ok_or_else(|| malformed(BaseError::Length))?;
        let [mine, their] = [context(self.me, self.other, self.run), context(self.other, self.me, self.run)];
        let both = self.sender.keys(mine, their_receiver).map_err(malformed)?;
        let chosen = self.receiver.keys(their, their_sender).map_err(malformed)?;
        let (receiver, correction) = ReceiverSeeds::plant(&both);
        Ok((Met { other: self.other, delta: self.delta, chosen, receiver }, correction))
    }
}

/// Base OTs' directions are named by their sender: 0, if it has the lower place.
fn context(sender: usize, receiver: usize, run: &[u8; 32]) -> Context<'_> {
    Context { run, direction: (sender > receiver).into() }
}

impl Met {
    /// With the other's correction: all that is to be kept.
    fn corrected(self, correction: &[u8]) -> Result<Acquaintance, ProtocolError> {
        let sender =
            SenderSeeds::grow(*self.delta, &self.chosen, correction).map_err(|error| bad(self.other, error))?;
        Ok(Acquaintance { sender: Arc::new(sender), receiver: Arc::new(self.receiver) })
    }
}

/// What a message of an extension makes its sender.
pub(crate) fn bad(party: usize, error: ExtensionError) -> ProtocolError {
    match error {
        ExtensionError::Length { .. } => malformed(party, "its part of an OT extension has another length than agreed"),
    }
}

pub(crate) const fn malformed(party: usize, why: &'static str) -> ProtocolError {
    ProtocolError::Malformed { party, why }
}

/// Has simulated nodes know one another as if they had met in an earlier run; without exponentiations, and by their keys alone.
#[cfg(any(test, feature = "sim"))]
pub fn acquaint(keys: &[Arc<fsc_core::joining::Keys>]) {
    acquaint_beside(keys, &(0..keys.len()).collect::<Vec<_>>(), 0);
}

/// The same, but what the nodes at the places of a `coalition` do not know together comes from a seed: the rest, all that they
/// kept, is the same for every seed.
#[cfg(any(test, feature = "sim"))]
pub fn acquaint_beside(keys: &[Arc<fsc_core::joining::Keys>], coalition: &[usize], seed: u64) {
    use rand::SeedableRng;
    for (other, theirs) in keys.iter().enumerate() {
        for (me, mine) in keys.iter().enumerate().take(other) {
            let rng = |seed: &[u8]| {
                let mut hasher = blake3::Hasher::new_derive_key("fsc acquaintance of simulated nodes");
                hasher.update(&mine.public()).update(&theirs.public()).update(seed);
                fsc_core::laws::ChaCha20Rng::from_seed(*hasher.finalize().as_bytes())
            };
            let (mut known, mut hidden) = (rng(&[]), rng(&seed.to_le_bytes()));
            let [mine, theirs] = [me, other].map(|place| coalition.contains(&place));
            let (sender, their_receiver) = softspoken::deal_beside([mine, theirs], &mut known, &mut hidden);
            let (their_sender, receiver) = softspoken::deal_beside([theirs, mine], &mut known, &mut hidden);
            let halves =
                [Acquaintance { sender, receiver }, Acquaintance { sender: their_sender, receiver: their_receiver }];
            fsc_core::sim::acquaint(keys, [me, other], halves);
        }
    }
}

#[cfg(test)]
mod tests;
