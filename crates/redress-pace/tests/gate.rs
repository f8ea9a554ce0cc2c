//! The gate: which calls a cool-down delays, until when, and how they are released.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

mod common;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

use common::{URL, close, layer, ms, refused_after, refusing, request, s, serve, server, silent, spawn, times};
use http::{Request, Response};
use http_body_util::Full;
use redress_classify::{Class, ClassifyLayer, Clock, Deadline, Phase, Recovery, dialects};
use redress_pace::PaceLayer;
use redress_sandbox::strict_mock::{Answer, StrictMock};
use tokio::time::{Instant, advance, sleep};
use tower::{Layer, ServiceExt};

#[tokio::test(start_paused = true)]
async fn a_429_with_a_hint_delays_all_later_calls_until_then() {
    let (mock, handle) = server();
    let service = serve(&layer(), &mock);
    let start = Instant::now();
    close(&service, 30).await;
    let calls: Vec<_> = (0..3).map(|_| spawn(&service, request(URL), start)).collect();
    sleep(s(29)).await;
    assert_eq!(handle.calls(), 1, "no call is sent before");
    for call in calls {
        assert_eq!(call.await.unwrap().0.unwrap().status(), 200);
    }
    assert_eq!(times(&handle, start), [0, 30_000, 30_000, 30_000]);
    handle.assert_idle();
}

#[tokio::test(start_paused = true)]
async fn only_throttling_with_a_time_starts_a_cool_down() {
    for (status, wait, parks) in [
        ("429", Some("7"), true),
        ("503", Some("7"), true),
        ("429", None, false),
        ("429", Some("0"), false),
        ("429", Some("soon"), false),
        ("503", None, false),
        ("500", Some("7"), false),
        ("502", Some("7"), false),
        ("404", Some("7"), false),
        ("200", Some("7"), false),
        ("0", None, false),
    ] {
        let (mock, _handle) = server();
        let layer = layer();
        let service = serve(&layer, &mock);
        let _ = service.oneshot(refusing(URL, status, wait)).await;
        let until = layer.gate().cooldown_until(&request(URL));
        assert_eq!(until, parks.then(|| Instant::now() + s(7)), "{status} {wait:?}");
        assert_eq!(layer.gate().is_open(), !parks, "{status} {wait:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_vendors_published_wait_applies_unless_there_is_a_hint() {
    for (dialect, status, wait, expected) in [
        (dialects::veridia(), "429", None, Some(s(1))),
        (dialects::maleslab(), "429", None, Some(s(5))),
        (dialects::maleslab(), "429", Some("2"), Some(s(2))),
        (dialects::ranex(), "429", None, None),
        (dialects::maleslab(), "503", None, None),
        (dialects::maleslab(), "500", None, None),
    ] {
        let (mock, _handle) = server();
        let layer = PaceLayer::new(dialect);
        let service = serve(&layer, &mock);
        service.oneshot(refusing(URL, status, wait)).await.unwrap();
        assert_eq!(layer.gate().cooldown_until(&request(URL)), expected.map(|wait| Instant::now() + wait));
    }
}

#[tokio::test(start_paused = true)]
async fn the_attached_verdict_overrides_the_status() {
    let body = r#"{"error":"rate_limited","message":"slow down"}"#;
    let throttled = || {
        let response = Response::builder().status(418).header("retry-after", "4");
        Answer::ok(response.body(Full::new(body.as_bytes())).unwrap())
    };
    let mock = StrictMock::scripted([throttled()]);
    let _handle = mock.handle();
    let layer = PaceLayer::new(dialects::veridia());
    let service = layer.layer(ClassifyLayer::new(dialects::veridia()).layer(mock));
    service.oneshot(request(URL)).await.unwrap();
    assert_eq!(layer.gate().cooldown_until(&request(URL)), Some(Instant::now() + s(4)));
}

#[tokio::test(start_paused = true)]
async fn the_release_is_spread_and_never_early() {
    for (hint, latest) in [(2, 3_000), (30, 45_000), (60, 90_000), (100, 130_000)] {
        for (random, share) in [(0, 0), (1 << 31, 1), (u32::MAX, 2)] {
            let (mock, handle) = server();
            let service = serve(&layer().random(move || random), &mock);
            let start = Instant::now();
            close(&service, hint).await;
            service.oneshot(request(URL)).await.unwrap();
            let (earliest, at) = (u128::from(hint) * 1000, times(&handle, start)[1]);
            assert_eq!(at, earliest + (latest - earliest) * share / 2, "{hint} s, {random}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_later_hint_extends_the_wait_of_waiting_calls_and_a_sooner_one_does_not_shorten_it() {
    let (mock, handle) = server();
    let service = serve(&layer(), &mock);
    let start = Instant::now();
    // These are sent before the gate closes: it does not delay them.
    let refused: Vec<_> = [refused_after(5, 20), refused_after(6, 1), refused_after(0, 10)]
        .into_iter()
        .map(|request| spawn(&service, request, start))
        .collect();
    sleep(s(1)).await;
    let call = spawn(&service, request(URL), start);
    for refused in refused {
        refused.await.unwrap().0.unwrap();
    }
    assert_eq!(call.await.unwrap().1, 25_000);
    assert_eq!(times(&handle, start), [0, 0, 0, 25_000]);
}

#[tokio::test(start_paused = true)]
async fn repeated_hints_hold_no_call_past_its_deadline() {
    let (mock, handle) = server();
    let service = serve(&layer(), &mock);
    let start = Instant::now();
    let refused: Vec<_> = (0..10).rev().map(|nth| spawn(&service, refused_after(nth * 100, 120), start)).collect();
    sleep(ms(1)).await;
    let mut patient = request(URL);
    patient.extensions_mut().insert(Deadline::new(start + s(500)));
    let (outcome, at) = spawn(&service, patient, start).await.unwrap();
    // It wakes at 120 s, 220 s and so on, and fails when the next cool-down ends after its deadline.
    assert_eq!((outcome.unwrap_err().is_paced(), at), (true, 420_000));
    for refused in refused {
        refused.await.unwrap().0.unwrap();
    }
    assert_eq!(handle.calls(), 10, "it was never sent");
}

#[tokio::test(start_paused = true)]
async fn a_success_ends_no_cool_down() {
    let (mock, _handle) = server();
    let layer = layer();
    let service = serve(&layer, &mock);
    let start = Instant::now();
    let mut slow = request(URL);
    slow.headers_mut().insert("x-after", 5.into());
    let slow = spawn(&service, slow, start);
    sleep(ms(1)).await;
    close(&service, 10).await;
    assert_eq!(slow.await.unwrap().0.unwrap().status(), 200);
    assert_eq!(layer.gate().cooldown_until(&request(URL)), Some(start + ms(10_001)));
}

#[tokio::test(start_paused = true)]
async fn other_hosts_and_other_keys_are_not_delayed() {
    let (mock, handle) = server();
    let service = serve(&layer(), &mock);
    let start = Instant::now();
    close(&service, 30).await;
    for uri in ["https://other.example/v1/things", "https://api.example:8443/v1/things", "/v1/things"] {
        service.clone().oneshot(request(uri)).await.unwrap();
    }
    assert_eq!(times(&handle, start), [0; 4]);
    service.oneshot(request("https://API.example:443/other")).await.unwrap();
    assert_eq!(times(&handle, start)[4], 30_000, "the same host, however it is written");

    let keyed = layer().partition(|_, _, headers| headers.get("x-tenant")?.to_str().ok().map(str::to_owned));
    let service = serve(&keyed, &mock);
    let of = |mut request: Request<String>, tenant: &str| {
        request.headers_mut().insert("x-tenant", tenant.parse().unwrap());
        request
    };
    service.clone().oneshot(of(refusing(URL, "429", Some("9")), "a")).await.unwrap();
    let gate = keyed.gate();
    assert_eq!(gate.cooldown_until(&of(request("https://other.example"), "a")), Some(Instant::now() + s(9)));
    assert_eq!(gate.cooldown_until(&of(request(URL), "b")), None);
    assert_eq!(gate.cooldown_until(&request(URL)), None, "without a key its partition is the host");
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_deadline_is_sooner_fails_at_once_and_says_when() {
    let clock = Clock::anchored(SystemTime::UNIX_EPOCH + s(1_000_000));
    let (mock, handle) = server();
    let service = serve(&layer().deadline(s(30)).clock(clock), &mock);
    let start = Instant::now();
    close(&service, 30).await;
    let (outcome, at) = spawn(&service, request(URL), start).await.unwrap();
    let error = outcome.unwrap_err();
    assert!(error.is_paced() && error.phase() == Phase::NotSent);
    assert_eq!((error.class(), error.recovery()), (Class::RateLimited, Recovery::Retry));
    assert_eq!((error.retry_at(), at), (Some(SystemTime::UNIX_EPOCH + s(1_000_030)), 0));
    advance(ms(1)).await;
    service.clone().oneshot(request(URL)).await.expect("now there is a millisecond left for it");
    assert_eq!(times(&handle, start), [0, 30_000]);
    handle.assert_idle();
}

#[tokio::test(start_paused = true)]
async fn a_requests_own_deadline_replaces_that_of_the_layer() {
    let (mock, handle) = server();
    let service = serve(&layer().deadline(s(20)), &mock);
    let start = Instant::now();
    close(&service, 30).await;
    let with = |deadline| {
        let mut request = request(URL);
        request.extensions_mut().insert(Deadline::from_now(deadline));
        request
    };
    assert!(service.clone().oneshot(with(s(29))).await.unwrap_err().is_paced());
    service.clone().oneshot(with(s(300))).await.unwrap();
    assert_eq!(times(&handle, start), [0, 30_000]);
}

#[tokio::test(start_paused = true)]
async fn near_a_deadline_the_spread_leaves_half_of_the_remaining_time() {
    let (mock, handle) = server();
    let service = serve(&layer().deadline(s(32)).random(|| u32::MAX), &mock);
    let start = Instant::now();
    close(&service, 30).await;
    service.oneshot(request(URL)).await.unwrap();
    assert_eq!(times(&handle, start), [0, 31_000]);
}

#[tokio::test(start_paused = true)]
async fn without_a_deadline_the_longest_wait_is_bounded_and_the_spread_comes_on_top() {
    for (hint, waits) in [(119, true), (120, true), (121, false), (3_600, false)] {
        let (mock, handle) = server();
        let service = serve(&layer().random(|| u32::MAX), &mock);
        let start = Instant::now();
        close(&service, hint).await;
        let outcome = service.clone().oneshot(request(URL)).await;
        assert_eq!(outcome.is_ok(), waits, "{hint}");
        assert_eq!(times(&handle, start).len(), 1 + usize::from(waits));
    }
    let (mock, _handle) = server();
    let service = serve(&layer().max_wait(s(5)), &mock);
    close(&service, 6).await;
    assert!(service.oneshot(request(URL)).await.unwrap_err().is_paced());
}

#[tokio::test(start_paused = true)]
async fn an_implausible_hint_starts_no_cool_down() {
    let now = SystemTime::UNIX_EPOCH + s(1_763_650_000);
    for wait in [
        "1763649999",
        "1763649999000",
        "31622401",
        "99999999999999999999",
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Thu, 01 Jan 1970 00:00:00 GMT",
    ] {
        let (mock, handle) = server();
        let layer = layer().clock(Clock::anchored(now));
        let service = serve(&layer, &mock);
        let start = Instant::now();
        for status in ["429", "503"] {
            service.clone().oneshot(refusing(URL, status, Some(wait))).await.unwrap();
            let refused = Instant::now();
            service.clone().oneshot(request(URL)).await.expect(wait);
            assert!(refused.elapsed() <= s(5), "{wait}");
        }
        assert_eq!(times(&handle, start).len(), 4, "{wait}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cool_down_lasts_an_hour_at_most_and_reports_the_hint_as_it_is() {
    let now = SystemTime::UNIX_EPOCH + s(1_763_650_000);
    for (wait, retry_at) in [("31622400", now + s(31_622_400)), ("1763736400", now + s(86_400))] {
        let (mock, handle) = server();
        let layer = layer().clock(Clock::anchored(now));
        let service = serve(&layer, &mock);
        let start = Instant::now();
        service.clone().oneshot(refusing(URL, "429", Some(wait))).await.unwrap();
        let error = service.clone().oneshot(request(URL)).await.unwrap_err();
        assert_eq!(error.retry_at(), Some(retry_at), "{wait}");
        advance(s(3_600)).await;
        service.clone().oneshot(request(URL)).await.expect("an hour later the next caller finds out");
        assert_eq!(times(&handle, start), [0, 3_600_000]);
    }
}

#[tokio::test(start_paused = true)]
async fn opening_a_gate_sends_the_calls_that_wait_there() {
    let (mock, handle) = server();
    let layer = layer();
    let (service, gate) = (serve(&layer, &mock), layer.gate());
    let start = Instant::now();
    close(&service, 100).await;
    service.clone().oneshot(refusing("https://b.example/", "429", Some("100"))).await.unwrap();
    let calls: Vec<_> = (0..3).map(|_| spawn(&service, request(URL), start)).collect();
    let other = spawn(&service, request("https://b.example/"), start);
    sleep(s(1)).await;
    gate.open(&request("https://api.example/whatever"));
    sleep(s(1)).await;
    for call in calls {
        assert_eq!(call.await.unwrap().1, 1_000);
    }
    assert!(gate.cooldown_until(&request(URL)).is_none() && !gate.is_open(), "the other cool-down lasts");
    assert_eq!(other.await.unwrap().1, 100_000);
    assert_eq!(handle.calls(), 6);
    gate.open(&request(URL));
}

#[tokio::test(start_paused = true)]
async fn fail_fast_delays_no_call() {
    let (mock, handle) = server();
    let service = serve(&layer().fail_fast(), &mock);
    let start = Instant::now();
    close(&service, 1).await;
    let mut patient = request(URL);
    patient.extensions_mut().insert(Deadline::from_now(s(100)));
    for request in [request(URL), patient] {
        let (outcome, at) = spawn(&service, request, start).await.unwrap();
        assert!(outcome.unwrap_err().is_paced() && at == 0);
    }
    advance(s(1)).await;
    service.oneshot(request(URL)).await.unwrap();
    assert_eq!(handle.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn each_waiting_call_has_its_own_random_release() {
    let (mock, handle) = server();
    let draws = AtomicU32::new(0);
    // 0, 1/4, 1/2, 3/4 of the spread.
    let service = serve(&layer().random(move || draws.fetch_add(1, Ordering::Relaxed) << 30), &mock);
    let start = Instant::now();
    close(&service, 8).await;
    let calls: Vec<_> = (0..4).map(|_| spawn(&service, request(URL), start)).collect();
    for call in calls {
        call.await.unwrap().0.unwrap();
    }
    assert_eq!(times(&handle, start), [0, 8_000, 9_000, 10_000, 11_000]);
}

#[tokio::test(start_paused = true)]
async fn clones_and_services_of_a_layer_share_the_gate_and_other_layers_do_not() {
    let (mock, _handle) = server();
    let layer = layer();
    close(&serve(&layer, &mock), 10).await;
    assert!(layer.clone().gate().cooldown_until(&request(URL)).is_some());
    assert!(serve(&layer.clone().fail_fast(), &mock).oneshot(request(URL)).await.unwrap_err().is_paced());
    let other = PaceLayer::new(silent());
    assert!(other.gate().is_open());
}

#[tokio::test(start_paused = true)]
async fn requests_without_a_host_in_their_uri_are_partitioned_by_their_host_header() {
    let to = |host: &'static str| {
        let mut request = request("/v1/things");
        request.headers_mut().insert("host", http::HeaderValue::from_static(host));
        request
    };
    let (mock, handle) = server();
    let layer = layer();
    let service = serve(&layer, &mock);
    let start = Instant::now();
    let mut refused = to("a.example:8443");
    refused.headers_mut().extend(refusing("/", "429", Some("30")).headers().clone());
    assert_eq!(service.clone().oneshot(refused).await.unwrap().status(), 429);
    for (host, is_cooling) in
        [("a.example:8443", true), ("A.EXAMPLE:8443", true), ("a.example", false), ("b.example", false)]
    {
        assert_eq!(layer.gate().cooldown_until(&to(host)).is_some(), is_cooling, "{host}");
    }
    spawn(&service, to("b.example"), start).await.unwrap().0.unwrap();
    assert_eq!(times(&handle, start), [0, 0]);
}

/// Returns the deadline in the extensions of a request that reaches the server, after a cool-down of `cool_down` seconds.
async fn handed_down(layer: &PaceLayer, cool_down: u64, request: Request<String>) -> Option<Deadline> {
    let (mock, _handle) = server();
    if cool_down > 0 {
        close(&serve(layer, &mock), cool_down).await;
    }
    let seen = StrictMock::new(|request: &Request<String>| {
        let deadline = request.extensions().get::<Deadline>().copied();
        async move { Ok(Response::new(deadline)) }
    });
    layer.layer(seen.allow_abandoned()).oneshot(request).await.unwrap().into_body()
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waited_passes_its_deadline_on_and_any_other_does_not() {
    let own = || {
        let mut request = request(URL);
        request.extensions_mut().insert(Deadline::from_now(s(40)));
        request
    };
    let deadline = Deadline::from_now(s(30));
    assert_eq!(
        handed_down(&layer().deadline(s(30)), 10, request(URL)).await,
        Some(deadline),
        "it counts from the start of the call"
    );
    assert_eq!(handed_down(&layer().deadline(s(30)), 0, request(URL)).await, None);
    assert_eq!(handed_down(&layer(), 10, request(URL)).await, None, "the maximum wait is not a deadline");
    let deadline = Deadline::from_now(s(40));
    assert_eq!(handed_down(&layer().deadline(s(30)), 10, own()).await, Some(deadline));
    let capped = layer().deadline(s(30)).cap_deadline(s(20)).cap_deadline(s(25));
    let deadline = Deadline::from_now(s(20));
    assert_eq!(handed_down(&capped, 10, request(URL)).await, Some(deadline), "the earliest counts");
}
