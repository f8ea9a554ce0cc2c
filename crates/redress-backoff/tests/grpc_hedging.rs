//! gRPC calls that are hedged: pushback and retry throttling (gRFC A6, "Throttling Retry Attempts and Hedged RPCs", "Pushback").
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

mod common;

use common::{Answer, P95, Seen, ms, record, stop};
use http::{Request, Response};
use redress_backoff::{BackoffLayer, Idempotent, Jitter, RetryThrottling, ServiceConfig};
use redress_classify::{EndReason, WaitSource, dialects};

fn layer() -> BackoffLayer {
    BackoffLayer::new(dialects::grpc()).jitter(Jitter::None).hedge()
}

/// A layer whose tokens are these.
fn throttled(throttling: &RetryThrottling) -> BackoffLayer {
    layer().service_config(ServiceConfig::new().throttling(throttling.clone()))
}

fn call() -> Request<String> {
    let request = Request::post("https://api.example/acme.Orders/Get").header("content-type", "application/grpc");
    request.extension(Idempotent(true)).body("message".to_owned()).unwrap()
}

fn ok(after: u64) -> Answer<Response<String>> {
    common::with(200, &[("grpc-status", "0")]).after(ms(after))
}

/// An answer with `UNAVAILABLE`, and with this pushback unless it is empty.
fn unavailable(pushback: &str, after: u64) -> Answer<Response<String>> {
    let fields = [("grpc-status", "14"), ("grpc-retry-pushback-ms", pushback)];
    common::with(200, if pushback.is_empty() { &fields[..1] } else { &fields }).after(ms(after))
}

/// Runs one call to an upstream whose latency is known.
async fn run(layer: &BackoffLayer, answers: Vec<Answer<Response<String>>>) -> Seen {
    common::call_known(layer, (call, || ok(100)), call(), answers).await
}

fn code(seen: &Seen) -> &str {
    seen.outcome.as_ref().unwrap().headers()["grpc-status"].to_str().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_hedge_states_one_attempt_before_it_and_the_winner_cancels_the_other() {
    let seen = run(&layer(), vec![ok(5_000), ok(40)]).await;
    assert_eq!((code(&seen), seen.sent.clone(), seen.took, seen.cancelled), ("0", vec![0, P95], P95 + 40, 1));
    let previous = seen.requests.iter().map(|request| request.headers().get("grpc-previous-rpc-attempts"));
    assert_eq!(previous.map(|value| value.map(|value| value.to_str().unwrap())).collect::<Vec<_>>(), [None, Some("1")]);
}

#[tokio::test(start_paused = true)]
async fn no_hedge_is_sent_at_half_of_the_tokens_and_the_first_attempt_is_waited_for() {
    for (failures, sends) in [(0, 2), (1, 2), (2, 1), (4, 1)] {
        let throttling = RetryThrottling::new(4, 0);
        for _ in 0..failures {
            throttling.record_failure();
        }
        let seen = run(&throttled(&throttling), vec![ok(300), ok(5_000)]).await;
        assert_eq!((seen.sent.len(), code(&seen), seen.took), (sends, "0", 300), "{failures} failures");
    }
}

#[tokio::test(start_paused = true)]
async fn each_failed_attempt_takes_a_token_and_a_call_that_succeeds_gives_its_ratio_once() {
    let throttling = RetryThrottling::new(10, 1_000);
    let seen = run(&throttled(&throttling), vec![unavailable("", 150), ok(100)]).await;
    assert_eq!((code(&seen), seen.sent.len()), ("0", 2));
    // One was taken and one given: four more leave more than half, the fifth does not.
    let allowed: Vec<_> = (0..5).map(|_| throttling.record_failure()).collect();
    assert_eq!(allowed, [true, true, true, true, false]);
    let throttling = RetryThrottling::new(10, 0);
    let seen = run(&throttled(&throttling), vec![unavailable("", 150), unavailable("", 100), ok(100)]).await;
    assert_eq!((code(&seen), seen.sent.len()), ("0", 3));
    let allowed: Vec<_> = (0..3).map(|_| throttling.record_failure()).collect();
    assert_eq!(allowed, [true, true, false], "two were taken");
}

#[tokio::test(start_paused = true)]
async fn an_attempt_in_flight_goes_on_when_the_other_uses_up_the_tokens() {
    let throttling = RetryThrottling::new(2, 0);
    let seen = run(&throttled(&throttling), vec![unavailable("", 150), ok(400)]).await;
    assert_eq!((code(&seen), seen.took, seen.cancelled), ("0", P95 + 400, 0));
    // The failure of the second leaves too few tokens for a retry.
    let throttling = RetryThrottling::new(3, 0);
    let seen = run(&throttled(&throttling), vec![unavailable("", 150), unavailable("", 100)]).await;
    assert_eq!((code(&seen), seen.sent.len(), stop(&seen.outcome)), ("14", 2, Some(EndReason::Budget)));
}

#[tokio::test(start_paused = true)]
async fn after_a_pushback_that_forbids_a_retry_the_other_attempt_goes_on_and_none_follows_it() {
    for pushback in ["-1", "soon"] {
        for (answers, took) in
            [(vec![unavailable(pushback, 150), ok(400)], P95 + 400), (vec![ok(400), unavailable(pushback, 20)], 400)]
        {
            let seen = run(&layer(), answers).await;
            assert_eq!((code(&seen), seen.took, seen.sent.len(), seen.cancelled), ("0", took, 2, 0), "{pushback}");
        }
        let seen = run(&layer(), vec![unavailable(pushback, 150), unavailable("", 100)]).await;
        assert_eq!((code(&seen), seen.sent.len(), stop(&seen.outcome)), ("14", 2, Some(EndReason::NotRetryable)));
        let seen = run(&layer(), vec![unavailable(pushback, 50)]).await;
        assert_eq!((code(&seen), seen.sent.len(), seen.took), ("14", 1, 50), "no hedge is sent afterwards");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pushback_that_forbids_a_retry_takes_a_token() {
    let throttling = RetryThrottling::new(4, 0);
    let seen = run(&throttled(&throttling), vec![unavailable("-1", 150), unavailable("", 100)]).await;
    assert_eq!((code(&seen), throttling.allows_retries()), ("14", false), "two of four");
}

#[tokio::test(start_paused = true)]
async fn no_retry_is_sent_before_the_pushback_of_either_attempt() {
    for (name, answers, sent) in [
        // Failures at 150 and at 204 ms. Without a pushback the second wait of the schedule follows, 100 ms.
        ("neither", vec![unavailable("", 150), unavailable("", 100), ok(10)], vec![0, P95, P95 + 200]),
        ("the first", vec![unavailable("2000", 150), unavailable("", 100), ok(10)], vec![0, P95, 2_150]),
        ("the second", vec![unavailable("", 150), unavailable("3000", 100), ok(10)], vec![0, P95, P95 + 3_100]),
        ("both", vec![unavailable("2000", 150), unavailable("500", 100), ok(10)], vec![0, P95, 2_150]),
        ("before a hedge", vec![unavailable("700", 50), ok(10)], vec![0, 750]),
    ] {
        let seen = run(&layer(), answers).await;
        assert_eq!((code(&seen), seen.sent.clone()), ("0", sent), "{name}");
        let waited = record(&seen.outcome).unwrap().attempts().iter().find_map(|attempt| attempt.wait_source.clone());
        assert_eq!(matches!(waited, Some(WaitSource::Hint(_))), name != "neither", "{name}: {waited:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_status_that_is_not_retryable_cancels_the_other_attempt() {
    for (status, pushback) in [("3", "-1"), ("14", "-1")] {
        let first = common::with(200, &[("grpc-status", status), ("grpc-retry-pushback-ms", pushback)]).after(ms(150));
        let seen = run(&layer(), vec![first, ok(400)]).await;
        let ended = if status == "3" { ("3", 150, 1) } else { ("0", P95 + 400, 0) };
        assert_eq!((code(&seen), seen.took, seen.cancelled), ended, "{status}");
    }
    let invalid = common::with(200, &[("grpc-status", "3")]).after(ms(150));
    let seen = run(&layer(), vec![invalid, ok(5_000)]).await;
    assert_eq!((code(&seen), seen.took, seen.cancelled), ("3", 150, 1));
}
