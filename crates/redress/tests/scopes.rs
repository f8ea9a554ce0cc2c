//! Cool-downs of scopes through the whole stack. On a paused clock, over a strict mock.

use std::num::NonZeroU32;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use redress::{Dialect, Error, Jitter, Limit, Redress, RedressLayer, dialects};
use redress_sandbox::strict_mock::{BoxError, Handle, StrictMock};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tower::{Layer, ServiceExt};

type Mock = StrictMock<Request<String>, Response<Full<Bytes>>>;
type Answer = (u16, &'static [(&'static str, &'static str)], &'static str);

/// Refuses the first request whose path begins like this, and answers all others.
fn server(path: &'static str, refusal: Answer) -> (Mock, Handle<Request<String>>) {
    let refused = std::sync::atomic::AtomicBool::new(false);
    let mock = StrictMock::new(move |request: &Request<String>| {
        let is_refused =
            request.uri().path().starts_with(path) && !refused.swap(true, std::sync::atomic::Ordering::Relaxed);
        let (status, headers, body) = if is_refused { refusal } else { (200, &[][..], r#"{"ok":true}"#) };
        async move {
            let builder = Response::builder().status(status).header("content-type", "application/json");
            let builder = headers.iter().fold(builder, |builder, (name, value)| builder.header(*name, *value));
            Ok::<_, BoxError>(builder.body(Full::from(body)).expect("legal parts"))
        }
    });
    let handle = mock.handle();
    // A call that has to wait gives its place back, on purpose.
    (mock.allow_abandoned(), handle)
}

fn shipped(name: &str) -> Dialect {
    dialects::by_name(name).expect("it is shipped")
}

/// No jitter, no spread.
fn exact(dialect: Dialect) -> RedressLayer {
    RedressLayer::new(dialect).backoff(|backoff| backoff.jitter(Jitter::None)).pace(|pace| pace.random(|| 0))
}

fn get(path: &str) -> Request<String> {
    Request::get(format!("https://api.example{path}")).body(String::new()).expect("legal parts")
}

/// Calls in a task; the output has the status, and the ms since `start` at which the call ended.
fn spawn(service: &Redress<Mock>, path: &str, start: Instant) -> JoinHandle<(Result<u16, Error>, u128)> {
    let (service, request) = (service.clone(), get(path));
    tokio::spawn(async move {
        let outcome = service.oneshot(request).await.map(|response| response.status().as_u16());
        (outcome, (Instant::now() - start).as_millis())
    })
}

/// Calls the refused path first, then the others; returns the ms at which each of them ended, that of the retry first.
async fn ends(dialect: Dialect, refusal: Answer, paths: &[&'static str]) -> Vec<u128> {
    let (mock, handle) = server(paths[0], refusal);
    let service = exact(dialect).layer(mock);
    let start = Instant::now();
    let mut calls = Vec::new();
    for path in paths {
        calls.push(spawn(&service, path, start));
        // It is answered before the next one begins.
        sleep(Duration::ZERO).await;
    }
    let mut ends = Vec::new();
    for call in calls {
        let (status, at) = call.await.expect("it does not panic");
        assert_eq!(status.expect("it is answered"), 200);
        ends.push(at / 1_000);
    }
    assert_eq!(handle.calls(), paths.len() + 1, "one was sent again");
    ends
}

#[tokio::test(start_paused = true)]
async fn githubs_search_limit_leaves_the_core_calls_going() {
    const LIMITED: &[(&str, &str)] = &[
        ("retry-after", "30"),
        ("x-ratelimit-resource", "search"),
        ("x-ratelimit-limit", "30"),
        ("x-ratelimit-remaining", "0"),
    ];
    let primary = r#"{"message":"API rate limit exceeded for user ID 1.","documentation_url":"https://docs.example"}"#;
    let secondary =
        r#"{"message":"You have exceeded a secondary rate limit.","documentation_url":"https://docs.example"}"#;
    let paths = ["/search/issues", "/search/users", "/repos/a/b", "/user", "/search/code", "/graphql"];
    for status in [403, 429] {
        assert_eq!(ends(shipped("github"), (status, LIMITED, primary), &paths).await, [30, 30, 0, 0, 0, 0]);
        assert_eq!(ends(shipped("github"), (status, LIMITED, secondary), &paths).await, [30; 6], "it is shared by all");
    }
    let body = r#"{"errors":[{"type":"RATE_LIMITED","message":"API rate limit exceeded for user ID 1."}]}"#;
    let refusal = (200, &[("x-ratelimit-resource", "graphql")][..], body);
    let paths = ["/graphql", "/graphql", "/user", "/search/issues"];
    assert_eq!(ends(shipped("github"), refusal, &paths).await, [60, 60, 0, 0], "for a minute, as the vendor says");
}

#[tokio::test(start_paused = true)]
async fn discords_channel_leaves_the_others_going_and_a_global_limit_stops_all() {
    const BUCKET: &[(&str, &str)] =
        &[("retry-after", "30"), ("x-ratelimit-bucket", "abcd1234"), ("x-ratelimit-scope", "user")];
    let user = r#"{"message":"You are being rate limited.","retry_after":29.57,"global":false}"#;
    let global = r#"{"message":"You are being rate limited.","retry_after":29.57,"global":true}"#;
    let paths = [
        "/api/v10/channels/1/messages",
        "/api/v10/channels/1/messages?limit=5",
        "/api/v10/channels/2/messages",
        "/api/v10/guilds/1",
        "/api/v10/users/@me",
    ];
    assert_eq!(ends(shipped("discord"), (429, BUCKET, user), &paths).await, [30, 30, 0, 0, 0]);
    assert_eq!(ends(shipped("discord"), (429, &BUCKET[..1], user), &paths).await, [30, 30, 0, 0, 0]);
    for (headers, body) in [(BUCKET, global), (&[("retry-after", "30"), ("x-ratelimit-global", "true")], "")] {
        assert_eq!(ends(shipped("discord"), (429, headers, body), &paths).await, [30; 5]);
    }
}

#[tokio::test(start_paused = true)]
async fn slacks_methods_wait_for_themselves() {
    let paths = ["/api/users.list", "/api/users.list", "/api/chat.postMessage", "/services/T1/B1/x"];
    let refusal = (429, &[("retry-after", "30")][..], r#"{"ok":false,"error":"ratelimited"}"#);
    assert_eq!(ends(shipped("slack"), refusal, &paths).await, [30, 30, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_dialect_without_scopes_parks_its_host() {
    let refusal = (429, &[("retry-after", "30")][..], "");
    assert_eq!(ends(dialects::generic(), refusal, &["/a", "/b", "/search/c"]).await, [30; 3]);
}

#[tokio::test(start_paused = true)]
async fn a_limit_of_the_whole_api_counts_every_attempt() {
    let (mock, handle) = server("/a", (503, &[], ""));
    let one = Limit::all_routes(NonZeroU32::MIN, Duration::from_secs(10));
    let layer = exact(dialects::generic()).pace(|pace| pace.limit(one));
    let service = layer.layer(mock);
    let start = Instant::now();
    for path in ["/a", "/b/c?d"] {
        assert_eq!(service.clone().oneshot(get(path)).await.unwrap().status(), 200);
    }
    let times: Vec<_> = handle.instants().iter().map(|at| (*at - start).as_secs()).collect();
    assert_eq!(times, [0, 10, 20], "the retry, too");
}
