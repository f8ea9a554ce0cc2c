//! Durations that state their unit: Go's and protobuf's forms, words, and ISO
//! 8601.

use std::time::Duration;

use super::number::{DAY, HOUR, MICROSECOND, MILLISECOND, MINUTE, Number, SECOND, round_up};

const WEEK: u64 = 7 * DAY;
/// ISO 8601 leaves the length of a month and a year to the calendar; servers
/// that write them count in days.
const MONTH: u64 = 30 * DAY;
const YEAR: u64 = 365 * DAY;

/// Reads `1m0s`, `3.5s`, `120 seconds`, `1 hour and 30 minutes` or `PT1M30S`,
/// in any case, and adds the parts up.
///
/// Rounds up to the millisecond. Returns `None` for a number without a unit.
pub(super) fn duration(text: &str) -> Option<Duration> {
    // No longer form has symbols beyond ASCII than `µs`, in two spellings.
    let text = text.to_lowercase();
    let nanos = match text.strip_prefix('p') {
        Some(iso) => iso8601(iso),
        None => parts(&text),
    };
    nanos.map(round_up)
}

/// Reads parts of a number and a unit. A comma stands only between parts of
/// falling units, else it separates the members of a list.
fn parts(text: &str) -> Option<u128> {
    let (mut rest, mut sum, mut last) = (text, 0_u128, u64::MAX);
    let mut after_comma = false;
    while !rest.is_empty() {
        let end = rest.find(|symbol: char| !symbol.is_ascii_digit() && symbol != '.')?;
        let (digits, after) = rest.split_at(end);
        let after = after.trim_start_matches(' ');
        let end = after.find(|symbol: char| !symbol.is_alphabetic()).unwrap_or(after.len());
        let (name, after) = after.split_at(end);
        let unit = unit(name)?;
        if after_comma && unit >= last {
            return None;
        }
        sum = sum.saturating_add(Number::parse(digits)?.nanos(unit));
        (rest, after_comma) = next_part(after)?;
        last = unit;
    }
    (!text.is_empty()).then_some(sum)
}

/// Returns what follows a separator of parts, and whether that was a comma.
fn next_part(text: &str) -> Option<(&str, bool)> {
    let rest = text.trim_start_matches(' ');
    let (rest, is_comma) = match rest.strip_prefix(',') {
        Some(rest) => (rest.trim_start_matches(' '), true),
        None => (rest, false),
    };
    let is_complete = rest.is_empty() && !is_comma;
    let rest = rest.strip_prefix("and ").map_or(rest, |rest| rest.trim_start_matches(' '));
    (is_complete || !rest.is_empty()).then_some((rest, is_comma))
}

/// Returns a unit in nanoseconds.
fn unit(name: &str) -> Option<u64> {
    Some(match name {
        "w" | "week" | "weeks" => WEEK,
        "d" | "day" | "days" => DAY,
        "h" | "hr" | "hrs" | "hour" | "hours" => HOUR,
        "m" | "min" | "mins" | "minute" | "minutes" => MINUTE,
        "s" | "sec" | "secs" | "second" | "seconds" => SECOND,
        "ms" | "msec" | "msecs" | "millis" | "millisecond" | "milliseconds" => MILLISECOND,
        "us" | "\u{b5}s" | "\u{3bc}s" | "microsecond" | "microseconds" => MICROSECOND,
        "ns" | "nanosecond" | "nanoseconds" => 1,
        _ => return None,
    })
}

/// Reads what follows the `P` of an ISO 8601 duration, in lower case; a
/// fraction has a point or a comma.
fn iso8601(text: &str) -> Option<u128> {
    let (date, time) = match text.split_once('t') {
        Some((_, "")) => return None,
        Some((date, time)) => (date, time),
        None => (text, ""),
    };
    if date.is_empty() && time.is_empty() {
        return None;
    }
    let days = designated(date, &[('y', YEAR), ('m', MONTH), ('w', WEEK), ('d', DAY)])?;
    Some(days.saturating_add(designated(time, &[('h', HOUR), ('m', MINUTE), ('s', SECOND)])?))
}

/// Adds up numbers, each with a designator behind it, in the order of `units`.
fn designated(text: &str, units: &[(char, u64)]) -> Option<u128> {
    let (mut rest, mut units, mut sum) = (text, units.iter(), 0_u128);
    while !rest.is_empty() {
        let end = rest.find(char::is_alphabetic)?;
        let (digits, after) = rest.split_at(end);
        let designator = after.chars().next()?;
        let (_, unit) = units.find(|(name, _)| *name == designator)?;
        sum = sum.saturating_add(Number::parse(&digits.replace(',', "."))?.nanos(*unit));
        rest = &after[designator.len_utf8()..];
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_read_in_each_of_its_forms() {
        for (text, expected) in [
            ("6m0s", Some(360_000)),
            ("12ms", Some(12)),
            ("1h2m3.5s", Some(3_723_500)),
            ("37s", Some(37_000)),
            ("0s", Some(0)),
            ("1.000000001s", Some(1_001)),
            ("1.0000000000s", Some(1_000)),
            ("5us", Some(1)),
            ("5\u{b5}s", Some(1)),
            ("5000\u{3bc}s", Some(5)),
            ("1500us", Some(2)),
            ("250000000ns", Some(250)),
            ("1s1s", Some(2_000)),
            ("3d", Some(259_200_000)),
            ("120 seconds", Some(120_000)),
            ("120seconds", Some(120_000)),
            ("1 second", Some(1_000)),
            ("2 minutes", Some(120_000)),
            ("1 Min", Some(60_000)),
            ("1.5 hours", Some(5_400_000)),
            ("1 hour 30 minutes", Some(5_400_000)),
            ("1 hour and 30 minutes", Some(5_400_000)),
            ("1 hour, 30 minutes", Some(5_400_000)),
            ("1 hour, and 30 minutes", Some(5_400_000)),
            ("30 minutes, 1 hour", None),
            ("30s, 60s", None),
            ("1 week", Some(604_800_000)),
            ("PT30S", Some(30_000)),
            ("pt30s", Some(30_000)),
            ("PT1M30S", Some(90_000)),
            ("PT1H", Some(3_600_000)),
            ("P1D", Some(86_400_000)),
            ("P1DT2H", Some(93_600_000)),
            ("P2W", Some(1_209_600_000)),
            ("P1M", Some(2_592_000_000)),
            ("P1Y", Some(31_536_000_000)),
            ("PT0.5S", Some(500)),
            ("PT0,5S", Some(500)),
            ("PT0S", Some(0)),
        ] {
            assert_eq!(duration(text), expected.map(Duration::from_millis), "{text:?}");
        }
        assert_eq!(duration("99999999999999999999h"), Some(Duration::MAX));
        assert_eq!(duration("P99999999999999999999D"), Some(Duration::MAX));
    }

    #[test]
    fn invalid_durations_are_rejected() {
        for text in [
            "",
            "3",
            "s",
            "-3s",
            "+3s",
            "3x",
            "3 lightyears",
            "1.5.5s",
            "1.s",
            ".5s",
            "1e3s",
            "3s;q=1",
            "3s,",
            "3s and",
            ",3s",
            "and 3s",
            "3 4s",
            "P",
            "PT",
            "P1DT",
            "PT30",
            "PT30S ",
            "PT1S1M",
            "P-1D",
            "PT1D",
            "P30S",
            "P1.5.5D",
            "٣s",
            "3\u{df}",
        ] {
            assert_eq!(duration(text), None, "{text:?}");
        }
    }
}
