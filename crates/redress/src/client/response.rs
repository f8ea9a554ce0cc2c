//! A response, and the ways to read it.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use http::{Extensions, HeaderMap, Response, StatusCode};
use redress_classify::{ApiError, Deadline, Record, ResponseExt, Verdict};
use reqwest::{Body, ResponseBuilderExt, Url};
use serde_core::de::DeserializeOwned;

use super::error::Undecoded;
use super::sensitive::Sensitive;
use super::{ClientError, Settings, read};

/// A response of a [`Client`](crate::Client), whatever its status.
///
/// The body is read by [`json`](Self::json), [`text`](Self::text) or [`bytes`](Self::bytes): within the
/// deadline of the call, and up to the [limit](crate::Client::body_limit) of its size. A body that breaks off is an error,
/// [`ClientError::is_body`], and the request is not sent again for it: by then the caller has seen the response, and may have
/// acted on it. A GET can be sent anew.
///
/// # Examples
/// ```
/// use redress::{Client, RedressLayer, dialects};
/// # use http::{Request, Response};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let transport = tower::service_fn(|_: Request<reqwest::Body>| async {
/// #     Ok::<_, std::io::Error>(Response::builder().header("etag", "\"1\"").body(r#"["a","b"]"#.to_owned()).expect("a response"))
/// # });
/// # let client = Client::with_transport(RedressLayer::new(dialects::generic()), transport);
/// let response = client.get("https://api.example/items").send().await?;
/// assert_eq!((response.status().as_u16(), &response.headers()["etag"]), (200, &"\"1\"".parse()?));
/// assert!(response.verdict().is_none(), "it is a success");
/// assert_eq!(response.json::<Vec<String>>().await?, ["a", "b"]);
/// # Ok(()) }
/// ```
pub struct ClientResponse {
    pub(super) response: Response<Body>,
    pub(super) url: Url,
    pub(super) deadline: Option<Deadline>,
    pub(super) body_limit: usize,
    pub(super) settings: Arc<Settings>,
    /// The secrets of the request.
    pub(super) sensitive: Sensitive,
}

impl ClientResponse {
    /// Returns the status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// Returns the headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// Returns the extensions, in which layers leave notes.
    #[must_use]
    pub fn extensions(&self) -> &Extensions {
        self.response.extensions()
    }

    /// Returns what the response means; `None` when it is a success.
    #[must_use]
    pub fn verdict(&self) -> Option<&Verdict> {
        self.response.verdict()
    }

    /// Returns the error that the response is by its dialect, at status 200 too; `None` when it is a success.
    #[must_use]
    pub fn api_error(&self) -> Option<&ApiError> {
        self.verdict().and_then(Verdict::api_error)
    }

    /// Returns when the server asks to come back.
    #[must_use]
    pub fn retry_at(&self) -> Option<SystemTime> {
        self.response.retry_at()
    }

    /// Returns the record of the attempts; `None` when there was one only.
    #[must_use]
    pub fn record(&self) -> Option<&Record> {
        self.response.record()
    }

    /// Returns a success as it is, and turns an error response into a [`ClientError`] with its [`ApiError`].
    ///
    /// # Errors
    /// Returns the error if the response is one by its dialect.
    ///
    /// # Examples
    /// ```
    /// # use http::{Request, Response};
    /// # use redress::{Client, Recovery, RedressLayer, dialects};
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let transport = tower::service_fn(|_: Request<reqwest::Body>| async {
    /// #     Ok::<_, std::io::Error>(Response::new(r#"{"data":null,"error_code":1050}"#.to_owned()))
    /// # });
    /// # let client = Client::with_transport(RedressLayer::new(dialects::vlens()), transport);
    /// let response = client.post("https://api.example/verify").send().await?;
    /// assert_eq!(response.status(), 200);
    /// let error = response.error_for_api().expect_err("the body has an error code");
    /// assert_eq!(error.api_error().and_then(|error| error.code()), Some("1050"));
    /// assert_eq!(error.recovery(), Some(Recovery::NewInput));
    /// # Ok(()) }
    /// ```
    pub fn error_for_api(self) -> Result<Self, ClientError> {
        self.ok_or_api_error().map_err(ClientError::api)
    }

    /// Returns a success as it is, and turns an error response into its [`ApiError`], as
    /// [`ResponseExt::ok_or_api_error`] does.
    ///
    /// # Errors
    /// Returns the error if the response is one by its dialect.
    pub fn ok_or_api_error(self) -> Result<Self, ApiError> {
        let response = self.response.ok_or_api_error()?;
        Ok(Self { response, ..self })
    }

    /// Reads the body as JSON.
    ///
    /// # Errors
    /// The API's error, if the response is one; its body remains readable by [`bytes`](Self::bytes). Else
    /// those of `bytes`, and [`is_decode`](ClientError::is_decode) when the body is not JSON of this type. That error has the
    /// status, the media type and the request id of the response. Values of the body are masked in it, since they may be
    /// secret.
    pub async fn json<V: DeserializeOwned>(self) -> Result<V, ClientError> {
        let Self { response, deadline, body_limit, settings, sensitive, .. } = self.error_for_api()?;
        let (head, body) = response.into_parts();
        let body = read::bytes(body, body_limit, deadline).await?;
        serde_json::from_slice(&body).map_err(|error| {
            let secrets = [sensitive.secrets(), settings.layer.tokens().secrets()];
            ClientError::decode(Undecoded::new(&error, &head, settings.layer.dialect(), &secrets))
        })
    }

    /// Reads the body as UTF-8. Each invalid sequence becomes U+FFFD; a body in another charset is for
    /// [`bytes`](Self::bytes).
    ///
    /// # Errors
    /// Those of `bytes`.
    pub async fn text(self) -> Result<String, ClientError> {
        let body = self.bytes().await?;
        Ok(String::from_utf8_lossy(&body).into_owned())
    }

    /// Reads the body, of an error response as well.
    ///
    /// # Errors
    /// [`is_body`](ClientError::is_body) when it broke off, [`is_body_too_large`](ClientError::is_body_too_large) when it
    /// exceeds the limit, [`is_deadline`](ClientError::is_deadline) when the deadline of the call passed.
    ///
    /// # Examples
    /// ```
    /// # use http::{Request, Response};
    /// # use redress::{Client, RedressLayer, dialects};
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let transport = tower::service_fn(|_: Request<reqwest::Body>| async {
    /// #     Ok::<_, std::io::Error>(Response::new("a long body".to_owned()))
    /// # });
    /// # let client = Client::with_transport(RedressLayer::new(dialects::generic()), transport);
    /// let response = client.get("https://api.example/report").body_limit(5).send().await?;
    /// let error = response.bytes().await.expect_err("it has 11 bytes");
    /// assert!(error.is_body_too_large());
    /// assert_eq!(error.to_string(), "the response body exceeds the limit of 5 bytes");
    /// # Ok(()) }
    /// ```
    pub async fn bytes(self) -> Result<Bytes, ClientError> {
        read::bytes(self.response.into_body(), self.body_limit, self.deadline).await
    }

    /// Returns the response with its body unread, which then has neither a deadline nor a limit.
    #[must_use]
    pub fn into_http(self) -> Response<Body> {
        self.response
    }
}

/// The body has neither a deadline nor a limit any more; the extensions, with verdict and record, stay.
impl From<ClientResponse> for reqwest::Response {
    fn from(response: ClientResponse) -> Self {
        // reqwest keeps the URL in an extension that this builder alone can make.
        let url = Response::builder().url(response.url).body(()).map(|marked| marked.into_parts().0.extensions);
        let mut response = response.response;
        response.extensions_mut().extend(url.unwrap_or_default());
        response.into()
    }
}

/// The body has neither a deadline nor a limit any more.
impl From<ClientResponse> for Response<Body> {
    fn from(response: ClientResponse) -> Self {
        response.into_http()
    }
}

/// Shows neither headers nor body: they may hold secrets.
impl fmt::Debug for ClientResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientResponse")
            .field("status", &self.status())
            .field("verdict", &self.verdict())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http::Request;
    use tower::service_fn;

    use super::*;
    use crate::{Client, RedressLayer, dialects};

    async fn refused() -> ClientResponse {
        let transport = service_fn(|_: Request<Body>| async {
            let response = Response::builder().status(429).header("retry-after", "30").header("x-id", "7");
            Ok::<_, Infallible>(response.body("[1]".to_owned()).unwrap())
        });
        let client = Client::with_transport(RedressLayer::new(dialects::generic()), transport);
        client.get("https://api.example").no_retry().send().await.unwrap()
    }

    #[tokio::test]
    async fn a_response_shows_its_head_and_what_the_stack_has_found_out() {
        let response = refused().await;
        assert!(response.status() == 429 && response.headers()["x-id"] == "7");
        assert_eq!(response.verdict().and_then(Verdict::api_error).map(ApiError::status), Some(429));
        assert!(response.extensions().get::<Verdict>().is_some());
        assert_eq!(response.api_error().map(ApiError::status), Some(429));
        assert!(response.retry_at().is_some_and(|at| at > SystemTime::UNIX_EPOCH));
    }

    #[tokio::test]
    async fn a_response_becomes_one_of_http() {
        for response in [refused().await.into_http(), Response::<Body>::from(refused().await)] {
            assert!(response.status() == 429 && response.headers()["x-id"] == "7");
            assert!(response.verdict().is_some());
        }
    }
}
