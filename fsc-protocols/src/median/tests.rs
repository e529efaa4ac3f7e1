use std::sync::Arc;

use fsc_core::joining::Keys;
use fsc_core::laws::Lawful;
use fsc_core::protocol_laws;
use proptest::prelude::{ProptestConfig, prop, prop_assert_eq, proptest};
use rand::RngExt;
use rand_chacha::ChaCha20Rng;

use super::*;
use crate::order::{of_float, of_integer};
use crate::ot;
use crate::preprocessing::Source;
use crate::search::testing::{self, recorded, results, value};

protocol_laws!(SecureMedian, docs: "../median.rs", parties: 2..=5);

impl Lawful for SecureMedian {
    fn params(rng: &mut ChaCha20Rng, parties: usize) -> Options {
        let kind = if rng.random() { Kind::Float64 } else { Kind::Int64 };
        let missing = if rng.random() { Missing::Omit } else { Missing::Error };
        Options { kind, missing, preprocessing: testing::source(rng, parties) }
    }

    /// Any number of numbers at each party, and one at least in all.
    fn inputs(rng: &mut ChaCha20Rng, params: &Options, parties: usize) -> Vec<Column<u64>> {
        let mut column = |place: usize| {
            let count = rng.random_range(usize::from(place == 0)..6);
            let number = |_| match params.kind {
                Kind::Float64 => of_float(testing::float(rng)),
                Kind::Int64 => of_integer(rng.random_range(-3..3) * (i64::MAX / 3)),
            };
            let numbers = (0..count).map(number).collect();
            let omitted = if params.missing == Missing::Omit { rng.random_range(0..9) } else { 0 };
            Column { numbers, omitted }
        };
        (0..parties).map(&mut column).collect()
    }

    fn acquaint(keys: &[Arc<Keys>]) {
        ot::acquaint(keys);
    }

    fn is_right(params: &Options, inputs: &[Column<u64>], result: &Value) -> bool {
        let mut all: Vec<u64> = inputs.iter().flat_map(|input| &input.numbers).copied().collect();
        all.sort_unstable();
        let middle = [all[(all.len() - 1) / 2], all[all.len() / 2]];
        let omitted: u64 = inputs.iter().map(|input| input.omitted).sum();
        let omitted = (params.missing == Missing::Omit).then(|| Value::from(omitted));
        result.entry("lower") == params.number(middle[0]).as_ref()
            && result.entry("upper") == params.number(middle[1]).as_ref()
            && result.entry("median").is_some_and(|median| is_between(params.kind, middle, median))
            && result.entry("omitted") == omitted.as_ref()
    }
}

/// Whether a mean is near enough to both: half of each is exact but for subnormal numbers, and the sum of halves rounds once.
fn is_between(kind: Kind, middle: [u64; 2], mean: &Value) -> bool {
    match (kind, mean) {
        (Kind::Float64, Value::Float(mean)) => {
            let [lower, upper] = middle.map(to_float);
            (lower / 2.0 + upper / 2.0 - mean).abs() <= 5e-324_f64.max(mean.abs() * f64::EPSILON)
        }
        (_, Value::Int(mean)) => 2 * mean == middle.map(|code| i128::from(to_integer(code))).iter().sum::<i128>(),
        (_, Value::Float(mean)) => {
            let twice: i128 = middle.map(|code| i128::from(to_integer(code))).iter().sum();
            twice % 2 != 0 && *mean == twice as f64 / 2.0
        }
        _ => false,
    }
}

const FLOATS: Options = Options { kind: Kind::Float64, missing: Missing::Error, preprocessing: Source::Dealer(0) };

fn floats(numbers: &[f64]) -> Column<u64> {
    Column { numbers: numbers.iter().map(|number| of_float(*number)).collect(), omitted: 0 }
}

/// What all parties have, by either way to compare.
fn median_of(parties: &[&[f64]]) -> [f64; 3] {
    let inputs: Vec<_> = parties.iter().map(|numbers| floats(numbers)).collect();
    let by = |preprocessing| results::<SecureMedian>(&Options { preprocessing, ..FLOATS }, inputs.clone());
    let mut all: Vec<Value> = testing::SOURCES.into_iter().flat_map(by).map(Result::unwrap).collect();
    let result = all.swap_remove(0);
    assert!(all.iter().all(|other| *other == result), "parties disagree");
    ["lower", "median", "upper"].map(|key| result.entry(key).unwrap().as_f64().unwrap())
}

#[test]
fn the_recorded_result_is_met() {
    let (data, expected) = recorded("SecureMedian");
    let admit = |data| {
        let parameters = value(r#"{"preprocessing": {"dealer": 0}}"#);
        SecureMedian::admit(Submission { data, parameters, parties: 2, me: 0 }).unwrap()
    };
    let (params, inputs): (Vec<_>, Vec<_>) = data.into_iter().map(admit).unzip();
    for result in results::<SecureMedian>(&params[0], inputs) {
        assert_eq!(result.unwrap().entry("median").unwrap().as_f64(), expected.entry("median").unwrap().as_f64());
    }
}

#[test]
fn the_median_is_exact_for_every_finite_float() {
    assert_eq!(median_of(&[&[5e-324], &[]]), [5e-324; 3]);
    assert_eq!(median_of(&[&[1e300, 0.57], &[-1e300]]), [0.57; 3]);
    assert_eq!(median_of(&[&[f64::MAX], &[f64::MAX]]), [f64::MAX; 3]);
    assert_eq!(median_of(&[&[f64::MIN], &[f64::MAX]]), [f64::MIN, 0.0, f64::MAX]);
    assert_eq!(median_of(&[&[1e-7, 1e-7], &[0.5], &[1e-7]]), [1e-7; 3]);
    assert_eq!(median_of(&[&[1e308], &[1.5e308]]), [1e308, 1.25e308, 1.5e308]);
    assert_eq!(median_of(&[&[], &[3.0, 1.0, 2.0]]), [2.0; 3]);
}

#[test]
fn negative_zero_counts_as_zero() {
    let parameters = value(r#"{"preprocessing": {"dealer": 0}}"#);
    let submission = Submission { data: value("[-0.0, 0]"), parameters, parties: 2, me: 0 };
    assert_eq!(SecureMedian::admit(submission).unwrap().1.numbers, [of_float(0.0); 2]);
}

#[test]
fn nothing_has_no_median_at_any_party() {
    for (parties, preprocessing) in testing::ways() {
        for kind in [Kind::Float64, Kind::Int64] {
            let params = Options { kind, preprocessing, ..FLOATS };
            for result in results::<SecureMedian>(&params, vec![floats(&[]); parties]) {
                assert!(result.unwrap_err().contains("no numbers"));
            }
        }
    }
}

#[test]
fn the_extremes_of_integers_have_a_median() {
    let column = |number: &[i64]| Column { numbers: number.iter().copied().map(of_integer).collect(), omitted: 0 };
    let inputs = [column(&[i64::MIN]), column(&[i64::MAX]), column(&[])];
    for (parties, preprocessing) in testing::ways() {
        let params = Options { kind: Kind::Int64, preprocessing, ..FLOATS };
        for result in results::<SecureMedian>(&params, inputs[..parties].to_vec()) {
            let result = result.unwrap();
            assert_eq!(result.entry("lower"), Some(&Value::from(i64::MIN)));
            assert_eq!(result.entry("upper"), Some(&Value::from(i64::MAX)));
            assert_eq!(result.entry("median"), Some(&Value::Float(-0.5)));
        }
    }
}

/// A prime: the multiples of any number but itself, modulo it, are all numbers below it.
const PRIME: u64 = 1_000_003;

#[test]
fn a_million_numbers_have_a_median() {
    let numbers = |multiples: std::ops::Range<u64>| multiples.map(|i| of_float((i * 777_777 % PRIME) as f64 / 8.0));
    let column = |multiples| Column { numbers: numbers(multiples).collect(), omitted: 0 };
    let params = Options { preprocessing: Source::Oblivious, ..FLOATS };
    for result in results::<SecureMedian>(&params, vec![column(1..700_000), column(700_000..PRIME)]) {
        let result = result.unwrap();
        assert_eq!(result.entry("lower"), Some(&Value::Float(500_001.0 / 8.0)));
        assert_eq!(result.entry("upper"), Some(&Value::Float(500_002.0 / 8.0)));
    }
}

/// Sixteen steps of five rounds after eight of preparation, nine for three parties.
#[test]
fn rounds_are_these() {
    assert_eq!(search(FLOATS, 2).steps(), 16);
    for (parties, rounds) in [(2, 88), (3, 89), (4, 90)] {
        let cost = SecureMedian::cost(&FLOATS, &Announced::new(0, vec![Value::Null; parties]));
        assert_eq!((cost.rounds, cost.messages), (rounds, u64::from(rounds) * (parties as u64 - 1)));
    }
    let omit = Options { missing: Missing::Omit, ..FLOATS };
    assert_eq!(SecureMedian::cost(&omit, &Announced::new(0, vec![Value::Null; 2])).rounds, 89);
}

#[test]
fn what_is_opened_follows_from_the_result() {
    for (inputs, middle) in [
        ([floats(&[1.0, 2.0]), floats(&[3.0, -7.5])], [1.0, 2.0]),
        ([floats(&[1.0, 2.0, 2.0]), floats(&[1.0, 1.0, 1e300, 2.0, -1e300])], [1.0, 2.0]),
        ([floats(&[0.57]), floats(&[])], [0.57, 0.57]),
        ([floats(&[0.57; 100]), floats(&[-4.0, 6.0])], [0.57, 0.57]),
    ] {
        for options in [FLOATS, Options { preprocessing: Source::Oblivious, ..FLOATS }] {
            let report = testing::run_among_acquaintances::<SecureMedian>(&options, inputs.to_vec());
            let simulated = |middle: [f64; 2]| {
                testing::simulate_search(&search(options, 2), options.preprocessing, &middle.map(of_float))
            };
            testing::compare(&report, 2, &simulated(middle)).unwrap();
            // A control: of another result, something else would have been opened.
            testing::compare(&report, 2, &simulated([0.25, 0.5])).unwrap_err();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_median_is_what_sorting_finds(
        arrays in prop::collection::vec(prop::collection::vec(testing::floats(), 0..9), 2..4),
    ) {
        let mut all = arrays.concat();
        if !all.is_empty() {
            all.sort_unstable_by(f64::total_cmp);
            let [lower, upper] = [all[(all.len() - 1) / 2], all[all.len() / 2]];
            let arrays: Vec<&[f64]> = arrays.iter().map(Vec::as_slice).collect();
            prop_assert_eq!(median_of(&arrays), [lower, f64::midpoint(lower, upper), upper]);
        }
    }
}
