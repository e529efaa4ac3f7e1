//! What a client asks of the bus, and what it answers.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::object::{Object, ObjectError};
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

/// The one table from what objects say to what clients see.
impl From<ObjectError> for Failure {
    fn from(error: ObjectError) -> Self {
        let code = match &error {
            ObjectError::NotCallable { .. }
            | ObjectError::MissingArgument { .. }
            | ObjectError::UnexpectedArgument { .. }
            | ObjectError::TooManyArguments { .. }
            | ObjectError::InvalidArgument { .. } => 400,
            ObjectError::Refused { .. } => 403,
            ObjectError::NoSuchAttribute { .. } | ObjectError::NotFound { .. } => 404,
            ObjectError::Conflict { .. } => 409,
            ObjectError::Limit { .. } => 429,
            ObjectError::Internal { .. } => 500,
            ObjectError::BadPeer { .. } => 502,
            ObjectError::Unavailable { .. } => 503,
            ObjectError::TimedOut { .. } => 504,
        };
        Self { code, message: shorten(error.to_string()), culprits: error.culprits().to_vec() }
    }
}

/// Messages may repeat a name that the client chose, of any length; the answer need not.
pub(super) fn shorten(mut message: String) -> String {
    const LONGEST: usize = 1_024;
    if message.len() > LONGEST {
        message.truncate(message.floor_char_boundary(LONGEST));
        message.push('…');
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_object_error_has_its_code() {
        let text = String::new;
        for (error, code) in [
            (ObjectError::NoSuchAttribute { kind: "x", name: text() }, 404),
            (ObjectError::NotCallable { kind: "x" }, 400),
            (ObjectError::MissingArgument { name: "x" }, 400),
            (ObjectError::UnexpectedArgument { name: text() }, 400),
            (ObjectError::TooManyArguments { at_most: 1, given: 2 }, 400),
            (ObjectError::argument("x", "y"), 400),
            (ObjectError::NotFound { what: text() }, 404),
            (ObjectError::Refused { why: text() }, 403),
            (ObjectError::conflict("why"), 409),
            (ObjectError::Internal { why: text() }, 500),
            (ObjectError::BadPeer { why: text(), culprits: vec![1] }, 502),
            (ObjectError::Limit { what: text() }, 429),
            (ObjectError::Unavailable { why: text(), culprits: vec![] }, 503),
            (ObjectError::TimedOut { why: text(), culprits: vec![] }, 504),
        ] {
            assert_eq!(Failure::from(error.clone()).code, code, "{error:?}");
        }
    }

    #[test]
    fn failures_name_the_culprits() {
        let error = ObjectError::TimedOut { why: "no word from party 2".to_owned(), culprits: vec![2] };
        assert_eq!(Failure::from(error).culprits, [2]);
    }

    #[test]
    fn long_names_do_not_come_back_in_full() {
        let name = "ü".repeat(100_000);
        let failure = Failure::from(ObjectError::UnexpectedArgument { name });
        assert!(failure.message.len() < 1_100, "{} bytes", failure.message.len());
        assert!(failure.message.starts_with("unexpected parameter: \"üü"));
    }
}
