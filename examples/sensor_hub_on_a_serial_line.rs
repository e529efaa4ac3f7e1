//! A hub of sensors has nothing but a serial line to its gateway, and contributes to a mean over three sites. The gateway
//! passes its mail on to the waterworks, and can't read it. Here the line is a pair of pseudo-terminals; on a device it is
//! `serial:/dev/ttyUSB0?baud=115200` and `SerialTransport::open`.
#![allow(clippy::print_stdout)] // an example talks to its reader

use std::error::Error;
use std::sync::Arc;

use fsc_core::identity::NodeKey;
use fsc_core::node::Node;
use fsc_core::representation::Api;
use fsc_core::runs::Network;
use fsc_core::transport::{Address, Handler};
use fsc_core::value::{Array, Value};
use fsc_transport::seal::{ForwardLimits, Peer, Peers, Seal, Way};
use fsc_transport::serial::{LineConfig, SerialTransport};
use fsc_transport::{Carriers, Hub, TokioRuntime};
use futures_util::future::try_join_all;
use serial2_tokio::SerialPort;

const SITES: [&str; 3] = ["hub", "gateway", "waterworks"];
const BAUD: Option<u32> = Some(115_200);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    fsc_protocols::link();
    let keys = SITES.map(|_| NodeKey::generate());
    let ids = keys.each_ref().map(NodeKey::id);
    let (at_hub, at_gateway) = SerialPort::pair()?;
    let (lines, lan) = ([SerialTransport::default(), SerialTransport::default()].map(Arc::new), Hub::new());
    let gateway = lines[0].attach("gateway", at_hub, BAUD, LineConfig::default())?;
    let hub = lines[1].attach("hub", at_gateway, BAUD, LineConfig::default())?;
    let [to_gateway, to_waterworks]: [Address; 2] = ["local:gateway".parse()?, "local:waterworks".parse()?];

    // Whom each site knows, and how mail gets there.
    let by_gateway = |id| Peer { id, way: Way::By(ids[1]), forward: false };
    let forwarded = |id, address| Peer { forward: true, ..Peer::at(id, address) };
    let knows = [
        vec![Peer::at(ids[1], gateway), by_gateway(ids[2])],
        vec![forwarded(ids[0], hub), forwarded(ids[2], to_waterworks)],
        vec![Peer::at(ids[1], to_gateway), by_gateway(ids[0])],
    ];
    let carries = [
        Carriers::new().with("serial", lines[0].clone()),
        Carriers::new().with("serial", lines[1].clone()).with("local", lan.clone()),
        Carriers::new().with("local", lan.clone()),
    ];

    let (runtime, clients) = (TokioRuntime::new(), Hub::new());
    let (mut nodes, mut apis) = (Vec::new(), Vec::new());
    for (((site, key), peers), carriers) in SITES.into_iter().zip(keys).zip(knows).zip(carries) {
        let peers = Arc::new(Peers::new(peers, true));
        let seal = Seal::new(key, peers, carriers, runtime.clone(), ForwardLimits::default());
        let node = Node::builder(runtime.clone(), seal.clone()).build()?;
        let opened: Arc<Arc<dyn Handler>> = Arc::new(seal.open(node.clone()));
        match site {
            "hub" => lines[0].serve(&opened),
            "gateway" => lines[1].serve(&opened),
            _ => {}
        }
        lan.add(site, &opened)?;
        apis.push(Api::new(clients.clone(), runtime.clone(), clients.add(site, &node)?));
        nodes.push((node, opened)); // neither hubs nor lines keep them
    }

    let asked = apis.iter().enumerate().map(|(myself, api)| {
        let nodes = ids.into_iter().map(Address::of).collect();
        let network = Network { nodes, myself, uuid: "pressure".to_owned() };
        let arguments = [
            ("microprotocol", "StatisticsUnivariate".into()),
            ("data", Value::Array(readings(myself))),
            ("network", network.into()),
        ];
        api.create([("protocol", "Simon")]).attribute("compute").call(arguments).download()
    });
    for (site, answer) in SITES.into_iter().zip(try_join_all(asked).await?) {
        let result = answer.entry("result").ok_or("no result")?;
        let figure = |name| result.entry(name).and_then(Value::as_f64).unwrap_or(f64::NAN);
        println!("{site}: {} readings, mean {:.3} bar", figure("samples"), figure("mean"));
    }
    let line = lines[0].statistics(&"serial:gateway".parse()?).ok_or("no line")?;
    assert!(line.frames_in > 10 && line.bytes_out > 500, "they computed without the line: {line:?}");
    Ok(())
}

/// What the sensors of a site say.
fn readings(site: usize) -> Array {
    let pressure = |at: usize| 4.0 + 0.25 * site as f64 + 0.01 * (at % 7) as f64;
    Array::from_f64((0..50).map(pressure).collect()).expect("numbers are finite")
}
