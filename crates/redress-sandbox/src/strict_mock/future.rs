//! The future of one call.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::answer::Pending;
use super::{BoxError, State};
use crate::shared::Shared;

/// Response future of a [`StrictMock`](super::StrictMock).
///
/// # Cancel safety
///
/// Dropping the future before it completed frees its slot and counts as a cancelled call ([`Handle::cancelled`](super::Handle::cancelled)).
///
/// # Panics
///
/// Panics if it is polled again after it completed.
#[must_use = "futures do nothing unless polled"]
pub struct ResponseFuture<Res>(FutureState<Res>);

enum FutureState<Res> {
    /// Waiting for the answer.
    Waiting { answer: Pending<Res>, slot: Box<dyn InFlightGuard> },
    /// The answer was returned.
    Done,
}

/// A slot held by a call in flight, erased over the type of the request.
pub(super) trait InFlightGuard: Send {
    /// Marks the call as completed. A guard that is dropped without it counts the call as cancelled.
    fn finish(&mut self);
}

/// The slot of one call in flight, freed when it is dropped.
pub(super) struct InFlight<Req> {
    state: Arc<Shared<State<Req>>>,
    finished: bool,
}

impl<Res> ResponseFuture<Res> {
    pub(super) fn new<Req: Send + 'static>(answer: Pending<Res>, slot: InFlight<Req>) -> Self {
        Self(FutureState::Waiting { answer, slot: Box::new(slot) })
    }
}

impl<Res> Future for ResponseFuture<Res> {
    type Output = Result<Res, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let FutureState::Waiting { answer, slot } = &mut this.0 else {
            panic!("StrictMock's response future was polled after it completed");
        };
        let result = ready!(answer.as_mut().poll(cx));
        slot.finish();
        this.0 = FutureState::Done;
        Poll::Ready(result)
    }
}

impl<Res> fmt::Debug for ResponseFuture<Res> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_done = matches!(self.0, FutureState::Done);
        f.debug_struct("ResponseFuture").field("is_done", &is_done).finish()
    }
}

impl<Req> InFlight<Req> {
    pub(super) fn new(state: Arc<Shared<State<Req>>>) -> Self {
        Self { state, finished: false }
    }
}

impl<Req: Send> InFlightGuard for InFlight<Req> {
    fn finish(&mut self) {
        self.finished = true;
    }
}

impl<Req> Drop for InFlight<Req> {
    fn drop(&mut self) {
        let mut state = self.state.lock();
        state.slots.in_flight -= 1;
        state.slots.cancelled += usize::from(!self.finished);
        state.wake();
    }
}
