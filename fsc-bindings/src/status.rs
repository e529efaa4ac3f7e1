//! How functions end.

use std::ffi::{CStr, c_char};

/// How a function ended: zero if well. What was wrong says its `fsc_error`.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// All is well.
    Ok = 0,
    /// An argument is null, not UTF-8, out of range, or does not fit the others.
    InvalidArgument = 1,
    /// A handle is null, of another kind, or was freed.
    InvalidHandle = 2,
    /// A value is not of the type that was asked for.
    WrongType = 3,
    /// The node has refused: `fsc_error_code` says its code, which is that of HTTP.
    Refused = 4,
    /// Nobody answers there, or the connection broke.
    Unreachable = 5,
    /// The deadline of the call has passed.
    TimedOut = 6,
    /// The call was cancelled.
    Cancelled = 7,
    /// The node, or the library, was stopped or has not been started.
    Stopped = 8,
    /// This process was forked after the library had started: only the parent can use it.
    Forked = 9,
    /// A function that waits can't be called from here: from a callback that must not, or that it would wait for.
    WouldBlock = 10,
    /// A bound was reached.
    Limit = 11,
    /// The library was built without this, or is older than what is asked of it.
    Unsupported = 12,
    /// An error of the library.
    Internal = 13,
}

impl Status {
    fn text(self) -> &'static CStr {
        match self {
            Self::Ok => c"all is well",
            Self::InvalidArgument => c"an argument is null, not UTF-8, out of range, or does not fit the others",
            Self::InvalidHandle => c"a handle is null, of another kind, or was freed",
            Self::WrongType => c"a value is of another type",
            Self::Refused => c"the node has refused",
            Self::Unreachable => c"the node can't be reached",
            Self::TimedOut => c"the deadline has passed",
            Self::Cancelled => c"the call was cancelled",
            Self::Stopped => c"the node or the library has been stopped, or has not been started",
            Self::Forked => c"this process was forked after the library had started: only the parent can use it",
            Self::WouldBlock => c"a function that waits can't be called from here",
            Self::Limit => c"a bound was reached",
            Self::Unsupported => c"the library was built without this",
            Self::Internal => c"internal error of the library",
        }
    }

    /// The status of that number.
    fn of(number: i32) -> Option<Self> {
        const ALL: [Status; 14] = [
            Status::Ok,
            Status::InvalidArgument,
            Status::InvalidHandle,
            Status::WrongType,
            Status::Refused,
            Status::Unreachable,
            Status::TimedOut,
            Status::Cancelled,
            Status::Stopped,
            Status::Forked,
            Status::WouldBlock,
            Status::Limit,
            Status::Unsupported,
            Status::Internal,
        ];
        ALL.into_iter().find(|status| *status as i32 == number)
    }
}

/// What a status means, as a static text that ends with NUL: for where there is no `fsc_error`, as in a forked process. Any
/// thread, at any time.
#[unsafe(no_mangle)]
pub extern "C" fn fsc_status_text(status: i32) -> *const c_char {
    Status::of(status).map_or(c"unknown status", Status::text).as_ptr()
}
