//! What one party knows.

use super::{ENTRY, Errors, MEANS};
use crate::algebra::ring::{Ring, U256};
use crate::linear::matrix::{dot, norm};
use crate::linear::scaling;

/// What one party knows.
pub struct Panel<'a> {
    /// Q_j, column by column; empty for a party without columns.
    pub q: &'a [Vec<f64>],
    /// y, of length 1 at most, at its owner.
    pub y: Option<&'a [f64]>,
    /// The rows of R_j^-1, of length 1, for errors.
    pub directions: Vec<Vec<f64>>,
    /// u_j, for the error of an intercept.
    pub means: Vec<f64>,
}

impl Panel<'_> {
    /// Whether the means are so small that the error of an intercept can be computed.
    pub fn fits(&self) -> bool {
        norm(&self.means) < 2_f64.powi(MEANS as i32)
    }

    fn vectors(&self) -> Vec<Vec<i128>> {
        let vectors = self.q.iter().map(Vec::as_slice).chain(self.y);
        vectors.map(|vector| scaling::integers(vector, ENTRY as i32)).collect()
    }

    /// The transposed panel, row by row.
    pub(super) fn rows(&self) -> Vec<i128> {
        self.vectors().concat()
    }

    /// The panel, row by row.
    pub(super) fn columns(&self) -> Vec<U256> {
        let vectors = self.vectors();
        let rows = vectors.first().map_or(0, Vec::len);
        (0..rows).flat_map(|row| vectors.iter().map(move |vector| U256::of(vector[row]))).collect()
    }

    /// My forms in my rows of (N | Nu), row by row, with ENTRY bits behind the point: ρρ' for each of my columns, and u_j.
    pub(super) fn forms(&self, errors: Errors) -> Vec<i128> {
        let mean = (errors == Errors::Intercept).then_some(0);
        let mut forms = Vec::new();
        for direction in &self.directions {
            let direction = scaling::integers(direction, ENTRY as i32);
            let row = |a: i128| direction.iter().map(move |b| (a * b) >> ENTRY).chain(mean);
            forms.extend(direction.iter().copied().flat_map(row));
        }
        if errors == Errors::Intercept {
            for number in scaling::integers(&self.means, ENTRY as i32) {
                forms.extend(std::iter::repeat_n(0, self.directions.len()).chain([number]));
            }
        }
        forms
    }

    /// T; zero if I do not have y.
    pub(super) fn square(&self) -> f64 {
        self.y.map_or(0.0, |y| dot(y, y))
    }

    /// 1/T, which is 4 at most, with ENTRY bits behind the point; zero for none.
    pub(super) fn reciprocal(&self) -> i128 {
        let square = self.square();
        if square > 0.0 { scaling::integers(&[1.0 / square], ENTRY as i32)[0] } else { 0 }
    }
}
