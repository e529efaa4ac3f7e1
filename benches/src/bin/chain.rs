//! `chain [--runs 20000]`: create → attribute → call → download as one request, beside a bare POST of as many bytes.
//!
//! Both ends of both connections live on one thread, so that a figure is what the work costs and not what waking up does: run
//! it under `taskset -c 0`. Prints one line of JSON, `{"chain_s": …, "bare_s": …}`, medians.

#![allow(clippy::print_stdout)] // the figures are the output

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use fsc_benches::adder::{self, Adder};
use fsc_benches::http::{Caller, Failure};
use fsc_benches::option;
use fsc_core::bus::codec;
use fsc_core::node::Node;
use fsc_core::transport::Address;
use fsc_core::value::cbor;
use fsc_transport::TokioRuntime;
use fsc_transport::http::{HttpTransport, Server, ServerConfig};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let runs: usize = option("--runs").map_or(Ok(20_000), |text| text.parse())?;
    let request: Bytes = cbor::to_vec(&codec::chain_to_value(&adder::chain())).into();
    let mut chain = Caller::connect(&format!("{}/chain", node().await?).parse()?).await?;
    let answer = chain.post("application/cbor", request.clone()).await?;
    let mut bare = Caller::connect(&format!("http://{}/chain", bare_server(answer.clone()).await?).parse()?).await?;
    let (mut of_chain, mut of_bare) = (Vec::with_capacity(runs), Vec::with_capacity(runs));
    for _ in 0..runs {
        of_chain.push(once(&mut chain, &request, &answer).await?);
        of_bare.push(once(&mut bare, &request, &answer).await?);
    }
    println!("{{\"chain_s\": {}, \"bare_s\": {}}}", median(of_chain), median(of_bare));
    Ok(())
}

/// Starts a node, and says where it is.
async fn node() -> Result<Address, Failure> {
    fsc_protocols::link();
    let node = Node::builder(TokioRuntime::new(), HttpTransport::default());
    let server =
        Server::bind(ServerConfig::default(), node.object("Adder", adder::describe(), Arc::new(Adder(0))).build()?)
            .await?;
    let address = server.address();
    tokio::spawn(server.run(std::future::pending()));
    Ok(address)
}

/// Starts a server that reads a body and answers `answer`, and says where it is.
async fn bare_server(answer: Bytes) -> Result<String, Failure> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?.to_string();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let service = service_fn(move |request: Request<Incoming>| {
            let answer = answer.clone();
            async move {
                let _ = request.into_body().collect().await;
                Ok::<_, Infallible>(Response::new(Full::new(answer)))
            }
        });
        let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        Ok::<_, std::io::Error>(())
    });
    Ok(address)
}

async fn once(caller: &mut Caller, request: &Bytes, expected: &Bytes) -> Result<f64, Failure> {
    let start = Instant::now();
    let answer = caller.post("application/cbor", request.clone()).await?;
    let took = start.elapsed().as_secs_f64();
    if answer == *expected { Ok(took) } else { Err("another answer than before".into()) }
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}
