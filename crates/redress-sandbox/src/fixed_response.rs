//! A service that always returns the same response.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower_service::Service;

/// A service that is always ready and returns the same 200 response without waiting.
///
/// It measures the cost of the layers above it: a call allocates nothing, and its future is ready at the first poll. The
/// response has no headers, so a layer that looks for hints finds none.
///
/// # Examples
///
/// ```
/// use bytes::Bytes;
/// use http::Request;
/// use redress_sandbox::FixedResponse;
/// use tower_service::Service;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let mut transport = FixedResponse::new(Bytes::from_static(b"{}"));
/// assert_eq!(transport.call(Request::new("any body type")).await.unwrap().status(), 200);
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct FixedResponse {
    body: Bytes,
}

impl FixedResponse {
    /// Creates a service whose responses have this body.
    pub const fn new(body: Bytes) -> Self {
        Self { body }
    }
}

impl<B> Service<Request<B>> for FixedResponse {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        drop(request);
        ready(Ok(Response::new(Full::new(self.body.clone()))))
    }
}
