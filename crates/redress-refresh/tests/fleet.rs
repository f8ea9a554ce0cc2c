//! Layers that share one store, as processes do: a refresh token that rotates is shown once by all of them together.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

mod common;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use common::{Answer, Api, answer, bearer, failure, get, s, settle};
use redress_classify::{BoxError, Clock, Error};
use redress_refresh::{
    Credentials, Failure, Grant, MemoryStore, Record, RefreshLayer, SecretString, Stamp, TokenStore,
};
use secrecy::ExposeSecret;
use tokio::time::Instant;
use tower::{Layer, ServiceExt};

const KEY: &str = "portal/user-7";

/// What an issuer does to one call, other than to answer it.
enum Twist {
    /// It does its work, and its answer is lost.
    Lose,
    /// It does nothing and says so.
    Refuse,
    /// It says that the grant is dead.
    Dead,
    /// It gives the same access token and a new refresh token.
    SameAccess,
    /// It answers so much later.
    Late(Duration),
}

/// An issuer whose refresh tokens are good for one use: a second one revokes the family.
struct Family {
    rotates: bool,
    delay: Duration,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    number: u64,
    /// The refresh token that is good.
    good: String,
    /// The access token that is good.
    access: String,
    shown: Vec<String>,
    logins: usize,
    revoked: bool,
    twists: VecDeque<Twist>,
}

impl Family {
    fn new(rotates: bool) -> Arc<Self> {
        Arc::new(Self { rotates, delay: s(1), inner: Mutex::default() })
    }

    fn twist(&self, twist: Twist) {
        self.inner.lock().unwrap().twists.push_back(twist);
    }

    /// Takes the access token back, as a server does that has restarted.
    fn revoke_access(&self) {
        self.inner.lock().unwrap().access.clear();
    }

    fn shown(&self) -> Vec<String> {
        self.inner.lock().unwrap().shown.clone()
    }

    fn logins(&self) -> usize {
        self.inner.lock().unwrap().logins
    }

    #[track_caller]
    fn assert_whole(&self) {
        let inner = self.inner.lock().unwrap();
        assert!(!inner.revoked, "a refresh token was shown twice: {:?}", inner.shown);
    }

    fn api(self: &Arc<Self>) -> Api {
        let family = Arc::clone(self);
        Api::new(move |headers| {
            let good = family.inner.lock().unwrap().access.clone();
            answer(if bearer(headers).is_some_and(|token| token == good) { 200 } else { 401 })
        })
    }

    fn give(&self, inner: &mut Inner) -> Grant {
        inner.number += 1;
        (inner.access, inner.good) = (format!("t{}", inner.number), format!("r{}", inner.number));
        if !self.rotates {
            inner.good = "r".to_owned();
        }
        let grant = Grant::bearer(inner.access.as_str()).unwrap().refresh_token(inner.good.as_str());
        grant.expires_in(s(3600))
    }

    async fn answer(&self, shown: Option<&str>) -> Result<Grant, Failure> {
        let (result, late) = self.judge(shown);
        tokio::time::sleep(self.delay + late).await;
        match result {
            Ok(None) => std::future::pending().await,
            Ok(Some(grant)) => Ok(grant),
            Err(failure) => Err(failure),
        }
    }

    fn judge(&self, shown: Option<&str>) -> (Result<Option<Grant>, Failure>, Duration) {
        let mut inner = self.inner.lock().unwrap();
        match shown {
            Some(token) => inner.shown.push(token.to_owned()),
            None => inner.logins += 1,
        }
        let twist = inner.twists.pop_front();
        match twist {
            Some(Twist::Refuse) => return (Err(Failure::transient("503")), Duration::ZERO),
            Some(Twist::Dead) => return (Err(Failure::grant_dead("invalid_grant")), Duration::ZERO),
            _ => {}
        }
        if shown.is_some_and(|token| token != inner.good) {
            inner.revoked = true;
            inner.access.clear();
            return (Err(Failure::grant_dead("invalid_grant")), Duration::ZERO);
        }
        let before = format!("t{}", inner.number);
        let grant = self.give(&mut inner);
        match twist {
            Some(Twist::Lose) => (Ok(None), Duration::ZERO),
            Some(Twist::Late(late)) => (Ok(Some(grant)), late),
            Some(Twist::SameAccess) => {
                inner.access.clear();
                let good = inner.good.clone();
                (Ok(Some(Grant::bearer(before).unwrap().refresh_token(good))), Duration::ZERO)
            }
            _ => (Ok(Some(grant)), Duration::ZERO),
        }
    }
}

/// One process's way to the issuer.
struct Client(Arc<Family>);

impl Credentials for Client {
    async fn login(&self) -> Result<Grant, Failure> {
        self.0.answer(None).await
    }

    async fn refresh(&self, refresh_token: &SecretString) -> Result<Grant, Failure> {
        self.0.answer(Some(refresh_token.expose_secret())).await
    }

    fn rotates(&self) -> bool {
        self.0.rotates
    }
}

/// A store that can be taken down, or hang.
#[derive(Clone)]
struct Frail {
    store: MemoryStore,
    down: Arc<AtomicBool>,
    hangs: Arc<AtomicBool>,
}

impl Frail {
    fn new() -> Self {
        Self { store: MemoryStore::new(), down: Arc::default(), hangs: Arc::default() }
    }

    async fn gate(&self) -> Result<(), BoxError> {
        if self.hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        if self.down.load(Ordering::SeqCst) { Err("down".into()) } else { Ok(()) }
    }
}

impl TokenStore for Frail {
    async fn load(&self, key: &str) -> Result<Option<Record>, BoxError> {
        self.gate().await?;
        self.store.load(key).await
    }

    async fn replace(&self, key: &str, seen: Option<&Stamp>, record: &Record) -> Result<bool, BoxError> {
        self.gate().await?;
        self.store.replace(key, seen, record).await
    }
}

fn wall() -> SystemTime {
    SystemTime::UNIX_EPOCH + s(1_700_000_000)
}

fn process(family: &Arc<Family>, store: impl TokenStore, clock: Clock) -> RefreshLayer {
    let layer = RefreshLayer::new(Client(Arc::clone(family)), "https://api.example.com".parse().unwrap());
    layer.clock(clock).store(store, KEY)
}

/// Two processes that share a store.
struct Pair {
    family: Arc<Family>,
    api: Api,
    store: Frail,
    one: RefreshLayer,
    other: RefreshLayer,
}

impl Pair {
    fn new(rotates: bool) -> Self {
        let (family, store, clock) = (Family::new(rotates), Frail::new(), Clock::anchored(wall()));
        let (one, other) = (process(&family, store.clone(), clock), process(&family, store.clone(), clock));
        Self { api: family.api(), family, store, one, other }
    }

    /// A pair of which both hold the first set.
    async fn started(rotates: bool) -> Self {
        let pair = Self::new(rotates);
        assert_eq!((pair.send(&pair.one).await, pair.send(&pair.other).await), (200, 200));
        assert_eq!((pair.family.logins(), pair.family.shown().len()), (1, 0));
        pair
    }

    async fn call(&self, layer: &RefreshLayer) -> Result<Answer, Error> {
        layer.layer(self.api.clone()).oneshot(get()).await
    }

    async fn send(&self, layer: &RefreshLayer) -> u16 {
        self.call(layer).await.map_or(0, |answer| answer.status().as_u16())
    }

    async fn both(&self) -> [u16; 2] {
        let (one, other) = tokio::join!(self.send(&self.one), self.send(&self.other));
        [one, other]
    }

    async fn stamp(&self) -> Stamp {
        self.store.store.load(KEY).await.unwrap().unwrap().stamp()
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_login_of_one_process_serves_all() {
    let pair = Pair::new(true);
    assert_eq!(pair.both().await, [200; 2]);
    assert_eq!((pair.family.logins(), pair.one.tokens().logins() + pair.other.tokens().logins()), (1, 1));
    settle().await;
    assert_eq!((pair.stamp().await.generation(), pair.stamp().await.intent()), (1, None));
}

#[tokio::test(start_paused = true)]
async fn processes_that_are_rejected_together_show_a_rotating_token_once() {
    let pair = Pair::started(true).await;
    for round in 1..=5 {
        pair.family.revoke_access();
        assert_eq!(pair.both().await, [200; 2], "round {round}");
        assert_eq!(pair.family.shown().len(), round);
    }
    pair.family.assert_whole();
    assert_eq!(pair.family.shown(), ["r1", "r2", "r3", "r4", "r5"]);
    assert_eq!((pair.family.logins(), pair.stamp().await.generation()), (1, 6));
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
async fn renewals_of_two_processes_make_one_call_and_block_nobody() {
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

/// Ends a process in the middle of its call to the issuer, and runs what follows in another one.
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
fn a_token_that_does_not_rotate_is_shown_again_after_a_process_that_died() {
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
        assert_eq!((send().await.unwrap().status().as_u16(), start.elapsed()), (401, s(10)));
        let error = send().await.unwrap_err();
        assert!(failure(&error).is_transient() && !failure(&error).is_ambiguous(), "nothing was sent");
        assert_eq!(family.shown().len(), 1);
    });
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_lost_marks_the_token_as_spent_for_all() {
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
async fn a_refusal_releases_the_intent_and_keeps_the_token() {
    let pair = Pair::started(true).await;
    pair.family.revoke_access();
    pair.family.twist(Twist::Refuse);
    assert_eq!(pair.send(&pair.one).await, 401);
    settle().await;
    assert_eq!(pair.stamp().await.intent(), None);
    let start = Instant::now();
    assert_eq!((pair.send(&pair.other).await, start.elapsed()), (200, s(1)));
    assert_eq!(pair.family.shown(), ["r1", "r1"], "it was refused unprocessed");
    pair.family.assert_whole();
}

#[tokio::test(start_paused = true)]
async fn a_dead_grant_is_looked_up_again_before_a_login() {
    let pair = Pair::started(true).await;
    pair.family.revoke_access();
    pair.family.twist(Twist::Dead);
    assert_eq!(pair.send(&pair.one).await, 200);
    assert_eq!((pair.family.shown().len(), pair.family.logins()), (1, 2), "nothing newer: a login");
    pair.family.revoke_access();
    pair.family.twist(Twist::Dead);
    let call = tokio::spawn(pair.one.layer(pair.api.clone()).oneshot(get()));
    tokio::time::sleep(Duration::from_millis(500)).await;
    // Somebody logs in by hand meanwhile, in the other process.
    let grant = { pair.family.give(&mut pair.family.inner.lock().unwrap()) };
    pair.other.tokens().install(grant);
    assert_eq!(call.await.unwrap().unwrap().status(), 200);
    assert_eq!(pair.family.logins(), 2, "the newer pair was adopted");
    assert_eq!(pair.both().await, [200; 2]);
}

#[tokio::test(start_paused = true)]
async fn a_rotated_token_beside_the_same_access_token_is_kept_for_all() {
    let pair = Pair::started(true).await;
    pair.family.revoke_access();
    // The issuer hands out the token that the API rejects.
    pair.family.twist(Twist::SameAccess);
    assert_eq!(pair.send(&pair.one).await, 401);
    tokio::time::sleep(s(5)).await;
    assert_eq!(pair.both().await, [200; 2]);
    assert_eq!(pair.family.shown(), ["r1", "r2"]);
    pair.family.assert_whole();
}

#[tokio::test(start_paused = true)]
async fn while_the_store_is_down_a_rotating_grant_is_used_to_its_end_and_then_fails_closed() {
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
async fn while_the_store_is_down_a_grant_that_does_not_rotate_is_refreshed_by_each_process() {
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
async fn a_store_that_fails_at_the_end_loses_no_pair() {
    let pair = Pair::started(true).await;
    pair.family.revoke_access();
    let call = tokio::spawn(pair.one.layer(pair.api.clone()).oneshot(get()));
    tokio::time::sleep(Duration::from_millis(500)).await;
    pair.store.down.store(true, Ordering::SeqCst);
    assert_eq!(call.await.unwrap().unwrap().status(), 200);
    assert_eq!(pair.send(&pair.one).await, 200);
    tokio::time::sleep(s(5)).await;
    pair.store.down.store(false, Ordering::SeqCst);
    tokio::time::sleep(s(60)).await;
    assert_eq!(pair.send(&pair.other).await, 200, "it logs in: what the first did is not known");
    assert_eq!((pair.family.shown().len(), pair.family.logins()), (1, 2));
    pair.family.assert_whole();
}

#[tokio::test(start_paused = true)]
async fn a_logout_is_for_all_and_no_record_undoes_it() {
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
    let record = pair.store.store.load(KEY).await.unwrap().unwrap();
    assert_eq!((record.stamp().generation(), record.stamp().intent()), (2, None));
    assert!(format!("{record:?}").contains("access: []"), "{record:?}");
}

#[tokio::test(start_paused = true)]
async fn an_install_reaches_the_other_process() {
    let pair = Pair::started(true).await;
    let grant = { pair.family.give(&mut pair.family.inner.lock().unwrap()) };
    pair.one.tokens().install(grant);
    settle().await;
    assert_eq!(pair.both().await, [200; 2]);
    assert_eq!((pair.family.shown().len(), pair.family.logins()), (0, 1));
    assert_eq!(pair.stamp().await.generation(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_outlives_its_lease_writes_over_nobody() {
    let pair = Pair::started(true).await;
    pair.family.revoke_access();
    pair.family.twist(Twist::Late(s(20)));
    // The other process's clock runs ahead, so that it takes the lease for ended.
    let ahead = process(&pair.family, pair.store.clone(), Clock::anchored(wall() + s(600)));
    let slow = tokio::spawn(pair.one.layer(pair.api.clone()).oneshot(get()));
    tokio::time::sleep(s(5)).await;
    assert_eq!(ahead.layer(pair.api.clone()).oneshot(get()).await.unwrap().status(), 200);
    settle().await;
    let written = pair.stamp().await;
    let _ = slow.await.unwrap();
    tokio::time::sleep(s(20)).await;
    assert_eq!(pair.stamp().await, written);
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
