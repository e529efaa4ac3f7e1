//! How long a call waits, and how it is cancelled.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::entry::{enter, guard, guarded_free};
use crate::fault::{Error, Fault};
use crate::handles::{HANDLES, Kind};
use crate::input::{Grown, Out, grown};
use crate::status::Status;

/// How long a call waits that says nothing of it.
pub(crate) const PATIENCE: Duration = Duration::from_hours(1);

/// Cancels calls: all that were given it, those to come included. The caller frees it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Cancel {
    /// Zero cancels nothing.
    id: u64,
}

/// How long a call waits. A null pointer stands for one that is zero but for its size.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Wait {
    /// `sizeof(fsc_wait)`
    pub size: usize,
    /// Milliseconds until the call fails (`FSC_STATUS_TIMED_OUT`); zero for an hour.
    pub deadline_ms: u64,
    /// By which the call can be cancelled (`FSC_STATUS_CANCELLED`), or null.
    pub cancel: Cancel,
}

// SAFETY: It begins with its size, and zero is good for all else.
unsafe impl Grown for Wait {
    const FIRST: usize = size_of::<Self>();
}

/// What a [`Cancel`] names.
struct Trigger(watch::Sender<bool>);

impl Kind for Trigger {
    const TAG: u8 = 2;
    const NAME: &'static str = "cancel handle";
}

/// What a [`Wait`] stands for.
pub(crate) struct Patience {
    pub(crate) deadline: Duration,
    trigger: Option<Arc<Trigger>>,
}

impl Patience {
    /// # Safety
    /// `wait` is null, or a structure of as many bytes as it says.
    pub(crate) unsafe fn of(wait: *const Wait) -> Result<Self, Fault> {
        // SAFETY: Our own contract.
        let Some(wait) = (unsafe { grown(wait, "wait") })? else {
            return Ok(Self { deadline: PATIENCE, trigger: None });
        };
        let deadline = if wait.deadline_ms == 0 { PATIENCE } else { Duration::from_millis(wait.deadline_ms) };
        let trigger = if wait.cancel.id == 0 { None } else { Some(HANDLES.get(wait.cancel.id)?) };
        Ok(Self { deadline, trigger })
    }

    /// Completes when the call is cancelled.
    pub(crate) async fn cancelled(&self) {
        match &self.trigger {
            // The sender is ours, so it does not go away.
            Some(trigger) => drop(trigger.0.subscribe().wait_for(|fired| *fired).await),
            None => std::future::pending().await,
        }
    }

    /// What is said when the deadline has passed.
    pub(crate) fn is_over(&self) -> Fault {
        let seconds = self.deadline.as_secs_f64();
        Fault::new(Status::TimedOut, format!("no answer within {seconds} s, the deadline of this call"))
    }
}

/// A handle by which calls can be cancelled. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsc_cancel_new(cancel: *mut Cancel, error: *mut Error) -> Status {
    // SAFETY: Our own contract.
    unsafe {
        enter(error, || {
            let cancel = Out::new(cancel, "cancel")?;
            cancel.put(Cancel { id: HANDLES.insert(Arc::new(Trigger(watch::Sender::new(false))))? });
            Ok(())
        })
    }
}

/// Cancels all calls that were given this handle, and those that will be. A computation that is cancelled ends at all parties. Any
/// thread, also while others wait; not from a signal handler.
#[unsafe(no_mangle)]
pub extern "C" fn fsc_cancel_fire(cancel: Cancel) -> Status {
    guard(|| {
        HANDLES.get::<Trigger>(cancel.id)?.0.send_replace(true);
        Ok(())
    })
}

/// Frees a cancel handle. Calls that were given it go on. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn fsc_cancel_free(cancel: Cancel) -> Status {
    guarded_free::<Trigger>(cancel.id)
}
