//! The published facts of a vendor: codes, reasons, statuses, limits, advice on
//! retries.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, Method};

use super::route::Route;
use crate::class::{Class, Recovery};

/// A published error code and its meaning.
///
/// # Examples
/// ```
/// use redress_envelope::{Class, Code, Recovery};
///
/// let code = Code::new("E_BUSY", Class::Unavailable).guidance("The queue is full.");
/// assert_eq!((code.class, code.recovery), (Class::Unavailable, Recovery::Retry));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Code {
    /// The code, verbatim.
    pub code: String,
    /// The status in the vendor's tables, for documentation: a code decides on any
    /// error status.
    pub status: Option<u16>,
    /// The class of an error with this code.
    pub class: Class,
    /// The recovery for an error with this code.
    pub recovery: Recovery,
    /// Whether the vendor documents that a request that is answered so was rejected
    /// before it was processed.
    pub not_processed: bool,
    /// The advice for people; empty when there is none.
    pub guidance: Arc<str>,
}

/// A published reason: a subcode that refines a code.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reason {
    /// The reason, verbatim.
    pub reason: String,
    /// The recovery, where it differs from that of the code.
    pub recovery: Option<Recovery>,
    /// The advice for people.
    pub guidance: Arc<str>,
}

/// A row of a vendor's status table.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// The status.
    pub status: u16,
    /// The class; `None` for a success, or where the standard class of the status
    /// holds.
    pub class: Option<Class>,
    /// The recovery, where it differs from that of the class.
    pub recovery: Option<Recovery>,
    /// Whether the vendor documents that a request that is answered so was rejected
    /// before it was processed. It counts where the status alone decides.
    pub not_processed: bool,
    /// The advice for people.
    pub guidance: Arc<str>,
}

/// A rule of a dialect for responses that a code does not distinguish.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rule {
    /// The class of a response that matches; `None` for a rule that only changes
    /// the recovery.
    pub class: Option<Class>,
    /// The recovery, where it differs from that of the class.
    pub recovery: Option<Recovery>,
    /// Whether the vendor documents that a request that is answered so was rejected
    /// before it was processed.
    pub not_processed: bool,
    /// The advice for people.
    pub guidance: Arc<str>,
}

/// A published rate limit.
///
/// The layer `Pace` enforces it on the client's side.
///
/// # Examples
/// ```
/// use redress_envelope::dialects;
///
/// let limits: Vec<_> = dialects::veridia().limits().iter().map(|limit| limit.requests.get()).collect();
/// assert_eq!(limits, [60, 30, 600]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PublishedLimit {
    /// The requests that the limit counts.
    pub covers: Coverage,
    /// The number of requests allowed in each [`per`](Self::per).
    pub requests: NonZeroU32,
    /// The length of the time window.
    pub per: Duration,
    /// The unit that shares the limit, in the vendor's terms: `tenant`, `ip`,
    /// `key`. Empty if unknown.
    pub scope: String,
}

/// Which requests a published limit counts.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Coverage {
    /// All requests to the API together.
    All,
    /// Those on these routes, together.
    Routes(Vec<Route>),
    /// The vendor does not name the routes. The limit is documentation and is not
    /// enforced.
    Unknown,
}

/// The published advice on retries. A field is `None` where the vendor gives
/// none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryAdvice {
    /// The maximum number of attempts, including the first.
    pub attempts: Option<NonZeroU32>,
    /// The waits between attempts.
    pub schedule: Option<Schedule>,
    /// The wait after a 429 without a hint.
    pub throttle_wait: Option<Duration>,
}

/// A published exponential backoff: `base`, multiplied by `factor` for each
/// further wait, at most `cap`.
///
/// All fields are public and no further one is planned, so that a program can
/// state a schedule of its own.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use redress_envelope::dialects;
///
/// let schedule = dialects::vlens().retry().schedule.expect("Vlens publishes one");
/// assert_eq!((schedule.base, schedule.cap), (Duration::from_millis(500), Duration::from_secs(8)));
/// ```
// Exhaustive, since programs write it as a literal: a wait that grows has a start, a factor and an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Schedule {
    /// The first wait.
    pub base: Duration,
    /// The factor between consecutive waits.
    pub factor: NonZeroU32,
    /// The longest wait.
    pub cap: Duration,
}

/// The header in which an API takes the key that makes a request safe to
/// repeat.
///
/// # Examples
/// ```
/// use http::{HeaderName, Method};
/// use redress_envelope::{IdempotencyHeader, KeyFormat};
///
/// let header = IdempotencyHeader::new(HeaderName::from_static("idempotency-key"));
/// assert_eq!((header.format, header.methods.as_slice()), (KeyFormat::Quoted, &[Method::POST, Method::PATCH][..]));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct IdempotencyHeader {
    /// The header's name.
    pub name: HeaderName,
    /// How the key is written.
    pub format: KeyFormat,
    /// The methods whose every request takes a key.
    ///
    /// Empty where only some routes take one; then the caller sets the key of a
    /// request.
    pub methods: Vec<Method>,
}

/// How an idempotency key is written.
///
/// # Examples
/// ```
/// use redress_envelope::KeyFormat;
///
/// assert_eq!(KeyFormat::default(), KeyFormat::Quoted);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyFormat {
    /// As a string of structured fields, in quotes:
    /// draft-ietf-httpapi-idempotency-key-header, and so the default.
    #[default]
    Quoted,
    /// Verbatim, as most vendors that predate the draft expect it.
    Raw,
}

impl IdempotencyHeader {
    /// Creates the setting for a quoted key on POST and PATCH, the methods that are
    /// not idempotent (RFC 9110 section 9.2.2).
    #[must_use]
    pub fn new(name: HeaderName) -> Self {
        Self { name, format: KeyFormat::default(), methods: vec![Method::POST, Method::PATCH] }
    }

    /// Sets how the key is written.
    ///
    /// # Examples
    /// ```
    /// use http::HeaderName;
    /// use redress_envelope::{IdempotencyHeader, KeyFormat};
    ///
    /// let header = IdempotencyHeader::new(HeaderName::from_static("x-key")).format(KeyFormat::Raw);
    /// assert_eq!(header.format, KeyFormat::Raw);
    /// ```
    #[must_use]
    pub const fn format(mut self, format: KeyFormat) -> Self {
        self.format = format;
        self
    }

    /// Sets the methods whose every request takes a key.
    ///
    /// # Examples
    /// ```
    /// use http::{HeaderName, Method};
    /// use redress_envelope::IdempotencyHeader;
    ///
    /// let header = IdempotencyHeader::new(HeaderName::from_static("x-key")).methods([Method::POST]);
    /// assert_eq!(header.methods, [Method::POST]);
    /// ```
    #[must_use]
    pub fn methods(mut self, methods: impl IntoIterator<Item = Method>) -> Self {
        self.methods = methods.into_iter().collect();
        self
    }
}

impl Rule {
    pub(crate) fn leads_to_refresh(&self) -> bool {
        let recovery = self.recovery.or(self.class.map(Class::recovery_of_code));
        self.class == Some(Class::TokenExpired) || recovery == Some(Recovery::RefreshToken)
    }
}

impl Code {
    /// Creates a code with the [default recovery](Class::default_recovery) of its
    /// class.
    ///
    /// For [`Class::Unauthenticated`] the recovery is [`Recovery::RefreshToken`]:
    /// few codes tell an expired token from a revoked one. Set
    /// [`Recovery::Reauthenticate`] for a code that the vendor documents as final,
    /// such as that of a revoked token.
    ///
    /// # Examples
    /// ```
    /// use redress_envelope::{Class, Code, Recovery};
    ///
    /// assert_eq!(Code::new("E_AUTH", Class::Unauthenticated).recovery, Recovery::RefreshToken);
    /// let revoked = Code::new("E_REVOKED", Class::Unauthenticated).recovery(Recovery::Reauthenticate);
    /// assert_eq!(revoked.recovery, Recovery::Reauthenticate);
    /// ```
    #[must_use]
    pub fn new(code: impl Into<String>, class: Class) -> Self {
        let recovery = class.recovery_of_code();
        Self { code: code.into(), status: None, class, recovery, not_processed: false, guidance: Arc::default() }
    }

    /// Marks the code as documented proof that the request was rejected before it
    /// was processed.
    ///
    /// Any request may then be sent again, whatever its method.
    ///
    /// # Examples
    /// ```
    /// use redress_envelope::{Class, Code};
    ///
    /// assert!(Code::new("E_THROTTLED", Class::RateLimited).not_processed().not_processed);
    /// ```
    #[must_use]
    pub const fn not_processed(mut self) -> Self {
        self.not_processed = true;
        self
    }

    pub(crate) fn leads_to_refresh(&self) -> bool {
        self.class == Class::TokenExpired || self.recovery == Recovery::RefreshToken
    }

    /// Sets what to do about the code.
    ///
    /// # Examples
    /// ```
    /// use redress_envelope::{Class, Code, Recovery};
    ///
    /// let dark = Code::new("1050", Class::Rejected).recovery(Recovery::NewInput);
    /// assert_eq!(dark.recovery, Recovery::NewInput);
    /// ```
    #[must_use]
    pub const fn recovery(mut self, recovery: Recovery) -> Self {
        self.recovery = recovery;
        self
    }

    /// Sets the advice for people.
    ///
    /// # Examples
    /// ```
    /// use redress_envelope::{Class, Code};
    ///
    /// let dark = Code::new("1050", Class::Rejected).guidance("Take the picture again in more light.");
    /// assert!(dark.guidance.ends_with("in more light."));
    /// ```
    #[must_use]
    pub fn guidance(mut self, guidance: impl Into<String>) -> Self {
        self.guidance = guidance.into().into();
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(class: Option<Class>, recovery: Option<Recovery>) -> Rule {
        Rule { class, recovery, not_processed: false, guidance: Arc::default() }
    }

    #[test]
    fn an_expired_token_and_an_explicit_recovery_lead_to_a_refresh() {
        use {Class as C, Recovery as R};
        for (class, recovery, expected) in [
            (C::TokenExpired, R::RefreshToken, true),
            (C::TokenExpired, R::Stop, true),
            (C::Conflict, R::RefreshToken, true),
            (C::Unauthenticated, R::Reauthenticate, false),
            (C::Conflict, R::Retry, false),
        ] {
            assert_eq!(Code::new("E1", class).recovery(recovery).leads_to_refresh(), expected, "{class} {recovery}");
            assert_eq!(rule(Some(class), Some(recovery)).leads_to_refresh(), expected, "{class} {recovery}");
        }
        for (class, expected) in [(C::Unauthenticated, true), (C::TokenExpired, true), (C::Unavailable, false)] {
            assert_eq!(Code::new("E1", class).leads_to_refresh(), expected, "{class}");
            assert_eq!(rule(Some(class), None).leads_to_refresh(), expected, "{class}");
        }
        assert!(!rule(None, None).leads_to_refresh());
    }
}
