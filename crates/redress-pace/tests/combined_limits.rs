//! Limits of the whole API and of wildcard routes, and several limits that cover one request.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

mod common;

use std::time::{Duration, SystemTime};

use common::{count, layer, request, s, serve, server, spawn, times};
use http::Request;
use redress_classify::{Clock, Dialect};
use redress_pace::{Limit, PaceLayer};
use tokio::time::{Instant, advance, sleep};
use tower::ServiceExt;

/// Returns the maximum number of arrivals in an interval of this length that begins with one.
fn busiest(times: &[u128], span: Duration) -> usize {
    let within = |from: u128| times.iter().filter(|at| (from..from + span.as_millis()).contains(*at)).count();
    times.iter().map(|from| within(*from)).max().unwrap_or(0)
}

/// Returns a limit with a burst of one, to a route or to all.
fn spaced(route: Option<&str>, requests: u32, per: Duration) -> Limit {
    let limit = route.map_or_else(
        || Limit::all_routes(count(requests), per),
        |route| Limit::new(route.parse().unwrap(), count(requests), per),
    );
    limit.burst(count(1))
}

fn get(path: &str) -> Request<String> {
    request(&format!("https://api.example{path}"))
}

#[tokio::test(start_paused = true)]
async fn a_limit_may_cover_the_whole_api_or_all_below_a_path() {
    for (route, counted, free) in [
        (None, ["/v1/a", "/v2/b?c", "/"], None),
        (Some("* /v1/**"), ["/v1/a", "/v1", "/v1/b/c?d"], Some("/v2/a")),
        (Some("GET /search/**"), ["/search/a", "/search/b", "/search/c/d"], Some("/find")),
        (Some("GET /v1/*/lines"), ["/v1/1/lines", "/v1/2/lines", "/v1/3/lines"], Some("/v1/1/lines/2")),
    ] {
        let (mock, handle) = server();
        let service = serve(&layer().limit(spaced(route, 2, s(10))), &mock);
        let start = Instant::now();
        let calls: Vec<_> = counted.map(|path| spawn(&service, get(path), start)).into();
        let mut ends = Vec::new();
        for call in calls {
            ends.push(call.await.unwrap().1);
        }
        assert_eq!(ends, [0, 5_000, 10_000], "{route:?}");
        if let Some(free) = free {
            service.oneshot(get(free)).await.unwrap();
            assert_eq!(times(&handle, start)[3], 10_000, "{route:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_is_sent_when_all_limits_that_cover_it_allow_it() {
    let whole = || spaced(None, 10, s(10));
    let search = || spaced(Some("GET /search/**"), 2, s(10));
    for layer in [layer().limit(whole()).limit(search()), layer().limit(search()).limit(whole())] {
        let (mock, handle) = server();
        let service = serve(&layer, &mock);
        let start = Instant::now();
        let paths = ["/search/1", "/search/2", "/a", "/b", "/search/3", "/c"];
        let calls: Vec<_> = paths.map(|path| spawn(&service, get(path), start)).into();
        let mut ends = Vec::new();
        for call in calls {
            ends.push(call.await.unwrap().1);
        }
        // One request a second, and one search in 5 s. A call that waits for a search does not delay others.
        assert_eq!(ends, [0, 5_000, 1_000, 2_000, 10_000, 3_000]);
        assert_eq!(times(&handle, start).len(), 6);
    }
}

#[tokio::test(start_paused = true)]
async fn a_limit_for_a_second_and_one_for_a_minute_both_count() {
    let dialect = "name = \"acme\"\n[[limits]]\nrequests = 2\nper_s = 1\n[[limits]]\nrequests = 30\nper_s = 60\n";
    let dialect = Dialect::from_toml("acme.toml", dialect).unwrap();
    let (mock, handle) = server();
    let service = serve(&PaceLayer::new(dialect).max_wait(s(3_600)), &mock);
    let start = Instant::now();
    let calls: Vec<_> = (0..100).map(|nth| spawn(&service, get(&format!("/{nth}")), start)).collect();
    for call in calls {
        call.await.unwrap().0.unwrap();
    }
    let times = times(&handle, start);
    assert!(busiest(&times, s(1)) <= 2 && busiest(&times, s(60)) <= 30, "{times:?}");
    assert!(times[99] <= 60_000 * 4, "they wait no longer than the minute's limit takes: {}", times[99]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_cannot_wait_for_one_of_its_limits_fails_at_once_and_counts_in_none() {
    let clock = Clock::anchored(SystemTime::UNIX_EPOCH);
    let (mock, handle) = server();
    let layer = layer().limit(spaced(None, 1, s(60))).limit(spaced(Some("GET /a"), 10, s(10))).clock(clock);
    let service = serve(&layer.clone().deadline(s(30)), &mock);
    let start = Instant::now();
    service.clone().oneshot(get("/a")).await.unwrap();
    for _ in 0..3 {
        let (outcome, at) = spawn(&service, get("/a"), start).await.unwrap();
        let error = outcome.unwrap_err();
        assert_eq!((error.is_paced(), error.retry_at(), at), (true, Some(SystemTime::UNIX_EPOCH + s(60)), 0));
    }
    let hasty = serve(&layer.clone().fail_fast(), &mock);
    assert!(hasty.oneshot(get("/a")).await.unwrap_err().is_paced());
    advance(s(60)).await;
    service.oneshot(get("/a")).await.unwrap();
    assert_eq!(times(&handle, start), [0, 60_000], "no slot of the other limit was used up");
}

#[tokio::test(start_paused = true)]
async fn a_call_dropped_in_the_second_queue_leaves_both_slots_to_the_next() {
    let (mock, handle) = server();
    let layer = layer().limit(spaced(None, 1, s(10))).limit(spaced(Some("GET /a"), 10, s(10)));
    let service = serve(&layer, &mock);
    let start = Instant::now();
    service.clone().oneshot(get("/b")).await.unwrap();
    let calls: Vec<_> = (0..3).map(|_| spawn(&service, get("/a"), start)).collect();
    sleep(s(5)).await;
    calls[0].abort();
    let mut ends = Vec::new();
    for call in calls.into_iter().skip(1) {
        ends.push(call.await.unwrap().1);
    }
    assert_eq!((ends, times(&handle, start)), (vec![10_000, 20_000], vec![0, 10_000, 20_000]));
}

#[tokio::test(start_paused = true)]
async fn a_later_limit_for_the_same_routes_and_time_replaces_an_earlier_one() {
    let (mock, handle) = server();
    for (first, second, both) in [
        (spaced(Some("GET /a"), 1, s(10)), spaced(Some("GET /a"), 2, s(10)), false),
        (spaced(None, 1, s(10)), spaced(None, 2, s(10)), false),
        (spaced(Some("GET /a"), 1, s(10)), spaced(Some("* /a"), 2, s(10)), true),
        (spaced(Some("GET /a"), 1, s(10)), spaced(Some("GET /a"), 4, s(20)), true),
        (spaced(Some("GET /a"), 1, s(10)), spaced(None, 2, s(10)), true),
    ] {
        let text = format!("{first:?} {second:?}");
        let service = serve(&layer().limit(first).limit(second), &mock);
        let start = Instant::now();
        handle.take();
        for _ in 0..2 {
            service.clone().oneshot(get("/a")).await.unwrap();
        }
        assert_eq!(times(&handle, start), [0, if both { 10_000 } else { 5_000 }], "{text}");
    }
}
