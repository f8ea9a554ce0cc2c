//! One waker for many: who wakes it wakes every copy that waits.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

/// The wakers of the copies that wait for the body, by the copies' ids.
///
/// The body is polled with this as its waker, since the copy that polled it last may be one that nobody polls again.
#[derive(Default)]
pub(super) struct Wakers {
    waiting: Mutex<BTreeMap<u64, Waker>>,
}

impl Wakers {
    /// Puts a copy's waker in the place of the one that it left before.
    pub(super) fn register(&self, id: u64, waker: &Waker) {
        let waker = waker.clone();
        let old = self.lock().insert(id, waker);
        // Dropping a waker runs its owner's code, which must not find the lock taken.
        drop(old);
    }

    pub(super) fn remove(&self, id: u64) {
        let old = self.lock().remove(&id);
        drop(old);
    }

    /// Wakes all but one; no lock is held meanwhile.
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
