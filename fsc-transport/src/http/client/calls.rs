//! Requests as HTTP calls: which method and path, and in which format.

use bytes::Bytes;
use fsc_core::bus::{Step, codec};
use fsc_core::transport::{Answer, TransportError};
use fsc_core::value::{Arguments, Handle, Value, cbor, json};
use http::Method;

use super::classic;
use super::pool::Pool;
use crate::http::media::{CBOR, JSON, OCTETS};

/// Answers in CBOR are smaller and faster to read; the reference ignores this and answers JSON.
const EITHER: &str = "application/cbor, application/json;q=0.9";

/// One HTTP request.
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) content_type: Option<&'static str>,
    pub(super) accept: &'static str,
    pub(super) body: Vec<Bytes>,
    /// Whether sending it twice does no harm.
    pub(super) repeatable: bool,
}

impl Call {
    pub(super) fn list() -> Self {
        Self::bare(Method::GET, "/representations".to_owned())
    }

    pub(super) fn mail(pieces: Vec<Bytes>) -> Self {
        Self {
            method: Method::POST,
            path: "/mail".to_owned(),
            content_type: Some(OCTETS),
            accept: "*/*",
            body: pieces,
            repeatable: true,
        }
    }

    /// Said twice, it would be taken for a replay.
    pub(super) fn collect(asking: Bytes) -> Self {
        Self { path: "/mail/collect".to_owned(), repeatable: false, ..Self::mail(vec![asking]) }
    }

    pub(super) fn is_mail(&self) -> bool {
        self.path == "/mail"
    }

    pub(super) fn chain(steps: &[Step]) -> Self {
        let body = cbor::to_vec(&codec::chain_to_value(steps));
        Self::with_body(Method::POST, "/chain".to_owned(), CBOR, body)
    }

    /// The classic operation that `step` is on the object behind `handle`; `None` if it needs an object and has none.
    pub(super) fn classic(handle: Option<Handle>, step: &Step) -> Option<Self> {
        let arguments = |args, kwargs| json::to_vec(&codec::arguments_to_value(&Arguments { args, kwargs }));
        let object = |handle| format!("/representation/{handle}");
        let all = || "/representations".to_owned();
        Some(match (step, handle) {
            (Step::Create(wanted), None) => {
                Self::with_body(Method::POST, all(), JSON, arguments(Vec::new(), wanted.clone()))
            }
            (Step::Upload(value), None) => {
                Self::with_body(Method::PUT, all(), JSON, arguments(vec![value.clone()], [].into()))
            }
            (Step::Call(given), Some(handle)) => {
                let body = json::to_vec(&codec::arguments_to_value(given));
                Self::with_body(Method::PATCH, object(handle), JSON, body)
            }
            (Step::Attribute(name), Some(handle)) => {
                Self::bare(Method::GET, format!("{}/{}", object(handle), encoded(name)))
            }
            (Step::Download, Some(handle)) => Self::bare(Method::GET, object(handle)),
            (Step::Release, Some(handle)) => Self::bare(Method::DELETE, object(handle)),
            _ => return None,
        })
    }

    fn bare(method: Method, path: String) -> Self {
        let repeatable = method == Method::GET;
        Self { method, path, content_type: None, accept: EITHER, body: Vec::new(), repeatable }
    }

    fn with_body(method: Method, path: String, content_type: &'static str, body: Vec<u8>) -> Self {
        let body = vec![body.into()];
        Self { method, path, content_type: Some(content_type), accept: EITHER, body, repeatable: false }
    }
}

/// Asks for `steps` in as few round trips as the server allows.
pub(super) async fn chain(pool: &Pool, steps: &[Step]) -> Result<Answer, TransportError> {
    if !pool.is_classic() {
        if let Some(call) = single(steps) {
            let answer = pool.ask(&call).await?;
            if let (Some(step), true) = (steps.last(), pool.is_classic()) {
                classic::note(pool, step, &answer);
            }
            return Ok(answer);
        }
        if let Some(answer) = pool.ask_chain(&Call::chain(steps)).await? {
            return Ok(answer);
        }
    }
    classic::run(pool, steps).await
}

/// The classic operation that `steps` are, if they are one and JSON suits what they carry.
fn single(steps: &[Step]) -> Option<Call> {
    match steps {
        [Step::Upload(value)] if is_bulk(value) => None,
        [_, Step::Call(arguments)] if arguments.args.iter().chain(arguments.kwargs.values()).any(is_bulk) => None,
        [only] => Call::classic(None, only),
        [Step::Use(handle), then] => Call::classic(Some(*handle), then),
        _ => None,
    }
}

/// Whether the value is better carried as bytes than as text.
fn is_bulk(value: &Value) -> bool {
    match value {
        Value::Bytes(_) => true,
        Value::Array(array) => array.len() > 64,
        Value::List(items) => items.iter().any(is_bulk),
        Value::Map(entries) => entries.values().any(is_bulk),
        _ => false,
    }
}

/// `name` as one segment of a path.
fn encoded(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    name.bytes().fold(String::with_capacity(name.len()), |mut text, byte| {
        if plain(byte) {
            text.push(char::from(byte));
        } else {
            let digit = |nibble: u8| char::from_digit(nibble.into(), 16).unwrap_or('0').to_ascii_uppercase();
            text.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use fsc_core::value::Array;

    use super::*;

    #[test]
    fn names_are_percent_encoded() {
        assert_eq!(encoded("a-b_c.~1"), "a-b_c.~1");
        assert_eq!(encoded("a/b ü"), "a%2Fb%20%C3%BC");
    }

    #[test]
    fn bulk_goes_by_chain_and_the_rest_by_classic_operations() {
        let handle = Handle::from_random([7; 16]);
        let array = Value::Array(Array::from_f64(vec![0.5; 100]).unwrap());
        assert!(single(&[Step::Upload(1_i64.into())]).is_some());
        assert!(single(&[Step::Use(handle), Step::Download]).is_some());
        assert!(single(&[Step::Upload(array.clone())]).is_none());
        let arguments = Arguments { args: vec![Value::List(vec![array])], ..Arguments::default() };
        assert!(single(&[Step::Use(handle), Step::Call(arguments)]).is_none());
        assert!(single(&[Step::Use(handle), Step::Attribute("a".into()), Step::Download]).is_none());
        assert!(single(&[Step::Download]).is_none());
    }
}
