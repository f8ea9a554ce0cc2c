//! The service that async-openai's client sends its requests through.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use async_openai::error::OpenAIError;
use async_openai::middleware::HttpRequestFactory;
use bytes::Bytes;
use redress::{BoxError, Error, ReplayBody};
use reqwest::Body;
use tower::Service;

use crate::send;

/// A stack as the service of an `async_openai::Client`, for its `with_http_service`.
///
/// It takes the place of async-openai's own retries, which are a layer of the service that it replaces. Each call builds
/// its request once, and the stack sends clones. A body in memory, as that of each JSON request, is cloned whatever its size.
/// An upload, which streams, is cloned up to 64 KiB and sent once if it is longer.
///
/// # Errors
/// An error of the stack is `OpenAIError::Boxed`, and can be downcast to [`redress::Error`]. An error response goes up as
/// it came, and async-openai reads it.
///
/// # Cancel safety
/// That of [`Redress`](redress::Redress).
///
/// # Examples
/// ```no_run
/// use async_openai::{Client, config::OpenAIConfig};
/// use redress::{RedressLayer, dialects, transport::Reqwest};
/// use redress_hosts::OpenAiService;
/// use tower::Layer;
///
/// # fn main() -> Result<(), reqwest::Error> {
/// let transport = Reqwest::new(Reqwest::client_builder())?;
/// let stack = RedressLayer::new(dialects::openai()).layer(transport);
/// let client = Client::with_config(OpenAIConfig::default()).with_http_service(OpenAiService::new(stack));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct OpenAiService<S> {
    stack: S,
}

impl<S> OpenAiService<S> {
    /// Wraps a stack over `redress::transport::Reqwest`.
    pub const fn new(stack: S) -> Self {
        Self { stack }
    }
}

impl<S, R> Service<HttpRequestFactory> for OpenAiService<S>
where
    S: Service<http::Request<ReplayBody<Body>>, Response = http::Response<R>, Error = Error> + Clone + Send + 'static,
    S::Future: Send,
    R: http_body::Body + Send + Sync + 'static,
    R::Data: Into<Bytes>,
    R::Error: Into<BoxError>,
{
    type Response = reqwest::Response;
    type Error = OpenAIError;
    type Future = Pin<Box<dyn Future<Output = Result<reqwest::Response, OpenAIError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), OpenAIError>> {
        // The request is built first: the stack is readied after that.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, factory: HttpRequestFactory) -> Self::Future {
        let stack = self.stack.clone();
        Box::pin(async move {
            let request = factory.build().await?;
            send(stack, request).await.map_err(|error| OpenAIError::Boxed(error.into()))
        })
    }
}
