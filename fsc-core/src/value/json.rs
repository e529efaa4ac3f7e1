//! JSON in and out.

use bytes::Bytes;

use super::{Limits, ParseError, Value};

/// Reads one document.
pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Value, ParseError> {
    todo!()
}

/// Appends `value` to `out`.
pub fn write(value: &Value, out: &mut Vec<u8>) {
    todo!()
}

/// The document of `value`.
pub fn to_vec(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    write(value, &mut out);
    out
}

/// The document of a value in pieces of about 64 KiB, written as they are asked for.
pub struct Chunks;

impl Chunks {
    /// The pieces of `value`.
    pub fn new(value: Value) -> Self {
        todo!()
    }
}

impl Iterator for Chunks {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        todo!()
    }
}
