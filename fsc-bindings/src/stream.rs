//! Streams of bytes that a C program carries, as a driver for a UART does.

use std::ffi::c_void;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll};
use std::thread;

use fsc_core::transport::Address;
use fsc_transport::serial::{LineConfig, SerialTransport};
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, ReadHalf, WriteHalf, duplex, split,
};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::entry::{Duty, enlist, on_duty};
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
    /// Makes `read` and `write` come back, now and from now on: the stream is no longer needed. Called once, from a third thread too, and must not
    /// wait. If they do not come back, their threads stay.
    pub close: Option<unsafe extern "C" fn(state: *mut c_void)>,
    /// Frees the state; null if there is nothing to free. Called once, after all else, and must not wait.
    pub destroy: Option<unsafe extern "C" fn(state: *mut c_void)>,
    /// The baud rate of the UART that it leads to, so that small messages do not wait behind buffers full of large ones; zero if
    /// it keeps no such pace.
    pub baud: u32,
}

// SAFETY: It begins with its size, and zero is good for all else.
unsafe impl Grown for Stream {
    const FIRST: usize = size_of::<Self>();
}

/// The callbacks of a stream, all of which are there.
struct Callbacks {
    state: *mut c_void,
    read: unsafe extern "C" fn(*mut c_void, *mut u8, usize) -> isize,
    write: unsafe extern "C" fn(*mut c_void, *const u8, usize) -> isize,
    close: unsafe extern "C" fn(*mut c_void),
    destroy: Option<unsafe extern "C" fn(*mut c_void)>,
    is_closed: AtomicBool,
}

// SAFETY: The header says from which threads the callbacks are called.
unsafe impl Send for Callbacks {}
// SAFETY: As above: `read` and `write` are called by one thread each, `close` by any, once.
unsafe impl Sync for Callbacks {}

impl Callbacks {
    /// Closes the stream, if nobody has.
    fn close(&self) {
        if !self.is_closed.swap(true, Ordering::SeqCst) {
            // SAFETY: The state is there, and nobody else does so.
            on_duty(Duty::Everybody, || unsafe { (self.close)(self.state) });
        }
    }
}

impl Drop for Callbacks {
    fn drop(&mut self) {
        if let Some(destroy) = self.destroy {
            // SAFETY: Both threads have ended, and nobody else has the state.
            on_duty(Duty::Everybody, || unsafe { destroy(self.state) });
        }
    }
}

/// Closes a stream when it is dropped: with the line, or with the task that waits for the line's end.
struct Closer(Arc<Callbacks>);

impl Drop for Closer {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// The line's end of the bytes. When the line lets go of it, the stream is closed, whatever its threads are doing.
struct End {
    bytes: DuplexStream,
    /// Dropped, it tells.
    _gone: oneshot::Sender<()>,
}

impl AsyncRead for End {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().bytes).poll_read(context, buffer)
    }
}

impl AsyncWrite for End {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().bytes).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().bytes).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().bytes).poll_shutdown(context)
    }
}

impl Stream {
    /// # Safety
    /// `stream` is null, or a structure of as many bytes as it says.
    pub(crate) unsafe fn read(stream: *const Self) -> Result<Self, Fault> {
        // SAFETY: Our own contract.
        let stream =
            unsafe { grown(stream, "stream") }?.ok_or_else(|| Fault::argument("stream", "must not be null"))?;
        let missing = |name: &str| Fault::argument("stream", format!("has no `{name}`"));
        stream.read.ok_or_else(|| missing("read"))?;
        stream.write.ok_or_else(|| missing("write"))?;
        stream.close.ok_or_else(|| missing("close"))?;
        Ok(stream)
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
        let wrong = |why| Fault::argument("name", format!("can't be used: {why}"));
        format!("serial:{name}").parse::<Address>().map_err(wrong)?;
        let (ours, theirs) = duplex(BUFFER);
        let (incoming, outgoing) = split(ours);
        // Threads first: if there are none to be had, the caller keeps the state.
        let reader = spawn("reader", library, move |handle, callbacks| read_all(handle, callbacks, outgoing))?;
        let writer = spawn("writer", library, move |handle, callbacks| write_all(handle, callbacks, incoming))?;
        let _context = library.handle().enter();
        let (gone, going) = oneshot::channel();
        let baud = if self.baud == 0 { None } else { Some(self.baud) };
        let address = lines.attach(name, End { bytes: theirs, _gone: gone }, baud, config).map_err(wrong)?;
        let is_closed = AtomicBool::new(false);
        let callbacks = Arc::new(Callbacks { state: self.state, read, write, close, destroy: self.destroy, is_closed });
        let closer = Closer(Arc::clone(&callbacks));
        library.handle().spawn(async move {
            // It says nothing: it goes.
            let _ = going.await;
            drop(closer);
        });
        // Both wait for it.
        let _ = reader.send(Arc::clone(&callbacks));
        let _ = writer.send(callbacks);
        Ok(address)
    }
}

/// A thread that works with the callbacks as soon as it gets them, and ends if it does not.
fn spawn(
    what: &str,
    library: &Library,
    work: impl FnOnce(&Handle, &Callbacks) + Send + 'static,
) -> Result<mpsc::Sender<Arc<Callbacks>>, Fault> {
    let (sender, receiver) = mpsc::channel::<Arc<Callbacks>>();
    let (handle, pending) = (library.handle().clone(), library.pending());
    let thread = thread::Builder::new().name(format!("{THREADS}-{what}")).spawn(move || {
        enlist();
        if let Ok(callbacks) = receiver.recv() {
            work(&handle, &callbacks);
        }
        // After the callbacks, which may be freed by this thread.
        drop(pending);
    });
    let why = |error| Fault::new(Status::Limit, format!("there is no thread to be had for the stream: {error}"));
    thread.map(|_| sender).map_err(why)
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
    callbacks.close();
}
