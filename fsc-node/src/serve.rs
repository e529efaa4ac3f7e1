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
use fsc_core::transport::{Address, Handler, Transport};
use fsc_transport::TokioRuntime;
use fsc_transport::http::{ClientConfig, HttpTransport, Server};
use fsc_transport::seal::hail::Itself;
use fsc_transport::seal::{ForwardLimits, Seal};
use tracing_subscriber::EnvFilter;

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
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_env("FSC_LOG").unwrap_or_else(|_| EnvFilter::new("warn")))
        .with_writer(std::io::stderr)
        .init();
    memory::use_one_arena();
    silence_panics();
    let config = options.config.as_deref().map(Config::read).transpose()?.unwrap_or_default();
    fsc_protocols::link();
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(config.threads()).enable_all().build()?.block_on(serve(options.listen, &config))
}

async fn serve(listen: Option<SocketAddr>, config: &Config) -> Outcome {
    let runtime = TokioRuntime::new();
    let carrier = HttpTransport::new(ClientConfig::default());
    let (seal, transport): (_, Arc<dyn Transport>) = match config.key()? {
        Some(key) => {
            let peers = Arc::new(config.peers()?);
            let seal = Seal::new(key, peers, carrier, runtime.clone(), ForwardLimits::default());
            (Some(seal.clone()), Arc::new(seal))
        }
        None => (None, Arc::new(carrier)),
    };
    let node = Node::builder(runtime.clone(), transport)
        .policy(config.policy.clone())
        .quotas(config.quotas())
        .limits(config.runs())
        .build()?;
    let stop = stop_signal()?;
    let handler: Arc<dyn Handler> = match &seal {
        Some(seal) => seal.open(node.clone()),
        None => node.clone(),
    };
    let learner = learner(config, seal.as_ref(), &node);
    let handler = match (&seal, &learner) {
        (Some(seal), Some(learner)) => seal.answer(ITSELF, seal.receive(learner.clone(), handler)),
        _ => handler,
    };
    let server = Server::bind(config.server(listen)?, handler).await?;
    announce(&server.address(), seal.as_ref().and_then(Transport::identity))?;
    for (seal, keeper) in seal.iter().flat_map(|seal| config.keepers().into_iter().map(move |keeper| (seal, keeper))) {
        tokio::spawn(collect(seal.clone(), keeper, Arc::clone(&node)));
    }
    if let Some(learner) = &learner {
        tokio::spawn(Arc::clone(learner).watch());
    }
    tokio::spawn(sweep(Arc::clone(&node), seal, learner, runtime.clone()));
    server
        .run(async {
            stop.await;
            // Clients that wait for a result get an error that says so, and peers are told before the node is gone.
            node.runs().cancel_all();
        })
        .await;
    node.runs().drained(runtime.now() + FAREWELL).await;
    Ok(())
}

/// What lists nodes that join later, if this one has a key.
fn learner(config: &Config, seal: Option<&Seal>, node: &Arc<Node>) -> Option<Arc<Learner>> {
    Some(Arc::new(Learner::new(config, config.annex()?.clone(), seal?.clone(), Arc::clone(node))))
}

/// The line on standard output by which scripts know that the node is ready, and one that says which node it is, if it has a key.
#[allow(clippy::print_stdout)]
fn announce(address: &Address, id: Option<NodeId>) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "listening on {address}")?;
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
