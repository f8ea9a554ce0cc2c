//! Reads any text as a dialect's file, and bodies in what comes of it.

use std::sync::LazyLock;
use std::time::SystemTime;

use http::{HeaderMap, HeaderValue};
use redress_envelope::{Dialect, DialectError, Envelope, Head, Mistake, Signal, dialects};

/// What a dialect that a file made is asked to read.
const BODIES: [&str; 8] = [
    "",
    "{}",
    "<Error><Code>SlowDown</Code></Error>",
    r#"{"error":{"code":"E1","message":"m","details":[{"field":"a","message":"n"}]},"success":false,"request_id":"r"}"#,
    r#"{"code":7,"message":"m","errors":{"a":["b","c"],"d":{"_errors":[{"code":"e","message":"f"}]}},"retry_after":1.5}"#,
    r#"[{"errorCode":"E1","message":"m","fields":["a"]},{"errorCode":"E2"}]"#,
    r#"{"errors":[{"title":"t","source":{"pointer":"/a"}}],"data":{"a":null},"a":{"a":{"a":{"a":[[{"a":"\u00e9"}]]}}}}"#,
    r#"{"a":1,"b":"x","c":[1,2],"d":{"e":"f"},"error":"invalid","detail":[{"loc":["body",0,"a"],"msg":"m"}]"#,
];

/// Reads a text as a file of its own and as one that extends a shipped dialect, and checks it.
///
/// # Panics
/// When a mistake is placed outside of the file, when a check finds less than a reading does, or when reading in the
/// dialect breaks its own rules.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    // Any other file that it extends is the same one: a circle, or files that never end.
    let read = Dialect::from_toml_with("fuzz.toml", text, |_| Ok::<_, String>(text.to_owned())).err();
    match Dialect::lint("fuzz.toml", text, |_| Ok::<_, String>(text.to_owned())) {
        Ok((_, warnings)) => {
            assert_eq!(read, None, "a check takes what is no dialect");
            lie_inside(&warnings, text);
        }
        Err(error) => {
            assert!(read.is_none_or(|read| read == error), "a check names other mistakes than a reading");
            mistakes_lie_inside(&error, text);
        }
    }
    for read in [Dialect::from_toml("fuzz.toml", text), dialects::vlens().extend("fuzz.toml", text)] {
        match read {
            Ok(dialect) => use_it(&dialect),
            Err(error) => mistakes_lie_inside(&error, text),
        }
    }
}

fn mistakes_lie_inside(error: &DialectError, text: &str) {
    assert!(!error.mistakes().is_empty(), "an error without a mistake");
    lie_inside(error.mistakes(), text);
}

fn lie_inside(mistakes: &[Mistake], text: &str) {
    let lines = 1 + text.matches('\n').count();
    for mistake in mistakes {
        assert!((1..=lines).contains(&mistake.line), "line {} of {lines}: {}", mistake.line, mistake.problem);
        assert!(!mistake.problem.is_empty(), "a mistake without a problem");
    }
    assert!(mistakes.is_sorted_by_key(|mistake| mistake.line), "mistakes out of order");
}

fn use_it(dialect: &Dialect) {
    assert!(!dialect.name().is_empty() && !dialect.vendor().is_empty(), "a dialect without a name");
    for body in BODIES {
        for status in [200, 401, 429, 503] {
            let head = Head::new(status, headers(), SystemTime::UNIX_EPOCH);
            let envelope = Envelope::read(dialect, &head, [body.as_bytes()]);
            assert_eq!(
                envelope,
                Envelope::read(dialect, &head, body.as_bytes().chunks(3)),
                "a cut changes the reading"
            );
            let _ = (
                envelope.code_location(dialect),
                envelope.message_location(dialect),
                envelope.request_id_location(dialect),
            );
            let _ = dialect.meaning(&head, &envelope);
            let mut signal = Signal::new(dialect, &head);
            let decision = signal.feed(body.as_bytes());
            let mut signal = Signal::new(dialect, &head);
            let bytes = body.as_bytes().chunks(1).map(|byte| signal.feed(byte)).last();
            assert_eq!(bytes.unwrap_or(decision), decision, "a cut changes the signal");
        }
    }
}

/// Headers of every kind that a file can name.
fn headers() -> &'static HeaderMap {
    static HEADERS: LazyLock<HeaderMap> = LazyLock::new(|| {
        let pairs = [
            ("content-type", "application/json"),
            ("retry-after", "3"),
            ("x-ratelimit-reset", "1768478400"),
            ("x-ratelimit-remaining", "0"),
            ("x-should-retry", "true"),
            ("x-request-id", "r1"),
            ("www-authenticate", "Bearer error=\"invalid_token\""),
        ];
        pairs
            .map(|(name, value)| (name.parse().expect("a legal name"), HeaderValue::from_static(value)))
            .into_iter()
            .collect()
    });
    &HEADERS
}
