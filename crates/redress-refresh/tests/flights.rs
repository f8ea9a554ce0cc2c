//! Flights: their start, their waiters, and their end by a result, a failure, a panic or a timeout.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

mod common;

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Waker};
use std::time::{Duration, SystemTime};

use common::{Api, Issuer, Rig, Step, answer, failure, get, give, grant, s, settle};
use redress_classify::{Class, Clock, Phase};
use redress_refresh::{Failure, TokenSet};
use tokio::time::Instant;
use tower::ServiceExt;

#[tokio::test(start_paused = true)]
async fn requests_that_meet_no_credentials_share_one_login() {
    let rig = Rig::new(Issuer::new([give("t1")]), Api::accepting(&["t1"]));
    let results = rig.send_many(20).await;
    assert!(results.iter().all(|result| result.as_ref().is_ok_and(|answer| answer.status() == 200)));
    assert_eq!(rig.issuer.asked(), ["login"]);
    assert_eq!(rig.api.tokens(), ["t1"; 20], "nothing was sent without credentials");
}

#[tokio::test(start_paused = true)]
async fn requests_that_are_rejected_together_share_one_refresh() {
    let issuer = Issuer::new([give("t2")]).holding(grant("t1").refresh_token("r1"));
    let rig = Rig::new(issuer, Api::accepting(&["t2"]).taking(s(1)));
    let results = rig.send_many(50).await;
    assert!(results.iter().all(|result| result.as_ref().is_ok_and(|answer| answer.status() == 200)));
    assert_eq!(rig.issuer.asked(), ["refresh r1"]);
    assert_eq!((rig.generation(), rig.layer.tokens().refreshes(), rig.layer.tokens().logins()), (2, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_comes_during_the_flight_joins_it() {
    let rig = Rig::new(Issuer::new([give("t2")]).holding(grant("t1")).taking(s(10)), Api::accepting(&["t2"]));
    let first = rig.spawn();
    tokio::time::sleep(s(5)).await;
    let start = Instant::now();
    assert_eq!(rig.status().await, 200);
    assert_eq!(start.elapsed(), s(5));
    assert_eq!(first.await.unwrap().unwrap().status(), 200);
    assert_eq!(rig.api.tokens(), ["t1", "t2", "t2"], "the second did not send what is known to be rejected");
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_is_due_blocks_no_request() {
    let issuer = Issuer::new([Step::Give(grant("t2").expires_in(s(3600)))]);
    let issuer = issuer.holding(grant("t1").refresh_token("r1").expires_in(s(3600))).taking(s(10));
    let rig = Rig::new(issuer, Api::accepting(&["t1", "t2"]));
    tokio::time::sleep(s(3140)).await;
    rig.status().await;
    assert!(rig.issuer.asked().is_empty(), "not due");
    tokio::time::sleep(s(200)).await;
    let start = Instant::now();
    assert!(rig.send_many(10).await.iter().all(Result::is_ok));
    assert_eq!((start.elapsed(), rig.issuer.asked().len()), (Duration::ZERO, 1));
    tokio::time::sleep(s(11)).await;
    rig.status().await;
    assert_eq!(rig.api.tokens(), [vec!["t1"; 11], vec!["t2"]].concat());
}

#[tokio::test(start_paused = true)]
async fn expired_credentials_are_not_sent() {
    let issuer = Issuer::new([give("t2")]).holding(grant("t1").expires_in(s(60)));
    let rig = Rig::new(issuer, Api::accepting(&["t1", "t2"]));
    tokio::time::sleep(s(60)).await;
    rig.status().await;
    assert_eq!(rig.api.tokens(), ["t2"]);
}

#[tokio::test(start_paused = true)]
async fn without_a_known_lifetime_only_a_rejection_leads_to_a_refresh() {
    let issuer = Issuer::new([give("t2")]).holding(grant("t1").refresh_token("r1"));
    let rig = Rig::new(issuer, Api::accepting(&["t1", "t2"]));
    for _ in 0..50 {
        assert_eq!(rig.status().await, 200);
        tokio::time::sleep(s(86_400)).await;
    }
    assert!(rig.issuer.asked().is_empty());
    let rejecting = Rig { api: Api::accepting(&["t2"]), ..rig };
    assert_eq!((rejecting.status().await, rejecting.issuer.asked()), (200, vec!["refresh r1".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn an_initial_refresh_token_alone_suffices() {
    let issuer = Issuer::new([Step::Give(grant("t1").refresh_token("r2"))]);
    let rig = Rig::new(issuer.holding(TokenSet::new().refresh_token("r1")), Api::accepting(&["t1"]));
    assert!(rig.send_many(5).await.iter().all(|result| result.as_ref().is_ok_and(|answer| answer.status() == 200)));
    assert_eq!((rig.issuer.asked(), rig.layer.tokens().logins()), (vec!["refresh r1".to_owned()], 0));
}

#[tokio::test(start_paused = true)]
async fn the_lifetime_counts_from_when_the_flight_began() {
    let issuer = Issuer::new([Step::Give(grant("t1").expires_in(s(60))), give("t2")]).taking(s(20));
    let rig = Rig::new(issuer, Api::accepting(&["t1", "t2"]));
    rig.status().await;
    tokio::time::sleep(s(40)).await;
    rig.status().await;
    assert_eq!(rig.api.tokens(), ["t1", "t2"]);
    assert_eq!(rig.issuer.asked(), ["login", "login"]);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_shared_and_the_issuer_is_not_called_until_the_cool_down_ends() {
    let wall = SystemTime::UNIX_EPOCH + s(1_000_000);
    let issuer = Issuer::new([Step::Fail(Failure::transient("503").retry_after(s(90))), give("t1")]);
    let mut rig = Rig::new(issuer, Api::accepting(&["t1"]));
    rig.layer = rig.layer.clock(Clock::anchored(wall));
    let results = rig.send_many(50).await;
    for result in &results {
        let error = result.as_ref().unwrap_err();
        assert_eq!((error.class(), error.phase()), (Class::Unavailable, Phase::NotSent));
        assert_eq!(error.retry_at(), Some(wall + s(1 + 90)));
        assert!(failure(error).is_transient());
    }
    assert_eq!(rig.issuer.asked().len(), 1);
    let start = Instant::now();
    tokio::time::sleep(s(89)).await;
    assert!(rig.send().await.is_err());
    assert_eq!((start.elapsed(), rig.issuer.asked().len(), rig.api.seen().len()), (s(89), 1, 0), "no network");
    tokio::time::sleep(s(1)).await;
    assert_eq!(rig.status().await, 200);
}

#[tokio::test(start_paused = true)]
async fn a_rejected_response_is_returned_when_the_refresh_fails() {
    for step in [Step::Fail(Failure::transient("503")), Step::Fail(Failure::permanent("401")), Step::Panic, Step::Hang]
    {
        let rig = Rig::new(Issuer::new([step]).holding(grant("t1")), Api::accepting(&[]).taking(s(1)));
        let results = rig.send_many(5).await;
        for result in results {
            let answer = result.expect("the response in hand");
            assert_eq!(answer.status(), 401);
            assert!(answer.extensions().is_empty(), "unmarked");
        }
        assert_eq!((rig.issuer.asked().len(), rig.api.seen().len()), (1, 5));
        assert_eq!(rig.status().await, 401, "the next one goes out with what is at hand, and its response comes up");
        assert_eq!(rig.issuer.asked().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_permanent_failure_is_not_repeated_until_a_reset() {
    let rig = Rig::new(Issuer::new([Step::Fail(Failure::permanent("2FA")), give("t1")]), Api::accepting(&["t1"]));
    for _ in 0..3 {
        let error = rig.send().await.unwrap_err();
        assert_eq!((error.class(), error.retry_at()), (Class::Unauthenticated, None));
        assert!(failure(&error).is_permanent());
        tokio::time::sleep(s(86_400)).await;
    }
    assert_eq!(rig.issuer.asked(), ["login"]);
    rig.layer.tokens().clear();
    assert_eq!(rig.status().await, 200);
}

#[tokio::test(start_paused = true)]
async fn an_invalid_refresh_token_is_followed_by_a_login_in_the_same_flight() {
    let issuer = Issuer::new([Step::Fail(Failure::invalid_grant("invalid_grant")), give("t2")]);
    let rig = Rig::new(issuer.holding(grant("t1").refresh_token("r1")), Api::accepting(&["t2"]));
    assert!(rig.send_many(10).await.iter().all(|result| result.as_ref().is_ok_and(|answer| answer.status() == 200)));
    assert_eq!(rig.issuer.asked(), ["refresh r1", "login"]);
    assert_eq!((rig.layer.tokens().refreshes(), rig.layer.tokens().logins()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn after_an_invalid_refresh_token_the_lifetime_counts_from_the_login() {
    let steps = [Step::Fail(Failure::invalid_grant("x")), Step::Give(grant("t2").expires_in(s(60))), give("t3")];
    let issuer = Issuer::new(steps).holding(grant("t1").refresh_token("r1")).taking(s(10));
    let rig = Rig::new(issuer, Api::accepting(&["t2", "t3"]));
    assert_eq!(rig.status().await, 200);
    tokio::time::sleep(s(49)).await;
    let start = Instant::now();
    rig.status().await;
    assert_eq!(start.elapsed(), Duration::ZERO, "a second is left");
    assert_eq!(rig.api.tokens(), ["t1", "t2", "t2"]);
}

#[tokio::test(start_paused = true)]
async fn an_invalid_refresh_token_is_not_presented_again_when_the_login_fails() {
    let steps = [Step::Fail(Failure::invalid_grant("x")), Step::Fail(Failure::transient("503")), give("t2")];
    let rig = Rig::new(Issuer::new(steps).holding(grant("t1").refresh_token("r1")), Api::accepting(&["t2"]));
    assert_eq!(rig.status().await, 401);
    tokio::time::sleep(s(60)).await;
    assert_eq!(rig.status().await, 200);
    assert_eq!(rig.issuer.asked(), ["refresh r1", "login", "login"]);
}

#[tokio::test(start_paused = true)]
async fn a_flight_that_panics_frees_the_slot() {
    let rig = Rig::new(Issuer::new([Step::Panic, give("t1")]), Api::accepting(&["t1"]));
    for result in rig.send_many(5).await {
        assert!(failure(&result.unwrap_err()).is_transient());
    }
    tokio::time::sleep(s(2)).await;
    assert_eq!(rig.status().await, 200);
}

#[tokio::test(start_paused = true)]
async fn a_flight_that_hangs_ends_at_its_timeout() {
    let mut rig = Rig::new(Issuer::new([Step::Hang, Step::Hang]).taking(s(0)), Api::accepting(&[]));
    for limit in [s(30), s(5)] {
        let start = Instant::now();
        for result in rig.send_many(5).await {
            assert!(failure(&result.unwrap_err()).is_ambiguous());
        }
        assert_eq!(start.elapsed(), limit);
        tokio::time::sleep(s(60)).await;
        rig.layer = rig.layer.clone().flight_timeout(s(5));
    }
}

#[test]
fn a_flight_that_its_runtime_drops_frees_the_slot() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let rig = Rig::new(Issuer::new([Step::Hang, give("t1")]), Api::accepting(&["t1"]));
    let first = runtime();
    let mut task = None;
    first.block_on(async {
        task = Some(rig.spawn());
        tokio::time::sleep(s(5)).await;
    });
    drop(first);
    assert!(task.is_some_and(|task| task.is_finished()));
    runtime().block_on(async {
        let error = rig.send().await.unwrap_err();
        assert!(failure(&error).is_transient() && error.retry_at().is_some(), "cooling down");
        tokio::time::sleep(s(10)).await;
        assert_eq!(rig.status().await, 200);
    });
}

#[test]
fn outside_a_runtime_the_flight_fails_and_nothing_panics() {
    let rig = Rig::new(Issuer::new([]), Api::accepting(&[]));
    let mut call = pin!(rig.service().oneshot(get()));
    let std::task::Poll::Ready(Err(error)) = call.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("it waits for a flight that never was");
    };
    assert!(failure(&error).is_transient());
}

/// Polls a call so often, a second apart, and drops it.
async fn cancelled_after(polls: u32, rig: &Rig) {
    let mut call = pin!(rig.service().oneshot(get()));
    for _ in 0..polls {
        if std::future::poll_fn(|cx| std::task::Poll::Ready(call.as_mut().poll(cx).is_ready())).await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_dropped_at_any_poll_changes_nothing_for_the_others() {
    for polls in 0..12 {
        for held in [None, Some(grant("t1").refresh_token("r1"))] {
            for is_first in [true, false] {
                let mut issuer = Issuer::new([give("t2")]);
                issuer = if let Some(grant) = &held { issuer.holding(grant.clone()) } else { issuer };
                let rig = Rig::new(issuer, Api::accepting(&["t2"]).taking(s(1)));
                let before = (!is_first).then(|| rig.spawn());
                settle().await;
                cancelled_after(polls, &rig).await;
                let other = rig.send_many(3).await;
                assert!(other.iter().all(|result| result.as_ref().is_ok_and(|answer| answer.status() == 200)));
                if let Some(before) = before {
                    assert_eq!(before.await.unwrap().unwrap().status(), 200, "{polls}");
                }
                assert_eq!(
                    (rig.issuer.asked().len(), rig.generation()),
                    (1, if held.is_some() { 2 } else { 1 }),
                    "{polls}"
                );
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_install_supersedes_the_flight_and_its_waiters_go_on() {
    let rig = Rig::new(Issuer::new([give("late")]).taking(s(10)), Api::accepting(&["t1"]));
    let waiting = rig.spawn();
    tokio::time::sleep(s(1)).await;
    let start = Instant::now();
    rig.layer.tokens().install(grant("t1"));
    assert_eq!(waiting.await.unwrap().unwrap().status(), 200);
    assert_eq!((start.elapsed(), rig.generation()), (Duration::ZERO, 1));
    tokio::time::sleep(s(20)).await;
    assert_eq!((rig.status().await, rig.generation()), (200, 1), "what came late is dropped");
}

#[tokio::test(start_paused = true)]
async fn a_clear_fails_the_waiters_and_the_next_request_logs_in() {
    let rig = Rig::new(Issuer::new([give("late"), give("t2")]).taking(s(10)), Api::accepting(&["t2"]));
    let waiting = rig.spawn();
    tokio::time::sleep(s(1)).await;
    rig.layer.tokens().clear();
    let error = waiting.await.unwrap().unwrap_err();
    assert!(failure(&error).is_cleared());
    assert_eq!((error.class(), error.retry_at()), (Class::Unauthenticated, None));
    assert_eq!(rig.status().await, 200);
    assert_eq!(rig.api.tokens(), ["t2"]);
}

#[tokio::test(start_paused = true)]
async fn the_pause_grows_and_a_success_ends_it() {
    let fail = || Step::Fail(Failure::transient("503"));
    let issuer = Issuer::new([fail(), fail(), fail(), give("t1")]).taking(s(0));
    let rig = Rig::new(issuer, Api::accepting(&["t1"]));
    while rig.send().await.is_err() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let asked = rig.issuer.asked_at();
    for (pair, least) in asked.windows(2).zip([1000, 2000, 4000]) {
        let pause = pair[1] - pair[0];
        let least = Duration::from_millis(least);
        assert!(pause >= least && pause <= least * 3 / 2 + Duration::from_millis(20), "{pause:?}");
    }
    assert_eq!(asked.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_waited_for_a_refresh_that_failed_is_sent_with_what_there_is() {
    let seen = AtomicUsize::new(0);
    let api = Api::new(move |_| answer(if seen.fetch_add(1, Ordering::Relaxed) == 0 { 401 } else { 200 }));
    let issuer = Issuer::new([Step::Fail(Failure::transient("503"))]).holding(grant("t1"));
    let rig = Rig::new(issuer, api);
    let rejected = rig.spawn();
    settle().await;
    assert_eq!(rig.status().await, 200, "its own route may accept what another one has rejected");
    assert_eq!(rejected.await.unwrap().unwrap().status(), 401);
    assert_eq!((rig.issuer.asked().len(), rig.api.tokens()), (1, vec!["t1".to_owned(); 2]));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_waited_during_a_logout_is_not_sent_with_the_next_users_credentials() {
    let rig = Rig::new(Issuer::new([Step::Hang]), Api::accepting(&["t1"]));
    let waiting = rig.spawn();
    settle().await;
    rig.layer.tokens().clear();
    rig.layer.tokens().install(grant("t1"));
    assert!(failure(&waiting.await.unwrap().unwrap_err()).is_cleared());
    assert!(rig.api.seen().is_empty());
    assert_eq!(rig.status().await, 200);
}

#[tokio::test(start_paused = true)]
async fn requests_that_wait_behind_probes_go_on_when_one_is_accepted_or_after_three_seconds() {
    let after = Duration::from_millis;
    // The flight hangs. One request each second is sent with the set that was rejected.
    let behind_probes = [vec![after(0), after(1000), after(2000)], vec![after(3000); 17]].concat();
    let behind_the_first = [vec![after(0)], vec![after(500); 19]].concat();
    for (takes, expected) in [(after(10_000), behind_probes), (after(500), behind_the_first)] {
        let seen = AtomicUsize::new(0);
        let api = Api::new(move |_| answer(if seen.fetch_add(1, Ordering::Relaxed) == 1 { 401 } else { 200 }));
        let rig = Rig::new(Issuer::new([Step::Hang]).holding(grant("t1")), api.taking(takes));
        assert_eq!(rig.status().await, 200, "the set was accepted before");
        let rejected = rig.spawn();
        tokio::time::sleep(takes).await;
        settle().await;
        let start = Instant::now();
        assert!(
            rig.send_many(20).await.iter().all(|answer| answer.as_ref().is_ok_and(|answer| answer.status() == 200))
        );
        let sent: Vec<_> = rig.api.seen()[2..].iter().map(|seen| seen.at - start).collect();
        assert_eq!(sent, expected);
        rejected.abort();
    }
}
