//! One party's own matrix.

use fsc_core::object::ObjectError;
use fsc_core::value::{Array, Value};

/// A matrix of finite floats.
#[derive(Clone, PartialEq)]
pub struct Matrix {
    rows: usize,
    columns: usize,
    /// Row by row.
    entries: Vec<f64>,
}

impl Matrix {
    /// The matrix with these entries, row by row.
    ///
    /// # Panics
    /// If there are not `rows`·`columns` of them.
    pub fn new(rows: usize, columns: usize, entries: Vec<f64>) -> Self {
        assert_eq!(entries.len(), rows * columns, "as many entries as rows times columns");
        Self { rows, columns, entries }
    }

    /// A matrix as clients write it: a list of rows of equal length.
    pub fn read(value: &Value) -> Result<Self, ObjectError> {
        let rows = items(value).ok_or_else(|| wrong("a matrix must be a list of rows"))?;
        let rows: Vec<_> =
            rows.iter().enumerate().map(|(row, numbers)| read_row(row, numbers)).collect::<Result<_, _>>()?;
        let columns = rows.first().map_or(0, Vec::len);
        if columns == 0 {
            return Err(wrong("a matrix must have a row and a column at least"));
        }
        if let Some(row) = rows.iter().position(|row| row.len() != columns) {
            return Err(wrong(format!("row {row} has another length than the rows before it")));
        }
        Ok(Self::new(rows.len(), columns, rows.concat()))
    }

    /// A vector as clients write it, a list of numbers, as a matrix of one column.
    pub fn read_vector(value: &Value) -> Result<Self, ObjectError> {
        let numbers = match value {
            Value::Array(array) if array.shape().len() == 1 => floats(array)?,
            other => {
                let numbers = items(other).ok_or_else(|| wrong("a vector must be a list of numbers"))?;
                numbers.iter().enumerate().map(|(row, number)| read_number(row, 0, number)).collect::<Result<_, _>>()?
            }
        };
        if numbers.is_empty() {
            return Err(wrong("a vector must have a number at least"));
        }
        Ok(Self::new(numbers.len(), 1, numbers))
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The entries, row by row.
    pub fn entries(&self) -> &[f64] {
        &self.entries
    }

    /// Column by column.
    pub fn to_columns(&self) -> Vec<Vec<f64>> {
        let column = |column| self.entries.iter().skip(column).step_by(self.columns).copied().collect();
        (0..self.columns).map(column).collect()
    }
}

/// The items of a list, whether or not it is dense.
pub fn items(value: &Value) -> Option<Vec<Value>> {
    match value {
        Value::List(items) => Some(items.clone()),
        Value::Array(array) => Some(array.items().collect()),
        _ => None,
    }
}

fn read_row(row: usize, numbers: &Value) -> Result<Vec<f64>, ObjectError> {
    match numbers {
        Value::Array(array) if array.shape().len() == 1 => floats(array),
        Value::List(items) => {
            items.iter().enumerate().map(|(column, number)| read_number(row, column, number)).collect()
        }
        other => Err(wrong(format!("row {row} is {}, where a list of numbers is expected", other.kind()))),
    }
}

fn read_number(row: usize, column: usize, number: &Value) -> Result<f64, ObjectError> {
    number.as_f64().ok_or_else(|| {
        wrong(format!("there is {} at row {row}, column {column}, where a number is expected", number.kind()))
    })
}

fn floats(array: &Array) -> Result<Vec<f64>, ObjectError> {
    array.to_f64().map(std::borrow::Cow::into_owned).map_err(|error| wrong(error.to_string()))
}

/// The thin QR decomposition of a matrix of full column rank: X = QR.
#[derive(Clone)]
pub struct Qr {
    /// Orthonormal columns.
    pub q: Vec<Vec<f64>>,
    /// Upper triangular, column by column: column j has j + 1 entries.
    r: Vec<Vec<f64>>,
}

/// How small a column's part outside those before it may be, relative to the column.
const DEPENDENT: f64 = 1e-12;

impl Qr {
    /// Decomposes a matrix, given column by column; the error is the first column that depends on those before it.
    ///
    /// Gram and Schmidt's way, twice, is orthogonal to working precision (Giraud, Langou, Rozložník 2005).
    pub fn new(columns: &[Vec<f64>]) -> Result<Self, usize> {
        let mut q: Vec<Vec<f64>> = Vec::with_capacity(columns.len());
        let mut r = Vec::with_capacity(columns.len());
        for (place, column) in columns.iter().enumerate() {
            let length = norm(column);
            let mut rest = column.clone();
            let mut entries = vec![0.0; place + 1];
            for (entry, direction) in entries.iter_mut().zip(&q) {
                *entry += remove(&mut rest, direction);
            }
            for (entry, direction) in entries.iter_mut().zip(&q) {
                *entry += remove(&mut rest, direction);
            }
            let left = norm(&rest);
            if left <= DEPENDENT * length || !left.is_normal() || place >= column.len() {
                return Err(place);
            }
            entries[place] = left;
            for number in &mut rest {
                *number /= left;
            }
            q.push(rest);
            r.push(entries);
        }
        Ok(Self { q, r })
    }

    /// The solution of R·x = `b`.
    pub fn solve(&self, b: &[f64]) -> Vec<f64> {
        let mut x = b.to_vec();
        for (place, column) in self.r.iter().enumerate().rev() {
            x[place] /= column[place];
            let value = x[place];
            x.iter_mut().zip(&column[..place]).for_each(|(number, entry)| *number -= entry * value);
        }
        x
    }

    /// The rows of R^-1.
    pub fn inverse_rows(&self) -> Vec<Vec<f64>> {
        let unit = |place: usize| (0..self.r.len()).map(|row| f64::from(u8::from(row == place))).collect::<Vec<_>>();
        let columns: Vec<_> = (0..self.r.len()).map(|place| self.solve(&unit(place))).collect();
        (0..self.r.len()).map(|row| columns.iter().map(|column| column[row]).collect()).collect()
    }

    /// The solution of R'·x = `b`.
    pub fn solve_transposed(&self, b: &[f64]) -> Vec<f64> {
        let mut x: Vec<f64> = Vec::with_capacity(b.len());
        for (column, number) in self.r.iter().zip(b) {
            let rest = number - dot(&x, &column[..x.len()]);
            x.push(rest / column[x.len()]);
        }
        x
    }
}

/// Takes its part along `direction` away from a vector, and says how much that was.
fn remove(vector: &mut [f64], direction: &[f64]) -> f64 {
    let along = dot(vector, direction);
    vector.iter_mut().zip(direction).for_each(|(number, other)| *number -= along * other);
    along
}

/// The inner product.
pub fn dot(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(a, b)| a * b).sum()
}

/// The Euclidean length.
pub fn norm(vector: &[f64]) -> f64 {
    dot(vector, vector).sqrt()
}

fn wrong(why: impl Into<String>) -> ObjectError {
    ObjectError::argument("data", why)
}

#[cfg(test)]
mod tests {
    use fsc_core::value::{Limits, json};
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<Matrix, String> {
        let value = json::parse(text.as_bytes(), &Limits::default()).expect("JSON");
        Matrix::read(&value).map_err(|error| error.to_string())
    }

    #[test]
    fn rows_of_numbers_are_a_matrix() {
        let matrix = read("[[1, 2.5], [3, 4], [5, 6]]").unwrap();
        assert_eq!((matrix.rows(), matrix.columns()), (3, 2));
        assert_eq!(matrix.to_columns(), [[1.0, 3.0, 5.0], [2.5, 4.0, 6.0]]);
    }

    #[test]
    fn what_is_no_matrix_is_refused_by_position() {
        for (text, expected) in [
            ("[[1, 2], [3]]", "row 1 has another length"),
            ("[[1, 2], [3, null]]", "there is null at row 1, column 1"),
            ("[[1, \"2\"]]", "there is a text at row 0, column 1"),
            ("[[]]", "a row and a column"),
            ("[]", "a row and a column"),
            ("[1, 2]", "row 0 is a"),
            ("7", "a list of rows"),
        ] {
            let error = read(text).err().expect(text);
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn q_is_orthonormal_and_times_r_it_is_the_matrix(
            columns in prop::collection::vec(prop::collection::vec(-1.0..1.0_f64, 9), 1..6),
        ) {
            let qr = Qr::new(&columns).unwrap();
            for (i, one) in qr.q.iter().enumerate() {
                for (j, other) in qr.q.iter().enumerate() {
                    prop_assert!((dot(one, other) - f64::from(u8::from(i == j))).abs() < 1e-14);
                }
                let rebuilt = |row: usize| (0..=i).map(|k| qr.q[k][row] * qr.r[i][k]).sum::<f64>();
                prop_assert!((0..9).all(|row| (rebuilt(row) - columns[i][row]).abs() < 1e-14));
            }
            let ones = vec![1.0; columns.len()];
            let (x, y) = (qr.solve(&ones), qr.solve_transposed(&ones));
            // 1'R^-1·1, computed from both sides.
            let (one, other): (f64, f64) = (x.iter().sum(), y.iter().sum());
            prop_assert!((one - other).abs() <= 1e-9 * one.abs().max(1.0));
        }
    }

    #[test]
    fn dependent_columns_are_refused() {
        assert_eq!(Qr::new(&[vec![1.0, 2.0, 3.0], vec![2.0, 4.0, 6.0]]).err(), Some(1));
        assert_eq!(Qr::new(&[vec![0.0; 3]]).err(), Some(0));
        assert_eq!(Qr::new(&[vec![1.0], vec![2.0]]).err(), Some(1), "more columns than rows");
    }
}
