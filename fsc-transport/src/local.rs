//! Nodes of one process: for tests, for embedding, and for many parties in one program.
//!
//! Mail is carried as bytes, so what works here works over a wire.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use fsc_core::bus::{Failure, Principal, Request, Response};
use fsc_core::transport::{
    Address, Answer, Assurance, Batch, Handler, Life, NotAnAddress, Origin, Transport, TransportError,
};
use tokio::sync::watch;

/// A registry of nodes by name, and the transport between them. Addresses are `local:NAME`; clones are the same hub.
///
/// The hub does not keep nodes alive: they usually hold the hub, as their transport.
#[derive(Clone)]
pub struct Hub {
    principal: Principal,
    nodes: Arc<Mutex<BTreeMap<Address, Entry>>>,
}

struct Entry {
    handler: Weak<dyn Handler>,
    /// Nothing is ever sent: receivers notice that it is dropped.
    _gone: watch::Sender<()>,
    here: watch::Receiver<()>,
}

impl Hub {
    /// An empty hub. Requests are made as the principal `local`.
    pub fn new() -> Self {
        Self { principal: Principal::new("local"), nodes: Arc::default() }
    }

    /// The same hub for requests that are made as `principal`.
    #[must_use]
    pub fn acting_as(&self, principal: Principal) -> Self {
        Self { principal, nodes: Arc::clone(&self.nodes) }
    }

    /// Makes `handler` reachable at `local:NAME`, in place of the node that was, for as long as somebody keeps it.
    pub fn add<H: Handler>(&self, name: &str, handler: &Arc<H>) -> Result<Address, NotAnAddress> {
        let address: Address = format!("local:{name}").parse()?;
        let handler: Weak<H> = Arc::downgrade(handler);
        let (gone, here) = watch::channel(());
        let entry = Entry { handler, _gone: gone, here };
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner).insert(address.clone(), entry);
        Ok(address)
    }

    /// Takes the node at `address` from the hub, as if it had died.
    pub fn remove(&self, address: &Address) {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner).remove(address);
    }

    /// Takes `handler` from the hub, if it is what is at `address`.
    pub fn withdraw<H: Handler>(&self, address: &Address, handler: &Arc<H>) {
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        let is_there = |entry: &Entry| std::ptr::addr_eq(entry.handler.as_ptr(), Arc::as_ptr(handler));
        if nodes.get(address).is_some_and(is_there) {
            nodes.remove(address);
        }
    }

    fn at(&self, to: &Address) -> Result<(Arc<dyn Handler>, watch::Receiver<()>), TransportError> {
        let nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        nodes
            .get(to)
            .and_then(|entry| Some((entry.handler.upgrade()?, entry.here.clone())))
            .ok_or_else(|| TransportError::Unreachable { to: to.clone(), why: "no such node in this process".into() })
    }
}

impl Default for Hub {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("principal", &self.principal).finish_non_exhaustive()
    }
}

#[async_trait]
impl Transport for Hub {
    async fn request(&self, to: &Address, request: Request) -> Result<Answer, TransportError> {
        let (handler, _) = self.at(to)?;
        let outcome = handler.request(&self.principal, request).await.and_then(answer);
        outcome.map_err(|failure| TransportError::Refused { to: to.clone(), failure })
    }

    async fn deliver(&self, to: &Address, batch: Batch) -> Result<Life, TransportError> {
        let (handler, _) = self.at(to)?;
        handler
            .mail(Origin::InProcess, joined(batch))
            .map_err(|failure| TransportError::Refused { to: to.clone(), failure })
    }

    async fn lost(&self, to: &Address, life: Life) -> TransportError {
        loop {
            let mut here = match self.at(to) {
                Ok((handler, here)) => match handler.mail(Origin::InProcess, Bytes::new()) {
                    Ok(present) if present != life => return TransportError::Restarted { to: to.clone() },
                    _ => here,
                },
                Err(error) => return error,
            };
            // Ends in an error when the entry is dropped, and in no other way.
            let _ = here.changed().await;
        }
    }

    fn assurance(&self, _: &Address) -> Assurance {
        Assurance::InProcess
    }
}

/// The answer that a response is on this side of a wire.
fn answer(response: Response) -> Result<Answer, Failure> {
    Ok(match response {
        Response::List(descriptions) => Answer::List(Arc::unwrap_or_clone(descriptions)),
        Response::Handle(handle) => Answer::Handle(handle),
        Response::None => Answer::None,
        Response::Object(object) => {
            let content = object.content().ok_or_else(|| Failure::new(403, "not an output: it can't be downloaded"))?;
            Answer::Object(Cow::into_owned(content))
        }
    })
}

fn joined(batch: Batch) -> Bytes {
    let length = batch.len();
    let mut pieces = batch.pieces.into_iter();
    match (pieces.next(), pieces.len()) {
        (None, _) => Bytes::new(),
        (Some(only), 0) => only,
        (Some(first), _) => {
            let mut whole = BytesMut::with_capacity(length);
            whole.extend_from_slice(&first);
            pieces.for_each(|piece| whole.extend_from_slice(&piece));
            whole.freeze()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use fsc_core::bus::Step;
    use fsc_core::object::Stored;
    use fsc_core::value::Value;
    use tokio::time::timeout;

    use super::*;

    struct Node {
        life: Life,
        mail: Mutex<Vec<(Origin, Bytes)>>,
    }

    impl Node {
        fn new(life: u8) -> Arc<Self> {
            Arc::new(Self { life: Life([life; 16]), mail: Mutex::default() })
        }
    }

    #[async_trait]
    impl Handler for Node {
        async fn request(&self, principal: &Principal, request: Request) -> Result<Response, Failure> {
            match request {
                Request::List => Ok(Response::List(self.list())),
                Request::Chain(steps) if steps.is_empty() => Err(Failure::new(400, "an empty chain")),
                Request::Chain(_) => Ok(Response::Object(Arc::new(Stored(principal.name().into())))),
            }
        }

        fn mail(&self, origin: Origin, batch: Bytes) -> Result<Life, Failure> {
            self.mail.lock().unwrap().push((origin, batch));
            Ok(self.life)
        }

        fn list(&self) -> Arc<Vec<Value>> {
            Arc::new(vec!["one".into()])
        }
    }

    #[tokio::test]
    async fn requests_are_made_as_the_hubs_principal() {
        let (hub, node) = (Hub::new(), Node::new(1));
        let to = hub.add("a", &node).unwrap();
        let chain = || Request::Chain(vec![Step::Download]);
        assert_eq!(hub.request(&to, chain()).await.unwrap(), Answer::Object("local".into()));
        let alice = hub.acting_as(Principal::new("alice"));
        assert_eq!(alice.request(&to, chain()).await.unwrap(), Answer::Object("alice".into()));
        assert_eq!(hub.request(&to, Request::List).await.unwrap(), Answer::List(vec!["one".into()]));
        let refused = hub.request(&to, Request::Chain(Vec::new())).await.unwrap_err();
        assert!(matches!(refused, TransportError::Refused { failure, .. } if failure.code == 400));
    }

    #[tokio::test]
    async fn mail_arrives_in_one_piece() {
        let (hub, node) = (Hub::new(), Node::new(2));
        let to = hub.add("b", &node).unwrap();
        let batch = Batch { pieces: vec![Bytes::from_static(b"ab"), Bytes::new(), Bytes::from_static(b"c")] };
        assert_eq!(hub.deliver(&to, batch).await.unwrap(), Life([2; 16]));
        assert_eq!(*node.mail.lock().unwrap(), [(Origin::InProcess, Bytes::from_static(b"abc"))]);
        assert_eq!(hub.assurance(&to), Assurance::InProcess);
    }

    #[tokio::test]
    async fn removed_node_is_lost() {
        let (hub, node) = (Hub::new(), Node::new(3));
        let to = hub.add("c", &node).unwrap();
        let mut lost = Box::pin(hub.lost(&to, Life([3; 16])));
        assert!(timeout(Duration::from_millis(20), &mut lost).await.is_err());
        hub.remove(&to);
        let error = timeout(Duration::from_secs(1), lost).await.unwrap();
        assert!(matches!(error, TransportError::Unreachable { .. }));
        assert!(matches!(hub.deliver(&to, Batch::default()).await, Err(TransportError::Unreachable { .. })));
    }

    #[tokio::test]
    async fn a_node_withdraws_itself_and_not_its_successor() {
        let (hub, node, other) = (Hub::new(), Node::new(6), Node::new(7));
        let to = hub.add("e", &node).unwrap();
        hub.add("e", &other).unwrap();
        hub.withdraw(&to, &node);
        assert_eq!(hub.deliver(&to, Batch::default()).await.unwrap(), Life([7; 16]));
        hub.withdraw(&to, &other);
        assert!(hub.deliver(&to, Batch::default()).await.is_err());
    }

    #[tokio::test]
    async fn replaced_node_is_restarted_and_added_again_is_not() {
        let (hub, node, other) = (Hub::new(), Node::new(4), Node::new(5));
        let to = hub.add("d", &node).unwrap();
        let mut lost = Box::pin(hub.lost(&to, Life([4; 16])));
        assert!(timeout(Duration::from_millis(20), &mut lost).await.is_err());
        hub.add("d", &node).unwrap();
        assert!(timeout(Duration::from_millis(20), &mut lost).await.is_err());
        hub.add("d", &other).unwrap();
        let error = timeout(Duration::from_secs(1), lost).await.unwrap();
        assert!(matches!(error, TransportError::Restarted { .. }));
    }
}
