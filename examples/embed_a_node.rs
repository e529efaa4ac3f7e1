//! A program that is a node as well: it serves clients and peers over HTTP, and uses itself as a client would, here to keep
//! a value. This is all that `fsc serve` does, apart from its configuration.
#![allow(clippy::print_stdout)] // an example talks to its reader

use std::error::Error;
use std::sync::Arc;

use fsc_core::node::Node;
use fsc_core::representation::Api;
use fsc_core::value::Value;
use fsc_transport::TokioRuntime;
use fsc_transport::http::{HttpTransport, Server, ServerConfig};
use tokio::sync::oneshot;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    fsc_protocols::link(); // what the node offers: without it, the linker would drop it
    let runtime = TokioRuntime::new();
    let transport = Arc::new(HttpTransport::default());
    let node = Node::builder(runtime.clone(), transport.clone()).build()?;
    let server = Server::bind(ServerConfig::default(), node).await?; // on loopback, at a free port
    let api = Api::new(transport, runtime, server.address());
    let (stop, stopped) = oneshot::channel();
    let serving = tokio::spawn(server.run(async { stopped.await.unwrap_or_default() }));

    println!("the node offers {} objects", api.list().await?.len());
    let storage = api.create([("microservice", "KeyValueStorage")]).attribute("create").call(());
    let storage = storage.hold().await?.ok_or("a storage")?;
    storage.attribute("store").call([("key", "answer".into()), ("value", Value::Int(42))]).hold().await?;
    let answer: i64 = storage.attribute("retrieve").call([("key", "answer".into())]).download_as().await?;
    println!("it has kept {answer}");

    stop.send(()).map_err(|()| "the server has ended before")?;
    Ok(serving.await?)
}
