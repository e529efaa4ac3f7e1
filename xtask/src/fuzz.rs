//! `cargo xtask fuzz`: each target for a while, on nightly.

use std::process::{Command, ExitCode};
use std::time::Duration;

use crate::process::{Failure, output, run as run_to_end};
use crate::{number, workspace};

/// What building the instrumented targets may take beyond the fuzzing itself.
const BUILD: Duration = Duration::from_mins(30);

/// What libFuzzer is told: an input that takes a minute or 4 GB is a finding, long inputs come early since op lists
/// need them, and only the figures at the end are printed, not every new edge.
const SETTINGS: [&str; 6] = [
    "-timeout=60",
    "-rss_limit_mb=4096",
    "-len_control=20",
    "-verbosity=0",
    "-print_final_stats=1",
    "-close_fd_mask=1",
];

/// Runs the named targets, or all.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode, Failure> {
    let (seconds, wanted) = number(arguments, "--seconds", 600)?;
    let targets = targets()?;
    if let Some(unknown) = wanted.iter().find(|name| !targets.contains(name)) {
        return Err(Failure::new(format!("there is no fuzz target {unknown}; there are {}", targets.join(", "))));
    }
    output(cargo_fuzz().arg("--version"), BUILD).map_err(|_| {
        Failure::new("missing: rustup toolchain install nightly --profile minimal && cargo install cargo-fuzz")
    })?;
    let chosen = if wanted.is_empty() { targets } else { wanted };
    for target in &chosen {
        println!("\n== {target}, {seconds} s");
        let limit = format!("-max_total_time={seconds}");
        run_to_end(
            cargo_fuzz().args(["run", target, "--", &limit]).args(SETTINGS),
            BUILD + Duration::from_secs(seconds),
        )?;
    }
    println!("\n{} targets clean", chosen.len());
    Ok(ExitCode::SUCCESS)
}

fn targets() -> Result<Vec<String>, Failure> {
    let files = workspace::files("fuzz/fuzz_targets", ".rs")?;
    Ok(files.iter().filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned())).collect())
}

/// `cargo fuzz` on nightly, whichever toolchain runs us.
fn cargo_fuzz() -> Command {
    let mut command = Command::new("rustup");
    command.current_dir(workspace::root()).args(["run", "nightly", "cargo", "fuzz"]);
    command
}
