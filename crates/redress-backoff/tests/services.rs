//! The contract with the service below: readiness, cancellation, wakers.
#![allow(clippy::unwrap_used, reason = "test helpers are test code")]

mod common;

use std::collections::VecDeque;
use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use common::*;
use http::{Request, Response};
use redress_backoff::Budget;
use redress_classify::{EndReason, Phase, TransportError};
use redress_sandbox::strict_mock::BoxError;
use redress_sandbox::{Recorder, WakeCounter};
use tokio::time::Instant;
use tower::{Layer, Service, ServiceExt};

#[tokio::test(start_paused = true)]
async fn a_dropped_call_sends_nothing_more_and_returns_its_budget() {
    let budget = Budget::new();
    let (mock, handle) = mock([answer(500), answer(200)]);
    let mut call = Box::pin(layer().budget(budget.clone()).layer(mock).oneshot(request("GET")));
    assert!(tokio::time::timeout(Duration::from_millis(20), call.as_mut()).await.is_err());
    assert_eq!(budget.level(), 486, "reserved at the decision");
    drop(call);
    assert_eq!(budget.level(), 500, "reserved, not sent, given back");
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!((handle.calls(), handle.in_flight()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_before_its_end_is_reported_with_its_phase() {
    let slow = || answer(200).after(Duration::from_secs(60));
    for (name, answers, millis, expected) in [
        ("in flight", vec![slow()], 20, Some((1, "maybe_processed"))),
        ("during the wait", vec![answer(500), answer(200)], 20, Some((2, "not_sent"))),
        ("in the second attempt", vec![answer(500), slow()], 5_000, Some((2, "maybe_processed"))),
        ("after its end", vec![answer(200)], 20, None),
        ("after a failure", vec![answer(404)], 20, None),
    ] {
        let recorder = Recorder::with_target("redress::backoff");
        let _guard = tracing::subscriber::set_default(recorder.clone());
        let (mock, _handle) = mock(answers);
        let call = layer().layer(mock).oneshot(request("GET"));
        let outcome = tokio::time::timeout(Duration::from_millis(millis), call).await;
        assert_eq!(outcome.is_err(), expected.is_some(), "{name}");
        let dropped = recorder.lines().into_iter().filter(|line| line.contains("call dropped")).collect::<Vec<_>>();
        let expected = expected.map(|(attempt, phase)| {
            let fields = format!("dialect=\"silent\" host=api.example attempt={attempt} phase=\"{phase}\"");
            format!("DEBUG redress::backoff message=call dropped {fields}")
        });
        assert_eq!(dropped, Vec::from_iter(expected), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_readied_service_is_held_while_waiting() {
    let (mock, handle) = mock([answer(500), answer(200)]);
    let mut service = layer().layer(mock.limit(1));
    service.ready().await.expect("it is ready");
    let call = tokio::spawn(service.call(request("GET")));
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!((handle.calls(), handle.reservations(), handle.in_flight()), (1, 0, 0));
    assert_eq!(call.await.expect("no panic").expect("a response").status(), 200);
    handle.assert_idle();
}

/// The result of one `poll_ready`.
#[derive(Clone, Copy, Debug)]
enum Readiness {
    Ready,
    /// Pending, and woken at once.
    NotYet,
    Broken,
}

/// A service with scripted readiness and statuses, which its clones share.
#[derive(Clone, Debug, Default)]
struct Fickle {
    script: Arc<Mutex<VecDeque<Readiness>>>,
    answers: Arc<Mutex<VecDeque<u16>>>,
    calls: Arc<AtomicUsize>,
}

impl Fickle {
    fn new(script: &[Readiness], answers: &[u16]) -> Self {
        let (script, answers) = (script.iter().copied().collect(), answers.iter().copied().collect());
        Self { script: Arc::new(Mutex::new(script)), answers: Arc::new(Mutex::new(answers)), calls: Arc::default() }
    }
}

impl Service<Request<String>> for Fickle {
    type Response = Response<String>;
    type Error = BoxError;
    type Future = Ready<Result<Response<String>, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        match self.script.lock().unwrap().pop_front().expect("the script covers each `poll_ready`") {
            Readiness::Ready => Poll::Ready(Ok(())),
            Readiness::Broken => Poll::Ready(Err("broken".into())),
            Readiness::NotYet => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }

    fn call(&mut self, _: Request<String>) -> Self::Future {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let status = self.answers.lock().unwrap().pop_front().expect("as many answers as calls");
        ready(Ok(Response::builder().status(status).body(String::new()).expect("a status")))
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_not_ready_between_attempts_is_waited_for() {
    use Readiness::{NotYet, Ready};
    for (script, answers) in [
        (&[Ready, Ready, Ready][..], &[500, 500, 200][..]),
        (&[NotYet, Ready, NotYet, NotYet, Ready, NotYet, Ready], &[500, 500, 200]),
        (&[Ready, NotYet, NotYet, NotYet, Ready], &[500, 404]),
    ] {
        let service = Fickle::new(script, answers);
        let response = layer().layer(service.clone()).oneshot(request("GET")).await.expect("a response");
        assert_eq!(Some(&response.status().as_u16()), answers.last());
        assert_eq!(service.calls.load(Ordering::SeqCst), answers.len());
        assert!(service.script.lock().unwrap().is_empty(), "the whole script was used");
    }
    let (mock, handle) = mock([answer(500), answer(200)]);
    let start = Instant::now();
    let call = tokio::spawn(layer().layer(mock).oneshot(request("GET")));
    tokio::time::sleep(ms(20)).await;
    handle.set_limit(0);
    tokio::time::sleep(ms(980)).await;
    assert_eq!(handle.calls(), 1);
    handle.set_limit(1);
    assert_eq!(call.await.expect("no panic").expect("a response").status(), 200);
    assert_eq!(handle.instants()[1] - start, ms(1_000), "as soon as there is a place");
}

#[tokio::test(start_paused = true)]
async fn a_service_that_breaks_between_attempts_ends_the_call() {
    use Readiness::{Broken, NotYet, Ready};
    for (script, answer, phase) in [
        (&[Ready, Broken][..], 429, Phase::NotSent),
        (&[Ready, NotYet, Broken], 429, Phase::NotSent),
        (&[Ready, Broken], 500, Phase::MaybeProcessed),
        (&[Ready, NotYet, NotYet, Broken], 503, Phase::MaybeProcessed),
    ] {
        let budget = Budget::new();
        let service = Fickle::new(script, &[answer]);
        let mut call = Box::pin(layer().budget(budget.clone()).layer(service.clone()).oneshot(request("GET")));
        // The future is kept: the reservation is given back at the end of the call, not only by the drop.
        let error = call.as_mut().await.expect_err("the service is broken");
        assert_eq!((error.is_transport(), error.phase(), budget.level()), (true, phase, 500), "{answer}");
        let record = error.record().expect("an error has one");
        assert_eq!((record.attempts().len(), record.end_reason()), (1, EndReason::NotSent), "{answer}");
        assert_eq!(service.calls.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn poll_ready_returns_the_error_of_the_service() {
    let mut service = layer().layer(Fickle::new(&[Readiness::NotYet, Readiness::Broken], &[]));
    let error = service.ready().await.expect_err("it is broken");
    assert_eq!((error.is_transport(), error.phase()), (true, Phase::NotSent));
}

#[tokio::test(start_paused = true)]
async fn the_service_that_was_polled_ready_is_called() {
    // The mock panics if a clone is called that was not polled ready, or if one that was is dropped.
    let (mock, handle) = mock([answer(500), answer(200), answer(500), answer(200)]);
    let mut service = layer().layer(mock.limit(1));
    for _ in 0..2 {
        let call = service.ready().await.expect("it is ready").call(request("GET"));
        let unready = service.clone();
        assert_eq!(call.await.expect("a response").status(), 200);
        drop(unready);
    }
    handle.assert_idle();
    assert_eq!((handle.calls(), handle.abandoned()), (4, 0));
}

fn poll_with<F: Future>(call: Pin<&mut F>, bell: &WakeCounter) -> Poll<F::Output> {
    call.poll(&mut Context::from_waker(&bell.waker()))
}

#[tokio::test(start_paused = true)]
async fn the_last_waker_is_woken_and_no_other() {
    for (name, failure, advance) in [
        ("during the wait", answer(500), ms(51)),
        ("while an attempt is in flight", answer(500).after(ms(30)), ms(31)),
        ("at the deadline", answer(500).after(ms(60_000)), ms(5_001)),
    ] {
        let (mock, handle) = mock([failure, answer(200)]);
        let (first, second) = (WakeCounter::new(), WakeCounter::new());
        let mut call = Box::pin(layer().deadline(ms(5_000)).layer(mock).oneshot(request("GET")));
        assert!(poll_with(call.as_mut(), &first).is_pending(), "{name}");
        assert!(poll_with(call.as_mut(), &second).is_pending(), "{name}");
        assert!(poll_with(call.as_mut(), &second).is_pending(), "{name}: a spurious poll is harmless");
        tokio::time::advance(advance).await;
        tokio::task::yield_now().await;
        assert_eq!((first.count(), second.count()), (0, 1), "{name}");
        let _ = poll_with(call.as_mut(), &second);
        drop(call);
        let rung = second.count();
        tokio::time::advance(ms(120_000)).await;
        assert_eq!((second.count(), handle.in_flight()), (rung, 0), "{name}: no waker is called after the drop");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_is_polled_only_after_events() {
    let (mock, handle) = mock([answer(500), answer(500).after(ms(5)), answer(429), answer(200).after(ms(5))]);
    let mut call = Box::pin(layer().max_attempts(count(4)).deadline(ms(60_000)).layer(mock).oneshot(request("GET")));
    let polls = AtomicUsize::new(0);
    let outcome = std::future::poll_fn(|cx| {
        polls.fetch_add(1, Ordering::SeqCst);
        call.as_mut().poll(cx)
    });
    assert_eq!(outcome.await.expect("a response").status(), 200);
    // Three waits and two answers that take time.
    assert!(polls.load(Ordering::SeqCst) <= 5 + 2, "{polls:?}");
    assert_eq!(handle.calls(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_panic_below_gives_the_reserved_budget_back() {
    let budget = Budget::new();
    let answers = Mutex::new(0);
    let mock = StrictMock::new(move |_: &Request<String>| {
        let mut nth = answers.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *nth += 1;
        assert!(*nth < 3, "the third call panics");
        async { Err(TransportError::connect("refused").into()) }
    });
    let handle = mock.handle();
    let call = tokio::spawn(layer().budget(budget.clone()).layer(mock).oneshot(request("GET")));
    let _: Result<Outcome, _> = call.await.map_err(|error| assert!(error.is_panic()));
    assert_eq!(budget.level(), 500 - 2 * Budget::TRANSIENT_COST, "what was sent is spent, and nothing stays reserved");
    assert_eq!((handle.in_flight(), handle.reservations()), (0, 0));
}
