//! Streams of bytes that a C program carries, as a driver for a UART does.

use std::ffi::c_void;
use std::sync::Arc;
use std::thread;

use fsc_core::transport::Address;
use fsc_transport::serial::{LineConfig, SerialTransport};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, duplex, split};
use tokio::runtime::Handle;

use crate::fault::Fault;
use crate::input::{Grown, grown};
use crate::library::{Library, THREADS};
use crate::status::Status;

/// Bytes that wait to be written, or to be taken up.
const BUFFER: usize = 64 << 10;

/// Bytes that are read or written at a time, at most.
const PIECE: usize = 16 << 10;

/// A stream of bytes both ways, such as a serial port with a driver of its own. What goes over it is the protocol of serial lines: it
/// survives lost and damaged bytes, and needs no more than that they keep their order. `read` and `write` are called from two threads of
/// the library, each from one; `close` may be called from another one meanwhile.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Stream {
    /// `sizeof(fsc_stream)`
    pub size: usize,
    /// What the callbacks get.
    pub state: *mut c_void,
    /// Waits for at least one byte and reads up to `capacity`: answers how many, zero if the stream has ended, less if it is broken.
    pub read: Option<unsafe extern "C" fn(state: *mut c_void, bytes: *mut u8, capacity: usize) -> isize>,
    /// Waits until at least one of `length` bytes is written: answers how many were, less than one if the stream is broken.
    pub write: Option<unsafe extern "C" fn(state: *mut c_void, bytes: *const u8, length: usize) -> isize>,
    /// Makes `read` and `write` come back, now and from now on: the stream is no longer needed. Called once.
    pub close: Option<unsafe extern "C" fn(state: *mut c_void)>,
    /// Frees the state; null if there is nothing to free. Called once, after all else.
    pub destroy: Option<unsafe extern "C" fn(state: *mut c_void)>,
    /// The baud rate of the UART that it leads to, so that small messages do not wait behind buffers full of large ones; zero if
    /// it keeps no such pace.
    pub baud: u32,
}

// SAFETY: It begins with its size, and zero is good for all else.
unsafe impl Grown for Stream {}

/// The callbacks of a stream, all of which are there.
struct Callbacks {
    state: *mut c_void,
    read: unsafe extern "C" fn(*mut c_void, *mut u8, usize) -> isize,
    write: unsafe extern "C" fn(*mut c_void, *const u8, usize) -> isize,
    close: unsafe extern "C" fn(*mut c_void),
    destroy: Option<unsafe extern "C" fn(*mut c_void)>,
}

// SAFETY: The header says from which threads the callbacks are called.
unsafe impl Send for Callbacks {}
// SAFETY: As above: `read` and `write` are called by one thread each.
unsafe impl Sync for Callbacks {}

impl Drop for Callbacks {
    fn drop(&mut self) {
        if let Some(destroy) = self.destroy {
            // SAFETY: Both threads have ended, and nobody else has the state.
            unsafe { destroy(self.state) };
        }
    }
}

impl Stream {
    /// # Safety
    /// `stream` is null, or a structure of as many bytes as it says.
    pub(crate) unsafe fn read(stream: *const Self) -> Result<Self, Fault> {
        // SAFETY: Our own contract.
        let stream =
            unsafe { grown(stream, "stream") }?.ok_or_else(|| Fault::argument("stream", "must not be null"))?;
        stream.callbacks()?;
        Ok(stream)
    }

    /// The callbacks, not yet owned by anybody.
    fn callbacks(&self) -> Result<(), Fault> {
        let missing = |name: &str| Fault::argument("stream", format!("has no `{name}`"));
        self.read.ok_or_else(|| missing("read"))?;
        self.write.ok_or_else(|| missing("write"))?;
        self.close.ok_or_else(|| missing("close"))?;
        Ok(())
    }

    /// Takes the stream for a line at `serial:NAME`. Owns the state from then on, but not if this fails.
    ///
    /// # Safety
    /// The callbacks do what the header says.
    pub(crate) unsafe fn attach(
        self,
        library: &Arc<Library>,
        lines: &SerialTransport,
        name: &str,
        config: LineConfig,
    ) -> Result<Address, Fault> {
        let (Some(read), Some(write), Some(close)) = (self.read, self.write, self.close) else {
            return Err(Fault::argument("stream", "lacks a callback"));
        };
        let address = format!("serial:{name}");
        address.parse::<Address>().map_err(|why| Fault::argument("name", format!("can't be used: {why}")))?;
        let (ours, theirs) = duplex(BUFFER);
        let (incoming, outgoing) = split(ours);
        let handle = library.handle().clone();
        let (started, starting) = std::sync::mpsc::channel::<Arc<Callbacks>>();
        let (for_reader, for_writer) = (std::sync::mpsc::channel::<Arc<Callbacks>>(), (started, starting));
        // Threads first: if there are none to be had, the caller keeps the state.
        let reader = spawn("reader", &handle, move |handle| {
            if let Ok(callbacks) = for_reader.1.recv() {
                read_all(&handle, &callbacks, outgoing);
            }
        });
        let writer = spawn("writer", &handle, move |handle| {
            if let Ok(callbacks) = for_writer.1.recv() {
                write_all(&handle, &callbacks, incoming);
            }
        });
        reader.and(writer)?;
        let _context = handle.enter();
        let baud = if self.baud == 0 { None } else { Some(self.baud) };
        let address = lines.attach(name, theirs, baud, config);
        let address = address.map_err(|why| Fault::argument("name", format!("can't be used: {why}")))?;
        let callbacks = Arc::new(Callbacks { state: self.state, read, write, close, destroy: self.destroy });
        // Both wait for it.
        let _ = for_reader.0.send(Arc::clone(&callbacks));
        let _ = for_writer.0.send(callbacks);
        Ok(address)
    }
}

fn spawn(what: &str, handle: &Handle, work: impl FnOnce(Handle) + Send + 'static) -> Result<(), Fault> {
    let handle = handle.clone();
    let thread = thread::Builder::new().name(format!("{THREADS}-stream-{what}")).spawn(move || work(handle));
    let why = |error| Fault::new(Status::Limit, format!("there is no thread to be had for the stream: {error}"));
    thread.map(|_| ()).map_err(why)
}

/// Brings what the stream reads to the line, until either ends.
fn read_all(handle: &Handle, callbacks: &Callbacks, mut line: WriteHalf<DuplexStream>) {
    let mut buffer = vec![0_u8; PIECE];
    loop {
        // SAFETY: The header says what `read` may do: write into the buffer, no more than its capacity.
        let count = unsafe { (callbacks.read)(callbacks.state, buffer.as_mut_ptr(), buffer.len()) };
        let bytes = usize::try_from(count).ok().filter(|count| *count > 0).and_then(|count| buffer.get(..count));
        let Some(bytes) = bytes else { break };
        if handle.block_on(line.write_all(bytes)).is_err() {
            break;
        }
    }
    // The line notices that nothing more comes; it may be gone.
    let _ = handle.block_on(line.shutdown());
}

/// Brings what the line sends to the stream, until either ends; then closes the stream.
fn write_all(handle: &Handle, callbacks: &Callbacks, mut line: ReadHalf<DuplexStream>) {
    let mut buffer = vec![0_u8; PIECE];
    'open: while let Ok(count) = handle.block_on(line.read(&mut buffer)) {
        let mut rest = &buffer[..count];
        if rest.is_empty() {
            break;
        }
        while !rest.is_empty() {
            // SAFETY: The header says what `write` may do: read so many bytes.
            let written = unsafe { (callbacks.write)(callbacks.state, rest.as_ptr(), rest.len()) };
            let written = usize::try_from(written).ok().filter(|count| *count > 0).and_then(|count| rest.get(count..));
            let Some(after) = written else { break 'open };
            rest = after;
        }
    }
    // SAFETY: Only this thread calls it, once.
    unsafe { (callbacks.close)(callbacks.state) };
}
