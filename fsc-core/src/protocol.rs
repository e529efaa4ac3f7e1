//! What a protocol is, and what it says of itself.

use std::collections::BTreeMap;
use std::future::Future;
use std::marker::PhantomData;
use std::ops::Add;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::clock::BoxFuture;
use crate::object::ObjectError;
use crate::party::Party;
use crate::secret::Secret;
use crate::value::{ConvertError, Value, from_value, to_value};

/// A protocol: how several parties compute a function without showing one another their inputs.
///
/// A protocol is an `async fn` over a [`Party`] and awaits nothing but its mail; time, randomness and the network reach
/// it through the party only. `Params` are public and equal at all parties: they are part of what parties compare
/// before they start. `Input` is private to one party.
pub trait Protocol: Send + Sync + 'static {
    /// The name by which clients ask for it, as `"SecureSum"`.
    const NAME: &'static str;
    /// Part of what all parties must agree on; changes with the messages or their meaning.
    const VERSION: u16;
    /// What is protected, against whom, at what price.
    const SECURITY: Security;

    /// Public parameters, equal at every party.
    type Params: Serialize + DeserializeOwned + Clone + Send + Sync + 'static;
    /// One party's private input.
    type Input: Send + 'static;
    /// What every party learns.
    type Output: Serialize + Send + 'static;

    /// Makes parameters and input of what a client submitted. All argument errors belong here: nothing was sent yet.
    fn admit(submission: Submission) -> Result<(Self::Params, Self::Input), ObjectError>;

    /// The output as clients get it. A protocol whose output holds large arrays hands them over instead.
    fn present(output: Self::Output) -> Result<Value, ConvertError> {
        to_value(&output)
    }

    /// What anybody may know of an input before the run starts, the shape of a matrix for instance. It travels with the hello,
    /// readable and to every listed address, before parties have compared what they want to run; [`Party::announced`] has what
    /// each party said.
    fn announce(params: &Self::Params, input: &Self::Input) -> Value {
        let _ = (params, input);
        Value::Null
    }

    /// What a party sends after joining, to peers with which it has kept what the protocol sets up once ([`Party::keep`]).
    /// Depends on what is public only, and so shows that messages do not depend on inputs; [`crate::laws`] compares it
    /// with the transcript. What others announce may be nonsense: then the cost does not matter, as the run is to name them.
    fn cost(params: &Self::Params, all: &Announced) -> Cost;

    /// What a run with these parameters needs, where they may ask for another setup than [`Protocol::SECURITY`] says.
    fn setup(params: &Self::Params) -> Setup {
        let _ = params;
        Self::SECURITY.setup
    }

    /// One party's part in a run.
    fn run(
        party: &mut Party,
        params: Self::Params,
        input: Secret<Self::Input>,
    ) -> impl Future<Output = Result<Self::Output, ProtocolError>> + Send;
}

/// What a client submitted to a protocol.
#[derive(Clone, Debug)]
pub struct Submission {
    /// The private data.
    pub data: Value,
    /// The public parameters, `null` if none were given.
    pub parameters: Value,
    /// How many parties there are.
    pub parties: usize,
    /// This party's place among them.
    pub me: usize,
}

/// What a protocol protects, against whom.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Security {
    /// What corrupt parties do.
    pub adversary: Adversary,
    /// How many parties may be corrupt.
    pub corruptions: Corruptions,
    /// What the protocol needs besides the parties.
    pub setup: Setup,
    /// Everything beyond the output that somebody learns, plainly.
    pub leakage: &'static [&'static str],
    /// Where the protocol comes from.
    pub paper: &'static str,
}

/// What corrupt parties do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Adversary {
    /// They follow the protocol, and put their heads together over what they saw.
    SemiHonest,
    /// They do as they please.
    Malicious,
}

/// How many parties may be corrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Corruptions {
    /// All but one.
    AllButOne,
    /// Fewer than half.
    Minority,
}

/// What a protocol needs besides the parties.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Setup {
    /// Nothing: every two parties agree on a key when they join.
    PairwiseKeys,
    /// A dealer that all parties trust.
    TrustedDealer,
}

/// What one party sends in a run after joining, to all others together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Cost {
    /// Rounds: how often a message waits for another one.
    pub rounds: u32,
    /// Messages.
    pub messages: u64,
    /// Bytes of payload.
    pub bytes: u64,
}

impl Add for Cost {
    type Output = Self;

    /// What is sent in all, where one part comes after the other.
    fn add(self, next: Self) -> Self {
        Self {
            rounds: self.rounds.saturating_add(next.rounds),
            messages: self.messages.saturating_add(next.messages),
            bytes: self.bytes.saturating_add(next.bytes),
        }
    }
}

/// What all parties announced when they joined, as one party sees it.
#[derive(Clone, Debug)]
pub struct Announced {
    me: usize,
    values: Vec<Value>,
    strangers: usize,
}

impl Announced {
    /// What the parties said, in order of place, seen from the place `me`, all of which keep something for one another.
    pub fn new(me: usize, values: Vec<Value>) -> Self {
        Self { me, values, strangers: 0 }
    }

    /// The same, where I keep nothing together with so many others.
    #[must_use]
    pub fn among_strangers(self, strangers: usize) -> Self {
        Self { strangers, ..self }
    }

    /// With how many others I keep nothing from earlier runs ([`Party::kept`](crate::party::Party::kept)).
    pub fn strangers(&self) -> usize {
        self.strangers
    }

    /// My place.
    pub fn me(&self) -> usize {
        self.me
    }

    /// The number of parties.
    pub fn parties(&self) -> usize {
        self.values.len()
    }

    /// What the party at `place` announced. If that is not what the protocol's parties announce, the party is at fault. Sizes in
    /// it are to be checked before anything is allocated or computed by them.
    pub fn of<T: DeserializeOwned>(&self, place: usize) -> Result<T, ProtocolError> {
        from_value(self.values[place].clone())
            .map_err(|_| ProtocolError::Malformed { party: place, why: "it announced something else than is expected" })
    }
}

/// Why a protocol could not finish.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// A party sent what the protocol does not allow.
    #[error("party {party} sent a malformed message: {why}")]
    Malformed {
        /// Its place.
        party: usize,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The inputs have no result, and all parties learn that much.
    #[error("{why}")]
    NoResult {
        /// Why not.
        why: &'static str,
    },
    /// The result can't be represented.
    #[error("the result can't be represented: {why}")]
    Output {
        /// Why not.
        why: String,
    },
}

impl ProtocolError {
    /// The parties at fault, by place.
    pub fn culprits(&self) -> Vec<usize> {
        match self {
            Self::Malformed { party, .. } => vec![*party],
            Self::NoResult { .. } | Self::Output { .. } => Vec::new(),
        }
    }
}

/// A run that is ready to start: arguments were checked, nothing was sent.
pub struct Prepared {
    /// The protocol's name.
    pub function: &'static str,
    /// The protocol's version.
    pub version: u16,
    /// The public parameters, which parties compare.
    pub params: Value,
    /// What the run needs besides the parties.
    pub setup: Setup,
    /// What the others may know of the input before the run starts.
    pub announcement: Value,
    /// What the run will send, as soon as all have announced.
    pub(crate) cost: Box<dyn Fn(&Announced) -> Cost + Send>,
    /// The run itself.
    pub(crate) run: Box<dyn FnOnce(Party) -> BoxFuture<Result<Value, ProtocolError>> + Send>,
}

/// A [`Protocol`] without its types, as the registry keeps it.
pub trait ErasedProtocol: Send + Sync {
    /// [`Protocol::NAME`].
    fn name(&self) -> &'static str;
    /// [`Protocol::VERSION`].
    fn version(&self) -> u16;
    /// [`Protocol::SECURITY`].
    fn security(&self) -> Security;
    /// [`Protocol::admit`], and everything that has to be checked before a run.
    fn prepare(&self, submission: Submission) -> Result<Prepared, ObjectError>;
}

/// The protocols that were linked into this program. [`register_protocol!`](crate::register_protocol) adds one.
#[linkme::distributed_slice]
pub static PROTOCOLS: [&'static dyn ErasedProtocol];

/// Adds a protocol to [`PROTOCOLS`], where nodes find it: `fsc_core::register_protocol!(SECURE_SUM, SecureSum);`
#[macro_export]
macro_rules! register_protocol {
    ($element:ident, $protocol:ty) => {
        #[$crate::linkme::distributed_slice($crate::protocol::PROTOCOLS)]
        #[linkme(crate = $crate::linkme)]
        static $element: &'static dyn $crate::protocol::ErasedProtocol = &$crate::protocol::Erased::<$protocol>::NEW;
    };
}

/// The protocols of a node, by name.
#[derive(Clone, Default)]
pub struct Catalogue(BTreeMap<&'static str, &'static dyn ErasedProtocol>);

impl Catalogue {
    /// All protocols that are linked into this program.
    pub fn discover() -> Result<Self, CatalogueError> {
        if PROTOCOLS.is_empty() {
            return Err(CatalogueError::NothingLinked);
        }
        Self::default().with(PROTOCOLS.iter().copied())
    }

    /// The same with more protocols.
    pub fn with(
        mut self,
        protocols: impl IntoIterator<Item = &'static dyn ErasedProtocol>,
    ) -> Result<Self, CatalogueError> {
        for protocol in protocols {
            let name = protocol.name();
            if self.0.insert(name, protocol).is_some() {
                return Err(CatalogueError::SameName { name });
            }
        }
        Ok(self)
    }

    /// The protocol of that name.
    pub fn find(&self, name: &str) -> Option<&'static dyn ErasedProtocol> {
        self.0.get(name).copied()
    }

    /// All protocols, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = &'static dyn ErasedProtocol> {
        self.0.values().copied()
    }

    /// All names, for errors.
    pub fn names(&self) -> String {
        self.0.keys().copied().collect::<Vec<_>>().join(", ")
    }
}

/// What is wrong with the protocols that were linked or given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogueError {
    /// No protocol is linked into this program.
    #[error(
        "no protocols are linked into this program: call `fsc_protocols::link()` in it, \
         or add `use fsc_protocols as _;`"
    )]
    NothingLinked,
    /// Two protocols have the same name.
    #[error("two protocols are named {name}: rename one of them, or link its crate only once")]
    SameName {
        /// The name.
        name: &'static str,
    },
}

/// A protocol's erased twin.
pub struct Erased<P>(PhantomData<fn() -> P>);

impl<P: Protocol> Erased<P> {
    /// The twin.
    pub const NEW: Self = Self(PhantomData);
}

impl<P: Protocol> ErasedProtocol for Erased<P> {
    fn name(&self) -> &'static str {
        P::NAME
    }

    fn version(&self) -> u16 {
        P::VERSION
    }

    fn security(&self) -> Security {
        P::SECURITY
    }

    fn prepare(&self, submission: Submission) -> Result<Prepared, ObjectError> {
        let (params, input) = P::admit(submission)?;
        prepare::<P>(params, Secret::new(input))
    }
}

/// Readies a run of `P` from typed parameters and input, as tests and embedders have them.
pub fn prepare<P: Protocol>(params: P::Params, input: Secret<P::Input>) -> Result<Prepared, ObjectError> {
    let public = to_value(&params).map_err(|error| ObjectError::argument("parameters", error.to_string()))?;
    let (setup, announcement) = (P::setup(&params), P::announce(&params, input.expose()));
    let of_cost = params.clone();
    let cost = Box::new(move |all: &Announced| P::cost(&of_cost, all));
    let run = move |mut party: Party| -> BoxFuture<Result<Value, ProtocolError>> {
        Box::pin(async move {
            let output = P::run(&mut party, params, input).await?;
            let result = P::present(output).map_err(|error| ProtocolError::Output { why: error.to_string() })?;
            // The shape of every function's answer.
            Ok(Value::map([("inputs", Value::from(party.parties())), ("result", result)]))
        })
    };
    let run = Box::new(run);
    Ok(Prepared { function: P::NAME, version: P::VERSION, params: public, setup, announcement, cost, run })
}
