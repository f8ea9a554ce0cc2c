//! Markers for a single request, and the decision whether a request is idempotent.

use crate::idempotency_key::{self, is_keyed};
use crate::request_copy::RequestCopy;
use crate::settings::Settings;

/// A request extension that declares whether the request is idempotent: whether it may be sent again if it may have been
/// processed.
///
/// It takes precedence over the method (RFC 9110 section 9.2.2), the routes of the dialect and an idempotency key.
///
/// # Examples
/// ```
/// use http::Request;
/// use redress_backoff::Idempotent;
///
/// let request = Request::post("https://api.example/v1/reports").extension(Idempotent(true)).body(())?;
/// assert_eq!(request.extensions().get(), Some(&Idempotent(true)));
/// # Ok::<(), http::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Idempotent(pub bool);

/// A request extension that turns retries off for this request: it is sent at most twice, the second time only after a refresh
/// of its credentials.
///
/// A failure that would be retried is returned with [`EndReason::NoRetry`](redress_classify::EndReason::NoRetry) in its
/// record. The free resend after a refresh is not a retry: it follows a request that was rejected and not processed.
/// [`max_attempts(1)`](crate::BackoffLayer::max_attempts) turns retries off for all requests.
///
/// # Examples
/// ```
/// use http::{Request, Response};
/// use redress_backoff::{BackoffLayer, NoRetry};
/// use redress_classify::{EndReason, ResponseExt, dialects};
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let service = ServiceBuilder::new().layer(BackoffLayer::new(dialects::generic())).service(service_fn(
///     |_: Request<String>| async {
///         Ok::<_, std::io::Error>(Response::builder().status(503).body(String::new()).expect("a status"))
///     },
/// ));
/// let request = Request::get("https://api.example/v1/health").extension(NoRetry).body(String::new())?;
/// let response = service.oneshot(request).await?;
/// assert_eq!(response.record().map(|record| record.end_reason()), Some(EndReason::NoRetry));
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct NoRetry;

/// Returns `true` if the request may be sent again although it may have been processed.
pub(crate) fn is_idempotent<B>(request: &RequestCopy<B>, settings: &Settings) -> bool {
    if let Some(Idempotent(declared)) = request.extensions.get() {
        return *declared;
    }
    let method = &request.method;
    method.is_idempotent()
        || settings.dialect.is_idempotent(method.as_str(), request.path())
        || is_keyed(request.values(idempotency_key::header(settings)))
}

/// Returns `true` if the request may be sent twice at the same time.
///
/// A PUT or DELETE is idempotent, but the second of two may be answered otherwise than the first (404, 412), and its answer may
/// come first. So it is hedged only if the caller says so.
pub(crate) fn is_hedgeable<B>(request: &RequestCopy<B>, settings: &Settings) -> bool {
    if let Some(Idempotent(declared)) = request.extensions.get() {
        return *declared;
    }
    request.method.is_safe()
        || settings.dialect.is_idempotent(request.method.as_str(), request.path())
        || is_keyed(request.values(idempotency_key::header(settings)))
}

#[cfg(test)]
mod tests {
    use http::Request;
    use redress_classify::dialects;

    use super::*;

    fn idempotent(request: &Request<()>, settings: &Settings) -> bool {
        is_idempotent(&RequestCopy::from_request(request).unwrap(), settings)
    }

    #[test]
    fn extension_method_route_and_key_decide_in_this_order() {
        let request = |method: &str, path: &str| Request::builder().method(method).uri(path).body(()).unwrap();
        let ranex = Settings::new(dialects::ranex());
        for (method, path, expected) in [
            ("GET", "/v1/x", true),
            ("HEAD", "/v1/x", true),
            ("PUT", "/v1/x", true),
            ("DELETE", "/v1/x", true),
            ("POST", "/v1/x", false),
            ("PATCH", "/v1/x", false),
            ("CONNECT", "/v1/x", false),
            ("POST", "/v1/applicants?full=1", true),
            ("POST", "/v1/applicants/a1/verify", false),
        ] {
            assert_eq!(idempotent(&request(method, path), &ranex), expected, "{method} {path}");
        }
        let mut keyed = request("POST", "/v1/x");
        keyed.headers_mut().insert("idempotency-key", http::HeaderValue::from_static("\"k1\""));
        assert!(idempotent(&keyed, &ranex));
        keyed.extensions_mut().insert(Idempotent(false));
        assert!(!idempotent(&keyed, &ranex));
        let mut declared = request("PATCH", "/v1/x");
        declared.extensions_mut().insert(Idempotent(true));
        assert!(idempotent(&declared, &ranex));
        let mut named = request("POST", "/v2/orders");
        named.headers_mut().insert("paypal-request-id", http::HeaderValue::from_static("k1"));
        assert!(!idempotent(&named, &ranex), "another vendor's header is not a key");
        assert!(idempotent(&named, &Settings::new(dialects::by_name("paypal").unwrap())));
    }
}
