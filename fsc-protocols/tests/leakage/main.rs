//! Attacks that a fake would not withstand, on every function and, as negative controls, on protocols that are broken on
//! purpose: a claim that no mutant breaks tests nothing.
#![allow(clippy::unwrap_used)] // tests may panic, and so may what they are made of

/// Tests a claim on every example of `examples`, by name.
macro_rules! of_every_example {
    ($claim:path) => {
        crate::of_every_example! { $claim:
            sum minimum_maximum extremes_of_two_parties extremes_of_four_parties
            extremes_to_the_garbler extremes_to_the_evaluator
            kth_element kth_element_of_two median median_to_the_garbler univariate bivariate
            frequency frequency_by_book frequency_with_minimum frequency_with_minimum_of_two
            contingency contingency_by_book contingency_with_minimum contingency_with_minimum_of_two
            matrix_on_the_left matrix_on_the_right
            regressors dependent_variable columns_of_several columns_of_three errors_of_coefficients
        }
    };
    ($claim:path: $($example:ident)*) => {
        $(
            #[test]
            fn $example() {
                $claim(&crate::examples::$example());
            }
        )*

        /// A function that joins the catalogue is not to be forgotten here.
        #[test]
        fn every_function_is_among_them() {
            let named = [$(crate::examples::$example().function),*];
            assert!(fsc_protocols::PROTOCOLS.iter().all(|function| named.contains(function)));
        }
    };
}
pub(crate) use of_every_example;

mod coalition;
mod controls;
mod defaults;
mod examples;
mod openings;
mod reruns;
mod rounding;
mod sums;
mod suppression;
