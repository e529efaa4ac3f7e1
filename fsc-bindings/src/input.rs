//! What comes in as pointers, and goes out through them.

use std::ffi::{CStr, c_char};
use std::mem::MaybeUninit;
use std::ptr;
use std::slice;

use crate::fault::Fault;
use crate::status::Status;

/// A text of that length is as long as its first NUL says: `FSC_TERMINATED` in C.
pub const TERMINATED: usize = usize::MAX;

/// A text that ends with NUL.
///
/// # Safety
/// `text` is null, or points to bytes of which one is NUL, and which stay as they are for `'a`.
pub(crate) unsafe fn text<'a>(text: *const c_char, name: &str) -> Result<&'a str, Fault> {
    // SAFETY: Our own contract.
    unsafe { optional_text(text, name) }?.ok_or_else(|| Fault::argument(name, "must not be null"))
}

/// A text that ends with NUL, or none.
///
/// # Safety
/// As for [`text`].
pub(crate) unsafe fn optional_text<'a>(text: *const c_char, name: &str) -> Result<Option<&'a str>, Fault> {
    if text.is_null() {
        return Ok(None);
    }
    // SAFETY: It is not null, and the caller says that it ends with NUL.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_str().map(Some).map_err(|_| Fault::argument(name, "is not UTF-8"))
}

/// A text of a length, or one that ends with NUL.
///
/// # Safety
/// `text` is null, or points to `length` bytes, or to bytes of which one is NUL if `length` is [`TERMINATED`]; they stay as they are
/// for `'a`.
pub(crate) unsafe fn sized_text<'a>(text: *const c_char, length: usize, name: &str) -> Result<&'a str, Fault> {
    if length == TERMINATED {
        // SAFETY: Our own contract.
        return unsafe { self::text(text, name) };
    }
    // SAFETY: Our own contract.
    let bytes = unsafe { array(text.cast::<u8>(), length, name) }?;
    std::str::from_utf8(bytes).map_err(|_| Fault::argument(name, "is not UTF-8"))
}

/// An array of `count` items; null is one of none.
///
/// # Safety
/// `items` is null, or points to `count` items that stay as they are for `'a`, if there can be so many.
pub(crate) unsafe fn array<'a, T: Copy>(items: *const T, count: usize, name: &str) -> Result<&'a [T], Fault> {
    if count == 0 {
        return Ok(&[]);
    }
    if items.is_null() {
        return Err(Fault::argument(name, "must not be null"));
    }
    if count > isize::MAX as usize / size_of::<T>().max(1) {
        return Err(Fault::argument(name, "can't be so long: no memory holds it"));
    }
    if !items.is_aligned() {
        return Err(Fault::argument(name, "is not aligned"));
    }
    // SAFETY: It is neither null nor too long nor misaligned, and the caller says that it is there.
    Ok(unsafe { slice::from_raw_parts(items, count) })
}

/// Where a function puts what it answers.
pub(crate) struct Out<T>(*mut T);

impl<T: Copy + Default> Out<T> {
    /// The place, which holds nothing of use until something is put there.
    ///
    /// # Safety
    /// `place` is null, or may be written as long as the function runs.
    pub(crate) unsafe fn new(place: *mut T, name: &str) -> Result<Self, Fault> {
        if place.is_null() {
            return Err(Fault::argument(name, "must not be null"));
        }
        // SAFETY: It is not null, and the caller says that it may be written.
        unsafe { place.write(T::default()) };
        Ok(Self(place))
    }

    /// Puts an answer there.
    pub(crate) fn put(self, answer: T) {
        // SAFETY: As when this was made.
        unsafe { self.0.write(answer) };
    }
}

/// A pointer that is put out.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Pointer<T>(pub(crate) *const T);

impl<T> Default for Pointer<T> {
    fn default() -> Self {
        Self(ptr::null())
    }
}

/// Copies as many items as there is room for.
///
/// # Safety
/// `place` is not null, and there is room for `capacity` items.
pub(crate) unsafe fn fill<T: Copy>(place: *mut T, capacity: usize, items: &[T]) {
    // SAFETY: There is room for no more than that, and nobody else has this place.
    unsafe { ptr::copy_nonoverlapping(items.as_ptr(), place, items.len().min(capacity)) };
}

/// A structure that may grow: its first field says how long it is at the caller's.
///
/// # Safety
/// Only for structures that begin with a `size: usize` and are good when they are all zero.
pub(crate) unsafe trait Grown: Copy {
    /// How long it was in the first version of the interface.
    const FIRST: usize;
}

/// A structure, or none. Fields that the caller does not know are zero; those that this library does not know must be.
///
/// # Safety
/// `given` is null, or points to a structure of which as many bytes are there as its first field says.
pub(crate) unsafe fn grown<T: Grown>(given: *const T, name: &str) -> Result<Option<T>, Fault> {
    if given.is_null() {
        return Ok(None);
    }
    // SAFETY: All such structures begin with their size, and that much is there.
    let size = unsafe { given.cast::<usize>().read_unaligned() };
    if size < T::FIRST || size > 4096 {
        return Err(Fault::argument(name, "has the wrong size: set its first field to sizeof the structure"));
    }
    // SAFETY: So many bytes are there.
    let bytes = unsafe { slice::from_raw_parts(given.cast::<u8>(), size) };
    if bytes.iter().skip(size_of::<T>()).any(|byte| *byte != 0) {
        let why = format!("{name} asks for what this library is too old for");
        return Err(Fault::new(Status::Unsupported, why));
    }
    let mut whole = MaybeUninit::<T>::zeroed();
    // SAFETY: So many bytes are there on both sides.
    unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), whole.as_mut_ptr().cast(), size.min(size_of::<T>())) };
    // SAFETY: Such structures are good when they are zero, and what was copied over is the caller's.
    Ok(Some(unsafe { whole.assume_init() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[repr(C)]
    #[derive(Clone, Copy)]
    struct Pair {
        size: usize,
        one: u64,
        /// Came later.
        other: u64,
    }

    // SAFETY: It begins with its size, and its numbers may be zero.
    unsafe impl Grown for Pair {
        const FIRST: usize = 16;
    }

    #[test]
    fn what_an_older_caller_does_not_know_is_zero() {
        let pair = Pair { size: 16, one: 7, other: 9 };
        // SAFETY: It is a whole one.
        let read = unsafe { grown(&raw const pair, "pair") }.unwrap().unwrap();
        assert_eq!((read.one, read.other), (7, 0));
    }

    #[test]
    fn what_a_newer_caller_knows_must_not_be_asked_for() {
        let mut long = [0_usize; 8];
        long[0] = size_of_val(&long);
        // SAFETY: It is as long as it says.
        let read =
            |long: &[usize; 8]| unsafe { grown(long.as_ptr().cast::<Pair>(), "pair") }.map(|pair| pair.is_some());
        assert!(read(&long).unwrap());
        long[5] = 1;
        assert_eq!(read(&long).unwrap_err().status, Status::Unsupported);
    }

    #[test]
    fn sizes_that_no_version_has_are_refused() {
        for size in [0, 7, 8, 15, 5000] {
            let pair = Pair { size, one: 0, other: 0 };
            // SAFETY: Nothing but the size is read of one that is too small or too large.
            assert!(unsafe { grown(&raw const pair, "pair") }.is_err());
        }
    }

    #[test]
    fn lengths_that_no_memory_has_are_refused() {
        let item = 1.0_f64;
        // SAFETY: It is not looked at.
        let refused = unsafe { array(&raw const item, usize::MAX / 2, "numbers") };
        assert!(refused.unwrap_err().message.contains("numbers can't be so long"));
    }
}
