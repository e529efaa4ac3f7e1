//! What shares are made of: rings and bits, and the encoding of numbers into them.

pub mod bits;
pub mod fixed;
pub mod ring;
pub mod transpose;
