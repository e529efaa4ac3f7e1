//! Objects as their authors write them: a struct, an impl block, and one line that says what clients may call.
//!
//! ```
//! use std::sync::atomic::{AtomicU64, Ordering};
//! use fsc_core::object::ObjectError;
//!
//! /// Counts; all clients of the node share the count.
//! #[derive(Default)]
//! struct Counter(AtomicU64);
//!
//! impl Counter {
//!     fn add(&self, step: Option<u64>) -> Result<u64, ObjectError> {
//!         let step = step.unwrap_or(1);
//!         Ok(self.0.fetch_add(step, Ordering::Relaxed).wrapping_add(step))
//!     }
//!
//!     async fn reset(&self) -> Result<(), ObjectError> {
//!         self.0.store(0, Ordering::Relaxed);
//!         Ok(())
//!     }
//! }
//!
//! fsc_core::methods!(Counter, "counter", { add(step), async reset() });
//! ```
//!
//! A client calls `counter.add(step=2)`, `counter.add(2)` or `counter.add()`.

use std::any::Any;
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;

use super::{Argument, Bound, Call, Object, ObjectError, Reply};
use crate::clock::BoxFuture;
use crate::value::Value;

/// A method of an object, bound to it: what the attribute of that name answers, and what the client then calls.
pub struct Method(Box<dyn Fn(Call) -> BoxFuture<Result<Reply, ObjectError>> + Send + Sync>);

impl Method {
    /// Binds `function` to `object`.
    pub fn bind<T, F, A>(object: Arc<T>, function: F) -> Arc<dyn Object>
    where
        T: Any + Send + Sync + ?Sized,
        F: Fn(Arc<T>, Call) -> A + Send + Sync + 'static,
        A: Future<Output = Result<Reply, ObjectError>> + Send + 'static,
    {
        Arc::new(Self(Box::new(move |call| Box::pin(function(Arc::clone(&object), call)))))
    }
}

#[async_trait]
impl Object for Method {
    fn kind(&self) -> &'static str {
        "method"
    }

    async fn call(self: Arc<Self>, call: Call) -> Result<Reply, ObjectError> {
        (self.0)(call).await
    }
}

/// Implements [`Object`] for a struct, with methods as its attributes.
///
/// `methods!(Type, "kind", { name(parameter, …), async name(…), async name(..) })`. Parameters are bound by position and
/// by name, as in Python; their types are [`Parameter`]s. A method takes `&self` or `self: Arc<Self>` and answers
/// `Result<impl Into<Reply>, ObjectError>`. With `(..)` it takes the whole [`Call`] instead.
#[macro_export]
macro_rules! methods {
    ($type:ty, $kind:literal, { $( $($word:ident)+ ( $($parameters:tt)* ) ),* $(,)? }) => {
        impl $crate::object::Object for $type {
            fn kind(&self) -> &'static str {
                $kind
            }

            fn attribute(
                self: ::std::sync::Arc<Self>,
                name: &str,
            ) -> ::std::result::Result<::std::sync::Arc<dyn $crate::object::Object>, $crate::object::ObjectError> {
                $( $crate::methods!(@arm self, name, [$($word)+] ($($parameters)*)); )*
                Err($crate::object::ObjectError::NoSuchAttribute { kind: $kind, name: name.to_owned() })
            }
        }
    };
    (@arm $self:ident, $name:ident, [async $method:ident] $parameters:tt) => {
        $crate::methods!(@method $self, $name, $method $parameters (.await));
    };
    (@arm $self:ident, $name:ident, [$method:ident] $parameters:tt) => {
        $crate::methods!(@method $self, $name, $method $parameters ());
    };
    (@method $self:ident, $name:ident, $method:ident (..) ($($wait:tt)*)) => {
        if $name == stringify!($method) {
            return Ok($crate::object::Method::bind($self, |object: ::std::sync::Arc<Self>, call| async move {
                object.$method(call)$($wait)*.map(::std::convert::Into::into)
            }));
        }
    };
    (@method $self:ident, $name:ident, $method:ident ($($parameter:ident),* $(,)?) ($($wait:tt)*)) => {
        if $name == stringify!($method) {
            return Ok($crate::object::Method::bind($self, |object: ::std::sync::Arc<Self>, call| async move {
                #[allow(unused_mut, unused_variables)]
                let mut bound = call.bind([$(stringify!($parameter)),*])?;
                $( let $parameter = $crate::object::Parameter::take(&mut bound, stringify!($parameter))?; )*
                object.$method($($parameter),*)$($wait)*.map(::std::convert::Into::into)
            }));
        }
    };
}

/// A type that a method's parameter can have.
///
/// `Option<T>` may be left out, or be `null`. Values, numbers and texts are taken from what the client could have
/// downloaded itself, so a method that answers or compares them gives nothing away. To compute on data that is no output,
/// or to keep an object, take an [`Argument`], and say so with [`Argument::into_data`].
pub trait Parameter: Sized {
    /// Takes the parameter `name` out of the call's arguments.
    fn take(bound: &mut Bound, name: &'static str) -> Result<Self, ObjectError>;
}

impl Parameter for Argument {
    fn take(bound: &mut Bound, name: &'static str) -> Result<Self, ObjectError> {
        bound.required(name)
    }
}

impl Parameter for Value {
    fn take(bound: &mut Bound, name: &'static str) -> Result<Self, ObjectError> {
        match bound.required(name)? {
            Argument::Value(value) => Ok(value),
            Argument::Object(object) => {
                Err(ObjectError::argument(name, format!("must be a value, and a {} is none", object.kind())))
            }
        }
    }
}

impl Parameter for String {
    fn take(bound: &mut Bound, name: &'static str) -> Result<Self, ObjectError> {
        match Value::take(bound, name)? {
            Value::Text(text) => Ok(text),
            _ => Err(ObjectError::argument(name, "must be a text")),
        }
    }
}

impl Parameter for bool {
    fn take(bound: &mut Bound, name: &'static str) -> Result<Self, ObjectError> {
        match Value::take(bound, name)? {
            Value::Bool(truth) => Ok(truth),
            _ => Err(ObjectError::argument(name, "must be true or false")),
        }
    }
}

impl Parameter for f64 {
    /// Integers are rounded to the nearest float.
    fn take(bound: &mut Bound, name: &'static str) -> Result<Self, ObjectError> {
        match Value::take(bound, name)? {
            Value::Float(number) => Ok(number),
            Value::Int(number) => Ok(number as Self),
            Value::Uint(number) => Ok(number as Self),
            _ => Err(ObjectError::argument(name, "must be a number")),
        }
    }
}

macro_rules! integer_parameters {
    ($($integer:ty),*) => { $(
        impl Parameter for $integer {
            fn take(bound: &mut Bound, name: &'static str) -> Result<Self, ObjectError> {
                let range = || ObjectError::argument(name, format!("must be from {} to {}", Self::MIN, Self::MAX));
                match Value::take(bound, name)? {
                    Value::Int(number) => Self::try_from(number).map_err(|_| range()),
                    Value::Uint(number) => Self::try_from(number).map_err(|_| range()),
                    _ => Err(ObjectError::argument(name, "must be an integer")),
                }
            }
        }
    )* };
}

integer_parameters!(u32, i64, u64, usize, i128);

impl<T: Parameter> Parameter for Option<T> {
    fn take(bound: &mut Bound, name: &'static str) -> Result<Self, ObjectError> {
        match bound.optional(name) {
            None => Ok(None),
            Some(argument) => {
                bound.arguments.insert(name, argument);
                T::take(bound, name).map(Some)
            }
        }
    }
}

impl From<()> for Reply {
    fn from((): ()) -> Self {
        Self::None
    }
}

impl From<Value> for Reply {
    /// `null` is no answer, as Python's `None`.
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::None,
            value => Self::Value(value),
        }
    }
}

impl From<Argument> for Reply {
    fn from(argument: Argument) -> Self {
        match argument {
            Argument::Value(value) => value.into(),
            object @ Argument::Object(_) => object.into_reply(),
        }
    }
}

impl From<bool> for Reply {
    fn from(truth: bool) -> Self {
        Self::Value(Value::Bool(truth))
    }
}

impl From<String> for Reply {
    fn from(text: String) -> Self {
        Self::Value(Value::Text(text))
    }
}

impl From<u64> for Reply {
    fn from(number: u64) -> Self {
        Self::Value(Value::Int(number.into()))
    }
}

impl From<usize> for Reply {
    fn from(number: usize) -> Self {
        Self::from(number as u64)
    }
}

impl From<i64> for Reply {
    fn from(number: i64) -> Self {
        Self::Value(Value::Int(number.into()))
    }
}

impl From<BTreeMap<String, Value>> for Reply {
    fn from(entries: BTreeMap<String, Value>) -> Self {
        Self::Value(Value::Map(entries))
    }
}

impl<T: Object> From<Arc<T>> for Reply {
    fn from(object: Arc<T>) -> Self {
        Self::Object(object)
    }
}

impl From<Arc<dyn Object>> for Reply {
    fn from(object: Arc<dyn Object>) -> Self {
        Self::Object(object)
    }
}

impl<T: Into<Self>> From<Option<T>> for Reply {
    fn from(answer: Option<T>) -> Self {
        answer.map_or(Self::None, T::into)
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use futures_util::FutureExt;

    use super::*;
    use crate::bus::Principal;

    struct Greeter;

    impl Greeter {
        fn greet(&self, name: String, shout: Option<bool>) -> Result<String, ObjectError> {
            Ok(format!("hello {name}{}", if shout == Some(true) { "!" } else { "" }))
        }

        async fn twin(self: Arc<Self>) -> Result<Arc<Self>, ObjectError> {
            Ok(self)
        }

        async fn caller(&self, call: Call) -> Result<String, ObjectError> {
            Ok(call.principal.name().to_owned())
        }

        fn half(&self, of: f64, by: u32) -> Result<Option<Value>, ObjectError> {
            Ok((by == 2).then_some(Value::Float(of / 2.0)))
        }
    }

    methods!(Greeter, "greeter", { greet(name, shout), async twin(), async caller(..), half(of, by) });

    /// Data that may be computed on but not downloaded.
    struct Hidden;

    impl Object for Hidden {
        fn kind(&self) -> &'static str {
            "hidden"
        }

        fn data(&self) -> Option<Cow<'_, Value>> {
            Some(Cow::Owned(text("secret")))
        }
    }

    fn call_of(args: Vec<Argument>) -> Call {
        Call { principal: Principal::new("alice"), args, kwargs: BTreeMap::new() }
    }

    fn call(method: &str, args: &[Value], kwargs: &[(&str, Value)]) -> Result<Reply, ObjectError> {
        let mut call = call_of(args.iter().cloned().map(Argument::Value).collect());
        call.kwargs.extend(kwargs.iter().map(|(name, value)| ((*name).to_owned(), Argument::Value(value.clone()))));
        Arc::new(Greeter).attribute(method)?.call(call).now_or_never().expect("methods of a greeter wait for nothing")
    }

    fn value(reply: Result<Reply, ObjectError>) -> Value {
        match reply {
            Ok(Reply::Value(value)) => value,
            other => panic!("not a value: {other:?}"),
        }
    }

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    #[test]
    fn arguments_bind_by_position_and_by_name() {
        assert!(value(call("greet", &[text("Ada")], &[])) == text("hello Ada"));
        assert!(value(call("greet", &[text("Ada")], &[("shout", Value::Bool(true))])) == text("hello Ada!"));
        assert!(value(call("greet", &[text("Ada"), Value::Null], &[])) == text("hello Ada"));
    }

    #[test]
    fn arguments_of_the_wrong_type_are_errors_that_name_the_parameter() {
        let wrong = call("greet", &[Value::Int(1)], &[]).expect_err("a name is a text");
        assert!(matches!(wrong, ObjectError::InvalidArgument { name: "name", .. }));
        let wrong = call("half", &[Value::Int(1), Value::Int(-2)], &[]).expect_err("by is not negative");
        assert!(matches!(wrong, ObjectError::InvalidArgument { name: "by", .. }));
        let missing = call("greet", &[], &[]).expect_err("a name is required");
        assert_eq!(missing, ObjectError::MissingArgument { name: "name" });
    }

    #[test]
    fn methods_may_be_async_and_may_take_the_call_whole() {
        assert!(matches!(call("twin", &[], &[]), Ok(Reply::Object(twin)) if twin.kind() == "greeter"));
        assert!(value(call("caller", &[Value::Null, text("anything")], &[])) == text("alice"));
    }

    #[test]
    fn no_answer_is_no_reply() {
        assert!(value(call("half", &[Value::Int(3), Value::Int(2)], &[])) == Value::Float(1.5));
        assert!(matches!(call("half", &[Value::Int(3), Value::Int(3)], &[]), Ok(Reply::None)));
    }

    #[test]
    fn data_that_is_no_output_does_not_pass_as_a_value() {
        let mut bound = call_of(vec![Argument::Object(Arc::new(Hidden))]).bind(["name"]).expect("one argument");
        let refused = String::take(&mut bound, "name").expect_err("not an output");
        assert!(matches!(refused, ObjectError::InvalidArgument { name: "name", .. }));
    }

    #[test]
    fn only_listed_methods_are_attributes() {
        let missing = Arc::new(Greeter).attribute("call").expect_err("not listed");
        assert_eq!(missing, ObjectError::NoSuchAttribute { kind: "greeter", name: "call".to_owned() });
    }
}
