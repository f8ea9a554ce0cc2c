//! How far a request got when no response came.

use std::error::Error as StdError;
use std::{fmt, io};

use crate::BoxError;
use crate::verdict::Phase;

/// A transport's failure with the phase that the request had reached.
///
/// An adapter for an HTTP client returns it, since only the adapter knows the client's errors. An error of any other
/// type means [`Phase::MaybeProcessed`], unless a refused TCP connection is found among its sources.
#[derive(Debug)]
pub struct TransportError {
    kind: Kind,
    source: BoxError,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Request,
    Connect,
    RefusedStream,
    Timeout,
    Body,
    Other,
}

impl TransportError {
    /// The request cannot be sent as it is, such as one whose URI has no host; it would fail again.
    pub fn request(source: impl Into<BoxError>) -> Self {
        Self { kind: Kind::Request, source: source.into() }
    }

    /// No connection was made: DNS, TCP or TLS failed before any byte of the request was sent.
    pub fn connect(source: impl Into<BoxError>) -> Self {
        Self { kind: Kind::Connect, source: source.into() }
    }

    /// The server refused the stream unprocessed (`REFUSED_STREAM`, RFC 9113 section 8.7), or the connection closed
    /// before the request was written.
    pub fn refused_stream(source: impl Into<BoxError>) -> Self {
        Self { kind: Kind::RefusedStream, source: source.into() }
    }

    /// No response came in time.
    pub fn timeout(source: impl Into<BoxError>) -> Self {
        Self { kind: Kind::Timeout, source: source.into() }
    }

    /// The request's body failed while it was being sent, or the response broke off.
    pub fn body(source: impl Into<BoxError>) -> Self {
        Self { kind: Kind::Body, source: source.into() }
    }

    /// Anything else after the request may have been sent.
    pub fn other(source: impl Into<BoxError>) -> Self {
        Self { kind: Kind::Other, source: source.into() }
    }

    /// Returns how far the request got.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        match self.kind {
            Kind::Request | Kind::Connect | Kind::RefusedStream => Phase::NotSent,
            Kind::Timeout | Kind::Body | Kind::Other => Phase::MaybeProcessed,
        }
    }

    /// Whether the request itself is at fault.
    #[must_use]
    pub const fn is_request(&self) -> bool {
        matches!(self.kind, Kind::Request)
    }

    /// Whether no connection was made.
    #[must_use]
    pub const fn is_connect(&self) -> bool {
        matches!(self.kind, Kind::Connect)
    }

    /// Whether no response came in time.
    #[must_use]
    pub const fn is_timeout(&self) -> bool {
        matches!(self.kind, Kind::Timeout)
    }

    /// Whether a body failed.
    #[must_use]
    pub const fn is_body(&self) -> bool {
        matches!(self.kind, Kind::Body)
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            Kind::Request => "the request cannot be sent as it is",
            Kind::Connect => "no connection was made",
            Kind::RefusedStream => "the request was refused before it was processed",
            Kind::Timeout => "no response came in time",
            Kind::Body => "a body broke off",
            Kind::Other => "the connection failed",
        })
    }
}

impl StdError for TransportError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(self.source.as_ref())
    }
}

/// Returns an error and its sources, the outermost first.
fn chain<'e>(error: &'e (dyn StdError + 'static)) -> impl Iterator<Item = &'e (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error: &&'e (dyn StdError + 'static)| {
        let error = *error;
        // An `io::Error` answers `source` with the source of what it wraps.
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        }
    })
}

/// Finds the first error of a type among an error and its sources.
pub(crate) fn find<'e, T: StdError + 'static>(error: &'e (dyn StdError + 'static)) -> Option<&'e T> {
    chain(error).find_map(<dyn StdError>::downcast_ref)
}

fn is_refused(error: &(dyn StdError + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

/// Returns how far a request got that failed with this error.
pub(crate) fn phase_of(error: &(dyn StdError + 'static)) -> Phase {
    if let Some(transport) = find::<TransportError>(error) {
        return transport.phase();
    }
    if chain(error).any(is_refused) { Phase::NotSent } else { Phase::MaybeProcessed }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_has_its_phase() {
        let io = |kind| io::Error::from(kind);
        let nested = io::Error::other(TransportError::connect("dns"));
        for (error, phase) in [
            (BoxError::from(TransportError::connect("x")), Phase::NotSent),
            (BoxError::from(TransportError::refused_stream("x")), Phase::NotSent),
            (BoxError::from(TransportError::timeout("x")), Phase::MaybeProcessed),
            (BoxError::from(TransportError::body("x")), Phase::MaybeProcessed),
            (BoxError::from(TransportError::other("x")), Phase::MaybeProcessed),
            (BoxError::from(io(io::ErrorKind::ConnectionRefused)), Phase::NotSent),
            (BoxError::from(io(io::ErrorKind::ConnectionReset)), Phase::MaybeProcessed),
            (BoxError::from(nested), Phase::NotSent),
            (BoxError::from(io::Error::other(io(io::ErrorKind::ConnectionRefused))), Phase::NotSent),
            (BoxError::from(TransportError::request("x")), Phase::NotSent),
            (BoxError::from("anything"), Phase::MaybeProcessed),
        ] {
            assert_eq!(phase_of(error.as_ref()), phase, "{error}");
        }
    }
}
