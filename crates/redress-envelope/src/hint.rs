//! Retry hints: the time at which a server asks its caller to retry.
//!
//! Reading is total: any bytes give a hint or `None`, never an error. A
//! plausible hint is kept as the server gave it; the caller decides whether it
//! is too long.

mod duration;
mod list;
mod number;
mod ratelimit;
mod unit;

use std::fmt;
use std::time::{Duration, SystemTime};

pub(crate) use list::{before, members, unquoted};
pub(crate) use ratelimit::Quota;
pub use unit::Unit;

/// A server's request to wait, and its place in the response.
///
/// # Examples
/// ```
/// use std::time::{Duration, SystemTime};
/// use redress_envelope::{HintSource, RetryHint, When};
///
/// let hint = RetryHint::new(When::After(Duration::from_secs(30)), HintSource::RetryAfter);
/// assert_eq!(hint.delay(SystemTime::now()), Duration::from_secs(30));
/// assert_eq!(hint.source().to_string(), "retry-after header");
/// assert_eq!(serde_json::to_string(&hint)?, r#"{"after_ms":30000,"at":null,"source":"retry_after"}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RetryHint {
    when: When,
    source: HintSource,
}

/// The time of a hint: a delay or an instant.
///
/// It is exhaustive: HTTP has these two forms (RFC 9110 section 10.2.3), and
/// every other form is reduced to one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum When {
    /// This long after the response was received.
    After(Duration),
    /// At this time of the server's clock.
    At(SystemTime),
}

/// The place of a hint in a response.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HintSource {
    /// The `Retry-After` header (RFC 9110 section 10.2.3).
    RetryAfter,
    /// Another header, in lower case.
    Header(String),
    /// A member of the body, as a path.
    Body(String),
}

impl When {
    /// Returns the wait by the server's clock; none for an instant in the past.
    pub(crate) fn delay(self, server_now: SystemTime) -> Duration {
        match self {
            Self::After(delay) => delay,
            Self::At(instant) => instant.duration_since(server_now).unwrap_or_default(),
        }
    }

    /// Returns `true` if a server can have meant it: a time that has not passed,
    /// and at most a year ahead.
    pub(crate) fn is_plausible(self, server_now: SystemTime) -> bool {
        let has_passed = matches!(self, Self::At(instant) if instant < server_now);
        !has_passed && self.delay(server_now) <= RetryHint::MAX_DELAY
    }
}

impl fmt::Display for HintSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RetryAfter => f.write_str("retry-after header"),
            Self::Header(name) => write!(f, "{name} header"),
            Self::Body(path) => write!(f, "{path} in the body"),
        }
    }
}

impl RetryHint {
    /// Creates a hint.
    ///
    /// # Examples
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// use redress_envelope::{HintSource, RetryHint, When};
    ///
    /// let at = SystemTime::UNIX_EPOCH + Duration::from_secs(60);
    /// let hint = RetryHint::new(When::At(at), HintSource::Body("error.until".to_owned()));
    /// assert_eq!(hint.delay(SystemTime::UNIX_EPOCH), Duration::from_secs(60));
    /// ```
    #[must_use]
    pub const fn new(when: When, source: HintSource) -> Self {
        Self { when, source }
    }

    /// The longest wait that a response is believed to ask for: 366 days.
    ///
    /// No quota is counted over more than a year. What lies further ahead is a
    /// number in the wrong unit, a clock that is wrong, or an attempt to shut the
    /// caller out.
    pub const MAX_DELAY: Duration = Duration::from_secs(366 * 86_400);

    /// Reads one value of a `Retry-After` header; of several in a list the longest
    /// valid one counts.
    ///
    /// `now` is the time by the server's clock. Returns `None` for what is
    /// malformed, for a time that has passed, and for one that lies further ahead
    /// than [`MAX_DELAY`](Self::MAX_DELAY). A number of 10 and more digits is the
    /// time since 1970; [`Unit::read`] says in which unit.
    ///
    /// # Examples
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// use redress_envelope::{RetryHint, When};
    ///
    /// let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_768_478_400);
    /// let read = |text: &[u8]| RetryHint::retry_after(text, now).map(|hint| hint.delay(now).as_secs());
    /// assert_eq!(read(b"120"), Some(120));
    /// assert_eq!(read(b"1768478460"), Some(60));
    /// assert_eq!(read(b"1768478460000"), Some(60));
    /// assert_eq!(read(b"99999999999999999999"), None);
    /// assert_eq!(read(b"+5"), None);
    /// ```
    #[must_use]
    pub fn retry_after(value: &[u8], now: SystemTime) -> Option<Self> {
        Unit::Http.read(value, now).map(|when| Self::new(when, HintSource::RetryAfter))
    }

    /// Returns the delay or the instant of the hint.
    #[must_use]
    pub const fn when(&self) -> When {
        self.when
    }

    /// Returns the place of the hint in the response.
    #[must_use]
    pub const fn source(&self) -> &HintSource {
        &self.source
    }

    /// Returns the delay, counted from the receipt of the response. `server_now` is
    /// the time of the server's clock.
    ///
    /// An instant in the past gives a delay of zero.
    ///
    /// # Examples
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// use redress_envelope::RetryHint;
    ///
    /// let epoch = SystemTime::UNIX_EPOCH;
    /// let hint = RetryHint::retry_after(b"Thu, 01 Jan 1970 00:01:00 GMT", epoch).expect("a date ahead");
    /// assert_eq!(hint.delay(epoch), Duration::from_secs(60));
    /// assert_eq!(hint.delay(epoch + Duration::from_secs(90)), Duration::ZERO);
    /// ```
    #[must_use]
    pub fn delay(&self, server_now: SystemTime) -> Duration {
        self.when.delay(server_now)
    }

    /// Returns the later of two hints by the given clock of the server.
    ///
    /// Of two equal delays the first hint counts.
    ///
    /// # Examples
    /// ```
    /// use std::time::SystemTime;
    /// use redress_envelope::RetryHint;
    ///
    /// let now = SystemTime::UNIX_EPOCH;
    /// let hint = |text: &[u8]| RetryHint::retry_after(text, now).expect("a hint");
    /// assert_eq!(hint(b"5").later_at(hint(b"30"), now), hint(b"30"));
    /// ```
    #[must_use]
    pub fn later_at(self, other: Self, server_now: SystemTime) -> Self {
        if other.delay(server_now) > self.delay(server_now) { other } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 1994-11-06T08:49:37Z.
    const THEN: u64 = 784_111_777;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn read(text: &str) -> Option<When> {
        RetryHint::retry_after(text.as_bytes(), at(THEN)).map(|hint| hint.when())
    }

    #[test]
    fn retry_after_reads_as_documented() {
        let after = |ms| Some(When::After(Duration::from_millis(ms)));
        for (text, expected) in [
            ("120", after(120_000)),
            (" 120 ", after(120_000)),
            ("\t120", after(120_000)),
            ("0120", after(120_000)),
            ("0", after(0)),
            ("1.5", after(1_500)),
            ("299.997", after(299_997)),
            ("1.0001", after(1_001)),
            ("1.0000000000001", after(1_001)),
            ("0,120", after(120_000)),
            ("120, 0", after(120_000)),
            ("nonsense, 7", after(7_000)),
            ("30s", after(30_000)),
            ("1m0s", after(60_000)),
            ("120 seconds", after(120_000)),
            ("PT30S", after(30_000)),
            ("\"30\"", after(30_000)),
            ("30s, 2 minutes", after(120_000)),
            ("31622400", after(31_622_400_000)),
            ("784111837000", Some(When::At(at(THEN + 60)))),
            ("Sun, 06 Nov 1994 08:50:37 GMT", Some(When::At(at(THEN + 60)))),
            ("Sunday, 06-Nov-94 08:50:37 GMT", Some(When::At(at(THEN + 60)))),
            ("Sun Nov  6 08:50:37 1994", Some(When::At(at(THEN + 60)))),
            ("5, Sun, 06 Nov 1994 08:50:37 GMT", Some(When::At(at(THEN + 60)))),
            ("Sun, 06 Nov 1994 08:50:37 GMT, 90", after(90_000)),
            // Of two that are as long the first one.
            ("60, Sun, 06 Nov 1994 08:50:37 GMT", after(60_000)),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn malformed_values_are_not_hints() {
        for text in [
            "",
            "-5",
            "+5",
            "1e3",
            "0x10",
            "inf",
            "NaN",
            "٣",
            ";param",
            "120;param",
            "1.",
            ".5",
            "1.5.5",
            "5 x",
            ",",
            "31622401",
            "1763650000",
            "2147483648",
            "18446744073709551616",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(RetryHint::retry_after(b"\xff\xfe", at(THEN)), None);
    }

    #[test]
    fn of_two_hints_as_long_the_first_one_counts() {
        let hint = |when, name: &str| RetryHint::new(when, HintSource::Header(name.to_owned()));
        let (delay, date) = (When::After(Duration::from_secs(60)), When::At(at(THEN + 60)));
        let (a, b) = (hint(delay, "a"), hint(date, "b"));
        assert_eq!(a.clone().later_at(b.clone(), at(THEN)), a);
        assert_eq!(b.clone().later_at(a.clone(), at(THEN)), b);
        assert_eq!(a.clone().later_at(b.clone(), at(THEN - 1)), b, "by an earlier clock the date is later");
        assert_eq!(b.later_at(a.clone(), at(THEN + 1)), a);
    }

    #[test]
    fn a_source_says_where_a_hint_stood() {
        for (source, text) in [
            (HintSource::RetryAfter, "retry-after header"),
            (HintSource::Header("x-reset".to_owned()), "x-reset header"),
            (HintSource::Body("error.wait".to_owned()), "error.wait in the body"),
        ] {
            assert_eq!(source.to_string(), text);
        }
    }

    #[test]
    fn units_differ() {
        let read = |unit: Unit, text: &str| unit.read(text.as_bytes(), at(THEN));
        assert_eq!(read(Unit::Milliseconds, "1500"), Some(When::After(Duration::from_millis(1_500))));
        assert_eq!(read(Unit::Milliseconds, "0.5"), Some(When::After(Duration::from_millis(1))));
        assert_eq!(read(Unit::Seconds, "64.57"), Some(When::After(Duration::from_millis(64_570))));
        assert_eq!(read(Unit::EpochSeconds, "784111800"), Some(When::At(at(784_111_800))));
        assert_eq!(read(Unit::Date, "1994-11-06T08:50:37Z"), Some(When::At(at(THEN + 60))));
        assert_eq!(read(Unit::Date, "60"), None);
    }

    #[test]
    fn a_date_in_the_past_gives_no_delay() {
        let hint = RetryHint::retry_after(b"Sun, 06 Nov 1994 08:49:37 GMT", at(THEN)).unwrap();
        assert_eq!(hint.delay(at(THEN + 10)), Duration::ZERO);
        assert_eq!(hint.delay(at(THEN - 10)), Duration::from_secs(10));
    }

    proptest! {
        #[test]
        fn digits_are_the_number_they_spell_up_to_a_year(digits in "0{0,3}[0-9]{1,9}") {
            let expected = Duration::from_secs(digits.parse().unwrap());
            let expected = (expected <= RetryHint::MAX_DELAY).then_some(When::After(expected));
            prop_assert_eq!(read(&digits), expected);
        }

        #[test]
        fn a_further_digit_never_shortens_the_wait(digits in "[1-9][0-9]{0,7}", more in "[0-9]") {
            let wait = |text: &str| read(text).map(|when| when.delay(at(THEN)));
            let longer = digits.clone() + &more;
            prop_assert!(wait(&longer).is_none_or(|longer| wait(&digits).is_some_and(|wait| longer >= wait)));
        }

        #[test]
        fn any_bytes_give_a_hint_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = RetryHint::retry_after(&bytes, at(THEN));
        }
    }
}
