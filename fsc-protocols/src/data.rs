//! Numbers out of what clients submit, and what becomes of those that are missing.
//!
//! A column is a list or an array of numbers, or a single number; a table is a list of rows of equal length, or an array
//! of two dimensions. `null` stands for a missing number. It is an error that names the position, unless
//! `parameters.missing` is `"omit"`: then it is left out (a row, if any number of it is missing) and counted, and the count,
//! summed over all parties, is part of the result as `omitted`.
//!
//! Numbers are finite, and −0 becomes +0. Where floats are asked for, an integer must be one that binary64 holds exactly.

use fsc_core::object::ObjectError;
use fsc_core::value::{Array, Numbers, Value, to_value};
use serde::{Deserialize, Serialize};

/// What becomes of missing numbers: `parameters.missing`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Missing {
    /// They are an error.
    #[default]
    Error,
    /// They are left out and counted.
    Omit,
}

impl Missing {
    /// Refuses to leave out rows that correspond to rows of other parties: these would have to leave them out, too, and so all of
    /// them would learn which rows are incomplete.
    pub fn refuse_to_omit(self) -> Result<(), ObjectError> {
        match self {
            Self::Error => Ok(()),
            Self::Omit => Err(ObjectError::argument(
                "parameters",
                "missing cannot be \"omit\" here: what is missing at one party would have to be left out at all, which would tell \
                 them where it is; leave out incomplete rows at all parties before, or fill them in",
            )),
        }
    }

    /// Whether something missing at `position` may be left out; the error names the position.
    pub fn pass(self, position: usize) -> Result<(), ObjectError> {
        match self {
            Self::Omit => Ok(()),
            Self::Error => Err(wrong(format!(
                "there is null at position {position}; to leave out what is missing, set parameters.missing to \"omit\""
            ))),
        }
    }
}

/// The numbers of one party that are not missing, in order.
#[derive(Clone, Default, PartialEq)]
pub struct Column<T> {
    /// The numbers.
    pub numbers: Vec<T>,
    /// How many were left out.
    pub omitted: u64,
}

/// The rows of one party that are complete, column by column.
#[derive(Clone, PartialEq)]
pub struct Table<const WIDTH: usize> {
    /// The columns, all of one length.
    pub columns: [Vec<f64>; WIDTH],
    /// How many rows were left out.
    pub omitted: u64,
}

/// Pairs (x, y).
pub type Pairs = Table<2>;

/// A column of floats. Dense arrays are taken as they are, without a copy where nobody else holds them.
pub fn floats(data: Value, missing: Missing) -> Result<Column<f64>, ObjectError> {
    match data {
        Value::Array(array) if array.shape().len() == 1 => {
            let mut numbers = array.into_f64().map_err(|inexact| not_a_float(inexact.position))?;
            for number in &mut numbers {
                *number += 0.0; // −0 + 0 = +0
            }
            Ok(Column { numbers, omitted: 0 })
        }
        data => column(data, missing, float),
    }
}

/// A column of 64-bit integers.
pub fn integers(data: Value, missing: Missing) -> Result<Column<i64>, ObjectError> {
    match data {
        Value::Array(array) if array.shape().len() == 1 => match array.numbers() {
            Numbers::Int(numbers) => Ok(Column { numbers: numbers.to_vec(), omitted: 0 }),
            _ => column(Value::List(array.iter().collect()), missing, integer),
        },
        data => column(data, missing, integer),
    }
}

/// A table of rows of `WIDTH` floats each. An empty list is a table without rows.
pub fn table<const WIDTH: usize>(data: Value, missing: Missing) -> Result<Table<WIDTH>, ObjectError> {
    let mut table = Table { columns: [const { Vec::new() }; WIDTH], omitted: 0 };
    match data {
        Value::Array(array) if array.is_empty() => {}
        Value::Array(array) if array.shape() == [array.count(), WIDTH] => {
            let numbers = array.to_f64().map_err(|inexact| not_a_float(inexact.position / WIDTH))?;
            numbers.as_chunks().0.iter().for_each(|row| table.push(*row));
        }
        Value::Array(array) => return Err(not_rows(WIDTH, 0, &array)),
        Value::List(rows) => {
            for (position, row) in rows.iter().enumerate() {
                table.take(position, row, missing)?;
            }
        }
        other => return Err(not_a_list(&other)),
    }
    Ok(table)
}

/// The data with zeros for what is missing, which add nothing to a sum, and how many those are.
pub fn with_zeros(data: Value, missing: Missing) -> Result<(Value, u64), ObjectError> {
    let mut omitted = 0;
    let data = fill(data, 0, missing, &mut omitted)?;
    Ok((data, omitted))
}

impl<const WIDTH: usize> Table<WIDTH> {
    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, Vec::len)
    }

    fn take(&mut self, position: usize, row: &Value, missing: Missing) -> Result<(), ObjectError> {
        let mut numbers = [0.0; WIDTH];
        let mut complete = true;
        let mut set = |index: usize, item: &Value| -> Result<(), ObjectError> {
            complete &= *item != Value::Null;
            numbers[index] = if *item == Value::Null { 0.0 } else { float(position, item)? };
            Ok(())
        };
        match row {
            Value::Array(row) if row.shape() == [WIDTH] => {
                row.iter().enumerate().try_for_each(|(index, item)| set(index, &item))?;
            }
            Value::List(row) if row.len() == WIDTH => {
                row.iter().enumerate().try_for_each(|(index, item)| set(index, item))?;
            }
            Value::Null => complete = false,
            Value::Array(row) => return Err(not_rows(WIDTH, position, row)),
            Value::List(row) => return Err(wrong(row_of(WIDTH, position, row.len()))),
            other => {
                return Err(wrong(format!(
                    "there is {} at position {position}, where a row is expected",
                    other.kind()
                )));
            }
        }
        if complete {
            self.push(numbers);
        } else {
            missing.pass(position)?;
            self.omitted += 1;
        }
        Ok(())
    }

    fn push(&mut self, row: [f64; WIDTH]) {
        for (column, number) in self.columns.iter_mut().zip(row) {
            column.push(number + 0.0);
        }
    }
}

/// Lists are as deep as a client's text may nest them.
fn fill(data: Value, position: usize, missing: Missing, omitted: &mut u64) -> Result<Value, ObjectError> {
    match data {
        Value::Null => {
            missing.pass(position)?;
            *omitted += 1;
            Ok(Value::Int(0))
        }
        Value::List(items) => {
            let before = *omitted;
            let items = items.into_iter().enumerate();
            let items =
                items.map(|(position, item)| fill(item, position, missing, omitted)).collect::<Result<_, _>>()?;
            let list = Value::List(items);
            // Without gaps, a list of numbers may be an array.
            if *omitted == before { Ok(list) } else { to_value(&list).map_err(|error| wrong(error.to_string())) }
        }
        other => Ok(other),
    }
}

fn column<T>(
    data: Value,
    missing: Missing,
    number: fn(usize, &Value) -> Result<T, ObjectError>,
) -> Result<Column<T>, ObjectError> {
    let items = match data {
        Value::List(items) => items,
        Value::Array(_) => return Err(nested(0)),
        item => vec![item],
    };
    let mut column = Column { numbers: Vec::with_capacity(items.len()), omitted: 0 };
    for (position, item) in items.iter().enumerate() {
        if *item == Value::Null {
            missing.pass(position)?;
            column.omitted += 1;
        } else {
            column.numbers.push(number(position, item)?);
        }
    }
    Ok(column)
}

fn float(position: usize, item: &Value) -> Result<f64, ObjectError> {
    match item {
        Value::Float(number) if number.is_finite() => Ok(number + 0.0),
        Value::Float(_) => Err(wrong(format!("the number at position {position} is not finite"))),
        Value::Int(_) | Value::Uint(_) => item.as_f64().ok_or_else(|| not_a_float(position)),
        other => Err(not_a_number(position, other)),
    }
}

fn integer(position: usize, item: &Value) -> Result<i64, ObjectError> {
    match item {
        Value::Int(number) => i64::try_from(*number).map_err(|_| beyond(position)),
        Value::Uint(_) => Err(beyond(position)),
        Value::Float(_) => Err(wrong(format!("of type int64, but there is a float at position {position}"))),
        other => Err(not_a_number(position, other)),
    }
}

fn not_a_float(position: usize) -> ObjectError {
    wrong(format!("there is an integer at position {position} that binary64 can't hold"))
}

fn beyond(position: usize) -> ObjectError {
    wrong(format!("there is an integer beyond 64 bits at position {position}"))
}

fn nested(position: usize) -> ObjectError {
    wrong(format!("there is a list at position {position}, where a number is expected"))
}

fn not_a_number(position: usize, item: &Value) -> ObjectError {
    match item {
        Value::List(_) | Value::Array(_) => nested(position),
        _ => wrong(format!("there is {} at position {position}, where a number is expected", item.kind())),
    }
}

fn not_a_list(item: &Value) -> ObjectError {
    wrong(format!("there is {}, where a list of rows is expected", item.kind()))
}

/// An array as a row, or as a table, that it can't be.
fn not_rows(width: usize, position: usize, array: &Array) -> ObjectError {
    match array.shape() {
        [length] => wrong(row_of(width, position, *length)),
        _ => wrong(format!("there are lists within row {position}, where {width} numbers are expected")),
    }
}

fn row_of(width: usize, position: usize, length: usize) -> String {
    format!("rows have {width} numbers, but there are {length} at position {position}")
}

fn wrong(why: impl Into<String>) -> ObjectError {
    ObjectError::argument("data", why)
}

#[cfg(test)]
mod tests {
    use fsc_core::value::{Limits, json};

    use super::*;

    fn value(text: &str) -> Value {
        json::parse(text.as_bytes(), &Limits::default()).expect("JSON")
    }

    fn read(text: &str, missing: Missing) -> Result<(Vec<f64>, u64), String> {
        floats(value(text), missing).map(|column| (column.numbers, column.omitted)).map_err(|error| error.to_string())
    }

    #[test]
    fn columns_are_lists_arrays_or_single_numbers() {
        for (text, expected) in
            [("[]", vec![]), ("7", vec![7.0]), ("[1, 2.5]", vec![1.0, 2.5]), ("[1e300, -3]", vec![1e300, -3.0])]
        {
            assert_eq!(read(text, Missing::Error), Ok((expected, 0)));
        }
    }

    #[test]
    fn what_is_missing_is_an_error_or_left_out() {
        assert_eq!(read("[1, null, 2.5, null]", Missing::Omit), Ok((vec![1.0, 2.5], 2)));
        assert!(read("[1, null]", Missing::Error).unwrap_err().contains("null at position 1"));
        assert_eq!(read("null", Missing::Omit), Ok((vec![], 1)));
        let omitted = integers(value("[9223372036854775807, null]"), Missing::Omit).unwrap();
        assert!(omitted == Column { numbers: vec![i64::MAX], omitted: 1 });
    }

    #[test]
    fn zeros_stand_in_for_what_is_missing() {
        let filled = |text| with_zeros(value(text), Missing::Omit).expect(text);
        assert_eq!(filled("[1, null, 2.5]"), (value("[1, 0, 2.5]"), 1));
        assert_eq!(filled("[[1, null], [null, 4]]"), (value("[[1, 0], [0, 4]]"), 2));
        assert_eq!(filled("null"), (Value::Int(0), 1));
        assert_eq!(filled("[1, \"x\"]"), (value("[1, \"x\"]"), 0));
        assert!(
            with_zeros(value("[[1, 2], [3, null]]"), Missing::Error).unwrap_err().to_string().contains("position 1")
        );
    }

    #[test]
    fn negative_zeros_lose_their_sign() {
        for text in ["-0.0", "[-0.0, null]", "[-0.0]"] {
            assert_eq!(read(text, Missing::Omit).unwrap().0[0].to_bits(), 0, "{text}");
        }
        assert_eq!(table::<2>(value("[[-0.0, 1]]"), Missing::Error).unwrap().columns[0][0].to_bits(), 0);
    }

    #[test]
    fn what_is_no_number_is_refused_by_position() {
        for (text, expected) in [
            (r#"[1, "two"]"#, "there is a text at position 1"),
            ("[1, [2]]", "there is a list at position 1"),
            ("[[1, 2], [3, 4]]", "there is a list at position 0"),
            ("[1, 9007199254740993]", "an integer at position 1"),
            ("[0.5, 9007199254740993]", "an integer at position 1"),
        ] {
            let error = read(text, Missing::Omit).expect_err(text);
            assert!(error.contains(expected), "{text}: {error}");
        }
        let nan = Value::List(vec![Value::Null, Value::Float(f64::NAN)]);
        assert!(floats(nan, Missing::Omit).err().unwrap().to_string().contains("position 1 is not finite"));
        for text in ["[1, 0.5]", "[null, 0.5]", "[1, 9223372036854775808]"] {
            let error = integers(value(text), Missing::Omit).err().expect(text).to_string();
            assert!(error.contains("position 1"), "{text}: {error}");
        }
    }

    #[test]
    fn tables_are_rows_or_arrays() {
        let pairs = |x: &[f64], y: &[f64], omitted| Pairs { columns: [x.to_vec(), y.to_vec()], omitted };
        let read = |text| table::<2>(value(text), Missing::Omit).expect(text);
        assert!(read("[]") == pairs(&[], &[], 0));
        assert!(read("[[1, 2.5], [3, 4]]") == pairs(&[1.0, 3.0], &[2.5, 4.0], 0));
        assert!(read("[[1, 2.5], [null, 4], null, [5, 6]]") == pairs(&[1.0, 5.0], &[2.5, 6.0], 2));
        let dense = Array::from_f64(vec![1.0, 2.0, 3.0, 4.0]).unwrap().reshape(vec![2, 2]).unwrap();
        assert!(table(Value::Array(dense), Missing::Error).unwrap() == pairs(&[1.0, 3.0], &[2.0, 4.0], 0));
    }

    #[test]
    fn rows_that_are_none_are_refused_by_position() {
        for (text, expected) in [
            ("[[1, 2], [3]]", "rows have 2 numbers, but there are 1 at position 1"),
            ("[[1, 2], [3, null, 4]]", "there are 3 at position 1"),
            ("[1, 2]", "rows have 2 numbers"),
            ("[[1, 2], 3]", "there is an integer at position 1"),
            ("[[1, 2], [3, null]]", "null at position 1"),
            ("[[1, 2], [3, \"x\"]]", "a text at position 1"),
            ("7", "a list of rows is expected"),
        ] {
            let error = table::<2>(value(text), Missing::Error).err().expect(text).to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
