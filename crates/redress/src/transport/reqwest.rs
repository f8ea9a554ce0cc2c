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
/// It follows no redirects: reqwest takes `Authorization` off a redirect to another host, but no `ApiKey` or `X-Api-Key`,
/// and a failure behind a redirect looks like one before the request was sent. Its own timeouts are reported as timeouts.
///
/// # The request
/// is written as a URL, which reqwest reads again. One whose scheme, host or port differ from the URI's is refused, since
/// the credentials were added for the URI. A user and a password in the URI are taken off, and sent nowhere. A request that
/// carries credentials (a header that is [sensitive](http::HeaderValue::is_sensitive)) and a `Host` header of another
/// authority is refused, unless [`ForeignHost`](super::ForeignHost) is among its extensions.
///
/// # Errors
/// As [`Hyper`](super::Hyper)'s.
///
/// # Cancel safety
/// Dropping the future drops the request. Its connection stays in reqwest's pool: one that has died silently is noticed by
/// the pings of [`client_builder`](Self::client_builder) only.
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

/// How long a connection may take: enough for three lost SYNs, which most systems send again after 1, 3 and 7 s.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long an HTTP/2 connection with open streams may be silent before it is pinged, and how long the answer may take.
const PING_INTERVAL: Duration = Duration::from_secs(10);
const PING_TIMEOUT: Duration = Duration::from_secs(5);

impl Reqwest {
    /// Returns reqwest's builder with the settings that suit this stack; each can be overridden before [`new`](Self::new).
    ///
    /// - No redirects, as in `new`.
    /// - No proxy for this machine's own hosts (`localhost`, `127.0.0.0/8`, `[::1]`): credentials go there in plain text.
    ///   Other hosts use the proxies of the environment and the system, as they are when this is called.
    /// - 10 s for a connection, DNS and TLS included: enough for three lost SYNs. It is told from the time of the attempt,
    ///   since nothing was sent.
    /// - A ping to an HTTP/2 server that was silent for 10 s while a request waits, and 5 s for its answer. A connection
    ///   that has died silently is closed after that, and the next attempt opens another.
    /// - No retries by reqwest itself (it would repeat refused streams at once): they belong to Backoff, which waits and
    ///   counts them.
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

    /// Builds a client with these settings that follows no redirects. All others stay as they are:
    /// [`client_builder`](Self::client_builder) has those that are recommended.
    ///
    /// Proxies are used as the builder says; reqwest's own takes `HTTP_PROXY` for `http://localhost` too. A warning event
    /// says so when such a variable is set.
    ///
    /// # Errors
    /// When reqwest cannot build the client: see [`reqwest::ClientBuilder::build`].
    pub fn new(builder: reqwest::ClientBuilder) -> reqwest::Result<Self> {
        let client = builder.redirect(reqwest::redirect::Policy::none()).build()?;
        Ok(Self::from_client(client))
    }

    /// Takes a client that follows no redirects: its failures tell what was not sent.
    ///
    /// Whether it does cannot be seen from the client. One that follows redirects takes credentials in headers such as
    /// `X-Api-Key` to wherever they point, and a request that was redirected may be sent twice. If in doubt, take
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
                "a proxy would get plain-http requests to this machine: take Reqwest::client_builder() or set NO_PROXY"
            );
        }
        Self { client, may_redirect: false }
    }

    /// Takes a client that may follow redirects: credentials in headers of your own then follow them too, and no failure
    /// is proof that a request was not sent.
    #[must_use]
    pub const fn following_redirects(client: reqwest::Client) -> Self {
        Self { client, may_redirect: true }
    }
}

/// Whether a client has proxies that are chosen by a pattern, as those of the environment are. Only its `Debug` tells.
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
        let request = written(request);
        ReqwestFuture {
            inner: Box::pin(async move {
                client.execute(request?).await.map_err(|error| transport_error(error, may_redirect))
            }),
        }
    }
}

/// Writes a request as reqwest's, with a URL that goes where the URI does.
fn written<B>(mut request: Request<B>) -> Result<reqwest::Request, TransportError>
where
    B: http_body::Body + Send + Sync + 'static,
    B::Data: Into<Bytes>,
    B::Error: Into<BoxError>,
{
    target::check(&mut request)?;
    let uri = request.uri().clone();
    let request = reqwest::Request::try_from(request.map(reqwest::Body::wrap));
    let request = request.map_err(|error| TransportError::request(error.without_url()))?;
    target::compare(&uri, request.url())?;
    Ok(request)
}

impl Future for ReqwestFuture {
    type Output = Result<Response<reqwest::Body>, TransportError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let result = ready!(self.inner.as_mut().poll(cx));
        Poll::Ready(result.map(Into::into))
    }
}

/// Finds out how far a request got. The URL is taken out of the error, since its query may hold secrets.
fn transport_error(error: reqwest::Error, may_redirect: bool) -> TransportError {
    let error = error.without_url();
    if error.is_builder() {
        return TransportError::request(error);
    }
    let is_timeout = error.is_timeout();
    let found = if error.is_connect() {
        if is_timeout { TransportError::connect_timeout(error) } else { TransportError::connect(error) }
    } else if is_timeout {
        TransportError::timeout(error)
    } else if error.is_body() {
        TransportError::body(error)
    } else {
        error::of_sending(error)
    };
    // What failed may have been another request, to where the first was redirected.
    if may_redirect { found.maybe_processed() } else { found }
}
