//! Where services keep what clients leave: bounded in number and bytes, and forgotten when nobody uses it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fsc_core::clock::{Runtime, Time};
use fsc_core::object::{Argument, Bound, ObjectError, Parameter};
use fsc_core::value::Value;

/// What a service keeps at most. One charge stands for one thing that a client left: a barrier, an arrival, a message, a
/// storage, a stored value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many things, over all clients.
    pub entries: usize,
    /// How many bytes, estimated, over all clients.
    pub bytes: usize,
    /// How long something is kept that nobody uses.
    pub idle: Duration,
}

/// A name that a client chose: an integer or a short text. As in Python, 1 and 1.0 are one name, 1 and "1" are two.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Integer(i128),
    Text(Box<str>),
}

impl Key {
    const MAX_BYTES: usize = 1024;
    /// Floats up to here that are integers are that integer, and no other.
    const EXACT: f64 = 9_007_199_254_740_992.0;

    pub(super) fn text(text: &str) -> Self {
        Self::Text(text.into())
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Integer(_) => 0,
            Self::Text(text) => text.len(),
        }
    }
}

impl Parameter for Key {
    fn take(bound: &mut Bound, name: &'static str) -> Result<Self, ObjectError> {
        match Value::take(bound, name)? {
            Value::Int(number) => Ok(Self::Integer(number)),
            Value::Float(number) if number.fract() == 0.0 && number.abs() <= Self::EXACT => {
                Ok(Self::Integer(number as i128))
            }
            Value::Text(text) if text.len() <= Self::MAX_BYTES => Ok(Self::Text(text.into())),
            Value::Text(_) => Err(ObjectError::argument(name, format!("is longer than {} bytes", Self::MAX_BYTES))),
            _ => Err(ObjectError::argument(name, "must be a text or an integer")),
        }
    }
}

/// What one service holds of its limits; shared by all its shelves.
pub(super) struct Budget {
    limits: Limits,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    entries: usize,
    bytes: usize,
}

impl Budget {
    pub(super) fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self { limits, held: Mutex::default() })
    }

    /// Makes room for an entry, or says which limit forbids it. Dropping the charge gives the room back.
    pub(super) fn charge(self: &Arc<Self>, key: &Key, content: usize) -> Result<Charge, ObjectError> {
        let mut held = lock(&self.held);
        if held.entries >= self.limits.entries {
            return Err(ObjectError::Limit { what: format!("{} entries in this service", self.limits.entries) });
        }
        let bytes = cost(key, content);
        held.bytes = self.fit(held.bytes, bytes)?;
        held.entries += 1;
        drop(held);
        Ok(Charge { budget: Arc::clone(self), bytes })
    }

    /// The bytes held with `more` on top, if that is within the limit.
    fn fit(&self, held: usize, more: usize) -> Result<usize, ObjectError> {
        held.checked_add(more)
            .filter(|bytes| *bytes <= self.limits.bytes)
            .ok_or_else(|| ObjectError::Limit { what: format!("{} bytes in this service", self.limits.bytes) })
    }
}

/// What an entry costs, beside its content and its name for the tables that it stands in.
fn cost(key: &Key, content: usize) -> usize {
    const OVERHEAD: usize = 128;
    content.saturating_add(key.bytes()).saturating_add(OVERHEAD)
}

/// One entry's part of a budget.
pub(super) struct Charge {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Charge {
    /// Charges for other content under the same name.
    fn replace(&mut self, key: &Key, content: usize) -> Result<(), ObjectError> {
        let mut held = lock(&self.budget.held);
        let bytes = cost(key, content);
        held.bytes = self.budget.fit(held.bytes - self.bytes, bytes)?;
        self.bytes = bytes;
        Ok(())
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        let mut held = lock(&self.budget.held);
        held.entries -= 1;
        held.bytes -= self.bytes;
    }
}

/// Things by name, each kept until nobody has used it for the idle time.
///
/// Expired things are gone at once for clients; their memory is freed by later calls, within a sixteenth of the idle time.
pub(super) struct Shelf<T> {
    budget: Arc<Budget>,
    runtime: Arc<dyn Runtime>,
    slots: BTreeMap<Key, Slot<T>>,
    next_sweep: Time,
}

struct Slot<T> {
    content: T,
    expires: Time,
    charge: Charge,
}

impl<T> Shelf<T> {
    pub(super) fn new(budget: &Arc<Budget>, runtime: &Arc<dyn Runtime>) -> Self {
        Self {
            budget: Arc::clone(budget),
            runtime: Arc::clone(runtime),
            slots: BTreeMap::new(),
            next_sweep: Time::START,
        }
    }

    /// The thing of that name; this counts as a use.
    pub(super) fn find(&mut self, key: &Key) -> Option<&mut T> {
        let now = self.sweep();
        let slot = self.slots.get_mut(key).filter(|slot| slot.expires > now)?;
        slot.expires = now + self.budget.limits.idle;
        Some(&mut slot.content)
    }

    /// Puts a thing of `bytes` there, in place of an older one of that name. If there is no room, the older one stays.
    pub(super) fn put(&mut self, key: Key, content: T, bytes: usize) -> Result<(), ObjectError> {
        let expires = self.sweep() + self.budget.limits.idle;
        if let Some(slot) = self.slots.get_mut(&key) {
            slot.charge.replace(&key, bytes)?;
            slot.content = content;
            slot.expires = expires;
        } else {
            let charge = self.budget.charge(&key, bytes)?;
            self.slots.insert(key, Slot { content, expires, charge });
        }
        Ok(())
    }

    /// Takes the thing of that name away.
    pub(super) fn take(&mut self, key: &Key) -> Option<T> {
        let now = self.sweep();
        self.slots.remove(key).filter(|slot| slot.expires > now).map(|slot| slot.content)
    }

    /// Forgets what has expired, a few times per idle time; returns the present.
    fn sweep(&mut self) -> Time {
        let now = self.runtime.now();
        if now >= self.next_sweep {
            self.slots.retain(|_, slot| slot.expires > now);
            self.next_sweep = now + self.budget.limits.idle / 16;
        }
        now
    }
}

/// Locks, also after a panic elsewhere: everything behind these locks is whole between any two statements.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How many bytes of memory an argument takes, estimated from above; an object that is no output counts as a reference.
pub(crate) fn size(argument: &Argument) -> usize {
    match argument {
        Argument::Value(value) => value_size(value),
        Argument::Object(_) => 0,
    }
}

pub(crate) fn value_size(value: &Value) -> usize {
    let content = match value {
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Uint(_) | Value::Float(_) | Value::Handle(_) => 0,
        Value::Text(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        // No element is wider than 128 bits.
        Value::Array(array) => array.len().saturating_mul(16),
        Value::List(items) => items.iter().map(value_size).sum(),
        Value::Map(entries) => {
            entries.iter().map(|(key, value)| size_of::<String>() + key.len() + value_size(value)).sum()
        }
    };
    size_of::<Value>() + content
}

#[cfg(test)]
mod tests {
    use super::*;
    use fsc_core::sim::HandClock;

    const LIMITS: Limits = Limits { entries: 3, bytes: 1000, idle: Duration::from_secs(160) };

    fn shelf() -> (Shelf<u8>, Arc<HandClock>) {
        let clock = HandClock::new();
        let runtime: Arc<dyn Runtime> = clock.clone();
        (Shelf::new(&Budget::new(LIMITS), &runtime), clock)
    }

    fn key(number: i128) -> Key {
        Key::Integer(number)
    }

    #[test]
    fn entries_are_bounded_and_room_comes_back() {
        let (mut shelf, _) = shelf();
        for number in 0..3 {
            shelf.put(key(number), 0, 0).unwrap();
        }
        assert!(matches!(shelf.put(key(3), 0, 0), Err(ObjectError::Limit { .. })));
        assert!(shelf.put(key(2), 1, 0).is_ok(), "a replacement needs no new room");
        assert_eq!(shelf.take(&key(2)), Some(1));
        assert!(shelf.put(key(3), 0, 0).is_ok());
    }

    #[test]
    fn bytes_are_bounded_and_a_refused_replacement_keeps_the_old() {
        let (mut shelf, _) = shelf();
        shelf.put(key(0), 1, 800).unwrap();
        assert!(matches!(shelf.put(key(1), 1, 0), Err(ObjectError::Limit { .. })));
        assert!(shelf.put(key(0), 2, 870).is_ok(), "the old content's room counts");
        assert!(matches!(shelf.put(key(0), 3, 900), Err(ObjectError::Limit { .. })));
        assert!(matches!(shelf.put(key(0), 3, usize::MAX), Err(ObjectError::Limit { .. })));
        assert_eq!(shelf.find(&key(0)), Some(&mut 2));
    }

    #[test]
    fn unused_things_expire_and_use_renews() {
        let (mut shelf, clock) = shelf();
        shelf.put(key(0), 0, 0).unwrap();
        shelf.put(key(1), 1, 0).unwrap();
        clock.advance(Duration::from_secs(159));
        assert!(shelf.find(&key(1)).is_some());
        clock.advance(Duration::from_secs(1));
        assert_eq!(shelf.find(&key(0)), None);
        assert_eq!(shelf.take(&key(0)), None);
        clock.advance(Duration::from_secs(150));
        assert_eq!(shelf.find(&key(1)), Some(&mut 1));
    }

    #[test]
    fn expired_things_give_their_room_back() {
        let (mut shelf, clock) = shelf();
        for number in 0..3 {
            shelf.put(key(number), 0, 0).unwrap();
        }
        clock.advance(LIMITS.idle);
        assert!(shelf.put(key(3), 0, 0).is_ok());
        assert_eq!(lock(&shelf.budget.held).entries, 1);
    }

    #[test]
    fn dropping_a_shelf_gives_its_room_back() {
        let (mut shelf, _) = shelf();
        shelf.put(Key::text("name"), 0, 100).unwrap();
        let budget = Arc::clone(&shelf.budget);
        drop(shelf);
        let held = lock(&budget.held);
        assert_eq!((held.entries, held.bytes), (0, 0));
    }

    #[test]
    fn sizes_cover_what_values_hold() {
        let text = |length| Argument::Value(Value::List(vec![Value::Text("x".repeat(length))]));
        assert_eq!(size(&text(1000)) - size(&text(0)), 1000);
        assert!(size(&text(0)) >= 2 * size_of::<Value>());
    }
}
