//! `cargo xtask …`: what a person would otherwise remember.

#![allow(clippy::print_stdout, clippy::print_stderr)] // a task runner talks to a terminal

mod artefacts;
mod bench;
mod c;
mod debian;
mod federation;
mod fuzz;
mod languages;
mod library;
mod process;
mod python;
mod r;
mod test;
mod workspace;

use std::process::ExitCode;

use process::Failure;

const HELP: &str = "\
cargo xtask test [--only STEP]...          everything that must pass before a change lands
cargo xtask bench [--runs 11]              our figures beside the Python reference's and a bare server's; with --embedding
                                           only those of the C library and the R package
cargo xtask fuzz [TARGET]... [--seconds N] each fuzz target for N seconds (600); needs nightly and cargo-fuzz
cargo xtask install --prefix P [--client]  libfsc.so, libfsc.a, fsc.h and fsc.pc, for programs in C
cargo xtask r-package [--vendor]           the package for R as an archive, with the library's sources
cargo xtask header                         makes fsc-bindings/include/fsc.h from the sources
cargo xtask help                           this

Build products go to CARGO_TARGET_DIR, or target/; everything else that a task makes goes to xtask/ in there.
";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let task = arguments.next().unwrap_or_else(|| "help".into());
    let arguments: Vec<String> = arguments.collect();
    let done = match task.as_str() {
        "test" => test::run(&arguments),
        "bench" => bench::run(&arguments),
        "fuzz" => fuzz::run(&arguments),
        "install" => library::install(&arguments),
        "r-package" => r::package(&arguments),
        "header" => library::header(&arguments),
        "help" | "--help" | "-h" => {
            print!("{HELP}");
            Ok(ExitCode::SUCCESS)
        }
        other => Err(Failure::new(format!("there is no task {other}\n\n{HELP}"))),
    };
    done.unwrap_or_else(|failure| {
        eprintln!("{failure}");
        ExitCode::FAILURE
    })
}

/// Splits `--name VALUE` pairs of one name from the other arguments.
fn options(arguments: &[String], name: &str) -> Result<(Vec<String>, Vec<String>), Failure> {
    let (mut values, mut others) = (Vec::new(), Vec::new());
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        if argument == name {
            values.push(arguments.next().ok_or_else(|| Failure::new(format!("{name} needs a value")))?.clone());
        } else {
            others.push(argument.clone());
        }
    }
    Ok((values, others))
}

/// The last `--name NUMBER`, or the default; and the other arguments.
fn number(arguments: &[String], name: &str, default: u64) -> Result<(u64, Vec<String>), Failure> {
    let (values, others) = options(arguments, name)?;
    let value = match values.last() {
        Some(text) => text.parse().map_err(|_| Failure::new(format!("{name} {text} is not a number")))?,
        None => default,
    };
    Ok((value, others))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_split_from_other_arguments() {
        let arguments = ["--only", "msrv", "bus", "--only", "doc"].map(String::from);
        let (values, others) = options(&arguments, "--only").unwrap();
        assert_eq!(values, ["msrv", "doc"]);
        assert_eq!(others, ["bus"]);
    }

    #[test]
    fn an_option_without_its_value_is_refused() {
        assert!(options(&["--only".into()], "--only").is_err());
        assert!(number(&["--seconds".into(), "soon".into()], "--seconds", 1).is_err());
    }
}
