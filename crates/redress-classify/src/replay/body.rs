//! A body that streams, and can be sent again.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};

use super::CloneBody;
use super::error::ReplayError;
use super::log::{Found, Leftover, Log, Piece, Polled};
use super::progress::Progress;
use super::wakers::Wakers;
use crate::BoxError;

/// Lets any streaming body be sent once, and be sent again up to a limit, while it streams.
///
/// Each copy gives all of the body, from its start. Whichever copy is ahead reads on in the body and keeps what it reads
/// for the others; so the copies may be read at the same time, by several tasks, and dropped in any order. Trailers are
/// given again too. Frames are not copied, only their counts of references go up.
///
/// # The limit
/// 64 KiB unless [`with_limit`](Self::with_limit) says otherwise, as in the linkerd proxy: most requests of an API are
/// shorter, and a thousand of them in flight take no more than 64 MiB. It counts the bytes of data and of trailers; more
/// than 1,024 frames and one for every 64 bytes of the limit are too many also. A body that turns out longer streams on
/// in the copy that is ahead, and goes out once; what was kept is freed at once, and so there is no other copy to be had.
/// Nothing is kept while there is only one copy.
///
/// # Errors
/// The copy that meets the body's error gives it; every other one fails at the same place. A copy that has fallen behind
/// what is kept fails with [`ReplayError::is_discarded`]: it never leaves bytes out.
///
/// # Panics
/// A panic of the body goes to whoever polled it; the other copies fail as after an error.
///
/// # Examples
/// ```
/// use bytes::Bytes;
/// use http_body_util::{BodyExt, Full};
/// use redress_classify::{CloneBody, ReplayBody};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), redress_classify::ReplayError> {
/// let upload = ReplayBody::new(Full::new(Bytes::from("any body that streams")));
/// let copy = upload.try_clone().expect("nothing was let go");
/// assert_eq!(upload.collect().await?.to_bytes(), "any body that streams");
/// assert!(copy.is_whole());
/// assert_eq!(copy.collect().await?.to_bytes(), "any body that streams");
/// # Ok(()) }
/// ```
pub struct ReplayBody<B> {
    shared: Arc<Shared<B>>,
    id: u64,
    /// How many pieces, and how many bytes, this copy gave.
    position: usize,
    given: u64,
    /// Whether it gave its end, or its error.
    done: bool,
}

struct Shared<B> {
    log: Mutex<Log<B>>,
    wakers: Arc<Wakers>,
    /// Wakes them all.
    waker: Waker,
    progress: Progress,
}

/// The turn of a copy that polls the body: dropped by a panic, it leaves the body broken.
struct Turn<'a, B> {
    shared: &'a Shared<B>,
    id: u64,
    is_over: bool,
}

const DEFAULT_LIMIT: usize = 64 * 1024;

impl<B: Body> ReplayBody<B> {
    /// Keeps up to 64 KiB of a body.
    #[must_use]
    pub fn new(body: B) -> Self {
        Self::with_limit(body, DEFAULT_LIMIT)
    }

    /// Keeps up to so many bytes of a body, in memory.
    #[must_use]
    pub fn with_limit(body: B, limit: usize) -> Self {
        let wakers = Arc::new(Wakers::default());
        let waker = Waker::from(Arc::clone(&wakers));
        let shared =
            Arc::new(Shared { log: Mutex::new(Log::new(body, limit)), wakers, waker, progress: Progress::new() });
        Self::copy(shared, 0)
    }
}

impl<B> ReplayBody<B> {
    const fn copy(shared: Arc<Shared<B>>, id: u64) -> Self {
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
    /// Reads on in the body, which this copy has taken.
    fn read_on(&mut self, mut body: Pin<Box<B>>) -> Poll<Option<Result<Frame<Bytes>, ReplayError>>> {
        let turn = Turn { shared: &self.shared, id: self.id, is_over: false };
        let mut cx = Context::from_waker(&turn.shared.waker);
        let frame = match body.as_mut().poll_frame(&mut cx) {
            Poll::Pending => {
                let rest = body.size_hint();
                turn.end(Some(body), Polled::Pending, Some(rest));
                return Poll::Pending;
            }
            Poll::Ready(Some(Ok(frame))) => frame.map_data(|mut data| data.copy_to_bytes(data.remaining())),
            Poll::Ready(Some(Err(error))) => {
                turn.end(Some(body), Polled::Broken, None);
                return self.fail(ReplayError::body(error.into()));
            }
            Poll::Ready(None) => {
                turn.end(Some(body), Polled::End, None);
                self.done = true;
                return Poll::Ready(None);
            }
        };
        let rest = (!body.is_end_stream()).then(|| body.size_hint());
        let piece = Piece::of(&frame);
        let polled = piece.clone().map_or_else(|| Polled::Passing { is_data: frame.is_data() }, Polled::Piece);
        self.position = turn.end(Some(body), polled, rest);
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
        // Before the look, so that what comes right after it wakes this copy.
        this.shared.wakers.register(this.id, cx.waker());
        let found = this.shared.lock().find(this.position);
        let polled = match found {
            Found::Piece(piece) => Poll::Ready(Some(Ok(this.give(piece)))),
            Found::Body(body) => this.read_on(body),
            Found::Taken => Poll::Pending,
            Found::Broken => this.fail(ReplayError::elsewhere()),
            Found::LetGo => this.fail(ReplayError::let_go()),
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
        let id = self.shared.lock().add_copy()?;
        Some(Self::copy(Arc::clone(&self.shared), id))
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
        self.shared.lock().remove_copy();
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
        // Nothing panics while it is held.
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<B> Turn<'_, B> {
    /// Puts the body back, wakes the copies that wait for it, and returns how many pieces were read in all.
    fn end(mut self, body: Option<Pin<Box<B>>>, polled: Polled, rest: Option<SizeHint>) -> usize {
        self.is_over = true;
        self.put_back(body, polled, rest)
    }

    fn put_back(&self, body: Option<Pin<Box<B>>>, polled: Polled, rest: Option<SizeHint>) -> usize {
        let (leftover, wake, read): (Leftover<B>, bool, usize) = {
            let mut log = self.shared.lock();
            let (leftover, wake) = log.put_back(body, polled, rest);
            (leftover, wake, log.read())
        };
        if wake {
            self.shared.wakers.wake_others(self.id);
        }
        drop(leftover);
        read
    }
}

impl<B> Drop for Turn<'_, B> {
    fn drop(&mut self) {
        if !self.is_over {
            self.put_back(None, Polled::Broken, None);
        }
    }
}
