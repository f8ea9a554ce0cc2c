//! The parts that the adapters of libraries on reqwest share: a request goes through a stack, and a response comes back.

use bytes::Bytes;
use http::Response;
use redress::{BoxError, Error, ReplayBody, ReplayBodyLayer, TransportError};
use reqwest::{Body, ResponseBuilderExt, Url};
use tower::{Layer, Service, ServiceExt};

/// Sends a request of reqwest through a stack, for libraries that hand out such requests before they are sent.
///
/// The stack is made by `RedressLayer` over `redress::transport::Reqwest`. A body in memory is sent again whatever its size
/// and without a copy, a streaming one up to 64 KiB, see [`ReplayBodyLayer`]. The timeout and the version of the request are
/// kept: such a timeout counts for each attempt.
///
/// The response has the URL of the request. Its extensions have the verdict and the record; `http::Response::from(response)`
/// gives access to them through `redress::ResponseExt`.
///
/// # Errors
/// Returns the error of the stack, or one for a URL that is not a valid URI.
///
/// # Cancel safety
/// That of [`Redress`](redress::Redress): nothing is sent after the future is dropped.
///
/// # Examples
/// ```
/// use http::Response;
/// use redress::{RedressLayer, ReplayBody, dialects};
/// use redress_hosts::send;
/// use tower::{Layer, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let transport = service_fn(|_: http::Request<ReplayBody<reqwest::Body>>| async {
/// #     Ok::<_, std::io::Error>(Response::new(reqwest::Body::from("hello")))
/// # });
/// let stack = RedressLayer::new(dialects::generic()).layer(transport);
/// let request = reqwest::Request::new(http::Method::GET, "https://api.example/".parse()?);
/// assert_eq!(send(stack, request).await?.text().await?, "hello");
/// # Ok(()) }
/// ```
pub async fn send<S, R>(stack: S, request: reqwest::Request) -> Result<reqwest::Response, Error>
where
    S: Service<http::Request<ReplayBody<Body>>, Response = Response<R>, Error = Error>,
    R: http_body::Body + Send + Sync + 'static,
    R::Data: Into<Bytes>,
    R::Error: Into<BoxError>,
{
    let url = request.url().clone();
    let response = ReplayBodyLayer::new().layer(stack).oneshot(to_http(request)?).await?;
    Ok(to_response(response, url))
}

/// Converts a request of reqwest, with its timeout and version.
pub(crate) fn to_http(request: reqwest::Request) -> Result<http::Request<Body>, Error> {
    let request = http::Request::<Body>::try_from(request);
    request.map_err(|error| Error::from_inner(TransportError::request(error.without_url()).into()))
}

/// Converts a response to one of reqwest for a URL, which is not part of a response of `http`.
pub(crate) fn to_response<R>(response: Response<R>, url: Url) -> reqwest::Response
where
    R: http_body::Body + Send + Sync + 'static,
    R::Data: Into<Bytes>,
    R::Error: Into<BoxError>,
{
    let mut response = response.map(Body::wrap);
    let with_url = Response::builder().url(url).body(()).expect("a response with a URL alone is valid");
    response.extensions_mut().extend(with_url.into_parts().0.extensions);
    response.into()
}
