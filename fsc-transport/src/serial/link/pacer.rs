//! How fast bytes may be handed to the system.
//!
//! What stands in the system's buffer can't be overtaken, so it is kept short: a frame on the wire, and one behind it.

use std::time::Duration;

use fsc_core::clock::Time;

use super::super::frame;

/// Start bit, eight bits, stop bit.
const BITS_PER_BYTE: u64 = 10;

/// Clocks of two ends differ; a line that is a little slower than it says must not fill the buffer. In percent.
const CAUTION: u64 = 2;

/// Timers of operating systems are late by a millisecond or two; the line must not run dry meanwhile.
const LATENESS: Duration = Duration::from_millis(3);

/// Reckons when what was written has left.
#[derive(Debug)]
pub(super) struct Pacer {
    per_byte: Duration,
    /// As much may stand in the buffer when another frame is added.
    ahead: Duration,
    /// When the buffer is empty.
    drained: Time,
}

impl Pacer {
    /// For a line of `baud`; without one, nothing waits.
    pub(super) fn new(baud: Option<u32>, mtu: u16) -> Self {
        let nanos =
            baud.map_or(0, |baud| BITS_PER_BYTE * 1_000_000_000 * (100 + CAUTION) / 100 / u64::from(baud.max(1)));
        let per_byte = Duration::from_nanos(nanos);
        let longest = per_byte * frame::length_on_line(frame::longest_body(mtu.into())) as u32;
        Self { per_byte, ahead: longest.max(LATENESS), drained: Time::START }
    }

    /// What a frame of `length` bytes takes on the line.
    pub(super) fn time_of(&self, length: usize) -> Duration {
        self.per_byte.saturating_mul(length as u32)
    }

    /// When the next frame may be written.
    pub(super) fn ready_at(&self) -> Time {
        self.drained - self.ahead
    }

    /// Takes note of `length` bytes, and says when they will have left.
    pub(super) fn wrote(&mut self, length: usize, now: Time) -> Time {
        self.drained = self.drained.max(now) + self.time_of(length);
        self.drained
    }

    /// The buffer is gone, with what was in it.
    pub(super) fn reset(&mut self) {
        self.drained = Time::START;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_frames_stand_in_the_buffer_and_the_line_never_runs_dry() {
        for (baud, mtu) in [(9_600, 256), (115_200, 512), (921_600, 1024), (3_000_000, 4096)] {
            let mut pacer = Pacer::new(Some(baud), mtu);
            let length = frame::length_on_line(frame::longest_body(mtu.into()));
            let frame = pacer.time_of(length);
            let mut now = Time::START + Duration::from_secs(1);
            for _ in 0..1000 {
                let drained = pacer.wrote(length, now);
                assert!(drained.since(now) <= (frame * 2).max(frame + LATENESS), "{baud}: {:?}", drained.since(now));
                // Whoever writes comes a little late.
                now = now.max(pacer.ready_at()) + Duration::from_millis(1);
                assert!(now < drained, "{baud}: the line runs dry");
            }
        }
    }

    #[test]
    fn without_a_rate_nothing_waits() {
        let mut pacer = Pacer::new(None, 4096);
        let now = Time::START + Duration::from_secs(1);
        (0..1000).for_each(|_| assert_eq!(pacer.wrote(4096, now), now));
        assert!(pacer.ready_at() <= now);
    }
}
