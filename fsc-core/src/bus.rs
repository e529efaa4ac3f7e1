//! The bus: resolve, authorise, act, grant.
//!
//! Everything that clients can do is [`Bus::execute`]. A request is read as a whole before anything of it is done
//! (`plan`); objects are found by description, by handle, or by storing a value; each step leads to the next object;
//! and what is left at the end is granted ([`grant`]) to the one who asked. Objects in between need no grants.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;

use self::grant::{GrantError, Granted, Grants, HandleSource, Kind, Offer, Quotas, Rights, Usage};
use self::plan::{Act, Begin, End, Plan};
use self::policy::Policy;
use crate::clock::{self, Runtime, Time};
use crate::object::{Argument, Call, Object, Reply, Stored};
use crate::registry::Registry;
use crate::value::{Arguments, Handle, Value};

pub mod codec;
pub mod grant;
mod plan;
pub mod policy;
pub mod request;

pub use request::{Failure, Principal, Request, Response, Step};

/// What stands between clients and objects.
pub struct Bus {
    registry: Registry,
    policy: Arc<dyn Policy>,
    runtime: Arc<dyn Runtime>,
    steps: usize,
    /// Held for moments only: never across an await, never while an object's own code runs.
    grants: Mutex<Grants>,
}

impl Bus {
    /// A bus over these top-level objects.
    pub fn new(registry: Registry, policy: Arc<dyn Policy>, quotas: Quotas, runtime: Arc<dyn Runtime>) -> Self {
        Self::with_source(registry, policy, quotas, runtime, Box::new(clock::random))
    }

    /// The same, with handles made of what `source` gives: for tests that want the same handles every time.
    pub fn with_source(
        registry: Registry,
        policy: Arc<dyn Policy>,
        quotas: Quotas,
        runtime: Arc<dyn Runtime>,
        source: HandleSource,
    ) -> Self {
        let steps = quotas.steps;
        Self { registry, policy, runtime, steps, grants: Mutex::new(Grants::new(quotas, source)) }
    }

    /// The top-level objects.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The operator's policy.
    pub fn policy(&self) -> &Arc<dyn Policy> {
        &self.policy
    }

    /// Does what a client asks.
    ///
    /// An object that panics fails the request it panicked in (500), and nothing else. May be dropped at any time: a
    /// call in flight is dropped with it, and nothing stays behind.
    pub async fn execute(&self, principal: &Principal, request: Request) -> Result<Response, Failure> {
        match request {
            Request::List => Ok(Response::List(self.registry.list())),
            Request::Chain(steps) => {
                let plan = Plan::new(steps, self.steps)?;
                AssertUnwindSafe(self.follow(principal, plan)).catch_unwind().await.unwrap_or_else(internal_error)
            }
        }
    }

    /// Ends the grants whose leases are over, and says when the next one will be. Every request does so too; a node
    /// calls this from time to time so that memory comes back when nobody asks anything.
    pub fn sweep(&self) -> Option<Time> {
        self.grants(Grants::sweep)
    }

    /// What a principal occupies at present.
    pub fn usage(&self, principal: &Principal) -> Usage {
        self.grants(|grants, _| grants.usage(principal))
    }

    async fn follow(&self, principal: &Principal, plan: Plan) -> Result<Response, Failure> {
        if let End::Release(handle) = plan.end {
            self.grants(|grants, now| grants.release(now, principal, handle))?;
            return Ok(Response::None);
        }
        let mut place = self.begin(principal, plan.begin)?;
        let mut acts = plan.acts.into_iter().zip(2..).peekable();
        while let Some((act, number)) = acts.next() {
            match self.act(principal, place, act).await? {
                Some(next) => place = next,
                None if plan.end == End::Grant && acts.peek().is_none() => return Ok(Response::None),
                None => return Err(nothing_left(number)),
            }
        }
        if plan.end == End::Download { place.download() } else { self.grant(principal, place) }
    }

    fn begin(&self, principal: &Principal, begin: Begin) -> Result<Place, Failure> {
        match begin {
            Begin::Create(requirements) => {
                let root = self.registry.find(&requirements)?;
                let rights = self.policy.may_use(principal, &root.description)?;
                Ok(Place { object: root.object.clone(), rights, origin: Origin::Chain })
            }
            Begin::Use(handle) => Ok(self.access(principal, handle)?.at(Origin::Handle(handle))),
            // Storing a handle keeps the object itself: what can't be downloaded does not become so.
            Begin::Upload(Value::Handle(handle)) => Ok(self.access(principal, handle)?.at(Origin::Upload)),
            Begin::Upload(value) => {
                Ok(Place { object: Arc::new(Stored(value)), rights: Rights::ALL, origin: Origin::Upload })
            }
        }
    }

    async fn act(&self, principal: &Principal, place: Place, act: Act) -> Result<Option<Place>, Failure> {
        let object = match act {
            Act::Attribute(name) => place.object.attribute(&name)?,
            Act::Call(arguments) => {
                if !place.rights.call {
                    return Err(GrantError::NoRight { to: "call" }.into());
                }
                match self.call(principal, place.object, arguments).await? {
                    Reply::None => return Ok(None),
                    Reply::Value(value) => Arc::new(Stored(value)),
                    Reply::Object(object) => object,
                }
            }
        };
        Ok(Some(Place { object, rights: place.rights, origin: Origin::Chain }))
    }

    async fn call(
        &self,
        principal: &Principal,
        object: Arc<dyn Object>,
        arguments: Arguments,
    ) -> Result<Reply, Failure> {
        let call = self.resolve(principal, arguments)?;
        let bytes = call.args.iter().chain(call.kwargs.values()).map(weight_of_argument).fold(0, usize::saturating_add);
        let _flight = Flight::begin(self, principal, bytes)?;
        // Only now that its bytes are counted may content be copied: one handle can be passed a thousand times.
        Ok(object.call(with_content(call)).await?)
    }

    /// Puts objects in the place of handles, at the top level of the arguments.
    fn resolve(&self, principal: &Principal, arguments: Arguments) -> Result<Call, Failure> {
        let resolve = |value| match value {
            Value::Handle(handle) => self.passed(principal, handle).map(Argument::Object),
            value => Ok(Argument::Value(value)),
        };
        let args = arguments.args.into_iter().map(resolve).collect::<Result<_, Failure>>()?;
        let named = arguments.kwargs.into_iter().map(|(name, value)| Ok((name, resolve(value)?)));
        Ok(Call { principal: principal.clone(), args, kwargs: named.collect::<Result<_, Failure>>()? })
    }

    /// The object behind a handle that is an argument. Whatever gets content may give it back, so passing content on
    /// takes the right to download it.
    fn passed(&self, principal: &Principal, handle: Handle) -> Result<Arc<dyn Object>, Failure> {
        let Granted { object, rights } = self.access(principal, handle)?;
        if !rights.download && object.content().is_some() {
            return Err(GrantError::NoRight { to: "download, which passing it on takes" }.into());
        }
        Ok(object)
    }

    fn access(&self, principal: &Principal, handle: Handle) -> Result<Granted, GrantError> {
        self.grants(|grants, now| grants.access(now, principal, handle))
    }

    fn grant(&self, principal: &Principal, place: Place) -> Result<Response, Failure> {
        let kind = match place.origin {
            Origin::Handle(handle) => return Ok(Response::Handle(handle)),
            Origin::Chain => Kind::Result,
            Origin::Upload => Kind::Upload,
        };
        let bytes = weight_of_object(&*place.object);
        let offer = Offer { object: place.object, rights: place.rights, kind, bytes };
        Ok(Response::Handle(self.grants(|grants, now| grants.grant(now, principal, offer))?))
    }

    /// Works on the grants, and drops what they let go when the lock is free again.
    fn grants<T>(&self, work: impl FnOnce(&mut Grants, Time) -> T) -> T {
        let now = self.runtime.now();
        // Nothing of others runs under the lock, so a poisoned one could only be a bug of ours; the grants of
        // everybody else are still worth having.
        let mut grants = self.grants.lock().unwrap_or_else(PoisonError::into_inner);
        let result = work(&mut grants, now);
        let debris = grants.take_debris();
        drop(grants);
        drop(debris);
        result
    }
}

/// Where a chain has got to.
struct Place {
    object: Arc<dyn Object>,
    rights: Rights,
    origin: Origin,
}

/// How a chain got there.
enum Origin {
    /// There is a handle already.
    Handle(Handle),
    /// The client stored it.
    Upload,
    /// By description, attribute or call.
    Chain,
}

impl Granted {
    fn at(self, origin: Origin) -> Place {
        Place { object: self.object, rights: self.rights, origin }
    }
}

impl Place {
    fn download(self) -> Result<Response, Failure> {
        if !self.rights.download {
            return Err(GrantError::NoRight { to: "download" }.into());
        }
        if self.object.content().is_none() {
            return Err(Failure::new(403, format!("a {} can't be downloaded", self.object.kind())));
        }
        Ok(Response::Object(self.object))
    }
}

/// A call in flight: counted for as long as this lives, however the call ends.
struct Flight<'a> {
    bus: &'a Bus,
    principal: &'a Principal,
    bytes: usize,
}

impl<'a> Flight<'a> {
    fn begin(bus: &'a Bus, principal: &'a Principal, bytes: usize) -> Result<Self, GrantError> {
        bus.grants(|grants, now| grants.begin_call(now, principal, bytes))?;
        Ok(Self { bus, principal, bytes })
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        self.bus.grants(|grants, _| grants.end_call(self.principal, self.bytes));
    }
}

fn with_content(call: Call) -> Call {
    let fill = |argument| match argument {
        Argument::Object(object) => Argument::of(object),
        value @ Argument::Value(_) => value,
    };
    Call {
        principal: call.principal,
        args: call.args.into_iter().map(fill).collect(),
        kwargs: call.kwargs.into_iter().map(|(name, argument)| (name, fill(argument))).collect(),
    }
}

fn weight_of_argument(argument: &Argument) -> usize {
    match argument {
        Argument::Value(value) => weight(value),
        Argument::Object(object) => weight_of_object(&**object),
    }
}

fn weight_of_object(object: &dyn Object) -> usize {
    object.content().map_or(0, |content| weight(&content))
}

/// About how many bytes of memory a value takes, rather too many than too few.
fn weight(value: &Value) -> usize {
    let beyond = match value {
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Uint(_) | Value::Float(_) | Value::Handle(_) => 0,
        Value::Text(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        // Elements may be narrower, but are no wider.
        Value::Array(array) => array.len() * size_of::<u128>(),
        Value::List(items) => items.iter().map(weight).sum(),
        Value::Map(entries) => entries.iter().map(weight_of_entry).sum(),
    };
    size_of::<Value>() + beyond
}

fn weight_of_entry((key, value): (&String, &Value)) -> usize {
    size_of::<String>() + key.len() + weight(value)
}

/// The text of a panic may hold anything, so it goes nowhere.
fn internal_error<T>(_: Box<dyn Any + Send>) -> Result<T, Failure> {
    tracing::error!("an object panicked; whoever used it got an internal error");
    Err(Failure::new(500, "internal error"))
}

fn nothing_left(call: usize) -> Failure {
    let next = call + 1;
    Failure::new(400, format!("step {next}: nothing to go on with, for the call of step {call} answered nothing"))
}

#[cfg(test)]
mod tests;
