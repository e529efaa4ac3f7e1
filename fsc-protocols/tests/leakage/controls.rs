//! Negative controls: functions that show besides what the reference shows are caught by the test of `coalition`, and one that
//! draws the same in all its runs by that of `reruns`.

use std::collections::BTreeSet;
use std::marker::PhantomData;

use fsc_core::object::ObjectError;
use fsc_core::party::Party;
use fsc_core::protocol::{Announced, Cost, Erased, ErasedProtocol, Protocol, ProtocolError, Security, Submission};
use fsc_core::secret::Secret;
use fsc_core::value::{ConvertError, Value, json};
use fsc_protocols::bivariate::StatisticsBivariate;
use fsc_protocols::contingency::StatisticsContingency;
use fsc_protocols::frequency::StatisticsFrequency;
use fsc_protocols::kth_element::KthElement;
use fsc_protocols::matrix_product::SecureMatrixMultiplication;
use fsc_protocols::median::SecureMedian;
use fsc_protocols::minimum_maximum::MinimumMaximum;
use fsc_protocols::ols::StatisticsRegressionOLSVertical;
use fsc_protocols::sharing::masks;
use fsc_protocols::univariate::StatisticsUnivariate;
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;

use crate::coalition::told_apart;
use crate::examples::{self, Example, prepared};
use crate::suppression::numbers;

/// What a broken function does before it begins, with a party's data as the client gave them.
pub(crate) trait Fault: Send + Sync + 'static {
    fn shown(party: &mut Party, data: &Value) -> Shown;
}

pub(crate) enum Shown {
    Nothing,
    /// This, to everybody.
    Told(Vec<u8>),
    /// All parties' sums of these.
    Summed(Vec<u128>),
}

/// The function P, broken by F.
pub(crate) struct Broken<P, F>(PhantomData<(P, F)>);

impl<P: Protocol, F: Fault> Protocol for Broken<P, F> {
    const NAME: &'static str = P::NAME;
    const VERSION: u16 = P::VERSION;
    const SECURITY: Security = P::SECURITY;
    type Params = P::Params;
    type Input = (P::Input, Value);
    type Output = P::Output;

    fn admit(submission: Submission) -> Result<(P::Params, Self::Input), ObjectError> {
        let data = submission.data.clone();
        P::admit(submission).map(|(params, input)| (params, (input, data)))
    }

    fn announce(params: &P::Params, (input, _): &Self::Input) -> Value {
        P::announce(params, input)
    }

    fn cost(params: &P::Params, all: &Announced) -> Cost {
        P::cost(params, all)
    }

    fn present(output: P::Output) -> Result<Value, ConvertError> {
        P::present(output)
    }

    async fn run(party: &mut Party, params: P::Params, input: Secret<Self::Input>) -> Result<P::Output, ProtocolError> {
        let (input, data) = input.into_inner();
        let mut channel = party.fork("leak");
        match F::shown(party, &data) {
            Shown::Nothing => {}
            Shown::Told(bytes) => drop(channel.exchange(bytes.into()).await?),
            Shown::Summed(terms) => {
                let share = masks::share_of_sum(&mut channel, Secret::new(terms));
                channel.open(share).await?;
            }
        }
        P::run(party, params, Secret::new(input)).await
    }
}

/// Each party's least and greatest number.
struct Extremes;

impl Fault for Extremes {
    fn shown(_: &mut Party, data: &Value) -> Shown {
        let numbers = all(data);
        let extremes =
            [numbers.iter().copied().fold(f64::MAX, f64::min), numbers.iter().copied().fold(f64::MIN, f64::max)];
        Shown::Told(bytes(&extremes))
    }
}

/// How many elements there are up to each threshold of a search.
struct Counts;

impl Fault for Counts {
    fn shown(_: &mut Party, data: &Value) -> Shown {
        let numbers = all(data.entry("array").unwrap_or(data));
        let up_to = |threshold: u8| numbers.iter().filter(|x| **x <= f64::from(threshold)).count() as u128;
        Shown::Summed((0..16).map(up_to).collect())
    }
}

/// Which keys each party has.
struct Keys;

impl Fault for Keys {
    fn shown(_: &mut Party, data: &Value) -> Shown {
        let Value::List(records) = data else { panic!("a list") };
        let keys: BTreeSet<Vec<u8>> = records.iter().map(json::to_vec).collect();
        Shown::Told(keys.into_iter().collect::<Vec<_>>().concat())
    }
}

/// A party's matrix, or its vector, as it is.
struct Raw;

impl Fault for Raw {
    fn shown(_: &mut Party, data: &Value) -> Shown {
        Shown::Told(bytes(&all(data)))
    }
}

/// The same but for one dimension: its product with a public vector.
struct Projected;

impl Fault for Projected {
    fn shown(_: &mut Party, data: &Value) -> Shown {
        Shown::Told(bytes(&[all(data).iter().zip(1_u8..).map(|(entry, weight)| entry * f64::from(weight)).sum()]))
    }
}

fn all(data: &Value) -> Vec<f64> {
    let mut all = Vec::new();
    numbers(data, &mut all);
    all
}

fn bytes(numbers: &[f64]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

/// Whatever a party draws, it draws the same in every run.
pub(crate) struct SameDraws;

impl Fault for SameDraws {
    fn shown(party: &mut Party, _: &Value) -> Shown {
        *party.rng() = ChaCha20Rng::seed_from_u64(party.me() as u64);
        Shown::Nothing
    }
}

#[track_caller]
fn is_caught<P: Protocol, F: Fault>(example: &Example) {
    let broken: &dyn ErasedProtocol = &Erased::<Broken<P, F>>::NEW;
    let parts = |version: usize| prepared(broken, example.parameters, example.data[version]);
    let noticed = told_apart(example.coalition, parts, None);
    assert!(noticed.is_some(), "{}: the reference's leak went unnoticed", example.function);
}

#[test]
fn broadcast_extremes_are_caught() {
    is_caught::<MinimumMaximum, Extremes>(&examples::minimum_maximum());
    is_caught::<MinimumMaximum, Extremes>(&examples::extremes_of_two_parties());
    is_caught::<StatisticsUnivariate, Extremes>(&examples::univariate());
    is_caught::<StatisticsBivariate, Extremes>(&examples::bivariate());
}

#[test]
fn counts_of_each_step_are_caught() {
    is_caught::<KthElement, Counts>(&examples::kth_element());
    is_caught::<SecureMedian, Counts>(&examples::median());
}

#[test]
fn broadcast_keys_are_caught() {
    is_caught::<StatisticsFrequency, Keys>(&examples::frequency());
    is_caught::<StatisticsFrequency, Keys>(&examples::frequency_with_minimum());
    is_caught::<StatisticsContingency, Keys>(&examples::contingency());
    is_caught::<StatisticsContingency, Keys>(&examples::contingency_with_minimum());
}

#[test]
fn raw_and_projected_matrices_are_caught() {
    is_caught::<SecureMatrixMultiplication, Raw>(&examples::matrix_on_the_left());
    is_caught::<SecureMatrixMultiplication, Projected>(&examples::matrix_on_the_left());
    is_caught::<SecureMatrixMultiplication, Projected>(&examples::matrix_on_the_right());
    is_caught::<StatisticsRegressionOLSVertical, Raw>(&examples::dependent_variable());
    is_caught::<StatisticsRegressionOLSVertical, Projected>(&examples::dependent_variable());
    is_caught::<StatisticsRegressionOLSVertical, Projected>(&examples::columns_of_several());
}
