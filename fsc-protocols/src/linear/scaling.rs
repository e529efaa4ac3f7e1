//! Real numbers as integers: a vector is scaled by a power of two, so that its largest number fits, and rounded.

use crate::algebra::ring::times_power_of_two;

/// The least e such that every number is below 2^e in magnitude; 0 if all are zero. Public where numbers are scaled by it.
pub fn exponent(numbers: &[f64]) -> i32 {
    let largest = numbers.iter().fold(0.0_f64, |largest, number| largest.max(number.abs()));
    if largest == 0.0 {
        return 0;
    }
    let bits = largest.to_bits() >> 52 & 0x7ff;
    if bits > 0 { bits as i32 - 1022 } else { exponent(&[largest * 2_f64.powi(200)]) - 200 }
}

/// The integers nearest to the numbers·2^`bits`, ties to even; the caller knows that they are below 2^127.
pub fn integers(numbers: &[f64], bits: i32) -> Vec<i128> {
    numbers.iter().map(|number| times_power_of_two(*number, bits).round_ties_even() as i128).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponents_bound_the_magnitude() {
        for (number, expected) in [(1.0, 1), (0.999, 0), (-3.0, 2), (4.0, 3), (5e-324, -1073), (f64::MAX, 1024)] {
            assert_eq!(exponent(&[0.0, number]), expected, "{number}");
        }
        assert_eq!(exponent(&[]), 0);
    }

    #[test]
    fn integers_are_rounded_once_at_every_magnitude() {
        assert_eq!(integers(&[5e-324, -5e-324], 63 + 1073), [1 << 62, -(1 << 62)]);
        assert_eq!(integers(&[f64::MAX], 63 - 1024), [(1 << 63) - (1 << 10)]);
        assert_eq!(integers(&[0.5, 1.5, 2.5, -0.0], 0), [0, 2, 2, 0]);
    }
}
