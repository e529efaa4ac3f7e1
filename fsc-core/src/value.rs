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

pub use array::*;


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
    pub fn from_random(bytes: [u8; 16]) -> Self {
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
