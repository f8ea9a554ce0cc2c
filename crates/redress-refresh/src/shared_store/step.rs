//! The next step of a flight, given the stored record: pure decisions.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use redress_classify::saturating;
use secrecy::SecretString;

use crate::failure::Failure;
use crate::snapshot::Snapshot;
use crate::store::{RecordVersion, TokenRecord, millis};
use crate::token_set::TokenSet;

/// The state of this process.
#[derive(Clone)]
pub(crate) struct LocalState {
    /// The newest generation of the store that it has held.
    pub(crate) seen: u64,
    pub(crate) current: Arc<Snapshot>,
    pub(crate) refresh_token: Option<SecretString>,
    /// Whether a refresh token may be good for one use only.
    pub(crate) rotates: bool,
}

/// The next step of a flight.
pub(crate) enum Step {
    /// The record holds a newer set: no call is needed.
    Adopt(TokenRecord),
    /// Another process may be calling the issuer, at most for this time.
    Wait(Duration),
    /// The lease is free.
    Claim(Claim),
}

/// A lease to write, and the call that follows.
pub(crate) struct Claim {
    /// The version that the lease replaces.
    pub(crate) seen: Option<RecordVersion>,
    /// The record without a lease: it stays until the call has ended.
    pub(crate) base: TokenRecord,
    /// The refresh token to present; a login has none.
    pub(crate) refresh_token: Option<SecretString>,
}

/// Decides about a record; `lease` is the time left of its lease.
pub(crate) fn step(record: Option<TokenRecord>, lease: Option<Duration>, local: &LocalState, now: SystemTime) -> Step {
    let Some(mut record) = record else {
        let refresh_token = local.refresh_token.clone();
        let base = TokenRecord { refresh_token: refresh_token.clone(), ..TokenRecord::empty(local.seen) };
        return Step::Claim(Claim { seen: None, base, refresh_token });
    };
    let is_same = TokenSet::from_parts(record.headers.clone(), None, None).has_headers(local.current.headers());
    let is_newer = record.generation > local.seen && !is_same;
    if is_newer && record.is_usable(now) {
        return Step::Adopt(record);
    }
    let seen = record.version();
    if let Some(left) = lease {
        return Step::Wait(left);
    }
    let token = if is_newer {
        record.refresh_token.clone()
    } else if record.generation < local.seen {
        // The store has lost the last write.
        local.refresh_token.clone()
    } else {
        // A refresh token that this process has dropped is not taken from the store again.
        local.refresh_token.as_ref().and(record.refresh_token.clone())
    };
    // A lease that ended without a result may have spent the refresh token.
    let may_be_spent = record.lease.take().is_some();
    let refresh_token = token.filter(|_| !(may_be_spent && local.rotates));
    let generation = record.generation.max(local.seen);
    let base = TokenRecord { refresh_token: refresh_token.clone(), generation, ..record };
    Step::Claim(Claim { seen: Some(seen), base, refresh_token })
}

/// The end of the call that a claim was for.
pub(crate) struct CallEnd<'a> {
    pub(crate) result: &'a Result<TokenSet, Failure>,
    /// Whether the call was a login, or a login followed it.
    pub(crate) logged_in: bool,
    pub(crate) rotates: bool,
    /// Whether the set was installed.
    pub(crate) is_installed: bool,
    /// When the call began.
    pub(crate) sent: SystemTime,
}

/// Returns the record that replaces a lease once its call has ended.
pub(crate) fn record_after(base: &TokenRecord, end: &CallEnd<'_>) -> TokenRecord {
    let mut kept = base.clone();
    if end.logged_in {
        // A login starts a new session.
        kept.refresh_token = None;
    }
    match end.result {
        Ok(grant) if end.is_installed => {
            let expires_at = grant.lifetime().map(|lifetime| millis::rounded(add(end.sent, lifetime)));
            let next = TokenRecord::new(base.generation.saturating_add(1), grant, expires_at);
            TokenRecord { refresh_token: next.refresh_token.clone().or(kept.refresh_token), ..next }
        }
        Ok(grant) => {
            let refresh_token = TokenRecord::new(base.generation, grant, None).refresh_token;
            TokenRecord { refresh_token: refresh_token.or(kept.refresh_token), ..kept }
        }
        Err(failure) if failure.is_invalid_grant() || (failure.is_ambiguous() && end.rotates) => {
            TokenRecord { refresh_token: None, ..kept }
        }
        Err(_) => kept,
    }
}

/// Adds a lifetime to a time; an endless one counts as a century.
fn add(time: SystemTime, lifetime: Duration) -> SystemTime {
    time.checked_add(lifetime.min(saturating::MAX)).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;
    use crate::store::Lease;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn grant(token: &str) -> TokenSet {
        TokenSet::bearer(token).expect("legal")
    }

    fn record(generation: u64, token: &str, refresh: Option<&str>, lease: Option<u64>) -> TokenRecord {
        let grant = refresh.map_or_else(|| grant(token), |refresh| grant(token).refresh_token(refresh));
        let lease = lease.map(|end| Lease { id: "other".to_owned(), until: at(end) });
        TokenRecord { lease, ..TokenRecord::new(generation, &grant, Some(at(5000))) }
    }

    /// The rest of the record's lease at 1000.
    fn lease(record: &TokenRecord) -> Option<Duration> {
        record.lease.as_ref()?.until.duration_since(at(1000)).ok().filter(|left| !left.is_zero())
    }

    fn local(seen: u64, token: &str, refresh: Option<&str>, rotates: bool) -> LocalState {
        let (headers, _) = grant(token).into_parts();
        let current = Arc::new(Snapshot::new(1, headers, None));
        LocalState { seen, current, refresh_token: refresh.map(SecretString::from), rotates }
    }

    fn told(step: Step) -> String {
        match step {
            Step::Adopt(record) => format!("adopt {}", record.generation),
            Step::Wait(left) => format!("wait {}", left.as_secs()),
            Step::Claim(claim) => {
                assert!(claim.base.lease.is_none());
                let kept = claim.base.refresh_token.as_ref().map(ExposeSecret::expose_secret);
                assert_eq!(
                    kept,
                    claim.refresh_token.as_ref().map(ExposeSecret::expose_secret),
                    "what is shown is kept"
                );
                format!("claim {} {}", claim.base.generation, kept.unwrap_or("login"))
            }
        }
    }

    #[test]
    fn each_record_has_its_step() {
        let one = || local(1, "t1", Some("r1"), true);
        for (name, stored, local, expected) in [
            ("no record", None, one(), "claim 1 r1"),
            ("no record and nothing known", None, local(0, "t", None, true), "claim 0 login"),
            ("a newer set", Some(record(2, "t2", Some("r2"), None)), one(), "adopt 2"),
            ("a newer set that is being renewed", Some(record(2, "t2", Some("r2"), Some(1010))), one(), "adopt 2"),
            ("the same set", Some(record(1, "t1", Some("r1"), None)), one(), "claim 1 r1"),
            ("the same set, renewed by another", Some(record(1, "t1", Some("r1"), Some(1010))), one(), "wait 10"),
            ("a newer number on the same headers", Some(record(2, "t1", Some("r2"), None)), one(), "claim 2 r2"),
            ("a lease that has ended, rotating", Some(record(1, "t1", Some("r1"), Some(1000))), one(), "claim 1 login"),
            (
                "a lease that has ended, not rotating",
                Some(record(1, "t1", Some("r1"), Some(999))),
                local(1, "t1", Some("r1"), false),
                "claim 1 r1",
            ),
            ("the token rotated without a new set", Some(record(1, "t1", Some("r2"), None)), one(), "claim 1 r2"),
            ("another has spent the token", Some(record(1, "t1", None, None)), one(), "claim 1 login"),
            (
                "this process trusts the token no longer",
                Some(record(1, "t1", Some("r1"), None)),
                local(1, "t1", None, true),
                "claim 1 login",
            ),
            (
                "a store that lost the last write",
                Some(record(1, "t1", Some("r1"), None)),
                local(3, "t3", Some("r3"), true),
                "claim 3 r3",
            ),
            ("a logout", Some(TokenRecord::empty(2)), one(), "claim 2 login"),
        ] {
            let lease = stored.as_ref().and_then(lease);
            assert_eq!(told(step(stored, lease, &local, at(1000))), expected, "{name}");
        }
        let expired = TokenRecord { expires_at: Some(at(1001)), ..record(2, "t2", Some("r2"), None) };
        assert_eq!(told(step(Some(expired), None, &one(), at(1000))), "claim 2 r2", "a newer set that has expired");
    }

    #[test]
    fn each_end_leaves_its_record() {
        let base = record(4, "t4", Some("r4"), None);
        let long = || grant("t5").expires_in(Duration::from_secs(60));
        let ok = |grant| Ok(grant);
        for (name, result, was_refresh, rotates, is_good, expected) in [
            ("a new pair", ok(long().refresh_token("r5")), true, true, true, (5, "t5", Some("r5"), Some(160))),
            ("no refresh token: the old one stays", ok(long()), true, true, true, (5, "t5", Some("r4"), Some(160))),
            ("a login without one", ok(long()), false, true, true, (5, "t5", None, Some(160))),
            ("no lifetime", ok(grant("t5")), true, true, true, (5, "t5", Some("r4"), None)),
            (
                "no new set, but a new refresh token",
                ok(TokenSet::new().refresh_token("r5")),
                true,
                true,
                false,
                (4, "t4", Some("r5"), Some(5000)),
            ),
            ("no new set", ok(grant("t4")), true, true, false, (4, "t4", Some("r4"), Some(5000))),
            ("transient", Err(Failure::transient("503")), true, true, false, (4, "t4", Some("r4"), Some(5000))),
            ("ambiguous", Err(Failure::ambiguous("cut")), true, true, false, (4, "t4", None, Some(5000))),
            (
                "ambiguous, not rotating",
                Err(Failure::ambiguous("cut")),
                true,
                false,
                false,
                (4, "t4", Some("r4"), Some(5000)),
            ),
            ("dead", Err(Failure::invalid_grant("x")), true, false, false, (4, "t4", None, Some(5000))),
            ("permanent", Err(Failure::permanent("x")), true, true, false, (4, "t4", Some("r4"), Some(5000))),
            ("a login that failed", Err(Failure::transient("x")), false, true, false, (4, "t4", None, Some(5000))),
        ] {
            let end =
                CallEnd { result: &result, logged_in: !was_refresh, rotates, is_installed: is_good, sent: at(100) };
            let record = record_after(&base, &end);
            let (generation, token, refresh, expires_at) = expected;
            assert_eq!((record.generation, record.expires_at), (generation, expires_at.map(at)), "{name}");
            assert!(grant(token).has_headers(&record.headers) && record.lease.is_none(), "{name}");
            assert_eq!(record.refresh_token.as_ref().map(ExposeSecret::expose_secret), refresh, "{name}");
        }
    }
}
