//! A client with middleware as a transport.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use redress::transport::Reqwest;
use redress::{BoxError, TransportError};
use reqwest::Body;
use reqwest_middleware::ClientWithMiddleware;
use tower::Service;

use super::transport_error;

/// A `reqwest_middleware::ClientWithMiddleware` as the transport below a stack: its middlewares see each attempt.
///
/// A request is held to its URI as by `redress::transport::Reqwest`, until a middleware changes its URL.
///
/// # Errors
/// Those of `redress::transport::Reqwest` for errors of reqwest. The error of a middleware counts as maybe processed.
///
/// # Cancel safety
/// Dropping the future drops the request.
///
/// # Examples
/// ```
/// use redress::{RedressLayer, dialects, transport::Reqwest};
/// use redress_hosts::MiddlewareTransport;
/// use reqwest_middleware::ClientBuilder;
/// use tower::Layer;
///
/// # fn main() -> Result<(), reqwest::Error> {
/// let client = ClientBuilder::new(Reqwest::client_builder().build()?).build();
/// let transport = MiddlewareTransport::new(client).without_redirects();
/// let stack = RedressLayer::new(dialects::generic()).layer(transport);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct MiddlewareTransport {
    client: ClientWithMiddleware,
    may_redirect: bool,
}

impl MiddlewareTransport {
    /// Wraps a client that may follow redirects, so that no failure of it proves that a request was not sent.
    #[must_use]
    pub const fn new(client: ClientWithMiddleware) -> Self {
        Self { client, may_redirect: true }
    }

    /// States that the client follows no redirects, so that its failures tell which requests were not sent.
    #[must_use]
    pub const fn without_redirects(mut self) -> Self {
        self.may_redirect = false;
        self
    }
}

/// Opaque: a client's own `Debug` prints its default headers, which may be secret.
impl fmt::Debug for MiddlewareTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MiddlewareTransport").finish_non_exhaustive()
    }
}

impl<B> Service<http::Request<B>> for MiddlewareTransport
where
    B: http_body::Body + Send + Sync + 'static,
    B::Data: Into<Bytes>,
    B::Error: Into<BoxError>,
{
    type Response = http::Response<Body>;
    type Error = TransportError;
    type Future = Pin<Box<dyn Future<Output = Result<http::Response<Body>, TransportError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let Self { client, may_redirect } = self.clone();
        Box::pin(async move {
            let request = Reqwest::convert_request(request.map(Body::wrap))?;
            let result = client.execute(request).await;
            result.map(Into::into).map_err(|error| transport_error(error, may_redirect))
        })
    }
}
