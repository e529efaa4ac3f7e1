//! `canned [--port 0] [--like URL | --body FILE]`: a bare hyper server that computes nothing.
//!
//! It answers every request of the client contract with fixed bytes, so that what a client and hyper cost by themselves
//! can be measured. `GET /representations` answers the bytes that `--like URL` answers to it now, or those of the file.
//! Prints one line `listening on http://HOST:PORT` when ready, as `fsc serve` does.

#![allow(clippy::print_stdout)] // the address is the output

use std::convert::Infallible;

use bytes::Bytes;
use fsc_benches::http::{Caller, Failure};
use fsc_benches::option;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

const LIST: &[u8] = br#"{"type":"list","list":[{"namespace":"federatedsecure","protocol":"Simon","version":"0.6.0"}]}"#;
const HANDLE: &[u8] = br#"{"type":"uuid","uuid":"7f1d1f0e-9c1b-4c53-8c1f-0d5f5ad5b6a1"}"#;
const RESULT: &[u8] = br#"{"type":"object","object":{"inputs":3,"result":{"sum":157.0}}}"#;
const NONE: &[u8] = br#"{"type":"none"}"#;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let port: u16 = option("--port").map_or(Ok(0), |text| text.parse())?;
    let list = list().await?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on http://{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(serve(stream, list.clone()));
    }
}

/// The answer to `GET /representations`.
async fn list() -> Result<Bytes, Failure> {
    if let Some(url) = option("--like") {
        let uri = format!("{}/representations", url.trim_end_matches('/')).parse()?;
        return Caller::connect(&uri).await?.get().await;
    }
    Ok(match option("--body") {
        Some(file) => std::fs::read(file)?.into(),
        None => Bytes::from_static(LIST),
    })
}

/// One connection, until the client closes it.
async fn serve(stream: TcpStream, list: Bytes) {
    let answers = service_fn(move |request| answer(request, list.clone()));
    // A client that hangs up in the middle is no concern of a measurement.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answers).await;
}

async fn answer(request: Request<Incoming>, list: Bytes) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = match (request.method(), Place::of(request.uri().path())) {
        (&Method::GET, Place::Top) => list,
        (&Method::GET, Place::Object) => Bytes::from_static(RESULT),
        (&Method::DELETE, _) => Bytes::from_static(NONE),
        _ => Bytes::from_static(HANDLE),
    };
    // A body is read to its end, as any server must before the next request on the connection.
    let _ = request.into_body().collect().await;
    let mut answer = Response::new(Full::new(body));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(answer)
}

/// What a path names.
enum Place {
    Top,
    Object,
    Attribute,
}

impl Place {
    fn of(path: &str) -> Self {
        match path.trim_matches('/').split('/').count() {
            1 => Self::Top,
            2 => Self::Object,
            _ => Self::Attribute,
        }
    }
}
