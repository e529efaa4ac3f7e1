//! Regressions on up to four columns at up to three parties, with residuals, under all laws of protocols: what `linear::solve`
//! makes of shares, held against exact fractions.

use num_bigint::BigInt;

use super::*;
use crate::exact::{quotient, solve};

protocol_laws!(Noisy, docs: "../../ols.rs", parties: 2..=5);

/// The protocol, of data that are kept as they were.
struct Noisy;

/// Columns, and y, at one party.
#[derive(Clone)]
struct Raw {
    columns: Vec<Vec<f64>>,
    y: Option<Vec<f64>>,
}

impl Raw {
    fn local(&self, params: &Params) -> Local {
        local(&self.columns, self.y.as_deref(), params.intercept).expect("columns of one party are independent")
    }
}

impl Protocol for Noisy {
    const NAME: &'static str = StatisticsRegressionOLSVertical::NAME;
    const VERSION: u16 = StatisticsRegressionOLSVertical::VERSION;
    const SECURITY: Security = StatisticsRegressionOLSVertical::SECURITY;
    type Params = Params;
    type Input = Raw;
    type Output = Output;

    fn admit(submission: Submission) -> Result<(Params, Raw), ObjectError> {
        let (params, _) = StatisticsRegressionOLSVertical::admit(submission)?;
        Ok((params, Raw { columns: Vec::new(), y: None }))
    }

    fn announce(params: &Params, input: &Raw) -> Value {
        StatisticsRegressionOLSVertical::announce(params, &input.local(params))
    }

    fn cost(params: &Params, all: &Announced) -> Cost {
        StatisticsRegressionOLSVertical::cost(params, all)
    }

    fn present(output: Output) -> Result<Value, ConvertError> {
        StatisticsRegressionOLSVertical::present(output)
    }

    async fn run(party: &mut Party, params: Params, input: Secret<Raw>) -> Result<Output, ProtocolError> {
        let local = Secret::new(input.expose().local(&params));
        StatisticsRegressionOLSVertical::run(party, params, local).await
    }
}

/// How many columns the first parties have; y is at the last of all.
const LAYOUTS: [&[usize]; 5] = [&[3], &[1, 1], &[2, 2], &[1, 1, 1], &[1, 2, 1]];

/// So small a condition is told apart from others, and says which layout it is.
const CONDITION: u32 = 16;

/// Integers; the residuals are as large as each column.
fn draw(rng: &mut ChaCha20Rng, layout: &[usize], parties: usize, rows: usize) -> Vec<Raw> {
    let mut column = || (0..rows).map(|_| f64::from(rng.random_range(-1000..1000))).collect::<Vec<f64>>();
    let mut inputs = vec![Raw { columns: Vec::new(), y: None }; parties];
    let mut y = column();
    for (input, columns) in inputs.iter_mut().zip(layout) {
        input.columns = (0..*columns).map(|_| column()).collect();
        for (row, number) in input.columns.iter().flat_map(|column| column.iter().enumerate()) {
            y[row] -= number;
        }
    }
    inputs[parties - 1].y = Some(y);
    inputs
}

impl Lawful for Noisy {
    fn params(rng: &mut ChaCha20Rng, parties: usize) -> Params {
        let among = LAYOUTS.iter().filter(|layout| layout.len() <= parties).count();
        let dealer = Source::Dealer(rng.random_range(0..parties));
        Params {
            condition: CONDITION + rng.random_range(0..among) as u32,
            preprocessing: if rng.random_bool(0.2) { Source::Oblivious } else { dealer },
            ..params(rng.random(), rng.random())
        }
    }

    fn inputs(rng: &mut ChaCha20Rng, params: &Params, parties: usize) -> Vec<Raw> {
        let layout = LAYOUTS[(params.condition - CONDITION) as usize];
        loop {
            let inputs = draw(rng, layout, parties, 12);
            let locals: Vec<Local> = inputs.iter().map(|input| input.local(params)).collect();
            // The power of two next to the length of y is announced, and has to be the same in all draws.
            let length = locals.last().and_then(|local| local.y.as_ref()).map(|y| y.exponent);
            if length == Some(12) && are_independent(&locals) {
                return inputs;
            }
        }
    }

    fn acquaint(keys: &[std::sync::Arc<Keys>]) {
        crate::ot::acquaint(keys);
    }

    fn is_right(params: &Params, inputs: &[Raw], result: &Value) -> bool {
        let exact = Exact::of(params.intercept, inputs);
        let near = |key: &str, expected: Vec<f64>| {
            let found = numbers(result, key);
            let scales = expected.iter().zip(&exact.errors).map(|(number, error)| number.abs().max(*error));
            let is_near = |((found, expected), scale): ((&f64, &f64), f64)| (found - expected).abs() <= 1e-10 * scale;
            found.len() == expected.len() && found.iter().zip(&expected).zip(scales).all(is_near)
        };
        let t = exact.mle.iter().zip(&exact.errors).map(|(number, error)| number / error).collect();
        near("mle", exact.mle.clone())
            && (!params.details
                || near("standard_errors", exact.errors.clone())
                    && near("t", t)
                    && numbers(result, "p").iter().all(|p| (0.0..=1.0).contains(p))
                    && (numbers(result, "r_squared")[0] - exact.r_squared).abs() <= 1e-12
                    && numbers(result, "degrees_of_freedom") == [exact.freedom])
    }
}

/// Whether M, the matrix of products of the parties' bases, differs so little from I that its condition is accepted.
fn are_independent(locals: &[Local]) -> bool {
    let bases: Vec<_> = locals.iter().filter_map(|local| local.qr.as_ref()).map(|qr| &qr.q).collect();
    let between = |one: usize, other: usize| {
        let products = bases[one].iter().flat_map(|a| bases[other].iter().map(move |b| dot(a, b)));
        products.map(|product| product * product).sum::<f64>()
    };
    // Of each pair twice: the square of the Frobenius norm of M − I, which bounds its eigenvalues.
    let pairs = (0..bases.len()).flat_map(|one| (0..one).map(move |other| (one, other)));
    2.0 * pairs.map(|(one, other)| between(one, other)).sum::<f64>() < 0.8
}

/// A regression of integers, by the normal equations in fractions.
struct Exact {
    mle: Vec<f64>,
    errors: Vec<f64>,
    r_squared: f64,
    freedom: f64,
}

impl Exact {
    fn of(intercept: bool, inputs: &[Raw]) -> Self {
        let integers = |column: &Vec<f64>| column.iter().map(|number| BigInt::from(*number as i64)).collect::<Vec<_>>();
        let y = inputs.iter().find_map(|input| input.y.as_ref()).map(integers).expect("a dependent variable");
        let ones = intercept.then(|| vec![BigInt::from(1); y.len()]);
        let x: Vec<Vec<BigInt>> =
            ones.into_iter().chain(inputs.iter().flat_map(|input| &input.columns).map(integers)).collect();
        let product = |one: &[BigInt], other: &[BigInt]| one.iter().zip(other).map(|(a, b)| a * b).sum::<BigInt>();
        let sides = |row: usize| (0..x.len()).map(move |column| BigInt::from(u8::from(row == column)));
        let rows = x.iter().enumerate().map(|(row, one)| {
            let gram = x.iter().map(|other| product(one, other));
            gram.chain([product(one, &y)]).chain(sides(row)).collect()
        });
        // d·β, and d·(X'X)^-1.
        let (solution, d) = solve(rows.collect());
        let explained: BigInt = solution.iter().zip(&x).map(|(row, one)| &row[0] * product(one, &y)).sum();
        let unexplained = product(&y, &y) * &d - explained;
        let (rows, sum) = (BigInt::from(y.len()), y.iter().sum::<BigInt>());
        let whole = &rows * product(&y, &y) - if intercept { &sum * &sum } else { BigInt::ZERO };
        let freedom = (y.len() - x.len()) as f64;
        let error = |(place, row): (usize, &Vec<BigInt>)| {
            (quotient(&unexplained, &d, 0) / freedom * quotient(&row[1 + place], &d, 0)).sqrt()
        };
        Self {
            mle: solution.iter().map(|row| quotient(&row[0], &d, 0)).collect(),
            errors: solution.iter().enumerate().map(error).collect(),
            r_squared: 1.0 - quotient(&(unexplained * rows), &(whole * &d), 0),
            freedom,
        }
    }
}

#[test]
fn ten_thousand_rows_are_fitted_to_one_in_a_billion() {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let params = params(true, true);
    for (layout, parties) in [(&[3][..], 2), (&[2, 1], 2), (&[1, 1, 1], 3)] {
        let inputs = draw(&mut rng, layout, parties, 10_000);
        let locals = inputs.iter().map(|input| input.local(&params)).collect();
        assert!(Noisy::is_right(&params, &inputs, &result(&params, locals).unwrap()), "{layout:?}");
    }
}

#[test]
fn as_many_coefficients_as_rows_leave_no_errors() {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    for intercept in [false, true] {
        let params = Params { allow_few_rows: true, ..params(intercept, true) };
        for (layout, parties) in [(&[0, 3][..], 2), (&[3], 2), (&[2, 1], 2), (&[1, 1, 1], 3)] {
            let inputs = draw(&mut rng, layout, parties, 3 + usize::from(intercept));
            let locals = inputs.iter().map(|input| input.local(&params)).collect();
            let result = result(&params, locals).unwrap();
            assert_near(&numbers(&result, "mle"), &Exact::of(intercept, &inputs).mle, 1e-9);
            assert_near(&numbers(&result, "r_squared"), &[1.0], 1e-12);
            assert_eq!(numbers(&result, "degrees_of_freedom"), [0.0]);
            for key in ["standard_errors", "t", "p"] {
                assert_eq!(result.entry(key), Some(&Value::Null), "{key}");
            }
            let notes = result.entry("notes").expect("notes");
            assert!(notes.entry("standard_errors").is_some() && notes.entry("mle").is_some());
        }
    }
}
