//! Blocks: keys of any length in pieces of one width.

use std::collections::BTreeMap;

use blake3::OutputReader;
use fsc_core::envelope::RunId;

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

/// What gives blocks their names and places: another hash function in each run, so that nobody can choose keys that collide.
#[derive(Clone, Copy)]
pub(super) struct Naming([u8; 32]);

impl Naming {
    /// That of a run.
    pub(super) fn of(run: RunId) -> Self {
        Self(blake3::derive_key("fsc v1 block of a key", &run.0))
    }

    /// The block of that content, and a stream of words that depend on it and the run alone.
    pub(super) fn block(&self, content: Content) -> (Block, OutputReader) {
        let mut words = blake3::Hasher::new_keyed(&self.0).update(&bytes_of(&content)).finalize_xof();
        let mut name = [0; 16];
        words.fill(&mut name);
        (Block { name: u128::from_le_bytes(name), content }, words)
    }

    /// The contents of a key's blocks, the first one last.
    pub(super) fn contents(&self, key: &[u8]) -> Vec<Content> {
        let mut padded = [key, &[END]].concat();
        padded.resize(count(key) * BYTES, 0);
        let mut next = 0;
        let content = |bytes: &[u8; BYTES]| {
            let mut content = [next, 0, 0, 0, 0];
            for (word, bytes) in content[1..].iter_mut().zip(bytes.as_chunks().0) {
                *word = u128::from_le_bytes(*bytes);
            }
            next = self.block(content).0.name;
            content
        };
        padded.as_chunks().0.iter().rev().map(content).collect()
    }
}

/// How many blocks a key takes.
pub(super) fn count(key: &[u8]) -> usize {
    key.len() / BYTES + 1
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
