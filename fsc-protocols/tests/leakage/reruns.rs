//! No mask comes twice: the same rendezvous with other data, after a restart, with hellos that are replayed, and with hellos that
//! differ from party to party.
//!
//! That y' − y is x' − x, for what a party sends of x and of x', means that y' is what it would have sent of x' under the masks
//! of the first run. That the simulator can compute, so nothing need be known of how a function encodes what it masks.

use std::collections::HashSet;
use std::sync::Arc;

use fsc_core::clock::Time;
use fsc_core::protocol::{Erased, Prepared};
use fsc_core::session::{Session, Setup};
use fsc_core::sim::{self, Faults, World};
use fsc_protocols::ot;

use crate::examples::{self, Example, prepared};
use crate::sums::{MasksWithoutRun, SumBy};

/// What every party starts from, by seeds: its node's key, and its session.
struct Lives<'a> {
    keys: &'a [u64],
    sessions: &'a [u64],
}

/// A party's bytes to all others in a run among nodes that have met if they still have their first keys. Blocks of 16 bytes,
/// which are not alike by chance.
fn blocks(prepared: Vec<Prepared>, party: usize, lives: &Lives<'_>) -> Vec<[u8; 16]> {
    let parties = prepared.len();
    let keys: Vec<_> = (0..parties).map(|place| sim::keys(parties, lives.keys[place]).swap_remove(place)).collect();
    if lives.keys.iter().all(|life| *life == 0) {
        ot::acquaint(&keys);
    }
    let session = |(me, prepared): (usize, _)| {
        let setup = sim::setup(me, parties, prepared, lives.sessions[me]);
        Session::new(Setup { keys: Arc::clone(&keys[me]), ..setup }, Time::START)
    };
    let sessions = prepared.into_iter().enumerate().map(session).collect();
    let report = World::of(sessions, 0, Faults::default()).run();
    assert!(report.outcomes.iter().all(Result::is_ok), "{:?}", report.outcomes);
    let others = (0..parties).filter(|other| *other != party);
    others.flat_map(|other| report.payloads(party, other)).flat_map(|sent| sent.as_chunks().0.to_vec()).collect()
}

/// What a party that joins the first run again, with other data, sends as it would have sent it, or did, under the masks of the
/// first.
fn repeated(parts: impl Fn(usize) -> Vec<Prepared>, party: usize) -> Vec<&'static str> {
    let parties = parts(0).len();
    let nobody = vec![0; parties];
    let only_me: Vec<u64> = (0..parties).map(|place| u64::from(place == party)).collect();
    let first = Lives { keys: &nobody, sessions: &nobody };
    let sent = blocks(parts(0), party, &first);
    let under_the_same_masks = blocks(parts(1), party, &first);
    assert_ne!(sent, under_the_same_masks, "the data make no difference, so the test is none");
    let forbidden: HashSet<[u8; 16]> = sent.into_iter().chain(under_the_same_masks).collect();
    let lives = [
        ("under the same uuid", &nobody, &vec![1; parties]),
        // The node may even have its old key: the nonce alone must do. The others' hellos are those of the first run.
        ("after a restart, with hellos that are replayed", &nobody, &only_me),
        ("after a restart with another key", &only_me, &only_me),
    ];
    let repeats = |(what, keys, sessions): (_, &Vec<u64>, &Vec<u64>)| {
        let again = blocks(parts(1), party, &Lives { keys, sessions });
        again.iter().any(|block| forbidden.contains(block)).then_some(what)
    };
    lives.into_iter().filter_map(repeats).collect()
}

fn repeats_no_mask(example: &Example) {
    for party in example.honest() {
        let repeated = repeated(|version| example.prepared(version), party);
        assert!(repeated.is_empty(), "{}, party {party}, {repeated:?}", example.function);
    }
}

crate::of_every_example!(repeats_no_mask);

/// Whether a party's masks are others where the last party has said another hello, though it draws the same itself.
fn differ_by_face(parts: impl Fn(usize) -> Vec<Prepared>, party: usize) -> bool {
    let shown = |face| -> HashSet<_> {
        let lives = Lives { keys: &[0; 3], sessions: &[0, 0, face] };
        blocks(parts(0), party, &lives).into_iter().collect()
    };
    assert_eq!(shown(1), shown(1), "nothing but the hello makes a difference");
    shown(1).is_disjoint(&shown(2))
}

/// A corrupt party that says another hello to each gets nothing that belongs together: of functions whose masks alone hide the
/// data. (Triples are drawn besides, once in a session, which joins one run and no other.)
#[test]
fn faces_are_shown_different_masks() {
    for example in
        [examples::sum(), examples::frequency(), examples::frequency_by_book(), examples::contingency_by_book()]
    {
        for party in example.honest() {
            assert!(differ_by_face(|version| example.prepared(version), party), "{}, {party}", example.function);
        }
    }
}

/// Masks that are derived from the pair alone, and not from the run, repeat in every way.
#[test]
fn masks_without_the_run_are_caught() {
    let example = examples::sum();
    let mutant = Erased::<SumBy<MasksWithoutRun>>::NEW;
    let parts = |version: usize| prepared(&mutant, example.parameters, example.data[version]);
    assert_eq!(repeated(parts, 0).len(), 3);
    assert!(!differ_by_face(parts, 0));
}
