//! The store of a layer, and what this process has seen of it.

mod lease;
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

pub(crate) use lease::LONGEST_LEASE;
use lease::Leases;
pub(crate) use step::{Claim, End, Local, Step, settled, step};

/// How long one call to the store may take: a store that hangs is down.
const STORE_TIMEOUT: Duration = Duration::from_secs(5);
/// How often the outcome of a call to the issuer is offered to a store that does not answer.
const COMMITS: u32 = 3;
/// How often what the user has installed is offered to a store in which others write at the same time.
const DELIVERIES: u32 = 20;

pub(crate) struct Fleet {
    store: Box<dyn Store>,
    key: String,
    /// The newest generation of the store that this process has held.
    seen: AtomicU64,
    /// What the user has installed or cleared here, until the store has it.
    outgoing: Mutex<Outgoing>,
    /// The leases of others.
    leases: Mutex<Leases>,
    /// One delivery at a time: a second one could write an old set over a newer one.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Outgoing {
    /// Tells a later install from an earlier one.
    number: u64,
    /// The set, and when it was installed.
    set: Option<(TokenSet, Instant)>,
}

impl Fleet {
    pub(crate) fn new(store: Box<dyn Store>, key: String) -> Self {
        let turn = tokio::sync::Mutex::new(());
        let leases = Mutex::new(Leases::new());
        Self { store, key, seen: AtomicU64::new(0), outgoing: Mutex::default(), leases, turn }
    }

    pub(crate) fn seen(&self) -> u64 {
        self.seen.load(Ordering::Acquire)
    }

    /// Notes that this process holds that generation now.
    pub(crate) fn hold(&self, generation: u64) {
        self.seen.fetch_max(generation, Ordering::AcqRel);
    }

    /// Leaves a set for the store, an empty one for a logout; it goes there with the next delivery.
    pub(crate) fn post(&self, grant: TokenSet) {
        let mut outgoing = self.outgoing();
        outgoing.number += 1;
        outgoing.set = Some((grant, Instant::now()));
    }

    /// Writes what was left for the store, over whatever is there.
    pub(crate) async fn deliver(&self, clock: &Clock) -> Result<(), BoxError> {
        let _turn = self.turn.lock().await;
        for _ in 0..DELIVERIES {
            let (number, set) = {
                let outgoing = self.outgoing();
                (outgoing.number, outgoing.set.clone())
            };
            let Some((grant, installed)) = set else { return Ok(()) };
            let stored = self.load().await?;
            let generation = stored.as_ref().map_or(0, TokenRecord::generation).max(self.seen()).saturating_add(1);
            let expires_at =
                grant.lifetime().map(|lifetime| millis::kept(clock.wall(saturating::add(installed, lifetime))));
            let record = TokenRecord::of(generation, &grant, expires_at);
            if !self.replace(stored.map(|record| record.version()).as_ref(), &record).await? {
                continue;
            }
            self.hold(generation);
            let mut outgoing = self.outgoing();
            if outgoing.number == number {
                outgoing.set = None;
            }
        }
        Err("the store refuses every write".into())
    }

    pub(crate) async fn load(&self) -> Result<Option<TokenRecord>, BoxError> {
        bounded(self.store.load(&self.key)).await
    }

    /// Returns how long a record's lease is still believed, `None` when it has none that is.
    pub(crate) fn lease(&self, record: &TokenRecord, now: Instant, clock: &Clock) -> Option<Duration> {
        let lease = record.lease.as_ref()?;
        let stated = lease.until.duration_since(clock.wall(now)).unwrap_or_default();
        let mut leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        Some(leases.left(&record.version(), stated, now)).filter(|left| !left.is_zero())
    }

    /// Writes an lease; returns the version of the record that now holds it, `None` when somebody was faster.
    pub(crate) async fn claim(&self, claim: &Claim, until: SystemTime) -> Result<Option<RecordVersion>, BoxError> {
        let id = format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..));
        let lease = Some(Lease { id, until: millis::kept(until) });
        let record = TokenRecord { lease, ..claim.base.clone() };
        let is_ours = self.replace(claim.seen.as_ref(), &record).await?;
        Ok(is_ours.then(|| record.version()))
    }

    /// Writes what came of an lease, if it is still there; whether it did.
    pub(crate) async fn commit(&self, held: &RecordVersion, record: &TokenRecord) -> bool {
        for attempt in 1..=COMMITS {
            match self.replace(Some(held), record).await {
                Ok(is_written) => return is_written,
                Err(_) if attempt < COMMITS => tokio::time::sleep(STORE_TIMEOUT / 20).await,
                Err(_) => {}
            }
        }
        false
    }

    /// Waits until the record may have changed, but no longer than this.
    pub(crate) async fn changed(&self, seen: Option<&RecordVersion>, longest: Duration) {
        let _ = timeout(longest, self.store.changed(&self.key, seen)).await;
    }

    async fn replace(&self, seen: Option<&RecordVersion>, record: &TokenRecord) -> Result<bool, BoxError> {
        bounded(self.store.replace(&self.key, seen, record)).await
    }

    fn outgoing(&self) -> MutexGuard<'_, Outgoing> {
        self.outgoing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Fleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fleet").field("key", &self.key).field("seen", &self.seen()).finish_non_exhaustive()
    }
}

async fn bounded<T>(call: impl Future<Output = Result<T, BoxError>>) -> Result<T, BoxError> {
    timeout(STORE_TIMEOUT, call).await.unwrap_or_else(|_| Err("the store did not answer in time".into()))
}
