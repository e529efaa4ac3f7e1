use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use fsc_core::laws::{self, Lawful};
use fsc_core::object::ObjectError;
use fsc_core::protocol::{Announced, Protocol, Submission};
use fsc_core::secret::Secret;
use fsc_core::sim::{self, Faults, Report, simulate, simulate_among};
use fsc_core::value::Value;
use fsc_core::{joining::Keys, protocol_laws};
use rand::RngExt;
use rand_chacha::ChaCha20Rng;

use super::*;
use crate::ot;

protocol_laws!(Triples, docs: "../oblivious.rs", parties: 2..=5);

/// Makes triples, and opens them to see whether they are right. The test's own protocol: triples are not for showing.
struct Triples;

impl Protocol for Triples {
    const NAME: &'static str = "Triples";
    const VERSION: u16 = 1;
    const SECURITY: Security = Oblivious::SECURITY;
    type Params = (usize, usize);
    type Input = ();
    type Output = Value;

    fn admit(_: Submission) -> Result<(Self::Params, ()), ObjectError> {
        Ok(((1, 1), ()))
    }

    fn cost((length, width): &Self::Params, all: &Announced) -> Cost {
        let others = all.parties() as u64 - 1;
        let shares = (2 * width + 1) * length.div_ceil(8);
        let opening = Cost { rounds: 1, messages: others, bytes: others * shares as u64 };
        let triples = Oblivious::bit_triples_cost(all.parties(), *length, *width);
        let more = Oblivious::bit_triples_cost(all.parties(), 1, 1);
        Pairs::meeting_cost(all.strangers()) + triples + more + opening
    }

    async fn run(party: &mut Party, (length, width): (usize, usize), _: Secret<()>) -> Result<Value, ProtocolError> {
        let mut oblivious = Oblivious::connect(party).await?;
        let triples = oblivious.bit_triples(party, length, width).await?;
        // State carries over to more of them.
        let _ = oblivious.bit_triples(party, 1, 1).await?;
        let mine = [&triples.a].into_iter().chain(&triples.b).chain(&triples.c).flat_map(Bits::to_bytes).collect();
        let all = party.exchange(mine).await?;
        let mut sums: Vec<Bits> = vec![Bits::zeros(length); 1 + 2 * width];
        for (place, theirs) in all.iter().enumerate() {
            let vectors = theirs.chunks(length.div_ceil(8)).map(|bytes| Bits::from_bytes(bytes, length));
            let vectors: Option<Vec<Bits>> = vectors.collect();
            let vectors = vectors.filter(|vectors| vectors.len() == sums.len());
            add(&mut sums, &vectors.ok_or_else(|| malformed(place, "its triples have another length"))?);
        }
        let (a, products) = sums.split_first().expect("there is an a");
        let (b, c) = products.split_at(width);
        let right = b.iter().zip(c).all(|(b, c)| a.and(b) == *c);
        let ones: u32 = sums.iter().flat_map(Bits::words).map(|word| word.count_ones()).sum();
        Ok(Value::map([("right", Value::from(right)), ("ones", Value::from(ones as usize))]))
    }
}

impl Lawful for Triples {
    fn params(rng: &mut ChaCha20Rng, _: usize) -> (usize, usize) {
        (rng.random_range(1..600), rng.random_range(1..12))
    }

    fn inputs(_: &mut ChaCha20Rng, _: &Self::Params, parties: usize) -> Vec<()> {
        vec![(); parties]
    }

    fn acquaint(keys: &[Arc<Keys>]) {
        ot::acquaint(keys);
    }

    fn is_right(_: &Self::Params, _: &[()], result: &Value) -> bool {
        result.entry("right") == Some(&Value::Bool(true))
    }
}

fn warm(params: (usize, usize), parties: usize, seed: u64) -> Report {
    let keys = sim::keys(parties, seed);
    ot::acquaint(&keys);
    simulate_among::<Triples>(&params, vec![(); parties], &keys, seed, Faults::default()).unwrap()
}

#[track_caller]
fn all_right(report: &Report) {
    for outcome in &report.outcomes {
        let result = outcome.as_ref().expect("a result").entry("result").expect("a result");
        assert!(Triples::is_right(&(0, 0), &[], result));
    }
}

#[test]
fn triples_of_many_batches_are_right() {
    all_right(&warm((300_000, 1), 2, 1));
    all_right(&warm((140_000, 2), 3, 1));
    all_right(&warm((1000, 200), 2, 1));
    all_right(&warm((300, 130), 4, 1));
    all_right(&warm((200, 100_000), 2, 1));
}

#[test]
fn triples_are_random() {
    let report = warm((10_000, 1), 3, 1);
    let ones = report.outcomes[0].as_ref().unwrap().entry("result").and_then(|result| result.entry("ones")).cloned();
    let Some(Value::Int(ones)) = ones else { panic!("a number") };
    // Half of a, half of b, a quarter of c.
    assert!((12_000..13_000).contains(&ones), "{ones} of 30000");
}

#[test]
fn strangers_meet_once() {
    for parties in 2..=3 {
        let keys = sim::keys(parties, 1);
        let run =
            |seed| simulate_among::<Triples>(&(100, 2), vec![(); parties], &keys, seed, Faults::default()).unwrap();
        let (first, second) = (run(1), run(2));
        all_right(&first);
        all_right(&second);
        let stated = Triples::cost(&(100, 2), &Announced::new(0, vec![Value::Null; parties]));
        for (cold, warm) in first.costs.iter().zip(&second.costs) {
            assert_eq!(*warm, stated);
            assert_eq!(*cold, Pairs::meeting_cost(parties - 1) + stated);
        }
    }
}

/// The cost as it stands in the documentation, number by number.
#[test]
fn costs_are_these() {
    for (parties, length, width, rounds, messages, bytes) in [
        (2, 0, 1, 0, 0, 0),
        (2, 1, 1, 1, 1, 64),
        (2, 1000, 5, 1, 1, 8_000),
        (2, 1 << 20, 1, 1, 8, 8 << 20),
        (3, 1000, 5, 2, 4, 2 * (8_000 + 625)),
        (3, 1 << 17, 128, 2, 8, 3 << 21),
        (5, 8, 3, 2, 8, 4 * 67),
    ] {
        let cost = Oblivious::bit_triples_cost(parties, length, width);
        assert_eq!(cost, Cost { rounds, messages, bytes }, "{parties} parties, {length} of {width}");
    }
}

#[test]
fn transcripts_of_two_runs_have_nothing_in_common() {
    let keys = sim::keys(2, 1);
    ot::acquaint(&keys);
    let run = |seed| simulate_among::<Triples>(&(512, 1), vec![(); 2], &keys, seed, Faults::default()).unwrap();
    let words = |report: &Report| -> Vec<[u8; 8]> {
        report.payloads(0, 1).iter().flat_map(|payload| payload.as_chunks::<8>().0.to_vec()).collect()
    };
    let (one, other) = (words(&run(1)), words(&run(2)));
    assert_eq!(one.len(), other.len());
    assert!(one.iter().all(|word| !other.contains(word)));
}

/// Whoever's choices it gets: a message is uniform.
#[test]
fn messages_are_indistinguishable_from_one_another() {
    laws::transcripts_are_indistinguishable::<Triples>(&(40, 1), &[(), (), ()], &[(), (), ()]).unwrap();
}

#[test]
fn strangers_agree_in_spite_of_faults() {
    for seed in 0..5 {
        let faults = Faults { reorder: true, duplicate: 0.3, ..Faults::default() };
        all_right(&simulate::<Triples>(&(70, 2), vec![(); 3], seed, faults).unwrap());
    }
}

thread_local! {
    /// By place: the keys of the run, and the triples.
    static SEEN: RefCell<BTreeMap<usize, (Pairs, BitTriples)>> = const { RefCell::new(BTreeMap::new()) };
}

/// Makes triples, and leaves everything that was drawn and made on record.
struct Watched;

impl Protocol for Watched {
    const NAME: &'static str = "Watched";
    const VERSION: u16 = 1;
    const SECURITY: Security = Oblivious::SECURITY;
    type Params = (usize, usize);
    type Input = ();
    type Output = ();

    fn admit(_: Submission) -> Result<(Self::Params, ()), ObjectError> {
        Ok(((1, 1), ()))
    }

    fn cost((length, width): &Self::Params, all: &Announced) -> Cost {
        Oblivious::bit_triples_cost(all.parties(), *length, *width)
    }

    async fn run(party: &mut Party, (length, width): (usize, usize), _: Secret<()>) -> Result<(), ProtocolError> {
        let runs = party.others().map(|other| (other, party.mask_key(other))).collect();
        let mut oblivious = Oblivious { pairs: Pairs::start(party, &runs) };
        let triples = oblivious.bit_triples(party, length, width).await?;
        SEEN.with_borrow_mut(|seen| seen.insert(party.me(), (Pairs::start(party, &runs), triples)));
        Ok(())
    }
}

/// How many bits of two vectors differ.
fn differing(one: &Bits, other: &Bits) -> u32 {
    one.xor(other).words().iter().map(|word| word.count_ones()).sum()
}

/// Which of them add up to something that has to do with the secret, if any do: it agrees with it more or less often than by
/// chance.
fn telling_sum(made: &[Bits], secret: &Bits) -> Option<u32> {
    (0..1_u32 << made.len()).find(|subset| {
        let mut sum = Bits::zeros(secret.len());
        let terms = made.iter().enumerate().filter(|(index, _)| subset >> index & 1 == 1);
        terms.for_each(|(_, term)| sum.xor_assign(term));
        !(1_850..2_250).contains(&differing(&sum, secret))
    })
}

/// All but party 0 put together what they have: what it sent them, each one's OTs with it, and their triples. Nothing of its
/// triples is among what they can make of it; and all is there, if they have its side of the OTs, too.
#[test]
fn a_coalition_finds_nothing_of_an_honest_partys_triples() {
    const LENGTH: usize = 4096;
    for parties in [2, 4] {
        let keys = sim::keys(parties, 1);
        ot::acquaint(&keys);
        let report = simulate_among::<Watched>(&(LENGTH, 1), vec![(); parties], &keys, 1, Faults::default()).unwrap();
        let mut seen = SEEN.take();
        let (mut honest_pairs, honest) = seen.remove(&0).expect("party 0 made triples");
        for (place, (mut pairs, theirs)) in seen {
            let sent = report.payloads(0, place);
            let pair = pairs.with(0);
            let (choices, chosen) = pair.receiver.bits(&theirs.a, 1);
            let [zero, one] = pair.sender.bits(&sent[0], LENGTH, 1).unwrap();
            let mut made = vec![chosen[0].clone(), zero[0].clone(), one[0].clone(), zero[0].xor(&one[0])];
            made.extend(theirs.b.iter().chain(&theirs.c).cloned());
            if let Some(corrections) = sent.get(1) {
                made.push(Bits::from_bytes(corrections, LENGTH).unwrap());
            }
            made.push(theirs.a);
            assert_eq!(telling_sum(&made, &honest.a), None, "{parties} parties: a, at party {place}");
            assert_eq!(telling_sum(&made, &honest.b[0]), None, "{parties} parties: b, at party {place}");
            let pair = honest_pairs.with(place);
            let [zero, one] = pair.sender.bits(&choices, LENGTH, 1).unwrap();
            let (_, chosen) = pair.receiver.bits(&honest.a, 1);
            made.extend([zero, one, chosen].into_iter().flatten());
            assert!(telling_sum(&made, &honest.a).is_some(), "{parties} parties: the search finds no a");
            assert!(telling_sum(&made, &honest.b[0]).is_some(), "{parties} parties: the search finds no b");
        }
    }
}
