//! What the hospitals want to know: functions, what each hospital gives, and what the answer is checked against.

use fsc_core::value::{ConvertError, Value, to_value};

use super::data::Patient;
use super::truth;

/// A function that the hospitals compute together.
pub(super) struct Question {
    /// Its name.
    pub(super) function: &'static str,
    /// What each of the numbers that are asked for is, and with how many digits it is shown.
    pub(super) figures: &'static [(&'static str, usize)],
    /// How far these may be from the truth, relatively.
    pub(super) tolerance: f64,
    /// What a hospital gives.
    pub(super) data: fn(&[Patient]) -> Result<Value, ConvertError>,
    pub(super) parameters: fn() -> Value,
    /// Takes the numbers out of the function's result.
    pub(super) read: fn(&Value) -> Option<Vec<f64>>,
    /// The same numbers, from data that is all in one place.
    pub(super) truth: fn(&[Patient]) -> Vec<f64>,
}

/// The histogram's classes: the radii from each of these on, to the next one.
pub(super) const CLASSES: [u32; 8] = [6, 9, 12, 15, 18, 21, 24, 27];

/// How wide a class is.
pub(super) const CLASS_WIDTH: u32 = 3;

/// In the order in which they are asked. Counts and order statistics are exact; sums of floats are rounded in the truth, too.
pub(super) const QUESTIONS: [Question; 5] = [
    Question {
        function: "SecureSum",
        figures: &[("patients", 0), ("malignant", 0)],
        tolerance: 0.0,
        data: |patients| to_value(&counts(patients)),
        parameters: || Value::map([("elementwise", true)]),
        read: |result| numbers(result.entry("sum")?),
        truth: counts,
    },
    Question {
        function: "StatisticsUnivariate",
        figures: &[("mean radius", 3), ("std. deviation", 3)],
        tolerance: 1e-12,
        data: |patients| to_value(&column(patients, |patient| patient.radius)),
        parameters: || Value::Null,
        read: |result| entries(result, &["mean", "standard_deviation"]),
        truth: |patients| {
            let radii = column(patients, |patient| patient.radius);
            vec![truth::mean(&radii), truth::deviation(&radii)]
        },
    },
    Question {
        function: "SecureMedian",
        figures: &[("median radius", 3)],
        tolerance: 0.0,
        data: |patients| to_value(&column(patients, |patient| patient.radius)),
        parameters: || Value::Null,
        read: |result| entries(result, &["median"]),
        truth: |patients| vec![truth::median(&column(patients, |patient| patient.radius))],
    },
    Question {
        function: "StatisticsBivariate",
        figures: &[("correlation", 3), ("area per radius", 3)],
        tolerance: 1e-12,
        data: |patients| to_value(&column(patients, |patient| [patient.radius, patient.area])),
        parameters: || Value::Null,
        read: |result| entries(result, &["correlation_coefficient", "regression_slope"]),
        truth: |patients| {
            let (radii, areas) = (column(patients, |patient| patient.radius), column(patients, |patient| patient.area));
            vec![truth::correlation(&radii, &areas), truth::slope(&radii, &areas)]
        },
    },
    Question {
        function: "StatisticsFrequency",
        figures: &[],
        tolerance: 0.0,
        data: |patients| to_value(&column(patients, class)),
        parameters: || Value::map([("categories", CLASSES.map(|class| i64::from(class).into()).to_vec())]),
        read: |result| {
            let histogram = result.entry("histogram")?;
            CLASSES.iter().map(|class| histogram.entry(&class.to_string())?.as_f64()).collect()
        },
        truth: |patients| {
            let classes = column(patients, class);
            CLASSES.iter().map(|class| classes.iter().filter(|other| *other == class).count() as f64).collect()
        },
    },
];

impl Question {
    /// The largest relative difference of the numbers from the truth; infinite, if something is no number, or missing.
    pub(super) fn difference(numbers: &[f64], truth: &[f64]) -> f64 {
        if numbers.len() != truth.len() {
            return f64::INFINITY;
        }
        let relative = |(number, truth): (&f64, &f64)| match (number - truth).abs() {
            0.0 => 0.0,
            difference if difference.is_finite() => difference / truth.abs(),
            _ => f64::INFINITY,
        };
        numbers.iter().zip(truth).map(relative).fold(0.0, f64::max)
    }
}

fn counts(patients: &[Patient]) -> Vec<f64> {
    let malignant = patients.iter().filter(|patient| patient.malignant).count();
    vec![patients.len() as f64, malignant as f64]
}

fn column<T>(patients: &[Patient], of: fn(&Patient) -> T) -> Vec<T> {
    patients.iter().map(of).collect()
}

/// The class of a patient's radius. The rounding is towards zero, and radii are positive.
fn class(patient: &Patient) -> u32 {
    patient.radius as u32 / CLASS_WIDTH * CLASS_WIDTH
}

fn numbers(value: &Value) -> Option<Vec<f64>> {
    match value {
        Value::Array(array) => Some(array.to_f64().ok()?.into_owned()),
        _ => None,
    }
}

fn entries(result: &Value, keys: &[&str]) -> Option<Vec<f64>> {
    keys.iter().map(|key| result.entry(key)?.as_f64()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::data::sites;
    use super::*;

    #[test]
    fn every_patient_has_a_class() {
        for site in sites().unwrap() {
            assert!(site.patients.iter().all(|patient| CLASSES.contains(&class(patient))));
        }
    }

    #[test]
    fn every_figure_has_a_name() {
        let [site, ..] = sites().unwrap();
        for question in QUESTIONS.iter().filter(|question| !question.figures.is_empty()) {
            assert_eq!((question.truth)(&site.patients).len(), question.figures.len(), "{}", question.function);
        }
    }

    #[test]
    fn differences_are_relative_and_nothing_hides_one() {
        let difference = |numbers: &[f64], truth: &[f64]| Question::difference(numbers, truth);
        assert_eq!(difference(&[0.0, 5.0], &[0.0, 4.0]), 0.25);
        assert_eq!(difference(&[5.0, 4.0], &[4.0, 4.0]), 0.25);
        for (numbers, truth) in [(&[f64::NAN, 4.0][..], &[4.0, 4.0][..]), (&[4.0], &[4.0, 4.0]), (&[1.0], &[0.0])] {
            assert_eq!(difference(numbers, truth), f64::INFINITY, "{numbers:?}");
        }
    }
}
