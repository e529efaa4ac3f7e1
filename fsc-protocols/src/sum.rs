//! `SecureSum`: the sum of all parties' numbers, or vectors of numbers, element by element.
//!
//! Every party encodes its numbers exactly in Z/2^128, turns them into a share of the sum by pairwise masks, and all
//! shares are opened: Bonawitz et al., "Practical secure aggregation for privacy-preserving machine learning" (CCS
//! 2017), section 4, masking with one-time pads (no dropouts: a party that fails ends the run for all).
//!
//! ```text
//!   x_i  encoded as  X_i = round(x_i · 2^f) mod 2^128
//!   y_i  =  X_i + Σ_{j>i} m_ij − Σ_{j<i} m_ji            sent to all
//!   Σ y_i  =  Σ X_i  mod 2^128,  decoded and divided by 2^f
//! ```
//!
//! The data of a party is a number, or a list of numbers that are added up locally, exactly; with
//! `parameters.elementwise` it is a vector or an array of any shape, which must be the same at all parties.
//! `parameters.type` is `"float64"` (the default) or `"int64"` (integers, exact, no rounding); `parameters.fraction_bits`
//! is f, 64 by default. Beside what is too large, NaN and infinities are refused before anything is sent. A missing number,
//! `null`, is an error, unless `parameters.missing` is `"omit"`: then it adds nothing, and the result has, beside `sum`, how
//! many were left out at all parties together, as `omitted`.
//!
//! # Security
//!
//! Semi-honest adversary, any n − 1 parties corrupt, no trusted third party. The masks' keys come from the links' secrets:
//! on links that are not sealed this protects against passive listeners only.
//!
//! # Leakage
//!
//! Nothing beyond the sum, and what follows from it: n − 1 parties together learn the last one's input, so for two parties
//! the output *is* the other's input; two runs over different sets of parties reveal the difference; and anyone may
//! learn the sum and then abort. Shape, type and f are public. The sum is opened to 2^-f, where binary64 may show less.
//!
//! # Wire
//!
//! One round after joining. Each party sends every other m elements of 16 bytes: (n − 1) · 16 · m bytes for n parties and
//! m numbers, little-endian, in messages of at most 1 MiB. Where missing numbers are left out, their count is one element more.
//!
//! # Differences from the reference
//!
//! The reference adds unreduced decimal integers, so that the last share shows the magnitude of large inputs, and sends
//! three messages where we send one. It has no vectors and rounds to 12 decimals; we round to 2^-f, 5.4e-20 by default.

use fsc_core::object::ObjectError;
use fsc_core::party::{Party, pieces_of};
use fsc_core::protocol::{
    Adversary, Announced, Corruptions, Cost, Protocol, ProtocolError, Security, Setup, Submission,
};
use fsc_core::secret::Secret;
use fsc_core::value::{Array, ConvertError, Numbers, Value, from_value};
use serde::{Deserialize, Serialize};

use crate::algebra::fixed::{Fixed, FixedError, LocalSum};
use crate::data::{Missing, with_zeros};
use crate::sharing::masks;

/// The protocol; see the module's documentation.
pub struct SecureSum;

/// What all parties must agree on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Params {
    /// The kind of numbers.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// f: numbers are multiples of 2^-f.
    pub fraction_bits: u32,
    /// What becomes of missing numbers.
    pub missing: Missing,
    /// The shape of the vectors; absent for a single number.
    pub shape: Option<Vec<usize>>,
}

/// A kind of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Binary64 numbers, rounded to multiples of 2^-f.
    Float64,
    /// Integers, exact.
    Int64,
}

/// What every party learns.
#[derive(Clone, Debug, Serialize)]
pub struct Sum {
    /// The sum: a number, or an array of the parameters' shape.
    pub sum: Value,
    /// How many numbers were missing, where they are left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub omitted: Option<u64>,
}

impl Protocol for SecureSum {
    const NAME: &'static str = "SecureSum";
    const VERSION: u16 = 1;
    const SECURITY: Security = Security {
        adversary: Adversary::SemiHonest,
        corruptions: Corruptions::AllButOne,
        setup: Setup::PairwiseKeys,
        leakage: &[
            "the shape, type and resolution of the numbers",
            "what follows from the sum: for two parties, the other's input",
        ],
        paper: "Bonawitz et al., Practical secure aggregation for privacy-preserving machine learning, CCS 2017, section 4",
    };

    type Params = Params;
    type Input = Vec<u128>;
    type Output = Sum;

    fn admit(submission: Submission) -> Result<(Params, Vec<u128>), ObjectError> {
        let options = Options::read(submission.parameters)?;
        let fixed = options.fixed()?;
        let Options { kind, missing, .. } = options;
        let params = |shape| Params { kind, fraction_bits: fixed.fraction_bits(), missing, shape };
        let (data, omitted) = with_zeros(submission.data, missing)?;
        let (params, mut terms) = if options.elementwise {
            let array = dense(data)?;
            let params = params(Some(array.shape().to_vec()));
            let terms = params.encode(&array, submission.parties)?;
            (params, terms)
        } else {
            let params = params(None);
            let total = params.encode_total(data, submission.parties)?;
            (params, vec![total])
        };
        terms.extend((missing == Missing::Omit).then_some(u128::from(omitted)));
        Ok((params, terms))
    }

    fn cost(params: &Params, all: &Announced) -> Cost {
        let (others, bytes) = (all.parties() as u64 - 1, 16 * params.terms());
        Cost { rounds: 1, messages: others * pieces_of(bytes) as u64, bytes: others * bytes as u64 }
    }

    fn present(output: Sum) -> Result<Value, ConvertError> {
        let omitted = output.omitted.map(|omitted| ("omitted", omitted.into()));
        Ok(Value::map([("sum", output.sum)].into_iter().chain(omitted)))
    }

    async fn run(party: &mut Party, params: Params, input: Secret<Vec<u128>>) -> Result<Sum, ProtocolError> {
        let share = masks::share_of_sum(party, input);
        let mut sums = Sums::new(&params)?;
        let (mut outstanding, mut omitted) = (share.len(), None);
        party
            .open_with(share, |mut part| {
                outstanding -= part.len();
                if outstanding == 0 && params.missing == Missing::Omit {
                    omitted = part.pop();
                }
                sums.extend(&part);
            })
            .await?;
        let omitted = omitted.map(u64::try_from).transpose().map_err(not_representable)?;
        Ok(Sum { sum: sums.finish(params.shape)?, omitted })
    }
}

impl Params {
    /// Parameters for a single floating-point number, at the default resolution.
    pub const NUMBER: Self = Self {
        kind: Kind::Float64,
        fraction_bits: Fixed::DEFAULT.fraction_bits(),
        missing: Missing::Error,
        shape: None,
    };

    /// m, the number of elements.
    pub fn elements(&self) -> usize {
        self.shape.as_ref().map_or(1, |shape| shape.iter().product())
    }

    /// The elements that travel: those of the vector, and where missing numbers are left out, their count.
    fn terms(&self) -> usize {
        self.elements() + usize::from(self.missing == Missing::Omit)
    }

    /// One party's array, encoded: the protocol's input, but for the count of missing numbers where they are left out.
    pub fn encode(&self, array: &Array, parties: usize) -> Result<Vec<u128>, ObjectError> {
        let encoder = self.fixed()?.among(parties);
        let encoded = match (self.kind, array.numbers()) {
            (Kind::Float64, Numbers::Float(numbers)) => encoder.floats(numbers.iter().copied()),
            (_, Numbers::Int(numbers)) => encoder.integers(numbers.iter().copied().map(i128::from)),
            (Kind::Float64, Numbers::Mixed(numbers)) => encoder.floats(numbers.values().iter().copied()),
            (Kind::Int64, _) => return Err(wrong("of type int64, it must hold integers only")),
        };
        encoded.map_err(|error| wrong(error.to_string()))
    }

    /// The sum of a party's own numbers, encoded.
    fn encode_total(&self, data: Value, parties: usize) -> Result<u128, ObjectError> {
        let mut sum = self.fixed()?.among(parties).sum();
        let out_of_range = |error: FixedError| wrong(error.to_string());
        match data {
            Value::Array(array) if array.shape().len() > 1 => return Err(nested(0)),
            Value::Array(array) => {
                if let (Kind::Float64, Numbers::Float(numbers)) = (self.kind, array.numbers()) {
                    numbers.iter().try_for_each(|number| sum.add_float(*number)).map_err(out_of_range)?;
                } else {
                    let mut numbers = array.iter().enumerate();
                    numbers.try_for_each(|(position, number)| self.add(&mut sum, position, &number))?;
                }
            }
            Value::List(items) => {
                let mut items = items.iter().enumerate();
                items.try_for_each(|(position, item)| self.add(&mut sum, position, item))?;
            }
            number => self.add(&mut sum, 0, &number)?,
        }
        sum.finish().map_err(out_of_range)
    }

    fn add(&self, sum: &mut LocalSum, position: usize, item: &Value) -> Result<(), ObjectError> {
        let added = match (self.kind, item) {
            (_, Value::Int(number)) => sum.add_integer(*number),
            (Kind::Float64, Value::Float(number)) => sum.add_float(*number),
            (Kind::Int64, Value::Float(_)) => {
                return Err(wrong(format!("of type int64, but there is a float at position {position}")));
            }
            (_, Value::List(_) | Value::Array(_)) => return Err(nested(position)),
            (_, other) => return Err(not_a_number(position, other)),
        };
        added.map_err(|error| wrong(error.to_string()))
    }

    fn fixed(&self) -> Result<Fixed, ObjectError> {
        Fixed::new(self.fraction_bits).map_err(|error| ObjectError::argument("parameters", error.to_string()))
    }
}

/// The sums, as they are opened and decoded part by part.
enum Sums {
    Floats(Fixed, Vec<f64>),
    Integers(Vec<i128>),
}

impl Sums {
    fn new(params: &Params) -> Result<Self, ProtocolError> {
        Ok(match params.kind {
            Kind::Float64 => Self::Floats(
                Fixed::new(params.fraction_bits).map_err(not_representable)?,
                Vec::with_capacity(params.elements()),
            ),
            Kind::Int64 => Self::Integers(Vec::with_capacity(params.elements())),
        })
    }

    fn extend(&mut self, part: &[u128]) {
        match self {
            Self::Floats(fixed, sums) => sums.extend(part.iter().map(|sum| fixed.decode(*sum))),
            Self::Integers(sums) => sums.extend(part.iter().map(|sum| *sum as i128)),
        }
    }

    fn finish(self, shape: Option<Vec<usize>>) -> Result<Value, ProtocolError> {
        let Some(shape) = shape else {
            return Ok(match self {
                Self::Floats(_, sums) => Value::Float(sums.first().copied().unwrap_or_default()),
                Self::Integers(sums) => Value::Int(sums.first().copied().unwrap_or_default()),
            });
        };
        let array = match self {
            Self::Floats(_, sums) => Array::from_f64(sums).map_err(not_representable)?,
            Self::Integers(sums) => {
                let sums: Result<_, _> = sums.into_iter().map(i64::try_from).collect();
                Array::from_i64(sums.map_err(|_| not_representable("an element needs more than 64 bits"))?)
            }
        };
        Ok(Value::Array(array.reshape(shape).map_err(not_representable)?))
    }
}

#[allow(clippy::needless_pass_by_value)] // as `map_err` passes it
fn not_representable(why: impl ToString) -> ProtocolError {
    ProtocolError::Output { why: why.to_string() }
}

/// `parameters`, as clients write them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    #[serde(default = "Options::default_kind", rename = "type")]
    kind: Kind,
    fraction_bits: Option<u32>,
    #[serde(default)]
    elementwise: bool,
    #[serde(default)]
    missing: Missing,
}

impl Options {
    fn default_kind() -> Kind {
        Kind::Float64
    }

    fn read(parameters: Value) -> Result<Self, ObjectError> {
        let parameters = if parameters == Value::Null { Value::Map([].into()) } else { parameters };
        from_value(parameters).map_err(|error| ObjectError::argument("parameters", error.to_string()))
    }

    fn fixed(&self) -> Result<Fixed, ObjectError> {
        let wrong = |why: String| ObjectError::argument("parameters", why);
        match (self.kind, self.fraction_bits) {
            (Kind::Float64, None) => Ok(Fixed::DEFAULT),
            (Kind::Float64, Some(bits)) => Fixed::new(bits).map_err(|error| wrong(error.to_string())),
            (Kind::Int64, None | Some(0)) => Ok(Fixed::INTEGER),
            (Kind::Int64, Some(_)) => Err(wrong("integers have no fraction_bits".to_owned())),
        }
    }
}

/// The array that `data` is, or the list of equally long arrays that it consists of.
fn dense(data: Value) -> Result<Array, ObjectError> {
    match data {
        Value::Array(array) => Ok(array),
        Value::Float(number) => Array::from_f64(vec![number]).map_err(|error| wrong(error.to_string())),
        Value::Int(number) => Ok(Array::from_i64(vec![i64::try_from(number).map_err(|_| too_large(0))?])),
        Value::List(rows) => stack(&rows),
        other => Err(not_a_number(0, &other)),
    }
}

/// Rows of one shape, one above the other.
fn stack(rows: &[Value]) -> Result<Array, ObjectError> {
    let rows: Vec<&Array> =
        rows.iter().enumerate().map(|(position, row)| row_of(position, row)).collect::<Result<_, _>>()?;
    let shape = rows.first().map_or(&[][..], |row| row.shape());
    if let Some(position) = rows.iter().position(|row| row.shape() != shape) {
        return Err(wrong(format!("row {position} has another length than the rows before it")));
    }
    let stacked = if rows.iter().all(|row| matches!(row.numbers(), Numbers::Int(_))) {
        let numbers: Result<Vec<_>, _> = rows.iter().map(|row| row.to_i64()).collect();
        Array::from_i64(numbers.map_err(|error| wrong(error.to_string()))?.concat())
    } else {
        let numbers: Result<Vec<_>, _> = rows.iter().map(|row| row.to_f64()).collect();
        let numbers = numbers.map_err(|error| wrong(error.to_string()))?.concat();
        Array::from_f64(numbers).map_err(|error| wrong(error.to_string()))?
    };
    let shape = std::iter::once(rows.len()).chain(shape.iter().copied()).collect();
    stacked.reshape(shape).map_err(|error| wrong(error.to_string()))
}

/// A list of plain numbers that is no [`Array`] holds an integer beyond 64 bits.
fn row_of(position: usize, row: &Value) -> Result<&Array, ObjectError> {
    match row {
        Value::Array(row) => Ok(row),
        Value::Int(_) | Value::Uint(_) => Err(too_large(position)),
        other => Err(not_a_number(position, other)),
    }
}

fn too_large(position: usize) -> ObjectError {
    wrong(format!("there is an integer beyond 64 bits at position {position} or after it"))
}

fn nested(position: usize) -> ObjectError {
    wrong(format!("there is a list at position {position}; for sums of vectors, set parameters.elementwise to true"))
}

fn not_a_number(position: usize, item: &Value) -> ObjectError {
    wrong(format!("there is {} at position {position}, where a number is expected", item.kind()))
}

fn wrong(why: impl Into<String>) -> ObjectError {
    ObjectError::argument("data", why)
}

#[cfg(test)]
mod tests;
