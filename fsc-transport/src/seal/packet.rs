//! Packets: what travels between nodes that seal their mail. The layout is specified in [the module](super).

use bytes::{BufMut, Bytes, BytesMut};
use fsc_core::bus::Failure;
use fsc_core::identity::NodeId;

/// The first byte of a packet; envelopes that are not sealed begin with 1.
pub(super) const VERSION: u8 = 2;

/// The bytes before what is encrypted.
pub(super) const HEADER: usize = 12;

/// Bytes that a tag adds.
pub(super) const TAG: usize = 16;

/// The most that one chunk holds: a Noise message has at most 65,535 bytes.
pub(super) const CHUNK: usize = 65_535 - TAG;

/// Numbers of packets in one session stay below it, so that they fit into six bytes and into nonces.
pub(super) const NUMBERS: u64 = 1 << 46;

/// The most chunks of a packet: 4 GiB, which no transport takes in one piece.
const CHUNKS: usize = 1 << 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The first message of a handshake.
    First = 1,
    /// The second one.
    Second = 2,
    /// Sealed mail.
    Sealed = 3,
    /// Who was invited says by which invitation.
    Join = 4,
    /// The node that has invited says who it is.
    Host = 5,
    /// Who was invited says who it is.
    Guest = 6,
    /// What the node that has invited was bound to.
    Opened = 7,
    /// What the person at the invited node says.
    Agrees = 8,
    /// What became of the invitation.
    Verdict = 9,
    /// A question that is answered in one message.
    Hail = 10,
    /// The answer to it.
    Hailed = 11,
}

impl Kind {
    const ALL: [Self; 11] = [
        Self::First,
        Self::Second,
        Self::Sealed,
        Self::Join,
        Self::Host,
        Self::Guest,
        Self::Opened,
        Self::Agrees,
        Self::Verdict,
        Self::Hail,
        Self::Hailed,
    ];

    fn read(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == byte)
    }

    /// Whether there may be more than one such packet in a session, each with a number of its own.
    const fn is_numbered(self) -> bool {
        matches!(self, Self::Sealed | Self::Agrees | Self::Verdict)
    }
}

/// What stands before a packet's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: Kind,
    /// Which session, as its receiver numbers them; in a first message, as its sender does.
    pub(super) index: u32,
    pub(super) number: u64,
}

impl Header {
    pub(super) fn encode(self) -> [u8; HEADER] {
        let mut header = [VERSION, self.kind as u8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        header[2..6].copy_from_slice(&self.index.to_le_bytes());
        header[6..].copy_from_slice(&self.number.to_le_bytes()[..6]);
        header
    }
}

/// A packet, taken apart.
#[derive(Clone, Debug)]
pub(super) struct Packet {
    pub(super) header: Header,
    pub(super) body: Bytes,
}

impl Packet {
    /// Whether these bytes look like a packet of one of these kinds.
    pub(super) fn is_of(bytes: &[u8], kinds: &[Kind]) -> bool {
        matches!(bytes, [VERSION, kind, ..] if Kind::read(*kind).is_some_and(|kind| kinds.contains(&kind)))
    }

    /// Reads a packet.
    pub(super) fn decode(mut bytes: Bytes) -> Result<Self, Failure> {
        let [version, kind] = take(&mut bytes)?;
        if version != VERSION {
            let why = format!("sealed mail of version {version}, this node speaks {VERSION}: update the older one");
            return Err(Failure::new(400, why));
        }
        let kind =
            Kind::read(kind).ok_or_else(|| malformed("no such kind; one of the two nodes may need an update"))?;
        let index = u32::from_le_bytes(take(&mut bytes)?);
        let mut number = [0; 8];
        number[..6].copy_from_slice(&take::<6>(&mut bytes)?);
        let number = u64::from_le_bytes(number);
        if number >= NUMBERS || (!kind.is_numbered() && number != 0) {
            return Err(malformed("its number is out of range"));
        }
        Ok(Self { header: Header { kind, index, number }, body: bytes })
    }

    /// The bytes of a packet.
    pub(super) fn encode(header: Header, body: &[&[u8]]) -> Bytes {
        let mut bytes = BytesMut::with_capacity(HEADER + body.iter().map(|part| part.len()).sum::<usize>());
        bytes.put_slice(&header.encode());
        for part in body {
            bytes.put_slice(part);
        }
        bytes.freeze()
    }
}

/// The body of a first message: to whom, and Noise's part, which begins with a key that was made for it.
pub(super) fn first(mut body: Bytes) -> Result<(NodeId, Bytes), Failure> {
    Ok((NodeId::from_bytes(take(&mut body)?), body))
}

/// The nonce of a chunk. The last chunk of a packet has one of its own kind, so that cutting the packet between chunks, or
/// adding some, is noticed (STREAM; Hoang, Reyhanitabar, Rogaway, Vizár 2015, section 7).
pub(super) fn nonce(number: u64, chunk: usize, is_last: bool) -> u64 {
    debug_assert!(number < NUMBERS && chunk < CHUNKS);
    (u64::from(is_last) << 62) | (number << 16) | chunk as u64
}

/// How many chunks `bytes` take.
pub(super) fn chunks(bytes: usize) -> Result<usize, Failure> {
    let chunks = bytes.div_ceil(CHUNK).max(1);
    if chunks > CHUNKS { Err(Failure::new(413, "mail of 4 GiB and more can't be sealed")) } else { Ok(chunks) }
}

/// The next bytes of a packet or parcel.
pub(super) fn take<const N: usize>(rest: &mut Bytes) -> Result<[u8; N], Failure> {
    let taken = rest.first_chunk().copied().ok_or_else(|| malformed("it ends too early"))?;
    let _ = rest.split_to(N);
    Ok(taken)
}

pub(super) fn malformed(what: &str) -> Failure {
    Failure::new(400, format!("malformed sealed mail: {what}"))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_header_is_the_documented_one() {
        let header = Header { kind: Kind::Sealed, index: 0x0403_0201, number: 0x0a09_0807_0605 };
        let bytes = Packet::encode(header, &[b"ab", b"c"]);
        assert_eq!(bytes[..], [2, 3, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, b'a', b'b', b'c']);
        let packet = Packet::decode(bytes).unwrap();
        assert_eq!((packet.header, &packet.body[..]), (header, &b"abc"[..]));
    }

    #[test]
    fn what_is_no_packet_is_refused() {
        let header = Header { kind: Kind::Second, index: 1, number: 0 };
        let good = Packet::encode(header, &[]);
        for (at, byte) in [(0, 1), (0, 3), (1, 0), (1, 12), (6, 1)] {
            let mut bad = good.to_vec();
            bad[at] = byte;
            assert_eq!(Packet::decode(bad.into()).unwrap_err().code, 400, "{at}: {byte}");
        }
        assert!(Packet::decode(good.slice(..HEADER - 1)).is_err());
    }

    #[test]
    fn nonces_differ() {
        let all = [0, 1, NUMBERS - 1].into_iter().flat_map(|number| {
            let chunks = [0, 1, CHUNKS - 1].into_iter();
            chunks.flat_map(move |chunk| [false, true].map(|is_last| nonce(number, chunk, is_last)))
        });
        let all: Vec<u64> = all.collect();
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
        assert!(!all.contains(&u64::MAX));
    }
}
