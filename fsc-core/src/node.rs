//! A node: what a data owner runs.
//!
//! ```
//! # use fsc_core::{clock::Runtime, node::Node, node::NodeError, transport::Transport};
//! # fn sketch(runtime: impl Runtime, transport: impl Transport) -> Result<(), NodeError> {
//! let node = Node::builder(runtime, transport).build()?;
//! // Hand `node` to a server (`fsc_transport::http::Server`) or to a hub (`fsc_transport::local::Hub`).
//! # Ok(())
//! # }
//! ```

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::bus::grant::Quotas;
use crate::bus::policy::{Open, Policy};
use crate::bus::{Bus, Failure, Principal, Request, Response};
use crate::clock::Runtime;
use crate::object::{Object, Stored};
use crate::protocol::{Catalogue, CatalogueError, ErasedProtocol};
use crate::registry::{Description, Environment, Registry, RegistryError};
use crate::runs::{Limits, Runs};
use crate::transport::{Handler, Life, Origin, Transport};
use crate::value::{ConvertError, Value, to_value};

/// The bus that clients use, and the runs that peers take part in.
pub struct Node {
    bus: Bus,
    runs: Arc<Runs>,
}

impl Node {
    /// Begins to build a node with everything that is linked into this program. What is shared comes in an [`Arc`].
    pub fn builder(runtime: impl Runtime, transport: impl Transport) -> Builder {
        Builder {
            runtime: Arc::new(runtime),
            transport: Arc::new(transport),
            policy: Arc::new(Open),
            quotas: Quotas::default(),
            limits: Limits::default(),
            objects: Vec::new(),
            protocols: Vec::new(),
        }
    }

    /// What clients use.
    pub fn bus(&self) -> &Bus {
        &self.bus
    }

    /// What peers take part in.
    pub fn runs(&self) -> &Arc<Runs> {
        &self.runs
    }
}

#[async_trait]
impl Handler for Node {
    async fn request(&self, principal: &Principal, request: Request) -> Result<Response, Failure> {
        self.bus.execute(principal, request).await
    }

    fn admits(&self, origin: Origin) -> Result<(), Failure> {
        self.runs.admits(origin)
    }

    fn mail(&self, origin: Origin, batch: Bytes) -> Result<Life, Failure> {
        self.runs.mail(origin, batch)
    }

    fn list(&self) -> Arc<Vec<Value>> {
        self.bus.registry().list()
    }
}

/// What a node is made of.
pub struct Builder {
    runtime: Arc<dyn Runtime>,
    transport: Arc<dyn Transport>,
    policy: Arc<dyn Policy>,
    quotas: Quotas,
    limits: Limits,
    objects: Vec<(String, Description, Arc<dyn Object>)>,
    protocols: Vec<&'static dyn ErasedProtocol>,
}

impl Builder {
    /// What the operator allows.
    #[must_use]
    pub fn policy(mut self, policy: impl Policy) -> Self {
        self.policy = Arc::new(policy);
        self
    }

    /// What each client may occupy.
    #[must_use]
    pub fn quotas(mut self, quotas: Quotas) -> Self {
        self.quotas = quotas;
        self
    }

    /// What runs may occupy, and how long they wait.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// One more top-level object, made by the program at run time.
    #[must_use]
    pub fn object(mut self, name: &str, description: Description, object: Arc<dyn Object>) -> Self {
        self.objects.push((name.to_owned(), description, object));
        self
    }

    /// One more protocol, beside those that are linked in.
    #[must_use]
    pub fn protocol(mut self, protocol: &'static dyn ErasedProtocol) -> Self {
        self.protocols.push(protocol);
        self
    }

    /// The node.
    pub fn build(self) -> Result<Arc<Node>, NodeError> {
        let protocols = Arc::new(Catalogue::discover()?.with(self.protocols)?);
        let runs = Runs::new(Arc::clone(&self.runtime), self.transport, self.limits);
        let environment = Arc::new(Environment {
            runtime: Arc::clone(&self.runtime),
            runs: Arc::clone(&runs),
            policy: Arc::clone(&self.policy),
            protocols: Arc::clone(&protocols),
        });
        let mut registry = Registry::discover(&environment)?;
        for (name, description, object) in self.objects {
            registry = registry.with(&name, description, object)?;
        }
        for protocol in protocols.iter() {
            let (name, description) = describe(protocol)?;
            let object = Arc::new(Stored(description.to_value()));
            registry = registry.with(&name, description, object)?;
        }
        Ok(Arc::new(Node { bus: Bus::new(registry, self.policy, self.quotas, self.runtime), runs }))
    }
}

/// Why a node can't be built: mistakes of the program that it is part of.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NodeError {
    /// The top-level objects do not fit together.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The protocols do not fit together.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// A protocol's description can't be written down.
    #[error("a protocol's description: {0}")]
    Description(#[from] ConvertError),
}

/// A protocol as clients find it in the list: a value to download, which says what the protocol protects.
fn describe(protocol: &dyn ErasedProtocol) -> Result<(String, Description), ConvertError> {
    let description = Description::new([("namespace", "federatedsecure"), ("function", protocol.name())])
        .with("version", Value::Int(protocol.version().into()))
        .with("security", to_value(&protocol.security())?);
    Ok((format!("function {}", protocol.name()), description))
}
