//! The settings of the budget.

use std::sync::Arc;

use http::{HeaderMap, Method, Uri};

use super::BackoffLayer;
use crate::budget::Budgets;

impl BackoffLayer {
    /// Sets the budget, to share it with other layers: a [`Budget`](crate::Budget) for all calls, or [`Budgets`] for
    /// each upstream.
    ///
    /// The default is 500 tokens for each upstream ([`Budgets::per_authority`]), or for each key of a
    /// [`partition`](Self::partition): so an outage of one upstream uses up no retries of another. If an API gives each tenant
    /// a host of its own, and all hosts fail together, `.budget(Budget::new())` makes them share one.
    ///
    /// # Examples
    /// ```
    /// use redress_backoff::{BackoffLayer, Budget, Budgets};
    /// use redress_classify::dialects;
    ///
    /// let shared = BackoffLayer::new(dialects::ranex()).budget(Budget::with_capacity(100));
    /// let per_upstream = BackoffLayer::new(dialects::ranex()).budget(Budgets::per_authority());
    /// ```
    #[must_use]
    pub fn budget(mut self, budget: impl Into<Budgets>) -> Self {
        self.settings.budget = Some(budget.into());
        self
    }

    /// Gives each key, such as a tenant, a budget of its own, in place of each host and port.
    ///
    /// A request for which the closure returns `None` uses the budget of its host and port. The key is made when a call fails, or
    /// succeeds while a budget is not full, and only its hash is kept. It has no effect on a single [`Budget`](crate::Budget),
    /// nor on [`Budgets::keyed`], which has keys of its own. A Pace layer below takes the same closure.
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
        self.settings.partition = Some(Arc::new(key));
        self
    }

    /// Removes the budget. In an outage of the upstream, retries then multiply its load.
    #[must_use]
    pub fn without_budget(mut self) -> Self {
        self.settings.budget = None;
        self
    }
}
