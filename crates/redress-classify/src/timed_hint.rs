//! A retry hint with the time of its receipt.

use std::time::{Duration, SystemTime};

use redress_envelope::RetryHint;
use tokio::time::Instant;

use crate::clock;

/// A retry hint, the delay that it means, and the time at which that delay began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TimedHint {
    hint: RetryHint,
    delay: Duration,
    received: Instant,
    received_wall: SystemTime,
}

impl TimedHint {
    /// Adds the time of receipt, by tokio's clock and by the wall clock of the caller.
    ///
    /// The delay of a hint that names a date counts from `server_now`, so that the clocks of the two sides may differ.
    pub(crate) fn new(hint: RetryHint, server_now: SystemTime, received: Instant, received_wall: SystemTime) -> Self {
        Self { delay: hint.delay(server_now), hint, received, received_wall }
    }

    pub(crate) const fn hint(&self) -> &RetryHint {
        &self.hint
    }

    /// Returns the delay from the receipt of the response.
    pub(crate) const fn delay(&self) -> Duration {
        self.delay
    }

    /// Returns the rest of the delay at `now`.
    pub(crate) fn delay_from(&self, now: Instant) -> Duration {
        self.delay.saturating_sub(now.saturating_duration_since(self.received))
    }

    /// Returns the time at which the delay ends, by the wall clock of the caller.
    pub(crate) fn at(&self) -> SystemTime {
        clock::add(self.received_wall, self.delay)
    }
}
