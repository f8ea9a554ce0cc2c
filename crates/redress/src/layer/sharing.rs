//! One account in several processes.

use redress_refresh::RefreshLayer;
use redress_store::{Store, StoreHandle};

use super::RedressLayer;

/// The store of a stack, and its key.
#[derive(Clone)]
pub(super) struct Sharing {
    store: StoreHandle,
    key: String,
}

impl RedressLayer {
    /// Shares the account with other processes through a store: tokens, cool-downs, limits and retry budgets.
    ///
    /// All stacks with the same store and key act as one: one of them refreshes the token, a cool-down that one learns of holds
    /// the calls of all, and all together keep a limit and spend one budget. The key names the account, as in `portal/user-7`; it is
    /// not a secret. The records are `{key}/token`, and those of each upstream below `{key}/cooldown`, `{key}/limit` and
    /// `{key}/budget`. To share some of them only, set the store on their layers: [`RefreshLayer::store`], [`PaceLayer::share`](crate::PaceLayer::share),
    /// [`BackoffLayer::share`](crate::BackoffLayer::share).
    ///
    /// No call waits for the store while it has credentials, permits, and has met the upstream before. A store that is slow or down
    /// never makes a call fail that could go without it. `docs/sharing.md` in the repository says what happens in each case. It
    /// needs a tokio runtime.
    ///
    /// # Examples
    /// ```
    /// use redress::{MemoryStore, RedressLayer, dialects};
    ///
    /// let store = MemoryStore::new();
    /// let layer = RedressLayer::new(dialects::veridia()).share(store, "veridia/main");
    /// ```
    #[must_use]
    pub fn share(mut self, store: impl Store, key: &str) -> Self {
        self.whole.sharing = Some(Sharing { store: StoreHandle::new(store), key: key.to_owned() });
        self.with_shared_backoff().with_shared_pace()
    }

    /// Shares the budget of the Backoff layer, also of one that a closure has put in its place.
    pub(super) fn with_shared_backoff(mut self) -> Self {
        if let Some(Sharing { store, key }) = &self.whole.sharing {
            self.backoff = self.backoff.share(store.clone(), key);
        }
        self
    }

    /// Shares the cool-downs and limits of the Pace layer, also of one that a closure has put in its place.
    pub(super) fn with_shared_pace(mut self) -> Self {
        if let Some(Sharing { store, key }) = &self.whole.sharing {
            self.pace = self.pace.share(store.clone(), key);
        }
        self
    }
}

impl Sharing {
    /// Shares the tokens of a Refresh layer.
    pub(super) fn tokens(&self, refresh: RefreshLayer) -> RefreshLayer {
        refresh.store(self.store.clone(), format!("{}/token", self.key))
    }
}
