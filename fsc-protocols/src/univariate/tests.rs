use std::sync::Arc;

use fsc_core::joining::Keys;
use fsc_core::laws::{self, Lawful};
use fsc_core::protocol_laws;
use fsc_core::value::Array;
use proptest::prelude::*;
use rand::RngExt;
use rand_chacha::ChaCha20Rng;

use super::*;
use crate::algebra::bits::Bits;
use crate::algebra::fixed::Fixed;
use crate::moments::vectors::{DEALER, among, by, cases, check, computed, million, recorded};
use crate::moments::{classes, oracle};
use crate::ot;
use crate::search::testing::{self, Seen};

protocol_laws!(StatisticsUnivariate, docs: "../univariate.rs", parties: 2..=7);

impl Lawful for StatisticsUnivariate {
    fn params(rng: &mut ChaCha20Rng, parties: usize) -> Params {
        let missing = if rng.random() { Missing::Omit } else { Missing::Error };
        Params { missing, preprocessing: testing::source(rng, parties) }
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
        let numbers: Vec<f64> = inputs.iter().flat_map(|input| &input.numbers).copied().collect();
        let omitted = inputs.iter().map(|input| input.omitted).sum::<u64>();
        result.entry("omitted") == (params.missing == Missing::Omit).then(|| Value::from(omitted)).as_ref()
            && check(result, &oracle::univariate(&numbers)).is_ok()
    }
}

/// Columns as clients write them.
fn submitted(columns: &[Vec<f64>]) -> Vec<Value> {
    columns.iter().map(|column| Value::List(column.iter().copied().map(Value::Float).collect())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn statistics_of_numbers_of_any_class_are_those_of_exact_integers(columns in classes::columns()) {
        let expected = oracle::univariate(&columns.concat());
        for source in testing::SOURCES {
            let result = computed::<StatisticsUnivariate>(&submitted(&columns), &by(source)).unwrap();
            prop_assert_eq!(check(&result, &expected), Ok(()));
        }
    }

    /// Integers times a power of two, around a mean that may be 2^37 times the spread.
    #[test]
    fn statistics_are_right_in_any_unit(
        columns in prop::collection::vec(prop::collection::vec(-8000_i32..8000, 1..9), 2..=3),
        offset in prop::sample::select(vec![0_i64, 1, -77_777, 1 << 40, -(1 << 50)]),
        exponent in -900..900,
    ) {
        let number = |number: i32| ldexp((offset + i64::from(number)) as f64, exponent);
        let columns: Vec<Vec<f64>> = columns.into_iter().map(|column| column.into_iter().map(number).collect()).collect();
        for source in testing::SOURCES {
            let result = computed::<StatisticsUnivariate>(&submitted(&columns), &by(source)).unwrap();
            prop_assert_eq!(check(&result, &oracle::univariate(&columns.concat())), Ok(()));
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

/// However many parties hold the numbers, and whatever their comparisons are made of.
#[test]
fn recorded_vectors_are_met() {
    for case in cases("univariate") {
        let result = computed::<StatisticsUnivariate>(&case.data, &by(Source::Dealer(0))).expect(&case.name);
        assert_eq!(check(&result, &case.expected), Ok(()), "{}", case.name);
        for (parties, source) in testing::ways() {
            let data = among(parties, &case.data);
            let again = computed::<StatisticsUnivariate>(&data, &by(source)).expect(&case.name);
            assert_eq!(again, result, "{}, {parties} parties, {source:?}", case.name);
        }
    }
}

#[test]
fn three_million_numbers_about_a_large_mean() {
    let case = million();
    let result = computed::<StatisticsUnivariate>(&case.data, &by(Source::Dealer(0))).expect(&case.name);
    assert_eq!(check(&result, &case.expected), Ok(()));
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
    for (parties, preprocessing) in testing::ways() {
        let params = Params { preprocessing, ..DEALER };
        let nobody = vec![Column { numbers: Vec::new(), omitted: 0 }; parties];
        for result in testing::results::<StatisticsUnivariate>(&params, nobody) {
            assert!(result.unwrap_err().contains("no party has any numbers"));
        }
    }
}

#[test]
fn notes_say_why_something_is_null() {
    let result =
        computed::<StatisticsUnivariate>(&[Value::Float(0.0), Value::List(vec![])], &by(Source::Dealer(0))).unwrap();
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
    let result = computed::<StatisticsUnivariate>(&[large.clone(), large], &by(Source::Dealer(0))).unwrap();
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
