//! SecureSum of three parties, element by element: in the simulator, which is joining, masks and authentication on one
//! thread; and over nodes of this process, which adds clients, buses, tasks and a transport.

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use fsc_benches::federation::Federation;
use fsc_benches::numbers;
use fsc_core::sim::{Faults, simulate};
use fsc_core::value::Array;
use fsc_protocols::sum::{Params, SecureSum};
use tokio::runtime::Builder;

const COUNTS: [usize; 2] = [100, 1_000_000];

fn in_the_simulator(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sum/simulator");
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    for count in COUNTS {
        let params = Params { shape: Some(vec![count]), ..Params::NUMBER };
        let array = Array::from_f64(numbers(count)).expect("finite numbers");
        let input = params.encode(&array, 3).expect("numbers in range");
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter_batched(
                || vec![input.clone(); 3],
                |inputs| {
                    let report = simulate::<SecureSum>(&params, inputs, 1, Faults::default()).expect("inputs in range");
                    assert!(report.outcomes.iter().all(Result::is_ok), "every party learns the sum");
                    report
                },
                criterion::BatchSize::LargeInput,
            );
        });
    }
}

fn in_one_process(criterion: &mut Criterion) {
    let tokio = Builder::new_multi_thread().enable_time().build().expect("threads");
    let federation = tokio.block_on(async { Federation::in_process(3) }).expect("nodes");
    let mut group = criterion.benchmark_group("sum/process");
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    for count in COUNTS {
        let data = Array::from_f64(numbers(count)).expect("finite numbers");
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter(|| tokio.block_on(federation.sum(&data)).expect("every party learns the sum"));
        });
    }
}

criterion_group!(benches, in_the_simulator, in_one_process);
criterion_main!(benches);
