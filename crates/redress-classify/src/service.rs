//! The service: the request goes down untouched, the response comes up judged.

use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower_service::Service;

use crate::BoxError;
use crate::body::Body;
use crate::deadline::Deadline;
use crate::error::Error;
use crate::future::ResponseFuture;
use crate::layer::Settings;
use crate::meaning::Call;

/// Reads error responses and stamps them with a [`Verdict`](crate::Verdict).
///
/// # The request
/// goes down as it is. Method and path are remembered for the report, which copies no bytes.
///
/// # The response
/// comes up with its body byte for byte. If its head decides that it is a success, nothing is read of it. If it is
/// known to be an error, at most 64 KiB are read, for at most 2 s; beyond either bound status and headers decide. A
/// success of a dialect that signals errors in the body is held until the signal is certain, 1 MiB has passed, or the
/// [hold timeout](crate::ClassifyLayer::hold_timeout) of 5 s; beyond the last two it is handed up as a success, with an
/// event. Only those are held to whose head a rule of the dialect applies, and whose media type is JSON or XML, missing,
/// `text/plain` or `text/html`, or named by such a rule. In the same way a success is held to its end if its dialect declares
/// a hint in the body of a success: it comes up as the success that it is, with a [`SuccessHint`](crate::SuccessHint). A body in more than 65,536 frames of less than 16 bytes each
/// counts as too long.
///
/// # Errors
/// The transport's error, as an [`Error`] that knows whether the request may have been processed. The error of a success's
/// body, if it comes while the response is held: the request may have been processed.
///
/// # Cancel safety
/// Dropping the future drops the request below; nothing else is held.
#[derive(Clone, Debug)]
pub struct Classify<S> {
    inner: S,
    settings: Arc<Settings>,
}

impl<S> Classify<S> {
    pub(crate) const fn new(inner: S, settings: Arc<Settings>) -> Self {
        Self { inner, settings }
    }
}

impl<S, B, R> Service<Request<B>> for Classify<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    R: http_body::Body + Unpin,
    R::Error: Into<BoxError>,
{
    type Response = Response<Body<R>>;
    type Error = Error;
    type Future = ResponseFuture<S::Future, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(cx).map_err(|error| Error::not_ready(error.into()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let call = Call::new(request.method(), request.uri());
        let deadline = Deadline::from_request(&request);
        ResponseFuture::new(self.inner.call(request), Arc::clone(&self.settings), call, deadline)
    }
}
