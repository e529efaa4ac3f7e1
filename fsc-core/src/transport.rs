//! What carries requests and mail: the two sides of a transport.

use std::fmt::{self, Write};
use std::str::FromStr;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::bus::{Failure, Principal, Request, Response};
use crate::identity::{NodeId, NotAnId};
use crate::value::Value;

/// Where a node can be reached: `scheme:rest`, as `http://host:port`. Two spellings of one address compare equal.
///
/// It may say which node is expected there: `http://host:port#ID`. The address `node:ID` says no more than that; the way
/// there is known to the transport.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address(Arc<str>);

impl Address {
    /// A node, wherever it is.
    pub fn of(id: NodeId) -> Self {
        Self(format!("{NODE}{id}").into())
    }

    /// Which node is expected there, if the address says so.
    pub fn id(&self) -> Option<NodeId> {
        let id = self.0.strip_prefix(NODE).or_else(|| Some(self.0.split_once('#')?.1))?;
        id.parse().ok()
    }

    /// The address without the id; nothing, if it is no more than that.
    pub fn place(&self) -> Option<Self> {
        match self.0.split_once('#') {
            Some((place, _)) => Some(Self(place.into())),
            None if self.0.starts_with(NODE) => None,
            None => Some(self.clone()),
        }
    }

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

/// What addresses begin with that name a node by its id.
const NODE: &str = "node:";

/// The text is not an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotAnAddress {
    /// It does not look like one.
    #[error("not an address: expected something like http://host:port")]
    Form,
    /// The node that it names is none.
    #[error(transparent)]
    Id(#[from] NotAnId),
}

impl FromStr for Address {
    type Err = NotAnAddress;

    /// Lower-cases scheme, host and id, and drops trailing slashes.
    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        let (text, id) = match text.trim().split_once('#') {
            Some((text, id)) => (text, Some(id.parse::<NodeId>()?)),
            None => (text.trim(), None),
        };
        let text = text.trim_end_matches('/');
        let (scheme, rest) = text.split_once(':').ok_or(NotAnAddress::Form)?;
        if scheme.is_empty()
            || rest.is_empty()
            || !text.bytes().all(|byte| byte.is_ascii_graphic())
            || text.len() > 2048
        {
            return Err(NotAnAddress::Form);
        }
        let scheme = scheme.to_ascii_lowercase();
        if scheme == NODE.trim_end_matches(':') {
            return if id.is_none() { Ok(Self::of(rest.parse()?)) } else { Err(NotAnAddress::Form) };
        }
        let mut normal = match rest.strip_prefix("//") {
            Some(rest) => {
                let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                format!("{scheme}://{}{path}", host.to_ascii_lowercase())
            }
            None => format!("{scheme}:{rest}"),
        };
        if let Some(id) = id {
            let _ = write!(normal, "#{id}");
        }
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
    /// Mail can be opened, and made, by nobody but the two nodes.
    Sealed,
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

    /// Asks the node at `to` for sealed mail that waits there until it is collected; `asking` proves whose. Where there is
    /// none, the answer takes a while and is empty. Other sealed questions go the same way.
    async fn collect(&self, to: &Address, asking: Bytes) -> Result<Bytes, TransportError> {
        let _ = asking;
        Err(TransportError::NoTransport { to: to.clone() })
    }

    /// What the way to `to` assures.
    fn assurance(&self, to: &Address) -> Assurance;

    /// The node whose mail this transport seals, if it seals any.
    fn identity(&self) -> Option<NodeId> {
        None
    }

    /// Which node mail to `to` is sealed for. Nobody else can open it.
    fn peer(&self, to: &Address) -> Option<NodeId> {
        let _ = to;
        None
    }
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

    async fn collect(&self, to: &Address, asking: Bytes) -> Result<Bytes, TransportError> {
        (**self).collect(to, asking).await
    }

    fn assurance(&self, to: &Address) -> Assurance {
        (**self).assurance(to)
    }

    fn identity(&self) -> Option<NodeId> {
        (**self).identity()
    }

    fn peer(&self, to: &Address) -> Option<NodeId> {
        (**self).peer(to)
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// This process.
    InProcess,
    /// This machine.
    Loopback,
    /// Anywhere.
    Remote,
    /// This node, wherever it is: it has sealed the mail.
    Sealed(NodeId),
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

    /// Takes in mail. Only queues: it never waits, and does no work that grows with anything but the batch. The codes 410, 412,
    /// 421 and 425 are those of sealed mail that does not get so far.
    fn mail(&self, origin: Origin, batch: Bytes) -> Result<Life, Failure>;

    /// Which life of the node this is: what an empty batch is answered.
    fn life(&self) -> Result<Life, Failure> {
        self.mail(Origin::InProcess, Bytes::new())
    }

    /// Hands out mail that waits here for whoever proves to be its receiver by `asking`; waits a while for some. Other sealed
    /// questions come the same way.
    async fn collect(&self, origin: Origin, asking: Bytes) -> Result<Bytes, Failure> {
        let _ = (origin, asking);
        Err(Failure::new(404, "no mail waits here for anybody: this node forwards none"))
    }

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

    fn life(&self) -> Result<Life, Failure> {
        (**self).life()
    }

    async fn collect(&self, origin: Origin, asking: Bytes) -> Result<Bytes, Failure> {
        (**self).collect(origin, asking).await
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
    /// The same error, about that address.
    #[must_use]
    pub fn at(mut self, address: &Address) -> Self {
        match &mut self {
            Self::Unreachable { to, .. }
            | Self::Broken { to, .. }
            | Self::TimedOut { to, .. }
            | Self::Restarted { to }
            | Self::Refused { to, .. }
            | Self::Garbled { to, .. }
            | Self::NoTransport { to } => *to = address.clone(),
        }
        self
    }

    /// Whether the same call may succeed later.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Broken { .. } | Self::TimedOut { .. } => true,
            Self::Refused { failure, .. } => matches!(failure.code, 425 | 429 | 503),
            Self::Restarted { .. } | Self::Garbled { .. } | Self::NoTransport { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::NodeKey;

    #[test]
    fn two_spellings_are_one_address() {
        let id = NodeKey::from_bytes(&[1; 32]).id();
        let written: Address = format!(" HTTP://Host.example:80/#{}", id.to_string().to_uppercase()).parse().unwrap();
        assert_eq!(written.as_str(), format!("http://host.example:80#{id}"));
        assert_eq!((written.id(), written.place().unwrap().as_str()), (Some(id), "http://host.example:80"));
        let by_id: Address = format!("NODE:{id}").parse().unwrap();
        assert_eq!((by_id.id(), by_id.place(), by_id), (Some(id), None, Address::of(id)));
    }

    #[test]
    fn a_mistyped_id_is_no_address() {
        let mut id = NodeKey::from_bytes(&[1; 32]).id().to_string();
        id.replace_range(3..4, if &id[3..4] == "a" { "b" } else { "a" });
        for text in [format!("http://a#{id}"), format!("node:{id}"), "http://a#".to_owned(), "node:x".to_owned()] {
            assert_eq!(text.parse::<Address>(), Err(NotAnAddress::Id(NotAnId)), "{text}");
        }
    }
}
