//! Handles, as C programs hold them: numbers that name an entry of one table, so that a handle that was freed, made up, or of another
//! kind is an error and not undefined behaviour.

use std::any::Any;
use std::collections::VecDeque;
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
pub(crate) static HANDLES: Handles = Handles::new();

/// A handle is its kind (8 bits), its slot (24 bits), and which use of the slot it is (32 bits).
pub(crate) struct Handles(RwLock<Slots>);

struct Slots {
    slots: Vec<Slot>,
    /// Slots that hold nothing, the one that was freed first in front: so a handle that was freed is known as such for long.
    free: VecDeque<usize>,
}

struct Slot {
    /// Zero is that of no handle.
    handle: u64,
    /// How often the slot was used.
    uses: u32,
    entry: Option<Arc<dyn Any + Send + Sync>>,
}

impl Slots {
    /// Takes out what a slot holds. One that can't make another handle that differs is not used again.
    fn vacate(&mut self, index: usize) -> Option<Arc<dyn Any + Send + Sync>> {
        let slot = self.slots.get_mut(index)?;
        slot.handle = 0;
        let entry = slot.entry.take()?;
        if slot.uses < u32::MAX {
            self.free.push_back(index);
        }
        Some(entry)
    }
}

impl Handles {
    const fn new() -> Self {
        Self(RwLock::new(Slots { slots: Vec::new(), free: VecDeque::new() }))
    }

    /// A new handle.
    pub(crate) fn insert<T: Kind>(&self, entry: Arc<T>) -> Result<u64, Fault> {
        let mut slots = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let slots = &mut *slots;
        let index = match slots.free.pop_front() {
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
        slot.uses += 1;
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
        let is_there = slots.slots.get(index(handle)).is_some_and(|slot| slot.handle == handle);
        let entry = if is_there { slots.vacate(index(handle)) } else { None };
        // What is freed may call back into this library.
        drop(slots);
        let entry = entry.ok_or_else(|| stale::<T>(handle))?;
        Ok(entry.downcast().ok())
    }

    /// Takes all handles out.
    pub(crate) fn clear(&self) {
        let mut slots = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let debris: Vec<_> = (0..slots.slots.len()).filter_map(|index| slots.vacate(index)).collect();
        // What is freed may call back into this library.
        drop(slots);
        drop(debris);
    }

    /// How many handles there are.
    pub(crate) fn count(&self) -> usize {
        let slots = self.0.read().unwrap_or_else(PoisonError::into_inner);
        slots.slots.iter().filter(|slot| slot.handle != 0).count()
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

    #[test]
    fn a_handle_is_good_until_it_is_freed_and_once() {
        let table = Handles::new();
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
        let table = Handles::new();
        let handle = table.insert(Arc::new(One)).unwrap();
        assert!(table.get::<Other>(handle).unwrap_err().message.contains("another kind"));
        assert!(table.remove::<Other>(handle).is_err());
        assert!(table.get::<One>(handle).is_ok());
    }

    #[test]
    fn numbers_that_are_no_handles_are_refused() {
        let table = Handles::new();
        table.insert(Arc::new(One)).unwrap();
        for handle in [1, u64::MAX, 201 << 56, 201 << 56 | 1 << 32 | 1, 201 << 56 | 0x00ff_ffff << 32] {
            assert!(table.get::<One>(handle).is_err());
            assert!(table.remove::<One>(handle).is_err());
        }
        assert!(table.remove::<One>(0).unwrap().is_none());
        assert!(table.get::<One>(0).unwrap_err().message.contains("null"));
    }

    #[test]
    fn a_slot_that_has_no_other_handle_to_give_is_not_used_again() {
        let table = Handles::new();
        let first = table.insert(Arc::new(One)).unwrap();
        table.0.write().unwrap().slots[0].uses = u32::MAX;
        table.remove::<One>(first).unwrap();
        let next = table.insert(Arc::new(One)).unwrap();
        assert_eq!((index(first), index(next)), (0, 1));
    }

    #[test]
    fn a_cleared_table_knows_no_handle() {
        let table = Handles::new();
        let handles = [(); 3].map(|()| table.insert(Arc::new(One)).unwrap());
        table.clear();
        assert!(handles.iter().all(|handle| table.get::<One>(*handle).is_err()));
        assert_eq!(table.count(), 0);
    }
}
