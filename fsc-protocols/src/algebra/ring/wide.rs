//! Z/2^256, for fixed point whose products, masked statistically, do not fit into 128 bits.

use super::{Ring, sealed, times_power_of_two};

/// An element of Z/2^256: four limbs, the lowest first.
pub type U256 = [u64; 4];

impl Ring for U256 {
    type Wire = [u8; 32];

    const ZERO: Self = [0; 4];
    const ONE: Self = [1, 0, 0, 0];

    fn plus(self, other: Self) -> Self {
        let mut carry = false;
        std::array::from_fn(|limb| {
            let (sum, one) = self[limb].overflowing_add(other[limb]);
            let (sum, two) = sum.overflowing_add(u64::from(carry));
            carry = one | two;
            sum
        })
    }

    fn minus(self, other: Self) -> Self {
        self.plus(other.negated())
    }

    fn times(self, other: Self) -> Self {
        let mut product = [0; 4];
        for (place, factor) in self.into_iter().enumerate() {
            let mut carry = 0;
            for (limb, other) in product[place..].iter_mut().zip(other) {
                // (2^64 − 1)² + 2·(2^64 − 1) is below 2^128.
                let sum = u128::from(factor) * u128::from(other) + u128::from(*limb) + carry;
                (*limb, carry) = (sum as u64, sum >> 64);
            }
        }
        product
    }

    fn negated(self) -> Self {
        self.map(|limb| !limb).plus(Self::ONE)
    }

    fn of(integer: i128) -> Self {
        let sign = if integer < 0 { u64::MAX } else { 0 };
        [integer as u64, (integer >> 64) as u64, sign, sign]
    }

    fn to_f64(self, fraction_bits: i32) -> f64 {
        let negative = self[3] >> 63 == 1;
        let magnitude = if negative { self.negated() } else { self };
        let limbs = (0..).zip(magnitude);
        let number: f64 = limbs.map(|(place, limb)| times_power_of_two(limb as f64, 64 * place - fraction_bits)).sum();
        if negative { -number } else { number }
    }

    fn to_wire(self) -> Self::Wire {
        let mut wire = [0; 32];
        let (limbs, _) = wire.as_chunks_mut::<8>();
        limbs.iter_mut().zip(self).for_each(|(bytes, limb)| *bytes = limb.to_le_bytes());
        wire
    }

    fn from_wire(wire: Self::Wire) -> Self {
        let (limbs, _) = wire.as_chunks::<8>();
        std::array::from_fn(|limb| u64::from_le_bytes(limbs[limb]))
    }
}

impl sealed::Sealed for U256 {}

/// ⌊`number` / 2^`bits`⌋ of an unsigned number, `bits` below 256.
pub fn shifted_right(number: U256, bits: u32) -> U256 {
    let (limbs, bits) = ((bits / 64) as usize, bits % 64);
    let limb = |index: usize| number.get(index + limbs).copied().unwrap_or_default();
    std::array::from_fn(|index| {
        let above = limb(index + 1).checked_shl(64 - bits).unwrap_or_default();
        limb(index) >> bits | above
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Numbers of 60 bits: their products and sums are exact in 128 bits, too.
    fn wide(number: i128) -> U256 {
        U256::of(number)
    }

    proptest! {
        #[test]
        fn small_numbers_compute_as_integers_do(a in -(1_i128 << 62)..1 << 62, b in -(1_i128 << 62)..1 << 62) {
            prop_assert_eq!(wide(a).plus(wide(b)), wide(a + b));
            prop_assert_eq!(wide(a).minus(wide(b)), wide(a - b));
            prop_assert_eq!(wide(a).times(wide(b)), wide(a * b));
        }

        #[test]
        fn large_numbers_obey_the_laws_of_a_ring(a: U256, b: U256, c: U256) {
            prop_assert_eq!(a.times(b.plus(c)), a.times(b).plus(a.times(c)));
            prop_assert_eq!(a.times(b).times(c), a.times(b.times(c)));
            prop_assert_eq!(a.plus(b).minus(b), a);
            prop_assert_eq!(U256::from_wire(a.to_wire()), a);
        }

        #[test]
        fn shifts_undo_products_with_powers_of_two(low: u128, bits in 0..128_u32) {
            let number = [low as u64, (low >> 64) as u64, 0, 0];
            let power = U256::of(2).times(U256::ONE);
            let shifted = (0..bits).fold(number, |number, _| number.times(power));
            prop_assert_eq!(shifted_right(shifted, bits), number);
        }

        #[test]
        fn numbers_decode_as_integers_do(number: i128, fraction_bits in -64..200_i32) {
            let expected = number as f64 * 2_f64.powi(-fraction_bits);
            let decoded = U256::of(number).to_f64(fraction_bits);
            prop_assert!((decoded - expected).abs() <= expected.abs() * f64::EPSILON);
            prop_assert_eq!(u128::of(number).to_f64(fraction_bits), expected);
        }
    }
}
