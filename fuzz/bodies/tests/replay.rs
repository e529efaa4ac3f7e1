//! Every body on stable: over the seeds in the repository, and over inputs drawn from one seed.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use fsc_fuzz_bodies::{TARGETS, Target};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;

/// Inputs drawn for each target.
const DRAWN: usize = 3_000;

/// The same, where an input is a run with all its cryptography.
const DRAWN_RUNS: usize = 300;

macro_rules! replay {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                replay(stringify!($name));
            }
        )*

        #[test]
        fn every_target_is_replayed() {
            let replayed = [$(stringify!($name)),*];
            assert_eq!(TARGETS.iter().map(|target| target.name).collect::<Vec<_>>(), replayed);
        }
    };
}

replay!(value_json value_cbor request submission envelope hello session runs bus ot key union functions frame arq seal bindings);

#[test]
fn every_target_has_a_program_for_the_fuzzer() {
    for target in TARGETS {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz_targets").join(target.name);
        let program = fs::read_to_string(path.with_extension("rs")).unwrap();
        assert!(program.contains(&format!("fsc_fuzz_bodies::{}(data)", target.name)), "{}", target.name);
    }
}

fn replay(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("the table has it");
    let seeds = seeds(target);
    assert!(!seeds.is_empty(), "no seeds for {name}");
    for seed in &seeds {
        run(target, seed);
    }
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    for _ in 0..if ["functions", "seal"].contains(&name) { DRAWN_RUNS } else { DRAWN } {
        run(target, &draw(&mut rng, &seeds));
    }
}

/// The files in the repository, in a fixed order; what a fuzzer found here besides is not among them.
fn seeds(target: &Target) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus").join(target.name);
    let entries = fs::read_dir(folder).expect("every target has a folder");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("a folder can be listed").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "seed"));
    paths.sort();
    paths.iter().map(|path| fs::read(path).expect("seeds can be read")).collect()
}

/// Random bytes, or a seed with a few changes.
fn draw(rng: &mut ChaCha20Rng, seeds: &[Vec<u8>]) -> Vec<u8> {
    if rng.random_bool(0.25) {
        let length = rng.random_range(0..400);
        return (0..length).map(|_| rng.random()).collect();
    }
    let pick = |rng: &mut ChaCha20Rng| seeds[rng.random_range(0..seeds.len())].clone();
    let mut bytes = pick(rng);
    for _ in 0..rng.random_range(1..6) {
        let at = rng.random_range(0..=bytes.len());
        match rng.random_range(0..5) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, rng.random()),
            2 => drop(bytes.drain(at..bytes.len().min(at + rng.random_range(0..8)))),
            3 => drop(bytes.splice(at.., pick(rng).into_iter().skip(at))),
            _ if at < bytes.len() => bytes[at] ^= 1 << rng.random_range(0..8),
            _ => {}
        }
    }
    bytes
}

fn run(target: &Target, input: &[u8]) {
    let ended = catch_unwind(AssertUnwindSafe(|| (target.body)(input)));
    assert!(ended.is_ok(), "{} fails for {}", target.name, input.escape_ascii());
}
