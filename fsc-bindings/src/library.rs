//! The library's own state: threads, the nodes of this process, and its end.

#[cfg(feature = "node")]
use std::collections::BTreeSet;
use std::ffi::c_char;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::available_parallelism;
use std::time::Duration;

use fsc_core::representation::ApiError;
use fsc_transport::Hub;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::watch;

use crate::entry::{enter, may_wait, prepare_process};
use crate::fault::{Error, Fault};
use crate::handles::HANDLES;
use crate::status::Status;
use crate::wait::Patience;

/// The version of this interface. It grows when a program that was compiled with an older header would not work any more.
pub const ABI_VERSION: u32 = 1;

/// What the names of the library's threads begin with.
pub(crate) const THREADS: &str = "fsc";

/// How long the library takes to end, at most, beyond what its nodes need.
const END: Duration = Duration::from_secs(5);

/// What runs as long as anything of the library is in use.
pub(crate) struct Library {
    handle: Handle,
    /// Taken out at the end.
    runtime: Mutex<Option<Runtime>>,
    /// The nodes of this process, by name.
    hub: Hub,
    #[cfg(feature = "node")]
    names: Mutex<BTreeSet<String>>,
    /// True once the library ends.
    closing: watch::Sender<bool>,
    /// What has not yet told its callback; each holds a receiver.
    pending: watch::Sender<()>,
}

static LIBRARY: Mutex<Option<Arc<Library>>> = Mutex::new(None);

fn current() -> MutexGuard<'static, Option<Arc<Library>>> {
    LIBRARY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The library, started if it does not run.
pub(crate) fn library() -> Result<Arc<Library>, Fault> {
    let mut current = current();
    if let Some(library) = &*current {
        return Ok(Arc::clone(library));
    }
    prepare_process();
    let library = Arc::new(Library::start()?);
    *current = Some(Arc::clone(&library));
    Ok(library)
}

impl Library {
    fn start() -> Result<Self, Fault> {
        // As many threads as half of the cores serve connections; what takes long runs on others.
        let threads = available_parallelism().map_or(1, |cores| cores.get().div_ceil(2));
        let mut builder = Builder::new_multi_thread();
        let runtime = builder.worker_threads(threads).thread_name(THREADS).enable_all().build();
        let why = |error| Fault::new(Status::Internal, format!("the library can't start its threads: {error}"));
        let runtime = runtime.map_err(why)?;
        Ok(Self {
            handle: runtime.handle().clone(),
            runtime: Mutex::new(Some(runtime)),
            hub: Hub::new(),
            #[cfg(feature = "node")]
            names: Mutex::default(),
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

    /// Keeps a name for a node, if it is free.
    #[cfg(feature = "node")]
    pub(crate) fn claim(&self, name: &str) -> bool {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned())
    }

    /// Gives a name back.
    #[cfg(feature = "node")]
    pub(crate) fn unclaim(&self, name: &str) {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
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
        may_wait()?;
        self.handle.block_on(self.bounded(patience, work))
    }

    /// The same, as a future.
    pub(crate) async fn bounded<T>(
        &self,
        patience: &Patience,
        work: impl Future<Output = Result<T, ApiError>>,
    ) -> Result<T, Fault> {
        tokio::select! {
            biased;
            outcome = work => Ok(outcome?),
            () = patience.cancelled() => Err(Fault::new(Status::Cancelled, "the call was cancelled")),
            () = self.closing() => Err(stopped()),
            () = tokio::time::sleep(patience.deadline) => Err(patience.is_over()),
        }
    }

    /// Does `work` beside everything else, and lets the library wait for its end before it ends itself.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let pending = self.pending.subscribe();
        self.handle.spawn(async move {
            work.await;
            drop(pending);
        });
    }

    fn end(&self) {
        self.closing.send_replace(true);
        let runtime = self.runtime.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(runtime) = runtime else { return };
        let ended = async { tokio::time::timeout(END, self.pending.closed()).await };
        // Whoever does not end in time is cut short.
        let _ = runtime.block_on(ended);
        runtime.shutdown_timeout(END);
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
    crate::entry::guard(|| {
        count = HANDLES.count();
        Ok(())
    });
    count
}

/// Stops all nodes, ends all calls (`FSC_STATUS_STOPPED`), ends the library's threads and frees all handles; not needed before a program
/// exits. Waits until that is done, about ten seconds at most. The library can be used again afterwards. Not from a callback, nor while
/// another thread is in it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsc_shutdown(error: *mut Error) -> Status {
    // SAFETY: Our own contract.
    unsafe {
        enter(error, || {
            may_wait()?;
            if Handle::try_current().is_ok() {
                return Err(Fault::new(Status::WouldBlock, "fsc_shutdown can't be called from a callback"));
            }
            let Some(library) = current().take() else { return Ok(()) };
            library.end();
            HANDLES.clear();
            Ok(())
        })
    }
}
