//! Attacks on masks, by hand: on `SecureSum`, and on maskings that are broken on purpose.

use std::cell::RefCell;

use aes::Aes128;
use aes::cipher::{BlockCipherEncrypt, KeyInit};
use bytes::Bytes;
use fsc_core::clock::Time;
use fsc_core::envelope::{Content, Envelope};
use fsc_core::laws::{self, Lawful};
use fsc_core::object::ObjectError;
use fsc_core::party::Party;
use fsc_core::protocol::{Announced, Cost, Protocol, ProtocolError, Security, Submission, prepare};
use fsc_core::secret::Secret;
use fsc_core::session::Session;
use fsc_core::sim::{Faults, setup, simulate};
use fsc_core::value::{Array, Value};
use fsc_protocols::algebra::ring;
use fsc_protocols::sharing::additive::Additive;
use fsc_protocols::sharing::masks;
use fsc_protocols::sum::{Kind, Params, SecureSum};
use rand::RngExt;
use rand_chacha::ChaCha20Rng;

/// A way to turn a party's vector into its share of the sum. The right one, and wrong ones.
pub(crate) trait Masking: Send + Sync + 'static {
    fn share(party: &mut Party, vector: Secret<Vec<u128>>) -> Additive<u128>;
}

/// A secure sum with that masking.
pub(crate) struct SumBy<M>(std::marker::PhantomData<M>);

impl<M: Masking> Protocol for SumBy<M> {
    const NAME: &'static str = SecureSum::NAME;
    const VERSION: u16 = SecureSum::VERSION;
    const SECURITY: Security = SecureSum::SECURITY;
    type Params = Params;
    type Input = Vec<u128>;
    type Output = Value;

    fn admit(submission: Submission) -> Result<(Params, Vec<u128>), ObjectError> {
        SecureSum::admit(submission)
    }

    fn cost(params: &Params, all: &Announced) -> Cost {
        SecureSum::cost(params, all)
    }

    async fn run(party: &mut Party, _: Params, input: Secret<Vec<u128>>) -> Result<Value, ProtocolError> {
        let share = M::share(party, input);
        let opened = party.open(share).await?;
        Ok(Value::Array(Array::from_i64(opened.into_iter().map(|sum| sum as i64).collect())))
    }
}

impl<M: Masking> Lawful for SumBy<M> {
    fn params(_: &mut ChaCha20Rng, _: usize) -> Params {
        integers(2)
    }

    fn inputs(rng: &mut ChaCha20Rng, _: &Params, parties: usize) -> Vec<Vec<u128>> {
        (0..parties).map(|_| vec![rng.random_range(0..1000), rng.random_range(0..1000)]).collect()
    }

    fn is_right(_: &Params, inputs: &[Vec<u128>], result: &Value) -> bool {
        let sums = [0, 1].map(|index| inputs.iter().map(|input| input[index] as i64).sum());
        *result == Value::Array(Array::from_i64(sums.to_vec()))
    }
}

fn integers(elements: usize) -> Params {
    Params { kind: Kind::Int64, fraction_bits: 0, shape: Some(vec![elements]), ..Params::NUMBER }
}

/// What is shipped.
struct Shipped;

impl Masking for Shipped {
    fn share(party: &mut Party, vector: Secret<Vec<u128>>) -> Additive<u128> {
        masks::share_of_sum(party, vector)
    }
}

/// The reference's way: masks of a bounded number of digits, added without reduction. (Ours travel in 128 bits.)
struct Unreduced;

impl Masking for Unreduced {
    fn share(party: &mut Party, vector: Secret<Vec<u128>>) -> Additive<u128> {
        masked_by(party, vector, |key, index| keystream(key, index) % 10_u128.pow(24))
    }
}

/// Mutant: every mask is the same constant.
struct ConstantMasks;

impl Masking for ConstantMasks {
    fn share(party: &mut Party, vector: Secret<Vec<u128>>) -> Additive<u128> {
        masked_by(party, vector, |_, _| 0x5555_5555_5555_5555_5555_5555_5555_5555)
    }
}

/// Mutant: no masks at all.
struct NoMasks;

impl Masking for NoMasks {
    fn share(_: &mut Party, vector: Secret<Vec<u128>>) -> Additive<u128> {
        Additive::new(vector.into_inner())
    }
}

/// Mutant: masks are a function of the pair alone, as a key derivation without the run id would make them.
pub(crate) struct MasksWithoutRun;

impl Masking for MasksWithoutRun {
    fn share(party: &mut Party, vector: Secret<Vec<u128>>) -> Additive<u128> {
        let me = party.me();
        let mut vector = vector.into_inner();
        for other in party.others() {
            let key = Self::key(me, other);
            for (index, element) in vector.iter_mut().enumerate() {
                let mask = keystream(&key, index);
                *element = if me < other { element.wrapping_add(mask) } else { element.wrapping_sub(mask) };
            }
        }
        Additive::new(vector)
    }
}

impl MasksWithoutRun {
    fn key(me: usize, other: usize) -> [u8; 32] {
        let pair = [me.min(other) as u8, me.max(other) as u8];
        std::array::from_fn(|index| pair[index % 2])
    }
}

fn masked_by(party: &mut Party, vector: Secret<Vec<u128>>, mask: impl Fn(&[u8; 32], usize) -> u128) -> Additive<u128> {
    let mut vector = vector.into_inner();
    for other in party.others() {
        let key = party.mask_key(other);
        for (index, element) in vector.iter_mut().enumerate() {
            let mask = mask(&key, index);
            *element = if party.me() < other { element.wrapping_add(mask) } else { element.wrapping_sub(mask) };
        }
    }
    Additive::new(vector)
}

/// A mask that has nothing to do with the shipped one but its key.
fn keystream(key: &[u8; 32], index: usize) -> u128 {
    use rand::{Rng, SeedableRng};
    let mut rng = ChaCha20Rng::from_seed(*key);
    rng.set_word_pos(16 * index as u128);
    let mut block = [0; 16];
    rng.fill_bytes(&mut block);
    u128::from_le_bytes(block)
}

fn indistinguishable<M: Masking>() -> Result<(), String> {
    let (zeros, huge) = (vec![vec![0; 2]; 3], vec![vec![(1 << 126) - 1; 2]; 3]);
    laws::transcripts_are_indistinguishable::<SumBy<M>>(&integers(2), &zeros, &huge)
}

#[test]
fn the_statistical_test_passes_uniform_shares_and_catches_bad_ones() {
    indistinguishable::<Shipped>().unwrap();
    for (bad, what) in [
        (indistinguishable::<Unreduced>(), "the reference's unreduced shares"),
        (indistinguishable::<ConstantMasks>(), "constant masks"),
        (indistinguishable::<NoMasks>(), "no masks"),
    ] {
        assert!(bad.is_err(), "{what} went unnoticed");
    }
}

fn element(payload: &Bytes) -> u128 {
    ring::decode::<u128>(payload, 1).expect("a share of one element")[0]
}

/// What a party can compute that says hello with one nonce to party 0 and with another one to party 1: the sum of what they show
/// it, each in the run that it made them believe in, without the masks that it shares with either. It is party 2, and has one
/// face for each.
fn unmasked_by_two_faces<M: Masking>(inputs: [u128; 2]) -> u128 {
    let session = |me, x, seed| {
        let prepared = prepare::<SumBy<M>>(integers(1), Secret::new(vec![x])).expect("examples are admitted");
        Session::new(setup(me, 3, prepared, seed), Time::START)
    };
    let mut honest = [session(0, inputs[0], 1), session(1, inputs[1], 1)];
    let mut faces = [session(2, 0, 1), session(2, 0, 2)];
    for hello in honest.iter_mut().flat_map(spoken).collect::<Vec<_>>() {
        let hearers: Vec<&mut Session> = match hello.route.to {
            2 => faces.iter_mut().collect(),
            to => vec![&mut honest[usize::from(to)]],
        };
        for hearer in hearers {
            hearer.handle(hello.clone()).expect("it is for this one");
        }
    }
    (0..2).fold(0, |sum, place| {
        RECORDED.take();
        let hello = spoken(&mut faces[place]).into_iter().find(|hello| usize::from(hello.route.to) == place);
        let known = RECORDED.take().into_iter().filter(|(other, _)| *other == place).map(|(_, mask)| mask);
        honest[place].handle(hello.expect("a hello for each")).expect("it is for this one");
        let shown = spoken(&mut honest[place]).into_iter().find_map(|envelope| match envelope.content {
            Content::Mail(mail) if envelope.route.to == 2 => Some(element(&mail.payload)),
            _ => None,
        });
        let shown = shown.expect("all hellos are there, so the party shows its share");
        known.fold(sum, u128::wrapping_add).wrapping_add(shown)
    })
}

fn spoken(session: &mut Session) -> Vec<Envelope> {
    let _ = session.poll(&mut std::task::Context::from_waker(std::task::Waker::noop()), Time::START);
    std::iter::from_fn(|| session.poll_transmit()).collect()
}

#[test]
fn two_faces_unmask_nothing() {
    assert_ne!(unmasked_by_two_faces::<Recording>([1000, 7]), 1007);
    assert_eq!(
        unmasked_by_two_faces::<RecordingWithoutRun>([1000, 7]),
        1007,
        "the mutant withstands, so the attack is none"
    );
}

/// Given everything that a coalition of n − 2 knows, what the two honest parties sent is still masked: by their own pair's
/// mask, which no coalition has.
#[test]
fn a_coalition_finds_no_honest_input_in_what_it_unmasks() {
    const CANARY: u128 = 0x00c0_ffee_00c0_ffee;
    for seed in 0..20 {
        let mut inputs = vec![vec![0]; 4];
        inputs[0] = vec![CANARY];
        inputs[1] = vec![CANARY];
        RECORDED.take();
        let report = simulate::<SumBy<Recording>>(&integers(1), inputs, seed, Faults::default()).unwrap();
        let masks = RECORDED.take();
        assert_eq!(masks.len(), 4, "two honest parties, two corrupt ones each");
        for honest in [0, 1] {
            let sent = element(&report.payloads(honest, 2)[0]);
            let known: u128 =
                masks.iter().filter(|mask| mask.0 == honest).fold(0, |sum, mask| sum.wrapping_add(mask.1));
            let unmasked = sent.wrapping_add(known);
            assert!(!encodings(CANARY).contains(&unmasked), "seed {seed}: the coalition unmasked party {honest}");
            // What remains is the honest pair's mask: its high half is not all zeros or ones, as a small number's is.
            assert!(!matches!(unmasked >> 96, 0 | 0xffff_ffff), "seed {seed}: what remains is not uniform");
        }
        // A control: with the honest pair's mask as well, the input is there, so the unmasking above was right.
        let of_both: u128 =
            [0, 1].iter().map(|place| element(&report.payloads(*place, 2)[0])).fold(0, u128::wrapping_add);
        let known: u128 = masks.iter().fold(0, |sum, mask| sum.wrapping_add(mask.1));
        assert_eq!(of_both.wrapping_add(known), 2 * CANARY);
    }
}

/// The shipped masking at the honest parties 0 and 1; the corrupt parties do the same by hand, and put what masks them to
/// honest ones on record.
struct Recording;

impl Masking for Recording {
    fn share(party: &mut Party, vector: Secret<Vec<u128>>) -> Additive<u128> {
        if party.me() < 2 {
            return masks::share_of_sum(party, vector);
        }
        recorded(party, &vector, |party, other| first_block(&party.mask_key(other)))
    }
}

/// Mutant: the same, with masks that know nothing of the run.
struct RecordingWithoutRun;

impl Masking for RecordingWithoutRun {
    fn share(party: &mut Party, vector: Secret<Vec<u128>>) -> Additive<u128> {
        if party.me() < 2 {
            return MasksWithoutRun::share(party, vector);
        }
        recorded(party, &vector, |party, other| keystream(&MasksWithoutRun::key(party.me(), other), 0))
    }
}

thread_local! {
    /// Honest parties, and what cancels a mask of each that a corrupt one shares.
    static RECORDED: RefCell<Vec<(usize, u128)>> = const { RefCell::new(Vec::new()) };
}

fn recorded(party: &mut Party, vector: &Secret<Vec<u128>>, mask: impl Fn(&mut Party, usize) -> u128) -> Additive<u128> {
    let [mut element] = vector.expose()[..] else { panic!("vectors of one element") };
    for other in party.others() {
        let mask = mask(party, other);
        let mask = if party.me() < other { mask } else { mask.wrapping_neg() };
        if other < 2 {
            RECORDED.with_borrow_mut(|recorded| recorded.push((other, mask)));
        }
        element = element.wrapping_add(mask);
    }
    Additive::new(vec![element])
}

/// The first element of the mask that a key expands to: AES-128 of zero under the key's first half.
fn first_block(key: &[u8; 32]) -> u128 {
    let mut block = aes::Block::default();
    Aes128::new_from_slice(&key[..16]).expect("16 bytes are a key").encrypt_block(&mut block);
    u128::from_le_bytes(block.into())
}

fn encodings(x: u128) -> [u128; 4] {
    [x, x.wrapping_neg(), x << 64, (x << 64).wrapping_neg()]
}
