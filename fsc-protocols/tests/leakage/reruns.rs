//! No mask comes twice: the same rendezvous with other data, after a restart, with hellos that are replayed, and with hellos that
//! differ from party to party.
//!
//! That y' − y is x' − x, for what a party sends of x and of x', means that y' is what it would have sent of x' under the masks
//! of the first run. That the simulator can compute, so nothing need be known of how a function encodes what it masks.

use std::collections::HashSet;
use std::sync::Arc;
use std::task::{Context, Waker};

use bytes::Bytes;
use fsc_core::clock::Time;
use fsc_core::envelope::{Content, Route};
use fsc_core::protocol::{Erased, Prepared};
use fsc_core::session::{Session, Setup};
use fsc_core::sim::{self, Faults, World};
use fsc_protocols::minimum_maximum::MinimumMaximum;
use fsc_protocols::ot;

use crate::controls::{Broken, SameDraws};
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
    others.flat_map(|other| cut(&report.payloads(party, other))).collect()
}

/// The blocks of each message, and those of what is left of all of them, short ones and tails, one after the other.
fn cut(messages: &[Bytes]) -> Vec<[u8; 16]> {
    let (mut blocks, mut rests) = (Vec::new(), Vec::new());
    for message in messages {
        let (whole, rest) = message.as_chunks();
        blocks.extend_from_slice(whole);
        rests.extend_from_slice(rest);
    }
    blocks.extend_from_slice(rests.as_chunks().0);
    // It overlaps the one before, so that nothing is left.
    blocks.extend(rests.last_chunk());
    blocks
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

/// Whether a party's masks are others where the liar has said another hello, though it draws the same itself.
fn differ_by_face(parts: impl Fn(usize) -> Vec<Prepared>, party: usize, liar: usize) -> bool {
    let shown = |face| -> HashSet<_> {
        let parts = parts(0);
        let mut sessions = vec![0; parts.len()];
        sessions[liar] = face;
        blocks(parts, party, &Lives { keys: &vec![0; sessions.len()], sessions: &sessions }).into_iter().collect()
    };
    assert_eq!(shown(1), shown(1), "nothing but the hello makes a difference");
    shown(1).is_disjoint(&shown(2))
}

/// A corrupt party that says another hello to each gets nothing that belongs together: of functions in which what is derived of
/// the run alone hides the data, masks and labels. (Triples are drawn besides, once in a session, which joins one run and no other.)
#[test]
fn faces_are_shown_different_masks() {
    for example in [
        examples::sum(),
        examples::frequency(),
        examples::frequency_by_book(),
        examples::contingency_by_book(),
        examples::extremes_to_the_garbler(),
        examples::extremes_to_the_evaluator(),
        examples::kth_element_of_two(),
        examples::median(),
        examples::median_to_the_garbler(),
        examples::frequency_with_minimum_of_two(),
        examples::contingency_with_minimum_of_two(),
        examples::matrix_on_the_left(),
        examples::matrix_on_the_right(),
        examples::regressors(),
        examples::dependent_variable(),
    ] {
        for party in example.honest() {
            let liar = *example.coalition.last().unwrap();
            let differ = differ_by_face(|version| example.prepared(version), party, liar);
            assert!(differ, "{}, {party}", example.function);
        }
    }
}

/// Among more, the last party says hello with one nonce to the first and with another one to all others: they notice, and nothing
/// is opened.
fn two_faces_are_noticed(example: &Example) {
    let parties = example.parties();
    let session = |me, prepared, seed| Session::new(sim::setup(me, parties, prepared, seed), Time::START);
    let honest = example.prepared(0).into_iter().enumerate();
    let mut sessions: Vec<Session> = honest.map(|(me, prepared)| session(me, prepared, 1)).collect();
    let mut other_face = session(parties - 1, example.prepared(0).pop().unwrap(), 2);
    let mut other_hello = std::iter::from_fn(|| other_face.poll_transmit()).find(|hello| hello.route.to == 0);
    for _ in 0..20 {
        let mut mail = Vec::new();
        for session in &mut sessions {
            let _ = session.poll(&mut Context::from_waker(Waker::noop()), Time::START);
            mail.extend(std::iter::from_fn(|| session.poll_transmit()));
        }
        for envelope in mail {
            let is_hello = matches!(envelope.content, Content::Hello(_));
            let Route { from, to, .. } = envelope.route;
            let envelope = if is_hello && usize::from(from) == parties - 1 && to == 0 {
                other_hello.take().expect("one hello to party 0")
            } else {
                envelope
            };
            let _ = sessions[usize::from(to)].handle(envelope);
        }
    }
    for (place, session) in sessions.iter().enumerate().take(parties - 1) {
        let outcome = session.outcome().unwrap_or_else(|| panic!("party {place} does not notice before a deadline"));
        assert!(outcome.is_err(), "party {place} got a result");
    }
}

#[test]
fn two_faced_hellos_are_noticed_and_open_nothing() {
    for example in [
        examples::sum(),
        examples::minimum_maximum(),
        examples::extremes_of_four_parties(),
        examples::kth_element(),
        examples::univariate(),
        examples::bivariate(),
        examples::frequency(),
        examples::frequency_with_minimum(),
        examples::contingency_with_minimum(),
        examples::columns_of_three(),
    ] {
        two_faces_are_noticed(&example);
    }
}

/// Masks that are derived from the pair alone, and not from the run, repeat in every way.
#[test]
fn masks_without_the_run_are_caught() {
    let example = examples::sum();
    let mutant = Erased::<SumBy<MasksWithoutRun>>::NEW;
    let parts = |version: usize| prepared(&mutant, example.parameters, example.data[version]);
    assert_eq!(repeated(parts, 0).len(), 3);
    assert!(!differ_by_face(parts, 0, 2));
}

/// Triples of which a party draws the same shares again mask its bits in the same way. (If its node has another key, it draws for
/// meeting the others before.)
#[test]
fn triples_that_are_drawn_again_are_caught() {
    let example = examples::minimum_maximum();
    let mutant = Erased::<Broken<MinimumMaximum, SameDraws>>::NEW;
    let parts = |version: usize| prepared(&mutant, example.parameters, example.data[version]);
    assert_eq!(repeated(parts, 0).len(), 2);
}
