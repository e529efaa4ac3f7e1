//! The suite that every [`Transport`] must pass, and [`transport_conformance!`](crate::transport_conformance), which
//! turns it into tests.
//!
//! A claim takes a [`Stage`], on which listeners come and go, and answers what it found instead of panicking. All its
//! waits end: with what it waits for, or after [`PATIENCE`].

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::{Either, join_all, select};

use crate::bus::{Failure, Principal, Request, Response, Step};
use crate::clock::Runtime;
use crate::object::Stored;
use crate::transport::{Address, Answer, Batch, Handler, Life, Origin, Transport, TransportError};
use crate::value::{self, Arguments, Array, Handle, Value, cbor, json};

/// How long a claim waits for anything.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How many requests and batches are under way at once in the claims about many.
const MANY: u8 = 100;

/// The bytes of what is large.
const LARGE: usize = 10_000_000;

/// How a transport broke a claim.
pub type Broken = String;

/// Where a transport is put to the test.
#[async_trait]
pub trait Stage: Sync {
    /// The transport.
    fn transport(&self) -> &dyn Transport;

    /// Its surroundings, for the deadlines.
    fn runtime(&self) -> &dyn Runtime;

    /// Starts a listener that serves `handler`: at a free address, or at the one where another was stopped.
    async fn start(&self, at: Option<&Address>, handler: Arc<dyn Handler>) -> Address;

    /// Stops the listener at `address` with all its connections, as if its process had died.
    async fn stop(&self, address: &Address);
}

/// Turns the suite into tests: `transport_conformance!(#[tokio::test] MyStage::new());`
///
/// The attribute makes a test of an `async fn`; the stage is made anew for each.
#[macro_export]
macro_rules! transport_conformance {
    (#[$test:meta] $stage:expr) => {
        $crate::transport_conformance!(@claims #[$test] $stage,
            requests_are_answered
            values_survive_exactly
            failures_come_through
            large_values_come_through
            many_requests_find_their_answers
            a_slow_request_holds_up_nobody
            mail_arrives_as_it_was_sent
            much_mail_arrives_once_each
            refused_mail_says_why
            mail_to_a_stopped_node_fails
            a_node_that_dies_is_lost
            a_node_that_came_back_is_another
        );
    };
    (@claims #[$test:meta] $stage:expr, $($claim:ident)*) => {
        $(
            #[$test]
            async fn $claim() {
                $crate::conformance::$claim(&$stage).await.unwrap();
            }
        )*
    };
}

/// Every kind of request reaches the handler as it was asked, and its answer comes back.
pub async fn requests_are_answered(stage: &dyn Stage) -> Result<(), Broken> {
    let scene = Scene::new(stage).await;
    let list = scene.request(Request::List).await?;
    expect("the list", &list, &Ok(Answer::List(descriptions())))?;
    let handle = Answer::Handle(HANDLE);
    for (steps, answer) in [
        (vec![create()], handle.clone()),
        (vec![Step::Upload("text".into())], handle.clone()),
        (vec![Step::Use(HANDLE), attribute("add")], handle.clone()),
        (vec![Step::Use(HANDLE), attribute("ümläut / ?&#%")], handle.clone()),
        (vec![Step::Use(HANDLE), call()], handle.clone()),
        (vec![create(), attribute("add"), call()], handle),
        (vec![Step::Use(HANDLE), Step::Download], Answer::Object(CONTENT.into())),
        (vec![create(), attribute("add"), call(), Step::Download], Answer::Object(CONTENT.into())),
        (vec![Step::Use(HANDLE), Step::Release], Answer::None),
    ] {
        let got = scene.request(Request::Chain(steps.clone())).await?;
        expect("the answer", &got, &Ok(answer))?;
        expect("the request", &scene.node.last_asked(), &Some(Request::Chain(steps)))?;
    }
    Ok(())
}

/// What is uploaded, passed and downloaded is the same at both ends, to the last bit.
pub async fn values_survive_exactly(stage: &dyn Stage) -> Result<(), Broken> {
    let scene = Scene::new(stage).await;
    for value in values() {
        let round_trip = vec![Step::Upload(value.clone()), Step::Download];
        let arguments = Arguments { args: vec![value.clone()], kwargs: [("x".to_owned(), value.clone())].into() };
        for steps in [round_trip, vec![Step::Upload(value.clone())], vec![Step::Use(HANDLE), Step::Call(arguments)]] {
            let answer = scene.request(Request::Chain(steps.clone())).await?;
            if let Ok(Answer::Object(object)) = &answer {
                same("downloaded", object, &value)?;
            }
            answer.map_err(|error| error.to_string())?;
            let Some(Request::Chain(asked)) = scene.node.last_asked() else { return Err("nothing came".to_owned()) };
            expect("the number of steps", &asked.len(), &steps.len())?;
            for (asked, sent) in carried(&asked).into_iter().zip(carried(&steps)) {
                same("sent", asked, sent)?;
            }
        }
    }
    Ok(())
}

/// A handler's failure comes back as it is: code, message and culprits.
pub async fn failures_come_through(stage: &dyn Stage) -> Result<(), Broken> {
    let scene = Scene::new(stage).await;
    for steps in [vec![Step::Use(HANDLE), attribute("fail")], vec![create(), attribute("fail")]] {
        let expected = TransportError::Refused { to: scene.at.clone(), failure: failure() };
        expect("the failure", &scene.request(Request::Chain(steps)).await?, &Err(expected))?;
    }
    let answer = scene.request(Request::Chain(vec![create()])).await?;
    expect("the answer after a failure", &answer, &Ok(Answer::Handle(HANDLE)))
}

/// Ten megabytes go up and come down again.
pub async fn large_values_come_through(stage: &dyn Stage) -> Result<(), Broken> {
    let scene = Scene::new(stage).await;
    let numbers = (0..LARGE / 8).map(|number| number as f64 / 3.0).collect();
    let array = Value::Array(Array::from_f64(numbers).map_err(|error| error.to_string())?);
    let answer = scene.request(Request::Chain(vec![Step::Upload(array.clone()), Step::Download])).await?;
    match answer.map_err(|error| error.to_string())? {
        Answer::Object(object) => same("downloaded", &object, &array),
        _ => Err("the array did not come back".to_owned()),
    }
}

/// A hundred requests at once each get their own answer.
pub async fn many_requests_find_their_answers(stage: &dyn Stage) -> Result<(), Broken> {
    let scene = Scene::new(stage).await;
    let requests = (0..MANY).map(|number| {
        let value = Value::from(u64::from(number));
        let request = Request::Chain(vec![Step::Upload(value.clone()), Step::Download]);
        let answer = scene.request(request);
        async move { expect("the answer", &answer.await?, &Ok(Answer::Object(value))) }
    });
    join_all(requests).await.into_iter().collect()
}

/// While requests wait in their handler, others are answered, and mail arrives.
pub async fn a_slow_request_holds_up_nobody(stage: &dyn Stage) -> Result<(), Broken> {
    let scene = Scene::new(stage).await;
    let slow = join_all((0..8).map(|_| scene.request(Request::Chain(vec![create(), attribute("wait")]))));
    let others = async {
        scene.within("the slow requests to arrive", scene.node.waiting.until(8)).await?;
        expect("the answer", &scene.request(Request::Chain(vec![create()])).await?, &Ok(Answer::Handle(HANDLE)))?;
        expect("the life", &scene.deliver(&[b"mail"]).await?, &Ok(LIFE))?;
        scene.node.gate.raise(1);
        Ok::<_, Broken>(())
    };
    let (slow, others) = futures_util::future::join(slow, others).await;
    others?;
    slow.into_iter().try_for_each(|answer| expect("the slow answer", &answer?, &Ok(Answer::Handle(HANDLE))))
}

/// Mail is delivered to the byte: nothing, a little, much, and in several pieces.
pub async fn mail_arrives_as_it_was_sent(stage: &dyn Stage) -> Result<(), Broken> {
    let scene = Scene::new(stage).await;
    let large: Vec<u8> = (0..LARGE).map(|index| (index * 31 % 251) as u8).collect();
    let (head, tail) = large.split_at(LARGE / 3);
    let batches: [&[&[u8]]; 6] =
        [&[], &[b""], &[b"\x00\xff\r\n\r\n"], &[b"a", b"", b"bc"], &[&large], &[head, b"", tail]];
    for pieces in batches {
        expect("the life", &scene.deliver(pieces).await?, &Ok(LIFE))?;
        let arrived = scene.node.mail().pop().ok_or("no mail came")?;
        if arrived != pieces.concat() {
            return Err(format!("{} pieces arrived as other bytes", pieces.len()));
        }
    }
    Ok(())
}

/// A hundred batches at once all arrive, none of them twice.
pub async fn much_mail_arrives_once_each(stage: &dyn Stage) -> Result<(), Broken> {
    let scene = Scene::new(stage).await;
    let batches: Vec<Bytes> = (0..MANY).map(|number| vec![number; 9].into()).collect();
    let deliveries = join_all(batches.iter().map(|batch| async { scene.deliver(&[batch]).await })).await;
    deliveries.into_iter().try_for_each(|life| expect("the life", &life?, &Ok(LIFE)))?;
    let mut arrived = scene.node.mail();
    arrived.sort_unstable();
    if arrived == batches { Ok(()) } else { Err("other mail arrived than was sent".to_owned()) }
}

/// Mail that the handler refuses is an error with the handler's words.
pub async fn refused_mail_says_why(stage: &dyn Stage) -> Result<(), Broken> {
    let scene = Scene::new(stage).await;
    let expected = TransportError::Refused { to: scene.at.clone(), failure: failure() };
    expect("the delivery", &scene.deliver(&[REFUSED]).await?, &Err(expected))
}

/// Mail and requests to a node that has stopped are errors that a sender may try again after.
pub async fn mail_to_a_stopped_node_fails(stage: &dyn Stage) -> Result<(), Broken> {
    let scene = Scene::new(stage).await;
    expect("the life", &scene.deliver(&[]).await?, &Ok(LIFE))?;
    stage.stop(&scene.at).await;
    is_gone(scene.deliver(&[b"mail"]).await?.err())?;
    is_gone(scene.request(Request::Chain(vec![create()])).await?.err())
}

/// Whoever watches a node learns of its death, and not before.
pub async fn a_node_that_dies_is_lost(stage: &dyn Stage) -> Result<(), Broken> {
    let scene = Scene::new(stage).await;
    expect("the life", &scene.deliver(&[]).await?, &Ok(LIFE))?;
    let mut lost = pin!(stage.transport().lost(&scene.at, LIFE));
    match select(&mut lost, pin!(scene.deliver(&[b"mail"]))).await {
        Either::Left((error, _)) => return Err(format!("it lives, but: {error}")),
        Either::Right((life, _)) => expect("the life", &life?, &Ok(LIFE))?,
    }
    stage.stop(&scene.at).await;
    is_gone(Some(scene.within("the loss", lost).await?))
}

/// A node at the same address in another life is told from the one that was there.
pub async fn a_node_that_came_back_is_another(stage: &dyn Stage) -> Result<(), Broken> {
    let scene = Scene::new(stage).await;
    expect("the life", &scene.deliver(&[]).await?, &Ok(LIFE))?;
    stage.stop(&scene.at).await;
    let next = Life([2; 16]);
    let successor = Arc::new(Echo::new(next));
    stage.start(Some(&scene.at), successor).await;
    expect("the next life", &scene.deliver_patiently(b"mail").await?, &Ok(next))?;
    let lost = scene.within("the loss", stage.transport().lost(&scene.at, LIFE)).await?;
    expect("the loss", &lost, &TransportError::Restarted { to: scene.at.clone() })
}

const LIFE: Life = Life([1; 16]);
const HANDLE: Handle = Handle::from_random([7; 16]);
const CONTENT: &str = "content";
const REFUSED: &[u8] = b"refuse this";

/// A node, and the way to it.
struct Scene<'a> {
    stage: &'a dyn Stage,
    node: Arc<Echo>,
    at: Address,
}

impl<'a> Scene<'a> {
    async fn new(stage: &'a dyn Stage) -> Self {
        let node = Arc::new(Echo::new(LIFE));
        let at = stage.start(None, Arc::clone(&node) as _).await;
        Self { stage, node, at }
    }

    async fn request(&self, request: Request) -> Result<Result<Answer, TransportError>, Broken> {
        self.within("an answer", self.stage.transport().request(&self.at, request)).await
    }

    async fn deliver(&self, pieces: &[&[u8]]) -> Result<Result<Life, TransportError>, Broken> {
        let pieces = pieces.iter().map(|piece| Bytes::copy_from_slice(piece)).collect();
        self.within("a delivery", self.stage.transport().deliver(&self.at, Batch { pieces })).await
    }

    /// Delivers as a node does: a connection that died unnoticed may cost an attempt or two, and no more.
    async fn deliver_patiently(&self, mail: &[u8]) -> Result<Result<Life, TransportError>, Broken> {
        for _ in 0..3 {
            match self.deliver(&[mail]).await? {
                Err(error) if error.is_passing() => {}
                settled => return Ok(settled),
            }
        }
        self.deliver(&[mail]).await
    }

    async fn within<T>(&self, what: &str, wait: impl Future<Output = T>) -> Result<T, Broken> {
        let runtime = self.stage.runtime();
        match select(pin!(wait), runtime.sleep_until(runtime.now() + PATIENCE)).await {
            Either::Left((result, _)) => Ok(result),
            Either::Right(_) => Err(format!("waited {PATIENCE:?} for {what}")),
        }
    }
}

/// A handler that notes what comes, and answers by simple rules.
struct Echo {
    life: Life,
    asked: Mutex<Option<Request>>,
    mail: Mutex<Vec<Bytes>>,
    /// How many requests wait for the gate.
    waiting: Level,
    gate: Level,
}

impl Echo {
    fn new(life: Life) -> Self {
        let (asked, mail, waiting, gate) = Default::default();
        Self { life, asked, mail, waiting, gate }
    }

    fn last_asked(&self) -> Option<Request> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn mail(&self) -> Vec<Bytes> {
        std::mem::take(&mut *self.mail.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl Handler for Echo {
    async fn request(&self, _: &Principal, request: Request) -> Result<Response, Failure> {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = Some(request.clone());
        let Request::Chain(mut steps) = request else { return Ok(Response::List(self.list())) };
        match steps.pop() {
            Some(Step::Attribute(name)) if name == "fail" => return Err(failure()),
            Some(Step::Attribute(name)) if name == "wait" => {
                self.waiting.raise(1);
                self.gate.until(1).await;
            }
            Some(Step::Release) => return Ok(Response::None),
            Some(Step::Download) => {
                let content = match steps.pop() {
                    Some(Step::Upload(value)) => value,
                    _ => CONTENT.into(),
                };
                return Ok(Response::Object(Arc::new(Stored(content))));
            }
            _ => {}
        }
        Ok(Response::Handle(HANDLE))
    }

    fn mail(&self, _: Origin, batch: Bytes) -> Result<Life, Failure> {
        if batch == REFUSED {
            return Err(failure());
        }
        self.mail.lock().unwrap_or_else(PoisonError::into_inner).push(batch);
        Ok(self.life)
    }

    fn life(&self) -> Result<Life, Failure> {
        Ok(self.life)
    }

    fn list(&self) -> Arc<Vec<Value>> {
        Arc::new(descriptions())
    }
}

/// A number that rises, and those who wait for it to be high enough.
#[derive(Default)]
struct Level(Mutex<(usize, Vec<Waker>)>);

impl Level {
    fn raise(&self, by: usize) {
        let mut level = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        level.0 += by;
        level.1.drain(..).for_each(Waker::wake);
    }

    async fn until(&self, height: usize) {
        poll_fn(|context| {
            let mut level = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if level.0 >= height {
                return Poll::Ready(());
            }
            level.1.push(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

fn descriptions() -> Vec<Value> {
    vec![Value::map([("microservice", "Echo")]), Value::map([("microservice", "Änother")])]
}

fn create() -> Step {
    Step::Create(BTreeMap::from([("microservice".to_owned(), "Echo".into())]))
}

fn attribute(name: &str) -> Step {
    Step::Attribute(name.to_owned())
}

fn call() -> Step {
    let kwargs = [("by".to_owned(), Value::Int(2)), ("of".to_owned(), Value::Handle(HANDLE))];
    Step::Call(Arguments { args: vec!["one".into(), Value::Null], kwargs: kwargs.into() })
}

fn failure() -> Failure {
    Failure { code: 409, message: "party 2 asked for \"something else\": ü".to_owned(), culprits: vec![2, 5] }
}

/// Values that are easily damaged.
fn values() -> Vec<Value> {
    let mut values = vec![
        Value::Null,
        Value::Bool(true),
        Value::Int(i128::MIN),
        Value::Int((1 << 53) + 1),
        Value::Int(i128::MAX),
        Value::Uint(u128::MAX),
        Value::Text(String::new()),
        Value::Text("\u{0}\"\\\n\u{7f} ü \u{1f600}".to_owned()),
        Value::Bytes((0..=255).collect()),
        Value::List(vec![Value::Null, "text".into(), Value::List(vec![true.into(), Value::List(Vec::new())])]),
        Value::map([("", Value::Null), ("ü\"", Value::map([("nested", Value::Float(0.1))]))]),
        Value::Array(Array::from_i64(vec![i64::MIN, 0, i64::MAX])),
    ];
    let floats = [0.1, -0.0, 2.0, 5e-324, f64::MIN_POSITIVE, 1e23, f64::MAX, -1.0 / 3.0];
    values.extend(floats.map(Value::Float));
    values.extend(Array::from_f64(floats.to_vec()).map(Value::Array));
    values.extend(json::parse(b"[1.5, 2, 9007199254740993, 0.1]", &value::Limits::default()));
    values
}

/// The values that steps carry.
fn carried(steps: &[Step]) -> Vec<&Value> {
    let values = steps.iter().map(|step| match step {
        Step::Upload(value) => vec![value],
        Step::Call(arguments) => arguments.args.iter().chain(arguments.kwargs.values()).collect(),
        _ => Vec::new(),
    });
    values.flatten().collect()
}

/// Whether two values are the same to the bit; `==` takes zero and minus zero for equal.
fn same(what: &str, got: &Value, expected: &Value) -> Result<(), Broken> {
    if got == expected && cbor::to_vec(got) == cbor::to_vec(expected) {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&json::to_vec(expected)).chars().take(60).collect::<String>();
    Err(format!("{what}, {text} came as another value"))
}

fn expect<T: PartialEq + std::fmt::Debug>(what: &str, got: &T, expected: &T) -> Result<(), Broken> {
    if got == expected { Ok(()) } else { Err(format!("{what}: expected {expected:?}, got {got:?}")) }
}

fn is_gone(error: Option<TransportError>) -> Result<(), Broken> {
    match error {
        Some(TransportError::Unreachable { .. } | TransportError::Broken { .. }) => Ok(()),
        other => Err(format!("expected the node to be unreachable, got {other:?}")),
    }
}
