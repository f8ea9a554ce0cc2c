//! The record of a call.

mod common;

use common::*;
use http::Response;
use redress_backoff::{BackoffLayer, Budget, Jitter, Reservation};
use redress_classify::{
    Class, ClassifyLayer, DecidedBy, EndReason, Error, HintSource, Phase, Refreshed, ResponseExt, TransportError,
    WaitSource, dialects,
};
use tower::{Layer, ServiceExt};

#[tokio::test(start_paused = true)]
async fn each_attempt_records_class_evidence_wait_and_budget() {
    let coded = "[read]\ncode = \"code\"\n[codes.E_BUSY]\nclass = \"rate_limited\"\n";
    let budget = Budget::new();
    let _ = budget.reserve(100).map(Reservation::spend);
    let (mock, handle) = mock([
        answer(500),
        saying(503, "{\"code\":\"E_BUSY\"}"),
        Answer::error(TransportError::body("reset")),
        with(503, &[("retry-after", "2")]),
        answer(200),
    ]);
    let layer = BackoffLayer::new(dialect(coded)).jitter(Jitter::None).max_attempts(count(5)).budget(budget.clone());
    let stack = layer.layer(ClassifyLayer::new(dialect(coded)).layer(mock));
    let response = stack.oneshot(request("GET")).await.expect("a response");
    let record = response.record().expect("five attempts");
    let backoff = Some(WaitSource::Backoff);
    let hint = Some(WaitSource::Hint(HintSource::RetryAfter));
    let expected = [
        (Some(500), Some(Class::Internal), Some(DecidedBy::Status), Some(ms(50)), backoff.clone(), (400, 386)),
        (Some(503), Some(Class::RateLimited), Some(DecidedBy::Code), Some(ms(2_000)), backoff.clone(), (386, 381)),
        (None, Some(Class::Unavailable), Some(DecidedBy::Transport), Some(ms(200)), backoff, (381, 367)),
        (Some(503), Some(Class::Unavailable), Some(DecidedBy::Status), Some(ms(2_000)), hint, (367, 353)),
        (Some(200), None, None, None, None, (353, 367)),
    ];
    for (attempt, (status, class, decided_by, wait, source, (before, after))) in record.attempts().iter().zip(expected)
    {
        assert_eq!((attempt.status, attempt.class(), attempt.decided_by()), (status, class, decided_by));
        assert_eq!((attempt.wait, attempt.wait_source.clone()), (wait, source));
        assert_eq!((attempt.budget_before, attempt.budget_after), (Some(before), Some(after)), "{status:?}");
    }
    assert_eq!((record.attempts().len(), record.end_reason(), handle.calls()), (5, EndReason::Success, 5));
    assert_eq!(
        record.to_string(),
        "5 attempts, 500 internal, waited 50.0ms, 503 rate_limited, waited 2.0s, unavailable, waited 200.0ms, \
         503 unavailable, waited 2.0s, 200 success; succeeded"
    );
}

#[tokio::test(start_paused = true)]
async fn the_record_tells_the_vendors_schedule_from_the_layers() {
    let (outcome, _) = run(&BackoffLayer::new(dialects::vlens()), request("GET"), vec![answer(500), answer(200)]).await;
    let record = record(&outcome).expect("two attempts");
    assert_eq!(record.attempts()[0].wait_source, Some(WaitSource::Vendor));
}

#[tokio::test(start_paused = true)]
async fn each_end_of_a_call_has_its_reason() {
    let refused = || Answer::error(TransportError::connect("refused"));
    let far = ("retry-after", "500");
    for (name, layer, method, answers, reason, levels) in [
        ("idempotency", layer(), "POST", vec![answer(500)], EndReason::NotIdempotent, (500, 500)),
        ("attempts", layer().max_attempts(count(1)), "GET", vec![answer(500)], EndReason::MaxAttempts, (500, 500)),
        ("budget", layer().budget(Budget::with_capacity(13)), "GET", vec![answer(500)], EndReason::Budget, (13, 13)),
        ("hint", layer(), "GET", vec![with(503, &[far])], EndReason::HintTooLong, (500, 500)),
        ("deadline", layer().deadline(ms(50)), "GET", vec![answer(500)], EndReason::Deadline, (500, 500)),
        ("of the second", layer(), "GET", vec![refused(), answer(404)], EndReason::NotRetryable, (486, 486)),
    ] {
        let (outcome, _) = run(&layer, request(method), answers).await;
        let record = record(&outcome).expect("it says why");
        let last = record.attempts().last().expect("there was one");
        assert_eq!((record.end_reason(), last.wait), (reason, None), "{name}");
        assert_eq!((last.budget_before, last.budget_after), (Some(levels.0), Some(levels.1)), "{name}: none was taken");
    }
    let (outcome, _) = run(&layer().without_budget(), request("GET"), vec![answer(500), answer(200)]).await;
    let without = record(&outcome).expect("two attempts");
    assert!(without.attempts().iter().all(|attempt| attempt.budget_before.is_none() && attempt.budget_after.is_none()));
}

#[tokio::test(start_paused = true)]
async fn a_resend_is_free_and_its_success_refills_like_a_first_one() {
    let mut rejected = Response::builder().status(401).body(String::new()).expect("a status");
    rejected.extensions_mut().insert(Refreshed);
    let budget = Budget::new();
    let _ = budget.reserve(100).map(Reservation::spend);
    let (outcome, _) = run(&layer().budget(budget), request("GET"), vec![Answer::ok(rejected), answer(200)]).await;
    let record = record(&outcome).expect("it was sent twice");
    let levels: Vec<_> =
        record.attempts().iter().map(|attempt| (attempt.budget_before, attempt.budget_after)).collect();
    assert_eq!(levels, [(Some(400), Some(400)), (Some(400), Some(401))]);
    assert!(record.attempts().iter().all(|attempt| attempt.wait.is_none()));
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_a_lower_layer_never_sent_costs_no_budget() {
    let later = std::time::SystemTime::UNIX_EPOCH + ms(9_000_000);
    let held = || Answer::error(Error::paced(later));
    let gone = || Answer::error(Error::deadline(Phase::NotSent));
    for (below, reason, levels) in [
        (held(), EndReason::Paced, (Some(500), Some(500))),
        (gone(), EndReason::Deadline, (Some(500), Some(500))),
        (Answer::error(Error::deadline(Phase::MaybeProcessed)), EndReason::Deadline, (Some(486), Some(486))),
    ] {
        let budget = Budget::new();
        let (outcome, _) = run(&layer().budget(budget.clone()), request("GET"), vec![answer(503), below]).await;
        let record = record(&outcome).expect("there were two attempts");
        let last = record.attempts().last().expect("there were two");
        assert_eq!((record.end_reason(), (last.budget_before, last.budget_after)), (reason, levels));
        assert_eq!(Some(budget.level()), levels.1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_replay_that_is_held_back_leaves_the_retry_before_it_paid() {
    let mut rejected = Response::builder().status(401).body(String::new()).expect("a status");
    rejected.extensions_mut().insert(Refreshed);
    let held = Answer::error(Error::paced(std::time::SystemTime::UNIX_EPOCH));
    let budget = Budget::new();
    let layer = layer().budget(budget.clone());
    let (outcome, _) = run(&layer, request("GET"), vec![answer(503), Answer::ok(rejected), held]).await;
    assert_eq!((stop(&outcome), budget.level()), (Some(EndReason::Paced), 486));
}
