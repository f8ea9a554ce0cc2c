//! A request body of any type that can be cloned, and the layer that makes every request's body one.

mod error;
mod layer;
mod log;
mod wakers;

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};

pub use self::error::ReplayError;
pub use self::layer::{ReplayBodies, ReplayBodyLayer};
use self::log::{Dropped, Found, Log, Piece, Polled};
use self::wakers::Wakers;
use crate::BoxError;
use crate::clone_body::CloneBody;
use crate::progress::Progress;

/// A streaming body that can be cloned, and so be sent again, up to a limit of bytes.
///
/// Each clone gives the whole body from its start. The clone that is ahead polls the inner body and keeps the frames for
/// the others, so clones may be read at the same time, by several tasks, and dropped in any order. Trailers are kept too.
/// Bytes are not copied: a kept frame shares its buffer.
///
/// # The limit
/// 64 KiB, as in the linkerd proxy, or the one given to [`with_limit`](Self::with_limit): most API requests are shorter,
/// and a thousand of them in flight take at most 64 MiB. It counts the bytes of data and trailers. The number of frames
/// is bounded too: 1,024, and one more for every 64 bytes of the limit.
///
/// [`ReplayBodyLayer`] lifts the limit for bodies in memory.
///
/// A body that turns out to be longer keeps streaming in the clone that is ahead, so it is sent once. The kept frames are
/// freed at once, and [`try_clone`](CloneBody::try_clone) returns `None` from then on. Frames are kept only while there
/// is more than one clone.
///
/// # Errors
/// The clone that meets an error of the inner body returns it as the source of its own; the other clones fail at the same
/// position. A clone that needs a frame which is no longer kept fails with [`ReplayError::is_discarded`]: it never leaves
/// bytes out.
///
/// # Panics
/// A panic of the inner body unwinds through the clone that polled it. The other clones fail as after an error.
///
/// # Examples
/// ```
/// use bytes::Bytes;
/// use http_body_util::{BodyExt, Full};
/// use redress_classify::{CloneBody, ReplayBody};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), redress_classify::ReplayError> {
/// let upload = ReplayBody::new(Full::new(Bytes::from("any streaming body")));
/// let clone = upload.try_clone().expect("it is shorter than the limit");
/// assert_eq!(upload.collect().await?.to_bytes(), "any streaming body");
/// assert!(clone.is_whole());
/// assert_eq!(clone.collect().await?.to_bytes(), "any streaming body");
/// # Ok(()) }
/// ```
pub struct ReplayBody<B> {
    shared: Arc<Shared<B>>,
    id: u64,
    /// The number of pieces that this clone gave.
    position: usize,
    /// The number of data bytes that this clone gave.
    given: u64,
    /// Whether this clone gave its end or its error.
    done: bool,
}

struct Shared<B> {
    log: Mutex<Log<B>>,
    wakers: Arc<Wakers>,
    /// Wakes all clones.
    waker: Waker,
    progress: Progress,
}

/// Puts the inner body back after a poll. When it is dropped by a panic, it marks the inner body as failed.
struct PollGuard<'a, B> {
    shared: &'a Shared<B>,
    id: u64,
    is_over: bool,
}

const DEFAULT_LIMIT: usize = 64 * 1024;

impl<B: Body> ReplayBody<B> {
    /// Wraps a body with the default limit of 64 KiB.
    #[must_use]
    pub fn new(body: B) -> Self {
        Self::with_limit(body, DEFAULT_LIMIT)
    }

    /// Wraps a body with a limit in bytes, which are kept in memory.
    ///
    /// With a limit of 0 a body is sent once, unless it is empty.
    ///
    /// # Examples
    /// ```
    /// use bytes::Bytes;
    /// use http_body_util::{BodyExt, Full};
    /// use redress_classify::{CloneBody, ReplayBody};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), redress_classify::ReplayError> {
    /// let body = ReplayBody::with_limit(Full::new(Bytes::from("ten bytes.")), 10);
    /// let clone = body.try_clone().expect("it was not read yet");
    /// body.collect().await?;
    /// assert_eq!(clone.collect().await?.to_bytes().len(), 10);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn with_limit(body: B, limit: usize) -> Self {
        Self::over(Log::new(body, limit))
    }

    /// Wraps a body with a limit in bytes for a streaming body, and none for a body in memory.
    fn with_stream_limit(body: B, limit: usize) -> Self {
        Self::over(Log::new(body, limit).lift_limit_in_memory())
    }

    fn over(log: Log<B>) -> Self {
        let wakers = Arc::new(Wakers::default());
        let waker = Waker::from(Arc::clone(&wakers));
        let shared = Arc::new(Shared { log: Mutex::new(log), wakers, waker, progress: Progress::new() });
        Self::new_clone(shared, 0)
    }
}

impl<B> ReplayBody<B> {
    const fn new_clone(shared: Arc<Shared<B>>, id: u64) -> Self {
        Self { shared, id, position: 0, given: 0, done: false }
    }

    fn give(&mut self, piece: Piece) -> Frame<Bytes> {
        self.position += 1;
        self.given += piece.data_len();
        piece.into_frame()
    }

    fn fail(&mut self, error: ReplayError) -> Poll<Option<Result<Frame<Bytes>, ReplayError>>> {
        self.done = true;
        Poll::Ready(Some(Err(error)))
    }
}

impl<B> ReplayBody<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    /// Polls the inner body, which this clone has taken from the log.
    fn poll_inner(&mut self, mut body: Pin<Box<B>>) -> Poll<Option<Result<Frame<Bytes>, ReplayError>>> {
        let guard = PollGuard { shared: &self.shared, id: self.id, is_over: false };
        let mut cx = Context::from_waker(&guard.shared.waker);
        let frame = match body.as_mut().poll_frame(&mut cx) {
            Poll::Pending => {
                let rest = body.size_hint();
                guard.end(Some(body), Polled::Pending, Some(rest));
                return Poll::Pending;
            }
            Poll::Ready(Some(Ok(frame))) => frame.map_data(|mut data| data.copy_to_bytes(data.remaining())),
            Poll::Ready(Some(Err(error))) => {
                guard.end(Some(body), Polled::Failed, None);
                return self.fail(ReplayError::body(error.into()));
            }
            Poll::Ready(None) => {
                guard.end(Some(body), Polled::End, None);
                self.done = true;
                return Poll::Ready(None);
            }
        };
        let rest = (!body.is_end_stream()).then(|| body.size_hint());
        let piece = Piece::from_frame(&frame);
        let polled = piece.clone().map_or_else(|| Polled::Unlogged { is_data: frame.is_data() }, Polled::Piece);
        self.position = guard.end(Some(body), polled, rest);
        self.given += piece.map_or(0, |piece| piece.data_len());
        Poll::Ready(Some(Ok(frame)))
    }
}

impl<B> Body for ReplayBody<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = ReplayError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, ReplayError>>> {
        let this = self.get_mut();
        if this.done {
            return Poll::Ready(None);
        }
        // Registered first, so that a frame that arrives right after the look wakes this clone.
        this.shared.wakers.register(this.id, cx.waker());
        let found = this.shared.lock().find(this.position);
        let polled = match found {
            Found::Piece(piece) => Poll::Ready(Some(Ok(this.give(piece)))),
            Found::Body(body) => this.poll_inner(body),
            Found::Taken => Poll::Pending,
            Found::Failed => this.fail(ReplayError::other_clone()),
            Found::Discarded => this.fail(ReplayError::discarded()),
            Found::End => {
                this.done = true;
                Poll::Ready(None)
            }
        };
        let polled = ready!(polled);
        this.shared.wakers.remove(this.id);
        if matches!(polled, Some(Ok(_))) {
            this.shared.progress.record();
        }
        Poll::Ready(polled)
    }

    fn is_end_stream(&self) -> bool {
        self.done || self.shared.lock().is_end(self.position)
    }

    fn size_hint(&self) -> SizeHint {
        if self.done { SizeHint::with_exact(0) } else { self.shared.lock().size_hint(self.position, self.given) }
    }
}

impl<B> CloneBody for ReplayBody<B> {
    fn try_clone(&self) -> Option<Self> {
        let id = self.shared.lock().add_clone()?;
        Some(Self::new_clone(Arc::clone(&self.shared), id))
    }

    fn is_whole(&self) -> bool {
        self.position == 0 && !self.done && self.shared.lock().is_whole()
    }

    fn progress(&self) -> Option<Progress> {
        Some(self.shared.progress.clone())
    }
}

impl<B> Drop for ReplayBody<B> {
    fn drop(&mut self) {
        self.shared.lock().remove_clone();
        self.shared.wakers.remove(self.id);
    }
}

impl<B> fmt::Debug for ReplayBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (held, limit) = {
            let log = self.shared.lock();
            (log.held(), log.limit())
        };
        f.debug_struct("ReplayBody")
            .field("given_bytes", &self.given)
            .field("held_bytes", &held)
            .field("limit", &limit)
            .finish_non_exhaustive()
    }
}

impl<B> Shared<B> {
    fn lock(&self) -> MutexGuard<'_, Log<B>> {
        // No code that may panic runs under the lock.
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<B> PollGuard<'_, B> {
    /// Puts the inner body back, wakes the clones that wait for it, and returns the number of pieces read so far.
    fn end(mut self, body: Option<Pin<Box<B>>>, polled: Polled, rest: Option<SizeHint>) -> usize {
        self.is_over = true;
        self.put_back(body, polled, rest)
    }

    fn put_back(&self, body: Option<Pin<Box<B>>>, polled: Polled, rest: Option<SizeHint>) -> usize {
        let (dropped, wake, read): (Dropped<B>, bool, usize) = {
            let mut log = self.shared.lock();
            let (dropped, wake) = log.put_back(body, polled, rest);
            (dropped, wake, log.read())
        };
        if wake {
            self.shared.wakers.wake_others(self.id);
        }
        drop(dropped);
        read
    }
}

impl<B> Drop for PollGuard<'_, B> {
    fn drop(&mut self) {
        if !self.is_over {
            self.put_back(None, Polled::Failed, None);
        }
    }
}
