//! Something to call that costs nothing itself.

use fsc_core::bus::Step;
use fsc_core::methods;
use fsc_core::registry::Description;
use fsc_core::value::{Arguments, Value};

/// Adds numbers to its own.
pub struct Adder(pub i64);

impl Adder {
    fn add(&self, one: i64, other: i64) -> i64 {
        self.0 + one + other
    }
}

methods!(Adder, "adder", { add(one, other) });

/// What an adder is found by.
pub fn describe() -> Description {
    Description::new([("microservice", "Adder")])
}

/// create → attribute → call → download of 40 and 2.
pub fn chain() -> Vec<Step> {
    vec![
        Step::Create([("microservice".to_owned(), "Adder".into())].into()),
        Step::Attribute("add".to_owned()),
        Step::Call(Arguments::from([Value::Int(40), Value::Int(2)])),
        Step::Download,
    ]
}
