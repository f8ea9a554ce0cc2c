//! Layers with one store, as processes have it: together they present a rotating refresh token once.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

mod common;
mod family;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use common::{Api, answer, failure, get, s, settle};
use family::{Client, Family, KEY, Pair, Twist, process, wall};
use redress_classify::Clock;
use redress_refresh::{MemoryStore, RefreshLayer, Store};
use tokio::time::Instant;
use tower::{Layer, ServiceExt};

#[tokio::test(start_paused = true)]
async fn the_first_login_of_one_process_serves_all() {
    let pair = Pair::new(true);
    assert_eq!(pair.both().await, [200; 2]);
    assert_eq!((pair.family.logins(), pair.one.tokens().logins() + pair.other.tokens().logins()), (1, 1));
    settle().await;
    assert_eq!((pair.stored().await.generation(), pair.stored().await.lease()), (1, None));
}

#[tokio::test(start_paused = true)]
async fn processes_that_are_rejected_together_present_a_rotating_token_once() {
    let pair = Pair::started(true).await;
    for round in 1..=5 {
        pair.family.revoke_access();
        assert_eq!(pair.both().await, [200; 2], "round {round}");
        assert_eq!(pair.family.shown().len(), round);
        // Sooner than 4 s after a refresh a rejection may be held back.
        tokio::time::sleep(s(4)).await;
    }
    pair.family.assert_whole();
    assert_eq!(pair.family.shown(), ["r1", "r2", "r3", "r4", "r5"]);
    assert_eq!((pair.family.logins(), pair.stored().await.generation()), (1, 6));
}

#[tokio::test(start_paused = true)]
async fn a_newer_set_is_adopted_without_a_call() {
    let pair = Pair::started(true).await;
    pair.family.revoke_access();
    assert_eq!(pair.send(&pair.one).await, 200);
    tokio::time::sleep(s(60)).await;
    let start = Instant::now();
    assert_eq!((pair.send(&pair.other).await, start.elapsed()), (200, Duration::ZERO));
    assert_eq!((pair.other.tokens().refreshes(), pair.other.tokens().logins()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn renewals_of_two_processes_make_one_call_and_block_no_request() {
    let pair = Pair::started(true).await;
    for round in 1..=3 {
        tokio::time::sleep(s(3500)).await;
        let start = Instant::now();
        assert_eq!((pair.both().await, start.elapsed()), ([200; 2], Duration::ZERO));
        tokio::time::sleep(s(5)).await;
        assert_eq!((pair.both().await, pair.family.shown().len()), ([200; 2], round));
    }
    pair.family.assert_whole();
}

#[tokio::test(start_paused = true)]
async fn an_adopted_set_keeps_its_own_end() {
    let pair = Pair::new(true);
    assert_eq!(pair.send(&pair.one).await, 200);
    tokio::time::sleep(s(3000)).await;
    assert_eq!(pair.send(&pair.other).await, 200);
    tokio::time::sleep(s(600)).await;
    let start = Instant::now();
    assert_eq!(pair.send(&pair.other).await, 200);
    assert_eq!((start.elapsed(), pair.family.shown().len()), (s(1), 1), "expired an hour after it was given");
}

/// Stops a process during its call to the issuer, and continues in another one.
fn dies(rotates: bool, twist: Twist, then: impl AsyncFnOnce(Arc<Family>, MemoryStore, SystemTime)) {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let (family, store) = (Family::new(rotates), MemoryStore::new());
    let first = runtime();
    first.block_on(async {
        let one = process(&family, store.clone(), Clock::anchored(wall()));
        let send = || one.layer(family.api()).oneshot(get());
        assert_eq!(send().await.unwrap().status(), 200);
        settle().await;
        family.revoke_access();
        family.twist(twist);
        let call = tokio::spawn(send());
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(family.shown().len(), 1, "on its way");
        drop(call);
    });
    drop(first);
    runtime().block_on(then(family, store, wall() + s(2)));
}

#[test]
fn after_a_process_that_died_in_its_call_the_next_waits_for_the_lease_and_logs_in() {
    dies(true, Twist::Lose, async |family, store, now| {
        let other = process(&family, store.clone(), Clock::anchored(now)).flight_timeout(s(60));
        let start = Instant::now();
        let answer = other.layer(family.api()).oneshot(get()).await.unwrap();
        assert_eq!((answer.status().as_u16(), family.shown()), (200, vec!["r1".to_owned()]));
        assert_eq!(family.logins(), 2);
        assert!(start.elapsed() > s(30), "{:?}: not before the lease ended", start.elapsed());
        family.assert_whole();
    });
}

#[test]
fn a_token_that_does_not_rotate_is_presented_again_after_a_process_died() {
    dies(false, Twist::Lose, async |family, store, now| {
        let other = process(&family, store.clone(), Clock::anchored(now)).flight_timeout(s(60));
        let answer = other.layer(family.api()).oneshot(get()).await.unwrap();
        assert_eq!((answer.status().as_u16(), family.shown().len(), family.logins()), (200, 2, 1));
    });
}

#[test]
fn a_call_that_cannot_wait_for_another_process_fails_in_time_and_spends_nothing() {
    dies(true, Twist::Lose, async |family, store, now| {
        let other = process(&family, store.clone(), Clock::anchored(now)).flight_timeout(s(10));
        let start = Instant::now();
        let send = || other.layer(family.api()).oneshot(get());
        assert_eq!((send().await.unwrap().status().as_u16(), start.elapsed()), (401, s(25)), "a lease and a flight");
        assert_eq!(send().await.unwrap().status(), 401, "what is at hand is sent until there is a better one");
        assert_eq!(family.shown().len(), 1);
    });
}

#[tokio::test(start_paused = true)]
async fn a_lost_response_marks_the_token_as_spent_for_all_processes() {
    let pair = Pair::started(true).await;
    pair.family.revoke_access();
    pair.family.twist(Twist::Lose);
    assert_eq!(pair.send(&pair.one).await, 401, "its response was in hand");
    settle().await;
    let start = Instant::now();
    assert_eq!((pair.send(&pair.other).await, start.elapsed()), (200, s(1)), "nobody waits for the lease");
    assert_eq!((pair.family.shown(), pair.family.logins()), (vec!["r1".to_owned()], 2));
    tokio::time::sleep(s(60)).await;
    assert_eq!((pair.send(&pair.one).await, pair.family.logins()), (200, 2), "it adopts what the other got");
    pair.family.assert_whole();
}

#[tokio::test(start_paused = true)]
async fn a_refusal_releases_the_lease_and_keeps_the_token() {
    let pair = Pair::started(true).await;
    pair.family.revoke_access();
    pair.family.twist(Twist::Refuse);
    assert_eq!(pair.send(&pair.one).await, 401);
    settle().await;
    assert_eq!(pair.stored().await.lease(), None);
    let start = Instant::now();
    assert_eq!((pair.send(&pair.other).await, start.elapsed()), (200, s(1)));
    assert_eq!(pair.family.shown(), ["r1", "r1"], "it was refused unprocessed");
    pair.family.assert_whole();
}

/// Calls with a refresh token that is invalid, while someone logs in by hand in the other process. Returns the status, and the time
/// of that login.
async fn call_during_a_login_elsewhere(pair: &Pair) -> (u16, Instant) {
    pair.family.revoke_access();
    pair.family.twist(Twist::Dead);
    let call = tokio::spawn(pair.one.layer(pair.api.clone()).oneshot(get()));
    tokio::time::sleep(Duration::from_millis(500)).await;
    let grant = { pair.family.give(&mut pair.family.inner.lock().unwrap()) };
    pair.other.tokens().install(grant);
    let installed = Instant::now();
    (call.await.unwrap().unwrap().status().as_u16(), installed)
}

#[tokio::test(start_paused = true)]
async fn the_store_is_read_again_before_the_login_after_an_invalid_refresh_token() {
    let pair = Pair::started(true).await;
    pair.family.revoke_access();
    pair.family.twist(Twist::Dead);
    assert_eq!(pair.send(&pair.one).await, 200);
    assert_eq!((pair.family.shown().len(), pair.family.logins()), (1, 2), "nothing newer: a login");
    assert_eq!(call_during_a_login_elsewhere(&pair).await.0, 200);
    assert_eq!(pair.family.logins(), 2, "the newer pair was adopted");
    assert_eq!(pair.both().await, [200; 2]);
}

#[tokio::test(start_paused = true)]
async fn a_set_that_is_adopted_after_an_invalid_refresh_token_lasts_its_whole_lifetime() {
    let pair = Pair::started(true).await;
    let (status, installed) = call_during_a_login_elsewhere(&pair).await;
    assert_eq!(status, 200);
    tokio::time::sleep_until(installed + s(3600) - Duration::from_millis(1)).await;
    let start = Instant::now();
    assert_eq!((pair.send(&pair.one).await, start.elapsed()), (200, Duration::ZERO), "it does not wait for another");
}

#[tokio::test(start_paused = true)]
async fn a_rotated_token_beside_the_same_access_token_is_kept_for_all() {
    let pair = Pair::started(true).await;
    pair.family.revoke_access();
    // The issuer hands out the token that the API rejects.
    pair.family.twist(Twist::SameAccess);
    assert_eq!(pair.send(&pair.one).await, 401);
    settle().await;
    assert_eq!(pair.stored().await.generation(), 1, "the set is not newer");
    tokio::time::sleep(s(5)).await;
    assert_eq!(pair.both().await, [200; 2]);
    assert_eq!(pair.family.shown(), ["r1", "r2"]);
    pair.family.assert_whole();
}

#[tokio::test(start_paused = true)]
async fn while_the_store_is_unavailable_rotating_tokens_are_used_until_they_expire_and_then_requests_fail() {
    for (down, hangs) in [(true, false), (false, true)] {
        let pair = Pair::started(true).await;
        pair.store.down.store(down, Ordering::SeqCst);
        pair.store.hangs.store(hangs, Ordering::SeqCst);
        tokio::time::sleep(s(3500)).await;
        assert_eq!(pair.both().await, [200; 2], "not expired");
        tokio::time::sleep(s(100)).await;
        let error = pair.call(&pair.one).await.unwrap_err();
        assert!(failure(&error).is_transient() && error.retry_at().is_some());
        assert_eq!((pair.family.shown().len(), pair.family.logins()), (0, 1), "no call without the store");
        pair.store.down.store(false, Ordering::SeqCst);
        pair.store.hangs.store(false, Ordering::SeqCst);
        tokio::time::sleep(s(120)).await;
        assert_eq!((pair.both().await, pair.family.shown().len()), ([200; 2], 1));
        pair.family.assert_whole();
    }
}

#[tokio::test(start_paused = true)]
async fn while_the_store_is_unavailable_tokens_that_do_not_rotate_are_refreshed_by_each_process() {
    let pair = Pair::started(false).await;
    pair.store.down.store(true, Ordering::SeqCst);
    tokio::time::sleep(s(3600)).await;
    assert_eq!(pair.send(&pair.one).await, 200);
    assert_eq!((pair.family.shown().len(), pair.one.tokens().refreshes()), (1, 1));
    pair.store.down.store(false, Ordering::SeqCst);
    pair.family.revoke_access();
    assert_eq!((pair.send(&pair.other).await, pair.send(&pair.one).await), (200, 200));
    assert_eq!((pair.other.tokens().refreshes(), pair.one.tokens().refreshes()), (1, 1), "in step again");
}

#[tokio::test(start_paused = true)]
async fn a_new_process_does_not_log_in_while_it_cannot_see_the_store() {
    let pair = Pair::new(true);
    pair.store.down.store(true, Ordering::SeqCst);
    assert!(failure(&pair.call(&pair.one).await.unwrap_err()).is_transient());
    assert_eq!(pair.family.logins(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_at_the_commit_loses_no_pair() {
    let pair = Pair::started(true).await;
    pair.family.revoke_access();
    let call = tokio::spawn(pair.one.layer(pair.api.clone()).oneshot(get()));
    tokio::time::sleep(Duration::from_millis(500)).await;
    pair.store.down.store(true, Ordering::SeqCst);
    assert_eq!(call.await.unwrap().unwrap().status(), 200);
    assert_eq!(pair.send(&pair.one).await, 200);
    tokio::time::sleep(s(5)).await;
    pair.store.down.store(false, Ordering::SeqCst);
    tokio::time::sleep(s(31)).await;
    assert_eq!(pair.send(&pair.other).await, 200, "it adopts what was written once the store was back");
    assert_eq!((pair.family.shown().len(), pair.family.logins()), (1, 1));
    pair.family.assert_whole();
}

#[tokio::test(start_paused = true)]
async fn a_logout_applies_to_all_processes_and_no_record_undoes_it() {
    for down in [false, true] {
        let pair = Pair::started(true).await;
        pair.store.down.store(down, Ordering::SeqCst);
        pair.one.tokens().clear();
        settle().await;
        pair.store.down.store(false, Ordering::SeqCst);
        assert_eq!((pair.send(&pair.one).await, pair.family.logins()), (200, 2), "not what the store held");
        assert_eq!((pair.send(&pair.other).await, pair.family.logins()), (200, 2), "and the other adopts the new set");
        assert!(pair.family.shown().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_logout_during_the_call_keeps_its_outcome_out_of_the_store() {
    let pair = Pair::started(true).await;
    pair.family.revoke_access();
    let call = tokio::spawn(pair.one.layer(pair.api.clone()).oneshot(get()));
    tokio::time::sleep(Duration::from_millis(500)).await;
    pair.one.tokens().clear();
    assert_eq!(call.await.unwrap().unwrap().status(), 401);
    tokio::time::sleep(s(60)).await;
    let record = pair.stored().await;
    assert_eq!((record.generation(), record.lease()), (2, None));
    assert!(record.text.contains("\"access\":[]"), "{}", record.text);
}

#[tokio::test(start_paused = true)]
async fn an_install_reaches_the_other_process() {
    let pair = Pair::started(true).await;
    let grant = { pair.family.give(&mut pair.family.inner.lock().unwrap()) };
    pair.one.tokens().install(grant);
    settle().await;
    assert_eq!(pair.both().await, [200; 2]);
    assert_eq!((pair.family.shown().len(), pair.family.logins()), (0, 1));
    assert_eq!(pair.stored().await.generation(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_outlives_its_lease_overwrites_no_other_record() {
    let pair = Pair::started(true).await;
    pair.family.revoke_access();
    pair.family.twist(Twist::Late(s(20)));
    // The other process's clock runs ahead, so that it takes the lease for ended.
    let ahead = process(&pair.family, pair.store.clone(), Clock::anchored(wall() + s(600)));
    let slow = tokio::spawn(pair.one.layer(pair.api.clone()).oneshot(get()));
    tokio::time::sleep(s(5)).await;
    assert_eq!(ahead.layer(pair.api.clone()).oneshot(get()).await.unwrap().status(), 200);
    settle().await;
    let written = pair.stored().await.version;
    let _ = slow.await.unwrap();
    tokio::time::sleep(s(20)).await;
    assert_eq!(pair.stored().await.version, written);
    assert_eq!(pair.family.shown(), ["r1"], "and yet nothing was shown twice");
    pair.family.assert_whole();
}

#[tokio::test(start_paused = true)]
async fn without_a_store_two_processes_do_revoke_the_family() {
    let family = Family::new(true);
    let grant = { family.give(&mut family.inner.lock().unwrap()) };
    let layer = || RefreshLayer::new(Client(Arc::clone(&family)), "https://api.example.com".parse().unwrap());
    for layer in [layer(), layer()] {
        layer.tokens().install(grant.clone());
        family.revoke_access();
        let _ = layer.layer(family.api()).oneshot(get()).await;
    }
    assert_eq!(family.shown(), ["r1", "r1"]);
    assert!(family.inner.lock().unwrap().revoked, "which is what the other tests would see");
}

#[tokio::test(start_paused = true)]
async fn static_credentials_are_not_shared() {
    let keys = redress_refresh::StaticHeaders::new().header("x-api-key", "k").unwrap();
    let store = MemoryStore::new();
    let layer = RefreshLayer::new(keys, "https://api.example.com".parse().unwrap()).store(store.clone(), KEY);
    layer.layer(Api::new(|_| answer(200))).oneshot(get()).await.unwrap();
    layer.tokens().clear();
    settle().await;
    assert!(store.load(KEY).await.unwrap().is_none());
}
