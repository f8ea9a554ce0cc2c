//! The clock of the machine.

use std::time::{SystemTime, UNIX_EPOCH};

/// Returns the milliseconds since 1970, 0 for a clock before that.
#[expect(
    clippy::disallowed_methods,
    reason = "the age of a file is known to all processes by the machine's wall clock only"
)]
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
