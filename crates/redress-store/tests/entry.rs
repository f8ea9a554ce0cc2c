//! One key of a store whose answers are lost, late or refusals.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use redress_store::{BoxError, Entry, MemoryStore, NewRecord, Record, Store, StoreHandle, Version, Written};
use tokio::time::Instant;

const KEY: &str = "portal/user-7";

/// The fault of a store at the writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    /// It fails and writes nothing.
    Fails,
    /// It writes, and the answer is an error.
    LosesAnswer,
    /// As before, and another process writes meanwhile.
    LosesAnswerAndMovesOn,
    /// The write fails, and another process writes.
    FailsAndMovesOn,
    /// It writes and fails, and so does each read that follows.
    LosesAll,
    /// It never answers, and has written.
    HangsAfterWrite,
    /// It never answers, and has not written.
    Hangs,
    /// It fails, and writes after that long.
    WritesLater(Duration),
}

#[derive(Clone)]
struct Faulty {
    store: MemoryStore,
    fault: Arc<Mutex<Fault>>,
    calls: Arc<Mutex<Vec<&'static str>>>,
}

impl Faulty {
    fn new(fault: Fault) -> Self {
        Self { store: MemoryStore::new(), fault: Arc::new(Mutex::new(fault)), calls: Arc::default() }
    }

    fn fault(&self) -> Fault {
        *self.fault.lock().unwrap()
    }

    fn entry(&self) -> Entry {
        Entry::new(StoreHandle::new(self.clone()), KEY)
    }

    fn calls(&self) -> Vec<&'static str> {
        std::mem::take(&mut *self.calls.lock().unwrap())
    }

    /// Another process writes.
    async fn other_writes(&self) -> Version {
        let seen = self.store.load(KEY).await.unwrap().map(|record| record.version());
        let version = Version::next(seen);
        assert!(self.store.replace(KEY, seen, &NewRecord::new(version, b"other")).await.unwrap().is_written());
        version
    }
}

impl Store for Faulty {
    async fn load(&self, key: &str) -> Result<Option<Record>, BoxError> {
        self.calls.lock().unwrap().push("load");
        match self.fault() {
            Fault::LosesAll => Err("no answer".into()),
            Fault::Hangs => std::future::pending().await,
            _ => self.store.load(key).await,
        }
    }

    async fn replace(&self, key: &str, seen: Option<Version>, record: &NewRecord<'_>) -> Result<Written, BoxError> {
        self.calls.lock().unwrap().push("replace");
        let fault = self.fault();
        match fault {
            Fault::None => return self.store.replace(key, seen, record).await,
            Fault::Fails | Fault::FailsAndMovesOn => {}
            Fault::Hangs => std::future::pending().await,
            Fault::WritesLater(after) => {
                let (store, key, version) = (self.store.clone(), key.to_owned(), record.version());
                let value = record.value().to_vec();
                tokio::spawn(async move {
                    tokio::time::sleep(after).await;
                    store.replace(&key, seen, &NewRecord::new(version, &value)).await.unwrap();
                });
            }
            Fault::LosesAnswer | Fault::LosesAnswerAndMovesOn | Fault::LosesAll | Fault::HangsAfterWrite => {
                assert!(self.store.replace(key, seen, record).await?.is_written());
            }
        }
        if matches!(fault, Fault::LosesAnswerAndMovesOn | Fault::FailsAndMovesOn) {
            self.other_writes().await;
        }
        if fault == Fault::HangsAfterWrite {
            std::future::pending::<()>().await;
        }
        Err("the answer is lost".into())
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_whose_answer_is_lost_is_recognized() {
    for (fault, took) in [(Fault::LosesAnswer, 0), (Fault::HangsAfterWrite, 5)] {
        let store = Faulty::new(fault);
        let start = Instant::now();
        assert!(store.entry().replace(None, b"mine", None).await.unwrap().is_written(), "{fault:?}");
        assert_eq!((store.calls(), start.elapsed().as_secs()), (vec!["replace", "load"], took), "{fault:?}");
        assert_eq!(store.store.load(KEY).await.unwrap().unwrap().value(), b"mine");
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_that_another_one_overtook_is_refused() {
    // In the first case the record was written, and replaced since: as if it had never been.
    for fault in [Fault::LosesAnswerAndMovesOn, Fault::FailsAndMovesOn] {
        let store = Faulty::new(fault);
        let written = store.entry().replace(None, b"mine", None).await.unwrap();
        assert!(matches!(written, Written::Refused(Some(record)) if record.value() == b"other"), "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_that_may_still_arrive_is_unknown() {
    for fault in [Fault::Fails, Fault::LosesAll, Fault::WritesLater(Duration::from_secs(1))] {
        let store = Faulty::new(fault);
        assert!(store.entry().replace(None, b"mine", None).await.is_err(), "{fault:?}");
        assert_eq!(store.calls(), ["replace", "load"], "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_that_is_repeated_with_its_version_is_recognized_when_the_first_one_arrived() {
    for arrives in [Duration::ZERO, Duration::from_secs(1)] {
        let store = Faulty::new(Fault::WritesLater(Duration::from_secs(1)));
        let (entry, version) = (store.entry(), Version::next(None));
        assert!(entry.write(None, version, b"mine", None).await.is_err(), "it is on its way");
        tokio::time::sleep(arrives * 2).await;
        *store.fault.lock().unwrap() = Fault::None;
        assert!(entry.write(None, version, b"mine", None).await.unwrap().is_written(), "{arrives:?}");
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!(store.store.load(KEY).await.unwrap().unwrap().version(), version, "the late one is refused");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_not_read_again() {
    let store = Faulty::new(Fault::None);
    let other = store.other_writes().await;
    let written = store.entry().replace(None, b"mine", None).await.unwrap();
    assert!(matches!(written, Written::Refused(Some(record)) if record.version() == other));
    assert_eq!(store.calls(), ["replace"]);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_is_unavailable_after_5_s_each_call() {
    let store = Faulty::new(Fault::Hangs);
    let start = Instant::now();
    assert!(store.entry().load().await.is_err());
    assert_eq!(start.elapsed(), Duration::from_secs(5));
    assert!(store.entry().replace(None, b"mine", None).await.is_err());
    assert_eq!(start.elapsed(), Duration::from_secs(15), "the write, and the read after it");
    store.entry().changed(None, Duration::from_millis(7)).await;
    assert_eq!(start.elapsed(), Duration::from_millis(15_007));
}

#[tokio::test(start_paused = true)]
async fn a_lifetime_reaches_the_store() {
    let entry = Faulty::new(Fault::None).entry();
    assert!(entry.replace(None, b"mine", Some(Duration::from_secs(2))).await.unwrap().is_written());
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(entry.load().await.unwrap().unwrap().age(), Duration::from_secs(1));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(entry.load().await.unwrap().is_none());
}
