//! What the demo tells.

use std::io::{self, Write};
use std::time::Duration;

use super::Study;
use super::data::{FEATURES, SOURCE, Site};
use super::figures::Figures;
use super::table::{Paint, Style, Table};

pub(super) fn introduction(out: &mut dyn Write, style: Style, sites: &[Site]) -> io::Result<()> {
    let patients: usize = sites.iter().map(|site| site.patients.len()).sum();
    title(out, style, "Three hospitals, one study")?;
    writeln!(out, "  They want joint figures on their {patients} breast biopsies, and may not show one")?;
    writeln!(out, "  another a single patient. Each runs a node, here on this machine, and asks it")?;
    writeln!(out, "  over HTTP; the nodes add up for all, and exchange nothing but masked numbers.\n")?;
    for line in SOURCE {
        writeln!(out, "  {}", style.paint(Paint::Faint, line))?;
    }
    writeln!(out)?;
    out.flush()
}

pub(super) fn figures(out: &mut dyn Write, style: Style, study: &Study, pooled: &Figures) -> io::Result<()> {
    let own = study.hospitals.iter().map(|hospital| (hospital.site.name, Paint::None));
    let all = [("joint", Paint::Good), ("pooled", Paint::None), ("difference", Paint::Faint)];
    let mut table = Table::new([("", Paint::None)].into_iter().chain(own).chain(all));

    let own = study.hospitals.each_ref().map(|hospital| Figures::of(&hospital.site.patients).values());
    let (joint, pooled) = (study.joint[0].values(), pooled.values());
    for (row, label) in labels().into_iter().enumerate() {
        let shown = own.iter().chain([&joint, &pooled]).map(|figures| number(row, figures[row]));
        let difference = difference((joint[row] - pooled[row]).abs());
        table.row([label].into_iter().chain(shown).chain([difference]));
    }
    write!(out, "{}", table.render(style))?;
    let units = FEATURES.map(|(feature, unit)| format!("{feature} in {unit}")).join(", ");
    writeln!(out, "  {}\n", style.paint(Paint::Faint, &units))
}

pub(super) fn verdict(out: &mut dyn Write, style: Style) -> io::Result<()> {
    writeln!(out, "  {}", style.paint(Paint::Good, "All three hospitals got the joint figures, and they are right."))?;
    writeln!(out, "  Each hospital's own figures stayed there. The pooled ones were computed by the")?;
    writeln!(out, "  demo to compare; in life nobody could. A hospital learns the joint sums and no")?;
    writeln!(out, "  more. Two together could take their own off and know the third's sums, as with")?;
    writeln!(out, "  any sum of three. No single patient's figures left their hospital.\n")
}

pub(super) fn traffic(out: &mut dyn Write, style: Style, study: &Study) -> io::Result<()> {
    let hospitals = study.hospitals.each_ref();
    let traffic = hospitals.map(|hospital| hospital.tap.traffic());
    title(out, style, "What travelled")?;
    let columns = ["sent by", "messages", "joining, bytes", "masked sums, bytes", "in all, bytes"];
    let mut table = Table::new(columns.map(|column| (column, Paint::None)));
    for (hospital, sent) in hospitals.iter().zip(&traffic) {
        let counts = [sent.messages, sent.joining, sent.payload, sent.bytes].map(|count| count.to_string());
        table.row([hospital.site.name.to_owned()].into_iter().chain(counts));
    }
    writeln!(out, "{}", table.render(style))?;
    writeln!(out, "  Two secure sums, one round each: the totals, then the squared distances from")?;
    writeln!(
        out,
        "  the joint means. Nodes started in {}, both sums took {}.",
        ms(study.opening),
        ms(study.computing)
    )?;
    if let ([hospital, ..], [sent, ..]) = (hospitals, &traffic)
        && let Some(masked) = sent.first_number
    {
        let (name, patients) = (hospital.site.name, hospital.site.patients.len());
        let masked = style.paint(Paint::Strong, &format!("{masked:#034x}"));
        writeln!(out, "  {name}'s first number, its {patients} patients, went out as")?;
        writeln!(out, "      {masked}")?;
        writeln!(out, "  and will be another random number next time.")?;
    }
    writeln!(out)
}

pub(super) fn outlook(out: &mut dyn Write, style: Style) -> io::Result<()> {
    title(out, style, "What next")?;
    for (what, why) in [
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

/// The rows of the table, in the order of [`Figures::values`].
fn labels() -> Vec<String> {
    let features = FEATURES.iter().flat_map(|(feature, _)| [format!("mean {feature}"), "  std. dev.".to_owned()]);
    ["patients".to_owned(), "malignant".to_owned()].into_iter().chain(features).collect()
}

fn number(row: usize, figure: f64) -> String {
    match row {
        0 => format!("{figure:.0}"),
        1 => format!("{:.1} %", 100.0 * figure),
        _ => format!("{figure:.3}"),
    }
}

fn difference(difference: f64) -> String {
    if difference == 0.0 { "0".to_owned() } else { format!("{difference:.0e}") }
}

fn ms(span: Duration) -> String {
    format!("{:.1} ms", 1e3 * span.as_secs_f64())
}
