//! No dealer, unless the parameters name one: every function works without, among nodes that have never met.

use fsc_core::protocol::Setup;
use fsc_core::sim::{self, Faults, World};
use fsc_core::value::Value;

use crate::examples::{self, Example, prepared};

/// Whether what the parties agree on has any of them deal.
fn names_a_dealer(params: &Value) -> bool {
    match params {
        Value::Map(entries) => entries.iter().any(|(name, entry)| name == "dealer" || names_a_dealer(entry)),
        Value::List(items) => items.iter().any(names_a_dealer),
        _ => false,
    }
}

fn needs_no_dealer(example: &Example) {
    assert_eq!(example.protocol().security().setup, Setup::PairwiseKeys, "{}", example.function);
    let parts = example.prepared(0);
    assert!(parts.iter().all(|part| !names_a_dealer(&part.params)), "{}", example.function);
    let report = World::new(parts, &sim::keys(example.parties(), 1), 1, Faults::default()).run();
    for (place, outcome) in report.outcomes.iter().enumerate() {
        assert!(outcome.is_ok(), "{}, party {place}: {outcome:?}", example.function);
    }
}

crate::of_every_example!(needs_no_dealer);

/// A dealer who is named is among what the parties agree on, so the test above would see one that is not.
#[test]
fn a_dealer_is_agreed_on() {
    const DEALER: &str = r#"{"preprocessing": {"dealer": 0}}"#;
    for example in [
        examples::minimum_maximum(),
        examples::kth_element(),
        examples::median(),
        examples::univariate(),
        examples::bivariate(),
        examples::frequency(),
        examples::contingency(),
        examples::matrix_on_the_left(),
        examples::regressors(),
    ] {
        let parts = prepared(example.protocol(), DEALER, example.data[0]);
        assert!(parts.iter().all(|part| names_a_dealer(&part.params)), "{}", example.function);
    }
}
