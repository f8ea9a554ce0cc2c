//! Hints on a success: what is read of a 2xx whose dialect declares hints for it, and that nothing is read of any other.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue};
use redress_envelope::{Dialect, Head, HintSource, dialects};

/// 2026-01-15T12:00:00Z.
const NOW: u64 = 1_768_478_400;

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(NOW)
}

fn map(headers: &[(&str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&str, &str)| {
        (name.parse::<HeaderName>().expect("a legal name"), HeaderValue::from_str(value).expect("a legal value"))
    };
    headers.iter().map(pair).collect()
}

fn declaring(hints: &str) -> Dialect {
    let toml = format!("name = \"acme\"\n[retry]\nsuccess_hints = [{hints}]\n");
    Dialect::from_toml("acme.toml", &toml).unwrap_or_else(|error| panic!("{error}"))
}

/// Returns the wait in milliseconds.
fn wait(dialect: &Dialect, status: u16, headers: &[(&str, &str)], body: &str) -> Option<u128> {
    let map = map(headers);
    let head = Head::new(status, &map, now());
    let pieces: Vec<_> = body.as_bytes().chunks(7).collect();
    dialect.success_hint(&head, pieces).map(|hint| hint.delay(now()).as_millis())
}

/// Hints of every kind on a success.
const HEADERS: [(&str, &str); 6] = [
    ("content-type", "application/json"),
    ("retry-after", "30"),
    ("x-ratelimit-remaining", "0"),
    ("x-ratelimit-reset", "30"),
    ("ratelimit", "\"p\";r=0;t=30"),
    ("grpc-retry-pushback-ms", "30000"),
];
const BODY: &str = r#"{"items":[],"backoff":10,"retry_after":10,"error":null}"#;

#[test]
fn a_success_of_a_dialect_that_declares_no_hints_for_it_asks_for_no_pause() {
    for dialect in dialects::all() {
        let declares = dialect.name() == "stackexchange";
        assert_eq!(dialect.has_success_hints(), declares, "{}", dialect.name());
        assert_eq!(dialect.success_hint_sources().is_empty(), !declares, "{}", dialect.name());
        for status in [200, 201, 202, 206, 304] {
            let expected = (declares && status < 300).then_some(10_000);
            assert_eq!(wait(&dialect, status, &HEADERS, BODY), expected, "{} {status}", dialect.name());
        }
    }
}

#[test]
fn a_declared_member_is_read_as_any_hint() {
    let backoff = "{ body = \"backoff\", unit = \"s\" }";
    for (hints, body, expected) in [
        (backoff, r#"{"backoff":10}"#, Some(10_000)),
        (backoff, r#"{"backoff":0.5}"#, Some(500)),
        (backoff, r#"{"backoff":"2 minutes"}"#, Some(120_000)),
        (backoff, r#"{"backoff":1768478460}"#, Some(60_000)),
        (backoff, r#"{"backoff":"2026-01-15T12:00:10Z"}"#, Some(10_000)),
        (backoff, r#"{"backoff":3,"items":[],"backoff":10}"#, Some(10_000)),
        // Nothing is asked for.
        (backoff, r#"{"backoff":0}"#, None),
        (backoff, r#"{"backoff":null}"#, None),
        (backoff, r#"{"items":[{"backoff":10}]}"#, None),
        (backoff, r#"[{"backoff":10}]"#, None),
        (backoff, "{}", None),
        (backoff, "", None),
        // Implausible values.
        (backoff, r#"{"backoff":-10}"#, None),
        (backoff, r#"{"backoff":31622401}"#, None),
        (backoff, r#"{"backoff":99999999999999999999}"#, None),
        (backoff, r#"{"backoff":1768478399}"#, None),
        (backoff, r#"{"backoff":true}"#, None),
        (backoff, r#"{"backoff":{"s":10}}"#, None),
        // A body that ends early or has a mistake, before or after the member.
        (backoff, r#"{"backoff":10"#, None),
        (backoff, r#"{"backoff":10,"items":[}"#, None),
        (backoff, r#"{"backoff":10} {"#, None),
        (backoff, r#"<backoff>10</backoff>"#, None),
        ("{ body = \"/r/backoff\", unit = \"s\" }", "<r><backoff>10</backoff></r>", Some(10_000)),
        ("{ body = \"/r/backoff\", unit = \"s\" }", "<r><backoff>10</backoff>", None),
        ("{ body = \"waits[*].ms\", unit = \"ms\" }", r#"{"waits":[{"ms":5},{"ms":70}]}"#, Some(70)),
        ("{ body = \"a\", unit = \"s\" }, { body = \"b\", unit = \"s\" }", r#"{"a":1,"b":2}"#, Some(2_000)),
        (
            "{ body = \"cost.asked\", minus = \"cost.left\", over = \"cost.rate\", unit = \"s\" }",
            r#"{"data":{},"cost":{"asked":100,"left":50,"rate":10}}"#,
            Some(5_000),
        ),
        (
            "{ body = \"backoff\", unit = \"s\", when = { body = \"more\", body_is = true } }",
            r#"{"backoff":9,"more":true}"#,
            Some(9_000),
        ),
        (
            "{ body = \"backoff\", unit = \"s\", when = { body = \"more\", body_is = true } }",
            r#"{"backoff":9,"more":false}"#,
            None,
        ),
    ] {
        assert_eq!(wait(&declaring(hints), 200, &[], body), expected, "{hints}: {body}");
    }
}

#[test]
fn a_declared_header_is_read_of_a_2xx_alone() {
    let reset = "{ header = \"x-ratelimit-reset\", unit = \"s\" }";
    let when_none_left = "{ header = \"x-ratelimit-reset\", unit = \"s\", \
        when = { header = \"x-ratelimit-remaining\", header_is = \"0\" } }";
    let after = "{ header = \"retry-after\", unit = \"http\" }";
    let field = "{ header = \"ratelimit\", unit = \"ratelimit\" }";
    let marked = "{ body = \"reset_in\", unit = \"s\", reset = true, when = { body = \"left\", body_is = 0 } }";
    let none_left = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "30")];
    let some_left = [("x-ratelimit-remaining", "7"), ("x-ratelimit-reset", "30")];
    for (hints, status, headers, body, expected) in [
        (reset, 200, &none_left[..], "{}", Some(30_000)),
        (reset, 204, &none_left[..], "", Some(30_000)),
        (reset, 200, &some_left[..], "{}", None),
        (reset, 200, &[("x-ratelimit-reset", "30")], "{}", None),
        (when_none_left, 200, &none_left[..], "{}", Some(30_000)),
        (when_none_left, 200, &some_left[..], "{}", None),
        (field, 200, &[("ratelimit", "\"p\";r=0;t=30")], "{}", Some(30_000)),
        (field, 200, &[("ratelimit", "\"p\";r=9;t=30")], "{}", None),
        (marked, 200, &[], r#"{"reset_in":30,"left":0}"#, Some(30_000)),
        (marked, 200, &[], r#"{"reset_in":30,"left":1}"#, None),
        (after, 200, &[("retry-after", "30")], "not JSON", Some(30_000)),
        (after, 202, &[("retry-after", "30")], "", Some(30_000)),
        (after, 304, &[("retry-after", "30")], "", None),
        (after, 429, &[("retry-after", "30")], "{}", None),
        (after, 503, &[("retry-after", "30")], "{}", None),
        (after, 200, &[("x-ratelimit-reset", "30"), ("x-ratelimit-remaining", "0")], "{}", None),
    ] {
        assert_eq!(wait(&declaring(hints), status, headers, body), expected, "{hints}: {status} {headers:?} {body}");
    }
}

#[test]
fn the_body_is_needed_only_where_a_hint_in_it_may_hold() {
    let backoff = "{ body = \"backoff\", unit = \"s\" }";
    let of_route = "{ body = \"backoff\", unit = \"s\", when = { route = \"POST /jobs\" } }";
    let of_type = "{ body = \"backoff\", unit = \"s\", when = { content_type = \"application/acme\" } }";
    let by_header = "{ header = \"x-wait\", unit = \"s\" }";
    let by_both = "{ header = \"x-wait\", unit = \"s\", when = { body = \"busy\", body_is = true } }";
    for (hints, status, media_type, expected) in [
        (backoff, 200, "application/json", true),
        (backoff, 200, "text/event-stream", false),
        (backoff, 200, "application/x-ndjson", false),
        (backoff, 200, "image/png", false),
        (backoff, 204, "application/json", false),
        (backoff, 302, "application/json", false),
        (backoff, 400, "application/json", false),
        (of_route, 200, "application/json", false),
        (of_type, 200, "application/acme", true),
        (of_type, 200, "application/json", false),
        (by_header, 200, "application/json", false),
        (by_both, 200, "application/json", true),
    ] {
        let map = map(&[("content-type", media_type)]);
        let head = Head::new(status, &map, now());
        assert_eq!(declaring(hints).may_hint_in_body(&head), expected, "{hints}: {status} {media_type}");
    }
}

#[test]
fn a_body_in_another_charset_is_decoded_first() {
    let dialect = declaring("{ body = \"backoff\", unit = \"s\" }");
    let utf16: Vec<u8> = "{\"backoff\":10}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let headers = map(&[("content-type", "application/json; charset=utf-16le")]);
    let hint = dialect.success_hint(&Head::new(200, &headers, now()), [&utf16[..]]).expect("it is read");
    assert_eq!(hint.delay(now()), Duration::from_secs(10));
    assert_eq!(*hint.source(), HintSource::Body("backoff".to_owned()));
}

#[test]
fn a_date_counts_from_the_servers_clock() {
    let dialect = declaring("{ header = \"x-next\", unit = \"date\" }");
    let headers = map(&[("date", "Thu, 15 Jan 2026 10:00:00 GMT"), ("x-next", "Thu, 15 Jan 2026 10:00:30 GMT")]);
    let head = Head::new(200, &headers, now());
    let hint = dialect.success_hint(&head, []).expect("it lies ahead by the server's clock");
    assert_eq!(hint.delay(head.server_now()), Duration::from_secs(30));
}

#[test]
fn a_file_that_extends_another_one_replaces_its_hints_for_successes() {
    let base = declaring("{ body = \"backoff\", unit = \"s\" }");
    let same = base.extend("more.toml", "[codes.A]\nclass = \"invalid\"\n").expect("no mistake");
    let none = base.extend("more.toml", "[retry]\nsuccess_hints = []\n").expect("no mistake");
    assert_eq!(wait(&same, 200, &[], r#"{"backoff":10}"#), Some(10_000));
    assert_eq!(wait(&none, 200, &[], r#"{"backoff":10}"#), None);
}

#[test]
fn mistakes_are_named() {
    for (line, expected) in [
        ("success_hints = [{ body = \"backoff\" }]", "expected `unit` and either `body` or `header`"),
        ("success_hints = [{ unit = \"s\" }]", "expected `unit` and either `body` or `header`"),
        ("success_hints = [{ body = \"a\", unit = \"x\" }]", "retry.success_hints[0].unit: expected one of"),
        ("success_hint = []", "retry.success_hint"),
    ] {
        let error = Dialect::from_toml("a.toml", &format!("name = \"a\"\n[retry]\n{line}\n")).expect_err(line);
        assert!(error.to_string().contains(expected), "{error}");
    }
    let toml = "name = \"a\"\n[retry]\n\
        success_hints = [{ body = \"a\", unit = \"s\", when = { status = \"429,500-599\" } }]\n";
    let error = Dialect::lint("a.toml", toml, |_: &str| Err("no file")).expect_err("it never holds");
    assert!(error.to_string().contains("never holds: a hint on a success is read of a 2xx"), "{error}");
}
