//! Circuits between two parties: one garbles them, the other evaluates what it gets. A message there, and one back.
//!
//! Yao, "How to generate and exchange secrets" (FOCS 1986). The party at place 0 garbles, with a *label* for each value of a
//! wire: W for zero and W ⊕ Δ for one, so that XOR costs nothing (Kolesnikov and Schneider, "Improved garbled circuit: free
//! XOR gates and applications", ICALP 2008). A product takes two ciphertexts, T_G and T_E, the half gates of Zahur, Rosulek
//! and Evans, "Two halves make a whole" (Eurocrypt 2015), figure 2; H is [`Hash`](struct@Hash), tweaked by the gate's number:
//!
//! ```text
//!   garbler    p_a, p_b   the lowest bits of A and B
//!              T_G = H(A) ⊕ H(A ⊕ Δ) ⊕ p_b·Δ           W_G = H(A) ⊕ p_a·T_G
//!              T_E = H(B) ⊕ H(B ⊕ Δ) ⊕ A               W_E = H(B) ⊕ p_b·(T_E ⊕ A)         A·B's label: W_G ⊕ W_E
//!   evaluator  s_a, s_b   the lowest bits of its labels A and B
//!              W_G = H(A) ⊕ s_a·T_G                     W_E = H(B) ⊕ s_b·(T_E ⊕ A)         its label: W_G ⊕ W_E
//! ```
//!
//! *Inputs.* Of the evaluator's bits, correlated OT makes the labels: t = q ⊕ bit·Δ, with the Δ of the two nodes' OTs. Of the
//! garbler's bits, the evaluator's label is zero: the label for a zero is then bit·Δ, which it knows as little as Δ. So neither takes
//! more messages than the extension's.
//!
//! *Outputs.* The lowest bit of Δ is one, so the lowest bits of the garbler's W and of the evaluator's label are XOR shares of
//! a wire. They may be opened, or used as [shares](super) are.
//!
//! The circuits are as small as they get, one product per bit and operation, as their depth costs nothing.
//!
//! # Security
//!
//! Semi-honest adversary, either party corrupt. The garbler sees choices that a stream masks. The evaluator sees labels and
//! ciphertexts that are pseudorandom as long as H is tweakable circular correlation robust; no tweak comes twice under one
//! key of H, which is fresh in every run.
//!
//! # Leakage
//!
//! None; the circuit and the number of its instances are public.
//!
//! # Wire
//!
//! For m instances of a circuit of p products and w bits an input: from the evaluator 8·w·m bytes (up to rounding), from the
//! garbler 32·p·m. In chunks of which none takes more than 1 MiB, [`WINDOW`] of them at a time.
//!
//! # Differences from the reference
//!
//! The reference has no circuits: where numbers are to be compared, it shows them, or counts of them, to all.

use fsc_core::party::{PIECE, Party, pieces_of};
use fsc_core::protocol::{Cost, ProtocolError};

use crate::algebra::bits::Bits;
use crate::algebra::ring;
use crate::circuit::reveal;
use crate::ot::hash::Hash;
use crate::ot::softspoken::message_length;
use crate::ot::{Pairs, bad, malformed};
use crate::preprocessing::Source;

/// The place of the party that garbles.
pub const GARBLER: usize = 0;

/// How many chunks are asked for at a time.
pub const WINDOW: usize = 4;

/// The ciphertexts of a product, in bytes.
const PRODUCT: usize = 2 * size_of::<Label>();

/// What stands for a bit: the garbler has that for a zero, the evaluator that for the bit.
type Label = u128;

/// The labels of one wire, for all instances of a circuit.
type Wire = Vec<Label>;

/// What is computed of a number a, which the party at place 0 has, and b of the party at place 1; of many at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Circuit {
    /// Whether a > b.
    Greater,
    /// The smaller of the two.
    Smaller,
}

/// One party's part in the evaluation of circuits between two.
pub struct Garbled {
    pairs: Pairs,
    hash: Hash,
    /// How many products were made: the next one's number.
    products: u64,
}

impl Garbled {
    /// Sets it up. Parties that have not met yet send what [`Pairs::meeting_cost`] says, others nothing.
    ///
    /// # Panics
    /// If there are more than two parties.
    pub async fn connect(party: &mut Party) -> Result<Self, ProtocolError> {
        assert_eq!(party.parties(), 2, "one party garbles, one evaluates");
        let pairs = Pairs::connect(party).await?;
        let key = party.mask_key(peer(party));
        let (key, _) = key.split_first_chunk().expect("16 of 32 bytes");
        Ok(Self { pairs, hash: Hash::new(key), products: 0 })
    }

    /// Shows to both what the circuit makes of their numbers of `width` bits, position by position, and nothing else.
    pub async fn open(
        &mut self,
        party: &mut Party,
        circuit: Circuit,
        mine: &[u64],
        width: u32,
    ) -> Result<Bits, ProtocolError> {
        let share = self.share(party, circuit, mine, width).await?;
        reveal(party, &share).await
    }

    /// XOR shares of what the circuit makes of both parties' numbers of `width` bits, position by position.
    pub async fn share(
        &mut self,
        party: &mut Party,
        circuit: Circuit,
        mine: &[u64],
        width: u32,
    ) -> Result<Bits, ProtocolError> {
        let mut shares = Vec::new();
        for window in mine.chunks(WINDOW * circuit.chunk(width)) {
            let chunks = window.chunks(circuit.chunk(width));
            if party.me() == GARBLER {
                for mine in chunks {
                    shares.push(self.garble(party, circuit, mine, width).await?);
                }
            } else {
                let asked: Vec<_> = chunks.map(|mine| self.ask(party, mine, width)).collect();
                for labels in asked {
                    shares.push(self.evaluate(party, circuit, labels, width).await?);
                }
            }
        }
        Ok(side_by_side(&shares, circuit.outputs(width)))
    }

    async fn garble(
        &mut self,
        party: &mut Party,
        circuit: Circuit,
        mine: &[u64],
        width: u32,
    ) -> Result<Vec<Bits>, ProtocolError> {
        let (count, positions) = (mine.len(), width as usize);
        let message = party.recv(peer(party)).await?;
        let sender = &mut self.pairs.with(peer(party)).sender;
        let labels = sender.correlated(&message, count * positions).map_err(|error| bad(peer(party), error))?;
        let delta = sender.delta();
        let b: Vec<Wire> = labels.chunks(count).map(Vec::from).collect();
        let bit = |number: &u64, position| (number >> (positions - 1 - position) & 1 == 1).into();
        let label = |position| mine.iter().map(|number| select(bit(number, position), delta)).collect();
        let a: Vec<Wire> = (0..positions).map(label).collect();
        let products = circuit.products(width) * count;
        let (tables, hashes) = (Vec::with_capacity(2 * products), Vec::new());
        let mut garbling = Garbling { hash: &self.hash, delta, number: self.products, tables, hashes };
        let outputs = circuit.compute(&mut garbling, &a, &b);
        self.products += products as u64;
        party.send(peer(party), ring::encode(garbling.tables));
        Ok(outputs.iter().map(|wire| low_bits(wire)).collect())
    }

    /// Asks for the labels of my numbers.
    fn ask(&mut self, party: &mut Party, mine: &[u64], width: u32) -> Vec<Wire> {
        let receiver = &mut self.pairs.with(peer(party)).receiver;
        let (message, labels) = receiver.correlated(&Bits::positions(mine, width));
        party.send(peer(party), message);
        labels.chunks(mine.len()).map(Vec::from).collect()
    }

    async fn evaluate(
        &mut self,
        party: &mut Party,
        circuit: Circuit,
        b: Vec<Wire>,
        width: u32,
    ) -> Result<Vec<Bits>, ProtocolError> {
        let count = b.first().map_or(0, Vec::len);
        let products = circuit.products(width) * count;
        let message = party.recv(peer(party)).await?;
        if message.len() != products * PRODUCT {
            return Err(malformed(GARBLER, "its garbled circuit has another length than agreed"));
        }
        let (tables, _) = message.as_chunks::<{ size_of::<Label>() }>();
        let mut evaluation = Evaluation { hash: &self.hash, number: self.products, tables, hashes: Vec::new() };
        let a = vec![vec![0; count]; b.len()];
        let outputs = circuit.compute(&mut evaluation, &a, &b);
        self.products += products as u64;
        Ok(outputs.iter().map(|wire| low_bits(wire)).collect())
    }
}

impl Circuit {
    /// The outputs of all instances, most significant first, as the inputs are.
    fn compute(self, gates: &mut impl Gates, a: &[Wire], b: &[Wire]) -> Vec<Wire> {
        let mut greater = vec![0; a.first().map_or(0, Vec::len)];
        for (a, b) in a.iter().zip(b).rev() {
            // Where the bits differ, the number is greater whose bit is one, and otherwise that which was.
            let product = gates.and(&xor(a, b), &xor(a, &greater));
            greater = xor(&greater, &product);
        }
        match self {
            Self::Greater => vec![greater],
            Self::Smaller => {
                let smaller = |(a, b): (&Wire, &Wire)| xor(a, &gates.and(&greater, &xor(a, b)));
                a.iter().zip(b).map(smaller).collect()
            }
        }
    }

    /// The products of one instance.
    const fn products(self, width: u32) -> usize {
        match self {
            Self::Greater => width as usize,
            Self::Smaller => 2 * width as usize,
        }
    }

    /// The bits of a result.
    const fn outputs(self, width: u32) -> usize {
        match self {
            Self::Greater => 1,
            Self::Smaller => width as usize,
        }
    }

    /// The instances in a chunk, but for the last.
    const fn chunk(self, width: u32) -> usize {
        PIECE / (self.products(width) * PRODUCT)
    }

    /// What the party at that place sends for shares of `count` results.
    pub fn cost(self, me: usize, count: usize, width: u32) -> Cost {
        let chunks = (0..count).step_by(self.chunk(width)).map(|start| self.chunk(width).min(count - start));
        let rounds = chunks.len().div_ceil(WINDOW) as u32;
        let bytes = |instances: usize| match me {
            GARBLER => instances * self.products(width) * PRODUCT,
            _ => message_length(instances * width as usize),
        };
        Cost { rounds, messages: chunks.len() as u64, bytes: chunks.map(|count| bytes(count) as u64).sum() }
    }

    /// What the party at that place sends if the results are opened. It takes no more rounds: the garbler's shares leave with
    /// its last ciphertexts, and then the evaluator has all, so that its shares leave with what it sends next.
    pub fn opened_cost(self, me: usize, count: usize, width: u32) -> Cost {
        let bytes = (count * self.outputs(width)).div_ceil(8);
        self.cost(me, count, width) + Cost { rounds: 0, messages: pieces_of(bytes) as u64, bytes: bytes as u64 }
    }
}

/// The round that the evaluator's last shares take if it sends nothing after them, where this is how numbers are compared.
pub fn last_opening(source: Source, parties: usize, me: usize) -> Cost {
    Cost { rounds: u32::from(is_chosen(source, parties) && me != GARBLER), ..Cost::default() }
}

/// Whether this is how two parties compare numbers: only where they have OTs.
pub fn is_chosen(source: Source, parties: usize) -> bool {
    source == Source::Oblivious && parties == 2
}

/// What a circuit is made of, on either side of it.
trait Gates {
    /// The products of two wires, instance by instance.
    fn and(&mut self, a: &[Label], b: &[Label]) -> Wire;
}

/// The garbler's side.
struct Garbling<'a> {
    hash: &'a Hash,
    delta: Label,
    /// The number of the next product.
    number: u64,
    tables: Vec<Label>,
    hashes: Vec<Label>,
}

impl Gates for Garbling<'_> {
    fn and(&mut self, a: &[Label], b: &[Label]) -> Wire {
        let (delta, count) = (self.delta, a.len());
        self.hashes.clear();
        for wire in [a, b] {
            self.hashes.extend_from_slice(wire);
            self.hashes.extend(wire.iter().map(|label| label ^ delta));
        }
        self.hash.halves(self.number, 2, &mut self.hashes);
        self.number += count as u64;
        let done = self.tables.len();
        self.tables.resize(done + 2 * count, 0);
        let (of_a, of_b) = self.hashes.split_at(2 * count);
        let [(a_zero, a_one), (b_zero, b_one)] = [of_a, of_b].map(|both| both.split_at(count));
        let tables = self.tables[done..].as_chunks_mut::<2>().0;
        let hashes = a_zero.iter().zip(a_one).zip(b_zero.iter().zip(b_one));
        let gates = tables.iter_mut().zip(a).zip(b).zip(hashes);
        let outputs = gates.map(|(((table, a), b), ((a_zero, a_one), (b_zero, b_one)))| {
            let [p_a, p_b] = [a, b].map(|label| label & 1);
            let t_g = a_zero ^ a_one ^ select(p_b, delta);
            let t_e = b_zero ^ b_one ^ a;
            *table = [t_g, t_e];
            a_zero ^ select(p_a, t_g) ^ b_zero ^ select(p_b, t_e ^ a)
        });
        outputs.collect()
    }
}

/// The evaluator's side.
struct Evaluation<'a> {
    hash: &'a Hash,
    /// The number of the next product.
    number: u64,
    tables: &'a [[u8; size_of::<Label>()]],
    hashes: Vec<Label>,
}

impl Gates for Evaluation<'_> {
    fn and(&mut self, a: &[Label], b: &[Label]) -> Wire {
        self.hashes.clear();
        self.hashes.extend([a, b].into_iter().flatten());
        self.hash.halves(self.number, 1, &mut self.hashes);
        self.number += a.len() as u64;
        let (h_a, h_b) = self.hashes.split_at(a.len());
        let (tables, rest) = self.tables.split_at(2 * a.len());
        self.tables = rest;
        let gates = tables.as_chunks::<2>().0.iter().zip(a).zip(b).zip(h_a.iter().zip(h_b));
        let outputs = gates.map(|(((table, a), b), (h_a, h_b))| {
            let [t_g, t_e] = table.map(Label::from_le_bytes);
            let [s_a, s_b] = [a, b].map(|label| label & 1);
            h_a ^ select(s_a, t_g) ^ h_b ^ select(s_b, t_e ^ a)
        });
        outputs.collect()
    }
}

/// The other of two parties.
fn peer(party: &Party) -> usize {
    1 - party.me()
}

/// The label, if the bit is one; zero otherwise.
const fn select(bit: u128, label: Label) -> Label {
    0_u128.wrapping_sub(bit) & label
}

fn xor(a: &[Label], b: &[Label]) -> Wire {
    a.iter().zip(b).map(|(a, b)| a ^ b).collect()
}

fn low_bits(labels: &[Label]) -> Bits {
    let word = |labels: &[Label]| labels.iter().rev().fold(0, |word, label| word << 1 | (label & 1) as u64);
    Bits::from_words(labels.chunks(64).map(word).collect(), labels.len())
}

/// The chunks' positions as those of all instances.
fn side_by_side(chunks: &[Vec<Bits>], positions: usize) -> Bits {
    Bits::concat((0..positions).flat_map(|position| chunks.iter().map(move |chunk| &chunk[position])))
}

#[cfg(test)]
mod tests;
