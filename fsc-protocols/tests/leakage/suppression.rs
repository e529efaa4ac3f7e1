//! No linear combination of what is opened gives a suppressed count away.
//!
//! What is opened, and what is returned, is a linear function of the counts as long as the same cells pass; so the matrix of that
//! function is found by adding one to a count at a time. A suppressed count follows from it if its unit vector is a combination
//! of the matrix' rows.

use fsc_core::protocol::Catalogue;
use fsc_core::sim::{self, Faults, World};
use fsc_core::value::Value;
use fsc_protocols::ot;

use crate::examples::prepared;
use crate::openings::opened;

const PARTIES: usize = 3;

/// How often each cell of a table occurs at each party, and what that is as data.
struct Table {
    function: &'static str,
    parameters: &'static str,
    cells: &'static [&'static str],
    /// What passes is above the minimum, what does not is below, and by more than one.
    counts: &'static [u64],
    suppressed: &'static [usize],
}

const FREQUENCY: Table = Table {
    function: "StatisticsFrequency",
    parameters: r#"{"categories": ["a", "b", "c", "d"], "minimum_count": 10}"#,
    cells: &[r#""a""#, r#""b""#, r#""c""#, r#""d""#],
    counts: &[12, 4, 31, 7],
    suppressed: &[1, 3],
};

/// One suppressed cell in the first row and in the first column, so that honest margins would give it away.
const CONTINGENCY: Table = Table {
    function: "StatisticsContingency",
    parameters: r#"{"categories": [["f", "m"], ["x", "y"]], "minimum_count": 10}"#,
    cells: &[r#"["f", "x"]"#, r#"["f", "y"]"#, r#"["m", "x"]"#, r#"["m", "y"]"#],
    counts: &[5, 20, 30, 11],
    suppressed: &[0],
};

impl Table {
    /// What is opened, and the numbers of the result, with one more in a cell.
    fn shown(&self, more: Option<usize>) -> Vec<f64> {
        let mut data = vec![Vec::new(); PARTIES];
        for (cell, count) in self.counts.iter().enumerate() {
            let count = count + u64::from(more == Some(cell));
            (0..count).for_each(|record| data[record as usize % PARTIES].push(self.cells[cell]));
        }
        let data: Vec<String> = data.iter().map(|records| format!("[{}]", records.join(","))).collect();
        let data: Vec<&str> = data.iter().map(String::as_str).collect();
        fsc_protocols::link();
        let catalogue = Catalogue::discover().unwrap();
        let keys = sim::keys(PARTIES, 0);
        ot::acquaint(&keys);
        let parts = prepared(catalogue.find(self.function).unwrap(), self.parameters, &data);
        let report = World::new(parts, &keys, 0, Faults::default()).run();
        let mut shown: Vec<f64> = opened(&report, self.cells.len()).into_iter().map(|count| count as f64).collect();
        numbers(report.outcomes[0].as_ref().unwrap(), &mut shown);
        shown
    }

    /// How much each number that is shown grows with each cell, number by number.
    fn matrix(&self) -> Vec<Vec<f64>> {
        let base = self.shown(None);
        let columns: Vec<Vec<f64>> = (0..self.cells.len()).map(|cell| self.shown(Some(cell))).collect();
        assert!(columns.iter().all(|column| column.len() == base.len()), "the same cells pass");
        (0..base.len()).map(|row| columns.iter().map(|column| column[row] - base[row]).collect()).collect()
    }
}

/// All numbers in a value, in order.
pub(crate) fn numbers(value: &Value, into: &mut Vec<f64>) {
    match value {
        Value::List(items) => items.iter().for_each(|item| numbers(item, into)),
        Value::Array(array) => array.items().for_each(|item| numbers(&item, into)),
        Value::Map(entries) => entries.values().for_each(|entry| numbers(entry, into)),
        other => into.extend(other.as_f64()),
    }
}

/// By elimination; the entries are small integers.
fn rank(mut rows: Vec<Vec<f64>>) -> usize {
    let mut rank = 0;
    for column in 0..rows.first().map_or(0, Vec::len) {
        let Some(pivot) = (rank..rows.len()).find(|row| rows[*row][column].abs() > 1e-9) else { continue };
        rows.swap(rank, pivot);
        let above = rows[rank].clone();
        for row in &mut rows[rank + 1..] {
            let factor = row[column] / above[column];
            row.iter_mut().zip(&above).for_each(|(entry, above)| *entry -= factor * above);
        }
        rank += 1;
    }
    rank
}

/// Whether a cell's count is a linear combination of what is shown.
fn follows(matrix: &[Vec<f64>], cell: usize) -> bool {
    let unit = (0..matrix[0].len()).map(|column| f64::from(u8::from(column == cell))).collect();
    rank(matrix.iter().cloned().chain([unit]).collect()) == rank(matrix.to_vec())
}

#[test]
fn suppressed_counts_follow_from_nothing_that_is_shown() {
    for table in [FREQUENCY, CONTINGENCY] {
        let matrix = table.matrix();
        for cell in 0..table.cells.len() {
            let suppressed = table.suppressed.contains(&cell);
            assert_eq!(follows(&matrix, cell), !suppressed, "{}, cell {cell}", table.function);
        }
    }
}

/// Negative controls: a number of all records, and margins of all cells, as the reference has them.
#[test]
fn honest_totals_are_caught() {
    let mut matrix = CONTINGENCY.matrix();
    matrix.push(vec![1.0; 4]);
    assert!(follows(&matrix, 0), "a number of all records went unnoticed");
    let mut matrix = CONTINGENCY.matrix();
    matrix.push(vec![1.0, 1.0, 0.0, 0.0]);
    assert!(follows(&matrix, 0), "an honest margin went unnoticed");
    let mut matrix = FREQUENCY.matrix();
    matrix.push(vec![1.0; 4]);
    assert!(!follows(&matrix, 1) && !follows(&matrix, 3), "of two suppressed counts, the sum is not each");
}
