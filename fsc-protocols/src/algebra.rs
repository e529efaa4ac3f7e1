//! What shares are made of: rings, and the encoding of numbers into them; and arithmetic beyond binary64.

pub mod double;
pub mod fixed;
pub mod ring;
