//! Exact arithmetic for tests, in integers of any size: what results are held against, sharing nothing with what computes them.

use num_bigint::BigInt;

use crate::algebra::double::ldexp;

/// Finite floats as integers, in units of 2^`unit`, the largest such that all of them are.
pub(crate) fn integers(numbers: &[f64]) -> (Vec<BigInt>, i32) {
    let parts: Vec<(i64, i32)> = numbers.iter().map(|number| decode(*number)).collect();
    let unit = parts.iter().filter(|(odd, _)| *odd != 0).map(|(_, exponent)| *exponent).min().unwrap_or_default();
    // A zero has any exponent.
    let integer = |(odd, exponent): (i64, i32)| BigInt::from(odd) << (exponent - unit).max(0);
    (parts.into_iter().map(integer).collect(), unit)
}

/// A finite float as m·2^e, m an odd integer or zero.
fn decode(number: f64) -> (i64, i32) {
    let (field, fraction) = ((number.to_bits() >> 52 & 0x7ff) as i32, (number.to_bits() & ((1 << 52) - 1)) as i64);
    let (magnitude, exponent) = if field == 0 { (fraction, -1074) } else { (fraction | 1 << 52, field - 1075) };
    let zeros = magnitude.trailing_zeros().min(52);
    let odd = magnitude >> zeros;
    (if number.is_sign_negative() { -odd } else { odd }, exponent + zeros as i32)
}

/// numerator/denominator · 2^`exponent`, right to a unit in the last place; infinite where it is too large.
pub(crate) fn quotient(numerator: &BigInt, denominator: &BigInt, exponent: i32) -> f64 {
    const BITS: i32 = 100;
    let shift = BITS + denominator.bits() as i32 - numerator.bits() as i32;
    let quotient = if shift > 0 { (numerator << shift) / denominator } else { numerator / (denominator << -shift) };
    let quotient = i128::try_from(quotient).expect("a bit more than asked for at most");
    ldexp(quotient as f64, exponent - shift)
}

/// The integer as a float.
pub(crate) fn float(number: &BigInt) -> f64 {
    quotient(number, &BigInt::from(1), 0)
}

/// d·A^-1·B and d, the determinant of A, from (A | B) row by row, where no leading principal minor of A is zero.
///
/// Elimination without fractions: Bareiss, "Sylvester's identity and multistep integer-preserving Gaussian elimination",
/// Mathematics of Computation 22, 1968, for the rows above the pivot, too.
pub(crate) fn solve(mut rows: Vec<Vec<BigInt>>) -> (Vec<Vec<BigInt>>, BigInt) {
    let mut previous = BigInt::from(1);
    for pivot in 0..rows.len() {
        let head = rows[pivot].clone();
        for row in (0..rows.len()).filter(|row| *row != pivot) {
            let factor = rows[row][pivot].clone();
            for (entry, above) in rows[row].iter_mut().zip(&head) {
                *entry = (&head[pivot] * &*entry - &factor * above) / &previous;
            }
        }
        previous = head[pivot].clone();
    }
    let size = rows.len();
    (rows.into_iter().map(|mut row| row.split_off(size)).collect(), previous)
}

#[test]
fn floats_are_integers_in_some_unit_and_quotients_are_floats() {
    let (integers, unit) = integers(&[1.5, -0.0, -12.0, 5e-324]);
    assert_eq!(unit, -1074);
    assert_eq!(quotient(&integers[0], &BigInt::from(1), unit), 1.5);
    assert_eq!(quotient(&integers[1], &integers[0], 0), 0.0);
    assert_eq!(quotient(&integers[2], &integers[0], 0), -8.0);
    assert_eq!(quotient(&integers[3], &BigInt::from(3), 0), 1.0 / 3.0);
    assert_eq!(quotient(&integers[0], &integers[3], 0), f64::INFINITY);
}

#[test]
fn systems_are_solved_in_integers() {
    let rows = [[2, 1, 1, 5], [1, 3, 2, 10], [1, 2, 4, 15]].map(|row| row.map(BigInt::from).to_vec()).to_vec();
    let (solution, determinant) = solve(rows.clone());
    for row in rows {
        let terms = row.iter().zip(&solution).map(|(entry, x)| entry * &x[0]);
        assert_eq!(terms.sum::<BigInt>(), &row[3] * &determinant);
    }
    assert_eq!(determinant, BigInt::from(13));
}
