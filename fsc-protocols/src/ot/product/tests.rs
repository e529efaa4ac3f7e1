use std::marker::PhantomData;
use std::sync::Arc;

use fsc_core::joining::Keys;
use fsc_core::laws::{self, Lawful};
use fsc_core::object::ObjectError;
use fsc_core::party::pieces_of;
use fsc_core::protocol::{Adversary, Announced, Corruptions, Protocol, Security, Setup, Submission};
use fsc_core::protocol_laws;
use fsc_core::secret::Secret;
use fsc_core::sim::{self, Faults, Report, simulate_among};
use fsc_core::value::{ConvertError, Value};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;
use serde::{Deserialize, Serialize};

use super::*;
use crate::algebra::ring;
use crate::linear::product::multiply;
use crate::ot;
use crate::sharing::additive::Additive;

protocol_laws!(Open<u128>, docs: "../product.rs", parties: 2..=5);

/// Multiplies and opens the product: the test's own protocol.
struct Open<R>(PhantomData<R>);

#[derive(Clone, Copy, Serialize, Deserialize)]
struct Shape {
    ends: [usize; 2],
    sizes: [usize; 3],
    bits: u32,
}

impl Shape {
    fn product(self) -> Product {
        let ([left, right], [rows, inner, columns]) = (self.ends, self.sizes);
        Product { left, right, rows, inner, columns, bits: self.bits }
    }
}

impl<R: Ring> Protocol for Open<R> {
    const NAME: &'static str = "Open";
    const VERSION: u16 = 1;
    const SECURITY: Security = Security {
        adversary: Adversary::SemiHonest,
        corruptions: Corruptions::AllButOne,
        setup: Setup::PairwiseKeys,
        leakage: &[],
        paper: "Gilboa, Two party RSA key generation, Crypto 1999",
    };
    type Params = Shape;
    type Input = Option<Vec<i128>>;
    type Output = Value;

    fn admit(_: Submission) -> Result<(Shape, Self::Input), ObjectError> {
        Ok((Shape { ends: [0, 1], sizes: [0; 3], bits: 1 }, None))
    }

    fn cost(shape: &Shape, all: &Announced) -> Cost {
        let (product, others) = (shape.product(), all.parties() as u64 - 1);
        let share = R::WIDTH * product.rows * product.columns;
        let (messages, bytes) = (others * pieces_of(share) as u64, others * share as u64);
        let own = product.cost::<R>(all.me());
        // The last answer and the share to be opened leave together.
        let rounds = u32::from(own == Cost::default() || all.me() != product.right);
        Pairs::meeting_cost(all.strangers()) + own + Cost { rounds, messages, bytes }
    }

    fn present(output: Value) -> Result<Value, ConvertError> {
        Ok(output)
    }

    async fn run(party: &mut Party, shape: Shape, input: Secret<Self::Input>) -> Result<Value, ProtocolError> {
        let mut pairs = Pairs::connect(party).await?;
        let mine = match input.into_inner() {
            Some(x) if party.me() == shape.ends[0] => Factor::Left(x),
            Some(y) => Factor::Right(y.into_iter().map(R::of).collect()),
            None => Factor::Neither,
        };
        let share = product(&mut pairs, party, shape.product(), &mine).await?;
        let share = share.unwrap_or_else(|| vec![R::ZERO; shape.sizes[0] * shape.sizes[2]]);
        let opened = party.open(Additive::new(share)).await?;
        Ok(Value::Bytes(ring::encode(opened)))
    }
}

impl<R: Ring> Lawful for Open<R> {
    fn params(rng: &mut ChaCha20Rng, parties: usize) -> Shape {
        let left = rng.random_range(0..parties);
        let right = (left + rng.random_range(1..parties)) % parties;
        let sizes = std::array::from_fn(|_| rng.random_range(1..6));
        Shape { ends: [left, right], sizes, bits: rng.random_range(1..=64) }
    }

    fn inputs(rng: &mut ChaCha20Rng, shape: &Shape, parties: usize) -> Vec<Option<Vec<i128>>> {
        let Product { left, right, rows, inner, columns, bits } = shape.product();
        let mut inputs = vec![None; parties];
        inputs[left] = Some((0..rows * inner).map(|_| rng.random::<i128>() >> (128 - bits)).collect());
        inputs[right] = Some((0..inner * columns).map(|_| rng.random()).collect());
        inputs
    }

    fn acquaint(keys: &[Arc<Keys>]) {
        ot::acquaint(keys);
    }

    fn is_right(shape: &Shape, inputs: &[Option<Vec<i128>>], result: &Value) -> bool {
        let Product { left, right, inner, columns, .. } = shape.product();
        let (Some(x), Some(y), Value::Bytes(product)) = (&inputs[left], &inputs[right], result) else { return false };
        let elements = |integers: &[i128]| integers.iter().copied().map(R::of).collect::<Vec<_>>();
        let exact = if inner == 0 || columns == 0 {
            vec![R::ZERO; shape.sizes[0] * columns]
        } else {
            multiply(&elements(x), &elements(y), inner, columns)
        };
        *product == ring::encode(exact)
    }
}

fn warm<R: Ring>(shape: Shape, inputs: Vec<Option<Vec<i128>>>, seed: u64) -> Report {
    let keys = sim::keys(inputs.len(), seed);
    ot::acquaint(&keys);
    simulate_among::<Open<R>>(&shape, inputs, &keys, seed, Faults::default()).unwrap()
}

/// A product of that shape is right and costs what it should.
fn check<R: Ring>(sizes: [usize; 3], bits: u32) {
    let shape = Shape { ends: [1, 0], sizes, bits };
    let inputs = Open::<R>::inputs(&mut ChaCha20Rng::seed_from_u64(1), &shape, 2);
    let report = warm::<R>(shape, inputs.clone(), 1);
    for (place, (outcome, cost)) in report.outcomes.iter().zip(&report.costs).enumerate() {
        let result = outcome.as_ref().expect("a product").entry("result").expect("a product");
        assert!(Open::<R>::is_right(&shape, &inputs, result), "{sizes:?}, {bits} bits, party {place}");
        let expected = Open::<R>::cost(&shape, &Announced::new(place, vec![Value::Null; 2]));
        assert_eq!(*cost, expected, "{sizes:?}, {bits} bits, party {place}");
    }
}

#[test]
fn products_of_any_shape_are_right() {
    for (sizes, bits) in [
        ([1, 1, 1], 1),
        ([3, 2, 70_000], 3),
        ([40, 50, 60], 64),
        ([300, 5, 1], 128),
        ([2, 3, 0], 64),
        ([0, 3, 2], 64),
        ([2, 0, 2], 64),
    ] {
        check::<u128>(sizes, bits);
    }
}

/// Transports carry no message of any size.
#[test]
fn no_message_is_longer_than_a_piece_however_wide_a_row_is() {
    for sizes in [[1, 1, 200_000], [2, 2, 65_537], [1, 70_000, 1], [300, 1, 300]] {
        let shape = Shape { ends: [0, 1], sizes, bits: 1 };
        let inputs = Open::<u128>::inputs(&mut ChaCha20Rng::seed_from_u64(1), &shape, 2);
        let report = warm::<u128>(shape, inputs, 1);
        let longest =
            [(0, 1), (1, 0)].into_iter().flat_map(|(from, to)| report.payloads(from, to)).map(|sent| sent.len());
        assert!(longest.max().is_some_and(|longest| longest <= PIECE), "{sizes:?}");
    }
}

/// Who announces large matrices does not keep a node busy before the run has begun.
#[test]
fn costs_of_the_largest_products_are_told_at_once() {
    let product = Shape { ends: [0, 1], sizes: [1 << 12, 1 << 12, 1 << 12], bits: 56 }.product();
    let [left, right] = [0, 1].map(|place| product.cost::<u128>(place));
    // For 32 bits of X, rows of Y take 4 MiB.
    let questions = 56 << (24 - 5);
    assert_eq!(left, Cost { rounds: questions / 2, messages: u64::from(questions), bytes: (56 * 8) << 24 });
    assert_eq!((right.rounds, right.bytes), (questions / 2, 728 << 36));
}

#[test]
fn products_over_any_ring_are_right() {
    for (sizes, bits) in [([3, 4, 5], 64), ([2, 1, 3], 128), ([1, 2, 1], 2), ([4, 3, 200], 90)] {
        check::<u64>(sizes, bits);
        check::<U256>(sizes, bits);
    }
}

/// The cost as it stands in the documentation, number by number.
#[test]
fn costs_are_these() {
    let shape = |sizes, bits| Shape { ends: [0, 2], sizes, bits }.product();
    for (product, place, rounds, messages, bytes) in [
        (shape([1, 1, 1], 64), 0, 1, 1, 512),
        (shape([1, 1, 1], 64), 2, 1, 1, 800),
        (shape([1, 1, 1], 64), 1, 0, 0, 0),
        (shape([10, 10, 10], 64), 0, 1, 1, 51_200),
        (shape([10, 10, 10], 64), 2, 1, 1, 800_000),
        (shape([100, 100, 100], 64), 0, 250, 500, 5_120_000),
        (shape([100, 100, 100], 64), 2, 250, 1_000, 800_000_000),
        (shape([100, 0, 100], 64), 2, 0, 0, 0),
    ] {
        assert_eq!(product.cost::<u128>(place), Cost { rounds, messages, bytes }, "{product:?} at {place}");
    }
}

#[test]
fn transcripts_of_different_matrices_are_indistinguishable() {
    let shape = Shape { ends: [0, 1], sizes: [1, 1, 2], bits: 3 };
    let (zeros, ones) = (vec![Some(vec![0]), Some(vec![0; 2])], vec![Some(vec![-1]), Some(vec![-1; 2])]);
    // What is opened at the end shows the product, so it has to be the same: zero.
    let hidden = vec![Some(vec![-1]), Some(vec![0; 2])];
    let other = vec![Some(vec![0]), Some(vec![i128::MAX; 2])];
    laws::transcripts_are_indistinguishable::<Open<u128>>(&shape, &hidden, &other).unwrap();
    assert!(laws::transcripts_are_indistinguishable::<Open<u128>>(&shape, &zeros, &ones).is_ok(), "shares are uniform");
}

/// What the owner of Y sends is no function of Y and of what the owner of X has: with the OT's other string it would be.
#[test]
fn one_bit_of_x_shows_nothing_of_y_where_it_is_zero() {
    const CANARY: i128 = 0x00c0_ffee_00c0_ffee_00c0_ffee_00c0_ffee;
    for seed in 0..20 {
        let shape = Shape { ends: [0, 1], sizes: [1, 1, 1], bits: 1 };
        let keys = sim::keys(2, seed);
        ot::acquaint(&keys);
        let inputs = vec![Some(vec![0]), Some(vec![CANARY])];
        let report = simulate_among::<Open<u128>>(&shape, inputs, &keys, seed, Faults::default()).unwrap();
        let masked = ring::decode::<u128>(&report.payloads(1, 0)[0], 1).unwrap()[0];
        // All that the owner of X has to unmask it with: H(t), which is its share of the product.
        let pad = ring::decode::<u128>(&report.payloads(0, 1)[1], 1).unwrap()[0];
        for sum in [masked, masked.wrapping_add(pad), masked.wrapping_sub(pad), pad.wrapping_sub(masked)] {
            assert!(![CANARY, -CANARY].contains(&(sum as i128)), "seed {seed}");
        }
    }
}
