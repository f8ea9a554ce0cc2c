//! The whole stack as one service.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{Request, Response};
use pin_project_lite::pin_project;
use redress_backoff::Backoff;
use redress_classify::{Body, BoxError, Classify, CloneBody, Error};
use redress_pace::Pace;
use redress_refresh::Refresh;
use tower_service::Service;

use crate::timeout::TimedAttempts;

/// The layers of redress over a transport.
///
/// Opaque, so that adding a layer is not a breaking change.
///
/// # Errors
/// Returns an [`Error`] if no response came. A response is `Ok` whatever its status:
/// [`ok_or_api_error`](redress_classify::ResponseExt::ok_or_api_error) turns an error response into an error.
///
/// # Cancel safety
/// Dropping the future drops the attempt in flight, or its place in a queue, and sends nothing more. A token refresh that it
/// started goes on for the other calls.
///
/// # Examples
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU32, Ordering};
///
/// use http::{Request, Response};
/// use redress::{Redress, RedressLayer, ResponseExt, dialects};
/// use tower::{Layer, Service, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let sent = Arc::new(AtomicU32::new(0));
/// let transport = service_fn(move |_: Request<String>| {
///     let status = if sent.fetch_add(1, Ordering::Relaxed) == 0 { 503 } else { 200 };
///     async move { Response::builder().status(status).body(String::new()) }
/// });
/// let mut service: Redress<_> = RedressLayer::new(dialects::generic()).layer(transport);
/// let response = service.ready().await?.call(Request::get("https://api.example/").body(String::new())?).await?;
/// assert_eq!(response.status(), 200);
/// assert_eq!(response.record().expect("it was sent twice").attempts().len(), 2);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Redress<S> {
    stack: Stack<S>,
}

type Stack<S> = Backoff<Below<S>>;
type Below<S> = Pace<Refresh<Classify<TimedAttempts<S>>>>;

pin_project! {
    /// The future of a [`Redress`] service.
    pub struct ResponseFuture<S, B>
    where
        S: Service<Request<B>>,
        Below<S>: Service<Request<B>>,
    {
        #[pin]
        inner: redress_backoff::ResponseFuture<Below<S>, B>,
    }
}

impl<S> Redress<S> {
    pub(crate) const fn new(stack: Stack<S>) -> Self {
        Self { stack }
    }
}

impl<S> fmt::Debug for Redress<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redress").finish_non_exhaustive()
    }
}

impl<S, B> fmt::Debug for ResponseFuture<S, B>
where
    S: Service<Request<B>>,
    Below<S>: Service<Request<B>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

impl<S, B, R> Service<Request<B>> for Redress<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
    B: CloneBody,
    R: http_body::Body + Unpin,
    R::Error: Into<BoxError>,
{
    type Response = Response<Body<R>>;
    type Error = Error;
    type Future = ResponseFuture<S, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.stack.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ResponseFuture { inner: self.stack.call(request) }
    }
}

impl<S, B, R> Future for ResponseFuture<S, B>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
    B: CloneBody,
    R: http_body::Body + Unpin,
    R::Error: Into<BoxError>,
{
    type Output = Result<Response<Body<R>>, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().inner.poll(cx)
    }
}
