//! The test's view of the mock.

use std::fmt;
use std::sync::Arc;

use tokio::time::Instant;

use super::{Places, Record};
use crate::shared::Shared;

/// Looks at what a [`StrictMock`](super::StrictMock) and its clones received and hold.
///
/// # Panics
///
/// When the last handle is dropped and a reservation was dropped without a call, unless
/// [`allow_abandoned`](super::StrictMock::allow_abandoned) was set or the thread is panicking already.
pub struct Handle<Req>(Arc<Shared<Record<Req>>>);

/// One request that the mock was called with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received<Req> {
    /// The moment of the call, in tokio's time.
    pub at: Instant,
    /// The request.
    pub request: Req,
}

impl<Req> Handle<Req> {
    pub(super) fn new(record: Arc<Shared<Record<Req>>>) -> Self {
        record.lock().handles += 1;
        Self(record)
    }

    /// Counts the calls so far that [`take`](Self::take) has not taken.
    pub fn calls(&self) -> usize {
        self.0.lock().received.len()
    }

    /// Takes the requests received so far, in order of their calls.
    pub fn take(&self) -> Vec<Received<Req>> {
        std::mem::take(&mut self.0.lock().received)
    }

    /// Returns copies of the requests received and not taken.
    pub fn requests(&self) -> Vec<Req>
    where
        Req: Clone,
    {
        self.0.lock().received.iter().map(|received| received.request.clone()).collect()
    }

    /// Returns the moments of the calls received and not taken, in tokio's time.
    pub fn instants(&self) -> Vec<Instant> {
        self.0.lock().received.iter().map(|received| received.at).collect()
    }

    /// Counts the calls whose response is not ready yet.
    pub fn in_flight(&self) -> usize {
        self.places().in_flight
    }

    /// Counts the readied clones that have not been called yet.
    pub fn reservations(&self) -> usize {
        self.places().reservations
    }

    /// Counts the readied clones that were dropped without a call.
    pub fn abandoned(&self) -> usize {
        self.places().abandoned
    }

    /// Counts the response futures that were dropped before they were ready.
    pub fn cancelled(&self) -> usize {
        self.places().cancelled
    }

    /// Changes the number of reservations and calls in flight allowed, taken together, and wakes those who wait.
    pub fn set_limit(&self, limit: usize) {
        let mut record = self.0.lock();
        record.limit = limit;
        record.wake();
    }

    /// Checks that nobody holds a place.
    ///
    /// # Panics
    ///
    /// When a reservation is held or a call is in flight.
    #[track_caller]
    pub fn assert_idle(&self) {
        let Places { reservations, in_flight, .. } = self.places();
        assert!(
            reservations == 0 && in_flight == 0,
            "StrictMock is not idle: {reservations} reservations are held and {in_flight} calls are in flight"
        );
    }

    fn places(&self) -> Places {
        self.0.lock().places
    }
}

impl<Req> Clone for Handle<Req> {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.0))
    }
}

impl<Req> Drop for Handle<Req> {
    fn drop(&mut self) {
        let mut record = self.0.lock();
        record.handles -= 1;
        let abandoned = record.places.abandoned;
        let checks = record.handles == 0 && !record.allow_abandoned && !std::thread::panicking();
        drop(record);
        assert!(
            !checks || abandoned == 0,
            "StrictMock lost {abandoned} reservations: a clone that poll_ready readied was dropped without a call"
        );
    }
}

impl<Req> fmt::Debug for Handle<Req> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("places", &self.places()).finish_non_exhaustive()
    }
}
