//! Linear algebra over matrices that several parties hold parts of.
//!
//! * [`matrix`]: one party's own matrix, read from what a client submitted, and its QR decomposition.
//! * [`scaling`]: real numbers as integers, by public powers of two.
//! * [`product`]: shares of a product of what one party knows and what another one knows.
//! * [`solve`]: a symmetric system on shares, by repeated squaring in fixed point.
//! * [`student`]: the tails of Student's t distribution.

pub mod matrix;
pub mod product;
pub mod scaling;
pub mod solve;
pub mod student;
