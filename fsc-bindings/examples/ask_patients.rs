//! A client in Rust computes on the data of patients.c: `ask_patients PLACE URL URL URL`.
#![allow(clippy::print_stdout)] // an example talks to its reader

use std::error::Error;

use fsc_core::representation::Api;
use fsc_core::value::{Value, json};
use fsc_transport::TokioRuntime;
use fsc_transport::http::HttpTransport;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, place, nodes @ ..] = arguments.as_slice() else { return Err("PLACE URL URL URL".into()) };
    let place: usize = place.parse()?;
    let address = nodes.get(place).ok_or("there is no such place")?.parse()?;
    let api = Api::new(HttpTransport::default(), TokioRuntime::new(), address);
    let patients = api.create([("microservice", "Patients")]);
    let ages = patients.attribute("column").call([("name", "age".into())]).hold().await?.ok_or("a column")?;
    if ages.download().await.is_ok() {
        return Err("the column could be downloaded".into());
    }
    let nodes: Vec<Value> = nodes.iter().map(|node| node.as_str().into()).collect();
    let network = Value::map([("nodes", nodes.into()), ("myself", Value::from(place)), ("uuid", "ages".into())]);
    let compute = api.create([("protocol", "Simon")]).attribute("compute");
    let arguments = [("microprotocol", "SecureSum".into()), ("data", ages.to_value()), ("network", network)];
    let sum = compute.call(arguments).download().await?;
    println!("{}", String::from_utf8(json::to_vec(&sum))?);
    Ok(())
}
