//! `fsc keygen` and `fsc id`.

use std::path::PathBuf;

use clap::Args;
use fsc_core::identity::NodeKey;

use super::Outcome;
use crate::key::{read, write};

#[derive(Args)]
pub(crate) struct Options {
    /// The file of the key
    #[arg(default_value = "node.key")]
    file: PathBuf,
}

/// Makes a key, and prints the id that belongs to it.
#[allow(clippy::print_stdout)]
pub(crate) fn generate(options: &Options) -> Outcome {
    let key = NodeKey::generate();
    write(&options.file, &key)?;
    println!("{}", key.id());
    Ok(())
}

/// Prints the id that belongs to a key.
#[allow(clippy::print_stdout)]
pub(crate) fn identify(options: &Options) -> Outcome {
    println!("{}", read(&options.file)?.id());
    Ok(())
}
