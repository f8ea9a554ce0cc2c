//! A failure that is retried allocates little: no text is written out before the caller asks for it.

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::num::NonZeroU32;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use allocation_counter::measure;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Request, Response, StatusCode, Uri};
use http_body_util::Full;
use redress::{
    Credentials, Failure, Redress, RedressLayer, ResponseExt, Schedule, TokenSet, dialects, layers::ResendCount,
};
use tower::{Layer, Service};

const BODY: &str = r#"{"error":"internal","message":"A dependency is down","requestId":"9f511d92ac11236d-SJC"}"#;

type Asked = Request<Full<Bytes>>;

/// A request, and the number of allocations that its call may make.
///
/// Among these are two of the failed response's own, the labels of metrics, which are on in these tests, and when the request is
/// made again one for each name of a header that `http` does not know.
type Case = (&'static str, fn() -> Asked, u64);

const CASES: [Case; 3] =
    [("static", with_static_parts, 32), ("reqwest-like", like_reqwests, 33), ("hyper-like", like_hypers, 35)];

/// A transport on which each first attempt is answered by a 503, and each second one by a success.
#[derive(Clone)]
struct Flaky;

impl Service<Asked> for Flaky {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Asked) -> Self::Future {
        assert!(request.headers().contains_key("authorization"), "the token is on it");
        let mut response = Response::new(Full::new(Bytes::from_static(b"{}")));
        if ResendCount::from_request(&request).is_none() {
            response = Response::new(Full::new(Bytes::from_static(BODY.as_bytes())));
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        ready(Ok(response))
    }
}

/// A token that is there from the beginning.
struct Held;

impl Credentials for Held {
    async fn login(&self) -> Result<TokenSet, Failure> {
        Err(Failure::permanent("there is no login"))
    }

    fn initial(&self) -> Option<TokenSet> {
        TokenSet::bearer("token").ok()
    }
}

/// The whole stack; a retry follows at once.
fn stack() -> Redress<Flaky> {
    let none = Schedule { base: Duration::ZERO, factor: NonZeroU32::MIN, cap: Duration::ZERO };
    RedressLayer::new(dialects::veridia())
        .credentials(Held, "https://api.example".parse().expect("a legal origin"))
        .deadline(Duration::from_secs(20))
        .without_attempt_timeout()
        .backoff(|backoff| backoff.transient_backoff(none))
        .layer(Flaky)
}

/// A request whose parts are all static.
fn with_static_parts() -> Asked {
    let mut request = Request::put(Uri::from_static("https://api.example/v1/reports/rp_0000000000000000"));
    let names =
        ["accept", "accept-encoding", "content-type", "user-agent", "x-client", "x-trace", "x-tenant", "x-version"];
    for name in names {
        request = request.header(HeaderName::from_static(name), HeaderValue::from_static("some value"));
    }
    request.body(Full::new(Bytes::from_static(b"{}"))).expect("legal parts")
}

/// A request as reqwest's builder makes it: two headers are copied texts.
fn like_reqwests() -> Asked {
    let request = Request::put(format!("https://api.example/v1/reports/rp_{:016}", 7))
        .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
        .header("x-request-id", "0190c42e-2f4d-7d3a-9c2b-0a4c5d6e7f80".to_owned())
        .header("x-tenant", "acme-production".to_owned());
    request.body(Full::new(Bytes::from(br#"{"a":1}"#.to_vec()))).expect("legal parts")
}

/// A request of `http`'s own builder, which copies each value.
fn like_hypers() -> Asked {
    let request = Request::put(format!("https://api.example/v1/reports/rp_{:016}?expand=all", 7))
        .header("accept", "application/json")
        .header("content-type", "application/json")
        .header("user-agent", "client/1.0")
        .header("x-request-id", "0190c42e-2f4d-7d3a-9c2b-0a4c5d6e7f80")
        .header("x-tenant", "acme-production")
        .header("x-version", "2026-11-01");
    request.body(Full::new(Bytes::from_static(br#"{"a":1}"#))).expect("legal parts")
}

/// Sends a request, which must come to its end in the one poll.
fn send(service: &mut Redress<Flaky>, request: Asked) -> usize {
    let mut cx = Context::from_waker(Waker::noop());
    assert!(service.poll_ready(&mut cx).is_ready());
    match pin!(service.call(request)).poll(&mut cx) {
        Poll::Ready(response) => {
            let response = response.expect("a response");
            assert_eq!(response.status(), StatusCode::OK);
            response.record().map_or(1, |record| record.attempts().len())
        }
        Poll::Pending => panic!("nothing is waited for"),
    }
}

#[test]
fn a_failure_that_is_retried_allocates_little() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let _entered = runtime.enter();
    let mut service = stack();
    let counts = CASES.map(|(name, request, allowed)| {
        assert_eq!(send(&mut service, request()), 2, "{name}: warm");
        let asked = request();
        (name, measure(|| assert_eq!(send(&mut service, asked), 2)).count_total, allowed)
    });
    assert!(counts.iter().all(|(_, count, allowed)| count <= allowed), "name, allocations, allowed: {counts:?}");
}
