//! How noisy the line is, and how long packets should be for it.

/// Bytes that a packet costs beside its payload, about.
const BESIDE: usize = 24;

/// No payload need be shorter, however noisy the line.
const SHORTEST: usize = 40;

/// What lies further back than this many bytes counts half.
const MEMORY: usize = 16 << 10;

/// Counts what is lost.
#[derive(Debug, Default)]
pub(super) struct Noise {
    bytes: usize,
    lost: usize,
}

impl Noise {
    pub(super) fn sent(&mut self, payload: usize) {
        self.bytes += payload + BESIDE;
        if self.bytes > MEMORY {
            self.bytes /= 2;
            self.lost /= 2;
        }
    }

    pub(super) fn lost(&mut self) {
        self.lost += 1;
    }

    /// The payload that gets most through, up to `longest`.
    ///
    /// If a byte is wrong with probability q, a packet of n bytes beside its overhead h gets n (1-q)^(n+h) bytes through for n+h
    /// bytes of the line. The best n is about √(h/q). A few losses say little about q, so that up to two are forgiven.
    pub(super) fn best_length(&self, longest: usize) -> usize {
        match self.lost.saturating_sub(2) {
            0 => longest,
            lost => (BESIDE * self.bytes / lost).isqrt().max(SHORTEST).min(longest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(packets: usize, payload: usize, lost_of_100: usize) -> usize {
        let mut noise = Noise::default();
        for number in 0..packets {
            noise.sent(payload);
            if number * 37 % 100 < lost_of_100 {
                noise.lost();
            }
        }
        noise.best_length(490)
    }

    #[test]
    fn packets_are_short_on_a_noisy_line_only() {
        assert_eq!(after(1000, 490, 0), 490);
        assert_eq!(after(1000, 490, 1), 490, "1e-6 and less");
        assert!((100..300).contains(&after(1000, 490, 34)), "1e-4 per bit: {}", after(1000, 490, 34));
        assert!(after(1000, 40, 90) < 45);
    }
}
