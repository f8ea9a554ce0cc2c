//! The texts of the client's error, and its source.

use std::error::Error as StdError;
use std::fmt;

use super::{ClientError, Kind};

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.kind {
            Kind::Builder { problem, .. } => f.write_str(problem),
            Kind::Call(error) => error.fmt(f),
            Kind::Api(error) => error.fmt(f),
            Kind::Body(_) => f.write_str("the response body broke off"),
            Kind::BodyTooLarge { limit } => write!(f, "the response body exceeds the limit of {limit} bytes"),
            Kind::BodyDeadline => f.write_str("the deadline passed while the response body was read"),
            Kind::Decode(undecoded) => undecoded.fmt(f),
        }
    }
}

impl fmt::Debug for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.kind {
            Kind::Builder { problem, source } => {
                f.debug_struct("Builder").field("problem", problem).field("source", source).finish()
            }
            Kind::Call(error) => f.debug_tuple("Call").field(error).finish(),
            Kind::Api(error) => f.debug_tuple("Api").field(error).finish(),
            Kind::Body(error) => f.debug_tuple("Body").field(error).finish(),
            Kind::BodyTooLarge { limit } => f.debug_struct("BodyTooLarge").field("limit", limit).finish(),
            Kind::BodyDeadline => f.write_str("BodyDeadline"),
            Kind::Decode(undecoded) => write!(f, "Decode({undecoded})"),
        }
    }
}

/// The stack's error and the API's stand for themselves: their sources come next.
impl StdError for ClientError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match &*self.kind {
            Kind::Builder { source, .. } => source.as_deref().map(|source| source as _),
            Kind::Call(error) => error.source(),
            Kind::Api(error) => error.source(),
            Kind::Body(error) => Some(error),
            Kind::BodyTooLarge { .. } | Kind::BodyDeadline | Kind::Decode(_) => None,
        }
    }
}
