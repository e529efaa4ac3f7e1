//! Strings and correlated strings by transfers from everybody to everybody, under all laws of protocols.

use fsc_core::laws::{ChaCha20Rng, Lawful, RngExt};
use fsc_core::object::ObjectError;
use fsc_core::protocol::{Adversary, Announced, Corruptions, Protocol, Security, Setup, Submission};
use fsc_core::protocol_laws;
use fsc_core::secret::Secret;
use fsc_core::value::{ConvertError, Value};
use serde::{Deserialize, Serialize};

use super::super::*;
use crate::algebra::bits::Bits;

protocol_laws!(Transfer, docs: "../../ot.rs", parties: 2..=5);

/// Transfers, and shows to all what came of them. The test's own protocol.
struct Transfer;

/// How many transfers there are from each to each, and of how many bits.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Shape {
    length: usize,
    width: usize,
}

/// What a party has for another one: both strings of each transfer, position by position, and its own choices.
#[derive(Clone)]
struct Wishes {
    offer: [Bits; 2],
    choices: Bits,
}

/// What a party has of its transfers with another one.
#[derive(Clone, Default)]
struct Gained {
    /// The strings of its choice.
    chosen: Bits,
    /// Of correlated transfers as the receiver, with the same choices.
    t: Vec<u128>,
    /// Of those as the sender.
    q: Vec<u128>,
    delta: u128,
}

impl Protocol for Transfer {
    const NAME: &'static str = "Transfer";
    const VERSION: u16 = 1;
    const SECURITY: Security = Security {
        adversary: Adversary::SemiHonest,
        corruptions: Corruptions::AllButOne,
        setup: Setup::PairwiseKeys,
        leakage: &[],
        paper: "Masny and Rindal, Endemic oblivious transfer, CCS 2019; Roy, SoftSpokenOT, Crypto 2022",
    };
    type Params = Shape;
    /// By place; what is at one's own is not used.
    type Input = Vec<Wishes>;
    type Output = Value;

    fn admit(_: Submission) -> Result<(Shape, Vec<Wishes>), ObjectError> {
        Ok((Shape { length: 1, width: 1 }, Vec::new()))
    }

    fn cost(Shape { length, width }: &Shape, all: &Announced) -> Cost {
        let (parties, others) = (all.parties(), all.parties() as u64 - 1);
        let questions = 2 * softspoken::message_length(*length);
        let answers = 2 * (length * width).div_ceil(8);
        let shown = parties * Gained::size(Shape { length: *length, width: *width });
        let bytes = others * (questions + answers + shown) as u64;
        Pairs::meeting_cost(all.strangers()) + Cost { rounds: 3, messages: 5 * others, bytes }
    }

    fn present(shown: Value) -> Result<Value, ConvertError> {
        Ok(shown)
    }

    async fn run(party: &mut Party, shape: Shape, input: Secret<Vec<Wishes>>) -> Result<Value, ProtocolError> {
        let Shape { length, width } = shape;
        let (mut pairs, wishes) = (Pairs::connect(party).await?, input.into_inner());
        let mut gained = vec![Gained::default(); party.parties()];
        for other in party.others() {
            let receiver = &mut pairs.with(other).receiver;
            let (question, pads) = receiver.bits(&wishes[other].choices, width);
            party.send(other, question);
            let (question, t) = receiver.correlated(&wishes[other].choices);
            party.send(other, question);
            gained[other] = Gained { chosen: Bits::concat(&pads), t, ..Gained::default() };
        }
        let questions = [party.recv_each(party.others()).await?, party.recv_each(party.others()).await?];
        for other in party.others() {
            let sender = &mut pairs.with(other).sender;
            let pads = sender.bits(&questions[0][other], length, width).map_err(|error| bad(other, error))?;
            for (offer, pad) in wishes[other].offer.iter().zip(&pads) {
                party.send(other, offer.xor(&Bits::concat(pad)).to_bytes());
            }
            gained[other].q = sender.correlated(&questions[1][other], length).map_err(|error| bad(other, error))?;
            gained[other].delta = sender.delta();
        }
        let answers = [party.recv_each(party.others()).await?, party.recv_each(party.others()).await?];
        for other in party.others() {
            let masked = |version: usize| Bits::from_bytes(&answers[version][other], length * width);
            let both = masked(0).zip(masked(1)).ok_or(malformed(other, "its strings have another length"))?;
            gained[other].chosen.xor_assign(&chosen([&both.0, &both.1], &wishes[other].choices, width));
        }
        gained[party.me()] = Gained::empty(shape);
        let shown = party.exchange(gained.iter().flat_map(Gained::to_bytes).collect()).await?;
        Ok(Value::List(shown.into_iter().map(Value::Bytes).collect()))
    }
}

/// Of each transfer, the string of that choice.
fn chosen([zero, one]: [&Bits; 2], choices: &Bits, width: usize) -> Bits {
    zero.xor(&zero.xor(one).and(&choices.repeat(width)))
}

impl Gained {
    fn empty(Shape { length, width }: Shape) -> Self {
        Self { chosen: Bits::zeros(length * width), t: vec![0; length], q: vec![0; length], delta: 0 }
    }

    /// The length of [`Gained::to_bytes`].
    fn size(Shape { length, width }: Shape) -> usize {
        (length * width).div_ceil(8) + 16 * (2 * length + 1)
    }

    fn to_bytes(&self) -> Vec<u8> {
        let strings = self.t.iter().chain(&self.q).chain([&self.delta]).flat_map(|string| string.to_le_bytes());
        self.chosen.to_bytes().into_iter().chain(strings).collect()
    }

    fn from_bytes(bytes: &[u8], Shape { length, width }: Shape) -> Option<Self> {
        let (chosen, strings) = bytes.split_at_checked((length * width).div_ceil(8))?;
        let strings: Vec<u128> = strings.as_chunks().0.iter().map(|bytes| u128::from_le_bytes(*bytes)).collect();
        let (t, rest) = strings.split_at_checked(length)?;
        let (q, delta) = rest.split_at_checked(length)?;
        let chosen = Bits::from_bytes(chosen, length * width)?;
        Some(Self { chosen, t: t.to_vec(), q: q.to_vec(), delta: *delta.first()? })
    }
}

impl Lawful for Transfer {
    fn params(rng: &mut ChaCha20Rng, _: usize) -> Shape {
        Shape { length: rng.random_range(1..300), width: rng.random_range(1..12) }
    }

    fn inputs(rng: &mut ChaCha20Rng, Shape { length, width }: &Shape, parties: usize) -> Vec<Vec<Wishes>> {
        let mut bits =
            |length: usize| Bits::from_words((0..length.div_ceil(64)).map(|_| rng.random()).collect(), length);
        let mut wishes = || Wishes { offer: [(); 2].map(|()| bits(length * width)), choices: bits(*length) };
        (0..parties).map(|_| (0..parties).map(|_| wishes()).collect()).collect()
    }

    fn acquaint(keys: &[Arc<fsc_core::joining::Keys>]) {
        acquaint(keys);
    }

    /// Each has the strings of its choice, and t ⊕ q is choice·Δ.
    fn is_right(shape: &Shape, inputs: &[Vec<Wishes>], result: &Value) -> bool {
        let Value::List(shown) = result else { return false };
        let gained = |place: usize, other: usize| {
            let Some(Value::Bytes(bytes)) = shown.get(place) else { return None };
            Gained::from_bytes(bytes.chunks(Gained::size(*shape)).nth(other)?, *shape)
        };
        let is_transferred = |from: usize, to: usize| {
            let (Some(sender), Some(receiver)) = (gained(from, to), gained(to, from)) else { return false };
            let (Wishes { offer, .. }, Wishes { choices, .. }) = (&inputs[from][to], &inputs[to][from]);
            let differences = receiver.t.iter().zip(&sender.q).map(|(t, q)| t ^ q);
            let expected = choices.iter().map(|choice| if choice { sender.delta } else { 0 });
            receiver.chosen == chosen(offer.each_ref(), choices, shape.width) && differences.eq(expected)
        };
        let places = 0..inputs.len();
        places.clone().all(|from| places.clone().all(|to| from == to || is_transferred(from, to)))
    }
}
