//! Barriers, where parties wait for each other: a party says that it has arrived, and asks how many have.
//!
//! A barrier is known by its name, usually the uuid of the network; whoever creates it again gets the same one. Barriers
//! that nobody uses for an hour are forgotten.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fsc_core::clock::Runtime;
use fsc_core::methods;
use fsc_core::object::{Object, ObjectError};
use fsc_core::registry::{Description, Environment};

use super::shelf::{Budget, Charge, Key, Limits, Shelf, lock};

/// What the service keeps at most: barriers and parties at them are entries.
pub const LIMITS: Limits = Limits { entries: 1 << 16, bytes: 16 << 20, idle: Duration::from_hours(1) };

/// What clients find the service by.
pub fn describe() -> Description {
    Description::new([
        ("namespace", "federatedsecure"),
        ("plugin", "Sync"),
        ("version", "0.6.0"),
        ("microservice", "Barrier"),
    ])
}

/// The service.
pub fn build(environment: &Arc<Environment>) -> Arc<dyn Object> {
    Arc::new(Barrier::new(&environment.runtime, LIMITS))
}

/// The service "Barrier": creates and deletes barriers.
pub struct Barrier {
    budget: Arc<Budget>,
    barriers: Mutex<Shelf<Parties>>,
}

impl Barrier {
    /// The service with other limits.
    pub fn new(runtime: &Arc<dyn Runtime>, limits: Limits) -> Self {
        let budget = Budget::new(limits);
        Self { barriers: Mutex::new(Shelf::new(&budget, runtime)), budget }
    }

    fn create(self: Arc<Self>, uuid: Key) -> Result<Arc<BarrierInstance>, ObjectError> {
        let mut barriers = lock(&self.barriers);
        if barriers.find(&uuid).is_none() {
            barriers.put(uuid.clone(), Parties::default(), 0)?;
        }
        drop(barriers);
        Ok(Arc::new(BarrierInstance { service: self, uuid }))
    }

    fn delete(&self, uuid: Key) -> Result<(), ObjectError> {
        lock(&self.barriers).take(&uuid).map(drop).ok_or_else(unknown)
    }
}

methods!(Barrier, "barrier service", { create(uuid), delete(uuid) });

/// A barrier, as clients hold it: its name. All handles to one barrier see the same parties.
struct BarrierInstance {
    service: Arc<Barrier>,
    uuid: Key,
}

#[derive(Default)]
struct Parties {
    arrivals: BTreeMap<Key, Charge>,
    departures: BTreeMap<Key, Charge>,
}

impl BarrierInstance {
    /// A party has come; those who had left a barrier before are gone for good, so it can be used again.
    fn arrive(&self, party: Key) -> Result<(), ObjectError> {
        self.with(|parties, budget| {
            add(&mut parties.arrivals, party, budget)?;
            parties.departures.clear();
            Ok(())
        })
    }

    fn arrived(&self) -> Result<usize, ObjectError> {
        self.with(|parties, _| Ok(parties.arrivals.len()))
    }

    fn depart(&self, party: Key) -> Result<(), ObjectError> {
        self.with(|parties, budget| add(&mut parties.departures, party, budget))
    }

    fn departed(&self) -> Result<usize, ObjectError> {
        self.with(|parties, _| Ok(parties.departures.len()))
    }

    fn reset(&self) -> Result<(), ObjectError> {
        self.with(|parties, _| {
            parties.arrivals.clear();
            Ok(())
        })
    }

    fn with<T>(
        &self,
        act: impl FnOnce(&mut Parties, &Arc<Budget>) -> Result<T, ObjectError>,
    ) -> Result<T, ObjectError> {
        let mut barriers = lock(&self.service.barriers);
        act(barriers.find(&self.uuid).ok_or_else(unknown)?, &self.service.budget)
    }
}

methods!(BarrierInstance, "barrier", { arrive(party), arrived(), depart(party), departed(), reset() });

fn add(parties: &mut BTreeMap<Key, Charge>, party: Key, budget: &Arc<Budget>) -> Result<(), ObjectError> {
    if let Entry::Vacant(place) = parties.entry(party) {
        let charge = budget.charge(place.key(), 0)?;
        place.insert(charge);
    }
    Ok(())
}

fn unknown() -> ObjectError {
    ObjectError::NotFound { what: "a barrier of that uuid; it was deleted, or not used for too long".to_owned() }
}

#[cfg(test)]
mod tests {
    use fsc_core::value::Value;

    use super::*;
    use fsc_core::sim::HandClock;

    use crate::services::testing::{call, is_limit, is_not_found, object, text, value};

    fn service() -> (Arc<dyn Object>, Arc<HandClock>) {
        let clock = HandClock::new();
        let runtime: Arc<dyn Runtime> = clock.clone();
        (Arc::new(Barrier::new(&runtime, LIMITS)), clock)
    }

    fn count(barrier: &Arc<dyn Object>, method: &str) -> Value {
        value(call(barrier, method, &[]))
    }

    #[test]
    fn parties_meet_at_the_barrier_of_one_uuid() {
        let (service, _) = service();
        let alice = object(call(&service, "create", &[text("run")]));
        let bob = object(call(&service, "create", &[text("run")]));
        let other = object(call(&service, "create", &[text("another run")]));
        call(&alice, "arrive", &[Value::Int(0)]).unwrap();
        call(&bob, "arrive", &[text("bob")]).unwrap();
        assert!(count(&alice, "arrived") == Value::Int(2));
        assert!(count(&other, "arrived") == Value::Int(0));
    }

    #[test]
    fn a_party_counts_once() {
        let (service, _) = service();
        let barrier = object(call(&service, "create", &[Value::Int(7)]));
        for party in [Value::Int(1), Value::Int(1), Value::Float(1.0), text("1")] {
            call(&barrier, "arrive", &[party]).unwrap();
        }
        assert!(count(&barrier, "arrived") == Value::Int(2), "1 and \"1\"");
    }

    #[test]
    fn arriving_resets_departures_and_reset_forgets_arrivals() {
        let (service, _) = service();
        let barrier = object(call(&service, "create", &[text("run")]));
        call(&barrier, "arrive", &[Value::Int(0)]).unwrap();
        call(&barrier, "depart", &[Value::Int(0)]).unwrap();
        call(&barrier, "depart", &[Value::Int(1)]).unwrap();
        assert!(count(&barrier, "departed") == Value::Int(2));
        call(&barrier, "reset", &[]).unwrap();
        assert!(count(&barrier, "arrived") == Value::Int(0));
        assert!(count(&barrier, "departed") == Value::Int(2));
        call(&barrier, "arrive", &[Value::Int(0)]).unwrap();
        assert!(count(&barrier, "departed") == Value::Int(0));
    }

    #[test]
    fn deleted_barriers_are_unknown_until_created_again() {
        let (service, _) = service();
        let barrier = object(call(&service, "create", &[text("run")]));
        call(&barrier, "arrive", &[Value::Int(0)]).unwrap();
        call(&service, "delete", &[text("run")]).unwrap();
        assert!(is_not_found(&call(&service, "delete", &[text("run")])));
        assert!(is_not_found(&call(&barrier, "arrive", &[Value::Int(0)])));
        call(&service, "create", &[text("run")]).unwrap();
        assert!(count(&barrier, "arrived") == Value::Int(0));
    }

    #[test]
    fn barriers_are_forgotten_after_an_idle_hour_and_use_keeps_them() {
        let (service, clock) = service();
        let barrier = object(call(&service, "create", &[text("run")]));
        call(&barrier, "arrive", &[Value::Int(0)]).unwrap();
        clock.advance(Duration::from_mins(59));
        assert!(count(&barrier, "arrived") == Value::Int(1));
        clock.advance(Duration::from_mins(59));
        assert!(count(&barrier, "arrived") == Value::Int(1));
        clock.advance(Duration::from_hours(1));
        assert!(is_not_found(&call(&barrier, "arrived", &[])));
    }

    #[test]
    fn barriers_and_parties_are_bounded() {
        let runtime: Arc<dyn Runtime> = HandClock::new();
        let service: Arc<dyn Object> = Arc::new(Barrier::new(&runtime, Limits { entries: 3, ..LIMITS }));
        let barrier = object(call(&service, "create", &[Value::Int(0)]));
        call(&barrier, "arrive", &[Value::Int(0)]).unwrap();
        call(&barrier, "depart", &[Value::Int(0)]).unwrap();
        assert!(is_limit(&call(&barrier, "arrive", &[Value::Int(1)])));
        assert!(is_limit(&call(&service, "create", &[Value::Int(1)])));
        assert!(count(&barrier, "departed") == Value::Int(1), "a refused arrival changes nothing");
        call(&barrier, "reset", &[]).unwrap();
        assert!(call(&barrier, "arrive", &[Value::Int(1)]).is_ok());
    }

    #[test]
    fn names_are_texts_or_integers_and_short() {
        let (service, _) = service();
        for name in [Value::Null, Value::Float(0.5), Value::List(vec![]), text(&"x".repeat(1025))] {
            assert!(matches!(
                call(&service, "create", &[name]),
                Err(ObjectError::InvalidArgument { name: "uuid", .. })
            ));
        }
    }
}
