//! The adapter for reqwest's client.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Response};
use redress_classify::{BoxError, TransportError};
use tower_service::Service;

use super::error;

/// reqwest's client as a transport.
///
/// Build the client with `redirect::Policy::none()` when credentials travel in headers of your own: reqwest takes
/// `Authorization` off a redirect to another host, but not `X-Api-Key`. Its own timeouts are reported as timeouts.
///
/// # Examples
/// ```
/// use redress::{RedressLayer, dialects, transport::Reqwest};
/// use tower::Layer;
///
/// let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
/// let service = RedressLayer::new(dialects::veridia()).layer(Reqwest::new(client));
/// # Ok::<(), reqwest::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Reqwest {
    client: reqwest::Client,
}

/// The future of a [`Reqwest`] transport.
pub struct ReqwestFuture {
    inner: Pin<Box<dyn Future<Output = Result<reqwest::Response, reqwest::Error>> + Send>>,
}

impl Reqwest {
    /// Takes a client with its settings.
    #[must_use]
    pub const fn new(client: reqwest::Client) -> Self {
        Self { client }
    }
}

impl fmt::Debug for ReqwestFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReqwestFuture").finish_non_exhaustive()
    }
}

impl<B> Service<Request<B>> for Reqwest
where
    B: http_body::Body + Send + Sync + 'static,
    B::Data: Into<Bytes>,
    B::Error: Into<BoxError>,
{
    type Response = Response<reqwest::Body>;
    type Error = TransportError;
    type Future = ReqwestFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> ReqwestFuture {
        let request = reqwest::Request::try_from(request.map(reqwest::Body::wrap));
        let client = self.client.clone();
        ReqwestFuture { inner: Box::pin(async move { client.execute(request?).await }) }
    }
}

impl Future for ReqwestFuture {
    type Output = Result<Response<reqwest::Body>, TransportError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let result = ready!(self.inner.as_mut().poll(cx));
        Poll::Ready(result.map(Into::into).map_err(transport_error))
    }
}

/// Takes the URL out of reqwest's error, since its query may hold secrets, and finds out how far the request got.
fn transport_error(error: reqwest::Error) -> TransportError {
    let error = error.without_url();
    if error.is_connect() || error.is_builder() {
        TransportError::connect(error)
    } else if error.is_timeout() {
        TransportError::timeout(error)
    } else if error.is_body() {
        TransportError::body(error)
    } else {
        error::of_sending(error)
    }
}
