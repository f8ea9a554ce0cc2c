//! A store for the layers of one process.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redress_classify::BoxError;
use tokio::sync::watch;

use super::{RecordVersion, TokenRecord, TokenStore};

/// A [`TokenStore`] in memory, for several layers in one process and for tests. Clones share their records.
///
/// # Examples
/// ```
/// use redress_refresh::MemoryStore;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// redress_refresh::conformance::check(MemoryStore::new()).await;
/// # }
/// ```
#[derive(Clone)]
pub struct MemoryStore {
    inner: Arc<Inner>,
}

struct Inner {
    records: Mutex<HashMap<String, TokenRecord>>,
    /// Changes with each write, which wakes the waiters.
    writes: watch::Sender<u64>,
}

impl MemoryStore {
    /// Makes an empty store.
    ///
    /// # Examples
    /// ```
    /// use redress_refresh::{MemoryStore, TokenStore};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), redress_classify::BoxError> {
    /// assert!(MemoryStore::new().load("portal/user-7").await?.is_none());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self { inner: Arc::new(Inner { records: Mutex::default(), writes: watch::Sender::new(0) }) }
    }

    fn records(&self) -> MutexGuard<'_, HashMap<String, TokenRecord>> {
        self.inner.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn version(&self, key: &str) -> Option<RecordVersion> {
        self.records().get(key).map(TokenRecord::version)
    }
}

impl TokenStore for MemoryStore {
    async fn load(&self, key: &str) -> Result<Option<TokenRecord>, BoxError> {
        Ok(self.records().get(key).cloned())
    }

    async fn replace(&self, key: &str, seen: Option<&RecordVersion>, record: &TokenRecord) -> Result<bool, BoxError> {
        let is_same = {
            let mut records = self.records();
            let is_same = records.get(key).map(TokenRecord::version).as_ref() == seen;
            if is_same {
                records.insert(key.to_owned(), record.clone());
            }
            is_same
        };
        if is_same {
            self.inner.writes.send_modify(|writes| *writes += 1);
        }
        Ok(is_same)
    }

    async fn changed(&self, key: &str, seen: Option<&RecordVersion>) {
        let mut writes = self.inner.writes.subscribe();
        while self.version(key).as_ref() == seen && writes.changed().await.is_ok() {}
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("records", &self.records().len()).finish()
    }
}
