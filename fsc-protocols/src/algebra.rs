//! What shares are made of: rings, bits and a field, and the encoding of numbers into them; and arithmetic beyond binary64.

pub mod bits;
pub mod double;
pub mod fixed;
pub mod gf128;
pub mod ring;
pub mod transpose;
