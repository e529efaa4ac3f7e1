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

#[cfg(test)]
mod tests {
    use super::*;

    fn granted(memory: &mut Memory) -> Vec<Side> {
        std::iter::from_fn(|| memory.next()).collect()
    }

    #[test]
    fn no_more_than_all_is_given_and_in_order() {
        let mut memory = Memory::new(100);
        let [a, b, c, d] = [0, 1, 2, 3].map(Side::Question);
        for (side, bytes) in [(a, 60), (b, 50), (c, 10), (d, 90)] {
            memory.want(side, bytes);
        }
        assert_eq!(granted(&mut memory), [a]);
        memory.free(a);
        assert_eq!(granted(&mut memory), [b, c]);
        memory.free(c);
        assert_eq!(granted(&mut memory), []);
        memory.free(b);
        assert_eq!(granted(&mut memory), [d]);
    }

    #[test]
    fn who_leaves_the_queue_holds_up_nobody() {
        let mut memory = Memory::new(100);
        let [a, b, c] = [0, 1, 2].map(Side::Reply);
        for (side, bytes) in [(a, 60), (b, 50), (c, 10)] {
            memory.want(side, bytes);
        }
        assert_eq!(granted(&mut memory), [a]);
        memory.free(b);
        assert_eq!(granted(&mut memory), [c]);
    }

    #[test]
    fn one_alone_gets_what_it_wants() {
        let mut memory = Memory::new(100);
        let side = Side::Question(0);
        memory.want(side, 1000);
        assert_eq!(granted(&mut memory), [side]);
    }
}
