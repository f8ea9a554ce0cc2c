//! A waker that counts its wake-ups.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

/// Counts how often its wakers are woken, for tests that poll futures by hand.
///
/// `futures_test::task::new_count_waker` does the same. This type spares the dependency, and one counter hands out any
/// number of wakers. All of them are equal by [`Waker::will_wake`]; use two counters to test a future that moves between
/// tasks.
///
/// # Examples
///
/// ```
/// use redress_sandbox::WakeCounter;
/// use std::task::Context;
///
/// let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
/// let counter = WakeCounter::new();
/// let waker = counter.waker();
/// let mut cx = Context::from_waker(&waker);
///
/// assert!(receiver.poll_recv(&mut cx).is_pending());
/// assert_eq!(counter.count(), 0);
///
/// sender.try_send("value").unwrap();
/// assert_eq!(counter.count(), 1);
/// ```
#[derive(Debug, Clone, Default)]
pub struct WakeCounter(Arc<Count>);

#[derive(Debug, Default)]
struct Count(AtomicUsize);

impl WakeCounter {
    /// Creates a counter at zero.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns a waker that increments the count.
    pub fn waker(&self) -> Waker {
        Waker::from(Arc::clone(&self.0))
    }

    /// Returns the number of wake-ups so far, of all wakers together.
    pub fn count(&self) -> usize {
        self.0.0.load(Ordering::SeqCst)
    }
}

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}
