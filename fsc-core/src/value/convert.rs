//! Between values and Rust's types, by serde.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Value;

/// The value of `content`.
pub fn to_value<T: Serialize + ?Sized>(content: &T) -> Result<Value, ConvertError> {
    todo!()
}

/// The `T` that `value` stands for.
pub fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, ConvertError> {
    todo!()
}

/// Why a value and a type do not fit. Names kinds, fields and positions, never data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConvertError {
    /// A number is NaN or infinite.
    #[error("number is not finite")]
    NotFinite,
}

/// Where in a value something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the field of that name.
    Field(&'static str),
    /// In the item or entry of that number, counted from zero.
    Item(usize),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) => write!(f, "{name}"),
            Self::Item(position) => write!(f, "item {position}"),
        }
    }
}
