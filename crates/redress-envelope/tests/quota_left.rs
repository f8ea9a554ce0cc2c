//! The end of a rate-limit window says when quota returns. It is a wait only if that quota is used up, or if the response
//! says that the caller is limited.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;
use redress_envelope::{Class, Dialect, Envelope, Head, Meaning, When, dialects};

/// 2026-01-15T12:00:00Z.
const NOW: u64 = 1_768_478_400;

fn meaning(dialect: &Dialect, status: u16, headers: &[(&str, &str)], body: &str) -> Meaning {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let name: HeaderName = name.parse().expect("a legal name");
        map.append(name, HeaderValue::from_str(value).expect("a legal value"));
    }
    let head = Head::new(status, &map, SystemTime::UNIX_EPOCH + Duration::from_secs(NOW));
    dialect.meaning(&head, &Envelope::read(dialect, &head, [body.as_bytes()]))
}

fn wait(dialect: &Dialect, status: u16, headers: &[(&str, &str)]) -> Option<u64> {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW);
    meaning(dialect, status, headers, "{}").hint.map(|hint| hint.delay(now).as_secs())
}

fn dialect(hints: &str) -> Dialect {
    Dialect::from_toml("a.toml", &format!("name = \"a\"\n[read]\nhints = [{hints}]\n"))
        .expect("the file has no mistake")
}

const REMAINING: &str = "x-ratelimit-remaining";
const RESET: &str = "x-ratelimit-reset";

#[test]
fn with_quota_left_a_reset_is_not_a_wait() {
    for status in [400, 404, 408, 425, 500, 502, 503, 504, 529] {
        for headers in [
            &[(REMAINING, "4970"), (RESET, "3600")][..],
            &[(REMAINING, "1"), (RESET, "1768482000")],
            &[("x-ratelimit-limit", "100"), (REMAINING, "99"), (RESET, "1")],
            &[("x-rate-limit-remaining", "99"), ("x-rate-limit-reset", "1")],
            &[("ratelimit-remaining", "99"), ("ratelimit-reset", "1")],
            &[(REMAINING, "99"), ("x-ratelimit-reset-after", "1.5")],
            &[("ratelimit", "\"p\";r=4970;t=30")],
            &[("ratelimit", "\"p\";r=4970;t=30, \"q\";r=1;t=5")],
            &[("ratelimit", "\"p\";r=4970;t=30"), ("ratelimit", "\"q\";r=1;t=5")],
            // Who does not say what is left does not say that nothing is.
            &[(RESET, "30")],
            &[("ratelimit", "\"p\";t=30")],
            &[(REMAINING, "many"), (RESET, "30")],
            &[(REMAINING, "7, 9"), (RESET, "30")],
            &[(REMAINING, "7;w=0"), (RESET, "30")],
        ] {
            for dialect in dialects::all() {
                assert_eq!(wait(&dialect, status, headers), None, "{} {status} {headers:?}", dialect.name());
            }
        }
    }
}

#[test]
fn a_quota_that_is_used_up_is_a_wait() {
    let generic = dialects::generic();
    for status in [503, 502, 504, 429] {
        for (headers, expected) in [
            (&[(REMAINING, "0"), (RESET, "30")][..], 30),
            (&[(REMAINING, "0"), (RESET, "1768478460")], 60),
            (&[(REMAINING, " 0 "), (RESET, "30")], 30),
            (&[(REMAINING, "00"), (RESET, "30")], 30),
            (&[(REMAINING, "7, 0"), (RESET, "30")], 30),
            (&[(REMAINING, "7"), (REMAINING, "0"), (RESET, "30")], 30),
            (&[(REMAINING, "0;w=60"), (RESET, "30")], 30),
            (&[(REMAINING, "0.0"), (RESET, "30")], 30),
            (&[(REMAINING, "-3"), (RESET, "30")], 30),
            (&[("x-rate-limit-remaining", "0"), ("x-rate-limit-reset", "30")], 30),
            (&[("ratelimit-remaining", "0"), ("ratelimit-reset", "30")], 30),
            (&[(REMAINING, "0"), ("x-ratelimit-reset-after", "30")], 30),
            (&[("ratelimit", "\"p\";r=0;t=30")], 30),
            (&[("ratelimit", "\"day\";r=98;t=86000, \"burst\";r=0;t=5")], 5),
            (&[("ratelimit", "\"day\";r=98;t=86000"), ("ratelimit", "\"burst\";r=0;t=5")], 5),
            // Each quota has a reset of its own.
            (&[(REMAINING, "0"), (RESET, "30"), ("ratelimit", "\"day\";r=98;t=86000")], 30),
            (&[(REMAINING, "70"), (RESET, "86000"), ("ratelimit", "\"burst\";r=0;t=5")], 5),
            (&[(REMAINING, "0"), (RESET, "30"), ("ratelimit-remaining", "7"), ("ratelimit-reset", "3600")], 30),
        ] {
            assert_eq!(wait(&generic, status, headers), Some(expected), "{status} {headers:?}");
        }
    }
}

#[test]
fn an_unavailable_service_is_waited_for_until_the_used_up_quota_returns_and_no_longer() {
    // The second window does not say what is left of its quota.
    let headers = [(REMAINING, "0"), (RESET, "30"), ("ratelimit-reset", "90")];
    for dialect in dialects::all().into_iter().filter(|dialect| dialect.hint_sources().is_empty()) {
        assert_eq!(wait(&dialect, 503, &headers), Some(30), "{}", dialect.name());
        assert_eq!(wait(&dialect, 429, &headers), Some(90), "{}", dialect.name());
    }
    let sooner = [(REMAINING, "0"), (RESET, "30"), ("ratelimit-reset", "9")];
    assert_eq!(wait(&dialects::generic(), 503, &sooner), Some(30));
    assert_eq!(wait(&dialects::generic(), 429, &sooner), Some(30));
}

#[test]
fn where_the_caller_is_limited_a_reset_is_a_wait_whatever_is_left() {
    let generic = dialects::generic();
    for (headers, expected) in [
        (&[(RESET, "30")][..], 30),
        (&[(REMAINING, "4970"), (RESET, "30")], 30),
        (&[("ratelimit", "\"p\";r=5;t=30")], 30),
        (&[("ratelimit", "\"p\";t=30")], 30),
    ] {
        assert_eq!(wait(&generic, 429, headers), Some(expected), "{headers:?}");
        assert_eq!(wait(&generic, 402, headers), Some(expected), "{headers:?}: quota exhausted");
    }
    let renamed = dialect("{ header = \"x-ratelimit-reset\", unit = \"s\", reset = true }");
    let renamed = renamed.extend("b.toml", "name = \"b\"\n[status.429]\nclass = \"conflict\"\n").expect("no mistake");
    let conflict = meaning(&renamed, 429, &[(RESET, "30")], "");
    assert_eq!((conflict.class, conflict.hint.is_some()), (Class::Conflict, true), "a 429 limits whatever its class");
}

#[test]
fn a_quota_that_is_exhausted_comes_back_at_its_reset() {
    let coded = dialect("{ header = \"x-quota-reset\", unit = \"s\", reset = true }");
    let coded = coded.extend("b.toml", "[read]\ncode = \"code\"\n[codes.E_QUOTA]\nclass = \"quota_exhausted\"\n");
    let coded = coded.expect("the file has no mistake");
    for (status, body) in [(402, "{}"), (403, r#"{"code":"E_QUOTA"}"#), (400, r#"{"code":"E_QUOTA"}"#)] {
        let found = meaning(&coded, status, &[("x-quota-reset", "30")], body);
        assert_eq!(found.class, Class::QuotaExhausted, "{status}");
        assert_eq!(found.hint.map(|hint| hint.when()), Some(When::After(Duration::from_secs(30))), "{status}");
    }
    assert_eq!(meaning(&coded, 403, &[("x-quota-reset", "30")], "{}").hint, None, "a permission that is denied");
}

#[test]
fn a_window_says_nothing_about_another_kind_of_error() {
    for status in [400, 404, 500] {
        assert_eq!(wait(&dialects::generic(), status, &[(REMAINING, "0"), (RESET, "30")]), None, "{status}");
    }
}

#[test]
fn it_holds_however_a_dialect_declares_its_reset() {
    let left = [(REMAINING, "4970"), (RESET, "30"), ("x-acme-reset-jobs", "9"), ("x-acme-remaining-jobs", "1")];
    let used_up = [(REMAINING, "0"), (RESET, "30"), ("x-acme-reset-jobs", "9"), ("x-acme-remaining-jobs", "1")];
    for hints in [
        "{ header = \"x-ratelimit-reset\", unit = \"s\", reset = true }",
        "{ header = \"x-ratelimit-reset\", unit = \"s\" }",
        "{ header = \"x-ratelimit-reset\", unit = \"s\", reset = false }",
        "{ header = \"x-ratelimit-reset\", unit = \"guess\" }, { header = \"x-acme-reset-jobs\", unit = \"s\" }",
        "{ header = \"x-ratelimit-reset\", unit = \"s\", when = { status = \"503\" } }",
        "{ header = \"x-ratelimit-reset\", unit = \"s\", reset = true, when = { header = \"x-ratelimit-remaining\" } }",
    ] {
        for settings in ["", "ordered_hints = true\n"] {
            let file = format!("name = \"a\"\n[read]\n{settings}hints = [{hints}]\n");
            let dialect = Dialect::from_toml("a.toml", &file).expect("the file has no mistake");
            assert_eq!(wait(&dialect, 503, &left), None, "{hints}");
            assert_eq!(wait(&dialect, 503, &used_up), Some(30), "{hints}");
        }
    }
    let field =
        dialect("{ header = \"ratelimit\", unit = \"ratelimit\" }, { header = \"x-limits\", unit = \"ratelimit\" }");
    assert_eq!(wait(&field, 503, &[("ratelimit", "\"p\";r=9;t=30")]), None);
    assert_eq!(wait(&field, 503, &[("x-limits", "\"p\";r=9;t=30")]), None);
    assert_eq!(wait(&field, 503, &[("x-limits", "\"p\";r=0;t=30")]), Some(30));
    // A condition says what is left, where the name of the header does not.
    let told = dialect(
        "{ header = \"x-next\", unit = \"s\", reset = true, when = { header = \"x-left\", header_is = \"0\" } },
         { body = \"limit.until\", unit = \"s\", reset = true, when = { body = \"limit.left\", body_is = [\"0\", \"0.0\"] } },
         { body = \"limit.end\", unit = \"s\", reset = true }",
    );
    assert_eq!(wait(&told, 503, &[("x-next", "30"), ("x-left", "1")]), None);
    assert_eq!(wait(&told, 503, &[("x-next", "30"), ("x-left", "0")]), Some(30));
    for (body, expected) in [
        (r#"{"limit":{"until":30,"left":0}}"#, true),
        (r#"{"limit":{"until":30,"left":1}}"#, false),
        (r#"{"limit":{"end":30}}"#, false),
    ] {
        assert_eq!(meaning(&told, 503, &[], body).hint.is_some(), expected, "{body}");
    }
}

#[test]
fn an_explicit_wait_counts_with_quota_left() {
    let left = [(REMAINING, "4970"), (RESET, "3600"), ("retry-after", "7")];
    assert_eq!(wait(&dialects::generic(), 503, &left), Some(7));
    let left = [(REMAINING, "4970"), (RESET, "3600"), ("retry-after-ms", "7000")];
    assert_eq!(wait(&dialects::generic(), 503, &left), Some(7));
}

/// Names of reset headers, each with the name of what is left.
const WINDOWS: [(&str, &str); 10] = [
    ("x-ratelimit-reset", "x-ratelimit-remaining"),
    ("x-rate-limit-reset", "x-rate-limit-remaining"),
    ("ratelimit-reset", "ratelimit-remaining"),
    ("x-ratelimit-reset-after", "x-ratelimit-remaining"),
    ("x-ratelimit-reset-requests", "x-ratelimit-remaining-requests"),
    ("x-ratelimit-reset-tokens", "x-ratelimit-remaining-tokens"),
    ("anthropic-ratelimit-requests-reset", "anthropic-ratelimit-requests-remaining"),
    ("anthropic-ratelimit-tokens-reset", "anthropic-ratelimit-tokens-remaining"),
    ("anthropic-ratelimit-input-tokens-reset", "anthropic-ratelimit-input-tokens-remaining"),
    ("anthropic-ratelimit-output-tokens-reset", "anthropic-ratelimit-output-tokens-remaining"),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn with_quota_left_and_no_limit_nothing_waits(
        status in prop_oneof![Just(503_u16), 400..600_u16],
        windows in proptest::collection::vec((proptest::sample::select(&WINDOWS[..]), 1..5000_u32, 0..100_000_u32, 0..4_u8), 0..4),
        quotas in proptest::collection::vec((1..5000_u32, 0..100_000_u32), 0..3),
    ) {
        let mut headers: Vec<(&str, String)> = Vec::new();
        for ((reset, remaining), left, seconds, form) in &windows {
            let value = match form {
                0 => seconds.to_string(),
                1 => (NOW + u64::from(*seconds)).to_string(),
                2 => format!("{seconds}s"),
                _ => redress_envelope::format_date(SystemTime::UNIX_EPOCH + Duration::from_secs(NOW + u64::from(*seconds))),
            };
            headers.extend([(*remaining, left.to_string()), (*reset, value)]);
        }
        let items: Vec<_> = quotas.iter().map(|(left, seconds)| format!("\"p\";r={left};t={seconds}")).collect();
        if !items.is_empty() {
            headers.push(("ratelimit", items.join(", ")));
        }
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        for dialect in dialects::all() {
            let meaning = meaning(&dialect, status, &headers, "{}");
            let limited = status == 429 || matches!(meaning.class, Class::RateLimited | Class::QuotaExhausted);
            prop_assert!(limited || meaning.hint.is_none(), "{} {status} {headers:?}: {:?}", dialect.name(), meaning.hint);
        }
    }
}
