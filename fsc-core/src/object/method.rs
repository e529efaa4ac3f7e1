//! Objects as their authors write them: a struct, an impl block, and one line that says what clients may call.
//!
//! ```
//! use std::sync::atomic::{AtomicU64, Ordering};
//!
//! /// Counts; all clients of the node share the count.
//! #[derive(Default)]
//! struct Counter(AtomicU64);
//!
//! impl Counter {
//!     fn add(&self, step: Option<u64>) -> u64 {
//!         let step = step.unwrap_or(1);
//!         self.0.fetch_add(step, Ordering::Relaxed).wrapping_add(step)
//!     }
//!
//!     fn reset(&self) {
//!         self.0.store(0, Ordering::Relaxed);
//!     }
//! }
//!
//! fsc_core::methods!(Counter, "counter", { add(step), reset() });
//! ```
//!
//! A client calls `counter.add(step=2)`, `counter.add(2)` or `counter.add()`. A method that may fail answers a
//! `Result<_, ObjectError>`, and one that waits is listed as `async name(…)`.

use std::any::Any;
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
/// anything that is [`IntoReply`]. With `(..)` it takes the whole [`Call`] instead of parameters.
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
                $crate::object::IntoReply::into_reply(object.$method(call)$($wait)*)
            }));
        }
    };
    (@method $self:ident, $name:ident, $method:ident ($($parameter:ident),* $(,)?) ($($wait:tt)*)) => {
        if $name == stringify!($method) {
            return Ok($crate::object::Method::bind($self, |object: ::std::sync::Arc<Self>, call| async move {
                #[allow(unused_mut, unused_variables)]
                let mut bound = call.bind([$(stringify!($parameter)),*])?;
                $( let $parameter = $crate::object::Parameter::take(&mut bound, stringify!($parameter))?; )*
                $crate::object::IntoReply::into_reply(object.$method($($parameter),*)$($wait)*)
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
        bound.value(name)
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

/// A type that a method can answer with; a method that may fail answers a `Result` of one.
pub trait IntoReply {
    /// The answer as a reply, or why there is none.
    fn into_reply(self) -> Result<Reply, ObjectError>;
}

impl<T: IntoReply> IntoReply for Result<T, ObjectError> {
    fn into_reply(self) -> Result<Reply, ObjectError> {
        self.and_then(T::into_reply)
    }
}

impl<T: IntoReply> IntoReply for Option<T> {
    /// `None` is no answer, as Python's `None`.
    fn into_reply(self) -> Result<Reply, ObjectError> {
        self.map_or(Ok(Reply::None), T::into_reply)
    }
}

impl IntoReply for Reply {
    fn into_reply(self) -> Result<Reply, ObjectError> {
        Ok(self)
    }
}

impl IntoReply for () {
    fn into_reply(self) -> Result<Reply, ObjectError> {
        Ok(Reply::None)
    }
}

impl IntoReply for Value {
    /// `null` is no answer.
    fn into_reply(self) -> Result<Reply, ObjectError> {
        Ok(match self {
            Self::Null => Reply::None,
            value => Reply::Value(value),
        })
    }
}

impl IntoReply for Argument {
    /// What the client put in, and no more.
    fn into_reply(self) -> Result<Reply, ObjectError> {
        match self {
            Self::Value(value) => value.into_reply(),
            Self::Object(object) => object.into_reply(),
        }
    }
}

impl IntoReply for bool {
    fn into_reply(self) -> Result<Reply, ObjectError> {
        Ok(Reply::Value(Value::Bool(self)))
    }
}

impl IntoReply for String {
    fn into_reply(self) -> Result<Reply, ObjectError> {
        Ok(Reply::Value(Value::Text(self)))
    }
}

impl IntoReply for f64 {
    /// NaN and infinities are errors: no client could read them.
    fn into_reply(self) -> Result<Reply, ObjectError> {
        if self.is_finite() {
            Ok(Reply::Value(Value::Float(self)))
        } else {
            Err(ObjectError::conflict("the result is not a finite number"))
        }
    }
}

macro_rules! integer_replies {
    ($($integer:ty),*) => { $(
        impl IntoReply for $integer {
            fn into_reply(self) -> Result<Reply, ObjectError> {
                Ok(Reply::Value(Value::Int(self.into())))
            }
        }
    )* };
}

integer_replies!(u32, i64, u64, i128);

impl IntoReply for usize {
    fn into_reply(self) -> Result<Reply, ObjectError> {
        (self as u64).into_reply()
    }
}

impl<T: Object> IntoReply for Arc<T> {
    fn into_reply(self) -> Result<Reply, ObjectError> {
        Ok(Reply::Object(self))
    }
}

impl IntoReply for Arc<dyn Object> {
    fn into_reply(self) -> Result<Reply, ObjectError> {
        Ok(Reply::Object(self))
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::collections::BTreeMap;

    use futures_util::FutureExt;

    use super::*;
    use crate::bus::Principal;

    struct Greeter;

    // An example of each form.
    #[allow(clippy::unused_self, clippy::unused_async, clippy::needless_pass_by_value)]
    impl Greeter {
        fn greet(&self, name: String, shout: Option<bool>) -> String {
            format!("hello {name}{}", if shout == Some(true) { "!" } else { "" })
        }

        async fn twin(self: Arc<Self>) -> Arc<Self> {
            self
        }

        async fn caller(&self, call: Call) -> Result<String, ObjectError> {
            Ok(call.principal.name().to_owned())
        }

        fn half(&self, of: f64, by: u32) -> Option<f64> {
            (by == 2).then_some(of / 2.0)
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
    fn numbers_that_clients_cannot_read_are_errors() {
        let overflow = f64::INFINITY.into_reply().expect_err("not finite");
        assert!(matches!(overflow, ObjectError::Conflict { .. }));
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
