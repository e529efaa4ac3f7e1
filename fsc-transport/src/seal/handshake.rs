//! Handshakes: `Noise_IK_25519_AESGCM_SHA256` (The Noise Protocol Framework, revision 34, section 7.5).
//!
//! The initiator knows whom it writes to. Its first message proves who it is, and can be replayed; the second one proves that
//! the responder is who it should be, and is fresh for the initiator; what comes after that is fresh for both.

use bytes::Bytes;
use fsc_core::bus::Failure;
use fsc_core::clock::Time;
use fsc_core::identity::{NodeId, NodeKey};
use snow::{Builder, HandshakeState};

use super::packet::{self, Header, Kind, Packet, malformed};
use super::primitives::Primitives;
use super::session::Session;

const PATTERN: &str = "Noise_IK_25519_AESGCM_SHA256";

/// Bytes of Noise's first message: two keys and two tags.
const FIRST: usize = 2 * (32 + packet::TAG);

/// More than a handshake's message has.
const ROOM: usize = 256;

/// A handshake that waits for the second message.
pub(super) struct Initiator {
    pub(super) peer: NodeId,
    index: u32,
    noise: HandshakeState,
}

impl Initiator {
    /// Begins a handshake with `peer`, in which mail to me will bear `index`. Answers the first message, too.
    pub(super) fn begin(key: &NodeKey, peer: NodeId, index: u32) -> Result<(Self, Bytes), Failure> {
        if peer.is_degenerate() {
            return Err(unusable(peer));
        }
        let header = Header { kind: Kind::First, index, number: 0 };
        let (secret, prologue) = (key.expose(), prologue(header, peer));
        let mut noise = builder()?
            .local_private_key(&*secret)
            .and_then(|builder| builder.remote_public_key(peer.as_bytes())?.prologue(&prologue)?.build_initiator())
            .map_err(|_| unusable(peer))?;
        let mut message = [0; ROOM];
        let length = noise.write_message(&[], &mut message).map_err(|_| unusable(peer))?;
        let first = Packet::encode(header, &[peer.as_bytes(), &message[..length]]);
        Ok((Self { peer, index, noise }, first))
    }

    /// Reads the second message; `None` if it is not the peer's, which leaves everything as it was.
    pub(super) fn read(&mut self, second: &Packet) -> Option<Answered> {
        let mut payload = [0; ROOM];
        let length = self.noise.read_message(&second.body, &mut payload).ok()?;
        Some(Answered(u32::from_le_bytes(payload[..length].try_into().ok()?)))
    }

    /// The session.
    pub(super) fn finish(self, Answered(theirs): Answered, now: Time) -> Option<Session> {
        let keys = self.noise.into_stateless_transport_mode().ok()?;
        Some(Session::new(self.peer, self.index, theirs, keys, true, now))
    }
}

/// A second message that was understood: how the peer numbers the session.
pub(super) struct Answered(u32);

/// A first message that was understood.
pub(super) struct Knock {
    /// Who knocks. That it is fresh is not known.
    pub(super) peer: NodeId,
    index: u32,
    noise: HandshakeState,
}

impl Knock {
    /// Whether a first message may be one to the node of `key`. Costs nothing.
    pub(super) fn is_for(key: &NodeKey, first: &Packet) -> Result<(NodeId, Bytes), Failure> {
        let (to, message) = packet::first(first.body.clone())?;
        if to != key.id() {
            let why = format!("this is node {}, the mail is for node {to}: correct its id or its address", key.id());
            return Err(Failure::new(421, why));
        }
        if message.len() == FIRST { Ok((to, message)) } else { Err(malformed("no handshake has that length")) }
    }

    /// Reads a first message to the node of `key`.
    pub(super) fn read(key: &NodeKey, first: &Packet) -> Result<Self, Failure> {
        let (to, message) = Self::is_for(key, first)?;
        let (secret, prologue) = (key.expose(), prologue(first.header, to));
        let mut noise = builder()?
            .local_private_key(&*secret)
            .and_then(|builder| builder.prologue(&prologue)?.build_responder())
            .map_err(|_| Failure::new(500, "this node's key is of no use"))?;
        let mut payload = [0; ROOM];
        let length =
            noise.read_message(&message, &mut payload).map_err(|_| malformed("no handshake with this node"))?;
        let peer = noise.get_remote_static().and_then(|key| key.try_into().ok()).map(NodeId::from_bytes);
        match peer {
            Some(peer) if length == 0 && !peer.is_degenerate() && peer != key.id() => {
                Ok(Self { peer, index: first.header.index, noise })
            }
            _ => Err(malformed("the handshake says more than it should, or comes from this node itself")),
        }
    }

    /// The session, in which mail to me will bear `index`, and the second message.
    pub(super) fn answer(mut self, index: u32, now: Time) -> Result<(Session, Bytes), Failure> {
        let mut message = [0; ROOM];
        let written = self.noise.write_message(&index.to_le_bytes(), &mut message);
        let length = written.map_err(|_| malformed("no handshake with this node"))?;
        let keys = self.noise.into_stateless_transport_mode().map_err(|_| malformed("no handshake with this node"))?;
        let header = Header { kind: Kind::Second, index: self.index, number: 0 };
        let second = Packet::encode(header, &[&message[..length]]);
        Ok((Session::new(self.peer, index, self.index, keys, false, now), second))
    }
}

fn builder<'a>() -> Result<Builder<'a>, Failure> {
    let pattern = PATTERN.parse().map_err(|_| Failure::new(500, "the handshake's pattern is none"))?;
    Ok(Builder::with_resolver(pattern, Box::new(Primitives)))
}

/// What both must agree on beside the messages: the header, and to whom it goes.
fn prologue(header: Header, to: NodeId) -> Vec<u8> {
    [&b"fsc v1 seal"[..], &header.encode(), to.as_bytes()].concat()
}

fn unusable(peer: NodeId) -> Failure {
    Failure::new(400, format!("node {peer} has a key that can't be used: it must come from `fsc keygen`"))
}

#[cfg(test)]
mod tests {
    use fsc_core::transport::Batch;
    use proptest::prelude::*;

    use super::super::packet::CHUNK;
    use super::super::session::Age;
    use super::*;

    fn keys() -> [NodeKey; 2] {
        [1, 2].map(|seed| NodeKey::from_bytes(&[seed; 32]))
    }

    /// Sessions of an initiator and a responder.
    fn sessions() -> (Session, Session) {
        let [a, b] = keys();
        let (initiator, first) = Initiator::begin(&a, b.id(), 7).unwrap();
        let knock = Knock::read(&b, &Packet::decode(first).unwrap()).unwrap();
        assert_eq!(knock.peer, a.id());
        let (responder, second) = knock.answer(8, Time::START).unwrap();
        (finished(initiator, second).unwrap(), responder)
    }

    fn finished(mut initiator: Initiator, second: Bytes) -> Option<Session> {
        let answered = initiator.read(&Packet::decode(second).unwrap())?;
        initiator.finish(answered, Time::START)
    }

    fn sealed(by: &Session, mail: &[u8]) -> Bytes {
        let mail = Batch { pieces: vec![Bytes::copy_from_slice(mail)] };
        by.seal(&mail).unwrap().0.pieces.concat().into()
    }

    fn opened(by: &Session, packet: Bytes) -> Option<Bytes> {
        by.open(&Packet::decode(packet).ok().filter(|packet| packet.header.kind == Kind::Sealed)?)
    }

    #[test]
    fn mail_goes_both_ways() {
        let (a, b) = sessions();
        assert_eq!((a.age(Time::START), b.age(Time::START)), (Age::Fresh, Age::Past), "b does not know a to be fresh");
        assert_eq!(opened(&b, sealed(&a, b"there")).unwrap(), &b"there"[..]);
        assert_eq!(b.age(Time::START), Age::Fresh);
        assert_eq!(opened(&a, sealed(&b, b"and back")).unwrap(), &b"and back"[..]);
    }

    #[test]
    fn every_length_comes_back() {
        let (a, b) = sessions();
        for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 5] {
            let mail: Vec<u8> = (0..length).map(|at| at as u8).collect();
            let pieces = mail.chunks(1000).map(Bytes::copy_from_slice).collect();
            let packet = a.seal(&Batch { pieces }).unwrap().0;
            assert!(packet.pieces.iter().all(|piece| !piece.is_empty()));
            assert_eq!(opened(&b, packet.pieces.concat().into()).unwrap(), mail, "{length}");
        }
    }

    #[test]
    fn mail_is_refused_by_its_sender_and_in_other_sessions() {
        let ((a, b), (c, d)) = (sessions(), sessions());
        let packet = sealed(&a, b"mail");
        assert!(opened(&a, packet.clone()).is_none(), "reflected");
        assert!(opened(&c, packet.clone()).is_none() && opened(&d, packet.clone()).is_none());
        assert!(opened(&b, packet).is_some());
    }

    #[test]
    fn cutting_between_chunks_is_noticed() {
        let (a, b) = sessions();
        let packet = sealed(&a, &vec![0; 2 * CHUNK]);
        assert!(opened(&b, packet.slice(..packet.len() - CHUNK - packet::TAG)).is_none());
        assert!(opened(&b, packet.slice(..packet::HEADER)).is_none());
        assert!(opened(&b, packet).is_some());
    }

    #[test]
    fn handshakes_with_others_come_to_nothing() {
        let [a, b] = keys();
        let c = NodeKey::from_bytes(&[3; 32]);
        let (initiator, first) = Initiator::begin(&a, b.id(), 7).unwrap();
        assert_eq!(Knock::read(&c, &Packet::decode(first.clone()).unwrap()).err().unwrap().code, 421);
        // Re-addressed, with another index, or changed anywhere: the transcript binds it all.
        for at in [2, 12, 12 + 32, first.len() - 1] {
            let mut changed = first.to_vec();
            changed[at] ^= 1;
            assert!(Knock::read(&b, &Packet::decode(changed.into()).unwrap()).is_err(), "{at}");
        }
        // Somebody who is not b answers.
        let (_, to_c) = Initiator::begin(&a, c.id(), 7).unwrap();
        let (_, second) = Knock::read(&c, &Packet::decode(to_c).unwrap()).unwrap().answer(8, Time::START).unwrap();
        assert!(finished(initiator, second).is_none());
    }

    #[test]
    fn keys_of_small_order_make_no_session() {
        let [a, _] = keys();
        let nobody = NodeId::from_bytes([0; 32]);
        let began = Initiator::begin(&a, nobody, 1);
        assert!(began.is_err(), "all who know the all-zero key would agree on the same");
    }

    proptest! {
        #[test]
        fn every_flipped_bit_is_noticed(mail in proptest::collection::vec(any::<u8>(), 0..200), flip: prop::sample::Index) {
            let (a, b) = sessions();
            let packet = sealed(&a, &mail);
            let (mut changed, bit) = (packet.to_vec(), flip.index(8 * (packet.len() - 4)));
            // Whatever is not the index, by which sessions are found.
            let at = if bit / 8 < 2 { bit / 8 } else { bit / 8 + 4 };
            changed[at] ^= 1 << (bit % 8);
            prop_assert!(opened(&b, changed.into()).is_none());
        }

        #[test]
        fn any_bytes_are_no_handshake(body in proptest::collection::vec(any::<u8>(), 0..300), index: u32) {
            let [a, b] = keys();
            let addressed = [&b.id().as_bytes()[..], &body].concat();
            for body in [body.clone(), addressed] {
                let header = Header { kind: Kind::First, index, number: 0 };
                let first = Packet { header, body: body.into() };
                prop_assert!(Knock::read(&b, &first).is_err());
            }
            let (mut initiator, first) = Initiator::begin(&a, b.id(), 7).unwrap();
            let header = Header { kind: Kind::Second, index, number: 0 };
            let forged = Packet { header, body: body.into() };
            prop_assert!(initiator.read(&forged).is_none());
            // The genuine one still counts.
            let (_, second) = Knock::read(&b, &Packet::decode(first).unwrap()).unwrap().answer(8, Time::START).unwrap();
            prop_assert!(finished(initiator, second).is_some());
        }
    }
}
