//! A transport that costs nothing.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower_service::Service;

/// A transport that is always ready and answers at once: 200, no headers, one and the same body.
///
/// It is there to count what the layers above it cost: a call allocates nothing, and its future is ready at the first
/// poll.
///
/// # Examples
///
/// ```
/// use bytes::Bytes;
/// use http::Request;
/// use redress_sandbox::AtOnce;
/// use tower_service::Service;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let mut transport = AtOnce::new(Bytes::from_static(b"{}"));
/// assert_eq!(transport.call(Request::new("anything")).await.unwrap().status(), 200);
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct AtOnce {
    body: Bytes,
}

impl AtOnce {
    /// Answers with this body.
    pub const fn new(body: Bytes) -> Self {
        Self { body }
    }
}

impl<B> Service<Request<B>> for AtOnce {
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
