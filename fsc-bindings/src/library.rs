//! The library's own state: threads, the nodes of this process, and its end.

#[cfg(feature = "node")]
use std::collections::BTreeSet;
use std::ffi::c_char;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::available_parallelism;
use std::time::Duration;

use fsc_core::clock::{BoxFuture, Time};
use fsc_core::representation::ApiError;
use fsc_transport::{Hub, TokioRuntime};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::{Semaphore, watch};

use crate::entry::{Duty, duty, enlist, enter, guard, may_wait};
use crate::fault::{Error, Fault};
use crate::handles::HANDLES;
use crate::status::Status;
use crate::wait::Patience;

/// The version of this interface. It grows when a program that was compiled with an older header would not work any more.
pub const ABI_VERSION: u32 = 1;

/// What the library's threads are called.
pub(crate) const THREADS: &str = "fsc";

/// How long what is under way may take when the library ends.
const END: Duration = Duration::from_secs(5);

/// Callbacks of one kind at a time: they take threads that computations need, too, of which there are 512.
pub(crate) const CALLBACKS: usize = 128;

/// What runs as long as anything of the library is in use.
pub(crate) struct Library {
    handle: Handle,
    /// Taken out at the end.
    runtime: Mutex<Option<Runtime>>,
    /// The nodes of this process, by name.
    hub: Hub,
    #[cfg(feature = "node")]
    names: Mutex<BTreeSet<String>>,
    /// Room for callbacks that hear of the end of a call.
    pub(crate) tellers: Semaphore,
    /// Room for calls of objects that the program serves.
    #[cfg(feature = "node")]
    pub(crate) servers: Arc<Semaphore>,
    /// True once the library ends.
    closing: watch::Sender<bool>,
    /// What is not yet done; each holds a receiver.
    pending: watch::Sender<()>,
}

/// What has to end before the library does.
pub(crate) type Pending = watch::Receiver<()>;

enum State {
    None,
    Running(Arc<Library>),
    Ending,
}

static STATE: Mutex<State> = Mutex::new(State::None);

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The library, started if it does not run.
pub(crate) fn library() -> Result<Arc<Library>, Fault> {
    let mut state = state();
    match &*state {
        State::Running(library) => Ok(Arc::clone(library)),
        State::Ending => Err(stopped()),
        State::None => {
            let library = Arc::new(Library::start()?);
            *state = State::Running(Arc::clone(&library));
            Ok(library)
        }
    }
}

impl Library {
    fn start() -> Result<Self, Fault> {
        // As many threads as half of the cores serve connections; what takes long runs on others.
        let threads = available_parallelism().map_or(1, |cores| cores.get().div_ceil(2));
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(threads).thread_name(THREADS).on_thread_start(enlist).enable_all();
        let why = |error| Fault::new(Status::Limit, format!("the library can't start its threads: {error}"));
        let runtime = builder.build().map_err(why)?;
        Ok(Self {
            handle: runtime.handle().clone(),
            runtime: Mutex::new(Some(runtime)),
            hub: Hub::new(),
            #[cfg(feature = "node")]
            names: Mutex::default(),
            tellers: Semaphore::new(CALLBACKS),
            #[cfg(feature = "node")]
            servers: Arc::new(Semaphore::new(CALLBACKS)),
            closing: watch::Sender::new(false),
            pending: watch::Sender::new(()),
        })
    }

    /// Where its tasks run.
    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// The nodes of this process.
    pub(crate) fn hub(&self) -> &Hub {
        &self.hub
    }

    /// Completes when the library ends.
    pub(crate) async fn closing(&self) {
        let mut closing = self.closing.subscribe();
        // An error would mean that the library is gone.
        let _ = closing.wait_for(|closing| *closing).await;
    }

    /// Waits for what a node answers, on this thread, with that patience.
    pub(crate) fn wait<T>(
        &self,
        patience: &Patience,
        work: impl Future<Output = Result<T, ApiError>>,
    ) -> Result<T, Fault> {
        self.block_on(patience, async { Ok(work.await?) })
    }

    /// Waits for any work, on this thread, with that patience.
    pub(crate) fn block_on<T>(
        &self,
        patience: &Patience,
        work: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        may_wait()?;
        self.handle.block_on(self.bounded(patience, work))
    }

    /// Does work until it is done, or patience is at its end.
    pub(crate) async fn bounded<T>(
        &self,
        patience: &Patience,
        work: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        tokio::select! {
            biased;
            outcome = work => outcome,
            () = patience.cancelled() => Err(Fault::new(Status::Cancelled, "the call was cancelled")),
            () = self.closing() => Err(stopped()),
            () = tokio::time::sleep(patience.deadline) => Err(patience.is_over()),
        }
    }

    /// Something that the library waits for before it ends, as long as it is held.
    pub(crate) fn pending(&self) -> Pending {
        self.pending.subscribe()
    }

    /// Does `work` beside everything else, and lets the library wait for its end before it ends itself.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let pending = self.pending();
        self.handle.spawn(async move {
            work.await;
            drop(pending);
        });
    }

    /// Ends everything; what does not end in time is left behind, and that is an error.
    fn end(&self) -> Result<(), Fault> {
        self.closing.send_replace(true);
        // Nodes, lines and objects on other nodes go with their handles; the latter are released there.
        HANDLES.clear();
        let runtime = self.runtime.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(runtime) = runtime else { return Ok(()) };
        let ended = runtime.block_on(async { tokio::time::timeout(END, self.pending.closed()).await });
        runtime.shutdown_timeout(END);
        // Callbacks that heard of the end may have got something.
        HANDLES.clear();
        ended.map_err(|_| {
            let why = format!("after {} s, callbacks or streams of this program have not come back", END.as_secs());
            Fault::new(Status::TimedOut, why)
        })
    }
}

/// A node's name within the process, until this is dropped.
#[cfg(feature = "node")]
pub(crate) struct Name {
    library: Arc<Library>,
    name: String,
}

#[cfg(feature = "node")]
impl Name {
    /// Takes a name, if it is free.
    pub(crate) fn take(library: &Arc<Library>, name: &str) -> Option<Self> {
        let mut names = library.names.lock().unwrap_or_else(PoisonError::into_inner);
        let is_free = names.insert(name.to_owned());
        is_free.then(|| Self { library: Arc::clone(library), name: name.to_owned() })
    }
}

#[cfg(feature = "node")]
impl std::ops::Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        &self.name
    }
}

#[cfg(feature = "node")]
impl Drop for Name {
    fn drop(&mut self) {
        self.library.names.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.name);
    }
}

/// The surroundings of clients: what they spawn, above all releases of objects, ends before the library does.
pub(crate) struct Surroundings {
    library: Arc<Library>,
    runtime: TokioRuntime,
}

impl Surroundings {
    pub(crate) fn new(library: &Arc<Library>) -> Self {
        let _context = library.handle().enter();
        Self { library: Arc::clone(library), runtime: TokioRuntime::new() }
    }
}

impl fsc_core::clock::Runtime for Surroundings {
    fn now(&self) -> Time {
        self.runtime.now()
    }

    fn sleep_until(&self, at: Time) -> BoxFuture<()> {
        self.runtime.sleep_until(at)
    }

    fn spawn(&self, task: BoxFuture<()>) {
        self.library.spawn(task);
    }

    fn offload(&self, work: Box<dyn FnOnce() + Send>) -> BoxFuture<()> {
        self.runtime.offload(work)
    }
}

/// Why nothing is done any more.
pub(crate) fn stopped() -> Fault {
    Fault::new(Status::Stopped, "the library was stopped by fsc_shutdown")
}

/// The version of the interface that this library has. A program that was compiled with another `FSC_ABI_VERSION` must not use it. Any
/// thread, at any time.
#[unsafe(no_mangle)]
pub extern "C" fn fsc_abi_version() -> u32 {
    ABI_VERSION
}

/// The release of this library, as "0.1.0": a static text that ends with NUL. Any thread, at any time.
#[unsafe(no_mangle)]
pub extern "C" fn fsc_version() -> *const c_char {
    const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
    VERSION.as_ptr().cast()
}

/// How many handles this program has and has not freed: for tests that look for leaks. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn fsc_handles() -> usize {
    let mut count = 0;
    guard(|| {
        count = HANDLES.count();
        Ok(())
    });
    count
}

/// Stops all nodes, ends all calls (`FSC_STATUS_STOPPED`), frees all handles, with which pointers into values end, too, and ends the
/// library's threads; not needed before a program exits. Any thread but those of the library; waits until all callbacks have come back
/// and all streams are closed, or fails after some seconds (`FSC_STATUS_TIMED_OUT`) and leaves those behind. Meanwhile, other functions fail.
/// The library can be used again afterwards, also if this has failed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsc_shutdown(error: *mut Error) -> Status {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    // SAFETY: Our own contract.
    unsafe {
        enter(error, || {
            if duty() != Duty::None {
                return Err(Fault::new(Status::WouldBlock, "fsc_shutdown can't be called from a callback"));
            }
            let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
            let State::Running(library) = std::mem::replace(&mut *state(), State::Ending) else {
                *state() = State::None;
                HANDLES.clear();
                return Ok(());
            };
            let ended = library.end();
            *state() = State::None;
            ended
        })
    }
}
