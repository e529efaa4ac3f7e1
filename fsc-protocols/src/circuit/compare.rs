//! Comparing shared numbers, and choosing between them, many at a time.
//!
//! Numbers of `width` bits come position by position, most significant first ([`Bits::positions`](crate::algebra::bits::Bits::positions)). Comparing two
//! of 64 bits takes 190 products in seven layers: a tree over (greater, equal), as of a carry (Garay, Schoenmakers,
//! Villegas, "Practical and secure solutions for integer comparison", PKC 2007, section 4).

use fsc_core::party::Party;
use fsc_core::protocol::ProtocolError;

use crate::algebra::bits::Bits;
use crate::circuit::{Gmw, Size, add, public};

/// Whether x > y, for every pair of numbers.
pub async fn greater(
    gmw: &mut Gmw,
    party: &mut Party,
    x: &Bits,
    y: &Bits,
    width: usize,
) -> Result<Bits, ProtocolError> {
    let mut not_y = y.clone();
    not_y.xor_assign(&public(party, Bits::ones(y.len())));
    let greater = gmw.and(party, x, &not_y).await?;
    let equal = x.xor(&not_y);
    fold(gmw, party, greater, equal, x.len() / width).await
}

/// What [`greater`] takes for that many pairs.
pub fn greater_size(pairs: usize, width: usize) -> Size {
    Size::products(pairs * width, 1) + fold_size(width, pairs)
}

/// Of blocks of digits, most significant first: whether one number is greater than the other, by which block is greater and
/// which is equal, for `count` pairs.
pub async fn fold(
    gmw: &mut Gmw,
    party: &mut Party,
    mut greater: Bits,
    mut equal: Bits,
    count: usize,
) -> Result<Bits, ProtocolError> {
    let blocks_of = |bits: &Bits| bits.len().checked_div(count).unwrap_or_default();
    while blocks_of(&greater) > 1 {
        let blocks = blocks_of(&greater);
        let [high, low] = [0, 1].map(|first| every_other(&greater, first, count));
        let [equal_high, equal_low] = [0, 1].map(|first| every_other(&equal, first, count));
        // A pair of blocks is greater if its high block is, or if that is equal and its low block is greater. Of the whole
        // number nobody asks whether it is equal.
        let wanted = if blocks == 2 { &[&low][..] } else { &[&low, &equal_low] };
        let mut products = gmw.and_common(party, &equal_high, wanted).await?.into_iter();
        let rest = |bits: &Bits| bits.slice(blocks / 2 * 2 * count, blocks % 2 * count);
        let next = high.xor(&products.next().unwrap_or_default());
        greater = Bits::concat([&next, &rest(&greater)]);
        equal = Bits::concat([&products.next().unwrap_or_default(), &rest(&equal)]);
    }
    Ok(greater)
}

/// What [`fold`] takes.
pub fn fold_size(blocks: usize, count: usize) -> Size {
    let levels =
        std::iter::successors(Some(blocks), |blocks| Some(blocks.div_ceil(2))).take_while(|blocks| *blocks > 1);
    levels.map(|blocks| Size::products(blocks / 2 * count, if blocks == 2 { 1 } else { 2 })).sum()
}

/// Whether x = y, for every pair of numbers.
pub async fn equal(gmw: &mut Gmw, party: &mut Party, x: &Bits, y: &Bits, width: usize) -> Result<Bits, ProtocolError> {
    let mut equal = x.xor(y);
    equal.xor_assign(&public(party, Bits::ones(x.len())));
    all(gmw, party, equal, x.len() / width).await
}

/// What [`equal`] takes for that many pairs.
pub fn equal_size(pairs: usize, width: usize) -> Size {
    all_size(width, pairs)
}

/// Whether sums of numbers, of which each party knows one term, are zero modulo 2^width: two numbers in additive shares are equal if
/// their difference is.
pub async fn zero(gmw: &mut Gmw, party: &mut Party, terms: &[u64], width: usize) -> Result<Bits, ProtocolError> {
    let sums = add::sum_of_known(gmw, party, terms, width).await?;
    let mut zeros = Bits::concat(&sums);
    zeros.xor_assign(&public(party, Bits::ones(zeros.len())));
    all(gmw, party, zeros, terms.len()).await
}

/// What [`zero`] takes for that many sums over so many parties.
pub fn zero_size(parties: usize, sums: usize, width: usize) -> Size {
    add::sum_size(parties, width, sums) + all_size(width, sums)
}

/// Whether all positions of a number are ones, for `count` numbers.
pub async fn all(gmw: &mut Gmw, party: &mut Party, mut bits: Bits, count: usize) -> Result<Bits, ProtocolError> {
    while bits.len() > count {
        let half = bits.len() / count / 2 * count;
        let product = gmw.and(party, &bits.slice(0, half), &bits.slice(half, half)).await?;
        bits = Bits::concat([&product, &bits.slice(2 * half, bits.len() - 2 * half)]);
    }
    Ok(bits)
}

/// What [`all`] takes.
pub fn all_size(positions: usize, count: usize) -> Size {
    let levels = std::iter::successors(Some(positions), |left| Some(left.div_ceil(2))).take_while(|left| *left > 1);
    levels.map(|left| Size::products(left / 2 * count, 1)).sum()
}

/// x where `choice` is one, and y where it is zero, number by number.
pub async fn choose(
    gmw: &mut Gmw,
    party: &mut Party,
    choice: &Bits,
    x: &Bits,
    y: &Bits,
) -> Result<Bits, ProtocolError> {
    let count = choice.len();
    let difference = x.xor(y);
    let positions = difference.len().checked_div(count).unwrap_or_default();
    let differences: Vec<Bits> = (0..positions).map(|position| difference.slice(position * count, count)).collect();
    let chosen = gmw.and_common(party, choice, &differences.iter().collect::<Vec<_>>()).await?;
    Ok(Bits::concat(&chosen).xor(y))
}

/// What [`choose`] takes for that many choices.
pub fn choose_size(choices: usize, width: usize) -> Size {
    Size::products(choices, width)
}

/// Every other block of `count` bits, as many as there are pairs.
fn every_other(bits: &Bits, first: usize, count: usize) -> Bits {
    let pairs = bits.len() / count / 2;
    let mut chosen = Bits::default();
    for pair in 0..pairs {
        chosen.push_bits(&bits.slice((2 * pair + first) * count, count));
    }
    chosen
}
