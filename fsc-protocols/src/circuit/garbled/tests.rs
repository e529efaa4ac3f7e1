use std::collections::HashSet;
use std::marker::PhantomData;
use std::sync::Arc;

use fsc_core::joining::Keys;
use fsc_core::laws::Lawful;
use fsc_core::object::ObjectError;
use fsc_core::protocol::{Announced, Protocol, Security, Submission};
use fsc_core::secret::Secret;
use fsc_core::sim::{self, Faults, simulate_among};
use fsc_core::value::{Value, from_value};
use fsc_core::{laws, protocol_laws};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::*;
use crate::circuit::sign::Signs;
use crate::ot::hash::uses;
use crate::ot::{self, softspoken};
use crate::preprocessing::{Oblivious, Preprocessing};

/// Everything that two parties garble, on numbers of which each has one.
struct Comparison;

#[derive(Clone, Copy, Serialize, Deserialize)]
struct Params {
    work: Work,
    width: u32,
    count: usize,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
enum Work {
    Greater,
    Smaller,
    /// The signs of sums, in two goes.
    Negative,
}

impl Protocol for Comparison {
    const NAME: &'static str = "Comparison";
    const VERSION: u16 = 1;
    const SECURITY: Security = Oblivious::SECURITY;
    type Params = Params;
    type Input = Vec<u64>;
    type Output = Vec<u64>;

    fn admit(submission: Submission) -> Result<(Params, Vec<u64>), ObjectError> {
        Err(ObjectError::argument("data", format!("not for {} clients", submission.parties)))
    }

    fn cost(params: &Params, all: &Announced) -> Cost {
        let Params { work, width, count } = *params;
        let (me, goes) = (all.me(), [count / 2, count - count / 2]);
        let opened = match work {
            Work::Greater => Circuit::Greater.opened_cost(me, count, width),
            Work::Smaller => Circuit::Smaller.opened_cost(me, count, width),
            Work::Negative => Signs::cost(Source::Oblivious, 2, me, width as usize, &goes),
        };
        Source::Oblivious.meeting_cost(all) + opened + last_opening(Source::Oblivious, 2, me)
    }

    async fn run(party: &mut Party, params: Params, input: Secret<Vec<u64>>) -> Result<Vec<u64>, ProtocolError> {
        let Params { work, width, count } = params;
        let mine = input.expose();
        Ok(match work {
            Work::Greater => open(party, Circuit::Greater, mine, width).await?.values(1),
            Work::Smaller => open(party, Circuit::Smaller, mine, width).await?.values(width),
            Work::Negative => {
                let terms: Vec<i64> = mine.iter().map(|term| *term as i64).collect();
                let mut signs = Signs::prepare(party, Source::Oblivious, width as usize, count).await?;
                let first = signs.open(party, &terms[..count / 2]).await?;
                let second = signs.open(party, &terms[count / 2..]).await?;
                Bits::concat([&first, &second]).values(1)
            }
        })
    }
}

async fn open(party: &mut Party, circuit: Circuit, mine: &[u64], width: u32) -> Result<Bits, ProtocolError> {
    Garbled::connect(party).await?.open(party, circuit, mine, width).await
}

impl Lawful for Comparison {
    fn params(rng: &mut ChaCha20Rng, _: usize) -> Params {
        let work = [Work::Greater, Work::Smaller, Work::Negative][rng.random_range(0..3)];
        let width = if let Work::Negative = work { rng.random_range(1..=60) } else { rng.random_range(1..=64) };
        Params { work, width, count: rng.random_range(2..150) }
    }

    /// Some numbers are equal, and some almost.
    fn inputs(rng: &mut ChaCha20Rng, params: &Params, _: usize) -> Vec<Vec<u64>> {
        let mut number = || rng.random::<u64>() >> (64 - params.width);
        let one: Vec<u64> = (0..params.count).map(|_| number()).collect();
        let mut other: Vec<u64> = (0..params.count).map(|_| number()).collect();
        for index in 0..params.count / 2 {
            other[index] = one[index] ^ rng.random_range(0..2) << rng.random_range(0..params.width);
        }
        if let Work::Negative = params.work {
            // Sums around zero.
            let sign = |number: &u64| if number & 1 == 1 { number.wrapping_neg() } else { *number };
            let one: Vec<u64> = one.iter().map(sign).collect();
            let other =
                one.iter().zip(&other).map(|(one, other)| one.wrapping_neg().wrapping_add(*other % 3).wrapping_sub(1));
            return vec![one.clone(), other.collect()];
        }
        vec![one, other]
    }

    fn acquaint(keys: &[Arc<Keys>]) {
        ot::acquaint(keys);
    }

    fn is_right(params: &Params, inputs: &[Vec<u64>], result: &Value) -> bool {
        let expected = inputs[0].iter().zip(&inputs[1]).map(|(a, b)| match params.work {
            Work::Greater => u64::from(a > b),
            Work::Smaller => *a.min(b),
            Work::Negative => u64::from((*a as i64) + (*b as i64) < 0),
        });
        from_value::<Vec<u64>>(result.clone()).is_ok_and(|result| result == expected.collect::<Vec<_>>())
    }
}

protocol_laws!(Comparison, docs: "../garbled.rs", parties: 2..=2);

/// Neither party's numbers can be told from what both send, but for the result.
#[test]
fn transcripts_of_different_numbers_are_indistinguishable() {
    let inputs = |a: [u64; 3], b: [u64; 3]| [a, b].map(Vec::from);
    for (work, one, other) in [
        (Work::Greater, inputs([5, 0, 255], [3, 9, 255]), inputs([255, 7, 0], [0, 7, 1])),
        (Work::Smaller, inputs([5, 0, 255], [3, 9, 255]), inputs([3, 77, 255], [200, 0, 255])),
        (Work::Negative, inputs([5, 0, 255], [3, 0, 255]), inputs([100, 1, 0], [1, 0, 0])),
    ] {
        let params = Params { work, width: 8, count: 3 };
        laws::transcripts_are_indistinguishable::<Comparison>(&params, &one, &other).unwrap();
    }
}

/// More than a window of chunks, the last of which is not full.
#[test]
fn many_instances_are_cut() {
    let (width, work) = (64, Work::Smaller);
    let params = Params { work, width, count: WINDOW * Circuit::Smaller.chunk(width) + 300 };
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let inputs = Comparison::inputs(&mut rng, &params, 2);
    let keys = sim::keys(2, 1);
    ot::acquaint(&keys);
    let report = simulate_among::<Comparison>(&params, inputs.clone(), &keys, 1, Faults::default()).unwrap();
    for (place, outcome) in report.outcomes.iter().enumerate() {
        assert!(Comparison::is_right(&params, &inputs, outcome.as_ref().unwrap().entry("result").unwrap()));
        let announced = Announced::new(place, vec![Value::Null; 2]);
        assert_eq!(report.costs[place], Comparison::cost(&params, &announced), "party {place}");
    }
    assert_eq!(report.costs[1].rounds, 3, "two windows, and the opening");
}

/// One comparison of 64 bits: the extension's 512 bytes, and 64 products; a bit each opens it.
#[test]
fn a_comparison_costs_so_much() {
    let [garbler, evaluator] = [0, 1].map(|me| Circuit::Greater.opened_cost(me, 1, 64));
    assert_eq!(garbler, Cost { rounds: 1, messages: 2, bytes: 64 * 32 + 1 });
    assert_eq!(evaluator, Cost { rounds: 1, messages: 2, bytes: 64 * 8 + 1 });
}

/// The evaluator's label of a product is the garbler's, or differs from it by Δ where the product is one; and it has no idea
/// of the other one.
#[test]
fn a_product_has_the_label_of_its_value() {
    let hash = Hash::new(&[3; 16]);
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    let delta = *softspoken::draw_delta(&mut rng);
    assert_eq!(delta & 1, 1);
    let [a, b]: [Wire; 2] = std::array::from_fn(|_| (0..400).map(|_| rng.random()).collect());
    let mut garbling = Garbling { hash: &hash, delta, number: 7, tables: Vec::new(), hashes: Vec::new() };
    let zeros = garbling.and(&a, &b);
    let ciphertexts: Vec<[u8; 16]> = garbling.tables.iter().map(|label| label.to_le_bytes()).collect();
    let bits: Vec<[u128; 2]> = (0..400).map(|_| [0, 1].map(|_| u128::from(rng.random::<bool>()))).collect();
    let chosen = |wire: &Wire, side: usize| -> Wire {
        wire.iter().zip(&bits).map(|(label, bits)| label ^ select(bits[side], delta)).collect()
    };
    let mut evaluation = Evaluation { hash: &hash, number: 7, tables: &ciphertexts, hashes: Vec::new() };
    let labels = evaluation.and(&chosen(&a, 0), &chosen(&b, 1));
    for ((label, zero), [a, b]) in labels.iter().zip(&zeros).zip(&bits) {
        assert_eq!(*label, zero ^ select(a & b, delta));
    }
}

/// How a party's garbling differs from what is shipped, from each of two goes on.
trait Mutation: Send + Sync + 'static {
    fn mutate(party: &Party, garbled: &mut Garbled);
}

/// Not at all.
struct Shipped;

impl Mutation for Shipped {
    fn mutate(_: &Party, _: &mut Garbled) {}
}

/// Products are numbered from zero again.
struct SameTweaks;

impl Mutation for SameTweaks {
    fn mutate(_: &Party, garbled: &mut Garbled) {
        garbled.products = 0;
    }
}

/// Labels are derived of what the nodes keep alone, not of the run.
struct SameLabels;

impl Mutation for SameLabels {
    fn mutate(party: &Party, garbled: &mut Garbled) {
        garbled.pairs = Pairs::start(party, &vec![(peer(party), Zeroizing::new([0; 32]))]);
    }
}

/// Compares the same numbers twice.
struct Twice<M>(PhantomData<M>);

impl<M: Mutation> Protocol for Twice<M> {
    const NAME: &'static str = "Twice";
    const VERSION: u16 = 1;
    const SECURITY: Security = Oblivious::SECURITY;
    type Params = ();
    type Input = u64;
    type Output = Vec<u64>;

    fn admit(submission: Submission) -> Result<((), u64), ObjectError> {
        Err(ObjectError::argument("data", format!("not for {} clients", submission.parties)))
    }

    fn cost((): &(), _: &Announced) -> Cost {
        Cost::default()
    }

    async fn run(party: &mut Party, (): (), input: Secret<u64>) -> Result<Vec<u64>, ProtocolError> {
        let mut garbled = Garbled::connect(party).await?;
        let mut results = Vec::new();
        for _ in 0..2 {
            M::mutate(party, &mut garbled);
            results.extend(garbled.open(party, Circuit::Greater, &[*input.expose()], 64).await?.values(1));
        }
        Ok(results)
    }
}

/// What repeats over two runs of the same nodes, of two goes each; all of them have the right result.
fn repeats<M: Mutation>() -> Result<(), &'static str> {
    let keys = sim::keys(2, 1);
    ot::acquaint(&keys);
    let mut blocks: Vec<[u8; 16]> = Vec::new();
    let uses = uses::during(|| {
        for seed in [1, 2] {
            let report = simulate_among::<Twice<M>>(&(), vec![9, 5], &keys, seed, Faults::default()).unwrap();
            for outcome in &report.outcomes {
                let result = outcome.as_ref().unwrap().entry("result").unwrap().clone();
                assert_eq!(from_value::<Vec<u64>>(result), Ok(vec![1, 1]));
            }
            let said = [[0, 1], [1, 0]].into_iter().flat_map(|[from, to]| report.payloads(from, to));
            said.for_each(|message| blocks.extend_from_slice(message.as_chunks().0));
        }
    });
    if blocks.iter().collect::<HashSet<_>>().len() < blocks.len() {
        return Err("what is sent repeats");
    }
    if uses::repeat(uses) { Err("a tweak comes twice") } else { Ok(()) }
}

#[test]
fn neither_labels_nor_tweaks_repeat_and_mutants_are_caught() {
    assert_eq!(repeats::<Shipped>(), Ok(()));
    assert_eq!(repeats::<SameTweaks>(), Err("a tweak comes twice"));
    assert_eq!(repeats::<SameLabels>(), Err("what is sent repeats"));
}
