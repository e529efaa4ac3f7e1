//! Serial lines: frames in any bytes, and two ends of a line that belongs to somebody hostile.

use std::collections::VecDeque;
use std::time::Duration;

use arbitrary::{Result, Unstructured};
use bytes::Bytes;
use fsc_core::clock::Time;
use fsc_transport::serial::frame::{Binding, Decoder, encode};
use fsc_transport::serial::hello::{Features, Terms};
use fsc_transport::serial::link::{Event, Link, LinkConfig, StreamId};
use fsc_transport::serial::{AskId, Kind};

const MTU: usize = 96;

/// What was encoded comes out, whatever surrounds it and in whatever pieces it comes; and nothing else but what another
/// decoder, written here from the specification, finds too.
pub fn frame(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let (mut line, mut sent) = (Vec::new(), Vec::new());
    while let Ok((is_frame, length)) = piece(&mut input) {
        let Ok(bytes) = input.bytes(length.min(input.len())) else { break };
        if is_frame && !bytes.is_empty() {
            encode(&Binding::NONE, bytes, &mut line);
            sent.push(bytes.to_vec());
        } else {
            line.extend_from_slice(bytes);
        }
    }
    let (mut decoder, mut got) = (Decoder::new(MTU), Vec::new());
    let pieces = data.iter().map(|byte| usize::from(*byte).max(1)).chain(std::iter::repeat(line.len().max(1)));
    let mut left = &line[..];
    for size in pieces {
        let (mut head, tail) = left.split_at(size.min(left.len()));
        while let Some(sealed) = decoder.next(&mut head) {
            got.extend(sealed.open(&Binding::NONE).map(<[u8]>::to_vec));
        }
        left = tail;
        if left.is_empty() {
            break;
        }
    }
    assert_eq!(got, found(&line));
    let mut rest = got.iter();
    assert!(sent.iter().all(|body| rest.any(|found| found == body)), "a frame is missing");
}

/// Whether a frame or noise is next, and its length.
fn piece(input: &mut Unstructured<'_>) -> Result<(bool, usize)> {
    if input.is_empty() {
        return Err(arbitrary::Error::NotEnoughData);
    }
    let byte: u8 = input.arbitrary()?;
    // Frames keep to the MTU, noise is of any length.
    Ok((byte & 1 == 1, usize::from(byte >> 1).min(MTU - 4)))
}

/// The bodies in `line`, by the letter of the specification.
fn found(line: &[u8]) -> Vec<Vec<u8>> {
    let mut pieces: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
    // What no zero has ended yet is no frame.
    pieces.pop();
    let longest = MTU + MTU.div_ceil(254);
    let whole = pieces.into_iter().filter(|piece| piece.len() <= longest).filter_map(unstuffed);
    whole
        .filter_map(|mut whole| {
            let crc = whole.split_off(whole.len().checked_sub(4)?);
            (!whole.is_empty() && crc == crc32c(&whole).to_le_bytes()).then_some(whole)
        })
        .collect()
}

fn unstuffed(mut piece: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    while let Some((code, rest)) = piece.split_first() {
        let (block, rest) = rest.split_at_checked(usize::from(*code) - 1)?;
        out.extend_from_slice(block);
        if *code != 255 && !rest.is_empty() {
            out.push(0);
        }
        piece = rest;
    }
    Some(out)
}

fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 })
    })
}

/// Whatever the line does, every question that was asked is heard once at most and as it was asked, and has one outcome, with
/// the right answer or none.
pub fn arq(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let mut scene = Scene::new();
    // Mostly the fuzzer starts behind the meeting.
    if input.ratio(7_u8, 8).unwrap_or_default() {
        scene.run(1);
    }
    while !input.is_empty() && scene.act(&mut input).is_ok() {
        scene.settle();
    }
    scene.end_well();
}

/// Two ends, and the line between them, which keeps what they say until the fuzzer says what becomes of it.
struct Scene {
    now: Time,
    ends: [End; 2],
    /// Frames from each end.
    way: [VecDeque<Vec<u8>>; 2],
    /// The line made up something that was taken for a frame: then anything may be heard, and nothing but survival is claimed.
    is_forged: bool,
    lives: u32,
}

struct End {
    link: Link,
    asked: Vec<(AskId, Bytes)>,
    settled: Vec<AskId>,
    /// What it heard in this life, and whether it has answered.
    heard: Vec<Bytes>,
    open: VecDeque<(StreamId, Kind, Bytes)>,
}

impl End {
    fn new(life: u32) -> Self {
        let terms = Terms {
            mtu: 96,
            window: 5,
            buffer: 300,
            streams: 4,
            credit: 50,
            longest: 2_000,
            offers: Features::KNOWN,
            needs: Features(0),
        };
        let config = LinkConfig {
            terms,
            baud: None,
            patience: Duration::from_secs(10),
            keep_alive: Duration::from_secs(2),
            memory: 1_000,
            asks: 20,
        };
        let mut epoch = life << 16;
        let draw = move || {
            epoch += 1;
            epoch
        };
        let (asked, settled, heard, open) = Default::default();
        Self { link: Link::new(config, Box::new(draw)), asked, settled, heard, open }
    }
}

impl Scene {
    fn new() -> Self {
        let mut scene = Self {
            now: Time::START,
            ends: [End::new(1), End::new(2)],
            way: Default::default(),
            is_forged: false,
            lives: 2,
        };
        let now = scene.now;
        scene.ends.iter_mut().for_each(|end| end.link.plug_in(now));
        scene.settle();
        scene
    }

    fn act(&mut self, input: &mut Unstructured<'_>) -> Result<()> {
        let end = usize::from(input.ratio(1_u8, 2)?);
        match input.int_in_range(0..=13)? {
            0 => self.ask(end, input.int_in_range(8..=1200)?, input.ratio(1_u8, 2)?),
            1 => self.pass(input.int_in_range(1..=200)?),
            2 => self.pass(1_000 * input.int_in_range(1..=12)?),
            3..=5 => self.carry(end, |frame| vec![frame]),
            6 => self.carry(end, |_| Vec::new()),
            7 => self.carry(end, |frame| vec![frame.clone(), frame]),
            8 => {
                let (at, bit): (usize, u8) = (input.arbitrary()?, input.int_in_range(0..=7)?);
                let before = self.frames_in();
                self.carry(end, |mut frame| {
                    let at = at % frame.len();
                    frame[at] ^= 1 << bit;
                    vec![frame]
                });
                self.is_forged |= self.frames_in() > before;
            }
            9 => {
                let length = input.int_in_range(0..=100)?;
                self.carry(end, |mut frame| {
                    frame.truncate(length.min(frame.len()));
                    vec![frame]
                });
            }
            10 => {
                let length = input.int_in_range(0..=60)?;
                let before = self.frames_in();
                let now = self.now;
                self.ends[end].link.handle_bytes(now, input.bytes(length.min(input.len()))?);
                self.is_forged |= self.frames_in() > before;
            }
            11 => self.answer(end),
            12 => self.withdraw(end, input.arbitrary()?),
            _ => match input.int_in_range(0..=3)? {
                0 => self.restart(end),
                1 => self.ends[end].link.unplug("pulled out"),
                2 => {
                    let now = self.now;
                    self.ends[end].link.plug_in(now);
                }
                _ => self.way[end].rotate_left(usize::from(self.way[end].len() > 1)),
            },
        }
        Ok(())
    }

    fn ask(&mut self, end: usize, length: usize, is_mail: bool) {
        let number = self.ends.iter().map(|end| end.asked.len()).sum::<usize>() + (self.lives as usize) * 10_000;
        let mut message = format!("{number:08}").into_bytes();
        message.resize(length, number as u8);
        let (kind, message) = (if is_mail { Kind::Mail } else { Kind::Request }, Bytes::from(message));
        let now = self.now;
        if let Ok(ask) = self.ends[end].link.ask(kind, message.clone(), Some(Duration::from_secs(8)), now) {
            self.ends[end].asked.push((ask, message));
        }
    }

    fn answer(&mut self, end: usize) {
        if let Some((stream, kind, message)) = self.ends[end].open.pop_front() {
            let kind = if kind == Kind::Mail { Kind::Life } else { Kind::Answer };
            self.ends[end].link.reply(stream, kind, reply(&message)).expect("answers are short");
        }
    }

    fn withdraw(&mut self, end: usize, which: usize) {
        let End { link, asked, settled, .. } = &mut self.ends[end];
        if let Some((ask, _)) = asked.get(which % asked.len().max(1))
            && !settled.contains(ask)
        {
            link.withdraw(*ask);
            settled.push(*ask);
        }
    }

    fn restart(&mut self, end: usize) {
        self.lives += 1;
        self.ends[end] = End::new(self.lives);
        let now = self.now;
        self.ends[end].link.plug_in(now);
    }

    /// What the line makes of the next frame from `end`.
    fn carry(&mut self, end: usize, becomes: impl FnOnce(Vec<u8>) -> Vec<Vec<u8>>) {
        let now = self.now;
        if let Some(frame) = self.way[end].pop_front() {
            for frame in becomes(frame) {
                self.ends[1 - end].link.handle_bytes(now, &frame);
            }
        }
    }

    fn pass(&mut self, millis: u64) {
        self.now = self.now + Duration::from_millis(millis);
        let now = self.now;
        self.ends.iter_mut().for_each(|end| end.link.handle_timeout(now));
    }

    fn frames_in(&self) -> u64 {
        self.ends.iter().map(|end| end.link.statistics().frames_in).sum()
    }

    /// Takes what the ends say, and holds them to it.
    fn settle(&mut self) {
        for end in 0..2 {
            while let Some(event) = self.ends[end].link.poll_event() {
                self.note(end, event);
            }
            let mut frame = Vec::new();
            // A window and what is said beside it.
            while self.way[end].len() < 40 && self.ends[end].link.poll_transmit(self.now, &mut frame) {
                self.way[end].push_back(std::mem::take(&mut frame));
            }
        }
    }

    fn note(&mut self, end: usize, event: Event) {
        match event {
            Event::Asked { stream, kind, message } => {
                let heard = &mut self.ends[end].heard;
                assert!(self.is_forged || !heard.contains(&message), "a question was heard twice");
                heard.push(message.clone());
                self.ends[end].open.push_back((stream, kind, message));
            }
            Event::Answered { ask, message, .. } => {
                let asked = self.ends[end].asked.iter().find(|(asked, _)| *asked == ask);
                let (_, question) = asked.expect("what is answered was asked");
                assert!(self.is_forged || message == reply(question), "the wrong answer");
                self.outcome(end, ask);
            }
            Event::Failed { ask, .. } => self.outcome(end, ask),
            Event::Withdrawn { stream } => self.ends[end].open.retain(|(open, ..)| *open != stream),
            _ => {}
        }
    }

    fn outcome(&mut self, end: usize, ask: AskId) {
        assert!(!self.ends[end].settled.contains(&ask), "a question has two outcomes");
        self.ends[end].settled.push(ask);
    }

    /// From now on the line is good and all are willing: whatever is pending comes to its end, and a new question to its answer.
    fn end_well(&mut self) {
        let now = self.now;
        self.ends.iter_mut().for_each(|end| end.link.plug_in(now));
        self.run(30);
        for end in &self.ends {
            assert_eq!(end.settled.len(), end.asked.len(), "a question has no outcome");
        }
        if !self.is_forged {
            let before = [0, 1].map(|end| self.ends[end].asked.len());
            self.ask(0, 100, true);
            self.ask(1, 700, false);
            self.run(5);
            for (end, before) in before.into_iter().enumerate() {
                let (ask, question) = self.ends[end].asked.get(before).expect("there is room for one more");
                assert!(self.ends[end].settled.contains(ask));
                assert!(self.ends[1 - end].heard.contains(question), "a good line carries nothing");
            }
        }
    }

    /// Lets the line work for so many seconds.
    fn run(&mut self, seconds: u64) {
        let until = self.now + Duration::from_secs(seconds);
        while self.now < until {
            for end in 0..2 {
                (0..self.way[end].len()).for_each(|_| self.carry(end, |frame| vec![frame]));
                (0..self.ends[end].open.len()).for_each(|_| self.answer(end));
            }
            self.settle();
            let busy = self.way.iter().any(|way| !way.is_empty()) || self.ends.iter().any(|end| !end.open.is_empty());
            let next = self.ends.iter().filter_map(|end| end.link.poll_timeout()).min().filter(|_| !busy);
            self.pass(next.map_or(1, |next| next.since(self.now).as_millis() as u64 + 1));
        }
    }
}

/// The answer to a question: of some length, and no other's.
fn reply(question: &[u8]) -> Bytes {
    question.iter().rev().copied().take(400).collect()
}
