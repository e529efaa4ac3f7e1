//! The messages of an invitation, without who carries them: `Noise_XXpsk0_25519_AESGCM_SHA256` (The Noise Protocol Framework,
//! revision 34, sections 7.5 and 9), and what is said under its keys. The layout is specified in [the seal](super::super).

use std::str;

use bytes::Bytes;
use fsc_core::bus::Failure;
use fsc_core::clock;
use fsc_core::identity::{NodeId, NodeKey};
use fsc_core::transport::Address;
use snow::{Builder, HandshakeState, StatelessTransportState};
use zeroize::Zeroizing;

use super::super::packet::{Header, Kind, Packet, malformed, take};
use super::super::primitives::Primitives;
use super::code::{Lookup, Psk};
use super::words::Words;
use super::{Guest, Verdict};

const PATTERN: &str = "Noise_XXpsk0_25519_AESGCM_SHA256";

/// The longest address that a guest may have.
pub(super) const MOST_ADDRESS: usize = 512;

/// More than any of the messages has.
const ROOM: usize = 1024;

const COMMITMENT: usize = 32;

/// Who is invited, and has said by which invitation.
pub(super) struct Joiner {
    me: NodeId,
    index: u32,
    noise: HandshakeState,
}

impl Joiner {
    /// Begins, and answers the first message, too.
    pub(super) fn begin(key: &NodeKey, lookup: Lookup, psk: &Psk) -> Result<(Self, Bytes), Failure> {
        let index = u32::from_le_bytes(clock::random());
        let header = Header { kind: Kind::Join, index, number: 0 };
        let (secret, prologue) = (key.expose(), prologue(header, lookup));
        let mut noise = builder(psk)?
            .local_private_key(&*secret)
            .and_then(|builder| builder.prologue(&prologue)?.build_initiator())
            .map_err(|_| useless())?;
        let message = written(&mut noise, &[])?;
        Ok((Self { me: key.id(), index, noise }, Packet::encode(header, &[&lookup.0, &message])))
    }

    /// Reads who the host is, and answers the message that says who the guest is, and where.
    pub(super) fn read(mut self, second: Bytes, address: Option<&Address>) -> Result<(Named, Bytes), Failure> {
        let second = expected(second, Kind::Host, self.index)?;
        let mut payload = read(&mut self.noise, &second.body).ok_or_else(impostor)?;
        let (theirs, commitment) = (u32::from_le_bytes(take(&mut payload)?), take::<COMMITMENT>(&mut payload)?);
        let host = self.noise.get_remote_static().and_then(|key| key.try_into().ok()).map(NodeId::from_bytes);
        let Some(host) = host.filter(|host| payload.is_empty() && !host.is_degenerate()) else {
            return Err(impostor());
        };
        if host == self.me {
            return Err(Failure::new(400, "that is an invitation of this node itself: give it to another one"));
        }
        let address = address.map_or("", Address::as_str);
        if address.len() > MOST_ADDRESS {
            return Err(Failure::new(400, "this node's address is too long"));
        }
        let nonce: [u8; 32] = clock::random();
        let message = written(&mut self.noise, &[&nonce[..], address.as_bytes()].concat())?;
        let third = Packet::encode(Header { kind: Kind::Guest, index: theirs, number: 0 }, &[&message]);
        let hash = hash(&self.noise)?;
        let keys = self.noise.into_stateless_transport_mode().map_err(|_| impostor())?;
        Ok((Named { host, mine: self.index, theirs, commitment, hash, keys }, third))
    }
}

/// Who is invited, and has said who it is.
pub(super) struct Named {
    host: NodeId,
    mine: u32,
    theirs: u32,
    commitment: [u8; COMMITMENT],
    hash: [u8; 32],
    keys: StatelessTransportState,
}

impl Named {
    /// Reads what the host was bound to, with which the words are known.
    pub(super) fn read(self, fourth: Bytes) -> Result<Talk, Failure> {
        let fourth = expected(fourth, Kind::Opened, self.mine)?;
        let nonce = opened::<32>(&self.keys, 0, &fourth.body).filter(|nonce| commitment(nonce) == self.commitment);
        let words = words(&self.hash, &nonce.ok_or_else(impostor)?);
        Ok(Talk { peer: self.host, words, mine: self.mine, theirs: self.theirs, keys: self.keys, last: 0 })
    }
}

/// Who invites, and has heard of which invitation.
pub(super) struct Host {
    index: u32,
    theirs: u32,
    nonce: [u8; 32],
    noise: HandshakeState,
}

impl Host {
    /// Reads a first message after its lookup. Answers the second one, too; in the third one `index` says to what it belongs.
    pub(super) fn hear(
        key: &NodeKey,
        lookup: Lookup,
        psk: &Psk,
        first: Header,
        message: &[u8],
        index: u32,
    ) -> Result<(Self, Bytes), Failure> {
        let (secret, prologue) = (key.expose(), prologue(first, lookup));
        let mut noise = builder(psk)?
            .local_private_key(&*secret)
            .and_then(|builder| builder.prologue(&prologue)?.build_responder())
            .map_err(|_| useless())?;
        read(&mut noise, message).filter(Bytes::is_empty).ok_or_else(stranger)?;
        let nonce: [u8; 32] = clock::random();
        let message = written(&mut noise, &[&index.to_le_bytes()[..], &commitment(&nonce)].concat())?;
        let second = Packet::encode(Header { kind: Kind::Host, index: first.index, number: 0 }, &[&message]);
        Ok((Self { index, theirs: first.index, nonce, noise }, second))
    }

    /// Reads who the guest is. What does not come from it leaves everything as it was.
    pub(super) fn read(&mut self, third: &Packet) -> Result<Introduced, Failure> {
        let mut payload = read(&mut self.noise, &third.body).ok_or_else(stranger)?;
        let _: [u8; 32] = take(&mut payload)?;
        let guest = self.noise.get_remote_static().and_then(|key| key.try_into().ok()).map(NodeId::from_bytes);
        let id = guest.filter(|guest| !guest.is_degenerate()).ok_or_else(stranger)?;
        let address = address(&payload)?;
        Ok(Introduced { id, address })
    }

    #[cfg(test)]
    pub(super) fn with_nonce(self, nonce: [u8; 32]) -> Self {
        Self { nonce, ..self }
    }

    /// The guest, what is said to it now, and what comes then.
    pub(super) fn finish(self, Introduced { id, address }: Introduced) -> Result<(Guest, Bytes, Talk), Failure> {
        let words = words(&hash(&self.noise)?, &self.nonce);
        let keys = self.noise.into_stateless_transport_mode().map_err(|_| stranger())?;
        let header = Header { kind: Kind::Opened, index: self.theirs, number: 0 };
        let fourth = Packet::encode(header, &[&sealed(&keys, 0, &self.nonce)?]);
        let talk = Talk { peer: id, words, mine: self.index, theirs: self.theirs, keys, last: 0 };
        Ok((Guest { id, address, words }, fourth, talk))
    }
}

/// A guest that has said who it is.
pub(super) struct Introduced {
    pub(super) id: NodeId,
    address: Option<Address>,
}

/// Two nodes that have the keys, while their people compare the words.
pub(super) struct Talk {
    pub(super) peer: NodeId,
    pub(super) words: Words,
    mine: u32,
    theirs: u32,
    keys: StatelessTransportState,
    /// The number of the last question. No number is used twice.
    last: u64,
}

impl Talk {
    /// As the guest: says what its person says, and asks what became of the invitation.
    pub(super) fn ask(&mut self, agrees: bool) -> Result<Bytes, Failure> {
        self.last += 1;
        let header = Header { kind: Kind::Agrees, index: self.theirs, number: self.last };
        Ok(Packet::encode(header, &[&sealed(&self.keys, self.last, &[agrees.into()])?]))
    }

    /// As the guest: reads the answer to the last question.
    pub(super) fn hear(&self, answer: Bytes) -> Result<Option<Verdict>, Failure> {
        let answer = expected(answer, Kind::Verdict, self.mine)?;
        let is_last = answer.header.number == self.last;
        match opened(&self.keys, self.last, &answer.body).filter(|_| is_last).ok_or_else(impostor)? {
            [0] => Ok(Some(Verdict::Declined)),
            [1] => Ok(Some(Verdict::Agreed)),
            [2] => Ok(None),
            [_] => Err(malformed("no such verdict")),
        }
    }

    /// As the host: reads what the guest's person says. What is older than what was read before is not read.
    pub(super) fn read(&mut self, question: &Packet) -> Result<bool, Failure> {
        let number = question.header.number;
        if number <= self.last {
            return Err(Failure::new(412, "that has been said before"));
        }
        let agrees = match opened(&self.keys, number, &question.body).ok_or_else(stranger)? {
            [0] => false,
            [1] => true,
            [_] => return Err(malformed("neither yes nor no")),
        };
        self.last = number;
        Ok(agrees)
    }

    /// As the host: answers the last question, once.
    pub(super) fn answer(&self, verdict: Option<Verdict>) -> Result<Bytes, Failure> {
        let verdict = match verdict {
            Some(Verdict::Declined) => 0,
            Some(Verdict::Agreed) => 1,
            None => 2,
        };
        let header = Header { kind: Kind::Verdict, index: self.theirs, number: self.last };
        Ok(Packet::encode(header, &[&sealed(&self.keys, self.last, &[verdict])?]))
    }
}

fn builder(psk: &Psk) -> Result<Builder<'_>, Failure> {
    let pattern = PATTERN.parse().map_err(|_| useless())?;
    Builder::with_resolver(pattern, Box::new(Primitives)).psk(0, &psk.0).map_err(|_| useless())
}

/// What both must agree on beside the messages.
fn prologue(first: Header, lookup: Lookup) -> Vec<u8> {
    [&b"fsc v1 invitation"[..], &first.encode(), &lookup.0].concat()
}

/// To which nonce the host binds itself before it knows the guest's.
fn commitment(nonce: &[u8; 32]) -> [u8; COMMITMENT] {
    blake3::derive_key("fsc v1 invitation commitment", nonce)
}

fn words(hash: &[u8; 32], nonce: &[u8; 32]) -> Words {
    let mut hasher = blake3::Hasher::new_derive_key("fsc v1 invitation words");
    let mut words = [0; 8];
    hasher.update(hash).update(nonce).finalize_xof().fill(&mut words);
    Words(words)
}

fn hash(noise: &HandshakeState) -> Result<[u8; 32], Failure> {
    noise.get_handshake_hash().try_into().map_err(|_| useless())
}

fn written(noise: &mut HandshakeState, payload: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut message = vec![0; ROOM];
    // It fails for keys only with which everybody agrees on the same.
    let length = noise.write_message(payload, &mut message).map_err(|_| stranger())?;
    message.truncate(length);
    Ok(message)
}

fn read(noise: &mut HandshakeState, message: &[u8]) -> Option<Bytes> {
    let mut payload = vec![0; ROOM];
    let length = noise.read_message(message, &mut payload).ok()?;
    payload.truncate(length);
    Some(payload.into())
}

fn sealed(keys: &StatelessTransportState, nonce: u64, plain: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut message = vec![0; ROOM];
    let length = keys.write_message(nonce, plain, &mut message).map_err(|_| useless())?;
    message.truncate(length);
    Ok(message)
}

fn opened<const N: usize>(keys: &StatelessTransportState, nonce: u64, message: &[u8]) -> Option<[u8; N]> {
    let mut plain = Zeroizing::new([0; ROOM]);
    let length = keys.read_message(nonce, message, &mut *plain).ok()?;
    plain[..length].try_into().ok()
}

/// The packet, if it is the one that was expected.
fn expected(packet: Bytes, kind: Kind, index: u32) -> Result<Packet, Failure> {
    let packet = Packet::decode(packet)?;
    if packet.header.kind == kind && packet.header.index == index {
        Ok(packet)
    } else {
        Err(malformed("that is no answer to what was asked"))
    }
}

/// A guest's address, if it has one.
fn address(text: &[u8]) -> Result<Option<Address>, Failure> {
    if text.is_empty() {
        return Ok(None);
    }
    let address = str::from_utf8(text).ok().filter(|text| text.len() <= MOST_ADDRESS);
    let address = address.and_then(|text| text.parse::<Address>().ok()).filter(|address| address.id().is_none());
    address.map(Some).ok_or_else(|| malformed("the address of who was invited is none"))
}

fn useless() -> Failure {
    Failure::new(500, "this node's key is of no use")
}

fn stranger() -> Failure {
    Failure::new(403, "that does not come from anybody who has the code of this invitation")
}

fn impostor() -> Failure {
    Failure::new(403, "whoever answers there has not made this code, or something on the way has changed the answer")
}
