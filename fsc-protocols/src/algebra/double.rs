//! Double-double arithmetic: unevaluated sums of two binary64 numbers, about 106 bits.
//!
//! The algorithms are those of Dekker ("A floating-point technique for extending the available precision", 1971) and Knuth
//! (TAOCP 2, 4.2.2, theorems B and C), in the form of Joldes, Muller and Popescu ("Tight and rigorous error bounds for basic
//! building blocks of double-word arithmetic", 2017), whose bounds hold: a relative error below 3·2^-106 for a sum of
//! [`Double`]s of one sign, 5·2^-106 for a product and 15·2^-106 for a quotient, unless something over- or underflows.

use std::ops::{Add, Div, Mul, Neg, Sub};

/// A number that is `high + low`, where `high` is the binary64 nearest to it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Double {
    high: f64,
    low: f64,
}

impl Double {
    /// The integer, at most 2^127: exact to 106 bits.
    pub fn integer(number: i128) -> Self {
        let high = number as f64;
        // The high part may be 2^127 itself, which the cast would saturate; the difference is right modulo 2^128 all the same.
        let whole = if high == 2_f64.powi(127) { i128::MIN } else { high as i128 };
        Self { high, low: number.wrapping_sub(whole) as f64 }
    }

    /// The nearest binary64.
    pub const fn high(self) -> f64 {
        self.high
    }

    /// What [`Double::high`] lacks.
    pub const fn low(self) -> f64 {
        self.low
    }

    /// This times 2^`exponent`, as a binary64: infinite where it is too large, and rounded where it is subnormal.
    pub fn to_f64(self, exponent: i32) -> f64 {
        ldexp(self.high + self.low, exponent)
    }

    /// This times 2^`exponent`.
    #[must_use]
    pub fn scaled(self, exponent: i32) -> Self {
        Self { high: ldexp(self.high, exponent), low: ldexp(self.low, exponent) }
    }
}

impl From<f64> for Double {
    fn from(number: f64) -> Self {
        Self { high: number, low: 0.0 }
    }
}

impl Add for Double {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let (high, low) = two_sum(self.high, other.high);
        let (high_low, low_low) = two_sum(self.low, other.low);
        let (high, low) = fast_two_sum(high, low + high_low);
        let (high, low) = fast_two_sum(high, low_low + low);
        Self { high, low }
    }
}

impl Neg for Double {
    type Output = Self;

    fn neg(self) -> Self {
        Self { high: -self.high, low: -self.low }
    }
}

impl Sub for Double {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self + -other
    }
}

impl Mul for Double {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        let high = self.high * other.high;
        let error = self.high.mul_add(other.high, -high);
        let (high, low) = fast_two_sum(high, error + self.high.mul_add(other.low, self.low * other.high));
        Self { high, low }
    }
}

impl Div for Double {
    type Output = Self;

    fn div(self, other: Self) -> Self {
        let quotient = self.high / other.high;
        let rest = self - other * Self::from(quotient);
        let (high, low) = fast_two_sum(quotient, rest.high / other.high);
        Self { high, low }
    }
}

/// `number` · 2^`exponent`, rounded once unless it is subnormal.
pub fn ldexp(mut number: f64, mut exponent: i32) -> f64 {
    const STEP: i32 = 1000;
    while exponent > STEP {
        number *= power_of_two(STEP);
        exponent -= STEP;
    }
    while exponent < -STEP {
        number *= power_of_two(-STEP);
        exponent += STEP;
    }
    number * power_of_two(exponent)
}

/// The least exponent for which 2^exponent is larger than |`number`|; `None` for zero.
pub fn exponent(number: f64) -> Option<i32> {
    let magnitude = number.abs();
    if magnitude == 0.0 {
        return None;
    }
    let of_normal = |number: f64| (number.to_bits() >> 52) as i32 - 1022;
    Some(if magnitude < f64::MIN_POSITIVE {
        of_normal(magnitude * power_of_two(64)) - 64
    } else {
        of_normal(magnitude)
    })
}

/// 2^`exponent`, between 2^-1022 and 2^1023.
pub const fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(((1023 + exponent) as u64) << 52)
}

/// The sum and its error, for any two floats.
#[inline]
pub fn two_sum(one: f64, other: f64) -> (f64, f64) {
    let sum = one + other;
    let of_other = sum - one;
    (sum, (one - (sum - of_other)) + (other - of_other))
}

/// The sum and its error, where |one| ≥ |other|.
fn fast_two_sum(one: f64, other: f64) -> (f64, f64) {
    let sum = one + other;
    (sum, other - (sum - one))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn exponents_bound_their_numbers() {
        for (number, expected) in [
            (1.0, 1),
            (-0.75, 0),
            (0.5, 0),
            (f64::MAX, 1024),
            (f64::MIN_POSITIVE, -1021),
            (5e-324, -1073),
            (1e-310, -1029),
        ] {
            assert_eq!(exponent(number), Some(expected), "{number:e}");
            let scaled = ldexp(number.abs(), -expected);
            assert!((0.5..1.0).contains(&scaled), "{number:e}");
            assert_eq!(ldexp(scaled, expected), number.abs());
        }
        assert_eq!(exponent(0.0), None);
        assert_eq!((ldexp(1.0, 2000), ldexp(1.0, -2000)), (f64::INFINITY, 0.0));
    }

    #[test]
    fn integers_are_exact_to_106_bits() {
        for number in [0, 1, -1, (1 << 100) + 1, i128::MAX, i128::MIN, -(1 << 90) - 7] {
            let double = Double::integer(number);
            assert_eq!(double.high, number as f64);
            let lost = number.wrapping_sub(double.low as i128).wrapping_sub(if double.high == 2_f64.powi(127) {
                i128::MIN
            } else {
                double.high as i128
            });
            assert!(lost.unsigned_abs() <= 1 << 21, "{number}");
        }
    }

    proptest! {
        /// Integers of up to 50 bits: their sums and products are exact, and so are quotients that are integers.
        #[test]
        fn integer_arithmetic_is_exact(a in -(1_i128 << 50)..1 << 50, b in 1_i128..1 << 50, c in 1_i128..1 << 50) {
            let [x, y, z] = [a, b, c].map(Double::integer);
            prop_assert_eq!(x * y + z, Double::integer(a * b + c));
            prop_assert_eq!(x * y - z, Double::integer(a * b - c));
            prop_assert_eq!((x * y) / y, x);
        }

        #[test]
        fn quotients_are_close(a in 1_i128..1 << 100, b in 1_i128..1 << 100) {
            let [x, y] = [a, b].map(Double::integer);
            let error = x / y * y - x;
            prop_assert!(error.high().abs() <= 30.0 * 2_f64.powi(-106) * x.high());
        }
    }
}
