//! Scopes: a cool-down delays the calls of its scope, and no others.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

mod common;

use common::{Mock, answer, good_day, ms, request, s, serve, spawn, times};
use http::Request;
use redress_classify::{Dialect, dialects};
use redress_pace::{Pace, PaceLayer};
use redress_sandbox::strict_mock::{BoxError, Handle, StrictMock};
use tokio::time::{Instant, advance, sleep};
use tower::ServiceExt;

const DIALECT: &str = r#"
name = "acme"
[[scopes]]
name = "room"
routes = "* /rooms/{room}/**"
key = "room"
[[scopes]]
name = "search"
routes = "GET /search/**"
[cooldown]
bucket = { header = "x-bucket" }
global = { header = "x-global" }
"#;

fn dialect() -> Dialect {
    Dialect::from_toml("acme.toml", DIALECT).unwrap()
}

/// No spread.
fn layer() -> PaceLayer {
    PaceLayer::new(dialect()).random(|| 0)
}

/// Returns a server that responds with the status `x-status` and the headers of the request, after `x-after` seconds.
fn server() -> (Mock, Handle<Request<String>>) {
    let mock = StrictMock::new(move |request: &Request<String>| {
        let headers = request.headers().clone();
        async move {
            let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap());
            if let Some(after) = text("x-after") {
                sleep(std::time::Duration::try_from_secs_f64(after.parse().unwrap()).unwrap()).await;
            }
            let mut response = answer(text("x-status").map_or(200, |status| status.parse().unwrap()), &[]);
            *response.headers_mut() = headers;
            Ok::<_, BoxError>(response)
        }
    });
    let handle = mock.handle();
    (mock.allow_abandoned(), handle)
}

/// Returns a request of this path whose response has these headers.
fn call(path: &str, headers: &[(&'static str, &str)]) -> Request<String> {
    let mut request = request(&format!("https://api.example{path}"));
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    request
}

/// Returns a request whose response is a 429 with this hint and these headers.
fn refused(path: &str, wait: &str, headers: &[(&'static str, &str)]) -> Request<String> {
    call(path, &[&[("x-status", "429"), ("retry-after", wait)], headers].concat())
}

async fn send(service: &Pace<Mock>, request: Request<String>) {
    service.clone().oneshot(request).await.unwrap();
}

/// Returns the seconds for which a call of this path cools down.
fn cooldown(layer: &PaceLayer, path: &str) -> u64 {
    layer.gate().cooldown_until(&call(path, &[])).map_or(0, |until| (until - Instant::now()).as_secs())
}

#[tokio::test(start_paused = true)]
async fn a_cool_down_holds_the_calls_of_its_scope_and_no_others() {
    let (mock, handle) = server();
    let layer = layer();
    let service = serve(&layer, &mock);
    let start = Instant::now();
    send(&service, refused("/rooms/1/lamps", "30", &[])).await;
    let waiting = spawn(&service, call("/rooms/1", &[]), start);
    for path in ["/rooms/2/lamps", "/search/all", "/else"] {
        send(&service, call(path, &[])).await;
    }
    assert_eq!(times(&handle, start), [0, 0, 0, 0]);
    assert_eq!(waiting.await.unwrap().1, 30_000);
    assert_eq!(times(&handle, start)[4], 30_000);
    advance(s(60)).await;
    send(&service, call("/rooms/1", &[])).await;
    assert!(layer.gate().is_open(), "no state is left");
}

#[tokio::test(start_paused = true)]
async fn a_cool_down_of_all_calls_or_of_a_call_without_a_scope_holds_every_scope() {
    for request in [
        refused("/rooms/1", "30", &[("x-global", "1")]),
        refused("/else", "30", &[]),
        refused("/else", "30", &[("x-bucket", "b")]),
        call("/rooms/1", &[("x-status", "503"), ("retry-after", "30")]),
    ] {
        let (mock, _handle) = server();
        let layer = layer();
        send(&serve(&layer, &mock), request).await;
        for path in ["/rooms/1", "/rooms/2", "/search/all", "/else"] {
            assert_eq!(cooldown(&layer, path), 30, "{path}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn only_a_longer_cool_down_changes_the_end() {
    // The cool-downs that start, by scope or upstream, with their seconds; those of the scope and of other calls after them.
    for (parks, scope, others) in [
        ([("/rooms/1", 20), ("/rooms/1", 10)], 20, 0),
        ([("/rooms/1", 10), ("/rooms/1", 20)], 20, 0),
        ([("/else", 20), ("/else", 10)], 20, 20),
        ([("/else", 10), ("/else", 20)], 20, 20),
        ([("/rooms/1", 20), ("/else", 10)], 20, 10),
        ([("/rooms/1", 10), ("/else", 20)], 20, 20),
        ([("/else", 20), ("/rooms/1", 10)], 20, 20),
        ([("/else", 10), ("/rooms/1", 20)], 20, 10),
    ] {
        let (mock, handle) = server();
        let layer = layer();
        let service = serve(&layer, &mock);
        let start = Instant::now();
        // Both are sent before a gate closes.
        let both: Vec<_> = parks
            .iter()
            .zip(1..)
            .map(|((path, wait), nth)| {
                let mut request = refused(path, &(wait + 3 - nth).to_string(), &[]);
                request.headers_mut().insert("x-after", nth.into());
                spawn(&service, request, start)
            })
            .collect();
        for one in both {
            one.await.unwrap().0.unwrap();
        }
        sleep(s(1)).await;
        assert_eq!((cooldown(&layer, "/rooms/1"), cooldown(&layer, "/rooms/2")), (scope, others), "{parks:?}");
        send(&service, call("/rooms/1", &[])).await;
        let sent = *times(&handle, start).last().unwrap();
        assert_eq!(sent, 3_000 + u128::from(scope) * 1_000, "nothing is sent before: {parks:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_scope_cools_down_for_an_hour_at_most() {
    let (mock, _handle) = server();
    let layer = layer();
    send(&serve(&layer, &mock), refused("/rooms/1", "90000", &[])).await;
    assert_eq!((cooldown(&layer, "/rooms/1"), cooldown(&layer, "/rooms/2")), (3_600, 0));
}

#[tokio::test(start_paused = true)]
async fn a_response_may_name_another_scope_than_its_routes() {
    let (mock, _handle) = server();
    let layer = layer();
    let service = serve(&layer, &mock);
    send(&service, refused("/find", "30", &[("x-bucket", "search")])).await;
    assert_eq!(["/search/all", "/find", "/find/more", "/rooms/1"].map(|path| cooldown(&layer, path)), [30, 30, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn the_bucket_of_a_route_is_learnt_from_its_last_response() {
    let (mock, _handle) = server();
    let layer = layer();
    let service = serve(&layer, &mock);
    let paths = ["/rooms/1/lamps/7", "/rooms/1/lamps/8", "/rooms/1/fans", "/rooms/1/doors", "/rooms/2/lamps/7"];
    let all = |layer: &PaceLayer| paths.map(|path| cooldown(layer, path));
    // A success names the bucket as an error does.
    send(&service, call("/rooms/1/fans", &[("x-bucket", "fans")])).await;
    send(&service, refused("/rooms/1/lamps/7", "30", &[("x-bucket", "lamps")])).await;
    assert_eq!(all(&layer), [30, 30, 0, 30, 0], "an unknown route may be in any bucket of its scope");
    send(&service, call("/rooms/2/lamps/7", &[("x-bucket", "lamps")])).await;
    assert_eq!(all(&layer), [30, 30, 0, 30, 0], "the bucket of another room");
    advance(s(40)).await;
    // The doors are in the bucket of the lamps.
    send(&service, call("/rooms/1/doors", &[("x-bucket", "lamps")])).await;
    send(&service, refused("/rooms/1/lamps/7", "30", &[("x-bucket", "lamps")])).await;
    assert_eq!(all(&layer), [30, 30, 0, 30, 0]);
    advance(s(40)).await;
    // The name of a scope means that the route is in none of its buckets.
    send(&service, call("/search/few", &[("x-bucket", "search")])).await;
    send(&service, refused("/search/all", "30", &[("x-bucket", "many")])).await;
    assert_eq!(["/search/all", "/search/few", "/search/some"].map(|path| cooldown(&layer, path)), [30, 0, 30]);
    send(&service, call("/rooms/1/doors", &[("x-bucket", "doors")])).await;
    send(&service, refused("/rooms/1/lamps/7", "30", &[])).await;
    assert_eq!(all(&layer), [30, 30, 0, 0, 0], "a response without a name counts for the last name of its route");
}

#[tokio::test(start_paused = true)]
async fn a_release_of_a_scope_delays_no_other_calls() {
    let (mock, handle) = server();
    let service = serve(&layer(), &mock);
    good_day(&service, &handle).await;
    let start = Instant::now();
    send(&service, refused("/rooms/1", "30", &[])).await;
    // Ten are sent at once, with a response after 3 s each; the other ten wait for a permit.
    let calls: Vec<_> = (0..20).map(|_| spawn(&service, call("/rooms/1", &[("x-after", "3")]), start)).collect();
    sleep(ms(30_500)).await;
    assert_eq!(handle.calls(), 11);
    send(&service, call("/rooms/2", &[])).await;
    send(&service, call("/else", &[])).await;
    assert_eq!(times(&handle, start)[11..], [30_500, 30_500]);
    for one in calls {
        one.await.unwrap().0.unwrap();
    }
    assert_eq!(times(&handle, start)[13..], [33_000; 10]);
}

#[tokio::test(start_paused = true)]
async fn the_release_of_an_upstream_has_one_queue_for_all_scopes() {
    let (mock, handle) = server();
    let service = serve(&layer(), &mock);
    good_day(&service, &handle).await;
    let start = Instant::now();
    send(&service, refused("/rooms/1", "20", &[])).await;
    send(&service, refused("/else", "30", &[])).await;
    let path = |nth: u32| format!("/rooms/{}", nth % 4);
    let calls: Vec<_> = (0..20).map(|nth| spawn(&service, call(&path(nth), &[("x-after", "3")]), start)).collect();
    sleep(ms(30_500)).await;
    assert_eq!(handle.calls(), 12, "ten are in flight, whatever their scopes");
    for one in calls {
        one.await.unwrap().0.unwrap();
    }
    assert_eq!(times(&handle, start)[12..], [33_000; 10]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_released_by_its_scope_waits_for_its_upstream() {
    let (mock, handle) = server();
    let service = serve(&layer(), &mock);
    let start = Instant::now();
    let late = spawn(
        &service,
        {
            let mut request = refused("/else", "30", &[]);
            request.headers_mut().insert("x-after", 9.into());
            request
        },
        start,
    );
    sleep(ms(1)).await;
    send(&service, refused("/rooms/1", "10", &[])).await;
    let waiting = spawn(&service, call("/rooms/1", &[]), start);
    late.await.unwrap().0.unwrap();
    assert_eq!(waiting.await.unwrap().1, 39_000);
    assert_eq!(times(&handle, start), [0, 1, 39_000]);
}

#[tokio::test(start_paused = true)]
async fn opening_a_gate_opens_the_scope_and_the_upstream() {
    let (mock, handle) = server();
    let layer = layer();
    let service = serve(&layer, &mock);
    let start = Instant::now();
    for path in ["/rooms/1", "/rooms/2"] {
        send(&service, refused(path, "30", &[])).await;
    }
    let waiting: Vec<_> = ["/rooms/1", "/rooms/2"].map(|path| spawn(&service, call(path, &[]), start)).into();
    sleep(s(1)).await;
    layer.gate().open(&call("/rooms/1", &[]));
    for (one, at) in waiting.into_iter().zip([1_000, 30_000]) {
        assert_eq!(one.await.unwrap().1, at);
    }
    assert_eq!(times(&handle, start), [0, 0, 1_000, 30_000]);
}

#[tokio::test(start_paused = true)]
async fn shipped_scopes_hold_by_status_and_headers_alone() {
    let limited: &[_] = &[("x-ratelimit-remaining", "0"), ("x-ratelimit-resource", "search"), ("retry-after", "30")];
    let bucket: &[_] = &[("x-ratelimit-bucket", "abcd"), ("retry-after", "30")];
    let global: &[_] = &[("x-ratelimit-global", "true"), ("retry-after", "30")];
    for (name, path, status, headers, held, free) in [
        (
            "github",
            "/search/issues",
            "403",
            limited,
            &["/search/users"][..],
            &["/user", "/search/code", "/graphql"][..],
        ),
        ("github", "/repos/a/b", "429", &limited[2..], &["/user", "/search/code"], &[]),
        (
            "discord",
            "/api/v10/channels/1/messages",
            "429",
            bucket,
            &["/api/v10/channels/1/messages"],
            &["/api/v10/channels/2/messages", "/api/v10/users/@me"],
        ),
        (
            "discord",
            "/api/v10/channels/1/messages",
            "429",
            global,
            &["/api/v10/channels/2/messages", "/api/v10/users/@me"],
            &[],
        ),
        ("slack", "/api/users.list", "429", &[("retry-after", "30")], &["/api/users.list"], &["/api/chat.postMessage"]),
        (
            "slack",
            "/api/users.list",
            "503",
            &[("retry-after", "30")],
            &["/api/users.list", "/api/chat.postMessage"],
            &[],
        ),
    ] {
        let (mock, _handle) = server();
        let layer = PaceLayer::new(dialects::by_name(name).unwrap());
        send(&serve(&layer, &mock), call(path, &[&[("x-status", status)], headers].concat())).await;
        for (paths, wait) in [(held, 30), (free, 0)] {
            for path in paths {
                assert_eq!(cooldown(&layer, path), wait, "{name} {path}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_released_by_its_scope_waits_for_a_permit_of_its_upstream() {
    let (mock, handle) = server();
    let service = serve(&layer(), &mock);
    good_day(&service, &handle).await;
    let start = Instant::now();
    let both = [("/rooms/1", "31"), ("/else", "30")].map(|(path, wait)| {
        let mut request = refused(path, wait, &[]);
        request.headers_mut().insert("x-after", 1.into());
        spawn(&service, request, start)
    });
    for one in both {
        one.await.unwrap().0.unwrap();
    }
    let calls: Vec<_> = (0..10).map(|_| spawn(&service, call("/else", &[("x-after", "3")]), start)).collect();
    let waiting = spawn(&service, call("/rooms/1", &[]), start);
    for one in calls {
        assert_eq!(one.await.unwrap().1, 34_000);
    }
    assert_eq!(waiting.await.unwrap().1, 34_000);
    assert_eq!(times(&handle, start)[12..], [34_000], "ten are in flight from 31 s on");
}
