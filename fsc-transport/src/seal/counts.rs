//! What was refused.

use std::sync::atomic::{AtomicU64, Ordering};

/// Why sealed mail is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Malformed,
    Forged,
    Replayed,
    NoSession,
    Misdirected,
    Unknown,
    Unsealed,
    Hurried,
    NotForwarded,
}

/// How much mail a node has refused since it started, and why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// It is no packet, or no parcel.
    pub malformed: u64,
    /// It was not sealed by whom it should be, or changed on the way.
    pub forged: u64,
    /// It had come before, or was too late to tell.
    pub replayed: u64,
    /// It belongs to a session that this node does not have (any more).
    pub no_session: u64,
    /// It is for another node.
    pub misdirected: u64,
    /// Its sender's key is not known here.
    pub unknown: u64,
    /// It was not sealed where it had to be.
    pub unsealed: u64,
    /// It came faster than handshakes are answered.
    pub hurried: u64,
    /// It is for a node that nothing is forwarded to, or from one that nothing is forwarded for.
    pub not_forwarded: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counters([AtomicU64; 9]);

impl Counters {
    pub(super) fn add(&self, refusal: Refusal) {
        self.0[refusal as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> Counts {
        let [malformed, forged, replayed, no_session, misdirected, unknown, unsealed, hurried, not_forwarded] =
            self.0.each_ref().map(|count| count.load(Ordering::Relaxed));
        Counts { malformed, forged, replayed, no_session, misdirected, unknown, unsealed, hurried, not_forwarded }
    }
}
