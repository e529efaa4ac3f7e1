//! Keys: the categories that are counted.
//!
//! A key is a truth value, a number or a text, as JSON has them, and keys of different types differ: 1 is not "1". Numbers
//! are equal if they are the same number, however they were written: 1 and 1.0 are one key, as are 0 and −0. Texts are equal
//! if their bytes are; nothing is normalised.
//!
//! Keys are ordered by type (truth values, numbers, texts), then by size or by bytes. Their encodings are in the same order.

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

/// A finite number: the greatest binary64 that is not above it, and what an integer exceeds that by. So numbers are in order
/// as these pairs are.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Number {
    /// The bits of the binary64, mapped so that they are in order.
    floor: u64,
    /// Zero for all that binary64 holds.
    excess: u128,
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

    /// One byte for the type, then the content: a byte for a truth value; for a number the greatest binary64 that is not above it,
    /// mapped so that bytes are in order as numbers are, and in 16 bytes what an integer exceeds that by, if it does; a text's
    /// UTF-8. Big-endian.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Bool(value) => vec![tag::BOOL, u8::from(*value)],
            Self::Number(Number { floor, excess: 0 }) => [&[tag::NUMBER][..], &floor.to_be_bytes()].concat(),
            Self::Number(Number { floor, excess }) => {
                [&[tag::NUMBER][..], &floor.to_be_bytes(), &excess.to_be_bytes()].concat()
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
        match value {
            Value::Float(number) => number.is_finite().then(|| Self { floor: ordered(number + 0.0), excess: 0 }), // −0 + 0 = +0
            Value::Int(integer) => Some(Self::of_integer(*integer as u128, integer.unsigned_abs(), *integer < 0)),
            Value::Uint(integer) => Some(Self::of_integer(*integer, *integer, false)),
            _ => None,
        }
    }

    /// The integer in two's complement, its size and its sign.
    fn of_integer(integer: u128, size: u128, is_negative: bool) -> Self {
        // Without the bits below the 53 highest of its size, which make it less, an integer is a binary64.
        let below = (u128::BITS - size.leading_zeros()).saturating_sub(f64::MANTISSA_DIGITS);
        let excess = integer & ((1 << below) - 1);
        let floor = integer - excess;
        let floor = if is_negative { floor as i128 as f64 } else { floor as f64 };
        Self { floor: ordered(floor), excess }
    }

    fn to_value(self) -> Value {
        let floor = unordered(self.floor);
        let is_integer = floor.fract() == 0.0 && (-(2_f64.powi(127))..2_f64.powi(128)).contains(&floor);
        let integer = match floor {
            _ if !is_integer => None,
            ..0.0 => (floor as i128).checked_add_unsigned(self.excess).map(Value::Int),
            _ => (floor as u128).checked_add(self.excess).map(Value::from),
        };
        integer.unwrap_or(Value::Float(floor))
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (floor, rest) = bytes.split_first_chunk()?;
        let excess = if rest.is_empty() { 0 } else { u128::from_be_bytes(rest.try_into().ok()?) };
        let number = Self { floor: u64::from_be_bytes(*floor), excess };
        // Not every pair of both is a number's, and not every number's excess is written.
        let is_number = Self::of(&number.to_value()) == Some(number) && (excess > 0 || rest.is_empty());
        is_number.then_some(number)
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
        let with_excess = |floor: f64, excess: u128| {
            [&[tag::NUMBER][..], &ordered(floor).to_be_bytes(), &excess.to_be_bytes()].concat()
        };
        let (exact, exact_too, beyond) =
            (with_excess(1.0, 0), with_excess(1.0, 1), with_excess(2_f64.powi(60), 1 << 8));
        let (fraction, huge, least) = (with_excess(0.5, 1), with_excess(1e300, 1), with_excess(-1e300, 1));
        let bad: [&[u8]; 13] = [
            &[],
            &[0],
            &[tag::BOOL, 2],
            &[tag::NUMBER, 1],
            &[tag::TEXT, 0xff],
            &not_a_number,
            &negative_zero,
            &exact,
            &exact_too,
            &beyond,
            &fraction,
            &huge,
            &least,
        ];
        assert!(bad.iter().all(|bytes| Key::decode(bytes).is_none()));
    }

    /// From where binary64 holds all integers to where it holds few of those next to one another.
    #[test]
    fn neighbours_are_in_order_and_so_are_their_bytes() {
        let powers = [53, 54, 55, 60, 63, 64, 100, 127].map(|bits| 1_u128 << bits);
        let centres = powers.into_iter().chain([10_u128.pow(18), 10_u128.pow(30)]);
        let mut values: Vec<Value> = centres
            .flat_map(|centre| (centre - 5..=centre + 5).flat_map(|size| [Some(Value::from(size)), negative(size)]))
            .flatten()
            .collect();
        values.extend([i128::MIN, i128::MIN + 1, i128::MIN + 2, i128::MAX - 1, i128::MAX].map(Value::from));
        values.extend([u128::MAX - 1, u128::MAX].map(Value::from));
        values.sort_by_key(size);
        values.dedup();
        // All integers of 128 bits are between these.
        values.insert(0, Value::Float(-(2_f64.powi(127).next_up())));
        values.push(Value::Float(2_f64.powi(128)));
        let keys: Vec<Key> = values.iter().map(|value| Key::of(value).expect("a number")).collect();
        for (pair, values) in keys.windows(2).zip(values.windows(2)) {
            assert!(pair[0] < pair[1], "{} and {}", pair[0].to_text(), pair[1].to_text());
            assert!(pair[0].encode() < pair[1].encode(), "bytes of {} and {}", pair[0].to_text(), pair[1].to_text());
            assert!(Key::decode(&pair[0].encode()).as_ref() == Some(&pair[0]));
            assert!(pair[0].to_value() == values[0]);
        }
    }

    fn negative(size: u128) -> Option<Value> {
        i128::try_from(size).ok().map(|size| Value::from(-size))
    }

    /// The integer, as its sign and its two's complement.
    fn size(value: &Value) -> (bool, u128) {
        match value {
            Value::Int(number) => (*number >= 0, *number as u128),
            Value::Uint(number) => (true, *number),
            _ => unreachable!("integers"),
        }
    }

    fn integers() -> impl Strategy<Value = Value> {
        let near = |(bits, offset, sign): (u32, i8, bool)| {
            let number = (1_i128 << bits).wrapping_add(offset.into());
            Value::from(if sign { number } else { number.wrapping_neg() })
        };
        prop_oneof![
            any::<i128>().prop_map(Value::from),
            any::<u128>().prop_map(Value::from),
            (50..127_u32, any::<i8>(), any::<bool>()).prop_map(near),
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
            prop_assert_eq!(Key::of(&one).cmp(&Key::of(&other)), size(&one).cmp(&size(&other)));
            prop_assert_eq!(Key::of(&one).unwrap().encode().cmp(&Key::of(&other).unwrap().encode()), size(&one).cmp(&size(&other)));
        }
    }
}
