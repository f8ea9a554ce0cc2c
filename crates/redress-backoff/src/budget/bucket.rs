//! The bucket: two numbers in one word, so that no thread ever sees one without the other.

use super::sync::{AtomicU32, AtomicU64, Ordering};

/// Tokens that are free and tokens that are reserved. Their sum is never more than the capacity.
///
/// No order is needed beyond that of the word itself, since the tokens guard nothing else.
pub(super) struct Bucket {
    /// The free tokens in the upper half, the reserved ones in the lower.
    word: AtomicU64,
    /// How many attempts have failed since the last success.
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
        Tokens::of(self.word.load(Ordering::Relaxed))
    }

    pub(super) fn is_full(&self) -> bool {
        self.tokens().level == self.capacity
    }

    /// Reserves so many free tokens, all or none.
    pub(super) fn reserve(&self, cost: u32) -> bool {
        self.update(|Tokens { level, reserved }| {
            let level = level.checked_sub(cost)?;
            Some(Tokens { level, reserved: reserved + cost })
        })
    }

    /// Takes so many reserved tokens away. They are there, so nothing has to be compared.
    pub(super) fn spend(&self, cost: u32) {
        self.word.fetch_sub(Tokens { level: 0, reserved: cost }.word(), Ordering::Relaxed);
    }

    /// Frees so many reserved tokens. They are there, and have their room.
    pub(super) fn give_back(&self, cost: u32) {
        let moved = Tokens { level: cost, reserved: 0 }.word() - Tokens { level: 0, reserved: cost }.word();
        self.word.fetch_add(moved, Ordering::Relaxed);
    }

    /// Adds tokens as far as there is room; a full bucket is only read.
    pub(super) fn refill(&self, tokens: u32) {
        self.update(|Tokens { level, reserved }| {
            let added = tokens.min(self.capacity - level - reserved);
            (added != 0).then_some(Tokens { level: level + added, reserved })
        });
    }

    /// Counts a failure, and returns how many there were since the last success. Nobody comes near the end of the count.
    pub(super) fn failed(&self) -> u32 {
        self.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1)
    }

    /// Forgets the failures; where there are none, they are only read.
    pub(super) fn succeeded(&self) {
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
    }

    fn update(&self, change: impl Fn(Tokens) -> Option<Tokens>) -> bool {
        let change = |word| change(Tokens::of(word)).map(Tokens::word);
        self.word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, change).is_ok()
    }
}

impl Tokens {
    const fn of(word: u64) -> Self {
        Self { level: (word >> 32) as u32, reserved: word as u32 }
    }

    const fn word(self) -> u64 {
        ((self.level as u64) << 32) + self.reserved as u64
    }
}
