//! The way in: what every function of the library does before and after its own work.

use std::any::Any;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::fault::{Error, Fault};
use crate::handles::{HANDLES, Kind};
use crate::status::Status;

/// Whether this process is a child that was forked while the library ran. Its threads are not there, and its locks may be held by them.
static FORKED: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// How deep this thread is in the library: what panics there is nobody's to read.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    /// Whether this thread serves connections, in a callback that must not wait.
    static MUST_NOT_WAIT: Cell<bool> = const { Cell::new(false) };
}

/// Does the work of a function that may fail, and puts its fault, if any, where the caller wants it.
///
/// # Safety
/// `error` is null, or may be written.
pub(crate) unsafe fn enter(error: *mut Error, work: impl FnOnce() -> Result<(), Fault>) -> Status {
    let fault = run(work);
    let status = fault.as_ref().map_or(Status::Ok, |fault| fault.status);
    if !error.is_null() {
        // In a forked process the table may be locked for ever.
        let kept = fault.filter(|_| status != Status::Forked).map(Fault::keep).unwrap_or_default();
        // SAFETY: It is not null, and the caller says that it may be written.
        unsafe { error.write(kept) };
    }
    status
}

/// Does the work of a function that has nowhere to put a fault.
pub(crate) fn guard(work: impl FnOnce() -> Result<(), Fault>) -> Status {
    run(work).map_or(Status::Ok, |fault| fault.status)
}

/// Frees a handle.
pub(crate) fn guarded_free<T: Kind>(handle: u64) -> Status {
    guard(|| HANDLES.remove::<T>(handle).map(|_| ()))
}

fn run(work: impl FnOnce() -> Result<(), Fault>) -> Option<Fault> {
    if FORKED.load(Ordering::Relaxed) {
        return Some(Fault::new(Status::Forked, String::new()));
    }
    let outer = DEPTH.with(|depth| depth.replace(depth.get() + 1));
    let outcome = catch_unwind(AssertUnwindSafe(work));
    DEPTH.set(outer);
    outcome.unwrap_or_else(|panic| Err(of_panic(panic))).err()
}

/// The text of a panic may hold anything, so it goes nowhere.
fn of_panic(_: Box<dyn Any + Send>) -> Fault {
    Fault::new(Status::Internal, "internal error of the library: its log says where")
}

/// Marks this thread as one that must not wait, as long as `work` takes.
#[cfg(feature = "node")]
pub(crate) fn without_waiting<T>(work: impl FnOnce() -> T) -> T {
    let before = MUST_NOT_WAIT.replace(true);
    let done = catch_unwind(AssertUnwindSafe(work));
    MUST_NOT_WAIT.set(before);
    done.unwrap_or_else(|panic| panic::resume_unwind(panic))
}

/// Refuses to wait where that would hold up others.
pub(crate) fn may_wait() -> Result<(), Fault> {
    if MUST_NOT_WAIT.get() {
        let why = "functions that wait can't be called from `attribute` or `destroy`: call them from `call`, or from another thread";
        return Err(Fault::new(Status::WouldBlock, why));
    }
    Ok(())
}

/// What the process must know of the library as soon as it has threads. Once is enough.
pub(crate) fn prepare_process() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        silence_panics();
        #[cfg(unix)]
        notice_forks();
    });
}

/// A panic's text may quote what it choked on; the place is enough to find the error. Panics of others are theirs.
fn silence_panics() {
    let others = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        let is_thread_of_ours =
            std::thread::current().name().is_some_and(|name| name.starts_with(crate::library::THREADS));
        if !is_thread_of_ours && DEPTH.get() == 0 {
            return others(panic);
        }
        let place = panic.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
        tracing::error!("internal error (panic) at {place}");
    }));
}

#[cfg(unix)]
fn notice_forks() {
    unsafe extern "C" fn in_the_child() {
        FORKED.store(true, Ordering::Relaxed);
    }
    // SAFETY: The function does nothing but what is allowed between fork and exec. If there is no room for it, forks go unnoticed.
    let _ = unsafe { libc::pthread_atfork(None, None, Some(in_the_child)) };
}
