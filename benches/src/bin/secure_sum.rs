//! `SecureSum` through our own client, over nodes that run already.
//!
//! ```text
//! secure_sum URL URL [URL …] [--runs 11] [--count 100] [--elementwise [--json]]
//! ```
//!
//! Every party has a client of its own. A run's time is from the common start to the last party's result; it prints
//! one line of JSON, `{"median_s": …, "min_s": …, "max_s": …, "runs": …}`. With `--elementwise` the numbers stay a vector,
//! which travels as raw little-endian arrays; with `--json`, request and answer are text, written before the start and only
//! read to its end, so that the time is the nodes'.

#![allow(clippy::print_stdout)] // the figures are the output

use std::time::Instant;

use bytes::Bytes;
use fsc_benches::http::{Caller, Failure};
use fsc_benches::{flag, numbers, option};
use fsc_core::bus::{Step, codec};
use fsc_core::representation::Api;
use fsc_core::value::{Arguments, Array, Value, json};
use fsc_transport::TokioRuntime;
use fsc_transport::http::HttpTransport;
use tokio::task::JoinHandle;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let runs: usize = option("--runs").map_or(Ok(11), |text| text.parse())?;
    let count: usize = option("--count").map_or(Ok(100), |text| text.parse())?;
    let urls: Vec<String> = std::env::args().skip(1).filter(|word| word.starts_with("http://")).collect();
    let mut bench = Bench::new(urls, Array::from_f64(numbers(count))?)?;
    bench.once(usize::MAX).await?;
    let mut seconds = Vec::with_capacity(runs);
    for run in 0..runs {
        seconds.push(bench.once(run).await?);
    }
    seconds.sort_by(f64::total_cmp);
    let (median, min, max) = (seconds[runs / 2], seconds[0], seconds[runs - 1]);
    println!("{{\"median_s\": {median}, \"min_s\": {min}, \"max_s\": {max}, \"runs\": {runs}}}");
    Ok(())
}

struct Bench {
    urls: Vec<String>,
    data: Array,
    clients: Vec<Api>,
}

impl Bench {
    fn new(urls: Vec<String>, data: Array) -> Result<Self, Failure> {
        let runtime = TokioRuntime::new();
        let api = |url: &String| Ok(Api::new(HttpTransport::default(), runtime.clone(), url.parse()?));
        let clients = urls.iter().map(api).collect::<Result<_, Failure>>()?;
        Ok(Self { urls, data, clients })
    }

    /// One computation by all parties, in seconds, with each result checked.
    async fn once(&mut self, run: usize) -> Result<f64, Failure> {
        let uuid = format!("bench-{}-{run}", std::process::id());
        let mut requests = Vec::new();
        for (myself, url) in self.urls.iter().enumerate() {
            let steps = self.steps(myself, &uuid);
            requests.push(if flag("--json") {
                let text = json::to_vec(&codec::chain_to_value(&steps)).into();
                Request::Text(Caller::connect(&format!("{url}/chain").parse()?).await?, text)
            } else {
                Request::Ours(self.clients[myself].clone(), self.arguments(myself, &uuid))
            });
        }
        let start = Instant::now();
        let computations: Vec<JoinHandle<_>> =
            requests.into_iter().map(|request| tokio::spawn(request.send())).collect();
        let mut answers = Vec::new();
        for computation in computations {
            answers.push(computation.await??);
        }
        let took = start.elapsed().as_secs_f64();
        answers.into_iter().try_for_each(|answer| self.check(answer))?;
        Ok(took)
    }

    fn arguments(&self, myself: usize, uuid: &str) -> Arguments {
        let nodes = self.urls.iter().cloned().map(Value::Text).collect();
        let network = Value::map([
            ("nodes", Value::List(nodes)),
            ("myself", myself.into()),
            ("uuid", Value::Text(uuid.to_owned())),
        ]);
        Arguments::from([
            ("microprotocol", "SecureSum".into()),
            ("data", self.data.clone().into()),
            ("network", network),
            ("parameters", Value::map([("elementwise", flag("--elementwise"))])),
        ])
    }

    fn steps(&self, myself: usize, uuid: &str) -> Vec<Step> {
        vec![
            Step::Create([("protocol".to_owned(), "Simon".into())].into()),
            Step::Attribute("compute".to_owned()),
            Step::Call(self.arguments(myself, uuid)),
            Step::Download,
        ]
    }

    /// Compares the sum, or the last element of a vector of sums, with what it must be.
    fn check(&self, answer: Heard) -> Result<(), Failure> {
        let answer = match answer {
            Heard::Value(value) => value,
            Heard::Text(text) => {
                let answer = json::parse(&text, &fsc_core::value::Limits::default())?;
                answer.entry("object").cloned().unwrap_or_default()
            }
        };
        let numbers = self.data.to_f64()?;
        let mine = if flag("--elementwise") { &numbers[numbers.len() - 1..] } else { &numbers[..] };
        let expected = mine.iter().sum::<f64>() * self.urls.len() as f64;
        let sum = match answer.entry("result").and_then(|result| result.entry("sum")) {
            Some(Value::Array(sums)) if sums.len() == numbers.len() => sums.get(numbers.len() - 1),
            number => number.cloned(),
        };
        match sum.and_then(|sum| sum.as_f64()) {
            Some(sum) if (sum - expected).abs() <= 1e-9 * expected.abs() => Ok(()),
            other => Err(format!("the sum is {other:?} instead of {expected}").into()),
        }
    }
}

/// One party's request.
enum Request {
    Ours(Api, Arguments),
    Text(Caller, Bytes),
}

/// Its answer.
enum Heard {
    Value(Value),
    Text(Bytes),
}

impl Request {
    async fn send(self) -> Result<Heard, Failure> {
        Ok(match self {
            Self::Ours(api, arguments) => {
                let computation = api.create([("protocol", "Simon")]).attribute("compute").call(arguments);
                Heard::Value(computation.download().await?)
            }
            Self::Text(mut caller, text) => Heard::Text(caller.post("application/json", text).await?),
        })
    }
}
