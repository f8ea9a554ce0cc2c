//! The clock of all layers, which converts an instant to a wall-clock time.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// Converts instants of tokio's clock to wall-clock times.
///
/// All delays are measured by tokio's clock, which is monotonic: setting the wall clock moves no deadline and no wait. The
/// wall clock is read only where an absolute time is returned, such as [`retry_at`](crate::Verdict::retry_at), or compared
/// with one, and it is read anew each time. So these times stay right after the clock was set, and after the machine was
/// suspended, during which the monotonic clock may stop. A success at the first attempt does not read it.
///
/// A test gives one clock to all layers: [`anchored`](Self::anchored) moves with tokio's paused clock, and
/// [`from_fn`](Self::from_fn) moves freely.
///
/// # Examples
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use std::time::{Duration, SystemTime};
/// use redress_classify::Clock;
/// use tokio::time::Instant;
///
/// let seconds = Arc::new(AtomicU64::new(1_700_000_000));
/// let read = Arc::clone(&seconds);
/// let clock = Clock::from_fn(move || SystemTime::UNIX_EPOCH + Duration::from_secs(read.load(Ordering::Relaxed)));
/// let before = clock.wall(Instant::now());
/// seconds.fetch_add(7_200, Ordering::Relaxed);
/// assert!(clock.wall(Instant::now()) >= before + Duration::from_secs(7_199), "the machine slept for two hours");
/// ```
#[derive(Clone)]
pub struct Clock {
    source: Source,
}

#[derive(Clone)]
enum Source {
    /// The system's clock.
    System,
    /// It shows `wall` at `instant`, and moves with tokio's clock.
    Anchored {
        instant: Instant,
        wall: SystemTime,
    },
    Function(Arc<dyn Fn() -> SystemTime + Send + Sync>),
}

/// The system's clock.
impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

impl Clock {
    /// Returns the system's clock. It is the default of all layers, and the only place of these crates that reads it.
    #[must_use]
    pub const fn system() -> Self {
        Self { source: Source::System }
    }

    /// Returns a clock that shows `wall` now and moves with tokio's clock, which a test may pause.
    ///
    /// # Examples
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// use redress_classify::Clock;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    /// let clock = Clock::anchored(wall);
    /// tokio::time::advance(Duration::from_secs(60)).await;
    /// assert_eq!(clock.now(), wall + Duration::from_secs(60));
    /// # }
    /// ```
    #[must_use]
    pub fn anchored(wall: SystemTime) -> Self {
        Self { source: Source::Anchored { instant: Instant::now(), wall } }
    }

    /// Returns a clock that calls a function for each reading.
    ///
    /// The function must not block. Its time may jump in either direction.
    #[must_use]
    pub fn from_fn(wall: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self { source: Source::Function(Arc::new(wall)) }
    }

    /// Returns the current wall-clock time.
    #[must_use]
    #[allow(clippy::disallowed_methods, reason = "this is the edge that reads the wall clock")]
    pub fn now(&self) -> SystemTime {
        match &self.source {
            Source::System => SystemTime::now(),
            Source::Anchored { instant, wall } => shifted(*wall, *instant, Instant::now()),
            Source::Function(wall) => wall(),
        }
    }

    /// Returns the wall-clock time of an instant: the current one, less or plus the time between now and the instant.
    ///
    /// # Examples
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// use redress_classify::Clock;
    /// use tokio::time::Instant;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let clock = Clock::from_fn(|| SystemTime::UNIX_EPOCH);
    /// let in_a_minute = Instant::now() + Duration::from_secs(60);
    /// assert_eq!(clock.wall(in_a_minute), SystemTime::UNIX_EPOCH + Duration::from_secs(60));
    /// # }
    /// ```
    #[must_use]
    pub fn wall(&self, instant: Instant) -> SystemTime {
        match &self.source {
            Source::Anchored { instant: anchor, wall } => shifted(*wall, *anchor, instant),
            Source::System | Source::Function(_) => shifted(self.now(), Instant::now(), instant),
        }
    }

    /// Returns the wall-clock time of `delay` after an instant, at most the end of the year 9999.
    ///
    /// # Examples
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// use redress_classify::Clock;
    /// use tokio::time::Instant;
    ///
    /// let clock = Clock::from_fn(|| SystemTime::UNIX_EPOCH);
    /// let year = Duration::from_secs(365 * 86_400);
    /// let at = clock.wall_after(Instant::now(), 100_000 * year);
    /// assert!(at < SystemTime::UNIX_EPOCH + 9_000 * year, "the end of the year 9999");
    /// ```
    #[must_use]
    pub fn wall_after(&self, instant: Instant, delay: Duration) -> SystemTime {
        add(self.wall(instant), delay)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match &self.source {
            Source::System => "System",
            Source::Anchored { .. } => "Anchored",
            Source::Function(_) => "Function",
        };
        f.debug_tuple("Clock").field(&format_args!("{name}")).finish()
    }
}

/// Returns the wall-clock time of `instant`, given that of `anchor`.
pub(crate) fn shifted(wall: SystemTime, anchor: Instant, instant: Instant) -> SystemTime {
    let after = instant.saturating_duration_since(anchor);
    let before = anchor.saturating_duration_since(instant);
    add(wall, after).checked_sub(before).unwrap_or(SystemTime::UNIX_EPOCH)
}

/// Adds a delay to a time, up to the end of the year 9999, which is the last that RFC 3339 can write.
pub(crate) fn add(time: SystemTime, delay: Duration) -> SystemTime {
    let last = SystemTime::UNIX_EPOCH + Duration::from_secs(253_402_300_799);
    time.checked_add(delay).map_or(last, |sum| sum.min(last))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_anchored_clock_moves_with_the_paused_clock() {
        let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        let clock = Clock::anchored(wall);
        let start = Instant::now();
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(clock.wall(Instant::now()), wall + Duration::from_secs(60));
        assert_eq!(clock.wall(start), wall);
        assert_eq!(clock.now(), wall + Duration::from_secs(60));
        assert!(add(wall, Duration::MAX) > wall);
    }

    #[tokio::test(start_paused = true)]
    async fn instants_convert_by_the_current_wall_clock() {
        let minute = Duration::from_secs(60);
        let wall = Arc::new(Mutex::new(SystemTime::UNIX_EPOCH));
        let read = Arc::clone(&wall);
        let clock = Clock::from_fn(move || *read.lock().unwrap());
        let start = Instant::now();
        tokio::time::advance(minute).await;
        let year = Duration::from_secs(31_556_952);
        for now in [
            SystemTime::UNIX_EPOCH + 30 * year,
            SystemTime::UNIX_EPOCH + 30 * year + 2 * minute,
            SystemTime::UNIX_EPOCH + 20 * year,
            SystemTime::UNIX_EPOCH,
            SystemTime::UNIX_EPOCH - year,
        ] {
            *wall.lock().unwrap() = now;
            assert_eq!((clock.now(), clock.wall(Instant::now())), (now, now));
            assert_eq!((clock.wall(start), clock.wall(start + 3 * minute)), (now - minute, now + 2 * minute));
        }
        *wall.lock().unwrap() = SystemTime::UNIX_EPOCH + 9_000 * year;
        let last = SystemTime::UNIX_EPOCH + Duration::from_secs(253_402_300_799);
        assert_eq!(clock.wall(Instant::now() + 90 * year), last);
    }
}
