//! Requests, answers and failures as the bytes of messages: CBOR, in which arrays of numbers stay dense.

use bytes::Bytes;
use fsc_core::bus::{Failure, Request, Response, codec};
use fsc_core::transport::Answer;
use fsc_core::value::{Limits, Value, cbor};

/// Messages from this size on are read off the I/O threads.
const HEAVY: usize = 1 << 20;

/// The one entry of the map that asks for the list; a chain is a map of `chain` alone.
const LIST: &str = "list";

pub(super) fn request_to_bytes(request: &Request) -> Bytes {
    let value = match request {
        Request::List => Value::map([(LIST, Value::Null)]),
        Request::Chain(steps) => codec::chain_to_value(steps),
    };
    cbor::to_vec(&value).into()
}

pub(super) async fn request(message: Bytes, limits: Limits) -> Result<Request, Failure> {
    let value = value(message, limits).await.map_err(|why| Failure::new(400, why))?;
    if value.entry(LIST).is_some() {
        return Ok(Request::List);
    }
    codec::chain(value).map(Request::Chain)
}

pub(super) fn response_to_bytes(response: Response) -> Result<Bytes, Failure> {
    let answer = match response {
        Response::List(list) => Answer::List(list.to_vec()),
        Response::Handle(handle) => Answer::Handle(handle),
        Response::None => Answer::None,
        Response::Object(object) => {
            let content = object.content().ok_or_else(|| Failure::new(403, "not an output: it can't be downloaded"))?;
            Answer::Object(content.into_owned())
        }
    };
    Ok(cbor::to_vec(&codec::answer_to_value(&answer)).into())
}

pub(super) async fn answer(message: Bytes, limits: Limits) -> Result<Answer, String> {
    codec::answer(value(message, limits).await?)
}

pub(super) fn failure_to_bytes(failure: &Failure) -> Bytes {
    cbor::to_vec(&codec::failure_to_value(failure)).into()
}

pub(super) async fn failure(message: Bytes, limits: Limits) -> Result<Failure, String> {
    codec::failure(value(message, limits).await?)
}

async fn value(message: Bytes, limits: Limits) -> Result<Value, String> {
    let parsed = if message.len() < HEAVY {
        cbor::parse(&message, &limits)
    } else {
        let parsing = tokio::task::spawn_blocking(move || cbor::parse(&message, &limits)).await;
        parsing.map_err(|_| "the message could not be read".to_owned())?
    };
    parsed.map_err(|error| error.to_string())
}
