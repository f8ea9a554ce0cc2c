//! The grants of OAuth 2.0 that need no user: client credentials, and a refresh token from an earlier consent.

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, Uri};
use redress_classify::{ApiError, BoxError, Class, DecidedBy, Dialect, ResponseExt, dialects};
use redress_refresh::{Credentials, Explanation, Failure, Purpose, TokenSet};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tower_service::Service;

use super::error::InvalidLogin;
use super::exchange::{Answer, Exchange, endpoint, no_access_token, token_set};
use super::lifetime;

/// A member `error` is an error at any status: some servers respond 200 to everything.
const ERROR_AT_ANY_STATUS: &str = "[error]\nnot_null = \"error\"\n";

/// The codes that make the refresh token invalid. Any other known code concerns the client, whose settings must change first.
/// The first code is that of RFC 6749 section 5.2; some servers send `invalid_token` or `expired_token` in its place; the
/// others, of `OpenID` Connect Core section 3.1.2.6, require the user.
const INVALID_GRANT: [&str; 8] = [
    "invalid_grant",
    "invalid_token",
    "expired_token",
    "access_denied",
    "account_selection_required",
    "consent_required",
    "interaction_required",
    "login_required",
];

/// Credentials from the token endpoint of an OAuth 2.0 server (RFC 6749).
///
/// | response | consequence |
/// |---|---|
/// | `invalid_grant` | the refresh token is invalid, and there is no other: requests fail until one is installed |
/// | `invalid_client`, `unauthorized_client`, `invalid_scope`, ... | requests fail; the server is not called again |
/// | 429, or 503 with `Retry-After` | a cool-down of at least that length |
/// | `temporarily_unavailable`, `slow_down` | a cool-down |
/// | 502, 504, a timeout, a body that breaks off | a refresh token that may rotate is not presented again |
/// | 4xx without a code of OAuth, a redirect | a cool-down of a minute |
///
/// The errors are read by the dialect `oauth2`, at a success status too. The lifetime is `expires_in`, or else `exp` less
/// `iat` if the access token is a JWT. A response without `refresh_token` keeps the previous one (section 6).
///
/// # Examples
/// ```
/// use redress::login::OAuth2;
/// use redress::transport::Reqwest;
/// use redress::{RedressLayer, dialects};
///
/// # fn layer(transport: Reqwest) -> Result<RedressLayer, redress::BoxError> {
/// let login = OAuth2::client_credentials(transport, "https://id.example/oauth/token", "my service", "s3cret")?;
/// let layer = RedressLayer::new(dialects::veridia())
///     .credentials(login.scope("orders.read orders.write"), "https://api.example".parse()?);
/// # Ok(layer) }
/// ```
#[derive(Clone)]
pub struct OAuth2<S> {
    exchange: Exchange<S>,
    token_url: Uri,
    client_id: String,
    client_secret: Option<SecretString>,
    authentication: ClientAuthentication,
    /// The initial refresh token. Without one the client's own credentials are the grant.
    refresh_token: Option<SecretString>,
    scope: Option<String>,
    parameters: Vec<(String, SecretString)>,
}

/// How a client authenticates (RFC 6749 section 2.3.1).
///
/// # Examples
/// ```
/// use redress::login::ClientAuthentication;
///
/// assert_eq!(ClientAuthentication::default(), ClientAuthentication::Basic);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ClientAuthentication {
    /// By HTTP Basic, which every server must support.
    #[default]
    Basic,
    /// By `client_id` and `client_secret` in the body, for servers that do not.
    Body,
}

impl<S> OAuth2<S> {
    /// Uses the client's own credentials as the grant (RFC 6749 section 4.4). A refresh token in the response is ignored.
    ///
    /// # Errors
    /// Returns an error if `token_url` is not a URL, or not an https one; http is for loopback addresses.
    ///
    /// # Examples
    /// ```
    /// use redress::login::OAuth2;
    ///
    /// # let transport = ();
    /// let login = OAuth2::client_credentials(transport, "http://id.example/token", "my service", "s3cret");
    /// assert!(login.is_err(), "the secret would be sent in plain text");
    /// ```
    pub fn client_credentials(
        transport: S,
        token_url: &str,
        client_id: &str,
        client_secret: &str,
    ) -> Result<Self, InvalidLogin> {
        Ok(Self::new(transport, token_url, client_id)?.client_secret(client_secret))
    }

    /// Uses a refresh token from a user's consent as the grant (RFC 6749 section 6), as a public client unless a
    /// [secret](Self::client_secret) is set.
    ///
    /// Most servers rotate refresh tokens, so that the one given here is valid for the first start only. A
    /// [store](redress_refresh::RefreshLayer::store) that outlives the process keeps the newest.
    ///
    /// # Errors
    /// Returns an error if `token_url` is not a URL, or not an https one; http is for loopback addresses.
    ///
    /// # Examples
    /// ```
    /// use redress::login::OAuth2;
    ///
    /// # let transport = ();
    /// let login = OAuth2::refresh_token(transport, "https://id.example/token", "my app", "from the consent")?;
    /// let login = login.client_secret("s3cret").scope("orders.read offline_access");
    /// assert!(!format!("{login:?}").contains("s3cret"));
    /// # Ok::<(), redress::login::InvalidLogin>(())
    /// ```
    pub fn refresh_token(
        transport: S,
        token_url: &str,
        client_id: &str,
        refresh_token: &str,
    ) -> Result<Self, InvalidLogin> {
        let oauth = Self::new(transport, token_url, client_id)?;
        Ok(Self { refresh_token: Some(refresh_token.into()), ..oauth })
    }

    /// Sets the client's secret.
    #[must_use]
    pub fn client_secret(mut self, secret: &str) -> Self {
        self.client_secret = Some(secret.into());
        self
    }

    /// Sets how the client authenticates. The default is HTTP Basic, which every server must support.
    #[must_use]
    pub const fn authentication(mut self, authentication: ClientAuthentication) -> Self {
        self.authentication = authentication;
        self
    }

    /// Sets the scope: values separated by spaces (RFC 6749 section 3.3). Without one the server decides.
    #[must_use]
    pub fn scope(mut self, scope: &str) -> Self {
        self.scope = Some(scope.to_owned());
        self
    }

    /// Adds a parameter that the server requires in addition to the RFC's, such as `audience` or `resource`. Its value is
    /// masked wherever the server quotes it.
    ///
    /// # Examples
    /// ```
    /// use redress::login::OAuth2;
    ///
    /// # let transport = ();
    /// let login = OAuth2::client_credentials(transport, "https://id.example/token", "my service", "s3cret")?;
    /// let login = login.parameter("audience", "https://api.example");
    /// # Ok::<(), redress::login::InvalidLogin>(())
    /// ```
    #[must_use]
    pub fn parameter(mut self, name: &str, value: &str) -> Self {
        self.parameters.push((name.to_owned(), value.into()));
        self
    }

    /// Sets the dialect of the errors: `oauth2`, extended by the codes of your server.
    #[must_use]
    pub fn dialect(mut self, dialect: Dialect) -> Self {
        self.exchange.set_dialect(dialect);
        self
    }

    fn new(transport: S, token_url: &str, client_id: &str) -> Result<Self, InvalidLogin> {
        let dialect = dialects::by_name("oauth2").expect("it is among the shipped dialects");
        let dialect = dialect.extend("token endpoint", ERROR_AT_ANY_STATUS).expect("a test reads it");
        Ok(Self {
            exchange: Exchange::new(transport, dialect),
            token_url: endpoint(token_url)?,
            client_id: client_id.to_owned(),
            client_secret: None,
            authentication: ClientAuthentication::Basic,
            refresh_token: None,
            scope: None,
            parameters: Vec::new(),
        })
    }

    /// Returns the secrets of every call.
    fn secrets(&self) -> impl Iterator<Item = &SecretString> {
        self.client_secret.iter().chain(self.parameters.iter().map(|(_, value)| value))
    }

    fn request(&self, refresh_token: Option<&SecretString>) -> Request<String> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        match refresh_token {
            Some(token) => {
                form.append_pair("grant_type", "refresh_token").append_pair("refresh_token", token.expose_secret())
            }
            None => form.append_pair("grant_type", "client_credentials"),
        };
        let basic = self.client_secret.as_ref().filter(|_| self.authentication == ClientAuthentication::Basic);
        if basic.is_none() {
            form.append_pair("client_id", &self.client_id);
            form.extend_pairs(self.client_secret.iter().map(|secret| ("client_secret", secret.expose_secret())));
        }
        form.extend_pairs(self.scope.iter().map(|scope| ("scope", scope)));
        form.extend_pairs(self.parameters.iter().map(|(name, value)| (name, value.expose_secret())));
        let mut request = Request::new(form.finish());
        *request.method_mut() = Method::POST;
        request.uri_mut().clone_from(&self.token_url);
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(secret) = basic {
            headers.insert(AUTHORIZATION, basic_value(&self.client_id, secret));
        }
        request
    }

    /// Reads the response of RFC 6749 section 5.1. A token of a type other than bearer cannot be used (section 7.1).
    fn token_set(&self, answer: &Answer) -> Result<TokenSet, Failure> {
        let text = |name| answer.body.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let is_bearer = text("token_type").is_none_or(|kind| kind.eq_ignore_ascii_case("bearer"));
        let access_token = text("access_token").filter(|_| is_bearer);
        let refresh_token = text("refresh_token").filter(|_| self.refresh_token.is_some());
        let stated = answer.body.get("expires_in").and_then(lifetime::from_seconds);
        let lifetime = stated.or_else(|| access_token.and_then(|token| lifetime::from_jwt(token, None)));
        let headers = access_token.ok_or_else(no_access_token).and_then(|token| Ok(TokenSet::bearer(token)?));
        token_set(headers, refresh_token, lifetime)
    }
}

impl<S, R> OAuth2<S>
where
    S: Service<Request<String>, Response = Response<R>> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    R: http_body::Body + Unpin + Send,
    R::Data: Send,
    R::Error: Into<BoxError> + Send,
{
    async fn call(&self, refresh_token: Option<&SecretString>, purpose: Purpose) -> Result<TokenSet, Failure> {
        let secrets = self.secrets().chain(refresh_token);
        let failure = |response: &Response<_>| failure(response, purpose);
        let answer = self.exchange.send(self.request(refresh_token), secrets, purpose, failure).await;
        let set = answer.and_then(|answer| self.token_set(&answer));
        set.map_err(|failure| failure.with_endpoint(&self.token_url))
    }
}

impl<S, R> Credentials for OAuth2<S>
where
    S: Service<Request<String>, Response = Response<R>> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    R: http_body::Body + Unpin + Send,
    R::Data: Send,
    R::Error: Into<BoxError> + Send,
{
    async fn login(&self) -> Result<TokenSet, Failure> {
        if self.refresh_token.is_some() {
            let why = Explanation::new("the refresh token is invalid or may be spent: the user has to consent again");
            return Err(Failure::permanent(why));
        }
        self.call(None, Purpose::Login).await
    }

    async fn refresh(&self, refresh_token: &SecretString) -> Result<TokenSet, Failure> {
        self.call(Some(refresh_token), Purpose::Refresh).await
    }

    fn initial(&self) -> Option<TokenSet> {
        self.refresh_token.as_ref().map(|token| TokenSet::new().refresh_token(token.clone()))
    }

    fn rotates(&self) -> bool {
        self.refresh_token.is_some()
    }
}

impl<S> fmt::Debug for OAuth2<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuth2").field("host", &self.token_url.host()).finish_non_exhaustive()
    }
}

/// Returns the failure of an error response: a code that the dialect knows decides, or else the status.
fn failure<R>(response: &Response<R>, purpose: Purpose) -> Option<Failure> {
    let refused = response.verdict().and_then(|verdict| Some((verdict.api_error()?, verdict.decided_by())));
    match refused {
        Some((error, DecidedBy::Code)) if !is_temporary(error) => {
            let is_invalid_grant = error.code().is_some_and(|code| INVALID_GRANT.contains(&code));
            Some(match purpose {
                Purpose::Refresh if is_invalid_grant => Failure::invalid_grant(error.clone()),
                _ => Failure::permanent(error.clone()),
            })
        }
        _ => Failure::from_status(response, purpose),
    }
}

/// Returns `true` for errors such as `temporarily_unavailable` and `slow_down`.
fn is_temporary(error: &ApiError) -> bool {
    matches!(error.class(), Class::Unavailable | Class::Internal | Class::RateLimited)
}

/// Returns the value of HTTP Basic. Both parts are form-encoded first (RFC 6749 section 2.3.1 and appendix B).
fn basic_value(client_id: &str, secret: &SecretString) -> HeaderValue {
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encoded(client_id), encoded(secret.expose_secret()));
    let value = format!("Basic {}", BASE64_STANDARD.encode(pair));
    let mut value = HeaderValue::try_from(value).expect("base64 consists of letters, digits and three signs");
    value.set_sensitive(true);
    value
}

#[cfg(test)]
mod tests {
    use http_body_util::Empty;
    use tower::service_fn;

    use super::*;

    #[test]
    fn only_a_grant_with_a_refresh_token_may_lose_it() {
        let transport = service_fn(|_: Request<String>| async {
            Ok::<_, std::convert::Infallible>(Response::new(Empty::<&'static [u8]>::new()))
        });
        let url = "https://id.example/token";
        assert!(!OAuth2::client_credentials(transport, url, "id", "secret").unwrap().rotates());
        assert!(OAuth2::refresh_token(transport, url, "id", "r1").unwrap().rotates());
    }
}
