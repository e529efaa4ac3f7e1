//! What nodes send one another, byte by byte.
//!
//! A batch is a sequence of envelopes. All numbers are little-endian.
//!
//! ```text
//! offset  size  field
//!      0     1  version, 1
//!      1     1  kind: 1 hello, 2 mail, 3 stop, 4 beat
//!      2     2  from: place of the sending party
//!      4     2  to: place of the receiving party
//!      6     2  zero
//!      8     4  length L of the body
//!     12    16  topic: BLAKE3 of the network's uuid, truncated
//!     28     8  mark: which hello (hello, stop) or pair of hellos (mail, beat) this belongs to
//!     36        for mail only:
//!     36    16  run: BLAKE3 of all hellos, truncated
//!     52     8  channel: which sub-protocol
//!     60     4  sequence number in the channel, from 0
//!     then   L  body
//!     then  16  tag: keyed BLAKE3 under the pair's key (mail, stop, beat); zero for a hello
//! ```
//!
//! The bodies of hellos and stops are CBOR, specified in [`crate::joining`] and [`crate::session`]; the body of mail is the
//! protocol's, as a rule the little-endian bytes of fixed-width elements; that of a beat is a number of 8 bytes.

use bytes::{BufMut, Bytes, BytesMut};

use crate::transport::Batch;

const VERSION: u8 = 1;
const HEADER: usize = 36;
const MAIL_HEADER: usize = HEADER + 28;
const TAG: usize = 16;

/// Which rendezvous an envelope belongs to: the digest of the `network.uuid` that the parties agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Topic(pub [u8; 16]);

impl Topic {
    /// The topic of a `network.uuid`.
    pub fn of(uuid: &str) -> Self {
        Self(truncated(blake3::Hasher::new_derive_key("fsc v1 topic").update(uuid.as_bytes())))
    }
}

/// Eight bytes that tell a hello, or a pair of hellos, from others of the same topic and place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mark(pub [u8; 8]);

/// Which run: the digest of all hellos.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunId(pub [u8; 16]);

/// Which sub-protocol of a run: the digest of its path of forks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Channel(pub u64);

/// A message's authentication tag.
pub type Tag = [u8; TAG];

/// From whom, to whom, at which rendezvous.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// The rendezvous.
    pub topic: Topic,
    /// Place of the sending party.
    pub from: u16,
    /// Place of the receiving party.
    pub to: u16,
    /// The hello, or pair of hellos, that this belongs to.
    pub mark: Mark,
}

/// One message from party to party.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// From whom, to whom.
    pub route: Route,
    /// What it says.
    pub content: Content,
}

/// What an envelope says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// The sender wants to run something (see [`crate::joining`]).
    Hello(Bytes),
    /// A protocol's message.
    Mail(Mail),
    /// The sender has given up, and why.
    Stop {
        /// The reason, encoded.
        reason: Bytes,
        /// The tag; zero if the sender never had the receiver's hello.
        tag: Tag,
    },
    /// The sender has nothing to say yet, as it waits for others; but it does get on.
    Beat {
        /// How far it has come. Grows from beat to beat.
        progress: u64,
        /// The tag over route and progress.
        tag: Tag,
    },
}

/// A protocol's message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// The run.
    pub run: RunId,
    /// The sub-protocol.
    pub channel: Channel,
    /// Place in the channel's sequence, from 0.
    pub sequence: u32,
    /// The message.
    pub payload: Bytes,
    /// The tag over route, run, channel, sequence and payload.
    pub tag: Tag,
}

impl Envelope {
    /// Appends the encoding to a batch; the payload is shared, not copied.
    pub fn encode_into(&self, batch: &mut Batch) {
        let (kind, body, tag) = match &self.content {
            Content::Hello(body) => (1, body.clone(), &[0; TAG]),
            Content::Mail(mail) => (2, mail.payload.clone(), &mail.tag),
            Content::Stop { reason, tag } => (3, reason.clone(), tag),
            Content::Beat { progress, tag } => (4, Bytes::copy_from_slice(&progress.to_le_bytes()), tag),
        };
        let mut header = BytesMut::with_capacity(MAIL_HEADER);
        header.put_u8(VERSION);
        header.put_u8(kind);
        header.put_u16_le(self.route.from);
        header.put_u16_le(self.route.to);
        header.put_u16_le(0);
        header.put_u32_le(u32::try_from(body.len()).expect("a party splits messages of 4 GiB and more"));
        header.put_slice(&self.route.topic.0);
        header.put_slice(&self.route.mark.0);
        if let Content::Mail(mail) = &self.content {
            header.put_slice(&mail.run.0);
            header.put_u64_le(mail.channel.0);
            header.put_u32_le(mail.sequence);
        }
        batch.pieces.push(header.freeze());
        batch.pieces.push(body);
        batch.pieces.push(Bytes::copy_from_slice(tag));
    }

    /// Splits the first envelope off `batch`; its payload shares the batch's memory.
    pub fn decode(batch: &mut Bytes) -> Result<Self, Malformed> {
        let header: [u8; HEADER] = take(batch)?;
        if header[0] != VERSION {
            return Err(Malformed::Version(header[0]));
        }
        let [from, to, zero] = [2, 4, 6].map(|at| u16::from_le_bytes([header[at], header[at + 1]]));
        if zero != 0 {
            return Err(Malformed::Reserved);
        }
        let length = u32::from_le_bytes(slice(&header, 8)) as usize;
        let route = Route { topic: Topic(slice(&header, 12)), from, to, mark: Mark(slice(&header, 28)) };
        let content = match header[1] {
            1 => {
                let body = split(batch, length)?;
                if take(batch)? != Tag::default() {
                    return Err(Malformed::Reserved);
                }
                Content::Hello(body)
            }
            2 => {
                let more: [u8; MAIL_HEADER - HEADER] = take(batch)?;
                let payload = split(batch, length)?;
                Content::Mail(Mail {
                    run: RunId(slice(&more, 0)),
                    channel: Channel(u64::from_le_bytes(slice(&more, 16))),
                    sequence: u32::from_le_bytes(slice(&more, 24)),
                    payload,
                    tag: take(batch)?,
                })
            }
            3 => Content::Stop { reason: split(batch, length)?, tag: take(batch)? },
            4 if length == size_of::<u64>() => {
                Content::Beat { progress: u64::from_le_bytes(take(batch)?), tag: take(batch)? }
            }
            kind => return Err(Malformed::Kind(kind)),
        };
        Ok(Self { route, content })
    }

    /// All envelopes of a batch.
    pub fn decode_all(mut batch: Bytes) -> Result<Vec<Self>, Malformed> {
        let mut envelopes = Vec::new();
        while !batch.is_empty() {
            if envelopes.len() == MOST_IN_A_BATCH {
                return Err(Malformed::TooMany);
            }
            envelopes.push(Self::decode(&mut batch)?);
        }
        Ok(envelopes)
    }

    /// The same with memory of its own, so that keeping it does not keep the batch that it came in.
    #[must_use]
    pub fn detached(mut self) -> Self {
        match &mut self.content {
            Content::Hello(body) | Content::Stop { reason: body, .. } => *body = Bytes::copy_from_slice(body),
            Content::Mail(mail) => mail.payload = Bytes::copy_from_slice(&mail.payload),
            Content::Beat { .. } => {}
        }
        self
    }

    /// The number of bytes of the encoding.
    pub fn encoded_len(&self) -> usize {
        TAG + match &self.content {
            Content::Hello(body) | Content::Stop { reason: body, .. } => HEADER + body.len(),
            Content::Mail(mail) => MAIL_HEADER + mail.payload.len(),
            Content::Beat { progress, .. } => HEADER + size_of_val(progress),
        }
    }
}

/// The most envelopes that one batch may hold.
pub const MOST_IN_A_BATCH: usize = 4096;

/// The bytes are no batch of envelopes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// The batch ends inside an envelope.
    #[error("malformed mail: it ends inside an envelope")]
    Truncated,
    /// The sender speaks another version.
    #[error("mail of version {0}, this node speaks version 1")]
    Version(u8),
    /// No such kind of envelope.
    #[error("malformed mail: no envelope of kind {0}")]
    Kind(u8),
    /// A field that must be zero is not.
    #[error("malformed mail: a reserved field is set")]
    Reserved,
    /// More envelopes than a batch may hold.
    #[error("malformed mail: more than {MOST_IN_A_BATCH} envelopes in a batch")]
    TooMany,
}

/// The first `N` bytes of a digest.
pub(crate) fn truncated<const N: usize>(hasher: &blake3::Hasher) -> [u8; N] {
    let mut bytes = [0; N];
    hasher.finalize_xof().fill(&mut bytes);
    bytes
}

fn split(batch: &mut Bytes, length: usize) -> Result<Bytes, Malformed> {
    if batch.len() < length {
        return Err(Malformed::Truncated);
    }
    Ok(batch.split_to(length))
}

fn take<const N: usize>(batch: &mut Bytes) -> Result<[u8; N], Malformed> {
    let bytes = split(batch, N)?;
    bytes.as_ref().try_into().map_err(|_| Malformed::Truncated)
}

/// `N` bytes of a header whose length the type shows to be enough.
fn slice<const M: usize, const N: usize>(header: &[u8; M], at: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&header[at..at + N]);
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_envelope() -> impl Strategy<Value = Envelope> {
        let route = (any::<[u8; 16]>(), any::<u16>(), any::<u16>(), any::<[u8; 8]>())
            .prop_map(|(topic, from, to, mark)| Route { topic: Topic(topic), from, to, mark: Mark(mark) });
        let body = proptest::collection::vec(any::<u8>(), 0..200).prop_map(Bytes::from);
        let content = prop_oneof![
            body.clone().prop_map(Content::Hello),
            (body.clone(), any::<Tag>()).prop_map(|(reason, tag)| Content::Stop { reason, tag }),
            (any::<u64>(), any::<Tag>()).prop_map(|(progress, tag)| Content::Beat { progress, tag }),
            (any::<[u8; 16]>(), any::<u64>(), any::<u32>(), body, any::<Tag>()).prop_map(
                |(run, channel, sequence, payload, tag)| Content::Mail(Mail {
                    run: RunId(run),
                    channel: Channel(channel),
                    sequence,
                    payload,
                    tag
                })
            ),
        ];
        (route, content).prop_map(|(route, content)| Envelope { route, content })
    }

    fn bytes(envelopes: &[Envelope]) -> Vec<u8> {
        let mut batch = Batch::default();
        for envelope in envelopes {
            envelope.encode_into(&mut batch);
        }
        batch.pieces.concat()
    }

    proptest! {
        #[test]
        fn batches_come_back_as_they_were(envelopes in proptest::collection::vec(any_envelope(), 0..5)) {
            let encoded = bytes(&envelopes);
            prop_assert_eq!(encoded.len(), envelopes.iter().map(Envelope::encoded_len).sum::<usize>());
            prop_assert_eq!(Envelope::decode_all(encoded.into()).unwrap(), envelopes);
        }

        #[test]
        fn every_truncation_is_noticed(envelope in any_envelope(), cut in any::<prop::sample::Index>()) {
            let encoded = bytes(std::slice::from_ref(&envelope));
            let cut = 1 + cut.index(encoded.len() - 1);
            prop_assert_eq!(Envelope::decode_all(Bytes::from(encoded[..cut].to_vec())), Err(Malformed::Truncated));
        }

        #[test]
        fn any_bytes_end_in_envelopes_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Envelope::decode_all(bytes.into());
        }
    }

    #[test]
    fn a_hello_has_one_encoding() {
        let route = Route { topic: Topic([1; 16]), from: 1, to: 2, mark: Mark([2; 8]) };
        let mut encoded = bytes(&[Envelope { route, content: Content::Hello(Bytes::from_static(b"hi")) }]);
        *encoded.last_mut().unwrap() = 1;
        assert_eq!(Envelope::decode_all(encoded.into()), Err(Malformed::Reserved));
    }

    #[test]
    fn the_layout_is_the_documented_one() {
        let envelope = Envelope {
            route: Route { topic: Topic([0xaa; 16]), from: 1, to: 2, mark: Mark([0xbb; 8]) },
            content: Content::Mail(Mail {
                run: RunId([0xcc; 16]),
                channel: Channel(3),
                sequence: 4,
                payload: Bytes::from_static(b"hi"),
                tag: [0xdd; 16],
            }),
        };
        let mut expected = vec![1, 2, 1, 0, 2, 0, 0, 0, 2, 0, 0, 0];
        expected.extend([0xaa; 16]);
        expected.extend([0xbb; 8]);
        expected.extend([0xcc; 16]);
        expected.extend([3, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0]);
        expected.extend(b"hi");
        expected.extend([0xdd; 16]);
        assert_eq!(bytes(&[envelope]), expected);
    }
}
