use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use fsc_core::envelope::Content;
use fsc_core::joining::Keys;
use fsc_core::laws::{self, Lawful};
use fsc_core::protocol_laws;
use fsc_core::sim::{Faults, Report, keys as sim_keys, simulate, simulate_among};
use fsc_core::value::{Limits, json};
use proptest::prelude::*;
use rand::RngExt;
use rand_chacha::ChaCha20Rng;

use super::*;
use crate::algebra::bits::Bits;
use crate::algebra::ring;
use crate::circuit::garbled::GARBLER;
use crate::data::Missing;
use crate::ot;
use crate::preprocessing::Source;
use crate::search::testing::{self, Seen};
use crate::union::{Capacity, decode};

protocol_laws!(StatisticsFrequency, docs: "../frequency.rs", parties: 2..=7);

impl Lawful for StatisticsFrequency {
    /// A code book, or announcements, or a bound on all parties' keys.
    fn params(rng: &mut ChaCha20Rng, _: usize) -> Params<Vec<Key>> {
        let missing = if rng.random() { Missing::Omit } else { Missing::Error };
        let params = match rng.random_range(0..3) {
            0 => Params::new(Some(alphabet(7))),
            1 => Params::new(None),
            _ => Params { maximum_distinct: Some(300), ..Params::new(None) },
        };
        Params { missing, ..params }
    }

    fn inputs(rng: &mut ChaCha20Rng, params: &Params<Vec<Key>>, parties: usize) -> Vec<Records<Key>> {
        // At most eight keys at each party, so that all announce the same.
        let alphabet = alphabet(if params.categories.is_none() { 40 } else { 7 });
        let mut records = || {
            let drawn: Vec<Key> = (0..7).map(|_| alphabet[rng.random_range(0..alphabet.len())].clone()).collect();
            let mut counts = BTreeMap::new();
            for key in drawn.into_iter().take(rng.random_range(0..=7)) {
                *counts.entry(key).or_default() += rng.random_range(1..100);
            }
            let omitted = if params.missing == Missing::Omit { rng.random_range(0..3) } else { 0 };
            Records { counts, omitted }
        };
        (0..parties).map(|_| records()).collect()
    }

    fn acquaint(keys: &[Arc<Keys>]) {
        ot::acquaint(keys);
    }

    fn is_right(params: &Params<Vec<Key>>, inputs: &[Records<Key>], result: &Value) -> bool {
        let mut pooled: HashMap<Vec<u8>, (Key, u64)> = HashMap::new();
        let book = params.categories.iter().flatten().map(|key| (key, 0));
        for (key, count) in
            inputs.iter().flat_map(|input| input.counts.iter().map(|(key, count)| (key, *count))).chain(book)
        {
            pooled.entry(Key::encode(key)).or_insert_with(|| (key.clone(), 0)).1 += count;
        }
        let mut cells: Vec<(Key, u64)> = pooled.into_values().collect();
        cells.sort_unstable();
        let omitted = (params.missing == Missing::Omit).then(|| inputs.iter().map(|input| input.omitted).sum());
        *result == expected(&cells, params.minimum_count, omitted)
    }
}

/// The whole result of these counts, in order of the keys, of which those below a minimum are not shown.
fn expected(cells: &[(Key, u64)], minimum: u64, omitted: Option<u64>) -> Value {
    let is_hidden = |count: u64| count < minimum && minimum > 1;
    let shown = |count: u64| if is_hidden(count) { Value::Null } else { Value::Float(count as f64) };
    let passed = || cells.iter().filter(|(_, count)| *count >= minimum);
    let highest = passed().map(|(_, count)| *count).max();
    let mode = passed().find(|(_, count)| Some(*count) == highest).map_or(Value::Null, |(key, _)| key.to_value());
    let suppressed = cells.iter().filter(|(_, count)| is_hidden(*count)).count();
    let by_text: BTreeMap<String, Value> = cells.iter().map(|(key, count)| (key.to_text(), shown(*count))).collect();
    let why = if suppressed > 0 { "no count above zero is shown" } else { "there are no records" };
    let no_mode = (mode == Value::Null).then_some(("mode", why));
    let same = "different categories are the same text, as 1 and \"1\" are: see cells";
    let no_histogram = (by_text.len() < cells.len()).then_some(("histogram", same));
    let notes: Vec<_> = no_mode.into_iter().chain(no_histogram).map(|(key, why)| (key, Value::from(why))).collect();
    let list = cells.iter().map(|(key, count)| Value::List(vec![key.to_value(), shown(*count)]));
    let entries = [
        ("cells", Some(Value::List(list.collect()))),
        ("mode", Some(mode)),
        ("samples", Some(Value::Float(passed().map(|(_, count)| *count as f64).sum()))),
        ("omitted", omitted.map(Value::from)),
        ("suppressed", (suppressed > 0).then(|| suppressed.into())),
        ("histogram", (by_text.len() == cells.len()).then_some(Value::Map(by_text))),
        ("notes", (!notes.is_empty()).then(|| Value::map(notes))),
    ];
    Value::map(entries.into_iter().filter_map(|(name, value)| Some((name, value?))))
}

/// Keys of all types, a long one among them.
fn alphabet(size: usize) -> Vec<Key> {
    let values = [Value::from(true), Value::from(1), Value::Float(0.5), "1".into(), "ä€😀".into(), "".into()];
    let more = (6..size).map(|index| format!("key {index}").into());
    let mut keys: Vec<Key> = values.into_iter().chain(more).filter_map(|value| Key::of(&value)).take(size).collect();
    keys.sort_unstable();
    keys
}

/// The same with a minimum; the comparisons make it dearer.
mod with_a_minimum {
    use super::*;

    protocol_laws!(WithMinimum, docs: "../frequency.rs", parties: 2..=5);

    pub(super) struct WithMinimum;

    impl Protocol for WithMinimum {
        const NAME: &'static str = StatisticsFrequency::NAME;
        const VERSION: u16 = StatisticsFrequency::VERSION;
        const SECURITY: Security = StatisticsFrequency::SECURITY;
        type Params = Params<Vec<Key>>;
        type Input = Records<Key>;
        type Output = Tally<Key>;

        fn admit(submission: Submission) -> Result<(Self::Params, Records<Key>), ObjectError> {
            StatisticsFrequency::admit(submission)
        }

        fn cost(params: &Self::Params, all: &Announced) -> Cost {
            StatisticsFrequency::cost(params, all)
        }

        fn present(output: Tally<Key>) -> Result<Value, ConvertError> {
            StatisticsFrequency::present(output)
        }

        async fn run(
            party: &mut Party,
            params: Self::Params,
            records: Secret<Records<Key>>,
        ) -> Result<Tally<Key>, ProtocolError> {
            StatisticsFrequency::run(party, params, records).await
        }
    }

    impl Lawful for WithMinimum {
        fn params(rng: &mut ChaCha20Rng, parties: usize) -> Params<Vec<Key>> {
            let dealer = Source::Dealer(rng.random_range(0..parties));
            let preprocessing = if rng.random_bool(0.3) { dealer } else { Source::Oblivious };
            let missing = if rng.random() { Missing::Omit } else { Missing::Error };
            let minimum_count = rng.random_range(2..120);
            Params { minimum_count, missing, preprocessing, ..Params::new(Some(alphabet(5))) }
        }

        fn inputs(rng: &mut ChaCha20Rng, params: &Params<Vec<Key>>, parties: usize) -> Vec<Records<Key>> {
            StatisticsFrequency::inputs(
                rng,
                &Params { missing: params.missing, ..Params::new(Some(alphabet(5))) },
                parties,
            )
            .into_iter()
            .map(|records| Records {
                counts: records.counts.into_iter().filter(|(key, _)| alphabet(5).contains(key)).collect(),
                ..records
            })
            .collect()
        }

        fn acquaint(keys: &[Arc<Keys>]) {
            ot::acquaint(keys);
        }

        fn is_right(params: &Params<Vec<Key>>, inputs: &[Records<Key>], result: &Value) -> bool {
            StatisticsFrequency::is_right(params, inputs, result)
        }
    }
}

fn value(text: &str) -> Value {
    json::parse(text.as_bytes(), &Limits::default()).expect("JSON")
}

fn admit(data: &str, parameters: &str) -> Result<(Params<Vec<Key>>, Records<Key>), String> {
    let submission = Submission { data: value(data), parameters: value(parameters), parties: 3, me: 0 };
    StatisticsFrequency::admit(submission).map_err(|error| error.to_string())
}

/// The result of parties that submit these.
fn result(data: &[&str], parameters: &str) -> Value {
    let (params, inputs): (Vec<_>, Vec<_>) = data.iter().map(|data| admit(data, parameters).expect("admitted")).unzip();
    let report = simulate::<StatisticsFrequency>(&params[0], inputs, 1, Faults::default()).expect("prepared");
    report.outcomes[0].as_ref().expect("a result").entry("result").expect("a result").clone()
}

fn json_of(value: &Value) -> String {
    String::from_utf8(json::to_vec(value)).expect("text")
}

#[test]
fn recorded_results_are_met() {
    let a = |key: &str, count: usize| vec![Value::from(key); count];
    let list = |keys: Vec<Vec<Value>>| json_of(&Value::List(keys.concat()));
    let data = [list(vec![a("c", 20), a("a", 47), a("d", 30)]), list(vec![a("d", 24), a("c", 29), a("b", 50)])];
    let data = data.each_ref().map(String::as_str);
    for parameters in ["null", r#"{"categories": ["a", "b", "c", "d"]}"#, r#"{"maximum_distinct": 10}"#] {
        let result = result(&data, parameters);
        assert_eq!(json_of(result.entry("histogram").unwrap()), r#"{"a":47.0,"b":50.0,"c":49.0,"d":54.0}"#);
        assert_eq!(result.entry("mode"), Some(&"d".into()));
        assert_eq!(result.entry("notes"), None);
    }
}

#[test]
fn keys_are_kept_apart_by_type() {
    let result = result(&[r#"[1, "1", true]"#, r#"[1.0, "true", 2.5]"#], "null");
    let cells = r#"[[true,1.0],[1,2.0],[2.5,1.0],["1",1.0],["true",1.0]]"#;
    assert_eq!(json_of(result.entry("cells").unwrap()), cells);
    assert_eq!(result.entry("histogram"), None, "1 and \"1\" are the same text");
    assert!(json_of(result.entry("notes").unwrap()).contains("are the same text"));
    assert_eq!(result.entry("mode"), Some(&Value::Int(1)));
}

#[test]
fn a_tie_goes_to_the_smallest_key() {
    assert_eq!(result(&[r#"["b", "a", "c"]"#, r#"["c", "b", "a"]"#], "null").entry("mode"), Some(&"a".into()));
    assert_eq!(result(&[r#"["a", 10]"#, "[9]"], "null").entry("mode"), Some(&Value::Int(9)));
}

#[test]
fn nothing_is_counted_where_nobody_has_records() {
    for (parameters, cells) in [("null", "[]"), (r#"{"categories": ["a"]}"#, r#"[["a",0.0]]"#)] {
        let result = result(&["[]", "[]", "[]"], parameters);
        assert_eq!(json_of(result.entry("cells").unwrap()), cells);
        assert_eq!((result.entry("mode"), result.entry("samples")), (Some(&Value::Null), Some(&Value::Float(0.0))));
        assert_eq!(json_of(result.entry("notes").unwrap()), r#"{"mode":"there are no records"}"#);
    }
    assert_eq!(json_of(result(&["[]", "[3]"], "null").entry("histogram").unwrap()), r#"{"3":1.0}"#);
}

#[test]
fn what_is_missing_is_counted_by_itself() {
    for parameters in [r#"{"missing": "omit"}"#, r#"{"missing": "omit", "categories": ["a", "b"]}"#] {
        let result = result(&[r#"["a", null, "b"]"#, "[null, null]"], parameters);
        assert_eq!(
            (result.entry("omitted"), result.entry("samples")),
            (Some(&Value::Int(3)), Some(&Value::Float(2.0)))
        );
    }
}

#[test]
fn ten_thousand_keys_and_long_ones_are_counted() {
    let keys = |range: std::ops::Range<u32>| range.map(|index| Key::Text(format!("patient group {index:x}")));
    let long = Key::Text("ß".repeat(20_000));
    let one = Records { counts: keys(0..7_000).chain([long.clone()]).map(|key| (key, 2)).collect(), omitted: 0 };
    let other = Records { counts: keys(5_000..10_000).chain([long]).map(|key| (key, 5)).collect(), omitted: 0 };
    let inputs = vec![one, other];
    let params = Params::new(None);
    let report = simulate::<StatisticsFrequency>(&params, inputs.clone(), 3, Faults::default()).unwrap();
    let outcome = report.outcomes[1].as_ref().expect("a result");
    assert!(StatisticsFrequency::is_right(&params, &inputs, outcome.entry("result").unwrap()));
}

/// Of a thousand categories, with and without a code book.
#[test]
fn a_million_records_are_counted() {
    let data = |records: std::ops::Range<i64>| Value::List(records.map(|index| (index % 1000).into()).collect());
    let book = Value::List((0..1000).map(Value::from).collect());
    for parameters in [Value::Null, Value::map([("categories", book)])] {
        let admit = |data| {
            let submission = Submission { data, parameters: parameters.clone(), parties: 2, me: 0 };
            StatisticsFrequency::admit(submission).expect("numbers")
        };
        let admitted = [data(0..700_000), data(700_000..1_000_000)].map(admit);
        let (params, inputs): (Vec<_>, Vec<_>) = admitted.into_iter().unzip();
        let report = simulate::<StatisticsFrequency>(&params[0], inputs, 1, Faults::default()).expect("admitted");
        let cells: Vec<(Key, u64)> =
            (0..1000).map(|index| (Key::of(&Value::from(index)).expect("a number"), 1000)).collect();
        for outcome in report.outcomes {
            assert_eq!(outcome.unwrap().entry("result"), Some(&expected(&cells, 1, None)));
        }
    }
}

#[test]
fn more_keys_than_the_bound_are_an_error_everywhere() {
    let of = |first: u64| {
        let counts = (first..first + 60).map(|index| (Key::of(&index.into()).expect("a number"), 1)).collect();
        Records { counts, omitted: 0 }
    };
    let params = Params { maximum_distinct: Some(64), ..Params::new(None) };
    let report = simulate::<StatisticsFrequency>(&params, vec![of(0), of(60), of(120)], 1, Faults::default()).unwrap();
    assert!(report.outcomes.iter().all(Result::is_err));
    assert!(admit(&json_of(&Value::List((0..65).map(Value::from).collect())), r#"{"maximum_distinct": 64}"#).is_err());
}

/// A party that does not do as it should adds what nobody can have: an error, as that is no count, and none of too many keys.
#[test]
fn more_records_than_there_can_be_are_an_error_everywhere() {
    let of = |text: &str, count: u64| Records { counts: [(Key::Text(text.to_owned()), count)].into(), omitted: 0 };
    let omitted = Records { counts: BTreeMap::new(), omitted: u64::MAX };
    let (most, one, two) = (of("a", u64::MAX), of("a", 1), of("b", 1 << 39));
    for inputs in [[most.clone(), one], [most.clone(), two.clone()], [two, of("a", 1 << 40)], [most, omitted]] {
        for params in [Params::new(None), Params::new(Some(["a", "b"].map(|key| Key::Text(key.to_owned())).to_vec()))] {
            let params = Params { missing: Missing::Omit, ..params };
            let report = simulate::<StatisticsFrequency>(&params, inputs.to_vec(), 1, Faults::default()).unwrap();
            for outcome in report.outcomes {
                let error = outcome.expect_err("no result").to_string();
                assert!(error.contains("more records than") || error.contains("out of range"), "{error}");
            }
        }
    }
}

#[test]
fn what_is_no_category_is_refused_by_position() {
    for (data, parameters, expected) in [
        (r#"["a", ["b"]]"#, "null", "there is a list at position 1"),
        (r#"["a", null]"#, "null", "there is null at position 1"),
        (r#"["a", "c"]"#, r#"{"categories": ["a", "b"]}"#, "position 1 is not among parameters.categories"),
        ("[1]", r#"{"categories": ["1"]}"#, "position 0 is not among"),
        ("[]", r#"{"minimum_count": 5}"#, "minimum_count needs categories"),
        ("[]", r#"{"categories": ["a", "a"]}"#, "listed twice"),
        ("[]", r#"{"categories": []}"#, "categories is empty"),
        ("[]", r#"{"categories": [[1]]}"#, "texts, numbers or truth values"),
        ("[]", r#"{"categories": "a"}"#, "must be a list"),
        ("[]", r#"{"categories": ["a"], "maximum_distinct": 4}"#, "exclude each other"),
        ("[]", r#"{"maximum_distinct": 262145}"#, "maximum_distinct is more"),
        ("[]", r#"{"categories": ["a"], "minimum_count": 1099511627777}"#, "out of range"),
        ("[]", r#"{"categories": ["a"], "preprocessing": {"dealer": 3}}"#, "no party 3"),
        ("[]", r#"{"category": 1}"#, "expected one of: categories"),
    ] {
        let error = admit(data, parameters).err().expect(data);
        assert!(error.contains(expected), "{data} {parameters}: {error}");
    }
}

#[test]
fn a_code_book_has_no_order() {
    let params = |text: &str| admit("[]", text).expect("admitted").0;
    assert!(params(r#"{"categories": ["a", 2, true]}"#) == params(r#"{"categories": [true, "a", 2.0]}"#));
}

/// The cost as it stands in the documentation.
#[test]
fn costs_are_these() {
    let cost = |params: &Params<Vec<Key>>, announced: &[u64]| {
        let announced = announced.iter().map(|blocks| Value::from(*blocks)).collect();
        StatisticsFrequency::cost(params, &Announced::new(0, announced))
    };
    let one_round = |messages, bytes| Cost { rounds: 1, messages, bytes };
    let book = Params::new(Some(alphabet(10)));
    assert_eq!(cost(&book, &[0, 0, 0]), one_round(2, 2 * 160));
    assert_eq!(cost(&Params { missing: Missing::Omit, ..book.clone() }, &[0, 0]), one_round(1, 176));
    let found = Params::new(None);
    for (announced, bytes) in [(&[8, 8][..], 16_128), (&[16, 16], 21_504), (&[64, 64], 56_320), (&[512, 512], 310_016)]
    {
        assert_eq!(cost(&found, announced), one_round(1, bytes));
    }
    assert_eq!(cost(&found, &[8192, 8192]), one_round(4, 4_069_632));
    let bounded = Params { maximum_distinct: Some(8), ..Params::new(None) };
    assert_eq!(cost(&bounded, &[0, 0, 0]), one_round(2, 2 * 12_800));
    let minimum = Params { minimum_count: 5, preprocessing: Source::Dealer(0), ..book };
    assert_eq!(cost(&minimum, &[0, 0]), Cost { rounds: 16, messages: 16, bytes: 1_031 });
}

/// Who of three has which key, with the same counts in all, can't be told from the messages.
#[test]
fn transcripts_of_different_holders_are_indistinguishable() {
    let of = |keys: &[(&str, u64)]| Records {
        counts: keys.iter().map(|(key, count)| (Key::Text((*key).to_owned()), *count)).collect(),
        omitted: 0,
    };
    let one = [of(&[("a", 1), ("b", 2)]), of(&[("a", 3)]), of(&[("c", 1)])];
    let other = [of(&[]), of(&[("a", 4), ("b", 2), ("c", 1)]), of(&[])];
    let bounded = Params { maximum_distinct: Some(8), ..Params::new(None) };
    let book = Params::new(Some(["a", "b", "c"].map(|key| Key::Text(key.to_owned())).to_vec()));
    for params in [bounded, book] {
        laws::transcripts_are_indistinguishable::<StatisticsFrequency>(&params, &one, &other).unwrap();
    }
}

fn report_of<P: Lawful>(params: &P::Params, inputs: &[P::Input], seed: u64) -> Report {
    let keys = sim_keys(inputs.len(), seed);
    P::acquaint(&keys);
    simulate_among::<P>(params, inputs.to_vec(), &keys, seed, Faults::default()).expect("examples are admitted")
}

/// Every vector that was opened by additive shares as the last thing: the sum of the last messages of all parties.
fn last_opened(report: &Report, parties: usize) -> Vec<u128> {
    let last = |from: usize| report.payloads(from, (from + 1) % parties).pop().expect("every party sends something");
    let mut sum = ring::decode::<u128>(&last(0), last(0).len() / 16).expect("whole elements");
    for from in 1..parties {
        ring::add_assign_le(&mut sum, &last(from)).expect("as long as the others'");
    }
    sum
}

/// All that is opened with a code book, as a simulator has it from the output: which counts are below the minimum, if there is
/// one; then each count that is shown, zero for one that is suppressed, and the number of missing records.
fn simulated(params: &Params<Vec<Key>>, parties: usize, result: &Value) -> Vec<Seen> {
    let Some(Value::List(cells)) = result.entry("cells") else { panic!("a list") };
    let count = |cell: &Value| match cell {
        Value::List(cell) => cell[1].as_f64().map(|count| count as u128),
        _ => panic!("a pair"),
    };
    let counts: Vec<Option<u128>> = cells.iter().map(count).collect();
    let omitted = result.entry("omitted").and_then(Value::as_usize).map(|omitted| omitted as u128);
    let sums = counts.iter().map(|count| count.unwrap_or_default()).chain(omitted).collect();
    let below: Vec<u64> = counts.iter().map(|count| count.is_none().into()).collect();
    let below = (params.minimum_count > 1).then(|| Seen::Bits(Bits::positions(&below, 1).to_bytes().to_vec()));
    let all = Announced::new(GARBLER, vec![Value::Null; parties]);
    let messages = StatisticsFrequency::cost(params, &all).messages / (parties as u64 - 1);
    (2..messages).map(|_| Seen::Masked).chain(below).chain([Seen::Sums(sums)]).collect()
}

#[test]
fn what_is_opened_is_what_the_simulator_predicts() {
    let mut rng = <ChaCha20Rng as rand::SeedableRng>::seed_from_u64(1);
    for (seed, parties) in [(1, 2), (2, 3), (3, 5)] {
        let params = with_a_minimum::WithMinimum::params(&mut rng, parties);
        for params in [Params { minimum_count: 1, ..params.clone() }, params] {
            let inputs = with_a_minimum::WithMinimum::inputs(&mut rng, &params, parties);
            let report = report_of::<StatisticsFrequency>(&params, &inputs, seed);
            let result = report.outcomes[0].as_ref().expect("a result").entry("result").expect("a result").clone();
            testing::compare(&report, parties, &simulated(&params, parties, &result)).unwrap();
        }
    }
}

/// Two parties' records that differ in what is suppressed only: everything that is opened, and so every combination of it, is
/// the same, whatever the suppressed counts are. So is the result.
#[test]
fn nothing_that_is_opened_depends_on_a_suppressed_count() {
    let key = |text: &str| Key::Text(text.to_owned());
    let book = ["common", "rare", "rarer"].map(key).to_vec();
    let params = Params { minimum_count: 10, ..Params::new(Some(book)) };
    let of = |common: u64, rare: u64, rarer: u64| Records {
        counts: [("common", common), ("rare", rare), ("rarer", rarer)].map(|(text, count)| (key(text), count)).into(),
        omitted: 0,
    };
    let reports: Vec<(Vec<u128>, String)> =
        [[of(6, 5, 0), of(7, 4, 0)], [of(9, 0, 1), of(4, 0, 2)], [of(13, 9, 9), of(0, 0, 0)]]
            .iter()
            .map(|inputs| {
                let report = report_of::<StatisticsFrequency>(&params, inputs, 7);
                let result = json_of(report.outcomes[0].as_ref().expect("a result"));
                (last_opened(&report, 2), result)
            })
            .collect();
    assert!(reports.iter().all(|report| *report == reports[0]));
    assert_eq!(reports[0].0, [13, 0, 0]);
    assert!(
        reports[0].1.contains(r#""samples":13.0"#) && reports[0].1.contains(r#""suppressed":2"#),
        "{}",
        reports[0].1
    );
    // Just enough is shown, and one less is not.
    let report = report_of::<StatisticsFrequency>(&params, &[of(9, 5, 0), of(0, 5, 0)], 8);
    assert_eq!(last_opened(&report, 2), [0, 10, 0]);
}

/// The transcript of comparisons is uniform, too: inputs of the same result can't be told apart.
#[test]
fn transcripts_with_a_minimum_are_indistinguishable() {
    let key = |text: &str| Key::Text(text.to_owned());
    let params = Params {
        minimum_count: 10,
        preprocessing: Source::Dealer(2),
        ..Params::new(Some(vec![key("common"), key("rare")]))
    };
    let of =
        |common: u64, rare: u64| Records { counts: [(key("common"), common), (key("rare"), rare)].into(), omitted: 0 };
    let one = [of(6, 5), of(7, 4), of(0, 0)];
    let other = [of(0, 0), of(13, 0), of(0, 1)];
    laws::transcripts_are_indistinguishable::<StatisticsFrequency>(&params, &one, &other).unwrap();
}

/// The reference's way: every party tells its keys, and then the counts are summed.
struct Broadcasting;

impl Protocol for Broadcasting {
    const NAME: &'static str = StatisticsFrequency::NAME;
    const VERSION: u16 = StatisticsFrequency::VERSION;
    const SECURITY: Security = StatisticsFrequency::SECURITY;
    type Params = Params<Vec<Key>>;
    type Input = Records<Key>;
    type Output = Tally<Key>;

    fn admit(submission: Submission) -> Result<(Self::Params, Records<Key>), ObjectError> {
        StatisticsFrequency::admit(submission)
    }

    fn cost(params: &Self::Params, all: &Announced) -> Cost {
        StatisticsFrequency::cost(params, all)
    }

    async fn run(
        party: &mut Party,
        _: Self::Params,
        records: Secret<Records<Key>>,
    ) -> Result<Tally<Key>, ProtocolError> {
        let mine = Value::List(records.expose().counts.keys().map(Key::to_value).collect());
        let all = party.exchange(json::to_vec(&mine).into()).await?;
        let read = |bytes: &Bytes| keys(json::parse(bytes, &Limits::default()).unwrap_or_default()).unwrap_or_default();
        let mut book: Vec<Key> = all.iter().flat_map(read).collect();
        book.sort_unstable();
        book.dedup();
        tally(party, &Params::new(Some(book)), records).await
    }
}

/// What a coalition of all but parties 0 and 1, which has the canary not, looks for in what each of the two sent: its bytes,
/// and a table that can be taken apart.
fn finds_a_holder<P>(params: &Params<Vec<Key>>) -> bool
where
    P: Protocol<Params = Params<Vec<Key>>, Input = Records<Key>>,
{
    const CANARY: &str = "a rare disease";
    let records = |texts: &[&str]| Records {
        counts: texts.iter().map(|text| (Key::Text((*text).to_owned()), 3)).collect(),
        omitted: 0,
    };
    let inputs = vec![records(&[CANARY, "flu"]), records(&["flu", "cold"]), records(&[])];
    let report = simulate::<P>(params, inputs, 5, Faults::default()).expect("examples are admitted");
    assert!(report.outcomes.iter().all(Result::is_ok));
    let capacity = Capacity::of(8).expect("few");
    let mail = report.transcript.iter().find_map(|sent| match &sent.envelope.content {
        Content::Mail(mail) => Some(mail.run),
        _ => None,
    });
    let run = mail.expect("the run's id is on all mail");
    [0, 1].iter().flat_map(|honest| report.payloads(*honest, 2)).any(|payload| {
        payload.windows(CANARY.len()).any(|bytes| bytes == CANARY.as_bytes())
            || decode(&payload, capacity, run).is_some()
    })
}

#[test]
fn holders_are_not_found_unless_keys_are_broadcast() {
    let bounded = Params { maximum_distinct: Some(8), ..Params::new(None) };
    assert!(!finds_a_holder::<StatisticsFrequency>(&bounded));
    assert!(finds_a_holder::<Broadcasting>(&bounded), "the reference's leak went unnoticed");
}

fn any_key() -> impl Strategy<Value = Value> {
    prop_oneof![
        "[a-c]{0,2}".prop_map(Value::from),
        ".{0,100}".prop_map(Value::from),
        (-3..3_i64).prop_map(Value::from),
        any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(Value::Float),
        any::<bool>().prop_map(Value::from),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn counts_are_those_of_a_hash_map(
        data in proptest::collection::vec(proptest::collection::vec(any_key(), 0..30), 2..4),
        seed: u64,
    ) {
        let mut pooled: HashMap<Vec<u8>, f64> = HashMap::new();
        for key in data.iter().flatten() {
            *pooled.entry(Key::of(key).expect("a key").encode()).or_default() += 1.0;
        }
        let submit = |data: Vec<Value>| {
            let submission = Submission { data: Value::List(data), parameters: Value::Null, parties: 2, me: 0 };
            StatisticsFrequency::admit(submission).expect("keys").1
        };
        let inputs = data.into_iter().map(submit).collect();
        let report = simulate::<StatisticsFrequency>(&Params::new(None), inputs, seed, Faults::default()).expect("admitted");
        for outcome in report.outcomes {
            let outcome = outcome.expect("a result");
            let Some(Value::List(cells)) = outcome.entry("result").and_then(|result| result.entry("cells")) else {
                panic!("a list");
            };
            let found: HashMap<Vec<u8>, f64> = cells
                .iter()
                .map(|cell| match cell {
                    Value::List(cell) => (Key::of(&cell[0]).expect("a key").encode(), cell[1].as_f64().expect("a count")),
                    _ => panic!("a pair"),
                })
                .collect();
            prop_assert_eq!(&found, &pooled);
        }
    }
}
