//! Instants and spans, as people and programs write them: `2026-01-15T12:30:00Z`, `1 min 30 s`, `90000` ms.
//!
//! Programs get milliseconds and RFC 3339, in the JSON; people get units, in the summary. Both are rounded up, since
//! a caller that returns too early is refused again.

use std::time::{Duration, SystemTime};

use redress_envelope::{format_date, parse_date};

/// The largest whole number that every reader of JSON takes without loss, JavaScript's above all (RFC 8259 section 6).
pub(crate) const MAX_MS: u64 = (1 << 53) - 1;
/// 9999-12-31T23:59:59Z, the last second that the format can write.
const LAST: Duration = Duration::from_secs(253_402_300_799);

/// Reads an instant from the command line, in any form of a date header, or RFC 3339.
///
/// # Errors
/// A date without a time zone: it would mean another instant on every machine.
pub(crate) fn parse(text: &str) -> Result<SystemTime, String> {
    let instant = parse_date(text, SystemTime::UNIX_EPOCH);
    instant.ok_or_else(|| "expected a date with a time zone such as 2026-01-15T12:30:00Z".to_owned())
}

/// Writes an instant as RFC 3339 in UTC, with a fraction only if it has one.
///
/// An instant before 1970 or after 9999 is moved to the border: the format has no other years, and a hint so far away is
/// implausible anyway.
pub(crate) fn rfc3339(instant: SystemTime) -> String {
    let since = instant.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().min(LAST);
    let whole = format_date(SystemTime::UNIX_EPOCH + Duration::from_secs(since.as_secs()));
    let whole = whole.split('.').next().unwrap_or_default().trim_end_matches('Z');
    let fraction = format!(".{:09}", since.subsec_nanos());
    format!("{whole}{}Z", fraction.trim_end_matches('0').trim_end_matches('.'))
}

/// Returns whole milliseconds, rounded up: a client that waits less comes too early.
///
/// [`MAX_MS`] stands for itself and for anything longer.
pub(crate) fn millis(delay: Duration) -> u64 {
    let millis = delay.as_nanos().div_ceil(1_000_000);
    u64::try_from(millis).map_or(MAX_MS, |millis| millis.min(MAX_MS))
}

/// Writes a span in the units of people: `250 ms`, `1.5 s`, `1 min 30 s`, `1 h 30 min`, `2 d`.
///
/// Zero units are left out, so that a round number stays short.
pub(crate) fn span(delay: Duration) -> String {
    let millis = millis(delay);
    if millis == MAX_MS {
        return "longer than can be counted".to_owned();
    }
    if millis < 1_000 {
        return format!("{millis} ms");
    }
    let (seconds, rest) = (millis / 1_000, millis % 1_000);
    let fraction = format!(".{rest:03}");
    let fraction = fraction.trim_end_matches('0').trim_end_matches('.');
    let mut parts: Vec<String> = [(seconds / 86_400, "d"), (seconds / 3_600 % 24, "h"), (seconds / 60 % 60, "min")]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, unit)| format!("{count} {unit}"))
        .collect();
    if seconds % 60 > 0 || rest > 0 {
        parts.push(format!("{}{fraction} s", seconds % 60));
    }
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_has_a_fraction_only_if_it_needs_one() {
        for text in ["2026-01-15T12:30:00Z", "2026-01-15T12:30:00.25Z", "1994-11-06T08:49:37.123456789Z"] {
            assert_eq!(rfc3339(parse(text).unwrap()), text);
        }
        assert_eq!(rfc3339(parse("2026-01-15T14:30:00+02:00").unwrap()), "2026-01-15T12:30:00Z");
        assert_eq!(rfc3339(parse("1969-12-31T23:59:59.5Z").unwrap()), "1970-01-01T00:00:00Z");
        let beyond = SystemTime::UNIX_EPOCH + LAST + Duration::from_millis(500);
        assert_eq!(rfc3339(beyond), "9999-12-31T23:59:59Z");
        for text in ["", "today", "2026-01-15", "2026-01-15T12:30:00"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_delay_is_rounded_up_and_fits_every_reader() {
        for (delay, expected) in [
            (Duration::ZERO, 0),
            (Duration::from_nanos(1), 1),
            (Duration::from_micros(1_001), 2),
            (Duration::from_secs(30), 30_000),
            (Duration::from_secs(9_007_199_254_741), MAX_MS),
            (Duration::MAX, MAX_MS),
        ] {
            assert_eq!(millis(delay), expected, "{delay:?}");
        }
    }

    #[test]
    fn a_span_is_written_in_the_units_of_people() {
        for (millis, expected) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (1_000, "1 s"),
            (1_500, "1.5 s"),
            (60_000, "1 min"),
            (90_020, "1 min 30.02 s"),
            (5_400_000, "1 h 30 min"),
            (86_400_000, "1 d"),
        ] {
            assert_eq!(span(Duration::from_millis(millis)), expected);
        }
        assert_eq!(span(Duration::MAX), "longer than can be counted");
    }
}
