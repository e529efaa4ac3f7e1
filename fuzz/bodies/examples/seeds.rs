//! Writes the seeds that are no texts: `cargo run -p fsc-fuzz-bodies --example seeds`.
//!
//! Envelopes and hellos are those of a simulated run. Lists of operations begin with what makes a run succeed, so that a
//! fuzzer starts behind the joining.

use std::path::Path;
use std::{fs, io};

use fsc_core::envelope::Content;
use fsc_core::joining::{Hello, Spec};
use fsc_core::sim::{Faults, Report, simulate};
use fsc_core::value::Value;
use fsc_protocols::frequency::StatisticsFrequency;
use fsc_protocols::key::Key;
use fsc_protocols::sum::{self, SecureSum};
use fsc_protocols::tally::{Category, Params, Records};

fn main() -> io::Result<()> {
    let (whole, cut) = (run(Faults::default()), run(Faults { silent: Some((1, 2)), ..Faults::default() }));
    let batch: Vec<u8> = whole.transcript.iter().flat_map(|sent| sent.bytes.clone()).collect();
    write("envelope", "run", &batch)?;
    for (name, report) in [("whole", whole), ("cut", cut)] {
        for (number, sent) in report.transcript.iter().enumerate().step_by(3) {
            write("envelope", &format!("{name}_{number}"), &sent.bytes)?;
            if let Content::Hello(body) = &sent.envelope.content {
                write("hello", &format!("{name}_{number}"), body)?;
            }
        }
    }
    for (name, announced) in announcements() {
        let spec = Spec { function: name.to_owned(), version: 1, params: Value::Null, parties: Vec::new() };
        write("hello", name, &Hello::new([1; 32], [2; 32], spec, announced, Vec::new()).encoded)?;
    }
    for (name, ops) in SESSIONS {
        write("session", name, ops)?;
    }
    for (name, ops) in RUNS {
        write("runs", name, ops)?;
    }
    for (name, ops) in BUSES {
        write("bus", name, ops)?;
    }
    let texts = ["flu".to_owned(), "a key of more than one block ".repeat(5)];
    let number = Key::of(&Value::from(-(1_i128 << 100) + 1)).expect("numbers are keys");
    let keys: Vec<Key> = texts.into_iter().map(Key::Text).chain([Key::Bool(true), number]).collect();
    for (number, key) in keys.iter().enumerate() {
        write("key", &format!("key_{number}"), &key.encode())?;
        write("key", &format!("pair_{number}"), &Category::encode(&(key.clone(), keys[0].clone())))?;
    }
    write("union", "opened", &opened_table(&keys))
}

/// Shapes that are too large, and as large as they may be.
fn announcements() -> [(&'static str, Value); 6] {
    let shape = |rows: u64, columns: u64, exponent: Value| {
        Value::map([("rows", rows.into()), ("columns", columns.into()), ("exponent", exponent)])
    };
    [
        ("too_many_columns", shape(3, u64::MAX, Value::Null)),
        ("columns_without_rows", shape(0, u64::MAX, Value::Null)),
        ("far_too_long", shape(3, 0, i32::MIN.into())),
        ("the_largest_matrix", shape(1, 1 << 24, 0.into())),
        ("the_most_rows", shape(1 << 24, 0, 1.into())),
        ("too_many_keys", u64::MAX.into()),
    ]
}

/// The id of a run, and the sum of two parties' tables in it, which both have the keys.
fn opened_table(keys: &[Key]) -> Vec<u8> {
    let records = Records { counts: keys.iter().map(|key| (key.clone(), 2)).collect(), omitted: 0 };
    let params = Params { maximum_distinct: Some(8), ..Params::new(None) };
    let report = simulate::<StatisticsFrequency>(&params, vec![records.clone(), records], 0, Faults::default());
    let report = report.expect("a table is prepared");
    let words = |from: usize| -> Vec<u128> {
        let sent = report.payloads(from, 1 - from).concat();
        sent.as_chunks().0.iter().map(|word| u128::from_le_bytes(*word)).collect()
    };
    // The last word of a cell is a count, the others are field elements.
    let sum = |(index, (a, b)): (usize, (u128, u128))| if index % 8 == 7 { a.wrapping_add(b) } else { a ^ b };
    let run = report.transcript.iter().find_map(|sent| match &sent.envelope.content {
        Content::Mail(mail) => Some(mail.run.0),
        _ => None,
    });
    let cells = words(0).into_iter().zip(words(1)).enumerate().map(sum).flat_map(u128::to_le_bytes);
    run.expect("mail has the run's id").into_iter().chain(cells).collect()
}

/// Parties less two, elements, unity; then operations as `Op::read` in `session.rs` has them.
const SESSIONS: &[(&str, &[u8])] = &[
    ("peace", &[1, 0, 1, 6, 6]),
    ("nothing", &[1, 1, 1, 6, 6]),
    ("stop_blames_nobody", &[1, 0, 1, 3, 1, 14, 0, 0, 7, 2, 6, 0xd0, 1, 6]),
    ("vector", &[2, 4, 1, 3, 2, 3, 1, 0, 0, 0, 1, 6, 6]),
    ("disunity", &[1, 2, 0, 6, 6]),
    ("duplicates", &[1, 3, 1, 7, 0, 0, 7, 0, 2, 6, 0, 0, 7, 0, 1, 6]),
    ("drop", &[1, 0, 1, 7, 1, 0, 6, 12, 61, 0, 1, 6]),
    ("flip_hello", &[0, 0, 1, 7, 2, 0, 60, 2, 6]),
    ("flip_mail", &[0, 0, 1, 3, 0, 3, 0, 0, 0, 0, 1, 7, 2, 0, 2, 2, 6]),
    ("splice", &[1, 0, 1, 3, 0, 7, 3, 0, 5, 28, 8, 6]),
    ("replay", &[1, 0, 1, 7, 4, 0, 7, 4, 2, 7, 4, 20, 6, 6]),
    ("divert", &[1, 0, 1, 7, 5, 0, 1, 6]),
    ("flood", &[1, 0, 1, 3, 0, 11, 0, 6]),
    ("cancel", &[1, 0, 1, 6, 13, 1, 6]),
    ("cancel_early", &[1, 0, 1, 3, 0, 13, 1, 6]),
    ("lose", &[1, 0, 1, 3, 0, 14, 0, 1, 6]),
    ("hello_again", &[1, 0, 1, 15, 0, 1, 6, 15, 1, 0, 6]),
    ("invent", &[0, 0, 1, 7, 6, 0, 36, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]),
];

/// Operations as `Op::read` in `runs.rs` has them.
const RUNS: &[(&str, &[u8])] = &[
    ("peace", &[0, 0, 0, 0, 1, 0, 0, 2, 0, 7, 7, 7]),
    ("twice", &[0, 0, 0, 0, 1, 0, 0, 2, 0, 7, 7, 0, 0, 0, 0, 1, 0, 0, 2, 0, 7, 7]),
    ("two_rendezvous", &[0, 0, 0, 0, 1, 1, 0, 1, 0, 0, 0, 1, 7, 0, 2, 0, 0, 2, 1, 7, 7, 7]),
    ("disunity", &[0, 0, 0, 0, 1, 4, 0, 2, 0, 7, 7]),
    ("too_many", &[0, 0, 0, 0, 0, 1, 0, 0, 2, 0, 0, 3, 0, 1, 3, 0, 2, 3, 7, 7, 14, 0, 7, 0, 0, 3, 7, 7]),
    ("early_mail", &[0, 0, 0, 7, 0, 1, 0, 7, 0, 2, 0, 7, 7]),
    ("cancel", &[0, 0, 0, 0, 1, 0, 13, 0, 7, 0, 2, 0, 7]),
    ("cancel_all", &[0, 0, 0, 0, 0, 1, 14, 0, 7]),
    ("unplug", &[0, 0, 0, 0, 1, 0, 4, 15, 1, 7, 12, 200, 7, 15, 1, 12, 200, 7]),
    ("expire", &[0, 0, 0, 7, 12, 255, 12, 255, 12, 255, 0, 1, 0, 7]),
    ("bulk", &[0, 0, 0, 4, 16, 0, 16, 0, 0, 1, 0, 7, 7, 0, 1, 1, 4, 16, 0, 16, 0, 0, 2, 2, 4, 16, 0, 16, 0]),
    ("from_afar", &[0, 0, 0, 4, 11, 0, 7]),
    ("faults", &[0, 0, 0, 0, 1, 0, 0, 2, 0, 4, 8, 0, 0, 8, 1, 1, 8, 2, 0, 40, 0, 7, 8, 4, 0, 8, 5, 0, 1, 7]),
];

/// Operations as `read` in `bus.rs` has them, which begin with whose they are.
const BUSES: &[(&str, &[u8])] = &[
    ("classic", &[0, 0, 0, 4, 0, 0, 6, 0, 10, 0, 0, 9, 0]),
    ("foreign", &[0, 1, 1, 0, 1, 9, 0, 1, 10, 0, 1, 2, 0, 0, 9, 0]),
    ("chain", &[0, 1, 0, 9, 0, 7, 0, 0, 8, 0, 0, 10, 0, 0, 3, 0]),
    ("quota", &[0, 1, 3, 0, 0, 1, 3, 0, 0, 1, 3, 0, 0, 1, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    ("lease", &[0, 0, 0, 11, 1, 80, 0, 3, 0, 0, 11, 1, 80, 0, 11, 1, 140, 0, 3, 0]),
];

fn run(faults: Faults) -> Report {
    simulate::<SecureSum>(&sum::Params::NUMBER, vec![vec![42], vec![16], vec![99]], 0, faults)
        .expect("a sum is prepared")
}

fn write(target: &str, name: &str, seed: &[u8]) -> io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus").join(target);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(name).with_extension("seed"), seed)
}
