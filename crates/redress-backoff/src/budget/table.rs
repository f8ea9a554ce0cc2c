//! The buckets of many keys: made when a key first fails, dropped when nobody can tell them from new ones.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use super::Budget;
use super::sync::{Arc, AtomicBool, Ordering, RwLock};

/// A key without a bucket has a full one, unless there is no more room: then it shares the last bucket with others.
pub(super) struct Table {
    capacity: u32,
    /// How many keys may have a bucket of their own.
    room: usize,
    /// Whether there is any bucket that is not full; else a success needs neither key nor lock. It is changed under the
    /// exclusive lock only.
    in_use: AtomicBool,
    rows: RwLock<Rows>,
    /// The bucket of all keys for which there was no room.
    shared: Budget,
}

struct Rows {
    /// Ordered, so that a sweep does the same each time.
    budgets: BTreeMap<u64, Budget>,
    /// How many further keys may ask for a bucket before full ones are looked for, so that a sweep costs each of them
    /// little.
    until_sweep: usize,
}

impl Table {
    pub(super) fn new(capacity: u32, room: usize) -> Self {
        let rows = Rows { budgets: BTreeMap::new(), until_sweep: Rows::PATIENCE.min(room) };
        Self {
            capacity,
            room,
            in_use: AtomicBool::new(false),
            rows: RwLock::new(rows),
            shared: Budget::with_capacity(capacity),
        }
    }

    pub(super) const fn capacity(&self) -> u32 {
        self.capacity
    }

    /// Whether any key may have a bucket that is not full.
    #[inline]
    pub(super) fn is_in_use(&self) -> bool {
        self.in_use.load(Ordering::Relaxed)
    }

    /// Returns the bucket of a key, made if there is none and room for it.
    pub(super) fn budget(&self, key: u64) -> Budget {
        if let Some(budget) = self.rows.read().unwrap_or_else(PoisonError::into_inner).budgets.get(&key) {
            return budget.clone();
        }
        let mut rows = self.rows.write().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have been here first.
        if let Some(budget) = rows.budgets.get(&key) {
            return budget.clone();
        }
        rows.sweep_now_and_then(self.room);
        if rows.budgets.len() >= self.room {
            return self.shared.clone();
        }
        let budget = Budget::with_capacity(self.capacity);
        rows.budgets.insert(key, budget.clone());
        self.in_use.store(true, Ordering::Relaxed);
        budget
    }

    /// Gives tokens to the bucket of a key, if it has one; one that is full again is dropped.
    pub(super) fn refill(&self, key: u64, tokens: u32) {
        if !self.is_in_use() {
            return;
        }
        let is_full = {
            let rows = self.rows.read().unwrap_or_else(PoisonError::into_inner);
            let budget = rows.budgets.get(&key).unwrap_or(&self.shared);
            budget.refill(tokens);
            budget.bucket.is_full()
        };
        if is_full {
            self.forget(key);
        }
    }

    /// Drops the bucket of a key unless somebody holds it or it has lost tokens again: none is the same as a full one.
    fn forget(&self, key: u64) {
        let mut rows = self.rows.write().unwrap_or_else(PoisonError::into_inner);
        if rows.budgets.get_mut(&key).is_some_and(is_like_new) {
            rows.budgets.remove(&key);
        }
        if rows.budgets.is_empty() && self.shared.bucket.is_full() {
            self.in_use.store(false, Ordering::Relaxed);
        }
    }

    /// Returns the level of a key's bucket, and makes none.
    pub(super) fn level(&self, key: u64) -> u32 {
        if !self.is_in_use() {
            return self.capacity;
        }
        let rows = self.rows.read().unwrap_or_else(PoisonError::into_inner);
        rows.budgets.get(&key).map_or(self.capacity, Budget::level)
    }

    /// Returns how many keys have a bucket of their own.
    pub(super) fn len(&self) -> usize {
        self.rows.read().unwrap_or_else(PoisonError::into_inner).budgets.len()
    }
}

impl Rows {
    const PATIENCE: usize = 64;

    /// Drops the buckets that are full and that nobody holds: whoever asks for one of them again gets one that is full.
    fn sweep_now_and_then(&mut self, room: usize) {
        if self.until_sweep > 0 {
            self.until_sweep -= 1;
            return;
        }
        self.budgets.retain(|_, budget| !is_like_new(budget));
        self.until_sweep = self.budgets.len().max(Self::PATIENCE).min(room);
    }
}

/// Whether a bucket is full, and nobody holds it who could change that.
fn is_like_new(budget: &mut Budget) -> bool {
    Arc::get_mut(&mut budget.bucket).is_some_and(|bucket| bucket.is_full())
}
