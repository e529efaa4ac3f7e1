//! The configuration file of a node.
//!
//! ```toml
//! listen = "127.0.0.1:8001"
//!
//! [identity]
//! key = "node.key"            # of `fsc keygen`, beside this file; without one, peers are on this machine, and mail is not sealed
//!
//! [[nodes]]                   # the other nodes, by what `fsc id` prints there
//! id = "co7e72xk6icmp7jtld6jyadsdca5c5bhqeuce7wgotzx677jpnw2svlg"
//! address = "http://b.example.org:8001"   # absent, as `via` is: it collects its mail here
//! forward = false             # true: pass on mail from it, and to it, between any two for whom this is true
//! collect = false             # true: this node listens nowhere, and collects the mail that that one keeps for it
//!
//! [[nodes]]
//! id = "lx7n2o3l2r7w7iuo4foznhk3wdvfg52njcf5v6o7drxacjft54rl3vud"
//! via = "co7e72xk6icmp7jtld6jyadsdca5c5bhqeuce7wgotzx677jpnw2svlg"    # its mail is forwarded by that node
//!
//! [[lines]]                   # serial lines that are kept open; those of addresses under [[nodes]] are, too
//! address = "serial:/dev/ttyUSB0?baud=115200"
//! client = "bench"            # whoever is at the other end may use the node by that name; absent: nobody may
//! patience_seconds = 12       # how long the line may be cut, or the other end be silent, until what is pending fails
//! # Nodes that `fsc invite` and `fsc join` have learned stand in node.key.d/nodes.toml, in the same form.
//!
//! [[clients]]                 # without any, everybody who reaches the node on loopback may use it
//! name = "alice"
//! token = "a long random text"
//!
//! [cors]
//! origins = ["https://app.example.org"]   # absent: pages from anywhere, as the reference has it
//!
//! [policy]
//! minimum_parties = 3
//! functions = ["SecureSum"]
//! dealer = false              # true: clients may name a dealer (parameters.preprocessing), who could learn everybody's data
//!
//! [peers]
//! only_listed = true          # false: clients may compute with any node whose id they know; absent: true if any node is listed
//! unsealed_peers = false      # true: peers on other machines take part without keys; their mail can be read on the way
//! joining_seconds = 60
//! silence_seconds = 60        # for a party's next message; about the same at all nodes
//! busy_seconds = 3600         # the same while the party says that others keep it waiting
//!
//! [limits]
//! body_bytes = 268435456
//! bodies_bytes = 1073741824   # of all bodies that are being read at a time
//! connections = 4096
//! handles = 65536
//! lease_seconds = 600
//! threads = 1                 # for connections; absent: half of the cores, as the other half computes
//! ```

use std::collections::HashSet;
use std::fmt;
use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;
use std::time::Duration;

use fsc_core::bus::grant::Quotas;
use fsc_core::bus::policy::Rules;
use fsc_core::identity::{NodeId, NodeKey, NotAnId};
use fsc_core::runs;
use fsc_core::transport::{Address, NotAnAddress};
use fsc_transport::seal::{self, Peer, Way};
use serde::Deserialize;

use crate::annex::{Annex, AnnexError};
use crate::key::{self, KeyError};

#[cfg(feature = "http")]
mod http;
#[cfg(feature = "serial")]
mod serial;

/// A node's configuration, as its file says, whatever this program was built with.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    listen: Option<SocketAddr>,
    identity: Identity,
    nodes: Vec<Other>,
    lines: Vec<Line>,
    clients: Vec<Client>,
    cors: Cors,
    pub(crate) policy: Rules,
    peers: Peers,
    limits: Limits,
    #[serde(skip)]
    annex: Option<Annex>,
    /// Nodes that were learned by invitations.
    #[serde(skip)]
    learned: Vec<Other>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Identity {
    key: Option<PathBuf>,
}

/// Another node.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Other {
    pub(crate) id: String,
    pub(crate) address: Option<String>,
    pub(crate) via: Option<String>,
    #[serde(default)]
    pub(crate) forward: bool,
    #[serde(default)]
    pub(crate) collect: bool,
}

/// A serial line.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    address: String,
    client: Option<String>,
    patience_seconds: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Client {
    name: String,
    token: String,
}

impl fmt::Debug for Client {
    /// Without the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "client {}", self.name)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Cors {
    origins: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(clippy::struct_field_names)] // as it stands in the file
struct Peers {
    only_listed: Option<bool>,
    unsealed_peers: bool,
    joining_seconds: Option<u64>,
    silence_seconds: Option<u64>,
    busy_seconds: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Limits {
    body_bytes: Option<usize>,
    bodies_bytes: Option<usize>,
    connections: Option<usize>,
    handles: Option<usize>,
    lease_seconds: Option<u64>,
    threads: Option<NonZero<usize>>,
}

/// What is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file can't be read.
    #[error("can't read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The text is no configuration.
    #[error("{} is not a configuration: {what}", path.as_deref().map_or("this".into(), Path::to_string_lossy))]
    Parse {
        /// The file, if it was read from one.
        path: Option<PathBuf>,
        /// What is wrong with it; nothing of the text.
        what: String,
    },
    /// Nobody could reach the node.
    #[error("no address to listen on: give --listen ADDR, or `listen = \"ADDR\"` in the configuration")]
    NoAddress,
    /// It is to listen, but this program has no HTTP.
    #[error("can't listen on {0}: this program was built without HTTP")]
    #[cfg(not(feature = "http"))]
    NoHttp(SocketAddr),
    /// An address under `[[lines]]` is none of a serial line.
    #[error("{0:?} is no serial line: expected something like serial:/dev/ttyUSB0?baud=115200")]
    #[cfg(feature = "serial")]
    Line(String),
    /// Everybody could use the node.
    #[error(
        "{0} can be reached from other machines, and everybody could use the node: \
         name its clients under [[clients]] in the configuration, or listen on 127.0.0.1"
    )]
    OpenToAll(SocketAddr),
    /// A token could be guessed.
    #[error("the token of client {0:?} is too short: use at least 16 random characters")]
    ShortToken(String),
    /// The node's key can't be had.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// What invitations have left can't be read.
    #[error(transparent)]
    Annex(#[from] AnnexError),
    /// An entry of `[[nodes]]` is wrong.
    #[error("[[nodes]] lists {node:?}: {why}")]
    Node {
        /// Its id.
        node: String,
        /// What is wrong.
        why: String,
    },
    /// Nodes are listed, but mail for them can't be sealed.
    #[error(
        "nodes are listed under [[nodes]], but this node has no key: make one with `fsc keygen`, and name it under [identity]"
    )]
    NoKey,
    /// A text under `[cors]` is no origin.
    #[error("{0:?} is no origin of web pages: expected something like https://app.example.org")]
    Origin(String),
}

impl ConfigError {
    /// What a parser says, without what it quotes: a token that stands in the wrong place is still one.
    fn unparsed(what: &str) -> Self {
        let quotes = ["invalid type: ", "invalid value: ", "invalid length "];
        let what = match (quotes.iter().find(|quote| what.starts_with(**quote)), what.rfind(", expected ")) {
            (Some(quote), Some(expected)) => format!("{}{}", quote.trim_end_matches([':', ' ']), &what[expected..]),
            (Some(quote), None) => quote.trim_end_matches([':', ' ']).to_owned(),
            (None, _) => what.to_owned(),
        };
        Self::Parse { path: None, what }
    }
}

impl Config {
    /// Reads a file. A key that it names by a relative path stands beside it.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let config = Self::from_toml(&text, path.parent().unwrap_or(path));
        config.map_err(|error| match error {
            ConfigError::Parse { what, .. } => ConfigError::Parse { path: Some(path.to_owned()), what },
            other => other,
        })
    }

    /// The configuration that a text in TOML says. A key that it names by a relative path stands in `folder`.
    pub fn from_toml(text: &str, folder: &Path) -> Result<Self, ConfigError> {
        // The parser's full error quotes the line, which may hold a token.
        let config: Self = toml::from_str(text).map_err(|error| ConfigError::unparsed(error.message()))?;
        config.complete(folder)
    }

    /// The configuration that a text in JSON says, by the same names. A key that it names by a relative path stands in `folder`.
    pub fn from_json(text: &str, folder: &Path) -> Result<Self, ConfigError> {
        let config: Self = serde_json::from_str(text).map_err(|error| ConfigError::unparsed(&error.to_string()))?;
        config.complete(folder)
    }

    /// Reads what its other files say.
    fn complete(mut self, folder: &Path) -> Result<Self, ConfigError> {
        if let Some(key) = &mut self.identity.key {
            *key = folder.join(&*key);
        }
        self.annex = self.identity.key.as_deref().map(Annex::of);
        if let Some(annex) = &self.annex {
            self.learned = annex.parse(&annex.text()?)?;
        }
        Ok(self)
    }

    /// The node's key.
    pub(crate) fn key(&self) -> Result<Option<NodeKey>, ConfigError> {
        let key = self.identity.key.as_deref().map(key::read).transpose()?;
        if key.is_none() && !self.nodes.is_empty() {
            return Err(ConfigError::NoKey);
        }
        Ok(key)
    }

    /// The other nodes.
    pub(crate) fn peers(&self) -> Result<seal::Peers, ConfigError> {
        let mut peers = self.nodes.iter().map(Other::peer).collect::<Result<Vec<_>, _>>()?;
        let own: HashSet<NodeId> = peers.iter().map(|peer| peer.id).collect();
        for other in &self.learned {
            // What was learned must not keep the node from starting.
            match other.peer().and_then(|peer| fits(&peers, &peer).map(|()| peer)) {
                Ok(peer) if own.contains(&peer.id) => {}
                Ok(peer) => peers.push(peer),
                Err(error) => tracing::error!("a node that has joined is not listed: {error}"),
            }
        }
        let mut ids = HashSet::new();
        if let Some(twice) = peers.iter().find(|peer| !ids.insert(peer.id)) {
            return Err(ConfigError::Node { node: twice.id.to_string(), why: "twice".to_owned() });
        }
        peers.iter().try_for_each(|peer| fits(&peers, peer))?;
        let unknown = peers.iter().find(|peer| matches!(&peer.way, Way::By(forwarder) if !ids.contains(forwarder)));
        if let Some(peer) = unknown {
            let why = "the node that forwards its mail must be listed, too".to_owned();
            return Err(ConfigError::Node { node: peer.id.to_string(), why });
        }
        let only_listed = self.peers.only_listed.unwrap_or(!peers.is_empty());
        Ok(seal::Peers::new(peers, only_listed))
    }

    /// Whether a node can be listed beside those that are.
    pub(crate) fn check(&self, other: &Other) -> Result<(), ConfigError> {
        let peer = other.peer()?;
        let all = self.nodes.iter().chain(&self.learned).filter_map(|other| other.peer().ok());
        fits(&all.collect::<Vec<_>>(), &peer)
    }

    /// The nodes that the file itself lists.
    pub(crate) fn own(&self) -> HashSet<NodeId> {
        self.nodes.iter().filter_map(|node| node.id.parse().ok()).collect()
    }

    /// Whether clients may compute with listed nodes only as soon as there is one.
    pub(crate) fn closes(&self) -> bool {
        self.peers.only_listed.is_none()
    }

    /// What the processes of this node share, if it has a key.
    pub(crate) fn annex(&self) -> Option<&Annex> {
        self.annex.as_ref()
    }

    /// Where this node can be asked from its own machine, as far as its configuration says.
    pub(crate) fn local(&self) -> Option<Address> {
        let mut listen = self.listen.filter(|listen| listen.port() != 0)?;
        if listen.ip().is_unspecified() {
            listen.set_ip(if listen.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() });
        }
        format!("http://{listen}").parse().ok()
    }

    /// Where others reach this node, as far as its configuration says.
    pub(crate) fn reachable(&self) -> Option<Address> {
        self.listen.filter(|listen| !listen.ip().is_unspecified()).and_then(|_| self.local())
    }

    /// The nodes that keep mail for this one, by the file's own list.
    pub(crate) fn keepers(&self) -> Vec<NodeId> {
        self.nodes.iter().filter(|node| node.collect).filter_map(|node| node.id.parse().ok()).collect()
    }

    /// Says that this program has no HTTP, if it is told to listen.
    #[cfg(not(feature = "http"))]
    pub(crate) fn refuse_to_listen(&self, listen: Option<SocketAddr>, is_reached: bool) -> Result<(), ConfigError> {
        match listen.or(self.listen) {
            Some(address) => Err(ConfigError::NoHttp(address)),
            None if !is_reached && !self.has_other_ways() => Err(ConfigError::NoAddress),
            None => Ok(()),
        }
    }

    /// Whether there is anything but HTTP by which the node can be reached.
    fn has_other_ways(&self) -> bool {
        let by_line = |node: &Other| node.address.as_ref().is_some_and(|address| address.starts_with("serial:"));
        !self.lines.is_empty() || self.nodes.iter().any(|node| node.collect || by_line(node))
    }

    /// What each client may occupy.
    pub(crate) fn quotas(&self) -> Quotas {
        let mut quotas = Quotas::default();
        set(&mut quotas.handles, self.limits.handles);
        set(&mut quotas.lease, self.limits.lease_seconds.map(Duration::from_secs));
        quotas
    }

    /// What runs may occupy, and how long they wait.
    pub(crate) fn runs(&self) -> runs::Limits {
        let mut limits = runs::Limits { unsealed_peers: self.peers.unsealed_peers, ..runs::Limits::default() };
        set(&mut limits.deadlines.joining, self.peers.joining_seconds.map(Duration::from_secs));
        set(&mut limits.deadlines.silence, self.peers.silence_seconds.map(Duration::from_secs));
        set(&mut limits.deadlines.busy, self.peers.busy_seconds.map(Duration::from_secs));
        limits
    }

    /// How many threads serve connections.
    pub(crate) fn threads(&self) -> usize {
        let half = || available_parallelism().map_or(1, |cores| cores.get().div_ceil(2));
        self.limits.threads.map_or_else(half, NonZero::get)
    }
}

impl Other {
    /// Whether it is the same node.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.id.eq_ignore_ascii_case(&other.id)
    }

    /// The node, as the seal knows it.
    pub(crate) fn peer(&self) -> Result<Peer, ConfigError> {
        let wrong = |why: &dyn ToString| ConfigError::Node { node: self.id.clone(), why: why.to_string() };
        let id = self.id.parse().map_err(|error: NotAnId| wrong(&error))?;
        let way = match (&self.address, &self.via) {
            (Some(_), Some(_)) => return Err(wrong(&"it has an address, and others forward its mail: choose one")),
            (Some(address), None) => Way::At(self.place(id, address)?),
            (None, Some(forwarder)) => Way::By(forwarder.parse().map_err(|error: NotAnId| wrong(&error))?),
            (None, None) => Way::Collected,
        };
        if self.collect && !matches!(&way, Way::At(address) if address.scheme() == "http") {
            return Err(wrong(&"mail is collected from nodes that have an address of HTTP"));
        }
        Ok(Peer { id, way, forward: self.forward })
    }

    /// Where the node is, without its id; which is this one, if it is there at all.
    fn place(&self, id: NodeId, address: &str) -> Result<Address, ConfigError> {
        let wrong = |why: &dyn ToString| ConfigError::Node { node: self.id.clone(), why: why.to_string() };
        let address: Address = address.parse().map_err(|error: NotAnAddress| wrong(&error))?;
        if address.id().is_some_and(|other| other != id) {
            return Err(wrong(&"its address names another node"));
        }
        let place = address.place().ok_or_else(|| wrong(&"its address must say where it is"))?;
        match place.scheme() {
            "http" | "serial" => Ok(place),
            scheme => Err(wrong(&format!("nothing carries mail to {scheme}: addresses; there are http: and serial:"))),
        }
    }
}

impl fmt::Display for Other {
    /// As it stands in a file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, address, via, forward, collect } = self;
        write!(f, "[[nodes]]\nid = {id:?}\n")?;
        for (name, text) in [("address", address), ("via", via)] {
            if let Some(text) = text {
                writeln!(f, "{name} = {text:?}")?;
            }
        }
        writeln!(f, "forward = {forward}\ncollect = {collect}\n")
    }
}

/// Whether a node is where no other one is: one of two at the same address would be taken for the other.
pub(crate) fn fits(listed: &[Peer], peer: &Peer) -> Result<(), ConfigError> {
    let Way::At(place) = &peer.way else { return Ok(()) };
    let is_there = |other: &&Peer| other.id != peer.id && matches!(&other.way, Way::At(there) if there == place);
    match listed.iter().find(is_there) {
        None => Ok(()),
        Some(other) => {
            let why =
                format!("node {} is listed at {place} already: if it is no more, take it from its list", other.id);
            Err(ConfigError::Node { node: peer.id.to_string(), why })
        }
    }
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn parse(text: &str) -> Config {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn documented_example_is_a_configuration() {
        let example: String = include_str!("config.rs")
            .lines()
            .skip_while(|line| *line != "//! ```toml")
            .skip(1)
            .take_while(|line| *line != "//! ```")
            .map(|line| line.trim_start_matches("//!").to_owned() + "\n")
            .collect();
        let config = parse(&example);
        #[cfg(feature = "http")]
        assert_eq!(config.server(None, false).unwrap().unwrap().listen.port(), 8001);
        #[cfg(feature = "serial")]
        assert_eq!(config.lines().unwrap().len(), 1);
        let peers = config.peers().unwrap().all();
        assert_eq!(peers.iter().filter(|peer| matches!(peer.way, Way::By(_))).count(), 1);
        assert_eq!((config.policy.minimum_parties, config.policy.dealer), (Some(3), false));
    }

    #[test]
    fn what_is_learned_reads_as_it_was_written_and_counts_less_than_the_file() {
        let [one, two] = [1, 2].map(|seed| NodeKey::from_bytes(&[seed; 32]).id());
        let other = |id: NodeId, address: Option<&str>, collect| Other {
            id: id.to_string(),
            address: address.map(str::to_owned),
            via: None,
            forward: false,
            collect,
        };
        let written =
            [other(one, Some("http://old"), true), other(two, None, false), other(one, Some("http://b:1"), true)];
        let annex = Annex::of(Path::new("node.key"));
        let learned = annex.parse(&written.map(|other| other.to_string()).concat()).unwrap();
        assert_eq!(learned.len(), 2, "the last one counts");
        let mut config = Config { learned, ..Config::default() };
        let way =
            |config: &Config, id| config.peers().unwrap().all().into_iter().find(|peer| peer.id == id).unwrap().way;
        assert_eq!((way(&config, one), way(&config, two)), (Way::At("http://b:1".parse().unwrap()), Way::Collected));
        config.nodes = vec![other(one, Some("http://mine"), false)];
        assert_eq!(way(&config, one), Way::At("http://mine".parse().unwrap()));
    }

    #[test]
    fn configurations_in_the_documentation_can_be_read() {
        let guides = [include_str!("../../docs/README.md"), include_str!("../../docs/serial.md")];
        let blocks: Vec<&str> = guides.iter().flat_map(|guide| guide.split("```toml\n").skip(1)).collect();
        assert_eq!(blocks.len(), 5);
        for block in blocks {
            parse(block.split("```").next().unwrap());
        }
    }

    #[test]
    fn misspelt_settings_are_refused_and_named() {
        let folder = Path::new(".");
        let refused = Config::from_toml("listne = \"127.0.0.1:1\"", folder).unwrap_err();
        assert!(refused.to_string().contains("listne"), "{refused}");
        let refused = Config::from_json("{\"listne\": \"127.0.0.1:1\"}", folder).unwrap_err();
        assert!(refused.to_string().contains("listne"), "{refused}");
    }

    #[test]
    fn what_is_wrong_does_not_quote_a_token() {
        let folder = Path::new(".");
        for text in [
            "clients = \"my-secret-token\"",
            "[[clients]]\nname = \"a\"\ntoken = 98765432101234567",
            "listen = \"my-secret-token\"",
        ] {
            let refused = Config::from_toml(text, folder).unwrap_err().to_string();
            assert!(!refused.contains("secret") && !refused.contains("98765"), "{refused}");
        }
        let refused = Config::from_json("{\"clients\": [{\"name\": \"a\", \"token\": 98765432101234567}]}", folder);
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("expected a string at line 1") && !refused.contains("98765"), "{refused}");
    }

    #[test]
    fn json_says_the_same_as_toml() {
        let folder = Path::new(".");
        let json = Config::from_json("{\"policy\": {\"minimum_parties\": 3}, \"limits\": {\"threads\": 2}}", folder);
        let toml = Config::from_toml("policy = { minimum_parties = 3 }\n[limits]\nthreads = 2", folder);
        let [json, toml] = [json, toml].map(|config| config.map(|config| format!("{config:?}")).unwrap());
        assert_eq!(json, toml);
    }
}
