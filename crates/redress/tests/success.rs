//! A success that is there at once costs no timer, no extension and no allocation, whatever limits are set.

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use allocation_counter::measure;
use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body_util::Full;
use redress::{Budget, Credentials, Dialect, Failure, RedressLayer, TokenSet, dialects};
use redress_sandbox::FixedResponse;
use tower::util::MapRequest;
use tower::{Layer, Service, ServiceExt};

const URL: &str = "https://api.example/v1/things";

type Asked = Request<Full<Bytes>>;

/// Answers at once, and sees that the token is on the request.
fn transport(body: &'static str) -> MapRequest<FixedResponse, fn(Asked) -> Asked> {
    FixedResponse::new(Bytes::from_static(body.as_bytes())).map_request(|request: Asked| {
        assert!(request.headers().contains_key("authorization"), "the token is on it");
        request
    })
}

/// A token that is there from the beginning and expires in an hour.
struct Held;

impl Credentials for Held {
    async fn login(&self) -> Result<TokenSet, Failure> {
        Err(Failure::permanent("nobody logs in here"))
    }

    fn initial(&self) -> Option<TokenSet> {
        TokenSet::bearer("token").ok().map(|grant| grant.refresh_token("r").expires_in(Duration::from_secs(3600)))
    }
}

/// Every limit that there is.
fn layer(dialect: Dialect) -> RedressLayer {
    RedressLayer::new(dialect)
        .credentials(Held, "https://api.example".parse().expect("a legal origin"))
        .deadline(Duration::from_secs(30))
        .attempt_timeout(Duration::from_secs(5))
        .backoff(|backoff| backoff.budget(Budget::new()))
}

fn request() -> Asked {
    let request = Request::post(format!("{URL}?page=1")).header("accept", "application/json");
    let request = request.header("content-type", "application/json").header("x-tenant", "acme".to_owned());
    request.body(Full::from("{}")).expect("legal parts")
}

/// Sends a request; it must come to its end in the one poll.
fn send<S: Service<Asked>>(service: &mut S, request: Asked) -> S::Response
where
    S::Error: std::fmt::Debug,
{
    let mut cx = Context::from_waker(Waker::noop());
    assert!(service.poll_ready(&mut cx).is_ready());
    match pin!(service.call(request)).poll(&mut cx) {
        Poll::Ready(result) => result.expect("a success"),
        Poll::Pending => panic!("a success that is there at once is handed up at once"),
    }
}

/// The dialects in which a success is one by its status, and by its body.
fn cases() -> [(&'static str, Dialect, &'static str); 3] {
    [
        ("by its status", dialects::veridia(), "{}"),
        ("by its body", dialects::vlens(), r#"{"data":1,"error_code":null}"#),
        ("by a flag in its body", dialects::maleslab(), r#"{"success":true,"data":1}"#),
    ]
}

#[test]
fn a_success_that_is_there_at_once_registers_no_timer() {
    // A runtime without a clock for timers: whoever makes one panics.
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        for (name, dialect, body) in cases() {
            let mut service = layer(dialect).layer(transport(body));
            for _ in 0..3 {
                let response = send(&mut service, request());
                assert!(response.status() == 200 && response.extensions().is_empty(), "{name}");
            }
        }
        for (name, dialect, body) in cases() {
            let mut service = RedressLayer::new(dialect).layer(FixedResponse::new(Bytes::from_static(body.as_bytes())));
            assert!(send(&mut service, request()).extensions().is_empty(), "{name}: with the defaults");
        }
    });
}

#[test]
#[should_panic(expected = "timers are disabled")]
fn a_response_that_has_to_be_waited_for_needs_a_timer() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let pending = tower::service_fn(|_: Asked| std::future::pending::<Result<Response<Full<Bytes>>, Infallible>>());
        let _ = layer(dialects::veridia()).layer(pending).call(request()).await;
    });
}

#[test]
fn a_success_allocates_the_one_copy_of_its_request_and_nothing_else() {
    for (name, dialect, body) in cases() {
        let mut bare = transport(body);
        let mut service = layer(dialect).layer(bare.clone());
        drop(send(&mut service, request()));
        // The copy is one buffer, though URI, names and values are allocated texts.
        let copy = measure(|| drop(Vec::<u8>::with_capacity(64))).count_total;
        let asked = request();
        let (mut stamped, token) = (request(), HeaderValue::from_static("Bearer token"));
        // The map of the headers may have to grow for the token.
        let stamp = measure(|| drop(stamped.headers_mut().insert("authorization", token))).count_total;
        let base = measure(|| drop(send(&mut bare, stamped))).count_total;
        let whole = measure(|| drop(send(&mut service, asked))).count_total;
        assert_eq!(copy, 1, "the counter counts");
        assert_eq!(
            whole,
            base + copy + stamp,
            "{name}: {base} of the transport, {copy} of the copy, {stamp} of the stamp"
        );
    }
}
