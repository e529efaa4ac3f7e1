//! Reading a body into one piece of memory, within bounds.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use fsc_core::bus::Failure;
use http_body::Body;
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until};

/// What is allocated on the word of a `Content-Length`; beyond it memory grows with what has come.
const TRUSTED: usize = 16 << 20;

/// How long a body may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// The longest silence.
    pub(super) patience: Duration,
    /// Bytes per second on average, after `patience`.
    pub(super) rate: u64,
    /// Whether somebody else polls a waiting body now and then, so that the first wait needs no timer.
    pub(super) watched: bool,
}

/// Why a body was not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum IntakeError {
    #[error("the body exceeds {bound} bytes")]
    TooLarge { bound: usize },
    #[error("the body came too slowly")]
    TooSlow,
    #[error("this server is reading {bound} bytes of bodies already; try again later")]
    Crowded { bound: usize },
    #[error("the body ended early, or is framed wrongly")]
    Broken,
}

impl From<IntakeError> for Failure {
    fn from(error: IntakeError) -> Self {
        let code = match error {
            IntakeError::TooLarge { .. } => 413,
            IntakeError::TooSlow => 408,
            IntakeError::Crowded { .. } => 503,
            IntakeError::Broken => 400,
        };
        Self::new(code, error.to_string())
    }
}

/// What the bodies of all connections together may take while they are read.
#[derive(Clone)]
pub(super) struct Space {
    taken: Arc<AtomicUsize>,
    bound: usize,
}

impl Space {
    pub(super) fn new(bound: usize) -> Self {
        Self { taken: Arc::default(), bound }
    }

    /// No bodies yet.
    fn room(&self) -> Room {
        Room { space: self.clone(), bytes: 0 }
    }
}

/// One body's part of the space; dropping it gives it back.
pub(super) struct Room {
    space: Space,
    bytes: usize,
}

impl Room {
    fn grow(&mut self, bytes: usize) -> Result<(), IntakeError> {
        self.bytes += bytes;
        let bound = self.space.bound;
        let taken = self.space.taken.fetch_add(bytes, Ordering::Relaxed) + bytes;
        // A body that is alone may be as large as its own bound says.
        if taken > bound && taken > self.bytes { Err(IntakeError::Crowded { bound }) } else { Ok(()) }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.space.taken.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Reads `body` to its end, at most `bound` bytes. A body that comes in one frame is not copied. The room is for the caller
/// to keep as long as it keeps the bytes.
pub(super) async fn collect(
    body: &mut Incoming,
    bound: usize,
    space: &Space,
    pace: Option<Pace>,
) -> Result<(Bytes, Room), IntakeError> {
    let mut room = space.room();
    if body.is_end_stream() {
        return Ok((Bytes::new(), room));
    }
    let claimed = body.size_hint().exact();
    if claimed.is_some_and(|claimed| claimed > bound as u64) {
        return Err(IntakeError::TooLarge { bound });
    }
    let mut gathered = Gathered { claimed, ..Gathered::default() };
    let mut clock = pace.map(Clock::new);
    poll_fn(|cx| poll_collect(body, bound, &mut room, &mut gathered, &mut clock, cx)).await?;
    Ok((gathered.finish(), room))
}

fn poll_collect(
    body: &mut Incoming,
    bound: usize,
    room: &mut Room,
    gathered: &mut Gathered,
    clock: &mut Option<Clock>,
    cx: &mut Context<'_>,
) -> Poll<Result<(), IntakeError>> {
    loop {
        match Pin::new(&mut *body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                // Trailers say nothing that we want to know.
                let Ok(data) = frame.into_data() else { continue };
                if data.len() > bound - gathered.len() {
                    return Poll::Ready(Err(IntakeError::TooLarge { bound }));
                }
                if let Err(crowded) = room.grow(data.len()) {
                    return Poll::Ready(Err(crowded));
                }
                gathered.push(data);
                if body.is_end_stream() {
                    return Poll::Ready(Ok(()));
                }
            }
            Poll::Ready(Some(Err(_))) => return Poll::Ready(Err(IntakeError::Broken)),
            Poll::Ready(None) => return Poll::Ready(Ok(())),
            Poll::Pending => {
                let late = clock.as_mut().is_some_and(|clock| clock.is_late(gathered.len(), cx));
                return if late { Poll::Ready(Err(IntakeError::TooSlow)) } else { Poll::Pending };
            }
        }
    }
}

/// What has come of a body: the only frame as it is, or all frames in one vector.
#[derive(Default)]
struct Gathered {
    claimed: Option<u64>,
    first: Bytes,
    whole: Vec<u8>,
}

impl Gathered {
    fn len(&self) -> usize {
        self.first.len() + self.whole.len()
    }

    fn push(&mut self, data: Bytes) {
        if self.len() == 0 {
            self.first = data;
            return;
        }
        if self.whole.is_empty() {
            self.reserve(self.first.len() + data.len());
            self.whole.extend_from_slice(&std::mem::take(&mut self.first));
        } else {
            self.reserve(data.len());
        }
        self.whole.extend_from_slice(&data);
    }

    /// Makes room for `more` bytes: as much as was claimed while that is little, else in proportion to what came.
    fn reserve(&mut self, more: usize) {
        if self.whole.capacity() - self.whole.len() >= more {
            return;
        }
        let needed = self.whole.len() + more;
        let grown = needed.max(2 * self.whole.len()).max(TRUSTED);
        let claimed = self.claimed.and_then(|claimed| usize::try_from(claimed).ok()).unwrap_or(needed.max(2 * needed));
        let target = grown.min(claimed).max(needed);
        self.whole.reserve_exact(target - self.whole.len());
    }

    fn finish(self) -> Bytes {
        if self.whole.is_empty() { self.first } else { self.whole.into() }
    }
}

/// Says when a body is late. A timer is set only if the body keeps us waiting.
struct Clock {
    pace: Pace,
    started: Option<Instant>,
    heard: Option<(usize, Instant)>,
    waits: u32,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Clock {
    fn new(pace: Pace) -> Self {
        Self { pace, started: None, heard: None, waits: 0, timer: None }
    }

    fn is_late(&mut self, received: usize, cx: &mut Context<'_>) -> bool {
        let now = Instant::now();
        let started = *self.started.get_or_insert(now);
        let heard = match self.heard {
            Some((before, at)) if before == received => at,
            _ => self.heard.insert((received, now)).1,
        };
        self.waits += 1;
        if self.pace.watched && self.waits == 1 {
            return false;
        }
        let earned = Duration::from_millis((received as u64).saturating_mul(1000) / self.pace.rate.max(1));
        let deadline = (heard + self.pace.patience).min(started + self.pace.patience + earned);
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if timer.deadline() != deadline {
            timer.as_mut().reset(deadline);
        }
        timer.as_mut().poll(cx).is_ready()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_frame_is_not_copied() {
        let frame = Bytes::from(vec![1; 100]);
        let place = frame.as_ptr();
        let mut gathered = Gathered::default();
        gathered.push(frame);
        assert_eq!(gathered.finish().as_ptr(), place);
    }

    #[test]
    fn bodies_together_have_a_bound_and_give_their_room_back() {
        let space = Space::new(100);
        let (mut one, mut other) = (space.room(), space.room());
        assert_eq!(one.grow(1000), Ok(()), "a body that is alone has its own bound");
        assert_eq!(other.grow(1), Err(IntakeError::Crowded { bound: 100 }));
        drop(one);
        assert_eq!(other.grow(99), Ok(()));
        drop(other);
        assert_eq!(space.taken.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn claims_are_not_trusted_far() {
        let mut gathered = Gathered { claimed: Some(1 << 40), ..Gathered::default() };
        gathered.push(Bytes::from(vec![1; 10]));
        gathered.push(Bytes::from(vec![2; 10]));
        assert!(gathered.whole.capacity() <= TRUSTED);
        let whole = gathered.finish();
        assert_eq!((whole.len(), whole[0], whole[19]), (20, 1, 2));
    }

    #[test]
    fn honest_claim_is_allocated_once() {
        let mut gathered = Gathered { claimed: Some(1 << 20), ..Gathered::default() };
        for _ in 0..16 {
            gathered.push(Bytes::from(vec![0; 1 << 16]));
        }
        assert_eq!((gathered.whole.len(), gathered.whole.capacity()), (1 << 20, 1 << 20));
    }
}
