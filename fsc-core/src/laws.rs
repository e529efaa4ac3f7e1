//! The laws that every protocol must keep, and [`protocol_laws!`](crate::protocol_laws), which turns them into tests.
//!
//! The property behind all of them: *each honest party ends with the right value or with an error, never with a wrong
//! value*. A law returns what it found instead of panicking, so that a suite can show that a broken protocol breaks it.

use std::ops::RangeInclusive;
use std::sync::Arc;

use rand::SeedableRng;
/// What [`Lawful`] draws its examples with, so that authors need not depend on the crates themselves.
pub use {rand::RngExt, rand_chacha::ChaCha20Rng};

use crate::joining::Keys;
use crate::protocol::{Announced, Protocol};
use crate::session::Outcome;
use crate::sim::{self, Faults, Report, simulate, simulate_among};
use crate::value::Value;

/// How often a law is tried for each number of parties; once for many, since the work grows with their square.
const fn tries_for(parties: usize) -> u64 {
    if parties <= 8 { 12 } else { 1 }
}

/// How often two transcripts are drawn to be told apart.
const TRANSCRIPTS: usize = 160;

/// A protocol that knows examples of itself and can tell a right result.
pub trait Lawful: Protocol<Input: Clone> {
    /// Parameters for that many parties.
    fn params(rng: &mut ChaCha20Rng, parties: usize) -> Self::Params;

    /// One input per party that fits the parameters. Two draws have the same public shape.
    fn inputs(rng: &mut ChaCha20Rng, params: &Self::Params, parties: usize) -> Vec<Self::Input>;

    /// Has simulated nodes keep what the protocol sets up once between any two ([`crate::sim::acquaint`]), as if they had met
    /// before. Nothing, for a protocol that keeps nothing.
    fn acquaint(keys: &[Arc<Keys>]) {
        let _ = keys;
    }

    /// Whether `result` is right, by a computation that shares nothing with the protocol.
    fn is_right(params: &Self::Params, inputs: &[Self::Input], result: &Value) -> bool;
}

/// How a protocol broke a law.
pub type Broken = String;

/// Every party gets the right result, and without faults nobody gets an error.
pub fn gives_the_right_result<P: Lawful>(parties: RangeInclusive<usize>) -> Result<(), Broken> {
    without_errors::<P>(parties, &Faults::default())
}

/// The result is right among nodes that have never met, too, and the messages are as many and as long as stated.
pub fn strangers_get_the_right_result<P: Lawful>(parties: RangeInclusive<usize>) -> Result<(), Broken> {
    for parties in parties {
        let mut rng = ChaCha20Rng::seed_from_u64(parties as u64);
        let params = P::params(&mut rng, parties);
        let inputs = P::inputs(&mut rng, &params, parties);
        let report = simulate::<P>(&params, inputs.clone(), 0, Faults::default()).map_err(|error| error.to_string())?;
        let case = Case::<P> { params, inputs };
        case.check_all(&report.outcomes, 0, false)?;
        case.check_costs(&report, parties - 1)?;
    }
    Ok(())
}

/// Envelopes may arrive in any order.
pub fn survives_reordering<P: Lawful>(parties: RangeInclusive<usize>) -> Result<(), Broken> {
    without_errors::<P>(parties, &Faults { reorder: true, ..Faults::default() })
}

/// Envelopes may arrive twice.
pub fn survives_duplication<P: Lawful>(parties: RangeInclusive<usize>) -> Result<(), Broken> {
    without_errors::<P>(parties, &Faults { reorder: true, duplicate: 0.5, ..Faults::default() })
}

/// A lost envelope ends in an error at the latest when a deadline passes.
pub fn loss_is_no_wrong_result<P: Lawful>(parties: RangeInclusive<usize>) -> Result<(), Broken> {
    never_wrong::<P>(parties, |_, _| Faults { reorder: true, lose: 0.2, ..Faults::default() })
}

/// A flipped bit ends in an error, or is noticed and dropped.
pub fn a_flipped_bit_is_no_wrong_result<P: Lawful>(parties: RangeInclusive<usize>) -> Result<(), Broken> {
    never_wrong::<P>(parties, |_, _| Faults { reorder: true, flip: 0.3, ..Faults::default() })
}

/// A party that falls silent is named by all who needed it.
pub fn a_silent_party_is_named<P: Lawful>(parties: RangeInclusive<usize>) -> Result<(), Broken> {
    for (seed, parties) in tries(parties) {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let silent = rng.random_range(0..parties);
        let after = rng.random_range(0..3 * parties);
        let faults = Faults { silent: Some((silent, after)), ..Faults::default() };
        let (report, case) = try_once::<P>(seed, parties, faults)?;
        for (place, outcome) in report.outcomes.iter().enumerate().filter(|(place, _)| *place != silent) {
            match outcome {
                Ok(value) if case.is_right(value) => {}
                Ok(_) => return Err(wrong(seed, parties, place)),
                Err(error) if error.culprits().contains(&silent) => {}
                Err(error) => {
                    return Err(format!("seed {seed}, {parties} parties: party {silent} fell silent, but: {error}"));
                }
            }
        }
    }
    Ok(())
}

/// Mail of an earlier run among the same parties has no effect.
pub fn replayed_mail_is_refused<P: Lawful>(parties: RangeInclusive<usize>) -> Result<(), Broken> {
    for (seed, parties) in tries(parties) {
        let (earlier, _) = try_once::<P>(seed, parties, Faults::default())?;
        // A replayed hello keeps its sender's real one out until that replaces it; either way nothing wrong comes out.
        let replay = earlier.transcript.into_iter().map(|sent| sent.bytes).collect();
        let faults = Faults { reorder: true, replay, ..Faults::default() };
        let (report, case) = try_once::<P>(seed + 1_000_000, parties, faults)?;
        case.check_all(&report.outcomes, seed, true)?;
    }
    Ok(())
}

/// Rounds, messages and bytes are what [`Protocol::cost`] says, at every party.
pub fn costs_are_as_stated<P: Lawful>(parties: RangeInclusive<usize>) -> Result<(), Broken> {
    for (seed, parties) in tries(parties) {
        let (report, case) = try_once::<P>(seed, parties, Faults::default())?;
        case.check_costs(&report, 0)?;
    }
    Ok(())
}

/// What an onlooker sees of the mail depends on public parameters only.
pub fn messages_have_a_public_shape<P: Lawful>(parties: RangeInclusive<usize>) -> Result<(), Broken> {
    for (seed, parties) in tries(parties) {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let params = P::params(&mut rng, parties);
        let [one, other] = [(); 2].map(|()| P::inputs(&mut rng, &params, parties));
        if one.iter().zip(&other).any(|(one, other)| P::announce(&params, one) != P::announce(&params, other)) {
            return Err(format!("seed {seed}, {parties} parties: announcements of inputs of one shape differ"));
        }
        let shape = |inputs| simulated::<P>(&params, inputs, seed, Faults::default()).map(|report| report.shape());
        if shape(one)? != shape(other)? {
            return Err(format!("seed {seed}, {parties} parties: messages of different inputs differ in shape"));
        }
    }
    Ok(())
}

/// Every byte of every message is distributed alike for two given inputs: a chi-square test of each position, with
/// seeds that are fixed, so that it fails always or never.
///
/// For protocols that open nothing but masked values and, by them, the result.
pub fn transcripts_are_indistinguishable<P: Lawful>(
    params: &P::Params,
    one: &[P::Input],
    other: &[P::Input],
) -> Result<(), Broken> {
    let parties = one.len();
    let draw = |inputs: &[P::Input], first: u64| -> Result<Vec<Vec<u8>>, Broken> {
        let seeds = (first..).take(TRANSCRIPTS);
        let transcript = |seed| {
            let report = simulated::<P>(params, inputs.to_vec(), seed, Faults::default())?;
            let pairs = (0..parties).flat_map(|from| (0..parties).map(move |to| (from, to)));
            Ok(pairs.flat_map(|(from, to)| report.payloads(from, to)).flatten().collect())
        };
        seeds.map(transcript).collect()
    };
    let (one, other) = (draw(one, 0)?, draw(other, 1_000_000)?);
    let length = one[0].len();
    if one.iter().chain(&other).any(|transcript| transcript.len() != length) {
        return Err("transcripts differ in length".to_owned());
    }
    for position in 0..length {
        for shift in [0, 4] {
            let count = |transcripts: &[Vec<u8>]| {
                let mut bins = [0.0; 16];
                for bytes in transcripts {
                    bins[usize::from(bytes[position] >> shift & 15)] += 1.0;
                }
                bins
            };
            let chi_square = chi_square(&count(&one), &count(&other));
            // 15 degrees of freedom: 60 is exceeded by chance once in four million.
            if chi_square > 60.0 {
                return Err(format!("byte {position} tells inputs apart: chi-square {chi_square:.0} at 15 degrees"));
            }
        }
    }
    Ok(())
}

/// The module documentation has the headings by which a reader judges a protocol.
pub fn documentation_is_complete(source: &str) -> Result<(), Broken> {
    for heading in ["# Security", "# Leakage", "# Wire", "# Differences from the reference"] {
        let line = format!("//! {heading}");
        let mut lines = source.lines().skip_while(|candidate| *candidate != line);
        if lines.next().is_none() || !lines.any(|text| text.starts_with("//! ") && text.len() > 20) {
            return Err(format!("the module documentation lacks {heading:?}"));
        }
    }
    Ok(())
}

/// Puts a [`Lawful`] protocol under all laws: `protocol_laws!(SecureSum, docs: "../src/sum.rs", parties: 2..=7);`
#[macro_export]
macro_rules! protocol_laws {
    ($protocol:ty, docs: $source:literal, parties: $parties:expr) => {
        $crate::protocol_laws!(@tests $protocol, $parties,
            gives_the_right_result
            strangers_get_the_right_result
            survives_reordering
            survives_duplication
            loss_is_no_wrong_result
            a_flipped_bit_is_no_wrong_result
            a_silent_party_is_named
            replayed_mail_is_refused
            costs_are_as_stated
            messages_have_a_public_shape
        );

        #[test]
        fn documentation_is_complete() {
            $crate::laws::documentation_is_complete(include_str!($source)).unwrap();
        }
    };
    (@tests $protocol:ty, $parties:expr, $($law:ident)*) => {
        $(
            #[test]
            fn $law() {
                $crate::laws::$law::<$protocol>($parties).unwrap();
            }
        )*
    };
}

/// One draw of parameters and inputs.
struct Case<P: Lawful> {
    params: P::Params,
    inputs: Vec<P::Input>,
}

impl<P: Lawful> Case<P> {
    /// What every party spent is what is stated, where each has so many strangers.
    fn check_costs(&self, report: &Report, strangers: usize) -> Result<(), Broken> {
        let announced: Vec<_> = self.inputs.iter().map(|input| P::announce(&self.params, input)).collect();
        for (place, cost) in report.costs.iter().enumerate() {
            let stated = P::cost(&self.params, &Announced::new(place, announced.clone()).among_strangers(strangers));
            if *cost != stated {
                let parties = announced.len();
                return Err(format!(
                    "{parties} parties, {strangers} strangers: stated {stated:?}, but party {place} spent {cost:?}"
                ));
            }
        }
        Ok(())
    }

    fn is_right(&self, value: &Value) -> bool {
        value.entry("result").is_some_and(|result| P::is_right(&self.params, &self.inputs, result))
    }

    fn check_all(&self, outcomes: &[Outcome], seed: u64, errors_allowed: bool) -> Result<(), Broken> {
        let parties = self.inputs.len();
        for (place, outcome) in outcomes.iter().enumerate() {
            match outcome {
                Ok(value) if self.is_right(value) => {}
                Ok(_) => return Err(wrong(seed, parties, place)),
                Err(_) if errors_allowed => {}
                Err(error) => return Err(format!("seed {seed}, {parties} parties: party {place} failed: {error}")),
            }
        }
        Ok(())
    }
}

fn tries(parties: RangeInclusive<usize>) -> impl Iterator<Item = (u64, usize)> {
    parties.flat_map(|parties| (0..tries_for(parties)).map(move |seed| (seed * 100 + parties as u64, parties)))
}

fn try_once<P: Lawful>(seed: u64, parties: usize, faults: Faults) -> Result<(Report, Case<P>), Broken> {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let params = P::params(&mut rng, parties);
    let inputs = P::inputs(&mut rng, &params, parties);
    let report = simulated::<P>(&params, inputs.clone(), seed, faults)?;
    Ok((report, Case { params, inputs }))
}

/// A run among nodes that have met before.
fn simulated<P: Lawful>(
    params: &P::Params,
    inputs: Vec<P::Input>,
    seed: u64,
    faults: Faults,
) -> Result<Report, Broken> {
    let keys = sim::keys(inputs.len(), seed);
    P::acquaint(&keys);
    simulate_among::<P>(params, inputs, &keys, seed, faults).map_err(|error| error.to_string())
}

fn without_errors<P: Lawful>(parties: RangeInclusive<usize>, faults: &Faults) -> Result<(), Broken> {
    for (seed, parties) in tries(parties) {
        let (report, case) = try_once::<P>(seed, parties, faults.clone())?;
        case.check_all(&report.outcomes, seed, false)?;
    }
    Ok(())
}

fn never_wrong<P: Lawful>(parties: RangeInclusive<usize>, faults: impl Fn(u64, usize) -> Faults) -> Result<(), Broken> {
    let mut errors = 0;
    for (seed, parties) in tries(parties) {
        let (report, case) = try_once::<P>(seed, parties, faults(seed, parties))?;
        case.check_all(&report.outcomes, seed, true)?;
        errors += report.outcomes.iter().filter(|outcome| outcome.is_err()).count();
    }
    if errors == 0 {
        return Err("no fault had any effect: the law was not tested".to_owned());
    }
    Ok(())
}

fn wrong(seed: u64, parties: usize, place: usize) -> Broken {
    format!("seed {seed}, {parties} parties: party {place} got a wrong result")
}

/// The two-sample chi-square statistic of equally many draws.
fn chi_square(one: &[f64; 16], other: &[f64; 16]) -> f64 {
    one.iter().zip(other).filter(|(a, b)| *a + *b > 0.0).map(|(a, b)| (a - b) * (a - b) / (a + b)).sum()
}
