//! How the lines of a transport behave.

use std::time::Duration;

use fsc_core::bus::Principal;
use fsc_core::value;

use super::address::Options;
use super::hello::{Features, Terms};
use super::link::LinkConfig;

/// How a line behaves, beside what its address says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineConfig {
    /// As whom the other end's requests are made; without it, they are refused. The line can't tell who it is: this is what
    /// whoever wired it knows.
    pub principal: Option<Principal>,
    /// Bytes of a frame, 64 to 4096. By default, as many as keep a small message waiting no longer than a large one's frame
    /// should: 512 at 115,200 baud.
    pub mtu: Option<u16>,
    /// Bytes that may be under way to this end. By default 16 KiB or a fifth of a second for a serial port, 256 KiB where
    /// nobody sets the pace.
    pub buffer: Option<u32>,
    /// How long the other end may be silent, or the line cut or unplugged, until what is pending fails. A UART does not tell an
    /// end that has died from a cable that was pulled out for a moment.
    pub patience: Duration,
    /// How long a line is idle until this end looks whether the other one is there.
    pub keep_alive: Duration,
    /// How long a delivery of mail may stand still: while it moves, it may take as long as the line needs.
    pub delivery: Duration,
    /// How long a request may stand still; `None` for as long as it needs, since computations are long.
    pub request: Option<Duration>,
    /// Bytes of the longest message that is taken.
    pub longest: u32,
    /// Bytes of long messages that come in at a time; one that is alone is bounded by `longest` only.
    pub memory: usize,
    /// Questions of the other end at once; a quarter of them is for mail only.
    pub streams: u16,
    /// Questions of this end that wait for their turn or their answer.
    pub asks: usize,
    /// How deep and how many the values in a request or an answer may be.
    pub values: value::Limits,
    /// How long to wait before a port that was lost, or could not be opened, is tried again.
    pub reopen: Duration,
}

impl Default for LineConfig {
    fn default() -> Self {
        Self {
            principal: None,
            mtu: None,
            buffer: None,
            patience: Duration::from_secs(12),
            keep_alive: Duration::from_secs(5),
            delivery: Duration::from_secs(30),
            request: None,
            longest: 64 << 20,
            memory: 128 << 20,
            streams: 256,
            asks: 4096,
            values: value::Limits::default(),
            reopen: Duration::from_millis(250),
        }
    }
}

impl LineConfig {
    /// What the line's link is told.
    pub(super) fn link(&self, options: Options) -> LinkConfig {
        let mtu = options.mtu.or(self.mtu).unwrap_or_else(|| mtu_for(options.baud));
        let (buffer, credit) = match options.baud {
            // What the line carries in a fifth of a second, in which an adapter surely answers.
            Some(baud) => ((baud / 50).max(16 << 10), 2 << 10),
            None => (256 << 10, 64 << 10),
        };
        let terms = Terms {
            mtu,
            window: 64,
            buffer: self.buffer.unwrap_or(buffer),
            streams: self.streams,
            credit,
            longest: self.longest,
            offers: Features::KNOWN,
            needs: Features::default(),
        };
        LinkConfig {
            terms,
            baud: options.baud,
            patience: self.patience,
            keep_alive: self.keep_alive,
            memory: self.memory,
            asks: self.asks,
        }
    }
}

/// A compromise: short enough that a small message need not wait long, long enough that overhead is small.
fn mtu_for(baud: Option<u32>) -> u16 {
    match baud {
        Some(..=57_600) => 256,
        Some(..=230_400) => 512,
        Some(..=2_000_000) => 1024,
        Some(_) | None => 4096,
    }
}
