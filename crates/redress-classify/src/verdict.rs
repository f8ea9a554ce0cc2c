//! What an attempt came to.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::Response;
use redress_envelope::{Class, Dialect, Envelope, Recovery, RetryHint};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::api_error::ApiError;
use crate::clock::{self, Clock};
use crate::head;
use crate::meaning::{Meaning, meaning};

/// What a failed attempt means: class, recovery, hint, phase, and the [`ApiError`] when a server answered.
///
/// An error response carries it among its extensions, an [`Error`](crate::Error) inside; a success has none. Clones share
/// one copy.
#[derive(Clone)]
pub struct Verdict {
    inner: Arc<Inner>,
}

struct Inner {
    class: Class,
    recovery: Recovery,
    basis: Basis,
    phase: Phase,
    hint: Option<Hint>,
    error: Option<ApiError>,
}

/// A hint, the delay it means, and when that delay began.
#[derive(Clone, Debug)]
pub(crate) struct Hint {
    hint: RetryHint,
    delay: Duration,
    received: Instant,
    received_wall: SystemTime,
}

/// How far a failed attempt got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Phase {
    /// No byte of the request can have reached the service: it is safe to send it again, whatever it is.
    NotSent,
    /// The request may have been processed, wholly or in part.
    MaybeProcessed,
    /// A response came back.
    Answered,
}

/// What decided the class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Basis {
    /// A code that the dialect knows.
    Code,
    /// A header, such as `WWW-Authenticate`.
    Header,
    /// The status alone.
    Status,
    /// The body's signal alone: an error on a success status, with no code that the dialect knows.
    Signal,
    /// No response: a failure of the transport, of time, or of the credentials.
    Transport,
}

impl Hint {
    /// Takes a hint that came in at this instant, and at this time of the caller's clock.
    pub(crate) fn new(hint: RetryHint, server_now: SystemTime, received: Instant, received_wall: SystemTime) -> Self {
        Self { delay: hint.delay(server_now), hint, received, received_wall }
    }
}

impl Verdict {
    pub(crate) fn answered(error: ApiError, basis: Basis, hint: Option<Hint>) -> Self {
        let (class, recovery) = (error.class(), error.recovery());
        let inner = Inner { class, recovery, basis, phase: Phase::Answered, hint, error: Some(error) };
        Self { inner: Arc::new(inner) }
    }

    /// Judges a response by its status and headers, for a stack that has no Classify layer; `None` for a success.
    #[must_use]
    pub fn of_head<B>(response: &Response<B>, dialect: &Dialect, clock: &Clock) -> Option<Self> {
        let status = response.status().as_u16();
        dialect.class_of_status(status)?;
        let meaning = meaning(dialect, status, response.headers(), &Envelope::default());
        let received = Instant::now();
        let received_wall = clock.wall(received);
        let server_now = head::server_now(response.headers(), received_wall);
        let hint = head::hint(response.headers(), dialect, server_now);
        let hint = hint.map(|hint| Hint::new(hint, server_now, received, received_wall));
        let Meaning { class, recovery, basis, .. } = meaning;
        Some(Self { inner: Arc::new(Inner { class, recovery, basis, phase: Phase::Answered, hint, error: None }) })
    }

    /// States what an attempt without a response means.
    #[must_use]
    pub fn unanswered(class: Class, recovery: Recovery, phase: Phase) -> Self {
        let inner = Inner { class, recovery, basis: Basis::Transport, phase, hint: None, error: None };
        Self { inner: Arc::new(inner) }
    }

    /// Returns what kind of failure it is.
    #[must_use]
    pub fn class(&self) -> Class {
        self.inner.class
    }

    /// Returns what to do about it.
    #[must_use]
    pub fn recovery(&self) -> Recovery {
        self.inner.recovery
    }

    /// Returns what decided the class.
    #[must_use]
    pub fn basis(&self) -> Basis {
        self.inner.basis
    }

    /// Returns how far the attempt got.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.inner.phase
    }

    /// Returns the server's request to come back later, as it gave it.
    #[must_use]
    pub fn hint(&self) -> Option<&RetryHint> {
        self.inner.hint.as_ref().map(|hint| &hint.hint)
    }

    /// Returns how long the hint asks to wait from `now` on; dates are corrected by the server's own clock.
    #[must_use]
    pub fn hint_delay(&self, now: Instant) -> Option<Duration> {
        let hint = self.inner.hint.as_ref()?;
        Some(hint.delay.saturating_sub(now.saturating_duration_since(hint.received)))
    }

    /// Returns when the hint asks to come back, by the caller's clock and uncapped; one too far to write is the end of
    /// the year 9999.
    #[must_use]
    pub fn retry_at(&self) -> Option<SystemTime> {
        self.inner.hint.as_ref().map(|hint| clock::add(hint.received_wall, hint.delay))
    }

    /// Returns what the server said; `None` when no response came.
    #[must_use]
    pub fn api_error(&self) -> Option<&ApiError> {
        self.inner.error.as_ref()
    }
}

impl fmt::Debug for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verdict")
            .field("class", &self.class())
            .field("recovery", &self.recovery())
            .field("basis", &self.basis())
            .field("phase", &self.phase())
            .field("hint", &self.hint())
            .field("error", &self.api_error())
            .finish()
    }
}

impl Phase {
    /// Returns the phase in `snake_case`.
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
