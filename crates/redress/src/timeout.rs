//! The attempt timeout: how long one attempt may take until its response begins.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::Request;
use pin_project_lite::pin_project;
use redress_classify::{BoxError, CloneBody, Progress, TransportError, saturating};
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

pin_project! {
    pub(crate) struct ResponseFuture<F> {
        #[pin]
        inner: F,
        #[pin]
        sleep: Option<Sleep>,
        timeout: Option<Duration>,
        // `None` for a buffered body, whose progress is not visible.
        progress: Option<Progress>,
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
        let timeout = request.extensions().get::<AttemptTimeout>().map_or(self.timeout, |own| own.0);
        let progress = if timeout.is_some() { request.body().progress() } else { None };
        ResponseFuture { inner: self.inner.call(request), sleep: None, timeout, progress }
    }
}

impl<F, T, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<T, E>>,
    E: Into<BoxError>,
{
    type Output = Result<T, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Poll::Ready(result) = this.inner.poll(cx) {
            return Poll::Ready(result.map_err(Into::into));
        }
        let Some(timeout) = *this.timeout else { return Poll::Pending };
        if this.sleep.is_none() {
            this.sleep.set(Some(tokio::time::sleep(timeout)));
        }
        let mut sleep = this.sleep.as_pin_mut().expect("the sleep was set above");
        loop {
            ready!(sleep.as_mut().poll(cx));
            let last = this.progress.as_ref().and_then(Progress::last);
            match last.map(|last| saturating::add(last, timeout)).filter(|end| *end > Instant::now()) {
                Some(end) => sleep.as_mut().reset(end),
                None => break,
            }
        }
        Poll::Ready(Err(TransportError::timeout_after(timeout).into()))
    }
}
