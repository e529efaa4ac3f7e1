//! What the demo tells.

use std::io::{self, Write};
use std::time::Duration;

use super::data::{SOURCE, Site};
use super::histogram::histogram;
use super::questions::{CLASS_WIDTH, CLASSES};
use super::study::Study;
use super::table::{Paint, Style, Table};

pub(super) fn introduction(out: &mut dyn Write, style: Style, sites: &[Site]) -> io::Result<()> {
    let patients: usize = sites.iter().map(|site| site.patients.len()).sum();
    title(out, style, "Three hospitals, one study")?;
    writeln!(out, "  They want joint statistics of their {patients} breast biopsies, and may not show one")?;
    writeln!(out, "  another a single patient. Each runs a node, here on this machine, and asks it")?;
    writeln!(out, "  over HTTP; the nodes compute with one another on numbers that look random.\n")?;
    for line in SOURCE {
        writeln!(out, "  {}", style.paint(Paint::Faint, line))?;
    }
    writeln!(out)?;
    out.flush()
}

/// The numbers that have names, beside those of each hospital and those of all data in one place.
pub(super) fn figures(out: &mut dyn Write, style: Style, study: &Study) -> io::Result<()> {
    let own = study.hospitals.iter().map(|hospital| (hospital.site.name, Paint::None));
    let all = [("joint", Paint::Good), ("pooled", Paint::None)];
    let mut table = Table::new([("", Paint::None)].into_iter().chain(own).chain(all));
    for answer in &study.answers {
        let own = study.hospitals.each_ref().map(|hospital| (answer.question.truth)(&hospital.site.patients));
        let columns: Vec<&Vec<f64>> = own.iter().chain([&answer.joint[0], &answer.pooled]).collect();
        for (row, (name, digits)) in answer.question.figures.iter().enumerate() {
            let numbers = columns.iter().map(|column| format!("{:.digits$}", column[row]));
            table.row([(*name).to_owned()].into_iter().chain(numbers));
        }
    }
    write!(out, "{}", table.render(style))?;
    let units = "radius in pixels, area in square pixels; correlation and slope: area on radius";
    writeln!(out, "  {}\n", style.paint(Paint::Faint, units))
}

/// The answer that has no names but classes.
pub(super) fn classes(out: &mut dyn Write, style: Style, study: &Study) -> io::Result<()> {
    let answer = study.answers.iter().find(|answer| answer.question.figures.is_empty());
    let counts = answer.map_or(&[][..], |answer| &answer.joint[0]);
    let name = |class: u32| format!("{class}–{}", class + CLASS_WIDTH);
    let classes: Vec<_> = CLASSES.into_iter().map(name).zip(counts.iter().copied()).collect();
    writeln!(out, "  All patients by radius:\n\n{}", histogram(&classes, style))
}

pub(super) fn verdict(out: &mut dyn Write, style: Style) -> io::Result<()> {
    writeln!(out, "  {}", style.paint(Paint::Good, "All three hospitals got these answers, and they are right."))?;
    writeln!(out, "  Each hospital's own figures stayed there. The pooled ones were computed by the")?;
    writeln!(out, "  demo to compare; in life nobody could. A hospital learns the answers, and what")?;
    writeln!(out, "  follows from them: two together could take their own counts off the joint ones")?;
    writeln!(out, "  and know the third's, as with any sum of three.\n")
}

pub(super) fn traffic(out: &mut dyn Write, style: Style, study: &Study) -> io::Result<()> {
    title(out, style, "What it took")?;
    let columns = ["function", "difference", "time", "messages", "payload, B", "in all, B"];
    let mut table = Table::new(columns.map(|column| (column, Paint::None)));
    for answer in &study.answers {
        let sent = answer.traffic;
        let counts = [sent.messages, sent.payload, sent.bytes].map(|count| count.to_string());
        let cells = [answer.question.function.to_owned(), difference(answer.difference()), ms(answer.took)];
        table.row(cells.into_iter().chain(counts));
    }
    writeln!(out, "{}", table.render(style))?;
    writeln!(out, "  Sent by all three nodes together, which had started in {}. Difference: the", ms(study.opening))?;
    writeln!(out, "  largest from the pooled figures, relatively. Those that compare numbers need")?;
    writeln!(out, "  oblivious transfers; the first of them introduces the nodes to one another.")?;
    let sent = study.hospitals[0].tap.traffic();
    if let Some(masked) = sent.first_number {
        let Site { name, patients } = &study.hospitals[0].site;
        let masked = style.paint(Paint::Strong, &format!("{masked:#034x}"));
        writeln!(out, "  {name}'s first number, its {} patients, went out as", patients.len())?;
        writeln!(out, "      {masked}")?;
        writeln!(out, "  and will be another random number next time.")?;
    }
    writeln!(out)
}

pub(super) fn outlook(out: &mut dyn Write, style: Style) -> io::Result<()> {
    title(out, style, "What next")?;
    for (what, why) in [
        ("docs/", "each function: what it computes, what shows, how to call it"),
        ("README.md", "nodes of your own, and clients in Python, R, Rust and curl"),
        ("examples/", "embed a node, write a microservice, write a protocol"),
        ("fsc serve --help", "run a node"),
    ] {
        writeln!(out, "  {}  {why}", style.paint(Paint::Strong, &format!("{what:<16}")))?;
    }
    Ok(())
}

fn title(out: &mut dyn Write, style: Style, text: &str) -> io::Result<()> {
    writeln!(out, "{}\n", style.paint(Paint::Title, text))
}

fn difference(difference: f64) -> String {
    if difference == 0.0 { "0".to_owned() } else { format!("{difference:.0e}") }
}

fn ms(span: Duration) -> String {
    format!("{:.1} ms", 1e3 * span.as_secs_f64())
}
