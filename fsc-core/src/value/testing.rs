//! Random values for the tests of this module.

use proptest::prelude::*;

use super::array::Items;
use super::{Handle, Value};

/// The bits of a finite float, of any magnitude or of an everyday one.
pub(super) fn bits() -> impl Strategy<Value = u64> {
    let any = any::<u64>().prop_filter("finite", |bits| f64::from_bits(*bits).is_finite());
    prop_oneof![any, (-1e6..1e6).prop_map(f64::to_bits), (-100..100).prop_map(|whole| f64::from(whole).to_bits())]
}

/// A value without parts, of every kind that JSON keeps.
pub(super) fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-100..100_i64).prop_map(Value::from),
        any::<i128>().prop_map(Value::from),
        any::<u128>().prop_map(Value::from),
        bits().prop_map(|bits| Value::Float(f64::from_bits(bits))),
        any::<String>().prop_map(Value::from),
        any::<[u8; 16]>().prop_map(|bytes| Value::Handle(Handle::from_random(bytes))),
    ]
}

/// A value of such leaves, as a parser gives it: lists of numbers are arrays.
pub(super) fn value(leaf: impl Strategy<Value = Value> + 'static) -> impl Strategy<Value = Value> {
    let numbers = prop_oneof![
        prop::collection::vec(bits().prop_map(|bits| Value::Float(f64::from_bits(bits))), 0..100),
        prop::collection::vec(any::<i64>().prop_map(Value::from), 0..100),
        prop::collection::vec(prop_oneof![(-9..9_i64).prop_map(Value::from), Just(Value::Float(0.5))], 0..100),
    ];
    prop_oneof![4 => leaf, 1 => numbers.prop_map(list)].prop_recursive(4, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(list),
            prop::collection::btree_map(any::<String>(), inner, 0..8).prop_map(Value::Map),
        ]
    })
}

/// Documents with a few bytes changed, or cut off.
pub(super) fn mutated(documents: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    (documents, changes, any::<prop::sample::Index>(), any::<bool>()).prop_map(|(mut bytes, changes, end, cut)| {
        for (position, byte) in changes {
            let position = position.index(bytes.len());
            bytes[position] = byte;
        }
        if cut {
            bytes.truncate(end.index(bytes.len()));
        }
        bytes
    })
}

fn list(items: Vec<Value>) -> Value {
    let mut list = Items::new();
    for item in items {
        list.push(item, |_| Ok::<_, ()>(())).unwrap();
    }
    list.finish()
}
