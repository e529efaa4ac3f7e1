//! Parcels: what sealed mail holds. The layout is specified in [the module](super).

use bytes::{BufMut, Bytes, BytesMut};
use fsc_core::bus::Failure;
use fsc_core::identity::NodeId;
use fsc_core::transport::{Batch, Life};

use super::packet::{HEADER, Header, Packet, malformed, take};

/// The longest text of a failure that is passed on.
const MOST_TEXT: usize = 1024;

/// In place of the code of an outcome that is not known yet.
const UNDER_WAY: u16 = 1;

/// What one node says to another, under seal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Parcel {
    /// Envelopes for the receiver; none asks whether it is there.
    Mail(Bytes),
    /// A packet for somebody else, to be forwarded.
    Forward { to: NodeId, packet: Bytes },
    /// A packet from somebody else, forwarded.
    Forwarded { from: NodeId, packet: Bytes },
    /// What became of a packet that the receiver had forwarded; nothing yet, if it is still on its way.
    Outcome { to: NodeId, of: Mark, outcome: Option<Result<Life, Failure>> },
    /// A node that mail was forwarded to can't be reached any more.
    Lost { id: NodeId, why: String },
    /// The sender wants the mail that waits for it here.
    Collect(Collect),
}

/// What a node says that collects its mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Collect {
    /// Which life of it.
    pub(super) life: Life,
    /// It has got everything before this number.
    pub(super) from: u64,
    /// What became of what it has got since it last said so.
    pub(super) outcomes: Vec<(u64, Result<(), Failure>)>,
}

/// Which packet: its session, as its receiver numbers them, and its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Mark {
    index: u32,
    number: u64,
}

impl From<Header> for Mark {
    fn from(header: Header) -> Self {
        Self { index: header.index, number: header.number }
    }
}

impl Mark {
    fn put(self, bytes: &mut BytesMut) {
        bytes.put_u32_le(self.index);
        bytes.put_u64_le(self.number);
    }
}

impl Parcel {
    /// The bytes, as they are sealed.
    pub(super) fn encode(&self) -> Batch {
        let mut head = BytesMut::new();
        let body = match self {
            Self::Mail(envelopes) => return mail(Batch { pieces: vec![envelopes.clone()] }),
            Self::Forward { to, packet } => return forward(*to, Batch { pieces: vec![packet.clone()] }),
            Self::Forwarded { from, packet } => {
                head.put_u8(3);
                head.put_slice(from.as_bytes());
                packet.clone()
            }
            Self::Outcome { to, of, outcome } => {
                head.put_u8(4);
                head.put_slice(to.as_bytes());
                of.put(&mut head);
                match outcome {
                    None => head.put_u16_le(UNDER_WAY),
                    Some(Ok(life)) => {
                        head.put_u16_le(0);
                        head.put_slice(&life.0);
                    }
                    Some(Err(failure)) => put_failure(&mut head, failure),
                }
                Bytes::new()
            }
            Self::Lost { id, why } => {
                head.put_u8(5);
                head.put_slice(id.as_bytes());
                head.put_slice(short(why));
                Bytes::new()
            }
            Self::Collect(Collect { life, from, outcomes }) => {
                head.put_u8(6);
                head.put_slice(&life.0);
                head.put_u64_le(*from);
                for (number, outcome) in outcomes {
                    head.put_u64_le(*number);
                    match outcome {
                        Ok(()) => head.put_u16_le(0),
                        Err(failure) => put_failure(&mut head, failure),
                    }
                }
                Bytes::new()
            }
        };
        Batch { pieces: vec![head.freeze(), body] }
    }

    /// Reads what was sealed.
    pub(super) fn decode(bytes: Bytes) -> Result<Self, Failure> {
        let mut rest = bytes;
        let id = |rest: &mut Bytes| take(rest).map(NodeId::from_bytes);
        let number = |rest: &mut Bytes| take(rest).map(u64::from_le_bytes);
        let mark = |rest: &mut Bytes| -> Result<Mark, Failure> {
            Ok(Mark { index: u32::from_le_bytes(take(rest)?), number: u64::from_le_bytes(take(rest)?) })
        };
        let [kind] = take(&mut rest)?;
        let parcel = match kind {
            1 => Self::Mail(std::mem::take(&mut rest)),
            2 => Self::Forward { to: id(&mut rest)?, packet: std::mem::take(&mut rest) },
            3 => Self::Forwarded { from: id(&mut rest)?, packet: std::mem::take(&mut rest) },
            4 => {
                let (to, of) = (id(&mut rest)?, mark(&mut rest)?);
                let outcome = if rest[..] == UNDER_WAY.to_le_bytes() {
                    rest.clear();
                    None
                } else {
                    Some(match take_failure(&mut rest)? {
                        None => Ok(Life(take(&mut rest)?)),
                        Some(failure) => Err(failure),
                    })
                };
                Self::Outcome { to, of, outcome }
            }
            5 => Self::Lost { id: id(&mut rest)?, why: text(&std::mem::take(&mut rest)) },
            6 => {
                let (life, from) = (Life(take(&mut rest)?), number(&mut rest)?);
                let mut outcomes = Vec::new();
                while !rest.is_empty() {
                    let number = number(&mut rest)?;
                    outcomes.push((number, take_failure(&mut rest)?.map_or(Ok(()), Err)));
                }
                Self::Collect(Collect { life, from, outcomes })
            }
            _ => return Err(malformed("no such parcel")),
        };
        if rest.is_empty() { Ok(parcel) } else { Err(malformed("a parcel goes on after its end")) }
    }
}

/// Envelopes, without copying them.
pub(super) fn mail(envelopes: Batch) -> Batch {
    let mut pieces = vec![Bytes::from_static(&[1])];
    pieces.extend(envelopes.pieces);
    Batch { pieces }
}

/// A packet for somebody else, without copying it.
pub(super) fn forward(to: NodeId, packet: Batch) -> Batch {
    let mut head = BytesMut::with_capacity(33);
    head.put_u8(2);
    head.put_slice(to.as_bytes());
    let mut pieces = vec![head.freeze()];
    pieces.extend(packet.pieces);
    Batch { pieces }
}

/// Which packet it is, as its header shows it to a forwarder.
pub(super) fn mark_of(packet: &Bytes) -> Option<Mark> {
    Some(Packet::decode(packet.slice(..packet.len().min(HEADER))).ok()?.header.into())
}

pub(super) fn put_failure(bytes: &mut BytesMut, failure: &Failure) {
    let text = short(&failure.message);
    bytes.put_u16_le(failure.code.max(UNDER_WAY + 1));
    bytes.put_u16_le(text.len() as u16);
    bytes.put_slice(text);
}

/// The failure that stands next, unless it is a zero for success.
pub(super) fn take_failure(rest: &mut Bytes) -> Result<Option<Failure>, Failure> {
    let code = u16::from_le_bytes(take(rest)?);
    if code == 0 {
        return Ok(None);
    }
    let length = usize::from(u16::from_le_bytes(take(rest)?));
    if rest.len() < length {
        return Err(malformed("a parcel ends too early"));
    }
    // A code that no transport has: whatever it was, it is the peer's mistake.
    let code = if (400..600).contains(&code) { code } else { 502 };
    Ok(Some(Failure::new(code, text(&rest.split_to(length)))))
}

/// The beginning of a text, cut where a character ends.
fn short(text: &str) -> &[u8] {
    &text.as_bytes()[..text.floor_char_boundary(MOST_TEXT)]
}

/// A peer's text, as it may stand in an error.
pub(super) fn text(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(MOST_TEXT)]);
    text.chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_parcel() -> impl Strategy<Value = Parcel> {
        let id = || any::<[u8; 32]>().prop_map(NodeId::from_bytes);
        let bytes = || proptest::collection::vec(any::<u8>(), 0..100).prop_map(Bytes::from);
        let mark = || (any::<u32>(), any::<u64>()).prop_map(|(index, number)| Mark { index, number });
        let failure = || (400u16..600, "[a-zäß ]{0,40}").prop_map(|(code, why)| Failure::new(code, why));
        let done = prop_oneof![Just(Ok(())), failure().prop_map(Err)];
        let outcome = prop_oneof![any::<[u8; 16]>().prop_map(|life| Ok(Life(life))), failure().prop_map(Err)];
        prop_oneof![
            bytes().prop_map(Parcel::Mail),
            (id(), bytes()).prop_map(|(to, packet)| Parcel::Forward { to, packet }),
            (id(), bytes()).prop_map(|(from, packet)| Parcel::Forwarded { from, packet }),
            (id(), mark(), proptest::option::of(outcome)).prop_map(|(to, of, outcome)| Parcel::Outcome {
                to,
                of,
                outcome
            }),
            (id(), "[a-zäß ]{0,40}").prop_map(|(id, why)| Parcel::Lost { id, why }),
            (any::<[u8; 16]>(), any::<u64>(), proptest::collection::vec((any::<u64>(), done), 0..4))
                .prop_map(|(life, from, outcomes)| Parcel::Collect(Collect { life: Life(life), from, outcomes })),
        ]
    }

    proptest! {
        #[test]
        fn parcels_come_back_as_they_were(parcel in any_parcel()) {
            prop_assert_eq!(Parcel::decode(parcel.encode().pieces.concat().into()).unwrap(), parcel);
        }

        #[test]
        fn any_bytes_are_a_parcel_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Parcel::decode(bytes.into());
        }
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let failure = Failure::new(503, "ä".repeat(MOST_TEXT));
        let (to, of) = (NodeId::from_bytes([1; 32]), Mark { index: 1, number: 2 });
        let parcel = Parcel::Outcome { to, of, outcome: Some(Err(failure)) };
        let Ok(Parcel::Outcome { outcome: Some(Err(cut)), .. }) =
            Parcel::decode(parcel.encode().pieces.concat().into())
        else {
            panic!("no outcome")
        };
        assert_eq!(cut.message, "ä".repeat(MOST_TEXT / 2));
    }
}
