//! The units in which servers state when to come back.

use std::time::{Duration, SystemTime};

use super::{HintSource, RetryHint, When, ratelimit};
use crate::date::parse_date;

/// Far longer than any list of delays and dates, or any duration: a longer text is not looked at. Only a number may have any
/// length, since taking it for nothing would retry early.
const MAX_LEN: usize = 256;

/// The unit in which a header or a member of a body states a hint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unit {
    /// `Retry-After`'s own form: seconds or a date.
    Http,
    /// Seconds from the receipt of the response; a fraction is rounded up to the millisecond.
    Seconds,
    /// Milliseconds from the receipt of the response; a fraction is rounded up.
    Milliseconds,
    /// Seconds since 1970, a fraction allowed.
    EpochSeconds,
    /// Milliseconds since 1970, a fraction allowed.
    EpochMilliseconds,
    /// An HTTP date or an ISO 8601 date-time.
    Date,
    /// A number with a unit, or several: `6m0s`, `12ms` (Go's `time.Duration`), `3.5s` (protobuf's JSON form).
    Duration,
    /// The `t` of a `RateLimit` field, in seconds (IETF draft-ietf-httpapi-ratelimit-headers, a structured field).
    RateLimit,
    /// A date, a duration or a number: from 1,000,000,000 on since 1970 in seconds, from 1,000,000,000,000 on in
    /// milliseconds, below a delay in seconds. A last resort for a reset header of an unknown vendor.
    Guess,
}

impl Unit {
    /// Reads the text of a hint in this unit; `None` when it is malformed, or longer than a hint in words can be.
    #[must_use]
    pub fn read(self, value: &[u8], now: SystemTime) -> Option<When> {
        let text = std::str::from_utf8(value).ok()?.trim_matches([' ', '\t']);
        match self {
            Self::Http => one_of_list(text, now),
            Self::Seconds => decimal(text, 1_000).map(When::After),
            Self::Milliseconds => decimal(text, 1).map(When::After),
            Self::EpochSeconds => decimal(text, 1_000).and_then(epoch),
            Self::EpochMilliseconds => decimal(text, 1).and_then(epoch),
            Self::Duration => duration(text).map(When::After),
            Self::RateLimit => ratelimit::reset(text).map(When::After),
            Self::Guess => guess(text, now),
            Self::Date => parse_date(text, now).map(When::At),
        }
    }

    /// Returns the name that dialect files use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Seconds => "s",
            Self::Milliseconds => "ms",
            Self::EpochSeconds => "epoch_s",
            Self::EpochMilliseconds => "epoch_ms",
            Self::Date => "date",
            Self::Duration => "duration",
            Self::RateLimit => "ratelimit",
            Self::Guess => "guess",
        }
    }

    pub(crate) const ALL: [Self; 9] = [
        Self::Http,
        Self::Seconds,
        Self::Milliseconds,
        Self::EpochSeconds,
        Self::EpochMilliseconds,
        Self::Date,
        Self::Duration,
        Self::RateLimit,
        Self::Guess,
    ];
}

/// Reads `Retry-After`: a delay, a date, or by mistake a list of them.
fn one_of_list(text: &str, now: SystemTime) -> Option<When> {
    let single = |text: &str| decimal(text, 1_000).map(When::After).or_else(|| parse_date(text, now).map(When::At));
    if let Some(when) = single(text) {
        return Some(when);
    }
    if text.len() > MAX_LEN {
        return None;
    }
    let parts: Vec<&str> = text.split(',').map(|part| part.trim_matches([' ', '\t'])).collect();
    let pairs = parts.windows(2).filter_map(|pair| single(&pair.join(", ")));
    let longest = |a: When, b: When| if delay(b, now) > delay(a, now) { b } else { a };
    parts.iter().filter_map(|part| single(part)).chain(pairs).reduce(longest)
}

fn delay(when: When, now: SystemTime) -> Duration {
    RetryHint::new(when, HintSource::RetryAfter).delay(now)
}

fn epoch(since: Duration) -> Option<When> {
    SystemTime::UNIX_EPOCH.checked_add(since).map(When::At).or(Some(When::After(Duration::MAX)))
}

/// Reads `digits` or `digits.digits` in a unit of so many milliseconds, rounding a fraction up to the millisecond.
fn decimal(text: &str, unit_ms: u64) -> Option<Duration> {
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !all_digits(whole) || !fraction.is_none_or(all_digits) {
        return None;
    }
    let Some(whole_ms) = whole.parse::<u64>().ok().and_then(|whole| whole.checked_mul(unit_ms)) else {
        return Some(seconds_only(whole, unit_ms));
    };
    Some(Duration::from_millis(whole_ms).saturating_add(Duration::from_millis(fraction_ms(fraction, unit_ms))))
}

/// A number of milliseconds that does not fit may still be a number of seconds that does.
fn seconds_only(whole: &str, unit_ms: u64) -> Duration {
    match whole.parse::<u64>() {
        Ok(seconds) if unit_ms == 1_000 => Duration::from_secs(seconds),
        _ => Duration::MAX,
    }
}

fn fraction_ms(fraction: Option<&str>, unit_ms: u64) -> u64 {
    let Some(fraction) = fraction else { return 0 };
    let kept = fraction.get(..9).unwrap_or(fraction);
    let rest = fraction.get(9..).is_some_and(|rest| rest.bytes().any(|digit| digit != b'0'));
    let billionths: u64 = format!("{kept:0<9}").parse().unwrap_or(0);
    (billionths * unit_ms + u64::from(rest)).div_ceil(1_000_000_000)
}

/// Reads numbers with units and adds them up, rounding up to the millisecond.
fn duration(text: &str) -> Option<Duration> {
    if text.len() > MAX_LEN {
        return None;
    }
    let mut rest = text;
    let mut sum = Duration::ZERO;
    while !rest.is_empty() {
        let number = rest.find(|symbol: char| !symbol.is_ascii_digit() && symbol != '.')?;
        let (digits, after) = rest.split_at(number);
        let end = after.find(|symbol: char| symbol.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        let part = match unit {
            "h" => decimal(digits, 3_600_000)?,
            "m" => decimal(digits, 60_000)?,
            "s" => decimal(digits, 1_000)?,
            "ms" => decimal(digits, 1)?,
            // Below a millisecond any part is one.
            "us" | "\u{b5}s" | "\u{3bc}s" | "ns" => decimal(digits, 1)?.min(Duration::from_millis(1)),
            _ => return None,
        };
        sum = sum.saturating_add(part);
        rest = after;
    }
    (!text.is_empty()).then_some(sum)
}

fn guess(text: &str, now: SystemTime) -> Option<When> {
    let Some(number) = decimal(text, 1_000) else {
        return duration(text).map(When::After).or_else(|| parse_date(text, now).map(When::At));
    };
    match number.as_secs() {
        1_000_000_000_000.. => decimal(text, 1).and_then(epoch),
        1_000_000_000.. => epoch(number),
        _ => Some(When::After(number)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn each_unit_reads_its_own_form() {
        let after = |ms| Some(When::After(Duration::from_millis(ms)));
        for (unit, text, expected) in [
            (Unit::EpochMilliseconds, "1768478400250", Some(When::At(at(1_768_478_400) + Duration::from_millis(250)))),
            (Unit::EpochSeconds, "1768478400.25", Some(When::At(at(1_768_478_400) + Duration::from_millis(250)))),
            (Unit::Duration, "6m0s", after(360_000)),
            (Unit::Duration, "12ms", after(12)),
            (Unit::Duration, "1h2m3.5s", after(3_723_500)),
            (Unit::Duration, "3.5s", after(3_500)),
            (Unit::Duration, "37s", after(37_000)),
            (Unit::Duration, "1.000000001s", after(1_001)),
            (Unit::Duration, "5us", after(1)),
            (Unit::Duration, "0s", after(0)),
            (Unit::Duration, "99999999999999999999h", Some(When::After(Duration::MAX))),
            (Unit::Duration, "-3s", None),
            (Unit::Duration, "3", None),
            (Unit::Duration, "s", None),
            (Unit::Duration, "3d", None),
            (Unit::Duration, "", None),
            (Unit::Duration, "1s ", after(1_000)),
            (Unit::Duration, "1.0000000000s", after(1_000)),
            // Its milliseconds are too many to count, and its number is not that of seconds.
            (Unit::Duration, "6000000000000h", Some(When::After(Duration::MAX))),
            (Unit::Guess, "53", after(53_000)),
            (Unit::Guess, "1768478400", Some(When::At(at(1_768_478_400)))),
            (Unit::Guess, "1768478400000", Some(When::At(at(1_768_478_400)))),
            (Unit::Guess, "1m", after(60_000)),
            (Unit::Guess, "2026-01-15T12:00:00Z", Some(When::At(at(1_768_478_400)))),
            (Unit::Guess, "soon", None),
            (Unit::RateLimit, "\"p\";r=0;t=30", after(30_000)),
        ] {
            assert_eq!(unit.read(text.as_bytes(), at(0)), expected, "{unit:?} {text:?}");
        }
    }

    #[test]
    fn a_text_is_looked_at_up_to_its_longest_length() {
        for (unit, text, wait) in [(Unit::Http, "5,", 5), (Unit::Duration, "1s", 128)] {
            let longest = text.repeat(MAX_LEN / text.len());
            assert_eq!(
                (longest.len(), unit.read(longest.as_bytes(), at(0))),
                (MAX_LEN, Some(When::After(Duration::from_secs(wait))))
            );
            let longer = longest + text;
            assert_eq!(unit.read(longer.as_bytes(), at(0)), None, "{unit:?}");
        }
    }

    #[test]
    fn every_unit_has_a_name_of_its_own() {
        let mut names = Unit::ALL.map(Unit::as_str).to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Unit::ALL.len());
    }
}
