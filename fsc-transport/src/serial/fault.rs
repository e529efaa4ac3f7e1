//! Why something that was asked over a line has no answer.

use super::hello::Mismatch;

/// Why there is no answer. The words go to the user, behind the line's address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The other end began a new connection, and knows nothing of what was asked.
    #[error("the other end was restarted")]
    Restarted,
    /// The other end was there, and has fallen silent.
    #[error("nothing was heard for {seconds} s: the line is cut, or the other end is gone")]
    Silent {
        /// How long.
        seconds: u64,
    },
    /// The other end was never heard.
    #[error("nobody answers on the line: {hint}")]
    NobodyAnswers {
        /// What to look at.
        hint: Hint,
    },
    /// The port is gone, or was never there.
    #[error("{why}")]
    Unplugged {
        /// What the system said.
        why: String,
    },
    /// The other end has closed the connection.
    #[error("the other end has closed the line")]
    Closed,
    /// This end has closed the line.
    #[error("this end has closed the line")]
    ClosedHere,
    /// The other end does not keep to the specification.
    #[error("{what}")]
    Garbled {
        /// What it did.
        what: &'static str,
    },
    /// The ends can't work together.
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
    /// The other end does not take this kind of question.
    #[error("the other end takes no {what}")]
    NotOffered {
        /// What was asked.
        what: &'static str,
    },
    /// The message is longer than the other end takes.
    #[error("{bytes} bytes are more than the other end takes ({at_most})")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The longest.
        at_most: usize,
    },
    /// Too many questions wait for their turn.
    #[error("{at_most} questions wait already for their turn on the line")]
    TooMany {
        /// The bound.
        at_most: usize,
    },
    /// Nothing moved for the question's deadline.
    #[error("no answer, and nothing moved, for {seconds} s")]
    TimedOut {
        /// The deadline.
        seconds: u64,
    },
}

/// What may be wrong with a line on which nobody answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hint {
    /// Nothing comes at all.
    Nothing,
    /// Bytes come, but no frames.
    Garbage,
    /// What comes is this end's own.
    Echo,
}

impl std::fmt::Display for Hint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Nothing => "is the other end running, and are the wires crossed?",
            Self::Garbage => "bytes come, but no frames. Is the baud rate the same at both ends?",
            Self::Echo => "this end hears itself. Does the line have an echo, or are its two wires joined?",
        })
    }
}
