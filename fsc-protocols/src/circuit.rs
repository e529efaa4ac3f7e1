//! Circuits over shared bits, among any number of parties.
//!
//! Adding shares costs nothing; products take a triple that was made before and one opening each (Goldreich, Micali,
//! Wigderson, "How to play any mental game", STOC 1987; Goldreich, "Foundations of cryptography" II, 2004, section 7.5.2;
//! Beaver, "Efficient multiparty protocols using circuit randomization", CRYPTO 1991, section 2):
//!
//! ```text
//!   shares of a, b, c = a·b;   open d = x + a, e = y + b;   x·y = c + d·b + e·a + d·e
//! ```
//!
//! What is opened for a product is uniform, since a and b are. Only [`Gmw::open`] shows something, and it adds shares of
//! zero before, so that nothing but the value is seen.
//!
//! Many products are one layer: they share a message, and so a round. Several products with one operand in common share a
//! triple: one a, up to [`WIDTH`] b. Vectors of numbers are kept position by position ([`Bits::positions`]), so that a layer
//! takes slices of them.
//!
//! Two parties have a shorter way, in a constant number of messages, where nothing depends on a result in between:
//! [`garbled`].
//!
//! # Security
//!
//! Semi-honest adversary, any n − 1 parties corrupt, given triples of which a coalition knows no more than its shares: what
//! is opened for a product is uniform and independent of everything else, and a blinded share is uniform but for the sum.
//!
//! # Leakage
//!
//! Nothing beyond what is opened.
//!
//! # Wire
//!
//! A layer of m products takes one round of ⌈2m/8⌉ bytes to each other party, or ⌈m(1 + w)/8⌉ for w products with each
//! common operand; opening m bits one of ⌈m/8⌉. [`Size`] adds them up; every circuit has a function that says its own.
//!
//! # Differences from the reference
//!
//! The reference has no circuits: where numbers are to be compared, it shows them, or counts of them, to all.

use std::iter::Sum;
use std::ops::Add;

use fsc_core::party::{Party, pieces_of};
use fsc_core::protocol::{Cost, ProtocolError};

use crate::algebra::bits::Bits;
use crate::preprocessing::{BitTriples, Engine, Source};
use crate::sharing::binary::{Binary, Zeros};

pub mod add;
pub mod compare;
pub mod garbled;
pub mod sign;

/// How many products with an operand in common one triple makes.
pub const WIDTH: usize = 3;

/// The most triples that are made at a time, which bounds the memory: they take [`WIDTH`] · 2 + 1 bits each.
pub const BATCH: usize = 1 << 20;

/// One party's part in the evaluation of circuits.
pub struct Gmw {
    engine: Engine,
    zeros: Zeros,
    stock: Stock,
    /// The triples that will be needed beside those in stock.
    planned: usize,
}

/// Triples that were made, and how many of them were used.
struct Stock {
    triples: BitTriples,
    used: usize,
}

impl Gmw {
    /// Sets up an evaluation of circuits of that size. Triples are made in as few batches as they fit in, when they are
    /// needed; those beyond the size, too, but layer by layer.
    pub async fn connect(party: &mut Party, source: Source, size: Size) -> Result<Self, ProtocolError> {
        let engine = Engine::connect(party, source).await?;
        let triples =
            BitTriples { a: Bits::default(), b: vec![Bits::default(); WIDTH], c: vec![Bits::default(); WIDTH] };
        Ok(Self { engine, zeros: Zeros::new(party), stock: Stock { triples, used: 0 }, planned: size.triples })
    }

    /// x·y, bit by bit: one round.
    pub async fn and(&mut self, party: &mut Party, x: &Bits, y: &Bits) -> Result<Bits, ProtocolError> {
        Ok(self.layer(party, x, &[y]).await?.swap_remove(0))
    }

    /// x·y for every y: one round, and one opened x for each [`WIDTH`] products.
    pub async fn and_common(&mut self, party: &mut Party, x: &Bits, ys: &[&Bits]) -> Result<Vec<Bits>, ProtocolError> {
        if ys.len() <= WIDTH {
            return self.layer(party, x, ys).await;
        }
        let groups = ys.len().div_ceil(WIDTH);
        let nothing = Bits::zeros(x.len());
        let column = |first| ys.iter().skip(first).step_by(WIDTH).copied().chain([&nothing]).take(groups);
        let columns: Vec<Bits> = (0..WIDTH).map(|first| Bits::concat(column(first))).collect();
        let columns: Vec<&Bits> = columns.iter().collect();
        let products = self.layer(party, &x.repeat(groups), &columns).await?;
        let product = |index: usize| products[index % WIDTH].slice(index / WIDTH * x.len(), x.len());
        Ok((0..ys.len()).map(product).collect())
    }

    /// Shows the shared bits to all, and nothing else: one round.
    pub async fn open(&mut self, party: &mut Party, bits: &Bits) -> Result<Bits, ProtocolError> {
        let mut share = bits.clone();
        self.zeros.blind(&mut share);
        reveal(party, &share).await
    }

    /// The products of x and up to [`WIDTH`] ys, in as many rounds as they take batches of triples.
    async fn layer(&mut self, party: &mut Party, x: &Bits, ys: &[&Bits]) -> Result<Vec<Bits>, ProtocolError> {
        let mut products = vec![Bits::default(); ys.len()];
        for start in (0..x.len()).step_by(BATCH) {
            let part = |bits: &Bits| bits.slice(start, BATCH.min(x.len() - start));
            let ys: Vec<Bits> = ys.iter().map(|y| part(y)).collect();
            let parts = self.multiply(party, &part(x), &ys).await?;
            products.iter_mut().zip(&parts).for_each(|(product, part)| product.push_bits(part));
        }
        Ok(products)
    }

    async fn multiply(&mut self, party: &mut Party, x: &Bits, ys: &[Bits]) -> Result<Vec<Bits>, ProtocolError> {
        let BitTriples { a, b, c } = self.take(party, x.len()).await?;
        let mut masked = x.xor(&a);
        ys.iter().zip(&b).for_each(|(y, b)| masked.push_bits(&y.xor(b)));
        let opened = reveal(party, &masked).await?;
        let mut parts = (0..=ys.len()).map(|index| opened.slice(index * x.len(), x.len()));
        let d = parts.next().unwrap_or_default();
        let product = |((e, b), mut c): ((Bits, Bits), Bits)| {
            c.xor_assign(&d.and(&b));
            c.xor_assign(&e.and(&a));
            // The public term belongs to the sum once.
            if party.me() == 0 {
                c.xor_assign(&d.and(&e));
            }
            c
        };
        Ok(parts.zip(b).zip(c).map(product).collect())
    }

    /// The next triples.
    async fn take(&mut self, party: &mut Party, count: usize) -> Result<BitTriples, ProtocolError> {
        let missing = count.saturating_sub(self.stock.left());
        if missing > 0 {
            let batch = self.planned.min(BATCH).max(missing);
            self.planned = self.planned.saturating_sub(batch);
            let made = self.engine.bit_triples(party, batch, WIDTH).await?;
            self.stock.refill(made);
        }
        Ok(self.stock.take(count))
    }
}

impl Stock {
    fn left(&self) -> usize {
        self.triples.len() - self.used
    }

    fn take(&mut self, count: usize) -> BitTriples {
        let start = self.used;
        self.used += count;
        self.triples.slice(start, count)
    }

    fn refill(&mut self, made: BitTriples) {
        let mut kept = self.take(self.left());
        kept.append(made);
        *self = Self { triples: kept, used: 0 };
    }
}

/// What a circuit takes: triples, and what each party sends every other one for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// How many triples.
    pub triples: usize,
    /// Rounds.
    pub rounds: u32,
    /// Messages to every other party.
    pub messages: u64,
    /// Bytes to every other party.
    pub bytes: u64,
}

impl Size {
    /// The products of `length` bits, each with `width` others.
    pub fn products(length: usize, width: usize) -> Self {
        let triples = length * width.div_ceil(WIDTH);
        let bits = 1 + width.min(WIDTH);
        let parts =
            (0..triples).step_by(BATCH).map(|start| Self::round((BATCH.min(triples - start) * bits).div_ceil(8)));
        Self { triples, ..parts.sum() }
    }

    /// An opening of that many bits.
    pub fn opening(length: usize) -> Self {
        Self::round(length.div_ceil(8))
    }

    /// A message of so many bytes to everybody.
    pub fn round(bytes: usize) -> Self {
        Self { triples: 0, rounds: 1, messages: pieces_of(bytes) as u64, bytes: bytes as u64 }
    }

    /// What it takes one after the other, so many times.
    #[must_use]
    pub fn times(self, times: usize) -> Self {
        let factor = times as u64;
        Self {
            triples: self.triples * times,
            rounds: self.rounds * times as u32,
            messages: self.messages * factor,
            bytes: self.bytes * factor,
        }
    }

    /// What one party sends for it, to all others, preprocessing included.
    pub fn cost(self, source: Source, parties: usize) -> Cost {
        let batches = (0..self.triples).step_by(BATCH).map(|start| BATCH.min(self.triples - start));
        let preprocessing = batches.map(|batch| source.bit_triples_cost(parties, batch, WIDTH));
        let others = parties as u64 - 1;
        let online = Cost { rounds: self.rounds, messages: others * self.messages, bytes: others * self.bytes };
        preprocessing.fold(online, Add::add)
    }
}

impl Add for Size {
    type Output = Self;

    fn add(self, next: Self) -> Self {
        Self {
            triples: self.triples + next.triples,
            rounds: self.rounds + next.rounds,
            messages: self.messages + next.messages,
            bytes: self.bytes + next.bytes,
        }
    }
}

impl Sum for Size {
    fn sum<I: Iterator<Item = Self>>(sizes: I) -> Self {
        sizes.fold(Self::default(), Add::add)
    }
}

/// My share of bits that everybody knows.
pub fn public(party: &Party, bits: Bits) -> Bits {
    if party.me() == 0 { bits } else { Bits::zeros(bits.len()) }
}

/// Opens a share as it is: of bits that are uniform, or that were made to carry nothing else.
async fn reveal(party: &mut Party, share: &Bits) -> Result<Bits, ProtocolError> {
    let bytes = party.open(Binary::new(share)).await?;
    Ok(Bits::from_bytes_loosely(&bytes, share.len()))
}

#[cfg(test)]
mod tests;
