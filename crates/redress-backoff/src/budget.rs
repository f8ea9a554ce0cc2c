//! The retry budget: a bucket of tokens that retries take and successes refill.

mod bucket;
mod budgets;
#[cfg(all(test, loom))]
mod models;
mod shared;
mod sync;
mod table;
#[cfg(all(test, not(loom)))]
mod tests;

use std::fmt;

use self::bucket::Bucket;
pub use self::budgets::Budgets;
pub(crate) use self::budgets::{KeyParts, PartitionFn};
use self::shared::{Lease, POCKET};
pub(crate) use self::shared::{Random, Records};
use self::sync::Arc;

/// A retry budget: a bucket of tokens that is shared by its clones. Each retry takes tokens, each success gives some back.
///
/// A retry after a transient failure takes 14, one after throttling 5, or 14 as [below](#refill). Neither time nor the number of
/// requests refills the budget: when an upstream fails for all callers, retries stop and do not resume before it answers again. A budget that
/// grows with the number of requests keeps an overloaded service down; with this one the service recovers as if there were
/// no retries.
///
/// Each request that is sent again is paid for, with two exceptions, which are free: the resend after a refresh of the
/// credentials, and the one probe of an upstream in an outage. A retry reserves its tokens when it is decided; a request
/// that a layer below holds until the end of an outage reserves them when that layer admits it.
///
/// The default of 500 tokens is that of the AWS SDKs' standard mode (the *retry quota*): 35 transient failures in a row, over all
/// callers. By default, [`Budgets`] keeps one for each upstream.
///
/// # Refill
/// A success refills:
/// - while a layer below marks the upstream as throttled ([`UpstreamHealth`]), 1;
/// - else, after a retry, the cost of the last retry of its call;
/// - else, while a layer below marks the upstream as degraded or in an outage, 1;
/// - else the tokens of [`healthy_refill`]: 1 by default, and 14 in the stack of `redress`, whose Pace layer marks upstreams.
///
/// A failure refills nothing. With 14 tokens each success at the first attempt pays for one retry of another call: single
/// failures are retried up to a share of about one half of all attempts, and the health of the upstream limits the retries.
/// As soon as it slows down or recovers from an outage, the law is that of the AWS SDKs. If it limits the rate of requests and does
/// not say when to come back, each retry takes the place of another request: then one costs 14 tokens after a 429 too, and a
/// success gives 1 in any case, so that at most 7 % of the requests are retries once the budget is used up.
///
/// # Sharing
/// [`BackoffLayer::share`](crate::BackoffLayer::share) shares the tokens with other processes.
///
/// [`UpstreamHealth`]: redress_classify::UpstreamHealth
/// [`healthy_refill`]: crate::BackoffLayer::healthy_refill
///
/// # Invariant
/// `level + reserved + spent - refilled = capacity` holds exactly, in any order of threads, cancellations and panics, and the level
/// is never below 0. Reserved tokens keep their room in the bucket until they are spent: `refilled` counts the tokens for which
/// there was room beside `level + reserved`. Dropping a reservation undoes it: it adds nothing to a bucket that was refilled
/// meanwhile, and loses nothing. A reservation that is leaked ([`mem::forget`](std::mem::forget)) stays reserved.
///
/// # Cost
/// No lock. A success with a full bucket is two atomic loads; any other operation is one atomic exchange, which is repeated only
/// if another thread changed the bucket in between.
///
/// # Examples
/// ```
/// use redress_backoff::Budget;
///
/// let budget = Budget::new();
/// let reservation = budget.reserve(Budget::TRANSIENT_COST).expect("the bucket is full");
/// assert_eq!(budget.level(), 486);
/// drop(reservation); // not sent, so not spent
/// assert_eq!(budget.level(), 500);
/// ```
#[derive(Clone)]
pub struct Budget {
    bucket: Arc<Bucket>,
}

/// Tokens that are reserved for a retry which was decided and not yet sent. Dropping it gives them back.
///
/// # Examples
/// ```
/// use redress_backoff::{Budget, Reservation};
///
/// let budget = Budget::with_capacity(20);
/// let spent = budget.reserve(Budget::TRANSIENT_COST).map(Reservation::spend);
/// assert_eq!((spent, budget.level()), (Some(14), 6));
/// assert!(budget.reserve(Budget::TRANSIENT_COST).is_none());
/// ```
#[derive(Debug)]
#[must_use = "dropping a reservation gives its tokens back"]
pub struct Reservation {
    budget: Budget,
    cost: u32,
}

impl Budget {
    /// The cost of a retry after a transient failure, in tokens.
    pub const TRANSIENT_COST: u32 = 14;
    /// The cost of a retry after throttling, in tokens. It is lower, since a server that throttles is not down.
    pub const THROTTLING_COST: u32 = 5;
    /// The tokens that a success at the first attempt gives, unless the upstream is known to be healthy and
    /// [`healthy_refill`](crate::BackoffLayer::healthy_refill) is set.
    pub const FIRST_ATTEMPT_REFILL: u32 = 1;

    const DEFAULT_CAPACITY: u32 = 500;

    /// Makes a full bucket of 500 tokens.
    #[must_use]
    pub fn new() -> Self {
        Self::with_capacity(Self::DEFAULT_CAPACITY)
    }

    /// Makes a full bucket of `capacity` tokens. One of 0 tokens never allows a retry.
    ///
    /// # Examples
    /// ```
    /// use redress_backoff::Budget;
    ///
    /// assert_eq!(Budget::with_capacity(100).level(), 100);
    /// assert!(Budget::with_capacity(0).reserve(Budget::THROTTLING_COST).is_none());
    /// ```
    #[must_use]
    pub fn with_capacity(capacity: u32) -> Self {
        Self { bucket: Arc::new(Bucket::full(capacity)) }
    }

    /// Returns the number of free tokens.
    #[must_use]
    pub fn level(&self) -> u32 {
        self.bucket.tokens().level
    }

    /// Returns the number of tokens in the full bucket. In a budget that processes [share](crate#sharing) it is the part of this
    /// process, and changes with each lease.
    ///
    /// # Examples
    /// ```
    /// use redress_backoff::Budget;
    ///
    /// let budget = Budget::new();
    /// let reservation = budget.reserve(100);
    /// assert_eq!((budget.level(), budget.capacity()), (400, 500));
    /// ```
    #[must_use]
    pub fn capacity(&self) -> u32 {
        self.bucket.capacity()
    }

    /// Reserves tokens for a retry, all or none; returns `None` if there are too few.
    pub fn reserve(&self, cost: u32) -> Option<Reservation> {
        let is_reserved = self.bucket.reserve(cost);
        if let Some(lease) = self.bucket.lease() {
            lease.ask(self.level());
        }
        is_reserved.then(|| Reservation { budget: self.clone(), cost })
    }

    /// Makes the part of one process in a budget of `capacity` tokens for all processes: until its first lease it has the tokens of
    /// one retry.
    fn leased(capacity: u32) -> Self {
        let pocket = capacity.min(POCKET);
        Self { bucket: Arc::new(Bucket::leased(pocket, Lease::new(capacity, pocket))) }
    }

    /// Adds the tokens of a success, up to the capacity less the reserved tokens, and ends the shared run of failures.
    ///
    /// # Examples
    /// ```
    /// use redress_backoff::{Budget, Reservation};
    ///
    /// let budget = Budget::with_capacity(20);
    /// assert_eq!(budget.reserve(14).map(Reservation::spend), Some(14));
    /// budget.refill(10);
    /// assert_eq!(budget.level(), 16);
    /// budget.refill(10);
    /// assert_eq!(budget.level(), 20);
    /// ```
    pub fn refill(&self, tokens: u32) {
        self.refill_with(|| tokens);
    }

    /// Adds the tokens of a success as [`refill`](Self::refill) does. The closure is called only if there is room for tokens.
    #[inline]
    pub(crate) fn refill_with(&self, tokens: impl FnOnce() -> u32) {
        self.bucket.succeeded();
        if self.bucket.has_room() {
            self.bucket.refill(tokens());
        }
    }

    /// Counts a failure, and returns the number of failures of all callers since the last success.
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
    /// Spends the tokens because the retry is sent, and returns their number.
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
