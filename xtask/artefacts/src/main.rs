//! A program that only mentions the catalogue's crate: it must find all without calling `fsc_protocols::link`.
#![allow(clippy::print_stdout)] // the counts are the output

mod found;

use std::process::ExitCode;

fn main() -> ExitCode {
    let services = (found::services(), fsc_protocols::SERVICES.len());
    let protocols = (found::protocols(), fsc_protocols::PROTOCOLS.len());
    println!("{} of {} services, {} of {} protocols", services.0, services.1, protocols.0, protocols.1);
    if services.0 == services.1 && protocols.0 == protocols.1 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
