//! The deadline of one call, which all layers share through the extensions of its request.

use std::time::Duration;

use http::Request;
use tokio::time::Instant;

use crate::extension::extension;
use crate::saturating;
use crate::send_state::SendState;

/// The instant by which a call must be over; put it into a request's extensions to set it for that request.
///
/// It replaces the deadline of the stack, whether it is sooner or later. A layer that would have to wait past it, for a
/// rate limit, for credentials or for the next attempt, fails at once instead.
///
/// The deadline is an instant of tokio's clock: it does not move when the wall clock is set.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use http::Request;
/// use redress_classify::Deadline;
///
/// let request = Request::get("https://api.example/v1/reports")
///     .extension(Deadline::from_now(Duration::from_secs(2)))
///     .body(())?;
/// assert!(Deadline::from_request(&request).is_some());
/// # Ok::<(), http::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Deadline(Instant);

impl Deadline {
    /// Creates a deadline at an instant.
    #[must_use]
    pub const fn new(instant: Instant) -> Self {
        Self(instant)
    }

    /// Creates a deadline that is `limit` from now. A limit of more than a century is cut to one.
    ///
    /// Use it to give a single call less or more time than the stack allows.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use redress_classify::Deadline;
    /// use tokio::time::Instant;
    ///
    /// let now = Instant::now();
    /// assert!(Deadline::from_now(Duration::from_secs(2)) >= Deadline::new(now + Duration::from_secs(2)));
    /// ```
    #[inline]
    #[must_use]
    pub fn from_now(limit: Duration) -> Self {
        Self(saturating::add(Instant::now(), limit))
    }

    /// Returns the deadline in the extensions of a request, or that of its [`SendState`]: a request that is sent again has the deadline
    /// of its call there.
    ///
    /// A layer falls back to the deadline of its own settings.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use http::Request;
    /// use redress_classify::Deadline;
    ///
    /// let setting = Some(Duration::from_secs(30));
    /// let request = Request::new(());
    /// let deadline = Deadline::from_request(&request).or_else(|| setting.map(Deadline::from_now));
    /// assert!(deadline.is_some());
    /// ```
    #[inline]
    #[must_use]
    pub fn from_request<B>(request: &Request<B>) -> Option<Self> {
        let extensions = request.extensions();
        extension(extensions).copied().or_else(|| SendState::deadline(request))
    }

    /// Returns the instant.
    #[must_use]
    pub const fn instant(self) -> Instant {
        self.0
    }

    /// Returns the time from `now` to the deadline, zero once it has passed.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use redress_classify::Deadline;
    /// use tokio::time::Instant;
    ///
    /// let (now, second) = (Instant::now(), Duration::from_secs(1));
    /// let deadline = Deadline::new(now + second);
    /// assert_eq!(deadline.remaining(now), second);
    /// assert_eq!(deadline.remaining(now + 5 * second), Duration::ZERO);
    /// ```
    #[must_use]
    pub fn remaining(self, now: Instant) -> Duration {
        self.0.saturating_duration_since(now)
    }

    /// Returns `true` if the deadline is at or before `now`.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use redress_classify::Deadline;
    /// use tokio::time::Instant;
    ///
    /// let now = Instant::now();
    /// assert!(Deadline::new(now).has_passed(now));
    /// assert!(!Deadline::new(now + Duration::from_secs(1)).has_passed(now));
    /// ```
    #[must_use]
    pub fn has_passed(self, now: Instant) -> bool {
        self.0 <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_request_carries_its_own_deadline() {
        let long = Duration::from_secs(9);
        let now = Instant::now();
        assert_eq!(Deadline::from_request(&Request::new(())), None);
        let request = Request::builder().extension(Deadline::from_now(long)).body(()).unwrap();
        let deadline = Deadline::from_request(&request).expect("it was inserted");
        assert_eq!((deadline, deadline.remaining(now)), (Deadline::new(now + long), long));
        assert!(!deadline.has_passed(now) && deadline.has_passed(now + long));
        assert!(!Deadline::from_now(Duration::MAX).has_passed(now + 1_000_000 * long));
    }
}
