//! What is random and does not depend on inputs, made before it is needed: correlated randomness for circuits.
//!
//! Two ways to make it: [`Oblivious`] transfer between every two parties, the default; and a [`Dealer`], a party that all
//! others trust, for tests and for devices that can't do better, which is never chosen unasked.

use std::future::Future;

use fsc_core::object::ObjectError;
use fsc_core::party::Party;
use fsc_core::protocol::{Announced, Cost, ProtocolError, Security, Setup};
use serde::{Deserialize, Serialize};

use crate::algebra::bits::Bits;
use crate::ot::Pairs;

pub mod dealer;
pub mod oblivious;

pub use dealer::Dealer;
pub use oblivious::Oblivious;

/// A way to make correlated randomness. Parties ask for the same at the same time.
pub trait Preprocessing: Send {
    /// What it protects, against whom.
    const SECURITY: Security;

    /// My shares of random a and b_1…b_w, `length` bits each, and of the products a·b_k; w is `width`.
    fn bit_triples(
        &mut self,
        party: &mut Party,
        length: usize,
        width: usize,
    ) -> impl Future<Output = Result<BitTriples, ProtocolError>> + Send;

    /// What that sends, at one party.
    fn bit_triples_cost(parties: usize, length: usize, width: usize) -> Cost;
}

/// One party's XOR shares of a, of b_1…b_w and of the products a·b_1…a·b_w, bit by bit. Used once, so it can't be copied.
pub struct BitTriples {
    /// Of a.
    pub a: Bits,
    /// Of b_1…b_w, each as long as a.
    pub b: Vec<Bits>,
    /// Of a·b_1…a·b_w.
    pub c: Vec<Bits>,
}

impl BitTriples {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.a.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.a.is_empty()
    }

    /// Those from `start` on, `length` of them. They are to be used in place of these, not besides.
    pub(crate) fn slice(&self, start: usize, length: usize) -> Self {
        let slices = |all: &[Bits]| all.iter().map(|bits| bits.slice(start, length)).collect();
        Self { a: self.a.slice(start, length), b: slices(&self.b), c: slices(&self.c) }
    }

    /// Puts others behind them, of the same width.
    pub(crate) fn append(&mut self, others: Self) {
        self.a.push_bits(&others.a);
        let more = others.b.into_iter().chain(others.c);
        self.b.iter_mut().chain(&mut self.c).zip(more).for_each(|(bits, more)| bits.push_bits(&more));
    }
}

/// Which way a computation takes: `parameters.preprocessing`, public and equal at all parties.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// Every two parties, by oblivious transfer.
    #[default]
    Oblivious,
    /// The party at this place deals, and all others trust it.
    Dealer(usize),
}

impl Source {
    /// Refuses a dealer who is not there.
    pub fn check(self, parties: usize) -> Result<Self, ObjectError> {
        match self {
            Self::Dealer(place) if place >= parties => {
                let why = format!("there is no party {place} to deal: places are 0 to {}", parties.saturating_sub(1));
                Err(ObjectError::argument("parameters", why))
            }
            Self::Oblivious | Self::Dealer(_) => Ok(self),
        }
    }

    /// What that needs.
    pub fn setup(self) -> Setup {
        match self {
            Self::Oblivious => Oblivious::SECURITY.setup,
            Self::Dealer(_) => Dealer::SECURITY.setup,
        }
    }

    /// What a party sends to those of the others that it has not met yet, before it makes anything.
    pub fn meeting_cost(self, all: &Announced) -> Cost {
        match self {
            Self::Oblivious => Pairs::meeting_cost(all.strangers()),
            Self::Dealer(_) => Cost::default(),
        }
    }

    /// What [`Engine::bit_triples`] sends, at one party.
    pub fn bit_triples_cost(self, parties: usize, length: usize, width: usize) -> Cost {
        match self {
            Self::Oblivious => Oblivious::bit_triples_cost(parties, length, width),
            Self::Dealer(_) => Dealer::bit_triples_cost(parties, length, width),
        }
    }
}

/// The preprocessing of one run, by either way.
pub enum Engine {
    /// Every two parties'.
    Oblivious(Oblivious),
    /// A dealer's.
    Dealer(Dealer),
}

impl Engine {
    /// The preprocessing of that kind, set up with the others.
    pub async fn connect(party: &mut Party, source: Source) -> Result<Self, ProtocolError> {
        Ok(match source {
            Source::Oblivious => Self::Oblivious(Oblivious::connect(party).await?),
            Source::Dealer(place) => Self::Dealer(Dealer::new(party, place)),
        })
    }

    /// As [`Preprocessing::bit_triples`].
    pub async fn bit_triples(
        &mut self,
        party: &mut Party,
        length: usize,
        width: usize,
    ) -> Result<BitTriples, ProtocolError> {
        match self {
            Self::Oblivious(oblivious) => oblivious.bit_triples(party, length, width).await,
            Self::Dealer(dealer) => dealer.bit_triples(party, length, width).await,
        }
    }
}
