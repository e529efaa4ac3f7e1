//! Services that register themselves, as another crate would do it: without linkme among its dependencies.

use std::collections::BTreeMap;
use std::sync::Arc;

use fsc_core::object::Object;
use fsc_core::registry::{Description, Environment, Registry, RegistryError, Service};
use fsc_core::sim::HandClock;
use fsc_core::value::Value;

struct Greeter(&'static str);

impl Object for Greeter {
    fn kind(&self) -> &'static str {
        self.0
    }
}

fn build(_: &Arc<Environment>) -> Arc<dyn Object> {
    Arc::new(Greeter("greeter"))
}

mod elsewhere {
    use super::{Arc, Description, Greeter};

    fsc_core::register_service!(pub(crate) GREETER, "Greeter", || describe("Greeter"), super::build);
    fsc_core::register_service!(ANSWERER, "Answerer", || describe("Answerer"), |_| Arc::new(Greeter("answerer")));

    pub(crate) fn describe(name: &str) -> Description {
        Description::new([("namespace", "test"), ("microservice", name)])
    }
}

fn environment() -> Arc<Environment> {
    fsc_core::sim::environment(HandClock::new())
}

#[test]
fn registered_services_are_discovered_in_the_order_of_their_names() {
    let registry = Registry::discover(&environment()).expect("two services");
    let names: Vec<_> = registry.entries().iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, ["Answerer", "Greeter"]);
}

#[test]
fn discovered_services_are_found_by_description() {
    let registry = Registry::discover(&environment()).expect("two services");
    let wanted = BTreeMap::from([("microservice".to_owned(), Value::Text("Greeter".to_owned()))]);
    assert_eq!(registry.find(&wanted).expect("a greeter").object.kind(), "greeter");
}

#[test]
fn the_same_service_twice_is_refused() {
    let twice: [Service; 2] = [elsewhere::GREETER; 2];
    let error = Registry::of(&twice, &environment()).expect_err("twice the same");
    assert_eq!(error, RegistryError::SameName { name: "Greeter".to_owned() });
}
