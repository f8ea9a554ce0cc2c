//! The service: it attaches credentials to requests, and decides what a rejection leads to.

use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use redress_classify::straight::CallTime;
use redress_classify::{BoxError, CloneBody, Deadline, Error};
use tower_service::Service;

use crate::future::ResponseFuture;
use crate::handle::{Access, Handle};
use crate::wait_deadline::WaitDeadline;

/// Attaches credentials to requests, and refreshes them when a response rejects them. [`RefreshLayer`](crate::RefreshLayer)
/// makes it.
///
/// # Request
/// On a request to a listed origin, the headers of the current set replace those with the same names. Without a usable set
/// the request waits for the flight that serves all callers.
///
/// Other requests pass unchanged: those to another origin, those whose URI has no scheme and host, and those whose `Host`
/// header names another authority than the URI, unless [`allow_host`](crate::RefreshLayer::allow_host) allows it. There is a
/// warning for each authority and reason, up to 64 of them.
///
/// # Response
/// A response that does not reject the credentials is returned unchanged. A rejection is a verdict with
/// [`RefreshToken`](redress_classify::Recovery::RefreshToken), or a 401 that nothing but its status explains. It starts a
/// refresh, and then the request is sent again, once:
///
/// - A request that was rejected before it was processed is sent again whatever its method.
/// - A request that may have been processed
///   ([`Verdict::is_maybe_processed`](redress_classify::Verdict::is_maybe_processed): a 5xx, or data beside the error) is sent
///   again only if its method is idempotent (RFC 9110 section 9.2.2) or if it has an `Idempotency-Key`. Otherwise its response
///   is returned after the refresh, and the next call has the new credentials.
/// - If the body cannot be cloned, or if the refresh fails, the rejected response is returned.
///
/// With [`resend_above`](crate::RefreshLayer::resend_above) the response is always returned, with
/// [`Refreshed`](redress_classify::Refreshed) in its extensions if the request may be sent again.
///
/// The rejected response is kept during the refresh, and with it its connection, unless its body was read. A Classify layer
/// below reads the bodies of errors.
///
/// # Errors
/// Returns the error of the service below, or an error with
///
/// - [`is_credentials`](Error::is_credentials) if there is neither a usable set nor a response to return. Its `retry_at` is
///   the end of the cool-down, and its source is a [`Failure`](crate::Failure).
/// - [`is_deadline`](Error::is_deadline) if the deadline passes while the call waits for credentials. The request was not
///   sent, or it was rejected and not processed.
///
/// # Cancel safety
/// Dropping the future drops the request in flight, or ends its wait. The flight goes on, and its result is installed.
///
/// # Examples
/// ```
/// use http::{Request, Response};
/// use redress_refresh::{Refresh, RefreshLayer, StaticHeaders};
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let echo = service_fn(|request: Request<()>| async move {
///     let key = request.headers().get("x-api-key").cloned();
///     Ok::<_, std::io::Error>(Response::new(key))
/// });
/// let keys = StaticHeaders::new().header("x-api-key", "key")?;
/// let api: Refresh<_> = RefreshLayer::new(keys, "https://api.example.com".parse()?).layer(echo);
///
/// let response = api.clone().oneshot(Request::get("https://api.example.com/v1").body(())?).await?;
/// assert_eq!(response.into_body().ok_or("no key")?, "key");
/// let response = api.oneshot(Request::get("https://other.example.com/v1").body(())?).await?;
/// assert!(response.into_body().is_none(), "another origin gets no credentials");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Refresh<S> {
    pub(crate) inner: S,
    pub(crate) handle: Option<Arc<Handle>>,
}

impl<S> Refresh<S> {
    pub(crate) const fn new(inner: S, handle: Option<Arc<Handle>>) -> Self {
        Self { inner, handle }
    }
}

impl<S, B, R> Service<Request<B>> for Refresh<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
    B: CloneBody,
{
    type Response = Response<R>;
    type Error = Error;
    type Future = ResponseFuture<S, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(cx).map_err(|error| Error::not_ready(error.into()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let Some(handle) = self.handle_for(&mut request).cloned() else {
            return ResponseFuture::pass(self.inner.call(request));
        };
        let mut time = CallTime::default();
        let access = handle.get(&mut time);
        let deadline = WaitDeadline::new(Deadline::from_request(&request), time.known());
        match access {
            // This uses the service that `poll_ready` made ready; a clone is taken only to send a copy again.
            Access::Send(snapshot) => ResponseFuture::send(handle, snapshot, deadline, &mut self.inner, request),
            Access::Wait(wait) => {
                // The ready service may hold a permit that the refresh needs. It is dropped before the wait, and a clone,
                // which is not ready, gets ready afterwards.
                let unready = self.inner.clone();
                drop(mem::replace(&mut self.inner, unready.clone()));
                ResponseFuture::wait(handle, wait, deadline, unready, request)
            }
            Access::Fail(refusal) => ResponseFuture::fail(&handle, refusal),
        }
    }
}
