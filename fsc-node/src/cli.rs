//! The program `fsc`: the command line around this library.
//!
//! ```text
//!   fsc serve    one node: configuration, log, signals
//!       keygen   and id: the file of a node's key
//!       invite   lets another node in, and join: the other side of it
//!       doctor   what is wrong with a node's surroundings
//!       demo     three nodes on this machine, and what they compute together
//! ```

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[cfg(feature = "http")]
mod demo;
#[cfg(feature = "http")]
mod doctor;
#[cfg(feature = "http")]
mod invite;
#[cfg(feature = "http")]
mod join;
mod key;
mod memory;
mod serve;
#[cfg(feature = "http")]
mod terminal;

/// Compute on joint data without showing it to one another.
///
/// Every data owner runs a node (`fsc serve`). Programs talk to their own node over HTTP, and the nodes run the
/// cryptography among themselves. To see it at work: `fsc demo`.
#[derive(Parser)]
#[command(name = "fsc", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a node until it is stopped (SIGTERM or Ctrl-C)
    Serve(serve::Options),
    /// Make a key for a node, in a file that its owner alone can read, and print the node's id
    Keygen(key::Options),
    /// Print the id that belongs to a key
    Id(key::Options),
    #[cfg(feature = "http")]
    /// Let another node join: show a code for it, and the words that both sides compare
    Invite(invite::Options),
    #[cfg(feature = "http")]
    /// Join a node by the code that it shows, and compare words with it
    Join(join::Options),
    #[cfg(feature = "http")]
    /// Look at keys, addresses, ports, clocks and the way to each peer, and say what is to be fixed
    Doctor(doctor::Options),
    #[cfg(feature = "http")]
    /// Show three hospitals compute a joint statistic without showing one another their data
    Demo(demo::Options),
}

/// Does what the command line says.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match arguments.command {
        Command::Serve(options) => serve::run(&options),
        Command::Keygen(options) => key::generate(&options),
        Command::Id(options) => key::identify(&options),
        #[cfg(feature = "http")]
        Command::Invite(options) => invite::run(&options),
        #[cfg(feature = "http")]
        Command::Join(options) => join::run(&options),
        #[cfg(feature = "http")]
        Command::Doctor(options) => doctor::run(&options),
        #[cfg(feature = "http")]
        Command::Demo(options) => demo::run(&options, &mut std::io::stdout().lock()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(error.as_ref());
            ExitCode::FAILURE
        }
    }
}

/// Prints an error and what caused it.
#[allow(clippy::print_stderr)]
fn complain(error: &dyn std::error::Error) {
    eprintln!("fsc: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        eprintln!("     because: {error}");
        cause = error.source();
    }
}

/// What can go wrong in a command: its message is for the person at the terminal.
type Outcome = Result<(), Box<dyn std::error::Error>>;
