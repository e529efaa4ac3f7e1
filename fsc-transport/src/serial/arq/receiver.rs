//! What has come, and what of it may be handed on.

use std::collections::VecDeque;

use super::super::packet::Ack;
use super::precedes;

/// Puts packets in order.
#[derive(Debug)]
pub(super) struct Receiver {
    /// The number of the first packet that is missing.
    next: u16,
    /// The latest transmission that came.
    latest: u16,
    /// What came ahead of it: packet `next + 1 + i` at `i`.
    ahead: VecDeque<Option<Vec<u8>>>,
    /// What is in order and not yet fetched.
    ready: VecDeque<Vec<u8>>,
    window: usize,
    buffer: usize,
}

impl Receiver {
    pub(super) fn new(window: usize, buffer: usize) -> Self {
        Self { next: 0, latest: 0, ahead: VecDeque::new(), ready: VecDeque::new(), window, buffer }
    }

    /// Takes in the packet `number`. One that came already, or lies beyond the window, is dropped.
    pub(super) fn take(&mut self, transmission: u16, number: u16, payload: &[u8]) {
        let distance = usize::from(number.wrapping_sub(self.next));
        if distance >= self.window {
            // Behind or beyond. If it is behind, its transmission counts: the other end did not know that it came.
            if precedes(number, self.next) {
                self.note(transmission);
            }
            return;
        }
        let held: usize = self.ahead.iter().flatten().map(Vec::len).sum();
        if distance > 0 && held + payload.len() > self.buffer {
            return;
        }
        self.note(transmission);
        match distance.checked_sub(1) {
            None => self.advance(payload.to_vec()),
            Some(place) => {
                if self.ahead.len() <= place {
                    self.ahead.resize(place + 1, None);
                }
                if let Some(slot) = self.ahead.get_mut(place) {
                    slot.get_or_insert_with(|| payload.to_vec());
                }
            }
        }
    }

    /// The latest transmission is this one, unless a later one was.
    pub(super) fn note(&mut self, transmission: u16) {
        if precedes(self.latest, transmission) {
            self.latest = transmission;
        }
    }

    pub(super) fn next(&mut self) -> Option<Vec<u8>> {
        self.ready.pop_front()
    }

    pub(super) fn ack(&self) -> Ack {
        let mut map = vec![0; self.ahead.len().div_ceil(8)];
        for (place, _) in self.ahead.iter().enumerate().filter(|(_, packet)| packet.is_some()) {
            if let Some(byte) = map.get_mut(place / 8) {
                *byte |= 1 << (place % 8);
            }
        }
        Ack { next: self.next, latest: self.latest, map }
    }

    /// The missing packet has come, and with it those that waited for it.
    fn advance(&mut self, payload: Vec<u8>) {
        self.ready.push_back(payload);
        self.next = self.next.wrapping_add(1);
        while let Some(slot) = self.ahead.pop_front() {
            let Some(payload) = slot else { break };
            self.ready.push_back(payload);
            self.next = self.next.wrapping_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fetched(receiver: &mut Receiver) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| receiver.next()).collect()
    }

    #[test]
    fn packets_come_out_in_order_and_once() {
        let mut receiver = Receiver::new(4, 100);
        receiver.take(1, 1, b"b");
        receiver.take(2, 3, b"d");
        receiver.take(3, 1, b"b again");
        assert_eq!(receiver.ack(), Ack { next: 0, latest: 3, map: vec![0b101] });
        assert!(fetched(&mut receiver).is_empty());
        receiver.take(4, 0, b"a");
        assert_eq!(fetched(&mut receiver), [b"a", b"b"]);
        assert_eq!(receiver.ack(), Ack { next: 2, latest: 4, map: vec![0b1] });
        receiver.take(5, 0, b"a again");
        receiver.take(6, 2, b"c");
        assert_eq!(fetched(&mut receiver), [b"c", b"d"]);
        assert_eq!(receiver.ack(), Ack { next: 4, latest: 6, map: vec![] });
    }

    #[test]
    fn what_there_is_no_room_for_has_not_come() {
        let mut receiver = Receiver::new(4, 10);
        receiver.take(1, 4, b"beyond the window");
        receiver.take(2, 1, b"12345678");
        receiver.take(3, 2, b"123");
        assert_eq!(receiver.ack(), Ack { next: 0, latest: 2, map: vec![0b1] });
        receiver.take(4, 0, &[0; 100]);
        assert_eq!(fetched(&mut receiver).len(), 2);
    }
}
