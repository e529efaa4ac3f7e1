//! `fsc invite`: lets another node in, by a code that one person tells another, and words that both compare.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use fsc_core::transport::{Address, Batch, Transport};
use fsc_transport::http::{ClientConfig, HttpTransport};
use fsc_transport::seal::invite::{Code, DECISION, Lookup, MOST_FAILURES, NotACode, Verdict};
use tokio::time::{Instant, sleep, sleep_until};

use super::{Outcome, terminal};
use crate::annex::{Annex, AnnexError};
use crate::config::{Config, ConfigError};
use crate::invitations::{self, Book, Joined, listing};

/// How often the files are looked at.
const LOOK: Duration = Duration::from_millis(200);

#[derive(Args)]
pub(crate) struct Options {
    /// The configuration of the node that invites, which runs
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Where the other node reaches this one, as <http://a.example.org:8001>; absent: where it listens
    #[arg(long, value_name = "ADDR")]
    address: Option<Address>,
    /// How long the code can be used
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=1440))]
    minutes: u64,
    /// Do not ask whether the words are the same at the other side: who has the code is let in
    #[arg(long)]
    yes: bool,
}

/// Why nobody was let in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InviteError {
    #[error("this node has no key: make one with `fsc keygen`, and name it under [identity] in its configuration")]
    NoKey,
    #[error("where do others reach this node? Say so by --address http://HOST:PORT")]
    NoAddress,
    #[error("{0} is no address that others can reach: expected something like http://a.example.org:8001")]
    Address(Address),
    #[error("this node does not run at {0}: start it by `fsc serve --config {config}`", config = _1.display())]
    NotRunning(Address, PathBuf),
    #[error("the invitation has expired, and nobody has used it: `fsc invite` makes another one")]
    Expired,
    #[error(
        "the invitation is void: {MOST_FAILURES} attempts to use it did not have the code, so somebody may be listening; `fsc invite` makes another one"
    )]
    Void,
    #[error(
        "the words differ, so somebody may sit between the two nodes: nobody is listed. Try another way to tell the code"
    )]
    Declined,
    #[error("the other side says that the words differ, or gave up: nobody is listed. `fsc invite` makes another code")]
    DeclinedThere,
    #[error("not both sides have agreed within {} minutes: nobody is listed. `fsc invite` makes another code", DECISION.as_secs() / 60)]
    Undecided,
    #[error("interrupted: the invitation is void")]
    Interrupted,
    #[error("can't keep the invitation where the node looks for it")]
    Keep(#[source] std::io::Error),
    #[error(transparent)]
    Terminal(#[from] std::io::Error),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Annex(#[from] AnnexError),
}

/// Invites, and waits for whoever joins.
pub(crate) fn run(options: &Options) -> Outcome {
    let config = Config::read(&options.config)?;
    Ok(terminal::until_interrupted(invite(options, &config))?.unwrap_or(Err(InviteError::Interrupted))?)
}

async fn invite(options: &Options, config: &Config) -> Result<(), InviteError> {
    let (Some(_), Some(annex)) = (config.key()?, config.annex()) else { return Err(InviteError::NoKey) };
    let address = match &options.address {
        Some(address) => address.clone(),
        None => config.reachable().ok_or(InviteError::NoAddress)?,
    };
    let is_running =
        async |at: &Address| HttpTransport::new(ClientConfig::default()).deliver(at, Batch::default()).await.is_ok();
    if let Some(local) = config.local()
        && !is_running(&local).await
    {
        return Err(InviteError::NotRunning(local, options.config.clone()));
    }
    let code = Code::draw(&address).map_err(|_: NotACode| InviteError::Address(address))?;
    let open = Open::new(config, annex, &code, options.minutes)?;
    present(&code, options.minutes)?;
    drop(code);
    let joined = open.joined().await?;
    open.decide(&joined, options.yes).await
}

fn present(code: &Code, minutes: u64) -> std::io::Result<()> {
    let text = code.to_string();
    terminal::say(&format!("whoever has this code can join, once, in the next {minutes} minutes:\n\n    {text}\n"))?;
    // What is written in capitals takes fewer squares.
    let has_path = text.matches('/').count() > 1;
    terminal::show(&if has_path { text } else { text.to_ascii_uppercase() })?;
    terminal::say("at the other side: fsc join CODE --config FILE")
}

/// An invitation that this process has made, and ends.
struct Open<'a> {
    config: &'a Config,
    annex: &'a Annex,
    book: Book,
    lookup: Lookup,
    until: Instant,
}

impl<'a> Open<'a> {
    fn new(config: &'a Config, annex: &'a Annex, code: &Code, minutes: u64) -> Result<Self, InviteError> {
        let (book, lookup, until) = (annex.book(), code.lookup(), Instant::now() + Duration::from_mins(minutes));
        book.sweep();
        book.open(lookup, &code.psk(), invitations::now() + 60 * minutes).map_err(InviteError::Keep)?;
        Ok(Self { config, annex, book, lookup, until })
    }

    /// Waits for somebody to join.
    async fn joined(&self) -> Result<Joined, InviteError> {
        loop {
            // In this order: who joins is noted before the invitation is gone.
            let is_open = self.book.is_open(self.lookup);
            if let Some(joined) = self.book.guest(self.lookup) {
                return Ok(joined);
            }
            if !is_open && self.book.verdict(self.lookup).is_some() {
                return Err(InviteError::Void);
            }
            if !is_open || Instant::now() >= self.until {
                return Err(InviteError::Expired);
            }
            sleep(LOOK).await;
        }
    }

    /// Asks both people, and lists who has joined if both agree.
    async fn decide(&self, joined: &Joined, is_sure: bool) -> Result<(), InviteError> {
        let Joined { id, address, words } = joined;
        let guest = id.parse().map_err(|error| std::io::Error::other(format!("{error}")))?;
        let listing = listing(guest, address.clone(), false);
        self.config.check(&listing)?;
        let until = Instant::now() + DECISION;
        let place = address.as_ref().map_or("it collects its mail here".to_owned(), |at| format!("at {at}"));
        terminal::say(&format!("node {id} wants to join ({place})\nwords: {words}"))?;
        let question = "Does the other side show these words, and this id?";
        let agrees = tokio::select! {
            agrees = terminal::agrees(question, is_sure) => agrees?,
            () = self.declined() => return Err(InviteError::DeclinedThere),
            () = sleep_until(until) => return Err(InviteError::Undecided),
        };
        if !agrees {
            return Err(InviteError::Declined);
        }
        if !self.agreed(until).await? {
            return Err(InviteError::DeclinedThere);
        }
        self.annex.list(&listing)?;
        self.book.judge(self.lookup, Verdict::Agreed).map_err(InviteError::Keep)?;
        terminal::say(&format!("node {id} is listed in {}", self.annex.nodes().display()))?;
        Ok(())
    }

    /// Completes when the other side has said no.
    async fn declined(&self) {
        while self.book.says(self.lookup) != Some(false) {
            sleep(LOOK).await;
        }
    }

    /// Waits for what the other side says.
    async fn agreed(&self, until: Instant) -> Result<bool, InviteError> {
        while Instant::now() < until {
            if let Some(agrees) = self.book.says(self.lookup) {
                return Ok(agrees);
            }
            sleep(LOOK).await;
        }
        Err(InviteError::Undecided)
    }
}

impl Drop for Open<'_> {
    /// Whatever has happened, the invitation ends here, and who has joined hears of it.
    fn drop(&mut self) {
        self.book.close(self.lookup);
        if self.book.guest(self.lookup).is_some() && self.book.verdict(self.lookup).is_none() {
            // If that can't be written, the other side waits until it gives up.
            let _ = self.book.judge(self.lookup, Verdict::Declined);
        }
    }
}
