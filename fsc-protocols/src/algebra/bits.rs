//! Vectors of bits, packed in words: what shares over GF(2) are made of.
//!
//! Adding is XOR and multiplying is AND, 64 elements at a time. Vectors are glued and cut at any bit, by shifts.

use bytes::Bytes;
use zeroize::Zeroize;

/// The bits of a word.
const WORD: usize = 64;

/// A vector of bits. Bit i is bit `i % 64` of word `i / 64`; bits beyond the end are zero.
///
/// Bits may be secret, so they can't be printed.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Bits {
    words: Vec<u64>,
    len: usize,
}

impl Bits {
    /// That many zeros.
    pub fn zeros(len: usize) -> Self {
        Self { words: vec![0; len.div_ceil(WORD)], len }
    }

    /// That many ones.
    pub fn ones(len: usize) -> Self {
        Self::from_words(vec![u64::MAX; len.div_ceil(WORD)], len)
    }

    /// The first `len` bits of `words`.
    ///
    /// # Panics
    /// If there are not as many words as it takes.
    pub fn from_words(words: Vec<u64>, len: usize) -> Self {
        assert_eq!(words.len(), len.div_ceil(WORD), "as many words as the bits take");
        let mut bits = Self { words, len };
        bits.clear_unused();
        bits
    }

    /// The number of bits.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The words that the bits are in.
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// Bit `index`.
    ///
    /// # Panics
    /// If there is no such bit.
    pub fn get(&self, index: usize) -> bool {
        assert!(index < self.len, "a bit of the vector");
        self.words[index / WORD] >> (index % WORD) & 1 == 1
    }

    /// Makes bit `index` what it shall be.
    ///
    /// # Panics
    /// If there is no such bit.
    pub fn set(&mut self, index: usize, bit: bool) {
        assert!(index < self.len, "a bit of the vector");
        let word = &mut self.words[index / WORD];
        *word = *word & !(1 << (index % WORD)) | u64::from(bit) << (index % WORD);
    }

    /// All bits, in order.
    pub fn iter(&self) -> impl Iterator<Item = bool> + use<'_> {
        (0..self.len).map(|index| self.get(index))
    }

    /// Adds `other`, which is as long.
    ///
    /// # Panics
    /// If it is not.
    pub fn xor_assign(&mut self, other: &Self) {
        assert_eq!(self.len, other.len, "vectors of one length");
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word ^= other;
        }
    }

    /// The sum of two vectors of one length.
    #[must_use]
    pub fn xor(&self, other: &Self) -> Self {
        let mut sum = self.clone();
        sum.xor_assign(other);
        sum
    }

    /// The product, element by element, of two vectors of one length.
    ///
    /// # Panics
    /// If the lengths differ.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        assert_eq!(self.len, other.len, "vectors of one length");
        let words = self.words.iter().zip(&other.words).map(|(word, other)| word & other).collect();
        Self { words, len: self.len }
    }

    /// Turns every bit over.
    pub fn not_assign(&mut self) {
        self.words.iter_mut().for_each(|word| *word = !*word);
        self.clear_unused();
    }

    /// Appends `other`.
    pub fn push_bits(&mut self, other: &Self) {
        let shift = self.len % WORD;
        if shift == 0 {
            self.words.extend_from_slice(&other.words);
        } else {
            for word in &other.words {
                if let Some(last) = self.words.last_mut() {
                    *last |= word << shift;
                }
                self.words.push(word >> (WORD - shift));
            }
        }
        self.len += other.len;
        self.words.truncate(self.len.div_ceil(WORD));
    }

    /// All these, one after the other.
    pub fn concat<'a>(parts: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut all = Self::default();
        parts.into_iter().for_each(|part| all.push_bits(part));
        all
    }

    /// The `len` bits from `start`.
    ///
    /// # Panics
    /// If there are not that many.
    #[must_use]
    pub fn slice(&self, start: usize, len: usize) -> Self {
        assert!(start + len <= self.len, "a part of the vector");
        let (first, shift) = (start / WORD, start % WORD);
        let words = (first..first + len.div_ceil(WORD)).map(|index| {
            let low = self.words[index] >> shift;
            let next = self.words.get(index + 1).filter(|_| shift > 0);
            low | next.map_or(0, |next| next << (WORD - shift))
        });
        Self::from_words(words.collect(), len)
    }

    /// The same bits `times` times, one after the other.
    #[must_use]
    pub fn repeat(&self, times: usize) -> Self {
        Self::concat(std::iter::repeat_n(self, times))
    }

    /// As bytes, little-endian: ⌈len/8⌉ of them.
    pub fn to_bytes(&self) -> Bytes {
        let mut bytes: Vec<u8> = self.words.iter().flat_map(|word| word.to_le_bytes()).collect();
        bytes.truncate(self.len.div_ceil(8));
        bytes.into()
    }

    /// The `len` bits in `bytes`; nothing, if the bytes are too many or too few, or if unused bits are not zero.
    pub fn from_bytes(bytes: &[u8], len: usize) -> Option<Self> {
        let fits = bytes.len() == len.div_ceil(8)
            && (len.is_multiple_of(8) || bytes.last().is_none_or(|last| last >> (len % 8) == 0));
        fits.then(|| Self::from_bytes_loosely(bytes, len))
    }

    /// The first `len` bits in `bytes`, which are ⌈len/8⌉; whatever the unused bits are.
    pub(crate) fn from_bytes_loosely(bytes: &[u8], len: usize) -> Self {
        assert_eq!(bytes.len(), len.div_ceil(8), "as many bytes as the bits take");
        let word = |chunk: &[u8]| {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            u64::from_le_bytes(word)
        };
        Self::from_words(bytes.chunks(8).map(word).collect(), len)
    }

    /// The low `width` bits of all values, position by position, the most significant first: the bit of position p of value i
    /// is bit `p · values.len() + i`. So bits of one position are operated on together.
    pub fn positions(values: &[u64], width: u32) -> Self {
        let mut all = Self::zeros(values.len() * width as usize);
        for (position, shift) in (0..width).rev().enumerate() {
            let start = position * values.len();
            for (index, value) in (start..).zip(values) {
                all.words[index / WORD] |= (value >> shift & 1) << (index % WORD);
            }
        }
        all
    }

    /// The inverse of [`Bits::positions`].
    ///
    /// # Panics
    /// If the bits are not `width` equally long positions, or do not fit into 64 bits.
    pub fn values(&self, width: u32) -> Vec<u64> {
        assert!(width <= 64 && width > 0, "values of 1 to 64 bits");
        let count = self.len / width as usize;
        assert_eq!(self.len, count * width as usize, "whole positions");
        let mut values = vec![0; count];
        for position in 0..width as usize {
            for (index, value) in values.iter_mut().enumerate() {
                *value = *value << 1 | u64::from(self.get(position * count + index));
            }
        }
        values
    }

    fn clear_unused(&mut self) {
        if !self.len.is_multiple_of(WORD)
            && let Some(last) = self.words.last_mut()
        {
            *last &= (1 << (self.len % WORD)) - 1;
        }
    }
}

impl Zeroize for Bits {
    fn zeroize(&mut self) {
        self.words.zeroize();
        self.len = 0;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bits(bools: &[bool]) -> Bits {
        let mut bits = Bits::zeros(bools.len());
        bools.iter().enumerate().for_each(|(index, bit)| bits.set(index, *bit));
        bits
    }

    fn bools(bits: &Bits) -> Vec<bool> {
        bits.iter().collect()
    }

    #[test]
    fn ones_end_where_the_vector_ends() {
        for len in [0, 1, 63, 64, 65, 128] {
            let mut ones = Bits::ones(len);
            assert_eq!(ones.words().iter().map(|word| word.count_ones() as usize).sum::<usize>(), len);
            ones.not_assign();
            assert!(ones == Bits::zeros(len));
        }
    }

    #[test]
    fn bytes_of_another_length_or_with_unused_bits_are_refused() {
        assert!(Bits::from_bytes(&[1, 2], 8).is_none());
        assert!(Bits::from_bytes(&[1], 9).is_none());
        assert!(Bits::from_bytes(&[0b100], 2).is_none());
        assert!(Bits::from_bytes(&[0b11], 2).is_some());
        assert!(Bits::from_bytes(&[], 0).is_some());
    }

    #[test]
    fn positions_come_most_significant_first() {
        let positions = Bits::positions(&[0b10, 0b11, 0b00], 2);
        assert_eq!(bools(&positions), [true, true, false, false, true, false]);
    }

    proptest! {
        #[test]
        fn bits_are_glued_and_cut_anywhere(one: Vec<bool>, other: Vec<bool>, at: prop::sample::Index) {
            let mut glued = bits(&one);
            glued.push_bits(&bits(&other));
            let plain = [one.clone(), other].concat();
            prop_assert!(bools(&glued) == plain);
            let start = at.index(plain.len() + 1);
            for len in [0, (plain.len() - start) / 2, plain.len() - start] {
                prop_assert!(glued.slice(start, len) == bits(&plain[start..start + len]));
            }
            prop_assert!(Bits::from_bytes(&glued.to_bytes(), plain.len()) == Some(glued));
        }

        #[test]
        fn arithmetic_is_bit_by_bit(pairs: Vec<(bool, bool)>) {
            let (one, other): (Vec<_>, Vec<_>) = pairs.iter().copied().unzip();
            let each = |f: fn(bool, bool) -> bool| pairs.iter().map(|(a, b)| f(*a, *b)).collect::<Vec<_>>();
            prop_assert_eq!(bools(&bits(&one).xor(&bits(&other))), each(|a, b| a ^ b));
            prop_assert_eq!(bools(&bits(&one).and(&bits(&other))), each(|a, b| a & b));
            let mut turned = bits(&one);
            turned.not_assign();
            prop_assert_eq!(bools(&turned), each(|a, _| !a));
        }

        #[test]
        fn values_come_back_from_their_positions(values: Vec<u64>, width in 1..=64_u32) {
            let low: Vec<u64> = values.iter().map(|value| value & (u64::MAX >> (64 - width))).collect();
            prop_assert_eq!(Bits::positions(&values, width).values(width), low);
        }
    }
}
