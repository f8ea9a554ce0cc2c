//! Holds the hint reader, in all of its units, against a naive one that counts in `u128`.

use std::time::{Duration, SystemTime};

use redress_envelope::{HintSource, RetryHint, Unit, When, format_date, parse_date};

/// Every unit.
const UNITS: [Unit; 9] = [
    Unit::Http,
    Unit::Seconds,
    Unit::Milliseconds,
    Unit::EpochSeconds,
    Unit::EpochMilliseconds,
    Unit::Date,
    Unit::Duration,
    Unit::RateLimit,
    Unit::Guess,
];
/// Those in which a number is a delay, with how many of it make a second.
const DELAYS: [(Unit, u128); 3] = [(Unit::Http, 1), (Unit::Seconds, 1), (Unit::Milliseconds, 1_000)];

/// Reads a text in every unit and checks what comes out.
///
/// # Panics
/// When a reading is not the number that the digits spell, when a further digit shortens the wait, or when an instant cannot
/// be written and read back.
pub fn check(data: &[u8]) {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_132_800);
    let readings = UNITS.map(|unit| unit.read(data, now));
    assert_eq!(RetryHint::retry_after(data, now).map(|hint| hint.when()), readings[0], "Retry-After has its own unit");
    let Ok(text) = std::str::from_utf8(data) else {
        assert_eq!(readings, [None; 9], "no text");
        return;
    };
    for when in readings.into_iter().flatten() {
        if let When::At(instant) = when {
            assert!(parse_date(&format_date(instant), now).is_some(), "{text}: an instant that cannot be read back");
        }
    }
    let number = text.trim_matches([' ', '\t']);
    for (unit, per_second) in DELAYS {
        spells(unit, per_second, number, now);
        longer(unit, number, now);
    }
    for unit in [Unit::EpochSeconds, Unit::EpochMilliseconds] {
        longer(unit, number, now);
    }
}

/// Checks that digits alone are the number that they spell.
fn spells(unit: Unit, per_second: u128, number: &str, now: SystemTime) {
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return;
    }
    let count = number.parse::<u128>().unwrap_or(u128::MAX);
    let millis = count.saturating_mul(1_000 / per_second);
    let counted = u64::try_from(millis).map(Duration::from_millis).ok();
    // What is too long in milliseconds may still be a number of seconds.
    let seconds = u64::try_from(count).ok().filter(|_| per_second == 1).map(Duration::from_secs);
    let expected = counted.or(seconds).unwrap_or(Duration::MAX);
    assert_eq!(unit.read(number.as_bytes(), now), Some(When::After(expected)), "{unit:?} {number}");
}

/// Checks that a further digit never makes the wait shorter.
fn longer(unit: Unit, number: &str, now: SystemTime) {
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let wait = |text: &str| Some(RetryHint::new(unit.read(text.as_bytes(), now)?, HintSource::RetryAfter).delay(now));
    let Some(short) = wait(number).filter(|_| is_number) else { return };
    for digit in '0'..='9' {
        let long = format!("{number}{digit}");
        assert!(wait(&long).is_some_and(|wait| wait >= short), "{unit:?} {long} is a shorter wait than {number}");
    }
}
