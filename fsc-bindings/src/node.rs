//! Embedded nodes.

use std::ffi::c_char;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fsc_core::bus::Principal;
use fsc_core::object::Object as _;
use fsc_core::registry::Description;
use fsc_core::transport::Address;
use fsc_core::value as core;
use fsc_node::{Config, Running, Setup, StartError};
#[cfg(feature = "serial")]
use fsc_transport::serial::{LineConfig, SerialTransport};
use tokio::sync::{oneshot, watch};

use crate::client::Client;
use crate::entry::{Duty, duty, enter, may_wait};
use crate::fault::{Error, Fault};
use crate::handles::{HANDLES, Kind};
use crate::input::{self, Out};
use crate::library::{Library, Name, library};
use crate::service::{Served, Service};
use crate::status::Status;
#[cfg(feature = "serial")]
use crate::stream::Stream;
use crate::value::Value;
use crate::wait::{PATIENCE, Patience, Wait};

/// How long stopping takes, at most, unless the caller says otherwise.
const STOPPING: Duration = Duration::from_secs(30);

/// A node in this process. The caller frees it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Node {
    /// Zero is no node.
    id: u64,
}

/// How a configuration is written.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// As the file of `fsc serve`.
    Toml = 0,
    /// The same in JSON.
    Json = 1,
}

/// What a [`Node`] names.
struct Held {
    library: Arc<Library>,
    /// The node's own, and nobody else's until both this and the node are gone.
    name: Arc<Name>,
    address: Address,
    config: Config,
    #[cfg(feature = "serial")]
    lines: Arc<SerialTransport>,
    state: Mutex<State>,
}

type Offers = Vec<(String, Description, Arc<Served>)>;

enum State {
    /// Not yet started, with what it will offer.
    New(Offers),
    /// In between.
    Starting,
    Running(Started),
    Stopped,
}

struct Started {
    addresses: Vec<String>,
    id: Option<String>,
    /// Dropped or told, the node stops.
    stop: Option<oneshot::Sender<()>>,
    /// Its sender is dropped when the node has stopped.
    stopped: watch::Receiver<()>,
}

impl Kind for Held {
    const TAG: u8 = 7;
    const NAME: &'static str = "node";
}

impl Held {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the node offers, once.
    fn take_offers(&self) -> Result<Offers, Fault> {
        let mut state = self.state();
        match std::mem::replace(&mut *state, State::Starting) {
            State::New(offers) => Ok(offers),
            other => {
                let why = match &other {
                    State::Stopped => "has been stopped",
                    State::Starting | State::New(_) => "is being started",
                    State::Running(_) => "runs already",
                };
                *state = other;
                Err(Fault::new(Status::Stopped, format!("the node {} {why}: a node starts once", &**self.name)))
            }
        }
    }

    /// Starts the node, and leaves it to itself.
    async fn start(&self, offers: Offers) -> Result<Started, Fault> {
        let setup = Setup::new().hub(self.library.hub(), &self.name);
        #[cfg(feature = "serial")]
        let setup = setup.lines(Arc::clone(&self.lines));
        let setup = offers
            .into_iter()
            .fold(setup, |setup, (name, description, object)| setup.object(&name, description, object));
        let running = Running::start(&self.config, setup).await.map_err(|error| unstarted(&error))?;
        let addresses = running.addresses().iter().map(ToString::to_string).collect();
        let id = running.id().map(|id| id.to_string());
        let ((stop, stopping), (ended, stopped)) = (oneshot::channel(), watch::channel(()));
        let (library, name) = (Arc::clone(&self.library), Arc::clone(&self.name));
        self.library.spawn(async move {
            let closing = Arc::clone(&library);
            let stopping = async move {
                tokio::select! {
                    // An error means that nobody has the node any more.
                    _ = stopping => {}
                    () = closing.closing() => {}
                }
            };
            running.run(stopping).await;
            drop(name);
            drop(ended);
        });
        Ok(Started { addresses, id, stop: Some(stop), stopped })
    }

    fn started<T>(&self, read: impl FnOnce(&Started) -> T) -> Result<T, Fault> {
        let why = match &*self.state() {
            State::Running(started) => return Ok(read(started)),
            State::New(_) | State::Starting => "has not been started",
            State::Stopped => "has been stopped",
        };
        Err(Fault::new(Status::Stopped, format!("the node {} {why}", &**self.name)))
    }
}

/// An error with what caused it.
fn told(error: &dyn std::error::Error) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        message = format!("{message}: {error}");
        cause = error.source();
    }
    message
}

fn unstarted(error: &StartError) -> Fault {
    let status = match error {
        StartError::Listen { .. } => Status::Unreachable,
        #[cfg(feature = "serial")]
        StartError::Line(_) => Status::Unreachable,
        _ => Status::InvalidArgument,
    };
    Fault::new(status, format!("the node does not start: {}", told(error)))
}

/// A node with a configuration: that of `fsc serve`, in TOML or JSON (an `fsc_format`), of `length` bytes, or ending with NUL if
/// `length` is `FSC_TERMINATED`; null is an empty one. Paths in it are relative to `folder`, or to the working directory where that is null. Other nodes and clients of this
/// process reach it at `local:NAME`; where `name` is null, it gets one, and a name is taken until the node was freed and has stopped. It listens elsewhere
/// only if its configuration says so. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsc_node_new(
    name: *const c_char,
    config: *const c_char,
    length: usize,
    format: i32,
    folder: *const c_char,
    node: *mut Node,
    error: *mut Error,
) -> Status {
    // SAFETY: Our own contract.
    unsafe {
        enter(error, || {
            let out = Out::new(node, "node")?;
            let name = input::optional_text(name, "name")?;
            let text = if config.is_null() { "" } else { input::sized_text(config, length, "config")? };
            let folder = Path::new(input::optional_text(folder, "folder")?.unwrap_or("."));
            let config = parse(text, format, folder)?;
            let library = library()?;
            let name = Arc::new(take_name(&library, name)?);
            let address = format!("local:{}", &**name).parse();
            let address = address.map_err(|why| Fault::argument("name", format!("can't be used: {why}")))?;
            let held = Held {
                library,
                name,
                address,
                config,
                #[cfg(feature = "serial")]
                lines: Arc::new(SerialTransport::new(LineConfig::default()).only_opened()),
                state: Mutex::new(State::New(Vec::new())),
            };
            out.put(Node { id: HANDLES.insert(Arc::new(held))? });
            Ok(())
        })
    }
}

fn parse(text: &str, format: i32, folder: &Path) -> Result<Config, Fault> {
    let is_json = format == Format::Json as i32;
    if !is_json && format != Format::Toml as i32 {
        return Err(Fault::argument("format", "must be FSC_FORMAT_TOML or FSC_FORMAT_JSON"));
    }
    let config = match text.trim() {
        "" => Ok(Config::default()),
        _ if is_json => Config::from_json(text, folder),
        _ => Config::from_toml(text, folder),
    };
    config.map_err(|error| Fault::new(Status::InvalidArgument, told(&error)))
}

/// The name that is wanted, or one that nobody has.
fn take_name(library: &Arc<Library>, name: Option<&str>) -> Result<Name, Fault> {
    static NODES: AtomicUsize = AtomicUsize::new(1);
    loop {
        let free = name.map_or_else(|| format!("node-{}", NODES.fetch_add(1, Ordering::Relaxed)), str::to_owned);
        if let Some(name) = Name::take(library, &free) {
            return Ok(name);
        }
        if let Some(taken) = name {
            return Err(Fault::argument("name", format!("is {taken:?}, as another node of this process is called")));
        }
    }
}

/// Lets the node offer an object of this program to its clients, who find it by its description: a map, as
/// `{"namespace": "example", "microservice": "Patients"}`. `name` is for listings. The structure is copied. Before the node is started. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsc_node_offer(
    node: Node,
    name: *const c_char,
    description: Value,
    service: *const Service,
    error: *mut Error,
) -> Status {
    // SAFETY: Our own contract.
    unsafe {
        enter(error, || {
            let held = HANDLES.get::<Held>(node.id)?;
            let name = input::text(name, "name")?.to_owned();
            let core::Value::Map(entries) = description.get()? else {
                return Err(Fault::argument("description", "must be a map"));
            };
            let description = entries
                .into_iter()
                .fold(Description::default(), |description, (key, value)| description.with(&key, value));
            let mut state = held.state();
            let State::New(offers) = &mut *state else {
                return Err(Fault::new(Status::Stopped, "objects are offered before the node is started"));
            };
            let taken = offers.iter().any(|(other, theirs, _)| *other == name || *theirs == description);
            if taken {
                return Err(Fault::argument("description", "or name is that of another object of the node"));
            }
            let served = Served::read(service)?;
            tracing::debug!("the node offers a {}", served.kind());
            offers.push((name, description, Arc::new(served)));
            Ok(())
        })
    }
}

/// Takes a stream of bytes for a line of the node, at the address `serial:NAME`, by which its peers at the other end are named. Requests that
/// come from there are made as the client `principal`, or refused if that is null. The structure is copied. `destroy` is
/// not called if this fails. Before or after the node was started. Any thread.
#[cfg(feature = "serial")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsc_node_attach(
    node: Node,
    name: *const c_char,
    stream: *const Stream,
    principal: *const c_char,
    error: *mut Error,
) -> Status {
    // SAFETY: Our own contract.
    unsafe {
        enter(error, || {
            let held = HANDLES.get::<Held>(node.id)?;
            let (name, stream) = (input::text(name, "name")?, Stream::read(stream)?);
            let principal = input::optional_text(principal, "principal")?.map(Principal::new);
            if matches!(*held.state(), State::Stopped) {
                return Err(Fault::new(Status::Stopped, format!("the node {} has been stopped", &**held.name)));
            }
            let config = LineConfig { principal, ..LineConfig::default() };
            stream.attach(&held.library, &held.lines, name, config)?;
            Ok(())
        })
    }
}

/// Takes the line of that name from the node, and closes its stream. What is pending there fails. Nothing happens if there is none. Any thread.
#[cfg(feature = "serial")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsc_node_detach(node: Node, name: *const c_char, error: *mut Error) -> Status {
    // SAFETY: Our own contract.
    unsafe {
        enter(error, || {
            let held = HANDLES.get::<Held>(node.id)?;
            let address = format!("serial:{}", input::text(name, "name")?).parse();
            held.lines.close(&address.map_err(|why| Fault::argument("name", format!("can't be used: {why}")))?);
            Ok(())
        })
    }
}

/// Starts the node: it listens, opens its lines, and serves, until it is stopped or freed. If this fails, it may be tried again. Any thread; waits
/// until the node can be reached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsc_node_start(node: Node, wait: *const Wait, error: *mut Error) -> Status {
    // SAFETY: Our own contract.
    unsafe {
        enter(error, || {
            may_wait()?;
            let (held, patience) = (HANDLES.get::<Held>(node.id)?, Patience::of(wait)?);
            let offers = held.take_offers()?;
            let outcome = held.library.block_on(&patience, held.start(offers.clone()));
            let (state, outcome) = match outcome {
                Ok(started) => (State::Running(started), Ok(())),
                Err(fault) => (State::New(offers), Err(fault)),
            };
            *held.state() = state;
            outcome
        })
    }
}

/// What there is to know of a running node: the map `{"addresses": ["http://127.0.0.1:8001", "local:NAME"], "id": …}`, whose id is `null` if
/// the node has no key. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsc_node_describe(node: Node, description: *mut Value, error: *mut Error) -> Status {
    // SAFETY: Our own contract.
    unsafe {
        enter(error, || {
            let out = Out::new(description, "description")?;
            let held = HANDLES.get::<Held>(node.id)?;
            let (addresses, id) = held.started(|started| (started.addresses.clone(), started.id.clone()))?;
            let addresses: Vec<core::Value> = addresses.into_iter().map(core::Value::from).collect();
            let id = id.map_or(core::Value::Null, core::Value::from);
            out.put(Value::keep(core::Value::map([("addresses", core::Value::from(addresses)), ("id", id)]))?);
            Ok(())
        })
    }
}

/// A client of the node, without a way between. The node knows it as `principal`, or as `local` if that is null. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsc_node_client(
    node: Node,
    principal: *const c_char,
    client: *mut Client,
    error: *mut Error,
) -> Status {
    // SAFETY: Our own contract.
    unsafe {
        enter(error, || {
            let out = Out::new(client, "client")?;
            let held = HANDLES.get::<Held>(node.id)?;
            let principal = input::optional_text(principal, "principal")?.unwrap_or("local");
            held.started(|_| ())?;
            let hub = held.library.hub().acting_as(Principal::new(principal));
            out.put(Client::keep(&held.library, hub, held.address.clone())?);
            Ok(())
        })
    }
}

/// Stops the node: its clients get errors that say so, its peers are told, its lines are closed, and then it is gone. Calls of objects that
/// this program serves may still run. Nothing happens to one that does not run. Any thread, but not from a call that the node serves; waits
/// until it has stopped, half a minute at most unless `wait` says otherwise.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsc_node_stop(node: Node, wait: *const Wait, error: *mut Error) -> Status {
    // SAFETY: Our own contract.
    unsafe {
        enter(error, || {
            let (held, mut patience) = (HANDLES.get::<Held>(node.id)?, Patience::of(wait)?);
            if duty() == Duty::Node {
                return Err(Fault::new(Status::WouldBlock, "a node can't be stopped by a call that a node serves"));
            }
            may_wait()?;
            if patience.deadline == PATIENCE {
                patience.deadline = STOPPING;
            }
            let mut stopped = match &mut *held.state() {
                State::Running(started) => {
                    drop(started.stop.take());
                    started.stopped.clone()
                }
                State::Starting => return Err(Fault::new(Status::Stopped, "the node is being started")),
                State::New(_) | State::Stopped => return Ok(()),
            };
            // It ends with an error, when the sender is dropped; also when the library ends.
            let ended = held.library.handle().block_on(async {
                tokio::select! {
                    _ = stopped.changed() => Ok(()),
                    () = patience.cancelled() => Err(Fault::new(Status::Cancelled, "the node goes on stopping")),
                    () = tokio::time::sleep(patience.deadline) => Err(patience.is_over()),
                }
            });
            ended?;
            *held.state() = State::Stopped;
            Ok(())
        })
    }
}

/// Frees a node; one that runs stops, without waiting for that. Nothing happens to the null node. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn fsc_node_free(node: Node) -> Status {
    crate::entry::guarded_free::<Held>(node.id)
}
