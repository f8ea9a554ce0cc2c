//! Times as milliseconds since 1970, the finest unit that every store keeps.

use std::time::{Duration, SystemTime};

/// The end of the year 9999.
const LAST: u64 = 253_402_300_799_000;

/// Rounds a time to what every store keeps.
pub(crate) fn rounded(exact: SystemTime) -> SystemTime {
    time(number(exact))
}

/// Returns a time as milliseconds; times outside 1970 to 9999 are clamped.
pub(super) fn number(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(LAST).min(LAST)
}

/// Returns the time of a number of milliseconds, at most the end of the year 9999.
pub(crate) fn time(millis: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(millis.min(LAST))
}
