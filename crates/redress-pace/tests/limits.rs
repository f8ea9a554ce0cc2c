//! The limits: how many requests are sent, in which order, and which calls fail.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

mod common;

use std::time::{Duration, SystemTime};

use common::{URL, close, count, layer, limit, ms, refused_after, request, s, serve, server, spawn, times};
use http::Request;
use redress_classify::{Clock, Deadline, SendState, dialects};
use redress_pace::{Limit, PaceLayer};
use tokio::time::{Instant, advance, sleep};
use tower::ServiceExt;

/// Returns the maximum number of arrivals in an interval of this length that begins with one.
fn busiest(times: &[u128], span: Duration) -> usize {
    let within = |from: u128| times.iter().filter(|at| (from..from + span.as_millis()).contains(*at)).count();
    times.iter().map(|from| within(*from)).max().unwrap_or(0)
}

#[tokio::test(start_paused = true)]
async fn calls_are_sent_at_the_rate_of_their_limit_in_the_order_of_arrival() {
    let (mock, handle) = server();
    let service = serve(&layer().limit(limit(5)), &mock);
    let start = Instant::now();
    let call = |nth: u32| Request::get(URL).body(nth.to_string()).unwrap();
    let calls: Vec<_> = (0..6).map(|nth| spawn(&service, call(nth), start)).collect();
    for call in calls {
        call.await.unwrap().0.unwrap();
    }
    assert_eq!(times(&handle, start), [0, 2_000, 4_000, 6_000, 8_000, 10_000]);
    let order: Vec<_> = handle.requests().iter().map(|request| request.body().clone()).collect();
    assert_eq!(order, ["0", "1", "2", "3", "4", "5"]);
    handle.assert_idle();
}

#[tokio::test(start_paused = true)]
async fn a_published_limit_of_a_route_holds_in_every_minute() {
    for (method, path, allowed, burst) in
        [("POST", "/v1/verify/init", 60, 6), ("POST", "/v1/verify/submit", 30, 3), ("GET", "/v1/verify/vf_1", 600, 60)]
    {
        let (mock, handle) = server();
        let service = serve(&PaceLayer::new(dialects::veridia()).max_wait(s(3_600)), &mock);
        let start = Instant::now();
        let call = || {
            let uri = format!("https://api.example{path}");
            Request::builder().method(method).uri(uri).body(String::new()).unwrap()
        };
        let total = allowed * 3;
        let calls: Vec<_> = (0..total).map(|_| spawn(&service, call(), start)).collect();
        for call in calls {
            call.await.unwrap().0.unwrap();
        }
        let times = times(&handle, start);
        assert_eq!(times.len(), total);
        assert!(busiest(&times, s(60)) <= allowed, "{path}");
        assert_eq!(times.iter().filter(|at| **at == 0).count(), burst, "{path}");
        assert!(times[total - 1] < 60_000 * 10 / 3, "nine tenths of the rate remain: {path} {}", times[total - 1]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_published_limit_without_a_route_is_not_applied() {
    let (mock, handle) = server();
    let auth = |path: &str| request(&format!("https://api.example{path}"));
    let service = serve(&PaceLayer::new(dialects::ranex()), &mock);
    for _ in 0..100 {
        service.clone().oneshot(auth("/v1/auth/token")).await.unwrap();
    }
    let limit = Limit::new("GET /v1/auth/token".parse().unwrap(), count(20), s(60));
    let limit = limit.route("GET /v1/auth/{id}/refresh".parse().unwrap());
    let service = serve(&PaceLayer::new(dialects::ranex()).limit(limit), &mock);
    handle.take();
    let start = Instant::now();
    let path = |nth| if nth % 2 == 0 { "/v1/auth/token" } else { "/v1/auth/7/refresh?full=1" };
    let calls: Vec<_> = (0..30).map(|nth| spawn(&service, auth(path(nth)), start)).collect();
    let free = spawn(&service, auth("/v1/applicants"), start);
    assert_eq!(free.await.unwrap().1, 0, "other routes are not counted");
    for call in calls {
        call.await.unwrap().0.unwrap();
    }
    let mut times = times(&handle, start);
    times.retain(|at| *at > 0);
    assert!(busiest(&times, s(60)) <= 20, "its routes are counted together");
}

#[tokio::test(start_paused = true)]
async fn the_limit_that_was_added_last_counts_and_all_can_be_dropped() {
    let (mock, handle) = server();
    let free = limit(1_000).burst(count(1_000));
    for layer in [layer().limit(limit(1)).limit(free.clone()), layer().limit(limit(1)).without_limits()] {
        let service = serve(&layer, &mock);
        let start = Instant::now();
        handle.take();
        for _ in 0..50 {
            service.clone().oneshot(request(URL)).await.unwrap();
        }
        assert_eq!(times(&handle, start), [0; 50]);
    }
    let veridia = PaceLayer::new(dialects::veridia()).without_limits();
    let service = serve(&veridia, &mock);
    for _ in 0..1_000 {
        service.clone().oneshot(request("https://api.example/v1/verify/vf_1")).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn hosts_and_keys_are_counted_apart() {
    let (mock, handle) = server();
    let layer = layer().limit(limit(1));
    let start = Instant::now();
    let service = serve(&layer, &mock);
    for host in ["a", "b", "c"] {
        service.clone().oneshot(request(&format!("https://{host}.example/v1/things"))).await.unwrap();
    }
    assert_eq!(times(&handle, start), [0; 3]);
    let keyed = layer.partition(|_, uri, _| uri.query().map(str::to_owned));
    let service = serve(&keyed, &mock);
    for (host, key) in [("a", "k"), ("b", "l"), ("b", "k")] {
        service.clone().oneshot(request(&format!("https://{host}.example/v1/things?{key}"))).await.unwrap();
    }
    assert_eq!(times(&handle, start)[3..], [0, 0, 10_000]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_cannot_wait_for_a_limit_fails_at_once_with_its_time() {
    let clock = Clock::anchored(SystemTime::UNIX_EPOCH);
    let (mock, handle) = server();
    let service = serve(&layer().limit(limit(5)).deadline(s(5)).clock(clock), &mock);
    let start = Instant::now();
    let calls: Vec<_> = (0..5).map(|_| spawn(&service, request(URL), start)).collect();
    let mut ends = Vec::new();
    for call in calls {
        let (outcome, at) = call.await.unwrap();
        ends.push((outcome.err().and_then(|error| error.retry_at()), at));
    }
    // The fourth could be sent at 6 s, and so could the fifth, since the fourth does not wait.
    let late = Some(SystemTime::UNIX_EPOCH + s(6));
    assert_eq!(ends, [(None, 0), (None, 2_000), (None, 4_000), (late, 0), (late, 0)]);
    assert_eq!(times(&handle, start), [0, 2_000, 4_000]);
    let mut patient = request(URL);
    patient.extensions_mut().insert(Deadline::from_now(s(60)));
    service.oneshot(patient).await.unwrap();
    assert_eq!(times(&handle, start)[3], 6_000);
}

#[tokio::test(start_paused = true)]
async fn fail_fast_queues_no_call() {
    let (mock, handle) = server();
    let service = serve(&layer().limit(limit(5)).fail_fast(), &mock);
    let start = Instant::now();
    service.clone().oneshot(request(URL)).await.unwrap();
    for _ in 0..3 {
        assert!(service.clone().oneshot(request(URL)).await.unwrap_err().is_paced());
    }
    advance(s(2)).await;
    service.clone().oneshot(request(URL)).await.unwrap();
    assert!(service.clone().oneshot(request(URL)).await.unwrap_err().is_paced());
    assert_eq!(times(&handle, start), [0, 2_000]);
}

#[tokio::test(start_paused = true)]
async fn the_gate_is_checked_again_after_the_wait_for_a_limit() {
    let (mock, handle) = server();
    let service = serve(&layer().limit(limit(5)), &mock);
    let start = Instant::now();
    let refused = spawn(&service, refused_after(1, 20), start);
    sleep(ms(1)).await;
    let calls: Vec<_> = (0..3).map(|_| spawn(&service, request(URL), start)).collect();
    let mut hurried = request(URL);
    hurried.extensions_mut().insert(Deadline::from_now(s(15)));
    let hurried = spawn(&service, hurried, start);
    refused.await.unwrap().0.unwrap();
    let (outcome, at) = hurried.await.unwrap();
    assert_eq!((outcome.unwrap_err().is_paced(), at), (true, 1_000), "it fails at once, also behind others");
    for call in calls {
        call.await.unwrap().0.unwrap();
    }
    let times = times(&handle, start);
    assert_eq!(times, [0, 21_000, 23_000, 25_000], "no slot was used up while the gate was closed");
}

#[tokio::test(start_paused = true)]
async fn a_queue_keeps_its_rate_after_a_month_of_suspension() {
    let (mock, handle) = server();
    let service = serve(&layer().limit(limit(5).burst(count(2))).max_wait(Duration::MAX), &mock);
    let start = Instant::now();
    let calls: Vec<_> = (0..12).map(|_| spawn(&service, request(URL), start)).collect();
    sleep(ms(1)).await;
    assert_eq!(handle.calls(), 2);
    advance(s(30 * 86_400)).await;
    for call in calls {
        call.await.unwrap().0.unwrap();
    }
    let times = times(&handle, start);
    let month = times[2];
    let since: Vec<_> = times[2..].iter().map(|at| at - month).collect();
    assert_eq!(since[..5], [0, 0, 2_500, 5_000, 7_500], "the burst, and no more");
    assert!(busiest(&times, s(10)) <= 5);
}

#[tokio::test(start_paused = true)]
async fn waiting_calls_are_released_once_after_a_month_of_suspension() {
    let (mock, handle) = server();
    let service = serve(&layer().random(|| 1 << 31).limit(limit(10).burst(count(10))), &mock);
    let start = Instant::now();
    close(&service, 60).await;
    let calls: Vec<_> = (0..10).map(|_| spawn(&service, request(URL), start)).collect();
    sleep(ms(1)).await;
    advance(s(30 * 86_400)).await;
    for call in calls {
        call.await.unwrap().0.expect("it has waited for longer than it wanted to; now nothing keeps it");
    }
    assert_eq!(handle.calls(), 11, "one attempt each");
}

#[tokio::test(start_paused = true)]
async fn a_call_suspended_past_its_deadline_is_not_sent() {
    let (mock, handle) = server();
    let service = serve(&layer().limit(limit(5)).deadline(s(60)), &mock);
    let start = Instant::now();
    let queued: Vec<_> = (0..3).map(|_| spawn(&service, request(URL), start)).collect();
    sleep(ms(1)).await;
    // A call without a limit closes the gate.
    let mut refused = refused_after(0, 10);
    *refused.uri_mut() = "https://api.example/elsewhere".parse().unwrap();
    service.clone().oneshot(refused).await.unwrap();
    advance(s(30 * 86_400)).await;
    let late: Vec<_> = are_late(queued).await;
    assert_eq!(late, [false, true, true]);
    assert_eq!(handle.calls(), 2);
    service.oneshot(request(URL)).await.expect("the queue is free");
}

/// Returns whether each of these calls failed with its deadline.
async fn are_late(calls: Vec<tokio::task::JoinHandle<(common::Outcome, u128)>>) -> Vec<bool> {
    let mut late = Vec::new();
    for call in calls {
        late.push(call.await.unwrap().0.is_err_and(|error| error.is_deadline()));
    }
    late
}

#[tokio::test(start_paused = true)]
async fn a_limit_in_zero_time_allows_everything_and_one_in_infinite_time_its_count() {
    let (mock, handle) = server();
    let of = |per| Limit::new("GET /v1/things".parse().unwrap(), count(2), per).burst(count(2));
    let service = serve(&layer().limit(of(Duration::ZERO)), &mock);
    for _ in 0..100 {
        service.clone().oneshot(request(URL)).await.unwrap();
    }
    handle.take();
    let service = serve(&layer().limit(of(Duration::MAX)).max_wait(Duration::MAX), &mock);
    service.clone().oneshot(request(URL)).await.unwrap();
    service.clone().oneshot(request(URL)).await.unwrap();
    let call = spawn(&service, request(URL), Instant::now());
    sleep(s(30 * 86_400)).await;
    assert_eq!(handle.calls(), 2);
    call.abort();
}

#[tokio::test(start_paused = true)]
async fn a_hedge_waits_neither_for_a_limit_nor_for_a_cool_down() {
    let hedge = || {
        let mut hedge = request(URL);
        hedge.extensions_mut().insert(SendState::hedge());
        hedge
    };
    let (mock, handle) = server();
    let limited = serve(&layer().limit(limit(5)), &mock);
    let start = Instant::now();
    assert!(limited.clone().oneshot(hedge()).await.is_ok(), "it counts, and may go");
    assert!(limited.clone().oneshot(hedge()).await.unwrap_err().is_paced());
    sleep(s(2)).await;
    assert!(limited.oneshot(hedge()).await.is_ok());
    assert_eq!(times(&handle, start), [0, 2_000]);
    let cooled = serve(&layer(), &mock);
    close(&cooled, 10).await;
    let refused = cooled.clone().oneshot(hedge()).await.unwrap_err();
    assert!(refused.is_paced() && refused.retry_at().is_some() && start.elapsed() == s(2));
    sleep(s(12)).await;
    assert!(cooled.oneshot(hedge()).await.is_ok());
}
