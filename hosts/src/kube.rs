//! The stack as a layer of kube's own one.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use hyper_util::client::legacy::Error as ClientError;
use kube_client::client::Body;
use redress::{BoxError, CloneBody, Error, Redress, RedressLayer, TransportError};
use tower::buffer::Buffer;
use tower::buffer::future::ResponseFuture as BufferFuture;
use tower::{Layer, Service};

/// The stack as a layer for `kube::client::ClientBuilder::with_layer`, over the service that kube makes of a `Config`.
///
/// That service holds kube's TLS, authentication and base URL, and cannot be cloned: a buffer lies between, as kube puts one
/// above. Set `Config::default_retry` to `false`, or kube's own retries lie below and multiply the attempts.
///
/// Over a transport of your own no adapter is needed: `ReplayBodyLayer` over `RedressLayer` makes a service for
/// `kube::Client::new`.
///
/// # Errors
/// An error response goes up as it came, and kube makes a `kube::Error::Api` of it. Without a response the error is
/// `kube::Error::Service`, which can be downcast to [`redress::Error`].
///
/// # Cancel safety
/// That of [`Redress`]. A request that was dropped while it is in the buffer is not sent.
///
/// # Panics
/// [`layer`](Layer::layer) spawns a task, and panics outside of a tokio runtime, as `kube::Client::new` does.
///
/// # Examples
/// ```no_run
/// use kube_client::{Config, client::ClientBuilder};
/// use redress::{RedressLayer, dialects};
/// use redress_hosts::KubeLayer;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut config = Config::infer().await?;
/// config.default_retry = false;
/// let redress = KubeLayer::new(RedressLayer::new(dialects::kubernetes()));
/// let client = ClientBuilder::try_from(config)?.with_layer(&redress).build();
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct KubeLayer {
    redress: RedressLayer,
}

/// The service of a [`KubeLayer`].
pub struct KubeService<F> {
    stack: Redress<Transport<F>>,
}

/// The future of a [`KubeService`].
pub type KubeFuture<R> = Pin<Box<dyn Future<Output = Result<Response<redress::Body<R>>, Error>> + Send>>;

/// The number of requests that the buffer holds: as many as kube's own.
const BUFFERED: usize = 1024;

impl KubeLayer {
    /// Wraps a layer.
    #[must_use]
    pub const fn new(redress: RedressLayer) -> Self {
        Self { redress }
    }
}

impl<S> Layer<S> for KubeLayer
where
    S: Service<Request<Body>> + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<BoxError> + Send + Sync,
{
    type Service = KubeService<S::Future>;

    fn layer(&self, inner: S) -> Self::Service {
        KubeService { stack: self.redress.layer(Transport { buffer: Buffer::new(inner, BUFFERED) }) }
    }
}

impl<F: Send + 'static> Clone for KubeService<F> {
    fn clone(&self) -> Self {
        Self { stack: self.stack.clone() }
    }
}

impl<F> fmt::Debug for KubeService<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KubeService").finish_non_exhaustive()
    }
}

impl<F, R, E> Service<Request<Body>> for KubeService<F>
where
    F: Future<Output = Result<Response<R>, E>> + Send + 'static,
    E: Into<BoxError> + 'static,
    R: http_body::Body + Unpin + Send + 'static,
    R::Data: Send,
    R::Error: Into<BoxError> + Send,
{
    type Response = Response<redress::Body<R>>;
    type Error = Error;
    type Future = KubeFuture<R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.stack.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.stack.call(request.map(RequestBody)))
    }
}

/// A body of kube as one that can be cloned: all bodies of its requests are in memory.
struct RequestBody(Body);

impl CloneBody for RequestBody {
    fn try_clone(&self) -> Option<Self> {
        self.0.try_clone().map(Self)
    }
}

/// kube's service, which takes its own type of body, behind a buffer.
struct Transport<F> {
    buffer: Buffer<Request<Body>, F>,
}

impl<F: Send + 'static> Clone for Transport<F> {
    fn clone(&self) -> Self {
        Self { buffer: self.buffer.clone() }
    }
}

impl<F, R, E> Service<Request<RequestBody>> for Transport<F>
where
    F: Future<Output = Result<Response<R>, E>> + Send + 'static,
    E: Into<BoxError> + 'static,
{
    type Response = Response<R>;
    type Error = BoxError;
    type Future = TransportFuture<F>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.buffer.poll_ready(cx)
    }

    fn call(&mut self, request: Request<RequestBody>) -> Self::Future {
        TransportFuture { inner: Box::pin(self.buffer.call(request.map(|body| body.0))) }
    }
}

struct TransportFuture<F> {
    inner: Pin<Box<BufferFuture<F>>>,
}

impl<F, R, E> Future for TransportFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    E: Into<BoxError>,
{
    type Output = Result<Response<R>, BoxError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(ready!(self.inner.as_mut().poll(cx)).map_err(with_phase))
    }
}

/// Marks the error of a connection that was not made: the request was not sent.
fn with_phase(error: BoxError) -> BoxError {
    match error.downcast::<ClientError>() {
        Ok(error) if error.is_connect() => TransportError::connect(error).into(),
        Ok(error) => error,
        Err(error) => error,
    }
}
