//! The units in which servers state when to come back.

use std::time::SystemTime;

use super::duration::duration;
use super::list::{members, trimmed, unquoted};
use super::number::{MICROSECOND, MILLISECOND, MINUTE, Number, SECOND};
use super::{When, ratelimit};
use crate::date::parse_date;

/// Far longer than any list of delays and dates, or any duration: a longer text
/// is not looked at. Only a number may have any length, since zeros in front or
/// behind the point change nothing.
const MAX_LEN: usize = 256;

/// The unit of a bare number in a hint. A date or a duration states its own
/// unit and is read in every unit.
///
/// # Examples
/// ```
/// use std::time::{Duration, SystemTime};
/// use redress_envelope::{Unit, When};
///
/// let now = SystemTime::UNIX_EPOCH;
/// assert_eq!(Unit::Milliseconds.read(b"1500", now), Some(When::After(Duration::from_millis(1500))));
/// assert_eq!(Unit::Duration.read(b"1m30s", now), Some(When::After(Duration::from_secs(90))));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unit {
    /// Seconds, the form of `Retry-After`.
    Http,
    /// Minutes from the receipt of the response, a fraction allowed.
    Minutes,
    /// Seconds from the receipt of the response; a fraction is rounded up to the
    /// millisecond.
    Seconds,
    /// Milliseconds from the receipt of the response; a fraction is rounded up.
    Milliseconds,
    /// Microseconds from the receipt of the response, rounded up to the
    /// millisecond.
    Microseconds,
    /// Nanoseconds from the receipt of the response, rounded up to the millisecond.
    Nanoseconds,
    /// Seconds since 1970, a fraction allowed.
    EpochSeconds,
    /// Milliseconds since 1970, a fraction allowed.
    EpochMilliseconds,
    /// An HTTP date or an ISO 8601 date-time; a bare number says nothing, unless it
    /// is the time since 1970.
    Date,
    /// A number with a unit, or several: `6m0s`, `12ms` (Go's `time.Duration`),
    /// `3.5s` (protobuf's JSON form), `2 minutes`, `PT30S` (ISO 8601). A bare
    /// number says nothing, unless it is the time since 1970.
    Duration,
    /// The `t` of a `RateLimit` field, or the `reset` of its older form, in seconds
    /// (IETF draft-ietf-httpapi-ratelimit-headers, a structured field).
    RateLimit,
    /// With fewer than 10 digits a delay in seconds, else the time since 1970. A
    /// last resort for a reset header of an unknown vendor.
    Guess,
}

impl Unit {
    /// Reads the text of a hint in this unit, `now` being the time of the server's
    /// clock.
    ///
    /// The text is a number, a duration or a date, optionally quoted, or a
    /// comma-separated list of them; the longest counts.
    ///
    /// Returns `None` when the text is malformed, when the time has passed, and
    /// when it lies further ahead than
    /// [`RetryHint::MAX_DELAY`](super::RetryHint::MAX_DELAY). A number of 10 and
    /// more digits is the time since 1970, whether a delay or an instant is
    /// expected, since servers mix them up: 10 to 11 digits are seconds, 12 to 14
    /// milliseconds, 15 to 17 microseconds, 18 to 20 nanoseconds. As
    /// [`Milliseconds`](Self::Milliseconds), where 10 digits can be a delay, it is
    /// a time only within `MAX_DELAY` of `now`, and below milliseconds only where
    /// it is too long for a delay.
    ///
    /// # Examples
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// use redress_envelope::{Unit, When};
    ///
    /// let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_768_478_400);
    /// assert_eq!(Unit::Seconds.read(b"5, 30", now), Some(When::After(Duration::from_secs(30))));
    /// assert_eq!(Unit::Seconds.read(b"soon", now), None);
    /// ```
    #[must_use]
    pub fn read(self, value: &[u8], now: SystemTime) -> Option<When> {
        self.read_text(std::str::from_utf8(value).ok()?, now)
    }

    /// Reads the text of a hint as [`read`](Self::read) does.
    pub(crate) fn read_text(self, text: &str, now: SystemTime) -> Option<When> {
        let text = trimmed(text);
        if self == Self::RateLimit {
            return ratelimit::reset(text, now).filter(|when| when.is_plausible(now));
        }
        self.single(text, now).or_else(|| self.longest_member(text, now))
    }

    /// Returns the name that dialect files use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Minutes => "minutes",
            Self::Seconds => "s",
            Self::Milliseconds => "ms",
            Self::Microseconds => "us",
            Self::Nanoseconds => "ns",
            Self::EpochSeconds => "epoch_s",
            Self::EpochMilliseconds => "epoch_ms",
            Self::Date => "date",
            Self::Duration => "duration",
            Self::RateLimit => "ratelimit",
            Self::Guess => "guess",
        }
    }

    pub(crate) const ALL: [Self; 12] = [
        Self::Http,
        Self::Seconds,
        Self::Milliseconds,
        Self::Microseconds,
        Self::Nanoseconds,
        Self::Minutes,
        Self::EpochSeconds,
        Self::EpochMilliseconds,
        Self::Date,
        Self::Duration,
        Self::RateLimit,
        Self::Guess,
    ];

    /// Reads a bare number, or whatever states its unit by itself.
    fn single(self, text: &str, now: SystemTime) -> Option<When> {
        let text = unquoted(text);
        let when = match Number::parse(text) {
            Some(number) => self.number(number, now),
            None if text.len() > MAX_LEN => None,
            None => duration(text).map(When::After).or_else(|| parse_date(text, now).map(When::At)),
        };
        when.filter(|when| when.is_plausible(now))
    }

    /// Reads a list and returns its longest member. Proxies join repeated headers
    /// into a list.
    fn longest_member(self, text: &str, now: SystemTime) -> Option<When> {
        if text.len() > MAX_LEN {
            return None;
        }
        let longest = |a: When, b: When| if b.delay(now) > a.delay(now) { b } else { a };
        members(unquoted(text)).filter_map(|member| self.single(member, now)).reduce(longest)
    }

    fn number(self, number: Number<'_>, now: SystemTime) -> Option<When> {
        let instant_or = |delay| number.instant().map_or(When::After(delay), When::At);
        match self {
            Self::Http | Self::Seconds | Self::Guess => Some(number.seconds()),
            Self::Minutes => Some(instant_or(number.delay(MINUTE))),
            Self::Milliseconds => Some(number.milliseconds(now)),
            Self::Microseconds => Some(number.below_milliseconds(MICROSECOND)),
            Self::Nanoseconds => Some(number.below_milliseconds(1)),
            Self::EpochSeconds => number.epoch(SECOND),
            Self::EpochMilliseconds => number.epoch(MILLISECOND),
            Self::Date | Self::Duration | Self::RateLimit => number.instant().map(When::At),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
            (Unit::Duration, "1.000000001s", after(1_001)),
            (Unit::Duration, "3", None),
            (Unit::Duration, "", None),
            (Unit::Duration, "1s ", after(1_000)),
            (Unit::Duration, "1768478400", Some(When::At(at(1_768_478_400)))),
            // Its milliseconds are too many to count.
            (Unit::Duration, "6000000000000h", None),
            (Unit::Date, "3", None),
            (Unit::Minutes, "1.5", after(90_000)),
            (Unit::Minutes, "19", after(1_140_000)),
            (Unit::Minutes, "527040", after(31_622_400_000)),
            (Unit::Minutes, "527041", None),
            (Unit::Microseconds, "1500000", after(1_500)),
            (Unit::Microseconds, "1", after(1)),
            (Unit::Microseconds, "3600000000", after(3_600_000)),
            (Unit::Microseconds, "1768478400000000", Some(When::At(at(1_768_478_400)))),
            (Unit::Nanoseconds, "1768478460000", after(1_768_479)),
            (Unit::Nanoseconds, "31622400000000000", after(31_622_400_000)),
            (Unit::Nanoseconds, "1768478400000000000", Some(When::At(at(1_768_478_400)))),
            (Unit::Nanoseconds, "99999999999999999999", None),
            // A text that states its unit is read in every unit.
            (Unit::Seconds, "PT30S", after(30_000)),
            (Unit::Milliseconds, "30s", after(30_000)),
            (Unit::EpochSeconds, "2 minutes", after(120_000)),
            (Unit::Minutes, "2026-01-15T12:00:00Z", Some(When::At(at(1_768_478_400)))),
            (Unit::Date, "30s", after(30_000)),
            (Unit::Seconds, "\"30\"", after(30_000)),
            (Unit::Seconds, "\"30, 60\"", after(60_000)),
            (Unit::Milliseconds, "5, 1500", after(1_500)),
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
