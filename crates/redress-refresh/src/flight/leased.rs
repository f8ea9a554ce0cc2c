//! A flight whose credentials are in a store: read the record, write a lease, call the issuer, write the result.

use std::time::Duration;

use redress_classify::BoxError;
use redress_store::Version;
use secrecy::SecretString;
use tokio::time::{Instant, timeout_at};

use super::Flight;
use crate::explanation::Explanation;
use crate::failure::{Failure, Purpose};
use crate::record::{Shown, TokenRecord};
use crate::shared_store::{CallEnd, Claim, LocalState, MAX_LEASE, SharedStore, Step, record_after, step};
use crate::state::Reuse;
use crate::telemetry;
use crate::token_set::TokenSet;

/// How much longer a lease lasts than its flight: the issuer may still process a call that was cut, and a clock of the store
/// that is set by less does no harm.
const LEASE_MARGIN: Duration = Duration::from_secs(5);
/// The longest flight over a store: the lease of a longer one would outlast what other processes believe.
pub(super) const MAX_TIMEOUT: Duration = MAX_LEASE.saturating_sub(LEASE_MARGIN);
/// The shortest time between two reads of the store: the `changed` of a store may return at once, each time.
const MIN_READ_INTERVAL: Duration = Duration::from_millis(50);
/// How often a flight calls the issuer when other processes replace the record meanwhile. More than once is rare.
const MAX_CALLS: u32 = 3;
/// How long to wait for another process that wrote the record first.
const CONTENTION_PAUSE: Duration = Duration::from_millis(250);
/// How long a process that holds a newer set than the store waits for another one that holds a still newer set. Each looks for
/// losses once a second.
const REPORT_WAIT: Duration = Duration::from_secs(5);

/// Returns how long a lease lasts. With a grace of the issuer it ends within half of it, though not before the flight, so that
/// another process can still present the refresh token if this one crashes.
pub(super) fn lease_length(timeout: Duration, grace: Duration) -> Duration {
    let longest = timeout.saturating_add(LEASE_MARGIN);
    if grace.is_zero() { longest } else { (grace / 2).clamp(timeout, longest) }
}

/// A lease that this flight has written.
pub(super) struct HeldLease {
    /// The version of the record that holds the lease.
    version: Version,
    base: TokenRecord,
    /// When the refresh token was presented first.
    shown: Shown,
    start: Instant,
    end: Instant,
}

/// How a flight proceeds after it has read the store.
enum Acquired {
    /// Another process has left a newer set.
    Newer(TokenRecord),
    /// The lease is written: the issuer is called with that refresh token, or for a login.
    Lease(HeldLease, Option<SecretString>),
    /// The refresh token may be spent, and the current set can still be sent.
    Keep,
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
                Ok(Acquired::Keep) => {
                    return Err(Failure::ambiguous(Explanation::new(
                        "another process may have used the refresh token up",
                    )));
                }
                Ok(Acquired::Lease(lease, token)) => {
                    let end = lease.start + self.timeout;
                    match timeout_at(end, self.call_leased(store, lease, token)).await {
                        Ok(Some(result)) => return result,
                        Ok(None) => {}
                        Err(_) => return Err(self.interrupted("the flight timed out")),
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
        store.flush().await?;
        let mut reported = None;
        loop {
            let loaded = store.load().await?;
            let mut seen = loaded.stored.as_ref().map(|stored| stored.version);
            let now = Instant::now();
            let longest = match step(loaded, &self.local_state(store, token), now) {
                Step::Adopt(record) => return Ok(Acquired::Newer(record)),
                Step::Keep => return Ok(Acquired::Keep),
                Step::Wait(left) => {
                    tracing::debug!(target: "redress::refresh", flight = self.id, ?left, "another process refreshes");
                    left
                }
                Step::Report { record, is_own } => {
                    tracing::warn!(target: "redress::refresh", flight = self.id, "the store lost writes: waiting for newer ones");
                    let lease = lease_length(self.timeout, self.grace);
                    if is_own {
                        seen = store.claim(seen, &record, lease).await?;
                        reported = seen.map(|version| (version, now + REPORT_WAIT));
                    } else {
                        store.report(seen, &record, lease).await?;
                    }
                    Duration::ZERO
                }
                Step::Claim(claim) => {
                    match reported.filter(|(version, until)| seen == Some(*version) && now < *until) {
                        Some((_, until)) => until - now,
                        None => match self.claim(store, claim, now).await? {
                            Some(acquired) => return Ok(acquired),
                            None => CONTENTION_PAUSE,
                        },
                    }
                }
            };
            interval.wait().await;
            store.changed(seen, longest).await;
        }
    }

    /// Writes the lease. Returns `None` if another process wrote first.
    async fn claim(&self, store: &SharedStore, claim: Claim, now: Instant) -> Result<Option<Acquired>, BoxError> {
        let length = lease_length(self.timeout, self.grace);
        let Claim { seen, base, refresh_token } = claim;
        let Some(version) = store.claim(seen, &base, length).await? else { return Ok(None) };
        let shown = base.shown.unwrap_or(Shown::from_now(now));
        Ok(Some(Acquired::Lease(HeldLease { version, base, shown, start: now, end: now + length }, refresh_token)))
    }

    /// Calls the issuer, and logs in if the refresh token is invalid. Returns `None` if another process has written
    /// meanwhile, and may be calling too.
    async fn call_leased(
        &mut self,
        store: &SharedStore,
        lease: HeldLease,
        token: Option<SecretString>,
    ) -> Option<Result<TokenSet, Failure>> {
        let HeldLease { version, shown, end, .. } = lease;
        let earlier = lease.base.shown;
        self.lease = Some(lease);
        if !self.set_presented(token.clone()) {
            return Some(Err(Failure::cleared()));
        }
        self.set_reuse(earlier);
        // The process may have been suspended since. Other processes measure the lease by their own clocks.
        if Instant::now() >= end {
            return Some(Err(Failure::transient(Explanation::new("the lease ended before the call"))));
        }
        store.use_lease();
        let invalid = match self.call_within_grace(token, shown, Some(end)).await {
            Err(failure) if self.must_log_in(&failure) => failure,
            result => return Some(result),
        };
        if !self.set_presented(None) {
            return Some(Err(invalid));
        }
        // Another process may have used the refresh token and written a newer pair.
        let stored = match store.load().await {
            Ok(loaded) => loaded.stored.map(|stored| stored.version),
            Err(_) => Some(version),
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
        store.mark_seen(record.generation);
        tracing::info!(target: "redress::refresh", flight = self.id, stored = record.generation, "adopted");
        telemetry::adopted();
        Ok(record.token_set(Instant::now()))
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
            shown: self.earlier,
            rotates: self.rotates(),
            grace: self.grace,
        }
    }

    /// Returns the record that replaces the lease of this flight, if it holds one.
    pub(super) fn record(&mut self, result: &Result<TokenSet, Failure>) -> Option<(Version, TokenRecord)> {
        let lease = self.lease.take()?;
        let current = self.shared.latest();
        let end = CallEnd {
            result,
            logged_in: self.sent.is_some() && self.purpose == Purpose::Login,
            rotates: self.rotates(),
            is_installed: result.as_ref().is_ok_and(|set| !set.is_empty() && !set.has_headers(current.headers())),
            again: Reuse::new(lease.shown, self.grace, Instant::now()).map(|reuse| reuse.shown),
            sent: self.sent.unwrap_or_else(Instant::now),
        };
        Some((lease.version, record_after(&lease.base, &end)))
    }

    /// Writes the record, and looks for some time whether the store has lost it.
    pub(super) async fn commit(&self, record: Option<(Version, TokenRecord)>) {
        let (Some((held, record)), Some(store)) = (record, self.shared.store()) else { return };
        let stored = record.generation;
        let Some(version) = store.commit(held, record.clone()).await else {
            tracing::warn!(target: "redress::refresh", flight = self.id, stored, "not written to the store");
            return;
        };
        tracing::debug!(target: "redress::refresh", flight = self.id, stored, "written to the store");
        if self.rotates() && record.refresh_token.is_some() {
            store.check(version, &record).await;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_outlasts_its_flight_and_ends_within_half_of_the_grace_if_it_can() {
        let s = Duration::from_secs;
        for (timeout, grace, expected) in [
            (s(30), s(0), s(35)),
            (s(30), s(20), s(30)),
            (s(30), s(60), s(30)),
            (s(30), s(66), s(33)),
            (s(30), s(70), s(35)),
            (s(30), s(600), s(35)),
            (s(30), Duration::MAX, s(35)),
            (MAX_TIMEOUT, s(0), MAX_LEASE),
        ] {
            assert_eq!(lease_length(timeout, grace), expected, "{timeout:?} {grace:?}");
        }
    }
}
