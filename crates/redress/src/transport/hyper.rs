//! The adapter for hyper-util's client.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::client::legacy::{Client, Error, ResponseFuture};
use redress_classify::TransportError;
use tower_service::Service;

use super::error;

/// hyper-util's pooling client as a transport.
///
/// Connection failures are [`connect`](TransportError::connect), a stream that an HTTP/2 server refused is
/// [`refused_stream`](TransportError::refused_stream) and so is one whose connection closed before it was written, a
/// connection that broke off is [`body`](TransportError::body), a URI without a host is
/// [`request`](TransportError::request).
///
/// # Examples
/// ```
/// use hyper_util::{client::legacy::Client, rt::TokioExecutor};
/// use redress::{RedressLayer, dialects, transport::Hyper};
/// use tower::Layer;
///
/// # fn stack() -> impl Clone {
/// let transport: Hyper<_, String> = Hyper::new(Client::builder(TokioExecutor::new()).build_http());
/// let service = RedressLayer::new(dialects::verilock()).layer(transport);
/// # service }
/// ```
pub struct Hyper<C, B> {
    client: Client<C, B>,
}

/// The future of a [`Hyper`] transport.
pub struct HyperFuture {
    /// What the client does, or why there is nothing for it to do; `None` once that was said.
    inner: Result<ResponseFuture, Option<TransportError>>,
}

impl<C, B> Hyper<C, B> {
    /// Takes a client with its connector and its settings.
    pub const fn new(client: Client<C, B>) -> Self {
        Self { client }
    }
}

impl<C: Clone, B> Clone for Hyper<C, B> {
    fn clone(&self) -> Self {
        Self { client: self.client.clone() }
    }
}

impl<C, B> fmt::Debug for Hyper<C, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hyper").finish_non_exhaustive()
    }
}

impl fmt::Debug for HyperFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HyperFuture").finish_non_exhaustive()
    }
}

impl<C, B> Service<Request<B>> for Hyper<C, B>
where
    Client<C, B>: Service<Request<B>, Response = Response<Incoming>, Error = Error, Future = ResponseFuture>,
{
    type Response = Response<Incoming>;
    type Error = TransportError;
    type Future = HyperFuture;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.client.poll_ready(cx).map_err(transport_error)
    }

    fn call(&mut self, mut request: Request<B>) -> HyperFuture {
        error::without_user(request.uri_mut());
        HyperFuture { inner: error::of_uri(request.uri()).map_err(Some).map(|()| self.client.call(request)) }
    }
}

impl Future for HyperFuture {
    type Output = Result<Response<Incoming>, TransportError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.inner {
            Ok(inner) => Poll::Ready(ready!(Pin::new(inner).poll(cx)).map_err(transport_error)),
            Err(refused) => Poll::Ready(Err(refused.take().expect("a future is not polled after its end"))),
        }
    }
}

fn transport_error(error: Error) -> TransportError {
    if error.is_connect() { TransportError::connect(error) } else { error::of_sending(error) }
}
