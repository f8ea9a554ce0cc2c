//! The points of the protocol at which a process is killed, around its store and its login.

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use redress::{BoxError, Credentials, Failure, SecretString, Store, StoreHandle, TokenSet};
use redress_store::{NewRecord, Record, Version, Written};
use tokio::time::Instant;

/// A point of the protocol of a refresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    /// Before the lease is written.
    BeforeLease,
    /// After the lease is written, before the issuer is called.
    Leased,
    /// After the call to the issuer was sent, before it is answered.
    Sent,
    /// After the answer of the issuer, before it is written.
    Answered,
    /// While the result is written.
    Writing,
    /// After the result is written.
    Written,
}

/// Where the process ends itself, and the counts that it reports.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    end_at: Option<Point>,
    /// Whether the issuer was called since the last write.
    is_called: AtomicBool,
    pub(crate) store_calls: AtomicU64,
    /// Calls to the issuer that took longer than a lease: the process was stopped meanwhile.
    pub(crate) stops_in_the_gap: AtomicU64,
    /// Calls to the issuer that were given up, since the machine was too slow for their timeout.
    pub(crate) timeouts: AtomicU64,
}

/// Counts a call that is dropped before it has ended.
struct Unfinished<'a>(Option<&'a AtomicU64>);

/// A store that ends the process at its point.
pub(crate) struct WatchedStore {
    pub(crate) store: StoreHandle,
    pub(crate) watch: Arc<Watch>,
}

/// A login that ends the process at its point.
pub(crate) struct WatchedLogin<C> {
    pub(crate) login: C,
    pub(crate) lease: Duration,
    pub(crate) watch: Arc<Watch>,
}

impl Point {
    pub(crate) const ALL: [(Self, &str); 6] = [
        (Self::BeforeLease, "before-lease"),
        (Self::Leased, "leased"),
        (Self::Sent, "sent"),
        (Self::Answered, "answered"),
        (Self::Writing, "writing"),
        (Self::Written, "written"),
    ];

    /// Returns `true` if the refresh token may be spent and its successor lost when the process ends there.
    pub(crate) const fn loses_tokens(self) -> bool {
        matches!(self, Self::Sent | Self::Answered | Self::Writing)
    }

    pub(crate) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(point, _)| *point == self).map_or("", |(_, name)| name)
    }
}

impl FromStr for Point {
    type Err = BoxError;

    fn from_str(text: &str) -> Result<Self, BoxError> {
        let found = Self::ALL.iter().find(|(_, name)| *name == text);
        found.map(|(point, _)| *point).ok_or_else(|| format!("`{text}` is not a point of the protocol").into())
    }
}

impl Watch {
    pub(crate) fn new(end_at: Option<Point>) -> Self {
        Self { end_at, ..Self::default() }
    }

    /// Ends the process as `kill -9` does, without any destructor, if this is its point.
    fn reach(&self, point: Point) {
        if self.end_at == Some(point) {
            std::process::abort();
        }
    }

    async fn call(
        &self,
        call: impl Future<Output = Result<TokenSet, Failure>>,
        lease: Duration,
    ) -> Result<TokenSet, Failure> {
        self.reach(Point::Leased);
        let start = Instant::now();
        let mut call = std::pin::pin!(call);
        if self.end_at == Some(Point::Sent) {
            // The request leaves, and its answer does not arrive.
            let _ = tokio::time::timeout(Duration::from_millis(1), &mut call).await;
            self.reach(Point::Sent);
        }
        let mut unfinished = Unfinished(Some(&self.timeouts));
        let result = call.await;
        unfinished.0 = None;
        self.is_called.store(true, Ordering::Relaxed);
        if start.elapsed() >= lease {
            self.stops_in_the_gap.fetch_add(1, Ordering::Relaxed);
        }
        self.reach(Point::Answered);
        result
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if let Some(count) = self.0 {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Store for WatchedStore {
    async fn load(&self, key: &str) -> Result<Option<Record>, BoxError> {
        self.watch.store_calls.fetch_add(1, Ordering::Relaxed);
        self.store.load(key).await
    }

    async fn replace(&self, key: &str, seen: Option<Version>, record: &NewRecord<'_>) -> Result<Written, BoxError> {
        self.watch.store_calls.fetch_add(1, Ordering::Relaxed);
        if !self.watch.is_called.swap(false, Ordering::Relaxed) {
            self.watch.reach(Point::BeforeLease);
            return self.store.replace(key, seen, record).await;
        }
        let mut write = std::pin::pin!(self.store.replace(key, seen, record));
        if self.watch.end_at == Some(Point::Writing) {
            let _ = tokio::time::timeout(Duration::from_micros(200), &mut write).await;
            self.watch.reach(Point::Writing);
        }
        let written = write.await;
        self.watch.reach(Point::Written);
        written
    }

    async fn changed(&self, key: &str, seen: Option<Version>) {
        self.store.changed(key, seen).await;
    }
}

impl<C: Credentials> Credentials for WatchedLogin<C> {
    async fn login(&self) -> Result<TokenSet, Failure> {
        self.watch.call(self.login.login(), self.lease).await
    }

    async fn refresh(&self, refresh_token: &SecretString) -> Result<TokenSet, Failure> {
        self.watch.call(self.login.refresh(refresh_token), self.lease).await
    }
}
