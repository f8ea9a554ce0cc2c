//! The layer that makes the body of every request a `ReplayBody`.

use std::task::{Context, Poll};

use http::Request;
use http_body::Body;
use tower_layer::Layer;
use tower_service::Service;

use super::{DEFAULT_LIMIT, ReplayBody};

/// A layer that wraps the body of every request in a [`ReplayBody`], so that any client can use a stack that sends requests
/// again.
///
/// Put it above the layers that clone requests. A client library whose bodies are not [`CloneBody`](crate::CloneBody) then
/// sends its requests through them: the traits of redress cannot be implemented for its types by a third crate. Below the
/// stack the transport gets `Request<ReplayBody<B>>`. One that takes a single type of body needs a conversion between, such
/// as tower's `map_request` with `tonic::body::Body::new`.
///
/// The response is not changed.
///
/// # The limit
/// A streaming body is kept up to 64 KiB, or up to the [`stream_limit`](Self::stream_limit). A body in memory has no limit, and
/// its bytes are not copied: the kept frames share the buffers that the program holds anyway.
///
/// A body counts as being in memory if its [`size_hint`](http_body::Body::size_hint) is exact and each poll so far was ready
/// at once. From the first poll that is pending, the limit applies. A body that reads a file within its poll cannot be told
/// apart, and is kept as a whole: read files in a task, as tokio does, or wrap such a body in a [`ReplayBody`] with a limit,
/// without this layer.
///
/// # Examples
/// ```
/// use std::sync::atomic::{AtomicU32, Ordering};
///
/// use bytes::Bytes;
/// use http::{Request, Response};
/// use http_body_util::combinators::BoxBody;
/// use http_body_util::{BodyExt, Full};
/// use redress_classify::{CloneBody, ReplayBody, ReplayBodyLayer};
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
///
/// /// The body of some client library.
/// type LibraryBody = BoxBody<Bytes, std::convert::Infallible>;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let service = ServiceBuilder::new()
///     .layer(ReplayBodyLayer::new())
///     .service_fn(|request: Request<ReplayBody<LibraryBody>>| async move {
///         let clone = request.body().try_clone().expect("a body in memory can be cloned");
///         assert_eq!(clone.collect().await?.to_bytes(), "hello");
///         Ok::<_, redress_classify::ReplayError>(Response::new(request.collect().await?.to_bytes()))
///     });
/// let body: LibraryBody = Full::from("hello").boxed();
/// assert_eq!(service.oneshot(Request::new(body)).await?.into_body(), "hello");
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ReplayBodyLayer {
    stream_limit: usize,
}

/// The service of a [`ReplayBodyLayer`].
///
/// # Errors
/// Returns those of the inner service.
///
/// # Cancel safety
/// That of the inner service, whose future it returns.
#[derive(Clone, Copy, Debug)]
pub struct ReplayBodies<S> {
    inner: S,
    stream_limit: usize,
}

impl ReplayBodyLayer {
    /// Creates a layer with a limit of 64 KiB for streaming bodies, and none for bodies in memory.
    #[must_use]
    pub const fn new() -> Self {
        Self { stream_limit: DEFAULT_LIMIT }
    }

    /// Sets the limit for streaming bodies in bytes, which are kept in memory for each request in flight. The default is
    /// 64 KiB, as in the linkerd proxy. A longer body is sent once.
    ///
    /// # Examples
    /// ```
    /// use redress_classify::ReplayBodyLayer;
    ///
    /// let layer = ReplayBodyLayer::new().stream_limit(8 << 20);
    /// ```
    #[must_use]
    pub const fn stream_limit(mut self, bytes: usize) -> Self {
        self.stream_limit = bytes;
        self
    }
}

impl Default for ReplayBodyLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for ReplayBodyLayer {
    type Service = ReplayBodies<S>;

    fn layer(&self, inner: S) -> ReplayBodies<S> {
        ReplayBodies { inner, stream_limit: self.stream_limit }
    }
}

impl<S, B> Service<Request<B>> for ReplayBodies<S>
where
    S: Service<Request<ReplayBody<B>>>,
    B: Body,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> S::Future {
        let limit = self.stream_limit;
        self.inner.call(request.map(|body| ReplayBody::with_stream_limit(body, limit)))
    }
}
