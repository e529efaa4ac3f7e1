//! The protocols and services of a node.
//!
//! ```text
//!   services     Simon: compute, create_task, join_task     Barrier  Broadcast  KeyValueStorage
//!                  │ by name
//!   protocols    SecureSum  MinimumMaximum  KthElement  SecureMedian
//!                StatisticsUnivariate  StatisticsBivariate  StatisticsFrequency  StatisticsContingency
//!                SecureMatrixMultiplication  StatisticsRegressionOLSVertical
//!                  │
//!   circuit      products of shared bits, comparisons, signs of sums      preprocessing  triples, by OT or a dealer
//!                  │
//!   sharing      additive and binary shares, pairwise masks
//!                  │
//!   algebra      Z/2^64, Z/2^128, GF(2^128), fixed point, bits
//! ```
//!
//! * [`algebra`]: exact arithmetic that shares live in; [`sharing`]: how a secret becomes shares.
//! * [`sum`], [`minimum_maximum`], [`kth_element`], [`median`], [`univariate`], [`bivariate`], [`frequency`], [`contingency`],
//!   [`matrix_product`], [`ols`]:
//!   the protocols, one module each, beside its paper; [`search`], [`tally`], [`union`](mod@union): what they share.
//! * [`circuit`], [`preprocessing`], [`ot`]: computing on shared bits, and what that consumes.
//! * [`simon`] and [`services`]: what clients call.
//!
//! A program that uses this crate finds everything in it through `fsc_core`'s registries. Because a linker drops what
//! nobody mentions, such a program calls [`link`] once; static libraries need it, others do no harm with it.

pub mod algebra;
pub mod bivariate;
pub mod circuit;
pub mod contingency;
pub mod data;
#[cfg(test)]
mod exact;
pub mod frequency;
pub mod key;
pub mod kth_element;
pub mod linear;
pub mod matrix_product;
pub mod median;
pub mod minimum_maximum;
mod moments;
pub mod ols;
pub mod order;
pub mod ot;
pub mod preprocessing;
mod results;
pub mod search;
pub mod services;
pub mod sharing;
pub mod simon;
pub mod sum;
pub mod tally;
pub mod union;
pub mod univariate;

/// The one list of what this crate offers: it expands to the registries' elements, to [`link`], and to their names.
macro_rules! catalogue {
    (
        protocols { $($protocol_element:ident: $protocol:ty;)* }
        services { $($service_element:ident: $name:literal, $($module:ident)::+;)* }
    ) => {
        $(fsc_core::register_protocol!($protocol_element, $protocol);)*
        $(fsc_core::register_service!($service_element, $name, $($module)::+::describe, $($module)::+::build);)*

        /// The names of this crate's protocols, whether or not a linker kept them.
        pub const PROTOCOLS: &[&str] = &[$(<$protocol as fsc_core::protocol::Protocol>::NAME),*];

        /// The names of this crate's services, whether or not a linker kept them.
        pub const SERVICES: &[&str] = &[$($name),*];

        /// Makes the linker keep every protocol and service of this crate, also in a static library.
        pub fn link() {
            $(std::hint::black_box(&$protocol_element);)*
            $(std::hint::black_box(&$service_element);)*
        }
    };
}

catalogue! {
    protocols {
        KTH_ELEMENT: kth_element::KthElement;
        MINIMUM_MAXIMUM: minimum_maximum::MinimumMaximum;
        SECURE_MATRIX_MULTIPLICATION: matrix_product::SecureMatrixMultiplication;
        SECURE_MEDIAN: median::SecureMedian;
        SECURE_SUM: sum::SecureSum;
        STATISTICS_BIVARIATE: bivariate::StatisticsBivariate;
        STATISTICS_CONTINGENCY: contingency::StatisticsContingency;
        STATISTICS_FREQUENCY: frequency::StatisticsFrequency;
        STATISTICS_REGRESSION_OLS_VERTICAL: ols::StatisticsRegressionOLSVertical;
        STATISTICS_UNIVARIATE: univariate::StatisticsUnivariate;
    }
    services {
        SIMON: "Simon", simon;
        BARRIER: "Barrier", services::barrier;
        BROADCAST: "Broadcast", services::broadcast;
        STORAGE: "KeyValueStorage", services::storage;
    }
}

/// The README's example, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
