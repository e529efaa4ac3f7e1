//! Claims about the bus as a whole. The objects are as small as can be; the clock stands unless it is told to go.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::future::{Future, pending};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;

use async_trait::async_trait;

use super::policy::{Open, Refusal, Rules};
use super::*;
use crate::object::ObjectError;
use crate::registry::Description;
use crate::sim::HandClock;

mod model;

const LEASE: Duration = Duration::from_mins(10);

/// An object whose attributes are tools.
#[derive(Default)]
struct Toolbox {
    calls: Arc<AtomicUsize>,
}

#[async_trait]
impl Object for Toolbox {
    fn kind(&self) -> &'static str {
        "toolbox"
    }

    fn attribute(self: Arc<Self>, name: &str) -> Result<Arc<dyn Object>, ObjectError> {
        const NAMES: [&str; 7] = ["echo", "nothing", "vault", "hang", "panic", "fail", "hidden"];
        match NAMES.into_iter().find(|known| *known == name) {
            Some("hidden") => panic!("hidden text"),
            Some(name) => Ok(Arc::new(Tool { name, calls: self.calls.clone() })),
            None => Err(ObjectError::NoSuchAttribute { kind: self.kind(), name: name.to_owned() }),
        }
    }
}

struct Tool {
    name: &'static str,
    calls: Arc<AtomicUsize>,
}

#[async_trait]
impl Object for Tool {
    fn kind(&self) -> &'static str {
        "tool"
    }

    async fn call(self: Arc<Self>, call: Call) -> Result<Reply, ObjectError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        match self.name {
            "echo" => {
                let positional = call.args.into_iter().next();
                let named = call.kwargs.into_values().next();
                Ok(positional.or(named).map_or(Reply::None, Argument::into_reply))
            }
            "vault" => Ok(Reply::Object(Arc::new(Vault))),
            "hang" => pending().await,
            "panic" => panic!("hidden text"),
            "fail" => Err(ObjectError::TimedOut { why: "no word from party 2".to_owned(), culprits: vec![2] }),
            _ => Ok(Reply::None),
        }
    }
}

/// Can be computed on, but not downloaded.
struct Vault;

impl Object for Vault {
    fn kind(&self) -> &'static str {
        "vault"
    }

    fn data(&self) -> Option<Cow<'_, Value>> {
        Some(Cow::Owned(Value::Int(42)))
    }
}

/// Uses the bus when it is dropped.
#[derive(Default)]
struct Echoing {
    bus: OnceLock<std::sync::Weak<Bus>>,
    dropped: Arc<AtomicUsize>,
}

impl Object for Echoing {
    fn kind(&self) -> &'static str {
        "echoing"
    }
}

impl Drop for Echoing {
    fn drop(&mut self) {
        if let Some(bus) = self.bus.get().and_then(std::sync::Weak::upgrade) {
            bus.usage(&alice());
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A bus with its clock.
struct World {
    bus: Arc<Bus>,
    runtime: Arc<HandClock>,
    calls: Arc<AtomicUsize>,
}

impl World {
    fn new() -> Self {
        Self::with(Quotas::default(), Open)
    }

    fn with(quotas: Quotas, policy: impl Policy) -> Self {
        let calls = Arc::new(AtomicUsize::new(0));
        let toolbox = Arc::new(Toolbox { calls: calls.clone() });
        let registry = Registry::default().with("Toolbox", toolbox_description(), toolbox).unwrap();
        let runtime = Arc::new(HandClock::default());
        let mut drawn = 0_u128;
        let source = Box::new(move || {
            drawn += 1;
            drawn.to_be_bytes()
        });
        let bus = Arc::new(Bus::with_source(registry, Arc::new(policy), quotas, runtime.clone(), source));
        Self { bus, runtime, calls }
    }

    fn chain<const N: usize>(&self, principal: &Principal, steps: [Step; N]) -> Result<Response, Failure> {
        let request = Request::Chain(steps.into());
        self.bus.execute(principal, request).now_or_never().expect("nothing here waits")
    }

    /// The handle that a chain leaves.
    fn handle<const N: usize>(&self, principal: &Principal, steps: [Step; N]) -> Handle {
        match self.chain(principal, steps) {
            Ok(Response::Handle(handle)) => handle,
            other => panic!("a handle was expected, not {other:?}"),
        }
    }

    fn upload(&self, principal: &Principal, value: Value) -> Handle {
        self.handle(principal, [Step::Upload(value)])
    }

    /// The content that a chain downloads.
    fn content<const N: usize>(&self, principal: &Principal, steps: [Step; N]) -> Value {
        match self.chain(principal, steps) {
            Ok(Response::Object(object)) => object.content().expect("downloads have content").into_owned(),
            other => panic!("an object was expected, not {other:?}"),
        }
    }

    fn download(&self, principal: &Principal, handle: Handle) -> Result<Response, Failure> {
        self.chain(principal, [Step::Use(handle), Step::Download])
    }

    fn exists(&self, principal: &Principal, handle: Handle) -> bool {
        self.chain(principal, [Step::Use(handle)]).is_ok()
    }

    fn code<const N: usize>(&self, principal: &Principal, steps: [Step; N]) -> u16 {
        self.chain(principal, steps).expect_err("the chain fails").code
    }
}

fn toolbox_description() -> Description {
    Description::new([("namespace", "test"), ("protocol", "Toolbox")])
}

fn alice() -> Principal {
    Principal::new("alice")
}

fn bob() -> Principal {
    Principal::new("bob")
}

fn create() -> Step {
    Step::Create(BTreeMap::from([("protocol".to_owned(), Value::Text("Toolbox".to_owned()))]))
}

fn attribute(name: &str) -> Step {
    Step::Attribute(name.to_owned())
}

fn call<const N: usize>(args: [Value; N]) -> Step {
    Step::Call(Arguments { args: args.into(), kwargs: BTreeMap::new() })
}

fn call_named(name: &str, value: Value) -> Step {
    Step::Call(Arguments { args: Vec::new(), kwargs: BTreeMap::from([(name.to_owned(), value)]) })
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

#[test]
fn a_listing_is_the_registrys() {
    let world = World::new();
    let response = world.bus.execute(&alice(), Request::List).now_or_never().unwrap();
    assert!(matches!(response, Ok(Response::List(list)) if *list == [toolbox_description().to_value()]));
}

#[test]
fn the_classic_four_requests_work() {
    let world = World::new();
    let toolbox = world.handle(&alice(), [create()]);
    let echo = world.handle(&alice(), [Step::Use(toolbox), attribute("echo")]);
    let result = world.handle(&alice(), [Step::Use(echo), call([Value::Int(7)])]);
    assert_eq!(world.content(&alice(), [Step::Use(result), Step::Download]), Value::Int(7));
}

#[test]
fn a_chain_does_the_same_and_leaves_no_handles() {
    let world = World::new();
    let steps = [create(), attribute("echo"), call([Value::Int(7)]), Step::Download];
    assert_eq!(world.content(&alice(), steps), Value::Int(7));
    assert_eq!(world.bus.usage(&alice()), Usage::default());
}

#[test]
fn only_the_last_object_of_a_chain_is_granted() {
    let world = World::new();
    world.handle(&alice(), [create(), attribute("echo"), call([Value::Int(7)])]);
    assert_eq!(world.bus.usage(&alice()).handles, 1);
}

#[test]
fn using_a_handle_answers_the_same_handle() {
    let world = World::new();
    let upload = world.upload(&alice(), Value::Int(7));
    assert_eq!(world.handle(&alice(), [Step::Use(upload)]), upload);
    assert_eq!(world.bus.usage(&alice()).uploads, 1);
}

#[test]
fn requirements_that_nothing_meets_are_not_available() {
    let world = World::new();
    let step = Step::Create(BTreeMap::from([("protocol".to_owned(), text("Simon"))]));
    assert_eq!(world.chain(&alice(), [step]).unwrap_err(), Failure::new(404, "root object not available"));
}

#[test]
fn malformed_chains_are_refused_before_anything_is_done() {
    let world = World::with(Quotas { steps: 5, ..Quotas::default() }, Open);
    let upload = world.upload(&alice(), Value::Int(7));
    let before = world.bus.usage(&alice());
    let act = || [create(), attribute("nothing"), call([])];
    let malformed: Vec<(Vec<Step>, u16)> = vec![
        (vec![], 400),
        (vec![Step::Download], 400),
        (vec![Step::Release], 400),
        (vec![attribute("echo")], 400),
        (vec![call([])], 400),
        ([&act()[..], &[create()]].concat(), 400),
        ([&act()[..], &[Step::Upload(Value::Null)]].concat(), 400),
        ([&act()[..], &[Step::Use(upload)]].concat(), 400),
        ([&act()[..], &[Step::Release]].concat(), 400),
        ([&act()[..], &[Step::Download, Step::Download]].concat(), 400),
        ([&act()[..], &[attribute("")]].concat(), 400),
        ([&act()[..], &[attribute("_private")]].concat(), 403),
        ([&act()[..], &[attribute("a"), attribute("b"), attribute("c")]].concat(), 400),
        (vec![Step::Upload(Value::Null), Step::Release], 400),
        (vec![Step::Use(upload), Step::Release, Step::Release], 400),
        (vec![Step::Use(upload), Step::Release, Step::Download], 400),
        (vec![Step::Use(upload), attribute("echo"), Step::Release], 400),
    ];
    for (steps, code) in malformed {
        let told = format!("{steps:?}");
        let response = world.bus.execute(&alice(), Request::Chain(steps)).now_or_never().unwrap();
        assert_eq!(response.expect_err(&told).code, code, "{told}");
    }
    assert_eq!(world.calls.load(Ordering::Relaxed), 0);
    assert_eq!(world.bus.usage(&alice()), before);
}

#[test]
fn private_names_are_refused_by_name() {
    let failure = World::new().chain(&alice(), [create(), attribute("__class__")]).unwrap_err();
    assert_eq!(failure, Failure::new(403, "attribute not public: __class__"));
}

#[test]
fn foreign_handles_are_as_unknown_as_unknown_ones() {
    let world = World::new();
    let bobs = world.upload(&bob(), text("bob's"));
    let nobodys = Handle::from_random([0xee; 16]);
    let attempts = |handle| {
        [
            world.chain(&alice(), [Step::Use(handle)]),
            world.chain(&alice(), [Step::Use(handle), Step::Download]),
            world.chain(&alice(), [Step::Use(handle), Step::Release]),
            world.chain(&alice(), [Step::Use(handle), attribute("echo")]),
            world.chain(&alice(), [Step::Use(handle), call([])]),
            world.chain(&alice(), [Step::Upload(Value::Handle(handle))]),
            world.chain(&alice(), [create(), attribute("echo"), call([Value::Handle(handle)])]),
            world.chain(&alice(), [create(), attribute("echo"), call_named("x", Value::Handle(handle))]),
        ]
        .map(|attempt| attempt.expect_err("not alice's"))
    };
    let foreign = attempts(bobs);
    assert_eq!(foreign, attempts(nobodys));
    assert!(foreign.iter().all(|failure| failure.code == 404), "{foreign:?}");
    assert!(world.exists(&bob(), bobs));
}

#[test]
fn handles_stand_for_values_in_positional_and_named_arguments() {
    let world = World::new();
    let upload = world.upload(&alice(), text("data"));
    for step in [call([Value::Handle(upload)]), call_named("x", Value::Handle(upload))] {
        assert_eq!(world.content(&alice(), [create(), attribute("echo"), step, Step::Download]), text("data"));
    }
}

#[test]
fn handles_inside_of_lists_are_left_alone() {
    let world = World::new();
    let list = Value::List(vec![Value::Handle(world.upload(&alice(), text("data")))]);
    let steps = [create(), attribute("echo"), call([list.clone()]), Step::Download];
    assert_eq!(world.content(&alice(), steps), list);
}

#[test]
fn objects_without_content_stay_closed_wherever_they_are_passed() {
    let world = World::new();
    let vault = world.handle(&alice(), [create(), attribute("vault"), call([])]);
    let echoed = world.handle(&alice(), [create(), attribute("echo"), call([Value::Handle(vault)])]);
    let stored = world.upload(&alice(), Value::Handle(vault));
    for handle in [vault, echoed, stored] {
        assert_eq!(world.download(&alice(), handle).unwrap_err(), Failure::new(403, "a vault can't be downloaded"));
    }
}

#[test]
fn uploading_a_handle_keeps_the_object_after_the_handle() {
    let world = World::new();
    let first = world.upload(&alice(), text("data"));
    let second = world.upload(&alice(), Value::Handle(first));
    world.chain(&alice(), [Step::Use(first), Step::Release]).unwrap();
    assert_eq!(world.content(&alice(), [Step::Use(second), Step::Download]), text("data"));
}

#[test]
fn released_handle_is_unknown() {
    let world = World::new();
    let upload = world.upload(&alice(), Value::Int(7));
    assert!(matches!(world.chain(&alice(), [Step::Use(upload), Step::Release]), Ok(Response::None)));
    assert_eq!(world.code(&alice(), [Step::Use(upload), Step::Release]), 404);
    assert_eq!(world.bus.usage(&alice()), Usage::default());
}

#[test]
fn releasing_a_root_object_releases_the_handle_only() {
    let world = World::new();
    let alices = world.handle(&alice(), [create()]);
    let bobs = world.handle(&bob(), [create()]);
    world.chain(&alice(), [Step::Use(alices), Step::Release]).unwrap();
    assert!(world.exists(&bob(), bobs));
    world.handle(&alice(), [create()]);
}

#[test]
fn a_call_that_answers_nothing_leaves_no_handle() {
    let world = World::new();
    assert!(matches!(world.chain(&alice(), [create(), attribute("nothing"), call([])]), Ok(Response::None)));
    assert_eq!(world.bus.usage(&alice()), Usage::default());
}

#[test]
fn a_chain_cannot_go_on_from_nothing() {
    let world = World::new();
    for step in [Step::Download, attribute("echo"), call([])] {
        let failure = world.chain(&alice(), [create(), attribute("nothing"), call([]), step]).unwrap_err();
        assert_eq!(failure.code, 400);
        assert!(failure.message.starts_with("step 4: nothing to go on with"), "{failure}");
    }
}

#[test]
fn errors_of_objects_arrive_with_code_and_culprits() {
    let failure = World::new().chain(&alice(), [create(), attribute("fail"), call([])]).unwrap_err();
    let expected = Failure { code: 504, message: "no word from party 2".to_owned(), culprits: vec![2] };
    assert_eq!(failure, expected);
}

#[test]
fn a_panic_fails_its_request_and_nothing_else() {
    let world = World::new();
    let upload = world.upload(&alice(), Value::Int(7));
    let before = world.bus.usage(&alice());
    for steps in [vec![create(), attribute("panic"), call([])], vec![create(), attribute("hidden")]] {
        let response = world.bus.execute(&alice(), Request::Chain(steps)).now_or_never().unwrap();
        assert_eq!(response.unwrap_err(), Failure::new(500, "internal error"));
    }
    assert_eq!(world.bus.usage(&alice()), before);
    assert!(world.exists(&alice(), upload));
}

#[test]
fn calls_in_flight_are_counted_until_they_are_dropped() {
    let world = World::with(Quotas { calls: 2, ..Quotas::default() }, Open);
    let hang = || Request::Chain(vec![create(), attribute("hang"), call([text("data")])]);
    let mut context = Context::from_waker(Waker::noop());
    let principal = alice();
    let mut first = Box::pin(world.bus.execute(&principal, hang()));
    let mut second = Box::pin(world.bus.execute(&principal, hang()));
    assert!(first.as_mut().poll(&mut context).is_pending());
    assert!(second.as_mut().poll(&mut context).is_pending());
    assert_eq!(world.bus.usage(&principal).calls, 2);
    assert_eq!(world.code(&alice(), [create(), attribute("nothing"), call([])]), 429);
    assert!(world.chain(&bob(), [create(), attribute("nothing"), call([])]).is_ok());
    drop(first);
    assert!(world.chain(&alice(), [create(), attribute("nothing"), call([])]).is_ok());
    drop(second);
    assert_eq!(world.bus.usage(&principal), Usage::default());
}

#[test]
fn one_handle_passed_a_thousand_times_is_not_copied_a_thousand_times() {
    let world = World::with(Quotas { bytes: 100_000, ..Quotas::default() }, Open);
    let upload = world.upload(&alice(), text(&"x".repeat(1_000)));
    let call = |times| {
        let args = vec![Value::Handle(upload); times];
        Step::Call(Arguments { args, kwargs: BTreeMap::new() })
    };
    assert!(world.chain(&alice(), [create(), attribute("nothing"), call(10)]).is_ok());
    assert_eq!(world.code(&alice(), [create(), attribute("nothing"), call(1_000)]), 429);
    assert_eq!(world.calls.load(Ordering::Relaxed), 1);
    assert_eq!(world.bus.usage(&alice()).call_bytes, 0);
}

#[test]
fn unused_handles_end_with_their_lease() {
    let world = World::new();
    let upload = world.upload(&alice(), Value::Int(7));
    world.runtime.advance(LEASE);
    assert_eq!(world.code(&alice(), [Step::Use(upload)]), 404);
    assert_eq!(world.bus.usage(&alice()), Usage::default());
}

#[test]
fn use_renews_the_lease() {
    let world = World::new();
    let used = world.upload(&alice(), Value::Int(7));
    let passed = world.upload(&alice(), Value::Int(8));
    for _ in 0..3 {
        world.runtime.advance(Duration::from_mins(9));
        assert!(world.exists(&alice(), used));
        assert!(world.chain(&alice(), [create(), attribute("nothing"), call([Value::Handle(passed)])]).is_ok());
    }
}

#[test]
fn an_idle_node_gives_memory_back_when_it_sweeps() {
    let world = World::new();
    world.upload(&alice(), Value::Int(7));
    assert_eq!(world.bus.sweep(), Some(Time::START + LEASE));
    world.runtime.advance(LEASE);
    assert_eq!(world.bus.sweep(), None);
    assert_eq!(world.bus.usage(&alice()), Usage::default());
}

#[test]
fn a_client_that_never_releases_loses_what_it_used_longest_ago() {
    let world = World::with(Quotas { handles: 3, ..Quotas::default() }, Open);
    let upload = world.upload(&alice(), Value::Int(7));
    let handles = [(); 3].map(|()| world.handle(&alice(), [create()]));
    assert!(world.exists(&alice(), handles[0]));
    for _ in 0..2 {
        world.handle(&alice(), [create()]);
    }
    assert_eq!(handles.map(|handle| world.exists(&alice(), handle)), [true, false, false]);
    assert!(world.exists(&alice(), upload));
}

#[test]
fn uploads_beyond_the_quota_are_refused_until_one_is_released() {
    let world = World::with(Quotas { uploads: 2, ..Quotas::default() }, Open);
    let first = world.upload(&alice(), Value::Int(1));
    world.upload(&alice(), Value::Int(2));
    assert_eq!(world.code(&alice(), [Step::Upload(Value::Int(3))]), 429);
    world.upload(&bob(), Value::Int(3));
    world.chain(&alice(), [Step::Use(first), Step::Release]).unwrap();
    world.upload(&alice(), Value::Int(3));
}

#[test]
fn results_make_room_for_uploads_but_uploads_for_nobody() {
    let world = World::with(Quotas { bytes: 10_000, ..Quotas::default() }, Open);
    let large = || text(&"x".repeat(6_000));
    let result = world.handle(&alice(), [create(), attribute("echo"), call([large()])]);
    let upload = world.upload(&alice(), large());
    assert!(!world.exists(&alice(), result));
    assert_eq!(world.code(&alice(), [Step::Upload(large())]), 429);
    assert_eq!(world.code(&alice(), [create(), attribute("echo"), call([large()])]), 429);
    assert!(world.exists(&alice(), upload));
}

#[test]
fn one_principal_more_than_there_may_be_waits_for_another_to_leave() {
    let world = World::with(Quotas { principals: 1, ..Quotas::default() }, Open);
    let handle = world.handle(&alice(), [create()]);
    assert_eq!(world.code(&bob(), [create()]), 503);
    assert_eq!(world.code(&bob(), [create(), attribute("nothing"), call([])]), 503);
    world.chain(&alice(), [Step::Use(handle), Step::Release]).unwrap();
    world.handle(&bob(), [create()]);
    world.runtime.advance(LEASE);
    assert!(world.chain(&alice(), [create(), attribute("nothing"), call([])]).is_ok());
}

#[test]
fn objects_may_use_the_bus_while_they_are_dropped() {
    let echoing = Arc::new(Echoing::default());
    let dropped = echoing.dropped.clone();
    let quotas = Quotas { handles: 1, ..Quotas::default() };
    let world = World::with(quotas, Open);
    echoing.bus.set(Arc::downgrade(&world.bus)).unwrap();
    let offer = Offer { object: echoing, rights: Rights::ALL, kind: Kind::Result, bytes: 0 };
    world.bus.grants(|grants, now| grants.grant(now, &alice(), offer)).unwrap();
    world.handle(&alice(), [create()]);
    assert_eq!(dropped.load(Ordering::Relaxed), 1);
}

/// Gives out fewer rights.
struct Only(Rights);

impl Policy for Only {
    fn may_use(&self, _: &Principal, _: &Description) -> Result<Rights, Refusal> {
        Ok(self.0)
    }
}

#[test]
fn derived_grants_have_no_more_rights_than_their_origin() {
    let world = World::with(Quotas::default(), Only(Rights { download: false, release: false, ..Rights::ALL }));
    let derived = world.handle(&alice(), [create(), attribute("echo"), call([text("data")])]);
    let stored = world.upload(&alice(), Value::Handle(derived));
    for handle in [derived, stored] {
        assert_eq!(world.code(&alice(), [Step::Use(handle), Step::Download]), 403);
        assert_eq!(world.code(&alice(), [Step::Use(handle), Step::Release]), 403);
        assert_eq!(world.code(&alice(), [create(), attribute("echo"), call([Value::Handle(handle)])]), 403);
        assert!(world.exists(&alice(), handle));
    }
}

#[test]
fn calling_takes_the_right_to_call() {
    let world = World::with(Quotas::default(), Only(Rights { call: false, ..Rights::ALL }));
    assert_eq!(world.code(&alice(), [create(), attribute("nothing"), call([])]), 403);
    assert_eq!(world.calls.load(Ordering::Relaxed), 0);
}

#[test]
fn the_policy_decides_which_objects_are_found() {
    let denied = vec![BTreeMap::from([("namespace".to_owned(), "test".to_owned())])];
    let world = World::with(Quotas::default(), Rules { denied, ..Rules::default() });
    assert_eq!(world.code(&alice(), [create()]), 403);
}

#[test]
fn requests_can_be_served_on_any_thread() {
    fn on_any_thread<T: Send>(_: &T) {}
    let world = World::new();
    on_any_thread(&world.bus.execute(&alice(), Request::List));
}

#[test]
fn weights_grow_with_what_is_inside() {
    let word = size_of::<Value>();
    assert_eq!(weight(&Value::Null), word);
    assert_eq!(weight(&text("four")), word + 4);
    assert_eq!(weight(&Value::List(vec![text("four"), Value::Null])), 3 * word + 4);
    let map = Value::Map(BTreeMap::from([("key".to_owned(), text("four"))]));
    assert_eq!(weight(&map), 2 * word + 4 + 3 + size_of::<String>());
}
