//! Layers in layers.

mod common;

use common::*;
use redress_backoff::Budget;
use redress_classify::{ResponseExt, Stop, TransportError};
use tower::{Layer, ServiceExt};

#[tokio::test(start_paused = true)]
async fn a_result_that_was_retried_below_is_not_retried_again() {
    let (mock, handle) = mock([answer(500), answer(500), answer(500)]);
    let nested = layer().layer(layer().layer(layer().layer(mock)));
    let response = nested.oneshot(request("GET")).await.expect("a response");
    assert_eq!((handle.calls(), response.record().map(|record| record.attempts().len())), (3, Some(3)));
    let errors: Vec<_> = (0..3).map(|_| Answer::error(TransportError::connect("no"))).collect();
    let (outcome, times) = run(&layer(), request("GET"), errors).await;
    assert_eq!((times.len(), stop(&outcome)), (3, Some(Stop::Attempts)));
}

#[tokio::test(start_paused = true)]
async fn what_one_layer_gave_up_an_outer_one_does_not_try_again() {
    for (inner, answers, reason) in [
        (layer().budget(Budget::with_capacity(0)), vec![answer(500)], Stop::Budget),
        (layer(), vec![with(503, &[("retry-after", "500")])], Stop::HintTooLong),
        (layer().attempts(count(1)), vec![answer(503)], Stop::Attempts),
    ] {
        let (mock, handle) = mock(answers);
        let response = layer().layer(inner.layer(mock)).oneshot(request("GET")).await;
        assert_eq!((stop(&response), handle.calls()), (Some(reason), 1));
    }
    let (outcome, _) = run(&layer(), request("GET"), vec![answer(404)]).await;
    assert_eq!(stop(&outcome), None, "a first attempt that nobody would repeat speaks for itself");
}
