//! The byte stream under a server's connection.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::pulse::Pulse;

/// A TCP stream that keeps its [`Pulse`], gives hyper's own error answers a body, and closes without losing an answer.
///
/// A head that can't be parsed never reaches the service: hyper answers it itself, in one write, with no body. Every
/// error of ours has a body, so such a write is recognised by its `content-length: 0`.
pub(super) struct Wire {
    tcp: TcpStream,
    pulse: Arc<Pulse>,
    instead: Option<Instead>,
}

/// An answer that is being written in place of hyper's.
struct Instead {
    answer: String,
    written: usize,
    stands_for: usize,
}

impl Wire {
    pub(super) fn new(tcp: TcpStream, pulse: Arc<Pulse>) -> Self {
        Self { tcp, pulse, instead: None }
    }

    fn poll_instead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let Some(instead) = &mut self.instead else { return Poll::Ready(Ok(0)) };
        while let Some(rest @ [_, ..]) = instead.answer.as_bytes().get(instead.written..) {
            instead.written += ready!(Pin::new(&mut self.tcp).poll_write(cx, rest))?;
        }
        let stands_for = instead.stands_for;
        self.instead = None;
        Poll::Ready(Ok(stands_for))
    }

    /// Prepares a replacement if `buffer` is an answer that has no body and should have one.
    fn replaces(&mut self, buffer: &[u8]) -> bool {
        if self.instead.is_none()
            && let Some(answer) = with_body(buffer)
        {
            self.pulse.leave_unread();
            self.instead = Some(Instead { answer, written: 0, stands_for: buffer.len() });
        }
        self.instead.is_some()
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.tcp).poll_read(cx, buffer))?;
        if buffer.filled().len() > before {
            self.pulse.heard();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        if self.replaces(buffer) {
            return self.poll_instead(cx);
        }
        let written = ready!(Pin::new(&mut self.tcp).poll_write(cx, buffer));
        self.pulse.told();
        Poll::Ready(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let [only] = buffers
            && self.replaces(only)
        {
            return self.poll_instead(cx);
        }
        let written = ready!(Pin::new(&mut self.tcp).poll_write_vectored(cx, buffers));
        self.pulse.told();
        Poll::Ready(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    /// Closing a socket with unread bytes resets the connection, and the peer may lose the answer that told it why. So
    /// what still comes is read and dropped, until the peer closes too or the watchdog ends it.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.tcp).poll_shutdown(cx))?;
        if !self.pulse.linger() {
            return Poll::Ready(Ok(()));
        }
        let mut scrap = [MaybeUninit::uninit(); 16 << 10];
        loop {
            let mut scrap = ReadBuf::uninit(&mut scrap);
            let read = ready!(Pin::new(&mut self.tcp).poll_read(cx, &mut scrap));
            if read.is_err() || scrap.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

/// The answer to send in place of `answer`, if that is an HTTP/1 client error without a body.
fn with_body(answer: &[u8]) -> Option<String> {
    let status = answer.strip_prefix(b"HTTP/1.1 4").or_else(|| answer.strip_prefix(b"HTTP/1.0 4"))?;
    let bare = b"content-length: 0\r\n";
    if !answer.ends_with(b"\r\n\r\n") || !answer.windows(bare.len()).any(|window| window == bare) {
        return None;
    }
    let (line, body) = match status.get(..2)? {
        b"14" => ("414 URI Too Long", r#"{"code":414,"message":"the path is too long"}"#),
        b"31" => {
            ("431 Request Header Fields Too Large", r#"{"code":431,"message":"the headers are too many or too long"}"#)
        }
        _ => ("400 Bad Request", r#"{"code":400,"message":"not an HTTP request"}"#),
    };
    Some(format!(
        "HTTP/1.1 {line}\r\ncontent-type: application/json\r\naccess-control-allow-origin: *\r\n\
         connection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bare_client_errors_are_replaced() {
        assert!(with_body(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").unwrap().contains("\"code\":400"));
        assert!(with_body(b"HTTP/1.1 431 X\r\ncontent-length: 0\r\ndate: x\r\n\r\n").unwrap().contains("\"code\":431"));
        assert_eq!(with_body(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"), None);
        assert_eq!(with_body(b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\n{}"), None);
        assert_eq!(with_body(b""), None);
    }
}
