//! Random OT of bits: the sender gets two random strings of `width` bits per OT, the receiver the one of its choice.
//!
//! The strings of correlated OTs, hashed: see [`Hash`](struct@Hash). Bit k of all OTs' strings is one vector, as circuits use them.

use bytes::Bytes;

use super::hash::Hash;
use super::softspoken::{self, ExtensionError};
use crate::algebra::bits::Bits;
use crate::algebra::transpose::{SIDE, transpose};

/// Up to so many bits of each string are picked one by one; more are transposed.
const FEW: usize = 8;

/// The receiver of OTs from one other party, in one run.
pub struct Receiver {
    pub(super) extension: softspoken::Receiver,
    pub(super) hash: Hash,
}

/// The sender of OTs to one other party, in one run.
pub struct Sender {
    pub(super) extension: softspoken::Sender,
    pub(super) hash: Hash,
}

impl Receiver {
    /// A correlated OT per choice: the message to the sender, and t = q ⊕ choice·Δ of each.
    pub fn correlated(&mut self, choices: &Bits) -> (Bytes, Vec<u128>) {
        self.extension.extend(choices)
    }

    /// An OT per choice: the message to the sender, and the strings of these choices.
    pub fn bits(&mut self, choices: &Bits, width: usize) -> (Bytes, Vec<Bits>) {
        let mut hashes = Hashes::new(&self.hash, self.extension.next(), choices.len(), width);
        let message = self.extension.extend_each(choices, |strings| hashes.take(strings));
        (message, hashes.into_bits())
    }
}

impl Sender {
    /// By how much the two strings of a correlated OT differ. Its lowest bit is one.
    pub fn delta(&self) -> u128 {
        self.extension.delta()
    }

    /// The correlated OTs that the receiver's message is for, `length` of them: q of each.
    pub fn correlated(&mut self, message: &[u8], length: usize) -> Result<Vec<u128>, ExtensionError> {
        self.extension.extend(message, length)
    }

    /// The OTs that the receiver's message is for, `length` of them: the strings of choice zero, and those of choice one.
    pub fn bits(&mut self, message: &[u8], length: usize, width: usize) -> Result<[Vec<Bits>; 2], ExtensionError> {
        let (first, delta) = (self.extension.next(), self.extension.delta());
        let [mut zeros, mut ones] = [(); 2].map(|()| Hashes::new(&self.hash, first, length, width));
        let mut others = Vec::new();
        self.extension.extend_each(message, length, |strings| {
            others.clear();
            others.extend(strings.iter().map(|string| string ^ delta));
            zeros.take(strings);
            ones.take(&mut others);
        })?;
        Ok([zeros.into_bits(), ones.into_bits()])
    }
}

/// The hashes of consecutive OTs' strings, bit by bit.
struct Hashes<'a> {
    hash: &'a Hash,
    /// The number of the next OT.
    next: u64,
    length: usize,
    /// The words of each bit's vector.
    words: Vec<Vec<u64>>,
}

impl<'a> Hashes<'a> {
    fn new(hash: &'a Hash, first: u64, length: usize, width: usize) -> Self {
        Self { hash, next: first, length, words: vec![Vec::with_capacity(length.div_ceil(64)); width] }
    }

    /// Takes in further strings, a multiple of 64 of them unless they are the last.
    fn take(&mut self, strings: &mut [u128]) {
        let mut copy = Vec::new();
        let blocks = self.words.len().div_ceil(SIDE);
        for (block, words) in self.words.chunks_mut(SIDE).enumerate() {
            // The last block may be made in place.
            let hashes = if block + 1 == blocks {
                &mut *strings
            } else {
                copy.clear();
                copy.extend_from_slice(strings);
                &mut copy
            };
            self.hash.strings(self.next, block as u64, hashes);
            push_low_bits(hashes, words);
        }
        self.next += strings.len() as u64;
    }

    fn into_bits(self) -> Vec<Bits> {
        self.words.into_iter().map(|words| Bits::from_words(words, self.length)).collect()
    }
}

/// Appends the low bits of all blocks, position by position.
fn push_low_bits(blocks: &[u128], vectors: &mut [Vec<u64>]) {
    if vectors.len() <= FEW {
        for blocks in blocks.chunks(64) {
            for (bit, words) in vectors.iter_mut().enumerate() {
                let bits = blocks.iter().zip(0..).map(|(block, index)| u64::from(block >> bit & 1 == 1) << index);
                words.push(bits.fold(0, |word, bit| word | bit));
            }
        }
    } else {
        for blocks in blocks.chunks(SIDE) {
            let mut square = [0; SIDE];
            square[..blocks.len()].copy_from_slice(blocks);
            transpose(&mut square);
            for (words, row) in vectors.iter_mut().zip(square) {
                let both = [row as u64, (row >> 64) as u64];
                words.extend_from_slice(&both[..blocks.len().div_ceil(64)]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha20Rng;

    use super::*;

    fn pair(seed: u64) -> (Sender, Receiver) {
        let (sender, receiver) = softspoken::deal(&mut ChaCha20Rng::seed_from_u64(seed));
        let run = [1; 32];
        (
            Sender { extension: sender.start(&run), hash: Hash::new(&[5; 16]) },
            Receiver { extension: receiver.start(&run), hash: Hash::new(&[5; 16]) },
        )
    }

    #[test]
    fn the_receiver_gets_the_bits_of_its_choice() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let (mut sender, mut receiver) = pair(1);
        for (length, width) in [(1_usize, 1), (100, 3), (1000, 8), (1000, 9), (77, 128), (200, 300), (0, 5), (5, 0)] {
            let choices = Bits::from_words((0..length.div_ceil(64)).map(|_| rng.random()).collect(), length);
            let (message, chosen) = receiver.bits(&choices, width);
            let [zero, one] = sender.bits(&message, length, width).unwrap();
            assert_eq!([zero.len(), one.len(), chosen.len()], [width; 3]);
            for ((zero, one), chosen) in zero.iter().zip(&one).zip(&chosen) {
                let mut expected = zero.xor(one).and(&choices);
                expected.xor_assign(zero);
                assert!(expected == *chosen, "{length} OTs of {width} bits");
            }
        }
    }

    /// What the receiver did not choose looks random to it: half of the bits are as those that it has.
    #[test]
    fn the_other_bits_are_independent() {
        let (mut sender, mut receiver) = pair(2);
        let length = 10_000;
        let (message, chosen) = receiver.bits(&Bits::zeros(length), 20);
        let [_, other] = sender.bits(&message, length, 20).unwrap();
        for (chosen, other) in chosen.iter().zip(&other) {
            let differing: u32 = chosen.xor(other).words().iter().map(|word| word.count_ones()).sum();
            assert!((4_700..5_300).contains(&differing), "{differing} of {length} bits differ");
        }
    }
}
