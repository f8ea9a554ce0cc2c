//! The text of an error, and its source.

use std::error::Error as StdError;
use std::fmt;

use super::{Error, Kind};
use crate::phase::Phase;
use crate::record::EndReason;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.inner.kind, self.phase()) {
            (Kind::Transport, Phase::NotSent) => "could not send the request",
            (Kind::Transport, _) => "no response, and the request may have been processed",
            (Kind::Deadline, Phase::NotSent) => "deadline exceeded before the request was sent",
            (Kind::Deadline, _) => "deadline exceeded, and the request may have been processed",
            (Kind::Paced, _) => "rate-limit wait is too long: the request was not sent",
            (Kind::Credentials, _) => "could not obtain credentials",
        })?;
        match &self.inner.record {
            // The reason of the end would repeat the text.
            Some(record) if self.is_credentials() && record.end_reason() == EndReason::Credentials => {
                f.write_str(" (")?;
                record.write_attempts(f)?;
                f.write_str(")")?;
            }
            Some(record) => write!(f, " ({record})")?,
            None => {}
        }
        match &self.inner.detail {
            Some(detail) => write!(f, ": {detail}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.inner.kind)
            .field("verdict", &self.inner.verdict)
            .field("retry_at", &self.inner.retry_at)
            .field("record", &self.inner.record)
            .field("source", &self.inner.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.inner.source.as_deref().map(|source| source as _)
    }
}
