//! Functions of order, tables and matrix products against `vectors/exact.json`, which a script computed with fractions; by
//! oblivious transfer and by a dealer.
#![allow(clippy::unwrap_used)] // tests may panic

use fsc_core::protocol::{Catalogue, Submission};
use fsc_core::sim::{self, Faults, World};
use fsc_core::value::{Limits, Value, json};
use fsc_protocols::ot;

/// All cases of these functions.
fn cases(functions: &[&str]) -> Vec<Value> {
    let all = json::parse(include_bytes!("vectors/exact.json"), &Limits::default()).unwrap();
    let cases = items(&all).into_iter().filter(|case| functions.contains(&text(case, "function")));
    let cases: Vec<Value> = cases.collect();
    assert!(cases.len() > 10, "there are cases of {functions:?}");
    cases
}

fn entry<'a>(value: &'a Value, name: &str) -> &'a Value {
    value.entry(name).unwrap_or_else(|| panic!("{name} is missing"))
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    entry(value, name).as_text().unwrap()
}

fn items(list: &Value) -> Vec<Value> {
    match list {
        Value::List(items) => items.clone(),
        Value::Array(array) => array.items().collect(),
        _ => panic!("a list is expected"),
    }
}

/// The numbers of a matrix, row by row.
fn numbers(matrix: &Value) -> Vec<f64> {
    items(matrix).iter().flat_map(items).map(|number| number.as_f64().unwrap()).collect()
}

/// The parameters of a case, as they are and with a dealer.
fn parameters(case: &Value) -> [Value; 2] {
    let given = entry(case, "parameters").clone();
    let Value::Map(mut dealt) = (if given == Value::Null { Value::Map([].into()) } else { given.clone() }) else {
        panic!("parameters are a map");
    };
    dealt.insert("preprocessing".to_owned(), Value::map([("dealer", 1)]));
    [given, Value::Map(dealt)]
}

/// What all parties get.
fn result(case: &Value, parameters: &Value) -> Value {
    fsc_protocols::link();
    let protocol = Catalogue::discover().unwrap().find(text(case, "function")).unwrap();
    let data = items(entry(case, "data"));
    let parties = data.len();
    let submit = |(me, data)| Submission { data, parameters: parameters.clone(), parties, me };
    let prepared = data.into_iter().enumerate().map(|part| protocol.prepare(submit(part)).unwrap()).collect();
    let keys = sim::keys(parties, 1);
    ot::acquaint(&keys);
    let report = World::new(prepared, &keys, 1, Faults::default()).run();
    let mut results = report.outcomes.into_iter().map(|outcome| entry(&outcome.unwrap(), "result").clone());
    let first = results.next().unwrap();
    assert!(results.all(|other| other == first), "parties disagree");
    first
}

/// What is the case, and how it is computed, if something is wrong with it.
fn named(case: &Value, parameters: &Value) -> String {
    let parties = items(entry(case, "data")).len();
    format!("{} of {}, {parties} parties, {parameters:?}", text(case, "function"), text(case, "name"))
}

/// Results are just these, but for reasons why something is missing.
fn hold(functions: &[&str]) {
    for case in cases(functions) {
        for parameters in parameters(&case) {
            let mut found = result(&case, &parameters);
            if let Value::Map(entries) = &mut found {
                entries.remove("notes");
            }
            let [found, expected] = [&found, entry(&case, "result")].map(json::to_vec).map(String::from_utf8);
            assert_eq!(found.unwrap(), expected.unwrap(), "{}", named(&case, &parameters));
        }
    }
}

#[test]
fn extremes_are_exact() {
    hold(&["MinimumMaximum"]);
}

#[test]
fn medians_are_exact() {
    hold(&["SecureMedian"]);
}

#[test]
fn elements_are_exact() {
    hold(&["KthElement"]);
}

#[test]
fn tables_are_exact() {
    hold(&["StatisticsFrequency", "StatisticsContingency"]);
}

#[test]
fn products_are_as_exact_as_documented() {
    for case in cases(&["SecureMatrixMultiplication"]) {
        for parameters in parameters(&case) {
            let found = numbers(entry(&result(&case, &parameters), "product"));
            let [expected, tolerance] =
                [entry(entry(&case, "result"), "product"), entry(&case, "tolerance")].map(numbers);
            assert_eq!(found.len(), expected.len());
            for (found, (expected, tolerance)) in found.into_iter().zip(expected.into_iter().zip(tolerance)) {
                let error = (found - expected).abs();
                assert!(error <= tolerance, "{}: {found:e} is {error:e} off {expected:e}", named(&case, &parameters));
            }
        }
    }
}
