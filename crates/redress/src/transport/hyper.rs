//! The adapter for hyper-util's client.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper_util::client::legacy::connect::{CaptureConnection, capture_connection};
use hyper_util::client::legacy::{Client, Error, ResponseFuture};
use redress_classify::TransportError;
use tower_service::Service;

use super::heads::{Heads, Mark};
use super::{error, target};

/// hyper-util's pooling client as a transport.
///
/// # The request
/// It is sent to the authority of its URI. User and password are removed from the URI, since they are not sent and
/// hyper-util writes them into its TRACE events. A request that carries credentials (a header that is
/// [sensitive](http::HeaderValue::is_sensitive)) and a `Host` header of another authority is refused, unless
/// [`ForeignHost`](crate::ForeignHost) is among its extensions. Each request costs the five allocations of hyper-util's
/// [`capture_connection`], which tells whether it got a connection.
///
/// # The response
/// It is returned as it is. After a 421 the connection is not used again (RFC 9110 section 15.5.20).
///
/// # Errors
/// No connection is [`connect`](TransportError::connect) or [`connect_timeout`](TransportError::connect_timeout), a stream
/// that an HTTP/2 server refused is [`refused_stream`](TransportError::refused_stream) and so are one above the last
/// stream of its `GOAWAY` and one whose connection closed before it was written, `ENHANCE_YOUR_CALM` is
/// [`rate_limited`](TransportError::rate_limited), a connection that broke off is [`body`](TransportError::body), a URI
/// without a host is [`request`](TransportError::request).
///
/// # Cancel safety
/// If the future is dropped before its response begins, as by an attempt timeout, its connection is not used for later
/// requests; others in flight on it go on. So a connection that has died silently costs one attempt. It stays in use if its
/// authority has answered any request of this transport in the meantime, so that cancelling a hedged request costs
/// nothing.
///
/// # Examples
/// ```
/// use hyper_util::{client::legacy::Client, rt::TokioExecutor};
/// use redress::{RedressLayer, dialects, transport::Hyper};
/// use tower::Layer;
///
/// # fn stack() -> impl Clone {
/// let transport: Hyper<_, String> = Hyper::new(Client::builder(TokioExecutor::new()).build_http());
/// let service = RedressLayer::new(dialects::verilock()).layer(transport);
/// # service }
/// ```
pub struct Hyper<C, B> {
    client: Client<C, B>,
    heads: Arc<Heads>,
}

/// The future of a [`Hyper`] transport.
pub struct HyperFuture {
    /// The request in flight, or the error of a request that is refused; `None` after it was returned.
    inner: Result<InFlight, Option<TransportError>>,
}

/// A request that was given to the client.
struct InFlight {
    /// Dropped first, so that the pool does not reuse a connection that is given up.
    connection: Connection,
    response: ResponseFuture,
}

/// The connection of a request. It is given up if the request is dropped, unless its authority has answered.
struct Connection {
    captured: CaptureConnection,
    heads: Arc<Heads>,
    mark: Mark,
    /// `true` once the client has returned a response or an error.
    ended: bool,
}

impl<C, B> Hyper<C, B> {
    /// Wraps a client with its connector and its settings.
    pub fn new(client: Client<C, B>) -> Self {
        Self { client, heads: Arc::new(Heads::new()) }
    }
}

impl<C: Clone, B> Clone for Hyper<C, B> {
    fn clone(&self) -> Self {
        Self { client: self.client.clone(), heads: Arc::clone(&self.heads) }
    }
}

impl<C, B> fmt::Debug for Hyper<C, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hyper").finish_non_exhaustive()
    }
}

impl fmt::Debug for HyperFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HyperFuture").finish_non_exhaustive()
    }
}

impl<C, B> Service<Request<B>> for Hyper<C, B>
where
    Client<C, B>: Service<Request<B>, Response = Response<Incoming>, Error = Error, Future = ResponseFuture>,
{
    type Response = Response<Incoming>;
    type Error = TransportError;
    type Future = HyperFuture;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.client.poll_ready(cx).map_err(|error| transport_error(error, false))
    }

    fn call(&mut self, mut request: Request<B>) -> HyperFuture {
        if let Err(refused) = target::check(&mut request) {
            return HyperFuture { inner: Err(Some(refused)) };
        }
        let Some(mark) = request.uri().authority().map(|authority| self.heads.mark(authority)) else {
            return HyperFuture { inner: Err(Some(target::no_server())) };
        };
        let captured = capture_connection(&mut request);
        let connection = Connection { captured, heads: Arc::clone(&self.heads), mark, ended: false };
        HyperFuture { inner: Ok(InFlight { connection, response: self.client.call(request) }) }
    }
}

impl Future for HyperFuture {
    type Output = Result<Response<Incoming>, TransportError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let InFlight { connection, response } = match &mut self.inner {
            Ok(in_flight) => in_flight,
            Err(refused) => {
                return Poll::Ready(Err(refused.take().expect("a future is not polled after its end")));
            }
        };
        let result = ready!(Pin::new(response).poll(cx));
        connection.ended = true;
        Poll::Ready(match result {
            Ok(response) => {
                connection.answered(response.status());
                Ok(response)
            }
            Err(error) => Err(transport_error(error, connection.was_made())),
        })
    }
}

impl Connection {
    fn answered(&self, status: StatusCode) {
        self.heads.count(self.mark);
        if status == StatusCode::MISDIRECTED_REQUEST {
            self.give_up("misdirected");
        }
    }

    fn was_made(&self) -> bool {
        self.captured.connection_metadata().is_some()
    }

    fn give_up(&self, reason: &'static str) {
        if let Some(connected) = self.captured.connection_metadata().as_ref() {
            connected.poison();
            tracing::debug!(target: "redress::transport", reason, "connection given up: later requests open another");
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if !self.ended && !self.heads.answered_since(self.mark) {
            self.give_up("no response began");
        }
    }
}

/// Returns how far a request got; without a connection it was not sent.
fn transport_error(error: Error, was_connected: bool) -> TransportError {
    if error.is_connect() || !was_connected { error::of_connecting(error) } else { error::of_sending(error) }
}

#[cfg(test)]
mod tests {
    use http::Version;
    use hyper_util::rt::TokioExecutor;
    use redress_classify::Phase;
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn a_request_that_the_client_refuses_before_it_connects_was_not_sent() {
        let hyper: Hyper<_, String> = Hyper::new(Client::builder(TokioExecutor::new()).build_http());
        let request = Request::get("http://127.0.0.1:1/").version(Version::HTTP_3).body(String::new()).unwrap();
        let error = hyper.oneshot(request).await.expect_err("it speaks HTTP/1 and HTTP/2 only");
        assert_eq!(error.phase(), Phase::NotSent, "{error:?}");
    }
}
