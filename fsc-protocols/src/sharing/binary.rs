//! Binary sharing: a vector of bits is the XOR of all parties' shares, and any n − 1 of them are uniform.

use bytes::Bytes;
use fsc_core::party::{Party, Passage, Share};

use crate::algebra::bits::Bits;
use crate::sharing::keystream::Keystream;

/// One party's share of a vector of bits, on its way to be opened or dealt. It travels as bytes, eight bits each.
///
/// ```compile_fail
/// use fsc_protocols::{algebra::bits::Bits, sharing::binary::Binary};
/// println!("{:?}", Binary::new(&Bits::zeros(1)));
/// ```
pub struct Binary(Bytes);

impl Binary {
    /// The share that consists of these bits.
    pub fn new(bits: &Bits) -> Self {
        Self(bits.to_bytes())
    }
}

impl Share for Binary {
    type Element = u8;

    fn into_wire(self, _: &Passage) -> Bytes {
        self.0
    }

    fn of(elements: Vec<u8>, _: &Passage) -> Self {
        Self(elements.into())
    }

    fn read(wire: &[u8]) -> Vec<u8> {
        wire.to_vec()
    }

    fn add(sum: &mut [u8], wire: &[u8]) {
        for (sum, byte) in sum.iter_mut().zip(wire) {
            *sum ^= byte;
        }
    }
}

/// Shares of zeros, without a message: every two parties expand a key that only they have (the PRSS of Cramer, Damgård and
/// Ishai, TCC 2005, section 2, for pairs), and what it expands to cancels.
///
/// Added to a share before it is opened, they make it uniform but for the sum: what is opened is the value, and nothing of
/// how it came about.
pub struct Zeros {
    streams: Vec<BitStream>,
}

impl Zeros {
    /// A source of zeros that all parties set up at once.
    pub fn new(party: &mut Party) -> Self {
        Self { streams: party.others().map(|other| BitStream::new(&party.mask_key(other))).collect() }
    }

    /// Adds my share of zeros.
    pub fn blind(&mut self, bits: &mut Bits) {
        for stream in &mut self.streams {
            bits.xor_assign(&stream.take(bits.len()));
        }
    }
}

/// The bits that a key expands to, each vector from a new block on.
pub(crate) struct BitStream {
    stream: Keystream,
    used: u128,
}

impl BitStream {
    /// The stream of a key, which is used for nothing else.
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        Self { stream: Keystream::new(key), used: 0 }
    }

    /// The next bits.
    pub(crate) fn take(&mut self, len: usize) -> Bits {
        let mut blocks = vec![0; len.div_ceil(128)];
        self.stream.fill(self.used, &mut blocks);
        self.used += blocks.len() as u128;
        let words = blocks.into_iter().flat_map(|block| [block as u64, (block >> 64) as u64]);
        Bits::from_words(words.take(len.div_ceil(64)).collect(), len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_of_a_stream_do_not_overlap() {
        let mut stream = BitStream::new(&[7; 32]);
        let taken = [1000, 1, 128, 0, 300].map(|len| stream.take(len));
        let mut words: Vec<u64> = taken.iter().flat_map(Bits::words).copied().filter(|word| *word > 1).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), 16 + 2 + 5);
        assert!(taken[0] == BitStream::new(&[7; 32]).take(1000));
    }
}
