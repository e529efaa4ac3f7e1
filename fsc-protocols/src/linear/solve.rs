//! Regression of a vector on columns of several parties, on shares.
//!
//! Party j has an orthonormal basis Q_j of what its columns span, and one party has y, of length 1 at most. With M the matrix of
//! blocks Q_i'Q_j, whose diagonal blocks are I, and r that of blocks Q_j'y, party j is to learn its block of g = M^-1·r.
//!
//! # The iteration
//!
//! The eigenvalues of M are in (0, b], b being the number of blocks. For α = 2^-⌈log₂ b⌉ and E = I − αM, those of E are in
//! [0, 1), and g = Σ_s E^s·αr = (… (I + E⁴)(I + E²)(I + E))·αr, so that step t takes
//!
//! ```text
//!   H ← H + E·H,   E ← E²         from H = αr; after t steps E is E^(2^t)
//! ```
//!
//! The number of steps is public and follows from the largest accepted condition c: eigenvalues are to be 1/c at least.
//!
//! # On shares
//!
//! Numbers have f = 54 bits behind the point, in Z/2^256. The blocks of M and r are products of what two parties know
//! ([`product`]). To take s bits off a number z with |z| < 2^(s+l) every party adds a random ρ_i of
//! s + l + 2 + λ bits to its share, λ = 40, and z + 2^(s+l) + Σρ_i is opened: as long as one party keeps its ρ_i to itself, that is at distance
//! 2^-λ from what it is for z = 0. Then
//!
//! ```text
//!   ⌊z/2^s⌋ ≈ ⌊(z + 2^(s+l) + Σρ_i) / 2^s⌋ − 2^l − Σ ⌊ρ_i/2^s⌋
//! ```
//!
//! with an error in (−1, n), and nothing can go wrong, for any number of parties: local truncation, of shares without masks,
//! is sound for two only, and fails with some probability there. What is left is public but for terms that one party each knows.
//! So the squares of the next step need products of those random terms only, which do not depend on any input: all of
//! them are made at the same time, before the first step, and a step is one opening.
//!
//! # Whether there is a solution
//!
//! Three steps before the end, the trace of E is opened, under noise from all parties of up to 2^-8. Where all eigenvalues of M are
//! 1/c at least, that trace is below 2^-48, and the noise hides it at distance 2^-λ; where it is above n·2^-8, nothing else is
//! opened; where it is below, what the last steps leave over is below 2^-40. In between, and where there is no solution,
//! what is opened says how far the smallest eigenvalue is below 1/c.

use fsc_core::party::Party;
use fsc_core::protocol::{Cost, ProtocolError};
use rand::Rng;

use super::product::{self, Factor, Product, multiply, zeros};
use super::scaling;
use crate::algebra::ring::{self, Ring, U256, shifted_right};
use crate::preprocessing::Source;
use crate::sharing::additive::Additive;

/// f, the bits behind the point.
const FRACTION: u32 = 54;

/// λ: what is opened under a mask is at distance 2^-λ from uniform.
const STATISTICAL: u32 = 40;

/// Bits behind the point of the bases and of y, as they enter products.
const ENTRY: u32 = 62;

/// Noise of up to 2^-8 hides a trace below 2^-48.
const NOISE: u32 = 8;

/// The steps after which a trace of n·2^-8 has become nothing: (2^-8)^(2^3).
const LAST_STEPS: u32 = 3;

/// The most steps: H stays below 2^MOST_STEPS, and masks in 128 bits.
const MOST_STEPS: u32 = 31;

/// What is public about a regression.
#[derive(Clone, Debug)]
pub struct System {
    /// Who takes part, in order of place.
    pub among: Vec<usize>,
    /// The columns of each party that has some.
    pub blocks: Vec<Block>,
    /// The party that has y.
    pub owner: usize,
    /// The number of rows.
    pub rows: usize,
    /// c: the largest accepted condition.
    pub condition: u32,
    /// Where products come from.
    pub source: Source,
}

/// The columns of one party.
#[derive(Clone, Copy, Debug)]
pub struct Block {
    /// The party.
    pub place: usize,
    /// The number of its first column among all.
    pub start: usize,
    /// How many columns it has.
    pub columns: usize,
}

/// What one party knows.
pub struct Panel<'a> {
    /// Q_j, column by column; empty for a party without columns.
    pub q: &'a [Vec<f64>],
    /// y, of length 1 at most, at its owner.
    pub y: Option<&'a [f64]>,
}

impl System {
    /// Whether there are few enough steps.
    pub fn is_feasible(&self) -> bool {
        self.steps() <= MOST_STEPS
    }

    /// My block of g, in shares that were opened to me; none for a party without columns.
    pub async fn solve(&self, party: &mut Party, panel: Panel<'_>) -> Result<Option<Vec<f64>>, ProtocolError> {
        let masks: Vec<Masks> = (0..=self.steps()).map(|_| Masks::draw(self, party)).collect();
        let mut shares = self.multiply_in_pairs(party, &panel, &masks).await?;
        if !self.among.contains(&party.me()) {
            return Ok(None);
        }
        let steps = shares.split_off(self.entry_products().len());
        let entries = self.entry_products().into_iter().zip(shares);
        let begun = self.begin(party, &panel, entries);
        let mut state = self.truncate(party, begun, &masks[0], 2 * ENTRY + self.halvings() - FRACTION).await?;
        let products = steps.chunks(self.mask_pairs().len().max(1));
        for (step, (masks, products)) in masks[1..].iter().zip(products).enumerate() {
            if step == (self.steps() - LAST_STEPS) as usize {
                self.check(party, &state).await?;
            }
            let next = self.step(party, &state, products);
            state = self.truncate(party, next, masks, FRACTION).await?;
        }
        self.open(party, &state).await
    }

    /// What [`System::solve`] sends, at one party; what follows is sent at once, if it is `next`.
    pub fn cost(&self, me: usize) -> Cost {
        let products = self.all_products();
        let making = product::cost::<U256>(self.source, me, &products);
        if !self.among.contains(&me) {
            return making;
        }
        let others = self.among.len() as u64 - 1;
        let vector = (self.triangle() + self.columns()) as u64 * 32;
        let openings = u64::from(self.steps()) + 1;
        let readers: Vec<_> = self.blocks.iter().filter(|block| block.place != me).collect();
        let opened: u64 = readers.iter().map(|block| 16 * block.columns as u64).sum();
        let rest = Cost {
            rounds: openings as u32 + 1 + u32::from(!readers.is_empty()),
            messages: (openings + 1) * others + readers.len() as u64,
            bytes: (openings * vector + 16) * others + opened,
        };
        product::then(self.source, me, &products, making, rest)
    }

    /// The rounds of two parties that alternate, with `further` exchanges after [`System::solve`]. Where one of them only answers in
    /// making products, it opens its share with the last answer; the other one can complete that opening and begin the next
    /// at once, and so on: each message has a share of two openings.
    pub fn rounds_of_two(&self, me: usize, further: u32) -> Option<u32> {
        let products = self.all_products();
        let [one, other] = self.among[..] else { return None };
        let alternate = self.source == Source::Oblivious && product::rounds(other, &products)[0] == 0;
        let exchanges = self.steps() + 3 + further;
        let [asks, answers] = product::rounds(me, &products);
        let later = if me == one { exchanges } else { exchanges - 1 };
        alternate.then_some(asks + answers + later.div_ceil(2))
    }

    /// k, the number of all columns.
    fn columns(&self) -> usize {
        self.blocks.iter().map(|block| block.columns).sum()
    }

    /// The number of a symmetric matrix' entries on and above the diagonal.
    fn triangle(&self) -> usize {
        self.columns() * (self.columns() + 1) / 2
    }

    /// −log₂ α.
    fn halvings(&self) -> u32 {
        self.blocks.len().next_power_of_two().trailing_zeros()
    }

    /// With 2^t ≥ c·2^halvings·(48·ln 2 + ln k), the trace is at most k·(1 − α/c)^(2^t) ≤ 2^-48.
    fn steps(&self) -> u32 {
        let enough = 48.0 * std::f64::consts::LN_2 + (self.columns() as f64).ln();
        let steps = (f64::from(self.condition) * enough).log2().ceil() as u32;
        self.halvings() + steps + LAST_STEPS
    }

    /// The number at that index of E's triangle and H is below 2^limit in magnitude, in units of 2^-FRACTION: E is 1 at most, H is
    /// 2^steps.
    fn limit(&self, index: usize) -> u32 {
        FRACTION + 1 + if index < self.triangle() { 0 } else { self.steps() }
    }

    fn block(&self, place: usize) -> Option<Block> {
        self.blocks.iter().copied().find(|block| block.place == place)
    }

    /// The columns that a party has for products with others': its basis, and then y.
    fn width(&self, place: usize) -> usize {
        self.block(place).map_or(0, |block| block.columns) + usize::from(place == self.owner)
    }

    fn pairs(&self, of: impl Fn(usize) -> bool) -> Vec<[usize; 2]> {
        let members: Vec<usize> = self.among.iter().copied().filter(|place| of(*place)).collect();
        let mut pairs = Vec::new();
        for (index, one) in members.iter().enumerate() {
            pairs.extend(members[index + 1..].iter().map(|other| [*one, *other]));
        }
        pairs
    }

    /// Who multiplies masks with whom.
    fn mask_pairs(&self) -> Vec<[usize; 2]> {
        self.pairs(|_| true)
    }

    /// The products of panels: the narrower one is on the left, since it costs by the bit.
    fn entry_products(&self) -> Vec<Product> {
        let pairs = self.pairs(|place| self.width(place) > 0).into_iter();
        let product = |[one, other]: [usize; 2]| {
            let [left, right] = if self.width(one) <= self.width(other) { [one, other] } else { [other, one] };
            let (rows, columns) = (self.width(left), self.width(right));
            Product { left, right, rows, inner: self.rows, columns, bits: ENTRY + 2 }
        };
        pairs.map(product).collect()
    }

    /// The products of masks in every step: of [E; H'] at one party and [E | H] at the other.
    fn mask_products(&self) -> Vec<Product> {
        let k = self.columns();
        let bits = FRACTION + self.steps() + STATISTICAL + 3;
        let product = |[left, right]: [usize; 2]| Product { left, right, rows: k + 1, inner: k, columns: k + 1, bits };
        let pairs = self.mask_pairs();
        (0..self.steps()).flat_map(|_| pairs.iter().copied().map(product).collect::<Vec<_>>()).collect()
    }

    fn all_products(&self) -> Vec<Product> {
        let mut products = self.entry_products();
        products.extend(self.mask_products());
        products
    }

    /// My shares of all products; nothing but zeros of those that I have no part in.
    async fn multiply_in_pairs(
        &self,
        party: &mut Party,
        panel: &Panel<'_>,
        masks: &[Masks],
    ) -> Result<Vec<Vec<U256>>, ProtocolError> {
        let me = party.me();
        let mut tasks: Vec<(Product, Factor<U256>)> = Vec::new();
        for product in self.entry_products() {
            let factor = match me {
                _ if me == product.left => Factor::Left(panel.rows()),
                _ if me == product.right => Factor::Right(panel.columns()),
                _ => Factor::Neither,
            };
            tasks.push((product, factor));
        }
        let of_step = self.mask_pairs().len().max(1);
        for (index, product) in self.mask_products().into_iter().enumerate() {
            let masks = &masks[index / of_step];
            let factor = match me {
                _ if me == product.left => Factor::Left(masks.stacked(self.columns())),
                _ if me == product.right => Factor::Right(masks.side_by_side(self.columns())),
                _ => Factor::Neither,
            };
            tasks.push((product, factor));
        }
        let sizes: Vec<usize> = tasks.iter().map(|(product, _)| product.rows * product.columns).collect();
        let shares = product::products(party, self.source, tasks).await?;
        Ok(shares.into_iter().zip(sizes).map(|(share, size)| share.unwrap_or_else(|| vec![U256::ZERO; size])).collect())
    }

    /// My share of E and H before the first step, with 2·ENTRY + halvings bits behind the point.
    fn begin(
        &self,
        party: &Party,
        panel: &Panel<'_>,
        entries: impl Iterator<Item = (Product, Vec<U256>)>,
    ) -> Vec<U256> {
        let k = self.columns();
        let mut share = vec![U256::ZERO; self.triangle() + k];
        if self.among.first() == Some(&party.me()) {
            // (1 − α)·I, which is public.
            let diagonal = U256::of((1 << self.halvings()) - 1).times(power_of_two(2 * ENTRY));
            (0..k).for_each(|row| share[in_triangle(k, row, row)] = diagonal);
        }
        if let (Some(block), Some(y)) = (self.block(party.me()), panel.y) {
            let known: Vec<f64> = panel.q.iter().map(|column| super::matrix::dot(column, y)).collect();
            let known = scaling::integers(&known, 2 * ENTRY as i32);
            for (index, number) in known.into_iter().enumerate() {
                share[self.triangle() + block.start + index] = U256::of(number);
            }
        }
        for (product, entries) in entries {
            for (index, entry) in entries.into_iter().enumerate() {
                let row = self.column_of(product.left, index / product.columns);
                let column = self.column_of(product.right, index % product.columns);
                match (row, column) {
                    (Some(row), Some(column)) => share[in_triangle(k, row, column)] = entry.negated(),
                    (Some(row), None) | (None, Some(row)) => share[self.triangle() + row] = entry,
                    (None, None) => {}
                }
            }
        }
        share
    }

    /// The number among all of a column of a party's panel; none for y.
    fn column_of(&self, place: usize, index: usize) -> Option<usize> {
        self.block(place).filter(|block| index < block.columns).map(|block| block.start + index)
    }

    /// My share of E² and H + EH, with 2·FRACTION bits behind the point. What is public is the first party's.
    fn step(&self, party: &Party, state: &State, products: &[Vec<U256>]) -> Vec<U256> {
        let k = self.columns();
        let scale = U256::of(1 << FRACTION);
        let (public_e, public_h) = state.public.split_at(self.triangle());
        let (mine_e, mine_h) = state.mine.split_at(self.triangle());
        let [public_e, mine_e] = [public_e, mine_e].map(|triangle| square(k, triangle));
        let mut e = multiply(&mine_e, &mine_e, k, k);
        let mut h: Vec<U256> = mine_h.iter().map(|number| number.times(scale)).collect();
        ring::add_assign(&mut e, &multiply(&public_e, &mine_e, k, k));
        ring::add_assign(&mut e, &multiply(&mine_e, &public_e, k, k));
        for (left, right) in [(&mine_e, mine_h), (&public_e, mine_h), (&mine_e, public_h)] {
            ring::add_assign(&mut h, &multiply(left, right, k, 1));
        }
        if self.among.first() == Some(&party.me()) {
            ring::add_assign(&mut e, &multiply(&public_e, &public_e, k, k));
            ring::add_assign(&mut h, &multiply(&public_e, public_h, k, 1));
            h.iter_mut().zip(public_h).for_each(|(sum, number)| *sum = sum.plus(number.times(scale)));
        }
        for product in products {
            let entry = |row: usize, column: usize| product[row * (k + 1) + column];
            for row in 0..k {
                h[row] = h[row].plus(entry(row, k)).plus(entry(k, row));
                for column in 0..k {
                    e[row * k + column] = e[row * k + column].plus(entry(row, column)).plus(entry(column, row));
                }
            }
        }
        let mut share: Vec<U256> = (0..k).flat_map(|row| e[row * k + row..(row + 1) * k].to_vec()).collect();
        share.append(&mut h);
        share
    }

    /// Takes `shift` bits off all numbers, by opening them under masks.
    async fn truncate(
        &self,
        party: &mut Party,
        mut share: Vec<U256>,
        masks: &Masks,
        shift: u32,
    ) -> Result<State, ProtocolError> {
        let unit = power_of_two(shift);
        let first = self.among.first() == Some(&party.me());
        let limits: Vec<U256> = (0..share.len()).map(|index| power_of_two(self.limit(index))).collect();
        for (number, (high, limit)) in share.iter_mut().zip(masks.high.iter().zip(&limits)) {
            let mut low = [0; 32];
            party.rng().fill_bytes(&mut low);
            let low = shifted_right(U256::from_wire(low), 256 - shift);
            *number = number.plus(U256::of(*high).times(unit)).plus(low);
            if first {
                *number = number.plus(limit.times(unit));
            }
        }
        ring::add_assign(&mut share, &zeros(party, &self.among, masks.high.len()));
        let opened = party.reveal(Additive::new(share), &self.among, &self.among).await?.unwrap_or_default();
        let public = opened.into_iter().zip(limits).map(|(number, limit)| shifted_right(number, shift).minus(limit));
        let mine = masks.high.iter().map(|high| U256::of(-high)).collect();
        Ok(State { public: public.collect(), mine })
    }

    /// Opens the trace of E under noise; all go on, or none.
    async fn check(&self, party: &mut Party, state: &State) -> Result<(), ProtocolError> {
        let k = self.columns();
        let trace = |numbers: &[U256]| (0..k).fold(U256::ZERO, |sum, row| sum.plus(numbers[in_triangle(k, row, row)]));
        let mut noise = [0; 8];
        party.rng().fill_bytes(&mut noise);
        let noise = u64::from_le_bytes(noise) >> (64 - (FRACTION - NOISE));
        let share = low_half(trace(&state.mine)).wrapping_add(u128::from(noise));
        let share = share.wrapping_add(zeros::<u128>(party, &self.among, 1)[0]);
        let opened = party.reveal(Additive::new(vec![share]), &self.among, &self.among).await?.unwrap_or_default();
        let sum = opened.first().copied().unwrap_or_default().wrapping_add(low_half(trace(&state.public))) as i128;
        // Rounding may leave a trace of zero a little below.
        let accepted = -(1 << (FRACTION / 2))..(self.among.len() as i128) << (FRACTION - NOISE);
        if accepted.contains(&sum) {
            return Ok(());
        }
        Err(ProtocolError::NoResult {
            why: "columns of different parties are too nearly dependent; see parameters.condition",
        })
    }

    /// Opens to each party its block of H.
    async fn open(&self, party: &mut Party, state: &State) -> Result<Option<Vec<f64>>, ProtocolError> {
        let range = |block: &Block| {
            let start = self.triangle() + block.start;
            start..start + block.columns
        };
        let low_halves = |numbers: &[U256]| numbers.iter().copied().map(low_half).collect::<Vec<_>>();
        let mut shares = Vec::with_capacity(self.blocks.len());
        for block in &self.blocks {
            let mut share = low_halves(&state.mine[range(block)]);
            ring::add_assign(&mut share, &zeros(party, &self.among, block.columns));
            shares.push((block, share));
        }
        // Mine last: what others wait for is sent first.
        let me = party.me();
        shares.sort_by_key(|(block, _)| block.place == me);
        let mut mine = None;
        for (block, share) in shares {
            if let Some(mut sums) = party.reveal(Additive::new(share), &self.among, &[block.place]).await? {
                ring::add_assign(&mut sums, &low_halves(&state.public[range(block)]));
                mine = Some(sums.into_iter().map(|number| number.to_f64(FRACTION as i32)).collect());
            }
        }
        Ok(mine)
    }
}

impl Panel<'_> {
    fn vectors(&self) -> Vec<Vec<i128>> {
        let vectors = self.q.iter().map(Vec::as_slice).chain(self.y);
        vectors.map(|vector| scaling::integers(vector, ENTRY as i32)).collect()
    }

    /// The transposed panel, row by row.
    fn rows(&self) -> Vec<i128> {
        self.vectors().concat()
    }

    /// The panel, row by row.
    fn columns(&self) -> Vec<U256> {
        let vectors = self.vectors();
        let rows = vectors.first().map_or(0, Vec::len);
        (0..rows).flat_map(|row| vectors.iter().map(move |vector| U256::of(vector[row]))).collect()
    }
}

/// E and H: what is public, and my term. The terms of all parties make up the rest.
struct State {
    public: Vec<U256>,
    mine: Vec<U256>,
}

/// ⌊ρ_i/2^s⌋ for the triangle of E and for H, in one step.
struct Masks {
    high: Vec<i128>,
}

impl Masks {
    fn draw(system: &System, party: &mut Party) -> Self {
        let mut masks = Self { high: vec![0; system.triangle() + system.columns()] };
        for index in 0..masks.high.len() {
            let mut bytes = [0; 16];
            party.rng().fill_bytes(&mut bytes);
            let bits = system.limit(index) + 1 + STATISTICAL;
            masks.high[index] = (u128::from_le_bytes(bytes) >> (128 - bits)) as i128;
        }
        masks
    }

    /// My terms [E; H'], for the left of a product.
    fn stacked(&self, k: usize) -> Vec<i128> {
        let (e, h) = self.high.split_at(k * (k + 1) / 2);
        square(k, e).into_iter().chain(h.iter().copied()).map(|high| -high).collect()
    }

    /// My terms [E | H], for the right of a product.
    fn side_by_side(&self, k: usize) -> Vec<U256> {
        let (e, h) = self.high.split_at(k * (k + 1) / 2);
        let e = square(k, e);
        let row = |row: usize| e[row * k..(row + 1) * k].iter().chain(&h[row..=row]).map(|high| U256::of(-high));
        (0..k).flat_map(row).collect()
    }
}

/// Where the entry of a symmetric matrix of `k` rows is in its triangle, which is row by row.
fn in_triangle(k: usize, row: usize, column: usize) -> usize {
    let (row, column) = (row.min(column), row.max(column));
    row * (2 * k - row + 1) / 2 + column - row
}

/// A symmetric matrix of its triangle.
fn square<T: Copy>(k: usize, triangle: &[T]) -> Vec<T> {
    (0..k * k).map(|index| triangle[in_triangle(k, index / k, index % k)]).collect()
}

fn power_of_two(exponent: u32) -> U256 {
    let mut power = U256::ZERO;
    power[(exponent / 64) as usize] = 1 << (exponent % 64);
    power
}

fn low_half(number: U256) -> u128 {
    u128::from(number[0]) | u128::from(number[1]) << 64
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha20Rng;

    use super::*;

    /// Mutant: every party takes bits off its own share, the last one rounding the other way, as is sound for two parties and a
    /// small number. For three it is wrong nearly half of the time, by a multiple of the modulus.
    #[test]
    fn local_truncation_is_wrong_for_three_parties_and_masked_truncation_is_not() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let (number, shift) = (U256::of(5 << 60), 60);
        let truncated = |share: U256| shifted_right(share, shift);
        let wrong = |parties: usize, rng: &mut ChaCha20Rng| {
            let shares: Vec<U256> = (1..parties).map(|_| rng.random()).collect();
            let last = shares.iter().fold(number, |rest, share| rest.minus(*share));
            let sum = shares.iter().fold(U256::ZERO, |sum, share| sum.plus(truncated(*share)));
            let error = sum.minus(truncated(last.negated())).minus(U256::of(5)).to_f64(0);
            error.abs() > 3.0
        };
        let mistakes = |parties, rng: &mut ChaCha20Rng| (0..200).filter(|_| wrong(parties, rng)).count();
        assert_eq!(mistakes(2, &mut rng), 0);
        assert!(mistakes(3, &mut rng) > 20, "the mutant went unnoticed");
        for parties in 2..=5 {
            let highs: Vec<i128> = (0..parties).map(|_| rng.random_range(0..1 << 100)).collect();
            let masks = highs
                .iter()
                .map(|high| U256::of(*high).times(power_of_two(shift)).plus(U256::of(rng.random_range(0..1 << 60))));
            let opened = masks.fold(number.plus(power_of_two(shift + 10)), Ring::plus);
            let public = shifted_right(opened, shift).minus(power_of_two(10));
            let value = highs.iter().fold(public, |rest, high| rest.minus(U256::of(*high))).to_f64(0);
            assert!((5.0..5.0 + f64::from(parties)).contains(&value), "{value}");
        }
    }

    #[test]
    fn a_triangle_holds_every_pair_once() {
        let mut places: Vec<usize> =
            (0..5).flat_map(|row| (row..5).map(move |column| in_triangle(5, row, column))).collect();
        places.sort_unstable();
        assert_eq!(places, (0..15).collect::<Vec<_>>());
        assert_eq!(in_triangle(5, 3, 1), in_triangle(5, 1, 3));
    }
}
