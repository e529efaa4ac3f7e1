//! What shares are made of: rings, and the encoding of numbers into them.

pub mod fixed;
pub mod ring;
pub mod transpose;
