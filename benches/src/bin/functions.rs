//! Functions through our own client, over nodes that run already.
//!
//! ```text
//! functions URL URL [URL …] (--inputs FILE | --bulk) [--only FUNCTION] [--runs 11]
//! ```
//!
//! The file holds one JSON object: for each function the `data` of each party; `--bulk` takes large columns instead, which travel as
//! raw little-endian arrays. Every party has a client of its own. A run's time is from the common start to the last party's
//! result; it prints one line of JSON, for each function `{"median_s": …, "min_s": …, "max_s": …, "runs": …, "first_s": …}`, where the
//! first run, perhaps of nodes that have not met before, is not among the others.

#![allow(clippy::print_stdout)] // the figures are the output

use std::collections::BTreeMap;
use std::time::Instant;

use fsc_benches::http::Failure;
use fsc_benches::{flag, option, rows};
use fsc_core::representation::Api;
use fsc_core::runs::Network;
use fsc_core::transport::Address;
use fsc_core::value::{Limits, Value, json};
use fsc_transport::TokioRuntime;
use fsc_transport::http::HttpTransport;
use futures_util::future::try_join_all;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let runs: usize = option("--runs").map_or(Ok(11), |text| text.parse())?;
    let only = option("--only");
    let addresses = std::env::args().skip(1).filter(|word| word.starts_with("http://"));
    let parties = Parties::new(addresses.map(|url| url.parse()).collect::<Result<_, _>>()?);
    let mut figures = BTreeMap::new();
    for (function, inputs) in inputs()? {
        if only.as_ref().is_none_or(|only| *only == function) {
            let figure = parties.measure(&function, &inputs, runs).await?;
            figures.insert(function, figure);
        }
    }
    println!("{}", String::from_utf8(json::to_vec(&Value::Map(figures)))?);
    Ok(())
}

/// The functions, and what each party gives.
fn inputs() -> Result<Vec<(String, Vec<Value>)>, Failure> {
    if flag("--bulk") {
        return Ok(rows::bulk().into_iter().map(|row| (row.function.to_owned(), row.data)).collect());
    }
    let file = option("--inputs").ok_or("--inputs FILE or --bulk is missing")?;
    let Value::Map(inputs) = json::parse(&std::fs::read(file)?, &Limits::default())? else {
        return Err("the inputs are no object".into());
    };
    let row = |(function, inputs)| match inputs {
        Value::List(inputs) => Ok((function, inputs)),
        _ => Err(format!("{function}: no list of inputs").into()),
    };
    inputs.into_iter().map(row).collect()
}

struct Parties {
    addresses: Vec<Address>,
    clients: Vec<Api>,
}

impl Parties {
    fn new(addresses: Vec<Address>) -> Self {
        let runtime = TokioRuntime::new();
        let client = |address: &Address| Api::new(HttpTransport::default(), runtime.clone(), address.clone());
        Self { clients: addresses.iter().map(client).collect(), addresses }
    }

    async fn measure(&self, function: &str, inputs: &[Value], runs: usize) -> Result<Value, Failure> {
        let first = self.once(function, inputs, usize::MAX).await?;
        let mut seconds = Vec::with_capacity(runs);
        for run in 0..runs {
            seconds.push(self.once(function, inputs, run).await?);
        }
        seconds.sort_by(f64::total_cmp);
        Ok(Value::map([
            ("median_s", Value::Float(seconds[runs / 2])),
            ("min_s", Value::Float(seconds[0])),
            ("max_s", Value::Float(seconds[runs - 1])),
            ("runs", runs.into()),
            ("first_s", Value::Float(first)),
        ]))
    }

    /// One computation by all parties, in seconds; they must agree on the result.
    async fn once(&self, function: &str, inputs: &[Value], run: usize) -> Result<f64, Failure> {
        let nodes = self.addresses.get(..inputs.len()).ok_or("fewer nodes than inputs")?;
        let uuid = format!("bench-{}-{function}-{run}", std::process::id());
        let computations = inputs.iter().enumerate().map(|(myself, data)| {
            let network = Network { nodes: nodes.to_vec(), myself, uuid: uuid.clone() };
            let arguments = [("microprotocol", function.into()), ("data", data.clone()), ("network", network.into())];
            let computation = self.clients[myself].create([("protocol", "Simon")]).attribute("compute").call(arguments);
            computation.download()
        });
        let computations: Vec<_> = computations.collect();
        let start = Instant::now();
        // Each on a task of its own, as on machines of their own.
        let answers = try_join_all(computations.into_iter().map(tokio::spawn)).await?;
        let took = start.elapsed().as_secs_f64();
        let answers = answers.into_iter().collect::<Result<Vec<_>, _>>()?;
        if answers.windows(2).any(|pair| pair[0] != pair[1]) {
            return Err(format!("{function}: the parties have different results").into());
        }
        Ok(took)
    }
}
