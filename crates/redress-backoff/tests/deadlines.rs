//! The deadline of a call.

mod common;

use std::time::Duration;

use common::*;
use redress_backoff::{BackoffLayer, Budget};
use redress_classify::{Deadline, EndReason, Error, Phase, ResponseExt, TransportError, dialects};
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
    assert_eq!((times, stop(&outcome)), (vec![0, 50], Some(EndReason::Deadline)));
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
    assert_eq!((record.attempts().len(), record.end_reason()), (2, EndReason::Deadline));
}

#[tokio::test(start_paused = true)]
async fn retries_near_the_deadline_are_still_spread() {
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
async fn a_call_that_runs_out_of_time_records_all_attempts() {
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
        assert_eq!((record.attempts().len(), record.end_reason(), budget.level()), (1, EndReason::Deadline, 500));
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

fn until(millis: u64) -> http::Request<String> {
    let mut request = request("GET");
    request.extensions_mut().insert(Deadline::from_now(ms(millis)));
    request
}

#[tokio::test(start_paused = true)]
async fn a_requests_own_deadline_takes_the_place_of_the_stacks() {
    let slow = || answer(200).after(ms(10_000));
    for (name, stack, own, cut) in [
        ("none", None, None, None),
        ("the stack's", Some(3_000), None, Some(3_000)),
        ("its own", None, Some(2_000), Some(2_000)),
        ("its own is sooner", Some(3_000), Some(2_000), Some(2_000)),
        ("its own is later", Some(3_000), Some(4_000), Some(4_000)),
        ("its own is late enough", Some(3_000), Some(11_000), None),
    ] {
        let layer = stack.map_or_else(layer, |stack| layer().deadline(ms(stack)));
        let start = Instant::now();
        let (outcome, times) = run(&layer, own.map_or_else(|| request("GET"), until), vec![slow()]).await;
        assert_eq!(times.len(), 1, "{name}");
        match cut {
            None => assert!(outcome.is_ok(), "{name}"),
            Some(cut) => {
                let error = outcome.expect_err("it is cut in flight");
                assert_eq!((error.is_deadline(), start.elapsed()), (true, ms(cut)), "{name}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_whose_deadline_has_passed_is_not_sent() {
    let late = until(0);
    let mock = Mock::scripted([]).allow_abandoned();
    let handle = mock.handle();
    let error = layer().layer(mock).oneshot(late).await.expect_err("it is too late");
    assert_eq!((error.is_deadline(), error.phase(), handle.calls()), (true, Phase::NotSent, 0));
    assert_eq!(
        error.record().map(|record| (record.attempts().len(), record.end_reason())),
        Some((0, EndReason::Deadline))
    );
}

#[tokio::test(start_paused = true)]
async fn the_layers_below_see_the_deadline_of_a_retry() {
    for (name, layer, own, at) in [
        ("none", layer(), None, None),
        ("the stack's", layer().deadline(ms(9_000)), None, Some(9_000)),
        ("its own", layer(), Some(7_000), Some(7_000)),
        ("both", layer().deadline(ms(9_000)), Some(7_000), Some(7_000)),
    ] {
        let (mock, handle) = mock([answer(500), answer(500), answer(200)]);
        let at = at.map(|at| Deadline::new(Instant::now() + ms(at)));
        let request = own.map_or_else(|| request("GET"), until);
        layer.layer(mock).oneshot(request).await.expect("a response").status();
        let seen: Vec<_> = handle.take().iter().map(|got| Deadline::from_request(&got.request)).collect();
        assert_eq!(seen, [own.and(at), at, at], "{name}: a first send is given no extension");
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_a_layer_below_finds_too_near_ends_the_call() {
    for (phase, expected) in [(Phase::NotSent, Phase::NotSent), (Phase::MaybeProcessed, Phase::MaybeProcessed)] {
        let (outcome, times) = run(&layer(), request("GET"), vec![Answer::error(Error::deadline(phase))]).await;
        let error = outcome.expect_err("it was in vain");
        assert_eq!((times.len(), error.is_deadline(), error.phase()), (1, true, expected));
        assert_eq!(error.record().map(redress_classify::Record::end_reason), Some(EndReason::Deadline));
    }
    let answers = vec![answer(500), Answer::error(Error::deadline(Phase::NotSent))];
    let error = run(&layer(), request("GET"), answers).await.0.expect_err("it was in vain");
    assert_eq!(error.phase(), Phase::MaybeProcessed, "of the first attempt nobody knows");
    let at = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
    let (outcome, times) = run(&layer(), request("GET"), vec![Answer::error(Error::paced(at))]).await;
    assert_eq!(
        (times.len(), stop(&outcome)),
        (1, Some(EndReason::Paced)),
        "nor is a call that was held back sent again"
    );
    assert_eq!(outcome.expect_err("it was not sent").retry_at(), Some(at));
}

#[tokio::test(start_paused = true)]
async fn repeated_hints_do_not_hold_a_call_past_its_deadline() {
    let polite = || (0..11).map(|_| with(503, &[("retry-after", "120")])).collect::<Vec<_>>();
    for (deadline, sends) in [(60, 1), (121, 2), (600, 5), (1_200, 10)] {
        let layer = layer().max_attempts(count(11)).deadline(Duration::from_secs(deadline));
        let start = Instant::now();
        let (outcome, times) = run(&layer, request("GET"), polite()).await;
        assert!(start.elapsed() <= Duration::from_secs(deadline), "{deadline}: {times:?}");
        assert_eq!((times.len(), stop(&outcome)), (sends, Some(EndReason::Deadline)), "{deadline}");
        assert!(outcome.expect("the response in hand").retry_at().is_some(), "{deadline}");
    }
    let (_, times) = run(&BackoffLayer::new(silent()), request("GET"), polite().into_iter().take(3).collect()).await;
    assert!(
        times.len() == 3 && times[2] <= 300_000,
        "without a deadline the number of attempts is the bound: {times:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_clock_jump_causes_one_attempt_and_no_burst() {
    let month = Duration::from_secs(30 * 86_400);
    let (mock, handle) = mock([answer(500), answer(500), answer(200)]);
    let call = tokio::spawn(layer().layer(mock).oneshot(request("GET")));
    tokio::time::sleep(ms(20)).await;
    tokio::time::advance(month).await;
    tokio::task::yield_now().await;
    assert_eq!(handle.calls(), 2, "the one that was due");
    assert_eq!(call.await.expect("no panic").expect("a response").status(), 200);
    let instants = handle.instants();
    assert_eq!((instants.len(), instants[2] - instants[1]), (3, ms(100)), "and the next one after its whole wait");

    let (mock, handle) = self::mock([answer(500)]);
    let call = tokio::spawn(layer().deadline(ms(5_000)).layer(mock).oneshot(request("GET")));
    tokio::time::sleep(ms(20)).await;
    tokio::time::advance(month).await;
    assert!(call.await.expect("no panic").expect_err("it is too late").is_deadline());
    assert_eq!(handle.calls(), 1);
}
