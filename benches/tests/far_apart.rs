//! Federations over the internet, in simulated time: 28 ms there and back, as where the reference was measured (the
//! internet column of its benchmark, tables 8 to 10).

use std::time::Duration;

use fsc_benches::rows;
use fsc_core::sim::{self, Faults};
use fsc_protocols::ot;
use simulate::simulate;

#[path = "../benches/simulate/mod.rs"]
mod simulate;

const ONE_WAY: Duration = Duration::from_millis(14);

/// What the reference takes over the internet, and ours if the nodes have met, and if they have not; in milliseconds.
const TIMES: [(&str, u128, u128, u128); 6] = [
    ("SecureMatrixMultiplication", 2_700, 56, 84),
    ("StatisticsBivariate", 59_200, 126, 154),
    ("StatisticsContingency", 16_100, 28, 28),
    ("StatisticsFrequency", 9_400, 28, 28),
    ("StatisticsRegressionOLSVertical", 2_300, 56, 84),
    ("StatisticsUnivariate", 22_300, 84, 112),
];

#[test]
fn each_function_takes_less_than_a_tenth_of_the_reference() {
    let rows = rows::reference();
    let times = TIMES.map(|(function, reference, ..)| {
        let row = rows.iter().find(|row| row.function == function).expect("a row");
        let took = |keys: &[_]| simulate(row, keys, Faults { delay: ONE_WAY, ..Faults::default() }).took.as_millis();
        let strangers = took(&sim::keys(row.data.len(), 2));
        let acquainted = sim::keys(row.data.len(), 1);
        ot::acquaint(&acquainted);
        let acquainted = took(&acquainted);
        assert!(10 * strangers <= reference && 10 * acquainted <= reference, "{function}");
        (function, reference, acquainted, strangers)
    });
    assert_eq!(times, TIMES);
}
