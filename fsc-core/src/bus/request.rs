//! What a client asks of the bus, and what it answers.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::object::Object;
use crate::value::{Arguments, Handle, Value};

/// Who asks: a name that the transport authenticated, never one that the request claims.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Principal(Arc<str>);

impl Principal {
    /// The principal of that name.
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Everything that a client may ask.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// The descriptions of the top-level objects.
    List,
    /// Steps, each on the object that the step before left. The seven operations are chains of one or two steps.
    Chain(Vec<Step>),
}

/// One step of a chain.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Finds the top-level object whose description contains these entries. Begins a chain.
    Create(BTreeMap<String, Value>),
    /// Stores a value. Begins a chain.
    Upload(Value),
    /// Takes the object behind a handle. Begins a chain.
    Use(Handle),
    /// The attribute of that name.
    Attribute(String),
    /// Calls the object. Ends the chain if there is no answer.
    Call(Arguments),
    /// Answers the object's content. Ends a chain.
    Download,
    /// Gives the handle back that the chain began with. Ends a chain.
    Release,
}

/// The answer to a request.
#[derive(Clone, Debug)]
pub enum Response {
    /// Descriptions.
    List(Arc<Vec<Value>>),
    /// The chain left an object: its handle.
    Handle(Handle),
    /// The chain left nothing.
    None,
    /// The chain ended in a download; the object has content.
    Object(Arc<dyn Object>),
}

/// A request that failed, as the client sees it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// The HTTP status that fits, on every transport.
    pub code: u16,
    /// What went wrong, in the asker's terms and without the asker's data.
    pub message: String,
    /// Places of the parties at fault, if any are.
    pub culprits: Vec<usize>,
}

impl Failure {
    /// A failure that no party is to blame for.
    pub fn new(code: u16, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), culprits: Vec::new() }
    }
}
