//! Holds the hint of any answer, in every shipped dialect, to what a server can mean: at most a year ahead, and no end of a
//! rate-limit window while there is quota left.

use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue};
use redress_envelope::{Class, Dialect, Envelope, Head, HintSource, RetryHint, dialects};

/// The headers that a line of the input may set, by its first byte.
const NAMES: [&str; 16] = [
    "retry-after",
    "retry-after-ms",
    "ratelimit",
    "ratelimit-reset",
    "ratelimit-remaining",
    "x-ratelimit-reset",
    "x-ratelimit-remaining",
    "x-rate-limit-reset",
    "x-rate-limit-remaining",
    "x-ratelimit-reset-after",
    "x-ratelimit-reset-tokens",
    "x-ratelimit-remaining-tokens",
    "anthropic-ratelimit-tokens-reset",
    "anthropic-ratelimit-tokens-remaining",
    "date",
    "age",
];

/// Reads the first byte as a status, then lines: the first byte of each chooses a header, the rest is its value. A line that
/// begins with `{` is the body.
///
/// # Panics
/// When a hint lies more than a year ahead, or is a window whose quota is not used up.
pub fn check(data: &[u8]) {
    static ALL: LazyLock<Vec<Dialect>> = LazyLock::new(dialects::all);
    let Some((status, rest)) = data.split_first() else { return };
    let status = [503, 502, 504, 429, 500, 403, 402, 400][usize::from(*status % 8)];
    let (mut headers, mut body) = (HeaderMap::new(), &[][..]);
    for line in rest.split(|byte| *byte == b'\n') {
        match line.split_first() {
            Some((b'{', _)) => body = line,
            Some((name, value)) => {
                let name = HeaderName::from_static(NAMES[usize::from(*name % 16)]);
                headers.extend(HeaderValue::from_bytes(value).ok().map(|value| (name, value)));
            }
            None => {}
        }
    }
    let head = Head::new(status, &headers, SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_132_800));
    for dialect in &*ALL {
        let meaning = dialect.meaning(&head, &Envelope::read(dialect, &head, [body]));
        let Some(hint) = &meaning.hint else { continue };
        let name = dialect.name();
        assert!(hint.delay(head.server_now()) <= RetryHint::MAX_DELAY, "{name}: more than a year");
        let limited = status == 429 || matches!(meaning.class, Class::RateLimited | Class::QuotaExhausted);
        if let (HintSource::Header(source), false) = (hint.source(), limited) {
            let is_left = !source.contains("reset") || has_none_left(&headers, source);
            assert!(is_left, "{name}: {source} is a wait with quota left");
        }
    }
}

/// Whether the header that says how much is left until a reset names a zero, or a number below. That is the one of the same
/// resource, or the one for all where the resource has none.
fn has_none_left(headers: &HeaderMap, reset: &str) -> bool {
    const ALL: &str = "x-ratelimit-remaining";
    let names = [reset.replace("reset-after", "reset").replace("reset", "remaining"), ALL.to_owned()];
    let Some(name) = names.iter().find(|name| headers.contains_key(*name)) else { return false };
    let texts = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    let mut numbers = texts.flat_map(|text| text.split([',', ';'])).filter_map(|text| text.trim().parse::<f64>().ok());
    numbers.any(|left| left <= 0.0)
}
