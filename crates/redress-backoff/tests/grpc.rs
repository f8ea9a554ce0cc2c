//! gRPC: pushback, the fields of each attempt, the policies and the throttling of a service config.

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Answer, Outcome, StrictMock, count, ms, record, stop};
use http::{HeaderMap, Request, Response};
use redress_backoff::{BackoffLayer, Idempotent, Jitter, MethodConfig, RetryPolicy, RetryThrottling, ServiceConfig};
use redress_classify::{Deadline, EndReason, GrpcCode, Recovery, TransportError, WaitSource, dialects};
use tokio::time::Instant;
use tower::{Layer, ServiceExt};

const UNAVAILABLE: &[(&str, &str)] = &[("grpc-status", "14")];
const OK: &[(&str, &str)] = &[("grpc-status", "0")];

fn layer() -> BackoffLayer {
    BackoffLayer::new(dialects::grpc()).jitter(Jitter::None)
}

fn call() -> Request<String> {
    let request = Request::post("https://api.example/acme.Orders/Create").header("content-type", "application/grpc");
    request.body("message".to_owned()).expect("the parts are valid")
}

fn repeatable() -> Request<String> {
    let mut request = call();
    request.extensions_mut().insert(Idempotent(true));
    request
}

fn answer(fields: &[(&str, &str)]) -> Answer<Response<String>> {
    common::with(200, fields)
}

fn config(method: MethodConfig) -> ServiceConfig {
    ServiceConfig::new().service("acme.Orders", method)
}

/// The policy of these waits, in ms, for `UNAVAILABLE` and `ABORTED`.
fn policy(waits: &[u64]) -> RetryPolicy {
    RetryPolicy::new(waits.iter().map(|wait| ms(*wait)), [GrpcCode::Unavailable, GrpcCode::Aborted])
}

fn with_policy(waits: &[u64]) -> BackoffLayer {
    layer().service_config(config(MethodConfig::new().retry_policy(policy(waits))))
}

/// Runs one call; returns its outcome, and the time in ms and the fields of each request.
async fn run(
    layer: &BackoffLayer,
    request: Request<String>,
    answers: Vec<Answer<Response<String>>>,
) -> (Outcome, Vec<(u128, HeaderMap)>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (log, start) = (Arc::clone(&seen), Instant::now());
    let mock = StrictMock::scripted(answers);
    let mock = tower::ServiceBuilder::new()
        .map_request(move |request: Request<String>| {
            log.lock().expect("no panic").push((start.elapsed().as_millis(), request.headers().clone()));
            request
        })
        .service(mock);
    let outcome = layer.layer(mock).oneshot(request).await;
    let seen = seen.lock().expect("no panic").clone();
    (outcome, seen)
}

fn values(requests: &[(u128, HeaderMap)], name: &str) -> Vec<String> {
    let value = |(_, headers): &(u128, HeaderMap)| {
        headers.get(name).map_or("-", |value| value.to_str().expect("a text")).to_owned()
    };
    requests.iter().map(value).collect()
}

fn times(requests: &[(u128, HeaderMap)]) -> Vec<u128> {
    requests.iter().map(|(time, _)| *time).collect()
}

#[tokio::test(start_paused = true)]
async fn unavailable_is_retried_only_where_a_repetition_is_safe() {
    for (request, requests, reason) in
        [(call(), 1, EndReason::NotIdempotent), (repeatable(), 3, EndReason::MaxAttempts)]
    {
        let answers = (0..requests).map(|_| answer(UNAVAILABLE)).collect();
        let (outcome, seen) = run(&layer(), request, answers).await;
        assert_eq!((seen.len(), stop(&outcome)), (requests, Some(reason)));
    }
}

#[tokio::test(start_paused = true)]
async fn no_other_code_is_retried_by_itself() {
    for code in GrpcCode::ALL.into_iter().filter(|code| *code != GrpcCode::Unavailable) {
        let number = (code as u8).to_string();
        let (outcome, seen) = run(&layer(), repeatable(), vec![answer(&[("grpc-status", &number)])]).await;
        assert_eq!((seen.len(), record(&outcome).is_none()), (1, true), "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pushback_is_waited_for_and_a_negative_or_unreadable_one_ends_the_call() {
    for (pushback, expected) in [("0", vec![0, 50]), ("400", vec![0, 400]), ("2000", vec![0, 2_000])] {
        let first = answer(&[("grpc-status", "14"), ("grpc-retry-pushback-ms", pushback)]);
        let (outcome, seen) = run(&layer(), repeatable(), vec![first, answer(OK)]).await;
        assert_eq!((times(&seen), stop(&outcome)), (expected, Some(EndReason::Success)), "{pushback}");
    }
    for pushback in ["-1", "-9999", "soon", ""] {
        for layer in [layer(), with_policy(&[50])] {
            let fields = [("grpc-status", "14"), ("grpc-retry-pushback-ms", pushback)];
            let (outcome, seen) = run(&layer, repeatable(), vec![answer(&fields)]).await;
            assert!(outcome.is_ok() && seen.len() == 1, "{pushback}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn each_resend_states_the_number_of_attempts_before_it() {
    let answers = vec![answer(UNAVAILABLE), answer(UNAVAILABLE), answer(OK)];
    let (_, seen) = run(&layer(), repeatable(), answers).await;
    assert_eq!(values(&seen, "grpc-previous-rpc-attempts"), ["-", "1", "2"]);

    let mut own = repeatable();
    own.headers_mut().insert("grpc-previous-rpc-attempts", http::HeaderValue::from_static("7"));
    let (_, seen) = run(&layer(), own, vec![answer(UNAVAILABLE), answer(OK)]).await;
    assert_eq!(values(&seen, "grpc-previous-rpc-attempts"), ["7", "1"]);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_did_not_reach_the_server_is_not_stated() {
    let refused = || Answer::error(TransportError::refused_stream("REFUSED_STREAM"));
    let answers = vec![refused(), answer(UNAVAILABLE), answer(OK)];
    let (outcome, seen) = run(&layer(), repeatable(), answers).await;
    assert_eq!(values(&seen, "grpc-previous-rpc-attempts"), ["-", "-", "1"]);
    assert_eq!(stop(&outcome), Some(EndReason::Success));
    // A call that may not be repeated is sent again too.
    let (outcome, seen) = run(&layer(), call(), vec![refused(), answer(OK)]).await;
    assert_eq!((seen.len(), stop(&outcome)), (2, Some(EndReason::Success)));
}

#[tokio::test(start_paused = true)]
async fn requests_of_other_media_types_are_left_alone() {
    for media_type in ["application/json", "application/grpc-web"] {
        let mut request = repeatable();
        request.headers_mut().insert("content-type", http::HeaderValue::from_static(media_type));
        request.extensions_mut().insert(Deadline::from_now(Duration::from_secs(5)));
        let (_, seen) = run(&layer(), request, vec![answer(UNAVAILABLE), answer(OK)]).await;
        assert_eq!(values(&seen, "grpc-previous-rpc-attempts"), ["-", "-"]);
        assert_eq!(values(&seen, "grpc-timeout"), ["-", "-"]);
    }
    let generic = BackoffLayer::new(dialects::generic()).jitter(Jitter::None).deadline(Duration::from_secs(5));
    let (_, seen) = run(&generic, repeatable(), vec![common::answer(503), common::answer(200)]).await;
    assert_eq!(
        (values(&seen, "grpc-timeout"), values(&seen, "grpc-previous-rpc-attempts")),
        (vec!["-".into(); 2], vec!["-".into(); 2])
    );
}

#[tokio::test(start_paused = true)]
async fn each_attempt_carries_the_time_that_is_left() {
    let two = || vec![answer(UNAVAILABLE), answer(OK)];
    let deadline = layer().deadline(ms(5_000));
    let (_, seen) = run(&deadline, repeatable(), two()).await;
    assert_eq!(values(&seen, "grpc-timeout"), ["5000000u", "4950000u"]);

    let mut request = repeatable();
    request.extensions_mut().insert(Deadline::from_now(ms(90)));
    let (_, seen) = run(&deadline, request, two()).await;
    // Half of the 90 ms is left for the attempt.
    assert_eq!(values(&seen, "grpc-timeout"), ["90000000n", "40000000n"]);

    let (_, seen) = run(&layer(), repeatable(), two()).await;
    assert_eq!(values(&seen, "grpc-timeout"), ["-", "-"], "there is no deadline");
}

#[tokio::test(start_paused = true)]
async fn the_callers_own_timeout_is_that_of_the_whole_call_and_stays_if_it_is_smaller() {
    for (own, deadline, expected) in [
        ("3S", None, ["3S", "2950000u"]),
        ("3S", Some(5_000), ["3S", "2950000u"]),
        ("8S", Some(5_000), ["5000000u", "4950000u"]),
        ("5S", Some(5_000), ["5S", "4950000u"]),
        ("later", Some(5_000), ["5000000u", "4950000u"]),
        ("later", None, ["later", "later"]),
    ] {
        let mut request = repeatable();
        request.headers_mut().insert("grpc-timeout", http::HeaderValue::from_static(own));
        let layer = deadline.map_or(layer(), |deadline| layer().deadline(ms(deadline)));
        let (_, seen) = run(&layer, request, vec![answer(UNAVAILABLE), answer(OK)]).await;
        assert_eq!(values(&seen, "grpc-timeout"), expected, "{own} {deadline:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_ends_with_its_own_timeout() {
    let mut request = repeatable();
    request.headers_mut().insert("grpc-timeout", http::HeaderValue::from_static("2S"));
    let start = Instant::now();
    let (outcome, seen) = run(&layer(), request, vec![answer(UNAVAILABLE), answer(OK).after(ms(60_000))]).await;
    assert!(outcome.expect_err("there was no answer").is_deadline());
    assert_eq!((seen.len(), start.elapsed()), (2, ms(2_000)));
}

#[tokio::test(start_paused = true)]
async fn the_timeout_of_a_method_counts_if_it_is_earlier() {
    let two = || vec![answer(UNAVAILABLE), answer(OK)];
    let layer = layer().service_config(config(MethodConfig::new().timeout(ms(4_000))));
    let (_, seen) = run(&layer, repeatable(), two()).await;
    assert_eq!(values(&seen, "grpc-timeout"), ["4000000u", "3950000u"]);
    let mut request = repeatable();
    request.headers_mut().insert("grpc-timeout", http::HeaderValue::from_static("1S"));
    let (_, seen) = run(&layer, request, two()).await;
    assert_eq!(values(&seen, "grpc-timeout"), ["1S", "950000u"]);
}

#[tokio::test(start_paused = true)]
async fn a_policy_retries_its_codes_and_no_others() {
    for code in GrpcCode::ALL {
        let number = (code as u8).to_string();
        let is_retried = matches!(code, GrpcCode::Unavailable | GrpcCode::Aborted);
        let answers = (0..if is_retried { 3 } else { 1 }).map(|_| answer(&[("grpc-status", &number)])).collect();
        let (_, seen) = run(&with_policy(&[10, 70]), call(), answers).await;
        let expected = if is_retried { vec![0, 10, 80] } else { vec![0] };
        assert_eq!(times(&seen), expected, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_policy_gives_attempts_and_waits_in_place_of_the_layers() {
    let layer = with_policy(&[10, 20, 40, 80]).max_attempts(count(2));
    let (outcome, seen) = run(&layer, call(), (0..5).map(|_| answer(UNAVAILABLE)).collect()).await;
    assert_eq!((times(&seen), stop(&outcome)), (vec![0, 10, 30, 70, 150], Some(EndReason::MaxAttempts)));
    let source = record(&outcome).and_then(|record| record.attempts()[0].wait_source.clone());
    assert_eq!(source, Some(WaitSource::Vendor));

    let other = Request::post("https://api.example/acme.Users/Create").extension(Idempotent(true));
    let (_, seen) = run(&layer, other.body(String::new()).unwrap(), vec![answer(UNAVAILABLE), answer(OK)]).await;
    assert_eq!(times(&seen), [0, 50], "a method without a policy");
}

#[tokio::test(start_paused = true)]
async fn a_wait_of_a_policy_is_a_fifth_shorter_to_a_fifth_longer() {
    for (random, expected) in [(0, 800), (1 << 31, 1_000), (u32::MAX, 1_199)] {
        let layer = with_policy(&[1_000]).jitter(Jitter::Full).random(move || random);
        let (_, seen) = run(&layer, call(), vec![answer(UNAVAILABLE), answer(OK)]).await;
        assert!(times(&seen)[1].abs_diff(expected) <= 1, "{seen:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_the_caller_declares_unsafe_is_not_retried_by_a_policy() {
    let mut request = call();
    request.extensions_mut().insert(Idempotent(false));
    let (outcome, seen) = run(&with_policy(&[10]), request, vec![answer(UNAVAILABLE)]).await;
    assert_eq!((seen.len(), stop(&outcome)), (1, Some(EndReason::NotIdempotent)));
}

#[tokio::test(start_paused = true)]
async fn a_failure_of_the_transport_counts_as_unavailable() {
    for (code, requests) in [(GrpcCode::Unavailable, 2), (GrpcCode::Internal, 1)] {
        let policy = RetryPolicy::new([ms(10)], [code]);
        let layer = layer().service_config(config(MethodConfig::new().retry_policy(policy)));
        let answers = (0..requests).map(|_| Answer::error(TransportError::other("broken pipe"))).collect();
        let (_, seen) = run(&layer, call(), answers).await;
        assert_eq!(seen.len(), requests, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_response_without_a_grpc_status_has_the_code_of_its_http_status() {
    for (status, code) in [
        (400, GrpcCode::Internal),
        (401, GrpcCode::Unauthenticated),
        (403, GrpcCode::PermissionDenied),
        (404, GrpcCode::Unimplemented),
        (429, GrpcCode::Unavailable),
        (500, GrpcCode::Unknown),
        (502, GrpcCode::Unavailable),
        (503, GrpcCode::Unavailable),
        (504, GrpcCode::Unavailable),
    ] {
        let retrying = |code| {
            let policy = RetryPolicy::new([ms(10)], [code]);
            layer().service_config(config(MethodConfig::new().retry_policy(policy)))
        };
        let classified = redress_classify::ClassifyLayer::new(dialects::grpc());
        for (retried, requests) in [(code, 2), (GrpcCode::DataLoss, 1)] {
            let mock = StrictMock::scripted((0..requests).map(|_| common::answer(status)).collect::<Vec<_>>());
            let handle = mock.handle();
            let stack = retrying(retried).layer(classified.layer(mock));
            stack.oneshot(call()).await.expect("a response");
            assert_eq!(handle.calls(), requests, "{status} {retried}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn throttling_stops_retries_at_half_of_the_tokens_and_successes_restore_them() {
    let throttling = RetryThrottling::new(4, 1_000);
    let layer = layer()
        .without_budget()
        .service_config(config(MethodConfig::new().retry_policy(policy(&[10, 10, 10]))).throttling(throttling.clone()));
    // Four tokens: after the first failure three are left, after the second two.
    let (outcome, seen) = run(&layer, call(), vec![answer(UNAVAILABLE), answer(UNAVAILABLE)]).await;
    assert_eq!((seen.len(), stop(&outcome)), (2, Some(EndReason::Budget)));
    let (outcome, seen) = run(&layer, call(), vec![answer(UNAVAILABLE)]).await;
    assert_eq!((seen.len(), stop(&outcome)), (1, Some(EndReason::Budget)));
    for _ in 0..3 {
        run(&layer, call(), vec![answer(OK)]).await.0.expect("a success");
    }
    let (outcome, seen) = run(&layer, call(), vec![answer(UNAVAILABLE), answer(OK)]).await;
    assert_eq!((seen.len(), stop(&outcome)), (2, Some(EndReason::Success)));
}

#[tokio::test(start_paused = true)]
async fn only_retryable_failures_and_refusals_take_tokens() {
    for (fields, takes) in [
        (vec![("grpc-status", "14")], true),
        (vec![("grpc-status", "5")], false),
        (vec![("grpc-status", "5"), ("grpc-retry-pushback-ms", "-1")], true),
        (vec![("grpc-status", "0")], false),
    ] {
        let throttling = RetryThrottling::new(2, 1);
        let layer = layer().service_config(config(MethodConfig::new()).throttling(throttling.clone()));
        run(&layer, call(), vec![answer(&fields)]).await.0.expect("a response");
        assert_eq!(throttling.allows_retries(), !takes, "{fields:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_dialect_reads_the_recovery_of_unauthenticated() {
    let response = Response::builder().header("grpc-status", "16").body(()).unwrap();
    let clock = redress_classify::Clock::system();
    let verdict = redress_classify::Verdict::from_head(&response, &dialects::grpc(), &clock).expect("an error");
    assert_eq!(verdict.recovery(), Recovery::RefreshToken);
}
