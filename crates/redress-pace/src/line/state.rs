//! The state of a line: how many calls wait or are in flight, whether there is an outage, and whether it is over.

use std::time::Duration;

use redress_classify::saturating;
use tokio::time::Instant;

use super::{Line, Phase};
use crate::outage::Outage;

/// A release is over after this time without a call that waits.
const IDLE: Duration = Duration::from_secs(1);
/// An outage is over if it could have been probed for this long and was not: the upstream is no longer called. It is long, since
/// the first call after it probes in short intervals again.
const FORGOTTEN: Duration = Duration::from_secs(3600);

impl Line {
    /// Returns the number of calls that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.cooling.len() + self.queue.len() + self.ended.len()
    }

    /// Returns the number of calls that have a place.
    pub(crate) fn in_flight(&self) -> usize {
        self.flight.len()
    }

    /// Returns the outage, while there is one.
    pub(crate) const fn outage(&self) -> Option<&Outage> {
        match &self.phase {
            Phase::Shut(outage) => Some(outage),
            Phase::Release(_) => None,
        }
    }

    /// Returns `true` in a release whose calls fail however few they are.
    pub(crate) fn fails_anyway(&self) -> bool {
        matches!(&self.phase, Phase::Release(window) if window.fails_anyway())
    }

    /// Returns the number of places of the release; `None` during an outage.
    pub(crate) const fn places(&self) -> Option<f64> {
        match &self.phase {
            Phase::Shut(_) => None,
            Phase::Release(window) => Some(window.places()),
        }
    }

    /// Returns `true` if the line can be removed: no call waits, and none has waited for a while.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        match &self.phase {
            Phase::Shut(outage) => {
                let is_forgotten = outage.next_probe().is_some_and(|next| saturating::add(next, FORGOTTEN) <= now);
                is_forgotten && self.waiting() == 0
            }
            Phase::Release(_) => self.idle_since.is_some_and(|since| now.saturating_duration_since(since) >= IDLE),
        }
    }
}
