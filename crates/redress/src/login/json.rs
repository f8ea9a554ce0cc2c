//! Logins by a JSON request whose response holds the tokens.

mod call;
mod pointer;
mod vendors;

use std::fmt;
use std::time::Duration;

use http::header::AUTHORIZATION;
use http::{HeaderName, Response};
use redress_classify::{BoxError, Dialect};
use redress_refresh::{Credentials, Explanation, Failure, Purpose, TokenSet};
use secrecy::{ExposeSecret, SecretString};
use tower_service::Service;

pub use call::{JsonCall, TokenPlace};

use self::pointer::Pointer;
use super::error::InvalidLogin;
use super::exchange::{Answer, Exchange, no_access_token, token_set};
use super::lifetime;

/// Credentials from the login of an API that takes and returns JSON.
///
/// [`new`](Self::new) names the login request and where its response holds the access token; the other settings add a
/// refresh, a lifetime and headers. Members of a response are named by JSON pointers (RFC 6901), such as `/data/token`.
/// There are ready ones for [Vlens](Self::vlens), [Maleslab](Self::maleslab) and [Django's Simple JWT](Self::simplejwt).
///
/// [`Failure::from_response`] decides what follows from an error: a code that the dialect knows, or any code at 401, refuses
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

    /// Returns the token set of a response.
    fn token_set(&self, answer: &Answer) -> Result<TokenSet, Failure> {
        let access_token = self.access_token.text(&answer.body);
        let refresh_token = self.renewal.as_ref().and_then(|renewal| match &renewal.refresh_token {
            Some(pointer) => pointer.text(&answer.body),
            None => access_token,
        });
        let headers = access_token.ok_or_else(no_access_token).and_then(|token| self.credentials(token));
        token_set(headers, refresh_token, self.lifetime(answer, access_token))
    }

    fn credentials(&self, token: &str) -> Result<TokenSet, Failure> {
        let (name, prefix) = &self.token_header;
        let mut set = match prefix.as_str() {
            "Bearer " if *name == AUTHORIZATION => TokenSet::bearer(token)?,
            _ => TokenSet::new().header(name.clone(), format!("{prefix}{token}"))?,
        };
        for (name, value) in &self.headers {
            set = set.header(name.clone(), value.clone())?;
        }
        Ok(set)
    }

    fn lifetime(&self, answer: &Answer, access_token: Option<&str>) -> Option<Duration> {
        let member = |pointer: &Option<Pointer>| pointer.as_ref().and_then(|pointer| pointer.find(&answer.body));
        let stated = member(&self.expires_in).and_then(lifetime::from_seconds);
        let dated = || member(&self.expires_at).and_then(|date| lifetime::from_date(date, answer.server_now));
        let of_jwt = || access_token.and_then(|token| lifetime::from_jwt(token, Some(answer.server_now)));
        stated.or_else(dated).or_else(of_jwt)
    }
}

impl<S, R> JsonLogin<S>
where
    S: Service<Request, Response = Response<R>> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    R: http_body::Body + Unpin + Send,
    R::Data: Send,
    R::Error: Into<BoxError> + Send,
{
    async fn call(
        &self,
        call: &JsonCall,
        token: Option<(&TokenPlace, &SecretString)>,
        purpose: Purpose,
    ) -> Result<TokenSet, Failure> {
        let request = call.request(&self.headers, token);
        let secrets = call.secrets().chain(token.map(|(_, token)| token));
        let failure = |response: &Response<_>| Failure::from_response(response, purpose);
        let answer = self.exchange.send(request, secrets, purpose, failure).await;
        let set = answer.and_then(|answer| self.token_set(&answer));
        set.map_err(|failure| failure.with_endpoint(call.uri()))
    }
}

type Request = http::Request<String>;

impl<S, R> Credentials for JsonLogin<S>
where
    S: Service<Request, Response = Response<R>> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    R: http_body::Body + Unpin + Send,
    R::Data: Send,
    R::Error: Into<BoxError> + Send,
{
    async fn login(&self) -> Result<TokenSet, Failure> {
        self.call(&self.login, None, Purpose::Login).await
    }

    async fn refresh(&self, refresh_token: &SecretString) -> Result<TokenSet, Failure> {
        let Some(renewal) = &self.renewal else {
            return Err(Failure::invalid_grant(Explanation::new("the login has no refresh call")));
        };
        self.call(&renewal.call, Some((&renewal.sent_as, refresh_token)), Purpose::Refresh).await
    }
}

impl<S> fmt::Debug for JsonLogin<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonLogin").field("host", &self.login.uri().host()).finish_non_exhaustive()
    }
}
