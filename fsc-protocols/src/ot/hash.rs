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
use aes::cipher::KeyInit;

use crate::sharing::keystream::encrypt;

/// Elements per step: they stay in the first-level cache.
const STEP: usize = 64;

/// The hash function of one pair and role in one run.
pub struct Hash {
    permutation: Aes128Enc,
    /// Which permutation that is.
    #[cfg(test)]
    pub(crate) key: u128,
}

impl Hash {
    /// The function whose permutation is AES under that key.
    pub fn new(key: &[u8; 16]) -> Self {
        Self {
            permutation: Aes128Enc::new(key.into()),
            #[cfg(test)]
            key: u128::from_le_bytes(*key),
        }
    }

    /// Hashes the strings of consecutive OTs, of which the first has the number `first`, to block `block` of each.
    pub fn strings(&self, first: u64, block: u64, strings: &mut [u128]) {
        for (strings, first) in strings.chunks_mut(STEP).zip((first..).step_by(STEP)) {
            self.tweaked(strings, |inner| add_tweaks(inner, first, block));
        }
    }

    /// Hashes the labels of consecutive products' first operands, of which the first has the number `first`, and then those of
    /// their second operands: `versions` of each, one after the other.
    pub fn halves(&self, first: u64, versions: usize, labels: &mut [u128]) {
        let products = labels.len() / (2 * versions);
        self.tweaked(labels, |inner| {
            for (index, inner) in inner.chunks_mut(products.max(1)).enumerate() {
                add_tweaks(inner, first, u64::from(index >= versions));
            }
        });
    }

    /// π(π(x) ⊕ i) ⊕ π(x) of all strings at once, where `tweak` adds each one's i.
    fn tweaked(&self, strings: &mut [u128], tweak: impl FnOnce(&mut [u128])) {
        encrypt(&self.permutation, strings);
        let mut inner = strings.to_vec();
        tweak(&mut inner);
        #[cfg(test)]
        inner.iter().zip(&*strings).for_each(|(inner, string)| uses::note([self.key, inner ^ string, *string]));
        encrypt(&self.permutation, &mut inner);
        for (string, inner) in strings.iter_mut().zip(&inner) {
            *string ^= *inner;
        }
    }

    /// Hashes the strings of consecutive OTs, of which the first has the number `first`, to as many `blocks` of each as
    /// `lengths` says, from block 0: little-endian, one OT's after the other's. The strings themselves are overwritten.
    pub fn expand(
        &self,
        first: u64,
        strings: &mut [u128],
        lengths: impl Iterator<Item = usize> + Clone,
        blocks: &mut Vec<u128>,
    ) {
        encrypt(&self.permutation, strings);
        blocks.clear();
        for ((string, ot), length) in strings.iter().zip(first..).zip(lengths.clone()) {
            #[cfg(test)]
            (0..length as u64).for_each(|block| uses::note([self.key, tweak(ot, block), *string]));
            blocks.extend((0..length as u64).map(|block| string ^ tweak(ot, block)));
        }
        encrypt(&self.permutation, blocks);
        let mut rest = &mut blocks[..];
        for (string, length) in strings.iter().zip(lengths) {
            let (hashes, others) = rest.split_at_mut(length);
            for hash in hashes {
                *hash = (*hash ^ string).to_le();
            }
            rest = others;
        }
    }
}

/// Adds the tweaks of consecutive OTs' blocks with that number.
fn add_tweaks(strings: &mut [u128], first: u64, block: u64) {
    for (string, ot) in strings.iter_mut().zip(first..) {
        *string ^= tweak(ot, block);
    }
}

/// The tweak of an OT's block.
fn tweak(ot: u64, block: u64) -> u128 {
    u128::from(ot) << 64 | u128::from(block)
}

/// What tests are to know of all hashing.
#[cfg(test)]
pub(crate) mod uses {
    use std::cell::RefCell;

    thread_local! {
        static USES: RefCell<Option<Vec<Use>>> = const { RefCell::new(None) };
    }

    /// The key of π, a tweak, and π(x) of what was hashed with it.
    pub(crate) type Use = [u128; 3];

    pub(super) fn note(of: Use) {
        USES.with_borrow_mut(|uses| uses.iter_mut().for_each(|uses| uses.push(of)));
    }

    /// What is hashed during that work.
    pub(crate) fn during(work: impl FnOnce()) -> Vec<Use> {
        USES.set(Some(Vec::new()));
        work();
        USES.take().unwrap_or_default()
    }

    /// Whether a tweak comes twice under one key. The two strings of an OT, or labels of a wire, share one; the other party hashes
    /// one of them.
    pub(crate) fn repeat(mut uses: Vec<Use>) -> bool {
        uses.sort_unstable();
        uses.dedup();
        uses.chunk_by(|one, other| one[..2] == other[..2]).any(|strings| strings.len() > 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 16] = [7; 16];

    /// As the paper writes it, a block at a time.
    fn tmmo(x: u128, i: u128) -> u128 {
        use aes::cipher::BlockCipherEncrypt;
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
    fn blocks_of_ots_are_hashed_as_in_the_paper() {
        let (strings, lengths) = ([42, 0, u128::MAX], [STEP + 9, 0, 3]);
        let mut blocks = vec![5];
        Hash::new(&KEY).expand(11, &mut strings.clone(), lengths.into_iter(), &mut blocks);
        let of_one =
            |((ot, string), length)| (0_u128..).take(length).map(move |block| tmmo(string, ot << 64 | block).to_le());
        let expected: Vec<u128> = (11_u128..).zip(strings).zip(lengths).flat_map(of_one).collect();
        assert_eq!(blocks, expected);
    }
}
