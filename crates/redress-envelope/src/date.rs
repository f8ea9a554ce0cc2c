//! HTTP dates (RFC 9110 section 5.6.7) and RFC 3339 instants, without a clock
//! and without a time zone database.

mod calendar;
mod iso8601;

use std::time::{Duration, SystemTime};

use calendar::{Civil, DAY, date_of};
use iso8601::{is_iso8601, iso8601};

/// 9999-12-31T23:59:59Z, the last second that the formats can write.
const LAST: i64 = 253_402_300_799;
/// Far longer than the longest form; a longer text is not a date and is not
/// looked at.
const MAX_LEN: usize = 64;
const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// Reads an HTTP date in any of its three forms, or an ISO 8601 date-time with
/// a time zone.
///
/// `now` places a two-digit year: it is the latest one with these digits whose
/// date is at most 50 years in the future. Read leniently: letter case, the
/// name of the weekday or its absence, a leap second, `UTC`, `GMT+0` or a
/// numeric offset for `GMT`, dashes or none in the date, a blank for the `T`,
/// and what programs print by default, such as `Thu Jan 15 2026 12:00:00
/// GMT+0000 (Coordinated Universal Time)` and `2026-01-15 12:00:00 +0000 UTC`.
/// A time without a zone is not an instant, except in the form of asctime,
/// which RFC 9110 reads as GMT.
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
    if let Some(date) = imf_fixdate(text.as_bytes()) {
        return date.instant();
    }
    let text = text.to_ascii_lowercase();
    // The text in brackets is the name of the time zone, behind its offset.
    let text = text.split('(').next()?;
    let words: Vec<&str> = text.split([' ', ',']).filter(|word| !word.is_empty()).collect();
    if is_iso8601(words.first()?) {
        return iso8601(&words)?.instant();
    }
    let words = match words.as_slice() {
        [first, rest @ ..] if !first.starts_with(|symbol: char| symbol.is_ascii_digit()) => rest,
        all => all,
    };
    match *words {
        [date, time, zone] => dashed(date, time, zone, now),
        [month, day, time, year] => civil(year4(year)?, month, day, time, "gmt")?.instant(),
        [month, day, time, zone, year] if year4(year).is_some() => {
            civil(year4(year)?, month, day, time, zone)?.instant()
        }
        [first, second, year, time, zone] => {
            let is_day = first.starts_with(|symbol: char| symbol.is_ascii_digit());
            let (day, month) = if is_day { (first, second) } else { (second, first) };
            civil(year4(year)?, month, day, time, zone)?.instant()
        }
        _ => None,
    }
}

/// Writes an instant as RFC 3339 with milliseconds, in UTC; one before 1970 or
/// after 9999 is moved to the border.
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

/// Reads `Sun, 06 Nov 1994 08:49:37 GMT` as RFC 9110 wants it written, which
/// nearly all servers do, without an allocation.
fn imf_fixdate(text: &[u8]) -> Option<Civil> {
    let [_, _, _, b',', b' ', d1, d2, b' ', m1, m2, m3, b' ', year @ .., b' ', b'G', b'M', b'T'] = text else {
        return None;
    };
    let [y1, y2, y3, y4, b' ', h1, h2, b':', n1, n2, b':', s1, s2] = year else { return None };
    let month = [m1, m2, m3].map(u8::to_ascii_lowercase);
    let month = MONTHS.iter().zip(1..).find_map(|(name, nth)| (name.as_bytes() == month).then_some(nth))?;
    let two = |tens: &u8, ones: &u8| {
        let both_digits = tens.is_ascii_digit() && ones.is_ascii_digit();
        both_digits.then(|| i64::from(tens - b'0') * 10 + i64::from(ones - b'0'))
    };
    let (year, day) = (two(y1, y2)? * 100 + two(y3, y4)?, two(d1, d2)?);
    Some(Civil {
        year,
        month,
        day,
        hour: two(h1, h2)?,
        minute: two(n1, n2)?,
        second: two(s1, s2)?,
        nanos: 0,
        offset: 0,
    })
}

/// Reads `06-nov-94`, the form of RFC 850, or with the whole year, as cookies
/// have it.
fn dashed(date: &str, time: &str, zone: &str, now: SystemTime) -> Option<SystemTime> {
    let mut parts = date.split('-');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    if let Some(year) = year4(year) {
        return civil(year, month, day, time, zone)?.instant();
    }
    let digits = number(year, 2)?;
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
    if parts.next().is_some() {
        return None;
    }
    let month = i64::try_from(month).ok()? + 1;
    Some(Civil { year, month, day, hour, minute, second, nanos: 0, offset: offset(zone)? })
}

/// Reads a time zone in minutes: `gmt`, `utc`, `z`, `+01:00`, `+0100`, `+01`,
/// `gmt+0` or `utc+01:00`.
fn offset(zone: &str) -> Option<i64> {
    let named = ["gmt", "utc", "ut", "z"].into_iter().find_map(|name| zone.strip_prefix(name));
    let offset = match named {
        Some("") => return Some(0),
        Some(offset) => offset,
        None => zone,
    };
    let (sign, digits) = match offset.split_at_checked(1)? {
        ("+", digits) => (1, digits.replace(':', "")),
        ("-", digits) => (-1, digits.replace(':', "")),
        _ => return None,
    };
    let (hours, minutes) = match digits.len() {
        1 | 2 => (number(&digits, digits.len())?, 0),
        4 => (number(&digits[..2], 2)?, number(&digits[2..], 2)?),
        _ => return None,
    };
    (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes))
}

/// Reads exactly `len` digits: `parse` alone would take a sign.
fn number(text: &str, len: usize) -> Option<i64> {
    let digits = text.len() == len && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

fn year4(text: &str) -> Option<i64> {
    number(text, 4)
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
            "06 Nov 1994 08:49:37 GMT",
            "Sun, 06-Nov-1994 08:49:37 GMT",
            "06-Nov-94 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 GMT+0",
            "Sun, 06 Nov 1994 08:49:37 GMT+00:00",
            "Sun, 06 Nov 1994 08:49:37 UT",
            "Sun, 06 Nov 1994 09:49:37 +0100",
            "Sun, 06 Nov 1994 00:49:37 -08:00",
            "Sun Nov  6 08:49:37 UTC 1994",
            "Sun Nov 06 08:49:37 +0000 1994",
            "Sun Nov 06 1994 08:49:37 GMT+0000 (Coordinated Universal Time)",
            "Sun Nov 06 1994 10:49:37 GMT+0200 (EET)",
            "1994-11-06 08:49:37 UTC",
            "1994-11-06 08:49:37 GMT",
            "1994-11-06 08:49:37 +0000",
            "1994-11-06 08:49:37 +0000 UTC",
            "1994-11-06 10:49:37 +0200 EET",
            "1994-11-06T08:49:37 UTC",
            "1994-11-06t08:49:37z",
            "1994-11-06T08:49:37+00",
            "1994-11-06T03:19:37-05:30",
            "19941106T084937Z",
            "19941106T104937+0200",
        ] {
            assert_eq!(parse_date(text, at(NOW)), Some(at(784_111_777)), "{text}");
        }
        let leap = parse_date("Sat, 31 Dec 2016 23:59:60 GMT", at(NOW));
        assert_eq!(leap, Some(at(1_483_228_800)));
        assert_eq!(parse_date("1994-11-06T08:49:37.25Z", at(NOW)), Some(at(784_111_777) + Duration::from_millis(250)));
    }

    #[test]
    fn invalid_dates_are_rejected() {
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
            "1994-11-06 08:49:37",
            "1994-11-06 08:49:37 PST",
            "1994-11-06 08:49:37 +0000 UTC m=+0.5",
            "1994-11-06T08:49:37+",
            "1994-11-06T08:49:37+24:00",
            "1994-11-06T08:49:37+01:60",
            "1994-11-06T08:49:37z+01:00 utc",
            "1994-11-06T08Z",
            "199411060T084937Z",
            "06 Nov 1994 08:49:37",
            "Sun, 06-Nov-1994 08:49:37",
            "Sun, 06-Nov-1994-1 08:49:37 GMT",
            "Sun Sun, 06 Nov 1994 08:49:37 GMT",
            "(Sun, 06 Nov 1994 08:49:37 GMT)",
            "Sun, 06 Nov 1994 08:49:37 GMTX",
            "Nov 06 08:49:37 1994 GMT",
            long.as_str(),
        ] {
            assert_eq!(parse_date(text, at(NOW)), None, "{text}");
        }
    }

    #[test]
    fn the_longest_text_that_is_read_has_64_bytes() {
        let padded = |len: usize| format!("{:(<len$}", "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(parse_date(&padded(64), at(NOW)), Some(at(784_111_777)));
        assert_eq!(parse_date(&padded(65), at(NOW)), None);
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
        let at_its_middle = parse_date("Fri, 01 Jan 2060 00:00:00 GMT", at(NOW)).unwrap();
        for (digits, year) in [("05", "2105"), ("15", "2015"), ("59", "2059"), ("61", "2061")] {
            let (short, long) =
                (format!("Friday, 06-Nov-{digits} 08:49:37 GMT"), format!("Fri, 06 Nov {year} 08:49:37 GMT"));
            assert_eq!(parse_date(&short, at_its_middle), parse_date(&long, at_its_middle), "{digits}");
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

    #[test]
    fn a_day_or_time_that_no_calendar_has_is_none() {
        for (text, is_date) in [
            ("2024-02-29T00:00:00Z", true),
            ("2023-02-29T00:00:00Z", false),
            ("2023-02-28T00:00:00Z", true),
            ("2000-02-29T00:00:00Z", true),
            ("2100-02-29T00:00:00Z", false),
            ("2024-02-30T00:00:00Z", false),
            ("2024-04-30T00:00:00Z", true),
            ("2024-04-31T00:00:00Z", false),
            ("2024-06-31T00:00:00Z", false),
            ("2024-09-31T00:00:00Z", false),
            ("2024-11-31T00:00:00Z", false),
            ("2024-12-31T23:59:60Z", true),
            ("2024-12-32T00:00:00Z", false),
            ("2024-12-00T00:00:00Z", false),
            ("2024-00-10T00:00:00Z", false),
            ("2024-13-10T00:00:00Z", false),
            ("2024-12-31T24:00:00Z", false),
            ("2024-12-31T23:60:00Z", false),
            ("2024-12-31T23:59:61Z", false),
            ("2024-12-31T23:59:59.Z", false),
            ("2024-12-31T23:59:59.5x", false),
            ("2024-1x-31T23:59:59Z", false),
            ("20241231T235959Z", true),
            ("20241231x235959Z", false),
            ("2024-12-31 23:59:59 +0000 utc", true),
            ("2024-12-31 23:59:59 +0000 u7", false),
        ] {
            assert_eq!(parse_date(text, at(NOW)).is_some(), is_date, "{text}");
        }
        let before = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(parse_date("1969-12-31T23:59:59Z", at(NOW)), Some(before));
        let half = parse_date("2026-11-20T00:00:00.5Z", at(NOW));
        assert_eq!(half, Some(at(NOW) + Duration::from_millis(500)));
        let longer = parse_date("2026-11-20T00:00:00.1234567899Z", at(NOW));
        assert_eq!(longer, Some(at(NOW) + Duration::from_nanos(123_456_789)), "digits beyond the ninth do not matter");
    }
}
