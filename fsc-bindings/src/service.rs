//! Objects that a C program serves: its own data and functions, for clients of its node and for the federation.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ffi::{CStr, CString, c_char, c_void};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use fsc_core::object::{Argument, Call, Object, ObjectError, Reply};
use fsc_core::value as core;
use tokio::sync::Semaphore;

use crate::entry::{Duty, enter, guard, on_duty};
use crate::fault::{Error, Fault};
use crate::handles::{HANDLES, Kind};
use crate::input::{self, Grown, grown};
use crate::library::{CALLBACKS, library};
use crate::status::Status;
use crate::value::Value;

/// An object that this program serves. What is null or zero it does not have: without `call` it can't be called, without `content` it can't
/// be downloaded. Whatever is not content does not leave the node, unless `call` answers it. `state` must be there until `destroy`: a call may
/// still run when its node was stopped.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Service {
    /// `sizeof(fsc_service)`
    pub size: usize,
    /// What it is, for listings and errors, as "patients": never data. A text that ends with NUL; copied.
    pub kind: *const c_char,
    /// What the callbacks get. They are called from several threads at a time, all of the library.
    pub state: *mut c_void,
    /// Answers the attribute of that name with `fsc_answer_object`: an object, or a method, which is an object that has `call`. Not zero: there is
    /// none. Must not wait: it holds up others.
    pub attribute: Option<unsafe extern "C" fn(state: *mut c_void, name: *const c_char, answer: Answer) -> i32>,
    /// Answers a call with one of `fsc_answer_...`, or with nothing. May wait, and may use the library, but not stop the node. Not zero: it has
    /// failed; why says `fsc_answer_failure`. Of very many calls at a time, some are refused (429).
    pub call: Option<unsafe extern "C" fn(state: *mut c_void, call: *const Arguments, answer: Answer) -> i32>,
    /// Frees the state. Called once, when nobody holds the object any more, and must not wait: from a thread of the library, or from one that frees,
    /// starts or stops something. Not called if the function that was given this structure has failed.
    pub destroy: Option<unsafe extern "C" fn(state: *mut c_void)>,
    /// What clients get when they download the object, or null. Stays the caller's.
    pub content: Value,
    /// What computations on this node may read when the object is passed as `data`: for data that takes part in computations but can't be
    /// downloaded. Null: the content, if there is any. Stays the caller's.
    pub data: Value,
}

// SAFETY: It begins with its size, and zero is good for all else.
unsafe impl Grown for Service {
    const FIRST: usize = size_of::<Self>();
}

/// What a call was given. All of it is good as long as the callback runs, and not the callback's to free. Fields beyond `size` are not there.
#[repr(C)]
pub struct Arguments {
    /// `sizeof(fsc_arguments)` in the library
    pub size: usize,
    /// Who calls, as the node knows its clients: a text that ends with NUL.
    pub principal: *const c_char,
    /// The arguments by position: a list.
    pub args: Value,
    /// The arguments by name: a map.
    pub kwargs: Value,
}

/// Where a callback puts what it answers; good as long as it runs.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Answer {
    /// Zero is none.
    id: u64,
}

/// What an [`Answer`] names.
#[derive(Default)]
struct Slot {
    answered: Mutex<Option<Answered>>,
    /// Whether nobody waits for it any more.
    is_idle: Arc<AtomicBool>,
}

/// Notes that nobody waits any more, when it is dropped.
struct Waiting(Arc<AtomicBool>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

enum Answered {
    Value(core::Value),
    Object(Arc<Served>),
    Failure(i32, String),
}

impl Kind for Slot {
    const TAG: u8 = 6;
    const NAME: &'static str = "answer";
}

/// An object of the C program.
pub(crate) struct Served {
    kind: &'static str,
    state: State,
    attribute: Option<unsafe extern "C" fn(*mut c_void, *const c_char, Answer) -> i32>,
    call: Option<unsafe extern "C" fn(*mut c_void, *const Arguments, Answer) -> i32>,
    content: Option<core::Value>,
    data: Option<core::Value>,
    /// Room for calls.
    servers: Arc<Semaphore>,
}

/// What the callbacks get, and how it is freed.
struct State {
    pointer: *mut c_void,
    destroy: Option<unsafe extern "C" fn(*mut c_void)>,
}

// SAFETY: The header says that callbacks are called from several threads.
unsafe impl Send for State {}
// SAFETY: As above.
unsafe impl Sync for State {}

impl Drop for State {
    fn drop(&mut self) {
        if let Some(destroy) = self.destroy {
            // SAFETY: Nobody has the object any more, so nobody has its state.
            on_duty(Duty::Everybody, || unsafe { destroy(self.pointer) });
        }
    }
}

impl Served {
    /// The object that a structure describes.
    ///
    /// # Safety
    /// `service` is null, or a structure of as many bytes as it says; its callbacks do what the header says.
    pub(crate) unsafe fn read(service: *const Service) -> Result<Self, Fault> {
        // SAFETY: Our own contract.
        let service =
            unsafe { grown(service, "service") }?.ok_or_else(|| Fault::argument("service", "must not be null"))?;
        // SAFETY: Our own contract.
        let kind = kept(unsafe { input::text(service.kind, "kind") }?);
        let value = |value: Value| if value.is_none() { Ok(None) } else { value.get().map(Some) };
        let (content, data) = (value(service.content)?, value(service.data)?);
        let servers = Arc::clone(&library()?.servers);
        let state = State { pointer: service.state, destroy: service.destroy };
        Ok(Self { kind, state, attribute: service.attribute, call: service.call, content, data, servers })
    }

    /// Lets a callback answer, and reads what it has answered.
    fn ask(
        &self,
        is_idle: Arc<AtomicBool>,
        callback: impl FnOnce(Answer) -> i32,
    ) -> Result<Option<Answered>, ObjectError> {
        let slot = Arc::new(Slot { is_idle, ..Slot::default() });
        let internal = |fault: Fault| ObjectError::Internal { why: fault.message };
        let answer = Answer { id: HANDLES.insert(Arc::clone(&slot)).map_err(internal)? };
        let status = callback(answer);
        // It may be gone if the library was stopped meanwhile.
        let _ = HANDLES.remove::<Slot>(answer.id);
        let answered = slot.answered.lock().unwrap_or_else(PoisonError::into_inner).take();
        match answered {
            Some(Answered::Failure(code, why)) => Err(error(code, why)),
            _ if status != 0 => Err(ObjectError::Internal { why: format!("the {} has failed", self.kind) }),
            answered => Ok(answered),
        }
    }

    /// Calls the program, on a thread that may wait.
    fn run(&self, call: Call, is_idle: Arc<AtomicBool>) -> Result<Reply, ObjectError> {
        let function = self.call.ok_or(ObjectError::NotCallable { kind: self.kind })?;
        let values = |argument: Argument| argument.into_value("an argument");
        let args = call.args.into_iter().map(values).collect::<Result<Vec<_>, _>>()?;
        let kwargs = call.kwargs.into_iter().map(|(name, argument)| Ok((name, values(argument)?)));
        let kwargs = kwargs.collect::<Result<std::collections::BTreeMap<_, _>, ObjectError>>()?;
        let internal = |fault: Fault| ObjectError::Internal { why: fault.message };
        let principal = CString::new(call.principal.name().replace('\0', "")).unwrap_or_default();
        let args = Lent(Value::keep(args.into()).map_err(internal)?);
        let kwargs = Lent(Value::keep(kwargs.into()).map_err(internal)?);
        let arguments =
            Arguments { size: size_of::<Arguments>(), principal: principal.as_ptr(), args: args.0, kwargs: kwargs.0 };
        // SAFETY: The state is there as long as the object is, and the arguments as long as this runs.
        let ask = |answer| unsafe { function(self.state.pointer, &raw const arguments, answer) };
        Ok(match on_duty(Duty::Node, || self.ask(is_idle, ask))? {
            Some(Answered::Value(value)) => Reply::Value(value),
            Some(Answered::Object(object)) => Reply::Object(object),
            Some(Answered::Failure(..)) | None => Reply::None,
        })
    }
}

/// A value that a callback may read, and that is freed after it.
struct Lent(Value);

impl Drop for Lent {
    fn drop(&mut self) {
        crate::value::fsc_value_free(self.0);
    }
}

#[async_trait]
impl Object for Served {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn attribute(self: Arc<Self>, name: &str) -> Result<Arc<dyn Object>, ObjectError> {
        let unknown = || ObjectError::NoSuchAttribute { kind: self.kind, name: name.to_owned() };
        let function = self.attribute.ok_or_else(unknown)?;
        let text = CString::new(name).map_err(|_| unknown())?;
        // SAFETY: The state is there as long as the object is, and the name as long as this runs.
        let ask = |answer| unsafe { function(self.state.pointer, text.as_ptr(), answer) };
        match on_duty(Duty::Everybody, || self.ask(Arc::default(), ask)) {
            Ok(Some(Answered::Object(object))) => Ok(object),
            // A callback that says no more than that it has failed has no such attribute.
            Ok(_) | Err(ObjectError::Internal { .. }) => Err(unknown()),
            Err(error) => Err(error),
        }
    }

    async fn call(self: Arc<Self>, call: Call) -> Result<Reply, ObjectError> {
        let kind = self.kind;
        let busy = |_| ObjectError::Limit { what: format!("{CALLBACKS} calls of this program at a time") };
        let room = Arc::clone(&self.servers).try_acquire_owned().map_err(busy)?;
        let waiting = Waiting(Arc::default());
        let is_idle = Arc::clone(&waiting.0);
        // The program may take its time, which must not hold up others.
        let running = tokio::task::spawn_blocking(move || {
            let _room = room;
            self.run(call, is_idle)
        });
        running.await.unwrap_or_else(|_| Err(ObjectError::Internal { why: format!("the {kind} was stopped") }))
    }

    fn content(&self) -> Option<Cow<'_, core::Value>> {
        self.content.as_ref().map(Cow::Borrowed)
    }

    fn data(&self) -> Option<Cow<'_, core::Value>> {
        self.data.as_ref().or(self.content.as_ref()).map(Cow::Borrowed)
    }
}

/// What a callback says went wrong, by the code that clients get.
fn error(code: i32, why: String) -> ObjectError {
    match code {
        400 => ObjectError::InvalidArgument { name: "arguments", why },
        403 => ObjectError::Refused { why },
        404 => ObjectError::NotFound { what: why },
        409 => ObjectError::conflict(why),
        429 => ObjectError::Limit { what: why },
        503 => ObjectError::Unavailable { why, culprits: Vec::new() },
        504 => ObjectError::TimedOut { why, culprits: Vec::new() },
        _ => ObjectError::Internal { why },
    }
}

/// A kind, kept for as long as the process runs, once. Programs have few; one that makes them up finds them all called the same.
fn kept(kind: &str) -> &'static str {
    const MOST: usize = 1024;
    static KINDS: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut kinds = KINDS.lock().unwrap_or_else(PoisonError::into_inner);
    match kinds.get(kind) {
        Some(known) => known,
        None if kinds.len() >= MOST || kind.len() > 256 => "object",
        None => {
            let kind: &'static str = Box::leak(kind.into());
            kinds.insert(kind);
            kind
        }
    }
}

fn answer(answer: Answer, answered: impl FnOnce() -> Result<Answered, Fault>) -> Result<(), Fault> {
    let slot = HANDLES.get::<Slot>(answer.id)?;
    let answered = answered()?;
    let before = slot.answered.lock().unwrap_or_else(PoisonError::into_inner).replace(answered);
    // Outside of the lock: what is dropped may call back.
    drop(before);
    Ok(())
}

/// Whether nobody waits for the answer any more: the client went away, or its deadline has passed. For calls that take long; 1 or 0. From the
/// callback.
#[unsafe(no_mangle)]
pub extern "C" fn fsc_answer_is_idle(answer: Answer) -> i32 {
    let mut is_idle = false;
    guard(|| {
        is_idle = HANDLES.get::<Slot>(answer.id)?.is_idle.load(Ordering::Relaxed);
        Ok(())
    });
    is_idle.into()
}

/// Answers a call with a value, which the client may download. It stays the caller's. From the callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsc_answer_value(answer: Answer, value: Value, error: *mut Error) -> Status {
    // SAFETY: Our own contract.
    unsafe { enter(error, || self::answer(answer, || Ok(Answered::Value(value.get()?)))) }
}

/// Answers a call or an attribute with an object of this program. The structure is copied. From the callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsc_answer_object(answer: Answer, service: *const Service, error: *mut Error) -> Status {
    // SAFETY: Our own contract.
    unsafe { enter(error, || self::answer(answer, || Ok(Answered::Object(Arc::new(Served::read(service)?))))) }
}

/// Answers a call with a failure: its code is that of HTTP (400 wrong arguments, 403 not allowed, 404 not found, 409 not now, 429 too much,
/// 503 something is missing, 504 it took too long, 500 all else), its message a text that ends with NUL, which the client reads: no
/// data. From the callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsc_answer_failure(
    answer: Answer,
    code: i32,
    message: *const c_char,
    error: *mut Error,
) -> Status {
    // SAFETY: Our own contract.
    unsafe {
        enter(error, || {
            if message.is_null() {
                return Err(Fault::argument("message", "must not be null"));
            }
            let message = CStr::from_ptr(message).to_string_lossy().into_owned();
            self::answer(answer, || Ok(Answered::Failure(code, message)))
        })
    }
}
