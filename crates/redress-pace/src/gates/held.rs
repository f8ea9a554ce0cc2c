//! The memory that waiting calls hold.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The sum of the bytes that all waiting calls of a layer hold: the bodies of their requests, and what Backoff keeps for them.
///
/// It guards no memory. Threads that add at the same time may together exceed a bound by what they hold.
#[derive(Debug, Default)]
pub(crate) struct HeldBytes(AtomicU64);

/// The bytes of one call. Dropping it takes them off the sum.
#[derive(Debug)]
pub(crate) struct Held {
    sum: Arc<HeldBytes>,
    bytes: u64,
}

impl HeldBytes {
    pub(super) fn sum(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Held {
    pub(super) fn new(sum: &Arc<HeldBytes>, bytes: u64) -> Self {
        sum.0.fetch_add(bytes, Ordering::Relaxed);
        Self { sum: Arc::clone(sum), bytes }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.sum.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
