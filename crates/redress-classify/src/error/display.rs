//! The text of an error, and its source.

use std::error::Error as StdError;
use std::fmt;

use redress_envelope::format_date;

use super::{Error, Kind};
use crate::phase::Phase;
use crate::printable::escaped;
use crate::record::{EndReason, Record};
use crate::transport::{cause, chain};
use crate::upstream_health::UpstreamHealth;

/// The maximum number of characters of a source in `Debug`.
const MAX_SOURCE: usize = 200;

/// Writes host, failure, cause and attempts on one line.
///
/// The cause is in words of this program: the texts of the sources may quote a server or a URL.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(host) = self.host() {
            write!(f, "{host}: ")?;
        }
        if self.is_paced() {
            return self.write_paced(f);
        }
        f.write_str(match (self.inner.kind, self.phase()) {
            (Kind::Transport, Phase::NotSent) => "could not send the request",
            (Kind::Transport, _) => "no response, and the request may have been processed",
            (Kind::Deadline, Phase::NotSent) => "deadline exceeded before the request was sent",
            (Kind::Deadline, _) => "deadline exceeded, and the request may have been processed",
            (Kind::Paced, _) => "the request was not sent",
            (Kind::Credentials, _) => "could not obtain credentials",
        })?;
        let source = self.inner.source.as_deref().filter(|_| self.is_transport() && self.inner.detail.is_none());
        if let Some(cause) = source.and_then(|source| cause(source)) {
            write!(f, ": {cause}")?;
        }
        if let Some(record) = &self.inner.record {
            self.write_record(record, f)?;
        }
        match &self.inner.detail {
            Some(detail) => write!(f, ": {detail}"),
            None => Ok(()),
        }
    }
}

impl Error {
    /// Writes the end of the wait and its reason, and the attempts before, if there were any.
    fn write_paced(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.upstream_health() {
            Some(UpstreamHealth::Outage) => "upstream is in an outage: the request was not sent",
            _ => "rate-limit wait is too long: the request was not sent",
        })?;
        if let Some(detail) = &self.inner.detail {
            write!(f, ": {detail}")?;
        }
        if let Some(at) = self.retry_at() {
            write!(f, ", retry at {}", format_date(at))?;
        }
        match &self.inner.record {
            Some(record) if !record.sent().is_empty() => self.write_record(record, f),
            _ => Ok(()),
        }
    }

    /// Writes the attempts, and the reason of the end unless it would repeat the text.
    fn write_record(&self, record: &Record, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_repeated = match record.end_reason() {
            EndReason::Credentials => self.is_credentials(),
            EndReason::Paced | EndReason::Outage => self.is_paced(),
            _ => false,
        };
        if !is_repeated {
            return write!(f, " ({record})");
        }
        f.write_str(" (")?;
        record.write_attempts(f)?;
        f.write_str(")")
    }
}

/// Writes the text of `Display` and those of the sources, each of at most 200 characters.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)?;
        let mut last = String::new();
        for source in self.inner.source.as_deref().into_iter().flat_map(|source| chain(source)) {
            // An `io::Error` has the text of the error that it wraps.
            let text = escaped(&source.to_string(), MAX_SOURCE);
            if text != last {
                write!(f, "{}{text}", if last.is_empty() { "; caused by: " } else { ": " })?;
            }
            last = text;
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.inner.source.as_deref().map(|source| source as _)
    }
}
