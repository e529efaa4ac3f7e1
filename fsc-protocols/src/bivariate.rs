//! `StatisticsBivariate`: covariance, correlation and regression of all parties' pairs (x, y) together.
//!
//! As in [`crate::univariate`], there are two passes, with one sum each ([`crate::sharing::masks`]). Here the
//! extremes are no results, so only the binary exponents are compared and opened that say on what scale to add up: that of the
//! largest magnitude before the first pass, that of the largest deviation from the mean before the second. For x, and likewise y:
//!
//! ```text
//!   2^a > |x|                           exponents compared on shares, the largest opened
//!   n, Σ x·2^-a                         opened
//!   c                                   the binary64 nearest to the mean of x·2^-a
//!   2^b > |x·2^-a − c|                  exponents compared on shares, the largest opened
//!   ξ = (x·2^-a − c)·2^-b               and υ, likewise, of y
//!   Σ ξ², Σ ξυ, Σ υ²                    opened; Σ ξυ − n·ξ̄·ῡ is the sum of products of deviations
//! ```
//!
//! The data of a party is a list of pairs, or an array of two columns; a party may have none, as long as some other party has.
//! `parameters.missing` says what becomes of pairs with `null` ([`crate::data`]), `parameters.preprocessing` where the
//! comparisons' correlated randomness comes from ([`Source`]).
//!
//! # Results
//!
//! With S_xy = Σ(x − x̄)(y − ȳ): `samples` n, `mean_x`, `mean_y`; `covariance` S_xy/(n−1) and `covariance_mle` S_xy/n;
//! `correlation_coefficient` S_xy/√(S_xx·S_yy); of the regression of y on x, `regression_slope` S_xy/S_xx and
//! `regression_intercept` ȳ − slope·x̄ (under the reference's spelling, `regression_interceipt`, too); and of the regression through
//! the origin, `regression_slope_only` Σxy/Σx².
//!
//! What is undefined is `null`, and `notes` has the reason by name: `covariance` of one pair; correlation and regression, if all
//! x are equal; correlation, if all y are equal; the regression through the origin, if all x are zero; and what is too large for
//! binary64.
//!
//! # Accuracy
//!
//! With N pairs, at most 2^36 in all: the means are exact to N·2^-90·mean|x|, as in [`crate::univariate`]. ξ and υ are rounded to
//! 2^-63, and their products to 2^-91; what follows has 106 bits. S_xx is at least ¼·2^2(a+b), so `covariance` is exact to
//! 2^-60·√N·σ_x·σ_y, and correlation and slope accordingly. ξ is exact if x and c are more than 2^-9 times the largest deviation,
//! as they are where the mean is large against the spread. Then the slope, before it is rounded, is exact to
//! N·2^-88·σ_y/σ_x, which is what the intercept needs, where ȳ and slope·x̄ cancel.
//!
//! # Security
//!
//! Semi-honest adversary, any n − 1 parties corrupt, no trusted third party, unless the
//! parameters name a dealer. The masks' keys come from the links' secrets:
//! on links that are not sealed this protects against passive listeners only.
//!
//! # Leakage
//!
//! Beyond the results: for x and y each, the binary exponents of the largest magnitude and of the largest deviation from the mean (that
//! is, both within a factor of two), and the variances, or whether all x, or all y, are equal. And what follows from the results:
//! for two parties, each learns the other's sums. The sums are opened as they are added up, where binary64 shows their roundings.
//! Everything opened is a function of all pairs together: how many a party has, and which, does not show.
//!
//! # Wire
//!
//! Twice the extremes of two columns, as [`crate::minimum_maximum`] says; and two rounds of one message each to every
//! other party, of 48 bytes (64 where missing pairs are left out) and of 48: (n − 1)·96 bytes, or (n − 1)·112.
//!
//! # Differences from the reference
//!
//! The reference computes the statistics of x, y and x·y one by one on the way: it broadcasts every party's extremes of all three, opens
//! their first six moments, and centres raw sums, so that nothing remains of the covariance where means are large. Here only
//! what the results need is added up, about the means. `mean_x`, `mean_y`, `omitted` and `notes` are new.

use fsc_core::object::ObjectError;
use fsc_core::party::Party;
use fsc_core::protocol::{
    Adversary, Announced, Corruptions, Cost, Protocol, ProtocolError, Security, Setup, Submission,
};
use fsc_core::secret::Secret;
use fsc_core::value::{ConvertError, Value};
use serde::Serialize;

use crate::algebra::double::{Double, exponent, power_of_two};
use crate::data::{self, Missing, Pairs};
use crate::minimum_maximum::{extremes, extremes_cost};
use crate::moments::kernel::{FRACTION_BITS, fixed, products, range, sums};
use crate::moments::results::{Results, only_if};
use crate::moments::{self, NO_NUMBERS, Scale, check_sums, contradiction, cost_of_sums, open_sums};
use crate::preprocessing::Source;
pub use crate::univariate::Params;

/// The protocol; see the module's documentation.
pub struct StatisticsBivariate;

/// What every party learns: all that is opened. [`Protocol::present`] makes the statistics of it.
#[derive(Clone, PartialEq, Serialize)]
pub struct Moments {
    /// n, how many pairs there are.
    pub samples: u64,
    /// How many pairs were incomplete, where they are left out.
    pub omitted: Option<u64>,
    /// Of x and of y.
    pub columns: [Spread; 2],
    /// Σ ξ², Σ ξυ, Σ υ², as multiples of 2^-90.
    pub products: [i128; 3],
}

/// How one column lies.
#[derive(Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// a, the least exponent with 2^a > |x|; `None` if all are zero.
    pub magnitude: Option<i32>,
    /// Σ x·2^-a, as a multiple of 2^-90.
    pub sum: i128,
    /// b, the least exponent with 2^b > |x·2^-a − c|; `None` if all numbers are equal.
    pub deviation: Option<i32>,
}

impl Protocol for StatisticsBivariate {
    const NAME: &'static str = "StatisticsBivariate";
    const VERSION: u16 = 1;
    const SECURITY: Security = Security {
        adversary: Adversary::SemiHonest,
        corruptions: Corruptions::AllButOne,
        setup: Setup::PairwiseKeys,
        leakage: &[
            "for x and y each, the binary exponents of the largest magnitude and of the largest deviation from the mean",
            "the variances, and sums to a resolution of 2^-90, of which the results are roundings",
            "what follows from the results: for two parties, the other's sums",
            "everything, to a dealer that the parameters name",
        ],
        paper: "exponents: Goldreich, Micali, Wigderson, How to play any mental game, STOC 1987 (Goldreich, \
                Foundations of cryptography II, 2004, section 7.5.2); for two parties: Yao, How to generate and exchange \
                secrets, FOCS 1986, with half gates: Zahur, Rosulek, Evans, Two halves make a whole, Eurocrypt 2015, figure \
                2; sums: Bonawitz et al., Practical secure aggregation for privacy-preserving machine learning, CCS 2017, \
                section 4; Chan, Golub, LeVeque, Algorithms for computing the sample variance, The American Statistician 37, \
                1983",
    };

    type Params = Params;
    type Input = Pairs;
    type Output = Moments;

    fn admit(submission: Submission) -> Result<(Params, Pairs), ObjectError> {
        let params = Params::read(submission.parameters, submission.parties)?;
        let pairs: Pairs = data::table(submission.data, params.missing)?;
        moments::check_count(pairs.rows(), submission.parties)?;
        Ok((params, pairs))
    }

    fn cost(params: &Params, all: &Announced) -> Cost {
        let first = 3 + usize::from(params.missing == Missing::Omit);
        let exponents = extremes_cost(params.preprocessing, all.parties(), all.me(), 2);
        let sums = cost_of_sums(all.parties(), first) + cost_of_sums(all.parties(), 3);
        params.preprocessing.meeting_cost(all) + exponents + exponents + sums
    }

    fn present(output: Moments) -> Result<Value, ConvertError> {
        Ok(output.statistics())
    }

    fn setup(params: &Params) -> Setup {
        params.preprocessing.setup()
    }

    async fn run(party: &mut Party, params: Params, input: Secret<Pairs>) -> Result<Moments, ProtocolError> {
        let Pairs { columns, omitted } = input.into_inner();
        let omitted = (params.missing == Missing::Omit).then_some(omitted);
        let magnitudes =
            pooled_exponents(party, params.preprocessing, columns.each_ref().map(|column| magnitude(column))).await?;
        let opened = open_sums(party, first_terms(&columns, magnitudes, omitted)).await?;
        let mut moments = Moments::begin(magnitudes, &opened)?;
        let deviations = pooled_exponents(party, params.preprocessing, moments.largest_deviations(&columns)).await?;
        for (spread, deviation) in moments.columns.iter_mut().zip(deviations) {
            spread.deviation = deviation;
        }
        let opened = open_sums(party, moments.second_terms(&columns)).await?;
        check_sums(&opened, moments.samples)?;
        moments.products = opened.try_into().map_err(|_| contradiction())?;
        Ok(moments)
    }
}

/// The largest of all parties' exponents, of x and of y each, by their codes; a party that has no numbers has none.
async fn pooled_exponents(
    party: &mut Party,
    source: Source,
    own: [Option<u64>; 2],
) -> Result<[Option<i32>; 2], ProtocolError> {
    // The largest alone is asked for: as the least, everybody enters the same.
    let codes = own.map(|code| code.map(|code| (0, code)));
    let pooled = extremes(party, source, &codes).await?;
    let [Some((_, of_x)), Some((_, of_y))] = pooled[..] else { return Err(NO_NUMBERS) };
    Ok([decode(of_x)?, decode(of_y)?])
}

/// Exponents are above −1100.
const OFFSET: i32 = 1100;

/// The order-preserving code of a number's exponent; zero has the least.
fn code(number: f64) -> u64 {
    exponent(number).map_or(0, |exponent| (exponent + OFFSET) as u64)
}

fn decode(code: u64) -> Result<Option<i32>, ProtocolError> {
    match i32::try_from(code) {
        Ok(0) => Ok(None),
        Ok(code) if code <= 2 * OFFSET => Ok(Some(code - OFFSET)),
        _ => Err(contradiction()),
    }
}

/// The code of a party's largest magnitude, if it has numbers.
fn magnitude(numbers: &[f64]) -> Option<u64> {
    range(numbers).map(|(least, greatest)| code(greatest.max(-least)))
}

/// A party's terms of the first sum.
fn first_terms(columns: &[Vec<f64>; 2], magnitudes: [Option<i32>; 2], omitted: Option<u64>) -> Vec<i128> {
    let [x, y] = columns;
    let sum = |numbers: &[f64], magnitude: Option<i32>| {
        let scale = Scale::of(magnitude.unwrap_or_default());
        let [sum] = sums(numbers, |lanes| [lanes.map(|number| scale.apply(number))]);
        sum
    };
    let terms = [x.len() as i128, sum(x, magnitudes[0]), sum(y, magnitudes[1])];
    terms.into_iter().chain(omitted.map(i128::from)).collect()
}

const ONE_PAIR: &str = "there is only one pair";
const CONSTANT_X: &str = "all x are equal";
const CONSTANT_Y: &str = "all y are equal";
const ZERO_X: &str = "all x are zero";

impl Moments {
    /// Makes sense of the first sum.
    fn begin(magnitudes: [Option<i32>; 2], opened: &[i128]) -> Result<Self, ProtocolError> {
        let [samples, of_x, of_y, rest @ ..] = opened else { return Err(contradiction()) };
        let samples = moments::samples(*samples)?;
        check_sums(&[*of_x, *of_y], samples)?;
        let omitted = rest.first().map(|omitted| u64::try_from(*omitted).map_err(|_| contradiction())).transpose()?;
        let [of_x, of_y] = [(magnitudes[0], *of_x), (magnitudes[1], *of_y)].map(|(magnitude, sum)| Spread {
            magnitude,
            sum,
            deviation: None,
        });
        Ok(Self { samples, omitted, columns: [of_x, of_y], products: [0; 3] })
    }

    /// The frames of x and y.
    fn frames(&self) -> [Frame; 2] {
        self.columns.map(|Spread { magnitude, sum, deviation }| Frame {
            scale: Scale::of(magnitude.unwrap_or_default()),
            mean: moments::mean(sum, self.samples),
            exponent: deviation.unwrap_or_default(),
        })
    }

    /// The codes of a party's largest deviations, if it has numbers.
    fn largest_deviations(&self, columns: &[Vec<f64>; 2]) -> [Option<u64>; 2] {
        let [of_x, of_y] = self.frames();
        [of_x.largest_deviation(&columns[0]), of_y.largest_deviation(&columns[1])]
    }

    /// A party's terms of the second sum.
    fn second_terms(&self, [x, y]: &[Vec<f64>; 2]) -> Vec<i128> {
        let [of_x, of_y] = self.frames();
        let (factor_x, factor_y) = (power_of_two(-of_x.exponent), power_of_two(-of_y.exponent));
        let pairs = x.iter().zip(y).map(|(x, y)| {
            let x = fixed(of_x.scale.apply(*x), of_x.mean.high(), factor_x);
            (x, fixed(of_y.scale.apply(*y), of_y.mean.high(), factor_y))
        });
        products(pairs).to_vec()
    }

    /// The results by name.
    fn statistics(&self) -> Value {
        let mut results = Results::default();
        results.count("samples", Some(self.samples));
        results.count("omitted", self.omitted);
        for (name, Frame { scale, mean, .. }) in ["mean_x", "mean_y"].iter().zip(self.frames()) {
            results.put(name, Ok(mean.to_f64(scale.exponent())));
        }
        self.put_covariances(&mut results);
        self.put_regression(&mut results);
        self.put_regression_through_origin(&mut results);
        results.finish()
    }

    fn put_covariances(&self, results: &mut Results) {
        let [xx, xy, yy] = self.central();
        let [of_x, of_y] = self.frames();
        let unit = of_x.unit() + of_y.unit();
        let samples = self.samples as f64;
        results.put("covariance_mle", Ok((xy / Double::from(samples)).to_f64(unit)));
        let sample = || (xy / Double::from(samples - 1.0)).to_f64(unit);
        results.put("covariance", only_if(self.samples > 1, ONE_PAIR, sample));
        let correlation = || (xy.high() / (xx.high().sqrt() * yy.high().sqrt())).clamp(-1.0, 1.0);
        let correlation =
            if self.is_constant(0) { Err(CONSTANT_X) } else { only_if(!self.is_constant(1), CONSTANT_Y, correlation) };
        results.put("correlation_coefficient", correlation);
    }

    fn put_regression(&self, results: &mut Results) {
        let [xx, xy, _] = self.central();
        let [of_x, of_y] = self.frames();
        let defined = !self.is_constant(0);
        let slope = || (xy / xx).to_f64(of_y.unit() - of_x.unit());
        results.put("regression_slope", only_if(defined, CONSTANT_X, slope));
        // In units of y.
        let intercept = || of_y.mean - (xy / xx * of_x.mean).scaled(of_y.exponent - of_x.exponent);
        for name in ["regression_intercept", "regression_interceipt"] {
            results.put(name, only_if(defined, CONSTANT_X, || intercept().to_f64(of_y.scale.exponent())));
        }
    }

    fn put_regression_through_origin(&self, results: &mut Results) {
        let [xx, xy, _] = self.central();
        let [of_x, of_y] = self.frames();
        let samples = Double::from(self.samples as f64);
        let slope = || {
            let raw_xy = xy.scaled(of_x.exponent + of_y.exponent) + samples * of_x.mean * of_y.mean;
            let raw_xx = xx.scaled(2 * of_x.exponent) + samples * of_x.mean * of_x.mean;
            (raw_xy / raw_xx).to_f64(of_y.scale.exponent() - of_x.scale.exponent())
        };
        results.put("regression_slope_only", only_if(self.columns[0].magnitude.is_some(), ZERO_X, slope));
    }

    /// Whether all numbers of a column are equal.
    const fn is_constant(&self, column: usize) -> bool {
        self.columns[column].deviation.is_none()
    }

    /// S_xx, S_xy and S_yy in units of 2^(a+b) of x and y: sums about c, less what c is off the means.
    fn central(&self) -> [Double; 3] {
        let [off_x, off_y] = self.frames().map(|frame| Double::from(frame.mean.low()).scaled(-frame.exponent));
        let samples = Double::from(self.samples as f64);
        let [xx, xy, yy] = self.products.map(|sum| Double::integer(sum).scaled(-(FRACTION_BITS as i32)));
        [xx - samples * off_x * off_x, xy - samples * off_x * off_y, yy - samples * off_y * off_y]
    }
}

/// Where deviations of one column are computed: all of it public.
struct Frame {
    /// 2^a.
    scale: Scale,
    /// The mean times 2^-a; its high part is c.
    mean: Double,
    /// b.
    exponent: i32,
}

impl Frame {
    /// The code of a party's largest deviation, if it has numbers.
    fn largest_deviation(&self, numbers: &[f64]) -> Option<u64> {
        let (least, greatest) = range(numbers)?;
        let above = self.scale.apply(greatest) - self.mean.high();
        let below = self.mean.high() - self.scale.apply(least);
        Some(code(above.max(below)))
    }

    /// The exponent of the unit of deviations, a + b.
    fn unit(&self) -> i32 {
        self.scale.exponent() + self.exponent
    }
}

#[cfg(test)]
mod tests;
