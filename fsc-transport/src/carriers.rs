//! One transport out of several.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use fsc_core::bus::Request;
use fsc_core::transport::{Address, Answer, Assurance, Batch, Life, Transport, TransportError};

/// Sends each address to the transport of its scheme: `http`, `local`, and whatever else was added.
#[derive(Clone, Default)]
pub struct Carriers {
    by_scheme: BTreeMap<String, Arc<dyn Transport>>,
}

impl Carriers {
    /// No carrier yet: every address is refused.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets `carrier` take the addresses that begin with `scheme` and a colon, in place of the one that did.
    #[must_use]
    pub fn with(mut self, scheme: &str, carrier: impl Transport) -> Self {
        self.by_scheme.insert(scheme.to_ascii_lowercase(), Arc::new(carrier));
        self
    }

    fn to(&self, to: &Address) -> Result<&dyn Transport, TransportError> {
        let carrier = self.by_scheme.get(to.scheme()).ok_or_else(|| TransportError::NoTransport { to: to.clone() })?;
        Ok(carrier.as_ref())
    }
}

impl fmt::Debug for Carriers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.by_scheme.keys()).finish()
    }
}

#[async_trait]
impl Transport for Carriers {
    async fn request(&self, to: &Address, request: Request) -> Result<Answer, TransportError> {
        self.to(to)?.request(to, request).await
    }

    async fn deliver(&self, to: &Address, batch: Batch) -> Result<Life, TransportError> {
        self.to(to)?.deliver(to, batch).await
    }

    async fn lost(&self, to: &Address, life: Life) -> TransportError {
        match self.to(to) {
            Ok(carrier) => carrier.lost(to, life).await,
            Err(error) => error,
        }
    }

    async fn collect(&self, to: &Address, asking: Bytes) -> Result<Bytes, TransportError> {
        self.to(to)?.collect(to, asking).await
    }

    fn assurance(&self, to: &Address) -> Assurance {
        self.to(to).map_or(Assurance::None, |carrier| carrier.assurance(to))
    }
}
