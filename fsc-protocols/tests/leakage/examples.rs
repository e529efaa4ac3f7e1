//! Every function of the catalogue, with data that a coalition must not be able to tell apart.

use fsc_core::protocol::{Catalogue, ErasedProtocol, Prepared, Submission};
use fsc_core::value::{Limits, Value, json};

/// A function, and all parties' data in two versions, which are the same at the coalition, in the result, and in all that the
/// function's documentation says it leaks; and as different as may be otherwise.
pub(crate) struct Example {
    /// Its name in the catalogue.
    pub(crate) function: &'static str,
    /// Preprocessing is never among them, so it is by oblivious transfer.
    pub(crate) parameters: &'static str,
    /// The places of the corrupt parties.
    pub(crate) coalition: &'static [usize],
    pub(crate) data: [&'static [&'static str]; 2],
    /// What the honest parties' privacy rests on.
    pub(crate) rests_on: Secret,
}

/// What honest parties have and a coalition has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Secret {
    /// What two honest parties have agreed on when they joined, from which masks come.
    Agreements,
    /// What an honest party draws.
    Draws,
    /// Its Δ, and the leaves that a sender of OTs lacks.
    Transfers,
}

impl Example {
    pub(crate) fn parties(&self) -> usize {
        self.data[0].len()
    }

    pub(crate) fn honest(&self) -> impl Iterator<Item = usize> {
        (0..self.parties()).filter(|place| !self.coalition.contains(place))
    }

    pub(crate) fn protocol(&self) -> &'static dyn ErasedProtocol {
        fsc_protocols::link();
        Catalogue::discover().unwrap().find(self.function).expect("it is in the catalogue")
    }

    /// All parties' parts of one version, in order of place.
    pub(crate) fn prepared(&self, version: usize) -> Vec<Prepared> {
        prepared(self.protocol(), self.parameters, self.data[version])
    }
}

/// All parties' parts in a run of that protocol on these data.
pub(crate) fn prepared(protocol: &dyn ErasedProtocol, parameters: &str, data: &[&str]) -> Vec<Prepared> {
    let parties = data.len();
    let part = |(me, data): (usize, &&str)| {
        let submission = Submission { data: value(data), parameters: value(parameters), parties, me };
        protocol.prepare(submission).unwrap_or_else(|error| panic!("{}, {data}: {error}", protocol.name()))
    };
    data.iter().enumerate().map(part).collect()
}

pub(crate) fn value(text: &str) -> Value {
    json::parse(text.as_bytes(), &Limits::default()).expect("JSON")
}

/// Where a coalition of n − 1 would know the last party's input by the result, the honest parties are two.
pub(crate) fn sum() -> Example {
    Example {
        function: "SecureSum",
        parameters: "null",
        coalition: &[2],
        data: [&["5", "7", "1"], &["-1000000.5", "1000012.5", "1"]],
        rests_on: Secret::Agreements,
    }
}

pub(crate) fn minimum_maximum() -> Example {
    Example {
        function: "MinimumMaximum",
        parameters: "null",
        coalition: &[1, 2],
        data: [&["[5, 5.5]", "[-2]", "[7]"], &["[-1.9375, 6e-300]", "[-2]", "[7]"]],
        rests_on: Secret::Draws,
    }
}

/// Whose the extremes are.
pub(crate) fn extremes_of_two_parties() -> Example {
    Example {
        function: "MinimumMaximum",
        parameters: "null",
        coalition: &[2],
        data: [&["[-2]", "[7, 3]", "[1]"], &["[7, 6.5]", "[-2]", "[1]"]],
        rests_on: Secret::Agreements,
    }
}

/// The same where two honest parties and two corrupt ones play a tournament.
pub(crate) fn extremes_of_four_parties() -> Example {
    Example {
        coalition: &[1, 3],
        data: [&["[-2]", "[1]", "[7, 3]", "[0.5]"], &["[7, 6.5]", "[1]", "[-2]", "[0.5]"]],
        ..extremes_of_two_parties()
    }
}

/// Elements beside the third of all.
const ELEMENTS: &str = r#"{"array": [3, 9, 9, 14], "rank": 3, "lower_bound": 0, "upper_bound": 15}"#;
const OTHER_ELEMENTS: &str = r#"{"array": [0, 9, 9, 15], "rank": 3, "lower_bound": 0, "upper_bound": 15}"#;
const THEIR_ELEMENTS: &str = r#"{"array": [1, 9], "rank": 3, "lower_bound": 0, "upper_bound": 15}"#;

pub(crate) fn kth_element() -> Example {
    const THIRD: &str = r#"{"array": [12], "rank": 3, "lower_bound": 0, "upper_bound": 15}"#;
    Example {
        function: "KthElement",
        parameters: r#"{"type": "int64"}"#,
        coalition: &[1, 2],
        data: [&[ELEMENTS, THEIR_ELEMENTS, THIRD], &[OTHER_ELEMENTS, THEIR_ELEMENTS, THIRD]],
        rests_on: Secret::Draws,
    }
}

/// Two parties compare by a garbled circuit, which this coalition garbles.
pub(crate) fn extremes_to_the_garbler() -> Example {
    Example {
        coalition: &[0],
        data: [&["[-2, 7]", "[5, 5.5]"], &["[-2, 7]", "[-1.9375, 6e-300]"]],
        rests_on: Secret::Transfers,
        ..minimum_maximum()
    }
}

/// This one evaluates it.
pub(crate) fn extremes_to_the_evaluator() -> Example {
    Example {
        coalition: &[1],
        data: [&["[5, 5.5]", "[-2, 7]"], &["[-1.9375, 6e-300]", "[-2, 7]"]],
        ..extremes_to_the_garbler()
    }
}

pub(crate) fn kth_element_of_two() -> Example {
    Example {
        coalition: &[1],
        data: [&[ELEMENTS, THEIR_ELEMENTS], &[OTHER_ELEMENTS, THEIR_ELEMENTS]],
        rests_on: Secret::Transfers,
        ..kth_element()
    }
}

/// How many numbers there are is not shown either. This coalition evaluates the garbled circuit.
pub(crate) fn median() -> Example {
    Example {
        function: "SecureMedian",
        parameters: "null",
        coalition: &[1],
        data: [&["[1, 100.25, -3]", "[2, -5]"], &["[1]", "[2, -5]"]],
        rests_on: Secret::Transfers,
    }
}

pub(crate) fn median_to_the_garbler() -> Example {
    Example { coalition: &[0], data: [&["[2, -5]", "[1, 100.25, -3]"], &["[2, -5]", "[1]"]], ..median() }
}

pub(crate) fn univariate() -> Example {
    Example {
        function: "StatisticsUnivariate",
        parameters: "null",
        coalition: &[2],
        data: [&["[-2, 7]", "[1, 0.1]", "[3.5]"], &["[]", "[0.1, 1, -2, 7]", "[3.5]"]],
        rests_on: Secret::Agreements,
    }
}

/// Points that are turned about the centre keep all sums of squares and products, so the coalition may be of n − 1.
pub(crate) fn bivariate() -> Example {
    const ONE: &str = "[[5, 0], [-5, 0], [0, 5], [0, -5]]";
    const OTHER: &str = "[[3, 4], [-3, -4], [4, -3], [-4, 3]]";
    Example {
        function: "StatisticsBivariate",
        parameters: "null",
        coalition: &[1, 2],
        data: [&[ONE, "[[10, 20]]", "[[-7, 1]]"], &[OTHER, "[[10, 20]]", "[[-7, 1]]"]],
        rests_on: Secret::Draws,
    }
}

/// Of two holders of a key, and of one that has it as often.
const HELD: &[&str] = &[r#"["a rare disease", "flu"]"#, r#"["flu", "flu"]"#, r#"["cold"]"#];
const HELD_OTHERWISE: &[&str] = &["[]", r#"["flu", "flu", "flu", "a rare disease"]"#, r#"["cold"]"#];

pub(crate) fn frequency() -> Example {
    Example {
        function: "StatisticsFrequency",
        parameters: "null",
        coalition: &[2],
        data: [HELD, HELD_OTHERWISE],
        rests_on: Secret::Agreements,
    }
}

pub(crate) fn frequency_by_book() -> Example {
    Example { parameters: r#"{"categories": ["a rare disease", "flu", "cold"]}"#, ..frequency() }
}

/// The count of what is suppressed is nobody's to know, so the coalition may be of n − 1.
pub(crate) fn frequency_with_minimum() -> Example {
    Example {
        parameters: r#"{"categories": ["flu", "cold"], "minimum_count": 4}"#,
        coalition: &[1, 2],
        data: [
            &[r#"["flu", "flu", "flu", "cold", "cold"]"#, r#"["flu"]"#, r#"["flu", "cold"]"#],
            &[r#"["flu", "flu", "flu"]"#, r#"["flu"]"#, r#"["flu", "cold"]"#],
        ],
        rests_on: Secret::Draws,
        ..frequency()
    }
}

/// Two parties' counts are compared by a garbled circuit, which this coalition evaluates.
pub(crate) fn frequency_with_minimum_of_two() -> Example {
    const THEIRS: &str = r#"["flu", "cold"]"#;
    Example {
        coalition: &[1],
        data: [&[r#"["flu", "flu", "flu", "cold", "cold"]"#, THEIRS], &[r#"["flu", "flu", "flu"]"#, THEIRS]],
        rests_on: Secret::Transfers,
        ..frequency_with_minimum()
    }
}

const PAIRS: &[&str] = &[r#"[["f", "x"], ["f", "y"]]"#, r#"[["f", "y"]]"#, r#"[["m", 1]]"#];
const PAIRS_OTHERWISE: &[&str] = &["[]", r#"[["f", "y"], ["f", "y"], ["f", "x"]]"#, r#"[["m", 1]]"#];

pub(crate) fn contingency() -> Example {
    Example { function: "StatisticsContingency", data: [PAIRS, PAIRS_OTHERWISE], ..frequency() }
}

pub(crate) fn contingency_by_book() -> Example {
    Example { parameters: r#"{"categories": [["f", "m"], ["x", "y", 1]]}"#, ..contingency() }
}

pub(crate) fn contingency_with_minimum() -> Example {
    Example {
        parameters: r#"{"categories": [["f", "m"], ["x"]], "minimum_count": 4}"#,
        coalition: &[1, 2],
        data: [
            &[r#"[["f", "x"], ["f", "x"], ["m", "x"], ["m", "x"]]"#, r#"[["f", "x"]]"#, r#"[["f", "x"], ["m", "x"]]"#],
            &[r#"[["f", "x"], ["f", "x"]]"#, r#"[["f", "x"]]"#, r#"[["f", "x"], ["m", "x"]]"#],
        ],
        rests_on: Secret::Draws,
        ..contingency()
    }
}

/// This coalition garbles it.
pub(crate) fn contingency_with_minimum_of_two() -> Example {
    const THEIRS: &str = r#"[["f", "x"], ["m", "x"]]"#;
    Example {
        coalition: &[0],
        data: [
            &[THEIRS, r#"[["f", "x"], ["f", "x"], ["f", "x"], ["m", "x"], ["m", "x"]]"#],
            &[THEIRS, r#"[["f", "x"], ["f", "x"], ["f", "x"]]"#],
        ],
        rests_on: Secret::Transfers,
        ..contingency_with_minimum()
    }
}

/// X·(1, −1)' is the same.
pub(crate) fn matrix_on_the_left() -> Example {
    Example {
        function: "SecureMatrixMultiplication",
        parameters: "null",
        coalition: &[1],
        data: [&["[[[3, 2]]]", "[[[1], [-1]]]"], &["[[[2.5, 1.5]]]", "[[[1], [-1]]]"]],
        rests_on: Secret::Transfers,
    }
}

pub(crate) fn matrix_on_the_right() -> Example {
    Example {
        coalition: &[0],
        data: [&["[[[1, -1]]]", "[[[3], [2]]]"], &["[[[1, -1]]]", "[[[2.5], [1.5]]]"]],
        ..matrix_on_the_left()
    }
}

/// Rows of X change places where y is the same. All lengths are powers of two, so nothing is rounded.
pub(crate) fn regressors() -> Example {
    const Y: &str = "[[1, 1, 0.5, 0.5, 0.25, 0.25, 0, 0]]";
    Example {
        function: "StatisticsRegressionOLSVertical",
        parameters: "{}",
        coalition: &[1],
        data: [&["[[[1], [0], [1], [0], [1], [0], [1], [0]]]", Y], &["[[[0], [1], [0], [1], [1], [0], [0], [1]]]", Y]],
        rests_on: Secret::Transfers,
    }
}

/// What y is beside its projection changes.
pub(crate) fn dependent_variable() -> Example {
    const X: &str = "[[[1], [1], [1], [1], [0], [0], [0], [0]]]";
    Example {
        coalition: &[0],
        data: [&[X, "[[1, 0.5, 0, 0.25, 0, 0, 0, 0]]"], &[X, "[[0.25, 0.75, 0.5, 0.25, 0.5, 0, 0, -0.5]]"]],
        ..regressors()
    }
}

/// Rows of X and y change places where the others' column is the same.
pub(crate) fn columns_of_several() -> Example {
    const ONE: &str = "[[[1], [1], [0], [1], [1], [0], [0], [0]], [1, 0.5, 0, 0.25, 0.5, 0, 0.25, 0]]";
    const OTHER: &str = "[[[0], [1], [1], [1], [0], [0], [1], [0]], [0, 1, 0.5, 0.25, 0.25, 0, 0.5, 0]]";
    const THEIRS: &str = "[[[1], [1], [1], [-1], [0], [0], [0], [0]]]";
    Example {
        parameters: r#"{"condition": 2}"#,
        coalition: &[1],
        data: [&[ONE, THEIRS], &[OTHER, THEIRS]],
        rests_on: Secret::Transfers,
        ..regressors()
    }
}

/// Rows of X change places where y and a third party's column are the same.
pub(crate) fn columns_of_three() -> Example {
    const ONE: &str = "[[[1], [1], [0], [1], [1], [0], [0], [0]]]";
    const OTHER: &str = "[[[0], [1], [1], [1], [0], [0], [1], [0]]]";
    const SECOND: &str = "[[[1], [1], [1], [-1], [0], [0], [0], [0]]]";
    const THIRD: &str = "[[0.5, 0.5, 0.5, 0.25, 0, 0, 0, 1]]";
    Example { coalition: &[1, 2], data: [&[ONE, SECOND, THIRD], &[OTHER, SECOND, THIRD]], ..columns_of_several() }
}

/// Numbers of y change places where both columns are the same, which their means and squares do not show.
pub(crate) fn errors_of_coefficients() -> Example {
    const SECOND: &str = "[[[2], [2], [0], [0], [1], [1], [1], [1]]]";
    const THIRD: &str = "[[[1.5], [0.5], [0.5], [0.5], [1.5], [-0.5], [-0.5], [0.5]]]";
    Example {
        parameters: r#"{"condition": 2, "details": true, "intercept": true}"#,
        data: [
            &["[[1, 0.5, 0, 0.25, 0.5, 0, 0.25, 0]]", SECOND, THIRD],
            &["[[1, 0.5, 0.25, 0, 0.5, 0.25, 0, 0]]", SECOND, THIRD],
        ],
        ..columns_of_three()
    }
}
