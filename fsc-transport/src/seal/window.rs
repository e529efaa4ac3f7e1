//! Which packets have come.

/// How far behind the newest packet another one may be: so many are on their way at once, in hundreds of runs.
const WIDTH: u64 = 1 << 14;

const WORDS: usize = (WIDTH / 64) as usize;

/// The numbers of the packets that have come: all that are [`WIDTH`] behind the newest, and the others one by one
/// (RFC 4303, section 3.4.3; RFC 6479).
#[derive(Debug)]
pub(super) struct Window {
    /// One more than the newest.
    end: u64,
    /// A bit per number, at the number modulo [`WIDTH`].
    seen: Box<[u64; WORDS]>,
}

impl Default for Window {
    fn default() -> Self {
        Self { end: 0, seen: Box::new([0; WORDS]) }
    }
}

impl Window {
    /// Whether a packet is too late to tell whether it has come.
    pub(super) fn is_too_late(&self, number: u64) -> bool {
        self.end.saturating_sub(number) > WIDTH
    }

    /// Whether the packet has come before, or would be too late to tell.
    pub(super) fn has(&self, number: u64) -> bool {
        if number >= self.end {
            return false;
        }
        let (word, bit) = place(number);
        self.is_too_late(number) || self.seen[word] & bit != 0
    }

    /// Notes a packet. Answers whether it is new.
    pub(super) fn insert(&mut self, number: u64) -> bool {
        if self.has(number) {
            return false;
        }
        if number >= self.end {
            if number - self.end >= WIDTH {
                self.seen.fill(0);
            } else {
                (self.end..number).for_each(|skipped| self.clear(skipped));
            }
            self.end = number + 1;
        }
        let (word, bit) = place(number);
        self.seen[word] |= bit;
        true
    }

    /// Forgets that a packet has come.
    pub(super) fn remove(&mut self, number: u64) {
        if number < self.end && !self.is_too_late(number) {
            self.clear(number);
        }
    }

    fn clear(&mut self, number: u64) {
        let (word, bit) = place(number);
        self.seen[word] &= !bit;
    }
}

fn place(number: u64) -> (usize, u64) {
    let at = number % WIDTH;
    ((at / 64) as usize, 1 << (at % 64))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_number_is_new_once(steps in proptest::collection::vec((0u64..3 * WIDTH, any::<bool>()), 0..300)) {
            let (mut window, mut model, mut end) = (Window::default(), HashSet::new(), 0u64);
            for (step, near) in steps {
                let number = if near { end.saturating_sub(step % 40) } else { step };
                let expected = end.saturating_sub(number) <= WIDTH && model.insert(number);
                prop_assert_eq!(window.has(number), !expected, "{}", number);
                prop_assert_eq!(window.insert(number), expected);
                end = end.max(number + 1);
            }
        }
    }

    #[test]
    fn what_is_too_old_counts_as_come() {
        let mut window = Window::default();
        assert!(window.insert(WIDTH + 5));
        assert!(!window.insert(5) && window.is_too_late(5) && window.insert(6));
        window.remove(6);
        window.remove(5);
        assert!(window.insert(6) && !window.insert(5), "what was given back may come again");
    }
}
