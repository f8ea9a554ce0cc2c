//! The published facts that a dialect holds, for callers: codes, statuses,
//! limits, timeouts, advice on retries.

use std::borrow::Cow;
use std::time::Duration;

use super::{Code, Dialect, IdempotencyHeader, PublishedLimit, Reason, RetryAdvice, Status};

impl Dialect {
    /// Returns the path of a request with the credentials in it masked, as the
    /// dialect knows them.
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
    ///
    /// # Examples
    /// ```
    /// use redress_envelope::{Class, dialects};
    ///
    /// let vlens = dialects::vlens();
    /// assert_eq!(vlens.code("1050").map(|code| code.class), Some(Class::Rejected));
    /// assert_eq!(vlens.code("7"), None);
    /// ```
    #[must_use]
    pub fn code(&self, code: &str) -> Option<&Code> {
        self.inner.spec.codes.get(code)
    }

    /// Returns every known code, sorted.
    ///
    /// The documentation of each function of [`dialects`](crate::dialects) lists
    /// the same codes.
    ///
    /// # Examples
    /// ```
    /// use redress_envelope::dialects;
    ///
    /// let codes: Vec<_> = dialects::vlens().codes().map(|code| code.code.clone()).collect();
    /// assert_eq!(codes, ["1050", "400"]);
    /// ```
    pub fn codes(&self) -> impl Iterator<Item = &Code> {
        self.inner.spec.codes.values()
    }

    /// Returns what the dialect says about a reason.
    ///
    /// # Examples
    /// ```
    /// use redress_envelope::{Dialect, Recovery};
    ///
    /// let toml = "name = \"acme\"\n[reasons.blurred]\nrecovery = \"new_input\"\n";
    /// let acme = Dialect::from_toml("acme.toml", toml)?;
    /// assert_eq!(acme.reason("blurred").and_then(|reason| reason.recovery), Some(Recovery::NewInput));
    /// # Ok::<(), redress_envelope::DialectError>(())
    /// ```
    #[must_use]
    pub fn reason(&self, reason: &str) -> Option<&Reason> {
        self.inner.spec.reasons.get(reason)
    }

    /// Returns every known reason, sorted.
    pub fn reasons(&self) -> impl Iterator<Item = &Reason> {
        self.inner.spec.reasons.values()
    }

    /// Returns what the dialect says about an HTTP status.
    ///
    /// # Examples
    /// ```
    /// use redress_envelope::dialects;
    ///
    /// let github = dialects::github();
    /// assert!(github.status(422).is_some_and(|row| !row.guidance.is_empty()));
    /// assert_eq!(github.status(418), None);
    /// ```
    #[must_use]
    pub fn status(&self, status: u16) -> Option<&Status> {
        self.inner.spec.statuses.get(&status)
    }

    /// Returns the vendor's status table, sorted.
    ///
    /// # Examples
    /// ```
    /// use redress_envelope::dialects;
    ///
    /// let listed: Vec<_> = dialects::github().statuses().map(|row| row.status).collect();
    /// assert_eq!(listed, [404, 422]);
    /// ```
    pub fn statuses(&self) -> impl Iterator<Item = &Status> {
        self.inner.spec.statuses.values()
    }

    /// Returns the vendor's published advice on retries.
    ///
    /// # Examples
    /// ```
    /// use redress_envelope::dialects;
    ///
    /// let vlens = dialects::vlens();
    /// assert_eq!(vlens.retry().attempts.map(|attempts| attempts.get()), Some(3));
    /// ```
    #[must_use]
    pub fn retry(&self) -> &RetryAdvice {
        &self.inner.spec.retry
    }

    /// Returns how long the vendor may take until a response begins; `None` where
    /// the dialect does not say.
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

    /// Returns how long a success is worth holding while its body may still signal
    /// an error; `None` where the dialect does not say.
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

    /// Returns `true` if the vendor declares a route idempotent that its method
    /// alone does not make so.
    ///
    /// # Examples
    /// ```
    /// use redress_envelope::Dialect;
    ///
    /// let toml = "name = \"acme\"\n[retry]\nidempotent = [\"POST /v1/search\"]\n";
    /// let acme = Dialect::from_toml("acme.toml", toml)?;
    /// assert!(acme.is_idempotent("POST", "/v1/search") && !acme.is_idempotent("POST", "/v1/orders"));
    /// # Ok::<(), redress_envelope::DialectError>(())
    /// ```
    #[must_use]
    pub fn is_idempotent(&self, method: &str, path: &str) -> bool {
        self.inner.spec.idempotent.iter().any(|route| route.matches(method, path))
    }

    /// Returns where the vendor takes idempotency keys; `None` where it documents
    /// none.
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
    ///
    /// # Examples
    /// ```
    /// use redress_envelope::dialects;
    ///
    /// assert_eq!(dialects::veridia().limits().len(), 3);
    /// assert!(dialects::generic().limits().is_empty());
    /// ```
    #[must_use]
    pub fn limits(&self) -> &[PublishedLimit] {
        &self.inner.spec.limits
    }

    /// Returns the names, in lower case, of the headers that carry the vendor's
    /// credentials.
    ///
    /// # Examples
    /// ```
    /// use redress_envelope::dialects;
    ///
    /// assert!(dialects::github().secret_headers().contains(&"authorization".to_owned()));
    /// ```
    #[must_use]
    pub fn secret_headers(&self) -> &[String] {
        &self.inner.spec.secret_headers
    }
}
