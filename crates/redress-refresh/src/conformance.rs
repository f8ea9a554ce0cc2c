//! The rules of a [`TokenStore`] as a check, for the tests of its author.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime};

use tokio::time::timeout;

use crate::store::{Lease, RecordVersion, TokenRecord, TokenStore, millis};
use crate::token_set::TokenSet;

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

/// Checks a store against the rules of [`TokenStore`], under keys of its own that begin with `redress-conformance`.
///
/// It returns nothing: run it in a test, without `unwrap`. The keys contain `/`, as those of a user may.
///
/// # Panics
/// Panics if the store breaks a rule; the message begins with the rule.
///
/// # Examples
/// ```
/// use redress_refresh::{MemoryStore, conformance};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// conformance::check(MemoryStore::new()).await;
/// # }
/// ```
pub async fn check(store: impl TokenStore) {
    let suite = Suite { store: Arc::new(store), run: fastrand::u64(..) };
    suite.an_unknown_key_has_no_record().await;
    suite.a_record_is_read_as_it_was_written().await;
    suite.a_record_is_created_once().await;
    suite.only_the_same_version_is_replaced().await;
    suite.keys_are_distinct().await;
    suite.one_of_many_concurrent_writers_succeeds().await;
    suite.a_dropped_write_is_complete_or_has_no_effect().await;
    suite.a_lease_that_has_ended_stays().await;
    suite.a_lease_without_end_is_kept().await;
    suite.a_change_ends_the_wait().await;
    suite.a_wait_without_a_change_takes_time().await;
}

struct Suite<S> {
    store: Arc<S>,
    run: u64,
}

impl<S: TokenStore> Suite<S> {
    async fn an_unknown_key_has_no_record(&self) {
        let rule = "an unknown key has no record";
        assert!(self.load(rule, "unknown").await.is_none(), "{rule}");
    }

    async fn a_record_is_read_as_it_was_written(&self) {
        let rule = "a record is read as it was written, byte for byte";
        let mut seen = None;
        for record in records() {
            self.write(rule, "bytes", seen.as_ref(), &record).await;
            let read = self.load(rule, "bytes").await;
            let read = read.unwrap_or_else(|| panic!("{rule}: {record:?} is gone"));
            assert!(read.expose_bytes() == record.expose_bytes(), "{rule}: {record:?} is now {read:?}");
            seen = Some(record.version());
        }
    }

    async fn a_record_is_created_once(&self) {
        let rule = "a record is created once";
        let first = record(1, None);
        assert!(self.replace(rule, "new", None, &first).await, "{rule}: not at all");
        assert!(!self.replace(rule, "new", None, &record(2, None)).await, "{rule}: twice");
        self.expect(rule, "new", &first).await;
        assert!(
            !self.replace(rule, "none", Some(&first.version()), &first).await,
            "{rule}: nothing was there to replace"
        );
        assert!(self.load(rule, "none").await.is_none(), "{rule}: a refused write leaves nothing");
    }

    async fn only_the_same_version_is_replaced(&self) {
        let rule = "only a record of the same generation and lease is replaced";
        let stored = [record(5, None), record(5, Some("a"))];
        for (index, stored) in stored.iter().enumerate() {
            let key = format!("version-{index}");
            self.write(rule, &key, None, stored).await;
            for other in [
                record(4, None),
                record(6, None),
                record(5, None),
                record(5, Some("a")),
                record(5, Some("A")),
                record(5, Some("")),
                record(5, Some("b")),
                record(6, Some("a")),
                record(5 + (1 << 32), None),
            ] {
                if other.version() != stored.version() {
                    let done = self.replace(rule, &key, Some(&other.version()), &record(7, Some("c"))).await;
                    assert!(!done, "{rule}: {:?} was taken for {:?}", stored.version(), other.version());
                    self.expect(rule, &key, stored).await;
                }
            }
            self.write(rule, &key, Some(&stored.version()), &record(4, None)).await;
            self.expect(rule, &key, &record(4, None)).await;
        }
    }

    async fn keys_are_distinct(&self) {
        let rule = "keys are distinct, whatever their characters";
        let keys = ["a", "A", "a ", "a:b", "a/b", "a*", "a%", "a'--", "\u{e9}", "e\u{301}"];
        for (number, key) in (1..).zip(keys) {
            self.write(rule, key, None, &record(number, None)).await;
        }
        for (number, key) in (1..).zip(keys) {
            self.expect(rule, key, &record(number, None)).await;
        }
    }

    async fn one_of_many_concurrent_writers_succeeds(&self) {
        let rule = "one of many concurrent writers succeeds";
        let mut seen: Option<RecordVersion> = None;
        for round in 1..=8 {
            let writers: Vec<_> = (0..WRITERS)
                .map(|writer| {
                    let (store, key, seen) = (Arc::clone(&self.store), self.key("race"), seen.clone());
                    let next = record(round, Some(&format!("{round}-{writer}")));
                    tokio::spawn(async move { store.replace(&key, seen.as_ref(), &next).await })
                })
                .collect();
            let mut won = Vec::new();
            for (writer, task) in writers.into_iter().enumerate() {
                if matches!(task.await, Ok(Ok(true))) {
                    won.push(writer);
                }
            }
            assert!(won.len() == 1, "{rule}: {won:?}");
            let winner = record(round, Some(&format!("{round}-{}", won[0])));
            self.expect(rule, "race", &winner).await;
            seen = Some(winner.version());
        }
    }

    async fn a_dropped_write_is_complete_or_has_no_effect(&self) {
        let rule = "a write that is dropped is complete or has no effect";
        for polls in 0..4 {
            let key = format!("dropped-{polls}");
            let (old, new) = (record(1, None), record(2, Some("x")));
            self.write(rule, &key, None, &old).await;
            {
                let (full_key, seen) = (self.key(&key), old.version());
                let mut write = pin!(self.store.replace(&full_key, Some(&seen), &new));
                for _ in 0..polls {
                    if write.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
                        break;
                    }
                    tokio::task::yield_now().await;
                }
            }
            let left = self.load(rule, &key).await.map(|record| record.expose_bytes());
            let is_whole = [&old, &new].iter().any(|record| Some(record.expose_bytes()) == left);
            assert!(is_whole, "{rule}");
        }
    }

    async fn a_lease_that_has_ended_stays(&self) {
        let rule = "a lease stays when it has ended, and a set when it has expired";
        let past = Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1));
        let ended = TokenRecord { expires_at: past, ..record(1, Some("ended")) };
        self.write(rule, "ended", None, &ended).await;
        tokio::time::sleep(Duration::from_millis(1500)).await;
        self.expect(rule, "ended", &ended).await;
    }

    async fn a_lease_without_end_is_kept(&self) {
        let rule = "a lease is kept byte for byte, however far ahead it ends";
        let mut seen = None;
        for (number, until) in [4_102_444_800_000, 253_402_300_799_000, LARGE, u64::MAX].into_iter().enumerate() {
            let until = millis::time(until);
            let lease = Some(Lease { id: format!("far-{number}"), until });
            let far = TokenRecord { lease, ..record(1, None) };
            self.write(rule, "far", seen.as_ref(), &far).await;
            self.expect(rule, "far", &far).await;
            seen = Some(far.version());
        }
    }

    async fn a_change_ends_the_wait(&self) {
        let rule = "a wait for a change ends when the record changes";
        let changes = [
            ("told", record(1, None), record(2, None)),
            ("told-of-lease", record(1, None), record(1, Some("a"))),
            ("told-of-its-end", record(1, Some("a")), record(1, None)),
        ];
        for (name, old, new) in &changes {
            self.write(rule, name, None, old).await;
            let (key, seen) = (self.key(name), old.version());
            let mut wait = pin!(self.store.changed(&key, Some(&seen)));
            let is_ready = std::future::poll_fn(|cx| Poll::Ready(wait.as_mut().poll(cx).is_ready())).await;
            self.write(rule, name, Some(&seen), new).await;
            assert!(is_ready || timeout(PATIENCE, wait).await.is_ok(), "{rule}: a wait before the write, {name}");
            let late = timeout(PATIENCE, self.store.changed(&key, Some(&seen))).await;
            assert!(late.is_ok(), "{rule}: a wait after the write, {name}");
        }
    }

    async fn a_wait_without_a_change_takes_time(&self) {
        let rule = "a wait without a change takes time and lets other tasks run";
        let old = record(1, Some("still"));
        self.write(rule, "still", None, &old).await;
        let (key, seen) = (self.key("still"), old.version());
        let mut rounds = 0;
        let watched = async {
            loop {
                let mut wait = pin!(self.store.changed(&key, Some(&seen)));
                std::future::poll_fn(|cx| {
                    rounds += 1;
                    assert!(rounds <= MAX_ROUNDS, "{rule}: it returned or woke {rounds} times within a second");
                    wait.as_mut().poll(cx)
                })
                .await;
            }
        };
        let _: Result<(), _> = timeout(WATCH, watched).await;
        self.expect(rule, "still", &old).await;
    }

    fn key(&self, name: &str) -> String {
        format!("redress-conformance/{:016x}/{name}", self.run)
    }

    async fn load(&self, rule: &str, name: &str) -> Option<TokenRecord> {
        let loaded = self.store.load(&self.key(name)).await;
        loaded.unwrap_or_else(|error| panic!("{rule}: load failed: {error}"))
    }

    async fn replace(&self, rule: &str, name: &str, seen: Option<&RecordVersion>, record: &TokenRecord) -> bool {
        let replaced = self.store.replace(&self.key(name), seen, record).await;
        replaced.unwrap_or_else(|error| panic!("{rule}: replace failed: {error}"))
    }

    async fn write(&self, rule: &str, name: &str, seen: Option<&RecordVersion>, record: &TokenRecord) {
        assert!(self.replace(rule, name, seen, record).await, "{rule}: {record:?} was not written over {seen:?}");
    }

    async fn expect(&self, rule: &str, name: &str, record: &TokenRecord) {
        let read = self.load(rule, name).await;
        let is_same = read.as_ref().is_some_and(|read| read.expose_bytes() == record.expose_bytes());
        assert!(is_same, "{rule}: {record:?} is now {read:?}");
    }
}

fn record(generation: u64, lease: Option<&str>) -> TokenRecord {
    let until = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
    TokenRecord { lease: lease.map(|id| Lease { id: id.to_owned(), until }), ..TokenRecord::empty(generation) }
}

/// Records whose content is hard to keep unchanged.
fn records() -> Vec<TokenRecord> {
    let value: String = (0x20..0x7f_u8).map(char::from).collect();
    let long = "x".repeat(8192);
    let header = |name: &'static str, value: &str| TokenSet::new().header(name, value).expect("printable ASCII");
    let odd = header("x-odd", value.trim()).refresh_token("\u{0}\u{1}\n\r\t\"\\'\u{e9}\u{1F511}");
    let two = header("a", "1").header("b", "2").expect("printable ASCII").refresh_token(long.as_str());
    let end = SystemTime::UNIX_EPOCH + Duration::from_millis(4_102_444_800_001);
    let lease = record(0, Some("0123456789abcdef0123456789abcdef")).lease;
    vec![
        TokenRecord::empty(0),
        TokenRecord { lease: lease.clone(), ..TokenRecord::new(1, &odd, None) },
        TokenRecord { lease, ..TokenRecord::new((1 << 53) + 1, &two, Some(end)) },
        TokenRecord::new(LARGE, &header("x-long", &long), Some(SystemTime::UNIX_EPOCH)),
        TokenRecord::empty(2),
    ]
}
