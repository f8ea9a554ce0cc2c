//! A mock [`Service`] that panics when its caller breaks the contract of the trait.
//!
//! A service for which `poll_ready` returned `Ready` holds a **reservation** until its next `call`. Many services hold a
//! resource for it, such as a semaphore permit or a connection, and run out of them if a layer forgets a readied clone.
//! [`StrictMock`] detects these mistakes:
//!
//! | mistake | result |
//! |---|---|
//! | `call` on a clone for which `poll_ready` did not return `Ready` | `call` panics |
//! | the response future is polled after it completed | `poll` panics |
//! | a readied clone is dropped without a call | [`Handle::abandoned`] counts it, and the last [`Handle`] panics when it is dropped |
//! | a reservation or a call in flight is left over | [`Handle::assert_idle`] panics |
//!
//! The panic for an abandoned reservation is delayed to the end of the test. A panic inside `drop` would unwind through the
//! layer under test. Some layers also drop a readied clone on purpose, because they must wait and must not hold a
//! reservation meanwhile. [`StrictMock::allow_abandoned`] turns the panic off for them; the count remains. A thread that is already
//! panicking does not panic again.
//!
//! Calling `poll_ready` again after `Ready` is legal, as in tower, and makes no second reservation. Dropping a reservation or
//! a response future frees its slot under the [`limit`](StrictMock::limit).
//!
//! # Comparison with `tower_test::mock`
//!
//! `tower_test::mock::Mock` panics in `call` without readiness, too. It reports neither abandoned reservations nor cancelled
//! calls, and the test must answer each request by hand, in the right order with the code under test. `StrictMock` answers
//! from a closure or a script, and records the tokio instant of each call.

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

/// A scripted [`Service`] that checks the contract. Clones share the script, the recorded requests and the limit.
///
/// Every request is kept with the tokio instant of its call, and the test reads it through the [`Handle`]. The closure that
/// answers borrows the request for this reason.
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

/// State shared by all clones of a mock.
struct Core<Req, Res> {
    answer: Shared<answer::Source<Req, Res>>,
    state: Arc<Shared<State<Req>>>,
}

/// The recorded requests, and the slots in use. Shared by the mock and its handles.
pub(crate) struct State<Req> {
    received: Vec<Received<Req>>,
    limit: usize,
    slots: Slots,
    waiting: Vec<Waker>,
    allow_abandoned: bool,
    handles: usize,
}

/// The number of slots in use, and the number of slots freed without a response.
#[derive(Debug, Default, Clone, Copy)]
struct Slots {
    reservations: usize,
    in_flight: usize,
    abandoned: usize,
    cancelled: usize,
}

impl<Req, Res> StrictMock<Req, Res> {
    /// Creates a mock that answers each request with the future that `answer` returns, without a limit.
    ///
    /// `answer` runs inside `call`, one call at a time, and may keep state between calls.
    ///
    /// # Examples
    ///
    /// ```
    /// use redress_sandbox::strict_mock::StrictMock;
    /// use tower::ServiceExt;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let mut calls = 0;
    /// let mock = StrictMock::new(move |_: &&str| {
    ///     calls += 1;
    ///     let result = if calls == 1 { Err("connection reset".into()) } else { Ok(calls) };
    ///     async move { result }
    /// });
    /// assert!(mock.clone().oneshot("first").await.is_err());
    /// assert_eq!(mock.oneshot("second").await.unwrap(), 2);
    /// # }
    /// ```
    pub fn new<F, Fut>(mut answer: F) -> Self
    where
        F: FnMut(&Req) -> Fut + Send + 'static,
        Fut: Future<Output = Result<Res, BoxError>> + Send + 'static,
    {
        Self::with(Box::new(move |request| Box::pin(answer(request))))
    }

    /// Creates a mock that returns these answers, one per call, in order.
    ///
    /// # Panics
    ///
    /// `call` panics when no answer is left, so a test also fails on one request too many.
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
    /// let mock = StrictMock::scripted([
    ///     Answer::error("connection reset"),
    ///     Answer::ok("late").after(Duration::from_secs(3)),
    /// ]);
    /// let handle = mock.handle();
    ///
    /// assert!(mock.clone().oneshot(1).await.is_err());
    /// assert_eq!(mock.oneshot(2).await.unwrap(), "late");
    /// assert_eq!(handle.requests(), [1, 2]);
    /// # }
    /// ```
    pub fn scripted(answers: impl IntoIterator<Item = Answer<Res>>) -> Self
    where
        Res: Send + 'static,
    {
        let mut answers: VecDeque<Answer<Res>> = answers.into_iter().collect();
        Self::with(Box::new(move |_| match answers.pop_front() {
            Some(answer) => Box::pin(answer.wait()),
            None => panic!("StrictMock received a call, but its scripted answers have run out"),
        }))
    }

    /// Sets the maximum number of reservations and calls in flight, taken together. Default: no limit.
    ///
    /// At the limit `poll_ready` is pending. With zero it stays pending until [`Handle::set_limit`] raises the limit.
    ///
    /// # Examples
    ///
    /// ```
    /// use redress_sandbox::strict_mock::{Answer, StrictMock};
    /// use tower::ServiceExt;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let mock = StrictMock::scripted([Answer::ok(())]).limit(0);
    /// let handle = mock.handle();
    /// let call = tokio::spawn(mock.oneshot("request"));
    ///
    /// tokio::task::yield_now().await;
    /// assert_eq!(handle.calls(), 0, "the service is not ready");
    ///
    /// handle.set_limit(1);
    /// call.await.unwrap().unwrap();
    /// assert_eq!(handle.calls(), 1);
    /// # }
    /// ```
    #[must_use]
    pub fn limit(self, limit: usize) -> Self {
        self.core.state.lock().limit = limit;
        self
    }

    /// Permits dropping a readied clone without a call: the last [`Handle`] does not panic for it.
    ///
    /// For layers that decide after `poll_ready` to wait, such as rate limits. [`Handle::abandoned`] still counts.
    ///
    /// # Examples
    ///
    /// ```
    /// use redress_sandbox::strict_mock::StrictMock;
    /// use tower::{Service, ServiceExt};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let mut mock = StrictMock::<(), ()>::scripted([]).allow_abandoned();
    /// let handle = mock.handle();
    /// mock.ready().await.unwrap();
    /// drop(mock);
    /// assert_eq!(handle.abandoned(), 1);
    /// // Dropping `handle` does not panic.
    /// # }
    /// ```
    #[must_use]
    pub fn allow_abandoned(self) -> Self {
        self.core.state.lock().allow_abandoned = true;
        self
    }

    /// Returns a handle for the test.
    ///
    /// Keep it until the end of the test: dropping the last handle checks for abandoned reservations.
    pub fn handle(&self) -> Handle<Req> {
        Handle::new(Arc::clone(&self.core.state))
    }

    fn with(answer: answer::Source<Req, Res>) -> Self {
        let state = State {
            received: Vec::new(),
            limit: usize::MAX,
            slots: Slots::default(),
            waiting: Vec::new(),
            allow_abandoned: false,
            handles: 0,
        };
        let core = Core { answer: Shared::new(answer), state: Arc::new(Shared::new(state)) };
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
        let mut state = self.core.state.lock();
        if state.is_full() {
            state.wait(cx.waker());
            return Poll::Pending;
        }
        state.slots.reservations += 1;
        self.reserved = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Req) -> ResponseFuture<Res> {
        assert!(self.reserved, "StrictMock was called on a clone that poll_ready did not ready");
        self.reserved = false;
        {
            // The slot counts as in flight before `answer` runs, so that it is freed even if `answer` panics.
            let mut state = self.core.state.lock();
            state.slots.reservations -= 1;
            state.slots.in_flight += 1;
        }
        let slot = future::InFlight::new(Arc::clone(&self.core.state));
        let answer = (self.core.answer.lock())(&request);
        self.core.state.lock().received.push(Received { at: Instant::now(), request });
        ResponseFuture::new(answer, slot)
    }
}

impl<Req, Res> Clone for StrictMock<Req, Res> {
    /// Returns a clone that holds no reservation, as the contract of `Service` requires.
    fn clone(&self) -> Self {
        Self { core: Arc::clone(&self.core), reserved: false }
    }
}

impl<Req, Res> Drop for StrictMock<Req, Res> {
    fn drop(&mut self) {
        if self.reserved {
            let mut state = self.core.state.lock();
            state.slots.reservations -= 1;
            state.slots.abandoned += 1;
            state.wake();
        }
    }
}

impl<Req, Res> fmt::Debug for StrictMock<Req, Res> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slots = self.core.state.lock().slots;
        f.debug_struct("StrictMock").field("reserved", &self.reserved).field("slots", &slots).finish_non_exhaustive()
    }
}

impl<Req> State<Req> {
    fn is_full(&self) -> bool {
        self.slots.reservations + self.slots.in_flight >= self.limit
    }

    fn wait(&mut self, waker: &Waker) {
        if !self.waiting.iter().any(|waiting| waiting.will_wake(waker)) {
            self.waiting.push(waker.clone());
        }
    }

    /// Wakes all waiting tasks. Those that find no free slot register again.
    fn wake(&mut self) {
        self.waiting.drain(..).for_each(Waker::wake);
    }
}
