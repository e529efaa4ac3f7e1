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
    for (name, ops) in FRAMES {
        write("frame", name, ops)?;
    }
    for (name, ops) in LINES {
        write("arq", name, ops)?;
    }
    for (name, ops) in SEALED {
        write("seal", name, ops)?;
    }
    for (name, deviations) in FUNCTIONS {
        write("functions", name, deviations)?;
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

/// Pieces as `piece` in `line.rs` has them: twice the length, and one if it is a frame.
const FRAMES: &[(&str, &[u8])] = &[
    ("one", b"\x05ab"),
    ("two_with_noise", b"\x05ab\x06\x07\x00\xff\x03c\x02\x00"),
    ("zeros", b"\x09\x00\x00\x00\x00\x07\x00a\x00"),
    ("a_frame_in_noise", b"\x10\x00\x06\x11\x3d\x17\x48\xb0\x00\x05ab"),
];

/// Operations of `seal`: handshakes by a forwarder and directly, then what a wire does to packets.
const SEALED: [(&str, &[u8]); 4] = [
    ("direct", &[0, 0, 2, 40, 0, 7, 7, 7, 7, 0, 2, 0, 9, 0, 7, 7, 7]),
    ("forwarded", &[0, 0, 1, 40, 0, 7, 7, 7, 7, 7, 7, 7, 7, 0, 1, 0, 9, 0, 7, 7, 7, 7, 7]),
    ("tampered", &[0, 0, 2, 40, 0, 7, 7, 7, 0, 0, 2, 9, 0, 10, 0, 11, 0, 20, 0, 7, 13, 0, 20, 0, 14, 0, 1, 7, 7]),
    ("restarted", &[0, 0, 2, 40, 0, 7, 7, 7, 18, 2, 0, 0, 2, 9, 0, 7, 7, 7, 17, 88, 2, 0, 2, 0, 9, 0, 7, 7, 19, 0, 7]),
];

/// Operations as `act` in `line.rs` reads them.
const LINES: &[(&str, &[u8])] = &[
    ("silence", &[7, 0, 2, 0, 2]),
    ("meeting", &[7, 0, 3, 1, 3, 0, 3, 1, 3, 0, 3, 1, 3, 0, 0, 0, 4, 0, 0, 3, 1, 3, 1, 11, 0, 3]),
    ("peace", &[0, 0, 0, 0, 100, 0, 0, 3, 1, 3, 1, 11, 1, 3]),
    ("bulk", &[0, 0, 0, 4, 0, 0, 0, 3, 1, 3, 0, 3, 0, 3, 0, 3, 0, 3, 0, 3, 1, 3, 1, 11, 1, 3]),
    ("lost", &[0, 0, 0, 4, 0, 0, 0, 6, 0, 3, 0, 3, 1, 3, 0, 1, 200]),
    ("twice", &[0, 0, 0, 4, 0, 0, 0, 7, 0, 7, 1, 11, 1, 7]),
    ("flipped", &[0, 0, 0, 4, 0, 0, 0, 8, 9, 0, 0, 0, 0, 0, 0, 0, 3, 0, 3]),
    ("cut", &[0, 0, 0, 4, 0, 0, 0, 9, 20, 0, 3, 1, 3, 0, 2, 1]),
    ("restarted", &[0, 0, 0, 4, 0, 0, 0, 3, 1, 13, 0, 1, 3, 0, 3, 1, 3, 0, 3]),
    ("unplugged", &[0, 0, 0, 0, 13, 1, 0, 2, 3, 0, 13, 2, 0, 3]),
    ("withdrawn", &[0, 0, 0, 4, 0, 0, 0, 3, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 1, 11]),
];

/// An example, the hostile party's place, whether the nodes have met; what it announces, what becomes of its messages, and what it
/// sends else, as `World` in `functions.rs` reads it.
const FUNCTIONS: &[(&str, &[u8])] = &[
    ("sum_at_the_edge", &[0, 2, 0, 0, 3, 1, 1, 127]),
    ("omitted_beyond", &[0, 1, 0, 0, 3, 2, 0, 70]),
    ("share_cut", &[0, 2, 0, 0, 4, 8, 0]),
    ("circuit_cut", &[1, 0, 0, 0, 0, 0, 4, 100, 0]),
    ("part_of_a_product_cut", &[19, 1, 0, 0, 4, 100, 0]),
    ("garbled", &[1, 0, 0, 0, 0, 0, 2, 5, 0, 7, 0xff]),
    ("choices_cut", &[1, 1, 0, 0, 0, 0, 4, 9, 0]),
    ("gmw", &[2, 2, 0, 0, 0, 3, 2, 0, 0, 1, 0x55]),
    ("triples_padded", &[2, 0, 0, 0, 0, 1, 5, 3, 1, 2, 3, 4, 5, 6, 7, 8]),
    ("dealt", &[3, 2, 0, 0, 0, 1, 6, 1, 2, 3, 4, 5, 6, 7, 8]),
    ("samples_for_any_rank", &[6, 1, 0, 0, 3, 0, 0, 31]),
    ("search", &[5, 1, 0, 0, 0, 60, 2, 0, 0, 1, 0xff]),
    ("silence", &[7, 1, 0, 0, 1]),
    ("strangers", &[7, 0, 0xff, 0]),
    ("no_stranger_is_this", &[7, 1, 0xff, 0, 6, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
    ("sums_of_powers", &[8, 1, 0, 0, 0, 3, 3, 0, 1, 120]),
    ("many_samples", &[9, 2, 0, 0, 0, 40, 3, 0, 0, 35]),
    ("exponents", &[10, 0, 0, 0, 0, 0, 2, 0, 0, 1, 0x80]),
    ("large_table", &[12, 1, 0, 2, 2, 11, 1, 0]),
    ("too_large_a_table", &[12, 0, 0, 2, 2, 18, 1, 0]),
    ("no_number_of_blocks", b"\x11\x01\0\x03\x05[1,2]"),
    ("cells", &[13, 0, 0, 0, 3, 7, 8, 64]),
    ("counts_beyond", &[14, 1, 0, 0, 3, 0, 1, 63]),
    ("suppressed", &[16, 2, 0, 0, 0, 9, 2, 0, 0, 0, 1]),
    ("matrix_of_little", &[19, 1, 0, 2, 0, 1, 0xcf, 0xfb, 0]),
    ("wide_matrix", &[19, 1, 0, 2, 1, 2, 0, 0, 0, 0x60, 0x0b, 7, 7, 7, 7, 7, 7, 7, 7, 32, 0, 1, 0, 0, 0, 0, 0, 0, 0]),
    ("a_matrix_more", b"\x14\x01\0\x03\x23{\"rows\":2,\"columns\":1,\"exponent\":0}"),
    ("uncountable_columns", &[22, 0, 0, 2, 2, 64, 0, 0, 0]),
    ("long_dependent_variable", &[22, 1, 0, 2, 0, 1, 0x98, 0x08, 0]),
    ("no_coefficient", &[22, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0xf8, 0x7f]),
    ("no_square", &[22, 1, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0xf8, 0x7f]),
    ("masked_openings", &[24, 1, 0, 0, 0, 30, 3, 0, 1, 127]),
    ("masked_openings_of_three", &[25, 0, 0, 0, 0, 90, 3, 1, 2, 127]),
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
