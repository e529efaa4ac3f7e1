//! CBOR in and out.

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
