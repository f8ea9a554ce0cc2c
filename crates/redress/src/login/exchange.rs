//! One call to an issuer, and what its failure means.

use crate::layer::RedressLayer;
use redress_backoff::has_retry_after;
use serde_json::Value;
use std::time::Duration;
use tokio::time::Instant;
use tower_layer::Layer;
use tower_service::Service;

use http::{HeaderValue, Request, Response, Uri};
use http_body_util::{BodyExt, Limited};
use redress_classify::{
    ApiError, BoxError, Class, Clock, DecidedBy, Dialect, Error, Phase, ResponseExt, Secrets, Verdict,
};
use redress_refresh::{Explanation, Failure, Origin, TokenSet};
use secrecy::{ExposeSecret, SecretString};

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

/// A transport to an issuer, and the stack over it.
pub(super) struct Exchange<S> {
    transport: S,
    layer: RedressLayer,
}

/// Why a login or refresh call gave no tokens.
pub(super) enum Failed {
    Unanswered(Error),
    Refused(Box<Refused>),
    /// An answer that is neither an error nor a success.
    Redirected,
    Unreadable,
}

/// An answer that is an error.
pub(super) struct Refused {
    verdict: Verdict,
    /// As it came: what follows from it is decided by its own words.
    error: ApiError,
    /// With the secrets of the request masked.
    shown: ApiError,
    /// Whether the request was certainly not processed.
    is_unprocessed: bool,
}

/// What an error in the issuer's own words means for the credentials.
pub(super) enum Refusal {
    InvalidGrant,
    Permanent,
}

/// What a call was for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Login,
    Refresh,
}

/// What an answer holds.
pub(super) struct Tokens<'a> {
    pub(super) access: Option<&'a str>,
    pub(super) refresh: Option<&'a str>,
    pub(super) lifetime: Option<Duration>,
}

impl<S> Exchange<S> {
    pub(super) fn new(transport: S, dialect: Dialect) -> Self {
        Self { transport, layer: layer(dialect) }
    }

    pub(super) fn set_dialect(&mut self, dialect: Dialect) {
        self.layer = layer(dialect);
    }

    /// Sends a request that holds these secrets beside its sensitive headers. What the answer quotes of them is masked.
    pub(super) async fn send<'s, R>(
        &self,
        request: Request<String>,
        secrets: impl IntoIterator<Item = &'s SecretString>,
    ) -> Result<Value, Failed>
    where
        S: Service<Request<String>, Response = Response<R>> + Clone,
        S::Error: Into<BoxError>,
        R: http_body::Body + Unpin,
        R::Error: Into<BoxError>,
    {
        let headers: Vec<_> = request.headers().values().filter(|value| value.is_sensitive()).cloned().collect();
        let members: Vec<_> = secrets.into_iter().map(|secret| secret.expose_secret().as_bytes()).collect();
        // A successful login needs them no more.
        let secrets = || Secrets::new(headers.iter().map(HeaderValue::as_bytes).chain(members.iter().copied()));
        let unanswered = |error: Error| Failed::Unanswered(error.masked(&secrets()));
        let mut service = self.layer.layer(self.transport.clone());
        std::future::poll_fn(|cx| service.poll_ready(cx)).await.map_err(unanswered)?;
        let response = service.call(request).await.map_err(unanswered)?;
        if let Some((verdict, error)) = response.verdict().and_then(|verdict| Some((verdict, verdict.api_error()?))) {
            let shown = error.masked(&secrets()).unwrap_or_else(|| error.clone());
            let is_unprocessed = is_unprocessed(&response, verdict);
            let refused = Refused { verdict: verdict.clone(), error: error.clone(), shown, is_unprocessed };
            return Err(Failed::Refused(Box::new(refused)));
        }
        if !response.status().is_success() {
            return Err(Failed::Redirected);
        }
        let body = Limited::new(response.into_body(), MAX_ANSWER).collect();
        let body = tokio::time::timeout(ATTEMPT_TIMEOUT, body).await.map_err(|_| Failed::Unreadable)?;
        let body = body.map_err(|_| Failed::Unreadable)?.to_bytes();
        // A byte order mark is passed over, as in error bodies (RFC 8259 section 8.1).
        let text = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&body);
        serde_json::from_slice(text).map_err(|_| Failed::Unreadable)
    }
}

impl Failed {
    /// Says what follows. Of a refresh that may have been processed the layer must know: its token may be used up, and
    /// must not be shown twice.
    pub(super) fn failure(
        self,
        purpose: Purpose,
        refusal: impl FnOnce(&ApiError, &Verdict) -> Option<Refusal>,
    ) -> Failure {
        let is_refresh = purpose == Purpose::Refresh;
        match self {
            Self::Refused(refused) => {
                let Refused { verdict, error, shown, is_unprocessed } = *refused;
                match refusal(&error, &verdict) {
                    Some(Refusal::InvalidGrant) => Failure::invalid_grant(shown),
                    Some(Refusal::Permanent) => Failure::permanent(shown),
                    None if is_refresh && !is_unprocessed && is_ambiguous(&error) => Failure::ambiguous(shown),
                    None => passing(shown, &verdict),
                }
            }
            Self::Unanswered(error) if is_refresh && error.phase() != Phase::NotSent => Failure::ambiguous(error),
            Self::Unanswered(error) => Failure::transient(error),
            Self::Redirected => {
                Failure::transient(Explanation::new("the endpoint redirects to another URL")).retry_after(LONG_PAUSE)
            }
            Self::Unreadable if is_refresh => {
                Failure::ambiguous(Explanation::new("the answer broke off or is not JSON"))
            }
            Self::Unreadable => Failure::transient(Explanation::new("the answer broke off or is not JSON")),
        }
    }
}

/// Makes a grant of bearer token and API key. Without a usable token it holds the new refresh token alone, which must not
/// be lost: the old one may be spent.
///
/// # Errors
/// When there is neither.
pub(super) fn grant(tokens: &Tokens<'_>, api_key: Option<(&'static str, &SecretString)>) -> Result<TokenSet, Failure> {
    let bearer = tokens.access.ok_or_else(|| Failure::transient(Explanation::new("the answer holds no access token")));
    let bearer = bearer.and_then(|token| TokenSet::bearer(token).map_err(Failure::from));
    let grant = match (bearer, tokens.refresh, api_key) {
        (Ok(bearer), _, Some((name, key))) => bearer.header(name, key.expose_secret()).map_err(Failure::permanent)?,
        (Ok(bearer), _, None) => bearer,
        (Err(_), Some(_), _) => TokenSet::new(),
        (Err(failure), None, _) => return Err(failure),
    };
    let grant = match tokens.refresh {
        Some(token) => grant.refresh_token(token),
        None => grant,
    };
    Ok(match tokens.lifetime {
        Some(lifetime) => grant.expires_in(lifetime),
        None => grant,
    })
}

/// Reads the URL of an endpoint. Passwords travel as credentials do: over https, or to this very machine.
pub(super) fn endpoint(url: &str) -> Result<Uri, BoxError> {
    if url.contains('#') {
        return Err("an endpoint has no fragment".into());
    }
    let uri: Uri = url.parse()?;
    let (scheme, authority) = (uri.scheme_str().unwrap_or_default(), uri.authority().map_or("", |host| host.as_str()));
    format!("{scheme}://{authority}").parse::<Origin>()?;
    Ok(uri)
}

/// Whether an error is of those that go away by themselves.
pub(super) fn passes(error: &ApiError) -> bool {
    matches!(error.class(), Class::Unavailable | Class::Internal | Class::RateLimited)
}

/// Whether an answer proves that nothing was done, by the evidence that the retries go by (`docs/retries.md`), or says so in
/// the issuer's own code at a client error. A hint other than `Retry-After` proves nothing: many gateways add one.
fn is_unprocessed<R>(response: &Response<R>, verdict: &Verdict) -> bool {
    let status = response.status();
    let has_retry_after = || has_retry_after(response.headers(), Clock::system().wall(Instant::now()));
    match status.as_u16() {
        421 | 425 | 429 => true,
        413 | 503 if has_retry_after() => true,
        _ if status.is_client_error() && verdict.decided_by() == DecidedBy::Code && has_retry_after() => true,
        _ => verdict.is_not_processed(),
    }
}

/// Whether a fault without such proof leaves open what was done: a gateway's, or the server's own.
fn is_ambiguous(error: &ApiError) -> bool {
    let (status, class) = (error.status(), error.class());
    let is_client_error = (400..500).contains(&status);
    status >= 500
        || matches!(class, Class::Unavailable | Class::Internal)
        || (class == Class::RateLimited && !is_client_error)
}

fn passing(error: ApiError, verdict: &Verdict) -> Failure {
    let hint = verdict.hint_delay(Instant::now());
    let wait = if passes(&error) { hint } else { Some(hint.unwrap_or_default().max(LONG_PAUSE)) };
    let failure = Failure::transient(error);
    match wait {
        Some(wait) => failure.retry_after(wait),
        None => failure,
    }
}

fn layer(dialect: Dialect) -> RedressLayer {
    RedressLayer::new(dialect).attempt_timeout(ATTEMPT_TIMEOUT).deadline(DEADLINE)
}
