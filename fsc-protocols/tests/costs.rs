//! What every function sends, by default and among parties that have met: number by number, and as its chapter says it.
#![allow(clippy::unwrap_used)] // tests may panic

use fsc_core::protocol::{Announced, Cost, Protocol, Submission};
use fsc_core::value::{Limits, Value, json};
use fsc_protocols::bivariate::StatisticsBivariate;
use fsc_protocols::contingency::StatisticsContingency;
use fsc_protocols::frequency::StatisticsFrequency;
use fsc_protocols::kth_element::KthElement;
use fsc_protocols::linear::matrix::Matrix;
use fsc_protocols::matrix_product::SecureMatrixMultiplication;
use fsc_protocols::median::SecureMedian;
use fsc_protocols::minimum_maximum::MinimumMaximum;
use fsc_protocols::ols::{Local, StatisticsRegressionOLSVertical};
use fsc_protocols::sum::SecureSum;
use fsc_protocols::univariate::StatisticsUnivariate;

fn value(text: &str) -> Value {
    json::parse(text.as_bytes(), &Limits::default()).unwrap()
}

/// What each of these parties sends.
fn costs<P: Protocol>(parameters: &str, data: &[&str]) -> Vec<(u32, u64, u64)> {
    let parties = data.len();
    let submit =
        |(me, data): (usize, &&str)| Submission { data: value(data), parameters: value(parameters), parties, me };
    let admitted = data.iter().enumerate().map(|part| P::admit(submit(part)).unwrap());
    let (params, inputs): (Vec<_>, Vec<_>) = admitted.unzip();
    stated::<P>(&params[0], &inputs)
}

fn stated<P: Protocol>(params: &P::Params, inputs: &[P::Input]) -> Vec<(u32, u64, u64)> {
    let announced: Vec<Value> = inputs.iter().map(|input| P::announce(params, input)).collect();
    let cost = |me| P::cost(params, &Announced::new(me, announced.clone()));
    (0..inputs.len()).map(cost).map(|Cost { rounds, messages, bytes }| (rounds, messages, bytes)).collect()
}

/// A chapter has this text, whose numbers were computed.
fn assert_says(chapter: &str, text: &str) {
    let chapter: Vec<&str> = chapter.split_whitespace().collect();
    assert!(chapter.join(" ").contains(text), "the chapter does not say {text:?}");
}

/// The chapter of a function.
macro_rules! chapter {
    ($function:literal) => {
        include_str!(concat!("../../docs/", $function, ".md"))
    };
}

fn kilobytes(bytes: u64) -> String {
    format!("{:.0} kB", bytes as f64 / 1e3)
}

fn megabytes(bytes: u64, digits: usize) -> String {
    format!("{:.digits$} MB", bytes as f64 / 1e6)
}

#[test]
fn of_sums() {
    assert_eq!(costs::<SecureSum>("null", &["1"; 2]), [(1, 1, 16); 2]);
    assert_eq!(costs::<SecureSum>("null", &["1"; 3]), [(1, 2, 32); 3]);
    assert_eq!(costs::<SecureSum>(r#"{"elementwise": true}"#, &["[1, 2, 3]"; 2]), [(1, 1, 16 * 3); 2]);
    assert_eq!(costs::<SecureSum>(r#"{"missing": "omit"}"#, &["1"; 2]), [(1, 1, 16 + 16); 2]);
    assert_says(
        chapter!("SecureSum"),
        "Each party sends each other one 16 bytes for a number, 16 · m for m of them (16 more",
    );
}

#[test]
fn of_extremes() {
    let two = costs::<MinimumMaximum>("null", &["1"; 2]);
    assert_eq!(two, [(2, 3, 8_224), (3, 3, 1_056)]);
    assert_says(chapter!("MinimumMaximum"), &format!("of {} in all", kilobytes(two[0].2 + two[1].2)));
    let three = costs::<MinimumMaximum>("null", &["1"; 3]);
    assert_eq!(three, [(20, 40, 10_522); 3]);
    assert_eq!(costs::<MinimumMaximum>("null", &["1"; 4])[0].0, 20);
    let text = format!("for three or four {} rounds, with about {} from each", three[0].0, kilobytes(three[0].2 / 2));
    assert_says(chapter!("MinimumMaximum"), &text);
}

#[test]
fn of_elements() {
    let floats = r#"{"array": [1], "rank": 1}"#;
    let two = costs::<KthElement>("null", &[floats; 2]);
    assert_eq!(two, [(17, 33, 245_824), (18, 33, 61_504)]);
    let text = format!("for floats {} one way, {} the other", megabytes(two[0].2, 2), megabytes(two[1].2, 2));
    assert_says(chapter!("KthElement"), &text);
    let three = costs::<KthElement>("null", &[floats; 3]);
    assert_eq!(three, [(16 * 5 + 12, 184, 802_796); 3]);
    assert_says(chapter!("KthElement"), "it is 5 rounds, after 12 of preparation");
    assert_says(
        chapter!("KthElement"),
        &format!("about {} from each to each for floats", megabytes(three[0].2 / 2, 1)),
    );
    let integers = r#"{"array": [1], "rank": 1, "lower_bound": 0, "upper_bound": 365}"#;
    assert_eq!(costs::<KthElement>(r#"{"type": "int64"}"#, &[integers; 2]), [(4, 7, 46_118), (5, 7, 11_558)]);
    assert_eq!(costs::<KthElement>(r#"{"type": "int64"}"#, &[integers; 3]), [(3 * 5 + 12, 54, 150_660); 3]);
}

#[test]
fn of_medians() {
    let two = costs::<SecureMedian>("null", &["1"; 2]);
    assert_eq!(two, [(16, 32, 492_608), (17, 32, 123_200)]);
    let text = format!("{} one way and {} the other", megabytes(two[0].2, 1), megabytes(two[1].2, 2));
    assert_says(chapter!("SecureMedian"), &text);
    let three = costs::<SecureMedian>("null", &["1"; 3]);
    assert_eq!(three, [(16 * 5 + 11, 182, 1_608_762); 3]);
    assert_says(chapter!("SecureMedian"), "of 5 rounds among more, after 11 of preparation");
    assert_says(chapter!("SecureMedian"), &format!("{} from each to each among three", megabytes(three[0].2 / 2, 1)));
}

#[test]
fn of_moments() {
    assert_eq!(costs::<StatisticsUnivariate>("null", &["1"; 2]), [(2, 4, 8_352), (3, 4, 1_184)]);
    let three = costs::<StatisticsUnivariate>("null", &["1"; 3]);
    assert_eq!(three, [(21, 42, 10_778); 3]);
    let text = format!("among three {} rounds and about {} from each", three[0].0, kilobytes(three[0].2 / 2));
    assert_says(chapter!("StatisticsUnivariate"), &text);
    // But for the first round of the extremes, which is of 16 bytes.
    let [extremes, both] = [costs::<MinimumMaximum>("null", &["1"; 3]), three].map(|costs| costs[0].2 / 2);
    assert_says(chapter!("StatisticsUnivariate"), &format!("two rounds of {} bytes together", both - (extremes - 16)));
}

#[test]
fn of_two_variables() {
    assert_eq!(costs::<StatisticsBivariate>("null", &["[[1, 2]]"; 2]), [(4, 6, 32_928), (4, 6, 4_256)]);
    let three = costs::<StatisticsBivariate>("null", &["[[1, 2]]"; 3]);
    assert_eq!(three, [(40, 80, 41_868); 3]);
    let text = format!("among three {} rounds and about {} from each", three[0].0, kilobytes(three[0].2 / 2));
    assert_says(chapter!("StatisticsBivariate"), &text);
    // Between two, extremes of four columns are as many labels and bits as they are.
    let extremes = costs::<MinimumMaximum>("null", &["1"; 2])[0].2 - 16;
    assert_says(chapter!("StatisticsBivariate"), &format!("two rounds of {} bytes together", 32_928 - 4 * extremes));
}

#[test]
fn of_frequencies() {
    let chapter = chapter!("StatisticsFrequency");
    let of = |parameters: &str, parties| costs::<StatisticsFrequency>(parameters, &vec![r#"["a"]"#; parties]);
    assert_eq!(of("null", 2), [(1, 1, 16_128); 2]);
    assert_eq!(of("null", 3), [(1, 2, 43_008); 3]);
    assert_eq!(of(r#"{"maximum_distinct": 8}"#, 2), [(1, 1, 12_800); 2]);
    assert_says(chapter, "one round of at least 12,800 bytes");
    let bounded = of(r#"{"maximum_distinct": 128}"#, 2);
    assert_eq!(bounded, [(1, 1, 56_320); 2]);
    assert_says(chapter, &format!("{} for up to 128 categories in all", kilobytes(bounded[0].2)));
    let book = r#"{"categories": ["a", "b", "c", "d"]}"#;
    assert_eq!(of(book, 2), [(1, 1, 16 * 4); 2]);
    assert_eq!(of(book, 3), [(1, 2, 2 * 16 * 4); 3]);
    let minimum = r#"{"categories": ["a", "b", "c", "d"], "minimum_count": 3}"#;
    assert_eq!(of(minimum, 2), [(2, 3, 5_441), (2, 3, 1_409)]);
    let three = of(minimum, 3);
    assert_eq!(three, [(1 + 18, 38, 18_736); 3]);
    let category = (three[0].2 / 2 - 16 * 4) / 4;
    assert_says(chapter, &format!("among three parties, 18 rounds more, and about {} a category", kilobytes(category)));
}

#[test]
fn of_tables() {
    let chapter = chapter!("StatisticsContingency");
    let of = |parameters: &str, parties| costs::<StatisticsContingency>(parameters, &vec![r#"[["a", 1]]"#; parties]);
    assert_eq!(of("null", 2), [(1, 1, 16_128); 2]);
    // Three parties announce 8 pairs each, as in the example.
    assert_eq!(of("null", 3), [(1, 2, 2 * 21_504); 3]);
    assert_says(chapter, "one round of at least 12,800 bytes, 21.5 kB in this example");
    assert_eq!(of(r#"{"maximum_distinct": 8}"#, 3), [(1, 2, 2 * 12_800); 3]);
    let book = r#"{"categories": [["a", "b"], [1, 2, 3]]}"#;
    assert_eq!(of(book, 2), [(1, 1, 16 * 6); 2]);
    assert_eq!(of(book, 3), [(1, 2, 2 * 16 * 6); 3]);
    assert_says(chapter, "With a code book one round of 16 bytes for each cell");
    let minimum = r#"{"categories": [["a", "b"], [1, 2, 3]], "minimum_count": 3}"#;
    assert_eq!(of(minimum, 2), [(2, 3, 8_161), (2, 3, 2_145)]);
    assert_eq!(of(minimum, 3), [(19, 38, 28_038); 3]);
}

#[test]
fn of_products() {
    let chapter = chapter!("SecureMatrixMultiplication");
    let [x, y] = ["[[[1, 2, 3], [4, 5, 6]]]", "[[[1, 2], [3, 4], [5, 6]]]"];
    let share = 4 * 16;
    let (left, right) = (6 * 448, 6 * 2 * 728);
    assert_eq!(costs::<SecureMatrixMultiplication>("null", &[x, y]), [(2, 2, left + share), (1, 2, right + share)]);
    let three = [(2, 3, left + 2 * share), (1, 3, right + 2 * share), (0, 0, 0)];
    assert_eq!(costs::<SecureMatrixMultiplication>("null", &[x, y, "[]"]), three);
    assert_says(chapter, "its owner sends 448 bytes to the owner of Y, who sends 728 bytes back for each column of Y");
    assert_says(chapter, &format!("{} in this example", kilobytes(left + right)));
    let square = || Some(Matrix::new(100, 100, vec![1.0; 10_000]));
    let submission = Submission { data: Value::Null, parameters: Value::Null, parties: 2, me: 0 };
    let (params, _) = SecureMatrixMultiplication::admit(submission).unwrap();
    let large = stated::<SecureMatrixMultiplication>(&params, &[square(), square()]);
    assert_eq!(large, [(220, 439, 4_640_000), (219, 876, 728_160_000)]);
    let gigabytes = (large[0].2 + large[1].2) as f64 / 1e9;
    assert_says(chapter, &format!("{gigabytes:.2} GB for 100 × 100 by 100 × 100"));
}

/// What each of these parties sends that have so many columns of so many rows; the last one has y.
fn of_regression(parameters: &str, columns: &[usize], rows: usize) -> Vec<(u32, u64, u64)> {
    let parties = columns.len();
    let submission = Submission { data: Value::Null, parameters: value(parameters), parties, me: 0 };
    let (params, _) = StatisticsRegressionOLSVertical::admit(submission).unwrap();
    let y = Matrix::new(rows, 1, vec![1.0; rows]);
    let input = |(place, columns): (usize, &usize)| {
        let entry = |index| f64::from(u8::from(index / columns == index % columns + 1));
        let x = (*columns > 0).then(|| Matrix::new(rows, *columns, (0..rows * columns).map(entry).collect()));
        let is_last = place + 1 == parties;
        Local::new(x.as_ref(), is_last.then_some(&y), params.intercept).unwrap()
    };
    let inputs: Vec<Local> = columns.iter().enumerate().map(input).collect();
    stated::<StatisticsRegressionOLSVertical>(&params, &inputs)
}

#[test]
fn of_regressions() {
    let (plain, detailed) = ("{}", r#"{"details": true}"#);
    let all = r#"{"intercept": true, "details": true}"#;
    for (parameters, columns, expected) in [
        (plain, &[2, 0][..], &[(2, 2, 12_304), (1, 3, 19_232)][..]),
        (all, &[2, 0], &[(2, 3, 12_352), (1, 5, 19_256)]),
        (plain, &[1, 1], &[(28, 71, 262_596), (28, 71, 683_476)]),
        (detailed, &[1, 1], &[(30, 81, 672_282), (30, 81, 1_094_450)]),
        (all, &[1, 1], &[(30, 82, 878_150), (30, 82, 1_300_318)]),
        (plain, &[1, 1, 0], &[(28, 145, 526_190), (28, 145, 925_182), (27, 146, 1_324_174)]),
        (all, &[1, 1, 0], &[(30, 165, 1_746_258), (30, 165, 2_147_834), (30, 166, 2_552_466)]),
    ] {
        assert_eq!(of_regression(parameters, columns, 12), expected, "{columns:?}, {parameters}");
    }
    assert_says(chapter!("StatisticsRegressionOLSVertical"), "At several: about 28 rounds for two parties");
}

/// About 3·k²·(k + 2m) KiB for each of 17 steps, and 2 KiB for each row and each pair of columns of two parties.
#[test]
fn of_regressions_as_their_formula_says() {
    for (half, more) in [(1, 0), (2, 0), (4, 0), (8, 0), (1, 1), (2, 1), (4, 1), (1, 2), (4, 2)] {
        let parameters = ["{}", r#"{"details": true}"#, r#"{"intercept": true, "details": true}"#][more];
        let sent = |rows| of_regression(parameters, &[half; 2], rows).iter().map(|cost| cost.2 as f64).sum::<f64>();
        let (k, m) = (2.0 * half as f64, [1.0, 2.0 * half as f64 + 1.0, 2.0 * half as f64 + 2.0][more]);
        let pairs = (half * (half + 1)) as f64;
        let row = (sent(140) - sent(40)) / 100.0 / pairs / 1024.0;
        assert!((1.8..2.1).contains(&row), "{row} KiB for each row and pair, k = {k}, {parameters}");
        let step = (sent(40) - 40.0 * pairs * row * 1024.0) / 17.0 / (k * k * (k + 2.0 * m)) / 1024.0;
        assert!((2.7..3.3).contains(&step), "{step}·k²·(k + 2m) KiB, k = {k}, {parameters}");
    }
}

/// Of nodes that have never met.
#[test]
fn of_first_meetings() {
    let strangers = fsc_protocols::ot::Pairs::meeting_cost(1);
    assert_eq!(strangers, Cost { rounds: 2, messages: 2, bytes: 8_224 + 4_096 });
    assert_says(include_str!("../../docs/README.md"), &format!("exchange {} each way", kilobytes(strangers.bytes)));
}
