//! The client's side: objects on a node, used as if they were here.
//!
//! [`Api::create`] and everything that follows builds a [`Chain`], which asks nothing yet; [`Chain::download`] and
//! [`Chain::hold`] send it whole, so that create → attribute → call → download is one round trip. What is held is a
//! [`Representation`]; dropping it releases the handle at the node.
//!
//! ```
//! # use fsc_core::{representation::{Api, ApiError}, value::Value};
//! # async fn sketch(api: Api, network: Value) -> Result<(), ApiError> {
//! let sum = api
//!     .create([("protocol", "Simon")])
//!     .attribute("compute")
//!     .call([("microprotocol", "SecureSum".into()), ("data", 42.into()), ("network", network)])
//!     .download()
//!     .await?;
//! # Ok(())
//! # }
//! ```

use std::sync::Arc;

use serde::de::DeserializeOwned;

use crate::bus::{Request, Step};
use crate::clock::Runtime;
use crate::transport::{Address, Answer, Transport, TransportError};
use crate::value::{Arguments, ConvertError, Handle, Value, from_value};

/// A node, as its client sees it. Cloning is cheap.
#[derive(Clone)]
pub struct Api {
    transport: Arc<dyn Transport>,
    runtime: Arc<dyn Runtime>,
    address: Address,
}

impl Api {
    /// The node at `address`. What is shared comes in an [`Arc`].
    pub fn new(transport: impl Transport, runtime: impl Runtime, address: Address) -> Self {
        Self { transport: Arc::new(transport), runtime: Arc::new(runtime), address }
    }

    /// The descriptions of the top-level objects.
    pub async fn list(&self) -> Result<Vec<Value>, ApiError> {
        match self.transport.request(&self.address, Request::List).await? {
            Answer::List(descriptions) => Ok(descriptions),
            other => Err(ApiError::unexpected("descriptions", &other)),
        }
    }

    /// The top-level object whose description contains these entries.
    pub fn create<K: Into<String>, V: Into<Value>>(&self, description: impl IntoIterator<Item = (K, V)>) -> Chain {
        let entries = description.into_iter().map(|(key, value)| (key.into(), value.into()));
        self.begin(Step::Create(entries.collect()))
    }

    /// A value, stored at the node.
    pub fn upload(&self, value: impl Into<Value>) -> Chain {
        self.begin(Step::Upload(value.into()))
    }

    fn begin(&self, step: Step) -> Chain {
        Chain { api: self.clone(), held: None, steps: vec![step] }
    }

    async fn send(&self, steps: Vec<Step>) -> Result<Answer, ApiError> {
        Ok(self.transport.request(&self.address, Request::Chain(steps)).await?)
    }
}

/// Steps that have not been asked for yet.
#[must_use = "a chain does nothing until it is held or downloaded"]
pub struct Chain {
    api: Api,
    /// What the chain begins with stays held until it was sent.
    held: Option<Representation>,
    steps: Vec<Step>,
}

impl Chain {
    /// The attribute of that name.
    pub fn attribute(self, name: &str) -> Self {
        self.then(Step::Attribute(name.to_owned()))
    }

    /// Calls the object: with nothing, `()`; with named arguments, `[("name", value)]`; or with whatever [`Arguments`] hold.
    pub fn call(self, arguments: impl Into<Arguments>) -> Self {
        self.then(Step::Call(arguments.into()))
    }

    /// Asks for all steps, and for a handle to what they lead to; `None` if the last call answered nothing.
    pub async fn hold(self) -> Result<Option<Representation>, ApiError> {
        let Self { api, held, steps } = self;
        let answer = api.send(steps).await?;
        drop(held);
        match answer {
            Answer::Handle(handle) => Ok(Some(Representation(Arc::new(Held { api, handle })))),
            Answer::None => Ok(None),
            other => Err(ApiError::unexpected("a handle", &other)),
        }
    }

    /// Asks for all steps, and for the content of what they lead to.
    pub async fn download(mut self) -> Result<Value, ApiError> {
        self.steps.push(Step::Download);
        let Self { api, held, steps } = self;
        let answer = api.send(steps).await?;
        drop(held);
        match answer {
            Answer::Object(value) => Ok(value),
            other => Err(ApiError::unexpected("an object", &other)),
        }
    }

    /// The same, as a type of one's own.
    pub async fn download_as<T: DeserializeOwned>(self) -> Result<T, ApiError> {
        Ok(from_value(self.download().await?)?)
    }

    fn then(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }
}

/// An object on the node that this client holds a handle to. The last clone that is dropped releases it.
#[derive(Clone)]
pub struct Representation(Arc<Held>);

struct Held {
    api: Api,
    handle: Handle,
}

impl Representation {
    /// The object's handle.
    pub fn handle(&self) -> Handle {
        self.0.handle
    }

    /// The object as an argument of a call. Keep the representation until the call was answered.
    pub fn to_value(&self) -> Value {
        Value::Handle(self.0.handle)
    }

    /// The attribute of that name.
    pub fn attribute(&self, name: &str) -> Chain {
        self.chain().attribute(name)
    }

    /// Calls the object, as [`Chain::call`] does.
    pub fn call(&self, arguments: impl Into<Arguments>) -> Chain {
        self.chain().call(arguments)
    }

    /// The object's content.
    pub async fn download(&self) -> Result<Value, ApiError> {
        self.chain().download().await
    }

    fn chain(&self) -> Chain {
        let steps = vec![Step::Use(self.0.handle)];
        Chain { api: self.0.api.clone(), held: Some(self.clone()), steps }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let (api, handle) = (self.api.clone(), self.handle);
        // Nobody is left to hear of a failure; a handle that is not released expires with its lease.
        self.api.runtime.spawn(Box::pin(async move {
            let _ = api.send(vec![Step::Use(handle), Step::Release]).await;
        }));
    }
}

/// Why a client did not get what it asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApiError {
    /// The node refused, or can't be reached.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The content is of another type.
    #[error("the content is of another type: {0}")]
    Convert(#[from] ConvertError),
    /// The node answered something that does not fit the request.
    #[error("expected {expected}, got {got}")]
    Unexpected {
        /// What fits.
        expected: &'static str,
        /// What came.
        got: &'static str,
    },
}

impl ApiError {
    fn unexpected(expected: &'static str, answer: &Answer) -> Self {
        let got = match answer {
            Answer::List(_) => "descriptions",
            Answer::Handle(_) => "a handle",
            Answer::None => "nothing",
            Answer::Object(_) => "an object",
        };
        Self::Unexpected { expected, got }
    }
}
