//! The top-level objects of a node: what clients can find by description.
//!
//! A service registers itself with one line, wherever it is written:
//!
//! ```
//! use std::sync::Arc;
//!
//! use fsc_core::object::Object;
//! use fsc_core::registry::{Description, Environment};
//!
//! struct Greeter;
//!
//! impl Object for Greeter {
//!     fn kind(&self) -> &'static str {
//!         "greeter"
//!     }
//! }
//!
//! fn describe() -> Description {
//!     Description::new([("namespace", "example"), ("microservice", "Greeter"), ("version", "1.0.0")])
//! }
//!
//! fn build(_: &Arc<Environment>) -> Arc<dyn Object> {
//!     Arc::new(Greeter)
//! }
//!
//! fsc_core::register_service!(GREETER, "Greeter", describe, build);
//! # fn main() {}
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use linkme::distributed_slice;

use crate::bus::Failure;
use crate::bus::policy::Policy;
use crate::clock::Runtime;
use crate::object::Object;
use crate::protocol::Catalogue;
use crate::runs::Runs;
use crate::value::Value;

/// The services that are linked into this program; [`register_service!`](crate::register_service) adds to them.
#[distributed_slice]
pub static SERVICES: [Service];

/// A service that a node offers as a top-level object.
#[derive(Clone, Copy, Debug)]
pub struct Service {
    /// Its name; no two services of a program have the same.
    pub name: &'static str,
    /// What clients find it by.
    pub describe: fn() -> Description,
    /// Makes it, once per node.
    pub build: fn(&Arc<Environment>) -> Arc<dyn Object>,
}

/// What a service may use of its node.
pub struct Environment {
    /// Time, timers and tasks.
    pub runtime: Arc<dyn Runtime>,
    /// Where runs are started.
    pub runs: Arc<Runs>,
    /// What the operator allows.
    pub policy: Arc<dyn Policy>,
    /// What can be computed.
    pub protocols: Arc<Catalogue>,
}

/// Adds a [`Service`] to every node of the programs that this crate is linked into.
///
/// `register_service!(NAME, "Name", describe, build)` defines a static `NAME`; put a visibility before it if a
/// function elsewhere has to touch it, so that a static library keeps it.
#[macro_export]
macro_rules! register_service {
    ($visibility:vis $ident:ident, $name:expr, $describe:expr, $build:expr $(,)?) => {
        #[doc = concat!("The service ", $name, ", as nodes find it.")]
        #[$crate::linkme::distributed_slice($crate::registry::SERVICES)]
        #[linkme(crate = $crate::linkme)]
        $visibility static $ident: $crate::registry::Service =
            $crate::registry::Service { name: $name, describe: $describe, build: $build };
    };
}

/// What a top-level object is found by.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Description(BTreeMap<String, Value>);

impl Description {
    /// A description by texts.
    pub fn new<const N: usize>(entries: [(&str, &str); N]) -> Self {
        Self(entries.into_iter().map(|(key, text)| (key.to_owned(), Value::Text(text.to_owned()))).collect())
    }

    /// The same with one more entry, or another value for an entry.
    #[must_use]
    pub fn with(mut self, key: &str, value: Value) -> Self {
        self.0.insert(key.to_owned(), value);
        self
    }

    /// The entry of that name.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// Whether every requirement is an entry of this description.
    pub fn meets(&self, requirements: &BTreeMap<String, Value>) -> bool {
        requirements.iter().all(|(key, value)| self.get(key) == Some(value))
    }

    /// The description as a value, for listings.
    pub fn to_value(&self) -> Value {
        Value::Map(self.0.clone())
    }
}

/// A top-level object.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its name, by which entries are sorted.
    pub name: String,
    /// What clients find it by.
    pub description: Description,
    /// The object.
    pub object: Arc<dyn Object>,
}

/// The top-level objects of a node, sorted by name.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    entries: Vec<Entry>,
    list: Arc<Vec<Value>>,
}

impl Registry {
    /// All services that are linked into this program. An embedder without any begins with `Registry::default()`.
    pub fn discover(environment: &Arc<Environment>) -> Result<Self, RegistryError> {
        if SERVICES.is_empty() {
            return Err(RegistryError::NothingLinked);
        }
        Self::of(&SERVICES, environment)
    }

    /// These services.
    pub fn of(services: &[Service], environment: &Arc<Environment>) -> Result<Self, RegistryError> {
        services.iter().try_fold(Self::default(), |registry, service| {
            registry.with(service.name, (service.describe)(), (service.build)(environment))
        })
    }

    /// The same with one more object.
    pub fn with(
        mut self,
        name: &str,
        description: Description,
        object: Arc<dyn Object>,
    ) -> Result<Self, RegistryError> {
        let Err(place) = self.entries.binary_search_by(|entry| entry.name.as_str().cmp(name)) else {
            return Err(RegistryError::SameName { name: name.to_owned() });
        };
        if let Some(other) = self.entries.iter().find(|entry| entry.description == description) {
            return Err(RegistryError::SameDescription { one: other.name.clone(), other: name.to_owned() });
        }
        Arc::make_mut(&mut self.list).insert(place, description.to_value());
        self.entries.insert(place, Entry { name: name.to_owned(), description, object });
        Ok(self)
    }

    /// The first object by name whose description meets the requirements.
    pub fn find(&self, requirements: &BTreeMap<String, Value>) -> Result<&Entry, RegistryError> {
        self.entries.iter().find(|entry| entry.description.meets(requirements)).ok_or(RegistryError::NotFound)
    }

    /// The objects, sorted by name.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The descriptions, in the same order.
    pub fn list(&self) -> Arc<Vec<Value>> {
        self.list.clone()
    }
}

/// What is wrong with a registry, or with what is asked of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// No service is linked into this program.
    #[error(
        "no services are linked into this program: add `use fsc_protocols as _;` to it, \
         or call `fsc_protocols::link()` if it is made of a static library"
    )]
    NothingLinked,
    /// Two objects have the same name.
    #[error("two top-level objects are named {name:?}: rename one of them, or link its crate only once")]
    SameName {
        /// The name.
        name: String,
    },
    /// Two objects have the same description, so one of them could never be found.
    #[error("the top-level objects {one:?} and {other:?} have the same description")]
    SameDescription {
        /// The name of one.
        one: String,
        /// The name of the other.
        other: String,
    },
    /// No description meets the requirements.
    #[error("root object not available")]
    NotFound,
}

impl From<RegistryError> for Failure {
    fn from(error: RegistryError) -> Self {
        let code = match error {
            RegistryError::NotFound => 404,
            RegistryError::NothingLinked | RegistryError::SameName { .. } | RegistryError::SameDescription { .. } => {
                500
            }
        };
        Self::new(code, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Named(&'static str);

    impl Object for Named {
        fn kind(&self) -> &'static str {
            self.0
        }
    }

    fn registry(names: &[&'static str]) -> Result<Registry, RegistryError> {
        names
            .iter()
            .try_fold(Registry::default(), |registry, name| registry.with(name, describe(name), Arc::new(Named(name))))
    }

    fn describe(name: &str) -> Description {
        Description::new([("namespace", "test"), ("microservice", name)])
    }

    fn require(entries: &[(&str, &str)]) -> BTreeMap<String, Value> {
        entries.iter().map(|(key, text)| ((*key).to_owned(), Value::Text((*text).to_owned()))).collect()
    }

    fn found(registry: &Registry, requirements: &[(&str, &str)]) -> Result<&'static str, RegistryError> {
        registry.find(&require(requirements)).map(|entry| entry.object.kind())
    }

    #[test]
    fn entries_and_list_are_sorted_by_name() {
        let registry = registry(&["b", "c", "a"]).unwrap();
        assert_eq!(registry.entries().iter().map(|entry| &entry.name[..]).collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(*registry.list(), ["a", "b", "c"].map(|name| describe(name).to_value()));
    }

    #[test]
    fn the_list_is_made_once() {
        let registry = registry(&["a"]).unwrap();
        assert!(Arc::ptr_eq(&registry.list(), &registry.list()));
    }

    #[test]
    fn every_requirement_must_be_met() {
        let registry = registry(&["a", "b"]).unwrap();
        assert_eq!(found(&registry, &[("microservice", "b")]), Ok("b"));
        assert_eq!(found(&registry, &[("namespace", "test"), ("microservice", "b")]), Ok("b"));
        assert_eq!(found(&registry, &[("namespace", "else"), ("microservice", "b")]), Err(RegistryError::NotFound));
        assert_eq!(found(&registry, &[("microservice", "b"), ("version", "1")]), Err(RegistryError::NotFound));
    }

    #[test]
    fn the_first_by_name_is_found_if_several_match() {
        assert_eq!(found(&registry(&["b", "a"]).unwrap(), &[]), Ok("a"));
        assert_eq!(found(&Registry::default(), &[]), Err(RegistryError::NotFound));
    }

    #[test]
    fn names_and_descriptions_are_unique() {
        let error = registry(&["a", "b", "a"]).unwrap_err();
        assert_eq!(error, RegistryError::SameName { name: "a".to_owned() });
        let error = registry(&["a"]).unwrap().with("b", describe("a"), Arc::new(Named("b"))).unwrap_err();
        assert_eq!(error, RegistryError::SameDescription { one: "a".to_owned(), other: "b".to_owned() });
    }

    #[test]
    fn descriptions_tell_values_of_different_types_apart() {
        let description = Description::default().with("version", Value::Int(1));
        assert!(!description.meets(&require(&[("version", "1")])));
    }
}
