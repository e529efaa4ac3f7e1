use std::sync::Arc;

use fsc_core::joining::Keys;
use fsc_core::laws::{self, Lawful};
use fsc_core::protocol_laws;
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;

use super::*;
use crate::algebra::bits::Bits;
use crate::algebra::double::ldexp;
use crate::moments::vectors::{DEALER, among, by, cases, check, computed, recorded};
use crate::moments::{classes, oracle};
use crate::ot;
use crate::search::testing::{self, Seen};

protocol_laws!(StatisticsBivariate, docs: "../bivariate.rs", parties: 2..=7);

impl Lawful for StatisticsBivariate {
    fn params(rng: &mut ChaCha20Rng, parties: usize) -> Params {
        let missing = if rng.random() { Missing::Omit } else { Missing::Error };
        Params { missing, preprocessing: testing::source(rng, parties) }
    }

    /// Integers about means that may be large; one party may have none.
    fn inputs(rng: &mut ChaCha20Rng, _: &Params, parties: usize) -> Vec<Pairs> {
        let mean = [0, 300, 1_000_000_000][rng.random_range(0..3)];
        let number = move |rng: &mut ChaCha20Rng| f64::from(mean + rng.random_range(-200..200));
        let mut pairs = |least| {
            let count = rng.random_range(least..5);
            [(); 2].map(|()| (0..count).map(|_| number(rng)).collect())
        };
        let pairs = |place: usize| Pairs { columns: pairs(1 - place.min(1)), omitted: place as u64 };
        (0..parties).map(pairs).collect()
    }

    fn acquaint(keys: &[Arc<Keys>]) {
        ot::acquaint(keys);
    }

    fn is_right(params: &Params, inputs: &[Pairs], result: &Value) -> bool {
        let omitted = inputs.iter().map(|input| input.omitted).sum::<u64>();
        result.entry("omitted") == (params.missing == Missing::Omit).then(|| Value::from(omitted)).as_ref()
            && check(result, &expected(inputs)).is_ok()
    }
}

/// What must come out for all of these pairs together.
fn expected(inputs: &[Pairs]) -> oracle::Expected {
    let [x, y] =
        [0, 1].map(|side| inputs.iter().flat_map(|input| input.columns[side].iter().copied()).collect::<Vec<_>>());
    oracle::bivariate(&x, &y)
}

/// Pairs as clients write them.
fn submitted(parties: &[Vec<(f64, f64)>]) -> Vec<Value> {
    let pair = |(x, y): &(f64, f64)| Value::List(vec![Value::Float(*x), Value::Float(*y)]);
    parties.iter().map(|pairs| Value::List(pairs.iter().map(pair).collect())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn statistics_of_pairs_of_any_class_are_those_of_exact_integers(parties in classes::pairs()) {
        let (x, y): (Vec<f64>, Vec<f64>) = parties.concat().into_iter().unzip();
        let expected = oracle::bivariate(&x, &y);
        for source in testing::SOURCES {
            let result = computed::<StatisticsBivariate>(&submitted(&parties), &by(source)).unwrap();
            prop_assert_eq!(check(&result, &expected), Ok(()));
        }
    }
}

/// However many parties hold the pairs, and whatever their comparisons are made of.
#[test]
fn recorded_vectors_are_met() {
    for case in cases("bivariate") {
        let result = computed::<StatisticsBivariate>(&case.data, &by(Source::Dealer(0))).expect(&case.name);
        assert_eq!(check(&result, &case.expected), Ok(()), "{}", case.name);
        for (parties, source) in testing::ways() {
            let data = among(parties, &case.data);
            let again = computed::<StatisticsBivariate>(&data, &by(source)).expect(&case.name);
            assert_eq!(again, result, "{}, {parties} parties, {source:?}", case.name);
        }
    }
}

#[test]
fn a_million_pairs_about_large_means() {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let mut pairs = |count: usize| {
        let x: Vec<f64> = (0..count).map(|_| 1e9 + rng.random_range(-1.0..1.0)).collect();
        let y = x.iter().map(|x| 0.5 * x - rng.random_range(-1.0..1.0)).collect();
        Pairs { columns: [x, y], omitted: 0 }
    };
    let inputs = vec![pairs(600_000), pairs(400_000)];
    for result in testing::results::<StatisticsBivariate>(&Params::default(), inputs.clone()) {
        assert_eq!(check(&result.unwrap(), &expected(&inputs)), Ok(()));
    }
}

#[test]
fn the_recorded_run_of_the_reference_is_met() {
    recorded::<StatisticsBivariate>(&["mean_x", "mean_y", "regression_intercept"]);
}

#[test]
fn incomplete_pairs_are_left_out_and_counted() {
    let pair = |x: Value, y: Value| Value::List(vec![x, y]);
    let (one, two) = (Value::Int(1), Value::Int(2));
    let data = [
        Value::List(vec![pair(one.clone(), two.clone()), pair(Value::Null, one.clone()), Value::Null]),
        Value::List(vec![pair(two.clone(), one), pair(two, Value::Null)]),
    ];
    let result = computed::<StatisticsBivariate>(
        &data,
        &Value::map([("missing", "omit".into()), ("preprocessing", Value::map([("dealer", 1)]))]),
    )
    .unwrap();
    assert_eq!(result.entry("omitted"), Some(&Value::Int(3)));
    assert_eq!(result.entry("regression_slope"), Some(&Value::Float(-1.0)));
    assert_eq!(result.entry("regression_intercept"), Some(&Value::Float(3.0)));
    assert!(computed::<StatisticsBivariate>(&data, &Value::Null).unwrap_err().contains("null at position 1"));
}

#[test]
fn no_pairs_at_all_are_an_error_at_every_party() {
    for (parties, preprocessing) in testing::ways() {
        let params = Params { preprocessing, ..DEALER };
        let nobody = vec![Pairs { columns: [vec![], vec![]], omitted: 0 }; parties];
        for result in testing::results::<StatisticsBivariate>(&params, nobody) {
            assert!(result.unwrap_err().contains("no party has any numbers"));
        }
    }
}

#[test]
fn exponents_have_codes_in_their_order() {
    let numbers = [0.0, 5e-324, 1e-310, f64::MIN_POSITIVE, 0.75, 1.0, 1.5, f64::MAX];
    let codes = numbers.map(code);
    assert!(codes.is_sorted());
    for (number, code) in numbers.into_iter().zip(codes) {
        assert_eq!(decode(code), Ok(exponent(number)));
    }
    assert!(decode(5000).is_err() && decode(u64::MAX).is_err());
}

/// The cost as it stands in the documentation, number by number.
#[test]
fn costs_are_these() {
    let all = |parties| Announced::new(0, vec![Value::Null; parties]);
    for (parties, missing, bytes) in
        [(2, Missing::Error, 96), (3, Missing::Error, 192), (3, Missing::Omit, 224), (7, Missing::Error, 576)]
    {
        let params = Params { missing, ..DEALER };
        let others = parties as u64 - 1;
        let sums = Cost { rounds: 2, messages: 2 * others, bytes };
        let exponents = extremes_cost(params.preprocessing, parties, 0, 2);
        assert_eq!(StatisticsBivariate::cost(&params, &all(parties)), exponents + exponents + sums);
    }
}

/// Inputs of the same pairs, differently held.
fn held() -> [Vec<Pairs>; 2] {
    let pairs = |x: &[f64], y: &[f64]| Pairs { columns: [x.to_vec(), y.to_vec()], omitted: 0 };
    [
        vec![pairs(&[-2.0, 70.0], &[0.1, 0.2]), pairs(&[1.0, 0.1], &[3.0, 4.0]), pairs(&[3.5], &[-1.0])],
        vec![pairs(&[], &[]), pairs(&[0.1, 1.0, -2.0], &[4.0, 3.0, 0.1]), pairs(&[70.0, 3.5], &[0.2, -1.0])],
    ]
}

/// What is opened, from what every party learns alone.
fn simulated(source: Source, parties: usize, output: &Moments) -> Vec<Seen> {
    let [x, y] = output.columns;
    let masked = || testing::masked_extremes(source, parties, 2);
    let exponents = |[x, y]: [Option<i32>; 2]| {
        let [x, y] = [x, y].map(|exponent| exponent.map_or(0, |exponent| (exponent + OFFSET) as u64));
        Seen::Bits(Bits::positions(&[0, 0, !x, !y], 64).to_bytes().to_vec())
    };
    let mut seen: Vec<Seen> = masked().collect();
    seen.push(exponents([x.magnitude, y.magnitude]));
    seen.push(Seen::Sums(vec![output.samples.into(), x.sum as u128, y.sum as u128]));
    seen.extend(masked());
    seen.push(exponents([x.deviation, y.deviation]));
    seen.push(Seen::Sums(output.products.map(|sum| sum as u128).to_vec()));
    seen
}

/// The ideal function: all pairs in one hand. x, y and their deviations are exact in fixed point here.
fn ideal(inputs: &[Pairs]) -> Moments {
    let column = |index: usize| inputs.iter().flat_map(move |input| input.columns[index].iter().copied());
    let samples = column(0).count() as u64;
    let exact = |number: f64, bits: i32| ldexp(number, bits).round_ties_even() as i128;
    let spread = |index: usize| {
        let magnitude = column(index).filter_map(exponent).max();
        let scaled = |x: f64| ldexp(x, -magnitude.unwrap());
        let sum: i128 = column(index).map(|x| exact(scaled(x), 90)).sum();
        let centre = (sum as f64 / samples as f64) / 2_f64.powi(90);
        let deviation = column(index).filter_map(|x| exponent(scaled(x) - centre)).max();
        let units = move |x: f64| {
            let exact_difference = Double::from(scaled(x)) - Double::from(centre);
            exact(exact_difference.scaled(-deviation.unwrap()).high(), 62)
                + exact(exact_difference.scaled(-deviation.unwrap()).low(), 62)
        };
        (Spread { magnitude, sum, deviation }, column(index).map(units).collect::<Vec<_>>())
    };
    let ((x, xs), (y, ys)) = (spread(0), spread(1));
    let products = |one: &[i128], other: &[i128]| -> i128 {
        one.iter().zip(other).map(|(a, b)| (a * b + (1 << 33)).div_euclid(1 << 34)).sum()
    };
    let products = [products(&xs, &xs), products(&xs, &ys), products(&ys, &ys)];
    Moments { samples, omitted: None, columns: [x, y], products }
}

#[test]
fn what_is_opened_follows_from_the_result() {
    for inputs in held() {
        for (preprocessing, parties) in [(Source::Dealer(0), 3), (Source::Oblivious, 3), (Source::Oblivious, 2)] {
            let inputs = inputs[..parties].to_vec();
            let predicted = ideal(&inputs);
            let params = Params { preprocessing, ..DEALER };
            let report = testing::run_among_acquaintances::<StatisticsBivariate>(&params, inputs);
            testing::compare(&report, parties, &simulated(preprocessing, parties, &predicted)).unwrap();
            let another = Moments { samples: predicted.samples + 1, ..predicted };
            testing::compare(&report, parties, &simulated(preprocessing, parties, &another)).unwrap_err();
        }
    }
}

/// Negative control: everybody tells everybody the exponents of its own largest numbers.
struct Broadcasts;

impl Protocol for Broadcasts {
    const NAME: &'static str = StatisticsBivariate::NAME;
    const VERSION: u16 = StatisticsBivariate::VERSION;
    const SECURITY: Security = StatisticsBivariate::SECURITY;
    type Params = Params;
    type Input = Pairs;
    type Output = Value;

    fn admit(submission: Submission) -> Result<(Params, Pairs), ObjectError> {
        StatisticsBivariate::admit(submission)
    }

    fn cost(params: &Params, all: &Announced) -> Cost {
        StatisticsBivariate::cost(params, all)
    }

    async fn run(party: &mut Party, _: Params, input: Secret<Pairs>) -> Result<Value, ProtocolError> {
        let mine = input.expose().columns.each_ref().map(|column| magnitude(column).unwrap_or(0));
        let all = party.exchange(mine.map(u64::to_le_bytes).concat().into()).await?;
        let exponents = all.iter().flat_map(|said| said.as_chunks().0).map(|bytes| u64::from_le_bytes(*bytes));
        Ok(exponents.max().into_iter().map(Value::from).collect::<Vec<_>>().into())
    }
}

impl Lawful for Broadcasts {
    fn params(rng: &mut ChaCha20Rng, parties: usize) -> Params {
        StatisticsBivariate::params(rng, parties)
    }

    fn inputs(rng: &mut ChaCha20Rng, params: &Params, parties: usize) -> Vec<Pairs> {
        StatisticsBivariate::inputs(rng, params, parties)
    }

    fn is_right(_: &Params, _: &[Pairs], _: &Value) -> bool {
        true
    }
}

#[test]
fn transcripts_of_the_same_result_are_indistinguishable_but_for_broadcasts() {
    let [one, other] = held();
    laws::transcripts_are_indistinguishable::<StatisticsBivariate>(&DEALER, &one, &other).unwrap();
    laws::transcripts_are_indistinguishable::<Broadcasts>(&DEALER, &one, &other).unwrap_err();
}
