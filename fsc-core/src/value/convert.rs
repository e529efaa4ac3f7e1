//! Between values and Rust's types, by serde.
//!
//! Nothing is bent to fit: an integer becomes a float only if binary64 holds it, a float never becomes an integer, NaN
//! and infinities are errors, and keys are texts. Errors name kinds, fields and positions, never data.

use std::collections::{BTreeMap, btree_map};
use std::fmt;

use bytes::Bytes;
use serde::de::{
    DeserializeOwned, DeserializeSeed, EnumAccess, Expected, IntoDeserializer, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor, value::StringDeserializer,
};
use serde::ser::{
    SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple, SerializeTupleStruct,
    SerializeTupleVariant,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, forward_to_deserialize_any, ser};

use super::array::{Array, Items, Numbers};
use super::parse::map_or_handle;
use super::{HANDLE_KEY, NotAHandle, Value};

/// The value of `content`: sequences of numbers become arrays, structs and maps become maps.
pub fn to_value<T: Serialize + ?Sized>(content: &T) -> Result<Value, ConvertError> {
    content.serialize(ToValue)
}

/// The `T` that `value` stands for.
pub fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, ConvertError> {
    T::deserialize(FromValue(value))
}

/// Why a value and a type do not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConvertError {
    /// A number is NaN or infinite.
    #[error("the number is not finite")]
    NotFinite,
    /// An integer has no exact binary64.
    #[error("the integer is not exactly a binary64")]
    Inexact,
    /// A key of a map is no text.
    #[error("a key must be a text")]
    KeyNotText,
    /// A `representation_uuid` is no UUID.
    #[error(transparent)]
    NotAHandle(#[from] NotAHandle),
    /// Another type is needed.
    #[error("expected {expected}, found {found}")]
    Type {
        /// What is needed.
        expected: String,
        /// The kind of what is there.
        found: &'static str,
    },
    /// The type fits, the value is out of its range.
    #[error("out of range: expected {expected}")]
    Range {
        /// What is needed.
        expected: String,
    },
    /// There are too few items, or too many.
    #[error("{found} items, expected {expected}")]
    Length {
        /// What is needed.
        expected: String,
        /// How many there are.
        found: usize,
    },
    /// A field is missing.
    #[error("{field} is missing")]
    Missing {
        /// The field.
        field: &'static str,
    },
    /// A field is there twice.
    #[error("{field} is there twice")]
    Twice {
        /// The field.
        field: &'static str,
    },
    /// A name is none of those that are known.
    #[error("unknown name, expected one of: {}", expected.join(", "))]
    Unknown {
        /// The known names.
        expected: &'static [&'static str],
    },
    /// What the type itself says.
    #[error("{0}")]
    Custom(String),
    /// The cause, and where in the value it is.
    #[error("{place}: {cause}")]
    At {
        /// Where.
        place: Place,
        /// What is wrong there.
        cause: Box<Self>,
    },
}

/// Where in a value something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the field of that name.
    Field(&'static str),
    /// In the item or entry of that number, counted from zero.
    Item(usize),
}

impl ConvertError {
    fn at(self, place: Place) -> Self {
        Self::At { place, cause: Box::new(self) }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) => write!(f, "{name}"),
            Self::Item(position) => write!(f, "item {position}"),
        }
    }
}

impl ser::Error for ConvertError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Custom(message.to_string())
    }
}

/// Serde's own texts quote the data.
impl de::Error for ConvertError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Custom(message.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::Type { expected: expected.to_string(), found: kind(found) }
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::Range { expected: expected.to_string() }
    }

    fn invalid_length(found: usize, expected: &dyn Expected) -> Self {
        Self::Length { expected: expected.to_string(), found }
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::Unknown { expected }
    }

    fn unknown_field(_: &str, expected: &'static [&'static str]) -> Self {
        Self::Unknown { expected }
    }

    fn missing_field(field: &'static str) -> Self {
        Self::Missing { field }
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::Twice { field }
    }
}

fn kind(found: Unexpected<'_>) -> &'static str {
    match found {
        Unexpected::Bool(_) => "a truth value",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) => "an integer",
        Unexpected::Float(_) => "a float",
        Unexpected::Char(_) | Unexpected::Str(_) => "a text",
        Unexpected::Bytes(_) => "bytes",
        Unexpected::Unit | Unexpected::Option => "null",
        Unexpected::Seq => "a list",
        Unexpected::Map => "a map",
        Unexpected::Enum
        | Unexpected::UnitVariant
        | Unexpected::NewtypeVariant
        | Unexpected::TupleVariant
        | Unexpected::StructVariant => "a variant",
        _ => "something else",
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Int(number) => match (i64::try_from(*number), u64::try_from(*number)) {
                (Ok(number), _) => serializer.serialize_i64(number),
                (_, Ok(number)) => serializer.serialize_u64(number),
                _ => serializer.serialize_i128(*number),
            },
            Self::Uint(number) => serializer.serialize_u128(*number),
            Self::Float(number) => serializer.serialize_f64(*number),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Bytes(bytes) => serializer.serialize_bytes(bytes),
            Self::Handle(handle) => serializer.collect_map([(HANDLE_KEY, handle.to_string())]),
            Self::Array(array) => array.serialize(serializer),
            Self::List(items) => serializer.collect_seq(items),
            Self::Map(entries) => serializer.collect_map(entries),
        }
    }
}

impl Serialize for Array {
    /// Nested sequences, one level for each dimension.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.numbers() {
            Numbers::Float(numbers) if self.shape().len() == 1 => serializer.collect_seq(numbers),
            Numbers::Int(numbers) if self.shape().len() == 1 => serializer.collect_seq(numbers),
            _ => serializer.collect_seq(self.items()),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    /// Lists of numbers become arrays of one dimension.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

impl<'de> Deserialize<'de> for Array {
    /// A list of numbers.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Array(array) => Ok(array),
            Value::List(items) if items.is_empty() => Ok(Self::from_i64(Vec::new())),
            _ => Err(de::Error::custom("expected a list of numbers")),
        }
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_i128<E>(self, number: i128) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_u128<E>(self, number: u128) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Value, E> {
        Value::float(number).map_err(E::custom)
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::from(text))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::from(text))
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Value, E> {
        Ok(Value::Bytes(Bytes::copy_from_slice(bytes)))
    }

    fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Value, E> {
        Ok(Value::Bytes(bytes.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let mut items = Items::new();
        while let Some(item) = sequence.next_element()? {
            items.push(item, |_| Ok(()))?;
        }
        Ok(items.finish())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries = BTreeMap::new();
        while let Some((key, value)) = map.next_entry()? {
            entries.insert(key, value);
        }
        map_or_handle(entries).map_err(de::Error::custom)
    }
}

/// Builds the value of what is serialized into it.
struct ToValue;

macro_rules! integers {
    ($($method:ident: $type:ty),*) => {
        $(fn $method(self, number: $type) -> Result<Value, ConvertError> {
            Ok(Value::Int(number.into()))
        })*
    };
}

impl Serializer for ToValue {
    type Ok = Value;
    type Error = ConvertError;
    type SerializeSeq = Sequence;
    type SerializeTuple = Sequence;
    type SerializeTupleStruct = Sequence;
    type SerializeTupleVariant = Sequence;
    type SerializeMap = Mapping;
    type SerializeStruct = Mapping;
    type SerializeStructVariant = Mapping;

    integers!(serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64, serialize_i128: i128);
    integers!(serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64);

    fn serialize_u128(self, number: u128) -> Result<Value, ConvertError> {
        Ok(Value::from(number))
    }

    fn serialize_f32(self, number: f32) -> Result<Value, ConvertError> {
        self.serialize_f64(number.into())
    }

    #[inline]
    fn serialize_f64(self, number: f64) -> Result<Value, ConvertError> {
        if number.is_finite() { Ok(Value::Float(number)) } else { Err(ConvertError::NotFinite) }
    }

    fn serialize_bool(self, value: bool) -> Result<Value, ConvertError> {
        Ok(Value::Bool(value))
    }

    fn serialize_char(self, letter: char) -> Result<Value, ConvertError> {
        Ok(Value::Text(letter.into()))
    }

    fn serialize_str(self, text: &str) -> Result<Value, ConvertError> {
        Ok(Value::from(text))
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<Value, ConvertError> {
        Ok(Value::Bytes(Bytes::copy_from_slice(bytes)))
    }

    fn serialize_none(self) -> Result<Value, ConvertError> {
        Ok(Value::Null)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, content: &T) -> Result<Value, ConvertError> {
        content.serialize(self)
    }

    fn serialize_unit(self) -> Result<Value, ConvertError> {
        Ok(Value::Null)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Value, ConvertError> {
        Ok(Value::Null)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<Value, ConvertError> {
        Ok(Value::from(variant))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        content: &T,
    ) -> Result<Value, ConvertError> {
        content.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        content: &T,
    ) -> Result<Value, ConvertError> {
        let content = content.serialize(self).map_err(|error| error.at(Place::Field(variant)))?;
        Ok(in_variant(Some(variant), content))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Sequence, ConvertError> {
        Ok(Sequence::of(None))
    }

    fn serialize_tuple(self, _: usize) -> Result<Sequence, ConvertError> {
        Ok(Sequence::of(None))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Sequence, ConvertError> {
        Ok(Sequence::of(None))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Sequence, ConvertError> {
        Ok(Sequence::of(Some(variant)))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Mapping, ConvertError> {
        Ok(Mapping::of(None))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Mapping, ConvertError> {
        Ok(Mapping::of(None))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Mapping, ConvertError> {
        Ok(Mapping::of(Some(variant)))
    }
}

/// The content of an enum's variant, under its name.
fn in_variant(variant: Option<&'static str>, content: Value) -> Value {
    match variant {
        Some(variant) => Value::map([(variant, content)]),
        None => content,
    }
}

/// A list that is being serialized, and the variant that it is the content of.
struct Sequence {
    variant: Option<&'static str>,
    items: Items,
}

impl Sequence {
    fn of(variant: Option<&'static str>) -> Self {
        Self { variant, items: Items::new() }
    }

    fn push<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), ConvertError> {
        match item.serialize(ToValue) {
            Ok(number) if self.items.take(&number) => Ok(()),
            Ok(item) => self.items.push(item, |_| Ok(())),
            Err(error) => Err(error.at(Place::Item(self.items.len()))),
        }
    }

    fn finish(self) -> Value {
        in_variant(self.variant, self.items.finish())
    }
}

macro_rules! sequence {
    ($($trait:ident: $method:ident),*) => {
        $(impl $trait for Sequence {
            type Ok = Value;
            type Error = ConvertError;

            fn $method<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), ConvertError> {
                self.push(item)
            }

            fn end(self) -> Result<Value, ConvertError> {
                Ok(self.finish())
            }
        })*
    };
}

sequence!(
    SerializeSeq: serialize_element,
    SerializeTuple: serialize_element,
    SerializeTupleStruct: serialize_field,
    SerializeTupleVariant: serialize_field
);

/// A map that is being serialized, and the variant that it is the content of.
struct Mapping {
    variant: Option<&'static str>,
    entries: BTreeMap<String, Value>,
    /// The key whose value comes next.
    key: String,
}

impl Mapping {
    fn of(variant: Option<&'static str>) -> Self {
        Self { variant, entries: BTreeMap::new(), key: String::new() }
    }

    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, content: &T) -> Result<(), ConvertError> {
        let value = content.serialize(ToValue).map_err(|error| error.at(Place::Field(name)))?;
        self.entries.insert(name.to_owned(), value);
        Ok(())
    }

    fn finish(self) -> Result<Value, ConvertError> {
        Ok(in_variant(self.variant, map_or_handle(self.entries)?))
    }
}

impl SerializeMap for Mapping {
    type Ok = Value;
    type Error = ConvertError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), ConvertError> {
        let Value::Text(key) = key.serialize(ToValue)? else { return Err(ConvertError::KeyNotText) };
        self.key = key;
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), ConvertError> {
        let value = value.serialize(ToValue).map_err(|error| error.at(Place::Item(self.entries.len())))?;
        self.entries.insert(std::mem::take(&mut self.key), value);
        Ok(())
    }

    fn end(self) -> Result<Value, ConvertError> {
        self.finish()
    }
}

impl SerializeStruct for Mapping {
    type Ok = Value;
    type Error = ConvertError;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, content: &T) -> Result<(), ConvertError> {
        self.field(name, content)
    }

    fn end(self) -> Result<Value, ConvertError> {
        self.finish()
    }
}

impl SerializeStructVariant for Mapping {
    type Ok = Value;
    type Error = ConvertError;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, content: &T) -> Result<(), ConvertError> {
        self.field(name, content)
    }

    fn end(self) -> Result<Value, ConvertError> {
        self.finish()
    }
}

/// Gives out the value it holds.
struct FromValue(Value);

impl<'de> Deserializer<'de> for FromValue {
    type Error = ConvertError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ConvertError> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(value),
            Value::Int(number) => match (i64::try_from(number), u64::try_from(number)) {
                (Ok(number), _) => visitor.visit_i64(number),
                (_, Ok(number)) => visitor.visit_u64(number),
                _ => visitor.visit_i128(number),
            },
            Value::Uint(number) => visitor.visit_u128(number),
            Value::Float(number) => visitor.visit_f64(number),
            Value::Text(text) => visitor.visit_string(text),
            Value::Bytes(bytes) => visitor.visit_byte_buf(bytes.into()),
            Value::Handle(handle) => {
                let entries = BTreeMap::from([(HANDLE_KEY.to_owned(), Value::from(handle.to_string()))]);
                visit_map(entries, &[], visitor)
            }
            Value::Array(array) => {
                let count = array.count();
                match array.numbers() {
                    Numbers::Float(numbers) if numbers.len() == count => {
                        visit_items(count, numbers.iter().copied().map(Value::Float), visitor)
                    }
                    _ => visit_items(count, array.items(), visitor),
                }
            }
            Value::List(items) => visit_items(items.len(), items.into_iter(), visitor),
            Value::Map(entries) => visit_map(entries, &[], visitor),
        }
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ConvertError> {
        match self.0 {
            Value::Float(number) => visitor.visit_f64(number),
            Value::Int(_) | Value::Uint(_) => visitor.visit_f64(self.0.as_f64().ok_or(ConvertError::Inexact)?),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ConvertError> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ConvertError> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, ConvertError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ConvertError> {
        match self.0 {
            Value::Map(entries) => visit_map(entries, fields, visitor),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ConvertError> {
        match self.0 {
            Value::Text(name) => visitor.visit_enum(Variant { name, content: None }),
            Value::Map(mut entries) if entries.len() == 1 => match entries.pop_first() {
                Some((name, content)) => visitor.visit_enum(Variant { name, content: Some(content) }),
                None => Err(ConvertError::Type { expected: "a variant".to_owned(), found: "a map" }),
            },
            other => Err(ConvertError::Type { expected: "a variant".to_owned(), found: other.kind() }),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ConvertError> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 char str string bytes byte_buf
        unit unit_struct seq tuple tuple_struct map identifier
    }
}

/// Gives the items to `visitor`, which must take all of them.
fn visit_items<'de, V: Visitor<'de>>(
    count: usize,
    items: impl Iterator<Item = Value>,
    visitor: V,
) -> Result<V::Value, ConvertError> {
    let mut access = ItemAccess { items, taken: 0, count };
    let result = visitor.visit_seq(&mut access)?;
    if access.taken < count {
        return Err(ConvertError::Length { expected: "fewer".to_owned(), found: count });
    }
    Ok(result)
}

struct ItemAccess<I> {
    items: I,
    taken: usize,
    count: usize,
}

impl<'de, I: Iterator<Item = Value>> SeqAccess<'de> for &mut ItemAccess<I> {
    type Error = ConvertError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, ConvertError> {
        let Some(item) = self.items.next() else { return Ok(None) };
        let place = Place::Item(self.taken);
        self.taken += 1;
        seed.deserialize(FromValue(item)).map(Some).map_err(|error| error.at(place))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.count - self.taken)
    }
}

/// Gives the entries to `visitor`; those named in `fields` are named in errors, other keys are data.
fn visit_map<'de, V: Visitor<'de>>(
    entries: BTreeMap<String, Value>,
    fields: &'static [&'static str],
    visitor: V,
) -> Result<V::Value, ConvertError> {
    visitor.visit_map(EntryAccess { entries: entries.into_iter(), next: None, taken: 0, fields })
}

struct EntryAccess {
    entries: btree_map::IntoIter<String, Value>,
    /// The value whose key was given out, and where it is.
    next: Option<(Place, Value)>,
    taken: usize,
    fields: &'static [&'static str],
}

impl<'de> MapAccess<'de> for EntryAccess {
    type Error = ConvertError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, ConvertError> {
        let Some((key, value)) = self.entries.next() else { return Ok(None) };
        let field = self.fields.iter().find(|field| **field == key);
        let place = field.map_or(Place::Item(self.taken), |field| Place::Field(field));
        self.taken += 1;
        self.next = Some((place, value));
        seed.deserialize(FromValue(Value::Text(key))).map(Some).map_err(|error| error.at(place))
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, ConvertError> {
        let (place, value) =
            self.next.take().ok_or_else(|| ConvertError::Custom("a value was asked for before its key".to_owned()))?;
        seed.deserialize(FromValue(value)).map_err(|error| error.at(place))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.entries.len())
    }
}

/// A variant of an enum: its name, and its content if it has any.
struct Variant {
    name: String,
    content: Option<Value>,
}

impl<'de> EnumAccess<'de> for Variant {
    type Error = ConvertError;
    type Variant = FromContent;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, FromContent), ConvertError> {
        let name: StringDeserializer<ConvertError> = self.name.into_deserializer();
        Ok((seed.deserialize(name)?, FromContent(self.content)))
    }
}

/// The content of a variant.
struct FromContent(Option<Value>);

impl FromContent {
    fn content(self) -> Result<FromValue, ConvertError> {
        let bare = || ConvertError::Type { expected: "a variant with content".to_owned(), found: "a bare variant" };
        self.0.map(FromValue).ok_or_else(bare)
    }
}

impl<'de> VariantAccess<'de> for FromContent {
    type Error = ConvertError;

    fn unit_variant(self) -> Result<(), ConvertError> {
        match self.0 {
            None | Some(Value::Null) => Ok(()),
            Some(other) => Err(ConvertError::Type { expected: "a bare variant".to_owned(), found: other.kind() }),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, ConvertError> {
        seed.deserialize(self.content()?)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, ConvertError> {
        self.content()?.deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ConvertError> {
        self.content()?.deserialize_struct("", fields, visitor)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{leaf, value};
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Sample {
        name: String,
        data: Vec<f64>,
        counts: Vec<u64>,
        matrix: Vec<Vec<f64>>,
        place: (u8, i128),
        method: Method,
        note: Option<String>,
        #[serde(default)]
        extra: BTreeMap<String, f64>,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Method {
        Plain,
        Scaled(f64),
        Pair(u8, u8),
        Named { shift: i64 },
    }

    fn sample(method: Method) -> Sample {
        Sample {
            name: "a".to_owned(),
            data: vec![0.5, -0.0],
            counts: vec![u64::MAX, 0],
            matrix: vec![vec![1.0, 2.0], vec![3.0, 4.0]],
            place: (7, i128::MIN),
            method,
            note: None,
            extra: BTreeMap::from([("k".to_owned(), 1.5)]),
        }
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Input {
        data: Vec<f64>,
    }

    fn input(data: Value) -> Result<Input, ConvertError> {
        from_value(Value::map([("data", data)]))
    }

    #[test]
    fn structs_round_trip() {
        for method in [Method::Plain, Method::Scaled(2.0), Method::Pair(1, 2), Method::Named { shift: -1 }] {
            let sample = sample(method);
            let value = to_value(&sample).unwrap();
            assert_eq!(from_value::<Sample>(value), Ok(sample));
        }
    }

    #[test]
    fn sequences_of_numbers_are_dense() {
        let value = to_value(&sample(Method::Plain)).unwrap();
        assert_eq!(value.entry("data"), Some(&Value::Array(Array::from_f64(vec![0.5, 0.0]).unwrap())));
        assert!(
            matches!(value.entry("matrix"), Some(Value::List(rows)) if matches!(rows[..], [Value::Array(_), Value::Array(_)]))
        );
        assert!(matches!(value.entry("counts"), Some(Value::List(_))), "2^64 - 1 fits no array");
    }

    #[test]
    fn not_finite_is_an_error_that_says_where() {
        let mut sample = sample(Method::Plain);
        sample.matrix[1][0] = f64::NAN;
        let error = to_value(&sample).unwrap_err();
        assert_eq!(error.to_string(), "matrix: item 1: item 0: the number is not finite");
        assert!(to_value(&f32::INFINITY).is_err());
    }

    #[test]
    fn integers_become_floats_only_if_exact() {
        let integers = |numbers: Vec<i64>| input(Value::Array(Array::from_i64(numbers)));
        assert_eq!(integers(vec![1, 1 << 53]), Ok(Input { data: vec![1.0, 9_007_199_254_740_992.0] }));
        let error = integers(vec![1, (1 << 53) + 1]).unwrap_err();
        assert_eq!(error.to_string(), "data: item 1: the integer is not exactly a binary64");
    }

    #[test]
    fn a_whole_float_is_no_integer() {
        assert!(from_value::<u64>(Value::Float(2.0)).is_err());
        assert!(from_value::<Vec<i64>>(Value::Array(Array::from_f64(vec![2.0]).unwrap())).is_err());
        assert_eq!(from_value::<u8>(Value::Int(255)), Ok(255));
        assert!(from_value::<u8>(Value::Int(256)).is_err());
        assert!(from_value::<u8>(Value::Int(-1)).is_err());
        assert_eq!(from_value::<u128>(Value::Uint(u128::MAX)), Ok(u128::MAX));
    }

    #[test]
    fn arrays_nest_by_their_shape() {
        let array = Array::from_f64((0..6).map(f64::from).collect()).unwrap().reshape(vec![2, 3]).unwrap();
        assert_eq!(from_value(array.clone().into()), Ok(vec![vec![0.0, 1.0, 2.0], vec![3.0, 4.0, 5.0]]));
        assert_eq!(serde_json::to_string(&array).unwrap(), "[[0.0,1.0,2.0],[3.0,4.0,5.0]]");
        assert_eq!(from_value::<Array>(Value::List(vec![])).unwrap().len(), 0);
    }

    #[test]
    fn items_that_nobody_takes_are_an_error() {
        let three = Value::Array(Array::from_i64(vec![1, 2, 3]));
        assert!(matches!(from_value::<(u8, u8)>(three.clone()), Err(ConvertError::Length { found: 3, .. })));
        assert!(matches!(from_value::<(u8, u8, u8, u8)>(three), Err(ConvertError::Length { found: 3, .. })));
    }

    #[test]
    fn errors_hold_no_data() {
        let secret = || Value::from("s3cret");
        let errors = [
            from_value::<f64>(secret()).unwrap_err(),
            from_value::<Method>(secret()).unwrap_err(),
            from_value::<u8>(Value::Int(987_654_321)).unwrap_err(),
            from_value::<u8>(Value::Int(i128::MAX - 987_654_321)).unwrap_err(),
            from_value::<u8>(Value::Uint(u128::MAX)).unwrap_err(),
            from_value::<bool>(Value::Float(987_654.321)).unwrap_err(),
            from_value::<char>(secret()).unwrap_err(),
            from_value::<BTreeMap<String, f64>>(Value::map([("s3cret", "s3cret")])).unwrap_err(),
            from_value::<Vec<f64>>(Value::List(vec![secret()])).unwrap_err(),
            from_value::<Method>(Value::map([("s3cret", Value::Null)])).unwrap_err(),
        ];
        for error in errors {
            let shown = format!("{error} {error:?}");
            assert!(!["s3cret", "987", "340282", "170141"].iter().any(|data| shown.contains(data)), "{shown}");
        }
    }

    #[test]
    fn errors_name_the_field() {
        assert_eq!(from_value::<Input>(Value::Map(BTreeMap::new())).unwrap_err().to_string(), "data is missing");
        assert_eq!(input(Value::from("x")).unwrap_err().to_string(), "data: expected a sequence, found a text");
    }

    #[test]
    fn keys_are_texts() {
        assert_eq!(to_value(&BTreeMap::from([(1, 2)])), Err(ConvertError::KeyNotText));
        assert_eq!(to_value(&BTreeMap::from([("a", 2)])), Ok(Value::map([("a", Value::Int(2))])));
    }

    proptest! {
        #[test]
        fn a_value_is_its_own_value(value in value(leaf())) {
            prop_assert_eq!(to_value(&value), Ok(value.clone()));
            prop_assert_eq!(from_value::<Value>(value.clone()), Ok(value));
        }
    }
}
