//! Broadcasts: one party leaves a message under a name, the others fetch it.
//!
//! A message stays, and may be replaced, until it is deleted or nobody has asked for it for an hour.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use fsc_core::clock::Runtime;
use fsc_core::methods;
use fsc_core::object::{Argument, Object, ObjectError};
use fsc_core::registry::{Description, Environment};
use fsc_core::value::Value;

use super::shelf::{Budget, Key, Limits, Shelf, lock, size};

/// What the service keeps at most; messages are entries.
pub const LIMITS: Limits = Limits { entries: 1 << 16, bytes: 64 << 20, idle: Duration::from_hours(1) };

/// What clients find the service by.
pub fn describe() -> Description {
    Description::new([
        ("namespace", "federatedsecure"),
        ("plugin", "Sync"),
        ("version", "0.6.0"),
        ("microservice", "Broadcast"),
    ])
}

/// The service.
pub fn build(environment: &Arc<Environment>) -> Arc<dyn Object> {
    Arc::new(Broadcast::new(&environment.runtime, LIMITS))
}

/// The service "Broadcast": keeps the last message of each name.
pub struct Broadcast {
    messages: Mutex<Shelf<Argument>>,
}

impl Broadcast {
    /// The service with other limits.
    pub fn new(runtime: &Arc<dyn Runtime>, limits: Limits) -> Self {
        Self { messages: Mutex::new(Shelf::new(&Budget::new(limits), runtime)) }
    }

    /// Begins a broadcast: whatever was sent under this name before is gone.
    fn create(&self, uuid: Key) -> Result<(), ObjectError> {
        self.send(uuid, Argument::Value(Value::Null))
    }

    fn send(&self, uuid: Key, message: Argument) -> Result<(), ObjectError> {
        let bytes = size(&message);
        lock(&self.messages).put(uuid, message, bytes)
    }

    /// The message; nothing if there is none yet.
    fn receive(&self, uuid: Key) -> Option<Argument> {
        lock(&self.messages).find(&uuid).cloned()
    }

    fn delete(&self, uuid: Key) -> Result<(), ObjectError> {
        let message = lock(&self.messages).take(&uuid);
        message.map(drop).ok_or_else(|| ObjectError::NotFound { what: "a broadcast of that uuid".to_owned() })
    }
}

methods!(Broadcast, "broadcast service", { create(uuid), send(uuid, message), receive(uuid), delete(uuid) });

#[cfg(test)]
mod tests {
    use fsc_core::object::Reply;

    use super::*;
    use fsc_core::sim::HandClock;

    use crate::services::testing::{Secret, call, call_with, is_limit, is_not_found, text, value};

    fn service() -> (Arc<dyn Object>, Arc<HandClock>) {
        let clock = HandClock::new();
        let runtime: Arc<dyn Runtime> = clock.clone();
        (Arc::new(Broadcast::new(&runtime, LIMITS)), clock)
    }

    #[test]
    fn what_is_sent_is_received_by_all_and_again() {
        let (service, _) = service();
        assert!(matches!(call(&service, "create", &[text("run")]), Ok(Reply::None)));
        assert!(matches!(call(&service, "receive", &[text("run")]), Ok(Reply::None)), "nothing yet");
        call(&service, "send", &[text("run"), text("hello")]).unwrap();
        for _ in 0..2 {
            assert!(value(call(&service, "receive", &[text("run")])) == text("hello"));
        }
        assert!(matches!(call(&service, "receive", &[text("another run")]), Ok(Reply::None)));
    }

    #[test]
    fn a_new_message_replaces_the_old_and_create_begins_anew() {
        let (service, _) = service();
        call(&service, "send", &[Value::Int(1), Value::Int(10)]).unwrap();
        call(&service, "send", &[Value::Int(1), Value::Int(11)]).unwrap();
        assert!(value(call(&service, "receive", &[Value::Int(1)])) == Value::Int(11));
        call(&service, "create", &[Value::Int(1)]).unwrap();
        assert!(matches!(call(&service, "receive", &[Value::Int(1)]), Ok(Reply::None)));
    }

    #[test]
    fn deleted_and_unknown_broadcasts_are_not_found() {
        let (service, _) = service();
        call(&service, "send", &[text("run"), Value::Int(1)]).unwrap();
        call(&service, "delete", &[text("run")]).unwrap();
        assert!(matches!(call(&service, "receive", &[text("run")]), Ok(Reply::None)));
        assert!(is_not_found(&call(&service, "delete", &[text("run")])));
    }

    #[test]
    fn messages_are_forgotten_after_an_idle_hour() {
        let (service, clock) = service();
        call(&service, "send", &[text("run"), Value::Int(1)]).unwrap();
        clock.advance(LIMITS.idle);
        assert!(matches!(call(&service, "receive", &[text("run")]), Ok(Reply::None)));
    }

    #[test]
    fn large_messages_are_refused_and_the_old_one_stays() {
        let runtime: Arc<dyn Runtime> = HandClock::new();
        let service: Arc<dyn Object> = Arc::new(Broadcast::new(&runtime, Limits { bytes: 1000, ..LIMITS }));
        call(&service, "send", &[text("run"), Value::Int(1)]).unwrap();
        assert!(is_limit(&call(&service, "send", &[text("run"), text(&"x".repeat(1000))])));
        assert!(value(call(&service, "receive", &[text("run")])) == Value::Int(1));
    }

    #[test]
    fn a_broadcast_object_stays_an_object() {
        let (service, _) = service();
        let arguments = vec![Argument::Value(text("run")), Argument::of(Arc::new(Secret))];
        call_with(&service, "send", arguments).unwrap();
        let reply = call(&service, "receive", &[text("run")]);
        assert!(matches!(reply, Ok(Reply::Object(object)) if object.kind() == "secret" && object.content().is_none()));
    }
}
