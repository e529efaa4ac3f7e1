//! No mask comes twice: the same rendezvous with other data, after a restart, with hellos that are replayed, and with hellos that
//! differ from party to party.
//!
//! That y' − y is x' − x, for what a party sends of x and of x', means that y' is what it would have sent of x' under the masks
//! of the first run. That the simulator can compute, so nothing need be known of how a function encodes what it masks.

use std::collections::HashSet;
use std::sync::Arc;

use fsc_core::clock::Time;
use fsc_core::joining::Keys;
use fsc_core::session::{Session, Setup};
use fsc_core::sim::{self, Faults, World};
use fsc_protocols::ot;

use crate::examples::{self, Example};

/// What every party starts from, by seeds: its node's key, and its session.
struct Lives<'a> {
    keys: &'a [u64],
    sessions: &'a [u64],
}

/// A party's bytes to all others in a run among nodes that have met if they still have their first keys. Blocks of 16 bytes,
/// which are not alike by chance.
fn blocks(example: &Example, version: usize, party: usize, lives: &Lives<'_>) -> Vec<[u8; 16]> {
    let parties = example.parties();
    let keys: Vec<Arc<Keys>> =
        (0..parties).map(|place| sim::keys(parties, lives.keys[place]).swap_remove(place)).collect();
    if lives.keys.iter().all(|life| *life == 0) {
        ot::acquaint(&keys);
    }
    let session = |(me, prepared): (usize, _)| {
        let setup = sim::setup(me, parties, prepared, lives.sessions[me]);
        Session::new(Setup { keys: Arc::clone(&keys[me]), ..setup }, Time::START)
    };
    let sessions = example.prepared(version).into_iter().enumerate().map(session).collect();
    let report = World::of(sessions, 0, Faults::default()).run();
    assert!(report.outcomes.iter().all(Result::is_ok), "{}: {:?}", example.function, report.outcomes);
    let others = (0..parties).filter(|other| *other != party);
    others.flat_map(|other| report.payloads(party, other)).flat_map(|sent| sent.as_chunks().0.to_vec()).collect()
}

/// A party that joins the first run again, with other data.
fn repeats_no_mask(example: &Example) {
    const FIRST: &[u64] = &[0; 3];
    let parties = example.parties();
    let first = Lives { keys: &FIRST[..parties], sessions: &FIRST[..parties] };
    for party in example.honest() {
        let sent = blocks(example, 0, party, &first);
        let under_the_same_masks = blocks(example, 1, party, &first);
        assert_ne!(sent, under_the_same_masks, "the data make no difference, so the test is none");
        let forbidden: HashSet<[u8; 16]> = sent.into_iter().chain(under_the_same_masks).collect();
        let only = |life: u64| (0..parties).map(|place| if place == party { life } else { 0 }).collect::<Vec<u64>>();
        let everybody = vec![1; parties];
        for (what, keys, sessions) in [
            ("the same uuid", &only(0), &everybody),
            // Its node may even have its old key: the nonce alone must do. The others' hellos are those of the first run.
            ("a restart, with hellos that are replayed", &only(0), &only(1)),
            ("a restart with another key", &only(1), &only(1)),
        ] {
            let again = blocks(example, 1, party, &Lives { keys, sessions });
            let repeated = again.iter().filter(|block| forbidden.contains(*block)).count();
            assert_eq!(repeated, 0, "{}, party {party}: {what}: of {} blocks", example.function, again.len());
        }
        // A control: were the nonce the same, too, that would be seen.
        let mutant = blocks(example, 1, party, &first);
        assert!(mutant.iter().any(|block| forbidden.contains(block)));
    }
}

crate::of_every_example!(repeats_no_mask);

/// A corrupt party that says another hello to each gets nothing that belongs together, even from a party that draws the same
/// twice: of functions whose masks alone hide the data, no block is the same under another hello of the third.
#[test]
fn faces_are_shown_different_masks() {
    for example in
        [examples::sum(), examples::frequency(), examples::frequency_by_book(), examples::contingency_by_book()]
    {
        for party in example.honest() {
            let shown = |face| {
                let lives = Lives { keys: &[0; 3], sessions: &[0, 0, face] };
                blocks(&example, 0, party, &lives).into_iter().collect::<HashSet<_>>()
            };
            let (one, other) = (shown(1), shown(2));
            assert!(one.is_disjoint(&other), "{}, party {party}", example.function);
            assert_eq!(one, shown(1), "nothing but the hello makes the difference");
        }
    }
}
