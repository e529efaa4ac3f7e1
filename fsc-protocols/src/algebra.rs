//! What shares are made of: rings, a field, and the encoding of numbers into them.

pub mod fixed;
pub mod gf128;
pub mod ring;
