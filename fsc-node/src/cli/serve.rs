//! `fsc serve`: one node, until it is told to stop.

use std::future::Future;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::{Outcome, memory};
use crate::config::Config;
use crate::running::{Running, Setup};

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
    let setup = options.listen.map_or_else(Setup::new, |listen| Setup::new().listen(listen));
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(config.threads()).enable_all().build()?.block_on(serve(&config, setup))
}

async fn serve(config: &Config, setup: Setup) -> Outcome {
    let stop = stop_signal()?;
    let node = Running::start(config, setup).await?;
    announce(&node)?;
    node.run(stop).await;
    Ok(())
}

/// The lines on standard output by which scripts know that the node is ready, and where; and one that says which node it is,
/// if it has a key.
#[allow(clippy::print_stdout)]
fn announce(node: &Running) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for address in node.addresses() {
        writeln!(out, "listening on {address}")?;
    }
    if let Some(id) = node.id() {
        writeln!(out, "this is node {id}")?;
    }
    out.flush()
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

/// A panic's text may quote what it choked on; the place is enough to find the error.
fn silence_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
        tracing::error!("internal error (panic) at {place}");
    }));
}
