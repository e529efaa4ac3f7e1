use std::sync::Arc;

use fsc_core::joining::Keys;
use fsc_core::laws::{self, Lawful};
use fsc_core::protocol_laws;
use fsc_core::sim::{Faults, Report, simulate};
use fsc_core::value::Array;
use proptest::prelude::{ProptestConfig, prop, prop_assert_eq, proptest};
use rand_chacha::ChaCha20Rng;

use super::*;
use crate::order::{of_float, of_integer};
use crate::ot;
use crate::preprocessing::Source;
use crate::search::testing::{self, Seen, recorded, results, value};
use crate::sum::Kind;

protocol_laws!(KthElement, docs: "../kth_element.rs", parties: 2..=5);

impl Lawful for KthElement {
    fn params(rng: &mut ChaCha20Rng, parties: usize) -> Params {
        let kind = if rng.random_bool(0.2) { Kind::Float64 } else { Kind::Int64 };
        let missing = if rng.random() { Missing::Omit } else { Missing::Error };
        let options = Options { kind, missing, preprocessing: testing::source(rng, parties) };
        let [lower, upper] = match kind {
            Kind::Float64 => options.range(),
            Kind::Int64 => [rng.random_range(-5..1), rng.random_range(1..30)].map(of_integer),
        };
        Params { options, rank: rng.random_range(1..=4), lower, upper }
    }

    /// Any number of elements at each party: only their sum is public. There are four at least.
    fn inputs(rng: &mut ChaCha20Rng, params: &Params, parties: usize) -> Vec<Column<u64>> {
        let element = |rng: &mut ChaCha20Rng| match params.options.kind {
            Kind::Float64 => of_float(testing::float(rng)),
            Kind::Int64 => rng.random_range(params.lower..=params.upper),
        };
        let mut column = |place: usize| {
            let least = if place == 0 { 4 } else { 0 };
            let numbers = (0..rng.random_range(least..12)).map(|_| element(rng)).collect();
            let omitted = if params.options.missing == Missing::Omit { rng.random_range(0..9) } else { 0 };
            Column { numbers, omitted }
        };
        (0..parties).map(&mut column).collect()
    }

    fn acquaint(keys: &[Arc<Keys>]) {
        ot::acquaint(keys);
    }

    fn is_right(params: &Params, inputs: &[Column<u64>], result: &Value) -> bool {
        let mut all: Vec<u64> = inputs.iter().flat_map(|input| &input.numbers).copied().collect();
        all.sort_unstable();
        let omits = params.options.missing == Missing::Omit;
        let omitted: u64 = inputs.iter().map(|input| input.omitted).sum();
        result.entry("item") == params.options.number(all[params.rank as usize - 1]).as_ref()
            && result.entry("samples") == Some(&Value::from(all.len()))
            && result.entry("omitted") == omits.then(|| Value::from(omitted)).as_ref()
    }
}

fn options(kind: Kind) -> Options {
    Options { kind, missing: Missing::Error, preprocessing: Source::Dealer(0) }
}

/// Ranks among integers from 0 to 15: one step.
fn digits(rank: u64) -> Params {
    Params { options: options(Kind::Int64), rank, lower: of_integer(0), upper: of_integer(15) }
}

fn integers(numbers: &[i64]) -> Column<u64> {
    Column { numbers: numbers.iter().map(|number| of_integer(*number)).collect(), omitted: 0 }
}

fn admit(data: Value, parameters: &str) -> Result<(Params, Column<u64>), String> {
    let submission = Submission { data, parameters: value(parameters), parties: 2, me: 0 };
    KthElement::admit(submission).map_err(|error| error.to_string())
}

const DEALER: &str = r#"{"preprocessing": {"dealer": 0}}"#;

#[test]
fn the_recorded_result_is_met() {
    let (data, expected) = recorded("KthElement");
    let admitted: Vec<_> = data.into_iter().map(|data| admit(data, DEALER).unwrap()).collect();
    let (params, inputs): (Vec<_>, Vec<_>) = admitted.into_iter().unzip();
    assert_eq!(params[0], params[1]);
    for result in results::<KthElement>(&params[0], inputs) {
        let result = result.unwrap();
        for key in ["item", "samples"] {
            assert_eq!(result.entry(key).unwrap().as_f64(), expected.entry(key).unwrap().as_f64(), "{key}");
        }
    }
}

#[test]
fn rank_bounds_and_type_are_public_and_the_array_is_not() {
    let (params, column) =
        admit(value(r#"{"array": [1, 2.5], "rank": 2, "lower_bound": -1, "upper_bound": 3}"#), DEALER).unwrap();
    let expected = Params { options: options(Kind::Float64), rank: 2, lower: of_float(-1.0), upper: of_float(3.0) };
    assert_eq!((params, column.numbers), (expected, vec![of_float(1.0), of_float(2.5)]));
    let unbounded = admit(value(r#"{"array": [], "rank": 1}"#), r#"{"type": "int64"}"#).unwrap().0;
    assert_eq!((unbounded.lower, unbounded.upper), (0, u64::MAX));
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_is_sent() {
    for (data, parameters, expected) in [
        (r#"{"array": [1], "rank": 0}"#, "null", "rank must be a whole number, from 1"),
        (r#"{"array": [1], "rank": 1.5}"#, "null", "rank must be"),
        (r#"{"array": [1], "rank": 2147483647}"#, "null", "greater than the number of elements that there can be"),
        (r#"{"array": [1]}"#, "null", "rank must be"),
        (r#"{"rank": 1}"#, "null", "lacks the array"),
        (r#"{"array": [1], "rank": 1, "lower_bound": 2, "upper_bound": 1}"#, "null", "above its upper_bound"),
        (r#"{"array": [1], "rank": 1, "bound": 2}"#, "null", "unknown entry \"bound\""),
        (r#"{"array": [1, null], "rank": 1}"#, "null", "null at position 1"),
        (r#"{"array": [9007199254740993], "rank": 1}"#, "null", "position 0"),
        (r#"{"array": [1.5], "rank": 1}"#, r#"{"type": "int64"}"#, "a float at position 0"),
        (r#"{"array": [1], "rank": 1}"#, r#"{"preprocessing": {"dealer": 2}}"#, "there is no party 2 to deal"),
        ("[1]", "null", "must be a map"),
    ] {
        let error = admit(value(data), parameters).err().expect(data);
        assert!(error.contains(expected), "{data}: {error}");
    }
}

#[test]
fn ranks_that_do_not_exist_are_errors_at_every_party() {
    for (inputs, why) in [
        ([integers(&[1, 2]), integers(&[3])], "rank is greater"),
        ([integers(&[]), integers(&[])], "rank is greater"),
        ([integers(&[1, 2, 3, 16]), integers(&[3])], "out of bounds"),
        ([integers(&[-1, 2, 3, 16]), integers(&[3, -1])], "out of bounds"),
    ] {
        for result in results::<KthElement>(&digits(4), inputs.to_vec()) {
            assert!(result.unwrap_err().contains(why));
        }
    }
}

/// A party that does not do as it should says that it has so many elements that any rank exists.
#[test]
fn more_elements_than_there_can_be_are_an_error_everywhere() {
    struct Boasting;

    impl Protocol for Boasting {
        const NAME: &'static str = KthElement::NAME;
        const VERSION: u16 = KthElement::VERSION;
        const SECURITY: Security = KthElement::SECURITY;
        type Params = Params;
        type Input = Column<u64>;
        type Output = Element;

        fn admit(submission: Submission) -> Result<(Params, Column<u64>), ObjectError> {
            KthElement::admit(submission)
        }

        fn cost(params: &Params, all: &Announced) -> Cost {
            KthElement::cost(params, all)
        }

        async fn run(party: &mut Party, params: Params, input: Secret<Column<u64>>) -> Result<Element, ProtocolError> {
            if party.me() == 0 {
                return KthElement::run(party, params, input).await;
            }
            params.count(party, usize::MAX - 1, false, 0).await?;
            Err(ProtocolError::NoResult { why: "it was believed" })
        }
    }

    let params = Params { rank: u64::MAX, ..digits(1) };
    for result in results::<Boasting>(&params, vec![integers(&[1]), integers(&[])]) {
        let error = result.unwrap_err();
        assert!(error.contains("more numbers than all parties"), "{error}");
    }
}

#[test]
fn one_possible_element_takes_no_step() {
    let params = Params { upper: of_integer(0), ..digits(2) };
    assert_eq!(params.search(2).steps(), 0);
    let result = results::<KthElement>(&params, vec![integers(&[0]), integers(&[0, 0])]).swap_remove(1).unwrap();
    assert_eq!(result.entry("item"), Some(&Value::Int(0)));
}

/// Sixteen steps for 64 bits, fewer for close integers; five rounds each, after one for the counts and eight of preparation.
#[test]
fn costs_are_these() {
    let (floats, close) = (options(Kind::Float64), digits(1));
    let [lower, upper] = floats.range();
    let floats = Params { options: floats, rank: 1, lower, upper };
    let thousand = Params { upper: of_integer(1000), ..close.clone() };
    for (params, parties, steps, rounds, bytes) in [
        (&floats, 2, 16, 1 + 8 + 16 * 5, KthElementBytes { others: 1, carry_saves: 0, steps: 16 }),
        (&floats, 3, 16, 1 + 9 + 16 * 5, KthElementBytes { others: 2, carry_saves: 1, steps: 16 }),
        (&thousand, 2, 3, 1 + 8 + 3 * 5, KthElementBytes { others: 1, carry_saves: 0, steps: 3 }),
        (&close, 4, 1, 1 + 10 + 5, KthElementBytes { others: 3, carry_saves: 2, steps: 1 }),
    ] {
        assert_eq!(params.search(parties).steps(), steps);
        let cost = KthElement::cost(params, &Announced::new(0, vec![Value::Null; parties]));
        let expected = Cost { rounds, messages: bytes.others * u64::from(rounds), bytes: bytes.in_all() };
        assert_eq!(cost, expected, "{parties} parties");
    }
}

/// The formula of the documentation.
struct KthElementBytes {
    others: u64,
    carry_saves: u64,
    steps: u64,
}

impl KthElementBytes {
    fn in_all(&self) -> u64 {
        let bits = |bits: u64| bits.div_ceil(8);
        let sums = 15 * self.steps;
        let ahead = self.carry_saves * bits(sums * 32 * 2)
            + bits(sums * 32 * 2)
            + 5 * bits(sums * 16 * 3)
            + bits(sums * 16 * 2)
            + bits(sums * 24 * 4);
        let step = 15 * 8 + bits(15 * 4 * 3) + bits(15 * 2 * 3) + bits(15 * 2) + bits(15);
        self.others * (2 * 16 + ahead + self.steps * step)
    }
}

/// Two parties: the counts, and for each step a question and its answer, whose opening leaves with what comes next.
#[test]
fn two_parties_send_few_messages() {
    let options = Options { preprocessing: Source::Oblivious, ..options(Kind::Float64) };
    let [lower, upper] = options.range();
    let params = Params { options, rank: 1, lower, upper };
    let cost = |me| KthElement::cost(&params, &Announced::new(me, vec![Value::Null; 2]));
    assert_eq!(cost(0), Cost { rounds: 1 + 16, messages: 1 + 2 * 16, bytes: 32 + 16 * (15 * 32 * 32 + 2) });
    assert_eq!(cost(1), Cost { rounds: 1 + 16 + 1, messages: 1 + 2 * 16, bytes: 32 + 16 * (15 * 32 * 8 + 2) });
}

/// What is shown, from the result alone.
fn simulated(params: &Params, parties: usize, samples: u128, item: u64) -> Vec<Seen> {
    let mut seen = vec![Seen::Sums(vec![samples, 0])];
    seen.extend(testing::simulate_search(&params.search(parties), params.options.preprocessing, &[item]));
    seen
}

fn report<P: Protocol<Params = Params, Input = Column<u64>>>(params: &Params, inputs: &[Column<u64>]) -> Report {
    simulate::<P>(params, inputs.to_vec(), 7, Faults::default()).expect("examples are admitted")
}

#[test]
fn what_is_opened_follows_from_the_result() {
    let inputs = [integers(&[3, 9, 9, 14]), integers(&[0, 9, 11]), integers(&[15])];
    for (rank, item) in [(1, 0), (2, 3), (3, 9), (5, 9), (6, 11), (8, 15)] {
        let params = digits(rank);
        let predicted = simulated(&params, 3, 8, of_integer(item));
        testing::compare(&report::<KthElement>(&params, &inputs), 3, &predicted).unwrap();
    }
    let options = Options { preprocessing: Source::Oblivious, ..options(Kind::Int64) };
    let params = Params { options, ..digits(5) };
    let report_of_two = testing::run_among_acquaintances::<KthElement>(&params, inputs[..2].to_vec());
    testing::compare(&report_of_two, 2, &simulated(&params, 2, 7, of_integer(9))).unwrap();
    testing::compare(&report_of_two, 2, &simulated(&params, 2, 7, of_integer(11))).unwrap_err();
    let params = Params { upper: of_integer(999), ..digits(4) };
    let predicted = simulated(&params, 3, 8, of_integer(9));
    testing::compare(&report::<KthElement>(&params, &inputs), 3, &predicted).unwrap();
}

/// Negative control: the reference's way, which shows how many elements are up to each threshold.
struct ShowsCounts;

impl Protocol for ShowsCounts {
    const NAME: &'static str = KthElement::NAME;
    const VERSION: u16 = KthElement::VERSION;
    const SECURITY: Security = KthElement::SECURITY;
    type Params = Params;
    type Input = Column<u64>;
    type Output = Element;

    fn admit(submission: Submission) -> Result<(Params, Column<u64>), ObjectError> {
        KthElement::admit(submission)
    }

    fn cost(params: &Params, all: &Announced) -> Cost {
        KthElement::cost(params, all)
    }

    fn present(output: Element) -> Result<Value, ConvertError> {
        KthElement::present(output)
    }

    async fn run(party: &mut Party, params: Params, input: Secret<Column<u64>>) -> Result<Element, ProtocolError> {
        let Column { numbers: mut sorted, omitted } = input.into_inner();
        sorted.sort_unstable();
        let (samples, _) = params.count(party, sorted.len(), false, omitted).await?;
        let counts = (params.lower..=params.upper).map(|threshold| count_up_to(&sorted, threshold) as u128).collect();
        let share = masks::share_of_sum(party, Secret::new(counts));
        let counts = party.open(share).await?;
        let code = params.lower + counts.iter().filter(|count| **count < u128::from(params.rank)).count() as u64;
        let item = params.options.number(code).unwrap_or_default();
        Ok(Element { item, samples, omitted: None })
    }
}

#[test]
fn a_protocol_that_shows_counts_is_caught() {
    let (params, inputs) = (digits(3), [integers(&[3, 9]), integers(&[9, 14])]);
    let report = report::<ShowsCounts>(&params, &inputs);
    assert!(KthElement::is_right(&params, &inputs, report.outcomes[0].as_ref().unwrap().entry("result").unwrap()));
    testing::compare(&report, 2, &simulated(&params, 2, 4, of_integer(9))).unwrap_err();
}

#[test]
fn transcripts_of_the_same_result_are_indistinguishable() {
    let one = [integers(&[3, 9, 9]), integers(&[0, 9]), integers(&[15])];
    let other = [integers(&[]), integers(&[9; 6]), integers(&[])];
    laws::transcripts_are_indistinguishable::<KthElement>(&digits(3), &one, &other).unwrap();
}

#[test]
fn dense_arrays_are_taken() {
    let array = Array::from_f64(vec![2.0, -0.0, 1.5]).unwrap();
    let data = Value::map([("array", Value::Array(array)), ("rank", Value::Int(1))]);
    let column = admit(data, DEALER).unwrap().1;
    assert_eq!(column.numbers, [2.0, 0.0, 1.5].map(of_float));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_element_is_what_sorting_finds(
        arrays in prop::collection::vec(prop::collection::vec(-1e308..1e308, 0..20), 2..4),
        rank: prop::sample::Index,
    ) {
        let mut all = arrays.concat();
        if !all.is_empty() {
            all.sort_unstable_by(f64::total_cmp);
            let rank = rank.index(all.len());
            let options = options(Kind::Float64);
            let [lower, upper] = options.range();
            let params = Params { options, rank: rank as u64 + 1, lower, upper };
            let column = |array: Vec<f64>| Column { numbers: array.into_iter().map(of_float).collect(), omitted: 0 };
            for result in results::<KthElement>(&params, arrays.into_iter().map(column).collect()) {
                let result = result.unwrap();
                prop_assert_eq!(result.entry("item"), Some(&Value::Float(all[rank])));
            }
        }
    }
}
