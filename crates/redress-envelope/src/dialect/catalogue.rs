//! What a vendor publishes: codes, reasons, statuses, routes, limits, advice on retries.

use std::num::NonZeroU32;
use std::time::Duration;

use http::{HeaderName, Method};

use super::route::Route;
use crate::class::{Class, Recovery};

/// One published error code and what it means.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Code {
    /// The code, verbatim.
    pub code: String,
    /// The status that the vendor's tables give it. It is documentation: a code decides on any error status.
    pub status: Option<u16>,
    /// What it means.
    pub class: Class,
    /// What to do about it.
    pub recovery: Recovery,
    /// Whether the vendor documents that a request that is answered so was rejected before it was processed.
    pub not_processed: bool,
    /// The advice for people; empty when there is none.
    pub guidance: String,
}

/// One published reason, a finer word below a code.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reason {
    /// The reason, verbatim.
    pub reason: String,
    /// What to do about it, if that differs from what its code says.
    pub recovery: Option<Recovery>,
    /// The advice for people.
    pub guidance: String,
}

/// One line of a vendor's status table.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// The status.
    pub status: u16,
    /// What it means; `None` when it is no error, or means what it means everywhere.
    pub class: Option<Class>,
    /// What to do about it, if that differs from what its class says.
    pub recovery: Option<Recovery>,
    /// Whether the vendor documents that a request that is answered so was rejected before it was processed. It counts
    /// where the status alone decides.
    pub not_processed: bool,
    /// The advice for people.
    pub guidance: String,
}

/// A rule of a dialect about responses that no code tells apart.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rule {
    /// What it makes of the response; `None` when it only changes what to do.
    pub class: Option<Class>,
    /// What to do about it, if that differs from what the class says.
    pub recovery: Option<Recovery>,
    /// Whether the vendor documents that a request that is answered so was rejected before it was processed.
    pub not_processed: bool,
    /// The advice for people.
    pub guidance: String,
}

/// How many requests a vendor allows.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PublishedLimit {
    /// The requests that are counted.
    pub covers: Coverage,
    /// How many requests are allowed in each [`per`](Self::per).
    pub requests: NonZeroU32,
    /// The time in which they are counted.
    pub per: Duration,
    /// What shares the limit, in the vendor's terms: `tenant`, `ip`, `key`; empty when unknown.
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
    /// The vendor does not name the routes: the limit is for people to read, and is not applied.
    Unknown,
}

/// What a vendor says about retries; `None` where it says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryAdvice {
    /// How often to send a request at most, the first time included.
    pub attempts: Option<NonZeroU32>,
    /// The waits between attempts.
    pub schedule: Option<Schedule>,
    /// The wait after a 429 that names none.
    pub throttle_wait: Option<Duration>,
}

/// A published series of waits: `base`, then `factor` times as long each, at most `cap`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// The first wait.
    pub base: Duration,
    /// How much longer each wait is than the one before.
    pub factor: NonZeroU32,
    /// The longest wait.
    pub cap: Duration,
}

/// Where an API takes the key that makes a request safe to repeat.
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
    /// It is empty where some routes only do: then it is the caller who gives a request its key.
    pub methods: Vec<Method>,
}

/// How an idempotency key is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyFormat {
    /// As a string of structured fields, in quotes: draft-ietf-httpapi-idempotency-key-header, and so the default.
    #[default]
    Quoted,
    /// As it is, which is how most vendors that are older than the draft want it.
    Raw,
}

impl IdempotencyHeader {
    /// Takes the key in this header, quoted, for POST and PATCH: the methods that are not idempotent by themselves.
    #[must_use]
    pub fn new(name: HeaderName) -> Self {
        Self { name, format: KeyFormat::default(), methods: vec![Method::POST, Method::PATCH] }
    }

    /// Sets how the key is written.
    #[must_use]
    pub const fn format(mut self, format: KeyFormat) -> Self {
        self.format = format;
        self
    }

    /// Sets the methods whose every request takes a key.
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
    /// States what a code means; what to do about it is the class's [default](Class::default_recovery).
    ///
    /// For [`Class::Unauthenticated`] it is [`Recovery::RefreshToken`]: few codes tell an expired token from a dead one.
    /// State [`Recovery::Reauthenticate`] for a code that the vendor documents as final, such as that of a revoked token.
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
        Self { code: code.into(), status: None, class, recovery, not_processed: false, guidance: String::new() }
    }

    /// States that the vendor documents that a request that is answered with this code was rejected before it was
    /// processed, so that any request may be sent again.
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
    #[must_use]
    pub const fn recovery(mut self, recovery: Recovery) -> Self {
        self.recovery = recovery;
        self
    }

    /// Sets the advice for people.
    #[must_use]
    pub fn guidance(mut self, guidance: impl Into<String>) -> Self {
        self.guidance = guidance.into();
        self
    }
}
