//! The signs of sums of numbers of which each party knows one term, many at a time.
//!
//! Between two parties, x_0 + x_1 < 0 is a comparison of −x_0 and x_1, which they garble ([`super::garbled`]). Among more, or with a
//! dealer: instead of adding the terms bit by bit, which would take carries in every round of a search, each party adds a random
//! number of its own to its term, and the masked sum is opened. The bits of the random numbers' sum are computed ahead,
//! with everything about them that does not depend on the terms (the masks of Damgård, Fitzi, Kiltz, Nielsen and Toft,
//! TCC 2006, section 6, in the form of the edaBits of Escudero et al., CRYPTO 2020; here each party knows its own part):
//!
//! ```text
//!   ahead   r = Σ r_i mod 2^w, bit-shared by an adder; for each digit of r and v = 0…15, shares of [digit = v]
//!   online  open m = Σ (x_i + r_i) mod 2^w                                   uniform, and independent of Σ x_i
//!           Σ x_i < 0  ⇔  the top bit of m − r is one:  m_top + r_top + [r_low > m_low]
//! ```
//!
//! As m is public, each digit's comparison is a sum of shares that are there already, and ⌈log₂⌉ of the number of digits
//! layers are left. Nobody learns r: the honest parties' r_i are uniform, and each is used once.

use std::ops::Add;

use fsc_core::party::Party;
use fsc_core::protocol::{Cost, ProtocolError};
use rand::Rng;

use crate::algebra::bits::Bits;
use crate::circuit::add::{self, Columns};
use crate::circuit::compare::{fold, fold_size};
use crate::circuit::garbled::{self, Circuit, GARBLER, Garbled};
use crate::circuit::{Gmw, Size, public};
use crate::preprocessing::Source;
use crate::sharing::additive::Additive;

/// The bits of a digit.
const DIGIT: usize = 4;

/// The signs of sums.
pub enum Signs {
    /// Between two parties: the circuits, and the width of the numbers that they compare.
    Garbled(Box<Garbled>, u32),
    /// Among any number, or with a dealer.
    Masked(Box<Gmw>, Masks),
}

impl Signs {
    /// Computes ahead what the signs of `count` sums take, which are less than 2^bits from zero, as each term is; at most 2^60.
    pub async fn prepare(party: &mut Party, source: Source, bits: usize, count: usize) -> Result<Self, ProtocolError> {
        if garbled::is_chosen(source, party.parties()) {
            return Ok(Self::Garbled(Box::new(Garbled::connect(party).await?), bits as u32 + 1));
        }
        let size = Masks::prepare_size(party.parties(), bits, count) + Masks::negative_size(bits, count);
        let mut gmw = Gmw::connect(party, source, size).await?;
        let masks = Masks::prepare(&mut gmw, party, bits, count).await?;
        Ok(Self::Masked(Box::new(gmw), masks))
    }

    /// Shows to all whether the next sums are negative, and nothing else, from my terms.
    ///
    /// # Panics
    /// If fewer sums were prepared.
    pub async fn open(&mut self, party: &mut Party, terms: &[i64]) -> Result<Bits, ProtocolError> {
        match self {
            Self::Garbled(garbled, width) => {
                // x_0 + x_1 < 0 where −x_0 > x_1.
                let sign = if party.me() == GARBLER { -1 } else { 1 };
                let number = |term: &i64| (1_u64 << (*width - 1)).wrapping_add_signed(sign * term);
                let numbers: Vec<u64> = terms.iter().map(number).collect();
                garbled.open(party, Circuit::Greater, &numbers, *width).await
            }
            Self::Masked(gmw, masks) => {
                let negative = masks.negative(gmw, party, terms).await?;
                gmw.open(party, &negative).await
            }
        }
    }

    /// What the party at `me` sends for signs of sums that are opened one after the other, so many each time, and before what
    /// comes next ([`garbled::last_opening`]).
    pub fn cost(source: Source, parties: usize, me: usize, bits: usize, counts: &[usize]) -> Cost {
        if garbled::is_chosen(source, parties) {
            let openings = counts.iter().map(|count| Circuit::Greater.opened_cost(me, *count, bits as u32 + 1));
            return openings.fold(Cost::default(), Add::add);
        }
        let ahead = Masks::prepare_size(parties, bits, counts.iter().sum());
        let opened = |count: &usize| Masks::negative_size(bits, *count) + Size::opening(*count);
        (ahead + counts.iter().map(opened).sum()).cost(source, parties)
    }
}

/// What was computed ahead for the signs of sums: one mask for each, used once.
pub struct Masks {
    digits: usize,
    /// My r_i.
    mine: Vec<u64>,
    /// Of r's top bit.
    top: Bits,
    /// Of the digits of r's other bits, most significant first: for every value, whether it is that.
    is: Vec<[Bits; 1 << DIGIT]>,
    used: usize,
}

impl Masks {
    /// Computes ahead what the signs of `count` sums take, which are less than 2^bits from zero; at most 2^60.
    pub async fn prepare(gmw: &mut Gmw, party: &mut Party, bits: usize, count: usize) -> Result<Self, ProtocolError> {
        let digits = digits(bits);
        let width = digits * DIGIT + 1;
        let mut mine = vec![0_u64; count];
        party.rng().fill_bytes(bytemuck::cast_slice_mut(&mut mine));
        let mut r = add::sum_of_known(gmw, party, &mine, width).await?;
        let top = r.pop().unwrap_or_default();
        let is = values_of_digits(gmw, party, &r).await?;
        Ok(Self { digits, mine, top, is, used: 0 })
    }

    /// What [`Masks::prepare`] takes.
    pub fn prepare_size(parties: usize, bits: usize, count: usize) -> Size {
        let digits = digits(bits);
        let numbers = add::sum_size(parties, digits * DIGIT + 1, count);
        numbers + Size::products(2 * digits * count, 1) + Size::products(3 * digits * count, 3)
    }

    /// Whether the next sums are negative: shares of that, from my terms.
    ///
    /// # Panics
    /// If fewer sums were prepared.
    pub async fn negative(&mut self, gmw: &mut Gmw, party: &mut Party, terms: &[i64]) -> Result<Bits, ProtocolError> {
        let (start, count) = (self.used, terms.len());
        self.used += count;
        let below = 1_u64 << (self.digits * DIGIT + 1);
        let masks = &self.mine[start..start + count];
        let masked = terms.iter().zip(masks).map(|(term, mask)| mask.wrapping_add_signed(*term) % below).collect();
        let opened: Vec<u64> = party.open(Additive::new(masked)).await?.into_iter().map(|sum| sum % below).collect();

        let (mut greater, mut equal) = (Bits::default(), Bits::default());
        for (position, is) in (0..self.digits).rev().zip(&self.is) {
            let digits: Vec<u64> = opened.iter().map(|sum| sum >> (position * DIGIT) & 0xf).collect();
            let (more, same) = compare_digit(is, start, &digits);
            greater.push_bits(&more);
            equal.push_bits(&same);
        }
        let mut negative = fold(gmw, party, greater, equal, count).await?;
        negative.xor_assign(&self.top.slice(start, count));
        let opened_top: Vec<u64> = opened.iter().map(|sum| sum >> (self.digits * DIGIT)).collect();
        negative.xor_assign(&public(party, Bits::positions(&opened_top, 1)));
        Ok(negative)
    }

    /// What [`Masks::negative`] takes.
    pub fn negative_size(bits: usize, count: usize) -> Size {
        Size::round(8 * count) + fold_size(digits(bits), count)
    }
}

fn digits(bits: usize) -> usize {
    assert!(bits <= 60, "sums fit into 64 bits, with their signs");
    bits.div_ceil(DIGIT).max(1)
}

/// For every digit, most significant first, and every value: shares of whether it is that.
async fn values_of_digits(
    gmw: &mut Gmw,
    party: &mut Party,
    r: &Columns,
) -> Result<Vec<[Bits; 1 << DIGIT]>, ProtocolError> {
    let count = r.first().map_or(0, Bits::len);
    let (digits, _) = r.as_chunks::<DIGIT>();
    // The products of all subsets of a digit's bits, in two layers: of the low two and of the high two, then of both.
    let halves = |bit: usize| Bits::concat(digits.iter().flat_map(move |digit| [&digit[bit], &digit[bit + 2]]));
    let pairs = gmw.and(party, &halves(0), &halves(1)).await?;
    let pair = |index: usize| pairs.slice(index * count, count);
    let low = |digit: usize| [digits[digit][0].clone(), digits[digit][1].clone(), pair(2 * digit)];
    let high = |digit: usize| [digits[digit][2].clone(), digits[digit][3].clone(), pair(2 * digit + 1)];
    let all_high = Bits::concat(&(0..digits.len()).flat_map(high).collect::<Vec<_>>());
    let lows =
        |which: usize| Bits::concat(&(0..digits.len()).map(|digit| low(digit)[which].repeat(3)).collect::<Vec<_>>());
    let lows = [0, 1, 2].map(lows);
    let products = gmw.and_common(party, &all_high, &lows.each_ref()).await?;

    let one = public(party, Bits::ones(count));
    let is = |digit: usize| {
        let product = |subset: usize| match (subset >> 2, subset & 3) {
            (0, 0) => one.clone(),
            (0, below) => low(digit)[below - 1].clone(),
            (above, 0) => high(digit)[above - 1].clone(),
            (above, below) => products[below - 1].slice((3 * digit + above - 1) * count, count),
        };
        values_of(std::array::from_fn(product))
    };
    Ok((0..digits.len()).rev().map(is).collect())
}

/// From the product of each subset of bits, whether the bits are just the ones of each value: ∏ of its ones and of one minus
/// the others is the sum of the products of all its supersets.
fn values_of(mut products: [Bits; 1 << DIGIT]) -> [Bits; 1 << DIGIT] {
    for bit in 0..DIGIT {
        for value in (0..1 << DIGIT).filter(|value| value >> bit & 1 == 0) {
            let superset = products[value | 1 << bit].clone();
            products[value].xor_assign(&superset);
        }
    }
    products
}

/// Whether a shared digit, of which it is known whether it is each value, is greater than a public one, and whether it is
/// equal to it.
fn compare_digit(is: &[Bits; 1 << DIGIT], start: usize, public: &[u64]) -> (Bits, Bits) {
    let count = public.len();
    let [mut greater, mut equal, mut above] = [(); 3].map(|()| Bits::zeros(count));
    for value in (0..1 << DIGIT).rev() {
        let here: Vec<u64> = public.iter().map(|digit| u64::from(*digit == value as u64)).collect();
        let here = Bits::positions(&here, 1);
        let is = is[value].slice(start, count);
        greater.xor_assign(&here.and(&above));
        equal.xor_assign(&here.and(&is));
        above.xor_assign(&is);
    }
    (greater, equal)
}
