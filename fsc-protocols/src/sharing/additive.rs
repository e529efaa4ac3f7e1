//! Additive sharing: a vector over Z/2^k is the sum of all parties' shares, and any n − 1 of them are uniform.

use bytes::Bytes;
use fsc_core::party::{Passage, Share};
use rand::Rng;
use zeroize::Zeroize;

use crate::algebra::ring::{self, Ring};

/// One party's share of a vector. It can be computed with, but neither printed nor serialised.
///
/// ```compile_fail
/// use fsc_protocols::sharing::additive::Additive;
/// println!("{:?}", Additive::new(vec![1_u64]));
/// ```
pub struct Additive<R: Ring>(Vec<R>);

impl<R: Ring> Additive<R> {
    /// The share that consists of these elements.
    pub const fn new(elements: Vec<R>) -> Self {
        Self(elements)
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds another share of the same length: the result is a share of the sum.
    pub fn add(&mut self, other: &Self) {
        ring::add_assign(&mut self.0, &other.0);
    }
}

impl<R: Ring + Zeroize> Additive<R> {
    /// Splits a secret into one share per party: all but the first are uniform, and the first makes up the sum.
    pub fn split(secret: Vec<R>, parties: usize, rng: &mut impl Rng) -> Vec<Self> {
        let mut rest = secret;
        let mut shares = Vec::with_capacity(parties);
        for _ in 1..parties {
            let mut share = vec![R::ZERO; rest.len()];
            rng.fill_bytes(bytemuck::cast_slice_mut(&mut share));
            ring::sub_assign(&mut rest, &share);
            shares.push(Self(share));
        }
        shares.insert(0, Self(rest));
        shares
    }
}

impl<R: Ring> Share for Additive<R> {
    type Element = R;

    fn into_wire(self, _: &Passage) -> Bytes {
        ring::encode(self.0)
    }

    fn of(elements: Vec<R>, _: &Passage) -> Self {
        Self(elements)
    }

    fn read(wire: &[u8]) -> Vec<R> {
        ring::decode(wire, wire.len() / R::WIDTH).expect(WHOLE)
    }

    fn add(sum: &mut [R], wire: &[u8]) {
        ring::add_assign_le(sum, wire).expect(WHOLE);
    }
}

/// Of a party's promise to ask for equally many elements, and for no part of one.
const WHOLE: &str = "a party has checked the length, and a piece holds whole elements";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha20Rng;

    use super::*;

    proptest! {
        #[test]
        fn shares_add_up_to_the_secret(secret: Vec<u128>, parties in 1..8_usize, seed: u64) {
            let shares = Additive::split(secret.clone(), parties, &mut ChaCha20Rng::seed_from_u64(seed));
            prop_assert_eq!(shares.len(), parties);
            let mut sum = Additive::new(vec![0; secret.len()]);
            for share in &shares {
                sum.add(share);
            }
            prop_assert_eq!(sum.0, secret);
        }
    }
}
