//! A request that is being built.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use redress_backoff::{Idempotent, NoRetry, RequestExt};
use redress_classify::Deadline;
use reqwest::Body;
use serde_core::Serialize;

use super::draft::{Draft, Until};
use super::sensitive::Sensitive;
use super::{Client, ClientError, ClientResponse};
use crate::timeout::AttemptTimeout;

/// A request of a [`Client`], with its settings.
///
/// A mistake, such as a header value that is not legal, is kept and returned by [`send`](Self::send) or
/// [`build`](Self::build).
///
/// # Examples
/// ```
/// use std::time::Duration;
///
/// use redress::{Client, RedressLayer, dialects};
///
/// let client = Client::new(RedressLayer::new(dialects::generic()))?;
/// let request = client
///     .post("https://api.example/v1/charges")
///     .query(&[("expand", "customer")])
///     .json(&serde_json::json!({ "amount": 100 }))
///     .bearer_auth("token")
///     .idempotency_key("order-1234")
///     .timeout(Duration::from_secs(10))
///     .build()?;
/// assert_eq!(request.uri(), "https://api.example/v1/charges?expand=customer");
/// assert_eq!(request.headers()["content-type"], "application/json");
/// # Ok::<(), redress::ClientError>(())
/// ```
#[must_use = "a request is sent by `send`"]
pub struct RequestBuilder {
    client: Client,
    draft: Result<Draft, ClientError>,
}

impl RequestBuilder {
    pub(super) fn new(client: Client, method: Method, url: &str) -> Self {
        let draft = Draft::new(&client.settings, method, url);
        Self { client, draft }
    }

    /// Takes a request of reqwest, with its timeout for the whole call.
    pub(super) fn from_reqwest(client: Client, request: reqwest::Request) -> Self {
        let draft = Draft::from_reqwest(&client.settings, request);
        Self { client, draft }
    }

    /// Appends these pairs to the query of the URL, encoded: a slice of pairs, a map, or a struct with named fields.
    ///
    /// # Examples
    /// ```
    /// # let client = redress::Client::new(redress::RedressLayer::new(redress::dialects::generic()))?;
    /// let request = client.get("https://api.example/search?page=2").query(&[("q", "a&b")]).build()?;
    /// assert_eq!(request.uri().query(), Some("page=2&q=a%26b"));
    /// # Ok::<(), redress::ClientError>(())
    /// ```
    pub fn query<Q: Serialize + ?Sized>(self, query: &Q) -> Self {
        self.with(|draft| {
            {
                let mut pairs = draft.url.query_pairs_mut();
                query
                    .serialize(serde_urlencoded::Serializer::new(&mut pairs))
                    .map_err(|error| ClientError::builder("could not write the query", error))?;
            }
            if draft.url.query() == Some("") {
                draft.url.set_query(None);
            }
            Ok(())
        })
    }

    /// Sets the body to this value as JSON, and `Content-Type` to `application/json` unless it is set already.
    ///
    /// # Examples
    /// ```
    /// # let client = redress::Client::new(redress::RedressLayer::new(redress::dialects::generic()))?;
    /// let request = client.put("https://api.example/items/1").json(&["a", "b"]).build()?;
    /// assert_eq!(request.body().as_bytes(), Some(&br#"["a","b"]"#[..]));
    /// # Ok::<(), redress::ClientError>(())
    /// ```
    pub fn json<V: Serialize + ?Sized>(self, value: &V) -> Self {
        self.with(|draft| {
            let text = serde_json::to_vec(value)
                .map_err(|error| ClientError::builder("could not write the body as JSON", error))?;
            draft.set_body(text.into(), "application/json");
            Ok(())
        })
    }

    /// Sets the body to these pairs as a form, and `Content-Type` to `application/x-www-form-urlencoded` unless it is set
    /// already.
    ///
    /// # Examples
    /// ```
    /// # let client = redress::Client::new(redress::RedressLayer::new(redress::dialects::generic()))?;
    /// let request = client.post("https://api.example/token").form(&[("scope", "read write")]).build()?;
    /// assert_eq!(request.body().as_bytes(), Some(&b"scope=read+write"[..]));
    /// assert_eq!(request.headers()["content-type"], "application/x-www-form-urlencoded");
    /// # Ok::<(), redress::ClientError>(())
    /// ```
    pub fn form<F: Serialize + ?Sized>(self, form: &F) -> Self {
        self.with(|draft| {
            let text = serde_urlencoded::to_string(form)
                .map_err(|error| ClientError::builder("could not write the body as a form", error))?;
            draft.set_body(text.into(), "application/x-www-form-urlencoded");
            Ok(())
        })
    }

    /// Sets the body. One that streams is sent once, since it cannot be copied.
    pub fn body(self, body: impl Into<Body>) -> Self {
        self.set(|draft| *draft.request.body_mut() = body.into())
    }

    /// Sets a header, in place of an earlier one of this name.
    ///
    /// Mark a secret value as [sensitive](HeaderValue::set_sensitive): then it is masked in the errors of a server that
    /// quotes it, and it is not sent beside a `Host` header of another authority.
    ///
    /// # Examples
    /// ```
    /// # let client = redress::Client::new(redress::RedressLayer::new(redress::dialects::generic()))?;
    /// let request = client.get("https://api.example/").header("accept", "text/plain").build()?;
    /// assert_eq!(request.headers()["accept"], "text/plain");
    /// assert!(client.get("https://api.example/").header("accept", "\n").build().unwrap_err().is_builder());
    /// # Ok::<(), redress::ClientError>(())
    /// ```
    pub fn header<K, V>(self, name: K, value: V) -> Self
    where
        K: TryInto<HeaderName>,
        K::Error: Into<http::Error>,
        V: TryInto<HeaderValue>,
        V::Error: Into<http::Error>,
    {
        self.with(|draft| {
            let illegal = |error: http::Error| ClientError::builder("the header is not legal", error);
            let name = name.try_into().map_err(|error| illegal(error.into()))?;
            let value = value.try_into().map_err(|error| illegal(error.into()))?;
            draft.request.headers_mut().insert(name, value);
            Ok(())
        })
    }

    /// Sets these headers, each with all its values, in place of earlier ones of the same names.
    pub fn headers(self, headers: HeaderMap) -> Self {
        self.set(|draft| draft.request.headers_mut().extend(headers))
    }

    /// Sets `Authorization` to a bearer token (RFC 6750 section 2.1), marked as sensitive.
    ///
    /// It is for a token of this one request. A token of the whole client belongs into
    /// [`RedressLayer::credentials`](crate::RedressLayer::credentials), which renews it, and sends it to its origin alone.
    ///
    /// # Examples
    /// ```
    /// # let client = redress::Client::new(redress::RedressLayer::new(redress::dialects::generic()))?;
    /// let request = client.get("https://api.example/").bearer_auth("t0ken").build()?;
    /// assert_eq!(request.headers()["authorization"], "Bearer t0ken");
    /// assert!(request.headers()["authorization"].is_sensitive());
    /// # Ok::<(), redress::ClientError>(())
    /// ```
    pub fn bearer_auth(self, token: impl fmt::Display) -> Self {
        self.with(|draft| {
            let mut value = HeaderValue::try_from(format!("Bearer {token}"))
                .map_err(|error| ClientError::builder("the token is not a legal header value", error))?;
            value.set_sensitive(true);
            draft.request.headers_mut().insert(AUTHORIZATION, value);
            Ok(())
        })
    }

    /// Sets the [idempotency key](crate::IdempotencyKey) of this call, so that it is sent again after a failure that may
    /// have been processed.
    ///
    /// # Examples
    /// ```
    /// # let client = redress::Client::new(redress::RedressLayer::new(redress::dialects::generic()))?;
    /// let request = client.post("https://api.example/charges").idempotency_key("order-1234").build()?;
    /// assert_eq!(request.extensions().get(), Some(&redress::IdempotencyKey::new("order-1234")?));
    /// assert!(client.post("https://api.example/charges").idempotency_key("two words").build().is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn idempotency_key(self, key: impl Into<String>) -> Self {
        self.with(|draft| {
            let request = std::mem::take(&mut draft.request);
            let request = request.idempotency_key(key);
            draft.request = request.map_err(|error| ClientError::builder("the idempotency key is not legal", error))?;
            Ok(())
        })
    }

    /// States that the server does the same however often it receives this request, whatever its method.
    ///
    /// # Examples
    /// ```
    /// # let client = redress::Client::new(redress::RedressLayer::new(redress::dialects::generic()))?;
    /// let request = client.post("https://api.example/search").idempotent().build()?;
    /// assert_eq!(request.extensions().get(), Some(&redress::Idempotent(true)));
    /// # Ok::<(), redress::ClientError>(())
    /// ```
    pub fn idempotent(self) -> Self {
        self.extension(Idempotent(true))
    }

    /// Sends the request at most twice: once, and once more only if its credentials were rejected and refreshed. A failure is
    /// not retried, such as that of a health check.
    ///
    /// The record of a failure that would be retried ends with [`EndReason::NoRetry`](crate::EndReason::NoRetry).
    ///
    /// # Examples
    /// ```
    /// # use http::{Request, Response};
    /// # use redress::{Client, RedressLayer, dialects};
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let transport = tower::service_fn(|_: Request<reqwest::Body>| async {
    /// #     Response::builder().status(503).body(String::new())
    /// # });
    /// # let client = Client::with_transport(RedressLayer::new(dialects::generic()), transport);
    /// let response = client.get("https://api.example/health").no_retry().send().await?;
    /// assert_eq!(response.status(), 503);
    /// assert_eq!(response.record().map(|record| record.attempts().len()), Some(1));
    /// # Ok(()) }
    /// ```
    pub fn no_retry(self) -> Self {
        self.extension(NoRetry)
    }

    /// Sets how long the call may take, from when it is sent until its body is read: attempts, waits and refreshes included.
    ///
    /// It takes the place of the stack's [deadline](crate::RedressLayer::deadline), be it shorter or longer, and of an
    /// earlier [`deadline`](Self::deadline) of this request.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.until(Until::Timeout(timeout))
    }

    /// Sets the instant when the call must be over, such as that of the request which your own server is answering.
    ///
    /// # Examples
    /// Two calls share one deadline:
    /// ```
    /// use std::time::Duration;
    ///
    /// use redress::Deadline;
    /// # use http::{Request, Response};
    /// # use redress::{Client, RedressLayer, dialects};
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let transport = tower::service_fn(|_: Request<reqwest::Body>| async {
    /// #     tokio::time::sleep(Duration::from_secs(3)).await;
    /// #     Ok::<_, std::io::Error>(Response::new(String::new()))
    /// # });
    /// # let client = Client::with_transport(RedressLayer::new(dialects::generic()), transport);
    ///
    /// let deadline = Deadline::from_now(Duration::from_secs(5));
    /// let first = client.get("https://api.example/a").deadline(deadline).send().await;
    /// let second = client.get("https://api.example/b").deadline(deadline).send().await;
    /// assert!(first.is_ok() && second.is_err_and(|error| error.is_deadline()));
    /// # Ok(()) }
    /// ```
    pub fn deadline(self, deadline: Deadline) -> Self {
        self.until(Until::At(deadline))
    }

    /// Sets how long each attempt may take until its response begins; see [`AttemptTimeout`].
    pub fn attempt_timeout(self, timeout: Duration) -> Self {
        self.extension(AttemptTimeout::new(timeout))
    }

    /// Sets how many bytes of the response body are read at most; see [`Client::body_limit`].
    pub fn body_limit(self, bytes: usize) -> Self {
        self.set(|draft| draft.body_limit = bytes)
    }

    /// Adds an extension for the layers, such as a [`ForeignHost`](crate::ForeignHost).
    pub fn extension(self, extension: impl Clone + Send + Sync + 'static) -> Self {
        self.set(|draft| draft.request.extensions_mut().insert(extension))
    }

    /// Returns the request for the tower service, without sending it.
    ///
    /// # Errors
    /// A [`ClientError`] that [is a builder's](ClientError::is_builder).
    pub fn build(self) -> Result<Request<Body>, ClientError> {
        self.draft?.finish().map(|(request, _)| request)
    }

    /// Sends the request, again where the stack says so, and returns the response, whatever its status.
    ///
    /// # Errors
    /// A [`ClientError`] when the request could not be built, or when no response came. An error response is `Ok`:
    /// [`error_for_api`](ClientResponse::error_for_api) makes it an error.
    ///
    /// # Cancel safety
    /// As that of [`Redress`](crate::Redress): dropping the future drops the attempt in flight and sends nothing more.
    pub async fn send(self) -> Result<ClientResponse, ClientError> {
        let draft = self.draft?;
        let (url, body_limit) = (draft.url.clone(), draft.body_limit);
        let (request, own) = draft.finish()?;
        let deadline = own.or_else(|| self.client.deadline());
        let settings = Arc::clone(&self.client.settings);
        let sensitive = Sensitive::new(request.headers());
        let response = self.client.call(request).await;
        let mut response = response.map_err(|error| ClientError::call(sensitive.masked(error)))?;
        sensitive.mask(&mut response);
        Ok(ClientResponse { response: response.map(Body::wrap), url, deadline, body_limit, settings, sensitive })
    }

    fn until(self, until: Until) -> Self {
        self.set(|draft| draft.until = until)
    }

    fn set<V>(self, change: impl FnOnce(&mut Draft) -> V) -> Self {
        self.with(|draft| {
            change(draft);
            Ok(())
        })
    }

    /// Changes the draft, unless there was a mistake before.
    fn with(mut self, change: impl FnOnce(&mut Draft) -> Result<(), ClientError>) -> Self {
        self.draft = self.draft.and_then(|mut draft| change(&mut draft).map(|()| draft));
        self
    }
}

/// Shows the method alone: URLs and headers may hold secrets.
impl fmt::Debug for RequestBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let method = self.draft.as_ref().map(|draft| draft.request.method());
        f.debug_struct("RequestBuilder").field("method", &method).finish_non_exhaustive()
    }
}
