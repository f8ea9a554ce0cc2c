//! The token bucket: two counts in one atomic word, so that each thread reads both of the same moment.

use super::shared::Lease;
use super::sync::{AtomicU32, AtomicU64, Ordering};

/// The free and the reserved tokens. Their sum never exceeds the capacity, unless a shared budget has lowered it.
///
/// All accesses are relaxed: the tokens guard no other memory.
pub(super) struct Bucket {
    /// The free tokens in the upper half, the reserved ones in the lower.
    word: AtomicU64,
    /// The number of failures since the last success.
    failures: AtomicU32,
    /// Constant, but for a budget that processes share.
    capacity: AtomicU32,
    /// The lease of a budget that processes share.
    lease: Option<Box<Lease>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tokens {
    pub(super) level: u32,
    pub(super) reserved: u32,
}

impl Bucket {
    pub(super) fn full(capacity: u32) -> Self {
        Self {
            word: AtomicU64::new(Tokens { level: capacity, reserved: 0 }.word()),
            failures: AtomicU32::new(0),
            capacity: AtomicU32::new(capacity),
            lease: None,
        }
    }

    /// Makes the bucket of one of the processes that share a budget, full of the tokens that it has before its first lease.
    pub(super) fn leased(capacity: u32, lease: Lease) -> Self {
        Self { lease: Some(Box::new(lease)), ..Self::full(capacity) }
    }

    pub(super) fn capacity(&self) -> u32 {
        self.capacity.load(Ordering::Relaxed)
    }

    pub(super) fn set_capacity(&self, capacity: u32) {
        self.capacity.store(capacity, Ordering::Relaxed);
    }

    pub(super) fn lease(&self) -> Option<&Lease> {
        self.lease.as_deref()
    }

    pub(super) fn tokens(&self) -> Tokens {
        Tokens::from_word(self.word.load(Ordering::Relaxed))
    }

    pub(super) fn is_full(&self) -> bool {
        self.tokens().level == self.capacity()
    }

    /// Returns `true` if there is room for the tokens of a success, here or in the bucket of all processes.
    pub(super) fn has_room(&self) -> bool {
        self.tokens().sum() < self.capacity() || self.lease().is_some_and(Lease::has_room)
    }

    /// Reserves `cost` free tokens, all or none.
    pub(super) fn reserve(&self, cost: u32) -> bool {
        self.update(|Tokens { level, reserved }| {
            let level = level.checked_sub(cost)?;
            Some(Tokens { level, reserved: reserved + cost })
        })
    }

    /// Removes `cost` reserved tokens. They exist, so a plain subtraction is enough.
    pub(super) fn spend(&self, cost: u32) {
        self.word.fetch_sub(Tokens { level: 0, reserved: cost }.word(), Ordering::Relaxed);
    }

    /// Frees `cost` reserved tokens. They exist, and keep their room in the bucket while they are reserved.
    pub(super) fn give_back(&self, cost: u32) {
        let moved = Tokens { level: cost, reserved: 0 }.word() - Tokens { level: 0, reserved: cost }.word();
        self.word.fetch_add(moved, Ordering::Relaxed);
    }

    /// Adds tokens up to the capacity. A full bucket is read and not written. A lease keeps the rest for all processes.
    pub(super) fn refill(&self, tokens: u32) {
        let mut added = 0;
        self.update(|held| {
            added = tokens.min(self.capacity().saturating_sub(held.sum()));
            (added != 0).then_some(Tokens { level: held.level + added, ..held })
        });
        if let Some(lease) = &self.lease {
            lease.earn(tokens - added);
        }
    }

    /// Removes the free tokens above a sum of free and reserved ones, and returns their number.
    pub(super) fn withdraw_above(&self, kept: u32) -> u32 {
        let mut removed = 0;
        self.update(|held| {
            removed = held.sum().saturating_sub(kept).min(held.level);
            (removed != 0).then_some(Tokens { level: held.level - removed, ..held })
        });
        removed
    }

    /// Counts a failure, and returns the number of failures since the last success.
    pub(super) fn failed(&self) -> u32 {
        self.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1)
    }

    /// Resets the count of failures. A count of 0 is read and not written.
    pub(super) fn succeeded(&self) {
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
    }

    fn update(&self, mut change: impl FnMut(Tokens) -> Option<Tokens>) -> bool {
        let change = |word| change(Tokens::from_word(word)).map(Tokens::word);
        self.word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, change).is_ok()
    }
}

impl Tokens {
    const fn from_word(word: u64) -> Self {
        Self { level: (word >> 32) as u32, reserved: word as u32 }
    }

    /// Returns the tokens that are not spent.
    pub(super) const fn sum(self) -> u32 {
        self.level + self.reserved
    }

    const fn word(self) -> u64 {
        ((self.level as u64) << 32) + self.reserved as u64
    }
}
