use fsc_core::laws::{self, Lawful};
use fsc_core::protocol_laws;
use fsc_core::sim::{Faults, Report, simulate};
use fsc_core::value::{Limits, json};
use rand::RngExt;
use rand_chacha::ChaCha20Rng;

use super::*;
use crate::linear::product::multiply;

protocol_laws!(SecureMatrixMultiplication, docs: "../matrix_product.rs", parties: 2..=5);

/// Integers, so that the right product is exact in another arithmetic.
impl Lawful for SecureMatrixMultiplication {
    fn params(rng: &mut ChaCha20Rng, parties: usize) -> Params {
        let dealer = Source::Dealer(rng.random_range(0..parties));
        Params { missing: Missing::Error, preprocessing: if rng.random_bool(0.7) { Source::Oblivious } else { dealer } }
    }

    fn inputs(rng: &mut ChaCha20Rng, _: &Params, parties: usize) -> Vec<Option<Matrix>> {
        let [rows, inner, columns] = [2, 3, parties];
        let mut matrix = |rows: usize, columns: usize| {
            // The largest element, whose magnitude is announced, is the same in all draws.
            let mut entries: Vec<f64> = (1..rows * columns).map(|_| f64::from(rng.random_range(-999..1000))).collect();
            entries.push(1000.0);
            Some(Matrix::new(rows, columns, entries))
        };
        let mut inputs = vec![None; parties];
        inputs[0] = matrix(rows, inner);
        inputs[parties - 1] = matrix(inner, columns);
        inputs
    }

    fn acquaint(keys: &[std::sync::Arc<fsc_core::joining::Keys>]) {
        crate::ot::acquaint(keys);
    }

    fn is_right(_: &Params, inputs: &[Option<Matrix>], result: &Value) -> bool {
        let [x, y] = &inputs.iter().flatten().collect::<Vec<_>>()[..] else { return false };
        let integers =
            |matrix: &Matrix| matrix.entries().iter().map(|entry| *entry as i128 as u128).collect::<Vec<_>>();
        let exact = multiply(&integers(x), &integers(y), x.columns(), y.columns());
        let Some(Value::Array(product)) = result.entry("product") else { return false };
        product.shape() == [x.rows(), y.columns()]
            && product
                .to_f64()
                .is_ok_and(|found| found.iter().zip(exact).all(|(found, exact)| *found == exact as i128 as f64))
    }
}

fn dealt() -> Params {
    Params { missing: Missing::Error, preprocessing: Source::Dealer(0) }
}

#[allow(clippy::unnecessary_wraps)] // it is an input
fn matrix(rows: usize, columns: usize, entries: &[f64]) -> Option<Matrix> {
    Some(Matrix::new(rows, columns, entries.to_vec()))
}

fn run(inputs: Vec<Option<Matrix>>) -> Report {
    simulate::<SecureMatrixMultiplication>(&dealt(), inputs, 1, Faults::default()).expect("plain parameters")
}

/// Every party's product, or every party's error.
fn products(inputs: Vec<Option<Matrix>>) -> Vec<Result<Vec<f64>, String>> {
    let numbers = |value: Value| {
        let Some(Value::Array(product)) = value.entry("result").and_then(|result| result.entry("product")) else {
            return Err("no product".to_owned());
        };
        product.to_f64().map(std::borrow::Cow::into_owned).map_err(|error| error.to_string())
    };
    let outcomes = run(inputs).outcomes;
    outcomes.into_iter().map(|outcome| outcome.map_err(|error| error.to_string()).and_then(numbers)).collect()
}

fn admit(data: &str, parameters: &str) -> Result<(Params, Option<Matrix>), String> {
    let value = |text: &str| json::parse(text.as_bytes(), &Limits::default()).expect("JSON");
    let submission = Submission { data: value(data), parameters: value(parameters), parties: 2, me: 0 };
    SecureMatrixMultiplication::admit(submission).map_err(|error| error.to_string())
}

#[test]
fn transcripts_of_different_matrices_are_indistinguishable() {
    let inputs = |x: f64, y: f64| [matrix(1, 2, &[1.0, x]), matrix(2, 1, &[y, 1.0])];
    laws::transcripts_are_indistinguishable::<SecureMatrixMultiplication>(
        &dealt(),
        &inputs(0.0, 0.0),
        &inputs(0.7, -1.0),
    )
    .unwrap();
}

/// Everything that is opened is the product of the rounded matrices: a simulator that has that and a party's own share
/// predicts the other one's share exactly.
#[test]
fn shares_that_are_sent_add_up_to_the_product_and_to_nothing_else() {
    let report = run(vec![matrix(1, 2, &[0.5, 0.25]), None, matrix(2, 1, &[0.5, -0.125])]);
    let share = |from: usize| {
        crate::algebra::ring::decode::<u128>(
            report.payloads(from, 1).iter().find(|payload| payload.len() == 16).unwrap(),
            1,
        )
        .unwrap()[0]
    };
    // 0.5·0.5 − 0.25·0.125, by 2^(55 − 0) and 2^(70 − 1 − 0), since 0.5 needs the exponent 0.
    let expected = ((0.25 - 0.03125) * 2_f64.powi(124)) as u128;
    assert_eq!(share(0).wrapping_add(share(2)), expected);
}

#[test]
fn elements_of_any_magnitude_are_multiplied() {
    for (x, y) in [(1e-300, 1e300), (1e150, -1e150), (5e-324, 1.0), (0.0, 3.0), (0.1, 0.1)] {
        for product in products(vec![matrix(1, 1, &[x]), matrix(1, 1, &[y])]) {
            let product = product.unwrap()[0];
            assert!((product - x * y).abs() <= (x * y).abs() * 1e-15, "{x}·{y} is not {product}");
        }
    }
}

#[test]
fn the_error_stays_below_its_bound() {
    let entries: Vec<f64> = (0..100).map(|index| f64::from(index * 7919 % 1009) / 1009.0 - 0.5).collect();
    let products = products(vec![matrix(1, 100, &entries), matrix(100, 1, &entries)]);
    // In units of 1009^-2: an integer over 4, exactly.
    let exact: i64 = (0..100_i64).map(|index| (2 * (index * 7919 % 1009) - 1009).pow(2)).sum();
    let error = (products[1].as_ref().unwrap()[0] - exact as f64 / (4.0 * 1009.0 * 1009.0)).abs();
    assert!(error <= 100.0 * 0.25 * (2_f64.powi(-55) + 2_f64.powi(7 - 70)) + 1e-15, "{error}");
}

#[test]
fn all_parties_learn_what_does_not_fit() {
    let (two, three) = (matrix(1, 2, &[1.0, 2.0]), matrix(3, 1, &[1.0; 3]));
    for (inputs, expected) in [
        (vec![two.clone(), three.clone()], "as many rows"),
        (vec![two.clone(), None, None], "two parties must have a matrix"),
        (vec![two.clone(), three.clone(), two.clone()], "two parties must have a matrix"),
        (vec![matrix(1, 1, &[1e200]), matrix(1, 1, &[1e200])], "too large for a float"),
    ] {
        for outcome in products(inputs) {
            let error = outcome.expect_err(expected);
            assert!(error.contains(expected), "{error}");
        }
    }
}

#[test]
fn impossible_announcements_name_their_party() {
    let announcement = |rows: u64, columns: u64, exponent: i32| {
        Value::map([("rows", Value::from(rows)), ("columns", columns.into()), ("exponent", exponent.into())])
    };
    for impossible in [
        announcement(u64::MAX, u64::MAX, 0),
        announcement(1 << 32, 1 << 32, 0),
        announcement(0, u64::MAX, 0),
        announcement(u64::MAX, 0, 0),
        announcement(2, (1 << 24) + 1, 0),
        announcement(2, 1, i32::MIN),
        announcement(2, 1, i32::MAX),
        Value::Bool(true),
    ] {
        let all = Announced::new(0, vec![announcement(1, 2, 1), impossible]);
        assert_eq!(Plan::new(&all).err().map(|error| error.culprits()), Some(vec![1]), "{all:?}");
        assert_eq!(SecureMatrixMultiplication::cost(&dealt(), &all), Cost::default());
    }
}

/// As long as both are below the bounds of the documentation.
#[test]
fn products_of_integers_are_exact() {
    for (inner, x, y) in
        [(1, 2_f64.powi(53) - 1.0, 1.0), (3, 3.0, 2_f64.powi(49) - 1.0), (1 << 12, 1.0, 2_f64.powi(41) - 1.0)]
    {
        let product = &products(vec![matrix(1, inner, &vec![x; inner]), matrix(inner, 1, &vec![y; inner])])[0];
        assert_eq!(product, &Ok(vec![inner as f64 * x * y]));
    }
    let wide = 1 << 20;
    let alone: Vec<f64> = std::iter::once(1.0).chain(vec![0.0; wide - 1]).collect();
    for (bits, exact) in [(50, true), (52, false)] {
        let mut y = vec![0.0; wide];
        y[0] = 2_f64.powi(bits) - 1.0;
        let product = &products(vec![matrix(1, wide, &alone), matrix(wide, 1, &y)])[0];
        assert_eq!(product == &Ok(vec![y[0]]), exact, "{bits} bits");
    }
}

#[test]
fn data_is_a_list_of_one_matrix_or_nothing() {
    assert!(admit("null", "null").unwrap().1.is_none());
    assert!(admit("[]", "null").unwrap().1.is_none());
    assert!(admit("[[[1, 2], [3, 4]]]", "null").unwrap().1 == matrix(2, 2, &[1.0, 2.0, 3.0, 4.0]));
    for (data, parameters, expected) in [
        ("[[[1, 2], [3]]]", "null", "row 1 has another length"),
        ("[[[1]], [[2]]]", "null", "a list of one matrix"),
        ("7", "null", "a list of one matrix"),
        ("[[[1, 2], [3, null]]]", "null", "null at row 1, column 1"),
        ("[[[1, 2], [3, null]]]", r#"{"missing": "omit"}"#, "leave out incomplete rows at all parties"),
        ("[]", r#"{"preprocessing": {"dealer": 2}}"#, "no party 2 to deal"),
        ("[]", r#"{"preprocessin": 1}"#, "expected one of: missing, preprocessing"),
    ] {
        let error = admit(data, parameters).err().expect(data);
        assert!(error.contains(expected), "{data}: {error}");
    }
}

/// What the reference computed, as it was recorded.
#[test]
fn the_recorded_result_is_met() {
    let limits = Limits::default();
    let recorded = json::parse(include_str!("recorded.json").as_bytes(), &limits).expect("JSON");
    let inputs = items(recorded.entry("inputs").expect("inputs")).expect("a list");
    let admitted = inputs.into_iter().enumerate().map(|(me, data)| {
        let submission = Submission { data, parameters: Value::Null, parties: 2, me };
        SecureMatrixMultiplication::admit(submission).expect("as recorded")
    });
    let (params, inputs): (Vec<Params>, Vec<Option<Matrix>>) = admitted.unzip();
    let matrix = |result: &Value| Matrix::read(result.entry("product").expect("product")).expect("a matrix");
    let expected = matrix(recorded.entry("result").expect("a result"));
    let keys = fsc_core::sim::keys(2, 1);
    let report =
        fsc_core::sim::simulate_among::<SecureMatrixMultiplication>(&params[0], inputs, &keys, 1, Faults::default());
    for outcome in report.expect("as recorded").outcomes {
        let found = matrix(outcome.expect("a result").entry("result").expect("a result"));
        assert_eq!((found.rows(), found.columns()), (expected.rows(), expected.columns()));
        for (found, expected) in found.entries().iter().zip(expected.entries()) {
            assert!((found - expected).abs() <= 1e-9 * expected.abs(), "{found} instead of {expected}");
        }
    }
}

/// The reference's way with square matrices: the owner of X sends X as it is, and the other one multiplies.
struct Raw;

impl Protocol for Raw {
    const NAME: &'static str = SecureMatrixMultiplication::NAME;
    const VERSION: u16 = SecureMatrixMultiplication::VERSION;
    const SECURITY: Security = SecureMatrixMultiplication::SECURITY;
    type Params = Params;
    type Input = Option<Matrix>;
    type Output = Output;

    fn admit(submission: Submission) -> Result<(Params, Option<Matrix>), ObjectError> {
        SecureMatrixMultiplication::admit(submission)
    }

    fn present(output: Output) -> Result<Value, ConvertError> {
        SecureMatrixMultiplication::present(output)
    }

    fn announce(params: &Params, input: &Option<Matrix>) -> Value {
        SecureMatrixMultiplication::announce(params, input)
    }

    fn cost(params: &Params, all: &Announced) -> Cost {
        SecureMatrixMultiplication::cost(params, all)
    }

    async fn run(party: &mut Party, _: Params, input: Secret<Option<Matrix>>) -> Result<Output, ProtocolError> {
        let plan = Plan::new(party.announced())?;
        let mut product = vec![0; plan.product.rows * plan.product.columns];
        match plan.factor(party.me(), input) {
            Factor::Left(x) => {
                let raw = x.into_iter().map(u128::of).collect();
                party.send(plan.product.right, crate::algebra::ring::encode::<u128>(raw));
            }
            Factor::Right(y) => {
                let raw = party.recv(plan.product.left).await?;
                let length = plan.product.rows * plan.product.inner;
                let x = crate::algebra::ring::decode(&raw, length).expect("a matrix");
                product = multiply(&x, &y, plan.product.inner, plan.product.columns);
            }
            Factor::Neither => {}
        }
        let all: Vec<usize> = (0..party.parties()).collect();
        let opened = party.reveal(Additive::new(product), &plan.owners(), &all).await?;
        plan.decode(&opened.unwrap_or_default())
    }
}

impl Lawful for Raw {
    fn params(_: &mut ChaCha20Rng, _: usize) -> Params {
        dealt()
    }

    fn inputs(rng: &mut ChaCha20Rng, params: &Params, parties: usize) -> Vec<Option<Matrix>> {
        SecureMatrixMultiplication::inputs(rng, params, parties)
    }

    fn is_right(params: &Params, inputs: &[Option<Matrix>], result: &Value) -> bool {
        SecureMatrixMultiplication::is_right(params, inputs, result)
    }
}

#[test]
fn a_raw_matrix_is_caught() {
    laws::gives_the_right_result::<Raw>(2..=2).expect("the product is right, so nothing but the leak is wrong");
    let inputs = |x: f64, y: f64| [matrix(1, 2, &[1.0, x]), matrix(2, 1, &[y, 1.0])];
    let told_apart = laws::transcripts_are_indistinguishable::<Raw>(&dealt(), &inputs(0.0, 0.0), &inputs(0.7, -1.0));
    assert!(told_apart.is_err(), "the reference's leak went unnoticed");
}
