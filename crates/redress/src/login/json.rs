//! Logins by a JSON request whose answer holds the tokens.

use super::lifetime;
use http::{HeaderValue, Request, Response, Uri};
use redress_classify::{ApiError, BoxError, DecidedBy, Dialect, Verdict, dialects};
use redress_refresh::{Credentials, Failure, TokenSet};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use tower_service::Service;

use super::exchange::{Exchange, Purpose, Refusal, Tokens, endpoint, grant, passes};

/// Credentials from a login by JSON: refresh while that works, log in when it does not.
///
/// # Examples
/// ```
/// use redress::login::JsonLogin;
/// use redress::transport::Reqwest;
///
/// # fn login(transport: Reqwest) -> Result<impl redress::Credentials, redress::BoxError> {
/// let login = JsonLogin::vlens(transport, "https://api.vlens.example", "api key", "user", "password")?;
/// # Ok(login) }
/// ```
pub struct JsonLogin<S> {
    exchange: Exchange<S>,
    login: Call,
    /// The member that carries the refresh token, and the call.
    refresh: Call,
    refresh_member: &'static str,
    /// The header that stands beside the token, on the calls here too.
    api_key: Option<(&'static str, SecretString)>,
    tokens: Members,
}

/// Where a call goes, and the members of its body.
struct Call {
    uri: Uri,
    body: Vec<(&'static str, SecretString)>,
}

/// Where the answer holds the tokens, as JSON pointers (RFC 6901).
#[derive(Clone, Copy, Debug)]
struct Members {
    access: &'static str,
    refresh: &'static str,
    expires_in: &'static str,
}

impl<S> JsonLogin<S> {
    /// Logs in to Vlens: `POST /api/credentials/Login`, then `POST /api/credentials/RefreshToken`.
    ///
    /// Vlens documents the two routes and not their bodies; this sends `username` and `password`, or `refreshToken`, and
    /// reads `data.accessToken`, `data.refreshToken` and `data.expiresIn`. The grant is a set of two headers, `ApiKey`
    /// and `Authorization`.
    ///
    /// # Errors
    /// When `base` is no URL, or not an https one; http is for loopback. When no header can carry `api_key`.
    pub fn vlens(transport: S, base: &str, api_key: &str, username: &str, password: &str) -> Result<Self, BoxError> {
        // A key that no header can carry is refused here, not left out of the calls.
        TokenSet::new().header("apikey", api_key)?;
        Ok(Self {
            exchange: Exchange::new(transport, dialects::vlens()),
            login: Call::new(base, "/api/credentials/Login", &[("username", username), ("password", password)])?,
            refresh: Call::new(base, "/api/credentials/RefreshToken", &[])?,
            refresh_member: "refreshToken",
            api_key: Some(("apikey", api_key.into())),
            tokens: Members {
                access: "/data/accessToken",
                refresh: "/data/refreshToken",
                expires_in: "/data/expiresIn",
            },
        })
    }

    /// Logs in to Maleslab: `POST /api/v1/auth/login`, then `POST /api/v1/auth/refresh`.
    ///
    /// Maleslab documents that a token is refreshed and not how; the routes and the members `email`, `password`,
    /// `refresh_token`, `data.access_token`, `data.refresh_token` and `data.expires_in` follow its other names.
    ///
    /// # Errors
    /// When `base` is no URL, or not an https one; http is for loopback.
    pub fn maleslab(transport: S, base: &str, email: &str, password: &str) -> Result<Self, BoxError> {
        Ok(Self {
            exchange: Exchange::new(transport, dialects::maleslab()),
            login: Call::new(base, "/api/v1/auth/login", &[("email", email), ("password", password)])?,
            refresh: Call::new(base, "/api/v1/auth/refresh", &[])?,
            refresh_member: "refresh_token",
            api_key: None,
            tokens: Members {
                access: "/data/access_token",
                refresh: "/data/refresh_token",
                expires_in: "/data/expires_in",
            },
        })
    }

    /// Sets the dialect in which the answers are read: the one with your tenant's codes.
    ///
    /// A code that the dialect knows decides at once: refused credentials are not tried again, a dead refresh token leads
    /// to a login. After one that it does not know the login pauses for a minute, since it may pass.
    #[must_use]
    pub fn dialect(mut self, dialect: Dialect) -> Self {
        self.exchange.set_dialect(dialect);
        self
    }
}

impl<S, R> Credentials for JsonLogin<S>
where
    S: Service<Request<String>, Response = Response<R>> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    R: http_body::Body + Unpin + Send,
    R::Data: Send,
    R::Error: Into<BoxError> + Send,
{
    async fn login(&self) -> Result<TokenSet, Failure> {
        let answer = self.exchange.send(self.request(&self.login, None), self.secrets(&self.login)).await;
        let answer = answer.map_err(|failed| failed.failure(Purpose::Login, of_login));
        answer.and_then(|answer| self.grant(&answer)).map_err(|failure| failure.with_endpoint(&self.login.uri))
    }

    async fn refresh(&self, refresh_token: &SecretString) -> Result<TokenSet, Failure> {
        let token = (self.refresh_member, refresh_token);
        let secrets = self.secrets(&self.refresh).chain([refresh_token]);
        let answer = self.exchange.send(self.request(&self.refresh, Some(token)), secrets).await;
        let answer = answer.map_err(|failed| failed.failure(Purpose::Refresh, of_refresh));
        answer.and_then(|answer| self.grant(&answer)).map_err(|failure| failure.with_endpoint(&self.refresh.uri))
    }
}

impl<S> JsonLogin<S> {
    fn grant(&self, answer: &Value) -> Result<TokenSet, Failure> {
        let text = |pointer| answer.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
        let access = text(self.tokens.access);
        let lifetime = lifetime::find(answer.pointer(self.tokens.expires_in), access);
        let tokens = Tokens { access, refresh: text(self.tokens.refresh), lifetime };
        grant(&tokens, self.api_key.as_ref().map(|(name, key)| (*name, key)))
    }

    /// Returns what a call sends that must not be shown.
    fn secrets<'s>(&'s self, call: &'s Call) -> impl Iterator<Item = &'s SecretString> {
        call.body.iter().map(|(_, value)| value).chain(self.api_key.iter().map(|(_, key)| key))
    }

    fn request(&self, call: &Call, token: Option<(&'static str, &SecretString)>) -> Request<String> {
        let members = call.body.iter().map(|(name, value)| (*name, value)).chain(token);
        let body: Map<String, Value> =
            members.map(|(name, value)| (name.to_owned(), Value::from(value.expose_secret()))).collect();
        let mut request = Request::new(Value::Object(body).to_string());
        *request.method_mut() = http::Method::POST;
        request.uri_mut().clone_from(&call.uri);
        request.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some((name, key)) = &self.api_key {
            let mut value = HeaderValue::from_str(key.expose_secret()).expect("a grant took it when this was made");
            value.set_sensitive(true);
            request.headers_mut().insert(*name, value);
        }
        request
    }
}

impl Call {
    fn new(base: &str, path: &str, body: &[(&'static str, &str)]) -> Result<Self, BoxError> {
        let uri = endpoint(&format!("{}{path}", base.trim_end_matches('/')))?;
        Ok(Self { uri, body: body.iter().map(|(name, value)| (*name, SecretString::from(*value))).collect() })
    }
}

impl<S> std::fmt::Debug for JsonLogin<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JsonLogin").field("host", &self.login.uri.host()).finish_non_exhaustive()
    }
}

/// A login may be repeated, unless the API itself has refused the credentials.
fn of_login(error: &ApiError, verdict: &Verdict) -> Option<Refusal> {
    is_refusal(error, verdict).then_some(Refusal::Permanent)
}

/// A refresh token that the API refuses, in whatever words of its own, is dead.
fn of_refresh(error: &ApiError, verdict: &Verdict) -> Option<Refusal> {
    (verdict.decided_by() == DecidedBy::Signal || is_refusal(error, verdict)).then_some(Refusal::InvalidGrant)
}

/// Whether the API itself says no: in a code that the dialect knows, or in any code on a 401. A proxy's page has none, and
/// never ends a session.
fn is_refusal(error: &ApiError, verdict: &Verdict) -> bool {
    (verdict.decided_by() == DecidedBy::Code || (error.status() == 401 && error.code().is_some())) && !passes(error)
}
