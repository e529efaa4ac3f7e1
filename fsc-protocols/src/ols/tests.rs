use fsc_core::joining::Keys;
use fsc_core::laws::{self, Lawful};
use fsc_core::protocol_laws;
use fsc_core::sim::{self, Faults, Report, simulate_among};
use fsc_core::value::{Limits, json};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;

use super::*;
use crate::algebra::ring::{self, U256};
use crate::linear::matrix::Matrix;

protocol_laws!(StatisticsRegressionOLSVertical, docs: "../ols.rs", parties: 2..=5);

/// Columns at one party or at two, y at the last; the coefficients are 1, −2, 3, … and there is no noise.
impl Lawful for StatisticsRegressionOLSVertical {
    fn params(rng: &mut ChaCha20Rng, parties: usize) -> Params {
        let dealer = Source::Dealer(rng.random_range(0..parties));
        let preprocessing = if rng.random_bool(0.7) { Source::Oblivious } else { dealer };
        // So small a condition is told apart from the default one, and stands for columns at two parties.
        let condition = if rng.random_bool(0.5) { SPREAD } else { Params::default_condition() };
        let details = rng.random_bool(0.5);
        Params {
            intercept: rng.random_bool(0.5),
            details,
            allow_few_rows: false,
            condition,
            missing: Missing::Error,
            preprocessing,
        }
    }

    fn inputs(rng: &mut ChaCha20Rng, params: &Params, parties: usize) -> Vec<Local> {
        let rows = 12;
        let column = |rng: &mut ChaCha20Rng| (0..rows).map(|_| rng.random_range(-1.0..1.0)).collect::<Vec<f64>>();
        loop {
            let vectors = [column(rng), column(rng)];
            // The length of y, whose power of two is announced, is the same in all draws.
            let y: Vec<f64> = vectors[0].iter().zip(&vectors[1]).map(|(a, b)| a - 2.0 * b).collect();
            let mut parts = vec![(Vec::new(), None); parties];
            if params.condition == SPREAD {
                parts[0].0 = vec![vectors[0].clone()];
                parts[1].0 = vec![vectors[1].clone()];
            } else {
                parts[0].0 = vectors.to_vec();
            }
            parts[parties - 1].1 = Some(y);
            let locals: Result<Vec<_>, _> =
                parts.iter().map(|(columns, y)| local(columns, y.as_deref(), params.intercept)).collect();
            let locals = locals.expect("random columns are independent");
            let long = locals.last().and_then(|local| local.y.as_ref()).is_some_and(|y| y.exponent == 3);
            if long && independent(&locals) {
                return locals;
            }
        }
    }

    fn acquaint(keys: &[std::sync::Arc<Keys>]) {
        crate::ot::acquaint(keys);
    }

    fn is_right(params: &Params, _: &[Local], result: &Value) -> bool {
        let expected = if params.intercept { vec![0.0, 1.0, -2.0] } else { vec![1.0, -2.0] };
        let Some(Value::Array(mle)) = result.entry("mle") else { return false };
        mle.shape() == [expected.len(), 1]
            && result.entry("r_squared").is_none_or(|r| r.as_f64().is_some_and(|r| (r - 1.0).abs() < 1e-12))
            && mle
                .to_f64()
                .is_ok_and(|mle| mle.iter().zip(&expected).all(|(found, exact)| (found - exact).abs() < 1e-9))
    }
}

const SPREAD: u32 = 16;

/// Whether the columns at the first two parties are as independent as SPREAD asks for.
fn independent(locals: &[Local]) -> bool {
    let [Some(one), Some(other)] = [&locals[0].qr, &locals[1].qr] else { return true };
    dot(&one.q[0], &other.q[0]).abs() < 0.8
}

fn local(columns: &[Vec<f64>], y: Option<&[f64]>, intercept: bool) -> Result<Local, ObjectError> {
    let rows = columns.first().map_or(0, Vec::len);
    let entries = (0..rows).flat_map(|row| columns.iter().map(move |column| column[row])).collect();
    let x = (!columns.is_empty()).then(|| Matrix::new(rows, columns.len(), entries));
    let y = y.map(|y| Matrix::new(y.len(), 1, y.to_vec()));
    Local::new(x.as_ref(), y.as_ref(), intercept)
}

fn params(intercept: bool, details: bool) -> Params {
    Params {
        intercept,
        details,
        allow_few_rows: false,
        condition: Params::default_condition(),
        missing: Missing::Error,
        preprocessing: Source::Oblivious,
    }
}

fn run(params: &Params, inputs: Vec<Local>) -> Report {
    let keys = sim::keys(inputs.len(), 7);
    crate::ot::acquaint(&keys);
    simulate_among::<StatisticsRegressionOLSVertical>(params, inputs, &keys, 7, Faults::default())
        .expect("plain parameters")
}

/// The one result that all parties have, or the one error.
fn result(params: &Params, inputs: Vec<Local>) -> Result<Value, String> {
    let mut outcomes = run(params, inputs).outcomes.into_iter().map(|outcome| {
        let value = outcome.map_err(|error| error.to_string())?;
        value.entry("result").cloned().ok_or_else(|| "no result".to_owned())
    });
    let first = outcomes.next().expect("a party");
    assert!(outcomes.all(|other| other == first), "parties differ");
    first
}

fn numbers(result: &Value, key: &str) -> Vec<f64> {
    match result.entry(key) {
        Some(Value::Array(numbers)) => numbers.to_f64().expect("floats").into_owned(),
        Some(number) => number.as_f64().into_iter().collect(),
        None => panic!("no {key}"),
    }
}

fn assert_near(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() <= tolerance * expected.abs(), "{found} instead of {expected}");
    }
}

/// Longley's data as NIST publishes it, with certified values: Statistical Reference Datasets, linear least squares regression,
/// `Longley.dat`. y, then the six predictors.
#[rustfmt::skip]
const LONGLEY: [[f64; 7]; 16] = [
    [60323.0,  83.0, 234_289.0, 2356.0, 1590.0, 107_608.0, 1947.0],
    [61122.0,  88.5, 259_426.0, 2325.0, 1456.0, 108_632.0, 1948.0],
    [60171.0,  88.2, 258_054.0, 3682.0, 1616.0, 109_773.0, 1949.0],
    [61187.0,  89.5, 284_599.0, 3351.0, 1650.0, 110_929.0, 1950.0],
    [63221.0,  96.2, 328_975.0, 2099.0, 3099.0, 112_075.0, 1951.0],
    [63639.0,  98.1, 346_999.0, 1932.0, 3594.0, 113_270.0, 1952.0],
    [64989.0,  99.0, 365_385.0, 1870.0, 3547.0, 115_094.0, 1953.0],
    [63761.0, 100.0, 363_112.0, 3578.0, 3350.0, 116_219.0, 1954.0],
    [66019.0, 101.2, 397_469.0, 2904.0, 3048.0, 117_388.0, 1955.0],
    [67857.0, 104.6, 419_180.0, 2822.0, 2857.0, 118_734.0, 1956.0],
    [68169.0, 108.4, 442_769.0, 2936.0, 2798.0, 120_445.0, 1957.0],
    [66513.0, 110.8, 444_546.0, 4681.0, 2637.0, 121_950.0, 1958.0],
    [68655.0, 112.6, 482_704.0, 3813.0, 2552.0, 123_366.0, 1959.0],
    [69564.0, 114.2, 502_601.0, 3931.0, 2514.0, 125_368.0, 1960.0],
    [69331.0, 115.7, 518_173.0, 4806.0, 2572.0, 127_852.0, 1961.0],
    [70551.0, 116.9, 554_894.0, 4007.0, 2827.0, 130_081.0, 1962.0],
];

#[rustfmt::skip]
const CERTIFIED: [f64; 7] = [
    -3_482_258.634_595_82, 15.061_872_271_373_3, -0.035_819_179_292_591_0, -2.020_229_803_816_83, -1.033_226_867_173_59,
    -0.051_104_105_653_580_7, 1_829.151_464_613_55,
];

#[rustfmt::skip]
const CERTIFIED_ERRORS: [f64; 7] = [
    890_420.383_607_373, 84.914_925_774_766_9, 0.033_491_007_772_243_2, 0.488_399_681_651_699, 0.214_274_163_161_675,
    0.226_073_200_069_370, 455.478_499_142_212,
];

/// Each party has these columns of Longley's; 0 is y.
fn longley(parties: &[&[usize]]) -> Vec<Local> {
    let column = |index: usize| LONGLEY.iter().map(|row| row[index]).collect::<Vec<_>>();
    let input = |indices: &&[usize]| {
        let x: Vec<_> = indices.iter().filter(|index| **index > 0).map(|index| column(*index)).collect();
        let y = indices.contains(&0).then(|| column(0));
        local(&x, y.as_deref(), true).expect("independent columns")
    };
    parties.iter().map(input).collect()
}

fn assert_certified(result: &Value) {
    assert_near(&numbers(result, "mle"), &CERTIFIED, 1e-9);
    assert_near(&numbers(result, "standard_errors"), &CERTIFIED_ERRORS, 1e-9);
    assert_near(&numbers(result, "r_squared"), &[0.995_479_004_577_296], 1e-12);
    assert_eq!(result.entry("degrees_of_freedom"), Some(&9.into()));
}

#[test]
fn longley_with_columns_at_one_party_is_certified() {
    for parties in
        [&[&[1, 2, 3, 4, 5, 6][..], &[0]][..], &[&[], &[0], &[1, 2, 3, 4, 5, 6]], &[&[], &[0, 1, 2, 3, 4, 5, 6]]]
    {
        assert_certified(&result(&params(true, true), longley(parties)).unwrap());
    }
}

#[test]
fn longley_with_columns_at_two_parties_is_certified() {
    for parties in [&[&[1, 2, 3][..], &[0, 4, 5, 6]][..], &[&[0, 1, 2, 3, 4], &[5, 6]]] {
        assert_certified(&result(&params(true, true), longley(parties)).unwrap());
    }
}

#[test]
fn longley_with_columns_at_three_parties_is_certified() {
    assert_certified(&result(&params(true, true), longley(&[&[1, 2], &[0, 3, 4], &[5, 6]])).unwrap());
    assert_certified(&result(&params(true, true), longley(&[&[1, 2, 3], &[4, 5, 6], &[0]])).unwrap());
}

#[test]
fn many_rows_are_fitted_to_one_in_a_billion() {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let mut column = |_| (0..10_000).map(|_| rng.random_range(-1.0..1.0)).collect::<Vec<f64>>();
    let x: Vec<Vec<f64>> = (0..4).map(&mut column).collect();
    let coefficients = [0.5, -1.25, 3.0, 1e-3];
    // Noise that is orthogonal to all columns, so that the right coefficients are known.
    let noise = column(0);
    let qr = crate::linear::matrix::Qr::new(&[x.clone(), vec![noise]].concat()).expect("independent columns");
    let y: Vec<f64> = (0..10_000)
        .map(|row| x.iter().zip(coefficients).map(|(x, c)| c * x[row]).sum::<f64>() + 100.0 * qr.q[4][row])
        .collect();
    let with_dealer = Params { condition: 1000, preprocessing: Source::Dealer(0), ..params(false, false) };
    let oblivious = Params { condition: 1000, ..params(false, false) };
    let spread = vec![
        local(&x[..1], None, false).unwrap(),
        local(&x[1..3], None, false).unwrap(),
        local(&x[3..], Some(&y), false).unwrap(),
    ];
    assert_near(&numbers(&result(&with_dealer, spread).unwrap(), "mle"), &coefficients, 1e-9);
    let halves = vec![local(&x[..1], Some(&y), false).unwrap(), local(&x[1..], None, false).unwrap()];
    assert_near(&numbers(&result(&oblivious, halves).unwrap(), "mle"), &coefficients, 1e-9);
}

/// Rows of three columns and y, and what 60 digits say of them: `vectors.py`.
#[rustfmt::skip]
const SMALL: [[i32; 4]; 12] = [
    [764, 655, -553, -995], [-499, -969, 262, 193], [-583, -126, -717, 437], [-375, 409, -79, -629], [48, 997, -519, -742],
    [-925, -428, -265, -144], [-626, -900, 101, -835], [-939, -617, -618, -235], [779, 614, 165, -446], [-845, 797, 578, 738],
    [451, 31, 676, -75], [577, -994, 866, 653],
];

/// The three columns at one party, or each of them at another.
fn small(intercept: bool, spread: bool) -> Vec<Local> {
    let column = |index: usize| SMALL.iter().map(|row| f64::from(row[index])).collect::<Vec<_>>();
    let x = [0, 1, 2].map(column);
    let y = local(&[], Some(&column(3)), intercept).unwrap();
    let parts = x.chunks(if spread { 1 } else { 3 }).map(|part| local(part, None, intercept).unwrap());
    parts.chain([y]).collect()
}

#[test]
#[allow(clippy::excessive_precision, clippy::unreadable_literal)] // as they were computed
fn errors_and_probabilities_are_those_of_a_computation_in_sixty_digits() {
    for spread in [false, true] {
        let without = result(&params(false, true), small(false, spread)).unwrap();
        assert_near(
            &numbers(&without, "mle"),
            &[-0.22714449739041369, -0.053349603012173994, 0.58938321047670179],
            1e-13,
        );
        assert_near(
            &numbers(&without, "standard_errors"),
            &[0.27729863408129478, 0.25954757092364327, 0.34804848259178643],
            1e-13,
        );
        assert_near(&numbers(&without, "t"), &[-0.819133127514153, -0.20554845812010701, 1.6933939952497026], 1e-13);
        assert_near(&numbers(&without, "p"), &[0.43386466250435377, 0.84171768191424624, 0.12462761556988382], 1e-12);
        assert_near(&numbers(&without, "r_squared"), &[0.29508409510408328], 1e-13);
        let with = result(&params(true, true), small(true, spread)).unwrap();
        let errors = [161.83742930674159, 0.27321431467214823, 0.24623515991509765, 0.33067867608289888];
        let probabilities = [0.19303982849691349, 0.25724632934896473, 0.88254880161448963, 0.096568586176752312];
        assert_near(&numbers(&with, "standard_errors"), &errors, 1e-13);
        assert_near(&numbers(&with, "p"), &probabilities, 1e-12);
        assert_near(&numbers(&with, "r_squared"), &[0.38311356805700218], 1e-13);
    }
}

#[test]
fn all_parties_learn_why_there_is_no_result() {
    let column = |numbers: [f64; 8]| numbers.to_vec();
    let one = column([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.5]);
    let two = column([1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0]);
    let x = |columns: &[Vec<f64>]| local(columns, None, false).unwrap();
    let y = || local(&[], Some(&one), false).unwrap();
    let nothing = || local(&[], None, false).unwrap();
    let wide: Vec<Vec<f64>> =
        (0..4_u8).map(|place| (0..8_u8).map(|row| f64::from(u8::from(row == place))).collect()).collect();
    let short = local(&[], Some(&one[..7]), false).unwrap();
    for (inputs, expected) in [
        (vec![x(std::slice::from_ref(&two)), nothing()], "one party must have the dependent variable"),
        (vec![y(), y()], "one party must have the dependent variable"),
        (vec![nothing(), y()], "a party must have columns"),
        (vec![x(std::slice::from_ref(&two)), short], "equally many rows"),
        (vec![x(&wide), y()], "allow_few_rows"),
        (
            vec![x(std::slice::from_ref(&two)), local(std::slice::from_ref(&two), Some(&one), false).unwrap()],
            "too nearly dependent",
        ),
    ] {
        for outcome in run(&params(false, false), inputs).outcomes {
            let error = outcome.expect_err(expected).to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}

/// Sums and products of what parties announce are made before anything else: none of it overflows, and nothing is computed.
#[test]
fn impossible_announcements_name_their_party() {
    let announcement = |rows: u64, columns: u64, exponent: Option<i32>| {
        let exponent = exponent.map_or(Value::Null, Value::from);
        Value::map([("rows", rows.into()), ("columns", columns.into()), ("exponent", exponent)])
    };
    let params = Params { allow_few_rows: true, ..params(true, true) };
    let most = local::MOST_ELEMENTS as u64;
    for impossible in [
        announcement(12, u64::MAX, None),
        announcement(0, u64::MAX, None),
        announcement(0, most + 1, None),
        announcement(1 << 32, 1 << 32, None),
        announcement(u64::MAX, 0, Some(1)),
        announcement(u64::MAX, 1, None),
        announcement(most, 1, None),
        announcement(12, 1, Some(i32::MIN)),
        announcement(12, 1, Some(i32::MAX)),
        Value::map([("rows", Value::from(-1)), ("columns", 1.into()), ("exponent", Value::Null)]),
        Value::Null,
    ] {
        let all = Announced::new(0, vec![announcement(12, 1, Some(1)), impossible]);
        assert_eq!(Plan::new(&params, &all).err().map(|error| error.culprits()), Some(vec![1]), "{all:?}");
        assert_eq!(StatisticsRegressionOLSVertical::cost(&params, &all), Cost::default());
    }
    // What is possible, but for nobody's data: 64 parties of as many columns as one can have.
    let all = Announced::new(0, vec![announcement(0, most, Some(1)); 64]);
    assert!(Plan::new(&params, &all).is_err());
}

/// The owner of all columns is opened what coefficients are made of to 64 bits behind the point, and not to all 124 of the product:
/// each more could tell it one more of many y that there may be.
#[test]
fn the_owner_of_columns_is_opened_no_bits_that_coefficients_do_not_need() {
    for preprocessing in [Source::Oblivious, Source::Dealer(0)] {
        let params = Params { preprocessing, ..params(false, false) };
        let report = run(&params, small(false, false));
        let sent = report.payloads(1, 0);
        // Of three columns.
        let share = sent.iter().rfind(|payload| payload.len() == 3 * 16).expect("a share of Q'y");
        let share: Vec<u128> = ring::decode(share, 3).unwrap();
        assert!(share.iter().all(|element| element.trailing_zeros() >= 60), "{preprocessing:?}");
    }
}

/// As the reference has it: ten rows, ten columns, and no parameters.
#[test]
fn without_parameters_few_rows_are_accepted_with_a_warning() {
    let value = |text: &str| json::parse(text.as_bytes(), &Limits::default()).expect("JSON");
    let admit = |data: &str, parameters: &str| {
        let submission = Submission { data: value(data), parameters: value(parameters), parties: 2, me: 0 };
        StatisticsRegressionOLSVertical::admit(submission).map_err(|error| error.to_string())
    };
    let (params, x) = admit("[[[2, 1], [0, 4]]]", "null").unwrap();
    let (_, y) = admit("[[4, 8]]", "null").unwrap();
    let result = result(&params, vec![x, y]).unwrap();
    assert_near(&numbers(&result, "mle"), &[1.0, 2.0], 1e-12);
    assert!(result.entry("notes").and_then(|notes| notes.entry("mle")).is_some());
    assert!(!admit("[]", "{}").unwrap().0.allow_few_rows);
    for (data, parameters, expected) in [
        ("[[[1, 2], [2, 4]]]", "null", "column 1 depends linearly"),
        ("[[[1], [1]]]", r#"{"intercept": true}"#, "column 0 depends linearly"),
        ("[[[1], [2]], [1, 2, 3]]", "null", "equally many rows"),
        ("[[[1], [null]]]", "null", "null at row 1, column 0"),
        ("[[[1], [2]], [3, null]]", r#"{"missing": "error"}"#, "null at row 1, column 0"),
        ("[[[1], [null]]]", r#"{"missing": "omit"}"#, "leave out incomplete rows at all parties"),
        ("[]", r#"{"condition": 0}"#, "condition must be from 1"),
        ("[]", r#"{"interzept": true}"#, "expected one of: intercept"),
    ] {
        let error = admit(data, parameters).err().expect(data);
        assert!(error.contains(expected), "{data}: {error}");
    }
}

/// Two inputs with the same M, r and β, whose rows are in another order: nothing tells them apart.
#[test]
fn transcripts_of_permuted_rows_are_indistinguishable() {
    let inputs = |order: [usize; 8]| {
        let permuted = |column: [f64; 8]| order.map(|row| column[row]).to_vec();
        let a = permuted([1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
        let b = permuted([1.0, 1.0, 1.0, -1.0, 0.0, 0.0, 0.0, 0.0]);
        let y = permuted([1.0, 0.5, 0.0, 0.25, 0.0, 0.0, 0.0, 0.0]);
        [local(&[a], Some(&y), false).unwrap(), local(&[b], None, false).unwrap()]
    };
    let params = Params { condition: 2, preprocessing: Source::Dealer(1), ..params(false, true) };
    let (one, other) = (inputs([0, 1, 2, 3, 4, 5, 6, 7]), inputs([7, 6, 5, 4, 3, 2, 1, 0]));
    laws::transcripts_are_indistinguishable::<StatisticsRegressionOLSVertical>(&params, &one, &other).unwrap();
}

/// One column at each of two parties, and the cosine of their angle; y is orthogonal to both.
fn at_an_angle(cosine: f64) -> Vec<Local> {
    let column = |one: f64, two: f64, three: f64| vec![one, two, three, 0.0, 0.0, 0.0, 0.0, 0.0];
    let y = column(0.0, 0.0, 1.0);
    vec![
        local(&[column(1.0, 0.0, 0.0)], Some(&y), false).unwrap(),
        local(&[column(cosine, (1.0 - cosine * cosine).sqrt(), 0.0)], None, false).unwrap(),
    ]
}

#[test]
fn columns_are_accepted_up_to_the_condition_and_refused_beyond_twice() {
    let params = Params { condition: 16, ..params(false, true) };
    for (eigenvalue, accepted) in [(1.0, true), (0.5, true), (1.0 / 16.0, true), (1.0 / 33.0, false), (1e-9, false)] {
        let result = result(&params, at_an_angle(1.0 - eigenvalue));
        assert_eq!(result.is_ok(), accepted, "{eigenvalue}: {result:?}");
    }
}

/// The sums of what two parties sent each other in messages of so many ring elements: numbers that were opened under masks.
fn opened_under_masks<R: Ring>(report: &Report, elements: usize) -> Vec<u8> {
    let sent = |from, to| -> Vec<Bytes> {
        report.payloads(from, to).into_iter().filter(|payload| payload.len() == elements * R::WIDTH).collect()
    };
    let sums = sent(0, 1).into_iter().zip(sent(1, 0)).flat_map(|(one, other)| {
        let mut sum: Vec<R> = ring::decode(&one, elements).unwrap();
        ring::add_assign_le(&mut sum, &other).unwrap();
        ring::encode(sum).to_vec()
    });
    sums.collect()
}

/// Every byte of the numbers that are opened under masks, of so many ring elements each time, is distributed alike for both inputs.
fn assert_masked<R: Ring>(params: &Params, inputs: [Vec<Local>; 2], elements: usize, openings: usize) {
    const RUNS: u64 = 160;
    let counts = inputs.map(|inputs| {
        let mut counts = vec![[0.0_f64; 16]; openings * elements * R::WIDTH];
        for seed in 0..RUNS {
            let keys = sim::keys(2, seed);
            let report = simulate_among::<StatisticsRegressionOLSVertical>(
                params,
                inputs.clone(),
                &keys,
                seed,
                Faults::default(),
            );
            let opened = opened_under_masks::<R>(&report.unwrap(), elements);
            assert_eq!(opened.len(), counts.len(), "as many openings as expected");
            opened.iter().zip(&mut counts).for_each(|(byte, bins)| bins[usize::from(byte >> 4)] += 1.0);
        }
        counts
    });
    for (position, (one, other)) in counts[0].iter().zip(&counts[1]).enumerate() {
        let terms = one.iter().zip(other).filter(|(a, b)| *a + *b > 0.0);
        let chi_square: f64 = terms.map(|(a, b)| (a - b) * (a - b) / (a + b)).sum();
        // 15 degrees of freedom: 60 is exceeded by chance once in four million.
        assert!(chi_square < 60.0, "byte {position} tells inputs apart: chi-square {chi_square:.0}");
    }
}

/// How nearly columns depend on one another is nobody's business, and least of all where it is too nearly.
#[test]
fn numbers_that_are_opened_on_the_way_say_nothing_of_dependence() {
    let refused = || [0.8, 0.9999].map(at_an_angle);
    let refusing = Params { condition: 2, preprocessing: Source::Dealer(1), ..params(false, false) };
    // E's triangle and R, before the first step and after each of four; the trace.
    assert_masked::<U256>(&refusing, refused(), 5, STEPS_BEFORE_CHECK + 1);
    assert_masked::<u64>(&refusing, refused(), 1, 1);
    let accepting = Params { condition: 4, preprocessing: Source::Dealer(1), ..params(false, true) };
    let accepted = || [0.0, 0.7].map(at_an_angle);
    assert_masked::<U256>(&accepting, accepted(), 9, STEPS_BEFORE_CHECK + 4);
    // v and S, then S times these.
    assert_masked::<U256>(&accepting, accepted(), 3, 2);
}

/// Of two columns, with a condition of 2 or 4; three more follow.
const STEPS_BEFORE_CHECK: usize = 4;

/// What is opened besides masked numbers and the bit, as a protocol of its own.
struct Opened;

impl Protocol for Opened {
    const NAME: &'static str = "Opened";
    const VERSION: u16 = 1;
    const SECURITY: Security = StatisticsRegressionOLSVertical::SECURITY;
    type Params = Params;
    type Input = Local;
    type Output = Vec<f64>;

    fn admit(submission: Submission) -> Result<(Params, Local), ObjectError> {
        StatisticsRegressionOLSVertical::admit(submission)
    }

    fn announce(params: &Params, input: &Local) -> Value {
        StatisticsRegressionOLSVertical::announce(params, input)
    }

    fn cost(_: &Params, _: &Announced) -> Cost {
        Cost::default()
    }

    async fn run(party: &mut Party, params: Params, input: Secret<Local>) -> Result<Vec<f64>, ProtocolError> {
        let (plan, local) = (Plan::new(&params, party.announced())?, input.into_inner());
        let Solution { g, variances, unexplained, intercept } =
            plan.system.solve(party, &local.panel(plan.system.errors)).await?;
        Ok([g, variances].concat().into_iter().chain(unexplained).chain(intercept).collect())
    }
}

/// A simulator that has the result and a party's own column computes all that is opened to that party, and there is no more.
#[test]
fn what_is_opened_follows_from_the_result() {
    for intercept in [false, true] {
        let (params, mut inputs) = (params(intercept, true), small(intercept, true));
        // One that has nothing at all.
        inputs.push(local(&[], None, intercept).unwrap());
        let result = result(&params, inputs.clone()).unwrap();
        let [mle, errors] = ["mle", "standard_errors"].map(|key| numbers(&result, key));
        let freedom = numbers(&result, "degrees_of_freedom")[0];
        let unit = 2_f64.powi(inputs[3].y.as_ref().unwrap().exponent);
        let mut whole = vec![1.0 - numbers(&result, "r_squared")[0]];
        whole.extend(intercept.then(|| (errors[0] / unit).powi(2) * freedom));
        let keys = sim::keys(inputs.len(), 7);
        crate::ot::acquaint(&keys);
        let report = simulate_among::<Opened>(&params, inputs.clone(), &keys, 7, Faults::default()).unwrap();
        for (place, outcome) in report.outcomes.into_iter().enumerate() {
            let opened = outcome.unwrap();
            let Some(Value::Array(opened)) = opened.entry("result") else { panic!("no list") };
            let mut predicted = Vec::new();
            if place < 3 {
                let index = place + usize::from(intercept);
                // Of one column, R is a number.
                let inverse = inputs[place].coefficients(&[1.0])[0];
                predicted.push(mle[index] / unit / inverse);
                predicted.push((errors[index] / unit / inverse).powi(2) * freedom);
            }
            predicted.extend(&whole);
            assert_near(&opened.to_f64().unwrap(), &predicted, 1e-11);
        }
    }
}

#[test]
fn costs_are_as_stated_where_products_take_several_windows() {
    let column = |period: usize| (0..2500).map(|row| (row % period) as f64).collect::<Vec<f64>>();
    let all = [
        local(&[column(7)], None, false).unwrap(),
        local(&[column(9)], Some(&column(11)), false).unwrap(),
        local(&[column(13)], None, false).unwrap(),
        local(&[], None, false).unwrap(),
    ];
    for (parties, details) in [(2, true), (3, false), (4, false)] {
        let inputs = all[..parties].to_vec();
        let params = Params { condition: SPREAD, ..params(false, details) };
        let announced: Vec<Value> =
            inputs.iter().map(|input| StatisticsRegressionOLSVertical::announce(&params, input)).collect();
        for (place, cost) in run(&params, inputs).costs.into_iter().enumerate() {
            let stated = StatisticsRegressionOLSVertical::cost(&params, &Announced::new(place, announced.clone()));
            assert_eq!(cost, stated, "of party {place}, {parties} parties");
        }
    }
}

#[test]
fn where_there_is_nothing_to_explain_no_part_is_explained() {
    let columns = [0, 1].map(|index| SMALL.iter().map(|row| f64::from(row[index])).collect::<Vec<_>>());
    let constant = [3.0; 12];
    let x = |columns: &[Vec<f64>]| local(columns, None, true).unwrap();
    let y = || local(&[], Some(&constant), true).unwrap();
    for inputs in [vec![x(&columns), y()], vec![x(&columns[..1]), x(&columns[1..]), y()]] {
        let result = result(&params(true, true), inputs).unwrap();
        assert_eq!(result.entry("r_squared"), Some(&Value::Null));
        assert_eq!(note(&result, "r_squared"), Some(&"the dependent variable is constant".into()));
        assert!((numbers(&result, "mle")[0] - 3.0).abs() < 1e-12);
        assert!(numbers(&result, "standard_errors").iter().all(|error| *error < 1e-6));
    }
}

fn note<'a>(result: &'a Value, key: &str) -> Option<&'a Value> {
    result.entry("notes").and_then(|notes| notes.entry(key))
}

#[test]
fn what_is_null_is_so_for_a_reason() {
    let column = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0].to_vec();
    let of = |columns: &[Vec<f64>], y: &[f64]| {
        let params = Params { allow_few_rows: true, ..params(false, true) };
        let all = local(columns, Some(y), false).unwrap();
        result(&params, vec![all, local(&[], None, false).unwrap()]).unwrap()
    };
    let (zero, as_many) = (of(std::slice::from_ref(&column), &[0.0; 7]), of(&[vec![2.0]], &[6.0]));
    let explained = of(std::slice::from_ref(&column), &column);
    for (result, keys) in [(zero, &["r_squared"][..]), (as_many, &["standard_errors", "t", "p"]), (explained, &[])] {
        for key in ["r_squared", "standard_errors", "t", "p"] {
            let is_null = match result.entry(key) {
                Some(Value::List(items)) => items.contains(&Value::Null),
                other => other == Some(&Value::Null),
            };
            assert!(is_null || !keys.contains(&key), "{key} is defined");
            assert_eq!(note(&result, key).is_some(), is_null, "{key}");
        }
    }
}

#[test]
fn the_error_of_an_intercept_is_exact_or_refused_where_means_are_large() {
    let column = |index: usize, mean: f64| SMALL.iter().map(|row| f64::from(row[index]) + mean).collect::<Vec<_>>();
    let inputs = |mean| {
        vec![
            local(&[column(0, 0.0)], Some(&column(3, 0.0)), true).unwrap(),
            local(&[column(1, mean)], None, true).unwrap(),
        ]
    };
    let spread = result(&params(true, true), inputs(1e8)).unwrap();
    let all = local(&[column(0, 0.0), column(1, 1e8)], Some(&column(3, 0.0)), true).unwrap();
    let together = result(&params(true, true), vec![all, local(&[], None, true).unwrap()]).unwrap();
    assert_near(&numbers(&spread, "standard_errors"), &numbers(&together, "standard_errors"), 1e-9);
    let errors =
        run(&params(true, true), inputs(1e10)).outcomes.into_iter().map(|outcome| outcome.unwrap_err().to_string());
    let errors: Vec<String> = errors.collect();
    assert!(errors[1].contains("the means are too large"), "{errors:?}");
    assert!(result(&params(true, false), inputs(1e10)).is_ok());
}

/// What the reference computed, as it was recorded.
#[test]
fn the_recorded_result_is_met() {
    let limits = Limits::default();
    let recorded = json::parse(include_str!("recorded.json").as_bytes(), &limits).expect("JSON");
    let inputs = crate::linear::matrix::items(recorded.entry("inputs").expect("inputs")).expect("a list");
    let admitted = inputs.into_iter().enumerate().map(|(me, data)| {
        let submission = Submission { data, parameters: Value::Null, parties: 2, me };
        StatisticsRegressionOLSVertical::admit(submission).expect("as recorded")
    });
    let (params, inputs): (Vec<Params>, Vec<Local>) = admitted.unzip();
    let matrix = |result: &Value| Matrix::read(result.entry("mle").expect("mle")).expect("a matrix");
    let expected = matrix(recorded.entry("result").expect("a result"));
    let keys = sim::keys(2, 1);
    let report = simulate_among::<StatisticsRegressionOLSVertical>(&params[0], inputs, &keys, 1, Faults::default());
    for outcome in report.expect("as recorded").outcomes {
        let found = matrix(outcome.expect("a result").entry("result").expect("a result"));
        assert_eq!((found.rows(), found.columns()), (expected.rows(), expected.columns()));
        for (found, expected) in found.entries().iter().zip(expected.entries()) {
            assert!((found - expected).abs() <= 1e-9 * expected.abs(), "{found} instead of {expected}");
        }
    }
}
