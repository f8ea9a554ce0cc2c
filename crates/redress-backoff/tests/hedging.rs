//! Hedged calls: a second attempt that is sent while the first goes on.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use common::*;
use http::{Request, Response};
use redress_backoff::{BackoffLayer, Budget, Idempotent, NoRetry};
use redress_classify::{
    Class, EndReason, Error, Phase, Refreshed, ResendCount, SendState, TransportError, UpstreamHealth,
};
use redress_sandbox::strict_mock::{Handle, StrictMock};
use tokio::time::Instant;
use tower::{Layer, ServiceExt};

impl Seen {
    fn record(&self) -> String {
        record(&self.outcome).map_or_else(String::new, ToString::to_string)
    }

    fn status(&self) -> u16 {
        self.outcome.as_ref().unwrap().status().as_u16()
    }
}

/// Calls an upstream whose latency is known to be 100 ms.
async fn call(layer: &BackoffLayer, request: Request<String>, answers: Vec<Answer<Response<String>>>) -> Seen {
    call_known(layer, (|| common::request("GET"), || answer(200).after(ms(100))), request, answers).await
}

fn hedging() -> BackoffLayer {
    layer().hedge()
}

fn slow(status: u16) -> Answer<Response<String>> {
    answer(status).after(ms(5_000))
}

fn broken() -> Answer<Response<String>> {
    Answer::error(TransportError::body("reset"))
}

#[tokio::test(start_paused = true)]
async fn a_hedge_is_sent_after_the_95th_percentile_and_the_winner_cancels_the_other() {
    let budget = Budget::new();
    let seen =
        call(&hedging().budget(budget.clone()), request("GET"), vec![slow(200), answer(201).after(ms(40))]).await;
    assert_eq!((seen.status(), seen.sent.clone(), seen.took, seen.cancelled), (201, vec![0, P95], P95 + 40, 1));
    assert_eq!(seen.record(), "2 attempts, cancelled, 201 success on hedge; succeeded");
    let record = record(&seen.outcome).unwrap();
    let marks = |nth: usize| (record.attempts()[nth].is_hedge, record.attempts()[nth].is_cancelled);
    assert_eq!((marks(0), marks(1), record.end_reason()), ((false, true), (true, false), EndReason::Success));
    assert!(record.is_maybe_processed(), "the first attempt may have been");
    assert_eq!(budget.level(), 500 - 14 + 1, "paid, and the success refills it as one at the first attempt");
    assert_eq!(ResendCount::from_request(&seen.requests[0]), None);
    assert_eq!(ResendCount::from_request(&seen.requests[1]).map(ResendCount::get), Some(1));
    assert!(SendState::is_hedge(&seen.requests[1]) && !SendState::is_hedge(&seen.requests[0]));
}

#[tokio::test(start_paused = true)]
async fn a_first_attempt_that_wins_cancels_its_hedge() {
    let budget = Budget::new();
    let layer = hedging().budget(budget.clone());
    let seen = call(&layer, request("GET"), vec![answer(200).after(ms(150)), slow(201)]).await;
    assert_eq!((seen.status(), seen.sent.clone(), seen.took, seen.cancelled), (200, vec![0, P95], 150, 1));
    assert_eq!(seen.record(), "2 attempts, cancelled on hedge, 200 success; succeeded");
    let in_time = call(&layer, request("GET"), vec![answer(200).after(ms(100))]).await;
    assert_eq!((in_time.sent.len(), in_time.record()), (1, String::new()), "an answer in time is not hedged");
}

#[tokio::test(start_paused = true)]
async fn a_hedge_takes_tokens_when_it_is_sent_and_a_refused_one_gives_them_back() {
    for (last, level) in [
        (answer(404), 486),
        (Answer::error(Error::paced(SystemTime::UNIX_EPOCH)), 500),
        (Answer::error(Error::credentials(Class::Unavailable, "down".into(), None)), 500),
    ] {
        let budget = Budget::new();
        let seen =
            call(&hedging().budget(budget.clone()), request("GET"), vec![answer(404).after(ms(200)), last]).await;
        assert_eq!((seen.status(), seen.sent.len(), budget.level()), (404, 2, level));
        let attempts = record(&seen.outcome).map(|record| record.attempts().len());
        assert_eq!(attempts, (level == 486).then_some(2), "a refused hedge is not in the record");
    }
}

#[tokio::test(start_paused = true)]
async fn only_requests_that_may_be_sent_twice_at_once_are_hedged() {
    let with = |method, extension: fn(&mut http::Extensions)| {
        let mut request = request(method);
        extension(request.extensions_mut());
        request
    };
    let mut keyed = request("POST");
    keyed.headers_mut().insert("idempotency-key", http::HeaderValue::from_static("\"k1\""));
    for (name, request, is_hedged) in [
        ("safe", request("GET"), true),
        ("safe", request("HEAD"), true),
        ("not idempotent", request("POST"), false),
        ("idempotent, but not safe", request("PUT"), false),
        ("idempotent, but not safe", request("DELETE"), false),
        ("keyed", keyed, true),
        ("declared", with("PUT", |extensions| _ = extensions.insert(Idempotent(true))), true),
        ("refused", with("GET", |extensions| _ = extensions.insert(Idempotent(false))), false),
        ("opted out", with("GET", |extensions| _ = extensions.insert(NoRetry)), false),
    ] {
        let seen = call(&hedging(), request, vec![answer(200).after(ms(300)), answer(200)]).await;
        assert_eq!(seen.sent.len(), if is_hedged { 2 } else { 1 }, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn settings_budget_deadline_and_readiness_prevent_a_hedge() {
    for (name, layer, sends) in [
        ("it may be sent", hedging(), 2),
        ("not asked for", common::layer(), 1),
        ("one attempt", hedging().max_attempts(count(1)), 1),
        ("no tokens", hedging().budget(Budget::with_capacity(13)), 1),
        ("just enough tokens", hedging().budget(Budget::with_capacity(14)), 2),
        ("no budget", hedging().without_budget(), 2),
        ("the deadline is sooner", hedging().deadline(ms(104)), 1),
        ("the deadline is later", hedging().deadline(ms(500)), 2),
    ] {
        let seen = call(&layer, request("GET"), vec![answer(200).after(ms(300)), answer(200)]).await;
        assert_eq!(seen.sent.len(), sends, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_not_ready_is_not_waited_for_and_not_kept() {
    let known = (0..KNOWN).map(|_| answer(200).after(ms(100)));
    let answers: Vec<_> = known.chain([answer(200).after(ms(300)), answer(200)]).collect();
    let mock = StrictMock::scripted(answers).limit(1);
    let (handle, budget) = (mock.handle(), Budget::new());
    let service = hedging().budget(budget.clone()).layer(mock);
    for _ in 0..=KNOWN {
        service.clone().oneshot(request("GET")).await.unwrap();
    }
    assert_eq!((handle.calls(), handle.abandoned(), budget.level()), (KNOWN + 1, 0, 500));
    handle.assert_idle();
}

/// Calls one after the other, so that each of these latencies is that of one first attempt. Returns the number of hedges after each
/// call. A hedge takes 1 ms.
async fn hedges(layer: &BackoffLayer, latencies: impl IntoIterator<Item = u64>) -> Vec<usize> {
    let latencies: Vec<_> = latencies.into_iter().collect();
    let (hedges, mut sent) = (Arc::new(AtomicUsize::new(0)), 0);
    let (counted, calls) = (Arc::clone(&hedges), latencies.len());
    let service = layer.layer(StrictMock::new(move |request: &Request<String>| {
        let is_hedge = SendState::is_hedge(request);
        counted.fetch_add(usize::from(is_hedge), Ordering::Relaxed);
        let latency = if is_hedge { 1 } else { latencies[sent] };
        sent += usize::from(!is_hedge);
        async move {
            tokio::time::sleep(ms(latency)).await;
            Ok(Response::new(String::new()))
        }
    }));
    let mut seen = Vec::new();
    for _ in 0..calls {
        service.clone().oneshot(request("GET")).await.unwrap();
        seen.push(hedges.load(Ordering::Relaxed));
    }
    seen
}

#[tokio::test(start_paused = true)]
async fn no_call_is_hedged_before_fifty_answers_and_at_most_one_in_twenty_after() {
    let always_slow = hedges(&hedging().random(|| 1), (0..50).map(|nth| 100 + 100 * nth)).await;
    assert_eq!(always_slow[49], 0);
    // With this random number no call is timed once there is an estimate. Later one in ten is slow: half of those are hedged.
    let slow_at = |nth| nth > 60 && nth % 10 == 7;
    let seen = hedges(&hedging().random(|| 1), (0..2_000).map(|nth| if slow_at(nth) { 500 } else { 100 })).await;
    assert!((95..100).contains(&seen[1_999]), "{} of 2,000", seen[1_999]);
    for (calls, hedges) in (1..).zip(seen) {
        assert!(hedges * 20 <= calls, "{hedges} hedges of {calls} calls");
    }
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_is_slow_as_a_whole_is_not_hedged() {
    let slow_from = |nth| if nth < 500 { 100 } else { 400 };
    let seen = hedges(&hedging().random(|| 1), (0..1_000).map(slow_from)).await;
    assert!((1..=2).contains(&seen[999]), "{} hedges of 500 slow calls", seen[999]);
    assert_eq!(seen[520], seen[999], "the first calls show it");
}

#[tokio::test(start_paused = true)]
async fn after_a_failure_that_would_be_retried_the_other_attempt_goes_on_and_decides() {
    let first_fails =
        call(&hedging(), request("GET"), vec![answer(503).after(ms(150)), answer(200).after(ms(400))]).await;
    assert_eq!((first_fails.status(), first_fails.took), (200, P95 + 400));
    assert_eq!(first_fails.record(), "2 attempts, 503 unavailable, 200 success on hedge; succeeded");
    let hedge_fails = call(&hedging(), request("GET"), vec![answer(200).after(ms(400)), broken()]).await;
    assert_eq!((hedge_fails.status(), hedge_fails.took), (200, 400));
    assert_eq!(hedge_fails.record(), "2 attempts, unavailable on hedge, 200 success; succeeded");
    let mut keyed = request("POST");
    keyed.headers_mut().insert("idempotency-key", http::HeaderValue::from_static("\"k1\""));
    let in_progress = call(&hedging(), keyed, vec![answer(200).after(ms(400)), answer(409)]).await;
    assert_eq!(
        (in_progress.status(), in_progress.took),
        (200, 400),
        "the first request with the key is still processed"
    );
}

#[tokio::test(start_paused = true)]
async fn only_a_hedge_that_races_may_be_refused_without_an_end_of_the_call() {
    let paced = |millis| Answer::error(Error::paced(SystemTime::UNIX_EPOCH)).after(ms(millis));
    let no_connection = || Answer::error(TransportError::connect("refused"));
    let (late, failed) = (|| answer(200).after(ms(400)), answer(503).after(ms(150)));
    for (name, answers, expected, took) in [
        ("a hedge", vec![late(), paced(20)], "", 400),
        (
            "no connection",
            vec![late(), no_connection()],
            "2 attempts, unavailable on hedge, 200 success; succeeded",
            400,
        ),
        ("the first", vec![paced(150), late()], "1 attempt, cancelled on hedge; the rate-limit wait is too long", 150),
        (
            "a hedge alone",
            vec![failed, paced(150)],
            "1 attempt, 503 unavailable; the rate-limit wait is too long",
            P95 + 150,
        ),
    ] {
        let seen = call(&hedging(), request("GET"), answers).await;
        assert_eq!((seen.record().as_str(), seen.took), (expected, took), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_is_final_decides_at_once() {
    for (answers, expected) in [
        (vec![slow(200), answer(404)], "2 attempts, cancelled, 404 not_found on hedge; another attempt would not help"),
        (
            vec![answer(403).after(ms(120)), slow(200)],
            "2 attempts, cancelled on hedge, 403 permission_denied; another attempt would not help",
        ),
    ] {
        let seen = call(&hedging(), request("GET"), answers).await;
        assert_eq!((seen.record(), seen.cancelled), (expected.to_owned(), 1));
        assert!(seen.took < 200);
    }
}

#[tokio::test(start_paused = true)]
async fn when_both_fail_the_call_goes_on_as_after_two_failed_attempts() {
    let budget = Budget::new();
    let fails = || vec![answer(503).after(ms(150)), answer(500).after(ms(100))];
    let layer = hedging().budget(budget.clone());
    let seen = call(&layer, request("GET"), fails().into_iter().chain([answer(200)]).collect()).await;
    // The second wait of the schedule: 100 ms.
    assert_eq!((seen.status(), seen.sent.clone()), (200, vec![0, P95, P95 + 200]));
    assert_eq!(
        seen.record(),
        "3 attempts, 503 unavailable, 500 internal on hedge, waited 100.0ms, 200 success; succeeded"
    );
    assert_eq!(budget.level(), 500 - 14, "two were paid for, and the success gives back what the retry took");
    assert_eq!(ResendCount::from_request(&seen.requests[2]).map(ResendCount::get), Some(2));
    let twice = call(&hedging().max_attempts(count(2)), request("GET"), fails()).await;
    assert_eq!((twice.sent.len(), stop(&twice.outcome)), (2, Some(EndReason::MaxAttempts)), "the hedge is an attempt");
}

#[tokio::test(start_paused = true)]
async fn the_time_counts_from_the_send_and_not_from_the_call() {
    let known = (0..KNOWN).map(|_| answer(200).after(ms(100)));
    let (mock, handle) = mock(known.chain([slow(200), answer(201)]));
    let queue = tower::service_fn(move |request: Request<String>| {
        let (mock, is_queued) = (mock.clone(), request.headers().contains_key("x-queued"));
        async move {
            if is_queued && !SendState::is_hedge(&request) {
                SendState::mark_queued(&request);
                tokio::time::sleep(ms(2_000)).await;
                SendState::mark_sent(&request);
            }
            mock.oneshot(request).await
        }
    });
    let service = hedging().layer(queue);
    for _ in 0..KNOWN {
        service.clone().oneshot(request("GET")).await.unwrap();
    }
    let start = Instant::now();
    let mut queued = request("GET");
    queued.headers_mut().insert("x-queued", http::HeaderValue::from_static("1"));
    assert_eq!(service.oneshot(queued).await.unwrap().status(), 201);
    let sent: Vec<_> = handle.instants()[KNOWN..].iter().map(|at| (*at - start).as_millis()).collect();
    assert_eq!(sent, [2_000, 2_000 + P95]);
}

#[tokio::test(start_paused = true)]
async fn after_a_sign_of_trouble_no_call_is_hedged_until_an_answer_without_one() {
    for health in [UpstreamHealth::Degraded, UpstreamHealth::Outage] {
        let mut marked = Response::new(String::new());
        health.mark(marked.extensions_mut());
        let known = (0..KNOWN).map(|_| answer(200).after(ms(100)));
        let late = || answer(200).after(ms(300));
        let (mock, handle) = mock(known.chain([Answer::ok(marked), late(), late(), answer(201)]));
        let service = hedging().layer(mock);
        for (calls, sends) in [(KNOWN, KNOWN), (1, 1), (1, 1), (1, 2)] {
            handle.take();
            for _ in 0..calls {
                service.clone().oneshot(request("GET")).await.unwrap();
            }
            assert_eq!(handle.calls(), sends, "{health:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_rejection_after_which_credentials_were_refreshed_ends_the_race_and_is_resent() {
    let rejected = || {
        let mut rejected = Response::builder().status(401).body(String::new()).unwrap();
        rejected.extensions_mut().insert(Refreshed);
        Answer::ok(rejected)
    };
    let budget = Budget::new();
    for (answers, expected) in [
        (
            vec![rejected().after(ms(150)), slow(200), answer(200)],
            "2 attempts, cancelled on hedge, 401 unauthenticated, 200 success on resend; succeeded",
        ),
        (
            vec![slow(200), rejected(), answer(200)],
            "2 attempts, cancelled, 401 unauthenticated on hedge, 200 success on resend; succeeded",
        ),
    ] {
        let seen = call(&hedging().budget(budget.clone()), request("GET"), answers).await;
        assert_eq!((seen.record(), seen.sent.len(), seen.cancelled), (expected.to_owned(), 3, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn when_both_fail_in_an_outage_the_request_waits_for_its_end() {
    let failed = |after| {
        let error = Error::from_inner(TransportError::connect("refused").into());
        Answer::error(error.with_upstream_health(UpstreamHealth::Outage)).after(ms(after))
    };
    let layer = hedging().deadline(ms(60_000));
    let seen = call(&layer, request("GET"), vec![failed(150), failed(100), answer(200).after(ms(30))]).await;
    assert_eq!(seen.sent, [0, P95, P95 + 100], "it is handed down at once, with no wait of its own");
    assert_eq!(seen.record(), "3 attempts, unavailable, unavailable on hedge, 200 success; succeeded");
}

#[tokio::test(start_paused = true)]
async fn the_deadline_cuts_both_attempts() {
    let layer = hedging().deadline(ms(1_000));
    let seen = call(&layer, request("GET"), vec![slow(200), slow(200)]).await;
    let error = seen.outcome.as_ref().unwrap_err();
    assert!(error.is_deadline() && error.phase() == Phase::MaybeProcessed);
    assert_eq!((seen.took, seen.cancelled), (1_000, 2));
    assert_eq!(record(&seen.outcome).unwrap().attempts().len(), 2);
    let alone = call(&layer, request("GET"), vec![answer(503).after(ms(200)), slow(200)]).await;
    assert_eq!((alone.took, alone.cancelled), (1_000, 1), "a hedge that goes on alone is cut, too");
    assert!(record(&alone.outcome).unwrap().attempts()[1].is_hedge);
}

/// Runs the calls before, and a hedged call that is dropped after this time.
async fn dropped_after(time: u64, answers: Vec<Answer<Response<String>>>, budget: &Budget) -> Handle<Request<String>> {
    let known = (0..KNOWN).map(|_| answer(200).after(ms(100)));
    let (mock, handle) = mock(known.chain(answers));
    let service = hedging().budget(budget.clone()).layer(mock);
    for _ in 0..KNOWN {
        service.clone().oneshot(request("GET")).await.unwrap();
    }
    assert!(tokio::time::timeout(ms(time), service.oneshot(request("GET"))).await.is_err());
    handle
}

#[tokio::test(start_paused = true)]
async fn a_dropped_call_drops_both_attempts() {
    for (after, cancelled, level) in [(50, 1, 500), (200, 2, 486)] {
        let budget = Budget::new();
        let handle = dropped_after(after, vec![slow(200), slow(200)], &budget).await;
        handle.assert_idle();
        assert_eq!((handle.cancelled(), budget.level()), (cancelled, level), "after {after} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn hooks_see_both_attempts_with_their_numbers() {
    let attempts = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&attempts);
    let layer = hedging().on_attempt(move |attempt, number| {
        seen.lock().unwrap().push((number, attempt.status, attempt.is_hedge, attempt.is_cancelled));
    });
    let fails = vec![broken().after(ms(150)), answer(503).after(ms(100)), answer(200)];
    call(&layer, request("GET"), fails).await;
    call(&layer, request("GET"), vec![answer(200).after(ms(150)), slow(200)]).await;
    let attempts: Vec<_> = attempts.lock().unwrap().drain(..).collect();
    let ours = |range| Vec::from(&attempts[range]);
    assert_eq!(
        ours(KNOWN..KNOWN + 3),
        [(1, None, false, false), (2, Some(503), true, false), (3, Some(200), false, false)]
    );
    assert_eq!(ours(2 * KNOWN + 3..2 * KNOWN + 5), [(2, None, true, true), (1, Some(200), false, false)]);
}

#[tokio::test(start_paused = true)]
async fn a_declared_route_is_hedged_and_an_upstream_without_calls_is_not() {
    let layer = BackoffLayer::new(dialect("[retry]\nidempotent = [\"POST /v1/things\"]\n")).hedge();
    let seen = call(&layer, request("POST"), vec![slow(200), answer(200)]).await;
    assert_eq!(seen.sent.len(), 2);
    let mut other = request("GET");
    *other.uri_mut() = "https://other.example/".parse().unwrap();
    let seen = call(&layer, other, vec![answer(200).after(ms(300))]).await;
    assert_eq!(seen.sent.len(), 1, "the latency of one host is not that of another");
}

#[tokio::test(start_paused = true)]
async fn of_two_layers_above_each_other_one_hedges() {
    let known = (0..KNOWN).map(|_| answer(200).after(ms(100)));
    let (mock, handle) = mock(known.chain([slow(200), slow(201), answer(202)]));
    let service = hedging().layer(hedging().layer(mock));
    for _ in 0..KNOWN {
        service.clone().oneshot(request("GET")).await.unwrap();
    }
    assert_eq!(service.oneshot(request("GET")).await.unwrap().status(), 200);
    assert_eq!((handle.calls(), handle.cancelled()), (KNOWN + 2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_one_attempt_drops_the_other_and_spends_what_was_sent() {
    #[derive(Clone, Copy, PartialEq, Debug)]
    enum Panics {
        CallOfHedge,
        Hedge,
        First,
    }
    for panics in [Panics::CallOfHedge, Panics::Hedge, Panics::First] {
        let mut sent = 0;
        let mock = StrictMock::new(move |request: &Request<String>| {
            sent += 1;
            let (is_hedge, is_slow) = (SendState::is_hedge(request), sent == KNOWN + 1);
            assert!(!is_hedge || panics != Panics::CallOfHedge, "the call");
            async move {
                tokio::time::sleep(ms(if is_slow { 300 } else { 100 })).await;
                assert!(!is_hedge || panics != Panics::Hedge, "the hedge");
                assert!(!is_slow || panics != Panics::First, "the first");
                if is_hedge { std::future::pending().await } else { Ok(Response::new(String::new())) }
            }
        });
        let (handle, budget) = (mock.handle(), Budget::new());
        let service = hedging().budget(budget.clone()).layer(mock);
        let call = || tokio::spawn(service.clone().oneshot(request("GET")));
        for _ in 0..KNOWN {
            call().await.unwrap().unwrap();
        }
        assert!(call().await.unwrap_err().is_panic(), "{panics:?}");
        handle.assert_idle();
        assert_eq!(budget.level(), 486, "{panics:?}");
        call().await.unwrap().unwrap();
    }
}
