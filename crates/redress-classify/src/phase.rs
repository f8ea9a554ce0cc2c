//! The phase that a failed attempt reached.

use std::fmt;

use serde_core::de::{Deserialize, Deserializer, Error as _};
use serde_core::ser::{Serialize, Serializer};

/// The phase that a failed attempt reached, which says whether the request may be sent again.
///
/// `Display` and serde use the form of [`as_str`](Self::as_str).
///
/// # Examples
/// ```
/// use redress_classify::{Phase, TransportError};
///
/// assert_eq!(TransportError::connect("connection refused").phase(), Phase::NotSent);
/// assert_eq!(TransportError::timeout("no response within 5s").phase(), Phase::MaybeProcessed);
/// assert_eq!(Phase::NotSent.to_string(), "not_sent");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Phase {
    /// No byte of the request can have reached the service: any request may be sent again.
    NotSent,
    /// The request may have been processed, wholly or in part: only a request that is safe to repeat may be sent again.
    MaybeProcessed,
    /// A response came back.
    Answered,
}

impl Phase {
    const ALL: [Self; 3] = [Self::NotSent, Self::MaybeProcessed, Self::Answered];

    /// Returns the phase in `snake_case`, as events and logs name it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotSent => "not_sent",
            Self::MaybeProcessed => "maybe_processed",
            Self::Answered => "answered",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Phase {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Phase {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        let found = Self::ALL.into_iter().find(|phase| phase.as_str() == word);
        found.ok_or_else(|| D::Error::custom(format_args!("unknown phase `{word}`")))
    }
}
