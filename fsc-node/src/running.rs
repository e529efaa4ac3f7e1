//! One node, from its configuration to its end.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use fsc_core::clock::Runtime;
use fsc_core::identity::NodeId;
use fsc_core::node::{Node, NodeError};
use fsc_core::object::Object;
use fsc_core::registry::Description;
#[cfg(feature = "serial")]
use fsc_core::transport::TransportError;
use fsc_core::transport::{Address, Handler, NotAnAddress, Transport};
#[cfg(feature = "http")]
use fsc_transport::http::{HttpTransport, Server};
use fsc_transport::seal::hail::Itself;
use fsc_transport::seal::{ForwardLimits, Seal};
#[cfg(feature = "serial")]
use fsc_transport::serial::{LineConfig, SerialTransport};
use fsc_transport::{Carriers, Hub, TokioRuntime};
use tokio::task::JoinSet;

use crate::config::{Config, ConfigError};
use crate::invitations::since_epoch;
use crate::learn::Learner;

/// How often an idle node lets go of what its clients forgot.
const SWEEP: Duration = Duration::from_secs(10);

/// How long a node waits after an error that does not pass by itself before it tries again.
const RECONSIDER: Duration = Duration::from_secs(30);

/// How long a node that stops takes at most to tell its peers.
const FAREWELL: Duration = Duration::from_secs(3);

/// What `fsc doctor` of others is told.
const ITSELF: Itself = Itself { time: since_epoch, release: env!("CARGO_PKG_VERSION") };

/// What a program adds to its node's configuration.
#[derive(Default)]
pub struct Setup {
    listen: Option<SocketAddr>,
    hub: Option<(Hub, String)>,
    objects: Vec<(String, Description, Arc<dyn Object>)>,
    #[cfg(feature = "serial")]
    lines: Option<Arc<SerialTransport>>,
}

impl Setup {
    /// Nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Listens there, whatever the configuration says.
    #[must_use]
    pub fn listen(mut self, listen: SocketAddr) -> Self {
        self.listen = Some(listen);
        self
    }

    /// Lets the other nodes and clients of `hub` reach the node at `local:NAME`, and the node them. It need not listen
    /// anywhere else then.
    #[must_use]
    pub fn hub(mut self, hub: &Hub, name: &str) -> Self {
        self.hub = Some((hub.clone(), name.to_owned()));
        self
    }

    /// One more top-level object; see [`fsc_core::node::Builder::object`].
    #[must_use]
    pub fn object(mut self, name: &str, description: Description, object: Arc<dyn Object>) -> Self {
        self.objects.push((name.to_owned(), description, object));
        self
    }

    /// Serves and asks over these lines, beside those that the configuration names. They are closed when the node stops.
    #[cfg(feature = "serial")]
    #[must_use]
    pub fn lines(mut self, lines: Arc<SerialTransport>) -> Self {
        self.lines = Some(lines);
        self
    }

    fn is_reached(&self) -> bool {
        #[cfg(feature = "serial")]
        let by_line = self.lines.is_some();
        #[cfg(not(feature = "serial"))]
        let by_line = false;
        self.hub.is_some() || by_line
    }
}

/// A node that runs, with all that its configuration asks for. Dropping it stops it without a word to its peers.
pub struct Running {
    node: Arc<Node>,
    handler: Arc<Arc<dyn Handler>>,
    addresses: Vec<Address>,
    id: Option<NodeId>,
    runtime: TokioRuntime,
    #[cfg(feature = "http")]
    server: Option<Server>,
    local: Option<(Hub, Address)>,
    #[cfg(feature = "serial")]
    lines: Arc<SerialTransport>,
    /// Ends with the node.
    _chores: JoinSet<()>,
}

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Its configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// What it offers does not fit together.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// It can't listen.
    #[error("can't listen on {address}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// A serial line can't be opened.
    #[cfg(feature = "serial")]
    #[error(transparent)]
    Line(#[from] TransportError),
    /// Its name within the process can't be part of an address.
    #[error("{name:?} can't be the name of a node in an address")]
    Name {
        /// The name.
        name: String,
        /// Why.
        source: NotAnAddress,
    },
}

impl Running {
    /// Starts a node on the present tokio runtime. It serves from now on, but for HTTP, which begins with [`run`](Self::run).
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[cfg_attr(not(feature = "http"), allow(clippy::unused_async))] // binding waits
    pub async fn start(config: &Config, setup: Setup) -> Result<Self, StartError> {
        fsc_protocols::link();
        let runtime = TokioRuntime::new();
        let wires = Wires::new(&setup);
        let seal = match config.key()? {
            Some(key) => {
                let (peers, carriers) = (Arc::new(config.peers()?), wires.carriers.clone());
                Some(Seal::new(key, peers, carriers, runtime.clone(), ForwardLimits::default()))
            }
            None => None,
        };
        let transport: Arc<dyn Transport> = match &seal {
            Some(seal) => Arc::new(seal.clone()),
            None => Arc::new(wires.carriers.clone()),
        };
        let id = transport.identity();
        let is_reached = setup.is_reached();
        let builder = Node::builder(runtime.clone(), transport)
            .policy(config.policy.clone())
            .quotas(config.quotas())
            .limits(config.runs());
        let node = setup
            .objects
            .into_iter()
            .fold(builder, |builder, (name, description, object)| builder.object(&name, description, object));
        let node = node.build()?;
        let handler: Arc<dyn Handler> = match &seal {
            Some(seal) => seal.open(node.clone()),
            None => node.clone(),
        };
        let learner = learner(config, seal.as_ref(), &node);
        let handler = match (&seal, &learner) {
            (Some(seal), Some(learner)) => seal.answer(ITSELF, seal.receive(learner.clone(), handler)),
            _ => handler,
        };
        let handler = Arc::new(handler);
        let mut addresses = Vec::new();
        #[cfg(feature = "http")]
        let server = match config.server(setup.listen, is_reached)? {
            Some(server) => {
                let address = server.listen;
                let bound = Server::bind(server, Arc::clone(&*handler)).await;
                Some(bound.map_err(|source| StartError::Listen { address, source })?)
            }
            None => None,
        };
        #[cfg(feature = "http")]
        addresses.extend(server.as_ref().map(Server::address));
        #[cfg(not(feature = "http"))]
        config.refuse_to_listen(setup.listen, is_reached)?;
        #[cfg(feature = "serial")]
        addresses.extend(wires.open(config, &handler)?);
        let local = setup.hub.map(|(hub, name)| match hub.add(&name, &handler) {
            Ok(address) => Ok((hub, address)),
            Err(source) => Err(StartError::Name { name, source }),
        });
        let local = local.transpose()?;
        addresses.extend(local.as_ref().map(|(_, address)| address.clone()));
        let mut chores = JoinSet::new();
        if let Some(seal) = &seal {
            for keeper in config.keepers() {
                chores.spawn(collect(seal.clone(), keeper, Arc::clone(&node)));
            }
        }
        if let Some(learner) = &learner {
            chores.spawn(Arc::clone(learner).watch());
        }
        chores.spawn(sweep(Arc::clone(&node), seal, learner, runtime.clone()));
        Ok(Self {
            node,
            handler,
            addresses,
            id,
            runtime,
            #[cfg(feature = "http")]
            server,
            local,
            #[cfg(feature = "serial")]
            lines: wires.lines,
            _chores: chores,
        })
    }

    /// Where the node can be reached.
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// Which node this is, if it has a key.
    pub fn id(&self) -> Option<NodeId> {
        self.id
    }

    /// What serves the node's clients and peers.
    pub fn handler(&self) -> &Arc<dyn Handler> {
        &self.handler
    }

    /// Serves until `stopped` has come to its end. Clients that wait for a result get an error that says so then, and peers are
    /// told before the node is gone.
    #[cfg_attr(not(feature = "http"), allow(unused_mut))] // there is a server to take out
    pub async fn run(mut self, stopped: impl Future<Output = ()>) {
        let node = Arc::clone(&self.node);
        let stopped = async move {
            stopped.await;
            node.runs().cancel_all();
        };
        #[cfg(feature = "http")]
        match self.server.take() {
            Some(server) => server.run(stopped).await,
            None => stopped.await,
        }
        #[cfg(not(feature = "http"))]
        stopped.await;
        self.node.runs().drained(self.runtime.now() + FAREWELL).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some((hub, address)) = &self.local {
            hub.withdraw(address, &self.handler);
        }
        #[cfg(feature = "serial")]
        self.lines.close_all();
    }
}

/// What lists nodes that join later, if this one has a key.
fn learner(config: &Config, seal: Option<&Seal>, node: &Arc<Node>) -> Option<Arc<Learner>> {
    Some(Arc::new(Learner::new(config, config.annex()?.clone(), seal?.clone(), Arc::clone(node))))
}

/// What carries the node's mail and requests.
struct Wires {
    carriers: Carriers,
    #[cfg(feature = "serial")]
    lines: Arc<SerialTransport>,
}

impl Wires {
    fn new(setup: &Setup) -> Self {
        let carriers = Carriers::new();
        #[cfg(feature = "http")]
        let carriers = carriers.with("http", HttpTransport::default());
        #[cfg(feature = "serial")]
        let lines = setup.lines.clone();
        #[cfg(feature = "serial")]
        let lines = lines.unwrap_or_else(|| Arc::new(SerialTransport::new(LineConfig::default()).only_opened()));
        #[cfg(feature = "serial")]
        let carriers = carriers.with("serial", Arc::clone(&lines));
        let carriers = match &setup.hub {
            Some((hub, _)) => carriers.with("local", hub.clone()),
            None => carriers,
        };
        Self {
            carriers,
            #[cfg(feature = "serial")]
            lines,
        }
    }

    /// Opens the lines that the configuration names, and serves there.
    #[cfg(feature = "serial")]
    fn open(&self, config: &Config, handler: &Arc<Arc<dyn Handler>>) -> Result<Vec<Address>, StartError> {
        self.lines.serve(handler);
        let open = |(address, line)| {
            self.lines.open(&address, line)?;
            Ok(address)
        };
        config.lines()?.into_iter().map(open).collect()
    }
}

/// Collects mail for as long as the node runs. What is wrong may be mended at the other end, so it goes on.
pub(crate) async fn collect(seal: Seal, keeper: NodeId, node: Arc<Node>) {
    loop {
        let error = seal.collect(keeper, node.clone()).await;
        tracing::error!("mail can't be collected: {error}");
        tokio::time::sleep(RECONSIDER).await;
    }
}

async fn sweep(node: Arc<Node>, seal: Option<Seal>, learner: Option<Arc<Learner>>, runtime: TokioRuntime) {
    loop {
        runtime.sleep_until(runtime.now() + SWEEP).await;
        node.bus().sweep();
        node.runs().sweep();
        if let Some(seal) = &seal {
            seal.sweep();
        }
        if let Some(learner) = &learner {
            learner.sweep();
        }
    }
}
