//! Why a login or a refresh has failed.

mod detail;
mod display;
mod mapping;
mod purpose;

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use redress_classify::{BoxError, Class};

use self::detail::Detail;
pub use self::purpose::Purpose;
use crate::explanation::Explanation;
use crate::token_set::InvalidHeader;

/// A login or a refresh that returned no [`TokenSet`](crate::TokenSet). Its kind decides what follows.
///
/// | made by | meant for | what the layer does next |
/// |---|---|---|
/// | [`transient`](Self::transient) | connection refused, 429, 503, a page that is not the token endpoint's | cools down, tries again |
/// | [`ambiguous`](Self::ambiguous) | a timeout or a reset after the request was sent, 502, 504 | as transient; a refresh token that may be single-use is not shown again |
/// | [`invalid_grant`](Self::invalid_grant) | `invalid_grant`, a refresh token expired or revoked | logs in, in the same flight |
/// | [`permanent`](Self::permanent) | `invalid_client`, a wrong password, a second factor needed | nothing, until other credentials are installed or these are cleared |
///
/// Its cause may quote the server, and with it a token. So neither `Display` nor `Debug` nor the chain of sources shows the
/// cause, except for the parts that cannot contain a secret:
///
/// - the text of an [`Explanation`], which is part of the program,
/// - the kind of an [`io::Error`](std::io::Error), and the texts of [`Error`](redress_classify::Error) and
///   [`TransportError`](redress_classify::TransportError),
/// - the status and the class of an [`ApiError`](redress_classify::ApiError), and its code if the dialect lists it or OAuth registers it,
/// - whether a login or a refresh has failed, and host and port of its [endpoint](Self::with_endpoint), with the path after a 404.
///
/// [`cause`](Self::cause) returns the whole cause.
///
/// # Examples
/// ```
/// use std::io;
/// use std::time::Duration;
/// use redress_refresh::Failure;
///
/// let failure = Failure::transient("503: token=s3cret").retry_after(Duration::from_secs(7));
/// assert!(failure.is_transient());
/// assert!(!format!("{failure} {failure:?}").contains("s3cret"));
///
/// let refused = Failure::transient(io::Error::from(io::ErrorKind::ConnectionRefused));
/// assert_eq!(refused.to_string(), "no new credentials for now: connection refused");
/// ```
#[derive(Clone)]
pub struct Failure {
    inner: Arc<Inner>,
}

#[derive(Clone)]
struct Inner {
    kind: Kind,
    retry_after: Option<Duration>,
    /// The call that failed.
    purpose: Option<Purpose>,
    /// The host and port of the issuer.
    host: Option<String>,
    /// The path of the endpoint.
    path: Option<String>,
    /// The part of the cause that contains no secret.
    detail: Option<Detail>,
    /// The failure before this one, in the same flight.
    earlier: Option<String>,
    cause: Arc<dyn StdError + Send + Sync>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Transient,
    Ambiguous,
    InvalidGrant,
    Permanent,
    Cleared,
}

impl Failure {
    /// Makes a failure that may pass: another attempt follows after a cool-down.
    ///
    /// # Examples
    /// ```
    /// use redress_refresh::{Explanation, Failure};
    ///
    /// let failure = Failure::transient(Explanation::new("the issuer is under maintenance"));
    /// assert!(failure.is_transient() && !failure.is_ambiguous());
    /// ```
    #[must_use]
    pub fn transient(cause: impl Into<BoxError>) -> Self {
        Self::new(Kind::Transient, cause.into())
    }

    /// Makes a failure of a call that may have been processed although no response came.
    ///
    /// It is transient, with one difference. An issuer that rotates refresh tokens takes the second use of one for a theft
    /// and revokes the whole session (RFC 9700 section 4.14.2). So the refresh token is not presented again, unless an earlier
    /// refresh has shown that it does not rotate. The access token is used until it expires, and then the layer logs in.
    ///
    /// # Examples
    /// ```
    /// use redress_refresh::Failure;
    ///
    /// let failure = Failure::ambiguous("connection reset after the request was sent");
    /// assert!(failure.is_ambiguous() && failure.is_transient());
    /// assert_eq!(failure.to_string(), "no answer to a request for new credentials");
    /// ```
    #[must_use]
    pub fn ambiguous(cause: impl Into<BoxError>) -> Self {
        Self::new(Kind::Ambiguous, cause.into())
    }

    /// Makes a failure of a refresh whose token is expired or revoked (`invalid_grant` in RFC 6749 section 5.2): a login
    /// follows at once.
    ///
    /// Returned by a login it is permanent: the issuer refuses the credentials of the login itself.
    ///
    /// # Examples
    /// ```
    /// use redress_refresh::Failure;
    ///
    /// let failure = Failure::invalid_grant("400: the refresh token has expired");
    /// assert!(failure.is_invalid_grant() && !failure.is_transient());
    /// assert_eq!(failure.to_string(), "the refresh token is invalid");
    /// ```
    #[must_use]
    pub fn invalid_grant(cause: impl Into<BoxError>) -> Self {
        Self::new(Kind::InvalidGrant, cause.into())
    }

    /// Makes a failure that another attempt with the same credentials cannot cure. It may even do harm: repeated wrong
    /// passwords lock accounts. Requests fail until other credentials are installed or these are cleared.
    ///
    /// # Examples
    /// ```
    /// use redress_refresh::{Explanation, Failure};
    ///
    /// let failure = Failure::permanent(Explanation::new("the account needs a second factor"));
    /// assert!(failure.is_permanent());
    /// assert_eq!(failure.to_string(), "the account needs a second factor");
    /// ```
    #[must_use]
    pub fn permanent(cause: impl Into<BoxError>) -> Self {
        Self::new(Kind::Permanent, cause.into())
    }

    /// Sets how long the server asks to wait, counted from when the failure is returned.
    ///
    /// The cool-down after a transient failure is at least that long, up to a day: a longer wait is a mistake, such as a date
    /// in the place of seconds.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use redress_refresh::{Explanation, Failure};
    ///
    /// let busy = Explanation::new("too many logins");
    /// let failure = Failure::transient(busy).retry_after(Duration::from_secs(90));
    /// # assert!(failure.is_transient());
    /// ```
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        Arc::make_mut(&mut self.inner).retry_after = Some(delay);
        self
    }

    /// Sets the endpoint that was called. `Display` shows its host and port, and its path if the issuer answers with 404, 405
    /// or 410: the URL may be wrong. It shows no other part of the URI.
    ///
    /// # Examples
    /// ```
    /// use std::io;
    /// use http::Uri;
    /// use redress_refresh::{Failure, Purpose};
    ///
    /// let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
    /// let failure = Failure::from_error(refused, Purpose::Login)
    ///     .with_endpoint(&Uri::from_static("https://id.example:8443/token?key=s3cret"));
    /// assert_eq!(failure.to_string(), "login at id.example:8443 failed: connection refused");
    /// ```
    #[must_use]
    pub fn with_endpoint(mut self, endpoint: &Uri) -> Self {
        let port = endpoint.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
        let inner = Arc::make_mut(&mut self.inner);
        inner.host = endpoint.host().map(|host| format!("{host}{port}"));
        inner.path = Some(endpoint.path().to_owned());
        self
    }

    /// Shows the code of the issuer's answer though its dialect does not list it. It must hold no secret: mask it before.
    ///
    /// # Examples
    /// ```
    /// use http::{Response, StatusCode};
    /// use redress_refresh::{Failure, Purpose};
    ///
    /// let mut response = Response::new(());
    /// *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    /// let failure = Failure::from_response(&response, Purpose::Login).expect("an error").with_unlisted_code("E_DOWN");
    /// assert!(failure.to_string().ends_with("(E_DOWN, a code that the dialect does not list)"), "{failure}");
    /// ```
    #[must_use]
    pub fn with_unlisted_code(mut self, code: &str) -> Self {
        if let Some(detail) = &mut Arc::make_mut(&mut self.inner).detail {
            detail.add_unlisted_code(code);
        }
        self
    }

    /// Returns `true` if another attempt later may help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self.inner.kind, Kind::Transient | Kind::Ambiguous)
    }

    /// Returns `true` if the call may have been processed although no response came.
    #[must_use]
    pub fn is_ambiguous(&self) -> bool {
        self.inner.kind == Kind::Ambiguous
    }

    /// Returns `true` if the refresh token is expired or revoked.
    #[must_use]
    pub fn is_invalid_grant(&self) -> bool {
        self.inner.kind == Kind::InvalidGrant
    }

    /// Returns `true` if another attempt with the same credentials cannot help.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        self.inner.kind == Kind::Permanent
    }

    /// Returns `true` if the credentials were cleared while a request waited for them.
    #[must_use]
    pub fn is_cleared(&self) -> bool {
        self.inner.kind == Kind::Cleared
    }

    /// Replaces the cause, such as by an error whose secrets are masked; the kind and the wait stay.
    ///
    /// # Examples
    /// ```
    /// use redress_refresh::{Explanation, Failure};
    ///
    /// let failure = Failure::permanent("401: token=s3cret").with_cause(Explanation::new("the account is locked"));
    /// assert!(failure.is_permanent());
    /// assert_eq!(failure.cause().to_string(), "the account is locked");
    /// ```
    #[must_use]
    pub fn with_cause(mut self, cause: impl Into<BoxError>) -> Self {
        let (inner, cause) = (Arc::make_mut(&mut self.inner), cause.into());
        inner.detail = Detail::of(cause.as_ref());
        inner.cause = cause.into();
        self
    }

    /// Returns the whole cause. It may contain secrets: do not log it unread.
    ///
    /// # Examples
    /// ```
    /// use redress_refresh::Failure;
    ///
    /// let failure = Failure::permanent("401: s3cret is locked");
    /// assert_eq!(failure.to_string(), "the credentials are refused");
    /// assert_eq!(failure.cause().to_string(), "401: s3cret is locked");
    /// ```
    #[must_use]
    pub fn cause(&self) -> &(dyn StdError + Send + Sync + 'static) {
        self.inner.cause.as_ref()
    }

    pub(crate) fn cleared() -> Self {
        Self::new(Kind::Cleared, Explanation::new("logged out").into())
    }

    /// Sets which call to the issuer failed.
    pub(crate) fn during(mut self, purpose: Purpose) -> Self {
        Arc::make_mut(&mut self.inner).purpose = Some(purpose);
        self
    }

    /// Sets the failure before this one in the same flight, so that both are shown.
    pub(crate) fn after(mut self, earlier: &Self) -> Self {
        Arc::make_mut(&mut self.inner).earlier = Some(earlier.to_string());
        self
    }

    /// Makes a transient failure ambiguous: an earlier call of the same flight may have spent the refresh token.
    pub(crate) fn maybe_processed(mut self) -> Self {
        if self.is_transient() {
            Arc::make_mut(&mut self.inner).kind = Kind::Ambiguous;
        }
        self
    }

    /// Returns the wait that the server asks for.
    pub(crate) fn delay(&self) -> Duration {
        self.inner.retry_after.unwrap_or_default()
    }

    /// Returns the class of a call that fails because of it.
    pub(crate) fn class(&self) -> Class {
        if self.is_transient() { Class::Unavailable } else { Class::Unauthenticated }
    }

    pub(crate) fn kind(&self) -> &'static str {
        match self.inner.kind {
            Kind::Transient => "transient",
            Kind::Ambiguous => "ambiguous",
            Kind::InvalidGrant => "invalid_grant",
            Kind::Permanent => "permanent",
            Kind::Cleared => "cleared",
        }
    }

    fn new(kind: Kind, cause: BoxError) -> Self {
        let detail = Detail::of(cause.as_ref());
        let (retry_after, purpose, host, path, earlier) = (None, None, None, None, None);
        let cause = cause.into();
        Self { inner: Arc::new(Inner { kind, retry_after, purpose, host, path, detail, earlier, cause }) }
    }
}

/// A token that cannot be a header is a transient failure: a later token may be usable.
impl From<InvalidHeader> for Failure {
    fn from(error: InvalidHeader) -> Self {
        Self::transient(error)
    }
}

#[cfg(test)]
mod tests;
