//! Frames: what makes of a line of bytes, some of them wrong, a line of packets that are right or missing.
//!
//! ```text
//! 00 │ COBS( body ‖ CRC-32C, little-endian ) │ 00
//! ```
//!
//! COBS leaves no zero inside, so a zero always ends what came before it: whatever noise does to a frame, the next one is
//! whole. A frame has a zero at both ends, and what lies between two zeros beside each other is nothing. So noise between
//! frames costs nothing, and one wrong byte never costs two frames.
//!
//! The CRC is that of iSCSI (RFC 3720, appendix B.4), over the *binding*, which is not sent, and the body. The binding tells
//! what the frame belongs to; see [`super::hello`].

use crc::{CRC_32_ISCSI, Crc};

static CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

/// Bytes of the CRC at the end of a frame.
const CRC_LENGTH: usize = 4;

/// What a frame's CRC covers beside its body: nothing for a hello, the two epochs of a connection for all else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    bytes: [u8; 8],
    length: usize,
}

impl Binding {
    /// For what belongs to no connection.
    pub const NONE: Self = Self { bytes: [0; 8], length: 0 };

    /// For what the end with epoch `from` says to the end with epoch `to`.
    pub fn of(from: u32, to: u32) -> Self {
        let (from, to) = (from.to_le_bytes(), to.to_le_bytes());
        let bytes = [from[0], from[1], from[2], from[3], to[0], to[1], to[2], to[3]];
        Self { bytes, length: bytes.len() }
    }

    fn crc(&self, body: &[u8]) -> u32 {
        let mut digest = CRC.digest();
        digest.update(self.bytes.get(..self.length).unwrap_or_default());
        digest.update(body);
        digest.finalize()
    }
}

/// Appends the frame of `body`, which must not be empty, to `out`.
pub fn encode(binding: &Binding, body: &[u8], out: &mut Vec<u8>) {
    let mut whole = Vec::with_capacity(body.len() + CRC_LENGTH);
    whole.extend_from_slice(body);
    whole.extend_from_slice(&binding.crc(body).to_le_bytes());
    out.push(0);
    out.extend_from_slice(&cobs::encode_vec(&whole));
    out.push(0);
}

/// The bytes on the line for a body of `length` bytes, at most.
pub const fn length_on_line(length: usize) -> usize {
    cobs::max_encoding_length(length + CRC_LENGTH) + 2
}

/// The longest body whose frame takes no more than `mtu` bytes before it is stuffed.
pub const fn longest_body(mtu: usize) -> usize {
    mtu.saturating_sub(CRC_LENGTH)
}

/// What came between two zeros, not yet checked.
#[derive(Debug)]
pub struct Sealed {
    /// Body and CRC.
    bytes: Vec<u8>,
}

impl Sealed {
    /// The body's first byte.
    pub fn kind(&self) -> u8 {
        self.bytes.first().copied().unwrap_or_default()
    }

    /// The body, if the CRC agrees.
    pub fn open(&self, binding: &Binding) -> Option<&[u8]> {
        let (body, crc) = self.bytes.split_last_chunk::<CRC_LENGTH>()?;
        (!body.is_empty() && binding.crc(body) == u32::from_le_bytes(*crc)).then_some(body)
    }
}

/// Finds frames in bytes that come in any pieces. Keeps no more than one frame, whatever comes.
#[derive(Debug)]
pub struct Decoder {
    /// Stuffed bytes since the last zero.
    gathered: Vec<u8>,
    /// More than this between two zeros is no frame.
    longest: usize,
    /// The frame has grown too long: what is left of it is dropped.
    overlong: bool,
    garbage: u64,
}

impl Decoder {
    /// A decoder for frames of at most `mtu` bytes, which are counted before they are stuffed.
    pub fn new(mtu: usize) -> Self {
        let longest = cobs::max_encoding_length(mtu);
        Self { gathered: Vec::new(), longest, overlong: false, garbage: 0 }
    }

    /// The next frame in `bytes`, which are taken up to its end. Nothing when all of them are taken.
    pub fn next(&mut self, bytes: &mut &[u8]) -> Option<Sealed> {
        while !bytes.is_empty() {
            let Some(end) = bytes.iter().position(|byte| *byte == 0) else {
                self.gather(bytes);
                *bytes = &[];
                return None;
            };
            let (head, tail) = bytes.split_at(end);
            self.gather(head);
            *bytes = tail.get(1..).unwrap_or_default();
            if let Some(frame) = self.finish() {
                return Some(frame);
            }
        }
        None
    }

    /// What came and was no frame, in pieces between zeros. Frames with a wrong CRC are counted by who opens them.
    pub fn garbage(&self) -> u64 {
        self.garbage
    }

    /// Forgets a frame that has begun, since the line was torn.
    pub fn reset(&mut self) {
        self.gathered.clear();
        self.overlong = false;
    }

    fn gather(&mut self, bytes: &[u8]) {
        if self.overlong {
            return;
        }
        if self.gathered.len() + bytes.len() > self.longest {
            self.overlong = true;
            self.gathered.clear();
        } else {
            self.gathered.extend_from_slice(bytes);
        }
    }

    fn finish(&mut self) -> Option<Sealed> {
        let mut bytes = std::mem::take(&mut self.gathered);
        if bytes.is_empty() && !self.overlong {
            return None;
        }
        let whole = !std::mem::take(&mut self.overlong);
        match cobs::decode_in_place(&mut bytes) {
            Ok(length) if whole && length > CRC_LENGTH => {
                bytes.truncate(length);
                Some(Sealed { bytes })
            }
            _ => {
                self.garbage += 1;
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{ProptestConfig, any, prop, prop_assert_eq, proptest};
    use proptest::test_runner::RngSeed;

    use super::*;

    const MTU: usize = 512;

    fn frame(binding: &Binding, body: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        encode(binding, body, &mut out);
        out
    }

    fn bodies(decoder: &mut Decoder, mut bytes: &[u8]) -> Vec<Vec<u8>> {
        let frames = std::iter::from_fn(|| decoder.next(&mut bytes));
        frames.filter_map(|frame| frame.open(&Binding::NONE).map(<[u8]>::to_vec)).collect()
    }

    /// The vectors of the documentation (`serial.rs`). The CRC's own check value is that of its catalogue.
    #[test]
    fn vectors_are_as_documented() {
        assert_eq!(Binding::NONE.crc(b"123456789"), 0xe306_9283);
        assert_eq!(frame(&Binding::NONE, &[0x11]), [0x00, 0x06, 0x11, 0x3d, 0x17, 0x48, 0xb0, 0x00]);
        let bound = Binding::of(0x0403_0201, 0x0807_0605);
        assert_eq!(bound.crc(&[]), Binding::NONE.crc(&[1, 2, 3, 4, 5, 6, 7, 8]));
        assert_eq!(frame(&bound, &[0x11, 0x00, 0x22]), [0x00, 0x02, 0x11, 0x06, 0x22, 0x14, 0x4c, 0x9f, 0x78, 0x00]);
    }

    #[test]
    fn noise_between_frames_costs_nothing() {
        let (a, b) = (frame(&Binding::NONE, b"a frame"), frame(&Binding::NONE, b"another"));
        for noise in [&b""[..], b"\x00", b"\xff", b"\x01\x00\x09", &[7; 3000]] {
            let line = [noise, &a, noise, &b, noise].concat();
            assert_eq!(bodies(&mut Decoder::new(MTU), &line), [b"a frame", b"another"], "{noise:?}");
        }
    }

    #[test]
    fn one_wrong_byte_costs_one_frame_at_most() {
        let sent: Vec<Vec<u8>> = (0..5_u8).map(|number| vec![number; 300]).collect();
        let line: Vec<u8> = sent.iter().flat_map(|body| frame(&Binding::NONE, body)).collect();
        for position in 0..line.len() {
            for wrong in [line[position] ^ 0x10, 0, 0xff] {
                let mut noisy = line.clone();
                noisy[position] = wrong;
                let got = bodies(&mut Decoder::new(MTU), &noisy);
                assert!(got.len() >= sent.len() - 1, "byte {position} as {wrong}: {} frames", got.len());
                assert!(got.iter().all(|body| sent.contains(body)));
            }
        }
    }

    #[test]
    fn endless_bytes_take_no_memory() {
        let mut decoder = Decoder::new(MTU);
        for _ in 0..1000 {
            assert_eq!(bodies(&mut decoder, &[7; 1000]).len(), 0);
            assert!(decoder.gathered.capacity() <= 4 * MTU);
        }
        let line = [&[0][..], &frame(&Binding::NONE, b"then")].concat();
        assert_eq!(bodies(&mut decoder, &line), [b"then"]);
        assert_eq!(decoder.garbage(), 1);
    }

    #[test]
    fn frames_of_another_connection_fail() {
        let line = frame(&Binding::of(1, 2), b"old");
        let sealed = Decoder::new(MTU).next(&mut &line[..]).unwrap();
        assert_eq!(sealed.open(&Binding::of(1, 2)), Some(&b"old"[..]));
        for other in [Binding::of(2, 1), Binding::of(1, 3), Binding::NONE] {
            assert_eq!(sealed.open(&other), None);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(1), ..ProptestConfig::with_cases(200) })]

        #[test]
        fn what_was_encoded_comes_out_whatever_the_pieces(
            sent in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..=longest_body(MTU)), 0..8),
            cuts in prop::collection::vec(1..600_usize, 1..9),
        ) {
            let line: Vec<u8> = sent.iter().flat_map(|body| frame(&Binding::NONE, body)).collect();
            let (mut decoder, mut got, mut left) = (Decoder::new(MTU), Vec::new(), &line[..]);
            for cut in cuts.iter().cycle() {
                let (piece, rest) = left.split_at(left.len().min(*cut));
                got.extend(bodies(&mut decoder, piece));
                left = rest;
                if left.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(got, sent);
            prop_assert_eq!(decoder.garbage(), 0);
        }

        #[test]
        fn after_noise_the_next_frame_is_right(
            sent in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..100), 1..12),
            (from, length) in (any::<prop::sample::Index>(), 0..300_usize),
            noise in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            let (mut line, mut ends) = (Vec::new(), vec![0]);
            for body in &sent {
                encode(&Binding::NONE, body, &mut line);
                ends.push(line.len());
            }
            let from = from.index(line.len());
            let to = (from + length).min(line.len());
            line.splice(from..to, noise);
            let whole = |place: &usize| ends[place + 1] <= from || ends[*place] >= to;
            let expected: Vec<_> = (0..sent.len()).filter(whole).map(|place| sent[place].clone()).collect();
            let mut got = bodies(&mut Decoder::new(MTU), &line);
            // One that was hit may have been hit where its delimiters stand, and be right all the same.
            got.retain(|body| expected.contains(body));
            got.dedup();
            let mut distinct = expected;
            distinct.dedup();
            prop_assert_eq!(got, distinct);
        }

        #[test]
        fn frames_are_as_long_as_stated(body in prop::collection::vec(any::<u8>(), 1..1200)) {
            let length = frame(&Binding::NONE, &body).len();
            assert!(length <= length_on_line(body.len()));
        }
    }
}
