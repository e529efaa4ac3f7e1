use std::collections::BTreeSet;

use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;

use super::block::Naming;
use super::table::Shape;
use super::*;

/// A run of that number.
fn run(number: u64) -> RunId {
    RunId(u128::from(number).to_le_bytes())
}

/// The parties' tables in a run of the number `seed`, added up; none is masked.
fn sum_of(parties: &[Counts], capacity: Capacity, seed: u64) -> Table {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mut table = Table::new(capacity, run(seed));
    for (key, count) in parties.iter().flatten() {
        table.insert_key(key, *count, &mut rng);
    }
    table
}

fn taken_apart(parties: &[Counts], capacity: Capacity, seed: u64) -> Option<Counts> {
    block::assemble(&sum_of(parties, capacity, seed).take_apart()?, capacity)
}

fn pooled(parties: &[Counts]) -> Counts {
    let mut pooled = Counts::new();
    for (key, count) in parties.iter().flatten() {
        *pooled.entry(key.clone()).or_default() += count;
    }
    pooled
}

fn capacity(parties: &[Counts]) -> Capacity {
    let each = parties.iter().map(|counts| Capacity::of_counts(counts).expect("few keys").blocks());
    Capacity::of(each.sum()).expect("few keys")
}

/// log₂ of the bound on the probability that a table can't be taken apart, as the documentation has it: q exactly for up to
/// 64 blocks, for more by [x^s] f(x) ≤ f(x)/x^s, which holds for every x > 0 if no coefficient is negative.
fn failure_bound(shape: Shape) -> f64 {
    const EXACT: usize = 64;
    let (n, b, g) = (shape.blocks, shape.width as f64, shape.parts as f64);
    let coefficients = power(shape.width, EXACT);
    let ln_factorials: Vec<f64> = std::iter::once(0.0)
        .chain((1..=n).scan(0.0, |sum, i| {
            *sum += (i as f64).ln();
            Some(*sum)
        }))
        .collect();
    let mut x = 1.0;
    let terms = (2..=n).map(|s| {
        let ln_coefficient = if s <= EXACT {
            coefficients[s].ln()
        } else {
            for _ in 0..12 {
                x = f64::midpoint(x, s as f64 * (x.exp() - x) / (b * x.exp_m1()));
            }
            b * (x.exp() - x).ln() - s as f64 * x.ln()
        };
        let ln_q = (ln_factorials[s] - s as f64 * b.ln() + ln_coefficient).min(0.0);
        (ln_factorials[n] - ln_factorials[s] - ln_factorials[n - s] + g * ln_q).exp()
    });
    terms.sum::<f64>().log2()
}

/// The coefficients of (e^x − x)^exponent, by squaring.
fn power(exponent: usize, degree: usize) -> Vec<f64> {
    let product = |one: &[f64], other: &[f64]| -> Vec<f64> {
        (0..=degree).map(|s| (0..=s).map(|i| one[i] * other[s - i]).sum()).collect()
    };
    let mut base: Vec<f64> = (0..=degree).map(|s| (1..=s).map(|i| 1.0 / i as f64).product()).collect();
    base[1] = 0.0;
    let mut power = vec![0.0; degree + 1];
    power[0] = 1.0;
    for bit in 0..usize::BITS - exponent.leading_zeros() {
        if exponent >> bit & 1 == 1 {
            power = product(&power, &base);
        }
        base = product(&base, &base);
    }
    power
}

#[test]
fn tables_fail_less_than_once_in_a_trillion() {
    for blocks in (3..=18).map(|exponent| 1 << exponent) {
        let shape = Shape::of(Capacity::of(blocks).unwrap());
        assert_eq!(shape.blocks, blocks);
        let bound = failure_bound(shape);
        assert!(bound < -40.0, "{blocks} blocks: 2^{bound}");
    }
}

/// A table that is too small by far fails about as often as the bound says, so the bound is about the right thing.
#[test]
fn the_bound_is_the_right_one() {
    let keys =
        |seed: u64| (0..4_u64).map(move |key| (vec![key as u8, seed as u8, (seed >> 8) as u8], 1)).collect::<Counts>();
    let shape = Shape { blocks: 8, parts: 2, width: 5 };
    let failures = (0..4000).filter(|seed| sum_of_shape(&keys(*seed), shape, run(0)).take_apart().is_none()).count();
    let bound = failure_bound(Shape { blocks: 4, ..shape }).exp2();
    let frequency = failures as f64 / 4000.0;
    assert!(frequency < bound * 1.2 && frequency > bound * 0.4, "failed {frequency}, bound {bound}");
}

/// Keys are chosen so that they collide, and as long as places depend on keys alone, they do so again and again. In another run they
/// do not, but by chance.
#[test]
fn keys_that_collide_in_one_run_do_not_in_another() {
    let shape = Shape { blocks: 8, parts: 2, width: 12 };
    let pair = |key: u16| Counts::from([(vec![0], 1), (key.to_le_bytes().to_vec(), 1)]);
    let fails = |key: u16, number: u64| sum_of_shape(&pair(key), shape, run(number)).take_apart().is_none();
    let chosen: Vec<u16> = (0..1000).filter(|key| fails(*key, 1)).collect();
    assert!(!chosen.is_empty(), "one of 144 collides");
    let again = (2..12).flat_map(|number| chosen.iter().filter(move |key| fails(**key, number))).count();
    assert!(again <= chosen.len(), "{again} of {} times", 10 * chosen.len());
}

fn sum_of_shape(counts: &Counts, shape: Shape, run: RunId) -> Table {
    let mut table = Table::shaped(shape, run);
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    for (key, count) in counts {
        table.insert_key(key, *count, &mut rng);
    }
    table
}

#[test]
fn many_keys_are_taken_apart() {
    let key = |index: u32| (index.wrapping_mul(2_654_435_761).to_be_bytes().to_vec(), u64::from(index) + 1);
    let one: Counts = (0..10_000).map(key).collect();
    let other: Counts = (5_000..12_000).map(key).collect();
    let parties = [one, other];
    assert!(taken_apart(&parties, capacity(&parties), 1) == Some(pooled(&parties)));
}

#[test]
fn keys_of_every_length_are_taken_apart() {
    let lengths = [0, 1, 62, 63, 64, 65, 127, 128, 129, 4096, LONGEST];
    let of = |byte: u8| lengths.iter().map(move |length| (vec![byte; *length], *length as u64 + 1)).collect::<Counts>();
    // Repeated bytes: blocks of one key are the blocks of others. Zeros and 0x80 look like padding.
    let parties = [of(b'x'), of(0), of(0x80), of(b'x')];
    assert!(taken_apart(&parties, capacity(&parties), 1) == Some(pooled(&parties)));
}

#[test]
fn a_key_that_is_the_end_of_another_is_a_key_of_its_own() {
    let (end, whole) = (vec![b'e'; 40], [[b's'; 64].to_vec(), vec![b'e'; 40]].concat());
    for parties in [[(end.clone(), 3), (whole.clone(), 4)].as_slice(), &[(whole, 4)], &[(end, 3)]] {
        let parties = [parties.iter().cloned().collect::<Counts>()];
        assert!(taken_apart(&parties, Capacity::of(8).unwrap(), 2) == Some(pooled(&parties)));
    }
}

#[test]
fn more_keys_than_there_is_room_for_have_no_result() {
    let counts: Counts = (0..200_u8).map(|key| (vec![key], 1)).collect();
    assert!(taken_apart(&[counts], Capacity::of(8).unwrap(), 1).is_none());
    assert!(Capacity::of(MOST + 1).is_none());
}

/// A block in one of its cells only: taking it out of that cell puts it into the others, and so on for ever.
#[test]
fn a_table_without_end_is_refused() {
    let capacity = Capacity::of(8).unwrap();
    let wire: Vec<u8> = masked_wire(&[Counts::from([(b"key".to_vec(), 1)])], capacity, 1);
    let place = wire.chunks(128).position(|cell| cell.iter().any(|byte| *byte != 0)).unwrap();
    let mut alone = vec![0; wire.len()];
    alone[place * 128..][..128].copy_from_slice(&wire[place * 128..][..128]);
    assert!(decode(&wire, capacity, run(1)).is_some());
    assert!(decode(&alone, capacity, run(1)).is_none());
    assert!(decode(&wire, capacity, run(2)).is_none(), "another run's table");
}

/// Whoever adds more than there can be, or what is no key, is not taken for one of too many keys.
#[test]
fn errors_name_their_cause() {
    let capacity = Capacity::of(8).unwrap();
    let why = |table: Table| read(table, capacity).unwrap_err().to_string();
    let counts: Counts = (0..200_u8).map(|key| (vec![key], 1)).collect();
    assert!(why(sum_of(&[counts], capacity, 1)).contains("more than were announced"));
    let most = Counts::from([(b"key".to_vec(), u64::MAX)]);
    assert!(why(sum_of(&[most.clone(), most], capacity, 1)).contains("a count is out of range"));
    let mut table = Table::new(capacity, run(1));
    table.insert([7; 5], 1, 1);
    assert!(why(table).contains("are no keys"));
}

#[test]
fn announcements_are_checked() {
    let all =
        |values: &[i64]| Capacity::of_all(&Announced::new(0, values.iter().map(|value| (*value).into()).collect()));
    assert_eq!(all(&[8, 8]), Ok(Capacity(16)));
    assert_eq!(all(&[8, 8, 8]), Ok(Capacity(32)));
    assert_eq!(all(&[16, -1]).unwrap_err().culprits(), [1]);
    assert_eq!(all(&[16, i64::MAX]).unwrap_err().culprits(), [1]);
    assert!(matches!(all(&[1 << 18, 8]), Err(ProtocolError::NoResult { .. })));
}

/// The bytes of the sum of all tables.
fn masked_wire(parties: &[Counts], capacity: Capacity, seed: u64) -> Vec<u8> {
    sum_of(parties, capacity, seed).words().flat_map(u128::to_le_bytes).collect()
}

/// The simulator of the module's documentation: the sum of the honest tables, from their pooled counts and the R_k.
fn simulated(pooled: &Counts, mut factors: impl FnMut(u128) -> u128, capacity: Capacity, run: RunId) -> Vec<u8> {
    let (mut table, naming) = (Table::new(capacity, run), Naming::of(run));
    let mut seen = BTreeSet::new();
    for (key, count) in pooled {
        let contents = naming.contents(key);
        let first = contents.len() - 1;
        for (index, content) in contents.into_iter().enumerate() {
            let name = naming.block(content).0.name;
            let count = if index == first { *count } else { 0 };
            let factor = if seen.insert(name) { factors(name) } else { 0 };
            table.insert(content, factor, count);
        }
    }
    table.words().flat_map(u128::to_le_bytes).collect()
}

/// What is opened is, bit by bit, what the simulator makes of the pooled counts and one random element a block: who has which
/// key is not in it.
#[test]
fn what_is_opened_is_what_the_simulator_predicts() {
    let of =
        |keys: &[(&str, u64)]| keys.iter().map(|(key, count)| (key.as_bytes().to_vec(), *count)).collect::<Counts>();
    let long = "a key of several blocks ".repeat(9);
    for (seed, parties) in [
        [of(&[("a", 1), ("b", 2), (&long, 3)]), of(&[("b", 5), (&long, 6)]), of(&[])],
        [of(&[]), of(&[("b", 7), (&long, 9)]), of(&[("a", 1)])],
    ]
    .into_iter()
    .enumerate()
    {
        let capacity = Capacity::of(32).unwrap();
        let seed = seed as u64;
        let table = sum_of(&parties, capacity, seed);
        let opened: Vec<u8> = table.words().flat_map(u128::to_le_bytes).collect();
        let factors = table.factors().expect("it can be taken apart");
        assert!(opened == simulated(&pooled(&parties), |name| factors[&name], capacity, run(seed)));
    }
}

/// R is uniform whether one honest party has the key or three, so it does not show how many have it.
#[test]
fn a_factor_does_not_show_how_many_parties_have_the_key() {
    let counts = Counts::from([(b"key".to_vec(), 1)]);
    let capacity = Capacity::of(8).unwrap();
    for holders in 1..=3 {
        let parties = vec![counts.clone(); holders];
        let mut bits = [0; 128];
        for seed in 0..1000 {
            let factors = sum_of(&parties, capacity, seed).factors().expect("one key");
            let factor = factors.values().next().expect("one key");
            bits.iter_mut().enumerate().for_each(|(bit, count)| *count += factor >> bit & 1);
        }
        // Six standard deviations of 15.8.
        assert!(bits.iter().all(|count| count.abs_diff(500) < 95), "{holders} holders: {bits:?}");
    }
}

/// Mutant: were the factor always one, two holders of a key would cancel.
#[test]
fn without_random_factors_holders_cancel() {
    let capacity = Capacity::of(8).unwrap();
    let mut table = Table::new(capacity, run(1));
    let content = Naming::of(run(1)).contents(b"key").pop().expect("one block");
    table.insert(content, 1, 1);
    table.insert(content, 1, 1);
    assert!(table.take_apart().is_none());
}

fn keys() -> impl Strategy<Value = Vec<Counts>> {
    let key = prop_oneof![
        proptest::collection::vec(0..3_u8, 0..3),
        proptest::collection::vec(any::<u8>(), 0..200),
        ".{0,30}".prop_map(String::into_bytes),
    ];
    proptest::collection::vec(proptest::collection::btree_map(key, 1..1000_u64, 0..20), 1..5)
}

proptest! {
    #[test]
    fn the_union_is_that_of_all_keys(parties in keys(), seed: u64) {
        prop_assert!(taken_apart(&parties, capacity(&parties), seed) == Some(pooled(&parties)));
    }

    #[test]
    fn a_changed_table_has_another_result_or_none(parties in keys(), seed: u64) {
        let capacity = capacity(&parties);
        let mut wire = masked_wire(&parties, capacity, seed);
        let byte = ChaCha20Rng::seed_from_u64(seed).random_range(0..wire.len());
        wire[byte] ^= 1 << (seed % 8);
        prop_assert!(decode(&wire, capacity, run(seed)) != Some(pooled(&parties)));
    }
}
