//! The way in: what every function of the library does before and after its own work.

use std::any::Any;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::fault::{Error, Fault};
use crate::handles::{HANDLES, Kind};
use crate::status::Status;

/// Whether this process is a child that was forked after the library was used. Its threads are not there, and its locks may be held by them.
static FORKED: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// How deep this thread is in the library: what panics there is nobody's to read.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    /// What this thread is, and does.
    static DUTY: Cell<Duty> = const { Cell::new(Duty::None) };
}

/// What a thread owes to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Duty {
    /// Nothing: it is the program's own.
    None,
    /// It is the library's, and the library can't end before it.
    Library,
    /// It serves a client of a node, which can't stop before it.
    #[cfg_attr(not(feature = "node"), allow(dead_code))]
    Node,
    /// It serves connections, or everybody's log, and must not wait.
    Everybody,
}

/// Does the work of a function that may fail, and puts its fault, if any, where the caller wants it.
///
/// # Safety
/// `error` is null, or may be written.
pub(crate) unsafe fn enter(error: *mut Error, work: impl FnOnce() -> Result<(), Fault>) -> Status {
    let mut kept = Error::default();
    let is_wanted = !error.is_null();
    let status = run(work, |fault| {
        if is_wanted {
            kept = fault.keep();
        }
    });
    if is_wanted {
        // SAFETY: It is not null, and the caller says that it may be written.
        unsafe { error.write(kept) };
    }
    status
}

/// Does the work of a function that has nowhere to put a fault.
pub(crate) fn guard(work: impl FnOnce() -> Result<(), Fault>) -> Status {
    run(work, drop)
}

/// Frees a handle.
pub(crate) fn guarded_free<T: Kind>(handle: u64) -> Status {
    guard(|| HANDLES.remove::<T>(handle).map(|_| ()))
}

fn run(work: impl FnOnce() -> Result<(), Fault>, tell: impl FnOnce(Fault)) -> Status {
    prepare_process();
    // In a forked process the table may be locked for ever.
    if FORKED.load(Ordering::Relaxed) {
        return Status::Forked;
    }
    let outer = DEPTH.with(|depth| depth.replace(depth.get() + 1));
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let Err(fault) = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(of_panic(panic))) else {
            return Status::Ok;
        };
        let status = fault.status;
        tell(fault);
        status
    }));
    DEPTH.set(outer);
    outcome.unwrap_or(Status::Internal)
}

/// The text of a panic may hold anything, so it goes nowhere.
fn of_panic(_: Box<dyn Any + Send>) -> Fault {
    Fault::new(Status::Internal, "internal error of the library: its log (fsc_log) says where")
}

/// Marks this thread as the library's for good.
pub(crate) fn enlist() {
    DUTY.set(Duty::Library);
    #[cfg(unix)]
    block_signals();
}

/// What this thread owes to others.
pub(crate) fn duty() -> Duty {
    DUTY.get()
}

/// Has this thread owe that to others as long as `work` takes.
pub(crate) fn on_duty<T>(duty: Duty, work: impl FnOnce() -> T) -> T {
    let before = DUTY.replace(duty);
    let done = catch_unwind(AssertUnwindSafe(work));
    DUTY.set(before);
    done.unwrap_or_else(|panic| panic::resume_unwind(panic))
}

/// Refuses to wait where that would hold up others.
pub(crate) fn may_wait() -> Result<(), Fault> {
    if duty() == Duty::Everybody {
        let why = "functions that wait can't be called from `attribute` or `destroy`: call them from `call`, or from another thread";
        return Err(Fault::new(Status::WouldBlock, why));
    }
    Ok(())
}

/// What the process must know of the library before anything of it is in use.
fn prepare_process() {
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
        if duty() == Duty::None && DEPTH.get() == 0 {
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

/// Leaves signals to the program's own threads. Above all, a connection that breaks must not end a program that does not expect SIGPIPE.
#[cfg(unix)]
fn block_signals() {
    let mut signals = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: It fills the set.
    unsafe { libc::sigfillset(signals.as_mut_ptr()) };
    // SAFETY: It was filled.
    let mut signals = unsafe { signals.assume_init() };
    // What the thread itself does wrong comes through.
    for signal in [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP, libc::SIGABRT, libc::SIGPROF]
    {
        // SAFETY: A set, and signals that there are.
        unsafe { libc::sigdelset(&raw mut signals, signal) };
    }
    // SAFETY: Sets what this thread alone gets.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const signals, std::ptr::null_mut()) };
}
