//! What parties write into the table of their keys, and what is read out of it.

use fsc_core::envelope::RunId;
use fsc_protocols::contingency::Pair;
use fsc_protocols::key::Key;
use fsc_protocols::tally::Category;
use fsc_protocols::union::{Capacity, decode};

/// Any bytes are one key, and one pair of keys, or none.
pub fn key(data: &[u8]) {
    if let Some(key) = Key::decode(data) {
        assert!(key.encode() == data, "a key has two encodings");
        assert!(Key::of(&key.to_value()) == Some(key), "a value changes it");
    }
    if let Some(pair) = Pair::decode(data) {
        assert!(Category::encode(&pair) == data, "a pair has two encodings");
    }
}

/// An opened table says which keys there are, at most as many as there is room for, or nothing.
///
/// The bytes are the run's id, and those of cells from the first on; the others are empty. What is decoded needs no more blocks than
/// there are.
pub fn union(data: &[u8]) {
    let Some((run, cells)) = data.split_first_chunk() else { return };
    let capacity = Capacity::of(8).expect("eight are few");
    let mut wire = cells.to_vec();
    wire.resize(100 * 128, 0);
    if let Some(counts) = decode(&wire, capacity, RunId(*run)) {
        assert!(counts.values().all(|count| *count > 0), "a key that nobody has");
        assert!(
            Capacity::of_counts(&counts).is_some_and(|needed| needed.blocks() <= capacity.blocks()),
            "too many keys"
        );
    }
}
