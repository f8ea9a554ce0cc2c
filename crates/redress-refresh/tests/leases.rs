//! Leases of other processes, and stores that return at once: neither blocks a process for longer than minutes, and no store
//! is read without a pause.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

mod common;
mod family;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Api, Issuer, Step, get, give, grant, s};
use family::{Family, process, read, wall, write};
use redress_classify::{BoxError, Clock};
use redress_refresh::{MemoryStore, RefreshLayer, Store};
use redress_store::{NewRecord, Record, Version, Written};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tower::{Layer, ServiceExt};

const MINUTE: Duration = s(60);
const HOUR: Duration = s(3600);
const DAY: Duration = s(86_400);

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap()
}

/// The value of a record whose set can no longer be sent, and whose renewal another process has announced for so long.
fn leased(generation: u64, lease: u64) -> String {
    format!(
        r#"{{"v":1,"generation":{generation},"access":[["authorization","Bearer old"]],"refresh":"r-single","expires_in_ms":1,"lease_ms":{lease}}}"#
    )
}

/// As before, without a lease.
fn ended(generation: u64) -> String {
    leased(generation, 0).replace(",\"lease_ms\":0", "")
}

/// A record with a version of its own.
fn record(value: &str, age: Duration) -> Record {
    Record::new(Version::next(None), value.as_bytes().to_vec(), age)
}

async fn store_of(value: &str) -> MemoryStore {
    let store = MemoryStore::new();
    write(&store, value).await;
    store
}

async fn status(layer: &RefreshLayer, family: &Arc<Family>) -> Option<u16> {
    layer.layer(family.api()).oneshot(get()).await.ok().map(|answer| answer.status().as_u16())
}

fn spawned(layer: &RefreshLayer, family: &Arc<Family>) -> JoinHandle<Option<u16>> {
    let (layer, family) = (layer.clone(), Arc::clone(family));
    tokio::spawn(async move { status(&layer, &family).await })
}

/// Calls every ten seconds; returns when the first call was served.
async fn served(layer: &RefreshLayer, family: &Arc<Family>, longest: Duration) -> Option<Duration> {
    let start = Instant::now();
    while start.elapsed() < longest {
        if status(layer, family).await == Some(200) {
            return Some(start.elapsed());
        }
        tokio::time::sleep(s(10)).await;
    }
    None
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_believed_for_five_minutes_at_most() {
    for lease in [millis(HOUR), millis(DAY), millis(3650 * DAY), i64::MAX as u64, u64::MAX] {
        for rotates in [false, true] {
            let family = Family::new(rotates);
            let layer = process(&family, store_of(&leased(3, lease)).await, Clock::anchored(wall()));
            let first = served(&layer, &family, HOUR).await.expect("it is not locked out");
            assert!(first >= s(299), "{lease}: the lease was cut after {first:?}");
            assert!(first <= 6 * MINUTE, "{lease}: calls failed for {first:?}");
            // A token that may have been shown is not shown again if it can be used only once.
            assert_eq!((family.shown().is_empty(), family.logins()), (rotates, 1), "{lease}");
            for _ in 0..60 {
                assert_eq!(status(&layer, &family).await, Some(200), "{lease}");
                tokio::time::sleep(MINUTE).await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_honest_lease_is_believed_to_its_end() {
    for length in [s(20), s(35), s(200), s(300)] {
        for age in [s(0), s(15), length] {
            let family = Family::new(true);
            let store = store_of(&leased(3, millis(length))).await;
            tokio::time::sleep(age).await;
            let layer = process(&family, store, Clock::anchored(wall()));
            let (first, left) = (served(&layer, &family, HOUR).await.unwrap(), length.saturating_sub(age));
            assert!(first >= left && first <= left + MINUTE + s(15), "{length:?} after {age:?}: {first:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_has_ended_at_the_first_read_is_ignored() {
    for ago in [s(20), HOUR, 365 * DAY] {
        let family = Family::new(true);
        let store = store_of(&leased(3, 20_000)).await;
        tokio::time::sleep(ago).await;
        let layer = process(&family, store, Clock::anchored(wall()));
        assert_eq!(served(&layer, &family, HOUR).await, Some(s(1)), "{ago:?}");
    }
}

/// A store whose clock is set while it runs.
#[derive(Clone)]
struct Jumping {
    store: MemoryStore,
    age: Arc<Mutex<Option<Duration>>>,
}

impl Store for Jumping {
    async fn load(&self, key: &str) -> Result<Option<Record>, BoxError> {
        let read = self.store.load(key).await?;
        let age = *self.age.lock().unwrap();
        Ok(read.map(|read| Record::new(read.version(), read.value().to_vec(), age.unwrap_or(read.age()))))
    }

    async fn replace(&self, key: &str, seen: Option<Version>, record: &NewRecord<'_>) -> Result<Written, BoxError> {
        self.store.replace(key, seen, record).await
    }
}

#[tokio::test(start_paused = true)]
async fn no_clock_that_is_set_moves_a_lease() {
    for age in [Duration::ZERO, HOUR, 365 * DAY, Duration::MAX] {
        for wall_clock in [Duration::ZERO, HOUR, 365 * DAY] {
            let family = Family::new(true);
            let time = Arc::new(Mutex::new(wall()));
            let clock = Arc::clone(&time);
            let store = Jumping { store: store_of(&leased(3, 20_000)).await, age: Arc::default() };
            let layer = process(&family, store.clone(), Clock::from_fn(move || *clock.lock().unwrap()));
            let start = Instant::now();
            let call = spawned(&layer, &family);
            tokio::time::sleep(s(5)).await;
            *time.lock().unwrap() -= wall_clock;
            *store.age.lock().unwrap() = Some(age);
            assert_eq!(call.await.unwrap(), Some(200), "{age:?}");
            assert_eq!(start.elapsed(), s(21), "{age:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_read_again_does_not_start_again() {
    let family = Family::new(true);
    let (one, other) = (Version::from_parts(1, 1), Version::from_parts(1, 2));
    let value = leased(3, u64::MAX);
    let store = MemoryStore::new();
    assert!(store.replace(family::KEY, None, &NewRecord::new(one, value.as_bytes())).await.unwrap().is_written());
    let layer = process(&family, store.clone(), Clock::anchored(wall()));
    let start = Instant::now();
    let (mut now, mut next) = (one, other);
    while start.elapsed() < 20 * MINUTE && family.logins() == 0 {
        let _ = tokio::join!(tokio::time::timeout(s(10), status(&layer, &family)), tokio::time::sleep(s(10)));
        let record = NewRecord::new(next, value.as_bytes());
        if family.logins() == 0 && store.replace(family::KEY, Some(now), &record).await.unwrap().is_written() {
            (now, next) = (next, now);
        }
    }
    assert!(start.elapsed() >= s(299) && start.elapsed() <= 7 * MINUTE, "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn the_lease_of_this_process_is_never_longer_than_others_believe() {
    for timeout in [s(300), HOUR, Duration::MAX] {
        let family = Family::new(true);
        let store = MemoryStore::new();
        family.twist(family::Twist::Late(HOUR));
        let layer = process(&family, store.clone(), Clock::anchored(wall())).flight_timeout(timeout);
        let call = spawned(&layer, &family);
        tokio::time::sleep(s(1)).await;
        assert_eq!(read(&store).await.unwrap().lease(), Some(300_000), "{timeout:?}");
        let start = Instant::now();
        assert_eq!(call.await.unwrap(), None);
        assert_eq!(start.elapsed(), s(294), "the flight ends five seconds before its lease");
    }
}

/// A way in which a store is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lie {
    /// `changed` returns at once.
    Eager,
    /// `changed` returns after it has let others run.
    Yields,
    /// `replace` always refuses, and `changed` returns at once.
    NeverWrites,
    /// Each look shows a lease of somebody else.
    Shifts,
    /// As before, by ever newer generations.
    Grows,
    /// Each look shows an older version.
    Shrinks,
    /// It says that it has written, and has not.
    Forgets,
    /// Each look shows a newer set, and a dead refresh token with it.
    DeadGrants,
}

#[derive(Clone)]
struct Liar {
    lie: Lie,
    record: Option<Record>,
    asked: Arc<AtomicU64>,
}

/// More than any test allows: from here on a store that is asked in a loop ends it.
const FAR_TOO_OFTEN: u64 = 20_000;

impl Liar {
    fn new(lie: Lie, record: Option<Record>) -> Self {
        Self { lie, record, asked: Arc::default() }
    }

    async fn count(&self) -> u64 {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
        if asked > FAR_TOO_OFTEN {
            std::future::pending::<()>().await;
        }
        asked
    }
}

impl Store for Liar {
    async fn load(&self, _: &str) -> Result<Option<Record>, BoxError> {
        let asked = self.count().await;
        Ok(match self.lie {
            Lie::Shifts => Some(record(&leased(3, u64::MAX), Duration::ZERO)),
            Lie::Grows => Some(record(&leased(3 + asked, u64::MAX), Duration::ZERO)),
            Lie::Shrinks => {
                let version = Version::from_parts(u64::MAX - asked, 1);
                Some(Record::new(version, ended(3).into_bytes(), Duration::ZERO))
            }
            Lie::DeadGrants => {
                let text = format!(
                    r#"{{"v":1,"generation":{asked},"access":[["authorization","Bearer a{asked}"]],"refresh":"d{asked}","expires_in_ms":1}}"#
                );
                Some(record(&text, Duration::ZERO))
            }
            _ => self.record.clone(),
        })
    }

    async fn replace(&self, _: &str, _: Option<Version>, _: &NewRecord<'_>) -> Result<Written, BoxError> {
        self.count().await;
        Ok(if self.lie == Lie::NeverWrites { Written::Refused(self.record.clone()) } else { Written::Done })
    }

    async fn changed(&self, _: &str, _: Option<Version>) {
        if self.lie == Lie::Yields {
            tokio::task::yield_now().await;
        }
    }
}

/// One call over a store that lies: it ends with the flight, others run meanwhile, and the store has its pauses.
async fn lies(lie: Lie, record: Option<Record>, longest: Duration) {
    let family = Family::new(true);
    let store = Liar::new(lie, record);
    let layer = process(&family, store.clone(), Clock::anchored(wall()));
    let start = Instant::now();
    let _ = tokio::time::timeout(HOUR, status(&layer, &family)).await.expect("it ends");
    let elapsed = start.elapsed();
    assert!(elapsed <= longest, "{lie:?}: {elapsed:?}");
    let rounds = u64::try_from(elapsed.as_millis() / 50).unwrap() + 2;
    let asked = store.asked.load(Ordering::Relaxed);
    assert!(asked <= 2 * rounds + 2, "{lie:?}: asked {asked} times in {elapsed:?}");
    // The checks in the background ask no more often than once a second.
    tokio::time::sleep(HOUR).await;
    let asked = store.asked.load(Ordering::Relaxed) - asked;
    assert!(asked <= 3 * 128, "{lie:?}: asked {asked} times in the background");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_returns_at_once_is_not_read_without_a_pause() {
    let live = || Some(record(&leased(3, 25_000), Duration::ZERO));
    lies(Lie::Eager, live(), s(27)).await;
    lies(Lie::Yields, live(), s(27)).await;
    lies(Lie::Eager, Some(record(&leased(3, u64::MAX), Duration::ZERO)), s(66)).await;
    lies(Lie::NeverWrites, None, s(66)).await;
    lies(Lie::NeverWrites, Some(record(&leased(3, 5), s(1))), s(66)).await;
    lies(Lie::Shifts, None, s(66)).await;
    lies(Lie::Grows, None, s(66)).await;
    lies(Lie::Shrinks, None, s(66)).await;
    lies(Lie::Forgets, None, s(66)).await;
}

#[tokio::test(start_paused = true)]
async fn a_store_that_returns_ever_newer_invalid_tokens_causes_a_bounded_number_of_calls() {
    let mut family = Family::new(true);
    Arc::get_mut(&mut family).unwrap().delay = Duration::ZERO;
    for _ in 0..1000 {
        family.twist(family::Twist::Dead);
    }
    let store = Liar::new(Lie::DeadGrants, None);
    let layer = process(&family, store.clone(), Clock::anchored(wall()));
    let _ = tokio::time::timeout(HOUR, status(&layer, &family)).await.expect("it ends");
    assert!(family.shown().len() + family.logins() <= 5, "{} + {}", family.shown().len(), family.logins());
}

#[tokio::test(start_paused = true)]
async fn a_change_that_comes_at_once_is_seen_at_once() {
    let family = Family::new(true);
    let store = store_of(&leased(3, 25_000)).await;
    let layer = process(&family, store.clone(), Clock::anchored(wall()));
    let start = Instant::now();
    let call = spawned(&layer, &family);
    tokio::time::sleep(Duration::from_millis(3)).await;
    drop(family.give(&mut family.inner.lock().unwrap()));
    write(&store, r#"{"v":1,"generation":4,"access":[["authorization","Bearer t1"]],"refresh":"r1"}"#).await;
    assert_eq!((call.await.unwrap(), start.elapsed()), (Some(200), Duration::from_millis(3)));
}

/// A store that counts its reads.
#[derive(Clone)]
struct Counting {
    store: MemoryStore,
    reads: Arc<AtomicU64>,
}

impl Store for Counting {
    async fn load(&self, key: &str) -> Result<Option<Record>, BoxError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.store.load(key).await
    }

    async fn replace(&self, key: &str, seen: Option<Version>, record: &NewRecord<'_>) -> Result<Written, BoxError> {
        self.store.replace(key, seen, record).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_result_is_read_again_for_half_a_minute_if_its_refresh_token_is_good_for_one_use() {
    for (rotates, has_token, expected) in [(true, true, 30), (true, false, 0), (false, true, 0)] {
        let store = Counting { store: MemoryStore::new(), reads: Arc::default() };
        let (family, wall) = (Family::new(rotates), Clock::anchored(wall()));
        let layer = if has_token {
            process(&family, store.clone(), wall)
        } else {
            let issuer = Arc::new(Issuer::new([give("t1")]).taking(s(1)));
            common::layer(&issuer).clock(wall).store(store.clone(), family::KEY)
        };
        assert!(status(&layer, &family).await.is_some());
        let before = store.reads.load(Ordering::Relaxed);
        tokio::time::sleep(MINUTE).await;
        let reads = store.reads.load(Ordering::Relaxed) - before;
        assert_eq!(reads, expected, "rotates: {rotates}, a refresh token: {has_token}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_lease_of_a_call_that_panicked_is_waited_for_as_that_of_another_process() {
    let steps = [Step::Panic, give("t2")];
    let issuer = Arc::new(Issuer::new(steps).holding(grant("t1").refresh_token("r1")));
    let layer = common::layer(&issuer).store(MemoryStore::new(), family::KEY);
    let (api, start) = (Api::accepting(&["t2"]), Instant::now());
    while layer.layer(api.clone()).oneshot(get()).await.is_ok_and(|answer| answer.status() == 401) {
        tokio::time::sleep(s(5)).await;
    }
    assert!(start.elapsed() >= s(35), "{:?}: the issuer may still process the call", start.elapsed());
    assert_eq!(
        (issuer.asked(), api.tokens().last().cloned()),
        (vec!["refresh r1".into(), "login".into()], Some("t2".into()))
    );
}
