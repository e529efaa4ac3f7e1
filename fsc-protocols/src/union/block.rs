//! Blocks: keys of any length in pieces of one width.

use std::collections::BTreeMap;

use blake3::OutputReader;

use crate::union::{Capacity, Counts};

/// The bytes of a key in one block.
const BYTES: usize = 64;

/// What follows a key in its last block, before zeros.
const END: u8 = 0x80;

/// A block's content: the name of the next block of the key, zero for the last, and 64 bytes.
pub(super) type Content = [u128; 1 + BYTES / 16];

/// A piece of a key.
#[derive(Clone, Copy)]
pub(super) struct Block {
    /// The hash of the content.
    pub(super) name: u128,
    pub(super) content: Content,
}

impl Block {
    /// The block of that content, and a stream of words that depend on it alone.
    pub(super) fn of(content: Content) -> (Self, OutputReader) {
        let mut hasher = blake3::Hasher::new_derive_key("fsc v1 block of a key");
        hasher.update(&bytes_of(&content));
        let mut words = hasher.finalize_xof();
        let mut name = [0; 16];
        words.fill(&mut name);
        (Self { name: u128::from_le_bytes(name), content }, words)
    }
}

/// How many blocks a key takes.
pub(super) fn count(key: &[u8]) -> usize {
    key.len() / BYTES + 1
}

/// The contents of a key's blocks, the first one last.
pub(super) fn contents(key: &[u8]) -> Vec<Content> {
    let mut padded = [key, &[END]].concat();
    padded.resize(count(key) * BYTES, 0);
    let mut next = 0;
    let content = |bytes: &[u8; BYTES]| {
        let mut content = [next, 0, 0, 0, 0];
        for (word, bytes) in content[1..].iter_mut().zip(bytes.as_chunks().0) {
            *word = u128::from_le_bytes(*bytes);
        }
        next = Block::of(content).0.name;
        content
    };
    padded.as_chunks().0.iter().rev().map(content).collect()
}

/// The keys that blocks and their counts make up; `None` if some do not fit together, or are more than there is room for.
pub(super) fn assemble(blocks: &[(Block, u128)], capacity: Capacity) -> Option<Counts> {
    let by_name: BTreeMap<u128, Content> = blocks.iter().map(|(block, _)| (block.name, block.content)).collect();
    let mut counts = Counts::new();
    // Keys may share their last blocks; counted for each, as the parties count them, they still have room.
    let mut room = capacity.blocks();
    for (block, count) in blocks.iter().filter(|(_, count)| *count > 0) {
        let key = follow(block.content, &by_name, &mut room)?;
        if counts.insert(key, u64::try_from(*count).ok()?).is_some() {
            return None;
        }
    }
    (by_name.len() == blocks.len()).then_some(counts)
}

/// The key that begins with that block.
fn follow(first: Content, by_name: &BTreeMap<u128, Content>, room: &mut usize) -> Option<Vec<u8>> {
    let (mut content, mut key) = (first, Vec::new());
    loop {
        *room = room.checked_sub(1)?;
        key.extend_from_slice(&bytes_of(&content)[16..]);
        match content[0] {
            0 => break,
            next => content = *by_name.get(&next)?,
        }
    }
    let end = key.iter().rposition(|byte| *byte != 0)?;
    let is_padding = key[end] == END && count(&key[..end]) * BYTES == key.len();
    key.truncate(end);
    is_padding.then_some(key)
}

fn bytes_of(content: &Content) -> [u8; 16 + BYTES] {
    let mut bytes = [0; 16 + BYTES];
    for (bytes, word) in bytes.as_chunks_mut().0.iter_mut().zip(content) {
        *bytes = word.to_le_bytes();
    }
    bytes
}
