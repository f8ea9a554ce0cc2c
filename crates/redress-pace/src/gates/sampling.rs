//! The flags by which a call with open gates sees in one load whether there is anything to do.

use tokio::time::Instant;

use super::sync::{AtomicU8, Ordering};

/// There is a cool-down, an outage or a release in some partition.
const ACTIVE: u8 = 1;
/// Some partition has had a failure since its last answer, or is degraded: each answer is recorded.
const EACH_ANSWER: u8 = 2;
/// Few calls are made, so each of them is timed.
const FEW_CALLS: u8 = 4;

/// Of many calls, one in 16 is timed.
const ONE_IN: u8 = 16;
/// From this rate on, in calls a second over all partitions, calls are many, and below the second they are few again.
const MANY: f64 = 16.0;
const FEW: f64 = 8.0;
/// The number of calls that are timed before that.
const FIRST: u32 = 64;

/// Flags that are set under the lock of the gates, and read without it.
///
/// They guard no memory: a call that reads them too early records one answer less, or takes the lock for nothing.
#[derive(Debug)]
pub(super) struct Sampling(AtomicU8);

/// The send of a call that is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) at: Instant,
    /// The number of calls for which it stands: those that are not timed, and itself.
    pub(crate) calls: u8,
}

impl Default for Sampling {
    fn default() -> Self {
        Self(AtomicU8::new(FEW_CALLS))
    }
}

impl Sampling {
    pub(super) fn is_active(&self) -> bool {
        self.has(ACTIVE)
    }

    /// Returns `true` if each answer is recorded, by one load.
    pub(super) fn records_each_answer(&self) -> bool {
        self.has(ACTIVE | EACH_ANSWER)
    }

    /// Returns the number of calls for which one that is sent now stands; `None` if it is not timed.
    #[inline]
    pub(super) fn weight(&self, random: impl FnOnce() -> u32) -> Option<u8> {
        if self.0.load(Ordering::Relaxed) != 0 {
            return Some(1);
        }
        random().is_multiple_of(u32::from(ONE_IN)).then_some(ONE_IN)
    }

    pub(super) fn set_active(&self, is_active: bool) {
        self.set(ACTIVE, is_active);
    }

    pub(super) fn set_each_answer(&self, each: bool) {
        self.set(EACH_ANSWER, each);
    }

    /// Times each call, or one in 16, by the number that were timed and the rate of calls a second.
    pub(super) fn adapt(&self, timed: u32, rate: f64) {
        if self.has(FEW_CALLS) {
            self.set(FEW_CALLS, timed < FIRST || rate <= MANY);
        } else {
            self.set(FEW_CALLS, rate < FEW);
        }
    }

    fn has(&self, flags: u8) -> bool {
        self.0.load(Ordering::Acquire) & flags != 0
    }

    /// Called under the lock of the gates.
    fn set(&self, flag: u8, is_set: bool) {
        if is_set {
            self.0.fetch_or(flag, Ordering::Release);
        } else {
            self.0.fetch_and(!flag, Ordering::Release);
        }
    }
}
