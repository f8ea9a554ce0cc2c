//! A waker that wakes every waiting clone of a `ReplayBody`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

/// The wakers of the clones that wait for the inner body, by the ids of the clones.
///
/// The inner body is polled with this as its waker, since the clone that polled it last may never be polled again.
#[derive(Default)]
pub(super) struct Wakers {
    waiting: Mutex<BTreeMap<u64, Waker>>,
}

impl Wakers {
    /// Registers the waker of a clone, in place of an earlier one.
    pub(super) fn register(&self, id: u64, waker: &Waker) {
        let waker = waker.clone();
        let old = self.lock().insert(id, waker);
        // Dropping a waker may run user code, which must not run under the lock.
        drop(old);
    }

    pub(super) fn remove(&self, id: u64) {
        let old = self.lock().remove(&id);
        drop(old);
    }

    /// Wakes all clones but one, without holding the lock.
    pub(super) fn wake_others(&self, id: u64) {
        let mut waiting = std::mem::take(&mut *self.lock());
        let own = waiting.remove(&id);
        if let Some(own) = own {
            self.lock().entry(id).or_insert(own);
        }
        waiting.into_values().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Waker>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Wakers {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let waiting = std::mem::take(&mut *self.lock());
        waiting.into_values().for_each(Waker::wake);
    }
}
