//! Until when a call may take.

mod common;

use std::time::Duration;

use common::*;
use redress_backoff::{BackoffLayer, Budget};
use redress_classify::{Phase, Stop, TransportError, dialects};
use tokio::time::Instant;
use tower::{Layer, ServiceExt};

#[tokio::test(start_paused = true)]
async fn no_wait_ends_past_the_deadline() {
    for random in [0, u32::MAX] {
        let layer = BackoffLayer::new(silent()).random(move || random).deadline(Duration::from_secs(12));
        let (_, times) = run(&layer, request("GET"), vec![with(429, &[("retry-after", "10")]), answer(200)]).await;
        assert!((10_000..=11_000).contains(&times[1]), "half of what is left stays for the attempt: {times:?}");
    }
    let layer = layer().deadline(Duration::from_millis(120));
    let (outcome, times) = run(&layer, request("GET"), vec![answer(500), answer(500)]).await;
    assert_eq!((times, stop(&outcome)), (vec![0, 50], Some(Stop::Deadline)));
}

#[tokio::test(start_paused = true)]
async fn a_deadline_cuts_an_attempt_in_flight() {
    let layer = layer().deadline(Duration::from_secs(2));
    let start = Instant::now();
    let (outcome, times) =
        run(&layer, request("GET"), vec![answer(500), answer(200).after(Duration::from_secs(60))]).await;
    let error = outcome.expect_err("no response in hand");
    assert_eq!((start.elapsed(), times.len()), (Duration::from_secs(2), 2));
    assert!(error.is_deadline());
    assert_eq!(error.phase(), redress_classify::Phase::MaybeProcessed);
    let record = error.record().expect("an error has a record");
    assert_eq!((record.attempts().len(), record.stop()), (2, Stop::Deadline));
}

#[tokio::test(start_paused = true)]
async fn near_the_deadline_callers_still_come_back_apart() {
    let mut waits = std::collections::BTreeSet::new();
    for random in (0..100_u32).map(|nth| nth * 42_949_672) {
        let layer = BackoffLayer::new(dialects::ranex()).random(move || random).deadline(Duration::from_secs(10));
        let (_, times) = run(&layer, request("POST"), vec![with(429, &[("retry-after", "8")]), answer(200)]).await;
        assert!((8_000..=9_000).contains(&times[1]), "{times:?}");
        waits.insert(times[1]);
    }
    assert!(waits.len() > 90, "{waits:?}");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_cannot_be_sent_again_in_time_tells_of_all_its_attempts() {
    for (first, phase) in [
        (Answer::error(TransportError::body("reset")), Phase::MaybeProcessed),
        (Answer::error(TransportError::connect("refused")), Phase::NotSent),
        (answer(503), Phase::MaybeProcessed),
        (answer(429), Phase::NotSent),
    ] {
        let budget = Budget::new();
        let (mock, handle) = mock([first]);
        let layer = layer().budget(budget.clone()).deadline(Duration::from_secs(5));
        let call = tokio::spawn(layer.layer(mock).oneshot(request("DELETE")));
        tokio::time::sleep(Duration::from_millis(20)).await;
        handle.set_limit(0);
        let error = call.await.expect("no panic").expect_err("the place below stays busy");
        assert_eq!((error.is_deadline(), error.phase(), handle.calls()), (true, phase, 1));
        let record = error.record().expect("an error has one");
        assert_eq!((record.attempts().len(), record.stop(), budget.level()), (1, Stop::Deadline, 500));
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_after_the_deadline() {
    let (mock, handle) = mock([answer(500)]);
    let layer = layer().deadline(Duration::from_secs(3));
    let mut call = Box::pin(layer.layer(mock).oneshot(request("GET")));
    assert!(tokio::time::timeout(Duration::from_millis(20), call.as_mut()).await.is_err());
    // The task is not polled for a minute.
    tokio::time::advance(Duration::from_secs(60)).await;
    assert!(call.await.expect_err("it is too late").is_deadline());
    assert_eq!(handle.calls(), 1);
}
