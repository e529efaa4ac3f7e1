//! What a person sees, and is asked.

use std::io::{self, BufRead, IsTerminal, Write};

use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};

/// Does `work`, on this thread, unless the person presses Ctrl-C before: then there is nothing.
pub(crate) fn until_interrupted<T>(work: impl Future<Output = T>) -> io::Result<Option<T>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(async {
        tokio::select! {
            outcome = work => Some(outcome),
            _ = tokio::signal::ctrl_c() => None,
        }
    });
    // Nobody waits for an answer from the terminal any more.
    runtime.shutdown_background();
    Ok(outcome)
}

/// Prints a line.
pub(crate) fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

/// Prints a text as a QR code, if somebody looks.
pub(crate) fn show(text: &str) -> io::Result<()> {
    if !io::stdout().is_terminal() {
        return Ok(());
    }
    picture(text).map_or(Ok(()), |picture| say(&picture))
}

/// Asks a person; what is not yes is no. With `is_sure`, yes is taken for granted.
pub(crate) async fn agrees(question: &str, is_sure: bool) -> io::Result<bool> {
    if is_sure {
        return Ok(true);
    }
    print_question(question)?;
    let line = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line).map(|_| line)
    });
    let line = line.await.map_err(io::Error::other)??;
    Ok(matches!(line.trim().to_lowercase().as_str(), "y" | "yes"))
}

fn print_question(question: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    write!(out, "{question} [y/N] ")?;
    out.flush()
}

/// A QR code, two of its rows a line, black on white whatever the terminal's colours are.
fn picture(text: &str) -> Option<String> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
    let rows = code.render::<Dense1x2>().build();
    let lines: Vec<String> = rows.lines().map(|line| format!("    \x1b[30;107m{line}\x1b[0m")).collect();
    Some(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_a_picture_that_fits_a_terminal() {
        let picture = picture("B.EXAMPLE.ORG:8001/ABCD-EFGH-IJKL-MNOP-QR").unwrap();
        assert!(picture.lines().count() <= 20, "{picture}");
        assert!(picture.lines().all(|line| line.chars().count() <= 64), "{picture}");
    }
}
