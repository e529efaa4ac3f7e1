//! `SecureMedian`: the median of all parties' numbers.
//!
//! With N numbers, of which c(t) are up to t, the lower median is the smallest t with 2c(t) ≥ N, and the upper one the
//! smallest with 2c(t) > N; both are searched for at once ([`crate::search`]: Aggarwal, Mishra, Pinkas, Journal of
//! Cryptology 2010). Party i adds 2c_i(t) − n_i to the sums whose signs are opened, so that N itself need not be known.
//!
//! The data of a party is a number or a list of numbers. `parameters.type` is `"float64"` (the default) or `"int64"`;
//! `parameters.missing` and `parameters.preprocessing` are as everywhere. `lower` and `upper` are exact, for every finite
//! float; `median` is their mean, rounded once, or twice where their sum overflows.
//!
//! # Security
//!
//! Semi-honest adversary, any n − 1 parties corrupt, no trusted third party, unless the parameters name a dealer. On links
//! that are not sealed this protects against passive listeners only.
//!
//! # Leakage
//!
//! Nothing beyond the lower and the upper median (and the number of omitted numbers), and what follows from them. Where they
//! differ, N is even; neither N nor its parity is opened otherwise.
//!
//! # Wire
//!
//! One round of 16 bytes for the number of omitted ones, if that is asked for, and one search with two questions: as for
//! `KthElement`, with 30 thresholds a step, and in the first step one more that says whether there are any numbers. For two
//! parties that are 16 messages there and back, and one; for three or four, 16 · 5 rounds after 9 or 10 of preparation.
//!
//! # Differences from the reference
//!
//! The reference opens counts, in a search among rounded integers, and averages two elements by rank. Here the answer is
//! exact and nothing but it is opened; `lower` and `upper` are returned beside `median`, because the search tells them
//! anyway.

use fsc_core::object::ObjectError;
use fsc_core::party::Party;
use fsc_core::protocol::{
    Adversary, Announced, Corruptions, Cost, Protocol, ProtocolError, Security, Setup, Submission,
};
use fsc_core::secret::Secret;
use fsc_core::value::{ConvertError, Value};
use serde::Serialize;

use crate::circuit::Size;
use crate::data::{Column, Missing};
use crate::order::{self, Options, to_float, to_integer};
use crate::search::{Search, count_up_to};
use crate::sharing::masks;
use crate::sum::Kind;

/// The protocol; see the module's documentation.
pub struct SecureMedian;

/// What every party learns.
#[derive(Clone, Debug, Serialize)]
pub struct Median {
    /// The smallest number that at least half of all are up to.
    pub lower: Value,
    /// The smallest number that more than half of all are up to.
    pub upper: Value,
    /// Their mean.
    pub median: Value,
    /// How many were left out, where that was asked for.
    pub omitted: Option<u64>,
}

impl Protocol for SecureMedian {
    const NAME: &'static str = "SecureMedian";
    const VERSION: u16 = 1;
    const SECURITY: Security = Security {
        adversary: Adversary::SemiHonest,
        corruptions: Corruptions::AllButOne,
        setup: Setup::PairwiseKeys,
        leakage: &[
            "the type of the numbers",
            "both middle values, and what follows from them",
            "everything, to a dealer that the parameters name",
        ],
        paper: "Aggarwal, Mishra, Pinkas, Secure computation of the median (and other elements of specified ranks), \
                Journal of Cryptology 23, 2010: Find-Ranked-Element-MultiParty; signs of sums: Damgård et al., \
                Unconditionally secure constant-rounds multi-party computation, TCC 2006, section 6, on Goldreich, Micali, \
                Wigderson, How to play any mental game, STOC 1987 (Goldreich, Foundations of cryptography II, 2004, section \
                7.5.2); for two parties: Yao, How to generate and exchange secrets, FOCS 1986, with half gates: Zahur, \
                Rosulek, Evans, Two halves make a whole, Eurocrypt 2015, figure 2",
    };

    type Params = Options;
    /// The numbers' codes.
    type Input = Column<u64>;
    type Output = Median;

    fn admit(submission: Submission) -> Result<(Options, Column<u64>), ObjectError> {
        let options = Options::read(submission.parameters, submission.parties)?;
        Ok((options, options.codes(submission.data)?))
    }

    fn cost(params: &Options, all: &Announced) -> Cost {
        let omitted = if params.missing == Missing::Omit { Size::round(16) } else { Size::default() };
        let omitted = omitted.cost(params.preprocessing, all.parties());
        omitted + search(*params, all.parties()).cost(params.preprocessing, all)
    }

    fn present(output: Median) -> Result<Value, ConvertError> {
        let middle = [("lower", output.lower), ("upper", output.upper), ("median", output.median)];
        Ok(Value::map(middle.into_iter().chain(output.omitted.map(|omitted| ("omitted", omitted.into())))))
    }

    fn setup(params: &Options) -> Setup {
        params.preprocessing.setup()
    }

    async fn run(party: &mut Party, params: Options, input: Secret<Column<u64>>) -> Result<Median, ProtocolError> {
        let Column { numbers: mut sorted, omitted } = input.into_inner();
        sorted.sort_unstable();
        let omitted = match params.missing {
            Missing::Omit => {
                let share = masks::share_of_sum(party, Secret::new(vec![u128::from(omitted)]));
                let opened = party.open(share).await?.into_iter().next().unwrap_or_default();
                Some(order::count(opened, party.parties())?)
            }
            Missing::Error => None,
        };
        // What is beyond the half belongs to the sum once.
        let once = i64::from(party.me() == 0);
        let beyond_half = |threshold| 2 * count_up_to(&sorted, threshold) - sorted.len() as i64;
        let some = sorted.len() as i64 - once;
        let search = search(params, party.parties());
        let more_than_half = |threshold| beyond_half(threshold) - once;
        let found = search.run(party, params.preprocessing, Some(some), &[&beyond_half, &more_than_half]).await?;
        let [lower, upper] = found.ok_or(NOTHING)?[..] else { return Err(NOTHING) };
        let number = |code| params.number(code).ok_or(NOTHING);
        Ok(Median { lower: number(lower)?, upper: number(upper)?, median: mean(params.kind, [lower, upper]), omitted })
    }
}

const NOTHING: ProtocolError = ProtocolError::NoResult { why: "there are no numbers, so they have no median" };

fn search(options: Options, parties: usize) -> Search {
    let [least, greatest] = options.range();
    Search::new(&(least..=greatest), 2, parties).on_condition()
}

/// The mean of the numbers of two codes.
fn mean(kind: Kind, codes: [u64; 2]) -> Value {
    match kind {
        Kind::Float64 => {
            let [lower, upper] = codes.map(to_float);
            let sum = lower + upper;
            Value::Float(if sum.is_finite() { sum / 2.0 } else { lower / 2.0 + upper / 2.0 })
        }
        Kind::Int64 => {
            let sum: i128 = codes.map(|code| i128::from(to_integer(code))).iter().sum();
            if sum % 2 == 0 { Value::Int(sum / 2) } else { Value::Float(sum as f64 / 2.0) }
        }
    }
}

#[cfg(test)]
mod tests;
