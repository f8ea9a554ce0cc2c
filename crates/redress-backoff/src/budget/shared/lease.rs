//! The part of a lease that calls see: what they tell its task, and what their successes leave for all processes.

use tokio::sync::Notify;

use crate::budget::sync::{AtomicBool, AtomicU32, Ordering};

/// The messages between the calls of a process and the task of their bucket. All accesses are relaxed: they guard no memory.
pub(in crate::budget) struct Lease {
    /// The tokens of successes for which the bucket of the process had no room.
    earned: AtomicU32,
    /// The maximum of them: the capacity of the bucket of all processes, which has no room for more.
    limit: u32,
    /// The level below which the task takes the next lease.
    low_water: AtomicU32,
    is_asked: AtomicBool,
    has_task: AtomicBool,
    is_closed: AtomicBool,
    wake: Notify,
}

impl Lease {
    pub(in crate::budget) fn new(limit: u32, low_water: u32) -> Self {
        Self {
            earned: AtomicU32::new(0),
            limit,
            low_water: AtomicU32::new(low_water),
            is_asked: AtomicBool::new(false),
            has_task: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
            wake: Notify::new(),
        }
    }

    /// Returns the capacity of the bucket of all processes.
    pub(super) const fn limit(&self) -> u32 {
        self.limit
    }

    /// Keeps tokens for the bucket of all processes.
    pub(in crate::budget) fn earn(&self, tokens: u32) {
        // A sum that stays the same is read and not written.
        let sum = |earned: u32| Some(earned.saturating_add(tokens).min(self.limit)).filter(|sum| *sum != earned);
        let _ = self.earned.fetch_update(Ordering::Relaxed, Ordering::Relaxed, sum);
    }

    /// Returns `true` if more tokens can be kept.
    pub(in crate::budget) fn has_room(&self) -> bool {
        self.earned.load(Ordering::Relaxed) < self.limit
    }

    /// Records that a call has asked for tokens, which are `level` now.
    pub(in crate::budget) fn ask(&self, level: u32) {
        self.is_asked.store(true, Ordering::Relaxed);
        if level < self.low_water.load(Ordering::Relaxed) {
            self.wake.notify_one();
        }
    }

    /// Returns `true` to the caller that must start the task.
    pub(super) fn start_task(&self) -> bool {
        !self.has_task() && !self.has_task.swap(true, Ordering::Relaxed)
    }

    pub(super) fn task_ended(&self) {
        self.has_task.store(false, Ordering::Relaxed);
    }

    /// Returns `true` while the task runs.
    pub(in crate::budget) fn has_task(&self) -> bool {
        self.has_task.load(Ordering::Relaxed)
    }

    /// Ends the task, because the layer is dropped.
    pub(in crate::budget) fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
        self.wake.notify_one();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Relaxed)
    }

    /// Waits until few tokens are left, or the layer is dropped.
    pub(super) async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Returns `true` if a call has asked for tokens since this was called last.
    pub(super) fn take_asked(&self) -> bool {
        self.is_asked.swap(false, Ordering::Relaxed)
    }

    pub(super) fn take_earned(&self) -> u32 {
        self.earned.swap(0, Ordering::Relaxed)
    }

    pub(super) fn set_low_water(&self, level: u32) {
        self.low_water.store(level, Ordering::Relaxed);
    }

    #[cfg(all(test, not(loom)))]
    pub(super) fn low_water(&self) -> u32 {
        self.low_water.load(Ordering::Relaxed)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::task::{Context, Waker};

    use super::*;

    #[test]
    fn tokens_are_kept_up_to_the_capacity() {
        let lease = Lease::new(10, 3);
        for (earned, has_room) in [(0, true), (4, true), (5, true), (1, false), (1, false), (u32::MAX, false)] {
            lease.earn(earned);
            assert_eq!(lease.has_room(), has_room, "{earned}");
        }
        assert_eq!(lease.take_earned(), 10);
        assert!(lease.has_room());
        assert_eq!(lease.take_earned(), 0);
    }

    #[test]
    fn the_task_is_woken_when_fewer_tokens_are_left_than_the_low_water_level() {
        for (level, is_woken) in [(5, false), (4, false), (3, true), (0, true)] {
            let lease = Lease::new(10, 0);
            lease.set_low_water(4);
            lease.ask(level);
            let woken = std::pin::pin!(lease.woken());
            assert_eq!(woken.poll(&mut Context::from_waker(Waker::noop())).is_ready(), is_woken, "{level}");
            assert!(lease.take_asked() && !lease.take_asked());
        }
    }

    #[test]
    fn one_task_runs_at_a_time() {
        let lease = Lease::new(10, 0);
        for _ in 0..2 {
            assert!(!lease.has_task());
            assert!(lease.start_task());
            assert!(lease.has_task() && !lease.start_task());
            lease.task_ended();
        }
    }
}
