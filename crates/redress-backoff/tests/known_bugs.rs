//! Bugs that other retry libraries were published with, one test for each.

mod common;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::*;
use http::{Request, Response};
use redress_backoff::{BackoffLayer, Budget, Jitter, Reservation};
use redress_classify::{Class, ClassifyLayer, CloneBody, EndReason, ResponseExt, Schedule, TransportError};
use redress_sandbox::strict_mock::BoxError;
use tokio::time::Instant;
use tower::{Layer, Service, ServiceExt};

/// Returns the waits after this status, one call for each random number.
async fn waits(layer: &BackoffLayer, status: u16, randoms: impl IntoIterator<Item = u32>) -> BTreeSet<Duration> {
    let mut waits = BTreeSet::new();
    for random in randoms {
        let (mock, _handle) = mock([answer(status), answer(200)]);
        let outcome = layer.clone().random(move || random).layer(mock).oneshot(request("GET")).await;
        waits.extend(record(&outcome).and_then(|record| record.attempts()[0].wait));
    }
    waits
}

/// Numbers that are spread evenly over all of `u32`.
fn spread(count: u32) -> impl Iterator<Item = u32> {
    (0..count).map(move |nth| u32::MAX / count * nth)
}

/// Jitter that vanishes on whole seconds, since only the nanoseconds of a duration were multiplied.
#[tokio::test(start_paused = true)]
async fn the_jitter_of_whole_seconds_is_kept() {
    for seconds in [1, 2, 20] {
        let whole = doubling(seconds * 1_000, seconds * 1_000);
        let layer = BackoffLayer::new(silent()).transient_backoff(whole);
        let drawn = waits(&layer, 500, spread(5_000)).await;
        assert_eq!(drawn.len(), 5_000, "{seconds} s");
        assert!(drawn.last().is_some_and(|longest| *longest > ms(seconds * 990)));
    }
}

/// A budget whose share was rounded to the next whole request, so that six tenths granted everything.
#[test]
fn a_budget_grants_no_more_than_its_tokens_for_any_capacity() {
    for capacity in 0..200 {
        for cost in [1, 3, Budget::THROTTLING_COST, Budget::TRANSIENT_COST] {
            let budget = Budget::with_capacity(capacity);
            let granted = std::iter::from_fn(|| budget.reserve(cost).map(Reservation::spend)).count();
            assert_eq!(granted, (capacity / cost) as usize, "{capacity} tokens at {cost}");
        }
    }
}

/// A budget that read first and took later, so that two threads took the same tokens.
#[test]
fn concurrent_retries_never_overdraw_a_budget() {
    let budget = Budget::with_capacity(10_000);
    let take = |budget: Budget| (0..2_000).filter_map(|_| budget.reserve(7).map(Reservation::spend)).sum::<u32>();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            std::thread::spawn({
                let budget = budget.clone();
                move || take(budget)
            })
        })
        .collect();
    let taken: u32 = threads.into_iter().map(|thread| thread.join().expect("no panic")).sum();
    assert_eq!((taken + budget.level(), taken % 7), (10_000, 0));
}

/// A budget that caught up on a month of idle slots at its first success, or that time alone filled again in an outage.
#[tokio::test(start_paused = true)]
async fn a_budget_does_not_move_with_the_clock() {
    let budget = Budget::new();
    let _ = budget.reserve(490).map(Reservation::spend);
    let layer = layer().budget(budget.clone());
    tokio::time::advance(Duration::from_secs(30 * 86_400)).await;
    assert_eq!(budget.level(), 10);
    let (outcome, _) = run(&layer, request("GET"), vec![answer(500)]).await;
    assert_eq!((stop(&outcome), budget.level()), (Some(EndReason::Budget), 10), "a month of silence allows no retry");
    run(&layer, request("GET"), vec![answer(200)]).await.0.expect("a response");
    assert_eq!(budget.level(), 11, "a success does");
}

/// Jitter that was added after the cap, up to half beyond the longest wait.
#[tokio::test(start_paused = true)]
async fn jitter_does_not_exceed_the_cap() {
    for jitter in [Jitter::Full, Jitter::Equal, Jitter::Decorrelated, Jitter::None] {
        let layer = BackoffLayer::new(silent()).jitter(jitter).transient_backoff(doubling(5_000, 4_000));
        let drawn = waits(&layer, 500, spread(100).chain([u32::MAX])).await;
        assert!(drawn.last().is_some_and(|longest| *longest <= ms(4_000)), "{jitter:?}");
    }
}

/// Jitter that was lost once the waits had reached the cap.
#[tokio::test(start_paused = true)]
async fn jitter_is_not_lost_at_the_cap() {
    for jitter in [Jitter::Full, Jitter::Equal] {
        let mut thirds = BTreeSet::new();
        for random in spread(100) {
            let layer = BackoffLayer::new(silent())
                .jitter(jitter)
                .transient_backoff(doubling(1_000, 1_000))
                .max_attempts(count(5));
            let (outcome, _) =
                run(&layer.random(move || random), request("GET"), (0..5).map(|_| answer(500)).collect()).await;
            thirds.extend(record(&outcome).and_then(|record| record.attempts()[3].wait));
        }
        assert_eq!(thirds.len(), 100, "{jitter:?}");
    }
}

/// A first delay without jitter, after which all callers that had failed at the same time returned at the same time.
#[tokio::test(start_paused = true)]
async fn the_first_delay_is_jittered() {
    for jitter in [Jitter::Full, Jitter::Equal, Jitter::Decorrelated] {
        let layer = BackoffLayer::new(silent()).jitter(jitter);
        assert_eq!(waits(&layer, 500, spread(100)).await.len(), 100, "{jitter:?}");
        assert_eq!(waits(&layer, 429, spread(100)).await.len(), 100, "{jitter:?}");
    }
}

/// A panic on the overflow of a schedule without a cap.
#[tokio::test(start_paused = true)]
async fn a_schedule_without_a_cap_does_not_overflow() {
    for (base, factor) in [(Duration::MAX, 2), (Duration::from_secs(1), u32::MAX), (ms(1), 1_000)] {
        let endless = Schedule { base, factor: count(factor), cap: Duration::MAX };
        for jitter in [Jitter::Full, Jitter::Equal, Jitter::Decorrelated, Jitter::None] {
            let layer = BackoffLayer::new(silent()).jitter(jitter).transient_backoff(endless).max_attempts(count(20));
            let (outcome, times) =
                run(&layer.random(|| u32::MAX), request("GET"), (0..20).map(|_| answer(500)).collect()).await;
            assert_eq!(
                (times.len(), stop(&outcome)),
                (20, Some(EndReason::MaxAttempts)),
                "{base:?} {factor} {jitter:?}"
            );
        }
    }
}

/// A service that was cloned in `call`, so that a clone was called that had not been polled ready.
#[tokio::test(start_paused = true)]
async fn the_service_is_taken_in_call_and_not_cloned() {
    let (mock, handle) = mock([answer(200), answer(200)]);
    let mut service = layer().layer(mock.limit(1));
    for _ in 0..2 {
        assert_eq!(
            service.ready().await.expect("a place").call(request("GET")).await.expect("a response").status(),
            200
        );
    }
    handle.assert_idle();
}

/// A failed response that was kept during the backoff, and its connection with it.
#[tokio::test(start_paused = true)]
async fn a_failed_response_is_not_held_through_the_backoff() {
    /// The resource of a response.
    #[derive(Clone)]
    struct Counted(#[allow(dead_code, reason = "it is counted")] Arc<()>);
    let held = Arc::new(());
    let mut failed = Response::builder().status(500).body(String::new()).expect("a status");
    failed.extensions_mut().insert(Counted(Arc::clone(&held)));
    let (mock, _handle) = mock([Answer::ok(failed), answer(200)]);
    let mut call = Box::pin(layer().transient_backoff(doubling(1_000, 1_000)).layer(mock).oneshot(request("GET")));
    assert!(tokio::time::timeout(ms(1), call.as_mut()).await.is_err(), "it waits");
    assert_eq!(Arc::strong_count(&held), 1);
    assert_eq!(call.await.expect("a response").status(), 200);
}

/// `Retry-After` that bypassed the limits of attempts and of time.
#[tokio::test(start_paused = true)]
async fn a_hint_does_not_bypass_the_limits() {
    let polite = |times| (0..times).map(|_| with(429, &[("retry-after", "100")])).collect::<Vec<_>>();
    let (outcome, times) = run(&layer(), request("GET"), polite(3)).await;
    assert_eq!((times.len(), stop(&outcome)), (3, Some(EndReason::MaxAttempts)));
    let (outcome, times) = run(&layer().max_attempts(count(9)).deadline(ms(250_000)), request("GET"), polite(3)).await;
    assert_eq!((times.len(), stop(&outcome)), (3, Some(EndReason::Deadline)));
    let (outcome, times) = run(&layer().budget(Budget::with_capacity(9)), request("GET"), polite(2)).await;
    assert_eq!((times.len(), stop(&outcome)), (2, Some(EndReason::Budget)));
}

/// A sleep that ended past the deadline, after which the call failed.
#[tokio::test(start_paused = true)]
async fn no_sleep_ends_past_the_deadline() {
    for (failure, deadline) in [(answer(429), 1_000), (with(503, &[("retry-after", "5")]), 5_000), (answer(500), 50)] {
        let start = Instant::now();
        let (outcome, _) = run(&layer().deadline(ms(deadline)), request("GET"), vec![failure]).await;
        assert_eq!(
            (start.elapsed(), stop(&outcome)),
            (Duration::ZERO, Some(EndReason::Deadline)),
            "given up before the sleep"
        );
        assert!(outcome.is_ok(), "with the response in hand");
    }
}

/// A timer that fired some milliseconds early, within the window that the server had named.
#[tokio::test(start_paused = true)]
async fn no_wait_ends_early() {
    for nanos in [1, 999_999, 1_000_001, 10_500_000] {
        let wait = Duration::from_nanos(nanos);
        let schedule = Schedule { base: wait, factor: count(1), cap: wait };
        let (mock, handle) = mock([answer(500), answer(200)]);
        layer().transient_backoff(schedule).layer(mock).oneshot(request("GET")).await.expect("a response").status();
        let instants = handle.instants();
        assert!(instants[1] - instants[0] >= wait, "{wait:?}");
    }
}

/// A POST that was retried by default after a 5xx or a broken connection.
#[tokio::test(start_paused = true)]
async fn a_post_is_not_resent_by_default() {
    for method in ["POST", "PATCH"] {
        for status in 500..=599 {
            let (outcome, times) = run(&layer(), request(method), vec![answer(status)]).await;
            assert_eq!((times.len(), stop(&outcome)), (1, Some(EndReason::NotIdempotent)), "{method} {status}");
        }
        let broken = Answer::error(TransportError::body("reset"));
        assert_eq!(run(&layer(), request(method), vec![broken]).await.1.len(), 1, "{method}");
    }
}

/// A body that could not be copied and was resent empty.
#[tokio::test(start_paused = true)]
async fn a_body_that_cannot_be_copied_is_not_sent_as_an_empty_one() {
    struct Stream(Option<String>);
    impl CloneBody for Stream {
        fn try_clone(&self) -> Option<Self> {
            None
        }
    }
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&bodies);
    let service = tower::service_fn(move |request: Request<Stream>| {
        seen.lock().unwrap().push(request.into_body().0);
        async { Ok::<_, BoxError>(Response::builder().status(503).body(String::new()).expect("a status")) }
    });
    let outcome =
        layer().layer(service).oneshot(Request::put("/").body(Stream(Some("text".to_owned()))).expect("legal")).await;
    assert_eq!(*bodies.lock().unwrap(), [Some("text".to_owned())]);
    assert_eq!(stop(&outcome), Some(EndReason::NotClonable));
}

/// An error body that was not JSON, whose parse error hid a retryable status.
#[tokio::test(start_paused = true)]
async fn an_unreadable_body_does_not_hide_a_retryable_status() {
    let page = "<html><body>429 Too Many Requests</body></html>";
    for body in [page, "", "{\"error\":", "\u{0}\u{1}", "null", "[]", "slow down"] {
        for (status, class) in [(429, Class::RateLimited), (503, Class::Unavailable)] {
            let (mock, handle) = mock([saying(status, body), answer(200)]);
            let stack = layer().layer(ClassifyLayer::new(dialect("[read]\ncode = \"code\"\n")).layer(mock));
            let response = stack.oneshot(request("GET")).await.expect("a response");
            let first = response.record().map(|record| record.attempts()[0].class());
            assert_eq!((handle.calls(), first), (2, Some(Some(class))), "{status} {body:?}");
        }
    }
}

/// Nested retries that multiplied: sixteen requests in place of four.
#[tokio::test(start_paused = true)]
async fn nested_retries_do_not_multiply() {
    let layer = layer().max_attempts(count(4));
    let (mock, handle) = mock((0..16).map(|_| answer(500)));
    let outcome = layer.layer(layer.layer(mock)).oneshot(request("GET")).await;
    assert_eq!((handle.calls(), stop(&outcome)), (4, Some(EndReason::MaxAttempts)));
}

/// A budget that was charged for a retry that was not sent, and a last response that was replaced by an error.
#[tokio::test(start_paused = true)]
async fn the_last_response_is_returned_and_only_sent_retries_are_charged() {
    let budget = Budget::with_capacity(28);
    let (outcome, times) = run(
        &layer().budget(budget.clone()),
        request("GET"),
        (0..3).map(|_| with(503, &[("x-which", "last")])).collect(),
    )
    .await;
    let response = outcome.expect("no bare error");
    assert_eq!((times.len(), budget.level()), (3, 0), "two retries, two charges");
    assert_eq!((response.status().as_u16(), response.headers().contains_key("x-which")), (503, true));
    assert_eq!(response.body(), "body");
    let (outcome, _) = run(&layer().budget(budget.clone()), request("GET"), vec![answer(503)]).await;
    assert_eq!((stop(&outcome), outcome.is_ok(), budget.level()), (Some(EndReason::Budget), true, 0));
}

/// A request that was copied more often than it was sent.
#[tokio::test(start_paused = true)]
async fn a_request_is_copied_once_per_attempt() {
    #[derive(Clone)]
    struct Counted(Arc<AtomicUsize>);
    impl CloneBody for Counted {
        fn try_clone(&self) -> Option<Self> {
            self.0.fetch_add(1, Ordering::SeqCst);
            Some(self.clone())
        }
    }
    for (statuses, copies) in [(&[200][..], 1), (&[404], 1), (&[500, 200], 2), (&[500, 500, 500], 3)] {
        let counter = Arc::new(AtomicUsize::new(0));
        let nth = Arc::new(AtomicUsize::new(0));
        let service = tower::service_fn(move |_: Request<Counted>| {
            let status = statuses[nth.fetch_add(1, Ordering::SeqCst)];
            async move { Ok::<_, BoxError>(Response::builder().status(status).body(String::new()).expect("a status")) }
        });
        let request = Request::get("/").body(Counted(Arc::clone(&counter))).expect("legal parts");
        layer().layer(service).oneshot(request).await.expect("a response").status();
        assert_eq!(counter.load(Ordering::SeqCst), copies, "{statuses:?}");
    }
}
