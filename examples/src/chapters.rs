//! The chapters of `docs/`: their examples as doc tests, and the results that they show.

use std::path::Path;

use fsc_core::value::{Limits, Value, json};

/// Names the chapters, and makes doc tests of their Rust blocks.
macro_rules! chapters {
    ($($name:ident)*) => {
        /// The functions that have a chapter, which is `docs/NAME.md`.
        pub const CHAPTERS: &[&str] = &[$(stringify!($name)),*];
        $(
            #[cfg(doctest)]
            #[doc = include_str!(concat!("../../docs/", stringify!($name), ".md"))]
            pub struct $name;
        )*
    };
}

chapters! {
    SecureSum
    MinimumMaximum
    KthElement
    SecureMedian
    StatisticsUnivariate
    StatisticsBivariate
    StatisticsFrequency
    StatisticsContingency
    SecureMatrixMultiplication
    StatisticsRegressionOLSVertical
}

/// How far a number may be from the one that is shown, relatively: the last digits of a regression differ from run to run.
const RELATIVE: f64 = 1e-9;

/// Panics unless the answer is the one that the chapter shows in its block of JSON: numbers to nine digits, everything else
/// to the letter.
pub fn assert_shown(chapter: &str, answer: &Value) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(chapter).with_extension("md");
    let text = std::fs::read_to_string(&file).expect("a chapter of that name");
    let shown = text.split_once("```json\n").and_then(|(_, rest)| rest.split_once("\n```")).expect("a block of JSON").0;
    let answer = json::to_vec(answer);
    let read = |text: &[u8]| json::parse(text, &Limits::default()).expect("JSON");
    assert!(agree(&read(&answer), &read(shown.as_bytes())), "{chapter} answers {}", String::from_utf8_lossy(&answer));
}

fn agree(answer: &Value, shown: &Value) -> bool {
    match (answer, shown) {
        (Value::Array(answer), Value::Array(shown)) => {
            answer.shape() == shown.shape() && answer.iter().zip(shown.iter()).all(|(one, other)| agree(&one, &other))
        }
        (Value::List(answer), Value::List(shown)) => {
            answer.len() == shown.len() && answer.iter().zip(shown).all(|(one, other)| agree(one, other))
        }
        (Value::Map(answer), Value::Map(shown)) => {
            answer.keys().eq(shown.keys()) && answer.values().zip(shown.values()).all(|(one, other)| agree(one, other))
        }
        _ => match (answer.as_f64(), shown.as_f64()) {
            (Some(answer), Some(shown)) => (answer - shown).abs() <= RELATIVE * shown.abs(),
            _ => answer == shown,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn docs() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
    }

    /// What is about no function. Their configurations are read by the tests of `fsc-node`.
    const GUIDES: [&str; 3] = ["README", "embedding", "serial"];

    #[test]
    fn every_function_has_a_chapter_that_the_contents_list() {
        fsc_protocols::link();
        let chapters: BTreeSet<&str> = CHAPTERS.iter().copied().collect();
        assert_eq!(chapters, fsc_protocols::PROTOCOLS.iter().copied().collect());
        let contents = std::fs::read_to_string(docs().join("README.md")).unwrap();
        for chapter in chapters {
            assert!(contents.contains(&format!("]({chapter}.md)")), "the contents lack {chapter}");
        }
    }

    #[test]
    fn every_chapter_runs_its_example_in_both_languages() {
        for entry in std::fs::read_dir(docs()).unwrap() {
            let file = entry.unwrap().path();
            let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
            if GUIDES.contains(&name.as_str()) {
                continue;
            }
            assert!(CHAPTERS.contains(&name.as_str()), "the examples of {name} are not run");
            let text = std::fs::read_to_string(file).unwrap();
            assert!(text.contains(&format!("\nassert_shown(\"{name}\", &answer);")), "{name} compares nothing");
            for block in ["```rust\n", "```python\n", "```json\n"] {
                assert_eq!(text.matches(block).count(), 1, "{name}: {block}");
            }
        }
    }

    #[test]
    fn other_answers_are_not_as_shown() {
        let read = |text: &str| json::parse(text.as_bytes(), &Limits::default()).unwrap();
        let shown = read(r#"{"mean": 0.3, "counts": [1, null, 3], "list": [1, 2]}"#);
        assert!(agree(&read(r#"{"mean": 0.30000000000000004, "counts": [1.0, null, 3], "list": [1.0, 2]}"#), &shown));
        for other in [
            r#"{"mean": 0.3000001, "counts": [1, null, 3], "list": [1, 2]}"#,
            r#"{"mean": 0.3, "counts": [1, 0, 3], "list": [1, 2]}"#,
            r#"{"mean": 0.3, "counts": [1, null], "list": [1, 2]}"#,
            r#"{"mean": 0.3, "counts": [1, null, 3], "list": [1]}"#,
            r#"{"mean": 0.3, "counts": [1, null, 3]}"#,
        ] {
            assert!(!agree(&read(other), &shown), "{other}");
        }
    }
}
