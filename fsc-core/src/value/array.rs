//! Dense arrays of numbers, without a node per number.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::Value;

/// The largest integer up to which binary64 holds every integer.
const EXACT: u64 = 1 << 53;

/// More dimensions than anybody computes with; shapes come from outside and each dimension costs a level of nesting.
const MAX_DIMENSIONS: usize = 32;

/// Finite numbers in row-major order, of one or more dimensions. Cloning shares the numbers.
///
/// Two arrays are equal if they have the same shape and equal [`Value`]s: `[1]` and `[1.0]` differ.
#[derive(Clone, PartialEq)]
pub struct Array {
    shape: Arc<[usize]>,
    elements: Elements,
}

/// The numbers of an array, in row-major order.
#[derive(Clone, Copy, PartialEq)]
pub enum Numbers<'a> {
    /// All are floats.
    Float(&'a [f64]),
    /// All are integers.
    Int(&'a [i64]),
    /// Some are floats, some are integers.
    Mixed(&'a Mixed),
}

impl Array {
    /// A one-dimensional array of finite floats.
    pub fn from_f64(numbers: Vec<f64>) -> Result<Self, NotFinite> {
        match numbers.iter().position(|number| !number.is_finite()) {
            Some(position) => Err(NotFinite { position }),
            None => Ok(Self::flat(numbers.len(), Elements::Float(Arc::new(numbers)))),
        }
    }

    /// A one-dimensional array of integers.
    pub fn from_i64(numbers: Vec<i64>) -> Self {
        Self::flat(numbers.len(), Elements::Int(Arc::new(numbers)))
    }

    /// A one-dimensional array from little-endian binary64, back to back.
    pub fn from_le_f64(bytes: &[u8]) -> Result<Self, BadBytes> {
        let (numbers, []) = bytes.as_chunks::<8>() else { return Err(BadBytes::Length) };
        Ok(Self::from_f64(numbers.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect())?)
    }

    /// A one-dimensional array from little-endian 64-bit integers in two's complement, back to back.
    pub fn from_le_i64(bytes: &[u8]) -> Result<Self, BadBytes> {
        let (numbers, []) = bytes.as_chunks::<8>() else { return Err(BadBytes::Length) };
        Ok(Self::from_i64(numbers.iter().map(|bytes| i64::from_le_bytes(*bytes)).collect()))
    }

    /// The same numbers in another shape, row-major: the last index runs fastest.
    ///
    /// Only the first dimension may be zero: the others would be lists of nothing, as many as somebody claims.
    pub fn reshape(self, shape: Vec<usize>) -> Result<Self, WrongShape> {
        let wrong = WrongShape { numbers: self.len() };
        let inner = shape.get(1..).ok_or(wrong)?;
        if shape.len() > MAX_DIMENSIONS || inner.contains(&0) {
            return Err(wrong);
        }
        let size = shape.iter().try_fold(1_usize, |size, dimension| size.checked_mul(*dimension));
        if size != Some(self.len()) {
            return Err(wrong);
        }
        Ok(Self { shape: shape.into(), ..self })
    }

    /// The extent of each dimension; there is at least one.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// How many numbers there are in all dimensions.
    pub fn len(&self) -> usize {
        match self.numbers() {
            Numbers::Float(numbers) => numbers.len(),
            Numbers::Int(numbers) => numbers.len(),
            Numbers::Mixed(numbers) => numbers.values.len(),
        }
    }

    /// Whether there are no numbers.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The numbers as they are held.
    pub fn numbers(&self) -> Numbers<'_> {
        match &self.elements {
            Elements::Float(numbers) => Numbers::Float(numbers),
            Elements::Int(numbers) => Numbers::Int(numbers),
            Elements::Mixed(numbers) => Numbers::Mixed(numbers),
        }
    }

    /// The number at `position` in row-major order.
    pub fn get(&self, position: usize) -> Option<Value> {
        match self.numbers() {
            Numbers::Float(numbers) => numbers.get(position).copied().map(Value::Float),
            Numbers::Int(numbers) => numbers.get(position).copied().map(Value::from),
            Numbers::Mixed(numbers) => numbers.get(position),
        }
    }

    /// The numbers in row-major order, a value for each.
    pub fn iter(&self) -> impl Iterator<Item = Value> + '_ {
        (0..self.len()).filter_map(|position| self.get(position))
    }

    /// The items along the first dimension, as nested lists have them: numbers, or arrays of one dimension less.
    pub fn items(&self) -> impl Iterator<Item = Value> + '_ {
        (0..self.count()).map_while(|position| self.item(position))
    }

    /// How many items there are along the first dimension.
    pub fn count(&self) -> usize {
        self.shape.first().copied().unwrap_or_default()
    }

    /// The item at `position` along the first dimension.
    pub fn item(&self, position: usize) -> Option<Value> {
        let inner = self.shape.get(1..).filter(|inner| !inner.is_empty());
        let Some(inner) = inner else { return self.get(position) };
        if position >= self.count() {
            return None;
        }
        let width: usize = inner.iter().product();
        let mut numbers = Builder::default();
        let start = position * width;
        for number in (start..start + width).filter_map(|position| self.get(position)) {
            // What fitted into the whole array fits into a part of it.
            let _ = numbers.push(&number);
        }
        Some(Value::Array(Self { shape: inner.into(), ..numbers.finish() }))
    }

    /// The numbers as floats, copied only if some are integers. An integer that binary64 can't hold is an error.
    pub fn to_f64(&self) -> Result<Cow<'_, [f64]>, Inexact> {
        match self.numbers() {
            Numbers::Float(numbers) => Ok(Cow::Borrowed(numbers)),
            Numbers::Int(numbers) => floats(numbers).map(Cow::Owned),
            Numbers::Mixed(numbers) => Ok(Cow::Borrowed(&numbers.values)),
        }
    }

    /// The numbers as floats, not copied if they are floats and not shared. Otherwise as [`Array::to_f64`].
    pub fn into_f64(self) -> Result<Vec<f64>, Inexact> {
        match self.elements {
            Elements::Float(numbers) => Ok(Arc::unwrap_or_clone(numbers)),
            Elements::Int(numbers) => floats(&numbers),
            Elements::Mixed(numbers) => {
                Ok(Arc::try_unwrap(numbers).map_or_else(|shared| shared.values.clone(), |mixed| mixed.values))
            }
        }
    }

    /// The numbers as integers. A float is an error, even a whole one: whoever wrote `2.0` did not count.
    pub fn to_i64(&self) -> Result<Cow<'_, [i64]>, Inexact> {
        match self.numbers() {
            Numbers::Int(numbers) => Ok(Cow::Borrowed(numbers)),
            Numbers::Float([]) => Ok(Cow::Borrowed(&[])),
            Numbers::Float(_) => Err(Inexact { position: 0, wanted: "a 64-bit integer" }),
            Numbers::Mixed(numbers) => Err(Inexact { position: numbers.first_float(), wanted: "a 64-bit integer" }),
        }
    }

    /// The numbers' bytes, eight a number and little-endian; `None` if floats and integers are mixed.
    ///
    /// Nothing is copied on a little-endian machine: the bytes share the array's memory.
    pub fn le_bytes(&self) -> Option<Bytes> {
        match &self.elements {
            Elements::Float(numbers) => Some(shared_bytes(numbers, |number| number.to_le_bytes())),
            Elements::Int(numbers) => Some(shared_bytes(numbers, |number| number.to_le_bytes())),
            Elements::Mixed(_) => None,
        }
    }

    fn flat(len: usize, elements: Elements) -> Self {
        Self { shape: Arc::new([len]), elements }
    }
}

impl fmt::Debug for Array {
    /// Names the shape, never the numbers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "array of shape {:?}", self.shape)
    }
}

impl fmt::Debug for Numbers<'_> {
    /// Names the kind, never the numbers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Float(_) => "floats",
            Self::Int(_) => "integers",
            Self::Mixed(_) => "floats and integers",
        })
    }
}

/// Floats, some of which were written as integers: `[1.5, 2]` must come back as it went in.
#[derive(Clone, PartialEq, Default)]
pub struct Mixed {
    values: Vec<f64>,
    /// A bit for each value: whether it was written as an integer. There is at least one bit of each kind.
    integers: Vec<u64>,
}

impl Mixed {
    /// The numbers as floats; the integers among them are small enough to be exact.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The number at `position`.
    pub fn get(&self, position: usize) -> Option<Value> {
        let value = *self.values.get(position)?;
        // An integer here is at most 2^53, so the cast is exact.
        Some(if self.is_integer(position) { Value::Int(value as i128) } else { Value::Float(value) })
    }

    fn is_integer(&self, position: usize) -> bool {
        self.integers.get(position / 64).is_some_and(|word| word >> (position % 64) & 1 == 1)
    }

    fn first_float(&self) -> usize {
        (0..self.values.len()).find(|position| !self.is_integer(*position)).unwrap_or_default()
    }

    fn push(&mut self, value: f64, integer: bool) {
        let position = self.values.len();
        if position.is_multiple_of(64) {
            self.integers.push(0);
        }
        if let Some(word) = self.integers.last_mut() {
            *word |= u64::from(integer) << (position % 64);
        }
        self.values.push(value);
    }
}

impl fmt::Debug for Mixed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} numbers", self.values.len())
    }
}

/// A number is NaN or infinite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("number {position} is not finite")]
pub struct NotFinite {
    /// Its place, counted from zero in row-major order.
    pub position: usize,
}

/// A number can't be had exactly in the type that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("number {position} is not exactly {wanted}")]
pub struct Inexact {
    /// The place of the first such number, counted from zero in row-major order.
    pub position: usize,
    /// The type that was asked for.
    pub wanted: &'static str,
}

/// The extents do not multiply to the number of numbers, or there are none, too many, or zeros after the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the shape does not fit {numbers} numbers")]
pub struct WrongShape {
    /// How many numbers there are.
    pub numbers: usize,
}

/// Bytes that are no array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadBytes {
    /// The length is not a multiple of eight.
    #[error("an array takes eight bytes a number")]
    Length,
    /// A number is NaN or infinite.
    #[error(transparent)]
    NotFinite(#[from] NotFinite),
}

/// Takes the items of a list one by one: an array as long as all are numbers that fit, a list of values otherwise.
pub(super) enum Items {
    Dense(Builder),
    List(Vec<Value>),
}

impl Items {
    pub(super) fn new() -> Self {
        Self::Dense(Builder::default())
    }

    /// Takes an item. `spend` is asked before values are made of what was dense; the error is its own.
    pub(super) fn push<E>(&mut self, value: Value, mut spend: impl FnMut(usize) -> Result<(), E>) -> Result<(), E> {
        match self {
            Self::Dense(numbers) => {
                if numbers.push(&value).is_err() {
                    spend(numbers.len() + 1)?;
                    let mut items: Vec<Value> = std::mem::take(numbers).finish().iter().collect();
                    items.push(value);
                    *self = Self::List(items);
                }
            }
            Self::List(items) => {
                spend(1)?;
                items.push(value);
            }
        }
        Ok(())
    }

    /// Takes a number that fits, without moving it; `false` if it must be pushed. Moving values about costs more than
    /// all the rest, a million times.
    #[inline]
    pub(super) fn take(&mut self, value: &Value) -> bool {
        match self {
            Self::Dense(numbers) => numbers.push(value).is_ok(),
            Self::List(_) => false,
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Dense(numbers) => numbers.len(),
            Self::List(items) => items.len(),
        }
    }

    pub(super) fn finish(self) -> Value {
        match self {
            Self::Dense(numbers) if numbers.len() == 0 => Value::List(Vec::new()),
            Self::Dense(numbers) => Value::Array(numbers.finish()),
            Self::List(items) => Value::List(items),
        }
    }
}

/// Takes numbers one by one and finds the densest array that holds them as they were written.
#[derive(Default)]
pub(super) struct Builder(Held);

#[derive(Default)]
enum Held {
    #[default]
    Nothing,
    Float(Vec<f64>),
    Int(Vec<i64>),
    Mixed(Mixed),
}

/// The value is no number, or not one that an array holds beside those it has.
#[derive(Debug, PartialEq)]
struct DoesNotFit;

impl Builder {
    fn len(&self) -> usize {
        match &self.0 {
            Held::Nothing => 0,
            Held::Float(numbers) => numbers.len(),
            Held::Int(numbers) => numbers.len(),
            Held::Mixed(numbers) => numbers.values.len(),
        }
    }

    #[inline]
    fn push(&mut self, value: &Value) -> Result<(), DoesNotFit> {
        match value {
            Value::Float(number) => self.push_f64(*number),
            Value::Int(number) => self.push_i64(i64::try_from(*number).map_err(|_| DoesNotFit)?),
            _ => Err(DoesNotFit),
        }
    }

    /// Takes a finite float.
    #[inline]
    fn push_f64(&mut self, number: f64) -> Result<(), DoesNotFit> {
        match &mut self.0 {
            Held::Nothing => self.0 = Held::Float(vec![number]),
            Held::Float(numbers) => numbers.push(number),
            Held::Int(_) => {
                self.mix()?;
                return self.push_f64(number);
            }
            Held::Mixed(numbers) => numbers.push(number, false),
        }
        Ok(())
    }

    #[inline]
    fn push_i64(&mut self, number: i64) -> Result<(), DoesNotFit> {
        match &mut self.0 {
            Held::Nothing => self.0 = Held::Int(vec![number]),
            Held::Int(numbers) => numbers.push(number),
            Held::Float(_) => {
                exact(number).ok_or(DoesNotFit)?;
                self.mix()?;
                return self.push_i64(number);
            }
            Held::Mixed(numbers) => numbers.push(exact(number).ok_or(DoesNotFit)?, true),
        }
        Ok(())
    }

    /// The array of what was taken.
    fn finish(self) -> Array {
        match self.0 {
            Held::Nothing => Array::from_i64(Vec::new()),
            Held::Float(numbers) => Array::flat(numbers.len(), Elements::Float(Arc::new(numbers))),
            Held::Int(numbers) => Array::from_i64(numbers),
            Held::Mixed(numbers) => Array::flat(numbers.values.len(), Elements::Mixed(Arc::new(numbers))),
        }
    }

    /// Makes room for the other kind of number. Leaves everything as it is if an integer is too large for that.
    fn mix(&mut self) -> Result<(), DoesNotFit> {
        let mixed = match &mut self.0 {
            Held::Float(numbers) => {
                Mixed { integers: vec![0; numbers.len().div_ceil(64)], values: std::mem::take(numbers) }
            }
            Held::Int(numbers) => {
                let mut mixed = Mixed::default();
                for number in numbers {
                    mixed.push(exact(*number).ok_or(DoesNotFit)?, true);
                }
                mixed
            }
            Held::Nothing | Held::Mixed(_) => return Ok(()),
        };
        self.0 = Held::Mixed(mixed);
        Ok(())
    }
}

/// Held apart from the shape, so that reshaping shares the numbers.
#[derive(Clone, PartialEq)]
enum Elements {
    Float(Arc<Vec<f64>>),
    Int(Arc<Vec<i64>>),
    Mixed(Arc<Mixed>),
}

fn floats(numbers: &[i64]) -> Result<Vec<f64>, Inexact> {
    let inexact = |position| Inexact { position, wanted: "a binary64" };
    numbers.iter().enumerate().map(|(position, number)| exact(*number).ok_or(inexact(position))).collect()
}

/// The same number as binary64, if all integers up to it have one.
fn exact(number: i64) -> Option<f64> {
    (number.unsigned_abs() <= EXACT).then_some(number as f64)
}

#[cfg(target_endian = "little")]
fn shared_bytes<T: bytemuck::NoUninit + Send + Sync>(numbers: &Arc<Vec<T>>, _: impl Fn(&T) -> [u8; 8]) -> Bytes {
    struct Owner<T>(Arc<Vec<T>>);
    impl<T: bytemuck::NoUninit> AsRef<[u8]> for Owner<T> {
        fn as_ref(&self) -> &[u8] {
            bytemuck::cast_slice(&self.0)
        }
    }
    Bytes::from_owner(Owner(Arc::clone(numbers)))
}

#[cfg(target_endian = "big")]
fn shared_bytes<T>(numbers: &Arc<Vec<T>>, bytes: impl Fn(&T) -> [u8; 8]) -> Bytes {
    numbers.iter().flat_map(bytes).collect::<Vec<u8>>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(values: &[Value]) -> Result<Array, DoesNotFit> {
        let mut builder = Builder::default();
        values.iter().try_for_each(|value| builder.push(value))?;
        Ok(builder.finish())
    }

    #[test]
    fn not_finite_names_the_first_position() {
        let numbers = vec![1.0, f64::INFINITY, f64::NAN];
        assert_eq!(Array::from_f64(numbers), Err(NotFinite { position: 1 }));
    }

    #[test]
    fn mixed_numbers_come_back_as_written() {
        let values: Vec<Value> =
            (0..200).map(|i| if i % 3 == 0 { Value::Float(f64::from(i)) } else { Value::Int(i.into()) }).collect();
        let array = built(&values).unwrap();
        assert_eq!(array.iter().collect::<Vec<_>>(), values);
        assert_eq!(array.to_f64().unwrap().len(), 200);
        assert_eq!(array.to_i64().unwrap_err().position, 0);
    }

    #[test]
    fn integers_first_or_floats_first_mix_alike() {
        let large = Value::Int(1 << 53);
        let larger = Value::Int((1 << 53) + 1);
        assert!(built(&[large.clone(), Value::Float(0.5)]).is_ok());
        assert!(built(&[Value::Float(0.5), large]).is_ok());
        assert_eq!(built(&[larger.clone(), Value::Float(0.5)]), Err(DoesNotFit));
        assert_eq!(built(&[Value::Float(0.5), larger]), Err(DoesNotFit));
    }

    #[test]
    fn what_does_not_fit_leaves_the_rest() {
        let mut builder = Builder::default();
        builder.push_i64(i64::MAX).unwrap();
        assert_eq!(builder.push_f64(0.5), Err(DoesNotFit));
        assert_eq!(builder.finish(), Array::from_i64(vec![i64::MAX]));
    }

    #[test]
    fn integers_become_floats_only_if_exact() {
        let bound = 1_i64 << 53;
        assert_eq!(Array::from_i64(vec![bound, -bound]).into_f64().unwrap(), [bound as f64, -(bound as f64)]);
        assert_eq!(Array::from_i64(vec![0, bound + 1]).to_f64().unwrap_err().position, 1);
    }

    #[test]
    fn unshared_floats_are_not_copied() {
        let numbers = vec![1.5; 100];
        let address = numbers.as_ptr();
        let array = Array::from_f64(numbers).unwrap();
        assert_eq!(array.le_bytes().unwrap().as_ptr().cast(), address);
        let again = array.reshape(vec![10, 10]).unwrap().into_f64().unwrap();
        assert_eq!(again.as_ptr(), address);
    }

    #[test]
    fn bytes_round_trip_bit_exactly() {
        let array = Array::from_f64(vec![-0.0, 5e-324, f64::MAX, 0.1]).unwrap();
        let again = Array::from_le_f64(&array.le_bytes().unwrap()).unwrap();
        let bits = |array: &Array| array.to_f64().unwrap().iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&again), bits(&array));
        let integers = Array::from_i64(vec![i64::MIN, -1, i64::MAX]);
        assert_eq!(Array::from_le_i64(&integers.le_bytes().unwrap()), Ok(integers));
    }

    #[test]
    fn bad_bytes_are_refused() {
        assert_eq!(Array::from_le_f64(&[0; 9]), Err(BadBytes::Length));
        assert_eq!(Array::from_le_i64(&[0; 7]), Err(BadBytes::Length));
        let refused = Array::from_le_f64(&f64::NAN.to_le_bytes());
        assert_eq!(refused, Err(BadBytes::NotFinite(NotFinite { position: 0 })));
    }

    #[test]
    fn shapes_must_fit() {
        let array = Array::from_i64((0..6).collect());
        assert_eq!(array.clone().reshape(vec![2, 3]).unwrap().shape(), [2, 3]);
        for shape in [vec![], vec![5], vec![2, 2], vec![usize::MAX, usize::MAX], vec![6, 1 << 63, 2], vec![6, 0]] {
            assert_eq!(array.clone().reshape(shape), Err(WrongShape { numbers: 6 }));
        }
        let mut many = vec![1; MAX_DIMENSIONS];
        many.push(6);
        assert!(array.reshape(many).is_err());
        let empty = Array::from_i64(vec![]);
        assert!(empty.clone().reshape(vec![1_000_000_000, 0]).is_err());
        assert!(empty.reshape(vec![0, 3]).is_ok());
    }

    #[test]
    fn items_run_along_the_first_dimension() {
        let array = Array::from_i64((0..6).collect()).reshape(vec![2, 3]).unwrap();
        let rows: Vec<Value> = array.items().collect();
        assert_eq!(rows, [vec![0, 1, 2], vec![3, 4, 5]].map(|row| Value::Array(Array::from_i64(row))));
        assert_eq!(array.item(2), None);
        assert_eq!(Array::from_i64(vec![7]).items().collect::<Vec<_>>(), [Value::Int(7)]);
    }

    #[test]
    fn debug_shows_no_numbers() {
        let array = built(&[Value::Float(1234.5), Value::Int(6789)]).unwrap();
        let shown = format!("{array:?} {:?}", array.numbers());
        assert!(!shown.contains("1234") && !shown.contains("6789"), "{shown}");
    }
}
