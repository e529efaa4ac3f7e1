//! The recorded vectors of `tests/vectors/statistics.json`, and how results are held against them.

use fsc_core::protocol::{Protocol, Submission};
use fsc_core::value::{Array, Limits, Value, json, to_value};

use crate::data::Missing;
use crate::moments::oracle::Expected;
use crate::preprocessing::Source;
use crate::search::testing;
use crate::univariate::Params;

/// A case of `statistics.json`: what each party submits, and what must come out.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) data: Vec<Value>,
    pub(crate) expected: Expected,
}

/// All cases of one function.
pub(crate) fn cases(function: &str) -> Vec<Case> {
    let all = json::parse(include_bytes!("../../tests/vectors/statistics.json"), &Limits::default()).expect("JSON");
    let cases = items(all.entry(function).expect("a list of cases"));
    let case = |case: Value| Case {
        name: case.entry("name").and_then(Value::as_text).expect("a name").to_owned(),
        data: items(case.entry("data").expect("data")),
        expected: expected(&case),
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
    Case { name: "a million".to_owned(), data, expected: expected(case) }
}

/// What the script says must come out, `{"value": …, "tolerance": …}` for every key.
fn expected(case: &Value) -> Expected {
    let Some(Value::Map(expected)) = case.entry("expected") else { panic!("results are a map") };
    let number = |entry: &Value, name| entry.entry(name).and_then(Value::as_f64);
    let pair = |entry: &Value| Some((number(entry, "value")?, number(entry, "tolerance").expect("a tolerance")));
    expected.iter().map(|(key, entry)| (key.clone(), pair(entry))).collect()
}

/// The first party deals, which is quicker.
pub(crate) const DEALER: Params = Params { missing: Missing::Error, preprocessing: Source::Dealer(0) };

/// The way to compare numbers, as parameters have it.
pub(crate) fn by(preprocessing: Source) -> Value {
    to_value(&Params { preprocessing, ..DEALER }).expect("parameters are values")
}

/// What several parties hold, at so many of them.
pub(crate) fn among(parties: usize, data: &[Value]) -> Vec<Value> {
    let held = |place: usize| data.iter().skip(place).step_by(parties).flat_map(items).collect::<Vec<_>>();
    (0..parties).map(|place| Value::List(held(place))).collect()
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
    let mut results = testing::results::<P>(&params.remove(0), inputs);
    let result = results.swap_remove(0);
    assert!(results.iter().all(|other| *other == result), "parties disagree");
    result
}

/// How a result differs from what it must be; what is null must have a note, and nothing else.
pub(crate) fn check(result: &Value, expected: &Expected) -> Result<(), String> {
    for (key, expected) in expected {
        let computed = result.entry(key).ok_or_else(|| format!("{key} is missing"))?;
        let noted = result.entry("notes").is_some_and(|notes| notes.entry(key).is_some());
        if noted == expected.is_some() {
            return Err(format!("{key}: noted, but not null, or the other way round"));
        }
        match (computed.as_f64(), expected) {
            (Some(computed), Some((value, tolerance))) => {
                let error = (computed - value).abs();
                if error > *tolerance {
                    return Err(format!("{key}: {computed:e} is {error:e} off {value:e}, more than {tolerance:e}"));
                }
            }
            (None, None) => {}
            (computed, expected) => return Err(format!("{key}: {computed:?} instead of {expected:?}")),
        }
    }
    Ok(())
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
    let result = computed::<P>(&items(case.entry("data").expect("data")), &by(Source::Dealer(0))).expect("a result");
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
