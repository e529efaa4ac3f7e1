//! Statistics of data that is all in one place, to compare with: in plain floats, by the textbook.

pub(super) fn mean(numbers: &[f64]) -> f64 {
    numbers.iter().sum::<f64>() / numbers.len() as f64
}

/// The standard deviation of a sample.
pub(super) fn deviation(numbers: &[f64]) -> f64 {
    (products(numbers, numbers) / (numbers.len() as f64 - 1.0)).sqrt()
}

pub(super) fn median(numbers: &[f64]) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[half] } else { f64::midpoint(sorted[half - 1], sorted[half]) }
}

pub(super) fn correlation(x: &[f64], y: &[f64]) -> f64 {
    products(x, y) / (products(x, x) * products(y, y)).sqrt()
}

/// The slope of the regression of y on x.
pub(super) fn slope(x: &[f64], y: &[f64]) -> f64 {
    products(x, y) / products(x, x)
}

/// The sum of products of deviations from the means.
fn products(x: &[f64], y: &[f64]) -> f64 {
    let (mean_x, mean_y) = (mean(x), mean(y));
    x.iter().zip(y).map(|(x, y)| (x - mean_x) * (y - mean_y)).sum()
}

#[cfg(test)]
mod tests {
    use super::super::data::{Patient, sites};
    use super::*;

    /// Made with Python 3.10 or newer, in `fsc-node/data`; the last row is all sites together:
    ///
    /// ```python
    /// import csv, statistics
    /// sites = [list(csv.DictReader(open(f"site-{s}.csv"))) for s in "abc"]
    /// for rows in [*sites, sum(sites, [])]:
    ///     x, y = ([float(r[c]) for r in rows] for c in ("mean_radius", "mean_area"))
    ///     slope = statistics.linear_regression(x, y).slope
    ///     print([statistics.fmean(x), statistics.stdev(x), statistics.median(x), statistics.correlation(x, y), slope])
    /// ```
    #[rustfmt::skip]
    #[allow(clippy::unreadable_literal)] // as printed
    const BY_PYTHON: [[f64; 5]; 4] = [
        [14.342910377358491, 3.514825778412526, 13.625, 0.9890674374586216, 96.32223065585801],
        [14.190695652173913, 3.5787299177778813, 13.05, 0.9889949041838751, 100.61675478167429],
        [13.735053333333331, 3.451661593425075, 13.165, 0.9831071173763186, 99.09135202722463],
        [14.127291739894552, 3.5240488262120775, 13.37, 0.9873571700566124, 98.59821921514532],
    ];

    #[test]
    fn statistics_are_those_of_python() {
        let sites = sites().unwrap();
        let pooled: Vec<Patient> = sites.iter().flat_map(|site| site.patients.clone()).collect();
        let groups = sites.iter().map(|site| &site.patients).chain([&pooled]);
        for (patients, expected) in groups.zip(BY_PYTHON) {
            let x: Vec<f64> = patients.iter().map(|patient| patient.radius).collect();
            let y: Vec<f64> = patients.iter().map(|patient| patient.area).collect();
            let ours = [mean(&x), deviation(&x), median(&x), correlation(&x, &y), slope(&x, &y)];
            for (ours, theirs) in ours.into_iter().zip(expected) {
                assert!((ours - theirs).abs() <= 1e-12 * theirs, "{ours} is not {theirs}");
            }
        }
    }

    #[test]
    fn median_of_an_even_number_is_between_two() {
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), 2.5);
        assert_eq!(median(&[7.0]), 7.0);
    }
}
