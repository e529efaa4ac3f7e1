//! What travels between a client and its node: JSON's model, and bytes, handles and dense numeric arrays.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use uuid::Uuid;

mod array;
pub mod cbor;
mod convert;
pub mod json;
mod parse;
#[cfg(test)]
mod testing;

pub use array::{Array, BadBytes, Inexact, Mixed, NotFinite, Numbers, WrongShape};
pub use convert::{ConvertError, Place, from_value, to_value};
pub use parse::{Limits, ParseError};

/// The one entry of the map that stands for a handle.
const HANDLE_KEY: &str = "representation_uuid";

/// A value: what a client uploads, passes as an argument, or downloads.
///
/// Cloning is cheap for what is large: arrays and bytes are shared.
#[derive(Clone, PartialEq, Default)]
pub enum Value {
    /// JSON's `null`.
    #[default]
    Null,
    /// A truth value.
    Bool(bool),
    /// An integer, exact to 128 bits with its sign.
    Int(i128),
    /// An integer above `i128::MAX`; smaller ones are [`Value::Int`].
    Uint(u128),
    /// A finite binary64; the constructors refuse NaN and infinities.
    Float(f64),
    /// A text.
    Text(String),
    /// Bytes; text formats carry them as base64url without padding (RFC 8949, section 6.1).
    Bytes(Bytes),
    /// The object behind a handle, `{"representation_uuid": …}` in JSON.
    Handle(Handle),
    /// A dense array of numbers.
    Array(Array),
    /// A list of anything.
    List(Vec<Value>),
    /// A mapping by text; the order of keys carries no meaning.
    Map(BTreeMap<String, Value>),
}

impl Value {
    /// A float, if it is finite.
    #[inline]
    pub fn float(number: f64) -> Result<Self, NotFinite> {
        if number.is_finite() { Ok(Self::Float(number)) } else { Err(NotFinite { position: 0 }) }
    }

    /// A mapping of these entries; of two with the same key, the latter counts.
    pub fn map<K: Into<String>, V: Into<Self>>(entries: impl IntoIterator<Item = (K, V)>) -> Self {
        Self::Map(entries.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
    }

    /// What this is, for errors; never data.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a truth value",
            Self::Int(_) | Self::Uint(_) => "an integer",
            Self::Float(_) => "a float",
            Self::Text(_) => "a text",
            Self::Bytes(_) => "bytes",
            Self::Handle(_) => "a handle",
            Self::Array(_) => "an array of numbers",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }

    /// The text, if this is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The number as binary64, if this is a number that binary64 holds exactly.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Float(number) => Some(*number),
            Self::Int(number) => exact(number.unsigned_abs()).map(|size| if *number < 0 { -size } else { size }),
            Self::Uint(number) => exact(*number),
            _ => None,
        }
    }

    /// The integer, if this is one and in range.
    pub fn as_usize(&self) -> Option<usize> {
        match self {
            Self::Int(number) => usize::try_from(*number).ok(),
            _ => None,
        }
    }

    /// The value of `key`, if this is a map that has it.
    pub fn entry(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Map(entries) => entries.get(key),
            _ => None,
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i32> for Value {
    /// What an integer literal is, where nothing says otherwise.
    fn from(number: i32) -> Self {
        Self::Int(number.into())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number.into())
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Int(number.into())
    }
}

impl From<usize> for Value {
    fn from(number: usize) -> Self {
        Self::from(number as u128)
    }
}

impl From<i128> for Value {
    fn from(number: i128) -> Self {
        Self::Int(number)
    }
}

impl From<u128> for Value {
    fn from(number: u128) -> Self {
        i128::try_from(number).map_or(Self::Uint(number), Self::Int)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Handle> for Value {
    fn from(handle: Handle) -> Self {
        Self::Handle(handle)
    }
}

impl From<Array> for Value {
    fn from(array: Array) -> Self {
        Self::Array(array)
    }
}

impl From<Vec<Self>> for Value {
    fn from(items: Vec<Self>) -> Self {
        Self::List(items)
    }
}

impl From<BTreeMap<String, Self>> for Value {
    fn from(entries: BTreeMap<String, Self>) -> Self {
        Self::Map(entries)
    }
}

impl fmt::Debug for Value {
    /// Names the kind and the size, never the content: values are users' data and must not reach a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => write!(f, "null"),
            Self::Bool(_) => write!(f, "bool"),
            Self::Int(_) | Self::Uint(_) => write!(f, "integer"),
            Self::Float(_) => write!(f, "float"),
            Self::Text(text) => write!(f, "text of {} bytes", text.len()),
            Self::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Self::Handle(_) => write!(f, "handle"),
            Self::Array(array) => write!(f, "array of {} numbers", array.len()),
            Self::List(items) => write!(f, "list of {} items", items.len()),
            Self::Map(entries) => write!(f, "map of {} entries", entries.len()),
        }
    }
}

/// Names an object on a node's bus to the principal it was granted to.
///
/// Handles are random 128-bit UUIDs (version 4): knowing one is not a right, but guessing one is hopeless too.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Handle(Uuid);

impl Handle {
    /// A handle of 128 random bits, of which 122 are kept.
    pub const fn from_random(bytes: [u8; 16]) -> Self {
        Self(uuid::Builder::from_random_bytes(bytes).into_uuid())
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handle({})", self.0)
    }
}

/// The text is not a UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a handle: a handle is a UUID")]
pub struct NotAHandle;

impl FromStr for Handle {
    type Err = NotAHandle;

    fn from_str(text: &str) -> Result<Self, NotAHandle> {
        Uuid::try_parse(text).map(Self).map_err(|_| NotAHandle)
    }
}

/// The arguments of a call, as the client sent them: `f(*args, **kwargs)`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Arguments {
    /// Positional arguments.
    pub args: Vec<Value>,
    /// Named arguments.
    pub kwargs: BTreeMap<String, Value>,
}

impl From<()> for Arguments {
    /// None.
    fn from((): ()) -> Self {
        Self::default()
    }
}

impl<const N: usize> From<[Value; N]> for Arguments {
    /// Positional ones.
    fn from(args: [Value; N]) -> Self {
        Self { args: args.into(), ..Self::default() }
    }
}

impl<K: Into<String>, const N: usize> From<[(K, Value); N]> for Arguments {
    /// Named ones.
    fn from(kwargs: [(K, Value); N]) -> Self {
        kwargs.into_iter().collect()
    }
}

impl<K: Into<String>> FromIterator<(K, Value)> for Arguments {
    /// Named ones; of two with the same name, the latter counts.
    fn from_iter<I: IntoIterator<Item = (K, Value)>>(kwargs: I) -> Self {
        Self { kwargs: kwargs.into_iter().map(|(name, value)| (name.into(), value)).collect(), ..Self::default() }
    }
}

/// The same number as binary64, if there is one.
fn exact(number: u128) -> Option<f64> {
    let significant = number.checked_shr(number.trailing_zeros()).unwrap_or_default();
    // At most 53 significant bits: the cast drops none of them.
    (significant < 1 << f64::MANTISSA_DIGITS).then_some(number as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_f64_takes_exact_numbers_only() {
        assert_eq!(Value::Int(-(1 << 53)).as_f64(), Some(-9_007_199_254_740_992.0));
        assert_eq!(Value::Int((1 << 53) + 1).as_f64(), None);
        assert_eq!(Value::Int(i128::MIN).as_f64(), Some(-(2_f64.powi(127))));
        assert_eq!(Value::Int(i128::MAX).as_f64(), None);
        assert_eq!(Value::Uint(1 << 127).as_f64(), Some(2_f64.powi(127)));
        assert_eq!(Value::Int(0).as_f64(), Some(0.0));
        assert_eq!(Value::from("1").as_f64(), None);
    }

    #[test]
    fn unsigned_integers_are_normalised() {
        assert_eq!(Value::from(7_u128), Value::Int(7));
        assert_eq!(Value::from(u128::MAX), Value::Uint(u128::MAX));
    }

    #[test]
    fn arguments_are_none_positional_or_named() {
        assert_eq!(Arguments::from(()), Arguments::default());
        assert_eq!(Arguments::from([Value::Int(40), Value::Int(2)]).args, [Value::Int(40), Value::Int(2)]);
        let named = Arguments::from([("a", 1.into()), ("b", "2".into()), ("a", 3.into())]);
        assert_eq!(Value::Map(named.kwargs), Value::map([("a", Value::Int(3)), ("b", "2".into())]));
    }

    #[test]
    fn floats_are_finite() {
        assert!(Value::float(f64::NAN).is_err());
        assert_eq!(Value::float(1.5), Ok(Value::Float(1.5)));
    }
}
