//! What a handle points at.

use std::any::Any;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::bus::Principal;
use crate::value::Value;

mod method;

pub use method::{IntoReply, Method, Parameter};

/// A server-side object: the client holds a handle to it and uses it as if it were local.
///
/// Every method has a default that refuses, so an author writes only what the object can do. Nothing can be
/// downloaded unless [`Object::content`] says so.
#[async_trait]
pub trait Object: Any + Send + Sync + 'static {
    /// What this is, for listings and errors; never data.
    fn kind(&self) -> &'static str;

    /// The attribute `name`. Names that begin with an underscore never get here.
    fn attribute(self: Arc<Self>, name: &str) -> Result<Arc<dyn Object>, ObjectError> {
        Err(ObjectError::NoSuchAttribute { kind: self.kind(), name: name.to_owned() })
    }

    /// Calls the object, as `f(*args, **kwargs)`.
    async fn call(self: Arc<Self>, call: Call) -> Result<Reply, ObjectError> {
        let _ = call;
        Err(ObjectError::NotCallable { kind: self.kind() })
    }

    /// What a client gets when it downloads the object. `None`: this object never leaves the node.
    fn content(&self) -> Option<Cow<'_, Value>> {
        None
    }

    /// What computations on this node may read of the object when it is passed as an argument: its content, unless an
    /// owner's data source says more. Data that is not content can be computed on but not downloaded.
    fn data(&self) -> Option<Cow<'_, Value>> {
        self.content()
    }
}

impl fmt::Debug for dyn Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.kind())
    }
}

/// The answer of a call.
#[derive(Debug)]
pub enum Reply {
    /// Nothing: the client gets `{"type": "none"}` and no handle.
    None,
    /// An output: the client gets a handle, and may download it.
    Value(Value),
    /// An object: the client gets a handle; whether it may be downloaded is for the object to say.
    Object(Arc<dyn Object>),
}

/// A value on the bus: an upload, or the output of a call.
pub struct Stored(pub Value);

impl Object for Stored {
    fn kind(&self) -> &'static str {
        "value"
    }

    fn content(&self) -> Option<Cow<'_, Value>> {
        Some(Cow::Borrowed(&self.0))
    }
}

/// One argument of a call, with its handle resolved.
#[derive(Clone, Debug)]
pub enum Argument {
    /// A value, sent along or stored earlier.
    Value(Value),
    /// An object that is not an output. It may be passed on and computed on ([`Object::data`]), but turning it into a
    /// [`Reply::Value`] would publish it.
    Object(Arc<dyn Object>),
}

impl Argument {
    /// The argument that stands for `object`.
    pub fn of(object: Arc<dyn Object>) -> Self {
        match object.content() {
            Some(content) => Self::Value(content.into_owned()),
            None => Self::Object(object),
        }
    }

    /// What a client may see. An object that is no output is an error.
    pub fn into_value(self, name: &'static str) -> Result<Value, ObjectError> {
        match self {
            Self::Value(value) => Ok(value),
            Self::Object(object) => {
                Err(ObjectError::argument(name, format!("must be a value, and a {} is none", object.kind())))
            }
        }
    }

    /// What a computation on this node may read, and clients may not: for data that nothing but a protocol sees.
    pub fn into_data(self, name: &'static str) -> Result<Value, ObjectError> {
        match self {
            Self::Value(value) => Ok(value),
            Self::Object(object) => object
                .data()
                .map(Cow::into_owned)
                .ok_or_else(|| ObjectError::argument(name, format!("a {} holds no data to compute on", object.kind()))),
        }
    }

    /// The argument as a reply that gives the client what it put in, and no more.
    pub fn into_reply(self) -> Reply {
        match self {
            Self::Value(value) => Reply::Value(value),
            Self::Object(object) => Reply::Object(object),
        }
    }
}

/// A call that reached an object: who calls, and with what.
#[derive(Debug)]
pub struct Call {
    /// Who calls.
    pub principal: Principal,
    /// Positional arguments.
    pub args: Vec<Argument>,
    /// Named arguments.
    pub kwargs: BTreeMap<String, Argument>,
}

impl Call {
    /// Binds the arguments to parameter names, in the order of a Python signature. Too many, unknown, or given twice
    /// is an error that names the parameter.
    pub fn bind<const N: usize>(self, names: [&'static str; N]) -> Result<Bound, ObjectError> {
        if self.args.len() > N {
            return Err(ObjectError::TooManyArguments { at_most: N, given: self.args.len() });
        }
        let mut bound: BTreeMap<&'static str, Argument> = names.into_iter().zip(self.args).collect();
        for (name, argument) in self.kwargs {
            let Some(&known) = names.iter().find(|known| **known == name) else {
                return Err(ObjectError::UnexpectedArgument { name });
            };
            if bound.insert(known, argument).is_some() {
                return Err(ObjectError::argument(known, "given twice, by position and by name"));
            }
        }
        Ok(Bound { principal: self.principal, arguments: bound })
    }
}

/// A call's arguments by parameter name.
#[derive(Debug)]
pub struct Bound {
    /// Who calls.
    pub principal: Principal,
    arguments: BTreeMap<&'static str, Argument>,
}

impl Bound {
    /// Takes an optional argument; `null` counts as not given.
    pub fn optional(&mut self, name: &'static str) -> Option<Argument> {
        self.arguments.remove(name).filter(|argument| !matches!(argument, Argument::Value(Value::Null)))
    }

    /// Takes an argument that must be there.
    pub fn required(&mut self, name: &'static str) -> Result<Argument, ObjectError> {
        self.arguments.remove(name).ok_or(ObjectError::MissingArgument { name })
    }

    /// Takes an optional argument as a value; `null` counts as not given.
    pub fn optional_value(&mut self, name: &'static str) -> Result<Option<Value>, ObjectError> {
        self.optional(name).map(|argument| argument.into_value(name)).transpose()
    }

    /// Takes an argument that must be there, as a value. An object that computations may read and clients may not is none:
    /// what a service does with a value, it may tell.
    pub fn value(&mut self, name: &'static str) -> Result<Value, ObjectError> {
        self.required(name)?.into_value(name)
    }

    /// Takes an argument that must be there, as a text.
    pub fn text(&mut self, name: &'static str) -> Result<String, ObjectError> {
        match self.value(name)? {
            Value::Text(text) => Ok(text),
            _ => Err(ObjectError::argument(name, "must be a text")),
        }
    }
}

/// Why an object did not do what it was asked to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ObjectError {
    /// The object has no such attribute.
    #[error("attribute not available: a {kind} has no attribute {name:?}")]
    NoSuchAttribute {
        /// The object's kind.
        kind: &'static str,
        /// The name asked for.
        name: String,
    },
    /// The object can't be called.
    #[error("a {kind} can't be called")]
    NotCallable {
        /// The object's kind.
        kind: &'static str,
    },
    /// A parameter was not given.
    #[error("missing parameter: {name}")]
    MissingArgument {
        /// The parameter.
        name: &'static str,
    },
    /// A parameter that does not exist was given.
    #[error("unexpected parameter: {name:?}")]
    UnexpectedArgument {
        /// What was given.
        name: String,
    },
    /// More positional arguments than parameters.
    #[error("too many arguments: {given} given, at most {at_most} expected")]
    TooManyArguments {
        /// How many parameters there are.
        at_most: usize,
        /// How many arguments came.
        given: usize,
    },
    /// An argument has the wrong type, shape or range.
    #[error("invalid parameter: {name}: {why}")]
    InvalidArgument {
        /// The parameter.
        name: &'static str,
        /// What is wrong with it, without quoting it.
        why: String,
    },
    /// What the call names does not exist here (a key, a barrier, a function).
    #[error("not found: {what}")]
    NotFound {
        /// What was looked for.
        what: String,
    },
    /// The operator's policy refuses.
    #[error("refused: {why}")]
    Refused {
        /// The rule, in words.
        why: String,
    },
    /// The call does not fit the present state, or parties disagree.
    #[error("{why}")]
    Conflict {
        /// What does not fit.
        why: String,
        /// Places of the parties that it does not fit, if it is about parties.
        culprits: Vec<usize>,
    },
    /// A peer broke the protocol.
    #[error("{why}")]
    BadPeer {
        /// What it did.
        why: String,
        /// Places of the parties at fault.
        culprits: Vec<usize>,
    },
    /// This node has an error.
    #[error("{why}")]
    Internal {
        /// Where.
        why: String,
    },
    /// A bound was reached.
    #[error("limit reached: {what}")]
    Limit {
        /// The bound.
        what: String,
    },
    /// A peer, or this node itself, can't serve the call now.
    #[error("{why}")]
    Unavailable {
        /// What is missing, and who.
        why: String,
        /// Places of the parties at fault.
        culprits: Vec<usize>,
    },
    /// A deadline passed.
    #[error("{why}")]
    TimedOut {
        /// What was waited for.
        why: String,
        /// Places of the parties that were waited for.
        culprits: Vec<usize>,
    },
}

impl ObjectError {
    /// What does not fit the present state.
    pub fn conflict(why: impl Into<String>) -> Self {
        Self::Conflict { why: why.into(), culprits: Vec::new() }
    }

    /// An argument that is wrong, and why.
    pub fn argument(name: &'static str, why: impl Into<String>) -> Self {
        Self::InvalidArgument { name, why: why.into() }
    }

    /// The parties at fault, by their place in the party list.
    pub fn culprits(&self) -> &[usize] {
        match self {
            Self::Conflict { culprits, .. }
            | Self::BadPeer { culprits, .. }
            | Self::Unavailable { culprits, .. }
            | Self::TimedOut { culprits, .. } => culprits,
            Self::NoSuchAttribute { .. }
            | Self::NotCallable { .. }
            | Self::MissingArgument { .. }
            | Self::UnexpectedArgument { .. }
            | Self::TooManyArguments { .. }
            | Self::InvalidArgument { .. }
            | Self::NotFound { .. }
            | Self::Refused { .. }
            | Self::Internal { .. }
            | Self::Limit { .. } => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(args: &[i128], kwargs: &[(&str, Value)]) -> Call {
        Call {
            principal: Principal::new("somebody"),
            args: args.iter().map(|number| Argument::Value(Value::Int(*number))).collect(),
            kwargs: kwargs.iter().map(|(name, value)| ((*name).to_owned(), Argument::Value(value.clone()))).collect(),
        }
    }

    #[test]
    fn positions_and_names_reach_their_parameters() {
        let mut bound = call(&[1], &[("c", Value::Int(3)), ("b", Value::Int(2))]).bind(["a", "b", "c"]).unwrap();
        assert_eq!(["a", "b", "c"].map(|name| bound.value(name)), [1, 2, 3].map(|number| Ok(Value::Int(number))));
    }

    #[test]
    fn more_positions_than_parameters_are_an_error() {
        let error = call(&[1, 2], &[]).bind(["a"]).unwrap_err();
        assert_eq!(error, ObjectError::TooManyArguments { at_most: 1, given: 2 });
    }

    #[test]
    fn unknown_parameters_are_named() {
        let error = call(&[], &[("z", Value::Null)]).bind(["a"]).unwrap_err();
        assert_eq!(error, ObjectError::UnexpectedArgument { name: "z".to_owned() });
    }

    #[test]
    fn parameters_given_twice_are_an_error() {
        let error = call(&[1], &[("a", Value::Int(2))]).bind(["a"]).unwrap_err();
        assert_eq!(error, ObjectError::argument("a", "given twice, by position and by name"));
    }

    #[test]
    fn a_parameter_can_be_missing_only_if_it_is_optional() {
        let mut bound = call(&[], &[]).bind(["a"]).unwrap();
        assert_eq!(bound.optional_value("a"), Ok(None));
        assert_eq!(bound.value("a"), Err(ObjectError::MissingArgument { name: "a" }));
    }

    #[test]
    fn null_counts_as_not_given_where_it_may() {
        let mut bound = call(&[], &[("a", Value::Null), ("b", Value::Null)]).bind(["a", "b"]).unwrap();
        assert_eq!(bound.optional_value("a"), Ok(None));
        assert_eq!(bound.value("b"), Ok(Value::Null));
    }

    #[test]
    fn a_text_must_be_a_text() {
        let mut bound = call(&[1], &[]).bind(["a"]).unwrap();
        assert_eq!(bound.text("a"), Err(ObjectError::argument("a", "must be a text")));
    }
}
