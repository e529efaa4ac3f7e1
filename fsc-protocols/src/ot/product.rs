//! The product of two private matrices, X at one party and Y at another, in additive shares of Z/2^128.
//!
//! Gilboa, "Two party RSA key generation" (Crypto 1999), section 4.1, over whole rows of Y at a time, from correlated OT
//! (Asharov et al., CCS 2013, section 5.4): the owner of X receives, its bits are the choices. For each element
//! x_rk = −2^(β−1)·x_(β−1) + Σ_b 2^b·x_b, in two's complement of β bits, and each of its bits b:
//!
//! ```text
//!   right  m_0 = H(q), m_1 = H(q ⊕ Δ), a vector as long as a row of Y    sends e = m_0 ± Y_k − m_1
//!   left   H(t) + x_b·e = m_0 ± x_b·Y_k                                  adds 2^b times that to row r of its share
//!   right                                                                subtracts 2^b·m_0 from row r of its share
//! ```
//!
//! Of e only the lowest 128 − b bits matter, since all is multiplied by 2^b, so only the bytes that hold them are sent.
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
//! For an element of X, its owner sends 8·β bytes (up to rounding), and the owner of Y, for each column, Σ_{b<β} (16 − ⌊b/8⌋):
//! 800 bytes for β = 64. The bits are gone through in chunks, for each of which the owner of Y answers a message with one of at
//! most 1 MiB (or of one bit, if a row of Y is larger). Four chunks are under way at a time, so neither side holds more than
//! that, its matrix and its share: each sends in one round for every four chunks.
//!
//! For large matrices lattice-based products send less; they would stand beside this function, with the same signature.
//!
//! # Differences from the reference
//!
//! The reference sends a projection of one of the matrices, and where that is square the matrix itself.

use bytes::Bytes;
use fsc_core::party::{PIECE, Party};
use fsc_core::protocol::{Cost, ProtocolError};

use super::softspoken::message_length;
use super::{Pair, Pairs, bad, malformed};
use crate::algebra::bits::Bits;

/// How many chunks are under way.
const WINDOW: usize = 4;

/// The most bits in a chunk.
const MOST: usize = PIECE / ELEMENT;

/// The bytes of an element of the ring.
const ELEMENT: usize = 16;

/// What is multiplied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Product {
    /// The place of the owner of X, of `rows` times `inner` elements.
    pub left: usize,
    /// The place of the owner of Y, of `inner` times `columns` elements.
    pub right: usize,
    /// The rows of X and of the product.
    pub rows: usize,
    /// The columns of X and rows of Y.
    pub inner: usize,
    /// The columns of Y and of the product.
    pub columns: usize,
    /// The width β of X's elements, sign included; 1 to 128.
    pub bits: u32,
}

/// My share of X·Y, row by row, if X or Y is `mine`; nothing otherwise. Shares add up to the product in Z/2^128.
///
/// # Panics
/// If `mine` is not there where it should be, or of another shape than the product states. X's elements are taken modulo
/// 2^bits. Sizes that come from others are to be bounded before.
pub async fn product(
    pairs: &mut Pairs,
    party: &mut Party,
    product: Product,
    mine: Option<&[i128]>,
) -> Result<Option<Vec<u128>>, ProtocolError> {
    let Product { left, right, rows, inner, columns, .. } = product;
    let mut share = vec![0; if [left, right].contains(&party.me()) { rows * columns } else { 0 }];
    if party.me() == left {
        let x = mine.expect("the party on the left has a matrix");
        assert_eq!(x.len(), rows * inner, "X has the shape that the product states");
        multiply_left(pairs.with(right), party, product, x, &mut share).await?;
    } else if party.me() == right {
        let y = mine.expect("the party on the right has a matrix");
        assert_eq!(y.len(), inner * columns, "Y has the shape that the product states");
        multiply_right(pairs.with(left), party, product, y, &mut share).await?;
    } else {
        return Ok(None);
    }
    Ok(Some(share))
}

impl Product {
    /// What the party at `place` sends. The last answer of the party on the right waits for nothing that comes after it: if
    /// that party sends more before it hears something, both leave in one round.
    pub fn cost(&self, place: usize) -> Cost {
        let (chunks, most) = (self.chunks(), self.chunk());
        let rounds = chunks.div_ceil(WINDOW) as u32;
        if chunks > 0 && place == self.left {
            let last = self.ots() - (chunks - 1) * most;
            let bytes = (chunks - 1) * message_length(most) + message_length(last);
            Cost { rounds, messages: chunks as u64, bytes: bytes as u64 }
        } else if chunks > 0 && place == self.right {
            let element: usize = (0..self.bits).map(width).sum();
            let bytes = self.rows * self.inner * self.columns * element;
            Cost { rounds, messages: chunks as u64, bytes: bytes as u64 }
        } else {
            Cost::default()
        }
    }

    /// The number of OTs: one for each bit of X, if there is something to multiply it with.
    const fn ots(&self) -> usize {
        if self.columns == 0 { 0 } else { self.rows * self.inner * self.bits as usize }
    }

    const fn chunks(&self) -> usize {
        self.ots().div_ceil(self.chunk())
    }

    /// The number of OTs in a chunk, but for the last.
    const fn chunk(&self) -> usize {
        match MOST.checked_div(self.columns) {
            Some(0) | None => 1,
            Some(ots) => ots,
        }
    }

    /// The OTs of a chunk, by number.
    fn ots_of(&self, chunk: usize) -> impl ExactSizeIterator<Item = Place> + use<> {
        let (start, end) = (chunk * self.chunk(), self.ots().min((chunk + 1) * self.chunk()));
        let Self { bits, inner, .. } = *self;
        (start..end).map(move |ot| {
            let (element, bit) = (ot / bits as usize, (ot % bits as usize) as u32);
            Place { element, row: element / inner, across: element % inner, bit, is_sign: bit + 1 == bits }
        })
    }
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
    is_sign: bool,
}

/// A chunk that was asked for.
struct Asked {
    choices: Bits,
    /// The number of its first OT.
    first: u64,
    strings: Vec<u128>,
}

async fn multiply_left(
    pair: &mut Pair,
    party: &mut Party,
    product: Product,
    x: &[i128],
    share: &mut [u128],
) -> Result<(), ProtocolError> {
    let mut asked = std::collections::VecDeque::with_capacity(WINDOW);
    for chunk in 0..product.chunks() + WINDOW {
        if chunk < product.chunks() {
            let (message, question) = ask(pair, product, chunk, x);
            party.send(product.right, message);
            asked.push_back(question);
        }
        if chunk + 1 >= WINDOW {
            let Some(question) = asked.pop_front() else { break };
            let answer = party.recv(product.right).await?;
            absorb(pair, product, chunk + 1 - WINDOW, question, &answer, share)?;
        }
    }
    Ok(())
}

/// Asks for a chunk: its bits of X are choices.
fn ask(pair: &mut Pair, product: Product, chunk: usize, x: &[i128]) -> (Bytes, Asked) {
    let places = product.ots_of(chunk);
    let mut choices = Bits::zeros(places.len());
    for (index, place) in places.enumerate() {
        choices.set(index, x[place.element] >> place.bit & 1 == 1);
    }
    let first = pair.receiver.extension.next();
    let (message, mut strings) = pair.receiver.extension.extend(&choices);
    pair.receiver.hash.permute(&mut strings);
    (message, Asked { choices, first, strings })
}

/// Adds what the answer makes of a chunk to the share.
fn absorb(
    pair: &Pair,
    product: Product,
    chunk: usize,
    asked: Asked,
    answer: &[u8],
    share: &mut [u128],
) -> Result<(), ProtocolError> {
    let columns = product.columns;
    let expected: usize = product.ots_of(chunk).map(|place| columns * width(place.bit)).sum();
    if answer.len() != expected {
        return Err(malformed(product.right, "its part of a product has another length than agreed"));
    }
    let mut rest = answer;
    let mut pad = vec![0; columns];
    for (index, (place, string)) in product.ots_of(chunk).zip(asked.strings).enumerate() {
        pair.receiver.hash.expand(asked.first + index as u64, 0, string, &mut pad);
        let chosen = 0_u128.wrapping_sub(asked.choices.get(index).into());
        let sums = &mut share[place.row * columns..][..columns];
        let width = width(place.bit);
        for (column, (sum, pad)) in sums.iter_mut().zip(&pad).enumerate() {
            let term = pad.wrapping_add(chosen & load(rest, column * width));
            *sum = sum.wrapping_add(term << place.bit);
        }
        rest = &rest[columns * width..];
    }
    Ok(())
}

async fn multiply_right(
    pair: &mut Pair,
    party: &mut Party,
    product: Product,
    y: &[i128],
    share: &mut [u128],
) -> Result<(), ProtocolError> {
    for chunk in 0..product.chunks() {
        let message = party.recv(product.left).await?;
        let answer = answer(pair, product, chunk, &message, y, share)?;
        party.send(product.left, answer);
    }
    Ok(())
}

/// Answers for a chunk, and subtracts what the other gets too much from the share.
fn answer(
    pair: &mut Pair,
    product: Product,
    chunk: usize,
    message: &[u8],
    y: &[i128],
    share: &mut [u128],
) -> Result<Bytes, ProtocolError> {
    let (columns, places) = (product.columns, product.ots_of(chunk));
    let sender = &mut pair.sender;
    let first = sender.extension.next();
    let mut zero = sender.extension.extend(message, places.len()).map_err(|error| bad(product.left, error))?;
    let mut one: Vec<u128> = zero.iter().map(|string| string ^ sender.extension.delta()).collect();
    sender.hash.permute(&mut zero);
    sender.hash.permute(&mut one);
    let length: usize = product.ots_of(chunk).map(|place| columns * width(place.bit)).sum();
    // Elements are stored whole, and each overwrites what the one before has too much.
    let mut answer = vec![0; length + ELEMENT];
    let mut rest = &mut answer[..];
    let (mut pad, mut other) = (vec![0; columns], vec![0; columns]);
    for ((place, ot), (zero, one)) in places.zip(first..).zip(zero.into_iter().zip(one)) {
        sender.hash.expand(ot, 0, zero, &mut pad);
        sender.hash.expand(ot, 0, one, &mut other);
        let sign = 0_u128.wrapping_sub(place.is_sign.into());
        let width = width(place.bit);
        let terms = &y[place.across * columns..][..columns];
        let sums = &mut share[place.row * columns..][..columns];
        for (column, (((sum, term), pad), other)) in sums.iter_mut().zip(terms).zip(&pad).zip(&other).enumerate() {
            let term = (*term as u128 ^ sign).wrapping_sub(sign);
            let masked = pad.wrapping_add(term).wrapping_sub(*other);
            rest[column * width..][..ELEMENT].copy_from_slice(&masked.to_le_bytes());
            *sum = sum.wrapping_sub(pad << place.bit);
        }
        rest = &mut rest[columns * width..];
    }
    answer.truncate(length);
    Ok(answer.into())
}

/// How many bytes hold the bits of an element that matter when it is multiplied by 2^bit.
const fn width(bit: u32) -> usize {
    ELEMENT - bit as usize / 8
}

/// The 16 bytes from there, or what there is of them, as an element. What belongs to the next one is shifted out later.
fn load(bytes: &[u8], at: usize) -> u128 {
    let bytes = &bytes[at..];
    if let Some(element) = bytes.first_chunk() {
        return u128::from_le_bytes(*element);
    }
    let mut element = [0; ELEMENT];
    element[..bytes.len()].copy_from_slice(bytes);
    u128::from_le_bytes(element)
}

#[cfg(test)]
mod tests;
