//! How two ends meet, part, and meet again.

use std::time::Duration;

use bytes::Bytes;

use super::super::super::fault::{Fault, Hint};
use super::super::super::frame::{self, Binding};
use super::super::super::hello::{Features, Mismatch};
use super::super::super::mux::Kind;
use super::super::super::testing::{Faults, Scene, TERMS, answer, config, question};
use super::super::{Event, Hello, LinkConfig};

const BAUD: u32 = 115_200;
const LATENCY: Duration = Duration::from_millis(5);
const SECOND: Duration = Duration::from_secs(1);

fn connected(seed: u64) -> Scene {
    Scene::connected(seed, config(BAUD), BAUD, LATENCY)
}

#[test]
fn two_ends_meet_whoever_comes_first() {
    for late in 0..30 {
        let mut scene = Scene::new(late, [config(BAUD); 2], BAUD, LATENCY);
        scene.pass(Duration::from_millis(late * 37));
        scene.restart(1, config(BAUD));
        let first = scene.ask(0, Kind::Request, question(1, 100, 50), None);
        assert!(scene.run(SECOND * 4, |scene| scene.outcome(0, first).is_some()), "{late}");
        // It may have begun in the other end's first life.
        let second = scene.ask(0, Kind::Request, question(1, 100, 50), None);
        assert!(scene.run(SECOND, |scene| scene.outcome(0, second).is_some_and(Result::is_ok)), "{late}");
    }
}

#[test]
fn ends_meet_on_a_line_that_loses_a_third() {
    for seed in 0..50 {
        let mut scene = Scene::new(seed, [config(BAUD); 2], BAUD, LATENCY);
        scene.faults = Faults { drop: 0.3, repeat: 0.1, ..Faults::default() };
        let asks = [0, 1].map(|end| scene.ask(end, Kind::Request, question(1, 100, 50), None));
        let done = |scene: &Scene| (0..2).all(|end| scene.outcome(end, asks[end]).is_some());
        assert!(scene.run(SECOND * 30, done), "{seed}");
        assert!((0..2).all(|end| scene.outcome(end, asks[end]).unwrap().is_ok()), "{seed}");
        // They agree: no end goes on to greet.
        scene.faults = Faults::default();
        scene.pass(SECOND * 10);
        let connected = scene.ends.iter().map(|end| end.connected).sum::<usize>();
        scene.pass(SECOND * 100);
        assert_eq!(connected, scene.ends.iter().map(|end| end.connected).sum::<usize>(), "{seed}");
    }
}

#[test]
fn a_line_cut_for_five_seconds_loses_and_repeats_nothing() {
    let mut scene = connected(1);
    let asks: Vec<_> = (0..20).map(|number| scene.ask(0, Kind::Request, question(number, 3000, 500), None)).collect();
    scene.pass(SECOND);
    scene.is_cut = true;
    scene.pass(SECOND * 5);
    let before = scene.ends[0].link.statistics().bytes_in;
    scene.is_cut = false;
    scene.pass(SECOND);
    assert!(scene.ends[0].link.statistics().bytes_in > before + 50, "it goes on within a second");
    assert!(scene.run(SECOND * 30, |scene| scene.ends[0].outcomes.len() == 20));
    for (number, ask) in (0..20).zip(asks) {
        let expected = answer(&question(number, 3000, 500));
        assert_eq!(scene.outcome(0, ask), Some(&Ok((Kind::Answer, expected))));
    }
    assert_eq!(scene.ends[1].asked.len(), 20);
    assert_eq!(scene.ends[0].connected, 1);
}

#[test]
fn a_port_that_was_unplugged_is_used_at_once_when_it_is_back() {
    let mut scene = connected(2);
    let ask = scene.ask(0, Kind::Request, question(1, 5000, 50), None);
    scene.pass(Duration::from_millis(100));
    scene.is_cut = true;
    scene.ends[0].link.unplug("no such device");
    scene.pass(SECOND * 10);
    scene.is_cut = false;
    let now = scene.now;
    scene.ends[0].link.plug_in(now);
    assert!(scene.run(SECOND, |scene| scene.outcome(0, ask).is_some_and(Result::is_ok)));
    assert_eq!(scene.ends[1].asked.len(), 1);
}

#[test]
fn a_line_that_stays_cut_is_given_up() {
    let mut scene = connected(3);
    let ask = scene.ask(0, Kind::Mail, question(1, 5000, 50), None);
    scene.pass(Duration::from_millis(100));
    scene.is_cut = true;
    assert!(!scene.run(SECOND * 29, |scene| scene.outcome(0, ask).is_some()));
    assert!(scene.run(SECOND * 2, |scene| scene.outcome(0, ask).is_some()));
    let silent = Fault::Silent { seconds: 30 };
    assert_eq!(scene.outcome(0, ask), Some(&Err(silent.clone())));
    assert!(scene.run(SECOND * 6, |scene| scene.ends.iter().all(|end| end.lost == [silent.clone()])));
    scene.is_cut = false;
    let again = scene.ask(0, Kind::Mail, question(2, 50, 50), None);
    assert!(scene.run(SECOND * 6, |scene| scene.outcome(0, again).is_some_and(Result::is_ok)));
}

#[test]
fn what_a_restarted_end_knows_nothing_of_fails_promptly() {
    let mut scene = connected(4);
    scene.ends[1].silent = true;
    let asks = [0, 1].map(|number| scene.ask(0, Kind::Request, question(number, 50, 50), None));
    scene.pass(SECOND);
    assert_eq!(scene.ends[1].asked.len(), 2);
    scene.restart(1, config(BAUD));
    assert!(scene.run(SECOND, |scene| scene.ends[0].outcomes.len() == 2));
    for ask in asks {
        assert_eq!(scene.outcome(0, ask), Some(&Err(Fault::Restarted)));
    }
    assert_eq!(scene.ends[0].lost, [Fault::Restarted]);
    let ask = scene.ask(0, Kind::Request, question(3, 50, 50), None);
    assert!(scene.run(SECOND, |scene| scene.outcome(0, ask).is_some_and(Result::is_ok)));
    assert_eq!(scene.ends[1].asked.len(), 1);
}

#[test]
fn what_had_not_begun_is_asked_of_the_restarted_end() {
    let mut scene = connected(5);
    scene.is_cut = true;
    let begun = scene.ask(0, Kind::Request, question(1, 100, 50), None);
    scene.pass(Duration::from_millis(50));
    scene.restart(1, config(BAUD));
    // The buffer of the line is full: these wait in the queue.
    let bulk = scene.ask(0, Kind::Mail, question(2, 100_000, 16), None);
    scene.pass(SECOND * 3);
    let waiting: Vec<_> = (0..100).map(|number| scene.ask(0, Kind::Request, question(number, 900, 9), None)).collect();
    scene.is_cut = false;
    assert!(scene.run(SECOND * 30, |scene| scene.ends[0].outcomes.len() == 102));
    for ask in [begun, bulk] {
        assert_eq!(scene.outcome(0, ask), Some(&Err(Fault::Restarted)));
    }
    let (answered, failed): (Vec<_>, Vec<_>) =
        waiting.iter().map(|ask| scene.outcome(0, *ask).unwrap()).partition(|outcome| outcome.is_ok());
    assert!(failed.iter().all(|outcome| **outcome == Err(Fault::Restarted)));
    assert!(answered.len() > 50, "{}", answered.len());
    assert_eq!(scene.ends[1].asked.len(), answered.len());
}

#[test]
fn questions_of_an_end_that_is_gone_are_withdrawn() {
    let mut scene = connected(6);
    scene.ends[1].silent = true;
    scene.ask(0, Kind::Request, question(1, 50, 50), None);
    scene.pass(SECOND);
    scene.restart(0, config(BAUD));
    assert!(scene.run(SECOND, |scene| scene.ends[1].withdrawn == [scene.ends[1].asked[0].0]));
}

#[test]
fn a_closed_line_says_so() {
    let mut scene = connected(7);
    scene.ends[1].silent = true;
    let ask = scene.ask(0, Kind::Request, question(1, 50, 50), None);
    scene.pass(SECOND);
    let now = scene.now;
    scene.ends[1].link.close();
    assert!(scene.run(SECOND, |scene| scene.outcome(0, ask) == Some(&Err(Fault::Closed))));
    assert_eq!(scene.ends[1].link.ask(Kind::Mail, Bytes::new(), None, now), Err(Fault::ClosedHere));
}

#[test]
fn ends_that_do_not_fit_say_why() {
    let needs = |needs| LinkConfig { terms: super::super::Terms { needs, ..TERMS }, ..config(BAUD) };
    let mut scene = Scene::new(8, [config(BAUD), needs(Features(4))], BAUD, LATENCY);
    let asks = [0, 1].map(|end| scene.ask(end, Kind::Mail, Bytes::new(), None));
    assert!(scene.run(SECOND, |scene| (0..2).all(|end| scene.outcome(end, asks[end]).is_some())));
    let missing = Features(4);
    assert_eq!(scene.outcome(0, asks[0]), Some(&Err(Mismatch::TheyNeed { missing }.into())));
    assert_eq!(scene.outcome(1, asks[1]), Some(&Err(Mismatch::WeNeed { missing }.into())));
    let now = scene.now;
    let refused = scene.ends[0].link.ask(Kind::Mail, Bytes::new(), None, now);
    assert_eq!(refused, Err(Mismatch::TheyNeed { missing }.into()));
    // As soon as the other end is replaced by one that fits, all is well.
    scene.restart(1, config(BAUD));
    scene.pass(SECOND * 3);
    let ask = scene.ask(0, Kind::Mail, Bytes::new(), None);
    assert!(scene.run(SECOND, |scene| scene.outcome(0, ask).is_some_and(Result::is_ok)));
}

#[test]
fn an_end_of_another_version_is_named() {
    let mut scene = Scene::new(9, [config(BAUD); 2], BAUD, LATENCY);
    scene.is_cut = true;
    let ask = scene.ask(0, Kind::Mail, Bytes::new(), None);
    let (mut body, mut bytes) = (Vec::new(), Vec::new());
    Hello { settled: false, epoch: 9, echo: 0, terms: TERMS }.write(&mut body);
    body[4] = 2;
    frame::encode(&Binding::NONE, &body, &mut bytes);
    let now = scene.now;
    scene.ends[0].link.handle_bytes(now, &bytes);
    assert!(scene.run(SECOND, |scene| scene.outcome(0, ask).is_some()));
    let Some(Err(fault)) = scene.outcome(0, ask) else { panic!("it fails") };
    let expected = "the other end speaks version 2 of the line protocol, this one version 1: \
                    update the program at this end";
    assert_eq!(fault.to_string(), expected);
}

#[test]
fn an_end_that_does_not_offer_something_is_not_asked() {
    let client_only = LinkConfig { terms: super::super::Terms { offers: Features(0), ..TERMS }, ..config(BAUD) };
    let mut scene = Scene::new(10, [config(BAUD), client_only], BAUD, LATENCY);
    scene.pass(SECOND);
    let now = scene.now;
    let refused = scene.ends[0].link.ask(Kind::Mail, Bytes::new(), None, now).unwrap_err();
    assert_eq!(refused.to_string(), "the other end takes no mail");
    let ask = scene.ask(1, Kind::Request, question(1, 50, 50), None);
    assert!(scene.run(SECOND, |scene| scene.outcome(1, ask).is_some_and(Result::is_ok)));
}

#[test]
fn nobody_answers_and_why_that_may_be() {
    for (noise, hint) in [(&b""[..], Hint::Nothing), (b"\0login: \0", Hint::Garbage)] {
        let mut scene = Scene::new(11, [config(BAUD); 2], BAUD, LATENCY);
        scene.is_cut = true;
        let ask = scene.ask(0, Kind::Mail, Bytes::new(), None);
        let now = scene.now;
        scene.ends[0].link.handle_bytes(now, noise);
        assert!(scene.run(SECOND * 31, |scene| scene.outcome(0, ask).is_some()));
        assert_eq!(scene.outcome(0, ask), Some(&Err(Fault::NobodyAnswers { hint })));
    }
}

#[test]
fn an_end_that_hears_itself_says_so() {
    let mut link = super::super::Link::new(config(BAUD), Box::new(|| 7));
    let mut now = fsc_core::clock::Time::START;
    link.plug_in(now);
    let ask = link.ask(Kind::Mail, Bytes::new(), None, now).unwrap();
    for _ in 0..400 {
        let mut out = Vec::new();
        while link.poll_transmit(now, &mut out) {}
        link.handle_bytes(now, &out);
        now = now + SECOND / 10;
        link.handle_timeout(now);
    }
    let fault = Fault::NobodyAnswers { hint: Hint::Echo };
    assert_eq!(link.poll_event(), Some(Event::Failed { ask, fault }));
}

#[test]
fn hellos_of_the_past_change_nothing() {
    let mut scene = connected(12);
    let (mut old, mut bytes) = (Vec::new(), Vec::new());
    Hello { settled: false, epoch: 99, echo: 3, terms: TERMS }.write(&mut old);
    frame::encode(&Binding::NONE, &old, &mut bytes);
    for _ in 0..20 {
        let now = scene.now;
        scene.ends[0].link.handle_bytes(now, &bytes);
        let ask = scene.ask(0, Kind::Request, question(1, 50, 50), None);
        assert!(scene.run(SECOND, |scene| scene.outcome(0, ask).is_some_and(Result::is_ok)));
    }
    assert!(scene.ends.iter().all(|end| end.connected == 1 && end.lost.is_empty()));
}
