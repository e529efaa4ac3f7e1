//! The node's surroundings on tokio.

use std::time::Instant;

use fsc_core::clock::{BoxFuture, Runtime, Time};
use tokio::runtime::Handle;

/// A [`Runtime`] on the tokio runtime that it was made in. Its methods may be called from any thread.
#[derive(Clone, Debug)]
pub struct TokioRuntime {
    start: Instant,
    handle: Handle,
}

impl TokioRuntime {
    /// The present runtime; its clock starts now.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[allow(clippy::new_without_default)] // a default that panics outside a runtime would surprise
    pub fn new() -> Self {
        Self { start: Instant::now(), handle: Handle::current() }
    }
}

impl Runtime for TokioRuntime {
    fn now(&self) -> Time {
        Time::from_start(self.start.elapsed())
    }

    fn sleep_until(&self, at: Time) -> BoxFuture<()> {
        // A moment too far for the system's clock never comes.
        let Some(at) = self.start.checked_add(at.since_start()) else { return Box::pin(std::future::pending()) };
        let _context = self.handle.enter();
        Box::pin(tokio::time::sleep_until(at.into()))
    }

    fn spawn(&self, task: BoxFuture<()>) {
        self.handle.spawn(task);
    }

    /// On the runtime's blocking threads, which single-threaded runtimes have too.
    fn offload(&self, work: Box<dyn FnOnce() + Send>) -> BoxFuture<()> {
        let done = self.handle.spawn_blocking(work);
        Box::pin(async move {
            if done.await.is_err() {
                tracing::error!("offloaded work panicked, or the runtime is shutting down");
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn sleep_ends_at_its_time_and_not_before() {
        let runtime = TokioRuntime::new();
        let at = runtime.now() + Duration::from_millis(20);
        runtime.sleep_until(at).await;
        assert!(runtime.now() >= at);
        runtime.sleep_until(Time::START).await;
    }

    #[tokio::test]
    async fn offloaded_work_leaves_a_single_thread_free() {
        let runtime = TokioRuntime::new();
        let (ticked, seen) = std::sync::mpsc::channel();
        let done = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&done);
        let work = runtime.offload(Box::new(move || {
            seen.recv_timeout(Duration::from_secs(5)).expect("the I/O thread runs meanwhile");
            flag.store(true, Ordering::SeqCst);
        }));
        runtime.spawn(Box::pin(async move { ticked.send(()).unwrap() }));
        work.await;
        assert!(done.load(Ordering::SeqCst));
    }

    #[tokio::test]
    async fn work_that_panics_completes() {
        TokioRuntime::new().offload(Box::new(|| panic!("on purpose"))).await;
    }

    #[test]
    fn other_threads_may_use_it() {
        let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
        let runtime = tokio.block_on(async { TokioRuntime::new() });
        let sleep = runtime.sleep_until(runtime.now() + Duration::from_millis(1));
        tokio.block_on(sleep);
    }
}
