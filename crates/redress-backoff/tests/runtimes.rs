//! Polls without a tokio runtime, in one without a timer, and in one that has been shut down.

mod common;

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use common::*;
use redress_backoff::Budget;
use tower::{Layer, ServiceExt};

/// Polls once, and returns the message of the panic, if any.
fn poll<F: Future>(call: std::pin::Pin<&mut F>) -> Result<Poll<F::Output>, String> {
    let polled = catch_unwind(AssertUnwindSafe(|| call.poll(&mut Context::from_waker(Waker::noop()))));
    polled.map_err(|panic| {
        panic
            .downcast_ref::<&str>()
            .map(ToString::to_string)
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_default()
    })
}

#[test]
fn a_result_at_the_first_poll_needs_no_runtime() {
    for answers in [vec![answer(200)], vec![answer(404)], vec![answer(503)]] {
        let (mock, handle) = mock(answers);
        let layer = layer().max_attempts(count(1)).deadline(ms(60_000));
        let mut call = pin!(layer.layer(mock).oneshot(request("GET")));
        assert!(matches!(poll(call.as_mut()), Ok(Poll::Ready(Ok(_)))));
        assert_eq!(handle.calls(), 1);
    }
}

#[test]
fn a_wait_without_a_timer_panics_with_tokios_message_and_keeps_no_budget() {
    let budget = Budget::new();
    let (mock, handle) = mock([answer(500)]);
    let call = layer().budget(budget.clone()).layer(mock).oneshot(request("GET"));
    let mut call = Box::pin(call);
    let words = poll(call.as_mut()).expect_err("there is no timer");
    assert!(words.contains("no reactor running"), "{words}");
    drop(call);
    assert_eq!((budget.level(), handle.calls(), handle.in_flight()), (500, 1, 0));

    let timerless = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let (mock, _handle) = self::mock([answer(500)]);
    let words = timerless.block_on(async {
        let mut call = pin!(layer().layer(mock).oneshot(request("GET")));
        poll(call.as_mut()).expect_err("there is no timer")
    });
    assert!(words.contains("timers are disabled"), "{words}");
}

#[test]
fn a_runtime_that_shuts_down_during_a_wait_sends_nothing_more() {
    let budget = Budget::new();
    let (mock, handle) = mock([answer(500)]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime");
    let mut held = Box::pin(layer().budget(budget.clone()).layer(mock).oneshot(request("GET")));
    let entered = runtime.enter();
    assert!(matches!(poll(held.as_mut()), Ok(Poll::Pending)));
    assert_eq!(budget.level(), 486, "reserved");
    drop(entered);
    drop(runtime);
    let words = poll(held.as_mut()).expect_err("its timer is gone");
    assert!(words.contains("shutdown") || words.contains("shut down"), "{words}");
    drop(held);
    assert_eq!((budget.level(), handle.calls(), handle.in_flight()), (500, 1, 0));

    let (mock, handle) = self::mock([answer(500)]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime");
    let call = runtime.spawn(layer().budget(budget.clone()).layer(mock).oneshot(request("GET")));
    runtime.block_on(async { tokio::time::sleep(ms(20)).await });
    assert_eq!(budget.level(), 486, "reserved");
    drop(runtime);
    assert!(call.is_finished());
    assert_eq!((budget.level(), handle.calls(), handle.in_flight()), (500, 1, 0), "a task of it is dropped");
}
