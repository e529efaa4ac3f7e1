//! Connections to one address, and calls over them.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use fsc_core::bus::{Failure, codec};
use fsc_core::transport::{Address, Answer, Batch, Life, TransportError};
use fsc_core::value::{Handle, Limits, Value};
use http::header::{self, HeaderValue};
use http::{StatusCode, Version};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::calls::Call;
use super::{ClientConfig, Endpoint, within};
use crate::http::intake::{self, Space};
use crate::http::media::{Format, Media};
use crate::http::outgoing::Outgoing;

/// Answers from this size on are parsed off the I/O threads.
const HEAVY: usize = 1 << 20;

/// Answers come from a server that was chosen, and are bounded in bytes; their values need no tight bound.
const VALUES: Limits = Limits { depth: Limits::DEEPEST, nodes: 1 << 27 };

/// Handles that are remembered as given to everybody alike.
const MOST_SHARED: usize = 1024;

/// Connections to one address.
pub(super) struct Pool {
    to: Address,
    endpoint: Endpoint,
    host: HeaderValue,
    config: Arc<ClientConfig>,
    permits: Semaphore,
    idle: Arc<Idle>,
    /// The one connection of HTTP/2.
    shared: tokio::sync::Mutex<Option<http2::SendRequest<Outgoing>>>,
    /// Whether the server turned out to have no `/chain`.
    classic: AtomicBool,
    /// Handles that such a server gives to everybody alike.
    shared_handles: Mutex<HashSet<Handle>>,
}

/// A connection that carries calls.
enum Link {
    One(http1::SendRequest<Outgoing>),
    Many(http2::SendRequest<Outgoing>),
}

/// An answer as it came.
struct Heard {
    status: StatusCode,
    media: Result<Media, Failure>,
    body: Bytes,
}

/// A call that got no answer.
struct Unanswered {
    why: String,
    /// Whether the request certainly never left.
    unsent: bool,
}

impl Pool {
    pub(super) fn new(to: &Address, config: Arc<ClientConfig>) -> Result<Self, TransportError> {
        let endpoint = Endpoint::of(to)?;
        let host = HeaderValue::from_str(&endpoint.authority);
        Ok(Self {
            to: to.clone(),
            host: host.map_err(|_| TransportError::NoTransport { to: to.clone() })?,
            endpoint,
            permits: Semaphore::new(config.connections.max(1)),
            config,
            idle: Arc::default(),
            shared: tokio::sync::Mutex::default(),
            classic: AtomicBool::new(false),
            shared_handles: Mutex::default(),
        })
    }

    pub(super) fn to(&self) -> &Address {
        &self.to
    }

    pub(super) fn is_classic(&self) -> bool {
        self.classic.load(Relaxed)
    }

    /// Remembers that others have this handle, too; a server has few such, so what does not fit is no such server's.
    pub(super) fn share(&self, handle: Handle) {
        let mut shared = self.shared_handles.lock().unwrap_or_else(PoisonError::into_inner);
        if shared.len() < MOST_SHARED {
            shared.insert(handle);
        }
    }

    pub(super) fn is_shared(&self, handle: Handle) -> bool {
        self.shared_handles.lock().unwrap_or_else(PoisonError::into_inner).contains(&handle)
    }

    /// Makes a call of the client contract. A server that does not answer in CBOR, which calls prefer, has no chains either.
    pub(super) async fn ask(&self, call: &Call) -> Result<Answer, TransportError> {
        let heard = self.exchange(call).await?;
        if heard.status.is_success() && heard.media != Ok(Media::Document(Format::Cbor)) {
            self.classic.store(true, Relaxed);
        }
        self.answer(heard).await
    }

    /// Makes a call to `/chain`. `None` if the server has no such thing, which is remembered.
    ///
    /// Our servers answer in CBOR, errors too, since the call asks for it. So an error that says "what is this?" in
    /// another format comes from a server that does not know chains, and is not about what the chain names.
    pub(super) async fn ask_chain(&self, call: &Call) -> Result<Option<Answer>, TransportError> {
        let heard = self.exchange(call).await?;
        let unknown = matches!(heard.status.as_u16(), 404 | 405 | 415 | 500 | 501);
        if unknown && heard.media != Ok(Media::Document(Format::Cbor)) {
            self.classic.store(true, Relaxed);
            return Ok(None);
        }
        self.answer(heard).await.map(Some)
    }

    /// Brings mail. The server says which life of it took the mail.
    pub(super) async fn deliver(&self, batch: Batch) -> Result<Life, TransportError> {
        let heard = self.exchange(&Call::mail(batch.pieces)).await?;
        if !heard.status.is_success() {
            return Err(self.refusal(heard).await);
        }
        let life = <[u8; 16]>::try_from(heard.body.as_ref());
        life.map(Life).map_err(|_| self.garbled("the answer to mail is not 16 bytes"))
    }

    /// Asks for the mail that waits at the server.
    pub(super) async fn collect(&self, asking: Bytes) -> Result<Bytes, TransportError> {
        let heard = self.exchange(&Call::collect(asking)).await?;
        if heard.status.is_success() { Ok(heard.body) } else { Err(self.refusal(heard).await) }
    }

    /// Opens a connection, within its deadline.
    pub(super) async fn connect(&self) -> Result<TcpStream, TransportError> {
        let connecting = async {
            let tcp = TcpStream::connect(self.endpoint.authority.as_str()).await;
            let tcp = tcp.and_then(|tcp| tcp.set_nodelay(true).map(|()| tcp));
            tcp.map_err(|error| self.unreachable(error.to_string()))
        };
        match within(self.config.connect, &self.to, connecting).await {
            Err(TransportError::TimedOut { .. }) => Err(self.unreachable("connecting takes too long".to_owned())),
            outcome => outcome,
        }
    }

    /// Makes a call. If a connection that was idle turns out dead, and the call can be repeated or was never sent, it
    /// is made once more on a fresh one.
    async fn exchange(&self, call: &Call) -> Result<Heard, TransportError> {
        // Computations wait for one another, across clients too, so their number has no bound here; mail never waits long.
        let _permit = if call.is_mail() { self.permits.acquire().await.ok() } else { None };
        if let Some(link) = self.reuse().await {
            match self.attempt(link, call).await {
                Err(unanswered) if !(call.repeatable || unanswered.unsent) => return Err(self.broken(unanswered)),
                // A shared connection that is dying does not say so at once; others must not be given it again.
                Err(_) => *self.shared.lock().await = None,
                Ok(heard) => return Ok(heard),
            }
        }
        let link = self.link().await?;
        self.attempt(link, call).await.map_err(|unanswered| self.broken(unanswered))
    }

    /// A connection that is open already, the most recently used one first.
    async fn reuse(&self) -> Option<Link> {
        if self.config.http2 {
            let shared = self.shared.lock().await;
            return shared.as_ref().filter(|link| !link.is_closed()).cloned().map(Link::Many);
        }
        while let Some(mut link) = self.idle.take() {
            if !link.is_closed() && link.ready().await.is_ok() {
                return Some(Link::One(link));
            }
        }
        None
    }

    async fn link(&self) -> Result<Link, TransportError> {
        if self.config.http2 {
            // Holding the lock lets everybody who waits for the first connection share it.
            let mut shared = self.shared.lock().await;
            if let Some(link) = shared.as_ref().filter(|link| !link.is_closed()) {
                return Ok(Link::Many(link.clone()));
            }
            let io = TokioIo::new(self.connect().await?);
            let (link, connection) = http2::Builder::new(TokioExecutor::new())
                .initial_stream_window_size(1 << 20)
                .initial_connection_window_size(4 << 20)
                .handshake(io)
                .await
                .map_err(|error| self.unreachable(error.to_string()))?;
            tokio::spawn(connection);
            *shared = Some(link.clone());
            return Ok(Link::Many(link));
        }
        let io = TokioIo::new(self.connect().await?);
        let (link, connection) = http1::handshake(io).await.map_err(|error| self.unreachable(error.to_string()))?;
        tokio::spawn(connection);
        Ok(Link::One(link))
    }

    async fn attempt(&self, mut link: Link, call: &Call) -> Result<Heard, Unanswered> {
        let request = self.request(call).map_err(|error| Unanswered { why: error.to_string(), unsent: true })?;
        let response = match &mut link {
            Link::One(link) => link.try_send_request(request).await,
            Link::Many(link) => link.try_send_request(request).await,
        };
        let (head, mut body) = response.map_err(|error| unanswered(&error))?.into_parts();
        let media = Media::of(&head.headers);
        let body = read(&mut body, self.config.answer).await?;
        if let Link::One(link) = link {
            self.idle.put(link, self.config.idle);
        }
        Ok(Heard { status: head.status, media, body })
    }

    fn request(&self, call: &Call) -> http::Result<http::Request<Outgoing>> {
        let Endpoint { authority, base } = &self.endpoint;
        let mut request = http::Request::builder().method(call.method.clone()).header(header::ACCEPT, call.accept);
        if self.config.http2 {
            request = request.version(Version::HTTP_2).uri(format!("http://{authority}{base}{}", call.path));
        } else {
            request = request.uri(format!("{base}{}", call.path)).header(header::HOST, self.host.clone());
        }
        if let Some(content_type) = call.content_type {
            request = request.header(header::CONTENT_TYPE, content_type);
        }
        if let Some(authorization) = &self.config.authorization {
            request = request.header(header::AUTHORIZATION, authorization.clone());
        }
        request.body(Outgoing::new(call.body.clone()))
    }

    async fn answer(&self, heard: Heard) -> Result<Answer, TransportError> {
        if !heard.status.is_success() {
            return Err(self.refusal(heard).await);
        }
        let document = document(heard).await.map_err(|why| self.garbled(&why))?;
        codec::answer(document).map_err(|why| self.garbled(&why))
    }

    async fn refusal(&self, heard: Heard) -> TransportError {
        let status = heard.status;
        let told = document(heard).await.and_then(codec::failure);
        let failure = told.unwrap_or_else(|_| {
            Failure::new(status.as_u16(), status.canonical_reason().unwrap_or("an error without a name"))
        });
        TransportError::Refused { to: self.to.clone(), failure }
    }

    fn garbled(&self, why: &str) -> TransportError {
        TransportError::Garbled { to: self.to.clone(), why: why.to_owned() }
    }

    fn unreachable(&self, why: String) -> TransportError {
        TransportError::Unreachable { to: self.to.clone(), why }
    }

    fn broken(&self, unanswered: Unanswered) -> TransportError {
        TransportError::Broken { to: self.to.clone(), why: unanswered.why }
    }
}

fn unanswered<B>(error: &TrySendError<B>) -> Unanswered {
    let why = error.error().to_string();
    Unanswered { why, unsent: error.message().is_some() || error.error().is_canceled() }
}

async fn read(body: &mut Incoming, bound: usize) -> Result<Bytes, Unanswered> {
    // An answer was asked for; its own bound is enough.
    let read = intake::collect(body, bound, &Space::new(usize::MAX), None).await.map(|(bytes, _)| bytes);
    read.map_err(|error| Unanswered { why: error.to_string(), unsent: false })
}

/// The body of an answer as a value.
async fn document(heard: Heard) -> Result<Value, String> {
    let Ok(Media::Document(format)) = heard.media else { return Err("an unexpected content type".to_owned()) };
    let body = heard.body;
    let parsed = if body.len() < HEAVY {
        format.parse(&body, &VALUES)
    } else {
        let parsing = tokio::task::spawn_blocking(move || format.parse(&body, &VALUES)).await;
        parsing.map_err(|_| "the answer could not be read".to_owned())?
    };
    parsed.map_err(|error| error.to_string())
}

/// HTTP/1 connections without a call.
#[derive(Default)]
struct Idle {
    links: Mutex<Links>,
}

#[derive(Default)]
struct Links {
    /// Oldest first.
    open: Vec<(http1::SendRequest<Outgoing>, Instant)>,
    /// The task that closes them in time.
    reaper: Option<AbortHandle>,
}

impl Idle {
    fn take(&self) -> Option<http1::SendRequest<Outgoing>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner).open.pop().map(|(link, _)| link)
    }

    /// Keeps `link` for at most `keep`. The first one brings a task that closes them in time; it ends when none is left.
    fn put(self: &Arc<Self>, link: http1::SendRequest<Outgoing>, keep: Duration) {
        if link.is_closed() {
            return;
        }
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        links.open.push((link, Instant::now() + keep));
        links.reaper.get_or_insert_with(|| tokio::spawn(reap(Arc::downgrade(self))).abort_handle());
    }

    /// Closes what is due, and says when to look again.
    fn close_due(&self) -> Option<Instant> {
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        links.open.retain(|(link, due)| *due > now && !link.is_closed());
        let next = links.open.first().map(|(_, due)| *due);
        if next.is_none() {
            links.reaper = None;
        }
        next
    }
}

impl Drop for Idle {
    /// With the connections goes the task, which would sleep for nothing.
    fn drop(&mut self) {
        let links = self.links.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(reaper) = links.reaper.take() {
            reaper.abort();
        }
    }
}

async fn reap(idle: Weak<Idle>) {
    while let Some(next) = idle.upgrade().and_then(|idle| idle.close_due()) {
        tokio::time::sleep_until(next).await;
    }
}
