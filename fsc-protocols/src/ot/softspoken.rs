//! OT extension: any number of correlated OTs from 128 base OTs, by symmetric cryptography.
//!
//! Roy, "SoftSpokenOT: quieter OT extension from small-field silent VOLE in the minicrypt model" (Crypto 2022, eprint
//! 2022/192), against parties that follow the protocol, with k = 2: half the bytes of k = 1, 8 per OT, for twice the leaves.
//!
//! *Setup.* 64 groups of two base OTs each make a tree of two levels (the all-but-one OT that the paper starts from): the
//! receiver of OTs has a seed at each of the four leaves, the sender at all but leaf Δ_g ∈ {0…3} of its choice. A leaf is
//! numbered a + 2c, where a is the branch at the first level and c at the second:
//!
//! ```text
//!   s_0, s_1                            the first base OT's keys; the sender has that of ¬a*, where Δ_g = a* + 2c*
//!   leaf_{a+2c} = G(s_a)_c              so it has both leaves under ¬a*
//!   leaf_{0+2c} ⊕ leaf_{1+2c} ⊕ k_c     sent for c = 0, 1; k_0, k_1 are the second base OT's keys, the sender has that of ¬c*
//! ```
//!
//! *Extension* (figure 7, small-field VOLE over F_2 ⊂ F_4, with the repetition code for many of them). Leaves expand
//! to r_x ∈ F_2^ℓ, ℓ the number of OTs:
//!
//! ```text
//!   receiver:  u = Σ_x r_x,  v = Σ_x x·r_x                    sends d = u ⊕ choices in each group
//!   sender:    w = Σ_x (x ⊕ Δ_g)·r_x = v ⊕ Δ_g·u              q = w ⊕ Δ_g·d = v ⊕ Δ_g·choices
//! ```
//!
//! The coefficients' two bits make two rows, 64 groups make 128, and a column of them is an OT's string: t at the receiver,
//! q = t ⊕ choice·Δ at the sender.
//!
//! *Runs.* Leaves outlive runs: a leaf's stream is AES-128 in counter mode, and every run and fork begins at another place of
//! it, a number of 128 bits that BLAKE3 makes of a fresh key that only the two parties have. Of M runs of up to L blocks two
//! overlap with probability M²L/2^128. No counter is kept between runs, and a node that was set back repeats nothing.
//!
//! # Wire
//!
//! Setup: 4,096 bytes from the receiver of OTs. Extension: 64 · ⌈ℓ/8⌉ bytes from it, group by group, little-endian.

use std::sync::Arc;

use bytes::Bytes;
use rand::CryptoRng;
use zeroize::Zeroizing;

use super::base::{BothKeys, COUNT, ChosenKeys};
use crate::algebra::bits::Bits;
use crate::algebra::transpose::{SIDE, transpose};
use crate::sharing::keystream::Keystream;

/// How many groups of base OTs, and trees, there are.
pub const GROUPS: usize = COUNT / 2;

/// The length of the setup's message.
pub const CORRECTION: usize = GROUPS * 2 * size_of::<Seed>();

/// The length of an extension's message for that many OTs.
pub const fn message_length(ots: usize) -> usize {
    GROUPS * ots.div_ceil(8)
}

/// Columns of 128 OTs per step: leaves' streams stay in the first-level cache, the matrix in the second.
const STEP: usize = 64;

/// The most OTs whose strings are made in one step.
pub const PART: usize = STEP * SIDE;

type Seed = [u8; 32];

/// What a peer sent that is no message of this protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExtensionError {
    /// It has another length.
    #[error("a message of the OT extension has {actual} bytes instead of {expected}")]
    Length {
        /// The length that was agreed on, in bytes.
        expected: usize,
        /// The length of the message, in bytes.
        actual: usize,
    },
}

/// What the receiver of OTs keeps: the streams of all leaves.
pub struct ReceiverSeeds(Vec<[Keystream; 4]>);

/// What the sender of OTs keeps: Δ, and the streams of the leaves but one of each tree. Leaf x is at x ⊕ Δ_g − 1, the place
/// that depends on its coefficient alone.
pub struct SenderSeeds {
    delta: Zeroizing<u128>,
    leaves: Vec<[Keystream; 3]>,
}

impl ReceiverSeeds {
    /// Makes the leaves of the base OTs' keys, and the message to the sender of OTs.
    pub fn plant(base: &BothKeys) -> (Self, Bytes) {
        let mut trees = Vec::with_capacity(GROUPS);
        let mut correction = Vec::with_capacity(CORRECTION);
        for keys in base.as_chunks::<2>().0 {
            let [first, second] = keys;
            let [left, right] = [children(&first[0]), children(&first[1])];
            for branch in [0, 1] {
                correction.extend_from_slice(&xor(&xor(&left[branch], &right[branch]), &second[branch]));
            }
            trees.push([left[0], right[0], left[1], right[1]].map(|leaf| Keystream::new(&leaf)));
        }
        (Self(trees), correction.into())
    }

    /// A receiver in one run: of the key of that run.
    pub fn start(self: &Arc<Self>, run: &[u8; 32]) -> Receiver {
        Receiver { seeds: Arc::clone(self), start: start(run), column: 0 }
    }
}

impl SenderSeeds {
    /// The choices in the base OTs that go with Δ: in each, the branch that Δ's leaf is not in.
    pub const fn choices(delta: u128) -> u128 {
        !delta
    }

    /// Makes the leaves of the chosen keys and the receiver's message.
    pub fn grow(delta: u128, base: &ChosenKeys, correction: &[u8]) -> Result<Self, ExtensionError> {
        check_length(CORRECTION, correction.len())?;
        let masked = correction.as_chunks::<{ size_of::<Seed>() }>().0.as_chunks::<2>().0;
        let mut leaves = Vec::with_capacity(GROUPS);
        for (group, (keys, masked)) in base.as_chunks::<2>().0.iter().zip(masked).enumerate() {
            let other_branch = mask(!delta >> (2 * group + 1) & 1);
            let [first, second] = keys;
            let known = children(first);
            // Of the level below, the branch that Δ's leaf is in and the one that it is not in.
            let [inside, outside] = [!other_branch, other_branch].map(|branch| select(&known[0], &known[1], branch));
            let sum = xor(&select(&masked[0], &masked[1], other_branch), second);
            leaves.push([inside, xor(&sum, &outside), outside].map(|leaf| Keystream::new(&leaf)));
        }
        Ok(Self { delta: Zeroizing::new(delta), leaves })
    }

    /// A sender in one run: of the key of that run.
    pub fn start(self: &Arc<Self>, run: &[u8; 32]) -> Sender {
        Sender { seeds: Arc::clone(self), start: start(run), column: 0 }
    }
}

/// A Δ. Its lowest bit is one, so that the lowest bits of q and q ⊕ Δ tell which is which to the one who has both; 127 are
/// unknown to the receiver.
pub(crate) fn draw_delta(rng: &mut impl CryptoRng) -> Zeroizing<u128> {
    let mut delta = Zeroizing::new([0; 16]);
    rng.fill_bytes(delta.as_mut());
    Zeroizing::new(u128::from_le_bytes(*delta) | 1)
}

/// Halves that fit together, as a setup between strangers would have made them.
#[cfg(any(test, feature = "sim"))]
pub(super) fn deal(rng: &mut impl CryptoRng) -> (Arc<SenderSeeds>, Arc<ReceiverSeeds>) {
    deal_with(*draw_delta(rng), rng)
}

/// The same with a given Δ.
#[cfg(any(test, feature = "sim"))]
pub(super) fn deal_with(delta: u128, rng: &mut impl CryptoRng) -> (Arc<SenderSeeds>, Arc<ReceiverSeeds>) {
    let (mut seed, mut base) = (Seed::default(), Zeroizing::new(vec![[Seed::default(); 2]; COUNT]));
    rng.fill_bytes(&mut seed);
    blake3::Hasher::new_keyed(&seed).finalize_xof().fill(base.as_flattened_mut().as_flattened_mut());
    let chosen = base.iter().enumerate().map(|(index, both)| both[(SenderSeeds::choices(delta) >> index & 1) as usize]);
    let chosen = Zeroizing::new(chosen.collect());
    let (receiver, correction) = ReceiverSeeds::plant(&base);
    let sender = SenderSeeds::grow(delta, &chosen, &correction).expect("a correction of that length");
    (Arc::new(sender), Arc::new(receiver))
}

/// Halves that fit together, of which a coalition knows the sender's or the receiver's: what that half determines is drawn
/// from `known`, and what it does not, Δ or the leaves that the sender lacks, from `hidden`.
#[cfg(any(test, feature = "sim"))]
pub(super) fn deal_beside(
    [sender_is_known, receiver_is_known]: [bool; 2],
    known: &mut impl CryptoRng,
    hidden: &mut impl CryptoRng,
) -> (Arc<SenderSeeds>, Arc<ReceiverSeeds>) {
    if !sender_is_known && !receiver_is_known {
        return deal(hidden);
    }
    let (mut sender, mut receiver) = deal(known);
    let halves = (Arc::get_mut(&mut sender), Arc::get_mut(&mut receiver));
    let (Some(sender_half), Some(receiver_half)) = halves else { unreachable!("nobody else has them yet") };
    let leaf = |delta: u128, group: usize| (delta >> (2 * group) & 3) as usize;
    if !receiver_is_known {
        for (group, tree) in receiver_half.0.iter_mut().enumerate() {
            let mut seed = Seed::default();
            hidden.fill_bytes(&mut seed);
            tree[leaf(*sender_half.delta, group)] = Keystream::new(&seed);
        }
    }
    if !sender_is_known {
        sender_half.delta = draw_delta(hidden);
        for (group, (leaves, tree)) in sender_half.leaves.iter_mut().zip(&receiver_half.0).enumerate() {
            *leaves = [1, 2, 3].map(|coefficient| tree[coefficient ^ leaf(*sender_half.delta, group)].clone());
        }
    }
    (sender, receiver)
}

/// A sender and a receiver that fit together, always the same: for tests and benches.
#[cfg(any(test, feature = "sim"))]
pub fn pair() -> (Sender, Receiver) {
    use rand::SeedableRng;
    let (sender, receiver) = deal(&mut fsc_core::laws::ChaCha20Rng::from_seed([1; 32]));
    (sender.start(&[1; 32]), receiver.start(&[1; 32]))
}

/// The receiver of OTs in one run.
pub struct Receiver {
    seeds: Arc<ReceiverSeeds>,
    /// Where this run begins in all streams.
    start: u128,
    /// How many columns of 128 OTs were made.
    column: u64,
}

impl Receiver {
    /// The number of the first OT of the next extension. No number comes twice in a run.
    pub const fn next(&self) -> u64 {
        self.column * SIDE as u64
    }

    /// Makes an OT per choice: the message to the sender, and the strings t.
    pub fn extend(&mut self, choices: &Bits) -> (Bytes, Vec<u128>) {
        let mut all = Vec::with_capacity(choices.len());
        let message = self.extend_each(choices, |strings| all.extend_from_slice(strings));
        (message, all)
    }

    /// The same, but `each` gets the strings part by part, as they are made: of [`PART`] OTs, but for the last.
    pub fn extend_each(&mut self, choices: &Bits, mut each: impl FnMut(&mut [u128])) -> Bytes {
        let row = choices.len().div_ceil(8);
        let mut message = vec![0; message_length(choices.len())];
        let mut work = Work::new(choices.len());
        let (mut leaf, mut difference) = ([[0; STEP]; 4], [0; STEP]);
        while let Some(columns) = work.step() {
            let first = self.start.wrapping_add(self.column.into());
            let choices = columns_of(choices, work.start, columns);
            for (group, streams) in self.seeds.0.iter().enumerate() {
                for (leaf, stream) in leaf.iter_mut().zip(streams) {
                    stream.fill(first, &mut leaf[..columns]);
                }
                let [low, high] = work.rows(group);
                for column in 0..columns {
                    let [r0, r1, r2, r3] = [0, 1, 2, 3].map(|x: usize| leaf[x][column]);
                    low[column] = r1 ^ r3;
                    high[column] = r2 ^ r3;
                    difference[column] = r0 ^ r1 ^ r2 ^ r3 ^ choices[column];
                }
                difference[..columns].iter_mut().for_each(|column| *column = column.to_le());
                let bytes = bytemuck::cast_slice(&difference[..columns]);
                let part = &mut message[group * row..][..row][work.start * (SIDE / 8)..];
                let length = part.len().min(bytes.len());
                part[..length].copy_from_slice(&bytes[..length]);
            }
            self.column += columns as u64;
            each(work.transpose(columns));
        }
        message.into()
    }
}

/// The sender of OTs in one run.
pub struct Sender {
    seeds: Arc<SenderSeeds>,
    /// Where this run begins in all streams.
    start: u128,
    /// How many columns of 128 OTs were made.
    column: u64,
}

impl Sender {
    /// Δ, by which the two strings of every OT differ.
    pub fn delta(&self) -> u128 {
        *self.seeds.delta
    }

    /// The number of the first OT of the next extension. No number comes twice in a run.
    pub const fn next(&self) -> u64 {
        self.column * SIDE as u64
    }

    /// Makes the OTs that the receiver's message is for, `length` of them: the strings q.
    pub fn extend(&mut self, message: &[u8], length: usize) -> Result<Vec<u128>, ExtensionError> {
        check_length(message_length(length), message.len())?;
        let mut all = Vec::with_capacity(length);
        self.extend_each(message, length, |strings| all.extend_from_slice(strings))?;
        Ok(all)
    }

    /// The same, but `each` gets the strings part by part, as they are made: of [`PART`] OTs, but for the last.
    pub fn extend_each(
        &mut self,
        message: &[u8],
        length: usize,
        mut each: impl FnMut(&mut [u128]),
    ) -> Result<(), ExtensionError> {
        check_length(message_length(length), message.len())?;
        let row = length.div_ceil(8);
        let mut work = Work::new(length);
        let (mut leaf, mut difference) = ([[0; STEP]; 3], [0_u128; STEP]);
        while let Some(columns) = work.step() {
            let first = self.start.wrapping_add(self.column.into());
            for (group, streams) in self.seeds.leaves.iter().enumerate() {
                for (leaf, stream) in leaf.iter_mut().zip(streams) {
                    stream.fill(first, &mut leaf[..columns]);
                }
                difference[..columns].fill(0);
                let part = &message[group * row..][..row][work.start * (SIDE / 8)..];
                let bytes = bytemuck::cast_slice_mut(&mut difference[..columns]);
                let there = part.len().min(bytes.len());
                bytes[..there].copy_from_slice(&part[..there]);
                difference[..columns].iter_mut().for_each(|column| *column = u128::from_le(*column));
                let [delta_low, delta_high] = [0, 1].map(|bit| mask(*self.seeds.delta >> (2 * group + bit) & 1));
                let [low, high] = work.rows(group);
                for column in 0..columns {
                    let [r1, r2, r3] = [0, 1, 2].map(|place: usize| leaf[place][column]);
                    low[column] = r1 ^ r3 ^ delta_low & difference[column];
                    high[column] = r2 ^ r3 ^ delta_high & difference[column];
                }
            }
            self.column += columns as u64;
            each(work.transpose(columns));
        }
        Ok(())
    }
}

/// The matrix whose rows are made step by step, and whose columns are the strings.
struct Work {
    /// The first column of this step.
    start: usize,
    /// The columns of all steps until this one.
    done: usize,
    matrix: Vec<u128>,
    /// The distance of rows: an odd number of cache lines, so that the elements of a column do not all compete for the same few.
    stride: usize,
    /// Those of this step.
    strings: Vec<u128>,
    length: usize,
}

impl Work {
    fn new(length: usize) -> Self {
        let columns = length.div_ceil(SIDE).min(STEP);
        let stride = columns.next_multiple_of(8) + 4;
        let strings = Vec::with_capacity(columns * SIDE);
        Self { start: 0, done: 0, matrix: vec![0; SIDE * stride], stride, strings, length }
    }

    /// The number of columns of the next step, if there is one.
    fn step(&mut self) -> Option<usize> {
        self.start = self.done;
        let columns = (self.length.div_ceil(SIDE) - self.start).min(STEP);
        self.done += columns;
        (columns > 0).then_some(columns)
    }

    /// The two rows of a group.
    fn rows(&mut self, group: usize) -> [&mut [u128]; 2] {
        let stride = self.stride;
        let (low, high) = self.matrix[2 * group * stride..2 * (group + 1) * stride].split_at_mut(stride);
        [low, high]
    }

    /// Turns the step's columns into strings.
    fn transpose(&mut self, columns: usize) -> &mut [u128] {
        self.strings.clear();
        for column in 0..columns {
            let mut square = std::array::from_fn(|row| self.matrix[row * self.stride + column]);
            transpose(&mut square);
            self.strings.extend_from_slice(&square);
        }
        self.strings.truncate(self.length - self.start * SIDE);
        &mut self.strings
    }
}

/// The choices of some columns.
fn columns_of(choices: &Bits, start: usize, columns: usize) -> [u128; STEP] {
    let words = &choices.words()[2 * start..choices.words().len().min(2 * (start + columns))];
    let mut all = [0; STEP];
    for (column, pair) in all.iter_mut().zip(words.chunks(2)) {
        let high = pair.get(1).copied().unwrap_or_default();
        *column = u128::from(pair[0]) | u128::from(high) << 64;
    }
    all
}

/// Where a run begins in all streams.
fn start(run: &[u8; 32]) -> u128 {
    let number = blake3::keyed_hash(run, b"ot streams");
    let (number, _) = number.as_bytes().split_first_chunk().expect("16 of 32 bytes");
    u128::from_le_bytes(*number)
}

/// G: the two seeds below one.
fn children(seed: &Seed) -> [Seed; 2] {
    let mut both = Zeroizing::new([0; 64]);
    blake3::Hasher::new_keyed(seed).update(b"children").finalize_xof().fill(both.as_mut());
    bytemuck::cast(*both)
}

fn xor(one: &Seed, other: &Seed) -> Seed {
    std::array::from_fn(|index| one[index] ^ other[index])
}

/// All ones, if the bit is one.
const fn mask(bit: u128) -> u128 {
    0_u128.wrapping_sub(bit)
}

/// `one` where the mask is ones, `zero` where it is zeros, in constant time.
fn select(zero: &Seed, one: &Seed, mask: u128) -> Seed {
    let mask = mask as u8;
    std::array::from_fn(|index| zero[index] ^ mask & (zero[index] ^ one[index]))
}

const fn check_length(expected: usize, actual: usize) -> Result<(), ExtensionError> {
    if expected == actual { Ok(()) } else { Err(ExtensionError::Length { expected, actual }) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha20Rng;

    use super::*;

    fn pair(seed: u64) -> (Sender, Receiver) {
        let (sender, receiver) = deal(&mut ChaCha20Rng::seed_from_u64(seed));
        (sender.start(&[1; 32]), receiver.start(&[1; 32]))
    }

    fn bits(rng: &mut ChaCha20Rng, length: usize) -> Bits {
        Bits::from_words((0..length.div_ceil(64)).map(|_| rng.random()).collect(), length)
    }

    fn check(sender: &mut Sender, receiver: &mut Receiver, choices: &Bits) {
        assert_eq!(sender.next(), receiver.next());
        let (message, t) = receiver.extend(choices);
        assert_eq!(message.len(), message_length(choices.len()));
        let q = sender.extend(&message, choices.len()).unwrap();
        assert_eq!((t.len(), q.len()), (choices.len(), choices.len()));
        for (index, (t, q)) in t.iter().zip(&q).enumerate() {
            let expected = if choices.get(index) { sender.delta() } else { 0 };
            assert_eq!(t ^ q, expected, "OT {index}");
        }
    }

    #[test]
    fn strings_differ_by_choice_times_delta_on_every_index() {
        let mut rng = ChaCha20Rng::seed_from_u64(5);
        let (mut sender, mut receiver) = pair(1);
        for length in [1, 127, 128, 129, 0, 64 * 128, 64 * 128 + 1, 20_000, 1] {
            check(&mut sender, &mut receiver, &bits(&mut rng, length));
        }
    }

    /// The tree is right for every leaf that may be missing.
    #[test]
    fn every_delta_of_a_group_works() {
        let mut rng = ChaCha20Rng::seed_from_u64(5);
        let mut seen = [false; 4];
        for seed in 0..4 {
            let (mut sender, mut receiver) = pair(seed);
            (0..GROUPS).for_each(|group| seen[(sender.delta() >> (2 * group) & 3) as usize] = true);
            check(&mut sender, &mut receiver, &bits(&mut rng, 300));
        }
        assert_eq!(seen, [true; 4]);
    }

    /// The sender lacks leaf Δ_g of every tree, and the correction does not hold it either.
    #[test]
    fn the_sender_has_all_leaves_but_one() {
        let (sender, receiver) = deal(&mut ChaCha20Rng::seed_from_u64(3));
        for (group, (known, all)) in sender.leaves.iter().zip(receiver.0.iter()).enumerate() {
            let missing = (*sender.delta >> (2 * group) & 3) as usize;
            let known = known.each_ref().map(block);
            for (x, leaf) in all.iter().map(block).enumerate() {
                assert_eq!(known.contains(&leaf), x != missing);
                assert!(x == missing || known[(x ^ missing) - 1] == leaf);
            }
        }
    }

    /// The first block of a leaf's stream.
    fn block(leaf: &Keystream) -> u128 {
        let mut block = [0];
        leaf.fill(0, &mut block);
        block[0]
    }

    /// Tests of what a coalition can't tell rest on it.
    #[test]
    fn a_known_half_does_not_depend_on_what_is_hidden() {
        for [sender_is_known, receiver_is_known] in [[false, false], [false, true], [true, false], [true, true]] {
            let halves = [1, 2].map(|hidden| {
                let [mut known, mut hidden] = [0, hidden].map(ChaCha20Rng::seed_from_u64);
                deal_beside([sender_is_known, receiver_is_known], &mut known, &mut hidden)
            });
            let [(one, from_one), (other, from_other)] = &halves;
            let equal = one.leaves.iter().flatten().map(block).eq(other.leaves.iter().flatten().map(block));
            assert_eq!((one.delta == other.delta, equal), (sender_is_known, sender_is_known));
            let equal = from_one.0.iter().flatten().map(block).eq(from_other.0.iter().flatten().map(block));
            assert_eq!(equal, receiver_is_known);
            for (sender, receiver) in &halves {
                let choices = bits(&mut ChaCha20Rng::seed_from_u64(5), 300);
                check(&mut sender.start(&[1; 32]), &mut receiver.start(&[1; 32]), &choices);
            }
        }
    }

    /// How often the bits of two vectors differ, of 4,096.
    fn differing(one: &Bits, other: &Bits) -> u32 {
        one.xor(other).words().iter().map(|word| word.count_ones()).sum()
    }

    /// Whatever the sender adds up of the streams that it has, what is left of the choices is masked; by the one that it lacks.
    #[test]
    fn choices_are_masked_by_the_leaf_that_the_sender_lacks() {
        const LENGTH: usize = 4096;
        let (kept, seeds) = deal(&mut ChaCha20Rng::seed_from_u64(3));
        let (sender, mut receiver) = (kept.start(&[1; 32]), seeds.start(&[1; 32]));
        let choices = bits(&mut ChaCha20Rng::seed_from_u64(4), LENGTH);
        let (message, _) = receiver.extend(&choices);
        let streamed = |stream: &Keystream| {
            let mut out = [0; LENGTH / SIDE];
            stream.fill(start(&[1; 32]), &mut out);
            Bits::from_words(out.iter().flat_map(|block| [*block as u64, (block >> 64) as u64]).collect(), LENGTH)
        };
        for (group, message) in message.chunks(LENGTH / 8).enumerate() {
            let known = sender.seeds.leaves[group].each_ref().map(streamed);
            let lacking = streamed(&receiver.seeds.0[group][(sender.delta() >> (2 * group) & 3) as usize]);
            for subset in 0..8 {
                let mut unmasked = Bits::from_bytes(message, LENGTH).expect("whole bytes");
                let chosen = known.iter().enumerate().filter(|(index, _)| subset >> index & 1 == 1);
                chosen.for_each(|(_, stream)| unmasked.xor_assign(stream));
                assert!(
                    (1_800..2_300).contains(&differing(&unmasked, &choices)),
                    "group {group}, streams {subset:03b}"
                );
                unmasked.xor_assign(&lacking);
                assert_eq!(differing(&unmasked, &choices) == 0, subset == 7, "the streams are the masks");
            }
        }
    }

    #[test]
    fn strings_never_repeat() {
        let (_, mut receiver) = pair(1);
        let choices = Bits::zeros(1000);
        let mut all: Vec<u128> = (0..20).flat_map(|_| receiver.extend(&choices).1).collect();
        let (sender, seeds) = deal(&mut ChaCha20Rng::seed_from_u64(1));
        all.extend(seeds.start(&[2; 32]).extend(&choices).1);
        drop(sender);
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 21_000);
    }

    #[test]
    fn messages_of_another_length_are_refused() {
        let (mut sender, mut receiver) = pair(1);
        let (message, _) = receiver.extend(&Bits::zeros(100));
        for length in [0, 1, 96, 105, 128, 1 << 40] {
            assert!(matches!(sender.extend(&message, length), Err(ExtensionError::Length { .. })), "{length}");
        }
        assert!(sender.extend(&message, 100).is_ok());
        let chosen = Zeroizing::new(vec![[0; 32]; COUNT]);
        for length in [0, CORRECTION - 1, CORRECTION + 1] {
            assert!(SenderSeeds::grow(0, &chosen, &vec![0; length]).is_err());
        }
    }

    proptest! {
        #[test]
        fn any_lengths_in_any_order_work(lengths in prop::collection::vec(0..700_usize, 1..6), seed: u64) {
            let mut rng = ChaCha20Rng::seed_from_u64(seed);
            let (mut sender, mut receiver) = pair(seed);
            for length in lengths {
                check(&mut sender, &mut receiver, &bits(&mut rng, length));
            }
        }
    }
}
