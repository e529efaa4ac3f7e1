//! The same limits over HTTP/2, where many requests share a connection and no read is a request's own.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use fsc_core::value::{self, Value, json};
use fsc_transport::http::{Limits, ServerConfig};
use http::{Request, StatusCode, Version};
use http_body::{Body, Frame};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::setting::{Running, SOON};

async fn with_limits(limits: Limits) -> Running {
    Running::with(ServerConfig { limits, ..ServerConfig::default() }, Arc::default()).await
}

#[tokio::test]
async fn oversized_bodies_are_refused_whether_announced_or_not() {
    let server = with_limits(Limits { body: 1000, mail: 2000, ..Limits::default() }).await;
    let mut client = Client::connect(&server).await;
    let text = format!(r#"{{"args":["{}"]}}"#, "x".repeat(1000));
    client.put(Feed::whole(&text).announced(text.len() as u64)).await.assert_error(413);
    client.put(Feed::whole(&text)).await.assert_error(413);
    client.mail(Feed::whole(&"x".repeat(2001))).await.assert_error(413);
    assert_eq!(client.mail(Feed::whole(&"x".repeat(2000))).await.status, 200);
    assert_eq!(client.put(Feed::whole(r#"{"args":[1]}"#)).await.status, 200, "the connection serves on");
}

#[tokio::test]
async fn silent_and_trickling_bodies_are_408_and_the_others_are_served() {
    let limits = Limits { body_patience: Duration::from_millis(200), body_rate: 1 << 20, ..Limits::default() };
    let server = with_limits(limits).await;
    let mut client = Client::connect(&server).await;
    let (silent, _kept_open) = Feed::open();
    client.put(silent).await.assert_error(408);
    let (trickling, feeder) = Feed::open();
    let trickle = tokio::spawn(async move {
        while feeder.send(Bytes::from_static(b" ")).await.is_ok() {
            sleep(Duration::from_millis(10)).await;
        }
    });
    client.put(trickling).await.assert_error(408);
    timeout(SOON, trickle).await.expect("the server takes no more of it").unwrap();
    assert_eq!(client.put(Feed::whole(r#"{"args":[1]}"#)).await.status, 200);
}

#[tokio::test]
async fn long_heads_are_refused() {
    let server = with_limits(Limits { head: 32 << 10, headers: 50, ..Limits::default() }).await;
    let mut client = Client::connect(&server).await;
    let get = |path: &str| Request::get(format!("http://x{path}"));
    let long = get(&format!("/representations?{}", "x".repeat(9000)));
    client.ask(long, Feed::whole("")).await.assert_error(414);
    for path in ["/representations", "/openapi.yaml"] {
        let many = (0..60).fold(get(path), |request, number| request.header(format!("x-{number}"), "y"));
        client.ask(many, Feed::whole("")).await.assert_error(431);
        for (length, status) in [(20_000, 200), (40_000, 431)] {
            // The library refuses this one itself, without a body.
            let large = get(path).header("x", "y".repeat(length));
            assert_eq!(client.ask(large, Feed::whole("")).await.status, status, "{length} bytes");
        }
        assert_eq!(client.ask(get(path), Feed::whole("")).await.status, 200);
    }
}

#[tokio::test]
async fn mail_that_is_not_admitted_is_refused_before_it_is_read() {
    let server = Running::start().await;
    server.shelf.closed.store(true, Ordering::SeqCst);
    let mut client = Client::connect(&server).await;
    let (feed, _kept_open) = Feed::open();
    client.mail(feed).await.assert_error(403);
    assert!(server.shelf.mail.lock().unwrap().is_empty());
}

#[tokio::test]
async fn one_connection_too_many_is_turned_away() {
    let server = with_limits(Limits { connections: 2, ..Limits::default() }).await;
    let (mut one, mut two) = (Client::connect(&server).await, Client::connect(&server).await);
    for client in [&mut one, &mut two] {
        assert_eq!(client.put(Feed::whole(r#"{"args":[1]}"#)).await.status, 200);
    }
    let mut three = Client::connect(&server).await;
    assert!(three.try_put().await.is_none(), "no third connection");
    drop(one);
    let freed = async { while Client::connect(&server).await.try_put().await != Some(StatusCode::OK) {} };
    timeout(SOON, freed).await.expect("a connection that ended makes room");
}

/// A connection that requests share.
struct Client(http2::SendRequest<Feed>);

struct Heard {
    status: StatusCode,
    body: Vec<u8>,
}

impl Client {
    async fn connect(server: &Running) -> Self {
        let tcp = TcpStream::connect(server.at).await.unwrap();
        let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(tcp)).await;
        let (client, connection) = handshake.unwrap();
        tokio::spawn(connection);
        Self(client)
    }

    async fn put(&mut self, body: Feed) -> Heard {
        self.ask(Request::put("http://x/representations"), body).await
    }

    async fn mail(&mut self, body: Feed) -> Heard {
        self.ask(Request::post("http://x/mail"), body).await
    }

    async fn ask(&mut self, request: http::request::Builder, body: Feed) -> Heard {
        timeout(SOON, self.try_ask(request, body)).await.expect("the server answers").expect("in HTTP/2")
    }

    /// The status of an upload, unless the connection is refused.
    async fn try_put(&mut self) -> Option<StatusCode> {
        let upload = self.try_ask(Request::put("http://x/representations"), Feed::whole(r#"{"args":[1]}"#));
        Some(timeout(SOON, upload).await.expect("the server answers or closes")?.status)
    }

    async fn try_ask(&mut self, request: http::request::Builder, body: Feed) -> Option<Heard> {
        self.0.ready().await.ok()?;
        let response = self.0.send_request(request.version(Version::HTTP_2).body(body).unwrap()).await.ok()?;
        let (head, mut rest) = response.into_parts();
        let mut body = Vec::new();
        while let Some(frame) = std::future::poll_fn(|context| Pin::new(&mut rest).poll_frame(context)).await {
            body.extend(frame.ok()?.into_data().unwrap_or_default());
        }
        Some(Heard { status: head.status, body })
    }
}

impl Heard {
    fn assert_error(&self, status: u16) {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        let body = json::parse(&self.body, &value::Limits::default()).unwrap();
        assert_eq!(body.entry("code").and_then(Value::as_usize), Some(status.into()));
    }
}

/// A body that comes as it is fed, and ends when nobody feeds it any more.
struct Feed {
    announced: Option<u64>,
    frames: mpsc::Receiver<Bytes>,
}

impl Feed {
    fn open() -> (Self, mpsc::Sender<Bytes>) {
        let (feeder, frames) = mpsc::channel(1);
        (Self { announced: None, frames }, feeder)
    }

    fn whole(text: &str) -> Self {
        let (feed, feeder) = Self::open();
        feeder.try_send(text.to_owned().into()).unwrap();
        feed
    }

    /// Says its length beforehand.
    fn announced(self, bytes: u64) -> Self {
        Self { announced: Some(bytes), ..self }
    }
}

impl Body for Feed {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.frames.poll_recv(context).map(|data| data.map(|data| Ok(Frame::data(data))))
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.announced.map_or_else(http_body::SizeHint::default, http_body::SizeHint::with_exact)
    }
}
