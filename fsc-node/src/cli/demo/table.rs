//! Tables and emphasis for a terminal; plain text where there is none.

use std::io::{IsTerminal, stdout};

/// The escape codes that a text is set in, or none.
#[derive(Clone, Copy)]
pub(super) struct Style {
    coloured: bool,
}

impl Style {
    /// No escape codes.
    pub(super) const PLAIN: Self = Self { coloured: false };

    /// Colours if standard output is a terminal that can show them and nobody objects (<https://no-color.org>).
    pub(super) fn of_stdout() -> Self {
        let objection = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        if stdout().is_terminal() && !objection && !dumb { Self { coloured: true } } else { Self::PLAIN }
    }

    pub(super) fn is_plain(self) -> bool {
        !self.coloured
    }

    pub(super) fn paint(self, paint: Paint, text: &str) -> String {
        let code = match paint {
            Paint::None => return text.to_owned(),
            _ if self.is_plain() => return text.to_owned(),
            Paint::Title => "1;36",
            Paint::Strong => "1",
            Paint::Good => "1;32",
            Paint::Faint => "2",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

/// What a text is to the reader.
#[derive(Clone, Copy)]
pub(super) enum Paint {
    None,
    Title,
    Strong,
    Good,
    Faint,
}

/// Rows of cells below a header. The first column is on the left, numbers are on the right.
pub(super) struct Table {
    columns: Vec<(String, Paint)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new<T: Into<String>>(columns: impl IntoIterator<Item = (T, Paint)>) -> Self {
        Self { columns: columns.into_iter().map(|(title, paint)| (title.into(), paint)).collect(), rows: Vec::new() }
    }

    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The table, line by line, two columns in from the margin.
    pub(super) fn render(&self, style: Style) -> String {
        let widths = self.widths();
        let titles = self.columns.iter().map(|(title, _)| (title.as_str(), Paint::Strong));
        let rule = widths.iter().sum::<usize>() + GAP.len() * (widths.len() - 1);
        let rule = style.paint(Paint::Faint, &"─".repeat(rule));
        let mut text = line(titles, &widths, style) + GAP + &rule + "\n";
        for row in &self.rows {
            let cells = row.iter().zip(&self.columns).map(|(cell, (_, paint))| (cell.as_str(), *paint));
            text += &line(cells, &widths, style);
        }
        text
    }

    /// How many characters each column needs.
    fn widths(&self) -> Vec<usize> {
        let titles = self.columns.iter().map(|(title, _)| title.chars().count()).collect();
        self.rows.iter().fold(titles, |widths: Vec<usize>, row| {
            widths.into_iter().zip(row).map(|(width, cell)| width.max(cell.chars().count())).collect()
        })
    }
}

/// What stands before each column.
const GAP: &str = "  ";

fn line<'a>(cells: impl Iterator<Item = (&'a str, Paint)>, widths: &[usize], style: Style) -> String {
    let mut line = String::new();
    for (place, ((cell, paint), width)) in cells.zip(widths).enumerate() {
        // Padding counts characters, so it comes before the escape codes.
        let padded = if place == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") };
        line += GAP;
        line += &style.paint(paint, &padded);
    }
    line + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new([("", Paint::None), ("own", Paint::Faint), ("σ", Paint::Good)]);
        table.row(["patients", "7", "1.25"].map(str::to_owned));
        table
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let expected = "            own     σ\n  ───────────────────\n  patients    7  1.25\n";
        assert_eq!(table().render(Style::PLAIN), expected);
    }

    #[test]
    fn colours_do_not_move_columns() {
        let coloured = table().render(Style { coloured: true });
        assert!(coloured.contains("\x1b[1;32m1.25\x1b[0m"), "{coloured:?}");
        let mut bare = coloured;
        for code in ["1;32", "1", "2", "0"] {
            bare = bare.replace(&format!("\x1b[{code}m"), "");
        }
        assert_eq!(bare, table().render(Style::PLAIN));
    }
}
