//! The attempt timeout: how long one attempt may take until its response begins.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::Request;
use pin_project_lite::pin_project;
use redress_classify::straight::extension;
use redress_classify::{BoxError, CloneBody, Deadline, Progress, TransportError, saturating};
use tokio::time::{Instant, Sleep};
use tower_service::Service;

/// A request extension: how long each attempt of this call may take until its response begins.
///
/// It takes the place of the stack's [attempt timeout](crate::RedressLayer::attempt_timeout), be it shorter or longer, and
/// counts as that does. The deadline of the call still counts.
///
/// # Examples
/// A report that the server takes minutes to begin:
/// ```
/// use std::time::Duration;
///
/// use http::{Request, Response};
/// use redress::{AttemptTimeout, RedressLayer, dialects};
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let slow = service_fn(|_: Request<String>| async {
///     tokio::time::sleep(Duration::from_secs(200)).await;
///     Ok::<_, std::io::Error>(Response::new(String::new()))
/// });
/// let service = RedressLayer::new(dialects::generic()).layer(slow);
/// let report = Request::get("https://api.example/report").extension(AttemptTimeout::new(Duration::from_secs(300)));
/// assert_eq!(service.oneshot(report.body(String::new())?).await?.status(), 200);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AttemptTimeout(Option<Duration>);

/// Cuts an attempt whose response does not begin in time, counted from the last progress of the request's body.
///
/// It sits right above the transport. Unlike tower's `Timeout` it makes no timer for a response that is there at once, and
/// its error states that the request may have been processed.
#[derive(Clone, Debug)]
pub(crate) struct TimedAttempts<S> {
    inner: S,
    timeout: Option<Duration>,
}

/// How long one attempt may take.
pub(crate) struct AttemptLimit {
    timeout: Option<Duration>,
    /// `None` for a buffered body, whose progress is not visible.
    progress: Option<Progress>,
}

pin_project! {
    /// The one timer of an attempt and of its call. It is made by the first poll that is pending.
    pub(crate) struct Timer {
        #[pin]
        sleep: Option<Sleep>,
    }
}

/// The time that has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimeOut {
    /// That of the attempt.
    Attempt,
    /// The deadline of the call.
    Call,
}

pin_project! {
    pub(crate) struct ResponseFuture<F> {
        #[pin]
        inner: F,
        #[pin]
        timer: Timer,
        limit: AttemptLimit,
        // The time of the first poll that was pending.
        sent: Option<Instant>,
    }
}

impl AttemptTimeout {
    /// Cuts an attempt whose response does not begin within this time.
    #[must_use]
    pub const fn new(timeout: Duration) -> Self {
        Self(Some(timeout))
    }

    /// Cuts no attempt, such as for long polling.
    #[must_use]
    pub const fn unlimited() -> Self {
        Self(None)
    }
}

impl<S> TimedAttempts<S> {
    pub(crate) const fn new(inner: S, timeout: Option<Duration>) -> Self {
        Self { inner, timeout }
    }
}

impl AttemptLimit {
    /// Returns the limit of a request: its own, or else that of the stack.
    #[inline]
    pub(crate) fn new<B: CloneBody>(request: &Request<B>, timeout: Option<Duration>) -> Self {
        let timeout = extension::<AttemptTimeout>(request.extensions()).map_or(timeout, |own| own.0);
        let progress = if timeout.is_some() { request.body().progress() } else { None };
        Self { timeout, progress }
    }

    /// Returns when an attempt ends that was sent at this time, if it makes no more progress; `None` without a limit.
    pub(crate) fn end(&self, sent: Instant) -> Option<Instant> {
        let last = self.progress.as_ref().and_then(Progress::last);
        self.timeout.map(|timeout| saturating::add(last.map_or(sent, |last| last.max(sent)), timeout))
    }

    /// Returns the error of an attempt that has taken too long.
    pub(crate) fn error(&self) -> BoxError {
        TransportError::timeout_after(self.timeout.unwrap_or_default()).into()
    }
}

impl Timer {
    pub(crate) const fn new() -> Self {
        Self { sleep: None }
    }

    /// Waits for the end of the attempt or for the deadline of its call, whichever is earlier. `end` returns the former, which
    /// moves with the progress of the request. If both have passed, the attempt has timed out.
    pub(crate) fn poll(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        end: impl Fn() -> Option<Instant>,
        deadline: Option<Deadline>,
    ) -> Poll<TimeOut> {
        let mut sleep = self.project().sleep;
        let deadline = deadline.map(Deadline::instant);
        let next = |end: Option<Instant>| end.into_iter().chain(deadline).min();
        if sleep.is_none() {
            sleep.set(next(end()).map(tokio::time::sleep_until));
        }
        while let Some(mut current) = sleep.as_mut().as_pin_mut() {
            ready!(current.as_mut().poll(cx));
            let (now, end) = (Instant::now(), end());
            if end.is_some_and(|end| end <= now) {
                return Poll::Ready(TimeOut::Attempt);
            }
            if deadline.is_some_and(|deadline| deadline <= now) {
                return Poll::Ready(TimeOut::Call);
            }
            match next(end) {
                Some(at) => current.reset(at),
                None => sleep.set(None),
            }
        }
        Poll::Pending
    }
}

impl<S, B> Service<Request<B>> for TimedAttempts<S>
where
    S: Service<Request<B>>,
    S::Error: Into<BoxError>,
    B: CloneBody,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let limit = AttemptLimit::new(&request, self.timeout);
        ResponseFuture { inner: self.inner.call(request), timer: Timer::new(), limit, sent: None }
    }
}

impl<F, T, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<T, E>>,
    E: Into<BoxError>,
{
    type Output = Result<T, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Poll::Ready(result) = this.inner.poll(cx) {
            return Poll::Ready(result.map_err(Into::into));
        }
        if this.limit.timeout.is_none() {
            return Poll::Pending;
        }
        let sent = *this.sent.get_or_insert_with(Instant::now);
        ready!(this.timer.poll(cx, || this.limit.end(sent), None));
        Poll::Ready(Err(this.limit.error()))
    }
}
