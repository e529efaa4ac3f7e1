//! One party's part in one run, without I/O: mail goes in, mail comes out, and the caller says what time it is.
//!
//! ```text
//!                 Session::new ──▶ joining ──(all hellos)──▶ running ──▶ ended
//!   handle(envelope) ─▶ │            poll()              ▲ poll_transmit() ─▶ envelopes
//!                       └── notices what is not its own  └ poll_timeout(): when to poll again at the latest
//! ```
//!
//! HTTP, serial lines, the simulator, property tests and fuzzers are loops around these methods. A run is a pure function
//! of its seed, its input and the order of deliveries. Because a protocol awaits nothing but its mail, *pending* means
//! exactly "needs mail from these parties", and every timeout names who is missing. A party that is itself kept waiting says
//! so by a *beat*, as long as it gets on: so the one that is silent is the one that is named.
//!
//! # Wire
//!
//! A stop's body is a CBOR map `{"why": text, "code": int, "mismatch": bool, "culprits": [int, …]}`; `code` is one of 409
//! (the parties disagree, which is a mismatch, or somebody cancelled), 502 (a party broke the protocol), 503 (a party is
//! gone), 504 (a party is silent). It bears the mark of its sender's hello; or that of its receiver's, if the sender
//! refuses this hello, because somebody else was expected in its place.
//!
//! A beat leaves for a party that has heard nothing for a quarter of the silence deadline, if the sender has heard something
//! since its last beat, or has joined, or if mail to that party is still on its way. It gives the sender its full time again,
//! in all no more than [`Deadlines::busy`] for one message. It is no part of a protocol's cost.

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::clock::{BoxFuture, Time};
#[cfg(feature = "sim")]
use crate::envelope::Channel;
use crate::envelope::{Content, Envelope, Mail, Mark, Route, RunId, Tag, Topic};
use crate::joining::{BadHello, Hello, Joined, Keys, MOST_PARTIES, PairSecret, Spec, printable, stop_key};
use crate::keepsake::{Keepsake, KeepsakeId};
use crate::party::{Key, Memory, Outgoing, Party, Peer, Room, digest, lock};
use crate::protocol::{Announced, Cost, Prepared, ProtocolError};
use crate::transport::Address;
use crate::value::{Array, Limits, Value, cbor};

/// Envelopes that came before the hello of their sender, kept until it comes.
const MOST_EARLY: usize = 1024;

/// Messages that the protocol has not asked for yet.
const MOST_BACKLOG: usize = 65_536;

/// Everything that a session needs to begin.
pub struct Setup {
    /// The rendezvous.
    pub topic: Topic,
    /// My place.
    pub me: usize,
    /// All parties, mine included, in order of place.
    pub parties: Vec<Address>,
    /// What to run.
    pub prepared: Prepared,
    /// The node's keys.
    pub keys: Arc<Keys>,
    /// The source of all randomness of this run; never used for another one.
    pub seed: Zeroizing<[u8; 32]>,
    /// How long to wait.
    pub deadlines: Deadlines,
}

/// How long a session waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// For all parties to say hello.
    pub joining: Duration,
    /// For the next message of a party that the protocol waits for, once all have.
    pub silence: Duration,
    /// For the same of a party that says meanwhile that it is kept busy by others.
    pub busy: Duration,
    /// The most bytes of mail that the protocol has not asked for yet.
    pub backlog_bytes: usize,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            joining: Duration::from_mins(1),
            silence: Duration::from_mins(1),
            busy: Duration::from_hours(1),
            backlog_bytes: 1 << 30,
        }
    }
}

/// What a run came to.
pub type Outcome = Result<Value, RunError>;

/// How far a run is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Where the run stands.
    pub phase: Phase,
    /// The parties whose mail is needed next.
    pub waiting_for: Vec<usize>,
    /// What was sent so far.
    pub sent: Cost,
    /// What will have been sent at the end; nothing as long as the run is joining.
    pub expected: Cost,
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Waiting for hellos.
    Joining,
    /// All parties are there.
    Running,
    /// There is an outcome.
    Ended,
}

/// Why a run failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The parties want different things.
    #[error("{difference}")]
    Mismatch {
        /// The party whose hello differs.
        party: usize,
        /// How.
        difference: String,
    },
    /// Parties did not come.
    #[error("{} did not join within {seconds} s{}", named(.parties), listed(.troubles))]
    Absent {
        /// Who.
        parties: Vec<usize>,
        /// The deadline.
        seconds: u64,
        /// What kept mail from arriving there, where that is known.
        troubles: Vec<String>,
    },
    /// Parties fell silent.
    #[error("no message from {} for {seconds} s", named(.parties))]
    Silent {
        /// Who.
        parties: Vec<usize>,
        /// The deadline.
        seconds: u64,
    },
    /// Parties had no message in time, though they say that they get on: others keep them waiting.
    #[error("no message from {} for {seconds} s, only that others keep it waiting", named(.parties))]
    Busy {
        /// Who.
        parties: Vec<usize>,
        /// The deadline.
        seconds: u64,
    },
    /// A party can't be reached any more.
    #[error("party {party} is gone: {why}")]
    Lost {
        /// Who.
        party: usize,
        /// What the transport says.
        why: String,
    },
    /// Another party gave up.
    #[error("party {by} stopped: {why}")]
    Stopped {
        /// Who.
        by: usize,
        /// Its reason.
        why: String,
        /// Its reason's class.
        code: u16,
        /// Whom it blames.
        culprits: Vec<usize>,
    },
    /// Somebody here cancelled the run.
    #[error("cancelled")]
    Cancelled,
    /// A party said different things to different parties.
    #[error("party {party} is in another run: some party was told something else than the others")]
    TwoFaced {
        /// Whose mail showed it.
        party: usize,
    },
    /// Mail was changed on the way, or does not come from whom it says.
    #[error("mail from party {party} is corrupt or forged")]
    Corrupt {
        /// In whose name.
        party: usize,
    },
    /// A party's hello can't be read, or has a key that must not be used.
    #[error("party {party}: {why}")]
    BadHello {
        /// Who.
        party: usize,
        /// What is wrong.
        why: String,
    },
    /// A party sends more than the protocol asks for.
    #[error("party {party} sends more than the protocol asks for")]
    Flood {
        /// Who.
        party: usize,
    },
    /// The protocol itself failed.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// The protocol awaits something other than its mail, or panicked: an error in its code.
    #[error("internal error in the protocol: {0}")]
    Broken(&'static str),
}

impl RunError {
    /// The parties at fault, by place.
    pub fn culprits(&self) -> Vec<usize> {
        match self {
            Self::Mismatch { party, .. }
            | Self::Lost { party, .. }
            | Self::TwoFaced { party }
            | Self::Corrupt { party }
            | Self::BadHello { party, .. }
            | Self::Flood { party } => vec![*party],
            Self::Absent { parties, .. } | Self::Silent { parties, .. } => parties.clone(),
            Self::Stopped { by, culprits, .. } => {
                if culprits.is_empty() {
                    vec![*by]
                } else {
                    culprits.clone()
                }
            }
            Self::Protocol(error) => error.culprits(),
            // Of the first, somebody else knows whose fault it is.
            Self::Busy { .. } | Self::Cancelled | Self::Broken(_) => Vec::new(),
        }
    }

    /// The class of the error, as an HTTP status.
    pub fn code(&self) -> u16 {
        match self {
            Self::Mismatch { .. }
            | Self::TwoFaced { .. }
            | Self::Cancelled
            | Self::Protocol(ProtocolError::NoResult { .. } | ProtocolError::Output { .. }) => 409,
            Self::Absent { .. } | Self::Silent { .. } | Self::Busy { .. } => 504,
            Self::Lost { .. } => 503,
            Self::Corrupt { .. }
            | Self::BadHello { .. }
            | Self::Flood { .. }
            | Self::Protocol(ProtocolError::Malformed { .. }) => 502,
            Self::Stopped { code, .. } => *code,
            Self::Broken(_) => 500,
        }
    }
}

/// One party's part in one run.
pub struct Session {
    topic: Topic,
    me: usize,
    keys: Arc<Keys>,
    /// What my hello lists.
    held: Vec<Option<Keepsake>>,
    seed: Zeroizing<[u8; 32]>,
    deadlines: Deadlines,
    /// My own hello stands in my place.
    hellos: Vec<Option<Hello>>,
    has_joined: bool,
    /// Why mail to a party has not arrived.
    troubles: BTreeMap<usize, String>,
    outbox: VecDeque<Envelope>,
    joining_until: Time,
    state: State,
    sent: Cost,
    expected: Cost,
}

enum State {
    Joining { early: Vec<Envelope>, cost: CostFn, run: RunFn },
    Running(Box<Running>),
    Ended(Outcome),
}

type CostFn = Box<dyn Fn(&Announced) -> Cost + Send>;
type RunFn = Box<dyn FnOnce(Party) -> BoxFuture<Result<Value, ProtocolError>> + Send>;

struct Running {
    run: RunId,
    room: Arc<Mutex<Room>>,
    future: BoxFuture<Result<Value, ProtocolError>>,
    links: Vec<Option<Link>>,
    /// How far I have come: grows with whatever genuine mail comes in, and with beats of parties that I wait for.
    progress: u64,
}

/// What the session has for each other party once all have joined.
struct Link {
    /// The mark of mail to the party, and from it.
    marks: [Mark; 2],
    /// The keys of mail to the party, and from it.
    keys: [Zeroizing<[u8; 32]>; 2],
    /// Whether genuine mail has come, so that the party is known to have joined the same run.
    heard: bool,
    /// Since when the protocol waits for mail from the party; nothing that it did not wait for changes that.
    awaited: Option<Awaited>,
    /// How far the party had come by its last beat, and whether that is news.
    beat: (u64, bool),
    /// When something was last said to the party, and how far I had come by my last beat.
    spoken: Option<Time>,
    told: u64,
    /// Whether mail to the party is on its way, perhaps over a slow line.
    sending: bool,
}

/// How long the protocol has waited for a party.
#[derive(Clone, Copy)]
struct Awaited {
    since: Time,
    /// When the party last showed that it gets on.
    alive: Time,
}

impl Awaited {
    fn deadline(self, deadlines: &Deadlines) -> Time {
        (self.alive + deadlines.silence).min(self.since + deadlines.busy.max(deadlines.silence))
    }
}

impl Running {
    /// Notes whom the protocol waits for. A party that has brought what was waited for has its full time again.
    fn note_awaited(&mut self, now: Time) {
        let waits_for = lock(&self.room).waits_for();
        for (place, link) in self.links.iter_mut().enumerate() {
            let Some(link) = link else { continue };
            let begun = Awaited { since: now, alive: now };
            link.awaited = waits_for.contains(&place).then(|| link.awaited.unwrap_or(begun));
        }
    }

    /// Gives parties more time that are kept waiting themselves.
    fn note_beats(&mut self, now: Time) {
        for link in self.links.iter_mut().flatten() {
            if std::mem::take(&mut link.beat.1)
                && let Some(awaited) = &mut link.awaited
            {
                awaited.alive = now;
                self.progress += 1;
            }
        }
    }

    /// A party says that it gets on. What is not genuine, or old, says nothing.
    fn hear_beat(&mut self, from: usize, route: &Route, progress: u64, tag: &Tag) -> Result<(), NotMine> {
        let link = self.links[from].as_mut().filter(|link| link.marks[1] == route.mark).ok_or(NotMine)?;
        if progress > link.beat.0 && bool::from(beat_tag(&link.keys[1], route, progress).ct_eq(tag)) {
            link.beat = (progress, true);
            link.heard = true;
        }
        Ok(())
    }

    /// What ends the run, if the protocol has waited too long.
    fn overdue(&self, now: Time, deadlines: &Deadlines) -> Option<RunError> {
        let waits_for = lock(&self.room).waits_for();
        let awaited = |place: usize| self.links[place].as_ref().and_then(|link| link.awaited);
        let is_late = |place: &usize| awaited(*place).is_some_and(|awaited| now >= awaited.deadline(deadlines));
        let is_silent = |place: &usize| awaited(*place).is_some_and(|awaited| now >= awaited.alive + deadlines.silence);
        let late: Vec<usize> = waits_for.into_iter().filter(is_late).collect();
        let mut silent: Vec<usize> = late.iter().copied().filter(is_silent).collect();
        if silent.iter().any(|place| self.is_unheard(*place)) {
            // It may still wait for somebody's hello: perhaps for one of whom nothing was heard here either.
            silent = (0..self.links.len()).filter(|place| silent.contains(place) || self.is_unheard(*place)).collect();
        }
        match (silent.is_empty(), late.is_empty()) {
            (true, true) => None,
            (true, false) => Some(RunError::Busy { parties: late, seconds: deadlines.busy.as_secs() }),
            (false, _) => Some(RunError::Silent { parties: silent, seconds: deadlines.silence.as_secs() }),
        }
    }

    /// Whether nothing has come from the party since its hello. Beats come from all that have joined.
    fn is_unheard(&self, place: usize) -> bool {
        self.links[place].as_ref().is_some_and(|link| !link.heard)
    }

    /// When a beat is due at each party that is to have one.
    fn beats(&mut self, now: Time, silence: Duration) -> impl Iterator<Item = (usize, Time)> {
        let progress = self.progress;
        let links = self.links.iter_mut().enumerate().filter_map(|(place, link)| Some((place, link.as_mut()?)));
        links
            .filter(move |(_, link)| progress > link.told || link.sending)
            .map(move |(place, link)| (place, *link.spoken.get_or_insert(now) + silence / BEATS))
    }
}

/// Beats in the time after which silence ends a run.
const BEATS: u32 = 4;

impl Session {
    /// A session that is about to join. Its hellos are ready in [`Session::poll_transmit`].
    pub fn new(setup: Setup, now: Time) -> Self {
        let Setup { topic, me, parties, prepared, keys, seed, deadlines } = setup;
        let spec = Spec {
            function: prepared.function.to_owned(),
            version: prepared.version,
            params: prepared.params,
            parties,
        };
        let nonce = *blake3::keyed_hash(&seed, b"nonce").as_bytes();
        let mut hellos = vec![None; spec.parties.len()];
        let held: Vec<_> = spec.parties.iter().map(|address| keys.keepsakes().held(address)).collect();
        hellos[me] = Some(Hello::new(nonce, keys.public(), spec, prepared.announcement, names(&held)));
        let mut session = Self {
            topic,
            me,
            keys,
            held,
            seed,
            joining_until: now + deadlines.joining,
            deadlines,
            hellos,
            has_joined: false,
            troubles: BTreeMap::new(),
            outbox: VecDeque::new(),
            state: State::Joining { early: Vec::new(), cost: prepared.cost, run: prepared.run },
            sent: Cost::default(),
            expected: Cost::default(),
        };
        (0..session.parties()).filter(|to| *to != me).for_each(|to| session.say_hello(to));
        session
    }

    /// Has the protocol draw its randomness from another seed than the hello: what a coalition can't tell, since the hello is
    /// all that it knows of either.
    #[cfg(feature = "sim")]
    pub(crate) fn reseed(&mut self, seed: [u8; 32]) {
        self.seed = Zeroizing::new(seed);
    }

    /// Which messages of another party the protocol waits for.
    #[cfg(feature = "sim")]
    pub fn awaits(&self, from: usize) -> Vec<(Channel, u32)> {
        let State::Running(running) = &self.state else { return Vec::new() };
        lock(&running.room).awaits(from)
    }

    /// A message of this party that says anything, with a genuine tag: what a party can send that does as it likes. Nothing
    /// before all have joined.
    #[cfg(feature = "sim")]
    pub fn letter(&self, to: usize, channel: Channel, sequence: u32, payload: Bytes) -> Option<Envelope> {
        let hellos: Vec<&Hello> = self.hellos.iter().map(Option::as_ref).collect::<Option<_>>()?;
        let joined = Joined::new(self.topic, hellos.iter().copied());
        let key = joined.pair_key(&*self.keys.agree(hellos[to].key)?, "mail", self.me, to);
        let route = self.route(to, hellos[self.me].pair_mark(hellos[to]));
        let mut mail = Mail { run: joined.run(), channel, sequence, payload, tag: Tag::default() };
        mail.tag = mail_tag(&key, &route, &mail, &digest(&mail.payload));
        Some(Envelope { route, content: Content::Mail(mail) })
    }

    /// Takes in an envelope, or gives it back if it belongs to another session.
    pub fn handle(&mut self, envelope: Envelope) -> Result<(), NotMine> {
        let Route { topic, from, to, .. } = envelope.route;
        let from = usize::from(from);
        if topic != self.topic || usize::from(to) != self.me || from == self.me || from >= self.parties() {
            return Err(NotMine);
        }
        let refuses_me = self.mark() == Some(envelope.route.mark);
        match (&mut self.state, &envelope.content) {
            (State::Ended(_), _) => Ok(()),
            (_, Content::Hello(body)) => self.hear_hello(from, envelope.route.mark, body),
            (State::Joining { .. }, Content::Stop { reason, .. }) if refuses_me => {
                let error = decode_stop(from, reason, 0);
                self.tell_others(&error, from);
                self.end(Err(error));
                Ok(())
            }
            (State::Joining { early, .. }, _) => {
                let bytes: usize = early.iter().map(Envelope::encoded_len).sum();
                if early.len() < MOST_EARLY && bytes + envelope.encoded_len() <= self.deadlines.backlog_bytes {
                    early.push(envelope);
                } else {
                    self.fail(RunError::Flood { party: from });
                }
                Ok(())
            }
            (State::Running(_), Content::Mail(_)) => {
                let Content::Mail(mail) = envelope.content else { return Err(NotMine) };
                self.hear_mail(from, envelope.route, mail)
            }
            (State::Running(_), Content::Stop { reason, tag }) => {
                let (reason, tag) = (reason.clone(), *tag);
                self.hear_stop(from, envelope.route, &reason, &tag)
            }
            (State::Running(running), Content::Beat { progress, tag }) => {
                running.hear_beat(from, &envelope.route, *progress, tag)
            }
        }
    }

    /// Makes progress as far as the mail allows. `Ready` once, with the outcome in [`Session::outcome`].
    pub fn poll(&mut self, context: &mut Context<'_>, now: Time) -> Poll<()> {
        self.join_if_complete();
        if let State::Running(running) = &mut self.state {
            running.note_beats(now);
            let polled = catch_unwind(AssertUnwindSafe(|| running.future.as_mut().poll(context)));
            let idle = lock(&running.room).waits_for().is_empty();
            self.collect_outgoing(now);
            match polled {
                Ok(Poll::Ready(Ok(value))) => self.end(Ok(value)),
                Ok(Poll::Ready(Err(error))) => self.fail(error.into()),
                Ok(Poll::Pending) if idle => self.fail(RunError::Broken("it waits for something other than mail")),
                Ok(Poll::Pending) => {}
                Err(_) => self.fail(RunError::Broken("it panicked")),
            }
        }
        self.time_out(now);
        self.beat(now);
        if matches!(self.state, State::Ended(_)) { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Joins the run if all hellos are there, without starting to compute: what that will cost is known from then on.
    pub fn join_if_complete(&mut self) {
        self.hear_early_stops();
        if matches!(self.state, State::Joining { .. }) && self.hellos.iter().all(Option::is_some) {
            self.join();
        }
    }

    /// The next envelope to deliver.
    pub fn poll_transmit(&mut self) -> Option<Envelope> {
        self.outbox.pop_front()
    }

    /// When to poll again at the latest. To be asked after every poll: what the protocol waits for now, it waits for from
    /// `now` on, however long the poll took.
    pub fn poll_timeout(&mut self, now: Time) -> Option<Time> {
        match &mut self.state {
            State::Joining { .. } => Some(self.joining_until),
            State::Running(running) => {
                running.note_awaited(now);
                let deadline = running.links.iter().flatten().filter_map(|link| link.awaited);
                let deadline = deadline.map(|awaited| awaited.deadline(&self.deadlines)).min();
                let beat = running.beats(now, self.deadlines.silence).map(|(_, due)| due).min();
                Some(deadline.into_iter().chain(beat).min().unwrap_or(now + self.deadlines.silence))
            }
            State::Ended(_) => None,
        }
    }

    /// What the run came to, once it has ended.
    pub fn outcome(&self) -> Option<&Outcome> {
        match &self.state {
            State::Ended(outcome) => Some(outcome),
            _ => None,
        }
    }

    /// What the run came to, once it has ended.
    pub fn into_outcome(self) -> Option<Outcome> {
        match self.state {
            State::Ended(outcome) => Some(outcome),
            _ => None,
        }
    }

    /// How far the run is.
    pub fn progress(&self) -> Progress {
        let (phase, waiting_for) = match &self.state {
            State::Joining { .. } => (Phase::Joining, self.absent()),
            State::Running(running) => (Phase::Running, lock(&running.room).waits_for()),
            State::Ended(_) => (Phase::Ended, Vec::new()),
        };
        Progress { phase, waiting_for, sent: self.sent, expected: self.expected }
    }

    /// Ends the run, because somebody here wants it to. The others are told.
    pub fn cancel(&mut self) {
        self.fail(RunError::Cancelled);
    }

    /// Ends the run, because the transport can't reach a party. The others are told.
    pub fn lose(&mut self, party: usize, why: String) {
        self.fail(RunError::Lost { party, why });
    }

    /// Does not take a party for silent whom mail of mine is still on its way to.
    pub fn excuse(&mut self, party: usize, now: Time) {
        if let State::Running(running) = &mut self.state
            && let Some(Some(Link { awaited: Some(awaited), .. })) = running.links.get_mut(party)
        {
            awaited.alive = now;
        }
    }

    /// Remembers why mail to a party has not arrived yet, in case that the party never comes.
    pub fn note_trouble(&mut self, party: usize, why: String) {
        self.troubles.insert(party, why);
    }

    /// Whether mail to a party is on its way. As long as it is, the party is told from time to time that more is to come.
    pub fn note_sending(&mut self, party: usize, sending: bool) {
        if let State::Running(running) = &mut self.state
            && let Some(Some(link)) = running.links.get_mut(party)
        {
            link.sending = sending;
        }
    }

    /// Whether the others will be able to read my hello; to be asked before it is sent.
    pub fn introduces_itself(&self) -> Result<(), BadHello> {
        let mine = self.hellos[self.me].as_ref().map(|mine| Hello::decode(mine.encoded.clone()));
        mine.transpose().map(drop)
    }

    /// Whether the party has said hello.
    pub fn has_heard(&self, party: usize) -> bool {
        self.hellos.get(party).is_some_and(Option::is_some)
    }

    /// Says hello to a party again, which has lost the first one.
    pub fn say_hello(&mut self, to: usize) {
        let Some(mine) = &self.hellos[self.me] else { return };
        let envelope = Envelope { route: self.route(to, mine.mark()), content: Content::Hello(mine.encoded.clone()) };
        self.outbox.push_back(envelope);
    }

    /// The mark of my own hello.
    pub fn mark(&self) -> Option<Mark> {
        self.hellos[self.me].as_ref().map(Hello::mark)
    }

    /// Whether all parties have said hello.
    pub fn has_joined(&self) -> bool {
        self.has_joined
    }

    /// The marks of everything that the parties which were heard send in this run.
    pub fn heard_marks(&self) -> Vec<Mark> {
        let Some(mine) = &self.hellos[self.me] else { return Vec::new() };
        let others = self.hellos.iter().enumerate().filter(|(place, _)| *place != self.me);
        others
            .filter_map(|(_, hello)| hello.as_ref())
            .flat_map(|theirs| [theirs.mark(), theirs.pair_mark(mine)])
            .collect()
    }

    fn parties(&self) -> usize {
        self.hellos.len()
    }

    fn absent(&self) -> Vec<usize> {
        (0..self.parties()).filter(|place| !self.has_heard(*place)).collect()
    }

    fn route(&self, to: usize, mark: Mark) -> Route {
        route(self.topic, self.me, to, mark)
    }

    fn hear_hello(&mut self, from: usize, mark: Mark, body: &Bytes) -> Result<(), NotMine> {
        let known = self.hellos[from].as_ref().is_some_and(|hello| hello.mark() == mark && hello.encoded == *body);
        if known {
            return Ok(());
        }
        if !matches!(self.state, State::Joining { .. }) {
            return Err(NotMine);
        }
        match Hello::decode(body.clone()).and_then(|hello| self.check(hello, mark)) {
            // A later hello of the same party replaces an earlier one: it gave up in between, and came again.
            Ok(hello) => self.hellos[from] = Some(hello),
            Err(error) => self.fail(RunError::BadHello { party: from, why: error.to_string() }),
        }
        if let (Some(mine), Some(theirs)) = (&self.hellos[self.me], &self.hellos[from])
            && let Some(difference) = mine.spec.difference(&theirs.spec, from)
        {
            self.fail(RunError::Mismatch { party: from, difference });
        }
        Ok(())
    }

    fn check(&self, hello: Hello, mark: Mark) -> Result<Hello, BadHello> {
        if hello.mark() != mark {
            return Err(BadHello::new("it is marked as another one"));
        }
        if self.hellos[self.me].as_ref().is_some_and(|mine| mine.nonce == hello.nonce) {
            return Err(BadHello::new("it repeats this node's nonce"));
        }
        match self.keys.agree(hello.key) {
            Some(_) => Ok(hello),
            None => Err(BadHello::new("its key is of small order")),
        }
    }

    /// All have come: derive the run and its keys, and start the protocol.
    fn join(&mut self) {
        let hellos: Vec<Hello> = self.hellos.iter().flatten().cloned().collect();
        let joined = Joined::new(self.topic, hellos.iter());
        let me = self.me;
        let mut links = Vec::with_capacity(hellos.len());
        let mut mask_keys = Vec::with_capacity(hellos.len());
        for (place, hello) in hellos.iter().enumerate() {
            let secret = if place == me { None } else { self.keys.agree(hello.key) };
            links.push(secret.as_ref().map(|secret| Link {
                marks: [hellos[me].pair_mark(hello), hello.pair_mark(&hellos[me])],
                keys: [joined.pair_key(secret, "mail", me, place), joined.pair_key(secret, "mail", place, me)],
                heard: false,
                awaited: None,
                beat: (0, false),
                spoken: None,
                told: 0,
                sending: false,
            }));
            mask_keys.push(secret.map_or_else(Zeroizing::default, |secret| {
                joined.pair_key(&secret, "mask", me.min(place), me.max(place))
            }));
        }
        self.has_joined = true;
        let room = Arc::default();
        let seed = Zeroizing::new(*blake3::keyed_hash(&self.seed, b"protocol").as_bytes());
        let memory = Arc::new(self.memory(&hellos, &joined));
        let announced = Announced::new(me, hellos.into_iter().map(|hello| hello.announced).collect());
        let announced = Arc::new(announced.among_strangers(memory.strangers()));
        let party = Party::new(joined.run(), &announced, &seed, Arc::new(mask_keys), memory, Arc::clone(&room));
        let State::Joining { cost, .. } = &self.state else { return };
        match catch_unwind(AssertUnwindSafe(|| cost(&announced))) {
            Ok(cost) => self.expected = cost,
            Err(_) => return self.fail(RunError::Broken("it panicked over what was announced")),
        }
        let ended = State::Ended(Err(RunError::Broken("it was started twice")));
        let State::Joining { early, run, .. } = std::mem::replace(&mut self.state, ended) else { return };
        let future = run(party);
        self.state = State::Running(Box::new(Running { run: joined.run(), room, future, links, progress: 1 }));
        for envelope in early {
            let _ = self.handle(envelope);
        }
    }

    fn hear_mail(&mut self, from: usize, route: Route, mail: Mail) -> Result<(), NotMine> {
        let State::Running(running) = &mut self.state else { return Err(NotMine) };
        let Some(link) = running.links[from].as_mut().filter(|link| link.marks[1] == route.mark) else {
            return Err(NotMine);
        };
        if mail.run != running.run {
            self.fail(RunError::TwoFaced { party: from });
            return Ok(());
        }
        let genuine = mail_tag(&link.keys[1], &route, &mail, &digest(&mail.payload));
        if !bool::from(genuine.ct_eq(&mail.tag)) {
            self.fail(RunError::Corrupt { party: from });
            return Ok(());
        }
        link.heard = true;
        let mut room = lock(&running.room);
        let key = Key { from, channel: mail.channel, sequence: mail.sequence };
        if room.knows(&key) {
            return Ok(());
        }
        let (messages, bytes) = room.backlog();
        if messages >= MOST_BACKLOG || bytes + mail.payload.len() > self.deadlines.backlog_bytes {
            drop(room);
            self.fail(RunError::Flood { party: from });
            return Ok(());
        }
        if room.put(key, mail.payload) {
            link.awaited = None;
        }
        running.progress += 1;
        Ok(())
    }

    /// What each pair that I belong to has kept, and where it may put something.
    fn memory(&self, hellos: &[Hello], joined: &Joined) -> Memory {
        let peers = hellos.iter().enumerate().map(|(place, theirs)| {
            let secret = if place == self.me { None } else { self.keys.agree(theirs.key) }?;
            let mine = &hellos[self.me];
            let is_theirs = |mine: &&Keepsake| mine.id == theirs.held_for(self.me) && mine.peer == theirs.key;
            Some(Peer {
                address: mine.spec.parties[place].clone(),
                key: theirs.key,
                naming: joined.pair_key(&secret, "keep", self.me.min(place), self.me.max(place)),
                listed: mine.held_for(place),
                kept: self.held[place].as_ref().filter(is_theirs).map(|mine| (mine.id, Arc::clone(&mine.half))),
            })
        });
        Memory::new(Arc::clone(&self.keys), peers.collect())
    }

    /// Stops that came before all hellos did are believed as soon as the hello they belong to is there.
    fn hear_early_stops(&mut self) {
        let State::Joining { early, .. } = &mut self.state else { return };
        let (stops, rest) = std::mem::take(early).into_iter().partition(|envelope| {
            let hello = self.hellos[usize::from(envelope.route.from)].as_ref();
            matches!(envelope.content, Content::Stop { .. })
                && hello.is_some_and(|hello| hello.mark() == envelope.route.mark)
        });
        *early = rest;
        let stops: Vec<Envelope> = stops;
        for envelope in stops {
            if let Content::Stop { reason, tag } = &envelope.content {
                let _ = self.hear_stop(usize::from(envelope.route.from), envelope.route, reason, tag);
            }
        }
    }

    fn hear_stop(&mut self, from: usize, route: Route, reason: &Bytes, tag: &Tag) -> Result<(), NotMine> {
        let (Some(theirs), Some(mine)) = (&self.hellos[from], &self.hellos[self.me]) else { return Err(NotMine) };
        if theirs.mark() != route.mark {
            return Err(NotMine);
        }
        // A party that never had my hello has no key to tag with; once it has, everything that it says is tagged.
        let was_heard = match &self.state {
            State::Running(running) => running.links[from].as_ref().is_some_and(|link| link.heard),
            _ => false,
        };
        let genuine = self
            .keys
            .agree(theirs.key)
            .is_some_and(|secret| bool::from(stop_tag(&secret, theirs, mine, &route, reason).ct_eq(tag)));
        if genuine || (*tag == Tag::default() && !was_heard) {
            let error = decode_stop(from, reason, if genuine { self.parties() } else { 0 });
            if matches!(self.state, State::Joining { .. }) {
                // My hello is void; a party that starts late must not take it for one of the next run.
                self.tell_others(&error, from);
            }
            self.end(Err(error));
        } else {
            self.fail(RunError::Corrupt { party: from });
        }
        Ok(())
    }

    /// Gives up on parties that have not come, or not brought what the protocol waits for, in time.
    fn time_out(&mut self, now: Time) {
        let error = match &self.state {
            State::Joining { .. } if now >= self.joining_until => {
                let parties = self.absent();
                let troubles = parties.iter().filter_map(|party| self.troubles.get(party).cloned()).collect();
                Some(RunError::Absent { parties, seconds: self.deadlines.joining.as_secs(), troubles })
            }
            State::Running(running) => running.overdue(now, &self.deadlines),
            State::Joining { .. } | State::Ended(_) => None,
        };
        if let Some(error) = error {
            self.fail(error);
        }
    }

    /// Tells parties that have heard nothing for a while that I get on.
    fn beat(&mut self, now: Time) {
        let State::Running(running) = &mut self.state else { return };
        let due: Vec<_> = running.beats(now, self.deadlines.silence).filter(|(_, due)| now >= *due).collect();
        let (State::Running(running), me, topic) = (&mut self.state, self.me, self.topic) else { return };
        for (to, _) in due {
            let Some(link) = &mut running.links[to] else { continue };
            if link.told == running.progress {
                // Mail that moves is progress, too.
                running.progress += 1;
            }
            let progress = running.progress;
            (link.spoken, link.told) = (Some(now), progress);
            let route = route(topic, me, to, link.marks[0]);
            let tag = beat_tag(&link.keys[0], &route, progress);
            self.outbox.push_back(Envelope { route, content: Content::Beat { progress, tag } });
        }
    }

    /// Ends the run with an error that began here, and tells the others.
    fn fail(&mut self, error: RunError) {
        if matches!(self.state, State::Ended(_)) {
            return;
        }
        self.tell_others(&error, self.me);
        self.end(Err(error));
    }

    /// Tells all others why the run is over, but one who knows.
    fn tell_others(&mut self, error: &RunError, but: usize) {
        let reason = encode_stop(error);
        for to in (0..self.parties()).filter(|to| *to != self.me && *to != but) {
            let Some(mine) = &self.hellos[self.me] else { continue };
            let route = self.route(to, mine.mark());
            let secret = self.hellos[to].as_ref().and_then(|theirs| Some((theirs, self.keys.agree(theirs.key)?)));
            let tag =
                secret.map_or(Tag::default(), |(theirs, secret)| stop_tag(&secret, mine, theirs, &route, &reason));
            self.outbox.push_back(Envelope { route, content: Content::Stop { reason: reason.clone(), tag } });
        }
    }

    fn end(&mut self, outcome: Outcome) {
        if !matches!(self.state, State::Ended(_)) {
            self.state = State::Ended(outcome);
        }
    }

    /// Tags what the protocol sent, and puts it into the outbox.
    fn collect_outgoing(&mut self, now: Time) {
        let State::Running(running) = &mut self.state else { return };
        let outgoing = std::mem::take(&mut lock(&running.room).outbox);
        if !outgoing.is_empty() {
            self.sent.rounds += 1;
        }
        for Outgoing { to, channel, sequence, payload, digest } in outgoing {
            let Some(link) = &mut running.links[to] else { continue };
            link.spoken = Some(now);
            let route = route(self.topic, self.me, to, link.marks[0]);
            self.sent.messages += 1;
            self.sent.bytes += payload.len() as u64;
            let mut mail = Mail { run: running.run, channel, sequence, payload, tag: Tag::default() };
            mail.tag = mail_tag(&link.keys[0], &route, &mail, &digest);
            self.outbox.push_back(Envelope { route, content: Content::Mail(mail) });
        }
    }
}

fn route(topic: Topic, from: usize, to: usize, mark: Mark) -> Route {
    // Places are below `MOST_PARTIES`.
    Route { topic, from: from as u16, to: to as u16, mark }
}

/// The names of what is held for each party; none at all, if it is nothing for any.
fn names(held: &[Option<Keepsake>]) -> Vec<KeepsakeId> {
    if held.iter().all(Option::is_none) {
        return Vec::new();
    }
    held.iter().map(|held| held.as_ref().map_or(KeepsakeId::NONE, |held| held.id)).collect()
}

/// The envelope belongs to another session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotMine;

/// The tag of mail, over everything but the tag; the payload enters by its digest, which is shared by all receivers.
fn mail_tag(key: &[u8; 32], route: &Route, mail: &Mail, digest: &[u8; 32]) -> Tag {
    let mut hasher = keyed(key, route);
    hasher.update(&mail.run.0).update(&mail.channel.0.to_le_bytes()).update(&mail.sequence.to_le_bytes());
    hasher.update(digest);
    crate::envelope::truncated(&hasher)
}

fn beat_tag(key: &[u8; 32], route: &Route, progress: u64) -> Tag {
    let mut hasher = keyed(key, route);
    hasher.update(b"beat").update(&progress.to_le_bytes());
    crate::envelope::truncated(&hasher)
}

fn stop_tag(secret: &PairSecret, from: &Hello, to: &Hello, route: &Route, reason: &[u8]) -> Tag {
    let mut hasher = keyed(&stop_key(secret, from, to), route);
    hasher.update(reason);
    crate::envelope::truncated(&hasher)
}

fn keyed(key: &[u8; 32], route: &Route) -> blake3::Hasher {
    let mut hasher = blake3::Hasher::new_keyed(key);
    hasher.update(&route.topic.0).update(&route.mark.0);
    hasher.update(&route.from.to_le_bytes()).update(&route.to.to_le_bytes());
    hasher
}

fn encode_stop(error: &RunError) -> Bytes {
    let culprits = error.culprits().into_iter().map(|place| place as i64).collect();
    let body = Value::Map(BTreeMap::from([
        ("why".to_owned(), Value::Text(error.to_string())),
        ("code".to_owned(), Value::Int(error.code().into())),
        ("mismatch".to_owned(), Value::Bool(matches!(error, RunError::Mismatch { .. }))),
        ("culprits".to_owned(), Value::Array(Array::from_i64(culprits))),
    ]));
    cbor::to_vec(&body).into()
}

/// What a party says to one whose hello, with this mark, it does not take for that of the party at place `to`.
pub(crate) fn refusal(topic: Topic, me: usize, to: usize, mark: Mark, difference: String) -> Envelope {
    let reason = encode_stop(&RunError::Mismatch { party: to, difference });
    Envelope { route: route(topic, me, to, mark), content: Content::Stop { reason, tag: Tag::default() } }
}

/// How much a stop may say.
const STOP: Limits = Limits { depth: 4, nodes: 256 };

/// Whether a stop says that the parties want different things.
pub(crate) fn is_disagreement(stop: &Envelope) -> bool {
    let Content::Stop { reason, .. } = &stop.content else { return false };
    let reason = cbor::parse(reason, &STOP);
    reason.is_ok_and(|reason| reason.entry("mismatch") == Some(&Value::Bool(true)))
}

/// What a peer gives as its reason. Whatever it sends, the run is over; it can blame nobody but the `parties`.
fn decode_stop(by: usize, reason: &[u8], parties: usize) -> RunError {
    let mut stopped = (String::from("it gave no reason"), 503, Vec::new());
    if let Ok(Value::Map(entries)) = cbor::parse(reason, &STOP) {
        if let Some(Value::Text(why)) = entries.get("why") {
            stopped.0 = printable(why);
        }
        if let Some(Value::Int(code @ (409 | 502 | 503 | 504))) = entries.get("code") {
            stopped.1 = *code as u16;
        }
        if let Some(Value::Array(culprits)) = entries.get("culprits") {
            let places = culprits.iter().filter_map(|place| place.as_usize());
            stopped.2 = places.filter(|place| *place < parties).take(MOST_PARTIES).collect();
        }
    }
    RunError::Stopped { by, why: stopped.0, code: stopped.1, culprits: stopped.2 }
}

/// What follows an error that has causes.
fn listed(causes: &[String]) -> String {
    if causes.is_empty() { String::new() } else { format!(": {}", causes.join("; ")) }
}

/// "party 1", "parties 1 and 3".
fn named(places: &[usize]) -> String {
    let all: Vec<String> = places.iter().map(usize::to_string).collect();
    match all.as_slice() {
        [] => "nobody".to_owned(),
        [one] => format!("party {one}"),
        [first @ .., last] => format!("parties {} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;
    use crate::sim::setup;

    fn prepared(function: &'static str, run: RunFn) -> Prepared {
        let cost = Box::new(|_: &Announced| Cost::default());
        let setup = crate::protocol::Setup::PairwiseKeys;
        Prepared { function, version: 1, params: Value::Null, setup, announcement: Value::Null, cost, run }
    }

    /// A session of a protocol that waits for the last party to speak, which it never does.
    fn session(me: usize, function: &'static str) -> Session {
        let run: RunFn = Box::new(|mut party| {
            Box::pin(async move {
                let last = party.parties() - 1;
                party.recv(last).await.map(|_| Value::Null)
            })
        });
        Session::new(setup(me, 3, prepared(function, run), 1), Time::START)
    }

    fn poll(session: &mut Session, now: Time) -> Vec<Envelope> {
        let _ = session.poll(&mut Context::from_waker(Waker::noop()), now);
        std::iter::from_fn(|| session.poll_transmit()).collect()
    }

    fn pass(from: &[Envelope], to: &mut Session, place: u16) {
        for envelope in from.iter().filter(|envelope| envelope.route.to == place) {
            let _ = to.handle(envelope.clone());
        }
    }

    #[test]
    fn who_is_stopped_while_joining_takes_its_hello_back() {
        let [mut zero, mut one] = [0, 1].map(|me| session(me, "Wait"));
        let (hellos, _) = (poll(&mut zero, Time::START), poll(&mut one, Time::START));
        pass(&hellos, &mut one, 1);
        zero.cancel();
        pass(&poll(&mut zero, Time::START), &mut one, 1);
        let told = poll(&mut one, Time::START);
        assert!(matches!(one.outcome(), Some(Err(RunError::Stopped { by: 0, .. }))));
        assert_eq!(told.iter().map(|envelope| envelope.route.to).collect::<Vec<_>>(), [2], "party 0 knows");
        assert!(told.iter().all(|envelope| matches!(envelope.content, Content::Stop { .. })));
    }

    /// Two parties at nodes with these keys, to their ends.
    fn both(keys: &[Arc<Keys>], seed: u64, run: impl Fn() -> RunFn) -> [Session; 2] {
        [0, 1].map(|me| {
            let setup = setup(me, 2, prepared("Keep", run()), seed);
            Session::new(Setup { keys: Arc::clone(&keys[me]), ..setup }, Time::START)
        })
    }

    fn outcomes(mut all: [Session; 2]) -> [Outcome; 2] {
        for _ in 0..5 {
            let mail: Vec<Envelope> = all.iter_mut().flat_map(|session| poll(session, Time::START)).collect();
            (0..2).for_each(|place| pass(&mail, &mut all[usize::from(place)], place));
        }
        all.map(|session| session.into_outcome().expect("nothing is lost"))
    }

    /// Answers what was kept, 0 for nothing; then keeps `half`, if nothing was.
    fn keeps(half: Option<u8>) -> RunFn {
        Box::new(move |party| {
            Box::pin(async move {
                let other = 1 - party.me();
                let kept = party.kept::<u8>(other);
                if let (None, Some(half)) = (&kept, half) {
                    party.keep(other, Arc::new(half));
                }
                Ok(Value::from(kept.map_or(0, |half| i64::from(*half))))
            })
        })
    }

    #[test]
    fn a_runs_id_is_the_same_at_all_parties_and_another_one_next_time() {
        let says = || -> RunFn {
            Box::new(|mut party| {
                Box::pin(async move {
                    assert_eq!(party.fork("inner").run(), party.run());
                    Ok(Value::Bytes(Bytes::copy_from_slice(&party.run().0)))
                })
            })
        };
        let keys = crate::sim::keys(2, 1);
        let [first, next] = [1, 2].map(|seed| outcomes(both(&keys, seed, says)));
        assert!(first[0].is_ok() && first[0] == first[1], "{first:?}");
        assert!(next[0].is_ok() && next[0] != first[0], "{next:?}");
    }

    fn named(id: u8, keys: &[Arc<Keys>], of: usize) -> (Address, Keepsake) {
        let keepsake = Keepsake { id: KeepsakeId([id; 8]), peer: keys[of].public(), half: Arc::new(id) };
        (format!("sim:{of}").parse().expect("an address"), keepsake)
    }

    #[test]
    fn what_a_run_keeps_the_next_one_finds() {
        let keys = crate::sim::keys(2, 1);
        let answers = |answer: i64| [0, 1].map(|_| Ok(Value::from(answer)));
        assert_eq!(outcomes(both(&keys, 1, || keeps(Some(5)))), answers(0));
        assert_eq!(outcomes(both(&keys, 2, || keeps(Some(6)))), answers(5));
        let restarted = [crate::sim::keys(2, 2).swap_remove(0), Arc::clone(&keys[1])];
        assert_eq!(outcomes(both(&restarted, 3, || keeps(Some(7)))), answers(0), "one node has forgotten");
        assert_eq!(outcomes(both(&restarted, 4, || keeps(None))), answers(7));
    }

    #[test]
    fn a_run_beside_this_one_does_not_change_what_it_finds() {
        let keys = crate::sim::keys(2, 1);
        crate::sim::acquaint(&keys, [0, 1], [7_u8, 7]);
        let all = both(&keys, 2, || keeps(None));
        let (address, other) = named(0, &keys, 1);
        keys[0].keepsakes().keep(address, other, KeepsakeId::NONE);
        assert_eq!(outcomes(all), [0, 1].map(|_| Ok(Value::from(7_i64))));
    }

    #[test]
    fn nodes_recover_from_a_keepsake_that_only_one_of_them_has() {
        let keys = crate::sim::keys(2, 1);
        let (address, lonely) = named(0, &keys, 1);
        keys[0].keepsakes().keep(
            address,
            Keepsake { id: KeepsakeId([0, 0, 0, 0, 0, 0, 0, 1]), ..lonely },
            KeepsakeId::NONE,
        );
        for answer in [0, 5] {
            assert_eq!(outcomes(both(&keys, 1, || keeps(Some(5)))), [0, 1].map(|_| Ok(Value::from(answer))));
        }
    }

    #[test]
    fn a_cost_that_panics_over_an_announcement_ends_the_run_at_all() {
        let all = [0, 1].map(|me| {
            let mut hasty = prepared("Cost", keeps(None));
            hasty.announcement = if me == 1 { Value::from(u64::MAX) } else { Value::Null };
            if me == 0 {
                hasty.cost = Box::new(|all: &Announced| panic!("{} on purpose", all.parties()));
            }
            Session::new(setup(me, 2, hasty, 1), Time::START)
        });
        let [zero, one] = outcomes(all);
        assert!(matches!(zero, Err(RunError::Broken(_))), "{zero:?}");
        assert!(matches!(one, Err(RunError::Stopped { by: 0, .. }) | Ok(_)), "{one:?}");
    }

    #[test]
    fn a_hello_that_nobody_would_read_is_known_before_it_is_sent() {
        for announcement in [Value::Text("x".repeat(crate::joining::MOST_ANNOUNCED_BYTES)), Value::Null] {
            let fits = announcement == Value::Null;
            let talkative = Prepared { announcement, ..prepared("Talk", keeps(None)) };
            let session = Session::new(setup(0, 2, talkative, 1), Time::START);
            assert_eq!(session.introduces_itself().is_ok(), fits);
        }
    }

    #[test]
    fn only_a_mismatch_is_a_disagreement() {
        let [mut zero, mut one] = [session(0, "Wait"), session(1, "Hurry")];
        let hellos = poll(&mut one, Time::START);
        pass(&hellos, &mut zero, 0);
        let stops = poll(&mut zero, Time::START);
        assert!(matches!(zero.outcome(), Some(Err(RunError::Mismatch { party: 1, .. }))));
        assert!(stops.iter().filter(|stop| matches!(stop.content, Content::Stop { .. })).all(is_disagreement));
        one.cancel();
        assert!(!poll(&mut one, Time::START).iter().any(is_disagreement));
    }

    #[test]
    fn absent_and_silent_parties_are_named() {
        let mut alone = session(0, "Wait");
        poll(&mut alone, Time::START + Duration::from_mins(2));
        assert_eq!(
            alone.outcome(),
            Some(&Err(RunError::Absent { parties: vec![1, 2], seconds: 60, troubles: vec![] }))
        );

        let mut all = [0, 1, 2].map(|me| session(me, "Wait"));
        let hellos: Vec<Envelope> = all.iter_mut().flat_map(|session| poll(session, Time::START)).collect();
        pass(&hellos, &mut all[0], 0);
        poll(&mut all[0], Time::START);
        all[0].poll_timeout(Time::START);
        assert_eq!(all[0].progress().waiting_for, [2]);
        poll(&mut all[0], Time::START + Duration::from_mins(2));
        let silent = RunError::Silent { parties: vec![1, 2], seconds: 60 };
        assert_eq!(all[0].outcome(), Some(&Err(silent)), "party 2 may wait for party 1, which was not heard either");
    }

    #[test]
    fn mail_that_nobody_waits_for_buys_no_time() {
        let run = || -> RunFn {
            Box::new(|mut party| {
                Box::pin(async move {
                    if party.me() == 1 {
                        party.send(0, Bytes::from_static(b"nobody asked"));
                    }
                    party.recv(2).await.map(|_| Value::Null)
                })
            })
        };
        let mut all = [0, 1, 2].map(|me| Session::new(setup(me, 3, prepared("Wait", run()), 1), Time::START));
        let hellos: Vec<Envelope> = all.iter_mut().flat_map(|session| poll(session, Time::START)).collect();
        (0..3).for_each(|place| pass(&hellos, &mut all[usize::from(place)], place));
        poll(&mut all[0], Time::START);
        all[0].poll_timeout(Time::START);
        let mail = poll(&mut all[1], Time::START);
        pass(&mail, &mut all[0], 0);
        poll(&mut all[0], after(30));
        assert_eq!(all[0].poll_timeout(after(30)), Some(after(60)));
        poll(&mut all[0], after(59));
        assert_eq!(all[0].outcome(), None);
        poll(&mut all[0], after(60));
        assert_eq!(all[0].outcome(), Some(&Err(RunError::Silent { parties: vec![2], seconds: 60 })));
    }

    /// Three sessions that have joined, at `START`: 0 waits for 1, 1 waits for 2, and 2 for nobody until it has heard 0.
    fn chain() -> [Session; 3] {
        let run = || -> RunFn {
            Box::new(|mut party| {
                Box::pin(async move {
                    let from = (party.me() + 1) % 3;
                    party.recv(from).await.map(|_| Value::Null)
                })
            })
        };
        let mut all = [0, 1, 2].map(|me| Session::new(setup(me, 3, prepared("Chain", run()), 1), Time::START));
        let hellos: Vec<Envelope> = all.iter_mut().flat_map(|session| poll(session, Time::START)).collect();
        (0..3).for_each(|place| pass(&hellos, &mut all[usize::from(place)], place));
        for session in &mut all {
            poll(session, Time::START);
            session.poll_timeout(Time::START);
        }
        all
    }

    fn after(seconds: u64) -> Time {
        Time::START + Duration::from_secs(seconds)
    }

    #[test]
    fn who_is_kept_waiting_is_not_the_one_that_is_named() {
        let [mut zero, mut one, _silent] = chain();
        assert_eq!(one.poll_timeout(Time::START), Some(after(15)), "a beat is due");
        let beats = poll(&mut one, after(15));
        assert_eq!(beats.len(), 2, "one for each of the others");
        pass(&beats, &mut zero, 0);
        pass(&poll(&mut zero, after(15)), &mut one, 1);
        let stop = poll(&mut one, after(60));
        assert_eq!(one.outcome(), Some(&Err(RunError::Silent { parties: vec![2], seconds: 60 })));
        poll(&mut zero, after(60));
        assert_eq!(zero.outcome(), None, "it has heard from party 1 in time");
        pass(&stop, &mut zero, 0);
        assert_eq!(zero.outcome().unwrap().as_ref().unwrap_err().culprits(), [2]);
    }

    #[test]
    fn beats_that_tell_nothing_new_or_are_forged_buy_no_time() {
        let [mut zero, mut one, _] = chain();
        let mut beats = poll(&mut one, after(15));
        pass(&beats, &mut zero, 0);
        poll(&mut zero, after(15));
        assert_eq!(poll(&mut one, after(30)), [], "nothing has happened since");
        pass(&beats, &mut zero, 0);
        for beat in &mut beats {
            let Content::Beat { progress, .. } = &mut beat.content else { panic!("a beat") };
            *progress += 1;
        }
        pass(&beats, &mut zero, 0);
        poll(&mut zero, after(30));
        poll(&mut zero, after(75));
        assert_eq!(zero.outcome(), Some(&Err(RunError::Silent { parties: vec![1], seconds: 60 })));
    }

    #[test]
    fn who_is_still_sending_says_so() {
        for sending in [true, false] {
            let [mut zero, mut one, _] = chain();
            for seconds in (15..=120).step_by(15) {
                one.excuse(2, after(seconds));
                one.note_sending(0, sending);
                pass(&poll(&mut one, after(seconds)), &mut zero, 0);
                one.poll_timeout(after(seconds));
                poll(&mut zero, after(seconds));
            }
            assert_eq!(zero.outcome().is_none(), sending, "all that it has is one beat");
        }
    }

    #[test]
    fn mail_that_is_on_its_way_excuses_nobody_for_ever() {
        let [mut zero, ..] = chain();
        for seconds in (10..3600).step_by(10) {
            zero.excuse(1, after(seconds));
            poll(&mut zero, after(seconds));
            assert_eq!(zero.outcome(), None, "after {seconds} s");
        }
        poll(&mut zero, after(3600));
        assert_eq!(zero.outcome(), Some(&Err(RunError::Busy { parties: vec![1], seconds: 3600 })));
    }

    #[test]
    fn parties_that_wait_for_one_another_do_not_wait_for_ever() {
        let mut all = chain();
        let mut seconds = 0;
        while all.iter().all(|session| session.outcome().is_none()) {
            seconds += 5;
            assert!(seconds < 4000, "they beat for ever");
            let mail: Vec<Envelope> = all.iter_mut().flat_map(|session| poll(session, after(seconds))).collect();
            (0..3).for_each(|place| pass(&mail, &mut all[usize::from(place)], place));
            for session in &mut all {
                session.poll_timeout(after(seconds));
            }
        }
        assert!(seconds >= 3600, "as long as they get on, they have an hour");
        let outcomes = all.each_ref().map(|session| session.outcome().cloned());
        let is_busy = |outcome: &Option<Outcome>| matches!(outcome, Some(Err(RunError::Busy { seconds: 3600, .. })));
        assert!(outcomes.iter().any(is_busy), "{outcomes:?}");
    }

    #[test]
    fn a_protocol_that_waits_for_something_else_is_broken() {
        let run: RunFn = Box::new(|_| Box::pin(std::future::pending()));
        let mut hangs = Session::new(setup(0, 2, prepared("Hang", run), 1), Time::START);
        let run: RunFn = Box::new(|_| Box::pin(async { panic!("on purpose") }));
        let mut panics = Session::new(setup(1, 2, prepared("Hang", run), 1), Time::START);
        let (one, other) = (poll(&mut hangs, Time::START), poll(&mut panics, Time::START));
        pass(&one, &mut panics, 1);
        pass(&other, &mut hangs, 0);
        poll(&mut hangs, Time::START);
        poll(&mut panics, Time::START);
        assert!(matches!(hangs.outcome(), Some(Err(RunError::Broken(_)))));
        assert!(matches!(panics.outcome(), Some(Err(RunError::Broken(_)))));
    }
}
