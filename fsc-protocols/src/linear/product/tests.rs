use std::marker::PhantomData;
use std::sync::Arc;

use fsc_core::joining::Keys;
use fsc_core::laws::{ChaCha20Rng, Lawful, RngExt};
use fsc_core::object::ObjectError;
use fsc_core::protocol::{Announced, Protocol, Security, Submission};
use fsc_core::protocol_laws;
use fsc_core::secret::Secret;
use fsc_core::value::{ConvertError, Value};
use serde::{Deserialize, Serialize};

use super::*;
use crate::algebra::ring::U256;
use crate::ot;
use crate::preprocessing::{Dealer, Preprocessing};
use crate::sharing::additive::Additive;

protocol_laws!(Several<u128>, docs: "../product.rs", parties: 2..=5);

mod over_64_bits {
    use super::*;

    protocol_laws!(Several<u64>, docs: "../product.rs", parties: 2..=5);
}

mod over_256_bits {
    use super::*;

    protocol_laws!(Several<U256>, docs: "../product.rs", parties: 2..=5);
}

/// Makes two products at a time, by a dealer or by transfers, and opens both. The test's own protocol.
struct Several<R>(PhantomData<R>);

#[derive(Clone, Serialize, Deserialize)]
struct Params {
    source: Source,
    /// Who has the factors, and their sizes.
    tasks: [([usize; 2], [usize; 3]); 2],
}

/// The bits of X.
const BITS: u32 = 40;

impl Params {
    fn products(&self) -> [Product; 2] {
        self.tasks.map(|([left, right], [rows, inner, columns])| Product {
            left,
            right,
            rows,
            inner,
            columns,
            bits: BITS,
        })
    }
}

impl<R: Ring> Protocol for Several<R> {
    const NAME: &'static str = "Several";
    const VERSION: u16 = 1;
    const SECURITY: Security = Dealer::SECURITY;
    type Params = Params;
    /// The factor in each product; nothing, of who has none.
    type Input = [Vec<i128>; 2];
    type Output = Value;

    fn admit(_: Submission) -> Result<(Params, Self::Input), ObjectError> {
        Ok((Params { source: Source::Dealer(0), tasks: [([0, 1], [1; 3]); 2] }, Default::default()))
    }

    fn cost(params: &Params, all: &Announced) -> Cost {
        let (products, others) = (params.products(), all.parties() as u64 - 1);
        let elements: usize = products.iter().map(|product| product.rows * product.columns).sum();
        let opening = Cost { rounds: 1, messages: others, bytes: others * (R::WIDTH * elements) as u64 };
        let making = cost::<R>(params.source, all.me(), &products);
        params.source.meeting_cost(all) + then(params.source, all.me(), &products, making, opening)
    }

    fn present(output: Value) -> Result<Value, ConvertError> {
        Ok(output)
    }

    async fn run(party: &mut Party, params: Params, input: Secret<Self::Input>) -> Result<Value, ProtocolError> {
        let me = party.me();
        let factor = |product: &Product, mine: Vec<i128>| match me {
            me if me == product.left => Factor::Left(mine),
            me if me == product.right => Factor::Right(mine.into_iter().map(R::of).collect()),
            _ => Factor::Neither,
        };
        let tasks = params.products().into_iter().zip(input.into_inner());
        let tasks = tasks.map(|(product, mine)| (product, factor(&product, mine))).collect();
        let shares = products(party, params.source, tasks).await?;
        let nothing = |product: Product| vec![R::ZERO; product.rows * product.columns];
        let shares = params.products().map(nothing).into_iter().zip(shares);
        let share = shares.flat_map(|(nothing, share)| share.unwrap_or(nothing)).collect();
        Ok(Value::Bytes(ring::encode(party.open(Additive::new(share)).await?)))
    }
}

impl<R: Ring> Lawful for Several<R> {
    fn params(rng: &mut ChaCha20Rng, parties: usize) -> Params {
        let mut task = || {
            let left = rng.random_range(0..parties);
            let right = (left + rng.random_range(1..parties)) % parties;
            ([left, right], [(); 3].map(|()| rng.random_range(1..5)))
        };
        let tasks = [task(), task()];
        let dealer = Source::Dealer(rng.random_range(0..parties));
        Params { source: if rng.random_bool(0.3) { Source::Oblivious } else { dealer }, tasks }
    }

    fn inputs(rng: &mut ChaCha20Rng, params: &Params, parties: usize) -> Vec<Self::Input> {
        let mut inputs = vec![<[Vec<i128>; 2]>::default(); parties];
        for (index, Product { left, right, rows, inner, columns, .. }) in params.products().into_iter().enumerate() {
            inputs[left][index] = (0..rows * inner).map(|_| rng.random::<i128>() >> (128 - BITS)).collect();
            inputs[right][index] = (0..inner * columns).map(|_| rng.random()).collect();
        }
        inputs
    }

    fn acquaint(keys: &[Arc<Keys>]) {
        ot::acquaint(keys);
    }

    fn is_right(params: &Params, inputs: &[Self::Input], result: &Value) -> bool {
        let exact = params.products().into_iter().enumerate().flat_map(|(index, product)| {
            let Product { left, right, rows, inner, columns, .. } = product;
            let (x, y) = (&inputs[left][index], &inputs[right][index]);
            let term = move |row, column, k| R::of(x[row * inner + k]).times(R::of(y[k * columns + column]));
            let sum = move |row, column| (0..inner).fold(R::ZERO, |sum, k| sum.plus(term(row, column, k)));
            (0..rows).flat_map(move |row| (0..columns).map(move |column| sum(row, column)))
        });
        *result == Value::Bytes(ring::encode(exact.collect()))
    }
}
