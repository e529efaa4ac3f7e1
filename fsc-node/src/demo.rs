//! `fsc demo`: three hospitals compute a joint statistic.

use clap::Args;

use crate::Outcome;

#[derive(Args)]
pub(crate) struct Options {}

pub(crate) fn run(_: &Options) -> Outcome {
    Ok(())
}
