//! Two [`Mux`]es on a line that loses nothing.

use proptest::prelude::{ProptestConfig, any, prop, prop_assert, prop_assert_eq, proptest};
use proptest::test_runner::RngSeed;

use super::super::testing::{TERMS, answer, question};
use super::*;

fn mux(credit: u32, memory: usize, streams: u16) -> Mux {
    let terms = Terms { streams, credit, ..TERMS };
    let mut mux = Mux::new(Bounds { terms, memory, asks: 100 });
    mux.connect(terms, Time::START);
    mux
}

/// Answers what was asked, and collects the answers.
fn live(mux: &mut Mux, answers: &mut BTreeMap<AskId, Bytes>) {
    while let Some(said) = mux.next_said() {
        match said {
            Said::Asked { id, message, .. } => mux.reply(id, Kind::Answer, answer(&message)).unwrap(),
            Said::Answered { ask, message, .. } => assert!(answers.insert(ask, message).is_none(), "answered twice"),
            Said::Announced { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(4), ..ProptestConfig::with_cases(100) })]

    #[test]
    fn messages_arrive_whole_in_packets_of_any_length(
        lengths in prop::collection::vec((8..3000_usize, 0..3000_u32), 1..20),
        rooms in prop::collection::vec(ENOUGH..600, 1..10),
        (credit, memory, streams) in (0..2000_u32, 1..10_000_usize, 1..9_u16),
    ) {
        let mut ends = [mux(credit, memory, streams), mux(credit, memory, streams)];
        let mut answers = [BTreeMap::new(), BTreeMap::new()];
        let mut expected = [BTreeMap::new(), BTreeMap::new()];
        for (number, (length, reply)) in (0..).zip(lengths) {
            let (end, question) = ((number % 2) as usize, question(number, length, reply));
            let expects = answer(&question);
            let ask = ends[end].ask(Kind::Request, question, None, Time::START).unwrap();
            expected[end].insert(ask, expects);
        }
        for (turn, room) in rooms.iter().cycle().enumerate().take(100_000) {
            if answers == expected {
                break;
            }
            let from = turn % 2;
            if let Some(payload) = ends[from].fill(*room, Time::START) {
                prop_assert!(payload.len() <= *room);
                prop_assert_eq!(ends[1 - from].take(&payload, Time::START), Ok(()));
                live(&mut ends[1 - from], &mut answers[1 - from]);
            }
        }
        prop_assert_eq!(answers, expected);
        for end in &ends {
            prop_assert!(end.asks.is_empty() && end.begun.is_empty() && end.served.is_empty() && !end.is_ready());
        }
    }

    #[test]
    fn any_payload_is_taken_or_refused(payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 1..20)) {
        let mut end = mux(100, 1000, 3);
        end.ask(Kind::Request, question(1, 50, 4), None, Time::START).unwrap();
        let _ = end.fill(100, Time::START);
        for mut payload in payloads {
            if let Some(tag) = payload.first_mut() {
                *tag = [0x11, 0x12, 0x13, 0x21, 0x22, 0x31, 0x32, 0x40][usize::from(*tag) % 8];
            }
            let _ = end.take(&payload, Time::START);
            while end.next_said().is_some() {}
            prop_assert!(end.served.len() <= 3 && end.notes.len() <= 8);
        }
    }
}

#[test]
fn what_breaks_the_rules_is_named() {
    let record = |bytes: &[u8]| mux(10, 1000, 2).take(bytes, Time::START).unwrap_err();
    for (payload, why) in [
        (&[0x99, 0][..], "no records"),
        (&[0x11, 1, 0, 0], "not counted one by one"),
        (&[0x11, 0, 0, 0, 0x11, 1, 0, 0, 0x11, 2, 0, 0], "more questions at once"),
        (&[0x11, 0, 0xff, 0xff, 0xff, 0xff, 0x0f, 0], "longer than this end takes"),
        (&[0x11, 0, 3, 4, 1, 2, 3, 4], "longer than was announced"),
        (&[0x21, 0, 1, 1], "did not begin"),
        (&[0x13, 0, 0, 0], "what was not asked"),
        (&[0x22, 0, 0], "what was not asked"),
    ] {
        assert!(record(payload).contains(why), "{payload:x?}: {}", record(payload));
    }
}
