//! The calls of a line that are in flight.

use std::collections::BTreeSet;
use std::time::Duration;

use redress_classify::saturating;
use tokio::time::Instant;

use crate::health::Health;

/// A call that takes longer than this multiple of the latency frees its place: it is lost, or another kind of call.
const HANGING: u32 = 4;

/// A place in flight: since when, and the id of the call.
pub(crate) type Place = (Instant, u64);

/// The places that are taken, the earliest first.
#[derive(Debug, Default)]
pub(super) struct Flight(BTreeSet<Place>);

impl Flight {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Gives a call a place from `now` on.
    pub(super) fn insert(&mut self, call: u64, now: Instant) -> Place {
        self.0.insert((now, call));
        (now, call)
    }

    /// Frees a place, unless that was done because its call hangs.
    pub(super) fn remove(&mut self, place: Place) {
        self.0.remove(&place);
    }

    /// Frees the places of the calls that hang.
    pub(super) fn remove_hanging(&mut self, health: &Health, now: Instant) {
        let Some(cutoff) = hanging(health).and_then(|span| now.checked_sub(span)) else { return };
        while self.0.first().is_some_and(|(since, _)| *since <= cutoff) {
            self.0.pop_first();
        }
    }

    /// Returns the instant at which the earliest call counts as hanging; `None` if the latency is unknown.
    pub(super) fn next_hanging(&self, health: &Health) -> Option<Instant> {
        Some(saturating::add(self.0.first()?.0, hanging(health)?))
    }
}

/// Returns the time after which a call frees its place; `None` if the latency is unknown.
fn hanging(health: &Health) -> Option<Duration> {
    health.latency().map(|latency| latency.saturating_mul(HANGING))
}
