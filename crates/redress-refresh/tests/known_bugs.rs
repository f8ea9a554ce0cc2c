//! Bugs of other token-refresh implementations, one test for each.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

mod common;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use allocation_counter::measure;
use common::{Answer, Api, Issuer, Rig, Step, answer, failure, get, give, grant, layer, s, settle};
use http::{HeaderMap, Request, Response, StatusCode};
use redress_classify::{ClassifyLayer, dialects};
use redress_refresh::{Credentials, Failure, RefreshLayer, TokenSet};
use tokio::time::Instant;
use tower::limit::{ConcurrencyLimit, GlobalConcurrencyLimitLayer};
use tower::{Layer, Service, ServiceExt};

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
    let results = rig.send_many(1000).await;
    assert!(results.iter().all(|result| result.as_ref().is_ok_and(|answer| answer.status() == 200)));
    assert_eq!((rig.issuer.asked().len(), rig.api.seen().len(), rig.generation()), (1, 2000, 2));
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
    async fn login(&self) -> Result<TokenSet, Failure> {
        let answer = self.api.clone().oneshot(get()).await.map_err(Failure::transient)?;
        match answer.status() {
            StatusCode::UNAUTHORIZED => Err(Failure::permanent("401")),
            _ => Ok(TokenSet::bearer("t1")?),
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
async fn one_unusual_failure_does_not_end_refreshing() {
    for odd in
        [Step::Fail(Failure::transient("a proxy's 401 page")), Step::Panic, Step::Give(TokenSet::new()), give("t1")]
    {
        let rig = Rig::new(Issuer::new([odd, give("t2")]).holding(grant("t1")), Api::accepting(&["t2"]));
        assert_eq!(rig.status().await, 401);
        tokio::time::sleep(s(60)).await;
        assert_eq!(rig.status().await, 200);
    }
}

/// An issuer that returns the same token until it expires, with the rest of its lifetime.
struct Caching {
    start: Instant,
    asked: Arc<AtomicU64>,
}

impl Credentials for Caching {
    async fn login(&self) -> Result<TokenSet, Failure> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let seconds = self.start.elapsed().as_secs();
        Ok(grant(&format!("t{}", seconds / 600)).expires_in(s(600 - seconds % 600)))
    }
}

#[tokio::test(start_paused = true)]
async fn an_issuer_that_returns_the_same_token_until_it_expires_causes_no_gap() {
    let asked = Arc::<AtomicU64>::default();
    let issuer = Caching { start: Instant::now(), asked: Arc::clone(&asked) };
    let layer = RefreshLayer::new(issuer, "https://api.example.com".parse().unwrap());
    let api = Api::new(|_| answer(200));
    for second in 0..3_600 {
        assert_eq!(layer.layer(api.clone()).oneshot(get()).await.unwrap().status(), 200, "after {second} s");
        tokio::time::sleep(s(1)).await;
    }
    assert!(asked.load(Ordering::Relaxed) <= 6 * 12, "{asked:?}: each time a part of what is left");
}

#[tokio::test(start_paused = true)]
async fn a_lifetime_below_the_renewal_window_causes_no_busy_loop() {
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
async fn an_api_that_rejects_every_new_token_causes_no_endless_loop() {
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
    assert!(asked.len() > 5 && asked.len() <= 10, "{} calls in ten minutes", asked.len());
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
async fn an_invalid_refresh_token_after_a_logout_causes_no_login() {
    let issuer = Issuer::new([Step::Fail(Failure::invalid_grant("x")), give("late")]);
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

/// An issuer that is asked over the API's own transport, which has one place.
struct SharedTransport(ConcurrencyLimit<Api>);

impl Credentials for SharedTransport {
    async fn login(&self) -> Result<TokenSet, Failure> {
        self.0.clone().oneshot(get()).await.map_err(Failure::transient)?;
        Ok(grant("t2"))
    }

    fn initial(&self) -> Option<TokenSet> {
        Some(grant("t1"))
    }
}

#[tokio::test(start_paused = true)]
async fn a_refresh_over_a_shared_connection_limit_does_not_deadlock() {
    for resend_above in [false, true] {
        let api = Api::accepting(&["t2"]).taking(s(1));
        let limited = GlobalConcurrencyLimitLayer::new(1).layer(api.clone());
        let layer = RefreshLayer::new(SharedTransport(limited.clone()), "https://api.example.com".parse().unwrap());
        let layer = if resend_above { layer.resend_above() } else { layer };
        let calls: Vec<_> = (0..5).map(|_| tokio::spawn(layer.layer(limited.clone()).oneshot(get()))).collect();
        for call in calls {
            let answer: Answer = tokio::time::timeout(s(60), call).await.expect("no deadlock").unwrap().unwrap();
            assert!(resend_above || answer.status() == 200);
        }
        assert_eq!(layer.tokens().logins(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_background_renewal_that_hangs_blocks_no_request() {
    let issuer = Issuer::new([Step::Hang]).holding(grant("t1").refresh_token("r1").expires_in(s(3600)));
    let rig = Rig::new(issuer.taking(s(0)), Api::accepting(&["t1"]));
    tokio::time::sleep(s(3500)).await;
    let start = Instant::now();
    for _ in 0..50 {
        assert_eq!(rig.status().await, 200);
    }
    assert!(rig.send_many(50).await.iter().all(Result::is_ok));
    assert_eq!((start.elapsed(), rig.issuer.asked().len()), (s(0), 1));
}

#[tokio::test(start_paused = true)]
async fn any_401_does_not_drop_a_token_that_came_meanwhile() {
    let rig = Rig::new(Issuer::new([]).holding(grant("t1")), Api::accepting(&["t2"]).taking(s(5)));
    let late: Vec<_> = (0..3).map(|_| rig.spawn()).collect();
    settle().await;
    rig.layer.tokens().install(grant("t2"));
    for call in late {
        assert_eq!(call.await.unwrap().unwrap().status(), 200);
    }
    assert_eq!((rig.issuer.asked().len(), rig.generation()), (0, 2));
}

#[tokio::test(start_paused = true)]
async fn the_header_is_not_rebuilt_for_each_request() {
    let held = grant("t1").refresh_token("r1").expires_in(s(3600));
    let layer = layer(&Arc::new(Issuer::new([]).holding(held))).resend_above();
    let answering = |request: Request<()>| {
        assert!(request.headers()["authorization"].is_sensitive());
        std::future::ready(Ok::<_, std::io::Error>(Response::new(())))
    };
    let mut service = layer.layer(tower::service_fn(answering));
    let mut requests: Vec<_> = (0..100)
        .map(|_| {
            let mut request = Request::get("https://api.example.com/checks").body(()).unwrap();
            *request.headers_mut() = HeaderMap::with_capacity(4);
            request
        })
        .collect();
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    let cost = measure(|| {
        for request in requests.drain(..) {
            assert!(service.poll_ready(&mut cx).is_ready());
            let call = std::pin::pin!(service.call(request));
            assert!(call.poll(&mut cx).is_ready());
        }
    });
    assert_eq!(cost.count_total, 0, "allocations for a hundred requests");
}
