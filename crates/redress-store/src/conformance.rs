//! The rules of a [`Store`] as a check, for the tests of its author.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::time::timeout;

use crate::record::{NewRecord, Record};
use crate::store::{Store, Written};
use crate::version::Version;

/// The number of concurrent writers of one record.
const WRITERS: usize = 16;
/// How long `changed` may take to report a change that has happened.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long `changed` is observed while there is no change.
const WATCH: Duration = Duration::from_secs(1);
/// How often `changed` may return or be polled in that time: every 10 ms, as a store that polls might do.
const MAX_ROUNDS: u32 = 100;
/// The largest number that a signed column of 64 bits holds.
const LARGE: u64 = i64::MAX as u64;

/// Checks a store against the rules of [`Store`], under keys of its own that begin with `redress-conformance`.
///
/// It returns nothing: run it in a test, without `unwrap`. It takes some seconds by the clock of the store, and leaves its
/// records behind. The keys contain `/`, as those of a user may.
///
/// # Panics
/// Panics if the store breaks a rule; the message begins with the rule.
///
/// # Examples
/// ```
/// use redress_store::{MemoryStore, conformance};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// conformance::check(MemoryStore::new()).await;
/// # }
/// ```
pub async fn check(store: impl Store) {
    let suite = Suite { store: Arc::new(store), run: fastrand::u64(..) };
    suite.an_unknown_key_has_no_record().await;
    suite.a_record_is_read_as_it_was_written().await;
    suite.a_record_is_created_once().await;
    suite.only_the_same_version_is_replaced().await;
    suite.a_refusal_returns_the_record().await;
    suite.keys_are_distinct().await;
    suite.one_of_many_concurrent_writers_succeeds().await;
    suite.a_dropped_write_is_complete_or_has_no_effect().await;
    suite.the_age_counts_from_the_write().await;
    suite.a_record_stays_for_its_lifetime().await;
    suite.a_change_ends_the_wait().await;
    suite.a_wait_without_a_change_takes_time().await;
}

struct Suite<S> {
    store: Arc<S>,
    run: u64,
}

impl<S: Store> Suite<S> {
    async fn an_unknown_key_has_no_record(&self) {
        let rule = "an unknown key has no record";
        assert!(self.load(rule, "unknown").await.is_none(), "{rule}");
    }

    async fn a_record_is_read_as_it_was_written(&self) {
        let rule = "a record is read as it was written, byte for byte";
        let mut seen = None;
        for (value, number) in values().into_iter().zip([0, 1, (1 << 53) + 1, LARGE, 2]) {
            let version = Version::from_parts(number, fastrand::u128(..));
            self.write(rule, "bytes", seen, version, &value).await;
            let read = self.load(rule, "bytes").await;
            let read = read.unwrap_or_else(|| panic!("{rule}: {version} is gone"));
            assert!(read.version() == version, "{rule}: version {version} is now {}", read.version());
            assert!(read.value() == value, "{rule}: {} bytes are now {read:?}", value.len());
            seen = Some(version);
        }
    }

    async fn a_record_is_created_once(&self) {
        let rule = "a record is created once";
        let (first, second) = (Version::next(None), Version::next(None));
        self.write(rule, "new", None, first, b"first").await;
        self.refuse(rule, "new", None, second).await;
        self.expect(rule, "new", first, b"first").await;
        self.refuse(rule, "none", Some(first), second).await;
        assert!(self.load(rule, "none").await.is_none(), "{rule}: a refused write leaves nothing");
    }

    async fn only_the_same_version_is_replaced(&self) {
        let rule = "only a record of the same number and id is replaced";
        let (number, id) = (5, u128::MAX / 3);
        let stored = Version::from_parts(number, id);
        self.write(rule, "version", None, stored, b"stored").await;
        self.refuse(rule, "version", None, Version::next(None)).await;
        for other in [
            Version::from_parts(number - 1, id),
            Version::from_parts(number + 1, id),
            Version::from_parts(number + (1 << 32), id),
            Version::from_parts(number, 0),
            Version::from_parts(number, id + 1),
            Version::from_parts(number, id ^ (1 << 127)),
            Version::from_parts(number, id & u128::from(u64::MAX)),
        ] {
            self.refuse(rule, "version", Some(other), Version::next(Some(other))).await;
            self.expect(rule, "version", stored, b"stored").await;
        }
        // The number of a version may fall: a store compares, and orders nothing.
        let lower = Version::from_parts(1, id);
        self.write(rule, "version", Some(stored), lower, b"").await;
        self.expect(rule, "version", lower, b"").await;
    }

    async fn a_refusal_returns_the_record(&self) {
        let rule = "a refused write returns the record as it is";
        let stored = Version::next(None);
        self.write(rule, "refused", None, stored, b"as it is").await;
        for seen in [None, Some(Version::next(Some(stored)))] {
            let refused = self.replace(rule, "refused", seen, Version::next(seen), b"other").await;
            let Written::Refused(Some(record)) = refused else { panic!("{rule}: {refused:?}") };
            assert!(record.version() == stored && record.value() == b"as it is", "{rule}: {record:?}");
        }
        let refused = self.replace(rule, "nothing", Some(stored), Version::next(None), b"other").await;
        assert!(matches!(refused, Written::Refused(None)), "{rule}: there is none, but it returned {refused:?}");
    }

    async fn keys_are_distinct(&self) {
        let rule = "keys are distinct, whatever their characters";
        let keys = ["a", "A", "a ", "a:b", "a/b", "a*", "a%", "a'--", "a{b}", "../a", "\u{e9}", "e\u{301}"];
        let long = "k".repeat(400);
        let keys: Vec<&str> = keys.into_iter().chain([long.as_str()]).collect();
        let versions: Vec<_> = keys.iter().map(|_| Version::next(None)).collect();
        for (key, version) in keys.iter().zip(&versions) {
            self.write(rule, key, None, *version, key.as_bytes()).await;
        }
        for (key, version) in keys.iter().zip(&versions) {
            self.expect(rule, key, *version, key.as_bytes()).await;
        }
    }

    async fn one_of_many_concurrent_writers_succeeds(&self) {
        let rule = "one of many concurrent writers succeeds";
        let mut seen = None;
        for _ in 0..8 {
            let versions: Vec<_> = (0..WRITERS).map(|_| Version::next(seen)).collect();
            let writers: Vec<_> = versions
                .iter()
                .map(|&version| {
                    let (store, key) = (Arc::clone(&self.store), self.key("race"));
                    tokio::spawn(async move { store.replace(&key, seen, &NewRecord::new(version, b"race")).await })
                })
                .collect();
            let mut won = Vec::new();
            for (task, version) in writers.into_iter().zip(versions) {
                if matches!(task.await, Ok(Ok(Written::Done))) {
                    won.push(version);
                }
            }
            assert!(won.len() == 1, "{rule}: {} succeeded", won.len());
            self.expect(rule, "race", won[0], b"race").await;
            seen = Some(won[0]);
        }
    }

    async fn a_dropped_write_is_complete_or_has_no_effect(&self) {
        let rule = "a write that is dropped is complete or has no effect";
        for polls in 0..4 {
            let (name, old) = (format!("dropped-{polls}"), Version::next(None));
            let new = Version::next(Some(old));
            self.write(rule, &name, None, old, b"old").await;
            {
                let (key, record) = (self.key(&name), NewRecord::new(new, b"new"));
                let mut write = pin!(self.store.replace(&key, Some(old), &record));
                for _ in 0..polls {
                    if write.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
                        break;
                    }
                    tokio::task::yield_now().await;
                }
            }
            let left = self.load(rule, &name).await;
            let left = left.as_ref().map(|record| (record.version(), record.value()));
            let is_whole = [Some((old, b"old".as_slice())), Some((new, b"new"))].contains(&left);
            assert!(is_whole, "{rule}: {left:?}");
        }
    }

    async fn the_age_counts_from_the_write(&self) {
        let rule = "the age of a record counts from its write";
        let (first, pause) = (Version::next(None), Duration::from_millis(500));
        self.write(rule, "age", None, first, b"").await;
        let young = self.age(rule).await;
        tokio::time::sleep(pause).await;
        let old = self.age(rule).await;
        let grown = old.saturating_sub(young);
        assert!(grown >= pause / 2, "{rule}: it grew by {grown:?} within {pause:?}");
        assert!(grown <= PATIENCE, "{rule}: it grew by {grown:?} within {pause:?}");
        self.write(rule, "age", Some(first), Version::next(Some(first)), b"").await;
        let anew = self.age(rule).await;
        assert!(anew < old || anew < pause / 2, "{rule}: a record that was just written is {anew:?} old");
    }

    async fn a_record_stays_for_its_lifetime(&self) {
        let rule = "a record without a lifetime stays, and another one at least for its lifetime";
        let (forever, version) = (Version::next(None), Version::next(None));
        self.write(rule, "forever", None, forever, b"forever").await;
        let key = self.key("long");
        let long = NewRecord::new(version, b"long").lifetime(Duration::from_secs(3600));
        let written = self.store.replace(&key, None, &long).await;
        assert!(matches!(written, Ok(Written::Done)), "{rule}: a record with a lifetime was not written: {written:?}");
        tokio::time::sleep(Duration::from_millis(1500)).await;
        self.expect(rule, "forever", forever, b"forever").await;
        self.expect(rule, "long", version, b"long").await;
        // A write without a lifetime ends the lifetime of the record before.
        let (short, kept) = (Version::next(None), Version::next(None));
        let record = NewRecord::new(short, b"short").lifetime(Duration::from_secs(1));
        let written = self.store.replace(&self.key("kept"), None, &record).await;
        assert!(matches!(written, Ok(Written::Done)), "{rule}: a record with a lifetime was not written: {written:?}");
        self.write(rule, "kept", Some(short), kept, b"kept").await;
        tokio::time::sleep(Duration::from_millis(1500)).await;
        self.expect(rule, "kept", kept, b"kept").await;
    }

    async fn a_change_ends_the_wait(&self) {
        let rule = "a wait for a change ends when the record changes";
        for (name, is_new) in [("created", true), ("replaced", false)] {
            let first = Version::next(None);
            let seen = (!is_new).then_some(first);
            if !is_new {
                self.write(rule, name, None, first, b"").await;
            }
            let key = self.key(name);
            let mut wait = pin!(self.store.changed(&key, seen));
            let is_ready = std::future::poll_fn(|cx| Poll::Ready(wait.as_mut().poll(cx).is_ready())).await;
            self.write(rule, name, seen, Version::next(seen), b"").await;
            assert!(is_ready || timeout(PATIENCE, wait).await.is_ok(), "{rule}: a wait before the write, {name}");
            let late = timeout(PATIENCE, self.store.changed(&key, seen)).await;
            assert!(late.is_ok(), "{rule}: a wait after the write, {name}");
        }
    }

    async fn a_wait_without_a_change_takes_time(&self) {
        let rule = "a wait without a change takes time and lets other tasks run";
        let still = Version::next(None);
        self.write(rule, "still", None, still, b"still").await;
        let (key, mut rounds) = (self.key("still"), 0);
        let watched = async {
            loop {
                let mut wait = pin!(self.store.changed(&key, Some(still)));
                std::future::poll_fn(|cx| {
                    rounds += 1;
                    assert!(rounds <= MAX_ROUNDS, "{rule}: it returned or woke {rounds} times within a second");
                    wait.as_mut().poll(cx)
                })
                .await;
            }
        };
        let _: Result<(), _> = timeout(WATCH, watched).await;
        self.expect(rule, "still", still, b"still").await;
    }

    fn key(&self, name: &str) -> String {
        format!("redress-conformance/{:016x}/{name}", self.run)
    }

    async fn load(&self, rule: &str, name: &str) -> Option<Record> {
        let loaded = self.store.load(&self.key(name)).await;
        loaded.unwrap_or_else(|error| panic!("{rule}: load failed: {error}"))
    }

    async fn age(&self, rule: &str) -> Duration {
        self.load(rule, "age").await.unwrap_or_else(|| panic!("{rule}: the record is gone")).age()
    }

    async fn replace(&self, rule: &str, name: &str, seen: Option<Version>, next: Version, value: &[u8]) -> Written {
        let replaced = self.store.replace(&self.key(name), seen, &NewRecord::new(next, value)).await;
        replaced.unwrap_or_else(|error| panic!("{rule}: replace failed: {error}"))
    }

    async fn write(&self, rule: &str, name: &str, seen: Option<Version>, next: Version, value: &[u8]) {
        let written = self.replace(rule, name, seen, next, value).await;
        assert!(written.is_written(), "{rule}: {next} was not written over {seen:?}: {written:?}");
    }

    async fn refuse(&self, rule: &str, name: &str, seen: Option<Version>, next: Version) {
        let written = self.replace(rule, name, seen, next, b"refused").await;
        assert!(!written.is_written(), "{rule}: {seen:?} was not the version of the record, and it was replaced");
    }

    async fn expect(&self, rule: &str, name: &str, version: Version, value: &[u8]) {
        let read = self.load(rule, name).await;
        let is_same = read.as_ref().is_some_and(|read| read.version() == version && read.value() == value);
        assert!(is_same, "{rule}: {version} is now {read:?}");
    }
}

/// Bytes that are hard to keep unchanged.
fn values() -> [Vec<u8>; 5] {
    let text = "\u{0}\u{1}\n\r\t\"\\'{}\u{e9}\u{1F511}$1%s".as_bytes().to_vec();
    [Vec::new(), (0..=u8::MAX).collect(), text, vec![b'x'; 65_536], b"-1".to_vec()]
}
