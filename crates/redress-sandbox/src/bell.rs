//! A waker that counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

/// Counts how often it is woken, for tests that poll by hand.
///
/// # Examples
///
/// ```
/// use redress_sandbox::Bell;
///
/// let bell = Bell::new();
/// bell.waker().wake();
/// assert_eq!(bell.rings(), 1);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Bell(Arc<Count>);

#[derive(Debug, Default)]
struct Count(AtomicUsize);

impl Bell {
    /// Makes one that nobody has rung.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns a waker that rings it.
    pub fn waker(&self) -> Waker {
        Waker::from(Arc::clone(&self.0))
    }

    /// Returns how often it was rung, by all of its wakers.
    pub fn rings(&self) -> usize {
        self.0.0.load(Ordering::SeqCst)
    }
}

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}
