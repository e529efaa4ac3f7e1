//! `fsc serve`: one node, from its configuration to its end.

use std::future::Future;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use fsc_core::clock::Runtime;
use fsc_core::identity::NodeId;
use fsc_core::node::Node;
use fsc_core::transport::{Handler, Transport};
#[cfg(feature = "http")]
use fsc_transport::http::{HttpTransport, Server};
use fsc_transport::seal::hail::Itself;
use fsc_transport::seal::{ForwardLimits, Seal};
#[cfg(feature = "serial")]
use fsc_transport::serial::{LineConfig, SerialTransport};
use fsc_transport::{Carriers, TokioRuntime};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::Config;
use crate::invitations::since_epoch;
use crate::learn::Learner;
use crate::{Outcome, memory};

/// How often an idle node lets go of what its clients forgot.
const SWEEP: Duration = Duration::from_secs(10);

/// How long a node waits after an error that does not pass by itself before it tries again.
const RECONSIDER: Duration = Duration::from_secs(30);

/// How long a node that stops takes at most to tell its peers.
const FAREWELL: Duration = Duration::from_secs(3);

/// What `fsc doctor` of others is told.
const ITSELF: Itself = Itself { time: since_epoch, release: env!("CARGO_PKG_VERSION") };

#[derive(Args)]
pub(crate) struct Options {
    /// Where to listen, as 127.0.0.1:8001; port 0 lets the system choose
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// The configuration file (TOML); `fsc` runs without one
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Runs a node until it is told to stop.
pub(crate) fn run(options: &Options) -> Outcome {
    let wanted = std::env::var("FSC_LOG").ok().and_then(|wanted| wanted.parse().ok());
    let wanted = wanted.unwrap_or_else(|| Targets::new().with_default(LevelFilter::WARN));
    tracing_subscriber::registry().with(fmt::layer().with_writer(std::io::stderr)).with(wanted).init();
    memory::use_one_arena();
    silence_panics();
    let config = options.config.as_deref().map(Config::read).transpose()?.unwrap_or_default();
    fsc_protocols::link();
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(config.threads()).enable_all().build()?.block_on(serve(options.listen, &config))
}

async fn serve(listen: Option<SocketAddr>, config: &Config) -> Outcome {
    let runtime = TokioRuntime::new();
    let wires = Wires::new();
    let seal = match config.key()? {
        Some(key) => {
            let (peers, carriers) = (Arc::new(config.peers()?), wires.carriers.clone());
            Some(Seal::new(key, peers, carriers, runtime.clone(), ForwardLimits::default()))
        }
        None => None,
    };
    let transport: Arc<dyn Transport> = match &seal {
        Some(seal) => Arc::new(seal.clone()),
        None => Arc::new(wires.carriers.clone()),
    };
    let node = Node::builder(runtime.clone(), transport)
        .policy(config.policy.clone())
        .quotas(config.quotas())
        .limits(config.runs())
        .build()?;
    let handler: Arc<dyn Handler> = match &seal {
        Some(seal) => seal.open(node.clone()),
        None => node.clone(),
    };
    let learner = learner(config, seal.as_ref(), &node);
    let handler = match (&seal, &learner) {
        (Some(seal), Some(learner)) => seal.answer(ITSELF, seal.receive(learner.clone(), handler)),
        _ => handler,
    };
    let stop = stop_signal()?;
    let stopped = async {
        stop.await;
        // Clients that wait for a result get an error that says so, and peers are told before the node is gone.
        node.runs().cancel_all();
    };
    let serving = wires.open(config, listen, &handler).await?;
    announce(&serving.addresses, seal.as_ref().and_then(Transport::identity))?;
    for (seal, keeper) in seal.iter().flat_map(|seal| config.keepers().into_iter().map(move |keeper| (seal, keeper))) {
        tokio::spawn(collect(seal.clone(), keeper, Arc::clone(&node)));
    }
    if let Some(learner) = &learner {
        tokio::spawn(Arc::clone(learner).watch());
    }
    tokio::spawn(sweep(Arc::clone(&node), seal, learner, runtime.clone()));
    serving.run(stopped).await;
    node.runs().drained(runtime.now() + FAREWELL).await;
    Ok(())
}

/// What lists nodes that join later, if this one has a key.
fn learner(config: &Config, seal: Option<&Seal>, node: &Arc<Node>) -> Option<Arc<Learner>> {
    Some(Arc::new(Learner::new(config, config.annex()?.clone(), seal?.clone(), Arc::clone(node))))
}

/// What carries the node's mail and requests.
struct Wires {
    carriers: Carriers,
    #[cfg(feature = "serial")]
    lines: Arc<SerialTransport>,
}

/// Where the node can be reached.
struct Serving {
    addresses: Vec<String>,
    #[cfg(feature = "http")]
    server: Option<Server>,
    /// Serial lines do not keep it.
    #[cfg(feature = "serial")]
    _handler: Arc<Arc<dyn Handler>>,
}

impl Wires {
    fn new() -> Self {
        let carriers = Carriers::new();
        #[cfg(feature = "http")]
        let carriers = carriers.with("http", HttpTransport::default());
        #[cfg(feature = "serial")]
        let lines = Arc::new(SerialTransport::new(LineConfig::default()).only_opened());
        #[cfg(feature = "serial")]
        let carriers = carriers.with("serial", Arc::clone(&lines));
        Self {
            carriers,
            #[cfg(feature = "serial")]
            lines,
        }
    }

    /// Opens the lines that the configuration names, and listens where it says.
    #[cfg_attr(not(feature = "http"), allow(clippy::unused_async))]
    async fn open(
        &self,
        config: &Config,
        listen: Option<SocketAddr>,
        handler: &Arc<dyn Handler>,
    ) -> Result<Serving, Box<dyn std::error::Error>> {
        let mut addresses = Vec::new();
        #[cfg(feature = "http")]
        let server = match config.server(listen)? {
            Some(server) => Some(Server::bind(server, Arc::clone(handler)).await?),
            None => None,
        };
        #[cfg(feature = "http")]
        addresses.extend(server.as_ref().map(|server| server.address().to_string()));
        #[cfg(not(feature = "http"))]
        config.refuse_to_listen(listen)?;
        #[cfg(feature = "serial")]
        let kept = Arc::new(Arc::clone(handler));
        #[cfg(feature = "serial")]
        self.lines.serve(&kept);
        #[cfg(feature = "serial")]
        for (address, line) in config.lines()? {
            self.lines.open(&address, line)?;
            addresses.push(address.to_string());
        }
        Ok(Serving {
            addresses,
            #[cfg(feature = "http")]
            server,
            #[cfg(feature = "serial")]
            _handler: kept,
        })
    }
}

impl Serving {
    /// Serves until `stopped` has come to its end.
    async fn run(self, stopped: impl Future<Output = ()>) {
        #[cfg(feature = "http")]
        if let Some(server) = self.server {
            return server.run(stopped).await;
        }
        stopped.await;
    }
}

/// The lines on standard output by which scripts know that the node is ready, and where; and one that says which node it is,
/// if it has a key.
#[allow(clippy::print_stdout)]
fn announce(addresses: &[String], id: Option<NodeId>) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for address in addresses {
        writeln!(out, "listening on {address}")?;
    }
    if let Some(id) = id {
        writeln!(out, "this is node {id}")?;
    }
    out.flush()
}

/// Collects mail for as long as the node runs. What is wrong may be mended at the other end, so it goes on.
pub(crate) async fn collect(seal: Seal, keeper: NodeId, node: Arc<Node>) {
    loop {
        let error = seal.collect(keeper, node.clone()).await;
        tracing::error!("mail can't be collected: {error}");
        tokio::time::sleep(RECONSIDER).await;
    }
}

/// Completes at SIGTERM or SIGINT.
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

async fn sweep(node: Arc<Node>, seal: Option<Seal>, learner: Option<Arc<Learner>>, runtime: TokioRuntime) {
    loop {
        runtime.sleep_until(runtime.now() + SWEEP).await;
        node.bus().sweep();
        node.runs().sweep();
        if let Some(seal) = &seal {
            seal.sweep();
        }
        if let Some(learner) = &learner {
            learner.sweep();
        }
    }
}

/// A panic's text may quote what it choked on; the place is enough to find the error.
fn silence_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
        tracing::error!("internal error (panic) at {place}");
    }));
}
