//! One key of a store, as the layers use it.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::BoxError;
use crate::handle::StoreHandle;
use crate::record::{NewRecord, Record};
use crate::store::{Store, Written};
use crate::telemetry::{self, Outcome};
use crate::version::Version;

/// How long one call to the store may take. A store that takes longer counts as unavailable.
const STORE_TIMEOUT: Duration = Duration::from_secs(5);
/// The kinds of records below the key of an account. The record of credentials may have the key itself.
const KINDS: [&str; 3] = ["cooldown", "limit", "budget"];
const TOKEN: &str = "token";

/// One key of a store. Clones are cheap.
///
/// Each call to the store ends within 5 s: a store that takes longer counts as unavailable. That is longer than the timeouts of
/// its client (500 ms for the answers of Redis), so that the client's own error is the usual one.
///
/// # Examples
/// ```
/// use redress_store::{Entry, MemoryStore, StoreHandle};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), redress_store::BoxError> {
/// let entry = Entry::new(StoreHandle::new(MemoryStore::new()), "portal/user-7");
/// let budget = entry.child("budget");
/// assert_eq!(budget.key(), "portal/user-7/budget");
/// assert!(budget.load().await?.is_none());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Entry {
    store: StoreHandle,
    key: Arc<str>,
    /// The kind of record, as metrics name it.
    record: &'static str,
}

impl Entry {
    /// Makes the entry of a key.
    #[must_use]
    pub fn new(store: StoreHandle, key: &str) -> Self {
        Self { store, key: key.into(), record: TOKEN }
    }

    /// Makes the entry of a key below this one: this key, a `/`, and the name.
    #[must_use]
    pub fn child(&self, name: &str) -> Self {
        let record = KINDS.into_iter().find(|kind| *kind == name).unwrap_or(self.record);
        Self { store: self.store.clone(), key: format!("{}/{name}", self.key).into(), record }
    }

    /// Returns the key.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Reads the record.
    ///
    /// # Errors
    /// Returns the error of the store, or an error after 5 s.
    pub async fn load(&self) -> Result<Option<Record>, BoxError> {
        self.bounded("load", self.store.load(&self.key)).await
    }

    /// Writes a value over the version `seen`; the store may remove it after its lifetime. It takes up to two calls: when the
    /// answer to a write is lost, it reads the record and recognizes its own write.
    ///
    /// # Errors
    /// Returns an error if it is unknown whether the value was written.
    ///
    /// # Cancel safety
    /// A call that is dropped may have written the value, or may still write it.
    pub async fn replace(
        &self,
        seen: Option<Version>,
        value: &[u8],
        lifetime: Option<Duration>,
    ) -> Result<Written, BoxError> {
        self.write(seen, Version::next(seen), value, lifetime).await
    }

    /// As [`replace`](Self::replace), over a record that was loaded: the mark of a former server is compared too, and removed.
    ///
    /// # Errors
    /// Returns an error if it is unknown whether the value was written.
    ///
    /// # Cancel safety
    /// A call that is dropped may have written the value, or may still write it.
    pub async fn replace_record(
        &self,
        seen: Option<&Record>,
        value: &[u8],
        lifetime: Option<Duration>,
    ) -> Result<Written, BoxError> {
        let version = seen.map(Record::version);
        let record = new_record(Version::next(version), value, lifetime);
        self.offer(version, &record.seen_marked(seen.is_some_and(Record::is_of_former_server))).await
    }

    /// As [`replace`](Self::replace), with a version that the caller made.
    ///
    /// A caller that offers a write again after an error keeps its version, so that the write is recognized when the first
    /// one arrived after all.
    ///
    /// # Errors
    /// Returns an error if it is unknown whether the value was written.
    pub async fn write(
        &self,
        seen: Option<Version>,
        version: Version,
        value: &[u8],
        lifetime: Option<Duration>,
    ) -> Result<Written, BoxError> {
        self.offer(seen, &new_record(version, value, lifetime)).await
    }

    async fn offer(&self, seen: Option<Version>, record: &NewRecord<'_>) -> Result<Written, BoxError> {
        let version = record.version();
        let error = match self.bounded("write", self.store.replace(&self.key, seen, record)).await {
            Ok(Written::Refused(Some(stored))) if stored.version() == version => return Ok(Written::Done),
            Ok(written) => return Ok(written),
            Err(error) => error,
        };
        match self.load().await {
            Ok(Some(stored)) if stored.version() == version => Ok(Written::Done),
            // A write on its way can still be applied while the record has the version that it replaces, and not afterwards.
            Ok(stored) if stored.as_ref().map(Record::version) != seen => Ok(Written::Refused(stored)),
            _ => Err(error),
        }
    }

    /// Ends a call to the store in time, and counts it.
    async fn bounded<T: Outcome>(
        &self,
        name: &'static str,
        call: impl Future<Output = Result<T, BoxError>>,
    ) -> Result<T, BoxError> {
        let began = Instant::now();
        let late = |_| Err("the store did not answer in time".into());
        let result = timeout(STORE_TIMEOUT, call).await.unwrap_or_else(late);
        telemetry::called(self.record, name, &result, began.elapsed());
        result
    }

    /// Waits until the version of the record is no longer `seen`, at most for `longest`. It may return earlier.
    pub async fn changed(&self, seen: Option<Version>, longest: Duration) {
        let _ = timeout(longest, self.store.changed(&self.key, seen)).await;
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("key", &self.key).finish_non_exhaustive()
    }
}

fn new_record(version: Version, value: &[u8], lifetime: Option<Duration>) -> NewRecord<'_> {
    let record = NewRecord::new(version, value);
    lifetime.map_or(record, |lifetime| record.lifetime(lifetime))
}
