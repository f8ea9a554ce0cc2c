//! The layer above the stack: one span around each call that waits or is sent again.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use http::{Request, Response};
use opentelemetry::Context;
use pin_project_lite::pin_project;
use redress_classify::{Error, ResponseExt};
use tower_layer::Layer;
use tower_service::Service;

use crate::call_state::{CallEnd, CallHandle, CallState};
use crate::error_type;
use crate::telemetry::Telemetry;

/// The layer above the stack: one INTERNAL span around each call that waits or is sent again.
///
/// [`Telemetry::calls`] makes it, [`Telemetry::around`] puts it in its place.
///
/// # Examples
/// ```
/// use redress::{RedressLayer, dialects};
/// use redress_opentelemetry::Telemetry;
/// use tower::ServiceBuilder;
///
/// // The same as `telemetry.around(RedressLayer::new(..))`.
/// let telemetry = Telemetry::new();
/// let layers = ServiceBuilder::new()
///     .layer(telemetry.calls())
///     .layer(RedressLayer::new(dialects::github()))
///     .layer(telemetry.attempts());
/// # drop(layers);
/// ```
#[derive(Clone, Debug)]
pub struct CallLayer {
    telemetry: Arc<Telemetry>,
}

/// The service of [`CallLayer`].
///
/// # The span
/// is named `redress.call`, and exists only for a call that waits before its first attempt (for a rate limit, a cool-down or
/// credentials), or that is sent again, or would have been. It starts with the call. A first attempt that was sent before is
/// linked; each later attempt is a child. A call that succeeds at the first attempt thus has one span, that of the attempt.
///
/// The parent is the [`Context`] among the extensions of the request, or else the current one.
///
/// # The request
/// gets an extension by which the attempts find their call. The headers are not changed here.
///
/// # The response
/// and the error are returned unchanged.
///
/// # Cancel safety
/// Dropping the future ends the spans of the attempt in flight and of the call, with `error.type = "cancelled"`.
#[derive(Clone)]
pub struct Calls<S> {
    inner: S,
    telemetry: Arc<Telemetry>,
}

pin_project! {
    /// The future of a [`Calls`] service.
    ///
    /// # Panics
    /// If it is polled after it has completed.
    pub struct CallFuture<F> {
        // Dropped in this order: the attempt in flight sees that its call is dropped, and ends before it.
        mark: Mark,
        #[pin]
        inner: F,
        end: End,
    }
}

/// Marks a call as dropped, unless it has ended.
struct Mark(Option<Arc<CallState>>);

/// Ends the span of a call that is dropped.
struct End(Option<Arc<CallState>>);

impl CallLayer {
    pub(crate) fn new(telemetry: Telemetry) -> Self {
        Self { telemetry: Arc::new(telemetry) }
    }
}

impl<S> Layer<S> for CallLayer {
    type Service = Calls<S>;

    fn layer(&self, inner: S) -> Calls<S> {
        Calls { inner, telemetry: Arc::clone(&self.telemetry) }
    }
}

impl<S, B, R> Service<Request<B>> for Calls<S>
where
    S: Service<Request<B>, Response = Response<R>, Error = Error>,
{
    type Response = Response<R>;
    type Error = Error;
    type Future = CallFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let parent = request.extensions().get::<Context>().cloned().unwrap_or_else(Context::current);
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let state = Arc::new(CallState::new(Arc::clone(&self.telemetry), parent, method, uri));
        request.extensions_mut().insert(CallHandle(Arc::clone(&state)));
        let current = state.context().attach();
        let inner = self.inner.call(request);
        drop(current);
        CallFuture { mark: Mark(Some(Arc::clone(&state))), inner, end: End(Some(state)) }
    }
}

impl<F, R> Future for CallFuture<F>
where
    F: Future<Output = Result<Response<R>, Error>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<F::Output> {
        let this = self.project();
        let state = this.end.0.as_ref().expect("a future is not polled after its completion");
        let current = state.context().attach();
        let Poll::Ready(result) = this.inner.poll(cx) else {
            drop(current);
            if state.is_unsent() {
                state.open();
            }
            return Poll::Pending;
        };
        drop(current);
        state.finish(&end(&result));
        (this.mark.0, this.end.0) = (None, None);
        Poll::Ready(result)
    }
}

impl<S> fmt::Debug for Calls<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Calls").finish_non_exhaustive()
    }
}

impl<F> fmt::Debug for CallFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallFuture").finish_non_exhaustive()
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        if let Some(state) = &self.0 {
            state.mark_dropped();
        }
    }
}

impl Drop for End {
    fn drop(&mut self) {
        if let Some(state) = &self.0 {
            state.finish_dropped();
        }
    }
}

/// Returns the end of a call. A response that its body turns into an error has the class of the error as its type.
fn end<R>(result: &Result<Response<R>, Error>) -> CallEnd<'_> {
    match result {
        Ok(response) => CallEnd {
            status: Some(response.status()),
            error_type: error_type::of_status(response.status())
                .or_else(|| response.verdict().map(|verdict| verdict.class().as_str().into())),
            record: response.record(),
        },
        Err(error) => {
            CallEnd { status: None, error_type: Some(error_type::of_call(error).into()), record: error.record() }
        }
    }
}
