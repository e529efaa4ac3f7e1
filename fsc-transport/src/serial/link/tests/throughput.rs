//! How fast a line is, for what it is. `cargo test --features serial throughput -- --nocapture` shows the numbers.
#![allow(clippy::print_stderr)] // numbers to look at

use std::time::Duration;

use super::super::super::mux::Kind;
use super::super::super::testing::{Faults, Scene, config, question};
use super::super::LinkConfig;

/// What a byte waits in drivers, beside its time on the wire.
const LATENCY: Duration = Duration::from_millis(5);

const SECOND: Duration = Duration::from_secs(1);

/// The configuration that the transport chooses by itself.
fn chosen(baud: u32) -> LinkConfig {
    let mut chosen = config(baud);
    if baud > 400_000 {
        (chosen.terms.mtu, chosen.terms.buffer) = (1024, 32 << 10);
    }
    chosen
}

/// Payload bytes of a bulk message per byte that the line carries in that time.
fn efficiency(baud: u32, flip: f64, length: usize) -> f64 {
    let mut scene = Scene::connected(1, chosen(baud), baud, LATENCY);
    scene.faults = Faults { flip, ..Faults::default() };
    let begin = scene.now;
    let ask = scene.ask(0, Kind::Mail, question(1, length, 16), None);
    assert!(scene.run(SECOND * 3000, |scene| scene.outcome(0, ask).is_some()));
    scene.outcome(0, ask).unwrap().as_ref().unwrap();
    let capacity = scene.now.since(begin).as_secs_f64() * f64::from(baud) / 10.0;
    let (payload, stats) = (length as f64 / capacity, scene.ends[0].link.statistics());
    eprintln!("{baud} baud, {flip:e} bit errors: {:.1} % payload, {} repeats", payload * 100.0, stats.repeats);
    payload
}

#[test]
fn bulk_gets_85_percent_of_the_line() {
    for (baud, length) in [(9_600, 100_000), (115_200, 1_000_000), (921_600, 5_000_000), (3_000_000, 5_000_000)] {
        let share = efficiency(baud, 0.0, length);
        assert!(share >= 0.85, "{baud} baud: {share}");
    }
}

#[test]
fn bulk_gets_80_percent_of_a_line_with_bit_errors_of_1e_6() {
    for (baud, length) in [(115_200, 1_000_000), (921_600, 5_000_000)] {
        let share = efficiency(baud, 1e-6, length);
        assert!(share >= 0.80, "{baud} baud: {share}");
    }
}

/// No requirement, but what the adaptive length of packets is for.
#[test]
fn a_noisy_line_gets_half_of_it_through() {
    let share = efficiency(115_200, 1e-4, 1_000_000);
    assert!(share >= 0.5, "{share}");
}

#[test]
fn a_chain_at_115_200_baud_takes_less_than_60_ms() {
    let mut scene = Scene::connected(2, config(115_200), 115_200, LATENCY);
    let begin = scene.now;
    let ask = scene.ask(0, Kind::Request, question(1, 200, 100), None);
    assert!(scene.run(SECOND, |scene| scene.outcome(0, ask).is_some()));
    let took = scene.now.since(begin);
    eprintln!("a chain of 200 bytes and an answer of 100 at 115,200 baud, 5 ms in drivers each way: {took:?}");
    assert!(took < Duration::from_millis(60), "{took:?}");
}

#[test]
fn an_idle_line_carries_less_than_20_bytes_a_second() {
    let mut scene = Scene::connected(3, config(115_200), 115_200, LATENCY);
    let before = scene.carried();
    scene.pass(SECOND * 1000);
    let rate = (scene.carried() - before) as f64 / 1000.0;
    eprintln!("an idle line carries {rate:.1} bytes a second, both ways together");
    assert!(rate < 20.0, "{rate}");
    assert!(scene.ends.iter().all(|end| end.lost.is_empty() && end.connected == 1));
}

/// What an end costs that waits for the other one.
#[test]
fn ends_that_do_not_hear_one_another_say_hello_now_and_then() {
    let mut scene = Scene::new(4, [config(115_200); 2], 115_200, LATENCY);
    scene.is_cut = true;
    scene.pass(SECOND * 1000);
    let rate = scene.carried() as f64 / 1000.0;
    eprintln!("a cut line carries {rate:.1} bytes a second, both ways together");
    assert!(rate < 20.0, "{rate}");
}
