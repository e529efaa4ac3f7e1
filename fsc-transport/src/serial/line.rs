//! One line: its link, the task that moves bytes, and those who wait.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use fsc_core::clock::{Time, random};
use fsc_core::transport::Address;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Notify, oneshot, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, sleep_until};

use super::codec;
use super::config::LineConfig;
use super::fault::Fault;
use super::link::{Event, Link, LinkConfig, Statistics, StreamId};
use super::mux::{AskId, Kind};
use super::port::{Opener, Stream};
use super::serving::Service;

/// Bytes that wait to be written where nobody sets the pace.
const WRITE_AHEAD: usize = 16 << 10;

/// How long the last word to the other end may take.
const FAREWELL: Duration = Duration::from_millis(500);

/// While the stream takes nothing, there is no hurry.
const BLOCKED: Duration = Duration::from_millis(20);

/// A reply: what it is, and its content.
type Reply = Result<(Kind, Bytes), Fault>;

/// A line that is open, or about to be. Dropping it closes it.
pub(super) struct Line {
    shared: Arc<Shared>,
}

/// What a line's task and its users share.
pub(super) struct Shared {
    pub(super) address: Address,
    pub(super) config: LineConfig,
    start: Instant,
    state: Mutex<State>,
    /// There is something to send.
    wake: Notify,
    /// Somebody asks though there is no port.
    wanted: Notify,
    seen: watch::Sender<Seen>,
    service: Service,
    ended: AtomicBool,
}

struct State {
    link: Link,
    asking: HashMap<AskId, oneshot::Sender<Reply>>,
    serving: HashMap<StreamId, AbortHandle>,
}

/// What is known of the other end.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// Connections so far.
    pub(super) connections: u64,
    /// Why there is none, after there was one.
    pub(super) lost: Option<Fault>,
}

impl Line {
    /// Opens a line by `opener` and drives it, until it is dropped. If it is `fleeting`, until its first opening has failed.
    pub(super) fn open(
        address: Address,
        config: LineConfig,
        link: LinkConfig,
        service: Service,
        opener: impl Opener,
        fleeting: bool,
    ) -> Self {
        let link = Link::new(link, Box::new(|| u32::from_le_bytes(random())));
        let state = Mutex::new(State { link, asking: HashMap::new(), serving: HashMap::new() });
        let (start, seen) = (Instant::now(), watch::Sender::new(Seen::default()));
        let (wake, wanted) = Default::default();
        let ended = AtomicBool::new(false);
        let shared = Arc::new(Shared { address, config, start, state, wake, wanted, seen, service, ended });
        tokio::spawn(drive(Arc::clone(&shared), opener, fleeting));
        Self { shared }
    }

    pub(super) fn address(&self) -> &Address {
        &self.shared.address
    }

    pub(super) fn config(&self) -> &LineConfig {
        &self.shared.config
    }

    pub(super) fn statistics(&self) -> Statistics {
        self.shared.state().link.statistics()
    }

    /// Whether nobody drives it any more.
    pub(super) fn has_ended(&self) -> bool {
        self.shared.ended.load(Ordering::Acquire)
    }

    pub(super) fn watch(&self) -> watch::Receiver<Seen> {
        self.shared.seen.subscribe()
    }

    /// Asks the other end. Dropping the future withdraws the question.
    pub(super) async fn ask(&self, kind: Kind, message: Bytes, patience: Option<Duration>) -> Reply {
        let (answer, answered) = oneshot::channel();
        let ask = {
            let mut state = self.shared.state();
            if state.link.is_unplugged() {
                // It may be back already: that is tried before the question is refused.
                state.link.tear();
                self.shared.wanted.notify_one();
            }
            let ask = state.link.ask(kind, message, patience, self.shared.now())?;
            state.asking.insert(ask, answer);
            ask
        };
        self.shared.wake.notify_one();
        let _withdrawal = Withdrawal { shared: &self.shared, ask };
        answered.await.unwrap_or(Err(Fault::ClosedHere))
    }

    pub(super) fn close(&self) {
        self.shared.state().link.close();
        self.shared.wake.notify_one();
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.close();
    }
}

/// Withdraws a question that nobody waits for any more; does nothing after its answer.
struct Withdrawal<'a> {
    shared: &'a Shared,
    ask: AskId,
}

impl Drop for Withdrawal<'_> {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        if state.asking.remove(&self.ask).is_some() {
            state.link.withdraw(self.ask);
            self.shared.wake.notify_one();
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Time {
        Time::from_start(self.start.elapsed())
    }

    /// Answers the other end's question.
    pub(super) fn reply(&self, stream: StreamId, kind: Kind, message: Bytes) -> Result<(), Fault> {
        let mut state = self.state();
        state.link.reply(stream, kind, message)?;
        state.serving.remove(&stream);
        self.wake.notify_one();
        Ok(())
    }

    /// Lets time pass and hands on what has happened. When to look again.
    fn look(self: &Arc<Self>) -> Instant {
        let mut state = self.state();
        let now = self.now();
        state.link.handle_timeout(now);
        while let Some(event) = state.link.poll_event() {
            self.hand_on(event, &mut state);
        }
        let next = state.link.poll_timeout().and_then(|at| self.start.checked_add(at.since_start()));
        // What never comes is looked for now and then.
        next.unwrap_or_else(|| Instant::now() + Duration::from_hours(1))
    }

    fn hand_on(self: &Arc<Self>, event: Event, state: &mut State) {
        match event {
            Event::Connected => {
                tracing::debug!(line = %self.address, "connected");
                self.seen.send_modify(|seen| {
                    *seen = Seen { connections: seen.connections + 1, lost: None };
                });
            }
            Event::Disconnected { fault } => {
                tracing::debug!(line = %self.address, %fault, "disconnected");
                self.seen.send_modify(|seen| seen.lost = Some(fault));
            }
            Event::Announced { stream, kind, .. } => {
                if let Err(failure) = self.service.admits(kind, &self.config) {
                    // A failure is short; an end that does not take even that gets nothing.
                    let _ = state.link.reply(stream, Kind::Failure, codec::failure_to_bytes(&failure));
                }
            }
            Event::Asked { stream, kind, message } => {
                let serving = self.service.serve(Arc::clone(self), stream, kind, message);
                state.serving.insert(stream, serving);
            }
            Event::Withdrawn { stream } => {
                if let Some(serving) = state.serving.remove(&stream) {
                    serving.abort();
                }
            }
            Event::Answered { ask, kind, message } => {
                if let Some(asking) = state.asking.remove(&ask) {
                    // Whoever asked may have left in this moment.
                    let _ = asking.send(Ok((kind, message)));
                }
            }
            Event::Failed { ask, fault } => {
                if let Some(asking) = state.asking.remove(&ask) {
                    let _ = asking.send(Err(fault));
                }
            }
        }
    }

    /// Waits for `work`, and lets the link live meanwhile. Nothing if the line is closed before.
    async fn meanwhile<T>(self: &Arc<Self>, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        loop {
            let next = self.look();
            if self.state().link.is_closed() {
                return None;
            }
            tokio::select! {
                result = &mut work => return Some(result),
                () = sleep_until(next) => {}
                () = self.wake.notified() => {}
            }
        }
    }
}

/// Opens the line, moves its bytes, and opens it again, until it is closed.
async fn drive(shared: Arc<Shared>, opener: impl Opener, fleeting: bool) {
    let _ending = Ending(&shared);
    let fault = keep_open(&shared, &opener, fleeting).await;
    shared.state().link.abandon(fault);
    shared.look();
}

/// The end of a line's task, even if that is dropped with its runtime: nobody may wait any longer.
struct Ending<'a>(&'a Shared);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.link.abandon(Fault::ClosedHere);
        state.asking.clear();
        self.0.ended.store(true, Ordering::Release);
    }
}

/// Completes when there is no use in going on, and says why.
async fn keep_open(shared: &Arc<Shared>, opener: &impl Opener, fleeting: bool) -> Fault {
    let mut was_open = false;
    loop {
        let Some(opened) = shared.meanwhile(opener.open()).await else { return Fault::ClosedHere };
        let why = match opened {
            Ok(stream) => {
                was_open = true;
                shared.state().link.plug_in(shared.now());
                let Some(why) = pump(shared, stream).await else { return Fault::ClosedHere };
                shared.state().link.tear();
                why
            }
            Err(error) => {
                let why = error.to_string();
                shared.state().link.unplug(&why);
                why
            }
        };
        tracing::debug!(line = %shared.address, why, "no bytes go or come");
        if opener.is_spent() || (fleeting && !was_open) {
            return Fault::Unplugged { why };
        }
        let pause = async {
            tokio::select! {
                () = sleep(shared.config.reopen) => {}
                () = shared.wanted.notified() => {}
            }
        };
        if shared.meanwhile(pause).await.is_none() {
            return Fault::ClosedHere;
        }
    }
}

/// Moves bytes until the stream fails, and says why; or until the line is closed.
async fn pump(shared: &Arc<Shared>, stream: Box<dyn Stream>) -> Option<String> {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let (mut input, mut output) = (vec![0; 4096], Output::default());
    let mut closing = None;
    loop {
        shared.look();
        let is_closed = output.fill(shared);
        let next = if output.is_empty() { shared.look() } else { shared.look().max(Instant::now() + BLOCKED) };
        if is_closed && (!output.is_due() || closing.get_or_insert_with(Instant::now).elapsed() > FAREWELL) {
            return None;
        }
        tokio::select! {
            read = reader.read(&mut input) => match read {
                Ok(0) => return Some("the stream has ended".to_owned()),
                Ok(count) => {
                    let bytes = input.get(..count).unwrap_or_default();
                    shared.state().link.handle_bytes(shared.now(), bytes);
                }
                Err(error) => return Some(error.to_string()),
            },
            wrote = output.advance(&mut writer), if output.is_due() => if let Err(error) = wrote {
                return Some(error.to_string());
            },
            () = sleep_until(next) => {}
            () = shared.wake.notified() => {}
        }
    }
}

/// What is to be written next.
#[derive(Default)]
struct Output {
    bytes: Vec<u8>,
    written: usize,
    /// The stream may still hold back what was written.
    unflushed: bool,
}

impl Output {
    fn is_empty(&self) -> bool {
        self.written >= self.bytes.len()
    }

    fn is_due(&self) -> bool {
        !self.is_empty() || self.unflushed
    }

    /// Writes a piece, or flushes when all is written. Dropping the future loses nothing.
    async fn advance(&mut self, writer: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        if self.is_empty() {
            writer.flush().await?;
            self.unflushed = false;
            return Ok(());
        }
        match writer.write(self.bytes.get(self.written..).unwrap_or_default()).await? {
            0 => Err(io::Error::other("the stream takes nothing")),
            count => {
                self.written += count;
                self.unflushed = true;
                Ok(())
            }
        }
    }

    /// Takes more of the link when all is written. Whether the link is closed.
    fn fill(&mut self, shared: &Shared) -> bool {
        let mut state = shared.state();
        if self.is_empty() {
            self.bytes.clear();
            self.written = 0;
            while self.bytes.len() < WRITE_AHEAD && state.link.poll_transmit(shared.now(), &mut self.bytes) {}
        }
        state.link.is_closed()
    }
}
