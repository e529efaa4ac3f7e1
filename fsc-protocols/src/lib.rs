//! The protocols and services of a node.
//!
//! ```text
//!   services     Simon: compute, create_task, join_task     Barrier  Broadcast  KeyValueStorage
//!                  │ by name
//!   protocols    SecureSum
//!                  │
//!   sharing      additive shares, pairwise masks
//!                  │
//!   algebra      Z/2^64, Z/2^128, fixed point
//! ```
//!
//! * [`algebra`]: exact arithmetic that shares live in; [`sharing`]: how a secret becomes shares.
//! * [`sum`]: the protocols, one module each, beside its paper.
//! * [`simon`] and [`services`]: what clients call.
//!
//! A program that uses this crate finds everything in it through `fsc_core`'s registries. Because a linker drops what
//! nobody mentions, such a program calls [`link`] once; static libraries need it, others do no harm with it.

pub mod algebra;
pub mod circuit;
pub mod data;
pub mod linear;
pub mod matrix_product;
pub mod ols;
pub mod ot;
pub mod preprocessing;
pub mod services;
pub mod sharing;
pub mod simon;
pub mod sum;

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
        SECURE_MATRIX_MULTIPLICATION: matrix_product::SecureMatrixMultiplication;
        SECURE_SUM: sum::SecureSum;
        STATISTICS_REGRESSION_OLS_VERTICAL: ols::StatisticsRegressionOLSVertical;
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
