//! Deadlines of calls that wait for credentials.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

mod common;

use std::time::Duration;

use common::{Answer, Api, Issuer, Rig, Step, failure, get, give, grant, s};
use http::Request;
use redress_classify::{Deadline, Error, Phase, Refreshed};
use redress_refresh::{Failure, RefreshLayer};
use tokio::time::Instant;
use tower::{Layer, ServiceExt};

/// A rig with that deadline, and an issuer that takes ten seconds.
fn slow(deadline: Duration, issuer: Issuer, api: Api) -> Rig {
    let mut rig = Rig::new(issuer.taking(s(10)), api);
    rig.layer = rig.layer.deadline(deadline);
    rig
}

fn own(deadline: Duration) -> Request<String> {
    let mut request = get();
    request.extensions_mut().insert(Deadline::from_now(deadline));
    request
}

async fn sent(rig: &Rig, layer: &RefreshLayer, request: Request<String>) -> (Result<Answer, Error>, Duration) {
    let start = Instant::now();
    let result = layer.layer(rig.api.clone()).oneshot(request).await;
    (result, start.elapsed())
}

#[track_caller]
fn assert_unsent(result: Result<Answer, Error>) {
    let error = result.unwrap_err();
    assert!(error.is_deadline() && error.phase() == Phase::NotSent, "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_wait_for_the_first_login_ends_at_the_deadline_and_the_login_goes_on() {
    let rig = slow(s(3), Issuer::new([give("t1")]), Api::accepting(&["t1"]));
    let start = Instant::now();
    for result in rig.send_many(5).await {
        assert_unsent(result);
    }
    assert_eq!((start.elapsed(), rig.api.seen().len()), (s(3), 0));
    tokio::time::sleep(s(7)).await;
    assert_eq!((rig.status().await, rig.issuer.asked().len()), (200, 1));
}

#[tokio::test(start_paused = true)]
async fn a_requests_own_deadline_beats_that_of_the_layer() {
    for (layers, own_limit, waited) in [(s(3), s(1), s(1)), (s(3), s(20), s(10))] {
        let rig = slow(layers, Issuer::new([give("t1")]), Api::accepting(&["t1"]));
        let (result, elapsed) = sent(&rig, &rig.layer, own(own_limit)).await;
        assert_eq!((result.is_ok(), elapsed), (waited == s(10), waited));
    }
    let rig = Rig::new(Issuer::new([give("t1")]).taking(s(10)), Api::accepting(&["t1"]));
    assert_unsent(sent(&rig, &rig.layer, own(s(4))).await.0);
}

#[tokio::test(start_paused = true)]
async fn without_a_deadline_a_call_waits_as_long_as_the_flight() {
    let rig = Rig::new(Issuer::new([give("t1")]).taking(s(29)), Api::accepting(&["t1"]));
    assert_eq!(sent(&rig, &rig.layer, get()).await.1, s(29));
}

#[tokio::test(start_paused = true)]
async fn a_rejected_response_in_hand_is_returned_at_the_deadline_unmarked() {
    for resend_above in [false, true] {
        let rig = slow(s(3), Issuer::new([give("t2")]).holding(grant("t1")), Api::accepting(&["t2"]).taking(s(1)));
        let layer = if resend_above { rig.layer.clone().resend_above() } else { rig.layer.clone() };
        let (result, elapsed) = sent(&rig, &layer, own(s(3))).await;
        let answer = result.unwrap();
        assert_eq!((answer.status().as_u16(), elapsed, rig.api.seen().len()), (401, s(3), 1));
        assert!(answer.extensions().get::<Refreshed>().is_none(), "nothing was refreshed in time");
    }
}

#[tokio::test(start_paused = true)]
async fn the_time_of_the_rejected_attempt_counts_when_the_clock_was_read_for_it() {
    for (held, waited) in [(grant("t1").expires_in(s(3600)), s(5)), (grant("t1"), s(2 + 5))] {
        let rig = slow(s(5), Issuer::new([give("t2")]).holding(held), Api::accepting(&["t2"]).taking(s(2)));
        let (result, elapsed) = sent(&rig, &rig.layer, get()).await;
        assert_eq!((result.unwrap().status().as_u16(), elapsed), (401, waited));
    }
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_ends_in_time_is_used() {
    let issuer = Issuer::new([give("t2")]).holding(grant("t1"));
    let rig = slow(s(10) + Duration::from_millis(1), issuer, Api::accepting(&["t2"]));
    assert_eq!(sent(&rig, &rig.layer, get()).await.0.unwrap().status(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_has_passed_already_sends_nothing() {
    let rig = slow(Duration::ZERO, Issuer::new([give("t1")]), Api::accepting(&["t1"]));
    let (result, elapsed) = sent(&rig, &rig.layer, get()).await;
    assert_unsent(result);
    assert_eq!((elapsed, rig.api.seen().len()), (s(0), 0));
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_ends_after_the_deadline_fails_at_once() {
    let issuer = Issuer::new([Step::Fail(Failure::transient("503").retry_after(s(60)))]);
    let rig = slow(s(30), issuer, Api::accepting(&[]));
    for waited in [s(10), s(0), s(0)] {
        let (result, elapsed) = sent(&rig, &rig.layer, get()).await;
        let error = result.unwrap_err();
        assert!(failure(&error).is_transient() && error.retry_at().is_some());
        assert_eq!(elapsed, waited);
    }
}

#[tokio::test(start_paused = true)]
async fn the_wait_for_readiness_after_the_flight_ends_at_the_deadline_too() {
    let rig = slow(s(12), Issuer::new([give("t1")]), Api::accepting(&["t1"]));
    let (mock, mut handle) = tower_test::mock::pair::<Request<String>, Answer>();
    handle.allow(1);
    let start = Instant::now();
    let call = tokio::spawn(rig.layer.layer(mock).oneshot(get()));
    tokio::time::sleep(s(1)).await;
    handle.allow(0);
    assert_unsent(tokio::time::timeout(s(60), call).await.expect("it ends").unwrap());
    assert_eq!(start.elapsed(), s(12));
}

#[tokio::test(start_paused = true)]
async fn fresh_credentials_make_no_timer() {
    let rig = slow(Duration::ZERO, Issuer::new([]).holding(grant("t1").expires_in(s(3600))), Api::accepting(&["t1"]));
    assert_eq!(rig.status().await, 200, "the layers above cut what takes too long below");
}
