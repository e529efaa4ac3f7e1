//! Plans: chains that make sense as a whole, so that nothing is done of one that does not.

use std::collections::BTreeMap;

use super::request::{Failure, Step, shorten};
use crate::value::{Arguments, Handle, Value};

/// A well-formed chain.
#[derive(Debug, PartialEq)]
pub(super) struct Plan {
    pub(super) begin: Begin,
    pub(super) acts: Vec<Act>,
    pub(super) end: End,
}

/// Where a chain gets its first object.
#[derive(Debug, PartialEq)]
pub(super) enum Begin {
    Create(BTreeMap<String, Value>),
    Upload(Value),
    Use(Handle),
}

/// What leads from one object to the next.
#[derive(Debug, PartialEq)]
pub(super) enum Act {
    Attribute(String),
    Call(Arguments),
}

/// What becomes of the last object.
#[derive(Debug, PartialEq)]
pub(super) enum End {
    Grant,
    Download,
    Release(Handle),
}

impl Plan {
    /// Reads a chain of at most so many steps.
    pub(super) fn new(mut steps: Vec<Step>, at_most: usize) -> Result<Self, Failure> {
        if steps.len() > at_most {
            return Err(Failure::new(400, format!("a chain has at most {at_most} steps")));
        }
        let end = match steps[..] {
            [Step::Use(handle), Step::Release] => End::Release(handle),
            [_, .., Step::Download] => End::Download,
            _ => End::Grant,
        };
        if end != End::Grant {
            steps.pop();
        }
        let mut steps = steps.into_iter().zip(1..);
        let begin = match steps.next() {
            None => return Err(Failure::new(400, "a chain has at least one step")),
            Some((step, _)) => Begin::new(step)?,
        };
        let acts = steps.map(|(step, number)| Act::new(step, number)).collect::<Result<_, _>>()?;
        Ok(Self { begin, acts, end })
    }
}

impl Begin {
    fn new(step: Step) -> Result<Self, Failure> {
        match step {
            Step::Create(requirements) => Ok(Self::Create(requirements)),
            Step::Upload(value) => Ok(Self::Upload(value)),
            Step::Use(handle) => Ok(Self::Use(handle)),
            Step::Attribute(_) | Step::Call(_) | Step::Download | Step::Release => {
                Err(Failure::new(400, "step 1: a chain begins with create, upload or use"))
            }
        }
    }
}

impl Act {
    fn new(step: Step, number: usize) -> Result<Self, Failure> {
        let why = match step {
            Step::Attribute(name) => return public(name).map(Self::Attribute),
            Step::Call(arguments) => return Ok(Self::Call(arguments)),
            Step::Create(_) | Step::Upload(_) | Step::Use(_) => "create, upload and use only begin a chain",
            Step::Download => "download only ends a chain",
            Step::Release => "release only ends a chain, and directly follows use",
        };
        Err(Failure::new(400, format!("step {number}: {why}")))
    }
}

/// The reference keeps what begins with an underscore to itself, and so do we.
fn public(name: String) -> Result<String, Failure> {
    if name.is_empty() {
        return Err(Failure::new(400, "attribute without a name"));
    }
    if name.starts_with('_') {
        return Err(Failure::new(403, shorten(format!("attribute not public: {name}"))));
    }
    Ok(name)
}
