//! A secure sum of two to four parties, session by session, over a network that does whatever the input says.

use std::sync::{Arc, LazyLock};
use std::task::{Context, Waker};
use std::time::Duration;

use arbitrary::{Result, Unstructured};
use fsc_core::clock::Time;
use fsc_core::envelope::{Content, Envelope};
use fsc_core::joining::Keys;
use fsc_core::protocol::prepare;
use fsc_core::secret::Secret;
use fsc_core::session::{Outcome, Phase, Session};
use fsc_core::sim::{encode, setup};
use fsc_core::value::{Array, json};
use fsc_protocols::sum::{Kind, Params, SecureSum};

use crate::network::{Fault, Letter, Network};

const MOST_OPS: usize = 300;
const MOST_PARTIES: usize = 4;

/// Whatever the network does, each party ends with the right sum or with an error, in finite time, and sends no more
/// than the protocol needs. Where nothing worse happens than delay and duplication, all end with the right sum.
pub fn session(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let Ok(wish) = Wish::read(&mut input) else { return };
    let mut world = World::new(&wish, 0, EARLIER[wish.parties].clone());
    for _ in 0..MOST_OPS {
        if input.is_empty() {
            break;
        }
        let Ok(op) = Op::read(&mut input) else { break };
        world.step(&op);
        world.check();
    }
    if world.peaceful {
        world.deliver_all();
        assert!(world.outcomes().all(|outcome| outcome.is_some_and(|outcome| outcome.is_ok() == wish.united)));
    }
    world.let_time_pass();
    world.hear_more();
}

/// What the parties want.
#[derive(Clone, Copy, Debug)]
struct Wish {
    parties: usize,
    /// One number, or a vector of so many.
    elements: Option<usize>,
    /// Whether all parties want the same.
    united: bool,
}

impl Wish {
    fn read(input: &mut Unstructured<'_>) -> Result<Self> {
        let parties = input.int_in_range(2..=MOST_PARTIES)?;
        let elements = input.int_in_range(0..=4_usize)?.checked_sub(1);
        let united = !input.ratio(1_u8, 8)?;
        Ok(Self { parties, elements, united })
    }

    fn params(self, party: usize) -> Params {
        let kind = if party == 1 && !self.united { Kind::Float64 } else { Kind::Int64 };
        Params { kind, fraction_bits: 0, shape: self.elements.map(|elements| vec![elements]), ..Params::NUMBER }
    }

    fn input(self, party: usize) -> Vec<i64> {
        let digit = 1000_i64.pow(party as u32);
        (1..).take(self.elements.unwrap_or(1)).map(|element: i64| element * digit).collect()
    }

    /// The sum, written as JSON, which leaves open how a value holds a list of nothing.
    fn sum(self) -> Vec<u8> {
        let inputs: Vec<_> = (0..self.parties).map(|party| self.input(party)).collect();
        let sums = (0..self.elements.unwrap_or(1)).map(|element| inputs.iter().map(|input| input[element]).sum());
        let sums: Vec<i64> = sums.collect();
        json::to_vec(&if self.elements.is_some() { Array::from_i64(sums).into() } else { sums[0].into() })
    }
}

/// The parties' nodes, whose keys outlive the runs.
static KEYS: LazyLock<Vec<Arc<Keys>>> =
    LazyLock::new(|| (0..MOST_PARTIES).map(|place| Arc::new(Keys::from_seed(&[place as u8 + 1; 32]))).collect());

/// What the parties said in an earlier run, by their number.
static EARLIER: LazyLock<Vec<Vec<Letter>>> = LazyLock::new(|| {
    let run = |parties| {
        let mut world = World::new(&Wish { parties, elements: None, united: true }, 1, Vec::new());
        world.deliver_all();
        world.network.history
    };
    (0..=MOST_PARTIES).map(|parties| if parties < 2 { Vec::new() } else { run(parties) }).collect()
});

/// What the world does next. A number is a party, or a letter by its place on the wire.
#[derive(Clone, Debug)]
enum Op {
    Poll(u8),
    Deliver(u8),
    DeliverAll,
    Fault(Fault),
    /// One letter, more often than a session keeps early mail.
    Flood(u8),
    /// By so many seconds.
    Advance(u8),
    Cancel(u8),
    /// One party loses another.
    Lose(u8, u8),
    /// One party greets another once more.
    SayHello(u8, u8),
}

impl Op {
    fn read(input: &mut Unstructured<'_>) -> Result<Self> {
        Ok(match input.int_in_range(0..=15_u8)? {
            0..=2 => Self::Poll(input.arbitrary()?),
            3..=5 => Self::Deliver(input.arbitrary()?),
            6 => Self::DeliverAll,
            7..=10 => Self::Fault(Fault::read(input)?),
            11 => Self::Flood(input.arbitrary()?),
            12 => Self::Advance(input.arbitrary()?),
            13 => Self::Cancel(input.arbitrary()?),
            14 => Self::Lose(input.arbitrary()?, input.arbitrary()?),
            _ => Self::SayHello(input.arbitrary()?, input.arbitrary()?),
        })
    }

    /// Whether every run must survive it.
    fn is_harmless(&self) -> bool {
        match self {
            Self::Poll(..) | Self::Deliver(..) | Self::DeliverAll | Self::SayHello(..) => true,
            Self::Fault(fault) => fault.is_harmless(),
            Self::Flood(..) | Self::Advance(..) | Self::Cancel(..) | Self::Lose(..) => false,
        }
    }
}

struct World {
    sessions: Vec<Session>,
    network: Network,
    now: Time,
    /// What each party may send in all.
    allowed: Vec<usize>,
    sum: Vec<u8>,
    peaceful: bool,
}

impl World {
    fn new(wish: &Wish, seed: u64, history: Vec<Letter>) -> Self {
        let session = |me: usize| {
            let params = wish.params(me);
            let input = params.encode(&Array::from_i64(wish.input(me)), wish.parties).expect("the input is small");
            let prepared = prepare::<SecureSum>(params, Secret::new(input)).expect("a sum is prepared");
            let setup = setup(me, wish.parties, prepared, seed);
            Session::new(fsc_core::session::Setup { keys: Arc::clone(&KEYS[me]), ..setup }, Time::START)
        };
        let mut world = Self {
            sessions: (0..wish.parties).map(session).collect(),
            network: Network::new(wish.parties, history),
            now: Time::START,
            // To each other party a hello, a share, and a stop.
            allowed: vec![3 * (wish.parties - 1); wish.parties],
            sum: wish.sum(),
            peaceful: true,
        };
        world.collect();
        world
    }

    fn step(&mut self, op: &Op) {
        self.peaceful &= op.is_harmless();
        let parties = self.sessions.len();
        let place = |party: u8| usize::from(party) % parties;
        let pair =
            |party: u8, other: u8| (place(party), (place(party) + 1 + usize::from(other) % (parties - 1)) % parties);
        match *op {
            Op::Poll(party) => self.poll(place(party)),
            Op::Deliver(letter) => {
                if let Some(letter) = self.network.take(letter) {
                    self.hand_over(letter);
                }
            }
            Op::DeliverAll => self.deliver_all(),
            Op::Fault(ref fault) => self.network.do_fault(fault),
            Op::Flood(letter) => {
                if let Some(letter) = self.network.take(letter) {
                    (0..1100).for_each(|_| self.hand_over(letter.clone()));
                }
            }
            Op::Advance(seconds) => self.now = self.now + Duration::from_secs(seconds.into()),
            Op::Cancel(party) => self.sessions[place(party)].cancel(),
            Op::Lose(party, other) => {
                let (party, other) = pair(party, other);
                self.sessions[party].lose(other, "unplugged".to_owned());
            }
            Op::SayHello(party, other) => {
                let (party, other) = pair(party, other);
                self.allowed[party] += 1;
                self.sessions[party].say_hello(other);
            }
        }
        self.collect();
    }

    fn poll(&mut self, place: usize) {
        let polled = self.sessions[place].poll(&mut Context::from_waker(Waker::noop()), self.now);
        assert_eq!(polled.is_ready(), self.sessions[place].outcome().is_some());
    }

    /// Hands bytes to a session, as a node does with a batch; what does not decode, the node refuses.
    fn hand_over(&mut self, letter: Letter) {
        for envelope in Envelope::decode_all(letter.bytes.into()).unwrap_or_default() {
            let _ = self.sessions[letter.to].handle(envelope);
        }
    }

    fn collect(&mut self) {
        for (session, allowed) in self.sessions.iter_mut().zip(&mut self.allowed) {
            while let Some(envelope) = session.poll_transmit() {
                // Beats come by the clock, and each tells of something that has come in.
                if !matches!(envelope.content, Content::Beat { .. }) {
                    *allowed = allowed.checked_sub(1).expect("a session sends no more than it has to");
                }
                self.network.send(Letter { to: usize::from(envelope.route.to), bytes: encode(&envelope) });
            }
        }
    }

    fn deliver_all(&mut self) {
        loop {
            (0..self.sessions.len()).for_each(|place| self.poll(place));
            self.collect();
            let Some(letter) = self.network.take(0) else { return };
            self.hand_over(letter);
        }
    }

    fn outcomes(&self) -> impl Iterator<Item = Option<&Outcome>> {
        self.sessions.iter().map(Session::outcome)
    }

    /// What must hold at any time.
    fn check(&mut self) {
        let parties = self.sessions.len();
        for session in &mut self.sessions {
            let progress = session.progress();
            assert!(progress.waiting_for.iter().all(|place| *place < parties));
            assert!(progress.sent.messages <= progress.expected.messages);
            assert!(progress.sent.bytes <= progress.expected.bytes);
            assert_eq!(progress.phase == Phase::Ended, session.outcome().is_some());
            assert_eq!(session.poll_timeout(self.now).is_none(), session.outcome().is_some());
            assert!(session.heard_marks().len() < 2 * parties);
            match session.outcome() {
                None => {}
                Some(Ok(value)) => {
                    let sum = value.entry("result").and_then(|result| result.entry("sum"));
                    assert!(sum.map(json::to_vec).as_ref() == Some(&self.sum), "wrong sum");
                }
                Some(Err(error)) => {
                    assert!(error.culprits().iter().all(|place| *place < parties), "nobody is there to blame: {error}");
                    assert!(error.to_string().len() < 10_000 && (400..600).contains(&error.code()));
                }
            }
        }
    }

    /// All deadlines pass: that of joining, and for who just joined, those of a beat and of silence.
    fn let_time_pass(&mut self) {
        for _ in 0..3 {
            let deadlines = self.sessions.iter_mut().filter_map(|session| session.poll_timeout(self.now));
            self.now = deadlines.fold(self.now, Time::max);
            (0..self.sessions.len()).for_each(|place| self.poll(place));
        }
        self.collect();
        self.check();
        assert!(self.outcomes().all(|outcome| outcome.is_some()), "a session has not ended");
    }

    /// Mail for a session that has ended changes nothing.
    fn hear_more(&mut self) {
        let before: Vec<_> = self.outcomes().map(Option::<&Outcome>::cloned).collect();
        for letter in std::mem::take(&mut self.network.history) {
            self.hand_over(letter);
        }
        (0..self.sessions.len()).for_each(|place| self.poll(place));
        self.collect();
        assert!(self.outcomes().zip(&before).all(|(now, before)| now == before.as_ref()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_united_world_in_peace_ends_with_the_right_sums() {
        for parties in 2..=MOST_PARTIES {
            for elements in [None, Some(3)] {
                let mut world = World::new(&Wish { parties, elements, united: true }, 0, Vec::new());
                world.deliver_all();
                world.check();
                assert!(world.outcomes().all(|outcome| matches!(outcome, Some(Ok(_)))));
            }
        }
    }

    #[test]
    #[should_panic(expected = "wrong sum")]
    fn a_wrong_sum_is_noticed() {
        let mut world = World::new(&Wish { parties: 2, elements: None, united: true }, 0, Vec::new());
        world.sum = b"0".to_vec();
        world.deliver_all();
        world.check();
    }
}
