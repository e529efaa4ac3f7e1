//! What the benches share.

pub mod adder;
pub mod federation;
pub mod http;
pub mod rows;

/// Numbers to compute with: finite, of several magnitudes of length as text, always the same.
pub fn numbers(count: usize) -> Vec<f64> {
    (0..count).map(|index| (index * 7919 % 100_003) as f64 / 1000.0).collect()
}

/// The value behind `--name` on the command line.
pub fn option(name: &str) -> Option<String> {
    let mut arguments = std::env::args().skip_while(|argument| argument != name);
    arguments.nth(1)
}

/// Whether `--name` is on the command line.
pub fn flag(name: &str) -> bool {
    std::env::args().any(|argument| argument == name)
}
