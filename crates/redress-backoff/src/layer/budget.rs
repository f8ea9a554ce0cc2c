//! The settings of the budget.

use std::sync::Arc;

use http::{HeaderMap, Method, Uri};
use redress_store::{Entry, Store, StoreHandle};

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
        self.settings.set_budget(Some(budget.into()));
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

    /// Sets the tokens that a success at the first attempt gives the budget while the upstream is healthy: while no layer
    /// below marks its response by an [`UpstreamHealth`](redress_classify::UpstreamHealth). The default is 1, as in the AWS
    /// SDKs.
    ///
    /// A success whose response is marked gives 1, and a success after a retry the cost of that retry. Set more than 1 only
    /// above a layer that marks responses, such as Pace: without one each response counts as healthy, and a budget that
    /// successes refill too fast keeps an overloaded upstream down. [`TRANSIENT_COST`](crate::Budget::TRANSIENT_COST), 14
    /// tokens, lets each success of a healthy upstream pay for one retry, so that single failures are retried whatever their
    /// share is. It has no effect on the throttling of a gRPC service config.
    ///
    /// # Examples
    /// ```
    /// use http::{Request, Response};
    /// use redress_backoff::{BackoffLayer, Budget, Reservation};
    /// use redress_classify::dialects;
    /// use tower::{ServiceBuilder, ServiceExt, service_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let budget = Budget::with_capacity(100);
    /// let layer = BackoffLayer::new(dialects::generic()).budget(budget.clone()).healthy_refill(Budget::TRANSIENT_COST);
    /// assert_eq!(budget.reserve(50).map(Reservation::spend), Some(50));
    /// let healthy = service_fn(|_: Request<String>| async { Ok::<_, std::io::Error>(Response::new(String::new())) });
    /// ServiceBuilder::new().layer(layer).service(healthy).oneshot(Request::new(String::new())).await?;
    /// assert_eq!(budget.level(), 64);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub const fn healthy_refill(mut self, tokens: u32) -> Self {
        self.settings.healthy_refill = tokens;
        self
    }

    /// Shares the budgets with other processes that call the same upstreams, by a store.
    ///
    /// All processes with that store and key have one bucket together, in the record `{key}/budget/{host and port}`, and lease tokens
    /// from it in the background: no call waits for the store. See [sharing](crate#sharing). A [`partition`](Self::partition) or a
    /// key of [`Budgets::keyed`] appears as a hash, and a single [`Budget`](crate::Budget) as `all`: of that and of [`Budgets`] the
    /// capacity and the keys are used, and not the tokens. The default is none: each process has a bucket of its own, so that a
    /// thousand processes have a thousand times as many tokens.
    ///
    /// The key is the account or the fleet whose calls count together. It is a name: not a token, and it contains none.
    ///
    /// # Examples
    /// ```
    /// use http::{Request, Response};
    /// use redress_backoff::BackoffLayer;
    /// use redress_classify::{ResponseExt, dialects};
    /// use redress_store::{MemoryStore, Store};
    /// use tower::{ServiceBuilder, ServiceExt, service_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let store = MemoryStore::new();
    /// let layer = BackoffLayer::new(dialects::generic()).share(store.clone(), "portal/user-7");
    /// let down = service_fn(|_: Request<String>| async {
    ///     Ok::<_, std::io::Error>(Response::builder().status(503).body(String::new()).expect("a status"))
    /// });
    /// let request = Request::get("https://api.example/").body(String::new())?;
    /// let response = ServiceBuilder::new().layer(layer).service(down).oneshot(request).await?;
    /// assert_eq!(response.record().map(|record| record.attempts().len()), Some(3), "as without a store");
    /// assert!(store.load("portal/user-7/budget/api.example:443").await.is_ok_and(|record| record.is_some()));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn share(mut self, store: impl Store, key: &str) -> Self {
        self.settings.set_shared_at(Entry::new(StoreHandle::new(store), key));
        self
    }

    /// Removes the budget. In an outage of the upstream, retries then multiply its load.
    #[must_use]
    pub fn without_budget(mut self) -> Self {
        self.settings.set_budget(None);
        self
    }
}
