//! Access to the mock from a test.

use std::fmt;
use std::sync::Arc;

use tokio::time::Instant;

use super::{Slots, State};
use crate::shared::Shared;

/// Reads the requests that a [`StrictMock`](super::StrictMock) and its clones received, and the slots that they hold.
///
/// # Panics
///
/// Dropping the last handle panics if a readied clone was dropped without a call, unless
/// [`allow_abandoned`](super::StrictMock::allow_abandoned) is set or the thread is already panicking.
///
/// # Examples
///
/// ```
/// use redress_sandbox::strict_mock::{Answer, StrictMock};
/// use std::time::Duration;
/// use tower::ServiceExt;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// let mock = StrictMock::scripted([Answer::ok("a"), Answer::ok("b").after(Duration::from_secs(60))]);
/// let handle = mock.handle();
/// mock.clone().oneshot(1).await.unwrap();
///
/// // The caller gives up on the second request before its answer.
/// let call = mock.oneshot(2);
/// assert!(tokio::time::timeout(Duration::from_secs(5), call).await.is_err());
///
/// assert_eq!((handle.calls(), handle.cancelled(), handle.in_flight()), (2, 1, 0));
/// let [first, second] = handle.take().try_into().unwrap();
/// assert_eq!((first.request, second.request), (1, 2));
/// assert_eq!(first.at, second.at, "no wait between the two");
/// assert_eq!(handle.calls(), 0, "`take` has removed them");
/// handle.assert_idle();
/// # }
/// ```
pub struct Handle<Req>(Arc<Shared<State<Req>>>);

/// One recorded request.
// Exhaustive, so that a test takes it apart by a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received<Req> {
    /// The instant of the call on tokio's clock.
    pub at: Instant,
    /// The request.
    pub request: Req,
}

impl<Req> Handle<Req> {
    pub(super) fn new(state: Arc<Shared<State<Req>>>) -> Self {
        state.lock().handles += 1;
        Self(state)
    }

    /// Returns the number of recorded calls that [`take`](Self::take) has not removed.
    pub fn calls(&self) -> usize {
        self.0.lock().received.len()
    }

    /// Removes and returns the recorded requests, in the order of their calls.
    pub fn take(&self) -> Vec<Received<Req>> {
        std::mem::take(&mut self.0.lock().received)
    }

    /// Returns copies of the recorded requests, and keeps them.
    pub fn requests(&self) -> Vec<Req>
    where
        Req: Clone,
    {
        self.0.lock().received.iter().map(|received| received.request.clone()).collect()
    }

    /// Returns the instants of the recorded calls on tokio's clock: their differences are the waits between attempts.
    ///
    /// # Examples
    ///
    /// ```
    /// use redress_sandbox::strict_mock::{Answer, StrictMock};
    /// use std::time::Duration;
    /// use tower::ServiceExt;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let mock = StrictMock::scripted([Answer::ok(()), Answer::ok(())]);
    /// let handle = mock.handle();
    /// mock.clone().oneshot("first").await.unwrap();
    /// tokio::time::sleep(Duration::from_secs(7)).await;
    /// mock.oneshot("second").await.unwrap();
    /// let [first, second] = handle.instants().try_into().unwrap();
    /// assert_eq!(second - first, Duration::from_secs(7));
    /// # }
    /// ```
    pub fn instants(&self) -> Vec<Instant> {
        self.0.lock().received.iter().map(|received| received.at).collect()
    }

    /// Returns the number of calls whose response future has neither completed nor been dropped.
    pub fn in_flight(&self) -> usize {
        self.slots().in_flight
    }

    /// Returns the number of readied clones that exist and have not been called.
    pub fn reservations(&self) -> usize {
        self.slots().reservations
    }

    /// Returns the number of readied clones that were dropped without a call.
    pub fn abandoned(&self) -> usize {
        self.slots().abandoned
    }

    /// Returns the number of response futures that were dropped before they completed.
    pub fn cancelled(&self) -> usize {
        self.slots().cancelled
    }

    /// Changes the [`limit`](super::StrictMock::limit) and wakes the tasks that wait in `poll_ready`.
    pub fn set_limit(&self, limit: usize) {
        let mut state = self.0.lock();
        state.limit = limit;
        state.wake();
    }

    /// Asserts that the mock is idle. A test calls it last, to show that the layer released everything.
    ///
    /// # Panics
    ///
    /// Panics if a reservation is held or a call is in flight.
    ///
    /// # Examples
    ///
    /// ```
    /// use redress_sandbox::strict_mock::StrictMock;
    /// use tower::ServiceExt;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let mut mock = StrictMock::<(), ()>::scripted([]).allow_abandoned();
    /// let handle = mock.handle();
    /// mock.ready().await.unwrap();
    /// assert!(std::panic::catch_unwind(|| handle.assert_idle()).is_err(), "a reservation is held");
    /// drop(mock);
    /// handle.assert_idle();
    /// # }
    /// ```
    #[track_caller]
    pub fn assert_idle(&self) {
        let Slots { reservations, in_flight, .. } = self.slots();
        assert!(
            reservations == 0 && in_flight == 0,
            "StrictMock is not idle: {reservations} reservations are held and {in_flight} calls are in flight"
        );
    }

    fn slots(&self) -> Slots {
        self.0.lock().slots
    }
}

impl<Req> Clone for Handle<Req> {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.0))
    }
}

impl<Req> Drop for Handle<Req> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.handles -= 1;
        let abandoned = state.slots.abandoned;
        let checks = state.handles == 0 && !state.allow_abandoned && !std::thread::panicking();
        drop(state);
        assert!(
            !checks || abandoned == 0,
            "StrictMock lost {abandoned} reservations: a clone that poll_ready readied was dropped without a call"
        );
    }
}

impl<Req> fmt::Debug for Handle<Req> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("slots", &self.slots()).finish_non_exhaustive()
    }
}
