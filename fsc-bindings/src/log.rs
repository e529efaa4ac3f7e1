//! What the library has to say beside its errors, for whoever wants to hear it.

use std::ffi::{CString, c_char, c_void};
use std::fmt::{self, Write};
use std::sync::{Once, PoisonError, RwLock};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::entry::{Duty, duty, enter, on_duty};
use crate::fault::{Error, Fault};
use crate::status::Status;

/// Gets a line of the log: its level (1 error, 2 warning, 3 information, 4 debugging, which releases do not have), and texts that end with NUL, good as long as it
/// runs: where in the library it comes from, and what it says. No line holds data or secrets.
pub type Logged =
    Option<unsafe extern "C" fn(user: *mut c_void, level: i32, target: *const c_char, message: *const c_char)>;

/// Whom to tell.
#[derive(Clone, Copy)]
struct Listener {
    level: i32,
    logged: unsafe extern "C" fn(*mut c_void, i32, *const c_char, *const c_char),
    user: *mut c_void,
}

// SAFETY: The header says that it is called from any thread.
unsafe impl Send for Listener {}
// SAFETY: As above.
unsafe impl Sync for Listener {}

static LISTENER: RwLock<Option<Listener>> = RwLock::new(None);

/// Sends what the library logs up to that level to `logged`, with `user`, in the place of what was told before; null for nobody. It is
/// called from any thread, several at a time, and must neither wait nor call the library. When this function has returned, the one before is not called any more. Any
/// thread, but not from `logged`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsc_log(level: i32, logged: Logged, user: *mut c_void, error: *mut Error) -> Status {
    static ONCE: Once = Once::new();
    // SAFETY: Our own contract.
    unsafe {
        enter(error, || {
            if duty() == Duty::Everybody {
                return Err(Fault::new(
                    Status::WouldBlock,
                    "fsc_log can't be called from a callback that must not wait",
                ));
            }
            let listener = logged.map(|logged| Listener { level, logged, user });
            *LISTENER.write().unwrap_or_else(PoisonError::into_inner) = listener;
            // A program in Rust may have another one already, which hears everything then.
            ONCE.call_once(|| drop(tracing::subscriber::set_global_default(Log)));
            Ok(())
        })
    }
}

struct Log;

fn number(level: Level) -> i32 {
    match level {
        Level::ERROR => 1,
        Level::WARN => 2,
        Level::INFO => 3,
        _ => 4,
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let listener = LISTENER.read().unwrap_or_else(PoisonError::into_inner);
        listener.is_some_and(|listener| number(*metadata.level()) <= listener.level)
    }

    fn register_callsite(&self, _: &'static Metadata<'static>) -> tracing::subscriber::Interest {
        // Who listens, and to what, may change.
        tracing::subscriber::Interest::sometimes()
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        let text = |text: &str| CString::new(text.replace('\0', "")).unwrap_or_default();
        let (target, message) = (text(event.metadata().target()), text(&line.0));
        let listener = LISTENER.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(Listener { level, logged, user }) = *listener {
            let own = number(*event.metadata().level());
            if own <= level {
                on_duty(Duty::Everybody, || {
                    // SAFETY: The texts are there as long as it runs, and the caller says that it can be called with what it wanted.
                    unsafe { logged(user, own, target.as_ptr(), message.as_ptr()) }
                });
            }
        }
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// What an event says, and its fields after that.
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // A text takes everything.
        let _ = match field.name() {
            "message" => write!(self.0, "{value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
    }
}
