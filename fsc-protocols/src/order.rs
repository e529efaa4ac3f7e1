//! Numbers as unsigned integers of the same order, which circuits compare and searches halve.
//!
//! Each finite binary64 number has a code of its own, and so has each 64-bit integer; comparing codes compares the numbers,
//! exactly. Codes are an encoding, not an encryption, and are never sent.

use fsc_core::object::ObjectError;
use fsc_core::protocol::ProtocolError;
use fsc_core::value::{Value, from_value};
use serde::{Deserialize, Serialize};

use crate::data::{self, Column, Missing};
use crate::preprocessing::Source;
use crate::sum::Kind;

/// The most numbers of one party, so that counts are bounded whatever the inputs are.
pub const MOST: usize = (1 << 30) - 1;

/// A number of numbers that all parties together have or left out, as it was opened. Whoever adds what nobody can have gets an
/// error, and so do all.
pub(crate) fn count(opened: u128, parties: usize) -> Result<u64, ProtocolError> {
    let most = parties as u64 * MOST as u64;
    let count = u64::try_from(opened).ok().filter(|count| *count <= most);
    count.ok_or(ProtocolError::NoResult { why: "there are more numbers than all parties together may have" })
}

/// What functions of order have in common, as clients write it into `parameters`, and equal at all parties.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// The kind of numbers: mixed ones have no exact order of 64 bits.
    #[serde(default = "Options::default_kind", rename = "type")]
    pub kind: Kind,
    /// What becomes of missing ones.
    #[serde(default)]
    pub missing: Missing,
    /// Where correlated randomness comes from.
    #[serde(default)]
    pub preprocessing: Source,
}

impl Options {
    /// The options in `parameters`.
    pub fn read(parameters: Value, parties: usize) -> Result<Self, ObjectError> {
        let parameters = if parameters == Value::Null { Value::Map([].into()) } else { parameters };
        let options: Self =
            from_value(parameters).map_err(|error| ObjectError::argument("parameters", error.to_string()))?;
        options.preprocessing.check(parties)?;
        Ok(options)
    }

    /// The codes of a client's numbers.
    pub fn codes(self, data: Value) -> Result<Column<u64>, ObjectError> {
        let (numbers, omitted) = match self.kind {
            Kind::Float64 => {
                let column = data::floats(data, self.missing)?;
                (column.numbers.into_iter().map(of_float).collect(), column.omitted)
            }
            Kind::Int64 => {
                let column = data::integers(data, self.missing)?;
                (column.numbers.into_iter().map(of_integer).collect::<Vec<_>>(), column.omitted)
            }
        };
        if numbers.len() as u64 + omitted > MOST as u64 {
            return Err(ObjectError::argument("data", format!("there are more than {MOST} numbers")));
        }
        Ok(Column { numbers, omitted })
    }

    /// The code of a client's single number.
    pub fn code(self, number: Value) -> Result<u64, ObjectError> {
        let what = number.kind();
        let column = match number {
            Value::Int(_) | Value::Uint(_) | Value::Float(_) => self.codes(number)?,
            _ => Column::default(),
        };
        let none = || ObjectError::argument("data", format!("there is {what}, where a number is expected"));
        column.numbers.first().copied().ok_or_else(none)
    }

    /// The number of that code; nothing, if it is not a finite one.
    pub fn number(self, code: u64) -> Option<Value> {
        match self.kind {
            Kind::Float64 => Value::float(to_float(code)).ok(),
            Kind::Int64 => Some(Value::from(to_integer(code))),
        }
    }

    /// The codes of the least and the greatest number.
    pub fn range(self) -> [u64; 2] {
        match self.kind {
            Kind::Float64 => [of_float(f64::MIN), of_float(f64::MAX)],
            Kind::Int64 => [u64::MIN, u64::MAX],
        }
    }

    fn default_kind() -> Kind {
        Kind::Float64
    }
}

/// The sign, as a bit of binary64 and of a 64-bit integer.
const SIGN: u64 = 1 << 63;

/// The code of a float. Negative zero must have become positive before.
pub fn of_float(number: f64) -> u64 {
    let bits = number.to_bits();
    if bits & SIGN == 0 { bits | SIGN } else { !bits }
}

/// The float of that code.
pub fn to_float(code: u64) -> f64 {
    f64::from_bits(if code & SIGN == 0 { !code } else { code & !SIGN })
}

/// The code of an integer.
pub fn of_integer(number: i64) -> u64 {
    number.cast_unsigned() ^ SIGN
}

/// The integer of that code.
pub fn to_integer(code: u64) -> i64 {
    (code ^ SIGN).cast_signed()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn codes_have_the_order_of_their_floats(one: f64, other: f64) {
            let (one, other) = (one + 0.0, other + 0.0);
            prop_assert_eq!(of_float(one).cmp(&of_float(other)), one.total_cmp(&other));
            prop_assert_eq!(to_float(of_float(one)).to_bits(), one.to_bits());
        }

        #[test]
        fn codes_have_the_order_of_their_integers(one: i64, other: i64) {
            prop_assert_eq!(of_integer(one).cmp(&of_integer(other)), one.cmp(&other));
            prop_assert_eq!(to_integer(of_integer(one)), one);
        }
    }

    #[test]
    fn neighbours_have_neighbouring_codes() {
        for number in [0.0, 5e-324, 1e300, f64::MAX.next_down(), -1.0, 0.57, f64::MIN] {
            assert_eq!(of_float(number.next_up()), of_float(number) + 1);
        }
        // Between −5e-324 and 0 there is −0, which no input is.
        assert_eq!(of_float(0.0), of_float(-5e-324) + 2);
    }

    #[test]
    fn codes_of_no_number_are_none() {
        let options = Options { kind: Kind::Float64, missing: Missing::Error, preprocessing: Source::Dealer(0) };
        assert!(options.number(u64::MIN).is_none() && options.number(u64::MAX).is_none());
        let [least, greatest] = options.range();
        assert!(options.number(least - 1).is_none() && options.number(greatest + 1).is_none());
        assert_eq!(options.number(greatest), Some(Value::Float(f64::MAX)));
    }
}
