//! Searching for a number among all parties' numbers by what is public about it: how it compares with thresholds.
//!
//! A question asks for the smallest code t for which a sum over all parties, of what each counts up to t, is not negative.
//! The sum grows with t, so bits that say for which thresholds it is negative follow from the answer (Aggarwal, Mishra,
//! Pinkas, "Secure computation of the median (and other elements of specified ranks)", Journal of Cryptology 23, 2010,
//! protocol Find-Ranked-Element-MultiParty, which opens one such bit a round). A step opens the bits of 15 thresholds, which is one hexadecimal digit of t, so that 64 bits take 16 steps.

use std::ops::RangeInclusive;

use fsc_core::party::Party;
use fsc_core::protocol::{Announced, Cost, ProtocolError};

use crate::circuit::garbled;
use crate::circuit::sign::Signs;
use crate::order::MOST;
use crate::preprocessing::Source;

/// The bits that a step finds out.
const DIGIT: u32 = 4;

/// The thresholds of a step, for one question.
const THRESHOLDS: usize = (1 << DIGIT) - 1;

/// Where to search, and for the answers to how many questions.
#[derive(Clone, Copy, Debug)]
pub struct Search {
    /// The least code that may be an answer.
    first: u64,
    steps: u32,
    questions: usize,
    conditions: usize,
    parties: usize,
}

/// A party's part in a question: what it adds to the sum, by threshold. At most one more than [`MOST`] from zero.
pub type Question<'a> = &'a (dyn Fn(u64) -> i64 + Sync);

impl Search {
    /// A search among these codes, which are public, for answers to that many questions.
    pub fn new(codes: &RangeInclusive<u64>, questions: usize, parties: usize) -> Self {
        let span = codes.end().saturating_sub(*codes.start());
        let steps = (u64::BITS - span.leading_zeros()).div_ceil(DIGIT);
        Self { first: *codes.start(), steps, questions, conditions: 0, parties }
    }

    /// The same on condition that a further sum, which the first step looks at, is not negative.
    #[must_use]
    pub fn on_condition(self) -> Self {
        Self { conditions: 1, ..self }
    }

    /// How many steps it takes: sixteen at most.
    pub fn steps(&self) -> u32 {
        self.steps
    }

    /// What a party sends for it.
    pub fn cost(&self, source: Source, all: &Announced) -> Cost {
        let counts: Vec<usize> = (0..self.steps).map(|step| self.sums(step)).collect();
        let steps = Signs::cost(source, self.parties, all.me(), self.sum_bits(), &counts);
        let last =
            if self.steps == 0 { Cost::default() } else { garbled::last_opening(source, self.parties, all.me()) };
        source.meeting_cost(all) + steps + last
    }

    /// The answers to all questions; none, if the condition, of which each party gives its term, does not hold.
    ///
    /// For every threshold the questions' sums, over all parties, must be in order, as counts are.
    pub async fn run(
        &self,
        party: &mut Party,
        source: Source,
        condition: Option<i64>,
        questions: &[Question<'_>],
    ) -> Result<Option<Vec<u64>>, ProtocolError> {
        let mut signs = Signs::prepare(party, source, self.sum_bits(), self.all_sums()).await?;
        let mut offsets = vec![0; self.questions];
        for step in 0..self.steps {
            let shift = DIGIT * (self.steps - 1 - step);
            let parts = questions.iter().zip(&offsets);
            let terms = parts.flat_map(|(question, offset)| self.thresholds(*offset, shift).map(question));
            let condition = condition.filter(|_| step == 0);
            let terms: Vec<i64> = terms.chain(condition).collect();
            let opened = signs.open(party, &terms).await?;
            if condition.is_some() && opened.get(opened.len() - 1) {
                return Ok(None);
            }
            for (index, offset) in offsets.iter_mut().enumerate() {
                // The thresholds before the answer are those whose sums are negative.
                let bits = opened.slice(index * THRESHOLDS, THRESHOLDS);
                *offset += (bits.iter().filter(|negative| *negative).count() as u64) << shift;
            }
        }
        Ok(Some(offsets.into_iter().map(|offset| self.first.saturating_add(offset)).collect()))
    }

    /// The thresholds after the 1st, 2nd…15th part of sixteen of what is left behind an offset.
    fn thresholds(&self, offset: u64, shift: u32) -> impl Iterator<Item = u64> + use<> {
        let first = self.first;
        (1..=THRESHOLDS as u64).map(move |digit| first.saturating_add(offset + (digit << shift) - 1))
    }

    /// How many signs a step takes.
    fn sums(&self, step: u32) -> usize {
        self.questions * THRESHOLDS + if step == 0 { self.conditions } else { 0 }
    }

    fn all_sums(&self) -> usize {
        (0..self.steps).map(|step| self.sums(step)).sum()
    }

    /// The sums are at most n · [`MOST`] and one from zero.
    fn sum_bits(&self) -> usize {
        (MOST.ilog2() + 1 + self.parties.next_power_of_two().ilog2()) as usize
    }
}

/// How many of the sorted codes are up to `threshold`.
pub fn count_up_to(sorted: &[u64], threshold: u64) -> i64 {
    sorted.partition_point(|code| *code <= threshold) as i64
}

#[cfg(test)]
pub(crate) mod testing;
