//! `fsc join`: joins a node that has invited this one.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use fsc_core::transport::Address;
use fsc_transport::http::{ClientConfig, HttpTransport};
use fsc_transport::seal::invite::{self, Code, DECISION, JoinError, Joined, NotACode, Verdict};
use tokio::time::{Instant, sleep};

use super::{Outcome, terminal};
use crate::annex::AnnexError;
use crate::config::{Config, ConfigError};
use crate::invitations::listing;

/// How often the other side is asked what it says.
const ASK: Duration = Duration::from_millis(500);

#[derive(Args)]
pub(crate) struct Options {
    /// What `fsc invite` shows at the other side
    code: String,
    /// The configuration of the node that joins
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Where the other node reaches this one, as <http://b.example.org:8002>; absent: nowhere, and this node collects its mail there
    #[arg(long, value_name = "ADDR")]
    address: Option<Address>,
    /// Do not ask whether the words are the same at the other side: who has the code is trusted
    #[arg(long)]
    yes: bool,
}

/// Why this node has not joined.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotJoined {
    #[error("this node has no key: make one with `fsc keygen`, and name it under [identity] in its configuration")]
    NoKey,
    #[error(transparent)]
    Code(#[from] NotACode),
    #[error("{0} is no address of this node: expected something like http://b.example.org:8002")]
    Address(Address),
    #[error(transparent)]
    Join(#[from] JoinError),
    #[error(
        "the words differ, so somebody may sit between the two nodes: nobody is listed. Ask for another code, told another way"
    )]
    Declined,
    #[error("the other side says that the words differ, or gave up: nobody is listed. Ask for another code")]
    DeclinedThere,
    #[error(
        "the other side has not agreed within {} minutes: nobody is listed here. Ask for another code, also if this node is listed there",
        DECISION.as_secs() / 60
    )]
    Undecided,
    #[error("interrupted: nobody is listed here")]
    Interrupted,
    #[error(transparent)]
    Terminal(#[from] std::io::Error),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Annex(#[from] AnnexError),
}

/// Joins by a code.
pub(crate) fn run(options: &Options) -> Outcome {
    let config = Config::read(&options.config)?;
    Ok(terminal::until_interrupted(join(options, &config))?.unwrap_or(Err(NotJoined::Interrupted))?)
}

async fn join(options: &Options, config: &Config) -> Result<(), NotJoined> {
    let (Some(key), Some(annex)) = (config.key()?, config.annex()) else { return Err(NotJoined::NoKey) };
    let code: Code = options.code.parse()?;
    let can_be_listed = |address: &&Address| address.scheme() == "http" && address.place().as_ref() == Some(address);
    if let Some(address) = options.address.as_ref().filter(|address| !can_be_listed(address)) {
        return Err(NotJoined::Address(address.clone()));
    }
    let carrier = HttpTransport::new(ClientConfig::default());
    let mut joined = invite::join(&carrier, &key, &code, options.address.as_ref()).await?;
    let host = joined.host();
    let listing = listing(host, Some(code.address().to_string()), options.address.is_none());
    config.check(&listing)?;
    terminal::say(&format!("node {host} has invited this one, {}\nwords: {}", key.id(), joined.words()))?;
    if !terminal::agrees("Does the other side show these words, and this node's id?", options.yes).await? {
        // Whether it hears that or not, nobody is listed.
        let _ = joined.ask(&carrier, code.address(), false).await;
        return Err(NotJoined::Declined);
    }
    match verdict(&mut joined, &carrier, code.address()).await? {
        Verdict::Declined => return Err(NotJoined::DeclinedThere),
        Verdict::Agreed => {}
    }
    annex.list(&listing)?;
    terminal::say(&format!("node {host} is listed in {}", annex.nodes().display()))?;
    Ok(())
}

/// Says yes, until it is known what became of it.
async fn verdict(joined: &mut Joined, carrier: &HttpTransport, at: &Address) -> Result<Verdict, NotJoined> {
    terminal::say("waiting for the other side to agree")?;
    let until = Instant::now() + DECISION;
    while Instant::now() < until {
        match joined.ask(carrier, at, true).await {
            Ok(Some(verdict)) => return Ok(verdict),
            Err(JoinError::Transport(error)) if !error.is_passing() => return Err(JoinError::from(error).into()),
            Err(error @ JoinError::Answer(_)) => return Err(error.into()),
            Ok(None) | Err(_) => sleep(ASK).await,
        }
    }
    Err(NotJoined::Undecided)
}
