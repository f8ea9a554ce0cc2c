//! What a [`BackoffLayer`](crate::BackoffLayer) was told.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use redress_classify::{Clock, Dialect, IdempotencyHeader, Schedule};

use crate::budget::{About, Budgets, Keys};
use crate::schedule::Jitter;
use crate::telemetry::Successes;

#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) dialect: Dialect,
    pub(crate) attempts: NonZeroU32,
    pub(crate) jitter: Jitter,
    pub(crate) transient: Schedule,
    pub(crate) throttled: Schedule,
    pub(crate) published: Option<Schedule>,
    pub(crate) throttle_wait: Option<Duration>,
    pub(crate) max_retry_after: Duration,
    pub(crate) deadline: Option<Duration>,
    pub(crate) budget: Option<Budgets>,
    /// What tells callers apart in place of the upstream.
    pub(crate) keys: Option<Keys>,
    /// Where the key of a request goes.
    pub(crate) key_header: Option<IdempotencyHeader>,
    /// Whether requests without a key are given one.
    pub(crate) mints_keys: bool,
    /// Whether a 503 with `Retry-After` proves that nothing was processed.
    pub(crate) trusts_503: bool,
    pub(crate) clock: Clock,
    pub(crate) successes: Successes,
    random: Arc<dyn Fn() -> u32 + Send + Sync>,
}

impl Settings {
    /// Takes the vendor's advice, and the AWS SDKs' standard mode of 2026 where the vendor gives none.
    pub(crate) fn new(dialect: Dialect) -> Self {
        let advice = dialect.retry().clone();
        let scale = |base_ms| Schedule {
            base: Duration::from_millis(base_ms),
            factor: NonZeroU32::MIN.saturating_add(1),
            cap: Duration::from_secs(20),
        };
        Self {
            attempts: advice.attempts.unwrap_or(NonZeroU32::MIN.saturating_add(2)),
            jitter: Jitter::default(),
            transient: scale(50),
            throttled: scale(1_000),
            published: advice.schedule,
            throttle_wait: advice.throttle_wait,
            max_retry_after: Duration::from_secs(120),
            deadline: None,
            budget: Some(Budgets::per_authority()),
            keys: None,
            key_header: dialect.idempotency().cloned(),
            mints_keys: true,
            trusts_503: true,
            clock: Clock::system(),
            successes: Successes::new(&dialect),
            random: Arc::new(|| fastrand::u32(..)),
            dialect,
        }
    }

    /// Returns what stands for the budget of a request; `None` where there is no budget.
    pub(crate) fn partition(&self, about: &About<'_>) -> Option<u64> {
        Some(self.budget.as_ref()?.key(about, self.keys.as_ref()))
    }

    /// Whether that depends on the request's headers.
    pub(crate) fn key_reads_headers(&self, uri: &Uri) -> bool {
        self.budget.as_ref().is_some_and(|budgets| budgets.reads_headers(uri, self.keys.as_ref()))
    }

    pub(crate) fn set_random(&mut self, random: impl Fn() -> u32 + Send + Sync + 'static) {
        self.random = Arc::new(random);
    }

    pub(crate) fn random(&self) -> u32 {
        (self.random)()
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("dialect", &self.dialect)
            .field("attempts", &self.attempts)
            .field("jitter", &self.jitter)
            .field("deadline", &self.deadline)
            .field("budget", &self.budget)
            .field("key_header", &self.key_header)
            .field("mints_keys", &self.mints_keys)
            .finish_non_exhaustive()
    }
}
