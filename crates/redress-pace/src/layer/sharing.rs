//! Cool-downs and limits that several processes share.

use std::sync::Arc;

use redress_store::{Store, StoreHandle};

use super::PaceLayer;
use crate::limiter::Limiter;
use crate::shared::Sharing;

impl PaceLayer {
    /// Shares cool-downs and limits with other processes that have the same account, by a store.
    ///
    /// A cool-down that one process learns of is written to the record `{key}/cooldown/{partition}`, and holds the calls of all
    /// processes with that store and key for the time that is left of it. Each limit counts the requests of all of them, by the
    /// record `{key}/limit/{limit}/{partition}`. See [sharing](crate#sharing). The default is none: each process learns and counts by
    /// itself. Without limits, [`without_limits`](Self::without_limits), cool-downs alone are shared.
    ///
    /// The key is the account or credential as the vendor counts it. It is a name: not a token, and it contains none.
    ///
    /// # Examples
    /// ```
    /// use http::{Request, Response};
    /// use redress_classify::dialects;
    /// use redress_pace::PaceLayer;
    /// use redress_store::MemoryStore;
    /// use tower::{Layer, ServiceExt, service_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let store = MemoryStore::new();
    /// // Two layers as in two processes: they have nothing but the store in common.
    /// let process = || PaceLayer::new(dialects::generic()).fail_fast().share(store.clone(), "portal/user-7");
    /// let server = service_fn(|_: Request<()>| async {
    ///     Response::builder().status(429).header("retry-after", "30").body(())
    /// });
    /// let (one, other) = (process().layer(server), process().layer(server));
    /// let request = || Request::get("https://api.example/v1/reports").body(());
    ///
    /// assert_eq!(one.oneshot(request()?).await?.status(), 429);
    /// let _ = other.clone().oneshot(request()?).await; // It begins to watch the record.
    /// tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    /// assert!(other.oneshot(request()?).await.is_err_and(|error| error.is_paced()));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn share(mut self, store: impl Store, key: &str) -> Self {
        let sharing = Sharing::new(StoreHandle::new(store), key);
        for limiter in &mut self.settings.limiters {
            *limiter = Limiter::new(limiter.limit().clone(), Some(sharing.limits()));
        }
        self.settings.sharing = Some(Arc::new(sharing));
        self
    }
}
