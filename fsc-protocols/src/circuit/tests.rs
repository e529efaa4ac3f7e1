use std::sync::Arc;

use fsc_core::joining::Keys;
use fsc_core::laws::Lawful;
use fsc_core::object::ObjectError;
use fsc_core::protocol::{Announced, Protocol, Security, Submission};
use fsc_core::secret::Secret;
use fsc_core::value::{Value, from_value};
use fsc_core::{laws, protocol_laws};
use rand::RngExt;
use rand_chacha::ChaCha20Rng;
use serde::{Deserialize, Serialize};

use super::*;
use crate::circuit::sign::Masks;
use crate::ot;
use crate::preprocessing::{Dealer, Preprocessing};
use crate::search::testing::source;

/// Every building block by itself, on numbers that the parties have XOR shares of, or terms of.
struct Blocks;

#[derive(Clone, Serialize, Deserialize)]
struct Params {
    block: Block,
    width: usize,
    count: usize,
    source: Source,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
enum Block {
    Greater,
    Equal,
    Zero,
    Choose,
    Sign,
    Open,
    /// Mutant: an opening without zeros added, as of a product whose triples are all zeros.
    Bare,
}

const BLOCKS: [Block; 6] = [Block::Greater, Block::Equal, Block::Zero, Block::Choose, Block::Sign, Block::Open];

impl Protocol for Blocks {
    const NAME: &'static str = "Blocks";
    const VERSION: u16 = 1;
    const SECURITY: Security = Dealer::SECURITY;
    type Params = Params;
    /// x, and then y, both `count` numbers.
    type Input = Vec<u64>;
    type Output = Vec<u64>;

    fn admit(submission: Submission) -> Result<(Params, Vec<u64>), ObjectError> {
        Err(ObjectError::argument("data", format!("not for {} clients", submission.parties)))
    }

    fn cost(params: &Params, all: &Announced) -> Cost {
        let bits = if let Block::Choose = params.block { params.width } else { 1 };
        let size = params.size(all.parties()) + Size::opening(params.count * bits);
        params.source.meeting_cost(all) + size.cost(params.source, all.parties())
    }

    async fn run(party: &mut Party, params: Params, input: Secret<Vec<u64>>) -> Result<Vec<u64>, ProtocolError> {
        let Params { block, width, count, source } = params;
        let mut gmw = Gmw::connect(party, source, params.size(party.parties())).await?;
        let (x, y) = input.expose().split_at(count);
        let gmw = &mut gmw;
        let [a, b] = [x, y].map(|numbers| Bits::positions(numbers, width as u32));
        let bits = match block {
            Block::Greater => compare::greater(gmw, party, &a, &b, width).await?,
            Block::Open | Block::Bare => a.slice(0, count),
            Block::Equal => compare::equal(gmw, party, &a, &b, width).await?,
            Block::Zero => compare::zero(gmw, party, x, width).await?,
            Block::Choose => compare::choose(gmw, party, &a.slice(0, count), &a, &b).await?,
            Block::Sign => {
                let terms: Vec<i64> = x.iter().map(|x| *x as i64).collect();
                let mut signs = Masks::prepare(gmw, party, width, count).await?;
                // In two goes, so that masks are cut where they are not all used.
                let first = signs.negative(gmw, party, &terms[..count / 2]).await?;
                let second = signs.negative(gmw, party, &terms[count / 2..]).await?;
                Bits::concat([&first, &second])
            }
        };
        let opened = if let Block::Bare = block { reveal(party, &bits).await? } else { gmw.open(party, &bits).await? };
        Ok(opened.values(if let Block::Choose = block { width as u32 } else { 1 }))
    }
}

impl Params {
    fn size(&self, parties: usize) -> Size {
        let Self { width, count, .. } = *self;
        match self.block {
            Block::Greater => compare::greater_size(count, width),
            Block::Open | Block::Bare => Size::default(),
            Block::Equal => compare::equal_size(count, width),
            Block::Zero => compare::zero_size(parties, count, width),
            Block::Choose => compare::choose_size(count, width),
            Block::Sign => {
                let online = Masks::negative_size(width, count / 2) + Masks::negative_size(width, count - count / 2);
                Masks::prepare_size(parties, width, count) + online
            }
        }
    }
}

impl Lawful for Blocks {
    fn params(rng: &mut ChaCha20Rng, parties: usize) -> Params {
        let block = BLOCKS[rng.random_range(0..BLOCKS.len())];
        let width = if let Block::Sign = block { rng.random_range(1..=48) } else { rng.random_range(1..=64) };
        Params { block, width, count: rng.random_range(2..12), source: source(rng, parties) }
    }

    fn inputs(rng: &mut ChaCha20Rng, params: &Params, parties: usize) -> Vec<Vec<u64>> {
        let mut number = || rng.random::<u64>() >> (64 - params.width);
        let mut inputs: Vec<Vec<u64>> =
            (0..parties).map(|_| (0..2 * params.count).map(|_| number()).collect()).collect();
        if let Block::Zero = params.block {
            // Some sums are zero, and some almost.
            for index in 0..params.count {
                let others = inputs[1..].iter().fold(0, |sum: u64, input| sum.wrapping_add(input[index]));
                let off = rng.random_range(0..2) << rng.random_range(0..params.width);
                inputs[0][index] = others.wrapping_neg() ^ off;
            }
        } else if let Block::Sign = params.block {
            let most = (1_i64 << params.width) - 1;
            inputs
                .iter_mut()
                .flatten()
                .for_each(|x| *x = rng.random_range(-most / parties as i64..=most / parties as i64) as u64);
        } else {
            // Some are equal, and some almost.
            for index in 0..params.count / 2 {
                for input in &mut inputs {
                    input[params.count + index] = input[index];
                }
                inputs[0][index] ^=
                    rng.random::<u64>() >> rng.random_range(64 - params.width..64) & rng.random_range(0..2);
            }
        }
        inputs
    }

    fn acquaint(keys: &[Arc<Keys>]) {
        ot::acquaint(keys);
    }

    fn is_right(params: &Params, inputs: &[Vec<u64>], result: &Value) -> bool {
        let Ok(result) = from_value::<Vec<u64>>(result.clone()) else { return false };
        let number = |index: usize| inputs.iter().fold(0, |number, input| number ^ input[index]);
        let expected = |index| match (params.block, number(index), number(params.count + index)) {
            (Block::Greater, x, y) => u64::from(x > y),
            (Block::Open | Block::Bare, x, _) => x >> (params.width - 1),
            (Block::Equal, x, y) => u64::from(x == y),
            (Block::Choose, x, y) => {
                if x >> (params.width - 1) == 1 {
                    x
                } else {
                    y
                }
            }
            (Block::Zero, ..) => {
                let sum = inputs.iter().fold(0, |sum: u64, input| sum.wrapping_add(input[index]));
                u64::from(sum << (64 - params.width) == 0)
            }
            (Block::Sign, ..) => u64::from(inputs.iter().map(|input| input[index] as i64).sum::<i64>() < 0),
        };
        result == (0..params.count).map(expected).collect::<Vec<_>>()
    }
}

protocol_laws!(Blocks, docs: "../circuit.rs", parties: 2..=5);

/// Compares transcripts of unlike numbers with the same results.
fn transcripts_of(block: Block) -> Result<(), laws::Broken> {
    let params = Params { block, width: 8, count: 2, source: Source::Dealer(2) };
    let minus = |number: u64| number.wrapping_neg();
    let (one, other) = match block {
        // Of the two bits that are opened, another party holds the ones.
        Block::Open | Block::Bare => ([[255; 4], [0; 4], [0; 4]], [[0; 4], [0; 4], [255; 4]]),
        Block::Greater => ([[5, 9, 3, 200], [0; 4], [0; 4]], [[255, 0, 0, 7], [0; 4], [0; 4]]),
        Block::Equal => ([[5, 9, 3, 9], [0; 4], [0; 4]], [[255, 7, 0, 0], [0; 4], [0, 0, 0, 7]]),
        Block::Zero => ([[0, 5, 0, 0], [0; 4], [0; 4]], [[100, 7, 0, 0], [156, 0, 0, 0], [0, 9, 0, 0]]),
        Block::Choose => ([[5, 9, 3, 9], [0; 4], [0; 4]], [[77, 99, 3, 0], [0; 4], [0, 0, 0, 9]]),
        Block::Sign => ([[0, 9, 0, 0], [minus(1); 4], [0; 4]], [[100; 4], [minus(201), 0, 0, 0], [100; 4]]),
    };
    laws::transcripts_are_indistinguishable::<Blocks>(&params, &one.map(Vec::from), &other.map(Vec::from))
}

#[test]
fn transcripts_of_different_numbers_are_indistinguishable_but_for_the_mutant() {
    for block in BLOCKS {
        transcripts_of(block).unwrap();
    }
    transcripts_of(Block::Bare).unwrap_err();
}

/// Comparing two numbers of 64 bits takes 190 products in seven layers; a sign of 32 bits two rounds and three layers.
#[test]
fn sizes_are_these() {
    let size = compare::greater_size(1, 64);
    assert_eq!((size.triples, size.rounds), (127, 7));
    assert_eq!(Masks::negative_size(32, 15).rounds, 1 + 3);
    assert_eq!(Masks::negative_size(32, 15).triples, 15 * 7);
    let ahead = Masks::prepare_size(2, 32, 1);
    assert_eq!((ahead.triples, ahead.rounds), (32 + 5 * 16 + 16 + 24, 1 + 5 + 2));
    assert_eq!(Masks::prepare_size(3, 32, 1).rounds, ahead.rounds + 1);
}

/// More than a batch of triples in one layer, and more than a message.
#[test]
fn large_layers_are_cut() {
    let params = Params { block: Block::Equal, width: 2, count: BATCH + 100, source: Source::Dealer(0) };
    let numbers: Vec<u64> = (0..2 * params.count).map(|index| index as u64 % 3).collect();
    let inputs = vec![numbers, vec![0; 2 * params.count]];
    let announced = Announced::new(0, vec![Value::Null; 2]);
    let report =
        fsc_core::sim::simulate::<Blocks>(&params, inputs.clone(), 1, fsc_core::sim::Faults::default()).unwrap();
    assert_eq!(report.costs[0], Blocks::cost(&params, &announced));
    let result = report.outcomes[1].as_ref().unwrap().entry("result").unwrap();
    assert!(Blocks::is_right(&params, &inputs, result));
}
