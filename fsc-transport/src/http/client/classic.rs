//! Chains against a server that has none, such as the Python reference: the classic operations, one by one.

use fsc_core::bus::{Failure, Step};
use fsc_core::transport::{Answer, TransportError};
use fsc_core::value::Handle;

use super::calls::Call;
use super::pool::Pool;

/// What the steps so far have left.
#[derive(Clone, Copy)]
struct Current {
    handle: Handle,
    /// Whether this chain brought it up, so that this chain has to release it.
    ours: bool,
}

/// Runs `steps` one request each, and releases what lies between.
pub(super) async fn run(pool: &Pool, steps: &[Step]) -> Result<Answer, TransportError> {
    let mut current: Option<Current> = None;
    for (place, step) in steps.iter().enumerate() {
        if let (Step::Use(handle), None) = (step, current) {
            current = Some(Current { handle: *handle, ours: false });
            continue;
        }
        let outcome = one(pool, current, step).await;
        release(pool, current).await;
        match outcome? {
            Answer::Handle(handle) => current = Some(Current { handle, ours: !matches!(step, Step::Create(_)) }),
            answer if place + 1 == steps.len() => return Ok(answer),
            _ => return Err(refused(pool, "the chain goes on after a step that left nothing")),
        }
    }
    current.map(|current| Answer::Handle(current.handle)).ok_or_else(|| refused(pool, "the chain is empty"))
}

async fn one(pool: &Pool, current: Option<Current>, step: &Step) -> Result<Answer, TransportError> {
    let handle = current.map(|current| current.handle);
    if *step == Step::Release && handle.is_some_and(|handle| pool.is_shared(handle)) {
        return Ok(Answer::None);
    }
    let call = Call::classic(handle, step);
    let answer = pool.ask(&call.ok_or_else(|| refused(pool, "the chain's steps do not fit together"))?).await?;
    note(pool, step, &answer);
    Ok(answer)
}

/// Remembers what is never to be released. The reference answers everybody who creates with one and the same handle:
/// releasing it would take the object from all others.
pub(super) fn note(pool: &Pool, step: &Step, answer: &Answer) {
    if let (Step::Create(_), Answer::Handle(handle)) = (step, answer) {
        pool.share(*handle);
    }
}

async fn release(pool: &Pool, current: Option<Current>) {
    if let Some(Current { handle, ours: true }) = current
        && let Some(call) = Call::classic(Some(handle), &Step::Release)
    {
        // The chain's outcome is what the caller waits for; what is not released expires.
        let _ = pool.ask(&call).await;
    }
}

fn refused(pool: &Pool, why: &str) -> TransportError {
    TransportError::Refused { to: pool.to().clone(), failure: Failure::new(400, why) }
}
