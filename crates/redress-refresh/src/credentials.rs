//! The source of credentials.

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
/// The layer makes at most one call at a time, in a task of its own, within the flight timeout. So an implementation needs
/// no lock and no cache, and should not log.
///
/// It sends its requests through a stack of its own, with a classifier and perhaps a retry, but **without this layer**: a
/// 401 of the token endpoint would otherwise start a refresh during the refresh.
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
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a source of credentials",
    label = "`Credentials` is not implemented for this type",
    note = "use `StaticHeaders` for API keys or one of the logins of `redress::login`, or implement `Credentials`: \
            `login` is its one required method"
)]
pub trait Credentials: Send + Sync + 'static {
    /// Logs in, without a refresh token.
    ///
    /// # Errors
    /// Returns a [`Failure`], whose kind decides what follows.
    ///
    /// # Cancel safety
    /// It is dropped at the flight timeout and when the runtime shuts down, but not when a caller is dropped.
    fn login(&self) -> impl Future<Output = Result<TokenSet, Failure>> + Send;

    /// Exchanges a refresh token for a new set. By default a login follows, as after an invalid refresh token.
    ///
    /// # Errors
    /// Returns a [`Failure`], whose kind decides what follows.
    ///
    /// # Cancel safety
    /// As [`login`](Self::login). A refresh that is cut may have spent its token, which is then not presented again, unless
    /// an earlier refresh has shown that it does not rotate, or the [grace](crate::RefreshLayer::refresh_grace) of the issuer
    /// permits it.
    fn refresh(&self, refresh_token: &SecretString) -> impl Future<Output = Result<TokenSet, Failure>> + Send {
        let _ = refresh_token;
        ready(Err(Failure::invalid_grant(Explanation::new("these credentials are not refreshed"))))
    }

    /// Returns credentials to start with, such as a stored pair. [`RefreshLayer::new`](crate::RefreshLayer::new) calls it
    /// once. By default there are none, and the first request logs in.
    ///
    /// If the set has a refresh token and no headers, the first request refreshes.
    ///
    /// # Examples
    /// ```
    /// use redress_refresh::{Credentials, Failure, RefreshLayer, TokenSet};
    ///
    /// struct Stored(&'static str);
    ///
    /// impl Credentials for Stored {
    ///     async fn login(&self) -> Result<TokenSet, Failure> {
    ///         Err(Failure::permanent("the user has to log in again"))
    ///     }
    ///
    ///     fn initial(&self) -> Option<TokenSet> {
    ///         Some(TokenSet::bearer(self.0).ok()?)
    ///     }
    /// }
    ///
    /// let layer = RefreshLayer::new(Stored("token"), "https://api.example.com".parse()?);
    /// assert_eq!(layer.tokens().generation(), 1);
    /// # Ok::<(), redress_refresh::InvalidOrigin>(())
    /// ```
    fn initial(&self) -> Option<TokenSet> {
        None
    }

    /// Returns `true` if a refresh token may be valid for one use only, until a refresh has shown whether it is.
    ///
    /// The default is `true`, the safe assumption: a token that may be spent is not presented again.
    fn rotates(&self) -> bool {
        true
    }

    /// Returns `true` if the credentials never change by a call, as API keys. The default is `false`.
    fn is_static(&self) -> bool {
        false
    }
}

/// Headers that never change: API keys. A rejection is returned to the caller, without a refresh.
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
    ///
    /// # Examples
    /// ```
    /// use redress_refresh::StaticHeaders;
    ///
    /// let keys = StaticHeaders::new().header("x-api-key", "s3cret")?;
    /// assert!(!format!("{keys:?}").contains("s3cret"));
    /// # Ok::<(), redress_refresh::InvalidHeader>(())
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a secret header, or replaces the one of the same name.
    ///
    /// # Errors
    /// As [`TokenSet::header`].
    ///
    /// # Examples
    /// ```
    /// use redress_refresh::StaticHeaders;
    ///
    /// let error = StaticHeaders::new().header("x-api-key", "key\n").unwrap_err();
    /// assert_eq!(error.to_string(), "no value for the header x-api-key: a byte that is not visible ASCII");
    /// ```
    pub fn header<N>(self, name: N, value: impl Into<SecretString>) -> Result<Self, InvalidHeader>
    where
        N: TryInto<HeaderName>,
    {
        Ok(Self { grant: self.grant.header(name, value)? })
    }

    /// Adds a header that is not secret, or replaces the one of the same name: see [`TokenSet::public_header`].
    ///
    /// # Errors
    /// As [`TokenSet::header`].
    ///
    /// # Examples
    /// ```
    /// use redress_refresh::StaticHeaders;
    ///
    /// let keys = StaticHeaders::new().header("x-api-key", "key")?.public_header("x-tenant", "blue")?;
    /// # assert!(format!("{keys:?}").contains("x-tenant"));
    /// # Ok::<(), redress_refresh::InvalidHeader>(())
    /// ```
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

/// [`Credentials`] as a trait object; its futures are boxed once per flight.
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A source whose answers are not the defaults of the trait.
    struct Lasting;

    impl Credentials for Lasting {
        async fn login(&self) -> Result<TokenSet, Failure> {
            Ok(TokenSet::new())
        }

        fn rotates(&self) -> bool {
            false
        }

        fn is_static(&self) -> bool {
            true
        }
    }

    #[test]
    fn a_source_behind_an_arc_answers_as_itself() {
        fn facts(source: &impl Credentials) -> (bool, bool) {
            (source.rotates(), source.is_static())
        }
        assert_eq!(facts(&Arc::new(Lasting)), (false, true));
        assert_eq!(facts(&Lasting), (false, true));
    }

    #[tokio::test]
    async fn static_headers_are_kept_with_those_that_are_not_secret_and_do_not_log_in() {
        let headers =
            StaticHeaders::new().header("x-api-key", "key").and_then(|set| set.public_header("x-tenant", "blue"));
        let headers = headers.expect("legal");
        let (kept, _) = headers.initial().expect("a set").into_parts();
        let kept: Vec<_> = kept.iter().map(|(name, value)| (name.as_str(), value.is_sensitive())).collect();
        assert_eq!(kept, [("x-api-key", true), ("x-tenant", false)]);
        assert!(Credentials::login(&headers).await.is_err_and(|failure| failure.is_permanent()));
    }
}
