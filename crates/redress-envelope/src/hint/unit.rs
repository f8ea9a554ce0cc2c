//! The units in which servers state when to come back.

use std::time::{Duration, SystemTime};

use super::number::Number;
use super::{When, ratelimit};
use crate::date::parse_date;

/// Far longer than any list of delays and dates, or any duration: a longer text is not looked at. Only a number may have any
/// length, since zeros in front or behind the point change nothing.
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
    /// A date, a duration, or a number: with fewer than 10 digits a delay in seconds, else the time since 1970. A last
    /// resort for a reset header of an unknown vendor.
    Guess,
}

impl Unit {
    /// Reads the text of a hint in this unit, `now` being the time of the server's clock.
    ///
    /// Returns `None` when the text is malformed, when the time has passed, and when it lies further ahead than
    /// [`RetryHint::MAX_DELAY`](super::RetryHint::MAX_DELAY). A number of 10 and more digits is the time since 1970, whether a delay or an instant is
    /// expected, since servers mix them up: 10 to 11 digits are seconds, 12 to 14 milliseconds, 15 to 17 microseconds, 18
    /// to 20 nanoseconds. As [`Milliseconds`](Self::Milliseconds), where 10 digits can be a delay, it is a time only
    /// within `MAX_DELAY` of `now`.
    #[must_use]
    pub fn read(self, value: &[u8], now: SystemTime) -> Option<When> {
        let text = std::str::from_utf8(value).ok()?.trim_matches([' ', '\t']);
        let when = match self {
            Self::Http => one_of_list(text, now),
            Self::Seconds => Number::parse(text).map(Number::seconds),
            Self::Milliseconds => Number::parse(text).map(|number| number.milliseconds(now)),
            Self::EpochSeconds => Number::parse(text).and_then(|number| number.epoch(1_000)),
            Self::EpochMilliseconds => Number::parse(text).and_then(|number| number.epoch(1)),
            Self::Duration => duration(text).map(When::After),
            Self::RateLimit => ratelimit::reset(text, now),
            Self::Guess => guess(text, now),
            Self::Date => parse_date(text, now).map(When::At),
        };
        when.filter(|when| when.is_plausible(now))
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
    let single = |text: &str| {
        let when = Number::parse(text).map(Number::seconds).or_else(|| parse_date(text, now).map(When::At));
        when.filter(|when| when.is_plausible(now))
    };
    if let Some(when) = single(text) {
        return Some(when);
    }
    if text.len() > MAX_LEN {
        return None;
    }
    let parts: Vec<&str> = text.split(',').map(|part| part.trim_matches([' ', '\t'])).collect();
    let pairs = parts.windows(2).filter_map(|pair| single(&pair.join(", ")));
    let longest = |a: When, b: When| if b.delay(now) > a.delay(now) { b } else { a };
    parts.iter().filter_map(|part| single(part)).chain(pairs).reduce(longest)
}

/// Reads numbers with units and adds them up, rounding up to the millisecond.
fn duration(text: &str) -> Option<Duration> {
    if text.len() > MAX_LEN {
        return None;
    }
    let mut rest = text;
    let mut sum = Duration::ZERO;
    while !rest.is_empty() {
        let end = rest.find(|symbol: char| !symbol.is_ascii_digit() && symbol != '.')?;
        let (digits, after) = rest.split_at(end);
        let end = after.find(|symbol: char| symbol.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        let number = Number::parse(digits)?;
        let part = match unit {
            "h" => number.delay(3_600_000),
            "m" => number.delay(60_000),
            "s" => number.delay(1_000),
            "ms" => number.delay(1),
            // Below a millisecond any part is one.
            "us" | "\u{b5}s" | "\u{3bc}s" | "ns" => number.delay(1).min(Duration::from_millis(1)),
            _ => return None,
        };
        sum = sum.saturating_add(part);
        rest = after;
    }
    (!text.is_empty()).then_some(sum)
}

fn guess(text: &str, now: SystemTime) -> Option<When> {
    let number = Number::parse(text).map(Number::seconds);
    number.or_else(|| duration(text).map(When::After)).or_else(|| parse_date(text, now).map(When::At))
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
            (Unit::Duration, "99999999999999999999h", None),
            (Unit::Duration, "-3s", None),
            (Unit::Duration, "3", None),
            (Unit::Duration, "s", None),
            (Unit::Duration, "3d", None),
            (Unit::Duration, "", None),
            (Unit::Duration, "1s ", after(1_000)),
            (Unit::Duration, "1.0000000000s", after(1_000)),
            // Its milliseconds are too many to count.
            (Unit::Duration, "6000000000000h", None),
            (Unit::Guess, "53", after(53_000)),
            (Unit::Guess, "1768478400", Some(When::At(at(1_768_478_400)))),
            (Unit::Guess, "1768478400000", Some(When::At(at(1_768_478_400)))),
            (Unit::Guess, "1m", after(60_000)),
            (Unit::Guess, "2026-01-15T12:00:00Z", Some(When::At(at(1_768_478_400)))),
            (Unit::Guess, "soon", None),
            (Unit::RateLimit, "\"p\";r=0;t=30", after(30_000)),
        ] {
            assert_eq!(unit.read(text.as_bytes(), at(1_768_478_400)), expected, "{unit:?} {text:?}");
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
