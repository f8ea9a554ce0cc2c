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
/// It follows no redirects: reqwest takes `Authorization` off a redirect to another host, but no `ApiKey` or `X-Api-Key`,
/// and a failure behind a redirect looks like one before the request was sent. Its own timeouts are reported as timeouts.
///
/// # Examples
/// ```
/// use redress::{RedressLayer, dialects, transport::Reqwest};
/// use tower::Layer;
///
/// let transport = Reqwest::new(reqwest::Client::builder().user_agent("my-service/1"))?;
/// let service = RedressLayer::new(dialects::veridia()).layer(transport);
/// # Ok::<(), reqwest::Error>(())
/// ```
#[derive(Clone)]
pub struct Reqwest {
    client: reqwest::Client,
    may_redirect: bool,
}

/// The future of a [`Reqwest`] transport.
pub struct ReqwestFuture {
    inner: Pin<Box<dyn Future<Output = Result<reqwest::Response, TransportError>> + Send>>,
}

impl Reqwest {
    /// Builds a client with these settings that follows no redirects.
    ///
    /// # Errors
    /// When reqwest cannot build the client: see [`reqwest::ClientBuilder::build`].
    pub fn new(builder: reqwest::ClientBuilder) -> reqwest::Result<Self> {
        let client = builder.redirect(reqwest::redirect::Policy::none()).build()?;
        Ok(Self { client, may_redirect: false })
    }

    /// Takes a client that may follow redirects: credentials in headers of your own then follow them too, and no failure
    /// is proof that a request was not sent.
    #[must_use]
    pub const fn following_redirects(client: reqwest::Client) -> Self {
        Self { client, may_redirect: true }
    }
}

/// A client's own `Debug` prints its default headers, which may be secret.
impl fmt::Debug for Reqwest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reqwest").finish_non_exhaustive()
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

    fn call(&mut self, mut request: Request<B>) -> ReqwestFuture {
        error::without_user(request.uri_mut());
        let Self { client, may_redirect } = self.clone();
        let is_absolute = error::of_uri(request.uri());
        let request = reqwest::Request::try_from(request.map(reqwest::Body::wrap));
        ReqwestFuture {
            inner: Box::pin(async move {
                is_absolute?;
                let request = request.map_err(|error| TransportError::request(error.without_url()))?;
                client.execute(request).await.map_err(|error| transport_error(error, may_redirect))
            }),
        }
    }
}

impl Future for ReqwestFuture {
    type Output = Result<Response<reqwest::Body>, TransportError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let result = ready!(self.inner.as_mut().poll(cx));
        Poll::Ready(result.map(Into::into))
    }
}

/// Finds out how far a request got. The URL is taken out of the error, since its query may hold secrets.
fn transport_error(error: reqwest::Error, may_redirect: bool) -> TransportError {
    let error = error.without_url();
    if error.is_builder() {
        TransportError::request(error)
    } else if error.is_connect() && !may_redirect {
        TransportError::connect(error)
    } else if error.is_timeout() {
        TransportError::timeout(error)
    } else if error.is_body() {
        TransportError::body(error)
    } else if may_redirect {
        TransportError::other(error)
    } else {
        error::of_sending(error)
    }
}
