//! A histogram for a terminal.

use super::table::{Paint, Style};

/// The most characters of a bar.
const WIDTH: usize = 48;

/// A line for each class: its name, a bar as long as its count is large, and the count.
pub(super) fn histogram(classes: &[(String, f64)], style: Style) -> String {
    let highest = classes.iter().map(|(_, count)| *count).fold(0.0, f64::max);
    let names = classes.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
    let line = |(name, count): &(String, f64)| {
        let bar = style.paint(Paint::Good, &bar(*count / highest));
        format!("  {name:>names$}  {bar} {count}\n")
    };
    classes.iter().map(line).collect()
}

/// A bar of that part of the width, to an eighth of a character; nothing for what is no part.
fn bar(part: f64) -> String {
    const EIGHTHS: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
    let eighths = (part.clamp(0.0, 1.0) * (8 * WIDTH) as f64).ceil() as usize;
    let full = "█".repeat(eighths / 8);
    if eighths.is_multiple_of(8) { full } else { full + EIGHTHS[eighths % 8].encode_utf8(&mut [0; 4]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_long_as_counts_are_large() {
        let classes = [("low", 4.0), ("middle", 1.0), ("high", 0.0)].map(|(name, count)| (name.to_owned(), count));
        let [low, middle] = [48, 12].map(|length| "█".repeat(length));
        let expected = format!("     low  {low} 4\n  middle  {middle} 1\n    high   0\n");
        assert_eq!(histogram(&classes, Style::PLAIN), expected);
    }

    #[test]
    fn smallest_count_is_seen() {
        assert_eq!(bar(1e-6), "▏");
        assert_eq!(bar(1.5 / WIDTH as f64), "█▌");
        assert_eq!(bar(f64::NAN), "");
    }

    #[test]
    fn nobody_makes_no_bars() {
        assert_eq!(histogram(&[("all".to_owned(), 0.0)], Style::PLAIN), "  all   0\n");
    }
}
