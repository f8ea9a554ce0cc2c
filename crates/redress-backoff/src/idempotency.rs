//! Whether a request may be sent twice.

use http::Method;

use crate::idempotency_key::{self, is_keyed};
use crate::request_copy::RequestCopy;
use crate::settings::Settings;

/// Says for one request whether it is idempotent; put it into the request's extensions.
///
/// It beats everything else: the method (RFC 9110 section 9.2.2), the dialect's routes, an idempotency key.
///
/// # Examples
/// ```
/// use http::Request;
/// use redress_backoff::Idempotent;
///
/// let request = Request::post("https://api.example/v1/reports").extension(Idempotent(true)).body(());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Idempotent(pub bool);

/// Whether a request that may have been processed may be sent again.
pub(crate) fn is_idempotent<B>(request: &RequestCopy<B>, settings: &Settings) -> bool {
    if let Some(Idempotent(said)) = request.extensions.get() {
        return *said;
    }
    let (method, path) = (&request.method, request.uri.path());
    is_idempotent_method(method)
        || settings.dialect.is_idempotent(method.as_str(), path)
        || is_keyed(request.values(idempotency_key::header(settings)))
}

fn is_idempotent_method(method: &Method) -> bool {
    [Method::GET, Method::HEAD, Method::PUT, Method::DELETE, Method::OPTIONS, Method::TRACE].contains(method)
}

#[cfg(test)]
mod tests {
    use http::Request;
    use redress_classify::dialects;

    use super::*;

    fn is(request: &Request<()>, settings: &Settings) -> bool {
        is_idempotent(&RequestCopy::of(request).unwrap(), settings)
    }

    #[test]
    fn method_route_key_and_the_callers_word_decide() {
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
            assert_eq!(is(&request(method, path), &ranex), expected, "{method} {path}");
        }
        let mut keyed = request("POST", "/v1/x");
        keyed.headers_mut().insert("idempotency-key", http::HeaderValue::from_static("\"k1\""));
        assert!(is(&keyed, &ranex));
        keyed.extensions_mut().insert(Idempotent(false));
        assert!(!is(&keyed, &ranex));
        let mut said = request("PATCH", "/v1/x");
        said.extensions_mut().insert(Idempotent(true));
        assert!(is(&said, &ranex));
        let mut named = request("POST", "/v2/orders");
        named.headers_mut().insert("paypal-request-id", http::HeaderValue::from_static("k1"));
        assert!(!is(&named, &ranex), "another vendor's header is no key");
        assert!(is(&named, &Settings::new(dialects::by_name("paypal").unwrap())));
    }
}
