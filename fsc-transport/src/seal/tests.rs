//! Sealed mail over a wire on which everything can be heard, held, changed and said.
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use fsc_core::bus::{Failure, Principal, Request, Response};
use fsc_core::clock::{BoxFuture, Runtime, Time};
use fsc_core::identity::{NodeId, NodeKey};
use fsc_core::transport::{Address, Answer, Assurance, Batch, Handler, Life, Origin, Transport, TransportError};
use fsc_core::value::Value;
use tokio::time::{sleep, timeout};

use super::handshake::Initiator;
use super::parcel::Parcel;
use super::{Counts, ForwardLimits, Peer, Peers, Seal, Way};
use crate::TokioRuntime;

/// What a node says: as good as envelopes, for those who don't look into it.
const MAIL: &[u8] = b"\x01 the quick brown fox jumps over the lazy dog";

/// A wire between nodes, which hears everything.
#[derive(Clone, Default)]
pub(super) struct Wire(Arc<Mutex<Heard>>);

#[derive(Default)]
struct Heard {
    nodes: HashMap<Address, Arc<dyn Handler>>,
    packets: Vec<(Address, Bytes)>,
    /// Sees every packet before it arrives; what it answers arrives instead.
    tamper: Option<fn(Bytes) -> Bytes>,
    /// How long mail to each node takes.
    slow: HashMap<Address, Duration>,
}

impl Wire {
    fn at(&self, to: &Address) -> Result<Arc<dyn Handler>, TransportError> {
        let unreachable = || TransportError::Unreachable { to: to.clone(), why: "nobody listens there".into() };
        self.0.lock().unwrap().nodes.get(to).cloned().ok_or_else(unreachable)
    }

    pub(super) fn put(&self, seed: u8, node: Arc<dyn Handler>) {
        self.0.lock().unwrap().nodes.insert(place(seed).parse().unwrap(), node);
    }

    pub(super) fn take(&self, seed: u8) {
        self.0.lock().unwrap().nodes.remove(&place(seed).parse().unwrap());
    }

    /// Says something to a node, as anybody can.
    fn say(&self, to: &str, packet: Bytes) -> Result<Life, Failure> {
        self.at(&to.parse().unwrap()).unwrap().mail(Origin::Remote, packet)
    }

    pub(super) fn heard(&self, to: &str) -> Vec<Bytes> {
        let to: Address = to.parse().unwrap();
        let heard = self.0.lock().unwrap();
        heard.packets.iter().filter(|(there, _)| *there == to).map(|(_, packet)| packet.clone()).collect()
    }
}

#[async_trait]
impl Transport for Wire {
    async fn request(&self, to: &Address, _: Request) -> Result<Answer, TransportError> {
        Err(TransportError::NoTransport { to: to.clone() })
    }

    async fn deliver(&self, to: &Address, batch: Batch) -> Result<Life, TransportError> {
        let handler = self.at(to)?;
        let mut packet: Bytes = batch.pieces.concat().into();
        let takes = self.0.lock().unwrap().slow.get(to).copied();
        if let Some(takes) = takes {
            sleep(takes).await;
        }
        {
            let mut heard = self.0.lock().unwrap();
            heard.packets.push((to.clone(), packet.clone()));
            if let Some(tamper) = heard.tamper {
                packet = tamper(packet);
            }
        }
        let taken = handler.mail(Origin::Remote, packet);
        taken.map_err(|failure| TransportError::Refused { to: to.clone(), failure })
    }

    async fn lost(&self, to: &Address, _: Life) -> TransportError {
        loop {
            if let Err(error) = self.at(to) {
                return error;
            }
            sleep(Duration::from_millis(5)).await;
        }
    }

    async fn collect(&self, to: &Address, asking: Bytes) -> Result<Bytes, TransportError> {
        let answer = self.at(to)?.collect(Origin::Remote, asking).await;
        answer.map_err(|failure| TransportError::Refused { to: to.clone(), failure })
    }

    fn assurance(&self, _: &Address) -> Assurance {
        Assurance::None
    }
}

/// A node that keeps what it gets.
pub(super) struct Node {
    life: Life,
    mail: Mutex<Vec<(Origin, Bytes)>>,
}

impl Node {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { life: Life(fsc_core::clock::random()), mail: Mutex::default() })
    }

    pub(super) fn mail(&self) -> Vec<(Origin, Bytes)> {
        self.mail.lock().unwrap().clone()
    }
}

#[async_trait]
impl Handler for Node {
    async fn request(&self, _: &Principal, _: Request) -> Result<Response, Failure> {
        Ok(Response::None)
    }

    fn mail(&self, origin: Origin, batch: Bytes) -> Result<Life, Failure> {
        if !batch.is_empty() {
            if !matches!(origin, Origin::Sealed(_)) {
                return Err(Failure::new(403, "needs keys"));
            }
            if batch.ends_with(b"unwanted") {
                return Err(Failure::new(404, "no such run"));
            }
            self.mail.lock().unwrap().push((origin, batch));
        }
        Ok(self.life)
    }

    fn list(&self) -> Arc<Vec<Value>> {
        Arc::default()
    }
}

pub(super) fn key(seed: u8) -> NodeKey {
    NodeKey::from_bytes(&[seed; 32])
}

pub(super) fn id(seed: u8) -> NodeId {
    key(seed).id()
}

pub(super) fn place(seed: u8) -> String {
    format!("wire:{seed}")
}

pub(super) fn listed(seeds: impl IntoIterator<Item = u8>) -> Peers {
    Peers::new(seeds.into_iter().map(|seed| Peer::at(id(seed), place(seed).parse().unwrap())), true)
}

/// A clock that can be put forward.
#[derive(Clone)]
pub(super) struct Clock(TokioRuntime, Arc<Mutex<Duration>>);

impl Clock {
    pub(super) fn new() -> Self {
        Self(TokioRuntime::new(), Arc::default())
    }

    pub(super) fn pass(&self, minutes: u64) {
        *self.1.lock().unwrap() += Duration::from_mins(minutes);
    }
}

impl Runtime for Clock {
    fn now(&self) -> Time {
        self.0.now() + *self.1.lock().unwrap()
    }

    fn sleep_until(&self, at: Time) -> BoxFuture<()> {
        self.0.sleep_until(Time::START + at.since(Time::START + *self.1.lock().unwrap()))
    }

    fn spawn(&self, task: BoxFuture<()>) {
        self.0.spawn(task);
    }

    fn offload(&self, work: Box<dyn FnOnce() + Send>) -> BoxFuture<()> {
        self.0.offload(work)
    }
}

/// Puts the node of `seed` on the wire, at the place of that name.
fn node(wire: &Wire, seed: u8, peers: Peers) -> (Seal, Arc<Node>) {
    let (seal, node) = hidden(wire, seed, peers);
    wire.0.lock().unwrap().nodes.insert(place(seed).parse().unwrap(), seal.open(node.clone()));
    (seal, node)
}

/// A node that nobody can reach.
pub(super) fn hidden(wire: &Wire, seed: u8, peers: Peers) -> (Seal, Arc<Node>) {
    let node = Node::new();
    let seal = Seal::new(key(seed), Arc::new(peers), wire.clone(), TokioRuntime::new(), ForwardLimits::default());
    (seal, node)
}

async fn deliver(from: &Seal, to: u8, mail: &[u8]) -> Result<Life, TransportError> {
    let batch = Batch { pieces: vec![Bytes::copy_from_slice(mail)] };
    timeout(Duration::from_secs(20), from.deliver(&Address::of(id(to)), batch)).await.expect("nothing hangs")
}

fn refusal(error: &TransportError) -> u16 {
    match error {
        TransportError::Refused { failure, .. } => failure.code,
        other => panic!("not refused: {other}"),
    }
}

fn only(seal: &Seal, expected: impl FnOnce(&mut Counts)) {
    let mut counts = Counts::default();
    expected(&mut counts);
    assert_eq!(seal.counts(), counts);
}

#[tokio::test]
async fn mail_is_sealed_and_its_sender_is_the_key() {
    let wire = Wire::default();
    let (one, first) = node(&wire, 1, listed([2]));
    let (two, second) = node(&wire, 2, listed([1]));
    assert_eq!(deliver(&one, 2, MAIL).await.unwrap(), second.life);
    assert_eq!(second.mail(), [(Origin::Sealed(id(1)), Bytes::from_static(MAIL))]);
    assert_eq!(deliver(&two, 1, MAIL).await.unwrap(), first.life);
    assert_eq!(first.mail(), [(Origin::Sealed(id(2)), Bytes::from_static(MAIL))]);
    for (_, packet) in &wire.0.lock().unwrap().packets {
        assert!(!packet.windows(5).any(|window| window == b"quick"), "the wire has heard it");
    }
    only(&one, |_| ());
    only(&two, |_| ());
}

#[tokio::test]
async fn one_handshake_serves_much_mail() {
    let wire = Wire::default();
    let (one, _) = node(&wire, 1, listed([2]));
    let (_two, second) = node(&wire, 2, listed([1]));
    let all = (0..50).map(|_| deliver(&one, 2, MAIL));
    assert!(futures_util::future::join_all(all).await.iter().all(Result::is_ok));
    assert_eq!(second.mail().len(), 50);
    assert_eq!(wire.heard(&place(2)).len(), 51, "one first message, and the mail");
}

#[tokio::test]
async fn large_mail_arrives_as_it_was() {
    let wire = Wire::default();
    let (one, _) = node(&wire, 1, listed([2]));
    let (_two, second) = node(&wire, 2, listed([1]));
    let mail: Vec<u8> = [1].into_iter().chain((0..3_000_000u32).map(|at| at as u8)).collect();
    deliver(&one, 2, &mail).await.unwrap();
    assert!(second.mail()[0].1 == mail);
}

#[tokio::test]
async fn what_a_node_refuses_its_peer_hears() {
    let wire = Wire::default();
    let (one, _) = node(&wire, 1, listed([2]));
    let (_two, _) = node(&wire, 2, listed([1]));
    let error = deliver(&one, 2, b"\x01 unwanted").await.unwrap_err();
    assert_eq!(refusal(&error), 404);
    assert!(error.to_string().contains(&id(2).to_string()), "{error}");
}

#[tokio::test]
async fn replayed_mail_is_refused_and_counted() {
    let wire = Wire::default();
    let (one, _) = node(&wire, 1, listed([2]));
    let (two, second) = node(&wire, 2, listed([1]));
    deliver(&one, 2, MAIL).await.unwrap();
    for (packet, code) in wire.heard(&place(2)).into_iter().zip([None, Some(412)]) {
        assert_eq!(wire.say(&place(2), packet).err().map(|failure| failure.code), code);
    }
    assert_eq!(second.mail().len(), 1);
    only(&two, |counts| counts.replayed = 2);
    sleep(Duration::from_millis(50)).await;
    only(&one, |_| ());
    deliver(&one, 2, MAIL).await.unwrap();
    deliver(&two, 1, MAIL).await.unwrap();
}

#[tokio::test]
async fn reordered_mail_arrives_once_each() {
    let wire = Wire::default();
    let (one, _) = node(&wire, 1, listed([2]));
    let (_two, second) = node(&wire, 2, listed([1]));
    deliver(&one, 2, MAIL).await.unwrap();
    // All further mail is lost on the way, and said by the wire afterwards, backwards.
    wire.0.lock().unwrap().tamper = Some(|_| Bytes::new());
    for n in 0..9u8 {
        deliver(&one, 2, &[1, n]).await.unwrap();
    }
    for packet in wire.heard(&place(2)).into_iter().skip(2).rev() {
        wire.say(&place(2), packet).unwrap();
    }
    let got: Vec<u8> = second.mail()[1..].iter().map(|(_, mail)| mail[1]).collect();
    assert_eq!(got, [8, 7, 6, 5, 4, 3, 2, 1, 0]);
}

#[tokio::test]
async fn changed_and_cut_mail_is_refused_and_the_node_goes_on() {
    let wire = Wire::default();
    let (one, _) = node(&wire, 1, listed([2]));
    let (two, second) = node(&wire, 2, listed([1]));
    deliver(&one, 2, MAIL).await.unwrap();
    let tampers: [fn(Bytes) -> Bytes; 3] = [
        |packet| packet.slice(..packet.len() - 1),
        |packet| [&packet[..packet.len() - 1], &[packet[packet.len() - 1] ^ 1]].concat().into(),
        |packet| [&packet[..], &[0]].concat().into(),
    ];
    for (n, tamper) in tampers.into_iter().enumerate() {
        wire.0.lock().unwrap().tamper = Some(tamper);
        assert_eq!(refusal(&deliver(&one, 2, MAIL).await.unwrap_err()), 400);
        only(&two, |counts| counts.forged = n as u64 + 1);
    }
    wire.0.lock().unwrap().tamper = None;
    deliver(&one, 2, MAIL).await.unwrap();
    assert_eq!(second.mail().len(), 2);
}

#[tokio::test]
async fn mail_reflected_or_brought_to_another_is_refused() {
    let wire = Wire::default();
    let (one, first) = node(&wire, 1, listed([2, 3]));
    let (_two, _) = node(&wire, 2, listed([1, 3]));
    let (three, third) = node(&wire, 3, listed([1, 2]));
    deliver(&one, 2, MAIL).await.unwrap();
    deliver(&one, 3, MAIL).await.unwrap();
    let packets = wire.heard(&place(2));
    assert_eq!(wire.say(&place(1), packets[0].clone()).unwrap_err().code, 421, "my own handshake");
    assert_eq!(wire.say(&place(1), packets[1].clone()).unwrap_err().code, 410, "my own mail");
    assert_eq!(wire.say(&place(3), packets[0].clone()).unwrap_err().code, 421);
    assert_eq!(wire.say(&place(3), packets[1].clone()).unwrap_err().code, 410);
    only(&one, |counts| (counts.misdirected, counts.no_session) = (1, 1));
    only(&three, |counts| (counts.misdirected, counts.no_session) = (1, 1));
    assert_eq!((first.mail().len(), third.mail().len()), (0, 1));
}

#[tokio::test]
async fn mail_under_another_index_is_forged() {
    let wire = Wire::default();
    let (one, _) = node(&wire, 1, listed([2]));
    let (two, _) = node(&wire, 2, listed([1, 3]));
    let (three, _) = node(&wire, 3, listed([2]));
    deliver(&one, 2, MAIL).await.unwrap();
    deliver(&three, 2, MAIL).await.unwrap();
    let sealed: Vec<Bytes> = wire.heard(&place(2)).into_iter().filter(|packet| packet[1] == 3).collect();
    let swapped = [&sealed[0][..2], &sealed[1][2..6], &[9], &sealed[0][7..]].concat();
    assert_eq!(wire.say(&place(2), swapped.into()).unwrap_err().code, 400);
    only(&two, |counts| counts.forged = 1);
}

#[tokio::test]
async fn a_downgrade_is_refused() {
    let wire = Wire::default();
    let (two, _) = node(&wire, 2, listed([1]));
    assert_eq!(wire.say(&place(2), Bytes::from_static(MAIL)).unwrap_err().code, 403);
    only(&two, |counts| counts.unsealed = 1);
    for version in [0, 3, 255] {
        // What is no packet is no mail either: the node itself refuses it.
        assert!(wire.say(&place(2), vec![version, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0].into()).is_err());
    }
    let (one, _) = node(&wire, 1, listed([2]));
    deliver(&one, 2, MAIL).await.unwrap();
    // An older version of the same mail.
    let older = [&[1], &wire.heard(&place(2))[1][1..]].concat();
    assert_eq!(wire.say(&place(2), older.into()).unwrap_err().code, 403);
}

#[tokio::test]
async fn an_unknown_key_is_an_error_that_names_ids_and_says_what_to_do() {
    let wire = Wire::default();
    let (one, _) = node(&wire, 1, listed([2]));
    let (two, second) = node(&wire, 2, listed([]));
    let error = deliver(&one, 2, MAIL).await.unwrap_err();
    assert_eq!(refusal(&error), 403);
    let text = error.to_string();
    assert!(
        text.contains(&id(1).to_string()) && text.contains(&id(2).to_string()) && text.contains("[[nodes]]"),
        "{text}"
    );
    only(&two, |counts| counts.unknown = 1);
    assert!(second.mail().is_empty());
    // And the other way, nothing is sent.
    let heard = wire.heard(&place(1)).len();
    assert_eq!(refusal(&deliver(&two, 1, MAIL).await.unwrap_err()), 403);
    assert_eq!(wire.heard(&place(1)).len(), heard);
}

#[tokio::test]
async fn a_wrong_key_is_an_error_that_names_both() {
    let wire = Wire::default();
    let (one, _) = node(&wire, 1, Peers::new([Peer::at(id(3), place(2).parse().unwrap())], true));
    let (two, _) = node(&wire, 2, listed([1]));
    let error = deliver(&one, 3, MAIL).await.unwrap_err();
    assert_eq!(refusal(&error), 421);
    let text = error.to_string();
    assert!(text.contains(&id(2).to_string()) && text.contains(&id(3).to_string()), "{text}");
    only(&two, |counts| counts.misdirected = 1);
}

#[tokio::test]
async fn nodes_that_clients_name_are_known_once_both_did() {
    let wire = Wire::default();
    let (one, _) = node(&wire, 1, Peers::new([], false));
    let (two, second) = node(&wire, 2, Peers::new([], false));
    let at = |seed| format!("{}#{}", place(seed), id(seed)).parse::<Address>().unwrap();
    let batch = || Batch { pieces: vec![Bytes::from_static(MAIL)] };
    let error = one.deliver(&at(2), batch()).await.unwrap_err();
    assert_eq!(refusal(&error), 425);
    assert!(error.is_passing(), "a client of the other node may be about to name this one");
    two.deliver(&at(1), batch()).await.unwrap();
    one.deliver(&at(2), batch()).await.unwrap();
    assert_eq!(second.mail().len(), 1);
    assert_eq!((one.peer(&at(2)), one.assurance(&at(2))), (Some(id(2)), Assurance::Sealed));
}

#[tokio::test]
async fn a_restarted_node_gets_its_mail_by_a_new_handshake() {
    let wire = Wire::default();
    let (one, first) = node(&wire, 1, listed([2]));
    let (_old, _) = node(&wire, 2, listed([1]));
    deliver(&one, 2, MAIL).await.unwrap();
    let (new, second) = node(&wire, 2, listed([1]));
    assert_eq!(deliver(&one, 2, MAIL).await.unwrap(), second.life);
    assert_eq!(second.mail().len(), 1);
    only(&new, |counts| counts.no_session = 1);
    // It speaks first after another restart.
    let (newest, _) = node(&wire, 2, listed([1]));
    deliver(&newest, 1, MAIL).await.unwrap();
    assert_eq!(first.mail().len(), 1);
}

#[tokio::test]
async fn a_restarted_node_gets_its_mail_also_if_there_were_many_sessions() {
    let wire = Wire::default();
    let (one, first) = node(&wire, 1, listed([2]));
    // Each time both begin a handshake at once, so there are two sessions.
    for _ in 0..3 {
        let (two, _) = node(&wire, 2, listed([1]));
        let (to, from) = futures_util::future::join(deliver(&one, 2, MAIL), deliver(&two, 1, MAIL)).await;
        assert!(to.is_ok() && from.is_ok(), "{to:?}, {from:?}");
    }
    let (_newest, second) = node(&wire, 2, listed([1]));
    assert_eq!(deliver(&one, 2, MAIL).await.unwrap(), second.life);
    assert_eq!(first.mail().len(), 3);
}

#[tokio::test]
async fn recorded_handshakes_are_worth_nothing() {
    let wire = Wire::default();
    let (one, _) = node(&wire, 1, listed([2]));
    let (two, _) = node(&wire, 2, listed([1]));
    deliver(&one, 2, MAIL).await.unwrap();
    let (first, sessions) = (wire.heard(&place(2))[0].clone(), two.0.sessions());
    for _ in 0..500 {
        // Its answer is on its way, as far as anybody is told.
        wire.say(&place(2), first.clone()).unwrap();
    }
    assert_eq!(two.0.sessions(), sessions);
    only(&two, |counts| counts.replayed = 500);
    sleep(Duration::from_millis(50)).await;
    only(&one, |_| ());
    deliver(&one, 2, MAIL).await.unwrap();
}

#[tokio::test]
async fn a_handshake_that_was_refused_may_be_begun_again() {
    let wire = Wire::default();
    let (two, _) = node(&wire, 2, Peers::new([], false));
    let first = Initiator::begin(&key(1), id(2), 7).unwrap().1;
    for _ in 0..2 {
        assert_eq!(wire.say(&place(2), first.clone()).unwrap_err().code, 425);
    }
    two.peers().list(Peer::at(id(1), place(1).parse().unwrap()));
    wire.say(&place(2), first).unwrap();
    only(&two, |counts| counts.unknown = 2);
    assert_eq!(two.0.sessions(), 1);
}

#[tokio::test]
async fn each_node_begins_handshakes_at_a_pace_of_its_own() {
    let wire = Wire::default();
    let (_two, _) = node(&wire, 2, listed([1, 3]));
    let knocks = |seed: u8, many: u32| {
        let begun = (0..many).map(|index| Initiator::begin(&key(seed), id(2), index).unwrap().1);
        begun.filter(|first| wire.say(&place(2), first.clone()).is_ok()).count()
    };
    assert!((16..40).contains(&knocks(1, 100)));
    assert_eq!(knocks(3, 4), 4, "one node does not use up what others have");
    assert_eq!(knocks(9, 10), 0, "strangers have nothing");
    // What is no handshake costs nothing.
    for length in [0, 12, 43, 44, 500] {
        assert!(wire.say(&place(2), [&[2, 1][..], &vec![0; length]].concat().into()).is_err());
    }
    let (three, _) = node(&wire, 3, listed([2]));
    deliver(&three, 2, MAIL).await.unwrap();
}

#[tokio::test]
async fn nobody_there_is_an_error_at_once() {
    let wire = Wire::default();
    let (one, _) = node(&wire, 1, listed([2]));
    let error = deliver(&one, 2, MAIL).await.unwrap_err();
    assert!(matches!(error, TransportError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains(&place(2)), "{error}");
}

#[tokio::test]
async fn keys_are_renewed_and_forgotten() {
    let (wire, clock) = (Wire::default(), Clock::new());
    let at = |seed, peers| {
        let node = Node::new();
        let seal = Seal::new(key(seed), Arc::new(peers), wire.clone(), clock.clone(), ForwardLimits::default());
        wire.0.lock().unwrap().nodes.insert(place(seed).parse().unwrap(), seal.open(node.clone()));
        (seal, node)
    };
    let ((one, _), (two, second)) = (at(1, listed([2])), at(2, listed([1])));
    let handshakes = || wire.heard(&place(2)).iter().filter(|packet| packet[1] == 1).count();
    deliver(&one, 2, MAIL).await.unwrap();
    clock.pass(9);
    // The session still serves, and another one is made beside it.
    deliver(&one, 2, MAIL).await.unwrap();
    sleep(Duration::from_millis(50)).await;
    assert_eq!(handshakes(), 2);
    clock.pass(2);
    deliver(&one, 2, MAIL).await.unwrap();
    assert_eq!(handshakes(), 2);
    // Mail of a session that is over is refused, and its keys are gone.
    let old = wire.heard(&place(2))[1].clone();
    clock.pass(5);
    assert_eq!(wire.say(&place(2), old).unwrap_err().code, 410);
    clock.pass(60);
    one.sweep();
    two.sweep();
    assert_eq!((one.0.sessions(), two.0.sessions()), (0, 0));
    deliver(&one, 2, MAIL).await.unwrap();
    assert_eq!((handshakes(), second.mail().len()), (3, 4));
}

/// Nodes 1 and 3 know one another by 2 only, which forwards between them.
fn by_two(wire: &Wire, forwards: bool) -> [(Seal, Arc<Node>); 3] {
    let far = |seed| Peer { id: id(seed), way: Way::By(id(2)), forward: false };
    let near = |seed| Peer::at(id(seed), place(seed).parse().unwrap());
    let between = [1, 3].map(|seed| Peer { forward: forwards, ..near(seed) });
    [
        node(wire, 1, Peers::new([near(2), far(3)], true)),
        node(wire, 2, Peers::new(between, true)),
        node(wire, 3, Peers::new([near(2), far(1)], true)),
    ]
}

#[tokio::test]
async fn mail_is_forwarded_and_the_forwarder_can_not_read_it() {
    let wire = Wire::default();
    let [(one, first), (two, second), (three, third)] = by_two(&wire, true);
    assert_eq!(deliver(&one, 3, MAIL).await.unwrap(), third.life);
    assert_eq!(deliver(&three, 1, MAIL).await.unwrap(), first.life);
    assert_eq!(third.mail(), [(Origin::Sealed(id(1)), Bytes::from_static(MAIL))]);
    assert!(second.mail().is_empty());
    let large: Vec<u8> = [1].into_iter().chain((0..2_000_000u32).map(|at| at as u8)).collect();
    deliver(&one, 3, &large).await.unwrap();
    assert!(third.mail()[1].1 == large);
    for seal in [one, two, three] {
        only(&seal, |_| ());
    }
}

/// Time that passes when there is nothing else to do.
struct Leap(tokio::time::Instant);

impl Runtime for Leap {
    fn now(&self) -> Time {
        Time::from_start(self.0.elapsed())
    }

    fn sleep_until(&self, at: Time) -> BoxFuture<()> {
        Box::pin(tokio::time::sleep_until(self.0 + at.since_start()))
    }

    fn spawn(&self, task: BoxFuture<()>) {
        tokio::spawn(task);
    }

    fn offload(&self, work: Box<dyn FnOnce() + Send>) -> BoxFuture<()> {
        work();
        Box::pin(async {})
    }
}

#[tokio::test(start_paused = true)]
async fn forwarding_may_take_as_long_as_a_slow_line_does() {
    let wire = Wire::default();
    let start = tokio::time::Instant::now();
    let far = |seed| Peer { id: id(seed), way: Way::By(id(2)), forward: false };
    let near = |seed| Peer { forward: true, ..Peer::at(id(seed), place(seed).parse().unwrap()) };
    let at = |seed, peers: Vec<Peer>| {
        let (node, peers) = (Node::new(), Arc::new(Peers::new(peers, true)));
        let seal = Seal::new(key(seed), peers, wire.clone(), Leap(start), ForwardLimits::default());
        wire.0.lock().unwrap().nodes.insert(place(seed).parse().unwrap(), seal.open(node.clone()));
        (seal, node)
    };
    let ((one, _), _two, (_three, third)) =
        (at(1, vec![near(2), far(3)]), at(2, vec![near(1), near(3)]), at(3, vec![near(2), far(1)]));
    let to = Address::of(id(3));
    let batch = || Batch { pieces: vec![Bytes::from_static(MAIL)] };
    one.deliver(&to, batch()).await.unwrap();
    wire.0.lock().unwrap().slow.insert(place(3).parse().unwrap(), Duration::from_mins(10));
    assert_eq!(one.deliver(&to, batch()).await.unwrap(), third.life);
    assert!(start.elapsed() >= Duration::from_mins(10));
    assert_eq!(third.mail().len(), 2);
}

#[tokio::test]
async fn failures_come_back_through_a_forwarder() {
    let wire = Wire::default();
    let [(one, _), _, _] = by_two(&wire, true);
    let error = deliver(&one, 3, b"\x01 unwanted").await.unwrap_err();
    assert_eq!(refusal(&error), 404);
    assert!(error.to_string().contains(&id(2).to_string()), "names the route: {error}");
}

#[tokio::test]
async fn nothing_is_forwarded_unless_it_is_listed_so() {
    let wire = Wire::default();
    let [(one, _), (two, _), _] = by_two(&wire, false);
    let error = deliver(&one, 3, MAIL).await.unwrap_err();
    assert_eq!(refusal(&error), 403);
    assert!(error.to_string().contains("forward = true"), "{error}");
    only(&two, |counts| counts.not_forwarded = 1);
}

#[tokio::test]
async fn a_lost_forwarder_and_a_lost_receiver_are_both_noticed() {
    let wire = Wire::default();
    let [(one, _), _two, _three] = by_two(&wire, true);
    for gone in [3, 2] {
        let life = deliver(&one, if gone == 3 { 3 } else { 2 }, MAIL).await.unwrap();
        let to = Address::of(id(3));
        let lost = one.lost(&to, life);
        let vanish = async {
            sleep(Duration::from_millis(50)).await;
            let node = wire.0.lock().unwrap().nodes.remove(&place(gone).parse().unwrap());
            sleep(Duration::from_millis(200)).await;
            node
        };
        let both = futures_util::future::join(lost, vanish);
        let (error, node) = timeout(Duration::from_secs(10), both).await.expect("it is noticed");
        assert!(error.to_string().contains(&id(2).to_string()), "names the route: {error}");
        wire.0.lock().unwrap().nodes.insert(place(gone).parse().unwrap(), node.unwrap());
    }
}

#[tokio::test]
async fn a_forwarder_can_not_speak_for_others() {
    let wire = Wire::default();
    let [(one, _), (two, _), (three, third)] = by_two(&wire, true);
    deliver(&one, 3, MAIL).await.unwrap();
    deliver(&two, 3, MAIL).await.unwrap();
    // Node 2 forwards mail of its own, which has not come yet, in the name of node 1.
    wire.0.lock().unwrap().tamper = Some(|_| Bytes::new());
    deliver(&two, 3, MAIL).await.unwrap();
    wire.0.lock().unwrap().tamper = None;
    let own = wire.heard(&place(3)).into_iter().last().unwrap();
    let forged = Parcel::Forwarded { from: id(1), packet: own }.encode();
    assert_eq!(refusal(&two.0.post(id(3), forged, 0).await.unwrap_err()), 400);
    only(&three, |counts| counts.forged = 1);
    assert_eq!(third.mail().len(), 2);
}

#[tokio::test]
async fn a_node_that_nobody_can_reach_collects_its_mail() {
    let wire = Wire::default();
    let near = |seed| Peer::at(id(seed), place(seed).parse().unwrap());
    let far = |seed| Peer { id: id(seed), way: Way::By(id(2)), forward: false };
    let (one, first) = node(&wire, 1, Peers::new([near(2), far(3)], true));
    let collected = Peer { id: id(3), way: Way::Collected, forward: true };
    let (two, second) = node(&wire, 2, Peers::new([Peer { forward: true, ..near(1) }, collected], true));
    let (three, third) = hidden(&wire, 3, Peers::new([near(2), far(1)], true));
    let collecting = tokio::spawn({
        let (three, third) = (three.clone(), third.clone());
        async move { three.collect(id(2), third).await }
    });
    assert_eq!(deliver(&one, 3, MAIL).await.unwrap(), third.life);
    assert_eq!(deliver(&two, 3, MAIL).await.unwrap(), third.life, "its forwarder itself");
    assert_eq!(deliver(&three, 1, MAIL).await.unwrap(), first.life);
    assert_eq!(deliver(&three, 2, MAIL).await.unwrap(), second.life);
    assert_eq!(
        third.mail().iter().map(|(origin, _)| *origin).collect::<Vec<_>>(),
        [1, 2].map(|n| Origin::Sealed(id(n)))
    );
    assert_eq!(refusal(&deliver(&one, 3, b"\x01 unwanted").await.unwrap_err()), 404);
    // Once it has stopped asking, those who wrote to it learn of it.
    let to = Address::of(id(3));
    let lost = one.lost(&to, third.life);
    collecting.abort();
    let error = timeout(Duration::from_secs(20), lost).await.expect("it is noticed");
    assert!(error.to_string().contains("has not asked"), "{error}");
}
