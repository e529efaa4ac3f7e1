//! What went wrong, and how a C program reads it.

use std::ffi::{CString, c_char};
use std::sync::Arc;

use fsc_core::representation::ApiError;
use fsc_core::transport::TransportError;

use crate::entry::{guard, guarded_free};
use crate::handles::{HANDLES, Kind};
use crate::input;
use crate::status::Status;

/// Why a function has failed. The caller frees it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Error {
    /// Zero is no error.
    id: u64,
}

/// What an [`Error`] names.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) status: Status,
    /// The node's code if it has refused, or zero.
    code: i32,
    pub(crate) message: String,
    culprits: Vec<usize>,
}

/// A fault as it is kept: its text ends with NUL.
struct Kept {
    fault: Fault,
    text: CString,
}

impl Kind for Kept {
    const TAG: u8 = 1;
    const NAME: &'static str = "error";
}

impl Fault {
    pub(crate) fn new(status: Status, message: impl Into<String>) -> Self {
        Self { status, code: 0, message: message.into(), culprits: Vec::new() }
    }

    /// An argument that can't be used.
    pub(crate) fn argument(name: &str, why: impl AsRef<str>) -> Self {
        Self::new(Status::InvalidArgument, format!("{name} {}", why.as_ref()))
    }

    /// The fault as a handle; null if there is no room for one more.
    pub(crate) fn keep(self) -> Error {
        let text = CString::new(self.message.replace('\0', "\u{fffd}")).unwrap_or_default();
        Error { id: HANDLES.insert(Arc::new(Kept { fault: self, text })).unwrap_or(0) }
    }
}

impl From<TransportError> for Fault {
    fn from(error: TransportError) -> Self {
        let message = error.to_string();
        match error {
            TransportError::Refused { failure, .. } => Self {
                status: Status::Refused,
                code: failure.code.into(),
                message: failure.message,
                culprits: failure.culprits,
            },
            TransportError::TimedOut { .. } => Self::new(Status::TimedOut, message),
            _ => Self::new(Status::Unreachable, message),
        }
    }
}

impl From<ApiError> for Fault {
    fn from(error: ApiError) -> Self {
        match error {
            ApiError::Transport(error) => error.into(),
            other => Self::new(Status::Unreachable, other.to_string()),
        }
    }
}

/// What went wrong, in words, for whoever has to mend it: a text that ends with NUL and is good until the error is freed. Empty for
/// the null error. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn fsc_error_message(error: Error) -> *const c_char {
    let mut text = c"".as_ptr();
    guard(|| {
        // Kept by the table for as long as its handle is good.
        text = HANDLES.get::<Kept>(error.id)?.text.as_ptr();
        Ok(())
    });
    text
}

/// The status that came with the error; `FSC_STATUS_OK` for the null error. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn fsc_error_status(error: Error) -> Status {
    let mut status = Status::Ok;
    guard(|| {
        status = HANDLES.get::<Kept>(error.id)?.fault.status;
        Ok(())
    });
    status
}

/// The code of a node that has refused, as HTTP has them (400 wrong arguments, 403 not allowed, 404 not found, 409 parties disagree,
/// 429 too much, 502 a peer broke the protocol, 503 a peer is away, 504 a peer is silent); zero otherwise. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn fsc_error_code(error: Error) -> i32 {
    let mut code = 0;
    guard(|| {
        code = HANDLES.get::<Kept>(error.id)?.fault.code;
        Ok(())
    });
    code
}

/// Which parties are at fault, by their places in `network.nodes`: writes at most `capacity` of them to `places`, which may be null, and
/// answers how many there are. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsc_error_culprits(error: Error, places: *mut usize, capacity: usize) -> usize {
    let mut count = 0;
    guard(|| {
        let kept = HANDLES.get::<Kept>(error.id)?;
        let culprits = &kept.fault.culprits;
        count = culprits.len();
        if !places.is_null() {
            // SAFETY: The caller says that there is room for `capacity` places.
            unsafe { input::fill(places, capacity, culprits) };
        }
        Ok(())
    });
    count
}

/// Frees an error. Nothing happens to the null error. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn fsc_error_free(error: Error) -> Status {
    guarded_free::<Kept>(error.id)
}
