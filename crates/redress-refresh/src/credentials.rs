//! Where credentials come from.

use std::fmt;
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;

use http::HeaderName;
use secrecy::SecretString;

use crate::explanation::Explanation;
use crate::failure::Failure;
use crate::token_set::{InvalidHeader, TokenSet};

/// Gets credentials from an issuer.
///
/// The layer sees to it that one call at most is under way, whoever asks and whoever gives up, and runs it in a task of
/// its own, within the flight timeout. So an implementation needs no lock and no cache, and should not log.
///
/// It sends its requests through a stack of its own, perhaps with a small retry and a classifier, but **without this
/// layer**: a token endpoint's own 401 would else ask for a refresh in the middle of the refresh.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use redress_refresh::{Credentials, Failure, TokenSet};
/// use secrecy::{ExposeSecret, SecretString};
///
/// struct Portal {
///     password: SecretString,
/// }
///
/// # async fn post(_path: &str, _secret: &str) -> Result<(String, String), std::io::Error> {
/// #     Ok(("access".to_owned(), "refresh".to_owned()))
/// # }
/// impl Credentials for Portal {
///     async fn login(&self) -> Result<TokenSet, Failure> {
///         let answer = post("/login", self.password.expose_secret()).await;
///         let (access, refresh) = answer.map_err(Failure::transient)?;
///         Ok(TokenSet::bearer(access)?.refresh_token(refresh).expires_in(Duration::from_secs(900)))
///     }
///
///     async fn refresh(&self, refresh_token: &SecretString) -> Result<TokenSet, Failure> {
///         let answer = post("/refresh", refresh_token.expose_secret()).await;
///         let (access, refresh) = answer.map_err(Failure::ambiguous)?;
///         Ok(TokenSet::bearer(access)?.refresh_token(refresh).expires_in(Duration::from_secs(900)))
///     }
/// }
/// ```
pub trait Credentials: Send + Sync + 'static {
    /// Logs in from nothing.
    ///
    /// # Errors
    /// A [`Failure`], whose kind decides what follows.
    ///
    /// # Cancel safety
    /// It is dropped at the flight timeout and when the runtime shuts down, never because a caller went away.
    fn login(&self) -> impl Future<Output = Result<TokenSet, Failure>> + Send;

    /// Exchanges a refresh token. The default logs in, by stating that the refresh token is invalid.
    ///
    /// # Errors
    /// A [`Failure`], whose kind decides what follows.
    ///
    /// # Cancel safety
    /// As of [`login`](Self::login). A refresh that is cut may have spent its token: unless an earlier refresh has
    /// proven that the issuer's tokens do not rotate, it is not shown again.
    fn refresh(&self, refresh_token: &SecretString) -> impl Future<Output = Result<TokenSet, Failure>> + Send {
        let _ = refresh_token;
        ready(Err(Failure::invalid_grant(Explanation::new("these credentials are not refreshed"))))
    }

    /// Returns credentials that are at hand from the start, such as a stored pair; it is asked once, by
    /// [`RefreshLayer::new`](crate::RefreshLayer::new). The default has none, and the first request logs in. Of a grant
    /// without headers the first request shows the refresh token.
    fn initial(&self) -> Option<TokenSet> {
        None
    }

    /// Whether a refresh token may be good for one use only, as long as no refresh has proven otherwise. The default is
    /// `true`, which is the careful one: a token that may be spent is not shown again.
    fn rotates(&self) -> bool {
        true
    }

    /// Whether the credentials are attached as they are and never replaced by a call, as API keys are. The default is
    /// `false`.
    fn is_static(&self) -> bool {
        false
    }
}

/// Headers that never change: API keys. They are attached, and a rejection comes up as it is.
///
/// # Examples
/// ```
/// use redress_refresh::{RefreshLayer, StaticHeaders};
///
/// let keys = StaticHeaders::new().header("x-api-key", "key")?.header("x-api-secret", "secret")?;
/// let layer = RefreshLayer::new(keys, "https://api.example.com".parse()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct StaticHeaders {
    grant: TokenSet,
}

impl StaticHeaders {
    /// Makes an empty set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a header, or replaces the one of the same name.
    ///
    /// # Errors
    /// As of [`TokenSet::header`].
    pub fn header<N>(self, name: N, value: impl Into<SecretString>) -> Result<Self, InvalidHeader>
    where
        N: TryInto<HeaderName>,
    {
        Ok(Self { grant: self.grant.header(name, value)? })
    }

    /// Adds a header that is not secret, or replaces the one of the same name: see [`TokenSet::public_header`].
    ///
    /// # Errors
    /// As of [`TokenSet::header`].
    pub fn public_header<N>(self, name: N, value: &str) -> Result<Self, InvalidHeader>
    where
        N: TryInto<HeaderName>,
    {
        Ok(Self { grant: self.grant.public_header(name, value)? })
    }
}

impl Credentials for StaticHeaders {
    async fn login(&self) -> Result<TokenSet, Failure> {
        Err(Failure::permanent(Explanation::new("static headers do not log in")))
    }

    fn initial(&self) -> Option<TokenSet> {
        Some(self.grant.clone())
    }

    fn is_static(&self) -> bool {
        true
    }
}

impl fmt::Debug for StaticHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StaticHeaders").field(&self.grant).finish()
    }
}

impl<C: Credentials> Credentials for Arc<C> {
    fn login(&self) -> impl Future<Output = Result<TokenSet, Failure>> + Send {
        C::login(self)
    }

    fn refresh(&self, refresh_token: &SecretString) -> impl Future<Output = Result<TokenSet, Failure>> + Send {
        C::refresh(self, refresh_token)
    }

    fn initial(&self) -> Option<TokenSet> {
        C::initial(self)
    }

    fn rotates(&self) -> bool {
        C::rotates(self)
    }

    fn is_static(&self) -> bool {
        C::is_static(self)
    }
}

type Answer<'a> = Pin<Box<dyn Future<Output = Result<TokenSet, Failure>> + Send + 'a>>;

/// [`Credentials`] without their type, boxed once per flight.
pub(crate) trait Issuer: Send + Sync {
    fn login(&self) -> Answer<'_>;
    fn refresh<'a>(&'a self, refresh_token: &'a SecretString) -> Answer<'a>;
}

impl<C: Credentials> Issuer for C {
    fn login(&self) -> Answer<'_> {
        Box::pin(Credentials::login(self))
    }

    fn refresh<'a>(&'a self, refresh_token: &'a SecretString) -> Answer<'a> {
        Box::pin(Credentials::refresh(self, refresh_token))
    }
}
