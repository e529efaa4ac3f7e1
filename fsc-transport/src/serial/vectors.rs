//! The conversation that the documentation shows, byte by byte.

use std::time::Duration;

use bytes::Bytes;
use fsc_core::bus::Request;
use fsc_core::clock::Time;
use fsc_core::transport::Answer;
use fsc_core::value::{Limits, Value, cbor};

use super::hello::{Features, Terms};
use super::link::{Event, Link, LinkConfig};
use super::mux::Kind;
use super::{codec, testing};

const NODE: Terms = Terms {
    mtu: 512,
    window: 64,
    buffer: 16 << 10,
    streams: 256,
    credit: 2 << 10,
    longest: 64 << 20,
    offers: Features::KNOWN,
    needs: Features(0),
};

/// What a device with hardly any memory says.
const DEVICE: Terms = Terms {
    mtu: 64,
    window: 1,
    buffer: 64,
    streams: 1,
    credit: 32,
    longest: 256,
    offers: Features(0),
    needs: Features(0),
};

/// Who says what, in order.
fn conversation() -> Vec<(bool, Vec<u8>)> {
    let mut said: Vec<(bool, Vec<u8>)> = Vec::new();
    for line in include_str!("vectors.txt").lines() {
        match line.strip_prefix("    ") {
            None => said.push((line.starts_with("node"), Vec::new())),
            Some(bytes) => {
                let bytes = bytes.split(' ').map(|byte| u8::from_str_radix(byte, 16).unwrap());
                said.last_mut().unwrap().1.extend(bytes);
            }
        }
    }
    said
}

fn end(terms: Terms, epoch: u32) -> Link {
    let config = LinkConfig { terms, baud: None, ..testing::config(1) };
    let mut link = Link::new(config, Box::new(move || epoch));
    link.plug_in(Time::START);
    link
}

#[test]
fn two_ends_talk_as_documented() {
    let (mut node, mut device) = (end(NODE, 0xa1a2_a3a4), end(DEVICE, 0xb1b2_b3b4));
    let mut now = Time::START;
    let conversation = conversation();
    assert_eq!(conversation.len(), 8);
    for (number, (by_node, expected)) in conversation.iter().enumerate() {
        match number {
            3 => drop(device.ask(Kind::Request, codec::request_to_bytes(&Request::List), None, now).unwrap()),
            4 => answer(&mut node),
            6 => {
                now = now + Duration::from_secs(5);
                node.handle_timeout(now);
            }
            _ => {}
        }
        let (from, to) = if *by_node { (&mut node, &mut device) } else { (&mut device, &mut node) };
        if number == 1 {
            // The device would have said hello unasked, but has heard the node before.
            assert!(!from.is_connected());
        }
        let mut said = Vec::new();
        assert!(from.poll_transmit(now, &mut said), "nothing is said as number {number}");
        assert_eq!(said, *expected, "number {number}");
        to.handle_bytes(now, &said);
    }
    assert!(node.is_connected() && device.is_connected());
    let events: Vec<_> = std::iter::from_fn(|| device.poll_event()).collect();
    let [Event::Connected, Event::Answered { kind: Kind::Answer, message, .. }] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(cbor::parse(message, &Limits::default()), Ok(Value::map([("type", "none")])));
}

fn answer(node: &mut Link) {
    assert_eq!(node.poll_event(), Some(Event::Connected));
    let Some(Event::Asked { stream, kind: Kind::Request, message }) = node.poll_event() else { panic!("not asked") };
    assert_eq!(message, codec::request_to_bytes(&Request::List));
    let none = cbor::to_vec(&fsc_core::bus::codec::answer_to_value(&Answer::None));
    node.reply(stream, Kind::Answer, Bytes::from(none)).unwrap();
}
