//! The passes over a party's own numbers: exact sums, at a few nanoseconds a number.
//!
//! # Exact sums
//!
//! A term t, |t| ≤ 2, becomes an integer multiple of 2^-90, and multiples add up without error. Adding 1.5·2^7 to a float
//! rounds it to a multiple of 2^-45, and the sum's bits, as an integer, exceed those of 1.5·2^7 by that multiple; what was
//! rounded away is exact again, and becomes a multiple of 2^-90 in the same way. So a term costs four additions of floats and
//! two of integers, without branches, and the compiler makes vector instructions of it. The result does not depend on the
//! order, and each term has an error of at most 2^-91.
//!
//! A term depends on its number and on what is public, and on nothing else, so a sum over all parties is a function of their
//! numbers together: who has which of them does not show, not even in the last bit.

use crate::algebra::double::{power_of_two, two_sum};

/// f of every sum but that of logarithms.
pub(crate) const FRACTION_BITS: u32 = 90;

/// f of the sum of logarithms, which are less than 2^11 in magnitude.
pub(crate) const LOGARITHM_BITS: u32 = 64;

/// The most numbers that all parties together may have: sums of as many terms of at most 1 stay below 2^127.
pub(crate) const MAX_SAMPLES: u64 = 1 << 36;

/// How many numbers are worked on at a time.
const LANES: usize = 8;

/// How many numbers between two carries of an accumulator; 2^17 terms of each lane would fit.
const BLOCK: usize = 64 * LANES;

/// As many numbers.
pub(crate) type Lanes = [f64; LANES];

/// The least and the greatest number; `None` if there are none.
pub(crate) fn range(numbers: &[f64]) -> Option<(f64, f64)> {
    let (mut least, mut greatest) = ([*numbers.first()?; LANES], [*numbers.first()?; LANES]);
    let (whole, rest) = numbers.as_chunks::<LANES>();
    for lanes in whole {
        for lane in 0..LANES {
            least[lane] = if lanes[lane] < least[lane] { lanes[lane] } else { least[lane] };
            greatest[lane] = if lanes[lane] > greatest[lane] { lanes[lane] } else { greatest[lane] };
        }
    }
    let all = |lanes: Lanes, choose: fn(f64, f64) -> f64| lanes.into_iter().chain(rest.iter().copied()).reduce(choose);
    Some((all(least, f64::min)?, all(greatest, f64::max)?))
}

/// Σ terms(x) over all numbers, as multiples of 2^-90. A term is at most 2 in magnitude.
pub(crate) fn sums<const K: usize>(numbers: &[f64], terms: impl Fn(&Lanes) -> [Lanes; K]) -> [i128; K] {
    let mut totals = [0; K];
    for block in numbers.chunks(BLOCK) {
        let mut sums = [Accumulator::ZERO; K];
        let (whole, rest) = block.as_chunks::<LANES>();
        for lanes in whole {
            for (sum, term) in sums.iter_mut().zip(terms(lanes)) {
                sum.add(&term);
            }
        }
        if let Some((lanes, used)) = filled(rest) {
            for (sum, mut term) in sums.iter_mut().zip(terms(&lanes)) {
                term[used..].fill(0.0);
                sum.add(&term);
            }
        }
        for (total, sum) in totals.iter_mut().zip(sums) {
            *total += sum.carry(block.len().div_ceil(LANES) as u64);
        }
    }
    totals
}

/// Σ log₂ x over positive numbers, as a multiple of 2^-64: their exponents, exactly, and the logarithms of their mantissas,
/// each to 2^-52.
pub(crate) fn logarithms(numbers: &[f64]) -> i128 {
    // Rounds to multiples of 2^-52, so that the sum is one, and nothing is lost by the shift below.
    let rounded = |logarithm: f64| (logarithm + 1.5) - 1.5;
    let [fractions] = sums(numbers, |lanes| [lanes.map(|number| rounded(split(number).0.log2()))]);
    let exponents: i64 = numbers.iter().map(|number| split(*number).1).sum();
    (i128::from(exponents) << LOGARITHM_BITS) + (fractions >> (FRACTION_BITS - LOGARITHM_BITS))
}

/// Σ over the pairs of x², xy and y², for multiples of 2^-62 that are at most 1, as multiples of 2^-90; each product is
/// rounded once.
pub(crate) fn products(pairs: impl Iterator<Item = (i64, i64)>) -> [i128; 3] {
    const EXCESS: u32 = 124 - FRACTION_BITS;
    let rounded = |product: i128| (product + (1 << (EXCESS - 1))) >> EXCESS;
    pairs.fold([0; 3], |[xx, xy, yy], (x, y)| {
        let (x, y) = (i128::from(x), i128::from(y));
        [xx + rounded(x * x), xy + rounded(x * y), yy + rounded(y * y)]
    })
}

/// (x − c)·2^-b as a multiple of 2^-62, rounded to the nearest, where it is at most 1 in magnitude; `factor` is 2^-b.
///
/// The difference is exact as a sum of two floats; one addition each makes integers of its parts, as in exact sums.
#[inline]
pub(crate) fn fixed(number: f64, centre: f64, factor: f64) -> i64 {
    const HIGH: f64 = 1.5 * power_of_two(52 - 30);
    const LOW: f64 = 1.5 * power_of_two(52 - 62);
    let (difference, error) = two_sum(number, -centre);
    let difference = difference * factor;
    let rounded = difference + HIGH;
    let rest = (difference - (rounded - HIGH)) + error * factor;
    let high = rounded.to_bits().wrapping_sub(HIGH.to_bits());
    let low = (rest + LOW).to_bits().wrapping_sub(LOW.to_bits());
    (high << 32).wrapping_add(low) as i64
}

/// Sums of terms in progress, lane by lane: the bits of what was rounded, added up, not yet freed of what was added to round.
#[derive(Clone, Copy)]
struct Accumulator {
    high: [u64; LANES],
    low: [u64; LANES],
}

impl Accumulator {
    const ZERO: Self = Self { high: [0; LANES], low: [0; LANES] };

    /// Rounds to multiples of 2^-45.
    const HIGH: f64 = 1.5 * power_of_two(52 - Self::HALF as i32);

    /// Rounds to multiples of 2^-90.
    const LOW: f64 = 1.5 * power_of_two(52 - FRACTION_BITS as i32);

    const HALF: u32 = FRACTION_BITS / 2;

    #[inline]
    fn add(&mut self, term: &Lanes) {
        for (lane, term) in term.iter().enumerate() {
            let rounded = term + Self::HIGH;
            let rest = term - (rounded - Self::HIGH);
            self.high[lane] = self.high[lane].wrapping_add(rounded.to_bits());
            self.low[lane] = self.low[lane].wrapping_add((rest + Self::LOW).to_bits());
        }
    }

    /// The sum of all terms; `added` were added to each lane.
    fn carry(self, added: u64) -> i128 {
        let total = |lanes: [u64; LANES], offset: f64| {
            let offset = offset.to_bits().wrapping_mul(added);
            lanes.into_iter().map(|lane| i128::from(lane.wrapping_sub(offset) as i64)).sum::<i128>()
        };
        (total(self.high, Self::HIGH) << Self::HALF) + total(self.low, Self::LOW)
    }
}

/// Too few numbers for all lanes, made up to as many by repeating the first; and how many there are.
fn filled(rest: &[f64]) -> Option<(Lanes, usize)> {
    let mut lanes = [*rest.first()?; LANES];
    lanes.iter_mut().zip(rest).for_each(|(lane, number)| *lane = *number);
    Some((lanes, rest.len()))
}

/// A positive number as m·2^e, 1 ≤ m < 2.
#[inline]
fn split(number: f64) -> (f64, i64) {
    const FRACTION: u64 = (1 << 52) - 1;
    // Subnormals become normal first.
    let (normal, bias) =
        if number < f64::MIN_POSITIVE { (number * power_of_two(64), 1023 + 64) } else { (number, 1023) };
    let bits = normal.to_bits();
    (f64::from_bits(bits & FRACTION | 1.0_f64.to_bits()), (bits >> 52) as i64 - bias)
}
