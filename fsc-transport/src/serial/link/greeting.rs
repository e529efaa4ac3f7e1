//! How this end meets the other one.

use std::fmt;
use std::time::Duration;

use fsc_core::clock::Time;

use super::super::frame::Binding;
use super::super::hello::{Hello, Terms};

/// The first pause between hellos, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// After so many hellos without an answer, what the other end said last is forgotten: it may have been an old word.
const FORGETFUL: u32 = 3;

/// A source of random numbers, for epochs.
pub type Epochs = Box<dyn FnMut() -> u32 + Send>;

/// The next connection, as far as it has come. There may be one that is in use meanwhile.
pub(super) struct Greeting {
    epochs: Epochs,
    /// This end's epoch in it.
    pub(super) mine: u32,
    /// The other end's last hello, if it was none of the connection in use.
    pub(super) theirs: Option<Hello>,
    /// The hello was not answered yet.
    answer_due: bool,
    /// When to say hello unasked.
    due: Option<Time>,
    said: u32,
    /// How often since the other end's last hello.
    said_since: u32,
}

impl Greeting {
    pub(super) fn new(mut epochs: Epochs) -> Self {
        let mine = drawn(&mut epochs);
        Self { epochs, mine, theirs: None, answer_due: false, due: None, said: 0, said_since: 0 }
    }

    /// Says hello from `now` on, until there is a connection.
    pub(super) fn begin(&mut self, now: Time) {
        (self.due, self.said) = (Some(now), 0);
    }

    /// The other end said hello. Whether it knows this end's epoch, so that there is a connection.
    ///
    /// One that was meant for somebody else is no reason for anything: so a hello that comes late, which is answered once,
    /// does not end the connection in use.
    pub(super) fn hear(&mut self, hello: Hello) -> bool {
        let is_mine = hello.echo == self.mine;
        if is_mine || hello.echo == 0 {
            (self.theirs, self.said_since) = (Some(hello), 0);
            self.answer_due = !is_mine;
        }
        is_mine
    }

    /// The binding of frames of the connection that the other end may have and this one not.
    pub(super) fn binding(&self) -> Option<Binding> {
        self.theirs.map(|theirs| Binding::of(theirs.epoch, self.mine))
    }

    /// There is a connection: both epochs, and the other end's terms. The next one will have another epoch.
    pub(super) fn settle(&mut self) -> Option<(u32, Hello)> {
        let theirs = self.theirs.take()?;
        let mine = std::mem::replace(&mut self.mine, drawn(&mut self.epochs));
        (self.answer_due, self.due) = (false, None);
        Some((mine, theirs))
    }

    pub(super) fn is_due(&self, now: Time) -> bool {
        self.answer_due || self.due.is_some_and(|due| due <= now)
    }

    pub(super) fn timeout(&self) -> Option<Time> {
        if self.answer_due { Some(Time::START) } else { self.due }
    }

    /// The hello that is due.
    pub(super) fn say(&mut self, terms: Terms, now: Time) -> Hello {
        if self.due.is_some_and(|due| due <= now) {
            self.due = Some(now + FIRST_PAUSE.saturating_mul(1 << self.said.min(16)).min(LONGEST_PAUSE));
            self.said = self.said.saturating_add(1);
            self.said_since += 1;
            if self.said_since > FORGETFUL {
                self.theirs = None;
            }
        }
        self.answer_due = false;
        let echo = self.theirs.map_or(0, |theirs| theirs.epoch);
        Hello { settled: false, epoch: self.mine, echo, terms }
    }
}

impl fmt::Debug for Greeting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Greeting").field("mine", &self.mine).field("theirs", &self.theirs).finish_non_exhaustive()
    }
}

/// An epoch: zero is none.
fn drawn(epochs: &mut Epochs) -> u32 {
    epochs().max(1)
}
