//! A node, as its client sees it.

use std::ffi::c_char;
use std::sync::Arc;
#[cfg(feature = "serial")]
use std::sync::atomic::{AtomicUsize, Ordering};

use fsc_core::representation::Api;
use fsc_core::transport::{Address, Transport};
use fsc_core::value as core;
#[cfg(feature = "http")]
use fsc_transport::http::{ClientConfig, HttpTransport};
#[cfg(feature = "serial")]
use fsc_transport::serial::{LineConfig, SerialTransport};

use crate::entry::{enter, guarded_free};
use crate::fault::{Error, Fault};
use crate::handles::{HANDLES, Kind};
use crate::input::{self, Grown, Out, grown};
use crate::library::{Library, Surroundings, library};
use crate::object::Object;
use crate::status::Status;
#[cfg(feature = "serial")]
use crate::stream::Stream;
use crate::value::Value;
use crate::wait::{Patience, Wait};

/// A client of one node. The caller frees it; objects that it has made stay good.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Client {
    /// Zero is no client.
    id: u64,
}

/// How a client asks. A null pointer stands for one that is zero but for its size.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ClientOptions {
    /// `sizeof(fsc_client_options)`
    pub size: usize,
    /// The token by which an HTTP node knows its client, or null.
    pub token: *const c_char,
}

// SAFETY: It begins with its size, and zero is good for all else.
unsafe impl Grown for ClientOptions {
    const FIRST: usize = size_of::<Self>();
}

/// What a [`Client`] names.
struct Held {
    api: Api,
    library: Arc<Library>,
}

impl Kind for Held {
    const TAG: u8 = 4;
    const NAME: &'static str = "client";
}

impl Client {
    /// A handle to a client of the node at `address`.
    pub(crate) fn keep(library: &Arc<Library>, transport: impl Transport, address: Address) -> Result<Self, Fault> {
        let api = Api::new(transport, Surroundings::new(library), address);
        let held = Held { api, library: Arc::clone(library) };
        Ok(Self { id: HANDLES.insert(Arc::new(held))? })
    }

    fn get(self) -> Result<Arc<Held>, Fault> {
        HANDLES.get(self.id)
    }
}

/// A client of the node at `http://host:port`, at a serial line as `serial:/dev/ttyUSB0?baud=115200`, or at `local:NAME`, which
/// is a node of this process. `options` may be null. Asks nothing yet, so that a node that is not there is an error of the first call. Any
/// thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsc_client_connect(
    address: *const c_char,
    options: *const ClientOptions,
    client: *mut Client,
    error: *mut Error,
) -> Status {
    // SAFETY: Our own contract.
    unsafe {
        enter(error, || {
            let out = Out::new(client, "client")?;
            let address: Address = input::text(address, "address")?
                .parse()
                .map_err(|why| Fault::argument("address", format!("can't be used: {why}")))?;
            let token = grown(options, "options")?.map_or(std::ptr::null(), |options| options.token);
            let token = input::optional_text(token, "token")?;
            let library = library()?;
            out.put(match address.scheme() {
                "http" => over_http(&library, address, token)?,
                "serial" => over_line(&library, address)?,
                "local" => Client::keep(&library, library.hub().clone(), address)?,
                other => {
                    let why = format!("begins with {other}: there are http:, serial: and local:");
                    return Err(Fault::argument("address", why));
                }
            });
            Ok(())
        })
    }
}

#[cfg(feature = "http")]
fn over_http(library: &Arc<Library>, address: Address, token: Option<&str>) -> Result<Client, Fault> {
    let config = match token {
        None => ClientConfig::default(),
        Some(token) => ClientConfig::default().with_token(token),
    };
    if token.is_some() && config.authorization.is_none() {
        return Err(Fault::argument("token", "must be printable ASCII"));
    }
    Client::keep(library, HttpTransport::new(config), address)
}

#[cfg(not(feature = "http"))]
fn over_http(_: &Arc<Library>, _: Address, _: Option<&str>) -> Result<Client, Fault> {
    Err(Fault::new(Status::Unsupported, "this library was built without HTTP"))
}

#[cfg(feature = "serial")]
fn over_line(library: &Arc<Library>, address: Address) -> Result<Client, Fault> {
    Client::keep(library, SerialTransport::new(LineConfig::default()), address)
}

#[cfg(not(feature = "serial"))]
fn over_line(_: &Arc<Library>, _: Address) -> Result<Client, Fault> {
    Err(Fault::new(Status::Unsupported, "this library was built without serial lines"))
}

/// A client of the node at the other end of a stream of bytes, which speaks the protocol of serial lines. The stream is copied; its
/// `destroy` is called when the client and all its objects are freed, but not if this fails. Any thread.
#[cfg(feature = "serial")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsc_client_connect_stream(
    stream: *const Stream,
    client: *mut Client,
    error: *mut Error,
) -> Status {
    static STREAMS: AtomicUsize = AtomicUsize::new(1);
    // SAFETY: Our own contract.
    unsafe {
        enter(error, || {
            let out = Out::new(client, "client")?;
            let stream = Stream::read(stream)?;
            let library = library()?;
            let lines = Arc::new(SerialTransport::new(LineConfig::default()));
            let name = format!("stream-{}", STREAMS.fetch_add(1, Ordering::Relaxed));
            let address = format!("serial:{name}").parse().map_err(|_| Fault::argument("stream", "has no address"))?;
            // The client first: the stream is taken over by what can't fail any more.
            let client = Client::keep(&library, Arc::clone(&lines), address)?;
            if let Err(fault) = stream.attach(&library, &lines, &name, LineConfig::default()) {
                let _ = HANDLES.remove::<Held>(client.id);
                return Err(fault);
            }
            out.put(client);
            Ok(())
        })
    }
}

/// The descriptions of the node's top-level objects, as a list of maps. Any thread; waits.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsc_client_list(
    client: Client,
    wait: *const Wait,
    descriptions: *mut Value,
    error: *mut Error,
) -> Status {
    // SAFETY: Our own contract.
    unsafe {
        enter(error, || {
            let out = Out::new(descriptions, "descriptions")?;
            let (client, patience) = (client.get()?, Patience::of(wait)?);
            let descriptions = client.library.wait(&patience, client.api.list())?;
            out.put(Value::keep(descriptions.into())?);
            Ok(())
        })
    }
}

/// The top-level object whose description contains the entries of the map `description`, as `{"protocol": "Simon"}`. Any thread; waits.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsc_client_create(
    client: Client,
    description: Value,
    wait: *const Wait,
    object: *mut Object,
    error: *mut Error,
) -> Status {
    // SAFETY: Our own contract.
    unsafe {
        enter(error, || {
            let out = Out::new(object, "object")?;
            let (client, patience) = (client.get()?, Patience::of(wait)?);
            let core::Value::Map(entries) = description.get()? else {
                return Err(Fault::argument("description", "must be a map"));
            };
            let created = client.library.wait(&patience, client.api.create(entries).hold())?;
            out.put(Object::keep(created, &client.library)?);
            Ok(())
        })
    }
}

/// Stores a value at the node. Any thread; waits.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsc_client_upload(
    client: Client,
    value: Value,
    wait: *const Wait,
    object: *mut Object,
    error: *mut Error,
) -> Status {
    // SAFETY: Our own contract.
    unsafe {
        enter(error, || {
            let out = Out::new(object, "object")?;
            let (client, patience) = (client.get()?, Patience::of(wait)?);
            let stored = client.library.wait(&patience, client.api.upload(value.get()?).hold())?;
            out.put(Object::keep(stored, &client.library)?);
            Ok(())
        })
    }
}

/// Frees a client. Nothing happens to the null client. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn fsc_client_free(client: Client) -> Status {
    guarded_free::<Held>(client.id)
}
