//! Logging in, and renewing what the login gave, over the same transport as the calls.
//!
//! A [`JsonLogin`] is [`Credentials`] for APIs whose login is a JSON request and whose answer holds the tokens. Its
//! requests go through a small stack of their own: the dialect's classifier and retries, no credentials.

use std::time::Duration;

use http::{HeaderValue, Request, Response, Uri};
use http_body_util::{BodyExt, Limited};
use redress_classify::{ApiError, Basis, BoxError, Class, Dialect, Error, Phase, ResponseExt, Verdict, dialects};
use redress_refresh::{Credentials, Failure, Grant, Origin};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use tower_layer::Layer;
use tower_service::Service;

use crate::layer::RedressLayer;

/// The longest answer that a login is expected to give.
const MAX_ANSWER: usize = 64 * 1024;
/// How long one attempt of a login or refresh may take.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long it may take with its retries: less than the 30 s after which the Refresh layer gives a flight up, so that a
/// server's longer wait comes back as what it is.
const DEADLINE: Duration = Duration::from_secs(20);

/// How long to leave an endpoint alone that says no for a reason unknown: too short a pause would try a password often
/// enough to lock the account.
const LONG_PAUSE: Duration = Duration::from_secs(60);

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
    transport: S,
    layer: RedressLayer,
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
        Grant::new().header("apikey", api_key)?;
        Ok(Self {
            transport,
            layer: layer(dialects::vlens()),
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
            transport,
            layer: layer(dialects::maleslab()),
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
        self.layer = layer(dialect);
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
    async fn login(&self) -> Result<Grant, Failure> {
        let answer = self.send(&self.login, None).await.map_err(|failed| failed.of_login())?;
        self.grant(&answer)
    }

    async fn refresh(&self, refresh_token: &SecretString) -> Result<Grant, Failure> {
        let token = (self.refresh_member, refresh_token);
        let answer = self.send(&self.refresh, Some(token)).await.map_err(|failed| failed.of_refresh())?;
        self.grant(&answer)
    }
}

impl<S> JsonLogin<S> {
    fn grant(&self, answer: &Value) -> Result<Grant, Failure> {
        let text = |pointer| answer.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
        let token = text(self.tokens.access).ok_or_else(|| Failure::transient("the answer holds no access token"))?;
        let mut grant = Grant::bearer(token).map_err(Failure::transient)?;
        if let Some((name, key)) = &self.api_key {
            grant = grant.header(*name, key.expose_secret()).map_err(Failure::permanent)?;
        }
        if let Some(token) = text(self.tokens.refresh) {
            grant = grant.refresh_token(token);
        }
        if let Some(seconds) = answer.pointer(self.tokens.expires_in).and_then(Value::as_u64) {
            grant = grant.expires_in(Duration::from_secs(seconds));
        }
        Ok(grant)
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

    async fn send<R>(&self, call: &Call, token: Option<(&'static str, &SecretString)>) -> Result<Value, Failed>
    where
        S: Service<Request<String>, Response = Response<R>> + Clone,
        S::Error: Into<BoxError>,
        R: http_body::Body + Unpin,
        R::Error: Into<BoxError>,
    {
        let mut service = self.layer.layer(self.transport.clone());
        std::future::poll_fn(|cx| service.poll_ready(cx)).await.map_err(Failed::Unanswered)?;
        let response = service.call(self.request(call, token)).await.map_err(Failed::Unanswered)?;
        if let Some((verdict, error)) = response.verdict().and_then(|verdict| Some((verdict, verdict.api_error()?))) {
            return Err(Failed::Refused(error.clone(), verdict.clone()));
        }
        let body = Limited::new(response.into_body(), MAX_ANSWER).collect();
        let body = tokio::time::timeout(ATTEMPT_TIMEOUT, body).await.map_err(|_| Failed::Unreadable)?;
        serde_json::from_slice(&body.map_err(|_| Failed::Unreadable)?.to_bytes()).map_err(|_| Failed::Unreadable)
    }
}

/// Why a login or refresh call gave no tokens.
enum Failed {
    Unanswered(Error),
    Refused(ApiError, Verdict),
    Unreadable,
}

impl Failed {
    /// A login may be repeated, unless the API itself has refused the credentials.
    fn of_login(self) -> Failure {
        match self {
            Self::Refused(error, verdict) if is_refusal(&error, &verdict) => Failure::permanent(error),
            other => other.transient(),
        }
    }

    /// A refresh token that the API refuses, in whatever words of its own, is dead; one that may have been used up must
    /// not be shown twice, so that the layer must know.
    fn of_refresh(self) -> Failure {
        match self {
            Self::Refused(error, verdict) => {
                if verdict.basis() == Basis::Signal || is_refusal(&error, &verdict) {
                    return Failure::grant_dead(error);
                }
                if is_ambiguous(&verdict) {
                    return Failure::ambiguous(error);
                }
                Self::Refused(error, verdict).transient()
            }
            Self::Unanswered(error) if error.phase() != Phase::NotSent => Failure::ambiguous(error),
            Self::Unreadable => Failure::ambiguous("the answer broke off"),
            other @ Self::Unanswered(_) => other.transient(),
        }
    }

    fn transient(self) -> Failure {
        match self {
            Self::Unanswered(error) => Failure::transient(error),
            Self::Unreadable => Failure::transient("the answer is no JSON"),
            Self::Refused(error, verdict) => {
                let hint = verdict.hint_delay(tokio::time::Instant::now());
                let wait = if passes(&error) { hint } else { Some(hint.unwrap_or_default().max(LONG_PAUSE)) };
                let failure = Failure::transient(error);
                match wait {
                    Some(wait) => failure.retry_after(wait),
                    None => failure,
                }
            }
        }
    }
}

/// Whether the API itself says no: in a code that the dialect knows, or in any code on a 401. A proxy's page has none, and
/// never ends a session.
fn is_refusal(error: &ApiError, verdict: &Verdict) -> bool {
    (verdict.basis() == Basis::Code || (error.status() == 401 && error.code().is_some())) && !passes(error)
}

/// Whether an error is of those that go away by themselves.
fn passes(error: &ApiError) -> bool {
    matches!(error.class(), Class::Unavailable | Class::Internal | Class::RateLimited)
}

/// Whether a fault leaves open what was done: a gateway's, or the server's own without a word on when to come back.
fn is_ambiguous(verdict: &Verdict) -> bool {
    matches!(verdict.class(), Class::Unavailable | Class::Internal) && verdict.hint().is_none()
}

fn layer(dialect: Dialect) -> RedressLayer {
    RedressLayer::new(dialect).attempt_timeout(ATTEMPT_TIMEOUT).deadline(DEADLINE)
}

impl Call {
    fn new(base: &str, path: &str, body: &[(&'static str, &str)]) -> Result<Self, BoxError> {
        let uri: Uri = format!("{}{path}", base.trim_end_matches('/')).parse()?;
        // Passwords travel as credentials do: over https, or to this very machine.
        let (scheme, authority) =
            (uri.scheme_str().unwrap_or_default(), uri.authority().map_or("", |host| host.as_str()));
        format!("{scheme}://{authority}").parse::<Origin>()?;
        Ok(Self { uri, body: body.iter().map(|(name, value)| (*name, SecretString::from(*value))).collect() })
    }
}

impl<S> std::fmt::Debug for JsonLogin<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JsonLogin").field("host", &self.login.uri.host()).finish_non_exhaustive()
    }
}
