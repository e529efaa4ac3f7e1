//! `SecureSum` under the laws, and the attacks that a fake would not withstand.

use fsc_core::laws::{self, Lawful};
use fsc_core::party::Party;
use fsc_core::protocol::{Cost, Protocol, ProtocolError, Security, Submission};
use fsc_core::protocol_laws;
use fsc_core::secret::Secret;
use fsc_core::sim::{Faults, simulate};
use fsc_core::value::{Array, Value};
use fsc_protocols::sum::{Kind, Params, SecureSum};
use rand::RngExt;
use rand_chacha::ChaCha20Rng;

protocol_laws!(Example, docs: "../src/sum.rs", parties: 2..=7);

/// `SecureSum` with examples. (A test's crate can't implement a foreign trait for a foreign type.)
struct Example;

impl Protocol for Example {
    const NAME: &'static str = SecureSum::NAME;
    const VERSION: u16 = SecureSum::VERSION;
    const SECURITY: Security = SecureSum::SECURITY;
    type Params = Params;
    type Input = Vec<u128>;
    type Output = <SecureSum as Protocol>::Output;

    fn admit(submission: Submission) -> Result<(Params, Vec<u128>), fsc_core::object::ObjectError> {
        SecureSum::admit(submission)
    }

    fn cost(params: &Params, parties: usize) -> Cost {
        SecureSum::cost(params, parties)
    }

    async fn run(party: &mut Party, params: Params, input: Secret<Vec<u128>>) -> Result<Self::Output, ProtocolError> {
        SecureSum::run(party, params, input).await
    }
}

impl Lawful for Example {
    fn params(rng: &mut ChaCha20Rng, _: usize) -> Params {
        vector(rng.random_range(1..40))
    }

    fn inputs(rng: &mut ChaCha20Rng, params: &Params, parties: usize) -> Vec<Vec<u128>> {
        let magnitude = 10_f64.powi(rng.random_range(-6..15));
        let mut number = || magnitude * (rng.random::<f64>() - 0.5);
        let mut array = || Array::from_f64((0..params.elements()).map(|_| number()).collect()).unwrap();
        (0..parties).map(|_| params.encode(&array(), parties).unwrap()).collect()
    }

    /// In exact rational arithmetic: inputs are integers over 2^64.
    fn is_right(params: &Params, inputs: &[Vec<u128>], result: &Value) -> bool {
        let Some(Value::Array(sums)) = result.entry("sum") else { return false };
        let sums = sums.to_f64().unwrap();
        sums.len() == params.elements()
            && sums.iter().enumerate().all(|(index, sum)| {
                let exact: i128 = inputs.iter().map(|input| input[index] as i128).sum();
                *sum == exact as f64 / 2_f64.powi(64)
            })
    }
}

fn vector(elements: usize) -> Params {
    Params { kind: Kind::Float64, fraction_bits: 64, shape: Some(vec![elements]) }
}

#[test]
fn transcripts_of_different_inputs_are_indistinguishable() {
    let zeros = vec![vec![0; 2]; 3];
    let huge = vec![vec![(1 << 126) - 1; 2]; 3];
    laws::transcripts_are_indistinguishable::<Example>(&vector(2), &zeros, &huge).unwrap();
}
