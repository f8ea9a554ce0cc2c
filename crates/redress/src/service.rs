//! The whole stack as one service.

use std::fmt;
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use redress_backoff::Backoff;
use redress_classify::straight::{CallTime, Straight};
use redress_classify::{Body, BoxError, Classify, CloneBody, Error};
use redress_pace::Pace;
use redress_refresh::Refresh;
use tower_service::Service;

use crate::future::{ResponseFuture, Sent};
use crate::timeout::{AttemptLimit, TimedAttempts};

/// The layers of redress over a transport.
///
/// Opaque, so that adding a layer is not a breaking change.
///
/// # Errors
/// Returns an [`Error`] if no response came. A response is `Ok` whatever its status:
/// [`ok_or_api_error`](redress_classify::ResponseExt::ok_or_api_error) turns an error response into an error.
///
/// # Cancel safety
/// Dropping the future drops the attempt in flight, or its place in a queue, and sends nothing more. A token refresh that it
/// started goes on for the other calls.
///
/// # Examples
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU32, Ordering};
///
/// use http::{Request, Response};
/// use redress::{Redress, RedressLayer, ResponseExt, dialects};
/// use tower::{Layer, Service, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let sent = Arc::new(AtomicU32::new(0));
/// let transport = service_fn(move |_: Request<String>| {
///     let status = if sent.fetch_add(1, Ordering::Relaxed) == 0 { 503 } else { 200 };
///     async move { Response::builder().status(status).body(String::new()) }
/// });
/// let mut service: Redress<_> = RedressLayer::new(dialects::generic()).layer(transport);
/// let response = service.ready().await?.call(Request::get("https://api.example/").body(String::new())?).await?;
/// assert_eq!(response.status(), 200);
/// assert_eq!(response.record().expect("it was sent twice").attempts().len(), 2);
/// # Ok(()) }
/// ```
pub struct Redress<S> {
    transport: S,
    shared: Arc<Shared>,
}

/// The layers in their order, over the attempt timeout and the transport.
pub(crate) type Layers<S> = Backoff<Pace<Refresh<Classify<S>>>>;

/// The settings of the whole stack, which all its services share.
pub(crate) struct Shared {
    pub(crate) layers: Layers<()>,
    pub(crate) attempt_timeout: Option<Duration>,
    /// Whether first attempts go through the futures of the layers, too.
    pub(crate) is_never_straight: bool,
}

impl Shared {
    /// Puts the layers over a transport.
    pub(crate) fn over<S, B: CloneBody>(&self, transport: S) -> Layers<TimedAttempts<S>> {
        Straight::<B>::over(&self.layers, TimedAttempts::new(transport, self.attempt_timeout))
    }
}

impl<S> Redress<S> {
    pub(crate) fn new(transport: S, shared: Shared) -> Self {
        Self { transport, shared: Arc::new(shared) }
    }
}

impl<S: Clone> Clone for Redress<S> {
    fn clone(&self) -> Self {
        Self { transport: self.transport.clone(), shared: Arc::clone(&self.shared) }
    }
}

impl<S> fmt::Debug for Redress<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redress").finish_non_exhaustive()
    }
}

impl<S, B, R> Service<Request<B>> for Redress<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
    B: CloneBody,
    R: http_body::Body + Unpin,
    R::Error: Into<BoxError>,
{
    type Response = Response<Body<R>>;
    type Error = Error;
    type Future = ResponseFuture<S, B, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.transport.poll_ready(cx).map_err(|error| Error::not_ready(error.into()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        // The transport that was polled ready is used; its clone may not be ready, and is left for the next call.
        let clone = self.transport.clone();
        let mut transport = mem::replace(&mut self.transport, clone);
        let layers = &self.shared.layers;
        let mut time = CallTime::default();
        let admitted = if self.shared.is_never_straight { None } else { layers.admit(&mut request, &mut time) };
        let Some(admitted) = admitted else {
            return ResponseFuture::through_layers(&self.shared, transport, request);
        };
        let limit = AttemptLimit::new(&request, self.shared.attempt_timeout);
        let kept = layers.send(admitted, &mut request, &mut time);
        let response = transport.call(request);
        ResponseFuture::straight(response, Sent { transport, shared: Arc::clone(&self.shared), kept, limit })
    }
}
