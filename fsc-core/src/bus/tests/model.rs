//! The bus against a model that anyone can check by reading: random requests of two principals, who try each other's
//! handles as often as their own. Every text says whose it is, so a leak would show.

use proptest::prelude::*;

use super::*;

const QUOTAS: Quotas = Quotas { handles: 4, uploads: 3, bytes: 2_000, calls: 1, steps: 8, lease: LEASE, principals: 2 };

/// What a principal does. Handles are chosen among all that were ever given out, to anybody.
#[derive(Clone, Debug)]
enum Op {
    Create,
    Upload { letters: usize },
    Keep { handle: usize },
    Look { handle: usize },
    Attribute { handle: usize },
    Echo { tool: usize, argument: usize },
    EchoText { tool: usize, letters: usize },
    ChainEcho { argument: usize },
    ChainDownload { argument: usize },
    Download { handle: usize },
    Release { handle: usize },
    Wait { seconds: u64 },
}

fn op() -> impl Strategy<Value = Op> {
    let handle = || 0..64_usize;
    let letters = || 0..900_usize;
    prop_oneof![
        Just(Op::Create),
        letters().prop_map(|letters| Op::Upload { letters }),
        handle().prop_map(|handle| Op::Keep { handle }),
        handle().prop_map(|handle| Op::Look { handle }),
        handle().prop_map(|handle| Op::Attribute { handle }),
        (handle(), handle()).prop_map(|(tool, argument)| Op::Echo { tool, argument }),
        (handle(), letters()).prop_map(|(tool, letters)| Op::EchoText { tool, letters }),
        handle().prop_map(|argument| Op::ChainEcho { argument }),
        handle().prop_map(|argument| Op::ChainDownload { argument }),
        handle().prop_map(|handle| Op::Download { handle }),
        handle().prop_map(|handle| Op::Release { handle }),
        (0..400_u64).prop_map(|seconds| Op::Wait { seconds }),
    ]
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
    fn outcome(&mut self, now: Time, op: &Op, pick: &dyn Fn(usize) -> Handle, text: &str) -> Result<Outcome, u16> {
        let result = |thing| Ok(Outcome::Granted { thing, upload: false });
        match *op {
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

fn steps(op: &Op, pick: &dyn Fn(usize) -> Handle, sent: &str) -> Vec<Step> {
    let argument = |handle| call([Value::Handle(pick(handle))]);
    match *op {
        Op::Create => vec![create()],
        Op::Upload { .. } => vec![Step::Upload(text(sent))],
        Op::Keep { handle } => vec![Step::Upload(Value::Handle(pick(handle)))],
        Op::Look { handle } => vec![Step::Use(pick(handle))],
        Op::Attribute { handle } => vec![Step::Use(pick(handle)), attribute("echo")],
        Op::Echo { tool, argument: handle } => vec![Step::Use(pick(tool)), argument(handle)],
        Op::EchoText { tool, .. } => vec![Step::Use(pick(tool)), call_named("x", text(sent))],
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
fn sent(principal: &Principal, number: usize, op: &Op) -> String {
    match op {
        Op::Upload { letters } | Op::EchoText { letters, .. } => {
            format!("{principal}'s {number} {}", "x".repeat(*letters))
        }
        _ => String::new(),
    }
}

/// Does one operation in both worlds, and compares.
fn step(world: &World, model: &mut Model, principal: &Principal, number: usize, op: &Op, given: &mut Vec<Handle>) {
    if let Op::Wait { seconds } = op {
        world.runtime.advance(Duration::from_secs(*seconds));
        return;
    }
    let nobodys = Handle::from_random([0xee; 16]);
    let pick = |place: usize| given.len().checked_sub(1 + place % 16).map_or(nobodys, |place| given[place]);
    let (now, text) = (world.runtime.now(), sent(principal, number, op));
    let request = Request::Chain(steps(op, &pick, &text));
    let response = world.bus.execute(principal, request).now_or_never().expect("nothing waits");
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
            given.push(handle);
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

proptest! {
    #[test]
    fn the_bus_does_what_the_model_says(ops in prop::collection::vec((any::<bool>(), op()), 1..120)) {
        let world = World::with(QUOTAS, Open);
        let principals = [alice(), bob()];
        let mut models = [Model::default(), Model::default()];
        let mut given = Vec::new();
        for (number, (second, op)) in ops.into_iter().enumerate() {
            let who = usize::from(second);
            step(&world, &mut models[who], &principals[who], number, &op, &mut given);
            world.bus.sweep();
            for (principal, model) in principals.iter().zip(&mut models) {
                model.sweep(world.runtime.now());
                prop_assert_eq!(world.bus.usage(principal), model.usage());
            }
        }
    }
}
