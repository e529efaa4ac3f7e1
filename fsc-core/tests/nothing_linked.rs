//! A program into which no services are linked.

use std::sync::Arc;

use fsc_core::clock::{BoxFuture, Runtime, Time};
use fsc_core::registry::{Environment, Registry, RegistryError};

struct Unused;

impl Runtime for Unused {
    fn now(&self) -> Time {
        Time::START
    }

    fn sleep_until(&self, _: Time) -> BoxFuture<()> {
        Box::pin(std::future::pending())
    }

    fn spawn(&self, _: BoxFuture<()>) {}

    fn offload(&self, _: Box<dyn FnOnce() + Send>) -> BoxFuture<()> {
        Box::pin(std::future::pending())
    }
}

#[test]
fn discovering_nothing_is_an_error_that_says_what_to_do() {
    let error = Registry::discover(&Arc::new(Environment { runtime: Arc::new(Unused) })).expect_err("nothing");
    assert_eq!(error, RegistryError::NothingLinked);
    assert!(
        error.to_string().contains("use fsc_protocols as _;") && error.to_string().contains("fsc_protocols::link()")
    );
}
