//! Requests: what the bodies of the client contract stand for.

use fsc_core::bus::codec;
use fsc_core::value::{Limits, ParseError, Value, cbor, json};

const LIMITS: Limits = Limits { depth: 64, nodes: 4096 };

/// Any body is arguments, a chain, an answer or a failure, or an error; and what was understood is understood the same
/// when it is written again. The first byte chooses between JSON and CBOR.
pub fn request(data: &[u8]) {
    let Some((format, document)) = data.split_first() else { return };
    let format = if format % 2 == 0 { Format::Json } else { Format::Cbor };
    let Ok(body) = format.parse(document) else { return };
    if let Ok(arguments) = codec::arguments(body.clone()) {
        let again = format.carry(&codec::arguments_to_value(&arguments));
        assert_eq!(codec::arguments(again), Ok(arguments));
    }
    if let Ok(steps) = codec::chain(body.clone()) {
        let again = format.carry(&codec::chain_to_value(&steps));
        assert_eq!(codec::chain(again), Ok(steps));
    }
    if let Ok(answer) = codec::answer(body.clone()) {
        assert_eq!(codec::answer(codec::answer_to_value(&answer)), Ok(answer));
    }
    if let Ok(failure) = codec::failure(body) {
        let again = format.carry(&codec::failure_to_value(&failure));
        assert_eq!(codec::failure(again), Ok(failure));
    }
}

#[derive(Clone, Copy)]
enum Format {
    Json,
    Cbor,
}

impl Format {
    fn parse(self, document: &[u8]) -> Result<Value, ParseError> {
        match self {
            Self::Json => json::parse(document, &LIMITS),
            Self::Cbor => cbor::parse(document, &LIMITS),
        }
    }

    /// The value as it comes out at the other end.
    fn carry(self, value: &Value) -> Value {
        // Writing the contract's own bodies may take a few levels and values more than the client did.
        let limits = Limits { depth: Limits::DEEPEST, nodes: usize::MAX };
        let carried = match self {
            Self::Json => json::parse(&json::to_vec(value), &limits),
            Self::Cbor => cbor::parse(&cbor::to_vec(value), &limits),
        };
        carried.expect("what is written can be read")
    }
}
