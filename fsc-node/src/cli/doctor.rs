//! `fsc doctor`: what is wrong with a node's surroundings, and what to do about it.
//!
//! Each finding is a line: `ok` or `fix`, what it is about, and a sentence.

mod peers;

use std::io::{self, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use fsc_core::identity::NodeKey;
use fsc_core::transport::{Address, Batch, Transport, TransportError};
use fsc_transport::http::{ClientConfig, HttpTransport};
use fsc_transport::seal::hail::Hail;

use self::peers::Round;
use super::Outcome;
use crate::config::Config;

/// How long a node may take to say that it is there.
const QUICK: Duration = Duration::from_secs(3);

/// How long a node may take that tries to reach others before it answers, by half.
const PATIENT: Duration = Duration::from_secs(10);

#[derive(Args)]
pub(crate) struct Options {
    /// The configuration of the node
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// Something is to be fixed; what, was said.
#[derive(Debug, thiserror::Error)]
#[error("{0} of the above is to be fixed")]
pub(crate) struct ToFix(usize);

/// What was found so far.
struct Report {
    out: io::Stdout,
    fixes: usize,
}

impl Report {
    fn ok(&mut self, about: &str, what: &str) -> io::Result<()> {
        writeln!(self.out, "ok   {about}: {what}")
    }

    fn fix(&mut self, about: &str, what: &str) -> io::Result<()> {
        self.fixes += 1;
        writeln!(self.out, "fix  {about}: {what}")
    }

    fn note(&mut self, about: &str, finding: Result<String, String>) -> io::Result<()> {
        match finding {
            Ok(what) => self.ok(about, &what),
            Err(what) => self.fix(about, &what),
        }
    }
}

/// How nodes are asked: those that answer at once, and those that try to reach others first.
struct Carriers {
    quick: HttpTransport,
    patient: HttpTransport,
}

impl Carriers {
    fn new() -> Self {
        let within =
            |delivery| HttpTransport::new(ClientConfig { connect: QUICK, delivery, ..ClientConfig::default() });
        Self { quick: within(QUICK), patient: within(PATIENT) }
    }
}

/// Looks at everything, and says what is to be fixed.
pub(crate) fn run(options: &Options) -> Outcome {
    let mut report = Report { out: io::stdout(), fixes: 0 };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(examine(options, &mut report))?;
    runtime.shutdown_background();
    if report.fixes == 0 { Ok(()) } else { Err(ToFix(report.fixes).into()) }
}

async fn examine(options: &Options, report: &mut Report) -> io::Result<()> {
    let file = options.config.display().to_string();
    let config = match Config::read(&options.config) {
        Ok(config) => config,
        Err(error) => return report.fix("configuration", &told(&error)),
    };
    report.ok("configuration", &format!("{file} can be read"))?;
    let key = match config.key() {
        Ok(Some(key)) => key,
        Ok(None) => {
            let why = "this node has none, so it takes part with nodes on its own machine only; `fsc keygen` makes one";
            report.ok("key", why)?;
            return listen(options, &config, None, &Carriers::new(), report).await.map(drop);
        }
        Err(error) => return report.fix("key", &told(&error)),
    };
    report.ok("key", &format!("its owner alone can read it; this is node {}", key.id()))?;
    let carriers = Carriers::new();
    let running = listen(options, &config, Some(&key), &carriers, report).await?;
    match config.peers() {
        Ok(peers) => Round { peers: peers.all(), key: &key, running, carriers: &carriers, report }.go().await,
        Err(error) => report.fix("nodes", &told(&error)),
    }
}

/// Looks where the node listens. Answers where it runs, if it does.
async fn listen(
    options: &Options,
    config: &Config,
    key: Option<&NodeKey>,
    carriers: &Carriers,
    report: &mut Report,
) -> io::Result<Option<Address>> {
    let server = match config.server(None, false) {
        Ok(Some(server)) => server,
        Ok(None) => {
            let why =
                "it is reached by serial lines, or collects its mail; with `listen` it could be asked for more here";
            return report.ok("listen", why).map(|()| None);
        }
        Err(error) => return report.fix("listen", &told(&error)).map(|()| None),
    };
    let Some(local) = config.local() else {
        let why = "the system chooses the port; name one for others to reach this node";
        return report.ok("listen", why).map(|()| None);
    };
    match there(&local, key, carriers).await {
        Ok(()) => report.ok("listen", &format!("this node runs at {local}")).map(|()| Some(local)),
        Err(TransportError::Unreachable { .. }) => {
            let free = TcpListener::bind(server.listen);
            let start = format!("`fsc serve --config {}` starts this node", options.config.display());
            let finding = match free {
                Ok(_) => Ok(format!("{} is free: {start}", server.listen)),
                Err(error) => Err(format!("{} can't be had: {error}; choose another one", server.listen)),
            };
            report.note("listen", finding).map(|()| None)
        }
        Err(TransportError::Refused { failure, .. }) if failure.code == 421 => {
            let why = format!("another node runs at {local} ({failure}): stop it, or choose another port");
            report.fix("listen", &why).map(|()| None)
        }
        Err(TransportError::Refused { failure, .. }) if failure.code == 429 => {
            report.fix("listen", &format!("{failure}")).map(|()| Some(local))
        }
        Err(error) => {
            let why =
                format!("something else than this node listens at {local} ({error}): stop it, or choose another port");
            report.fix("listen", &why).map(|()| None)
        }
    }
}

/// Whether it is this node that answers there.
async fn there(at: &Address, key: Option<&NodeKey>, carriers: &Carriers) -> Result<(), TransportError> {
    carriers.quick.deliver(at, Batch::default()).await?;
    match key {
        Some(key) => Hail::default().ask(&carriers.quick, key, key.id(), at).await.map(drop),
        None => Ok(()),
    }
}

/// An error and what caused it, in a line.
fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}, because: {error}");
        cause = error.source();
    }
    text
}
