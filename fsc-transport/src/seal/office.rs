//! Where mail is sealed and sent: the sessions of a node, and the ways of its packets.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use fsc_core::bus::Failure;
use fsc_core::clock::{self, BoxFuture, Runtime, Time};
use fsc_core::identity::{NodeId, NodeKey};
use fsc_core::transport::{Address, Batch, Life, Transport, TransportError};
use futures_util::future::{Either, select};
use tokio::sync::{oneshot, watch};

use super::counts::{Counters, Refusal};
use super::forward::Forwarding;
use super::handshake::Initiator;
use super::packet::Packet;
use super::parcel::{self, Mark};
use super::peers::{Knowledge, Peers, Way};
use super::session::{Age, Session};

/// How long a handshake may take.
pub(super) const HANDSHAKE: Duration = Duration::from_secs(10);

/// How long mail may take that others forward.
pub(super) const DELIVERY: Duration = Duration::from_secs(30);

/// How many nodes may forward a packet one after the other.
const MOST_FORWARDERS: usize = 4;

/// How often the log says that a node is not known.
const WARNED_EVERY: Duration = Duration::from_secs(5);

/// Sessions with one peer that are kept, beside those that replayed handshakes may have made.
const CONFIRMED: usize = 4;

/// Sessions whose peer has not shown that it is there.
const UNCONFIRMED: usize = 4;

/// All that sealing and opening need.
pub(super) struct Office {
    pub(super) key: NodeKey,
    pub(super) peers: Arc<Peers>,
    pub(super) carrier: Arc<dyn Transport>,
    pub(super) runtime: Arc<dyn Runtime>,
    pub(super) counters: Counters,
    pub(super) forwarding: Forwarding,
    /// For what costs exponentiations, whoever asks.
    pub(super) knocks: Mutex<Pace>,
    /// For handshakes of each node that is known here.
    knocks_of: Mutex<HashMap<NodeId, Pace>>,
    pub(super) firsts: Mutex<Firsts>,
    /// When the log last said that a node is not known.
    warned: Mutex<Option<Time>>,
    links: Mutex<Links>,
    /// Who waits to hear what became of a packet that is forwarded by others.
    outcomes: Mutex<Outcomes>,
}

/// Who waits to hear what became of which packet to which node.
type Outcomes = HashMap<(NodeId, Mark), watch::Sender<Heard>>;

/// What is known of a packet that others forward.
enum Heard {
    /// How often it was said to be on its way.
    UnderWay(u32),
    Done(Result<Life, Failure>),
}

#[derive(Default)]
struct Links {
    slots: HashMap<u32, Slot>,
    of: HashMap<NodeId, Link>,
}

/// What an index stands for.
enum Slot {
    Pending(Pending),
    Session(Arc<Session>),
}

/// A handshake that was begun here.
struct Pending {
    /// Nothing until the first message is made.
    initiator: Option<Box<Initiator>>,
    done: watch::Sender<Option<Result<(), TransportError>>>,
}

type Done = watch::Receiver<Option<Result<(), TransportError>>>;

/// What a node has for another one.
struct Link {
    /// The newest last.
    sessions: Vec<Arc<Session>>,
    pending: Option<(u32, Done)>,
    /// Who has forwarded mail from it.
    by: Option<NodeId>,
    /// Which life of it, or of its forwarder, answered last.
    life: Option<Life>,
    /// When mail was sent that has got there.
    reached: Time,
    /// When, and why, it was lost to those who forward mail to it.
    lost: watch::Sender<Option<(Time, String)>>,
}

impl Default for Link {
    fn default() -> Self {
        let (reached, lost) = (Time::START, watch::Sender::new(None));
        Self { sessions: Vec::new(), pending: None, by: None, life: None, reached, lost }
    }
}

impl Link {
    /// The newest session in which mail may be sealed.
    fn usable(&self, now: Time) -> Option<(Arc<Session>, Age)> {
        let all = self.sessions.iter().rev().map(|session| (Arc::clone(session), session.age(now)));
        all.into_iter().find(|(_, age)| *age != Age::Past)
    }
}

impl Office {
    pub(super) fn new(
        key: NodeKey,
        peers: Arc<Peers>,
        carrier: Arc<dyn Transport>,
        runtime: Arc<dyn Runtime>,
        forwarding: Forwarding,
    ) -> Arc<Self> {
        let knocks = Mutex::new(Pace::new(1000.0, 4000.0, runtime.now()));
        Arc::new(Self {
            key,
            peers,
            carrier,
            runtime,
            counters: Counters::default(),
            forwarding,
            knocks,
            knocks_of: Mutex::default(),
            firsts: Mutex::default(),
            warned: Mutex::default(),
            links: Mutex::default(),
            outcomes: Mutex::default(),
        })
    }

    /// Seals mail for a node and brings it there; `hops` others have to forward it already.
    pub(super) fn post(
        self: &Arc<Self>,
        id: NodeId,
        mail: Batch,
        hops: usize,
    ) -> BoxFuture<Result<Life, TransportError>> {
        self.post_patiently(id, mail, hops, Duration::ZERO)
    }

    /// The same, for so long as the node can't be reached. What goes out again is the same packet, which is opened once.
    pub(super) fn post_patiently(
        self: &Arc<Self>,
        id: NodeId,
        mail: Batch,
        hops: usize,
        patience: Duration,
    ) -> BoxFuture<Result<Life, TransportError>> {
        let office = Arc::clone(self);
        Box::pin(async move {
            // A node that was restarted has none of the sessions that both had begun.
            let mut renewals = CONFIRMED + 1;
            loop {
                let runtime = office.runtime.as_ref();
                let session = again(runtime, patience, || office.session(id, hops)).await?;
                let (packet, header) = session.seal(&mail).map_err(|failure| refused(id, failure))?;
                let sent = runtime.now();
                let carry = || office.carry(id, packet.clone(), header.into(), hops);
                match again(runtime, patience, carry).await {
                    Ok(life) => {
                        office.note_life(id, life, sent);
                        return Ok(life);
                    }
                    // The peer was restarted. Of an old session it may have forgotten that it has had this mail.
                    Err(TransportError::Refused { failure, .. })
                        if failure.code == 410 && renewals > 0 && session.age(runtime.now()) != Age::Past =>
                    {
                        renewals -= 1;
                        office.forget(&session);
                    }
                    // What carries packets brought it twice, and the first answer was lost.
                    Err(TransportError::Refused { failure, .. }) if failure.code == 412 => {
                        return office.life(id).await;
                    }
                    Err(error) => return Err(error),
                }
            }
        })
    }

    /// Brings a packet to a node; done when it has it.
    async fn carry(
        self: &Arc<Self>,
        id: NodeId,
        packet: Batch,
        mark: Mark,
        hops: usize,
    ) -> Result<Life, TransportError> {
        match self.way(id) {
            None => {
                let why =
                    "no way there is known: list its address under [[nodes]], or who forwards its mail".to_owned();
                Err(TransportError::Unreachable { to: Address::of(id), why })
            }
            Some(Way::At(address)) => {
                let delivered = self.carrier.deliver(&address, packet).await;
                delivered.map_err(|error| error.at(&at(&address, id)))
            }
            Some(Way::By(_)) if hops == MOST_FORWARDERS => {
                let why = format!("more than {MOST_FORWARDERS} nodes would have to forward its mail");
                Err(TransportError::Unreachable { to: Address::of(id), why })
            }
            Some(Way::By(forwarder)) => {
                let waiting = self.expect(id, mark);
                let forwarded = self.post(forwarder, parcel::forward(id, packet), hops + 1).await;
                forwarded.map_err(|error| by(id, forwarder, &error))?;
                let outcome = self.hear(waiting).await.ok_or_else(|| late(id, forwarder))?;
                let error = |failure: Failure| Failure { message: self.told_by(forwarder, &failure), ..failure };
                outcome.map_err(|failure| refused(id, error(failure)))
            }
            Some(Way::Collected) => {
                let packet = packet.pieces.concat().into();
                let waiting = self.forwarding.put(id, packet, self.runtime.now());
                let waiting = waiting.map_err(|failure| refused(id, failure))?;
                let to = Address::of(id);
                let late = |()| TransportError::TimedOut { to: to.clone(), seconds: DELIVERY.as_secs() };
                self.within(DELIVERY, waiting).await.map_err(late)?.map_err(|failure| refused(id, failure))
            }
        }
    }

    /// What became of a packet; nothing, if its forwarder has not even said for a while that it is on its way.
    async fn hear(&self, mut waiting: watch::Receiver<Heard>) -> Option<Result<Life, Failure>> {
        loop {
            if let Heard::Done(outcome) = &*waiting.borrow_and_update() {
                return Some(outcome.clone());
            }
            let news = Box::pin(waiting.changed());
            match select(news, self.runtime.sleep_until(self.runtime.now() + DELIVERY)).await {
                Either::Left((Ok(()), _)) => {}
                Either::Left((Err(_), _)) | Either::Right(_) => return None,
            }
        }
    }

    /// The answer of whoever holds the other end, unless it takes too long or never comes.
    async fn within<T>(&self, deadline: Duration, waiting: oneshot::Receiver<T>) -> Result<T, ()> {
        match select(waiting, self.runtime.sleep_until(self.runtime.now() + deadline)).await {
            Either::Left((Ok(answer), _)) => Ok(answer),
            Either::Left((Err(_), _)) | Either::Right(_) => Err(()),
        }
    }

    fn told_by(&self, forwarder: NodeId, failure: &Failure) -> String {
        format!("{} (by {})", failure.message, self.whereabouts(forwarder))
    }

    /// A node, and the way there, for errors.
    pub(super) fn whereabouts(&self, id: NodeId) -> String {
        match self.way(id) {
            Some(Way::At(address)) => at(&address, id).to_string(),
            _ => Address::of(id).to_string(),
        }
    }

    /// The way to a node: as the operator or a client says, or else back to where its mail came from.
    pub(super) fn way(&self, id: NodeId) -> Option<Way> {
        self.peers.way(id).or_else(|| Some(Way::By(self.links().of.get(&id)?.by?)))
    }

    /// Completes when a node can't be reached any more, or has been restarted since its life was `life`.
    pub(super) fn lost(self: &Arc<Self>, id: NodeId, life: Life, hops: usize) -> BoxFuture<TransportError> {
        let office = Arc::clone(self);
        Box::pin(async move {
            match office.way(id) {
                Some(Way::At(address)) => office.carrier.lost(&address, life).await.at(&at(&address, id)),
                Some(Way::By(forwarder)) if hops < MOST_FORWARDERS => {
                    let (mut told, reached, its_life) = {
                        let mut links = office.links();
                        let its_life = links.of.get(&forwarder).and_then(|link| link.life);
                        let link = links.of.entry(id).or_default();
                        (link.lost.subscribe(), link.reached, its_life)
                    };
                    let Some(its_life) = its_life else { return unheard(forwarder) };
                    // It may have been said before anybody asked, and since mail last got there.
                    let is_news = |lost: &Option<(Time, String)>| lost.as_ref().is_some_and(|(at, _)| *at >= reached);
                    let notice = Box::pin(told.wait_for(is_news));
                    let why = match select(notice, office.lost(forwarder, its_life, hops + 1)).await {
                        Either::Left((Ok(lost), _)) => lost.as_ref().map(|(_, why)| why.clone()).unwrap_or_default(),
                        Either::Left((Err(_), _)) => return unheard(id),
                        Either::Right((error, _)) => return by(id, forwarder, &error),
                    };
                    let why = format!("by {}: {why}", office.whereabouts(forwarder));
                    TransportError::Unreachable { to: Address::of(id), why }
                }
                Some(Way::Collected) => office.forwarding.lost(id, office.runtime.as_ref()).await,
                Some(Way::By(_)) | None => unheard(id),
            }
        })
    }

    /// A forwarder says that it has lost a node.
    pub(super) fn hear_lost(&self, id: NodeId, by: NodeId, why: String) {
        if self.way(id) == Some(Way::By(by))
            && let Some(link) = self.links().of.get(&id)
        {
            link.lost.send_replace(Some((self.runtime.now(), why)));
        }
    }

    /// A forwarder says what became of a packet.
    pub(super) fn hear_outcome(&self, by: NodeId, to: NodeId, of: Mark, outcome: Option<Result<Life, Failure>>) {
        if self.way(to) != Some(Way::By(by)) {
            return;
        }
        let mut outcomes = self.lock_outcomes();
        match outcome {
            Some(outcome) => drop(outcomes.remove(&(to, of)).map(|heard| heard.send(Heard::Done(outcome)))),
            None => {
                if let Some(heard) = outcomes.get(&(to, of)) {
                    heard.send_modify(|heard| {
                        if let Heard::UnderWay(times) = heard {
                            *times += 1;
                        }
                    });
                }
            }
        }
    }

    fn expect(&self, to: NodeId, of: Mark) -> watch::Receiver<Heard> {
        let (sender, receiver) = watch::channel(Heard::UnderWay(0));
        let mut outcomes = self.lock_outcomes();
        // Those who have given up waiting leave their entries behind.
        if outcomes.len() == outcomes.capacity() {
            outcomes.retain(|_, waiting| !waiting.is_closed());
        }
        outcomes.insert((to, of), sender);
        receiver
    }

    /// Which life of a node there is, as far as is known without sealing.
    async fn life(&self, id: NodeId) -> Result<Life, TransportError> {
        let known = self.links().of.get(&id).and_then(|link| link.life);
        match (known, self.way(id)) {
            (Some(life), _) => Ok(life),
            (None, Some(Way::At(address))) => {
                let probed = self.carrier.deliver(&address, Batch::default()).await;
                probed.map_err(|error| error.at(&at(&address, id)))
            }
            (None, _) => Err(unheard(id)),
        }
    }

    fn note_life(&self, id: NodeId, life: Life, sent: Time) {
        if let Some(link) = self.links().of.get_mut(&id) {
            (link.life, link.reached) = (Some(life), sent);
        }
    }

    /// Notes that mail from a node came by a forwarder, and can go back by it.
    pub(super) fn note_forwarder(&self, of: NodeId, forwarder: NodeId) {
        self.links().of.entry(of).or_default().by = Some(forwarder);
    }

    /// A session in which mail to a node may be sealed.
    pub(super) async fn session(self: &Arc<Self>, id: NodeId, hops: usize) -> Result<Arc<Session>, TransportError> {
        let until = self.runtime.now() + HANDSHAKE;
        loop {
            let mut done = {
                let now = self.runtime.now();
                let mut links = self.links();
                let usable = links.of.get(&id).and_then(|link| link.usable(now));
                match usable {
                    Some((session, Age::Fresh)) => return Ok(session),
                    Some((session, _)) => {
                        self.knock(&mut links, id, hops);
                        return Ok(session);
                    }
                    None => self.knock(&mut links, id, hops),
                }
            };
            let answered = Box::pin(done.wait_for(Option::is_some));
            match select(answered, self.runtime.sleep_until(until)).await {
                Either::Left((Ok(done), _)) => {
                    if let Some(Err(error)) = &*done {
                        return Err(error.clone());
                    }
                }
                Either::Left((Err(_), _)) | Either::Right(_) => return Err(unanswered(id, &self.whereabouts(id))),
            }
            if self.runtime.now() >= until {
                return Err(unanswered(id, &self.whereabouts(id)));
            }
        }
    }

    /// Begins a handshake, unless one is under way.
    fn knock(self: &Arc<Self>, links: &mut Links, id: NodeId, hops: usize) -> Done {
        let pending = &links.of.entry(id).or_default().pending;
        if let Some((_, done)) = pending.as_ref().filter(|(_, done)| done.borrow().is_none()) {
            return done.clone();
        }
        let index = links.free_index();
        let (sender, done) = watch::channel(None);
        links.slots.insert(index, Slot::Pending(Pending { initiator: None, done: sender }));
        links.of.entry(id).or_default().pending = Some((index, done.clone()));
        let office = Arc::clone(self);
        self.runtime.spawn(Box::pin(async move {
            let error = match office.say_first(id, index, hops).await {
                Ok(()) => {
                    office.runtime.sleep_until(office.runtime.now() + HANDSHAKE).await;
                    unanswered(id, &office.whereabouts(id))
                }
                Err(error) => error,
            };
            office.give_up(id, index, error);
        }));
        done
    }

    async fn say_first(self: &Arc<Self>, id: NodeId, index: u32, hops: usize) -> Result<(), TransportError> {
        let first = self.make_first(id, index)?;
        let mark = parcel::mark_of(&first).ok_or_else(|| unheard(id))?;
        self.carry(id, Batch { pieces: vec![first] }, mark, hops).await.map(drop)
    }

    fn make_first(&self, id: NodeId, index: u32) -> Result<Bytes, TransportError> {
        let (initiator, first) = Initiator::begin(&self.key, id, index).map_err(|failure| refused(id, failure))?;
        if let Some(Slot::Pending(pending)) = self.links().slots.get_mut(&index) {
            pending.initiator = Some(Box::new(initiator));
        }
        Ok(first)
    }

    /// A session in which mail may be sealed, if there is one.
    pub(super) fn usable(&self, id: NodeId) -> Option<Arc<Session>> {
        let now = self.runtime.now();
        Some(self.links().of.get(&id)?.usable(now)?.0)
    }

    /// Begins a handshake whose first message the caller sends, and whose end it sees to: by [`Office::hear_second`] or
    /// [`Office::give_up`].
    pub(super) fn begin(&self, id: NodeId) -> Result<(u32, Bytes), TransportError> {
        let index = {
            let mut links = self.links();
            let index = links.free_index();
            links.slots.insert(index, Slot::Pending(Pending { initiator: None, done: watch::Sender::new(None) }));
            index
        };
        let first = self.make_first(id, index).inspect_err(|error| self.give_up(id, index, error.clone()))?;
        Ok((index, first))
    }

    /// A handshake has not come to its end in time; nothing to do if it has.
    pub(super) fn give_up(&self, id: NodeId, index: u32, error: TransportError) {
        let mut links = self.links();
        if !matches!(links.slots.get(&index), Some(Slot::Pending(_))) {
            return;
        }
        let Some(Slot::Pending(pending)) = links.slots.remove(&index) else { return };
        if let Some(link) = links.of.get_mut(&id) {
            link.pending.take_if(|(pending, _)| *pending == index);
        }
        pending.done.send_replace(Some(Err(error)));
    }

    /// The second message of a handshake has come.
    pub(super) fn hear_second(&self, second: &Packet) -> Result<(), Failure> {
        let (now, index) = (self.runtime.now(), second.header.index);
        let mut links = self.links();
        let answered = match links.slots.get_mut(&index) {
            Some(Slot::Pending(Pending { initiator: Some(initiator), .. })) => initiator.read(second),
            _ => return Err(self.refuse(Refusal::NoSession, 410, "no handshake waits for that here")),
        };
        let Some(answered) = answered else {
            return Err(self.refuse(Refusal::Forged, 400, "the handshake was not answered by whom it was begun with"));
        };
        let Some(Slot::Pending(pending)) = links.slots.remove(&index) else { return Ok(()) };
        let session = pending.initiator.and_then(|initiator| initiator.finish(answered, now));
        let Some(session) = session else { return Ok(()) };
        let peer = session.peer;
        links.enter(Arc::new(session), now);
        pending.done.send_replace(Some(Ok(())));
        // Whoever waits for another handshake with the same node need wait no longer.
        let other = links.of.get(&peer).and_then(|link| Some(link.pending.as_ref()?.0));
        if let Some(Slot::Pending(pending)) = other.and_then(|index| links.slots.get(&index)) {
            pending.done.send_replace(Some(Ok(())));
        }
        Ok(())
    }

    /// Draws an index for a session that is about to begin.
    pub(super) fn free_index(&self) -> u32 {
        self.links().free_index()
    }

    /// Opens mail in a session from now on, and seals in it once its peer has shown to be there.
    pub(super) fn enter(&self, session: Session) {
        self.links().enter(Arc::new(session), self.runtime.now());
    }

    /// Says the second message of a handshake.
    pub(super) fn say_second(self: &Arc<Self>, to: NodeId, second: Bytes) {
        let office = Arc::clone(self);
        self.runtime.spawn(Box::pin(async move {
            let Some(mark) = parcel::mark_of(&second) else { return };
            let send = || office.carry(to, Batch { pieces: vec![second.clone()] }, mark, 0);
            match again(office.runtime.as_ref(), HANDSHAKE / 2, send).await {
                // It was answered before: a first message had come twice.
                Err(TransportError::Refused { failure, .. }) if failure.code == 410 => {}
                Err(error) => tracing::warn!("a handshake with node {to} can't be answered: {error}"),
                Ok(_) => {}
            }
        }));
    }

    /// The session of that index.
    pub(super) fn session_at(&self, index: u32) -> Option<Arc<Session>> {
        match self.links().slots.get(&index) {
            Some(Slot::Session(session)) if !session.is_over(self.runtime.now()) => Some(Arc::clone(session)),
            _ => None,
        }
    }

    /// The peer does not have the session any more.
    pub(super) fn forget(&self, session: &Arc<Session>) {
        let mut links = self.links();
        links.slots.remove(&session.mine);
        if let Some(link) = links.of.get_mut(&session.peer) {
            link.sessions.retain(|other| !Arc::ptr_eq(other, session));
        }
    }

    /// Lets go of sessions that are over.
    pub(super) fn sweep(&self) {
        let now = self.runtime.now();
        let mut links = self.links();
        links.slots.retain(|_, slot| !matches!(slot, Slot::Session(session) if session.is_over(now)));
        for link in links.of.values_mut() {
            link.sessions.retain(|session| !session.is_over(now));
        }
        links.of.retain(|_, link| {
            link.pending.is_some() || !link.sessions.is_empty() || link.lost.receiver_count() > 0 || link.by.is_some()
        });
        drop(links);
        let mut knocks = self.knocks_of.lock().unwrap_or_else(PoisonError::into_inner);
        knocks.retain(|id, _| self.peers.knows(*id, now) == Knowledge::Known);
        drop(knocks);
        self.forwarding.sweep(now);
    }

    /// Whether a node that is known here may begin one more handshake.
    pub(super) fn admit_knock(&self, peer: NodeId) -> bool {
        let now = self.runtime.now();
        let mut knocks = self.knocks_of.lock().unwrap_or_else(PoisonError::into_inner);
        knocks.entry(peer).or_insert_with(|| Pace::new(16.0, 8.0, now)).admit(now)
    }

    /// Says in the log that a node is not known; strangers can't fill it.
    pub(super) fn warn_of(&self, stranger: NodeId) {
        let now = self.runtime.now();
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        if warned.is_none_or(|at| now.since(at) >= WARNED_EVERY) {
            *warned = Some(now);
            tracing::warn!(
                "mail of node {stranger} is refused: it is not listed under [[nodes]], and no client has named it"
            );
        }
    }

    /// Counts a refusal.
    pub(super) fn refuse(&self, refusal: Refusal, code: u16, why: impl Into<String>) -> Failure {
        self.counters.add(refusal);
        Failure::new(code, why)
    }

    #[cfg(test)]
    pub(super) fn sessions(&self) -> usize {
        self.links().slots.len()
    }

    fn links(&self) -> MutexGuard<'_, Links> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_outcomes(&self) -> MutexGuard<'_, Outcomes> {
        self.outcomes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Links {
    fn free_index(&self) -> u32 {
        loop {
            let index = u32::from_le_bytes(clock::random());
            if !self.slots.contains_key(&index) {
                return index;
            }
        }
    }

    /// Enters a session. The oldest make room for it; those that nobody has confirmed for each other only.
    fn enter(&mut self, session: Arc<Session>, now: Time) {
        self.slots.insert(session.mine, Slot::Session(Arc::clone(&session)));
        let link = self.of.entry(session.peer).or_default();
        link.pending.take_if(|(index, _)| *index == session.mine);
        link.sessions.push(session);
        let (mut confirmed, mut unconfirmed) = (0, 0);
        let mut over = Vec::new();
        for session in link.sessions.iter().rev() {
            let (count, most) =
                if session.is_confirmed() { (&mut confirmed, CONFIRMED) } else { (&mut unconfirmed, UNCONFIRMED) };
            *count += 1;
            if *count > most || session.is_over(now) {
                over.push(session.mine);
            }
        }
        link.sessions.retain(|session| !over.contains(&session.mine));
        self.slots.retain(|index, _| !over.contains(index));
    }
}

/// First messages that were answered: a recording of one is worth nothing. The newest ones, as many as fit; at a handshake every
/// eight minutes, those of a pair of nodes for weeks.
#[derive(Default)]
pub(super) struct Firsts {
    /// By the key that was made for each.
    seen: HashSet<[u8; 32]>,
    order: VecDeque<[u8; 32]>,
}

impl Firsts {
    const MOST: usize = 1 << 13;

    /// Whether a first message has been answered before.
    pub(super) fn has(&self, first: &Packet) -> bool {
        Self::key(first).is_some_and(|key| self.seen.contains(&key))
    }

    /// Notes a first message that is about to be answered.
    pub(super) fn insert(&mut self, first: &Packet) {
        let Some(key) = Self::key(first).filter(|key| self.seen.insert(*key)) else { return };
        self.order.push_back(key);
        if self.order.len() > Self::MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.seen.remove(&oldest);
        }
    }

    fn key(first: &Packet) -> Option<[u8; 32]> {
        first.body.get(32..64)?.try_into().ok()
    }
}

/// Lets so many through at once, and so many a second.
pub(super) struct Pace {
    burst: f64,
    per_second: f64,
    left: f64,
    at: Time,
}

impl Pace {
    pub(super) const fn new(burst: f64, per_second: f64, now: Time) -> Self {
        Self { burst, per_second, left: burst, at: now }
    }

    /// Whether one more may pass.
    pub(super) fn admit(&mut self, now: Time) -> bool {
        self.left = (self.left + now.since(self.at).as_secs_f64() * self.per_second).min(self.burst);
        self.at = now;
        let passes = self.left >= 1.0;
        if passes {
            self.left -= 1.0;
        }
        passes
    }
}

/// Does something until it succeeds, can't, or so much time has passed.
async fn again<T, F: Future<Output = Result<T, TransportError>>>(
    runtime: &dyn Runtime,
    patience: Duration,
    mut attempt: impl FnMut() -> F,
) -> Result<T, TransportError> {
    let until = runtime.now() + patience;
    let mut pause = Duration::from_millis(20);
    loop {
        let error = match attempt().await {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        let next = runtime.now() + pause;
        if !error.is_passing() || next > until {
            return Err(error);
        }
        runtime.sleep_until(next).await;
        pause = (pause * 2).min(Duration::from_secs(1));
    }
}

/// An address with the id of who is expected there.
pub(super) fn at(address: &Address, id: NodeId) -> Address {
    match address.place() {
        Some(place) => format!("{place}#{id}").parse().unwrap_or_else(|_| Address::of(id)),
        None => Address::of(id),
    }
}

pub(super) fn refused(id: NodeId, failure: Failure) -> TransportError {
    TransportError::Refused { to: Address::of(id), failure }
}

/// An error on the way to a forwarder, for who wants to get further.
fn by(id: NodeId, forwarder: NodeId, error: &TransportError) -> TransportError {
    match error {
        TransportError::Refused { failure, .. } => {
            let message = format!("{} (by {forwarder})", failure.message);
            refused(id, Failure { message, ..failure.clone() })
        }
        error => TransportError::Unreachable { to: Address::of(id), why: format!("its mail goes by {error}") },
    }
}

fn late(id: NodeId, forwarder: NodeId) -> TransportError {
    let why = format!("node {forwarder}, which forwards its mail, has not said what became of it");
    TransportError::Unreachable { to: Address::of(id), why }
}

fn unheard(id: NodeId) -> TransportError {
    TransportError::Unreachable { to: Address::of(id), why: "nothing has been heard of it".to_owned() }
}

fn unanswered(id: NodeId, whereabouts: &str) -> TransportError {
    let seconds = HANDSHAKE.as_secs();
    let why = format!(
        "it got the first message of a handshake, but its answer did not come within {seconds} s: \
         it must know a way to this node; `fsc doctor` there says more"
    );
    TransportError::Unreachable { to: whereabouts.parse().unwrap_or_else(|_| Address::of(id)), why }
}
