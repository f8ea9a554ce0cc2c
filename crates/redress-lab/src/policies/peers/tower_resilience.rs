//! The retries of tower-resilience.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use redress::BoxError;
use tower::Layer as _;
use tower_resilience_retry::{ExponentialRandomBackoff, RetryBudgetBuilder, RetryConfigBuilder, RetryLayer};

use super::{retryable, versions};
use crate::policy::{BoxClient, Policy, PolicyContext};
use crate::transport::LabBody;

/// `RetryLayer` of tower-resilience-retry.
///
/// Its token bucket refills by the system's clock, which does not advance in a run. The budget is
/// therefore its other kind, AIMD.
#[derive(Clone, Copy, Debug)]
pub struct TowerResilience {
    has_budget: bool,
}

type Settings = RetryConfigBuilder<Request<Full<Bytes>>, Response<LabBody>, BoxError>;

/// Attempts and first wait of the preset.
const ATTEMPTS: usize = 3;
const FIRST: Duration = Duration::from_millis(100);

impl TowerResilience {
    /// Creates the policy with the preset `exponential_backoff()`, the crate's "balanced default":
    /// three attempts, waits of 100 ms and 200 ms without jitter, and no budget. Nothing in it is
    /// random.
    ///
    /// # Examples
    /// ```
    /// use redress_lab::Policy;
    /// use redress_lab::policies::TowerResilience;
    ///
    /// assert_eq!(TowerResilience::preset().name(), "tower-resilience");
    /// assert_eq!(TowerResilience::guide().name(), "tower-resilience-budget");
    /// ```
    #[must_use]
    pub const fn preset() -> Self {
        Self { has_budget: false }
    }

    /// Creates the policy with the additions that the crate's guide recommends: randomized waits and a
    /// budget, both with their defaults.
    ///
    /// The waits use the thread's random generator, which cannot be seeded: two runs differ slightly.
    #[must_use]
    pub const fn guide() -> Self {
        Self { has_budget: true }
    }

    fn settings(self) -> Settings {
        let preset = RetryLayer::exponential_backoff();
        if !self.has_budget {
            return preset;
        }
        let waits = ExponentialRandomBackoff::new(FIRST, 0.5).expect("a half lies between 0 and 1");
        let budget = RetryBudgetBuilder::new().aimd().build().expect("its own defaults");
        preset.backoff(waits).budget(budget)
    }
}

impl Policy for TowerResilience {
    fn name(&self) -> &'static str {
        if self.has_budget { "tower-resilience-budget" } else { "tower-resilience" }
    }

    fn about(&self) -> String {
        let version = versions::TOWER_RESILIENCE_RETRY;
        let preset =
            format!("tower-resilience-retry {version}: RetryLayer::exponential_backoff() (3 attempts, 100 ms)");
        if !self.has_budget {
            return preset;
        }
        format!("{preset} with ExponentialRandomBackoff 0.5 (not seeded) and an AIMD budget (10 to 1000)")
    }

    fn client(&self, context: &PolicyContext) -> BoxClient {
        let settings = self.settings().retry_on_response(|response| retryable::is_transient(response.status()));
        let attempts = |request: &Request<_>| if retryable::is_idempotent(request.method()) { ATTEMPTS } else { 1 };
        BoxClient::new(settings.max_attempts_fn(attempts).build().layer(context.transport()))
    }
}
