//! Counts the steps of a scan for the fuzz harness, which holds them against
//! the length of the body. In any other build a step is nothing.

#[cfg(fuzzing)]
use std::cell::Cell;

#[cfg(fuzzing)]
thread_local! {
    static STEPS: Cell<u64> = const { Cell::new(0) };
}

/// Counts one step.
#[cfg(fuzzing)]
pub(crate) fn step() {
    STEPS.with(|steps| steps.set(steps.get() + 1));
}

/// Counts nothing.
#[cfg(not(fuzzing))]
#[inline(always)]
pub(crate) const fn step() {}

/// Returns how many steps were taken on this thread since it was last asked.
#[cfg(fuzzing)]
#[must_use]
pub fn taken() -> u64 {
    STEPS.take()
}
