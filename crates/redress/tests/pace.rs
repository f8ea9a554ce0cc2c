//! Pace in its place: every retry and every re-send passes it. On a paused clock, over a strict mock.

use std::num::NonZeroU32;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use redress::login::JsonLogin;
use redress::{
    Budget, Class, Code, EndReason, Jitter, Limit, PaceLayer, RedressLayer, ResponseExt, StaticHeaders, dialects,
};
use redress_sandbox::strict_mock::{Answer, Handle, StrictMock};
use tokio::time::{Instant, sleep};
use tower::{Layer, ServiceExt};

type Mock = StrictMock<Request<String>, Response<Full<Bytes>>>;
const URL: &str = "https://api.example";

fn mock(answers: Vec<Answer<Response<Full<Bytes>>>>) -> (Mock, Handle<Request<String>>) {
    // A call that has to wait gives its place back, on purpose.
    let mock = StrictMock::scripted(answers).allow_abandoned();
    let handle = mock.handle();
    (mock, handle)
}

fn response(status: u16, wait: Option<&str>) -> Response<Full<Bytes>> {
    let builder = Response::builder().status(status);
    let builder = if let Some(wait) = wait { builder.header("retry-after", wait) } else { builder };
    builder.body(Full::default()).expect("legal parts")
}

fn answer(status: u16, wait: Option<&str>) -> Answer<Response<Full<Bytes>>> {
    Answer::ok(response(status, wait))
}

fn json(body: &'static str) -> Answer<Response<Full<Bytes>>> {
    Answer::ok(Response::new(Full::from(body)))
}

fn request(method: &str, path: &str) -> Request<String> {
    let uri = format!("{URL}{path}");
    Request::builder().method(method).uri(uri).body(String::new()).expect("legal parts")
}

fn times(handle: &Handle<Request<String>>, start: Instant) -> Vec<u128> {
    handle.instants().iter().map(|at| (*at - start).as_millis()).collect()
}

/// No jitter, no spread.
fn exact(layer: RedressLayer) -> RedressLayer {
    layer.backoff(|backoff| backoff.jitter(Jitter::None)).pace(|pace| pace.random(|| 0))
}

/// Twice in each 20 s, one by one.
fn slow_route(route: &str) -> Limit {
    let two = NonZeroU32::new(2).expect("it is not zero");
    Limit::new(route.parse().expect("a route"), two, Duration::from_secs(20)).burst(NonZeroU32::MIN)
}

#[tokio::test(start_paused = true)]
async fn every_retry_passes_the_limits() {
    let (mock, handle) = mock(vec![answer(503, None), answer(503, None), answer(200, None)]);
    let layer = exact(RedressLayer::new(dialects::ranex())).pace(|pace| pace.limit(slow_route("GET /v1/a")));
    let start = Instant::now();
    let response = layer.layer(mock).oneshot(request("GET", "/v1/a")).await.unwrap();
    assert_eq!(response.status(), 200);
    // Backoff alone would wait for 1 s, then 2 s.
    assert_eq!(times(&handle, start), [0, 10_000, 20_000]);
}

#[tokio::test(start_paused = true)]
async fn every_retry_passes_the_gate() {
    // The 503 would be retried after 1 s; meanwhile another call to that host is throttled.
    let (mock, handle) = mock(vec![answer(503, None), answer(429, Some("30")), answer(200, None)]);
    let service = exact(RedressLayer::new(dialects::ranex())).layer(mock);
    let start = Instant::now();
    let call = tokio::spawn(service.clone().oneshot(request("GET", "/v1/a")));
    sleep(Duration::from_millis(500)).await;
    let other = tokio::spawn(service.oneshot(request("GET", "/v1/b")));
    sleep(Duration::from_secs(29)).await;
    other.abort();
    call.await.unwrap().unwrap();
    assert_eq!(times(&handle, start), [0, 500, 30_500]);
}

#[tokio::test(start_paused = true)]
async fn the_resend_after_a_refresh_passes_gate_and_limits() {
    const EXPIRED: &str = r#"{"data":null,"error_code":4011,"error_message":"expired"}"#;
    const LOGIN: &str = r#"{"data":{"accessToken":"a","refreshToken":"r","expiresIn":3600},"error_code":null}"#;
    const REFRESH: &str = r#"{"data":{"accessToken":"b","refreshToken":"s","expiresIn":3600},"error_code":null}"#;
    const SUCCESS: &str = r#"{"data":1,"error_code":null}"#;
    for (limit, throttled, expected) in [
        (None, false, [0, 0].as_slice()),
        (Some(slow_route("POST /v1/a")), false, &[0, 10_000]),
        (None, true, &[0, 0, 8_000]),
        (Some(slow_route("POST /v1/a")), true, &[0, 0, 10_000]),
    ] {
        let refresh = json(REFRESH).after(Duration::from_secs(if throttled { 2 } else { 0 }));
        let (logins, _login_handle) = mock(vec![json(LOGIN), refresh]);
        let login = JsonLogin::vlens(logins, URL, "key", "user", "password").unwrap();
        let mut answers = vec![json(EXPIRED), json(SUCCESS)];
        if throttled {
            answers.insert(0, answer(429, Some("7")).after(Duration::from_secs(1)));
        }
        let (mock, handle) = mock(answers);
        let expiring = dialects::vlens().with_code(Code::new("4011", Class::TokenExpired));
        let budget = Budget::new();
        let layer = exact(RedressLayer::new(expiring).credentials(login, URL.parse().unwrap()));
        let layer = layer.backoff(|backoff| backoff.budget(budget.clone())).pace(|pace| match limit {
            Some(limit) => pace.limit(limit),
            None => pace,
        });
        let service = layer.layer(mock);
        let start = Instant::now();
        // While the token is refreshed, another call learns that the upstream is throttling.
        let other = throttled.then(|| tokio::spawn(service.clone().oneshot(request("GET", "/v1/b"))));
        let call = tokio::spawn(service.oneshot(request("POST", "/v1/a")));
        sleep(Duration::from_millis(1_500)).await;
        if let Some(other) = other {
            other.abort();
        }
        let response = call.await.unwrap().unwrap().ok_or_api_error().unwrap();
        assert_eq!(response.record().map(|record| record.attempts().len()), Some(2));
        assert_eq!(times(&handle, start), expected);
        assert_eq!((budget.level(), layer.tokens().generation()), (500, 2), "it is free of charge");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_held_back_is_not_tried_again_and_says_why() {
    let (mock, handle) = mock(vec![answer(429, Some("30")), answer(200, None)]);
    let layer = exact(RedressLayer::new(dialects::ranex())).deadline(Duration::from_secs(20));
    let service = layer.layer(mock);
    let response = service.clone().oneshot(request("GET", "/v1/a")).await.unwrap();
    assert_eq!(
        response.record().map(redress::Record::end_reason),
        Some(EndReason::Deadline),
        "its own hint is too long for it"
    );
    let error = service.clone().oneshot(request("GET", "/v1/a")).await.unwrap_err();
    assert!(error.is_paced() && error.retry_at().is_some());
    assert_eq!(error.record().map(redress::Record::end_reason), Some(EndReason::Paced));
    let text = error.to_string();
    let expected =
        "api.example: rate-limit wait is too long: the request was not sent: cool-down after rate_limited, retry at ";
    assert!(text.strip_prefix(expected).is_some_and(|at| at.ends_with('Z') && !at.contains("attempt")), "{text}");
    layer.gate().open(&request("GET", "/v1/a"));
    service.oneshot(request("GET", "/v1/a")).await.unwrap();
    assert_eq!(handle.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_is_cut_or_fails_starts_no_cool_down() {
    let slow = answer(200, None).after(Duration::from_secs(60));
    let (mock, handle) = mock(vec![slow, Answer::error("the connection broke"), answer(200, None)]);
    let layer = RedressLayer::new(dialects::ranex()).attempt_timeout(Duration::from_secs(1));
    let layer = layer.backoff(|backoff| backoff.max_attempts(NonZeroU32::MIN));
    let service = layer.layer(mock);
    for is_timeout in [true, false] {
        let error = service.clone().oneshot(request("GET", "/v1/a")).await.unwrap_err();
        assert_eq!((error.is_transport(), error.is_timeout()), (true, is_timeout));
        assert!(layer.gate().is_open());
    }
    service.oneshot(request("GET", "/v1/a")).await.unwrap();
    assert_eq!(handle.calls(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_parked_call_waits_neither_in_an_attempt_timeout_nor_with_a_place_below() {
    let (mock, handle) = mock(vec![answer(429, Some("30")), answer(200, None), answer(200, None)]);
    let layer = exact(RedressLayer::new(dialects::ranex())).attempt_timeout(Duration::from_secs(1));
    let service = layer.layer(mock.limit(1));
    let start = Instant::now();
    let calls = [0, 1].map(|_| tokio::spawn(service.clone().oneshot(request("GET", "/v1/a"))));
    sleep(Duration::from_secs(1)).await;
    handle.assert_idle();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap().status(), 200);
    }
    assert_eq!(times(&handle, start), [0, 30_000, 30_000]);
}

#[tokio::test(start_paused = true)]
async fn published_limits_are_kept_by_default_and_can_be_lifted() {
    for (lifted, expected) in [(false, 3), (true, 30)] {
        let (mock, handle) = mock((0..30).map(|_| answer(200, None)).collect());
        let keys = StaticHeaders::new().header("authorization", "Bearer key").unwrap();
        let layer = RedressLayer::new(dialects::veridia()).credentials(keys, URL.parse().unwrap());
        let layer = if lifted { layer.pace(PaceLayer::without_limits) } else { layer };
        let service = layer.layer(mock);
        let calls: Vec<_> =
            (0..30).map(|_| tokio::spawn(service.clone().oneshot(request("POST", "/v1/verify/submit")))).collect();
        sleep(Duration::from_millis(1)).await;
        assert_eq!(handle.calls(), expected);
        for call in calls {
            call.await.unwrap().unwrap();
        }
        assert_eq!(handle.calls(), 30);
    }
}

/// Peak arrivals in any span of that length.
fn peak(arrivals: &[u128], span: u128) -> usize {
    let end = |from: u128| arrivals.partition_point(|at| *at < from + span);
    arrivals.iter().enumerate().map(|(nth, from)| end(*from) - nth).max().unwrap_or(0)
}

#[tokio::test(start_paused = true)]
async fn a_herd_comes_back_after_the_hint_and_not_all_at_once() {
    const CALLERS: u32 = 3_000;
    for seed in 0..3 {
        let mut opens = None;
        let mock = StrictMock::new(move |_: &Request<String>| {
            // The first ones are refused: those that arrive before the first answer.
            let first = *opens.get_or_insert_with(Instant::now);
            let is_refused = Instant::now() <= first + Duration::from_millis(100);
            async move {
                sleep(Duration::from_millis(100)).await;
                Ok(if is_refused { response(429, Some("30")) } else { response(200, None) })
            }
        })
        .allow_abandoned();
        let handle = mock.handle();
        let random = |seed| {
            let rng = Mutex::new(fastrand::Rng::with_seed(seed));
            move || rng.lock().unwrap().u32(..)
        };
        let layer = RedressLayer::new(dialects::ranex())
            .backoff(|backoff| backoff.budget(Budget::with_capacity(CALLERS * 5)).random(random(2 * seed)))
            .pace(|pace| pace.random(random(2 * seed + 1)));
        let service = layer.layer(mock);
        let start = Instant::now();
        let call = |nth: u32| {
            let service = service.clone();
            async move {
                sleep(Duration::from_secs(1) * nth / CALLERS).await;
                service.oneshot(request("GET", "/v1/a")).await
            }
        };
        let calls: Vec<_> = (0..CALLERS).map(|nth| tokio::spawn(call(nth))).collect();
        for call in calls {
            assert_eq!(call.await.unwrap().unwrap().status(), 200);
        }
        let times = times(&handle, start);
        let refused = times.partition_point(|at| *at < 1_000);
        let last_refusal = times[refused - 1] + 100;
        let returns = &times[refused..];
        assert_eq!(returns.len(), CALLERS as usize, "one attempt more for those who were refused, one for all others");
        assert!(returns[0] >= last_refusal + 30_000, "{} {last_refusal}", returns[0]);
        let window = returns[returns.len() - 1] - returns[0];
        assert!((14_000..=15_200).contains(&window), "{window}");
        let mean = |span: u128| returns.len() * span as usize / window as usize;
        // The calls of the first second wait for places, and catch up.
        assert!(peak(returns, 1_000) <= mean(1_000) * 2, "{} {}", peak(returns, 1_000), mean(1_000));
        assert!(peak(returns, 100) <= mean(100) * 5, "{} {}", peak(returns, 100), mean(100));
    }
}
