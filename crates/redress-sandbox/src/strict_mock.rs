//! A tower service that panics when its caller breaks the contract of [`Service`].
//!
//! A readied service holds a **reservation**: a place that its next `call` uses up. Many services hold something real for
//! it, a semaphore permit or a connection, and starve when a layer forgets it. [`StrictMock`] makes the mistakes visible:
//!
//! | mistake | what happens |
//! |---|---|
//! | `call` on a clone that `poll_ready` did not ready | panics in `call` |
//! | the response future is polled again after it was ready | panics in `poll` |
//! | a readied clone is dropped without a call | [`Handle::abandoned`] counts it, and the last [`Handle`] panics when it is dropped |
//! | a reservation is still held, or a call in flight, when there should be none | [`Handle::assert_idle`] panics |
//!
//! The panic for a dropped reservation is put off to the end of the test, because a panic inside the drop of a service would
//! strike in the middle of the layer under test, and because some layers drop a readied clone with good reason: they must
//! wait, and may not hold a reservation meanwhile. For those [`StrictMock::allow_abandoned`] turns that panic off, and the
//! count remains. The panic is also off while the thread is panicking already.
//!
//! Polling `poll_ready` again after it was ready is allowed, as tower allows it, and makes no second reservation. Dropping a
//! reservation, or a response future, gives its place under the [`limit`](StrictMock::limit) back.

mod answer;
mod future;
mod handle;

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tokio::time::Instant;
use tower_service::Service;

pub use self::answer::Answer;
pub use self::future::ResponseFuture;
pub use self::handle::{Handle, Received};
use crate::shared::Shared;

/// The error of the mock, and of any service that boxes its errors.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A scripted [`Service`] that insists on the contract. Clones share the script, the record and the limit.
///
/// Every request is kept, with the tokio instant of its call, for the test to look at through the [`Handle`]. That is why the
/// function that answers borrows it.
///
/// # Panics
///
/// See the [module documentation](self).
///
/// # Examples
///
/// ```
/// use redress_sandbox::strict_mock::StrictMock;
/// use std::future::poll_fn;
/// use tower_service::Service;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let mut mock = StrictMock::new(|request: &u32| {
///     let answer = request + 1;
///     async move { Ok(answer) }
/// });
/// let handle = mock.handle();
///
/// poll_fn(|cx| mock.poll_ready(cx)).await.unwrap();
/// assert_eq!(handle.reservations(), 1);
/// assert_eq!(mock.call(1).await.unwrap(), 2);
/// assert_eq!(handle.requests(), [1]);
/// handle.assert_idle();
/// # }
/// ```
pub struct StrictMock<Req, Res> {
    core: Arc<Core<Req, Res>>,
    reserved: bool,
}

/// What the clones and the handles share.
struct Core<Req, Res> {
    answer: Shared<answer::Source<Req, Res>>,
    record: Arc<Shared<Record<Req>>>,
}

/// The places, and the requests seen.
pub(crate) struct Record<Req> {
    received: Vec<Received<Req>>,
    limit: usize,
    places: Places,
    waiting: Vec<Waker>,
    allow_abandoned: bool,
    handles: usize,
}

/// How many services and futures hold or have given up a place.
#[derive(Debug, Default, Clone, Copy)]
struct Places {
    reservations: usize,
    in_flight: usize,
    abandoned: usize,
    cancelled: usize,
}

impl<Req, Res> StrictMock<Req, Res> {
    /// Answers each request with the future that `answer` makes of it. There is no limit.
    pub fn new<F, Fut>(mut answer: F) -> Self
    where
        F: FnMut(&Req) -> Fut + Send + 'static,
        Fut: Future<Output = Result<Res, BoxError>> + Send + 'static,
    {
        Self::with(Box::new(move |request| Box::pin(answer(request))))
    }

    /// Answers the requests with these answers, in order of their calls.
    ///
    /// # Panics
    ///
    /// In `call`, when the answers have run out.
    pub fn scripted(answers: impl IntoIterator<Item = Answer<Res>>) -> Self
    where
        Res: Send + 'static,
    {
        let mut answers: VecDeque<Answer<Res>> = answers.into_iter().collect();
        Self::with(Box::new(move |_| match answers.pop_front() {
            Some(answer) => Box::pin(answer.wait()),
            None => panic!("StrictMock got a call, but its scripted answers have run out"),
        }))
    }

    /// Allows this many reservations and calls in flight, taken together. Zero makes the mock pending until
    /// [`Handle::set_limit`].
    #[must_use]
    pub fn limit(self, limit: usize) -> Self {
        self.core.record.lock().limit = limit;
        self
    }

    /// Lets a readied clone be dropped without a call.
    #[must_use]
    pub fn allow_abandoned(self) -> Self {
        self.core.record.lock().allow_abandoned = true;
        self
    }

    /// Returns a handle for the test. Keep it until the test's end: the last one checks for abandoned reservations.
    pub fn handle(&self) -> Handle<Req> {
        Handle::new(Arc::clone(&self.core.record))
    }

    fn with(answer: answer::Source<Req, Res>) -> Self {
        let record = Record {
            received: Vec::new(),
            limit: usize::MAX,
            places: Places::default(),
            waiting: Vec::new(),
            allow_abandoned: false,
            handles: 0,
        };
        let core = Core { answer: Shared::new(answer), record: Arc::new(Shared::new(record)) };
        Self { core: Arc::new(core), reserved: false }
    }
}

impl<Req, Res> Service<Req> for StrictMock<Req, Res>
where
    Req: Send + 'static,
{
    type Response = Res;
    type Error = BoxError;
    type Future = ResponseFuture<Res>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        if self.reserved {
            return Poll::Ready(Ok(()));
        }
        let mut record = self.core.record.lock();
        if record.is_full() {
            record.wait(cx.waker());
            return Poll::Pending;
        }
        record.places.reservations += 1;
        self.reserved = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Req) -> ResponseFuture<Res> {
        assert!(self.reserved, "StrictMock was called on a clone that poll_ready did not ready");
        self.reserved = false;
        {
            // The place is in flight before the answer is made, so that it is given back even if that panics.
            let mut record = self.core.record.lock();
            record.places.reservations -= 1;
            record.places.in_flight += 1;
        }
        let place = future::Place::new(Arc::clone(&self.core.record));
        let answer = (self.core.answer.lock())(&request);
        self.core.record.lock().received.push(Received { at: Instant::now(), request });
        ResponseFuture::new(answer, place)
    }
}

impl<Req, Res> Clone for StrictMock<Req, Res> {
    /// Makes a clone without a reservation.
    fn clone(&self) -> Self {
        Self { core: Arc::clone(&self.core), reserved: false }
    }
}

impl<Req, Res> Drop for StrictMock<Req, Res> {
    fn drop(&mut self) {
        if self.reserved {
            let mut record = self.core.record.lock();
            record.places.reservations -= 1;
            record.places.abandoned += 1;
            record.wake();
        }
    }
}

impl<Req, Res> fmt::Debug for StrictMock<Req, Res> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = self.core.record.lock().places;
        f.debug_struct("StrictMock").field("reserved", &self.reserved).field("places", &places).finish_non_exhaustive()
    }
}

impl<Req> Record<Req> {
    fn is_full(&self) -> bool {
        self.places.reservations + self.places.in_flight >= self.limit
    }

    fn wait(&mut self, waker: &Waker) {
        if !self.waiting.iter().any(|waiting| waiting.will_wake(waker)) {
            self.waiting.push(waker.clone());
        }
    }

    /// Wakes everybody who waits: those who still find no place wait again.
    fn wake(&mut self) {
        self.waiting.drain(..).for_each(Waker::wake);
    }
}
