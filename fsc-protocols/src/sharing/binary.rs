//! Binary sharing: a vector of bits is the XOR of all parties' shares, and any n − 1 of them are uniform.

use aes::Aes128;
use aes::cipher::{BlockCipherEncrypt, KeyInit};
use bytes::Bytes;
use fsc_core::party::{Party, Passage, Share};

use crate::algebra::bits::Bits;

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

/// The bits that a key expands to: AES-128 in counter mode under its first half, each vector from a new block on.
pub(crate) struct BitStream {
    cipher: Aes128,
    counter: u128,
}

impl BitStream {
    /// The stream of a key, which is used for nothing else.
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        let (key, _) = key.split_at(16);
        Self { cipher: Aes128::new_from_slice(key).expect("half of 32 bytes is a key"), counter: 0 }
    }

    /// The next bits.
    pub(crate) fn take(&mut self, len: usize) -> Bits {
        let counters = self.counter..self.counter + len.div_ceil(128) as u128;
        self.counter = counters.end;
        let mut blocks: Vec<aes::Block> = counters.map(|counter| counter.to_le_bytes().into()).collect();
        self.cipher.encrypt_blocks(&mut blocks);
        let words = blocks.iter().flat_map(|block| block.as_chunks::<8>().0).map(|word| u64::from_le_bytes(*word));
        Bits::from_words(words.take(len.div_ceil(64)).collect(), len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_does_not_repeat_and_depends_on_its_key() {
        let mut stream = BitStream::new(&[7; 32]);
        let (first, second) = (stream.take(1000), stream.take(1000));
        assert!(first != second);
        assert!(first == BitStream::new(&[7; 32]).take(1000));
        assert!(first != BitStream::new(&[8; 32]).take(1000));
        let ones = first.words().iter().map(|word| word.count_ones()).sum::<u32>();
        assert!((400..600).contains(&ones), "{ones} ones among 1000 bits");
    }
}
