//! The transport of all addresses that begin with `serial:`.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use fsc_core::bus::{Failure, Request};
use fsc_core::transport::{Address, Answer, Assurance, Batch, Handler, Life, NotAnAddress, Transport, TransportError};

use super::address::{Options, Place};
use super::codec;
use super::config::LineConfig;
use super::fault::Fault;
use super::line::Line;
use super::link::Statistics;
use super::mux::Kind;
use super::port::{Once, Opener, Stream};
use super::serving::Service;

/// Lines that may be open at once.
const MOST_LINES: usize = 64;

/// Addresses that are remembered, of as many lines or less.
const MOST_ADDRESSES: usize = 4 * MOST_LINES;

/// A [`Transport`] over serial lines and other streams of bytes. Needs a tokio runtime.
///
/// A line has two ends, which are alike: each may ask, and each answers what the other asks if a node [`serves`](Self::serve)
/// there. A line is opened when it is first needed, or by [`open`](Self::open), and stays open.
///
/// ```no_run
/// # async fn example(node: std::sync::Arc<fsc_core::node::Node>) -> Result<(), Box<dyn std::error::Error>> {
/// use fsc_core::bus::{Principal, Request};
/// use fsc_core::transport::Transport;
/// use fsc_transport::serial::{LineConfig, SerialTransport};
///
/// let lines = SerialTransport::default();
/// // What comes in over any line is for our node; over this one, requests are made as `bench`.
/// lines.serve(&node);
/// let line = "serial:/dev/ttyUSB0?baud=115200".parse()?;
/// lines.open(&line, LineConfig { principal: Some(Principal::new("bench")), ..LineConfig::default() })?;
/// // And the node at the other end may be asked.
/// println!("{:?}", lines.request(&line, Request::List).await?);
/// # Ok(())
/// # }
/// ```
pub struct SerialTransport {
    config: LineConfig,
    only_opened: bool,
    service: Service,
    lines: Mutex<Lines>,
}

#[derive(Default)]
struct Lines {
    by_address: HashMap<Address, Arc<Line>>,
    /// Lines of streams that were attached. They stay when they have ended, and say so.
    attached: HashMap<Address, Arc<Line>>,
    /// Two addresses of one device have one line.
    by_device: HashMap<String, Device>,
}

impl Lines {
    /// The line at an address, if one is open or was attached there.
    fn at(&self, address: &Address) -> Option<&Arc<Line>> {
        self.attached.get(address).or_else(|| self.by_address.get(address).filter(|line| !line.has_ended()))
    }

    fn all(&self) -> impl Iterator<Item = (&Address, &Arc<Line>)> {
        self.attached.iter().chain(&self.by_address)
    }
}

struct Device {
    options: Options,
    line: Arc<Line>,
}

impl SerialTransport {
    /// A transport without lines yet. Those that are opened as they are needed behave as `config` says.
    pub fn new(config: LineConfig) -> Self {
        Self { config, only_opened: false, service: Service::default(), lines: Mutex::default() }
    }

    /// No line is opened because somebody names it: for nodes whose clients should not choose which ports are used.
    #[must_use]
    pub fn only_opened(mut self) -> Self {
        self.only_opened = true;
        self
    }

    /// Lets `handler` answer what comes in over all lines, as long as somebody keeps it.
    pub fn serve<H: Handler>(&self, handler: &Arc<H>) {
        self.service.set(handler);
    }

    /// Opens the line at `address` and keeps it open, also while its port is not there: for ends that wait to be asked, and
    /// for what should not behave as the others.
    pub fn open(&self, address: &Address, config: LineConfig) -> Result<(), TransportError> {
        self.line_at(address, config, false).map(|_| ())
    }

    /// Takes `stream` for a line, at the address `serial:NAME`, in place of the one that was there. When it ends, so does the
    /// line. Where it leads to a UART, `baud` sets the pace, so that small messages do not wait behind buffers full of large
    /// ones.
    pub fn attach(
        &self,
        name: &str,
        stream: impl Stream,
        baud: Option<u32>,
        config: LineConfig,
    ) -> Result<Address, NotAnAddress> {
        self.attach_opener(name, Once::new(stream), baud, config)
    }

    /// Takes the streams of `opener` for a line, at the address `serial:NAME`, in place of the one that was there. When one
    /// ends, the line goes on with the next.
    pub fn attach_opener(
        &self,
        name: &str,
        opener: impl Opener,
        baud: Option<u32>,
        config: LineConfig,
    ) -> Result<Address, NotAnAddress> {
        let address: Address = format!("serial:{name}").parse()?;
        let link = config.link(Options { baud, ..Options::default() });
        let line = Line::open(address.clone(), config, link, self.service.clone(), opener, false);
        let mut lines = self.lines();
        if let Some(line) = lines.attached.insert(address.clone(), Arc::new(line)) {
            line.close();
        }
        if lines.attached.len() > MOST_LINES {
            // They have said for long enough that they have ended.
            lines.attached.retain(|_, line| !line.has_ended());
        }
        Ok(address)
    }

    /// Closes the line at `address` and tells the other end. What is pending there fails.
    pub fn close(&self, address: &Address) {
        let mut lines = self.lines();
        if let Some(line) = lines.attached.remove(address) {
            line.close();
        }
        if let Some(line) = lines.by_address.remove(address) {
            line.close();
            lines.by_address.retain(|_, other| !Arc::ptr_eq(other, &line));
            lines.by_device.retain(|_, other| !Arc::ptr_eq(&other.line, &line));
        }
    }

    /// Closes all lines.
    pub fn close_all(&self) {
        let mut lines = self.lines();
        let Lines { by_address, attached, by_device } = &mut *lines;
        by_device.clear();
        for (_, line) in attached.drain().chain(by_address.drain()) {
            line.close();
        }
    }

    /// What went over the line at `address` so far, if it is open.
    pub fn statistics(&self, address: &Address) -> Option<Statistics> {
        self.lines().at(address).map(|line| line.statistics())
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn line(&self, to: &Address) -> Result<Arc<Line>, TransportError> {
        if let Some(line) = self.lines().at(to) {
            return Ok(Arc::clone(line));
        }
        if self.only_opened && to.scheme() == "serial" {
            let why = "no such line is open here, and this node's operator opens all lines".to_owned();
            return Err(TransportError::Unreachable { to: to.clone(), why });
        }
        self.line_at(to, self.config.clone(), true)
    }

    fn line_at(&self, to: &Address, config: LineConfig, fleeting: bool) -> Result<Arc<Line>, TransportError> {
        if to.scheme() != "serial" {
            return Err(TransportError::NoTransport { to: to.clone() });
        }
        let unreachable = |why| TransportError::Unreachable { to: to.clone(), why };
        let place = Place::of(to).map_err(unreachable)?;
        let (key, options) = (place.device.key(), place.options);
        let mut lines = self.lines();
        lines.by_address.retain(|_, line| !line.has_ended());
        lines.by_device.retain(|_, device| !device.line.has_ended());
        if let Some(device) = lines.by_device.get(&key) {
            let line = Arc::clone(&device.line);
            let differ = device.options != options;
            if differ || (!fleeting && *line.config() != config) {
                let what = if differ { "options" } else { "configuration" };
                let why = format!("it is open as {} already: use one address, or the same {what}", line.address());
                return Err(unreachable(why));
            }
            if lines.by_address.len() < MOST_ADDRESSES {
                lines.by_address.insert(to.clone(), Arc::clone(&line));
            }
            return Ok(line);
        }
        if lines.by_device.len() >= MOST_LINES {
            return Err(unreachable(format!("{MOST_LINES} lines are open already: close one")));
        }
        let link = config.link(options);
        let line = Arc::new(Line::open(to.clone(), config, link, self.service.clone(), place, fleeting));
        lines.by_address.insert(to.clone(), Arc::clone(&line));
        lines.by_device.insert(key, Device { options, line: Arc::clone(&line) });
        Ok(line)
    }

    /// Asks, and reads what is no failure.
    async fn ask(&self, to: &Address, line: &Line, kind: Kind, message: Bytes) -> Result<(Kind, Bytes), Asked> {
        let config = line.config();
        let patience = if kind == Kind::Request { config.request } else { Some(config.delivery) };
        match line.ask(kind, message, patience).await {
            Ok((Kind::Failure, message)) => {
                let failure = codec::failure(message, config.values).await;
                Err(Asked::Error(failure.map_or_else(
                    |why| TransportError::Garbled { to: to.clone(), why },
                    |failure| TransportError::Refused { to: to.clone(), failure },
                )))
            }
            Ok(reply) => Ok(reply),
            Err(Fault::Restarted) => Err(Asked::Restarted),
            Err(fault) => Err(Asked::Error(error(to, &fault))),
        }
    }
}

/// Why there is no answer.
enum Asked {
    /// The other end knows nothing of the question.
    Restarted,
    Error(TransportError),
}

impl Default for SerialTransport {
    fn default() -> Self {
        Self::new(LineConfig::default())
    }
}

impl Drop for SerialTransport {
    fn drop(&mut self) {
        self.lines().all().for_each(|(_, line)| line.close());
    }
}

impl fmt::Debug for SerialTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.lines().all().map(|(address, _)| address)).finish()
    }
}

#[async_trait]
impl Transport for SerialTransport {
    async fn request(&self, to: &Address, request: Request) -> Result<Answer, TransportError> {
        let line = self.line(to)?;
        let message = codec::request_to_bytes(&request);
        drop(request);
        let garbled = |why| TransportError::Garbled { to: to.clone(), why };
        match self.ask(to, &line, Kind::Request, message).await {
            Ok((Kind::Answer, message)) => codec::answer(message, line.config().values).await.map_err(garbled),
            Ok(_) => Err(garbled("the answer to a request is none".to_owned())),
            Err(Asked::Restarted) => Err(TransportError::Restarted { to: to.clone() }),
            Err(Asked::Error(error)) => Err(error),
        }
    }

    /// Mail is safe to repeat: an end that was restarted meanwhile gets it too, and says that it lives anew.
    async fn deliver(&self, to: &Address, batch: Batch) -> Result<Life, TransportError> {
        let line = self.line(to)?;
        let message = joined(batch);
        let mut reply = self.ask(to, &line, Kind::Mail, message.clone()).await;
        if matches!(reply, Err(Asked::Restarted)) {
            reply = self.ask(to, &line, Kind::Mail, message).await;
        }
        match reply {
            Ok((Kind::Life, life)) if life.len() == 16 => {
                let mut bytes = [0; 16];
                bytes.copy_from_slice(&life);
                Ok(Life(bytes))
            }
            Ok(_) => Err(TransportError::Garbled { to: to.clone(), why: "the receipt for mail is none".to_owned() }),
            Err(Asked::Restarted) => Err(TransportError::Restarted { to: to.clone() }),
            Err(Asked::Error(error)) => Err(error),
        }
    }

    /// A new connection may mean a new life, so it is asked for at the beginning of each.
    async fn lost(&self, to: &Address, life: Life) -> TransportError {
        loop {
            let mut seen = match self.line(to) {
                Ok(line) => line.watch(),
                Err(error) => return unreachable(error),
            };
            let connections = seen.borrow_and_update().connections;
            match self.deliver(to, Batch::default()).await {
                Ok(present) if present != life => return TransportError::Restarted { to: to.clone() },
                // Somebody is there, and may take mail later.
                Ok(_) | Err(TransportError::Refused { .. }) => {}
                Err(TransportError::Restarted { .. }) => continue,
                Err(error) => return unreachable(error),
            }
            let changed = seen.wait_for(|seen| seen.connections != connections || seen.lost.is_some()).await;
            if let Ok(seen) = changed
                && let Some(fault) = seen.lost.clone().filter(|fault| *fault != Fault::Restarted)
            {
                return unreachable(error(to, &fault));
            }
        }
    }

    /// Whoever holds the wires may listen and interfere.
    fn assurance(&self, _: &Address) -> Assurance {
        Assurance::None
    }
}

/// What a fault is to those who know no lines.
fn error(to: &Address, fault: &Fault) -> TransportError {
    let (to, why) = (to.clone(), fault.to_string());
    let refused = |code| TransportError::Refused { to: to.clone(), failure: Failure::new(code, why.clone()) };
    match fault {
        Fault::Restarted => TransportError::Restarted { to },
        Fault::Silent { .. } | Fault::Closed | Fault::ClosedHere => TransportError::Broken { to, why },
        Fault::NobodyAnswers { .. } | Fault::Unplugged { .. } => TransportError::Unreachable { to, why },
        Fault::Garbled { .. } | Fault::Mismatch(_) => TransportError::Garbled { to, why },
        Fault::NotOffered { .. } => refused(403),
        Fault::TooLong { .. } => refused(413),
        Fault::TooMany { .. } => refused(429),
        Fault::TimedOut { seconds } => TransportError::TimedOut { to, seconds: *seconds },
    }
}

/// Whatever was the reason, the other end can't be reached.
fn unreachable(error: TransportError) -> TransportError {
    match error {
        TransportError::Broken { to, why } => TransportError::Unreachable { to, why },
        TransportError::TimedOut { to, .. } => TransportError::Unreachable { to, why: "it does not answer".to_owned() },
        error => error,
    }
}

/// The batch in one piece.
fn joined(batch: Batch) -> Bytes {
    let length = batch.len();
    let mut pieces = batch.pieces;
    if pieces.len() == 1 {
        return pieces.pop().unwrap_or_default();
    }
    let mut whole = BytesMut::with_capacity(length);
    for piece in pieces {
        whole.extend_from_slice(&piece);
    }
    whole.freeze()
}
