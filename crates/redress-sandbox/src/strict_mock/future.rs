//! The future of one call.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::answer::Pending;
use super::{BoxError, Record};
use crate::shared::Shared;

/// The response of a [`StrictMock`](super::StrictMock).
///
/// # Cancel safety
///
/// Dropping it before its end gives its place back and counts as a cancelled call.
///
/// # Panics
///
/// When it is polled again after it was ready.
#[must_use = "futures do nothing unless polled"]
pub struct ResponseFuture<Res>(State<Res>);

enum State<Res> {
    /// The answer is on its way.
    Waiting { answer: Pending<Res>, place: Box<dyn Occupied> },
    /// The answer was handed over.
    Done,
}

/// A place under the limit that a call in flight holds, whatever the type of the request.
pub(super) trait Occupied: Send {
    /// Gives the place back in the regular way. Dropping it does so as well, and counts the call as cancelled.
    fn finish(&mut self);
}

/// The place of one call in flight.
pub(super) struct Place<Req> {
    record: Arc<Shared<Record<Req>>>,
    finished: bool,
}

impl<Res> ResponseFuture<Res> {
    pub(super) fn new<Req: Send + 'static>(answer: Pending<Res>, place: Place<Req>) -> Self {
        Self(State::Waiting { answer, place: Box::new(place) })
    }
}

impl<Res> Future for ResponseFuture<Res> {
    type Output = Result<Res, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let State::Waiting { answer, place } = &mut this.0 else {
            panic!("StrictMock's response future was polled again after it was ready");
        };
        let result = ready!(answer.as_mut().poll(cx));
        place.finish();
        this.0 = State::Done;
        Poll::Ready(result)
    }
}

impl<Res> fmt::Debug for ResponseFuture<Res> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_done = matches!(self.0, State::Done);
        f.debug_struct("ResponseFuture").field("is_done", &is_done).finish()
    }
}

impl<Req> Place<Req> {
    pub(super) fn new(record: Arc<Shared<Record<Req>>>) -> Self {
        Self { record, finished: false }
    }
}

impl<Req: Send> Occupied for Place<Req> {
    fn finish(&mut self) {
        self.finished = true;
    }
}

impl<Req> Drop for Place<Req> {
    fn drop(&mut self) {
        let mut record = self.record.lock();
        record.places.in_flight -= 1;
        record.places.cancelled += usize::from(!self.finished);
        record.wake();
    }
}
