//! What turns correlated strings into independent ones: a tweakable hash function of fixed-key AES.
//!
//! TMMO(x, i) = π(π(x) ⊕ i) ⊕ π(x), tweakable (circular) correlation robust where π is an ideal permutation: Guo, Katz, Wang
//! and Yu, "Efficient and secure multiparty computation from fixed-key block ciphers" (S&P 2020, eprint 2019/074), section
//! 7.4. A distinguisher that sees q hashes and tries p permutations has advantage about (q² + pq)/2^128.
//!
//! π is AES-128 under a key that both parties of a pair know and that is fresh in every run, role and fork: what an attacker
//! prepares against one run is of no use against another, and q counts the hashes of one run. A tweak is used once: it is the
//! number of the OT and that of the block, 64 bits each.

use aes::Aes128Enc;
use aes::cipher::{BlockCipherEncrypt, KeyInit};

/// Elements per step: they stay in the first-level cache.
const STEP: usize = 256;

/// The hash function of one pair and role in one run.
pub struct Hash(Aes128Enc);

impl Hash {
    /// The function whose permutation is AES under that key.
    pub fn new(key: &[u8; 16]) -> Self {
        Self(Aes128Enc::new(key.into()))
    }

    /// Hashes the strings of consecutive OTs, of which the first has the number `first`, to block `block` of each.
    pub fn strings(&self, first: u64, block: u64, strings: &mut [u128]) {
        let mut inner = [0; STEP];
        for (strings, first) in strings.chunks_mut(STEP).zip((first..).step_by(STEP)) {
            self.permute(strings);
            let inner = &mut inner[..strings.len()];
            for ((inner, string), ot) in inner.iter_mut().zip(strings.iter()).zip(first..) {
                *inner = string ^ tweak(ot, block);
            }
            self.permute(inner);
            for (string, inner) in strings.iter_mut().zip(inner) {
                *string ^= *inner;
            }
        }
    }

    /// The first half of the work, π(x) for every x, which all blocks of an OT share.
    pub fn permute(&self, strings: &mut [u128]) {
        if cfg!(target_endian = "big") {
            strings.iter_mut().for_each(|string| *string = string.to_le());
        }
        let (blocks, _) = bytemuck::cast_slice_mut::<u128, u8>(strings).as_chunks_mut::<16>();
        self.0.encrypt_blocks(aes::Block::cast_slice_from_core_mut(blocks));
        if cfg!(target_endian = "big") {
            strings.iter_mut().for_each(|string| *string = u128::from_le(*string));
        }
    }

    /// The second half, for the blocks of one OT from number `block`: of π(x), which [`Hash::permute`] has made, to as many
    /// blocks of hash as there is room for.
    pub fn expand(&self, ot: u64, block: u64, permuted: u128, out: &mut [u128]) {
        for (out, block) in out.chunks_mut(STEP).zip((block..).step_by(STEP)) {
            for (out, block) in out.iter_mut().zip(block..) {
                *out = permuted ^ tweak(ot, block);
            }
            self.permute(out);
            out.iter_mut().for_each(|out| *out ^= permuted);
        }
    }
}

/// The tweak of an OT's block.
fn tweak(ot: u64, block: u64) -> u128 {
    u128::from(ot) << 64 | u128::from(block)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 16] = [7; 16];

    /// As the paper writes it, a block at a time.
    fn tmmo(x: u128, i: u128) -> u128 {
        let cipher = Aes128Enc::new(&KEY.into());
        let pi = |x: u128| {
            let mut block = x.to_le_bytes().into();
            cipher.encrypt_block(&mut block);
            u128::from_le_bytes(block.into())
        };
        pi(pi(x) ^ i) ^ pi(x)
    }

    #[test]
    fn strings_are_hashed_as_in_the_paper() {
        let mut strings: Vec<u128> = (0..2 * STEP as u128 + 3).map(|x| x * x).collect();
        let expected: Vec<u128> = strings.iter().zip(1000..).map(|(x, ot)| tmmo(*x, ot << 64 | 5)).collect();
        Hash::new(&KEY).strings(1000, 5, &mut strings);
        assert_eq!(strings, expected);
    }

    #[test]
    fn blocks_of_an_ot_are_hashed_as_in_the_paper() {
        let hash = Hash::new(&KEY);
        let mut permuted = [42];
        hash.permute(&mut permuted);
        let mut blocks = vec![0; STEP + 9];
        hash.expand(11, 2, permuted[0], &mut blocks);
        let expected: Vec<u128> = (2..).take(blocks.len()).map(|block| tmmo(42, 11 << 64 | block)).collect();
        assert_eq!(blocks, expected);
    }
}
