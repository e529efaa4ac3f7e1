//! The barest HTTP client: one kept connection, nothing between the caller and hyper.

use std::error::Error;
use std::io;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Whatever ends a measurement early.
pub type Failure = Box<dyn Error + Send + Sync>;

/// Requests to one URL over one connection, one at a time.
pub struct Caller {
    connection: SendRequest<Full<Bytes>>,
    uri: Uri,
    host: String,
}

impl Caller {
    /// Connects to the host of an `http://` URL.
    pub async fn connect(uri: &Uri) -> Result<Self, Failure> {
        let host = uri.authority().ok_or_else(|| io::Error::other("the URL names no host"))?.to_string();
        let stream = TcpStream::connect((uri.host().unwrap_or_default(), uri.port_u16().unwrap_or(80))).await?;
        stream.set_nodelay(true)?;
        let (connection, driver) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(driver);
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).parse()?;
        Ok(Self { connection, uri: path, host })
    }

    /// What a GET answers; any status but 200 is an error.
    pub async fn get(&mut self) -> Result<Bytes, Failure> {
        let request = Request::get(self.uri.clone()).header(HOST, self.host.as_str()).body(Full::default())?;
        self.send(request).await
    }

    /// What a POST of `body` answers; any status but 200 is an error.
    pub async fn post(&mut self, content_type: &str, body: Bytes) -> Result<Bytes, Failure> {
        let request = Request::post(self.uri.clone()).header(HOST, self.host.as_str());
        self.send(request.header(CONTENT_TYPE, content_type).header(ACCEPT, content_type).body(Full::new(body))?).await
    }

    async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Bytes, Failure> {
        self.connection.ready().await?;
        let answer = self.connection.send_request(request).await?;
        if answer.status() != StatusCode::OK {
            return Err(io::Error::other(format!("the server answered {}", answer.status())).into());
        }
        Ok(answer.into_body().collect().await?.to_bytes())
    }
}
