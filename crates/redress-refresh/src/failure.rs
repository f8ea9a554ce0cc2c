//! Why there is no grant.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use redress_classify::{ApiError, BoxError, Class, Error};

use crate::grant::InvalidHeader;

/// Why a login or a refresh brought no [`Grant`](crate::Grant), and so what follows from it.
///
/// | made by | meant for | what the layer does next |
/// |---|---|---|
/// | [`transient`](Self::transient) | connection refused, 429, 503, a page that is not the token endpoint's | cools down, tries again |
/// | [`ambiguous`](Self::ambiguous) | a timeout or a reset after the request was sent, 502, 504 | as transient; a refresh token that may be single-use is not shown again |
/// | [`grant_dead`](Self::grant_dead) | `invalid_grant`, a refresh token expired or revoked | logs in, in the same flight |
/// | [`permanent`](Self::permanent) | `invalid_client`, a wrong password, a second factor needed | nothing, until other credentials are installed or these are cleared |
///
/// The error that it is made of may quote what the server said, and with it a token. So neither `Display` nor `Debug`
/// nor the chain of sources shows it, save for what is certain to hold no secret: the kind of an [`io::Error`], the text
/// of an [`Error`], the status and the class of an [`ApiError`]. The rest is to be asked for by name, with
/// [`cause`](Self::cause).
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use redress_refresh::Failure;
///
/// let failure = Failure::transient("503: token=s3cret").retry_after(Duration::from_secs(7));
/// assert!(failure.is_transient());
/// assert!(!format!("{failure} {failure:?}").contains("s3cret"));
/// ```
#[derive(Clone)]
pub struct Failure {
    inner: Arc<Inner>,
}

#[derive(Clone)]
struct Inner {
    kind: Kind,
    retry_after: Option<Duration>,
    /// What can be told of the cause without telling a secret.
    detail: Option<String>,
    cause: Arc<dyn StdError + Send + Sync>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Transient,
    Ambiguous,
    GrantDead,
    Permanent,
    Cleared,
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
    pub fn grant_dead(cause: impl Into<BoxError>) -> Self {
        Self::new(Kind::GrantDead, cause.into())
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
    pub fn is_grant_dead(&self) -> bool {
        self.inner.kind == Kind::GrantDead
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

    /// Returns the error that the failure was made of. It may hold secrets: it does not belong in a log unread.
    #[must_use]
    pub fn cause(&self) -> &(dyn StdError + Send + Sync + 'static) {
        self.inner.cause.as_ref()
    }

    pub(crate) fn cleared() -> Self {
        Self::new(Kind::Cleared, "logged out".into())
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
            Kind::GrantDead => "grant_dead",
            Kind::Permanent => "permanent",
            Kind::Cleared => "cleared",
        }
    }

    fn new(kind: Kind, cause: BoxError) -> Self {
        let detail = detail(cause.as_ref());
        Self { inner: Arc::new(Inner { kind, retry_after: None, detail, cause: cause.into() }) }
    }
}

/// A grant that cannot be a header is no usable one; a later one may be.
impl From<InvalidHeader> for Failure {
    fn from(error: InvalidHeader) -> Self {
        let detail = error.to_string();
        let mut failure = Self::transient(error);
        Arc::make_mut(&mut failure.inner).detail = Some(detail);
        failure
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.inner.kind {
            Kind::Transient => "no new credentials for now",
            Kind::Ambiguous => "no answer to a request for new credentials",
            Kind::GrantDead => "the grant is dead",
            Kind::Permanent => "the credentials are refused",
            Kind::Cleared => "the credentials were cleared",
        })?;
        match &self.inner.detail {
            Some(detail) => write!(f, ": {detail}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failure")
            .field("kind", &self.inner.kind)
            .field("retry_after", &self.inner.retry_after)
            .field("detail", &self.inner.detail)
            .field("cause", &"Redacted")
            .finish()
    }
}

/// The source is kept from the chain: see [`cause`](Failure::cause).
impl StdError for Failure {}

/// Tells of a cause what no server and no user can have written.
fn detail(cause: &(dyn StdError + 'static)) -> Option<String> {
    let mut next = Some(cause);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<Error>() {
            return Some(error.to_string());
        }
        if let Some(error) = error.downcast_ref::<ApiError>() {
            return Some(format!("{} {}", error.status(), error.class()));
        }
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return Some(error.kind().to_string());
        }
        next = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use redress_classify::TransportError;

    use super::*;

    #[test]
    fn each_kind_says_what_it_is() {
        for (failure, kind, class, transient) in [
            (Failure::transient("a"), "transient", Class::Unavailable, true),
            (Failure::ambiguous("a"), "ambiguous", Class::Unavailable, true),
            (Failure::grant_dead("a"), "grant_dead", Class::Unauthenticated, false),
            (Failure::permanent("a"), "permanent", Class::Unauthenticated, false),
            (Failure::cleared(), "cleared", Class::Unauthenticated, false),
        ] {
            assert_eq!((failure.kind(), failure.class(), failure.is_transient()), (kind, class, transient));
            assert_eq!(failure.is_ambiguous(), kind == "ambiguous");
            assert_eq!(failure.is_grant_dead(), kind == "grant_dead");
            assert_eq!(failure.is_permanent(), kind == "permanent");
            assert_eq!(failure.is_cleared(), kind == "cleared");
        }
    }

    #[test]
    fn the_cause_is_told_only_as_far_as_it_can_hold_no_secret() {
        let io = io::Error::new(io::ErrorKind::ConnectionRefused, "s3cret");
        let nested = Error::from_below(TransportError::connect("s3cret").into());
        for (cause, shown) in [
            (BoxError::from("s3cret"), "no new credentials for now"),
            (io.into(), "no new credentials for now: connection refused"),
            (nested.into(), "no new credentials for now: the request could not be sent"),
        ] {
            let failure = Failure::transient(cause).retry_after(Duration::from_secs(1));
            assert_eq!(failure.to_string(), shown);
            assert!(!format!("{failure:?} {failure:#?}").contains("s3cret"));
            assert!(failure.source().is_none(), "the chain ends here");
        }
        assert_eq!(Failure::permanent("s3cret").cause().to_string(), "s3cret");
    }
}
