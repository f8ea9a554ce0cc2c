use secrecy::ExposeSecret;

use super::*;
use crate::expiry::Expiry;
use crate::shared_store::ages;

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A time at which nothing happens; the others count from it.
fn start() -> Instant {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    *START.get_or_init(Instant::now)
}

fn at(seconds: u64) -> Instant {
    start() + s(seconds)
}

fn grant(token: &str) -> TokenSet {
    TokenSet::bearer(token).expect("legal")
}

fn record(generation: u64, token: &str, refresh: Option<&str>) -> TokenRecord {
    let grant = refresh.map_or_else(|| grant(token), |refresh| grant(token).refresh_token(refresh));
    TokenRecord::new(generation, &grant, Some(at(5000)))
}

/// A record whose lease lasts until that time, counted from 980.
fn leased(record: TokenRecord, until: u64) -> TokenRecord {
    TokenRecord { lease: Some(s(until) - s(980)), ..record }
}

/// The content of a store that was written at 980 and is read at 1000.
fn found(record: TokenRecord) -> Loaded {
    let lease = record.lease.and_then(|lease| ages::left(lease, s(20)));
    Loaded { stored: Some(Stored { version: Version::from_parts(7, 7), age: s(20), record, lease }), is_behind: false }
}

fn behind(loaded: Loaded) -> Loaded {
    Loaded { is_behind: true, ..loaded }
}

const EMPTY: Loaded = Loaded { stored: None, is_behind: false };

fn local(seen: u64, token: &str, refresh: Option<&str>, rotates: bool) -> LocalState {
    let (headers, _) = grant(token).into_parts();
    let current = Snapshot::new(1, headers, None);
    current.mark_rejected();
    let refresh_token = refresh.map(SecretString::from);
    LocalState { seen, current: Arc::new(current), refresh_token, shown: None, rotates, grace: Duration::ZERO }
}

fn told(step: Step) -> String {
    let token =
        |record: &TokenRecord| record.refresh_token.as_ref().map_or("login", ExposeSecret::expose_secret).to_owned();
    match step {
        Step::Adopt(record) => format!("adopt {}", record.generation),
        Step::Wait(left) => format!("wait {}", left.as_secs()),
        Step::Keep => "keep".to_owned(),
        Step::Report { record, is_own } => {
            format!("report {} {} {}", if is_own { "own" } else { "stored" }, record.generation, token(&record))
        }
        Step::Claim(claim) => {
            assert!(claim.base.lease.is_none());
            let shown = claim.refresh_token.as_ref().map_or("login", ExposeSecret::expose_secret);
            assert_eq!(token(&claim.base), shown, "what is shown is kept");
            format!("claim {} {shown}", claim.base.generation)
        }
    }
}

#[test]
fn each_record_has_its_step() {
    let one = || local(1, "t1", Some("r1"), true);
    let same = || record(1, "t1", Some("r1"));
    for (name, loaded, local, expected) in [
        ("no record", EMPTY, one(), "claim 1 r1"),
        ("no record and nothing known", EMPTY, local(0, "t", None, true), "claim 0 login"),
        ("a newer set", found(record(2, "t2", Some("r2"))), one(), "adopt 2"),
        ("a newer set that is being renewed", found(leased(record(2, "t2", Some("r2")), 1010)), one(), "adopt 2"),
        ("the same set", found(same()), one(), "claim 1 r1"),
        ("the same set, renewed by another", found(leased(same(), 1010)), one(), "wait 10"),
        ("a newer number on the same headers", found(record(2, "t1", Some("r2"))), one(), "claim 2 r2"),
        ("a lease that has ended, rotating", found(leased(same(), 1000)), one(), "claim 1 login"),
        (
            "a lease that has ended, not rotating",
            found(leased(same(), 999)),
            local(1, "t1", Some("r1"), false),
            "claim 1 r1",
        ),
        ("the token rotated without a new set", found(record(1, "t1", Some("r2"))), one(), "claim 1 r2"),
        ("the same number on other headers", found(record(1, "t9", Some("r9"))), one(), "claim 1 r9"),
        ("another has spent the token", found(record(1, "t1", None)), one(), "claim 1 login"),
        ("this process trusts the token no longer", found(same()), local(1, "t1", None, true), "claim 1 login"),
        ("a logout", found(TokenRecord::empty(2)), one(), "claim 2 login"),
    ] {
        assert_eq!(told(step(loaded, &local, at(1000))), expected, "{name}");
    }
    let expired = TokenRecord { expires_at: Some(at(1001)), ..record(2, "t2", Some("r2")) };
    assert_eq!(told(step(found(expired), &one(), at(1000))), "claim 2 r2", "a newer set that has expired");
}

#[test]
fn a_store_that_lost_writes_is_told_what_this_process_holds() {
    let third = |rotates| local(3, "t3", Some("r3"), rotates);
    let old = || record(1, "t1", Some("r1"));
    for (name, loaded, local, expected) in [
        ("an older set", behind(found(old())), third(true), "report own 3 r3"),
        ("an older set that is being renewed", behind(found(leased(old(), 1010))), third(true), "report own 3 r3"),
        ("no record", behind(EMPTY), third(true), "report own 3 r3"),
        ("no record and no refresh token", behind(EMPTY), local(3, "t3", None, true), "claim 3 login"),
        (
            "an older version of the same set",
            behind(found(record(3, "t3", Some("r3")))),
            third(true),
            "report stored 3 r3",
        ),
        ("and a lease", behind(found(leased(record(3, "t3", Some("r3")), 1010))), third(true), "wait 10"),
        ("which has ended", behind(found(leased(record(3, "t3", Some("r3")), 990))), third(true), "claim 3 login"),
        ("a set that is newer all the same", behind(found(record(4, "t4", Some("r4")))), third(true), "adopt 4"),
        ("a logout that was lost", behind(found(old())), local(3, "t3", None, true), "report own 3 login"),
        ("not rotating", behind(found(old())), third(false), "claim 3 r3"),
        ("no refresh token at all", behind(found(record(3, "t3", None))), local(3, "t3", None, true), "claim 3 login"),
    ] {
        assert_eq!(told(step(loaded, &local, at(1000))), expected, "{name}");
    }
}

#[test]
fn a_report_of_the_own_set_holds_its_end_and_when_its_token_was_presented_first() {
    let (headers, _) = grant("t3").into_parts();
    let current = Arc::new(Snapshot::new(3, headers, Expiry::new(s(3600), at(900), at(900), 0)));
    let shown = Some(Shown::from_now(at(970)));
    let local = LocalState { current, shown, ..local(3, "t3", Some("r3"), true) };
    for loaded in [EMPTY, found(record(1, "t1", Some("r1")))] {
        let Step::Report { record, is_own: true } = step(behind(loaded), &local, at(1000)) else {
            panic!("it is reported");
        };
        assert_eq!(record.expires_at, Some(at(900 + 3600)));
        assert_eq!(record.shown.map(|shown| shown.ago(at(1000))), Some(s(30)));
    }
}

#[test]
fn a_token_that_may_be_spent_is_presented_again_within_the_grace_only() {
    // The lease ended at 1000 and the token was shown at the time of its write, or before.
    for (shown, grace, expected) in [
        (Some(980), 40, "claim 1 r1"),
        (Some(980), 28, "claim 1 r1"),
        (Some(980), 24, "claim 1 login"),
        (Some(980), 0, "claim 1 login"),
        (Some(900), 40, "claim 1 login"),
        (Some(900), 200, "claim 1 r1"),
        (None, 200, "claim 1 login"),
    ] {
        let shown = shown.map(|shown| Shown::from_now(at(shown)));
        let ended = TokenRecord { shown, ..leased(record(1, "t1", Some("r1")), 1000) };
        let local = LocalState { grace: s(grace), ..local(1, "t1", Some("r1"), true) };
        let next = step(found(ended), &local, at(1000));
        if let Step::Claim(claim) = &next {
            let kept = claim.base.shown.map(|shown| shown.ago(at(1000)));
            assert_eq!(kept, shown.map(|shown| shown.ago(at(1000))).filter(|_| expected == "claim 1 r1"), "{grace}");
        }
        assert_eq!(told(next), expected, "{shown:?} {grace}");
    }
}

#[test]
fn a_login_waits_until_the_set_expires() {
    let (headers, _) = grant("t1").into_parts();
    let fresh = LocalState { current: Arc::new(Snapshot::new(1, headers, None)), ..local(1, "t1", Some("r1"), true) };
    let ended = || found(leased(record(1, "t1", Some("r1")), 1000));
    assert_eq!(told(step(ended(), &fresh, at(1000))), "keep");
    assert_eq!(told(step(found(record(1, "t1", None)), &fresh, at(1000))), "keep", "another has spent the token");
    let without = LocalState { refresh_token: None, ..fresh.clone() };
    assert_eq!(told(step(ended(), &without, at(1000))), "claim 1 login", "a login is due");
    let lasting = LocalState { rotates: false, ..fresh };
    assert_eq!(told(step(ended(), &lasting, at(1000))), "claim 1 r1");
}

#[test]
fn each_end_leaves_its_record() {
    let base = TokenRecord { shown: Some(Shown::from_now(at(90))), ..record(4, "t4", Some("r4")) };
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
        let end = CallEnd {
            result: &result,
            logged_in: !was_refresh,
            rotates,
            is_installed: is_good,
            again: None,
            sent: at(100),
        };
        let record = record_after(&base, &end);
        let (generation, token, refresh, expires_at) = expected;
        assert_eq!((record.generation, record.expires_at), (generation, expires_at.map(at)), "{name}");
        assert!(grant(token).has_headers(&record.headers), "{name}");
        assert!(record.lease.is_none(), "{name}");
        // Only a call that was not processed leaves the token as it was.
        let is_unchanged = refresh == Some("r4") && result.is_err();
        assert_eq!(record.shown.map(|shown| shown.ago(at(100))), is_unchanged.then_some(s(10)), "{name}");
        assert_eq!(record.refresh_token.as_ref().map(ExposeSecret::expose_secret), refresh, "{name}");
    }
}

#[test]
fn a_token_whose_answer_is_lost_stays_with_the_time_of_its_first_use_within_the_grace() {
    for (failure, logged_in, rotates, kept, is_shown) in [
        (Failure::ambiguous("cut"), false, true, Some("r4"), true),
        (Failure::ambiguous("cut"), true, true, None, false),
        (Failure::ambiguous("cut"), false, false, Some("r4"), false),
        (Failure::transient("503"), false, true, Some("r4"), false),
    ] {
        let (result, again) = (Err(failure), Some(Shown::from_now(at(90))));
        let end = CallEnd { result: &result, logged_in, rotates, is_installed: false, again, sent: at(100) };
        let record = record_after(&record(4, "t4", Some("r4")), &end);
        assert_eq!(record.refresh_token.as_ref().map(ExposeSecret::expose_secret), kept, "{result:?} {logged_in}");
        let ago = record.shown.map(|shown| shown.ago(at(100)));
        assert_eq!(ago, is_shown.then_some(s(10)), "{result:?} {logged_in} {rotates}");
    }
}

#[test]
fn a_token_of_this_process_that_may_be_spent_is_presented_within_the_grace_only() {
    for (ago, expected) in [(10, "claim 3 r3"), (30, "claim 3 r3"), (31, "claim 3 login")] {
        let shown = Some(Shown::from_now(at(1000 - ago)));
        let local = LocalState { shown, grace: s(40), ..local(3, "t3", Some("r3"), true) };
        for loaded in [EMPTY, found(record(1, "t1", Some("r1")))] {
            let next = step(loaded, &local, at(1000));
            if let Step::Claim(claim) = &next {
                let kept = claim.base.shown.map(|shown| shown.ago(at(1000)));
                assert_eq!(kept, (ago <= 30).then_some(s(ago)), "the time of the first use stays");
            }
            assert_eq!(told(next), expected, "{ago}");
        }
    }
}

#[test]
fn a_token_of_a_store_that_lost_writes_was_first_presented_after_its_record_was_written() {
    let local = local(3, "t3", Some("r3"), true);
    for (shown, ago) in [(None, 20), (Some(Shown::from_now(at(970))), 30)] {
        let stored = TokenRecord { shown, ..record(3, "t3", Some("r3")) };
        let Step::Report { record, is_own: false } = step(behind(found(stored)), &local, at(1000)) else {
            panic!("it is reported");
        };
        assert_eq!(record.shown.map(|shown| shown.ago(at(1000))), Some(s(ago)));
    }
}
