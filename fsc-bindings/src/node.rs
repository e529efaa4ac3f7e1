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
use fsc_node::{Config, Running, Setup};
#[cfg(feature = "serial")]
use fsc_transport::serial::{LineConfig, SerialTransport};
use tokio::sync::{oneshot, watch};

use crate::client::Client;
use crate::entry::{enter, may_wait};
use crate::fault::{Error, Fault};
use crate::handles::{HANDLES, Kind};
use crate::input::{self, Out};
use crate::library::{Library, library};
use crate::service::{Served, Service};
use crate::status::Status;
#[cfg(feature = "serial")]
use crate::stream::Stream;
use crate::value::Value;
use crate::wait::{Patience, Wait};

/// How long stopping takes, at most, beyond what the node gives its peers and clients.
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
    name: String,
    address: Address,
    config: Config,
    #[cfg(feature = "serial")]
    lines: Arc<SerialTransport>,
    state: Mutex<State>,
}

enum State {
    /// Not yet started, with what it will offer.
    New(Vec<(String, Description, Arc<Served>)>),
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

impl Drop for Held {
    fn drop(&mut self) {
        // The name is free again when the node has stopped, if it runs.
        if !matches!(*self.state(), State::Running(_)) {
            self.library.unclaim(&self.name);
        }
    }
}

impl Held {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the node offers, once.
    fn take_offers(&self) -> Result<Vec<(String, Description, Arc<Served>)>, Fault> {
        let mut state = self.state();
        match std::mem::replace(&mut *state, State::Starting) {
            State::New(offers) => Ok(offers),
            other => {
                let why = if matches!(other, State::Stopped) { "has been stopped" } else { "runs already" };
                *state = other;
                Err(Fault::new(Status::Stopped, format!("the node {} {why}: a node starts once", self.name)))
            }
        }
    }

    /// Starts the node, and leaves it to itself.
    async fn start(&self, offers: Vec<(String, Description, Arc<Served>)>) -> Result<Started, Fault> {
        let setup = Setup::new().hub(self.library.hub(), &self.name);
        #[cfg(feature = "serial")]
        let setup = setup.lines(Arc::clone(&self.lines));
        let setup = offers
            .into_iter()
            .fold(setup, |setup, (name, description, object)| setup.object(&name, description, object));
        let running = Running::start(&self.config, setup).await.map_err(|error| told(&error))?;
        let addresses = running.addresses().iter().map(ToString::to_string).collect();
        let id = running.id().map(|id| id.to_string());
        let ((stop, stopping), (ended, stopped)) = (oneshot::channel(), watch::channel(()));
        let (library, name) = (Arc::clone(&self.library), self.name.clone());
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
            library.unclaim(&name);
            drop(ended);
        });
        Ok(Started { addresses, id, stop: Some(stop), stopped })
    }

    fn started<T>(&self, read: impl FnOnce(&Started) -> T) -> Result<T, Fault> {
        match &*self.state() {
            State::Running(started) => Ok(read(started)),
            State::New(_) | State::Starting => {
                Err(Fault::new(Status::Stopped, format!("the node {} has not been started", self.name)))
            }
            State::Stopped => Err(Fault::new(Status::Stopped, format!("the node {} has been stopped", self.name))),
        }
    }
}

/// An error with what caused it.
fn told(error: &dyn std::error::Error) -> Fault {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        message = format!("{message}: {error}");
        cause = error.source();
    }
    Fault::argument("config", format!("does not work here: {message}"))
}

/// A node with a configuration: that of `fsc serve`, in TOML or JSON, of `length` bytes, or ending with NUL if `length` is
/// `FSC_TERMINATED`; null is an empty one. Paths in it are relative to the working directory. Other nodes and clients of this process reach
/// it at `local:NAME`; where `name` is null, it gets one. It listens elsewhere only if its configuration says so. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsc_node_new(
    name: *const c_char,
    config: *const c_char,
    length: usize,
    format: i32,
    node: *mut Node,
    error: *mut Error,
) -> Status {
    // SAFETY: Our own contract.
    unsafe {
        enter(error, || {
            let out = Out::new(node, "node")?;
            let name = input::optional_text(name, "name")?;
            let text = if config.is_null() { "" } else { input::sized_text(config, length, "config")? };
            let config = parse(text, format)?;
            let library = library()?;
            let name = claim(&library, name)?;
            let address = format!("local:{name}").parse();
            let address = address.map_err(|why| {
                library.unclaim(&name);
                Fault::argument("name", format!("can't be used: {why}"))
            })?;
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

fn parse(text: &str, format: i32) -> Result<Config, Fault> {
    let folder = Path::new(".");
    if format == Format::Toml as i32 {
        return Config::from_toml(text, folder).map_err(|error| told(&error));
    }
    if format != Format::Json as i32 {
        return Err(Fault::argument("format", "must be FSC_FORMAT_TOML or FSC_FORMAT_JSON"));
    }
    if text.trim().is_empty() {
        return Ok(Config::default());
    }
    Config::from_json(text, folder).map_err(|error| told(&error))
}

/// Keeps the name that is wanted, or one that nobody has.
fn claim(library: &Library, name: Option<&str>) -> Result<String, Fault> {
    static NODES: AtomicUsize = AtomicUsize::new(1);
    loop {
        let free = name.map_or_else(|| format!("node-{}", NODES.fetch_add(1, Ordering::Relaxed)), str::to_owned);
        if library.claim(&free) {
            return Ok(free);
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
                return Err(Fault::new(Status::Stopped, format!("the node {} has been stopped", held.name)));
            }
            let config = LineConfig { principal, ..LineConfig::default() };
            stream.attach(&held.library, &held.lines, name, config)?;
            Ok(())
        })
    }
}

/// Starts the node: it listens, opens its lines, and serves, until it is stopped or freed. Any thread; waits until it can be reached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsc_node_start(node: Node, error: *mut Error) -> Status {
    // SAFETY: Our own contract.
    unsafe {
        enter(error, || {
            may_wait()?;
            let held = HANDLES.get::<Held>(node.id)?;
            let offers = held.take_offers()?;
            let outcome = held.library.handle().block_on(held.start(offers));
            let (state, outcome) = match outcome {
                Ok(started) => (State::Running(started), Ok(())),
                Err(fault) => (State::Stopped, Err(fault)),
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

/// Stops the node: its clients get errors that say so, its peers are told, and then it is gone. Nothing happens to one that does not
/// run. Any thread; waits until it has stopped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsc_node_stop(node: Node, wait: *const Wait, error: *mut Error) -> Status {
    // SAFETY: Our own contract.
    unsafe {
        enter(error, || {
            may_wait()?;
            let (held, patience) = (HANDLES.get::<Held>(node.id)?, Patience::of(wait)?);
            let mut stopped = {
                let mut state = held.state();
                match &mut *state {
                    State::Running(started) => {
                        drop(started.stop.take());
                        started.stopped.clone()
                    }
                    State::Starting => return Err(Fault::new(Status::Stopped, "the node is being started")),
                    State::New(_) | State::Stopped => {
                        *state = State::Stopped;
                        return Ok(());
                    }
                }
            };
            let deadline = patience.deadline.min(STOPPING);
            let ended = held.library.handle().block_on(async {
                // It ends with an error, when the sender is dropped.
                tokio::time::timeout(deadline, stopped.changed()).await
            });
            ended
                .map_err(|_| Fault::new(Status::TimedOut, format!("the node {} takes long to stop", held.name)))?
                .unwrap_or_default();
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
