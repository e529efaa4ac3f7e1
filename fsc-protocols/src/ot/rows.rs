//! Shares of X·Y over a ring, X at one party and Y at another one, by correlated OT on the bits of X over whole rows of Y.
//!
//! Gilboa, "Two party RSA key generation" (CRYPTO 1999), section 4.1. The owner of X receives: of bit t of an element x of X
//! it has H(q), or, where the bit is set, H(q ⊕ Δ) and the correction H(q) − H(q ⊕ Δ) + y, so that it has H(q) + x_t·y either
//! way, y being the row of Y for the column of x; the owner of Y subtracts H(q). Bits count 2^t, the highest one −2^t.
//!
//! # Wire
//!
//! For each part of X, 8 bytes per bit and 64 more at most, and back rows of `columns` ring elements, one per bit. Parts are so
//! large that what comes back is about 4 MiB, and two are under way at a time: that bounds the memory. A part of X is 64 · ⌈b/8⌉
//! bytes, for its b bits.

use std::collections::VecDeque;

use bytes::Bytes;
use fsc_core::party::Party;
use fsc_core::protocol::ProtocolError;

use super::softspoken::message_length;
use super::{Pairs, Receiver, Sender};
use crate::algebra::bits::Bits;
use crate::algebra::ring::Ring;

/// How many bytes come back for a part of X, about.
const PART: usize = 1 << 22;

/// How many parts are under way at a time.
const WINDOW: usize = 2;

/// The sizes of a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// The rows of X.
    pub rows: usize,
    /// The columns of X, which are the rows of Y.
    pub inner: usize,
    /// The columns of Y.
    pub columns: usize,
    /// How many bits an element of X has in two's complement, 1 to 128.
    pub bits: u32,
}

impl Sizes {
    /// How many elements of X each part has.
    fn parts(self) -> impl Iterator<Item = std::ops::Range<usize>> {
        let of_element = self.bits as usize * self.columns * size_of::<[u128; 2]>();
        let step = (PART / of_element.max(1)).max(1);
        let elements = self.rows * self.inner;
        (0..elements).step_by(step).map(move |start| start..elements.min(start + step))
    }

    /// How often each of the two parties sends something and waits.
    pub fn rounds(self) -> u32 {
        self.parts().count().div_ceil(WINDOW) as u32
    }

    /// Messages and bytes that the owner of X sends.
    pub fn of_left(self) -> (u64, u64) {
        let lengths = self.parts().map(|part| message_length(part.len() * self.bits as usize) as u64);
        (self.parts().count() as u64, lengths.sum())
    }

    /// Messages and bytes that the owner of Y sends.
    pub fn of_right<R: Ring>(self) -> (u64, u64) {
        let ots = self.rows * self.inner * self.bits as usize;
        (self.parts().count() as u64, (ots * self.columns * R::WIDTH) as u64)
    }
}

/// The share of the owner of X, whose peer is the owner of Y.
pub async fn left<R: Ring>(
    party: &mut Party,
    pairs: &mut Pairs,
    peer: usize,
    sizes: Sizes,
    x: &[i128],
) -> Result<Vec<R>, ProtocolError> {
    let receiver = &mut pairs.with(peer).receiver;
    let mut share = vec![R::ZERO; sizes.rows * sizes.columns];
    let mut under_way = VecDeque::new();
    let mut parts = sizes.parts();
    loop {
        while under_way.len() < WINDOW
            && let Some(part) = parts.next()
        {
            let choices = bits_of(&x[part.clone()], sizes.bits);
            let first = receiver.extension.next();
            let (message, strings) = receiver.extension.extend(&choices);
            party.send(peer, message);
            under_way.push_back((part, choices, first, strings));
        }
        // A whole window is heard before the next one is asked for: half as many rounds.
        if under_way.is_empty() {
            return Ok(share);
        }
        while let Some((part, choices, first, strings)) = under_way.pop_front() {
            let corrections = party.recv(peer).await?;
            if corrections.len() != strings.len() * sizes.columns * R::WIDTH {
                return Err(ProtocolError::Malformed { party: peer, why: "corrections of another size" });
            }
            let rows = received::<R>(receiver, sizes.columns, first, strings, &choices, &corrections);
            gather(&mut share, sizes, part, &rows);
        }
    }
}

/// The share of the owner of Y, whose peer is the owner of X.
pub async fn right<R: Ring>(
    party: &mut Party,
    pairs: &mut Pairs,
    peer: usize,
    sizes: Sizes,
    y: &[R],
) -> Result<Vec<R>, ProtocolError> {
    let sender = &mut pairs.with(peer).sender;
    let mut share = vec![R::ZERO; sizes.rows * sizes.columns];
    for part in sizes.parts() {
        let message = party.recv(peer).await?;
        let ots = part.len() * sizes.bits as usize;
        let first = sender.extension.next();
        let strings = sender
            .extension
            .extend(&message, ots)
            .map_err(|_| ProtocolError::Malformed { party: peer, why: "choices of another size" })?;
        let row = |ot: usize| {
            let inner = (part.start + ot / sizes.bits as usize) % sizes.inner;
            &y[inner * sizes.columns..][..sizes.columns]
        };
        let (rows, corrections) = sent(sender, sizes.columns, first, strings, row);
        party.send(peer, corrections);
        gather(&mut share, sizes, part, &rows);
    }
    Ok(share.into_iter().map(R::negated).collect())
}

/// The bits of all elements, each from the lowest to the highest.
fn bits_of(elements: &[i128], width: u32) -> Bits {
    let mut bits = Bits::zeros(elements.len() * width as usize);
    for (element, start) in elements.iter().zip((0..).step_by(width as usize)) {
        for bit in (0..width).filter(|bit| element >> bit & 1 == 1) {
            bits.set(start + bit as usize, true);
        }
    }
    bits
}

/// What the receiver has of each OT: H(q) plus the row, where the choice is one.
fn received<R: Ring>(
    receiver: &Receiver,
    columns: usize,
    first: u64,
    mut strings: Vec<u128>,
    choices: &Bits,
    corrections: &[u8],
) -> Vec<R> {
    receiver.hash.permute(&mut strings);
    let mut row = Row::new::<R>(columns);
    let mut rows = Vec::with_capacity(strings.len() * columns);
    for (ot, (permuted, corrections)) in
        strings.into_iter().zip(corrections.chunks_exact(columns * R::WIDTH)).enumerate()
    {
        receiver.hash.expand(first + ot as u64, 0, permuted, &mut row.blocks);
        let corrections: &[R::Wire] = bytemuck::cast_slice(corrections);
        let chosen = choices.get(ot);
        let elements = row.elements::<R>().zip(corrections);
        rows.extend(elements.map(|(hash, wire)| if chosen { hash.plus(R::from_wire(*wire)) } else { hash }));
    }
    rows
}

/// What the sender has of each OT, H(q), and the corrections.
fn sent<'a, R: Ring>(
    sender: &Sender,
    columns: usize,
    first: u64,
    mut zero: Vec<u128>,
    y: impl Fn(usize) -> &'a [R],
) -> (Vec<R>, Bytes) {
    let delta = sender.extension.delta();
    let mut one: Vec<u128> = zero.iter().map(|string| string ^ delta).collect();
    sender.hash.permute(&mut zero);
    sender.hash.permute(&mut one);
    let mut blocks = [Row::new::<R>(columns), Row::new::<R>(columns)];
    let mut rows = Vec::with_capacity(zero.len() * columns);
    let mut corrections = Vec::with_capacity(zero.len() * columns);
    for (ot, strings) in zero.into_iter().zip(one).enumerate() {
        for (row, string) in blocks.iter_mut().zip([strings.0, strings.1]) {
            sender.hash.expand(first + ot as u64, 0, string, &mut row.blocks);
        }
        let [zero, one] = &blocks;
        let hashes = zero.elements::<R>().zip(one.elements::<R>());
        corrections.extend(hashes.zip(y(ot)).map(|((zero, one), y)| zero.minus(one).plus(*y)));
        rows.extend(zero.elements::<R>());
    }
    (rows, crate::algebra::ring::encode(corrections))
}

/// Adds up the rows of a part's OTs, each weighted by its bit, into the rows of the product.
fn gather<R: Ring>(share: &mut [R], sizes: Sizes, part: std::ops::Range<usize>, rows: &[R]) {
    let (bits, columns) = (sizes.bits as usize, sizes.columns);
    for (element, rows) in part.zip(rows.chunks_exact(bits * columns)) {
        let sums = &mut share[element / sizes.inner * columns..][..columns];
        for (column, sum) in sums.iter_mut().enumerate() {
            // Horner's way, from the highest bit, which is negative.
            let mut digits = rows.iter().skip(column).step_by(columns).rev();
            let highest = digits.next().map_or(R::ZERO, |digit| digit.negated());
            *sum = sum.plus(digits.fold(highest, |value, digit| value.plus(value).plus(*digit)));
        }
    }
}

/// Room for the hashes of one OT, a block or more per ring element.
struct Row {
    blocks: Vec<u128>,
}

impl Row {
    fn new<R: Ring>(columns: usize) -> Self {
        Self { blocks: vec![0; (columns * R::WIDTH).div_ceil(size_of::<u128>())] }
    }

    /// The hashes as ring elements.
    fn elements<R: Ring>(&self) -> impl Iterator<Item = R> + '_ {
        let wires: &[R::Wire] = bytemuck::cast_slice(&self.blocks);
        wires.iter().map(|wire| R::from_wire(*wire))
    }
}
