//! The effect of other calls' failures: longer waits, never shorter ones.

#![allow(clippy::unwrap_used, reason = "test helpers are test code")]

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::{Request, Response};
use redress_backoff::{Backoff, BackoffLayer, Jitter};
use redress_classify::{ResponseExt, dialects};
use tower::util::BoxCloneService;
use tower::{Layer, ServiceExt, service_fn};

type Upstream = BoxCloneService<Request<String>, Response<String>, Infallible>;

/// A layer with this random number, over an upstream that fails while the switch is on.
fn stack(layer: BackoffLayer, random: u32) -> (Backoff<Upstream>, Arc<AtomicBool>) {
    let fails = Arc::new(AtomicBool::new(true));
    let switch = Arc::clone(&fails);
    let upstream = service_fn(move |_: Request<String>| {
        let status = if switch.load(Ordering::Relaxed) { 500 } else { 200 };
        async move { Ok(Response::builder().status(status).body(String::new()).unwrap()) }
    });
    (layer.random(move || random).layer(BoxCloneService::new(upstream)), fails)
}

/// Makes a call and returns its wait, in rounded milliseconds.
async fn waits(stack: &Backoff<Upstream>) -> Vec<u128> {
    let response = stack.clone().oneshot(Request::new(String::new())).await.unwrap();
    let record = response.record().cloned();
    let waits = record.iter().flat_map(|record| record.attempts()).filter_map(|attempt| attempt.wait);
    waits.map(|wait| (wait + Duration::from_micros(1)).as_millis()).collect()
}

#[tokio::test(start_paused = true)]
async fn an_outage_spreads_the_retries_of_all_callers() {
    let (stack, fails) = stack(BackoffLayer::new(dialects::generic()), u32::MAX);
    assert_eq!(waits(&stack).await, [50, 100], "a caller alone follows the schedule");
    assert_eq!(waits(&stack).await, [400, 800], "three attempts have failed before");
    assert_eq!(waits(&stack).await, [3_200, 6_400]);
    assert_eq!(waits(&stack).await, [20_000, 20_000], "the schedule's cap holds");
    fails.store(false, Ordering::Relaxed);
    assert!(waits(&stack).await.is_empty());
    fails.store(true, Ordering::Relaxed);
    assert_eq!(waits(&stack).await, [50, 100], "a success ends the run of failures");
}

#[tokio::test(start_paused = true)]
async fn shared_failures_raise_a_wait_to_its_upper_half() {
    let (stack, _fails) = stack(BackoffLayer::new(dialects::generic()), 0);
    assert_eq!(waits(&stack).await, [0, 0], "a caller alone may be lucky");
    assert_eq!(waits(&stack).await, [200, 400]);
    assert_eq!(waits(&stack).await, [1_600, 3_200]);
}

#[tokio::test(start_paused = true)]
async fn shared_failures_are_ignored_without_jitter() {
    let (stack, _fails) = stack(BackoffLayer::new(dialects::ranex()).jitter(Jitter::None), 0);
    for _ in 0..3 {
        assert_eq!(waits(&stack).await, [1_000, 2_000], "as the vendor publishes");
    }
}

#[tokio::test(start_paused = true)]
async fn shared_failures_prevent_no_retry_near_the_deadline() {
    let (stack, _fails) = stack(BackoffLayer::new(dialects::ranex()).deadline(Duration::from_secs(4)), u32::MAX);
    for _ in 0..5 {
        let waits = waits(&stack).await;
        assert!(!waits.is_empty() && waits.iter().all(|wait| *wait < 4_000), "{waits:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn only_transient_failures_are_shared() {
    for (status, counts) in [(429, false), (404, false), (401, false), (500, true), (503, true), (408, true)] {
        let upstream = service_fn(move |request: Request<String>| {
            let status = if request.uri().path() == "/other" { status } else { 500 };
            async move { Ok::<_, Infallible>(Response::builder().status(status).body(String::new()).unwrap()) }
        });
        let stack = BackoffLayer::new(dialects::generic()).random(|| u32::MAX).layer(BoxCloneService::new(upstream));
        let other = Request::get("/other").body(String::new()).unwrap();
        stack.clone().oneshot(other).await.unwrap();
        let expected = if counts { [400, 800] } else { [50, 100] };
        assert_eq!(waits(&stack).await, expected, "after a call of another one that ended with {status}");
    }
}
