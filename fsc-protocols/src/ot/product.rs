//! The product of two private matrices, X at one party and Y at another, in additive shares of a ring Z/2^w.
//!
//! Gilboa, "Two party RSA key generation" (Crypto 1999), section 4.1, over whole rows of Y at a time, from correlated OT
//! (Asharov et al., "More efficient oblivious transfer and extensions for faster secure computation", CCS 2013): the owner of X
//! receives, its bits are the choices. For each element
//! x_rk = −2^(β−1)·x_(β−1) + Σ_b 2^b·x_b, in two's complement of β bits, and each of its bits b:
//!
//! ```text
//!   right  m_0 = H(q), m_1 = H(q ⊕ Δ), a vector as long as a row of Y    sends e = m_0 + Y_k − m_1
//!   left   H(t) + x_b·e = m_0 + x_b·Y_k                                  adds ±2^b times that to row r of its share
//!   right                                                                subtracts ±2^b·m_0 from row r of its share
//! ```
//!
//! Of e only the lowest w − b bits matter, since all is multiplied by 2^b, so only the bytes that hold them are made and sent.
//! Bits are gone through from the highest to the lowest, so that factors of two are doublings (Horner's rule).
//!
//! # Security
//!
//! Semi-honest adversary. Choices are masked by the extension; e by m_1 or m_0, of which the owner of X has only the other
//! one. Nobody else takes part.
//!
//! # Leakage
//!
//! None; shapes and β are public.
//!
//! # Wire
//!
//! For an element of X, its owner sends 8·β bytes (up to rounding), and the owner of Y, for each column, Σ_{b<β} (w/8 − ⌊b/8⌋):
//! 800 bytes for w = 128 and β = 64. The owner of X asks for at most 4 MiB in one message, counted as if w were 256; that of Y
//! answers in parts of at most 1 MiB. Two questions are under way at a time, so neither side holds more than that, its matrix
//! and its share: each sends in one round for every two questions. A Y of more than 2^15 columns is multiplied strip by strip of
//! as many, one after the other, so that a row of a strip fits into a part; its owner is asked anew for each.
//!
//! For large matrices lattice-based products send less; they would stand beside this function, with the same signature.
//!
//! # Differences from the reference
//!
//! The reference sends a projection of one of the matrices, and where that is square the matrix itself.

use std::collections::VecDeque;
use std::iter::successors;
use std::ops::{Add, Range};

use bytes::Bytes;
use fsc_core::party::{PIECE, Party};
use fsc_core::protocol::{Cost, ProtocolError};
use subtle::{Choice, ConditionallySelectable};

use super::hash::Hash;
use super::softspoken::message_length;
use super::{Pair, Pairs, Sender, bad, malformed};
use crate::algebra::bits::Bits;
use crate::algebra::ring::{Ring, U256, add_assign};
use crate::algebra::transpose::SIDE;

/// How many questions are under way.
const WINDOW: usize = 2;

/// The most bytes that a question asks for, in elements of the largest ring.
const QUESTION: usize = 1 << 22;

/// The most bytes of pads at a time: they stay in the first-level cache, between being made and being used.
const BATCH: usize = 1 << 14;

/// The most columns of Y at a time: a row of them fits into a message, whatever the ring.
const WIDEST: usize = PIECE / size_of::<U256>();

/// The bytes of a block of a pad.
const BLOCK: usize = size_of::<u128>();

/// What is behind the last element, so that it can be read whole: elements are as wide as their bits that matter.
const MARGIN: usize = size_of::<U256>();

/// Which product: X has `rows`×`inner` elements, Y has `inner`×`columns`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Product {
    /// The party that knows X.
    pub left: usize,
    /// The party that knows Y.
    pub right: usize,
    /// The rows of X and of the product.
    pub rows: usize,
    /// The columns of X, which are the rows of Y.
    pub inner: usize,
    /// The columns of Y and of the product.
    pub columns: usize,
    /// How many bits β an element of X has in two's complement, 1 to 128.
    pub bits: u32,
}

/// What this party knows of a product, row by row.
pub enum Factor<R> {
    /// X, of which only the lowest β bits of each element count.
    Left(Vec<i128>),
    /// Y.
    Right(Vec<R>),
    /// Nothing.
    Neither,
}

/// My share of X·Y, row by row, if X or Y is mine; nothing otherwise. Shares add up to the product.
///
/// # Panics
/// If my factor has another shape than the product states: shapes that others announce are to be checked before, and bounded.
pub async fn product<R: Ring>(
    pairs: &mut Pairs,
    party: &mut Party,
    product: Product,
    mine: &Factor<R>,
) -> Result<Option<Vec<R>>, ProtocolError> {
    let Product { left, right, rows, inner, columns, .. } = product;
    let mut sum = Sum::new(product);
    match mine {
        Factor::Left(x) => {
            assert_eq!(x.len(), rows * inner, "X has the shape that the product states");
            for strip in product.strips() {
                sum.begin(strip);
                multiply_left(pairs.with(right), party, strip, x, &mut sum).await?;
            }
            Ok(Some(sum.total))
        }
        Factor::Right(y) => {
            assert_eq!(y.len(), inner * columns, "Y has the shape that the product states");
            for strip in product.strips() {
                sum.begin(strip);
                multiply_right(pairs.with(left), party, strip, y, &mut sum).await?;
            }
            Ok(Some(sum.total.into_iter().map(R::negated).collect()))
        }
        Factor::Neither => Ok(None),
    }
}

impl Product {
    /// What the party at `place` sends. The last answer of the party on the right waits for nothing that comes after it: if
    /// that party sends more before it hears something, both leave in one round.
    pub fn cost<R: Ring>(&self, place: usize) -> Cost {
        let of_strip = |Strip { product, .. }: Strip| {
            // Nothing of this goes through all questions, since announcements of others decide how many there are.
            let questions = |of: &dyn Fn(usize) -> usize| in_pieces(product.ots(), product.ots_asked(), of) as u64;
            if place == product.left {
                Cost { rounds: 0, messages: questions(&|_| 1), bytes: questions(&message_length) }
            } else if place == product.right {
                let parts = |ots: usize| ots.div_ceil(product.ots_in::<R>(PIECE));
                let row: usize = (0..product.bits).map(|bit| product.columns * width::<R>(bit)).sum();
                Cost { rounds: 0, messages: questions(&parts), bytes: (product.rows * product.inner * row) as u64 }
            } else {
                Cost::default()
            }
        };
        let takes_part = place == self.left || place == self.right;
        let sent = self.strips().map(of_strip).fold(Cost::default(), Add::add);
        Cost { rounds: if takes_part { self.rounds() } else { 0 }, ..sent }
    }

    /// How often each of the two parties sends something and waits.
    pub fn rounds(&self) -> u32 {
        self.strips().map(|Strip { product, .. }| product.questions().len().div_ceil(WINDOW) as u32).sum()
    }

    /// The products with so many columns of Y that a row of them fits into a message.
    fn strips(self) -> impl Iterator<Item = Strip> {
        let strip = move |start| Strip { start, product: Self { columns: WIDEST.min(self.columns - start), ..self } };
        (0..self.columns).step_by(WIDEST).map(strip)
    }

    /// The number of OTs: one for each bit of X.
    const fn ots(&self) -> usize {
        self.rows * self.inner * self.bits as usize
    }

    /// The OTs of each question, by number.
    fn questions(&self) -> impl ExactSizeIterator<Item = Range<usize>> + use<> {
        cut(0..self.ots(), self.ots_asked())
    }

    /// The number of OTs of a question.
    fn ots_asked(&self) -> usize {
        let most = self.ots_in::<U256>(QUESTION);
        // Extensions make so many at a time.
        if most > SIDE { most - most % SIDE } else { most }
    }

    /// The OTs of each part of the answer to those.
    fn parts<R: Ring>(&self, ots: Range<usize>) -> impl ExactSizeIterator<Item = Range<usize>> + use<R> {
        cut(ots, self.ots_in::<R>(PIECE))
    }

    /// The number of OTs whose rows take at most so many bytes; at least one.
    fn ots_in<R: Ring>(&self, bytes: usize) -> usize {
        (bytes / (self.columns * R::WIDTH)).max(1)
    }

    /// What those OTs are for.
    fn places(&self, ots: Range<usize>) -> impl Iterator<Item = Place> + Clone + use<> {
        let Self { inner, bits, .. } = *self;
        let highest = bits - 1;
        let (element, above) = (ots.start / bits as usize, (ots.start % bits as usize) as u32);
        let first = Place { element, row: element / inner, across: element % inner, bit: highest - above, highest };
        successors(Some(first), move |place| Some(place.next(inner))).take(ots.len())
    }

    /// The bytes of the answer for those OTs.
    fn answer_length<R: Ring>(&self, ots: Range<usize>) -> usize {
        self.places(ots).map(|place| self.columns * width::<R>(place.bit)).sum()
    }
}

/// How many bytes hold the bits of an element that matter when it is multiplied by 2^bit.
const fn width<R: Ring>(bit: u32) -> usize {
    R::WIDTH.saturating_sub(bit as usize / 8)
}

/// Parts of that range, of `step` at most.
fn cut(range: Range<usize>, step: usize) -> impl ExactSizeIterator<Item = Range<usize>> {
    let end = range.end;
    range.step_by(step).map(move |start| start..end.min(start + step))
}

/// The sum over the pieces of a length of what `of` says of each; all but the last are equal.
fn in_pieces(length: usize, piece: usize, of: impl Fn(usize) -> usize) -> usize {
    let (whole, rest) = (length / piece, length % piece);
    whole * of(piece) + if rest > 0 { of(rest) } else { 0 }
}

/// A product with some of the columns of Y, from `start` on.
#[derive(Clone, Copy)]
struct Strip {
    start: usize,
    product: Product,
}

/// Which bit of X an OT is for.
#[derive(Clone, Copy)]
struct Place {
    /// The element.
    element: usize,
    /// Its row, and that of the product.
    row: usize,
    /// Its column, and the row of Y.
    across: usize,
    /// The bit of it.
    bit: u32,
    /// The highest bit, which is the sign.
    highest: u32,
}

impl Place {
    fn next(self, inner: usize) -> Self {
        let element = self.element + 1;
        if self.bit > 0 {
            Self { bit: self.bit - 1, ..self }
        } else if self.across + 1 < inner {
            Self { element, across: self.across + 1, bit: self.highest, ..self }
        } else {
            Self { element, row: self.row + 1, across: 0, bit: self.highest, ..self }
        }
    }
}

/// The sum of all OTs' terms, each times its power of two.
struct Sum<R> {
    total: Vec<R>,
    /// The columns of Y.
    columns: usize,
    /// The first column of the strip.
    start: usize,
    /// Of the bits so far of one element.
    row: Vec<R>,
}

impl<R: Ring> Sum<R> {
    fn new(product: Product) -> Self {
        let Product { rows, columns, .. } = product;
        Self { total: vec![R::ZERO; rows * columns], columns, start: 0, row: Vec::new() }
    }

    /// What is added next belongs to that strip.
    fn begin(&mut self, strip: Strip) {
        self.start = strip.start;
        self.row.resize(strip.product.columns, R::ZERO);
    }

    /// The strip's part of a row of something that is as wide as Y.
    fn part_of_row(&self, row: usize) -> Range<usize> {
        let start = row * self.columns + self.start;
        start..start + self.row.len()
    }

    /// Adds the terms of the next OT, column by column.
    fn add(&mut self, place: Place, term: impl Fn(usize) -> R) {
        let sums = self.row.iter_mut().enumerate();
        if place.bit == place.highest {
            sums.for_each(|(column, sum)| *sum = term(column).negated());
        } else {
            sums.for_each(|(column, sum)| *sum = sum.plus(*sum).plus(term(column)));
        }
        if place.bit == 0 {
            let part = self.part_of_row(place.row);
            add_assign(&mut self.total[part], &self.row);
        }
    }
}

/// The pads of some OTs: of each as many blocks as hold a row of elements of its width.
#[derive(Default)]
struct Pads(Vec<u128>);

impl Pads {
    /// Makes the pads of consecutive OTs of their strings, which are overwritten.
    fn fill<R: Ring>(
        &mut self,
        hash: &Hash,
        first: u64,
        strings: &mut [u128],
        columns: usize,
        places: impl Iterator<Item = Place> + Clone,
    ) -> &[u8] {
        let lengths = places.map(|place| (columns * width::<R>(place.bit)).div_ceil(BLOCK));
        hash.expand(first, strings, lengths, &mut self.0);
        self.0.extend([0; MARGIN / BLOCK]);
        bytemuck::cast_slice(&self.0)
    }
}

/// The OTs of one question.
struct Transfers {
    ots: Range<usize>,
    /// The number of the first one in the extension.
    first: u64,
    strings: Vec<u128>,
}

impl Transfers {
    /// The first number and the strings of some of them.
    fn of(&mut self, ots: &Range<usize>) -> (u64, &mut [u128]) {
        let start = ots.start - self.ots.start;
        (self.first + start as u64, &mut self.strings[start..][..ots.len()])
    }
}

async fn multiply_left<R: Ring>(
    pair: &mut Pair,
    party: &mut Party,
    Strip { product, .. }: Strip,
    x: &[i128],
    sum: &mut Sum<R>,
) -> Result<(), ProtocolError> {
    let mut questions = product.questions();
    let mut under_way = VecDeque::with_capacity(WINDOW);
    loop {
        while under_way.len() < WINDOW
            && let Some(ots) = questions.next()
        {
            let choices = choices(product, ots.clone(), x);
            let first = pair.receiver.extension.next();
            let (question, strings) = pair.receiver.extension.extend(&choices);
            party.send(product.right, question);
            under_way.push_back((Transfers { ots, first, strings }, choices));
        }
        let Some((mut transfers, choices)) = under_way.pop_front() else { return Ok(()) };
        for part in product.parts::<R>(transfers.ots.clone()) {
            let answer = party.recv(product.right).await?;
            absorb(&pair.receiver.hash, product, &mut transfers, &choices, part, &answer, sum)?;
        }
    }
}

/// The bits of X that those OTs are for.
fn choices(product: Product, ots: Range<usize>, x: &[i128]) -> Bits {
    let length = ots.len();
    let mut bits = product.places(ots).map(|place| (x[place.element] >> place.bit) as u64 & 1);
    let words = (0..length.div_ceil(64)).map(|_| {
        let bits = bits.by_ref().take(64).enumerate();
        bits.fold(0, |word, (index, bit)| word | bit << index)
    });
    Bits::from_words(words.collect(), length)
}

/// Adds up what a part of the answer makes.
fn absorb<R: Ring>(
    hash: &Hash,
    product: Product,
    transfers: &mut Transfers,
    choices: &Bits,
    part: Range<usize>,
    answer: &[u8],
    sum: &mut Sum<R>,
) -> Result<(), ProtocolError> {
    if answer.len() != product.answer_length::<R>(part.clone()) {
        return Err(malformed(product.right, "its part of a product has another length than agreed"));
    }
    let (mut pads, mut corrections, mut answer) = (Pads::default(), Vec::new(), answer);
    for ots in cut(part, product.ots_in::<R>(BATCH)) {
        let start = ots.start - transfers.ots.start;
        let (first, strings) = transfers.of(&ots);
        let places = product.places(ots.clone());
        let mut pads = pads.fill::<R>(hash, first, strings, product.columns, places.clone());
        let (mine, rest) = answer.split_at(product.answer_length::<R>(ots));
        answer = rest;
        corrections.clear();
        corrections.extend_from_slice(mine);
        corrections.extend([0; MARGIN]);
        let mut corrections = &corrections[..];
        for (place, index) in places.zip(start..) {
            let width = width::<R>(place.bit);
            let chosen = u64::conditional_select(&0, &u64::MAX, Choice::from(u8::from(choices.get(index))));
            sum.add(place, |column| {
                let at = column * width;
                load::<R>(pads, at).plus(masked(load(corrections, at), chosen))
            });
            let row = product.columns * width;
            pads = &pads[row.next_multiple_of(BLOCK)..];
            corrections = &corrections[row..];
        }
    }
    Ok(())
}

async fn multiply_right<R: Ring>(
    pair: &mut Pair,
    party: &mut Party,
    Strip { product, .. }: Strip,
    y: &[R],
    sum: &mut Sum<R>,
) -> Result<(), ProtocolError> {
    let Sender { extension, hash } = &mut pair.sender;
    for ots in product.questions() {
        let question = party.recv(product.left).await?;
        let first = extension.next();
        let strings = extension.extend(&question, ots.len()).map_err(|error| bad(product.left, error))?;
        let mut transfers = Transfers { ots, first, strings };
        for part in product.parts::<R>(transfers.ots.clone()) {
            let answer = answer(hash, extension.delta(), product, &mut transfers, part, y, sum);
            party.send(product.left, answer);
        }
    }
    Ok(())
}

/// A part of the answer; adds up what the other gets too much by it.
fn answer<R: Ring>(
    hash: &Hash,
    delta: u128,
    product: Product,
    transfers: &mut Transfers,
    part: Range<usize>,
    y: &[R],
    sum: &mut Sum<R>,
) -> Bytes {
    let columns = product.columns;
    let length = product.answer_length::<R>(part.clone());
    // Elements are stored whole, and each overwrites what the one before has too much.
    let mut answer = vec![0; length + MARGIN];
    let mut corrections = &mut answer[..];
    let (mut zero_pads, mut one_pads, mut others) = (Pads::default(), Pads::default(), Vec::new());
    for ots in cut(part, product.ots_in::<R>(BATCH)) {
        let places = product.places(ots.clone());
        let (first, strings) = transfers.of(&ots);
        others.clear();
        others.extend(strings.iter().map(|string| string ^ delta));
        let mut zeros = zero_pads.fill::<R>(hash, first, strings, columns, places.clone());
        let mut ones = one_pads.fill::<R>(hash, first, &mut others, columns, places.clone());
        for place in places {
            let width = width::<R>(place.bit);
            let y = &y[sum.part_of_row(place.across)];
            for (column, y) in y.iter().enumerate() {
                let at = column * width;
                store(corrections, at, load::<R>(zeros, at).minus(load(ones, at)).plus(*y));
            }
            sum.add(place, |column| load(zeros, column * width));
            let row = columns * width;
            (zeros, ones) = (&zeros[row.next_multiple_of(BLOCK)..], &ones[row.next_multiple_of(BLOCK)..]);
            corrections = &mut corrections[row..];
        }
    }
    answer.truncate(length);
    answer.into()
}

/// The element whose lowest bytes are there. Those above them, which belong to the next one, are multiplied away later.
fn load<R: Ring>(bytes: &[u8], at: usize) -> R {
    R::from_wire(*bytemuck::from_bytes(&bytes[at..at + R::WIDTH]))
}

/// The inverse of [`load`].
fn store<R: Ring>(bytes: &mut [u8], at: usize, element: R) {
    bytes[at..at + R::WIDTH].copy_from_slice(bytemuck::bytes_of(&element.to_wire()));
}

/// The element, if the mask is ones, zero if it is zeros. Masks come from [`subtle`], so that no compiler branches on them.
fn masked<R: Ring>(mut element: R, mask: u64) -> R {
    let words: &mut [u64] = bytemuck::cast_slice_mut(std::slice::from_mut(&mut element));
    for word in words {
        *word &= mask;
    }
    element
}

#[cfg(test)]
mod tests;
