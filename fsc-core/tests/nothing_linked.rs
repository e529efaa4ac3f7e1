//! A program into which no services are linked.

use fsc_core::registry::{Registry, RegistryError};
use fsc_core::sim::{HandClock, environment};

#[test]
fn discovering_nothing_is_an_error_that_says_what_to_do() {
    let error = Registry::discover(&environment(HandClock::new())).expect_err("nothing");
    assert_eq!(error, RegistryError::NothingLinked);
    assert!(
        error.to_string().contains("use fsc_protocols as _;") && error.to_string().contains("fsc_protocols::link()")
    );
}
