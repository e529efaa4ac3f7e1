//! `StatisticsUnivariate`: extremes, means and moments of all parties' numbers together.
//!
//! The pooled extremes come first: they are results, and they say on what scale to add up. Then there are two sums
//! ([`crate::sharing::masks`]): one gives the means, the other the moments about the mean, in a second pass, so that no
//! digits are lost to a large mean (Chan, Golub and LeVeque, "Algorithms for computing the sample variance", The
//! American Statistician 37, 1983: the two-pass algorithm).
//!
//! ```text
//!   minimum, maximum                           compared on shares, opened
//!   2^a > |x|          from the extremes:      a power of two for all
//!   n, Σ x·2^-a, Σ log₂ x, Σ minimum/x         opened; the last two are 0 unless minimum > 0
//!   2^b > |x − x̄|·2^-a from mean and extremes: a power of two for all
//!   Σ ((x − x̄)·2^-(a+b))^k,  k = 2 … 6         opened
//! ```
//!
//! The data of a party is a list or an array of numbers, or a single number; a party may have none, as long as some other party has.
//! `parameters.missing` says what becomes of `null` ([`crate::data`]), `parameters.preprocessing` where the comparisons'
//! correlated randomness comes from ([`Source`]).
//!
//! # Results
//!
//! With M_k = Σ(x − x̄)^k: `samples` n, `sum`, `mean`, `minimum`, `maximum`; `variance` M2/(n−1) and `variance_mle` M2/n, their
//! roots `standard_deviation` and `standard_deviation_mle`, which is `root_mean_square_deviation`, too; `variance_of_sample_mean`,
//! variance/n, and its root, `standard_error_of_sample_mean`; `coefficient_of_variation` and `coefficient_of_variation_mle`, the
//! standard deviations over the mean; `root_mean_square` √(Σx²/n); `harmonic_mean` n/Σ(1/x), `geometric_mean` exp(Σln x/n);
//! and of the standardised moments, all population ones, `skewness`, `kurtosis`, `kurtosis_excess` (3 less), `hyper_skewness` and
//! `hyper_flatness`: (M_k/n)/(M2/n)^(k/2) for k = 3, 4, 4, 5, 6.
//!
//! What is undefined is `null`, and `notes` has the reason by name: geometric and harmonic mean, if a number is not positive;
//! what divides by n − 1, of one sample; standardised moments, if all numbers are equal; variation, if the mean is zero (to the
//! resolution of its sum, 2^-91·2^a a number); and what is too large for binary64.
//!
//! # Accuracy
//!
//! A sum's terms are rounded to 2^-91 of its unit each and then added up exactly. With N numbers, at most 2^36 in all:
//! * The error of `sum`, before it is rounded to binary64, is at most N·2^-91·2^a, and so below N·2^-90·Σ|x|; that of the mean is
//!   below N·2^-90·mean|x|.
//! * A deviation is computed from x·2^-a and 107 bits of the mean, and rounded once, so a k-th power has a relative error
//!   below 2k·2^-53. In units of 2^(a+b), M_k is at least 2^-k for even k, against which N·2^-91 is nothing. Even moments are
//!   exact to 2e-15 relatively, odd standardised ones to 2e-15·mean|z|^k; what is computed from them, to 1e-14.
//!   (`kurtosis_excess` to 1e-14·kurtosis.)
//! * A logarithm has an error of 2^-52: `geometric_mean` and `harmonic_mean` are exact to 1e-15.
//!
//! # Security
//!
//! Semi-honest adversary, any n − 1 parties corrupt, no trusted third party, unless the
//! parameters name a dealer. The masks' keys come from the links' secrets:
//! on links that are not sealed this protects against passive listeners only.
//!
//! # Leakage
//!
//! Nothing beyond the results, and what follows from them: for two parties, each learns the other's moments, and which of the
//! extremes are the other's. The sums are opened as they are added up, where binary64 shows their roundings. Everything opened is
//! a function of all numbers together: how many a party has, and which, does not show. Whether some number is zero or negative
//! is to be seen from the minimum, which is a result, so it is no secret; then all parties leave the sums of logarithms and of
//! reciprocals empty, and neither how many such numbers there are nor whose they are shows.
//!
//! # Wire
//!
//! The extremes of one column, as [`crate::minimum_maximum`] says; and two rounds of one message each to every
//! other party, of 64 bytes (80 where missing numbers are left out) and of 80: (n − 1)·144 bytes, or (n − 1)·160.
//!
//! # Differences from the reference
//!
//! The reference broadcasts every party's minimum and maximum, and adds up raw powers, which it centres afterwards: for a large
//! mean nothing remains of the variance. It divides by zero where a number is zero. Its formulas and keys are ours; `omitted` and
//! `notes` are new.

use fsc_core::object::ObjectError;
use fsc_core::party::Party;
use fsc_core::protocol::{
    Adversary, Announced, Corruptions, Cost, Protocol, ProtocolError, Security, Setup, Submission,
};
use fsc_core::secret::Secret;
use fsc_core::value::{ConvertError, Value, from_value};
use serde::{Deserialize, Serialize};

use crate::algebra::double::{Double, exponent, ldexp, power_of_two, two_sum};
use crate::circuit::garbled::{self, GARBLER};
use crate::data::{self, Column, Missing};
use crate::minimum_maximum::{extremes, extremes_cost};
use crate::moments::kernel::{FRACTION_BITS, LOGARITHM_BITS, Lanes, logarithms, range, sums};
use crate::moments::results::{Results, only_if};
use crate::moments::{self, NO_NUMBERS, Scale, check_sums, contradiction, cost_of_sums, open_sums};
use crate::order::{of_float, to_float};
use crate::preprocessing::Source;

/// The protocol; see the module's documentation.
pub struct StatisticsUnivariate;

/// What all parties must agree on: `parameters`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// What becomes of missing numbers.
    pub missing: Missing,
    /// Where the comparisons' correlated randomness comes from.
    pub preprocessing: Source,
}

/// What every party learns: all that is opened. [`Protocol::present`] makes the statistics of it.
#[derive(Clone, PartialEq, Serialize)]
pub struct Moments {
    /// The least number.
    pub minimum: f64,
    /// The greatest number.
    pub maximum: f64,
    /// n, how many numbers there are.
    pub samples: u64,
    /// Σ x·2^-a, as a multiple of 2^-90.
    pub sum: i128,
    /// Σ log₂ x, as a multiple of 2^-64; zero unless the minimum is positive.
    pub logarithms: i128,
    /// Σ minimum/x, as a multiple of 2^-90; zero unless the minimum is positive.
    pub reciprocals: i128,
    /// How many numbers were missing, where they are left out.
    pub omitted: Option<u64>,
    /// Σ ((x − x̄)·2^-(a+b))^k for k = 2 … 6, as multiples of 2^-90.
    pub powers: [i128; 5],
}

impl Protocol for StatisticsUnivariate {
    const NAME: &'static str = "StatisticsUnivariate";
    const VERSION: u16 = 1;
    const SECURITY: Security = Security {
        adversary: Adversary::SemiHonest,
        corruptions: Corruptions::AllButOne,
        setup: Setup::PairwiseKeys,
        leakage: &[
            "sums to a resolution of 2^-90, of which the results are roundings",
            "what follows from the results: for two parties, the other's moments and extremes",
            "everything, to a dealer that the parameters name",
        ],
        paper: "extremes: Goldreich, Micali, Wigderson, How to play any mental game, STOC 1987 (Goldreich, \
                Foundations of cryptography II, 2004, section 7.5.2); for two parties: Yao, How to generate and exchange \
                secrets, FOCS 1986, with half gates: Zahur, Rosulek, Evans, Two halves make a whole, Eurocrypt 2015, figure \
                2; sums: Bonawitz et al., Practical secure aggregation for privacy-preserving machine learning, CCS 2017, \
                section 4; Chan, Golub, LeVeque, Algorithms for computing the sample variance, The American Statistician 37, \
                1983",
    };

    type Params = Params;
    type Input = Column<f64>;
    type Output = Moments;

    fn admit(submission: Submission) -> Result<(Params, Column<f64>), ObjectError> {
        let params = Params::read(submission.parameters, submission.parties)?;
        let column = data::floats(submission.data, params.missing)?;
        moments::check_count(column.numbers.len(), submission.parties)?;
        Ok((params, column))
    }

    fn cost(params: &Params, all: &Announced) -> Cost {
        let first = 4 + usize::from(params.missing == Missing::Omit);
        let (source, parties, me) = (params.preprocessing, all.parties(), all.me());
        let sums = cost_of_sums(parties, first) + cost_of_sums(parties, 5);
        // A garbler has the other's part of the first sum before it sends its own, so its parts of both leave at once.
        let at_once = garbled::is_chosen(source, parties) && me == GARBLER;
        source.meeting_cost(all)
            + extremes_cost(source, parties, me, 1)
            + Cost { rounds: sums.rounds - u32::from(at_once), ..sums }
    }

    fn present(output: Moments) -> Result<Value, ConvertError> {
        Ok(output.statistics())
    }

    fn setup(params: &Params) -> Setup {
        params.preprocessing.setup()
    }

    async fn run(party: &mut Party, params: Params, input: Secret<Column<f64>>) -> Result<Moments, ProtocolError> {
        let Column { numbers, omitted } = input.into_inner();
        let pooled = pooled_range(party, params.preprocessing, &numbers).await?;
        let omitted = (params.missing == Missing::Omit).then_some(omitted);
        let opened = open_sums(party, first_terms(&numbers, pooled, omitted)).await?;
        let mut moments = Moments::begin(pooled, &opened)?;
        let powers = open_sums(party, moments.frame().second_terms(&numbers)).await?;
        check_sums(&powers, moments.samples)?;
        moments.powers = powers.try_into().map_err(|_| contradiction())?;
        Ok(moments)
    }
}

impl Params {
    /// `parameters`, as clients write them.
    pub(crate) fn read(parameters: Value, parties: usize) -> Result<Self, ObjectError> {
        let parameters = if parameters == Value::Null { Value::Map([].into()) } else { parameters };
        let params: Self =
            from_value(parameters).map_err(|error| ObjectError::argument("parameters", error.to_string()))?;
        params.preprocessing.check(parties)?;
        Ok(params)
    }
}

/// The extremes of all parties' numbers.
async fn pooled_range(party: &mut Party, source: Source, numbers: &[f64]) -> Result<(f64, f64), ProtocolError> {
    let own = range(numbers).map(|(least, greatest)| (of_float(least), of_float(greatest)));
    let pooled = extremes(party, source, &[own]).await?;
    let (least, greatest) = pooled.into_iter().next().flatten().ok_or(NO_NUMBERS)?;
    let (least, greatest) = (to_float(least), to_float(greatest));
    let plausible = least.is_finite() && greatest.is_finite() && least <= greatest;
    if plausible { Ok((least, greatest)) } else { Err(contradiction()) }
}

/// A party's terms of the first sum.
fn first_terms(numbers: &[f64], (minimum, maximum): (f64, f64), omitted: Option<u64>) -> Vec<i128> {
    let scale = Scale::above(maximum.max(-minimum));
    let [sum] = sums(numbers, |lanes| [lanes.map(|number| scale.apply(number))]);
    let [logarithms, reciprocals] = if minimum > 0.0 {
        let [reciprocals] = sums(numbers, |lanes| [lanes.map(|number| minimum / number)]);
        [logarithms(numbers), reciprocals]
    } else {
        [0; 2]
    };
    [numbers.len() as i128, sum, logarithms, reciprocals].into_iter().chain(omitted.map(i128::from)).collect()
}

/// Where deviations from the mean are computed: all of it public.
struct Frame {
    /// 2^a.
    scale: Scale,
    /// x̄·2^-a.
    mean: Double,
    /// b.
    exponent: i32,
}

impl Frame {
    /// A party's terms of the second sum.
    fn second_terms(&self, numbers: &[f64]) -> Vec<i128> {
        let factor = power_of_two(-self.exponent);
        let (high, low) = (self.mean.high(), self.mean.low());
        let deviation = |number: f64| {
            let (difference, error) = two_sum(self.scale.apply(number), -high);
            (difference + (error - low)) * factor
        };
        sums(numbers, |lanes| powers(&lanes.map(deviation))).to_vec()
    }

    /// The exponent of the unit of deviations, a + b.
    fn unit(&self) -> i32 {
        self.scale.exponent() + self.exponent
    }
}

/// The second to sixth powers.
#[inline]
fn powers(numbers: &Lanes) -> [Lanes; 5] {
    let times = |one: &Lanes, other: &Lanes| -> Lanes { std::array::from_fn(|lane| one[lane] * other[lane]) };
    let second = times(numbers, numbers);
    let third = times(&second, numbers);
    [second, third, times(&second, &second), times(&third, &second), times(&third, &third)]
}

const NOT_POSITIVE: &str = "a number is zero or negative";
const ONE_SAMPLE: &str = "there is only one sample";
const NO_MEAN: &str = "the mean is zero";
const CONSTANT: &str = "all numbers are equal";

impl Moments {
    /// Makes sense of the first sum.
    fn begin((minimum, maximum): (f64, f64), opened: &[i128]) -> Result<Self, ProtocolError> {
        let [samples, sum, logarithms, reciprocals, rest @ ..] = opened else { return Err(contradiction()) };
        let samples = moments::samples(*samples)?;
        // Logarithms are below 2^11 in magnitude, and have 26 fraction bits less.
        check_sums(&[*sum, *reciprocals, *logarithms], samples)?;
        let omitted = rest.first().map(|omitted| u64::try_from(*omitted).map_err(|_| contradiction())).transpose()?;
        let (sum, logarithms, reciprocals) = (*sum, *logarithms, *reciprocals);
        Ok(Self { minimum, maximum, samples, sum, logarithms, reciprocals, omitted, powers: [0; 5] })
    }

    /// The frame of the second sum.
    fn frame(&self) -> Frame {
        let scale = Scale::above(self.maximum.max(-self.minimum));
        let mean = moments::mean(self.sum, self.samples);
        let above = (scale.apply(self.maximum) - mean.high()) - mean.low();
        let below = (mean.high() - scale.apply(self.minimum)) + mean.low();
        Frame { scale, mean, exponent: exponent(above.max(below)).unwrap_or_default() }
    }

    /// The results by name.
    fn statistics(&self) -> Value {
        let mut results = Results::default();
        results.count("samples", Some(self.samples));
        results.count("omitted", self.omitted);
        results.put("minimum", Ok(self.minimum));
        results.put("maximum", Ok(self.maximum));
        self.put_means(&mut results);
        self.put_variances(&mut results);
        self.put_variations(&mut results);
        self.put_shape(&mut results);
        results.finish()
    }

    fn put_means(&self, results: &mut Results) {
        let Frame { scale, mean, .. } = self.frame();
        let samples = self.samples as f64;
        results.put("sum", Ok(ldexp(self.sum as f64, scale.exponent() - FRACTION_BITS as i32)));
        results.put("mean", Ok(mean.to_f64(scale.exponent())));
        let positive = self.minimum > 0.0;
        let harmonic = || self.minimum * (samples / ldexp(self.reciprocals as f64, -(FRACTION_BITS as i32)));
        results.put("harmonic_mean", only_if(positive, NOT_POSITIVE, harmonic));
        results.put("geometric_mean", only_if(positive, NOT_POSITIVE, || self.geometric_mean()));
    }

    /// 2^(mean logarithm); of the exponent, whole and fraction apart, so that none of its digits are lost.
    fn geometric_mean(&self) -> f64 {
        let mean = self.logarithms.div_euclid(self.samples.into());
        let fraction = ldexp((mean as u64) as f64, -(LOGARITHM_BITS as i32));
        ldexp(fraction.exp2(), (mean >> LOGARITHM_BITS) as i32)
    }

    fn put_variances(&self, results: &mut Results) {
        let unit = self.frame().unit();
        let samples = self.samples as f64;
        let population = self.moment(2);
        let several = self.samples > 1;
        let sample = population * (samples / (samples - 1.0));
        for (name, squared, defined) in [
            ("variance", sample, several),
            ("variance_mle", population, true),
            ("variance_of_sample_mean", sample / samples, several),
        ] {
            results.put(name, only_if(defined, ONE_SAMPLE, || ldexp(squared, 2 * unit)));
        }
        for (name, squared, defined) in [
            ("standard_deviation", sample, several),
            ("standard_deviation_mle", population, true),
            ("root_mean_square_deviation", population, true),
            ("standard_error_of_sample_mean", sample / samples, several),
        ] {
            results.put(name, only_if(defined, ONE_SAMPLE, || ldexp(squared.sqrt(), unit)));
        }
    }

    fn put_variations(&self, results: &mut Results) {
        let Frame { scale, mean, exponent } = self.frame();
        let samples = self.samples as f64;
        let deviation = ldexp(self.moment(2).sqrt(), exponent);
        let mean = mean.high();
        let square = mean.mul_add(mean, deviation * deviation);
        results.put("root_mean_square", Ok(ldexp(square.sqrt(), scale.exponent())));
        // Each term of the sum was rounded by half a unit at most.
        let defined = self.sum.unsigned_abs() > u128::from(self.samples) / 2;
        let variation = only_if(defined, NO_MEAN, || deviation / mean);
        results.put("coefficient_of_variation_mle", variation);
        let correction = (samples / (samples - 1.0)).sqrt();
        let sample = only_if(self.samples > 1, ONE_SAMPLE, || correction);
        results.put("coefficient_of_variation", sample.and_then(|correction| Ok(variation? * correction)));
    }

    fn put_shape(&self, results: &mut Results) {
        let variance = self.moment(2);
        let root = variance.sqrt();
        let standardised = |power: i32| self.moment(power as usize) / root.powi(power);
        for (name, power, offset) in [
            ("skewness", 3, 0.0),
            ("kurtosis", 4, 0.0),
            ("kurtosis_excess", 4, 3.0),
            ("hyper_skewness", 5, 0.0),
            ("hyper_flatness", 6, 0.0),
        ] {
            results.put(name, only_if(self.minimum < self.maximum, CONSTANT, || standardised(power) - offset));
        }
    }

    /// M_k/n in units of 2^(a+b), for k from 2 to 6.
    fn moment(&self, power: usize) -> f64 {
        ldexp(self.powers[power - 2] as f64, -(FRACTION_BITS as i32)) / self.samples as f64
    }
}

#[cfg(test)]
mod tests;
