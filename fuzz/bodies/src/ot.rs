//! Oblivious transfer with a party that sends what it likes.
//!
//! Its tags are genuine, so only the protocol's own checks stand between these bytes and the honest parties.

use std::marker::PhantomData;
use std::sync::LazyLock;

use arbitrary::{Result, Unstructured};
use bytes::Bytes;
use fsc_core::laws::ChaCha20Rng;
use fsc_core::object::ObjectError;
use fsc_core::party::Party;
use fsc_core::protocol::{Announced, Cost, Protocol, ProtocolError, Security, Submission};
use fsc_core::secret::Secret;
use fsc_core::sim::{Faults, simulate_among};
use fsc_protocols::algebra::ring::{Ring, U256};
use fsc_protocols::ot::Pairs;
use fsc_protocols::ot::base::{self, COUNT, Context};
use fsc_protocols::ot::product::{Factor, Product, product};
use fsc_protocols::ot::softspoken::{self, CORRECTION, SenderSeeds};
use fsc_protocols::preprocessing::{Oblivious, Preprocessing};
use rand::SeedableRng;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::federation::acquainted;

const MOST_MESSAGES: usize = 6;

/// Any bytes in place of a message make keys, strings, triples and shares, or an error that says whose they were.
pub fn ot(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let Ok(decoder) = input.int_in_range(0..=6_u8) else { return };
    match decoder {
        0 => base_ots(input.take_rest()),
        1 => correction(input.take_rest()),
        2 => extension(&mut input),
        3 | 4 => drop(hostile::<u128>(&mut input)),
        5 => drop(hostile::<u64>(&mut input)),
        _ => drop(hostile::<U256>(&mut input)),
    }
}

/// A message of base OTs, to either role; what is missing at its end is made up.
fn base_ots(data: &[u8]) {
    static ROLES: LazyLock<(base::Sender, base::Receiver)> = LazyLock::new(|| {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        (base::Sender::new(&mut rng), base::Receiver::new(CONTEXT, 5, &mut rng))
    });
    const CONTEXT: Context<'_> = Context { run: &[1; 32], direction: 0 };
    let (sender, receiver) = &*ROLES;
    assert!(sender.keys(CONTEXT, data).is_err() || data.len() == base::RECEIVER_MESSAGE);
    let mut message = receiver.message().to_vec();
    let length = data.len().min(message.len());
    message[..length].copy_from_slice(&data[..length]);
    if let Ok(keys) = sender.keys(CONTEXT, &message) {
        assert_eq!(keys.len(), COUNT);
    }
    if let Ok(keys) = receiver.keys(CONTEXT, data) {
        assert_eq!((keys.len(), data.len()), (COUNT, 32));
    }
}

/// The setup of the extension's trees.
fn correction(data: &[u8]) {
    let chosen = Zeroizing::new(vec![[7; 32]; COUNT]);
    assert_eq!(SenderSeeds::grow(9, &chosen, data).is_ok(), data.len() == CORRECTION);
    let padded: Vec<u8> = data.iter().copied().chain(std::iter::repeat(0)).take(CORRECTION).collect();
    assert!(SenderSeeds::grow(9, &chosen, &padded).is_ok(), "every string of that length is one");
}

/// A message of the extension, for a length that may be another one.
fn extension(input: &mut Unstructured<'_>) {
    let Ok(length) = input.int_in_range(0..=400_usize) else { return };
    let (mut sender, _) = softspoken::pair();
    let message = input.bytes(input.len()).expect("as many as there are");
    let strings = sender.extend(message, length);
    assert_eq!(strings.is_ok(), message.len() == softspoken::message_length(length));
    assert!(strings.is_err() || strings.is_ok_and(|strings| strings.len() == length));
}

/// Two or three parties, of which the last one sends what the input says; products are in that ring.
fn hostile<R: Ring>(input: &mut Unstructured<'_>) -> Result<()> {
    let parties = input.int_in_range(2..=3_usize)?;
    let work = Work::read(input)?;
    let messages = (0..input.int_in_range(0..=MOST_MESSAGES)?).map(|_| message::<R>(input, work, parties));
    let messages = messages.collect::<Result<Vec<Bytes>>>()?;
    let keys = acquainted(parties);
    let mut inputs = vec![None; parties];
    inputs[parties - 1] = Some(messages);
    let report = simulate_among::<Hostile<R>>(&work, inputs, keys, 1, Faults::default()).expect("work is admitted");
    for (place, outcome) in report.outcomes.iter().enumerate().take(parties - 1) {
        if let Err(error) = outcome {
            assert!(!error.culprits().contains(&place), "a party blames itself: {error}");
            assert!(!error.culprits().is_empty(), "nobody is blamed: {error}");
        }
    }
    Ok(())
}

/// A message of a length that one of the protocol's may have, or about.
fn message<R: Ring>(input: &mut Unstructured<'_>, work: Work, parties: usize) -> Result<Bytes> {
    let lengths: Vec<usize> = match work {
        Work::Triples(length, width) => {
            vec![softspoken::message_length(length), width * length.div_ceil(8)]
        }
        Work::Product(..) => {
            let product = work.product(parties).expect("it is one");
            vec![product.cost::<R>(product.left).bytes as usize, product.cost::<R>(product.right).bytes as usize]
        }
    };
    let length = *input.choose(&lengths)?;
    let length = if input.ratio(1_u8, 4)? { input.int_in_range(0..=length + 2)? } else { length };
    let filler = input.arbitrary::<[u8; 8]>()?;
    Ok(filler.into_iter().cycle().take(length).collect())
}

/// What the parties make.
#[derive(Clone, Copy, Serialize, Deserialize)]
enum Work {
    /// So many triples of so many products.
    Triples(usize, usize),
    /// A product of that shape and width, whose left side is hostile, or its right side.
    Product([usize; 3], u32, bool),
}

impl Work {
    fn read(input: &mut Unstructured<'_>) -> Result<Self> {
        Ok(if input.arbitrary()? {
            Self::Triples(input.int_in_range(0..=200)?, input.int_in_range(0..=9)?)
        } else {
            let sizes = [input.int_in_range(0..=3)?, input.int_in_range(0..=3)?, input.int_in_range(0..=3)?];
            Self::Product(sizes, input.int_in_range(1..=64)?, input.arbitrary()?)
        })
    }

    fn product(self, parties: usize) -> Option<Product> {
        let Self::Product([rows, inner, columns], bits, left_is_hostile) = self else { return None };
        let (left, right) = if left_is_hostile { (parties - 1, 0) } else { (0, parties - 1) };
        Some(Product { left, right, rows, inner, columns, bits })
    }
}

/// That work, by parties that do as they should, and one that sends these messages to all others.
struct Hostile<R>(PhantomData<R>);

impl<R: Ring> Protocol for Hostile<R> {
    const NAME: &'static str = "Hostile";
    const VERSION: u16 = 1;
    const SECURITY: Security = Oblivious::SECURITY;
    type Params = Work;
    type Input = Option<Vec<Bytes>>;
    type Output = ();

    fn admit(_: Submission) -> std::result::Result<(Work, Self::Input), ObjectError> {
        Ok((Work::Triples(1, 1), None))
    }

    fn cost(_: &Work, _: &Announced) -> Cost {
        Cost::default()
    }

    async fn run(party: &mut Party, work: Work, input: Secret<Self::Input>) -> std::result::Result<(), ProtocolError> {
        let Some(messages) = input.into_inner() else { return honest::<R>(party, work).await };
        for other in party.others() {
            for message in &messages {
                party.send(other, message.clone());
            }
        }
        Ok(())
    }
}

async fn honest<R: Ring>(party: &mut Party, work: Work) -> std::result::Result<(), ProtocolError> {
    let mut oblivious = Oblivious::connect(party).await?;
    match (work, work.product(party.parties())) {
        (Work::Triples(length, width), _) => {
            let triples = oblivious.bit_triples(party, length, width).await?;
            assert_eq!((triples.len(), triples.b.len(), triples.c.len()), (length, width, width));
        }
        (Work::Product(..), Some(shape)) => {
            let mine: Factor<R> = match party.me() {
                me if me == shape.left => Factor::Left(vec![1; shape.rows * shape.inner]),
                me if me == shape.right => Factor::Right(vec![R::ONE; shape.inner * shape.columns]),
                _ => Factor::Neither,
            };
            let pairs: &mut Pairs = oblivious.pairs();
            if let Some(share) = product(pairs, party, shape, &mine).await? {
                assert_eq!(share.len(), shape.rows * shape.columns);
            }
        }
        (Work::Product(..), None) => {}
    }
    Ok(())
}
