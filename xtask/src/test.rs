//! `cargo xtask test`: everything that must pass before a change lands.

use std::fmt;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use crate::federation::Federation;
use crate::options;
use crate::process::{Failure, has, output, run as run_to_end};
use crate::python::Python;
use crate::r::Package;
use crate::workspace::{self, cargo};
use crate::{artefacts, c, debian, languages};

/// What any one call of cargo may take, from an empty build directory on a small machine.
pub(crate) const BUILD: Duration = Duration::from_mins(40);
/// What the clients' tests may take.
const CLIENTS: Duration = Duration::from_mins(10);

struct Step {
    name: &'static str,
    headline: &'static str,
    run: fn() -> Result<Outcome, Failure>,
}

enum Outcome {
    /// With what is worth knowing, or nothing.
    Passed(String),
    /// Why the step could not be run here.
    Skipped(String),
}

impl Outcome {
    fn passed() -> Self {
        Self::Passed(String::new())
    }
}

/// In order: the cheap ones first, and what is built before what needs it.
const STEPS: &[Step] = &[
    Step { name: "format", headline: "rustfmt changes nothing", run: format },
    Step { name: "clippy", headline: "clippy has nothing to say", run: clippy },
    Step { name: "clippy-all-features", headline: "nor with every feature", run: clippy_all_features },
    Step { name: "test", headline: "tests, doc tests, fuzz bodies over their corpora", run: tests },
    Step { name: "small", headline: "nodes and libraries with one transport, or none", run: small },
    Step { name: "doc", headline: "the documentation builds without a warning", run: doc },
    Step { name: "msrv", headline: "the oldest compiler that we promise builds it", run: msrv },
    Step { name: "release", headline: "the program, as released", run: release },
    Step { name: "artefacts", headline: "no linker drops a service or protocol", run: artefacts },
    Step { name: "c", headline: "the C library from C and C++, with sanitizers and valgrind", run: c },
    Step { name: "python", headline: "the reference's Python client against three nodes", run: python },
    Step { name: "r", headline: "the R package: R CMD check, and an installation from its archive", run: r },
    Step { name: "languages", headline: "parties and clients in Rust, C, Python and R together", run: languages },
    Step { name: "reference", headline: "our client against three servers of the Python reference", run: reference },
    Step { name: "javascript", headline: "fetch from another origin against three nodes", run: javascript },
    Step { name: "curl", headline: "examples/secure_sum.sh against three nodes", run: curl },
];

/// Runs the steps, or those that `--only` names, and says how each ended. The last line is `N passed, M failed`.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode, Failure> {
    let start = Instant::now();
    let mut report = Report::default();
    for step in chosen(arguments)? {
        println!("\n== {}: {}", step.name, step.headline);
        let began = Instant::now();
        let ended = (step.run)();
        if let Err(failure) = &ended {
            println!("{failure}");
        }
        report.add(step.name, began.elapsed(), ended);
    }
    println!("\n== {} in {:.0} s\n\n{report}", workspace::root().display(), start.elapsed().as_secs_f64());
    Ok(if report.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn chosen(arguments: &[String]) -> Result<Vec<&'static Step>, Failure> {
    let (only, others) = options(arguments, "--only")?;
    let wanted = |step: &&Step| only.is_empty() || only.iter().any(|name| name == step.name);
    match only.iter().find(|name| STEPS.iter().all(|step| step.name != name.as_str())).or(others.first()) {
        None => Ok(STEPS.iter().filter(wanted).collect()),
        Some(unknown) => {
            let names: Vec<_> = STEPS.iter().map(|step| step.name).collect();
            Err(Failure::new(format!("there is no step {unknown}; --only takes one of {}", names.join(", "))))
        }
    }
}

/// A table of the steps' ends, and the counts.
#[derive(Default)]
struct Report {
    lines: Vec<String>,
    passed: usize,
    failed: usize,
    skipped: usize,
}

impl Report {
    fn add(&mut self, name: &str, took: Duration, ended: Result<Outcome, Failure>) {
        let (word, note) = match ended {
            Ok(Outcome::Passed(note)) => ("passed", note),
            Ok(Outcome::Skipped(why)) => ("skipped", why),
            Err(failure) => ("FAILED", failure.to_string()),
        };
        match word {
            "passed" => self.passed += 1,
            "skipped" => self.skipped += 1,
            _ => self.failed += 1,
        }
        let note = note.lines().next().unwrap_or_default();
        self.lines.push(format!("{name:20} {word:8} {:7.1} s  {note}", took.as_secs_f64()).trim_end().to_owned());
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            writeln!(f, "{line}")?;
        }
        write!(f, "\n{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 { write!(f, ", {} skipped", self.skipped) } else { Ok(()) }
    }
}

fn format() -> Result<Outcome, Failure> {
    run_to_end(&mut cargo(&["fmt", "--all", "--check"]), BUILD)?;
    Ok(Outcome::passed())
}

fn clippy() -> Result<Outcome, Failure> {
    run_to_end(&mut cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]), BUILD)?;
    Ok(Outcome::passed())
}

fn clippy_all_features() -> Result<Outcome, Failure> {
    let arguments = ["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"];
    run_to_end(&mut cargo(&arguments), BUILD)?;
    Ok(Outcome::passed())
}

fn tests() -> Result<Outcome, Failure> {
    let mut tests = cargo(&["test", "--workspace", "--all-features", "--no-fail-fast"]);
    if !debian::provides("socat", "-V", "socat") {
        run_to_end(&mut tests, BUILD)?;
        return Ok(Outcome::Passed("serial lines within one process: socat is missing (apt-get install socat)".into()));
    }
    run_to_end(tests.env("FSC_REQUIRE_TOOLS", "1"), BUILD)?;
    Ok(Outcome::passed())
}

fn small() -> Result<Outcome, Failure> {
    for features in ["cli,serial", "http", "serial"] {
        let lint = ["clippy", "-p", "fsc-node", "--all-targets", "--no-default-features", "--features", features];
        run_to_end(&mut cargo(&[&lint[..], &["--", "-D", "warnings"]].concat()), BUILD)?;
    }
    for features in ["http", "serial", "node"] {
        let lint = ["clippy", "-p", "fsc-bindings", "--no-default-features", "--features", features];
        run_to_end(&mut cargo(&[&lint[..], &["--", "-D", "warnings"]].concat()), BUILD)?;
    }
    let tests = ["test", "-p", "fsc-transport", "--lib", "--no-default-features", "--features", "serial"];
    run_to_end(&mut cargo(&tests), BUILD)?;
    Ok(Outcome::passed())
}

fn doc() -> Result<Outcome, Failure> {
    let mut command = cargo(&["doc", "--workspace", "--all-features", "--no-deps"]);
    run_to_end(command.env("RUSTDOCFLAGS", "-D warnings"), BUILD)?;
    Ok(Outcome::passed())
}

fn msrv() -> Result<Outcome, Failure> {
    let wanted = workspace::minimum_rust()?;
    let running = output(Command::new("rustc").current_dir(workspace::root()).arg("--version"), BUILD)?;
    let running = running.split_whitespace().nth(1).unwrap_or_default();
    if is(running, &wanted) {
        return Ok(Outcome::Passed(format!("{running} is what runs: the other steps are the check")));
    }
    match toolchain(&wanted) {
        Ok(name) => {
            let mut command = Command::new("rustup");
            command.current_dir(workspace::root()).args([
                "run",
                &name,
                "cargo",
                "check",
                "--workspace",
                "--all-features",
            ]);
            run_to_end(&mut command, BUILD)?;
            Ok(Outcome::Passed(format!("checked with {name}")))
        }
        Err(missing) if version(running) > version(&wanted) => {
            Ok(Outcome::Skipped(format!("not checked: {running} is newer than {wanted}, and {missing}")))
        }
        Err(missing) => Err(missing),
    }
}

/// The name of an installed toolchain of that version, installed now if there is none.
fn toolchain(wanted: &str) -> Result<String, Failure> {
    let missing = |why| Failure::new(format!("missing: rustup toolchain install {wanted} --profile minimal ({why})"));
    let list = output(Command::new("rustup").args(["toolchain", "list"]), BUILD).map_err(|_| missing("no rustup"))?;
    let mut names = list.lines().filter_map(|line| line.split_whitespace().next());
    if let Some(name) = names.find(|name| is(name.split('-').next().unwrap_or_default(), wanted)) {
        return Ok(name.into());
    }
    let mut install = Command::new("rustup");
    install.args(["toolchain", "install", wanted, "--profile", "minimal", "--no-self-update"]);
    output(&mut install, CLIENTS).map_err(|_| missing("it cannot be had from here"))?;
    Ok(wanted.into())
}

/// Whether a version is the wanted one or a patch of it.
fn is(found: &str, wanted: &str) -> bool {
    found.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Its numbers, to compare.
fn version(text: &str) -> Vec<u32> {
    text.split(['.', '-']).map_while(|part| part.parse().ok()).collect()
}

fn release() -> Result<Outcome, Failure> {
    run_to_end(&mut cargo(&["build", "--release", "--package", "fsc-node"]), BUILD)?;
    let size = workspace::binary("fsc")?.metadata().map_or(0, |file| file.len());
    Ok(Outcome::Passed(format!("{:.2} MB", size as f64 / 1e6)))
}

fn artefacts() -> Result<Outcome, Failure> {
    artefacts::check(BUILD).map(Outcome::Passed)
}

fn c() -> Result<Outcome, Failure> {
    c::check().map(Outcome::Passed)
}

fn r() -> Result<Outcome, Failure> {
    Ok(Outcome::Passed(Package::checked()?.size()))
}

fn languages() -> Result<Outcome, Failure> {
    languages::check().map(Outcome::Passed)
}

fn python() -> Result<Outcome, Failure> {
    let python = Python::with("venv", &["federatedsecure-client>=0.6,<0.7"])?;
    let client = python.version("federatedsecure-client")?;
    println!("{client}");
    against_three_nodes(|nodes| {
        let mut command = python.command();
        command.args(["-m", "unittest", "discover", "--verbose", "--start-directory", "tests/clients/python"]);
        run_to_end(command.env("FSC_URLS", nodes.urls().join(",")), CLIENTS)
    })?;
    Ok(Outcome::Passed(client))
}

fn reference() -> Result<Outcome, Failure> {
    let python = Python::reference()?;
    let servers = Federation::reference(&python)?;
    let mut client = cargo(&["test", "--workspace", "--all-features", "--test", "reference"]);
    run_to_end(client.env("FSC_REFERENCE_URLS", servers.urls().join(",")), BUILD)?;
    Ok(Outcome::Passed(python.version("federatedsecure-server")?))
}

fn javascript() -> Result<Outcome, Failure> {
    let Ok(node) = output(Command::new("node").arg("--version"), CLIENTS) else {
        return Ok(Outcome::Skipped("node is missing (18 or newer: apt-get install nodejs)".into()));
    };
    against_three_nodes(|nodes| {
        let mut command = Command::new("node");
        command.arg("--test").args(workspace::files("tests/clients/js", ".test.mjs")?);
        run_to_end(command.env("FSC_URLS", nodes.urls().join(",")), CLIENTS)
    })?;
    Ok(Outcome::Passed(format!("node {}", node.trim())))
}

fn curl() -> Result<Outcome, Failure> {
    if !has("curl") {
        return Ok(Outcome::Skipped("curl is missing (apt-get install curl)".into()));
    }
    against_three_nodes(|nodes| {
        let mut command = Command::new("sh");
        command.current_dir(workspace::root()).arg("examples/secure_sum.sh").args(nodes.urls());
        let printed = output(&mut command, CLIENTS)?;
        print!("{printed}");
        let right = printed.lines().filter(|line| line.contains(r#""sum":157.0"#)).count();
        if right == 3 { Ok(()) } else { Err(Failure::new(format!("{right} of 3 parties learned the sum"))) }
    })?;
    Ok(Outcome::passed())
}

/// Runs a client's tests; then every node must still be there, and end well when it is told to.
fn against_three_nodes(client: impl FnOnce(&Federation) -> Result<(), Failure>) -> Result<(), Failure> {
    let nodes = Federation::ours()?;
    client(&nodes)?;
    nodes.stop()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_of_a_report_counts() {
        let mut report = Report::default();
        report.add("one", Duration::ZERO, Ok(Outcome::passed()));
        report.add("two", Duration::ZERO, Err(Failure::new("why\nand more")));
        assert!(report.to_string().ends_with("\n1 passed, 1 failed"));
        assert!(report.to_string().contains("FAILED"));
        report.add("three", Duration::ZERO, Ok(Outcome::Skipped("missing".into())));
        assert!(report.to_string().ends_with("\n1 passed, 1 failed, 1 skipped"));
    }

    #[test]
    fn a_patch_of_a_version_is_that_version() {
        assert!(is("1.95", "1.95") && is("1.95.0", "1.95"));
        assert!(!is("1.9", "1.95") && !is("1.951.0", "1.95") && !is("stable", "1.95"));
        assert!(version("1.100.0-nightly") > version("1.95"));
    }

    #[test]
    fn an_unknown_step_is_refused_with_the_names_of_all() {
        let refused = chosen(&["--only".into(), "typo".into()]).map(|steps| steps.len()).unwrap_err();
        assert!(refused.to_string().contains("clippy-all-features"), "{refused}");
        assert_eq!(chosen(&["--only".into(), "msrv".into()]).unwrap().len(), 1);
        assert_eq!(chosen(&[]).unwrap().len(), STEPS.len());
    }
}
