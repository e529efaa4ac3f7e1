//! A secret ballot: everybody learns how many said yes, and nobody who. A protocol is an `async fn` over a [`Party`], with
//! what it says of itself; `protocol_laws!` at the end tests it under reordering, loss, forgery and the like.
//!
//! # Security
//!
//! Semi-honest adversary, any n − 1 parties corrupt: any n − 1 shares of a vote are uniform.
//!
//! # Leakage
//!
//! Nothing beyond the count, and what follows from it: if all say yes, everybody knows everybody's vote.
//!
//! # Wire
//!
//! Two rounds: each party deals every other a share, and then reveals its sum of shares: (n − 1) · 16 bytes.
//!
//! # Differences from the reference
//!
//! The reference has no ballot.
#![allow(clippy::print_stdout)] // an example talks to its reader

use std::error::Error;

use fsc_core::node::Node;
use fsc_core::object::ObjectError;
use fsc_core::party::Party;
use fsc_core::protocol::{
    Adversary, Announced, Corruptions, Cost, Protocol, ProtocolError, Security, Setup, Submission,
};
use fsc_core::register_protocol;
use fsc_core::representation::Api;
use fsc_core::runs::Network;
use fsc_core::secret::Secret;
use fsc_core::value::Value;
use fsc_protocols::sharing::additive::Additive;
use fsc_transport::{Hub, TokioRuntime};
use futures_util::future::try_join_all;

struct SecretBallot;

register_protocol!(SECRET_BALLOT, SecretBallot);

impl Protocol for SecretBallot {
    const NAME: &'static str = "SecretBallot";
    const VERSION: u16 = 1;
    const SECURITY: Security = Security {
        adversary: Adversary::SemiHonest,
        corruptions: Corruptions::AllButOne,
        setup: Setup::PairwiseKeys,
        leakage: &["if all votes are equal, the votes"],
        paper: "Benaloh, Secret sharing homomorphisms: keeping shares of a secret secret, CRYPTO 1986",
    };
    type Params = ();
    type Input = bool;
    type Output = u64;

    fn admit(submission: Submission) -> Result<((), bool), ObjectError> {
        match submission.data {
            Value::Bool(vote) => Ok(((), vote)),
            _ => Err(ObjectError::argument("data", "a vote must be true or false")),
        }
    }

    fn cost((): &(), all: &Announced) -> Cost {
        let others = all.parties() as u64 - 1;
        Cost { rounds: 2, messages: 2 * others, bytes: 16 * others }
    }

    async fn run(party: &mut Party, (): (), vote: Secret<bool>) -> Result<u64, ProtocolError> {
        let vote = vec![u64::from(vote.into_inner())];
        let shares = Additive::split(vote, party.parties(), party.rng());
        let mut sum = Additive::new(vec![0]);
        party.deal(shares).await?.iter().for_each(|share| sum.add(share));
        Ok(party.open(sum).await?[0])
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    fsc_protocols::link();
    let (runtime, hub) = (TokioRuntime::new(), Hub::new());
    let (mut nodes, mut addresses) = (Vec::new(), Vec::new());
    for name in ["a", "b", "c"] {
        let node = Node::builder(runtime.clone(), hub.clone()).build()?;
        addresses.push(hub.add(name, &node)?);
        nodes.push(node); // the hub does not keep nodes alive
    }

    let counts = [true, false, true].into_iter().enumerate().map(|(myself, vote)| {
        let api = Api::new(hub.clone(), runtime.clone(), addresses[myself].clone());
        let network = Network { nodes: addresses.clone(), myself, uuid: "ballot".to_owned() };
        let arguments = [("microprotocol", "SecretBallot".into()), ("data", vote.into()), ("network", network.into())];
        api.create([("protocol", "Simon")]).attribute("compute").call(arguments).download()
    });
    let counts = try_join_all(counts).await?;
    println!("{} of {} said yes", counts[0].entry("result").and_then(Value::as_usize).ok_or("a count")?, counts.len());
    Ok(())
}

#[cfg(test)]
mod laws {
    use fsc_core::laws::{ChaCha20Rng, Lawful, RngExt};

    use super::*;

    fsc_core::protocol_laws!(SecretBallot, docs: "write_a_protocol.rs", parties: 2..=5);

    impl Lawful for SecretBallot {
        fn params(_: &mut ChaCha20Rng, _: usize) {}

        fn inputs(rng: &mut ChaCha20Rng, (): &(), parties: usize) -> Vec<bool> {
            (0..parties).map(|_| rng.random()).collect()
        }

        fn is_right((): &(), votes: &[bool], count: &Value) -> bool {
            count.as_usize() == Some(votes.iter().filter(|vote| **vote).count())
        }
    }
}
