//! A call to a token endpoint, and the token set of its response.

use std::time::{Duration, SystemTime};

use http::{HeaderValue, Request, Response, Uri};
use http_body_util::{BodyExt, Limited};
use redress_classify::{Body, BoxError, Clock, Dialect, Error, ResponseExt, Secrets};
use redress_envelope::Head;
use redress_refresh::{Explanation, Failure, Origin, Purpose, TokenSet};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::time::Instant;
use tower_layer::Layer;
use tower_service::Service;

use super::error::InvalidLogin;
use crate::layer::RedressLayer;

/// The maximum length of a token response.
const MAX_BODY: usize = 64 * 1024;
/// The timeout of one attempt of a login or refresh.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
/// The time for a login or refresh with its retries. It is less than the 30 s of a flight, so that a longer wait that the
/// server asks for is reported as such.
const DEADLINE: Duration = Duration::from_secs(20);

/// The transport to a token endpoint, and the stack over it.
#[derive(Clone)]
pub(super) struct Exchange<S> {
    transport: S,
    layer: RedressLayer,
}

/// A successful response of a token endpoint.
pub(super) struct Answer {
    pub(super) body: Value,
    /// The time by the clock of the server.
    pub(super) server_now: SystemTime,
}

impl<S> Exchange<S> {
    pub(super) fn new(transport: S, dialect: Dialect) -> Self {
        Self { transport, layer: layer(dialect) }
    }

    pub(super) fn set_dialect(&mut self, dialect: Dialect) {
        self.layer = layer(dialect);
    }

    /// Sends a request. `failure` converts an error response.
    ///
    /// `secrets` are those of the request apart from its sensitive headers: a failure that quotes one of them is masked.
    pub(super) async fn send<'s, R>(
        &self,
        request: Request<String>,
        secrets: impl IntoIterator<Item = &'s SecretString>,
        purpose: Purpose,
        failure: impl FnOnce(&Response<Body<R>>) -> Option<Failure>,
    ) -> Result<Answer, Failure>
    where
        S: Service<Request<String>, Response = Response<R>> + Clone,
        S::Error: Into<BoxError>,
        R: http_body::Body + Unpin,
        R::Error: Into<BoxError>,
    {
        let headers: Vec<_> = request.headers().values().filter(|value| value.is_sensitive()).cloned().collect();
        let others: Vec<_> = secrets.into_iter().map(|secret| secret.expose_secret().as_bytes()).collect();
        // Built only for a failure: a success quotes nothing.
        let secrets = || Secrets::new(headers.iter().map(HeaderValue::as_bytes).chain(others.iter().copied()));
        let from_error = |error: Error| Failure::from_error(error.masked(&secrets()), purpose);
        let mut service = self.layer.layer(self.transport.clone());
        std::future::poll_fn(|cx| service.poll_ready(cx)).await.map_err(from_error)?;
        let response = service.call(request).await.map_err(from_error)?;
        if let Some(failure) = failure(&response) {
            // The failure is decided by the error as it came, and holds the masked one.
            let Some(error) = response.verdict().and_then(|verdict| verdict.api_error()) else { return Err(failure) };
            let masked = error.masked(&secrets());
            // A code that quotes a secret is not shown, not even masked.
            let is_clean = masked.as_ref().is_none_or(|masked| masked.code() == error.code());
            let code = error.code().filter(|_| is_clean).map(str::to_owned);
            let failure = match masked {
                Some(masked) => failure.with_cause(masked),
                None => failure,
            };
            return Err(code.iter().fold(failure, |failure, code| failure.with_unlisted_code(code)));
        }
        let local_now = Clock::system().wall(Instant::now());
        let server_now = Head::new(response.status().as_u16(), response.headers(), local_now).server_now();
        match read(response.into_body()).await {
            Some(body) => Ok(Answer { body, server_now }),
            None => {
                let why = Explanation::new("the answer broke off or is not JSON");
                Err(if purpose == Purpose::Refresh { Failure::ambiguous(why) } else { Failure::transient(why) })
            }
        }
    }
}

/// Reads a body as JSON. Returns `None` if it is too long, takes too long, breaks off or is not JSON.
async fn read<R>(body: R) -> Option<Value>
where
    R: http_body::Body + Unpin,
    R::Error: Into<BoxError>,
{
    let body = Limited::new(body, MAX_BODY).collect();
    let body = tokio::time::timeout(ATTEMPT_TIMEOUT, body).await.ok()?.ok()?.to_bytes();
    // A byte order mark is ignored, as in error bodies (RFC 8259 section 8.1).
    let text = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&body);
    serde_json::from_slice(text).ok()
}

/// Completes the token set of a response, given the credential headers with its access token.
///
/// If these are unusable, a refresh token beside them is still returned, because the previous one may be spent.
///
/// # Errors
/// Returns the failure of `headers` if there is no refresh token either.
pub(super) fn token_set(
    headers: Result<TokenSet, Failure>,
    refresh_token: Option<&str>,
    lifetime: Option<Duration>,
) -> Result<TokenSet, Failure> {
    let mut set = match (headers, refresh_token) {
        (Ok(set), _) => set,
        (Err(_), Some(_)) => TokenSet::new(),
        (Err(failure), None) => return Err(failure),
    };
    if let Some(token) = refresh_token {
        set = set.refresh_token(token);
    }
    if let Some(lifetime) = lifetime {
        set = set.expires_in(lifetime);
    }
    Ok(set)
}

/// Returns the failure of a response without an access token.
pub(super) fn no_access_token() -> Failure {
    Failure::transient(Explanation::new("the answer holds no access token"))
}

/// Parses the URL of a token endpoint. Passwords are sent as credentials are: over https, or to this machine.
pub(super) fn endpoint(url: &str) -> Result<Uri, InvalidLogin> {
    if url.contains('#') {
        return Err(InvalidLogin::new("the URL of the login has a fragment"));
    }
    let uri: Uri = url.parse().map_err(|_| InvalidLogin::new("the URL of the login is not a URL"))?;
    let (scheme, authority) = (uri.scheme_str().unwrap_or_default(), uri.authority().map_or("", |host| host.as_str()));
    if scheme.is_empty() || authority.is_empty() {
        return Err(InvalidLogin::new("the URL of the login must begin with https://"));
    }
    match format!("{scheme}://{authority}").parse::<Origin>() {
        Ok(_) => Ok(uri),
        Err(error) => Err(InvalidLogin::new(format!("the URL of the login is not allowed: {}", error.reason()))),
    }
}

fn layer(dialect: Dialect) -> RedressLayer {
    RedressLayer::new(dialect).attempt_timeout(ATTEMPT_TIMEOUT).deadline(DEADLINE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_that_is_not_allowed_is_refused_with_the_reason() {
        for (url, expected) in [
            ("id.example:443", "the URL of the login must begin with https://"),
            ("/token", "the URL of the login must begin with https://"),
            ("https://id.example/token#part", "the URL of the login has a fragment"),
            ("https://[/token", "the URL of the login is not a URL"),
            ("ftp://id.example", "the URL of the login is not allowed: its scheme is not https"),
            ("https://me@id.example", "the URL of the login is not allowed: it must not contain a user"),
        ] {
            assert_eq!(endpoint(url).unwrap_err().to_string(), expected, "{url}");
        }
    }
}
