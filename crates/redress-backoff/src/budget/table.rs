//! The buckets of all keys. A bucket is made when its key first fails, and dropped when it is full and unused.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use super::Budget;
use super::shared::{Lease, POCKET, Records};
use super::sync::{Arc, AtomicBool, Ordering, RwLock};

/// A map from hashed keys to buckets. A key without a bucket counts as full; once `max_keys` have one, further keys share the
/// `overflow` bucket.
pub(super) struct BudgetTable {
    capacity: u32,
    max_keys: usize,
    /// Whether any bucket may not be full. If none is, a success needs neither key nor lock. Written under the exclusive
    /// lock only.
    in_use: AtomicBool,
    entries: RwLock<Entries>,
    overflow: Budget,
    /// Where the tokens of the buckets are leased from, if processes share them.
    records: Option<Records>,
}

struct Entries {
    /// Ordered, so that a sweep is deterministic.
    budgets: BTreeMap<u64, Budget>,
    /// The number of further keys before the next sweep: so its cost is spread over them.
    until_sweep: usize,
}

impl BudgetTable {
    pub(super) fn new(capacity: u32, max_keys: usize) -> Self {
        let entries = Entries { budgets: BTreeMap::new(), until_sweep: Entries::MIN_SWEEP_INTERVAL.min(max_keys) };
        Self {
            capacity,
            max_keys,
            in_use: AtomicBool::new(false),
            entries: RwLock::new(entries),
            overflow: Budget::with_capacity(capacity),
            records: None,
        }
    }

    /// Makes a table whose buckets have leases of the tokens of all processes. The keys beyond `max_keys`, and those without a
    /// name, share the tokens of one retry.
    pub(super) fn leased(capacity: u32, max_keys: usize, records: Records) -> Self {
        let mut table = Self::new(capacity, max_keys);
        (table.overflow, table.records) = (Budget::with_capacity(capacity.min(POCKET)), Some(records));
        table
    }

    /// Returns `true` if processes share the tokens.
    pub(super) const fn is_leased(&self) -> bool {
        self.records.is_some()
    }

    /// Leases tokens for a key, in the background, unless it has a lease already. The name is that of its record.
    pub(super) fn lease(&self, key: u64, name: impl FnOnce() -> String) {
        let Some(records) = &self.records else { return };
        let known = self.entries.read().unwrap_or_else(PoisonError::into_inner).budgets.get(&key).cloned();
        let is_new = known.is_none();
        let budget = known.or_else(|| self.insert(key, || Budget::leased(self.capacity)));
        if let Some(budget) = budget {
            records.lease(&budget, name, is_new);
        }
    }

    pub(super) const fn capacity(&self) -> u32 {
        self.capacity
    }

    /// Returns `true` if any bucket may not be full.
    #[inline]
    pub(super) fn is_in_use(&self) -> bool {
        self.in_use.load(Ordering::Relaxed)
    }

    /// Returns the bucket of a key, and makes it if there is none.
    pub(super) fn budget(&self, key: u64) -> Budget {
        if let Some(budget) = self.entries.read().unwrap_or_else(PoisonError::into_inner).budgets.get(&key) {
            return budget.clone();
        }
        // The bucket of a lease is made by `lease`, which knows the name of its record.
        if self.is_leased() {
            let _entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
            self.in_use.store(true, Ordering::Relaxed);
            return self.overflow.clone();
        }
        self.insert(key, || Budget::with_capacity(self.capacity)).unwrap_or_else(|| self.overflow.clone())
    }

    /// Returns the bucket of a key, which is made if there is none; `None` if there are too many.
    fn insert(&self, key: u64, make: impl FnOnce() -> Budget) -> Option<Budget> {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have made it between the two locks.
        if let Some(budget) = entries.budgets.get(&key) {
            return Some(budget.clone());
        }
        entries.sweep_if_due(self.max_keys);
        if entries.budgets.len() >= self.max_keys {
            return None;
        }
        let budget = make();
        entries.budgets.insert(key, budget.clone());
        self.in_use.store(true, Ordering::Relaxed);
        Some(budget)
    }

    /// Adds tokens to the bucket of a key, if it has one, and drops the bucket once it is full.
    pub(super) fn refill(&self, key: u64, tokens: u32) {
        if !self.is_in_use() {
            return;
        }
        let is_full = {
            let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
            let budget = entries.budgets.get(&key).unwrap_or(&self.overflow);
            budget.refill(tokens);
            budget.bucket.is_full() && !budget.has_task()
        };
        if is_full {
            self.remove_if_unused(key);
        }
    }

    /// Drops the bucket of a key, unless it has a user or has lost tokens again.
    fn remove_if_unused(&self, key: u64) {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        if entries.budgets.get_mut(&key).is_some_and(is_full_and_unused) {
            entries.budgets.remove(&key);
        }
        if entries.budgets.is_empty() && self.overflow.bucket.is_full() {
            self.in_use.store(false, Ordering::Relaxed);
        }
    }

    /// Returns the level of a key's bucket without making one.
    pub(super) fn level(&self, key: u64) -> u32 {
        // A process that has leased nothing yet has the tokens of one retry.
        let full = if self.is_leased() { self.capacity.min(POCKET) } else { self.capacity };
        if !self.is_in_use() {
            return full;
        }
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        entries.budgets.get(&key).map_or(full, Budget::level)
    }

    /// Returns the number of keys that have a bucket.
    pub(super) fn len(&self) -> usize {
        self.entries.read().unwrap_or_else(PoisonError::into_inner).budgets.len()
    }
}

impl Drop for BudgetTable {
    /// Lets the tasks give the tokens back that their leases have left.
    fn drop(&mut self) {
        if self.is_leased() {
            let entries = self.entries.get_mut().unwrap_or_else(PoisonError::into_inner);
            entries.budgets.values().filter_map(|budget| budget.bucket.lease()).for_each(Lease::close);
        }
    }
}

impl Entries {
    const MIN_SWEEP_INTERVAL: usize = 64;

    /// Counts a further key, and drops the full and unused buckets when a sweep is due.
    fn sweep_if_due(&mut self, max_keys: usize) {
        if self.until_sweep > 0 {
            self.until_sweep -= 1;
            return;
        }
        self.budgets.retain(|_, budget| !is_full_and_unused(budget));
        self.until_sweep = self.budgets.len().max(Self::MIN_SWEEP_INTERVAL).min(max_keys);
    }
}

impl Budget {
    /// Returns `true` while a task leases tokens for the bucket.
    fn has_task(&self) -> bool {
        self.bucket.lease().is_some_and(Lease::has_task)
    }
}

/// Returns `true` for a bucket that is full and has no other owner who could change that.
fn is_full_and_unused(budget: &mut Budget) -> bool {
    Arc::get_mut(&mut budget.bucket).is_some_and(|bucket| bucket.is_full())
}
