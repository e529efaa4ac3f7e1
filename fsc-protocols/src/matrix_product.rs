//! `SecureMatrixMultiplication`: the product of a matrix of one party and a matrix of another one.
//!
//! The two matrices become integers by a power of two for each, X of 56 bits, as every bit of X costs an oblivious transfer, and
//! Y of 71 − ⌈log₂ inner⌉; shares of their product, which is exact in Z/2^128, come from [`linear::product`](crate::linear::product), and are opened to all parties.
//!
//! ```text
//!   X̂ = round(X · 2^(55 − e_X))              2^e_X > max |X|, announced
//!   Ŷ = round(Y · 2^(70 − c − e_Y))          c = ⌈log₂ inner⌉, so that |X̂Ŷ| ≤ 2^125
//!   X̂Ŷ = S_left + S_right  mod 2^128         opened, and scaled back
//! ```
//!
//! The data of a party is a list of one matrix, `[matrix]`, which is a list of rows. X is that of the first party that has
//! one, Y that of the second; all other parties give an empty list or null, and learn the product. The error of an element is
//! at most inner · max|X| · max|Y| · (2^-55 + 2^(c − 70)), and the rounding to a float: the largest elements of X lose nothing. Products
//! of matrices of integers are exact while max|X| is below 2^55 and max|Y| below 2^(70 − c), up to the 53 bits of a float: all
//! integers below 2^53, if X has 2^17 columns at most. `parameters.preprocessing` may be `{"dealer": place}`.
//!
//! Null is an error that names row and column. `parameters.missing` cannot be `"omit"`: a row of Y belongs to a column of X, and
//! leaving out both would tell the other owner, and the shapes all parties, what is missing.
//!
//! # Security
//!
//! Semi-honest adversary, any n − 1 parties corrupt, no trusted third party, but with a dealer, whom all others trust.
//!
//! # Leakage
//!
//! The shapes, and for each matrix the power of two next to its largest element. Of the rest nothing beyond X̂Ŷ, which is opened as it
//! is, with up to 126 bits an element, of which the result has 53; and what follows from it: where X has full column rank, its owner
//! computes Y from the product, and likewise the owner of Y computes X where Y has full row rank. A square matrix has both as a rule.
//!
//! **A wide X does not protect a Y of few distinct values.** An element of the product is to X's owner a sum of those of its 56-bit
//! numbers for which Y has a one: of the 2^inner columns of zeros and ones, r rows of generic numbers leave one as long as inner is below
//! 56·r or so. Small ones are found by trial, others by reducing lattices (Lagarias and Odlyzko, "Solving low-density subset sum
//! problems", J. ACM 32, 1985). Likewise X of few distinct values, and columns of Y, of 70 − c bits. A policy may refuse this function
//! for all that.
//!
//! # Wire
//!
//! Two rounds after joining, more for large products: the product is made once, between its two owners, as
//! [`ot::product`](crate::ot::product) says for w = 128 and β = 56. For an element of X that is 448 bytes from its owner and 728
//! bytes for each column of Y back. Then each of them sends every other party rows · columns · 16 bytes.
//!
//! # Differences from the reference
//!
//! The reference sends a projection of Y to the owner of X, and for square matrices the raw matrix. It has two parties only.

use fsc_core::object::ObjectError;
use fsc_core::party::{Party, pieces_of};
use fsc_core::protocol::{
    Adversary, Announced, Corruptions, Cost, Protocol, ProtocolError, Security, Setup, Submission,
};
use fsc_core::secret::Secret;
use fsc_core::value::{Array, ConvertError, Value, from_value, to_value};
use serde::{Deserialize, Serialize};

use crate::algebra::ring::Ring;
use crate::data::Missing;
use crate::linear::matrix::{Matrix, items};
use crate::linear::product::{self, Factor, Product};
use crate::linear::scaling;
use crate::preprocessing::Source;
use crate::sharing::additive::Additive;

/// The protocol; see the module's documentation.
pub struct SecureMatrixMultiplication;

/// What all parties must agree on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// What becomes of missing numbers; they cannot be omitted.
    #[serde(default)]
    pub missing: Missing,
    /// Where correlated randomness comes from.
    #[serde(default)]
    pub preprocessing: Source,
}

/// What every party learns.
#[derive(Clone, Serialize)]
pub struct Output {
    /// The product, an array of two dimensions.
    pub product: Value,
}

impl Protocol for SecureMatrixMultiplication {
    const NAME: &'static str = "SecureMatrixMultiplication";
    const VERSION: u16 = 1;
    const SECURITY: Security = Security {
        adversary: Adversary::SemiHonest,
        corruptions: Corruptions::AllButOne,
        setup: Setup::PairwiseKeys,
        leakage: &[
            "the shapes of both matrices, and the power of two next to the largest element of each",
            "the exact product of the matrices rounded to 56 and 71 bits, of which the result has 53",
            "what follows from the product: Y to the owner of X, where X has full column rank, and X to the owner of Y, \
             where Y has full row rank; and a matrix of few distinct values, as 0 and 1, from far fewer rows or columns of the other",
            "everything, to a dealer that the parameters name",
        ],
        paper: "Gilboa, Two party RSA key generation, CRYPTO 1999, section 4.1: products by oblivious transfer",
    };

    type Params = Params;
    type Input = Option<Matrix>;
    type Output = Output;

    fn admit(submission: Submission) -> Result<(Params, Option<Matrix>), ObjectError> {
        let parameters = match submission.parameters {
            Value::Null => Value::Map([].into()),
            given => given,
        };
        let params: Params =
            from_value(parameters).map_err(|error| ObjectError::argument("parameters", error.to_string()))?;
        params.missing.refuse_to_omit()?;
        params.preprocessing.check(submission.parties)?;
        Ok((params, read(&submission.data)?))
    }

    fn announce(_: &Params, input: &Option<Matrix>) -> Value {
        let announcement = input.as_ref().map(Announcement::of);
        to_value(&announcement).expect("numbers are a value")
    }

    fn present(output: Output) -> Result<Value, ConvertError> {
        Ok(Value::map([("product", output.product)]))
    }

    fn cost(params: &Params, all: &Announced) -> Cost {
        // Parties that can't agree send nothing.
        let Ok(plan) = Plan::new(all) else { return Cost::default() };
        let meeting = params.preprocessing.meeting_cost(all);
        let making = product::cost::<u128>(params.preprocessing, all.me(), &[plan.product]);
        if !plan.holders(params).contains(&all.me()) {
            return meeting + making;
        }
        let (others, bytes) = (all.parties() as u64 - 1, 16 * plan.product.rows * plan.product.columns);
        let opening = Cost { rounds: 1, messages: others * pieces_of(bytes) as u64, bytes: others * bytes as u64 };
        meeting + product::then(params.preprocessing, all.me(), &[plan.product], making, opening)
    }

    fn setup(params: &Params) -> Setup {
        params.preprocessing.setup()
    }

    async fn run(party: &mut Party, params: Params, input: Secret<Option<Matrix>>) -> Result<Output, ProtocolError> {
        Plan::new(party.announced())?.run(party, &params, input).await
    }
}

/// What the others may know of a matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Announcement {
    rows: usize,
    columns: usize,
    exponent: i32,
}

impl Announcement {
    fn of(matrix: &Matrix) -> Self {
        let exponent = scaling::exponent(matrix.entries());
        Self { rows: matrix.rows(), columns: matrix.columns(), exponent }
    }

    fn is_plausible(self) -> bool {
        let size = self.rows.checked_mul(self.columns);
        size.is_some_and(|size| (1..=MOST_ELEMENTS).contains(&size)) && (-1073..=1024).contains(&self.exponent)
    }
}

/// The largest factor and the largest product.
const MOST_ELEMENTS: usize = 1 << 24;

/// The magnitude of X, in bits.
const X_BITS: i32 = 55;

/// That of Y, and of the sum of `inner` of its elements.
const Y_BITS: i32 = 70;

/// What follows from the announcements.
struct Plan {
    product: Product,
    /// The powers of two by which X and Y are multiplied.
    scales: [i32; 2],
}

impl Plan {
    fn new(all: &Announced) -> Result<Self, ProtocolError> {
        let mut matrices = Vec::new();
        for place in 0..all.parties() {
            let announced: Option<Announcement> = all.of(place)?;
            if announced.is_some_and(|matrix| !matrix.is_plausible()) {
                return Err(ProtocolError::Malformed { party: place, why: "it announced an impossible matrix" });
            }
            matrices.extend(announced.map(|matrix| (place, matrix)));
        }
        let [(left, x), (right, y)] = matrices[..] else {
            return Err(ProtocolError::NoResult { why: "two parties must have a matrix, and all others none" });
        };
        if x.columns != y.rows {
            let why = "the second matrix must have as many rows as the first one has columns";
            return Err(ProtocolError::NoResult { why });
        }
        if x.rows.checked_mul(y.columns).is_none_or(|size| size > MOST_ELEMENTS) {
            return Err(ProtocolError::NoResult { why: "the product would have too many elements" });
        }
        let headroom = x.columns.next_power_of_two().trailing_zeros() as i32;
        let product =
            Product { left, right, rows: x.rows, inner: x.columns, columns: y.columns, bits: X_BITS as u32 + 1 };
        Ok(Self { product, scales: [X_BITS - x.exponent, Y_BITS - headroom - y.exponent] })
    }

    async fn run(
        &self,
        party: &mut Party,
        params: &Params,
        input: Secret<Option<Matrix>>,
    ) -> Result<Output, ProtocolError> {
        let factor = self.factor(party.me(), input);
        let shares = product::products(party, params.preprocessing, vec![(self.product, factor)]).await?;
        let elements = self.product.rows * self.product.columns;
        let share = shares.into_iter().flatten().next().unwrap_or_else(|| vec![0; elements]);
        let all: Vec<usize> = (0..party.parties()).collect();
        let opened = party.reveal(Additive::new(share), &self.holders(params), &all).await?.unwrap_or_default();
        self.decode(&opened)
    }

    fn owners(&self) -> [usize; 2] {
        [self.product.left, self.product.right]
    }

    /// Who sends shares: the owners, and a dealer, of zeros, so that all know whom they wait for.
    fn holders(&self, params: &Params) -> Vec<usize> {
        product::with_dealer(params.preprocessing, &self.owners())
    }

    fn factor(&self, me: usize, matrix: Secret<Option<Matrix>>) -> Factor<u128> {
        match matrix.into_inner() {
            Some(matrix) if me == self.product.left => {
                Factor::Left(scaling::integers(matrix.entries(), self.scales[0]))
            }
            Some(matrix) if me == self.product.right => {
                Factor::Right(scaling::integers(matrix.entries(), self.scales[1]).into_iter().map(u128::of).collect())
            }
            _ => Factor::Neither,
        }
    }

    fn decode(&self, opened: &[u128]) -> Result<Output, ProtocolError> {
        let numbers = opened.iter().map(|element| element.to_f64(self.scales[0] + self.scales[1])).collect();
        let array = Array::from_f64(numbers).map_err(|_| too_large())?;
        let product = array.reshape(vec![self.product.rows, self.product.columns]).map_err(|_| too_large())?;
        Ok(Output { product: Value::Array(product) })
    }
}

fn too_large() -> ProtocolError {
    ProtocolError::Output { why: "an element of the product is too large for a float".to_owned() }
}

/// `[matrix]`, or nothing.
fn read(data: &Value) -> Result<Option<Matrix>, ObjectError> {
    let wrong = |why: &str| ObjectError::argument("data", why);
    if *data == Value::Null {
        return Ok(None);
    }
    let matrices = items(data).ok_or_else(|| wrong("it must be a list of one matrix, or empty"))?;
    match &matrices[..] {
        [] => Ok(None),
        [matrix] => {
            let matrix = Matrix::read(matrix)?;
            if matrix.entries().len() > MOST_ELEMENTS {
                return Err(wrong("the matrix has more than 2^24 elements"));
            }
            Ok(Some(matrix))
        }
        _ => Err(wrong("it must be a list of one matrix: [[[1, 2], [3, 4]]] for a matrix of two rows")),
    }
}

#[cfg(test)]
mod tests;
