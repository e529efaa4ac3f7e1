//! What the statistics of moments are, in exact integers, and how far a result may be off.

use std::collections::BTreeMap;

use num_bigint::{BigInt, BigUint};

use crate::algebra::double::ldexp;
use crate::exact::{float, integers, quotient};

/// By key, a value and how far off a result may be; or none where it must be null, with a note.
pub(crate) type Expected = BTreeMap<String, Option<(f64, f64)>>;

/// Relative to the value, or to what cancels.
const TOLERANCE: f64 = 1e-12;

/// The spacing of subnormal floats.
const SMALLEST: f64 = 5e-324;

/// Of what StatisticsUnivariate returns of these numbers, all of it.
pub(crate) fn univariate(numbers: &[f64]) -> Expected {
    let moments = Moments::of(numbers);
    let mut expected = Results::default();
    moments.put_means(&mut expected);
    moments.put_variances(&mut expected);
    moments.put_shape(&mut expected);
    expected.0
}

/// Of what StatisticsBivariate returns of these pairs, all of it.
pub(crate) fn bivariate(x: &[f64], y: &[f64]) -> Expected {
    let products = Products::of(x, y);
    let mut expected = Results::default();
    products.put_covariances(&mut expected);
    products.put_regression(&mut expected);
    expected.0
}

#[derive(Default)]
struct Results(Expected);

impl Results {
    /// value·2^exponent, right to 1e-12 of scale·2^exponent.
    fn put(&mut self, name: &str, value: f64, scale: f64, exponent: i32) {
        let (value, scale) = (ldexp(value, exponent), ldexp(scale, exponent));
        let expected = value.is_finite().then_some((value, TOLERANCE * scale + SMALLEST));
        self.0.insert(name.to_owned(), expected);
    }

    /// The same, right to 1e-12 of itself.
    fn put_relative(&mut self, name: &str, value: f64, exponent: i32) {
        self.put(name, value, value.abs(), exponent);
    }

    fn null(&mut self, name: &str) {
        self.0.insert(name.to_owned(), None);
    }
}

/// Numbers in units of 2^unit, and what their moments are made of.
struct Moments {
    numbers: Vec<BigInt>,
    unit: i32,
    count: BigInt,
    sum: BigInt,
    /// Σ|x|.
    magnitude: BigInt,
    /// n·x − Σx, of every number x.
    deviations: Vec<BigInt>,
}

impl Moments {
    fn of(numbers: &[f64]) -> Self {
        let (numbers, unit) = integers(numbers);
        let (count, sum) = (BigInt::from(numbers.len()), numbers.iter().sum::<BigInt>());
        let magnitude = numbers.iter().map(BigInt::magnitude).sum::<BigUint>().into();
        let deviations = numbers.iter().map(|x| x * &count - &sum).collect();
        Self { numbers, unit, count, sum, magnitude, deviations }
    }

    /// n, as a float.
    fn samples(&self) -> f64 {
        self.numbers.len() as f64
    }

    /// M_k/n.
    fn moment(&self, power: u32) -> f64 {
        quotient(&self.deviations.iter().map(|d| d.pow(power)).sum(), &self.count.pow(power + 1), 0)
    }

    /// Σ|x − x̄|^k/n.
    fn absolute_moment(&self, power: u32) -> f64 {
        let sum: BigUint = self.deviations.iter().map(|d| d.magnitude().pow(power)).sum();
        quotient(&sum.into(), &self.count.pow(power + 1), 0)
    }

    fn put_means(&self, expected: &mut Results) {
        let one = BigInt::from(1);
        expected.put("samples", self.samples(), 0.0, 0);
        for (name, extreme) in [("minimum", self.numbers.iter().min()), ("maximum", self.numbers.iter().max())] {
            expected.put(name, float(extreme.expect("a number")), 0.0, self.unit);
        }
        for (name, denominator) in [("sum", &one), ("mean", &self.count)] {
            let [value, scale] = [&self.sum, &self.magnitude].map(|sum| quotient(sum, denominator, 0));
            expected.put(name, value, scale, self.unit);
        }
        if self.numbers.iter().any(|x| *x <= BigInt::ZERO) {
            expected.null("harmonic_mean");
            expected.null("geometric_mean");
            return;
        }
        // Σ 1/x as a fraction, over the product of all.
        let add = |(sum, product): (BigInt, BigInt), x: &BigInt| (sum * x + &product, product * x);
        let (reciprocals, product) = self.numbers.iter().fold((BigInt::ZERO, one.clone()), add);
        expected.put_relative("harmonic_mean", quotient(&(&self.count * &product), &reciprocals, 0), self.unit);
        let bits = product.bits() as i32;
        let logarithm = f64::from(bits) + quotient(&product, &one, -bits).log2();
        expected.put_relative("geometric_mean", (logarithm / self.samples()).exp2(), self.unit);
    }

    fn put_variances(&self, expected: &mut Results) {
        let samples = self.samples();
        let several = self.numbers.len() > 1;
        let (population, sample) = (self.moment(2), self.moment(2) * samples / (samples - 1.0));
        let square: BigInt = self.numbers.iter().map(|x| x * x).sum();
        expected.put_relative("root_mean_square", quotient(&square, &self.count, 0).sqrt(), self.unit);
        for (squared, root, value, defined) in [
            ("variance_mle", "standard_deviation_mle", population, true),
            ("variance_mle", "root_mean_square_deviation", population, true),
            ("variance", "standard_deviation", sample, several),
            ("variance_of_sample_mean", "standard_error_of_sample_mean", sample / samples, several),
        ] {
            if defined {
                expected.put_relative(squared, value, 2 * self.unit);
                expected.put_relative(root, value.sqrt(), self.unit);
            } else {
                expected.null(squared);
                expected.null(root);
            }
        }
        // The mean is exact to N·2^-90 of the mean magnitude: much, relative to a mean that hardly differs from zero.
        let cancelled = || samples * 2_f64.powi(-90) / TOLERANCE * (float(&self.magnitude) / float(&self.sum)).abs();
        for (name, squared, defined) in
            [("coefficient_of_variation_mle", population, true), ("coefficient_of_variation", sample, several)]
        {
            if defined && self.sum != BigInt::ZERO {
                let value = squared.sqrt() / quotient(&self.sum, &self.count, 0);
                expected.put(name, value, value.abs() * (1.0 + cancelled()), 0);
            } else {
                expected.null(name);
            }
        }
    }

    fn put_shape(&self, expected: &mut Results) {
        let deviation = self.moment(2).sqrt();
        for (name, power, less) in [
            ("skewness", 3, 0.0),
            ("kurtosis", 4, 0.0),
            ("kurtosis_excess", 4, 3.0),
            ("hyper_skewness", 5, 0.0),
            ("hyper_flatness", 6, 0.0),
        ] {
            if deviation > 0.0 {
                let standardised = |moment: f64| moment / deviation.powi(power as i32);
                let scale = standardised(self.absolute_moment(power));
                let scale = if power % 2 == 1 { scale.max(1.0) } else { scale };
                expected.put(name, standardised(self.moment(power)) - less, scale, 0);
            } else {
                expected.null(name);
            }
        }
    }
}

/// The sums over pairs, times n and centred: n·Σxy − Σx·Σy is n·S_xy.
struct Products {
    units: [i32; 2],
    count: BigInt,
    sums: [BigInt; 2],
    /// Σ|x| and Σ|y|.
    magnitudes: [BigInt; 2],
    /// Σx², Σxy, Σy².
    raw: [BigInt; 3],
    /// n·S_xx, n·S_xy, n·S_yy.
    central: [BigInt; 3],
    /// Whether deviations from the means are exact in fixed point.
    is_exact: bool,
}

impl Products {
    fn of(x: &[f64], y: &[f64]) -> Self {
        let is_exact = deviations_are_exact(x) && deviations_are_exact(y);
        let ((x, unit_x), (y, unit_y)) = (integers(x), integers(y));
        let count = BigInt::from(x.len());
        let sums = [&x, &y].map(|numbers| numbers.iter().sum::<BigInt>());
        let magnitude = |numbers: &Vec<BigInt>| numbers.iter().map(BigInt::magnitude).sum::<BigUint>().into();
        let raw = [(&x, &x), (&x, &y), (&y, &y)].map(|(one, other)| one.iter().zip(other).map(|(a, b)| a * b).sum());
        let mut central: [BigInt; 3] = raw.each_ref().map(|sum: &BigInt| sum * &count);
        for (sum, (one, other)) in central.iter_mut().zip([(0, 0), (0, 1), (1, 1)]) {
            *sum -= &sums[one] * &sums[other];
        }
        let magnitudes = [&x, &y].map(magnitude);
        Self { units: [unit_x, unit_y], count, sums, magnitudes, raw, central, is_exact }
    }

    /// How far, relative to σ_xσ_y, and so to σ_y/σ_x, what is computed from deviations may be off, in units of the tolerance.
    fn rounding(&self) -> f64 {
        float(&self.count).sqrt() * 2_f64.powi(-60) / TOLERANCE
    }

    fn put_covariances(&self, expected: &mut Results) {
        let Self { units, count, central: [xx, xy, yy], .. } = self;
        let samples = float(count);
        expected.put("samples", samples, 0.0, 0);
        for (index, name) in ["mean_x", "mean_y"].into_iter().enumerate() {
            let [value, scale] = [&self.sums, &self.magnitudes].map(|sums| quotient(&sums[index], count, 0));
            expected.put(name, value, scale, units[index]);
        }
        let spread = float(xx).sqrt() * float(yy).sqrt();
        let whole = float(xy);
        for (name, divisor) in [("covariance_mle", samples), ("covariance", samples - 1.0)] {
            if divisor > 0.0 {
                let by = |number: f64| number / samples / divisor;
                expected.put(name, by(whole), by(whole.abs() + self.rounding() * spread), units[0] + units[1]);
            } else {
                expected.null(name);
            }
        }
        if spread > 0.0 {
            let value = whole / spread;
            expected.put("correlation_coefficient", value, value.abs() + self.rounding(), 0);
        } else {
            expected.null("correlation_coefficient");
        }
    }

    fn put_regression(&self, expected: &mut Results) {
        let Self { units: [unit_x, unit_y], count, raw: [raw_xx, raw_xy, raw_yy], central: [xx, xy, yy], .. } = self;
        let names = ["regression_slope", "regression_intercept", "regression_interceipt"];
        if *xx == BigInt::ZERO {
            for name in names {
                expected.null(name);
            }
        } else {
            let (slope, ratio) = (quotient(xy, xx, 0), quotient(yy, xx, 0).sqrt());
            expected.put(names[0], slope, slope.abs() + self.rounding() * ratio, unit_y - unit_x);
            let intercept = quotient(&(&self.sums[1] * xx - xy * &self.sums[0]), &(count * xx), 0);
            let scale = intercept.abs() + self.rounding_of_intercept(ratio);
            for name in &names[1..] {
                expected.put(name, intercept, scale, *unit_y);
            }
        }
        if *raw_xx == BigInt::ZERO {
            expected.null("regression_slope_only");
        } else {
            let (slope, ratio) = (quotient(raw_xy, raw_xx, 0), quotient(raw_yy, raw_xx, 0).sqrt());
            let scale = slope.abs() + self.rounding() * ratio;
            expected.put("regression_slope_only", slope, scale, unit_y - unit_x);
        }
    }

    /// How far ȳ − slope·x̄ may be off where it cancels, `ratio` being σ_y/σ_x.
    fn rounding_of_intercept(&self, ratio: f64) -> f64 {
        let samples = float(&self.count);
        let fine = samples * 2_f64.powi(-88) / TOLERANCE;
        let of_slope = if self.is_exact { fine } else { self.rounding() };
        let [mean_x, mean_y] = self.magnitudes.each_ref().map(|sum| quotient(sum, &self.count, 0));
        fine * (mean_y + ratio * mean_x) + of_slope * ratio * quotient(&self.sums[0], &self.count, 0).abs()
    }
}

/// Whether numbers and their mean are more than 2^-9 times the largest deviation from it.
fn deviations_are_exact(numbers: &[f64]) -> bool {
    let mean = numbers.iter().sum::<f64>() / numbers.len() as f64;
    let largest = numbers.iter().map(|x| (x - mean).abs()).fold(0.0, f64::max);
    // Twice as much, since the mean is rounded.
    numbers.iter().chain([&mean]).all(|x| x.abs() > 2_f64.powi(-8) * largest)
}
