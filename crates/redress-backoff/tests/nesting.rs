//! Nested layers.

mod common;

use common::*;
use http::Response;
use redress_backoff::{BackoffLayer, Budget};
use redress_classify::{EndReason, ResponseExt, TransportError};
use tower::{Layer, ServiceExt};

#[tokio::test(start_paused = true)]
async fn a_result_that_was_retried_below_is_not_retried_again() {
    let (mock, handle) = mock([answer(500), answer(500), answer(500)]);
    let nested = layer().layer(layer().layer(layer().layer(mock)));
    let response = nested.oneshot(request("GET")).await.expect("a response");
    assert_eq!((handle.calls(), response.record().map(|record| record.attempts().len())), (3, Some(3)));
    let errors: Vec<_> = (0..3).map(|_| Answer::error(TransportError::connect("no"))).collect();
    let (outcome, times) = run(&layer(), request("GET"), errors).await;
    assert_eq!((times.len(), stop(&outcome)), (3, Some(EndReason::MaxAttempts)));
}

#[tokio::test(start_paused = true)]
async fn an_outer_layer_does_not_retry_after_an_inner_one_gave_up() {
    for (inner, answers, reason) in [
        (layer().budget(Budget::with_capacity(0)), vec![answer(500)], EndReason::Budget),
        (layer(), vec![with(503, &[("retry-after", "500")])], EndReason::HintTooLong),
        (layer().max_attempts(count(1)), vec![answer(503)], EndReason::MaxAttempts),
    ] {
        let (mock, handle) = mock(answers);
        let response = layer().layer(inner.layer(mock)).oneshot(request("GET")).await;
        assert_eq!((stop(&response), handle.calls()), (Some(reason), 1));
    }
    let (outcome, _) = run(&layer(), request("GET"), vec![answer(404)]).await;
    assert_eq!(stop(&outcome), None, "a first attempt that nobody would repeat speaks for itself");
}

#[tokio::test(start_paused = true)]
async fn three_layers_of_three_attempts_send_three_requests() {
    type Make = fn() -> Answer<Response<String>>;
    let faults: [(&str, Make, bool); 4] = [
        ("an internal error", || answer(500), false),
        ("throttling", || answer(429), false),
        ("a refused connection", || Answer::error(TransportError::connect("refused")), true),
        ("a reset", || Answer::error(TransportError::body("reset")), true),
    ];
    for (name, fault, is_error) in faults {
        let budgets = [Budget::new(), Budget::new(), Budget::new()];
        let [inner, middle, outer] = budgets.clone().map(|budget| layer().budget(budget));
        let (mock, handle) = mock((0..27).map(|_| fault()));
        let outcome = outer.layer(middle.layer(inner.layer(mock))).oneshot(request("GET")).await;
        assert_eq!((handle.calls(), outcome.is_err()), (3, is_error), "{name}");
        let record = record(&outcome).expect("three attempts");
        assert_eq!((record.attempts().len(), record.end_reason()), (3, EndReason::MaxAttempts), "{name}: told once");
        assert!(budgets[0].level() < 500, "{name}");
        assert_eq!(
            budgets[1..].iter().map(Budget::level).collect::<Vec<_>>(),
            [500, 500],
            "{name}: one budget is charged"
        );
    }
    // A shared budget without tokens stops all of them, so a call is one request.
    let empty = layer().budget(Budget::with_capacity(0));
    let (mock, handle) = mock([answer(500)]);
    let nested = empty.layer(empty.layer(empty.layer(mock)));
    assert_eq!(stop(&nested.oneshot(request("GET")).await), Some(EndReason::Budget));
    assert_eq!(handle.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn nested_layers_send_the_same_key() {
    let keyed = BackoffLayer::new(dialect("[idempotency]\nheader = \"idempotency-key\"\n"));
    let (mock, handle) = mock([answer(500), answer(200)]);
    keyed.layer(keyed.layer(mock)).oneshot(request("POST")).await.expect("a response").status();
    let keys: Vec<_> = handle.take().iter().map(|got| got.request.headers()["idempotency-key"].clone()).collect();
    assert!(keys.len() == 2 && keys[0] == keys[1]);
}
