//! What shares are made of: rings, bits, and the encoding of numbers into them; and arithmetic beyond binary64.

pub mod bits;
pub mod double;
pub mod fixed;
pub mod ring;
pub mod transpose;
