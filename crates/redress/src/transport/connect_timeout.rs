//! Bounds the time that a connection takes.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use redress_classify::BoxError;
use tokio::time::Sleep;
use tower_service::Service;

/// How long a connection may take unless told otherwise. A SYN that is lost is sent again after 1, 3 and 7 s on most
/// systems; a connection that takes longer than that is not worth waiting for.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A connector for hyper-util's client that gives up after a time: DNS, TCP and TLS together.
///
/// A request whose connection was not made in time was not sent, so that it is retried whatever its method. An attempt
/// timeout cannot tell whether it cut a connection or a request; this one should be shorter. `HttpConnector`'s own
/// `set_connect_timeout` bounds TCP alone.
///
/// # Errors
/// An [`io::Error`] of kind [`TimedOut`](io::ErrorKind::TimedOut), or that of the connector.
///
/// # Examples
/// ```
/// use std::time::Duration;
///
/// use hyper_util::client::legacy::{Client, connect::HttpConnector};
/// use hyper_util::rt::TokioExecutor;
/// use redress::transport::{ConnectTimeout, Hyper};
///
/// let connector = ConnectTimeout::new(HttpConnector::new()).timeout(Duration::from_secs(3));
/// let transport: Hyper<_, String> = Hyper::new(Client::builder(TokioExecutor::new()).build(connector));
/// ```
#[derive(Clone)]
pub struct ConnectTimeout<C> {
    inner: C,
    timeout: Duration,
}

/// The future of a [`ConnectTimeout`].
pub struct ConnectTimeoutFuture<F> {
    inner: F,
    timeout: Duration,
    /// Made when the connector has to be waited for.
    sleep: Option<Pin<Box<Sleep>>>,
}

impl<C> ConnectTimeout<C> {
    /// Takes a connector and gives it 10 s for each connection: enough for three lost SYNs.
    pub const fn new(connector: C) -> Self {
        Self { inner: connector, timeout: TIMEOUT }
    }

    /// Sets how long a connection may take.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }
}

/// A connector's own `Debug` may print the credentials of a proxy.
impl<C> fmt::Debug for ConnectTimeout<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectTimeout").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

impl<F> fmt::Debug for ConnectTimeoutFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectTimeoutFuture").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

impl<C, T> Service<T> for ConnectTimeout<C>
where
    C: Service<T>,
    C::Error: Into<BoxError>,
    C::Future: Unpin,
{
    type Response = C::Response;
    type Error = BoxError;
    type Future = ConnectTimeoutFuture<C::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, target: T) -> Self::Future {
        ConnectTimeoutFuture { inner: self.inner.call(target), timeout: self.timeout, sleep: None }
    }
}

impl<F, T, E> Future for ConnectTimeoutFuture<F>
where
    F: Future<Output = Result<T, E>> + Unpin,
    E: Into<BoxError>,
{
    type Output = Result<T, BoxError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Poll::Ready(result) = Pin::new(&mut this.inner).poll(cx) {
            return Poll::Ready(result.map_err(Into::into));
        }
        let timeout = this.timeout;
        let sleep = this.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(timeout)));
        sleep.as_mut().poll(cx).map(|()| {
            let late = format!("no connection within {timeout:?}");
            Err(io::Error::new(io::ErrorKind::TimedOut, late).into())
        })
    }
}
