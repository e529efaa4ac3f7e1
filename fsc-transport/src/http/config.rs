//! What an operator decides about a server.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use fsc_core::bus::Principal;
use fsc_core::value;
use http::HeaderValue;
use subtle::{ConditionallySelectable, ConstantTimeEq};

/// What an operator decides about a server.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Where to listen; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// Who may ask.
    pub access: Access,
    /// Which web pages may ask.
    pub origins: Origins,
    /// What clients and peers may cost.
    pub limits: Limits,
}

impl Default for ServerConfig {
    /// On loopback, on a port that the system chooses, for everybody as one principal, `anonymous`.
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            access: Access::Anonymous(Principal::new("anonymous")),
            origins: Origins::default(),
            limits: Limits::default(),
        }
    }
}

/// Who may ask, and as whom.
#[derive(Clone, Debug)]
pub enum Access {
    /// Everybody, as this principal.
    Anonymous(Principal),
    /// Whoever shows a token, as `Authorization: Bearer TOKEN`.
    Tokens(Tokens),
}

/// Bearer tokens and the principals they stand for. Only hashes are kept.
#[derive(Clone, Default)]
pub struct Tokens {
    known: Vec<([u8; 32], Principal)>,
}

impl Tokens {
    /// No tokens: nobody may ask.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets `token` stand for `principal`. Tokens should be random and long; they are not stretched.
    #[must_use]
    pub fn with(mut self, token: &str, principal: Principal) -> Self {
        self.known.push((hash(token.as_bytes()), principal));
        self
    }

    /// The principal that `token` stands for. How long it takes does not depend on which token matches, or how nearly.
    pub(super) fn principal(&self, token: &[u8]) -> Option<&Principal> {
        let given = hash(token);
        let mut found = u64::MAX;
        for (place, (known, _)) in (0_u64..).zip(&self.known) {
            found.conditional_assign(&place, known.ct_eq(&given));
        }
        self.known.get(usize::try_from(found).ok()?).map(|(_, principal)| principal)
    }
}

impl fmt::Debug for Tokens {
    /// How many; neither tokens nor hashes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} tokens", self.known.len())
    }
}

fn hash(token: &[u8]) -> [u8; 32] {
    *blake3::hash(token).as_bytes()
}

/// Which web pages may ask (`Access-Control-Allow-Origin`).
#[derive(Clone, Debug, Default)]
pub enum Origins {
    /// Pages from anywhere, as the reference has it.
    #[default]
    Any,
    /// Pages from these origins, as `https://example.org`.
    Only(Vec<HeaderValue>),
}

/// What clients and peers may cost a server.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at once. One more is answered 503 and closed.
    pub connections: usize,
    /// Bytes of a request's line and headers (431); at least 8 KiB.
    pub head: usize,
    /// Headers of a request (431).
    pub headers: usize,
    /// Bytes of a request's path and query (414).
    pub path: usize,
    /// Bytes of a client's body (413).
    pub body: usize,
    /// Bytes of a batch of mail (413).
    pub mail: usize,
    /// Bytes of all clients' bodies that are being read at a time, and as many of mail (503); one body that is alone is
    /// bounded by `body` or `mail` only.
    pub bodies: usize,
    /// How deep and how many the values in a body may be (400).
    pub values: value::Limits,
    /// How long a head may take from its first byte to its last; then the connection is closed.
    pub head_patience: Duration,
    /// How long a body may say nothing (408).
    pub body_patience: Duration,
    /// Bytes per second that a body must have on average, after `body_patience` (408).
    pub body_rate: u64,
    /// How long a connection may be idle, or an answer not be read; then it is closed.
    pub idle_patience: Duration,
    /// How long a connection that is closed may take to read its last answer.
    pub linger: Duration,
    /// How long requests in flight may take after shutdown was asked for.
    pub drain: Duration,
    /// Requests in flight on one HTTP/2 connection.
    pub streams: u32,
}

impl Limits {
    /// How often a connection's watchdog looks.
    pub(super) fn tick(&self) -> Duration {
        let shortest = self.head_patience.min(self.body_patience).min(self.idle_patience);
        (shortest / 4).max(Duration::from_millis(5))
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            head: 64 << 10,
            headers: 100,
            path: 8 << 10,
            body: 256 << 20,
            mail: 64 << 20,
            bodies: 1 << 30,
            values: value::Limits::default(),
            head_patience: Duration::from_secs(10),
            body_patience: Duration::from_secs(20),
            body_rate: 16 << 10,
            idle_patience: Duration::from_mins(2),
            linger: Duration::from_secs(2),
            drain: Duration::from_secs(10),
            streams: 256,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_stands_for_its_principal_only() {
        let tokens = Tokens::new().with("one", Principal::new("alice")).with("two", Principal::new("bob"));
        assert_eq!(tokens.principal(b"one").map(Principal::name), Some("alice"));
        assert_eq!(tokens.principal(b"two").map(Principal::name), Some("bob"));
        assert_eq!(tokens.principal(b"tw"), None);
        assert_eq!(tokens.principal(b""), None);
        assert_eq!(format!("{tokens:?}"), "2 tokens");
    }
}
