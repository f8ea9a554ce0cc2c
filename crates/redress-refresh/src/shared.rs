//! The credentials that all services of a layer share: a snapshot for readers, and the state behind a lock.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use arc_swap::{ArcSwap, Guard};
use http::HeaderValue;
use redress_classify::Secrets;

use crate::credentials::{Credentials, Issuer};
use crate::notifier::Notifier;
use crate::shared_store::SharedStore;
use crate::snapshot::Snapshot;
use crate::state::{Now, State};
use crate::telemetry;

/// The credentials of one layer.
pub(crate) struct Shared {
    /// All that a request with fresh credentials reads.
    snapshot: ArcSwap<Snapshot>,
    /// Whether requests are distinguished by their routes, because a route rejected valid credentials.
    tracks_routes: AtomicBool,
    inner: Mutex<Inner>,
    pub(crate) issuer: Box<dyn Issuer>,
    pub(crate) is_static: bool,
    /// Empty while the credentials belong to this process alone.
    store: OnceLock<SharedStore>,
    pub(crate) refreshes: AtomicU64,
    pub(crate) logins: AtomicU64,
}

/// The part that only requests without fresh credentials use. No user code runs under its lock.
pub(crate) struct Inner {
    pub(crate) state: State,
    /// Notifies the waiters of the flight in progress.
    pub(crate) notifier: Option<Notifier>,
    /// The forms of the secret values, from the first failure since the last change on.
    forms: Option<Arc<Secrets>>,
}

impl Shared {
    pub(crate) fn new<C: Credentials>(credentials: C) -> Arc<Self> {
        let is_static = credentials.is_static();
        let mut state = State::new(is_static, credentials.rotates());
        if let Some(tokens) = credentials.initial() {
            state.seed(tokens, Now::read());
        }
        Arc::new(Self {
            snapshot: ArcSwap::new(Arc::clone(state.current())),
            tracks_routes: AtomicBool::new(false),
            inner: Mutex::new(Inner { state, notifier: None, forms: None }),
            issuer: Box::new(credentials),
            is_static,
            store: OnceLock::new(),
            refreshes: AtomicU64::new(0),
            logins: AtomicU64::new(0),
        })
    }

    /// Borrows the current set. The guard is for short use: it must not be held while other code runs.
    #[inline]
    pub(crate) fn load(&self) -> Guard<Arc<Snapshot>> {
        self.snapshot.load()
    }

    /// Returns the current set.
    pub(crate) fn latest(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Returns `true` if requests are distinguished by their routes.
    #[inline]
    pub(crate) fn tracks_routes(&self) -> bool {
        self.tracks_routes.load(Ordering::Relaxed)
    }

    /// Returns the secret values of the current set and of the superseded ones, newest first.
    pub(crate) fn secrets(&self) -> Vec<HeaderValue> {
        secret_values(&self.lock().state)
    }

    /// Returns the forms in which a server may quote [these values](Self::secrets). They are made once for each change of the
    /// state.
    pub(crate) fn secret_forms(&self) -> Arc<Secrets> {
        let mut inner = self.lock();
        let Inner { state, forms, .. } = &mut *inner;
        Arc::clone(forms.get_or_insert_with(|| Arc::new(Secrets::new(secret_values(state)))))
    }

    /// Attaches a store. The first one stays; static credentials are not shared.
    pub(crate) fn attach_store(&self, store: SharedStore) {
        if !self.is_static {
            let _ = self.store.set(store);
        }
    }

    pub(crate) fn store(&self) -> Option<&SharedStore> {
        self.store.get()
    }

    /// Changes the state, and publishes the resulting set before the lock is released.
    pub(crate) fn update<T>(&self, change: impl FnOnce(&mut Inner) -> T) -> T {
        let (result, storm) = {
            let mut inner = self.lock();
            let result = change(&mut inner);
            inner.forms = None;
            let current = inner.state.current();
            if !Arc::ptr_eq(&self.snapshot.load(), current) {
                self.snapshot.store(Arc::clone(current));
            }
            self.tracks_routes.store(inner.state.tracks_routes(), Ordering::Relaxed);
            (result, inner.state.take_storm())
        };
        if let Some(storm) = storm {
            telemetry::storm(storm);
        }
        result
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn secret_values(state: &State) -> Vec<HeaderValue> {
    let sets = std::iter::once(state.current()).chain(state.superseded().iter().rev());
    let values = sets.flat_map(|set| set.headers()).map(|(_, value)| value);
    values.filter(|value| value.is_sensitive()).cloned().collect()
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("snapshot", &self.latest())
            .field("is_static", &self.is_static)
            .field("refreshes", &self.refreshes.load(Ordering::Relaxed))
            .field("logins", &self.logins.load(Ordering::Relaxed))
            .finish_non_exhaustive()
    }
}
