//! One pair of instants, so that dates and delays are counted by the same clock.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// An instant of tokio's clock and the wall-clock time that it stands for.
///
/// Every date is counted from here. Whoever pauses tokio's clock in a test stops the calendar as well, and a wall clock
/// that is set back in production moves no deadline.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    instant: Instant,
    wall: SystemTime,
}

impl Clock {
    /// Anchors tokio's clock to the system's, now. Nothing else in these crates reads the system clock.
    #[must_use]
    #[allow(clippy::disallowed_methods, reason = "this is the edge that reads the wall clock")]
    pub fn system() -> Self {
        Self { instant: Instant::now(), wall: SystemTime::now() }
    }

    /// Anchors tokio's clock, now, to the given time.
    #[must_use]
    pub fn anchored(wall: SystemTime) -> Self {
        Self { instant: Instant::now(), wall }
    }

    /// Returns the wall-clock time of an instant.
    #[must_use]
    pub fn wall(&self, instant: Instant) -> SystemTime {
        let after = instant.saturating_duration_since(self.instant);
        let before = self.instant.saturating_duration_since(instant);
        add(self.wall, after).checked_sub(before).unwrap_or(SystemTime::UNIX_EPOCH)
    }
}

/// Adds a delay to a time, stopping at the end of the year 9999.
pub(crate) fn add(time: SystemTime, delay: Duration) -> SystemTime {
    let last = SystemTime::UNIX_EPOCH + Duration::from_secs(253_402_300_799);
    time.checked_add(delay).map_or(last, |sum| sum.min(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn dates_move_with_the_paused_clock() {
        let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        let clock = Clock::anchored(wall);
        let start = Instant::now();
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(clock.wall(Instant::now()), wall + Duration::from_secs(60));
        assert_eq!(clock.wall(start), wall);
        assert!(add(wall, Duration::MAX) > wall);
    }
}
