use std::sync::Arc;

use fsc_core::joining::Keys;
use fsc_core::laws::Lawful;
use fsc_core::protocol_laws;
use fsc_core::sim::{Faults, simulate};
use fsc_core::value::{Limits, json};
use proptest::prelude::*;
use rand::RngExt;
use rand_chacha::ChaCha20Rng;

use super::*;
use crate::data::Missing;
use crate::ot;
use crate::preprocessing::Source;

protocol_laws!(StatisticsContingency, docs: "../contingency.rs", parties: 2..=7);

/// A code book, with or without a minimum, or announcements, or a bound on all parties' pairs.
impl Lawful for StatisticsContingency {
    fn params(rng: &mut ChaCha20Rng, parties: usize) -> Params<Book> {
        let book = Params::new(Some(Book { rows: side("row"), columns: side("column") }));
        let dealer = Source::Dealer(rng.random_range(0..parties));
        let preprocessing = if rng.random_bool(0.3) { Source::Oblivious } else { dealer };
        let params = match rng.random_range(0..4) {
            0 => book,
            1 => Params { minimum_count: rng.random_range(2..20), preprocessing, ..book },
            2 => Params::new(None),
            _ => Params { maximum_distinct: Some(10), ..Params::new(None) },
        };
        Params { missing: if rng.random() { Missing::Omit } else { Missing::Error }, ..params }
    }

    fn inputs(rng: &mut ChaCha20Rng, params: &Params<Book>, parties: usize) -> Vec<Records<Pair>> {
        let (rows, columns) = (side("row"), side("column"));
        let mut records = || {
            let mut counts = BTreeMap::new();
            for _ in 0..rng.random_range(0..=7) {
                let pair = (rows[rng.random_range(0..3)].clone(), columns[rng.random_range(0..3)].clone());
                *counts.entry(pair).or_default() += rng.random_range(1..9);
            }
            let omitted = if params.missing == Missing::Omit { rng.random_range(0..3) } else { 0 };
            Records { counts, omitted }
        };
        (0..parties).map(|_| records()).collect()
    }

    fn acquaint(keys: &[Arc<Keys>]) {
        ot::acquaint(keys);
    }

    fn is_right(params: &Params<Book>, inputs: &[Records<Pair>], result: &Value) -> bool {
        let all = || inputs.iter().flat_map(|input| &input.counts);
        let side = |side: fn(&Pair) -> &Key, book: fn(&Book) -> &Vec<Key>| -> Vec<Key> {
            let mut keys: Vec<Key> = all().map(|(pair, _)| side(pair).clone()).collect();
            keys.extend(params.categories.iter().flat_map(book).cloned());
            keys.sort_unstable();
            keys.dedup();
            keys
        };
        let rows = side(|(row, _)| row, |book| &book.rows);
        let columns = side(|(_, column)| column, |book| &book.columns);
        let count = |pair: &Pair| all().filter(|(other, _)| *other == pair).map(|(_, count)| count).sum::<u64>();
        let cells = rows.iter().flat_map(|row| columns.iter().map(|column| (row.clone(), column.clone())));
        let cells: Vec<(Pair, u64)> = cells.map(|pair| (pair.clone(), count(&pair))).collect();
        let omitted = (params.missing == Missing::Omit).then(|| inputs.iter().map(|input| input.omitted).sum());
        *result == expected(&rows, &columns, &cells, params.minimum_count, omitted)
    }
}

/// The whole result of these counts, row by row, of which those below a minimum are not shown.
fn expected(rows: &[Key], columns: &[Key], cells: &[(Pair, u64)], minimum: u64, omitted: Option<u64>) -> Value {
    let is_hidden = |count: u64| count < minimum && minimum > 1;
    let shown = |count: u64| if is_hidden(count) { Value::Null } else { Value::Float(count as f64) };
    let pair = |(row, column): &Pair| Value::from(vec![row.to_value(), column.to_value()]);
    let passed = || cells.iter().filter(|(_, count)| *count >= minimum);
    let highest = passed().map(|(_, count)| *count).max();
    let mode = passed().find(|(_, count)| Some(*count) == highest).map_or(Value::Null, |(key, _)| pair(key));
    let total = |of: &dyn Fn(&Pair) -> bool| -> f64 {
        passed().filter(|(pair, _)| of(pair)).map(|(_, count)| *count as f64).sum()
    };
    let totals = |keys: &[Key], is: fn(&Pair, &Key) -> bool| {
        let entry = |key: &Key| Value::from(vec![key.to_value(), Value::Float(total(&|pair| is(pair, key)))]);
        Value::List(keys.iter().map(entry).collect())
    };
    let suppressed = cells.iter().filter(|(_, count)| is_hidden(*count)).count();
    let row = |key: &Key| {
        let cells = cells.iter().filter(|((row, _), _)| row == key);
        Value::map(cells.map(|((_, column), count)| (column.to_text(), shown(*count))))
    };
    let why = if suppressed > 0 { "no count above zero is shown" } else { "there are no records" };
    let no_mode = (mode == Value::Null).then_some(("mode", why));
    let list = cells.iter().map(|(key, count)| Value::from(vec![pair(key), shown(*count)]));
    let entries = [
        ("table", Some(Value::map(rows.iter().map(|key| (key.to_text(), row(key)))))),
        ("cells", Some(Value::List(list.collect()))),
        ("row_totals", Some(totals(rows, |(row, _), key| row == key))),
        ("column_totals", Some(totals(columns, |(_, column), key| column == key))),
        ("mode", Some(mode)),
        ("samples", Some(Value::Float(total(&|_| true)))),
        ("omitted", omitted.map(Value::from)),
        ("suppressed", (suppressed > 0).then(|| suppressed.into())),
        ("notes", no_mode.map(|(key, why)| Value::map([(key, Value::from(why))]))),
    ];
    Value::map(entries.into_iter().filter_map(|(name, value)| Some((name, value?))))
}

fn side(name: &str) -> Vec<Key> {
    let mut keys: Vec<Key> = (0..2).map(|index| Key::Text(format!("{name} {index}"))).collect();
    keys.insert(0, Key::of(&Value::from(7)).expect("a number"));
    keys
}

fn value(text: &str) -> Value {
    json::parse(text.as_bytes(), &Limits::default()).expect("JSON")
}

fn admit(data: &str, parameters: &str) -> Result<(Params<Book>, Records<Pair>), String> {
    let submission = Submission { data: value(data), parameters: value(parameters), parties: 2, me: 0 };
    StatisticsContingency::admit(submission).map_err(|error| error.to_string())
}

fn result(data: &[&str], parameters: &str) -> BTreeMap<String, String> {
    let (params, inputs): (Vec<_>, Vec<_>) = data.iter().map(|data| admit(data, parameters).expect("admitted")).unzip();
    let report = simulate::<StatisticsContingency>(&params[0], inputs, 1, Faults::default()).expect("prepared");
    let outcome = report.outcomes[1].as_ref().expect("a result");
    let Some(Value::Map(result)) = outcome.entry("result") else { panic!("a map") };
    let text = |value: &Value| String::from_utf8(json::to_vec(value)).expect("text");
    result.iter().map(|(name, value)| (name.clone(), text(value))).collect()
}

#[test]
fn recorded_results_are_met() {
    let pairs = |counts: &[(&str, usize)]| {
        let pair = |pair: &str| Value::from(vec![Value::from(&pair[..1]), Value::from(&pair[1..])]);
        let pairs = counts.iter().flat_map(|(name, count)| vec![pair(name); *count]).collect();
        String::from_utf8(json::to_vec(&Value::List(pairs))).expect("text")
    };
    let one = pairs(&[("fx", 20), ("fy", 40), ("fz", 10), ("mx", 28)]);
    let other = pairs(&[("mz", 33), ("fx", 14), ("fz", 26), ("my", 29)]);
    let table = r#"{"f":{"x":34.0,"y":40.0,"z":36.0},"m":{"x":28.0,"y":29.0,"z":33.0}}"#;
    for parameters in ["null", r#"{"categories": [["m", "f"], ["x", "y", "z"]]}"#] {
        let result = result(&[&one, &other], parameters);
        assert_eq!((result["table"].as_str(), result["mode"].as_str()), (table, r#"["f","y"]"#));
        assert_eq!(result["row_totals"], r#"[["f",110.0],["m",90.0]]"#);
        assert_eq!(result["column_totals"], r#"[["x",62.0],["y",69.0],["z",69.0]]"#);
        assert_eq!(result["samples"], "200.0");
    }
}

#[test]
fn pairs_that_do_not_occur_are_counted_as_zero() {
    let result = result(&[r#"[["a", 1]]"#, r#"[["b", 2], ["b", 2]]"#], "null");
    assert_eq!(result["table"], r#"{"a":{"1":1.0,"2":0.0},"b":{"1":0.0,"2":2.0}}"#);
    assert_eq!(result["cells"], r#"[[["a",1],1.0],[["a",2],0.0],[["b",1],0.0],[["b",2],2.0]]"#);
}

#[test]
fn names_that_join_to_the_same_text_stay_apart() {
    let result = result(&[r#"[["a", "bc"], ["ab", "c"]]"#, r#"[["ab", "c"], ["", "abc"]]"#], "null");
    assert_eq!(result["mode"], r#"["ab","c"]"#);
    assert!(result["cells"].contains(r#"[["a","bc"],1.0]"#) && result["cells"].contains(r#"[["","abc"],1.0]"#));
}

#[test]
fn a_table_of_keys_that_are_the_same_text_is_left_out() {
    let result = result(&[r#"[[1, "x"]]"#, r#"[["1", "x"]]"#], "null");
    assert!(!result.contains_key("table") && result["notes"].contains("are the same text"), "{}", result["notes"]);
    assert_eq!(result["cells"], r#"[[[1,"x"],1.0],[["1","x"],1.0]]"#);
}

#[test]
fn nobody_has_records() {
    let result = result(&["[]", "[]"], "null");
    assert_eq!((result["table"].as_str(), result["cells"].as_str(), result["mode"].as_str()), ("{}", "[]", "null"));
    assert_eq!(result["notes"], r#"{"mode":"there are no records"}"#);
}

#[test]
fn a_pair_with_something_missing_is_missing() {
    let result = result(&[r#"[["a", null], null, ["a", "b"]]"#, "[[null, null], [1, 2]]"], r#"{"missing": "omit"}"#);
    assert_eq!((result["omitted"].as_str(), result["samples"].as_str()), ("3", "2.0"));
}

/// Margins are sums of what is shown: the difference to anything else that is known of a suppressed cell is not there.
#[test]
fn margins_leave_out_what_is_suppressed() {
    let parameters = r#"{"categories": [["a", "b"], ["x", "y"]], "minimum_count": 2}"#;
    let result = result(&[r#"[["a", "x"], ["a", "x"], ["a", "y"], ["b", "y"]]"#, r#"[["b", "y"]]"#], parameters);
    assert_eq!(result["table"], r#"{"a":{"x":2.0,"y":null},"b":{"x":null,"y":2.0}}"#);
    assert_eq!(result["row_totals"], r#"[["a",2.0],["b",2.0]]"#);
    assert_eq!(result["column_totals"], r#"[["x",2.0],["y",2.0]]"#);
    assert_eq!((result["samples"].as_str(), result["suppressed"].as_str()), ("4.0", "2"));
}

/// A table of a million million cells is not written out.
#[test]
fn a_sparse_table_is_not_filled() {
    let key = |index: u64| Key::of(&index.into()).expect("a number");
    let cells = (0..2000).map(|index| ((key(index), key(index)), Some(1))).collect();
    let value = StatisticsContingency::present(Tally { cells, omitted: None }).unwrap();
    assert_eq!(value.entry("table"), None);
    assert!(value.entry("notes").and_then(|notes| notes.entry("table")).is_some());
    assert!(matches!(value.entry("cells"), Some(Value::List(cells)) if cells.len() == 2000));
}

#[test]
fn what_is_no_pair_is_refused_by_position() {
    for (data, parameters, expected) in [
        (r#"[["a", "b"], ["a"]]"#, "null", "at position 1 there is no pair"),
        (r#"["a", "b"]"#, "null", "at position 0 there is no pair"),
        (r#"[["a", ["b"]]]"#, "null", "there is a list at position 0"),
        (r#"[["a", null]]"#, "null", "there is null at position 0"),
        (r#"[["x", "a"]]"#, r#"{"categories": [["a"], ["x"]]}"#, "position 0 is not among"),
        ("[]", r#"{"categories": ["a", "b"]}"#, "must be a list"),
        ("[]", r#"{"categories": [["a"], ["b"], ["c"]]}"#, "a list of two lists"),
    ] {
        let error = admit(data, parameters).err().expect(data);
        assert!(error.contains(expected), "{data} {parameters}: {error}");
    }
}

proptest! {
    #[test]
    fn what_is_encoded_decodes(row in ".*", number: i64) {
        let pair = (Key::Text(row), Key::of(&number.into()).expect("a number"));
        prop_assert!(Pair::decode(&Category::encode(&pair)) == Some(pair));
    }

    #[test]
    fn any_bytes_are_one_pair_or_none(bytes: Vec<u8>) {
        if let Some(pair) = Pair::decode(&bytes) {
            prop_assert_eq!(Category::encode(&pair), bytes);
        }
    }
}
