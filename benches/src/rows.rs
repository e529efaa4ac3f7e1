//! Functions on inputs as they come: those of the comparison with the reference (`cargo xtask bench`), and large columns.

use fsc_core::value::{Array, Value};

/// A function, its size, and what each party gives.
pub struct Row {
    /// Its name.
    pub function: &'static str,
    /// How many numbers each party has, or rows of a matrix.
    pub count: usize,
    /// What each party gives.
    pub data: Vec<Value>,
}

impl Row {
    fn new(function: &'static str, count: usize, data: impl IntoIterator<Item = Value>) -> Self {
        Self { function, count, data: data.into_iter().collect() }
    }
}

/// `count` numbers of a party, without much of a pattern.
fn numbers(party: usize, count: usize) -> impl Iterator<Item = f64> {
    (party * count..(party + 1) * count)
        .map(|index| (50_000.0 * (1.0 + ((index * index) as f64).sin())).round() / 1000.0)
}

fn list(numbers: impl IntoIterator<Item = f64>) -> Value {
    Value::Array(Array::from_f64(numbers.into_iter().collect()).expect("finite numbers"))
}

fn matrix(party: usize, rows: usize, columns: usize) -> Value {
    let entries = Array::from_f64(numbers(party, rows * columns).collect()).expect("finite numbers");
    Value::Array(entries.reshape(vec![rows, columns]).expect("as many entries"))
}

/// One of a few words for every number.
fn words(party: usize, count: usize, words: &[&str]) -> impl Iterator<Item = Value> {
    numbers(party, count).map(move |number| words[number as usize % words.len()].into())
}

fn ranked(party: usize, count: usize, rank: usize) -> Value {
    let integers = numbers(party, count).map(|number| Value::Int(number as i128)).collect();
    let bounds = [("lower_bound", 0.into()), ("upper_bound", 1000.into())];
    let entries = [("array", Value::List(integers)), ("rank", rank.into())];
    Value::List(vec![Value::map(entries.into_iter().chain(bounds))])
}

/// The rows of the reference's benchmark.
pub fn reference() -> Vec<Row> {
    let columns = |parties| (0..parties).map(|party| list(numbers(party, 100)));
    let pairs =
        |party| numbers(party, 100).map(|x| Value::List(vec![Value::Float(x), Value::Float(2.0 * x + x.sin())]));
    let cells = |party| {
        let pairs = words(party, 100, &["m", "f"]).zip(words(party + 2, 100, &["x", "y", "z"]));
        Value::List(pairs.map(|(row, column)| Value::List(vec![row, column])).collect())
    };
    let extremes = |party| {
        let entry = |x| Value::map([("minimum", Value::Float(x)), ("maximum", Value::Float(x))]);
        Value::List(numbers(party, 100).map(entry).collect())
    };
    vec![
        Row::new("KthElement", 100, [0, 1].map(|party| ranked(party, 100, 50))),
        Row::new("MinimumMaximum", 100, [0, 1].map(extremes)),
        Row::new("SecureMatrixMultiplication", 10, [0, 1].map(|party| Value::List(vec![matrix(party, 10, 10)]))),
        Row::new("SecureMedian", 100, columns(2)),
        Row::new("SecureSum", 100, columns(3)),
        Row::new("StatisticsBivariate", 100, [0, 1].map(|party| Value::List(pairs(party).collect()))),
        Row::new("StatisticsContingency", 100, [0, 1].map(cells)),
        Row::new(
            "StatisticsFrequency",
            100,
            [0, 1].map(|party| Value::List(words(party, 100, &["a", "b", "c", "d"]).collect())),
        ),
        Row::new("StatisticsRegressionOLSVertical", 10, [Value::List(vec![matrix(0, 10, 10)]), matrix(1, 1, 10)]),
        Row::new("StatisticsUnivariate", 100, columns(2)),
    ]
}

/// Columns as they come in bulk.
pub fn bulk() -> Vec<Row> {
    let columns = |parties, count| (0..parties).map(move |party| list(numbers(party, count)));
    vec![
        Row::new("KthElement", 10_000, (0..3).map(|party| ranked(party, 10_000, 15_000))),
        Row::new("SecureMedian", 1_000_000, columns(2, 1_000_000)),
        Row::new("StatisticsUnivariate", 1_000_000, columns(3, 1_000_000)),
        Row::new("SecureMatrixMultiplication", 100, [0, 1].map(|party| Value::List(vec![matrix(party, 100, 100)]))),
    ]
}
