//! What carries requests and mail: the two sides of a transport.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::bus::{Failure, Principal, Request, Response};
use crate::value::Value;

/// Where a node can be reached: `scheme:rest`, as `http://host:port`. Two spellings of one address compare equal.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address(Arc<str>);

impl Address {
    /// The address, normalised.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the first colon.
    pub fn scheme(&self) -> &str {
        self.0.split(':').next().unwrap_or_default()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text is not an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an address: expected something like http://host:port")]
pub struct NotAnAddress;

impl FromStr for Address {
    type Err = NotAnAddress;

    /// Lower-cases scheme and host, and drops trailing slashes.
    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        let text = text.trim().trim_end_matches('/');
        let (scheme, rest) = text.split_once(':').ok_or(NotAnAddress)?;
        if scheme.is_empty()
            || rest.is_empty()
            || !text.bytes().all(|byte| byte.is_ascii_graphic())
            || text.len() > 2048
        {
            return Err(NotAnAddress);
        }
        let scheme = scheme.to_ascii_lowercase();
        let normal = match rest.strip_prefix("//") {
            Some(rest) => {
                let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                format!("{scheme}://{}{path}", host.to_ascii_lowercase())
            }
            None => format!("{scheme}:{rest}"),
        };
        Ok(Self(normal.into()))
    }
}

/// What a transport assures of the way to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Assurance {
    /// Anyone may listen and interfere.
    None,
    /// The way does not leave this machine.
    Loopback,
    /// The way does not leave this process.
    InProcess,
}

/// Mail for one node: encoded envelopes, back to back (see [`crate::envelope`]), in as many pieces as avoid copies.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// The pieces, in order.
    pub pieces: Vec<Bytes>,
}

impl Batch {
    /// The number of bytes.
    pub fn len(&self) -> usize {
        self.pieces.iter().map(Bytes::len).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What a node says when it has mail: which life of the node took it.
///
/// A node draws it at random when it starts; when it changes, the node was restarted and has lost its runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Life(pub [u8; 16]);

/// The sender's side.
#[async_trait]
pub trait Transport: Send + Sync + 'static {
    /// Asks the node at `to`, as a client. Completes with its answer.
    async fn request(&self, to: &Address, request: Request) -> Result<Answer, TransportError>;

    /// Brings mail to the node at `to`. Done when the peer has it; safe to repeat. An empty batch asks whether it is there.
    async fn deliver(&self, to: &Address, batch: Batch) -> Result<Life, TransportError>;

    /// Completes when the node at `to` can no longer be reached, or has been restarted since its life was `life`.
    async fn lost(&self, to: &Address, life: Life) -> TransportError;

    /// What the way to `to` assures.
    fn assurance(&self, to: &Address) -> Assurance;
}

#[async_trait]
impl<T: Transport + ?Sized> Transport for Arc<T> {
    async fn request(&self, to: &Address, request: Request) -> Result<Answer, TransportError> {
        (**self).request(to, request).await
    }

    async fn deliver(&self, to: &Address, batch: Batch) -> Result<Life, TransportError> {
        (**self).deliver(to, batch).await
    }

    async fn lost(&self, to: &Address, life: Life) -> TransportError {
        (**self).lost(to, life).await
    }

    fn assurance(&self, to: &Address) -> Assurance {
        (**self).assurance(to)
    }
}

/// The answer to a client's request, as it comes over a wire.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Descriptions.
    List(Vec<Value>),
    /// A handle.
    Handle(crate::value::Handle),
    /// Nothing.
    None,
    /// A downloaded object.
    Object(Value),
}

/// Where a batch came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// This process.
    InProcess,
    /// This machine.
    Loopback,
    /// Anywhere.
    Remote,
}

/// The listener's side; [`crate::node::Node`] is one.
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// Serves a client's request. The transport has authenticated `principal`.
    async fn request(&self, principal: &Principal, request: Request) -> Result<Response, Failure>;

    /// Whether mail from there is taken at all. A transport asks before it reads any.
    fn admits(&self, origin: Origin) -> Result<(), Failure> {
        let _ = origin;
        Ok(())
    }

    /// Takes in mail. Only queues: it never waits, and does no work that grows with anything but the batch.
    fn mail(&self, origin: Origin, batch: Bytes) -> Result<Life, Failure>;

    /// The answer to [`Request::List`], which never changes; transports may keep it encoded.
    fn list(&self) -> Arc<Vec<Value>>;
}

#[async_trait]
impl Handler for Arc<dyn Handler> {
    async fn request(&self, principal: &Principal, request: Request) -> Result<Response, Failure> {
        (**self).request(principal, request).await
    }

    fn admits(&self, origin: Origin) -> Result<(), Failure> {
        (**self).admits(origin)
    }

    fn mail(&self, origin: Origin, batch: Bytes) -> Result<Life, Failure> {
        (**self).mail(origin, batch)
    }

    fn list(&self) -> Arc<Vec<Value>> {
        (**self).list()
    }
}

/// Why a transport could not do its part.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// Nobody answers at the address: the node does not run, or not there.
    #[error("{to} can't be reached: {why}")]
    Unreachable {
        /// The address.
        to: Address,
        /// What the system said.
        why: String,
    },
    /// The connection broke after the request had gone out.
    #[error("connection to {to} broke: {why}")]
    Broken {
        /// The address.
        to: Address,
        /// What the system said.
        why: String,
    },
    /// No answer within the deadline.
    #[error("{to} did not answer within {seconds} s")]
    TimedOut {
        /// The address.
        to: Address,
        /// The deadline.
        seconds: u64,
    },
    /// The node was restarted and has lost what it was doing.
    #[error("{to} was restarted")]
    Restarted {
        /// The address.
        to: Address,
    },
    /// The node answered with an error.
    #[error("{to} answered {}: {failure}", failure.code)]
    Refused {
        /// The address.
        to: Address,
        /// Its answer.
        failure: Failure,
    },
    /// The answer is not what the contract says.
    #[error("{to} does not speak the protocol: {why}")]
    Garbled {
        /// The address.
        to: Address,
        /// What is wrong.
        why: String,
    },
    /// No transport for this kind of address.
    #[error("no transport for {to}")]
    NoTransport {
        /// The address.
        to: Address,
    },
}

impl TransportError {
    /// Whether the same call may succeed later.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Broken { .. } | Self::TimedOut { .. } => true,
            Self::Refused { failure, .. } => matches!(failure.code, 429 | 503),
            Self::Restarted { .. } | Self::Garbled { .. } | Self::NoTransport { .. } => false,
        }
    }
}
