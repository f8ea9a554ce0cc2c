//! The names of the semantic conventions, and the values of a request's attributes.

use std::borrow::Cow;

use http::{Method, Uri, Version};
use opentelemetry::KeyValue;

pub(crate) const ERROR_TYPE: &str = "error.type";
pub(crate) const METHOD: &str = "http.request.method";
pub(crate) const METHOD_ORIGINAL: &str = "http.request.method_original";
pub(crate) const RESEND_COUNT: &str = "http.request.resend_count";
pub(crate) const STATUS_CODE: &str = "http.response.status_code";
pub(crate) const PROTOCOL_VERSION: &str = "network.protocol.version";
pub(crate) const SERVER_ADDRESS: &str = "server.address";
pub(crate) const SERVER_PORT: &str = "server.port";
pub(crate) const URL_FULL: &str = "url.full";
/// The one histogram of the convention.
pub(crate) const DURATION: &str = "http.client.request.duration";

// gRFC A96, "OTel Metrics for Retries", with the attributes of gRFC A66.
pub(crate) const GRPC_RETRIES: &str = "grpc.client.call.retries";
pub(crate) const GRPC_TRANSPARENT_RETRIES: &str = "grpc.client.call.transparent_retries";
pub(crate) const GRPC_HEDGES: &str = "grpc.client.call.hedges";
pub(crate) const GRPC_RETRY_DELAY: &str = "grpc.client.call.retry_delay";
pub(crate) const GRPC_METHOD: &str = "grpc.method";
pub(crate) const GRPC_TARGET: &str = "grpc.target";

// Names of our own: the conventions have none for retries (semantic-conventions issues 2355 and 3361 are open).
pub(crate) const CALL: &str = "redress.call";
pub(crate) const ATTEMPTS: &str = "redress.attempts";
pub(crate) const END_REASON: &str = "redress.end_reason";
pub(crate) const RETRY_WAIT: &str = "redress.retry_wait";

/// The value for a method that is not known, and for an error without a class.
pub(crate) const OTHER: &str = "_OTHER";

/// The bucket boundaries of the histogram, in seconds, as the convention advises.
pub(crate) const BOUNDARIES: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// The bucket boundaries that gRFC A96 recommends for retries and hedges.
pub(crate) const GRPC_RETRY_BOUNDARIES: [f64; 5] = [1.0, 2.0, 3.0, 4.0, 5.0];
/// Those for transparent retries.
pub(crate) const GRPC_TRANSPARENT_BOUNDARIES: [f64; 6] = [1.0, 2.0, 3.0, 4.0, 5.0, 10.0];
/// Those of gRFC A66 for latencies, in seconds, which A96 recommends for delays.
pub(crate) const GRPC_DELAY_BOUNDARIES: [f64; 41] = [
    0.0, 0.00001, 0.00005, 0.0001, 0.0003, 0.0006, 0.0008, 0.001, 0.002, 0.003, 0.004, 0.005, 0.006, 0.008, 0.01,
    0.013, 0.016, 0.02, 0.025, 0.03, 0.04, 0.05, 0.065, 0.08, 0.1, 0.13, 0.16, 0.2, 0.25, 0.3, 0.4, 0.5, 0.65, 0.8,
    1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0,
];

/// The methods that the convention knows: those of RFC 9110, and PATCH (RFC 5789).
pub(crate) const METHODS: [Method; 9] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::DELETE,
    Method::CONNECT,
    Method::OPTIONS,
    Method::TRACE,
    Method::PATCH,
];

/// Returns a method as an attribute, or [`OTHER`] if it is not among the known ones. An attribute has few values that way,
/// whatever a caller sends. A standard method is not copied.
pub(crate) fn method(method: &Method, known: &[Method]) -> Cow<'static, str> {
    if !known.contains(method) {
        return Cow::Borrowed(OTHER);
    }
    match method.as_str() {
        "GET" => Cow::Borrowed("GET"),
        "HEAD" => Cow::Borrowed("HEAD"),
        "POST" => Cow::Borrowed("POST"),
        "PUT" => Cow::Borrowed("PUT"),
        "DELETE" => Cow::Borrowed("DELETE"),
        "CONNECT" => Cow::Borrowed("CONNECT"),
        "OPTIONS" => Cow::Borrowed("OPTIONS"),
        "TRACE" => Cow::Borrowed("TRACE"),
        "PATCH" => Cow::Borrowed("PATCH"),
        name => Cow::Owned(name.to_owned()),
    }
}

/// Returns the name of a span: the method as [`method`] has it, or `HTTP` for one that is not known. Not the path, which has
/// too many values.
pub(crate) fn span_name(method: Cow<'static, str>) -> Cow<'static, str> {
    if method == OTHER { Cow::Borrowed("HTTP") } else { method }
}

/// Returns the server's name and port, as far as the URI has them. The address of an IPv6 host has no brackets.
pub(crate) fn server(uri: &Uri) -> impl Iterator<Item = KeyValue> {
    let address = uri.host().map(|host| host.trim_start_matches('[').trim_end_matches(']').to_owned());
    let port = uri.port_u16().or_else(|| match uri.scheme_str() {
        Some("http") => Some(80),
        Some("https") => Some(443),
        _ => None,
    });
    let address = address.map(|address| KeyValue::new(SERVER_ADDRESS, address));
    address.into_iter().chain(port.map(|port| KeyValue::new(SERVER_PORT, i64::from(port))))
}

/// Returns the version of the protocol that a response came with.
pub(crate) const fn protocol_version(version: Version) -> Option<&'static str> {
    match version {
        Version::HTTP_09 => Some("0.9"),
        Version::HTTP_10 => Some("1.0"),
        Version::HTTP_11 => Some("1.1"),
        Version::HTTP_2 => Some("2"),
        Version::HTTP_3 => Some("3"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server_of(uri: &'static str) -> Vec<(String, String)> {
        server(&Uri::from_static(uri)).map(|pair| (pair.key.to_string(), pair.value.to_string())).collect()
    }

    #[test]
    fn a_method_is_known_or_other() {
        let bytes: &[(&[u8], &str, &str)] =
            &[(b"GET", "GET", "GET"), (b"PATCH", "PATCH", "PATCH"), (b"get", OTHER, "HTTP"), (b"PURGE", OTHER, "HTTP")];
        for (given, attribute, name) in bytes {
            let value = method(&Method::from_bytes(given).unwrap(), &METHODS);
            assert_eq!((value.as_ref(), span_name(value.clone()).as_ref()), (*attribute, *name));
        }
        for known in METHODS {
            assert_eq!(method(&known, &METHODS), known.as_str());
        }
        let purge = Method::from_bytes(b"PURGE").unwrap();
        let value = method(&purge, std::slice::from_ref(&purge));
        assert_eq!((value.as_ref(), span_name(value.clone()).as_ref()), ("PURGE", "PURGE"));
        assert_eq!(method(&Method::GET, &[purge]), OTHER, "a list of one's own replaces the known methods");
    }

    #[test]
    fn a_server_has_its_address_and_its_port() {
        for (uri, address, port) in [
            ("https://api.example/v1", "api.example", "443"),
            ("http://api.example/v1", "api.example", "80"),
            ("https://api.example:8443/", "api.example", "8443"),
            ("http://[::1]:8080/", "::1", "8080"),
            ("http://127.0.0.1/", "127.0.0.1", "80"),
        ] {
            let expected = [(SERVER_ADDRESS, address), (SERVER_PORT, port)];
            assert_eq!(server_of(uri), expected.map(|(key, value)| (key.to_owned(), value.to_owned())), "{uri}");
        }
        assert_eq!(server_of("/v1/things"), [], "a relative URI has no server");
    }
}
