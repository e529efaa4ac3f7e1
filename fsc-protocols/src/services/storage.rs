//! Storages of values by key, for what clients want to keep on a node between calls.
//!
//! Storages have names, and `default` is one. Values and storages that nobody uses for a day are forgotten. An object that
//! is no output can be stored too: what comes back is the object, never its data.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use fsc_core::clock::Runtime;
use fsc_core::methods;
use fsc_core::object::{Argument, Object, ObjectError};
use fsc_core::registry::{Description, Environment};

use super::shelf::{Budget, Key, Limits, Shelf, lock, size};

/// What the service keeps at most; storages and values are entries.
pub const LIMITS: Limits = Limits { entries: 1 << 16, bytes: 256 << 20, idle: Duration::from_hours(24) };

/// What clients find the service by.
pub fn describe() -> Description {
    Description::new([
        ("namespace", "federatedsecure"),
        ("plugin", "Util"),
        ("version", "0.6.0"),
        ("microservice", "KeyValueStorage"),
    ])
}

/// The service.
pub fn build(environment: &Arc<Environment>) -> Arc<dyn Object> {
    Arc::new(KeyValueStorage::new(Arc::clone(&environment.runtime), LIMITS))
}

/// The service "`KeyValueStorage`": creates and deletes storages.
pub struct KeyValueStorage {
    budget: Arc<Budget>,
    runtime: Arc<dyn Runtime>,
    storages: Mutex<Shelf<Shelf<Argument>>>,
}

impl KeyValueStorage {
    /// The service with other limits.
    pub fn new(runtime: Arc<dyn Runtime>, limits: Limits) -> Self {
        let budget = Budget::new(limits);
        Self { storages: Mutex::new(Shelf::new(&budget, &runtime)), budget, runtime }
    }

    fn create(self: Arc<Self>, storage: Option<Key>) -> Result<Arc<Storage>, ObjectError> {
        let name = storage.unwrap_or_else(default_name);
        let mut storages = lock(&self.storages);
        if storages.find(&name).is_none() {
            storages.put(name.clone(), Shelf::new(&self.budget, &self.runtime), 0)?;
        }
        drop(storages);
        Ok(Arc::new(Storage { service: self, name }))
    }

    /// Deletes a storage with all that is in it. The default one is always there, if only empty.
    fn delete(&self, storage: Option<Key>) -> Result<(), ObjectError> {
        let name = storage.unwrap_or_else(default_name);
        match lock(&self.storages).take(&name) {
            None if name != default_name() => Err(unknown("a storage of that name")),
            _ => Ok(()),
        }
    }
}

methods!(KeyValueStorage, "key-value storage service", { create(storage), delete(storage) });

/// A storage, as clients hold it: its name.
struct Storage {
    service: Arc<KeyValueStorage>,
    name: Key,
}

impl Storage {
    fn store(&self, key: Key, value: Argument) -> Result<(), ObjectError> {
        let bytes = size(&value);
        self.with(|values| values.put(key, value, bytes))
    }

    /// The value; nothing if there is none.
    fn retrieve(&self, key: Key) -> Result<Option<Argument>, ObjectError> {
        self.with(|values| Ok(values.find(&key).cloned()))
    }

    fn exists(&self, key: Key) -> Result<bool, ObjectError> {
        self.with(|values| Ok(values.find(&key).is_some()))
    }

    fn delete(&self, key: Key) -> Result<(), ObjectError> {
        self.with(|values| values.take(&key).map(drop).ok_or_else(|| unknown("a value of that key")))
    }

    fn with<T>(&self, act: impl FnOnce(&mut Shelf<Argument>) -> Result<T, ObjectError>) -> Result<T, ObjectError> {
        let mut storages = lock(&self.service.storages);
        act(storages
            .find(&self.name)
            .ok_or_else(|| unknown("the storage; it was deleted, or not used for too long"))?)
    }
}

methods!(Storage, "key-value storage", { store(key, value), retrieve(key), exists(key), delete(key) });

fn default_name() -> Key {
    Key::text("default")
}

fn unknown(what: &str) -> ObjectError {
    ObjectError::NotFound { what: what.to_owned() }
}

#[cfg(test)]
mod tests {
    use fsc_core::object::Reply;
    use fsc_core::value::Value;

    use super::*;
    use fsc_core::sim::HandClock;

    use crate::services::testing::{Secret, call, call_with, is_limit, is_not_found, object, text, value};

    fn service() -> (Arc<dyn Object>, Arc<HandClock>) {
        let clock = HandClock::new();
        (Arc::new(KeyValueStorage::new(clock.clone(), LIMITS)), clock)
    }

    #[test]
    fn what_is_stored_is_retrieved() {
        let (service, _) = service();
        let storage = object(call(&service, "create", &[]));
        assert!(matches!(call(&storage, "retrieve", &[text("k")]), Ok(Reply::None)));
        assert!(value(call(&storage, "exists", &[text("k")])) == Value::Bool(false));
        assert!(matches!(call(&storage, "store", &[text("k"), Value::Int(1)]), Ok(Reply::None)));
        call(&storage, "store", &[text("k"), Value::Int(2)]).unwrap();
        assert!(value(call(&storage, "retrieve", &[text("k")])) == Value::Int(2));
        assert!(value(call(&storage, "exists", &[text("k")])) == Value::Bool(true));
    }

    #[test]
    fn storages_of_one_name_are_one_and_others_are_apart() {
        let (service, _) = service();
        let unnamed = object(call(&service, "create", &[]));
        let default = object(call(&service, "create", &[text("default")]));
        let other = object(call(&service, "create", &[text("other")]));
        call(&unnamed, "store", &[Value::Int(1), text("x")]).unwrap();
        assert!(value(call(&default, "retrieve", &[Value::Int(1)])) == text("x"));
        assert!(matches!(call(&other, "retrieve", &[Value::Int(1)]), Ok(Reply::None)));
    }

    #[test]
    fn deleted_and_unknown_keys_and_storages_are_not_found() {
        let (service, _) = service();
        let storage = object(call(&service, "create", &[text("mine")]));
        call(&storage, "store", &[text("k"), Value::Int(1)]).unwrap();
        call(&storage, "delete", &[text("k")]).unwrap();
        assert!(is_not_found(&call(&storage, "delete", &[text("k")])));
        call(&service, "delete", &[text("mine")]).unwrap();
        assert!(is_not_found(&call(&service, "delete", &[text("mine")])));
        assert!(is_not_found(&call(&storage, "retrieve", &[text("k")])));
        assert!(call(&service, "delete", &[]).is_ok(), "there is always a default storage");
    }

    #[test]
    fn deleting_a_storage_deletes_what_is_in_it() {
        let (service, _) = service();
        let storage = object(call(&service, "create", &[]));
        call(&storage, "store", &[text("k"), Value::Int(1)]).unwrap();
        call(&service, "delete", &[]).unwrap();
        let again = object(call(&service, "create", &[]));
        assert!(value(call(&again, "exists", &[text("k")])) == Value::Bool(false));
    }

    #[test]
    fn a_stored_object_stays_an_object() {
        let (service, _) = service();
        let storage = object(call(&service, "create", &[]));
        call_with(&storage, "store", vec![Argument::Value(text("k")), Argument::of(Arc::new(Secret))]).unwrap();
        let reply = call(&storage, "retrieve", &[text("k")]);
        assert!(matches!(reply, Ok(Reply::Object(object)) if object.kind() == "secret" && object.content().is_none()));
    }

    #[test]
    fn a_secret_is_not_compared_with_keys() {
        let (service, _) = service();
        let storage = object(call(&service, "create", &[]));
        call(&storage, "store", &[Value::Int(42), Value::Null]).unwrap();
        let probe = call_with(&storage, "exists", vec![Argument::of(Arc::new(Secret))]);
        assert!(matches!(probe, Err(ObjectError::InvalidArgument { name: "key", .. })), "42 must stay secret");
    }

    #[test]
    fn values_expire_each_on_its_own() {
        let (service, clock) = service();
        let storage = object(call(&service, "create", &[]));
        call(&storage, "store", &[text("old"), Value::Int(1)]).unwrap();
        call(&storage, "store", &[text("used"), Value::Int(2)]).unwrap();
        clock.advance(Duration::from_hours(23));
        assert!(value(call(&storage, "retrieve", &[text("used")])) == Value::Int(2));
        clock.advance(Duration::from_hours(1));
        assert!(value(call(&storage, "exists", &[text("old")])) == Value::Bool(false));
        assert!(value(call(&storage, "retrieve", &[text("used")])) == Value::Int(2));
    }

    #[test]
    fn all_storages_share_one_bound() {
        let runtime = HandClock::new();
        let service: Arc<dyn Object> = Arc::new(KeyValueStorage::new(runtime, Limits { bytes: 2000, ..LIMITS }));
        let first = object(call(&service, "create", &[text("first")]));
        let second = object(call(&service, "create", &[text("second")]));
        call(&first, "store", &[text("k"), text(&"x".repeat(1000))]).unwrap();
        assert!(is_limit(&call(&second, "store", &[text("k"), text(&"x".repeat(1000))])));
        call(&service, "delete", &[text("first")]).unwrap();
        assert!(call(&second, "store", &[text("k"), text(&"x".repeat(1000))]).is_ok());
    }
}
