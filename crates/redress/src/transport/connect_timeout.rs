//! A time limit for making a connection.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use redress_classify::BoxError;
use tokio::time::Sleep;
use tower_service::Service;

/// The time limit unless set otherwise. Most systems send a lost SYN again after 1, 3 and 7 s; a connection that takes
/// longer than three of them is unlikely to be made.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A connector for hyper-util's client with a time limit for DNS, TCP and TLS together.
///
/// A request whose connection was not made in time was not sent, so that it is retried whatever its method. An attempt
/// timeout cannot tell whether it cut a connection or a request, so that this limit should be shorter. `HttpConnector`'s own
/// `set_connect_timeout` limits TCP alone.
///
/// # Errors
/// An [`io::Error`] of kind [`TimedOut`](io::ErrorKind::TimedOut), or the error of the connector.
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
    /// `None` until the connector is pending.
    sleep: Option<Pin<Box<Sleep>>>,
}

impl<C> ConnectTimeout<C> {
    /// Wraps a connector, with a limit of 10 s for each connection: enough for three lost SYNs.
    pub const fn new(connector: C) -> Self {
        Self { inner: connector, timeout: TIMEOUT }
    }

    /// Sets how long making a connection may take.
    ///
    /// # Examples
    /// ```
    /// use std::io;
    /// use std::time::Duration;
    ///
    /// use redress::transport::ConnectTimeout;
    /// use tower::{ServiceExt, service_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let silent = service_fn(|_: &str| Box::pin(std::future::pending::<io::Result<()>>()));
    /// let error = ConnectTimeout::new(silent).timeout(Duration::from_secs(3)).oneshot("api.example").await.unwrap_err();
    /// assert_eq!(error.downcast_ref::<io::Error>().expect("its own error").kind(), io::ErrorKind::TimedOut);
    /// # }
    /// ```
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

#[cfg(test)]
mod tests {
    use tower::limit::ConcurrencyLimit;
    use tower::{ServiceExt, service_fn};

    use super::*;

    /// `ConcurrencyLimit` panics if it is called before it was ready.
    #[tokio::test]
    async fn a_connector_is_ready_before_it_is_called() {
        let connector = service_fn(|target: &'static str| std::future::ready(Ok::<_, io::Error>(target)));
        let connector = ConnectTimeout::new(ConcurrencyLimit::new(connector, 1));
        assert_eq!(connector.oneshot("api.example").await.unwrap(), "api.example");
    }
}
