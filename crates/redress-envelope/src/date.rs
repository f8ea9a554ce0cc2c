//! HTTP dates (RFC 9110 section 5.6.7) and RFC 3339 instants, without a clock and without a time zone database.

use std::time::{Duration, SystemTime};

const DAY: i64 = 86_400;
/// 9999-12-31T23:59:59Z, the last second that the formats can write.
const LAST: i64 = 253_402_300_799;
/// Far longer than the longest form; a longer text is not a date and is not looked at.
const MAX_LEN: usize = 64;
const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// A date and time of day in UTC, not yet checked.
struct Civil {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    nanos: u32,
    /// Minutes east of Greenwich.
    offset: i64,
}

/// Reads an HTTP date in any of its three forms, or an ISO 8601 date-time.
///
/// `now` places a two-digit year: it is the latest one with these digits whose date is at most 50 years in the future.
/// Read leniently: letter case, the name of the weekday, `UTC` or `+0000` for `GMT`, a leap second.
///
/// # Examples
/// ```
/// use std::time::{Duration, SystemTime};
/// use redress_envelope::parse_date;
///
/// let then = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
/// for text in ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"] {
///     assert_eq!(parse_date(text, then), Some(then));
/// }
/// ```
#[must_use]
pub fn parse_date(text: &str, now: SystemTime) -> Option<SystemTime> {
    let text = text.trim_matches([' ', '\t']);
    if text.len() > MAX_LEN || !text.is_ascii() {
        return None;
    }
    let text = text.to_ascii_lowercase();
    let words: Vec<&str> = text.split([' ', ',']).filter(|word| !word.is_empty()).collect();
    match *words.as_slice() {
        [_, day, month, year, time, zone] => civil(year4(year)?, month, day, time, zone)?.instant(),
        [_, date, time, zone] => rfc850(date, time, zone, now),
        [_, month, day, time, year] => civil(year4(year)?, month, day, time, "gmt")?.instant(),
        [iso] => iso8601(iso)?.instant(),
        [date, time] => iso8601(&format!("{date}t{time}"))?.instant(),
        _ => None,
    }
}

/// Writes an instant as RFC 3339 with milliseconds, in UTC; one before 1970 or after 9999 is moved to the border.
///
/// # Examples
/// ```
/// use std::time::{Duration, SystemTime};
///
/// let then = SystemTime::UNIX_EPOCH + Duration::from_millis(784_111_777_250);
/// assert_eq!(redress_envelope::format_date(then), "1994-11-06T08:49:37.250Z");
/// ```
#[must_use]
pub fn format_date(instant: SystemTime) -> String {
    let since = instant.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let (seconds, millis) = match i64::try_from(since.as_secs()) {
        Ok(seconds) if seconds <= LAST => (seconds, since.subsec_millis()),
        _ => (LAST, 999),
    };
    let (year, month, day) = date_of(seconds.div_euclid(DAY));
    let rest = seconds.rem_euclid(DAY);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

fn rfc850(date: &str, time: &str, zone: &str, now: SystemTime) -> Option<SystemTime> {
    let mut parts = date.split('-');
    let (day, month, digits) = (parts.next()?, parts.next()?, number(parts.next()?, 2)?);
    if parts.next().is_some() {
        return None;
    }
    let seconds = i64::try_from(now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()).ok()?;
    let (year, ..) = date_of(seconds.min(LAST).div_euclid(DAY));
    let limit = now.checked_add(Duration::from_secs(50 * 31_556_952)).unwrap_or(now);
    let ahead = (year / 100 + 1) * 100 + digits;
    [ahead, ahead - 100, ahead - 200]
        .into_iter()
        .filter_map(|year| civil(year, month, day, time, zone)?.instant())
        .find(|instant| *instant <= limit)
}

fn civil(year: i64, month: &str, day: &str, time: &str, zone: &str) -> Option<Civil> {
    let month = MONTHS.iter().position(|name| *name == month)?;
    let day = number(day, day.len().clamp(1, 2))?;
    let mut parts = time.split(':');
    let mut part = || number(parts.next()?, 2);
    let (hour, minute, second) = (part()?, part()?, part()?);
    let zoned = matches!(zone, "gmt" | "utc" | "z" | "+0000" | "-0000");
    if parts.next().is_some() || !zoned {
        return None;
    }
    Some(Civil { year, month: i64::try_from(month).ok()? + 1, day, hour, minute, second, nanos: 0, offset: 0 })
}

/// Reads `2025-11-20t23:32:05.25z`, with a `z` or an offset.
fn iso8601(text: &str) -> Option<Civil> {
    let (date, rest) = text.split_once('t')?;
    let mut parts = date.split('-');
    let (year, month, day) = (number(parts.next()?, 4)?, number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    let zone_at = rest.find(['z', '+', '-'])?;
    let (time, zone) = rest.split_at(zone_at);
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let mut clock = time.split(':');
    let (hour, minute) = (number(clock.next()?, 2)?, number(clock.next()?, 2)?);
    let second = clock.next().map_or(Some(0), |second| number(second, 2))?;
    if parts.next().is_some() || clock.next().is_some() {
        return None;
    }
    Some(Civil { year, month, day, hour, minute, second, nanos: nanos(fraction)?, offset: offset(zone)? })
}

fn offset(zone: &str) -> Option<i64> {
    if zone == "z" {
        return Some(0);
    }
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let digits = zone[1..].replace(':', "");
    let value = number(&digits, 4)?;
    let (hours, minutes) = (value / 100, value % 100);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes))
}

/// Reads the digits after a decimal point; those beyond the ninth do not matter.
fn nanos(fraction: &str) -> Option<u32> {
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    format!("{:0<9}", fraction.get(..9).unwrap_or(fraction)).parse().ok()
}

/// Reads exactly `len` digits: `parse` alone would take a sign.
fn number(text: &str, len: usize) -> Option<i64> {
    let digits = text.len() == len && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

fn year4(text: &str) -> Option<i64> {
    number(text, 4)
}

impl Civil {
    fn instant(&self) -> Option<SystemTime> {
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
        let whole = Duration::from_secs(seconds.unsigned_abs());
        let instant = if seconds < 0 { epoch.checked_sub(whole) } else { epoch.checked_add(whole) };
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

/// Returns the days from 1970-01-01 to a date of the Gregorian calendar; years begin in March for the sum.
const fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Undoes [`days_before`].
const fn date_of(days: i64) -> (i64, i64, i64) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    /// 2026-11-20T00:00:00Z.
    const NOW: u64 = 1_795_132_800;

    #[test]
    fn all_forms_of_a_date_are_read() {
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "sun, 06 nov 1994 08:49:37 gmt",
            "Mon, 06 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 +0000",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "1994-11-06T08:49:37Z",
            "1994-11-06T10:49:37+02:00",
            "1994-11-06 08:49:37z",
            "  Sun, 06 Nov 1994 08:49:37 GMT\t",
        ] {
            assert_eq!(parse_date(text, at(NOW)), Some(at(784_111_777)), "{text}");
        }
        let leap = parse_date("Sat, 31 Dec 2016 23:59:60 GMT", at(NOW));
        assert_eq!(leap, Some(at(1_483_228_800)));
        assert_eq!(parse_date("1994-11-06T08:49:37.25Z", at(NOW)), Some(at(784_111_777) + Duration::from_millis(250)));
    }

    #[test]
    fn what_is_no_date_is_refused() {
        let long = format!("Sun, 06 Nov 1994 08:49:37 GMT{}", "(".repeat(100));
        for text in [
            "",
            "Sun",
            "Mon, 31 Feb 2022 00:00:00 GMT",
            "Sun, 06 Nov 1994 24:00:00 GMT",
            "Sun, 06 Nov 1994 08:60:00 GMT",
            "Sun, 06 Nov 1994 08:49:61 GMT",
            "Sun, 06 Nov 1994 08:49:37 PST",
            "Sun, 06 Nov +994 08:49:37 GMT",
            "Sun, 06 Nov 1994 8:49:37 GMT",
            "Sun, 06 Nov 1994 08:49 GMT",
            "Sun, ٠٦ Nov 1994 08:49:37 GMT",
            "1994-11-06",
            "1994-11-06T08:49:37",
            "1994-13-06T08:49:37Z",
            long.as_str(),
        ] {
            assert_eq!(parse_date(text, at(NOW)), None, "{text}");
        }
    }

    #[test]
    fn a_two_digit_year_lies_at_most_fifty_years_ahead() {
        for (digits, year) in
            [("26", "2026"), ("27", "2027"), ("75", "2075"), ("77", "1977"), ("94", "1994"), ("00", "2000")]
        {
            let short = format!("Friday, 06-Nov-{digits} 08:49:37 GMT");
            let long = format!("Fri, 06 Nov {year} 08:49:37 GMT");
            assert_eq!(parse_date(&short, at(NOW)), parse_date(&long, at(NOW)), "{digits}");
        }
        // The instants are compared, not the years: a day before the limit and a day behind it.
        let near = parse_date("Thursday, 19-Nov-76 00:00:00 GMT", at(NOW));
        assert_eq!(near, parse_date("Thu, 19 Nov 2076 00:00:00 GMT", at(NOW)));
        let far = parse_date("Sunday, 22-Nov-76 00:00:00 GMT", at(NOW));
        assert_eq!(far, parse_date("Mon, 22 Nov 1976 00:00:00 GMT", at(NOW)));
    }

    #[test]
    fn instants_outside_of_the_format_move_to_its_border() {
        assert_eq!(format_date(at(0)), "1970-01-01T00:00:00.000Z");
        assert_eq!(format_date(at(0) - Duration::from_secs(1)), "1970-01-01T00:00:00.000Z");
        assert_eq!(format_date(at(u64::try_from(LAST).unwrap() + 5)), "9999-12-31T23:59:59.999Z");
    }

    proptest! {
        #[test]
        fn a_date_reads_as_another_library_wrote_it(seconds in 0_u64..253_402_300_799) {
            let text = httpdate::fmt_http_date(at(seconds));
            prop_assert_eq!(parse_date(&text, at(NOW)), Some(at(seconds)));
            prop_assert_eq!(parse_date(&format_date(at(seconds)), at(NOW)), Some(at(seconds)));
        }

        #[test]
        fn any_text_gives_a_date_or_nothing(text in ".{0,40}") {
            let _ = parse_date(&text, at(NOW));
        }
    }
}
