//! The retry policy of methods: `retryPolicy` of a service config.

use std::num::NonZeroU32;
use std::time::Duration;

use redress_classify::GrpcCode;

/// The retry policy of gRPC methods: which codes are retried, and after which waits (gRFC A6, `retryPolicy`).
///
/// It is the declaration of the service that its methods may be repeated after these codes. A call that it covers is
/// retried after them and after no others, even if it may have been processed: the policy takes the place of AIP-194, which
/// retries `UNAVAILABLE` alone, and of the method's idempotence. [`Idempotent(false)`](crate::Idempotent) on a request wins
/// over it.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use redress_backoff::RetryPolicy;
/// use redress_classify::GrpcCode;
///
/// let waits = [100, 200, 400].map(Duration::from_millis);
/// let policy = RetryPolicy::new(waits, [GrpcCode::Unavailable, GrpcCode::Aborted]);
/// assert_eq!(policy.max_attempts().get(), 4);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The wait before each retry.
    waits: Vec<Duration>,
    codes: Vec<GrpcCode>,
}

impl RetryPolicy {
    /// The most attempts that a client makes, whatever a service config says (gRFC A6, "Maximum Number of Retries").
    pub const MAX_ATTEMPTS: usize = 5;

    /// Creates a policy that waits so long before each retry, and retries these codes.
    ///
    /// The number of waits is that of the retries; of more than four the first four count. Each wait is shortened or
    /// prolonged by up to a fifth, as gRFC A6 does, unless the layer's jitter is [`None`](crate::Jitter::None).
    #[must_use]
    pub fn new(waits: impl IntoIterator<Item = Duration>, codes: impl IntoIterator<Item = GrpcCode>) -> Self {
        let waits = waits.into_iter().take(Self::MAX_ATTEMPTS - 1).collect();
        Self { waits, codes: codes.into_iter().collect() }
    }

    /// Returns the maximum number of attempts, including the first.
    #[must_use]
    pub fn max_attempts(&self) -> NonZeroU32 {
        NonZeroU32::MIN.saturating_add(u32::try_from(self.waits.len()).unwrap_or_default())
    }

    /// Returns `true` if a call that failed with this code is retried.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use redress_backoff::RetryPolicy;
    /// use redress_classify::GrpcCode;
    ///
    /// let policy = RetryPolicy::new([Duration::ZERO], [GrpcCode::Unavailable]);
    /// assert!(policy.retries(GrpcCode::Unavailable) && !policy.retries(GrpcCode::Internal));
    /// ```
    #[must_use]
    pub fn retries(&self, code: GrpcCode) -> bool {
        self.codes.contains(&code)
    }

    /// Returns the nth wait (from 1), before its jitter.
    #[must_use]
    pub fn wait(&self, nth: u32) -> Duration {
        let nth = usize::try_from(nth.saturating_sub(1)).unwrap_or(usize::MAX);
        self.waits.get(nth).or(self.waits.last()).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_at_most_five_attempts() {
        for (waits, attempts) in [(0, 1), (1, 2), (4, 5), (5, 5), (100, 5)] {
            let policy = RetryPolicy::new(vec![Duration::ZERO; waits], []);
            assert_eq!(policy.max_attempts().get(), attempts, "{waits}");
        }
    }

    #[test]
    fn each_retry_has_its_wait() {
        let policy = RetryPolicy::new([1, 2, 3].map(Duration::from_secs), []);
        for (nth, seconds) in [(0, 1), (1, 1), (2, 2), (3, 3), (4, 3), (u32::MAX, 3)] {
            assert_eq!(policy.wait(nth), Duration::from_secs(seconds), "{nth}");
        }
        assert_eq!(RetryPolicy::new([], []).wait(1), Duration::ZERO);
    }
}
