//! A flight whose credentials a fleet shares: read, write the lease, call the issuer, write what came of it.

use std::time::Duration;

use redress_classify::BoxError;
use secrecy::SecretString;
use tokio::time::Instant;

use super::Flight;
use crate::explanation::Explanation;
use crate::failure::Failure;
use crate::fleet::{Claim, End, Fleet, LONGEST_LEASE, Local, Step, settled, step};
use crate::store::{RecordVersion, TokenRecord};
use crate::telemetry;
use crate::token_set::TokenSet;

/// How much longer a lease lasts than the flight that holds it: what a flight was cut at, nobody else begins again while
/// the issuer may still be at it, and clocks that differ by less do no harm.
const LEASE_MARGIN: Duration = Duration::from_secs(5);
/// No flight over a store takes longer: its lease would outlast what others believe.
pub(super) const LONGEST_FLIGHT: Duration = LONGEST_LEASE.saturating_sub(LEASE_MARGIN);
/// How long a look into the store takes at least, if another one follows: a store may answer at once, each time.
const PAUSE: Duration = Duration::from_millis(50);
/// How often a flight calls the issuer for a grant that others renew under it. More than one is rare.
const CALLS: u32 = 3;
/// How long to leave a record alone that somebody else has just written.
const LOST: Duration = Duration::from_millis(250);

/// An lease that this flight has written.
pub(super) struct Held {
    /// Of the record that holds it.
    version: RecordVersion,
    base: TokenRecord,
    /// When the lease ends.
    end: Instant,
}

impl Flight {
    pub(super) async fn fetch_over(
        &mut self,
        fleet: &Fleet,
        mut token: Option<SecretString>,
    ) -> Result<TokenSet, Failure> {
        let mut pace = Pace::default();
        for _ in 0..CALLS {
            match self.acquire_lease(fleet, &token, &mut pace).await {
                Ok(Settled::Adopt(record)) => return self.adopt(fleet, &record),
                Ok(Settled::Call(held, token)) => {
                    if let Some(result) = self.call(fleet, held, token).await {
                        return result;
                    }
                }
                Err(down) if self.shared.rotates() => {
                    tracing::warn!(target: "redress::refresh", flight = self.id, "no store: not refreshed");
                    return Err(Failure::transient(Explanation::new("the token store failed").with_source(down)));
                }
                Err(_) => {
                    // Its refresh token is not used up, so that nobody is harmed if others show it as well.
                    tracing::warn!(target: "redress::refresh", flight = self.id, "no store: refreshed for this process");
                    return self.fetch_alone(token).await;
                }
            }
            // The grant was dead, and somebody else has written since: what there is now is to be looked at anew.
            token = None;
        }
        Err(Failure::transient(Explanation::new("others write to the token store at the same time")))
    }

    /// Reads the record until there is a newer set, or the lease is written to fetch one.
    async fn acquire_lease(
        &self,
        fleet: &Fleet,
        token: &Option<SecretString>,
        pace: &mut Pace,
    ) -> Result<Settled, BoxError> {
        fleet.deliver(&self.clock).await?;
        loop {
            let record = fleet.load().await?;
            let seen = record.as_ref().map(TokenRecord::version);
            let now = Instant::now();
            let lease = record.as_ref().and_then(|record| fleet.lease(record, now, &self.clock));
            let longest = match step(record, lease, &self.local(fleet, token), self.clock.wall(now)) {
                Step::Adopt(record) => return Ok(Settled::Adopt(record)),
                Step::Wait(left) => {
                    tracing::debug!(target: "redress::refresh", flight = self.id, ?left, "another process refreshes");
                    left
                }
                Step::Claim(claim) => {
                    let end = now + self.limit.saturating_add(LEASE_MARGIN);
                    match fleet.claim(&claim, self.clock.wall(end)).await? {
                        Some(version) => {
                            let Claim { base, refresh_token, .. } = claim;
                            return Ok(Settled::Call(Held { version, base, end }, refresh_token));
                        }
                        None => LOST,
                    }
                }
            };
            pace.pause().await;
            fleet.changed(seen.as_ref(), longest).await;
        }
    }

    /// Calls the issuer, and logs in if the refresh token is invalid; `None` when somebody else has written meanwhile, and may be
    /// calling too.
    async fn call(
        &mut self,
        fleet: &Fleet,
        held: Held,
        token: Option<SecretString>,
    ) -> Option<Result<TokenSet, Failure>> {
        let (version, end) = (held.version.clone(), held.end);
        self.held = Some(held);
        if !self.present(token.clone()) {
            return Some(Err(Failure::cleared()));
        }
        // The process may have been stopped since: others count the lease by their own clocks.
        if Instant::now() >= end {
            return Some(Err(Failure::transient(Explanation::new("the lease ended before the call"))));
        }
        let dead = match self.ask(token).await {
            Err(failure) if self.is_refresh && failure.is_invalid_grant() => failure,
            result => return Some(result),
        };
        if !self.present(None) {
            return Some(Err(dead));
        }
        // Somebody else may have used the token, and may have left a newer pair.
        let stored = match fleet.load().await {
            Ok(stored) => stored.map(|record| record.version()),
            Err(_) => Some(version.clone()),
        };
        if stored.as_ref() != Some(&version) {
            (self.held, self.sent) = (None, None);
            return None;
        }
        telemetry::invalid_grant(self.id, &dead);
        Some(self.ask(None).await.map_err(|later| later.after(&dead)))
    }

    /// Takes over what another process has left.
    fn adopt(&mut self, fleet: &Fleet, record: &TokenRecord) -> Result<TokenSet, Failure> {
        // Nothing of what this flight may have asked for comes with it.
        (self.held, self.sent) = (None, None);
        if !self.present(None) {
            return Err(Failure::cleared());
        }
        fleet.hold(record.generation());
        tracing::info!(target: "redress::refresh", flight = self.id, stored = record.generation(), "adopted");
        Ok(record.grant(self.clock.wall(Instant::now())))
    }

    fn local(&self, fleet: &Fleet, token: &Option<SecretString>) -> Local {
        Local {
            seen: fleet.seen(),
            current: self.shared.latest(),
            refresh_token: token.clone(),
            rotates: self.shared.rotates(),
        }
    }

    /// Returns what is to be written in the place of this flight's lease, if there is one.
    pub(super) fn written(&mut self, result: &Result<TokenSet, Failure>) -> Option<(RecordVersion, TokenRecord)> {
        let held = self.held.take()?;
        let current = self.shared.latest();
        let end = End {
            result,
            was_refresh: self.is_refresh || self.sent.is_none(),
            rotates: self.shared.rotates(),
            is_good: result.as_ref().is_ok_and(|grant| !grant.is_empty() && !grant.has_headers(current.headers())),
            sent: self.clock.wall(self.sent.unwrap_or_else(Instant::now)),
        };
        Some((held.version, settled(&held.base, &end)))
    }

    /// Writes it.
    pub(super) async fn commit(&self, written: Option<(RecordVersion, TokenRecord)>) {
        let (Some((held, record)), Some(fleet)) = (written, self.shared.fleet()) else { return };
        let stored = record.generation();
        if fleet.commit(&held, &record).await {
            fleet.hold(stored);
            tracing::debug!(target: "redress::refresh", flight = self.id, stored, "written to the store");
        } else {
            tracing::warn!(target: "redress::refresh", flight = self.id, stored, "not written to the store");
        }
    }
}

/// Keeps a flight from asking the store without a pause.
#[derive(Default)]
struct Pace {
    /// When the last wait for a change began.
    last: Option<Instant>,
}

impl Pace {
    /// Waits until the last wait began 50 ms ago. The first one begins at once.
    async fn pause(&mut self) {
        if let Some(last) = self.last {
            tokio::time::sleep_until(last + PAUSE).await;
        }
        self.last = Some(Instant::now());
    }
}

/// What a look into the store came to.
enum Settled {
    Adopt(TokenRecord),
    /// The lease is written: the issuer is to be called, with that refresh token or for a login.
    Call(Held, Option<SecretString>),
}
