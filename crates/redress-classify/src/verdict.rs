//! The verdict about a failed attempt.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use redress_envelope::{Class, CooldownScope, DecidedBy, Meaning, Recovery, RetryHint};
use tokio::time::Instant;

use crate::api_error::ApiError;
use crate::phase::Phase;
use crate::secrets::Secrets;
use crate::timed_hint::TimedHint;

/// The meaning of a failed attempt: class, recovery, hint, phase, and the [`ApiError`] if there was a response.
///
/// A [`Classify`](crate::Classify) service puts it into the extensions of an error response, and an
/// [`Error`](crate::Error) holds one. A success has none. Clones share one allocation.
///
/// # Examples
/// ```
/// use http::{Method, Response, Uri};
/// use redress_classify::{Class, Clock, Phase, Recovery, Verdict, dialects};
/// use tokio::time::Instant;
///
/// let (head, ()) = Response::builder().status(429).header("retry-after", "30").body(())?.into_parts();
/// let (method, uri, clock) = (Method::GET, Uri::from_static("/v1/reports"), Clock::system());
/// let verdict = Verdict::from_response(&dialects::generic(), &method, &uri, &head, &clock, &[]);
/// let verdict = verdict.expect("an error");
/// assert_eq!((verdict.class(), verdict.recovery()), (Class::RateLimited, Recovery::Retry));
/// assert_eq!(verdict.phase(), Phase::Answered);
/// assert!(verdict.hint_delay(Instant::now()).is_some_and(|delay| delay.as_secs() >= 29));
/// # Ok::<(), http::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Verdict {
    inner: Arc<Inner>,
}

#[derive(Clone, PartialEq, Eq)]
struct Inner {
    class: Class,
    recovery: Recovery,
    evidence: Evidence,
    scope: CooldownScope,
    phase: Phase,
    /// The hint of a response without an [`ApiError`], which has its own.
    hint: Option<TimedHint>,
    error: Option<ApiError>,
    body_read: u64,
    is_body_buffered: bool,
}

/// The evidence for the class, and what is known about the processing of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Evidence {
    decided_by: DecidedBy,
    should_retry: Option<bool>,
    not_processed: bool,
    maybe_processed: bool,
}

impl Evidence {
    pub(crate) const fn from_meaning(meaning: &Meaning) -> Self {
        let Meaning { decided_by, should_retry, not_processed, maybe_processed, .. } = *meaning;
        Self { decided_by, should_retry, not_processed, maybe_processed }
    }
}

impl Verdict {
    /// Makes the verdict about a response of whose body `body_read` bytes were read.
    pub(crate) fn from_error(
        error: ApiError,
        evidence: Evidence,
        scope: CooldownScope,
        body_read: u64,
        is_body_buffered: bool,
    ) -> Self {
        let (class, recovery) = (error.class(), error.recovery());
        let (phase, hint, error) = (Phase::Answered, None, Some(error));
        let inner = Inner { class, recovery, evidence, scope, phase, hint, error, body_read, is_body_buffered };
        Self { inner: Arc::new(inner) }
    }

    /// Makes the verdict about a response whose body was not read.
    pub(crate) fn from_meaning(meaning: &Meaning, hint: Option<TimedHint>) -> Self {
        let Meaning { class, recovery, scope, .. } = *meaning;
        let (evidence, phase) = (Evidence::from_meaning(meaning), Phase::Answered);
        let (error, body_read, is_body_buffered) = (None, 0, false);
        let inner = Inner { class, recovery, evidence, scope, phase, hint, error, body_read, is_body_buffered };
        Self { inner: Arc::new(inner) }
    }

    /// Creates the verdict about an attempt without a response.
    ///
    /// # Examples
    /// ```
    /// use redress_classify::{Class, Phase, Recovery, Verdict};
    ///
    /// let verdict = Verdict::unanswered(Class::Unavailable, Recovery::Retry, Phase::MaybeProcessed);
    /// assert!(verdict.is_maybe_processed() && verdict.api_error().is_none());
    /// ```
    #[must_use]
    pub fn unanswered(class: Class, recovery: Recovery, phase: Phase) -> Self {
        let maybe_processed = phase == Phase::MaybeProcessed;
        let evidence =
            Evidence { decided_by: DecidedBy::Transport, should_retry: None, not_processed: false, maybe_processed };
        let (scope, hint, error, body_read, is_body_buffered) = (CooldownScope::default(), None, None, 0, false);
        let inner = Inner { class, recovery, evidence, scope, phase, hint, error, body_read, is_body_buffered };
        Self { inner: Arc::new(inner) }
    }

    /// Returns a verdict with the secrets masked in all text from the server; `None` if there are none, without a lasting
    /// allocation. Class, recovery, hint and phase do not change.
    ///
    /// A Refresh layer calls this with the credentials that it sent, since a server may quote them.
    ///
    /// # Examples
    /// ```
    /// use http::{Method, Response, Uri};
    /// use redress_classify::{Clock, Secrets, Verdict, dialects};
    ///
    /// let (head, ()) = Response::builder().status(401).body(())?.into_parts();
    /// let body: &[u8] = br#"{"error":{"code":"s3cret-token"}}"#;
    /// let uri = Uri::from_static("/v1/reports");
    /// let verdict = Verdict::from_response(&dialects::generic(), &Method::GET, &uri, &head, &Clock::system(), &[body]);
    /// let masked = verdict.and_then(|verdict| verdict.masked(&Secrets::new(["s3cret-token"])));
    /// let masked = masked.expect("the code is the secret");
    /// assert_eq!(masked.api_error().and_then(|error| error.code()), Some("***"));
    /// # Ok::<(), http::Error>(())
    /// ```
    #[must_use]
    pub fn masked(&self, secrets: &Secrets) -> Option<Self> {
        let error = self.api_error()?.masked(secrets)?;
        Some(Self { inner: Arc::new(Inner { error: Some(error), ..Inner::clone(&self.inner) }) })
    }

    /// Returns the verdict about a rejected request whose credentials could not be refreshed, with the reason and the
    /// recovery that remains.
    ///
    /// The reason is shown wherever the verdict is: it must hold no secret.
    ///
    /// # Examples
    /// ```
    /// use http::Response;
    /// use redress_classify::{Clock, Verdict, dialects};
    ///
    /// let response = Response::builder().status(401).body(())?;
    /// let verdict = Verdict::from_head(&response, &dialects::generic(), &Clock::system()).expect("an error");
    /// let verdict = verdict.not_refreshed(redress_classify::Recovery::ContactSupport, "the account is locked");
    /// assert_eq!(verdict.recovery().as_str(), "contact_support");
    /// # Ok::<(), http::Error>(())
    /// ```
    #[must_use]
    pub fn not_refreshed(&self, recovery: Recovery, reason: impl Into<String>) -> Self {
        let error = self.api_error().map(|error| error.with_refresh_failure(recovery, reason.into()));
        Self { inner: Arc::new(Inner { recovery, error, ..Inner::clone(&self.inner) }) }
    }

    /// Returns the class of the failure.
    #[must_use]
    pub fn class(&self) -> Class {
        self.inner.class
    }

    /// Returns the recovery: what a program can do about the failure.
    #[must_use]
    pub fn recovery(&self) -> Recovery {
        self.inner.recovery
    }

    /// Returns the part of the response that decided the class, such as a code or the status.
    ///
    /// # Examples
    /// ```
    /// use http::Response;
    /// use redress_classify::{Clock, Verdict, dialects};
    ///
    /// let response = Response::builder().status(503).body(())?;
    /// let verdict = Verdict::from_head(&response, &dialects::generic(), &Clock::system()).expect("an error");
    /// assert_eq!(verdict.decided_by(), redress_classify::DecidedBy::Status);
    /// # Ok::<(), http::Error>(())
    /// ```
    #[must_use]
    pub fn decided_by(&self) -> DecidedBy {
        self.inner.evidence.decided_by
    }

    /// Returns the server's own statement on whether a retry makes sense, if its dialect knows one, such as Stripe's
    /// `Stripe-Should-Retry` header.
    ///
    /// It overrides the recovery of the class, never the rules on idempotency.
    #[must_use]
    pub fn should_retry(&self) -> Option<bool> {
        self.inner.evidence.should_retry
    }

    /// Returns `true` if the vendor documents that such a request was rejected before it was processed, so that any
    /// request may be sent again.
    ///
    /// Neither the class nor [`should_retry`](Self::should_retry) alone implies it.
    #[must_use]
    pub fn is_not_processed(&self) -> bool {
        self.inner.evidence.not_processed
    }

    /// Returns `true` if the request may have been processed, wholly or in part, although it failed.
    ///
    /// That is so after a 5xx; if the body has a member `data` beside the error, is a list of results or breaks off; and if
    /// there was no response. After a refresh only a request that is safe to repeat is sent again then.
    ///
    /// # Examples
    /// ```
    /// use http::Response;
    /// use redress_classify::{Clock, Verdict, dialects};
    ///
    /// let response = Response::builder().status(500).body(())?;
    /// let verdict = Verdict::from_head(&response, &dialects::generic(), &Clock::system()).expect("an error");
    /// assert!(verdict.is_maybe_processed() && !verdict.is_not_processed());
    /// # Ok::<(), http::Error>(())
    /// ```
    #[must_use]
    pub fn is_maybe_processed(&self) -> bool {
        self.inner.evidence.maybe_processed
    }

    /// Returns the scope of a cool-down that the response asks for: the calls that share the limit.
    ///
    /// # Examples
    /// ```
    /// use http::Response;
    /// use redress_classify::{Clock, Verdict, dialects};
    ///
    /// let response = Response::builder().status(429).body(())?;
    /// let verdict = Verdict::from_head(&response, &dialects::generic(), &Clock::system()).expect("an error");
    /// assert_eq!(verdict.cooldown_scope(), redress_classify::CooldownScope::Call);
    /// # Ok::<(), http::Error>(())
    /// ```
    #[must_use]
    pub fn cooldown_scope(&self) -> CooldownScope {
        self.inner.scope
    }

    /// Returns the number of body bytes that were read for the verdict. The response's body still gives them, first.
    #[must_use]
    pub fn body_read(&self) -> u64 {
        self.inner.body_read
    }

    /// Returns `true` if the body was read to its end for the verdict, in at most 1,024 frames: the response then holds it in
    /// memory, and neither a connection nor a stream. Keeping such a response costs [`body_read`](Self::body_read) bytes.
    ///
    /// # Examples
    /// ```
    /// use http::{Method, Response, Uri};
    /// use redress_classify::{Clock, Verdict, dialects};
    ///
    /// let (head, ()) = Response::builder().status(503).body(())?.into_parts();
    /// let (uri, body) = (Uri::from_static("/v1/reports"), &b"busy"[..]);
    /// let verdict = Verdict::from_response(&dialects::generic(), &Method::GET, &uri, &head, &Clock::system(), &[body]);
    /// assert!(verdict.is_some_and(|verdict| verdict.is_body_buffered() && verdict.body_read() == 4));
    /// # Ok::<(), http::Error>(())
    /// ```
    #[must_use]
    pub fn is_body_buffered(&self) -> bool {
        self.inner.is_body_buffered
    }

    /// Returns the phase that the attempt reached.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.inner.phase
    }

    /// Returns the server's hint on when to come back, as it was given.
    ///
    /// # Examples
    /// ```
    /// use http::Response;
    /// use redress_classify::{Clock, Verdict, dialects};
    ///
    /// let response = Response::builder().status(503).header("retry-after", "20").body(())?;
    /// let verdict = Verdict::from_head(&response, &dialects::generic(), &Clock::system()).expect("an error");
    /// assert_eq!(verdict.hint().map(|hint| hint.source().to_string()).as_deref(), Some("retry-after header"));
    /// # Ok::<(), http::Error>(())
    /// ```
    #[must_use]
    pub fn hint(&self) -> Option<&RetryHint> {
        self.timed_hint().map(TimedHint::hint)
    }

    /// Returns the delay from `now` that the hint asks for. A date counts by the server's own clock.
    #[must_use]
    pub fn hint_delay(&self, now: Instant) -> Option<Duration> {
        self.timed_hint().map(|hint| hint.delay_from(now))
    }

    /// Returns the time at which the hint asks to come back, by the caller's clock and without a cap.
    ///
    /// A time after the year 9999 is cut to the end of that year.
    ///
    /// # Examples
    /// ```
    /// use http::Response;
    /// use redress_classify::{Clock, Verdict, dialects};
    ///
    /// let response = Response::builder().status(503).header("retry-after", "20").body(())?;
    /// let verdict = Verdict::from_head(&response, &dialects::generic(), &Clock::system()).expect("an error");
    /// assert!(verdict.retry_at().is_some_and(|at| at > std::time::SystemTime::now()));
    /// # Ok::<(), http::Error>(())
    /// ```
    #[must_use]
    pub fn retry_at(&self) -> Option<SystemTime> {
        self.timed_hint().map(TimedHint::at)
    }

    /// Returns the error that the server described; `None` if there was no response.
    ///
    /// # Examples
    /// ```
    /// use http::Response;
    /// use redress_classify::{Clock, Verdict, dialects};
    ///
    /// let response = Response::builder().status(503).body(())?;
    /// let verdict = Verdict::from_head(&response, &dialects::generic(), &Clock::system()).expect("an error");
    /// assert!(verdict.api_error().is_none(), "the body was not read");
    /// # Ok::<(), http::Error>(())
    /// ```
    #[must_use]
    pub fn api_error(&self) -> Option<&ApiError> {
        self.inner.error.as_ref()
    }

    fn timed_hint(&self) -> Option<&TimedHint> {
        self.api_error().map_or(self.inner.hint.as_ref(), ApiError::timed_hint)
    }
}

impl fmt::Debug for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verdict")
            .field("class", &self.class())
            .field("recovery", &self.recovery())
            .field("decided_by", &self.decided_by())
            .field("phase", &self.phase())
            .field("hint", &self.hint())
            .field("error", &self.api_error())
            .finish()
    }
}
