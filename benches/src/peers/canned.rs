//! reqwest-middleware with reqwest-retry, and at its end a middleware that answers itself in place of reqwest's client.

use std::task::{Context, Poll, Waker};
use std::{future::Future, pin::pin};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Extensions, Response};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Middleware, Next};
use reqwest_retry::RetryTransientMiddleware;
use reqwest_retry::policies::ExponentialBackoff;

use crate::requests::Kind;

/// Answers with one and the same body.
struct Canned(Bytes);

#[async_trait]
impl Middleware for Canned {
    async fn handle(
        &self,
        request: reqwest::Request,
        _: &mut Extensions,
        _: Next<'_>,
    ) -> reqwest_middleware::Result<reqwest::Response> {
        drop(request);
        Ok(Response::new(self.0.clone()).into())
    }
}

/// Makes a client that tries three times more, as the documentation of reqwest-retry shows it.
#[must_use]
pub fn client() -> ClientWithMiddleware {
    let policy = ExponentialBackoff::builder().build_with_max_retries(3);
    ClientBuilder::new(reqwest::Client::new())
        .with(RetryTransientMiddleware::new_with_policy(policy))
        .with(Canned(Bytes::from_static(b"{}")))
        .build()
}

/// Returns a request as reqwest's.
///
/// # Panics
/// Never: the URI is absolute.
#[must_use]
pub fn reqwest(kind: Kind) -> reqwest::Request {
    let (parts, _) = kind.request().into_parts();
    http::Request::from_parts(parts, Bytes::from_static(b"{}")).try_into().expect("an absolute URI")
}

/// Sends a request by a client that answers at once.
///
/// # Panics
/// When it does not, or fails.
pub fn send(client: &ClientWithMiddleware, request: reqwest::Request) -> reqwest::Response {
    match pin!(client.execute(request)).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(response) => response.expect("the client answers"),
        Poll::Pending => panic!("the client answers at once"),
    }
}
