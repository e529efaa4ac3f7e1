use std::sync::Arc;

use fsc_core::joining::Keys;
use fsc_core::laws::{self, Lawful};
use fsc_core::protocol_laws;
use proptest::prelude::{ProptestConfig, prop, prop_assert_eq, proptest};
use rand::RngExt;
use rand_chacha::ChaCha20Rng;

use super::*;
use crate::order::{of_float, of_integer};
use crate::ot;
use crate::search::testing::{self, Seen, recorded, results, value};
use crate::sum::Kind;

protocol_laws!(MinimumMaximum, docs: "../minimum_maximum.rs", parties: 2..=5);

impl Lawful for MinimumMaximum {
    fn params(rng: &mut ChaCha20Rng, parties: usize) -> Options {
        let kind = if rng.random() { Kind::Float64 } else { Kind::Int64 };
        let missing = if rng.random() { Missing::Omit } else { Missing::Error };
        Options { kind, missing, preprocessing: testing::source(rng, parties) }
    }

    /// A party in three has nothing, but the last.
    fn inputs(rng: &mut ChaCha20Rng, params: &Options, parties: usize) -> Vec<Own> {
        let mut own = |place: usize| {
            let mut code = || match params.kind {
                Kind::Float64 => of_float(testing::float(rng)),
                Kind::Int64 => of_integer(rng.random_range(-2..=2) * (i64::MAX / 2)),
            };
            let (one, other) = (code(), code());
            let is_there = place + 1 == parties || rng.random_bool(0.7);
            let omitted = if params.missing == Missing::Omit { rng.random_range(0..9) } else { 0 };
            let extremes = is_there.then(|| (one.min(other), one.max(other)));
            Own { extremes, samples: u64::from(is_there) * rng.random_range(2..9), omitted }
        };
        (0..parties).map(&mut own).collect()
    }

    fn acquaint(keys: &[Arc<Keys>]) {
        ot::acquaint(keys);
    }

    fn is_right(params: &Options, inputs: &[Own], result: &Value) -> bool {
        let extremes = || inputs.iter().filter_map(|own| own.extremes);
        let least = extremes().map(|(least, _)| least).min().and_then(|code| params.number(code));
        let greatest = extremes().map(|(_, greatest)| greatest).max().and_then(|code| params.number(code));
        let total = |count: fn(&Own) -> u64| Value::from(inputs.iter().map(count).sum::<u64>());
        let omitted = (params.missing == Missing::Omit).then(|| total(|own| own.omitted));
        result.entry("minimum") == least.as_ref()
            && result.entry("maximum") == greatest.as_ref()
            && result.entry("samples") == Some(&total(|own| own.samples))
            && result.entry("omitted") == omitted.as_ref()
    }
}

const FLOATS: Options = Options { kind: Kind::Float64, missing: Missing::Error, preprocessing: Source::Dealer(0) };

fn floats(numbers: &[f64]) -> Own {
    let codes = || numbers.iter().map(|number| of_float(*number));
    Own { extremes: codes().min().zip(codes().max()), samples: numbers.len() as u64, omitted: 0 }
}

fn admit(data: &str, parameters: &str) -> Result<Own, String> {
    let submission = Submission { data: value(data), parameters: value(parameters), parties: 2, me: 0 };
    MinimumMaximum::admit(submission).map(|(_, own)| own).map_err(|error| error.to_string())
}

#[test]
fn the_recorded_result_is_met() {
    let (data, expected) = recorded("MinimumMaximum");
    let inputs = data.into_iter().map(|data| own(FLOATS, data).unwrap()).collect();
    for result in results::<MinimumMaximum>(&FLOATS, inputs) {
        let result = result.unwrap();
        for key in ["minimum", "maximum", "samples"] {
            assert_eq!(result.entry(key).unwrap().as_f64(), expected.entry(key).unwrap().as_f64(), "{key}");
        }
    }
}

#[test]
fn data_are_numbers_or_records() {
    let both = floats(&[-1.0, 2.5]);
    assert_eq!(admit("[2.5, -1]", "null"), Ok(both.clone()));
    assert_eq!(admit("2.5", "null"), Ok(floats(&[2.5])));
    assert_eq!(admit("[]", "null"), Ok(floats(&[])));
    assert_eq!(admit(r#"{"minimum": -1, "maximum": 2.5}"#, "null"), Ok(Own { samples: 1, ..both.clone() }));
    assert_eq!(admit(r#"[{"minimum": -1, "maximum": 2}, 2.5]"#, "null"), Ok(both.clone()));
    let omitted =
        admit(r#"[{"minimum": -1, "maximum": 2.5}, null, {"minimum": null, "maximum": 9}]"#, r#"{"missing": "omit"}"#);
    assert_eq!(omitted, Ok(Own { samples: 1, omitted: 2, ..both }));
}

#[test]
fn what_makes_no_sense_is_refused_by_position() {
    for (data, expected) in [
        (r#"[1, {"minimum": 1}]"#, "position 1 lacks its minimum or its maximum"),
        (r#"[{"minimum": 2, "maximum": 1}]"#, "position 0 has a minimum above its maximum"),
        (r#"[{"minimum": 2, "maximum": 3, "mean": 2}]"#, "position 0 has an unknown entry \"mean\""),
        (r#"[{"minimum": 2, "maximum": [3]}]"#, "in the record at position 0"),
        ("[1, null]", "null at position 1"),
        (r#"[1, "two"]"#, "a text at position 1"),
    ] {
        let error = admit(data, "null").expect_err(data);
        assert!(error.contains(expected), "{data}: {error}");
    }
}

#[test]
fn nothing_has_no_extremes_at_any_party() {
    for (parties, preprocessing) in testing::ways() {
        for kind in [Kind::Float64, Kind::Int64] {
            let params = Options { kind, preprocessing, ..FLOATS };
            for result in results::<MinimumMaximum>(&params, vec![floats(&[]); parties]) {
                assert!(result.unwrap_err().contains("no numbers"));
            }
        }
    }
}

/// They have the codes that stand for no number, too.
#[test]
fn the_least_and_the_greatest_integer_are_extremes() {
    let own = |number| Own { extremes: Some((of_integer(number), of_integer(number))), samples: 1, omitted: 0 };
    for (parties, preprocessing) in testing::ways() {
        let params = Options { kind: Kind::Int64, preprocessing, ..FLOATS };
        for (one, other) in [(i64::MAX, i64::MAX), (i64::MIN, i64::MIN), (i64::MIN, i64::MAX)] {
            let inputs = [own(one), own(other), floats(&[])];
            for result in results::<MinimumMaximum>(&params, inputs[..parties].to_vec()) {
                let result = result.unwrap();
                assert_eq!(result.entry("minimum"), Some(&Value::from(one)));
                assert_eq!(result.entry("maximum"), Some(&Value::from(other)));
            }
        }
    }
}

/// One round for the counts, eight for each level, one for the result.
#[test]
fn costs_are_these() {
    let bits = |bits: u64| bits.div_ceil(8);
    // With one pair: 64 products, then the tree's, then the choice's; for two numbers each.
    let level = |numbers: u64| {
        let tree = [32, 16, 8, 4, 2].map(|pairs| bits(numbers * pairs * 3)).iter().sum::<u64>();
        bits(numbers * 64 * 2) + tree + bits(numbers * 2) + bits(numbers * 22 * 4)
    };
    for (parties, levels, rounds) in [(2, level(2), 10), (3, 2 * level(2), 18), (4, level(4) + level(2), 18)] {
        let cost = MinimumMaximum::cost(&FLOATS, &Announced::new(0, vec![Value::Null; parties]));
        let others = parties as u64 - 1;
        let bytes = others * (16 + levels + 2 * 8);
        assert_eq!(cost, Cost { rounds, messages: others * u64::from(rounds), bytes }, "{parties} parties");
    }
}

/// Two parties: the counts, the question and its answer, and the result.
#[test]
fn two_parties_send_few_messages() {
    let params = Options { preprocessing: Source::Oblivious, ..FLOATS };
    let cost = |me| MinimumMaximum::cost(&params, &Announced::new(me, vec![Value::Null; 2]));
    assert_eq!(cost(0), Cost { rounds: 2, messages: 3, bytes: 16 + 2 * 128 * 32 + 16 });
    assert_eq!(cost(1), Cost { rounds: 3, messages: 3, bytes: 16 + 8 * 128 + 16 });
}

/// What is shown, from the result alone.
fn simulated(source: Source, parties: usize, samples: u128, minimum: f64, maximum: f64) -> Vec<Seen> {
    let mut seen = vec![Seen::Sums(vec![samples])];
    seen.extend(testing::masked_extremes(source, parties, 1));
    let codes = [of_float(minimum), !of_float(maximum)];
    seen.push(Seen::Bits(Bits::positions(&codes, 64).to_bytes().to_vec()));
    seen
}

#[test]
fn what_is_opened_follows_from_the_result() {
    for parties in [
        &[&[4.5, 7.0][..], &[-2.0], &[5.0]][..],
        &[&[-2.0, 1.0], &[3.0], &[7.0]],
        &[&[-2.0; 2], &[], &[7.0, 7.0]],
        &[&[4.5, 7.0], &[-2.0, 0.0]],
        &[&[-2.0, 1.0, 7.0, 7.0], &[]],
        &[&[3.0], &[-2.0, 1.0, 7.0]],
    ] {
        for preprocessing in [Source::Dealer(0), Source::Oblivious] {
            let inputs = parties.iter().map(|numbers| floats(numbers)).collect();
            let report =
                testing::run_among_acquaintances::<MinimumMaximum>(&Options { preprocessing, ..FLOATS }, inputs);
            let simulated = |maximum| simulated(preprocessing, parties.len(), 4, -2.0, maximum);
            testing::compare(&report, parties.len(), &simulated(7.0)).unwrap();
            testing::compare(&report, parties.len(), &simulated(7.5)).unwrap_err();
        }
    }
}

/// Negative control: the reference's way, in which everybody tells everybody its extremes.
struct Broadcasts;

impl Protocol for Broadcasts {
    const NAME: &'static str = MinimumMaximum::NAME;
    const VERSION: u16 = MinimumMaximum::VERSION;
    const SECURITY: Security = MinimumMaximum::SECURITY;
    type Params = Options;
    type Input = Own;
    type Output = Value;

    fn admit(submission: Submission) -> Result<(Options, Own), ObjectError> {
        MinimumMaximum::admit(submission)
    }

    fn cost(params: &Options, all: &Announced) -> Cost {
        MinimumMaximum::cost(params, all)
    }

    async fn run(party: &mut Party, params: Options, input: Secret<Own>) -> Result<Value, ProtocolError> {
        let (least, greatest) = input.expose().extremes.unwrap_or((u64::MAX, 0));
        let mine = Bits::from_words(vec![least, greatest], 128).to_bytes();
        let all = party.exchange(mine).await?;
        let all: Vec<Bits> = all.iter().filter_map(|said| Bits::from_bytes(said, 128)).collect();
        let minimum = all.iter().map(|said| said.words()[0]).min().and_then(|code| params.number(code));
        let maximum = all.iter().map(|said| said.words()[1]).max().and_then(|code| params.number(code));
        Ok(Value::List(vec![minimum.unwrap_or_default(), maximum.unwrap_or_default()]))
    }
}

impl Lawful for Broadcasts {
    fn params(rng: &mut ChaCha20Rng, parties: usize) -> Options {
        MinimumMaximum::params(rng, parties)
    }

    fn inputs(rng: &mut ChaCha20Rng, params: &Options, parties: usize) -> Vec<Own> {
        MinimumMaximum::inputs(rng, params, parties)
    }

    fn acquaint(keys: &[Arc<Keys>]) {
        ot::acquaint(keys);
    }

    fn is_right(_: &Options, _: &[Own], _: &Value) -> bool {
        true
    }
}

#[test]
fn transcripts_of_the_same_result_are_indistinguishable_but_for_the_references() {
    let one = [floats(&[-2.0, 7.0]), floats(&[1.0]), floats(&[1.0])];
    let other = [floats(&[]), floats(&[-2.0, 3.0]), floats(&[4.0, 7.0])];
    laws::transcripts_are_indistinguishable::<MinimumMaximum>(&FLOATS, &one, &other).unwrap();
    laws::transcripts_are_indistinguishable::<Broadcasts>(&FLOATS, &one, &other).unwrap_err();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn extremes_are_what_sorting_finds(
        columns in prop::collection::vec(prop::collection::vec(testing::floats(), 0..9), 2..6),
    ) {
        let mut all = columns.concat();
        if !all.is_empty() {
            all.sort_unstable_by(f64::total_cmp);
            let inputs: Vec<Own> = columns.iter().map(|column| floats(column)).collect();
            for preprocessing in testing::SOURCES {
                for result in results::<MinimumMaximum>(&Options { preprocessing, ..FLOATS }, inputs.clone()) {
                    let result = result.unwrap();
                    prop_assert_eq!(result.entry("minimum"), Some(&Value::Float(all[0])));
                    prop_assert_eq!(result.entry("maximum"), Some(&Value::Float(all[all.len() - 1])));
                }
            }
        }
    }
}
