//! The seams to the outside: time, timers, tasks, and randomness.
//!
//! Nothing else in this crate, and nothing in a protocol, reads a clock or asks the operating system for
//! randomness; clippy's `disallowed-methods` holds us to it.

use std::future::Future;
use std::ops::{Add, Sub};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// A moment, as the time since an arbitrary start that all users of one clock share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(Duration);

impl Time {
    /// The clock's own start.
    pub const START: Self = Self(Duration::ZERO);

    /// The moment that lies `since_start` after the clock's start.
    pub const fn from_start(since_start: Duration) -> Self {
        Self(since_start)
    }

    /// How long after the clock's start this moment is.
    pub const fn since_start(self) -> Duration {
        self.0
    }

    /// How long after `earlier` this moment is; zero if it is not.
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(span))
    }
}

impl Sub<Duration> for Time {
    type Output = Self;

    fn sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(span))
    }
}

/// A future without a name, as it passes the seams of this crate.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What a node needs of its surroundings: the time, timers, and somebody to poll its tasks.
///
/// `fsc-transport` has one on tokio; tests drive one by hand.
pub trait Runtime: Send + Sync + 'static {
    /// The present.
    fn now(&self) -> Time;

    /// Completes when `at` has come; at once if it has passed.
    fn sleep_until(&self, at: Time) -> BoxFuture<()>;

    /// Polls `task` to its end, beside everything else.
    fn spawn(&self, task: BoxFuture<()>);

    /// Runs CPU-heavy `work` where it does not hold up I/O, and completes when it is done.
    fn offload(&self, work: Box<dyn FnOnce() + Send>) -> BoxFuture<()>;
}

impl<R: Runtime + ?Sized> Runtime for Arc<R> {
    fn now(&self) -> Time {
        (**self).now()
    }

    fn sleep_until(&self, at: Time) -> BoxFuture<()> {
        (**self).sleep_until(at)
    }

    fn spawn(&self, task: BoxFuture<()>) {
        (**self).spawn(task);
    }

    fn offload(&self, work: Box<dyn FnOnce() + Send>) -> BoxFuture<()> {
        (**self).offload(work)
    }
}

/// Fills `bytes` with the operating system's randomness: the one place that asks for it.
///
/// # Panics
/// If the operating system has none to give. A node without randomness must not run.
#[allow(clippy::disallowed_methods)]
pub fn fill_random(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the operating system provides randomness");
}

/// An array of the operating system's randomness.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    fill_random(&mut bytes);
    bytes
}
