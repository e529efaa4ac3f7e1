//! The wrapper for what must not leak.

/// A value that is private to this party: it has no `Debug`, no `Display` and no `Serialize`, so it is not printed,
/// logged or sent by accident. Protocols turn it into shares; only those travel.
///
/// ```
/// use fsc_core::secret::Secret;
/// assert_eq!(Secret::new(42).map(|age| age + 1).into_inner(), 43);
/// ```
///
/// It can't be printed:
///
/// ```compile_fail
/// use fsc_core::secret::Secret;
/// println!("{:?}", Secret::new(42));
/// ```
///
/// nor serialised:
///
/// ```compile_fail
/// use fsc_core::secret::Secret;
/// fn sends<T: serde::Serialize>(_: T) {}
/// sends(Secret::new(42));
/// ```
pub struct Secret<T>(T);

impl<T> Secret<T> {
    /// Wraps a private value.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value, for the computation that needs it.
    pub const fn expose(&self) -> &T {
        &self.0
    }

    /// The value, for the computation that consumes it.
    pub fn into_inner(self) -> T {
        self.0
    }

    /// A private value made from this one.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Secret<U> {
        Secret(f(self.0))
    }

    /// A private value made from this one, if that succeeds. The error is not private.
    pub fn try_map<U, E>(self, f: impl FnOnce(T) -> Result<U, E>) -> Result<Secret<U>, E> {
        f(self.0).map(Secret)
    }
}
