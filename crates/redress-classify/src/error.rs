//! The error type of all layers.

mod changes;
mod display;

use std::time::SystemTime;

use redress_envelope::{Class, Recovery};

use crate::BoxError;
use crate::phase::Phase;
use crate::record::Record;
use crate::transport::{TransportError, find, is_timeout, phase_of};
use crate::upstream_health::UpstreamHealth;
use crate::verdict::Verdict;

/// The error of a call that ended without a response.
///
/// A response is always returned as `Ok`, whatever its status, and
/// [`ok_or_api_error`](crate::ResponseExt::ok_or_api_error) turns an error response into an
/// [`ApiError`](crate::ApiError). This type is for the other cases: the transport failed, the deadline passed, a rate limit
/// would have delayed the call for too long, or no credentials could be obtained.
///
/// All layers of the stack return this one type, so its predicates hold whichever layer failed.
///
/// # Examples
/// ```
/// use redress_classify::{Class, Error, Phase, TransportError};
///
/// let error = Error::from_inner(TransportError::connect("connection refused").into());
/// assert!(error.is_transport() && error.is_connect() && !error.is_timeout());
/// assert_eq!((error.class(), error.phase()), (Class::Unavailable, Phase::NotSent));
/// assert_eq!(error.to_string(), "could not send the request: could not connect");
/// ```
pub struct Error {
    inner: Box<Inner>,
}

struct Inner {
    kind: Kind,
    verdict: Verdict,
    retry_at: Option<SystemTime>,
    record: Option<Record>,
    /// The host and port of the request.
    host: Option<String>,
    /// The state of the upstream, if a layer reports it.
    health: Option<UpstreamHealth>,
    /// The text about the source that `Display` shows.
    detail: Option<String>,
    source: Option<BoxError>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Transport,
    Deadline,
    Credentials,
    Paced,
}

impl Error {
    /// Converts the error of an inner service: one that already is an `Error` is returned as it is, any other is an error of
    /// the transport.
    ///
    /// The [phase](Self::phase) of the latter is that of the [`TransportError`] among its sources, see there.
    #[must_use]
    pub fn from_inner(error: BoxError) -> Self {
        match error.downcast::<Self>() {
            Ok(error) => *error,
            Err(error) => {
                let phase = phase_of(error.as_ref());
                Self::transport(error, phase)
            }
        }
    }

    /// Converts the error of an inner service that failed in `poll_ready`: the request was not sent.
    ///
    /// # Examples
    /// ```
    /// use redress_classify::{Error, Phase};
    ///
    /// let error = Error::not_ready("the pool is closed".into());
    /// assert_eq!(error.phase(), Phase::NotSent);
    /// ```
    #[must_use]
    pub fn not_ready(error: BoxError) -> Self {
        match error.downcast::<Self>() {
            Ok(error) => *error,
            Err(error) => Self::transport(error, Phase::NotSent),
        }
    }

    /// Creates the error of a call whose deadline passed, with the phase that its attempt had reached.
    ///
    /// # Examples
    /// ```
    /// use redress_classify::{Error, Phase};
    ///
    /// let error = Error::deadline(Phase::MaybeProcessed);
    /// assert!(error.is_deadline());
    /// assert_eq!(error.to_string(), "deadline exceeded, and the request may have been processed");
    /// ```
    #[must_use]
    pub fn deadline(phase: Phase) -> Self {
        Self::new(Kind::Deadline, Verdict::unanswered(Class::Unavailable, Recovery::Retry, phase), None)
    }

    /// Creates the error of a call for which no credentials could be obtained; the request was not sent.
    ///
    /// `retry_at` is the time at which the next login or refresh may be tried.
    ///
    /// # Examples
    /// ```
    /// use redress_classify::{Class, Error, Phase};
    ///
    /// let error = Error::credentials(Class::Unavailable, "the issuer is down".into(), None);
    /// assert!(error.is_credentials() && error.phase() == Phase::NotSent);
    /// ```
    #[must_use]
    pub fn credentials(class: Class, source: BoxError, retry_at: Option<SystemTime>) -> Self {
        let verdict = Verdict::unanswered(class, class.default_recovery(), Phase::NotSent);
        let mut error = Self::new(Kind::Credentials, verdict, Some(source));
        error.inner.retry_at = retry_at;
        error
    }

    /// Creates the error of a call that would wait too long for a cool-down or a rate limit; the request was not sent.
    ///
    /// `retry_at` is the time at which the request could be sent.
    ///
    /// # Examples
    /// ```
    /// use std::time::SystemTime;
    /// use redress_classify::{Class, Error};
    ///
    /// let error = Error::paced(SystemTime::UNIX_EPOCH);
    /// assert!(error.is_paced() && error.class() == Class::RateLimited);
    /// assert_eq!(error.retry_at(), Some(SystemTime::UNIX_EPOCH));
    /// ```
    #[must_use]
    pub fn paced(retry_at: SystemTime) -> Self {
        let verdict = Verdict::unanswered(Class::RateLimited, Recovery::Retry, Phase::NotSent);
        let mut error = Self::new(Kind::Paced, verdict, None);
        error.inner.retry_at = Some(retry_at);
        error
    }

    /// Returns the verdict about the failure.
    #[must_use]
    pub fn verdict(&self) -> &Verdict {
        &self.inner.verdict
    }

    /// Returns the class of the failure.
    #[must_use]
    pub fn class(&self) -> Class {
        self.verdict().class()
    }

    /// Returns the recovery: what a program can do about the failure.
    #[must_use]
    pub fn recovery(&self) -> Recovery {
        self.verdict().recovery()
    }

    /// Returns the furthest phase that any attempt of the call may have reached.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.verdict().phase()
    }

    /// Returns `true` if the request may have been processed, by any attempt of the call: a request that is not safe to
    /// repeat must not be sent again then, whatever the [recovery](Self::recovery) is.
    ///
    /// # Examples
    /// ```
    /// use redress_classify::{Error, TransportError};
    ///
    /// let error = |transport: TransportError| Error::from_inner(transport.into());
    /// assert!(!error(TransportError::connect("connection refused")).is_maybe_processed());
    /// assert!(error(TransportError::body("reset by peer")).is_maybe_processed());
    /// ```
    #[must_use]
    pub fn is_maybe_processed(&self) -> bool {
        self.phase() != Phase::NotSent
    }

    /// Returns the host and port of the request, as its URI has them; `None` if they are not known.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        self.inner.host.as_deref()
    }

    /// Returns the time at which to try again, if it is known.
    #[must_use]
    pub fn retry_at(&self) -> Option<SystemTime> {
        self.inner.retry_at.or_else(|| self.verdict().retry_at())
    }

    /// Returns the record of the attempts, if a Backoff layer is part of the stack.
    #[must_use]
    pub fn record(&self) -> Option<&Record> {
        self.inner.record.as_ref()
    }

    /// Returns `true` if the transport failed: there was no response, or none in time.
    #[must_use]
    pub fn is_transport(&self) -> bool {
        self.inner.kind == Kind::Transport
    }

    /// Returns `true` if an attempt or its connection exceeded its own timeout.
    ///
    /// # Examples
    /// ```
    /// use redress_classify::{Error, TransportError};
    ///
    /// assert!(Error::from_inner(TransportError::timeout("no response within 5s").into()).is_timeout());
    /// assert!(!Error::from_inner(TransportError::connect("refused").into()).is_timeout());
    /// ```
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        self.inner.source.as_deref().is_some_and(|source| is_timeout(source))
    }

    /// Returns `true` if no connection was made.
    ///
    /// # Examples
    /// ```
    /// use redress_classify::{Error, TransportError};
    ///
    /// assert!(Error::from_inner(TransportError::connect_timeout("no SYN+ACK within 5s").into()).is_connect());
    /// assert!(!Error::from_inner(TransportError::body("reset by peer").into()).is_connect());
    /// ```
    #[must_use]
    pub fn is_connect(&self) -> bool {
        self.transport_error().is_some_and(TransportError::is_connect)
    }

    /// Returns `true` if the deadline of the call passed.
    #[must_use]
    pub fn is_deadline(&self) -> bool {
        self.inner.kind == Kind::Deadline
    }

    /// Returns `true` if no credentials could be obtained.
    #[must_use]
    pub fn is_credentials(&self) -> bool {
        self.inner.kind == Kind::Credentials
    }

    /// Returns `true` if the call would have waited too long for a cool-down or a rate limit.
    #[must_use]
    pub fn is_paced(&self) -> bool {
        self.inner.kind == Kind::Paced
    }

    /// Returns the health of the upstream when the attempt ended; `None` if it is healthy or unknown.
    ///
    /// # Examples
    /// ```
    /// use redress_classify::{Error, Phase};
    ///
    /// assert_eq!(Error::deadline(Phase::NotSent).upstream_health(), None);
    /// ```
    #[must_use]
    pub fn upstream_health(&self) -> Option<UpstreamHealth> {
        self.inner.health
    }

    fn transport(error: BoxError, phase: Phase) -> Self {
        let meaning = find(error.as_ref()).map(TransportError::meaning);
        let (class, recovery) = meaning.unwrap_or((Class::Unavailable, Recovery::Retry));
        Self::new(Kind::Transport, Verdict::unanswered(class, recovery, phase), Some(error))
    }

    fn new(kind: Kind, verdict: Verdict, source: Option<BoxError>) -> Self {
        Self {
            inner: Box::new(Inner {
                kind,
                verdict,
                retry_at: None,
                record: None,
                host: None,
                health: None,
                detail: None,
                source,
            }),
        }
    }

    fn transport_error(&self) -> Option<&TransportError> {
        find(self.inner.source.as_deref()?)
    }
}
