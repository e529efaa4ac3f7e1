//! The rings Z/2^64, Z/2^128 and Z/2^256, and vectors over them as they travel.
//!
//! Ring elements are plain `u64` and `u128`, and [`U256`]. On the wire, a vector is its elements back to back, little-endian, each
//! [`Ring::WIDTH`] bytes wide: the size of a message says how many elements there are, and nothing about them.

use std::fmt::Debug;

use bytemuck::Pod;
use bytes::Bytes;

mod wide;

pub use wide::{U256, shifted_right};

/// A ring of integers modulo a power of two.
pub trait Ring: Pod + Eq + Debug + Send + Sync + sealed::Sealed {
    /// The bytes of one element on the wire.
    type Wire: Pod + Send + Sync;

    /// Zero.
    const ZERO: Self;
    /// One.
    const ONE: Self;
    /// The size of an element, in bytes.
    const WIDTH: usize = size_of::<Self::Wire>();

    /// The sum.
    #[must_use]
    fn plus(self, other: Self) -> Self;
    /// The difference.
    #[must_use]
    fn minus(self, other: Self) -> Self;
    /// The product.
    #[must_use]
    fn times(self, other: Self) -> Self;
    /// What adds up to zero with this.
    #[must_use]
    fn negated(self) -> Self;
    /// The element that is congruent to an integer.
    #[must_use]
    fn of(integer: i128) -> Self;
    /// The float nearest to `self`·2^-`fraction_bits`, `self` in two's complement; within an ulp of it, if it is wide.
    fn to_f64(self, fraction_bits: i32) -> f64;
    /// As little-endian bytes.
    fn to_wire(self) -> Self::Wire;
    /// From little-endian bytes; every string of bytes is an element.
    fn from_wire(wire: Self::Wire) -> Self;
}

/// Bytes from a peer that are not what the protocol expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// The message has another length than the vector that was agreed on.
    #[error("a message has {actual} bytes instead of {elements} elements of {width}")]
    Length {
        /// How many elements were expected.
        elements: usize,
        /// The size of an element, in bytes.
        width: usize,
        /// The length of the message, in bytes.
        actual: usize,
    },
}

/// Adds `terms` to `sums`, element by element.
///
/// # Panics
/// If the lengths differ, which is a mistake of the caller's: lengths from outside are checked where bytes are read.
pub fn add_assign<R: Ring>(sums: &mut [R], terms: &[R]) {
    assert_eq!(sums.len(), terms.len(), "vectors of one length");
    for (sum, term) in sums.iter_mut().zip(terms) {
        *sum = sum.plus(*term);
    }
}

/// Subtracts `terms` from `differences`, element by element.
///
/// # Panics
/// If the lengths differ, as [`add_assign`].
pub fn sub_assign<R: Ring>(differences: &mut [R], terms: &[R]) {
    assert_eq!(differences.len(), terms.len(), "vectors of one length");
    for (difference, term) in differences.iter_mut().zip(terms) {
        *difference = difference.minus(*term);
    }
}

/// Adds the vector in `wire` to `sums`, without decoding it first.
pub fn add_assign_le<R: Ring>(sums: &mut [R], wire: &[u8]) -> Result<(), WireError> {
    let terms = elements::<R>(wire, sums.len())?;
    for (sum, term) in sums.iter_mut().zip(terms) {
        *sum = sum.plus(R::from_wire(*term));
    }
    Ok(())
}

/// The vector as it travels. On little-endian machines nothing is copied.
pub fn encode<R: Ring>(vector: Vec<R>) -> Bytes {
    if cfg!(target_endian = "little") {
        Bytes::from_owner(Memory(vector))
    } else {
        Bytes::from_owner(Memory(vector.into_iter().map(R::to_wire).collect()))
    }
}

/// The vector of `expected` elements that travelled as `wire`.
pub fn decode<R: Ring>(wire: &[u8], expected: usize) -> Result<Vec<R>, WireError> {
    Ok(elements::<R>(wire, expected)?.iter().copied().map(R::from_wire).collect())
}

/// Views `wire` as that many elements.
fn elements<R: Ring>(wire: &[u8], expected: usize) -> Result<&[R::Wire], WireError> {
    bytemuck::try_cast_slice(wire)
        .ok()
        .filter(|elements: &&[R::Wire]| elements.len() == expected)
        .ok_or(WireError::Length { elements: expected, width: R::WIDTH, actual: wire.len() })
}

/// `number`·2^`exponent`, rounded once, whatever the exponent.
pub(crate) fn times_power_of_two(number: f64, exponent: i32) -> f64 {
    // Of the steps, only the last one can leave the range of normal numbers: the others go towards it.
    let mut number = number;
    let mut rest = exponent;
    while rest.abs() > 1000 && number != 0.0 && number.is_finite() {
        let step = rest.clamp(-500, 500);
        number *= 2_f64.powi(step);
        rest -= step;
    }
    number * 2_f64.powi(rest.clamp(-1000, 1000))
}

/// A vector seen as its memory.
struct Memory<T>(Vec<T>);

impl<T: Pod> AsRef<[u8]> for Memory<T> {
    fn as_ref(&self) -> &[u8] {
        bytemuck::cast_slice(&self.0)
    }
}

macro_rules! integers_modulo_a_power_of_two {
    ($($integer:ty),*) => { $(
        impl Ring for $integer {
            type Wire = [u8; size_of::<Self>()];

            const ZERO: Self = 0;
            const ONE: Self = 1;

            fn plus(self, other: Self) -> Self {
                self.wrapping_add(other)
            }

            fn minus(self, other: Self) -> Self {
                self.wrapping_sub(other)
            }

            fn times(self, other: Self) -> Self {
                self.wrapping_mul(other)
            }

            fn negated(self) -> Self {
                self.wrapping_neg()
            }

            fn of(integer: i128) -> Self {
                integer as Self
            }

            fn to_f64(self, fraction_bits: i32) -> f64 {
                let magnitude = self.wrapping_neg().min(self);
                let number = times_power_of_two(magnitude as f64, -fraction_bits);
                if magnitude == self { number } else { -number }
            }

            fn to_wire(self) -> Self::Wire {
                self.to_le_bytes()
            }

            fn from_wire(wire: Self::Wire) -> Self {
                Self::from_le_bytes(wire)
            }
        }

        impl sealed::Sealed for $integer {}
    )* };
}

integers_modulo_a_power_of_two!(u64, u128);

mod sealed {
    /// Only rings whose elements fill their bytes: then shares are uniform bytes, and every message decodes.
    pub trait Sealed {}
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn elements_travel_in_little_endian() {
        assert_eq!(&encode(vec![1u64, 0x0203])[..], [1, 0, 0, 0, 0, 0, 0, 0, 3, 2, 0, 0, 0, 0, 0, 0]);
        assert_eq!(encode(vec![u128::ONE << 120])[15], 1);
        assert_eq!((u64::WIDTH, u128::WIDTH), (8, 16));
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn encoding_does_not_copy() {
        let vector = vec![7u128; 1000];
        let memory = vector.as_ptr().cast::<u8>();
        assert_eq!(encode(vector).as_ptr(), memory);
    }

    #[test]
    fn arithmetic_wraps() {
        assert_eq!(u64::MAX.plus(u64::ONE), u64::ZERO);
        assert_eq!(u64::ZERO.minus(u64::ONE), u64::ONE.negated());
        assert_eq!(u128::MAX.times(u128::MAX), u128::ONE);
    }

    #[test]
    fn messages_of_another_length_are_refused() {
        for actual in [0, 31, 33, 48] {
            let error = WireError::Length { elements: 2, width: 16, actual };
            assert_eq!(decode::<u128>(&vec![0; actual], 2), Err(error));
            assert_eq!(add_assign_le(&mut [0u128; 2], &vec![0; actual]), Err(error));
        }
        assert_eq!(decode::<u64>(&[], 0), Ok(vec![]));
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes(vector: Vec<u128>) {
            prop_assert_eq!(decode(&encode(vector.clone()), vector.len()), Ok(vector));
        }

        #[test]
        fn wire_and_vector_add_alike_wherever_the_bytes_lie(pairs: Vec<(u64, u64)>, offset in 0usize..16) {
            let (sums, terms): (Vec<u64>, Vec<u64>) = pairs.into_iter().unzip();
            let mut shifted = vec![0; offset];
            shifted.extend_from_slice(&encode(terms.clone()));
            let (mut by_wire, mut by_vector) = (sums.clone(), sums.clone());
            add_assign_le(&mut by_wire, &shifted[offset..]).unwrap();
            add_assign(&mut by_vector, &terms);
            prop_assert_eq!(&by_wire, &by_vector);
            sub_assign(&mut by_wire, &terms);
            prop_assert_eq!(by_wire, sums);
        }
    }
}
