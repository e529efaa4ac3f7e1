//! What the other end of a line asks, and who answers it.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, Weak};

use bytes::Bytes;
use fsc_core::bus::{Failure, Principal};
use fsc_core::transport::{Handler, Origin};
use tokio::task::AbortHandle;

use super::codec;
use super::config::LineConfig;
use super::line::Shared;
use super::link::StreamId;
use super::mux::Kind;

/// The node behind all lines of a transport. It usually holds the transport, so it is not held.
#[derive(Clone, Default)]
pub(super) struct Service {
    handler: Arc<RwLock<Option<Weak<dyn Handler>>>>,
}

impl Service {
    pub(super) fn set<H: Handler>(&self, handler: &Arc<H>) {
        let handler: Weak<H> = Arc::downgrade(handler);
        *self.handler.write().unwrap_or_else(PoisonError::into_inner) = Some(handler);
    }

    /// Answers a question on a task of its own, that may be aborted.
    pub(super) fn serve(&self, line: Arc<Shared>, stream: StreamId, kind: Kind, message: Bytes) -> AbortHandle {
        let service = self.clone();
        let serving = tokio::spawn(async move {
            // Not before: a runtime that is shutting down drops its tasks at once, and then the line is locked.
            let unanswered = Unanswered { line, stream, is_answered: false };
            let answer = match kind {
                Kind::Request => service.request(&unanswered.line, message).await,
                _ => service.mail(message),
            };
            unanswered.answer(answer);
        });
        serving.abort_handle()
    }

    fn handler(&self) -> Result<Arc<dyn Handler>, Failure> {
        let handler = self.handler.read().unwrap_or_else(PoisonError::into_inner).as_ref().and_then(Weak::upgrade);
        handler.ok_or_else(|| Failure::new(503, "no node serves this end of the line"))
    }

    /// Whether questions of this kind are taken from the other end of the line at all.
    pub(super) fn admits(&self, kind: Kind, config: &LineConfig) -> Result<(), Failure> {
        let handler = self.handler()?;
        match kind {
            Kind::Request => principal(config).map(|_| ()),
            _ => handler.admits(Origin::Remote),
        }
    }

    async fn request(&self, line: &Shared, message: Bytes) -> Result<(Kind, Bytes), Failure> {
        let handler = self.handler()?;
        let principal = principal(&line.config)?;
        let request = codec::request(message, line.config.values).await?;
        let response = handler.request(principal, request).await?;
        Ok((Kind::Answer, codec::response_to_bytes(response)?))
    }

    fn mail(&self, batch: Bytes) -> Result<(Kind, Bytes), Failure> {
        let handler = self.handler()?;
        handler.admits(Origin::Remote)?;
        let life = handler.mail(Origin::Remote, batch)?;
        Ok((Kind::Life, Bytes::copy_from_slice(&life.0)))
    }
}

/// Who is at the other end, the line can't tell: its configuration does.
fn principal(config: &LineConfig) -> Result<&Principal, Failure> {
    config.principal.as_ref().ok_or_else(|| {
        Failure::new(403, "this end of the line takes mail only: its configuration names no principal for requests")
    })
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").finish_non_exhaustive()
    }
}

/// A question that must have an answer, even if its handler panics.
struct Unanswered {
    line: Arc<Shared>,
    stream: StreamId,
    is_answered: bool,
}

impl Unanswered {
    fn answer(mut self, answer: Result<(Kind, Bytes), Failure>) {
        self.is_answered = true;
        let (kind, message) = answer.unwrap_or_else(|failure| (Kind::Failure, codec::failure_to_bytes(&failure)));
        if let Err(fault) = self.line.reply(self.stream, kind, message) {
            self.fail(&Failure::new(413, format!("the answer can't be sent: {fault}")));
        }
    }

    fn fail(&self, failure: &Failure) {
        // A failure is short; an end that does not take even that gets nothing.
        let _ = self.line.reply(self.stream, Kind::Failure, codec::failure_to_bytes(failure));
    }
}

impl Drop for Unanswered {
    fn drop(&mut self) {
        if !self.is_answered {
            self.fail(&Failure::new(500, "the request was not finished"));
        }
    }
}
