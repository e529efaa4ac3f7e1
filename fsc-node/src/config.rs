//! The configuration file of a node.
//!
//! ```toml
//! listen = "127.0.0.1:8001"
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

use std::fs;
use std::net::SocketAddr;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;
use std::time::Duration;

use fsc_core::bus::Principal;
use fsc_core::bus::grant::Quotas;
use fsc_core::bus::policy::Rules;
use fsc_core::runs;
use fsc_transport::http::{Access, HeaderValue, Origins, ServerConfig, Tokens};
use serde::Deserialize;

/// A node's configuration, as its file says.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    listen: Option<SocketAddr>,
    clients: Vec<Client>,
    cors: Cors,
    pub(crate) policy: Rules,
    peers: Peers,
    limits: Limits,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Client {
    name: String,
    token: String,
}

impl std::fmt::Debug for Client {
    /// Without the token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
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
pub(crate) enum ConfigError {
    #[error("can't read {}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{} is not a configuration: {what}", path.display())]
    Parse { path: PathBuf, what: String },
    #[error("no address to listen on: give --listen ADDR, or `listen = \"ADDR\"` in the configuration")]
    NoAddress,
    #[error(
        "{0} can be reached from other machines, and everybody could use the node: \
         name its clients under [[clients]] in the configuration, or listen on 127.0.0.1"
    )]
    OpenToAll(SocketAddr),
    #[error("the token of client {0:?} is too short: use at least 16 random characters")]
    ShortToken(String),
    #[error("{0:?} is no origin of web pages: expected something like https://app.example.org")]
    Origin(String),
}

impl Config {
    /// Reads a file.
    pub(crate) fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        // The parser's full error quotes the line, which may hold a token.
        toml::from_str(&text)
            .map_err(|error| ConfigError::Parse { path: path.to_owned(), what: error.message().to_owned() })
    }

    /// The server's side, listening on `listen` if that is given.
    pub(crate) fn server(&self, listen: Option<SocketAddr>) -> Result<ServerConfig, ConfigError> {
        let listen = listen.or(self.listen).ok_or(ConfigError::NoAddress)?;
        if self.clients.is_empty() && !listen.ip().is_loopback() {
            return Err(ConfigError::OpenToAll(listen));
        }
        let mut config = ServerConfig { listen, ..ServerConfig::default() };
        if !self.clients.is_empty() {
            config.access = Access::Tokens(self.tokens()?);
        }
        if let Some(origins) = &self.cors.origins {
            let origin = |text: &String| HeaderValue::from_str(text).map_err(|_| ConfigError::Origin(text.clone()));
            config.origins = Origins::Only(origins.iter().map(origin).collect::<Result<_, _>>()?);
        }
        set(&mut config.limits.body, self.limits.body_bytes);
        set(&mut config.limits.bodies, self.limits.bodies_bytes);
        set(&mut config.limits.connections, self.limits.connections);
        Ok(config)
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

    fn tokens(&self) -> Result<Tokens, ConfigError> {
        self.clients.iter().try_fold(Tokens::new(), |tokens, client| {
            if client.token.len() < 16 {
                return Err(ConfigError::ShortToken(client.name.clone()));
            }
            Ok(tokens.with(&client.token, Principal::new(&client.name)))
        })
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

    fn parse(text: &str) -> Config {
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
        assert_eq!(config.server(None).unwrap().listen.port(), 8001);
        assert_eq!((config.policy.minimum_parties, config.policy.dealer), (Some(3), false));
    }

    #[test]
    fn a_node_that_anybody_could_use_does_not_start() {
        let everywhere = Some("0.0.0.0:80".parse().unwrap());
        assert!(matches!(parse("").server(everywhere), Err(ConfigError::OpenToAll(_))));
        let named = parse("[[clients]]\nname = \"a\"\ntoken = \"0123456789abcdef\"");
        assert!(named.server(everywhere).is_ok());
    }

    #[test]
    fn short_tokens_are_refused() {
        let config = parse("[[clients]]\nname = \"a\"\ntoken = \"secret\"");
        let error = config.server(Some("127.0.0.1:0".parse().unwrap())).unwrap_err();
        assert!(!error.to_string().contains("secret"));
    }

    #[test]
    fn misspelt_settings_are_refused() {
        assert!(toml::from_str::<Config>("listne = \"127.0.0.1:1\"").is_err());
    }
}
