//! What a connection is doing, for its watchdog.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use super::config::Limits;

/// What a connection is doing. A request costs a few stores, and no look at the clock: the watchdog counts its own ticks.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    /// Requests so far.
    requests: AtomicU32,
    /// Requests whose head has come and whose answer has not been made.
    serving: AtomicU32,
    /// Whether bytes came while no request was being served: the start of the next one.
    head: AtomicBool,
    /// Whether bytes came or went since the watchdog last looked.
    moved: AtomicBool,
    /// Whether several requests share the connection, so that bytes between requests are not the start of a head.
    multiplexed: AtomicBool,
    /// Whether a body was left unread, so that closing at once would reset the connection under its answer.
    unread: AtomicBool,
    /// Whether the connection is closed but for what the peer still sends.
    lingering: AtomicBool,
}

impl Pulse {
    /// Bytes came.
    pub(super) fn heard(&self) {
        self.moved.store(true, Relaxed);
        if self.serving.load(Relaxed) == 0 && !self.multiplexed.load(Relaxed) {
            self.head.store(true, Relaxed);
        }
    }

    /// Bytes went.
    pub(super) fn told(&self) {
        self.moved.store(true, Relaxed);
    }

    /// A request's head is complete; the request is being served until the guard is dropped.
    pub(super) fn begin(&self, multiplexed: bool) -> Serving<'_> {
        self.requests.fetch_add(1, Relaxed);
        self.serving.fetch_add(1, Relaxed);
        self.head.store(false, Relaxed);
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
        self.lingering.store(unread, Relaxed);
        unread
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

/// Looks at a [`Pulse`] at every tick, and says when patience ends.
#[derive(Debug)]
pub(super) struct Watchdog {
    tick: Duration,
    requests: u32,
    silent: u32,
    head: u32,
    lingering: u32,
}

impl Watchdog {
    /// A watchdog that will look once in every `tick`.
    pub(super) fn new(tick: Duration) -> Self {
        Self { tick, requests: 0, silent: 0, head: 0, lingering: 0 }
    }

    /// Whether the connection is to be closed. Deadlines are kept to within two ticks, and never early.
    pub(super) fn is_overdue(&mut self, pulse: &Pulse, limits: &Limits) -> bool {
        let requests = pulse.requests.load(Relaxed);
        let same_head = requests == self.requests && pulse.head.load(Relaxed);
        let busy = pulse.serving.load(Relaxed) > 0;
        let silent = !pulse.moved.swap(false, Relaxed) && !busy;
        self.requests = requests;
        self.head = if same_head { self.head + 1 } else { 0 };
        self.silent = if silent { self.silent + 1 } else { 0 };
        self.lingering += u32::from(pulse.lingering.load(Relaxed));
        // The first of n ticks may have come right after the beginning: n - 1 ticks have passed for sure.
        let passed = |ticks: u32| self.tick.saturating_mul(ticks.saturating_sub(1));
        !busy
            && (passed(self.head) >= limits.head_patience
                || passed(self.silent) >= limits.idle_patience
                || passed(self.lingering) >= limits.linger)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_secs(1);

    /// How many ticks pass until the connection is overdue, with `at_each` happening before each.
    fn ticks(pulse: &Pulse, mut at_each: impl FnMut()) -> Option<u32> {
        let limits = Limits {
            head_patience: Duration::from_secs(3),
            idle_patience: Duration::from_secs(10),
            linger: Duration::from_secs(2),
            ..Limits::default()
        };
        let mut watchdog = Watchdog::new(TICK);
        (1..100).find(|_| {
            at_each();
            watchdog.is_overdue(pulse, &limits)
        })
    }

    #[test]
    fn head_is_overdue_however_it_trickles() {
        let pulse = Pulse::default();
        assert_eq!(ticks(&pulse, || pulse.heard()), Some(4));
    }

    #[test]
    fn many_short_heads_are_not_one_long_head() {
        let pulse = Pulse::default();
        let at_each = || {
            drop(pulse.begin(false));
            pulse.heard();
        };
        assert_eq!(ticks(&pulse, at_each), None);
    }

    #[test]
    fn request_in_flight_may_take_its_time() {
        let pulse = Pulse::default();
        pulse.heard();
        let _serving = pulse.begin(false);
        assert_eq!(ticks(&pulse, || ()), None);
    }

    #[test]
    fn silence_is_overdue_in_the_end() {
        let pulse = Pulse::default();
        assert_eq!(ticks(&pulse, || ()), Some(11));
        assert_eq!(ticks(&pulse, || pulse.told()), None);
    }

    #[test]
    fn only_what_left_something_unread_lingers() {
        let pulse = Pulse::default();
        assert!(!pulse.linger());
        pulse.leave_unread();
        assert!(pulse.linger());
        assert_eq!(ticks(&pulse, || pulse.told()), Some(3));
    }
}
