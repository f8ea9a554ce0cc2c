//! Several hints in one response: the largest valid one counts, unless the dialect puts them in an order.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue};
use redress_envelope::{Dialect, Envelope, Head, HintSource};

/// 1994-11-06T08:49:37Z.
const NOW: u64 = 784_111_777;

const HINTS: &str = r#"
    { header = "retry-after-ms", unit = "ms" },
    { header = "x-amz-retry-after", unit = "ms" },
    { body = "retry_after", unit = "s" },
    { body = "details.wait_ms", unit = "ms" },
    { body = "details.until", unit = "date" },
    { header = "ratelimit", unit = "ratelimit", reset = true },
    { header = "x-ratelimit-reset", unit = "epoch_s", reset = true },
"#;

fn dialect(settings: &str) -> Dialect {
    let toml = format!("name = \"a\"\n[read]\n{settings}hints = [{HINTS}]\n");
    Dialect::from_toml("a.toml", &toml).expect("the file has no mistake")
}

/// Reads a 429 and returns the wait in milliseconds and where it stood.
fn wait(dialect: &Dialect, headers: &[(&str, &str)], body: &str) -> Option<(u128, String)> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let name: HeaderName = name.parse().expect("a legal name");
        map.append(name, HeaderValue::from_str(value).expect("a legal value"));
    }
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW);
    let head = Head::new(429, &map, now);
    let hint = dialect.meaning(&head, &Envelope::read(dialect, &head, [body.as_bytes()])).hint?;
    let source = match hint.source() {
        HintSource::RetryAfter => "retry-after".to_owned(),
        HintSource::Header(name) | HintSource::Body(name) => name.clone(),
        _ => unreachable!("there are no other places"),
    };
    Some((hint.delay(head.server_now()).as_millis(), source))
}

type Case<'c> = (&'c [(&'c str, &'c str)], &'c str, Option<(u128, &'c str)>);

fn check(dialect: &Dialect, cases: &[Case<'_>]) {
    for (headers, body, expected) in cases {
        let found = wait(dialect, headers, body);
        let found = found.as_ref().map(|(wait, source)| (*wait, source.as_str()));
        assert_eq!(found, *expected, "{headers:?} {body}");
    }
}

#[test]
fn the_largest_valid_hint_counts() {
    let after = "retry-after";
    let date = "Sun, 06 Nov 1994 08:50:37 GMT";
    check(
        &dialect(""),
        &[
            (&[(after, "5"), (after, "9")], "", Some((9_000, after))),
            (&[(after, "9"), (after, "5")], "", Some((9_000, after))),
            (&[(after, "nonsense"), (after, "5")], "", Some((5_000, after))),
            (&[(after, "5"), (after, "-9")], "", Some((5_000, after))),
            (&[(after, "5"), (after, date)], "", Some((60_000, after))),
            (&[(after, date), (after, "90")], "", Some((90_000, after))),
            (&[(after, "5, 7"), (after, "6")], "", Some((7_000, after))),
            (&[(after, "0"), (after, "0")], "", Some((0, after))),
            (&[(after, "5"), ("retry-after-ms", "4999")], "", Some((5_000, after))),
            (&[(after, "5"), ("retry-after-ms", "5001")], "", Some((5_001, "retry-after-ms"))),
            (&[("retry-after-ms", "7"), ("retry-after-ms", "9")], "", Some((9, "retry-after-ms"))),
            (&[(after, "1"), ("retry-after-ms", "x")], "", Some((1_000, after))),
            (&[(after, "x"), ("retry-after-ms", "250")], "", Some((250, "retry-after-ms"))),
            (&[(after, "1"), ("x-amz-retry-after", "1500")], "", Some((1_500, "x-amz-retry-after"))),
            (&[("retry-after-ms", "10"), ("x-amz-retry-after", "20")], "", Some((20, "x-amz-retry-after"))),
            (&[(after, "5")], r#"{"retry_after":30}"#, Some((30_000, "retry_after"))),
            (&[(after, "65")], r#"{"retry_after":64.57}"#, Some((65_000, after))),
            (&[(after, "5")], r#"{"retry_after":"soon"}"#, Some((5_000, after))),
            (&[(after, "5")], r#"{"retry_after":-1}"#, Some((5_000, after))),
            (&[(after, "5")], r#"{"retry_after":null}"#, Some((5_000, after))),
            (&[(after, "5")], r#"{"retry_after":3,"retry_after":8}"#, Some((8_000, "retry_after"))),
            (&[], r#"{"retry_after":2,"details":{"wait_ms":2500}}"#, Some((2_500, "details.wait_ms"))),
            (&[], r#"{"details":{"wait_ms":1,"until":"1994-11-06T08:49:40Z"}}"#, Some((3_000, "details.until"))),
            (&[(after, "4")], r#"{"details":{"until":"1994-11-06T08:49:40Z"}}"#, Some((4_000, after))),
            (&[(after, "4")], r#"{"details":{"until":"1990-01-01T00:00:00Z"}}"#, Some((4_000, after))),
            (&[(after, "4")], r#"{"retry_after":1e400}"#, Some((4_000, after))),
            (&[(after, "99999999999999999999")], r#"{"retry_after":4}"#, Some((4_000, "retry_after"))),
            (&[], "<html>", None),
        ],
    );
}

#[test]
fn the_end_of_a_window_counts_only_where_no_other_hint_is() {
    let after = "retry-after";
    let field = "\"p\";r=0;t=30";
    check(
        &dialect(""),
        &[
            (&[("ratelimit", field)], "", Some((30_000, "ratelimit"))),
            (&[(after, "5"), ("ratelimit", field)], "", Some((5_000, after))),
            (&[(after, "0"), ("ratelimit", field)], "", Some((0, after))),
            (&[(after, "x"), ("ratelimit", field)], "", Some((30_000, "ratelimit"))),
            (&[("ratelimit", field)], r#"{"retry_after":1}"#, Some((1_000, "retry_after"))),
            (&[("ratelimit", field), ("x-ratelimit-reset", "784111787")], "", Some((30_000, "ratelimit"))),
            (&[("ratelimit", field), ("x-ratelimit-reset", "784111877")], "", Some((100_000, "x-ratelimit-reset"))),
            (&[("ratelimit", "p;r=0;t="), ("x-ratelimit-reset", "784111787")], "", Some((10_000, "x-ratelimit-reset"))),
            (&[("x-ratelimit-reset", "784111700")], "", None),
        ],
    );
}

#[test]
fn an_order_of_the_dialect_comes_before_the_size() {
    let after = "retry-after";
    check(
        &dialect("ordered_hints = true\n"),
        &[
            (&[(after, "9"), ("retry-after-ms", "50")], "", Some((50, "retry-after-ms"))),
            (&[("x-amz-retry-after", "70"), ("retry-after-ms", "50")], "", Some((50, "retry-after-ms"))),
            (&[("x-amz-retry-after", "70"), ("retry-after-ms", "x")], "", Some((70, "x-amz-retry-after"))),
            (&[(after, "9")], r#"{"retry_after":1}"#, Some((1_000, "retry_after"))),
            (&[(after, "9")], r#"{"retry_after":"x","details":{"wait_ms":5}}"#, Some((5, "details.wait_ms"))),
            (&[(after, "9")], r#"{"other":1}"#, Some((9_000, after))),
            (&[(after, "9"), ("ratelimit", "\"p\";r=0;t=30")], "", Some((9_000, after))),
        ],
    );
}

#[test]
fn a_hint_says_where_it_stood() {
    // A form of the standard header that the standard does not have.
    let dialect = dialect("").extend("b.toml", "name = \"b\"\n[read]\nhints = [{ header = \"retry-after\", unit = \"duration\" }, { header = \"retry-after-ms\", unit = \"ms\" }, { body = \"retry_after\", unit = \"s\" }]\n");
    let dialect = dialect.expect("the file has no mistake");
    let read = |headers: &[(&str, &str)], body: &str| {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name: HeaderName = name.parse().expect("a legal name");
            map.append(name, HeaderValue::from_str(value).expect("a legal value"));
        }
        let head = Head::new(429, &map, SystemTime::UNIX_EPOCH);
        dialect
            .meaning(&head, &Envelope::read(&dialect, &head, [body.as_bytes()]))
            .hint
            .map(|hint| hint.source().clone())
    };
    assert_eq!(read(&[("retry-after", "7")], ""), Some(HintSource::RetryAfter));
    assert_eq!(read(&[("retry-after", "1m30s")], ""), Some(HintSource::RetryAfter));
    assert_eq!(read(&[("retry-after-ms", "7")], ""), Some(HintSource::Header("retry-after-ms".to_owned())));
    assert_eq!(read(&[], r#"{"retry_after":7}"#), Some(HintSource::Body("retry_after".to_owned())));
}

#[test]
fn a_number_with_an_exponent_is_a_hint_unless_it_is_negative_or_without_end() {
    let dialect = dialect("");
    check(
        &dialect,
        &[
            (&[], r#"{"retry_after":1e2}"#, Some((100_000, "retry_after"))),
            (&[], r#"{"retry_after":25E-1}"#, Some((2_500, "retry_after"))),
            (&[], r#"{"retry_after":-1e2}"#, None),
            (&[], r#"{"retry_after":-1e999}"#, None),
            (&[], r#"{"retry_after":1e999}"#, None),
        ],
    );
}

#[test]
fn a_flag_is_believed_as_far_as_its_place_can_be() {
    const FLAGS: &str = r#"
name = "a"
[retry]
flags = [{ header = "x-should-retry" }, { body = "error.retryable", yes = ["y"], no = ["n"] }]
"#;
    let dialect = Dialect::from_toml("a.toml", FLAGS).expect("the file has no mistake");
    for (header, body, expected) in [
        (None, "{}", None),
        (Some("true"), "{}", Some(true)),
        (Some(" FALSE "), "{}", Some(false)),
        (Some("perhaps"), "{}", None),
        (Some("perhaps"), r#"{"error":{"retryable":"Y"}}"#, Some(true)),
        (Some("false"), r#"{"error":{"retryable":"y"}}"#, Some(false)),
        (None, r#"{"error":{"retryable":"n"}}"#, Some(false)),
        (None, r#"{"error":{"retryable":"true"}}"#, None),
        // Of a body that breaks off nothing is believed, of its head everything.
        (None, r#"{"error":{"retryable":"y"},"#, None),
        (Some("true"), r#"{"error":{"retryable":"n"},"#, Some(true)),
    ] {
        let header = header.map(|value| ("x-should-retry".parse().expect("a name"), HeaderValue::from_static(value)));
        let map: HeaderMap = header.into_iter().collect();
        let head = Head::new(503, &map, SystemTime::UNIX_EPOCH);
        let envelope = Envelope::read(&dialect, &head, [body.as_bytes()]);
        assert_eq!(envelope.should_retry, expected, "{map:?} {body}");
    }
}
