//! A pause that a success asks for.

use std::time::{Duration, SystemTime};

use http::{Method, Response, Uri, response};
use redress_envelope::{Dialect, Head, RetryHint};
use tokio::time::Instant;

use crate::clock::Clock;
use crate::judge::{Times, head_of, path_of};
use crate::timed_hint::TimedHint;

/// A pause that a successful response asks for, such as Stack Exchange's `backoff: 10` beside the items.
///
/// A [`Classify`](crate::Classify) service puts it among the extensions of such a response, if its dialect declares hints for
/// successes (`[retry] success_hints`). The response stays a success: it has no [`Verdict`](crate::Verdict). A Pace layer
/// holds later calls of the same scope back until the pause is over; the call that was answered does not wait.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use http::{Method, Response, Uri};
/// use redress_classify::{Clock, SuccessHint, dialects};
/// use tokio::time::Instant;
///
/// let stackexchange = dialects::by_name("stackexchange").expect("it is shipped");
/// let (head, ()) = Response::new(()).into_parts();
/// let (uri, clock) = (Uri::from_static("/2.3/questions"), Clock::system());
/// let body: &[u8] = br#"{"items":[],"backoff":10,"quota_remaining":287}"#;
/// let hint = SuccessHint::from_response(&stackexchange, &Method::GET, &uri, &head, &clock, &[body]);
/// let hint = hint.expect("it asks for a pause");
/// assert_eq!(hint.hint().source().to_string(), "backoff in the body");
/// assert!(hint.delay(Instant::now()) <= Duration::from_secs(10));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuccessHint {
    hint: TimedHint,
}

impl SuccessHint {
    /// Reads a whole response; `None` if its status is not a 2xx, or if it states no hint that the dialect declares.
    ///
    /// `body` is the body in as many pieces as it came in. Whether the response is an error by its body is not asked here:
    /// [`Verdict::from_response`](crate::Verdict::from_response) says so.
    #[must_use]
    pub fn from_response(
        dialect: &Dialect,
        method: &Method,
        uri: &Uri,
        head: &response::Parts,
        clock: &Clock,
        body: &[&[u8]],
    ) -> Option<Self> {
        Self::read(dialect, (method, path_of(uri)), head, Times::now(clock), body.iter().copied())
    }

    /// Reads the headers of a response, for a stack that has no Classify layer; `None` as in
    /// [`from_response`](Self::from_response).
    ///
    /// A hint whose condition names a route is compared with `GET /`.
    #[must_use]
    pub fn from_head<B>(response: &Response<B>, dialect: &Dialect, clock: &Clock) -> Option<Self> {
        if !dialect.has_success_hints() {
            return None;
        }
        let now = Instant::now();
        let received = clock.wall(now);
        let head = Head::new(response.status().as_u16(), response.headers(), received);
        let hint = dialect.success_hint(&head, [])?;
        Some(Self { hint: TimedHint::new(hint, head.server_now(), now, received) })
    }

    pub(crate) fn read<'b>(
        dialect: &Dialect,
        (method, path): (&Method, &str),
        head: &response::Parts,
        times: Times<'_>,
        body: impl Iterator<Item = &'b [u8]> + Clone,
    ) -> Option<Self> {
        let received = times.clock.wall(times.received);
        let about = head_of(method.as_str(), path, head, received);
        let hint = dialect.success_hint(&about, body)?;
        Some(Self { hint: TimedHint::new(hint, about.server_now(), times.received, received) })
    }

    /// Returns the hint as the server gave it, and where it stood.
    #[must_use]
    pub const fn hint(&self) -> &RetryHint {
        self.hint.hint()
    }

    /// Returns the part of the pause that is left at `now`; dates are corrected by the server's own clock.
    #[must_use]
    pub fn delay(&self, now: Instant) -> Duration {
        self.hint.delay_from(now)
    }

    /// Returns when the pause ends, by the caller's clock.
    #[must_use]
    pub fn retry_at(&self) -> SystemTime {
        self.hint.at()
    }
}
