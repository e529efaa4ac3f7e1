//! The bodies of the client contract, as values.

use super::request::{Failure, Step};
use crate::transport::Answer;
use crate::value::{Arguments, Value};

/// The arguments that a request body stands for.
pub fn arguments(body: Value) -> Result<Arguments, Failure> {
    todo!()
}

/// The body that stands for `arguments`.
pub fn arguments_to_value(arguments: &Arguments) -> Value {
    todo!()
}

/// The steps that the body of `POST /chain` stands for.
pub fn chain(body: Value) -> Result<Vec<Step>, Failure> {
    todo!()
}

/// The body of `POST /chain` for `steps`.
pub fn chain_to_value(steps: &[Step]) -> Value {
    todo!()
}

/// The body that answers a request.
pub fn answer_to_value(answer: &Answer) -> Value {
    todo!()
}

/// The answer that a body stands for; the error says what is wrong with it.
pub fn answer(body: Value) -> Result<Answer, String> {
    todo!()
}

/// The body of a failure.
pub fn failure_to_value(failure: &Failure) -> Value {
    todo!()
}

/// The failure that a body stands for; the error says what is wrong with it.
pub fn failure(body: Value) -> Result<Failure, String> {
    todo!()
}
