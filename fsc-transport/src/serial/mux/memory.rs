//! Room for long messages: who has it, and who waits for it.

use std::collections::{BTreeMap, VecDeque};

use super::record::Side;

/// Gives each long message room for all of it or none, in order of their beginnings. So none waits for another that waits.
#[derive(Debug)]
pub(super) struct Memory {
    whole: usize,
    taken: BTreeMap<Side, usize>,
    waiting: VecDeque<(Side, usize)>,
}

impl Memory {
    pub(super) fn new(whole: usize) -> Self {
        Self { whole, taken: BTreeMap::new(), waiting: VecDeque::new() }
    }

    /// The message on `side` wants `bytes`.
    pub(super) fn want(&mut self, side: Side, bytes: usize) {
        self.waiting.push_back((side, bytes));
    }

    /// The next message that gets its room. One that is alone gets it whatever its length, which has a bound of its own.
    pub(super) fn next(&mut self) -> Option<Side> {
        let (side, bytes) = *self.waiting.front()?;
        let taken: usize = self.taken.values().sum();
        if taken > 0 && taken + bytes > self.whole {
            return None;
        }
        self.waiting.pop_front();
        self.taken.insert(side, bytes);
        Some(side)
    }

    /// The message on `side` has come, or will not.
    pub(super) fn free(&mut self, side: Side) {
        self.taken.remove(&side);
        self.waiting.retain(|(waiting, _)| *waiting != side);
    }

    pub(super) fn clear(&mut self) {
        self.taken.clear();
        self.waiting.clear();
    }
}
