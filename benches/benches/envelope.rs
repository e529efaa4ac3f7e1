//! Mail to bytes and back: many small messages in a batch, and one that is large. Payloads are shared, not copied.

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fsc_core::envelope::{Channel, Content, Envelope, Mail, Mark, Route, RunId, Topic};
use fsc_core::transport::Batch;

fn envelopes(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("envelope");
    for (count, bytes) in [(1, 16), (100, 16), (1, 16_000_000)] {
        let mail: Vec<Envelope> = (0..count).map(|sequence| mail(sequence, bytes)).collect();
        let encoded = Bytes::from(encode(&mail).pieces.concat());
        assert_eq!(Envelope::decode_all(encoded.clone()).as_ref(), Ok(&mail), "what was sent arrives");
        let case = format!("{count}x{bytes}");
        group.throughput(Throughput::Elements(count.into()));
        group.bench_function(BenchmarkId::new("encode", &case), |bencher| bencher.iter(|| encode(&mail)));
        group.bench_function(BenchmarkId::new("decode", &case), |bencher| {
            bencher.iter(|| Envelope::decode_all(encoded.clone()));
        });
    }
}

fn encode(mail: &[Envelope]) -> Batch {
    let mut batch = Batch::default();
    for envelope in mail {
        envelope.encode_into(&mut batch);
    }
    batch
}

fn mail(sequence: u32, bytes: usize) -> Envelope {
    let route = Route { topic: Topic::of("a network"), from: 0, to: 1, mark: Mark([7; 8]) };
    let payload = Bytes::from(vec![0xa5; bytes]);
    let mail = Mail { run: RunId([1; 16]), channel: Channel(2), sequence, payload, tag: [3; 16] };
    Envelope { route, content: Content::Mail(mail) }
}

criterion_group!(benches, envelopes);
criterion_main!(benches);
