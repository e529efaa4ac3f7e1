//! How messages share a line.

use std::time::Duration;

use super::super::super::fault::Fault;
use super::super::super::mux::Kind;
use super::super::super::testing::{Scene, answer, config, question};
use super::super::LinkConfig;

const BAUD: u32 = 115_200;
const LATENCY: Duration = Duration::from_millis(5);
const SECOND: Duration = Duration::from_secs(1);

fn connected(config: LinkConfig) -> Scene {
    Scene::connected(1, config, BAUD, LATENCY)
}

#[test]
fn a_small_message_overtakes_bulk() {
    let mut scene = connected(config(BAUD));
    let bulk = [0, 1].map(|end| scene.ask(end, Kind::Mail, question(1, 200_000, 16), None));
    scene.pass(SECOND);
    for number in 0..20 {
        let begin = scene.now;
        let small = scene.ask(0, Kind::Request, question(number, 100, 100), None);
        assert!(scene.run(SECOND, |scene| scene.outcome(0, small).is_some_and(Result::is_ok)));
        // On the way there and back, it waits for a frame on the wire, and for one behind it, of 45 ms each.
        let took = scene.now.since(begin);
        assert!(took < Duration::from_millis(240), "{took:?}");
        scene.pass(Duration::from_millis(137));
    }
    assert!((0..2).all(|end| scene.outcome(end, bulk[end]).is_none()), "the line was busy all the time");
    assert!(scene.run(SECOND * 60, |scene| (0..2).all(|end| scene.outcome(end, bulk[end]).is_some())));
}

#[test]
fn small_messages_do_not_starve_bulk() {
    let mut scene = connected(config(BAUD));
    let bulk = scene.ask(0, Kind::Mail, question(1, 20_000, 16), None);
    let mut number = 0;
    let begin = scene.now;
    while scene.outcome(0, bulk).is_none() {
        while scene.ends[0].outcomes.len() + 40 > number as usize {
            number += 1;
            scene.ask(0, Kind::Request, question(number, 300, 4), None);
        }
        scene.pass(Duration::from_millis(5));
        assert!(scene.now.since(begin) < SECOND * 20);
    }
}

#[test]
fn a_bulk_message_without_room_blocks_no_other() {
    let mut scene = connected(LinkConfig { memory: 50_000, ..config(BAUD) });
    let first = scene.ask(0, Kind::Mail, question(1, 40_000, 16), None);
    let second = scene.ask(0, Kind::Mail, question(2, 41_000, 16), None);
    scene.pass(SECOND);
    let small = scene.ask(0, Kind::Request, question(3, 1_000, 10), None);
    assert!(scene.run(SECOND, |scene| scene.outcome(0, small).is_some_and(Result::is_ok)));
    assert!(scene.run(SECOND * 4, |scene| scene.outcome(0, first).is_some_and(Result::is_ok)));
    assert!(scene.run(SECOND * 5, |scene| scene.outcome(0, second).is_some_and(Result::is_ok)));
}

#[test]
fn one_message_may_be_longer_than_all_memory() {
    let mut scene = connected(LinkConfig { memory: 10_000, ..config(BAUD) });
    let asks: Vec<_> =
        (0..4).map(|number| scene.ask(0, Kind::Request, question(number, 20_000, 20_000), None)).collect();
    assert!(scene.run(SECOND * 60, |scene| scene.ends[0].outcomes.len() == 4));
    for (number, ask) in (0..).zip(asks) {
        assert_eq!(scene.outcome(0, ask), Some(&Ok((Kind::Answer, answer(&question(number, 20_000, 20_000))))));
    }
}

#[test]
fn many_questions_at_once_find_their_answers() {
    let mut scene = connected(config(BAUD));
    let asks: Vec<_> = (0..900)
        .map(|number| scene.ask((number % 2) as usize, Kind::Request, question(number, 20, number % 50), None))
        .collect();
    let done = |scene: &Scene| scene.ends.iter().map(|end| end.outcomes.len()).sum::<usize>() == 900;
    assert!(scene.run(SECOND * 60, done));
    for (number, ask) in (0..).zip(asks) {
        let expected = answer(&question(number, 20, number % 50));
        assert_eq!(scene.outcome((number % 2) as usize, ask), Some(&Ok((Kind::Answer, expected))));
    }
}

#[test]
fn too_many_questions_are_refused() {
    let mut scene = connected(LinkConfig { asks: 3, ..config(BAUD) });
    for number in 0..3 {
        scene.ask(0, Kind::Request, question(number, 20, 4), None);
    }
    let now = scene.now;
    let refused = scene.ends[0].link.ask(Kind::Request, question(4, 20, 4), None, now);
    assert_eq!(refused, Err(Fault::TooMany { at_most: 3 }));
}

#[test]
fn requests_that_wait_leave_room_for_mail() {
    let mut scene = connected(config(BAUD));
    scene.ends[1].silent = true;
    for number in 0..100 {
        scene.ask(0, Kind::Request, question(number, 20, 4), None);
    }
    scene.pass(SECOND * 5);
    assert_eq!(scene.ends[1].asked.len(), 48);
    scene.ends[1].silent = false;
    let mail = scene.ask(0, Kind::Mail, question(200, 20, 4), None);
    assert!(scene.run(SECOND, |scene| scene.outcome(0, mail).is_some_and(Result::is_ok)));
}

#[test]
fn what_is_withdrawn_is_not_worked_on() {
    let mut scene = connected(config(BAUD));
    scene.ends[1].silent = true;
    let small = scene.ask(0, Kind::Request, question(1, 20, 4), None);
    let bulk = scene.ask(0, Kind::Mail, question(2, 50_000, 4), None);
    scene.pass(SECOND);
    for ask in [small, bulk] {
        scene.ends[0].link.withdraw(ask);
    }
    scene.pass(SECOND);
    let asked = scene.ends[1].asked.clone();
    assert_eq!(asked.len(), 1);
    assert_eq!(scene.ends[1].withdrawn, [asked[0].0]);
    let before = scene.carried();
    scene.pass(SECOND * 4);
    assert!(scene.carried() - before < 100, "the bulk has stopped");
    assert!(scene.ends[0].outcomes.is_empty());
}

#[test]
fn a_long_question_may_be_refused_before_it_has_come() {
    let mut scene = connected(config(BAUD));
    scene.ends[1].refuses = true;
    let before = scene.carried();
    let bulk = scene.ask(0, Kind::Mail, question(1, 1_000_000, 4), None);
    assert!(scene.run(SECOND, |scene| scene.outcome(0, bulk).is_some()));
    assert_eq!(scene.outcome(0, bulk), Some(&Ok((Kind::Failure, "no".into()))));
    scene.pass(SECOND * 4);
    assert!(scene.carried() - before < 10_000, "{}", scene.carried() - before);
    assert!(scene.ends[1].asked.is_empty());
    let small = scene.ask(0, Kind::Mail, question(2, 100, 4), None);
    assert!(scene.run(SECOND, |scene| scene.outcome(0, small).is_some_and(Result::is_ok)));
}

#[test]
fn a_question_without_an_answer_fails_in_its_deadline() {
    let mut scene = connected(config(BAUD));
    scene.ends[1].silent = true;
    let ask = scene.ask(0, Kind::Request, question(1, 20, 4), Some(SECOND * 3));
    assert!(!scene.run(SECOND * 2, |scene| scene.outcome(0, ask).is_some()));
    assert!(scene.run(SECOND * 2, |scene| scene.outcome(0, ask).is_some()));
    assert_eq!(scene.outcome(0, ask), Some(&Err(Fault::TimedOut { seconds: 3 })));
    scene.pass(SECOND);
    assert_eq!(scene.ends[1].withdrawn.len(), 1);
}

#[test]
fn a_message_that_moves_may_take_long() {
    let mut scene = connected(config(BAUD));
    let asks = [1, 2].map(|number| scene.ask(0, Kind::Mail, question(number, 300_000, 16), Some(SECOND * 5)));
    assert!(scene.run(SECOND * 90, |scene| asks.iter().all(|ask| scene.outcome(0, *ask).is_some())));
    assert!(asks.iter().all(|ask| scene.outcome(0, *ask).unwrap().is_ok()));
}

#[test]
fn messages_longer_than_the_other_end_takes_are_refused_at_once() {
    let mut small = config(BAUD);
    small.terms.longest = 1000;
    let mut scene = Scene::new(2, [config(BAUD), small], BAUD, LATENCY);
    let early = scene.ask(0, Kind::Mail, question(1, 1001, 16), None);
    let fits = scene.ask(0, Kind::Mail, question(1, 1000, 16), None);
    assert!(scene.run(SECOND * 2, |scene| scene.outcome(0, fits).is_some_and(Result::is_ok)));
    let too_long = Fault::TooLong { bytes: 1001, at_most: 1000 };
    assert_eq!(scene.outcome(0, early), Some(&Err(too_long.clone())));
    let now = scene.now;
    assert_eq!(scene.ends[0].link.ask(Kind::Mail, question(1, 1001, 16), None, now), Err(too_long));
}

/// What a microcontroller may have: frames of 64 bytes, one under way, one question at a time, no memory.
#[test]
fn the_smallest_end_works() {
    let mut small = config(BAUD);
    small.terms.mtu = 64;
    (small.terms.window, small.terms.buffer, small.terms.streams, small.terms.credit) = (1, 64, 1, 0);
    let mut scene = Scene::new(3, [config(BAUD), small], BAUD, LATENCY);
    for number in 0..10 {
        scene.ask(0, Kind::Request, question(number, 500, 100), None);
        scene.ask(1, Kind::Request, question(number, 500, 100), None);
    }
    assert!(scene.run(SECOND * 60, |scene| scene.ends.iter().all(|end| end.outcomes.len() == 10)));
    assert!(scene.ends.iter().all(|end| end.outcomes.iter().all(|(_, outcome)| outcome.is_ok())));
}
