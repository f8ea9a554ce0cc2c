//! Why a copy of a body cannot be read on.

use std::error::Error as StdError;
use std::fmt;

use crate::BoxError;

/// The error of a [`ReplayBody`](crate::ReplayBody).
///
/// The body's own error is its [`source`](StdError::source), for the copy that met it.
#[derive(Debug)]
pub struct ReplayError {
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// The body's own error.
    Body(BoxError),
    /// Another copy met the body's error.
    Elsewhere,
    /// What this copy had still to read is not there any more.
    LetGo,
}

impl ReplayError {
    pub(super) const fn body(error: BoxError) -> Self {
        Self { kind: Kind::Body(error) }
    }

    pub(super) const fn elsewhere() -> Self {
        Self { kind: Kind::Elsewhere }
    }

    pub(super) const fn let_go() -> Self {
        Self { kind: Kind::LetGo }
    }

    /// Whether the body itself failed, here or under another copy.
    #[must_use]
    pub const fn is_body(&self) -> bool {
        matches!(self.kind, Kind::Body(_) | Kind::Elsewhere)
    }

    /// Whether this copy came too late: the body is longer than its limit, or was read on by a copy that was alone.
    #[must_use]
    pub const fn is_discarded(&self) -> bool {
        matches!(self.kind, Kind::LetGo)
    }
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            Kind::Body(_) => "the body failed",
            Kind::Elsewhere => "the body failed while another copy of it was read",
            Kind::LetGo => "what this copy of the body had still to send was let go",
        })
    }
}

impl StdError for ReplayError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match &self.kind {
            Kind::Body(source) => Some(source.as_ref()),
            Kind::Elsewhere | Kind::LetGo => None,
        }
    }
}
