//! A response body that gives back the frames that were read from it.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Buf;
use http::HeaderMap;
use http_body::{Frame, SizeHint};

/// The maximum number of held frames, beside one for every 16 bytes. A frame takes memory even if it is empty.
const SPARE_FRAMES: u64 = 65_536;

/// The body of a response that came through [`Classify`](crate::Classify).
///
/// It gives the frames of the inner body unchanged, trailers and errors included, however much of it was read for the
/// verdict. Its size hint is exact if that of the inner body is.
pub struct Body<R: http_body::Body> {
    held: HeldFrames<R::Data>,
    /// An error of the inner body, which comes after the held frames.
    error: Option<R::Error>,
    /// The inner body; `None` once it has ended or failed.
    rest: Option<R>,
}

/// The frames that were read. A single frame of data, the usual case, needs no allocation.
pub(crate) struct HeldFrames<D> {
    first: Option<D>,
    #[allow(
        clippy::box_collection,
        reason = "a pointer instead of a deque keeps the response small, which every layer moves"
    )]
    more: Option<Box<VecDeque<Frame<D>>>>,
    bytes: u64,
}

impl<R: http_body::Body> Body<R> {
    /// Wraps a body from which nothing was read.
    pub(crate) fn untouched(body: R) -> Self {
        Self { held: HeldFrames::new(), error: None, rest: Some(body) }
    }

    /// Returns `true` if the body was read to its end without an error.
    pub(crate) fn is_whole(&self) -> bool {
        self.rest.is_none() && self.error.is_none()
    }

    /// Takes the error that ended the reading, if there was one.
    pub(crate) fn take_error(&mut self) -> Option<R::Error> {
        self.error.take()
    }

    pub(crate) fn held(&self) -> &HeldFrames<R::Data> {
        &self.held
    }
}

impl<R: http_body::Body + Unpin> Body<R> {
    /// Reads and holds one frame; returns `false` at the end of the body.
    pub(crate) fn poll_hold(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let Some(rest) = self.rest.as_mut().filter(|rest| !rest.is_end_stream()) else {
            self.rest = None;
            return Poll::Ready(false);
        };
        match ready!(Pin::new(rest).poll_frame(cx)) {
            Some(Ok(frame)) => {
                self.held.push(frame);
                return Poll::Ready(true);
            }
            Some(Err(error)) => self.error = Some(error),
            None => {}
        }
        self.rest = None;
        Poll::Ready(false)
    }
}

/// The body of an answer that was made up on this side, as interceptors of some clients (tonic's) make it.
impl<R: http_body::Body + Default> Default for Body<R> {
    fn default() -> Self {
        Self::untouched(R::default())
    }
}

// Frames and errors are never pinned.
impl<R: http_body::Body + Unpin> Unpin for Body<R> {}

impl<R: http_body::Body + Unpin> http_body::Body for Body<R> {
    type Data = R::Data;
    type Error = R::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<R::Data>, R::Error>>> {
        let this = self.get_mut();
        if let Some(frame) = this.held.pop() {
            return Poll::Ready(Some(Ok(frame)));
        }
        if let Some(error) = this.error.take() {
            return Poll::Ready(Some(Err(error)));
        }
        match &mut this.rest {
            Some(rest) => Pin::new(rest).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.held.is_empty() && self.error.is_none() && self.rest.as_ref().is_none_or(R::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        // The length of a body that failed is unknown.
        let unknown = || if self.error.is_some() { SizeHint::default() } else { SizeHint::with_exact(0) };
        let rest = self.rest.as_ref().map_or_else(unknown, R::size_hint);
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(self.held.bytes));
        if let Some(upper) = rest.upper().and_then(|upper| upper.checked_add(self.held.bytes)) {
            hint.set_upper(upper);
        }
        hint
    }
}

impl<R: http_body::Body> fmt::Debug for Body<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("held_bytes", &self.held.bytes).field("read_up", &self.rest.is_none()).finish()
    }
}

impl<D> HeldFrames<D> {
    const fn new() -> Self {
        Self { first: None, more: None, bytes: 0 }
    }

    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns `true` if more bytes are held than `bytes`, or far more frames than a server makes of them.
    pub(crate) fn exceeds(&self, bytes: u64) -> bool {
        let more = self.more.as_ref().map_or(0, |more| more.len() as u64);
        self.bytes > bytes || more > SPARE_FRAMES + self.bytes / 16
    }

    fn is_empty(&self) -> bool {
        self.first.is_none() && self.more.as_ref().is_none_or(|more| more.is_empty())
    }

    /// Returns the data of the last frame; `None` if it is not a data frame.
    pub(crate) fn last(&self) -> Option<&D> {
        match self.more.as_ref().and_then(|more| more.back()) {
            Some(frame) => frame.data_ref(),
            None => self.first.as_ref(),
        }
    }

    /// Returns the trailers, if they are the last frame.
    pub(crate) fn trailers(&self) -> Option<&HeaderMap> {
        self.more.as_ref()?.back()?.trailers_ref()
    }

    /// Returns the data of all data frames.
    pub(crate) fn data(&self) -> impl Iterator<Item = &D> {
        let more = self.more.iter().flat_map(|more| more.iter());
        self.first.iter().chain(more.filter_map(Frame::data_ref))
    }
}

impl<D: Buf> HeldFrames<D> {
    fn push(&mut self, frame: Frame<D>) {
        self.bytes = self.bytes.saturating_add(frame.data_ref().map_or(0, |data| data.remaining() as u64));
        let frame = if self.is_empty() { frame.into_data().map(|data| self.first = Some(data)) } else { Err(frame) };
        if let Err(frame) = frame {
            self.more.get_or_insert_default().push_back(frame);
        }
    }

    fn pop(&mut self) -> Option<Frame<D>> {
        let frame = match self.first.take() {
            Some(data) => Frame::data(data),
            None => self.more.as_mut()?.pop_front()?,
        };
        self.bytes -= frame.data_ref().map_or(0, |data| data.remaining() as u64);
        Some(frame)
    }
}

/// Returns the bytes of a buffer without consuming it; `None` if they are not contiguous, which the frames of HTTP clients
/// are.
pub(crate) fn bytes_of<D: Buf>(data: &D) -> Option<&[u8]> {
    Some(data.chunk()).filter(|chunk| chunk.len() == data.remaining())
}
