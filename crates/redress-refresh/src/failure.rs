//! Why there is no grant.

mod detail;
mod mapping;

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use redress_classify::{BoxError, Class};

use self::detail::Detail;
use crate::explanation::Explanation;
use crate::token_set::InvalidHeader;

/// Why a login or a refresh brought no [`TokenSet`](crate::TokenSet), and so what follows from it.
///
/// | made by | meant for | what the layer does next |
/// |---|---|---|
/// | [`transient`](Self::transient) | connection refused, 429, 503, a page that is not the token endpoint's | cools down, tries again |
/// | [`ambiguous`](Self::ambiguous) | a timeout or a reset after the request was sent, 502, 504 | as transient; a refresh token that may be single-use is not shown again |
/// | [`invalid_grant`](Self::invalid_grant) | `invalid_grant`, a refresh token expired or revoked | logs in, in the same flight |
/// | [`permanent`](Self::permanent) | `invalid_client`, a wrong password, a second factor needed | nothing, until other credentials are installed or these are cleared |
///
/// The error that it is made of may quote what the server said, and with it a token. So neither `Display` nor `Debug`
/// nor the chain of sources shows it, save for what is certain to hold no secret:
///
/// - the text of an [`Explanation`], which the program has written itself,
/// - the kind of an [`io::Error`](std::io::Error), and the texts of [`Error`](redress_classify::Error) and
///   [`TransportError`](redress_classify::TransportError),
/// - the status and the class of an [`ApiError`](redress_classify::ApiError), and its code if the dialect lists it or OAuth registers it,
/// - whether it was a login or a refresh that failed, and the host and port that were [asked](Self::with_endpoint).
///
/// The rest is to be asked for by name, with [`cause`](Self::cause).
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
    /// What the issuer was asked for.
    purpose: Option<Purpose>,
    /// Whom it was asked, as host and port.
    host: Option<String>,
    /// What can be told of the cause without telling a secret.
    detail: Option<Detail>,
    /// What had failed before, in the same flight.
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

/// The kind of a call to an issuer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// A login, which presents no refresh token.
    Login,
    /// A refresh, which presents a refresh token.
    Refresh,
}

impl Failure {
    /// States that nothing came of it for now, and that trying again later may help.
    #[must_use]
    pub fn transient(cause: impl Into<BoxError>) -> Self {
        Self::new(Kind::Transient, cause.into())
    }

    /// States that no answer came to a request that may have been processed.
    ///
    /// It is transient, with one difference: an issuer that rotates refresh tokens takes a second use of one for a
    /// theft and revokes all that came of it. So the token is not shown again, unless an earlier refresh has proven that
    /// it does not rotate; the access token is used to its end, and then the layer logs in.
    #[must_use]
    pub fn ambiguous(cause: impl Into<BoxError>) -> Self {
        Self::new(Kind::Ambiguous, cause.into())
    }

    /// States that the refresh token is worthless, so that a login must follow.
    ///
    /// Returned by a login it is taken for permanent: what the login itself rests on was refused.
    #[must_use]
    pub fn invalid_grant(cause: impl Into<BoxError>) -> Self {
        Self::new(Kind::InvalidGrant, cause.into())
    }

    /// States that trying again with the same credentials cannot help, and may do harm: accounts get locked.
    #[must_use]
    pub fn permanent(cause: impl Into<BoxError>) -> Self {
        Self::new(Kind::Permanent, cause.into())
    }

    /// Sets how long the server asks to wait, counted from the moment the failure is returned. Only the cool-down
    /// after a transient failure heeds it, which is never shorter; a day is the longest that is believed.
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        Arc::make_mut(&mut self.inner).retry_after = Some(delay);
        self
    }

    /// Names the endpoint that was asked, for `Display`: its host and port, and nothing else of the URI.
    #[must_use]
    pub fn with_endpoint(mut self, endpoint: &Uri) -> Self {
        let port = endpoint.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
        Arc::make_mut(&mut self.inner).host = endpoint.host().map(|host| format!("{host}{port}"));
        self
    }

    /// Whether trying again later may help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self.inner.kind, Kind::Transient | Kind::Ambiguous)
    }

    /// Whether the request may have been processed although no answer came.
    #[must_use]
    pub fn is_ambiguous(&self) -> bool {
        self.inner.kind == Kind::Ambiguous
    }

    /// Whether the refresh token is worthless.
    #[must_use]
    pub fn is_invalid_grant(&self) -> bool {
        self.inner.kind == Kind::InvalidGrant
    }

    /// Whether trying again with the same credentials cannot help.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        self.inner.kind == Kind::Permanent
    }

    /// Whether the credentials were cleared while a request waited for them.
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

    /// Returns the error that the failure was made of. It may hold secrets: it does not belong in a log unread.
    #[must_use]
    pub fn cause(&self) -> &(dyn StdError + Send + Sync + 'static) {
        self.inner.cause.as_ref()
    }

    pub(crate) fn cleared() -> Self {
        Self::new(Kind::Cleared, Explanation::new("logged out").into())
    }

    /// States which call to the issuer failed.
    pub(crate) fn during(mut self, purpose: Purpose) -> Self {
        Arc::make_mut(&mut self.inner).purpose = Some(purpose);
        self
    }

    /// States what had failed before in the same flight, which this one would hide.
    pub(crate) fn after(mut self, earlier: &Self) -> Self {
        Arc::make_mut(&mut self.inner).earlier = Some(earlier.to_string());
        self
    }

    /// Returns the wait that the server asks for.
    pub(crate) fn delay(&self) -> Duration {
        self.inner.retry_after.unwrap_or_default()
    }

    /// Returns the class of a call that fails for it.
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
        let (retry_after, purpose, host, earlier) = (None, None, None, None);
        Self { inner: Arc::new(Inner { kind, retry_after, purpose, host, detail, earlier, cause: cause.into() }) }
    }
}

/// A grant that cannot be a header is no usable one; a later one may be.
impl From<InvalidHeader> for Failure {
    fn from(error: InvalidHeader) -> Self {
        Self::transient(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { purpose, host, detail, earlier, .. } = &*self.inner;
        // An explanation of why there never will be any needs no sentence before it.
        let is_alone = purpose.is_none() && self.is_permanent() && matches!(detail, Some(Detail::Explanation(_)));
        match purpose {
            _ if self.is_cleared() => return f.write_str(self.inner.kind.sentence()),
            None if is_alone => {}
            None => f.write_str(self.inner.kind.sentence())?,
            Some(purpose) if self.is_refusal() => write!(f, "the {purpose} was refused")?,
            Some(purpose) => match host {
                Some(host) => write!(f, "{purpose} at {host} failed")?,
                None => write!(f, "the {purpose} failed")?,
            },
        }
        if let Some(Detail::Answer(text) | Detail::Explanation(text) | Detail::Other(text)) = detail {
            write!(f, "{}{text}", if is_alone { "" } else { ": " })?;
        }
        match earlier {
            Some(earlier) => write!(f, ", after {earlier}"),
            None => Ok(()),
        }
    }
}

impl Failure {
    /// Whether the issuer has said no, as opposed to an answer that did not come or cannot be used.
    fn is_refusal(&self) -> bool {
        let is_final = matches!(self.inner.kind, Kind::Permanent | Kind::InvalidGrant);
        is_final && matches!(self.inner.detail, None | Some(Detail::Answer(_)))
    }
}

impl Kind {
    /// Returns what is said of a failure whose call is not known.
    const fn sentence(self) -> &'static str {
        match self {
            Self::Transient => "no new credentials for now",
            Self::Ambiguous => "no answer to a request for new credentials",
            Self::InvalidGrant => "the refresh token is invalid",
            Self::Permanent => "the credentials are refused",
            Self::Cleared => "the credentials were cleared",
        }
    }
}

impl Purpose {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Refresh => "refresh",
        }
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failure")
            .field("kind", &self.inner.kind)
            .field("retry_after", &self.inner.retry_after)
            .field("purpose", &self.inner.purpose)
            .field("host", &self.inner.host)
            .field("detail", &self.inner.detail)
            .field("earlier", &self.inner.earlier)
            .field("cause", &"Redacted")
            .finish()
    }
}

/// The source is kept from the chain: see [`cause`](Failure::cause).
impl StdError for Failure {}

#[cfg(test)]
mod tests;
