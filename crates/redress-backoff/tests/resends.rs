//! Retries of streamed bodies, and the resend after a refresh.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::*;
use http::{Request, Response};
use redress_backoff::Budget;
use redress_classify::{CloneBody, EndReason, Refreshed, ResendCount, ResponseExt};
use redress_sandbox::strict_mock::BoxError;
use tower::{Layer, ServiceExt};

#[tokio::test(start_paused = true)]
async fn the_resend_after_a_refresh_is_free_and_happens_once() {
    let refreshed = || {
        let mut response = Response::builder().status(401).body(String::new()).expect("a status");
        response.extensions_mut().insert(Refreshed);
        Answer::ok(response)
    };
    let budget = Budget::new();
    let layer = layer().budget(budget.clone()).max_attempts(count(1));
    let (mock, handle) = mock([refreshed(), answer(200)]);
    let response = layer.layer(mock).oneshot(request("POST")).await.expect("a response");
    assert_eq!((response.status().as_u16(), budget.level()), (200, 500));
    let record = response.record().expect("two were sent");
    assert!(!record.attempts()[0].is_resend && record.attempts()[1].is_resend);
    assert_eq!(record.to_string(), "1 attempt, 401 unauthenticated, 200 success on resend; succeeded");
    let marks: Vec<_> = handle.take().iter().map(|got| got.request.extensions().get::<Refreshed>().is_some()).collect();
    assert_eq!(marks, [false, true]);
    let (outcome, times) = run(&layer, request("POST"), vec![refreshed(), refreshed()]).await;
    assert_eq!(times, [0, 0], "at most one replay");
    assert_eq!(outcome.expect("the response in hand").status(), 401);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_may_have_been_processed_is_resent_only_if_that_is_safe() {
    let layer = layer().max_attempts(count(1));
    for (method, status, sends) in [("GET", 500, 2), ("POST", 500, 1), ("GET", 401, 2), ("POST", 401, 2)] {
        let mut refreshed = Response::builder().status(status).body(String::new()).expect("a status");
        refreshed.extensions_mut().insert(Refreshed);
        let answers = if sends == 2 { vec![Answer::ok(refreshed), answer(200)] } else { vec![Answer::ok(refreshed)] };
        let (outcome, times) = run(&layer, request(method), answers).await;
        assert_eq!(times.len(), sends, "{method} {status}");
        assert_eq!(outcome.expect("a response").status(), if sends == 2 { 200 } else { status }, "{method} {status}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_resend_is_retried_like_any_attempt() {
    let mut rejected = Response::builder().status(401).body(String::new()).expect("a status");
    rejected.extensions_mut().insert(Refreshed);
    let (outcome, times) = run(&layer(), request("GET"), vec![Answer::ok(rejected), answer(500), answer(200)]).await;
    assert_eq!((times, stop(&outcome)), (vec![0, 0, 50], Some(EndReason::Success)));
}

#[tokio::test(start_paused = true)]
async fn each_request_that_is_sent_again_has_its_count() {
    let rejected = || {
        let mut response = Response::builder().status(401).body(String::new()).expect("a status");
        response.extensions_mut().insert(Refreshed);
        Answer::ok(response)
    };
    let above = ResendCount::new(count(4));
    for (given, answers, counts) in [
        (None, vec![answer(200)], vec![None]),
        (None, vec![answer(500), answer(500), answer(200)], vec![None, Some(1), Some(2)]),
        (None, vec![rejected(), answer(500), answer(200)], vec![None, Some(1), Some(2)]),
        (None, vec![answer(500), rejected(), answer(200)], vec![None, Some(1), Some(2)]),
        (None, vec![Answer::error("connection reset"), answer(200)], vec![None, Some(1)]),
        (Some(above), vec![answer(500), answer(500), answer(200)], vec![Some(4), Some(5), Some(6)]),
    ] {
        let (mock, handle) = mock(answers);
        let mut request = request("GET");
        if let Some(given) = given {
            request.extensions_mut().insert::<ResendCount>(given);
        }
        let response = layer().layer(mock).oneshot(request).await.expect("a response");
        assert!(response.extensions().get::<ResendCount>().is_none(), "it is of the request");
        let got: Vec<_> =
            handle.take().iter().map(|got| ResendCount::from_request(&got.request).map(ResendCount::get)).collect();
        assert_eq!(got, counts);
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_cannot_be_copied_is_sent_once() {
    struct Once;
    impl CloneBody for Once {
        fn try_clone(&self) -> Option<Self> {
            None
        }
    }
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = sent.clone();
    let service = tower::service_fn(move |_: Request<Once>| {
        counter.fetch_add(1, Ordering::SeqCst);
        async { Ok::<_, BoxError>(Response::builder().status(503).body("the answer".to_owned()).expect("a status")) }
    });
    let response = layer().layer(service).oneshot(Request::new(Once)).await.expect("the original answer");
    assert_eq!((sent.load(Ordering::SeqCst), response.into_body().as_str()), (1, "the answer"));
}

#[tokio::test(start_paused = true)]
async fn each_attempt_sends_the_same_request() {
    let mut original = request("PUT");
    original.headers_mut().append("x-a", http::HeaderValue::from_static("1"));
    original.headers_mut().append("x-a", http::HeaderValue::from_static("2"));
    original.extensions_mut().insert(7_u8);
    let (mock, handle) = mock([answer(500), answer(500), answer(200)]);
    layer().layer(mock).oneshot(original).await.expect("a response").status();
    for got in handle.take() {
        let request = got.request;
        assert_eq!(
            (request.method().as_str(), request.uri().path(), request.body().as_str()),
            ("PUT", "/v1/things", "text")
        );
        assert_eq!(request.headers().get_all("x-a").iter().count(), 2);
        assert_eq!(request.extensions().get::<u8>(), Some(&7));
    }
}

/// A body whose copy is whole until a flag is set.
struct Streamed(Arc<AtomicUsize>);

impl CloneBody for Streamed {
    fn try_clone(&self) -> Option<Self> {
        Some(Self(Arc::clone(&self.0)))
    }

    fn is_whole(&self) -> bool {
        self.0.load(Ordering::SeqCst) == 0
    }
}

/// Sends a streamed PUT or POST. The body loses bytes with the first answer, if any.
async fn streamed(method: &str, loses: bool, failure: Response<String>) -> (Outcome, usize) {
    let (lost, sent) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (losing, counter, failure) = (lost.clone(), sent.clone(), Arc::new(std::sync::Mutex::new(Some(failure))));
    let service = tower::service_fn(move |_: Request<Streamed>| {
        counter.fetch_add(1, Ordering::SeqCst);
        losing.store(usize::from(loses), Ordering::SeqCst);
        let answer = failure.lock().expect("no panic").take().unwrap_or_else(|| Response::new(String::new()));
        async { Ok::<_, BoxError>(answer) }
    });
    let request = Request::builder().method(method).body(Streamed(lost)).expect("legal parts");
    let outcome = layer().layer(service).oneshot(request).await;
    (outcome, sent.load(Ordering::SeqCst))
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_lost_bytes_is_not_sent_and_the_response_is_returned() {
    let failure = |status: u16| Response::builder().status(status).body("the answer".to_owned()).expect("a status");
    let rejected = || {
        let mut response = failure(401);
        response.extensions_mut().insert(Refreshed);
        response
    };
    for (name, method, loses, first, sends, reason) in [
        ("whole", "PUT", false, failure(503), 2, EndReason::Success),
        ("not whole", "PUT", true, failure(503), 1, EndReason::NotClonable),
        ("not whole, and not safe to send twice", "POST", true, failure(500), 1, EndReason::NotClonable),
        ("whole, and not safe to send twice", "POST", false, failure(500), 1, EndReason::NotIdempotent),
        ("not whole, throttled", "POST", true, failure(429), 1, EndReason::NotClonable),
        ("whole, refreshed", "POST", false, rejected(), 2, EndReason::Success),
        ("not whole, refreshed", "POST", true, rejected(), 1, EndReason::NotClonable),
    ] {
        let status = first.status();
        let (outcome, sent) = streamed(method, loses, first).await;
        assert_eq!((sent, stop(&outcome)), (sends, Some(reason)), "{name}");
        let response = outcome.expect("a response");
        assert_eq!((response.status() == status, response.body() == "the answer"), (sends == 1, sends == 1), "{name}");
    }
    let (outcome, _) = streamed("PUT", true, failure(404)).await;
    assert_eq!(stop(&outcome), None, "nobody would have sent it again");
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_loses_bytes_during_the_wait_is_not_sent() {
    let lost = Arc::new(AtomicUsize::new(0));
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = sent.clone();
    let service = tower::service_fn(move |_: Request<Streamed>| {
        counter.fetch_add(1, Ordering::SeqCst);
        async { Ok::<_, BoxError>(Response::builder().status(503).body(String::new()).expect("a status")) }
    });
    let budget = Budget::new();
    let request = Request::put("/upload").body(Streamed(lost.clone())).expect("legal parts");
    let call = tokio::spawn(layer().budget(budget.clone()).layer(service).oneshot(request));
    tokio::time::sleep(ms(20)).await;
    assert_eq!(budget.level(), 486);
    lost.store(1, Ordering::SeqCst);
    let error = call.await.expect("no panic").expect_err("the answer is gone");
    assert_eq!((sent.load(Ordering::SeqCst), budget.level()), (1, 500), "nothing was sent, nothing is spent");
    assert_eq!(error.record().map(redress_classify::Record::end_reason), Some(EndReason::NotClonable));
    assert_eq!(error.phase(), redress_classify::Phase::MaybeProcessed);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_cannot_be_copied_is_reported_before_other_reasons() {
    struct Once;
    impl CloneBody for Once {
        fn try_clone(&self) -> Option<Self> {
            None
        }
    }
    for (method, status, reason) in [
        ("GET", 503, Some(EndReason::NotClonable)),
        ("POST", 500, Some(EndReason::NotClonable)),
        ("POST", 429, Some(EndReason::NotClonable)),
        ("POST", 404, None),
        ("POST", 200, None),
    ] {
        let service = tower::service_fn(move |_: Request<Once>| async move {
            Ok::<_, BoxError>(Response::builder().status(status).body(String::new()).expect("a status"))
        });
        let request = Request::builder().method(method).body(Once).expect("legal parts");
        let outcome = layer().layer(service).oneshot(request).await;
        assert_eq!(stop(&outcome), reason, "{method} {status}");
    }
}
