use std::sync::Arc;

use fsc_core::joining::Keys;
use fsc_core::laws::Lawful;
use fsc_core::protocol_laws;
use fsc_core::sim::{Faults, simulate};
use proptest::prelude::*;
use rand::RngExt;
use rand_chacha::ChaCha20Rng;

use super::*;
use crate::moments::vectors::{self, cases, computed, recorded};
use crate::ot;
use crate::search::testing;

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
        let report = simulate::<StatisticsBivariate>(&Params::default(), inputs.clone(), 1, Faults::default()).unwrap();
        for outcome in report.outcomes {
            let result = outcome.unwrap();
            prop_assert!(agrees(&integers(&inputs), result.entry("result").unwrap()));
        }
    }
}

#[test]
fn recorded_vectors_are_met() {
    for case in cases("bivariate") {
        let result = computed::<StatisticsBivariate>(&case.data, &Value::Null).expect(&case.name);
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
    let result = computed::<StatisticsBivariate>(&data, &Value::map([("missing", "omit")])).unwrap();
    assert_eq!(result.entry("omitted"), Some(&Value::Int(3)));
    assert_eq!(result.entry("regression_slope"), Some(&Value::Float(-1.0)));
    assert_eq!(result.entry("regression_intercept"), Some(&Value::Float(3.0)));
    assert!(computed::<StatisticsBivariate>(&data, &Value::Null).unwrap_err().contains("null at position 1"));
}

#[test]
fn no_pairs_at_all_are_an_error_at_every_party() {
    let nobody = vec![Pairs { columns: [vec![], vec![]], omitted: 0 }; 3];
    let report = simulate::<StatisticsBivariate>(&Params::default(), nobody, 1, Faults::default());
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
