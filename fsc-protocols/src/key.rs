//! Keys: the categories that are counted.
//!
//! A key is a truth value, a number or a text, as JSON has them, and keys of different types differ: 1 is not "1". Numbers
//! are equal if they are the same number, however they were written: 1 and 1.0 are one key, as are 0 and −0. Texts are equal
//! if their bytes are; nothing is normalised.
//!
//! Keys are ordered by type (truth values, numbers, texts), then by size or by bytes.

use fsc_core::value::{Value, json};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A key; see the module's documentation.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// A truth value.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A text.
    Text(String),
}

/// A finite number: the nearest binary64, and the integer itself if that is another one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Number {
    /// The bits of the nearest binary64, so that numbers are in order as these are.
    nearest: u64,
    /// The integer in two's complement; its sign is that of `nearest`.
    integer: Option<u128>,
}

/// The first byte of an encoded key.
mod tag {
    pub(super) const BOOL: u8 = 1;
    pub(super) const NUMBER: u8 = 2;
    pub(super) const TEXT: u8 = 3;
}

impl Key {
    /// The key that a value stands for; `None` if it is no truth value, number or text.
    pub fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Bool(value) => Some(Self::Bool(*value)),
            Value::Int(_) | Value::Uint(_) | Value::Float(_) => Number::of(value).map(Self::Number),
            Value::Text(text) => Some(Self::Text(text.clone())),
            _ => None,
        }
    }

    /// The key as a value. A number that is an integer of at most 128 bits is one, however it was written.
    pub fn to_value(&self) -> Value {
        match self {
            Self::Bool(value) => Value::Bool(*value),
            Self::Number(number) => number.to_value(),
            Self::Text(text) => Value::from(text.as_str()),
        }
    }

    /// The key as a text: itself, or what JSON writes. Keys of different types may be the same as texts.
    pub fn to_text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            other => String::from_utf8_lossy(&json::to_vec(&other.to_value())).into_owned(),
        }
    }

    /// One byte for the type, then the content: a byte for a truth value; for a number the nearest binary64, mapped so that
    /// bytes are in order as numbers are, and the integer in 16 bytes if that is another; a text's UTF-8. Big-endian.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Bool(value) => vec![tag::BOOL, u8::from(*value)],
            Self::Number(Number { nearest, integer }) => {
                let integer = integer.map(u128::to_be_bytes);
                [&[tag::NUMBER][..], &nearest.to_be_bytes(), integer.as_ref().map_or(&[], |bytes| &bytes[..])].concat()
            }
            Self::Text(text) => [&[tag::TEXT], text.as_bytes()].concat(),
        }
    }

    /// The key that was encoded; `None` if these are no key's bytes. Every key has one encoding.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (tag, content) = bytes.split_first()?;
        match (*tag, content) {
            (tag::BOOL, [value @ (0 | 1)]) => Some(Self::Bool(*value == 1)),
            (tag::NUMBER, content) => Number::decode(content).map(Self::Number),
            (tag::TEXT, content) => String::from_utf8(content.to_vec()).ok().map(Self::Text),
            _ => None,
        }
    }
}

impl Number {
    fn of(value: &Value) -> Option<Self> {
        if let Some(number) = value.as_f64() {
            return number.is_finite().then(|| Self { nearest: ordered(number + 0.0), integer: None }); // −0 + 0 = +0
        }
        match value {
            Value::Int(integer) => Some(Self { nearest: ordered(*integer as f64), integer: Some(*integer as u128) }),
            Value::Uint(integer) => Some(Self { nearest: ordered(*integer as f64), integer: Some(*integer) }),
            _ => None,
        }
    }

    fn to_value(self) -> Value {
        let nearest = unordered(self.nearest);
        match self.integer {
            Some(integer) if nearest < 0.0 => Value::Int(integer as i128),
            Some(integer) => Value::from(integer),
            // Below 2^127 a whole number is an i128.
            None if nearest.fract() == 0.0 && nearest.abs() < 2_f64.powi(127) => Value::Int(nearest as i128),
            None => Value::Float(nearest),
        }
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (nearest, rest) = bytes.split_first_chunk()?;
        let integer = if rest.is_empty() { None } else { Some(u128::from_be_bytes(rest.try_into().ok()?)) };
        let number = Self { nearest: u64::from_be_bytes(*nearest), integer };
        // Not every pair of both is a number's.
        (Self::of(&number.to_value()) == Some(number)).then_some(number)
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_value().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Self::of(&value).ok_or_else(|| de::Error::custom("a key is a truth value, a number or a text"))
    }
}

/// Bits that are in order as the numbers are.
fn ordered(number: f64) -> u64 {
    let bits = number.to_bits();
    if number.is_sign_negative() { !bits } else { bits | 1 << 63 }
}

fn unordered(bits: u64) -> f64 {
    f64::from_bits(if bits >> 63 == 1 { bits & !(1 << 63) } else { !bits })
}

#[cfg(test)]
mod tests {
    use fsc_core::value::Limits;
    use proptest::prelude::*;

    use super::*;

    fn key(text: &str) -> Option<Key> {
        Key::of(&json::parse(text.as_bytes(), &Limits::default()).expect("JSON"))
    }

    #[test]
    fn keys_differ_by_type_and_numbers_by_size_only() {
        let different = ["false", "true", "-2", "0", "1", "1.5", "18014398509481985", "\"\"", "\"1\"", "\"true\""];
        let keys: Vec<Key> = different.iter().map(|text| key(text).expect("a key")).collect();
        assert!(keys.is_sorted_by(|one, next| one < next));
        for [one, other] in [
            ["1", "1.0"],
            ["0", "-0.0"],
            ["100", "1e2"],
            ["-170141183460469231731687303715884105728", "-170141183460469231731687303715884105728.0"],
        ] {
            assert!(key(one) == key(other), "{one} and {other}");
        }
    }

    #[test]
    fn only_scalars_are_keys() {
        assert!(["null", "[1]", "[]", "{}"].iter().all(|text| key(text).is_none()));
        assert!(Key::of(&Value::Float(f64::NAN)).is_none());
    }

    #[test]
    fn keys_are_texts_as_json_has_them() {
        for (written, text) in [("true", "true"), ("1.0", "1"), ("2.5", "2.5"), ("\"a\"", "a"), ("1e300", "1e+300")] {
            assert_eq!(key(written).unwrap().to_text(), text);
        }
    }

    #[test]
    fn bytes_of_no_key_are_refused() {
        let not_a_number = [&[tag::NUMBER][..], &ordered(f64::INFINITY).to_be_bytes()].concat();
        let negative_zero = [&[tag::NUMBER][..], &ordered(-0.0).to_be_bytes()].concat();
        let one_twice = [&[tag::NUMBER][..], &ordered(1.0).to_be_bytes(), &1_u128.to_be_bytes()].concat();
        let bad: [&[u8]; 8] = [
            &[],
            &[0],
            &[tag::BOOL, 2],
            &[tag::NUMBER, 1],
            &[tag::TEXT, 0xff],
            &not_a_number,
            &negative_zero,
            &one_twice,
        ];
        assert!(bad.iter().all(|bytes| Key::decode(bytes).is_none()));
    }

    fn integers() -> impl Strategy<Value = Value> {
        prop_oneof![
            any::<i128>().prop_map(Value::from),
            any::<u128>().prop_map(Value::from),
            (-9..9_i64).prop_map(Value::from)
        ]
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes(value in prop_oneof![integers(), any::<f64>().prop_map(Value::Float), ".*".prop_map(Value::Text)]) {
            if let Some(key) = Key::of(&value) {
                prop_assert!(Key::decode(&key.encode()).as_ref() == Some(&key));
                prop_assert!(Key::of(&key.to_value()).as_ref() == Some(&key));
            }
        }

        #[test]
        fn integers_are_in_order(one in integers(), other in integers()) {
            let size = |value: &Value| match value {
                Value::Int(number) => (*number >= 0, *number as u128),
                Value::Uint(number) => (true, *number),
                _ => unreachable!("integers"),
            };
            prop_assert_eq!(Key::of(&one).cmp(&Key::of(&other)), size(&one).cmp(&size(&other)));
            prop_assert_eq!(Key::of(&one).unwrap().encode().cmp(&Key::of(&other).unwrap().encode()), size(&one).cmp(&size(&other)));
        }
    }
}
