//! The connector that `object_store`'s clients get their HTTP client from.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use async_trait::async_trait;
use http_body_util::BodyExt;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse, HttpResponseBody,
    HttpService,
};
use redress::{CloneBody, Error, Redress, RedressLayer, TransportError};
use tower::{Layer, Service, ServiceExt};

/// A stack as the connector of an object store, for `with_http_connector` of its builders.
///
/// It wraps another connector, such as `ReqwestConnector`, and so keeps the `ClientOptions`. Set `RetryConfig::max_retries`
/// to 0 by `with_retry`, or the retries of `object_store` lie above and multiply the attempts.
///
/// A request is signed above the connector, once for all attempts: a signature of S3 is valid for 15 min, so that a deadline
/// of the stack should be shorter. Bodies are in memory and cloned whatever their size.
///
/// # Errors
/// An error response goes up as it came, and `object_store` makes its own error of it. Without a response an `HttpError` is
/// among the sources of that error, and its source is the [`redress::Error`]. Its kind is `Connect` where no connection was
/// made, `Timeout` for a timeout or a deadline, and `Unknown` otherwise.
///
/// # Cancel safety
/// That of [`Redress`].
///
/// # Examples
/// `connector` is one of `object_store`, such as its `ReqwestConnector`:
/// ```
/// use object_store::aws::{AmazonS3, AmazonS3Builder};
/// use object_store::{RetryConfig, client::HttpConnector};
/// use redress::{RedressLayer, dialects};
/// use redress_hosts::RedressConnector;
///
/// fn store(builder: AmazonS3Builder, connector: impl HttpConnector) -> object_store::Result<AmazonS3> {
///     let dialect = dialects::by_name("aws-xml").expect("it is shipped");
///     builder
///         .with_http_connector(RedressConnector::new(RedressLayer::new(dialect), connector))
///         .with_retry(RetryConfig { max_retries: 0, ..RetryConfig::default() })
///         .build()
/// }
/// ```
#[derive(Clone, Debug)]
pub struct RedressConnector<C> {
    layer: RedressLayer,
    connector: C,
}

impl<C: HttpConnector> RedressConnector<C> {
    /// Wraps a connector. All stores that get a clone share budgets, cool-downs and limits.
    pub const fn new(layer: RedressLayer, connector: C) -> Self {
        Self { layer, connector }
    }
}

impl<C: HttpConnector> HttpConnector for RedressConnector<C> {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let stack = self.layer.layer(Transport { client: self.connector.connect(options)? });
        Ok(HttpClient::new(StackService { stack }))
    }
}

/// The stack as `object_store`'s service.
#[derive(Debug)]
struct StackService {
    stack: Redress<Transport>,
}

#[async_trait]
impl HttpService for StackService {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        match self.stack.clone().oneshot(request.map(RequestBody)).await {
            Ok(response) => Ok(response.map(|body| HttpResponseBody::new(body.boxed()))),
            Err(error) => Err(http_error(error)),
        }
    }
}

fn http_error(error: Error) -> HttpError {
    let kind = if error.is_connect() {
        HttpErrorKind::Connect
    } else if error.is_timeout() || error.is_deadline() {
        HttpErrorKind::Timeout
    } else {
        HttpErrorKind::Unknown
    };
    HttpError::new(kind, error)
}

/// A body of `object_store` as one that can be cloned.
struct RequestBody(HttpRequestBody);

impl CloneBody for RequestBody {
    fn try_clone(&self) -> Option<Self> {
        Some(Self(self.0.clone()))
    }
}

/// The client of the wrapped connector.
#[derive(Clone)]
struct Transport {
    client: HttpClient,
}

/// Opaque: the `Debug` of a client may print default headers, which may be secret.
impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").finish_non_exhaustive()
    }
}

impl Service<http::Request<RequestBody>> for Transport {
    type Response = HttpResponse;
    type Error = TransportError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, TransportError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<RequestBody>) -> Self::Future {
        let client = self.client.clone();
        Box::pin(async move { client.execute(request.map(|body| body.0)).await.map_err(transport_error) })
    }
}

/// Returns how far a request got, as far as the kinds of `object_store` tell it.
fn transport_error(error: HttpError) -> TransportError {
    match error.kind() {
        HttpErrorKind::Connect => TransportError::connect(error),
        HttpErrorKind::Timeout => TransportError::timeout(error),
        HttpErrorKind::Interrupted => TransportError::body(error),
        _ => TransportError::other(error),
    }
}
