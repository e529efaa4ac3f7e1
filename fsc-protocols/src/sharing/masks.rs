//! Pairwise masks: shares of a sum of private vectors, without a message.
//!
//! Every two parties i < j share a key; both expand it to a mask m_ij, i adds it and j subtracts it. What party i holds then,
//! y_i = x_i + Σ_{j>i} m_ij − Σ_{j<i} m_ji, is an additive share of Σ x_i, because the masks cancel, and as long as one
//! other party keeps its key with i secret, y_i is indistinguishable from uniform (Bonawitz et al., "Practical secure
//! aggregation for privacy-preserving machine learning", CCS 2017, section 3: one-time pads agreed pairwise).
//!
//! Masks are the blocks of AES-128 in counter mode under a key that is derived for this use only. Blocks of a permutation do
//! not repeat: for m blocks the distance from uniform is at most m²/2^129, which is 2^-65 for 2^32 elements.

use aes::Aes128;
use aes::cipher::{BlockCipherEncrypt, KeyInit};
use fsc_core::party::Party;
use fsc_core::secret::Secret;

use crate::algebra::ring;
use crate::sharing::additive::Additive;

/// Blocks per step: mask and vector stay in the first-level cache between being made and being used.
const STEP: usize = 256;

/// My share of the sum of all parties' vectors, which have the same length. Nothing is sent.
pub fn share_of_sum(party: &mut Party, mine: Secret<Vec<u128>>) -> Additive<u128> {
    let mut masked = mine.into_inner();
    mask(party, &mut masked, ring::add_assign, ring::sub_assign);
    Additive::new(masked)
}

/// How a vector and a mask, or a part of both, become one.
pub(crate) type Combine = fn(&mut [u128], &[u128]);

/// Masks a vector in any group whose elements are whole runs of up to [`STEP`] words, by that group's addition and
/// subtraction.
pub(crate) fn mask(party: &mut Party, vector: &mut [u128], add: Combine, subtract: Combine) {
    for other in party.others() {
        let key = party.mask_key(other);
        Mask::new(&key).apply(vector, if party.me() < other { add } else { subtract });
    }
}

/// A stream of mask elements.
struct Mask {
    cipher: Aes128,
    counter: u128,
}

impl Mask {
    fn new(key: &[u8; 32]) -> Self {
        let (key, _) = key.split_at(16);
        Self { cipher: Aes128::new_from_slice(key).expect("half of 32 bytes is a key"), counter: 0 }
    }

    /// Combines the next elements of the mask with `vector`.
    fn apply(&mut self, vector: &mut [u128], combine: Combine) {
        let mut step = [0_u128; STEP];
        for chunk in vector.chunks_mut(STEP) {
            let mask = &mut step[..chunk.len()];
            for element in mask.iter_mut() {
                *element = self.counter.to_le();
                self.counter += 1;
            }
            let (blocks, _) = bytemuck::cast_slice_mut::<u128, u8>(mask).as_chunks_mut::<16>();
            self.cipher.encrypt_blocks(aes::Block::cast_slice_from_core_mut(blocks));
            for element in mask.iter_mut() {
                *element = u128::from_le(*element);
            }
            combine(chunk, mask);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_cancel_and_hide() {
        let apply = |combine| {
            let mut vector: Vec<u128> = (0..1000).collect();
            Mask::new(&[7; 32]).apply(&mut vector, combine);
            vector
        };
        let (added, subtracted) = (apply(ring::add_assign), apply(ring::sub_assign));
        assert!(added.iter().zip(&subtracted).zip(0..1000_u128).all(|((a, b), x)| a.wrapping_add(*b) == 2 * x));
        assert!(added.iter().zip(0..1000_u128).all(|(masked, x)| *masked != x));
    }

    #[test]
    fn a_mask_is_aes_in_counter_mode() {
        // FIPS 197, appendix C.1: AES-128 of 00112233…ff under 000102…0f.
        let key: [u8; 32] = std::array::from_fn(|index| index as u8);
        let mut mask = Mask::new(&key);
        mask.counter = u128::from_le_bytes(std::array::from_fn(|index| (index * 0x11) as u8));
        let mut vector = [0];
        mask.apply(&mut vector, ring::add_assign);
        let expected = [0x69, 0xc4, 0xe0, 0xd8, 0x6a, 0x7b, 0x04, 0x30, 0xd8, 0xcd, 0xb7, 0x80, 0x70, 0xb4, 0xc5, 0x5a];
        assert_eq!(vector[0].to_le_bytes(), expected);
    }
}
