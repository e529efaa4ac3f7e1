//! A transport that notes what a node sends to the others: the demo's figures of traffic are measured, not computed.

use std::iter::Sum;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use fsc_core::bus::Request;
use fsc_core::envelope::{Content, Envelope, Mail};
use fsc_core::transport::{Address, Answer, Assurance, Batch, Life, Transport, TransportError};
use fsc_transport::http::HttpTransport;

/// HTTP, tapped where mail leaves the node.
#[derive(Default)]
pub(super) struct Tap {
    http: HttpTransport,
    traffic: Mutex<Traffic>,
}

/// What nodes have sent to all others together, in attempts that failed too.
#[derive(Clone, Copy, Default)]
pub(super) struct Traffic {
    /// The protocol's messages.
    pub(super) messages: usize,
    /// Bytes of these messages.
    pub(super) payload: usize,
    /// Bytes of everything: envelopes, and the hellos by which parties agree on what to compute.
    pub(super) bytes: usize,
    /// The first number of the first message, as it travelled.
    pub(super) first_number: Option<u128>,
}

impl Tap {
    pub(super) fn traffic(&self) -> Traffic {
        *self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, Traffic> {
        self.traffic.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Traffic {
    /// What was sent since `before`.
    pub(super) fn since(self, before: Self) -> Self {
        Self {
            messages: self.messages - before.messages,
            payload: self.payload - before.payload,
            bytes: self.bytes - before.bytes,
            first_number: self.first_number,
        }
    }

    fn note(&mut self, envelope: &Envelope) {
        self.bytes += envelope.encoded_len();
        if let Content::Mail(mail) = &envelope.content {
            self.note_mail(mail);
        }
    }

    fn note_mail(&mut self, mail: &Mail) {
        self.messages += 1;
        self.payload += mail.payload.len();
        if let (None, Some(number)) = (self.first_number, mail.payload.first_chunk()) {
            self.first_number = Some(u128::from_le_bytes(*number));
        }
    }
}

impl Sum for Traffic {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, node| Self {
            messages: sum.messages + node.messages,
            payload: sum.payload + node.payload,
            bytes: sum.bytes + node.bytes,
            first_number: sum.first_number.or(node.first_number),
        })
    }
}

#[async_trait]
impl Transport for Tap {
    async fn request(&self, to: &Address, request: Request) -> Result<Answer, TransportError> {
        self.http.request(to, request).await
    }

    async fn deliver(&self, to: &Address, batch: Batch) -> Result<Life, TransportError> {
        // Noted before it is sent: a run may end before the last delivery is confirmed. What a node sends is well-formed.
        let envelopes = Envelope::decode_all(batch.pieces.concat().into()).unwrap_or_default();
        for envelope in &envelopes {
            self.lock().note(envelope);
        }
        self.http.deliver(to, batch).await
    }

    async fn lost(&self, to: &Address, life: Life) -> TransportError {
        self.http.lost(to, life).await
    }

    fn assurance(&self, to: &Address) -> Assurance {
        self.http.assurance(to)
    }
}
