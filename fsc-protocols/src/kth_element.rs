//! `KthElement`: the number of a given rank among all parties' numbers, in ascending order.
//!
//! A public search for the smallest t such that c(t), the number of elements up to t, is at least the rank: each step opens
//! for 15 thresholds whether it is ([`crate::search`]: Aggarwal, Mishra, Pinkas, Journal of Cryptology 2010). The counts
//! themselves stay with their parties; circuits tell the signs of their sums ([`crate::circuit::sign`]).
//!
//! The data of a party is `{"array": [number, …], "rank": k, "lower_bound": a, "upper_bound": b}`, or a list of one such. Rank and bounds are
//! public, and must be the same at all parties; the bounds may be absent, and then are those of the type.
//! `parameters.type` is `"float64"` (the default) or `"int64"`, which with close bounds takes fewer steps;
//! `parameters.missing` and `parameters.preprocessing` are as everywhere. The result is exact, for every finite float.
//!
//! # Security
//!
//! Semi-honest adversary, any n − 1 parties corrupt, no trusted third party, unless the parameters name a dealer. On links
//! that are not sealed this protects against passive listeners only.
//!
//! # Leakage
//!
//! Nothing beyond the element and the number of elements (and of omitted ones), and what follows from them. If any
//! party's elements are out of bounds, all learn that it is so, and the number of elements, but not whose they are.
//!
//! # Wire
//!
//! There are ⌈bits/4⌉ steps, 16 for floats within any wide bounds. After joining, one round for the counts, of 16 · 2 bytes to
//! each other party, or 16 · 3 with omitted ones. Then:
//!
//! *Two parties*, garbled circuits: for each step a message from the party at place 1, of 8 · 480 bytes, and one back of
//! 15 · 32 · 32; then two bytes each, which leave with the next ones. In all, 63 kB and 246 kB for 16 steps.
//!
//! *More*, or with a dealer: to each other party, after preprocessing, with s = 15 · steps sums of L bits and ⌈·⌉ of bytes (L = 32
//! for up to four parties, 36 for up to 64, so that their counts fit):
//!
//! ```text
//!   masks        a round for each carry-save level (n > 2)    ⌈2 L s ⌊terms/3⌋ / 8⌉
//!                1 + ⌈log₂ L⌉ rounds                          ⌈2 L s / 8⌉, then ⌈3 s · (half of L) / 8⌉ each, for L = 32
//!                2 rounds                                     ⌈L s / 8⌉, ⌈3 L s / 8⌉
//!   each step    1 round                                      8 · 15
//!                ⌈log₂ (L/4)⌉ rounds                          ⌈3 · 15 · pairs / 8⌉, the last ⌈2 · 15 / 8⌉
//!                1 round                                      ⌈15 / 8⌉
//! ```
//!
//! For 16 steps of three parties 89 rounds. All triples are made at once, before: 152 for each sum (32 more for each term
//! beyond two), and 7 for its sign.
//!
//! # Differences from the reference
//!
//! The reference halves the interval, one threshold a round, and shows its counts; here 15 bits are opened a step that
//! follow from the answer. Its search is among integers; ours is exact for floats. Elements out of bounds, and ranks that
//! do not exist, are errors at every party.

use std::collections::BTreeMap;

use fsc_core::object::ObjectError;
use fsc_core::party::Party;
use fsc_core::protocol::{
    Adversary, Announced, Corruptions, Cost, Protocol, ProtocolError, Security, Setup, Submission,
};
use fsc_core::secret::Secret;
use fsc_core::value::{ConvertError, Value};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::circuit::Size;
use crate::data::{Column, Missing};
use crate::order::{self, MOST, Options};
use crate::search::{Search, count_up_to};
use crate::sharing::masks;

/// The protocol; see the module's documentation.
pub struct KthElement;

/// What all parties must agree on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Params {
    /// Type, missing elements, preprocessing.
    pub options: Options,
    /// The rank, from 1.
    pub rank: u64,
    /// The code of the lower bound.
    pub lower: u64,
    /// The code of the upper bound, which is not below it.
    pub upper: u64,
}

/// What every party learns.
#[derive(Clone, Debug, Serialize)]
pub struct Element {
    /// The element.
    pub item: Value,
    /// How many elements there are.
    pub samples: u64,
    /// How many were left out, where that was asked for.
    pub omitted: Option<u64>,
}

impl Protocol for KthElement {
    const NAME: &'static str = "KthElement";
    const VERSION: u16 = 1;
    const SECURITY: Security = Security {
        adversary: Adversary::SemiHonest,
        corruptions: Corruptions::AllButOne,
        setup: Setup::PairwiseKeys,
        leakage: &[
            "the rank, the bounds and the type of the numbers",
            "what follows from element and count: for two parties, how many elements the other has",
            "if elements are out of bounds, that there are some",
            "everything, to a dealer that the parameters name",
        ],
        paper: "Aggarwal, Mishra, Pinkas, Secure computation of the median (and other elements of specified ranks), \
                Journal of Cryptology 23, 2010: Find-Ranked-Element-MultiParty; signs of sums: Damgård et al., \
                Unconditionally secure constant-rounds multi-party computation, TCC 2006, section 6, on Goldreich, Micali, \
                Wigderson, How to play any mental game, STOC 1987 (Goldreich, Foundations of cryptography II, 2004, section \
                7.5.2); for two parties: Yao, How to generate and exchange secrets, FOCS 1986, with half gates: Zahur, \
                Rosulek, Evans, Two halves make a whole, Eurocrypt 2015, figure 2",
    };

    type Params = Params;
    /// The elements' codes.
    type Input = Column<u64>;
    type Output = Element;

    fn admit(submission: Submission) -> Result<(Params, Column<u64>), ObjectError> {
        let options = Options::read(submission.parameters, submission.parties)?;
        let mut entries = entries(submission.data)?;
        let array = entries.remove("array").ok_or_else(|| wrong("it lacks the array"))?;
        let rank = match entries.remove("rank") {
            Some(Value::Int(rank)) => u64::try_from(rank).ok().filter(|rank| *rank > 0),
            _ => None,
        };
        let rank = rank.ok_or_else(|| wrong("its rank must be a whole number, from 1"))?;
        if rank > submission.parties as u64 * MOST as u64 {
            return Err(wrong("its rank is greater than the number of elements that there can be"));
        }
        let [least, greatest] = options.range();
        let mut bound = |key, default| entries.remove(key).map_or(Ok(default), |bound| options.code(bound));
        let (lower, upper) = (bound("lower_bound", least)?, bound("upper_bound", greatest)?);
        if let Some(key) = entries.keys().next() {
            return Err(wrong(format!("it has an unknown entry {key:?}")));
        }
        if lower > upper {
            return Err(wrong("its lower_bound is above its upper_bound"));
        }
        Ok((Params { options, rank, lower, upper }, options.codes(array)?))
    }

    fn cost(params: &Params, all: &Announced) -> Cost {
        let counts = Size::round(16 * params.counts()).cost(params.options.preprocessing, all.parties());
        counts + params.search(all.parties()).cost(params.options.preprocessing, all)
    }

    fn present(output: Element) -> Result<Value, ConvertError> {
        let omitted = output.omitted.map(|omitted| ("omitted", omitted.into()));
        Ok(Value::map([("item", output.item), ("samples", output.samples.into())].into_iter().chain(omitted)))
    }

    fn setup(params: &Params) -> Setup {
        params.options.preprocessing.setup()
    }

    async fn run(party: &mut Party, params: Params, input: Secret<Column<u64>>) -> Result<Element, ProtocolError> {
        let Column { numbers: mut sorted, omitted } = input.into_inner();
        sorted.sort_unstable();
        let outside = sorted.first().is_some_and(|least| *least < params.lower)
            || sorted.last().is_some_and(|greatest| *greatest > params.upper);
        let (samples, omitted) = params.count(party, sorted.len(), outside, omitted).await?;
        if params.rank > samples {
            return Err(ProtocolError::NoResult { why: "the rank is greater than the number of elements" });
        }
        // The rank belongs to the sum once.
        let rank = if party.me() == 0 { params.rank.cast_signed() } else { 0 };
        let question = |threshold| count_up_to(&sorted, threshold) - rank;
        let search = params.search(party.parties());
        let found = search.run(party, params.options.preprocessing, None, &[&question]).await?;
        let item = found.and_then(|found| params.options.number(*found.first()?));
        let item = item.ok_or(ProtocolError::NoResult { why: "there is no such element" })?;
        Ok(Element { item, samples, omitted })
    }
}

impl Params {
    fn search(&self, parties: usize) -> Search {
        Search::new(&(self.lower..=self.upper), 1, parties)
    }

    /// How many numbers are summed up: elements, the flag, and omitted ones.
    fn counts(&self) -> usize {
        if self.options.missing == Missing::Omit { 3 } else { 2 }
    }

    /// The number of elements, and of omitted ones where that is asked for, in all; an error, if any are out of bounds.
    async fn count(
        &self,
        party: &mut Party,
        mine: usize,
        outside: bool,
        omitted: u64,
    ) -> Result<(u64, Option<u64>), ProtocolError> {
        // Uniform, if any party has elements out of bounds: it says that there are some, not how many parties have.
        let flag = if outside { party.rng().random() } else { 0 };
        let mut mine = vec![mine as u128, flag, u128::from(omitted)];
        mine.truncate(self.counts());
        let share = masks::share_of_sum(party, Secret::new(mine));
        let mut totals = party.open(share).await?.into_iter();
        let samples = order::count(totals.next().unwrap_or_default(), party.parties())?;
        if totals.next() != Some(0) {
            return Err(ProtocolError::NoResult { why: "there are elements out of bounds" });
        }
        let omitted = totals.next().map(|omitted| order::count(omitted, party.parties())).transpose()?;
        Ok((samples, omitted))
    }
}

/// The map that the data is, or the only one in it.
fn entries(data: Value) -> Result<BTreeMap<String, Value>, ObjectError> {
    let only = match data {
        Value::List(mut items) if items.len() == 1 => items.swap_remove(0),
        data => data,
    };
    match only {
        Value::Map(entries) => Ok(entries),
        _ => Err(wrong("must be a map of array, rank, lower_bound and upper_bound")),
    }
}

fn wrong(why: impl Into<String>) -> ObjectError {
    ObjectError::argument("data", why)
}

#[cfg(test)]
mod tests;
