//! Records: what the payload of data packets consists of, back to back. A record does not go past the end of its packet.

const BEGIN: u8 = 0x10;
const MORE_QUESTION: u8 = 0x21;
const MORE_REPLY: u8 = 0x22;
const GRANT_QUESTION: u8 = 0x31;
const GRANT_REPLY: u8 = 0x32;
const WITHDRAW: u8 = 0x40;

/// Room that is enough for any record with a byte of a message: a tag, three integers, the byte.
pub(super) const ENOUGH: usize = 1 + 3 * 5 + 1;

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// A client's request, as CBOR.
    Request = 1,
    /// Mail: a batch of envelopes.
    Mail = 2,
    /// The answer to a request, as CBOR.
    Answer = 3,
    /// The receipt for mail: the life of the node that took it.
    Life = 4,
    /// Why there is no answer, as CBOR.
    Failure = 5,
}

impl Kind {
    /// Whether it begins an exchange, and does not end it.
    pub fn is_question(self) -> bool {
        matches!(self, Self::Request | Self::Mail)
    }

    fn of(number: u8) -> Option<Self> {
        [Self::Request, Self::Mail, Self::Answer, Self::Life, Self::Failure]
            .into_iter()
            .find(|kind| *kind as u8 == number)
    }
}

/// One direction of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Side {
    /// The question with this id.
    Question(u32),
    /// The reply to the question with this id.
    Reply(u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Record<'a> {
    /// A message begins: the question with a new id, or the reply to one.
    Begin { kind: Kind, id: u32, total: u32, bytes: &'a [u8] },
    /// A message goes on.
    More { side: Side, bytes: &'a [u8] },
    /// The receiver of a message takes it up to this length.
    Grant { side: Side, up_to: u32 },
    /// Whoever asked does not want the reply any more.
    Withdraw { id: u32 },
}

impl Record<'_> {
    /// What the record takes beside its bytes, of which there are less than 2^14.
    pub(super) fn overhead(&self) -> usize {
        match *self {
            Record::Begin { id, total, .. } => 1 + length(id) + length(total) + 2,
            Record::More { side: Side::Question(id) | Side::Reply(id), .. } => 1 + length(id) + 2,
            Record::Grant { .. } | Record::Withdraw { .. } => ENOUGH,
        }
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match *self {
            Record::Begin { kind, id, total, bytes } => {
                out.push(BEGIN | kind as u8);
                integers(&[id, total, bytes.len() as u32], out);
                out.extend_from_slice(bytes);
            }
            Record::More { side, bytes } => {
                let (tag, id) = tagged(side, MORE_QUESTION, MORE_REPLY);
                out.push(tag);
                integers(&[id, bytes.len() as u32], out);
                out.extend_from_slice(bytes);
            }
            Record::Grant { side, up_to } => {
                let (tag, id) = tagged(side, GRANT_QUESTION, GRANT_REPLY);
                out.push(tag);
                integers(&[id, up_to], out);
            }
            Record::Withdraw { id } => {
                out.push(WITHDRAW);
                integers(&[id], out);
            }
        }
    }
}

impl<'a> Record<'a> {
    /// Takes a record off the front of `payload`; nothing if there is none.
    pub(super) fn read(payload: &mut &'a [u8]) -> Option<Self> {
        let (tag, rest) = payload.split_first()?;
        *payload = rest;
        let id = integer(payload)?;
        Some(match *tag {
            MORE_QUESTION => Self::More { side: Side::Question(id), bytes: bytes(payload)? },
            MORE_REPLY => Self::More { side: Side::Reply(id), bytes: bytes(payload)? },
            GRANT_QUESTION => Self::Grant { side: Side::Question(id), up_to: integer(payload)? },
            GRANT_REPLY => Self::Grant { side: Side::Reply(id), up_to: integer(payload)? },
            WITHDRAW => Self::Withdraw { id },
            tag if tag & 0xf0 == BEGIN => {
                let kind = Kind::of(tag & 0x0f)?;
                Self::Begin { kind, id, total: integer(payload)?, bytes: bytes(payload)? }
            }
            _ => return None,
        })
    }
}

fn tagged(side: Side, question: u8, reply: u8) -> (u8, u32) {
    match side {
        Side::Question(id) => (question, id),
        Side::Reply(id) => (reply, id),
    }
}

/// Appends integers as LEB128: seven bits a byte, the lowest first, the top bit set in all bytes but the last.
fn integers(numbers: &[u32], out: &mut Vec<u8>) {
    for number in numbers {
        let mut left = *number;
        while left >= 0x80 {
            out.push(left as u8 | 0x80);
            left >>= 7;
        }
        out.push(left as u8);
    }
}

/// The bytes of an integer.
fn length(number: u32) -> usize {
    (32 - number.leading_zeros()).div_ceil(7).max(1) as usize
}

fn integer(payload: &mut &[u8]) -> Option<u32> {
    let mut number = 0_u64;
    for shift in (0..35).step_by(7) {
        let (byte, rest) = payload.split_first()?;
        *payload = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return u32::try_from(number).ok();
        }
    }
    None
}

fn bytes<'a>(payload: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(integer(payload)?).ok()?;
    let (bytes, rest) = payload.split_at_checked(length)?;
    *payload = rest;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, prop_assert, proptest};

    use super::*;

    /// The vectors of the documentation (`serial.rs`).
    #[test]
    fn records_are_as_documented() {
        let vectors: [(Record<'_>, &[u8]); 6] = [
            (Record::Begin { kind: Kind::Mail, id: 3, total: 300, bytes: b"ab" }, &[0x12, 3, 0xac, 2, 2, b'a', b'b']),
            (Record::More { side: Side::Question(3), bytes: b"c" }, &[0x21, 3, 1, b'c']),
            (Record::More { side: Side::Reply(200), bytes: b"" }, &[0x22, 0xc8, 1, 0]),
            (Record::Grant { side: Side::Question(3), up_to: 300 }, &[0x31, 3, 0xac, 2]),
            (Record::Grant { side: Side::Reply(3), up_to: u32::MAX }, &[0x32, 3, 0xff, 0xff, 0xff, 0xff, 0x0f]),
            (Record::Withdraw { id: 3 }, &[0x40, 3]),
        ];
        for (record, written) in vectors {
            let mut out = Vec::new();
            record.write(&mut out);
            assert_eq!(out, written);
            let mut left = &out[..];
            assert_eq!(Record::read(&mut left), Some(record));
            assert!(left.is_empty());
            assert!((0..written.len()).all(|cut| Record::read(&mut &written[..cut]).is_none()));
        }
        for bad in [&[0x10, 1, 1, 0][..], &[0x16, 1, 1, 0], &[0x50, 1], &[0x40, 0xff, 0xff, 0xff, 0xff, 0x1f]] {
            assert_eq!(Record::read(&mut &bad[..]), None);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_records_or_none(payload in prop::collection::vec(any::<u8>(), 0..80)) {
            let mut left = &payload[..];
            while let Some(record) = Record::read(&mut left) {
                let mut out = Vec::new();
                record.write(&mut out);
                prop_assert!(Record::read(&mut &out[..]) == Some(record));
            }
        }
    }
}
