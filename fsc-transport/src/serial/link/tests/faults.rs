//! Whatever happens to the line: every question is answered exactly once or fails, in time, and nothing wrong is delivered.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::{ProptestConfig, Strategy, any, prop, prop_assert, prop_assert_eq, proptest};
use proptest::test_runner::RngSeed;

use super::super::super::mux::{AskId, Kind};
use super::super::super::testing::{Faults, Scene, answer, config, question};
use super::super::Statistics;

const LATENCY: Duration = Duration::from_millis(5);
const SECOND: Duration = Duration::from_secs(1);

/// Everything that the issue names, as bad as it may be at once, or less.
fn faults() -> impl Strategy<Value = Faults> {
    let bad = |most: f64| prop::sample::select(vec![0.0, most / 10.0, most]);
    (bad(1e-4), bad(1e-4), bad(1e-4), bad(0.3), bad(0.1), bad(0.1))
        .prop_map(|(flip, lose, insert, drop, repeat, cut)| Faults { flip, lose, insert, drop, repeat, cut })
}

/// What happens beside.
#[derive(Clone, Copy, Debug)]
enum Incident {
    Cut { after: u64 },
    Unplug { after: u64 },
    Restart { after: u64, end: usize },
}

fn incident() -> impl Strategy<Value = Incident> {
    (0..3_u8, 0..6000_u64, 0..2_usize).prop_map(|(kind, after, end)| match kind {
        0 => Incident::Cut { after },
        1 => Incident::Unplug { after },
        _ => Incident::Restart { after, end },
    })
}

fn befall(scene: &mut Scene, incident: Incident, baud: u32) {
    let (Incident::Cut { after } | Incident::Unplug { after } | Incident::Restart { after, .. }) = incident;
    scene.pass(Duration::from_millis(after));
    match incident {
        Incident::Cut { .. } => {
            scene.is_cut = true;
            scene.pass(SECOND * 5);
            scene.is_cut = false;
        }
        Incident::Unplug { .. } => {
            scene.ends[0].link.unplug("gone");
            scene.pass(SECOND * 5);
            let now = scene.now;
            scene.ends[0].link.plug_in(now);
        }
        Incident::Restart { end, .. } => scene.restart(end, config(baud)),
    }
}

/// What was asked: by which end in which life, and what.
type Asked = Vec<(usize, usize, AskId, Bytes)>;

proptest! {
    #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(3), ..ProptestConfig::with_cases(150) })]

    #[test]
    fn every_question_is_answered_once_or_fails_in_its_deadline(
        seed in any::<u64>(),
        faults in faults(),
        incidents in prop::collection::vec(incident(), 0..3),
        lengths in prop::collection::vec((8..4000_usize, 0..3000_u32, 0..2_usize), 1..24),
    ) {
        let baud = 115_200;
        let mut scene = Scene::new(seed, [config(baud); 2], baud, LATENCY);
        scene.faults = faults;
        let (mut asked, mut lives) = (Asked::new(), [0_usize; 2]);
        let mut seen: BTreeMap<(usize, usize), Vec<Bytes>> = BTreeMap::new();
        let (early, late) = lengths.split_at(lengths.len() / 2);
        let mut number = 0;
        let mut ask_all = |scene: &mut Scene, lives: &[usize; 2], lengths: &[(usize, u32, usize)]| {
            for (length, reply, end) in lengths {
                number += 1;
                let kind = if number % 3 == 0 { Kind::Mail } else { Kind::Request };
                let (question, now) = (question(number, *length, *reply), scene.now);
                // An end that is unplugged refuses at once.
                if let Ok(ask) = scene.ends[*end].link.ask(kind, question.clone(), Some(SECOND * 20), now) {
                    asked.push((*end, lives[*end], ask, question));
                }
            }
        };
        ask_all(&mut scene, &lives, early);
        for incident in incidents {
            befall(&mut scene, incident, baud);
            if let Incident::Restart { end, .. } = incident {
                lives[end] += 1;
            }
        }
        ask_all(&mut scene, &lives, late);
        let of_this_life = |end: usize| asked.iter().filter(|(asker, life, ..)| (*asker, *life) == (end, lives[end])).count();
        let counts = [0, 1].map(of_this_life);
        let done = |scene: &Scene| (0..2).all(|end| scene.ends[end].outcomes.len() == counts[end]);
        // All of it takes some 20 s at this rate, some three times as long on the worst line; then patience ends.
        prop_assert!(scene.run(SECOND * 120, done), "{:?} of {counts:?}", scene.ends.each_ref().map(|end| end.outcomes.len()));
        for (end, life, ask, question) in &asked {
            if *life == lives[*end] {
                let outcome = scene.outcome(*end, *ask).unwrap();
                if let Ok((_, reply)) = outcome {
                    prop_assert_eq!(reply, &answer(question));
                }
                seen.entry((*end, *life)).or_default().push(question.clone());
            }
        }
        for end in 0..2 {
            let mut heard: Vec<_> = scene.ends[end].asked.iter().map(|(_, _, message)| message).collect();
            prop_assert!(heard.iter().all(|message| asked.iter().any(|(asker, _, _, asked)| *asker == 1 - end && asked == *message)));
            heard.sort_unstable();
            let count = heard.len();
            heard.dedup();
            prop_assert_eq!(heard.len(), count, "a question was heard twice");
        }
    }

    #[test]
    fn without_incidents_every_question_is_answered_however_bad_the_line(
        seed in any::<u64>(),
        faults in faults(),
        lengths in prop::collection::vec((8..4000_usize, 0..3000_u32, 0..2_usize), 1..12),
    ) {
        let mut scene = Scene::new(seed, [config(115_200); 2], 115_200, LATENCY);
        scene.faults = faults;
        let ask = |(number, (length, reply, end)): (u32, &(usize, u32, usize))| {
            let question = question(number, *length, *reply);
            (*end, scene.ask(*end, Kind::Request, question.clone(), Some(SECOND * 20)), answer(&question))
        };
        let asks: Vec<_> = (0..).zip(&lengths).map(ask).collect();
        let done = |scene: &Scene| asks.iter().all(|(end, ask, _)| scene.outcome(*end, *ask).is_some());
        prop_assert!(scene.run(SECOND * 120, done));
        for (end, ask, reply) in &asks {
            prop_assert_eq!(scene.outcome(*end, *ask), Some(&Ok((Kind::Answer, reply.clone()))));
        }
        prop_assert!(scene.ends.iter().all(|end| end.connected == 1 && end.lost.is_empty()));
    }

    #[test]
    fn bytes_from_nowhere_neither_panic_nor_deliver(
        seed in any::<u64>(),
        noise in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..600), 0..20),
    ) {
        let mut scene = Scene::new(seed, [config(115_200); 2], 115_200, LATENCY);
        let ask = scene.ask(0, Kind::Request, question(1, 2000, 500), None);
        for bytes in noise {
            scene.pass(Duration::from_millis(20));
            let now = scene.now;
            scene.ends.iter_mut().for_each(|end| end.link.handle_bytes(now, &bytes));
        }
        prop_assert!(scene.run(SECOND * 10, |scene| scene.outcome(0, ask).is_some_and(Result::is_ok)));
        prop_assert_eq!(scene.ends[1].asked.len(), 1);
        prop_assert_eq!(scene.ends[0].asked.len(), 0);
    }
}

/// Ten megabytes in both directions over a line with these faults, which has 30 s at a time to show progress.
fn large_streams_arrive(faults: Faults, incidents: &[Incident]) -> Statistics {
    const LARGE: usize = 10_000_000;
    let baud = 921_600;
    let mut config = config(baud);
    (config.terms.mtu, config.terms.buffer) = (1024, 32 << 10);
    let mut scene = Scene::connected(4, config, baud, LATENCY);
    scene.faults = faults;
    let questions = [1, 2].map(|number| question(number, LARGE, 40));
    let asks = [0, 1].map(|end| scene.ask(end, Kind::Mail, questions[end].clone(), Some(SECOND * 30)));
    for incident in incidents {
        befall(&mut scene, *incident, baud);
    }
    let done = |scene: &Scene| (0..2).all(|end| scene.outcome(end, asks[end]).is_some());
    assert!(scene.run(SECOND * 2000, done));
    for end in 0..2 {
        assert_eq!(scene.outcome(end, asks[end]), Some(&Ok((Kind::Life, answer(&questions[end])))));
        assert_eq!(scene.ends[1 - end].asked.len(), 1);
        assert!(scene.ends[1 - end].asked[0].2 == questions[end]);
    }
    scene.ends[0].link.statistics()
}

#[test]
fn ten_megabytes_survive_bit_flips() {
    let noisy = large_streams_arrive(Faults { flip: 1e-4, ..Faults::default() }, &[]);
    assert!(noisy.repeats > 1000 && noisy.garbage > 1000, "{noisy:?}");
}

#[test]
fn ten_megabytes_survive_lost_and_inserted_bytes() {
    large_streams_arrive(Faults { lose: 1e-4, insert: 1e-4, ..Faults::default() }, &[]);
}

#[test]
fn ten_megabytes_survive_lost_repeated_and_cut_frames() {
    large_streams_arrive(Faults { drop: 0.3, repeat: 0.1, cut: 0.1, ..Faults::default() }, &[]);
}

#[test]
fn ten_megabytes_survive_a_cut_and_an_unplugged_port() {
    let incidents = [Incident::Cut { after: 10_000 }, Incident::Unplug { after: 10_000 }];
    large_streams_arrive(Faults { flip: 1e-6, ..Faults::default() }, &incidents);
}

#[test]
fn noise_costs_one_frame() {
    let mut scene = Scene::connected(5, config(115_200), 115_200, LATENCY);
    let ask = scene.ask(0, Kind::Mail, question(1, 100_000, 4), None);
    for _ in 0..50 {
        scene.pass(Duration::from_millis(97));
        let before = scene.ends[1].link.statistics();
        scene.faults.flip = 1.0 / 4096.0;
        while scene.ends[1].link.statistics().garbage == before.garbage && scene.outcome(0, ask).is_none() {
            scene.pass(Duration::from_millis(5));
        }
        scene.faults.flip = 0.0;
    }
    assert!(scene.run(SECOND * 60, |scene| scene.outcome(0, ask).is_some_and(Result::is_ok)));
    let (sent, heard) = (scene.ends[0].link.statistics(), scene.ends[1].link.statistics());
    assert!(heard.garbage >= 20, "{heard:?}");
    // A flipped bit may make two pieces of one frame, and acknowledgements suffer too; but nothing good is ever repeated.
    assert!(sent.repeats <= heard.garbage, "{sent:?} {heard:?}");
}
