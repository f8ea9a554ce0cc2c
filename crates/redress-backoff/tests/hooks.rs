//! The hooks of the layer and the opt-out of a request.
#![allow(clippy::unwrap_used, reason = "test helpers are test code")]

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::*;
use http::Request;
use redress_backoff::{BackoffLayer, Budget, NoRetry};
use redress_classify::{Class, Deadline, EndReason, Error, Record, Refreshed, TransportError};
use redress_sandbox::strict_mock::Answer;
use tower::{Layer, ServiceExt};

fn with_retry_if(decision: Option<bool>) -> BackoffLayer {
    layer().retry_if(move |_, _| decision)
}

fn attempts(outcome: &Outcome) -> usize {
    record(outcome).map_or(1, |record| record.attempts().len())
}

#[tokio::test(start_paused = true)]
async fn retry_if_replaces_the_recovery_of_the_verdict() {
    for (name, decision, status, expected) in [
        ("an error that is not retried by default", None, 404, (1, None)),
        ("the hook asks for a retry of it", Some(true), 404, (3, Some(EndReason::MaxAttempts))),
        ("an error that is retried by default", None, 503, (3, Some(EndReason::MaxAttempts))),
        ("the hook asks for it as well", Some(true), 503, (3, Some(EndReason::MaxAttempts))),
        ("the hook forbids it", Some(false), 503, (1, None)),
    ] {
        let answers = (0..3).map(|_| answer(status)).collect();
        let (outcome, times) = run(&with_retry_if(decision), request("GET"), answers).await;
        assert_eq!((times.len(), stop(&outcome)), expected, "{name}");
        assert_eq!(outcome.unwrap().status(), status, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn retry_if_never_overrides_the_limits_of_a_retry() {
    let asks = with_retry_if(Some(true));
    let short = || Deadline::from_now(ms(10));
    let mut near = request("GET");
    near.extensions_mut().insert(short());
    let mut opted_out = request("GET");
    opted_out.extensions_mut().insert(NoRetry);
    let hint = |seconds| with(404, &[("retry-after", seconds)]);
    for (name, layer, request, answers, expected) in [
        ("a POST without proof", asks.clone(), request("POST"), vec![answer(404)], (1, EndReason::NotIdempotent)),
        (
            "a budget without tokens",
            asks.clone().budget(Budget::with_capacity(13)),
            request("GET"),
            vec![answer(404)],
            (1, EndReason::Budget),
        ),
        ("a hint that is too long", asks.clone(), request("GET"), vec![hint("121")], (1, EndReason::HintTooLong)),
        ("a wait past the deadline", asks.clone(), near, vec![answer(404)], (1, EndReason::Deadline)),
        (
            "one attempt at most",
            asks.clone().max_attempts(count(1)),
            request("GET"),
            vec![answer(404)],
            (1, EndReason::MaxAttempts),
        ),
        ("a request that opted out", asks.clone(), opted_out, vec![answer(404)], (1, EndReason::NoRetry)),
    ] {
        let (outcome, times) = run(&layer, request, answers).await;
        assert_eq!((times.len(), stop(&outcome)), (expected.0, Some(expected.1)), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hint_is_obeyed_after_a_retry_that_the_hook_asked_for() {
    let answers = vec![with(404, &[("retry-after", "7")]), answer(200)];
    let (outcome, times) = run(&with_retry_if(Some(true)), request("GET"), answers).await;
    assert_eq!(times, [0, 7_000]);
    assert_eq!(outcome.unwrap().status(), 200);
}

#[tokio::test(start_paused = true)]
async fn retry_if_sees_the_number_of_each_attempt_and_the_error_of_the_transport() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let numbers = Arc::clone(&seen);
    let layer = layer().retry_if(move |verdict, attempt| {
        numbers.lock().unwrap().push((verdict.class(), attempt));
        (attempt == 2).then_some(false)
    });
    let answers = vec![answer(500), Answer::error(TransportError::connect("refused"))];
    let (outcome, times) = run(&layer, request("GET"), answers).await;
    assert_eq!(*seen.lock().unwrap(), [(Class::Internal, 1), (Class::Unavailable, 2)]);
    assert_eq!((times.len(), stop(&outcome)), (2, Some(EndReason::NotRetryable)));
}

#[tokio::test(start_paused = true)]
async fn retry_if_is_not_asked_about_the_resend_after_a_refresh() {
    let refreshed = Answer::ok({
        let mut response = http::Response::builder().status(401).body("body".to_owned()).unwrap();
        response.extensions_mut().insert(Refreshed);
        response
    });
    let (outcome, times) = run(&with_retry_if(Some(false)), request("POST"), vec![refreshed, answer(200)]).await;
    assert_eq!((times.len(), outcome.unwrap().status().as_u16()), (2, 200));
}

/// The events of both observers, in order.
#[derive(Clone, Debug, PartialEq)]
enum Event {
    Attempt { number: u32, status: Option<u16>, class: Option<Class>, is_resend: bool, wait: Option<Duration> },
    Wait { number: u32, class: Class, wait: Duration },
}

fn observed(layer: BackoffLayer) -> (BackoffLayer, Arc<Mutex<Vec<Event>>>) {
    let events = Arc::new(Mutex::new(Vec::new()));
    let (attempts, waits) = (Arc::clone(&events), Arc::clone(&events));
    let layer = layer.on_attempt(move |attempt, number| {
        let (status, class, is_resend, wait) = (attempt.status, attempt.class(), attempt.is_resend, attempt.wait);
        attempts.lock().unwrap().push(Event::Attempt { number, status, class, is_resend, wait });
    });
    let layer = layer.on_wait(move |verdict, number, wait| {
        waits.lock().unwrap().push(Event::Wait { number, class: verdict.class(), wait });
    });
    (layer, events)
}

fn ended(number: u32, status: u16, class: Option<Class>, wait: Option<u64>) -> Event {
    Event::Attempt { number, status: Some(status), class, is_resend: false, wait: wait.map(ms) }
}

#[tokio::test(start_paused = true)]
async fn observers_see_each_attempt_and_each_wait_once() {
    let (layer, events) = observed(layer());
    let (outcome, _) = run(&layer, request("GET"), vec![answer(503), answer(429), answer(200)]).await;
    let waits = [(1, Class::Unavailable, 50), (2, Class::RateLimited, 2_000)];
    let wait = |nth: usize| Event::Wait { number: waits[nth].0, class: waits[nth].1, wait: ms(waits[nth].2) };
    let expected = [
        ended(1, 503, Some(Class::Unavailable), Some(50)),
        wait(0),
        ended(2, 429, Some(Class::RateLimited), Some(2_000)),
        wait(1),
        ended(3, 200, None, None),
    ];
    assert_eq!(*events.lock().unwrap(), expected);
    assert_eq!(attempts(&outcome), 3);
}

#[tokio::test(start_paused = true)]
async fn an_observer_sees_a_first_success_which_stays_without_a_record() {
    let (layer, events) = observed(layer());
    let (outcome, _) = run(&layer, request("GET"), vec![answer(200)]).await;
    assert_eq!(*events.lock().unwrap(), [ended(1, 200, None, None)]);
    assert!(record(&outcome).is_none());
}

#[tokio::test(start_paused = true)]
async fn an_observer_sees_the_attempt_that_the_deadline_cuts_and_none_that_was_not_sent() {
    let (layer, events) = observed(layer().deadline(ms(1_000)));
    let (outcome, _) = run(&layer, request("GET"), vec![answer(200).after(ms(60_000))]).await;
    assert!(outcome.as_ref().is_err_and(Error::is_deadline));
    let cut = Event::Attempt { number: 1, status: None, class: Some(Class::Unavailable), is_resend: false, wait: None };
    assert_eq!(*events.lock().unwrap(), [cut]);
    let (layer, events) = observed(layer);
    let mut late = request("GET");
    late.extensions_mut().insert(Deadline::from_now(Duration::ZERO));
    let (mock, handle) = mock([]);
    assert!(layer.layer(mock.allow_abandoned()).oneshot(late).await.is_err_and(|error| error.is_deadline()));
    assert_eq!((handle.calls(), events.lock().unwrap().len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn an_observer_above_another_retry_layer_sees_no_attempt_of_it() {
    let (outer, seen_above) = observed(layer());
    let (inner, seen_below) = observed(layer());
    let (mock, _handle) = mock([answer(503), answer(503), answer(503)]);
    let outcome: Outcome = outer.layer(inner.layer(mock)).oneshot(request("GET")).await;
    assert_eq!(record(&outcome).map(Record::end_reason), Some(EndReason::MaxAttempts));
    assert_eq!((seen_above.lock().unwrap().len(), seen_below.lock().unwrap().len()), (0, 5));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_opts_out_is_attempted_once_and_others_are_not_affected() {
    for (name, answers, expected) in [
        ("a failure that would be retried", vec![answer(503)], (1, Some(EndReason::NoRetry))),
        ("a failure that would not", vec![answer(404)], (1, None)),
        ("a success", vec![answer(200)], (1, None)),
    ] {
        let mut opted_out: Request<String> = request("GET");
        opted_out.extensions_mut().insert(NoRetry);
        let (outcome, times) = run(&layer(), opted_out, answers).await;
        assert_eq!((times.len(), stop(&outcome)), expected, "{name}");
    }
    let (outcome, times) = run(&layer(), request("GET"), vec![answer(503), answer(200)]).await;
    assert_eq!((times.len(), outcome.unwrap().status().as_u16()), (2, 200));
}
