use fsc_core::laws::{self, Lawful};
use fsc_core::protocol_laws;
use fsc_core::sim::{Faults, simulate};
use fsc_core::value::{Limits, json};
use rand::RngExt;
use rand_chacha::ChaCha20Rng;

use super::*;

protocol_laws!(SecureSum, docs: "../sum.rs", parties: 2..=7);

impl Lawful for SecureSum {
    fn params(rng: &mut ChaCha20Rng, _: usize) -> Params {
        let missing = if rng.random() { Missing::Omit } else { Missing::Error };
        Params { missing, ..vector(rng.random_range(1..40)) }
    }

    fn inputs(rng: &mut ChaCha20Rng, params: &Params, parties: usize) -> Vec<Vec<u128>> {
        let magnitude = 10_f64.powi(rng.random_range(-6..15));
        let mut numbers = || (0..params.elements()).map(|_| magnitude * (rng.random::<f64>() - 0.5)).collect();
        let mut input = |omitted| {
            let array = Array::from_f64(numbers()).expect("finite numbers");
            let mut terms = params.encode(&array, parties).expect("numbers in range");
            terms.extend((params.missing == Missing::Omit).then_some(omitted));
            terms
        };
        (0..parties as u128).map(&mut input).collect()
    }

    /// In exact rational arithmetic: inputs are integers over 2^64.
    fn is_right(params: &Params, inputs: &[Vec<u128>], result: &Value) -> bool {
        let Some(Value::Array(sums)) = result.entry("sum") else { return false };
        let Ok(sums) = sums.to_f64() else { return false };
        let places = inputs.len() as u64;
        let omitted = (params.missing == Missing::Omit).then(|| Value::from(places * (places - 1) / 2));
        let exact = |index: usize| inputs.iter().map(|input| input[index] as i128).sum::<i128>() as f64;
        sums.len() == params.elements()
            && result.entry("omitted") == omitted.as_ref()
            && sums.iter().enumerate().all(|(index, sum)| *sum == exact(index) / 2_f64.powi(64))
    }
}

fn vector(elements: usize) -> Params {
    Params { shape: Some(vec![elements]), ..Params::NUMBER }
}

fn admit(data: &str, parameters: &str) -> Result<(Params, Vec<u128>), String> {
    let value = |text: &str| json::parse(text.as_bytes(), &Limits::default()).expect("JSON");
    let submission = Submission { data: value(data), parameters: value(parameters), parties: 3, me: 0 };
    SecureSum::admit(submission).map_err(|error| error.to_string())
}

/// The one term of a scalar sum, as a number.
fn term(data: &str, parameters: &str) -> f64 {
    let (params, terms) = admit(data, parameters).expect("numbers in range");
    assert_eq!((params.shape.as_ref(), terms.len()), (None, 1));
    Fixed::new(params.fraction_bits).expect("f in range").decode(terms[0])
}

#[test]
fn transcripts_of_different_inputs_are_indistinguishable() {
    let (zeros, huge) = (vec![vec![0; 2]; 3], vec![vec![(1 << 126) - 1; 2]; 3]);
    laws::transcripts_are_indistinguishable::<SecureSum>(&vector(2), &zeros, &huge).unwrap();
}

#[test]
fn sixty_four_parties_can_sum() {
    laws::gives_the_right_result::<SecureSum>(64..=64).unwrap();
}

#[test]
fn numbers_of_a_list_are_added_up_exactly() {
    assert_eq!(term("42", "null"), 42.0);
    assert_eq!(term("[]", "null"), 0.0);
    assert_eq!(term("[1e15, 0.25, -1e15]", "{}"), 0.25);
    assert_eq!(term("[1, 0.5, 9007199254740993]", "null"), 9_007_199_254_740_994.0);
    assert_eq!(term("[3, 4]", r#"{"type": "int64"}"#), 7.0);
    assert_eq!(term("9223372036854775807", r#"{"type": "int64"}"#), 9_223_372_036_854_775_807.0);
}

#[test]
fn arrays_keep_their_shape() {
    let elementwise = r#"{"elementwise": true}"#;
    assert_eq!(admit("[1.5, 2, 3]", elementwise).unwrap().0.shape, Some(vec![3]));
    assert_eq!(admit("[[1, 2, 3], [4.5, 5, 6]]", elementwise).unwrap().0.shape, Some(vec![2, 3]));
    assert_eq!(admit("[[1, 2], [3, 4]]", r#"{"elementwise": true, "type": "int64"}"#).unwrap().1, vec![1, 2, 3, 4]);
    assert_eq!(admit("7", elementwise).unwrap().0.shape, Some(vec![1]));
}

#[test]
fn what_is_no_number_is_refused_by_position() {
    for (data, parameters, expected) in [
        (r#"[1, "two"]"#, "null", "there is a text at position 1"),
        ("[1, 2, null]", "null", "there is null at position 2"),
        ("[[1, 2], [3, null]]", r#"{"elementwise": true}"#, "there is null at position 1"),
        ("[1]", r#"{"missing": "drop"}"#, "parameters"),
        ("[[1, 2], [3, 4]]", "null", "set parameters.elementwise to true"),
        ("[[1, 2], [3]]", r#"{"elementwise": true}"#, "row 1 has another length"),
        ("[0, 1e300]", "null", "the number at position 1 is out of range"),
        ("[1.5]", r#"{"type": "int64"}"#, "there is a float at position 0"),
        ("[1]", r#"{"type": "int32"}"#, "parameters"),
        ("[1]", r#"{"fraction_bits": 121}"#, "121 fraction bits"),
        ("[1]", r#"{"elementwize": true}"#, "expected one of: type, fraction_bits, elementwise, missing"),
    ] {
        let error = admit(data, parameters).expect_err(data);
        assert!(error.contains(expected), "{data}: {error}");
    }
}

#[test]
fn missing_numbers_add_nothing_and_are_counted() {
    let omitting = |data| admit(data, r#"{"missing": "omit", "type": "int64"}"#).unwrap().1;
    assert_eq!(omitting("[1, null, 2, null]"), [3, 2]);
    assert_eq!(omitting("[1, 2]"), [3, 0]);
    let (params, terms) =
        admit("[[1, null], [3, 4]]", r#"{"missing": "omit", "elementwise": true, "type": "int64"}"#).unwrap();
    assert_eq!((params.shape, terms), (Some(vec![2, 2]), vec![1, 0, 3, 4, 1]));
}

/// The cost as it stands in the documentation, number by number: one round, (n − 1) · 16 · m bytes, at most 1 MiB a message.
#[test]
fn costs_are_these() {
    for (parties, elements, rounds, messages, bytes) in [
        (2, 1, 1, 1, 16),
        (3, 1, 1, 2, 32),
        (3, 100, 1, 2, 3_200),
        (7, 65_536, 1, 6, 6_291_456),
        (3, 65_537, 1, 4, 2_097_184),
        (3, 1_000_000, 1, 32, 32_000_000),
        (64, 1, 1, 63, 1_008),
    ] {
        assert_eq!(
            SecureSum::cost(&vector(elements), &Announced::new(0, vec![Value::Null; parties])),
            Cost { rounds, messages, bytes }
        );
    }
    let omitting = Params { missing: Missing::Omit, ..vector(100) };
    assert_eq!(SecureSum::cost(&omitting, &Announced::new(0, vec![Value::Null; 3])).bytes, 3_232);
}

/// Several messages a party, of which the last one is short.
#[test]
fn large_vectors_travel_in_pieces() {
    let params = vector(65_536 + 3);
    let input = |seed: u128| (0..params.elements() as u128).map(|index| (index * seed) << 64).collect();
    let inputs: Vec<Vec<u128>> = vec![input(1), input(2), input(4)];
    let faults = Faults { reorder: true, duplicate: 0.3, ..Faults::default() };
    let report = simulate::<SecureSum>(&params, inputs.clone(), 1, faults).expect("numbers in range");
    for outcome in report.outcomes {
        let result = outcome.expect("reordering does no harm");
        assert!(SecureSum::is_right(&params, &inputs, result.entry("result").expect("a result")));
    }
}
