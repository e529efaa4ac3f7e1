//! The statistics of the demo, made of sums only, so that a secure sum is all the cryptography they need.

use super::data::{FEATURES, Patient};

/// How many numbers a hospital puts into the first sum: patients, malignant ones, and a total per feature.
pub(super) const TOTALS: usize = 2 + FEATURES.len();

/// Two figures agree if they differ by no more than this, relative to the larger of 1 and their size.
const TOLERANCE: f64 = 1e-9;

/// The first sum: how many patients, how many malignant, and the total of each feature.
#[derive(Clone, Copy)]
pub(super) struct Totals {
    patients: f64,
    malignant: f64,
    features: [f64; FEATURES.len()],
}

impl Totals {
    pub(super) fn of(patients: &[Patient]) -> Self {
        let malignant = patients.iter().filter(|patient| patient.malignant).count();
        Self { patients: patients.len() as f64, malignant: malignant as f64, features: sum(patients, |_, x| x) }
    }

    pub(super) fn to_vec(self) -> Vec<f64> {
        [self.patients, self.malignant].into_iter().chain(self.features).collect()
    }

    pub(super) fn from_vec(numbers: &[f64]) -> Option<Self> {
        let numbers: &[f64; TOTALS] = numbers.try_into().ok()?;
        let [patients, malignant, features @ ..] = *numbers;
        Some(Self { patients, malignant, features })
    }

    pub(super) fn means(&self) -> [f64; FEATURES.len()] {
        self.features.map(|total| total / self.patients)
    }
}

/// The second sum: squared distances from the joint means. A pass of its own loses no digits, as raw squares would.
#[derive(Clone, Copy)]
pub(super) struct Squares(pub(super) [f64; FEATURES.len()]);

impl Squares {
    pub(super) fn around(means: [f64; FEATURES.len()], patients: &[Patient]) -> Self {
        Self(sum(patients, |feature, x| (x - means[feature]).powi(2)))
    }
}

/// What a hospital, or all of them together, know in the end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Figures {
    pub(super) patients: f64,
    /// The share of malignant cases.
    pub(super) malignant: f64,
    pub(super) features: [Moments; FEATURES.len()],
}

/// Mean and sample standard deviation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Moments {
    pub(super) mean: f64,
    pub(super) deviation: f64,
}

impl Figures {
    /// The figures of data that is all in one place.
    pub(super) fn of(patients: &[Patient]) -> Self {
        let totals = Totals::of(patients);
        Self::from_sums(&totals, Squares::around(totals.means(), patients))
    }

    pub(super) fn from_sums(totals: &Totals, squares: Squares) -> Self {
        let means = totals.means();
        let moments = |feature: usize| Moments {
            mean: means[feature],
            deviation: (squares.0[feature] / (totals.patients - 1.0)).sqrt(),
        };
        Self {
            patients: totals.patients,
            malignant: totals.malignant / totals.patients,
            features: std::array::from_fn(moments),
        }
    }

    /// All figures, in the order of the table.
    pub(super) fn values(&self) -> Vec<f64> {
        let moments = self.features.iter().flat_map(|moments| [moments.mean, moments.deviation]);
        [self.patients, self.malignant].into_iter().chain(moments).collect()
    }

    pub(super) fn agrees_with(&self, truth: &Self) -> bool {
        // Written so that NaN agrees with nothing.
        let close = |(ours, truth): (f64, f64)| (ours - truth).abs() <= TOLERANCE * truth.abs().max(1.0);
        self.values().into_iter().zip(truth.values()).all(close)
    }
}

/// Sums a term over all patients, for each feature.
fn sum(patients: &[Patient], term: impl Fn(usize, f64) -> f64) -> [f64; FEATURES.len()] {
    std::array::from_fn(|feature| patients.iter().map(|patient| term(feature, patient.features[feature])).sum())
}

#[cfg(test)]
mod tests {
    use super::super::data::sites;
    use super::*;

    /// Made with Python 3, in `fsc-node/data`; the last row is all sites together:
    ///
    /// ```python
    /// import csv, statistics
    /// sites = [list(csv.DictReader(open(f"site-{s}.csv"))) for s in "abc"]
    /// for rows in [*sites, sum(sites, [])]:
    ///     out = [len(rows), statistics.fmean(r["diagnosis"] == "malignant" for r in rows)]
    ///     for c in "mean_radius", "mean_texture", "mean_area":
    ///         x = [float(r[c]) for r in rows]
    ///         out += [statistics.fmean(x), statistics.stdev(x)]
    ///     print(out)
    /// ```
    #[rustfmt::skip]
    #[allow(clippy::unreadable_literal)] // as printed
    const BY_PYTHON: [[f64; 8]; 4] = [
        [212.0, 0.5188679245283019, 14.342910377358491, 3.514825778412526, 19.005896226415093, 3.7658638414834287, 673.1132075471698, 342.2980542290584],
        [207.0, 0.32367149758454106, 14.190695652173913, 3.5787299177778813, 18.892560386473427, 4.466679628957459, 662.4454106280194, 364.0870029194325],
        [150.0, 0.23333333333333334, 13.735053333333331, 3.451661593425075, 20.238666666666667, 4.648935891330426, 618.7046666666666, 347.9069655662063],
        [569.0, 0.37258347978910367, 14.127291739894552, 3.5240488262120775, 19.289648506151142, 4.301035768166949, 654.8891036906855, 351.914129181653],
    ];

    #[test]
    fn figures_are_those_of_pythons_statistics() {
        let sites = sites().unwrap();
        let pooled: Vec<Patient> = sites.iter().flat_map(|site| site.patients.clone()).collect();
        let groups = sites.iter().map(|site| &site.patients).chain([&pooled]);
        for (patients, expected) in groups.zip(BY_PYTHON) {
            for (ours, theirs) in Figures::of(patients).values().into_iter().zip(expected) {
                assert!((ours - theirs).abs() <= 1e-12 * theirs, "{ours} is not {theirs}");
            }
        }
    }

    #[test]
    fn other_figures_do_not_agree() {
        let [site, ..] = sites().unwrap();
        let truth = Figures::of(&site.patients);
        assert!(truth.agrees_with(&truth));
        assert!(!Figures { malignant: truth.malignant + 2e-9, ..truth }.agrees_with(&truth));
        assert!(!Figures { malignant: f64::NAN, ..truth }.agrees_with(&truth));
    }

    #[test]
    fn totals_survive_the_way() {
        let [site, ..] = sites().unwrap();
        let numbers = Totals::of(&site.patients).to_vec();
        assert_eq!(Totals::from_vec(&numbers).unwrap().to_vec(), numbers);
        assert!(Totals::from_vec(&numbers[1..]).is_none());
    }
}
