//! CBOR in and out (RFC 8949), with typed arrays (RFC 8746).
//!
//! An [`Array`] of floats is a byte string of little-endian binary64 under tag 86, one of integers a byte string of
//! little-endian 64-bit integers under tag 79: nothing is done per number. Tag 40 around it carries the shape if there
//! is more than one dimension. Plain arrays of numbers are read into an [`Array`] too. Integers of more than 64 bits are
//! bignums, a UUID (tag 37) is read as its text, and NaN and infinities are refused. Keys are texts.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::convert::Infallible;

use bytes::Bytes;
use minicbor::data::{Tag, Type};
use minicbor::{Decoder, Encoder, decode, encode};
use uuid::Uuid;

use super::array::{Array, BadBytes, Items, Numbers};
use super::parse::{Budget, map_or_handle};
use super::{HANDLE_KEY, Limits, ParseError, Value};

const BIGNUM: u64 = 2;
const NEGATIVE_BIGNUM: u64 = 3;
const UUID: u64 = 37;
const ROW_MAJOR: u64 = 40;
const SINT64_LE: u64 = 79;
const FLOAT64_LE: u64 = 86;
const SELF_DESCRIBED: u64 = 55799;

/// Reads one document.
pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Value, ParseError> {
    let mut parser = Parser { cbor: Decoder::new(bytes), budget: limits.budget() };
    parser.budget.spend(1)?;
    let value = parser.value()?;
    let position = parser.cbor.position();
    if position < bytes.len() { Err(ParseError::Trailing { position }) } else { Ok(value) }
}

/// Appends the document of `value` to `out`.
pub fn write(value: &Value, out: &mut Vec<u8>) {
    encode_value(value, &mut Encoder::new(out)).expect("a vector takes every byte");
}

/// The document of `value`.
pub fn to_vec(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    write(value, &mut out);
    out
}

struct Parser<'a> {
    cbor: Decoder<'a>,
    budget: Budget,
}

impl<'a> Parser<'a> {
    /// Reads a value. The caller has paid for it.
    fn value(&mut self) -> Result<Value, ParseError> {
        let position = self.cbor.position();
        match self.kind()? {
            Type::Null | Type::Undefined => {
                self.cbor.set_position(position + 1);
                Ok(Value::Null)
            }
            Type::Bool => self.read(Decoder::bool).map(Value::Bool),
            Type::U8 | Type::U16 | Type::U32 | Type::U64 => self.read(Decoder::u64).map(Value::from),
            Type::I8 | Type::I16 | Type::I32 | Type::I64 | Type::Int => {
                self.read(Decoder::int).map(|number| Value::Int(number.into()))
            }
            Type::F16 => self.half(),
            Type::F32 | Type::F64 => finite(self.read(Decoder::f64)?, position),
            Type::Bytes | Type::BytesIndef => Ok(Value::Bytes(Bytes::copy_from_slice(&self.byte_string()?))),
            Type::String | Type::StringIndef => self.text().map(Value::Text),
            Type::Array | Type::ArrayIndef => self.list(),
            Type::Map | Type::MapIndef => self.map(),
            Type::Tag => self.tagged(),
            Type::Simple => Err(ParseError::Unsupported { position, what: "a simple value" }),
            _ => Err(ParseError::Malformed { position, what: "expected a value" }),
        }
    }

    fn kind(&self) -> Result<Type, ParseError> {
        self.cbor.datatype().map_err(|error| refused(&error, self.cbor.position()))
    }

    fn read<T>(&mut self, read: impl FnOnce(&mut Decoder<'a>) -> Result<T, decode::Error>) -> Result<T, ParseError> {
        let position = self.cbor.position();
        read(&mut self.cbor).map_err(|error| refused(&error, position))
    }

    /// Reads a binary16, which the decoder leaves to us.
    fn half(&mut self) -> Result<Value, ParseError> {
        let position = self.cbor.position();
        let Some([_, high, low, ..]) = self.cbor.input().get(position..) else {
            return Err(ParseError::CutOff { position });
        };
        self.cbor.set_position(position + 3);
        finite(from_half(u16::from_be_bytes([*high, *low])), position)
    }

    fn byte_string(&mut self) -> Result<Cow<'a, [u8]>, ParseError> {
        if self.kind()? == Type::Bytes {
            return self.read(Decoder::bytes).map(Cow::Borrowed);
        }
        self.read(|cbor| {
            let mut whole = Vec::new();
            for part in cbor.bytes_iter()? {
                whole.extend_from_slice(part?);
            }
            Ok(Cow::Owned(whole))
        })
    }

    fn text(&mut self) -> Result<String, ParseError> {
        let position = self.cbor.position();
        let text = match self.kind()? {
            Type::String => self.cbor.str().map(str::to_owned),
            Type::StringIndef => self.cbor.str_iter().and_then(Iterator::collect),
            _ => return Err(ParseError::Malformed { position, what: "a key must be a text" }),
        };
        text.map_err(|error| match refused(&error, position) {
            ParseError::Malformed { position, .. } => ParseError::NotUnicode { position },
            other => other,
        })
    }

    fn list(&mut self) -> Result<Value, ParseError> {
        self.budget.enter()?;
        let mut left = self.read(Decoder::array)?;
        let mut items = Items::new();
        while self.more(&mut left)? {
            match self.value() {
                Ok(number) if items.take(&number) => {}
                item => items.push(item?, |nodes| self.budget.spend(nodes))?,
            }
        }
        self.budget.leave();
        Ok(items.finish())
    }

    fn map(&mut self) -> Result<Value, ParseError> {
        self.budget.enter()?;
        let start = self.cbor.position();
        let mut left = self.read(Decoder::map)?;
        let mut entries = BTreeMap::new();
        while self.more(&mut left)? {
            let position = self.cbor.position();
            let key = self.text()?;
            self.budget.spend(1)?;
            let value = self.value()?;
            if entries.insert(key, value).is_some() {
                return Err(ParseError::DuplicateKey { position });
            }
        }
        self.budget.leave();
        map_or_handle(entries).map_err(|_| ParseError::NotAHandle { position: start })
    }

    /// Whether a list or map of which `left` items are left, if that is known, goes on.
    fn more(&mut self, left: &mut Option<u64>) -> Result<bool, ParseError> {
        if let Some(left) = left {
            let more = *left > 0;
            *left = left.saturating_sub(1);
            return Ok(more);
        }
        let more = self.kind()? != Type::Break;
        if !more {
            self.cbor.set_position(self.cbor.position() + 1);
        }
        Ok(more)
    }

    fn tagged(&mut self) -> Result<Value, ParseError> {
        let position = self.cbor.position();
        let tag = self.read(Decoder::tag)?.as_u64();
        match tag {
            BIGNUM | NEGATIVE_BIGNUM => bignum(tag, &self.byte_string()?, position),
            UUID => uuid_text(&self.byte_string()?, position),
            FLOAT64_LE => typed(Array::from_le_f64(&self.byte_string()?), position),
            SINT64_LE => typed(Array::from_le_i64(&self.byte_string()?), position),
            ROW_MAJOR => self.within(Self::row_major),
            SELF_DESCRIBED => self.within(Self::value),
            _ => Err(ParseError::Unsupported { position, what: "a tag" }),
        }
    }

    /// Reads what a tag encloses, one level deeper.
    fn within(&mut self, read: impl FnOnce(&mut Self) -> Result<Value, ParseError>) -> Result<Value, ParseError> {
        self.budget.enter()?;
        let value = read(self)?;
        self.budget.leave();
        Ok(value)
    }

    /// Reads the extents of an array and its numbers (RFC 8746, section 3.1.1).
    fn row_major(&mut self) -> Result<Value, ParseError> {
        let position = self.cbor.position();
        let wrong = || ParseError::Malformed { position, what: "expected extents and as many numbers" };
        if self.read(Decoder::array)? != Some(2) {
            return Err(wrong());
        }
        let Value::Array(extents) = self.value()? else { return Err(wrong()) };
        let extents: Option<Vec<usize>> = extents.iter().map(|extent| extent.as_usize()).collect();
        let numbers = match self.value()? {
            Value::Array(numbers) => numbers,
            Value::List(items) if items.is_empty() => Array::from_i64(Vec::new()),
            _ => return Err(wrong()),
        };
        numbers.reshape(extents.ok_or_else(wrong)?).map(Value::Array).map_err(|_| wrong())
    }
}

fn refused(error: &decode::Error, position: usize) -> ParseError {
    let position = error.position().unwrap_or(position);
    if error.is_end_of_input() {
        ParseError::CutOff { position }
    } else {
        ParseError::Malformed { position, what: "not well-formed CBOR" }
    }
}

fn finite(number: f64, position: usize) -> Result<Value, ParseError> {
    Value::float(number).map_err(|_| ParseError::NotFinite { position })
}

/// The binary16 of these bits, exactly (RFC 8949, appendix D).
fn from_half(bits: u16) -> f64 {
    let mantissa = f64::from(bits & 0x3ff);
    let size = match i32::from(bits >> 10 & 0x1f) {
        0 => mantissa * 2_f64.powi(-24),
        31 if mantissa == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        exponent => (1024.0 + mantissa) * 2_f64.powi(exponent - 25),
    };
    if bits >> 15 == 0 { size } else { -size }
}

fn bignum(tag: u64, digits: &[u8], position: usize) -> Result<Value, ParseError> {
    let too_large = ParseError::IntegerTooLarge { position };
    let zeros = digits.iter().take_while(|digit| **digit == 0).count();
    let digits = digits.get(zeros..).unwrap_or_default();
    if digits.len() > 16 {
        return Err(too_large);
    }
    let size = digits.iter().fold(0_u128, |size, digit| size << 8 | u128::from(*digit));
    if tag == BIGNUM {
        return Ok(Value::from(size));
    }
    // The negative of n is sent as n - 1, which is the complement.
    i128::try_from(size).map(|size| Value::Int(!size)).map_err(|_| too_large)
}

fn uuid_text(bytes: &[u8], position: usize) -> Result<Value, ParseError> {
    let uuid = Uuid::from_slice(bytes).map_err(|_| ParseError::Malformed { position, what: "a UUID has 16 bytes" })?;
    Ok(Value::Text(uuid.to_string()))
}

fn typed(array: Result<Array, BadBytes>, position: usize) -> Result<Value, ParseError> {
    array.map(Value::Array).map_err(|bad| match bad {
        BadBytes::Length => ParseError::Malformed { position, what: "a number has eight bytes" },
        BadBytes::NotFinite(_) => ParseError::NotFinite { position },
    })
}

type Encoded = Result<(), encode::Error<Infallible>>;

fn encode_value(value: &Value, out: &mut Encoder<&mut Vec<u8>>) -> Encoded {
    match value {
        Value::Null => out.null()?.ok(),
        Value::Bool(value) => out.bool(*value)?.ok(),
        Value::Int(number) => out.i128(*number)?.ok(),
        Value::Uint(number) => out.u128(*number)?.ok(),
        Value::Float(number) => out.f64(*number)?.ok(),
        Value::Text(text) => out.str(text)?.ok(),
        Value::Bytes(bytes) => out.bytes(bytes)?.ok(),
        Value::Handle(handle) => out.map(1)?.str(HANDLE_KEY)?.str(&handle.to_string())?.ok(),
        Value::Array(array) => encode_array(array, out),
        Value::List(items) => {
            out.array(items.len() as u64)?;
            items.iter().try_for_each(|item| encode_value(item, out))
        }
        Value::Map(entries) => {
            out.map(entries.len() as u64)?;
            entries.iter().try_for_each(|(key, value)| encode_value(value, out.str(key)?))
        }
    }
}

fn encode_array(array: &Array, out: &mut Encoder<&mut Vec<u8>>) -> Encoded {
    if array.shape().len() > 1 {
        out.tag(Tag::new(ROW_MAJOR))?.array(2)?.array(array.shape().len() as u64)?;
        for extent in array.shape() {
            out.u64(*extent as u64)?;
        }
    }
    let tag = if matches!(array.numbers(), Numbers::Float(_)) { FLOAT64_LE } else { SINT64_LE };
    if let Some(bytes) = array.le_bytes() {
        return out.tag(Tag::new(tag))?.bytes(&bytes)?.ok();
    }
    out.array(array.len() as u64)?;
    array.iter().try_for_each(|number| encode_value(&number, out))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{bits, leaf, mutated, value};
    use super::*;

    fn read(bytes: &[u8]) -> Result<Value, ParseError> {
        parse(bytes, &Limits::default())
    }

    /// What JSON's strategy has, and bytes and arrays with shapes.
    fn rich_leaf() -> impl Strategy<Value = Value> {
        let shaped =
            (1..5_usize, 1..5_usize, prop::collection::vec(-1e6..1e6, 25)).prop_map(|(rows, columns, numbers)| {
                let numbers = numbers.into_iter().take(rows * columns).collect();
                Value::Array(Array::from_f64(numbers).unwrap().reshape(vec![rows, columns]).unwrap())
            });
        let bytes = prop::collection::vec(any::<u8>(), 0..20).prop_map(|bytes| Value::Bytes(bytes.into()));
        prop_oneof![4 => leaf(), 1 => shaped, 1 => bytes]
    }

    #[test]
    fn the_examples_of_the_rfc_are_read() {
        // RFC 8949, appendix A.
        let examples: &[(&[u8], Value)] = &[
            (&[0x1b, 0, 0, 0, 0xe8, 0xd4, 0xa5, 0x10, 0], Value::Int(1_000_000_000_000)),
            (&[0xc2, 0x49, 1, 0, 0, 0, 0, 0, 0, 0, 0], Value::Int(18_446_744_073_709_551_616)),
            (&[0x3b, 255, 255, 255, 255, 255, 255, 255, 255], Value::Int(-18_446_744_073_709_551_616)),
            (&[0xc3, 0x49, 1, 0, 0, 0, 0, 0, 0, 0, 0], Value::Int(-18_446_744_073_709_551_617)),
            (&[0xf9, 0x3e, 0x00], Value::Float(1.5)),
            (&[0xf9, 0x7b, 0xff], Value::Float(65504.0)),
            (&[0xf9, 0x00, 0x01], Value::Float(5.960_464_477_539_063e-8)),
            (&[0xf9, 0x04, 0x00], Value::Float(0.000_061_035_156_25)),
            (&[0xf9, 0xc4, 0x00], Value::Float(-4.0)),
            (&[0xfa, 0x7f, 0x7f, 0xff, 0xff], Value::Float(f64::from(f32::MAX))),
            (&[0x5f, 0x42, 1, 2, 0x43, 3, 4, 5, 0xff], Value::Bytes(Bytes::from_static(&[1, 2, 3, 4, 5]))),
            (b"\x7f\x65strea\x64ming\xff", Value::from("streaming")),
            (&[0x9f, 1, 0x82, 2, 3, 0xff], Value::List(vec![Value::Int(1), Array::from_i64(vec![2, 3]).into()])),
            (b"\xbf\x61a\x01\x61b\xf6\xff", Value::map([("a", Value::Int(1)), ("b", Value::Null)])),
            (&[0xf7], Value::Null),
        ];
        for (bytes, expected) in examples {
            assert_eq!(read(bytes).as_ref(), Ok(expected), "{bytes:x?}");
        }
    }

    #[test]
    fn floats_are_one_byte_string() {
        let numbers = vec![0.1, -0.0, 1e300];
        let mut expected = vec![0xd8, 86, 0x58, 24];
        expected.extend(numbers.iter().flat_map(|number| f64::to_le_bytes(*number)));
        let value = Value::Array(Array::from_f64(numbers).unwrap());
        assert_eq!(to_vec(&value), expected);
        assert_eq!(read(&expected), Ok(value));
    }

    #[test]
    fn shapes_survive() {
        let array = Array::from_i64((0..24).collect()).reshape(vec![2, 3, 4]).unwrap();
        let bytes = to_vec(&array.clone().into());
        assert_eq!(bytes[..7], [0xd8, 40, 0x82, 0x83, 2, 3, 4]);
        assert_eq!(read(&bytes), Ok(array.into()));
        let plain = [0xd8, 40, 0x82, 0x82, 2, 1, 0x82, 0xf9, 0x3e, 0x00, 7];
        let Ok(Value::Array(mixed)) = read(&plain) else { panic!("an array") };
        assert_eq!((mixed.shape(), mixed.get(1)), (&[2, 1][..], Some(Value::Int(7))));
        assert_eq!(read(&to_vec(&mixed.clone().into())), Ok(mixed.into()));
    }

    #[test]
    fn shapes_that_lie_are_refused() {
        for shape in [
            &[0x82, 2, 2][..],
            &[0x80],
            &[0x82, 2, 0x20],
            &[0x82, 0x1b, 255, 255, 255, 255, 255, 255, 255, 255, 2],
            &[2],
        ] {
            let bytes = [&[0xd8, 40, 0x82], shape, &[0x83, 1, 2, 3]].concat();
            assert!(matches!(read(&bytes), Err(ParseError::Malformed { .. })), "{shape:?}");
        }
    }

    #[test]
    fn claimed_lengths_beyond_the_bytes_are_refused() {
        for head in [0x5b, 0x7b, 0x9b, 0xbb] {
            let mut bytes = vec![head];
            bytes.extend(u64::MAX.to_be_bytes());
            assert!(read(&bytes).is_err(), "{head:x}");
            bytes.splice(1.., 0x0000_0100_0000_0000_u64.to_be_bytes());
            assert!(matches!(read(&bytes), Err(ParseError::CutOff { .. })), "{head:x}");
        }
    }

    #[test]
    fn what_is_not_finite_is_refused() {
        let mut typed = vec![0xd8, 86, 0x48];
        typed.extend(f64::NEG_INFINITY.to_le_bytes());
        for bytes in [&[0xf9, 0x7c, 0][..], &[0xf9, 0xfe, 0], &[0xfa, 0x7f, 0x80, 0, 0], &[0x81, 0xf9, 0x7e, 0], &typed]
        {
            assert!(matches!(read(bytes), Err(ParseError::NotFinite { .. })), "{bytes:x?}");
        }
    }

    #[test]
    fn malformed_documents_are_refused() {
        for bytes in [
            &[][..],
            &[0xff],
            &[0x81],
            &[0xa1, 0x61, b'a'],
            &[0x9f, 1],
            &[0x1c],
            &[0xf8, 0xff],
            &[0xe0],
            &[0xc1, 1],
            &[0x62, 0xc3, 0x28],
            &[0x61, 0xff],
            &[0xa1, 1, 1],
            &[0xd8, 86, 0x47, 1, 2, 3, 4, 5, 6, 7],
            &[0xd8, 86, 1],
            &[0xd8, 37, 0x41, 1],
            &[0x7f, 0x41, b'a', 0xff],
            &[0x5f, 0x5f, 0xff, 0xff],
            &[0x01, 0x01],
            &[0xf9, 0x3e],
        ] {
            assert!(read(bytes).is_err(), "{bytes:x?}");
        }
        assert!(matches!(read(b"\xa2\x61a\x01\x61a\x02"), Err(ParseError::DuplicateKey { .. })));
        assert!(matches!(read(&[0x01, 0x01]), Err(ParseError::Trailing { position: 1 })));
        assert!(matches!(read(&[0x62, 0xc3, 0x28]), Err(ParseError::NotUnicode { .. })));
    }

    #[test]
    fn integers_are_exact_to_128_bits() {
        let edges = [i128::from(i64::MIN), i128::from(i64::MAX), i128::from(u64::MAX), i128::MIN, i128::MAX];
        let near = edges.into_iter().flat_map(|edge| [edge.saturating_sub(1), edge, edge.saturating_add(1)]);
        for value in near.map(Value::Int).chain([Value::Uint(1 << 127), Value::Uint(u128::MAX)]) {
            assert_eq!(read(&to_vec(&value)), Ok(value));
        }
        let mut large = vec![0xc2, 0x51, 1];
        large.extend([0; 16]);
        assert!(matches!(read(&large), Err(ParseError::IntegerTooLarge { .. })));
        let mut low = vec![0xc3, 0x50, 0x80];
        low.extend([0; 15]);
        assert!(matches!(read(&low), Err(ParseError::IntegerTooLarge { .. })));
    }

    #[test]
    fn nesting_is_bounded() {
        for head in [&[0x81][..], &[0x9f], b"\xa1\x61a", &[0xd9, 0xd9, 0xf7], &[0xd8, 40, 0x82]] {
            assert!(read(&head.repeat(200_000)).is_err());
        }
        assert_eq!(read(&[0x81].repeat(200_000)), Err(ParseError::TooDeep { limit: 64 }));
    }

    #[test]
    fn a_handle_is_a_map_of_text_or_of_a_uuid() {
        let handle = Value::Handle("67e55044-10b1-426f-9247-bb680e5fe0c8".parse().unwrap());
        assert_eq!(read(&to_vec(&handle)).as_ref(), Ok(&handle));
        let mut bytes = vec![0xa1, 0x73];
        bytes.extend(HANDLE_KEY.as_bytes());
        bytes.extend([0xd8, 37, 0x50]);
        bytes.extend(0x67e5_5044_10b1_426f_9247_bb68_0e5f_e0c8_u128.to_be_bytes());
        assert_eq!(read(&bytes), Ok(handle));
    }

    proptest! {
        #[test]
        fn values_round_trip(value in value(rich_leaf())) {
            prop_assert_eq!(read(&to_vec(&value)), Ok(value));
        }

        #[test]
        fn floats_round_trip_bit_exactly(bits in bits()) {
            let Ok(Value::Float(again)) = read(&to_vec(&Value::Float(f64::from_bits(bits)))) else { panic!("a float") };
            prop_assert_eq!(again.to_bits(), bits);
        }

        #[test]
        fn binary16_widens_as_binary32_does(exponent in 1..31_u16, mantissa in 0..1024_u16, negative: bool) {
            let half = u16::from(negative) << 15 | exponent << 10 | mantissa;
            let single = u32::from(negative) << 31 | (u32::from(exponent) + 112) << 23 | u32::from(mantissa) << 13;
            prop_assert_eq!(from_half(half).to_bits(), f64::from(f32::from_bits(single)).to_bits());
        }

        #[test]
        fn random_bytes_end_in_a_value_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(value) = read(&bytes) {
                prop_assert_eq!(read(&to_vec(&value)), Ok(value));
            }
        }

        #[test]
        fn what_is_accepted_comes_back(bytes in mutated(value(rich_leaf()).prop_map(|value| to_vec(&value)))) {
            if let Ok(value) = read(&bytes) {
                prop_assert_eq!(read(&to_vec(&value)), Ok(value));
            }
        }
    }
}
