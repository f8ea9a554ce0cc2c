//! Holds the hint reader, in all of its units, against a naive one that counts in `u128`, and to what a hint can be.

use std::time::{Duration, SystemTime};

use redress_envelope::{HintSource, RetryHint, Unit, When, format_date, parse_date};

/// Every unit.
const UNITS: [Unit; 12] = [
    Unit::Http,
    Unit::Seconds,
    Unit::Milliseconds,
    Unit::Microseconds,
    Unit::Nanoseconds,
    Unit::Minutes,
    Unit::EpochSeconds,
    Unit::EpochMilliseconds,
    Unit::Date,
    Unit::Duration,
    Unit::RateLimit,
    Unit::Guess,
];
/// Those in which a number of up to nine digits is a delay, with how many milliseconds one is.
const DELAYS: [(Unit, u64); 4] =
    [(Unit::Http, 1_000), (Unit::Seconds, 1_000), (Unit::Milliseconds, 1), (Unit::Minutes, 60_000)];

/// Reads a text in every unit and checks what comes out.
///
/// # Panics
/// When a reading has passed or lies more than a year ahead, when it is not the number that the digits spell, when a further
/// digit shortens the wait, or when an instant cannot be written and read back.
pub fn check(data: &[u8]) {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_132_800);
    let readings = UNITS.map(|unit| unit.read(data, now));
    assert_eq!(RetryHint::retry_after(data, now).map(|hint| hint.when()), readings[0], "Retry-After has its own unit");
    let Ok(text) = std::str::from_utf8(data) else {
        assert_eq!(readings, [None; UNITS.len()], "no text");
        return;
    };
    for when in readings.into_iter().flatten() {
        let delay = RetryHint::new(when, HintSource::RetryAfter).delay(now);
        assert!(delay <= RetryHint::MAX_DELAY, "{text}: more than a year");
        if let When::At(instant) = when {
            assert!(instant >= now, "{text}: an instant that has passed");
            assert!(parse_date(&format_date(instant), now).is_some(), "{text}: an instant that cannot be read back");
        }
    }
    let number = text.trim_matches([' ', '\t']);
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return;
    }
    for (unit, unit_ms) in DELAYS {
        spells(unit, unit_ms, number, now);
    }
    for unit in UNITS {
        instant(unit, number, now);
    }
}

/// Checks that a few digits are the delay that they spell, and that a further one never makes it shorter.
fn spells(unit: Unit, unit_ms: u64, number: &str, now: SystemTime) {
    let count = number.trim_start_matches('0');
    if count.len() > 9 {
        return;
    }
    let delay = Duration::from_millis(count.parse::<u64>().unwrap_or(0) * unit_ms);
    let expected = Some(delay).filter(|delay| *delay <= RetryHint::MAX_DELAY).map(When::After);
    assert_eq!(unit.read(number.as_bytes(), now), expected, "{unit:?} {number}");
    let Some(short) = expected.filter(|_| count.len() < 9) else { return };
    for digit in '0'..='9' {
        let longer = unit.read(format!("{number}{digit}").as_bytes(), now);
        let is_longer =
            longer.is_none_or(|longer| matches!((longer, short), (When::After(a), When::After(b)) if a >= b));
        assert!(is_longer, "{unit:?} {number}{digit} is a shorter wait than {number}");
    }
}

/// Checks that digits which are an instant are the one that they spell in the unit of their length.
fn instant(unit: Unit, number: &str, now: SystemTime) {
    let Some(When::At(instant)) = unit.read(number.as_bytes(), now) else { return };
    let count = number.trim_start_matches('0');
    let scale: u128 = match count.len() {
        10..=11 => 1_000_000_000,
        12..=14 => 1_000_000,
        15..=17 => 1_000,
        18..=20 => 1,
        _ => panic!("{unit:?} {number} is an instant"),
    };
    let nanos = count.parse::<u128>().map(|count| count * scale);
    let since = instant.duration_since(SystemTime::UNIX_EPOCH).map(|since| since.as_nanos());
    assert_eq!(nanos.ok(), since.ok(), "{unit:?} {number}");
}
