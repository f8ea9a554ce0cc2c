//! A monotonic and a wall clock with a common start: elapsed time for the log, dates for headers and
//! envelopes.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A monotonic instant and the wall-clock time at that instant.
#[derive(Debug)]
pub(crate) struct Clock {
    instant: Instant,
    system: SystemTime,
}

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "this is the edge that makes the anchored pair")]
    pub(crate) fn start() -> Self {
        Self { instant: Instant::now(), system: SystemTime::now() }
    }

    /// Returns the whole milliseconds since the start.
    pub(crate) fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.instant.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Returns the HTTP-date (IMF-fixdate, RFC 9110, section 5.6.7) at `offset` seconds from now.
    pub(crate) fn http_date(&self, offset: i32) -> String {
        let distance = Duration::from_secs(u64::from(offset.unsigned_abs()));
        let date =
            if offset < 0 { self.now().checked_sub(distance).unwrap_or(UNIX_EPOCH) } else { self.now() + distance };
        httpdate::fmt_http_date(date.max(UNIX_EPOCH))
    }

    /// Returns the current time as an RFC 3339 timestamp in UTC, in whole seconds.
    pub(crate) fn timestamp(&self) -> String {
        let since = self.now().duration_since(UNIX_EPOCH);
        rfc3339(since.unwrap_or_default().as_secs())
    }

    fn now(&self) -> SystemTime {
        self.system + self.instant.elapsed()
    }
}

/// Formats seconds since 1970 as `YYYY-MM-DDThh:mm:ssZ`.
fn rfc3339(seconds: u64) -> String {
    let (year, month, day) = civil_date(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Converts days since 1970 to year, month and day of the Gregorian calendar.
///
/// The internal year starts on 1 March, so the leap day is its last day.
fn civil_date(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_follows_the_calendar() {
        let cases = [
            (0, "1970-01-01T00:00:00Z", "the epoch"),
            (951_782_400, "2000-02-29T00:00:00Z", "a leap day of a leap century"),
            (951_868_800, "2000-03-01T00:00:00Z", "the day after it"),
            (1_705_317_753, "2024-01-15T11:22:33Z", "an ordinary day"),
            (4_107_542_400, "2100-03-01T00:00:00Z", "a century without a leap day"),
        ];
        for (seconds, expected, name) in cases {
            assert_eq!(rfc3339(seconds), expected, "{name}");
        }
    }

    #[test]
    fn a_date_in_the_past_is_earlier_than_one_in_the_future() {
        let clock = Clock::start();
        let parse = |text: String| httpdate::parse_http_date(&text).unwrap();
        assert!(parse(clock.http_date(-60)) < parse(clock.http_date(60)));
    }
}
