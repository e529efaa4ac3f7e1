//! `fsc`: a node of federated secure computing.

use std::process::ExitCode;

fn main() -> ExitCode {
    fsc_node::cli::main()
}
