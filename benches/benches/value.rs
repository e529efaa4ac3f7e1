//! Values to text and bytes, and back: small requests, where what counts is the cost per value, and a million numbers.

use criterion::measurement::WallTime;
use criterion::{BatchSize, BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use fsc_benches::numbers;
use fsc_core::value::{Array, Limits, ParseError, Value, cbor, json};

/// A format: its name, its printer, its parser.
type Format = (&'static str, fn(&Value) -> Vec<u8>, fn(&[u8], &Limits) -> Result<Value, ParseError>);

const FORMATS: [Format; 2] = [("json", json::to_vec, json::parse), ("cbor", cbor::to_vec, cbor::parse)];

fn small(criterion: &mut Criterion) {
    measure(&mut criterion.benchmark_group("request"), &request());
}

fn large(criterion: &mut Criterion) {
    let million = Array::from_f64(numbers(1_000_000)).expect("finite numbers");
    let mut group = criterion.benchmark_group("million");
    group.sample_size(20).throughput(Throughput::Elements(1_000_000));
    measure(&mut group, &million.into());
}

fn measure(group: &mut BenchmarkGroup<'_, WallTime>, value: &Value) {
    for (name, print, parse) in FORMATS {
        let (printed, limits) = (print(value), Limits::default());
        assert_eq!(parse(&printed, &limits).as_ref(), Ok(value), "{name} keeps every value");
        group.bench_function(format!("{name}/print"), |bencher| bencher.iter_with_large_drop(|| print(value)));
        group.bench_function(format!("{name}/parse"), |bencher| {
            bencher.iter_batched(|| (), |()| parse(&printed, &limits), BatchSize::LargeInput);
        });
    }
}

/// What a client sends with `compute`.
fn request() -> Value {
    let nodes = ["http://127.0.0.1:8001", "http://127.0.0.1:8002", "http://127.0.0.1:8003"].map(Value::from);
    let network =
        Value::map([("nodes", Value::List(nodes.into())), ("myself", 0.into()), ("uuid", "a network".into())]);
    let kwargs = [("microprotocol", "SecureSum".into()), ("data", Value::Float(42.5)), ("network", network)];
    Value::map([("args", Value::List(Vec::new())), ("kwargs", Value::map(kwargs))])
}

criterion_group!(benches, small, large);
criterion_main!(benches);
