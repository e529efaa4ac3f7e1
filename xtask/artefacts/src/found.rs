//! What was linked into this artefact, and what should have been.

use fsc_core::protocol::Catalogue;
use fsc_core::registry::Registry;
use fsc_core::sim::{HandClock, environment};

/// How many services discovery finds; none if it refuses.
pub(crate) fn services() -> usize {
    Registry::discover(&environment(HandClock::new())).map_or(0, |registry| registry.entries().len())
}

/// How many protocols discovery finds; none if it refuses.
pub(crate) fn protocols() -> usize {
    Catalogue::discover().map_or(0, |catalogue| catalogue.iter().count())
}
