//! The tables of `docs/hints.md`, in their order.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue};
use redress_envelope::{Dialect, Envelope, Head, Location, Meaning, RetryHint, dialects};

/// 2026-01-15T12:00:00Z.
const NOW: u64 = 1_768_478_400;

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(NOW)
}

fn map(headers: &[(&str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&str, &str)| {
        (name.parse::<HeaderName>().expect("a legal name"), HeaderValue::from_str(value).expect("a legal value"))
    };
    let mut map = HeaderMap::new();
    headers.iter().map(pair).for_each(|(name, value)| {
        map.append(name, value);
    });
    map
}

fn meaning(dialect: &Dialect, status: u16, headers: &[(&str, &str)], body: &str) -> Meaning {
    let map = map(headers);
    let head = Head::new(status, &map, now());
    dialect.meaning(&head, &Envelope::read(dialect, &head, [body.as_bytes()]))
}

/// Returns the wait in milliseconds.
fn wait(dialect: &Dialect, status: u16, headers: &[(&str, &str)], body: &str) -> Option<u128> {
    meaning(dialect, status, headers, body).hint.map(|hint| hint.delay(now()).as_millis())
}

fn file(text: &str) -> Dialect {
    Dialect::from_toml("a.toml", &format!("name = \"a\"\n{text}")).expect("the file has no mistake")
}

/// Every shipped dialect, and files of a user that say little.
fn all() -> Vec<Dialect> {
    let own =
        [file(""), file("[read]\ncode = \"code\"\n"), file("[read]\nhints = [{ body = \"wait\", unit = \"s\" }]\n")];
    dialects::all().into_iter().chain(own).collect()
}

/// Standard headers that ask for a wait of 30 s each.
const WAITS: [(&str, &str); 7] = [
    ("retry-after", "30"),
    ("x-retry-after", "30"),
    ("retry-after-ms", "30000"),
    ("x-retry-after-ms", "30000"),
    ("x-ms-retry-after-ms", "30000"),
    ("x-amz-retry-after", "30000"),
    ("grpc-retry-pushback-ms", "30000"),
];

#[test]
fn every_dialect_reads_every_standard_wait() {
    for dialect in all() {
        for header in WAITS {
            for status in [429, 503] {
                let found = wait(&dialect, status, &[header], "{}");
                assert_eq!(found, Some(30_000), "{} {status} {header:?}", dialect.name());
            }
        }
        assert_eq!(
            meaning(&dialect, 503, &[("x-should-retry", "false")], "{}").should_retry,
            Some(false),
            "{}",
            dialect.name()
        );
        let pushback = [("grpc-retry-pushback-ms", "-1")];
        assert_eq!(meaning(&dialect, 503, &pushback, "{}").should_retry, Some(false), "{}", dialect.name());
    }
}

/// Windows that end in 30 s with nothing left until then.
const USED_UP: [&[(&str, &str)]; 30] = [
    &[("ratelimit", "\"p\";r=0;t=30")],
    &[("ratelimit", "default;r=0;t=30")],
    &[("ratelimit", "\"day\";r=98;t=86000"), ("ratelimit", "\"burst\";r=0;t=30")],
    &[("ratelimit", "limit=100, remaining=0, reset=30")],
    &[("ratelimit", "limit=100"), ("ratelimit", "remaining=0"), ("ratelimit", "reset=30")],
    &[("ratelimit-limit", "100, 100;w=60"), ("ratelimit-remaining", "0"), ("ratelimit-reset", "30")],
    &[("ratelimit-remaining", "0"), ("ratelimit-reset", "1768478430")],
    &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "30")],
    &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1768478430")],
    &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1768478430000")],
    &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1768478430000000")],
    &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1768478430.0")],
    &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "2026-01-15T12:00:30Z")],
    &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "Thu, 15 Jan 2026 12:00:30 GMT")],
    &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "30s")],
    &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "PT30S")],
    &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "\"30\"")],
    &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "30;w=60")],
    &[("x-ratelimit-remaining", "98, 0"), ("x-ratelimit-reset", "86000, 30")],
    &[
        ("x-ratelimit-remaining", "0"),
        ("x-ratelimit-remaining", "98"),
        ("x-ratelimit-reset", "30"),
        ("x-ratelimit-reset", "86000"),
    ],
    &[("x-rate-limit-remaining", "0"), ("x-rate-limit-reset", "30")],
    &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset-after", "30")],
    &[("x-ratelimit-remaining", "0"), ("x-ratelimit-next", "2026-01-15T12:00:30.000Z")],
    &[("x-ratelimit-remaining", "0"), ("x-ratelimit-retry-after", "1768478430")],
    &[("x-ratelimit-requests-remaining", "0"), ("x-ratelimit-requests-reset", "1768478430000")],
    &[("x-ratelimit-remaining-requests", "0"), ("x-ratelimit-reset-requests", "30s")],
    &[("x-ratelimit-remaining-tokens", "0"), ("x-ratelimit-reset-tokens", "30s")],
    &[("x-ratelimit-remaining-minute", "0"), ("x-ratelimit-reset-minute", "30")],
    &[("acme-ratelimit-remaining", "0"), ("acme-ratelimit-reset", "30")],
    &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset-ms", "30000")],
];

#[test]
fn every_dialect_reads_every_standard_window_that_is_used_up() {
    for dialect in all() {
        for headers in USED_UP {
            for status in [429, 503] {
                assert_eq!(
                    wait(&dialect, status, headers, "{}"),
                    Some(30_000),
                    "{} {status} {headers:?}",
                    dialect.name()
                );
            }
            assert_eq!(wait(&dialect, 500, headers, "{}"), None, "{} {headers:?}", dialect.name());
        }
    }
}

#[test]
fn with_quota_left_none_of_these_windows_is_a_wait() {
    for dialect in all() {
        for headers in USED_UP {
            let left = |value: &str| value.replace("r=0", "r=7").replace("remaining=0", "remaining=7");
            let headers: Vec<_> = headers
                .iter()
                .map(|(name, value)| {
                    let value = if name.contains("remaining") { "7".to_owned() } else { left(value) };
                    (*name, value)
                })
                .collect();
            let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            assert_eq!(wait(&dialect, 503, &headers, "{}"), None, "{} {headers:?}", dialect.name());
        }
    }
}

/// Headers that name the call, the best first.
const REQUEST_IDS: [&str; 22] = [
    "x-request-id",
    "request-id",
    "x-requestid",
    "x-correlation-id",
    "correlation-id",
    "x-amzn-requestid",
    "x-amzn-request-id",
    "x-amz-request-id",
    "apigw-requestid",
    "x-ms-request-id",
    "x-github-request-id",
    "x-goog-request-id",
    "x-openstack-request-id",
    "opc-request-id",
    "x-vcap-request-id",
    "client-request-id",
    "x-transaction-id",
    "x-trace-id",
    "x-b3-traceid",
    "x-amz-cf-id",
    "cf-ray",
    "traceparent",
];
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

#[test]
fn every_dialect_reads_every_header_that_names_the_call() {
    let parent = format!("00-{TRACE}-00f067aa0ba902b7-01");
    for dialect in all() {
        for (nth, name) in REQUEST_IDS.iter().enumerate() {
            let value = |name: &str| if name == "traceparent" { parent.clone() } else { format!("of {name}") };
            let pairs: Vec<_> = REQUEST_IDS[nth..].iter().rev().map(|name| (*name, value(name))).collect();
            let alone = [(*name, value(name))];
            for headers in [&alone[..], &pairs] {
                let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
                let map = map(&headers);
                let head = Head::new(500, &map, now());
                let envelope = Envelope::read(&dialect, &head, []);
                let found = envelope.request_id.clone().expect("each of them is read");
                if headers.len() == 1 {
                    let expected = if *name == "traceparent" { TRACE.to_owned() } else { value(name) };
                    assert_eq!(found, expected, "{}", dialect.name());
                    let location = Location::Header((*name).to_owned());
                    assert_eq!(envelope.request_id_location(&dialect), Some(location), "{}", dialect.name());
                }
            }
        }
    }
    let silent = file("");
    let head = map(&[("cf-ray", "far"), ("x-trace-id", "near"), ("x-request-id", " ")]);
    let head = Head::new(500, &head, now());
    assert_eq!(Envelope::read(&silent, &head, []).request_id.as_deref(), Some("near"));
    let head = map(&[("traceparent", "00-short-00f067aa0ba902b7-01")]);
    let head = Head::new(500, &head, now());
    assert_eq!(Envelope::read(&silent, &head, []).request_id, None);
}

#[test]
fn every_dialect_reads_the_headers_of_a_vendor_that_name_the_call() {
    for dialect in all() {
        for name in [
            "acme-request-id",
            "x-acme-requestid",
            "x-acme-req-id",
            "x-acme-reqid",
            "x-acme-request-uuid",
            "acme-transaction-id",
            "x-acme-transactionid",
            "x-acme-interaction-id",
            "x-acme-rid",
            "acme-correlation-id",
            "x-acme-correlationid",
            "x-acme-tracking-id",
            "x-ac-trackingid",
            "acme-activity-id",
            "activityid",
            "acme-debug-id",
            "x-acme-logid",
            "x-acme-queryid",
            "acme_tid",
            "acme-trace-id",
            "x-acme-traceid",
            "x-vercel-id",
            "x-li-uuid",
        ] {
            let parent = format!("00-{TRACE}-00f067aa0ba902b7-01");
            let far = [("traceparent", parent.as_str()), ("x-acme-user-id", "7"), ("x-amzn-trace-id", "Root=1")];
            let map = map(&[&far[..], &[(name, "id-1")]].concat());
            let head = Head::new(500, &map, now());
            let envelope = Envelope::read(&dialect, &head, []);
            assert_eq!(envelope.request_id.as_deref(), Some("id-1"), "{} {name}", dialect.name());
        }
    }
    let whole = map(&[("acme-request-id", "a"), ("x-request-id", "b")]);
    let envelope = Envelope::read(&file(""), &Head::new(500, &whole, now()), []);
    assert_eq!(envelope.request_id.as_deref(), Some("b"));
}

#[test]
fn sources_of_a_dialect_precede_the_standard_headers() {
    let own = file("[read]\nrequest_id = [\"id\", { header = \"x-acme-id\" }]\n");
    for (headers, body, expected) in [
        (&[("x-request-id", "a"), ("x-acme-id", "b")][..], "{}", "b"),
        (&[("x-request-id", "a"), ("x-acme-id", "b")], "{\"id\":\"c\"}", "c"),
        (&[("x-request-id", "a")], "{}", "a"),
    ] {
        let map = map(headers);
        let head = Head::new(500, &map, now());
        assert_eq!(Envelope::read(&own, &head, [body.as_bytes()]).request_id.as_deref(), Some(expected));
    }
}

#[test]
fn a_dialect_redefines_or_disables_a_standard_header() {
    let both = [("retry-after", "1500"), ("retry-after-ms", "700")];
    for (text, headers, expected) in [
        // Its own unit, in place of the standard one.
        ("[read]\nhints = [{ header = \"retry-after\", unit = \"ms\" }]\n", &both[..1], Some(1_500)),
        ("[read]\nhints = [{ header = \"retry-after\", unit = \"ms\" }]\n", &[("retry-after", "2s")], Some(2_000)),
        // A condition that does not hold: it means nothing then.
        ("[read]\nhints = [{ header = \"retry-after\", unit = \"s\", when = { status = 503 } }]\n", &both[..1], None),
        ("[read]\nignore_headers = \"retry-after\"\n", &both[..1], None),
        ("[read]\nignore_headers = \"retry-after\"\n", &both, Some(700)),
        ("[read]\nignore_headers = [\"retry-after*\"]\n", &both, None),
        ("[read]\nignore_headers = [\"*\"]\n", &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "7")], None),
        ("[read]\nignore_headers = [\"X-RateLimit-*\"]\n", &[("x-ratelimit-reset", "7")], None),
        ("[read]\nignore_headers = [\"x-ratelimit-*\"]\n", &[("ratelimit-reset", "7")], Some(7_000)),
        ("[read]\nignore_headers = [\"ratelimit\"]\n", &[("ratelimit", "\"p\";r=0;t=7")], None),
        // What is declared is read nevertheless.
        (
            "[read]\nignore_headers = [\"*\"]\nhints = [{ header = \"retry-after\", unit = \"s\" }]\n",
            &[("retry-after", "5"), ("retry-after-ms", "7000")],
            Some(5_000),
        ),
        // The form of an envelope says it for all below, unless it says otherwise.
        (
            "[[read]]\nwhen = { body = \"a\" }\nmessage = \"a\"\n[[read]]\nignore_headers = \"*\"\n",
            &[("retry-after", "5")],
            None,
        ),
    ] {
        assert_eq!(wait(&file(text), 429, headers, "{\"a\":1}"), expected, "{text} {headers:?}");
    }
    let off = file("[read]\nignore_headers = \"*\"\n");
    let found = meaning(&off, 503, &[("x-should-retry", "false"), ("grpc-retry-pushback-ms", "-1")], "{}");
    assert_eq!(found.should_retry, None);
    let map = map(&[("x-request-id", "a")]);
    let head = Head::new(500, &map, now());
    assert_eq!(Envelope::read(&off, &head, []).request_id, None);
}

#[test]
fn the_bodies_that_are_read_without_knowledge_of_the_vendor() {
    let generic = dialects::generic();
    for (body, expected) in [
        (r#"{"retry_after":30}"#, 30_000),
        (r#"{"error":{"retryAfter":30}}"#, 30_000),
        (r#"{"error":{"retry_after_ms":30000}}"#, 30_000),
        (r#"{"error":{"retry_after_seconds":30}}"#, 30_000),
        (r#"{"retry_in_seconds":30}"#, 30_000),
        (r#"{"retry_in":"PT30S"}"#, 30_000),
        (r#"{"retry_at":"2026-01-15T12:00:30Z"}"#, 30_000),
        (r#"{"meta":{"retry_after":30}}"#, 30_000),
        (r#"{"data":{"retry_after":30}}"#, 30_000),
        (r#"{"errors":[{"retry_after":30}]}"#, 30_000),
        (r#"{"errors":[{"extensions":{"retryAfter":30}}]}"#, 30_000),
        (r#"{"retryAfter":"30s"}"#, 30_000),
        (r#"{"retry_after":"2026-01-15T12:00:30Z"}"#, 30_000),
        (r#"{"retry_after":"30 seconds"}"#, 30_000),
        (r#"{"error":{"retry_after":30}}"#, 30_000),
        (r#"{"retry_after_ms":30000}"#, 30_000),
        (r#"{"additional_data":{"retry_after":30}}"#, 30_000),
        (r#"{"errors":[{"message":"a"},{"extensions":{"retry_in_seconds":30}}]}"#, 30_000),
        (r#"{"errors":[{"extensions":{"retry_in_seconds":7}},{"extensions":{"retry_in_seconds":30}}]}"#, 30_000),
        (
            r#"{"error":{"metadata":{"headers":{"X-RateLimit-Remaining":"0","X-RateLimit-Reset":"1768478430000"}}}}"#,
            30_000,
        ),
        (r#"{"rateLimitNext":"2026-01-15T12:00:30.000Z"}"#, 30_000),
        (r#"{"error":{"details":[{"@type":"x"},{"retryDelay":"30s"}]}}"#, 30_000),
    ] {
        assert_eq!(wait(&generic, 429, &[], body), Some(expected), "{body}");
    }
}

#[test]
fn no_hint_in_any_unit_of_a_body_is_absurd() {
    for unit in ["s", "ms", "us", "ns", "minutes", "epoch_s", "epoch_ms", "date", "duration", "guess", "http"] {
        let dialect = file(&format!("[read]\nhints = [{{ body = \"w\", unit = \"{unit}\" }}]\n"));
        for value in
            ["9e18", "1e300", "-5", "\"9999-12-31T23:59:59Z\"", "\"99999999h\"", "\"P9999Y\"", "true", "[9]", "0x7"]
        {
            for digits in [12, 20, 21, 40] {
                let body = format!("{{\"w\":{value},\"w2\":{}}}", "9".repeat(digits));
                assert!(
                    wait(&dialect, 429, &[], &body).is_none_or(|ms| ms <= RetryHint::MAX_DELAY.as_millis()),
                    "{unit} {body}"
                );
                let body = format!("{{\"w\":{}}}", "9".repeat(digits));
                assert!(
                    wait(&dialect, 429, &[], &body).is_none_or(|ms| ms <= RetryHint::MAX_DELAY.as_millis()),
                    "{unit} {body}"
                );
            }
        }
    }
}
