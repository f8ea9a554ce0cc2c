//! The layer and its settings.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method, Uri};
use redress_classify::{Clock, Dialect, IdempotencyHeader, Schedule};
use tower_layer::Layer;

use crate::budget::Budgets;
use crate::schedule::Jitter;
use crate::service::Backoff;
use crate::settings::Settings;

/// Makes [`Backoff`] services that follow a vendor's advice on retries.
///
/// `new` gives the recommended behaviour; every setter replaces one part of it. Clones of a layer, and the services that
/// it makes, share the [`Budgets`] of the upstreams.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use redress_backoff::{BackoffLayer, Jitter};
/// use redress_classify::dialects;
///
/// let layer = BackoffLayer::new(dialects::ranex()).deadline(Duration::from_secs(30)).jitter(Jitter::Equal);
/// ```
#[derive(Clone, Debug)]
pub struct BackoffLayer {
    pub(crate) settings: Settings,
}

impl BackoffLayer {
    /// Takes attempts, schedule, idempotent routes and the header for idempotency keys from the dialect.
    ///
    /// Where the dialect is silent: 3 attempts, full jitter, waits from 50 ms after transient failures and from 1 s
    /// after throttling, doubling up to 20 s; hints are honoured up to 120 s; a budget of 500 for each upstream; no deadline. They are the
    /// AWS SDKs' standard mode of 2026.
    #[must_use]
    pub fn new(dialect: Dialect) -> Self {
        Self { settings: Settings::new(dialect) }
    }

    /// Sets how often a request is sent at most, the first time included.
    #[must_use]
    pub const fn max_attempts(mut self, attempts: NonZeroU32) -> Self {
        self.settings.attempts = attempts;
        self
    }

    /// Sets how waits are spread.
    #[must_use]
    pub const fn jitter(mut self, jitter: Jitter) -> Self {
        self.settings.jitter = jitter;
        self
    }

    /// Sets the waits after transient failures, in place of the vendor's schedule too.
    #[must_use]
    pub const fn transient_backoff(mut self, schedule: Schedule) -> Self {
        self.settings.transient = schedule;
        self.settings.published = None;
        self
    }

    /// Sets the waits after throttling that names no wait, where the vendor publishes none.
    #[must_use]
    pub const fn throttling_backoff(mut self, schedule: Schedule) -> Self {
        self.settings.throttled = schedule;
        self
    }

    /// Sets the wait after throttling that names no wait, in place of the vendor's.
    #[must_use]
    pub const fn default_throttle_wait(mut self, wait: Duration) -> Self {
        self.settings.throttle_wait = Some(wait);
        self
    }

    /// Sets the longest hint that is honoured; the call whose server asks for more fails at once.
    #[must_use]
    pub const fn max_retry_after(mut self, longest: Duration) -> Self {
        self.settings.max_retry_after = longest;
        self
    }

    /// Sets how long a call may take in all, its waits included; an attempt in flight is cut then.
    ///
    /// A request with a [`Deadline`](redress_classify::Deadline) among its extensions has its own in place of this one.
    #[must_use]
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.settings.deadline = Some(deadline);
        self
    }

    /// Caps the deadline: of this one and the one that is set the earlier counts.
    #[must_use]
    pub fn cap_deadline(mut self, longest: Duration) -> Self {
        self.settings.deadline = Some(self.settings.deadline.map_or(longest, |own| own.min(longest)));
        self
    }

    /// Returns how long a call may take in all; `None` when there is no limit.
    #[must_use]
    pub const fn configured_deadline(&self) -> Option<Duration> {
        self.settings.deadline
    }

    /// Sets the budget, to share it with other layers: one for all calls, or one for each upstream.
    ///
    /// The default is one of 500 tokens for each upstream ([`Budgets::per_authority`]), or for each key of a
    /// [`partition`](Self::partition): an outage of one uses up no retries of another. Where an API gives each tenant or
    /// account a host of its own, and they go down together, `.budget(Budget::new())` makes them share one.
    ///
    /// # Examples
    /// ```
    /// use redress_backoff::{BackoffLayer, Budget, Budgets};
    /// use redress_classify::dialects;
    ///
    /// let one = BackoffLayer::new(dialects::ranex()).budget(Budget::with_capacity(100));
    /// let many = BackoffLayer::new(dialects::ranex()).budget(Budgets::per_authority());
    /// ```
    #[must_use]
    pub fn budget(mut self, budget: impl Into<Budgets>) -> Self {
        self.settings.budget = Some(budget.into());
        self
    }

    /// Tells callers apart by a key, such as a tenant, in place of the host and port of the request: each key has a budget
    /// of its own.
    ///
    /// A request for which there is `None` goes by its host and port. The key is made when a call fails, or succeeds while a
    /// budget is not full, and only a hash of it is kept. It makes no difference to a single [`Budget`](crate::Budget), nor to
    /// [`Budgets::keyed`], which has keys of its own. A Pace layer below takes the same closure.
    ///
    /// # Examples
    /// ```
    /// use redress_backoff::BackoffLayer;
    /// use redress_classify::dialects;
    ///
    /// let layer = BackoffLayer::new(dialects::veridia())
    ///     .partition(|_, _, headers| headers.get("x-tenant")?.to_str().ok().map(str::to_owned));
    /// ```
    #[must_use]
    pub fn partition(
        mut self,
        key: impl Fn(&Method, &Uri, &HeaderMap) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.settings.keys = Some(Arc::new(key));
        self
    }

    /// Lets retries go on without a budget. In an outage of the upstream they then multiply its load.
    #[must_use]
    pub fn without_budget(mut self) -> Self {
        self.settings.budget = None;
        self
    }

    /// Gives every request of the header's methods an idempotency key, in place of what the dialect declares.
    ///
    /// The key is made once per call; its retries and its replay after a refresh carry the same. A request that has the
    /// header already keeps it, and one with an [`IdempotencyKey`](crate::IdempotencyKey) among its extensions gets that
    /// one. What carries a key counts as idempotent: set this for an API that does such a request once.
    ///
    /// # Examples
    /// ```
    /// use http::HeaderName;
    /// use redress_backoff::BackoffLayer;
    /// use redress_classify::{IdempotencyHeader, dialects};
    ///
    /// let header = IdempotencyHeader::new(HeaderName::from_static("idempotency-key"));
    /// let layer = BackoffLayer::new(dialects::veridia()).idempotency_key(header);
    /// ```
    #[must_use]
    pub fn idempotency_key(mut self, header: IdempotencyHeader) -> Self {
        self.settings.key_header = Some(header);
        self.settings.mints_keys = true;
        self
    }

    /// Makes no idempotency keys, though the dialect declares a header for them.
    ///
    /// A request that brings its own key, in the header or as an extension, still has it and counts as idempotent.
    #[must_use]
    pub const fn without_idempotency_key(mut self) -> Self {
        self.settings.mints_keys = false;
        self
    }

    /// Takes a 503 with `Retry-After` for a failure after which the request may have been processed.
    ///
    /// By default it is taken for a refusal (RFC 9110 section 15.6.4), after which any request is sent again, a POST without
    /// an idempotency key too. Set this where a gateway answers for a service behind it: it may give up on a request that
    /// the service has done. The hint is obeyed all the same.
    ///
    /// # Examples
    /// ```
    /// use redress_backoff::BackoffLayer;
    /// use redress_classify::dialects;
    ///
    /// let layer = BackoffLayer::new(dialects::ranex()).uncertain_503();
    /// ```
    #[must_use]
    pub const fn uncertain_503(mut self) -> Self {
        self.settings.trusts_503 = false;
        self
    }

    /// Sets the clock, for tests.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.settings.clock = clock;
        self
    }

    /// Sets the source of random numbers, uniform over all of `u32`, for tests and simulations.
    #[must_use]
    pub fn random(mut self, random: impl Fn() -> u32 + Send + Sync + 'static) -> Self {
        self.settings.set_random(random);
        self
    }
}

impl<S> Layer<S> for BackoffLayer {
    type Service = Backoff<S>;

    fn layer(&self, inner: S) -> Backoff<S> {
        Backoff::new(inner, Arc::new(self.settings.clone()))
    }
}
