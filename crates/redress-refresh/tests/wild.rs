//! Bugs that shipped elsewhere, one test each.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{Api, Issuer, Rig, Step, answer, failure, get, give, grant, layer, s, settle};
use http::StatusCode;
use redress_classify::{ClassifyLayer, dialects};
use redress_refresh::{Credentials, Failure, Grant, RefreshLayer};
use tokio::time::Instant;
use tower::{Layer, ServiceExt};

#[tokio::test(start_paused = true)]
async fn a_late_401_for_an_old_token_does_not_refresh_again() {
    let issuer = Issuer::new([give("t2"), give("t3")]).holding(grant("t1"));
    let rig = Rig::new(issuer, Api::accepting(&["t2"]));
    let late = rig.layer.layer(rig.api.clone().taking(s(60))).oneshot(get());
    let late = tokio::spawn(late);
    settle().await;
    assert_eq!(rig.status().await, 200);
    assert_eq!(late.await.unwrap().unwrap().status(), 200, "sent again with the newer token");
    assert_eq!(rig.issuer.asked(), ["login"]);
    assert_eq!(rig.api.tokens(), ["t1", "t1", "t2", "t2"]);
}

#[tokio::test(start_paused = true)]
async fn many_401s_at_once_do_not_make_many_refreshes() {
    let issuer = Issuer::new([give("t2")]).holding(grant("t1"));
    let rig = Rig::new(issuer, Api::accepting(&["t2"]).taking(s(1)));
    rig.send_many(200).await;
    assert_eq!(rig.issuer.asked().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn waiters_are_woken_after_a_failure() {
    let rig = Rig::new(Issuer::new([Step::Fail(Failure::transient("503"))]), Api::accepting(&[]));
    let woken = tokio::time::timeout(s(5), rig.send_many(10)).await.expect("woken");
    assert!(woken.iter().all(Result::is_err));
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_leader_does_not_lose_the_rotated_pair() {
    let issuer = Issuer::new([Step::Give(grant("t2").refresh_token("r2")), give("t3")]);
    let rig = Rig::new(issuer.holding(grant("t1").refresh_token("r1")), Api::accepting(&["t3"]));
    let leader = rig.spawn();
    settle().await;
    leader.abort();
    tokio::time::sleep(s(2)).await;
    assert_eq!(rig.generation(), 2, "the flight went on");
    assert_eq!(rig.status().await, 200);
    assert_eq!(rig.issuer.asked(), ["refresh r1", "refresh r2"]);
}

/// An issuer whose token endpoint is the API itself, asked through the API's own client.
struct Recursive {
    api: Api,
}

impl Credentials for Recursive {
    async fn login(&self) -> Result<Grant, Failure> {
        let answer = self.api.clone().oneshot(get()).await.map_err(Failure::transient)?;
        match answer.status() {
            StatusCode::UNAUTHORIZED => Err(Failure::permanent("401")),
            _ => Ok(Grant::bearer("t1")?),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_answers_401_does_not_recurse() {
    let api = Api::accepting(&[]);
    let layer = RefreshLayer::new(Recursive { api: api.clone() }, "https://api.example.com".parse().unwrap());
    let error = layer.layer(api.clone()).oneshot(get()).await.unwrap_err();
    assert!(failure(&error).is_permanent());
    assert_eq!((api.seen().len(), layer.tokens().logins()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn one_odd_failure_does_not_end_refreshing_for_ever() {
    for odd in [Step::Fail(Failure::transient("a proxy's 401 page")), Step::Panic, Step::Give(Grant::new()), give("t1")]
    {
        let rig = Rig::new(Issuer::new([odd, give("t2")]).holding(grant("t1")), Api::accepting(&["t2"]));
        assert_eq!(rig.status().await, 401);
        tokio::time::sleep(s(60)).await;
        assert_eq!(rig.status().await, 200);
    }
}

#[tokio::test(start_paused = true)]
async fn a_ttl_below_the_window_does_not_busy_loop() {
    for ttl in [Duration::ZERO, Duration::from_millis(1), s(1), s(2), s(20)] {
        let steps = (0..100).map(|n| Step::Give(grant(&format!("t{n}")).refresh_token("r").expires_in(ttl)));
        let rig = Rig::new(Issuer::new(steps).taking(Duration::ZERO), Api::new(|_| answer(200)));
        for _ in 0..200 {
            assert_eq!(rig.status().await, 200);
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        let calls = rig.issuer.asked().len();
        assert!(calls <= 11, "{ttl:?}: {calls} in five seconds, more than one each half second");
    }
}

#[tokio::test(start_paused = true)]
async fn a_background_renewal_that_panics_leaves_its_callers_alone() {
    let issuer = Issuer::new([Step::Panic]).holding(grant("t1").refresh_token("r").expires_in(s(60)));
    let rig = Rig::new(issuer, Api::accepting(&["t1"]));
    tokio::time::sleep(s(45)).await;
    for _ in 0..5 {
        assert_eq!(rig.status().await, 200);
        tokio::time::sleep(s(1)).await;
    }
    assert_eq!(rig.issuer.asked().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn fifty_waiters_of_a_failing_issuer_make_one_call() {
    let rig = Rig::new(Issuer::new([Step::Fail(Failure::transient("503"))]), Api::accepting(&[]));
    let start = Instant::now();
    assert!(rig.send_many(50).await.iter().all(Result::is_err));
    assert_eq!((rig.issuer.asked().len(), start.elapsed()), (1, s(1)));
}

#[tokio::test(start_paused = true)]
async fn twenty_cold_callers_make_one_token_request() {
    let rig = Rig::new(Issuer::new([give("t1")]), Api::accepting(&["t1"]));
    rig.send_many(20).await;
    assert_eq!(rig.issuer.asked().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_api_that_refuses_every_new_token_makes_no_endless_loop() {
    let steps = (2..2000).map(|n| Step::Give(grant(&format!("t{n}")).refresh_token("r")));
    let issuer = Issuer::new(steps).holding(grant("t1").refresh_token("r")).taking(Duration::ZERO);
    let rig = Rig::new(issuer, Api::accepting(&[]));
    let start = Instant::now();
    while start.elapsed() < s(600) {
        let _ = rig.send().await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let asked = rig.issuer.asked();
    assert_eq!(asked.iter().filter(|call| *call == "refresh r").count(), 2, "then logins only");
    assert!(asked.len() > 10 && asked.len() < 25, "{} calls in ten minutes", asked.len());
}

#[tokio::test(start_paused = true)]
async fn a_logout_is_not_undone_by_a_late_refresh() {
    let issuer = Issuer::new([give("late")]).holding(grant("t1").refresh_token("r1"));
    let rig = Rig::new(issuer, Api::accepting(&[]));
    let caller = rig.spawn();
    settle().await;
    rig.layer.tokens().clear();
    assert_eq!(caller.await.unwrap().unwrap().status(), 401, "its response was in hand");
    tokio::time::sleep(s(5)).await;
    assert_eq!((rig.generation(), rig.issuer.asked().len()), (1, 1));
    rig.layer.tokens().install(grant("t9"));
    assert_eq!(rig.status().await, 401);
    assert_eq!(rig.api.tokens()[1], "t9", "nothing late was ever sent");
}

#[tokio::test(start_paused = true)]
async fn a_dead_grant_after_a_logout_does_not_log_in() {
    let issuer = Issuer::new([Step::Fail(Failure::grant_dead("x")), give("late")]);
    let rig = Rig::new(issuer.holding(grant("t1").refresh_token("r1")), Api::accepting(&[]));
    let caller = rig.spawn();
    settle().await;
    rig.layer.tokens().clear();
    tokio::time::sleep(s(5)).await;
    assert_eq!(caller.await.unwrap().unwrap().status(), 401);
    assert_eq!(rig.issuer.asked(), ["refresh r1"]);
}

#[tokio::test(start_paused = true)]
async fn a_401_for_another_reason_does_not_drop_a_fresh_token() {
    let body = r#"{"success":false,"error":{"code":"INVALID_API_KEY","message":"no"}}"#;
    let api = Api::new(move |_| answer(401).map(|_| body.into()));
    let issuer = Arc::new(Issuer::new([]).holding(grant("t1")));
    let layer = layer(&issuer);
    let service = layer.layer(ClassifyLayer::new(dialects::maleslab()).layer(api.clone()));
    for _ in 0..3 {
        assert_eq!(service.clone().oneshot(get()).await.unwrap().status(), 401);
    }
    assert_eq!((api.tokens(), issuer.asked().len()), (vec!["t1".to_owned(); 3], 0));
}
