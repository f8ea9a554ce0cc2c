//! How many retries an upstream gets: a bucket of tokens that successes refill.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// A bucket of tokens, shared by its clones, from which every retry takes some and every success gives some back.
///
/// A retry after a transient failure takes 14, one after throttling 5. A success after a retry gives back what that
/// retry took, a success at the first try gives 1. There is no refill by time and none by requests: when an upstream
/// fails for everybody, retries stop and stay stopped until it answers again. Budgets that grow with the number of
/// requests keep an overloaded service down; this one lets it recover as if nobody retried.
///
/// The default of 500 tokens is that of the AWS SDKs' standard mode: 35 transient failures in a row, spread over all
/// callers. Share one per upstream.
///
/// # Examples
/// ```
/// use redress_backoff::Budget;
///
/// let budget = Budget::new();
/// let reservation = budget.reserve(Budget::TRANSIENT).expect("it is full");
/// assert_eq!(budget.level(), 486);
/// drop(reservation); // not sent: nothing is spent
/// assert_eq!(budget.level(), 500);
/// ```
#[derive(Clone)]
pub struct Budget {
    bucket: Arc<Bucket>,
}

struct Bucket {
    level: AtomicU32,
    capacity: u32,
}

/// Tokens taken for a retry that was decided and not yet sent; dropped, it gives them back.
#[derive(Debug)]
#[must_use = "a reservation that is dropped gives its tokens back"]
pub struct Reservation {
    budget: Budget,
    cost: u32,
}

impl Budget {
    /// What a retry after a transient failure takes.
    pub const TRANSIENT: u32 = 14;
    /// What a retry after throttling takes.
    pub const THROTTLED: u32 = 5;
    /// What a success at the first try gives.
    pub const FIRST_TRY: u32 = 1;

    /// Makes a full bucket of 500 tokens.
    #[must_use]
    pub fn new() -> Self {
        Self::with_capacity(500)
    }

    /// Makes a full bucket; one of 0 tokens never allows a retry.
    #[must_use]
    pub fn with_capacity(capacity: u32) -> Self {
        Self { bucket: Arc::new(Bucket { level: AtomicU32::new(capacity), capacity }) }
    }

    /// Returns how many tokens there are.
    #[must_use]
    pub fn level(&self) -> u32 {
        self.bucket.level.load(Ordering::Relaxed)
    }

    /// Takes tokens for a retry, all or none: `None` when there are too few.
    pub fn reserve(&self, cost: u32) -> Option<Reservation> {
        let take = |level: u32| level.checked_sub(cost);
        self.bucket.level.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).ok()?;
        Some(Reservation { budget: self.clone(), cost })
    }

    /// Gives tokens back after a success, up to the bucket's capacity.
    pub fn refill(&self, tokens: u32) {
        let capacity = self.bucket.capacity;
        let give = |level: u32| (level < capacity).then(|| level.saturating_add(tokens).min(capacity));
        // A full bucket is left alone: the success path then only reads.
        let _ = self.bucket.level.fetch_update(Ordering::Relaxed, Ordering::Relaxed, give);
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budget").field("level", &self.level()).field("capacity", &self.bucket.capacity).finish()
    }
}

impl Reservation {
    /// Spends the tokens, since the retry is being sent now, and returns how many they were.
    pub fn spend(mut self) -> u32 {
        std::mem::take(&mut self.cost)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.cost > 0 {
            self.budget.refill(self.cost);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_never_overdrawn_nor_overfilled() {
        let budget = Budget::with_capacity(20);
        assert_eq!(budget.reserve(14).map(Reservation::spend), Some(14));
        assert!(budget.reserve(14).is_none(), "all or none");
        assert_eq!(budget.reserve(6).map(Reservation::spend), Some(6));
        budget.refill(1_000);
        assert_eq!(budget.level(), 20);
    }

    #[test]
    fn what_is_not_sent_is_not_spent_even_by_a_panic() {
        let budget = Budget::new();
        let shared = budget.clone();
        let panicked = std::thread::spawn(move || {
            let _reservation = shared.reserve(14);
            panic!("before the send");
        });
        assert!(panicked.join().is_err());
        assert_eq!(budget.level(), 500);
    }

    #[test]
    fn threads_never_take_more_than_there_is() {
        let budget = Budget::with_capacity(10_000);
        let take = |budget: Budget| {
            (0..1_000).filter_map(|_| budget.reserve(7)).map(|taken| taken.spend() as usize).sum::<usize>()
        };
        let threads: Vec<_> =
            (0..4).map(|_| budget.clone()).map(|budget| std::thread::spawn(move || take(budget))).collect();
        let taken: usize = threads.into_iter().map(|thread| thread.join().expect("no panic")).sum();
        assert_eq!(taken + budget.level() as usize, 10_000);
        assert_eq!(budget.level(), 10_000 % 7);
    }
}
