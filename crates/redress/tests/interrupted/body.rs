//! A response body whose frames take their time, or panic.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use tokio::time::Sleep;

/// A body in pieces, with a pause before each.
pub(crate) struct Slow {
    pieces: VecDeque<&'static str>,
    pause: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
    panics: bool,
}

impl Slow {
    /// All at once.
    pub(crate) fn whole(text: &'static str) -> Self {
        Self { pieces: VecDeque::from([text]), pause: Duration::ZERO, sleep: None, panics: false }
    }

    pub(crate) fn pieces(pieces: impl IntoIterator<Item = &'static str>, pause: Duration) -> Self {
        Self { pieces: pieces.into_iter().collect(), pause, sleep: None, panics: false }
    }

    /// Panics when it is read.
    pub(crate) fn panicking() -> Self {
        Self { panics: true, ..Self::whole("") }
    }
}

impl Body for Slow {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        assert!(!self.panics, "in the body");
        if !self.pause.is_zero() {
            let pause = self.pause;
            let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(pause)));
            ready!(sleep.as_mut().poll(cx));
            self.sleep = None;
        }
        let piece = self.pieces.pop_front().map(|piece| Ok(Frame::data(Bytes::from_static(piece.as_bytes()))));
        Poll::Ready(piece)
    }
}
