//! Numbers that are public but for terms of which one party each knows one, and how a shared number becomes one: by the statistical
//! masks of Catrina and Saxena, "Secure computation with fixed-point numbers", FC 2010, protocol 3.1, of which here each party
//! knows its own part.
//!
//! To take s bits off a shared number z with |z| < 2^(s+l), every party adds a random ρ_i of s + l + 1 + λ bits to its share, and
//! z + 2^(s+l) + Σρ_i is opened: as long as one party keeps its ρ_i to itself, that is at distance 2^-λ from what it is for
//! z = 0. Then, in integers,
//!
//! ```text
//!   ⌊z/2^s⌋ ≈ ⌊(z + 2^(s+l) + Σρ_i) / 2^s⌋ − 2^l − Σ ⌊ρ_i/2^s⌋
//! ```
//!
//! with an error in (−1, n), and nothing can go wrong, for any number of parties: local truncation, of shares without masks,
//! is sound for two only, and fails with some probability there.

use std::ops::Range;

use fsc_core::party::Party;
use fsc_core::protocol::ProtocolError;
use rand::Rng;

use crate::algebra::ring::{self, Ring, U256, shifted_right};
use crate::linear::product::{multiply, zeros};
use crate::sharing::additive::Additive;

/// How a number is rounded: s bits are taken off it, and what is left is below 2^l in magnitude.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rounding {
    /// s.
    pub shift: u32,
    /// l.
    pub limit: u32,
}

impl Rounding {
    /// The bits of the mask of one party.
    pub fn mask_bits(self, statistical: u32) -> u32 {
        self.shift + self.limit + 1 + statistical
    }
}

/// ρ_i of one party, for numbers that are rounded together.
pub struct Masks {
    masks: Vec<U256>,
    roundings: Vec<Rounding>,
}

impl Masks {
    /// Draws them, for λ = `statistical`.
    pub fn draw(party: &mut Party, roundings: Vec<Rounding>, statistical: u32) -> Self {
        let mask = |rounding: &Rounding| {
            let mut bytes = [0; 32];
            party.rng().fill_bytes(&mut bytes);
            shifted_right(U256::from_wire(bytes), 256 - rounding.mask_bits(statistical))
        };
        Self { masks: roundings.iter().map(mask).collect(), roundings }
    }

    /// What will be my terms of the rounded numbers: −⌊ρ_i/2^s⌋.
    pub fn terms(&self) -> Vec<U256> {
        self.masks.iter().zip(&self.roundings).map(|(mask, by)| shifted_right(*mask, by.shift).negated()).collect()
    }

    /// Rounds shared numbers: one opening among those who take part.
    pub async fn round(
        &self,
        party: &mut Party,
        among: &[usize],
        mut share: Vec<U256>,
    ) -> Result<Masked, ProtocolError> {
        ring::add_assign(&mut share, &self.masks);
        ring::add_assign(&mut share, &zeros(party, among, self.masks.len()));
        if among.first() == Some(&party.me()) {
            let offsets = self.roundings.iter().map(|by| power_of_two(by.shift + by.limit));
            share.iter_mut().zip(offsets).for_each(|(number, offset)| *number = number.plus(offset));
        }
        let opened = party.reveal(Additive::new(share), among, among).await?.unwrap_or_default();
        let rounded = opened.into_iter().zip(&self.roundings);
        let public = rounded.map(|(sum, by)| shifted_right(sum, by.shift).minus(power_of_two(by.limit))).collect();
        Ok(Masked { public, mine: self.terms() })
    }
}

/// Numbers: what is public of them, and my term of the rest. They are integers that fit into the ring.
#[derive(Clone, Default)]
pub struct Masked {
    /// What all know.
    pub public: Vec<U256>,
    /// What only I know.
    pub mine: Vec<U256>,
}

impl Masked {
    /// Some of them.
    #[must_use]
    pub fn part(&self, range: Range<usize>) -> Self {
        self.map(|numbers| numbers[range.clone()].to_vec())
    }

    /// Others, made of both parts in the same way.
    #[must_use]
    pub fn map(&self, make: impl Fn(&[U256]) -> Vec<U256>) -> Self {
        Self { public: make(&self.public), mine: make(&self.mine) }
    }

    /// Puts others behind them.
    pub fn append(&mut self, mut others: Self) {
        self.public.append(&mut others.public);
        self.mine.append(&mut others.mine);
    }

    /// My share: what is public belongs to the first party.
    pub fn share(&self, first: bool) -> Vec<U256> {
        if first { self.known() } else { self.mine.clone() }
    }

    /// My share of a product of matrices but for the terms of two parties.
    pub fn times(&self, right: &Self, inner: usize, columns: usize, first: bool) -> Vec<U256> {
        let mut product = multiply(&self.known(), &right.known(), inner, columns);
        if !first {
            ring::sub_assign(&mut product, &multiply(&self.public, &right.public, inner, columns));
        }
        product
    }

    /// What is public, and my term.
    fn known(&self) -> Vec<U256> {
        self.public.iter().zip(&self.mine).map(|(public, mine)| public.plus(*mine)).collect()
    }
}

/// 2^exponent.
pub fn power_of_two(exponent: u32) -> U256 {
    let mut power = U256::ZERO;
    power[(exponent / 64) as usize] = 1 << (exponent % 64);
    power
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
}
