//! One end of a line, without I/O: bytes and time in, bytes and events out.
//!
//! ```text
//!   ask, reply ─▶ Mux ─▶ Arq ─▶ frame ─▶ poll_transmit      when the pacer allows it
//!   poll_event ◀─ Mux ◀─ Arq ◀─ frame ◀─ handle_bytes       Greeting: which connection it is
//! ```
//!
//! Whoever drives it calls `poll_transmit` and `poll_event` until they have nothing, then waits for bytes or for `poll_timeout`.

mod greeting;
mod pacer;

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use fsc_core::clock::Time;

use super::arq::{Arq, Heard, Limits, Timing};
use super::fault::{Fault, Hint};
use super::frame::{self, Binding, Decoder, Sealed};
use super::hello::{self, Hello, Mismatch, Terms};
use super::mux::{AskId, Bounds, Kind, Mux, Said};
pub use greeting::Epochs;
use greeting::Greeting;
use pacer::Pacer;

/// How one end of a line behaves.
#[derive(Clone, Copy, Debug)]
pub struct LinkConfig {
    /// What it takes, and tells the other end.
    pub terms: Terms,
    /// Bits per second, for the pace of what is written. `None` where something else sets the pace.
    pub baud: Option<u32>,
    /// How long the other end may be silent, or the line be cut, until the connection is given up.
    pub patience: Duration,
    /// How long nothing is heard until this end asks whether somebody is there.
    pub keep_alive: Duration,
    /// Bytes of long messages that come in at a time.
    pub memory: usize,
    /// Questions that wait for their turn or their answer.
    pub asks: usize,
}

/// The other end's question, to be answered once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId {
    connection: u64,
    id: u32,
}

/// What has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// There is a connection, other than before.
    Connected,
    /// The connection has ended.
    Disconnected {
        /// Why.
        fault: Fault,
    },
    /// The other end begins a long question. It may be answered before it has come; then the rest does not come.
    Announced {
        /// What to call the question in [`Link::reply`].
        stream: StreamId,
        /// What it is.
        kind: Kind,
        /// Its length.
        length: usize,
    },
    /// The other end asks.
    Asked {
        /// What to call the question in [`Link::reply`].
        stream: StreamId,
        /// What it is.
        kind: Kind,
        /// Its content.
        message: Bytes,
    },
    /// The other end does not want that answer any more.
    Withdrawn {
        /// The question.
        stream: StreamId,
    },
    /// A question of this end is answered.
    Answered {
        /// The question.
        ask: AskId,
        /// What the answer is.
        kind: Kind,
        /// Its content.
        message: Bytes,
    },
    /// A question of this end will not be answered.
    Failed {
        /// The question.
        ask: AskId,
        /// Why.
        fault: Fault,
    },
}

/// What went over a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Bytes that came.
    pub bytes_in: u64,
    /// Bytes that went.
    pub bytes_out: u64,
    /// Frames that came whole.
    pub frames_in: u64,
    /// Frames that went.
    pub frames_out: u64,
    /// What came between two zeros and was no frame of this connection.
    pub garbage: u64,
    /// Data packets of this connection that went out again.
    pub repeats: u64,
}

/// One end of a line.
#[derive(Debug)]
pub struct Link {
    config: LinkConfig,
    plug: Plug,
    decoder: Decoder,
    pacer: Pacer,
    greeting: Greeting,
    connection: Option<Connection>,
    connections: u64,
    mux: Mux,
    /// The other end was heard, and does not fit.
    mismatch: Option<Mismatch>,
    /// This end was heard.
    echo: bool,
    /// Why it is of no use any more.
    closed: Option<Fault>,
    /// The last word to the other end.
    farewell: Option<(Binding, Vec<u8>)>,
    events: VecDeque<Event>,
    statistics: Statistics,
}

#[derive(Debug)]
enum Plug {
    /// Nobody knows yet whether there is a port.
    Unknown,
    In,
    Out(String),
}

#[derive(Debug)]
struct Connection {
    mine: u32,
    theirs: u32,
    arq: Arq,
    /// When the other end was last heard.
    heard: Time,
    /// When it was last asked for a word.
    pinged: Time,
    /// It has to hear that this end is settled.
    settled_due: bool,
}

impl Link {
    /// An end that does not know yet whether there is a port. `epochs` draws random numbers.
    pub fn new(config: LinkConfig, epochs: Epochs) -> Self {
        let config = LinkConfig { terms: config.terms.within_bounds(), ..config };
        let LinkConfig { terms, baud, memory, asks, .. } = config;
        Self {
            config,
            plug: Plug::Unknown,
            decoder: Decoder::new(terms.mtu.into()),
            pacer: Pacer::new(baud, terms.mtu),
            greeting: Greeting::new(epochs),
            connection: None,
            connections: 0,
            mux: Mux::new(Bounds { terms, memory, asks }),
            mismatch: None,
            echo: false,
            closed: None,
            farewell: None,
            events: VecDeque::new(),
            statistics: Statistics::default(),
        }
    }

    /// Bytes can go and come from now on.
    pub fn plug_in(&mut self, now: Time) {
        self.plug = Plug::In;
        self.decoder.reset();
        self.pacer.reset();
        match &mut self.connection {
            Some(connection) => connection.arq.resume(),
            None => self.greeting.begin(now),
        }
    }

    /// Bytes can no longer go or come, and nobody knows yet whether the port is gone. What is asked waits.
    pub fn tear(&mut self) {
        self.plug = Plug::Unknown;
        self.farewell = None;
    }

    /// There is no port: no bytes can go or come. What is under way waits for the port to come back, as long as patience lasts.
    pub fn unplug(&mut self, why: &str) {
        self.plug = Plug::Out(why.to_owned());
        self.farewell = None;
        if self.connection.is_none() {
            self.mux.disconnect(&Fault::Unplugged { why: why.to_owned() }, false);
        }
    }

    /// Ends the connection and all that is pending, for good, and tells the other end by the next frame, the last one.
    pub fn close(&mut self) {
        if let Some(connection) = &self.connection {
            let mut body = Vec::new();
            connection.arq.close(&mut body);
            let binding = Binding::of(connection.mine, connection.theirs);
            self.farewell = Some((binding, body));
        }
        self.abandon(Fault::ClosedHere);
    }

    /// Ends the connection and all that is pending, for good.
    pub fn abandon(&mut self, fault: Fault) {
        if self.connection.is_some() {
            self.disconnect(fault.clone());
        }
        self.mux.disconnect(&fault, false);
        self.closed.get_or_insert(fault);
    }

    /// Whether it was closed or abandoned.
    pub fn is_closed(&self) -> bool {
        self.closed.is_some()
    }

    /// Asks the other end. Without a connection the question waits for one; nothing may stand still longer than `patience`.
    pub fn ask(&mut self, kind: Kind, message: Bytes, patience: Option<Duration>, now: Time) -> Result<AskId, Fault> {
        if let Some(fault) = &self.closed {
            return Err(fault.clone());
        }
        match (&self.connection, &self.plug, &self.mismatch) {
            (None, Plug::Out(why), _) => Err(Fault::Unplugged { why: why.clone() }),
            (None, _, Some(mismatch)) => Err(mismatch.clone().into()),
            _ => self.mux.ask(kind, message, patience, now),
        }
    }

    /// Nobody wants the answer any more: the other end may stop working on it.
    pub fn withdraw(&mut self, ask: AskId) {
        self.mux.withdraw(ask);
    }

    /// Answers the other end's question. Nobody hears the answer to one that was withdrawn, or of an earlier connection.
    pub fn reply(&mut self, stream: StreamId, kind: Kind, message: Bytes) -> Result<(), Fault> {
        if stream.connection == self.connections { self.mux.reply(stream.id, kind, message) } else { Ok(()) }
    }

    /// Takes in bytes as they come.
    pub fn handle_bytes(&mut self, now: Time, mut bytes: &[u8]) {
        self.statistics.bytes_in += bytes.len() as u64;
        while let Some(sealed) = self.decoder.next(&mut bytes).filter(|_| self.closed.is_none()) {
            match self.handle_frame(&sealed, now) {
                Some(()) => self.statistics.frames_in += 1,
                None => self.statistics.garbage += 1,
            }
        }
    }

    /// Appends the next frame to `out`, if there is one and its time has come. Says whether there was.
    pub fn poll_transmit(&mut self, now: Time, out: &mut Vec<u8>) -> bool {
        if !matches!(self.plug, Plug::In) || now < self.pacer.ready_at() {
            return false;
        }
        let start = out.len();
        let Some((binding, body)) = self.next_body(now) else { return false };
        frame::encode(&binding, &body, out);
        let length = out.len() - start;
        self.statistics.frames_out += 1;
        self.statistics.bytes_out += length as u64;
        let departs = self.pacer.wrote(length, now);
        if let Some(connection) = &mut self.connection {
            connection.arq.departs(departs);
        }
        true
    }

    /// When [`handle_timeout`](Self::handle_timeout) or [`poll_transmit`](Self::poll_transmit) has something to do, if nothing
    /// happens before.
    pub fn poll_timeout(&self) -> Option<Time> {
        if self.closed.is_some() {
            return self.farewell.as_ref().map(|_| self.pacer.ready_at());
        }
        let mut due = vec![self.mux.timeout(self.config.patience)];
        if let Some(connection) = &self.connection {
            due.push(Some(connection.heard + self.config.patience));
        }
        if matches!(self.plug, Plug::In) {
            let ready = self.pacer.ready_at();
            due.push(self.greeting.timeout().map(|at| at.max(ready)));
            if let Some(connection) = &self.connection {
                due.push(self.has_more(connection).then_some(ready));
                due.push(connection.arq.timeout());
                due.push(Some(connection.heard.max(connection.pinged) + self.config.keep_alive));
            }
        }
        due.into_iter().flatten().min()
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Time) {
        if self.closed.is_some() {
            return;
        }
        if let Some(connection) = &mut self.connection {
            if connection.heard + self.config.patience <= now {
                let fault = match &self.plug {
                    Plug::Out(why) => Fault::Unplugged { why: why.clone() },
                    _ => Fault::Silent { seconds: self.config.patience.as_secs() },
                };
                self.end(fault, now);
            } else if matches!(self.plug, Plug::In) {
                connection.arq.handle_timeout(now);
                if connection.heard.max(connection.pinged) + self.config.keep_alive <= now {
                    connection.pinged = now;
                    connection.arq.ping();
                }
            }
        }
        self.mux.handle_timeout(now, self.config.patience, &Fault::NobodyAnswers { hint: self.hint() });
    }

    /// What has happened since.
    pub fn poll_event(&mut self) -> Option<Event> {
        if let Some(event) = self.events.pop_front() {
            return Some(event);
        }
        self.mux.next_said().map(|said| event(said, self.connections))
    }

    /// Whether there is no port, and no connection that waits for it: questions are refused.
    pub fn is_unplugged(&self) -> bool {
        matches!(self.plug, Plug::Out(_)) && self.connection.is_none()
    }

    /// Whether there is a connection.
    pub fn is_connected(&self) -> bool {
        self.connection.is_some()
    }

    /// What went over the line so far.
    pub fn statistics(&self) -> Statistics {
        let repeats = self.connection.as_ref().map_or(0, |connection| connection.arq.transmissions().1);
        Statistics { garbage: self.statistics.garbage + self.decoder.garbage(), repeats, ..self.statistics }
    }

    fn hint(&self) -> Hint {
        match self.statistics() {
            _ if self.echo => Hint::Echo,
            Statistics { garbage: 1.., frames_in: 0, .. } => Hint::Garbage,
            _ => Hint::Nothing,
        }
    }
}

/// What goes out.
impl Link {
    /// The body that goes out next, and what its frame is bound to.
    fn next_body(&mut self, now: Time) -> Option<(Binding, Vec<u8>)> {
        if self.closed.is_some() {
            return self.farewell.take();
        }
        let (terms, mut body) = (self.config.terms, Vec::new());
        if self.greeting.is_due(now) {
            self.greeting.say(terms, now).write(&mut body);
            return Some((Binding::NONE, body));
        }
        let connection = self.connection.as_mut()?;
        if std::mem::take(&mut connection.settled_due) {
            Hello { settled: true, epoch: connection.mine, echo: connection.theirs, terms }.write(&mut body);
            return Some((Binding::NONE, body));
        }
        let binding = Binding::of(connection.mine, connection.theirs);
        let mux = &mut self.mux;
        connection.arq.transmit(|room| mux.fill(room, now), &mut body).then_some((binding, body))
    }

    fn has_more(&self, connection: &Connection) -> bool {
        let fresh = || connection.arq.room() > 0 && self.mux.is_ready();
        connection.settled_due || connection.arq.is_due() || fresh()
    }
}

/// What comes in.
impl Link {
    /// Takes in a frame; nothing if it is none.
    fn handle_frame(&mut self, sealed: &Sealed, now: Time) -> Option<()> {
        if sealed.kind() == hello::KIND {
            let hello = Hello::read(sealed.open(&Binding::NONE)?, &self.config.terms)?;
            self.handle_hello(hello, now);
            return Some(());
        }
        if let Some(connection) = &self.connection
            && let Some(body) = sealed.open(&Binding::of(connection.theirs, connection.mine))
        {
            self.handle_packet(body, now);
            return Some(());
        }
        // The other end has the next connection already: the hello that said so got lost.
        let body = sealed.open(&self.greeting.binding()?)?;
        self.connect(now);
        self.handle_packet(body, now);
        Some(())
    }

    fn handle_hello(&mut self, hello: Result<Hello, Mismatch>, now: Time) {
        let hello = match hello {
            Ok(hello) => hello,
            Err(mismatch) => return self.handle_mismatch(mismatch),
        };
        if hello.epoch == self.greeting.mine {
            self.echo = true;
            return;
        }
        self.mismatch = None;
        if let Some(connection) = &mut self.connection {
            if hello.epoch == connection.mine {
                return;
            }
            if hello.epoch == connection.theirs {
                // It does not know yet that it is heard.
                connection.settled_due |= !hello.settled && hello.echo == connection.mine;
                return;
            }
        }
        if self.greeting.hear(hello) {
            self.connect(now);
            if let Some(connection) = &mut self.connection {
                connection.settled_due = !hello.settled;
            }
        }
    }

    /// The other end does not fit. A connection that there is stays; what waits for one fails.
    fn handle_mismatch(&mut self, mismatch: Mismatch) {
        if self.connection.is_none() {
            self.mux.disconnect(&mismatch.clone().into(), false);
            self.mismatch = Some(mismatch);
        }
    }

    fn handle_packet(&mut self, body: &[u8], now: Time) {
        let Some(connection) = &mut self.connection else { return };
        connection.heard = now;
        match connection.arq.handle(body, now) {
            Heard::Packet => {}
            Heard::Bye => return self.end(Fault::Closed, now),
            Heard::Nonsense => return self.end(Fault::Garbled { what: "a packet of an unknown kind" }, now),
        }
        while let Some(payload) = connection.arq.receive() {
            if let Err(what) = self.mux.take(&payload, now) {
                return self.end(Fault::Garbled { what }, now);
            }
        }
    }

    /// Begins the connection that the greeting has led to, in place of the one that there was.
    fn connect(&mut self, now: Time) {
        let Some((mine, hello)) = self.greeting.settle() else { return };
        if self.connection.is_some() {
            self.disconnect(Fault::Restarted);
        }
        self.connections += 1;
        self.events.push_back(Event::Connected);
        let arq = Arq::new(self.limits(&hello.terms), self.timing(&hello.terms));
        let Hello { epoch: theirs, terms, .. } = hello;
        self.connection = Some(Connection { mine, theirs, arq, heard: now, pinged: now, settled_due: false });
        self.mux.connect(terms, now);
    }

    fn end(&mut self, fault: Fault, now: Time) {
        self.disconnect(fault);
        self.greeting.begin(now);
    }

    fn disconnect(&mut self, fault: Fault) {
        self.connection = None;
        self.mux.disconnect(&fault, fault == Fault::Restarted);
        // What was said belongs to the old connection, and precedes its end.
        while let Some(said) = self.mux.next_said() {
            self.events.push_back(event(said, self.connections));
        }
        self.events.push_back(Event::Disconnected { fault });
    }

    fn limits(&self, theirs: &Terms) -> Limits {
        let ours = &self.config.terms;
        Limits {
            body: frame::longest_body(ours.mtu.min(theirs.mtu).into()),
            window: theirs.window.into(),
            buffer: theirs.buffer as usize,
            own_window: ours.window.into(),
            own_buffer: ours.buffer as usize,
        }
    }

    /// An acknowledgement may have to wait for two frames that stand in the other end's buffer, and the one that it goes with.
    fn timing(&self, theirs: &Terms) -> Timing {
        let mtu = self.config.terms.mtu.min(theirs.mtu);
        let frame = self.pacer.time_of(frame::length_on_line(frame::longest_body(mtu.into())));
        Timing {
            slack: frame * 3 + Duration::from_millis(10),
            initial: Duration::from_millis(200),
            longest_pause: Duration::from_millis(500),
        }
    }
}

fn event(said: Said, connection: u64) -> Event {
    match said {
        Said::Announced { id, kind, length } => Event::Announced { stream: StreamId { connection, id }, kind, length },
        Said::Asked { id, kind, message } => Event::Asked { stream: StreamId { connection, id }, kind, message },
        Said::Withdrawn { id } => Event::Withdrawn { stream: StreamId { connection, id } },
        Said::Answered { ask, kind, message } => Event::Answered { ask, kind, message },
        Said::Failed { ask, fault } => Event::Failed { ask, fault },
    }
}

#[cfg(test)]
mod tests;
