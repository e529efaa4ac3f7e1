//! What one party makes of its data before it meets the others.

use fsc_core::object::ObjectError;
use fsc_core::value::Value;

use crate::algebra::ring::times_power_of_two;
use crate::linear::matrix::{Matrix, Qr, dot, items, norm};
use crate::linear::scaling;
use crate::linear::solve::{Errors, NOTHING_TO_EXPLAIN, Panel, Solution};

/// The most elements of a party's data.
pub(super) const MOST_ELEMENTS: usize = 1 << 24;

/// How small a column may become by centring, relative to what it was.
const CONSTANT: f64 = 1e-12;

/// One party's data, decomposed.
#[derive(Clone)]
pub struct Local {
    pub(super) rows: usize,
    pub(super) columns: Vec<Column>,
    pub(super) qr: Option<Qr>,
    pub(super) y: Option<Dependent>,
}

/// What is to be known of a column beside the decomposition.
#[derive(Clone, Copy)]
pub(super) struct Column {
    /// It was divided by 2^exponent.
    exponent: i32,
    /// Its mean then, which was subtracted; 0 without an intercept.
    mean: f64,
}

/// The dependent variable, divided by 2^exponent, so that its length is below 1, and without its mean.
#[derive(Clone)]
pub(super) struct Dependent {
    pub(super) numbers: Vec<f64>,
    pub(super) exponent: i32,
    mean: f64,
}

impl Local {
    /// `[X]`, `[y]`, `[X, y]` or nothing.
    pub fn read(data: &Value, intercept: bool) -> Result<Self, ObjectError> {
        let parts = if *data == Value::Null { Vec::new() } else { items(data).ok_or_else(|| wrong(EXPECTED))? };
        match &parts[..] {
            [] => Self::new(None, None, intercept),
            [only] if is_vector(only) => Self::new(None, Some(&Matrix::read_vector(only)?), intercept),
            [only] => Self::new(Some(&Matrix::read(only)?), None, intercept),
            [x, y] => {
                let y = if is_vector(y) { Matrix::read_vector(y)? } else { Matrix::read(y)? };
                Self::new(Some(&Matrix::read(x)?), Some(&y), intercept)
            }
            _ => Err(wrong(EXPECTED)),
        }
    }

    /// One party's columns and dependent variable, a matrix of one column.
    pub fn new(x: Option<&Matrix>, y: Option<&Matrix>, intercept: bool) -> Result<Self, ObjectError> {
        let rows = x.or(y).map_or(0, Matrix::rows);
        if let (Some(x), Some(y)) = (x, y)
            && x.rows() != y.rows()
        {
            return Err(wrong("its columns and its dependent variable must have equally many rows"));
        }
        if rows * (x.map_or(0, Matrix::columns) + 1) > MOST_ELEMENTS {
            return Err(wrong("it has more than 2^24 elements"));
        }
        let mut columns = Vec::new();
        let mut vectors = Vec::new();
        for vector in x.map(Matrix::to_columns).unwrap_or_default() {
            let (column, vector) = Column::new(vector, intercept).ok_or_else(|| dependent(columns.len()))?;
            columns.push(column);
            vectors.push(vector);
        }
        let qr = match vectors[..] {
            [] => None,
            _ => Some(Qr::new(&vectors).map_err(dependent)?),
        };
        let y = match y {
            Some(y) if y.columns() != 1 => return Err(wrong("a dependent variable must have one column")),
            Some(y) => Some(Dependent::new(y.entries(), intercept)),
            None => None,
        };
        Ok(Self { rows, columns, qr, y })
    }

    /// What takes part in products with others.
    pub(super) fn panel(&self, errors: Errors) -> Panel<'_> {
        let q = self.qr.as_ref().map_or(&[][..], |qr| &qr.q);
        let mut panel =
            Panel { q, y: self.y.as_ref().map(|y| &y.numbers[..]), directions: Vec::new(), means: Vec::new() };
        if let (Some(qr), true) = (&self.qr, errors != Errors::None) {
            let unit = |row: Vec<f64>| row.iter().map(|number| number / norm(&row)).collect();
            panel.directions = qr.inverse_rows().into_iter().map(unit).collect();
            panel.means = qr.solve_transposed(&self.means());
        }
        panel
    }

    /// Q'y and y'y, of a party that has both Q and y.
    pub(super) fn own_projection(&self) -> Option<(Vec<f64>, f64)> {
        let y = &self.y.as_ref()?.numbers;
        let qr = self.qr.as_ref()?;
        Some((qr.q.iter().map(|direction| dot(direction, y)).collect(), dot(y, y)))
    }

    /// What the owner of all columns learns, from g = Q'y and T = y'y; N is I.
    pub(super) fn solution(&self, g: Vec<f64>, square: f64, intercept: bool) -> Solution {
        let unexplained = (square - dot(&g, &g)).max(0.0);
        let means = self.qr.as_ref().map(|qr| qr.solve_transposed(&self.means())).unwrap_or_default();
        Solution {
            variances: vec![unexplained; g.len()],
            unexplained: Some(if square > 0.0 { unexplained / square } else { NOTHING_TO_EXPLAIN }),
            intercept: intercept.then(|| unexplained * (1.0 / self.rows as f64 + dot(&means, &means))),
            g,
        }
    }

    /// My coefficients, in units of y's power of two.
    pub(super) fn coefficients(&self, g: &[f64]) -> Vec<f64> {
        self.qr.as_ref().map(|qr| self.unscaled(qr.solve(g))).unwrap_or_default()
    }

    /// Their standard errors, in the same units, with so many degrees of freedom: variances are in units of the square of a row of R^-1.
    pub(super) fn standard_errors(&self, variances: &[f64], freedom: usize) -> Vec<f64> {
        let lengths = self.qr.as_ref().map(|qr| qr.inverse_rows().iter().map(|row| norm(row)).collect::<Vec<_>>());
        let errors = lengths.unwrap_or_default().into_iter().zip(variances);
        self.unscaled(errors.map(|(length, variance)| length * standard_error(*variance, freedom)).collect())
    }

    /// Numbers per unit of each scaled column, per unit of the column as it was given.
    fn unscaled(&self, numbers: Vec<f64>) -> Vec<f64> {
        let scale = |(number, column): (f64, &Column)| times_power_of_two(number, -column.exponent);
        numbers.into_iter().zip(&self.columns).map(scale).collect()
    }

    /// My term of the intercept, in units of y's power of two.
    pub(super) fn intercept_term(&self, g: &[f64]) -> f64 {
        let of_y = self.y.as_ref().map_or(0.0, |y| y.mean);
        let of_columns = self.qr.as_ref().map_or(0.0, |qr| dot(&qr.solve(g), &self.means()));
        of_y - of_columns
    }

    fn means(&self) -> Vec<f64> {
        self.columns.iter().map(|column| column.mean).collect()
    }
}

impl Column {
    /// A column, scaled, and centred with an intercept; none if there is nothing left of it.
    fn new(vector: Vec<f64>, intercept: bool) -> Option<(Self, Vec<f64>)> {
        let exponent = scaling::exponent(&vector);
        let mut vector: Vec<f64> = vector.into_iter().map(|number| times_power_of_two(number, -exponent)).collect();
        let length = norm(&vector);
        let mean = if intercept { centre(&mut vector) } else { 0.0 };
        (norm(&vector) > CONSTANT * length).then_some((Self { exponent, mean }, vector))
    }
}

impl Dependent {
    fn new(numbers: &[f64], intercept: bool) -> Self {
        let first = scaling::exponent(numbers);
        let mut numbers: Vec<f64> = numbers.iter().map(|number| times_power_of_two(*number, -first)).collect();
        let mean = if intercept { centre(&mut numbers) } else { 0.0 };
        let second = scaling::exponent(&[norm(&numbers)]);
        for number in &mut numbers {
            *number = times_power_of_two(*number, -second);
        }
        Self { numbers, exponent: first + second, mean: times_power_of_two(mean, -second) }
    }
}

/// The root of a variance by degrees of freedom, if there are any; rounding may have left it below zero.
pub(super) fn standard_error(variance: f64, freedom: usize) -> f64 {
    (variance.max(0.0) / freedom.max(1) as f64).sqrt()
}

/// Subtracts the mean; twice, since the mean is rounded, too.
fn centre(vector: &mut [f64]) -> f64 {
    let mut whole = 0.0;
    for _ in 0..2 {
        let mean = vector.iter().sum::<f64>() / vector.len() as f64;
        for number in vector.iter_mut() {
            *number -= mean;
        }
        whole += mean;
    }
    whole
}

const EXPECTED: &str = "it must be a list of what the party has: [X], [y], [X, y] or []";

fn is_vector(value: &Value) -> bool {
    match value {
        Value::Array(array) => array.shape().len() == 1,
        Value::List(items) => items.first().is_some_and(|item| !matches!(item, Value::Array(_) | Value::List(_))),
        _ => false,
    }
}

fn dependent(column: usize) -> ObjectError {
    wrong(format!("column {column} depends linearly on those before it"))
}

fn wrong(why: impl Into<String>) -> ObjectError {
    ObjectError::argument("data", why)
}
