//! Budgets that processes share: each process leases tokens from the record of one bucket in a store.
//!
//! The arithmetic is pure: [`BudgetRecord`] is the record, [`Holder`] the state of one process. [`Leasing`] is the task around
//! them. Calls see the bucket of their process and its [`Lease`] only, and never wait.

mod holder;
mod lease;
mod record;
mod task;

use std::fmt;
use std::sync::Arc;

use redress_classify::Dialect;
use redress_store::Entry;
use tokio::runtime::Handle;

pub(super) use self::lease::Lease;
use self::task::Leasing;
use super::Budget;

/// The tokens of a process before its first lease, and those that its successes always find room for: one retry. So a call of a
/// process that has just begun is retried as ever, and a process in a large fleet pays for a retry by its own successes.
pub(super) const POCKET: u32 = Budget::TRANSIENT_COST;

/// The records of the budgets of a layer.
#[derive(Clone)]
pub(crate) struct Records {
    /// The key below which they are.
    entry: Entry,
    dialect: Dialect,
    /// The layer's source of random numbers. Processes do not settle together.
    random: Random,
}

/// A source of numbers that are uniform over all of `u32`.
pub(crate) type Random = Arc<dyn Fn() -> u32 + Send + Sync>;

impl Records {
    /// Names the records below `{key}/budget`.
    pub(crate) fn new(entry: &Entry, dialect: Dialect, random: Random) -> Self {
        Self { entry: entry.child("budget"), dialect, random }
    }

    /// Starts the task that leases tokens for a bucket, unless it runs or there is no runtime. The tokens of a new bucket are owed.
    pub(super) fn lease(&self, budget: &Budget, name: impl FnOnce() -> String, is_new: bool) {
        let Ok(runtime) = Handle::try_current() else { return };
        if budget.bucket.lease().is_some_and(Lease::start_task) {
            runtime.spawn(Leasing::new(self, name(), budget.clone(), is_new).run());
        }
    }
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Records").field("entry", &self.entry).finish_non_exhaustive()
    }
}
