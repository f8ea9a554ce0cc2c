//! The vendors, their error bodies, and what these say.

use redress::{Dialect, dialects};

use super::Expected;
use crate::bodies;

/// An API whose errors are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vendor {
    /// Numbers as codes, a list of fields.
    Vlens,
    /// A map of fields, two levels down.
    Veridia,
    /// One sentence.
    Ranex,
    /// A list of fields, in an object of the error.
    Maleslab,
    /// A map of fields, or the wait, in the same place.
    Verilock,
}

impl Vendor {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Vlens, Self::Veridia, Self::Ranex, Self::Maleslab, Self::Verilock];

    /// Returns the name, which is the dialect's too.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Vlens => "vlens",
            Self::Veridia => "veridia",
            Self::Ranex => "ranex",
            Self::Maleslab => "maleslab",
            Self::Verilock => "verilock",
        }
    }

    /// Returns the dialect.
    #[must_use]
    pub fn dialect(self) -> Dialect {
        match self {
            Self::Vlens => dialects::vlens(),
            Self::Veridia => dialects::veridia(),
            Self::Ranex => dialects::ranex(),
            Self::Maleslab => dialects::maleslab(),
            Self::Verilock => dialects::verilock(),
        }
    }

    /// Returns the error body that is measured.
    ///
    /// # Panics
    /// Never: every vendor has one.
    #[must_use]
    pub fn error(self) -> &'static str {
        let found = bodies::ERRORS.into_iter().find(|(vendor, _)| *vendor == self.name());
        found.expect("every vendor has an error body").1
    }

    /// Returns what [`error`](Self::error) says.
    #[must_use]
    pub const fn expected(self) -> Expected {
        let (code, number, message) = match self {
            Self::Vlens => (Some("1050"), Some(1050), "The picture is too dark to be read"),
            Self::Veridia => (Some("invalid_body"), None, "The body breaks the schema"),
            Self::Ranex => (None, None, "externalUserId is missing"),
            Self::Maleslab => (Some("VALIDATION_ERROR"), None, "Two fields are wrong"),
            Self::Verilock => (Some("validation_error"), None, "The data is wrong"),
        };
        Expected { code, number, message }
    }
}
