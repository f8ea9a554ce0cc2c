//! The stack as a middleware.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use async_trait::async_trait;
use http::Extensions;
use redress::transport::Reqwest;
use redress::{RedressLayer, TransportError};
use reqwest::{Body, Request, Response};
use reqwest_middleware::{Error, Middleware, Next, Result};
use tower::{Layer, Service, ServiceExt};

use super::body::MiddlewareBody;
use super::transport_error;
use crate::reqwest::{to_http, to_response};

/// A stack as a middleware of a `reqwest_middleware::ClientWithMiddleware`.
///
/// Add it last: it is then the innermost, right above the client, and the middlewares above it see one call. A middleware
/// below it sees each attempt, as one that signs requests must. Remove `reqwest-retry`, which would multiply the attempts.
///
/// All requests of a client share budgets, cool-downs and credentials, and so do all clients that get a clone.
///
/// A [`Deadline`](redress::Deadline), an [`Idempotent`](redress::Idempotent) or another extension of redress is set by
/// `RequestBuilder::with_extension`. The extensions of the chain are there in each attempt, and a value that a middleware
/// below inserts stays for the next attempt and for those above.
///
/// # Errors
/// An error response goes up as it came. Without a response the result is `Error::Middleware`, which can be downcast to
/// [`redress::Error`].
///
/// # Cancel safety
/// That of [`Redress`](redress::Redress).
///
/// # Examples
/// ```
/// use redress::{RedressLayer, dialects, transport::Reqwest};
/// use redress_hosts::RedressMiddleware;
/// use reqwest_middleware::ClientBuilder;
///
/// # fn main() -> Result<(), reqwest::Error> {
/// let redress = RedressMiddleware::new(RedressLayer::new(dialects::generic())).without_redirects();
/// let client = ClientBuilder::new(Reqwest::client_builder().build()?).with(redress).build();
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct RedressMiddleware {
    layer: RedressLayer,
    may_redirect: bool,
}

impl RedressMiddleware {
    /// Wraps a layer, over a client that may follow redirects, as reqwest's default does.
    ///
    /// A failure of such a client never proves that a request was not sent, so that a `POST` whose connection was refused is
    /// not repeated. See [`without_redirects`](Self::without_redirects).
    #[must_use]
    pub const fn new(layer: RedressLayer) -> Self {
        Self { layer, may_redirect: true }
    }

    /// States that the client below follows no redirects. A request that got no connection was then not sent, and is sent
    /// again whatever its method.
    ///
    /// `redress::transport::Reqwest::client_builder()` has redirects off.
    #[must_use]
    pub const fn without_redirects(mut self) -> Self {
        self.may_redirect = false;
        self
    }
}

#[async_trait]
impl Middleware for RedressMiddleware {
    async fn handle(&self, request: Request, extensions: &mut Extensions, next: Next<'_>) -> Result<Response> {
        let url = request.url().clone();
        let (mut parts, body) = to_http(request).map_err(Error::middleware)?.into_parts();
        parts.extensions.extend(extensions.clone());
        let body = MiddlewareBody::new(body).await.map_err(Error::middleware)?;
        let shared = SharedExtensions::default();
        shared.put(std::mem::take(extensions));
        let attempts = Attempts { next, extensions: shared.clone(), may_redirect: self.may_redirect };
        let result = self.layer.layer(attempts).oneshot(http::Request::from_parts(parts, body)).await;
        *extensions = shared.take();
        result.map(|response| to_response(response, url)).map_err(Error::middleware)
    }
}

/// The rest of the chain as a service, which each attempt calls.
#[derive(Clone)]
struct Attempts<'a> {
    next: Next<'a>,
    extensions: SharedExtensions,
    may_redirect: bool,
}

impl<'a> Service<http::Request<MiddlewareBody>> for Attempts<'a> {
    type Response = http::Response<Body>;
    type Error = TransportError;
    type Future = Pin<Box<dyn Future<Output = std::result::Result<Self::Response, TransportError>> + Send + 'a>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<std::result::Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<MiddlewareBody>) -> Self::Future {
        let Self { next, extensions, may_redirect } = self.clone();
        Box::pin(async move {
            let request = Reqwest::convert_request(request.map(Body::from))?;
            let mut borrowed = Borrowed { extensions: extensions.take(), lender: extensions };
            let result = next.run(request, &mut borrowed.extensions).await;
            result.map(Into::into).map_err(|error| transport_error(error, may_redirect))
        })
    }
}

/// The extensions of the chain, which one attempt at a time borrows.
#[derive(Clone, Default)]
struct SharedExtensions(Arc<Mutex<Extensions>>);

impl SharedExtensions {
    fn take(&self) -> Extensions {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn put(&self, extensions: Extensions) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = extensions;
    }
}

/// Puts the extensions back when an attempt ends or is dropped.
struct Borrowed {
    extensions: Extensions,
    lender: SharedExtensions,
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        self.lender.put(std::mem::take(&mut self.extensions));
    }
}
