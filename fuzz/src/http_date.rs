//! Holds the reader of dates against the `httpdate` crate and against what it writes itself.
//!
//! Allowed differences to `httpdate`, all of them where both take a text: a two-digit year, which `httpdate` places by its
//! digits and the reader by the fifty-year rule. Where only `httpdate` takes it: control characters around the date, which
//! no header holds, and any byte between a date with a two-digit year and its time. The reader takes much more: a leap
//! second, any weekday, any letter case, zones that mean `GMT`, ISO 8601.

use std::time::{Duration, SystemTime};

use redress_envelope::{format_date, parse_date};

/// Far longer than any date.
const MAX_LEN: usize = 128;

/// Reads a text as a date, writes it and reads it again.
///
/// # Panics
/// When the second reading differs from the first, or the first from that of `httpdate`.
pub fn check(data: &[u8]) {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_132_800);
    let Some(text) = std::str::from_utf8(data).ok().filter(|text| text.len() <= MAX_LEN) else { return };
    let date = parse_date(text, now);
    if let Some(date) = date {
        comes_back(date, now);
    }
    if text.contains(|symbol: char| symbol.is_ascii_control() && symbol != '\t') {
        return;
    }
    if let Ok(theirs) = httpdate::parse_http_date(text) {
        let ours = date.or_else(|| parse_date(&with_blank(text)?, now));
        let ours = ours.unwrap_or_else(|| panic!("{text}: httpdate takes it"));
        let century = Duration::from_secs(100 * 31_556_952);
        let off = ours.duration_since(theirs).or_else(|_| theirs.duration_since(ours)).unwrap_or_default();
        let two_digits = text.contains('-') && off.abs_diff(century) < Duration::from_secs(3 * 86_400);
        assert!(ours == theirs || two_digits, "{text}: {ours:?} or {theirs:?}");
    }
}

/// Puts a blank between a date with a two-digit year and its time.
fn with_blank(text: &str) -> Option<String> {
    let text = text.trim();
    let (day, time) = text.split_at_checked(text.len().checked_sub("08:49:37 GMT".len())?)?;
    let mut day = day.to_owned();
    day.pop()?;
    day.contains('-').then(|| format!("{day} {time}"))
}

/// Checks that a date within the years that can be written is the same when it is read again, up to the millisecond.
fn comes_back(date: SystemTime, now: SystemTime) {
    let last = SystemTime::UNIX_EPOCH + Duration::from_secs(253_402_300_800);
    let Ok(since) = date.duration_since(SystemTime::UNIX_EPOCH) else { return };
    if date < last {
        let written = format_date(date);
        let whole = SystemTime::UNIX_EPOCH + Duration::new(since.as_secs(), since.subsec_millis() * 1_000_000);
        assert_eq!(parse_date(&written, now), Some(whole), "{written}");
        assert_eq!(format_date(whole), written, "written twice");
    }
}
