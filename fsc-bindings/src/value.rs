//! Values: what is passed to calls and comes back from them.

use std::collections::{BTreeMap, HashSet};
use std::ffi::c_char;
use std::sync::{Arc, OnceLock};

use fsc_core::value::{self as core, Array, Handle, Limits, Numbers, json};

use crate::entry::{enter, guard, guarded_free};
use crate::fault::{Error, Fault};
use crate::handles::{HANDLES, Kind};
use crate::input::{self, Out, Pointer};
use crate::object::{self, Object};
use crate::status::Status;

/// A value: a number, a text, a list, a map, a dense array of numbers. It never changes, so any number of threads may use it, and pointers
/// into it are good until it is freed. The caller frees it; nothing that takes a value takes it over.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Value {
    /// Zero is no value.
    pub(crate) id: u64,
}

/// What a value is.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueKind {
    /// No value: the null handle, or one that is no handle of a value.
    None = 0,
    /// `null`
    Null = 1,
    /// `true` or `false`
    Boolean = 2,
    /// An integer of at most 128 bits: `fsc_value_integer` if it has 64.
    Integer = 3,
    /// A finite double: `fsc_value_number`.
    Float = 4,
    /// A text: `fsc_value_text`.
    Text = 5,
    /// Bytes: `fsc_value_bytes`.
    Bytes = 6,
    /// An object on a node.
    Object = 7,
    /// A dense array that is all integers: `fsc_value_as_i64`, `fsc_value_shape`; or as a list.
    Integers = 8,
    /// A dense array of doubles, among which may be integers: `fsc_value_as_f64`, `fsc_value_shape`; or as a list.
    Floats = 9,
    /// A list: `fsc_value_length`, `fsc_value_item`.
    List = 10,
    /// A map by text: `fsc_value_length`, `fsc_value_key`, `fsc_value_item`, `fsc_value_entry`.
    Map = 11,
}

/// A value as it is kept, with what pointers were given out to.
pub(crate) struct Held {
    value: core::Value,
    /// Objects that it names, which stay held as long as it is.
    objects: Objects,
    /// The value in JSON, or the text; ends with NUL.
    json: OnceLock<Box<[u8]>>,
    text: OnceLock<Box<[u8]>>,
    /// The numbers, where they are held in another type.
    floats: OnceLock<Vec<f64>>,
    /// The map's entries in order; keys end with NUL.
    entries: OnceLock<Vec<(Box<[u8]>, core::Value)>>,
    /// Levels of lists and maps.
    depth: OnceLock<usize>,
}

/// Levels of lists and maps that a value may have, as in JSON: they are gone through by recursion.
const DEEPEST: usize = 64;

type Objects = Vec<Arc<object::Held>>;

impl Kind for Held {
    const TAG: u8 = 3;
    const NAME: &'static str = "value";
}

impl Held {
    fn new(value: core::Value, objects: Objects) -> Arc<Self> {
        let objects = if objects.is_empty() { objects } else { named(&value, objects) };
        let (json, text, floats, entries, depth) = Default::default();
        Arc::new(Self { value, objects, json, text, floats, entries, depth })
    }

    fn wrong(&self, wanted: &str) -> Fault {
        Fault::new(Status::WrongType, format!("the value is {}, not {wanted}", self.value.kind()))
    }

    fn array(&self) -> Result<&Array, Fault> {
        match &self.value {
            core::Value::Array(array) => Ok(array),
            _ => Err(self.wrong("an array of numbers")),
        }
    }

    fn length(&self) -> usize {
        match &self.value {
            core::Value::Array(array) => array.count(),
            core::Value::List(items) => items.len(),
            core::Value::Map(entries) => entries.len(),
            core::Value::Text(text) => text.len(),
            core::Value::Bytes(bytes) => bytes.len(),
            _ => 0,
        }
    }

    fn entries(&self) -> &[(Box<[u8]>, core::Value)] {
        let core::Value::Map(entries) = &self.value else { return &[] };
        let entry = |(key, item): (&String, &core::Value)| (ended(key.as_bytes().to_vec()), item.clone());
        self.entries.get_or_init(|| entries.iter().map(entry).collect())
    }

    fn item(&self, index: usize) -> Result<core::Value, Fault> {
        let item = match &self.value {
            core::Value::Array(array) => array.item(index),
            core::Value::List(items) => items.get(index).cloned(),
            core::Value::Map(_) => self.entries().get(index).map(|(_, item)| item.clone()),
            _ => return Err(self.wrong("a list or a map")),
        };
        item.ok_or_else(|| Fault::argument("index", format!("is {index}, of {} items", self.length())))
    }
}

impl Value {
    /// A handle to a value.
    pub(crate) fn keep(value: core::Value) -> Result<Self, Fault> {
        Self::keep_with(value, Vec::new())
    }

    fn keep_with(value: core::Value, objects: Objects) -> Result<Self, Fault> {
        Ok(Self { id: HANDLES.insert(Held::new(value, objects))? })
    }

    /// The value itself. Objects that it names are held by the handle.
    pub(crate) fn get(self) -> Result<core::Value, Fault> {
        Ok(self.held()?.value.clone())
    }

    /// Whether this is the null handle.
    pub(crate) fn is_none(self) -> bool {
        self.id == 0
    }

    /// The value as a part of another one, whose objects go to `objects`. The null handle is `null`.
    fn part(self, objects: &mut Objects) -> Result<core::Value, Fault> {
        if self.is_none() {
            return Ok(core::Value::Null);
        }
        let held = self.held()?;
        if *held.depth.get_or_init(|| depth(&held.value)) >= DEEPEST {
            return Err(Fault::new(Status::Limit, format!("lists and maps can't be deeper than {DEEPEST} levels")));
        }
        objects.extend(held.objects.iter().cloned());
        Ok(held.value.clone())
    }

    fn held(self) -> Result<Arc<Held>, Fault> {
        HANDLES.get(self.id)
    }
}

/// How many levels of lists and maps a value has.
fn depth(value: &core::Value) -> usize {
    match value {
        core::Value::List(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        core::Value::Map(entries) => 1 + entries.values().map(depth).max().unwrap_or(0),
        core::Value::Array(array) => array.shape().len(),
        _ => 0,
    }
}

/// Those of the objects that a value names, each once.
fn named(value: &core::Value, objects: Objects) -> Objects {
    fn collect(value: &core::Value, handles: &mut HashSet<Handle>) {
        match value {
            core::Value::Handle(handle) => drop(handles.insert(*handle)),
            core::Value::List(items) => items.iter().for_each(|item| collect(item, handles)),
            core::Value::Map(entries) => entries.values().for_each(|item| collect(item, handles)),
            _ => {}
        }
    }
    let mut handles = HashSet::new();
    collect(value, &mut handles);
    objects.into_iter().filter(|object| handles.remove(&object.representation().handle())).collect()
}

/// A value of a JSON text of `length` bytes, or that ends with NUL if `length` is `FSC_TERMINATED`. Integers are exact to 128 bits, NaN
/// and infinities are refused, and so is nesting beyond 64 levels. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsc_value_from_json(
    text: *const c_char,
    length: usize,
    value: *mut Value,
    error: *mut Error,
) -> Status {
    // SAFETY: Our own contract.
    unsafe {
        enter(error, || {
            let out = Out::new(value, "value")?;
            let text = input::sized_text(text, length, "text")?;
            let parsed = json::parse(text.as_bytes(), &Limits::default());
            let parsed = parsed.map_err(|why| Fault::argument("text", format!("is no JSON: {why}")))?;
            out.put(Value::keep(parsed)?);
            Ok(())
        })
    }
}

/// A dense array of finite doubles, copied. `shape` has `dimensions` extents, whose product says how many numbers there are; the last
/// index runs fastest. Where `missing` is not null, it has a byte for each number, which is not zero if the number is missing (`null`
/// in JSON) whatever stands in its place. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsc_value_from_f64(
    numbers: *const f64,
    missing: *const u8,
    shape: *const usize,
    dimensions: usize,
    value: *mut Value,
    error: *mut Error,
) -> Status {
    let make = |numbers: &[f64]| {
        let array = Array::from_f64(numbers.to_vec());
        array.map_err(|why| Fault::argument("numbers", format!("can't be used: {why}")))
    };
    let one = |number: f64| core::Value::float(number).map_err(|_| Fault::argument("numbers", "must be finite"));
    // SAFETY: Our own contract.
    unsafe { enter(error, || dense(numbers, missing, (shape, dimensions), value, make, one)) }
}

/// A dense array of 64-bit integers; else as `fsc_value_from_f64`. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsc_value_from_i64(
    numbers: *const i64,
    missing: *const u8,
    shape: *const usize,
    dimensions: usize,
    value: *mut Value,
    error: *mut Error,
) -> Status {
    let make = |numbers: &[i64]| Ok(Array::from_i64(numbers.to_vec()));
    let one = |number: i64| Ok(core::Value::from(number));
    // SAFETY: Our own contract.
    unsafe { enter(error, || dense(numbers, missing, (shape, dimensions), value, make, one)) }
}

/// # Safety
/// Pointers are as the two functions above say.
unsafe fn dense<T: Copy>(
    numbers: *const T,
    missing: *const u8,
    shape: (*const usize, usize),
    value: *mut Value,
    make: impl FnOnce(&[T]) -> Result<Array, Fault>,
    one: impl Fn(T) -> Result<core::Value, Fault>,
) -> Result<(), Fault> {
    // SAFETY: Our own contract.
    let out = unsafe { Out::new(value, "value") }?;
    // SAFETY: Our own contract.
    let shape = unsafe { input::array(shape.0, shape.1, "shape") }?;
    let count = shape.iter().try_fold(1_usize, |count, extent| count.checked_mul(*extent));
    let count = count.ok_or_else(|| Fault::argument("shape", "has more numbers than any memory holds"))?;
    // SAFETY: The caller says that there are as many numbers as the shape has.
    let numbers = unsafe { input::array(numbers, count, "numbers") }?;
    // SAFETY: And as many bytes, if any.
    let missing = if missing.is_null() { &[] } else { unsafe { input::array(missing, count, "missing") }? };
    let wrong = || Fault::argument("shape", "must have from 1 to 32 extents, of which only the first may be zero");
    if missing.iter().all(|byte| *byte == 0) {
        out.put(Value::keep(make(numbers)?.reshape(shape.to_vec()).map_err(|_| wrong())?.into())?);
        return Ok(());
    }
    let pairs = numbers.iter().zip(missing);
    let items = pairs.map(|(number, missing)| if *missing == 0 { one(*number) } else { Ok(core::Value::Null) });
    let items: Vec<core::Value> = items.collect::<Result<_, _>>()?;
    out.put(Value::keep(nested(items, shape.get(1..).ok_or_else(wrong)?).ok_or_else(wrong)?)?);
    Ok(())
}

/// A list of lists, of which each has as many items as the extent says.
fn nested(items: Vec<core::Value>, inner: &[usize]) -> Option<core::Value> {
    if inner.len() >= 32 {
        return None;
    }
    let mut items = items;
    for extent in inner.iter().rev() {
        if *extent == 0 {
            return None;
        }
        let mut rest = items.into_iter();
        let mut rows = Vec::with_capacity(rest.len() / extent);
        while rest.len() > 0 {
            rows.push(core::Value::List(rest.by_ref().take(*extent).collect()));
        }
        items = rows;
    }
    Some(core::Value::List(items))
}

/// A text of `length` bytes, or that ends with NUL if `length` is `FSC_TERMINATED`; copied. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsc_value_from_text(
    text: *const c_char,
    length: usize,
    value: *mut Value,
    error: *mut Error,
) -> Status {
    // SAFETY: Our own contract.
    unsafe { made(value, error, || Ok(input::sized_text(text, length, "text")?.into())) }
}

/// Bytes; copied. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsc_value_from_bytes(
    bytes: *const u8,
    length: usize,
    value: *mut Value,
    error: *mut Error,
) -> Status {
    // SAFETY: Our own contract.
    unsafe { made(value, error, || Ok(core::Value::Bytes(input::array(bytes, length, "bytes")?.to_vec().into()))) }
}

/// A finite double. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsc_value_from_number(number: f64, value: *mut Value, error: *mut Error) -> Status {
    let finite = || core::Value::float(number).map_err(|_| Fault::argument("number", "must be finite"));
    // SAFETY: Our own contract.
    unsafe { made(value, error, finite) }
}

/// A 64-bit integer. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsc_value_from_integer(number: i64, value: *mut Value, error: *mut Error) -> Status {
    // SAFETY: Our own contract.
    unsafe { made(value, error, || Ok(number.into())) }
}

/// A truth value: false if `truth` is zero. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsc_value_from_boolean(truth: i32, value: *mut Value, error: *mut Error) -> Status {
    // SAFETY: Our own contract.
    unsafe { made(value, error, || Ok((truth != 0).into())) }
}

/// # Safety
/// Both may be written, or are null.
unsafe fn made(value: *mut Value, error: *mut Error, make: impl FnOnce() -> Result<core::Value, Fault>) -> Status {
    // SAFETY: Our own contract.
    unsafe {
        enter(error, || {
            let out = Out::new(value, "value")?;
            out.put(Value::keep(make()?)?);
            Ok(())
        })
    }
}

/// A list of `count` texts that end with NUL, each copied; one that is null is missing (`null` in JSON). Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsc_value_from_texts(
    texts: *const *const c_char,
    count: usize,
    value: *mut Value,
    error: *mut Error,
) -> Status {
    // SAFETY: Our own contract.
    unsafe {
        enter(error, || {
            let out = Out::new(value, "value")?;
            let texts = input::array(texts, count, "texts")?.iter();
            let text = |text| Ok(input::optional_text(text, "a text")?.map_or(core::Value::Null, core::Value::from));
            let items = texts.map(|pointer| text(*pointer)).collect::<Result<Vec<_>, Fault>>()?;
            out.put(Value::keep(items.into())?);
            Ok(())
        })
    }
}

/// A list of values, which may share what they hold. The null handle stands for `null`. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsc_value_list(
    items: *const Value,
    count: usize,
    value: *mut Value,
    error: *mut Error,
) -> Status {
    // SAFETY: Our own contract.
    unsafe {
        enter(error, || {
            let mut objects = Vec::new();
            let items = input::array(items, count, "items").map(<[Value]>::to_vec);
            // Only now, for it may be one of the items.
            let out = Out::new(value, "value")?;
            let items = items?.into_iter().map(|item| item.part(&mut objects)).collect::<Result<Vec<_>, _>>()?;
            out.put(Value::keep_with(items.into(), objects)?);
            Ok(())
        })
    }
}

/// A map of `count` entries: keys are texts that end with NUL, of which no two are the same; the null handle stands for `null`. Any
/// thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsc_value_map(
    keys: *const *const c_char,
    items: *const Value,
    count: usize,
    value: *mut Value,
    error: *mut Error,
) -> Status {
    // SAFETY: Our own contract.
    unsafe {
        enter(error, || {
            let items = input::array(items, count, "items").map(<[Value]>::to_vec);
            // Only now, for it may be one of the items.
            let out = Out::new(value, "value")?;
            let (keys, items) = (input::array(keys, count, "keys")?, items?);
            let (mut entries, mut objects) = (BTreeMap::new(), Vec::new());
            for (key, item) in keys.iter().zip(items) {
                let key = input::text(*key, "a key")?;
                if entries.insert(key.to_owned(), item.part(&mut objects)?).is_some() {
                    return Err(Fault::argument("keys", "must differ"));
                }
            }
            out.put(Value::keep_with(entries.into(), objects)?);
            Ok(())
        })
    }
}

/// The same map with one more entry, or with another value for an entry: a value of its own. The null handle stands for the empty map
/// and for `null`. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsc_value_with(
    map: Value,
    key: *const c_char,
    item: Value,
    value: *mut Value,
    error: *mut Error,
) -> Status {
    // SAFETY: Our own contract.
    unsafe {
        enter(error, || {
            let out = Out::new(value, "value")?;
            let mut objects = Vec::new();
            let mut entries = match map.part(&mut objects)? {
                core::Value::Map(entries) => entries,
                core::Value::Null if map.is_none() => BTreeMap::new(),
                _ => return Err(Fault::argument("map", "is no map")),
            };
            entries.insert(input::text(key, "key")?.to_owned(), item.part(&mut objects)?);
            out.put(Value::keep_with(entries.into(), objects)?);
            Ok(())
        })
    }
}

/// The value that stands for an object on a node, as an argument of calls there. It, and what it becomes part of, keeps the object
/// until it is freed. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsc_value_from_object(object: Object, value: *mut Value, error: *mut Error) -> Status {
    // SAFETY: Our own contract.
    unsafe {
        enter(error, || {
            let out = Out::new(value, "value")?;
            let object = object.get()?;
            out.put(Value::keep_with(object.representation().to_value(), vec![object])?);
            Ok(())
        })
    }
}

/// What the value is. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn fsc_value_kind(value: Value) -> ValueKind {
    let mut kind = ValueKind::None;
    guard(|| {
        kind = match &value.held()?.value {
            core::Value::Null => ValueKind::Null,
            core::Value::Bool(_) => ValueKind::Boolean,
            core::Value::Int(_) | core::Value::Uint(_) => ValueKind::Integer,
            core::Value::Float(_) => ValueKind::Float,
            core::Value::Text(_) => ValueKind::Text,
            core::Value::Bytes(_) => ValueKind::Bytes,
            core::Value::Handle(_) => ValueKind::Object,
            core::Value::Array(array) => match array.numbers() {
                Numbers::Int(_) => ValueKind::Integers,
                Numbers::Float(_) | Numbers::Mixed(_) => ValueKind::Floats,
            },
            core::Value::List(_) => ValueKind::List,
            core::Value::Map(_) => ValueKind::Map,
        };
        Ok(())
    });
    kind
}

/// The value in JSON, in `length` bytes and one that is NUL; good until the value is freed. Numbers read back as they were. `length` may
/// be null. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsc_value_to_json(
    value: Value,
    text: *mut *const c_char,
    length: *mut usize,
    error: *mut Error,
) -> Status {
    // SAFETY: Our own contract.
    unsafe {
        enter(error, || {
            let out = TextOut::new(text, length)?;
            let held = value.held()?;
            out.put(held.json.get_or_init(|| ended(json::to_vec(&held.value))));
            Ok(())
        })
    }
}

/// The text, in `length` bytes of UTF-8 and one that is NUL; good until the value is freed. A text may hold NULs itself. `length` may be
/// null. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsc_value_text(
    value: Value,
    text: *mut *const c_char,
    length: *mut usize,
    error: *mut Error,
) -> Status {
    // SAFETY: Our own contract.
    unsafe {
        enter(error, || {
            let out = TextOut::new(text, length)?;
            let held = value.held()?;
            let core::Value::Text(own) = &held.value else { return Err(held.wrong("a text")) };
            out.put(held.text.get_or_init(|| ended(own.as_bytes().to_vec())));
            Ok(())
        })
    }
}

/// The key of an entry of a map, in `length` bytes and one that is NUL; good until the value is freed. Keys are in the order of their
/// bytes. `length` may be null. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsc_value_key(
    value: Value,
    index: usize,
    text: *mut *const c_char,
    length: *mut usize,
    error: *mut Error,
) -> Status {
    // SAFETY: Our own contract.
    unsafe {
        enter(error, || {
            let out = TextOut::new(text, length)?;
            let held = value.held()?;
            if !matches!(held.value, core::Value::Map(_)) {
                return Err(held.wrong("a map"));
            }
            let why = || Fault::argument("index", format!("is {index}, of {} entries", held.length()));
            let (key, _) = held.entries().get(index).ok_or_else(why)?;
            out.put(key);
            Ok(())
        })
    }
}

fn ended(mut bytes: Vec<u8>) -> Box<[u8]> {
    bytes.push(0);
    bytes.into()
}

/// Where a text goes, whose length nobody may want.
struct TextOut {
    text: Out<Pointer<c_char>>,
    length: Option<Out<usize>>,
}

impl TextOut {
    /// # Safety
    /// Both may be written, or are null.
    unsafe fn new(text: *mut *const c_char, length: *mut usize) -> Result<Self, Fault> {
        // SAFETY: Our own contract.
        let length = if length.is_null() { None } else { Some(unsafe { Out::new(length, "length") }?) };
        // SAFETY: Our own contract; the two types are the same in memory.
        let text = unsafe { Out::new(text.cast::<Pointer<c_char>>(), "text") }?;
        Ok(Self { text, length })
    }

    /// Puts a text there that lives as long as its value's handle.
    fn put(self, whole: &[u8]) {
        if let Some(length) = self.length {
            // There is a NUL at the end.
            length.put(whole.len() - 1);
        }
        self.text.put(Pointer(whole.as_ptr().cast()));
    }
}

/// Where an array goes.
struct SliceOut<T> {
    items: Out<Pointer<T>>,
    count: Out<usize>,
}

impl<T: Copy> SliceOut<T> {
    /// # Safety
    /// Both may be written, or are null.
    unsafe fn new(items: *mut *const T, count: *mut usize) -> Result<Self, Fault> {
        // SAFETY: Our own contract; the two types are the same in memory.
        let items = unsafe { Out::new(items.cast::<Pointer<T>>(), "where the array goes") };
        // SAFETY: Our own contract.
        let count = unsafe { Out::new(count, "where the count goes") };
        Ok(Self { items: items?, count: count? })
    }

    /// Puts an array there that lives as long as its value's handle.
    fn put(self, items: &[T]) {
        self.items.put(Pointer(items.as_ptr()));
        self.count.put(items.len());
    }
}

/// The bytes, `length` of them; good until the value is freed. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsc_value_bytes(
    value: Value,
    bytes: *mut *const u8,
    length: *mut usize,
    error: *mut Error,
) -> Status {
    // SAFETY: Our own contract.
    unsafe {
        enter(error, || {
            let out = SliceOut::new(bytes, length)?;
            let held = value.held()?;
            let core::Value::Bytes(own) = &held.value else { return Err(held.wrong("bytes")) };
            out.put(own);
            Ok(())
        })
    }
}

/// The truth value: 0 or 1. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsc_value_boolean(value: Value, truth: *mut i32, error: *mut Error) -> Status {
    // SAFETY: Our own contract.
    unsafe {
        enter(error, || {
            let out = Out::new(truth, "truth")?;
            let held = value.held()?;
            let core::Value::Bool(own) = held.value else { return Err(held.wrong("a truth value")) };
            out.put(own.into());
            Ok(())
        })
    }
}

/// The number as a double: of a float, or of an integer that a double holds exactly. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsc_value_number(value: Value, number: *mut f64, error: *mut Error) -> Status {
    // SAFETY: Our own contract.
    unsafe {
        enter(error, || {
            let out = Out::new(number, "number")?;
            let held = value.held()?;
            out.put(held.value.as_f64().ok_or_else(|| held.wrong("a number that a double holds exactly"))?);
            Ok(())
        })
    }
}

/// The number as a 64-bit integer: of an integer that fits. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsc_value_integer(value: Value, number: *mut i64, error: *mut Error) -> Status {
    // SAFETY: Our own contract.
    unsafe {
        enter(error, || {
            let out = Out::new(number, "number")?;
            let held = value.held()?;
            let integer = match held.value {
                core::Value::Int(integer) => i64::try_from(integer).ok(),
                _ => None,
            };
            out.put(integer.ok_or_else(|| held.wrong("a 64-bit integer"))?);
            Ok(())
        })
    }
}

/// The numbers of a dense array, `count` of them in the order of its shape; good until the value is freed. Integers are converted, which
/// is an error if a double does not hold one exactly. Doubles are not copied. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsc_value_as_f64(
    value: Value,
    numbers: *mut *const f64,
    count: *mut usize,
    error: *mut Error,
) -> Status {
    // SAFETY: Our own contract.
    unsafe {
        enter(error, || {
            let out = SliceOut::new(numbers, count)?;
            let held = value.held()?;
            let array = held.array()?;
            let own = match array.numbers() {
                Numbers::Float(own) => own,
                Numbers::Mixed(own) => own.values(),
                Numbers::Int(_) => {
                    let converted = array.to_f64().map_err(|why| Fault::new(Status::WrongType, why.to_string()))?;
                    held.floats.get_or_init(|| converted.into_owned())
                }
            };
            out.put(own);
            Ok(())
        })
    }
}

/// The numbers of a dense array that is all integers; else as `fsc_value_as_f64`. Not copied. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsc_value_as_i64(
    value: Value,
    numbers: *mut *const i64,
    count: *mut usize,
    error: *mut Error,
) -> Status {
    // SAFETY: Our own contract.
    unsafe {
        enter(error, || {
            let out = SliceOut::new(numbers, count)?;
            let held = value.held()?;
            let Numbers::Int(own) = held.array()?.numbers() else { return Err(held.wrong("all integers")) };
            out.put(own);
            Ok(())
        })
    }
}

/// The extents of a dense array, `dimensions` of them; good until the value is freed. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsc_value_shape(
    value: Value,
    shape: *mut *const usize,
    dimensions: *mut usize,
    error: *mut Error,
) -> Status {
    // SAFETY: Our own contract.
    unsafe {
        enter(error, || {
            let out = SliceOut::new(shape, dimensions)?;
            out.put(value.held()?.array()?.shape());
            Ok(())
        })
    }
}

/// Copies the numbers of a dense array, or of a list and those within it, in order, to `numbers`, and to `missing` a byte for each that is 1 if it
/// is missing (`null`) and 0 if not; a missing one is NaN. `count` gets how many there are; nothing is copied if that is more than `capacity`, so ask with
/// zero first, and with `missing`. `missing` may be null: then a missing number is an error. Integers are converted, as in `fsc_value_as_f64`. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsc_value_copy_f64(
    value: Value,
    numbers: *mut f64,
    missing: *mut u8,
    capacity: usize,
    count: *mut usize,
    error: *mut Error,
) -> Status {
    let one = |item: &core::Value| item.as_f64();
    // SAFETY: Our own contract.
    unsafe { enter(error, || copied(value, (numbers, missing, capacity), count, f64::NAN, one)) }
}

/// Copies integers; else as `fsc_value_copy_f64`. A missing one is zero. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsc_value_copy_i64(
    value: Value,
    numbers: *mut i64,
    missing: *mut u8,
    capacity: usize,
    count: *mut usize,
    error: *mut Error,
) -> Status {
    let one = |item: &core::Value| match item {
        core::Value::Int(number) => i64::try_from(*number).ok(),
        _ => None,
    };
    // SAFETY: Our own contract.
    unsafe { enter(error, || copied(value, (numbers, missing, capacity), count, 0, one)) }
}

/// Goes through what is in lists and arrays, and in those within them, in order.
fn each(value: &core::Value, visit: &mut dyn FnMut(&core::Value) -> Result<(), Fault>) -> Result<(), Fault> {
    match value {
        core::Value::Array(array) => array.iter().try_for_each(|item| visit(&item)),
        core::Value::List(items) => items.iter().try_for_each(|item| each(item, visit)),
        item => visit(item),
    }
}

/// # Safety
/// Pointers are as the two functions above say.
unsafe fn copied<T: Copy>(
    value: Value,
    (numbers, missing, capacity): (*mut T, *mut u8, usize),
    count: *mut usize,
    absent: T,
    one: impl Fn(&core::Value) -> Option<T>,
) -> Result<(), Fault> {
    // SAFETY: Our own contract.
    let out = unsafe { Out::new(count, "count") }?;
    let held = value.held()?;
    if !matches!(held.value, core::Value::Array(_) | core::Value::List(_)) {
        return Err(held.wrong("a list or an array of numbers"));
    }
    let (mut copies, mut gaps) = (Vec::new(), Vec::new());
    each(&held.value, &mut |item| {
        let is_missing = matches!(item, core::Value::Null);
        let wrong = || {
            let why = format!("item {} is {}, not such a number", copies.len(), item.kind());
            Fault::new(Status::WrongType, why)
        };
        let number = if is_missing && !missing.is_null() { absent } else { one(item).ok_or_else(wrong)? };
        copies.push(number);
        gaps.push(u8::from(is_missing));
        Ok(())
    })?;
    let length = copies.len();
    if length > capacity {
        out.put(length);
        return Ok(());
    }
    if numbers.is_null() && length > 0 {
        return Err(Fault::argument("numbers", "must not be null"));
    }
    // SAFETY: The caller says that there is room for as many.
    unsafe { input::fill(numbers, capacity, &copies) };
    if !missing.is_null() {
        // SAFETY: And for as many bytes.
        unsafe { input::fill(missing, capacity, &gaps) };
    }
    out.put(length);
    Ok(())
}

/// How many items a list, a map, or the first dimension of an array has, or how many bytes a text; zero of all else. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn fsc_value_length(value: Value) -> usize {
    let mut length = 0;
    guard(|| {
        length = value.held()?.length();
        Ok(())
    });
    length
}

/// An item of a list, of a map in the order of its keys, or of an array along its first dimension: a value of its own. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsc_value_item(value: Value, index: usize, item: *mut Value, error: *mut Error) -> Status {
    // SAFETY: Our own contract.
    unsafe {
        enter(error, || {
            let out = Out::new(item, "item")?;
            let held = value.held()?;
            out.put(Value::keep_with(held.item(index)?, held.objects.clone())?);
            Ok(())
        })
    }
}

/// The entry of a map by its key: a value of its own, or the null handle if there is none. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsc_value_entry(
    value: Value,
    key: *const c_char,
    item: *mut Value,
    error: *mut Error,
) -> Status {
    // SAFETY: Our own contract.
    unsafe {
        enter(error, || {
            let out = Out::new(item, "item")?;
            let held = value.held()?;
            let core::Value::Map(entries) = &held.value else { return Err(held.wrong("a map")) };
            if let Some(item) = entries.get(input::text(key, "key")?) {
                out.put(Value::keep_with(item.clone(), held.objects.clone())?);
            }
            Ok(())
        })
    }
}

/// Frees a value. Nothing happens to the null handle. Any thread, but not while another one uses a pointer into it.
#[unsafe(no_mangle)]
pub extern "C" fn fsc_value_free(value: Value) -> Status {
    guarded_free::<Held>(value.id)
}
