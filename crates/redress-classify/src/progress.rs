//! The upload progress of a request body.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::saturating;

/// The time at which a request body last gave a frame.
///
/// It tells an attempt that still uploads from one that hangs. Clones share the record. A streaming body records each
/// frame that it gives, and returns a clone from [`CloneBody::progress`](crate::CloneBody::progress).
///
/// # Examples
/// ```
/// use redress_classify::Progress;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// let progress = Progress::new();
/// assert!(progress.last().is_none());
/// progress.record();
/// assert_eq!(progress.last(), Some(tokio::time::Instant::now()));
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Progress {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    start: Instant,
    /// Nanoseconds from `start` to the last frame, plus one; 0 before the first frame.
    last: AtomicU64,
}

impl Progress {
    /// Creates a record without a frame.
    #[must_use]
    pub fn new() -> Self {
        Self { inner: Arc::new(Inner { start: Instant::now(), last: AtomicU64::new(0) }) }
    }

    /// Records a frame that is given now.
    pub fn record(&self) {
        let since = u64::try_from(self.inner.start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.inner.last.fetch_max(since.saturating_add(1), Ordering::Relaxed);
    }

    /// Returns the time of the last frame, or `None` before the first.
    #[must_use]
    pub fn last(&self) -> Option<Instant> {
        let since = self.inner.last.load(Ordering::Relaxed).checked_sub(1)?;
        Some(saturating::add(self.inner.start, Duration::from_nanos(since)))
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}
