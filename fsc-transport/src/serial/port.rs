//! What carries the bytes of a line, and how it is opened again after it was lost.

use std::io;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use serial2_tokio::{FlowControl, SerialPort, Settings};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::address::{Device, Options, Place};

/// How long a serial server may take to answer.
const CONNECT: Duration = Duration::from_secs(5);

/// Anything that carries bytes both ways.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Stream for S {}

/// Opens the stream of a line, and opens it again when it was lost.
#[async_trait]
pub trait Opener: Send + Sync + 'static {
    /// Tries once. The error is what users read, if they have to.
    async fn open(&self) -> io::Result<Box<dyn Stream>>;

    /// Whether it is of any use to try again.
    fn is_spent(&self) -> bool {
        false
    }
}

#[async_trait]
impl Opener for Place {
    async fn open(&self) -> io::Result<Box<dyn Stream>> {
        match &self.device {
            Device::Port(path) => {
                let (path, options) = (path.clone(), self.options);
                // Ports may take their time: modems, and drivers that are not well.
                let opening = tokio::task::spawn_blocking(move || Port::open(&path, options));
                let port = opening.await.map_err(io::Error::other)??;
                Ok(Box::new(port))
            }
            Device::Tcp(host) => {
                let connecting = tokio::time::timeout(CONNECT, TcpStream::connect(host.as_str()));
                let stream = connecting.await.map_err(|_| io::Error::other("the serial server does not answer"))??;
                stream.set_nodelay(true)?;
                Ok(Box::new(stream))
            }
        }
    }
}

/// A stream that is open already, and can't be opened again.
pub(super) struct Once(Mutex<Option<Box<dyn Stream>>>);

impl Once {
    pub(super) fn new(stream: impl Stream) -> Self {
        Self(Mutex::new(Some(Box::new(stream))))
    }

    fn stream(&self) -> MutexGuard<'_, Option<Box<dyn Stream>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Opener for Once {
    async fn open(&self) -> io::Result<Box<dyn Stream>> {
        self.stream().take().ok_or_else(|| io::Error::other("the stream has ended"))
    }

    fn is_spent(&self) -> bool {
        self.stream().is_none()
    }
}

/// A serial port that no other program of ours uses.
struct Port {
    port: SerialPort,
    /// Held as long as the port is.
    _claim: Claim,
}

impl Port {
    fn open(path: &str, options: Options) -> io::Result<Self> {
        let explained = |error: io::Error| {
            let advice = match error.kind() {
                io::ErrorKind::NotFound => "is the adapter plugged in?",
                io::ErrorKind::PermissionDenied => "this user may not use it; on Linux the group dialout may",
                io::ErrorKind::ResourceBusy => "which other program uses it?",
                _ => return error,
            };
            io::Error::new(error.kind(), format!("{error}: {advice}"))
        };
        let claim = Claim::on(path).map_err(explained)?;
        let port = SerialPort::open(path, |mut settings: Settings| {
            // Raw is 8N1, and no byte is special.
            settings.set_raw();
            if let Some(baud) = options.baud {
                settings.set_baud_rate(baud)?;
            }
            let flow = if options.hardware_flow { FlowControl::RtsCts } else { FlowControl::None };
            settings.set_flow_control(flow);
            Ok(settings)
        });
        Ok(Self { port: port.map_err(explained)?, _claim: claim })
    }
}

/// The advisory lock on a port, by which programs keep out of one another's way.
#[cfg(unix)]
struct Claim {
    _file: std::fs::File,
}

#[cfg(unix)]
impl Claim {
    fn on(path: &str) -> io::Result<Self> {
        use std::fs::{OpenOptions, TryLockError};
        use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};

        // Other files have effects of their own when they are opened.
        if !std::fs::metadata(path)?.file_type().is_char_device() {
            return Err(io::Error::other("it is no serial port"));
        }
        // A node must not get a terminal to be controlled by, nor wait for a modem.
        let file = OpenOptions::new().read(true).custom_flags(libc::O_NOCTTY | libc::O_NONBLOCK).open(path)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => Err(io::Error::new(io::ErrorKind::ResourceBusy, "the port is in use")),
            // Where there are no locks, there are none to respect.
            Ok(()) | Err(TryLockError::Error(_)) => Ok(Self { _file: file }),
        }
    }
}

/// Other systems keep ports apart themselves.
#[cfg(not(unix))]
struct Claim;

#[cfg(not(unix))]
impl Claim {
    fn on(_: &str) -> io::Result<Self> {
        Ok(Self)
    }
}

impl AsyncRead for Port {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.port).poll_read(context, buffer)
    }
}

impl AsyncWrite for Port {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.port).poll_write(context, bytes)
    }

    /// At once: what has been written leaves in its time, and waiting for that (`tcdrain`) may hang.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
