//! The service: a copy of the request stays here while the request goes down.

use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use redress_classify::{BoxError, CloneBody, Error};
use tower_service::Service;

use crate::future::ResponseFuture;
use crate::settings::Settings;

/// Sends a request again when its verdict says so, when that is safe, and when there is time and budget for it.
///
/// # The request
/// is copied once before it goes down, and once more for each time it is sent again; a body that cannot be copied goes
/// down once. Where its API takes one it is given an idempotency key. What is sent again has the [`Deadline`] among its
/// extensions, if there is one, and after a refresh the mark [`Refreshed`].
///
/// [`Deadline`]: redress_classify::Deadline
/// [`Refreshed`]: redress_classify::Refreshed
///
/// # The response
/// comes up as it is. The last one is returned whatever it is, with a [`Record`](redress_classify::Record) if there was
/// more than one attempt. What is left of a failed one is read, up to 16 KiB and for at most 100 ms, and dropped before
/// the rest of the wait, which is no longer for it. A result that already has a record was retried below, and is returned
/// as it is.
///
/// # How it differs from tower's `Retry`
/// The decision is made before the wait: a wait that a server's hint or a deadline makes useless is not begun.
///
/// # Errors
/// The last attempt's error, or [`Error::is_deadline`] when the deadline passes in flight; both have the record. What is
/// in flight counts as maybe processed, unless it is a retry that a layer below still [holds](redress_classify::Held). A
/// service that fails to become ready between two attempts ends the call with its error; one that is not ready yet is
/// waited for, until the deadline.
///
/// # Panics
/// Where there is something to wait for and no tokio runtime with a timer, or one that is shutting down, in tokio's own
/// words. A result that is there at once needs no runtime.
///
/// # Cancel safety
/// Dropping the future drops the attempt in flight and sends nothing more. Budget that was reserved for a retry is
/// given back when it was not yet sent, be it that it waits here, or that a layer below still holds it.
#[derive(Clone, Debug)]
pub struct Backoff<S> {
    inner: S,
    settings: Arc<Settings>,
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
        // Only this very service was readied; its clone was not, and is left for the next call.
        let clone = self.inner.clone();
        let ready = std::mem::replace(&mut self.inner, clone);
        ResponseFuture::new(ready, request, Arc::clone(&self.settings))
    }
}
