//! Times as milliseconds since 1970, the finest that every store keeps.

use std::time::{Duration, SystemTime};

/// The end of the year 9999.
const LAST: u64 = 253_402_300_799_000;

/// Returns the same time, as exact as it can be kept.
pub(crate) fn kept(of: SystemTime) -> SystemTime {
    time(number(of))
}

pub(super) fn number(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(LAST).min(LAST)
}

pub(crate) fn time(millis: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(millis.min(LAST))
}
