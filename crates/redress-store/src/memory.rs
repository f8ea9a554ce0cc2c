//! A store for the layers of one process.

use std::array::from_fn;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::BoxError;
use crate::record::{NewRecord, Record};
use crate::store::{Store, Written};
use crate::text::stable_hash;
use crate::version::Version;

/// A [`Store`] in memory, for several layers in one process and for tests. Clones share their records.
///
/// A record whose lifetime has passed is removed when its key is read or written.
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
#[derive(Clone)]
pub struct MemoryStore {
    inner: Arc<Inner>,
}

struct Inner {
    records: Mutex<HashMap<String, Kept>>,
    /// Changes with each write of a key, which wakes the waiters. Several keys share one, by their hashes.
    writes: [watch::Sender<u64>; GROUPS],
}

/// The number of groups of keys. A write wakes those who wait for a key of its group.
const GROUPS: usize = 64;

/// A record as it is kept.
struct Kept {
    version: Version,
    value: Zeroizing<Vec<u8>>,
    written: Instant,
    lifetime: Option<Duration>,
}

impl MemoryStore {
    /// Makes an empty store.
    #[must_use]
    pub fn new() -> Self {
        Self { inner: Arc::new(Inner { records: Mutex::default(), writes: from_fn(|_| watch::Sender::new(0)) }) }
    }

    fn records(&self) -> MutexGuard<'_, HashMap<String, Kept>> {
        self.inner.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the counter of the writes to the group of a key.
    fn writes(&self, key: &str) -> &watch::Sender<u64> {
        &self.inner.writes[stable_hash(key) as usize % GROUPS]
    }

    fn read(&self, key: &str) -> Option<Record> {
        read(&mut self.records(), key, Instant::now())
    }
}

impl Store for MemoryStore {
    async fn load(&self, key: &str) -> Result<Option<Record>, BoxError> {
        Ok(self.read(key))
    }

    async fn replace(&self, key: &str, seen: Option<Version>, record: &NewRecord<'_>) -> Result<Written, BoxError> {
        {
            let (mut records, now) = (self.records(), Instant::now());
            let stored = read(&mut records, key, now);
            if stored.as_ref().map(Record::version) != seen {
                return Ok(Written::Refused(stored));
            }
            records.insert(key.to_owned(), Kept::new(record, now));
        }
        self.writes(key).send_modify(|writes| *writes += 1);
        Ok(Written::Done)
    }

    async fn changed(&self, key: &str, seen: Option<Version>) {
        let mut writes = self.writes(key).subscribe();
        while self.read(key).map(|record| record.version()) == seen && writes.changed().await.is_ok() {}
    }
}

impl Kept {
    fn new(record: &NewRecord<'_>, now: Instant) -> Self {
        let value = Zeroizing::new(record.value().to_vec());
        Self { version: record.version(), value, written: now, lifetime: record.end_of_life() }
    }
}

/// Reads a record, and removes it if its lifetime has passed.
fn read(records: &mut HashMap<String, Kept>, key: &str, now: Instant) -> Option<Record> {
    let kept = records.get(key)?;
    let age = now.saturating_duration_since(kept.written);
    if kept.lifetime.is_some_and(|lifetime| age >= lifetime) {
        records.remove(key);
        return None;
    }
    Some(Record::new(kept.version, kept.value.to_vec(), age))
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("records", &self.records().len()).finish()
    }
}
