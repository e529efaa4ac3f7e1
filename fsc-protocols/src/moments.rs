//! What the statistics of moments share: public scales, and sums over all parties.
//!
//! A column is divided by a power of two that all parties know, 2^a, so that its numbers are below 1; its sum, exact to
//! 2^-91·2^a a number, gives the mean to 107 bits; and deviations from the mean are divided by 2^b again, the least power of
//! two above the largest of them. Some number has that largest deviation, so Σ(x − x̄)² is at least ¼ in these units, and
//! errors of 2^-91 a number are small against it.

use fsc_core::object::ObjectError;
use fsc_core::party::Party;
use fsc_core::protocol::{Cost, ProtocolError};
use fsc_core::secret::Secret;

use crate::algebra::double::{Double, exponent, power_of_two};
use crate::moments::kernel::{FRACTION_BITS, MAX_SAMPLES};
use crate::sharing::masks;

#[cfg(test)]
pub(crate) mod classes;
pub(crate) mod kernel;
#[cfg(test)]
pub(crate) mod oracle;
#[cfg(test)]
pub(crate) mod vectors;

/// A power of two, to divide by.
#[derive(Clone, Copy)]
pub(crate) struct Scale {
    exponent: i32,
    /// What divides by it; in two steps, since 2^1073 is no binary64.
    factors: [f64; 2],
}

impl Scale {
    /// The least power of two above `largest` in magnitude.
    pub(crate) fn above(largest: f64) -> Self {
        Self::of(exponent(largest).unwrap_or_default())
    }

    /// 2^`exponent`, between 2^-1100 and 2^1100.
    pub(crate) fn of(exponent: i32) -> Self {
        let half = -exponent / 2;
        Self { exponent, factors: [power_of_two(half), power_of_two(-exponent - half)] }
    }

    pub(crate) const fn exponent(&self) -> i32 {
        self.exponent
    }

    /// The number divided by this; exactly, unless something is lost below 2^-1074.
    #[inline]
    pub(crate) fn apply(&self, number: f64) -> f64 {
        number * self.factors[0] * self.factors[1]
    }
}

/// The mean of scaled numbers, whose sum is a multiple of 2^-90.
pub(crate) fn mean(sum: i128, samples: u64) -> Double {
    let (quotient, rest) = (sum.div_euclid(samples.into()), sum.rem_euclid(samples.into()));
    let whole = Double::integer(quotient);
    let fraction = Double::from(rest as f64 / samples as f64);
    (whole + fraction).scaled(-(FRACTION_BITS as i32))
}

/// Opens the sums of all parties' terms.
pub(crate) async fn open_sums(party: &mut Party, terms: Vec<i128>) -> Result<Vec<i128>, ProtocolError> {
    let terms = terms.into_iter().map(|term| term as u128).collect();
    let share = masks::share_of_sum(party, Secret::new(terms));
    let sums = party.open(share).await?;
    Ok(sums.into_iter().map(|sum| sum as i128).collect())
}

/// What [`open_sums`] sends.
pub(crate) fn cost_of_sums(parties: usize, terms: usize) -> Cost {
    let others = parties as u64 - 1;
    Cost { rounds: 1, messages: others, bytes: 16 * others * terms as u64 }
}

/// Refuses more numbers than sums have room for.
pub(crate) fn check_count(numbers: usize, parties: usize) -> Result<(), ObjectError> {
    let most = MAX_SAMPLES / parties.max(1) as u64;
    if numbers as u64 > most {
        return Err(ObjectError::argument("data", format!("there are more than {most} numbers")));
    }
    Ok(())
}

/// The number of samples, if it is one: whoever adds junk gets an error, and so do all.
pub(crate) fn samples(sum: i128) -> Result<u64, ProtocolError> {
    u64::try_from(sum).ok().filter(|samples| (1..=MAX_SAMPLES).contains(samples)).ok_or_else(contradiction)
}

/// Refuses sums that `samples` terms of at most 1 and a bit can't have.
pub(crate) fn check_sums(sums: &[i128], samples: u64) -> Result<(), ProtocolError> {
    let bound = u128::from(samples) << (FRACTION_BITS + 1);
    if sums.iter().all(|sum| sum.unsigned_abs() <= bound) { Ok(()) } else { Err(contradiction()) }
}

/// What no parties open that follow the protocol.
pub(crate) fn contradiction() -> ProtocolError {
    ProtocolError::Output { why: "what the parties opened is contradictory".to_owned() }
}

/// Of parties that have no numbers, all together.
pub(crate) const NO_NUMBERS: ProtocolError = ProtocolError::NoResult { why: "no party has any numbers" };
