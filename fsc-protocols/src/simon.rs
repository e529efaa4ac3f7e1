//! The service Simon: computes functions together with other nodes.
//!
//! * `compute(microprotocol, data, network, parameters, wait)` answers the result; with `wait=false` it answers a task at once.
//! * `create_task(microprotocol, network, parameters, task_id)` and `join_task(invitation, network)` answer a task, with
//!   `invite()`, `input(data)`, `start()`, `progress()`, `result()` (nothing, while there is none) and `cancel()`.
//!
//! `network` is `{"nodes": [address, …], "myself": place, "uuid": text}`; what `parameters` may be is for the function to say.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fsc_core::bus::Principal;
use fsc_core::methods;
use fsc_core::object::{Argument, Call, Object, ObjectError, Parameter, Reply};
use fsc_core::protocol::{ErasedProtocol, Prepared, Submission};
use fsc_core::registry::{Description, Environment};
use fsc_core::runs::{Network, Run};
use fsc_core::session::Phase;
use fsc_core::value::{Handle, Value};

use crate::services::shelf::{size, value_size};

/// The most pieces in which a task takes its input.
const MOST_INPUTS: usize = 4096;

/// The most bytes that the tasks of one client hold: their parameters, and the input that waits or that they were started
/// with, since a result takes about as much.
const MOST_HELD: usize = 1 << 30;

/// The service.
pub struct Simon {
    environment: Arc<Environment>,
    ledger: Arc<Ledger>,
}

/// What clients find the service by.
pub fn describe() -> Description {
    Description::new([("namespace", "federatedsecure"), ("protocol", "Simon"), ("version", "0.6.0")])
}

/// The service of one node.
pub fn build(environment: &Arc<Environment>) -> Arc<dyn Object> {
    Arc::new(Simon { environment: Arc::clone(environment), ledger: Arc::default() })
}

#[allow(clippy::needless_pass_by_value)] // a method that clients call owns its arguments
impl Simon {
    async fn compute(&self, call: Call) -> Result<Reply, ObjectError> {
        let mut bound = call.bind(["microprotocol", "data", "network", "parameters", "wait"])?;
        let function = bound.text("microprotocol")?;
        let data = bound.required("data")?;
        let network = Participation::read(bound.value("network")?)?;
        let parameters = bound.optional_value("parameters")?.unwrap_or_default();
        let wait = match bound.optional_value("wait")? {
            None => true,
            Some(Value::Bool(wait)) => wait,
            Some(_) => return Err(ObjectError::argument("wait", "must be true or false")),
        };
        let task = Task::new(self, bound.principal.clone(), &function, parameters, network, None)?;
        task.input(data)?;
        task.launch(&bound.principal).await?;
        if !wait {
            return Ok(Reply::Object(Arc::new(task)));
        }
        // A client that goes away wants no result any more, and its data is not to take part.
        let guard = CancelOnDrop(task.run()?);
        let outcome = guard.0.outcome().await;
        Ok(Reply::Value(outcome?))
    }

    fn create_task(&self, call: Call) -> Result<Arc<Task>, ObjectError> {
        let mut bound = call.bind(["microprotocol", "network", "parameters", "task_id", "parent"])?;
        let function = bound.text("microprotocol")?;
        let network = Participation::read(bound.value("network")?)?;
        let parameters = bound.optional_value("parameters")?.unwrap_or_default();
        let id: Option<String> = Parameter::take(&mut bound, "task_id")?;
        if bound.optional("parent").is_some() {
            return Err(ObjectError::argument("parent", "tasks have no parents here"));
        }
        let id = id.unwrap_or_else(|| Handle::from_random(fsc_core::clock::random()).to_string());
        Ok(Arc::new(Task::new(self, bound.principal, &function, parameters, network, Some(id))?))
    }

    fn join_task(&self, call: Call) -> Result<Arc<Task>, ObjectError> {
        let mut bound = call.bind(["invitation", "network"])?;
        let invitation = bound.value("invitation")?;
        let network = Participation::read(bound.value("network")?)?;
        let wrong = |why: &str| ObjectError::argument("invitation", why);
        let Value::Map(mut invitation) = invitation else {
            return Err(wrong("must be what a task's invite() answered"));
        };
        let (Some(Value::Text(id)), Some(Value::Text(function))) =
            (invitation.remove("task_id"), invitation.remove("microprotocol"))
        else {
            return Err(wrong("its task_id and its microprotocol must be texts"));
        };
        let parameters = invitation.remove("parameters").unwrap_or_default();
        Ok(Arc::new(Task::new(self, bound.principal, &function, parameters, network, Some(id))?))
    }
}

methods!(Simon, "Simon service", {
    async compute(..),
    create_task(..),
    join_task(..),
});

/// One party's part in a computation, before, during and after.
struct Task {
    environment: Arc<Environment>,
    owner: Principal,
    ledger: Arc<Ledger>,
    /// For the parameters.
    _charge: Charge,
    protocol: &'static dyn ErasedProtocol,
    parameters: Value,
    network: Network,
    state: Mutex<State>,
}

enum State {
    Collecting(Vec<(Argument, Charge)>),
    /// The input is being checked, and made what the protocol takes.
    Preparing,
    /// The run, and what its input counts for: that is about what the result takes, which the task holds from now on.
    Started {
        run: Run,
        _charge: Charge,
    },
}

/// How many bytes the tasks of each client hold.
#[derive(Default)]
struct Ledger(Mutex<HashMap<Principal, usize>>);

impl Ledger {
    fn charge(self: &Arc<Self>, owner: &Principal, bytes: usize) -> Result<Charge, ObjectError> {
        let mut held = self.lock();
        let of_owner = held.entry(owner.clone()).or_default();
        if bytes > MOST_HELD - *of_owner {
            let what = format!("your tasks may hold {MOST_HELD} bytes, input and parameters; release some");
            return Err(ObjectError::Limit { what });
        }
        *of_owner += bytes;
        Ok(Charge { ledger: Arc::clone(self), owner: owner.clone(), bytes })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Principal, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What something in a task counts for; dropping it gives that back.
struct Charge {
    ledger: Arc<Ledger>,
    owner: Principal,
    bytes: usize,
}

impl Drop for Charge {
    fn drop(&mut self) {
        let mut held = self.ledger.lock();
        if let Some(of_owner) = held.get_mut(&self.owner) {
            *of_owner -= self.bytes;
        }
        held.retain(|_, of_owner| *of_owner > 0);
    }
}

/// Ends a run that nobody waits for any more; one that has ended does not mind.
struct CancelOnDrop(Run);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

impl Task {
    /// A task; `id` names the rendezvous of a task that was created explicitly, the network's uuid that of a computation.
    fn new(
        simon: &Simon,
        owner: Principal,
        function: &str,
        parameters: Value,
        network: Participation,
        id: Option<String>,
    ) -> Result<Self, ObjectError> {
        let environment = &simon.environment;
        let Some(protocol) = environment.protocols.find(function) else {
            let known = environment.protocols.names();
            return Err(ObjectError::NotFound { what: format!("no function {function:?}; this node has {known}") });
        };
        let uuid = match id {
            Some(id) => id,
            None => network.uuid.ok_or_else(|| ObjectError::argument("network", "it lacks a uuid"))?,
        };
        let network = Network { nodes: network.nodes, myself: network.myself, uuid };
        let state = Mutex::new(State::Collecting(Vec::new()));
        let (environment, ledger) = (Arc::clone(environment), Arc::clone(&simon.ledger));
        let charge = ledger.charge(&owner, value_size(&parameters))?;
        Ok(Self { environment, owner, ledger, _charge: charge, protocol, parameters, network, state })
    }

    /// What other parties need to join.
    fn invite(&self) -> Value {
        let parameters = match &self.parameters {
            Value::Null => Value::Map(BTreeMap::new()),
            given => given.clone(),
        };
        Value::map([
            ("task_id", Value::Text(self.network.uuid.clone())),
            ("microprotocol", Value::Text(self.protocol.name().to_owned())),
            ("invitation_id", Value::Null),
            ("parameters", parameters),
            ("parent", Value::Null),
        ])
    }

    /// Takes a piece of input; several pieces count as one list.
    fn input(&self, data: Argument) -> Result<(), ObjectError> {
        match &mut *self.state() {
            State::Collecting(pieces) if pieces.len() >= MOST_INPUTS => {
                Err(ObjectError::Limit { what: format!("a task takes at most {MOST_INPUTS} inputs") })
            }
            State::Collecting(pieces) => {
                let charge = self.ledger.charge(&self.owner, size(&data))?;
                pieces.push((data, charge));
                Ok(())
            }
            State::Preparing | State::Started { .. } => Err(started_already()),
        }
    }

    async fn start(&self, call: Call) -> Result<(), ObjectError> {
        let principal = call.bind([])?.principal;
        self.launch(&principal).await
    }

    /// Checks everything and starts the run. After an argument error the task can be given its input again.
    async fn launch(&self, principal: &Principal) -> Result<(), ObjectError> {
        let parties = self.network.nodes.len();
        self.environment.policy.may_compute(principal, self.protocol.name(), parties)?;
        let pieces = match std::mem::replace(&mut *self.state(), State::Preparing) {
            State::Collecting(pieces) => pieces,
            other => {
                *self.state() = other;
                return Err(started_already());
            }
        };
        let _until_started = Preparing(self);
        // What counted as it came counts anew, as what it is: a data source's data, too, and not the source.
        let data = joined(pieces.into_iter().map(|(piece, _)| piece).collect())?;
        let size = value_size(&data);
        let charge = self.ledger.charge(&self.owner, size)?;
        let submission = Submission { data, parameters: self.parameters.clone(), parties, me: self.network.myself };
        let prepared = self.prepare(submission, size).await?;
        self.environment.policy.may_rely_on(principal, prepared.setup)?;
        let run = self.environment.runs.start(principal, prepared, self.network.clone())?;
        *self.state() = State::Started { run, _charge: charge };
        Ok(())
    }

    /// Makes the input what the protocol takes; a large one where that holds up no mail.
    async fn prepare(&self, submission: Submission, size: usize) -> Result<Prepared, ObjectError> {
        let protocol = self.protocol;
        if size < HEAVY {
            return protocol.prepare(submission);
        }
        let slot = Arc::new(Mutex::new(None));
        let result = Arc::clone(&slot);
        let work = move || {
            *result.lock().unwrap_or_else(PoisonError::into_inner) = Some(protocol.prepare(submission));
        };
        self.environment.runtime.offload(Box::new(work)).await;
        let prepared = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        prepared.unwrap_or_else(|| Err(ObjectError::Internal { why: "the input could not be prepared".to_owned() }))
    }

    fn progress(&self) -> Value {
        let Ok(run) = self.run() else {
            return Value::map([("phase", Value::Text("collecting".to_owned()))]);
        };
        let progress = run.progress();
        let phase = match progress.phase {
            Phase::Joining => "joining",
            Phase::Running => "running",
            Phase::Ended => "ended",
        };
        Value::map([
            ("phase", Value::Text(phase.to_owned())),
            ("waiting_for", Value::List(progress.waiting_for.into_iter().map(Value::from).collect())),
            ("sent_bytes", Value::from(progress.sent.bytes)),
            ("expected_bytes", Value::from(progress.expected.bytes)),
        ])
    }

    /// Nothing, before the start as well as while the run is under way.
    fn result(&self) -> Result<Option<Value>, ObjectError> {
        let Ok(run) = self.run() else { return Ok(None) };
        match run.try_outcome() {
            None => Ok(None),
            Some(Ok(value)) => Ok(Some(value.clone())),
            Some(Err(error)) => Err(error.clone().into()),
        }
    }

    fn cancel(&self) -> Result<(), ObjectError> {
        self.run()?.cancel();
        Ok(())
    }

    fn run(&self) -> Result<Run, ObjectError> {
        match &*self.state() {
            State::Started { run, .. } => Ok(run.clone()),
            _ => Err(ObjectError::conflict("the task was not started yet")),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// From this size on, in bytes, input is prepared off the I/O threads.
const HEAVY: usize = 1 << 18;

fn started_already() -> ObjectError {
    ObjectError::conflict("the task was started already")
}

/// Gives a task back for other input, unless its run has started by then.
struct Preparing<'a>(&'a Task);

impl Drop for Preparing<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        if matches!(*state, State::Preparing) {
            *state = State::Collecting(Vec::new());
        }
    }
}

methods!(Task, "task", {
    invite(),
    input(data),
    async start(..),
    progress(),
    result(),
    cancel(),
});

/// `network`, as clients write it; the uuid may be absent where a task's id takes its place.
struct Participation {
    nodes: Vec<fsc_core::transport::Address>,
    myself: usize,
    uuid: Option<String>,
}

impl Participation {
    fn read(network: Value) -> Result<Self, ObjectError> {
        let wrong = |why: &str| ObjectError::argument("network", why);
        let Value::Map(mut entries) = network else { return Err(wrong("must be a map of nodes, myself and uuid")) };
        let Some(Value::List(nodes)) = entries.remove("nodes") else {
            return Err(wrong("its nodes must be a list of two addresses or more"));
        };
        let address = |(place, node)| match node {
            Value::Text(text) => text.parse().map_err(|error| wrong(&format!("node {place}: {error}"))),
            _ => Err(wrong(&format!("node {place} is no text"))),
        };
        let myself = entries.get("myself").and_then(Value::as_usize);
        let uuid = match entries.remove("uuid") {
            None | Some(Value::Null) => None,
            Some(Value::Text(uuid)) => Some(uuid),
            Some(_) => return Err(wrong("its uuid must be a text")),
        };
        Ok(Self {
            nodes: nodes.into_iter().enumerate().map(address).collect::<Result<_, _>>()?,
            myself: myself.ok_or_else(|| wrong("its myself must be a place, from 0"))?,
            uuid,
        })
    }
}

/// The pieces of a task's input as one: a single one as it is, several as one list of all their items.
fn joined(pieces: Vec<Argument>) -> Result<Value, ObjectError> {
    let mut data = pieces.into_iter().map(|piece| piece.into_data("data")).collect::<Result<Vec<_>, _>>()?;
    if data.len() == 1
        && let Some(only) = data.pop()
    {
        return Ok(only);
    }
    let mut items = Vec::new();
    for piece in data {
        match piece {
            Value::List(list) => items.extend(list),
            Value::Array(array) => items.extend(array.items()),
            single => items.push(single),
        }
    }
    Ok(Value::List(items))
}
