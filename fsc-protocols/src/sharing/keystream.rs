//! Streams of pseudorandom blocks: AES-128 in counter mode.
//!
//! Blocks of a permutation do not repeat: for m blocks under one key the distance from uniform is at most m²/2^129, which is
//! 2^-65 for 2^32 blocks.

use aes::Aes128Enc;
use aes::cipher::{BlockCipherEncrypt, KeyInit};

/// Blocks per step: they stay in the first-level cache between being counted and being encrypted.
const STEP: usize = 256;

/// The blocks that a key expands to. They are found by number, and nothing keeps count of those that were used: that is the
/// owner's task.
#[derive(Clone)]
pub struct Keystream(Aes128Enc);

impl Keystream {
    /// The stream under the first half of a key, which is used for nothing else.
    pub fn new(key: &[u8; 32]) -> Self {
        let (key, _) = key.split_first_chunk::<16>().expect("16 of 32 bytes");
        Self(Aes128Enc::new(key.into()))
    }

    /// The blocks from number `first` on, as many as there is room for.
    pub fn fill(&self, first: u128, blocks: &mut [u128]) {
        for (step, blocks) in (0..).step_by(STEP).zip(blocks.chunks_mut(STEP)) {
            for (block, index) in blocks.iter_mut().zip(step..) {
                *block = first.wrapping_add(index);
            }
            encrypt(&self.0, blocks);
        }
    }
}

/// Encrypts blocks, which are little-endian numbers, in place: all in one call, so that many are under way at a time.
pub(crate) fn encrypt(cipher: &Aes128Enc, blocks: &mut [u128]) {
    blocks.iter_mut().for_each(to_le);
    let (bytes, _) = bytemuck::cast_slice_mut::<u128, u8>(blocks).as_chunks_mut::<16>();
    cipher.encrypt_blocks(aes::Block::cast_slice_from_core_mut(bytes));
    blocks.iter_mut().for_each(to_le);
}

/// To little-endian, or back: the same.
const fn to_le(block: &mut u128) {
    *block = block.to_le();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(stream: &Keystream, first: u128, count: usize) -> Vec<u128> {
        let mut blocks = vec![0; count];
        stream.fill(first, &mut blocks);
        blocks
    }

    #[test]
    fn a_stream_is_aes_in_counter_mode() {
        // FIPS 197, appendix C.1: AES-128 of 00112233…ff under 000102…0f.
        let stream = Keystream::new(&std::array::from_fn(|index| index as u8));
        let counter = u128::from_le_bytes(std::array::from_fn(|index| (index * 0x11) as u8));
        let expected = [0x69, 0xc4, 0xe0, 0xd8, 0x6a, 0x7b, 0x04, 0x30, 0xd8, 0xcd, 0xb7, 0x80, 0x70, 0xb4, 0xc5, 0x5a];
        assert_eq!(blocks(&stream, counter, 1)[0].to_le_bytes(), expected);
        assert_eq!(blocks(&stream, counter.wrapping_sub(1000), 1001)[1000].to_le_bytes(), expected);
    }

    #[test]
    fn numbers_wrap() {
        let stream = Keystream::new(&[7; 32]);
        let wrapped = blocks(&stream, u128::MAX - 2, STEP + 5);
        assert_eq!(wrapped[3..], blocks(&stream, 0, STEP + 2));
    }

    #[test]
    fn a_stream_does_not_repeat_and_depends_on_its_key() {
        let stream = |key| blocks(&Keystream::new(&[key; 32]), 0, 1000);
        let mut both = [stream(7), stream(8)].concat();
        both.sort_unstable();
        both.dedup();
        assert_eq!(both.len(), 2000);
        let ones: u32 = both.iter().map(|block| block.count_ones()).sum();
        assert!((127_000..129_000).contains(&ones), "{ones} ones among 256,000 bits");
    }
}
