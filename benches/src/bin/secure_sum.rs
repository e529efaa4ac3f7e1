//! `SecureSum` through our own client, over nodes that run already.
//!
//! ```text
//! secure_sum URL URL [URL …] [--runs 11] [--count 100] [--elementwise] [--json]
//! ```
//!
//! Every party has a client of its own. A run's time is from the common start to the last party's result; it prints
//! one line of JSON, `{"median_s": …, "min_s": …, "max_s": …, "runs": …}`. With `--elementwise` the numbers stay a vector;
//! it then travels as raw little-endian arrays, or as text with `--json`.

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use fsc_benches::{flag, option};
use fsc_core::clock::Runtime;
use fsc_core::representation::{Api, ApiError};
use fsc_core::transport::{Address, Transport};
use fsc_core::value::{Array, Value};
use fsc_transport::TokioRuntime;
use fsc_transport::http::{ClientConfig, HttpTransport};

#[tokio::main]
#[allow(clippy::print_stdout)]
async fn main() -> Result<(), Box<dyn Error>> {
    let runs: usize = option("--runs").map_or(Ok(11), |text| text.parse())?;
    let count: usize = option("--count").map_or(Ok(100), |text| text.parse())?;
    let urls: Vec<String> = std::env::args().skip(1).filter(|word| word.starts_with("http://")).collect();
    let runtime: Arc<dyn Runtime> = Arc::new(TokioRuntime::new());
    let api = |url: &String| -> Result<Api, Box<dyn Error>> {
        let transport: Arc<dyn Transport> = Arc::new(HttpTransport::new(ClientConfig::default()));
        Ok(Api::new(transport, Arc::clone(&runtime), url.parse::<Address>()?))
    };
    let parties = urls.iter().map(api).collect::<Result<Vec<_>, _>>()?;
    let numbers: Vec<f64> = (0..count).map(|index| (index * 7919 % 100_003) as f64 / 1000.0).collect();
    let data = Array::from_f64(numbers)?;
    once(&parties, &urls, &data, usize::MAX).await?;
    let mut seconds = Vec::with_capacity(runs);
    for run in 0..runs {
        let start = Instant::now();
        once(&parties, &urls, &data, run).await?;
        seconds.push(start.elapsed().as_secs_f64());
    }
    seconds.sort_by(f64::total_cmp);
    println!(
        "{{\"median_s\": {}, \"min_s\": {}, \"max_s\": {}, \"runs\": {runs}}}",
        seconds[runs / 2],
        seconds[0],
        seconds[runs - 1]
    );
    Ok(())
}

/// One computation by all parties, each result checked.
async fn once(parties: &[Api], urls: &[String], data: &Array, run: usize) -> Result<(), Box<dyn Error>> {
    let uuid = format!("bench-{}-{run}", std::process::id());
    let computations = parties.iter().enumerate().map(|(me, api)| {
        let nodes = urls.iter().cloned().map(Value::Text).collect();
        let network =
            Value::map([("nodes", Value::List(nodes)), ("myself", me.into()), ("uuid", Value::Text(uuid.clone()))]);
        tokio::spawn(compute(api.clone(), data.clone(), network))
    });
    let first: f64 = data.to_f64()?[..if flag("--elementwise") { 1 } else { data.len() }].iter().sum();
    for computation in computations.collect::<Vec<_>>() {
        let sum = computation.await??;
        let expected = first * parties.len() as f64;
        if (sum - expected).abs() > 1e-9 * expected.abs() {
            return Err(format!("the sum is {sum} instead of {expected}").into());
        }
    }
    Ok(())
}

/// The sum, or the first element of a vector of sums.
async fn compute(api: Api, data: Array, network: Value) -> Result<f64, ApiError> {
    let parameters = Value::map([("elementwise", flag("--elementwise"))]);
    let answer = api
        .create([("protocol", "Simon")])
        .attribute("compute")
        .call([
            ("microprotocol", "SecureSum".into()),
            ("data", data.into()),
            ("network", network),
            ("parameters", parameters),
        ])
        .download()
        .await?;
    let sum = answer.entry("result").and_then(|result| result.entry("sum")).cloned().unwrap_or_default();
    let first = match sum {
        Value::Array(sums) => sums.get(0).unwrap_or_default(),
        number => number,
    };
    Ok(first.as_f64().unwrap_or(f64::NAN))
}
