//! What the tests of services share: calls as clients make them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use fsc_core::bus::Principal;
use fsc_core::object::{Argument, Call, Object, ObjectError, Reply};
use fsc_core::value::Value;

/// Data that may be computed on but not downloaded.
pub(super) struct Secret;

impl Object for Secret {
    fn kind(&self) -> &'static str {
        "secret"
    }

    fn data(&self) -> Option<Cow<'_, Value>> {
        Some(Cow::Owned(Value::Int(42)))
    }
}

/// Calls a method with values.
pub(super) fn call(object: &Arc<dyn Object>, method: &str, args: &[Value]) -> Result<Reply, ObjectError> {
    call_with(object, method, args.iter().cloned().map(Argument::Value).collect())
}

/// Calls a method with arguments.
pub(super) fn call_with(object: &Arc<dyn Object>, method: &str, args: Vec<Argument>) -> Result<Reply, ObjectError> {
    let call = Call { principal: Principal::new("alice"), args, kwargs: BTreeMap::new() };
    let future = pin!(Arc::clone(object).attribute(method)?.call(call));
    match { future }.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(reply) => reply,
        Poll::Pending => panic!("services answer at once"),
    }
}

pub(super) fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// The value that a call answered.
pub(super) fn value(reply: Result<Reply, ObjectError>) -> Value {
    match reply {
        Ok(Reply::Value(value)) => value,
        other => panic!("not a value: {other:?}"),
    }
}

/// The object that a call answered.
pub(super) fn object(reply: Result<Reply, ObjectError>) -> Arc<dyn Object> {
    match reply {
        Ok(Reply::Object(object)) => object,
        other => panic!("not an object: {other:?}"),
    }
}

pub(super) fn is_not_found(reply: &Result<Reply, ObjectError>) -> bool {
    matches!(reply, Err(ObjectError::NotFound { .. }))
}

pub(super) fn is_limit(reply: &Result<Reply, ObjectError>) -> bool {
    matches!(reply, Err(ObjectError::Limit { .. }))
}
