//! The service: passes the request on, and attaches a verdict to an error response.

use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower_service::Service;

use crate::BoxError;
use crate::body::Body;
use crate::error::Error;
use crate::future::ResponseFuture;
use crate::reader::Reader;
use crate::settings::Settings;
use crate::straight::SentRequest;

/// Reads error responses and attaches a [`Verdict`](crate::Verdict) to them.
///
/// Made by a [`ClassifyLayer`](crate::ClassifyLayer). tower has no layer of this kind: its `retry::Policy` leaves it to each
/// user to interpret the response.
///
/// # The request
/// is passed on unchanged. Host, method and path are kept for events and the report, which copies no bytes.
///
/// # The response
/// is returned with its body byte for byte:
/// - Of a success by its head, nothing is read.
/// - Of an error by its head, at most 64 KiB are read, for at most 2 s. Beyond either bound status and headers decide.
/// - If the dialect signals errors in the body, a success is held until the signal is certain, until 1 MiB has passed, or
///   until the [hold timeout](crate::ClassifyLayer::hold_timeout) of 5 s. After the last two it is returned as a success,
///   with a `tracing` event. A success is held only if a rule of the dialect applies to its head and its media type is JSON
///   or XML, missing, `text/plain` or `text/html`, or named by such a rule. A body in more than 65,536 frames of less than
///   16 bytes each counts as too long.
/// - In a dialect of gRPC, a 200 without a status in its head is held until its first data, its trailers, or the hold
///   timeout. Trailers without data that have an error make it one; after data the response is returned as it is.
/// - If the dialect declares a hint in the body of a success, the success is held in the same way to its end, and returned
///   with a [`SuccessHint`](crate::SuccessHint).
///
/// # Errors
/// Returns the error of the transport as an [`Error`], which knows whether the request may have been processed. An error of
/// the body of a held success is returned too; that request may have been processed.
///
/// # Cancel safety
/// Dropping the future drops the inner future. No other state is kept.
///
/// # Examples
/// ```
/// use http::{Request, Response};
/// use http_body_util::Full;
/// use redress_classify::{ClassifyLayer, Phase, TransportError, dialects};
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// let unreachable = ServiceBuilder::new()
///     .layer(ClassifyLayer::new(dialects::generic()))
///     .service(service_fn(|_: Request<()>| async {
///         Err::<Response<Full<&[u8]>>, _>(TransportError::connect("connection refused"))
///     }));
/// let error = unreachable.oneshot(Request::new(())).await.expect_err("there was no response");
/// assert_eq!(error.phase(), Phase::NotSent);
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Classify<S> {
    inner: S,
    settings: Arc<Settings>,
}

impl<S> Classify<S> {
    pub(crate) const fn new(inner: S, settings: Arc<Settings>) -> Self {
        Self { inner, settings }
    }

    pub(crate) const fn settings(&self) -> &Arc<Settings> {
        &self.settings
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
        let sent = SentRequest::new(&request);
        ResponseFuture::new(Reader::new(self.inner.call(request)), Arc::clone(&self.settings), sent)
    }
}
