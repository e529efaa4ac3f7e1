//! `fsc demo`: three hospitals compute a joint statistic without showing one another their data.
//!
//! ```text
//!   Hospital A ── client ── HTTP ── node ─┐
//!   Hospital B ── client ── HTTP ── node ─┼─ HTTP, masked numbers, tapped to say what travelled
//!   Hospital C ── client ── HTTP ── node ─┘
//! ```
//!
//! * [`data`]: the patients; [`figures`]: the statistics, made of sums.
//! * [`hospital`]: a node and its client; [`tap`]: what a node sends.
//! * [`report`]: the story, told on a terminal, with [`table`]s.

use std::io::{self, ErrorKind, Write};
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::ProgressBar;

use crate::Outcome;

mod data;
mod figures;
mod hospital;
mod report;
mod table;
mod tap;

use data::{DataError, Site};
use figures::Figures;
use hospital::{Hospital, HospitalError};
use table::Style;

/// How long a hospital waits for the others. All are on this machine, which may be busy.
const DEADLINE: Duration = Duration::from_secs(5);

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

/// What the three hospitals did.
struct Study {
    hospitals: [Hospital; 3],
    /// The joint figures, as each hospital got them.
    joint: [Figures; 3],
    /// How long the nodes took to start.
    opening: Duration,
    /// How long the computation took.
    computing: Duration,
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
    /// A hospital got no figures.
    #[error("{hospital} got no joint figures{}", for_want_of(.waited_for))]
    NoFigures { hospital: &'static str, waited_for: Vec<&'static str>, source: HospitalError },
    /// A hospital's joint figures are wrong.
    #[error("the joint figures of {hospital} are not those of the pooled data")]
    Wrong { hospital: &'static str },
}

fn show(out: &mut dyn Write, style: Style) -> Result<(), DemoError> {
    let sites = data::sites()?;
    report::introduction(out, style, &sites)?;
    let progress = progress(style);
    let study = tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(compute(sites, &progress));
    progress.finish_and_clear();
    let study = study?;

    let pooled = pooled(&study.hospitals);
    report::figures(out, style, &study, &pooled)?;
    for (hospital, joint) in study.hospitals.iter().zip(&study.joint) {
        if !joint.agrees_with(&pooled) {
            return Err(DemoError::Wrong { hospital: hospital.site.name });
        }
    }
    report::verdict(out, style)?;
    report::traffic(out, style, &study)?;
    report::outlook(out, style)?;
    Ok(out.flush()?)
}

/// Starts three nodes and lets each hospital's client ask its own one; all three at once, as in life.
async fn compute(sites: [Site; 3], progress: &ProgressBar) -> Result<Study, DemoError> {
    let start = Instant::now();
    progress.set_message("three nodes start …");
    let [a, b, c] = sites;
    let (a, b, c) = tokio::try_join!(open(a), open(b), open(c))?;
    let hospitals = [a, b, c];
    let opening = start.elapsed();
    let opened = Instant::now();

    progress.set_message("three hospitals compute …");
    let (a, b, c) = tokio::try_join!(study(&hospitals, 0), study(&hospitals, 1), study(&hospitals, 2))?;
    Ok(Study { hospitals, joint: [a, b, c], opening, computing: opened.elapsed() })
}

async fn open(site: Site) -> Result<Hospital, DemoError> {
    let hospital = site.name;
    let no_figures = |source| DemoError::NoFigures { hospital, waited_for: Vec::new(), source };
    Hospital::open(site, DEADLINE).await.map_err(no_figures)
}

/// The part of the hospital at `place`.
async fn study(hospitals: &[Hospital; 3], place: usize) -> Result<Figures, DemoError> {
    let nodes = hospitals.each_ref().map(|hospital| hospital.address.clone());
    let names = hospitals.each_ref().map(|hospital| hospital.site.name);
    hospitals[place].study(&nodes, place).await.map_err(|source| {
        let waited_for = source.culprits().iter().filter_map(|place| names.get(*place).copied()).collect();
        DemoError::NoFigures { hospital: names[place], waited_for, source }
    })
}

/// What nobody could compute in life: the figures of all data in one place, to compare with.
fn pooled(hospitals: &[Hospital]) -> Figures {
    let patients: Vec<_> = hospitals.iter().flat_map(|hospital| hospital.site.patients.iter().cloned()).collect();
    Figures::of(&patients)
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
    fn demo_shows_own_and_joint_figures() {
        let text = shown();
        let row = |label: &str| {
            let line = text.lines().rev().find(|line| line.trim_start().starts_with(&format!("{label}  "))).unwrap();
            line.split_whitespace().skip(label.split(' ').count()).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(row("patients"), ["212", "207", "150", "569", "569", "0"]);
        assert_eq!(row("mean radius")[..5], ["14.343", "14.191", "13.735", "14.127", "14.127"]);
        for hospital in ["Hospital A", "Hospital B", "Hospital C"] {
            // Two messages to two others, 5 and 3 numbers of 16 bytes.
            let [messages, _joining, sums, ..] = &row(hospital)[..] else { panic!("{hospital} has no traffic") };
            assert_eq!((messages.as_str(), sums.as_str()), ("4", "256"));
        }
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
    fn hospital_that_does_not_come_is_named() {
        fsc_protocols::link();
        let error = tokio::runtime::Runtime::new().unwrap().block_on(async {
            let deadline = Duration::from_millis(200);
            let [a, b, c] = data::sites().unwrap();
            let open = |site| async move { Hospital::open(site, deadline).await.unwrap() };
            let hospitals = [open(a).await, open(b).await, open(c).await];
            tokio::try_join!(study(&hospitals, 0), study(&hospitals, 1)).unwrap_err()
        });
        assert!(error.to_string().ends_with("got no joint figures for want of Hospital C"), "{error}");
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
