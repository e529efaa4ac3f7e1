//! What was sent, until it is known to have come.

use std::collections::VecDeque;
use std::time::Duration;

use fsc_core::clock::Time;

use super::super::packet::Ack;
use super::noise::Noise;
use super::timing::{Clock, Timing};
use super::{Limits, precedes};

/// Transmissions whose times are remembered.
const REMEMBERED: usize = 1024;

/// Keeps packets, and notices which are lost.
#[derive(Debug)]
pub(super) struct Sender {
    limits: Limits,
    /// The number of the oldest packet that is kept.
    oldest: u16,
    /// Packet `oldest + i` at `i`.
    kept: VecDeque<Kept>,
    /// Bytes of what is kept.
    bytes: usize,
    /// The number of the next transmission.
    transmission: u16,
    /// The latest transmission of which the other end has said that it came.
    latest: u16,
    /// When transmissions after that one departed; data packets with their lengths.
    departures: VecDeque<Departure>,
    clock: Clock,
    noise: Noise,
    sent: u64,
    sent_again: u64,
}

#[derive(Debug)]
struct Kept {
    payload: Vec<u8>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It is to go out for the first time.
    New,
    /// It went out, last by this transmission.
    Sent(u16),
    /// It is to go out again.
    Lost,
    /// It has come, before others.
    Here,
}

#[derive(Debug)]
struct Departure {
    transmission: u16,
    at: Time,
}

impl Sender {
    pub(super) fn new(limits: Limits, timing: Timing) -> Self {
        Self {
            limits,
            oldest: 0,
            kept: VecDeque::new(),
            bytes: 0,
            transmission: 1,
            latest: 0,
            departures: VecDeque::new(),
            clock: Clock::new(timing),
            noise: Noise::default(),
            sent: 0,
            sent_again: 0,
        }
    }

    /// How long a new payload may be, if `longest` fits in a packet.
    pub(super) fn room(&self, longest: usize) -> usize {
        if self.kept.len() >= self.limits.window || self.transmission.wrapping_sub(self.latest) > 0x4000 {
            return 0;
        }
        let left = self.limits.buffer.saturating_sub(self.bytes);
        let wanted = self.noise.best_length(longest);
        // A scrap of the buffer is not worth a packet; an empty buffer takes what it can.
        if left >= wanted || self.kept.is_empty() { wanted.min(left) } else { 0 }
    }

    pub(super) fn push(&mut self, payload: Vec<u8>) {
        self.bytes += payload.len();
        self.kept.push_back(Kept { payload, state: State::New });
    }

    pub(super) fn has_lost(&self) -> bool {
        self.kept.iter().any(|kept| matches!(kept.state, State::Lost | State::New))
    }

    pub(super) fn is_under_way(&self) -> bool {
        !self.kept.is_empty()
    }

    /// The next packet that is to go out, with the number of its transmission and its own.
    pub(super) fn next(&mut self) -> Option<(u16, u16, &[u8])> {
        let waits = |kept: &Kept| matches!(kept.state, State::Lost | State::New);
        let place = self.kept.iter().position(waits)?;
        let transmission = self.begin_transmission();
        let kept = self.kept.get_mut(place)?;
        self.sent += 1;
        self.sent_again += u64::from(kept.state == State::Lost);
        kept.state = State::Sent(transmission);
        self.noise.sent(kept.payload.len());
        // The window is shorter than half of all numbers.
        Some((transmission, self.oldest.wrapping_add(place as u16), &kept.payload))
    }

    /// The number of a ping's transmission.
    pub(super) fn ping(&mut self) -> u16 {
        self.begin_transmission()
    }

    fn begin_transmission(&mut self) -> u16 {
        let transmission = self.transmission;
        self.transmission = transmission.wrapping_add(1);
        if self.departures.len() >= REMEMBERED {
            self.departures.pop_front();
        }
        self.departures.push_back(Departure { transmission, at: Time::START });
        transmission
    }

    /// The last transmission departs at `at`.
    pub(super) fn departs(&mut self, at: Time) {
        if let Some(last) = self.departures.back_mut().filter(|last| last.at == Time::START) {
            last.at = at;
            self.clock.departed(at);
        }
    }

    /// Takes in what the other end has.
    pub(super) fn acknowledge(&mut self, ack: &Ack, now: Time) {
        let come = ack.next.wrapping_sub(self.oldest);
        let is_mine = usize::from(come) <= self.kept.len();
        let was_sent = !precedes(ack.latest, self.latest) && precedes(ack.latest, self.transmission);
        // What is older than the last acknowledgement says nothing new; what was never sent can't have come.
        if !is_mine || !was_sent {
            return;
        }
        for _ in 0..come {
            self.bytes -= self.kept.pop_front().map_or(0, |kept| kept.payload.len());
        }
        self.oldest = ack.next;
        self.mark_here(&ack.map);
        if ack.latest != self.latest {
            self.latest = ack.latest;
            self.measure(now);
            self.mark_lost();
        }
    }

    fn mark_here(&mut self, map: &[u8]) {
        let bits = map.iter().flat_map(|byte| (0..8).map(move |bit| byte >> bit & 1 == 1));
        for (kept, here) in self.kept.iter_mut().skip(1).zip(bits) {
            if here {
                kept.state = State::Here;
            }
        }
    }

    /// What went out before the latest transmission that came, and has not come, is lost: the line keeps the order.
    fn mark_lost(&mut self) {
        for kept in &mut self.kept {
            if matches!(kept.state, State::Sent(at) if !precedes(self.latest, at)) {
                kept.state = State::Lost;
                self.noise.lost();
            }
        }
    }

    /// The latest transmission that came gives a round trip.
    fn measure(&mut self, now: Time) {
        while let Some(departure) = self.departures.front() {
            if precedes(self.latest, departure.transmission) {
                break;
            }
            if departure.transmission == self.latest {
                self.clock.measured(now.since(departure.at));
            }
            self.departures.pop_front();
        }
    }

    pub(super) fn timeout(&self) -> Option<Time> {
        let waits = self.kept.iter().any(|kept| matches!(kept.state, State::Sent(_)));
        waits.then(|| self.clock.due())
    }

    /// Too long without an answer: the oldest packet goes out again, and its acknowledgement will tell what else is lost.
    pub(super) fn handle_timeout(&mut self, now: Time) {
        if self.timeout().is_none_or(|due| now < due) {
            return;
        }
        self.clock.back_off();
        if let Some(kept) = self.kept.iter_mut().find(|kept| matches!(kept.state, State::Sent(_))) {
            kept.state = State::Lost;
        }
    }

    pub(super) fn resume(&mut self) {
        self.clock.resume();
        for kept in &mut self.kept {
            if matches!(kept.state, State::Sent(_)) {
                kept.state = State::Lost;
            }
        }
    }

    pub(super) fn round_trip(&self) -> Option<Duration> {
        self.clock.round_trip()
    }

    pub(super) fn transmissions(&self) -> (u64, u64) {
        (self.sent, self.sent_again)
    }
}
