//! What parsers of values share: bounds and errors.

use std::collections::BTreeMap;

use super::{HANDLE_KEY, NotAHandle, Value};

/// How much structure a document may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Levels of lists and maps within one another; parsers and writers use the stack for them. More than
    /// [`Limits::DEEPEST`] counts as that.
    pub depth: usize,
    /// Values in all, keys not counted. The numbers of a dense array count as one.
    pub nodes: usize,
}

impl Limits {
    /// The deepest nesting that any limit allows.
    pub const DEEPEST: usize = 256;

    /// What is left of the limits at the start of a document.
    pub(super) fn budget(self) -> Budget {
        let depth = self.depth.min(Self::DEEPEST);
        Budget { limits: Self { depth, ..self }, depth_left: depth, nodes_left: self.nodes }
    }
}

impl Default for Limits {
    /// 64 levels, two million values.
    fn default() -> Self {
        Self { depth: 64, nodes: 2_000_000 }
    }
}

/// Why bytes are not a value. Positions are counted in bytes from zero.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// The bytes do not follow the format's grammar.
    #[error("malformed at byte {position}: {what}")]
    Malformed {
        /// Where.
        position: usize,
        /// What was expected, or what is wrong.
        what: &'static str,
    },
    /// The document ends too early.
    #[error("cut off at byte {position}")]
    CutOff {
        /// Where it ends.
        position: usize,
    },
    /// Something follows the document.
    #[error("more than one document, from byte {position}")]
    Trailing {
        /// Where it begins.
        position: usize,
    },
    /// A text is not UTF-8, or holds half a surrogate pair.
    #[error("text is not Unicode at byte {position}")]
    NotUnicode {
        /// Where.
        position: usize,
    },
    /// A number is NaN or infinite, or too large for a binary64.
    #[error("number is not finite at byte {position}")]
    NotFinite {
        /// Where.
        position: usize,
    },
    /// An integer does not fit 128 bits.
    #[error("integer exceeds 128 bits at byte {position}")]
    IntegerTooLarge {
        /// Where.
        position: usize,
    },
    /// Lists and maps are nested too deep.
    #[error("nested deeper than {limit} levels")]
    TooDeep {
        /// How deep is allowed.
        limit: usize,
    },
    /// The document has too many values.
    #[error("more than {limit} values")]
    TooMany {
        /// How many are allowed.
        limit: usize,
    },
    /// A map has a key twice.
    #[error("the same key twice in a map, at byte {position}")]
    DuplicateKey {
        /// Where the second one is.
        position: usize,
    },
    /// A `representation_uuid` is no UUID.
    #[error("not a handle at byte {position}: a handle is a UUID")]
    NotAHandle {
        /// Where.
        position: usize,
    },
    /// The format has this, the model of values does not.
    #[error("unsupported at byte {position}: {what}")]
    Unsupported {
        /// Where.
        position: usize,
        /// What it is.
        what: &'static str,
    },
}

/// What is left of the limits while a document is read.
pub(super) struct Budget {
    limits: Limits,
    depth_left: usize,
    nodes_left: usize,
}

impl Budget {
    pub(super) fn spend(&mut self, nodes: usize) -> Result<(), ParseError> {
        self.nodes_left = self.nodes_left.checked_sub(nodes).ok_or(ParseError::TooMany { limit: self.limits.nodes })?;
        Ok(())
    }

    pub(super) fn enter(&mut self) -> Result<(), ParseError> {
        self.depth_left = self.depth_left.checked_sub(1).ok_or(ParseError::TooDeep { limit: self.limits.depth })?;
        Ok(())
    }

    pub(super) fn leave(&mut self) {
        self.depth_left += 1;
    }
}

/// The value of a map with these entries: a handle, if it has that shape.
pub(super) fn map_or_handle(entries: BTreeMap<String, Value>) -> Result<Value, NotAHandle> {
    match entries.get(HANDLE_KEY) {
        Some(Value::Text(text)) if entries.len() == 1 => text.parse().map(Value::Handle),
        _ => Ok(Value::Map(entries)),
    }
}
