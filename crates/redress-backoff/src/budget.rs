//! How many retries an upstream gets: a bucket of tokens that successes refill.

mod bucket;
mod budgets;
#[cfg(all(test, loom))]
mod models;
mod sync;
mod table;
#[cfg(all(test, not(loom)))]
mod tests;

use std::fmt;

use self::bucket::Bucket;
pub use self::budgets::Budgets;
pub(crate) use self::budgets::{About, Keys};
use self::sync::Arc;

/// A bucket of tokens, shared by its clones, from which every retry takes some and every success gives some back.
///
/// A retry after a transient failure takes 14, one after throttling 5. A success after a retry gives back what that
/// retry took, a success at the first try gives 1. There is no refill by time and none by requests: when an upstream
/// fails for everybody, retries stop and stay stopped until it answers again. Budgets that grow with the number of
/// requests keep an overloaded service down; this one lets it recover as if nobody retried.
///
/// The default of 500 tokens is that of the AWS SDKs' standard mode: 35 transient failures in a row, spread over all
/// callers. By default [`Budgets`] keep one for each upstream.
///
/// # The law
/// Whatever threads, cancellations and panics do, exactly: `level + reserved + spent - refilled = capacity`, and no level
/// is below 0. What is reserved keeps its room in the bucket until it is spent: `refilled` counts the tokens for which
/// there was room beside `level + reserved`. So a reservation that is dropped is as if it had never been: it loses
/// nothing to a bucket that was refilled meanwhile, and adds nothing to it. A reservation that is leaked
/// ([`mem::forget`](std::mem::forget)) stays reserved.
///
/// # Cost
/// No lock. A success with a full bucket is two atomic loads; anything else is one atomic exchange, tried again only when
/// another thread changed the bucket in between.
///
/// # Examples
/// ```
/// use redress_backoff::Budget;
///
/// let budget = Budget::new();
/// let reservation = budget.reserve(Budget::TRANSIENT_COST).expect("it is full");
/// assert_eq!(budget.level(), 486);
/// drop(reservation); // not sent: nothing is spent
/// assert_eq!(budget.level(), 500);
/// ```
#[derive(Clone)]
pub struct Budget {
    bucket: Arc<Bucket>,
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
    pub const TRANSIENT_COST: u32 = 14;
    /// What a retry after throttling takes.
    pub const THROTTLING_COST: u32 = 5;
    /// What a success at the first try gives.
    pub const FIRST_ATTEMPT_REFILL: u32 = 1;

    const DEFAULT_CAPACITY: u32 = 500;

    /// Makes a full bucket of 500 tokens.
    #[must_use]
    pub fn new() -> Self {
        Self::with_capacity(Self::DEFAULT_CAPACITY)
    }

    /// Makes a full bucket; one of 0 tokens never allows a retry.
    #[must_use]
    pub fn with_capacity(capacity: u32) -> Self {
        Self { bucket: Arc::new(Bucket::full(capacity)) }
    }

    /// Returns how many tokens are free.
    #[must_use]
    pub fn level(&self) -> u32 {
        self.bucket.tokens().level
    }

    /// Returns how many tokens there are when it is full.
    #[must_use]
    pub fn capacity(&self) -> u32 {
        self.bucket.capacity()
    }

    /// Takes tokens for a retry, all or none: `None` when there are too few.
    pub fn reserve(&self, cost: u32) -> Option<Reservation> {
        self.bucket.reserve(cost).then(|| Reservation { budget: self.clone(), cost })
    }

    /// Gives tokens back after a success, as far as there is room beside what is reserved, and ends the run of failures.
    pub fn refill(&self, tokens: u32) {
        self.bucket.succeeded();
        self.bucket.refill(tokens);
    }

    /// Counts a failure, and returns how many there were since the last success, of all callers.
    pub(crate) fn failed(&self) -> u32 {
        self.bucket.failed()
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tokens = self.bucket.tokens();
        f.debug_struct("Budget")
            .field("level", &tokens.level)
            .field("reserved", &tokens.reserved)
            .field("capacity", &self.capacity())
            .finish()
    }
}

impl Reservation {
    /// Spends the tokens, since the retry is being sent now, and returns how many they were.
    pub fn spend(mut self) -> u32 {
        let cost = std::mem::take(&mut self.cost);
        self.budget.bucket.spend(cost);
        cost
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.cost != 0 {
            self.budget.bucket.give_back(self.cost);
        }
    }
}
