//! The layer above the transport: a span, a trace context and a duration for each attempt.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use http::{Request, Response};
use pin_project_lite::pin_project;
use redress_classify::BoxError;
use tower_layer::Layer;
use tower_service::Service;

use crate::attempt::Attempt;
use crate::telemetry::Telemetry;

/// The layer right above the transport: a CLIENT span, a trace context and a duration for each attempt.
///
/// [`Telemetry::attempts`] makes it, [`Telemetry::around`] puts it in its place.
///
/// # Examples
/// ```
/// use http::{Request, Response};
/// use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
/// use redress_opentelemetry::Telemetry;
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let spans = InMemorySpanExporter::default();
/// let provider = SdkTracerProvider::builder().with_simple_exporter(spans.clone()).build();
/// let transport = service_fn(|_: Request<String>| async { Ok::<_, std::io::Error>(Response::new(String::new())) });
/// let service = Telemetry::new().tracer_provider(&provider).attempts().layer(transport);
/// let response = service.oneshot(Request::get("https://api.example/v1").body(String::new())?).await;
/// assert_eq!(response.map(|response| response.status().as_u16()).ok(), Some(200));
/// assert_eq!(spans.get_finished_spans()?[0].name, "GET");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct AttemptLayer {
    telemetry: Arc<Telemetry>,
}

/// The service of [`AttemptLayer`].
///
/// # The span
/// has the method as its name, and begins when the attempt is sent. It ends with the head of the response, or when the attempt
/// fails or is dropped; the body is not waited for, since a caller may not read it. Its attributes are those of the [semantic
/// conventions](https://opentelemetry.io/docs/specs/semconv/http/http-spans/): `http.request.method`, `server.address`,
/// `server.port`, `url.full` without secrets, `http.request.resend_count` on resends, `http.response.status_code`,
/// `network.protocol.version` and `error.type`. The crate's page lists the values of `error.type`.
///
/// # The metric
/// is the histogram `http.client.request.duration` in seconds, from the sending to the end of the span, on tokio's clock.
///
/// # The request
/// gets the trace context of its span, in place of one that it may have: each attempt has a `traceparent` of its own.
///
/// # The response
/// is returned unchanged; an error is boxed.
///
/// # Cancel safety
/// Dropping the future ends the span. `error.type` is `cancelled` if the whole call is dropped, and `timeout` if a layer
/// above cuts the attempt, as the attempt timeout and the deadline of the call do. Without a
/// [`CallLayer`](crate::CallLayer) above, both are `cancelled`.
#[derive(Clone)]
pub struct Attempts<S> {
    inner: S,
    telemetry: Arc<Telemetry>,
}

pin_project! {
    /// The future of an [`Attempts`] service.
    pub struct AttemptFuture<F> {
        #[pin]
        inner: F,
        attempt: Attempt,
    }
}

impl AttemptLayer {
    pub(crate) fn new(telemetry: Telemetry) -> Self {
        Self { telemetry: Arc::new(telemetry) }
    }
}

impl<S> Layer<S> for AttemptLayer {
    type Service = Attempts<S>;

    fn layer(&self, inner: S) -> Attempts<S> {
        Attempts { inner, telemetry: Arc::clone(&self.telemetry) }
    }
}

impl<S, B, R> Service<Request<B>> for Attempts<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
{
    type Response = Response<R>;
    type Error = BoxError;
    type Future = AttemptFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let attempt = Attempt::begin(Arc::clone(&self.telemetry), &mut request);
        let current = attempt.context().attach();
        let inner = self.inner.call(request);
        drop(current);
        AttemptFuture { inner, attempt }
    }
}

impl<F, R, E> Future for AttemptFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    E: Into<BoxError>,
{
    type Output = Result<Response<R>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let current = this.attempt.context().attach();
        let result = this.inner.poll(cx);
        drop(current);
        let result = std::task::ready!(result).map_err(Into::into);
        match &result {
            Ok(response) => this.attempt.on_response(response),
            Err(error) => this.attempt.on_error(error.as_ref()),
        }
        Poll::Ready(result)
    }
}

impl<S> fmt::Debug for Attempts<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempts").finish_non_exhaustive()
    }
}

impl<F> fmt::Debug for AttemptFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttemptFuture").finish_non_exhaustive()
    }
}
