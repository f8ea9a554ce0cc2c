//! The service: the request goes down with credentials, the response comes up untouched.

use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use redress_classify::{BoxError, CloneBody, Error};
use tower_service::Service;

use crate::future::ResponseFuture;
use crate::handle::{Access, Handle};
use crate::wait_deadline::WaitDeadline;

/// Attaches credentials to requests, and has them refreshed when a response says that they have run out.
///
/// # The request
/// If it goes to a listed origin, the headers of the current set replace any of their names. If there is no usable set,
/// it waits for the one login or refresh that serves all callers. To any other place it goes as it is, with whatever
/// headers its sender gave it; so does a request whose URI has no scheme and host, and one whose `Host` header names
/// another authority than the URI, unless [`allow_host`](crate::RefreshLayer::allow_host) allows that. A warning says so,
/// once for each authority and reason, for 64 of them.
///
/// # The response
/// comes up as it is. A refresh follows when its verdict says
/// [`RefreshToken`](redress_classify::Recovery::RefreshToken), or when it is a 401 that nothing but its status
/// explains. Then the request is sent again, once, which is safe for every method if it was rejected before it was
/// processed. If it may have been processed
/// ([`Verdict::is_maybe_processed`](redress_classify::Verdict::is_maybe_processed): a 5xx, or data beside the error),
/// only an idempotent method (RFC 9110 section 9.2.2) or a request with an `Idempotency-Key` is sent again. Of any
/// other one the response comes up after the refresh, and the next call has the new credentials. If there is no second
/// copy of the body, or if the refresh fails, the rejected response itself comes up. With
/// [`resend_above`](crate::RefreshLayer::resend_above) it always does, and carries [`Refreshed`](redress_classify::Refreshed)
/// when sending again is worth while.
///
/// The rejected response is held while the refresh lasts, and with it its connection, unless its body was read. A
/// Classify layer below reads the bodies of errors.
///
/// # Errors
/// That of the service below, and [`is_credentials`](Error::is_credentials) when there is neither a usable set nor a
/// response to return. It says when to ask again, and its source is a [`Failure`](crate::Failure).
/// [`is_deadline`](Error::is_deadline) when the call's deadline passes while it waits for credentials; nothing was sent,
/// or what was sent was rejected and not processed.
///
/// # Cancel safety
/// Dropping the future drops the request below or its place among those who wait. A refresh goes on: its result is
/// installed, and nobody else notices.
#[derive(Clone, Debug)]
pub struct Refresh<S> {
    inner: S,
    handle: Option<Arc<Handle>>,
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
        let Some(handle) = self.handle.as_ref().filter(|handle| handle.settings.admits(&mut request)) else {
            return ResponseFuture::pass(self.inner.call(request));
        };
        let handle = Arc::clone(handle);
        let (access, now) = handle.get();
        let deadline = WaitDeadline::new(&request, now);
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
