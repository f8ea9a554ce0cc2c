//! A pause that a success asks for: later calls of its scope wait, and the answered call does not.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

mod common;

use common::{ms, s};
use http::{Request, Response};
use http_body_util::Full;
use redress_classify::{Body, Classify, ClassifyLayer, Dialect, ResponseExt, dialects};
use redress_pace::{Pace, PaceLayer};
use redress_sandbox::strict_mock::{BoxError, Handle, StrictMock};
use tokio::time::Instant;
use tower::{Layer, ServiceBuilder, ServiceExt};

type Mock = StrictMock<Request<String>, Response<Full<&'static [u8]>>>;
type Stack = Pace<Classify<Mock>>;

const PAUSE: &str = r#"{"items":[],"backoff":10,"quota_remaining":7}"#;

/// Responds with the text of the request, status 200, and the request's headers.
fn server() -> (Mock, Handle<Request<String>>) {
    let mock = StrictMock::new(|request: &Request<String>| {
        let (headers, body) = (request.headers().clone(), request.body().clone().leak().as_bytes());
        async move {
            let mut response = Response::new(Full::new(body));
            *response.headers_mut() = headers;
            Ok::<_, BoxError>(response)
        }
    });
    let handle = mock.handle();
    (mock.allow_abandoned(), handle)
}

fn stack(dialect: &Dialect, mock: Mock) -> (PaceLayer, Stack) {
    let layer = PaceLayer::new(dialect.clone()).without_limits().random(|| 0);
    let stack = ServiceBuilder::new().layer(layer.clone()).layer(ClassifyLayer::new(dialect.clone())).service(mock);
    (layer, stack)
}

fn stackexchange() -> Dialect {
    dialects::by_name("stackexchange").unwrap()
}

fn request(path: &str, body: &str) -> Request<String> {
    Request::get(format!("https://api.example{path}")).body(body.to_owned()).unwrap()
}

async fn send(stack: &Stack, path: &str, body: &str) -> Response<Body<Full<&'static [u8]>>> {
    stack.clone().oneshot(request(path, body)).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_next_call_of_the_method_goes_when_the_pause_is_over_and_not_earlier() {
    let (mock, handle) = server();
    let (layer, stack) = stack(&stackexchange(), mock);
    let start = Instant::now();
    let response = send(&stack, "/2.3/questions", PAUSE).await;
    assert!(response.verdict().is_none(), "the call itself is a success");
    assert!(start.elapsed().is_zero(), "and does not wait");
    assert_eq!(layer.gate().cooldown_until(&request("/2.3/questions", "")), Some(start + s(10)));
    send(&stack, "/2.3/answers", "{}").await;
    send(&stack, "/2.3/questions", "{}").await;
    let times: Vec<_> = handle.instants().iter().map(|at| (*at - start).as_millis()).collect();
    assert_eq!(times, [0, 0, 10_000], "another method goes on");
}

#[tokio::test(start_paused = true)]
async fn a_method_with_ids_is_one_method_whatever_the_ids() {
    let (mock, _handle) = server();
    let (layer, stack) = stack(&stackexchange(), mock);
    send(&stack, "/2.3/questions/1;2/answers", PAUSE).await;
    let is_cooling = |path: &str| layer.gate().cooldown_until(&request(path, "")).is_some();
    assert!(is_cooling("/2.3/questions/9/answers"));
    assert!(
        !is_cooling("/2.3/questions/9/comments")
            && !is_cooling("/2.3/questions")
            && !is_cooling("/2.3/users/9/answers")
    );
}

#[tokio::test(start_paused = true)]
async fn an_undeclared_backoff_on_a_success_starts_no_cool_down() {
    for dialect in dialects::all().into_iter().filter(|dialect| !dialect.has_success_hints()) {
        let (mock, _handle) = server();
        let (layer, stack) = stack(&dialect, mock);
        let mut asking = request("/v1/things", PAUSE);
        for (name, value) in [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "30"), ("retry-after", "30")] {
            asking.headers_mut().insert(name, value.parse().unwrap());
        }
        let response = stack.oneshot(asking).await.unwrap();
        // Some dialects find an error in such a body. Whatever they do then is for errors.
        assert!(response.verdict().is_some() || layer.gate().is_open(), "{}", dialect.name());
    }
}

#[tokio::test(start_paused = true)]
async fn a_hint_in_a_header_needs_no_classify_layer() {
    let toml = "name = \"acme\"\n[retry]\nsuccess_hints = [\
        { header = \"x-ratelimit-reset\", unit = \"s\" }, { header = \"x-slow-down\", unit = \"ms\" }]\n";
    let dialect = Dialect::from_toml("acme.toml", toml).unwrap();
    for (headers, expected) in [
        (&[("x-slow-down", "1500")][..], Some(ms(1_500))),
        (&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "30")], Some(s(30))),
        (&[("x-ratelimit-remaining", "5"), ("x-ratelimit-reset", "30")], None),
        // One response starts a cool-down of at most one hour.
        (&[("x-slow-down", "90000000")], Some(s(3_600))),
        (&[], None),
    ] {
        let (mock, _handle) = server();
        let layer = PaceLayer::new(dialect.clone()).random(|| 0);
        let start = Instant::now();
        let mut asking = request("/v1/things", "");
        for (name, value) in headers {
            asking.headers_mut().insert(*name, value.parse().unwrap());
        }
        layer.layer(mock).oneshot(asking).await.unwrap();
        let cooldown = layer.gate().cooldown_until(&request("/v1/others", "")).map(|until| until - start);
        assert_eq!(cooldown, expected, "{headers:?}");
    }
}
