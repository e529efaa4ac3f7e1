//! What is opened at last is what a simulator has from the result alone: of the functions whose own tests do not predict it, or
//! do so with a dealer.

use fsc_core::sim::{self, Faults, Report, World};
use fsc_protocols::algebra::fixed::Fixed;
use fsc_protocols::algebra::ring;
use fsc_protocols::ot;

use crate::examples::{self, Example};
use crate::suppression::numbers;

fn run(example: &Example, version: usize) -> Report {
    let keys = sim::keys(example.parties(), 1);
    ot::acquaint(&keys);
    World::new(example.prepared(version), &keys, 1, Faults::default()).run()
}

/// The sum of all parties' last shares of so many elements, which each says to all others.
pub(crate) fn opened(report: &Report, elements: usize) -> Vec<u128> {
    let parties = report.outcomes.len();
    let mut sum = vec![0_u128; elements];
    for from in 0..parties {
        let last = |to| report.payloads(from, to).into_iter().rfind(|payload| payload.len() == 16 * elements);
        let mut said = (0..parties).filter(|to| *to != from).map(last);
        let share = said.next().flatten().expect("a share of that length");
        ring::add_assign_le(&mut sum, &share).unwrap();
        assert!(said.all(|other| other.as_ref() == Some(&share)), "party {from} says different things");
    }
    sum
}

/// The numbers under that key of the result, in order.
fn result(report: &Report, key: &str) -> Vec<f64> {
    let mut found = Vec::new();
    let result = report.outcomes[0].as_ref().unwrap().entry("result").expect("a result");
    numbers(result.entry(key).expect(key), &mut found);
    found
}

#[test]
fn of_a_sum_the_sum() {
    for version in [0, 1] {
        let report = run(&examples::sum(), version);
        let [sum] = result(&report, "sum")[..] else { panic!("one number") };
        assert_eq!(opened(&report, 1), [(sum as u128) << Fixed::DEFAULT.fraction_bits()]);
        assert!(report.costs.iter().all(|cost| cost.messages == 2), "and that is all that is sent");
    }
}

/// The counts that are shown, and zeros in the place of others.
#[test]
fn of_a_table_what_it_shows() {
    for (example, expected) in [
        (examples::contingency_by_book(), &[0, 1, 2, 1, 0, 0][..]),
        (examples::contingency_with_minimum(), &[4, 0]),
        (examples::contingency_with_minimum_of_two(), &[4, 0]),
        (examples::frequency_by_book(), &[1, 1, 3]),
        (examples::frequency_with_minimum(), &[0, 5]),
        (examples::frequency_with_minimum_of_two(), &[0, 4]),
    ] {
        for version in [0, 1] {
            let report = run(&example, version);
            assert_eq!(opened(&report, expected.len()), expected, "{}", example.function);
        }
    }
}

/// 1, by 2^(55 − 2) for the bits of X and 2^(70 − 1 − 1) for those of Y and for its two rows.
#[test]
fn of_a_product_the_product() {
    for example in [examples::matrix_on_the_left(), examples::matrix_on_the_right()] {
        let [one, other] = [0, 1].map(|version| opened(&run(&example, version), 1));
        assert_eq!(one, other);
        let [product] = result(&run(&example, 0), "product")[..] else { panic!("one number") };
        assert_eq!(product, 1.0);
        assert_eq!(one, [1 << 121]);
    }
}
