//! Adding shared numbers, many at a time.
//!
//! Three numbers become two by a carry-save adder, one layer, until two are left; their carries are a prefix computation
//! (Sklansky, "Conditional-sum addition logic", IRE Transactions on Electronic Computers 9, 1960), ⌈log₂⌉ of the width layers.

use fsc_core::party::Party;
use fsc_core::protocol::ProtocolError;

use crate::algebra::bits::Bits;
use crate::circuit::{Gmw, Size};

/// Shared numbers, position by position, *least* significant first, as carries run. Each position has one bit per number.
pub type Columns = Vec<Bits>;

/// The sums, modulo 2^width, of shared numbers of that width.
pub async fn sum(gmw: &mut Gmw, party: &mut Party, mut numbers: Vec<Columns>) -> Result<Columns, ProtocolError> {
    while numbers.len() > 2 {
        numbers = carry_save(gmw, party, numbers).await?;
    }
    let second = numbers.pop().unwrap_or_default();
    match numbers.pop() {
        Some(first) => add(gmw, party, &first, &second).await,
        None => Ok(second),
    }
}

/// The sums, modulo 2^width, of numbers of which each party knows one term, as additive shares are; mine are `terms`.
pub async fn sum_of_known(
    gmw: &mut Gmw,
    party: &mut Party,
    terms: &[u64],
    width: usize,
) -> Result<Columns, ProtocolError> {
    let known = (0..party.parties()).map(|owner| columns(terms, width, owner == party.me())).collect();
    sum(gmw, party, known).await
}

/// My shares of numbers that one party knows: the numbers, if it is me.
fn columns(numbers: &[u64], width: usize, known: bool) -> Columns {
    let column = |position| {
        let bits: Vec<u64> = numbers.iter().map(|number| number >> position).collect();
        if known { Bits::positions(&bits, 1) } else { Bits::zeros(numbers.len()) }
    };
    (0..width).map(column).collect()
}

/// What [`sum`] takes: `count` sums of `terms` numbers each, two or more.
pub fn sum_size(terms: usize, width: usize, count: usize) -> Size {
    let levels = std::iter::successors(Some(terms), |terms| Some(terms - terms / 3)).take_while(|terms| *terms > 2);
    let saved: Size = levels.map(|terms| Size::products(terms / 3 * (width - 1) * count, 1)).sum();
    saved + add_size(width, count)
}

/// Two thirds as many numbers, of the same sum: for any three, one of what a full adder leaves and one of what it carries.
async fn carry_save(gmw: &mut Gmw, party: &mut Party, numbers: Vec<Columns>) -> Result<Vec<Columns>, ProtocolError> {
    let mut fewer = Vec::new();
    let (mut x, mut y) = (Bits::default(), Bits::default());
    let (threes, rest) = numbers.as_chunks::<3>();
    // What the highest position carries is lost, modulo 2^width.
    for [a, b, c] in threes {
        for ((a, b), c) in a.iter().zip(b).zip(c).take(a.len() - 1) {
            x.push_bits(&a.xor(c));
            y.push_bits(&b.xor(c));
        }
    }
    let products = gmw.and(party, &x, &y).await?;
    let mut start = 0;
    for [a, b, c] in threes {
        let count = a[0].len();
        let mut carries = vec![Bits::zeros(count)];
        for c in &c[..c.len() - 1] {
            carries.push(products.slice(start, count).xor(c));
            start += count;
        }
        fewer.push(a.iter().zip(b).zip(c).map(|((a, b), c)| a.xor(b).xor(c)).collect());
        fewer.push(carries);
    }
    fewer.extend_from_slice(rest);
    Ok(fewer)
}

/// The sums of two numbers each, modulo 2^width.
async fn add(gmw: &mut Gmw, party: &mut Party, a: &Columns, b: &Columns) -> Result<Columns, ProtocolError> {
    let propagate: Columns = a.iter().zip(b).map(|(a, b)| a.xor(b)).collect();
    let carrying = a.len() - 1;
    let count = a[0].len();
    let generated = gmw.and(party, &Bits::concat(&a[..carrying]), &Bits::concat(&b[..carrying])).await?;
    let mut g: Columns = (0..carrying).map(|position| generated.slice(position * count, count)).collect();
    let mut p = propagate[..carrying].to_vec();
    for level in levels(carrying) {
        // Whole runs of 2^level positions take up what the run below them, which ends at `below`, carries.
        let (high, below): (Vec<_>, Vec<_>) = level.into_iter().unzip();
        let gather = |columns: &Columns, at: &[usize]| Bits::concat(at.iter().map(|position| &columns[*position]));
        let (g_below, p_below) = (gather(&g, &below), gather(&p, &below));
        let products = gmw.and_common(party, &gather(&p, &high), &[&g_below, &p_below]).await?;
        for (index, position) in high.into_iter().enumerate() {
            let part = |product: &Bits| product.slice(index * count, count);
            g[position].xor_assign(&part(&products[0]));
            p[position] = part(&products[1]);
        }
    }
    let carries = std::iter::once(Bits::zeros(count)).chain(g);
    Ok(propagate.iter().zip(carries).map(|(bits, carry)| bits.xor(&carry)).collect())
}

fn add_size(width: usize, count: usize) -> Size {
    let carrying = width - 1;
    let prefix: Size = levels(carrying).map(|level| Size::products(level.len() * count, 2)).sum();
    Size::products(carrying * count, 1) + prefix
}

/// Sklansky's levels: positions that take up the carry of another one.
fn levels(positions: usize) -> impl Iterator<Item = Vec<(usize, usize)>> {
    let depth = positions.next_power_of_two().trailing_zeros();
    (0..depth).map(move |level| {
        let high = (0..positions).filter(|position| position >> level & 1 == 1);
        high.map(|position| (position, (position >> level << level) - 1)).collect()
    })
}
