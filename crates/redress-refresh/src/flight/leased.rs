//! A flight whose credentials are in a store: read the record, write a lease, call the issuer, write the result.

use std::time::Duration;

use redress_classify::BoxError;
use secrecy::SecretString;
use tokio::time::Instant;

use super::Flight;
use crate::explanation::Explanation;
use crate::failure::{Failure, Purpose};
use crate::shared_store::{CallEnd, Claim, LocalState, MAX_LEASE, SharedStore, Step, record_after, step};
use crate::store::{RecordVersion, TokenRecord};
use crate::telemetry;
use crate::token_set::TokenSet;

/// How much longer a lease lasts than its flight: the issuer may still process a call that was cut, and clocks that differ
/// by less do no harm.
const LEASE_MARGIN: Duration = Duration::from_secs(5);
/// The longest flight over a store: the lease of a longer one would outlast what other processes believe.
pub(super) const MAX_TIMEOUT: Duration = MAX_LEASE.saturating_sub(LEASE_MARGIN);
/// The shortest time between two reads of the store: the `changed` of a store may return at once, each time.
const MIN_READ_INTERVAL: Duration = Duration::from_millis(50);
/// How often a flight calls the issuer when other processes replace the record meanwhile. More than once is rare.
const MAX_CALLS: u32 = 3;
/// How long to wait for another process that wrote the record first.
const CONTENTION_PAUSE: Duration = Duration::from_millis(250);

/// A lease that this flight has written.
pub(super) struct HeldLease {
    /// The version of the record that holds the lease.
    version: RecordVersion,
    base: TokenRecord,
    end: Instant,
}

/// How a flight proceeds after it has read the store.
enum Acquired {
    /// Another process has left a newer set.
    Newer(TokenRecord),
    /// The lease is written: the issuer is called with that refresh token, or for a login.
    Lease(HeldLease, Option<SecretString>),
}

/// Keeps [`MIN_READ_INTERVAL`] between two waits for a change.
#[derive(Default)]
struct ReadInterval {
    last: Option<Instant>,
}

impl Flight {
    pub(super) async fn fetch_leased(
        &mut self,
        store: &SharedStore,
        mut token: Option<SecretString>,
    ) -> Result<TokenSet, Failure> {
        let mut interval = ReadInterval::default();
        for _ in 0..MAX_CALLS {
            match self.acquire_lease(store, &token, &mut interval).await {
                Ok(Acquired::Newer(record)) => return self.adopt(store, &record),
                Ok(Acquired::Lease(lease, token)) => {
                    if let Some(result) = self.call_leased(store, lease, token).await {
                        return result;
                    }
                }
                Err(error) if self.rotates() => {
                    tracing::warn!(target: "redress::refresh", flight = self.id, "store unavailable: not refreshed");
                    return Err(Failure::transient(Explanation::new("the token store failed").with_source(error)));
                }
                Err(_) => {
                    // The refresh token stays valid when it is used, so that several processes may present it.
                    tracing::warn!(target: "redress::refresh", flight = self.id, "store unavailable: refreshed for this process only");
                    return self.fetch_alone(token).await;
                }
            }
            // The refresh token was invalid, and another process has written since: read the record again.
            token = None;
        }
        Err(Failure::transient(Explanation::new("other processes write to the token store at the same time")))
    }

    /// Reads the record until it holds a newer set, or until the lease to fetch one is written.
    async fn acquire_lease(
        &self,
        store: &SharedStore,
        token: &Option<SecretString>,
        interval: &mut ReadInterval,
    ) -> Result<Acquired, BoxError> {
        store.flush(&self.clock).await?;
        loop {
            let record = store.load().await?;
            let seen = record.as_ref().map(TokenRecord::version);
            let now = Instant::now();
            let lease = record.as_ref().and_then(|record| store.lease(record, now, &self.clock));
            let longest = match step(record, lease, &self.local_state(store, token), self.clock.wall(now)) {
                Step::Adopt(record) => return Ok(Acquired::Newer(record)),
                Step::Wait(left) => {
                    tracing::debug!(target: "redress::refresh", flight = self.id, ?left, "another process refreshes");
                    left
                }
                Step::Claim(claim) => {
                    let end = now + self.timeout.saturating_add(LEASE_MARGIN);
                    match store.claim(&claim, self.clock.wall(end)).await? {
                        Some(version) => {
                            let Claim { base, refresh_token, .. } = claim;
                            return Ok(Acquired::Lease(HeldLease { version, base, end }, refresh_token));
                        }
                        None => CONTENTION_PAUSE,
                    }
                }
            };
            interval.wait().await;
            store.changed(seen.as_ref(), longest).await;
        }
    }

    /// Calls the issuer, and logs in if the refresh token is invalid. Returns `None` if another process has written
    /// meanwhile, and may be calling too.
    async fn call_leased(
        &mut self,
        store: &SharedStore,
        lease: HeldLease,
        token: Option<SecretString>,
    ) -> Option<Result<TokenSet, Failure>> {
        let (version, end) = (lease.version.clone(), lease.end);
        self.lease = Some(lease);
        if !self.set_presented(token.clone()) {
            return Some(Err(Failure::cleared()));
        }
        // The process may have been suspended since. Other processes measure the lease by their own clocks.
        if Instant::now() >= end {
            return Some(Err(Failure::transient(Explanation::new("the lease ended before the call"))));
        }
        let invalid = match self.call(token).await {
            Err(failure) if self.must_log_in(&failure) => failure,
            result => return Some(result),
        };
        if !self.set_presented(None) {
            return Some(Err(invalid));
        }
        // Another process may have used the refresh token and written a newer pair.
        let stored = match store.load().await {
            Ok(stored) => stored.map(|record| record.version()),
            Err(_) => Some(version.clone()),
        };
        if stored.as_ref() != Some(&version) {
            self.forget_call();
            return None;
        }
        telemetry::invalid_grant(self.id, &invalid);
        Some(self.call(None).await.map_err(|later| later.after(&invalid)))
    }

    /// Takes over the set of another process.
    fn adopt(&mut self, store: &SharedStore, record: &TokenRecord) -> Result<TokenSet, Failure> {
        self.forget_call();
        if !self.set_presented(None) {
            return Err(Failure::cleared());
        }
        store.mark_seen(record.generation());
        tracing::info!(target: "redress::refresh", flight = self.id, stored = record.generation(), "adopted");
        Ok(record.token_set(self.clock.wall(Instant::now())))
    }

    /// Forgets the lease and the call of this flight: they do not belong to the set that another process wrote.
    fn forget_call(&mut self) {
        (self.lease, self.sent) = (None, None);
    }

    fn local_state(&self, store: &SharedStore, token: &Option<SecretString>) -> LocalState {
        LocalState {
            seen: store.seen(),
            current: self.shared.latest(),
            refresh_token: token.clone(),
            rotates: self.rotates(),
        }
    }

    fn rotates(&self) -> bool {
        self.shared.update(|inner| inner.state.rotates())
    }

    /// Returns the record that replaces the lease of this flight, if it holds one.
    pub(super) fn record(&mut self, result: &Result<TokenSet, Failure>) -> Option<(RecordVersion, TokenRecord)> {
        let lease = self.lease.take()?;
        let current = self.shared.latest();
        let end = CallEnd {
            result,
            logged_in: self.sent.is_some() && self.purpose == Purpose::Login,
            rotates: self.rotates(),
            is_installed: result.as_ref().is_ok_and(|set| !set.is_empty() && !set.has_headers(current.headers())),
            sent: self.clock.wall(self.sent.unwrap_or_else(Instant::now)),
        };
        Some((lease.version, record_after(&lease.base, &end)))
    }

    /// Writes the record.
    pub(super) async fn commit(&self, record: Option<(RecordVersion, TokenRecord)>) {
        let (Some((version, record)), Some(store)) = (record, self.shared.store()) else { return };
        let stored = record.generation();
        if store.commit(&version, &record).await {
            store.mark_seen(stored);
            tracing::debug!(target: "redress::refresh", flight = self.id, stored, "written to the store");
        } else {
            tracing::warn!(target: "redress::refresh", flight = self.id, stored, "not written to the store");
        }
    }
}

impl ReadInterval {
    /// Waits until the last wait began [`MIN_READ_INTERVAL`] ago. The first call returns at once.
    async fn wait(&mut self) {
        if let Some(last) = self.last {
            tokio::time::sleep_until(last + MIN_READ_INTERVAL).await;
        }
        self.last = Some(Instant::now());
    }
}
