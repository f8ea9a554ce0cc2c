//! The token bucket: two counts in one atomic word, so that each thread reads both of the same moment.

use super::sync::{AtomicU32, AtomicU64, Ordering};

/// The free and the reserved tokens. Their sum never exceeds the capacity.
///
/// All accesses are relaxed: the tokens guard no other memory.
pub(super) struct Bucket {
    /// The free tokens in the upper half, the reserved ones in the lower.
    word: AtomicU64,
    /// The number of failures since the last success.
    failures: AtomicU32,
    capacity: u32,
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
            capacity,
        }
    }

    pub(super) const fn capacity(&self) -> u32 {
        self.capacity
    }

    pub(super) fn tokens(&self) -> Tokens {
        Tokens::from_word(self.word.load(Ordering::Relaxed))
    }

    pub(super) fn is_full(&self) -> bool {
        self.tokens().level == self.capacity
    }

    /// Returns `true` if the free and the reserved tokens leave room for a refill.
    pub(super) fn has_room(&self) -> bool {
        let Tokens { level, reserved } = self.tokens();
        level + reserved < self.capacity
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

    /// Adds tokens up to the capacity. A full bucket is read and not written.
    pub(super) fn refill(&self, tokens: u32) {
        self.update(|Tokens { level, reserved }| {
            let added = tokens.min(self.capacity - level - reserved);
            (added != 0).then_some(Tokens { level: level + added, reserved })
        });
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

    fn update(&self, change: impl Fn(Tokens) -> Option<Tokens>) -> bool {
        let change = |word| change(Tokens::from_word(word)).map(Tokens::word);
        self.word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, change).is_ok()
    }
}

impl Tokens {
    const fn from_word(word: u64) -> Self {
        Self { level: (word >> 32) as u32, reserved: word as u32 }
    }

    const fn word(self) -> u64 {
        ((self.level as u64) << 32) + self.reserved as u64
    }
}
