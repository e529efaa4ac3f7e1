//! The runs that are under way at a node: mail is sorted to them, they are driven to their end, and peers that vanish
//! are noticed.

use std::collections::{HashMap, HashSet, VecDeque};
use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use futures_util::task::AtomicWaker;
use zeroize::Zeroizing;

use crate::bus::{Failure, Principal};
use crate::clock::{self, BoxFuture, Runtime, Time};
use crate::envelope::{Content, Envelope, Mark, Topic};
use crate::identity::NodeId;
use crate::joining::{Keys, MOST_HELLO_BYTES, MOST_PARTIES};
use crate::object::ObjectError;
use crate::protocol::Prepared;
use crate::session::{Deadlines, Outcome, Progress, RunError, Session, Setup, is_disagreement, refusal};
use crate::transport::{Address, Assurance, Batch, Life, Origin, Transport, TransportError};
use crate::value::Value;

/// What a node allows its runs.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long runs wait for others.
    pub deadlines: Deadlines,
    /// How long mail is offered again to a peer that has joined and can't be reached.
    pub patience: Duration,
    /// Runs at a time.
    pub runs: usize,
    /// Runs of one client at a time.
    pub runs_each: usize,
    /// Hellos that wait for a run that has not started here.
    pub waiting: usize,
    /// Their bytes.
    pub waiting_bytes: usize,
    /// After so many bytes to send, a run is computed where it does not hold up others.
    pub heavy_bytes: u64,
    /// How long the node keeps an ephemeral key.
    pub key_lifetime: Duration,
    /// Whether peers on other machines may take part without keys. Their mail is readable and forgeable on the way.
    pub unsealed_peers: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            deadlines: Deadlines::default(),
            patience: Duration::from_millis(250),
            runs: 4096,
            runs_each: 1024,
            waiting: 16_384,
            waiting_bytes: 64 << 20,
            heavy_bytes: 1 << 20,
            key_lifetime: Duration::from_mins(10),
            unsealed_peers: false,
        }
    }
}

/// Who computes together, as this party sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// The parties' addresses, in an order that is the same at all.
    pub nodes: Vec<Address>,
    /// My place among them.
    pub myself: usize,
    /// The name of the rendezvous, the same at all parties.
    pub uuid: String,
}

impl From<Network> for Value {
    /// As clients write it: the argument `network` of a computation.
    fn from(network: Network) -> Self {
        let nodes: Vec<Self> = network.nodes.iter().map(|address| address.as_str().into()).collect();
        Self::map([("nodes", nodes.into()), ("myself", network.myself.into()), ("uuid", Self::from(network.uuid))])
    }
}

/// The runs of a node.
pub struct Runs {
    runtime: Arc<dyn Runtime>,
    transport: Arc<dyn Transport>,
    limits: Limits,
    life: Life,
    keys: Mutex<(Time, Arc<Keys>)>,
    desk: Mutex<Desk>,
    /// Drivers that have not come to their end, and who waits for the last of them.
    drivers: AtomicUsize,
    drained: AtomicWaker,
}

impl Runs {
    /// No runs yet.
    pub fn new(runtime: Arc<dyn Runtime>, transport: Arc<dyn Transport>, limits: Limits) -> Arc<Self> {
        let keys = Mutex::new((runtime.now(), Arc::new(Keys::generate())));
        let desk = Mutex::new(Desk::default());
        let life = Life(clock::random());
        let (drivers, drained) = (AtomicUsize::new(0), AtomicWaker::new());
        Arc::new(Self { runtime, transport, limits, life, keys, desk, drivers, drained })
    }

    /// Starts a run for a client, or says why it can't be started. Nothing is sent before everything was checked.
    pub fn start(
        self: &Arc<Self>,
        owner: &Principal,
        prepared: Prepared,
        network: Network,
    ) -> Result<Run, ObjectError> {
        let parties = self.parties(&network)?;
        let now = self.runtime.now();
        let place = Place { topic: Topic::of(&network.uuid), me: network.myself as u16 };
        let setup = Setup {
            topic: place.topic,
            me: network.myself,
            parties: parties.names,
            prepared,
            keys: self.current_keys(now),
            seed: Zeroizing::new(clock::random()),
            deadlines: self.limits.deadlines,
        };
        let session = Session::new(setup, now);
        session.introduces_itself().map_err(|_| too_much_to_say())?;
        let live = Arc::new(Live::new(place, owner.clone(), parties.seals, session.progress()));
        let strangers = self.desk().enter(&live, now, &self.limits)?;
        for stranger in strangers {
            self.turn_away(&stranger, &live);
        }
        let driver = Driver {
            runs: Arc::clone(self),
            live: Arc::clone(&live),
            outgoing: network.nodes.iter().map(|_| Outgoing::default()).collect(),
            nodes: network.nodes,
            joining_until: now + self.limits.deadlines.joining,
            events: FuturesUnordered::new(),
            lives: Vec::new(),
        };
        self.drivers.fetch_add(1, Ordering::AcqRel);
        self.runtime.spawn(Box::pin(driver.run(session)));
        Ok(Run(live))
    }

    /// Tells a node that said hello in another's place, so that it need not wait for its deadline to learn of it.
    fn turn_away(self: &Arc<Self>, stranger: &Stranger, live: &Live) {
        let Place { topic, me } = live.place;
        let Stranger { id, from, mark } = *stranger;
        let difference = live.seals.stranger(usize::from(from), id);
        let stop = refusal(topic, me.into(), from.into(), mark, difference);
        let mut batch = Batch::default();
        stop.encode_into(&mut batch);
        let until = self.runtime.now() + self.limits.patience;
        let runs = Arc::clone(self);
        self.runtime.spawn(Box::pin(async move {
            let until = Until { reached: until, taken: until };
            // A node that can't be told learns of it by its deadline.
            let _ = deliver(runs, Address::of(id), batch, until, |_| ()).await;
        }));
    }

    /// Whether mail from there is taken at all; to be asked before the mail is read.
    pub fn admits(&self, origin: Origin) -> Result<(), Failure> {
        if origin == Origin::Remote && !self.limits.unsealed_peers {
            return Err(Failure::new(403, NEEDS_KEYS));
        }
        Ok(())
    }

    /// Takes in mail: sorts it to runs, or keeps hellos for runs that have not started here yet.
    pub fn mail(&self, origin: Origin, batch: Bytes) -> Result<Life, Failure> {
        self.admits(origin)?;
        let bytes = batch.len();
        let envelopes = Envelope::decode_all(batch).map_err(|error| Failure::new(400, error.to_string()))?;
        let now = self.runtime.now();
        let mut desk = self.desk();
        let mut first = Ok(self.life);
        for envelope in envelopes {
            // What is kept counts by its own size, so a small part must not keep a large batch in memory.
            let envelope = if envelope.encoded_len() < bytes / SMALL_PART { envelope.detached() } else { envelope };
            if let Err(failure) = desk.sort(origin, envelope, now, &self.limits) {
                first = first.and(Err(failure));
            }
        }
        first
    }

    /// Lets go of what is too old: an ephemeral key past its lifetime, hellos whose senders have given up. A node calls
    /// this from time to time.
    pub fn sweep(&self) {
        let now = self.runtime.now();
        drop(self.current_keys(now));
        self.desk().expire(now, &self.limits);
    }

    /// How many runs are under way.
    pub fn len(&self) -> usize {
        self.desk().runs
    }

    /// Whether no run is under way.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Completes when no run is under way and all that runs had to say was delivered, or at `until`.
    pub async fn drained(&self, until: Time) {
        let mut timer = self.runtime.sleep_until(until);
        poll_fn(|context| {
            self.drained.register(context.waker());
            if self.drivers.load(Ordering::Acquire) == 0 { Poll::Ready(()) } else { timer.as_mut().poll(context) }
        })
        .await;
    }

    /// Cancels all runs, as a node does that stops.
    pub fn cancel_all(&self) {
        let live: Vec<_> = self.desk().live.values().flatten().cloned().collect();
        for live in live {
            live.cancel();
        }
    }

    /// Checks who is to compute together. Either all others are known by their keys, or none is.
    fn parties(&self, network: &Network) -> Result<Parties, ObjectError> {
        let wrong = |why: String| ObjectError::argument("network", why);
        let Network { nodes, myself, uuid } = network;
        if !(2..=MOST_PARTIES).contains(&nodes.len()) {
            return Err(wrong(format!("it names {} nodes; 2 to {MOST_PARTIES} can compute together", nodes.len())));
        }
        if *myself >= nodes.len() {
            return Err(wrong(format!("myself is {myself}, but places go from 0 to {}", nodes.len() - 1)));
        }
        if uuid.is_empty() || uuid.len() > 256 {
            return Err(wrong("its uuid must have 1 to 256 bytes".to_owned()));
        }
        let others = || nodes.iter().enumerate().filter(|(place, _)| place != myself);
        let parties = match self.transport.identity() {
            Some(me) if others().any(|(_, address)| self.transport.peer(address).is_some()) => {
                self.by_id(network, me)?
            }
            _ => self.by_address(network)?,
        };
        let distinct: HashSet<&Address> = parties.names.iter().collect();
        if distinct.len() < nodes.len() {
            return Err(wrong("it names a node twice; every party needs a node of its own".to_owned()));
        }
        Ok(parties)
    }

    /// The parties, all of them known by their keys, this node by `me`.
    fn by_id(&self, network: &Network, me: NodeId) -> Result<Parties, ObjectError> {
        let id = |(place, address): (usize, &Address)| {
            if place == network.myself {
                return match address.id() {
                    Some(id) if id != me => Err(ObjectError::argument(
                        "network",
                        format!("at place {place} (myself) it names node {id}, but this node is {me}: correct either"),
                    )),
                    _ => Ok(me),
                };
            }
            let Some(id) = self.transport.peer(address) else {
                let why = format!(
                    "party {place} at {address} is known by no key, but others are: \
                     write {address}#ID, or list it under [[nodes]] in the configuration"
                );
                return Err(ObjectError::argument("network", why));
            };
            if self.transport.assurance(address) < Assurance::Sealed {
                let why = format!("party {place} is node {id}, no peer of this one: list it under [[nodes]]");
                return Err(ObjectError::Refused { why });
            }
            Ok(id)
        };
        let ids = network.nodes.iter().enumerate().map(id).collect::<Result<Vec<_>, _>>()?;
        let names = ids.iter().copied().map(Address::of).collect();
        Ok(Parties { names, seals: Seals(ids) })
    }

    /// The parties, none of which is known by its key.
    fn by_address(&self, network: &Network) -> Result<Parties, ObjectError> {
        if let Some(named) = network.nodes.iter().find(|address| address.id().is_some()) {
            let why = match self.transport.identity() {
                None => format!("it names {named} by its key, but this node has none: make one with `fsc keygen`"),
                Some(_) => format!("it names {named} by its key, but no other party: name all by their keys, or none"),
            };
            return Err(ObjectError::argument("network", why));
        }
        for (_, address) in network.nodes.iter().enumerate().filter(|(place, _)| *place != network.myself) {
            if self.transport.assurance(address) < Assurance::Loopback && !self.limits.unsealed_peers {
                return Err(ObjectError::Refused { why: format!("{address} is not on this machine: {NEEDS_KEYS}") });
            }
        }
        Ok(Parties { names: network.nodes.clone(), seals: Seals::default() })
    }

    fn current_keys(&self, now: Time) -> Arc<Keys> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if now.since(keys.0) > self.limits.key_lifetime {
            *keys = (now, Arc::new(Keys::generate()));
        }
        Arc::clone(&keys.1)
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An envelope smaller than this part of its batch is copied out of it.
const SMALL_PART: usize = 4;

const NEEDS_KEYS: &str = "mail between machines is sealed: make a key with `fsc keygen` and list the peers' ids under \
     [[nodes]] in the configuration of every node; on a network that you trust, `unsealed_peers = true` under [peers] does \
     without";

/// Who computes together, once that was checked.
struct Parties {
    /// By what name all parties know each.
    names: Vec<Address>,
    seals: Seals,
}

/// Whose seal the mail of each party must bear; empty where nobody's need to.
#[derive(Clone, Debug, Default)]
struct Seals(Vec<NodeId>);

impl Seals {
    /// Whether mail of the party at place `from` may come that way.
    fn admit(&self, from: usize, origin: Origin) -> Result<(), Failure> {
        match (self.0.get(from), origin) {
            (_, Origin::InProcess) => Ok(()),
            // Whoever it is, it was not asked to take part: its seal does not make it the node at an address.
            (None, Origin::Sealed(_)) if self.0.is_empty() => {
                let why = "the client here names the parties by their addresses: name all of them by their ids";
                Err(Failure::new(403, why))
            }
            (None, _) if self.0.is_empty() => Ok(()),
            (None, _) => Err(Failure::new(403, format!("there is no party {from}"))),
            (Some(id), Origin::Sealed(sender)) if sender == *id => Ok(()),
            (Some(_), Origin::Sealed(sender)) => Err(Failure::new(403, self.stranger(from, sender))),
            (Some(id), _) => {
                let why = format!("party {from} of this computation is node {id}, and its mail must be sealed");
                Err(Failure::new(403, why))
            }
        }
    }

    /// What is wrong with mail of the party at place `from` that another node has sent.
    fn stranger(&self, from: usize, sender: NodeId) -> String {
        match self.0.get(from) {
            Some(id) => format!("its client takes node {id} for party {from}, and this one is {sender}"),
            None => format!("there is no party {from}"),
        }
    }
}

/// What others must agree on, or know, travels whole with the first message.
fn too_much_to_say() -> ObjectError {
    let why = format!("they, and what is public of the data, may have {MOST_HELLO_BYTES} bytes together, not too deep");
    ObjectError::argument("parameters", why)
}

/// A run that was started.
#[derive(Clone)]
pub struct Run(Arc<Live>);

impl Run {
    /// Completes with what the run came to.
    pub async fn outcome(&self) -> Outcome {
        poll_fn(|context| self.0.poll_outcome(context)).await
    }

    /// What the run came to, if it has ended.
    pub fn try_outcome(&self) -> Option<&Outcome> {
        self.0.outcome.get()
    }

    /// How far the run is.
    pub fn progress(&self) -> Progress {
        self.0.progress.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends the run at all parties.
    pub fn cancel(&self) {
        self.0.cancel();
    }
}

impl From<RunError> for ObjectError {
    fn from(error: RunError) -> Self {
        let (why, culprits) = (error.to_string(), error.culprits());
        match error.code() {
            409 => Self::Conflict { why, culprits },
            500 => Self::Internal { why },
            502 => Self::BadPeer { why, culprits },
            504 => Self::TimedOut { why, culprits },
            _ => Self::Unavailable { why, culprits },
        }
    }
}

/// A party's place at a rendezvous.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Place {
    topic: Topic,
    me: u16,
}

/// What the node and a run's driver share.
struct Live {
    place: Place,
    owner: Principal,
    seals: Seals,
    inbox: Mutex<Inbox>,
    arrival: AtomicWaker,
    /// The marks of the others' hellos and mail, once all have joined.
    marks: OnceLock<HashSet<Mark>>,
    progress: Mutex<Progress>,
    /// Why mail to a party has not arrived, and is offered again.
    troubles: Mutex<HashMap<usize, String>>,
    outcome: OnceLock<Outcome>,
    waiters: Mutex<Vec<Waker>>,
}

#[derive(Default)]
struct Inbox {
    letters: VecDeque<Envelope>,
    /// Mail that came before all hellos did. It waits here, where it is bounded and refused beyond that.
    early: VecDeque<Envelope>,
    bytes: usize,
    cancelled: bool,
}

/// Whether an envelope is for a run.
enum Wants {
    Yes,
    /// The run is still joining.
    Perhaps,
    No,
}

impl Live {
    fn new(place: Place, owner: Principal, seals: Seals, progress: Progress) -> Self {
        Self {
            place,
            owner,
            seals,
            inbox: Mutex::default(),
            arrival: AtomicWaker::new(),
            marks: OnceLock::new(),
            progress: Mutex::new(progress),
            troubles: Mutex::default(),
            outcome: OnceLock::new(),
            waiters: Mutex::default(),
        }
    }

    fn put(&self, envelope: Envelope, limits: &Limits) -> Result<(), Failure> {
        let mut inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = envelope.encoded_len();
        let is_early = self.is_joining() && matches!(envelope.content, Content::Mail(_));
        let most = if is_early { limits.waiting_bytes } else { limits.deadlines.backlog_bytes };
        // An empty inbox takes anything, so that no message is too large for ever.
        if inbox.bytes > 0 && inbox.bytes + bytes > most {
            return Err(Failure::new(429, "too much mail for one run at a time"));
        }
        inbox.bytes += bytes;
        let queue = if is_early { &mut inbox.early } else { &mut inbox.letters };
        queue.push_back(envelope);
        drop(inbox);
        self.arrival.wake();
        Ok(())
    }

    fn note_trouble(&self, to: usize, error: &TransportError) {
        self.troubles.lock().unwrap_or_else(PoisonError::into_inner).insert(to, error.to_string());
    }

    fn cancel(&self) {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner).cancelled = true;
        self.arrival.wake();
    }

    /// Takes the news out; mail that came too early only when its time has come.
    fn take(&self) -> Inbox {
        let mut inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken = std::mem::take(&mut *inbox);
        if self.is_joining() {
            inbox.early = std::mem::take(&mut taken.early);
            inbox.bytes = inbox.early.iter().map(Envelope::encoded_len).sum();
        }
        taken
    }

    fn has_news(&self) -> bool {
        let inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
        inbox.cancelled || !inbox.letters.is_empty() || (!inbox.early.is_empty() && !self.is_joining())
    }

    fn is_joining(&self) -> bool {
        self.marks.get().is_none() && self.outcome.get().is_none()
    }

    /// Looks at the marks once: a run that joins meanwhile changes from `Perhaps` to `Yes`, never by way of `No`.
    fn wants(&self, mark: Mark) -> Wants {
        match self.marks.get() {
            Some(marks) if marks.contains(&mark) => Wants::Yes,
            None if self.outcome.get().is_none() => Wants::Perhaps,
            Some(_) | None => Wants::No,
        }
    }

    fn end(&self, outcome: Outcome) {
        let _ = self.outcome.set(outcome);
        let waiters = std::mem::take(&mut *self.waiters.lock().unwrap_or_else(PoisonError::into_inner));
        waiters.into_iter().for_each(Waker::wake);
    }

    fn poll_outcome(&self, context: &mut Context<'_>) -> Poll<Outcome> {
        let mut waiters = self.waiters.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(outcome) = self.outcome.get() {
            return Poll::Ready(outcome.clone());
        }
        if !waiters.iter().any(|waker| waker.will_wake(context.waker())) {
            waiters.push(context.waker().clone());
        }
        Poll::Pending
    }
}

/// Where mail is sorted.
#[derive(Default)]
struct Desk {
    runs: usize,
    /// How many of them each client has.
    of: HashMap<Principal, usize>,
    live: HashMap<Place, Vec<Arc<Live>>>,
    /// Hellos for runs that have not started here, one per place and sender, and what their senders said since.
    waiting: HashMap<Place, HashMap<Sender, Kept>>,
    waiting_bytes: usize,
    /// How many hellos wait; and from each origin, with their bytes.
    kept: usize,
    kept_of: HashMap<Origin, (usize, usize)>,
    /// When which hello came; a hello that was replaced or taken leaves its entry behind.
    arrivals: VecDeque<(Time, Place, Sender, Mark)>,
    finished: Finished,
}

impl Desk {
    /// Enters a run that joins, with the hellos that have come for it. Answers which of them are not from whom they should be.
    fn enter(&mut self, live: &Arc<Live>, now: Time, limits: &Limits) -> Result<Vec<Stranger>, ObjectError> {
        self.expire(now, limits);
        if self.runs >= limits.runs {
            return Err(ObjectError::Limit { what: format!("this node runs {} computations already", self.runs) });
        }
        let of_owner = self.of.get(&live.owner).copied().unwrap_or_default();
        if of_owner >= limits.runs_each {
            return Err(ObjectError::Limit {
                what: format!("you have {of_owner} computations under way here already"),
            });
        }
        let here = self.live.entry(live.place).or_default();
        if here.iter().any(|live| live.is_joining()) {
            let why = "a computation with this network.uuid is waiting for its parties here already; \
                       wait for it, or use a fresh uuid";
            return Err(ObjectError::conflict(why));
        }
        here.push(Arc::clone(live));
        self.runs += 1;
        *self.of.entry(live.owner.clone()).or_default() += 1;
        let mut strangers: HashMap<NodeId, Stranger> = HashMap::new();
        for (sender, kept) in self.waiting.remove(&live.place).into_iter().flatten() {
            self.let_go(sender, &kept);
            if live.seals.admit(sender.from.into(), sender.origin).is_err() {
                if let Origin::Sealed(id) = sender.origin {
                    let mark = kept.hello.route.mark;
                    strangers.entry(id).or_insert(Stranger { id, from: sender.from, mark });
                }
                continue;
            }
            for envelope in kept.stop.into_iter().chain([kept.hello]) {
                let _ = live.put(envelope, limits);
            }
        }
        Ok(strangers.into_values().collect())
    }

    /// A hello that was kept is no longer.
    fn let_go(&mut self, sender: Sender, kept: &Kept) {
        self.waiting_bytes -= kept.bytes();
        self.kept -= 1;
        if let Some(kept_of) = self.kept_of.get_mut(&sender.origin) {
            kept_of.0 -= 1;
            kept_of.1 -= kept.hello.encoded_len();
            if kept_of.0 == 0 {
                self.kept_of.remove(&sender.origin);
            }
        }
    }

    fn sort(&mut self, origin: Origin, envelope: Envelope, now: Time, limits: &Limits) -> Result<(), Failure> {
        let (mark, from) = (envelope.route.mark, envelope.route.from);
        if usize::from(from) >= MOST_PARTIES {
            return Err(Failure::new(400, format!("there is no party {from}")));
        }
        let admitted = |live: &Live| live.seals.admit(from.into(), origin);
        let place = Place { topic: envelope.route.topic, me: envelope.route.to };
        let mut joining = None;
        for live in self.live.get(&place).into_iter().flatten() {
            match live.wants(mark) {
                Wants::Yes => return admitted(live).and_then(|()| live.put(envelope, limits)),
                Wants::Perhaps => joining = Some(live),
                Wants::No => {}
            }
        }
        let sender = Sender::new(from, origin);
        if self.finished.contains(mark, sender) {
            return Ok(());
        }
        if let Some(live) = joining {
            return admitted(live).and_then(|()| live.put(envelope, limits));
        }
        match envelope.content {
            Content::Hello(_) => self.keep(place, sender, envelope, now, limits),
            Content::Stop { .. } => {
                self.hear_stop(place, sender, envelope, limits);
                Ok(())
            }
            // Whom it is for has ended by now, or is another life of this node, which its sender will notice.
            Content::Beat { .. } => Ok(()),
            Content::Mail(_) => {
                Err(Failure::new(404, "no such run here: it was never started, or this node was restarted"))
            }
        }
    }

    /// Keeps a hello until its run starts here. A later one of the same party replaces an earlier one.
    fn keep(
        &mut self,
        place: Place,
        sender: Sender,
        envelope: Envelope,
        now: Time,
        limits: &Limits,
    ) -> Result<(), Failure> {
        self.expire(now, limits);
        let bytes = envelope.encoded_len();
        let kept_of = self.kept_of.get(&sender.origin).copied().unwrap_or_default();
        let (many, long) =
            (kept_of.0 >= (limits.waiting / SHARE).max(1), kept_of.1 + bytes > limits.waiting_bytes / SHARE);
        let has_its_share = matches!(sender.origin, Origin::Sealed(_)) && (many || long && kept_of.0 > 0);
        let full = has_its_share || self.kept >= limits.waiting || self.waiting_bytes + bytes > limits.waiting_bytes;
        if full {
            return Err(Failure::new(429, "too many hellos wait here for runs that have not started; try again later"));
        }
        if self.arrivals.len() > 2 * limits.waiting {
            let waiting = &self.waiting;
            self.arrivals.retain(|(_, place, sender, mark)| {
                let kept = waiting.get(place).and_then(|senders| senders.get(sender));
                kept.is_some_and(|kept| kept.hello.route.mark == *mark)
            });
        }
        let mark = envelope.route.mark;
        let kept = Kept { hello: envelope.detached(), stop: None };
        self.kept += 1;
        let kept_of = self.kept_of.entry(sender.origin).or_default();
        (kept_of.0, kept_of.1) = (kept_of.0 + 1, kept_of.1 + bytes);
        self.waiting_bytes += bytes;
        if let Some(earlier) = self.waiting.entry(place).or_default().insert(sender, kept) {
            self.let_go(sender, &earlier);
        }
        self.arrivals.push_back((now, place, sender, mark));
        Ok(())
    }

    /// The sender of a kept hello has given up. If the parties disagree, whoever starts late is to hear that, too; else its
    /// hello is void.
    fn hear_stop(&mut self, place: Place, sender: Sender, stop: Envelope, limits: &Limits) {
        let mark = stop.route.mark;
        let fits = self.waiting_bytes + stop.encoded_len() <= limits.waiting_bytes;
        let kept = self.waiting.get_mut(&place).and_then(|senders| senders.get_mut(&sender));
        if let Some(kept) = kept.filter(|kept| kept.hello.route.mark == mark)
            && fits
            && is_disagreement(&stop)
        {
            self.waiting_bytes += if kept.stop.is_none() { stop.encoded_len() } else { 0 };
            kept.stop.get_or_insert(stop.detached());
            return;
        }
        self.forget(place, sender, mark);
        self.finished.insert(mark, Some(sender));
    }

    /// Forgets a kept hello, if it is still the one of that mark.
    fn forget(&mut self, place: Place, sender: Sender, mark: Mark) {
        let Some(senders) = self.waiting.get_mut(&place) else { return };
        if senders.get(&sender).is_some_and(|kept| kept.hello.route.mark == mark)
            && let Some(kept) = senders.remove(&sender)
        {
            if senders.is_empty() {
                self.waiting.remove(&place);
            }
            self.let_go(sender, &kept);
        }
    }

    /// Forgets hellos whose sender has given up waiting by now.
    fn expire(&mut self, now: Time, limits: &Limits) {
        while let Some(&(arrived, place, sender, mark)) = self.arrivals.front()
            && now.since(arrived) > limits.deadlines.joining
        {
            self.arrivals.pop_front();
            self.forget(place, sender, mark);
        }
    }

    /// Takes a run out that has ended; what is still on its way for it will be dropped.
    fn leave(&mut self, live: &Arc<Live>, marks: impl IntoIterator<Item = Mark>) {
        if let Some(here) = self.live.get_mut(&live.place) {
            let before = here.len();
            here.retain(|other| !Arc::ptr_eq(other, live));
            let left = before - here.len();
            self.runs -= left;
            if let Some(of_owner) = self.of.get_mut(&live.owner) {
                *of_owner -= left;
            }
            self.of.retain(|_, of_owner| *of_owner > 0);
            if here.is_empty() {
                self.live.remove(&live.place);
            }
        }
        marks.into_iter().for_each(|mark| self.finished.insert(mark, None));
    }
}

/// The part of all hellos that wait here that may be from one node.
const SHARE: usize = 8;

/// Who said hello: for the party at which place, and from where or under whose seal. One can't push another out.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Sender {
    from: u16,
    origin: Origin,
}

impl Sender {
    /// What is not sealed has nobody to tell it from the rest.
    fn new(from: u16, origin: Origin) -> Self {
        Self { from, origin: if origin == Origin::Remote { Origin::Loopback } else { origin } }
    }
}

/// A node that said hello in another's place.
struct Stranger {
    id: NodeId,
    from: u16,
    mark: Mark,
}

/// A hello for a run that has not started here.
struct Kept {
    hello: Envelope,
    /// The sender has given up since, because parties disagree.
    stop: Option<Envelope>,
}

impl Kept {
    fn bytes(&self) -> usize {
        self.hello.encoded_len() + self.stop.as_ref().map_or(0, Envelope::encoded_len)
    }
}

/// The marks of runs that have ended: the newest ones, as many as fit. What one sender has said of its own hello holds for that one
/// alone.
#[derive(Default)]
struct Finished {
    marks: HashSet<(Mark, Option<Sender>)>,
    order: VecDeque<(Mark, Option<Sender>)>,
}

impl Finished {
    const MOST: usize = 1 << 16;

    fn contains(&self, mark: Mark, sender: Sender) -> bool {
        self.marks.contains(&(mark, None)) || self.marks.contains(&(mark, Some(sender)))
    }

    fn insert(&mut self, mark: Mark, of: Option<Sender>) {
        if self.marks.insert((mark, of)) {
            self.order.push_back((mark, of));
        }
        if self.order.len() > Self::MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.marks.remove(&oldest);
        }
    }
}

/// Drives one run: moves its mail, watches its peers, and minds its deadlines.
struct Driver {
    runs: Arc<Runs>,
    live: Arc<Live>,
    nodes: Vec<Address>,
    joining_until: Time,
    /// What is on its way to each party.
    outgoing: Vec<Outgoing>,
    events: FuturesUnordered<BoxFuture<Event>>,
    /// Which life of each peer took our mail, and whether it is being watched.
    lives: Vec<(usize, Life, bool)>,
}

/// Mail for one peer that waits to be delivered.
#[derive(Default)]
struct Outgoing {
    /// What overtakes the rest.
    urgent: VecDeque<Batch>,
    batches: VecDeque<Batch>,
    /// The bytes of the last batch.
    open_bytes: usize,
    in_flight: usize,
}

impl Outgoing {
    /// A batch is sent off when it has so many bytes; a single envelope may have more.
    const BATCH: usize = 1 << 20;

    /// Batches that are on their way to one peer at a time, so that a slow peer does not occupy memory on the way.
    const IN_FLIGHT: usize = 3;

    fn add(&mut self, envelope: &Envelope) {
        if matches!(envelope.content, Content::Beat { .. }) {
            let mut batch = Batch::default();
            envelope.encode_into(&mut batch);
            self.urgent.push_back(batch);
            return;
        }
        let bytes = envelope.encoded_len();
        if self.batches.is_empty() || self.open_bytes + bytes > Self::BATCH {
            self.batches.push_back(Batch::default());
            self.open_bytes = 0;
        }
        self.open_bytes += bytes;
        if let Some(batch) = self.batches.back_mut() {
            envelope.encode_into(batch);
        }
    }

    fn next(&mut self) -> Option<Batch> {
        let urgent = self.urgent.pop_front();
        if urgent.is_none() && self.in_flight >= Self::IN_FLIGHT {
            return None;
        }
        let batch = urgent.or_else(|| self.batches.pop_front())?;
        self.in_flight += 1;
        Some(batch)
    }
}

/// What happens to a driver besides mail.
enum Event {
    Delivered(usize, Life),
    Undeliverable(usize, TransportError),
    Lost(usize, Life, TransportError),
    Tick,
}

/// How long a run waits before it watches its peers; most have ended by then.
const BEFORE_WATCHING: Duration = Duration::from_millis(20);

/// How long a peer whose run has ended may take to say why.
const LAST_WORD: Duration = Duration::from_millis(100);

/// How long after the end of a run mail may still be on its way to a peer without arriving.
const LINGER: Duration = Duration::from_secs(10);

/// How long it may be on its way at all: what is kept for it counts for nobody any more.
const LINGER_AT_MOST: Duration = Duration::from_mins(10);

impl Drop for Driver {
    fn drop(&mut self) {
        if self.runs.drivers.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.runs.drained.wake();
        }
    }
}

impl Driver {
    async fn run(mut self, mut session: Session) {
        let guard = EndGuard(Arc::clone(&self.live), Arc::clone(&self.runs));
        let runtime = Arc::clone(&self.runs.runtime);
        let mut watch_at = Some(runtime.now() + BEFORE_WATCHING);
        loop {
            // No session comes back from a runtime that is shutting down; the guard ends the run.
            let Some(stepped) = self.step(session).await else { return };
            session = stepped;
            self.publish(&session);
            self.transmit(&mut session);
            if session.outcome().is_some() {
                break;
            }
            for (to, outgoing) in self.outgoing.iter().enumerate() {
                session.note_sending(to, outgoing.in_flight > 0);
            }
            let timeout = session.poll_timeout(runtime.now()).unwrap_or(self.joining_until);
            let wake_at = watch_at.map_or(timeout, |at| at.min(timeout));
            match self.next_event(runtime.sleep_until(wake_at)).await {
                Some(Event::Delivered(to, life)) => {
                    self.arrived(to);
                    if self.outgoing[to].in_flight > 0 {
                        session.excuse(to, runtime.now());
                    }
                    self.note_life(to, life, watch_at.is_none());
                }
                Some(Event::Undeliverable(to, error)) => {
                    self.arrived(to);
                    undeliverable(&mut session, to, &error);
                }
                Some(Event::Lost(to, life, error)) => self.lost(&mut session, to, life, &error),
                Some(Event::Tick) if watch_at.is_some_and(|at| runtime.now() >= at) => {
                    watch_at = None;
                    self.watch_all();
                }
                Some(Event::Tick) | None => {}
            }
        }
        drop(guard.end(session));
        self.linger().await;
    }

    /// Hands the session its mail and polls it; where that is heavy, away from the I/O.
    async fn step(&mut self, mut session: Session) -> Option<Session> {
        let mut inbox = self.live.take();
        let runtime = Arc::clone(&self.runs.runtime);
        if !session.has_joined() {
            for hello in inbox.letters.drain(..) {
                let _ = session.handle(hello);
            }
            session.join_if_complete();
            let troubles = std::mem::take(&mut *self.live.troubles.lock().unwrap_or_else(PoisonError::into_inner));
            for (to, why) in troubles {
                session.note_trouble(to, why);
            }
        }
        if session.progress().expected.bytes <= self.runs.limits.heavy_bytes {
            advance(&mut session, inbox, runtime.as_ref());
            return Some(session);
        }
        let slot = Arc::new(Mutex::new(None));
        let (result, clock) = (Arc::clone(&slot), Arc::clone(&runtime));
        let work = move || {
            advance(&mut session, inbox, clock.as_ref());
            *result.lock().unwrap_or_else(PoisonError::into_inner) = Some(session);
        };
        runtime.offload(Box::new(work)).await;
        slot.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn publish(&self, session: &Session) {
        *self.live.progress.lock().unwrap_or_else(PoisonError::into_inner) = session.progress();
        if self.live.marks.get().is_none() && session.has_joined() {
            let _ = self.live.marks.set(session.heard_marks().into_iter().collect());
        }
    }

    /// Puts everything that is ready on its way.
    fn transmit(&mut self, session: &mut Session) {
        if matches!(session.outcome(), Some(Err(_))) {
            // Nobody needs the run's mail any more; what counts is that the others hear of its end.
            self.outgoing.iter_mut().for_each(|outgoing| outgoing.batches.clear());
        }
        while let Some(envelope) = session.poll_transmit() {
            self.outgoing[usize::from(envelope.route.to)].add(&envelope);
        }
        (0..self.nodes.len()).for_each(|to| self.dispatch(to));
    }

    fn dispatch(&mut self, to: usize) {
        while let Some(batch) = self.outgoing[to].next() {
            let now = self.runs.runtime.now();
            let Limits { patience, deadlines, .. } = self.runs.limits;
            let until = if self.live.is_joining() { self.joining_until } else { now + patience };
            let until = Until { reached: until, taken: until.max(now + deadlines.silence) };
            let live = Arc::clone(&self.live);
            let on_trouble = move |error: &TransportError| live.note_trouble(to, error);
            let delivery = deliver(Arc::clone(&self.runs), self.nodes[to].clone(), batch, until, on_trouble);
            self.events.push(Box::pin(async move {
                match delivery.await {
                    Ok(life) => Event::Delivered(to, life),
                    Err(error) => Event::Undeliverable(to, error),
                }
            }));
        }
    }

    /// A delivery has come to its end; the next one may start.
    fn arrived(&mut self, to: usize) {
        self.outgoing[to].in_flight -= 1;
        self.dispatch(to);
    }

    /// Waits for mail (`None`), an event, or the timer.
    async fn next_event(&mut self, mut timer: BoxFuture<()>) -> Option<Event> {
        poll_fn(|context| {
            self.live.arrival.register(context.waker());
            if self.live.has_news() {
                return Poll::Ready(None);
            }
            if let Poll::Ready(Some(event)) = self.events.poll_next_unpin(context) {
                return Poll::Ready(Some(event));
            }
            timer.as_mut().poll(context).map(|()| Some(Event::Tick))
        })
        .await
    }

    fn note_life(&mut self, to: usize, life: Life, watching: bool) {
        if self.lives.iter().any(|(place, known, _)| *place == to && *known == life) {
            return;
        }
        self.lives.retain(|(place, ..)| *place != to);
        self.lives.push((to, life, false));
        if watching {
            self.watch_all();
        }
    }

    fn watch_all(&mut self) {
        for (to, life, watched) in &mut self.lives {
            if !std::mem::replace(watched, true) {
                let (to, life, runs, address) = (*to, *life, Arc::clone(&self.runs), self.nodes[*to].clone());
                self.events
                    .push(Box::pin(async move { Event::Lost(to, life, runs.transport.lost(&address, life).await) }));
            }
        }
    }

    /// A peer is gone. If it had joined, so is the run; else it has lost our hello, and gets another.
    fn lost(&mut self, session: &mut Session, to: usize, life: Life, error: &TransportError) {
        self.lives.retain(|(place, known, _)| *place != to || *known != life);
        if session.has_heard(to) {
            session.lose(to, error.to_string());
        } else {
            session.say_hello(to);
        }
    }

    async fn linger(mut self) {
        let mut until = self.runs.runtime.now() + LINGER;
        let at_last = self.runs.runtime.now() + LINGER_AT_MOST;
        // Watches never end by themselves; nothing but deliveries is worth lingering for.
        while self.outgoing.iter().any(|outgoing| outgoing.in_flight > 0) {
            let _ = self.live.take();
            let timer = self.runs.runtime.sleep_until(until);
            match self.next_event(timer).await {
                Some(Event::Tick) => return,
                Some(Event::Delivered(to, _)) => {
                    // A slow link that moves is no reason to hurry: others wait for what is still to come.
                    until = at_last.min(self.runs.runtime.now() + LINGER);
                    self.arrived(to);
                }
                Some(Event::Undeliverable(to, _)) => self.arrived(to),
                Some(Event::Lost(..)) | None => {}
            }
        }
    }
}

/// Takes a run off the desk when its driver ends, however it ends, and never leaves anybody waiting for the outcome.
struct EndGuard(Arc<Live>, Arc<Runs>);

impl EndGuard {
    fn end(self, session: Session) -> Self {
        self.1.desk().leave(&self.0, session.heard_marks());
        if let Some(outcome) = session.into_outcome() {
            self.0.end(outcome);
        }
        self
    }
}

impl Drop for EndGuard {
    fn drop(&mut self) {
        if self.0.outcome.get().is_none() {
            self.1.desk().leave(&self.0, []);
            self.0.end(Err(RunError::Broken("its driver was stopped")));
        }
    }
}

fn advance(session: &mut Session, inbox: Inbox, runtime: &dyn Runtime) {
    for envelope in inbox.early.into_iter().chain(inbox.letters) {
        let _ = session.handle(envelope);
    }
    if inbox.cancelled {
        session.cancel();
    }
    // No waker is needed: a session makes progress by mail and time only, and the driver polls it after both.
    let _ = session.poll(&mut Context::from_waker(Waker::noop()), runtime.now());
}

/// A passing failure to deliver while joining shows as an absent party in time; any other ends the run.
fn undeliverable(session: &mut Session, to: usize, error: &TransportError) {
    if session.has_heard(to) || !error.is_passing() {
        session.lose(to, error.to_string());
    }
}

/// How long a delivery is tried again.
struct Until {
    /// While the peer can't be reached.
    reached: Time,
    /// While it has no room for the mail.
    taken: Time,
}

/// Delivers a batch, again and again until it is there, can't be, or `until` has come. What is sent again is the same bytes.
/// Every failure goes to `on_trouble`.
async fn deliver(
    runs: Arc<Runs>,
    to: Address,
    batch: Batch,
    until: Until,
    on_trouble: impl Fn(&TransportError),
) -> Result<Life, TransportError> {
    let mut pause = Duration::from_millis(20);
    loop {
        let error = match runs.transport.deliver(&to, batch.clone()).await {
            Ok(life) => return Ok(life),
            Err(error) => error,
        };
        on_trouble(&error);
        if matches!(&error, TransportError::Refused { failure, .. } if failure.code == 404) {
            // The peer's run has ended. It has said why, or is about to, and that is the better answer.
            runs.runtime.sleep_until(runs.runtime.now() + LAST_WORD).await;
            return Err(error);
        }
        let again_at = runs.runtime.now() + pause;
        let until = if matches!(error, TransportError::Refused { .. }) { until.taken } else { until.reached };
        if !error.is_passing() || again_at > until {
            return Err(error);
        }
        runs.runtime.sleep_until(again_at).await;
        pause = (pause * 2).min(Duration::from_secs(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::NodeKey;

    fn id(seed: u8) -> NodeId {
        NodeKey::from_bytes(&[seed; 32]).id()
    }

    fn hello(from: u16, mark: u8) -> Envelope {
        let route = crate::envelope::Route { topic: Topic([1; 16]), from, to: 9, mark: Mark([mark; 8]) };
        Envelope { route, content: Content::Hello(Bytes::from_static(b"hello")) }
    }

    #[test]
    fn mail_bears_the_seal_of_its_place() {
        let seals = Seals(vec![id(1), id(2)]);
        let code = |from, origin| seals.admit(from, origin).err().map(|failure| failure.code);
        assert_eq!(code(0, Origin::Sealed(id(1))), None);
        assert_eq!(code(0, Origin::InProcess), None);
        for origin in [Origin::Sealed(id(2)), Origin::Sealed(id(3)), Origin::Loopback, Origin::Remote] {
            assert_eq!(code(0, origin), Some(403), "{origin:?}");
        }
        assert_eq!(code(2, Origin::Sealed(id(1))), Some(403), "there is no such place");
    }

    #[test]
    fn a_seal_does_not_make_a_node_the_one_at_an_address() {
        let seals = Seals::default();
        assert!(seals.admit(0, Origin::Loopback).is_ok() && seals.admit(0, Origin::InProcess).is_ok());
        assert_eq!(seals.admit(0, Origin::Sealed(id(1))).unwrap_err().code, 403);
    }

    #[test]
    fn one_node_does_not_fill_the_box_of_early_hellos() {
        let (mut desk, limits) = (Desk::default(), Limits { waiting: 80, ..Limits::default() });
        let mut keep = |from, origin| desk.sort(origin, hello(from, from as u8), Time::START, &limits);
        for from in 0..10 {
            keep(from, Origin::Sealed(id(1))).unwrap();
        }
        assert_eq!(keep(10, Origin::Sealed(id(1))).unwrap_err().code, 429);
        keep(0, Origin::Sealed(id(1))).unwrap_err();
        let few_bytes = Limits { waiting_bytes: 8 * 100, ..limits };
        let mut short = Desk::default();
        short.sort(Origin::Sealed(id(1)), hello(0, 0), Time::START, &few_bytes).unwrap();
        assert_eq!(short.sort(Origin::Sealed(id(1)), hello(1, 1), Time::START, &few_bytes).unwrap_err().code, 429);
        short.sort(Origin::Sealed(id(2)), hello(1, 1), Time::START, &few_bytes).unwrap();
        keep(0, Origin::Sealed(id(2))).unwrap();
        assert_eq!(keep(MOST_PARTIES as u16, Origin::Loopback).unwrap_err().code, 400);
        desk.expire(Time::START + Duration::from_hours(1), &limits);
        assert!(desk.kept == 0 && desk.waiting_bytes == 0 && desk.kept_of.is_empty() && desk.waiting.is_empty());
    }

    #[test]
    fn a_stop_voids_the_hello_of_its_sender_alone() {
        let (mut desk, limits) = (Desk::default(), Limits::default());
        let mut stop = hello(0, 7);
        stop.content = Content::Stop { reason: Bytes::new(), tag: [0; 16] };
        desk.sort(Origin::Sealed(id(2)), stop.clone(), Time::START, &limits).unwrap();
        desk.sort(Origin::Sealed(id(1)), hello(0, 7), Time::START, &limits).unwrap();
        assert_eq!(desk.kept, 1, "who has seen a hello can't void it");
        desk.sort(Origin::Sealed(id(1)), stop, Time::START, &limits).unwrap();
        desk.sort(Origin::Sealed(id(1)), hello(0, 7), Time::START, &limits).unwrap();
        assert_eq!(desk.kept, 0);
    }
}
