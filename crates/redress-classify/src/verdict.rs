//! What an attempt came to.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::{Method, Response, Uri, response};
use redress_envelope::{
    Basis, Class, CooldownScope, Decision, Dialect, Envelope, Head, Meaning, Recovery, RetryHint, Signal,
};
use serde_core::de::{Deserialize, Deserializer, Error as _};
use serde_core::ser::{Serialize, Serializer};
use tokio::time::Instant;

use crate::api_error::ApiError;
use crate::clock::{self, Clock};
use crate::meaning::{Call, Receipt, Seen, judge, may_signal};
use crate::secrets::Secrets;

/// What a failed attempt means: class, recovery, hint, phase, and the [`ApiError`] when a server answered.
///
/// An error response carries it among its extensions, an [`Error`](crate::Error) inside; a success has none. Clones share
/// one copy.
#[derive(Clone)]
pub struct Verdict {
    inner: Arc<Inner>,
}

#[derive(Clone)]
struct Inner {
    class: Class,
    recovery: Recovery,
    evidence: Evidence,
    scope: CooldownScope,
    phase: Phase,
    /// Of a response that has no [`ApiError`], which has its own.
    hint: Option<Hint>,
    error: Option<ApiError>,
    body_read: u64,
}

/// The reason for the class of a response, and whether its request was processed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Evidence {
    pub(crate) basis: Basis,
    pub(crate) should_retry: Option<bool>,
    pub(crate) not_processed: bool,
    pub(crate) maybe_processed: bool,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Phase {
    /// No byte of the request can have reached the service: it is safe to send it again, whatever it is.
    NotSent,
    /// The request may have been processed, wholly or in part.
    MaybeProcessed,
    /// A response came back.
    Answered,
}

impl Evidence {
    pub(crate) const fn of(meaning: &Meaning) -> Self {
        let Meaning { basis, flag: should_retry, not_processed, maybe_processed, .. } = *meaning;
        Self { basis, should_retry, not_processed, maybe_processed }
    }
}

impl Hint {
    /// Takes a hint that came in at this instant, and at this time of the caller's clock.
    pub(crate) fn new(hint: RetryHint, server_now: SystemTime, received: Instant, received_wall: SystemTime) -> Self {
        Self { delay: hint.delay(server_now), hint, received, received_wall }
    }

    pub(crate) const fn hint(&self) -> &RetryHint {
        &self.hint
    }

    /// Returns how long it asks to wait, from the receipt of the response on.
    pub(crate) const fn delay(&self) -> Duration {
        self.delay
    }

    /// Returns the part of the wait that is left at `now`.
    pub(crate) fn delay_from(&self, now: Instant) -> Duration {
        self.delay.saturating_sub(now.saturating_duration_since(self.received))
    }

    /// Returns when it asks to come back.
    pub(crate) fn at(&self) -> SystemTime {
        clock::add(self.received_wall, self.delay)
    }
}

impl Verdict {
    pub(crate) fn answered(error: ApiError, evidence: Evidence, scope: CooldownScope, body_read: u64) -> Self {
        let (class, recovery) = (error.class(), error.recovery());
        let (phase, hint, error) = (Phase::Answered, None, Some(error));
        Self { inner: Arc::new(Inner { class, recovery, evidence, scope, phase, hint, error, body_read }) }
    }

    /// Judges a whole response: what a [`Classify`](crate::Classify) layer would stamp on it; `None` for a success.
    ///
    /// `body` is the body in as many pieces as it came in; where they are cut makes no difference.
    ///
    /// # Examples
    /// ```
    /// use http::{Method, Response, Uri};
    /// use redress_classify::{Class, Clock, Verdict, dialects};
    ///
    /// let (head, ()) = Response::builder().status(404).body(()).expect("a status").into_parts();
    /// let call = (Method::GET, Uri::from_static("/v1/verify/vf_1"));
    /// let body: &[u8] = br#"{"error":"verification_not_found","message":"no such verification"}"#;
    /// let verdict = Verdict::from_response(&dialects::veridia(), &call.0, &call.1, &head, &Clock::system(), &[body]);
    /// assert_eq!(verdict.map(|verdict| verdict.class()), Some(Class::NotFound));
    /// ```
    #[must_use]
    pub fn from_response(
        dialect: &Dialect,
        method: &Method,
        uri: &Uri,
        head: &response::Parts,
        clock: &Clock,
        body: &[&[u8]],
    ) -> Option<Self> {
        let call = Call::new(method, uri);
        let now = Instant::now();
        let about = call.head(head, clock.wall(now));
        if dialect.class_of_status(about.status).is_none() && !signals_error(dialect, &about, body) {
            return None;
        }
        let receipt = Receipt { clock, sent: now, at: now };
        judge(dialect, &call, head, receipt, &Seen { pieces: body.to_vec(), whole: true, event: None })
    }

    /// Judges a response by its status and headers, for a stack that has no Classify layer; `None` for a success.
    #[must_use]
    pub fn from_head<B>(response: &Response<B>, dialect: &Dialect, clock: &Clock) -> Option<Self> {
        let status = response.status().as_u16();
        let is_signalled = || dialect.signals_by_head(&Head::new(status, response.headers(), SystemTime::UNIX_EPOCH));
        if dialect.class_of_status(status).is_none() && !is_signalled() {
            return None;
        }
        let received = Instant::now();
        let received_wall = clock.wall(received);
        let head = Head::new(status, response.headers(), received_wall);
        let meaning = dialect.meaning(&head, &Envelope::read(dialect, &head, []));
        let evidence = Evidence::of(&meaning);
        let Meaning { class, recovery, hint, scope, .. } = meaning;
        let hint = hint.map(|hint| Hint::new(hint, head.server_now(), received, received_wall));
        let (phase, error, body_read) = (Phase::Answered, None, 0);
        let inner = Inner { class, recovery, evidence, scope, phase, hint, error, body_read };
        Some(Self { inner: Arc::new(inner) })
    }

    /// States what an attempt without a response means.
    #[must_use]
    pub fn unanswered(class: Class, recovery: Recovery, phase: Phase) -> Self {
        let maybe_processed = phase == Phase::MaybeProcessed;
        let evidence = Evidence { basis: Basis::Transport, should_retry: None, not_processed: false, maybe_processed };
        let (scope, hint, error, body_read) = (CooldownScope::default(), None, None, 0);
        Self { inner: Arc::new(Inner { class, recovery, evidence, scope, phase, hint, error, body_read }) }
    }

    /// Returns the verdict with the secrets masked in all that the server wrote; `None` when it holds none of them, which
    /// allocates nothing that lasts. Class, recovery, hint and phase stay: they were read before.
    ///
    /// A Refresh layer does this with the credentials that it sent.
    #[must_use]
    pub fn masked(&self, secrets: &Secrets) -> Option<Self> {
        let error = self.api_error()?.masked(secrets)?;
        Some(Self { inner: Arc::new(Inner { error: Some(error), ..Inner::clone(&self.inner) }) })
    }

    /// States of a rejected request that its credentials could not be refreshed, why, and what is to be done instead.
    /// The text is shown wherever the verdict is: it must hold no secret.
    #[must_use]
    pub fn not_refreshed(&self, recovery: Recovery, why: impl Into<String>) -> Self {
        let error = self.api_error().map(|error| error.not_refreshed_since(recovery, why.into()));
        Self { inner: Arc::new(Inner { recovery, error, ..Inner::clone(&self.inner) }) }
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
        self.inner.evidence.basis
    }

    /// Returns whether the server itself says to retry, or not to, by a flag that its dialect knows.
    #[must_use]
    pub fn should_retry(&self) -> Option<bool> {
        self.inner.evidence.should_retry
    }

    /// Returns whether the vendor documents that a request that is answered so was rejected before it was processed, so
    /// that any request may be sent again. The class alone never says that, and no flag does.
    #[must_use]
    pub fn is_not_processed(&self) -> bool {
        self.inner.evidence.not_processed
    }

    /// Returns whether the request may have been processed, wholly or in part, although it failed: after a 5xx, where the
    /// body has a member `data` beside the error, is a list of results or breaks off, and where no response came.
    ///
    /// After a refresh only a request that is safe to repeat is sent again then.
    #[must_use]
    pub fn is_maybe_processed(&self) -> bool {
        self.inner.evidence.maybe_processed
    }

    /// Returns which calls a cool-down that the response asks for concerns, as its dialect reads it.
    #[must_use]
    pub fn cooldown_scope(&self) -> CooldownScope {
        self.inner.scope
    }

    /// Returns how many bytes of the response's body were read for the verdict. The body gives them back first; so this
    /// tells which of its bytes are already here.
    #[must_use]
    pub fn body_read(&self) -> u64 {
        self.inner.body_read
    }

    /// Returns how far the attempt got.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.inner.phase
    }

    /// Returns the server's request to come back later, as it gave it.
    #[must_use]
    pub fn hint(&self) -> Option<&RetryHint> {
        self.timed_hint().map(Hint::hint)
    }

    /// Returns how long the hint asks to wait from `now` on; dates are corrected by the server's own clock.
    #[must_use]
    pub fn hint_delay(&self, now: Instant) -> Option<Duration> {
        self.timed_hint().map(|hint| hint.delay_from(now))
    }

    /// Returns when the hint asks to come back, by the caller's clock and uncapped; one too far to write is the end of
    /// the year 9999.
    #[must_use]
    pub fn retry_at(&self) -> Option<SystemTime> {
        self.timed_hint().map(Hint::at)
    }

    /// Returns what the server said; `None` when no response came.
    #[must_use]
    pub fn api_error(&self) -> Option<&ApiError> {
        self.inner.error.as_ref()
    }

    fn timed_hint(&self) -> Option<&Hint> {
        self.api_error().map_or(self.inner.hint.as_ref(), ApiError::timed_hint)
    }
}

fn signals_error(dialect: &Dialect, head: &Head<'_>, body: &[&[u8]]) -> bool {
    if dialect.signals_by_head(head) {
        return true;
    }
    if !may_signal(dialect, head) {
        return false;
    }
    let mut signal = Signal::new(dialect, head);
    body.iter().any(|piece| signal.feed(piece) == Decision::Error)
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
    const ALL: [Self; 3] = [Self::NotSent, Self::MaybeProcessed, Self::Answered];

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

impl Serialize for Phase {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Phase {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        let found = Self::ALL.into_iter().find(|phase| phase.as_str() == word);
        found.ok_or_else(|| D::Error::custom(format_args!("`{word}` is no phase")))
    }
}
