//! Holds the hint reader against a naive one that counts in `u128`, and against the `httpdate` crate.

use std::time::{Duration, SystemTime};

use redress_envelope::{RetryHint, When, format_date, parse_date};

/// Reads a header's value as `Retry-After` and checks what comes out.
///
/// Allowed differences to `httpdate`: a leap second, and a two-digit year, which `httpdate` places by its digits.
///
/// # Panics
/// When the reading breaks the rule, or differs from that of `httpdate`.
pub fn check(data: &[u8]) {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_132_800);
    let hint = RetryHint::retry_after(data, now);
    let Ok(text) = std::str::from_utf8(data) else {
        assert_eq!(hint, None, "not text");
        return;
    };
    let digits = text.trim_matches([' ', '\t']);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let seconds = digits.parse::<u128>().unwrap_or(u128::MAX);
        let expected = u64::try_from(seconds).map_or(Duration::MAX, Duration::from_secs);
        assert_eq!(hint.as_ref().map(RetryHint::when), Some(When::After(expected)), "{text}");
    }
    if let Ok(date) = httpdate::parse_http_date(text)
        && !text.contains('-')
    {
        assert_eq!(parse_date(text, now), Some(date), "{text}");
    }
    if let Some(When::At(instant)) = hint.map(|hint| hint.when()) {
        let again = parse_date(&format_date(instant), now);
        assert!(again.is_some(), "{text}: an instant that cannot be read back");
    }
}
