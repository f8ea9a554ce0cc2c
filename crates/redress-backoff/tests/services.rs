//! What the layer does with the service below: readiness, cancellation, wakers.

mod common;

use std::time::Duration;

use common::*;
use redress_backoff::Budget;
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
