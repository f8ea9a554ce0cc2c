//! When a request body last gave something to be sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::time::Instant;

use crate::saturating;

/// When a request body last gave a frame: an attempt that still uploads is not one that hangs.
///
/// Clones share what is recorded. A body that streams records each frame that it gives, and returns a clone from
/// [`CloneBody::progress`](crate::CloneBody::progress).
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
    began: Instant,
    /// Nanoseconds from `began`, plus one; 0 before the first frame.
    last: AtomicU64,
}

impl Progress {
    /// Begins without a frame.
    #[must_use]
    pub fn new() -> Self {
        Self { inner: Arc::new(Inner { began: Instant::now(), last: AtomicU64::new(0) }) }
    }

    /// Records a frame, given now.
    pub fn record(&self) {
        let since = u64::try_from(self.inner.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.inner.last.fetch_max(since.saturating_add(1), Ordering::Relaxed);
    }

    /// Returns when the last frame was given; `None` before the first.
    #[must_use]
    pub fn last(&self) -> Option<Instant> {
        let since = self.inner.last.load(Ordering::Relaxed).checked_sub(1)?;
        Some(saturating::add(self.inner.began, std::time::Duration::from_nanos(since)))
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}
