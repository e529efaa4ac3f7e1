//! `load URL [--connections 16] [--seconds 3]`: how many GETs a second a server answers.
//!
//! Each connection is kept and sends one request after the other. Prints one line of JSON.

#![allow(clippy::print_stdout)] // the figure is the output

use std::time::{Duration, Instant};

use fsc_benches::http::{Caller, Failure};
use fsc_benches::option;
use hyper::Uri;

/// Requests before the clock starts, so that connections, allocators and branch predictors are warm.
const WARM_UP: u32 = 200;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let uri: Uri = std::env::args().nth(1).ok_or("usage: load URL [--connections 16] [--seconds 3]")?.parse()?;
    let connections: usize = option("--connections").map_or(Ok(16), |text| text.parse())?;
    let seconds: u64 = option("--seconds").map_or(Ok(3), |text| text.parse())?;

    let mut getters = Vec::with_capacity(connections);
    for _ in 0..connections {
        let mut getter = Caller::connect(&uri).await?;
        for _ in 0..WARM_UP {
            getter.get().await?;
        }
        getters.push(getter);
    }
    let start = Instant::now();
    let deadline = start + Duration::from_secs(seconds);
    let tasks: Vec<_> = getters.into_iter().map(|getter| tokio::spawn(count(getter, deadline))).collect();
    let mut requests = 0;
    for task in tasks {
        requests += task.await??;
    }
    let rate = requests as f64 / start.elapsed().as_secs_f64();
    println!(r#"{{"requests_per_s": {rate:.0}, "connections": {connections}, "seconds": {seconds}}}"#);
    Ok(())
}

/// Sends requests until the deadline.
async fn count(mut getter: Caller, deadline: Instant) -> Result<u64, Failure> {
    let mut requests = 0;
    while Instant::now() < deadline {
        getter.get().await?;
        requests += 1;
    }
    Ok(requests)
}
