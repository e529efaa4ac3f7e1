//! What a connection is doing, for its watchdog.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::config::Limits;

/// What a connection is doing, and since when. A few stores per request; read by the connection's watchdog only.
#[derive(Debug)]
pub(super) struct Pulse {
    start: Instant,
    /// Requests whose head has come and whose answer has not been made.
    serving: AtomicU32,
    /// Whether several requests share the connection, so that bytes between requests are not the start of a head.
    multiplexed: AtomicBool,
    /// Whether a body was left unread, so that closing at once would reset the connection under its answer.
    unread: AtomicBool,
    /// Milliseconds from `start`; zero for never.
    head_since: AtomicU64,
    moved: AtomicU64,
    lingers_since: AtomicU64,
}

/// What is to be done about a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Fine,
    Overdue,
}

impl Pulse {
    pub(super) fn new() -> Self {
        Self {
            start: Instant::now(),
            serving: AtomicU32::new(0),
            multiplexed: AtomicBool::new(false),
            unread: AtomicBool::new(false),
            head_since: AtomicU64::new(0),
            moved: AtomicU64::new(0),
            lingers_since: AtomicU64::new(0),
        }
    }

    /// Bytes came.
    pub(super) fn heard(&self) {
        let now = self.now();
        self.moved.store(now, Relaxed);
        if self.serving.load(Relaxed) == 0 && self.head_since.load(Relaxed) == 0 && !self.multiplexed.load(Relaxed) {
            self.head_since.store(now, Relaxed);
        }
    }

    /// Bytes went.
    pub(super) fn told(&self) {
        self.moved.store(self.now(), Relaxed);
    }

    /// A request's head is complete; the request is being served until the guard is dropped.
    pub(super) fn begin(&self, multiplexed: bool) -> Serving<'_> {
        self.serving.fetch_add(1, Relaxed);
        self.head_since.store(0, Relaxed);
        if multiplexed {
            self.multiplexed.store(true, Relaxed);
        }
        Serving(self)
    }

    /// An answer was made without reading all of the request.
    pub(super) fn leave_unread(&self) {
        self.unread.store(true, Relaxed);
    }

    /// Whether the peer may still be sending what nobody reads. Begins the time of lingering.
    pub(super) fn linger(&self) -> bool {
        let unread = self.unread.load(Relaxed);
        if unread && self.lingers_since.load(Relaxed) == 0 {
            self.lingers_since.store(self.now(), Relaxed);
        }
        unread
    }

    pub(super) fn verdict(&self, limits: &Limits) -> Verdict {
        let overdue = if self.serving.load(Relaxed) > 0 {
            false
        } else {
            self.longer(self.lingers_since.load(Relaxed), limits.linger)
                || self.longer(self.head_since.load(Relaxed), limits.head_patience)
                || self.longer(self.moved.load(Relaxed).max(1), limits.idle_patience)
        };
        if overdue { Verdict::Overdue } else { Verdict::Fine }
    }

    fn longer(&self, since: u64, than: Duration) -> bool {
        since != 0 && Duration::from_millis(self.now().saturating_sub(since)) >= than
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX).max(1)
    }
}

/// A request that is being served.
pub(super) struct Serving<'a>(&'a Pulse);

impl Drop for Serving<'_> {
    fn drop(&mut self) {
        self.0.serving.fetch_sub(1, Relaxed);
        self.0.told();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(millis: u64) -> Limits {
        Limits { head_patience: Duration::from_millis(millis), ..Limits::default() }
    }

    #[test]
    fn head_is_overdue_and_a_request_in_flight_is_not() {
        let pulse = Pulse::new();
        pulse.heard();
        std::thread::sleep(Duration::from_millis(5));
        assert_eq!(pulse.verdict(&limits(1)), Verdict::Overdue);
        let serving = pulse.begin(false);
        pulse.heard();
        std::thread::sleep(Duration::from_millis(5));
        assert_eq!(pulse.verdict(&limits(1)), Verdict::Fine);
        drop(serving);
        assert_eq!(pulse.verdict(&limits(1)), Verdict::Fine);
    }

    #[test]
    fn silence_is_overdue_in_the_end() {
        let pulse = Pulse::new();
        let limits = Limits { idle_patience: Duration::from_millis(2), ..Limits::default() };
        std::thread::sleep(Duration::from_millis(5));
        assert_eq!(pulse.verdict(&limits), Verdict::Overdue);
    }
}
