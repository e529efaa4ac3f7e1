//! Sessions: what a handshake leaves two nodes with.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use fsc_core::bus::Failure;
use fsc_core::clock::Time;
use fsc_core::identity::NodeId;
use fsc_core::transport::Batch;
use snow::StatelessTransportState;

use super::packet::{self, CHUNK, Header, Kind, NUMBERS, Packet, TAG};
use super::window::Window;

/// When a new handshake is begun, while the session still serves.
const RENEWED_AFTER: Duration = Duration::from_mins(8);

/// How long mail is sealed in a session.
const SENDS_FOR: Duration = Duration::from_mins(10);

/// How long mail is opened in a session; what was sealed at the last moment is still to come.
const OPENS_FOR: Duration = Duration::from_mins(15);

/// Bytes that are sealed under one key: far below what AES-GCM allows for a chance of 2^-60 (RFC 8446, section 5.5).
const MOST_BYTES: u64 = 1 << 35;

/// Keys between two nodes, in both directions.
pub(super) struct Session {
    pub(super) peer: NodeId,
    /// As mail to me names the session.
    pub(super) mine: u32,
    /// As mail from me does.
    theirs: u32,
    keys: StatelessTransportState,
    born: Time,
    /// Whether the peer has shown that it has the keys. An initiator knows; a responder does once mail was opened, since first
    /// messages can be replayed.
    confirmed: AtomicBool,
    next: AtomicU64,
    bytes: AtomicU64,
    window: Mutex<Window>,
    /// Packets that are being taken in this moment.
    taking: Mutex<HashSet<u64>>,
}

/// What to do with a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Age {
    Fresh,
    /// A newer one is to be made.
    Old,
    /// Nothing more is sealed in it.
    Past,
}

impl Session {
    pub(super) fn new(
        peer: NodeId,
        mine: u32,
        theirs: u32,
        keys: StatelessTransportState,
        confirmed: bool,
        now: Time,
    ) -> Self {
        Self {
            peer,
            mine,
            theirs,
            keys,
            born: now,
            confirmed: AtomicBool::new(confirmed),
            next: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            window: Mutex::default(),
            taking: Mutex::default(),
        }
    }

    /// Whether mail may be sealed in it.
    pub(super) fn age(&self, now: Time) -> Age {
        let (age, bytes) = (now.since(self.born), self.bytes.load(Ordering::Relaxed));
        if !self.is_confirmed() || age >= SENDS_FOR || bytes >= MOST_BYTES {
            Age::Past
        } else if age >= RENEWED_AFTER || bytes >= MOST_BYTES / 2 {
            Age::Old
        } else {
            Age::Fresh
        }
    }

    /// Whether the peer has shown that it has the keys.
    pub(super) fn is_confirmed(&self) -> bool {
        self.confirmed.load(Ordering::Acquire)
    }

    /// Whether it is of no use any more.
    pub(super) fn is_over(&self, now: Time) -> bool {
        now.since(self.born) >= OPENS_FOR
    }

    /// Seals mail. Answers the packet, in pieces, and where receipts will say that it belongs.
    pub(super) fn seal(&self, mail: &Batch) -> Result<(Batch, Header), Failure> {
        let (length, chunks) = (mail.len(), packet::chunks(mail.len())?);
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        if number >= NUMBERS {
            return Err(Failure::new(503, "this session has no numbers left; try again"));
        }
        self.bytes.fetch_add(length as u64, Ordering::Relaxed);
        let header = Header { kind: Kind::Sealed, index: self.theirs, number };
        let mut pieces = Vec::with_capacity(1 + chunks);
        pieces.push(Bytes::copy_from_slice(&header.encode()));
        let mut plain = Vec::with_capacity(CHUNK.min(length));
        let mut rest = mail.pieces.iter().map(|piece| &piece[..]).peekable();
        let mut piece: &[u8] = rest.next().unwrap_or_default();
        for chunk in 0..chunks {
            plain.clear();
            while plain.len() < CHUNK && !(piece.is_empty() && rest.peek().is_none()) {
                let (now, later) = piece.split_at(piece.len().min(CHUNK - plain.len()));
                plain.extend_from_slice(now);
                piece = if later.is_empty() { rest.next().unwrap_or_default() } else { later };
            }
            pieces.push(self.seal_chunk(packet::nonce(number, chunk, chunk + 1 == chunks), &plain)?);
        }
        Ok((Batch { pieces }, header))
    }

    fn seal_chunk(&self, nonce: u64, plain: &[u8]) -> Result<Bytes, Failure> {
        let mut sealed = vec![0; plain.len() + TAG];
        // It fails for chunks that are too long only, and these are not.
        self.keys.write_message(nonce, plain, &mut sealed).map_err(|_| Failure::new(500, "mail can't be sealed"))?;
        Ok(sealed.into())
    }

    /// Whether the packet comes so late that nobody can tell whether it has come before.
    pub(super) fn is_too_late(&self, number: u64) -> bool {
        self.window().is_too_late(number)
    }

    /// Whether the packet has come before.
    pub(super) fn has_come(&self, number: u64) -> bool {
        self.window().has(number)
    }

    /// Notes that a packet has come, and is being taken. Answers whether it is the first of its number.
    pub(super) fn take(&self, number: u64) -> bool {
        let is_new = self.window().insert(number);
        if is_new {
            self.taking().insert(number);
        }
        is_new
    }

    /// The packet was taken, or else may come again.
    pub(super) fn settle(&self, number: u64, taken: bool) {
        if !taken {
            self.window().remove(number);
        }
        self.taking().remove(&number);
    }

    /// Whether it is decided what becomes of a packet that has come.
    pub(super) fn is_settled(&self, number: u64) -> bool {
        !self.taking().contains(&number)
    }

    fn taking(&self) -> MutexGuard<'_, HashSet<u64>> {
        self.taking.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn window(&self) -> MutexGuard<'_, Window> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a packet; `None` for one that was not sealed by the peer, or changed on the way.
    pub(super) fn open(&self, packet: &Packet) -> Option<Bytes> {
        let sealed: Vec<&[u8]> = packet.body.chunks(CHUNK + TAG).collect();
        let length = packet.body.len().checked_sub(sealed.len() * TAG)?;
        packet::chunks(length).ok().filter(|chunks| *chunks == sealed.len())?;
        // Room for the tag of the last chunk, which is decrypted in place.
        let mut plain = vec![0; length + TAG];
        let mut filled = 0;
        for (chunk, sealed) in sealed.iter().enumerate() {
            let nonce = packet::nonce(packet.header.number, chunk, (chunk + 1) * (CHUNK + TAG) >= packet.body.len());
            filled += self.keys.read_message(nonce, sealed, plain.get_mut(filled..)?).ok()?;
        }
        self.confirmed.store(true, Ordering::Release);
        plain.truncate(filled);
        Some(plain.into())
    }
}
