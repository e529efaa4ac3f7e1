//! Packets arrive once each and in order, though frames get lost: automatic repeat requests with selective repeat.
//!
//! A line keeps the order of what it carries. So each data packet has two numbers: its place, and that of its transmission,
//! which is new each time. An acknowledgement says which packets have come, and which transmission came last; whatever was
//! transmitted before that one and has not come is lost, and goes out again at once. Timers serve where nothing comes
//! back: the last packets before a pause, and a line that is cut.

mod noise;
mod receiver;
mod sender;
mod timing;

use std::time::Duration;

use fsc_core::clock::Time;

use super::packet::{self, Content};
use receiver::Receiver;
use sender::Sender;
pub use timing::Timing;

/// What one end of a connection may send, and what it takes.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of a packet that the other end takes.
    pub body: usize,
    /// Data packets under way to the other end.
    pub window: usize,
    /// Bytes of them.
    pub buffer: usize,
    /// Data packets that may come ahead of one that is missing.
    pub own_window: usize,
    /// Bytes of them.
    pub own_buffer: usize,
}

/// One end of a connection that loses nothing and repeats nothing. It knows packets and time, and nothing of frames.
#[derive(Debug)]
pub struct Arq {
    limits: Limits,
    sender: Sender,
    receiver: Receiver,
    /// The other end waits to hear what has come.
    ack_due: bool,
    ping_due: bool,
}

/// What a packet did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It was one of this connection.
    Packet,
    /// The other end closes the connection.
    Bye,
    /// It was none: the other end does not keep to the specification.
    Nonsense,
}

impl Arq {
    /// A connection on which nothing was sent yet.
    pub fn new(limits: Limits, timing: Timing) -> Self {
        let (sender, receiver) = (Sender::new(limits, timing), Receiver::new(limits.own_window, limits.own_buffer));
        Self { limits, sender, receiver, ack_due: false, ping_due: false }
    }

    /// Takes in a packet, the body of a frame that was right.
    pub fn handle(&mut self, body: &[u8], now: Time) -> Heard {
        let Some((ack, content)) = packet::read(body) else { return Heard::Nonsense };
        self.sender.acknowledge(&ack, now);
        match content {
            Content::Data { transmission, number, payload } => {
                self.receiver.take(transmission, number, payload);
                self.ack_due = true;
            }
            Content::Ping { transmission } => {
                self.receiver.note(transmission);
                self.ack_due = true;
            }
            Content::Ack => {}
            Content::Bye => return Heard::Bye,
        }
        Heard::Packet
    }

    /// The payload that comes next, if it has come.
    pub fn receive(&mut self) -> Option<Vec<u8>> {
        self.receiver.next()
    }

    /// How many bytes of new payload there is room for now; zero if none.
    pub fn room(&self) -> usize {
        let overhead = packet::OVERHEAD + self.limits.own_window.div_ceil(8);
        self.sender.room(self.limits.body.saturating_sub(overhead))
    }

    /// Whether something is to be sent that is not new payload.
    pub fn is_due(&self) -> bool {
        self.ack_due || self.ping_due || self.sender.has_lost()
    }

    /// Appends the next packet to `out`: what was lost, else what `fresh` gives for the [`room`](Self::room) that there is, else
    /// what the other end waits to hear. Says whether there was one; then the caller says when it [`departs`](Self::departs).
    pub fn transmit(&mut self, fresh: impl FnOnce(usize) -> Option<Vec<u8>>, out: &mut Vec<u8>) -> bool {
        if !self.sender.has_lost() {
            let room = self.room();
            if let Some(payload) = (room > 0).then(|| fresh(room)).flatten() {
                self.sender.push(payload);
            }
        }
        let ack = self.receiver.ack();
        if let Some((transmission, number, payload)) = self.sender.next() {
            packet::write(&ack, Content::Data { transmission, number, payload }, out);
        } else if self.ping_due {
            packet::write(&ack, Content::Ping { transmission: self.sender.ping() }, out);
        } else if self.ack_due {
            packet::write(&ack, Content::Ack, out);
        } else {
            return false;
        }
        (self.ack_due, self.ping_due) = (false, false);
        true
    }

    /// Appends the packet that closes the connection.
    pub fn close(&self, out: &mut Vec<u8>) {
        packet::write(&self.receiver.ack(), Content::Bye, out);
    }

    /// The packet that was transmitted will have left this end at `at`.
    pub fn departs(&mut self, at: Time) {
        self.sender.departs(at);
    }

    /// Wants a word from the other end.
    pub fn ping(&mut self) {
        self.ping_due = true;
    }

    /// The line is whole again after it was torn: what was under way is lost, and pauses are over.
    pub fn resume(&mut self) {
        self.sender.resume();
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do.
    pub fn timeout(&self) -> Option<Time> {
        self.sender.timeout()
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Time) {
        self.sender.handle_timeout(now);
    }

    /// What has been sent and not acknowledged.
    pub fn is_under_way(&self) -> bool {
        self.sender.is_under_way()
    }

    /// The time from a packet's departure to its acknowledgement, smoothed.
    pub fn round_trip(&self) -> Option<Duration> {
        self.sender.round_trip()
    }

    /// Data packets that went out, and that went out again.
    pub fn transmissions(&self) -> (u64, u64) {
        self.sender.transmissions()
    }
}

/// Whether `a` comes before `b`, of numbers that wrap and are less than half of the circle apart.
fn precedes(a: u16, b: u16) -> bool {
    a != b && b.wrapping_sub(a) < 0x8000
}

#[cfg(test)]
mod tests;
