//! Invitations: how two nodes learn each other's keys from a code that one person tells another, and words that both compare.
//!
//! ```text
//!   guest (fsc join)                                 host (fsc serve)                  its person (fsc invite)
//!     │ 4 lookup, e             ─── collect ──▶        finds the key by the lookup
//!     │ 5 e, s, commitment      ◀──────────────
//!     │ 6 s, nonce, address     ─── collect ──▶        the token is void now     ──▶   sees words, says yes or no
//!     │ 7 nonce                 ◀──────────────
//!     │ shows words, asks its person
//!     │ 8 yes or no             ─── collect ──▶        (again, until there is a verdict)
//!     │ 9 the verdict           ◀──────────────                                  ◀──   both said yes, or not
//! ```
//!
//! # Security
//!
//! Adversary: anybody on the way, active. **Who has not seen the code** can't take part: both messages that name a node are sealed under
//! keys that depend on 80 random bits of the token (psk0), which are derived from nothing else and void after one use, ten minutes
//! or so, or 5 attempts with the wrong key. Listening to a handshake, or taking part in it with a guess, tests one token; an offline
//! search over 2^80 tokens outlasts the invitation, and a token is of no use after it.
//!
//! **Who has seen the code**, and sits between the two, can play the host to the guest and the guest to the host. The words expose
//! that: they are 64 bits of a digest of Noise's handshake hash, which covers both keys, and of the host's nonce. The host is bound to its nonce
//! (commitment) before it sees the guest's, which is part of the handshake hash, and shows its own only after that. So whoever sits between has
//! fixed all of its contributions on either side before it can know either side's words, and succeeds with 2^-64, once: the
//! invitation is void then. Without the commitment it could vary its keys and payloads on both sides, and find equal words with about
//! 2^32 hashes by the birthday paradox, within a deadline that people can bear (Vaudenay, Secure Communications over Insecure Channels Based on Short Authenticated Strings,
//! CRYPTO 2005, sections 3 and 4).
//!
//! Neither list changes before both people have said yes. Who sits on the way can keep the verdict from the guest; then the host lists
//! the guest and not the other way round, which both sides are told how to mend.
//!
//! # Leakage
//!
//! Who listens sees that somebody joins, by which lookup, the length of the guest's address, and when people decide. Keys of nodes are not seen (XX).

mod code;
mod handshake;
#[cfg(test)]
mod tests;
mod words;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use fsc_core::bus::{Failure, Principal, Request, Response};
use fsc_core::clock::{self, Time};
use fsc_core::identity::{NodeId, NodeKey};
use fsc_core::transport::{Address, Handler, Life, Origin, Transport, TransportError};
use fsc_core::value::Value;

use self::handshake::{Host, Joiner, Talk};
use super::counts::Refusal;
use super::office::{HANDSHAKE, Office, Pace};
use super::packet::{Kind, Packet, take};

pub use code::{Code, Lookup, NotACode, Psk};
pub use words::Words;

/// How long two people may take to compare words.
pub const DECISION: Duration = Duration::from_mins(10);

/// Attempts without the right key after which an invitation is void.
pub const MOST_FAILURES: u8 = 5;

/// Handshakes under way, and people comparing words, at a time.
const MOST_GUESTS: usize = 64;

/// Handshakes under way by one invitation: first messages can be replayed.
const MOST_EACH: usize = 4;

/// Who has joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guest {
    /// Its id.
    pub id: NodeId,
    /// Where it can be reached; nothing, if it collects its mail here.
    pub address: Option<Address>,
    /// What its person must see, too.
    pub words: Words,
}

/// What became of an invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Somebody said that the words differ.
    Declined,
    /// Both people have agreed, and the host lists the guest.
    Agreed,
}

/// The invitations of a node, wherever it keeps them. Calls are short, and may come from any thread.
pub trait Invitations: Send + Sync + 'static {
    /// The key of an invitation that is open: not expired, used, or void.
    fn find(&self, lookup: Lookup) -> Option<Psk>;

    /// Makes an invitation void, since too many have failed to use it.
    fn revoke(&self, lookup: Lookup);

    /// Makes an invitation void, since `guest` has used it. Answers whether it was open until then.
    fn claim(&self, lookup: Lookup, guest: &Guest) -> bool;

    /// Hears whether the guest's person agrees; may hear it often.
    fn hear(&self, lookup: Lookup, agrees: bool);

    /// What became of an invitation that was claimed, as soon as that is known.
    fn verdict(&self, lookup: Lookup) -> Option<Verdict>;
}

/// A listener that lets in who was invited, before another one.
pub(super) struct Reception {
    office: Arc<Office>,
    invitations: Arc<dyn Invitations>,
    inner: Arc<dyn Handler>,
    state: Mutex<State>,
}

struct State {
    guests: HashMap<u32, (Lookup, Time, Stage)>,
    /// How often each open invitation was tried in vain.
    failures: HashMap<Lookup, u8>,
    /// For those who name no open invitation.
    guesses: Pace,
}

enum Stage {
    Greeted(Box<Host>),
    Claimed(Box<Talk>),
}

impl Stage {
    const fn lasts(&self) -> Duration {
        match self {
            Self::Greeted(_) => HANDSHAKE,
            // Who decides at the last moment is still heard.
            Self::Claimed(_) => DECISION.saturating_add(HANDSHAKE),
        }
    }
}

impl Reception {
    pub(super) fn new(office: Arc<Office>, invitations: Arc<dyn Invitations>, inner: Arc<dyn Handler>) -> Self {
        let guesses = Pace::new(8.0, 1.0, office.runtime.now());
        let state = Mutex::new(State { guests: HashMap::new(), failures: HashMap::new(), guesses });
        Self { office, invitations, inner, state }
    }

    fn hear(&self, packet: Bytes) -> Result<Bytes, Failure> {
        let packet = Packet::decode(packet).inspect_err(|_| self.office.counters.add(Refusal::Malformed))?;
        match packet.header.kind {
            Kind::Join => self.greet(packet),
            Kind::Guest => self.claim(&packet),
            _ => self.decide(&packet),
        }
    }

    /// Somebody says by which invitation it comes.
    fn greet(&self, Packet { header, mut body }: Packet) -> Result<Bytes, Failure> {
        let now = self.office.runtime.now();
        let lookup = Lookup(take(&mut body)?);
        let Some(psk) = self.invitations.find(lookup) else {
            let hurried = !self.state().guesses.admit(now);
            return Err(if hurried { self.hurried() } else { self.office.refuse(Refusal::Unknown, 404, NONE) });
        };
        if !self.office.knocks.lock().unwrap_or_else(PoisonError::into_inner).admit(now) {
            return Err(self.hurried());
        }
        let index = self.state().free_index();
        let heard = Host::hear(&self.office.key, lookup, &psk, header, &body, index);
        let (host, second) = heard.map_err(|failure| self.failed(lookup, failure))?;
        if !self.state().admit(index, lookup, host, now) {
            return Err(self.hurried());
        }
        Ok(second)
    }

    /// Somebody says who it is.
    fn claim(&self, third: &Packet) -> Result<Bytes, Failure> {
        let index = third.header.index;
        let greeted = self.state().greeted(index, self.office.runtime.now());
        let (lookup, since, mut host) = greeted.ok_or_else(|| self.gone())?;
        let guest = match host.read(third) {
            Ok(guest) if guest.id != self.office.key.id() => guest,
            read => {
                // The genuine one may still come.
                self.state().guests.insert(index, (lookup, since, Stage::Greeted(host)));
                let itself = Failure::new(400, "that is an invitation of this node itself: give it to another one");
                return Err(self.failed(lookup, read.err().unwrap_or(itself)));
            }
        };
        let (guest, fourth, talk) = host.finish(guest)?;
        if !self.invitations.claim(lookup, &guest) {
            return Err(self.office.refuse(Refusal::Unknown, 404, NONE));
        }
        let mut state = self.state();
        state.forget(lookup);
        state.guests.insert(index, (lookup, self.office.runtime.now(), Stage::Claimed(Box::new(talk))));
        Ok(fourth)
    }

    /// A guest tells what its person says, and asks what the other one says.
    fn decide(&self, question: &Packet) -> Result<Bytes, Failure> {
        let now = self.office.runtime.now();
        let mut state = self.state();
        let (lookup, talk) = state.claimed(question.header.index, now).ok_or_else(|| self.gone())?;
        let agrees = talk.read(question).inspect_err(|_| self.office.counters.add(Refusal::Forged))?;
        self.invitations.hear(lookup, agrees);
        talk.answer(if agrees { self.invitations.verdict(lookup) } else { Some(Verdict::Declined) })
    }

    /// Counts an attempt in vain.
    fn failed(&self, lookup: Lookup, failure: Failure) -> Failure {
        self.office.counters.add(Refusal::Forged);
        let mut state = self.state();
        let failures = state.failures.entry(lookup).or_default();
        *failures += 1;
        if *failures < MOST_FAILURES {
            return failure;
        }
        state.forget(lookup);
        drop(state);
        self.invitations.revoke(lookup);
        tracing::warn!("an invitation is void: {MOST_FAILURES} attempts to use it did not have its code");
        failure
    }

    fn hurried(&self) -> Failure {
        self.office.refuse(Refusal::Hurried, 429, "too many want to join at a time; try again")
    }

    fn gone(&self) -> Failure {
        self.office.refuse(
            Refusal::NoSession,
            410,
            "that took too long, or was forgotten here: ask for another invitation",
        )
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const NONE: &str =
    "no such invitation is open here: it was used, has expired, or was tried too often in vain; ask for another one";

impl State {
    fn free_index(&self) -> u32 {
        loop {
            let index = u32::from_le_bytes(clock::random());
            if !self.guests.contains_key(&index) {
                return index;
            }
        }
    }

    /// Takes in somebody who has greeted, in place of the oldest who did by the same invitation. Answers whether there is room.
    fn admit(&mut self, index: u32, lookup: Lookup, host: Host, now: Time) -> bool {
        self.guests.retain(|_, (_, since, stage)| now.since(*since) < stage.lasts());
        let same = self.guests.iter().filter(|(_, (of, _, stage))| *of == lookup && matches!(stage, Stage::Greeted(_)));
        let mut same: Vec<_> = same.map(|(index, (_, since, _))| (*since, *index)).collect();
        same.sort_unstable();
        if same.len() >= MOST_EACH {
            self.guests.remove(&same[0].1);
        }
        let is_room = self.guests.len() < MOST_GUESTS;
        if is_room {
            self.guests.insert(index, (lookup, now, Stage::Greeted(Box::new(host))));
        }
        is_room
    }

    fn greeted(&mut self, index: u32, now: Time) -> Option<(Lookup, Time, Box<Host>)> {
        match self.guests.remove(&index)? {
            (lookup, since, Stage::Greeted(host)) if now.since(since) < HANDSHAKE => Some((lookup, since, host)),
            (_, _, Stage::Greeted(_)) => None,
            claimed @ (_, _, Stage::Claimed(_)) => {
                self.guests.insert(index, claimed);
                None
            }
        }
    }

    fn claimed(&mut self, index: u32, now: Time) -> Option<(Lookup, &mut Talk)> {
        match self.guests.get_mut(&index)? {
            (_, since, stage) if now.since(*since) >= stage.lasts() => None,
            (lookup, _, Stage::Claimed(talk)) => Some((*lookup, talk)),
            (_, _, Stage::Greeted(_)) => None,
        }
    }

    /// Lets go of all that tries to use an invitation, which is void.
    fn forget(&mut self, lookup: Lookup) {
        self.failures.remove(&lookup);
        self.guests.retain(|_, (of, _, stage)| *of != lookup || matches!(stage, Stage::Claimed(_)));
    }
}

#[async_trait]
impl Handler for Reception {
    async fn request(&self, principal: &Principal, request: Request) -> Result<Response, Failure> {
        self.inner.request(principal, request).await
    }

    fn admits(&self, origin: Origin) -> Result<(), Failure> {
        self.inner.admits(origin)
    }

    fn mail(&self, origin: Origin, batch: Bytes) -> Result<Life, Failure> {
        self.inner.mail(origin, batch)
    }

    fn life(&self) -> Result<Life, Failure> {
        self.inner.life()
    }

    async fn collect(&self, origin: Origin, asking: Bytes) -> Result<Bytes, Failure> {
        if Packet::is_of(&asking, &[Kind::Join, Kind::Guest, Kind::Agrees]) {
            return self.hear(asking);
        }
        self.inner.collect(origin, asking).await
    }

    fn list(&self) -> Arc<Vec<Value>> {
        self.inner.list()
    }
}

/// Why one can't join.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// The question did not get there, or was refused.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The answer is not what it should be.
    #[error("{0}; ask for another invitation")]
    Answer(String),
}

impl From<Failure> for JoinError {
    fn from(failure: Failure) -> Self {
        Self::Answer(failure.message)
    }
}

/// A guest that has joined, and waits for the verdict.
pub struct Joined(Talk);

/// Joins by a code, in the name of the node with this key, which can be reached at `address` or collects its mail at the host.
pub async fn join(
    carrier: &dyn Transport,
    key: &NodeKey,
    code: &Code,
    address: Option<&Address>,
) -> Result<Joined, JoinError> {
    let (joiner, first) = Joiner::begin(key, code.lookup(), &code.psk())?;
    let second = carrier.collect(code.address(), first).await?;
    let (named, third) = joiner.read(second, address)?;
    let fourth = carrier.collect(code.address(), third).await?;
    Ok(Joined(named.read(fourth)?))
}

impl Joined {
    /// Whose invitation it was.
    pub fn host(&self) -> NodeId {
        self.0.peer
    }

    /// What the host's person must see, too.
    pub fn words(&self) -> Words {
        self.0.words
    }

    /// Says whether the person here agrees, and asks for the verdict, which may take a while to come.
    pub async fn ask(
        &mut self,
        carrier: &dyn Transport,
        at: &Address,
        agrees: bool,
    ) -> Result<Option<Verdict>, JoinError> {
        let answer = carrier.collect(at, self.0.ask(agrees)?).await?;
        Ok(self.0.hear(answer)?)
    }
}
