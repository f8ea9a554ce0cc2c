//! The verdict about a failed attempt.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use redress_envelope::{Class, CooldownScope, DecidedBy, Meaning, Recovery, RetryHint};
use tokio::time::Instant;

use crate::api_error::ApiError;
use crate::facts::Facts;
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
#[derive(Clone)]
pub struct Verdict {
    content: Content,
}

#[derive(Clone)]
enum Content {
    /// The body of a response was read.
    Read(ApiError),
    /// The head of a response was read, or there is none.
    Unread(Arc<Facts>),
}

impl Verdict {
    /// Makes the verdict about a response whose body was read.
    pub(crate) const fn from_error(error: ApiError) -> Self {
        Self { content: Content::Read(error) }
    }

    /// Makes the verdict about a response whose body was not read.
    pub(crate) fn from_meaning(meaning: &Meaning, hint: Option<TimedHint>) -> Self {
        Self::from_facts(Facts::from_meaning(meaning, hint))
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
        Self::from_facts(Facts::unanswered(class, recovery, phase))
    }

    fn from_facts(facts: Facts) -> Self {
        Self { content: Content::Unread(Arc::new(facts)) }
    }

    fn facts(&self) -> &Facts {
        match &self.content {
            Content::Read(error) => error.facts(),
            Content::Unread(facts) => facts,
        }
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
        self.api_error()?.masked(secrets).map(Self::from_error)
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
        match &self.content {
            Content::Read(error) => Self::from_error(error.with_refresh_failure(recovery, reason.into())),
            Content::Unread(facts) => Self::from_facts(Facts { recovery, ..Facts::clone(facts) }),
        }
    }

    /// Returns the class of the failure.
    #[must_use]
    pub fn class(&self) -> Class {
        self.facts().class
    }

    /// Returns the recovery: what a program can do about the failure.
    #[must_use]
    pub fn recovery(&self) -> Recovery {
        self.facts().recovery
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
        self.facts().evidence.decided_by
    }

    /// Returns the server's own statement on whether a retry makes sense, if its dialect knows one, such as Stripe's
    /// `Stripe-Should-Retry` header.
    ///
    /// It overrides the recovery of the class, never the rules on idempotency.
    #[must_use]
    pub fn should_retry(&self) -> Option<bool> {
        self.facts().evidence.should_retry
    }

    /// Returns `true` if the vendor documents that such a request was rejected before it was processed, so that any
    /// request may be sent again.
    ///
    /// Neither the class nor [`should_retry`](Self::should_retry) alone implies it.
    #[must_use]
    pub fn is_not_processed(&self) -> bool {
        self.facts().evidence.not_processed
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
        self.facts().evidence.maybe_processed
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
        self.facts().scope
    }

    /// Returns the number of body bytes that were read for the verdict. The response's body still gives them, first.
    #[must_use]
    pub fn body_read(&self) -> u64 {
        self.facts().body_read
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
        self.facts().is_body_buffered
    }

    /// Returns the phase that the attempt reached.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.facts().phase
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
        match &self.content {
            Content::Read(error) => Some(error),
            Content::Unread(_) => None,
        }
    }

    fn timed_hint(&self) -> Option<&TimedHint> {
        self.facts().hint.as_ref()
    }
}

impl PartialEq for Verdict {
    fn eq(&self, other: &Self) -> bool {
        self.facts() == other.facts() && self.api_error() == other.api_error()
    }
}

impl Eq for Verdict {}

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
