//! The service: it keeps a copy of each request and sends it again after a failure.

use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use redress_classify::{BoxError, CloneBody, Error};
use tower_service::Service;

use crate::future::ResponseFuture;
use crate::settings::Settings;

/// A service that retries a failed request if its verdict says so, if that is safe, and if time and budget allow it.
///
/// It belongs on top of the stack, above the layers that pace, authenticate and classify each attempt: a retry passes all of them
/// again.
///
/// # Examples
/// ```
/// use std::sync::atomic::{AtomicU32, Ordering};
/// use http::{Request, Response};
/// use redress_backoff::BackoffLayer;
/// use redress_classify::{ResponseExt, dialects};
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let calls = AtomicU32::new(0);
/// let flaky = service_fn(|_: Request<String>| {
///     let status = if calls.fetch_add(1, Ordering::Relaxed) == 0 { 503 } else { 200 };
///     async move { Ok::<_, std::io::Error>(Response::builder().status(status).body(String::new()).expect("a status")) }
/// });
/// let service = BackoffLayer::new(dialects::generic()).layer(flaky);
/// let response = service.oneshot(Request::get("https://api.example/v1/things").body(String::new())?).await?;
/// assert_eq!(response.status(), 200);
/// assert_eq!(response.record().map(|record| record.attempts().len()), Some(2));
/// # Ok(()) }
/// ```
///
/// # The request
/// is copied once before it is sent, and once more for each time it is sent again; a request whose body cannot be copied is sent
/// once. It gets an idempotency key if its API takes one. Each further attempt carries the [`Deadline`] of the call among its
/// extensions, if there is one, the [`ResendCount`], and after a refresh the marker [`Refreshed`].
///
/// [`Deadline`]: redress_classify::Deadline
/// [`Refreshed`]: redress_classify::Refreshed
/// [`ResendCount`]: redress_classify::ResendCount
///
/// # The response
/// is returned unchanged. The last one is returned whatever its status is, with a [`Record`](redress_classify::Record) if there
/// was more than one attempt. The rest of a failed one is read, up to 16 KiB and for at most 100 ms, so that its connection can
/// be reused, and dropped before the rest of the wait. A result that has a record was retried below, and is returned as it is.
///
/// A call that waits for the end of an outage in a layer below, and ends before that, returns the response of its last
/// attempt. Such a response is kept, with a body of at most 16 KiB in memory, instead of dropped ([more](crate#outages)).
///
/// # Differences from tower's `Retry`
/// The decision is made before the wait: a wait that ends past the deadline, or for which the budget has no tokens, is not
/// begun. The policy is not a trait; hooks of the layer, such as [`retry_if`](crate::BackoffLayer::retry_if), adjust it.
///
/// # Errors
/// The error of the last attempt, or [`Error::is_deadline`] if the deadline passes during an attempt; both have the record.
/// If a call ends while it waits for the end of an outage, and its last response was not kept, [`Error::is_paced`] or
/// [`Error::is_deadline`] with the verdict of that response. An attempt in flight counts as maybe processed, unless it is a
/// retry that a layer below still [queues](redress_classify::SendState). A service that fails to become ready between two
/// attempts ends the call with its error; one that is not ready yet is waited for, until the deadline.
///
/// # Panics
/// If it must wait outside of a tokio runtime with a timer, or in one that is shutting down; the message is tokio's. A result
/// that is there at once needs no runtime.
///
/// # Cancel safety
/// Dropping the future cancels the attempt in flight and sends nothing more. The tokens that were reserved for a retry are
/// given back unless it was sent: if the call still waits, or if a layer below still queues the request. A call that waits
/// for the end of an outage has reserved none.
#[derive(Clone, Debug)]
pub struct Backoff<S> {
    pub(crate) inner: S,
    pub(crate) settings: Arc<Settings>,
}

impl<S> Backoff<S> {
    pub(crate) const fn new(inner: S, settings: Arc<Settings>) -> Self {
        Self { inner, settings }
    }
}

impl<S, B, R> Service<Request<B>> for Backoff<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
    B: CloneBody,
    R: http_body::Body + Unpin,
{
    type Response = Response<R>;
    type Error = Error;
    type Future = ResponseFuture<S, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(cx).map_err(|error| Error::not_ready(error.into()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The service that was polled ready is used; its clone may not be ready, and is left for the next call.
        let clone = self.inner.clone();
        let ready = std::mem::replace(&mut self.inner, clone);
        ResponseFuture::new(ready, request, Arc::clone(&self.settings))
    }
}
