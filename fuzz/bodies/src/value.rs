//! Values: what a parser accepts is a value that every format carries, and that comes back as it went in.

use fsc_core::value::json::Chunks;
use fsc_core::value::{Array, Limits, Numbers, Value, cbor, from_value, json, to_value};

/// Ample for what a fuzzer sends, and small enough to be reached.
const LIMITS: Limits = Limits { depth: 64, nodes: 4096 };

/// What another format makes of a document that kept to [`LIMITS`]: brackets for the dimensions of arrays, and a
/// value for each number.
const ROOMY: Limits = Limits { depth: Limits::DEEPEST, nodes: usize::MAX };

/// JSON: any bytes are a value or an error. A value is written as it was read, whole as in pieces, and passes through
/// CBOR and serde unchanged.
pub fn value_json(data: &[u8]) {
    let Ok(value) = json::parse(data, &LIMITS) else { return };
    let written = json::to_vec(&value);
    let again = json::parse(&written, &LIMITS).expect("what is written is JSON");
    assert_eq!(again, value, "JSON changes it");
    assert!(json::to_vec(&again) == written, "JSON changes a sign or a digit");
    assert!(Chunks::new(value.clone()).collect::<Vec<_>>().concat() == written, "the pieces are another document");
    assert_eq!(cbor::parse(&cbor::to_vec(&value), &LIMITS).as_ref(), Ok(&value), "CBOR changes it");
    assert_eq!(to_value(&value).as_ref(), Ok(&value), "serialising changes it");
    assert_eq!(from_value(value.clone()).as_ref(), Ok(&value), "deserialising changes it");
    let _ = from_value::<serde_json::Value>(value);
}

/// CBOR, typed arrays included: as [`value_json`], except that JSON and serde know fewer kinds of values.
pub fn value_cbor(data: &[u8]) {
    typed_arrays(data);
    let Ok(value) = cbor::parse(data, &LIMITS) else { return };
    let written = cbor::to_vec(&value);
    let again = cbor::parse(&written, &ROOMY).expect("what is written is CBOR");
    assert_eq!(again, value, "CBOR changes it");
    assert!(cbor::to_vec(&again) == written, "CBOR changes a sign or a digit");
    let text = json::to_vec(&value);
    assert!(Chunks::new(value.clone()).collect::<Vec<_>>().concat() == text, "the pieces are another document");
    serde_json::from_slice::<serde_json::Value>(&text).expect("what is written is JSON");
    // Serde has sequences only, no shapes: what it must keep is what JSON shows.
    let serialised = to_value(&value).expect("serde takes every value");
    assert!(json::to_vec(&serialised) == text, "serialising changes it");
    let deserialised = from_value::<Value>(value).expect("a value is a value");
    assert!(json::to_vec(&deserialised) == text, "deserialising changes it");
}

/// Raw numbers: the bytes that make an array are the bytes that it gives back.
fn typed_arrays(data: &[u8]) {
    let Some((shape, numbers)) = data.split_first_chunk::<2>() else { return };
    for array in [Array::from_le_f64(numbers), Array::from_le_i64(numbers)].into_iter().flatten() {
        assert!(array.le_bytes().as_deref() == Some(numbers), "raw numbers change");
        let shape = shape.map(usize::from);
        if let Ok(shaped) = array.clone().reshape(shape.to_vec()) {
            assert!(shape.iter().product::<usize>() == array.len() && shaped.le_bytes() == array.le_bytes());
            assert!(shaped.items().count() == shape[0]);
        }
        if let Numbers::Float(floats) = array.numbers() {
            assert!(floats.iter().all(|number| number.is_finite()), "an array holds what is not finite");
        }
    }
}
