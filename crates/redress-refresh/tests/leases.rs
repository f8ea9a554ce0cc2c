//! Leases of other processes, and stores that return at once: neither blocks a process for longer than minutes, and no store
//! is read without a pause.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

mod common;
mod family;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use common::{get, s};
use family::{Family, KEY, process, wall};
use redress_classify::{BoxError, Clock};
use redress_refresh::{MemoryStore, RecordVersion, RefreshLayer, TokenRecord, TokenStore};
use tokio::time::Instant;
use tower::{Layer, ServiceExt};

const MINUTE: Duration = s(60);
const HOUR: Duration = s(3600);
const DAY: Duration = s(86_400);

fn millis(time: SystemTime) -> u64 {
    u64::try_from(time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// A record whose set can no longer be sent, and whose renewal another process has announced until then.
fn leased(generation: u64, id: &str, until: u64) -> TokenRecord {
    let text = format!(
        r#"{{"v":1,"generation":{generation},"access":[["authorization","Bearer old"]],"refresh":"r-single","expires_at":1,"lease":{{"id":"{id}","until":{until}}}}}"#
    );
    TokenRecord::from_bytes(text.as_bytes()).unwrap()
}

async fn store_of(record: &TokenRecord) -> MemoryStore {
    let store = MemoryStore::new();
    assert!(store.replace(KEY, None, record).await.unwrap());
    store
}

async fn status(layer: &RefreshLayer, family: &Arc<Family>) -> Option<u16> {
    layer.layer(family.api()).oneshot(get()).await.ok().map(|answer| answer.status().as_u16())
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
    let now = millis(wall());
    let after = |span: Duration| now + u64::try_from(span.as_millis()).unwrap();
    for until in [after(HOUR), after(DAY), after(3650 * DAY), i64::MAX as u64, u64::MAX] {
        for rotates in [false, true] {
            let family = Family::new(rotates);
            let layer = process(&family, store_of(&leased(3, "x", until)).await, Clock::anchored(wall()));
            let first = served(&layer, &family, HOUR).await.expect("it is not locked out");
            assert!(first >= s(299), "{until}: the lease was cut after {first:?}");
            assert!(first <= 6 * MINUTE, "{until}: calls failed for {first:?}");
            // A token that may have been shown is not shown again if it can be used only once.
            assert_eq!((family.shown().is_empty(), family.logins()), (rotates, 1), "{until}");
            for _ in 0..60 {
                assert_eq!(status(&layer, &family).await, Some(200), "{until}");
                tokio::time::sleep(MINUTE).await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_honest_lease_is_believed_to_its_end() {
    for length in [s(20), s(35), s(200), s(300)] {
        let family = Family::new(true);
        let until = millis(wall() + length);
        let layer = process(&family, store_of(&leased(3, "x", until)).await, Clock::anchored(wall()));
        let first = served(&layer, &family, HOUR).await.unwrap();
        assert!(first >= length && first <= length + MINUTE + s(15), "{length:?}: {first:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_has_ended_at_the_first_read_is_ignored() {
    for ago in [s(1), HOUR, 365 * DAY] {
        let family = Family::new(true);
        let layer = process(&family, store_of(&leased(3, "x", millis(wall() - ago))).await, Clock::anchored(wall()));
        assert_eq!(served(&layer, &family, HOUR).await, Some(s(1)), "{ago:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_of_the_wall_clock_moves_no_lease() {
    type Jump = fn(SystemTime) -> SystemTime;
    let jumps: [Jump; 4] = [|now| now - HOUR, |now| now + HOUR, |now| now + 365 * DAY, |_| SystemTime::UNIX_EPOCH];
    for (number, jump) in jumps.into_iter().enumerate() {
        let family = Family::new(true);
        let time = Arc::new(Mutex::new(wall()));
        let clock = Arc::clone(&time);
        let store = store_of(&leased(3, "x", millis(wall() + s(20)))).await;
        let layer = process(&family, store, Clock::from_fn(move || *clock.lock().unwrap()));
        let start = Instant::now();
        let call = {
            let (layer, family) = (layer.clone(), Arc::clone(&family));
            tokio::spawn(async move { status(&layer, &family).await })
        };
        tokio::time::sleep(s(5)).await;
        {
            let mut time = time.lock().unwrap();
            *time = jump(*time);
        }
        assert_eq!(call.await.unwrap(), Some(200), "jump {number}");
        assert_eq!(start.elapsed(), s(21), "jump {number}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_read_again_does_not_start_again() {
    let family = Family::new(true);
    let far = u64::MAX;
    let (one, other) = (leased(3, "x", far), leased(3, "y", far));
    let store = store_of(&one).await;
    let layer = process(&family, store.clone(), Clock::anchored(wall()));
    let start = Instant::now();
    let mut records = [&one, &other].into_iter().cycle();
    let mut now = records.next().unwrap();
    while start.elapsed() < 20 * MINUTE && family.logins() == 0 {
        let _ = tokio::join!(tokio::time::timeout(s(10), status(&layer, &family)), tokio::time::sleep(s(10)));
        let next = records.next().unwrap();
        if family.logins() == 0 && store.replace(KEY, Some(&now.version()), next).await.unwrap() {
            now = next;
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
        let call = {
            let (layer, family) = (layer.clone(), Arc::clone(&family));
            tokio::spawn(async move { status(&layer, &family).await })
        };
        tokio::time::sleep(s(1)).await;
        let record = String::from_utf8(store.load(KEY).await.unwrap().unwrap().expose_bytes().to_vec()).unwrap();
        let until: u64 = record.rsplit("\"until\":").next().unwrap().trim_end_matches('}').parse().unwrap();
        assert!(until <= millis(wall() + s(300)), "{timeout:?}: the lease lasts beyond five minutes");
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
    /// It says that it has written, and has not.
    Forgets,
    /// Each look shows a newer set, and a dead refresh token with it.
    DeadGrants,
}

#[derive(Clone)]
struct Liar {
    lie: Lie,
    record: Option<TokenRecord>,
    asked: Arc<AtomicU64>,
}

/// More than any test allows: from here on a store that is asked in a loop ends it.
const FAR_TOO_OFTEN: u64 = 20_000;

impl Liar {
    fn new(lie: Lie, record: Option<TokenRecord>) -> Self {
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

impl TokenStore for Liar {
    async fn load(&self, _: &str) -> Result<Option<TokenRecord>, BoxError> {
        let asked = self.count().await;
        Ok(match self.lie {
            Lie::Shifts => Some(leased(3, &format!("x{asked}"), u64::MAX)),
            Lie::Grows => Some(leased(3 + asked, "x", u64::MAX)),
            Lie::DeadGrants => {
                let text = format!(
                    r#"{{"v":1,"generation":{asked},"access":[["authorization","Bearer a{asked}"]],"refresh":"d{asked}","expires_at":1,"lease":null}}"#
                );
                Some(TokenRecord::from_bytes(text.as_bytes()).unwrap())
            }
            _ => self.record.clone(),
        })
    }

    async fn replace(&self, _: &str, _: Option<&RecordVersion>, _: &TokenRecord) -> Result<bool, BoxError> {
        self.count().await;
        Ok(self.lie != Lie::NeverWrites)
    }

    async fn changed(&self, _: &str, _: Option<&RecordVersion>) {
        if self.lie == Lie::Yields {
            tokio::task::yield_now().await;
        }
    }
}

/// One call over a store that lies: it ends with the flight, others run meanwhile, and the store has its pauses.
async fn lies(lie: Lie, record: Option<TokenRecord>, longest: Duration) {
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
}

#[tokio::test(start_paused = true)]
async fn a_store_that_returns_at_once_is_not_read_without_a_pause() {
    let live = || Some(leased(3, "x", millis(wall() + s(25))));
    lies(Lie::Eager, live(), s(27)).await;
    lies(Lie::Yields, live(), s(27)).await;
    lies(Lie::Eager, Some(leased(3, "x", u64::MAX)), s(31)).await;
    lies(Lie::NeverWrites, None, s(31)).await;
    lies(Lie::NeverWrites, Some(leased(3, "x", 5)), s(31)).await;
    lies(Lie::Shifts, None, s(31)).await;
    lies(Lie::Grows, None, s(31)).await;
    lies(Lie::Forgets, None, s(31)).await;
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
    let store = store_of(&leased(3, "x", millis(wall() + s(25)))).await;
    let layer = process(&family, store.clone(), Clock::anchored(wall()));
    let start = Instant::now();
    let call = {
        let (layer, family) = (layer.clone(), Arc::clone(&family));
        tokio::spawn(async move { status(&layer, &family).await })
    };
    tokio::time::sleep(Duration::from_millis(3)).await;
    drop(family.give(&mut family.inner.lock().unwrap()));
    let fresh = br#"{"v":1,"generation":4,"access":[["authorization","Bearer t1"]],"refresh":"r1","expires_at":null,"lease":null}"#;
    let fresh = TokenRecord::from_bytes(fresh).unwrap();
    assert!(store.replace(KEY, Some(&leased(3, "x", 0).version()), &fresh).await.unwrap());
    assert_eq!((call.await.unwrap(), start.elapsed()), (Some(200), Duration::from_millis(3)));
}
