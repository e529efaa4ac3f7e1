//! What the bus itself costs: create → attribute → call → download as one chain, and as four requests with handles.

use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use fsc_benches::adder::{self, Adder};
use fsc_core::bus::grant::Quotas;
use fsc_core::bus::policy::Open;
use fsc_core::bus::{Bus, Principal, Request, Response, Step};
use fsc_core::registry::Registry;
use fsc_core::sim::HandClock;
use fsc_core::value::{Handle, Value};
use futures_util::FutureExt;

struct Client {
    bus: Bus,
    principal: Principal,
}

impl Client {
    fn new() -> Self {
        let registry = Registry::default().with("Adder", adder::describe(), Arc::new(Adder(0))).expect("one object");
        let bus = Bus::new(registry, Arc::new(Open), Quotas::default(), HandClock::new());
        Self { bus, principal: Principal::new("client") }
    }

    fn ask(&self, steps: Vec<Step>) -> Response {
        let answer = self.bus.execute(&self.principal, Request::Chain(steps)).now_or_never();
        answer.expect("an adder waits for nothing").expect("a sum")
    }

    fn handle(&self, steps: Vec<Step>) -> Handle {
        match self.ask(steps) {
            Response::Handle(handle) => handle,
            other => panic!("{other:?} instead of a handle"),
        }
    }
}

fn chain(criterion: &mut Criterion) {
    let client = Client::new();
    assert!(
        matches!(client.ask(adder::chain()), Response::Object(sum) if sum.content().as_deref() == Some(&Value::Int(42)))
    );
    criterion.bench_function("bus/chain", |bencher| bencher.iter(|| client.ask(adder::chain())));
}

fn handles(criterion: &mut Criterion) {
    let client = Client::new();
    criterion.bench_function("bus/handles", |bencher| {
        bencher.iter(|| {
            let mut held = Vec::new();
            for step in adder::chain() {
                let steps = held.last().map(|handle| Step::Use(*handle)).into_iter().chain([step.clone()]).collect();
                match step {
                    Step::Download => drop(client.ask(steps)),
                    _ => held.push(client.handle(steps)),
                }
            }
            for handle in held {
                client.ask(vec![Step::Use(handle), Step::Release]);
            }
        });
    });
}

criterion_group!(benches, chain, handles);
criterion_main!(benches);
