//! The store of a layer, and the part of its content that this process has seen.

mod leases;
mod step;

use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use redress_classify::{BoxError, Clock, saturating};
use tokio::time::{Instant, timeout};

use crate::store::{Lease, RecordVersion, Store, TokenRecord, millis};
use crate::token_set::TokenSet;

use leases::Leases;
pub(crate) use leases::MAX_LEASE;
pub(crate) use step::{CallEnd, Claim, LocalState, Step, record_after, step};

/// How long one call to the store may take. A store that takes longer counts as unavailable.
const STORE_TIMEOUT: Duration = Duration::from_secs(5);
/// How often the result of a flight is offered to a store that is unavailable.
const MAX_COMMIT_ATTEMPTS: u32 = 3;
/// How often an install is offered to a store to which other processes write at the same time.
const MAX_FLUSH_ATTEMPTS: u32 = 20;

pub(crate) struct SharedStore {
    store: Box<dyn Store>,
    key: String,
    /// The newest generation of the store that this process has held.
    seen: AtomicU64,
    /// The last install or clear, until it is written.
    queued: Mutex<Queued>,
    /// The leases of other processes.
    leases: Mutex<Leases>,
    /// One flush at a time: a second one could write an old set over a newer one.
    flushing: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Queued {
    /// Distinguishes a later install from an earlier one.
    number: u64,
    /// The set, and when it was installed.
    set: Option<(TokenSet, Instant)>,
}

impl SharedStore {
    pub(crate) fn new(store: Box<dyn Store>, key: String) -> Self {
        Self {
            store,
            key,
            seen: AtomicU64::new(0),
            queued: Mutex::default(),
            leases: Mutex::new(Leases::new()),
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

    /// Queues a set for the next flush; an empty set is a logout.
    pub(crate) fn enqueue(&self, tokens: TokenSet) {
        let mut queued = self.queued();
        queued.number += 1;
        queued.set = Some((tokens, Instant::now()));
    }

    /// Writes the queued set over the stored record.
    pub(crate) async fn flush(&self, clock: &Clock) -> Result<(), BoxError> {
        let _flushing = self.flushing.lock().await;
        for _ in 0..MAX_FLUSH_ATTEMPTS {
            let (number, set) = {
                let queued = self.queued();
                (queued.number, queued.set.clone())
            };
            let Some((tokens, installed)) = set else { return Ok(()) };
            let stored = self.load().await?;
            let generation = stored.as_ref().map_or(0, TokenRecord::generation).max(self.seen()).saturating_add(1);
            let expires_at =
                tokens.lifetime().map(|lifetime| millis::rounded(clock.wall(saturating::add(installed, lifetime))));
            let record = TokenRecord::new(generation, &tokens, expires_at);
            if !self.replace(stored.map(|record| record.version()).as_ref(), &record).await? {
                continue;
            }
            self.mark_seen(generation);
            let mut queued = self.queued();
            if queued.number == number {
                queued.set = None;
            }
        }
        Err("the store refuses every write".into())
    }

    pub(crate) async fn load(&self) -> Result<Option<TokenRecord>, BoxError> {
        bounded(self.store.load(&self.key)).await
    }

    /// Returns how much longer the lease of a record is believed; `None` if the record has none, or none that is.
    pub(crate) fn lease(&self, record: &TokenRecord, now: Instant, clock: &Clock) -> Option<Duration> {
        let lease = record.lease.as_ref()?;
        let stated = lease.until.duration_since(clock.wall(now)).unwrap_or_default();
        let mut leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        Some(leases.left(&record.version(), stated, now)).filter(|left| !left.is_zero())
    }

    /// Writes a lease. Returns the version of the record that holds it, `None` if another process wrote first.
    pub(crate) async fn claim(&self, claim: &Claim, until: SystemTime) -> Result<Option<RecordVersion>, BoxError> {
        let id = format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..));
        let lease = Some(Lease { id, until: millis::rounded(until) });
        let record = TokenRecord { lease, ..claim.base.clone() };
        let is_written = self.replace(claim.seen.as_ref(), &record).await?;
        Ok(is_written.then(|| record.version()))
    }

    /// Replaces a lease by the result of its flight. Returns `false` if the lease is gone or the store is unavailable.
    pub(crate) async fn commit(&self, held: &RecordVersion, record: &TokenRecord) -> bool {
        for attempt in 1..=MAX_COMMIT_ATTEMPTS {
            match self.replace(Some(held), record).await {
                Ok(is_written) => return is_written,
                Err(_) if attempt < MAX_COMMIT_ATTEMPTS => tokio::time::sleep(STORE_TIMEOUT / 20).await,
                Err(_) => {}
            }
        }
        false
    }

    /// Waits until the record may have changed, at most for `longest`.
    pub(crate) async fn changed(&self, seen: Option<&RecordVersion>, longest: Duration) {
        let _ = timeout(longest, self.store.changed(&self.key, seen)).await;
    }

    async fn replace(&self, seen: Option<&RecordVersion>, record: &TokenRecord) -> Result<bool, BoxError> {
        bounded(self.store.replace(&self.key, seen, record)).await
    }

    fn queued(&self) -> MutexGuard<'_, Queued> {
        self.queued.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for SharedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedStore").field("key", &self.key).field("seen", &self.seen()).finish_non_exhaustive()
    }
}

async fn bounded<T>(call: impl Future<Output = Result<T, BoxError>>) -> Result<T, BoxError> {
    timeout(STORE_TIMEOUT, call).await.unwrap_or_else(|_| Err("the store did not answer in time".into()))
}
