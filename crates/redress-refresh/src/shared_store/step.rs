//! The next step of a flight, given the stored record: pure decisions.

use std::sync::Arc;
use std::time::Duration;

use redress_classify::saturating;
use redress_store::Version;
use secrecy::SecretString;
use tokio::time::Instant;

use super::{Loaded, Stored};
use crate::failure::Failure;
use crate::record::{Shown, TokenRecord};
use crate::snapshot::{Freshness, Snapshot};
use crate::state::Reuse;
use crate::token_set::TokenSet;

/// The state of this process.
#[derive(Clone)]
pub(crate) struct LocalState {
    /// The newest generation of the store that it has held.
    pub(crate) seen: u64,
    pub(crate) current: Arc<Snapshot>,
    pub(crate) refresh_token: Option<SecretString>,
    /// When that token was presented first, if it may be spent.
    pub(crate) shown: Option<Shown>,
    /// Whether a refresh token may be good for one use only.
    pub(crate) rotates: bool,
    /// How long after its first use the issuer accepts a refresh token again; zero if it does not.
    pub(crate) grace: Duration,
}

/// The next step of a flight.
pub(crate) enum Step {
    /// The record holds a newer set: no call is needed.
    Adopt(TokenRecord),
    /// Another process may be calling the issuer, at most for this time.
    Wait(Duration),
    /// The store has lost writes. This record is written under a lease, during which other processes may write a newer one.
    Report {
        record: TokenRecord,
        /// Whether this process holds a newer set than the store, and goes on with it if no other process writes.
        is_own: bool,
    },
    /// The refresh token may be spent, and the current set can still be sent: a login can wait until it expires.
    Keep,
    /// The lease is free.
    Claim(Claim),
}

/// A lease to write, and the call that follows.
pub(crate) struct Claim {
    /// The version that the lease replaces.
    pub(crate) seen: Option<Version>,
    /// The record without a lease: it stays until the call has ended.
    pub(crate) base: TokenRecord,
    /// The refresh token to present; a login has none.
    pub(crate) refresh_token: Option<SecretString>,
}

/// Decides about the content of the store.
pub(crate) fn step(loaded: Loaded, local: &LocalState, now: Instant) -> Step {
    let Loaded { stored, is_behind } = loaded;
    let Some(Stored { version, age, mut record, lease }) = stored else {
        if is_behind && local.rotates && local.refresh_token.is_some() {
            return Step::Report { record: local.record(), is_own: true };
        }
        let base = local.first_record(now);
        return Step::Claim(Claim { seen: None, refresh_token: base.refresh_token.clone(), base });
    };
    let is_same = TokenSet::from_parts(record.headers.clone(), None, None).has_headers(local.current.headers());
    let is_newer = record.generation > local.seen && !is_same;
    if is_newer && record.is_usable(now) {
        return Step::Adopt(record);
    }
    let has_token = record.refresh_token.is_some() || local.refresh_token.is_some();
    if is_behind && local.rotates && has_token {
        if record.generation < local.seen {
            return Step::Report { record: local.record(), is_own: true };
        }
        // A lease that has ended has the same effect.
        if record.lease.is_none() {
            // The writes that are lost came after this record: its token was not presented before.
            record.shown = record.shown.or(Some(Shown::before(age, now)));
            return Step::Report { record, is_own: false };
        }
    }
    if let Some(left) = lease {
        return Step::Wait(left);
    }
    let token = if is_newer {
        record.refresh_token.clone()
    } else if record.generation < local.seen {
        record.shown = local.shown.or(record.shown);
        local.refresh_token.clone()
    } else {
        // A refresh token that this process has dropped is not taken from the store again.
        local.refresh_token.as_ref().and(record.refresh_token.clone())
    };
    // A lease that ended without a result may have spent the refresh token.
    let may_be_spent = record.lease.take().is_some() || record.shown.is_some();
    let is_accepted_again = record.shown.is_some_and(|shown| local.accepts(shown, now));
    let refresh_token = token.filter(|_| !may_be_spent || !local.rotates || is_accepted_again);
    if refresh_token.is_none() && local.can_wait_for_login(now) {
        return Step::Keep;
    }
    let shown = record.shown.filter(|_| refresh_token.is_some());
    let generation = record.generation.max(local.seen);
    let base = TokenRecord { refresh_token: refresh_token.clone(), generation, shown, ..record };
    Step::Claim(Claim { seen: Some(version), base, refresh_token })
}

impl LocalState {
    /// Returns the record of the set that this process holds.
    fn record(&self) -> TokenRecord {
        TokenRecord {
            headers: self.current.headers().to_vec(),
            refresh_token: self.refresh_token.clone(),
            expires_at: self.current.expires_at(),
            shown: self.shown,
            ..TokenRecord::empty(self.seen)
        }
    }

    /// Returns the record of a store that has none: it has the refresh token, unless that may be spent.
    fn first_record(&self, now: Instant) -> TokenRecord {
        let is_accepted = self.shown.is_none_or(|shown| self.accepts(shown, now));
        let refresh_token = self.refresh_token.clone().filter(|_| is_accepted);
        let shown = self.shown.filter(|_| refresh_token.is_some());
        TokenRecord { refresh_token, shown, ..TokenRecord::empty(self.seen) }
    }

    /// Returns `true` if the issuer accepts a refresh token again that was first presented then.
    fn accepts(&self, shown: Shown, now: Instant) -> bool {
        Reuse::new(shown, self.grace, now).is_some()
    }

    /// Returns `true` if this process held a refresh token to renew a set that can still be sent.
    fn can_wait_for_login(&self, now: Instant) -> bool {
        self.rotates && self.refresh_token.is_some() && self.current.freshness_at(now) != Freshness::Unusable
    }
}

/// The end of the call that a claim was for.
pub(crate) struct CallEnd<'a> {
    pub(crate) result: &'a Result<TokenSet, Failure>,
    /// Whether the call was a login, or a login followed it.
    pub(crate) logged_in: bool,
    pub(crate) rotates: bool,
    /// Whether the set was installed.
    pub(crate) is_installed: bool,
    /// When the refresh token was presented first, if the issuer accepts it again.
    pub(crate) again: Option<Shown>,
    /// When the call began.
    pub(crate) sent: Instant,
}

/// Returns the record that replaces a lease once its call has ended.
pub(crate) fn record_after(base: &TokenRecord, end: &CallEnd<'_>) -> TokenRecord {
    let mut kept = base.clone();
    if end.logged_in {
        // A login starts a new session.
        (kept.refresh_token, kept.shown) = (None, None);
    }
    match end.result {
        Ok(grant) if end.is_installed => {
            let expires_at = grant.lifetime().map(|lifetime| saturating::add(end.sent, lifetime));
            let next = TokenRecord::new(base.generation.saturating_add(1), grant, expires_at);
            TokenRecord { refresh_token: next.refresh_token.clone().or(kept.refresh_token), ..next }
        }
        Ok(grant) => {
            let refresh_token = TokenRecord::new(base.generation, grant, None).refresh_token;
            TokenRecord { refresh_token: refresh_token.or(kept.refresh_token), shown: None, ..kept }
        }
        Err(failure) if failure.is_ambiguous() && end.rotates && end.again.is_some() => {
            TokenRecord { shown: end.again.filter(|_| kept.refresh_token.is_some()), ..kept }
        }
        Err(failure) if failure.is_invalid_grant() || (failure.is_ambiguous() && end.rotates) => {
            TokenRecord { refresh_token: None, shown: None, ..kept }
        }
        // The call was not processed; one before it may have been.
        Err(_) => kept,
    }
}

#[cfg(test)]
mod tests;
