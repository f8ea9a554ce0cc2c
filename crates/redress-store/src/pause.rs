//! The pauses of processes that must not act together.

use std::time::Duration;

/// Returns a pause that is up to half of it longer, at random, so that the processes that share a store do not come back together.
///
/// # Examples
/// ```
/// use redress_store::jittered;
/// use std::time::Duration;
///
/// let pause = jittered(Duration::from_secs(2));
/// assert!((Duration::from_secs(2)..=Duration::from_secs(3)).contains(&pause));
/// ```
#[must_use]
pub fn jittered(pause: Duration) -> Duration {
    let half = u64::try_from((pause / 2).as_nanos()).unwrap_or(u64::MAX);
    pause.saturating_add(Duration::from_nanos(fastrand::u64(0..=half)))
}
