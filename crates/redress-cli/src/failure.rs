//! The reasons why a command ends early.
//!
//! There are two kinds: a message for the user, and a closed pipe, as in `redress dialects | head -1`. The latter is not an
//! error: `head` has what it wanted.

use std::io;

/// The exit code of a command that could not do its work; clap uses the same for bad usage.
pub(crate) const CODE: u8 = 2;

/// Why a command ends early.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The reader of the output has closed the pipe, as `head` does: the program ends with exit code 0.
    ClosedPipe,
    /// A message for the user, without the name of the program.
    Message(String),
}

impl Failure {
    /// Returns the message, to be put into another one. A closed pipe has none.
    #[cfg(feature = "lab")]
    pub(crate) fn into_message(self) -> String {
        match self {
            Self::ClosedPipe => String::new(),
            Self::Message(text) => text,
        }
    }
}

/// Converts an error of the output. An error of an input is converted where its name is known.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::ClosedPipe,
            _ => Self::Message(format!("cannot write the output: {error}")),
        }
    }
}
