//! Logins by a JSON request whose response holds the tokens.

mod call;
mod credentials;
mod pointer;
mod vendors;

use std::fmt;

use http::HeaderName;
use http::header::AUTHORIZATION;
use redress_classify::Dialect;
use secrecy::{ExposeSecret, SecretString};

pub use call::{JsonCall, TokenPlace};

use self::pointer::Pointer;
use super::error::InvalidLogin;
use super::exchange::Exchange;

/// Credentials from the login of an API that takes and returns JSON.
///
/// [`new`](Self::new) names the login request and where its response holds the access token; the other settings add a
/// refresh, a lifetime and headers. Members of a response are named by JSON pointers (RFC 6901), such as `/data/token`.
/// There are ready ones for [Vlens](Self::vlens), [Maleslab](Self::maleslab) and [Django's Simple JWT](Self::simplejwt).
///
/// [`Failure::from_response`](redress_refresh::Failure::from_response) decides what follows from an error: a code that the dialect knows, or any code at 401, refuses
/// the password or the refresh token; after other errors there is a cool-down. So list the codes of your API in the dialect.
///
/// # Examples
/// An API with `POST /session`, which returns `{"jwt": .., "renewal": .., "exp": "2026-01-15T12:00:00Z"}`, and
/// `POST /session/renew`, which takes `{"token": ..}` and returns the same members:
/// ```
/// use redress::login::{JsonCall, JsonLogin, TokenPlace};
/// use redress::transport::Reqwest;
/// use redress::{BoxError, RedressLayer, dialects};
///
/// fn layer(transport: Reqwest, password: &str) -> Result<RedressLayer, BoxError> {
///     let session = JsonCall::post("https://api.example/session")?
///         .member("/user", "alice")?
///         .secret("/password", password)?;
///     let renew = JsonCall::post("https://api.example/session/renew")?;
///     let login = JsonLogin::new(transport, dialects::generic(), session, "/jwt")?
///         .expires_at("/exp")?
///         .refresh(renew, TokenPlace::Member("/token".to_owned()), "/renewal")?;
///     Ok(RedressLayer::new(dialects::generic()).credentials(login, "https://api.example".parse()?))
/// }
/// # layer(Reqwest::new(Reqwest::client_builder())?, "s3cret")?;
/// # Ok::<(), BoxError>(())
/// ```
#[derive(Clone)]
pub struct JsonLogin<S> {
    exchange: Exchange<S>,
    login: JsonCall,
    access_token: Pointer,
    renewal: Option<Renewal>,
    expires_in: Option<Pointer>,
    expires_at: Option<Pointer>,
    /// The header of the access token, and the text before it.
    token_header: (HeaderName, String),
    /// Headers beside the token, on the calls here too.
    headers: Vec<(HeaderName, SecretString)>,
}

/// How a set is renewed without a login.
#[derive(Clone)]
struct Renewal {
    call: JsonCall,
    sent_as: TokenPlace,
    /// Where the response holds the refresh token; `None` if the access token takes its place.
    refresh_token: Option<Pointer>,
}

impl<S> JsonLogin<S> {
    /// Logs in by this call; its response holds the access token at the pointer `access_token`.
    ///
    /// Without further settings the token is sent as `Authorization: Bearer`, lasts as long as it says if it is a JWT, else
    /// until it is rejected, and is replaced by another login.
    ///
    /// # Errors
    /// Returns an error if `access_token` is not a JSON pointer to a member.
    pub fn new(transport: S, dialect: Dialect, login: JsonCall, access_token: &str) -> Result<Self, InvalidLogin> {
        Ok(Self {
            exchange: Exchange::new(transport, dialect),
            login,
            access_token: Pointer::new(access_token)?,
            renewal: None,
            expires_in: None,
            expires_at: None,
            token_header: (AUTHORIZATION, "Bearer ".to_owned()),
            headers: Vec::new(),
        })
    }

    /// Renews by a refresh token. Responses hold it at the pointer `found_at`; the call sends it as `sent_as`.
    ///
    /// A response without a refresh token keeps the previous one. The response to the call holds its members where that of
    /// the login does. If the refresh token is refused, a login follows.
    ///
    /// # Errors
    /// Returns an error if `found_at` or the member of `sent_as` is not a JSON pointer, or if the call has a value or a
    /// header in the place of the token.
    ///
    /// # Examples
    /// ```
    /// use redress::login::{InvalidLogin, JsonCall, JsonLogin, TokenPlace};
    ///
    /// # fn main() -> Result<(), InvalidLogin> {
    /// # let (transport, dialect) = ((), redress::dialects::generic());
    /// let session = JsonCall::post("https://api.example/session")?.member("/user", "alice")?;
    /// let login = JsonLogin::new(transport, dialect, session, "/token")?;
    /// let renew = || JsonCall::post("https://api.example/session/renew");
    /// let taken = renew()?.member("/refresh_token", "fixed")?;
    /// let place = TokenPlace::Member("/refresh_token".to_owned());
    /// let login = login.refresh(renew()?, place.clone(), "/refresh_token")?;
    /// let error = login.refresh(taken, place, "/refresh_token").unwrap_err();
    /// assert_eq!(error.to_string(), "the body has two values at /refresh_token");
    /// # Ok(())
    /// # }
    /// ```
    pub fn refresh(self, call: JsonCall, sent_as: TokenPlace, found_at: &str) -> Result<Self, InvalidLogin> {
        let refresh_token = Some(Pointer::new(found_at)?);
        self.renewal(Renewal { call, sent_as, refresh_token })
    }

    /// Renews by the access token itself, before it expires.
    ///
    /// It needs a lifetime: from [`expires_in`](Self::expires_in), [`expires_at`](Self::expires_at) or a JWT. Without one, or
    /// if the API refuses the token, a login follows the first rejection.
    ///
    /// # Errors
    /// Returns an error if the member of `sent_as` is not a JSON pointer, or if the call has a value or a header in the place
    /// of the token.
    ///
    /// # Examples
    /// ```
    /// use redress::login::{InvalidLogin, JsonCall, JsonLogin, TokenPlace};
    ///
    /// # fn main() -> Result<(), InvalidLogin> {
    /// # let (transport, dialect) = ((), redress::dialects::generic());
    /// let session = JsonCall::post("https://api.example/session")?.member("/user", "alice")?;
    /// let login = JsonLogin::new(transport, dialect, session, "/token")?;
    /// let renew = JsonCall::post("https://api.example/session/renew")?;
    /// let login = login.expires_in("/ttl")?.refresh_by_access_token(renew, TokenPlace::Bearer)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn refresh_by_access_token(self, call: JsonCall, sent_as: TokenPlace) -> Result<Self, InvalidLogin> {
        self.renewal(Renewal { call, sent_as, refresh_token: None })
    }

    /// Reads the lifetime of the access token from this member: a number of seconds, or a text of digits.
    ///
    /// It is counted from the start of the call. A negative number counts as no lifetime. Beside
    /// [`expires_at`](Self::expires_at) it comes first; a JWT's own dates come last.
    ///
    /// # Errors
    /// Returns an error if `pointer` is not a JSON pointer to a member.
    pub fn expires_in(mut self, pointer: &str) -> Result<Self, InvalidLogin> {
        self.expires_in = Some(Pointer::new(pointer)?);
        Ok(self)
    }

    /// Reads the end of the access token from this member: an ISO 8601 date-time, an HTTP date, or the time since 1970 in
    /// seconds or milliseconds.
    ///
    /// It is compared with the `Date` header of the response, so that the local clock may be wrong. A date that has passed or
    /// is more than 366 days ahead is ignored.
    ///
    /// # Errors
    /// Returns an error if `pointer` is not a JSON pointer to a member.
    ///
    /// # Examples
    /// ```
    /// use redress::login::{InvalidLogin, JsonCall, JsonLogin};
    ///
    /// # fn main() -> Result<(), InvalidLogin> {
    /// # let (transport, dialect) = ((), redress::dialects::generic());
    /// let session = JsonCall::post("https://api.example/session")?.member("/user", "alice")?;
    /// let login = JsonLogin::new(transport, dialect, session, "/token")?;
    /// assert!(login.expires_at("session.end").is_err(), "a JSON pointer begins with a slash");
    /// # Ok(())
    /// # }
    /// ```
    pub fn expires_at(mut self, pointer: &str) -> Result<Self, InvalidLogin> {
        self.expires_at = Some(Pointer::new(pointer)?);
        Ok(self)
    }

    /// Sends the access token in this header, after this prefix; the default is `Authorization` and `"Bearer "`.
    ///
    /// # Errors
    /// Returns an error if no credential can be sent in the header, or if it was set by [`header`](Self::header).
    ///
    /// # Examples
    /// ```
    /// use redress::login::{InvalidLogin, JsonCall, JsonLogin};
    ///
    /// # fn main() -> Result<(), InvalidLogin> {
    /// # let (transport, dialect) = ((), redress::dialects::generic());
    /// let login = JsonLogin::new(transport, dialect, JsonCall::post("https://api.example/session")?, "/token")?;
    /// let login = login.token_header("x-auth-token", "")?;
    /// assert!(login.token_header("host", "").is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub fn token_header<N>(mut self, name: N, prefix: &str) -> Result<Self, InvalidLogin>
    where
        N: TryInto<HeaderName>,
    {
        let name = call::header_name(name, &format!("{prefix}token"))?;
        if self.headers.iter().any(|(other, _)| *other == name) {
            return Err(InvalidLogin::new(format!("the header {name} is set twice")));
        }
        self.token_header = (name, prefix.to_owned());
        Ok(self)
    }

    /// Sends this header, such as an API key, with the access token, and on the calls of the login too.
    ///
    /// # Errors
    /// Returns an error if the value cannot be sent in the header, or if the header is set or carries the access token.
    ///
    /// # Examples
    /// ```
    /// use redress::login::{InvalidLogin, JsonCall, JsonLogin};
    ///
    /// # fn main() -> Result<(), InvalidLogin> {
    /// # let (transport, dialect) = ((), redress::dialects::generic());
    /// let login = JsonLogin::new(transport, dialect, JsonCall::post("https://api.example/session")?, "/token")?;
    /// let login = login.header("x-api-key", "key")?;
    /// let error = login.header("authorization", "Basic a2V5").unwrap_err();
    /// assert_eq!(error.to_string(), "the header authorization carries the access token");
    /// # Ok(())
    /// # }
    /// ```
    pub fn header<N>(mut self, name: N, value: impl Into<SecretString>) -> Result<Self, InvalidLogin>
    where
        N: TryInto<HeaderName>,
    {
        let value = value.into();
        let name = call::header_name(name, value.expose_secret())?;
        if name == self.token_header.0 {
            return Err(InvalidLogin::new(format!("the header {name} carries the access token")));
        }
        if self.headers.iter().any(|(other, _)| *other == name) {
            return Err(InvalidLogin::new(format!("the header {name} is set twice")));
        }
        self.headers.push((name, value));
        Ok(self)
    }

    /// Sets the dialect of the responses: one with the codes of your tenant.
    ///
    /// A code that the dialect knows decides at once: a refused password is not tried again, and a refused refresh token
    /// leads to a login. After an unknown one there is a cool-down of a minute.
    #[must_use]
    pub fn dialect(mut self, dialect: Dialect) -> Self {
        self.exchange.set_dialect(dialect);
        self
    }

    fn renewal(mut self, renewal: Renewal) -> Result<Self, InvalidLogin> {
        renewal.call.check_place(&renewal.sent_as)?;
        self.renewal = Some(renewal);
        Ok(self)
    }
}

impl<S> fmt::Debug for JsonLogin<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonLogin").field("host", &self.login.uri().host()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_set_once() {
        let call = || JsonCall::post("https://id.example/login").unwrap().header("x-call", "1").unwrap();
        assert!(call().header("x-other", "2").is_ok());
        assert_eq!(call().header("X-Call", "2").unwrap_err().to_string(), "the header x-call is set twice");

        let login = || JsonLogin::new((), redress_classify::dialects::generic(), call(), "/token").unwrap();
        let login = || login().header("x-api-key", "key").unwrap();
        assert!(login().header("x-other", "2").is_ok() && login().token_header("x-other", "").is_ok());
        let error = login().header("X-Api-Key", "2").unwrap_err();
        assert_eq!(error.to_string(), "the header x-api-key is set twice");
        let error = login().token_header("X-Api-Key", "").unwrap_err();
        assert_eq!(error.to_string(), "the header x-api-key is set twice");
        let error = login().header("authorization", "2").unwrap_err();
        assert_eq!(error.to_string(), "the header authorization carries the access token");
    }
}
