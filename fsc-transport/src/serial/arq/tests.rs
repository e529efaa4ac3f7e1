//! The laws of an [`Arq`] pair, over a line of packets that loses, repeats and delays them.

use std::collections::VecDeque;

use proptest::prelude::{ProptestConfig, any, prop, prop_assert, prop_assert_eq, proptest};
use proptest::test_runner::RngSeed;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

const TIMING: Timing = Timing {
    slack: Duration::from_millis(5),
    initial: Duration::from_millis(50),
    longest_pause: Duration::from_millis(500),
};
const LATENCY: Duration = Duration::from_millis(7);
const STEP: Duration = Duration::from_millis(1);

fn limits(window: usize, buffer: usize) -> Limits {
    Limits { body: 64, window, buffer, own_window: window, own_buffer: buffer }
}

/// Two ends, and what is under way from each to the other.
struct Pair {
    now: Time,
    ends: [Arq; 2],
    way: [VecDeque<(Time, Vec<u8>)>; 2],
    to_send: [VecDeque<Vec<u8>>; 2],
    got: [Vec<Vec<u8>>; 2],
    rng: ChaCha8Rng,
    loss: f64,
    repeats: f64,
    cut: bool,
}

impl Pair {
    fn new(seed: u64, limits: Limits, loss: f64, repeats: f64) -> Self {
        let ends = [(); 2].map(|()| Arq::new(limits, TIMING));
        let (way, to_send, got) = Default::default();
        let rng = ChaCha8Rng::seed_from_u64(seed);
        Self { now: Time::START + STEP, ends, way, to_send, got, rng, loss, repeats, cut: false }
    }

    /// A millisecond: each end sends a packet and hears what has arrived.
    fn step(&mut self) {
        for from in 0..2 {
            while self.way[from].front().is_some_and(|(at, _)| *at <= self.now) {
                let (_, body) = self.way[from].pop_front().unwrap();
                assert_eq!(self.ends[1 - from].handle(&body, self.now), Heard::Packet);
            }
            self.got[1 - from].extend(std::iter::from_fn(|| self.ends[1 - from].receive()));
        }
        for from in 0..2 {
            self.ends[from].handle_timeout(self.now);
            let mut out = Vec::new();
            let queue = &mut self.to_send[from];
            if self.ends[from].transmit(|room| queue.pop_front_if(|payload| payload.len() <= room), &mut out) {
                assert!(out.len() <= 64, "{} bytes", out.len());
                self.ends[from].departs(self.now);
                self.carry(from, &out);
            }
        }
        self.now = self.now + STEP;
    }

    fn carry(&mut self, from: usize, body: &[u8]) {
        while !self.cut && !self.rng.random_bool(self.loss) {
            self.way[from].push_back((self.now + LATENCY, body.to_vec()));
            if !self.rng.random_bool(self.repeats) {
                break;
            }
        }
    }

    /// Steps until everything has come and is known to, or patience ends.
    fn run(&mut self, steps: usize) -> bool {
        (0..steps).any(|_| {
            self.step();
            (0..2).all(|end| self.to_send[end].is_empty() && !self.ends[end].is_under_way())
        })
    }
}

fn payloads(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|number| [&number.to_le_bytes()[..], &vec![7; number % 20]].concat()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(2), ..ProptestConfig::with_cases(60) })]

    #[test]
    fn all_arrive_once_and_in_order_whatever_is_lost(
        seed in any::<u64>(), loss in 0.0..0.5, repeats in 0.0..0.5, window in 1..40_usize, counts in prop::array::uniform2(0..300_usize),
    ) {
        let mut pair = Pair::new(seed, limits(window, 1 << 12), loss, repeats);
        pair.to_send = counts.map(|count| payloads(count).into());
        prop_assert!(pair.run(100_000), "not done after {:?}", pair.now);
        let [second, first] = counts.map(payloads);
        prop_assert_eq!(&pair.got, &[first, second]);
    }

    #[test]
    fn foreign_packets_do_no_harm(bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..30), 0..60)) {
        let mut arq = Arq::new(limits(8, 256), TIMING);
        for mut body in bodies {
            if let Some(kind) = body.first_mut() {
                *kind = 0x11 + *kind % 4;
            }
            let _ = arq.handle(&body, Time::START);
            let mut out = Vec::new();
            let _ = arq.transmit(|room| Some(vec![1; room]), &mut out);
            prop_assert!(out.len() <= 64);
        }
    }
}

#[test]
fn numbers_wrap() {
    let mut pair = Pair::new(3, limits(32, 1 << 12), 0.02, 0.02);
    let sent = payloads(140_000);
    pair.to_send[0] = sent.clone().into();
    assert!(pair.run(1_000_000));
    assert!(pair.got[1] == sent);
}

#[test]
fn without_loss_nothing_goes_out_twice() {
    let mut pair = Pair::new(4, limits(32, 1 << 12), 0.0, 0.0);
    pair.to_send = [payloads(500).into(), payloads(500).into()];
    assert!(pair.run(10_000));
    assert_eq!(pair.ends[0].transmissions(), (500, 0));
    let round_trip = pair.ends[0].round_trip().unwrap();
    assert!(round_trip >= LATENCY && round_trip < LATENCY * 4, "{round_trip:?}");
}

#[test]
fn a_lost_packet_goes_out_again_without_a_timer() {
    let mut pair = Pair::new(5, limits(32, 1 << 12), 0.0, 0.0);
    pair.to_send[0] = payloads(10).into();
    pair.step();
    pair.way[0].clear();
    assert!(pair.run(100));
    // The next packet there, its acknowledgement, the lost one again, and its acknowledgement.
    assert!(pair.now.since(Time::START) < LATENCY * 4 + STEP * 10, "{:?}", pair.now);
    assert_eq!(pair.got[1], payloads(10));
    assert_eq!(pair.ends[0].transmissions(), (11, 1));
}

#[test]
fn a_line_that_was_cut_is_used_within_a_second() {
    let mut pair = Pair::new(6, limits(32, 1 << 12), 0.0, 0.0);
    pair.to_send[0] = payloads(200).into();
    (0..50).for_each(|_| pair.step());
    pair.cut = true;
    (0..5_000).for_each(|_| pair.step());
    pair.cut = false;
    let before = pair.got[1].len();
    (0..600).for_each(|_| pair.step());
    assert!(pair.got[1].len() > before);
    assert!(pair.run(1_000));
    assert_eq!(pair.got[1], payloads(200));
}

#[test]
fn a_small_buffer_is_never_overrun() {
    let mut pair = Pair::new(7, limits(32, 64), 0.3, 0.0);
    pair.to_send[0] = payloads(300).into();
    assert!(pair.run(100_000));
    assert_eq!(pair.got[1], payloads(300));
}
