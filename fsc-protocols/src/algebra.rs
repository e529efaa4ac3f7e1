//! What shares are made of: rings, bits and a field, and the encoding of numbers into them.

pub mod bits;
pub mod fixed;
pub mod gf128;
pub mod ring;
pub mod transpose;
