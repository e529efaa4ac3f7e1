//! Base OT: 128 one-out-of-two OTs of keys, by public-key cryptography, each side sending one message without waiting.
//!
//! Masny and Rindal, "Endemic oblivious transfer" (CCS 2019, eprint 2019/706), figure 8, instantiated by Diffie and Hellman's
//! key agreement on ristretto255 (RFC 9496):
//!
//! ```text
//!   receiver, choice b:  x ← Z_q;  r_{1−b} ← G;  r_b = x·B − H_b(r_{1−b})         sends r_0, r_1
//!   sender:              y ← Z_q                                                  sends m = y·B
//!                        k_c = KDF(y · (r_c + H_c(r_{1−c})))  for c = 0, 1
//!   receiver:            k_b = KDF(x · m)
//! ```
//!
//! r_0 and r_1 are uniform whatever b is, so the choice is hidden unconditionally; of the point whose key it does not get, the
//! receiver knows no discrete logarithm, so the key is hidden by CDH in the random-oracle model. One m serves all 128 OTs, in
//! which y meets points that the receiver can't choose but one by one: an algorithm that computes y·P for one of them solves CDH
//! for a random P. Indices keep the keys apart.
//!
//! H_c is BLAKE3 with 64 bytes of output, separated by its purpose, the run, the direction, the index and c, then the one-way
//! map of RFC 9496, section 4.3.4: the construction of RFC 9380, appendix B, with an extendable-output function (section
//! 5.3.3). KDF is BLAKE3 over a digest of both messages and the run's key, the direction, the index and the point.
//!
//! Against parties that follow the protocol. (The paper claims more; Zhou et al., "Endemic oblivious transfer via random
//! oracles, revisited", Eurocrypt 2023, discuss how much.)

use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::IsIdentity;
use rand::CryptoRng;
use subtle::{Choice, ConditionallySelectable};
use zeroize::Zeroizing;

/// How many OTs there are.
pub const COUNT: usize = 128;

/// The length of the receiver's message: two points per OT.
pub const RECEIVER_MESSAGE: usize = COUNT * 2 * POINT;

/// The length of the sender's message: one point.
pub const SENDER_MESSAGE: usize = POINT;

/// A key.
pub type Key = [u8; 32];

/// The keys that the sender has, two per OT.
pub type BothKeys = Zeroizing<Vec<[Key; 2]>>;

/// The keys that the receiver has, one per OT.
pub type ChosenKeys = Zeroizing<Vec<Key>>;

/// The length of a point.
const POINT: usize = 32;

/// What a peer sent that is no message of this protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BaseError {
    /// It has another length.
    #[error("a message of the base OTs has another length than expected")]
    Length,
    /// It has bytes that encode no point, or the neutral one, where a point is expected.
    #[error("a message of the base OTs holds something else than points")]
    NoPoint,
}

/// What makes one execution different from all others.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// A key of the run that both parties have.
    pub run: &'a [u8; 32],
    /// Which of the two parties is the sender: there is an execution for each.
    pub direction: u8,
}

/// The sender, having sent its message.
pub struct Sender {
    secret: Zeroizing<Scalar>,
    message: [u8; SENDER_MESSAGE],
}

impl Sender {
    /// A sender.
    pub fn new(rng: &mut impl CryptoRng) -> Self {
        let secret = random_scalar(rng);
        let message = RistrettoPoint::mul_base(&secret).compress().to_bytes();
        Self { secret, message }
    }

    /// m.
    pub const fn message(&self) -> &[u8; SENDER_MESSAGE] {
        &self.message
    }

    /// Both keys of every OT, by the receiver's message.
    pub fn keys(&self, context: Context<'_>, theirs: &[u8]) -> Result<BothKeys, BaseError> {
        let transcript = transcript(context, &self.message, theirs)?;
        let (pairs, _) = theirs.as_chunks::<{ 2 * POINT }>();
        let mut keys = Zeroizing::new(Vec::with_capacity(COUNT));
        for (index, pair) in pairs.iter().enumerate() {
            let encodings: [[u8; POINT]; 2] = bytemuck::cast(*pair);
            let both = [0, 1].map(|choice| {
                let point = decode(&encodings[choice])?;
                let offset = hash_to_group(context, index, choice as u8, &encodings[1 - choice]);
                Ok(derive_key(&transcript, index, &(*self.secret * (point + offset))))
            });
            let [zero, one] = both;
            keys.push([zero?, one?]);
        }
        Ok(keys)
    }
}

/// The receiver, having sent its message.
pub struct Receiver {
    secrets: Zeroizing<Vec<Scalar>>,
    message: Vec<u8>,
}

impl Receiver {
    /// A receiver that wants key `choices >> i & 1` of OT i.
    pub fn new(context: Context<'_>, choices: u128, rng: &mut impl CryptoRng) -> Self {
        let mut secrets = Zeroizing::new(Vec::with_capacity(COUNT));
        let mut message = Vec::with_capacity(RECEIVER_MESSAGE);
        for index in 0..COUNT {
            let choice = (choices >> index & 1) as u8;
            let secret = random_scalar(rng);
            let mut uniform = [0; 64];
            rng.fill_bytes(&mut uniform);
            // Made from uniform bytes, so that its discrete logarithm is known to nobody.
            let other = RistrettoPoint::from_uniform_bytes(&uniform).compress().to_bytes();
            let offset = hash_to_group(context, index, choice, &other);
            let chosen = (RistrettoPoint::mul_base(&secret) - offset).compress().to_bytes();
            let is_one = Choice::from(choice);
            message.extend_from_slice(&select(&chosen, &other, is_one));
            message.extend_from_slice(&select(&other, &chosen, is_one));
            secrets.push(*secret);
        }
        Self { secrets, message }
    }

    /// r_0 and r_1 of every OT.
    pub fn message(&self) -> &[u8] {
        &self.message
    }

    /// The chosen key of every OT, by the sender's message.
    pub fn keys(&self, context: Context<'_>, theirs: &[u8]) -> Result<ChosenKeys, BaseError> {
        let encoding = theirs.try_into().map_err(|_| BaseError::Length)?;
        let point = decode(encoding)?;
        if point.is_identity() {
            return Err(BaseError::NoPoint);
        }
        let transcript = transcript(context, encoding, &self.message)?;
        let keys = self.secrets.iter().enumerate();
        Ok(Zeroizing::new(keys.map(|(index, secret)| derive_key(&transcript, index, &(secret * point))).collect()))
    }
}

fn random_scalar(rng: &mut impl CryptoRng) -> Zeroizing<Scalar> {
    let mut wide = Zeroizing::new([0; 64]);
    rng.fill_bytes(wide.as_mut());
    Zeroizing::new(Scalar::from_bytes_mod_order_wide(&wide))
}

fn decode(encoding: &[u8; POINT]) -> Result<RistrettoPoint, BaseError> {
    CompressedRistretto(*encoding).decompress().ok_or(BaseError::NoPoint)
}

/// `one` if so, else `zero`, in constant time.
fn select(zero: &[u8; POINT], one: &[u8; POINT], is_one: Choice) -> [u8; POINT] {
    <[u8; POINT]>::conditional_select(zero, one, is_one)
}

/// H_c.
fn hash_to_group(context: Context<'_>, index: usize, choice: u8, encoding: &[u8; POINT]) -> RistrettoPoint {
    let mut hasher = blake3::Hasher::new_derive_key("fsc v1 base ot hash to ristretto255");
    hasher.update(context.run).update(&[context.direction, choice]);
    hasher.update(&(index as u64).to_le_bytes()).update(encoding);
    let mut uniform = [0; 64];
    hasher.finalize_xof().fill(&mut uniform);
    RistrettoPoint::from_uniform_bytes(&uniform)
}

/// What all keys of an execution are derived from, beside points.
fn transcript(context: Context<'_>, sender: &[u8; SENDER_MESSAGE], receiver: &[u8]) -> Result<Key, BaseError> {
    if receiver.len() != RECEIVER_MESSAGE {
        return Err(BaseError::Length);
    }
    let mut hasher = blake3::Hasher::new_derive_key("fsc v1 base ot transcript");
    hasher.update(context.run).update(&[context.direction]).update(sender).update(receiver);
    Ok(*hasher.finalize().as_bytes())
}

fn derive_key(transcript: &Key, index: usize, point: &RistrettoPoint) -> Key {
    let mut hasher = blake3::Hasher::new_keyed(transcript);
    hasher.update(&(index as u64).to_le_bytes()).update(point.compress().as_bytes());
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha20Rng;

    use super::*;

    const CONTEXT: Context<'_> = Context { run: &[3; 32], direction: 0 };

    fn pair(choices: u128, seed: u64) -> (Sender, Receiver) {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        (Sender::new(&mut rng), Receiver::new(CONTEXT, choices, &mut rng))
    }

    #[test]
    fn the_receiver_gets_the_key_of_its_choice_and_no_other() {
        let choices: u128 = ChaCha20Rng::seed_from_u64(9).random();
        let (sender, receiver) = pair(choices, 1);
        let both = sender.keys(CONTEXT, receiver.message()).unwrap();
        let chosen = receiver.keys(CONTEXT, sender.message()).unwrap();
        assert_eq!((both.len(), chosen.len()), (COUNT, COUNT));
        for (index, (both, chosen)) in both.iter().zip(chosen.iter()).enumerate() {
            let choice = (choices >> index & 1) as usize;
            assert_eq!(both[choice], *chosen);
            assert_ne!(both[1 - choice], *chosen);
        }
        let mut all: Vec<Key> = both.iter().flatten().copied().collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 2 * COUNT, "every key is another one");
    }

    #[test]
    fn keys_depend_on_the_run_and_the_direction() {
        let (sender, receiver) = pair(0, 1);
        let keys = |context| receiver.keys(context, sender.message()).unwrap();
        let original = keys(CONTEXT);
        for other in [Context { run: &[4; 32], ..CONTEXT }, Context { direction: 1, ..CONTEXT }] {
            assert!(keys(other).iter().zip(original.iter()).all(|(other, original)| other != original));
        }
    }

    /// Every byte of the receiver's message is distributed alike for both choices: chi-square tests at 15 degrees of
    /// freedom, over the points in both places.
    #[test]
    fn messages_do_not_show_choices() {
        let count = |choices: u128, seeds: std::ops::Range<u64>| {
            let mut bins = [[0_f64; 16]; 2 * POINT];
            for seed in seeds {
                let (_, receiver) = pair(choices, seed);
                for pair in receiver.message().as_chunks::<{ 2 * POINT }>().0 {
                    for (bins, byte) in bins.iter_mut().zip(pair) {
                        bins[usize::from(byte >> 3 & 15)] += 1.0;
                    }
                }
            }
            bins
        };
        let (zeros, ones) = (count(0, 0..10), count(u128::MAX, 10..20));
        for (position, (zeros, ones)) in zeros.iter().zip(&ones).enumerate() {
            let chi: f64 =
                zeros.iter().zip(ones).filter(|(a, b)| *a + *b > 0.0).map(|(a, b)| (a - b).powi(2) / (a + b)).sum();
            assert!(chi < 60.0, "byte {position} shows the choice: chi-square {chi:.0}");
        }
    }

    #[test]
    fn what_is_no_message_is_refused() {
        let (sender, receiver) = pair(5, 1);
        for length in [0, 31, 33, RECEIVER_MESSAGE - 1, RECEIVER_MESSAGE + 1] {
            assert_eq!(sender.keys(CONTEXT, &vec![0; length]).unwrap_err(), BaseError::Length);
        }
        for length in [0, 31, 33] {
            assert_eq!(receiver.keys(CONTEXT, &vec![0; length]).unwrap_err(), BaseError::Length);
        }
        assert_eq!(receiver.keys(CONTEXT, &[0; 32]).unwrap_err(), BaseError::NoPoint, "the neutral element");
        assert_eq!(receiver.keys(CONTEXT, &[0xff; 32]).unwrap_err(), BaseError::NoPoint);
        let mut message = receiver.message().to_vec();
        message[5 * POINT..6 * POINT].fill(0xff);
        assert_eq!(sender.keys(CONTEXT, &message).unwrap_err(), BaseError::NoPoint);
    }
}
