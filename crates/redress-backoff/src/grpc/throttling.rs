//! Retry throttling: `retryThrottling` of a service config.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// The tokens of gRPC's retry throttling, shared by its clones (gRFC A6, "Throttling Retry Attempts and Hedged RPCs").
///
/// It is a law of its own beside the [`Budget`](crate::Budget): each retryable failure takes one token, whether a retry
/// follows or not, each success gives `token_ratio` tokens, and at or below half of the tokens there are no retries. A call
/// that it refuses ends with [`EndReason::Budget`](redress_classify::EndReason::Budget).
///
/// # Examples
/// ```
/// use redress_backoff::RetryThrottling;
///
/// // Four tokens; a success gives half a token.
/// let throttling = RetryThrottling::new(4, 500);
/// assert!(throttling.record_failure());
/// assert!(!throttling.record_failure(), "two of four tokens are left");
/// throttling.record_success();
/// assert!(throttling.allows_retries());
/// ```
#[derive(Clone, Debug)]
pub struct RetryThrottling {
    /// Thousandths of a token.
    tokens: Arc<AtomicU32>,
    max: u32,
    ratio: u32,
}

impl RetryThrottling {
    /// The largest `maxTokens` that a service config may have.
    pub const MAX_TOKENS: u32 = 1_000;

    /// The thousandths in a token: A6 reads three decimal places of `tokenRatio`.
    const UNIT: u32 = 1_000;

    /// Creates a full bucket. `ratio_thousandths` is what a success gives, in thousandths of a token: 100 for a
    /// `tokenRatio` of 0.1.
    ///
    /// More than [`MAX_TOKENS`](Self::MAX_TOKENS) count as that many.
    #[must_use]
    pub fn new(max_tokens: u32, ratio_thousandths: u32) -> Self {
        let max = max_tokens.min(Self::MAX_TOKENS) * Self::UNIT;
        Self { tokens: Arc::new(AtomicU32::new(max)), max, ratio: ratio_thousandths }
    }

    /// Takes a token for a retryable failure, and returns `true` if a retry may follow.
    pub fn record_failure(&self) -> bool {
        self.change(|tokens| tokens.saturating_sub(Self::UNIT));
        self.allows_retries()
    }

    /// Adds the tokens of a success.
    #[inline]
    pub fn record_success(&self) {
        if self.tokens.load(Ordering::Relaxed) != self.max {
            self.change(|tokens| tokens.saturating_add(self.ratio).min(self.max));
        }
    }

    /// Returns `true` if more than half of the tokens are left.
    #[must_use]
    pub fn allows_retries(&self) -> bool {
        self.tokens.load(Ordering::Relaxed) > self.max / 2
    }

    fn change(&self, change: impl Fn(u32) -> u32) {
        let changed = self.tokens.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |tokens| Some(change(tokens)));
        debug_assert!(changed.is_ok(), "the closure never refuses");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn failures_take_one_token_and_successes_give_the_ratio() {
        let throttling = RetryThrottling::new(10, 100);
        let allowed: Vec<_> = (0..6).map(|_| throttling.record_failure()).collect();
        assert_eq!(allowed, [true, true, true, true, false, false]);
        for _ in 0..10 {
            throttling.record_success();
            assert!(!throttling.allows_retries(), "five tokens are half of ten");
        }
        throttling.record_success();
        assert!(throttling.allows_retries());
    }

    #[test]
    fn the_tokens_stay_between_none_and_all() {
        let throttling = RetryThrottling::new(2_000, 3_000);
        assert_eq!(throttling.max, 1_000_000);
        throttling.record_success();
        assert_eq!(throttling.tokens.load(Ordering::Relaxed), throttling.max);
        let none = RetryThrottling::new(0, 1);
        assert!(!none.record_failure());
        let few = RetryThrottling::new(1, 5_000);
        assert!((0..5).all(|_| !few.record_failure()));
        few.record_success();
        assert_eq!(few.tokens.load(Ordering::Relaxed), 1_000);
    }

    proptest! {
        #[test]
        fn a_naive_count_agrees(max in 1_u32..1_100, ratio in 0_u32..2_500, failed in prop::collection::vec(any::<bool>(), 0..200)) {
            let throttling = RetryThrottling::new(max, ratio);
            let full = f64::from(max.min(1_000));
            let mut tokens = full;
            for failed in failed {
                if failed {
                    tokens = (tokens - 1.0).max(0.0);
                    prop_assert_eq!(throttling.record_failure(), tokens - full / 2.0 > 1e-9);
                } else {
                    tokens = (tokens + f64::from(ratio) / 1_000.0).min(full);
                    throttling.record_success();
                }
            }
        }
    }
}
