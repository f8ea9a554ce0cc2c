//! A route that fails for each caller while others of its upstream succeed is not retried until it answers.

#![allow(clippy::unwrap_used, reason = "test helpers are test code")]

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Request, Response, StatusCode};
use redress_backoff::{Backoff, BackoffLayer};
use redress_classify::{EndReason, ResponseExt, dialects};
use tower::util::BoxCloneService;
use tower::{Layer, ServiceExt, service_fn};

type Upstream = BoxCloneService<Request<String>, Response<String>, Infallible>;

/// The answer of each route, by its path: a status and perhaps a `Retry-After`.
type Answers = Arc<Mutex<Vec<(&'static str, u16, Option<&'static str>)>>>;

/// A layer over an upstream all of whose routes answer 200 but those that are set.
fn stack(layer: &BackoffLayer) -> (Backoff<Upstream>, Answers) {
    let answers = Answers::default();
    let set = Arc::clone(&answers);
    let upstream = service_fn(move |request: Request<String>| {
        let set = set.lock().unwrap();
        let set = set.iter().rev().find(|(path, ..)| request.uri().path().starts_with(path));
        let (_, status, hint) = set.copied().unwrap_or(("", 200, None));
        let builder = hint.iter().fold(Response::builder(), |builder, hint| builder.header("retry-after", *hint));
        let response = builder.status(status).body(String::new()).unwrap();
        async move { Ok(response) }
    });
    (layer.layer(BoxCloneService::new(upstream)), answers)
}

fn layer() -> BackoffLayer {
    BackoffLayer::new(dialects::generic())
}

/// Makes a call, and returns its status, the number of its attempts, and why there was no further one.
async fn call(stack: &Backoff<Upstream>, path: &str) -> (StatusCode, usize, Option<EndReason>) {
    let uri = format!("https://api.example{path}");
    let response = stack.clone().oneshot(Request::get(uri).body(String::new()).unwrap()).await.unwrap();
    let record = response.record();
    let attempts = record.map_or(1, |record| record.attempts().len());
    (response.status(), attempts, record.map(redress_classify::Record::end_reason))
}

/// Calls a route some times, and another one in between, which succeeds. Returns the attempts of each call.
async fn attempts(stack: &Backoff<Upstream>, path: &str, calls: usize) -> Vec<usize> {
    let mut attempts = Vec::new();
    for _ in 0..calls {
        assert_eq!(call(stack, "/well").await, (StatusCode::OK, 1, None));
        attempts.push(call(stack, path).await.1);
    }
    attempts
}

#[tokio::test(start_paused = true)]
async fn a_route_that_always_fails_is_not_retried_while_others_succeed() {
    let (stack, answers) = stack(&layer());
    answers.lock().unwrap().push(("/reports", 503, None));
    assert_eq!(attempts(&stack, "/reports", 5).await, [3, 3, 3, 1, 1]);
    assert_eq!(call(&stack, "/reports").await.2, Some(EndReason::FailingRoute));
    answers.lock().unwrap().push(("/other", 503, None));
    assert_eq!(attempts(&stack, "/other", 1).await, [3], "each route counts by itself");
    // It works again, which the next call finds, and fails again.
    answers.lock().unwrap().push(("/reports", 200, None));
    assert_eq!(call(&stack, "/reports").await, (StatusCode::OK, 1, None));
    answers.lock().unwrap().push(("/reports", 503, None));
    assert_eq!(attempts(&stack, "/reports", 5).await, [3, 3, 3, 1, 1]);
    tokio::time::advance(Duration::from_secs(60)).await;
    assert_eq!(attempts(&stack, "/reports", 1).await, [3], "after a minute without a failure");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_no_fault_of_the_server_shows_that_the_route_works() {
    for (status, is_retried) in [(404, true), (401, true), (422, true), (429, false)] {
        let (stack, answers) = stack(&layer());
        answers.lock().unwrap().push(("/reports", 503, None));
        assert_eq!(attempts(&stack, "/reports", 4).await, [3, 3, 3, 1]);
        answers.lock().unwrap().push(("/reports", status, None));
        attempts(&stack, "/reports", 1).await;
        answers.lock().unwrap().push(("/reports", 503, None));
        assert_eq!(attempts(&stack, "/reports", 1).await == [3], is_retried, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_upstream_without_a_success_is_retried() {
    let (stack, answers) = stack(&layer());
    answers.lock().unwrap().push(("/", 503, None));
    for _ in 0..3 {
        for path in ["/reports", "/well"] {
            assert_eq!(call(&stack, path).await.1, 3);
        }
    }
    for nth in 0..6 {
        assert_eq!(call(&stack, "/reports").await.1, 3, "{nth}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_success_now_and_then_keeps_the_retries() {
    let (stack, answers) = stack(&layer().budget(redress_backoff::Budget::with_capacity(10_000)));
    for _ in 0..20 {
        answers.lock().unwrap().push(("/reports", 503, None));
        assert_eq!(attempts(&stack, "/reports", 2).await, [3, 3]);
        answers.lock().unwrap().push(("/reports", 200, None));
        assert_eq!(attempts(&stack, "/reports/of/12", 1).await, [1], "another route");
        assert_eq!(attempts(&stack, "/reports/17", 1).await, [1], "the same route, but for an id");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hint_of_the_server_is_followed_on_a_failing_route() {
    let (stack, answers) = stack(&layer());
    answers.lock().unwrap().push(("/reports", 503, None));
    assert_eq!(attempts(&stack, "/reports", 4).await, [3, 3, 3, 1]);
    answers.lock().unwrap().push(("/reports", 503, Some("1")));
    assert_eq!(attempts(&stack, "/reports", 1).await, [3]);
}

#[tokio::test(start_paused = true)]
async fn in_an_outage_each_tenant_keeps_its_retries() {
    let layer = layer().partition(|_, uri, _| uri.query().map(str::to_owned));
    let (stack, answers) = stack(&layer);
    answers.lock().unwrap().push(("/", 503, None));
    for nth in 0..20 {
        assert_eq!(call(&stack, &format!("/reports?tenant-{nth}")).await.1, 3, "{nth}");
    }
}
