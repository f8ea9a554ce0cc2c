//! A store whose type is erased.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::BoxError;
use crate::record::{NewRecord, Record};
use crate::store::{Store, Written};
use crate::version::Version;

/// Any [`Store`] behind one type, for several layers. Clones share the store; each call allocates its future.
///
/// # Examples
/// ```
/// use redress_store::{MemoryStore, Store, StoreHandle};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), redress_store::BoxError> {
/// let store = StoreHandle::new(MemoryStore::new());
/// assert!(store.load("portal/user-7").await?.is_none());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct StoreHandle {
    store: Arc<dyn Erased>,
}

type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

trait Erased: Send + Sync {
    fn load<'a>(&'a self, key: &'a str) -> Pending<'a, Result<Option<Record>, BoxError>>;
    fn replace<'a>(
        &'a self,
        key: &'a str,
        seen: Option<Version>,
        record: &'a NewRecord<'a>,
    ) -> Pending<'a, Result<Written, BoxError>>;
    fn changed<'a>(&'a self, key: &'a str, seen: Option<Version>) -> Pending<'a, ()>;
}

impl StoreHandle {
    /// Erases the type of a store. A handle is returned as it is.
    #[must_use]
    pub fn new<S: Store>(store: S) -> Self {
        match (&store as &dyn Any).downcast_ref::<Self>() {
            Some(handle) => handle.clone(),
            None => Self { store: Arc::new(store) },
        }
    }
}

impl Store for StoreHandle {
    async fn load(&self, key: &str) -> Result<Option<Record>, BoxError> {
        self.store.load(key).await
    }

    async fn replace(&self, key: &str, seen: Option<Version>, record: &NewRecord<'_>) -> Result<Written, BoxError> {
        self.store.replace(key, seen, record).await
    }

    async fn changed(&self, key: &str, seen: Option<Version>) {
        self.store.changed(key, seen).await;
    }
}

impl<S: Store> Erased for S {
    fn load<'a>(&'a self, key: &'a str) -> Pending<'a, Result<Option<Record>, BoxError>> {
        Box::pin(Store::load(self, key))
    }

    fn replace<'a>(
        &'a self,
        key: &'a str,
        seen: Option<Version>,
        record: &'a NewRecord<'a>,
    ) -> Pending<'a, Result<Written, BoxError>> {
        Box::pin(Store::replace(self, key, seen, record))
    }

    fn changed<'a>(&'a self, key: &'a str, seen: Option<Version>) -> Pending<'a, ()> {
        Box::pin(Store::changed(self, key, seen))
    }
}

impl fmt::Debug for StoreHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreHandle").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MemoryStore;

    #[test]
    fn a_handle_of_a_handle_is_the_same_one() {
        let handle = StoreHandle::new(MemoryStore::new());
        assert!(
            Arc::ptr_eq(&StoreHandle::new(handle.clone()).store, &handle.store),
            "no further allocation for each call"
        );
    }
}
