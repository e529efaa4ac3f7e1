//! Noticing that a node is gone.
//!
//! A process that dies takes its connections with it, so one connection per address is held open for nothing else than
//! to see it end. An end alone proves nothing (servers close idle connections), so then we knock: nobody there, another
//! life, or all well.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use fsc_core::transport::{Address, Batch, Life, TransportError};
use tokio::io::{AsyncReadExt, Interest};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep};

use super::pool::Pool;
use super::within;

/// Pauses before knocking again where nobody answered: a node that restarts in that time counts as restarted.
const KNOCKS: [Duration; 2] = [Duration::from_millis(15), Duration::from_millis(35)];

/// How long a knock may take.
const KNOCK: Duration = Duration::from_secs(5);

/// A connection that ends sooner was not closed for being idle; then the next one is delayed, more each time.
const BRIEF: Duration = Duration::from_secs(1);

/// The watches that somebody waits for.
#[derive(Clone, Default)]
pub(super) struct Watches(Arc<Mutex<HashMap<Address, Weak<Watch>>>>);

/// One address being watched, for all who wait for its end. Dropping it ends the watching.
pub(super) struct Watch {
    to: Address,
    seen: watch::Receiver<Seen>,
    task: AbortHandle,
}

/// What was last seen of a node.
#[derive(Clone, Debug, Default)]
enum Seen {
    /// Nothing yet.
    #[default]
    Unknown,
    /// It is there, in this life.
    Alive(Life),
    /// It is not there.
    Gone(TransportError),
}

impl Watch {
    /// The watch over the address of `pool`, begun if there is none.
    pub(super) fn over(watches: &Watches, pool: Arc<Pool>) -> Arc<Self> {
        let mut all = watches.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ended = |watch: &Watch| matches!(*watch.seen.borrow(), Seen::Gone(_));
        if let Some(watch) = all.get(pool.to()).and_then(Weak::upgrade).filter(|watch| !ended(watch)) {
            return watch;
        }
        all.retain(|_, watch| watch.strong_count() > 0);
        let to = pool.to().clone();
        let (see, seen) = watch::channel(Seen::Unknown);
        let task = tokio::spawn(keep_watching(pool, see)).abort_handle();
        let watch = Arc::new(Self { to: to.clone(), seen, task });
        all.insert(to, Arc::downgrade(&watch));
        watch
    }

    /// Completes when the node is gone, or is not in `life` any more.
    pub(super) async fn until_lost(&self, life: Life) -> TransportError {
        let mut seen = self.seen.clone();
        let lost = |seen: &Seen| match seen {
            Seen::Unknown => false,
            Seen::Alive(present) => *present != life,
            Seen::Gone(_) => true,
        };
        match seen.wait_for(lost).await.as_deref() {
            Ok(Seen::Gone(error)) => error.clone(),
            Ok(_) => TransportError::Restarted { to: self.to.clone() },
            // The task says that the node is gone before it ends, unless the runtime ends it.
            Err(_) => TransportError::Unreachable { to: self.to.clone(), why: "no longer watched".to_owned() },
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Watches until the node is gone.
async fn keep_watching(pool: Arc<Pool>, see: watch::Sender<Seen>) {
    let mut pause = Duration::ZERO;
    loop {
        let held = match knock(&pool, &see).await {
            Ok(held) => held,
            Err(error) => {
                see.send_replace(Seen::Gone(error));
                return;
            }
        };
        let since = Instant::now();
        until_closed(held).await;
        pause =
            if since.elapsed() < BRIEF { (pause * 2).clamp(Duration::from_millis(1), BRIEF) } else { Duration::ZERO };
        sleep(pause).await;
    }
}

/// Opens the connection to watch and asks the node which life it is in.
async fn knock(pool: &Pool, see: &watch::Sender<Seen>) -> Result<TcpStream, TransportError> {
    let mut knocks = KNOCKS.into_iter();
    loop {
        let there = async {
            let held = pool.connect().await?;
            match within(KNOCK, pool.to(), pool.deliver(Batch::default())).await {
                Ok(life) => {
                    see.send_replace(Seen::Alive(life));
                    Ok(held)
                }
                // Somebody is there, and may take mail later.
                Err(TransportError::Refused { .. }) => Ok(held),
                Err(error) => Err(error),
            }
        };
        match there.await {
            Ok(held) => return Ok(held),
            Err(error) => match knocks.next() {
                Some(pause) => sleep(pause).await,
                None => return Err(unreachable(error)),
            },
        }
    }
}

/// Whatever kept a knock from being answered, nobody can be reached.
fn unreachable(error: TransportError) -> TransportError {
    match error {
        TransportError::Broken { to, why } => TransportError::Unreachable { to, why },
        TransportError::TimedOut { to, .. } => TransportError::Unreachable { to, why: "it does not answer".to_owned() },
        error => error,
    }
}

/// Completes when the peer closes `held`. What it says before, which should be nothing, is dropped.
async fn until_closed(mut held: TcpStream) {
    let mut scrap = [0; 256];
    while held.ready(Interest::READABLE).await.is_ok() && matches!(held.read(&mut scrap).await, Ok(1..)) {}
}
