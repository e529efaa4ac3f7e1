//! The asking side: requests and mail to nodes by HTTP.

mod calls;
mod classic;
mod pool;
mod watch;

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use fsc_core::bus::Request;
use fsc_core::transport::{Address, Answer, Assurance, Batch, Life, Transport, TransportError};
use http::HeaderValue;

use calls::Call;
use pool::Pool;
use watch::Watch;

/// Addresses that are remembered. Beyond it, those without a request in flight are forgotten.
const REMEMBERED: usize = 1024;

/// How a client behaves.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// How long connecting may take.
    pub connect: Duration,
    /// How long a delivery of mail may take, connecting included.
    pub delivery: Duration,
    /// How long a request may take; `None` for as long as it needs, since computations are long.
    pub request: Option<Duration>,
    /// Deliveries of mail to one address at once.
    pub connections: usize,
    /// How long an idle connection is kept.
    pub idle: Duration,
    /// Bytes of an answer.
    pub answer: usize,
    /// Whether to speak HTTP/2, without asking first: one connection per address carries everything.
    pub http2: bool,
    /// The header `Authorization` of every request; see [`with_token`](Self::with_token).
    pub authorization: Option<HeaderValue>,
}

impl ClientConfig {
    /// Shows `token` with every request, as `Authorization: Bearer TOKEN`. A token that is not printable ASCII is none.
    #[must_use]
    pub fn with_token(mut self, token: &str) -> Self {
        self.authorization = HeaderValue::from_str(&format!("Bearer {token}")).ok();
        if let Some(authorization) = &mut self.authorization {
            authorization.set_sensitive(true);
        }
        self
    }
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(2),
            delivery: Duration::from_secs(30),
            request: None,
            connections: 32,
            idle: Duration::from_secs(30),
            answer: 1 << 30,
            http2: false,
            authorization: None,
        }
    }
}

/// A [`Transport`] by HTTP, with its own pool of connections. Needs a tokio runtime.
///
/// It speaks to our servers, and to the Python reference: what has no `POST /chain` is asked step by step.
pub struct HttpTransport {
    config: Arc<ClientConfig>,
    pools: Mutex<HashMap<Address, Arc<Pool>>>,
    watches: watch::Watches,
}

impl HttpTransport {
    /// A transport without connections yet.
    pub fn new(config: ClientConfig) -> Self {
        Self { config: Arc::new(config), pools: Mutex::default(), watches: watch::Watches::default() }
    }

    fn pool(&self, to: &Address) -> Result<Arc<Pool>, TransportError> {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pool) = pools.get(to) {
            return Ok(Arc::clone(pool));
        }
        if pools.len() >= REMEMBERED {
            pools.retain(|_, pool| Arc::strong_count(pool) > 1);
        }
        let pool = Arc::new(Pool::new(to, Arc::clone(&self.config))?);
        pools.insert(to.clone(), Arc::clone(&pool));
        Ok(pool)
    }
}

impl Default for HttpTransport {
    fn default() -> Self {
        Self::new(ClientConfig::default())
    }
}

impl fmt::Debug for HttpTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpTransport").field("config", &self.config).finish_non_exhaustive()
    }
}

#[async_trait]
impl Transport for HttpTransport {
    async fn request(&self, to: &Address, request: Request) -> Result<Answer, TransportError> {
        let pool = self.pool(to)?;
        let answer = async {
            match request {
                Request::List => pool.ask(&Call::list()).await,
                Request::Chain(steps) => calls::chain(&pool, &steps).await,
            }
        };
        match self.config.request {
            Some(deadline) => within(deadline, to, answer).await,
            None => answer.await,
        }
    }

    async fn deliver(&self, to: &Address, batch: Batch) -> Result<Life, TransportError> {
        let pool = self.pool(to)?;
        within(self.config.delivery, to, pool.deliver(batch)).await
    }

    async fn lost(&self, to: &Address, life: Life) -> TransportError {
        match self.pool(to) {
            Ok(pool) => Watch::over(&self.watches, pool).until_lost(life).await,
            Err(error) => error,
        }
    }

    async fn collect(&self, to: &Address, asking: Bytes) -> Result<Bytes, TransportError> {
        let pool = self.pool(to)?;
        // The server waits a while for mail before it says that there is none.
        within(2 * self.config.delivery, to, pool.collect(asking)).await
    }

    fn assurance(&self, to: &Address) -> Assurance {
        let Ok(endpoint) = Endpoint::of(to) else { return Assurance::None };
        let host = endpoint.host();
        let loopback = host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
        if loopback { Assurance::Loopback } else { Assurance::None }
    }
}

async fn within<T>(
    deadline: Duration,
    to: &Address,
    work: impl Future<Output = Result<T, TransportError>>,
) -> Result<T, TransportError> {
    let timed_out = |_| TransportError::TimedOut { to: to.clone(), seconds: deadline.as_secs() };
    tokio::time::timeout(deadline, work).await.map_err(timed_out)?
}

/// The parts of an `http:` address.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Endpoint {
    /// Host and port, as the header `Host` has it and as the system resolves it.
    authority: String,
    /// What precedes every path; empty or with a leading slash and no trailing one.
    base: String,
}

impl Endpoint {
    /// Other schemes are not carried; `https` will be with TLS. Who is expected there is not HTTP's concern.
    fn of(to: &Address) -> Result<Self, TransportError> {
        let no_transport = || TransportError::NoTransport { to: to.clone() };
        let place = to.place().ok_or_else(no_transport)?;
        let rest = place.as_str().strip_prefix("http://").ok_or_else(no_transport)?;
        let (authority, base) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let port = authority.rsplit_once(':').filter(|(host, _)| !host.is_empty()).map(|(_, port)| port);
        let authority = match port {
            Some(port) if port.parse::<u16>().is_ok() => authority.to_owned(),
            Some(port) if !port.ends_with(']') => return Err(no_transport()),
            _ if authority.is_empty() || authority.starts_with(':') => return Err(no_transport()),
            _ => format!("{authority}:80"),
        };
        if authority.parse::<http::uri::Authority>().is_err() || authority.contains('@') {
            return Err(no_transport());
        }
        Ok(Self { authority, base: base.to_owned() })
    }

    fn host(&self) -> &str {
        let host = self.authority.rsplit_once(':').map_or("", |(host, _)| host);
        host.trim_start_matches('[').trim_end_matches(']')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(address: &str) -> Option<(String, String)> {
        let endpoint = Endpoint::of(&address.parse().unwrap()).ok()?;
        Some((endpoint.authority, endpoint.base))
    }

    #[test]
    fn addresses_are_taken_apart() {
        let parts = |authority: &str, base: &str| Some((authority.to_owned(), base.to_owned()));
        assert_eq!(endpoint("HTTP://Example.org/"), parts("example.org:80", ""));
        assert_eq!(endpoint("http://[::1]:8080/a/b/"), parts("[::1]:8080", "/a/b"));
        assert_eq!(endpoint("http://[::1]"), parts("[::1]:80", ""));
        for bad in ["https://a", "local:a", "http://:80", "http://a:99999", "http://a:b", "http://u@h:1", "http:///x"] {
            assert_eq!(endpoint(bad), None, "{bad}");
        }
    }

    #[test]
    fn loopback_is_assured_and_nothing_else() {
        let transport = HttpTransport::default();
        let assured = |address: &str| transport.assurance(&address.parse().unwrap());
        for loopback in ["http://127.0.0.1:1", "http://127.9.9.9", "http://[::1]:1", "http://localhost:8000"] {
            assert_eq!(assured(loopback), Assurance::Loopback, "{loopback}");
        }
        for other in ["http://10.0.0.1", "http://localhost.example.org", "https://127.0.0.1", "local:x"] {
            assert_eq!(assured(other), Assurance::None, "{other}");
        }
    }

    #[tokio::test]
    async fn https_has_no_transport_yet() {
        let to = "https://127.0.0.1:1".parse().unwrap();
        let error = HttpTransport::default().request(&to, Request::List).await.unwrap_err();
        assert!(matches!(error, TransportError::NoTransport { .. }));
    }
}
