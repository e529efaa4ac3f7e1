//! The bus against a model that anyone can check by reading: two principals, who try each other's handles as often as
//! their own. Every text says whose it is, so a leak would show.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt;

use super::HandClock;
use crate::bus::grant::{Quotas, Usage};
use crate::bus::policy::Open;
use crate::bus::{Bus, Principal, Request, Response, Step};
use crate::clock::{Runtime, Time};
use crate::object::{Argument, Call, Object, ObjectError, Reply};
use crate::registry::{Description, Registry};
use crate::value::{Arguments, Handle, Value};

const QUOTAS: Quotas =
    Quotas { handles: 4, uploads: 3, bytes: 2_000, calls: 1, steps: 8, lease: Duration::from_mins(10), principals: 2 };

/// Does all operations, of the first principal or the second, on a bus and in the model.
///
/// # Panics
/// When the two differ, in an answer or in what is left.
pub fn follows_the_model(ops: impl IntoIterator<Item = (bool, Op)>) {
    let mut pair = Pair::new();
    for (number, (second, op)) in ops.into_iter().enumerate() {
        pair.step(usize::from(second), number, op);
        pair.compare_usage();
    }
}

/// What a principal does. Handles are chosen among the latest that were given out, to anybody, the last one first.
#[derive(Clone, Copy, Debug)]
pub enum Op {
    /// Finds the toolbox.
    Create,
    /// Stores a text.
    Upload {
        /// Its length, without the mark that says whose it is.
        letters: usize,
    },
    /// Stores what is behind a handle.
    Keep {
        /// Which handle.
        handle: usize,
    },
    /// Names a handle and nothing else.
    Look {
        /// Which handle.
        handle: usize,
    },
    /// Asks for the attribute `echo`.
    Attribute {
        /// Which handle.
        handle: usize,
    },
    /// Passes a handle to what may be an echo.
    Echo {
        /// The handle that is called.
        tool: usize,
        /// The handle that is passed.
        argument: usize,
    },
    /// Passes a text to what may be an echo.
    EchoText {
        /// The handle that is called.
        tool: usize,
        /// The text's length.
        letters: usize,
    },
    /// Finds an echo and passes it a handle, in one chain.
    ChainEcho {
        /// The handle that is passed.
        argument: usize,
    },
    /// The same, and downloads what comes back.
    ChainDownload {
        /// The handle that is passed.
        argument: usize,
    },
    /// Downloads.
    Download {
        /// Which handle.
        handle: usize,
    },
    /// Releases.
    Release {
        /// Which handle.
        handle: usize,
    },
    /// Lets time pass.
    Wait {
        /// How much.
        seconds: u64,
    },
}

/// A bus, and the models of what its two principals hold.
struct Pair {
    bus: Bus,
    clock: Arc<HandClock>,
    principals: [Principal; 2],
    models: [Model; 2],
    given: Vec<Handle>,
}

impl Pair {
    fn new() -> Self {
        let description = Description::new([("namespace", "test"), ("protocol", "Toolbox")]);
        let registry = Registry::default().with("Toolbox", description, Arc::new(Toolbox));
        let clock = HandClock::new();
        let mut drawn = 0_u128;
        let source = move || {
            drawn += 1;
            drawn.to_be_bytes()
        };
        let bus = Bus::with_source(
            registry.expect("one object has no namesake"),
            Arc::new(Open),
            QUOTAS,
            Arc::clone(&clock) as _,
            Box::new(source),
        );
        let principals = ["alice", "bob"].map(Principal::new);
        Self { bus, clock, principals, models: Default::default(), given: Vec::new() }
    }

    /// Does one operation in both worlds, and compares.
    fn step(&mut self, who: usize, number: usize, op: Op) {
        if let Op::Wait { seconds } = op {
            self.clock.advance(Duration::from_secs(seconds));
            return;
        }
        let given = &self.given;
        let nobodys = Handle::from_random([0xee; 16]);
        let pick = |place: usize| given.len().checked_sub(1 + place % 16).map_or(nobodys, |place| given[place]);
        let (principal, model) = (&self.principals[who], &mut self.models[who]);
        let (now, text) = (self.clock.now(), sent(principal, number, op));
        let request = Request::Chain(steps(op, &pick, &text));
        let response = self.bus.execute(principal, request).now_or_never().expect("nothing waits");
        model.sweep(now);
        let outcome = model.outcome(now, op, &pick, &text).and_then(|outcome| {
            if let Outcome::Granted { thing, upload } = &outcome {
                model.make_room(thing, *upload)?;
            }
            Ok(outcome)
        });
        match (response, outcome) {
            (Ok(Response::Handle(handle)), Ok(Outcome::Granted { thing, upload })) => {
                assert!(!given.contains(&handle), "handles are never given out twice");
                self.given.push(handle);
                model.held.push(Held { handle, thing, upload, used: now });
            }
            (Ok(Response::Handle(handle)), Ok(Outcome::Same(same))) => assert_eq!(handle, same),
            (Ok(Response::None), Ok(Outcome::None)) => {}
            (Ok(Response::Object(object)), Ok(Outcome::Downloaded(Thing::Text(text)))) => {
                assert!(text.starts_with(principal.name()), "{principal} got {text}");
                assert_eq!(object.content().as_deref(), Some(&Value::Text(text)));
            }
            (Err(failure), Err(code)) => assert_eq!(failure.code, code, "{failure}"),
            (response, outcome) => panic!("the bus says {response:?}, the model {outcome:?}"),
        }
    }

    fn compare_usage(&mut self) {
        self.bus.sweep();
        for (principal, model) in self.principals.iter().zip(&mut self.models) {
            model.sweep(self.clock.now());
            assert_eq!(self.bus.usage(principal), model.usage());
        }
    }
}

/// What is behind a handle.
#[derive(Clone, Debug, PartialEq)]
enum Thing {
    Toolbox,
    Echo,
    Text(String),
}

impl Thing {
    fn bytes(&self) -> usize {
        match self {
            Self::Toolbox | Self::Echo => 0,
            Self::Text(text) => size_of::<Value>() + text.len(),
        }
    }
}

#[derive(Clone)]
struct Held {
    handle: Handle,
    thing: Thing,
    upload: bool,
    used: Time,
}

/// What a chain comes to in the model, before a handle is given out.
#[derive(Debug, PartialEq)]
enum Outcome {
    Granted { thing: Thing, upload: bool },
    Same(Handle),
    None,
    Downloaded(Thing),
}

/// The grants of one principal, the one used longest ago first.
#[derive(Default)]
struct Model {
    held: Vec<Held>,
}

impl Model {
    fn sweep(&mut self, now: Time) {
        self.held.retain(|held| now < held.used + QUOTAS.lease);
    }

    fn find(&mut self, now: Time, handle: Handle) -> Result<Thing, u16> {
        let place = self.held.iter().position(|held| held.handle == handle).ok_or(404_u16)?;
        let mut held = self.held.remove(place);
        held.used = now;
        let thing = held.thing.clone();
        self.held.push(held);
        Ok(thing)
    }

    fn upload_bytes(&self) -> usize {
        self.held.iter().filter(|held| held.upload).map(|held| held.thing.bytes()).sum()
    }

    fn bytes(&self) -> usize {
        self.held.iter().map(|held| held.thing.bytes()).sum()
    }

    fn uploads(&self) -> usize {
        self.held.iter().filter(|held| held.upload).count()
    }

    fn make_room(&mut self, thing: &Thing, upload: bool) -> Result<(), u16> {
        if self.upload_bytes() + thing.bytes() > QUOTAS.bytes || (upload && self.uploads() >= QUOTAS.uploads) {
            return Err(429);
        }
        if !upload && self.held.len() - self.uploads() >= QUOTAS.handles {
            self.let_go(|_| true);
        }
        while self.bytes() + thing.bytes() > QUOTAS.bytes {
            self.let_go(|held| held.thing.bytes() > 0);
        }
        Ok(())
    }

    fn let_go(&mut self, which: impl Fn(&Held) -> bool) {
        let place = self.held.iter().position(|held| !held.upload && which(held)).expect("something to let go");
        self.held.remove(place);
    }

    fn usage(&self) -> Usage {
        let uploads = self.uploads();
        let upload_bytes = self.upload_bytes();
        Usage {
            handles: self.held.len() - uploads,
            result_bytes: self.bytes() - upload_bytes,
            uploads,
            upload_bytes,
            ..Usage::default()
        }
    }

    /// What becomes of an operation. `text` is what it would send along.
    fn outcome(&mut self, now: Time, op: Op, pick: &dyn Fn(usize) -> Handle, text: &str) -> Result<Outcome, u16> {
        let result = |thing| Ok(Outcome::Granted { thing, upload: false });
        match op {
            Op::Create => result(Thing::Toolbox),
            Op::Upload { .. } => Ok(Outcome::Granted { thing: Thing::Text(text.to_owned()), upload: true }),
            Op::Keep { handle } => Ok(Outcome::Granted { thing: self.find(now, pick(handle))?, upload: true }),
            Op::Look { handle } => self.find(now, pick(handle)).map(|_| Outcome::Same(pick(handle))),
            Op::Attribute { handle } => match self.find(now, pick(handle))? {
                Thing::Toolbox => result(Thing::Echo),
                Thing::Echo | Thing::Text(_) => Err(404),
            },
            Op::Echo { tool, argument } => {
                let tool = self.find(now, pick(tool))?;
                let argument = self.find(now, pick(argument))?;
                if tool == Thing::Echo { result(argument) } else { Err(400) }
            }
            Op::EchoText { tool, .. } => match self.find(now, pick(tool))? {
                Thing::Echo => result(Thing::Text(text.to_owned())),
                Thing::Toolbox | Thing::Text(_) => Err(400),
            },
            Op::ChainEcho { argument } => result(self.find(now, pick(argument))?),
            Op::ChainDownload { argument: handle } | Op::Download { handle } => match self.find(now, pick(handle))? {
                thing @ Thing::Text(_) => Ok(Outcome::Downloaded(thing)),
                Thing::Toolbox | Thing::Echo => Err(403),
            },
            Op::Release { handle } => {
                self.find(now, pick(handle))?;
                self.held.retain(|held| held.handle != pick(handle));
                Ok(Outcome::None)
            }
            Op::Wait { .. } => Ok(Outcome::None),
        }
    }
}

fn steps(op: Op, pick: &dyn Fn(usize) -> Handle, sent: &str) -> Vec<Step> {
    let argument = |handle| call(Value::Handle(pick(handle)));
    match op {
        Op::Create => vec![create()],
        Op::Upload { .. } => vec![Step::Upload(Value::from(sent))],
        Op::Keep { handle } => vec![Step::Upload(Value::Handle(pick(handle)))],
        Op::Look { handle } => vec![Step::Use(pick(handle))],
        Op::Attribute { handle } => vec![Step::Use(pick(handle)), attribute("echo")],
        Op::Echo { tool, argument: handle } => vec![Step::Use(pick(tool)), argument(handle)],
        Op::EchoText { tool, .. } => vec![Step::Use(pick(tool)), call_named("x", Value::from(sent))],
        Op::ChainEcho { argument: handle } => vec![create(), attribute("echo"), argument(handle)],
        Op::ChainDownload { argument: handle } => {
            vec![create(), attribute("echo"), argument(handle), Step::Download]
        }
        Op::Download { handle } => vec![Step::Use(pick(handle)), Step::Download],
        Op::Release { handle } => vec![Step::Use(pick(handle)), Step::Release],
        Op::Wait { .. } => vec![],
    }
}

/// Whose it is, what number, and as many letters as asked for.
fn sent(principal: &Principal, number: usize, op: Op) -> String {
    match op {
        Op::Upload { letters } | Op::EchoText { letters, .. } => {
            format!("{principal}'s {number} {}", "x".repeat(letters))
        }
        _ => String::new(),
    }
}

fn create() -> Step {
    Step::Create(BTreeMap::from([("protocol".to_owned(), Value::from("Toolbox"))]))
}

fn attribute(name: &str) -> Step {
    Step::Attribute(name.to_owned())
}

fn call(argument: Value) -> Step {
    Step::Call(Arguments { args: vec![argument], kwargs: BTreeMap::new() })
}

fn call_named(name: &str, value: Value) -> Step {
    Step::Call(Arguments { args: Vec::new(), kwargs: BTreeMap::from([(name.to_owned(), value)]) })
}

/// Has an echo.
struct Toolbox;

impl Object for Toolbox {
    fn kind(&self) -> &'static str {
        "toolbox"
    }

    fn attribute(self: Arc<Self>, name: &str) -> Result<Arc<dyn Object>, ObjectError> {
        match name {
            "echo" => Ok(Arc::new(Echo)),
            _ => Err(ObjectError::NoSuchAttribute { kind: self.kind(), name: name.to_owned() }),
        }
    }
}

/// Answers its one argument.
struct Echo;

#[async_trait]
impl Object for Echo {
    fn kind(&self) -> &'static str {
        "echo"
    }

    async fn call(self: Arc<Self>, call: Call) -> Result<Reply, ObjectError> {
        let argument = call.args.into_iter().chain(call.kwargs.into_values()).next();
        Ok(argument.map_or(Reply::None, Argument::into_reply))
    }
}
