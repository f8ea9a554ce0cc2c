//! What is sent again, and what Refresh hands up.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::*;
use http::{Request, Response};
use redress_backoff::Budget;
use redress_classify::{Refreshed, Replay, ResponseExt, Stop};
use redress_sandbox::strict_mock::BoxError;
use tower::{Layer, ServiceExt};

#[tokio::test(start_paused = true)]
async fn what_was_refreshed_is_sent_again_once_free_of_charge() {
    let refreshed = || {
        let mut response = Response::builder().status(401).body(String::new()).expect("a status");
        response.extensions_mut().insert(Refreshed);
        Answer::ok(response)
    };
    let budget = Budget::new();
    let layer = layer().budget(budget.clone()).attempts(count(1));
    let (mock, handle) = mock([refreshed(), answer(200)]);
    let response = layer.layer(mock).oneshot(request("POST")).await.expect("a response");
    assert_eq!((response.status().as_u16(), budget.level()), (200, 500));
    let record = response.record().expect("two were sent");
    assert!(!record.attempts()[0].is_replay && record.attempts()[1].is_replay);
    assert_eq!(record.to_string(), "1 attempt, 401 unauthenticated, 200 success on replay; succeeded");
    let marks: Vec<_> = handle.take().iter().map(|got| got.request.extensions().get::<Refreshed>().is_some()).collect();
    assert_eq!(marks, [false, true]);
    let (outcome, times) = run(&layer, request("POST"), vec![refreshed(), refreshed()]).await;
    assert_eq!(times, [0, 0], "at most one replay");
    assert_eq!(outcome.expect("the response in hand").status(), 401);
}

#[tokio::test(start_paused = true)]
async fn a_replay_may_be_retried_like_any_attempt() {
    let mut rejected = Response::builder().status(401).body(String::new()).expect("a status");
    rejected.extensions_mut().insert(Refreshed);
    let (outcome, times) = run(&layer(), request("GET"), vec![Answer::ok(rejected), answer(500), answer(200)]).await;
    assert_eq!((times, stop(&outcome)), (vec![0, 0, 50], Some(Stop::Success)));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_cannot_be_copied_goes_out_once() {
    struct Once;
    impl Replay for Once {
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
async fn the_same_request_goes_out_each_time() {
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
