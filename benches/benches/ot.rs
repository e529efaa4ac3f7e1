//! Oblivious transfer between two parties, both ends on one thread: correlated OTs, the extension alone; bit triples,
//! products and comparisons, in the simulator, with mail, tags and sessions around them; and what a first meeting takes.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use fsc_core::joining::Keys;
use fsc_core::object::ObjectError;
use fsc_core::party::Party;
use fsc_core::protocol::{Announced, Cost, Protocol, ProtocolError, Security, Submission};
use fsc_core::secret::Secret;
use fsc_core::sim::{self, Faults, simulate_among};
use fsc_protocols::algebra::bits::Bits;
use fsc_protocols::circuit::garbled::{Circuit, Garbled};
use fsc_protocols::ot::product::{Factor, Product, product};
use fsc_protocols::ot::{self, Pairs, base};
use fsc_protocols::preprocessing::{Oblivious, Preprocessing};

/// What the two parties make of OTs.
#[derive(Clone, Copy, serde::Serialize, serde::Deserialize)]
enum Work {
    /// They connect, and no more.
    Nothing,
    /// Bit triples: how many, of how many products each.
    Triples(usize, usize),
    /// The product of two square matrices.
    Product(usize),
    /// Comparisons of 64 bits, of numbers of which each party has one.
    Comparisons(usize),
}

/// That work as a protocol.
struct Working;

impl Protocol for Working {
    const NAME: &'static str = "Working";
    const VERSION: u16 = 1;
    const SECURITY: Security = Oblivious::SECURITY;
    type Params = Work;
    type Input = ();
    type Output = ();

    fn admit(_: Submission) -> Result<(Work, ()), ObjectError> {
        Ok((Work::Nothing, ()))
    }

    fn cost(_: &Work, _: &Announced) -> Cost {
        Cost::default()
    }

    async fn run(party: &mut Party, work: Work, _: Secret<()>) -> Result<(), ProtocolError> {
        match work {
            Work::Nothing => drop(Pairs::connect(party).await?),
            Work::Triples(length, width) => {
                let triples = Oblivious::connect(party).await?.bit_triples(party, length, width).await?;
                black_box(triples);
            }
            Work::Product(side) => {
                let shape = Product { left: 0, right: 1, rows: side, inner: side, columns: side, bits: 64 };
                let matrix = (0..(side * side) as i128).map(|index| index * index - 5_000);
                let mine = match party.me() {
                    0 => Factor::Left(matrix.collect()),
                    _ => Factor::Right(matrix.map(|element| element as u128).collect()),
                };
                let mut pairs = Pairs::connect(party).await?;
                black_box(product(&mut pairs, party, shape, &mine).await?);
            }
            Work::Comparisons(count) => {
                let mine: Vec<u64> = (0..count as u64).map(|index| (index << 50) ^ (index * index)).collect();
                black_box(Garbled::connect(party).await?.open(party, Circuit::Greater, &mine, 64).await?);
            }
        }
        Ok(())
    }
}

/// Two nodes that have met.
fn acquainted() -> Vec<Arc<Keys>> {
    let keys = sim::keys(2, 1);
    ot::acquaint(&keys);
    keys
}

/// Two nodes do that work.
fn simulated(work: Work, keys: &[Arc<Keys>]) {
    let report = simulate_among::<Working>(&work, vec![(); 2], keys, 1, Faults::default()).expect("work is admitted");
    assert!(report.outcomes.iter().all(Result::is_ok), "both parties finish");
}

fn correlated(criterion: &mut Criterion) {
    const OTS: usize = 1 << 17;
    let mut group = criterion.benchmark_group("ot/correlated");
    group.throughput(Throughput::Elements(OTS as u64));
    let choices =
        Bits::from_words((0..OTS as u64 / 64).map(|word| word.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect(), OTS);
    group.bench_function("both", |bencher| {
        let (mut sender, mut receiver) = ot::softspoken::pair();
        bencher.iter(|| {
            let (message, t) = receiver.extend(&choices);
            let q = sender.extend(&message, OTS).expect("a message of that length");
            black_box((t, q));
        });
    });
    group.bench_function("receiver", |bencher| {
        let (_, mut receiver) = ot::softspoken::pair();
        bencher.iter(|| black_box(receiver.extend(&choices)));
    });
}

fn triples(criterion: &mut Criterion) {
    let keys = acquainted();
    let mut group = criterion.benchmark_group("ot/triples");
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    for (length, width) in [(100, 1), (1 << 20, 1), (1 << 17, 16)] {
        group.throughput(Throughput::Elements((length * width) as u64));
        group.bench_function(BenchmarkId::from_parameter(format!("{length}x{width}")), |bencher| {
            bencher.iter(|| simulated(Work::Triples(length, width), &keys));
        });
    }
}

fn products(criterion: &mut Criterion) {
    let keys = acquainted();
    let mut group = criterion.benchmark_group("ot/product");
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    // Larger ones are among the functions in bulk.
    group.bench_function(BenchmarkId::from_parameter(10), |bencher| {
        bencher.iter(|| simulated(Work::Product(10), &keys));
    });
}

fn comparisons(criterion: &mut Criterion) {
    let keys = acquainted();
    let mut group = criterion.benchmark_group("ot/comparisons");
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    for count in [1, 10_000] {
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter(|| simulated(Work::Comparisons(count), &keys));
        });
    }
}

fn meeting(criterion: &mut Criterion) {
    let keys = acquainted();
    let mut group = criterion.benchmark_group("ot/meeting");
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    group.throughput(Throughput::Elements(2 * base::COUNT as u64));
    group.bench_function("strangers", |bencher| bencher.iter(|| simulated(Work::Nothing, &sim::keys(2, 1))));
    group.bench_function("acquainted", |bencher| bencher.iter(|| simulated(Work::Nothing, &keys)));
}

criterion_group!(benches, correlated, triples, products, comparisons, meeting);
criterion_main!(benches);
