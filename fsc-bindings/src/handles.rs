//! Handles, as C programs hold them: numbers that name an entry of one table, so that a handle that was freed, made up, or of another
//! kind is an error and not undefined behaviour.

use std::any::Any;
use std::sync::{Arc, PoisonError, RwLock};

use crate::fault::Fault;
use crate::status::Status;

/// More handles than any program needs; one that leaks them gets an error that says so.
const MOST: usize = 1 << 24;

/// What handles of one kind name.
pub(crate) trait Kind: Any + Send + Sync {
    /// Part of each handle of the kind.
    const TAG: u8;
    /// The kind, for errors.
    const NAME: &'static str;
}

/// All handles.
pub(crate) static HANDLES: Handles = Handles(RwLock::new(Slots { slots: Vec::new(), free: Vec::new() }));

/// A handle is its kind (8 bits), its slot (24 bits), and which use of the slot it is (32 bits).
pub(crate) struct Handles(RwLock<Slots>);

struct Slots {
    slots: Vec<Slot>,
    /// Slots that hold nothing.
    free: Vec<usize>,
}

struct Slot {
    /// Zero is that of no handle.
    handle: u64,
    /// How often the slot was used.
    uses: u32,
    entry: Option<Arc<dyn Any + Send + Sync>>,
}

impl Handles {
    /// A new handle.
    pub(crate) fn insert<T: Kind>(&self, entry: Arc<T>) -> Result<u64, Fault> {
        let mut slots = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let slots = &mut *slots;
        let index = match slots.free.pop() {
            Some(index) => index,
            None if slots.slots.len() < MOST => {
                slots.slots.push(Slot { handle: 0, uses: 0, entry: None });
                slots.slots.len() - 1
            }
            None => {
                let why = format!("{MOST} handles are in use: free what is no longer needed");
                return Err(Fault::new(Status::Limit, why));
            }
        };
        let slot = &mut slots.slots[index];
        slot.uses = slot.uses.wrapping_add(1);
        slot.handle = u64::from(T::TAG) << 56 | (index as u64) << 32 | u64::from(slot.uses);
        slot.entry = Some(entry);
        Ok(slot.handle)
    }

    /// What a handle names.
    pub(crate) fn get<T: Kind>(&self, handle: u64) -> Result<Arc<T>, Fault> {
        let slots = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let slot = slots.slots.get(index(handle)).filter(|slot| slot.handle == handle);
        let entry = slot.and_then(|slot| slot.entry.clone());
        entry.and_then(|entry| entry.downcast().ok()).ok_or_else(|| stale::<T>(handle))
    }

    /// Takes a handle out. Nothing happens to the null handle.
    pub(crate) fn remove<T: Kind>(&self, handle: u64) -> Result<Option<Arc<T>>, Fault> {
        if handle == 0 {
            return Ok(None);
        }
        if handle >> 56 != u64::from(T::TAG) {
            return Err(stale::<T>(handle));
        }
        let mut slots = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let slot = slots.slots.get_mut(index(handle)).filter(|slot| slot.handle == handle);
        let entry = slot.and_then(|slot| {
            slot.handle = 0;
            slot.entry.take()
        });
        if entry.is_some() {
            slots.free.push(index(handle));
        }
        // What is freed may call back into this library.
        drop(slots);
        let entry = entry.ok_or_else(|| stale::<T>(handle))?;
        Ok(entry.downcast().ok())
    }

    /// Takes all handles out.
    pub(crate) fn clear(&self) {
        let mut slots = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let slots = &mut *slots;
        let mut debris = Vec::new();
        for (index, slot) in slots.slots.iter_mut().enumerate().filter(|(_, slot)| slot.handle != 0) {
            slot.handle = 0;
            debris.push(slot.entry.take());
            slots.free.push(index);
        }
    }

    /// How many handles there are.
    pub(crate) fn count(&self) -> usize {
        let slots = self.0.read().unwrap_or_else(PoisonError::into_inner);
        slots.slots.len() - slots.free.len()
    }
}

fn index(handle: u64) -> usize {
    (handle >> 32) as usize & (MOST - 1)
}

/// Why a handle names nothing of that kind.
fn stale<T: Kind>(handle: u64) -> Fault {
    let why = match handle {
        0 => "is null",
        _ if handle >> 56 == u64::from(T::TAG) => "was freed, or never was one",
        _ => "is a handle of another kind",
    };
    Fault::new(Status::InvalidHandle, format!("the {} {why}", T::NAME))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct One;
    #[derive(Debug)]
    struct Other;

    impl Kind for One {
        const TAG: u8 = 201;
        const NAME: &'static str = "one";
    }

    impl Kind for Other {
        const TAG: u8 = 202;
        const NAME: &'static str = "other";
    }

    fn table() -> Handles {
        Handles(RwLock::new(Slots { slots: Vec::new(), free: Vec::new() }))
    }

    #[test]
    fn a_handle_is_good_until_it_is_freed_and_once() {
        let table = table();
        let handle = table.insert(Arc::new(One)).unwrap();
        assert!(table.get::<One>(handle).is_ok());
        assert!(table.remove::<One>(handle).unwrap().is_some());
        assert!(table.get::<One>(handle).is_err());
        assert!(table.remove::<One>(handle).is_err());
        let next = table.insert(Arc::new(One)).unwrap();
        assert_ne!(next, handle, "the slot is used again, the handle is not");
        assert!(table.remove::<One>(handle).is_err());
        assert_eq!(table.count(), 1);
    }

    #[test]
    fn a_handle_of_another_kind_is_refused_and_stays() {
        let table = table();
        let handle = table.insert(Arc::new(One)).unwrap();
        assert!(table.get::<Other>(handle).unwrap_err().message.contains("another kind"));
        assert!(table.remove::<Other>(handle).is_err());
        assert!(table.get::<One>(handle).is_ok());
    }

    #[test]
    fn numbers_that_are_no_handles_are_refused() {
        let table = table();
        table.insert(Arc::new(One)).unwrap();
        for handle in [1, u64::MAX, 201 << 56, 201 << 56 | 1 << 32 | 1, 201 << 56 | 0x00ff_ffff << 32] {
            assert!(table.get::<One>(handle).is_err());
            assert!(table.remove::<One>(handle).is_err());
        }
        assert!(table.remove::<One>(0).unwrap().is_none());
        assert!(table.get::<One>(0).unwrap_err().message.contains("null"));
    }

    #[test]
    fn a_cleared_table_knows_no_handle() {
        let table = table();
        let handles = [(); 3].map(|()| table.insert(Arc::new(One)).unwrap());
        table.clear();
        assert!(handles.iter().all(|handle| table.get::<One>(*handle).is_err()));
        assert_eq!(table.count(), 0);
    }
}
