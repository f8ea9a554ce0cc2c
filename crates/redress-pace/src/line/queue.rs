//! The queue of a line: the calls that wait for a place, or to be the probe of an outage.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::task::Waker;

use tokio::time::Instant;

/// The order of the queue: by deadline, then by arrival.
pub(crate) type Rank = (Instant, u64);

/// The calls that wait, in the order of their ranks.
#[derive(Debug, Default)]
pub(super) struct Queue {
    calls: BTreeMap<Rank, Queued>,
    /// Those of them that are idempotent.
    idempotent: BTreeSet<Rank>,
    /// The deadline of the last call that left the queue as a probe, in this outage.
    pub(super) probed: Option<Instant>,
}

/// A call that waits.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) waker: Option<Waker>,
    /// Whether the instant of its rank is a deadline.
    pub(super) has_deadline: bool,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.calls.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// Adds a call, whose waker is not registered yet.
    pub(super) fn insert(&mut self, rank: Rank, has_deadline: bool, is_idempotent: bool) {
        self.calls.insert(rank, Queued { waker: None, has_deadline });
        if is_idempotent {
            self.idempotent.insert(rank);
        }
    }

    /// Removes a call; returns `None` if it is not in the queue.
    pub(super) fn remove(&mut self, rank: Rank) -> Option<Queued> {
        self.idempotent.remove(&rank);
        self.calls.remove(&rank)
    }

    /// Returns the slot of a call's waker; `None` if the call is not in the queue.
    pub(super) fn waker_mut(&mut self, rank: Rank) -> Option<&mut Option<Waker>> {
        self.calls.get_mut(&rank).map(|queued| &mut queued.waker)
    }

    /// Returns the first call; the last one if `newest_first`.
    pub(super) fn next(&self, newest_first: bool) -> Option<Rank> {
        let mut calls = self.calls.keys();
        if newest_first { calls.next_back() } else { calls.next() }.copied()
    }

    /// Returns the call that probes next: the one that follows the last probe, and after the end of the queue its first. Calls that
    /// are not idempotent come after all others, since a probe may be lost.
    ///
    /// A call that fails on any day, as those of a broken route do, thus probes once and not in the place of all others.
    pub(super) fn next_probe(&self, newest_first: bool) -> Option<Rank> {
        let following = |last| {
            if newest_first {
                self.idempotent.range(..(last, 0)).next_back()
            } else {
                self.idempotent.range((Bound::Excluded((last, u64::MAX)), Bound::Unbounded)).next()
            }
        };
        let first = || if newest_first { self.idempotent.last() } else { self.idempotent.first() };
        self.probed.and_then(following).or_else(first).copied().or_else(|| self.next(newest_first))
    }

    /// Removes the calls without a deadline, and returns their wakers.
    pub(super) fn remove_without_deadline(&mut self) -> Vec<Waker> {
        let (kept, removed): (BTreeMap<_, _>, BTreeMap<_, _>) =
            std::mem::take(&mut self.calls).into_iter().partition(|(_, queued)| queued.has_deadline);
        self.calls = kept;
        self.idempotent.retain(|rank| !removed.contains_key(rank));
        removed.into_values().filter_map(|queued| queued.waker).collect()
    }

    /// Removes all calls, and returns their wakers.
    pub(super) fn clear(&mut self) -> Vec<Waker> {
        self.idempotent.clear();
        std::mem::take(&mut self.calls).into_values().filter_map(|queued| queued.waker).collect()
    }
}
