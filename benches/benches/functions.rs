//! Every function in the simulator, by nodes that have met: joining, all messages and their tags, both or all ends on one
//! thread.

use criterion::{BenchmarkId, Criterion, SamplingMode, criterion_group, criterion_main};
use fsc_benches::rows::{self, Row};
use fsc_core::sim::{self, Faults};
use fsc_protocols::ot;
use simulate::simulate;

mod simulate;

fn measure(criterion: &mut Criterion, name: &str, rows: &[Row]) {
    let mut group = criterion.benchmark_group(name);
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    for row in rows {
        let keys = sim::keys(row.data.len(), 1);
        ot::acquaint(&keys);
        group.bench_function(BenchmarkId::new(row.function, row.count), |bencher| {
            bencher.iter(|| simulate(row, &keys, Faults::default()));
        });
    }
}

fn as_the_reference(criterion: &mut Criterion) {
    measure(criterion, "functions", &rows::reference());
}

fn in_bulk(criterion: &mut Criterion) {
    measure(criterion, "functions/bulk", &rows::bulk());
}

criterion_group!(benches, as_the_reference, in_bulk);
criterion_main!(benches);
