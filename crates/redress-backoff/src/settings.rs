//! The settings of a [`BackoffLayer`](crate::BackoffLayer).

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Uri};
use redress_classify::{Clock, Dialect, IdempotencyHeader, Schedule};
use redress_store::Entry;

use crate::budget::{Budget, Budgets, KeyParts, PartitionFn, Random, Records};
use crate::failing_routes::FailingRoutes;
use crate::grpc::{self, RetryThrottling, ServiceConfig};
use crate::header_names::HeaderNames;
use crate::hedge::HedgedUpstreams;
use crate::hooks::Hooks;
use crate::schedule::Jitter;
use crate::telemetry::Successes;

#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) dialect: Dialect,
    pub(crate) max_attempts: NonZeroU32,
    pub(crate) jitter: Jitter,
    pub(crate) transient_backoff: Schedule,
    pub(crate) throttling_backoff: Schedule,
    /// The schedule that the vendor publishes for transient failures.
    pub(crate) published_backoff: Option<Schedule>,
    /// The vendor's wait after throttling without a hint.
    pub(crate) default_throttle_wait: Option<Duration>,
    pub(crate) max_retry_after: Duration,
    pub(crate) deadline: Option<Duration>,
    /// The `grpc-timeout` of that deadline, formatted once for all calls. `None` in another dialect, and in a layer: it is set in
    /// the settings of a service.
    pub(crate) grpc_timeout: Option<HeaderValue>,
    /// The budgets that calls use.
    pub(crate) budget: Option<Budgets>,
    /// The budgets that were set, and the entry of the store by which processes share them.
    own_budget: Option<Budgets>,
    shared_at: Option<Entry>,
    /// The routes that are not retried, shared by all services of the layer.
    pub(crate) failing_routes: Arc<FailingRoutes>,
    /// The names of headers that were sent again, shared in the same way.
    pub(crate) header_names: Arc<HeaderNames>,
    /// The tokens that a success at the first attempt gives, unless its upstream is marked as unhealthy.
    pub(crate) healthy_refill: u32,
    /// Makes the key of a budget, in place of the upstream.
    pub(crate) partition: Option<PartitionFn>,
    /// The header for idempotency keys.
    pub(crate) key_header: Option<IdempotencyHeader>,
    /// Whether requests without an idempotency key are given one.
    pub(crate) generates_keys: bool,
    /// Whether a 503 with `Retry-After` proves that the request was not processed.
    pub(crate) trusts_503: bool,
    /// The settings that a gRPC service publishes.
    pub(crate) service_config: Option<Arc<ServiceConfig>>,
    /// The upstreams whose latency is known; `None` unless calls are hedged.
    pub(crate) hedged: Option<Arc<HedgedUpstreams>>,
    pub(crate) clock: Clock,
    pub(crate) hooks: Hooks,
    pub(crate) successes: Successes,
    random: Random,
}

impl Settings {
    /// Takes the vendor's advice, and the AWS SDKs' standard mode of 2026 where the vendor gives none.
    pub(crate) fn new(dialect: Dialect) -> Self {
        let advice = dialect.retry().clone();
        let doubling_from = |base_ms| Schedule {
            base: Duration::from_millis(base_ms),
            factor: NonZeroU32::MIN.saturating_add(1),
            cap: Duration::from_secs(20),
        };
        Self {
            max_attempts: advice.attempts.unwrap_or(NonZeroU32::MIN.saturating_add(2)),
            jitter: Jitter::default(),
            transient_backoff: doubling_from(50),
            throttling_backoff: doubling_from(1_000),
            published_backoff: advice.schedule,
            default_throttle_wait: advice.throttle_wait,
            max_retry_after: Duration::from_secs(120),
            deadline: None,
            grpc_timeout: None,
            budget: Some(Budgets::per_authority()),
            own_budget: Some(Budgets::per_authority()),
            shared_at: None,
            failing_routes: Arc::default(),
            header_names: Arc::default(),
            healthy_refill: Budget::FIRST_ATTEMPT_REFILL,
            partition: None,
            key_header: dialect.idempotency().cloned(),
            generates_keys: true,
            trusts_503: true,
            service_config: None,
            hedged: None,
            clock: Clock::system(),
            hooks: Hooks::default(),
            successes: Successes::new(&dialect),
            random: Arc::new(|| fastrand::u32(..)),
            dialect,
        }
    }

    /// Returns the settings of a service, which no longer change.
    pub(crate) fn for_service(&self) -> Self {
        let deadline = self.deadline.filter(|_| self.dialect.is_grpc());
        Self { grpc_timeout: deadline.map(grpc::timeout_value), ..self.clone() }
    }

    /// Sets the budgets. Those that processes share have the same capacities and keys.
    pub(crate) fn set_budget(&mut self, budget: Option<Budgets>) {
        self.own_budget = budget;
        self.share_budget();
    }

    /// Sets the entry of the store by which processes share the budgets.
    pub(crate) fn set_shared_at(&mut self, entry: Entry) {
        self.shared_at = Some(entry);
        self.share_budget();
    }

    fn share_budget(&mut self) {
        let records = |entry| Records::new(entry, self.dialect.clone(), Arc::clone(&self.random));
        let records = self.shared_at.as_ref().map(records);
        self.budget = match (&self.own_budget, records) {
            (Some(budget), Some(records)) => Some(budget.leased(records)),
            (budget, _) => budget.clone(),
        };
    }

    /// Returns the key of the budget of a request; `None` without a budget.
    pub(crate) fn partition(&self, parts: &KeyParts<'_>) -> Option<u64> {
        Some(self.budget.as_ref()?.key(parts, self.partition.as_ref()))
    }

    /// Returns `true` if that key depends on the headers of the request.
    pub(crate) fn key_reads_headers(&self, uri: &Uri) -> bool {
        self.budget.as_ref().is_some_and(|budgets| budgets.reads_headers(uri, self.partition.as_ref()))
    }

    /// Returns the retry throttling of the service config.
    #[inline]
    pub(crate) fn throttling(&self) -> Option<&RetryThrottling> {
        self.service_config.as_ref()?.retry_throttling()
    }

    pub(crate) fn set_random(&mut self, random: impl Fn() -> u32 + Send + Sync + 'static) {
        self.random = Arc::new(random);
        self.share_budget();
    }

    pub(crate) fn random(&self) -> u32 {
        (self.random)()
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("dialect", &self.dialect)
            .field("max_attempts", &self.max_attempts)
            .field("jitter", &self.jitter)
            .field("deadline", &self.deadline)
            .field("budget", &self.budget)
            .field("hedged", &self.hedged)
            .field("key_header", &self.key_header)
            .field("generates_keys", &self.generates_keys)
            .finish_non_exhaustive()
    }
}
