//! The one error of the whole stack.

use std::error::Error as StdError;
use std::fmt;
use std::time::SystemTime;

use redress_envelope::{Class, Recovery};

use crate::BoxError;
use crate::record::{EndReason, Record};
use crate::secrets::{Secrets, quoted};
use crate::transport::{TransportError, find, is_timeout, phase_of};
use crate::verdict::{Phase, Verdict};

/// Why a call ended without a response to return.
///
/// A response in hand is always returned, whatever its status; this error is for the calls that have none: the
/// transport failed, the deadline passed, or no credentials could be obtained.
pub struct Error {
    inner: Box<Inner>,
}

struct Inner {
    kind: Kind,
    verdict: Verdict,
    retry_at: Option<SystemTime>,
    record: Option<Record>,
    /// The part of the source that is printed with the error.
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
    /// Takes an error from below: one that already is an `Error` stays itself, any other is the transport's.
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

    /// Takes an error of a service that was not ready: nothing was sent.
    #[must_use]
    pub fn not_ready(error: BoxError) -> Self {
        match error.downcast::<Self>() {
            Ok(error) => *error,
            Err(error) => Self::transport(error, Phase::NotSent),
        }
    }

    /// States that the deadline passed while an attempt was in flight or about to begin.
    #[must_use]
    pub fn deadline(phase: Phase) -> Self {
        Self::new(Kind::Deadline, Verdict::unanswered(Class::Unavailable, Recovery::Retry, phase), None)
    }

    /// States that no credentials could be obtained for the request; nothing was sent. `retry_at` is when to try again.
    #[must_use]
    pub fn credentials(class: Class, source: BoxError, retry_at: Option<SystemTime>) -> Self {
        let verdict = Verdict::unanswered(class, class.default_recovery(), Phase::NotSent);
        let mut error = Self::new(Kind::Credentials, verdict, Some(source));
        error.inner.retry_at = retry_at;
        error
    }

    /// States that a call could not have its turn in time; nothing was sent. `retry_at` is when its turn would come.
    #[must_use]
    pub fn paced(retry_at: SystemTime) -> Self {
        let verdict = Verdict::unanswered(Class::RateLimited, Recovery::Retry, Phase::NotSent);
        let mut error = Self::new(Kind::Paced, verdict, None);
        error.inner.retry_at = Some(retry_at);
        error
    }

    /// Says that an earlier attempt of the same call may have been processed, though the last one was not sent.
    #[must_use]
    pub fn maybe_processed(mut self) -> Self {
        let verdict = &self.inner.verdict;
        self.inner.verdict = Verdict::unanswered(verdict.class(), verdict.recovery(), Phase::MaybeProcessed);
        self
    }

    /// Adds the record of every attempt.
    #[must_use]
    pub fn with_record(mut self, record: Record) -> Self {
        self.inner.record = Some(record);
        self
    }

    /// Adds what `Display` tells of the source. It is shown wherever the error is: it must hold no secret.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.inner.detail = Some(detail.into());
        self
    }

    /// Masks the secrets in all that a server may have written: the record of the attempts, and the texts of the sources.
    ///
    /// A source whose `Display` or `Debug` holds a secret is replaced, with the sources below it, by errors that print the
    /// same texts masked. Of their types [`TransportError`] and [`io::Error`](std::io::Error) stay.
    #[must_use]
    pub fn masked(mut self, secrets: &Secrets) -> Self {
        if let Some(record) = self.inner.record.as_ref().and_then(|record| record.masked(secrets)) {
            self.inner.record = Some(record);
        }
        self.inner.source = self.inner.source.take().map(|source| quoted::masked(source, secrets));
        self
    }

    /// Returns what the failure means.
    #[must_use]
    pub fn verdict(&self) -> &Verdict {
        &self.inner.verdict
    }

    /// Returns what kind of failure it is.
    #[must_use]
    pub fn class(&self) -> Class {
        self.verdict().class()
    }

    /// Returns what to do about it.
    #[must_use]
    pub fn recovery(&self) -> Recovery {
        self.verdict().recovery()
    }

    /// Returns how far the call got: the furthest that any of its attempts may have got.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.verdict().phase()
    }

    /// Returns when to try again, if anybody said so.
    #[must_use]
    pub fn retry_at(&self) -> Option<SystemTime> {
        self.inner.retry_at.or_else(|| self.verdict().retry_at())
    }

    /// Returns the record of every attempt, if a Backoff layer made one.
    #[must_use]
    pub fn record(&self) -> Option<&Record> {
        self.inner.record.as_ref()
    }

    /// Whether the transport failed: no response came, or none in time.
    #[must_use]
    pub fn is_transport(&self) -> bool {
        self.inner.kind == Kind::Transport
    }

    /// Whether an attempt, or its connection, took longer than its own timeout.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        self.inner.source.as_deref().is_some_and(|source| is_timeout(source))
    }

    /// Whether no connection was made.
    #[must_use]
    pub fn is_connect(&self) -> bool {
        self.transport_error().is_some_and(TransportError::is_connect)
    }

    /// Whether the deadline of the whole call passed.
    #[must_use]
    pub fn is_deadline(&self) -> bool {
        self.inner.kind == Kind::Deadline
    }

    /// Whether no credentials could be obtained.
    #[must_use]
    pub fn is_credentials(&self) -> bool {
        self.inner.kind == Kind::Credentials
    }

    /// Whether the call was held back and its turn would have come too late.
    #[must_use]
    pub fn is_paced(&self) -> bool {
        self.inner.kind == Kind::Paced
    }

    fn transport(error: BoxError, phase: Phase) -> Self {
        let meaning = find(error.as_ref()).map(TransportError::meaning);
        let (class, recovery) = meaning.unwrap_or((Class::Unavailable, Recovery::Retry));
        Self::new(Kind::Transport, Verdict::unanswered(class, recovery, phase), Some(error))
    }

    fn new(kind: Kind, verdict: Verdict, source: Option<BoxError>) -> Self {
        Self { inner: Box::new(Inner { kind, verdict, retry_at: None, record: None, detail: None, source }) }
    }

    fn transport_error(&self) -> Option<&TransportError> {
        find(self.inner.source.as_deref()?)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.inner.kind, self.phase()) {
            (Kind::Transport, Phase::NotSent) => "the request could not be sent",
            (Kind::Transport, _) => "the request may have been processed, but no response came",
            (Kind::Deadline, Phase::NotSent) => "the deadline passed before the request was sent",
            (Kind::Deadline, _) => "the deadline passed, and the request may have been processed",
            (Kind::Paced, _) => "the request was held back: its turn would come too late",
            (Kind::Credentials, _) => "could not obtain credentials",
        })?;
        match &self.inner.record {
            // The stop would say the same again.
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
