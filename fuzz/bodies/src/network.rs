//! A network that does whatever the input says: letters get lost, come twice, late, changed, or from nowhere.

use arbitrary::{Result, Unstructured};

/// Encoded envelopes on their way to a place.
#[derive(Clone, Debug)]
pub(crate) struct Letter {
    pub(crate) to: usize,
    pub(crate) bytes: Vec<u8>,
}

/// What is under way, and everything that ever was.
pub(crate) struct Network {
    parties: usize,
    pub(crate) wire: Vec<Letter>,
    pub(crate) history: Vec<Letter>,
}

impl Network {
    /// Between so many parties; `history` is mail of earlier runs, which may be replayed.
    pub(crate) fn new(parties: usize, history: Vec<Letter>) -> Self {
        Self { parties, wire: Vec::new(), history }
    }

    pub(crate) fn send(&mut self, letter: Letter) {
        self.history.push(letter.clone());
        self.wire.push(letter);
    }

    /// Takes a letter off the wire, in any order.
    pub(crate) fn take(&mut self, which: u8) -> Option<Letter> {
        let place = self.place(which)?;
        Some(self.wire.remove(place))
    }

    pub(crate) fn do_fault(&mut self, fault: &Fault) {
        match *fault {
            Fault::Drop(letter) => drop(self.take(letter)),
            Fault::Duplicate(letter) => {
                let copy = self.place(letter).map(|place| self.wire[place].clone());
                self.wire.extend(copy);
            }
            Fault::Flip(letter, bit) => self.change(letter, |bytes| {
                let bit = usize::from(bit) % (8 * bytes.len());
                bytes[bit / 8] ^= 1 << (bit % 8);
            }),
            Fault::Splice(letter, other, start, length) => {
                let Some(other) = self.past(other) else { return };
                self.change(letter, |bytes| {
                    let end = (usize::from(start) + usize::from(length)).min(bytes.len()).min(other.bytes.len());
                    if let Some(part) = other.bytes.get(usize::from(start)..end) {
                        bytes[usize::from(start)..end].copy_from_slice(part);
                    }
                });
            }
            Fault::Replay(letter) => {
                let letter = self.past(letter);
                self.wire.extend(letter);
            }
            Fault::Divert(letter, to) => {
                if let Some(place) = self.place(letter) {
                    self.wire[place].to = usize::from(to) % self.parties;
                }
            }
            Fault::Invent(to, ref bytes) => {
                self.wire.push(Letter { to: usize::from(to) % self.parties, bytes: bytes.clone() });
            }
        }
    }

    fn change(&mut self, letter: u8, change: impl FnOnce(&mut [u8])) {
        if let Some(place) = self.place(letter)
            && !self.wire[place].bytes.is_empty()
        {
            change(&mut self.wire[place].bytes);
        }
    }

    fn past(&self, letter: u8) -> Option<Letter> {
        // Both ends of a long history are within reach: earlier runs, and the latest letters.
        let place = usize::from(letter / 2).checked_rem(self.history.len())?;
        let place = if letter.is_multiple_of(2) { place } else { self.history.len() - 1 - place };
        self.history.get(place).cloned()
    }

    fn place(&self, letter: u8) -> Option<usize> {
        usize::from(letter).checked_rem(self.wire.len())
    }
}

/// Something that goes wrong on the way. What is named first is the letter, by its place on the wire.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    Drop(u8),
    Duplicate(u8),
    /// A bit.
    Flip(u8, u16),
    /// Overwrites a part of the letter with the same part of one in history: which, from where, how much.
    Splice(u8, u8, u8, u8),
    /// Of a letter in history.
    Replay(u8),
    /// To another place.
    Divert(u8, u8),
    /// To a place, of any bytes.
    Invent(u8, Vec<u8>),
}

impl Fault {
    /// Whether every run must survive it.
    pub(crate) fn is_harmless(&self) -> bool {
        matches!(self, Self::Duplicate(..))
    }

    pub(crate) fn read(input: &mut Unstructured<'_>) -> Result<Self> {
        Ok(match input.int_in_range(0..=6_u8)? {
            0 => Self::Duplicate(input.arbitrary()?),
            1 => Self::Drop(input.arbitrary()?),
            2 => Self::Flip(input.arbitrary()?, input.arbitrary()?),
            3 => Self::Splice(input.arbitrary()?, input.arbitrary()?, input.arbitrary()?, input.arbitrary()?),
            4 => Self::Replay(input.arbitrary()?),
            5 => Self::Divert(input.arbitrary()?, input.arbitrary()?),
            _ => {
                let (to, length) = (input.arbitrary()?, input.arbitrary::<u8>()?);
                let length = usize::from(length).min(input.len());
                Self::Invent(to, input.bytes(length)?.to_vec())
            }
        })
    }
}
