//! Objects on a node, used as if they were here.

use std::collections::BTreeMap;
use std::ffi::{c_char, c_void};
use std::sync::Arc;

use fsc_core::representation::Representation;
use fsc_core::value::{self as core, Arguments};

use crate::entry::{enter, guarded_free};
use crate::fault::{Error, Fault};
use crate::handles::{HANDLES, Kind};
use crate::input::{self, Out};
use crate::library::Library;
use crate::status::Status;
use crate::value::Value;
use crate::wait::{Patience, Wait};

/// An object on a node. The caller frees it, which releases it at the node.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Object {
    /// Zero is no object.
    id: u64,
}

/// What an [`Object`] names.
pub(crate) struct Held {
    representation: Representation,
    library: Arc<Library>,
}

impl Kind for Held {
    const TAG: u8 = 5;
    const NAME: &'static str = "object";
}

impl Held {
    /// The object, as Rust programs have it.
    pub(crate) fn representation(&self) -> &Representation {
        &self.representation
    }
}

impl Object {
    /// A handle to an object, or the null handle if there is none.
    pub(crate) fn keep(representation: Option<Representation>, library: &Arc<Library>) -> Result<Self, Fault> {
        let Some(representation) = representation else { return Ok(Self::default()) };
        let held = Held { representation, library: Arc::clone(library) };
        Ok(Self { id: HANDLES.insert(Arc::new(held))? })
    }

    pub(crate) fn get(self) -> Result<Arc<Held>, Fault> {
        HANDLES.get(self.id)
    }
}

/// The arguments of a call.
fn arguments(positional: Value, named: Value) -> Result<Arguments, Fault> {
    let args = match if positional.is_none() { core::Value::Null } else { positional.get()? } {
        core::Value::Null => Vec::new(),
        core::Value::List(items) => items,
        core::Value::Array(array) => array.items().collect(),
        _ => return Err(Fault::argument("args", "must be a list")),
    };
    let kwargs = match if named.is_none() { core::Value::Null } else { named.get()? } {
        core::Value::Null => BTreeMap::new(),
        core::Value::Map(entries) => entries,
        _ => return Err(Fault::argument("kwargs", "must be a map")),
    };
    Ok(Arguments { args, kwargs })
}

/// The attribute of that name: a method, mostly. Any thread; waits.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsc_object_attribute(
    object: Object,
    name: *const c_char,
    wait: *const Wait,
    attribute: *mut Object,
    error: *mut Error,
) -> Status {
    // SAFETY: Our own contract.
    unsafe {
        enter(error, || {
            let out = Out::new(attribute, "attribute")?;
            let (object, patience) = (object.get()?, Patience::of(wait)?);
            let chain = object.representation.attribute(input::text(name, "name")?);
            out.put(Object::keep(object.library.wait(&patience, chain.hold())?, &object.library)?);
            Ok(())
        })
    }
}

/// Calls the object with a list of arguments and a map of named ones, of which either may be the null handle. What it answers is an
/// object, or the null handle if it answers nothing. Any thread; waits until the answer is there, which takes as long as the computation.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsc_object_call(
    object: Object,
    args: Value,
    kwargs: Value,
    wait: *const Wait,
    answer: *mut Object,
    error: *mut Error,
) -> Status {
    // SAFETY: Our own contract.
    unsafe {
        enter(error, || {
            let out = Out::new(answer, "answer")?;
            let (object, patience) = (object.get()?, Patience::of(wait)?);
            let chain = object.representation.call(arguments(args, kwargs)?);
            out.put(Object::keep(object.library.wait(&patience, chain.hold())?, &object.library)?);
            Ok(())
        })
    }
}

/// The object's content. Any thread; waits.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsc_object_download(
    object: Object,
    wait: *const Wait,
    content: *mut Value,
    error: *mut Error,
) -> Status {
    // SAFETY: Our own contract.
    unsafe {
        enter(error, || {
            let out = Out::new(content, "content")?;
            let (object, patience) = (object.get()?, Patience::of(wait)?);
            out.put(Value::keep(object.library.wait(&patience, object.representation.download())?)?);
            Ok(())
        })
    }
}

/// Gets the answer of a call: what it answers, or the null handle, and the error if `status` is not `FSC_STATUS_OK`, or the null handle.
/// Both are the callback's to free.
pub type Called = Option<unsafe extern "C" fn(user: *mut c_void, status: Status, answer: Object, error: Error)>;

/// Gets the content of an object, or the null handle, and the error if `status` is not `FSC_STATUS_OK`, or the null handle. Both are the
/// callback's to free.
pub type Downloaded = Option<unsafe extern "C" fn(user: *mut c_void, status: Status, content: Value, error: Error)>;

/// As `fsc_object_call`, without waiting: `called` is called once, with `user`, from a thread of the library, also when the call is
/// cancelled or the library stops; but not if this function itself fails. It may wait, and other callbacks wait for it if it is one of very many. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsc_object_call_async(
    object: Object,
    args: Value,
    kwargs: Value,
    wait: *const Wait,
    called: Called,
    user: *mut c_void,
    error: *mut Error,
) -> Status {
    // SAFETY: Our own contract, by which the callback can be called with what it wanted to have back.
    unsafe {
        enter(error, || {
            let called = called.ok_or_else(|| Fault::argument("called", "must not be null"))?;
            let (object, patience) = (object.get()?, Patience::of(wait)?);
            let chain = object.representation.call(arguments(args, kwargs)?);
            let (library, user) = (Arc::clone(&object.library), User(user));
            library.spawn(async move {
                let outcome = object.library.bounded(&patience, async { Ok(chain.hold().await?) }).await;
                let answer = outcome.and_then(|answer| Object::keep(answer, &object.library));
                tell(&object.library, answer, move |status, answer, error| {
                    called(user.take(), status, answer, error);
                })
                .await;
            });
            Ok(())
        })
    }
}

/// As `fsc_object_download`, without waiting: `downloaded` is called as `fsc_object_call_async` says. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsc_object_download_async(
    object: Object,
    wait: *const Wait,
    downloaded: Downloaded,
    user: *mut c_void,
    error: *mut Error,
) -> Status {
    // SAFETY: Our own contract, by which the callback can be called with what it wanted to have back.
    unsafe {
        enter(error, || {
            let downloaded = downloaded.ok_or_else(|| Fault::argument("downloaded", "must not be null"))?;
            let (object, patience) = (object.get()?, Patience::of(wait)?);
            let (library, user) = (Arc::clone(&object.library), User(user));
            library.spawn(async move {
                let outcome =
                    object.library.bounded(&patience, async { Ok(object.representation.download().await?) }).await;
                tell(&object.library, outcome.and_then(Value::keep), move |status, content, error| {
                    downloaded(user.take(), status, content, error);
                })
                .await;
            });
            Ok(())
        })
    }
}

/// What a callback wants to have back.
struct User(*mut c_void);

// SAFETY: The library does nothing with it but give it to one thread, which the header says is not the one it came from.
unsafe impl Send for User {}

impl User {
    /// By a method, so that closures take the whole of it.
    fn take(self) -> *mut c_void {
        self.0
    }
}

/// Tells a callback how a call has ended, on a thread that may wait.
async fn tell<T: Default + Send + 'static>(
    library: &Library,
    outcome: Result<T, Fault>,
    callback: impl FnOnce(Status, T, Error) + Send + 'static,
) {
    // It is never closed.
    let _room = library.tellers.acquire().await;
    let told = tokio::task::spawn_blocking(move || match outcome {
        Ok(answer) => callback(Status::Ok, answer, Error::default()),
        Err(fault) => callback(fault.status, T::default(), fault.keep()),
    });
    if told.await.is_err() {
        tracing::error!("a callback could not be called");
    }
}

/// Frees an object and releases it at the node, without waiting for that. Nothing happens to the null object. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn fsc_object_free(object: Object) -> Status {
    guarded_free::<Held>(object.id)
}
