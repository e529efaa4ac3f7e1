use std::sync::Arc;

use fsc_core::joining::Keys;
use fsc_core::laws::{self, Lawful};
use fsc_core::protocol_laws;
use fsc_core::sim::{Faults, simulate};
use proptest::prelude::*;
use rand::RngExt;
use rand_chacha::ChaCha20Rng;

use super::*;
use crate::algebra::bits::Bits;
use crate::algebra::double::ldexp;
use crate::moments::vectors::{self, DEALER, cases, computed, dealer, recorded};
use crate::ot;
use crate::search::testing::{self, Seen};

protocol_laws!(StatisticsBivariate, docs: "../bivariate.rs", parties: 2..=7);

impl Lawful for StatisticsBivariate {
    fn params(rng: &mut ChaCha20Rng, parties: usize) -> Params {
        let missing = if rng.random() { Missing::Omit } else { Missing::Error };
        Params { missing, preprocessing: vectors::source(rng, parties) }
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
            && agrees(&integers(inputs), result)
    }
}

fn integers(inputs: &[Pairs]) -> Vec<(i128, i128)> {
    let pairs = inputs.iter().flat_map(|Pairs { columns: [x, y], .. }| x.iter().zip(y));
    pairs.map(|(x, y)| (*x as i128, *y as i128)).collect()
}

/// Whether the result is that of these integers, by sums of integers.
fn agrees(pairs: &[(i128, i128)], result: &Value) -> bool {
    let samples = pairs.len() as i128;
    let sum = |term: fn(i128, i128) -> i128| pairs.iter().map(|(x, y)| term(*x, *y)).sum::<i128>();
    let (sum_x, sum_y) = (sum(|x, _| x), sum(|_, y| y));
    let central = |term: fn(i128, i128) -> i128, one: i128, other: i128| (samples * sum(term) - one * other) as f64;
    let xx = central(|x, _| x * x, sum_x, sum_x);
    let xy = central(|x, y| x * y, sum_x, sum_y);
    let yy = central(|_, y| y * y, sum_y, sum_y);
    let count = samples as f64;
    let close = |name: &str, expected: f64, scale: f64| match result.entry(name) {
        Some(Value::Null) => !expected.is_finite(),
        Some(computed) => computed.as_f64().is_some_and(|computed| (computed - expected).abs() <= 1e-12 * scale),
        None => false,
    };
    // Exactly: ȳ − (S_xy/S_xx)·x̄ as one fraction.
    let intercept = (sum_y * xx as i128 - xy as i128 * sum_x) as f64 / (xx * count);
    let spread = (xx * yy).sqrt();
    close("samples", count, 0.0)
        && close("mean_x", sum_x as f64 / count, sum(|x, _| x.abs()) as f64 / count)
        && close("mean_y", sum_y as f64 / count, sum(|_, y| y.abs()) as f64 / count)
        && close("covariance_mle", xy / count / count, spread / count / count)
        && close("covariance", if samples > 1 { xy / count / (count - 1.0) } else { f64::NAN }, spread)
        && close("correlation_coefficient", xy / spread, 1.0)
        && close("regression_slope", xy / xx, (yy / xx).sqrt())
        && close("regression_intercept", intercept, intercept.abs())
        && close("regression_slope_only", sum(|x, y| x * y) as f64 / sum(|x, _| x * x) as f64, {
            sum(|x, y| (x * y).abs()) as f64 / sum(|x, _| x * x) as f64
        })
}

proptest! {
    #[test]
    fn results_are_those_of_exact_integers(
        parties in prop::collection::vec(prop::collection::vec((-8000_i32..8000, -50_i32..50), 0..9), 2..4),
        offset_x in prop::sample::select(vec![0_i64, -77_777, 1 << 40]),
        offset_y in prop::sample::select(vec![0_i64, 1, 1 << 40]),
    ) {
        prop_assume!(parties.iter().any(|party| !party.is_empty()));
        let number = |offset: i64, number: i32| (offset + i64::from(number)) as f64;
        let party = |pairs: &Vec<(i32, i32)>| Pairs {
            columns: [
                pairs.iter().map(|pair| number(offset_x, pair.0)).collect(),
                pairs.iter().map(|pair| number(offset_y, pair.1)).collect(),
            ],
            omitted: 0,
        };
        let inputs: Vec<Pairs> = parties.iter().map(party).collect();
        let report = simulate::<StatisticsBivariate>(&DEALER, inputs.clone(), 1, Faults::default()).unwrap();
        for outcome in report.outcomes {
            let result = outcome.unwrap();
            prop_assert!(agrees(&integers(&inputs), result.entry("result").unwrap()));
        }
    }
}

#[test]
fn recorded_vectors_are_met() {
    for case in cases("bivariate") {
        let result = computed::<StatisticsBivariate>(&case.data, &dealer()).expect(&case.name);
        vectors::check(&case.name, &result, &case.expected);
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
    let nobody = vec![Pairs { columns: [vec![], vec![]], omitted: 0 }; 3];
    let report = simulate::<StatisticsBivariate>(&DEALER, nobody, 1, Faults::default());
    for outcome in report.unwrap().outcomes {
        assert!(outcome.unwrap_err().to_string().contains("no party has any numbers"));
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
