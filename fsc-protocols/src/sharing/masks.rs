//! Pairwise masks: shares of a sum of private vectors, without a message.
//!
//! Every two parties i < j share a key; both expand it to a mask m_ij, i adds it and j subtracts it. What party i holds then,
//! y_i = x_i + Σ_{j>i} m_ij − Σ_{j<i} m_ji, is an additive share of Σ x_i, because the masks cancel, and as long as one
//! other party keeps its key with i secret, y_i is indistinguishable from uniform (Bonawitz et al., "Practical secure
//! aggregation for privacy-preserving machine learning", CCS 2017, section 4: masking with one-time pads).
//!
//! Masks are [keystreams](crate::sharing::keystream) of keys that are derived for this use only, a block for each element.

use fsc_core::party::Party;
use fsc_core::secret::Secret;

use crate::algebra::ring;
use crate::sharing::additive::Additive;
use crate::sharing::keystream::Keystream;

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
        combine(&Keystream::new(&key), vector, if party.me() < other { add } else { subtract });
    }
}

/// Combines a vector with a stream.
fn combine(stream: &Keystream, vector: &mut [u128], combine: Combine) {
    let mut step = [0; STEP];
    for (first, chunk) in (0..).step_by(STEP).zip(vector.chunks_mut(STEP)) {
        let mask = &mut step[..chunk.len()];
        stream.fill(first, mask);
        combine(chunk, mask);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_cancel_and_hide() {
        let masked = |by| {
            let mut vector: Vec<u128> = (0..1000).collect();
            combine(&Keystream::new(&[7; 32]), &mut vector, by);
            vector
        };
        let (added, subtracted) = (masked(ring::add_assign), masked(ring::sub_assign));
        assert!(added.iter().zip(&subtracted).zip(0..1000_u128).all(|((a, b), x)| a.wrapping_add(*b) == 2 * x));
        assert!(added.iter().zip(0..1000_u128).all(|(masked, x)| *masked != x));
    }
}
