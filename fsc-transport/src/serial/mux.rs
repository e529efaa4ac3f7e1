//! Messages in streams: questions and their replies, many at once, on a line that carries one packet at a time.
//!
//! Pieces of messages take turns. Mostly the one with least to go is next, so that a small message waits for no large one;
//! every fourth packet belongs to the large one that waited longest, so that none starves. A message may send a first piece, and goes
//! on when the receiver has room for all of it.

mod memory;
mod message;
mod record;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use fsc_core::clock::Time;

use super::fault::Fault;
use super::hello::{Features, Terms};
use memory::Memory;
use message::{Incoming, Outgoing};
pub use record::Kind;
use record::{ENOUGH, Record, Side};

/// A question of this end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AskId(u64);

/// What the other end does, as far as messages go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Announced { id: u32, kind: Kind, length: usize },
    Asked { id: u32, kind: Kind, message: Bytes },
    Withdrawn { id: u32 },
    Answered { ask: AskId, kind: Kind, message: Bytes },
    Failed { ask: AskId, fault: Fault },
}

/// The bounds of one end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) terms: Terms,
    /// Bytes of long messages that come in at a time.
    pub(super) memory: usize,
    /// Questions that wait for their turn or their answer.
    pub(super) asks: usize,
}

/// All messages of one end of a line.
#[derive(Debug)]
pub(super) struct Mux {
    bounds: Bounds,
    /// What the other end takes; nothing as long as there is no connection.
    theirs: Option<Terms>,
    asks: BTreeMap<AskId, Ask>,
    next_ask: u64,
    /// Questions without an id yet, in order.
    waiting: Waiting,
    /// Questions that have begun.
    begun: BTreeMap<u32, AskId>,
    next_id: u32,
    /// The other end's questions.
    served: BTreeMap<u32, Served>,
    next_served: u32,
    memory: Memory,
    /// Grants and withdrawals that are to be said.
    notes: VecDeque<Note>,
    turn: u64,
    /// When a piece of any message last went or came.
    moved: Time,
    said: VecDeque<Said>,
}

#[derive(Debug, Default)]
struct Waiting {
    requests: VecDeque<AskId>,
    mail: VecDeque<AskId>,
}

#[derive(Debug)]
struct Ask {
    question: Outgoing,
    id: Option<u32>,
    reply: Option<Incoming>,
    /// How long nothing may move.
    patience: Option<Duration>,
    moved: Time,
}

#[derive(Debug, Default)]
struct Served {
    question: Option<Incoming>,
    reply: Option<Outgoing>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Note {
    Grant(Side, u32),
    Withdraw(u32),
}

/// Who may send the next piece.
#[derive(Clone, Copy, Debug)]
enum Writer {
    /// A question that has not begun.
    Fresh(AskId),
    Begun(AskId, u32),
    Reply(u32),
}

impl Mux {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            theirs: None,
            asks: BTreeMap::new(),
            next_ask: 0,
            waiting: Waiting::default(),
            begun: BTreeMap::new(),
            next_id: 0,
            served: BTreeMap::new(),
            next_served: 0,
            memory: Memory::new(bounds.memory),
            notes: VecDeque::new(),
            turn: 0,
            moved: Time::START,
            said: VecDeque::new(),
        }
    }

    /// Asks the other end, now or when there is a connection.
    pub(super) fn ask(
        &mut self,
        kind: Kind,
        message: Bytes,
        patience: Option<Duration>,
        now: Time,
    ) -> Result<AskId, Fault> {
        let at_most = self.bounds.asks;
        if self.asks.len() >= at_most {
            return Err(Fault::TooMany { at_most });
        }
        let question = Outgoing::new(kind, message, self.turn);
        if let Some(theirs) = &self.theirs {
            admit(&question, theirs)?;
        }
        let ask = AskId(self.next_ask);
        self.next_ask += 1;
        self.asks.insert(ask, Ask { question, id: None, reply: None, patience, moved: now });
        self.waiting.of(kind).push_back(ask);
        Ok(ask)
    }

    /// Nobody wants the answer any more.
    pub(super) fn withdraw(&mut self, ask: AskId) {
        if let Some(id) = self.forget(ask) {
            self.notes.push_back(Note::Withdraw(id));
        }
    }

    /// Answers the other end's question.
    pub(super) fn reply(&mut self, id: u32, kind: Kind, message: Bytes) -> Result<(), Fault> {
        let (Some(served), Some(theirs)) = (self.served.get_mut(&id), &self.theirs) else { return Ok(()) };
        let at_most = theirs.longest as usize;
        if message.len() > at_most {
            return Err(Fault::TooLong { bytes: message.len(), at_most });
        }
        let mut reply = Outgoing::new(kind, message, self.turn);
        reply.begin_with(theirs.credit as usize);
        served.reply = Some(reply);
        if served.question.take().is_some() {
            self.release(Side::Question(id));
        }
        Ok(())
    }

    /// There is a connection, with an other end that takes so much.
    pub(super) fn connect(&mut self, theirs: Terms, now: Time) {
        self.theirs = Some(theirs);
        (self.next_id, self.next_served) = (0, 0);
        self.moved = now;
        let mut refused = Vec::new();
        for (ask, state) in &mut self.asks {
            state.moved = now;
            if let Err(fault) = admit(&state.question, &theirs) {
                refused.push((*ask, fault));
            }
        }
        for (ask, fault) in refused {
            self.fail(ask, fault);
        }
    }

    /// The connection has ended: what has begun fails. What has not may wait for the next, if there is hope for one.
    pub(super) fn disconnect(&mut self, fault: &Fault, hope: bool) {
        self.theirs = None;
        let fails = |ask: &Ask| ask.id.is_some() || !hope;
        let failed: Vec<AskId> = self.asks.iter().filter(|(_, ask)| fails(ask)).map(|(id, _)| *id).collect();
        for ask in failed {
            self.fail(ask, fault.clone());
        }
        let served = std::mem::take(&mut self.served);
        let handed_on = served.iter().filter(|(_, served)| served.question.is_none());
        self.said.extend(handed_on.map(|(id, _)| Said::Withdrawn { id: *id }));
        self.begun.clear();
        self.memory.clear();
        self.notes.clear();
    }

    pub(super) fn next_said(&mut self) -> Option<Said> {
        self.said.pop_front()
    }

    /// Whether a piece or a note could go out now.
    pub(super) fn is_ready(&self) -> bool {
        self.theirs.is_some() && (!self.notes.is_empty() || self.writers().next().is_some())
    }

    /// The payload of the next packet, of at most `room` bytes.
    pub(super) fn fill(&mut self, room: usize, now: Time) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(room);
        let mut fairly = self.turn.is_multiple_of(4);
        self.theirs?;
        while room - out.len() >= ENOUGH {
            if let Some(note) = self.notes.pop_front() {
                match note {
                    Note::Grant(side, up_to) => Record::Grant { side, up_to }.write(&mut out),
                    Note::Withdraw(id) => Record::Withdraw { id }.write(&mut out),
                }
                continue;
            }
            let Some(writer) = self.next_writer(fairly.then_some(room)) else { break };
            fairly = false;
            self.turn += u64::from(out.is_empty());
            self.write(writer, room - out.len(), now, &mut out);
        }
        (!out.is_empty()).then_some(out)
    }

    /// Takes in the payload of a packet. An error says what is wrong with it.
    pub(super) fn take(&mut self, mut payload: &[u8], now: Time) -> Result<(), &'static str> {
        while !payload.is_empty() {
            match Record::read(&mut payload).ok_or("a packet's payload consists of no records")? {
                Record::Begin { kind, id, total, bytes } if kind.is_question() => {
                    self.begin_question(kind, id, total, bytes)?;
                }
                Record::Begin { kind, id, total, bytes } => self.begin_reply(kind, id, total, bytes, now)?,
                Record::More { side: Side::Question(id), bytes } => self.more_of_question(id, bytes)?,
                Record::More { side: Side::Reply(id), bytes } => self.more_of_reply(id, bytes, now)?,
                Record::Grant { side, up_to } => self.granted(side, up_to as usize, now),
                Record::Withdraw { id } => self.withdrawn(id),
            }
            self.moved = now;
        }
        Ok(())
    }

    /// When the next question fails, if nothing moves. Without a connection, none waits longer than `alone`.
    pub(super) fn timeout(&self, alone: Duration) -> Option<Time> {
        self.asks.values().filter_map(|ask| Some(self.due(ask, alone)?.0)).min()
    }

    /// Time has passed. Says which questions have waited too long for a connection.
    pub(super) fn handle_timeout(&mut self, now: Time, alone: Duration, nobody: &Fault) {
        let due = |(id, ask): (&AskId, &Ask)| {
            let (at, patience) = self.due(ask, alone)?;
            (at <= now).then_some((*id, patience))
        };
        let late: Vec<_> = self.asks.iter().filter_map(due).collect();
        for (ask, patience) in late {
            let connected = self.theirs.is_some();
            if let (true, Some(id)) = (connected, self.asks.get(&ask).and_then(|ask| ask.id)) {
                self.notes.push_back(Note::Withdraw(id));
            }
            let timed_out = Fault::TimedOut { seconds: patience.as_secs() };
            self.fail(ask, if connected { timed_out } else { nobody.clone() });
        }
    }

    fn due(&self, ask: &Ask, alone: Duration) -> Option<(Time, Duration)> {
        if self.theirs.is_none() {
            let patience = ask.patience.map_or(alone, |patience| patience.min(alone));
            return Some((ask.moved + patience, patience));
        }
        let patience = ask.patience?;
        // While a message is on its way or waits for its turn, what moves on the line counts; then only the answer does.
        let answering = ask.question.is_done() && ask.reply.is_none();
        let since = if answering { ask.moved } else { ask.moved.max(self.moved) };
        Some((since + patience, patience))
    }

    /// Forgets a question. Its id, if the other end knows it.
    fn forget(&mut self, ask: AskId) -> Option<u32> {
        let state = self.asks.remove(&ask)?;
        let Some(id) = state.id else {
            self.waiting.of(state.question.kind()).retain(|waiting| *waiting != ask);
            return None;
        };
        self.begun.remove(&id);
        self.release(Side::Reply(id));
        Some(id)
    }

    fn fail(&mut self, ask: AskId, fault: Fault) {
        self.forget(ask);
        self.said.push_back(Said::Failed { ask, fault });
    }
}

/// What goes out.
impl Mux {
    fn writers(&self) -> impl Iterator<Item = (Writer, &Outgoing)> {
        let begun = self.begun.iter().filter_map(|(id, ask)| {
            let question = &self.asks.get(ask)?.question;
            Some((Writer::Begun(*ask, *id), question))
        });
        let replies = self.served.iter().filter_map(|(id, served)| Some((Writer::Reply(*id), served.reply.as_ref()?)));
        let all = self.theirs.map_or(0, |theirs| usize::from(theirs.streams));
        // Requests may take long; they leave room for mail.
        let lanes = [(&self.waiting.requests, all - all / 4), (&self.waiting.mail, all)];
        let fresh = lanes.into_iter().filter(|(_, streams)| self.begun.len() < *streams).filter_map(|(lane, _)| {
            let ask = lane.front()?;
            Some((Writer::Fresh(*ask), &self.asks.get(ask)?.question))
        });
        begun.chain(replies).chain(fresh).filter(|(_, message)| message.is_ready())
    }

    /// Who has least to go; or, of those with more to go than there is room in a packet, who waits longest.
    fn next_writer(&self, fairly: Option<usize>) -> Option<Writer> {
        let key = |message: &Outgoing| match fairly {
            Some(room) => (message.left() <= room, message.turn),
            None => (false, message.left() as u64),
        };
        self.writers().min_by_key(|(_, message)| key(message)).map(|(writer, _)| writer)
    }

    fn write(&mut self, writer: Writer, room: usize, now: Time, out: &mut Vec<u8>) {
        self.moved = now;
        let turn = self.turn;
        match writer {
            Writer::Fresh(ask) => {
                let credit = self.theirs.map_or(0, |theirs| theirs.credit as usize);
                let Some(state) = self.asks.get_mut(&ask) else { return };
                let id = self.next_id;
                self.next_id += 1;
                self.waiting.of(state.question.kind()).pop_front();
                self.begun.insert(id, ask);
                state.id = Some(id);
                state.question.begin_with(credit);
                state.write(id, turn, room, now, out);
            }
            Writer::Begun(ask, id) => {
                if let Some(state) = self.asks.get_mut(&ask) {
                    state.write(id, turn, room, now, out);
                }
            }
            Writer::Reply(id) => {
                let Some(reply) = self.served.get_mut(&id).and_then(|served| served.reply.as_mut()) else { return };
                reply.turn = turn;
                reply.write(Side::Reply(id), room, out);
                if reply.is_done() {
                    self.served.remove(&id);
                }
            }
        }
    }

    /// Gives room to those who wait for it.
    fn grant(&mut self) {
        while let Some(side) = self.memory.next() {
            let incoming = match side {
                Side::Question(id) => self.served.get_mut(&id).and_then(|served| served.question.as_mut()),
                Side::Reply(id) => {
                    self.begun.get(&id).and_then(|ask| self.asks.get_mut(ask)).and_then(|ask| ask.reply.as_mut())
                }
            };
            if let Some(incoming) = incoming {
                self.notes.push_back(Note::Grant(side, incoming.wants() as u32));
                incoming.grant_all();
            }
        }
    }

    /// The message on `side` has come, or will not.
    fn release(&mut self, side: Side) {
        self.memory.free(side);
        self.notes.retain(|note| !matches!(note, Note::Grant(granted, _) if *granted == side));
        self.grant();
    }
}

impl Waiting {
    fn of(&mut self, kind: Kind) -> &mut VecDeque<AskId> {
        if kind == Kind::Request { &mut self.requests } else { &mut self.mail }
    }
}

impl Ask {
    fn write(&mut self, id: u32, turn: u64, room: usize, now: Time, out: &mut Vec<u8>) {
        self.moved = now;
        self.question.turn = turn;
        self.question.write(Side::Question(id), room, out);
    }
}

/// What comes in.
impl Mux {
    fn begin_question(&mut self, kind: Kind, id: u32, total: u32, bytes: &[u8]) -> Result<(), &'static str> {
        let terms = self.bounds.terms;
        if id != self.next_served {
            return Err("questions are not counted one by one");
        }
        if self.served.len() >= usize::from(terms.streams) {
            return Err("more questions at once than this end takes");
        }
        if total > terms.longest {
            return Err("a question is longer than this end takes");
        }
        self.next_served += 1;
        let incoming = Incoming::new(kind, total as usize, terms.credit as usize);
        let wants = incoming.wants();
        self.served.insert(id, Served { question: Some(incoming), reply: None });
        if wants > 0 {
            self.said.push_back(Said::Announced { id, kind, length: wants });
            self.memory.want(Side::Question(id), wants);
            self.grant();
        }
        self.more_of_question(id, bytes)
    }

    fn more_of_question(&mut self, id: u32, bytes: &[u8]) -> Result<(), &'static str> {
        // What follows a question that was answered or withdrawn early is of no interest.
        let Some(served) = self.served.get_mut(&id) else {
            return if id < self.next_served { Ok(()) } else { Err("a question goes on that did not begin") };
        };
        let Some(question) = &mut served.question else { return Ok(()) };
        question.take(bytes)?;
        if let Some(question) = served.question.take_if(|question| question.is_done()) {
            let kind = question.kind;
            self.said.push_back(Said::Asked { id, kind, message: question.into_message() });
            self.release(Side::Question(id));
        }
        Ok(())
    }

    fn begin_reply(&mut self, kind: Kind, id: u32, total: u32, bytes: &[u8], now: Time) -> Result<(), &'static str> {
        let terms = self.bounds.terms;
        let Some(ask) = self.begun.get(&id).and_then(|ask| self.asks.get_mut(ask)) else {
            return self.unasked(id);
        };
        if ask.reply.is_some() {
            return Err("a question is answered twice");
        }
        if total > terms.longest {
            return Err("an answer is longer than this end takes");
        }
        let incoming = Incoming::new(kind, total as usize, terms.credit as usize);
        let wants = incoming.wants();
        ask.reply = Some(incoming);
        if wants > 0 {
            self.memory.want(Side::Reply(id), wants);
            self.grant();
        }
        self.more_of_reply(id, bytes, now)
    }

    fn more_of_reply(&mut self, id: u32, bytes: &[u8], now: Time) -> Result<(), &'static str> {
        let Some(name) = self.begun.get(&id).copied() else { return self.unasked(id) };
        let Some(ask) = self.asks.get_mut(&name) else { return Ok(()) };
        let reply = ask.reply.as_mut().ok_or("an answer goes on that did not begin")?;
        reply.take(bytes)?;
        ask.moved = now;
        if reply.is_done()
            && let Some(reply) = ask.reply.take()
        {
            self.forget(name);
            self.said.push_back(Said::Answered { ask: name, kind: reply.kind, message: reply.into_message() });
        }
        Ok(())
    }

    /// Answers may cross with withdrawals, and what was never asked has no answer.
    fn unasked(&self, id: u32) -> Result<(), &'static str> {
        if id < self.next_id { Ok(()) } else { Err("an answer to what was not asked") }
    }

    fn granted(&mut self, side: Side, up_to: usize, now: Time) {
        match side {
            Side::Question(id) => {
                if let Some(ask) = self.begun.get(&id).and_then(|ask| self.asks.get_mut(ask)) {
                    ask.question.grant(up_to);
                    ask.moved = now;
                }
            }
            Side::Reply(id) => {
                if let Some(reply) = self.served.get_mut(&id).and_then(|served| served.reply.as_mut()) {
                    reply.grant(up_to);
                }
            }
        }
    }

    fn withdrawn(&mut self, id: u32) {
        if let Some(served) = self.served.remove(&id) {
            if served.question.is_none() && served.reply.is_none() {
                self.said.push_back(Said::Withdrawn { id });
            }
            self.release(Side::Question(id));
        }
    }
}

/// Whether the other end would take the question.
fn admit(question: &Outgoing, theirs: &Terms) -> Result<(), Fault> {
    let (feature, what) = match question.kind() {
        Kind::Request => (Features::REQUESTS, "requests"),
        _ => (Features::MAIL, "mail"),
    };
    if !theirs.offers.contain(feature) {
        return Err(Fault::NotOffered { what });
    }
    let (bytes, at_most) = (question.length(), theirs.longest as usize);
    if bytes > at_most { Err(Fault::TooLong { bytes, at_most }) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
