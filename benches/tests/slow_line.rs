//! Two nodes at the ends of a serial line, in simulated time: what the line takes, and nothing else.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // tests may panic, and these say what they measure

use std::sync::Arc;
use std::time::Duration;

use fsc_benches::adder::{self, Adder};
use fsc_core::bus::{Principal, Request};
use fsc_core::clock::{BoxFuture, Runtime, Time};
use fsc_core::identity::NodeKey;
use fsc_core::node::Node;
use fsc_core::representation::Api;
use fsc_core::runs::Network;
use fsc_core::transport::{Address, Answer, Handler, Transport};
use fsc_core::value::{Arguments, Array, Value};
use fsc_transport::Hub;
use fsc_transport::seal::{ForwardLimits, Peer, Peers, Seal};
use fsc_transport::serial::{LineConfig, SerialTransport};
use futures_util::future::join;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, duplex, split};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

/// What an adapter and its driver add, one way.
const ADAPTER: Duration = Duration::from_millis(1);

#[tokio::test(start_paused = true)]
async fn a_chain_takes_less_than_60_ms_at_115_200_baud() {
    let line = Ends::new(115_200);
    let took = line.chain().await;
    println!("create, attribute, call and download at 115,200 baud: {took:?}");
    assert!(took < Duration::from_millis(60), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_sum_of_a_hundred_values_takes_less_than_150_ms() {
    for baud in [115_200, 921_600] {
        let line = Ends::new(baud);
        let first = line.sum(false).await;
        let took = line.sum(false).await;
        println!("SecureSum of 100 values at {baud} baud: {took:?}, the first {first:?}");
        assert!(first < Duration::from_millis(150) && took < first, "{first:?}, {took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hundred_sums_take_little_more_than_their_shares() {
    for baud in [115_200, 921_600] {
        let line = Ends::new(baud);
        let first = line.sum(true).await;
        let took = line.sum(true).await;
        println!("100 sums at {baud} baud: {took:?}, the first {first:?}");
        // 100 shares of 16 bytes and 10 bits a byte, which both ends send at the same time.
        let shares = Duration::from_secs(16_000) / baud;
        assert!(took < shares + Duration::from_millis(100), "{took:?}");
    }
}

/// Two nodes, and a client at each.
struct Ends {
    nodes: [Arc<Node>; 2],
    clients: [Api; 2],
    ids: [Address; 2],
    lines: [Arc<SerialTransport>; 2],
    there: Address,
    _handlers: [Arc<Arc<dyn Handler>>; 2],
}

impl Ends {
    fn new(baud: u32) -> Self {
        let runtime = Leap(Instant::now());
        let [(near, one), (far, other)] = [duplex(1 << 16), duplex(1 << 16)];
        let ((from_one, to_one), (from_other, to_other)) = (split(one), split(other));
        tokio::spawn(carry(from_one, to_other, baud));
        tokio::spawn(carry(from_other, to_one, baud));
        let keys = [1, 2].map(|seed| NodeKey::from_bytes(&[seed; 32]));
        let hub = Hub::new();
        let lines = [near, far].map(|stream| {
            let line = SerialTransport::default();
            let config = LineConfig { principal: Some(Principal::new("line")), ..LineConfig::default() };
            line.attach("line", stream, Some(baud), config).unwrap();
            Arc::new(line)
        });
        let there: Address = "serial:line".parse().unwrap();
        let parts = [0, 1].map(|place| {
            let peer = Peer::at(keys[1 - place].id(), there.clone());
            let peers = Arc::new(Peers::new([peer], true));
            let line = Arc::clone(&lines[place]);
            let seal = Seal::new(keys[place].clone(), peers, line, runtime.clone(), ForwardLimits::default());
            let node = Node::builder(runtime.clone(), seal.clone());
            let node = node.object("Adder", adder::describe(), Arc::new(Adder(0))).build().unwrap();
            let handler = Arc::new(seal.open(node.clone()));
            lines[place].serve(&handler);
            let at = hub.add(&place.to_string(), &node).unwrap();
            (node, Api::new(hub.clone(), runtime.clone(), at), handler)
        });
        let [(one, client, handler), (other, other_client, other_handler)] = parts;
        Self {
            nodes: [one, other],
            clients: [client, other_client],
            ids: keys.map(|key| Address::of(key.id())),
            lines,
            there,
            _handlers: [handler, other_handler],
        }
    }

    /// A hundred values of each, summed into one or, if `elementwise`, into a hundred.
    async fn sum(&self, elementwise: bool) -> Duration {
        assert_eq!(self.nodes.iter().map(|node| node.runs().len()).sum::<usize>(), 0);
        let began = Instant::now();
        let asked = [0, 1].map(|place| {
            let network = Network { nodes: self.ids.to_vec(), myself: place, uuid: "line".to_owned() };
            let data = Array::from_f64((0..100).map(f64::from).collect()).unwrap();
            let arguments = [
                ("microprotocol", "SecureSum".into()),
                ("data", Value::Array(data)),
                ("network", network.into()),
                ("parameters", Value::map([("elementwise", elementwise)])),
            ];
            let simon = self.clients[place].create([("protocol", "Simon")]);
            simon.attribute("compute").call(arguments.into_iter().collect::<Arguments>()).download()
        });
        let [one, other] = asked;
        let (one, other) = join(one, other).await;
        let sums = one.unwrap();
        assert_eq!(sums, other.unwrap());
        let sums = sums.entry("result").and_then(|result| result.entry("sum")).unwrap();
        let many = if let Value::Array(sums) = sums { sums.len() } else { 1 };
        assert_eq!(many, if elementwise { 100 } else { 1 });
        began.elapsed()
    }

    /// What a client at one end asks the node at the other, in one request.
    async fn chain(&self) -> Duration {
        let ask = || self.lines[0].request(&self.there, Request::Chain(adder::chain()));
        // The ends have met.
        ask().await.unwrap();
        let began = Instant::now();
        assert_eq!(ask().await.unwrap(), Answer::Object(Value::Int(42)));
        began.elapsed()
    }
}

/// Passes bytes on as fast as a line does with 8 bits, no parity and one stop bit.
async fn carry(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin + Send + 'static, baud: u32) {
    let (on_the_line, mut arriving) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    tokio::spawn(async move {
        while let Some((at, bytes)) = arriving.recv().await {
            sleep_until(at).await;
            let _ = to.write_all(&bytes).await;
        }
    });
    let mut bytes = [0; 32];
    let mut sent = Instant::now();
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        sent = sent.max(Instant::now()) + Duration::from_secs(10 * read as u64) / baud;
        sleep_until(sent).await;
        let _ = on_the_line.send((sent + ADAPTER, bytes[..read].to_vec()));
    }
}

/// Time that passes when there is nothing else to do.
#[derive(Clone)]
struct Leap(Instant);

impl Runtime for Leap {
    fn now(&self) -> Time {
        Time::from_start(self.0.elapsed())
    }

    fn sleep_until(&self, at: Time) -> BoxFuture<()> {
        Box::pin(sleep_until(self.0 + at.since_start()))
    }

    fn spawn(&self, task: BoxFuture<()>) {
        tokio::spawn(task);
    }

    /// At once: what is computed takes no time here.
    fn offload(&self, work: Box<dyn FnOnce() + Send>) -> BoxFuture<()> {
        work();
        Box::pin(std::future::ready(()))
    }
}
