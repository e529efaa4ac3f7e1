//! The bodies of answers.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use fsc_core::value::{Array, Value, json};
use http_body::{Body, Frame, SizeHint};

use super::media::Format;

/// Documents that may be longer than this are written as the client reads them.
const LARGE: usize = 256 << 10;

/// The body of an answer: whole, or written piece by piece as the client reads it.
pub(super) enum Content {
    Whole(Bytes),
    Pieces(Box<dyn Iterator<Item = Bytes> + Send>),
}

impl Content {
    /// The answer to a download, `{"type": "object", "object": …}`. Only a large value is cloned.
    pub(super) fn of_object(value: &Value, format: Format) -> Self {
        // A map of two entries; "type": "object", "object":
        let (before, after): (&'static [u8], &'static [u8]) = match format {
            Format::Json => (br#"{"type":"object","object":"#, b"}"),
            Format::Cbor => (b"\xa2\x64type\x66object\x66object", b""),
        };
        if format == Format::Json && is_large(value) {
            let pieces = std::iter::once(Bytes::from_static(before))
                .chain(json::Chunks::new(value.clone()))
                .chain(std::iter::once(Bytes::from_static(after)));
            return Self::Pieces(Box::new(pieces));
        }
        let mut whole = before.to_vec();
        format.write(value, &mut whole);
        whole.extend_from_slice(after);
        Self::Whole(whole.into())
    }
}

impl Body for Content {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = match &mut *self {
            Self::Whole(bytes) => Some(std::mem::take(bytes)).filter(|bytes| !bytes.is_empty()),
            Self::Pieces(pieces) => pieces.find(|piece| !piece.is_empty()),
        };
        Poll::Ready(next.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Pieces(_) => SizeHint::default(),
        }
    }
}

fn is_large(value: &Value) -> bool {
    spend(value, LARGE).is_none()
}

/// What is left of `budget` bytes after the document of `value`, roughly; `None` if nothing is. Stops early.
fn spend(value: &Value, budget: usize) -> Option<usize> {
    let own = match value {
        Value::Text(text) => text.len(),
        Value::Bytes(bytes) => bytes.len() * 4 / 3,
        Value::Array(array) => Array::len(array) * 18,
        Value::Handle(_) => 60,
        _ => 8,
    };
    let left = budget.checked_sub(own)?;
    match value {
        Value::List(items) => items.iter().try_fold(left, |left, item| spend(item, left)),
        Value::Map(entries) => {
            entries.iter().try_fold(left, |left, (key, item)| spend(item, left.checked_sub(key.len())?))
        }
        _ => Some(left),
    }
}

#[cfg(test)]
mod tests {
    use fsc_core::bus::codec;
    use fsc_core::transport::Answer;
    use fsc_core::value::Limits;

    use super::*;

    fn bytes(content: Content) -> Vec<u8> {
        match content {
            Content::Whole(bytes) => bytes.to_vec(),
            Content::Pieces(pieces) => pieces.flat_map(Vec::from).collect(),
        }
    }

    #[test]
    fn object_is_answered_as_the_codec_has_it() {
        let small = Value::map([("a", Value::from(1_i64))]);
        let large = Value::List(vec![Value::from("x".repeat(100).as_str()); 4000]);
        assert!(matches!(Content::of_object(&large, Format::Json), Content::Pieces(_)));
        assert!(matches!(Content::of_object(&small, Format::Json), Content::Whole(_)));
        for value in [small, large] {
            for format in [Format::Json, Format::Cbor] {
                let body = format.parse(&bytes(Content::of_object(&value, format)), &Limits::default()).unwrap();
                assert_eq!(codec::answer(body), Ok(Answer::Object(value.clone())));
            }
        }
    }
}
