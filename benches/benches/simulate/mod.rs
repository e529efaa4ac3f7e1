//! A function in the simulator.

use std::sync::Arc;

use fsc_benches::rows::Row;
use fsc_core::joining::Keys;
use fsc_core::protocol::{Catalogue, Submission};
use fsc_core::sim::{Faults, Report, World};
use fsc_core::value::Value;

/// A run by nodes with these keys.
///
/// # Panics
/// If a party has no result.
pub(crate) fn simulate(row: &Row, keys: &[Arc<Keys>], faults: Faults) -> Report {
    let catalogue = Catalogue::discover().expect("functions are linked");
    let protocol = catalogue.find(row.function).expect("a function");
    let parties = row.data.len();
    let prepared = row.data.iter().enumerate().map(|(me, data)| {
        let submission = Submission { data: data.clone(), parameters: Value::Null, parties, me };
        protocol.prepare(submission).expect("data is admitted")
    });
    let report = World::new(prepared.collect(), keys, 1, faults).run();
    assert!(report.outcomes.iter().all(Result::is_ok), "every party has a result");
    report
}
