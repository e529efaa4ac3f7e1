//! Messages on their way out and in.

use bytes::Bytes;

use super::record::{Kind, Record, Side};

/// A message that goes out, piece by piece.
#[derive(Debug)]
pub(super) struct Outgoing {
    kind: Kind,
    message: Bytes,
    sent: usize,
    /// The other end takes it up to here.
    granted: usize,
    begun: bool,
    /// When it last had its turn.
    pub(super) turn: u64,
}

impl Outgoing {
    pub(super) fn new(kind: Kind, message: Bytes, turn: u64) -> Self {
        Self { kind, message, sent: 0, granted: 0, begun: false, turn }
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    pub(super) fn length(&self) -> usize {
        self.message.len()
    }

    pub(super) fn left(&self) -> usize {
        self.message.len() - self.sent
    }

    /// Whether a piece may go out now.
    pub(super) fn is_ready(&self) -> bool {
        !self.begun || self.sent < self.granted.min(self.message.len())
    }

    pub(super) fn is_done(&self) -> bool {
        self.begun && self.left() == 0
    }

    /// Takes what every message may send without a grant.
    pub(super) fn begin_with(&mut self, credit: usize) {
        self.granted = self.granted.max(credit);
    }

    pub(super) fn grant(&mut self, up_to: usize) {
        self.granted = self.granted.max(up_to);
    }

    /// Appends the next piece to `out`, so that it takes at most `room` bytes, which are enough for a record.
    pub(super) fn write(&mut self, side: Side, room: usize, out: &mut Vec<u8>) {
        let (Side::Question(id) | Side::Reply(id)) = side;
        // Longer messages than an integer holds are refused before.
        let total = self.message.len() as u32;
        let record = |bytes| {
            if self.begun { Record::More { side, bytes } } else { Record::Begin { kind: self.kind, id, total, bytes } }
        };
        let most = self.sent + room.saturating_sub(record(&[]).overhead());
        let end = most.min(self.granted).min(self.message.len()).max(self.sent);
        record(self.message.get(self.sent..end).unwrap_or_default()).write(out);
        (self.begun, self.sent) = (true, end);
    }
}

/// A message that comes in.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) kind: Kind,
    total: usize,
    got: Vec<u8>,
    /// It may come up to here.
    granted: usize,
}

impl Incoming {
    pub(super) fn new(kind: Kind, total: usize, credit: usize) -> Self {
        Self { kind, total, got: Vec::new(), granted: credit.min(total) }
    }

    /// What must be granted for all of it to come; zero if it may come.
    pub(super) fn wants(&self) -> usize {
        if self.granted < self.total { self.total } else { 0 }
    }

    pub(super) fn grant_all(&mut self) {
        self.granted = self.total;
    }

    /// Takes in a piece. An error says what is wrong with it.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<(), &'static str> {
        if self.got.len() + bytes.len() > self.granted {
            return Err("a message is longer than was announced or granted");
        }
        // Its own length at most, and no more than twice of what has really come.
        if self.got.capacity() < self.got.len() + bytes.len() {
            let more = (2 * self.got.len()).max(bytes.len()).min(self.total - self.got.len());
            self.got.reserve_exact(more);
        }
        self.got.extend_from_slice(bytes);
        Ok(())
    }

    pub(super) fn is_done(&self) -> bool {
        self.got.len() == self.total
    }

    pub(super) fn into_message(self) -> Bytes {
        self.got.into()
    }
}
