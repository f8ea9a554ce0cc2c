//! An HTTP client over the stack, for users of reqwest.

mod draft;
mod error;
mod read;
mod request;
mod response;
mod sensitive;
mod service;
mod transport;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response};
use redress_classify::{Body, BoxError, Deadline, Error};
use reqwest::Url;
use tower::ServiceExt;
use tower_layer::Layer;
use tower_service::Service;

pub use self::error::ClientError;
pub use self::request::RequestBuilder;
pub use self::response::ClientResponse;
pub use self::service::ClientService;
pub use self::transport::ClientTransport;
use crate::layer::RedressLayer;
use crate::service::Redress;
use crate::transport::Reqwest;

/// The largest response body that is read unless set otherwise: 16 MiB. Most APIs stay far below it; without a limit one
/// wrong response could take all memory.
const BODY_LIMIT: usize = 16 << 20;

/// An HTTP client that retries, paces and refreshes as its [`RedressLayer`] says.
///
/// It is a thin layer over the tower service [`Redress`], which [`service`](Self::service) returns: it builds requests, and
/// reads response bodies within the call's deadline and a limit of size. Clones share the connections, budgets, cool-downs
/// and credentials.
///
/// A request is a [`RequestBuilder`]; [`send`](RequestBuilder::send) returns a [`ClientResponse`] whatever its status, or a
/// [`ClientError`] if no response came. Any other service takes the place of reqwest by
/// [`with_transport`](Self::with_transport), such as a layer that signs each attempt, or a mock in tests.
///
/// # Differences from reqwest's client
/// - Redirects are not followed: credentials are checked against the origin of each request.
/// - [`ClientResponse::json`] fails with the API's error if the response is an error, also at status 200.
/// - [`RequestBuilder::timeout`] bounds the call with all its attempts and waits. One attempt is bounded by the
///   [attempt timeout](RedressLayer::attempt_timeout).
/// - A body that streams is sent once, since it cannot be copied; `examples/upload.rs` in the repository shows how a
///   [`ReplayBody`](crate::ReplayBody) is sent through the service.
///
/// # Examples
/// ```
/// use redress::{Client, RedressLayer, StaticHeaders, dialects};
/// # use redress_sandbox::{Sandbox, Vendor};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let sandbox = Sandbox::start(Vendor::Verilock).await?;
/// # let url = sandbox.url();
/// let keys = StaticHeaders::new().header("x-api-key", "sandbox-api-key")?;
/// let layer = RedressLayer::new(dialects::verilock()).credentials(keys, url.parse()?);
/// let client = Client::new(layer)?.base_url(&url)?;
///
/// let error = client.get("/v1/sessions/none").send().await?.error_for_api().expect_err("the session does not exist");
/// assert_eq!(error.class(), Some(redress::Class::NotFound));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Client {
    service: Redress<ClientTransport>,
    /// The stack below the layers that see calls, if there are any.
    layered: Option<ClientService>,
    settings: Arc<Settings>,
}

#[derive(Clone)]
struct Settings {
    layer: RedressLayer,
    base: Option<Url>,
    body_limit: usize,
}

impl Client {
    /// Puts the layer over reqwest, with the settings of [`Reqwest::client_builder`].
    ///
    /// Settings of your own, such as proxies or certificates, are made there:
    /// `Client::with_transport(layer, Reqwest::new(Reqwest::client_builder().user_agent("my-service/1"))?)`.
    ///
    /// # Errors
    /// Returns an error if reqwest cannot be set up, such as without a TLS backend's certificates.
    pub fn new(layer: RedressLayer) -> Result<Self, ClientError> {
        let transport = Reqwest::new(Reqwest::client_builder());
        let transport = transport.map_err(|error| ClientError::builder("could not set up the HTTP client", error))?;
        Ok(Self::with_transport(layer, transport))
    }

    /// Puts the layer over a transport that sends requests with reqwest's bodies.
    ///
    /// # Examples
    /// A transport that needs no network, for a test:
    /// ```
    /// use http::{Request, Response};
    /// use redress::{Client, RedressLayer, dialects};
    /// use tower::service_fn;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let transport = service_fn(|request: Request<reqwest::Body>| async move {
    ///     Ok::<_, std::io::Error>(Response::new(request.uri().path().to_owned()))
    /// });
    /// let client = Client::with_transport(RedressLayer::new(dialects::generic()), transport);
    /// assert_eq!(client.get("https://api.example/v1/items").send().await?.text().await?, "/v1/items");
    /// # Ok(()) }
    /// ```
    pub fn with_transport<T, R>(layer: RedressLayer, transport: T) -> Self
    where
        T: Service<Request<reqwest::Body>, Response = Response<R>> + Clone + Send + Sync + 'static,
        T::Error: Into<BoxError>,
        T::Future: Send + 'static,
        R: http_body::Body + Send + Sync + 'static,
        R::Data: Into<Bytes>,
        R::Error: Into<BoxError>,
    {
        let service = layer.layer(ClientTransport::new(transport));
        let settings = Settings { layer, base: None, body_limit: BODY_LIMIT };
        Self { service, layered: None, settings: Arc::new(settings) }
    }

    /// Puts a layer above the stack: it sees each call once, with all its attempts and waits below it, such as a layer that
    /// makes a span of each call. A later one is put above an earlier one.
    ///
    /// A layer that sees each attempt goes around the transport, by [`with_transport`](Self::with_transport): spans and
    /// durations of attempts, trace contexts, signatures.
    ///
    /// [`service`](Self::service) returns the stack without these layers.
    ///
    /// # Examples
    /// At most 64 calls at a time, so that a burst of them waits here:
    /// ```
    /// use redress::{Client, RedressLayer, dialects};
    /// use tower::limit::GlobalConcurrencyLimitLayer;
    ///
    /// let client = Client::new(RedressLayer::new(dialects::generic()))?.call_layer(GlobalConcurrencyLimitLayer::new(64));
    /// # drop(client);
    /// # Ok::<(), redress::ClientError>(())
    /// ```
    #[must_use]
    pub fn call_layer<L>(mut self, layer: L) -> Self
    where
        L: Layer<ClientService>,
        L::Service: Service<Request<reqwest::Body>, Response = Response<Body<reqwest::Body>>, Error = Error>,
        L::Service: Clone + Send + Sync + 'static,
        <L::Service as Service<Request<reqwest::Body>>>::Future: Send + 'static,
    {
        let below = self.layered.unwrap_or_else(|| ClientService::new(self.service.clone()));
        self.layered = Some(ClientService::new(layer.layer(below)));
        self
    }

    /// Sets the URL to which relative URLs are appended, path to path: `/items` under `https://api.example/v1` is
    /// `https://api.example/v1/items`. A URL that begins with `http://` or `https://` is used as it is.
    ///
    /// # Errors
    /// Returns an error if it is not a URL of http or https, or has a query or a fragment.
    ///
    /// # Examples
    /// ```
    /// use redress::{Client, RedressLayer, dialects};
    ///
    /// let client = Client::new(RedressLayer::new(dialects::generic()))?.base_url("https://api.example/v1")?;
    /// let request = client.get("items?limit=10").build()?;
    /// assert_eq!(request.uri(), "https://api.example/v1/items?limit=10");
    /// # Ok::<(), redress::ClientError>(())
    /// ```
    pub fn base_url(mut self, url: impl AsRef<str>) -> Result<Self, ClientError> {
        let url = draft::absolute(url.as_ref())?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err(ClientError::refused("a base URL cannot have a query or a fragment: add them per request"));
        }
        Arc::make_mut(&mut self.settings).base = Some(url);
        Ok(self)
    }

    /// Sets how many bytes of a response body are read at most by [`json`](ClientResponse::json),
    /// [`text`](ClientResponse::text) and [`bytes`](ClientResponse::bytes). The default is 16 MiB.
    ///
    /// It counts after decompression. [`RequestBuilder::body_limit`] sets it for one request.
    #[must_use]
    pub fn body_limit(mut self, bytes: usize) -> Self {
        Arc::make_mut(&mut self.settings).body_limit = bytes;
        self
    }

    /// Returns the settings of the stack, which also have the handles on its [gate](RedressLayer::gate) and its
    /// [tokens](RedressLayer::tokens).
    #[must_use]
    pub fn layer(&self) -> &RedressLayer {
        &self.settings.layer
    }

    /// Returns the tower service, without the layers of [`call_layer`](Self::call_layer). Clone it to call it.
    #[must_use]
    pub fn service(&self) -> &Redress<ClientTransport> {
        &self.service
    }

    /// Turns the client into its tower service, without the layers of [`call_layer`](Self::call_layer).
    #[must_use]
    pub fn into_service(self) -> Redress<ClientTransport> {
        self.service
    }

    /// Sends a request through the layers above the stack, if there are any, and through the stack.
    async fn call(self, request: Request<reqwest::Body>) -> Result<Response<Body<reqwest::Body>>, Error> {
        match self.layered {
            Some(layered) => layered.oneshot(request).await,
            None => self.service.oneshot(request).await,
        }
    }

    /// Returns how long a call may take by the settings of the stack, from now.
    fn deadline(&self) -> Option<Deadline> {
        self.settings.layer.longest_call().map(Deadline::from_now)
    }

    /// Begins a GET request.
    ///
    /// The URL is absolute, or relative to [`base_url`](Self::base_url). Encode what an end user wrote before it becomes a
    /// part of a path; [`query`](RequestBuilder::query) encodes its values itself.
    pub fn get(&self, url: impl AsRef<str>) -> RequestBuilder {
        self.request(Method::GET, url)
    }

    /// Begins a POST request. It is sent again only if it was not processed, or has an
    /// [idempotency key](RequestBuilder::idempotency_key).
    pub fn post(&self, url: impl AsRef<str>) -> RequestBuilder {
        self.request(Method::POST, url)
    }

    /// Begins a PUT request.
    pub fn put(&self, url: impl AsRef<str>) -> RequestBuilder {
        self.request(Method::PUT, url)
    }

    /// Begins a PATCH request. Like a POST request, it is not idempotent by its method.
    pub fn patch(&self, url: impl AsRef<str>) -> RequestBuilder {
        self.request(Method::PATCH, url)
    }

    /// Begins a DELETE request.
    pub fn delete(&self, url: impl AsRef<str>) -> RequestBuilder {
        self.request(Method::DELETE, url)
    }

    /// Begins a HEAD request.
    pub fn head(&self, url: impl AsRef<str>) -> RequestBuilder {
        self.request(Method::HEAD, url)
    }

    /// Begins a request with any method.
    pub fn request(&self, method: Method, url: impl AsRef<str>) -> RequestBuilder {
        RequestBuilder::new(self.clone(), method, url.as_ref())
    }

    /// Sends a request that was built for reqwest, such as one of a generated client.
    ///
    /// Its [timeout](reqwest::Request::timeout), if it has one, bounds the whole call, as
    /// [`RequestBuilder::timeout`] does. The [`ClientResponse`] can be turned into a [`reqwest::Response`].
    ///
    /// # Errors
    /// As those of [`RequestBuilder::send`].
    ///
    /// # Examples
    /// ```
    /// use redress::{Client, RedressLayer, dialects};
    /// # use redress_sandbox::{Sandbox, Vendor};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let sandbox = Sandbox::start(Vendor::Verilock).await?;
    /// # let url = sandbox.url();
    /// let client = Client::new(RedressLayer::new(dialects::verilock()))?;
    /// let request = reqwest::Client::new().get(format!("{url}/v1/sessions")).build()?;
    /// let response: reqwest::Response = client.execute(request).await?.into();
    /// assert_eq!(response.status(), 401);
    /// assert_eq!(response.url().path(), "/v1/sessions");
    /// # Ok(()) }
    /// ```
    pub async fn execute(&self, request: reqwest::Request) -> Result<ClientResponse, ClientError> {
        RequestBuilder::from_reqwest(self.clone(), request).send().await
    }
}

/// Shows no URL: its path may be a secret.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("body_limit", &self.settings.body_limit).finish_non_exhaustive()
    }
}
