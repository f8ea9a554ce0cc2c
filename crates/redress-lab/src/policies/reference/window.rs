//! A sliding sum.

use std::time::Duration;

/// The number of slots: the sum of the window is exact to a twentieth.
const SLOTS: usize = 20;

/// A sum in slots of a twentieth of the window.
#[derive(Clone, Debug)]
pub(super) struct Window {
    span: Duration,
    slots: [f64; SLOTS],
    /// The index of the newest slot since the start of the run.
    newest: u128,
}

/// A window of ten seconds.
impl Default for Window {
    fn default() -> Self {
        Self::new(Self::SPAN)
    }
}

impl Window {
    /// The length of the default window.
    pub(super) const SPAN: Duration = Duration::from_secs(10);

    /// Creates an empty window of this length, which must not be 0.
    pub(super) const fn new(span: Duration) -> Self {
        Self { span, slots: [0.0; SLOTS], newest: 0 }
    }

    /// Adds an amount to the slot of `now`.
    pub(super) fn add(&mut self, now: Duration, amount: f64) {
        self.slide(now);
        self.slots[index(self.newest)] += amount;
    }

    /// Returns the sum over the window that ends at `now`.
    pub(super) fn sum(&mut self, now: Duration) -> f64 {
        self.slide(now);
        self.slots.iter().sum()
    }

    /// Clears the slots that have left the window.
    fn slide(&mut self, now: Duration) {
        let newest = now.as_nanos() * SLOTS as u128 / self.span.as_nanos();
        let passed = newest.saturating_sub(self.newest).min(SLOTS as u128);
        for nth in 1..=passed {
            self.slots[index(self.newest + nth)] = 0.0;
        }
        self.newest = self.newest.max(newest);
    }
}

/// The place of a slot in the ring.
fn index(slot: u128) -> usize {
    (slot % SLOTS as u128) as usize
}
