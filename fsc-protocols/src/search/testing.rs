//! What the tests of the functions of order have in common: the recorded results, and the simulator as code.

use bytes::Bytes;
use fsc_core::laws::ChaCha20Rng;
use fsc_core::protocol::Protocol;
use fsc_core::sim::{self, Faults, Report, simulate_among};
use fsc_core::value::{Limits, Value, json};
use proptest::prelude::*;
use rand::RngExt;

use super::*;
use crate::algebra::ring;
use crate::circuit::WIDTH;
use crate::circuit::garbled::GARBLER;
use crate::circuit::sign::Masks;
use crate::minimum_maximum::extremes_cost;
use crate::ot;

/// The ways to compare numbers.
pub(crate) const SOURCES: [Source; 2] = [Source::Dealer(0), Source::Oblivious];

/// Two and three parties, by each of the ways: circuits between two are others than among more.
pub(crate) fn ways() -> impl Iterator<Item = (usize, Source)> {
    [2, 3].into_iter().flat_map(|parties| SOURCES.map(|source| (parties, source)))
}

/// What everybody sees when all parties' messages of a round are put together.
pub(crate) enum Seen {
    /// Something uniform that depends on nothing.
    Masked,
    /// Bits, as bytes.
    Bits(Vec<u8>),
    /// Sums modulo 2^128.
    Sums(Vec<u128>),
}

/// Compares all messages of a run with a prediction.
pub(crate) fn compare(report: &Report, parties: usize, predicted: &[Seen]) -> Result<(), String> {
    let to_others =
        |from| (0..parties).filter(move |to| *to != from).map(move |to| report.payloads(from, to)).collect();
    let said: Vec<Vec<Vec<Bytes>>> = (0..parties).map(to_others).collect();
    if let Some(messages) = said.iter().flatten().find(|messages| messages.len() != predicted.len()) {
        return Err(format!("there are {} messages, but {} were predicted", messages.len(), predicted.len()));
    }
    for (index, seen) in predicted.iter().enumerate() {
        let says_one_thing =
            |to_others: &Vec<Vec<Bytes>>| to_others.iter().all(|messages| messages[index] == to_others[0][index]);
        let messages = said.iter().map(|to_others| &to_others[0][index]);
        let as_predicted = match seen {
            Seen::Masked => true,
            _ if !said.iter().all(says_one_thing) => false,
            Seen::Bits(bits) => messages.fold(vec![0; bits.len()], xor) == *bits,
            Seen::Sums(sums) => messages.fold(vec![0; sums.len()], plus) == *sums,
        };
        if !as_predicted {
            return Err(format!("message {index} opens something else than follows from the result"));
        }
    }
    Ok(())
}

fn xor(mut sum: Vec<u8>, message: &Bytes) -> Vec<u8> {
    if sum.len() != message.len() {
        return Vec::new();
    }
    sum.iter_mut().zip(message).for_each(|(sum, byte)| *sum ^= byte);
    sum
}

fn plus(mut sums: Vec<u128>, message: &Bytes) -> Vec<u128> {
    if ring::add_assign_le(&mut sums, message).is_err() { Vec::new() } else { sums }
}

/// What a search shows, from the answers alone.
pub(crate) fn simulate_search(search: &Search, source: Source, answers: &[u64]) -> Vec<Seen> {
    let is_garbled = garbled::is_chosen(source, search.parties);
    let masked = |messages: u32| (0..if is_garbled { 0 } else { messages }).map(|_| Seen::Masked);
    let bits = search.sum_bits();
    let ahead = Masks::prepare_size(search.parties, bits, search.all_sums());
    let triples = ahead.triples + Masks::negative_size(bits, search.all_sums()).triples;
    // Triples are made at once. A dealer sends nothing for it.
    let making = source.bit_triples_cost(search.parties, triples, WIDTH).messages as u32 / (search.parties as u32 - 1);
    let mut seen: Vec<Seen> = masked(making + ahead.rounds).collect();
    for step in 0..search.steps {
        let sums = search.sums(step);
        seen.extend(masked(Masks::negative_size(bits, sums).rounds));
        // Of two parties, one asks, and the other sends its circuits.
        seen.extend(is_garbled.then_some(Seen::Masked));
        let digit = |answer: &u64| (answer - search.first) >> (DIGIT * (search.steps - 1 - step)) & 0xf;
        let below = answers.iter().flat_map(|answer| (0..15).map(move |index| index < digit(answer)));
        // The condition holds: there is an answer.
        let bits = below.chain([false]).take(sums);
        let mut bytes = vec![0; sums.div_ceil(8)];
        bits.enumerate().for_each(|(index, bit)| bytes[index / 8] |= u8::from(bit) << (index % 8));
        seen.push(Seen::Bits(bytes));
    }
    seen
}

/// What shows of the extremes of that many columns before they are opened: of two parties, one asks, and the other sends its
/// circuit.
pub(crate) fn masked_extremes(source: Source, parties: usize, columns: usize) -> impl Iterator<Item = Seen> {
    let messages = extremes_cost(source, parties, GARBLER, columns).messages / (parties as u64 - 1);
    (1..messages).map(|_| Seen::Masked)
}

pub(crate) fn value(text: &str) -> Value {
    json::parse(text.as_bytes(), &Limits::default()).expect("JSON")
}

/// The inputs that were recorded of a function of the reference, and its result.
pub(crate) fn recorded(function: &str) -> (Vec<Value>, Value) {
    let all = value(include_str!("../../tests/recorded/order.json"));
    let of = |key| all.entry(function).and_then(|recorded| recorded.entry(key)).cloned();
    let (Some(Value::List(inputs)), Some(Value::List(results))) = (of("inputs_by_party"), of("results_by_party"))
    else {
        panic!("{function} is not as recorded");
    };
    (inputs, results[0].entry("result").expect("a result").clone())
}

/// A run by nodes that have met.
pub(crate) fn run_among_acquaintances<P: Protocol>(params: &P::Params, inputs: Vec<P::Input>) -> Report {
    let keys = sim::keys(inputs.len(), 3);
    ot::acquaint(&keys);
    simulate_among::<P>(params, inputs, &keys, 3, Faults::default()).expect("examples are admitted")
}

/// Every party's result of a run by nodes that have met.
pub(crate) fn results<P: Protocol>(params: &P::Params, inputs: Vec<P::Input>) -> Vec<Result<Value, String>> {
    let report = run_among_acquaintances::<P>(params, inputs);
    let result = |outcome: Value| outcome.entry("result").expect("a result").clone();
    report.outcomes.into_iter().map(|outcome| outcome.map(result).map_err(|error| error.to_string())).collect()
}

/// Small, huge, and not to be scaled by powers of ten.
const SPECIAL: [f64; 10] = [0.0, 5e-324, -5e-324, 1e300, -1e300, 0.57, 1e-7, 1.0, f64::MAX, f64::MIN];

/// A float that tests something: any of its bits, something small or huge, or one that others have, too.
pub(crate) fn float(rng: &mut ChaCha20Rng) -> f64 {
    match rng.random_range(0..3) {
        0 => SPECIAL[rng.random_range(0..SPECIAL.len())],
        1 => f64::from(rng.random_range(-3..4)),
        _ => std::iter::repeat_with(|| f64::from_bits(rng.random())).find(|number| number.is_finite()).unwrap_or(0.0),
    }
}

/// Likewise, but no negative zero, which has no code.
pub(crate) fn floats() -> impl Strategy<Value = f64> {
    let any = any::<f64>().prop_filter("finite", |number| number.is_finite());
    prop_oneof![prop::sample::select(&SPECIAL[..]), (-3..4).prop_map(f64::from), any].prop_map(|number| number + 0.0)
}

/// Oblivious transfer, now and then, since it takes most of the time; or any party as a dealer.
pub(crate) fn source(rng: &mut ChaCha20Rng, parties: usize) -> Source {
    if rng.random_bool(0.5 / parties as f64) { Source::Oblivious } else { Source::Dealer(rng.random_range(0..parties)) }
}
