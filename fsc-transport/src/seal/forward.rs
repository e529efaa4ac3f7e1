//! What a node does for others: forward their packets, and keep them until they are collected.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use fsc_core::bus::Failure;
use fsc_core::clock::{self, Runtime, Time};
use fsc_core::identity::NodeId;
use fsc_core::transport::{Address, Handler, Life, TransportError};
use futures_util::future::{Either, select};
use tokio::sync::{Notify, oneshot};

use super::arrivals::{Arrivals, INNER};
use super::counts::Refusal;
use super::office::{self, DELIVERY, Office, refused};
use super::packet::{malformed, take};
use super::parcel::{self, Collect, Parcel};
use super::peers::Way;

/// What forwarding may occupy.
#[derive(Clone, Copy, Debug)]
pub struct ForwardLimits {
    /// Bytes that are on their way for one sender at a time.
    pub bytes_each: usize,
    /// Bytes that wait for one receiver to collect them.
    pub waiting_each: usize,
    /// Packets that wait for one receiver to collect them.
    pub packets_each: usize,
}

impl Default for ForwardLimits {
    fn default() -> Self {
        Self { bytes_each: 32 << 20, waiting_each: 32 << 20, packets_each: 4096 }
    }
}

/// What a packet on its way takes beside its bytes, at the least.
const PACKET: usize = 4096;

/// How long a packet is offered again to a receiver that can't be reached.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long a node that asks for its mail is kept waiting for some.
const POLL: Duration = Duration::from_secs(20);

/// How long a node may take to ask again before it counts as gone.
const ABSENT: Duration = Duration::from_secs(5);

/// The bytes of packets in one answer; a single packet may have more.
const ANSWER: usize = 1 << 20;

/// How long after it last sent something through here a sender is told that the receiver is gone.
const CONCERNED: Duration = Duration::from_mins(2);

/// All that a node forwards.
pub(super) struct Forwarding {
    limits: ForwardLimits,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Bytes on their way, by sender.
    under_way: HashMap<NodeId, usize>,
    boxes: HashMap<NodeId, Mailbox>,
    /// Who is to be told when a receiver is gone, and when they last sent it something.
    concerned: HashMap<NodeId, HashMap<NodeId, Time>>,
}

/// What waits for one node.
struct Mailbox {
    /// Numbers begin anywhere, so that those of an earlier mailbox mean nothing here.
    next: u64,
    packets: VecDeque<Waiting>,
    bytes: usize,
    /// What becomes of packets that were collected.
    outcomes: HashMap<u64, oneshot::Sender<Result<Life, Failure>>>,
    arrival: Arc<Notify>,
    asking: usize,
    asked: Time,
}

struct Waiting {
    number: u64,
    since: Time,
    packet: Bytes,
}

impl Forwarding {
    pub(super) fn new(limits: ForwardLimits) -> Self {
        Self { limits, state: Mutex::default() }
    }

    /// Keeps a packet until it is collected. Answers where its receiver will say what became of it.
    pub(super) fn put(
        &self,
        to: NodeId,
        packet: Bytes,
        now: Time,
    ) -> Result<oneshot::Receiver<Result<Life, Failure>>, Failure> {
        let mut state = self.lock();
        let mailbox = state.boxes.entry(to).or_default();
        mailbox.expire(now);
        let limits = &self.limits;
        let fits = mailbox.bytes + packet.len() <= limits.waiting_each || mailbox.packets.is_empty();
        if !fits || mailbox.packets.len() >= limits.packets_each || mailbox.outcomes.len() >= 2 * limits.packets_each {
            let why = format!("too much mail waits here for node {to} to collect it; try again later");
            return Err(Failure::new(429, why));
        }
        let (sender, receiver) = oneshot::channel();
        let number = mailbox.next;
        mailbox.next += 1;
        mailbox.bytes += packet.len();
        mailbox.packets.push_back(Waiting { number, since: now, packet });
        mailbox.outcomes.insert(number, sender);
        mailbox.arrival.notify_one();
        Ok(receiver)
    }

    /// Hands out what waits for a node; waits a while for some.
    pub(super) async fn collect(&self, of: NodeId, asked: Collect, runtime: &dyn Runtime) -> Bytes {
        let until = runtime.now() + POLL;
        let arrival = self.lock().boxes.entry(of).or_default().take_in(asked, runtime.now());
        let _asking = Asking { forwarding: self, of, runtime };
        loop {
            let answer = self.lock().boxes.get_mut(&of).map(|mailbox| mailbox.hand_out(runtime.now()));
            if let Some(answer) = answer.filter(|answer| !answer.is_empty()) {
                return answer;
            }
            let arrived = Box::pin(arrival.notified());
            if let Either::Right(_) = select(arrived, runtime.sleep_until(until)).await {
                let mut state = self.lock();
                return state.boxes.get_mut(&of).map_or_else(Bytes::new, |mailbox| mailbox.hand_out(runtime.now()));
            }
        }
    }

    /// Completes when a node has not asked for its mail for a while.
    pub(super) async fn lost(&self, id: NodeId, runtime: &dyn Runtime) -> TransportError {
        let since = runtime.now();
        loop {
            runtime.sleep_until(runtime.now() + ABSENT / 5).await;
            let state = self.lock();
            let mailbox = state.boxes.get(&id);
            let asked = mailbox.map_or(since, |mailbox| mailbox.asked.max(since));
            let is_asking = mailbox.is_some_and(|mailbox| mailbox.asking > 0);
            if !is_asking && runtime.now().since(asked) > ABSENT {
                let why = format!("it has not asked for its mail for {} s", ABSENT.as_secs());
                return TransportError::Unreachable { to: Address::of(id), why };
            }
        }
    }

    /// Lets go of what nobody has collected, or waits for.
    pub(super) fn sweep(&self, now: Time) {
        let mut state = self.lock();
        state.boxes.values_mut().for_each(|mailbox| mailbox.expire(now));
        state
            .boxes
            .retain(|_, mailbox| mailbox.asking > 0 || !mailbox.packets.is_empty() || !mailbox.outcomes.is_empty());
    }

    fn reserve(&self, from: NodeId, bytes: usize) -> Result<(), Failure> {
        let mut state = self.lock();
        let (bytes, under_way) = (bytes + PACKET, state.under_way.entry(from).or_default());
        if *under_way > 0 && *under_way + bytes > self.limits.bytes_each {
            return Err(Failure::new(429, "too much of your mail is on its way here; try again later"));
        }
        *under_way += bytes;
        Ok(())
    }

    fn release(&self, from: NodeId, bytes: usize) {
        let mut state = self.lock();
        if let Some(under_way) = state.under_way.get_mut(&from) {
            *under_way -= bytes + PACKET;
            if *under_way == 0 {
                state.under_way.remove(&from);
            }
        }
    }

    /// Notes who is to be told when `to` is gone. Answers whether nobody watches it yet.
    fn concern(&self, to: NodeId, from: NodeId, now: Time) -> bool {
        let mut state = self.lock();
        let is_new = !state.concerned.contains_key(&to);
        state.concerned.entry(to).or_default().insert(from, now);
        is_new
    }

    /// Whether somebody still wants to know.
    fn is_watched(&self, to: NodeId, now: Time) -> bool {
        let mut state = self.lock();
        let Some(concerned) = state.concerned.get_mut(&to) else { return false };
        concerned.retain(|_, sent| now.since(*sent) < CONCERNED);
        let is_watched = !concerned.is_empty();
        if !is_watched {
            state.concerned.remove(&to);
        }
        is_watched
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Mailbox {
    fn default() -> Self {
        Self {
            next: u64::from_le_bytes(clock::random()) >> 2,
            packets: VecDeque::new(),
            bytes: 0,
            outcomes: HashMap::new(),
            arrival: Arc::default(),
            asking: 0,
            asked: Time::START,
        }
    }
}

impl Mailbox {
    /// Takes in what the receiver says of what it has got.
    fn take_in(&mut self, asked: Collect, now: Time) -> Arc<Notify> {
        self.asked = now;
        self.asking += 1;
        // Who asked before, over a connection that may be dead, is not to get what wakes up this one.
        std::mem::take(&mut self.arrival).notify_one();
        // Numbers may have begun anew here since.
        let from = if asked.from > self.next { 0 } else { asked.from };
        while self.packets.front().is_some_and(|waiting| waiting.number < from)
            && let Some(waiting) = self.packets.pop_front()
        {
            self.bytes -= waiting.packet.len();
        }
        for (number, outcome) in asked.outcomes {
            if let Some(waiting) = self.outcomes.remove(&number) {
                let _ = waiting.send(outcome.map(|()| asked.life));
            }
        }
        Arc::clone(&self.arrival)
    }

    /// What waits, as much as an answer holds: `[number, length, packet]` each. It stays here until the receiver says that it has it.
    fn hand_out(&mut self, now: Time) -> Bytes {
        self.expire(now);
        let mut answer = BytesMut::new();
        for Waiting { number, packet, .. } in &self.packets {
            if !answer.is_empty() && answer.len() + packet.len() > ANSWER {
                break;
            }
            answer = listed(*number, packet, answer);
        }
        answer.freeze()
    }

    /// Forgets packets whose senders have given up.
    fn expire(&mut self, now: Time) {
        while self.packets.front().is_some_and(|waiting| now.since(waiting.since) > DELIVERY)
            && let Some(waiting) = self.packets.pop_front()
        {
            self.bytes -= waiting.packet.len();
        }
        self.outcomes.retain(|_, waiting| !waiting.is_closed());
    }
}

/// A node is asking for its mail.
struct Asking<'a> {
    forwarding: &'a Forwarding,
    of: NodeId,
    runtime: &'a dyn Runtime,
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        if let Some(mailbox) = self.forwarding.lock().boxes.get_mut(&self.of) {
            mailbox.asking -= 1;
            mailbox.asked = self.runtime.now();
        }
    }
}

/// Reads what was collected.
pub(super) fn collected(mut answer: Bytes) -> Result<Vec<(u64, Bytes)>, Failure> {
    let mut packets = Vec::new();
    while !answer.is_empty() {
        let (number, length) = (u64::from_le_bytes(take(&mut answer)?), u32::from_le_bytes(take(&mut answer)?));
        if answer.len() < length as usize {
            return Err(malformed("it ends too early"));
        }
        packets.push((number, answer.split_to(length as usize)));
    }
    Ok(packets)
}

/// How long a collector waits between answers that come at once and empty, and after errors, at most.
const PAUSE: Duration = Duration::from_secs(1);

/// Collects what the node `at` keeps for the one behind `arrivals`, again and again. Ends with an error that does not pass.
pub(super) async fn collect(office: &Arc<Office>, at: NodeId, arrivals: &Arrivals) -> TransportError {
    let (mut from, mut outcomes, mut troubled) = (0, Vec::new(), false);
    loop {
        let asked_at = office.runtime.now();
        let idle = match ask(office, at, arrivals, from, &outcomes).await {
            Ok(packets) => {
                troubled = false;
                outcomes.clear();
                let idle = packets.is_empty();
                for (number, packet) in packets {
                    let outcome = match arrivals.take(packet, None) {
                        Err(failure) if failure.code != 412 => Err(failure),
                        Ok(_) | Err(_) => Ok(()),
                    };
                    outcomes.push((number, outcome));
                    from = number.saturating_add(1);
                }
                idle
            }
            Err(error) if is_passing(&error) => {
                if !std::mem::replace(&mut troubled, true) {
                    tracing::warn!("mail can't be collected for now: {error}");
                }
                // A keeper that was restarted has other numbers; what comes twice is taken once.
                from = 0;
                true
            }
            Err(error) => return error,
        };
        if idle && office.runtime.now().since(asked_at) < PAUSE {
            office.runtime.sleep_until(asked_at + PAUSE).await;
        }
    }
}

/// Whether collecting may succeed later: unless the keeper is another node, or does not know this one, it may.
fn is_passing(error: &TransportError) -> bool {
    !matches!(error, TransportError::Refused { failure, .. } if matches!(failure.code, 403 | 421))
        && !matches!(error, TransportError::NoTransport { .. })
}

/// Asks once.
async fn ask(
    office: &Arc<Office>,
    at: NodeId,
    arrivals: &Arrivals,
    from: u64,
    outcomes: &[(u64, Result<(), Failure>)],
) -> Result<Vec<(u64, Bytes)>, TransportError> {
    let Some(Way::At(address)) = office.way(at) else {
        return Err(TransportError::NoTransport { to: Address::of(at) });
    };
    let named = office::at(&address, at);
    let readable = |answer| {
        let garbled = |failure: Failure| TransportError::Garbled { to: named.clone(), why: failure.message };
        collected(answer).map_err(garbled)
    };
    let Some(session) = office.usable(at) else {
        // What answers a handshake would wait here, too; so it comes at once.
        let (index, first) = office.begin(at)?;
        let answer = office.carrier.collect(&address, first).await.map_err(|error| error.at(&named)).and_then(readable);
        let [(SECOND, second)] = &answer.inspect_err(|error| office.give_up(at, index, error.clone()))?[..] else {
            office.give_up(at, index, TransportError::TimedOut { to: named, seconds: 0 });
            return Ok(Vec::new());
        };
        let heard = arrivals.take(second.clone(), None);
        heard.map_err(|failure| refused(at, failure)).inspect_err(|error| office.give_up(at, index, error.clone()))?;
        return Box::pin(ask(office, at, arrivals, from, outcomes)).await;
    };
    let life = arrivals.life().map_err(|failure| refused(at, failure))?;
    let parcel = Parcel::Collect(Collect { life, from, outcomes: outcomes.to_vec() }).encode();
    let (packet, _) = session.seal(&parcel).map_err(|failure| refused(at, failure))?;
    let answer = office.carrier.collect(&address, packet.pieces.concat().into()).await;
    let answer = answer.map_err(|error| {
        if matches!(&error, TransportError::Refused { failure, .. } if failure.code == 410) {
            office.forget(&session);
        }
        error.at(&named)
    })?;
    readable(answer)
}

/// The number of what answers a handshake.
const SECOND: u64 = u64::MAX;

/// The answer to somebody who asks for mail by a handshake.
pub(super) fn second(second: &Bytes) -> Bytes {
    listed(SECOND, second, BytesMut::new()).freeze()
}

fn listed(number: u64, packet: &Bytes, mut answer: BytesMut) -> BytesMut {
    answer.put_u64_le(number);
    answer.put_u32_le(packet.len() as u32);
    answer.put_slice(packet);
    answer
}

impl Office {
    /// Forwards a packet, and tells its sender what became of it.
    pub(super) fn forward(self: &Arc<Self>, from: NodeId, to: NodeId, packet: Bytes) -> Result<(), Failure> {
        if !self.peers.forwards(from, to) {
            self.counters.add(Refusal::NotForwarded);
            return Err(unlisted(self.key.id(), from, to));
        }
        let Some(of) = parcel::mark_of(&packet) else {
            return Err(self.refuse(Refusal::Malformed, 400, "what is to be forwarded is no sealed mail"));
        };
        let bytes = packet.len();
        self.forwarding.reserve(from, bytes)?;
        let office = Arc::clone(self);
        self.runtime.spawn(Box::pin(async move {
            let mail = Parcel::Forwarded { from, packet }.encode();
            let runtime = office.runtime.as_ref();
            let mut delivery = office.post_patiently(to, mail, 0, PATIENCE);
            let delivered = loop {
                match select(delivery, runtime.sleep_until(runtime.now() + DELIVERY / 3)).await {
                    Either::Left((delivered, _)) => break delivered,
                    Either::Right(((), still)) => delivery = still,
                }
                // A slow line is no reason to give up, as long as it moves.
                let under_way = Parcel::Outcome { to, of, outcome: None }.encode();
                office.runtime.spawn(Box::pin({
                    let office = Arc::clone(&office);
                    async move { drop(office.post(from, under_way, 0).await) }
                }));
            };
            office.forwarding.release(from, bytes);
            if let Ok(life) = delivered {
                office.watch(to, from, life);
            }
            let outcome = Parcel::Outcome { to, of, outcome: Some(delivered.map_err(failure)) };
            // A sender that can't be told finds out by its deadline.
            let _ = office.post_patiently(from, outcome.encode(), 0, PATIENCE).await;
        }));
        Ok(())
    }

    /// Watches a receiver, as long as somebody sends it mail through here, and tells those who did when it is gone.
    fn watch(self: &Arc<Self>, to: NodeId, from: NodeId, life: Life) {
        if !self.forwarding.concern(to, from, self.runtime.now()) {
            return;
        }
        let office = Arc::clone(self);
        self.runtime.spawn(Box::pin(async move {
            let mut lost = office.lost(to, life, 0);
            let why = loop {
                match select(lost, office.runtime.sleep_until(office.runtime.now() + CONCERNED / 4)).await {
                    Either::Left((error, _)) => break error.to_string(),
                    Either::Right(((), still)) if office.forwarding.is_watched(to, office.runtime.now()) => {
                        lost = still;
                    }
                    Either::Right(_) => return,
                }
            };
            let concerned = office.forwarding.lock().concerned.remove(&to).unwrap_or_default();
            for from in concerned.into_keys() {
                let notice = Parcel::Lost { id: to, why: why.clone() }.encode();
                let office = Arc::clone(&office);
                let runtime = Arc::clone(&office.runtime);
                runtime.spawn(Box::pin(async move {
                    let _ = office.post_patiently(from, notice, 0, PATIENCE).await;
                }));
            }
        }));
    }
}

/// What a sender is told for whom nothing is forwarded.
pub(super) fn unlisted(me: NodeId, from: NodeId, to: NodeId) -> Failure {
    let why = format!(
        "node {me} does not forward mail from node {from} to node {to}: both must be listed there with `forward = true`"
    );
    Failure::new(403, why)
}

/// What a sender is told of a packet that could not be forwarded.
pub(super) fn failure(error: TransportError) -> Failure {
    match error {
        TransportError::Refused { failure, .. } if failure.code == INNER => Failure { code: 410, ..failure },
        TransportError::Refused { failure, .. } => failure,
        error if error.is_passing() => Failure::new(503, error.to_string()),
        error => Failure::new(502, error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIFE: Life = Life([7; 16]);

    fn id() -> NodeId {
        NodeId::from_bytes([1; 32])
    }

    fn asked(from: u64, outcomes: Vec<(u64, Result<(), Failure>)>) -> Collect {
        Collect { life: LIFE, from, outcomes }
    }

    #[test]
    fn packets_stay_until_their_receiver_has_them() {
        let forwarding = Forwarding::new(ForwardLimits::default());
        let mut outcome = forwarding.put(id(), Bytes::from_static(b"one"), Time::START).unwrap();
        let mut state = forwarding.lock();
        let mailbox = state.boxes.get_mut(&id()).unwrap();
        mailbox.take_in(asked(0, vec![]), Time::START);
        let first = collected(mailbox.hand_out(Time::START)).unwrap();
        let number = first[0].0;
        assert_eq!(first, [(number, Bytes::from_static(b"one"))]);
        assert_eq!(collected(mailbox.hand_out(Time::START)).unwrap(), first, "the answer may have been lost");
        mailbox.take_in(asked(number + 1, vec![(number, Ok(()))]), Time::START);
        assert!(mailbox.hand_out(Time::START).is_empty());
        assert_eq!(outcome.try_recv().unwrap(), Ok(LIFE));
        assert_eq!(mailbox.bytes, 0);
    }

    #[test]
    fn a_mailbox_is_bounded_and_expires() {
        let limits = ForwardLimits { waiting_each: 10, packets_each: 2, ..ForwardLimits::default() };
        let forwarding = Forwarding::new(limits);
        let put = |bytes: usize, now| forwarding.put(id(), vec![0; bytes].into(), now);
        let large = put(100, Time::START);
        assert!(large.is_ok(), "alone it may be as large as it is");
        assert_eq!(put(1, Time::START).unwrap_err().code, 429);
        let later = Time::START + DELIVERY + Duration::from_secs(1);
        drop(large);
        let kept = [put(4, later).unwrap(), put(4, later).unwrap()];
        assert_eq!(put(1, later).unwrap_err().code, 429);
        drop(kept);
        forwarding.sweep(later + DELIVERY + Duration::from_secs(1));
        assert!(forwarding.lock().boxes.is_empty());
    }

    #[test]
    fn a_sender_has_so_much_on_its_way_and_no_more() {
        let forwarding = Forwarding::new(ForwardLimits { bytes_each: 10, ..ForwardLimits::default() });
        forwarding.reserve(id(), 8).unwrap();
        assert_eq!(forwarding.reserve(id(), 8).unwrap_err().code, 429);
        forwarding.reserve(NodeId::from_bytes([2; 32]), 8).unwrap();
        forwarding.release(id(), 8);
        forwarding.reserve(id(), 8).unwrap();
    }

    proptest! {
        #[test]
        fn any_bytes_are_packets_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = collected(bytes.into());
        }
    }
}
