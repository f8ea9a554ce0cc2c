//! The published facts that a dialect holds, for callers: codes, statuses, limits, timeouts, advice on retries.

use std::borrow::Cow;
use std::time::Duration;

use super::{Code, Dialect, IdempotencyHeader, PublishedLimit, Reason, RetryAdvice, Status};

impl Dialect {
    /// Returns the path of a request with the credentials in it masked, as the dialect knows them.
    ///
    /// # Examples
    /// ```
    /// use redress_envelope::dialects;
    ///
    /// let telegram = dialects::by_name("telegram").expect("it is shipped");
    /// assert_eq!(telegram.masked_path("/bot123:ABC/getMe"), "/bot***/getMe");
    /// ```
    #[must_use]
    pub fn masked_path<'p>(&self, path: &'p str) -> Cow<'p, str> {
        self.inner.spec.secret_paths.iter().find_map(|secret| secret.mask(path)).unwrap_or(Cow::Borrowed(path))
    }

    /// Returns what the dialect says about a code, given verbatim.
    #[must_use]
    pub fn code(&self, code: &str) -> Option<&Code> {
        self.inner.spec.codes.get(code)
    }

    /// Returns every known code, sorted.
    pub fn codes(&self) -> impl Iterator<Item = &Code> {
        self.inner.spec.codes.values()
    }

    /// Returns what the dialect says about a reason.
    #[must_use]
    pub fn reason(&self, reason: &str) -> Option<&Reason> {
        self.inner.spec.reasons.get(reason)
    }

    /// Returns every known reason, sorted.
    pub fn reasons(&self) -> impl Iterator<Item = &Reason> {
        self.inner.spec.reasons.values()
    }

    /// Returns what the dialect says about an HTTP status.
    #[must_use]
    pub fn status(&self, status: u16) -> Option<&Status> {
        self.inner.spec.statuses.get(&status)
    }

    /// Returns the vendor's status table, sorted.
    pub fn statuses(&self) -> impl Iterator<Item = &Status> {
        self.inner.spec.statuses.values()
    }

    /// Returns the vendor's published advice on retries.
    #[must_use]
    pub fn retry(&self) -> &RetryAdvice {
        &self.inner.spec.retry
    }

    /// Returns how long the vendor may take until a response begins; `None` where the dialect does not say.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use redress_envelope::dialects;
    ///
    /// let openai = dialects::by_name("openai").expect("it is shipped");
    /// assert_eq!(openai.attempt_timeout(), Some(Duration::from_secs(600)));
    /// ```
    #[must_use]
    pub fn attempt_timeout(&self) -> Option<Duration> {
        self.inner.spec.attempt_timeout
    }

    /// Returns how long a success is worth holding while its body may still signal an error; `None` where the dialect does
    /// not say.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use redress_envelope::dialects;
    ///
    /// let s3 = dialects::by_name("aws-xml").expect("it is shipped");
    /// assert_eq!(s3.hold_timeout(), Some(Duration::from_secs(300)));
    /// ```
    #[must_use]
    pub fn hold_timeout(&self) -> Option<Duration> {
        self.inner.spec.hold_timeout
    }

    /// Returns `true` if the vendor declares a route idempotent that its method alone does not make so.
    #[must_use]
    pub fn is_idempotent(&self, method: &str, path: &str) -> bool {
        self.inner.spec.idempotent.iter().any(|route| route.matches(method, path))
    }

    /// Returns where the vendor takes idempotency keys; `None` where it documents none.
    ///
    /// # Examples
    /// ```
    /// use redress_envelope::{KeyFormat, dialects};
    ///
    /// let stripe = dialects::by_name("stripe").expect("it is shipped");
    /// assert_eq!(stripe.idempotency().map(|header| header.format), Some(KeyFormat::Raw));
    /// ```
    #[must_use]
    pub fn idempotency(&self) -> Option<&IdempotencyHeader> {
        self.inner.spec.idempotency.as_ref()
    }

    /// Returns the vendor's published request limits.
    #[must_use]
    pub fn limits(&self) -> &[PublishedLimit] {
        &self.inner.spec.limits
    }

    /// Returns the names, in lower case, of the headers that carry the vendor's credentials.
    #[must_use]
    pub fn secret_headers(&self) -> &[String] {
        &self.inner.spec.secret_headers
    }
}
