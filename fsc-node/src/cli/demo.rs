//! `fsc demo`: three hospitals compute a joint statistic without showing one another their data.
//!
//! ```text
//!   Hospital A ── client ── HTTP ── node ─┐
//!   Hospital B ── client ── HTTP ── node ─┼─ HTTP, masked numbers, tapped to say what travelled
//!   Hospital C ── client ── HTTP ── node ─┘
//! ```
//!
//! * [`data`]: the patients; [`questions`]: what is asked, and [`truth`]: what the answers are checked against.
//! * [`study`]: the hospitals ask; [`hospital`]: a node and its client; [`tap`]: what a node sends.
//! * [`report`]: the story, told on a terminal, with [`table`]s and a [`histogram`].

use std::io::{self, ErrorKind, Write};
use std::time::Duration;

use clap::Args;
use indicatif::ProgressBar;

use super::Outcome;

mod data;
mod histogram;
mod hospital;
mod questions;
mod report;
mod study;
mod table;
mod tap;
mod truth;

use data::DataError;
use hospital::HospitalError;
use study::Study;
use table::Style;

#[derive(Args)]
pub(crate) struct Options {}

/// Runs the demo; what there is to see goes to `out`.
pub(crate) fn run(_: &Options, out: &mut dyn Write) -> Outcome {
    fsc_protocols::link();
    match show(out, Style::of_stdout()) {
        // Whoever reads has seen enough, as `head` does.
        Err(DemoError::Io(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        shown => Ok(shown?),
    }
}

/// Why there is nothing to see.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
enum DemoError {
    /// The output or the machine does not work.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The data can't be read.
    #[error("the demo's own data is damaged")]
    Data(#[from] DataError),
    /// A hospital got no answer.
    #[error("{hospital} got no answer{}", for_want_of(.waited_for))]
    NoAnswer { hospital: &'static str, waited_for: Vec<&'static str>, source: HospitalError },
    /// A hospital's answer is wrong.
    #[error("{function} at {hospital} is {difference:e} off what the pooled data give, relatively")]
    Wrong { hospital: &'static str, function: &'static str, difference: f64 },
}

fn show(out: &mut dyn Write, style: Style) -> Result<(), DemoError> {
    let sites = data::sites()?;
    report::introduction(out, style, &sites)?;
    let progress = progress(style);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let study = runtime.block_on(Study::conduct(sites, &progress));
    progress.finish_and_clear();
    let study = study?;

    report::figures(out, style, &study)?;
    report::classes(out, style, &study)?;
    study.verify()?;
    report::verdict(out, style)?;
    report::traffic(out, style, &study)?;
    report::outlook(out, style)?;
    Ok(out.flush()?)
}

/// A line that turns while one waits; hidden where the output is plain.
fn progress(style: Style) -> ProgressBar {
    if style.is_plain() {
        return ProgressBar::hidden();
    }
    let progress = ProgressBar::new_spinner();
    progress.enable_steady_tick(Duration::from_millis(80));
    progress
}

fn for_want_of(hospitals: &[&str]) -> String {
    if hospitals.is_empty() { String::new() } else { format!(" for want of {}", hospitals.join(" and ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown() -> String {
        fsc_protocols::link();
        let mut out = Vec::new();
        show(&mut out, Style::PLAIN).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn demo_shows_own_and_joint_figures_and_what_they_took() {
        let text = shown();
        let row = |label: &str| {
            let line = text.lines().find(|line| line.trim_start().starts_with(&format!("{label}  "))).unwrap();
            line.split_whitespace().skip(label.split(' ').count()).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(row("patients"), ["212", "207", "150", "569", "569"]);
        assert_eq!(row("mean radius"), ["14.343", "14.191", "13.735", "14.127", "14.127"]);
        assert_eq!(row("median radius"), ["13.625", "13.050", "13.165", "13.370", "13.370"]);
        // From each of three to both others, two numbers of 16 bytes; and as many as there are classes.
        for (function, masked) in [("SecureSum", 192), ("StatisticsFrequency", 768)] {
            let [difference, _, _, messages, payload, _] = &row(function)[..] else { panic!("no row of {function}") };
            assert_eq!([difference, messages, payload], ["0", "6", &masked.to_string()]);
        }
    }

    #[test]
    fn bars_of_the_histogram_count_all_patients() {
        let text = shown();
        let bars = text.lines().filter(|line| line.contains(['█', '▏', '▎', '▍', '▌', '▋', '▊', '▉']));
        let counts: Vec<u32> = bars.map(|line| line.split(' ').next_back().unwrap().parse().unwrap()).collect();
        assert_eq!((counts.len(), counts.iter().sum::<u32>()), (8, 569));
    }

    #[test]
    fn plain_output_has_no_escape_codes_and_fits_a_terminal() {
        let text = shown();
        assert!(!text.contains('\x1b'));
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }

    #[test]
    fn masked_count_is_another_one_each_time() {
        let masked = || shown().lines().find(|line| line.contains("0x")).map(str::to_owned).unwrap();
        assert_ne!(masked(), masked());
    }

    #[test]
    fn reader_that_has_seen_enough_is_no_error() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        assert!(run(&Options {}, &mut Closed).is_ok());
    }
}
