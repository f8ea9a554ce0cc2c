//! Until when a call may take.

use std::time::Duration;

use http::Request;
use tokio::time::Instant;

use crate::saturating;

/// When a call must be over; put it into a request's extensions to set it for that request.
///
/// It takes the place of the deadline of the stack, be it sooner or later. Whatever would wait longer, for its turn, for
/// credentials or for the next attempt, gives up at once instead.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use http::Request;
/// use redress_classify::Deadline;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), http::Error> {
/// let request = Request::get("https://api.example/v1/reports").extension(Deadline::from_now(Duration::from_secs(2))).body(())?;
/// assert!(Deadline::of(&request, Some(Duration::from_secs(30))).is_some_and(|deadline| deadline.left() <= Duration::from_secs(2)));
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Deadline(Instant);

impl Deadline {
    /// Sets a deadline at this instant.
    #[must_use]
    pub const fn new(instant: Instant) -> Self {
        Self(instant)
    }

    /// Sets a deadline so long from now; a century is the longest.
    #[inline]
    #[must_use]
    pub fn from_now(limit: Duration) -> Self {
        Self(saturating::add(Instant::now(), limit))
    }

    /// Returns the deadline of a request: its own, or else one so long from now.
    #[inline]
    #[must_use]
    pub fn of<B>(request: &Request<B>, limit: Option<Duration>) -> Option<Self> {
        request.extensions().get().copied().or_else(|| limit.map(Self::from_now))
    }

    /// Returns the instant.
    #[must_use]
    pub const fn instant(self) -> Instant {
        self.0
    }

    /// Returns how much time is left, nothing once it has passed.
    #[must_use]
    pub fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Whether it has passed.
    #[must_use]
    pub fn has_passed(self) -> bool {
        self.left().is_zero()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_requests_own_deadline_beats_that_of_its_stack() {
        let (short, long) = (Duration::from_secs(1), Duration::from_secs(9));
        let plain = Request::new(());
        assert_eq!(Deadline::of(&plain, None), None);
        assert_eq!(Deadline::of(&plain, Some(short)), Some(Deadline::new(Instant::now() + short)));
        let own = Request::builder().extension(Deadline::from_now(long)).body(()).unwrap();
        for limit in [None, Some(short), Some(Duration::MAX)] {
            assert_eq!(Deadline::of(&own, limit).map(Deadline::left), Some(long), "{limit:?}");
        }
        tokio::time::advance(long).await;
        assert!(Deadline::of(&own, None).is_some_and(Deadline::has_passed));
        assert!(!Deadline::from_now(Duration::MAX).has_passed());
    }
}
