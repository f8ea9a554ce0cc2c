//! Converts errors and responses of a token endpoint to failures.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use http::{HeaderMap, Response, header::RETRY_AFTER};
use redress_classify::{
    ApiError, BoxError, Class, Clock, DecidedBy, Error, Phase, ResponseExt, RetryHint, TransportError, Verdict,
};
use tokio::time::Instant;

use super::{Failure, Purpose};
use crate::explanation::Explanation;

/// The cool-down after an error without a known reason. A shorter one could try a password often enough to lock the account.
const UNEXPLAINED_COOL_DOWN: Duration = Duration::from_secs(60);

/// The facts about an error response that decide the kind of the failure.
struct Facts {
    status: u16,
    class: Class,
    /// Whether the issuer refuses the credentials in its own words.
    is_refusal: bool,
    /// Whether the request was certainly not processed.
    is_unprocessed: bool,
    /// How long the server asks to wait.
    hint: Option<Duration>,
}

/// The cause of a failure whose response was not classified.
#[derive(Debug)]
pub(super) struct BareStatus(u16);

impl BareStatus {
    pub(super) const fn status(&self) -> u16 {
        self.0
    }
}

impl Failure {
    /// Converts the error of a call to a token endpoint.
    ///
    /// | the error | login | refresh |
    /// |---|---|---|
    /// | [`Error`] or [`TransportError`], not sent | transient | transient |
    /// | [`ApiError`] | as [`from_response`](Self::from_response) | as `from_response` |
    /// | any other: a timeout, a reset, a response that cannot be parsed | transient | ambiguous |
    ///
    /// An [`ApiError`] has no headers, so that a 503 with `Retry-After` counts as a 503 without: prefer `from_response`.
    ///
    /// # Examples
    /// ```
    /// use redress_classify::TransportError;
    /// use redress_refresh::{Failure, Purpose};
    ///
    /// let refused = || TransportError::connect("connection refused");
    /// assert!(!Failure::from_error(refused(), Purpose::Refresh).is_ambiguous(), "the refresh token was not sent");
    /// let timeout = || TransportError::timeout("no response within 10 s");
    /// assert!(Failure::from_error(timeout(), Purpose::Refresh).is_ambiguous(), "the refresh token may be spent");
    /// assert!(!Failure::from_error(timeout(), Purpose::Login).is_ambiguous());
    /// ```
    #[must_use]
    pub fn from_error(error: impl Into<BoxError>, purpose: Purpose) -> Self {
        let error = error.into();
        if let Some(api_error) = error.downcast_ref::<ApiError>() {
            return Facts::from_api_error(api_error, purpose).failure(purpose, error);
        }
        let error = match error.downcast::<TransportError>() {
            Ok(error) => Error::from_inner((*error).into()).into(),
            Err(error) => error,
        };
        let is_unsent = error.downcast_ref::<Error>().is_some_and(|error| error.phase() == Phase::NotSent);
        let failure = match purpose {
            Purpose::Refresh if !is_unsent => Self::ambiguous(error),
            _ => Self::transient(error),
        };
        failure.during(purpose)
    }

    /// Converts the response of a token endpoint. Returns `None` if it is a success.
    ///
    /// | the response | login | refresh |
    /// |---|---|---|
    /// | a code that the dialect knows, any code at 401, for a refresh also an error at 200 | permanent | invalid grant |
    /// | 421, 425, 429; 413 and 503 with `Retry-After` | transient, for at least that time | the same |
    /// | other 5xx and unavailable classes | transient | ambiguous |
    /// | a redirect, a 4xx without a code | transient, for at least 60 s | the same |
    ///
    /// Codes of rate limits and of unavailability are no refusals. A response without a verdict, of a stack without a
    /// Classify layer, is converted by its status alone.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use http::{Request, Response};
    /// use redress_classify::{ClassifyLayer, dialects};
    /// use redress_refresh::{Failure, Purpose};
    /// use tower::{Layer, ServiceExt, service_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let endpoint = service_fn(|_: Request<String>| async {
    ///     let body = http_body_util::Full::<bytes::Bytes>::from(&br#"{"error":"invalid_grant"}"#[..]);
    ///     Response::builder().status(400).body(body)
    /// });
    /// let dialect = dialects::by_name("oauth2").ok_or("no such dialect")?;
    /// let response = ClassifyLayer::new(dialect).layer(endpoint).oneshot(Request::new(String::new())).await?;
    /// let failure = Failure::from_response(&response, Purpose::Refresh).ok_or("a success")?;
    /// assert!(failure.is_invalid_grant());
    /// assert_eq!(failure.to_string(), "the refresh was refused: 400 unauthenticated (invalid_grant)");
    ///
    /// assert!(Failure::from_response(&Response::new(()), Purpose::Login).is_none());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn from_response<B>(response: &Response<B>, purpose: Purpose) -> Option<Self> {
        Self::from_facts(response, purpose, true)
    }

    /// Converts the response of a token endpoint as [`from_response`](Self::from_response) does, but takes no code for a
    /// refusal: for issuers whose refusals the caller has recognized before.
    ///
    /// # Examples
    /// ```
    /// use http::{Response, StatusCode};
    /// use redress_refresh::{Failure, Purpose};
    ///
    /// let mut response = Response::new(());
    /// *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    /// let failure = Failure::from_status(&response, Purpose::Refresh).expect("an error");
    /// assert!(failure.is_ambiguous(), "the refresh token may be spent");
    /// ```
    #[must_use]
    pub fn from_status<B>(response: &Response<B>, purpose: Purpose) -> Option<Self> {
        Self::from_facts(response, purpose, false)
    }

    fn from_facts<B>(response: &Response<B>, purpose: Purpose, reads_codes: bool) -> Option<Self> {
        let status = response.status();
        if let Some((verdict, error)) = response.verdict().and_then(|verdict| Some((verdict, verdict.api_error()?))) {
            let mut facts = Facts::from_verdict(response.headers(), verdict, error, purpose);
            facts.is_refusal &= reads_codes;
            return Some(facts.failure(purpose, error.clone().into()));
        }
        if status.is_success() {
            return None;
        }
        if status.is_redirection() {
            let why = Explanation::new("the endpoint redirects to another URL");
            return Some(Self::transient(why).retry_after(UNEXPLAINED_COOL_DOWN).during(purpose));
        }
        let facts = Facts::from_status(status.as_u16(), response.headers());
        Some(facts.failure(purpose, BareStatus(status.as_u16()).into()))
    }
}

impl Facts {
    fn from_verdict(headers: &HeaderMap, verdict: &Verdict, error: &ApiError, purpose: Purpose) -> Self {
        let (status, class) = (error.status(), error.class());
        let has_code = verdict.decided_by() == DecidedBy::Code || (status == 401 && error.code().is_some());
        let is_signal = purpose == Purpose::Refresh && verdict.decided_by() == DecidedBy::Signal;
        Self {
            status,
            class,
            is_refusal: is_signal || (has_code && !passes(class)),
            is_unprocessed: is_unprocessed(status, headers, verdict.decided_by() == DecidedBy::Code)
                || verdict.is_not_processed(),
            hint: verdict.hint_delay(Instant::now()),
        }
    }

    fn from_api_error(error: &ApiError, purpose: Purpose) -> Self {
        let (status, class) = (error.status(), error.class());
        let is_signal = purpose == Purpose::Refresh && status < 400;
        let has_code = error.known_code().is_some() || ((is_signal || status == 401) && error.code().is_some());
        let now = Clock::system().wall(Instant::now());
        Self {
            status,
            class,
            is_refusal: has_code && !passes(class),
            is_unprocessed: is_unprocessed(status, &HeaderMap::new(), false),
            hint: error.retry_at().map(|at| at.duration_since(now).unwrap_or_default()),
        }
    }

    fn from_status(status: u16, headers: &HeaderMap) -> Self {
        Self {
            status,
            class: Class::from_status(status).unwrap_or(Class::Internal),
            is_refusal: false,
            is_unprocessed: is_unprocessed(status, headers, false),
            hint: retry_after(headers),
        }
    }

    fn failure(self, purpose: Purpose, cause: BoxError) -> Failure {
        let failure = match purpose {
            Purpose::Login if self.is_refusal => Failure::permanent(cause),
            Purpose::Refresh if self.is_refusal => Failure::invalid_grant(cause),
            Purpose::Refresh if !self.is_unprocessed && self.is_ambiguous() => Failure::ambiguous(cause),
            _ => {
                let explained = passes(self.class);
                let least = if explained { Duration::ZERO } else { UNEXPLAINED_COOL_DOWN };
                Failure::transient(cause).retry_after(self.hint.unwrap_or_default().max(least))
            }
        };
        failure.during(purpose)
    }

    /// Returns `true` if it is open whether the request was processed: a fault of a gateway, or of the server itself.
    fn is_ambiguous(&self) -> bool {
        let is_client_error = (400..500).contains(&self.status);
        self.status >= 500
            || matches!(self.class, Class::Unavailable | Class::Internal)
            || (self.class == Class::RateLimited && !is_client_error)
    }
}

/// Returns `true` if errors of a class end without a change of the request.
const fn passes(class: Class) -> bool {
    matches!(class, Class::Unavailable | Class::Internal | Class::RateLimited)
}

/// Returns `true` if a status proves that the request was not processed, by the evidence that retries use
/// (`docs/retries.md`), or if a code that the dialect knows does so at a client error with `Retry-After`. Other hints prove
/// nothing: many gateways add one.
fn is_unprocessed(status: u16, headers: &HeaderMap, is_known_code: bool) -> bool {
    match status {
        421 | 425 | 429 => true,
        413 | 503 => retry_after(headers).is_some(),
        400..500 => is_known_code && retry_after(headers).is_some(),
        _ => false,
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let now = Clock::system().wall(Instant::now());
    let values = headers.get_all(RETRY_AFTER).iter();
    values.filter_map(|value| RetryHint::retry_after(value.as_bytes(), now)).map(|hint| hint.delay(now)).max()
}

impl fmt::Display for BareStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "status {}", self.0)
    }
}

impl StdError for BareStatus {}

#[cfg(test)]
mod tests {
    use http::{Method, Uri};
    use redress_classify::{Code, dialects};

    use super::*;

    fn response(status: u16, retry_after: Option<&str>) -> Response<()> {
        let mut response = Response::builder().status(status);
        if let Some(value) = retry_after {
            response = response.header(RETRY_AFTER, value);
        }
        response.body(()).expect("legal parts")
    }

    #[test]
    fn a_status_without_a_verdict_decides_by_itself() {
        for (status, header, login, refresh, wait) in [
            (301, None, "transient", "transient", 60),
            (400, None, "transient", "transient", 60),
            (401, None, "transient", "transient", 60),
            (401, Some("90"), "transient", "transient", 90),
            (408, None, "transient", "ambiguous", 0),
            (408, Some("7"), "transient", "ambiguous", 7),
            (421, None, "transient", "transient", 0),
            (425, None, "transient", "transient", 0),
            (429, None, "transient", "transient", 0),
            (429, Some("7"), "transient", "transient", 7),
            (413, Some("70"), "transient", "transient", 70),
            (500, None, "transient", "ambiguous", 0),
            (502, Some("7"), "transient", "ambiguous", 7),
            (503, None, "transient", "ambiguous", 0),
            (503, Some("7"), "transient", "transient", 7),
        ] {
            let response = response(status, header);
            let kind = |purpose| Failure::from_response(&response, purpose).expect("an error").kind();
            assert_eq!((kind(Purpose::Login), kind(Purpose::Refresh)), (login, refresh), "{status} {header:?}");
            let failure = Failure::from_status(&response, Purpose::Login).expect("an error");
            assert_eq!(failure.delay(), Duration::from_secs(wait), "{status} {header:?}");
        }
        for status in [200, 201, 204] {
            assert!(Failure::from_response(&response(status, None), Purpose::Refresh).is_none(), "{status}");
        }
    }

    /// A response with its verdict, by a dialect that knows four codes and takes `success: false` for an error.
    fn classified(status: u16, retry_after: Option<&str>, code: Option<&str>) -> Response<()> {
        let dialect = dialects::maleslab()
            .with_code(Code::new("REFUSED", Class::Unauthenticated))
            .with_code(Code::new("LIMIT", Class::RateLimited))
            .with_code(Code::new("DOWN", Class::Unavailable))
            .with_code(Code::new("BEFORE", Class::Unavailable).not_processed());
        let body = code.map_or("".to_owned(), |code| format!(r#"{{"success":false,"error":{{"code":"{code}"}}}}"#));
        let (head, ()) = response(status, retry_after).into_parts();
        let (uri, clock) = (Uri::from_static("/token"), Clock::system());
        let verdict = Verdict::from_response(&dialect, &Method::POST, &uri, &head, &clock, &[body.as_bytes()]);
        let mut response = Response::from_parts(head, ());
        response.extensions_mut().insert(verdict.expect("an error"));
        response
    }

    #[tokio::test(start_paused = true)]
    async fn a_verdict_tells_a_refusal_from_a_failure_that_passes() {
        let (permanent, dead, passing, open) = ("permanent", "invalid_grant", "transient", "ambiguous");
        for (status, header, code, login, refresh, wait) in [
            (400, None, Some("REFUSED"), permanent, dead, 60),
            (500, None, Some("REFUSED"), permanent, dead, 60),
            (400, None, Some("NEW"), passing, passing, 60),
            (400, Some("7"), Some("NEW"), passing, passing, 60),
            (401, None, Some("NEW"), permanent, dead, 60),
            (401, None, None, passing, passing, 60),
            (200, None, Some("NEW"), passing, dead, 60),
            (200, None, Some("LIMIT"), passing, open, 0),
            (400, None, Some("LIMIT"), passing, passing, 0),
            (400, Some("7"), Some("LIMIT"), passing, passing, 7),
            (401, None, Some("LIMIT"), passing, passing, 0),
            (400, None, Some("DOWN"), passing, open, 0),
            (400, Some("7"), Some("DOWN"), passing, passing, 7),
            (400, None, Some("BEFORE"), passing, passing, 0),
            (500, Some("7"), Some("DOWN"), passing, open, 7),
            (408, Some("7"), None, passing, open, 7),
            (503, None, None, passing, open, 0),
            (503, Some("7"), None, passing, passing, 7),
        ] {
            let response = classified(status, header, code);
            let kind = |purpose| Failure::from_response(&response, purpose).expect("an error").kind();
            let kinds = (kind(Purpose::Login), kind(Purpose::Refresh));
            assert_eq!(kinds, (login, refresh), "{status} {header:?} {code:?}");
            // Without the codes, what was refused is a failure without a known reason, which may end.
            let kind = |purpose| Failure::from_status(&response, purpose).expect("an error").kind();
            let refresh = if refresh == dead { if status < 500 { passing } else { open } } else { refresh };
            assert_eq!(
                (kind(Purpose::Login), kind(Purpose::Refresh)),
                (passing, refresh),
                "{status} {header:?} {code:?}"
            );
            let failure = Failure::from_status(&response, Purpose::Login).expect("an error");
            assert_eq!(failure.delay(), Duration::from_secs(wait), "{status} {header:?} {code:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_api_error_is_a_refusal_by_the_same_rules_as_its_response() {
        for (status, code) in [
            (400, Some("REFUSED")),
            (500, Some("REFUSED")),
            (400, Some("NEW")),
            (403, Some("NEW")),
            (401, Some("NEW")),
            (401, None),
            (403, None),
            (200, Some("NEW")),
            (200, Some("LIMIT")),
            (400, Some("LIMIT")),
            (401, Some("LIMIT")),
            (500, None),
        ] {
            let response = classified(status, None, code);
            let error = || response.verdict().and_then(Verdict::api_error).expect("an error").clone();
            for purpose in [Purpose::Login, Purpose::Refresh] {
                let expected = Failure::from_response(&response, purpose).expect("an error");
                let failure = Failure::from_error(error(), purpose);
                assert_eq!(failure.kind(), expected.kind(), "{status} {code:?} {purpose}");
                assert_eq!(failure.delay(), expected.delay(), "{status} {code:?} {purpose}");
            }
        }
    }

    #[test]
    fn an_error_after_the_request_was_sent_may_have_spent_the_refresh_token() {
        let below = |error: TransportError| BoxError::from(Error::from_inner(error.into()));
        for (error, refresh) in [
            (TransportError::connect("refused").into(), "transient"),
            (TransportError::timeout("late").into(), "ambiguous"),
            (below(TransportError::connect("refused")), "transient"),
            (below(TransportError::other("reset")), "ambiguous"),
            (BoxError::from("expected value at line 1 column 1"), "ambiguous"),
        ] {
            let (text, failure) = (error.to_string(), Failure::from_error(error, Purpose::Refresh));
            assert_eq!(failure.kind(), refresh, "{text}");
        }
        assert_eq!(Failure::from_error("reset", Purpose::Login).kind(), "transient");
    }

    #[test]
    fn a_bare_status_is_shown() {
        let failure = Failure::from_response(&response(502, None), Purpose::Login).expect("an error");
        assert_eq!(failure.to_string(), "the login failed: status 502");
    }
}
