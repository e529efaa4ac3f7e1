use std::sync::Arc;

use fsc_core::joining::Keys;
use fsc_core::laws::{self, Lawful};
use fsc_core::protocol_laws;
use fsc_core::sim::{Faults, simulate};
use fsc_core::value::Array;
use proptest::prelude::*;
use rand::RngExt;
use rand_chacha::ChaCha20Rng;

use super::*;
use crate::algebra::bits::Bits;
use crate::algebra::fixed::Fixed;
use crate::moments::vectors::{self, DEALER, cases, computed, dealer, million, recorded};
use crate::ot;
use crate::search::testing::{self, Seen};

protocol_laws!(StatisticsUnivariate, docs: "../univariate.rs", parties: 2..=7);

impl Lawful for StatisticsUnivariate {
    fn params(rng: &mut ChaCha20Rng, parties: usize) -> Params {
        let missing = if rng.random() { Missing::Omit } else { Missing::Error };
        Params { missing, preprocessing: vectors::source(rng, parties) }
    }

    /// Integers about a mean that may be large, of both signs or of one; one party in four has none.
    fn inputs(rng: &mut ChaCha20Rng, _: &Params, parties: usize) -> Vec<Column<f64>> {
        let mean = [0, 300, 1_000_000_000][rng.random_range(0..3)];
        let mut numbers = |least| {
            let count = rng.random_range(least..5);
            (0..count).map(|_| f64::from(mean + rng.random_range(-200..200))).collect()
        };
        (0..parties).map(|place| Column { numbers: numbers(1 - place.min(1)), omitted: place as u64 }).collect()
    }

    fn acquaint(keys: &[Arc<Keys>]) {
        ot::acquaint(keys);
    }

    fn is_right(params: &Params, inputs: &[Column<f64>], result: &Value) -> bool {
        let numbers: Vec<i128> = inputs.iter().flat_map(|input| &input.numbers).map(|number| *number as i128).collect();
        let omitted = inputs.iter().map(|input| input.omitted).sum::<u64>();
        result.entry("omitted") == (params.missing == Missing::Omit).then(|| Value::from(omitted)).as_ref()
            && Exact::of(&numbers).agrees(1.0, result)
    }
}

/// Moments of integers, in integers.
struct Exact {
    samples: i128,
    sum: i128,
    largest: i128,
    /// Σ (n·x − Σx)^k for k = 2 … 6, and Σ |n·x − Σx|^k.
    powers: [(f64, f64); 5],
}

impl Exact {
    fn of(numbers: &[i128]) -> Self {
        let samples = numbers.len() as i128;
        let sum = numbers.iter().sum::<i128>();
        let deviations = || numbers.iter().map(|number| samples * number - sum);
        let power = |power| {
            let total: i128 = deviations().map(|deviation| deviation.pow(power)).sum();
            let absolute: i128 = deviations().map(|deviation| deviation.abs().pow(power)).sum();
            (total as f64, absolute as f64)
        };
        let largest = numbers.iter().map(|number| number.abs()).max().unwrap_or_default();
        Self { samples, sum, largest, powers: [2, 3, 4, 5, 6].map(power) }
    }

    /// Whether the result is that of these integers times `unit`.
    fn agrees(&self, unit: f64, result: &Value) -> bool {
        let samples = self.samples as f64;
        let moment = |power: usize| self.powers[power - 2].0 / samples.powi(power as i32 + 1);
        let absolute = |power: usize| self.powers[power - 2].1 / samples.powi(power as i32 + 1);
        let deviation = moment(2).sqrt();
        let close = |name: &str, expected: f64, scale: f64| {
            let computed = result.entry(name).and_then(Value::as_f64);
            computed.is_some_and(|computed| (computed - expected).abs() <= 1e-12 * scale)
        };
        let mean = self.sum as f64 / samples * unit;
        let magnitude = self.largest as f64 * unit;
        let shape = |name: &str, power: usize| {
            let scale = (absolute(power) / deviation.powi(power as i32)).max(1.0);
            close(name, moment(power) / deviation.powi(power as i32), scale)
        };
        let shapes =
            || shape("skewness", 3) && shape("kurtosis", 4) && shape("hyper_skewness", 5) && shape("hyper_flatness", 6);
        close("samples", samples, 0.0)
            && close("mean", mean, magnitude / samples)
            && close("variance_mle", moment(2) * unit * unit, moment(2) * unit * unit)
            && close("standard_deviation_mle", deviation * unit, deviation * unit)
            && (moment(2) == 0.0 || shapes())
    }
}

proptest! {
    /// Integers times a power of two, around a mean that may be 2^37 times the spread.
    #[test]
    fn moments_are_those_of_exact_integers(
        parties in prop::collection::vec(prop::collection::vec(-8000_i32..8000, 0..9), 1..4),
        offset in prop::sample::select(vec![0_i64, 1, -77_777, 1 << 40, -(1 << 50)]),
        exponent in -900..900,
    ) {
        let unit = ldexp(1.0, exponent);
        let party = |numbers: Vec<i32>| numbers.into_iter().map(|number| offset + i64::from(number)).collect();
        let mut integers: Vec<Vec<i64>> = parties.into_iter().map(party).collect();
        integers.push(vec![offset]);
        let floats = |party: &Vec<i64>| {
            Value::Array(Array::from_f64(party.iter().map(|number| *number as f64 * unit).collect()).unwrap())
        };
        let result = computed::<StatisticsUnivariate>(&integers.iter().map(floats).collect::<Vec<_>>(), &dealer());
        let result = result.unwrap();
        let integers: Vec<i128> = integers.concat().into_iter().map(i128::from).collect();
        let squares_in_range = (-500..500).contains(&exponent);
        if squares_in_range {
            prop_assert!(Exact::of(&integers).agrees(unit, &result));
        } else {
            let mean = integers.iter().sum::<i128>() as f64 / integers.len() as f64 * unit;
            let off = result.entry("mean").and_then(Value::as_f64).unwrap() - mean;
            prop_assert!(off.abs() <= 1e-12 * (mean.abs() + 8000.0 * unit));
        }
    }

    #[test]
    fn what_is_opened_does_not_depend_on_who_has_what(mut numbers in prop::collection::vec(-1e9..1e9_f64, 1..40), split: usize) {
        let split = split % numbers.len();
        let moments = |parts: [&[f64]; 2]| {
            let pooled = range(&parts.concat()).unwrap();
            let add = |terms: [Vec<i128>; 2]| terms[0].iter().zip(&terms[1]).map(|(a, b)| a + b).collect::<Vec<_>>();
            let first = add(parts.map(|numbers| first_terms(numbers, pooled, None)));
            let moments = Moments::begin(pooled, &first).unwrap();
            (first, add(parts.map(|numbers| moments.frame().second_terms(numbers))))
        };
        let one = moments([&numbers[..split], &numbers[split..]]);
        numbers.reverse();
        prop_assert!(one == moments([&numbers, &[]]));
    }
}

#[test]
fn recorded_vectors_are_met() {
    for case in cases("univariate") {
        let result = computed::<StatisticsUnivariate>(&case.data, &dealer()).expect(&case.name);
        vectors::check(&case.name, &result, &case.expected);
    }
}

#[test]
fn three_million_numbers_about_a_large_mean() {
    let case = million();
    let result = computed::<StatisticsUnivariate>(&case.data, &dealer()).expect(&case.name);
    vectors::check(&case.name, &result, &case.expected);
}

#[test]
fn the_recorded_run_of_the_reference_is_met() {
    recorded::<StatisticsUnivariate>(&[]);
}

#[test]
fn missing_numbers_are_left_out_and_counted() {
    let party =
        |items: &[Option<f64>]| Value::List(items.iter().map(|item| item.map_or(Value::Null, Value::Float)).collect());
    let data = [party(&[Some(1.0), None]), party(&[None, None]), party(&[Some(4.0)])];
    let omit = Value::map([("missing", "omit".into()), ("preprocessing", Value::map([("dealer", 2)]))]);
    let result = computed::<StatisticsUnivariate>(&data, &omit).unwrap();
    assert_eq!(result.entry("omitted"), Some(&Value::Int(3)));
    assert_eq!(result.entry("samples"), Some(&Value::Int(2)));
    assert_eq!(result.entry("mean"), Some(&Value::Float(2.5)));
    let refused = computed::<StatisticsUnivariate>(&data, &Value::Null).unwrap_err();
    assert!(refused.contains("null at position 1"), "{refused}");
}

#[test]
fn no_numbers_at_all_are_an_error_at_every_party() {
    let report = simulate::<StatisticsUnivariate>(
        &DEALER,
        vec![Column { numbers: Vec::new(), omitted: 0 }; 3],
        1,
        Faults::default(),
    );
    for outcome in report.unwrap().outcomes {
        assert!(outcome.unwrap_err().to_string().contains("no party has any numbers"));
    }
}

#[test]
fn notes_say_why_something_is_null() {
    let result = computed::<StatisticsUnivariate>(&[Value::Float(0.0), Value::List(vec![])], &dealer()).unwrap();
    for (name, expected) in [
        ("geometric_mean", NOT_POSITIVE),
        ("harmonic_mean", NOT_POSITIVE),
        ("variance", ONE_SAMPLE),
        ("coefficient_of_variation", ONE_SAMPLE),
        ("coefficient_of_variation_mle", NO_MEAN),
        ("skewness", CONSTANT),
        ("kurtosis_excess", CONSTANT),
    ] {
        assert_eq!(result.entry(name), Some(&Value::Null));
        assert_eq!(result.entry("notes").and_then(|notes| notes.entry(name)), Some(&Value::from(expected)));
    }
    let large = Value::Array(Array::from_f64(vec![f64::MAX, f64::MAX]).unwrap());
    let result = computed::<StatisticsUnivariate>(&[large.clone(), large], &dealer()).unwrap();
    let Some(Value::Text(note)) = result.entry("notes").and_then(|notes| notes.entry("sum")) else { panic!() };
    assert!(note.contains("too large"));
    assert_eq!(result.entry("mean"), Some(&Value::Float(f64::MAX)));
}

#[test]
fn parameters_are_checked() {
    for parameters in [
        Value::map([("missing", "drop")]),
        Value::map([("elementwise", true)]),
        Value::map([("preprocessing", Value::map([("dealer", 2)]))]),
    ] {
        assert!(computed::<StatisticsUnivariate>(&[Value::Int(1), Value::Int(2)], &parameters).is_err());
    }
}

/// Sums that nobody could have opened who followed the protocol.
#[test]
fn contradictory_sums_are_an_error() {
    let begin = |opened: &[i128]| Moments::begin((1.0, 2.0), opened).is_ok();
    assert!(begin(&[2, 1 << 90, 0, 1 << 90]));
    for junk in [i128::MIN, i128::MAX, -1, 0, 1 << 60] {
        assert!(!begin(&[junk, 0, 0, 0]), "samples");
    }
    for junk in [i128::MIN, i128::MAX, 1 << 100] {
        assert!(!begin(&[2, junk, 0, 0]) && !begin(&[2, 0, junk, 0]) && !begin(&[2, 0, 0, junk]));
    }
    assert!(!begin(&[2, 0, 0, 0, -1]) && !begin(&[2, 0, 0]));
}

/// The cost as it stands in the documentation, number by number.
#[test]
fn costs_are_these() {
    let all = |parties| Announced::new(0, vec![Value::Null; parties]);
    for (parties, missing, bytes) in
        [(2, Missing::Error, 144), (3, Missing::Error, 288), (3, Missing::Omit, 320), (7, Missing::Error, 864)]
    {
        let params = Params { missing, ..DEALER };
        let others = parties as u64 - 1;
        let sums = Cost { rounds: 2, messages: 2 * others, bytes };
        let expected = extremes_cost(params.preprocessing, parties, 0, 1) + sums;
        assert_eq!(StatisticsUnivariate::cost(&params, &all(parties)), expected);
    }
}

/// Inputs of the same numbers, differently held.
fn held() -> [Vec<Column<f64>>; 2] {
    let column = |numbers: &[f64]| Column { numbers: numbers.to_vec(), omitted: 0 };
    [
        vec![column(&[-2.0, 7.0]), column(&[1.0, 0.1]), column(&[3.5])],
        vec![column(&[]), column(&[0.1, 1.0, -2.0]), column(&[7.0, 3.5])],
    ]
}

/// What is opened, from what every party learns alone.
fn simulated(source: Source, parties: usize, output: &Moments) -> Vec<Seen> {
    let codes = [of_float(output.minimum), !of_float(output.maximum)];
    let first = [output.samples.into(), output.sum, output.logarithms, output.reciprocals];
    let mut seen: Vec<Seen> = testing::masked_extremes(source, parties, 1).collect();
    seen.push(Seen::Bits(Bits::positions(&codes, 64).to_bytes().to_vec()));
    seen.push(Seen::Sums(first.map(|sum| sum as u128).to_vec()));
    seen.push(Seen::Sums(output.powers.map(|sum| sum as u128).to_vec()));
    seen
}

/// The ideal function: all numbers in one hand, and fixed point of the textbook.
fn ideal(inputs: &[Column<f64>]) -> Moments {
    let numbers: Vec<f64> = inputs.iter().flat_map(|input| input.numbers.iter().copied()).collect();
    let encoder = Fixed::new(FRACTION_BITS).unwrap().among(1);
    let sum = |term: &dyn Fn(f64) -> f64| numbers.iter().map(|x| encoder.float(0, term(*x)).unwrap() as i128).sum();
    let (minimum, maximum) = range(&numbers).unwrap();
    let unit = Scale::above(maximum.max(-minimum));
    let positive = minimum > 0.0;
    let total: i128 = sum(&|x| unit.apply(x));
    let opened = [
        numbers.len() as i128,
        total,
        if positive { logarithms(&numbers) } else { 0 },
        if positive { sum(&|x| minimum / x) } else { 0 },
    ];
    let mut moments = Moments::begin((minimum, maximum), &opened).unwrap();
    let frame = moments.frame();
    let deviation = |x: f64| {
        let exact = Double::from(unit.apply(x)) - frame.mean;
        exact.to_f64(-frame.exponent)
    };
    let square = |x: f64| deviation(x) * deviation(x);
    let cube = |x: f64| square(x) * deviation(x);
    moments.powers = [
        sum(&square),
        sum(&cube),
        sum(&|x| square(x) * square(x)),
        sum(&|x| cube(x) * square(x)),
        sum(&|x| cube(x) * cube(x)),
    ];
    moments
}

#[test]
fn what_is_opened_follows_from_the_result() {
    let positive = held().map(|inputs| {
        let shifted = |input: Column<f64>| Column { numbers: input.numbers.iter().map(|x| x + 2.5).collect(), ..input };
        inputs.into_iter().map(shifted).collect::<Vec<_>>()
    });
    for inputs in held().into_iter().chain(positive) {
        for (preprocessing, parties) in [(Source::Dealer(0), 3), (Source::Oblivious, 3), (Source::Oblivious, 2)] {
            let inputs = inputs[..parties].to_vec();
            let predicted = ideal(&inputs);
            let params = Params { preprocessing, ..DEALER };
            let report = testing::run_among_acquaintances::<StatisticsUnivariate>(&params, inputs);
            testing::compare(&report, parties, &simulated(preprocessing, parties, &predicted)).unwrap();
            let another = Moments { sum: predicted.sum + 1, ..predicted };
            testing::compare(&report, parties, &simulated(preprocessing, parties, &another)).unwrap_err();
        }
    }
}

/// Negative control: the reference's way, in which everybody tells everybody its extremes.
struct Broadcasts;

impl Protocol for Broadcasts {
    const NAME: &'static str = StatisticsUnivariate::NAME;
    const VERSION: u16 = StatisticsUnivariate::VERSION;
    const SECURITY: Security = StatisticsUnivariate::SECURITY;
    type Params = Params;
    type Input = Column<f64>;
    type Output = Moments;

    fn admit(submission: Submission) -> Result<(Params, Column<f64>), ObjectError> {
        StatisticsUnivariate::admit(submission)
    }

    fn cost(params: &Params, all: &Announced) -> Cost {
        StatisticsUnivariate::cost(params, all)
    }

    async fn run(party: &mut Party, _: Params, input: Secret<Column<f64>>) -> Result<Moments, ProtocolError> {
        let numbers = input.into_inner().numbers;
        let (least, greatest) = range(&numbers).unwrap_or((f64::MAX, f64::MIN));
        let mine = [least.to_le_bytes(), greatest.to_le_bytes()].concat();
        let all = party.exchange(mine.into()).await?;
        let said = || all.iter().flat_map(|said| said.as_chunks().0).map(|bytes| f64::from_le_bytes(*bytes));
        let pooled = (said().fold(f64::MAX, f64::min), said().fold(f64::MIN, f64::max));
        let opened = open_sums(party, first_terms(&numbers, pooled, None)).await?;
        let mut moments = Moments::begin(pooled, &opened)?;
        let powers = open_sums(party, moments.frame().second_terms(&numbers)).await?;
        moments.powers = powers.try_into().map_err(|_| contradiction())?;
        Ok(moments)
    }
}

impl Lawful for Broadcasts {
    fn params(rng: &mut ChaCha20Rng, parties: usize) -> Params {
        StatisticsUnivariate::params(rng, parties)
    }

    fn inputs(rng: &mut ChaCha20Rng, params: &Params, parties: usize) -> Vec<Column<f64>> {
        StatisticsUnivariate::inputs(rng, params, parties)
    }

    fn is_right(_: &Params, _: &[Column<f64>], _: &Value) -> bool {
        true
    }
}

#[test]
fn transcripts_of_the_same_result_are_indistinguishable_but_for_the_references() {
    let [one, other] = held();
    laws::transcripts_are_indistinguishable::<StatisticsUnivariate>(&DEALER, &one, &other).unwrap();
    laws::transcripts_are_indistinguishable::<Broadcasts>(&DEALER, &one, &other).unwrap_err();
}
