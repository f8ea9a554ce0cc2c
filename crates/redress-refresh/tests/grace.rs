//! A refresh whose answer is lost: the refresh token is presented again within the grace of the issuer, and else never.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

mod common;
mod family;

use std::sync::Arc;
use std::time::Duration;

use common::{get, s};
use family::{Family, Pair, Twist, process, wall};
use redress_classify::Clock;
use redress_refresh::{MemoryStore, RefreshLayer};
use tokio::time::Instant;
use tower::{Layer, ServiceExt};

fn family(grace: Duration) -> Arc<Family> {
    let family = Family::new(true);
    family.inner.lock().unwrap().grace = grace;
    family
}

async fn send(layer: &RefreshLayer, family: &Arc<Family>) -> u16 {
    layer.layer(family.api()).oneshot(get()).await.map_or(0, |answer| answer.status().as_u16())
}

/// A layer with a store or without one, that has logged in.
async fn started(family: &Arc<Family>, is_shared: bool) -> RefreshLayer {
    let layer = match is_shared {
        true => process(family, MemoryStore::new(), Clock::anchored(wall())),
        false => RefreshLayer::new(family::Client(Arc::clone(family)), "https://api.example.com".parse().unwrap()),
    };
    assert_eq!(send(&layer, family).await, 200);
    tokio::time::sleep(s(60)).await;
    layer
}

#[tokio::test(start_paused = true)]
async fn without_a_grace_a_lost_answer_costs_a_login() {
    for is_shared in [false, true] {
        let family = family(s(60));
        let layer = started(&family, is_shared).await;
        family.revoke_access();
        family.twist(Twist::Lose);
        assert_eq!(send(&layer, &family).await, 401, "its flight ends after 30 s");
        tokio::time::sleep(s(60)).await;
        assert_eq!(send(&layer, &family).await, 200);
        assert_eq!((family.shown().len(), family.logins()), (1, 2));
    }
}

#[tokio::test(start_paused = true)]
async fn within_the_grace_the_same_token_is_presented_once_more() {
    // The first call is given up after half of the grace, at most half of the flight timeout.
    for (grace, given_up) in [(2, 1), (10, 5), (30, 15), (60, 15)] {
        for is_shared in [false, true] {
            let family = family(s(grace));
            let layer = started(&family, is_shared).await.refresh_grace(s(grace));
            family.revoke_access();
            family.twist(Twist::Lose);
            let start = Instant::now();
            assert_eq!((send(&layer, &family).await, start.elapsed()), (200, s(given_up + 1)), "{grace}");
            assert_eq!((family.shown(), family.logins()), (vec!["r1".to_owned(); 2], 1), "{grace}");
            family.assert_whole();
            family.revoke_access();
            assert_eq!((send(&layer, &family).await, family.shown().len()), (200, 3), "and goes on with what it got");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_lost_answer_ends_the_flight() {
    for is_shared in [false, true] {
        let family = family(s(60));
        let layer = started(&family, is_shared).await.refresh_grace(s(60));
        family.revoke_access();
        family.twist(Twist::Lose);
        family.twist(Twist::Lose);
        assert_eq!(send(&layer, &family).await, 401);
        tokio::time::sleep(s(60)).await;
        assert_eq!(send(&layer, &family).await, 200);
        assert_eq!((family.shown().len(), family.logins()), (2, 2), "not a third time");
        family.assert_whole();
    }
}

#[tokio::test(start_paused = true)]
async fn after_two_lost_answers_the_next_flight_presents_the_token_within_the_grace() {
    for is_shared in [false, true] {
        let family = family(s(60));
        let layer = started(&family, is_shared).await.flight_timeout(s(10)).refresh_grace(s(60));
        family.revoke_access();
        family.twist(Twist::Lose);
        family.twist(Twist::Lose);
        assert_eq!(send(&layer, &family).await, 401, "each call is given up after 5 s");
        tokio::time::sleep(s(10)).await;
        assert_eq!(send(&layer, &family).await, 200);
        assert_eq!((family.shown(), family.logins()), (vec!["r1".to_owned(); 3], 1), "shared: {is_shared}");
        family.assert_whole();
        family.revoke_access();
        tokio::time::sleep(s(60)).await;
        assert_eq!((send(&layer, &family).await, family.logins()), (200, 1), "the next token is not spent");
    }
}

#[tokio::test(start_paused = true)]
async fn another_process_presents_the_token_after_two_lost_answers() {
    let Pair { family, one, other, .. } = Pair::started(true).await;
    family.inner.lock().unwrap().grace = s(60);
    let [one, other] = [one, other].map(|layer| layer.flight_timeout(s(10)).refresh_grace(s(60)));
    family.revoke_access();
    family.twist(Twist::Lose);
    family.twist(Twist::Lose);
    assert_eq!(send(&one, &family).await, 401);
    assert_eq!(send(&other, &family).await, 200);
    tokio::time::sleep(s(10)).await;
    assert_eq!(send(&one, &family).await, 200);
    assert_eq!((family.shown().len(), family.logins()), (3, 1));
    family.assert_whole();
}

#[tokio::test(start_paused = true)]
async fn a_renewal_whose_answers_are_lost_is_repeated_within_the_grace() {
    for is_shared in [false, true] {
        let family = family(s(60));
        let layer = started(&family, is_shared).await.flight_timeout(s(10)).refresh_grace(s(60));
        tokio::time::sleep(s(3300)).await;
        family.twist(Twist::Lose);
        family.twist(Twist::Lose);
        let access = family.inner.lock().unwrap().access.clone();
        assert_eq!(send(&layer, &family).await, 200);
        tokio::time::sleep(s(20)).await;
        family.inner.lock().unwrap().access = access;
        assert_eq!(send(&layer, &family).await, 200, "the set is good until it expires");
        tokio::time::sleep(s(300)).await;
        assert_eq!((family.shown().len(), family.logins()), (3, 1), "shared: {is_shared}");
        family.assert_whole();
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_after_a_lost_answer_does_not_make_the_token_good_again() {
    for is_shared in [false, true] {
        let family = family(s(20));
        let layer = started(&family, is_shared).await.flight_timeout(s(10)).refresh_grace(s(20));
        family.revoke_access();
        family.twist(Twist::Lose);
        family.twist(Twist::Refuse);
        assert_eq!(send(&layer, &family).await, 401);
        tokio::time::sleep(s(60)).await;
        assert_eq!(send(&layer, &family).await, 200);
        assert_eq!((family.shown().len(), family.logins()), (2, 2), "shared: {is_shared}");
        family.assert_whole();
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_another_process_does_not_make_a_spent_token_good_again() {
    let Pair { family, one, other, .. } = Pair::started(true).await;
    family.inner.lock().unwrap().grace = s(20);
    let [one, other] = [one, other].map(|layer| layer.flight_timeout(s(10)).refresh_grace(s(20)));
    family.revoke_access();
    family.twist(Twist::Lose);
    family.twist(Twist::Lose);
    assert_eq!(send(&one, &family).await, 401);
    family.twist(Twist::Refuse);
    assert_eq!(send(&other, &family).await, 401);
    tokio::time::sleep(s(60)).await;
    assert_eq!(send(&other, &family).await, 200);
    family.assert_whole();
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_no_lost_answer() {
    let family = family(s(60));
    let layer = started(&family, true).await.refresh_grace(s(60));
    family.revoke_access();
    family.twist(Twist::Refuse);
    assert_eq!((send(&layer, &family).await, family.shown().len()), (401, 1));
}

/// Lets a process die in its call to the issuer, and returns how often the token was presented once another one is served.
fn after_a_crash(flight: Duration, grace: Duration) -> (Vec<String>, usize) {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let (family, store) = (family(grace), MemoryStore::new());
    let layer = || {
        let layer = process(&family, store.clone(), Clock::anchored(wall()));
        layer.flight_timeout(flight).refresh_grace(grace)
    };
    let first = runtime();
    first.block_on(async {
        let one = layer();
        assert_eq!(send(&one, &family).await, 200);
        tokio::time::sleep(s(1)).await;
        family.revoke_access();
        family.twist(Twist::Lose);
        let call = tokio::spawn(one.layer(family.api()).oneshot(get()));
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(family.shown().len(), 1, "on its way");
        drop(call);
    });
    drop(first);
    runtime().block_on(async {
        let other = layer();
        while send(&other, &family).await != 200 {
            tokio::time::sleep(s(2)).await;
        }
    });
    family.assert_whole();
    (family.shown(), family.logins())
}

#[test]
fn after_a_crash_the_token_is_presented_again_if_the_grace_is_twice_the_flight_timeout() {
    let r1 = "r1".to_owned();
    assert_eq!(after_a_crash(s(10), s(60)), (vec![r1.clone(); 2], 1), "the lease lasts 15 s");
    assert_eq!(after_a_crash(s(10), s(20)), (vec![r1.clone(); 2], 1), "the lease lasts 10 s");
    assert_eq!(after_a_crash(s(30), s(60)), (vec![r1.clone(); 2], 1), "the lease lasts 30 s");
    assert_eq!(after_a_crash(s(10), s(12)), (vec![r1.clone()], 2), "too late");
    assert_eq!(after_a_crash(s(10), Duration::ZERO), (vec![r1], 2), "no grace");
}

#[tokio::test(start_paused = true)]
async fn a_renewal_whose_token_may_be_spent_waits_with_the_login_until_the_set_expires() {
    let pair = Pair::started(true).await;
    // The renewal is due, its answer is lost, and the lease ends without a result.
    tokio::time::sleep(s(3300)).await;
    pair.family.twist(Twist::Lose);
    let access = pair.family.inner.lock().unwrap().access.clone();
    assert_eq!(pair.send(&pair.one).await, 200);
    tokio::time::sleep(s(35)).await;
    // The issuer has given a new pair, which is lost; the old access token is good until it expires.
    pair.family.inner.lock().unwrap().access = access;
    assert_eq!(pair.both().await, [200; 2]);
    tokio::time::sleep(s(60)).await;
    assert_eq!((pair.both().await, pair.family.logins()), ([200; 2], 1), "no login as long as the set is good");
    tokio::time::sleep(s(210)).await;
    assert_eq!((pair.both().await, pair.family.logins()), ([200; 2], 2));
    assert_eq!(pair.family.shown(), ["r1"]);
    pair.family.assert_whole();
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_slept_presents_no_token_again_after_its_grace_or_its_lease() {
    // The call is given up after 15 s. Without a store the grace of 60 s has ended, with one the lease of 35 s.
    for (is_shared, grace, slept) in [(false, 60, 100), (true, 600, 40)] {
        let family = family(s(grace));
        let layer = started(&family, is_shared).await.refresh_grace(s(grace));
        family.revoke_access();
        family.twist(Twist::Lose);
        let call = tokio::spawn(layer.layer(family.api()).oneshot(get()));
        tokio::time::sleep(s(1)).await;
        assert_eq!(family.shown().len(), 1, "on its way");
        tokio::time::advance(s(slept)).await;
        assert_eq!(call.await.unwrap().unwrap().status(), 401);
        assert_eq!(family.shown().len(), 1, "with a store: {is_shared}");
    }
}
