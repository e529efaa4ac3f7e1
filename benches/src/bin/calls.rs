//! `calls [--runs 11]`: what a call and an upload cost from Rust, within the process and over HTTP, as fsc-bindings/benches/calls.c
//! measures them from C. Prints one line of JSON: seconds, medians.

#![allow(clippy::print_stdout)] // the figures are the output

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use fsc_benches::option;
use fsc_core::node::Node;
use fsc_core::representation::Api;
use fsc_core::value::{Array, Value};
use fsc_transport::http::{HttpTransport, Server, ServerConfig};
use fsc_transport::{Hub, TokioRuntime};
use tokio::runtime::{Builder, Runtime};

const CALLS: u32 = 1_000;
const NUMBERS: usize = 1_000_000;

fn main() -> Result<(), Box<dyn Error>> {
    let runs: usize = option("--runs").map_or(Ok(11), |text| text.parse())?;
    fsc_protocols::link();
    // As many threads as the C library has.
    let threads = std::thread::available_parallelism()?.get().div_ceil(2);
    let runtime = Builder::new_multi_thread().worker_threads(threads).enable_all().build()?;
    let (near, far) = runtime.block_on(clients())?;
    let call = call(&runtime, &near, runs)?;
    let (upload, upload_http) = (upload(&runtime, &near, runs)?, upload(&runtime, &far, runs)?);
    println!("{{\"call_s\": {call:.3e}, \"upload_s\": {upload:.3e}, \"upload_http_s\": {upload_http:.3e}}}");
    Ok(())
}

/// Of one node, within the process and over HTTP.
async fn clients() -> Result<(Api, Api), Box<dyn Error>> {
    let (runtime, hub) = (TokioRuntime::new(), Hub::new());
    let node = Node::builder(runtime.clone(), hub.clone()).build()?;
    let address = hub.add("bench", &node)?;
    let server = Server::bind(ServerConfig::default(), node).await?;
    let far = Api::new(HttpTransport::default(), runtime.clone(), server.address());
    // It keeps the node.
    tokio::spawn(server.run(std::future::pending()));
    Ok((Api::new(Arc::new(hub), runtime, address), far))
}

fn call(runtime: &Runtime, api: &Api, runs: usize) -> Result<f64, Box<dyn Error>> {
    let create = api.create([("microservice", "KeyValueStorage")]).attribute("create").call(()).attribute("store");
    let store = runtime.block_on(create.hold())?.ok_or("a method")?;
    median(runs, || {
        let start = Instant::now();
        for _ in 0..CALLS {
            let arguments = [("key", Value::from("answer")), ("value", Value::Int(42))];
            runtime.block_on(store.call(arguments).hold())?;
        }
        Ok(start.elapsed().as_secs_f64() / f64::from(CALLS))
    })
}

fn upload(runtime: &Runtime, api: &Api, runs: usize) -> Result<f64, Box<dyn Error>> {
    let numbers: Vec<f64> = (0..NUMBERS).map(|number| number as f64 * 0.5).collect();
    median(runs, || {
        let start = Instant::now();
        let stored = runtime.block_on(api.upload(Array::from_f64(numbers.clone())?).hold())?;
        let took = start.elapsed().as_secs_f64();
        drop(stored);
        Ok(took)
    })
}

/// The median of so many, after one that does not count.
fn median(runs: usize, mut measure: impl FnMut() -> Result<f64, Box<dyn Error>>) -> Result<f64, Box<dyn Error>> {
    measure()?;
    let mut seconds = (0..runs).map(|_| measure()).collect::<Result<Vec<f64>, _>>()?;
    seconds.sort_by(f64::total_cmp);
    seconds.get(runs / 2).copied().ok_or_else(|| "no runs".into())
}
