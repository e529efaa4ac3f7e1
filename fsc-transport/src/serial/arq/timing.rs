//! How long to wait for an acknowledgement (after RFC 6298).

use std::time::Duration;

use fsc_core::clock::Time;

/// What is known of the line before anything is measured.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// What an acknowledgement may take beside the round trip: it waits for frames of the other direction.
    pub slack: Duration,
    /// The round trip, as long as it is not known.
    pub initial: Duration,
    /// The longest pause between attempts, so that a line that was cut and is whole again is soon used.
    pub longest_pause: Duration,
}

/// The smallest variation that is reckoned with.
const GRAIN: Duration = Duration::from_millis(5);

/// Measures round trips, and says when one has taken too long.
#[derive(Debug)]
pub(super) struct Clock {
    timing: Timing,
    /// SRTT and RTTVAR of the RFC.
    smoothed: Option<(Duration, Duration)>,
    /// When the last packet departed.
    departed: Time,
    /// Pauses that ended without an answer, since the last answer.
    unanswered: u32,
}

impl Clock {
    pub(super) fn new(timing: Timing) -> Self {
        Self { timing, smoothed: None, departed: Time::START, unanswered: 0 }
    }

    pub(super) fn departed(&mut self, at: Time) {
        self.departed = at;
    }

    /// An acknowledgement took `sample`. Every transmission has a number of its own, so there is no doubt which it was for.
    pub(super) fn measured(&mut self, sample: Duration) {
        self.unanswered = 0;
        self.smoothed = Some(match self.smoothed {
            None => (sample, sample / 2),
            Some((smoothed, variation)) => {
                ((smoothed * 7 + sample) / 8, (variation * 3 + smoothed.abs_diff(sample)) / 4)
            }
        });
    }

    /// When to try again, if nothing is heard.
    pub(super) fn due(&self) -> Time {
        let (smoothed, variation) = self.smoothed.unwrap_or((self.timing.initial, Duration::ZERO));
        let wait = smoothed + (variation * 4).max(GRAIN) + self.timing.slack;
        let longest = self.timing.longest_pause.max(wait);
        self.departed + wait.saturating_mul(1 << self.unanswered.min(16)).min(longest)
    }

    pub(super) fn back_off(&mut self) {
        self.unanswered = self.unanswered.saturating_add(1);
    }

    pub(super) fn resume(&mut self) {
        self.unanswered = 0;
    }

    pub(super) fn round_trip(&self) -> Option<Duration> {
        self.smoothed.map(|(smoothed, _)| smoothed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMING: Timing = Timing {
        slack: Duration::from_millis(10),
        initial: Duration::from_millis(200),
        longest_pause: Duration::from_millis(500),
    };

    #[test]
    fn the_wait_follows_what_was_measured() {
        let mut clock = Clock::new(TIMING);
        assert_eq!(clock.due(), Time::from_start(Duration::from_millis(215)));
        for _ in 0..50 {
            clock.measured(Duration::from_millis(30));
        }
        let due = clock.due().since(Time::START);
        assert!(due >= Duration::from_millis(44) && due < Duration::from_millis(50), "{due:?}");
    }

    #[test]
    fn pauses_grow_up_to_the_longest_and_an_answer_ends_them() {
        let mut clock = Clock::new(TIMING);
        clock.measured(Duration::from_millis(20));
        let first = clock.due();
        (0..40).for_each(|_| clock.back_off());
        assert_eq!(clock.due().since(Time::START), TIMING.longest_pause);
        clock.measured(Duration::from_millis(20));
        assert!(clock.due() <= first);
    }
}
