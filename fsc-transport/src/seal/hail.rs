//! Hails: one question of a node to another, and one answer, by which `fsc doctor` finds out what is wrong between them.
//!
//! # Security
//!
//! A hail is the first message of a handshake, `Noise_IK_25519_AESGCM_SHA256`, and its answer the second one; both carry a payload,
//! and no session comes of it: who asks may be another process than the running node of that key, which must not be sent mail in
//! sessions that it does not have. The answer is secret and authentic, and belongs to the question. The question can be replayed; the replay's answer
//! is of no use to anybody, and at the listener it costs a try to reach a node.
//!
//! Only a node that is known here makes this one send anything: to that node itself, by the way that is known here, or to another one
//! to which mail from it is forwarded anyway. Hails of one node are answered at a pace.
//!
//! # Leakage
//!
//! A node that is known here learns the time and the version here, whether this node reaches it and by which way it was tried, and the same
//! of another node, if mail from it is forwarded to that one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{BufMut, Bytes, BytesMut};
use fsc_core::bus::{Failure, Principal, Request, Response};
use fsc_core::clock::{self, Time};
use fsc_core::identity::{NodeId, NodeKey};
use fsc_core::transport::{Address, Batch, Handler, Life, Origin, Transport, TransportError};
use fsc_core::value::Value;
use futures_util::future::{Either, join, select};
use snow::{Builder, HandshakeState};

use super::counts::Refusal;
use super::forward;
use super::office::{Office, Pace, at};
use super::packet::{self, Header, Kind, Packet, malformed, take};
use super::parcel;
use super::primitives::Primitives;

const PATTERN: &str = "Noise_IK_25519_AESGCM_SHA256";

/// More than any of the messages has.
const ROOM: usize = 4096;

/// The longest name of a version.
const MOST_RELEASE: usize = 64;

/// How long is tried to reach a node.
const PATIENCE: Duration = Duration::from_secs(12);

/// Nodes whose hails are counted; more than are known at a time.
const MOST_PACES: usize = 4096;

/// What a node asks of another one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hail {
    /// Whether the other node shall try to reach the one that asks.
    pub back: bool,
    /// Whom the other node shall try to reach, too, if it forwards mail to it.
    pub about: Option<NodeId>,
}

/// What the other node answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hailed {
    /// The time since 1970 there, by the system's clock, when it answered.
    pub time: Duration,
    /// Which version it runs.
    pub release: String,
    /// How long it took to reach the node that asks, or why it can't; nothing, if it was not asked to.
    pub back: Option<Result<Duration, Failure>>,
    /// The same of the node that it was asked about.
    pub about: Option<Result<Duration, Failure>>,
}

/// What a node says of itself.
#[derive(Clone, Copy, Debug)]
pub struct Itself {
    /// Tells the time since 1970, by the system's clock.
    pub time: fn() -> Duration,
    /// Which version it runs.
    pub release: &'static str,
}

impl Hail {
    /// Asks the node `to`, which is expected at that address, in the name of the node with this key.
    pub async fn ask(
        self,
        carrier: &dyn Transport,
        key: &NodeKey,
        to: NodeId,
        address: &Address,
    ) -> Result<Hailed, TransportError> {
        let named = at(address, to);
        let refused = |failure| TransportError::Refused { to: named.clone(), failure };
        let garbled = |failure: Failure| TransportError::Garbled { to: named.clone(), why: failure.message };
        let (asking, question) = Asking::begin(key, to, self).map_err(refused)?;
        let answer = carrier.collect(address, question).await.map_err(|error| error.at(&named))?;
        asking.read(answer).map_err(garbled)
    }

    fn encode(self) -> Vec<u8> {
        let flags = u8::from(self.back) | u8::from(self.about.is_some()) << 1;
        [&[flags][..], self.about.as_ref().map_or(&[], |about| about.as_bytes())].concat()
    }

    fn decode(mut bytes: Bytes) -> Result<Self, Failure> {
        let [flags] = take(&mut bytes)?;
        let about = if flags & 2 == 0 { None } else { Some(NodeId::from_bytes(take(&mut bytes)?)) };
        if flags > 3 || !bytes.is_empty() {
            return Err(malformed("no such question"));
        }
        Ok(Self { back: flags & 1 == 1, about })
    }
}

impl Hailed {
    fn encode(&self) -> BytesMut {
        let mut bytes = BytesMut::new();
        bytes.put_u64_le(self.time.as_millis() as u64);
        for outcome in [&self.back, &self.about] {
            match outcome {
                None => bytes.put_u8(0),
                Some(Ok(took)) => {
                    bytes.put_u8(1);
                    bytes.put_u32_le(took.as_micros().try_into().unwrap_or(u32::MAX));
                }
                Some(Err(failure)) => {
                    bytes.put_u8(2);
                    parcel::put_failure(&mut bytes, failure);
                }
            }
        }
        bytes.put_slice(&self.release.as_bytes()[..self.release.floor_char_boundary(MOST_RELEASE)]);
        bytes
    }

    fn decode(mut bytes: Bytes) -> Result<Self, Failure> {
        let time = Duration::from_millis(u64::from_le_bytes(take(&mut bytes)?));
        let mut outcome = || {
            Ok(match take(&mut bytes)? {
                [0] => None,
                [1] => Some(Ok(Duration::from_micros(u32::from_le_bytes(take(&mut bytes)?).into()))),
                [2] => Some(Err(parcel::take_failure(&mut bytes)?.ok_or_else(|| malformed("a failure that is none"))?)),
                [_] => return Err(malformed("no such outcome")),
            })
        };
        let (back, about) = (outcome()?, outcome()?);
        if bytes.len() > MOST_RELEASE {
            return Err(malformed("the name of the version is too long"));
        }
        Ok(Self { time, release: parcel::text(&bytes), back, about })
    }
}

/// A question that was asked.
struct Asking {
    index: u32,
    noise: HandshakeState,
}

impl Asking {
    fn begin(key: &NodeKey, to: NodeId, hail: Hail) -> Result<(Self, Bytes), Failure> {
        let unusable = || Failure::new(400, format!("node {to} has a key that can't be used"));
        if to.is_degenerate() {
            return Err(unusable());
        }
        let index = u32::from_le_bytes(clock::random());
        let header = Header { kind: Kind::Hail, index, number: 0 };
        let (secret, prologue) = (key.expose(), prologue(header, to));
        let mut noise = builder()?
            .local_private_key(&*secret)
            .and_then(|builder| builder.remote_public_key(to.as_bytes())?.prologue(&prologue)?.build_initiator())
            .map_err(|_| unusable())?;
        let mut message = [0; ROOM];
        let length = noise.write_message(&hail.encode(), &mut message).map_err(|_| unusable())?;
        Ok((Self { index, noise }, Packet::encode(header, &[to.as_bytes(), &message[..length]])))
    }

    fn read(mut self, answer: Bytes) -> Result<Hailed, Failure> {
        let Packet { header, body } = Packet::decode(answer)?;
        let mut payload = [0; ROOM];
        let length = self.noise.read_message(&body, &mut payload).ok();
        match length.filter(|_| header == Header { kind: Kind::Hailed, index: self.index, number: 0 }) {
            Some(length) => Hailed::decode(Bytes::copy_from_slice(&payload[..length])),
            None => Err(malformed("the answer does not come from the node that was asked")),
        }
    }
}

/// Bytes of Noise's first message without a payload: two keys and two tags.
const LEAST: usize = 2 * (32 + packet::TAG);

/// A question that has come.
struct Asked {
    from: NodeId,
    hail: Hail,
    index: u32,
    noise: HandshakeState,
}

impl Asked {
    /// Whether a question may be one to the node of `key`. Costs nothing.
    fn is_for(key: &NodeKey, question: &Packet) -> Result<(NodeId, Bytes), Failure> {
        let (to, message) = packet::first(question.body.clone())?;
        if to != key.id() {
            let why = format!("this is node {}, not node {to}: correct its id or its address", key.id());
            return Err(Failure::new(421, why));
        }
        if message.len() >= LEAST { Ok((to, message)) } else { Err(malformed("no hail is that short")) }
    }

    fn read(key: &NodeKey, question: &Packet) -> Result<Self, Failure> {
        let ((to, message), header) = (Self::is_for(key, question)?, question.header);
        let (secret, prologue) = (key.expose(), prologue(header, to));
        let mut noise = builder()?
            .local_private_key(&*secret)
            .and_then(|builder| builder.prologue(&prologue)?.build_responder())
            .map_err(|_| useless())?;
        let mut payload = [0; ROOM];
        let length = noise.read_message(&message, &mut payload).map_err(|_| malformed("no hail to this node"))?;
        let from = noise.get_remote_static().and_then(|key| key.try_into().ok()).map(NodeId::from_bytes);
        let from = from.filter(|from| !from.is_degenerate()).ok_or_else(|| malformed("nobody hails"))?;
        let hail = Hail::decode(Bytes::copy_from_slice(&payload[..length]))?;
        Ok(Self { from, hail, index: header.index, noise })
    }

    fn answer(mut self, hailed: &Hailed) -> Result<Bytes, Failure> {
        let mut message = [0; ROOM];
        let length = self.noise.write_message(&hailed.encode(), &mut message).map_err(|_| useless())?;
        let header = Header { kind: Kind::Hailed, index: self.index, number: 0 };
        Ok(Packet::encode(header, &[&message[..length]]))
    }
}

fn builder<'a>() -> Result<Builder<'a>, Failure> {
    let pattern = PATTERN.parse().map_err(|_| useless())?;
    Ok(Builder::with_resolver(pattern, Box::new(Primitives)))
}

fn prologue(header: Header, to: NodeId) -> Vec<u8> {
    [&b"fsc v1 hail"[..], &header.encode(), to.as_bytes()].concat()
}

fn useless() -> Failure {
    Failure::new(500, "this node's key is of no use")
}

/// A listener that answers hails, before another one.
pub(super) struct Lookout {
    office: Arc<Office>,
    itself: Itself,
    inner: Arc<dyn Handler>,
    /// By whom, of those that are known here.
    paces: Mutex<HashMap<NodeId, Pace>>,
}

impl Lookout {
    pub(super) fn new(office: Arc<Office>, itself: Itself, inner: Arc<dyn Handler>) -> Self {
        Self { office, itself, inner, paces: Mutex::default() }
    }

    async fn hear(&self, question: Bytes) -> Result<Bytes, Failure> {
        let office = &self.office;
        let now = office.runtime.now();
        let count = |failure: &Failure| {
            office.counters.add(if failure.code == 421 { Refusal::Misdirected } else { Refusal::Forged });
        };
        // What costs no exponentiation comes first: anybody may send anything.
        let question = Packet::decode(question).inspect_err(count)?;
        Asked::is_for(&office.key, &question).inspect_err(count)?;
        if !office.knocks.lock().unwrap_or_else(PoisonError::into_inner).admit(now) {
            return Err(self.hurried());
        }
        let asked = Asked::read(&office.key, &question).inspect_err(count)?;
        if asked.from != office.key.id() {
            office.admit(asked.from)?;
        }
        if !self.is_paced(asked.from, now) {
            return Err(self.hurried());
        }
        let (back, about) = join(self.back(&asked), self.about(&asked)).await;
        let release = self.itself.release.to_owned();
        asked.answer(&Hailed { time: (self.itself.time)(), release, back, about })
    }

    async fn back(&self, asked: &Asked) -> Option<Result<Duration, Failure>> {
        if !asked.hail.back || asked.from == self.office.key.id() {
            return None;
        }
        Some(self.reach(asked.from).await)
    }

    async fn about(&self, asked: &Asked) -> Option<Result<Duration, Failure>> {
        let about = asked.hail.about?;
        let (office, from) = (&self.office, asked.from);
        if from == office.key.id() || office.peers.forwards(from, about) {
            return Some(self.reach(about).await);
        }
        office.counters.add(Refusal::NotForwarded);
        Some(Err(forward::unlisted(office.key.id(), from, about)))
    }

    /// Brings a node mail that says nothing, as any other mail.
    async fn reach(&self, id: NodeId) -> Result<Duration, Failure> {
        let runtime = &self.office.runtime;
        let began = runtime.now();
        let posted = self.office.post(id, parcel::mail(Batch::default()), 0);
        match select(posted, runtime.sleep_until(began + PATIENCE)).await {
            Either::Left((Ok(_), _)) => Ok(runtime.now().since(began)),
            Either::Left((Err(error), _)) => Err(forward::failure(error)),
            Either::Right(_) => {
                let place = self.office.whereabouts(id);
                Err(Failure::new(504, format!("{place} did not answer within {} s", PATIENCE.as_secs())))
            }
        }
    }

    fn hurried(&self) -> Failure {
        self.office.refuse(Refusal::Hurried, 429, "too many questions at a time; ask again in a while")
    }

    fn is_paced(&self, from: NodeId, now: Time) -> bool {
        let mut paces = self.paces.lock().unwrap_or_else(PoisonError::into_inner);
        if paces.len() >= MOST_PACES {
            paces.clear();
        }
        paces.entry(from).or_insert_with(|| Pace::new(16.0, 0.5, now)).admit(now)
    }
}

#[async_trait]
impl Handler for Lookout {
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
        if Packet::is_of(&asking, &[Kind::Hail]) {
            return self.hear(asking).await;
        }
        self.inner.collect(origin, asking).await
    }

    fn list(&self) -> Arc<Vec<Value>> {
        self.inner.list()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::{Node, Wire, hidden, id, key, listed, place};
    use super::super::{Peer, Peers, Seal, Way};
    use super::*;

    const ITSELF: Itself = Itself { time: || Duration::from_secs(1234), release: "9.9" };

    /// Puts a node on the wire that answers hails.
    fn node(wire: &Wire, seed: u8, peers: Peers) -> (Seal, Arc<Node>) {
        let (seal, node) = hidden(wire, seed, peers);
        wire.put(seed, seal.answer(ITSELF, seal.open(node.clone())));
        (seal, node)
    }

    async fn hail(wire: &Wire, from: u8, to: u8, hail: Hail) -> Result<Hailed, TransportError> {
        hail.ask(wire, &key(from), id(to), &place(to).parse().unwrap()).await
    }

    fn refusal(result: Result<Hailed, TransportError>) -> Failure {
        match result {
            Err(TransportError::Refused { failure, .. }) => failure,
            other => panic!("not refused: {other:?}"),
        }
    }

    const BACK: Hail = Hail { back: true, about: None };

    #[tokio::test]
    async fn a_peer_tells_its_time_and_whether_it_reaches_who_asks() {
        let wire = Wire::default();
        let (_one, first) = node(&wire, 1, listed([2]));
        let (_two, _) = node(&wire, 2, listed([1]));
        let hailed = hail(&wire, 1, 2, BACK).await.unwrap();
        assert_eq!((hailed.time, hailed.release.as_str(), hailed.about), (Duration::from_secs(1234), "9.9", None));
        assert!(hailed.back.unwrap().is_ok());
        assert!(first.mail().is_empty(), "it was sent nothing that it would have to do something with");
        // Not while it is not there.
        wire.take(1);
        let failure = hail(&wire, 1, 2, BACK).await.unwrap().back.unwrap().unwrap_err();
        assert!(failure.message.contains(&place(1)), "{failure:?}");
        assert_eq!(hail(&wire, 1, 2, Hail::default()).await.unwrap().back, None);
    }

    #[tokio::test]
    async fn hails_leave_no_sessions_behind() {
        let wire = Wire::default();
        let (two, _) = node(&wire, 2, listed([1]));
        hail(&wire, 1, 2, Hail::default()).await.unwrap();
        assert_eq!(two.0.sessions(), 0);
    }

    #[tokio::test]
    async fn an_unknown_node_is_told_so_and_makes_nobody_send_anything() {
        let wire = Wire::default();
        let (_one, _) = node(&wire, 1, listed([2]));
        let (two, _) = node(&wire, 2, listed([3]));
        let failure = refusal(hail(&wire, 1, 2, Hail { back: true, about: Some(id(3)) }).await);
        assert!(failure.code == 403 && failure.message.contains(&id(1).to_string()), "{failure:?}");
        assert!(wire.heard(&place(1)).is_empty() && wire.heard(&place(3)).is_empty());
        assert_eq!(two.counts().unknown, 1);
    }

    #[tokio::test]
    async fn a_node_at_the_wrong_place_says_who_it_is() {
        let wire = Wire::default();
        let (_two, _) = node(&wire, 2, listed([1]));
        let wrong = Hail::default().ask(&wire, &key(1), id(3), &place(2).parse().unwrap()).await;
        let failure = refusal(wrong);
        assert!(failure.code == 421 && failure.message.contains(&id(2).to_string()), "{failure:?}");
    }

    #[tokio::test]
    async fn a_forwarder_tells_of_those_to_whom_it_forwards_and_of_no_others() {
        let wire = Wire::default();
        let forwarded = |seed| Peer { forward: true, ..Peer::at(id(seed), place(seed).parse().unwrap()) };
        let alone = Peer::at(id(4), place(4).parse().unwrap());
        let (_two, _) = node(&wire, 2, Peers::new([forwarded(1), forwarded(3), alone], true));
        let (_three, _) = node(&wire, 3, listed([2]));
        let (_four, _) = node(&wire, 4, listed([2]));
        let about = |seed| Hail { back: false, about: Some(id(seed)) };
        assert!(hail(&wire, 1, 2, about(3)).await.unwrap().about.unwrap().is_ok());
        let failure = hail(&wire, 1, 2, about(4)).await.unwrap().about.unwrap().unwrap_err();
        assert!(failure.code == 403 && failure.message.contains("forward = true"), "{failure:?}");
        assert!(wire.heard(&place(4)).is_empty());
    }

    #[tokio::test]
    async fn a_node_asks_itself_about_all() {
        let wire = Wire::default();
        let far = Peer { id: id(3), way: Way::Collected, forward: false };
        let near = Peer::at(id(2), place(2).parse().unwrap());
        let (_one, _) = node(&wire, 1, Peers::new([near, far], true));
        let (_two, _) = node(&wire, 2, listed([1]));
        let about = |seed| Hail { back: true, about: Some(id(seed)) };
        let hailed = hail(&wire, 1, 1, about(2)).await.unwrap();
        assert!(hailed.about.unwrap().is_ok());
        assert_eq!(hailed.back, None);
        assert!(hail(&wire, 1, 1, about(3)).await.unwrap().about.unwrap().is_err(), "it has not asked for its mail");
    }

    #[tokio::test]
    async fn hails_are_answered_at_a_pace() {
        let wire = Wire::default();
        let (_two, _) = node(&wire, 2, listed([1, 3]));
        let mut refused = 0;
        for _ in 0..30 {
            let answer = hail(&wire, 1, 2, Hail::default()).await;
            refused += usize::from(answer.is_err());
        }
        assert!(refused > 10);
        hail(&wire, 3, 2, Hail::default()).await.expect("others are not kept out");
    }

    fn any_hailed() -> impl Strategy<Value = Hailed> {
        let outcome = || {
            let failure = (400u16..600, "[a-zäß ]{0,40}").prop_map(|(code, why)| Failure::new(code, why));
            let took = any::<u32>().prop_map(|took| Ok(Duration::from_micros(took.into())));
            proptest::option::of(prop_oneof![took, failure.prop_map(Err)])
        };
        (any::<u64>(), "[a-z0-9. ]{0,64}", outcome(), outcome()).prop_map(|(time, release, back, about)| Hailed {
            time: Duration::from_millis(time),
            release,
            back,
            about,
        })
    }

    proptest! {
        #[test]
        fn questions_and_answers_come_back_as_they_were(back: bool, about: Option<[u8; 32]>, hailed in any_hailed()) {
            let hail = Hail { back, about: about.map(NodeId::from_bytes) };
            prop_assert_eq!(Hail::decode(hail.encode().into()).unwrap(), hail);
            prop_assert_eq!(Hailed::decode(hailed.encode().freeze()).unwrap(), hailed);
        }

        #[test]
        fn any_bytes_are_a_question_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..300), index: u32) {
            let bytes = Bytes::from(bytes);
            let _ = Hail::decode(bytes.clone());
            let _ = Hailed::decode(bytes.clone());
            let header = Header { kind: Kind::Hail, index, number: 0 };
            let addressed = [&id(2).as_bytes()[..], &bytes].concat();
            let forged = Packet { header, body: addressed.into() };
            prop_assert!(Asked::read(&key(2), &forged).is_err());
            let (asking, _) = Asking::begin(&key(1), id(2), Hail::default()).unwrap();
            prop_assert!(asking.read(bytes).is_err());
        }

        #[test]
        fn every_flipped_bit_is_noticed(of_answer: bool, flip: prop::sample::Index) {
            let flipped = |packet: Bytes, flips: bool| {
                let (mut changed, bit) = (packet.to_vec(), flip.index(8 * packet.len()));
                changed[bit / 8] ^= u8::from(flips) << (bit % 8);
                Bytes::from(changed)
            };
            let (asking, question) = Asking::begin(&key(1), id(2), BACK).unwrap();
            let asked = Packet::decode(flipped(question, !of_answer)).and_then(|question| Asked::read(&key(2), &question));
            let Ok(asked) = asked else {
                prop_assert!(!of_answer);
                return Ok(());
            };
            prop_assert!(of_answer && asked.from == id(1));
            let hailed = Hailed { time: Duration::ZERO, release: String::new(), back: None, about: None };
            prop_assert!(asking.read(flipped(asked.answer(&hailed).unwrap(), true)).is_err());
        }
    }
}
