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
    /// Whether any bucket was ever made; until then a success needs neither lock nor lookup.
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

    /// Gives tokens to the bucket of a key, if it has one.
    pub(super) fn refill(&self, key: u64, tokens: u32) {
        if self.in_use.load(Ordering::Relaxed) {
            let rows = self.rows.read().unwrap_or_else(PoisonError::into_inner);
            rows.budgets.get(&key).unwrap_or(&self.shared).refill(tokens);
        }
    }

    /// Returns the level of a key's bucket, and makes none.
    pub(super) fn level(&self, key: u64) -> u32 {
        if !self.in_use.load(Ordering::Relaxed) {
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
        self.budgets.retain(|_, budget| Arc::get_mut(&mut budget.bucket).is_none_or(|bucket| !bucket.is_full()));
        self.until_sweep = self.budgets.len().max(Self::PATIENCE).min(room);
    }
}
