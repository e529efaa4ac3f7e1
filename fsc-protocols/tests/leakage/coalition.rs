//! What a coalition makes of what it sees.
//!
//! All that a coalition knows is held fixed: its data, its keys, its draws, what it has agreed on with whom, its halves of the
//! base OTs, and all hellos. What it does not know is drawn anew for every run: the honest parties' draws, what they have agreed
//! on with one another, their Δ, and the leaves that a sender of OTs lacks. Whatever the coalition may compute of a message by
//! what it knows is then a fixed function of that message; if it could take a mask off, what remains would be the same in all
//! runs, and something else for other data of the honest parties. So it is enough that every byte of the transcript, and of
//! messages added up in which a mask may cancel, is distributed alike for two versions of their data: that covers all
//! encodings in which an input might be searched for, and says that what remains after unmasking is uniform but for what follows
//! from the result. The searching of triples for an honest party's, which takes several messages together, is with
//! `preprocessing`.

use std::collections::HashMap;

use bytes::Bytes;
use fsc_core::protocol::Prepared;
use fsc_core::sim::{self, Faults, Report, World};
use fsc_protocols::ot;

use crate::examples::{self, Example, Secret};

/// How often a transcript is drawn for each version.
const DRAWS: u64 = 64;

/// Of a longer message, every so-many-th byte is looked at; an odd number, so that all places in an element have their turn.
const LOOKED_AT: usize = 512;

/// Draws for hidden things of another version begin here.
const VERSIONS_APART: u64 = 1_000_000;

/// One run as the coalition sees it: the same for every `draw`, but for what it does not know; `given` is what it knows beyond its
/// own.
fn run(coalition: &[usize], prepared: Vec<Prepared>, given: Option<Secret>, draw: u64) -> Report {
    let parties = prepared.len();
    let hidden = |secret| if given == Some(secret) { 0 } else { draw };
    let honest = || (0..parties).filter(|place| !coalition.contains(place));
    let keys = sim::keys(parties, 0);
    for one in honest() {
        honest().filter(|other| *other < one).for_each(|other| {
            sim::agree(&keys, [one, other], hidden(Secret::Agreements));
        });
    }
    ot::acquaint_beside(&keys, coalition, hidden(Secret::Transfers));
    let world = World::new(prepared, &keys, 0, Faults::default());
    honest().fold(world, |world, place| world.reseeded(place, hidden(Secret::Draws))).run()
}

/// Bytes of all messages, and of sums of messages: of the one before of the same length between the same two, and of all
/// parties' to the same one; of those messages that are `looked_at`, by their length.
fn seen(report: &Report, parties: usize, looked_at: fn(usize) -> bool) -> Vec<u8> {
    let mut seen = Vec::new();
    let mut look = |message: &[u8]| seen.extend(message.iter().step_by(message.len().div_ceil(LOOKED_AT) | 1));
    for to in 0..parties {
        let mut sums: Vec<Vec<u8>> = Vec::new();
        for from in (0..parties).filter(|from| *from != to) {
            let mut before: HashMap<usize, Bytes> = HashMap::new();
            for (index, message) in
                report.payloads(from, to).into_iter().filter(|message| looked_at(message.len())).enumerate()
            {
                look(&message);
                if let Some(before) = before.insert(message.len(), message.clone()) {
                    look(&xor(&before, &message));
                }
                match sums.get_mut(index) {
                    Some(sum) => *sum = xor(sum, &message),
                    None => sums.push(message.to_vec()),
                }
            }
        }
        for sum in sums {
            look(&sum);
        }
    }
    seen
}

/// As far as both go.
fn xor(one: &[u8], other: &[u8]) -> Vec<u8> {
    one.iter().zip(other).map(|(one, other)| one ^ other).collect()
}

/// How the two versions can be told apart, if they can.
pub(crate) fn told_apart(
    coalition: &[usize],
    prepared: impl Fn(usize) -> Vec<Prepared>,
    given: Option<Secret>,
) -> Option<String> {
    told_apart_by(|_| true, coalition, prepared, given)
}

/// The same, by messages of some lengths.
fn told_apart_by(
    looked_at: fn(usize) -> bool,
    coalition: &[usize],
    prepared: impl Fn(usize) -> Vec<Prepared>,
    given: Option<Secret>,
) -> Option<String> {
    let drawn = [0, 1].map(|version: usize| -> Vec<Vec<u8>> {
        let first = version as u64 * VERSIONS_APART + 1;
        let view = |draw| {
            let parts = prepared(version);
            let parties = parts.len();
            let report = run(coalition, parts, given, draw);
            assert!(report.outcomes.iter().all(Result::is_ok), "draw {draw}: {:?}", report.outcomes);
            assert_eq!(report.outcomes[0], report.outcomes[parties - 1], "draw {draw}");
            seen(&report, parties, looked_at)
        };
        (first..first + DRAWS).map(view).collect()
    });
    let length = drawn[0][0].len();
    if drawn.iter().flatten().any(|view| view.len() != length) {
        return Some("messages differ in length".to_owned());
    }
    let nibbles = (0..length).flat_map(|position| [(position, 0), (position, 4)]);
    let differing = nibbles.map(|nibble| (nibble, chi_square(&drawn, nibble))).find(|(_, statistic)| *statistic > 90.0);
    differing.map(|((position, _), statistic)| format!("byte {position} of {length} has chi-square {statistic:.0}"))
}

/// The two-sample statistic of a nibble, of 15 degrees of freedom: more than 90 by chance once in 10^12, and 128 if a bit
/// differs.
fn chi_square(drawn: &[Vec<Vec<u8>>; 2], (position, shift): (usize, u32)) -> f64 {
    let mut bins = [[0.0; 16]; 2];
    for (bins, views) in bins.iter_mut().zip(drawn) {
        for view in views {
            bins[usize::from(view[position] >> shift & 15)] += 1.0;
        }
    }
    let [one, other]: [[f64; 16]; 2] = bins;
    one.iter().zip(&other).filter(|(a, b)| *a + *b > 0.0).map(|(a, b)| (a - b) * (a - b) / (a + b)).sum()
}

/// The claim, and that it is not empty: with what the honest parties' privacy rests on, the coalition tells their data apart.
fn finds_nothing(example: &Example) {
    let told_apart = |given| told_apart(example.coalition, |version| example.prepared(version), given);
    let found = told_apart(None);
    assert_eq!(found, None, "{}: the coalition tells honest data apart", example.function);
    let control = told_apart(Some(example.rests_on));
    assert!(control.is_some(), "{}: {:?} were given away unnoticed", example.function, example.rests_on);
}

crate::of_every_example!(finds_nothing);

/// What a regression opens on the way, five numbers of 32 bytes at a time, is masked whatever the data and the result are: here
/// the sign of the product of two parties' columns differs.
#[test]
fn finds_nothing_of_a_regression_on_its_way() {
    const THEIRS: &str = "[[[1], [1], [1], [-1], [0], [0], [0], [0]]]";
    let example = Example {
        data: [
            &["[[[1], [1], [0], [1], [1], [0], [0], [0]], [1, 0.5, 0, 0.25, 0.5, 0, 0.25, 0]]", THEIRS],
            &["[[[0], [0], [0], [1], [1], [1], [1], [0]], [0, -1, 0.5, 0.25, 0.5, 0, 0.25, 0]]", THEIRS],
        ],
        ..examples::columns_of_several()
    };
    let told_apart =
        |given| told_apart_by(|length| length == 5 * 32, example.coalition, |version| example.prepared(version), given);
    assert_eq!(told_apart(None), None);
    assert!(told_apart(Some(Secret::Draws)).is_some(), "the masks were given away unnoticed");
}
