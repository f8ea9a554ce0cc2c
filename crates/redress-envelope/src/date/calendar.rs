//! The Gregorian calendar.

use std::time::{Duration, SystemTime};

pub(super) const DAY: i64 = 86_400;

/// A date and time of day in UTC, not yet checked.
pub(super) struct Civil {
    pub(super) year: i64,
    pub(super) month: i64,
    pub(super) day: i64,
    pub(super) hour: i64,
    pub(super) minute: i64,
    pub(super) second: i64,
    pub(super) nanos: u32,
    /// Minutes east of Greenwich.
    pub(super) offset: i64,
}

impl Civil {
    /// Returns the instant, if it is one of the calendar.
    pub(super) fn instant(&self) -> Option<SystemTime> {
        let in_range = (1..=12).contains(&self.month)
            && (1..=days_in(self.year, self.month)).contains(&self.day)
            && self.hour < 24
            && self.minute < 60
            && self.second <= 60;
        if !in_range {
            return None;
        }
        let day = days_before(self.year, self.month, self.day);
        let seconds = day * DAY + self.hour * 3600 + (self.minute - self.offset) * 60 + self.second;
        let epoch = SystemTime::UNIX_EPOCH;
        let instant = match u64::try_from(seconds) {
            Ok(after) => epoch.checked_add(Duration::from_secs(after)),
            Err(_) => epoch.checked_sub(Duration::from_secs(seconds.unsigned_abs())),
        };
        instant?.checked_add(Duration::from_nanos(u64::from(self.nanos)))
    }
}

const fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

const fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Returns the days from 1970-01-01 to a date of the Gregorian calendar; years
/// begin in March for the sum.
const fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Undoes [`days_before`].
pub(super) const fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, of_year - (153 * shifted + 2) / 5 + 1)
}
