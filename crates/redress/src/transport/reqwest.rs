//! The adapter for reqwest's client.

mod proxies;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use redress_classify::{BoxError, TransportError};
use tower_service::Service;

use super::{error, target};

/// reqwest's client as a transport.
///
/// It does not follow redirects: reqwest removes `Authorization` from a redirect to another host, but not `ApiKey` or
/// `X-Api-Key`, and a failure after a redirect looks like one before the request was sent. reqwest's own timeouts are
/// reported as timeouts.
///
/// # The request
/// Its URI becomes a URL. If scheme, host or port of that URL differ from the URI's, the request is refused, since the
/// credentials were added for the URI. User and password are removed from the URI, and are not sent. A request that
/// carries credentials (a header that is [sensitive](http::HeaderValue::is_sensitive)) and a `Host` header of another
/// authority is refused, unless [`ForeignHost`](crate::ForeignHost) is among its extensions.
///
/// # Errors
/// The same as those of [`Hyper`](super::Hyper).
///
/// # Cancel safety
/// Dropping the future drops the request. Its connection stays in reqwest's pool: only the pings of
/// [`client_builder`](Self::client_builder) detect one that has died silently.
///
/// # Examples
/// ```
/// use redress::{RedressLayer, dialects, transport::Reqwest};
/// use tower::Layer;
///
/// let transport = Reqwest::new(Reqwest::client_builder().user_agent("my-service/1"))?;
/// let service = RedressLayer::new(dialects::veridia()).layer(transport);
/// # Ok::<(), reqwest::Error>(())
/// ```
#[derive(Clone)]
pub struct Reqwest {
    client: reqwest::Client,
    may_redirect: bool,
}

/// The future of a [`Reqwest`] transport.
pub struct ReqwestFuture {
    inner: Pin<Box<dyn Future<Output = Result<reqwest::Response, TransportError>> + Send>>,
}

/// The time limit for a connection: enough for three lost SYNs, which most systems send again after 1, 3 and 7 s.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long an HTTP/2 connection with open streams may be silent before it is pinged, and the time limit of the reply.
const PING_INTERVAL: Duration = Duration::from_secs(10);
const PING_TIMEOUT: Duration = Duration::from_secs(5);

impl Reqwest {
    /// Returns reqwest's builder with the recommended settings; each can be overridden before [`new`](Self::new).
    ///
    /// - No redirects, as in `new`.
    /// - No proxy for this machine's own hosts (`localhost`, `127.0.0.0/8`, `[::1]`): credentials go there in plain text.
    ///   Other hosts use the proxies of the environment and the system, as they are when this is called.
    /// - 10 s for a connection, DNS and TLS included: enough for three lost SYNs. A connection timeout is told apart from
    ///   an attempt timeout, since nothing was sent.
    /// - A ping to an HTTP/2 server that was silent for 10 s while a request waits, and 5 s for the reply. A connection
    ///   that has died silently is closed then, and the next attempt opens another.
    /// - No retries by reqwest itself, which would repeat refused streams at once: the Backoff layer waits before it
    ///   retries, and counts.
    ///
    /// # Examples
    /// ```
    /// use redress::transport::Reqwest;
    ///
    /// let builder = Reqwest::client_builder().connect_timeout(std::time::Duration::from_secs(3));
    /// let transport = Reqwest::new(builder)?;
    /// # Ok::<(), reqwest::Error>(())
    /// ```
    pub fn client_builder() -> reqwest::ClientBuilder {
        reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .proxy(proxies::of_system_but_for_loopback())
            .connect_timeout(CONNECT_TIMEOUT)
            .http2_keep_alive_interval(PING_INTERVAL)
            .http2_keep_alive_timeout(PING_TIMEOUT)
            .retry(reqwest::retry::never())
    }

    /// Builds a client with these settings that does not follow redirects. The other settings are not changed:
    /// [`client_builder`](Self::client_builder) has the recommended ones.
    ///
    /// Proxies are those of the builder; reqwest's own also uses `HTTP_PROXY` for `http://localhost`. A warning event is
    /// emitted if such a variable is set.
    ///
    /// # Errors
    /// Returns the error of [`reqwest::ClientBuilder::build`].
    pub fn new(builder: reqwest::ClientBuilder) -> reqwest::Result<Self> {
        let client = builder.redirect(reqwest::redirect::Policy::none()).build()?;
        Ok(Self::from_client(client))
    }

    /// Wraps a client that does not follow redirects, so that its failures tell which requests were not sent.
    ///
    /// A client does not show whether it follows redirects. One that does sends credentials in headers such as
    /// `X-Api-Key` to their targets, and a redirected request may be sent twice. If in doubt, use
    /// [`following_redirects`](Self::following_redirects).
    ///
    /// # Examples
    /// ```
    /// use redress::transport::Reqwest;
    ///
    /// let client = Reqwest::client_builder().build()?;
    /// let transport = Reqwest::from_client(client.clone());
    /// # Ok::<(), reqwest::Error>(())
    /// ```
    #[must_use]
    pub fn from_client(client: reqwest::Client) -> Self {
        if proxies::catch_loopback() && uses_system_proxies(&client) {
            tracing::warn!(
                target: "redress::transport",
                "a proxy would receive plain-http requests to this machine: use Reqwest::client_builder() or set NO_PROXY"
            );
        }
        Self { client, may_redirect: false }
    }

    /// Wraps a client that may follow redirects. Credentials in headers of your own then go to their targets, and none of
    /// its failures proves that a request was not sent.
    ///
    /// # Examples
    /// ```
    /// use redress::transport::Reqwest;
    ///
    /// let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::limited(3)).build()?;
    /// let transport = Reqwest::following_redirects(client);
    /// # Ok::<(), reqwest::Error>(())
    /// ```
    #[must_use]
    pub const fn following_redirects(client: reqwest::Client) -> Self {
        Self { client, may_redirect: true }
    }

    /// Converts a request to one of reqwest whose URL goes where the URI does, for adapters of libraries on reqwest.
    ///
    /// User and password are removed from the URI.
    ///
    /// # Errors
    /// Returns an error if scheme, host or port of the URL differ from the URI's, and for credentials beside a foreign
    /// `Host` header, as this transport does.
    ///
    /// # Examples
    /// ```
    /// use redress::transport::Reqwest;
    ///
    /// let request = http::Request::get("https://user@api.example/items").body(reqwest::Body::from(""))?;
    /// let request = Reqwest::convert_request(request)?;
    /// assert_eq!(request.url().as_str(), "https://api.example/items");
    /// # Ok::<(), redress::BoxError>(())
    /// ```
    pub fn convert_request(mut request: Request<reqwest::Body>) -> Result<reqwest::Request, TransportError> {
        target::check(&mut request)?;
        let uri = request.uri().clone();
        let request = reqwest::Request::try_from(request);
        let request = request.map_err(|error| TransportError::request(error.without_url()))?;
        target::compare(&uri, request.url())?;
        Ok(request)
    }

    /// Returns how far a request got that failed with this error, for adapters of libraries on reqwest. Its URL is removed,
    /// since the query may hold secrets.
    ///
    /// If the client may have followed a redirect, add [`maybe_processed`](TransportError::maybe_processed): the failed
    /// request may be a later one.
    ///
    /// # Examples
    /// ```
    /// use redress::{Phase, transport::Reqwest};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), reqwest::Error> {
    /// let client = Reqwest::client_builder().build()?;
    /// // The port 1 of this machine: no server listens there.
    /// let error = client.get("http://127.0.0.1:1/").send().await.unwrap_err();
    /// assert_eq!(Reqwest::convert_error(error).phase(), Phase::NotSent);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn convert_error(error: reqwest::Error) -> TransportError {
        let error = error.without_url();
        if error.is_builder() {
            return TransportError::request(error);
        }
        let is_timeout = error.is_timeout();
        if error.is_connect() {
            if is_timeout { TransportError::connect_timeout(error) } else { TransportError::connect(error) }
        } else if is_timeout {
            TransportError::timeout(error)
        } else if error.is_body() {
            TransportError::body(error)
        } else {
            error::of_sending(error)
        }
    }
}

/// Returns `true` if a client has proxies that are chosen by a pattern, as those of the environment are. Only its `Debug`
/// shows it.
fn uses_system_proxies(client: &reqwest::Client) -> bool {
    format!("{client:?}").contains("Matcher { http: ")
}

/// A client's own `Debug` prints its default headers, which may be secret.
impl fmt::Debug for Reqwest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reqwest").finish_non_exhaustive()
    }
}

impl fmt::Debug for ReqwestFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReqwestFuture").finish_non_exhaustive()
    }
}

impl<B> Service<Request<B>> for Reqwest
where
    B: http_body::Body + Send + Sync + 'static,
    B::Data: Into<Bytes>,
    B::Error: Into<BoxError>,
{
    type Response = Response<reqwest::Body>;
    type Error = TransportError;
    type Future = ReqwestFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> ReqwestFuture {
        let Self { client, may_redirect } = self.clone();
        let request = Self::convert_request(request.map(reqwest::Body::wrap));
        ReqwestFuture {
            inner: Box::pin(async move {
                client.execute(request?).await.map_err(|error| transport_error(error, may_redirect))
            }),
        }
    }
}

impl Future for ReqwestFuture {
    type Output = Result<Response<reqwest::Body>, TransportError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let result = ready!(self.inner.as_mut().poll(cx));
        Poll::Ready(result.map(Into::into))
    }
}

/// Returns how far a request got.
fn transport_error(error: reqwest::Error, may_redirect: bool) -> TransportError {
    let is_builder = error.is_builder();
    let found = Reqwest::convert_error(error);
    // The failed request may be a later one, to the target of a redirect.
    if may_redirect && !is_builder { found.maybe_processed() } else { found }
}
