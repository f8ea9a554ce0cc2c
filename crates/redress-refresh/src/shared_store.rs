//! The store of a layer, and the part of its content that this process has seen.

mod ages;
mod step;
mod unsaved;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redress_classify::{BoxError, saturating};
use redress_store::{Entry, Record, Version, Written};
use tokio::time::Instant;

use self::ages::Ages;
use self::unsaved::{Saved, Unsaved};
use crate::record::{Shown, TokenRecord};
use crate::token_set::TokenSet;

pub(crate) use ages::MAX_LEASE;
pub(crate) use step::{CallEnd, Claim, LocalState, Step, record_after, step};

/// How often an install is offered to a store to which other processes write at the same time.
const MAX_FLUSH_ATTEMPTS: u32 = 20;

pub(crate) struct SharedStore {
    entry: Entry,
    /// The newest generation of the store that this process has held.
    seen: AtomicU64,
    /// The highest number of a version that this process has seen.
    highest: AtomicU64,
    /// The age of each record.
    ages: Mutex<Ages>,
    /// The last lease of this process, as long as it has presented nothing under it.
    unused: Mutex<Option<UnusedLease>>,
    /// The sets and results that are not written yet.
    queued: Mutex<Queued>,
    /// One flush at a time: a second one could write an old set over a newer one.
    flushing: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Queued {
    /// Distinguishes a later install from an earlier one.
    number: u64,
    /// The last install or clear, and when that was.
    set: Option<(TokenSet, Instant)>,
    /// The result of the last flight.
    unsaved: Option<Unsaved>,
    /// The last result that was written.
    saved: Option<Saved>,
}

/// A lease under which no refresh token was presented, and when the token was presented before.
struct UnusedLease {
    version: Version,
    shown: Option<Shown>,
}

/// The stored record.
pub(crate) struct Stored {
    pub(crate) version: Version,
    /// How long ago it was written, by the clock of the store at the first read.
    pub(crate) age: Duration,
    /// Its lease is that of another process, or one under which this process has presented a refresh token.
    pub(crate) record: TokenRecord,
    /// How much longer its lease is believed; `None` if the record has none, or none that is.
    pub(crate) lease: Option<Duration>,
}

/// The content of the store at a read.
pub(crate) struct Loaded {
    pub(crate) stored: Option<Stored>,
    /// Whether the store has lost writes that this process has seen.
    pub(crate) is_behind: bool,
}

impl SharedStore {
    pub(crate) fn new(entry: Entry) -> Self {
        Self {
            entry,
            seen: AtomicU64::new(0),
            highest: AtomicU64::new(0),
            ages: Mutex::new(Ages::new()),
            unused: Mutex::default(),
            queued: Mutex::default(),
            flushing: tokio::sync::Mutex::new(()),
        }
    }

    pub(crate) fn seen(&self) -> u64 {
        self.seen.load(Ordering::Acquire)
    }

    /// Records that this process holds that generation.
    pub(crate) fn mark_seen(&self, generation: u64) {
        self.seen.fetch_max(generation, Ordering::AcqRel);
    }

    /// Queues a set for the next flush; an empty set is a logout. It supersedes the result of an earlier flight.
    pub(crate) fn enqueue(&self, tokens: TokenSet) {
        let mut queued = self.queued();
        queued.number += 1;
        queued.set = Some((tokens, Instant::now()));
        queued.unsaved = None;
    }

    /// Writes the result of an earlier flight, and the queued set over the stored record.
    pub(crate) async fn flush(&self) -> Result<(), BoxError> {
        self.offer().await?;
        let _flushing = self.flushing.lock().await;
        for _ in 0..MAX_FLUSH_ATTEMPTS {
            let (number, set) = {
                let queued = self.queued();
                (queued.number, queued.set.clone())
            };
            let Some((tokens, installed)) = set else { return Ok(()) };
            let stored = self.load().await?.stored;
            let newest = stored.as_ref().map_or(0, |stored| stored.record.generation).max(self.seen());
            let expires_at = tokens.lifetime().map(|lifetime| saturating::add(installed, lifetime));
            let record = TokenRecord::new(newest.saturating_add(1), &tokens, expires_at);
            let seen = stored.map(|stored| stored.version);
            if !self.write(seen, self.next_version(), &record).await?.is_written() {
                continue;
            }
            self.mark_seen(record.generation);
            let mut queued = self.queued();
            if queued.number == number {
                queued.set = None;
            }
        }
        Err("the store refuses every write".into())
    }

    /// Reads the record.
    pub(crate) async fn load(&self) -> Result<Loaded, BoxError> {
        let read = self.entry.load().await?;
        self.loaded(read)
    }

    /// Returns what was read, and whether it is older than what this process has seen.
    fn loaded(&self, read: Option<Record>) -> Result<Loaded, BoxError> {
        let number = read.as_ref().map_or(0, |read| read.version().number());
        let stored = read.map(|read| self.decode(&read, Instant::now())).transpose()?;
        let generation = stored.as_ref().map_or(0, |stored| stored.record.generation);
        let is_behind = number < self.highest.fetch_max(number, Ordering::AcqRel) || generation < self.seen();
        Ok(Loaded { stored, is_behind })
    }

    /// Returns a version for the next write: its number is higher than any that this process has seen.
    fn next_version(&self) -> Version {
        Version::next(Some(Version::from_parts(self.highest.load(Ordering::Acquire), 0)))
    }

    /// Writes a lease, under which this process may call the issuer. Returns its version, `None` if another process wrote first.
    pub(crate) async fn claim(
        &self,
        seen: Option<Version>,
        base: &TokenRecord,
        lease: Duration,
    ) -> Result<Option<Version>, BoxError> {
        let version = self.next_version();
        // Before the write: its answer may be lost.
        *self.unused() = Some(UnusedLease { version, shown: base.shown });
        let shown = base.refresh_token.as_ref().map(|_| base.shown.unwrap_or(Shown::from_now(Instant::now())));
        let record = TokenRecord { lease: Some(lease), shown, ..base.clone() };
        Ok(self.write(seen, version, &record).await?.is_written().then_some(version))
    }

    /// Writes a record to a store that has lost writes, under a lease of no process: until it ends, a process that holds a
    /// newer record may write it.
    pub(crate) async fn report(
        &self,
        seen: Option<Version>,
        base: &TokenRecord,
        lease: Duration,
    ) -> Result<(), BoxError> {
        let record = TokenRecord { lease: Some(lease), ..base.clone() };
        self.write(seen, self.next_version(), &record).await.map(drop)
    }

    /// Records that a refresh token is presented under the lease of this process.
    pub(crate) fn use_lease(&self) {
        *self.unused() = None;
    }

    /// Waits until the record may have changed, at most for `longest`.
    pub(crate) async fn changed(&self, seen: Option<Version>, longest: Duration) {
        self.entry.changed(seen, longest).await;
    }

    async fn write(&self, seen: Option<Version>, version: Version, record: &TokenRecord) -> Result<Written, BoxError> {
        let written = self.entry.write(seen, version, &record.expose_bytes(Instant::now()), None).await?;
        if written.is_written() {
            self.highest.fetch_max(version.number(), Ordering::AcqRel);
        }
        Ok(written)
    }

    fn decode(&self, read: &Record, now: Instant) -> Result<Stored, BoxError> {
        let version = read.version();
        let age = self.ages.lock().unwrap_or_else(PoisonError::into_inner).age(version, read.age(), now);
        let mut record = TokenRecord::from_bytes(read.value(), age, now)?;
        if let Some(unused) = self.unused().as_ref().filter(|unused| unused.version == version) {
            (record.lease, record.shown) = (None, unused.shown);
        }
        let lease = record.lease.and_then(|lease| ages::left(lease, age));
        Ok(Stored { version, age, record, lease })
    }

    fn queued(&self) -> MutexGuard<'_, Queued> {
        self.queued.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unused(&self) -> MutexGuard<'_, Option<UnusedLease>> {
        self.unused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for SharedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedStore")
            .field("key", &self.entry.key())
            .field("seen", &self.seen())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use redress_store::{MemoryStore, StoreHandle};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_store_is_behind_if_its_version_or_its_set_is_older_than_what_this_process_has_seen() {
        for (number, generation, expected) in
            [(9, 3, false), (9, 4, false), (9, 2, true), (10, 2, true), (10, 4, false), (8, 3, true), (8, 4, true)]
        {
            let store = MemoryStore::new();
            let seen = SharedStore::new(Entry::new(StoreHandle::new(store.clone()), "key"));
            seen.mark_seen(3);
            seen.highest.store(9, Ordering::Relaxed);
            let other = SharedStore::new(Entry::new(StoreHandle::new(store), "key"));
            let record = TokenRecord::new(generation, &TokenSet::bearer("t").expect("legal"), None);
            other.write(None, Version::from_parts(number, 1), &record).await.expect("it is in memory");
            let loaded = seen.load().await.expect("it is in memory");
            assert_eq!(loaded.is_behind, expected, "the set {generation} in the version {number}");
        }
    }
}
