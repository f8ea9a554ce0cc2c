//! The body of a response that ends some time after its head.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame};
use redress::{BoxError, TransportError};
use tokio::time::{Instant, Sleep, sleep_until};

/// A body of one frame, which comes when its time has come.
#[derive(Debug)]
pub(crate) struct DelayedBody {
    until: Pin<Box<Sleep>>,
    /// The frame, or the end of the connection; `None` after it.
    rest: Option<Result<Frame<Bytes>, BoxError>>,
}

impl DelayedBody {
    /// Creates a body that ends at an instant: complete, or with a broken connection.
    pub(crate) fn new(end: Instant, is_complete: bool) -> Self {
        let broken = || Err(TransportError::other("connection reset").into());
        let rest = if is_complete { Ok(Frame::data(Bytes::from_static(b"late"))) } else { broken() };
        Self { until: Box::pin(sleep_until(end)), rest: Some(rest) }
    }
}

impl Body for DelayedBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.rest.is_some() {
            ready!(self.until.as_mut().poll(cx));
        }
        Poll::Ready(self.rest.take())
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_none()
    }
}
