//! The recorded vectors of `tests/vectors/statistics.json`, and how results are held against them.

use fsc_core::protocol::{Protocol, Submission};
use fsc_core::sim::{Faults, simulate};
use fsc_core::value::{Array, Limits, Value, json, to_value};
use rand::RngExt;
use rand_chacha::ChaCha20Rng;

use crate::data::Missing;
use crate::preprocessing::Source;
use crate::search::testing;
use crate::univariate::Params;

/// A case of `statistics.json`: what each party submits, and what must come out.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) data: Vec<Value>,
    pub(crate) expected: Value,
}

/// All cases of one function.
pub(crate) fn cases(function: &str) -> Vec<Case> {
    let all = json::parse(include_bytes!("../../tests/vectors/statistics.json"), &Limits::default()).expect("JSON");
    let cases = items(all.entry(function).expect("a list of cases"));
    let case = |case: Value| Case {
        name: case.entry("name").and_then(Value::as_text).expect("a name").to_owned(),
        data: items(case.entry("data").expect("data")),
        expected: case.entry("expected").expect("results").clone(),
    };
    cases.into_iter().map(case).collect()
}

/// The case of 3·10^6 numbers, made as the script makes them.
pub(crate) fn million() -> Case {
    let all = json::parse(include_bytes!("../../tests/vectors/statistics.json"), &Limits::default()).expect("JSON");
    let case = all.entry("million").expect("a case");
    let number = |party: &Value, name| party.entry(name).and_then(Value::as_f64).expect("a number");
    let numbers = |party: Value| {
        let mut state = number(&party, "seed") as u64;
        let next = |_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 * 2_f64.powi(-53) * number(&party, "scale") + number(&party, "offset")
        };
        let numbers = (0..number(&party, "count") as usize).map(next).collect();
        Value::Array(Array::from_f64(numbers).expect("finite numbers"))
    };
    let data = items(case.entry("lcg").expect("generators")).into_iter().map(numbers).collect();
    Case { name: "a million".to_owned(), data, expected: case.entry("expected").expect("results").clone() }
}

/// The first party deals, which is quicker.
pub(crate) const DEALER: Params = Params { missing: Missing::Error, preprocessing: Source::Dealer(0) };

/// The first party deals, as parameters have it.
pub(crate) fn dealer() -> Value {
    to_value(&DEALER).expect("parameters are values")
}

/// Any source for a few parties, a dealer for many: transfers among many take their time.
pub(crate) fn source(rng: &mut ChaCha20Rng, parties: usize) -> Source {
    if parties <= 4 { testing::source(rng, parties) } else { Source::Dealer(rng.random_range(0..parties)) }
}

/// What all parties get in a run over this data; they must agree.
pub(crate) fn computed<P: Protocol>(data: &[Value], parameters: &Value) -> Result<Value, String> {
    let parties = data.len();
    let admitted = data
        .iter()
        .enumerate()
        .map(|(me, data)| P::admit(Submission { data: data.clone(), parameters: parameters.clone(), parties, me }));
    let (mut params, inputs): (Vec<_>, Vec<_>) =
        admitted.collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string())?.into_iter().unzip();
    let report = simulate::<P>(&params.remove(0), inputs, 1, Faults::default()).map_err(|error| error.to_string())?;
    let results = report.outcomes.into_iter().map(|outcome| outcome.map_err(|error| error.to_string()));
    let results = results.collect::<Result<Vec<_>, _>>()?;
    assert!(results.iter().all(|result| *result == results[0]), "parties disagree");
    Ok(results[0].entry("result").expect("a result").clone())
}

/// Holds a result against `{"value": …, "tolerance": …}` for every key; what is `null` must have a note, and nothing else.
pub(crate) fn check(name: &str, result: &Value, expected: &Value) {
    let Value::Map(expected) = expected else { panic!("{name}: expected a map") };
    for (key, expected) in expected {
        let computed = result.entry(key).unwrap_or_else(|| panic!("{name}: {key} is missing"));
        let noted = result.entry("notes").is_some_and(|notes| notes.entry(key).is_some());
        let value = expected.entry("value").expect("a value");
        assert_eq!(noted, *value == Value::Null, "{name}: {key}: noted, but not null, or the other way round");
        match (computed.as_f64(), value.as_f64()) {
            (Some(computed), Some(value)) => {
                let tolerance = expected.entry("tolerance").and_then(Value::as_f64).expect("a tolerance");
                let error = (computed - value).abs();
                assert!(
                    error <= tolerance,
                    "{name}: {key}: {computed:e} is {error:e} off {value:e}, more than {tolerance:e}"
                );
            }
            (None, None) => {}
            (computed, value) => panic!("{name}: {key}: {computed:?} instead of {value:?}"),
        }
    }
}

/// The items of a list or of an array.
pub(crate) fn items(list: &Value) -> Vec<Value> {
    match list {
        Value::List(items) => items.clone(),
        Value::Array(array) => array.items().collect(),
        _ => panic!("a list is expected"),
    }
}

/// Holds a function against the run of the reference in `recorded_moments.json`: the same keys, but for `more`, and values to
/// 1e-9; the reference is less exact than that only where it cancels.
pub(crate) fn recorded<P: Protocol>(more: &[&str]) {
    let all =
        json::parse(include_bytes!("../../tests/vectors/recorded_moments.json"), &Limits::default()).expect("JSON");
    let case = all.entry(P::NAME).expect("a recorded run");
    let result = computed::<P>(&items(case.entry("data").expect("data")), &dealer()).expect("a result");
    let recorded = items(case.entry("results").expect("results")).remove(0);
    let Some(Value::Map(recorded)) = recorded.entry("result") else { panic!("the results are a map") };
    for (key, recorded) in recorded {
        let (computed, recorded) = (result.entry(key).and_then(Value::as_f64), recorded.as_f64());
        let (computed, recorded) = (computed.expect(key), recorded.expect(key));
        assert!((computed - recorded).abs() <= 1e-9 * recorded.abs(), "{key}: {computed} instead of {recorded}");
    }
    let Value::Map(result) = result else { panic!("the results are a map") };
    let new: Vec<&String> = result.keys().filter(|key| !recorded.contains_key(*key)).collect();
    assert_eq!(new, more);
}
