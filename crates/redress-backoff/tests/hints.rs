//! The effect of hints: whether there is a retry, its wait, and the evidence for both.

mod common;

use std::time::Duration;

use common::*;
use redress_backoff::{BackoffLayer, Jitter};
use redress_classify::{ClassifyLayer, EndReason, HintSource, ResponseExt, WaitSource, dialects};
use tokio::time::Instant;
use tower::{Layer, ServiceExt};

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_before_the_servers_hint() {
    for random in [0, 1, u32::MAX / 3, u32::MAX] {
        let layer = BackoffLayer::new(dialects::ranex()).random(move || random);
        let answers = vec![with(429, &[("retry-after", "10")]), with(503, &[("retry-after", "4")]), answer(200)];
        let (outcome, times) = run(&layer, request("GET"), answers).await;
        assert!((10_000..=15_000).contains(&times[1]), "{times:?}");
        assert!((4_000..=6_000).contains(&(times[2] - times[1])), "{times:?}");
        let response = outcome.expect("a response");
        let record = response.record().expect("three attempts");
        assert!(matches!(record.attempts()[0].wait_source, Some(WaitSource::Hint(_))));
        assert!(record.to_string().starts_with("3 attempts, 429 rate_limited, waited 1"), "{record}");
    }
    let layer = BackoffLayer::new(silent()).random(|| u32::MAX);
    let (_, times) = run(&layer, request("GET"), vec![with(429, &[("retry-after", "100")]), answer(200)]).await;
    assert!((129_000..=130_000).contains(&times[1]), "at most 30 s are added: {times:?}");
}

#[tokio::test(start_paused = true)]
async fn a_hint_of_zero_does_not_shorten_the_backoff() {
    let layer = BackoffLayer::new(silent()).random(|| u32::MAX / 2);
    for value in ["0", "Sun, 06 Nov 1994 08:49:37 GMT"] {
        let (_, times) = run(&layer, request("GET"), vec![with(429, &[("retry-after", value)]), answer(200)]).await;
        assert!((499..=501).contains(&times[1]), "{times:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn jitter_prolongs_a_vendors_schedule_by_at_most_half() {
    for random in [0, u32::MAX] {
        let layer = BackoffLayer::new(dialects::vlens()).random(move || random);
        let (_, times) = run(&layer, request("GET"), vec![answer(500), answer(500), answer(200)]).await;
        assert!((500..=750).contains(&times[1]) && (1000..=1500).contains(&(times[2] - times[1])), "{times:?}");
        let layer = BackoffLayer::new(dialects::maleslab()).random(move || random);
        let (_, times) = run(&layer, request("POST"), vec![answer(429), answer(200)]).await;
        assert!((5_000..=7_500).contains(&times[1]), "{times:?}");
    }
    let hinted = vec![with(429, &[("retry-after", "1")]), answer(200)];
    let (_, times) = run(&BackoffLayer::new(dialects::maleslab()), request("POST"), hinted).await;
    assert!((1_000..=1_500).contains(&times[1]), "the vendor's default stands in for a hint: {times:?}");
    let (_, times) =
        run(&BackoffLayer::new(dialects::vlens()), request("GET"), vec![answer(500), answer(500), answer(500)]).await;
    assert_eq!(times.len(), 3, "the vendor asks for three attempts");
}

#[tokio::test(start_paused = true)]
async fn an_implausible_hint_is_ignored() {
    let texts = ["1763650000", "99999999999999999999", "999999999", "Fri, 31 Dec 9999 23:59:59 GMT", "1000000000000"];
    for value in texts.into_iter().chain(["Thu, 01 Jan 1970 00:00:00 GMT"]) {
        let layer = BackoffLayer::new(silent()).random(|| u32::MAX / 2);
        let (outcome, times) =
            run(&layer, request("GET"), vec![with(429, &[("retry-after", value)]), answer(200)]).await;
        assert!((499..=501).contains(&times[1]), "{value}: {times:?}");
        assert_eq!(outcome.expect("a response").status(), 200, "{value}");
        let maleslab = BackoffLayer::new(dialects::maleslab());
        let (_, times) = run(&maleslab, request("GET"), vec![with(429, &[("retry-after", value)]), answer(200)]).await;
        assert!((5_000..=7_500).contains(&times[1]), "{value}: the vendor's default after throttling: {times:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hint_that_is_too_long_fails_at_once_with_its_time() {
    for (value, layer) in [
        ("121", layer()),
        ("31622400", layer()),
        ("10", layer().max_retry_after(Duration::from_secs(9))),
        ("10", layer().deadline(Duration::from_secs(10))),
    ] {
        let (outcome, times) = run(&layer, request("GET"), vec![with(503, &[("retry-after", value)])]).await;
        assert_eq!(times, [0], "{value}");
        assert!(outcome.expect("the response in hand").retry_at().is_some(), "{value}");
    }
}

/// A dialect with every kind of evidence.
const ALL: &str = r#"
[read]
code = "code"
hints = [
    { header = "retry-after-ms", unit = "ms" },
    { body = "retry_in", unit = "s" },
    { header = "x-ratelimit-reset", unit = "s", reset = true },
]
[retry]
flags = [
    { header = "x-should-retry" },
    { body = "again" },
    { header = "grpc-retry-pushback-ms", pushback = true },
]
[codes.E_BUSY]
class = "unavailable"
[codes.E_GONE]
class = "rejected"
"#;

/// Sends a GET through Backoff and Classify; returns the outcome, the record's first wait and its source, and the times.
async fn judged(
    layer: &BackoffLayer,
    failure: (u16, &[(&str, &str)], &str),
) -> (bool, Option<(Duration, WaitSource)>, Outcome) {
    let (status, headers, body) = failure;
    let mut response = http::Response::builder().status(status).body(body.to_owned()).expect("a status");
    for (name, value) in headers {
        let name = http::HeaderName::from_bytes(name.as_bytes()).expect("a name");
        response.headers_mut().append(name, value.parse().expect("a value"));
    }
    let (mock, handle) = mock([Answer::ok(response), answer(200)]);
    let stack = layer.layer(ClassifyLayer::new(dialect(ALL)).layer(mock));
    let outcome = stack.oneshot(request("GET")).await.map(|response| response.map(|_| String::new()));
    let first = record(&outcome).map(|record| record.attempts()[0].clone());
    let wait = first.and_then(|first| first.wait.zip(first.wait_source));
    (handle.calls() == 2, wait, outcome)
}

#[tokio::test(start_paused = true)]
async fn pushback_precedes_flags_which_precede_codes_and_the_status() {
    let layer = BackoffLayer::new(dialect(ALL)).jitter(Jitter::None);
    let (yes, no) = (("x-should-retry", "true"), ("x-should-retry", "false"));
    let (push, pull) = (("grpc-retry-pushback-ms", "70"), ("grpc-retry-pushback-ms", "-1"));
    for (name, failure, again) in [
        ("status alone, busy", (503, &[][..], ""), true),
        ("status alone, wrong", (400, &[], ""), false),
        ("code over status", (400, &[], r#"{"code":"E_BUSY"}"#), true),
        ("code over status", (503, &[], r#"{"code":"E_GONE"}"#), false),
        ("header over status", (400, &[yes], ""), true),
        ("header over status", (503, &[no], ""), false),
        ("header over code", (400, &[yes], r#"{"code":"E_GONE"}"#), true),
        ("header over code", (503, &[no], r#"{"code":"E_BUSY"}"#), false),
        ("body flag over code", (400, &[], r#"{"code":"E_GONE","again":true}"#), true),
        ("body flag over code", (503, &[], r#"{"code":"E_BUSY","again":false}"#), false),
        ("pushback over header", (400, &[no, push], ""), true),
        ("pushback over header", (503, &[yes, pull], ""), false),
        ("pushback over all", (503, &[yes, pull], r#"{"code":"E_BUSY","again":true}"#), false),
        ("pushback that cannot be read", (503, &[("grpc-retry-pushback-ms", "soon")], ""), false),
        ("flag that cannot be read", (503, &[("x-should-retry", "maybe")], ""), true),
        ("a hint is no permission", (400, &[("retry-after", "1")], ""), false),
    ] {
        let (sent_again, _, outcome) = judged(&layer, failure).await;
        assert_eq!(sent_again, again, "{name}: {failure:?}");
        assert_eq!(outcome.expect("a response").status().as_u16() == 200, again, "{name}: {failure:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_flag_makes_an_unsafe_request_safe() {
    let layer = BackoffLayer::new(dialect(ALL));
    let (outcome, times) = run(&layer, request("POST"), vec![with(500, &[("x-should-retry", "true")])]).await;
    assert_eq!((times.len(), stop(&outcome)), (1, Some(EndReason::NotIdempotent)));
}

#[tokio::test(start_paused = true)]
async fn the_longest_hint_counts_and_resets_only_without_another() {
    let layer = BackoffLayer::new(dialect(ALL)).jitter(Jitter::None);
    let header = |name: &str| HintSource::Header(name.to_owned());
    for (name, failure, wait, source) in [
        ("header", (429, &[("retry-after", "3")][..], ""), 3_000, HintSource::RetryAfter),
        ("in ms", (429, &[("retry-after-ms", "1500")], ""), 1_500, header("retry-after-ms")),
        ("body", (429, &[], r#"{"retry_in":2.5}"#), 2_500, HintSource::Body("retry_in".to_owned())),
        (
            "all of them",
            (429, &[("retry-after", "3"), ("retry-after-ms", "1500")], r#"{"retry_in":2.5}"#),
            3_000,
            HintSource::RetryAfter,
        ),
        ("pushback", (503, &[("grpc-retry-pushback-ms", "700")], ""), 700, header("grpc-retry-pushback-ms")),
        ("a reset alone", (429, &[("x-ratelimit-reset", "9")], ""), 9_000, header("x-ratelimit-reset")),
        ("a standard reset alone", (429, &[("ratelimit", "\"p\";r=0;t=8")], ""), 8_000, header("ratelimit")),
        (
            "a reset beside a hint",
            (429, &[("x-ratelimit-reset", "9"), ("retry-after", "3")], ""),
            3_000,
            HintSource::RetryAfter,
        ),
        (
            "a standard reset beside a hint of the body",
            (429, &[("ratelimit", "\"p\";r=0;t=8")], r#"{"retry_in":2}"#),
            2_000,
            HintSource::Body("retry_in".to_owned()),
        ),
    ] {
        let (_, found, _) = judged(&layer, failure).await;
        assert_eq!(found, Some((ms(wait), WaitSource::Hint(source))), "{name}");
    }
    let (again, wait, _) = judged(&layer, (500, &[("x-ratelimit-reset", "9")], "")).await;
    assert_eq!(
        (again, wait),
        (true, Some((ms(50), WaitSource::Backoff))),
        "a window says nothing about an internal error"
    );
}

#[tokio::test(start_paused = true)]
async fn a_hint_that_is_too_long_overrides_a_request_to_retry() {
    let layer = BackoffLayer::new(dialect(ALL));
    let yes = ("x-should-retry", "true");
    for (name, layer, failure, reason, seconds) in [
        ("flag", layer.clone(), (503, &[yes, ("retry-after", "121")][..], ""), EndReason::HintTooLong, 121),
        ("pushback", layer.clone(), (503, &[("grpc-retry-pushback-ms", "500000")], ""), EndReason::HintTooLong, 500),
        ("code", layer.clone(), (429, &[], r#"{"code":"E_BUSY","retry_in":3600}"#), EndReason::HintTooLong, 3_600),
        ("reset", layer.clone(), (429, &[("ratelimit", "\"p\";r=0;t=86400")], ""), EndReason::HintTooLong, 86_400),
        (
            "deadline",
            layer.clone().deadline(ms(5_000)),
            (503, &[yes, ("retry-after", "5")], ""),
            EndReason::Deadline,
            5,
        ),
        ("both", layer.clone().deadline(ms(5_000)), (429, &[("retry-after", "500")], ""), EndReason::HintTooLong, 500),
    ] {
        let start = Instant::now();
        let clock = redress_classify::Clock::system();
        let (again, _, outcome) = judged(&layer, failure).await;
        assert_eq!((again, stop(&outcome), start.elapsed()), (false, Some(reason), Duration::ZERO), "{name}");
        let response = outcome.expect("the response in hand");
        let at = response.retry_at().expect("the server said when");
        let expected = clock.wall(start) + Duration::from_secs(seconds);
        let apart = at.duration_since(expected).unwrap_or_else(|error| error.duration());
        assert!(apart < Duration::from_secs(1), "{name}: uncapped, {apart:?} apart");
    }
    let (again, _, outcome) = judged(&layer, (429, &[("retry-after", "120")], "")).await;
    assert!(again && outcome.is_ok_and(|response| response.status() == 200), "the longest that is honoured is");
}

#[tokio::test(start_paused = true)]
async fn jitter_only_adds_to_a_hint() {
    for jitter in [Jitter::Full, Jitter::Equal, Jitter::Decorrelated, Jitter::None] {
        for random in [0, 1, u32::MAX / 2, u32::MAX] {
            for hint in [1_u128, 7, 61, 119] {
                let layer = BackoffLayer::new(silent()).jitter(jitter).random(move || random);
                let value = hint.to_string();
                let answers = vec![with(503, &[("retry-after", &value)]), answer(200)];
                let (_, times) = run(&layer, request("GET"), answers).await;
                let (least, most) = (hint * 1_000, (hint * 1_500).min((hint + 30) * 1_000));
                assert!((least..=most + 1).contains(&times[1]), "{jitter:?} {random} {hint}: {times:?}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_hint_with_a_fraction_of_a_millisecond_is_not_shortened() {
    let layer = layer().random(|| u32::MAX / 7);
    for value in ["1.5", "0.0001", "2.000000001"] {
        let (mock, handle) = mock([with(429, &[("retry-after", value)]), answer(200)]);
        let layer = layer.clone().throttling_backoff(doubling(0, 0));
        let outcome = layer.layer(mock).oneshot(request("GET")).await;
        let instants = handle.instants();
        let wait = record(&outcome).and_then(|record| record.attempts()[0].wait).expect("it waited");
        assert!(instants[1] - instants[0] >= wait, "{value}");
        let asked = value.parse::<f64>().expect("a number");
        assert!((instants[1] - instants[0]).as_secs_f64() >= asked, "{value}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_unrepresentable_wait_is_a_century() {
    let forever = redress_classify::Schedule { base: Duration::MAX, factor: count(1), cap: Duration::MAX };
    let (mock, handle) = mock([answer(500), answer(200)]);
    layer().transient_backoff(forever).layer(mock).oneshot(request("GET")).await.expect("a response").status();
    let instants = handle.instants();
    assert_eq!((instants[1] - instants[0]).as_secs() / (365 * 86_400), 100, "years");
}
